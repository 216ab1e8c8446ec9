/* verdict.c - a decision as JSON. */
#include "flow/verdict.h"

#include <math.h>

static void put_rules(const struct keer_policy *p, const struct keer_decision *d, struct buf *b)
{
    unsigned told = 0;
    unsigned n = MIN_OF(d->fired_count, (unsigned)KEER_FIRED_MAX);
    buf_puts(b, ",\"rules\":[");
    for (unsigned i = 0; i < n; i++) {
        buf_puts(b, i ? "," : "");
        buf_json(b, p->rules[d->fired[i]].name);
    }
    buf_puts(b, "],\"because\":[");
    for (unsigned i = 0; i < n; i++) {
        struct slice because = p->rules[d->fired[i]].stmt->because;
        if (!because.p)
            continue;
        buf_puts(b, told++ ? "," : "");
        buf_json(b, because);
    }
    buf_char(b, ']');
}

/* TreeSHAP costs more than the decision: what was simply allowed has no reasons of the model. */
static enum keer_err put_reasons(struct keer_engine *e, const struct keer_event *ev, const struct keer_decision *d,
                                 struct buf *b)
{
    struct buf names;
    enum keer_err err = KEER_OK;
    buf_init(&names, 8192); /* allocates nothing while it stays empty */
    if (d->outcome != KEER_ALLOW || d->review)
        err = engine_top_reasons(e, ev, VERDICT_REASONS, &names);
    buf_puts(b, ",\"reasons\":[");
    struct slice rest = buf_view(&names);
    for (bool first = true; rest.p; first = false) {
        buf_puts(b, first ? "" : ",");
        buf_json(b, slice_cut(&rest, ','));
    }
    buf_char(b, ']');
    buf_release(&names);
    return err;
}

enum keer_err verdict_print(struct keer_engine *e, const struct keer_event *ev, const struct keer_decision *d, struct buf *b)
{
    unsigned flag, told = 0;
    buf_puts(b, "{\"id\":");
    buf_json(b, ev->id);
    buf_puts(b, ",\"time\":\"");
    time_print(b, ev->time_us);
    buf_puts(b, "\",\"type\":");
    buf_json(b, event_type_name(ev->schema, ev->type));
    buf_puts(b, ",\"outcome\":\"");
    buf_puts(b, keer_outcome_name(d->outcome));
    buf_puts(b, d->review ? "\",\"review\":true,\"score\":" : "\",\"review\":false,\"score\":");
    buf_f64(b, isnan(d->score) ? d->score : rint(d->score * 1e9) / 1e9);
    put_rules(e->policy, d, b);
    enum keer_err err = put_reasons(e, ev, d, b);
    buf_puts(b, ",\"degraded\":[");
    for (unsigned i = 0; engine_degraded_word(i, &flag); i++)
        if (d->degraded & flag)
            buf_fmt(b, "%s\"%s\"", told++ ? "," : "", engine_degraded_word(i, &flag));
    buf_puts(b, "]}");
    return err != KEER_OK ? err : b->err;
}

const char *verdict_degraded_word(unsigned i)
{
    unsigned flag;
    return engine_degraded_word(i, &flag);
}
