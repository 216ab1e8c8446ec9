/* prepare.c - what a caller sends becomes a request for the decider. */
#include "flow/prepare.h"

#include "base/timefmt.h"
#include "flow/label.h"

void prepare_texts_init(struct prepare_texts *t)
{
    buf_init(&t->canon, LIMIT_LINE_BYTES);
    buf_init(&t->added, ENRICH_BYTES);
    buf_init(&t->target, LIMIT_TEXT_BYTES);
    buf_init(&t->label, LIMIT_LINE_BYTES);
}

void prepare_texts_clear(struct prepare_texts *t)
{
    buf_clear(&t->canon);
    buf_clear(&t->added);
    buf_clear(&t->target);
    buf_clear(&t->label);
}

void prepare_texts_release(struct prepare_texts *t)
{
    buf_release(&t->canon);
    buf_release(&t->added);
    buf_release(&t->target);
    buf_release(&t->label);
}

/* The canonical form of a label's event, of its canonical body. The event's text must outlive this: the reader still looks
 * at it when something is added. */
static enum keer_err read_label(struct reading *r, struct prepare_texts *t, struct slice *canon, struct reading_error *why)
{
    enum keer_err err = label_event(*canon, &t->label, &t->target, why);
    return err == KEER_OK ? reading_canon(r, buf_view(&t->label), canon, why) : err;
}

enum keer_err prepare_request(const struct prepare *p, struct prepare_texts *t, struct decide_request *request,
                              struct reading_error *ret_why)
{
    struct slice canon = {NULL, 0};
    enum keer_err err = reading_canon(p->reading, p->body, &canon, ret_why);
    if (err == KEER_OK && p->label)
        err = read_label(p->reading, t, &canon, ret_why);
    if (err == KEER_OK) {
        buf_slice(&t->canon, canon);
        err = t->canon.err;
    }
    if (err == KEER_OK && p->enrich) {
        reading_enrich(p->reading, p->enrich, &t->added, &request->missing);
        err = t->added.err;
    }
    if (err == KEER_OK)
        err = reading_event(p->reading, canon, buf_view(&t->added), &request->event, ret_why);
    if (err == KEER_OK && request->event->time_us > p->wall_us + PREPARE_AHEAD_MAX_US) {
        *ret_why =
            (struct reading_error){.code = KEER_ERANGE, .what = "time: more than an hour ahead of this server's clock"};
        err = KEER_ERANGE;
    }
    if (err != KEER_OK)
        return err;
    request->body = buf_view(&t->canon);
    request->added = buf_view(&t->added);
    if (p->label)
        request->target = buf_view(&t->target);
    crypto_sha256(request->body, &request->body_hash);
    return KEER_OK;
}
