/* session.c - who is signed in where. */
#include "account/session.h"

#include "base/timefmt.h"
#include "store/query.h"

#define COLUMNS                                                                                                           \
    "s.id, s.account, s.device, s.rights, s.acr, s.amr, s.auth_us, s.step_us, s.created_us, s.used_us, s.ends_us, s.ip, " \
    "s.family,"                                                                                                           \
    " s.device_hash"
#define FROM_VALID                                                                             \
    " FROM session s JOIN account a ON a.id = s.account LEFT JOIN device d ON d.id = s.device" \
    " WHERE s.ended_us = 0 AND a.state = 0 AND COALESCE(d.revoked_us, 0) = 0 AND s.ends_us > $1"
static_assert(ACCOUNT_ACTIVE == 0, "the state in FROM_VALID");

static const struct {
    int64_t idle_us, whole_us;
} limits[] = {
#define SESSION_LIMIT(rights, idle, whole) [SESSION_##rights] = {idle, whole},
#include "account/sessions.def"
#undef SESSION_LIMIT
};
static_assert(ARRAY_LEN(limits) == SESSION_RIGHTS_MAX, "a row for each");

const char *session_rights_name(enum session_rights rights)
{
    static const char *const names[] = {"pending", "restricted", "full"};
    static_assert(ARRAY_LEN(names) == SESSION_RIGHTS_MAX, "a name for each");
    return names[rights];
}

const char *session_acr_name(enum session_acr acr) { return acr == SESSION_ACR_2 ? ACR_2 : ACR_1; }

enum session_acr session_acr_at(const struct session *s, int64_t now_us)
{
    return s->acr == SESSION_ACR_2 && now_us - s->step_us < SESSION_ACR_2_US ? SESSION_ACR_2 : SESSION_ACR_1;
}

static void copy(char *room, size_t size, struct slice text)
{
    size_t n = MIN_OF(text.len, size - 1);
    if (n)
        memcpy(room, text.p, n);
    room[n] = '\0';
}

static enum keer_err take(struct db_stmt *st, struct session *s)
{
    int64_t rights = db_i64(st, 3), acr = db_i64(st, 4);
    *s = (struct session){.auth_us = db_i64(st, 6),
                          .step_us = db_i64(st, 7),
                          .created_us = db_i64(st, 8),
                          .used_us = db_i64(st, 9),
                          .ends_us = db_i64(st, 10)};
    if (rights < 0 || rights >= SESSION_RIGHTS_MAX || acr < SESSION_ACR_1 || acr > SESSION_ACR_2)
        return KEER_EFORMAT;
    s->rights = (enum session_rights)rights;
    s->acr = (enum session_acr)acr;
    enum keer_err err = query_id(st, 0, &s->id);
    if (err == KEER_OK)
        err = query_id(st, 1, &s->account);
    if (err == KEER_OK)
        err = query_id(st, 2, &s->device);
    if (err == KEER_OK)
        err = query_text(st, 5, s->amr, sizeof s->amr);
    if (err == KEER_OK)
        err = query_text(st, 11, s->ip, sizeof s->ip);
    if (err == KEER_OK)
        err = query_text(st, 12, s->family, sizeof s->family);
    return err == KEER_OK ? query_hash(st, 13, &s->device_hash) : err;
}

static bool idle(const struct session *s, int64_t now_us) { return now_us - s->used_us >= limits[s->rights].idle_us; }

static enum keer_err take_one(enum keer_err err, struct db_stmt *st, int64_t now_us, struct session *ret)
{
    struct session s;
    if (err != KEER_OK)
        return err;
    err = take(st, &s);
    db_free(st);
    if (err == KEER_OK && idle(&s, now_us))
        err = KEER_EMISSING;
    if (err == KEER_OK)
        *ret = s;
    return err;
}

enum keer_err session_find(struct db *db, const struct crypto_hash *token_hash, int64_t now_us, struct session *ret_session)
{
    struct db_stmt *s = NULL;
    enum keer_err err =
        QUERY_ONE(db, &s, "SELECT " COLUMNS FROM_VALID " AND s.hash = $2", Q_NUMBER(now_us), Q_HASH(token_hash));
    return take_one(err, s, now_us, ret_session);
}

enum keer_err session_read(struct db *db, const struct id *id, int64_t now_us, struct session *ret_session)
{
    struct db_stmt *s = NULL;
    enum keer_err err = QUERY_ONE(db, &s, "SELECT " COLUMNS FROM_VALID " AND s.id = $2", Q_NUMBER(now_us), Q_ID(id));
    return take_one(err, s, now_us, ret_session);
}

/* --- changes --- */

/* Sessions that wait for a step make room for each other alone: who has no more than a password signs nobody out. */
static enum keer_err make_room(struct db *db, const struct id *account, bool pending, int64_t now_us)
{
    return QUERY_DO(
        db,
        "UPDATE session SET ended_us = $1 WHERE id IN (SELECT id FROM session WHERE account = $2 AND ended_us = 0"
        " AND CASE WHEN rights = 0 THEN 1 ELSE 0 END = CAST($3 AS BIGINT) ORDER BY used_us DESC, id LIMIT 1000000 OFFSET "
        "$4)",
        Q_NUMBER(now_us), Q_ID(account), Q_NUMBER(pending),
        Q_NUMBER((pending ? SESSIONS_PENDING_MAX : SESSIONS_MAX - SESSIONS_PENDING_MAX) - 1));
}
static_assert(SESSION_PENDING == 0, "the rights in make_room");

enum keer_err session_begin(struct db *db, const struct session_new *n, int64_t now_us, struct id *ret_id,
                            struct bearer *ret_token)
{
    struct id id;
    struct bearer token;
    struct crypto_hash hash;
    char ip[SESSION_IP_BYTES + 1], family[DEVICE_FAMILY_BYTES + 1];
    enum keer_err err = make_room(db, &n->account, n->rights == SESSION_PENDING, now_us);
    if (err != KEER_OK)
        return err;
    id_make(&id);
    token_make(&token, &hash);
    copy(ip, sizeof ip, n->ip);
    copy(family, sizeof family, n->family);
    err = QUERY_DO(
        db,
        "INSERT INTO session (id, hash, account, device, device_hash, rights, acr, amr, auth_us, step_us, created_us,"
        " used_us, ends_us, ip, family, authenticator) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $9, $9, $11, $12, "
        "$13, $14)",
        Q_ID(&id), Q_HASH(&hash), Q_ID(&n->account), Q_ID(&n->device), Q_HASH(&n->device_hash), Q_NUMBER(n->rights),
        Q_NUMBER(n->acr), Q_STR(n->amr), Q_NUMBER(now_us), Q_NUMBER(n->step_us),
        Q_NUMBER(now_us + limits[n->rights].whole_us), Q_STR(ip), Q_STR(family), Q_ID(&n->authenticator));
    if (err == KEER_OK) {
        *ret_id = id;
        *ret_token = token;
    }
    crypto_wipe(&token, sizeof token);
    return err;
}

enum keer_err session_touch(struct db *db, const struct id *id, int64_t now_us)
{
    return QUERY_DO(db, "UPDATE session SET used_us = $1 WHERE id = $2 AND ended_us = 0 AND used_us < $1", Q_NUMBER(now_us),
                    Q_ID(id));
}

/* Adds the words of `more` that `amr` does not have. */
static enum keer_err add_amr(char amr[SESSION_AMR_BYTES + 1], const char *more)
{
    struct slice rest = slice_str(more);
    while (rest.p) {
        struct slice word = slice_cut(&rest, ' '), have = slice_str(amr);
        bool known = word.len == 0;
        while (have.p && !known)
            known = slice_eq(slice_cut(&have, ' '), word);
        size_t len = strlen(amr);
        if (known)
            continue;
        if (len + 1 + word.len > SESSION_AMR_BYTES)
            return KEER_ELIMIT;
        if (len)
            amr[len++] = ' ';
        memcpy(amr + len, word.p, word.len);
        amr[len + word.len] = '\0';
    }
    return KEER_OK;
}

enum keer_err session_raise(struct db *db, const struct id *id, const struct session_raise *r, int64_t now_us,
                            struct bearer *ret_token)
{
    struct session s;
    struct bearer token;
    struct crypto_hash hash;
    enum keer_err err = session_read(db, id, now_us, &s);
    if (err == KEER_OK)
        err = add_amr(s.amr, r->amr);
    if (err != KEER_OK)
        return err;
    enum session_rights rights = MAX_OF(r->rights, s.rights);
    int64_t ends = rights != s.rights ? now_us + limits[rights].whole_us : s.ends_us;
    token_make(&token, &hash);
    err =
        QUERY_MET(db,
                  "UPDATE session SET hash = $1, rights = $2, acr = $3, amr = $4, auth_us = $5, step_us = $6, used_us = $5,"
                  " ends_us = $7, device = $8, authenticator = CASE WHEN $9 = '' THEN authenticator ELSE $9 END"
                  " WHERE id = $10 AND ended_us = 0 RETURNING id",
                  Q_HASH(&hash), Q_NUMBER(rights), Q_NUMBER(MAX_OF(r->acr, s.acr)), Q_STR(s.amr), Q_NUMBER(now_us),
                  Q_NUMBER(r->second_step ? now_us : s.step_us), Q_NUMBER(ends),
                  Q_ID(id_is(&r->device) ? &r->device : &s.device), Q_ID(&r->authenticator), Q_ID(id));
    if (err == KEER_OK)
        *ret_token = token;
    crypto_wipe(&token, sizeof token);
    return err;
}

enum keer_err session_end(struct db *db, const struct id *account, const struct id *id, int64_t now_us)
{
    return QUERY_MET(db, "UPDATE session SET ended_us = $1 WHERE account = $2 AND id = $3 AND ended_us = 0 RETURNING id",
                     Q_NUMBER(now_us), Q_ID(account), Q_ID(id));
}

/* How many rows a statement with RETURNING met. */
static enum keer_err count_met(struct db_stmt *s, int64_t *ret_count)
{
    int64_t count = 0;
    enum db_step step;
    while ((step = db_step(s)) == DB_ROW)
        count++;
    db_free(s);
    if (step != DB_END)
        return KEER_EIO;
    *ret_count = count;
    return KEER_OK;
}

enum keer_err session_end_others(struct db *db, const struct id *account, const struct id *keep, int64_t now_us,
                                 int64_t *ret_count)
{
    struct db_stmt *s;
    enum keer_err err =
        QUERY_ROWS(db, &s, "UPDATE session SET ended_us = $1 WHERE account = $2 AND id <> $3 AND ended_us = 0 RETURNING id",
                   Q_NUMBER(now_us), Q_ID(account), Q_ID(keep));
    return err == KEER_OK ? count_met(s, ret_count) : err;
}

enum keer_err session_end_by(struct db *db, const struct id *account, const struct id *authenticator,
                             const struct id *device, const struct id *keep, int64_t now_us)
{
    return QUERY_DO(db,
                    "UPDATE session SET ended_us = $1 WHERE account = $2 AND id <> $3 AND ended_us = 0"
                    " AND ((authenticator <> '' AND authenticator = $4) OR (device <> '' AND device = $5))",
                    Q_NUMBER(now_us), Q_ID(account), Q_ID(keep), Q_ID(authenticator), Q_ID(device));
}

enum keer_err session_list(struct db *db, const struct id *account, int64_t now_us, struct session *room,
                           unsigned *ret_count)
{
    struct db_stmt *s;
    unsigned count = 0;
    enum db_step step = DB_END;
    enum keer_err err =
        QUERY_ROWS(db, &s, "SELECT " COLUMNS FROM_VALID " AND s.account = $2 ORDER BY s.used_us DESC, s.id LIMIT $3",
                   Q_NUMBER(now_us), Q_ID(account), Q_NUMBER(SESSIONS_MAX));
    if (err != KEER_OK)
        return err;
    while (err == KEER_OK && count < SESSIONS_MAX && (step = db_step(s)) == DB_ROW) {
        err = take(s, &room[count]);
        if (err == KEER_OK && !idle(&room[count], now_us))
            count++;
    }
    if (err == KEER_OK && step == DB_FAILED)
        err = KEER_EIO;
    db_free(s);
    if (err == KEER_OK)
        *ret_count = count;
    return err;
}

enum keer_err session_forget(struct db *db, int64_t before_us, int64_t limit, int64_t *ret_count)
{
    struct db_stmt *s;
    enum keer_err err = QUERY_ROWS(
        db, &s, "DELETE FROM session WHERE id IN (SELECT id FROM session WHERE ends_us < $1 LIMIT $2) RETURNING id",
        Q_NUMBER(before_us), Q_NUMBER(limit));
    return err == KEER_OK ? count_met(s, ret_count) : err;
}

enum keer_err session_ended(struct db *db, int64_t after_us, struct session_end *room, unsigned room_count,
                            unsigned *ret_count)
{
    struct db_stmt *s;
    unsigned count = 0;
    enum keer_err err =
        QUERY_ROWS(db, &s, "SELECT id, ended_us FROM session WHERE ended_us > $1 ORDER BY ended_us, id LIMIT $2",
                   Q_NUMBER(after_us), Q_NUMBER(room_count));
    if (err != KEER_OK)
        return err;
    enum db_step step = DB_END;
    while (err == KEER_OK && count < room_count && (step = db_step(s)) == DB_ROW) {
        err = query_id(s, 0, &room[count].id);
        room[count++].ended_us = db_i64(s, 1);
    }
    db_free(s);
    *ret_count = count;
    return err == KEER_OK && step == DB_FAILED ? KEER_EIO : err;
}
