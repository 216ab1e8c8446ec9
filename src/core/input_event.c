/* input_event.c - the plan of an input, and how a text becomes a part of an event. */
#include "base/num.h"
#include "core/input_inside.h"

/* --- the plan ------------------------------------------------------------------------------------------------ */

static struct step *add_step(struct input *in, enum step_kind kind, struct slice name, struct slice source)
{
    ASSERT(in->step_count < STEPS_MAX);
    struct step *s = &in->steps[in->step_count++];
    *s = (struct step){.kind = kind,
                       .slot = -1,
                       .aux = STEP_NONE,
                       .currency = CUR_MAX,
                       .const_type = -1,
                       .column = -1,
                       .name = name,
                       .source = source};
    return s;
}

static size_t name_cell(struct slice name)
{
    uint64_t h = name.len;
    for (size_t i = 0; i < name.len; i++)
        h = (h ^ (unsigned char)name.p[i]) * 0x100000001B3u;
    return hash_mix(h) % NAME_CELLS;
}

uint8_t plan_step_named(const struct input *in, struct slice name)
{
    for (size_t c = name_cell(name); in->names[c].name.p; c = (c + 1) % NAME_CELLS)
        if (slice_eq(in->names[c].name, name))
            return in->names[c].step;
    return STEP_NONE;
}

struct slice plan_nearest(const struct input *in, struct slice name)
{
    struct slice best = {NULL, 0};
    for (unsigned i = 0; i < in->step_count; i++)
        nearest_word(name, in->steps[i].source, &best);
    return best;
}

void plan_by_name(struct input *in)
{
    static const struct {
        const char *name;
        enum step_kind kind;
    } rows[] = {
#define KEER_PART(name, step, form, required, doc) {#name, STEP_##step},
#include <keer/parts.def>
#undef KEER_PART
    };
    uint8_t currency = STEP_NONE, label = STEP_NONE;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct slice name = slice_str(rows[i].name);
        uint8_t number = (uint8_t)in->step_count;
        (void)add_step(in, rows[i].kind, name, name);
        label = rows[i].kind == STEP_LABEL ? number : label;
        currency = rows[i].kind == STEP_CURRENCY ? number : currency;
        if (rows[i].kind == STEP_KNOWN)
            in->steps[label].aux = number;
    }
    for (unsigned a = 0; a < in->schema->count; a++) {
        struct slice name = in->schema->attrs[a].name;
        struct step *s = add_step(in, STEP_ATTR, name, name);
        s->slot = (int)a;
        s->attr_type = in->schema->attrs[a].type;
        s->minor = s->attr_type == KEER_MONEY;
        s->aux = s->minor ? currency : STEP_NONE;
    }
    for (unsigned i = 0; i < in->step_count; i++) {
        if (plan_step_named(in, in->steps[i].source) != STEP_NONE)
            continue; /* an attribute that is called like a part of the event: the part has the name */
        size_t c = name_cell(in->steps[i].source);
        while (in->names[c].name.p)
            c = (c + 1) % NAME_CELLS;
        in->names[c] = (struct name_cell){in->steps[i].source, (uint8_t)i};
    }
}

static enum keer_err mapping_misfit(struct input *in, const struct map_entry *e, const char *what, const char *hint)
{
    (void)input_fail(in, KEER_ETYPE, "%.*s: %s", SLICE_ARG(e->name), what);
    input_hint(in, "%s", hint);
    in->err->line = e->line;
    in->err->column = e->column;
    return KEER_ETYPE;
}

static enum keer_err add_attribute(struct input *in, const struct map_entry *e, struct step **ret_step)
{
    int slot = keer_schema_find(in->schema, e->name.p, e->name.len);
    if (slot < 0)
        return KEER_OK; /* the policy doesn't need it */
    enum keer_attr_type type = in->schema->attrs[slot].type;
    if (type == KEER_MONEY && !e->money)
        return mapping_misfit(in, e, "an amount of money needs a currency",
                              "COLUMN EUR (decimal), COLUMN minor EUR (cents), or: COLUMN in CURRENCY_COLUMN");
    if (type != KEER_MONEY && e->money)
        return mapping_misfit(in, e, "is no money in the policy, but the mapping names a currency",
                              "leave the currency out");
    struct step *s = add_step(in, STEP_ATTR, e->name, e->source);
    s->slot = slot;
    s->attr_type = type;
    s->minor = e->minor;
    s->currency = e->currency;
    *ret_step = s;
    return KEER_OK;
}

static void add_aux(struct input *in, struct step *s, enum step_kind kind, const struct map_entry *e, struct slice source)
{
    if (!source.p)
        return;
    s->aux = (uint8_t)in->step_count;
    struct step *aux = add_step(in, kind, e->name, source);
    aux->map_line = e->line;
    aux->must = kind == STEP_CURRENCY;
}

enum keer_err plan_by_mapping(struct input *in)
{
    static const enum step_kind kinds[] = {
        [MAP_ID] = STEP_ID,         [MAP_TIME] = STEP_TIME,   [MAP_TYPE] = STEP_TYPE,
        [MAP_TARGET] = STEP_TARGET, [MAP_LABEL] = STEP_LABEL, [MAP_SCENARIO] = STEP_SCENARIO};
    const struct map_entry *time = mapping_find(in->mapping, SLICE("time"));
    for (unsigned i = 0; i < in->mapping->count; i++) {
        const struct map_entry *e = &in->mapping->entries[i];
        struct step *s = NULL;
        if (e->role == MAP_ATTR) {
            enum keer_err err = add_attribute(in, e, &s);
            if (err != KEER_OK)
                return err;
            if (!s)
                continue;
        } else {
            s = add_step(in, kinds[e->role], e->name, e->source);
        }
        s->constant = e->constant;
        s->pairs = e->pairs;
        s->map_line = e->line;
        s->known_after_us = e->known_after_us;
        if (s->kind == STEP_TYPE && e->constant)
            s->const_type = keer_schema_event_type(in->schema, e->source.p, e->source.len);
        add_aux(in, s, STEP_CURRENCY, e, e->currency_source);
        add_aux(in, s, STEP_KNOWN, e, e->known_source);
    }
    for (unsigned i = 0; i < in->step_count; i++) { /* a label's time is written like the event's */
        in->steps[i].form = time && time->unit_us ? TIME_SINCE : TIME_ISO;
        in->steps[i].unit_us = time ? time->unit_us : 0;
        in->steps[i].epoch_us = time ? time->epoch_us : 0;
    }
    return KEER_OK;
}

/* --- texts into events --------------------------------------------------------------------------------------- */

/* What is known only when every step is done. */
struct pending {
    enum keer_label label;
    const struct step *label_step;
    bool has_known;
    int64_t known_us;
};

static struct slice translate(const struct step *s, struct slice text)
{
    for (const struct map_pair *p = s->pairs; p; p = p->next)
        if (slice_eq(p->from, text))
            return p->to;
    return text;
}

static enum keer_err wrong(struct input *in, const struct step *s, enum keer_err code, struct slice text, const char *want)
{
    char shown[SHOWN_BYTES];
    in->blame = s;
    return input_fail(in, code, "%.*s: %s is not %s", SLICE_ARG(s->name), input_shown(text, shown), want);
}

static unsigned unit_exponent(int64_t unit_us) { return unit_us == US_SECOND ? 6 : unit_us == 1000 ? 3 : 0; }

/* A number of seconds since 1970; integers from 1e11 on are milliseconds, from 1e14 on microseconds: as seconds those
 * would be the years 5138 and 3 million. */
static enum keer_err epoch_number(struct slice text, int64_t *ret_us)
{
    int64_t v = 0;
    if (num_i64(text, INT64_MIN, INT64_MAX, &v) != KEER_OK)
        return num_scaled(text, 6, ret_us);
    int64_t size = v < 0 ? -(v + 1) : v;
    int64_t unit = size >= 100000000000000 ? 1 : size >= 100000000000 ? 1000 : US_SECOND;
    return __builtin_mul_overflow(v, unit, ret_us) ? KEER_ERANGE : KEER_OK;
}

static enum keer_err read_time(const struct step *s, struct slice text, int64_t *ret_us)
{
    int64_t v = 0;
    enum keer_err err;
    switch (s->form) {
    case TIME_SINCE:
        err = num_scaled(text, unit_exponent(s->unit_us), &v);
        if (err == KEER_OK && __builtin_add_overflow(v, s->epoch_us, ret_us))
            err = KEER_ERANGE;
        return err;
    case TIME_AUTO:
        if (text.len < 5 || text.p[4] != '-')
            return epoch_number(text, ret_us);
        return time_parse(text, ret_us);
    case TIME_ISO: return time_parse(text, ret_us);
    }
    return KEER_EINVALID;
}

static enum keer_err set_time(struct input *in, const struct step *s, struct slice text, struct keer_event *ev,
                              int64_t *ret_us)
{
    int64_t us = 0;
    enum keer_err err = read_time(s, text, &us);
    if (err == KEER_OK && (us < US_TIME_MIN || us > US_TIME_MAX))
        err = KEER_ERANGE;
    if (err == KEER_OK)
        err = ev ? keer_event_set_time(ev, us) : KEER_OK;
    if (err != KEER_OK) {
        (void)wrong(in, s, err, text, "a time");
        if (s->form == TIME_SINCE)
            input_hint(in, "the mapping counts it in %s",
                       s->unit_us == US_SECOND ? "seconds"
                       : s->unit_us == 1000    ? "ms"
                                               : "us");
        else if (s->form == TIME_ISO && read_time(&(struct step){.form = TIME_AUTO}, text, &us) == KEER_OK)
            input_hint(in, "if it counts seconds, say so in the mapping: time %.*s seconds since epoch",
                       SLICE_ARG(s->source));
        else
            input_hint(in, "ISO 8601, such as 2018-04-01T00:00:31Z%s",
                       s->form == TIME_AUTO ? ", or seconds since 1970" : "");
        return err;
    }
    *ret_us = us;
    return KEER_OK;
}

static enum keer_err set_type(struct input *in, const struct step *s, struct slice text, struct keer_event *ev)
{
    if (in->last_type >= 0 && slice_eq(slice_of(in->last_type_text, in->last_type_len), text))
        return keer_event_set_type(ev, in->last_type);
    int type = keer_schema_event_type(in->schema, text.p, text.len);
    if (type < 0) {
        struct slice best = {NULL, 0};
        (void)wrong(in, s, KEER_EINVALID, text, "a type of event");
        for (unsigned t = 0; t < in->schema->type_count; t++)
            if (t != KEER_EVENT_other)
                nearest_word(text, in->schema->types[t], &best);
        if (best.p)
            input_hint(in, "did you mean '%.*s'?", SLICE_ARG(best));
        else
            input_hint(in, "%s",
                       in->mapping ? "translate it in the mapping: type COLUMN { \"X\" = purchase }"
                                   : "a type of your own is written custom.NAME");
        return KEER_EINVALID;
    }
    ASSERT(text.len <= sizeof in->last_type_text);
    memcpy(in->last_type_text, text.p, text.len);
    in->last_type_len = text.len;
    in->last_type = type;
    return keer_event_set_type(ev, type);
}

static enum keer_err read_boolean(struct slice text, bool *ret_v)
{
    bool yes = slice_eq(text, SLICE("1")) || slice_eqi(text, SLICE("true"));
    if (!yes && !slice_eq(text, SLICE("0")) && !slice_eqi(text, SLICE("false")))
        return KEER_ESYNTAX;
    *ret_v = yes;
    return KEER_OK;
}

static enum keer_err set_label(struct input *in, const struct step *s, struct slice text, struct slice known,
                               struct keer_event *ev, struct pending *pending)
{
    bool fraud = false;
    UNUSED(ev);
    if (read_boolean(text, &fraud) != KEER_OK) {
        (void)wrong(in, s, KEER_ESYNTAX, text, "true or false");
        input_hint(in, "%s",
                   in->mapping ? "1, 0, true, false or empty; other words can be translated: label COLUMN { \"fraud\" = 1 }"
                               : "true, false, 1 or 0, or nothing when it is not known");
        return KEER_ESYNTAX;
    }
    pending->label = fraud ? KEER_LABEL_FRAUD : KEER_LABEL_GENUINE;
    pending->label_step = s;
    if (known.len == 0)
        return KEER_OK;
    enum keer_err err = set_time(in, &in->steps[s->aux], known, /* no event */ NULL, &pending->known_us);
    pending->has_known = err == KEER_OK;
    return err;
}

/* "57.16 EUR is 5716", when that is what the text means. */
static void hint_minor(struct input *in, struct slice text, enum currency c)
{
    int64_t minor = 0;
    if (c != CUR_MAX && num_scaled(text, currency_exponent(c), &minor) == KEER_OK && text.len < SHOWN_BYTES)
        input_hint(in, "minor units: %.*s %s is %lld", SLICE_ARG(text), currency_code(c), (long long)minor);
    else
        input_hint(in, "an integer of minor units, such as 5716 for 57.16 EUR");
}

static enum keer_err set_money(struct input *in, const struct step *s, const struct value *v, struct slice text,
                               struct slice currency, struct keer_event *ev)
{
    enum currency c = s->currency;
    bool major = v->major || !s->minor;
    int64_t minor = 0;
    if (currency.len && (c = currency_parse(currency)) == CUR_MAX)
        return wrong(in, &in->steps[s->aux], KEER_EFORMAT, currency, "a currency of ISO 4217");
    if (c == CUR_MAX && (major || (s->aux != STEP_NONE && in->steps[s->aux].must))) {
        in->blame = s;
        (void)input_fail(in, KEER_EMISSING, "%.*s: no currency", SLICE_ARG(s->name));
        input_hint(in, "a decimal amount needs a currency; an integer of minor units may do without");
        return KEER_EMISSING;
    }
    enum keer_err err =
        major ? num_scaled(text, currency_exponent(c), &minor) : num_i64(text, 1 - NUM_EXACT_MAX, NUM_EXACT_MAX - 1, &minor);
    if (err == KEER_OK)
        return keer_event_set_money(ev, s->slot, minor, c == CUR_MAX ? NULL : currency_code(c));
    double number = 0;
    if (!major && err == KEER_ERANGE) {
        (void)wrong(in, s, err, text, "an amount below 2^53 minor units");
    } else if (!major) {
        (void)wrong(in, s, err, text, "an integer");
        hint_minor(in, text, c);
    } else if (err == KEER_ERANGE && num_f64(text, &number) == KEER_OK) {
        (void)wrong(in, s, err, text, "an amount that can be kept exactly");
        input_hint(in, "%s has %u decimals, and amounts stay below 2^53 minor units", currency_code(c),
                   currency_exponent(c));
    } else {
        (void)wrong(in, s, err, text, "an amount");
        input_hint(in, "a decimal number with a point, such as 57.16");
    }
    return err;
}

static enum keer_err setter_failed(struct input *in, const struct step *s, enum keer_err err, struct slice text)
{
    if (err != KEER_ELIMIT)
        return wrong(in, s, err, text, "possible here");
    in->blame = s;
    (void)input_fail(in, err, "%.*s: a text of %zu bytes", SLICE_ARG(s->name), text.len);
    input_hint(in, "at most %d bytes", LIMIT_TEXT_BYTES);
    return err;
}

static enum keer_err set_attribute(struct input *in, const struct step *s, const struct value *v, struct slice text,
                                   struct slice aux, struct keer_event *ev)
{
    enum keer_err err = KEER_OK;
    bool yes = false;
    double number = 0;
    switch (s->attr_type) {
    case KEER_TEXT:
    case KEER_IP:
        err = keer_event_set_text(ev, s->slot, text.p, text.len);
        return err == KEER_OK ? err : setter_failed(in, s, err, text);
    case KEER_NUMBER:
        err = num_f64(text, &number);
        if (err != KEER_OK) {
            (void)wrong(in, s, err, text, "a number");
            input_hint(in, "a decimal number with a point, such as 12.5");
            return err;
        }
        return keer_event_set_number(ev, s->slot, number);
    case KEER_BOOLEAN:
        err = read_boolean(text, &yes);
        if (err != KEER_OK)
            return wrong(in, s, err, text, "true or false");
        return keer_event_set_boolean(ev, s->slot, yes);
    case KEER_MONEY: return set_money(in, s, v, text, aux, ev);
    case KEER_ATTR_TYPE_MAX: break;
    }
    return wrong(in, s, KEER_EINVALID, text, "possible here");
}

static enum keer_err do_step(struct input *in, const struct step *s, const struct value *v, struct keer_event *ev,
                             struct pending *pending)
{
    enum keer_err err = KEER_OK;
    int64_t us = 0;
    if (s->const_type >= 0)
        return keer_event_set_type(ev, s->const_type);
    struct slice text = s->constant ? s->source : v->text;
    if (s->pairs)
        text = translate(s, text);
    if (text.len == 0)
        return KEER_OK;
    struct slice aux = s->aux == STEP_NONE ? (struct slice){NULL, 0} : in->values[s->aux].text;
    switch (s->kind) {
    case STEP_ID: err = keer_event_set_id(ev, text.p, text.len); break;
    case STEP_TARGET: err = keer_event_set_target(ev, text.p, text.len); break;
    case STEP_TIME: return set_time(in, s, text, ev, &us);
    case STEP_TYPE: return set_type(in, s, text, ev);
    case STEP_LABEL: return set_label(in, s, text, aux, ev, pending);
    case STEP_SCENARIO:
        ev->scenario = text;
        err = text.len > LIMIT_TEXT_BYTES ? KEER_ELIMIT : KEER_OK;
        break;
    case STEP_ATTR: return set_attribute(in, s, v, text, aux, ev);
    case STEP_CURRENCY:
    case STEP_KNOWN:
    case STEP_KIND_MAX: break;
    }
    return err == KEER_OK ? err : setter_failed(in, s, err, text);
}

static enum keer_err finish_label(struct input *in, struct keer_event *ev, const struct pending *p)
{
    const struct step *s = p->label_step;
    if (!s)
        return KEER_OK;
    if (event_type_is_label(ev->type) && ev->type != KEER_EVENT_label && p->label == KEER_LABEL_GENUINE) {
        in->blame = s;
        struct slice type = event_type_name(in->schema, ev->type);
        (void)input_fail(in, KEER_EINVALID, "%.*s: false, but a %.*s says that it was fraud", SLICE_ARG(s->name),
                         SLICE_ARG(type));
        input_hint(in, "to say that it was none, send an event of type label");
        return KEER_EINVALID;
    }
    int64_t known = p->has_known ? p->known_us : ev->time_us + s->known_after_us;
    enum keer_err err = known < ev->time_us ? KEER_ERANGE : keer_event_set_label(ev, p->label, known);
    if (err != KEER_OK) {
        in->blame = p->has_known ? &in->steps[s->aux] : s;
        (void)input_fail(in, err, "%.*s: known before the event, or after the year 9999", SLICE_ARG(in->blame->name));
    }
    return err;
}

enum keer_err event_fill(struct input *in, struct keer_event *ev)
{
    struct pending pending = {0};
    enum keer_err err = KEER_OK;
    for (unsigned w = 0; w < STEP_WORDS; w++)
        for (uint64_t left = in->filled[w]; left && err == KEER_OK; left &= left - 1) {
            unsigned i = 64 * w + (unsigned)__builtin_ctzll(left);
            err = do_step(in, &in->steps[i], &in->values[i], ev, &pending);
        }
    if (err != KEER_OK)
        return err;
    err = finish_label(in, ev, &pending);
    if (err != KEER_OK)
        return err;
    const char *what = NULL;
    err = event_check(ev, &what);
    if (err != KEER_OK) {
        in->blame = NULL;
        for (unsigned i = 0; i < in->step_count && !in->blame; i++) {
            const struct step *s = &in->steps[i];
            bool label = s->kind == STEP_LABEL && slice_eq(slice_str(what), SLICE("fraud")); /* 'label' in a mapping */
            if (label || (s->kind != STEP_ATTR && slice_eq(s->name, slice_str(what))))
                in->blame = s;
        }
        (void)input_fail(in, err, "%s: missing", what);
        input_hint(in, "%s",
                   ev->has_type && event_type_is_label(ev->type) ? "a label names its target and says whether it was fraud"
                                                                 : "every event has an id, a time and a type");
    }
    return err;
}
