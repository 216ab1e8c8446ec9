/* input_ndjson.c - a line of JSON into values: base/json.h reads it to a tape, which knows where everything stands. */
#include "core/input_inside.h"

#define ONE_OBJECT "one JSON object on each line, such as {\"id\":\"p1\",...}"

static enum input_result bad_at(struct input *in, size_t at)
{
    input_place(in, at);
    return INPUT_BAD;
}

static enum input_result not_json(struct input *in, const struct tape_error *e)
{
    bool too_much = e->code == KEER_ELIMIT || e->code == KEER_ENOMEM;
    (void)input_fail(in, e->code == KEER_ECONFLICT ? KEER_ESYNTAX : e->code, "%s%s", too_much ? "" : "not JSON: ", e->text);
    if (!too_much)
        input_hint(in, "%s",
                   e->code == KEER_ERANGE      ? "write a number this large as a text, in quotes"
                   : e->code == KEER_ECONFLICT ? "a key may stand in an object once"
                                               : ONE_OBJECT);
    return bad_at(in, e->at);
}

static enum input_result parse(struct input *in)
{
    static const struct tape_limits limits = {
        .bytes = LIMIT_LINE_BYTES, .values = LIMIT_LINE_BYTES, .depth = LIMIT_JSON_DEPTH, .keys = LIMIT_JSON_KEYS};
    struct tape_error error;
    if (tape_read(&in->tape, in->record, &limits, &error) != KEER_OK)
        return not_json(in, &error);
    if (tape_type(&in->tape, 0) == TAPE_OBJECT)
        return INPUT_EVENT;
    (void)input_fail(in, KEER_ETYPE, "not a JSON object");
    input_hint(in, ONE_OBJECT);
    return bad_at(in, tape_at(&in->tape, 0));
}

/* --- values -------------------------------------------------------------------------------------------------- */

enum found { FOUND_TEXT = 1, FOUND_INTEGER = 2, FOUND_REAL = 4, FOUND_TRUTH = 8, FOUND_NEST = 16 };

static const struct {
    enum found found;
    const char *name;
} kinds_of_value[TAPE_TYPE_MAX] = {
    [TAPE_OBJECT] = {FOUND_NEST, "an object"},
    [TAPE_ARRAY] = {FOUND_NEST, "an array"},
    [TAPE_STRING] = {FOUND_TEXT, "a text"},
    [TAPE_INTEGER] = {FOUND_INTEGER, "an integer"},
    [TAPE_REAL] = {FOUND_REAL, "a number with decimals"},
    [TAPE_NAN] = {FOUND_NEST, "NaN"}, /* not allowed here */
    [TAPE_TRUE] = {FOUND_TRUTH, "true"},
    [TAPE_FALSE] = {FOUND_TRUTH, "false"},
    [TAPE_NULL] = {FOUND_NEST, "null"},
};

/* What a step takes by name, and what that is called. A text attribute may be an integer: ids often are. */
static unsigned accepted(const struct step *s, const char **ret_want)
{
    static const struct {
        unsigned found;
        const char *want;
    } kinds[STEP_KIND_MAX] =
        {
            [STEP_ID] = {FOUND_TEXT | FOUND_INTEGER, "a text"},
            [STEP_TIME] = {FOUND_TEXT | FOUND_INTEGER | FOUND_REAL, "a time"},
            [STEP_TYPE] = {FOUND_TEXT, "a text"},
            [STEP_TARGET] = {FOUND_TEXT | FOUND_INTEGER, "a text"},
            [STEP_LABEL] = {FOUND_TRUTH, "true or false"},
            [STEP_SCENARIO] = {FOUND_TEXT | FOUND_INTEGER, "a text"},
            [STEP_CURRENCY] = {FOUND_TEXT, "a text"},
            [STEP_KNOWN] = {FOUND_TEXT | FOUND_INTEGER | FOUND_REAL, "a time"},
        },
      types[KEER_ATTR_TYPE_MAX] = {
          [KEER_TEXT] = {FOUND_TEXT | FOUND_INTEGER, "a text"},
          [KEER_NUMBER] = {FOUND_INTEGER | FOUND_REAL, "a number"},
          [KEER_BOOLEAN] = {FOUND_TRUTH, "true or false"},
          [KEER_MONEY] = {FOUND_TEXT | FOUND_INTEGER | FOUND_REAL,
                          "an integer of minor units"}, /* a real is told what it should be */
          [KEER_IP] = {FOUND_TEXT, "an IP address as a text"},
      };
    *ret_want = s->kind == STEP_ATTR ? types[s->attr_type].want : kinds[s->kind].want;
    return s->kind == STEP_ATTR ? types[s->attr_type].found : kinds[s->kind].found;
}

static enum keer_err wrong_kind(struct input *in, const struct step *s, enum tape_type type, unsigned takes,
                                const char *want)
{
    enum found found = kinds_of_value[type].found;
    (void)input_fail(in, KEER_ETYPE, "%.*s: found %s, expected %s", SLICE_ARG(s->name), kinds_of_value[type].name, want);
    if (found == FOUND_TEXT)
        input_hint(in, "write it without quotes");
    else if (found != FOUND_NEST && (takes & FOUND_TEXT) && !(takes & FOUND_REAL))
        input_hint(in, "write it in quotes");
    in->blame = s;
    return KEER_ETYPE;
}

/* Value v of the tape becomes that of step i. A number is the text that it was written as: money stays exact, and 57.0 does
 * not pass for 57 minor units. */
static enum keer_err take_value(struct input *in, unsigned i, uint32_t v)
{
    const struct step *s = &in->steps[i];
    struct value *out = &in->values[i];
    const char *want = "a text, a number, true or false";
    enum tape_type type = tape_type(&in->tape, v);
    in->filled[i / 64] |= (uint64_t)1 << i % 64;
    out->at = tape_at(&in->tape, v);
    if (type == TAPE_NULL)
        return KEER_OK;
    enum found found = kinds_of_value[type].found;
    unsigned takes = in->mapping ? FOUND_TEXT | FOUND_INTEGER | FOUND_REAL | FOUND_TRUTH : accepted(s, &want);
    if (!(found & takes))
        return wrong_kind(in, s, type, takes, want);
    out->major = found == FOUND_TEXT && !in->mapping;
    out->text = tape_text(&in->tape, v);
    if (type == TAPE_INTEGER && slice_eq(out->text, SLICE("-0")))
        out->text = SLICE("0");
    return KEER_OK;
}

/* The value at a dotted path. */
static uint32_t path_find(const struct tape *t, struct slice path)
{
    uint32_t v = 0;
    do
        v = tape_member(t, v, slice_cut(&path, '.'));
    while (v != TAPE_NONE && path.p);
    return v;
}

static enum input_result take_by_mapping(struct input *in)
{
    for (unsigned i = 0; i < in->step_count; i++) {
        const struct step *s = &in->steps[i];
        if (s->constant) {
            in->filled[i / 64] |= (uint64_t)1 << i % 64;
            continue;
        }
        uint32_t v = path_find(&in->tape, s->source);
        if (v != TAPE_NONE && take_value(in, i, v) != KEER_OK)
            return bad_at(in, in->values[i].at);
    }
    return INPUT_EVENT;
}

static enum input_result unknown_member(struct input *in, struct slice nest, struct slice key, size_t at)
{
    char shown[SHOWN_BYTES];
    struct slice best = plan_nearest(in, key);
    (void)input_fail(in, KEER_EINVALID, "%s means nothing here", input_shown(key, shown));
    if (best.p && slice_eq(best, key))
        input_hint(in, "it stands in the event itself, not in '%.*s'", SLICE_ARG(nest));
    else if (best.p)
        input_hint(in, "did you mean '%.*s'?", SLICE_ARG(best));
    else
        input_hint(in, "an attribute of your own is declared in the policy: attribute NAME text");
    return bad_at(in, at);
}

/* plan_step_named, but for the n-th key of an event: records of one source have the same keys in the same order. */
static uint8_t step_named(struct input *in, unsigned n, struct slice key)
{
    if (n >= ARRAY_LEN(in->shape))
        return plan_step_named(in, key);
    if (in->shape[n] >= in->step_count || !slice_eq(in->steps[in->shape[n]].source, key))
        in->shape[n] = plan_step_named(in, key);
    return in->shape[n];
}

/* The members of an object by their names; in `nest`, 'attributes' or 'custom', only attributes stand. */
static enum input_result take_by_name(struct input *in, uint32_t object, struct slice nest)
{
    const struct tape *t = &in->tape;
    unsigned n = 0;
    uint32_t v;
    for (uint32_t k = object + 1; k < t->v[object].next; k = t->v[v].next, n++) {
        v = k + 1;
        struct slice key = tape_text(t, k);
        if (!nest.p && tape_type(t, v) == TAPE_OBJECT &&
            (slice_eq(key, SLICE("attributes")) || slice_eq(key, SLICE("custom")))) {
            enum input_result r = take_by_name(in, v, key);
            if (r != INPUT_EVENT)
                return r;
            continue;
        }
        uint8_t i = nest.p ? plan_step_named(in, key) : step_named(in, n, key);
        if (i != STEP_NONE && nest.p && in->steps[i].kind != STEP_ATTR)
            i = STEP_NONE;
        if (i == STEP_NONE) {
            if (in->strict)
                return unknown_member(in, nest, key, tape_at(t, v));
            continue;
        }
        if (in->values[i].text.p) {
            (void)input_fail(in, KEER_ECONFLICT, "%.*s: given twice", SLICE_ARG(key));
            input_hint(in, "once in the event itself, or once in 'attributes' or 'custom'");
            return bad_at(in, tape_at(t, v));
        }
        if (take_value(in, i, v) != KEER_OK)
            return bad_at(in, in->values[i].at);
    }
    return INPUT_EVENT;
}

/* Forgets the values of the record before. */
static void clear_values(struct input *in)
{
    for (unsigned w = 0; w < STEP_WORDS; w++) {
        for (uint64_t left = in->filled[w]; left; left &= left - 1)
            in->values[64 * w + (unsigned)__builtin_ctzll(left)] = (struct value){0};
        in->filled[w] = 0;
    }
}

enum input_result ndjson_record(struct input *in, struct keer_event *ev)
{
    enum input_result r = parse(in);
    if (r != INPUT_EVENT)
        return r;
    clear_values(in);
    r = in->mapping ? take_by_mapping(in) : take_by_name(in, 0, (struct slice){NULL, 0});
    if (r != INPUT_EVENT || event_fill(in, ev) == KEER_OK)
        return r;
    return bad_at(in, in->blame ? in->values[in->blame - in->steps].at : 0);
}
