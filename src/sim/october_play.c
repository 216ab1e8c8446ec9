/* october_play.c - what the thieves and the owner do, over HTTP, and what the books say afterwards. */
#include "sim/october_play.h"

#include "base/num.h"
#include "base/timefmt.h"

#define PASSWORD "orange bicycle under seven lamps"
#define PAYEE "Magic Stones Ltd"
#define BODY_BYTES ((size_t)16384)
#define SETTLE_US (20 * US_SECOND)
#define SETTLE_LOOK_US ((int64_t)20000)

struct play {
    const struct october_site *site;
    enum october_world world;
    struct october *o;
    char mark[24]; /* tells the ids of this run from those of others on the same daemon */
    struct talker store, analyst;
    struct talk a; /* the store's */
    char *why;
};
struct player {
    enum october_person who;
    struct october_script script;
    struct person person;
    struct talker browser; /* the thief's, or the owner's new phone */
    char user_agent[128], address[32], number[64];
};

static enum keer_err problem(struct play *g, const struct player *p, const struct talk *a, const char *what)
{
    char code[64];
    struct slice detail = talk_text(a, "detail");
    talk_problem(a, code, sizeof code);
    (void)snprintf(g->why, PERSON_WHY_BYTES, "%s, %s: %s: %s " SLICE_FMT, october_world_text(g->world), p->script.shown,
                   what, a->status ? code : a->why, SLICE_ARG(detail));
    return KEER_EIO;
}

static void text_member(struct buf *b, const char *name, const char *value)
{
    buf_fmt(b, "%s\"%s\":", b->len > 1 ? "," : "", name);
    buf_json(b, slice_str(value));
}
static void money_members(struct buf *b, int64_t minor)
{
    buf_fmt(b, ",\"amount\":\"%lld.%02lld\",\"currency\":\"CNY\"", (long long)(minor / 100), (long long)(minor % 100));
}

/* --- before the script --- */

static enum keer_err open_wallet_page(struct play *g, struct player *p)
{
    struct buf url;
    buf_init(&url, NET_ASK_URL_BYTES);
    struct slice page = talk_text(&g->a, "url");
    buf_fmt(&url, SLICE_FMT "%caccept=1", SLICE_ARG(page), memchr(page.p ? page.p : "", '?', page.len) ? '&' : '?');
    enum keer_err err = page.len ? url.err : KEER_EMISSING;
    if (err == KEER_OK)
        err = talk(&p->person.browser, "GET", url.p, (struct slice){0}, NULL, &p->person.answer);
    buf_release(&url);
    return err == KEER_OK && p->person.answer.status < 400 ? KEER_OK
                                                           : problem(g, p, &p->person.answer, "signing at the wallet");
}

/* Until the agreement is active: the wallet's notice comes by itself; asking it is the other way. */
static enum keer_err wait_active(struct play *g, struct player *p)
{
    char path[96];
    struct buf body;
    int64_t until = g->site->now_us() + SETTLE_US;
    enum keer_err err = KEER_OK;
    do {
        (void)snprintf(path, sizeof path, "/v1/agreements/%s/sync", p->person.agreement);
        buf_init(&body, BODY_BYTES);
        buf_puts(&body, "{}");
        err = person_call(&g->store, "POST", path, &body, NULL, &g->a);
        if (err != KEER_OK || talk_is(&g->a, "state", "active"))
            break;
        person_sleep(SETTLE_LOOK_US);
    } while (g->site->now_us() < until);
    return err == KEER_OK && talk_is(&g->a, "state", "active") ? KEER_OK : problem(g, p, &g->a, "linking the wallet");
}

static enum keer_err link_wallet(struct play *g, struct player *p)
{
    struct buf body;
    char path[96], challenge[32];
    bool done = true;
    buf_init(&body, BODY_BYTES);
    buf_fmt(&body, "{\"id\":\"%s-%s\"", g->mark, p->script.key);
    text_member(&body, "account", p->person.account);
    text_member(&body, "wallet", p->script.wallet);
    text_member(&body, "currency", "CNY");
    text_member(&body, "return_url", "https://store.example/linked");
    text_member(&body, "device", p->script.device);
    text_member(&body, "store", PAYEE);
    buf_char(&body, '}');
    enum keer_err err = person_call(&g->store, "POST", "/v1/agreements", &body, NULL, &g->a);
    if (err != KEER_OK || g->a.status >= 300)
        return problem(g, p, &g->a, "an agreement");
    (void)snprintf(p->person.agreement, sizeof p->person.agreement, SLICE_FMT, SLICE_ARG(talk_text(&g->a, "id")));
    (void)snprintf(challenge, sizeof challenge, SLICE_FMT, SLICE_ARG(talk_text(&g->a, "challenge.id")));
    if (challenge[0])
        err = person_answer(&p->person, &p->person.browser, challenge, PERSON_BY_CODE, &p->person.answer, &done);
    if (err != KEER_OK || !done)
        return problem(g, p, &p->person.answer, "the step of linking");
    (void)snprintf(path, sizeof path, "/v1/agreements/%s/sign", p->person.agreement);
    buf_init(&body, BODY_BYTES);
    buf_puts(&body, "{}");
    err = person_call(&g->store, "POST", path, &body, NULL, &g->a);
    if (err != KEER_OK || g->a.status >= 300)
        return problem(g, p, &g->a, "asking the wallet to sign");
    err = open_wallet_page(g, p);
    return err == KEER_OK ? wait_active(g, p) : err;
}

static enum keer_err prepare(struct play *g, struct player *p)
{
    struct person *person = &p->person;
    char why[PERSON_WHY_BYTES] = "";
    p->script = october_script(p->who);
    *person = (struct person){.site = &g->site->people};
    (void)snprintf(person->name, sizeof person->name, "%s", p->script.shown);
    (void)snprintf(person->email, sizeof person->email, "%s.%s@example.org", p->script.key, g->mark);
    (void)snprintf(person->password, sizeof person->password, "%s", PASSWORD);
    person->browser = person_browser(&g->site->people, "Mozilla/5.0 (iPhone; CPU iPhone OS 11_4 like Mac OS X)", NULL);
    (void)snprintf(p->user_agent, sizeof p->user_agent, "Mozilla/5.0 (iPhone; CPU iPhone OS 9_3 like Mac OS X) %s",
                   p->script.acts[0].device);
    (void)snprintf(p->address, sizeof p->address, "203.0.113.%u", 10 + (unsigned)p->who);
    p->browser = person_browser(&g->site->people, p->user_agent, p->address);
    enum keer_err err = person_sign_up(person, why);
    if (err == KEER_OK && g->world == OCTOBER_TODAY)
        err = person_protect(person, why);
    if (err != KEER_OK) {
        (void)snprintf(g->why, PERSON_WHY_BYTES, "%s, %.20s: %.180s", october_world_text(g->world), p->script.shown, why);
        return err;
    }
    return link_wallet(g, p);
}

/* --- the script --- */

static const struct {
    const char *code, *words;
} refusals[] = {
    {"STEP_NEEDED", "not signed in"},        {"NO_SESSION", "not signed in"},
    {"RESTRICTED", "the session may not"},   {"NO_FUNDS", "no balance"},
    {"cap_charge", "over the cap a charge"}, {"cap_day", "over the cap a day"},
    {"cap_month", "over the cap a month"},   {"cap_count", "too many charges a day"},
};

static void mark(struct october_outcome *out, enum october_mark how, struct slice why)
{
    out->mark = how;
    (void)snprintf(out->why, sizeof out->why, SLICE_FMT, SLICE_ARG(why));
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
        if (slice_eqi(why, slice_str(refusals[i].code)))
            (void)snprintf(out->why, sizeof out->why, "%s", refusals[i].words);
}

/* A problem: of a caller who may not it is a refusal, all else breaks the run. */
static void mark_problem(struct october_outcome *out, const struct talk *a)
{
    char code[OCTOBER_WHY_BYTES + 1];
    talk_problem(a, code, sizeof code);
    mark(out,
         a->status == 401 || a->status == 403 || a->status == 409 || a->status == 422 ? OCTOBER_REFUSED : OCTOBER_BROKEN,
         slice_str(code));
}

/* The owner answers with her app; a thief has none. */
static enum keer_err step(struct player *p, const char *challenge, struct october_outcome *out, struct talk *a,
                          bool *ret_done)
{
    *ret_done = false;
    out->asked++;
    if (p->script.role == OCTOBER_ROLE_THIEF)
        return KEER_OK;
    enum keer_err err = person_answer(&p->person, &p->browser, challenge, PERSON_BY_APP, a, ret_done);
    out->answered += *ret_done;
    return err;
}

static enum keer_err sign_in(struct player *p, struct october_outcome *out)
{
    struct talk a = {0};
    char challenge[32];
    bool done = false;
    enum keer_err err = person_sign_in(&p->person, &p->browser, &a);
    if (err == KEER_OK && talk_is(&a, "next", "step")) {
        (void)snprintf(challenge, sizeof challenge, SLICE_FMT, SLICE_ARG(talk_text(&a, "challenge")));
        err = step(p, challenge, out, &a, &done);
        mark(out, done ? OCTOBER_DONE : OCTOBER_STEP, (struct slice){0});
    } else if (err == KEER_OK && talk_is(&a, "next", "code")) {
        out->asked++;
        mark(out, OCTOBER_STEP, (struct slice){0});
    } else if (err == KEER_OK && talk_is(&a, "next", "done"))
        mark(out, OCTOBER_DONE, (struct slice){0});
    else if (err == KEER_OK && talk_is(&a, "next", "denied"))
        mark(out, OCTOBER_REFUSED, SLICE("denied by the policy"));
    else if (err == KEER_OK)
        mark_problem(out, &a);
    talk_release(&a);
    return err;
}

/* A charge that was told to the wallet ends: paid, failed, cancelled. */
static enum keer_err settle(struct play *g, const char *path)
{
    int64_t until = g->site->now_us() + SETTLE_US;
    enum keer_err err = KEER_OK;
    while (err == KEER_OK && (talk_is(&g->a, "state", "submitted") || talk_is(&g->a, "state", "unknown")) &&
           g->site->now_us() < until) {
        person_sleep(SETTLE_LOOK_US);
        err = talk(&g->store, "GET", path, (struct slice){0}, NULL, &g->a);
    }
    return err;
}

/* What the store's browser would be sent to; then the store asks again, whether or not it was answered. */
static enum keer_err confirm(struct play *g, struct player *p, const char *path, struct october_outcome *out)
{
    char challenge[32], again[128];
    struct talk a = {0};
    struct buf body;
    bool done = false;
    (void)snprintf(challenge, sizeof challenge, SLICE_FMT, SLICE_ARG(talk_text(&g->a, "challenge.id")));
    enum keer_err err = step(p, challenge, out, &a, &done);
    (void)snprintf(again, sizeof again, "%s/confirm", path);
    buf_init(&body, BODY_BYTES);
    buf_puts(&body, "{}");
    if (err == KEER_OK)
        err = person_call(&g->store, "POST", again, &body, NULL, &g->a);
    else
        buf_release(&body);
    talk_release(&a);
    return err;
}

static void mark_state(struct october_outcome *out, const struct talk *a)
{
    struct slice why = talk_text(a, "why");
    if (a->status >= 300)
        mark_problem(out, a);
    else if (talk_is(a, "state", "paid"))
        mark(out, OCTOBER_DONE, (struct slice){0});
    else if (talk_is(a, "state", "needs_step"))
        mark(out, OCTOBER_STEP, (struct slice){0});
    else if (talk_is(a, "state", "refused") || talk_is(a, "state", "failed") || talk_is(a, "state", "cancelled"))
        mark(out, OCTOBER_REFUSED, why.len ? why : talk_text(a, "state"));
    else
        mark(out, OCTOBER_BROKEN, talk_text(a, "state"));
}

static void request(struct play *g, const struct player *p, unsigned i, struct buf *b)
{
    const struct october_act *act = &p->script.acts[i];
    buf_init(b, BODY_BYTES);
    buf_fmt(b, "{\"id\":\"%s-%s-%u\"", g->mark, p->script.key, i);
    if (act->verb != OCTOBER_SPEND) {
        text_member(b, "agreement", p->person.agreement);
        text_member(b, "type", act->verb == OCTOBER_TOP_UP ? "top_up" : "purchase");
        text_member(b, "payee", PAYEE);
    } else
        text_member(b, "account", p->person.account);
    money_members(b, act->minor);
    text_member(b, "item", act->item);
    if (act->beneficiary[0])
        text_member(b, "beneficiary", act->beneficiary);
    text_member(b, "device", act->device);
    text_member(b, "ip", p->address);
    text_member(b, "user_agent", p->user_agent);
    buf_char(b, '}');
}

static enum keer_err charge(struct play *g, struct player *p, unsigned i, struct october_outcome *out)
{
    struct buf body;
    char path[96];
    request(g, p, i, &body);
    enum keer_err err = person_call(&g->store, "POST", "/v1/charges", &body, NULL, &g->a);
    if (err != KEER_OK || g->a.status >= 300) {
        if (err == KEER_OK)
            mark_problem(out, &g->a);
        return err;
    }
    (void)snprintf(path, sizeof path, "/v1/charges/" SLICE_FMT, SLICE_ARG(talk_text(&g->a, "id")));
    if (talk_is(&g->a, "state", "needs_step"))
        err = confirm(g, p, path, out);
    if (err == KEER_OK)
        err = settle(g, path);
    if (err == KEER_OK)
        mark_state(out, &g->a);
    return err;
}

static enum keer_err spend(struct play *g, struct player *p, unsigned i, struct october_outcome *out)
{
    struct buf body;
    request(g, p, i, &body);
    enum keer_err err = person_call(&g->store, "POST", "/v1/spends", &body, NULL, &g->a);
    if (err == KEER_OK && talk_is(&g->a, "state", "needs_step"))
        out->asked++;
    if (err == KEER_OK)
        mark_state(out, &g->a);
    return err;
}

static enum keer_err end_agreement(struct player *p, struct october_outcome *out)
{
    struct talk a = {0};
    struct buf body;
    char path[96];
    (void)snprintf(path, sizeof path, "/v1/account/wallets/%s/end", p->person.agreement);
    buf_init(&body, BODY_BYTES);
    buf_puts(&body, "{}");
    enum keer_err err = person_call(&p->browser, "POST", path, &body, NULL, &a);
    if (err == KEER_OK && a.status >= 300)
        mark_problem(out, &a);
    else if (err == KEER_OK && talk_is(&a, "next", "step")) {
        out->asked++;
        mark(out, OCTOBER_STEP, (struct slice){0});
    } else if (err == KEER_OK)
        mark(out, OCTOBER_DONE, (struct slice){0});
    talk_release(&a);
    return err;
}

static enum keer_err act(struct play *g, struct player *p, unsigned i, struct october_outcome *out)
{
    switch (p->script.acts[i].verb) {
    case OCTOBER_SIGN_IN: return sign_in(p, out);
    case OCTOBER_PURCHASE:
    case OCTOBER_TOP_UP: return charge(g, p, i, out);
    case OCTOBER_SPEND: return spend(g, p, i, out);
    case OCTOBER_END: return end_agreement(p, out);
    case OCTOBER_VERB_MAX: break;
    }
    return KEER_EINVALID;
}

/* --- the books --- */

static bool number_of(const struct tape *t, uint32_t object, const char *name, int64_t *ret)
{
    uint32_t at = tape_find(t, object, name);
    return at != TAPE_NONE && num_i64(tape_text(t, at), INT64_MIN, INT64_MAX, ret) == KEER_OK;
}

/* The wallet's journal: what was paid less what went back, by our number of the agreement. */
static enum keer_err read_journal(struct play *g, struct player *players)
{
    static const struct tape_limits limits = {.bytes = 1u << 20, .values = 1000, .depth = 8, .keys = 64};
    struct talk line = {0};
    struct tape_error wrong;
    struct talker judge = {.fetch = g->site->people.fetch, .base = g->site->emulator};
    enum keer_err err = talk(&judge, "GET", "/emulator/journal", (struct slice){0}, NULL, &g->a);
    struct slice rest = buf_view(&g->a.body);
    if (err != KEER_OK || g->a.status != 200)
        return problem(g, &players[0], &g->a, "the wallet's journal");
    while (rest.len) {
        struct slice text = slice_cut(&rest, '\n');
        int64_t minor = 0;
        if (tape_read(&line.tape, text, &limits, &wrong) != KEER_OK || !number_of(&line.tape, 0, "amount", &minor))
            continue;
        bool paid = talk_is(&line, "kind", "charge") && talk_is(&line, "what", "paid");
        bool back = talk_is(&line, "kind", "refund") && talk_is(&line, "what", "paid");
        for (unsigned p = 0; p < OCTOBER_PERSON_MAX; p++)
            if ((paid || back) && talk_is(&line, "agreement", players[p].number))
                g->o->runs[g->world][p].wallet_minor += paid ? minor : -minor;
    }
    tape_release(&line.tape);
    return KEER_OK;
}

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

/* What the agreement's charges have left on the account of what the wallet owes. */
static enum keer_err read_ledger(struct play *g, struct player *p, int64_t *ret_minor)
{
    char path[96];
    (void)snprintf(path, sizeof path, "/v1/ledger/statement?agreement=%s", p->person.agreement);
    enum keer_err err = talk(&g->analyst, "GET", path, (struct slice){0}, NULL, &g->a);
    *ret_minor = 0;
    if (err == KEER_OK && g->a.status == 404) /* nothing was ever charged on it */
        return KEER_OK;
    if (err != KEER_OK || g->a.status != 200 || !minor_of(talk_text(&g->a, "closing"), ret_minor))
        return problem(g, p, &g->a, "the statement of the agreement");
    return KEER_OK;
}

static enum keer_err read_books(struct play *g, struct player *players)
{
    enum keer_err err = KEER_OK;
    for (unsigned p = 0; err == KEER_OK && p < OCTOBER_PERSON_MAX; p++)
        err = read_ledger(g, &players[p], &g->o->runs[g->world][p].ledger_minor);
    return err == KEER_OK ? read_journal(g, players) : err;
}

/* --- all of it --- */

static void print_mark(char *ret, size_t size, int64_t us)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    char back[24];
    size_t n = 0;
    for (uint64_t v = (uint64_t)us; v && n < sizeof back; v /= 36)
        back[n++] = digits[v % 36];
    for (size_t i = 0; i < n && i + 1 < size; i++)
        ret[i] = back[n - 1 - i];
    ret[MIN_OF(n, size - 1)] = '\0';
}

enum keer_err october_play(const struct october_site *site, enum october_world world, struct october *o,
                           char ret_why[PERSON_WHY_BYTES])
{
    struct play g = {.site = site, .world = world, .o = o, .why = ret_why};
    struct player *players = calloc(OCTOBER_PERSON_MAX, sizeof *players);
    enum keer_err err = players ? KEER_OK : KEER_ENOMEM;
    int64_t began_us = site->now_us();
    print_mark(g.mark, sizeof g.mark, site->people.wall_us());
    g.store = (struct talker){.fetch = site->people.fetch, .base = site->people.daemon, .key = site->store_key};
    g.analyst = g.store;
    g.analyst.key = site->analyst_key;
    memset(o->runs[world], 0, sizeof o->runs[world]);
    for (unsigned p = 0; err == KEER_OK && p < OCTOBER_PERSON_MAX; p++) {
        players[p].who = (enum october_person)p;
        err = prepare(&g, &players[p]);
    }
    for (unsigned p = 0; err == KEER_OK && p < OCTOBER_PERSON_MAX; p++)
        for (unsigned i = 0; err == KEER_OK && i < players[p].script.count; i++)
            err = act(&g, &players[p], i, &o->runs[world][p].acts[i]);
    if (err == KEER_EIO && !ret_why[0])
        (void)snprintf(ret_why, PERSON_WHY_BYTES, "%s: the daemon gave no answer: %s", october_world_text(world), g.a.why);
    if (err == KEER_OK)
        err = read_books(&g, players);
    o->played[world] = err == KEER_OK;
    o->took_us[world] = site->now_us() - began_us;
    october_count(o);
    for (unsigned p = 0; players && p < OCTOBER_PERSON_MAX; p++)
        person_release(&players[p].person);
    talk_release(&g.a);
    free(players);
    return err;
}
