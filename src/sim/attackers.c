/* attackers.c - what thieves try over the API. */
#include "sim/attackers.h"

#include "base/crypto.h"
#include "base/timefmt.h"

#define PASSWORD "orange bicycle under seven lamps"
#define NEW_PASSWORD "a quiet canal with eleven bridges"
#define WAIT_US (30 * US_SECOND) /* for what the daemon does by its clock */
#define LOOK_US ((int64_t)100000)
#define RAISED "10000.00"      /* the ceiling of a day */
#define BALANCE INT64_C(30000) /* that she has topped up, where it is about that */

/* What he buys, one after the other, until nothing more passes. */
static const int64_t baskets[] = {70000, 70000, 30000, 10000, 100};
static const int64_t raised_baskets[] = {1000000, 140000, 70000, 70000, 70000, 70000, 20000, 100};

struct attack {
    enum attacker attacker;
    struct shop *shop;
    struct person victim, he; /* `he`: what he knows, his own app */
    struct talker browser;    /* his; or the victim's, when he has her cookies or her device */
    struct talker other;      /* a second browser of his, without a session */
    struct talk a;
    char codes[2][9]; /* of her app, that he has; "" when it is spent */
    bool own_app, own_codes, device, raised;
    int64_t spent_minor, hers_minor; /* of her balance by him; charged by herself before */
    char stopped[ATTACK_STOPPED_BYTES];
};

/* Each place once, in the order in which he met them. */
static void stopped(struct attack *k, const char *where)
{
    size_t n = strlen(k->stopped);
    if (!slice_has(slice_str(k->stopped), slice_str(where)))
        (void)snprintf(k->stopped + n, sizeof k->stopped - n, "%s%s", n ? "; " : "", where);
}

static void stopped_by(struct attack *k, const char *what, struct slice why)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%.20s: %.*s", what, (int)MIN_OF(why.len, (size_t)40), why.p ? why.p : "");
    stopped(k, text);
}

/* The answer of a call that changes something: a refusal, a step, or a wait stop him unless he can go on. */
static void note(struct attack *k, const char *what)
{
    char code[40], text[64];
    talk_problem(&k->a, code, sizeof code);
    if (k->a.status >= 300)
        (void)snprintf(text, sizeof text, "%.20s: %.40s", what, code);
    else if (talk_is(&k->a, "next", "step"))
        (void)snprintf(text, sizeof text, "%.20s: a second step", what);
    else if (talk_text(&k->a, "pending").len)
        (void)snprintf(text, sizeof text, "%.20s: a wait", what);
    else
        return;
    stopped(k, text);
}

static enum keer_err post(struct attack *k, struct talker *t, const char *path, const char *json, const char *challenge)
{
    return talk(t, "POST", path, slice_str(json), challenge, &k->a);
}

static void keep(char *to, size_t size, struct slice from) { (void)snprintf(to, size, SLICE_FMT, SLICE_ARG(from)); }

/* --- steps that he can do --- */

/* The number on one screen, typed on the trusted device. */
static enum keer_err approve(struct attack *k, const char *challenge, bool *ret_done)
{
    char path[128], json[64], number[16], prompt[32] = "";
    (void)snprintf(path, sizeof path, "/v1/account/challenges/%s", challenge);
    enum keer_err err = talk(&k->other, "GET", path, (struct slice){0}, NULL, &k->a);
    (void)snprintf(path, sizeof path, "/v1/account/challenges/%s/prompt", challenge);
    if (err == KEER_OK)
        err = post(k, &k->other, path, "{}", NULL);
    keep(number, sizeof number, talk_text(&k->a, "number"));
    if (err == KEER_OK && number[0])
        err = talk(&k->browser, "GET", "/v1/account/prompts", (struct slice){0}, NULL, &k->a);
    uint32_t list = k->a.tape.count ? tape_find(&k->a.tape, 0, "prompts") : TAPE_NONE;
    if (list != TAPE_NONE && k->a.tape.v[list].len)
        keep(prompt, sizeof prompt, tape_text(&k->a.tape, tape_find(&k->a.tape, list + 1, "id")));
    if (err != KEER_OK || !prompt[0]) {
        stopped(k, "the device: no prompt comes");
        return err;
    }
    (void)snprintf(path, sizeof path, "/v1/account/prompts/%s", prompt);
    (void)snprintf(json, sizeof json, "{\"number\":\"%s\"}", number);
    err = post(k, &k->browser, path, json, NULL);
    *ret_done = err == KEER_OK && talk_is(&k->a, "state", "done");
    return err;
}

static enum keer_err answer(struct attack *k, const char *challenge, bool *ret_done)
{
    char path[128], json[64];
    *ret_done = false;
    if (k->own_app || k->own_codes)
        return person_answer(&k->he, &k->browser, challenge, k->own_app ? PERSON_BY_APP : PERSON_BY_CODE, &k->a, ret_done);
    if (k->device)
        return approve(k, challenge, ret_done);
    unsigned n = k->codes[0][0] ? 0 : 1;
    if (!k->codes[n][0])
        return KEER_OK;
    (void)snprintf(path, sizeof path, "/v1/account/challenges/%s", challenge);
    enum keer_err err = talk(&k->browser, "GET", path, (struct slice){0}, NULL, &k->a);
    (void)snprintf(path, sizeof path, "/v1/account/challenges/%s/totp", challenge);
    (void)snprintf(json, sizeof json, "{\"code\":\"%s\"}", k->codes[n]);
    k->codes[n][0] = '\0';
    if (err == KEER_OK)
        err = post(k, &k->browser, path, json, NULL);
    *ret_done = err == KEER_OK && talk_is(&k->a, "state", "done");
    return err;
}

/* --- what he ends with: buying as much as passes --- */

static enum keer_err buy_one(struct attack *k, int64_t minor, bool *ret_paid)
{
    struct shop_order order = {.kind = SHOP_PURCHASE,
                               .minor = minor,
                               .device = "a device of his",
                               .ip = "203.0.113.77",
                               .user_agent = "Mozilla/5.0 (X11; Linux x86_64)",
                               .item = "coins",
                               .beneficiary = "game-66666"};
    char id[SHOP_ID_BYTES], challenge[32];
    bool done = false;
    enum keer_err err = shop_charge(k->shop, &k->victim, &order, id);
    *ret_paid = false;
    if (err == KEER_OK && shop_is(k->shop, "needs_step")) {
        keep(challenge, sizeof challenge, talk_text(&k->shop->a, "challenge.id"));
        err = answer(k, challenge, &done);
        if (!done)
            stopped(k, "the charge: a second step");
        if (err == KEER_OK)
            err = shop_confirm(k->shop, id);
    }
    if (err == KEER_OK)
        err = shop_settle(k->shop, id);
    *ret_paid = err == KEER_OK && shop_is(k->shop, "paid");
    if (err == KEER_OK && (shop_is(k->shop, "refused") || shop_is(k->shop, "failed")))
        stopped_by(k, "the charge", talk_text(&k->shop->a, "why"));
    return err;
}

static enum keer_err buy(struct attack *k)
{
    bool paid;
    const int64_t *list = k->raised ? raised_baskets : baskets;
    size_t n = k->raised ? ARRAY_LEN(raised_baskets) : ARRAY_LEN(baskets);
    enum keer_err err = KEER_OK;
    for (size_t i = 0; err == KEER_OK && i < n; i++)
        err = buy_one(k, list[i], &paid);
    return err;
}

/* What she has topped up, in one order: no charge, and the policy allows it. */
static enum keer_err spend(struct attack *k)
{
    struct shop_order order = {.kind = SHOP_SPEND,
                               .minor = BALANCE,
                               .device = "a device of his",
                               .ip = "203.0.113.77",
                               .user_agent = "Mozilla/5.0 (X11; Linux x86_64)",
                               .item = "coins",
                               .beneficiary = "game-66666"};
    char id[SHOP_ID_BYTES];
    enum keer_err err = shop_charge(k->shop, &k->victim, &order, id);
    if (err == KEER_OK && shop_is(k->shop, "done"))
        k->spent_minor += order.minor;
    if (err == KEER_OK && shop_is(k->shop, "needs_step"))
        stopped(k, "the spend: a second step");
    if (err == KEER_OK && shop_is(k->shop, "refused"))
        stopped_by(k, "the spend", talk_text(&k->shop->a, "why"));
    return err;
}

/* --- the ways --- */

/* With the password that he has; a step is answered if he can. */
static enum keer_err sign_in(struct attack *k)
{
    char challenge[32];
    bool done = false;
    enum keer_err err = person_sign_in(&k->he, &k->browser, &k->a);
    if (err == KEER_OK && talk_is(&k->a, "next", "code"))
        stopped(k, "the sign-in: a code by mail");
    if (err == KEER_OK && talk_is(&k->a, "next", "step")) {
        keep(challenge, sizeof challenge, talk_text(&k->a, "challenge"));
        err = answer(k, challenge, &done);
        if (!done)
            stopped(k, "the sign-in: a second step");
    }
    return err;
}

static bool has_session(const struct attack *k) { return k->attacker == ATTACKER_COOKIE || k->attacker == ATTACKER_DEVICE; }

static enum keer_err enter(struct attack *k) { return has_session(k) ? KEER_OK : sign_in(k); }

/* She tops up first, with a step, so that nothing is held; then he comes. */
static enum keer_err spend_balance(struct attack *k)
{
    struct shop_order order = {.kind = SHOP_TOP_UP,
                               .minor = BALANCE,
                               .device = "her laptop",
                               .ip = "198.51.100.7",
                               .user_agent = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_13)",
                               .item = "balance",
                               .beneficiary = ""};
    char id[SHOP_ID_BYTES], challenge[32];
    bool done = false;
    enum keer_err err = shop_charge(k->shop, &k->victim, &order, id);
    keep(challenge, sizeof challenge, talk_text(&k->shop->a, "challenge.id"));
    if (err == KEER_OK && challenge[0])
        err = person_answer(&k->victim, &k->victim.browser, challenge, PERSON_BY_CODE, &k->a, &done);
    if (err == KEER_OK && done)
        err = shop_confirm(k->shop, id);
    if (err == KEER_OK)
        err = shop_settle(k->shop, id);
    if (err != KEER_OK || !shop_is(k->shop, "paid"))
        return KEER_EIO;
    k->hers_minor = BALANCE;
    err = sign_in(k);
    return err == KEER_OK ? spend(k) : err;
}

static enum keer_err sign_in_and_buy(struct attack *k)
{
    enum keer_err err = sign_in(k);
    return err == KEER_OK ? buy(k) : err;
}

/* A change that may want a step: done again with it when he can answer. */
static enum keer_err change(struct attack *k, const char *path, const char *json, const char *what)
{
    char challenge[32];
    bool done = false;
    enum keer_err err = post(k, &k->browser, path, json, NULL);
    if (err == KEER_OK && talk_is(&k->a, "next", "step")) {
        keep(challenge, sizeof challenge, talk_text(&k->a, "challenge"));
        note(k, what);
        err = answer(k, challenge, &done);
        if (err == KEER_OK && done) {
            k->stopped[0] = '\0';
            err = post(k, &k->browser, path, json, challenge);
        }
    }
    if (err == KEER_OK)
        note(k, what);
    return err;
}

static enum keer_err change_password(struct attack *k)
{
    enum keer_err err = enter(k);
    if (err == KEER_OK)
        err = change(k, "/v1/account/password", "{\"password\":\"" NEW_PASSWORD "\"}", "the password");
    return err == KEER_OK ? buy(k) : err;
}

static enum keer_err trust_device(struct attack *k)
{
    char path[96];
    enum keer_err err = talk(&k->browser, "GET", "/v1/account/me", (struct slice){0}, NULL, &k->a);
    uint32_t list = k->a.tape.count ? tape_find(&k->a.tape, 0, "devices") : TAPE_NONE;
    if (err != KEER_OK || list == TAPE_NONE || !k->a.tape.v[list].len)
        return KEER_EIO;
    struct slice id = tape_text(&k->a.tape, tape_find(&k->a.tape, list + 1, "id"));
    (void)snprintf(path, sizeof path, "/v1/account/devices/" SLICE_FMT, SLICE_ARG(id));
    err = change(k, path, "{\"trusted\":true}", "trusting it");
    k->device = err == KEER_OK && !k->stopped[0];
    return err == KEER_OK ? buy(k) : err;
}

/* A change that waits is over when wallets are not paused any more. */
static enum keer_err wait_change(struct attack *k, const char *what, bool *ret_over)
{
    char text[64];
    int64_t until = k->shop->now_us() + WAIT_US;
    enum keer_err err = KEER_OK;
    if (talk_text(&k->a, "pending").len)
        k->stopped[0] = '\0';
    while (err == KEER_OK && k->shop->now_us() < until) {
        err = talk(&k->browser, "GET", "/v1/account/changes", (struct slice){0}, NULL, &k->a);
        if (err == KEER_OK && talk_is(&k->a, "wallets_paused", "false")) {
            *ret_over = true;
            return KEER_OK;
        }
        person_sleep(LOOK_US);
    }
    (void)snprintf(text, sizeof text, "%.20s: the wait does not end", what);
    stopped(k, text);
    return err;
}

/* Recovery codes of his own: ten steps, at once with a step, or once the wait is over where nothing is there to ask it of. */
static enum keer_err own_codes(struct attack *k)
{
    bool over = false;
    enum keer_err err = change(k, "/v1/account/authenticators/recovery-codes", "{}", "recovery codes");
    for (unsigned i = 0; err == KEER_OK && i < PERSON_CODES; i++)
        keep(k->he.codes[i], sizeof k->he.codes[i], talk_text_at(&k->a, "codes", i));
    if (err == KEER_OK && k->he.codes[0][0])
        err = wait_change(k, "recovery codes", &over);
    k->own_codes = over;
    return err;
}

/* An app of his own; *ret: it is in force, now or when a wait is over. */
static enum keer_err own_app(struct attack *k, bool *ret)
{
    char id[32], code[9], json[128];
    *ret = false;
    enum keer_err err = post(k, &k->browser, "/v1/account/authenticators/totp", "{\"name\":\"mine\"}", NULL);
    if (err != KEER_OK)
        return err;
    note(k, "an app");
    keep(id, sizeof id, talk_text(&k->a, "id"));
    keep(k->he.secret, sizeof k->he.secret, talk_text(&k->a, "secret"));
    if (!k->he.secret[0])
        return KEER_OK;
    k->he.step_last = 0;
    err = person_app_code(&k->he, code);
    if (err != KEER_OK)
        return err;
    (void)snprintf(json, sizeof json, "{\"id\":\"%s\",\"code\":\"%s\"}", id, code);
    err = change(k, "/v1/account/authenticators/totp/confirm", json, "an app");
    if (err != KEER_OK || k->a.status >= 300 || talk_is(&k->a, "next", "step"))
        return err;
    err = wait_change(k, "an app", ret);
    k->own_app = *ret;
    return err;
}

static enum keer_err enrol_app(struct attack *k)
{
    bool mine;
    enum keer_err err = enter(k);
    if (err == KEER_OK)
        err = own_app(k, &mine);
    return err == KEER_OK ? buy(k) : err;
}

static enum keer_err raise(struct attack *k)
{
    char path[96];
    (void)snprintf(path, sizeof path, "/v1/account/wallets/%s/caps", k->victim.agreement);
    enum keer_err err = change(
        k, path, "{\"caps\":{\"charge\":\"" RAISED "\",\"day\":\"" RAISED "\",\"month\":\"" RAISED "\",\"count\":100}}",
        "the caps");
    k->raised = err == KEER_OK && k->a.status < 300 && !talk_text(&k->a, "next").len && !talk_text(&k->a, "pending").len;
    return err;
}

static enum keer_err raise_caps(struct attack *k)
{
    enum keer_err err = enter(k);
    if (err == KEER_OK)
        err = raise(k);
    return err == KEER_OK ? buy(k) : err;
}

/* A store of his choice may ask; the person's step is wanted all the same. What is linked is then charged. */
static enum keer_err link_again(struct attack *k)
{
    struct buf body;
    char challenge[32], path[96];
    bool done = false;
    enum keer_err err = sign_in(k);
    buf_init(&body, 4096);
    buf_fmt(&body,
            "{\"id\":\"%s-again%u\",\"account\":\"%s\",\"wallet\":\"wechatpay\",\"currency\":\"CNY\","
            "\"return_url\":\"https://store.example/linked\"}",
            k->shop->mark, k->shop->serial++, k->victim.account);
    if (err == KEER_OK)
        err = person_call(&k->shop->store, "POST", "/v1/agreements", &body, NULL, &k->a);
    else
        buf_release(&body);
    keep(k->victim.agreement, sizeof k->victim.agreement, talk_text(&k->a, "id"));
    keep(challenge, sizeof challenge, talk_text(&k->a, "challenge.id"));
    if (err == KEER_OK && challenge[0])
        err = answer(k, challenge, &done);
    (void)snprintf(path, sizeof path, "/v1/agreements/%s/sign", k->victim.agreement);
    if (err == KEER_OK)
        err = post(k, &k->shop->store, path, "{}", NULL);
    note(k, "linking");
    return err == KEER_OK ? buy(k) : err;
}

/* --- recovery --- */

/* A flow, with one way proved unless `proof` is "". */
static enum keer_err recover(struct attack *k, const char *proof_kind, const char *proof, bool lost)
{
    char json[256], flow[64], code[9];
    (void)snprintf(json, sizeof json, "{\"name\":\"%s\"}", k->victim.email);
    enum keer_err err = post(k, &k->browser, "/v1/account/recovery", json, NULL);
    keep(flow, sizeof flow, talk_text(&k->a, "flow"));
    if (err == KEER_OK && proof_kind && person_mail_code(&k->victim, proof_kind, code) == KEER_OK)
        proof = code;
    if (err == KEER_OK && proof[0]) {
        (void)snprintf(json, sizeof json, "{\"flow\":\"%s\",\"code\":\"%s\"}", flow, proof);
        err = post(k, &k->browser, "/v1/account/recovery/code", json, NULL);
        note(k, "the recovery");
    }
    (void)snprintf(json, sizeof json, "{\"flow\":\"%s\",\"password\":\"" NEW_PASSWORD "\",\"lost\":%s}", flow,
                   lost ? "true" : "false");
    if (err == KEER_OK)
        err = post(k, &k->browser, "/v1/account/recovery/finish", json, NULL);
    if (k->a.status >= 300)
        note(k, "the recovery");
    return err;
}

/* The recovery's wait is over when the new password signs in. */
static enum keer_err wait_recovered(struct attack *k)
{
    int64_t until = k->shop->now_us() + WAIT_US;
    enum keer_err err;
    (void)snprintf(k->he.password, sizeof k->he.password, "%s", NEW_PASSWORD);
    do {
        person_sleep(5 * LOOK_US);
        err = person_sign_in(&k->he, &k->browser, &k->a);
    } while (err == KEER_OK && k->a.status == 403 && k->shop->now_us() < until);
    return err;
}

static enum keer_err recover_empty(struct attack *k)
{
    enum keer_err err = recover(k, NULL, "", false);
    return err == KEER_OK ? sign_in_and_buy(k) : err;
}

static enum keer_err recover_by_mail(struct attack *k)
{
    enum keer_err err = recover(k, "recovery_code", "", false);
    if (err == KEER_OK)
        err = wait_recovered(k);
    return err == KEER_OK ? sign_in_and_buy(k) : err;
}

/* Without authenticators a sign-in is allowed, or wants a code by mail: he has the mailbox. */
static enum keer_err enter_by_mail(struct attack *k)
{
    char json[160], flow[64], code[9];
    enum keer_err err = person_sign_in(&k->he, &k->browser, &k->a);
    keep(flow, sizeof flow, talk_text(&k->a, "flow"));
    if (err != KEER_OK || !talk_is(&k->a, "next", "code"))
        return err;
    err = person_mail_code(&k->victim, "sign_in_code", code);
    if (err != KEER_OK)
        return err;
    (void)snprintf(json, sizeof json, "{\"flow\":\"%s\",\"code\":\"%s\"}", flow, code);
    return post(k, &k->browser, "/v1/account/sign-in/code", json, NULL);
}

static enum keer_err lose_and_enrol(struct attack *k)
{
    enum keer_err err = recover(k, "recovery_code", "", true);
    if (err == KEER_OK)
        err = wait_recovered(k);
    if (err == KEER_OK)
        err = enter_by_mail(k);
    if (err == KEER_OK)
        err = own_codes(k);
    return err == KEER_OK && k->own_codes ? sign_in(k) : err;
}

static enum keer_err recover_lost(struct attack *k)
{
    enum keer_err err = lose_and_enrol(k);
    return err == KEER_OK ? buy(k) : err;
}

static enum keer_err recover_lost_raise(struct attack *k)
{
    enum keer_err err = lose_and_enrol(k);
    if (err == KEER_OK)
        err = raise(k);
    return err == KEER_OK ? buy(k) : err;
}

/* --- one code --- */

static enum keer_err code_at_sign_in(struct attack *k) { return sign_in_and_buy(k); }
static enum keer_err code_for_app(struct attack *k) { return enrol_app(k); }
static enum keer_err code_at_charge(struct attack *k) { return buy(k); }

static enum keer_err codes_for_codes(struct attack *k)
{
    enum keer_err err = sign_in(k);
    if (err == KEER_OK)
        err = own_codes(k);
    if (err == KEER_OK)
        err = raise(k);
    return err == KEER_OK ? buy(k) : err;
}

static enum keer_err recover_by_code(struct attack *k)
{
    char code[9];
    memcpy(code, k->codes[0], sizeof code);
    k->codes[0][0] = '\0';
    enum keer_err err = recover(k, NULL, code, true);
    if (err == KEER_OK)
        err = wait_recovered(k);
    return err == KEER_OK ? sign_in_and_buy(k) : err;
}

/* --- the stage --- */

static const struct {
    enum attacker attacker;
    enum keer_err (*play)(struct attack *k);
    const char *does, *waits;
} ways[] = {
#define WAY(who, play, what, passes) {ATTACKER_##who, play, what, passes},
#include "sim/attackers.def"
};
static_assert(ARRAY_LEN(ways) <= ATTACK_WAYS_MAX, "a result for each");

static const char *const holds[] = {
#define ATTACKER(name, text) text,
#include "sim/attackers.def"
};
const char *attacker_holds(enum attacker attacker) { return attacker < ATTACKER_MAX ? holds[attacker] : ""; }

/* The victim's browser becomes a trusted device: a change, with a step of hers. */
static enum keer_err make_trusted(struct attack *k, char why[PERSON_WHY_BYTES])
{
    struct person *p = &k->victim;
    char path[96], challenge[32];
    bool done = false;
    enum keer_err err = talk(&p->browser, "GET", "/v1/account/me", (struct slice){0}, NULL, &p->answer);
    uint32_t list = p->answer.tape.count ? tape_find(&p->answer.tape, 0, "devices") : TAPE_NONE;
    if (err != KEER_OK || list == TAPE_NONE || !p->answer.tape.v[list].len)
        return shop_problem(&p->answer, "her devices", why);
    struct slice id = tape_text(&p->answer.tape, tape_find(&p->answer.tape, list + 1, "id"));
    (void)snprintf(path, sizeof path, "/v1/account/devices/" SLICE_FMT, SLICE_ARG(id));
    err = talk(&p->browser, "POST", path, SLICE("{\"trusted\":true}"), NULL, &p->answer);
    keep(challenge, sizeof challenge, talk_text(&p->answer, "challenge"));
    if (err == KEER_OK && challenge[0])
        err = person_answer(p, &p->browser, challenge, PERSON_BY_CODE, &p->answer, &done);
    if (err == KEER_OK && done)
        err = talk(&p->browser, "POST", path, SLICE("{\"trusted\":true}"), challenge, &p->answer);
    return err == KEER_OK && done && p->answer.status == 200 ? KEER_OK
                                                             : shop_problem(&p->answer, "trusting her device", why);
}

static enum keer_err prepare(struct attack *k, const struct october_site *site, unsigned number, char why[PERSON_WHY_BYTES])
{
    struct person *p = &k->victim;
    struct shop_link link = {.wallet = "alipay", .device = "her laptop"};
    *p = (struct person){.site = &site->people};
    (void)snprintf(p->name, sizeof p->name, "A victim");
    (void)snprintf(p->email, sizeof p->email, "victim%u.%s@example.org", number, k->shop->mark);
    (void)snprintf(p->password, sizeof p->password, "%s", PASSWORD);
    p->browser = person_browser(&site->people, "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_13)", NULL);
    enum keer_err err = person_sign_up(p, why);
    if (err == KEER_OK)
        err = person_protect(p, why);
    if (err == KEER_OK)
        err = shop_link(k->shop, p, &link, why);
    if (err == KEER_OK && k->attacker == ATTACKER_DEVICE)
        err = make_trusted(k, why);
    if (err == KEER_OK && (k->attacker == ATTACKER_CODE || k->attacker == ATTACKER_CODES))
        err = person_app_code(p, k->codes[0]);
    if (err == KEER_OK && k->attacker == ATTACKER_CODES)
        err = person_app_code(p, k->codes[1]);
    k->he = (struct person){.site = &site->people};
    memcpy(k->he.email, p->email, sizeof k->he.email);
    memcpy(k->he.password, p->password, sizeof k->he.password);
    k->device = k->attacker == ATTACKER_DEVICE;
    k->browser = person_browser(&site->people, "Mozilla/5.0 (X11; Linux x86_64)", "203.0.113.77");
    k->other = person_browser(&site->people, "Mozilla/5.0 (X11; Linux i686)", "203.0.113.78");
    if (has_session(k))
        k->browser = p->browser;
    return err;
}

static enum keer_err play(const struct october_site *site, struct shop *shop, unsigned i, struct attack_result *r,
                          char why[PERSON_WHY_BYTES])
{
    struct attack k = {.attacker = ways[i].attacker, .shop = shop};
    *r = (struct attack_result){.attacker = ways[i].attacker, .does = ways[i].does, .waits = ways[i].waits};
    enum keer_err err = prepare(&k, site, i, why);
    if (err == KEER_OK) {
        err = ways[i].play(&k);
        if (err == KEER_EIO)
            (void)snprintf(why, PERSON_WHY_BYTES, "no answer: %.80s %.80s", k.a.why, shop->a.why);
    }
    if (err == KEER_OK)
        err = shop_journal(shop, &k.victim, &r->taken_minor, why);
    r->taken_minor -= k.hers_minor;
    r->balance_minor = k.spent_minor;
    r->played = err == KEER_OK;
    r->raised = k.raised;
    memcpy(r->stopped, k.stopped, sizeof r->stopped);
    crypto_wipe(k.he.secret, sizeof k.he.secret);
    talk_release(&k.a);
    person_release(&k.victim);
    return err;
}

enum keer_err attackers_play(const struct october_site *site, struct attackers *ret, char ret_why[PERSON_WHY_BYTES])
{
    struct shop shop;
    char why[PERSON_WHY_BYTES] = "";
    enum keer_err err = KEER_OK;
    shop_open(&shop, &site->people, site->emulator, site->store_key, site->admin_key, site->now_us);
    *ret = (struct attackers){.count = ARRAY_LEN(ways)};
    for (unsigned i = 0; err == KEER_OK && i < ret->count; i++) {
        err = play(site, &shop, i, &ret->ways[i], why);
        if (err == KEER_EIO)
            (void)snprintf(ret_why, PERSON_WHY_BYTES, "%.40s, %.60s: %.140s", attacker_holds(ways[i].attacker), ways[i].does,
                           why);
    }
    shop_release(&shop);
    return err;
}

static int64_t taken(const struct attack_result *r) { return r->taken_minor + r->balance_minor; }

const struct attack_result *attackers_best(const struct attackers *a, enum attacker attacker)
{
    const struct attack_result *best = NULL;
    for (unsigned i = 0; i < a->count; i++)
        if (a->ways[i].attacker == attacker && (!best || a->ways[i].taken_minor > taken(best)))
            best = &a->ways[i];
    return best;
}

bool attackers_hold(const struct attackers *a, struct buf *ret_why)
{
    static const enum attacker nothing[] = {ATTACKER_PASSWORD, ATTACKER_COOKIE};
    bool hold = true;
    for (size_t i = 0; i < ARRAY_LEN(nothing); i++) {
        const struct attack_result *best = attackers_best(a, nothing[i]);
        if (best && taken(best)) {
            buf_fmt(ret_why, "%s: he %s, and took ", attacker_holds(nothing[i]), best->does);
            october_money(ret_why, taken(best));
            buf_char(ret_why, '\n');
            hold = false;
        }
    }
    return hold;
}
