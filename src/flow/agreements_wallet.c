/* agreements_wallet.c - agreements and their wallets: what is asked, what is answered, and what the clock asks for. */
#include "base/timefmt.h"
#include "flow/agreements_inside.h"
#include "flow/notifier.h"

static struct wallet *wallet_of(const struct agreements_case *c)
{
    return wallets_find(c->g->wallets->list, slice_str(c->a.wallet));
}
static struct wallet_calls *calls_of(const struct agreements_case *c) { return &c->g->wallets->calls; }

static struct wallet_agreement which_of(const struct agreement *a)
{
    struct wallet_agreement w = {
        .state = WALLET_AGREEMENT_NONE, .signed_us = a->signed_us, .valid_until_us = a->valid_until_us};
    (void)snprintf(w.number, sizeof w.number, "%s", a->number);
    (void)snprintf(w.ref, sizeof w.ref, "%s", a->ref);
    (void)snprintf(w.refresh, sizeof w.refresh, "%s", a->refresh);
    return w;
}
static void wipe_which(struct wallet_agreement *w)
{
    crypto_wipe(w->ref, sizeof w->ref);
    crypto_wipe(w->refresh, sizeof w->refresh);
}

/* --- what a wallet says --- */

struct taking {
    struct agreements_case *c;
    const struct wallet_agreement *said;
    bool lapses; /* it is SIGNING and its time is over: what is not signed never will be */
    enum agreements_taken taken;
};

static enum keer_err take_in_db(struct db *db, void *ctx)
{
    struct taking *t = ctx;
    struct agreements_case *c = t->c;
    const struct crypto_hash *key = agreements_key(c->g);
    struct agreement *a = &c->a;
    enum keer_err err = agreement_get(db, key, c->id, a);
    bool none = t->said->state == WALLET_AGREEMENT_NONE || t->said->state == WALLET_AGREEMENT_TEMP;
    if (err == KEER_OK && t->lapses && none && a->state == AGREEMENT_SIGNING) {
        t->taken = AGREEMENTS_ENDED;
        err = agreement_ended(db, &a->id, /* by_wallet */ false, SLICE("lapsed"), c->now_us);
        return err == KEER_OK ? agreement_get(db, key, c->id, a) : err;
    }
    return err == KEER_OK ? agreements_take(db, key, t->said, c->now_us, a, &t->taken) : err;
}

static enum keer_err said(struct agreements_case *c, struct desk_worker *w, struct taking *t)
{
    bool linked = c->a.signed_us != 0;
    enum keer_outcome outcome;
    enum keer_err err = desk_write(w, take_in_db, t);
    if (err != KEER_OK)
        return err;
    notifier_wake(c->g->steps->accounts->notifier);
    if (t->taken == AGREEMENTS_ENDED && linked && c->a.by_wallet) /* ended is ended, whatever is decided */
        err = agreements_decide(c, w, "agreement_closed", SLICE(""), &outcome);
    return err;
}

enum keer_err agreements_said(struct agreements_case *c, struct desk_worker *w, const struct wallet_agreement *what,
                              enum agreements_taken *ret)
{
    struct taking t = {.c = c, .said = what};
    enum keer_err err = said(c, w, &t);
    *ret = t.taken;
    return err;
}

enum keer_err agreements_ask_wallet(struct agreements_case *c, struct desk_worker *w, enum wallet_answer *ret_answer,
                                    struct wallet_why *ret_why)
{
    struct wallet_agreement which = which_of(&c->a), got = {.state = WALLET_AGREEMENT_NONE};
    struct wallet *wallet = wallet_of(c);
    enum agreements_taken taken;
    enum keer_err err = KEER_OK;
    *ret_answer = WALLET_NOT_SENT;
    if (wallet)
        *ret_answer = wallet_agreement_query(wallet, calls_of(c), &which, &got, ret_why);
    /* 'There is none' may be told as a refusal. */
    if (*ret_answer == WALLET_NO && (ret_why->reason == WALLET_AGREEMENT_GONE || ret_why->reason == WALLET_NOT_THERE)) {
        got.state = WALLET_AGREEMENT_NONE;
        *ret_answer = WALLET_YES;
    }
    /* A wallet that can't be asked (Antom) has said, with the last token, until when it holds. */
    if (*ret_answer == WALLET_NO && ret_why->reason == WALLET_NOT_POSSIBLE && c->a.valid_until_us &&
        c->now_us >= c->a.valid_until_us) {
        got.state = WALLET_AGREEMENT_STOPPED;
        *ret_answer = WALLET_YES;
    }
    if (*ret_answer == WALLET_YES)
        err = agreements_said(c, w, &got, &taken);
    wipe_which(&which);
    wipe_which(&got);
    return err;
}

/* --- ending --- */

static enum keer_err drop_in_db(struct db *db, void *ctx)
{
    struct agreements_case *c = ctx;
    enum keer_err err = agreement_drop_stray(db, c->id);
    return err == KEER_EMISSING ? KEER_OK : err;
}

/* Whether the wallet says that there is none any more. */
static bool ended_there(struct agreements_case *c, struct wallet *wallet, struct wallet_agreement *which)
{
    struct wallet_agreement got = {.state = WALLET_AGREEMENT_NORMAL};
    struct wallet_why why = {.reason = WALLET_NO_REASON};
    enum wallet_answer answer = WALLET_UNKNOWN;
    if (which->ref[0])
        answer = wallet_agreement_end(wallet, calls_of(c), which, slice_str(c->a.why), &why);
    if (answer == WALLET_YES || (answer == WALLET_NO && why.reason == WALLET_AGREEMENT_GONE))
        return true;
    if (answer == WALLET_NOT_SENT)
        return false;
    answer = wallet_agreement_query(wallet, calls_of(c), which, &got, &why);
    bool gone = answer == WALLET_NO && (why.reason == WALLET_AGREEMENT_GONE || why.reason == WALLET_NOT_THERE);
    /* It was signed there after all: its reference is what ending needs. */
    if (answer == WALLET_YES && got.state == WALLET_AGREEMENT_NORMAL && !which->ref[0] && got.ref[0]) {
        answer = wallet_agreement_end(wallet, calls_of(c), &got, slice_str(c->a.why), &why);
        gone = answer == WALLET_YES || (answer == WALLET_NO && why.reason == WALLET_AGREEMENT_GONE);
    } else if (answer == WALLET_YES) {
        gone = got.state != WALLET_AGREEMENT_NORMAL;
    }
    wipe_which(&got);
    return gone;
}

enum keer_err agreements_finish(struct agreements_case *c, struct desk_worker *w)
{
    struct wallet_agreement which = which_of(&c->a);
    static const struct wallet_agreement none = {.state = WALLET_AGREEMENT_STOPPED};
    struct wallet *wallet = wallet_of(c);
    enum agreements_taken taken;
    enum keer_err err = KEER_OK;
    bool stray = c->a.state == AGREEMENT_ENDED;
    if (wallet && ended_there(c, wallet, &which))
        err = stray ? desk_write(w, drop_in_db, c) : agreements_said(c, w, &none, &taken);
    wipe_which(&which);
    return err;
}

/* --- notices --- */

struct noticed {
    const struct agreements *g;
    const char *wallet;
    const struct wallet_agreement *said;
    struct id id;
};

static enum keer_err find_noticed(struct db *db, void *ctx)
{
    struct noticed *n = ctx;
    struct agreement a;
    const struct crypto_hash *key = agreements_key(n->g);
    enum keer_err err = n->said->number[0] ? agreement_by_number(db, key, slice_str(n->said->number), &a)
                                           : agreement_by_ref(db, key, slice_str(n->wallet), slice_str(n->said->ref), &a);
    if (err == KEER_OK && strcmp(a.wallet, n->wallet) != 0)
        err = KEER_EMISSING;
    if (err == KEER_OK)
        n->id = a.id;
    agreement_wipe(&a);
    return err;
}

/* The code of a notice becomes an agreement; a wallet that gives no answer tells it again. */
static enum keer_err finish_signing(struct agreements_case *c, struct wallet *wallet, const char *auth_code,
                                    struct wallet_agreement *ret)
{
    struct wallet_why why;
    switch (wallet_sign_finish(wallet, calls_of(c), c->a.number, auth_code, ret, &why)) {
    case WALLET_YES: return KEER_OK;
    case WALLET_NO: return KEER_EMISSING;
    case WALLET_UNKNOWN:
    case WALLET_NOT_SENT: break;
    }
    return KEER_EUNSUPPORTED;
}

enum keer_err agreements_notice(const struct agreements *g, struct desk_worker *w, struct wallet *wallet,
                                const struct wallet_notice *n, enum agreements_taken *ret)
{
    struct agreements_who everybody = {.v = NULL};
    struct noticed found = {.g = g, .wallet = wallet_name(wallet), .said = &n->agreement};
    struct agreements_case c = {.g = g, .who = &everybody, .id = &found.id, .now_us = desk_wall_us(w)};
    struct wallet_agreement what = n->agreement;
    enum keer_err err = desk_read(w, find_noticed, &found);
    *ret = AGREEMENTS_NOT_OURS;
    if (err == KEER_EMISSING)
        return KEER_OK;
    if (err == KEER_OK)
        err = desk_read(w, agreements_find, &c);
    if (err == KEER_OK && n->auth_code[0]) {
        *ret = AGREEMENTS_NOTHING_NEW;
        if (c.a.state != AGREEMENT_SIGNING) /* a code of one that is over, or was taken: it opens nothing */
            goto out;
        err = finish_signing(&c, wallet, n->auth_code, &what);
        if (err == KEER_EMISSING) {
            err = KEER_OK;
            goto out;
        }
    }
    if (err == KEER_OK)
        err = agreements_said(&c, w, &what, ret);
    if (err == KEER_OK && *ret == AGREEMENTS_STRAY) {
        log_put(desk_log(w), LOG_WARNING, "agreement %s was signed at the wallet after its end: it is ended there",
                c.a.id.text);
        err = agreements_finish(&c, w);
    }
out:
    wipe_which(&what);
    agreement_wipe(&c.a);
    return err;
}

/* --- by the clock --- */

struct due {
    const struct agreements *g;
    int64_t now_us;
    struct id ids[AGREEMENTS_A_TICK];
    unsigned count;
    int64_t asked_us; /* what synced_us becomes before the wallet is asked */
    enum due_kind { DUE_STEP, DUE_SIGNING, DUE_ENDING, DUE_STRAY, DUE_SYNC, DUE_MAX } kind;
};

static enum keer_err find_due(struct db *db, void *ctx)
{
    struct due *d = ctx;
    int64_t lapsed = d->now_us - AGREEMENT_SIGN_US, retry = d->now_us - AGREEMENTS_RETRY_US;
    struct agreement_due due = {.since_us = INT64_MAX, .asked_us = retry, .now_us = d->now_us};
    switch (d->kind) {
    case DUE_STEP:
        due.states = AGREEMENT_BIT(AGREEMENT_STEP);
        due.since_us = lapsed;
        due.asked_us = d->now_us;
        break;
    case DUE_SIGNING:
        due.states = AGREEMENT_BIT(AGREEMENT_SIGNING);
        due.since_us = lapsed;
        break;
    case DUE_ENDING: due.states = AGREEMENT_BIT(AGREEMENT_ENDING); break;
    case DUE_STRAY: return agreements_strays(db, retry, d->now_us, d->ids, AGREEMENTS_A_TICK, &d->count);
    case DUE_SYNC:
        due.states = AGREEMENT_BIT(AGREEMENT_ACTIVE) | AGREEMENT_BIT(AGREEMENT_PAUSED);
        due.asked_us = d->now_us - AGREEMENT_SYNC_US;
        break;
    case DUE_MAX: return KEER_EINVALID;
    }
    return agreements_due(db, &due, d->ids, AGREEMENTS_A_TICK, &d->count);
}

/* Before a wallet is asked: one that gives no answer is not asked again at once, by nobody. */
static enum keer_err put_off(struct db *db, void *ctx)
{
    struct due *d = ctx;
    enum keer_err err = KEER_OK;
    for (unsigned i = 0; err == KEER_OK && i < d->count; i++)
        err = d->kind == DUE_STEP ? agreement_lapse(db, &d->ids[i], d->now_us - AGREEMENT_SIGN_US, d->now_us)
                                  : agreement_synced(db, &d->ids[i], d->asked_us);
    return err == KEER_EMISSING ? KEER_OK : err;
}

static enum keer_err lapse_signing(struct agreements_case *c, struct desk_worker *w)
{
    struct wallet_agreement which = which_of(&c->a), got = {.state = WALLET_AGREEMENT_NONE};
    struct wallet_why why = {.reason = WALLET_NO_REASON};
    struct wallet *wallet = wallet_of(c);
    enum wallet_answer answer = WALLET_NOT_SENT;
    struct taking t = {.c = c, .said = &got, .lapses = true};
    if (wallet)
        answer = wallet_agreement_query(wallet, calls_of(c), &which, &got, &why);
    /* A wallet that can't be asked gives a code when somebody signs, and what has no token of it can't be charged: a code that
     * comes after this opens nothing. */
    bool none = answer == WALLET_NO && (why.reason == WALLET_AGREEMENT_GONE || why.reason == WALLET_NOT_THERE ||
                                        (why.reason == WALLET_NOT_POSSIBLE && !which.ref[0]));
    if (none)
        got.state = WALLET_AGREEMENT_NONE;
    enum keer_err err = answer == WALLET_YES || none ? said(c, w, &t) : KEER_OK;
    wipe_which(&got);
    return err;
}

static enum keer_err do_one(struct agreements_case *c, struct desk_worker *w, enum due_kind kind)
{
    enum wallet_answer answer;
    struct wallet_why why = {.reason = WALLET_NO_REASON};
    enum keer_err err = desk_read(w, agreements_find, c);
    if (err != KEER_OK)
        return err;
    switch (kind) {
    case DUE_SIGNING: err = c->a.state == AGREEMENT_SIGNING ? lapse_signing(c, w) : KEER_OK; break;
    case DUE_ENDING: err = c->a.state == AGREEMENT_ENDING ? agreements_finish(c, w) : KEER_OK; break;
    case DUE_STRAY: err = c->a.state == AGREEMENT_ENDED && c->a.ref[0] ? agreements_finish(c, w) : KEER_OK; break;
    case DUE_SYNC: err = agreements_ask_wallet(c, w, &answer, &why); break;
    case DUE_STEP:
    case DUE_MAX: break;
    }
    agreement_wipe(&c->a);
    return err;
}

void agreements_tick(struct desk_worker *w, void *ctx)
{
    const struct agreements *g = ctx;
    static const struct agreements_who everybody = {.v = NULL};
    for (unsigned kind = 0; kind < DUE_MAX; kind++) {
        struct due d = {.g = g, .now_us = desk_wall_us(w), .kind = (enum due_kind)kind};
        d.asked_us = kind == DUE_SYNC ? d.now_us - AGREEMENT_SYNC_US + AGREEMENTS_SYNC_RETRY_US : d.now_us;
        enum keer_err err = desk_read(w, find_due, &d);
        if (err == KEER_OK && d.count)
            err = desk_write(w, put_off, &d);
        for (unsigned i = 0; err == KEER_OK && kind != DUE_STEP && i < d.count; i++) {
            struct agreements_case c = {.g = g, .who = &everybody, .id = &d.ids[i], .now_us = desk_wall_us(w)};
            err = do_one(&c, w, d.kind);
        }
        if (err != KEER_OK && err != KEER_EUNSUPPORTED) { /* unsupported: it starts or stops */
            log_put(desk_log(w), LOG_ERROR, "agreements can't be looked after: %s", keer_err_text(err));
            return;
        }
    }
}
