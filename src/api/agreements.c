/* agreements.c - /v1/agreements, for stores: linking a wallet, its page, limits, pausing, ending; and for administrators, how high
 * the caps of an account may be.
 */
#include "api/wallets.h"
#include "base/num.h"

#define LIST_MAX 100

/* Analysts and administrators see all, a store what its key made. */
static struct agreements_who who_of(struct http_exchange *x)
{
    bool all = x->roles & (KEY_MAY(ANALYST) | KEY_MAY(ADMIN));
    return (struct agreements_who){.client = all ? SLICE("") : slice_str(x->caller)};
}

static void put_page(struct http_exchange *x, const char *path, const char *id)
{
    struct buf url;
    buf_init(&url, 400);
    buf_fmt(&url, "%s%s%s", visit_accounts(x)->words.url, path, id);
    buf_puts(&x->reply, ",\"url\":");
    buf_json(&x->reply, buf_view(&url));
    buf_release(&url);
}

static void answer(struct http_exchange *x, enum keer_err err, const struct agreements_answer *a)
{
    struct buf *b = &x->reply;
    if (wallets_problem(x, err, a))
        return;
    buf_char(b, '{');
    wallets_put_agreement(b, &a->agreement);
    if (id_is(&a->challenge) && a->agreement.state == AGREEMENT_STEP) {
        buf_fmt(b, ",\"challenge\":{\"id\":\"%s\"", a->challenge.text);
        put_page(x, "/challenge/", a->challenge.text);
        buf_char(b, '}');
    }
    if (a->url[0]) {
        buf_puts(b, ",\"url\":");
        buf_json(b, slice_str(a->url));
    }
    if (a->outcome == AGREEMENTS_PERSON) {
        buf_puts(b, ",\"next\":\"person\"");
        put_page(x, "/wallets", "");
    }
    buf_puts(b, "}\n");
    http_reply(x, a->fresh ? 201 : 200, HTTP_JSON);
}

/* --- linking --- */

static bool read_ask(struct http_exchange *x, const struct api_body *b, struct agreements_ask *a)
{
    struct slice account = {NULL, 0}, currency = {NULL, 0};
    struct agreement_limits limits;
    const struct {
        const char *name;
        bool required;
        size_t max;
        struct slice *to;
    } texts[] = {{"id", true, LIMIT_NAME_BYTES, &a->reference},
                 {"subject", false, 128, &a->subject},
                 {"account", false, 64, &account},
                 {"wallet", true, WALLET_NAME_BYTES, &a->wallet},
                 {"currency", true, 3, &currency},
                 {"return_url", true, AGREEMENT_URL_BYTES, &a->return_url},
                 {"device", false, LIMIT_NAME_BYTES, &a->device},
                 {"ip", false, 45, &a->ip},
                 {"user_agent", false, 1000, &a->user_agent},
                 {"session", false, LIMIT_NAME_BYTES, &a->session},
                 {"store", false, CHALLENGE_TEXT_BYTES, &a->store}};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (!api_body_line(x, b, texts[i].name, texts[i].required, texts[i].max, texts[i].to))
            return false;
    a->currency = currency_parse(currency);
    if (a->currency == CUR_MAX)
        http_problem(x, HTTP_BAD_BODY, "currency: an ISO 4217 code, as EUR");
    else if ((a->subject.p != NULL) == (account.p != NULL) || (account.p && id_parse(account, &a->account) != KEER_OK))
        http_problem(x, HTTP_BAD_BODY,
                     "either subject, the store's own name of an account, or account, an id of this service");
    else if (!api_url_good(a->return_url))
        http_problem(x, HTTP_BAD_BODY,
                     "return_url: an address that begins with https://, without # and unescaped characters");
    else if (wallets_read_limits(x, b, a->currency, &limits, &a->has_caps)) {
        a->caps = limits.caps;
        a->unverified_limit_minor = MAX_OF(limits.unverified_limit_minor, 0);
        return true;
    }
    return false;
}

void agreements_post(struct http_exchange *x)
{
    struct api_body b = {0};
    struct agreements_answer *a = calloc(1, sizeof *a);
    struct agreements_ask ask = {.client = slice_str(x->caller)};
    const struct agreements *g = wallets_on(x);
    if (!a)
        http_problem(x, HTTP_NO_MEMORY, "%s", "");
    else if (g &&
             api_body_read(x, &b,
                           "id account subject wallet currency caps unverified_spend_limit return_url device ip "
                           "user_agent session store") &&
             read_ask(x, &b, &ask)) {
        enum keer_err err = agreements_link(g, x->worker, &ask, a);
        if (a->outcome == AGREEMENTS_BAD_CAPS)
            a->agreement.currency = ask.currency;
        answer(x, err, a);
    }
    free(a);
    api_body_release(&b);
}

/* --- one of them --- */

typedef enum keer_err use_fn(const struct agreements *g, struct desk_worker *w, const struct agreements_who *who,
                             const struct id *id, struct agreements_answer *ret);

static void use(struct http_exchange *x, use_fn *fn, bool body)
{
    struct id id;
    struct api_body b = {0};
    struct agreements_who who = who_of(x);
    const struct agreements *g = wallets_on(x);
    struct agreements_answer *a = calloc(1, sizeof *a);
    if (!a)
        http_problem(x, HTTP_NO_MEMORY, "%s", "");
    else if (g && visit_id(x, &id) && (!body || api_body_read(x, &b, "")))
        answer(x, fn(g, x->worker, &who, &id, a), a);
    free(a);
    api_body_release(&b);
}

static enum keer_err resume(const struct agreements *g, struct desk_worker *w, const struct agreements_who *who,
                            const struct id *id, struct agreements_answer *ret)
{
    static const struct id none = {""};
    return agreements_resume(g, w, who, id, &none, ret);
}

void agreements_get(struct http_exchange *x) { use(x, agreements_look, false); }
void agreements_pause_post(struct http_exchange *x) { use(x, agreements_pause, true); }
void agreements_resume_post(struct http_exchange *x) { use(x, resume, true); }
static bool read_flag(struct http_exchange *x, const struct api_body *b, const char *name, bool *ret)
{
    uint32_t at = tape_find(&b->tape, 0, name);
    if (at == TAPE_NONE)
        return true;
    *ret = tape_type(&b->tape, at) == TAPE_TRUE;
    if (*ret || tape_type(&b->tape, at) == TAPE_FALSE)
        return true;
    http_problem(x, HTTP_BAD_BODY, "%s: true or false was expected", name);
    return false;
}

/* With ended_at_wallet: somebody has seen there that it is over, where the wallet says nothing that is signed. */
void agreements_end_post(struct http_exchange *x)
{
    struct id id;
    struct api_body b = {0};
    bool seen = false;
    struct agreements_who who = who_of(x);
    const struct agreements *g = wallets_on(x);
    struct agreements_answer *a = calloc(1, sizeof *a);
    if (!a)
        http_problem(x, HTTP_NO_MEMORY, "%s", "");
    else if (g && visit_id(x, &id) && api_body_read(x, &b, "ended_at_wallet") &&
             read_flag(x, &b, "ended_at_wallet", &seen)) {
        if (seen && !(x->roles & KEY_MAY(ADMIN)))
            http_problem(x, HTTP_WRONG_ROLE, "ended_at_wallet is an administrator's to say");
        else
            answer(x, (seen ? agreements_end_seen : agreements_end)(g, x->worker, &who, &id, a), a);
    }
    free(a);
    api_body_release(&b);
}
void agreements_sync_post(struct http_exchange *x) { use(x, agreements_sync, true); }

void agreements_sign_post(struct http_exchange *x)
{
    struct id id;
    struct api_body b = {0};
    struct slice code = {NULL, 0};
    struct agreements_who who = who_of(x);
    const struct agreements *g = wallets_on(x);
    struct agreements_answer *a = calloc(1, sizeof *a);
    if (!a)
        http_problem(x, HTTP_NO_MEMORY, "%s", "");
    else if (g && visit_id(x, &id) && api_body_read(x, &b, "auth_code") &&
             api_body_line(x, &b, "auth_code", false, WALLET_REF_BYTES, &code))
        answer(x, agreements_sign(g, x->worker, &who, &id, code, a), a);
    free(a);
    api_body_release(&b);
}

void agreements_caps_post(struct http_exchange *x)
{
    static const struct id none = {""};
    struct id id;
    struct api_body b = {0};
    struct agreement_limits to;
    bool caps;
    struct agreements_who who = who_of(x);
    const struct agreements *g = wallets_on(x);
    struct agreements_answer *a = calloc(1, sizeof *a);
    if (!a)
        http_problem(x, HTTP_NO_MEMORY, "%s", "");
    else if (g && visit_id(x, &id) && api_body_read(x, &b, "caps unverified_spend_limit")) {
        enum keer_err err = agreements_look(g, x->worker, &who, &id, a); /* its currency says what an amount is */
        if (wallets_problem(x, err, a) || !wallets_read_limits(x, &b, a->agreement.currency, &to, &caps))
            goto out;
        answer(x, agreements_limits(g, x->worker, &who, &id, &to, &none, a), a);
    }
out:
    free(a);
    api_body_release(&b);
}

/* --- the ceiling of an account --- */

struct ceiling {
    struct id account;
    enum currency currency;
    struct agreement_caps caps;
    struct slice by;
    int64_t now_us;
};
static enum keer_err set_ceiling(struct db *db, void *ctx)
{
    struct ceiling *c = ctx;
    return agreement_set_ceiling(db, &c->account, c->currency, &c->caps, c->by, c->now_us);
}

static bool read_ceiling(struct http_exchange *x, const struct api_body *b, struct ceiling *c)
{
    struct slice currency = {NULL, 0};
    struct agreement_limits limits;
    bool caps;
    if (!api_body_line(x, b, "currency", /* required */ true, 3, &currency))
        return false;
    c->currency = currency_parse(currency);
    if (c->currency == CUR_MAX) {
        http_problem(x, HTTP_BAD_BODY, "currency: an ISO 4217 code, as EUR");
        return false;
    }
    if (!wallets_read_limits(x, b, c->currency, &limits, &caps))
        return false;
    c->caps = limits.caps;
    if (agreement_check(c->currency, &c->caps, 0) == KEER_OK)
        return true;
    http_problem(x, HTTP_BAD_BODY, "caps: all four are needed; a charge is at most a day's, a day's at most a month's");
    return false;
}

void accounts_ceiling(struct http_exchange *x)
{
    struct api_body b = {0};
    struct ceiling c = {.by = slice_str(x->caller), .now_us = desk_wall_us(x->worker)};
    if (visit_id(x, &c.account) && api_body_read(x, &b, "currency caps") && read_ceiling(x, &b, &c)) {
        enum keer_err err = desk_write(x->worker, set_ceiling, &c);
        if (err == KEER_EMISSING) {
            http_problem(x, HTTP_NOT_FOUND, "no account of this id");
        } else if (err != KEER_OK) {
            visit_failed(x, err);
        } else {
            buf_fmt(&x->reply, "{\"account\":\"%s\",\"currency\":\"%s\"", c.account.text, currency_code(c.currency));
            wallets_put_caps(&x->reply, "ceiling", &c.caps, c.currency);
            buf_puts(&x->reply, "}\n");
            http_reply(x, 200, HTTP_JSON);
        }
    }
    api_body_release(&b);
}

/* --- all of them --- */

struct listing {
    struct agreement_find find;
    unsigned max, count;
    struct agreement *rows;
};

static enum keer_err list(struct db *db, void *ctx)
{
    struct listing *l = ctx;
    return agreements_list(db, &l->find, l->rows, l->max, &l->count);
}

static bool read_find(struct http_exchange *x, struct listing *l)
{
    struct http_param q[] = {{.name = "account"}, {.name = "state"}, {.name = "after"}, {.name = "limit"}};
    int64_t limit = LIST_MAX;
    if (!http_query(x, q, ARRAY_LEN(q)))
        return false;
    l->find.client = who_of(x).client;
    enum agreement_state state = q[1].value.p ? agreement_state_find(q[1].value) : AGREEMENT_STATE_MAX;
    if (q[0].value.p && id_parse(q[0].value, &l->find.account) != KEER_OK)
        http_problem(x, HTTP_BAD_QUERY, "account: that is no id");
    else if (q[1].value.p && state == AGREEMENT_STATE_MAX)
        http_problem(x, HTTP_BAD_QUERY, "state: there are needs_step, signing, active, paused, ending, ended");
    else if (q[2].value.p && id_parse(q[2].value, &l->find.after) != KEER_OK)
        http_problem(x, HTTP_BAD_QUERY, "after: the id of the last agreement of the page before");
    else if (q[3].value.p && num_i64(q[3].value, 1, LIST_MAX, &limit) != KEER_OK)
        http_problem(x, HTTP_BAD_QUERY, "limit: 1 to %d", LIST_MAX);
    else {
        l->find.states = q[1].value.p ? AGREEMENT_BIT(state) : 0;
        l->max = (unsigned)limit;
        return true;
    }
    return false;
}

void agreements_get_list(struct http_exchange *x)
{
    struct listing l = {.max = LIST_MAX};
    struct buf *b = &x->reply;
    if (!wallets_on(x) || !read_find(x, &l))
        return;
    l.rows = calloc(l.max, sizeof *l.rows);
    enum keer_err err = l.rows ? desk_read(x->worker, list, &l) : KEER_ENOMEM;
    if (err != KEER_OK) {
        visit_failed(x, err);
    } else {
        buf_puts(b, "{\"agreements\":[");
        for (unsigned i = 0; i < l.count; i++) {
            buf_puts(b, i ? ",{" : "{");
            wallets_put_agreement(b, &l.rows[i]);
            buf_char(b, '}');
        }
        buf_puts(b, "]}\n");
        http_reply(x, 200, HTTP_JSON);
    }
    free(l.rows);
}
