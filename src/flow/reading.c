/* reading.c - bodies to events. */
#include "flow/reading.h"

#include "flow/canon.h"

struct reading {
    const struct keer_schema *schema;
    struct input *in;
    struct keer_event *event;
    struct buf canon;
    struct tape tape;
    uint64_t wanted; /* enrich.h */
};

void reading_free(struct reading *r)
{
    if (!r)
        return;
    input_free(r->in);
    keer_event_free(r->event);
    buf_release(&r->canon);
    tape_release(&r->tape);
    free(r);
}

enum keer_err reading_new(const struct keer_schema *schema, struct reading **ret_reading)
{
    struct input_options o = {.format = INPUT_NDJSON};
    struct input_error why;
    struct reading *r = calloc(1, sizeof *r);
    if (!r)
        return KEER_ENOMEM;
    r->schema = schema;
    r->wanted = enrich_wanted(schema);
    buf_init(&r->canon, LIMIT_LINE_BYTES - 1);
    enum keer_err err = keer_event_new(schema, &r->event);
    if (err == KEER_OK)
        err = input_new(schema, &o, &r->in, &why);
    if (err != KEER_OK) {
        reading_free(r);
        return err;
    }
    *ret_reading = r;
    return KEER_OK;
}

const struct keer_schema *reading_schema(const struct reading *r) { return r->schema; }

enum keer_err reading_canon(struct reading *r, struct slice body, struct slice *ret_canon, struct reading_error *ret_error)
{
    struct tape_error why;
    buf_clear(&r->canon);
    enum keer_err err = canon_json(&r->tape, body, &r->canon, &why);
    if (err != KEER_OK) {
        *ret_error = (struct reading_error){.code = err};
        (void)snprintf(ret_error->what, sizeof ret_error->what, "byte %zu: %s", why.at + 1, why.text);
        return err;
    }
    *ret_canon = buf_view(&r->canon);
    return KEER_OK;
}

static void move_text(struct slice *s, char **at)
{
    if (!s->p)
        return;
    memcpy(*at, s->p, s->len);
    s->p = *at;
    *at += s->len;
}

/* A copy in one block: the event, then its texts. */
static struct keer_event *copy_of(const struct keer_event *from)
{
    const struct keer_schema *s = from->schema;
    size_t head = event_size(s), texts = from->id.len + from->scenario.len;
    for (unsigned i = 0; i < s->count; i++)
        if (event_has(from, i) && (s->attrs[i].type == KEER_TEXT || s->attrs[i].type == KEER_IP))
            texts += from->v[i].len;
    struct keer_event *ev = malloc(head + texts + 1);
    if (!ev)
        return NULL;
    memcpy(ev, from, head);
    char *at = (char *)ev + head;
    move_text(&ev->id, &at);
    move_text(&ev->scenario, &at);
    for (unsigned i = 0; i < s->count; i++)
        if (event_has(ev, i) && (s->attrs[i].type == KEER_TEXT || s->attrs[i].type == KEER_IP)) {
            struct slice t = event_text(ev, i);
            move_text(&t, &at);
            ev->v[i].x.text = t.p;
        }
    return ev;
}

/* A failed input stays so: another takes its place. */
static enum keer_err renew(struct reading *r)
{
    struct input_options o = {.format = INPUT_NDJSON};
    struct input_error why;
    struct input *in;
    enum keer_err err = input_new(r->schema, &o, &in, &why);
    if (err != KEER_OK)
        return err;
    input_free(r->in);
    r->in = in;
    return KEER_OK;
}

/* Feeds one line and takes what comes of it; then the input wants more, or has failed. */
static enum keer_err one_line(struct reading *r, struct keer_event **ret_event, struct reading_error *ret_error)
{
    struct input_error why = {0};
    struct keer_event *ev = NULL;
    enum input_result got = input_next(r->in, r->event, &why);
    enum keer_err err = KEER_OK;
    if (got == INPUT_EVENT) {
        ev = copy_of(r->event);
        err = ev ? KEER_OK : KEER_ENOMEM;
    } else {
        err = got == INPUT_MORE || got == INPUT_END ? KEER_ESYNTAX : why.code;
        *ret_error = (struct reading_error){.code = err};
        (void)snprintf(ret_error->what, sizeof ret_error->what, "%s", why.what);
        (void)snprintf(ret_error->hint, sizeof ret_error->hint, "%s", why.hint);
    }
    if (got == INPUT_EVENT || got == INPUT_BAD)
        got = input_next(r->in, r->event, &why);
    if (got != INPUT_MORE && renew(r) != KEER_OK)
        err = KEER_ENOMEM;
    if (err == KEER_OK)
        *ret_event = ev;
    else
        free(ev);
    return err;
}

void reading_enrich(const struct reading *r, const struct enrich *e, struct buf *added, bool *ret_missing)
{
    enrich_event(e, r->wanted, &r->tape, added, ret_missing);
}

/* One line of both objects: {"id":1} and {"asn":2} become {"id":1,"asn":2}. They have no key in common (enrich.h). */
static void join(struct buf *line, struct slice added)
{
    if (added.len && line->len > 2) {
        line->p[line->len - 1] = ',';
        buf_slice(line, slice_of(added.p + 1, added.len - 1));
    }
    buf_char(line, '\n');
}

enum keer_err reading_event(struct reading *r, struct slice canon, struct slice added, struct keer_event **ret_event,
                            struct reading_error *ret_error)
{
    if (canon.p != r->canon.p) {
        buf_clear(&r->canon);
        buf_slice(&r->canon, canon);
    }
    size_t len = r->canon.len;
    join(&r->canon, added);
    if (r->canon.err != KEER_OK) {
        *ret_error = (struct reading_error){.code = r->canon.err, .what = "the event is too large"};
        return r->canon.err;
    }
    enum keer_err err = input_feed(r->in, buf_view(&r->canon), false);
    if (err == KEER_EINVALID) { /* left over from a renewal that failed */
        err = renew(r);
        if (err == KEER_OK)
            err = input_feed(r->in, buf_view(&r->canon), false);
    }
    if (err == KEER_OK)
        err = one_line(r, ret_event, ret_error);
    r->canon.len = len; /* as it was: the caller holds it */
    if (added.len && len)
        r->canon.p[len - 1] = '}';
    if (r->canon.p)
        r->canon.p[len] = '\0';
    return err;
}
