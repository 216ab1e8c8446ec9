/* client.c - outgoing HTTP on libcurl. */
#include "net/client.h"

#include <unistd.h>

#include "base/timefmt.h"
#include "net/easy.h"

#define POLL_MAX_MS 60000
#define KEEP_CONNECTIONS 64L

struct net_client {
    struct net_options o;
    CURLM *multi;
    struct net_request *all; /* under way */
};

enum keer_err net_start(void) { return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? KEER_OK : KEER_EIO; }

enum keer_err net_client_new(const struct net_options *o, struct net_client **ret_client)
{
    struct net_client *c = calloc(1, sizeof *c);
    if (!c)
        return KEER_ENOMEM;
    c->o = *o;
    c->multi = curl_multi_init();
    if (!c->multi || curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, KEEP_CONNECTIONS) != CURLM_OK) {
        net_client_free(c);
        return KEER_ENOMEM;
    }
    *ret_client = c;
    return KEER_OK;
}

static void drop(struct net_client *c, struct net_request *r)
{
    struct net_request **at = &c->all;
    while (*at && *at != r)
        at = &(*at)->all_next;
    if (*at)
        *at = r->all_next;
    (void)curl_multi_remove_handle(c->multi, r->easy);
    curl_easy_cleanup(r->easy);
    curl_slist_free_all(r->list);
    r->easy = r->list = NULL;
}

void net_client_free(struct net_client *c)
{
    if (!c)
        return;
    while (c->all)
        drop(c, c->all);
    (void)curl_multi_cleanup(c->multi);
    free(c);
}

/* --- callbacks of libcurl --- */

static size_t take(size_t len, size_t max, struct net_request *r)
{
    r->read += len;
    return r->read > max ? 0 : len; /* 0 ends the transfer */
}

static size_t on_body(char *p, size_t size, size_t count, void *ctx)
{
    struct net_request *r = ctx;
    UNUSED(p);
    return take(size * count, r->client->o.answer_max + r->client->o.head_max, r);
}

/* Line by line; an interim answer (100) has a head of its own before. */
static size_t on_head(char *p, size_t size, size_t count, void *ctx)
{
    struct net_request *r = ctx;
    r->has_head = !slice_trim(slice_of(p, size * count)).len;
    return take(size * count, r->client->o.head_max, r);
}

/* --- requests --- */

static enum keer_err set_headers(struct net_request *r)
{
    static const char *const fixed[] = {"Content-Type: application/json", "Expect:", "Accept:"};
    struct curl_slist *list = NULL;
    for (unsigned i = 0; i < r->headers + ARRAY_LEN(fixed); i++) {
        struct curl_slist *more = curl_slist_append(list, i < r->headers ? r->header[i] : fixed[i - r->headers]);
        if (!more) {
            curl_slist_free_all(list);
            return KEER_ENOMEM;
        }
        list = more;
    }
    r->list = list;
    return KEER_OK;
}

static bool set_options(struct net_client *c, struct net_request *r)
{
    CURL *e = r->easy;
    CURLcode rc = net_easy_setup(e, r->url, &r->guard, c->o.connect_us, c->o.whole_us);
#define SET(option, value) rc = rc == CURLE_OK ? curl_easy_setopt(e, option, value) : rc
    SET(CURLOPT_PRIVATE, (void *)r);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, (void *)r);
    SET(CURLOPT_HEADERFUNCTION, on_head);
    SET(CURLOPT_HEADERDATA, (void *)r);
    SET(CURLOPT_POST, 1L);
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
    SET(CURLOPT_POSTFIELDS, r->body.p);
    SET(CURLOPT_HTTPHEADER, (struct curl_slist *)r->list);
#undef SET
    return rc == CURLE_OK;
}

enum keer_err net_send(struct net_client *c, struct net_request *r)
{
    r->client = c;
    r->guard = (struct net_guard){.allowed = c->o.allowed};
    r->why[0] = '\0';
    r->status = 0;
    r->retry_after_us = 0;
    r->read = 0;
    r->has_head = false;
    r->list = NULL;
    r->easy = curl_easy_init();
    enum keer_err err = r->easy ? set_headers(r) : KEER_ENOMEM;
    if (err == KEER_OK && !set_options(c, r))
        err = KEER_EINVALID;
    if (err == KEER_OK && curl_multi_add_handle(c->multi, r->easy) != CURLM_OK)
        err = KEER_ENOMEM;
    if (err != KEER_OK) {
        curl_easy_cleanup(r->easy);
        curl_slist_free_all(r->list);
        return err;
    }
    r->all_next = c->all;
    c->all = r;
    return KEER_OK;
}

/* An answer whose rest was too much, or came too late, has said with its status what there is to say only when all of its
 * head came. */
static void settle(struct net_request *r, CURLcode rc)
{
    long status = 0;
    curl_off_t later = 0;
    (void)curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(r->easy, CURLINFO_RETRY_AFTER, &later);
    bool late = r->client->o.head_is_enough && rc == CURLE_OPERATION_TIMEDOUT;
    bool cut = r->has_head && status >= 200 && (rc == CURLE_WRITE_ERROR || late);
    if (rc == CURLE_OK || cut) {
        r->result = NET_ANSWERED;
        r->status = (int)status;
        r->retry_after_us = (int64_t)MIN_OF(MAX_OF(later, 0), 86400) * US_SECOND;
        (void)snprintf(r->why, sizeof r->why, "status %ld%s", status,
                       !cut   ? ""
                       : late ? ", and the rest of the answer came too late"
                              : ", and the answer was too large");
    } else {
        r->result = r->guard.refused ? NET_FORBIDDEN : NET_FAILED;
        (void)snprintf(r->why, sizeof r->why, "%s", r->guard.refused ? r->guard.why : curl_easy_strerror(rc));
    }
}

struct net_request *net_wait(struct net_client *c, int64_t wait_us)
{
    struct net_request *ended = NULL, **end = &ended;
    int running = 0, left = 0;
    int64_t ms = MIN_OF(MAX_OF(wait_us, 0) / 1000, POLL_MAX_MS);
    (void)curl_multi_perform(c->multi, &running);
    for (int turn = 0; turn < 2 && !ended; turn++) {
        for (CURLMsg *m; (m = curl_multi_info_read(c->multi, &left)) != NULL;) {
            char *mine = NULL;
            if (m->msg != CURLMSG_DONE)
                continue;
            CURLcode rc = m->data.result;
            (void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &mine);
            struct net_request *r = (struct net_request *)(void *)mine;
            settle(r, rc);
            drop(c, r);
            r->next = NULL;
            *end = r;
            end = &r->next;
        }
        if (!ended && turn == 0) {
            (void)curl_multi_poll(c->multi, NULL, 0, (int)ms, NULL);
            (void)curl_multi_perform(c->multi, &running);
        }
    }
    return ended;
}

void net_wake(struct net_client *c) { (void)curl_multi_wakeup(c->multi); }

/* --- URLs --- */

static bool part_is_there(CURLU *u, CURLUPart part)
{
    char *text = NULL;
    bool there = curl_url_get(u, part, &text, 0) == CURLUE_OK;
    curl_free(text);
    return there;
}

/* libcurl has brought 127.1, 0x7f.1 and 2130706433 into their common form. */
static bool is_address(const char *host, struct net_address *ret_address)
{
    struct slice h = slice_str(host);
    if (h.len > 2 && h.p[0] == '[')
        h = slice_of(h.p + 1, h.len - 2);
    return net_address_parse(h, ret_address) == KEER_OK;
}

static const char *wrong_with(CURLU *u, const struct net_networks *allowed)
{
    char *scheme = NULL, *host = NULL;
    const char *why = NULL;
    struct net_address address;
    if (curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK || curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK)
        why = "it needs a scheme and a host";
    else if (strcmp(scheme, "https") != 0 && strcmp(scheme, "http") != 0)
        why = "only https, and http to networks that are allowed, is taken";
    else if (part_is_there(u, CURLUPART_USER) || part_is_there(u, CURLUPART_PASSWORD))
        why = "a user name or a password has no place in it";
    else if (part_is_there(u, CURLUPART_FRAGMENT))
        why = "a fragment has no place in it";
    if (!why) {
        enum net_verdict v = is_address(host, &address) ? net_judge(allowed, &address) : NET_PUBLIC;
        if (v == NET_REFUSED)
            why = "its address is private, loopback, link-local or reserved";
        else if (v == NET_PUBLIC && strcmp(scheme, "http") == 0 && !allowed->count)
            why = "http is taken to networks that are allowed alone: use https";
    }
    curl_free(scheme);
    curl_free(host);
    return why;
}

enum keer_err net_url_check(struct slice url, const struct net_networks *allowed, char ret_why[NET_WHY_BYTES])
{
    char text[NET_URL_BYTES + 1];
    const char *why = NULL;
    if (!url.len || url.len > NET_URL_BYTES)
        why = "it is empty, or longer than 2000 bytes";
    for (size_t i = 0; !why && i < url.len; i++)
        if (url.p[i] <= ' ' || url.p[i] > '~' || url.p[i] == '\\')
            why = "it holds white space, a backslash or what is not ASCII";
    CURLU *u = why ? NULL : curl_url();
    if (!why && !u)
        return KEER_ENOMEM;
    if (!why) {
        memcpy(text, url.p, url.len);
        text[url.len] = '\0';
        why = curl_url_set(u, CURLUPART_URL, text, 0) == CURLUE_OK ? wrong_with(u, allowed) : "it can't be read";
    }
    curl_url_cleanup(u);
    if (why)
        (void)snprintf(ret_why, NET_WHY_BYTES, "%s", why);
    return why ? KEER_EINVALID : KEER_OK;
}

enum net_verdict net_url_judge(struct slice url, const struct net_networks *allowed)
{
    char text[NET_URL_BYTES + 1], *host = NULL;
    struct net_address address;
    enum net_verdict verdict = NET_PUBLIC;
    if (!url.len || url.len > NET_URL_BYTES)
        return NET_REFUSED;
    memcpy(text, url.p, url.len);
    text[url.len] = '\0';
    CURLU *u = curl_url();
    if (u && curl_url_set(u, CURLUPART_URL, text, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK && is_address(host, &address))
        verdict = net_judge(allowed, &address);
    curl_free(host);
    curl_url_cleanup(u);
    return verdict;
}
