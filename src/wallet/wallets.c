/* wallets.c - the wallets of a daemon: the file, strictly read, and what it names. */
#include "net/client.h"
#include "wallet/inside.h"
#include "wallet/settings.h"
#include "wallet/sign.h"

struct wallets {
    unsigned count;
    struct wallet wallet[WALLETS_MAX];
};

static const struct wallet_driver *const drivers[] = {
#define WALLET_DRIVER(driver) &driver,
#include "wallet/drivers.def"
#undef WALLET_DRIVER
    NULL};

/* --- putting together --- */

static bool name_can_be(const char *name)
{
    size_t len = strlen(name);
    return len && len <= WALLET_NAME_BYTES && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == len;
}

enum keer_err wallets_new(struct wallets **ret)
{
    struct wallets *ws = calloc(1, sizeof *ws);
    if (!ws)
        return KEER_ENOMEM;
    *ret = ws;
    return KEER_OK;
}

static enum keer_err fill(struct wallet *w, const struct wallet_options *o)
{
    *w = (struct wallet){.driver = o->driver,
                         .self = o->self,
                         .url = strdup(o->url ? o->url : ""),
                         .notify_url = strdup(o->notify_url ? o->notify_url : ""),
                         .connect_us = o->connect_us ? o->connect_us : WALLET_CONNECT_US,
                         .whole_us = o->whole_us ? o->whole_us : WALLET_WHOLE_US,
                         .breaker_us = o->breaker_us ? o->breaker_us : WALLET_BREAKER_US,
                         .breaker_failures = o->breaker_failures ? o->breaker_failures : WALLET_BREAKER_FAILURES,
                         .loopback = o->loopback};
    (void)snprintf(w->name, sizeof w->name, "%s", o->name);
    (void)pthread_mutex_init(&w->breaker.lock, NULL);
    return w->url && w->notify_url ? KEER_OK : KEER_ENOMEM;
}

static void clear(struct wallet *w)
{
    free(w->url);
    free(w->notify_url);
    (void)pthread_mutex_destroy(&w->breaker.lock);
}

enum keer_err wallets_add(struct wallets *ws, const struct wallet_options *o)
{
    enum keer_err err = name_can_be(o->name) ? KEER_OK : KEER_EINVALID;
    if (err == KEER_OK && ws->count == WALLETS_MAX)
        err = KEER_ELIMIT;
    if (err == KEER_OK && wallets_find(ws, slice_str(o->name)))
        err = KEER_ECONFLICT;
    if (err == KEER_OK) {
        struct wallet *w = &ws->wallet[ws->count];
        err = fill(w, o);
        if (err == KEER_OK)
            ws->count++;
        else
            clear(w);
    }
    if (err != KEER_OK)
        o->driver->free(o->self);
    return err;
}

void wallets_free(struct wallets *ws)
{
    if (!ws)
        return;
    for (unsigned i = 0; i < ws->count; i++) {
        ws->wallet[i].driver->free(ws->wallet[i].self);
        clear(&ws->wallet[i]);
    }
    free(ws);
}

unsigned wallets_count(const struct wallets *ws) { return ws->count; }
struct wallet *wallets_at(struct wallets *ws, unsigned i) { return &ws->wallet[i]; }

struct wallet *wallets_find(struct wallets *ws, struct slice name)
{
    for (unsigned i = 0; i < ws->count; i++)
        if (slice_eq(slice_str(ws->wallet[i].name), name))
            return &ws->wallet[i];
    return NULL;
}

const char *wallet_name(const struct wallet *w) { return w->name; }
const struct wallet_driver *wallet_driver(const struct wallet *w) { return w->driver; }
void *wallet_self(struct wallet *w) { return w->self; }
const char *wallet_url(const struct wallet *w) { return w->url; }
const char *wallet_notify_url(const struct wallet *w) { return w->notify_url; }
bool wallet_is_loopback(const struct wallet *w) { return w->loopback; }

/* --- the file --- */

static const struct wallet_driver *driver_of(const char *kind)
{
    for (size_t i = 0; drivers[i]; i++)
        if (strcmp(drivers[i]->kind, kind) == 0)
            return drivers[i];
    return NULL;
}

static void kinds(char *ret, size_t cap)
{
    size_t used = 0;
    ret[0] = '\0';
    for (size_t i = 0; drivers[i] && used < cap; i++)
        used += (size_t)snprintf(ret + used, cap - used, "%s%s", i ? ", " : "", drivers[i]->kind);
}

struct row {
    char name[WALLET_NAME_BYTES + 1], kind[WALLET_NAME_BYTES + 1];
    char url[NET_URL_BYTES + 1], notify_url[NET_URL_BYTES + 1];
    int64_t connect_ms, whole_ms, failures, breaker_ms;
    bool loopback;
};

/* A wallet at this very machine is an emulator: http is taken to it. One elsewhere is reached by https alone. */
static void check_url(struct wallet_settings *s, struct row *r)
{
    char why[NET_WHY_BYTES];
    struct net_networks loopback = {0}, none = {0};
    if (s->err != KEER_OK)
        return;
    if (net_networks_add(&loopback, SLICE("127.0.0.0/8,::1")) != KEER_OK ||
        (net_url_check(slice_str(r->url), &loopback, why) != KEER_OK)) {
        settings_fail(s, KEER_EINVALID, "\"url\": %s", why);
        return;
    }
    r->loopback = net_url_judge(slice_str(r->url), &loopback) == NET_ALLOWED;
    if (!r->loopback && net_url_check(slice_str(r->url), &none, why) != KEER_OK)
        settings_fail(s, KEER_EINVALID, "\"url\": http is taken to this machine alone (127.0.0.1): use https");
}

static void read_row(struct wallet_settings *s, struct row *r)
{
    settings_text(s, 0, "name", false, r->name, sizeof r->name);
    settings_text(s, 0, "kind", false, r->kind, sizeof r->kind);
    settings_text(s, 0, "url", false, r->url, sizeof r->url);
    settings_text(s, 0, "notify_url", true, r->notify_url, sizeof r->notify_url);
    r->whole_ms = settings_number(s, 0, "timeout_ms", 1, 60000, WALLET_WHOLE_US / 1000);
    r->connect_ms = settings_number(s, 0, "connect_timeout_ms", 1, 60000, WALLET_CONNECT_US / 1000);
    r->failures = settings_number(s, 0, "breaker_failures", 1, 1000000, WALLET_BREAKER_FAILURES);
    r->breaker_ms = settings_number(s, 0, "breaker_ms", 1, 3600000, WALLET_BREAKER_US / 1000);
    if (s->err == KEER_OK && !name_can_be(r->name))
        settings_fail(s, KEER_EINVALID, "\"name\": a to z, 0 to 9, _ and - are taken");
    if (s->err == KEER_OK && r->notify_url[0]) {
        char why[NET_WHY_BYTES];
        struct net_networks any = {0};
        if (net_networks_add(&any, SLICE("0.0.0.0/0,::/0")) != KEER_OK ||
            net_url_check(slice_str(r->notify_url), &any, why) != KEER_OK)
            settings_fail(s, KEER_EINVALID, "\"notify_url\": %s", why);
    }
    check_url(s, r);
}

static enum keer_err open_row(struct wallets *ws, struct slice json, const char *folder, struct row *r,
                              char ret_why[WALLET_WHY_BYTES])
{
    struct wallet_settings s;
    char known[WALLET_WHY_BYTES];
    void *self = NULL;
    enum keer_err err = settings_open(&s, json, folder, ret_why);
    *r = (struct row){0};
    read_row(&s, r);
    const struct wallet_driver *driver = s.err == KEER_OK ? driver_of(r->kind) : NULL;
    if (s.err == KEER_OK && !driver) {
        kinds(known, sizeof known);
        settings_fail(&s, KEER_EUNSUPPORTED, "\"kind\": '%s' is none of %.100s", r->kind, known);
    }
    if (s.err == KEER_OK && wallets_find(ws, slice_str(r->name)))
        settings_fail(&s, KEER_ECONFLICT, "\"name\": there is another wallet of this name");
    err = s.err;
    settings_close(&s);
    if (err != KEER_OK || !driver)
        return err;
    err = driver->open(json, folder, &self, ret_why);
    if (err != KEER_OK)
        return err;
    struct wallet_options o = {.name = r->name,
                               .driver = driver,
                               .self = self,
                               .url = r->url,
                               .notify_url = r->notify_url,
                               .connect_us = r->connect_ms * 1000,
                               .whole_us = r->whole_ms * 1000,
                               .breaker_failures = (unsigned)r->failures,
                               .breaker_us = r->breaker_ms * 1000,
                               .loopback = r->loopback};
    err = wallets_add(ws, &o);
    if (err != KEER_OK)
        (void)snprintf(ret_why, WALLET_WHY_BYTES, "%s", keer_err_text(err));
    return err;
}

static enum keer_err open_rows(struct wallets *ws, struct slice text, const char *folder, char *why, size_t why_cap)
{
    static const struct tape_limits limits = {.bytes = SETTINGS_FILE_BYTES, .values = 8192, .depth = 10, .keys = 64};
    struct tape t = {0};
    struct tape_error error;
    char row_why[WALLET_WHY_BYTES] = "";
    enum keer_err err = tape_read(&t, text, &limits, &error);
    if (err != KEER_OK) {
        (void)snprintf(why, why_cap, "byte %zu: %s", error.at, error.text);
        tape_release(&t);
        return err;
    }
    uint32_t list = tape_type(&t, 0) == TAPE_OBJECT && t.v[0].len == 1 ? tape_find(&t, 0, "wallets") : TAPE_NONE;
    if (list == TAPE_NONE || tape_type(&t, list) != TAPE_ARRAY || !t.v[list].len || t.v[list].len > WALLETS_MAX) {
        (void)snprintf(why, why_cap, "{\"wallets\":[...]} with 1 to %d wallets is wanted, and nothing else", WALLETS_MAX);
        err = KEER_EINVALID;
    }
    uint32_t item = list + 1;
    for (uint32_t i = 0; err == KEER_OK && i < t.v[list].len; i++, item = t.v[item].next) {
        struct row r = {0};
        if (tape_type(&t, item) == TAPE_OBJECT) {
            size_t at = tape_at(&t, item);
            err = open_row(ws, json_span(slice_of(text.p + at, text.len - at)), folder, &r, row_why);
        } else {
            err = KEER_EFORMAT;
            (void)snprintf(row_why, sizeof row_why, "it is no object");
        }
        if (err != KEER_OK)
            (void)snprintf(why, why_cap, "wallet %u%s%s%s: %s", i + 1, r.name[0] ? " '" : "", r.name, r.name[0] ? "'" : "",
                           row_why);
    }
    tape_release(&t);
    return err;
}

static void folder_of(const char *path, char *ret, size_t cap)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        (void)snprintf(ret, cap, ".");
    else
        (void)snprintf(ret, cap, "%.*s", slash == path ? 1 : (int)MIN_OF(slash - path, 4000), path);
}

enum keer_err wallets_open(const char *path, struct wallets **ret, char ret_why[WALLET_WHY_BYTES * 2])
{
    struct wallets *ws = NULL;
    struct buf text;
    char folder[4096];
    folder_of(path, folder, sizeof folder);
    buf_init(&text, SETTINGS_FILE_BYTES);
    enum keer_err err = wallets_new(&ws);
    if (err != KEER_OK)
        (void)snprintf(ret_why, WALLET_WHY_BYTES * 2, "%s", keer_err_text(err));
    else
        err = settings_read_file(path, &text, ret_why);
    if (err == KEER_OK)
        err = open_rows(ws, buf_view(&text), folder, ret_why, WALLET_WHY_BYTES * 2);
    buf_release(&text);
    if (err == KEER_OK)
        *ret = ws;
    else
        wallets_free(ws);
    return err;
}
