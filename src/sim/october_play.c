/* october_play.c - what the thieves and the owner do, over HTTP, and what the books say afterwards. */
#include "sim/october_play.h"

#define PASSWORD "orange bicycle under seven lamps"

struct play {
    const struct october_site *site;
    enum october_world world;
    struct october *o;
    struct shop shop;
};
struct player {
    struct october_script script;
    struct person person;
    struct talker browser; /* the thief's, or the owner's new phone */
    char user_agent[128], address[32];
};

static enum keer_err prepare(struct play *g, enum october_person who, struct player *p, char why[PERSON_WHY_BYTES])
{
    struct person *person = &p->person;
    p->script = october_script(who);
    struct shop_link link = {.wallet = p->script.wallet, .device = p->script.device, .boundless = g->world == OCTOBER_2018};
    *person = (struct person){.site = &g->site->people};
    (void)snprintf(person->name, sizeof person->name, "%s", p->script.shown);
    (void)snprintf(person->email, sizeof person->email, "%s.%s@example.org", p->script.key, g->shop.mark);
    (void)snprintf(person->password, sizeof person->password, "%s", PASSWORD);
    person->browser = person_browser(&g->site->people, "Mozilla/5.0 (iPhone; CPU iPhone OS 11_4 like Mac OS X)", NULL);
    (void)snprintf(p->user_agent, sizeof p->user_agent, "Mozilla/5.0 (iPhone; CPU iPhone OS 9_3 like Mac OS X) %s",
                   p->script.acts[0].device);
    (void)snprintf(p->address, sizeof p->address, "203.0.113.%u", 10 + (unsigned)who);
    p->browser = person_browser(&g->site->people, p->user_agent, p->address);
    enum keer_err err = person_sign_up(person, why);
    if (err == KEER_OK)
        err = g->world == OCTOBER_TODAY ? person_protect(person, why) : person_codes(person, why);
    if (err == KEER_OK)
        err = shop_link(&g->shop, person, &link, why);
    if (err == KEER_OK && g->world == OCTOBER_2018)
        err = person_bare(person, why);
    return err;
}

/* --- the script --- */

/* Codes of problems and of wallet/charge_whys.def, as the table says them. */
static const struct {
    const char *code, *words;
} refusals[] = {
    {"STEP_NEEDED", "not signed in"},
    {"NO_SESSION", "not signed in"},
    {"RESTRICTED", "the session may not"},
    {"not_enough", "no balance"},
    {"cap_charge", "over the cap of a charge"},
    {"cap_day", "over the cap of a day"},
    {"cap_month", "over the cap of a month"},
    {"cap_count", "too many charges in a day"},
    {"denied", "denied by the policy"},
    {"held", "wallets are paused"},
    {"agreement_not_active", "the agreement is not active"},
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
    bool refusal = a->status == 401 || a->status == 403 || a->status == 409 || a->status == 422;
    talk_problem(a, code, sizeof code);
    mark(out, refusal ? OCTOBER_REFUSED : OCTOBER_BROKEN, slice_str(code));
}

/* The owner answers with her app; a thief has none. */
static enum keer_err step(struct player *p, const char *challenge, struct october_outcome *out, bool *ret_done)
{
    struct talk a = {0};
    enum keer_err err = KEER_OK;
    *ret_done = false;
    out->asked++;
    if (p->script.role == OCTOBER_ROLE_OWNER)
        err = person_answer(&p->person, &p->browser, challenge, PERSON_BY_APP, &a, ret_done);
    out->answered += *ret_done;
    talk_release(&a);
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
        err = step(p, challenge, out, &done);
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

static void mark_state(struct october_outcome *out, const struct shop *s)
{
    struct slice why = talk_text(&s->a, "why");
    if (s->a.status >= 300)
        mark_problem(out, &s->a);
    else if (shop_is(s, "paid") || shop_is(s, "done"))
        mark(out, OCTOBER_DONE, (struct slice){0});
    else if (shop_is(s, "needs_step"))
        mark(out, OCTOBER_STEP, (struct slice){0});
    else if (shop_is(s, "refused") || shop_is(s, "failed") || shop_is(s, "cancelled"))
        mark(out, OCTOBER_REFUSED, why.len ? why : talk_text(&s->a, "state"));
    else
        mark(out, OCTOBER_BROKEN, talk_text(&s->a, "state"));
}

/* Where a step is asked, the store asks again afterwards, whether or not it was answered. */
static enum keer_err buy(struct play *g, struct player *p, const struct october_act *act, struct october_outcome *out)
{
    struct shop_order order = {.kind = act->verb == OCTOBER_PURCHASE ? SHOP_PURCHASE
                                       : act->verb == OCTOBER_TOP_UP ? SHOP_TOP_UP
                                                                     : SHOP_SPEND,
                               .minor = act->minor,
                               .device = act->device,
                               .ip = p->address,
                               .user_agent = p->user_agent,
                               .item = act->item,
                               .beneficiary = act->beneficiary};
    char id[SHOP_ID_BYTES], challenge[32];
    bool done = false;
    enum keer_err err = KEER_OK;
    if (order.kind == SHOP_SPEND && g->world == OCTOBER_2018) /* where a hold is as short as can be */
        err = shop_wait_balance(&g->shop, &p->person);
    if (err == KEER_OK)
        err = shop_charge(&g->shop, &p->person, &order, id);
    if (err == KEER_OK && shop_is(&g->shop, "needs_step")) {
        (void)snprintf(challenge, sizeof challenge, SLICE_FMT, SLICE_ARG(talk_text(&g->shop.a, "challenge.id")));
        err = step(p, challenge, out, &done);
        if (err == KEER_OK && order.kind != SHOP_SPEND)
            err = shop_confirm(&g->shop, id);
    }
    if (err == KEER_OK && order.kind != SHOP_SPEND)
        err = shop_settle(&g->shop, id);
    if (err == KEER_OK)
        mark_state(out, &g->shop);
    return err;
}

static enum keer_err end_agreement(struct player *p, struct october_outcome *out)
{
    struct talk a = {0};
    char path[96];
    (void)snprintf(path, sizeof path, "/v1/account/wallets/%s/end", p->person.agreement);
    enum keer_err err = talk(&p->browser, "POST", path, SLICE("{}"), NULL, &a);
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
    case OCTOBER_TOP_UP:
    case OCTOBER_SPEND: return buy(g, p, &p->script.acts[i], out);
    case OCTOBER_END: return end_agreement(p, out);
    case OCTOBER_VERB_MAX: break;
    }
    return KEER_EINVALID;
}

/* --- all of it --- */

static enum keer_err play_one(struct play *g, struct player *p, struct october_run *run, char why[PERSON_WHY_BYTES])
{
    enum keer_err err = KEER_OK;
    for (unsigned i = 0; err == KEER_OK && i < p->script.count; i++)
        err = act(g, p, i, &run->acts[i]);
    if (err == KEER_EIO)
        (void)snprintf(why, PERSON_WHY_BYTES, "no answer: %s", g->shop.a.why);
    if (err == KEER_OK)
        err = shop_ledger(&g->shop, &p->person, &run->ledger_minor, why);
    if (err == KEER_OK)
        err = shop_journal(&g->shop, &p->person, &run->wallet_minor, why);
    return err;
}

enum keer_err october_play(const struct october_site *site, enum october_world world, struct october *o,
                           char ret_why[PERSON_WHY_BYTES])
{
    struct play g = {.site = site, .world = world, .o = o};
    struct player *players = calloc(OCTOBER_PERSON_MAX, sizeof *players);
    char why[PERSON_WHY_BYTES] = "";
    enum keer_err err = players ? KEER_OK : KEER_ENOMEM;
    unsigned p = 0;
    int64_t began_us = site->now_us();
    shop_open(&g.shop, &site->people, site->emulator, site->store_key, site->admin_key, site->now_us);
    memset(o->runs[world], 0, sizeof o->runs[world]);
    for (p = 0; err == KEER_OK && p < OCTOBER_PERSON_MAX; p++)
        err = prepare(&g, (enum october_person)p, &players[p], why);
    for (unsigned i = 0; err == KEER_OK && i < OCTOBER_PERSON_MAX; i++) {
        p = i + 1;
        err = play_one(&g, &players[i], &o->runs[world][i], why);
    }
    if (err == KEER_EIO)
        (void)snprintf(ret_why, PERSON_WHY_BYTES, "%s, %.20s: %.190s", october_world_text(world),
                       players[p - 1].script.shown, why);
    o->played[world] = err == KEER_OK;
    o->took_us[world] = site->now_us() - began_us;
    october_count(o);
    for (unsigned i = 0; players && i < OCTOBER_PERSON_MAX; i++)
        person_release(&players[i].person);
    shop_release(&g.shop);
    free(players);
    return err;
}
