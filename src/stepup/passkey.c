/* passkey.c - the rows of passkeys, and of questions for them. */
#include "stepup/passkey.h"

#include "base/base64.h"
#include "store/query.h"

/* Numbers that stand in the SQL below. */
static_assert(AUTHENTICATOR_PASSKEY == 0 && AUTHENTICATOR_ACTIVE == 2 && AUTHENTICATOR_REMOVED == 4 && PASSKEYS_MAX == 20,
              "see the statements");
#define COLUMNS                                                                                                      \
    "p.authenticator, a.account, a.name, a.state, a.created_us, a.used_us, p.credential, p.public_key, p.algorithm," \
    " p.counter, p.verified, p.eligible, p.backed_up, p.payment, p.transports, p.aaguid, p.format, p.trust"
#define TABLES "passkey p JOIN authenticator a ON a.id = p.authenticator"

/* --- questions --- */

enum keer_err passkey_ask(struct db *db, struct passkey_ask *ask, int64_t now_us)
{
    id_make(&ask->id);
    crypto_random(ask->challenge, sizeof ask->challenge);
    return QUERY_DO(
        db, "INSERT INTO passkey_ask (id, holder, account, payment, challenge, until_us) VALUES ($1, $2, $3, $4, $5, $6)",
        Q_ID(&ask->id), Q_ID(&ask->holder), Q_ID(&ask->account), Q_NUMBER(ask->payment),
        Q_BYTES(slice_of((const char *)ask->challenge, sizeof ask->challenge)), Q_NUMBER(now_us + PASSKEY_ASK_US));
}

enum keer_err passkey_answered(struct db *db, struct passkey_ask *ask, int64_t now_us)
{
    struct db_stmt *s;
    enum keer_err err = QUERY_ONE(db, &s,
                                  "UPDATE passkey_ask SET used_us = $1 WHERE id = $2 AND holder = $3 AND account = $4"
                                  " AND used_us = 0 AND until_us > $1 RETURNING challenge, payment",
                                  Q_NUMBER(now_us), Q_ID(&ask->id), Q_ID(&ask->holder), Q_ID(&ask->account));
    if (err != KEER_OK)
        return err;
    struct slice challenge = db_bytes(s, 0);
    if (challenge.len == sizeof ask->challenge)
        memcpy(ask->challenge, challenge.p, sizeof ask->challenge);
    else
        err = KEER_EFORMAT;
    ask->payment = db_i64(s, 1);
    db_free(s);
    return err;
}

/* --- invitations: an id of 48 bits of milliseconds and 80 random ones --- */

enum { INVITE_BYTES = 16, INVITE_TIME_BYTES = 6 };

static void invite_challenge(const struct crypto_hash *key, struct passkey_ask *ask)
{
    const struct slice parts[] = {SLICE("keersluis passkey sign-in"), id_slice(&ask->id), id_slice(&ask->holder)};
    struct crypto_hash mac;
    static_assert(sizeof mac.bytes == PASSKEY_CHALLENGE_BYTES, "a challenge is a MAC");
    crypto_hmac(slice_of((const char *)key->bytes, sizeof key->bytes), parts, ARRAY_LEN(parts), &mac);
    memcpy(ask->challenge, mac.bytes, sizeof ask->challenge);
}

void passkey_invite(const struct crypto_hash *key, struct passkey_ask *ask, int64_t now_us)
{
    unsigned char raw[INVITE_BYTES];
    int64_t ms = now_us / 1000;
    crypto_random(raw, sizeof raw);
    for (unsigned i = 0; i < INVITE_TIME_BYTES; i++)
        raw[i] = (unsigned char)(ms >> (8 * (INVITE_TIME_BYTES - 1 - i)));
    base64url_text(raw, sizeof raw, ask->id.text);
    invite_challenge(key, ask);
}

enum keer_err passkey_accepted(struct db *db, const struct crypto_hash *key, struct passkey_ask *ask, int64_t now_us)
{
    unsigned char raw[INVITE_BYTES];
    struct crypto_hash h;
    struct id row;
    int64_t ms = 0, now_ms = now_us / 1000;
    if (base64url_get_exact(id_slice(&ask->id), sizeof raw, raw) != KEER_OK)
        return KEER_EMISSING;
    for (unsigned i = 0; i < INVITE_TIME_BYTES; i++)
        ms = ms << 8 | raw[i];
    if (ms > now_ms || now_ms - ms >= PASSKEY_ASK_US / 1000)
        return KEER_EMISSING;
    invite_challenge(key, ask);
    /* By its challenge, which depends on the holder: nobody else can use it up. */
    crypto_sha256(slice_of((const char *)ask->challenge, sizeof ask->challenge), &h);
    id_of_hash(&h, &row);
    return QUERY_MET(db,
                     "INSERT INTO passkey_ask (id, holder, account, payment, challenge, until_us, used_us)"
                     " VALUES ($1, $2, '', 0, $3, $4, $5) ON CONFLICT (id) DO NOTHING RETURNING id",
                     Q_ID(&row), Q_ID(&ask->holder), Q_BYTES(slice_of((const char *)ask->challenge, sizeof ask->challenge)),
                     Q_NUMBER(ms * 1000 + PASSKEY_ASK_US), Q_NUMBER(now_us));
}

enum keer_err passkey_asks_forget(struct db *db, int64_t before_us, int64_t rows_max)
{
    return QUERY_DO(db, "DELETE FROM passkey_ask WHERE id IN (SELECT id FROM passkey_ask WHERE until_us < $1 LIMIT $2)",
                    Q_NUMBER(before_us), Q_NUMBER(rows_max));
}

/* --- rows --- */

void passkey_transports(struct slice words, char ret_words[PASSKEY_TRANSPORTS_BYTES + 1])
{
    static const char *const known[] = {"usb", "nfc", "ble", "smart-card", "hybrid", "internal"};
    size_t len = 0;
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        for (struct slice rest = words; rest.p;)
            if (slice_eq(slice_cut(&rest, ' '), slice_str(known[i]))) {
                len +=
                    (size_t)snprintf(ret_words + len, PASSKEY_TRANSPORTS_BYTES + 1 - len, "%s%s", len ? " " : "", known[i]);
                break;
            }
    ret_words[len] = '\0';
    ASSERT(len <= PASSKEY_TRANSPORTS_BYTES);
}

static enum keer_err take_bytes(struct db_stmt *s, unsigned column, unsigned char *room, size_t size, size_t *ret_len)
{
    struct slice b = db_bytes(s, column);
    if (b.len == 0 || b.len > size)
        return KEER_EFORMAT;
    memcpy(room, b.p, b.len);
    *ret_len = b.len;
    return KEER_OK;
}

static enum keer_err take(struct db_stmt *s, struct passkey *ret)
{
    size_t aaguid_len;
    int64_t state = db_i64(s, 3), counter = db_i64(s, 9), format = db_i64(s, 16), trust = db_i64(s, 17);
    if (state < 0 || state >= AUTHENTICATOR_STATE_MAX || counter < 0 || counter > UINT32_MAX || format < 0 ||
        format >= ATTEST_FORMAT_MAX || trust < 0 || trust >= ATTEST_TRUST_MAX)
        return KEER_EFORMAT;
    ret->row = (struct authenticator){.kind = AUTHENTICATOR_PASSKEY,
                                      .state = (enum authenticator_state)state,
                                      .created_us = db_i64(s, 4),
                                      .used_us = db_i64(s, 5)};
    ret->algorithm = db_i64(s, 8);
    ret->counter = (uint32_t)counter;
    ret->verified = db_i64(s, 10);
    ret->eligible = db_i64(s, 11);
    ret->backed_up = db_i64(s, 12);
    ret->payment = db_i64(s, 13);
    ret->format = (enum attest_format)format;
    ret->trust = (enum attest_trust)trust;
    enum keer_err err = query_id(s, 0, &ret->row.id);
    if (err == KEER_OK)
        err = query_id(s, 1, &ret->row.account);
    if (err == KEER_OK)
        err = query_text(s, 2, ret->row.name, sizeof ret->row.name);
    if (err == KEER_OK)
        err = take_bytes(s, 6, ret->credential, sizeof ret->credential, &ret->credential_len);
    if (err == KEER_OK)
        err = take_bytes(s, 7, ret->key, sizeof ret->key, &ret->key_len);
    if (err == KEER_OK)
        err = query_text(s, 14, ret->transports, sizeof ret->transports);
    if (err == KEER_OK)
        err = take_bytes(s, 15, ret->aaguid, sizeof ret->aaguid, &aaguid_len);
    return err;
}

/* What was registered and never confirmed makes room. */
static enum keer_err drop_abandoned(struct db *db, const struct id *account, int64_t now_us)
{
    return QUERY_DO(db,
                    "UPDATE authenticator SET was = state, state = 4, state_us = $1"
                    " WHERE account = $2 AND kind = 0 AND state = 0 AND state_us < $3",
                    Q_NUMBER(now_us), Q_ID(account), Q_NUMBER(now_us - PASSKEY_ENROLLING_US));
}

static enum keer_err has_room(struct db *db, const struct id *account)
{
    struct db_stmt *s;
    enum keer_err err = QUERY_ONE(
        db, &s, "SELECT COUNT(*) FROM authenticator WHERE account = $1 AND kind = 0 AND state <> 4", Q_ID(account));
    if (err != KEER_OK)
        return err;
    bool full = db_i64(s, 0) >= PASSKEYS_MAX;
    db_free(s);
    return full ? KEER_EFULL : KEER_OK;
}

enum keer_err passkey_add(struct db *db, const struct passkey_new *n, int64_t now_us, struct id *ret_id)
{
    const struct webauthn_registered *m = n->made;
    struct authenticator a = {.account = n->account, .kind = AUTHENTICATOR_PASSKEY, .created_us = now_us};
    char transports[PASSKEY_TRANSPORTS_BYTES + 1];
    ASSERT(m->verdict == WEBAUTHN_OK);
    if (n->name.len > AUTHENTICATOR_NAME_BYTES)
        return KEER_ELIMIT;
    memcpy(a.name, n->name.p, n->name.len);
    passkey_transports(n->transports, transports);
    enum keer_err err = drop_abandoned(db, &n->account, now_us);
    if (err == KEER_OK)
        err = has_room(db, &n->account);
    if (err == KEER_OK)
        err = authenticator_add(db, &a);
    if (err == KEER_OK)
        err =
            QUERY_MET(db,
                      "INSERT INTO passkey (authenticator, credential, public_key, algorithm, counter, verified, eligible,"
                      " backed_up, payment, transports, aaguid, format, trust)"
                      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
                      " ON CONFLICT (credential) DO NOTHING RETURNING authenticator",
                      Q_ID(&a.id), Q_BYTES(m->credential_id), Q_BYTES(m->public_key), Q_NUMBER(m->algorithm),
                      Q_NUMBER(m->counter), Q_NUMBER(m->user_verified), Q_NUMBER(m->backup_eligible), Q_NUMBER(m->backed_up),
                      Q_NUMBER(n->payment), Q_STR(transports), Q_BYTES(slice_of((const char *)m->aaguid, sizeof m->aaguid)),
                      Q_NUMBER(m->format), Q_NUMBER(m->trust));
    if (err == KEER_EMISSING) /* the caller rolls its authenticator back */
        err = KEER_ECONFLICT;
    if (err == KEER_OK)
        *ret_id = a.id;
    return err;
}

enum keer_err passkey_find(struct db *db, struct slice credential, struct passkey *ret)
{
    struct db_stmt *s;
    if (credential.len == 0 || credential.len > CREDENTIAL_ID_BYTES_MAX)
        return KEER_EMISSING;
    enum keer_err err = QUERY_ONE(db, &s, "SELECT " COLUMNS " FROM " TABLES " WHERE p.credential = $1", Q_BYTES(credential));
    if (err != KEER_OK)
        return err;
    err = take(s, ret);
    db_free(s);
    return err;
}

struct webauthn_credential passkey_credential(const struct passkey *p)
{
    return (struct webauthn_credential){.id = slice_of((const char *)p->credential, p->credential_len),
                                        .public_key = slice_of((const char *)p->key, p->key_len),
                                        .user_handle = id_slice(&p->row.account),
                                        .counter = p->counter,
                                        .backup_eligible = p->eligible};
}

enum keer_err passkey_used(struct db *db, const struct passkey *p, const struct webauthn_authenticated *a, int64_t now_us)
{
    ASSERT(a->verdict == WEBAUTHN_OK);
    enum keer_err err = authenticator_used(db, &p->row.account, &p->row.id, now_us);
    if (err == KEER_OK)
        err = QUERY_MET(db,
                        "UPDATE passkey SET counter = CASE WHEN counter < $1 THEN $1 ELSE counter END,"
                        " verified = CASE WHEN verified < $2 THEN $2 ELSE verified END, backed_up = $3"
                        " WHERE authenticator = $4 RETURNING authenticator",
                        Q_NUMBER(a->counter), Q_NUMBER(a->user_verified), Q_NUMBER(a->backed_up), Q_ID(&p->row.id));
    return err;
}

enum keer_err passkeys_each(struct db *db, const struct id *account, passkey_fn *fn, void *ctx)
{
    struct db_stmt *s;
    struct passkey p;
    enum db_step step = DB_END;
    enum keer_err err = QUERY_ROWS(db, &s,
                                   "SELECT " COLUMNS " FROM " TABLES " WHERE a.account = $1 AND a.state <> 4"
                                   " ORDER BY a.created_us, a.id LIMIT 20",
                                   Q_ID(account));
    if (err != KEER_OK)
        return err;
    while (err == KEER_OK && (step = db_step(s)) == DB_ROW) {
        err = take(s, &p);
        if (err == KEER_OK)
            fn(ctx, &p);
    }
    if (err == KEER_OK && step != DB_END)
        err = KEER_EIO;
    db_free(s);
    return err;
}
