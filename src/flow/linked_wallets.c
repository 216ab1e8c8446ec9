/* linked_wallets.c - a person's page of linked wallets. */
#include "flow/linked_wallets.h"

#include "flow/agreements_inside.h"

static enum keer_err read_one(struct db *db, const struct linked_wallets *l, struct linked_wallet *row)
{
    struct charge_query q = {.agreement = &row->agreement.id};
    enum keer_err err = charge_used(db, &row->agreement.id, row->agreement.currency, l->now_us, &row->used);
    return err == KEER_OK ? charge_list(db, &q, LINKED_CHARGES_MAX, row->charges, &row->charges_count) : err;
}

enum keer_err linked_wallets_read(struct db *db, void *ctx)
{
    struct linked_wallets *l = ctx;
    struct agreement_find find = {.account = l->account};
    struct agreement *all = calloc(LINKED_WALLETS_MAX, sizeof *all);
    unsigned n = 0;
    enum keer_err err = all ? agreements_list(db, &find, all, LINKED_WALLETS_MAX, &n) : KEER_ENOMEM;
    for (unsigned i = 0; err == KEER_OK && i < n; i++) {
        struct linked_wallet *row = &l->rows[l->count];
        if (all[i].state == AGREEMENT_ENDED && (!all[i].signed_us || all[i].state_us < l->now_us - LINKED_ENDED_US))
            continue;
        row->agreement = all[i];
        err = read_one(db, l, row);
        l->count++;
    }
    free(all);
    return err == KEER_OK ? guard_hold(db, &l->account, l->now_us, &l->hold) : err;
}

/* --- 'it was not me' --- */

struct not_me {
    struct agreements_case c; /* of the agreement */
    const struct id *id;
    struct charge charge;
    char event[LIMIT_NAME_BYTES + 1];
};

static enum keer_err not_me(struct db *db, void *ctx)
{
    struct not_me *n = ctx;
    struct agreements_case *c = &n->c;
    enum keer_err err = charge_read(db, n->id, &n->charge);
    if (err == KEER_OK)
        err = agreements_find(db, c); /* of the visitor's account alone */
    agreement_wipe(&c->a);
    if (err == KEER_OK)
        err = agreements_wallet_charge(db, &c->a.account, n->id, c->now_us, n->event);
    return err == KEER_OK ? guard_freeze(db, &c->g->steps->guard, &c->a.account,
                                         SLICE("You said that a charge was not you."), c->now_us)
                          : err;
}

enum keer_err linked_wallets_not_me(const struct agreements *g, struct desk_worker *w, const struct visitor *v,
                                    const struct id *charge)
{
    struct agreements_who who = {.v = v};
    struct not_me n = {.id = charge};
    struct desk_decision d = {0};
    n.c = (struct agreements_case){.g = g, .who = &who, .id = &n.charge.agreement, .now_us = desk_wall_us(w)};
    enum keer_err err = desk_write(w, not_me, &n);
    if (err != KEER_OK)
        return err;
    struct desk_event e = visitor_event(v, &v->now.account, "fraud_reported");
    e.account = slice_str(n.c.name.text);
    e.target = slice_str(n.event);
    err = desk_decide(w, &e, &d);
    buf_release(&d.answer);
    if (err != KEER_OK && err != KEER_EIO) { /* the lock stands; what could not be reported is told */
        log_put(desk_log(w), LOG_WARNING, "a report of fraud on charge %s was not taken: %s", charge->text,
                keer_err_text(err));
        err = KEER_OK;
    }
    return err;
}
