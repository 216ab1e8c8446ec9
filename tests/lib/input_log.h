/* input_log.h - reads a text through an input, cut into chunks as asked, and writes down all that came of it, one line each:
 * 'event ...', 'bad LINE:COLUMN CODE what', 'failed ...', 'end'. What two runs must have in common is then one string. */
#ifndef TESTS_LIB_INPUT_LOG_H
#define TESTS_LIB_INPUT_LOG_H
#include "base/rand.h"
#include "core/input.h"

static inline void log_value(struct buf *log, const struct keer_event *ev, unsigned i)
{
    const struct keer_value *v = &ev->v[i];
    buf_fmt(log, " %.*s=", SLICE_ARG(ev->schema->attrs[i].name));
    switch (ev->schema->attrs[i].type) {
    case KEER_TEXT:
    case KEER_IP: buf_json(log, event_text(ev, i)); break;
    case KEER_NUMBER:
    case KEER_BOOLEAN: buf_f64(log, v->u.number); break;
    case KEER_MONEY: buf_fmt(log, "%lld%s", (long long)v->u.minor, currency_code((enum currency)v->x.currency)); break;
    case KEER_ATTR_TYPE_MAX: break;
    }
}

static inline void log_event(struct buf *log, const struct keer_event *ev)
{
    buf_puts(log, "event ");
    buf_json(log, ev->id);
    buf_char(log, ' ');
    time_print(log, ev->time_us);
    buf_fmt(log, " %.*s", SLICE_ARG(event_type_name(ev->schema, ev->type)));
    for (unsigned i = 0; i < ev->schema->count; i++)
        if (event_has(ev, i))
            log_value(log, ev, i);
    if (ev->label != KEER_LABEL_NONE) {
        buf_puts(log, ev->label == KEER_LABEL_FRAUD ? " fraud known " : " genuine known ");
        time_print(log, ev->label_known_us);
    }
    if (ev->has_target)
        buf_fmt(log, " target %llx", (unsigned long long)ev->target.lo);
    if (ev->scenario.len) {
        buf_puts(log, " scenario ");
        buf_json(log, ev->scenario);
    }
    buf_char(log, '\n');
}

/* chunk 0: all at once; otherwise chunks of that many bytes, or, with rng, of 1 to that many. Every chunk is a copy of its
 * own that is freed as soon as the input may not touch it any more. Returns the error of input_new. */
static inline enum keer_err log_input(struct buf *log, const struct keer_schema *schema, const struct input_options *o,
                                      struct slice text, size_t chunk, struct rng *rng)
{
    struct input *in = NULL;
    struct input_error err = {0};
    struct keer_event *ev = NULL;
    char *copy = NULL;
    enum keer_err made = keer_event_new(schema, &ev);
    if (made == KEER_OK)
        made = input_new(schema, o, &in, &err);
    for (enum input_result r = INPUT_MORE; made == KEER_OK && r != INPUT_END && r != INPUT_FAILED;) {
        r = input_next(in, ev, &err);
        if (r == INPUT_EVENT)
            log_event(log, ev);
        if (r == INPUT_BAD || r == INPUT_FAILED)
            buf_fmt(log, "%s %llu:%u %s %s | %s\n", r == INPUT_BAD ? "bad" : "failed", (unsigned long long)err.line,
                    err.column, keer_err_name(err.code), err.what, err.hint);
        if (r != INPUT_MORE)
            continue;
        size_t n = chunk == 0 ? text.len : rng ? 1 + (size_t)rng_below(rng, chunk) : chunk;
        n = MIN_OF(n, text.len);
        free(copy);
        copy = malloc(n + 1);
        if (!copy) {
            made = KEER_ENOMEM;
            break;
        }
        memcpy(copy, text.p, n);
        text = slice_of(text.p + n, text.len - n);
        made = input_feed(in, slice_of(copy, n), text.len == 0);
    }
    if (made == KEER_OK)
        buf_puts(log, "end\n");
    input_free(in);
    keer_event_free(ev);
    free(copy);
    return made;
}
#endif
