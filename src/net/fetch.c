/* fetch.c - one request at a time on libcurl, whose answer is kept. */
#include "net/fetch.h"

#include "net/easy.h"

#define KEEP_CONNECTIONS 4L
#define KEEP_SECONDS 30L /* a server that keeps them less long ends them, which libcurl sees before it sends */
#define HEADER_LINE_BYTES 8192

struct net_fetch {
    CURL *easy;
    struct buf *head, *body; /* of the request under way */
};

enum keer_err net_fetch_new(struct net_fetch **ret)
{
    struct net_fetch *f = calloc(1, sizeof *f);
    if (!f)
        return KEER_ENOMEM;
    f->easy = curl_easy_init();
    if (!f->easy) {
        free(f);
        return KEER_ENOMEM;
    }
    *ret = f;
    return KEER_OK;
}

void net_fetch_free(struct net_fetch *f)
{
    if (!f)
        return;
    curl_easy_cleanup(f->easy);
    free(f);
}

static size_t on_body(char *p, size_t size, size_t count, void *ctx)
{
    struct net_fetch *f = ctx;
    buf_put(f->body, p, size * count);
    return f->body->err == KEER_OK ? size * count : 0; /* 0 ends the transfer */
}

/* A status line begins a head: what an interim answer (100) said is forgotten. */
static size_t on_head(char *p, size_t size, size_t count, void *ctx)
{
    struct net_fetch *f = ctx;
    struct slice line = slice_of(p, size * count), value;
    if (line.len >= 5 && memcmp(line.p, "HTTP/", 5) == 0) {
        buf_clear(f->head);
        return line.len;
    }
    value = slice_trim(line);
    if (!value.len)
        return line.len;
    struct slice name = slice_trim(slice_cut(&value, ':'));
    for (size_t i = 0; i < name.len; i++)
        buf_char(f->head, ascii_lower(name.p[i]));
    buf_puts(f->head, ": ");
    buf_slice(f->head, slice_trim(value));
    buf_char(f->head, '\n');
    return f->head->err == KEER_OK ? line.len : 0;
}

static bool is_plain(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 127)
            return false;
    return true;
}

static bool add(struct curl_slist **list, const char *line)
{
    struct curl_slist *more = curl_slist_append(*list, line);
    if (!more)
        return false;
    *list = more;
    return true;
}

static bool add_headers(const struct net_ask *ask, struct curl_slist **list, char why[NET_WHY_BYTES])
{
    char line[HEADER_LINE_BYTES];
    bool good = ask->headers <= NET_PAIRS_MAX && add(list, "Expect:");
    for (unsigned i = 0; good && i < ask->headers; i++) {
        const struct net_pair *h = &ask->header[i];
        int n = is_plain(h->name) && is_plain(h->value) && h->name.len + h->value.len + 3 < sizeof line
                    ? snprintf(line, sizeof line, "%.*s: %.*s", SLICE_ARG(h->name), SLICE_ARG(h->value))
                    : -1;
        good = n > 0 && add(list, line);
    }
    if (!good)
        (void)snprintf(why, NET_WHY_BYTES, "a header can't be sent");
    return good;
}

static CURLcode set_options(struct net_fetch *f, const struct net_ask *ask, const char *url, struct net_guard *g,
                            struct curl_slist *list)
{
    CURL *e = f->easy;
    curl_easy_reset(e); /* keeps the connections */
    CURLcode rc = net_easy_setup(e, url, g, ask->connect_us, ask->whole_us);
#define SET(option, value) rc = rc == CURLE_OK ? curl_easy_setopt(e, option, value) : rc
    SET(CURLOPT_MAXCONNECTS, KEEP_CONNECTIONS);
    SET(CURLOPT_MAXAGE_CONN, KEEP_SECONDS);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, (void *)f);
    SET(CURLOPT_HEADERFUNCTION, on_head);
    SET(CURLOPT_HEADERDATA, (void *)f);
    SET(CURLOPT_HTTPHEADER, list);
    if (strcmp(ask->method, "GET") == 0) {
        SET(CURLOPT_HTTPGET, 1L);
    } else {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)ask->body.len);
        SET(CURLOPT_POSTFIELDS, ask->body.len ? ask->body.p : "");
        SET(CURLOPT_CUSTOMREQUEST, ask->method);
    }
#undef SET
    return rc;
}

enum net_end net_fetch(struct net_fetch *f, const struct net_ask *ask, int *ret_status, struct buf *head, struct buf *body,
                       char ret_why[NET_WHY_BYTES])
{
    struct net_guard guard = {.allowed = ask->allowed};
    struct curl_slist *list = NULL;
    char url[NET_ASK_URL_BYTES + 1];
    long status = 0;
    enum net_end end = NET_NEVER;
    *ret_status = 0;
    ret_why[0] = '\0';
    buf_clear(head);
    buf_clear(body);
    f->head = head;
    f->body = body;
    if (!ask->url.len || ask->url.len > NET_ASK_URL_BYTES || !is_plain(ask->url)) {
        (void)snprintf(ret_why, NET_WHY_BYTES, "the URL can't be sent to");
        return NET_NEVER;
    }
    memcpy(url, ask->url.p, ask->url.len);
    url[ask->url.len] = '\0';
    if (add_headers(ask, &list, ret_why)) {
        CURLcode rc = set_options(f, ask, url, &guard, list);
        if (rc == CURLE_OK)
            rc = curl_easy_perform(f->easy);
        if (rc == CURLE_OK)
            rc = curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
        end = rc == CURLE_OK && status ? NET_HAS_ANSWER : guard.began ? NET_LOST : NET_NEVER;
        *ret_status = end == NET_HAS_ANSWER ? (int)status : 0;
        if (end != NET_HAS_ANSWER)
            (void)snprintf(ret_why, NET_WHY_BYTES, "%s",
                           rc == CURLE_WRITE_ERROR ? "the answer was too large"
                           : guard.why[0]          ? guard.why
                                                   : curl_easy_strerror(rc));
    }
    f->head = f->body = NULL;
    curl_slist_free_all(list);
    return end;
}
