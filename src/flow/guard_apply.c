/* guard_apply.c - what guarded changes do, and how each is taken back. */
#include "account/password.h"
#include "flow/guard_inside.h"
#include "stepup/code.h"

#define BIT(state) AUTHENTICATOR_BIT(AUTHENTICATOR_##state)

typedef enum keer_err change_fn(struct db *db, const struct guard *g, struct guard_full *f, int64_t now_us);

/* --- authenticators --- */

enum keer_err guard_authenticator_gone(struct db *db, const struct authenticator *a, const struct id *keep, int64_t now_us)
{
    struct id none = {0};
    enum keer_err err =
        session_end_by(db, &a->account, &a->id, a->kind == AUTHENTICATOR_DEVICE ? &a->ref : &none, keep, now_us);
    return err == KEER_OK ? challenge_refuse_by(db, &a->account, &a->id, now_us) : err;
}

static change_fn add_authenticator, remove_authenticator, restore_authenticator, activate_codes;

static enum keer_err add_authenticator(struct db *db, const struct guard *g, struct guard_full *f, int64_t now_us)
{
    UNUSED(g);
    return authenticator_move(db, &f->row.account, &f->row.thing, BIT(ENROLLING) | BIT(WAITING), AUTHENTICATOR_ACTIVE,
                              now_us);
}

static enum keer_err remove_authenticator(struct db *db, const struct guard *g, struct guard_full *f, int64_t now_us)
{
    struct authenticator a;
    UNUSED(g);
    enum keer_err err = authenticator_get(db, &f->row.account, &f->row.thing, &a);
    if (err == KEER_OK)
        err = authenticator_remove(db, &f->row.account, &f->row.thing, now_us);
    if (err == KEER_OK)
        err = guard_authenticator_gone(db, &a, &f->session, now_us);
    if (err == KEER_OK && a.kind == AUTHENTICATOR_DEVICE) { /* a device that is no authenticator is not trusted */
        err = device_trust(db, &f->row.account, &a.ref, false, now_us);
        err = err == KEER_EMISSING ? KEER_OK : err;
    }
    return err;
}

static enum keer_err restore_authenticator(struct db *db, const struct guard *g, struct guard_full *f, int64_t now_us)
{
    struct authenticator a;
    UNUSED(g);
    enum keer_err err = authenticator_get(db, &f->row.account, &f->row.thing, &a);
    if (err == KEER_OK)
        err = authenticator_restore(db, &f->row.account, &f->row.thing, now_us);
    if (err == KEER_OK && a.kind == AUTHENTICATOR_DEVICE) {
        err = device_trust(db, &f->row.account, &a.ref, true, now_us);
        err = err == KEER_EMISSING ? KEER_OK : err;
    }
    return err;
}

/* The set before goes, and what was opened with a code of it. */
static enum keer_err activate_codes(struct db *db, const struct guard *g, struct guard_full *f, int64_t now_us)
{
    struct authenticator rows[AUTHENTICATORS_MAX];
    unsigned n = 0;
    UNUSED(g);
    enum keer_err err = authenticators_list(db, &f->row.account, rows, &n);
    if (err == KEER_OK)
        err = code_activate(db, &f->row.account, &f->row.thing, now_us);
    for (unsigned i = 0; err == KEER_OK && i < n; i++)
        if (rows[i].kind == AUTHENTICATOR_RECOVERY_CODE && !id_eq(&rows[i].id, &f->row.thing))
            err = guard_authenticator_gone(db, &rows[i], &f->session, now_us);
    return err;
}

/* --- the password --- */

static enum keer_err set_password(struct db *db, const struct guard *g, struct guard_full *f, int64_t now_us)
{
    struct password_row old = {.changed_us = 0};
    int64_t ended;
    UNUSED(g);
    enum keer_err err = password_read(db, &f->row.account, &old);
    if (err == KEER_EMISSING) { /* taking it back leaves a password that nobody has */
        password_dummy(old.phc);
        err = KEER_OK;
    }
    if (err == KEER_OK)
        err = password_write(db, &f->row.account, f->data, now_us);
    if (err == KEER_OK) /* who knew the old one is out */
        err = session_end_others(db, &f->row.account, &f->session, now_us, &ended);
    if (err == KEER_OK)
        (void)snprintf(f->was, sizeof f->was, "%s", old.phc);
    return err;
}

static enum keer_err unset_password(struct db *db, const struct guard *g, struct guard_full *f, int64_t now_us)
{
    UNUSED(g);
    return f->was[0] ? password_write(db, &f->row.account, f->was, now_us) : KEER_EMISSING;
}

/* --- addresses --- */

static enum keer_err add_contact(struct db *db, const struct guard *g, struct guard_full *f, int64_t now_us)
{
    UNUSED(g);
    return contact_verify(db, &f->row.account, &f->row.thing, now_us);
}

/* Taken back by its address: another row may have it by then. */
static enum keer_err remove_contact(struct db *db, const struct guard *g, struct guard_full *f, int64_t now_us)
{
    struct contact c;
    UNUSED(g);
    enum keer_err err = contact_read(db, &f->row.account, &f->row.thing, &c);
    if (err == KEER_OK)
        err = contact_remove(db, &f->row.account, &f->row.thing, now_us);
    if (err == KEER_OK)
        (void)snprintf(f->was, sizeof f->was, "%s", c.address.text);
    return err;
}

static enum keer_err restore_contact(struct db *db, const struct guard *g, struct guard_full *f, int64_t now_us)
{
    struct identifier address;
    struct identifier_why why;
    UNUSED(g);
    enum keer_err err = identifier_guess(slice_str(f->was), &address, &why);
    return err == KEER_OK ? contact_give_back(db, &f->row.account, &address, now_us) : err;
}

/* --- devices --- */

static enum keer_err trust_device(struct db *db, const struct guard *g, struct guard_full *f, int64_t now_us)
{
    struct authenticator a;
    UNUSED(g);
    enum keer_err err = device_trust(db, &f->row.account, &f->row.thing, true, now_us);
    if (err == KEER_OK)
        err = authenticator_by_ref(db, &f->row.account, AUTHENTICATOR_DEVICE, &f->row.thing, &a);
    if (err == KEER_OK) {
        err = authenticator_move(db, &f->row.account, &a.id, BIT(ENROLLING) | BIT(WAITING) | BIT(DISABLED),
                                 AUTHENTICATOR_ACTIVE, now_us);
        return err == KEER_EMISSING ? KEER_OK : err; /* it is active */
    }
    if (err != KEER_EMISSING)
        return err;
    a = (struct authenticator){.account = f->row.account,
                               .kind = AUTHENTICATOR_DEVICE,
                               .ref = f->row.thing,
                               .state = AUTHENTICATOR_ACTIVE,
                               .created_us = now_us};
    (void)snprintf(a.name, sizeof a.name, "%.*s", (int)sizeof a.name - 1, f->row.detail);
    return authenticator_add(db, &a);
}

static enum keer_err distrust_device(struct db *db, const struct guard *g, struct guard_full *f, int64_t now_us)
{
    struct authenticator a;
    UNUSED(g);
    enum keer_err err = device_trust(db, &f->row.account, &f->row.thing, false, now_us);
    if (err == KEER_OK || err == KEER_EMISSING)
        err = authenticator_by_ref(db, &f->row.account, AUTHENTICATOR_DEVICE, &f->row.thing, &a);
    return err == KEER_OK ? authenticator_remove(db, &f->row.account, &a.id, now_us) : err;
}

/* --- wallets --- */

static enum keer_err raise_limit(struct db *db, const struct guard *g, struct guard_full *f, int64_t now_us)
{
    return g->wallet_limit ? g->wallet_limit(db, &f->row.account, slice_str(f->data), true, f->was, now_us) : KEER_EMISSING;
}

static enum keer_err lower_limit(struct db *db, const struct guard *g, struct guard_full *f, int64_t now_us)
{
    return g->wallet_limit ? g->wallet_limit(db, &f->row.account, SLICE(""), false, f->was, now_us) : KEER_EMISSING;
}

/* --- the table --- */

static const struct {
    change_fn *make, *unmake;
} changes[] = {
#define GUARD(name, text, wait, notice, apply, undo, back, what) {apply, undo},
#include "flow/guard.def"
#undef GUARD
};

enum keer_err guard_make(struct db *db, const struct guard *g, struct guard_full *f, int64_t now_us)
{
    return changes[f->row.change].make(db, g, f, now_us);
}

enum keer_err guard_unmake(struct db *db, const struct guard *g, const struct guard_full *f, int64_t now_us)
{
    struct guard_full copy = *f;
    enum keer_err err = changes[f->row.change].unmake(db, g, &copy, now_us);
    crypto_wipe(&copy, sizeof copy);
    switch (err) {
    case KEER_EMISSING: /* it is gone already, or somebody else's by now: the freeze still follows */
    case KEER_EINVALID:
    case KEER_ECONFLICT:
    case KEER_ELIMIT:
    case KEER_EFULL:
    case KEER_EFORMAT: return KEER_OK;
    default: return err;
    }
}

static bool is_authenticator(const struct guard_full *f)
{
    return f->row.change == GUARD_AUTHENTICATOR_ADD || f->row.change == GUARD_RECOVERY_CODES;
}

enum keer_err guard_thing_waits(struct db *db, const struct guard_full *f, int64_t now_us)
{
    return is_authenticator(f)
               ? authenticator_move(db, &f->row.account, &f->row.thing, BIT(ENROLLING), AUTHENTICATOR_WAITING, now_us)
               : KEER_OK;
}

enum keer_err guard_thing_dropped(struct db *db, const struct guard_full *f, int64_t now_us)
{
    enum keer_err err = is_authenticator(f) ? authenticator_remove(db, &f->row.account, &f->row.thing, now_us) : KEER_OK;
    return err == KEER_EMISSING ? KEER_OK : err;
}
