/* label.c - labels to events. */
#include "flow/label.h"

#include <stdarg.h>

#include "base/json.h"

static enum keer_err wrong(struct reading_error *e, enum keer_err code, const char *hint, const char *fmt, ...)
    KEER_PRINTF(4, 5);
static enum keer_err wrong(struct reading_error *e, enum keer_err code, const char *hint, const char *fmt, ...)
{
    va_list ap;
    *e = (struct reading_error){.code = code};
    va_start(ap, fmt);
    (void)vsnprintf(e->what, sizeof e->what, fmt, ap);
    va_end(ap);
    (void)snprintf(e->hint, sizeof e->hint, "%s", hint);
    return code;
}

static const char label_hint[] = "\"fraud\" or \"genuine\"";

static enum keer_err put_label(const struct tape *t, struct buf *out, struct reading_error *e)
{
    uint32_t label = tape_find(t, 0, "label");
    if (label == TAPE_NONE)
        return wrong(e, KEER_EMISSING, label_hint, "label: missing");
    bool fraud = slice_eq(tape_text(t, label), SLICE("fraud"));
    if (tape_type(t, label) != TAPE_STRING || (!fraud && !slice_eq(tape_text(t, label), SLICE("genuine"))))
        return wrong(e, KEER_EINVALID, label_hint, "label: '%.*s' is not one", (int)MIN_OF(tape_text(t, label).len, 60u),
                     tape_text(t, label).p);
    buf_puts(out, fraud ? "\"fraud\":true" : "\"fraud\":false");
    return KEER_OK;
}

static enum keer_err put_target(const struct tape *t, struct buf *out, struct buf *target, struct reading_error *e)
{
    uint32_t event = tape_find(t, 0, "event");
    if (event == TAPE_NONE)
        return wrong(e, KEER_EMISSING, "the id of the event that was decided", "event: missing");
    if (tape_type(t, event) != TAPE_STRING || !tape_text(t, event).len)
        return wrong(e, KEER_ETYPE, "the id of the event that was decided", "event: not a text, or an empty one");
    buf_slice(target, tape_text(t, event));
    buf_puts(out, ",\"target\":");
    buf_json(out, tape_text(t, event));
    return KEER_OK;
}

/* The other members, byte for byte: in a canonical text a member ends a comma before the next. */
static void put_rest(const struct tape *t, struct slice canon, struct buf *out)
{
    for (uint32_t k = 1; k < t->v[0].next; k = t->v[k + 1].next) {
        uint32_t next = t->v[k + 1].next;
        size_t from = tape_at(t, k), to = next < t->v[0].next ? tape_at(t, next) - 1 : canon.len - 1;
        if (slice_eq(tape_text(t, k), SLICE("event")) || slice_eq(tape_text(t, k), SLICE("label")))
            continue;
        buf_char(out, ',');
        buf_slice(out, slice_of(canon.p + from, to - from));
    }
}

enum keer_err label_event(struct slice canon, struct buf *out, struct buf *target, struct reading_error *ret_error)
{
    static const char *const own[] = {"type", "target", "fraud", "fraud_known"};
    static const struct tape_limits limits = {
        .bytes = LIMIT_LINE_BYTES, .values = LIMIT_LINE_BYTES, .depth = LIMIT_JSON_DEPTH, .keys = LIMIT_JSON_MEMBERS};
    struct tape tape = {0};
    struct tape_error why;
    enum keer_err err = tape_read(&tape, canon, &limits, &why);
    if (err != KEER_OK)
        (void)wrong(ret_error, err, "", "byte %zu: %s", why.at + 1, why.text);
    for (size_t i = 0; err == KEER_OK && i < ARRAY_LEN(own); i++)
        if (tape_find(&tape, 0, own[i]) != TAPE_NONE)
            err = wrong(ret_error, KEER_ECONFLICT, "`event` names what is labelled, `label` what it turned out to be",
                        "%s: not a member of a label", own[i]);
    buf_char(out, '{');
    if (err == KEER_OK)
        err = put_label(&tape, out, ret_error);
    if (err == KEER_OK)
        err = put_target(&tape, out, target, ret_error);
    if (err == KEER_OK) {
        buf_puts(out, ",\"type\":\"label\"");
        put_rest(&tape, canon, out);
        buf_char(out, '}');
        err = out->err != KEER_OK ? out->err : target->err;
        if (err != KEER_OK)
            (void)wrong(ret_error, err, "", "%s", keer_err_text(err));
    }
    tape_release(&tape);
    return err;
}
