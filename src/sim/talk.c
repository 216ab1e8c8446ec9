/* talk.c - calls of the API over HTTP, with cookies. */
#include "sim/talk.h"

#define CONNECT_US ((int64_t)2000000)
#define WHOLE_US ((int64_t)20000000)

static const struct tape_limits limits = {.bytes = TALK_BODY_BYTES, .values = 1u << 20, .depth = 32, .keys = 512};

static void copy(char *to, size_t size, struct slice from)
{
    size_t n = from.len < size ? from.len : size - 1;
    if (n)
        memcpy(to, from.p, n);
    to[n] = '\0';
}

static void forget_cookie(struct talker *t, struct slice name)
{
    for (unsigned i = 0; i < t->cookie_count; i++)
        if (slice_eq(slice_str(t->cookies[i].name), name)) {
            t->cookies[i] = t->cookies[--t->cookie_count];
            return;
        }
}

/* "keer=VALUE; Path=/; HttpOnly": what expires at once is taken away. */
static void take_cookie(struct talker *t, struct slice line)
{
    struct slice rest = line, pair = slice_cut(&rest, ';');
    struct slice value = slice_trim(pair), name = slice_cut(&value, '=');
    bool gone = slice_hasi(rest, SLICE("max-age=0"));
    forget_cookie(t, name);
    if (gone || t->cookie_count == TALK_COOKIES || name.len > TALK_NAME_BYTES || value.len > TALK_VALUE_BYTES)
        return;
    struct talk_cookie *c = &t->cookies[t->cookie_count++];
    copy(c->name, sizeof c->name, name);
    copy(c->value, sizeof c->value, value);
}

static void take_cookies(struct talker *t, struct slice head)
{
    while (head.len) {
        struct slice line = slice_cut(&head, '\n'), name = slice_cut(&line, ':');
        if (slice_eqi(name, SLICE("set-cookie")))
            take_cookie(t, slice_trim(line));
    }
}

static void put_cookies(const struct talker *t, struct buf *b)
{
    for (unsigned i = 0; i < t->cookie_count; i++)
        buf_fmt(b, "%s%s=%s", i ? "; " : "", t->cookies[i].name, t->cookies[i].value);
}

struct sending {
    struct net_pair header[8];
    unsigned headers;
};
static void add(struct sending *s, const char *name, struct slice value)
{
    if (value.len)
        s->header[s->headers++] = (struct net_pair){.name = slice_str(name), .value = value};
}

static void start(struct talk *ret)
{
    if (!ret->body.max) {
        buf_init(&ret->body, TALK_BODY_BYTES);
        buf_init(&ret->head, 65536);
    }
    ret->status = 0;
    ret->tape.count = 0;
    ret->why[0] = '\0';
}

enum keer_err talk(struct talker *t, const char *method, const char *path, struct slice body, const char *challenge,
                   struct talk *ret)
{
    struct sending s = {0};
    struct net_networks allowed = {0};
    struct buf url, cookies, bearer;
    struct tape_error wrong;
    buf_init(&url, NET_ASK_URL_BYTES);
    buf_init(&cookies, 4096);
    buf_init(&bearer, 512);
    start(ret);
    enum keer_err err = net_networks_add(&allowed, SLICE("127.0.0.0/8,::1"));
    buf_fmt(&url, "%s%s", strncmp(path, "http", 4) == 0 ? "" : t->base, path);
    put_cookies(t, &cookies);
    if (t->key)
        buf_fmt(&bearer, "Bearer %s", t->key);
    add(&s, "authorization", buf_view(&bearer));
    add(&s, "cookie", buf_view(&cookies));
    add(&s, "user-agent", slice_str(t->user_agent));
    add(&s, "x-forwarded-for", slice_str(t->address));
    add(&s, "keer-challenge", slice_str(challenge));
    if (body.len)
        add(&s, "content-type", SLICE("application/json"));
    if (err == KEER_OK && (url.err != KEER_OK || cookies.err != KEER_OK || bearer.err != KEER_OK))
        err = url.err != KEER_OK ? url.err : KEER_ENOMEM;
    struct net_ask ask = {.method = method,
                          .url = buf_view(&url),
                          .header = s.header,
                          .headers = s.headers,
                          .body = body,
                          .allowed = &allowed,
                          .connect_us = CONNECT_US,
                          .whole_us = WHOLE_US};
    if (err == KEER_OK && net_fetch(t->fetch, &ask, &ret->status, &ret->head, &ret->body, ret->why) != NET_HAS_ANSWER)
        err = KEER_EIO;
    if (err == KEER_OK) {
        take_cookies(t, buf_view(&ret->head));
        if (ret->body.len == 0 || tape_read(&ret->tape, buf_view(&ret->body), &limits, &wrong) != KEER_OK)
            ret->tape.count = 0;
    }
    buf_release(&url);
    buf_release(&cookies);
    buf_release(&bearer);
    return err;
}

void talk_release(struct talk *a)
{
    buf_release(&a->head);
    buf_release(&a->body);
    tape_release(&a->tape);
}

static uint32_t find(const struct talk *a, const char *path)
{
    uint32_t at = 0;
    struct slice rest = slice_str(path);
    if (a->tape.count == 0)
        return TAPE_NONE;
    do {
        struct slice name = slice_cut(&rest, '.');
        at = tape_member(&a->tape, at, name);
    } while (at != TAPE_NONE && rest.len);
    return at;
}

struct slice talk_text(const struct talk *a, const char *path)
{
    uint32_t at = find(a, path);
    if (at == TAPE_NONE || tape_type(&a->tape, at) == TAPE_OBJECT || tape_type(&a->tape, at) == TAPE_ARRAY)
        return (struct slice){0};
    return tape_text(&a->tape, at);
}

bool talk_is(const struct talk *a, const char *path, const char *text)
{
    return slice_eq(talk_text(a, path), slice_str(text));
}

struct slice talk_text_at(const struct talk *a, const char *path, unsigned i)
{
    uint32_t at = find(a, path);
    if (at == TAPE_NONE || tape_type(&a->tape, at) != TAPE_ARRAY || i >= a->tape.v[at].len)
        return (struct slice){0};
    uint32_t v = at + 1;
    for (; i; i--)
        v = a->tape.v[v].next;
    return tape_text(&a->tape, v);
}

void talk_problem(const struct talk *a, char *ret, size_t size)
{
    struct slice code = talk_text(a, "code");
    if (code.len)
        copy(ret, size, code);
    else
        (void)snprintf(ret, size, "HTTP %d", a->status);
}
