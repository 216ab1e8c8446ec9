/* event.c - schemas, and events that are filled for them. */
#include "core/event.h"

#include <math.h>

#include "base/num.h"

static const struct {
    const char *name;
    enum keer_attr_type type;
    bool fold;
    const char *doc;
} known_attrs[] = {
#define KEER_ATTRIBUTE(name, type, fold, doc) {#name, KEER_##type, fold, doc},
#include <keer/attributes.def>
#undef KEER_ATTRIBUTE
};

enum event_kind { KIND_DECIDE, KIND_LABEL };
static const struct {
    const char *name;
    enum event_kind kind;
    const char *doc;
} known_events[] = {
#define KEER_EVENT(name, kind, doc) {#name, KIND_##kind, doc},
#include <keer/events.def>
#undef KEER_EVENT
};
static_assert(ARRAY_LEN(known_events) == KEER_EVENT_MAX, "one row for each type of event");
static_assert(KEER_EVENT_MAX < EVENT_TYPES_MAX, "room for custom types");

bool attr_known_row(unsigned i, struct keer_attr *ret_attr, const char **ret_doc)
{
    if (i >= ARRAY_LEN(known_attrs))
        return false;
    *ret_attr = (struct keer_attr){slice_str(known_attrs[i].name), known_attrs[i].type, known_attrs[i].fold};
    *ret_doc = known_attrs[i].doc;
    return true;
}

bool event_known_row(unsigned i, const char **ret_name, bool *ret_label, const char **ret_doc)
{
    if (i >= ARRAY_LEN(known_events))
        return false;
    *ret_name = known_events[i].name;
    *ret_label = known_events[i].kind == KIND_LABEL;
    *ret_doc = known_events[i].doc;
    return true;
}

const char *attr_type_name(enum keer_attr_type type)
{
    static const char *const names[] = {[KEER_TEXT] = "text",
                                        [KEER_NUMBER] = "number",
                                        [KEER_BOOLEAN] = "boolean",
                                        [KEER_MONEY] = "money",
                                        [KEER_IP] = "ip"};
    static_assert(ARRAY_LEN(names) == KEER_ATTR_TYPE_MAX, "one name for each type");
    ASSERT((unsigned)type < KEER_ATTR_TYPE_MAX);
    return names[type];
}

enum keer_err schema_init(struct keer_schema *s, struct hash_key key)
{
    *s = (struct keer_schema){.key = key};
    arena_init(&s->arena, (size_t)1 << 20);
    for (unsigned t = 0; t < KEER_EVENT_MAX; t++)
        s->types[t] = slice_str(known_events[t].name);
    s->type_count = KEER_EVENT_MAX;
    return KEER_OK;
}

void schema_release(struct keer_schema *s)
{
    arena_release(&s->arena);
    *s = (struct keer_schema){0};
}

int keer_schema_find(const struct keer_schema *s, const char *name, size_t len)
{
    for (unsigned i = 0; i < s->count; i++)
        if (slice_eq(s->attrs[i].name, slice_of(name, len)))
            return (int)i;
    return -1;
}

int keer_schema_count(const struct keer_schema *s) { return (int)s->count; }

const char *keer_schema_name(const struct keer_schema *s, int slot)
{
    return slot >= 0 && (unsigned)slot < s->count ? s->attrs[slot].name.p : NULL;
}

enum keer_attr_type keer_schema_type(const struct keer_schema *s, int slot)
{
    return slot >= 0 && (unsigned)slot < s->count ? s->attrs[slot].type : KEER_ATTR_TYPE_MAX;
}

int keer_schema_event_type(const struct keer_schema *s, const char *name, size_t len)
{
    struct slice n = slice_of(name, len);
    for (unsigned t = 0; t < s->type_count; t++)
        if (t != KEER_EVENT_other && slice_eq(s->types[t], n))
            return (int)t;
    bool custom = len > 7 && len <= LIMIT_NAME_BYTES && memcmp(name, "custom.", 7) == 0;
    return custom ? (int)KEER_EVENT_other : -1;
}

enum keer_err schema_add(struct keer_schema *s, struct slice name, enum keer_attr_type type, bool fold, unsigned *ret_slot)
{
    int found = keer_schema_find(s, name.p, name.len);
    if (found >= 0) {
        if (s->attrs[found].type != type)
            return KEER_ECONFLICT;
        *ret_slot = (unsigned)found;
        return KEER_OK;
    }
    if (s->count == LIMIT_ATTRS || name.len > LIMIT_NAME_BYTES)
        return KEER_ELIMIT;
    struct slice copy = arena_copy(&s->arena, name);
    if (!copy.p)
        return KEER_ENOMEM;
    s->attrs[s->count] = (struct keer_attr){copy, type, fold};
    *ret_slot = s->count++;
    return KEER_OK;
}

enum keer_err schema_add_known(struct keer_schema *s, struct slice name, unsigned *ret_slot)
{
    for (size_t i = 0; i < ARRAY_LEN(known_attrs); i++)
        if (slice_eq(slice_str(known_attrs[i].name), name))
            return schema_add(s, name, known_attrs[i].type, known_attrs[i].fold, ret_slot);
    return KEER_EMISSING;
}

enum keer_err schema_add_all(struct keer_schema *s)
{
    for (size_t i = 0; i < ARRAY_LEN(known_attrs); i++) {
        unsigned slot;
        enum keer_err err = schema_add_known(s, slice_str(known_attrs[i].name), &slot);
        if (err != KEER_OK)
            return err;
    }
    return KEER_OK;
}

enum keer_err schema_add_type(struct keer_schema *s, struct slice name, unsigned *ret_type)
{
    int known = keer_schema_event_type(s, name.p, name.len);
    if (known < 0)
        return KEER_EMISSING;
    if ((unsigned)known != KEER_EVENT_other) {
        *ret_type = (unsigned)known;
        return KEER_OK;
    }
    if (s->type_count == EVENT_TYPES_MAX)
        return KEER_ELIMIT;
    struct slice copy = arena_copy(&s->arena, name);
    if (!copy.p)
        return KEER_ENOMEM;
    s->types[s->type_count] = copy;
    *ret_type = s->type_count++;
    return KEER_OK;
}

bool event_type_is_label(unsigned type) { return type < KEER_EVENT_MAX && known_events[type].kind == KIND_LABEL; }

struct slice event_type_name(const struct keer_schema *s, unsigned type)
{
    ASSERT(type < s->type_count);
    return s->types[type];
}

size_t event_size(const struct keer_schema *s) { return sizeof(struct keer_event) + s->count * sizeof(struct keer_value); }

void event_init(struct keer_event *e, const struct keer_schema *s)
{
    memset(e, 0, event_size(s));
    e->schema = s;
}

enum keer_err keer_event_new(const struct keer_schema *s, struct keer_event **ret_event)
{
    struct keer_event *e = malloc(event_size(s));
    if (!e)
        return KEER_ENOMEM;
    event_init(e, s);
    *ret_event = e;
    return KEER_OK;
}

void keer_event_free(struct keer_event *e) { free(e); }

void keer_event_reset(struct keer_event *e)
{
    const struct keer_schema *s = e->schema;
    memset(e, 0, sizeof *e); /* values are dead once `present` is 0 */
    e->schema = s;
}

enum keer_err keer_event_set_id(struct keer_event *e, const char *id, size_t len)
{
    if (len == 0)
        return KEER_EMISSING;
    if (len > LIMIT_TEXT_BYTES)
        return KEER_ELIMIT;
    e->id = slice_of(id, len);
    e->id_hash = hash_bytes(e->schema->key, id, len);
    return KEER_OK;
}

enum keer_err keer_event_set_time(struct keer_event *e, int64_t time_us)
{
    if (time_us < US_TIME_MIN || time_us > US_TIME_MAX)
        return KEER_ERANGE;
    e->time_us = time_us;
    e->has_time = true;
    return KEER_OK;
}

enum keer_err keer_event_set_type(struct keer_event *e, int type)
{
    if (type < 0 || (unsigned)type >= e->schema->type_count)
        return KEER_EINVALID;
    e->type = (uint32_t)type;
    e->has_type = true;
    return KEER_OK;
}

static enum keer_err slot_check(const struct keer_event *e, int slot, enum keer_attr_type a, enum keer_attr_type b)
{
    if (slot < 0 || (unsigned)slot >= e->schema->count)
        return KEER_EINVALID;
    enum keer_attr_type have = e->schema->attrs[slot].type;
    return have == a || have == b ? KEER_OK : KEER_ETYPE;
}

enum keer_err keer_event_set_text(struct keer_event *e, int slot, const char *text, size_t len)
{
    enum keer_err err = slot_check(e, slot, KEER_TEXT, KEER_IP);
    if (err != KEER_OK)
        return err;
    if (len > LIMIT_TEXT_BYTES)
        return KEER_ELIMIT;
    if (len == 0)
        return KEER_OK;
    struct keer_value *v = &e->v[slot];
    v->x.text = text;
    v->len = len;
    v->u.hash = e->schema->attrs[slot].fold ? hash_folded(e->schema->key, slice_of(text, len))
                                            : hash_bytes(e->schema->key, text, len);
    e->present |= (uint64_t)1 << slot;
    return KEER_OK;
}

enum keer_err keer_event_set_number(struct keer_event *e, int slot, double v)
{
    enum keer_err err = slot_check(e, slot, KEER_NUMBER, KEER_NUMBER);
    if (err != KEER_OK)
        return err;
    if (!isfinite(v))
        return KEER_ERANGE;
    e->v[slot].u.number = v + 0.0; /* -0.0 + 0.0 is 0.0 */
    e->present |= (uint64_t)1 << slot;
    return KEER_OK;
}

enum keer_err keer_event_set_boolean(struct keer_event *e, int slot, int v)
{
    enum keer_err err = slot_check(e, slot, KEER_BOOLEAN, KEER_BOOLEAN);
    if (err != KEER_OK)
        return err;
    e->v[slot].u.number = v ? 1 : 0;
    e->present |= (uint64_t)1 << slot;
    return KEER_OK;
}

enum keer_err keer_event_set_money(struct keer_event *e, int slot, int64_t minor, const char *currency)
{
    enum keer_err err = slot_check(e, slot, KEER_MONEY, KEER_MONEY);
    if (err != KEER_OK)
        return err;
    enum currency c = currency ? currency_parse(slice_str(currency)) : CUR_XXX;
    if (c == CUR_MAX)
        return KEER_EFORMAT;
    if (minor <= -NUM_EXACT_MAX || minor >= NUM_EXACT_MAX)
        return KEER_ERANGE;
    e->v[slot].u.minor = minor;
    e->v[slot].x.currency = c;
    e->present |= (uint64_t)1 << slot;
    return KEER_OK;
}

enum keer_err keer_event_set_label(struct keer_event *e, enum keer_label label, int64_t known_us)
{
    if ((unsigned)label >= KEER_LABEL_MAX)
        return KEER_EINVALID;
    if (known_us < US_TIME_MIN || known_us > US_TIME_MAX)
        return KEER_ERANGE;
    e->label = label;
    e->label_known_us = known_us;
    return KEER_OK;
}

enum keer_err keer_event_set_target(struct keer_event *e, const char *id, size_t len)
{
    if (len == 0)
        return KEER_EMISSING;
    if (len > LIMIT_TEXT_BYTES)
        return KEER_ELIMIT;
    e->target = hash_bytes(e->schema->key, id, len);
    e->has_target = true;
    return KEER_OK;
}

enum keer_err event_check(const struct keer_event *e, const char **ret_what)
{
    const char *what = e->id.len == 0 ? "id" : !e->has_time ? "time" : !e->has_type ? "type" : NULL;
    if (!what && event_type_is_label(e->type)) {
        if (e->type == KEER_EVENT_label && !e->has_target)
            what = "target";
        else if (e->type == KEER_EVENT_label && e->label == KEER_LABEL_NONE)
            what = "fraud";
    }
    if (!what)
        return KEER_OK;
    *ret_what = what;
    return KEER_EMISSING;
}
