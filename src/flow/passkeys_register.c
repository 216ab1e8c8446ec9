/* passkeys_register.c - a new passkey: asked for, verified, kept, and given to the guard of changes. */
#include "account/identifier.h"
#include "flow/passkeys.h"

/* --- the question --- */

struct asking {
    const struct visitor *v;
    struct passkey_ask ask;
    int64_t now_us;
    struct account account;
    struct identifier names[IDENTIFIERS_MAX];
    unsigned names_count, count;
    struct buf exclude;
};

static void exclude_one(void *ctx, const struct passkey *p)
{
    struct asking *a = ctx;
    buf_puts(&a->exclude, a->count++ ? "," : "");
    passkey_print_descriptor(p, &a->exclude);
}

static enum keer_err ask_register(struct db *db, void *ctx)
{
    struct asking *a = ctx;
    enum keer_err err = account_read(db, &a->ask.account, &a->account);
    if (err == KEER_OK)
        err = identifier_list(db, &a->ask.account, a->names, &a->names_count);
    if (err == KEER_OK)
        err = passkeys_each(db, &a->ask.account, exclude_one, a);
    if (err == KEER_OK)
        err = a->count < PASSKEYS_MAX ? a->exclude.err : KEER_EFULL;
    if (err == KEER_OK)
        err = passkey_ask(db, &a->ask, a->now_us);
    return err;
}

/* What an authenticator shows for the account: what its owner signs in by, and is called. */
static struct slice user_name(const struct passkeys *p, const struct asking *a)
{
    for (unsigned i = 0; i < a->names_count; i++)
        if (a->names[i].kind != IDENTIFIER_SUBJECT)
            return slice_str(a->names[i].text);
    return a->account.name[0] ? slice_str(a->account.name) : slice_str(p->accounts->words.service);
}

enum keer_err passkeys_register_options(const struct passkeys *p, struct desk_worker *w, const struct visitor *v,
                                        bool payment, struct buf *out)
{
    struct asking a = {
        .v = v, .ask = {.holder = v->session, .account = v->now.account, .payment = payment}, .now_us = desk_wall_us(w)};
    ASSERT(id_is(&v->session));
    buf_init(&a.exclude, PASSKEY_OPTIONS_BYTES);
    enum keer_err err = desk_write(w, ask_register, &a);
    if (err == KEER_OK) {
        struct slice name = user_name(p, &a);
        struct passkey_creation c = {.rp_id = slice_str(p->rp_id),
                                     .service = slice_str(p->accounts->words.service),
                                     .user_id = id_slice(&a.ask.account),
                                     .user_name = name,
                                     .display_name = a.account.name[0] ? slice_str(a.account.name) : name,
                                     .challenge = slice_of((const char *)a.ask.challenge, sizeof a.ask.challenge),
                                     .exclude = buf_view(&a.exclude),
                                     .attested = p->roots_count > 0,
                                     .payment = payment};
        buf_fmt(out, "{\"flow\":\"%s\",\"publicKey\":", a.ask.id.text);
        passkey_print_creation(&c, out);
        buf_puts(out, "}\n");
        err = out->err;
    }
    buf_release(&a.exclude);
    return err;
}

/* --- the answer --- */

struct registering {
    const struct passkeys *p;
    const struct visitor *v;
    const struct passkeys_registering *r;
    struct passkey_ask ask;
    struct webauthn_registered made;
    int64_t now_us;
    bool asked, confirmed;
    struct passkeys_registered *ret;
};

static enum keer_err take_question(struct db *db, void *ctx)
{
    struct registering *g = ctx;
    enum keer_err err = passkey_answered(db, &g->ask, g->now_us);
    g->asked = err == KEER_OK;
    return err == KEER_EMISSING ? KEER_OK : err;
}

static struct slice name_of(const struct registering *g) { return g->r->name.len ? g->r->name : visitor_what(g->v); }

/* The same answer again, after the step that the guard asked for: it was verified then, and its question is used up. */
static enum keer_err find_confirmed(struct db *db, void *ctx)
{
    struct registering *g = ctx;
    struct passkey known;
    enum keer_err err = passkey_find(db, g->r->reply->id, &known);
    if (err == KEER_EMISSING)
        return KEER_OK;
    if (err != KEER_OK || known.row.state != AUTHENTICATOR_ENROLLING || !id_eq(&known.row.account, &g->v->now.account))
        return err;
    g->ret->id = known.row.id;
    return guard_confirmed(db, &g->r->challenge, &known.row.account, GUARD_AUTHENTICATOR_ADD, &known.row.id, g->now_us,
                           &g->confirmed);
}

static enum keer_err keep(struct db *db, void *ctx)
{
    struct registering *g = ctx;
    struct passkey_new n = {.account = g->v->now.account,
                            .name = name_of(g),
                            .transports = slice_str(g->r->reply->transports),
                            .payment = g->ask.payment,
                            .made = &g->made};
    return passkey_add(db, &n, g->now_us, &g->ret->id);
}

static enum keer_err drop(struct db *db, void *ctx)
{
    struct registering *g = ctx;
    enum keer_err err = authenticator_remove(db, &g->v->now.account, &g->ret->id, g->now_us);
    return err == KEER_EMISSING ? KEER_OK : err;
}

/* The decision, the guard; what they refuse is dropped, and asks for another passkey. */
static enum keer_err guarded(struct registering *g, struct desk_worker *w)
{
    struct guard_request r = {.session = &g->v->now,
                              .change = GUARD_AUTHENTICATOR_ADD,
                              .thing = g->ret->id,
                              .detail = name_of(g),
                              .challenge = g->r->challenge,
                              .where = visitor_where(g->v)};
    struct enrol *e = &g->ret->enrol;
    enum keer_err err = enrol_guarded(g->p->steps, w, g->v, "authenticator_added", &r, e);
    bool refused = e->outcome != ENROL_GUARD || e->guard.outcome == GUARD_REFUSED ||
                   (e->guard.outcome == GUARD_BAD_STEP && !g->confirmed);
    return err == KEER_OK && refused ? desk_write(w, drop, g) : err;
}

static enum keer_err verify(struct registering *g)
{
    struct slice origins[PASSKEY_ORIGINS_MAX];
    struct webauthn_registration given = {g->r->reply->client_data, g->r->reply->object};
    for (unsigned i = 0; i < g->p->origins_count; i++)
        origins[i] = slice_str(g->p->origin[i]);
    struct webauthn_expect expect = {.challenge = slice_of((const char *)g->ask.challenge, sizeof g->ask.challenge),
                                     .rp_id = slice_str(g->p->rp_id),
                                     .origins = origins,
                                     .origins_count = g->p->origins_count,
                                     .user_verified = true,
                                     .algorithms = passkey_algorithms,
                                     .algorithms_count = passkey_algorithms_count,
                                     .roots = g->p->roots,
                                     .roots_count = g->p->roots_count,
                                     .trusted = g->p->trusted,
                                     .now_us = g->now_us};
    enum keer_err err = webauthn_register(&expect, &given, &g->made);
    if (err == KEER_OK && g->made.verdict == WEBAUTHN_OK && !slice_eq(g->made.credential_id, g->r->reply->id))
        g->made.verdict = WEBAUTHN_CREDENTIAL_ID;
    return err;
}

enum keer_err passkeys_register(const struct passkeys *p, struct desk_worker *w, const struct visitor *v,
                                const struct passkeys_registering *r, struct passkeys_registered *ret)
{
    struct registering g = {.p = p,
                            .v = v,
                            .r = r,
                            .ask = {.id = r->flow, .holder = v->session, .account = v->now.account},
                            .now_us = desk_wall_us(w),
                            .ret = ret};
    enum keer_err err = KEER_OK;
    *ret = (struct passkeys_registered){.verdict = WEBAUTHN_OK};
    if (id_is(&r->challenge))
        err = desk_read(w, find_confirmed, &g);
    if (err == KEER_OK && g.confirmed)
        return guarded(&g, w);
    if (err == KEER_OK)
        err = desk_write(w, take_question, &g);
    if (err == KEER_OK && g.asked)
        err = verify(&g);
    if (err != KEER_OK)
        return err;
    ret->verdict = g.asked ? g.made.verdict : WEBAUTHN_CHALLENGE;
    if (ret->verdict != WEBAUTHN_OK) {
        log_put(desk_log(w), LOG_INFO, "registration: a passkey was refused: %s (account %s)",
                webauthn_verdict_text(ret->verdict), v->now.account.text);
        return KEER_OK;
    }
    err = desk_write(w, keep, &g);
    ret->known = err == KEER_ECONFLICT;
    return ret->known ? KEER_OK : err == KEER_OK ? guarded(&g, w) : err;
}
