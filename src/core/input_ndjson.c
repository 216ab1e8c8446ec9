/* input_ndjson.c - a line of JSON into values; jansson parses, and the text itself is looked at only to place an error. */
#include "core/input_inside.h"

/* Nesting is checked before jansson sees the text: it recurses, and it would build the whole tree first. */
static enum keer_err check_depth(struct input *in)
{
    struct slice r = in->record;
    unsigned depth = 0;
    for (size_t i = 0; i < r.len; i++) {
        char c = r.p[i];
        if (c == '"') {
            for (i++; i < r.len && r.p[i] != '"'; i++)
                i += r.p[i] == '\\';
        } else if (c == '{' || c == '[') {
            if (++depth > LIMIT_JSON_DEPTH) {
                (void)input_fail(in, KEER_ELIMIT, "nested more than %d deep", LIMIT_JSON_DEPTH);
                input_place(in, i);
                return KEER_ELIMIT;
            }
        } else if (c == '}' || c == ']') {
            depth -= depth > 0;
        }
    }
    return KEER_OK;
}

static enum keer_err parse(struct input *in)
{
    json_error_t error;
    json_decref(in->root);
    in->root = NULL;
    enum keer_err err = check_depth(in);
    if (err != KEER_OK)
        return err;
    in->root = json_loadb(in->record.p, in->record.len, JSON_REJECT_DUPLICATES, &error);
    if (!in->root) {
        enum json_error_code code = json_error_code(&error);
        bool nomem = code == json_error_out_of_memory || error.text[0] == '\0';
        err = nomem ? KEER_ENOMEM : code == json_error_numeric_overflow ? KEER_ERANGE : KEER_ESYNTAX;
        (void)input_fail(in, err, nomem ? "out of memory" : "not JSON: %s", error.text);
        input_hint(in, "%s",
                   code == json_error_numeric_overflow ? "write a number this large as a text, in quotes"
                   : code == json_error_duplicate_key  ? "a key may stand in an object once"
                                                       : "one JSON object on each line, such as {\"id\":\"p1\",...}");
        size_t at = error.position > 0 ? (size_t)error.position - 1 : 0; /* of the last byte of the wrong token */
        input_place(in, MIN_OF(at, in->record.len));
        return err;
    }
    if (!json_is_object(in->root)) {
        (void)input_fail(in, KEER_ETYPE, "not a JSON object");
        input_hint(in, "one JSON object on each line, such as {\"id\":\"p1\",...}");
        input_place(in, 0);
        return KEER_ETYPE;
    }
    return KEER_OK;
}

/* --- where a member stands: for errors only; the text is known to be JSON ---------------------------------------- */

static size_t skip_string(struct slice r, size_t i)
{
    for (i++; i < r.len && r.p[i] != '"'; i++)
        i += r.p[i] == '\\';
    return i + 1;
}

static size_t skip_space(struct slice r, size_t i)
{
    while (i < r.len && (ascii_space(r.p[i]) || r.p[i] == ','))
        i++;
    return i;
}

static size_t skip_value(struct slice r, size_t i)
{
    unsigned depth = 0;
    do {
        if (i < r.len && r.p[i] == '"') {
            i = skip_string(r, i);
            continue;
        }
        if (i < r.len && (r.p[i] == '{' || r.p[i] == '['))
            depth++;
        if (i < r.len && (r.p[i] == '}' || r.p[i] == ']')) {
            if (depth == 0) /* of the object around it: a number, true, false or null ends here */
                return i;
            depth--;
        }
        i++;
    } while (i < r.len && (depth > 0 || (r.p[i] != ',' && r.p[i] != '}')));
    return i;
}

/* Offset of the value of `key` in the object that begins at `i`; SIZE_MAX. A key that is written with escapes is not found.
 */
static size_t member_at(struct slice r, size_t i, struct slice key)
{
    i = skip_space(r, i);
    if (i >= r.len || r.p[i] != '{')
        return SIZE_MAX;
    for (i = skip_space(r, i + 1); i < r.len && r.p[i] == '"'; i = skip_space(r, i)) {
        size_t end = skip_string(r, i);
        struct slice name = slice_of(r.p + i + 1, end >= i + 2 ? MIN_OF(end, r.len) - i - 2 : 0);
        i = skip_space(r, end);
        if (i < r.len && r.p[i] == ':')
            i = skip_space(r, i + 1);
        if (slice_eq(name, key))
            return i;
        i = skip_value(r, i);
    }
    return SIZE_MAX;
}

static size_t path_at(struct slice r, struct slice path)
{
    size_t i = 0;
    while (i != SIZE_MAX && path.p)
        i = member_at(r, i, slice_cut(&path, '.'));
    return i;
}

/* Places the error at the value of `key`; `nest` names the object around it, or is empty when that is not known. */
static enum input_result bad_member(struct input *in, struct slice nest, struct slice key)
{
    const struct slice nests[] = {nest, SLICE("attributes"), SLICE("custom")};
    size_t at = nest.p ? SIZE_MAX : in->mapping ? path_at(in->record, key) : member_at(in->record, 0, key);
    for (size_t i = 0; at == SIZE_MAX && i < ARRAY_LEN(nests) && !in->mapping; i++) {
        size_t around = nests[i].p ? member_at(in->record, 0, nests[i]) : SIZE_MAX;
        at = around == SIZE_MAX ? around : member_at(in->record, around, key);
    }
    input_place(in, at == SIZE_MAX ? 0 : at);
    return INPUT_BAD;
}
#define NOT_NESTED ((struct slice){NULL, 0})

/* --- values -------------------------------------------------------------------------------------------------- */

enum found { FOUND_TEXT = 1, FOUND_INTEGER = 2, FOUND_REAL = 4, FOUND_TRUTH = 8, FOUND_NEST = 16 };

static enum found kind_of(const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_STRING: return FOUND_TEXT;
    case JSON_INTEGER: return FOUND_INTEGER;
    case JSON_REAL: return FOUND_REAL;
    case JSON_TRUE:
    case JSON_FALSE: return FOUND_TRUTH;
    case JSON_OBJECT:
    case JSON_ARRAY:
    case JSON_NULL: break;
    }
    return FOUND_NEST;
}

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

static const char *found_name(const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "an array";
    case JSON_STRING: return "a text";
    case JSON_INTEGER: return "an integer";
    case JSON_REAL: return "a number with decimals";
    case JSON_TRUE: return "true";
    case JSON_FALSE: return "false";
    case JSON_NULL: break;
    }
    return "null";
}

/* A number as text, kept until the next record. A real keeps its point: 57.0 must not pass for 57 minor units. */
static struct slice number_text(struct input *in, unsigned step, const json_t *v)
{
    buf_clear(&in->number);
    if (json_is_integer(v)) {
        buf_i64(&in->number, json_integer_value(v));
    } else {
        buf_f64(&in->number, json_real_value(v));
        struct slice t = buf_view(&in->number);
        if (t.p && !memchr(t.p, '.', t.len) && !memchr(t.p, 'e', t.len))
            buf_puts(&in->number, ".0");
    }
    size_t n = MIN_OF(in->number.len, sizeof in->numbers[0] - 1);
    if (in->number.err != KEER_OK)
        return (struct slice){NULL, 0};
    memcpy(in->numbers[step], in->number.p, n);
    return slice_of(in->numbers[step], n);
}

/* The value of step i becomes a text. */
static enum keer_err take_value(struct input *in, unsigned i, const json_t *v)
{
    const struct step *s = &in->steps[i];
    struct value *out = &in->values[i];
    const char *want = "a text, a number, true or false";
    if (json_is_null(v))
        return KEER_OK;
    enum found found = kind_of(v);
    unsigned takes = in->mapping ? FOUND_TEXT | FOUND_INTEGER | FOUND_REAL | FOUND_TRUTH : accepted(s, &want);
    if (!(found & takes)) {
        (void)input_fail(in, KEER_ETYPE, "%.*s: found %s, expected %s", SLICE_ARG(s->name), found_name(v), want);
        if (found == FOUND_TEXT)
            input_hint(in, "write it without quotes");
        else if (found != FOUND_NEST && (takes & FOUND_TEXT) && !(takes & FOUND_REAL))
            input_hint(in, "write it in quotes");
        in->blame = s;
        return KEER_ETYPE;
    }
    out->major = found == FOUND_TEXT && !in->mapping;
    if (found == FOUND_TEXT)
        out->text = slice_of(json_string_value(v), json_string_length(v));
    else if (found == FOUND_TRUTH)
        out->text = json_is_true(v) ? SLICE("true") : SLICE("false");
    else
        out->text = number_text(in, i, v);
    return out->text.p ? KEER_OK : input_fail(in, KEER_ENOMEM, "out of memory");
}

/* The value at a dotted path, or NULL. */
static const json_t *path_get(const json_t *root, struct slice path)
{
    while (root && path.p) {
        struct slice key = slice_cut(&path, '.');
        root = json_object_getn(root, key.p, key.len); /* NULL when root is no object */
    }
    return root;
}

static enum input_result take_by_mapping(struct input *in)
{
    for (unsigned i = 0; i < in->step_count; i++) {
        const struct step *s = &in->steps[i];
        const json_t *v = s->constant ? NULL : path_get(in->root, s->source);
        if (v && take_value(in, i, v) != KEER_OK)
            return bad_member(in, NOT_NESTED, s->source);
    }
    return INPUT_EVENT;
}

static enum input_result unknown_member(struct input *in, struct slice nest, struct slice key)
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
    return bad_member(in, nest, key);
}

/* The members of an object by their names; in `nest`, 'attributes' or 'custom', only attributes stand. */
static enum input_result take_by_name(struct input *in, json_t *object, struct slice nest)
{
    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        struct slice key = slice_of(json_object_iter_key(at), json_object_iter_key_len(at));
        json_t *v = json_object_iter_value(at);
        if (!nest.p && json_is_object(v) && (slice_eq(key, SLICE("attributes")) || slice_eq(key, SLICE("custom")))) {
            enum input_result r = take_by_name(in, v, key);
            if (r != INPUT_EVENT)
                return r;
            continue;
        }
        uint8_t i = plan_step_named(in, key);
        if (i != STEP_NONE && nest.p && in->steps[i].kind != STEP_ATTR)
            i = STEP_NONE;
        if (i == STEP_NONE) {
            if (in->strict)
                return unknown_member(in, nest, key);
            continue;
        }
        if (in->values[i].text.p) {
            (void)input_fail(in, KEER_ECONFLICT, "%.*s: given twice", SLICE_ARG(key));
            input_hint(in, "once in the event itself, or once in 'attributes' or 'custom'");
            return bad_member(in, nest, key);
        }
        if (take_value(in, i, v) != KEER_OK)
            return bad_member(in, nest, key);
    }
    return INPUT_EVENT;
}

enum input_result ndjson_record(struct input *in, struct keer_event *ev)
{
    if (parse(in) != KEER_OK)
        return INPUT_BAD;
    memset(in->values, 0, in->step_count * sizeof in->values[0]);
    enum input_result r = in->mapping ? take_by_mapping(in) : take_by_name(in, in->root, NOT_NESTED);
    if (r != INPUT_EVENT)
        return r;
    if (event_fill(in, ev) == KEER_OK)
        return INPUT_EVENT;
    return bad_member(in, NOT_NESTED, in->blame ? in->blame->source : (struct slice){NULL, 0});
}
