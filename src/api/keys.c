/* keys.c - /v1/keys: API keys made, listed, revoked and rotated; what is answered is in force. */
#include "api/body.h"
#include "base/timefmt.h"

#define LIST_MAX 1900u /* of the longest rows, what an answer holds */

/* One change: lives in the exchange's `data`. */
struct keying {
    struct key_change change;
    struct http_exchange *x;
};

static void on_done(struct key_change *c)
{
    struct keying *k = c->ctx;
    http_resume(k->x);
}

/* NULL when the problem was told. */
static struct keying *begin(struct http_exchange *x, enum key_verb verb)
{
    if (verb != KEY_MAKE && x->id.len != KEY_ID_BYTES) {
        http_problem(x, HTTP_NOT_FOUND, "no key of this id");
        return NULL;
    }
    struct keying *k = calloc(1, sizeof *k);
    if (!k) {
        http_problem(x, HTTP_NO_MEMORY, "%s", "");
        return NULL;
    }
    x->data = k;
    k->x = x;
    k->change = (struct key_change){.verb = verb, .done = on_done, .ctx = k, .old_valid_us = KEY_OLD_VALID_US};
    if (verb != KEY_MAKE)
        memcpy(k->change.id, x->id.p, KEY_ID_BYTES);
    return k;
}

static void submit(struct http_exchange *x, struct keying *k)
{
    struct api *a = x->ctx;
    http_suspend(x); /* before it is handed over: the answer may come at once */
    enum keer_err err = key_change_submit(a->decider, &k->change, a->wall_us());
    if (err != KEER_OK) { /* else k may have been answered, and be gone */
        k->change.err = err;
        http_resume(x);
    }
}

void keys_post(struct http_exchange *x)
{
    struct api_body b = {0};
    struct slice name, role;
    struct keying *k = begin(x, KEY_MAKE);
    if (k && api_body_read(x, &b, "name role") &&
        api_body_line(x, &b, "name", /* required */ true, LIMIT_NAME_BYTES, &name) &&
        api_body_line(x, &b, "role", /* required */ true, LIMIT_NAME_BYTES, &role)) {
        memcpy(k->change.name, name.p, name.len);
        if (key_role_find(role, &k->change.role) == KEER_OK)
            submit(x, k);
        else
            http_problem(x, HTTP_BAD_BODY, "role: there are store, partner, analyst and admin");
    }
    api_body_release(&b);
}

void keys_delete(struct http_exchange *x)
{
    struct http_param query = {"last_admin", {NULL, 0}};
    if (!http_query(x, &query, 1))
        return;
    struct slice said = query.value;
    struct keying *k = begin(x, KEY_REVOKE);
    if (!k)
        return;
    k->change.last_admin = slice_eq(said, SLICE("yes"));
    if (said.p && !k->change.last_admin)
        http_problem(x, HTTP_BAD_QUERY, "last_admin: only yes is taken");
    else
        submit(x, k);
}

void keys_rotate_post(struct http_exchange *x)
{
    struct api_body b = {0};
    struct slice valid = {NULL, 0};
    struct keying *k = begin(x, KEY_ROTATE);
    if (k && api_body_read(x, &b, "old_valid") && api_body_line(x, &b, "old_valid", /* required */ false, 40, &valid)) {
        bool none = slice_eq(valid, SLICE("0")); /* no duration, but what who lost a key wants */
        enum keer_err err = valid.p && !none ? duration_parse(valid, &k->change.old_valid_us) : KEER_OK;
        if (none)
            k->change.old_valid_us = 0;
        if (err != KEER_OK || k->change.old_valid_us > KEY_OLD_VALID_MAX_US)
            http_problem(x, HTTP_BAD_BODY, "old_valid: a duration of at most 30d, as 12h, or 0 is wanted");
        else
            submit(x, k);
    }
    api_body_release(&b);
}

static void answer_change(struct http_exchange *x, const struct key_change *c)
{
    struct buf *b = &x->reply;
    if (c->verb == KEY_REVOKE) {
        buf_puts(b, "{\"removed\":true}\n");
    } else {
        buf_fmt(b, "{\"id\":\"%s\"", c->id);
        if (c->verb == KEY_MAKE) {
            buf_fmt(b, ",\"role\":\"%s\",\"name\":", key_role_name(c->role));
            buf_json(b, slice_str(c->name));
        } else {
            buf_puts(b, ",\"old_until\":\"");
            time_print(b, c->old_until_us);
            buf_char(b, '"');
        }
        buf_fmt(b, ",\"key\":\"%s\"}\n", c->text);
    }
    http_reply(x, 200, HTTP_JSON);
}

void keys_answer(struct http_exchange *x)
{
    struct api *a = x->ctx;
    const struct keying *k = x->data;
    struct db_why why;
    bool changed;
    enum keer_err err = k->change.err;
    if (err == KEER_OK && decider_reload_keys(a->decider, &changed, &why) != KEER_OK) {
        http_problem(x, HTTP_UNKNOWN_OUTCOME,
                     "it was recorded, and is in force within a second: the keys can't be read now");
        return;
    }
    switch (err) {
    case KEER_OK: answer_change(x, &k->change); return;
    case KEER_EMISSING: http_problem(x, HTTP_NOT_FOUND, "no valid key of this id"); return;
    case KEER_ECONFLICT: http_problem(x, HTTP_LAST_ADMIN, "%s", ""); return;
    case KEER_ELIMIT: http_problem(x, HTTP_TOO_MANY, "%d keys, revoked ones too", KEYS_MAX); return;
    case KEER_ENOMEM: http_problem(x, HTTP_NO_MEMORY, "%s", ""); return;
    case KEER_EUNSUPPORTED: http_problem(x, HTTP_STOPPING, "%s", ""); return;
    default: http_problem(x, HTTP_UNKNOWN_OUTCOME, "the change was not, or may not have been, recorded"); return;
    }
}

void keys_release_exchange(struct http_exchange *x)
{
    struct keying *k = x->data;
    if (!k)
        return;
    crypto_wipe(k, sizeof *k);
    if (x->reply.p)
        crypto_wipe(x->reply.p, x->reply.len); /* it may hold a key */
    free(k);
}

struct listing {
    struct buf *out;
    int64_t now_us;
    unsigned count;
};

static void list_one(void *ctx, const struct key_row *row)
{
    struct listing *l = ctx;
    struct buf *b = l->out;
    if (++l->count > LIST_MAX)
        return;
    buf_fmt(b, "%s{\"id\":\"%s\",\"role\":\"%s\",\"name\":", l->count > 1 ? ",\n" : "", row->id, key_role_name(row->role));
    buf_json(b, slice_str(row->name));
    buf_puts(b, ",\"created\":\"");
    time_print(b, row->created_us);
    if (row->old_until_us > l->now_us) {
        buf_puts(b, "\",\"old_until\":\"");
        time_print(b, row->old_until_us);
    }
    if (row->revoked_us) {
        buf_puts(b, "\",\"revoked\":\"");
        time_print(b, row->revoked_us);
    }
    buf_puts(b, "\"}");
}

void keys_list(struct http_exchange *x)
{
    struct api *a = x->ctx;
    struct listing l = {&x->reply, a->wall_us(), 0};
    buf_puts(&x->reply, "{\"keys\":[");
    decider_keys_each(a->decider, list_one, &l);
    buf_fmt(&x->reply, "],\"more\":%s}\n", l.count > LIST_MAX ? "true" : "false");
    http_reply(x, 200, HTTP_JSON);
}
