/* canon.c - the canonical form of a JSON object. */
#include "flow/canon.h"

struct canon {
    const struct tape *t;
    struct buf *out;
    uint32_t keys[LIMIT_JSON_MEMBERS]; /* of the objects that are open, the innermost last */
    unsigned count;
    bool full;
};

static void put_value(struct canon *c, uint32_t i);

/* A key into its place among those from `first` on. Objects of events are small, and mostly in order. */
static void key_sort(struct canon *c, unsigned first, uint32_t key)
{
    unsigned at = c->count++;
    for (; at > first && slice_cmp(tape_text(c->t, c->keys[at - 1]), tape_text(c->t, key)) > 0; at--)
        c->keys[at] = c->keys[at - 1];
    c->keys[at] = key;
}

static void put_object(struct canon *c, uint32_t i)
{
    unsigned first = c->count;
    for (uint32_t k = i + 1; k < c->t->v[i].next && !c->full; k = c->t->v[k + 1].next) {
        c->full = c->count == ARRAY_LEN(c->keys);
        if (!c->full)
            key_sort(c, first, k);
    }
    buf_char(c->out, '{');
    for (unsigned at = first, end = c->count; at < end; at++) {
        uint32_t key = c->keys[at];
        if (at > first)
            buf_char(c->out, ',');
        buf_json(c->out, tape_text(c->t, key));
        buf_char(c->out, ':');
        put_value(c, key + 1);
    }
    buf_char(c->out, '}');
    c->count = first;
}

static void put_array(struct canon *c, uint32_t i)
{
    buf_char(c->out, '[');
    for (uint32_t k = i + 1; k < c->t->v[i].next; k = c->t->v[k].next) {
        if (k > i + 1)
            buf_char(c->out, ',');
        put_value(c, k);
    }
    buf_char(c->out, ']');
}

/* As deep as the tape allows: LIMIT_JSON_DEPTH. */
static void put_value(struct canon *c, uint32_t i)
{
    switch (tape_type(c->t, i)) {
    case TAPE_OBJECT: put_object(c, i); return;
    case TAPE_ARRAY: put_array(c, i); return;
    case TAPE_STRING: buf_json(c->out, tape_text(c->t, i)); return;
    case TAPE_INTEGER:
    case TAPE_REAL:
    case TAPE_NAN:
    case TAPE_TRUE:
    case TAPE_FALSE:
    case TAPE_NULL: buf_slice(c->out, tape_text(c->t, i)); return;
    case TAPE_TYPE_MAX: break;
    }
    ASSERT(false);
}

enum keer_err canon_json(struct tape *tape, struct slice in, struct buf *out, struct tape_error *ret_error)
{
    static const struct tape_limits limits = {
        .bytes = LIMIT_LINE_BYTES, .values = LIMIT_LINE_BYTES, .depth = LIMIT_JSON_DEPTH, .keys = LIMIT_JSON_MEMBERS};
    struct canon c = {.t = tape, .out = out};
    enum keer_err err = tape_read(tape, in, &limits, ret_error);
    if (err != KEER_OK)
        return err;
    *ret_error = (struct tape_error){.code = KEER_OK};
    if (tape_type(tape, 0) != TAPE_OBJECT) {
        (void)snprintf(ret_error->text, sizeof ret_error->text, "an object was expected: {\"id\":...}");
        return KEER_ESYNTAX;
    }
    put_value(&c, 0);
    if (!c.full && out->err == KEER_OK)
        return KEER_OK;
    (void)snprintf(ret_error->text, sizeof ret_error->text, "%s", c.full ? "too many keys" : keer_err_text(out->err));
    return c.full ? KEER_ELIMIT : out->err;
}
