/* guard.c - when a change of an account may happen: rows that wait, steps, notices. */
#include "flow/guard_inside.h"
#include "flow/recovery.h"
#include "stepup/authenticator.h"
#include "store/query.h"

enum wait { FIRST, OTHER, MONEY, NEVER };
enum back { TAKES, GIVES };
static const struct {
    const char *name, *what;
    enum wait wait;
    enum back back;
    enum notice_kind notice;
} changes[] = {
#define GUARD(name, text, wait, notice, apply, undo, back, what) {text, what, wait, back, NOTICE_##notice},
#include "flow/guard.def"
#undef GUARD
};
static_assert(ARRAY_LEN(changes) == GUARD_CHANGE_MAX, "a row for each");
static const char *const states[GUARD_STATE_MAX] = {"waiting", "done", "cancelled", "undone", "failed"};
static_assert(GUARD_WAITING == 0 && GUARD_DONE == 1 && GUARD_CANCELLED == 2 && GUARD_PENDING_MAX == 8,
              "numbers of the statements below");
#define COLUMNS "id, account, change, thing, detail, data, was, state, session, place, created_us, due_us, ended_us"

const char *guard_change_name(enum guard_change change) { return changes[change].name; }
const char *guard_change_what(enum guard_change change) { return changes[change].what; }
const char *guard_state_name(enum guard_state state) { return states[state]; }

/* --- rows --- */

static enum keer_err take(struct db_stmt *s, struct guard_full *ret)
{
    int64_t change = db_i64(s, 2), state = db_i64(s, 7);
    struct guard_full f = {.row = {.change = (enum guard_change)change,
                                   .state = (enum guard_state)state,
                                   .created_us = db_i64(s, 10),
                                   .due_us = db_i64(s, 11),
                                   .ended_us = db_i64(s, 12)}};
    enum keer_err err =
        change >= 0 && change < GUARD_CHANGE_MAX && state >= 0 && state < GUARD_STATE_MAX ? KEER_OK : KEER_EFORMAT;
    struct id *const ids[] = {&f.row.id, &f.row.account, &f.row.thing, &f.session};
    static const unsigned id_columns[] = {0, 1, 3, 8};
    for (size_t i = 0; err == KEER_OK && i < ARRAY_LEN(ids); i++)
        err = query_id(s, id_columns[i], ids[i]);
    if (err == KEER_OK)
        err = query_text(s, 4, f.row.detail, sizeof f.row.detail);
    if (err == KEER_OK)
        err = query_text(s, 5, f.data, sizeof f.data);
    if (err == KEER_OK)
        err = query_text(s, 6, f.was, sizeof f.was);
    if (err == KEER_OK)
        err = query_text(s, 9, f.row.where, sizeof f.row.where);
    if (err == KEER_OK)
        *ret = f;
    crypto_wipe(&f, sizeof f);
    return err;
}

static enum keer_err read_full(struct db *db, const struct id *account, const struct id *id, struct guard_full *ret)
{
    struct db_stmt *s;
    enum keer_err err =
        QUERY_ONE(db, &s, "SELECT " COLUMNS " FROM guard_change WHERE id = $1 AND account = $2", Q_ID(id), Q_ID(account));
    if (err != KEER_OK)
        return err;
    err = take(s, ret);
    db_free(s);
    return err;
}

/* At most `max` rows of a statement. */
static enum keer_err take_all(struct db_stmt *s, unsigned max, struct guard_full *room, unsigned *ret_count)
{
    enum keer_err err = KEER_OK;
    enum db_step step = DB_END;
    unsigned n = 0;
    while (err == KEER_OK && n < max && (step = db_step(s)) == DB_ROW)
        err = take(s, &room[n++]);
    db_free(s);
    if (err == KEER_OK && step != DB_ROW && step != DB_END)
        err = KEER_EIO;
    if (err == KEER_OK)
        *ret_count = n;
    return err;
}

static enum keer_err pending(struct db *db, const struct id *account, struct guard_full room[GUARD_PENDING_MAX],
                             unsigned *ret_count)
{
    struct db_stmt *s;
    enum keer_err err = QUERY_ROWS(
        db, &s, "SELECT " COLUMNS " FROM guard_change WHERE account = $1 AND state = 0 ORDER BY due_us, id LIMIT 8",
        Q_ID(account));
    return err == KEER_OK ? take_all(s, GUARD_PENDING_MAX, room, ret_count) : err;
}

enum keer_err guard_pending(struct db *db, const struct id *account, struct guard_row ret_rows[GUARD_PENDING_MAX],
                            unsigned *ret_count)
{
    struct guard_full room[GUARD_PENDING_MAX];
    enum keer_err err = pending(db, account, room, ret_count);
    for (unsigned i = 0; err == KEER_OK && i < *ret_count; i++)
        ret_rows[i] = room[i].row;
    crypto_wipe(room, sizeof room);
    return err;
}

static enum keer_err insert(struct db *db, const struct guard_full *f)
{
    return QUERY_DO(db,
                    "INSERT INTO guard_change (" COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
                    Q_ID(&f->row.id), Q_ID(&f->row.account), Q_NUMBER(f->row.change), Q_ID(&f->row.thing),
                    Q_STR(f->row.detail), Q_STR(f->data), Q_STR(f->was), Q_NUMBER(f->row.state), Q_ID(&f->session),
                    Q_STR(f->row.where), Q_NUMBER(f->row.created_us), Q_NUMBER(f->row.due_us), Q_NUMBER(f->row.ended_us));
}

/* From one state to another; what it holds of passwords goes with the last that needs it. KEER_EMISSING. */
static enum keer_err move(struct db *db, const struct guard_full *f, enum guard_state from, enum guard_state to,
                          int64_t now_us)
{
    bool done = to == GUARD_DONE;
    return QUERY_MET(db,
                     "UPDATE guard_change SET state = $1, ended_us = $2, was = $3, data = '' WHERE id = $4 AND state = $5"
                     " RETURNING id",
                     Q_NUMBER(to), Q_NUMBER(now_us), Q_STR(done ? f->was : ""), Q_ID(&f->row.id), Q_NUMBER(from));
}

static enum keer_err tell(struct db *db, const struct guard *g, enum notice_kind kind, const struct guard_full *f,
                          int64_t until_us, int64_t now_us)
{
    unsigned count;
    const char *what = f->row.detail[0] ? f->row.detail : changes[f->row.change].what;
    return notice_add(db, g->key,
                      &(struct notice_new){.account = f->row.account,
                                           .kind = kind,
                                           .about = f->row.id,
                                           .what = slice_of(what, MIN_OF(strlen(what), (size_t)NOTICE_VALUE_BYTES)),
                                           .where = slice_str(f->row.where),
                                           .until_us = until_us},
                      now_us, &count);
}

/* --- asking --- */

/* What a challenge for this change of this thing shows, and by what it is found. */
static struct challenge_data data_of(const struct guard_request *r, char ret_value[CRYPTO_TEXT_BYTES])
{
    /* What the detail does not tell is bound by its hash. Of a password that is the hash of a keyed Argon2id hash. */
    struct crypto_hash hash;
    ret_value[0] = '\0';
    if (r->data.len && !r->detail.len) {
        crypto_sha256(r->data, &hash);
        crypto_text(&hash, ret_value);
    }
    /* A set of codes is made when it is allowed, so that the step before it can't name it. */
    bool by_thing = id_is(&r->thing) && r->change != GUARD_RECOVERY_CODES;
    return (struct challenge_data){.kind = CHALLENGE_CHANGE,
                                   .currency = CUR_MAX,
                                   .change = slice_str(changes[r->change].name),
                                   .detail = r->detail,
                                   .value = slice_str(ret_value),
                                   .reference = by_thing ? id_slice(&r->thing) : id_slice(&r->session->id)};
}

static void client_of(enum guard_change change, char ret_client[LIMIT_NAME_BYTES + 1])
{
    (void)snprintf(ret_client, LIMIT_NAME_BYTES + 1, "guard/%s", changes[change].name);
}

static enum keer_err ask_step(struct db *db, const struct guard_request *r, int64_t now_us, struct guard_answer *a)
{
    struct challenge c = {
        .account = r->session->account, .kind = CHALLENGE_CHANGE, .holder = r->session->id, .device = r->session->device};
    char value[CRYPTO_TEXT_BYTES];
    struct challenge_data d = data_of(r, value);
    unsigned methods;
    bool fresh;
    enum keer_err err = authenticators_methods(db, &r->session->account, &methods);
    if (err != KEER_OK)
        return err;
    if (!methods) { /* all of them are disabled or spent: recovery alone leads out */
        a->outcome = GUARD_REFUSED;
        return KEER_OK;
    }
    client_of(r->change, c.client);
    (void)snprintf(c.event, sizeof c.event, "%.*s", (int)r->event.len, r->event.p ? r->event.p : "");
    (void)snprintf(c.reference, sizeof c.reference, "%.*s", (int)d.reference.len, d.reference.p);
    err = challenge_open(db, &d, now_us, &c, &fresh);
    if (err != KEER_OK)
        return err;
    a->outcome = GUARD_STEP;
    a->challenge = c.id;
    a->methods = methods;
    return KEER_OK;
}

static enum keer_err use_step(struct db *db, const struct guard_request *r, int64_t now_us, bool *ret_ok, unsigned *ret_by)
{
    char value[CRYPTO_TEXT_BYTES];
    struct challenge_data d = data_of(r, value);
    struct challenge used;
    struct crypto_hash hash;
    struct buf shown;
    buf_init(&shown, CHALLENGE_SHOWN_BYTES);
    enum keer_err err = challenge_canon(&d, &shown, &hash);
    buf_release(&shown);
    if (err == KEER_OK)
        err = challenge_use(db,
                            &(struct challenge_want){.id = r->challenge,
                                                     .account = r->session->account,
                                                     .holder = r->session->id,
                                                     .kind = CHALLENGE_CHANGE,
                                                     .shown_hash = &hash},
                            now_us, &used);
    if (err == KEER_OK || err == KEER_EMISSING)
        *ret_ok = err == KEER_OK;
    if (err == KEER_OK)
        *ret_by = used.done_by;
    return err == KEER_EMISSING ? KEER_OK : err;
}

/* Whether a step may have been answered by what was added lately: a thief with one code adds an authenticator of his own, and
 * all further steps are his. */
static enum keer_err answered_by_new(struct db *db, const struct id *account, unsigned by, int64_t since_us, bool *ret)
{
    struct authenticator list[AUTHENTICATORS_MAX];
    unsigned n = 0;
    enum keer_err err = authenticators_list(db, account, list, &n);
    *ret = false;
    for (unsigned i = 0; err == KEER_OK && i < n; i++)
        *ret = *ret || ((by & AUTHENTICATOR_BIT(list[i].kind)) && list[i].state == AUTHENTICATOR_ACTIVE &&
                        list[i].created_us > since_us);
    return err;
}

/* What a raise of a limit waits for beside its step. */
static enum keer_err money_waits(struct db *db, const struct guard *g, const struct guard_request *r, int64_t now_us,
                                 bool *ret_slow)
{
    *ret_slow = true;
    return g->wallet_waits ? g->wallet_waits(db, &r->session->account, r->data, now_us, ret_slow) : KEER_OK;
}

static enum keer_err fill(const struct guard_request *r, int64_t now_us, struct guard_full *f)
{
    if (r->detail.len > CHALLENGE_TEXT_BYTES || r->data.len > GUARD_DATA_BYTES || r->where.len > SESSION_IP_BYTES)
        return KEER_ELIMIT;
    *f = (struct guard_full){
        .row = {.account = r->session->account, .thing = r->thing, .change = r->change, .created_us = now_us},
        .session = r->session->id};
    id_make(&f->row.id);
    (void)snprintf(f->row.detail, sizeof f->row.detail, "%.*s", (int)r->detail.len, r->detail.p ? r->detail.p : "");
    (void)snprintf(f->row.where, sizeof f->row.where, "%.*s", (int)r->where.len, r->where.p ? r->where.p : "");
    (void)snprintf(f->data, sizeof f->data, "%.*s", (int)r->data.len, r->data.p ? r->data.p : "");
    return KEER_OK;
}

static enum keer_err apply_now(struct db *db, const struct guard *g, struct guard_full *f, int64_t now_us,
                               struct guard_answer *a)
{
    f->row.state = GUARD_DONE;
    f->row.due_us = f->row.ended_us = now_us;
    enum keer_err err = guard_make(db, g, f, now_us);
    crypto_wipe(f->data, sizeof f->data);
    if (err == KEER_OK)
        err = insert(db, f);
    if (err == KEER_OK)
        err = tell(db, g, changes[f->row.change].notice, f, 0, now_us);
    if (err != KEER_OK)
        return err;
    a->outcome = GUARD_APPLIED;
    a->change = f->row.id;
    return KEER_OK;
}

/* The same change of the same thing that waits already; a change of the account itself replaces the one that waits. */
static enum keer_err wait_for(struct db *db, const struct guard *g, struct guard_full *f, int64_t wait_us, int64_t now_us,
                              struct guard_answer *a)
{
    struct guard_full room[GUARD_PENDING_MAX];
    unsigned n = 0;
    enum keer_err err = pending(db, &f->row.account, room, &n);
    for (unsigned i = 0; err == KEER_OK && i < n; i++) {
        if (room[i].row.change != f->row.change || !id_eq(&room[i].row.thing, &f->row.thing))
            continue;
        if (id_is(&f->row.thing)) {
            a->outcome = GUARD_WAITS;
            a->change = room[i].row.id;
            a->until_us = room[i].row.due_us;
            goto out;
        }
        err = move(db, &room[i], GUARD_WAITING, GUARD_CANCELLED, now_us);
        n--;
        break;
    }
    if (err != KEER_OK)
        goto out;
    if (n == GUARD_PENDING_MAX) {
        a->outcome = GUARD_REFUSED;
        goto out;
    }
    f->row.state = GUARD_WAITING;
    f->row.due_us = now_us + wait_us;
    err = guard_thing_waits(db, f, now_us);
    if (err == KEER_OK)
        err = insert(db, f);
    if (err == KEER_OK)
        err = tell(db, g, NOTICE_CHANGE_PENDING, f, f->row.due_us, now_us);
    if (err == KEER_OK) {
        a->outcome = GUARD_WAITS;
        a->change = f->row.id;
        a->until_us = f->row.due_us;
    }
out:
    crypto_wipe(room, sizeof room);
    return err;
}

static bool may(const struct session *s, enum guard_change change)
{
    switch (s->rights) {
    case SESSION_FULL: return true;
    case SESSION_RESTRICTED: return changes[change].wait == FIRST;
    case SESSION_PENDING:
    case SESSION_RIGHTS_MAX: break;
    }
    return false;
}

/* The session that the sign-up began, in the transaction that made the account: shortly after it nothing is there yet that a
 * thief could want. */
static bool in_grace(const struct guard *g, const struct account *account, const struct session *s, int64_t now_us)
{
    return s->created_us == account->created_us && now_us - account->created_us < g->grace_us;
}

enum keer_err guard_ask(struct db *db, const struct guard *g, const struct guard_request *r, int64_t now_us,
                        struct guard_answer *ret)
{
    struct guard_answer a = {.outcome = GUARD_REFUSED};
    struct account account = {.state = ACCOUNT_CLOSED};
    struct session session;
    struct guard_full f;
    bool bound = true, wallet = true, stepped = false, fresh = false, slow = false;
    bool money = changes[r->change].wait == MONEY;
    unsigned by = 0;
    enum keer_err err = fill(r, now_us, &f);
    if (err == KEER_OK)
        err = account_read(db, &r->session->account, &account);
    if (err == KEER_OK)
        err = session_read(db, &r->session->id, now_us, &session); /* as it is in this transaction */
    if (err == KEER_EMISSING || (err == KEER_OK && (account.state != ACCOUNT_ACTIVE || !may(&session, r->change) ||
                                                    !id_eq(&session.account, &account.id)))) {
        *ret = a;
        return KEER_OK;
    }
    if (err == KEER_OK && money)
        err = money_waits(db, g, r, now_us, &slow);
    if (err == KEER_ERANGE) {
        *ret = a;
        return KEER_OK;
    }
    if (err == KEER_OK)
        err = authenticators_bound(db, &account.id, &bound);
    if (err == KEER_OK && !bound)
        err = guard_has_wallet(db, &account.id, &wallet);
    if (err != KEER_OK)
        goto out;
    if (bound && !id_is(&r->challenge)) {
        err = ask_step(db, r, now_us, &a);
    } else if (bound) {
        a.outcome = GUARD_BAD_STEP;
        err = use_step(db, r, now_us, &stepped, &by);
        if (err == KEER_OK && stepped && money)
            err = answered_by_new(db, &account.id, by, now_us - g->first_us, &fresh);
        if (err == KEER_OK && stepped && (fresh || slow))
            err = wait_for(db, g, &f, g->first_us, now_us, &a);
        else if (err == KEER_OK && stepped)
            err = apply_now(db, g, &f, now_us, &a);
    } else if (changes[r->change].wait == NEVER) {
        a.outcome = GUARD_REFUSED;
    } else if (!wallet && in_grace(g, &account, &session, now_us)) {
        err = apply_now(db, g, &f, now_us, &a);
    } else {
        int64_t wait_us = slow || (wallet && changes[r->change].wait == FIRST) ? g->first_us : g->wait_us;
        err = wait_for(db, g, &f, wait_us, now_us, &a);
    }
    if (err == KEER_OK)
        *ret = a;
out:
    crypto_wipe(&f, sizeof f);
    return err;
}

enum keer_err guard_confirmed(struct db *db, const struct id *challenge, const struct id *account, enum guard_change change,
                              const struct id *thing, int64_t now_us, bool *ret)
{
    struct challenge c;
    char client[LIMIT_NAME_BYTES + 1];
    client_of(change, client);
    enum keer_err err = id_is(challenge) ? challenge_get(db, challenge, now_us, &c) : KEER_EMISSING;
    if (err == KEER_EMISSING) {
        *ret = false;
        return KEER_OK;
    }
    if (err == KEER_OK)
        *ret = c.kind == CHALLENGE_CHANGE && id_eq(&c.account, account) && strcmp(c.client, client) == 0 &&
               strcmp(c.reference, thing->text) == 0 && !c.used_us &&
               (c.state == CHALLENGE_OPEN || c.state == CHALLENGE_DONE);
    return err;
}

/* --- what waits --- */

static enum keer_err drop(struct db *db, const struct guard_full *f, int64_t now_us)
{
    enum keer_err err = move(db, f, GUARD_WAITING, GUARD_CANCELLED, now_us);
    return err == KEER_OK ? guard_thing_dropped(db, f, now_us) : err;
}

enum keer_err guard_cancel(struct db *db, const struct guard *g, const struct id *account, const struct id *change,
                           struct slice where, int64_t now_us)
{
    struct guard_full f;
    enum keer_err err = read_full(db, account, change, &f);
    if (err == KEER_OK)
        err = drop(db, &f, now_us);
    if (err == KEER_OK) {
        (void)snprintf(f.row.where, sizeof f.row.where, "%.*s", (int)MIN_OF(where.len, (size_t)SESSION_IP_BYTES),
                       where.p ? where.p : "");
        err = tell(db, g, NOTICE_CHANGE_CANCELLED, &f, 0, now_us);
    }
    crypto_wipe(&f, sizeof f);
    return err;
}

enum keer_err guard_cancel_all(struct db *db, const struct id *account, int64_t now_us)
{
    struct guard_full room[GUARD_PENDING_MAX];
    unsigned n = 0;
    enum keer_err err = pending(db, account, room, &n);
    for (unsigned i = 0; err == KEER_OK && i < n; i++)
        err = drop(db, &room[i], now_us);
    crypto_wipe(room, sizeof room);
    return err;
}

/* Once: the row moves first, and then the change is made, in the same transaction. */
static enum keer_err apply_due(struct db *db, const struct guard *g, struct guard_full *f, int64_t now_us)
{
    struct account account;
    enum keer_err err = account_read(db, &f->row.account, &account);
    if (err == KEER_OK && account.state != ACCOUNT_ACTIVE)
        return drop(db, f, now_us);
    if (err == KEER_OK)
        err = guard_make(db, g, f, now_us);
    switch (err) {
    case KEER_OK:
        err = move(db, f, GUARD_WAITING, GUARD_DONE, now_us);
        return err == KEER_OK ? tell(db, g, changes[f->row.change].notice, f, 0, now_us) : err;
    case KEER_EMISSING:
    case KEER_EINVALID:
    case KEER_ECONFLICT:
    case KEER_EFULL:
    case KEER_ELIMIT: return move(db, f, GUARD_WAITING, GUARD_FAILED, now_us);
    default: return err;
    }
}

enum keer_err guard_apply_due(struct db *db, const struct guard *g, int64_t now_us, unsigned rows_max, unsigned *ret_count)
{
    struct guard_full room[GUARD_PENDING_MAX];
    struct db_stmt *s;
    unsigned n = 0;
    enum keer_err err = QUERY_ROWS(
        db, &s, "SELECT " COLUMNS " FROM guard_change WHERE state = 0 AND due_us <= $1 ORDER BY due_us, id LIMIT $2",
        Q_NUMBER(now_us), Q_NUMBER(MIN_OF(rows_max, (unsigned)GUARD_PENDING_MAX)));
    if (err == KEER_OK)
        err = take_all(s, MIN_OF(rows_max, (unsigned)GUARD_PENDING_MAX), room, &n);
    for (unsigned i = 0; err == KEER_OK && i < n; i++)
        err = apply_due(db, g, &room[i], now_us);
    crypto_wipe(room, sizeof room);
    if (err == KEER_OK)
        *ret_count = n;
    return err;
}

enum keer_err guard_forget(struct db *db, int64_t now_us)
{
    enum keer_err err = QUERY_DO(db, "UPDATE guard_change SET was = '' WHERE state = 1 AND was <> '' AND ended_us < $1",
                                 Q_NUMBER(now_us - GUARD_UNDO_US));
    return err == KEER_OK ? QUERY_DO(db, "UPDATE recovery SET phc = '' WHERE state = 2 AND phc <> '' AND ended_us < $1",
                                     Q_NUMBER(now_us - GUARD_UNDO_US))
                          : err;
}

/* --- 'not me' --- */

enum keer_err guard_freeze(struct db *db, const struct guard *g, const struct id *account, struct slice why, int64_t now_us)
{
    int64_t n;
    unsigned count;
    enum keer_err err = account_freeze(db, account, why, now_us);
    if (err == KEER_OK)
        err = challenge_refuse_all(db, account, SLICE("frozen"), now_us, &n);
    if (err == KEER_OK)
        err = QUERY_DO(db, "UPDATE prompt SET state = 2, answered_us = $1 WHERE account = $2 AND state = 0",
                       Q_NUMBER(now_us), Q_ID(account));
    if (err == KEER_OK)
        err = guard_cancel_all(db, account, now_us);
    if (err == KEER_OK)
        err = recovery_cancel_all(db, account, now_us);
    if (err == KEER_OK)
        err = notice_add(db, g->key, &(struct notice_new){.account = *account, .kind = NOTICE_ACCOUNT_FROZEN, .what = why},
                         now_us, &count);
    return err;
}

/* What a notice told of: a change that waits or was made, a device, or nothing that can be taken back by itself. */
static enum keer_err undo(struct db *db, const struct guard *g, const struct notice *n, int64_t now_us,
                          struct guard_not_me *r, bool *ret_nothing)
{
    struct guard_full f;
    bool *ret_undone = &r->undone;
    if (!id_is(&n->about))
        return KEER_OK;
    if (n->kind == NOTICE_CHARGE_PAID) {
        enum keer_err paused =
            g->wallet_charge ? g->wallet_charge(db, &n->account, &n->about, now_us, r->event) : KEER_EMISSING;
        *ret_undone = paused == KEER_OK;
        return paused == KEER_EMISSING ? KEER_OK : paused;
    }
    if (n->kind == NOTICE_WALLET_LINKED || n->kind == NOTICE_WALLET_ENDED) { /* it tells of an agreement */
        enum keer_err ended = g->wallet_end ? g->wallet_end(db, &n->account, &n->about, now_us) : KEER_EMISSING;
        *ret_undone = ended == KEER_OK;
        return ended == KEER_EMISSING ? KEER_OK : ended;
    }
    enum keer_err err = recovery_undo(db, &n->account, &n->about, now_us, ret_nothing);
    *ret_undone = err == KEER_OK;
    if (err != KEER_EMISSING)
        return err;
    err = read_full(db, &n->account, &n->about, &f);
    if (err == KEER_EMISSING) { /* a session (of a new device), or a device */
        struct session s;
        struct id device = n->about;
        err = session_read(db, &n->about, now_us, &s);
        if (err == KEER_OK && id_eq(&s.account, &n->account))
            device = s.device;
        if (err == KEER_OK || err == KEER_EMISSING)
            err = device_revoke(db, &n->account, &device, now_us);
        *ret_undone = err == KEER_OK;
        return err == KEER_EMISSING ? KEER_OK : err;
    }
    if (err == KEER_OK && f.row.state == GUARD_WAITING) {
        err = drop(db, &f, now_us);
        *ret_undone = true;
    } else if (err == KEER_OK && f.row.state == GUARD_DONE && now_us - f.row.ended_us < GUARD_UNDO_US) {
        err = move(db, &f, GUARD_DONE, GUARD_UNDONE, now_us);
        if (err == KEER_OK)
            err = guard_unmake(db, g, &f, now_us);
        *ret_undone = true;
    }
    crypto_wipe(&f, sizeof f);
    return err;
}

/* Whether undoing what a notice tells of would give back what was taken away: a change of that sort, or a recovery, which set
 * another password and may have removed authenticators. */
static enum keer_err gives_back(struct db *db, const struct notice *n, int64_t now_us, bool *ret)
{
    struct recovery r;
    struct guard_full f;
    *ret = false;
    if (!id_is(&n->about) || n->kind == NOTICE_CHARGE_PAID || n->kind == NOTICE_WALLET_LINKED ||
        n->kind == NOTICE_WALLET_ENDED)
        return KEER_OK;
    enum keer_err err = recovery_get(db, &n->about, now_us, &r);
    if (err == KEER_OK)
        *ret = r.state == RECOVERY_DONE;
    if (err != KEER_EMISSING)
        return err;
    err = read_full(db, &n->account, &n->about, &f);
    if (err == KEER_OK)
        *ret = f.row.state == GUARD_DONE && changes[f.row.change].back == GIVES;
    crypto_wipe(&f, sizeof f);
    return err == KEER_EMISSING ? KEER_OK : err;
}

/* `keep`: it is not undone. */
static enum keer_err not_me(struct db *db, const struct guard *g, const struct notice *n, bool keep, int64_t now_us,
                            struct guard_not_me *ret)
{
    struct challenge c;
    struct guard_not_me r = {.account = n->account, .kind = n->kind, .kept = keep};
    bool nothing = false;
    enum keer_err err = id_is(&n->about) ? challenge_get(db, &n->about, now_us, &c) : KEER_EMISSING;
    if (err == KEER_OK && id_eq(&c.account, &n->account))
        memcpy(r.event, c.event, sizeof r.event);
    if (err == KEER_OK || err == KEER_EMISSING)
        err = keep ? KEER_OK : undo(db, g, n, now_us, &r, &nothing);
    r.frozen = !nothing;
    if (err == KEER_OK && r.frozen)
        err = guard_freeze(db, g, &n->account, SLICE("You said that something in your account was not you."), now_us);
    if (err == KEER_OK)
        *ret = r;
    return err;
}

enum keer_err guard_not_me(struct db *db, const struct guard *g, struct slice token, int64_t now_us,
                           struct guard_not_me *ret)
{
    struct crypto_hash hash;
    struct notice n;
    if (token_hash(token, &hash) != KEER_OK)
        return KEER_EMISSING;
    bool keep = false;
    enum keer_err err = notice_take_not_me(db, &hash, now_us, &n);
    if (err == KEER_OK)
        err = gives_back(db, &n, now_us, &keep);
    if (err == KEER_OK && keep)
        err = contact_outranked(db, &n.account, &n.to, &keep);
    return err == KEER_OK ? not_me(db, g, &n, keep, now_us, ret) : err;
}

enum keer_err guard_not_me_own(struct db *db, const struct guard *g, const struct id *account, enum guard_told told,
                               const struct id *id, int64_t now_us, struct guard_not_me *ret)
{
    struct notice n = {.account = *account, .kind = NOTICE_CHANGE_PENDING, .about = *id};
    struct guard_full f = {.row.state = GUARD_WAITING};
    bool keep = false;
    enum keer_err err =
        told == GUARD_TOLD_NOTICE ? notice_read_own(db, account, id, now_us, &n) : read_full(db, account, id, &f);
    if (err == KEER_OK && f.row.state != GUARD_WAITING)
        err = KEER_EMISSING;
    crypto_wipe(&f, sizeof f);
    if (err == KEER_OK)
        err = gives_back(db, &n, now_us, &keep);
    if (err == KEER_OK && told == GUARD_TOLD_NOTICE && !keep)
        err = notice_take_own(db, account, id, now_us, &n);
    return err == KEER_OK ? not_me(db, g, &n, keep, now_us, ret) : err;
}

/* --- wallets --- */

enum keer_err guard_wallet_linked(struct db *db, const struct id *account, struct slice agreement, int64_t now_us)
{
    return QUERY_DO(db,
                    "INSERT INTO account_wallet (account, agreement, since_us) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                    Q_ID(account), Q_TEXT(agreement), Q_NUMBER(now_us));
}

enum keer_err guard_wallet_unlinked(struct db *db, const struct id *account, struct slice agreement)
{
    return QUERY_DO(db, "DELETE FROM account_wallet WHERE account = $1 AND agreement = $2", Q_ID(account),
                    Q_TEXT(agreement));
}

enum keer_err guard_has_wallet(struct db *db, const struct id *account, bool *ret)
{
    enum keer_err err = QUERY_MET(db, "SELECT agreement FROM account_wallet WHERE account = $1 LIMIT 1", Q_ID(account));
    if (err == KEER_OK || err == KEER_EMISSING)
        *ret = err == KEER_OK;
    return err == KEER_EMISSING ? KEER_OK : err;
}

enum keer_err guard_hold(struct db *db, const struct id *account, int64_t now_us, struct account_hold *ret)
{
    struct account_hold h = {.held = false, .why = ""};
    struct account row;
    struct db_stmt *s;
    UNUSED(now_us); /* what is due and was not applied yet still waits */
    enum keer_err err = account_read(db, account, &row);
    if (err != KEER_OK)
        return err;
    if (row.state != ACCOUNT_ACTIVE) {
        *ret = (struct account_hold){true, INT64_MAX, row.state == ACCOUNT_FROZEN ? "frozen" : "closed"};
        return KEER_OK;
    }
    err = QUERY_ONE(db, &s,
                    "SELECT COALESCE((SELECT MAX(due_us) FROM guard_change WHERE account = $1 AND state = 0), 0),"
                    " COALESCE((SELECT MAX(due_us) FROM recovery WHERE account = $1 AND state = 1), 0)",
                    Q_ID(account));
    if (err != KEER_OK)
        return err;
    int64_t change_us = db_i64(s, 0), recovery_us = db_i64(s, 1);
    db_free(s);
    h.held = change_us || recovery_us;
    h.until_us = MAX_OF(change_us, recovery_us);
    if (h.held)
        h.why = recovery_us ? "recovery_waits" : "change_waits";
    *ret = h;
    return KEER_OK;
}
