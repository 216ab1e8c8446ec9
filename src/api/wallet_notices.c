/* wallet_notices.c - /v1/wallets: which there are, and what they send. */
#include "flow/wallet_notices.h"

#include "api/money.h"

#define HEAD_BYTES 32768

void wallets_list(struct http_exchange *x)
{
    const struct api *a = x->ctx;
    struct buf *b = &x->reply;
    if (!money_on(x))
        return;
    buf_puts(b, "{\"wallets\":[");
    for (unsigned i = 0; i < wallets_count(a->wallets->list); i++) {
        const struct wallet *w = wallets_at(a->wallets->list, i);
        buf_fmt(b, "%s{\"name\":\"%s\",\"kind\":\"%s\",\"breaker\":\"%s\"}", i ? "," : "", wallet_name(w),
                wallet_driver(w)->kind, wallet_breaker(w));
    }
    buf_puts(b, "]}\n");
    http_reply(x, 200, HTTP_JSON);
}

/* The path that the wallet was told, and signs: a proxy may have cut it. */
static struct slice told_path(const struct flow_wallets *fw, const struct wallet *w, char room[NET_URL_BYTES])
{
    if (!flow_wallet_notify(fw, w, room))
        return SLICE("");
    const char *host = strstr(room, "://"), *path = host ? strchr(host + 3, '/') : NULL;
    return path ? slice_str(path) : SLICE("/");
}

static void refuse(struct http_exchange *x, const struct wallet *w, const struct wallet_noticed *n)
{
    struct slice body = slice_str(n->reply.body);
    int status = n->reply.status;
    if (n->verdict != WALLET_GENUINE && n->verdict != WALLET_PROBE)
        log_put(desk_log(x->worker), LOG_WARNING, "wallet %s: a notice was refused: %s", wallet_name(w), n->why);
    if (n->verdict != WALLET_GENUINE)
        status = 401;
    buf_slice(&x->reply, body);
    http_reply(x, status, n->reply.type);
}

void wallet_notices_post(struct http_exchange *x)
{
    const struct api *a = x->ctx;
    struct wallet_noticed n;
    struct buf head;
    char url[NET_URL_BYTES];
    if (!money_on(x))
        return;
    struct wallet *w = wallets_find(a->wallets->list, buf_view(&x->id));
    if (!w) {
        http_problem(x, HTTP_NOT_FOUND, "no wallet of this name");
        return;
    }
    buf_init(&head, HEAD_BYTES);
    http_head(x, &head);
    struct wallet_inbound in = {
        .method = "POST", .path = told_path(a->wallets, w, url), .head = buf_view(&head), .body = buf_view(&x->body)};
    if (head.err == KEER_OK)
        wallet_notices_take(a->notices, x->worker, w, &in, &n);
    if (head.err != KEER_OK)
        http_problem(x, HTTP_NO_MEMORY, "%s", "");
    else if (!n.taken)
        refuse(x, w, &n);
    else {
        buf_puts(&x->reply, n.reply.body);
        http_reply(x, n.reply.status, n.reply.type);
    }
    buf_release(&head);
}
