/* recovery.c - getting back in: two independent ways, or a wait of days. */
#include "flow/recovery.h"

#include "account/password.h"
#include "account/proof.h"
#include "flow/guard_inside.h"
#include "stepup/code.h"
#include "stepup/totp.h"
#include "store/attempts.h"
#include "store/query.h"

#define CONTACT_WAYS (RECOVERY_EMAIL | RECOVERY_PHONE)
#define FACTOR_WAYS (RECOVERY_CODE | RECOVERY_TOTP)
#define PROOFS_MAX CONTACTS_MAX
#define SEND_ROWS 32 /* flows whose codes are sent in one transaction */
static_assert(RECOVERY_OPEN == 0 && RECOVERY_WAITING == 1 && RECOVERY_DONE == 2 && RECOVERY_CANCELLED == 3,
              "numbers of the statements below");
#define COLUMNS "id, account, state, ways, lost, place, family, created_us, until_us, due_us, ended_us"

/* --- rows --- */

static enum keer_err take(struct db_stmt *s, struct recovery *ret)
{
    int64_t state = db_i64(s, 2);
    struct recovery r = {.state = (enum recovery_state)state,
                         .ways = (unsigned)db_i64(s, 3),
                         .lost = db_i64(s, 4) != 0,
                         .created_us = db_i64(s, 7),
                         .until_us = db_i64(s, 8),
                         .due_us = db_i64(s, 9),
                         .ended_us = db_i64(s, 10)};
    enum keer_err err = state >= 0 && state < RECOVERY_STATE_MAX ? query_id(s, 0, &r.id) : KEER_EFORMAT;
    if (err == KEER_OK)
        err = query_id(s, 1, &r.account);
    if (err == KEER_OK)
        err = query_text(s, 5, r.where, sizeof r.where);
    if (err == KEER_OK)
        err = query_text(s, 6, r.family, sizeof r.family);
    if (err == KEER_OK)
        *ret = r;
    return err;
}

static enum keer_err one(struct db_stmt *s, struct recovery *ret)
{
    enum keer_err err = take(s, ret);
    db_free(s);
    return err;
}

enum keer_err recovery_get(struct db *db, const struct id *flow, int64_t now_us, struct recovery *ret)
{
    struct db_stmt *s;
    enum keer_err err = QUERY_ONE(db, &s, "SELECT " COLUMNS " FROM recovery WHERE id = $1 AND (state <> 0 OR until_us > $2)",
                                  Q_ID(flow), Q_NUMBER(now_us));
    return err == KEER_OK ? one(s, ret) : err;
}

enum keer_err recovery_waiting(struct db *db, const struct id *account, struct recovery *ret)
{
    struct db_stmt *s;
    enum keer_err err = QUERY_ONE(
        db, &s, "SELECT " COLUMNS " FROM recovery WHERE account = $1 AND state = 1 ORDER BY due_us LIMIT 1", Q_ID(account));
    return err == KEER_OK ? one(s, ret) : err;
}

enum keer_err recovery_ready(struct db *db, const struct recovery *r, bool lost, bool *ret)
{
    bool contact = r->ways & CONTACT_WAYS, bound = true;
    enum keer_err err = authenticators_bound(db, &r->account, &bound);
    if (err != KEER_OK)
        return err;
    *ret = !lost && ((r->ways & CONTACT_WAYS) == CONTACT_WAYS || (contact && r->ways & FACTOR_WAYS) ||
                     (contact && !bound && r->ways & RECOVERY_DEVICE));
    return KEER_OK;
}

static enum keer_err tell(struct db *db, const struct guard *g, const struct recovery *r, enum notice_kind kind,
                          int64_t until_us, int64_t now_us)
{
    unsigned count;
    return notice_add(db, g->key,
                      &(struct notice_new){.account = r->account,
                                           .kind = kind,
                                           .about = r->id,
                                           .what = slice_str(r->family),
                                           .where = slice_str(r->where),
                                           .until_us = until_us},
                      now_us, &count);
}

/* --- the start --- */

enum keer_err recovery_start(struct db *db, const struct guard *g, const struct recovery_start *s, int64_t now_us,
                             struct recovery *ret)
{
    struct identifier name;
    struct identifier_why why;
    struct recovery r = {.state = RECOVERY_OPEN, .created_us = now_us, .until_us = now_us + RECOVERY_OPEN_US};
    struct crypto_hash mac;
    struct id bucket;
    if (s->where.len > SESSION_IP_BYTES || s->family.len > DEVICE_FAMILY_BYTES)
        return KEER_ELIMIT;
    if (identifier_guess(s->name, &name, &why) != KEER_OK) /* the same look-up, of what nobody is called */
        name = (struct identifier){.kind = IDENTIFIER_EMAIL, .text = "-"};
    enum keer_err err = identifier_find(db, &name, &r.account);
    if (err != KEER_OK && err != KEER_EMISSING)
        return err;
    const struct slice parts[] = {SLICE("keer recovery name"), slice_str(name.text)};
    crypto_hmac(slice_of((const char *)g->key->bytes, sizeof g->key->bytes), parts, ARRAY_LEN(parts), &mac);
    id_of_hash(&mac, &bucket);
    if (id_is(&r.account))
        bucket = r.account;
    id_make(&r.id);
    (void)snprintf(r.where, sizeof r.where, "%.*s", (int)s->where.len, s->where.p ? s->where.p : "");
    (void)snprintf(r.family, sizeof r.family, "%.*s", (int)s->family.len, s->family.p ? s->family.p : "");
    err = QUERY_DO(db,
                   "INSERT INTO recovery (id, account, device_hash, place, family, created_us, until_us, bucket)"
                   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                   Q_ID(&r.id), Q_ID(&r.account), Q_HASH(&s->device_hash), Q_STR(r.where), Q_STR(r.family),
                   Q_NUMBER(r.created_us), Q_NUMBER(r.until_us), Q_ID(&bucket));
    if (err == KEER_OK)
        *ret = r;
    return err;
}

enum keer_err recovery_bucket(struct db *db, const struct id *flow, struct id *ret_bucket)
{
    struct db_stmt *s;
    enum keer_err err = QUERY_ONE(db, &s, "SELECT bucket FROM recovery WHERE id = $1", Q_ID(flow));
    if (err != KEER_OK)
        return err;
    err = query_id(s, 0, ret_bucket);
    db_free(s);
    return err;
}

/* A code to one contact; not beyond the limit of messages. Recoveries that strangers begin have a bucket of their own, so
 * that the codes of sign-ins and other addresses are still sent. */
static enum keer_err send_one(struct db *db, const struct guard *g, const struct recovery *r, const struct contact *c,
                              const struct id *device, int64_t now_us)
{
    struct attempt_subject subject = {.account = id_slice(&r->account),
                                      .device = id_is(device) ? id_slice(device) : SLICE("recovery")};
    struct attempt_begun begun;
    struct id proof;
    unsigned count;
    enum keer_err err = attempt_begin(db, ATTEMPT_USE_MESSAGE, &subject, now_us, &begun);
    if (err != KEER_OK || begun.verdict != ATTEMPT_MAY)
        return err;
    err = proof_ask(db, &(struct proof_new){.account = r->account, .purpose = PROOF_RECOVERY, .address = c->address}, now_us,
                    &proof);
    if (err == KEER_OK)
        err = QUERY_DO(db, "INSERT INTO recovery_proof (recovery, proof, way) VALUES ($1, $2, $3)", Q_ID(&r->id),
                       Q_ID(&proof), Q_NUMBER(c->address.kind == IDENTIFIER_PHONE ? RECOVERY_PHONE : RECOVERY_EMAIL));
    if (err != KEER_OK)
        return err;
    return notice_add(db, g->key,
                      &(struct notice_new){.account = r->account,
                                           .kind = NOTICE_RECOVERY_CODE,
                                           .about = r->id,
                                           .proof = proof,
                                           .to = &c->address,
                                           .what = slice_str(r->family),
                                           .where = slice_str(r->where)},
                      now_us, &count);
}

/* To every verified contact; and whether the browser is a device that the account knows. */
static enum keer_err send_all(struct db *db, const struct guard *g, const struct recovery *r,
                              const struct crypto_hash *browser, int64_t now_us)
{
    struct contact room[CONTACTS_MAX];
    struct device device;
    struct id known = {0};
    unsigned n = 0, ways = 0;
    enum keer_err err = device_find(db, &r->account, browser, &device);
    if (err == KEER_OK && !device.revoked_us) {
        ways = RECOVERY_DEVICE;
        known = device.id;
    }
    if (err == KEER_OK || err == KEER_EMISSING)
        err = contact_list(db, &r->account, room, &n);
    for (unsigned i = 0; err == KEER_OK && i < n; i++)
        if (room[i].verified_us)
            err = send_one(db, g, r, &room[i], &known, now_us);
    if (err == KEER_OK && ways)
        err = QUERY_DO(db, "UPDATE recovery SET ways = $1 WHERE id = $2", Q_NUMBER(ways), Q_ID(&r->id));
    return err;
}

enum keer_err recovery_send(struct db *db, const struct guard *g, int64_t now_us, unsigned *ret_count)
{
    struct recovery rows[SEND_ROWS];
    struct crypto_hash browser[SEND_ROWS];
    struct db_stmt *s;
    unsigned n = 0;
    enum db_step step = DB_END;
    enum keer_err err = QUERY_ROWS(db, &s,
                                   "SELECT " COLUMNS ", device_hash FROM recovery WHERE sent = 0 ORDER BY created_us, id"
                                   " LIMIT $1",
                                   Q_NUMBER(SEND_ROWS));
    if (err != KEER_OK)
        return err;
    while (err == KEER_OK && n < SEND_ROWS && (step = db_step(s)) == DB_ROW) {
        err = take(s, &rows[n]);
        if (err == KEER_OK)
            err = query_hash(s, 11, &browser[n++]);
    }
    db_free(s);
    if (err == KEER_OK && step != DB_ROW && step != DB_END)
        err = KEER_EIO;
    for (unsigned i = 0; err == KEER_OK && i < n; i++) {
        err = QUERY_DO(db, "UPDATE recovery SET sent = 1 WHERE id = $1", Q_ID(&rows[i].id));
        if (err == KEER_OK && id_is(&rows[i].account) && rows[i].state == RECOVERY_OPEN)
            err = send_all(db, g, &rows[i], &browser[i], now_us);
    }
    if (err == KEER_OK)
        *ret_count = n;
    return err;
}

/* --- proofs --- */

struct shape {
    unsigned digits, others; /* without spaces and hyphens */
};
static struct shape shape_of(struct slice code)
{
    struct shape s = {0, 0};
    for (size_t i = 0; i < code.len; i++) {
        if (ascii_digit(code.p[i]))
            s.digits++;
        else if (!ascii_space(code.p[i]) && code.p[i] != '-')
            s.others++;
    }
    return s;
}

static enum keer_err prove_contact(struct db *db, const struct guard *g, const struct recovery *r, struct slice code,
                                   int64_t now_us, unsigned *ret_way)
{
    struct id proofs[PROOFS_MAX];
    unsigned ways[PROOFS_MAX], n = 0;
    struct db_stmt *s;
    enum db_step step = DB_END;
    enum keer_err err = QUERY_ROWS(db, &s, "SELECT proof, way FROM recovery_proof WHERE recovery = $1 LIMIT $2",
                                   Q_ID(&r->id), Q_NUMBER(PROOFS_MAX));
    if (err != KEER_OK)
        return err;
    while (err == KEER_OK && n < PROOFS_MAX && (step = db_step(s)) == DB_ROW) {
        ways[n] = (unsigned)db_i64(s, 1);
        err = query_id(s, 0, &proofs[n++]);
    }
    db_free(s);
    if (err == KEER_OK && step != DB_ROW && step != DB_END)
        err = KEER_EIO;
    for (unsigned i = 0; err == KEER_OK && i < n; i++) {
        struct proof proof;
        enum proof_verdict verdict;
        err = proof_check(db, g->key, &proofs[i], PROOF_RECOVERY, code, now_us, &proof, &verdict);
        if (err == KEER_OK && verdict == PROOF_RIGHT && id_eq(&proof.account, &r->account))
            *ret_way = ways[i];
    }
    return err;
}

static enum keer_err prove_totp(struct db *db, const struct guard *g, const struct recovery *r, struct slice code,
                                int64_t now_us, unsigned *ret_way)
{
    struct authenticator rows[AUTHENTICATORS_MAX];
    unsigned n = 0;
    bool right = false;
    enum keer_err err = authenticators_list(db, &r->account, rows, &n);
    for (unsigned i = 0; err == KEER_OK && !right && i < n; i++)
        if (rows[i].kind == AUTHENTICATOR_TOTP && rows[i].state == AUTHENTICATOR_ACTIVE)
            err = totp_take(db, g->key, &r->account, &rows[i].id, AUTHENTICATOR_BIT(AUTHENTICATOR_ACTIVE), code, now_us,
                            &right);
    if (err == KEER_OK && right)
        *ret_way = RECOVERY_TOTP;
    return err;
}

static enum keer_err prove_code(struct db *db, const struct recovery *r, struct slice code, int64_t now_us,
                                unsigned *ret_way)
{
    bool right = false;
    unsigned left;
    enum keer_err err = code_take(db, &r->account, code, now_us, &right, &left);
    if (err == KEER_OK && right)
        *ret_way = RECOVERY_CODE;
    return err;
}

enum keer_err recovery_prove(struct db *db, const struct guard *g, const struct id *flow, struct slice code, int64_t now_us,
                             bool *ret_ok, struct recovery *ret)
{
    struct recovery r;
    unsigned way = 0;
    struct shape shape = shape_of(code);
    enum keer_err err = recovery_get(db, flow, now_us, &r);
    if (err == KEER_OK && r.state != RECOVERY_OPEN)
        err = KEER_EMISSING;
    if (err != KEER_OK)
        return err;
    if (shape.others && shape.digits + shape.others == CODE_LETTERS)
        err = prove_code(db, &r, code, now_us, &way);
    else if (!shape.others && shape.digits == TOTP_DIGITS)
        err = prove_totp(db, g, &r, code, now_us, &way);
    else
        err = prove_contact(db, g, &r, code, now_us, &way);
    if (err == KEER_OK && way) {
        r.ways |= way;
        err = QUERY_MET(db, "UPDATE recovery SET ways = ways | $1 WHERE id = $2 AND state = 0 RETURNING id", Q_NUMBER(way),
                        Q_ID(flow));
    }
    if (err != KEER_OK)
        return err;
    *ret_ok = way != 0;
    *ret = r;
    return KEER_OK;
}

/* --- the end --- */

/* What the account's authenticators are good for ends: the person said that they are lost, and waited. */
static enum keer_err remove_lost(struct db *db, const struct id *account, int64_t now_us)
{
    struct authenticator rows[AUTHENTICATORS_MAX];
    unsigned n = 0;
    enum keer_err err = authenticators_list(db, account, rows, &n);
    for (unsigned i = 0; err == KEER_OK && i < n; i++) {
        err = authenticator_remove(db, account, &rows[i].id, now_us);
        if (err == KEER_OK && rows[i].kind == AUTHENTICATOR_DEVICE) {
            err = device_trust(db, account, &rows[i].ref, false, now_us);
            err = err == KEER_EMISSING ? KEER_OK : err;
        }
    }
    return err;
}

static enum keer_err complete(struct db *db, const struct guard *g, const struct recovery *r, struct slice phc, bool lost,
                              int64_t now_us)
{
    struct id none = {0};
    struct password_row old = {.changed_us = 0};
    char fresh[PASSWORD_PHC_BYTES];
    int64_t n;
    if (phc.len >= sizeof fresh)
        return KEER_ELIMIT;
    (void)snprintf(fresh, sizeof fresh, "%.*s", (int)phc.len, phc.p);
    enum keer_err err = password_read(db, &r->account, &old);
    if (err == KEER_EMISSING) {
        password_dummy(old.phc);
        err = KEER_OK;
    }
    if (err == KEER_OK)
        err = password_write(db, &r->account, fresh, now_us);
    if (err == KEER_OK)
        err = session_end_others(db, &r->account, &none, now_us, &n);
    if (err == KEER_OK)
        err = challenge_refuse_all(db, &r->account, SLICE("recovered"), now_us, &n);
    if (err == KEER_OK)
        err = guard_cancel_all(db, &r->account, now_us);
    if (err == KEER_OK && lost)
        err = remove_lost(db, &r->account, now_us);
    if (err == KEER_OK)
        err = account_thaw(db, &r->account, now_us);
    if (err == KEER_OK || err == KEER_EMISSING) /* it was not frozen */
        err = QUERY_MET(db,
                        "UPDATE recovery SET state = 2, ended_us = $1, phc = $2, lost = $3 WHERE id = $4 AND state IN (0, 1)"
                        " RETURNING id",
                        Q_NUMBER(now_us), Q_STR(old.phc), Q_NUMBER(lost), Q_ID(&r->id));
    if (err == KEER_OK)
        err = tell(db, g, r, NOTICE_RECOVERY_DONE, 0, now_us);
    crypto_wipe(&old, sizeof old);
    crypto_wipe(fresh, sizeof fresh);
    return err;
}

static enum keer_err begin_wait(struct db *db, const struct guard *g, struct recovery *r, struct slice phc, bool lost,
                                int64_t now_us)
{
    struct recovery other;
    enum keer_err err = recovery_waiting(db, &r->account, &other);
    if (err != KEER_EMISSING)
        return err == KEER_OK ? KEER_ECONFLICT : err;
    r->state = RECOVERY_WAITING;
    r->lost = lost;
    r->due_us = now_us + g->recovery_us;
    err = QUERY_MET(
        db, "UPDATE recovery SET state = 1, phc = $1, lost = $2, due_us = $3 WHERE id = $4 AND state = 0 RETURNING id",
        Q_TEXT(phc), Q_NUMBER(lost), Q_NUMBER(r->due_us), Q_ID(&r->id));
    return err == KEER_OK ? tell(db, g, r, NOTICE_RECOVERY_STARTED, r->due_us, now_us) : err;
}

enum keer_err recovery_finish(struct db *db, const struct guard *g, const struct id *flow, struct slice phc, bool lost,
                              int64_t now_us, struct recovery *ret)
{
    struct recovery r;
    bool ready = false;
    enum keer_err err = recovery_get(db, flow, now_us, &r);
    if (err == KEER_OK && (r.state != RECOVERY_OPEN || !id_is(&r.account) || !(r.ways & (CONTACT_WAYS | FACTOR_WAYS))))
        err = KEER_EMISSING;
    if (err == KEER_OK)
        err = recovery_ready(db, &r, lost, &ready);
    if (err == KEER_OK && ready) {
        err = complete(db, g, &r, phc, lost, now_us);
        r.state = RECOVERY_DONE;
    } else if (err == KEER_OK) {
        err = begin_wait(db, g, &r, phc, lost, now_us);
    }
    if (err == KEER_OK)
        *ret = r;
    return err;
}

enum keer_err recovery_apply_due(struct db *db, const struct guard *g, int64_t now_us, struct recovery *ret,
                                 unsigned *ret_count)
{
    struct recovery r;
    struct account account;
    struct db_stmt *s;
    char phc[PASSWORD_PHC_BYTES] = "";
    enum keer_err err = QUERY_ONE(
        db, &s, "SELECT " COLUMNS ", phc FROM recovery WHERE state = 1 AND due_us <= $1 ORDER BY due_us, id LIMIT 1",
        Q_NUMBER(now_us));
    if (err == KEER_EMISSING) {
        *ret_count = 0;
        return KEER_OK;
    }
    if (err != KEER_OK)
        return err;
    err = query_text(s, 11, phc, sizeof phc);
    if (err == KEER_OK)
        err = take(s, &r);
    db_free(s);
    if (err == KEER_OK)
        err = account_read(db, &r.account, &account);
    if (err == KEER_OK)
        err = account.state == ACCOUNT_CLOSED ? recovery_cancel_all(db, &r.account, now_us)
                                              : complete(db, g, &r, slice_str(phc), r.lost, now_us);
    crypto_wipe(phc, sizeof phc);
    if (err == KEER_OK) {
        *ret = r;
        *ret_count = 1;
    }
    return err;
}

enum keer_err recovery_cancel(struct db *db, const struct guard *g, const struct id *account, struct slice where,
                              int64_t now_us)
{
    struct recovery r;
    unsigned count;
    enum keer_err err = recovery_waiting(db, account, &r);
    if (err == KEER_OK)
        err = recovery_cancel_all(db, account, now_us);
    if (err == KEER_OK)
        err = notice_add(db, g->key,
                         &(struct notice_new){.account = *account,
                                              .kind = NOTICE_CHANGE_CANCELLED,
                                              .about = r.id,
                                              .what = SLICE("recovery"),
                                              .where = where},
                         now_us, &count);
    return err;
}

enum keer_err recovery_cancel_all(struct db *db, const struct id *account, int64_t now_us)
{
    return QUERY_DO(db, "UPDATE recovery SET state = 3, ended_us = $1, phc = '' WHERE account = $2 AND state IN (0, 1)",
                    Q_NUMBER(now_us), Q_ID(account));
}

/* The old password, and the authenticators that were removed in the same moment. */
static enum keer_err take_back(struct db *db, const struct recovery *r, const char *phc, int64_t now_us)
{
    struct authenticator rows[AUTHENTICATORS_MAX];
    unsigned n = 0;
    enum keer_err err = password_write(db, &r->account, phc, now_us);
    if (err != KEER_OK || !r->lost)
        return err;
    err = QUERY_DO(db,
                   "UPDATE authenticator SET state = was, state_us = $1 WHERE account = $2 AND state = 4 AND state_us = $3",
                   Q_NUMBER(now_us), Q_ID(&r->account), Q_NUMBER(r->ended_us));
    if (err == KEER_OK)
        err = authenticators_list(db, &r->account, rows, &n);
    for (unsigned i = 0; err == KEER_OK && i < n; i++)
        if (rows[i].kind == AUTHENTICATOR_DEVICE && rows[i].state == AUTHENTICATOR_ACTIVE) {
            err = device_trust(db, &r->account, &rows[i].ref, true, now_us);
            err = err == KEER_EMISSING ? KEER_OK : err;
        }
    return err;
}

enum keer_err recovery_undo(struct db *db, const struct id *account, const struct id *recovery, int64_t now_us,
                            bool *ret_nothing)
{
    struct recovery r;
    struct db_stmt *s;
    char phc[PASSWORD_PHC_BYTES] = "";
    enum keer_err err = QUERY_ONE(db, &s, "SELECT " COLUMNS ", phc FROM recovery WHERE id = $1 AND account = $2",
                                  Q_ID(recovery), Q_ID(account));
    if (err != KEER_OK)
        return err;
    err = query_text(s, 11, phc, sizeof phc);
    if (err == KEER_OK)
        err = take(s, &r);
    db_free(s);
    if (err != KEER_OK)
        return err;
    *ret_nothing = r.state == RECOVERY_OPEN && !(r.ways & (CONTACT_WAYS | FACTOR_WAYS));
    if (r.state == RECOVERY_OPEN || r.state == RECOVERY_WAITING)
        err = recovery_cancel_all(db, account, now_us);
    else if (r.state == RECOVERY_DONE && now_us - r.ended_us < GUARD_UNDO_US && phc[0]) {
        err = QUERY_MET(db, "UPDATE recovery SET state = 3, phc = '' WHERE id = $1 AND state = 2 RETURNING id",
                        Q_ID(recovery));
        if (err == KEER_OK)
            err = take_back(db, &r, phc, now_us);
    }
    crypto_wipe(phc, sizeof phc);
    return err;
}

enum keer_err recoveries_forget(struct db *db, int64_t before_us, int64_t rows_max)
{
    enum keer_err err = QUERY_DO(db,
                                 "DELETE FROM recovery_proof WHERE recovery IN (SELECT id FROM recovery WHERE until_us < $1"
                                 " AND state <> 1 ORDER BY until_us, id LIMIT $2)",
                                 Q_NUMBER(before_us), Q_NUMBER(rows_max));
    return err == KEER_OK ? QUERY_DO(db,
                                     "DELETE FROM recovery WHERE id IN (SELECT id FROM recovery WHERE until_us < $1"
                                     " AND state <> 1 ORDER BY until_us, id LIMIT $2)",
                                     Q_NUMBER(before_us), Q_NUMBER(rows_max))
                          : err;
}
