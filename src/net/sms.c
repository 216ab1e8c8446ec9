/* sms.c - one text message to one phone. */
#include "net/sms.h"

#include "base/timefmt.h"

#define HEAD_BYTES 16384
#define ANSWER_BYTES 65536
#define AFTER_MAX_US US_HOUR

/* "http://localhost" with what may follow a host. */
static bool is_localhost(const char *url)
{
    static const char begin[] = "http://localhost";
    size_t n = sizeof begin - 1;
    return strncmp(url, begin, n) == 0 && (url[n] == '\0' || strchr(":/?", url[n]));
}

enum keer_err sms_gateway_init(struct sms_gateway *g, const char *url, char ret_why[NET_WHY_BYTES])
{
    bool plain = strncmp(url, "http:", 5) == 0;
    g->url = url;
    g->allowed = (struct net_networks){0};
    /* The operator named it: with https it may stand in a network of his own. */
    enum keer_err err = net_networks_add(&g->allowed, plain ? SLICE("127.0.0.0/8,::1") : SLICE("0.0.0.0/0,::/0"));
    if (err == KEER_OK)
        err = net_url_check(slice_str(url), &g->allowed, ret_why);
    if (err == KEER_OK && plain && net_url_judge(slice_str(url), &g->allowed) != NET_ALLOWED && !is_localhost(url)) {
        (void)snprintf(ret_why, NET_WHY_BYTES, "http is taken on this machine alone: use https");
        err = KEER_EINVALID;
    }
    if (err == KEER_OK && strchr(url, '?')) {
        (void)snprintf(ret_why, NET_WHY_BYTES, "a query has no place in it: what a key would say the signature says");
        err = KEER_EINVALID;
    }
    return err;
}

void sms_print(const struct sms *m, struct buf *out)
{
    buf_puts(out, "{\"id\":");
    buf_json(out, slice_str(m->id));
    buf_puts(out, ",\"to\":");
    buf_json(out, slice_str(m->to));
    buf_puts(out, ",\"text\":");
    buf_json(out, m->text);
    buf_puts(out, ",\"kind\":");
    buf_json(out, slice_str(m->kind));
    buf_char(out, '}');
}

static enum sms_result judge(int status)
{
    if (status >= 200 && status < 300)
        return SMS_TAKEN;
    return status >= 400 && status < 500 && status != 401 && status != 408 && status != 429 ? SMS_REFUSED : SMS_LATER;
}

struct net_options sms_options(const struct sms_gateway *g)
{
    return (struct net_options){.allowed = &g->allowed,
                                .connect_us = g->connect_us,
                                .whole_us = g->whole_us,
                                .answer_max = ANSWER_BYTES,
                                .head_max = HEAD_BYTES,
                                .head_is_enough = true};
}

void sms_release(struct sms_post *p)
{
    if (p->body.p)
        explicit_bzero(p->body.p, p->body.cap);
    buf_release(&p->body);
    *p = (struct sms_post){.request.url = NULL};
}

enum keer_err sms_begin(struct net_client *c, const struct sms_gateway *g, const struct sms *m, int64_t now_us,
                        struct sms_post *p)
{
    char stamp[24], signature[NET_SIGNATURE_BYTES];
    *p = (struct sms_post){.request = {.url = g->url, .headers = 3}};
    buf_init(&p->body, (size_t)4 * SMS_TEXT_BYTES);
    sms_print(m, &p->body);
    enum keer_err err = p->body.err;
    if (err == KEER_OK) {
        p->request.body = buf_view(&p->body);
        (void)snprintf(stamp, sizeof stamp, "%lld", (long long)(now_us / US_SECOND));
        net_sign(slice_of((const char *)g->secret.bytes, g->secret.len), slice_str(m->id), slice_str(stamp), p->request.body,
                 signature);
        (void)snprintf(p->request.header[0], NET_HEADER_BYTES, "webhook-id: %s", m->id);
        (void)snprintf(p->request.header[1], NET_HEADER_BYTES, "webhook-timestamp: %s", stamp);
        (void)snprintf(p->request.header[2], NET_HEADER_BYTES, "webhook-signature: %s", signature);
        err = net_send(c, &p->request);
    }
    if (err != KEER_OK)
        sms_release(p);
    return err;
}

enum sms_result sms_end(struct sms_post *p, int64_t *ret_after_us, char ret_why[NET_WHY_BYTES])
{
    const struct net_request *r = &p->request;
    bool answered = r->result == NET_ANSWERED;
    enum sms_result result = answered ? judge(r->status) : SMS_LATER;
    *ret_after_us = answered && result == SMS_LATER ? MIN_OF(r->retry_after_us, AFTER_MAX_US) : 0;
    ret_why[0] = '\0';
    if (!answered)
        (void)snprintf(ret_why, NET_WHY_BYTES, "%s", r->why);
    else if (result != SMS_TAKEN)
        (void)snprintf(ret_why, NET_WHY_BYTES, "the gateway answered %d", r->status);
    sms_release(p);
    return result;
}
