/* shop.c - the store's calls, and the books. */
#include "sim/shop.h"

#include "base/num.h"
#include "base/timefmt.h"

#define BODY_BYTES ((size_t)16384)
/* Caps that no script reaches; a wallet that is told of them does not stop it either. */
#define BOUNDLESS "{\"charge\":\"100000.00\",\"day\":\"1000000.00\",\"month\":\"1000000.00\",\"count\":1000}"
#define SETTLE_US (20 * US_SECOND)
#define SETTLE_LOOK_US ((int64_t)20000)

enum keer_err shop_problem(const struct talk *a, const char *what, char ret_why[PERSON_WHY_BYTES])
{
    char code[64];
    struct slice detail = talk_text(a, "detail");
    talk_problem(a, code, sizeof code);
    (void)snprintf(ret_why, PERSON_WHY_BYTES, "%s: %s " SLICE_FMT, what, a->status ? code : a->why, SLICE_ARG(detail));
    return KEER_EIO;
}

/* Microseconds to base 36: short, and another one in each run. */
static void print_mark(char *ret, size_t size, int64_t us)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    char back[24] = "";
    size_t n = 0;
    for (uint64_t v = (uint64_t)us; v && n < sizeof back; v /= 36)
        back[n++] = digits[v % 36];
    n = MIN_OF(n, size - 1);
    for (size_t i = 0; i < n; i++)
        ret[i] = back[n - 1 - i];
    ret[n] = '\0';
}

void shop_open(struct shop *s, const struct person_site *people, const char *emulator, const char *store_key,
               const char *admin_key, int64_t (*now_us)(void))
{
    *s = (struct shop){.people = people, .emulator = emulator, .now_us = now_us};
    s->store = (struct talker){.fetch = people->fetch, .base = people->daemon, .key = store_key};
    s->admin = (struct talker){.fetch = people->fetch, .base = people->daemon, .key = admin_key};
    print_mark(s->mark, sizeof s->mark, people->wall_us());
}

void shop_release(struct shop *s) { talk_release(&s->a); }

bool shop_is(const struct shop *s, const char *state) { return s->a.status < 300 && talk_is(&s->a, "state", state); }

static void text_member(struct buf *b, const char *name, const char *value)
{
    buf_fmt(b, "%s\"%s\":", b->len > 1 ? "," : "", name);
    buf_json(b, slice_str(value));
}

static enum keer_err post_nothing(struct shop *s, const char *path)
{
    return talk(&s->store, "POST", path, SLICE("{}"), NULL, &s->a);
}

/* --- linking --- */

/* The person agrees on the wallet's page, at the emulator. */
static enum keer_err sign_at_wallet(struct shop *s, struct person *p, char ret_why[PERSON_WHY_BYTES])
{
    struct buf body;
    struct talker wallet = {.fetch = s->people->fetch, .base = s->emulator};
    buf_init(&body, BODY_BYTES);
    buf_puts(&body, "{\"url\":");
    buf_json(&body, talk_text(&s->a, "url"));
    buf_char(&body, '}');
    enum keer_err err = person_call(&wallet, "POST", "/emulator/sign", &body, NULL, &p->answer);
    (void)snprintf(p->number, sizeof p->number, SLICE_FMT, SLICE_ARG(talk_text(&p->answer, "number")));
    return err == KEER_OK && p->number[0] ? KEER_OK : shop_problem(&p->answer, "signing at the wallet", ret_why);
}

/* The wallet's notice comes by itself; asking it is the other way. */
static enum keer_err wait_active(struct shop *s, const struct person *p, char ret_why[PERSON_WHY_BYTES])
{
    char path[96];
    int64_t until = s->now_us() + SETTLE_US;
    enum keer_err err;
    (void)snprintf(path, sizeof path, "/v1/agreements/%s/sync", p->agreement);
    do {
        err = post_nothing(s, path);
        if (err != KEER_OK || shop_is(s, "active"))
            break;
        person_sleep(SETTLE_LOOK_US);
    } while (s->now_us() < until);
    return err == KEER_OK && shop_is(s, "active") ? KEER_OK : shop_problem(&s->a, "linking the wallet", ret_why);
}

enum keer_err shop_link(struct shop *s, struct person *p, const struct shop_link *l, char ret_why[PERSON_WHY_BYTES])
{
    struct buf body;
    char path[96], challenge[32];
    bool done = true;
    buf_init(&body, BODY_BYTES);
    if (l->boundless) { /* above the ceiling of an account: an administrator's to lift */
        buf_puts(&body, "{\"currency\":\"CNY\",\"caps\":" BOUNDLESS "}");
        (void)snprintf(path, sizeof path, "/v1/accounts/%s/ceiling", p->account);
        if (person_call(&s->admin, "POST", path, &body, NULL, &s->a) != KEER_OK || s->a.status >= 300)
            return shop_problem(&s->a, "the ceiling of the caps", ret_why);
        buf_clear(&body);
    }
    buf_fmt(&body, "{\"id\":\"%s-w%u\"", s->mark, s->serial++);
    text_member(&body, "account", p->account);
    text_member(&body, "wallet", l->wallet);
    text_member(&body, "currency", "CNY");
    text_member(&body, "return_url", "https://store.example/linked");
    text_member(&body, "device", l->device);
    text_member(&body, "store", SHOP_PAYEE);
    if (l->boundless)
        buf_puts(&body, ",\"caps\":" BOUNDLESS);
    buf_char(&body, '}');
    enum keer_err err = person_call(&s->store, "POST", "/v1/agreements", &body, NULL, &s->a);
    if (err != KEER_OK || s->a.status >= 300)
        return shop_problem(&s->a, "an agreement", ret_why);
    (void)snprintf(p->agreement, sizeof p->agreement, SLICE_FMT, SLICE_ARG(talk_text(&s->a, "id")));
    (void)snprintf(challenge, sizeof challenge, SLICE_FMT, SLICE_ARG(talk_text(&s->a, "challenge.id")));
    if (challenge[0])
        err = person_answer(p, &p->browser, challenge, PERSON_BY_CODE, &p->answer, &done);
    if (err != KEER_OK || !done)
        return shop_problem(&p->answer, "the step of linking", ret_why);
    (void)snprintf(path, sizeof path, "/v1/agreements/%s/sign", p->agreement);
    err = post_nothing(s, path);
    if (err != KEER_OK || s->a.status >= 300)
        return shop_problem(&s->a, "asking the wallet to sign", ret_why);
    err = sign_at_wallet(s, p, ret_why);
    return err == KEER_OK ? wait_active(s, p, ret_why) : err;
}

/* --- charging --- */

static void put_order(struct shop *s, const struct person *p, const struct shop_order *o, struct buf *b)
{
    buf_init(b, BODY_BYTES);
    buf_fmt(b, "{\"id\":\"%s-c%u\"", s->mark, s->serial++);
    if (o->kind == SHOP_SPEND)
        text_member(b, "account", p->account);
    else {
        text_member(b, "agreement", p->agreement);
        text_member(b, "type", o->kind == SHOP_TOP_UP ? "top_up" : "purchase");
    }
    text_member(b, "payee", SHOP_PAYEE);
    buf_fmt(b, ",\"amount\":\"%lld.%02lld\",\"currency\":\"CNY\"", (long long)(o->minor / 100), (long long)(o->minor % 100));
    text_member(b, "item", o->item);
    if (o->beneficiary[0])
        text_member(b, "beneficiary", o->beneficiary);
    text_member(b, "device", o->device);
    text_member(b, "ip", o->ip);
    text_member(b, "user_agent", o->user_agent);
    buf_char(b, '}');
}

enum keer_err shop_charge(struct shop *s, const struct person *p, const struct shop_order *o, char ret_id[SHOP_ID_BYTES])
{
    struct buf body;
    put_order(s, p, o, &body);
    ret_id[0] = '\0';
    enum keer_err err =
        person_call(&s->store, "POST", o->kind == SHOP_SPEND ? "/v1/spends" : "/v1/charges", &body, NULL, &s->a);
    if (err == KEER_OK && s->a.status < 300)
        (void)snprintf(ret_id, SHOP_ID_BYTES, SLICE_FMT, SLICE_ARG(talk_text(&s->a, "id")));
    return err;
}

enum keer_err shop_confirm(struct shop *s, const char *id)
{
    char path[SHOP_ID_BYTES + 32];
    (void)snprintf(path, sizeof path, "/v1/charges/%s/confirm", id);
    return post_nothing(s, path);
}

enum keer_err shop_settle(struct shop *s, const char *id)
{
    char path[SHOP_ID_BYTES + 32];
    int64_t until = s->now_us() + SETTLE_US;
    enum keer_err err = KEER_OK;
    (void)snprintf(path, sizeof path, "/v1/charges/%s", id);
    while (err == KEER_OK && (shop_is(s, "submitted") || shop_is(s, "unknown")) && s->now_us() < until) {
        person_sleep(SETTLE_LOOK_US);
        err = talk(&s->store, "GET", path, (struct slice){0}, NULL, &s->a);
    }
    return err;
}

enum keer_err shop_wait_balance(struct shop *s, const struct person *p)
{
    char path[96];
    int64_t until = s->now_us() + SETTLE_US;
    enum keer_err err;
    (void)snprintf(path, sizeof path, "/v1/balances/%s", p->account);
    do {
        err = talk(&s->admin, "GET", path, (struct slice){0}, NULL, &s->a);
        uint32_t holds = err == KEER_OK && s->a.tape.count ? tape_find(&s->a.tape, 0, "holds") : TAPE_NONE;
        if (err != KEER_OK || holds == TAPE_NONE || s->a.tape.v[holds].len == 0)
            break;
        person_sleep(SETTLE_LOOK_US);
    } while (s->now_us() < until);
    return err;
}

/* --- the books --- */

/* "2100.00" */
static bool minor_of(struct slice money, int64_t *ret)
{
    char digits[32];
    size_t n = 0;
    for (size_t i = 0; i < money.len && n < sizeof digits; i++)
        if (money.p[i] != '.')
            digits[n++] = money.p[i];
    return num_i64(slice_of(digits, n), INT64_MIN, INT64_MAX, ret) == KEER_OK;
}

enum keer_err shop_ledger(struct shop *s, const struct person *p, int64_t *ret_minor, char ret_why[PERSON_WHY_BYTES])
{
    char path[96];
    (void)snprintf(path, sizeof path, "/v1/ledger/statement?agreement=%s&limit=500", p->agreement);
    enum keer_err err = talk(&s->admin, "GET", path, (struct slice){0}, NULL, &s->a);
    *ret_minor = 0;
    if (err == KEER_OK && s->a.status == 404) /* nothing was ever charged on it */
        return KEER_OK;
    if (err != KEER_OK || s->a.status != 200 || !minor_of(talk_text(&s->a, "closing.balance"), ret_minor))
        return shop_problem(&s->a, "the statement of the agreement", ret_why);
    return KEER_OK;
}

static bool number_of(const struct talk *line, const char *name, int64_t *ret)
{
    return num_i64(talk_text(line, name), INT64_MIN, INT64_MAX, ret) == KEER_OK;
}

enum keer_err shop_journal(struct shop *s, const struct person *p, int64_t *ret_minor, char ret_why[PERSON_WHY_BYTES])
{
    static const struct tape_limits limits = {.bytes = 1u << 20, .values = 1000, .depth = 8, .keys = 64};
    struct talk line = {0};
    struct tape_error wrong;
    struct talker judge = {.fetch = s->people->fetch, .base = s->emulator};
    enum keer_err err = talk(&judge, "GET", "/emulator/journal", (struct slice){0}, NULL, &s->a);
    struct slice rest = buf_view(&s->a.body);
    if (err != KEER_OK || s->a.status != 200)
        return shop_problem(&s->a, "the wallet's journal", ret_why);
    *ret_minor = 0;
    while (rest.len) {
        struct slice text = slice_cut(&rest, '\n');
        int64_t minor = 0;
        if (tape_read(&line.tape, text, &limits, &wrong) != KEER_OK || !number_of(&line, "amount", &minor) ||
            !talk_is(&line, "agreement", p->number))
            continue;
        if (talk_is(&line, "kind", "charge") && talk_is(&line, "what", "paid"))
            *ret_minor += minor;
    }
    tape_release(&line.tape);
    return KEER_OK;
}
