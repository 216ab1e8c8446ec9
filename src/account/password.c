/* password.c - what is kept of a password: a keyed Argon2id hash as a PHC string. */
#include "account/password.h"

#include "base/crypto_password.h"
#include "base/num.h"
#include "store/query.h"

#define KEY_ID_RAW 6 /* 8 letters: tells keys apart, says nothing of them */

static const struct password_cost costs[] = {
#define PASSWORD_COST(memory, passes) {memory, passes},
#include "account/passwords.def"
#undef PASSWORD_COST
};

struct password_cost password_cost_now(void) { return costs[ARRAY_LEN(costs) - 1]; }

struct phc { /* a PHC string in its parts */
    struct password_cost cost;
    unsigned char key_id[KEY_ID_RAW], salt[CRYPTO_SALT_BYTES];
    struct crypto_hash hash;
};

static void key_id(const struct crypto_hash *key, unsigned char ret_id[KEY_ID_RAW])
{
    struct crypto_hash h;
    const struct slice part = SLICE("keer password key id");
    crypto_hmac(slice_of((const char *)key->bytes, sizeof key->bytes), &part, 1, &h);
    memcpy(ret_id, h.bytes, KEY_ID_RAW);
}

/* The slow part, then the keyed one (NIST SP 800-63B-4 section 3.1.1.2). */
static enum keer_err derive(struct slice password, const struct crypto_hash *key, const struct id *account,
                            const struct phc *p, struct crypto_hash *ret_hash)
{
    struct crypto_hash raw;
    enum keer_err err = crypto_argon2id(password, p->salt, p->cost.memory_kib, p->cost.passes, &raw);
    if (err != KEER_OK)
        return err;
    const struct slice parts[] = {SLICE("keer password 1"), id_slice(account),
                                  slice_of((const char *)raw.bytes, sizeof raw.bytes)};
    crypto_hmac(slice_of((const char *)key->bytes, sizeof key->bytes), parts, ARRAY_LEN(parts), ret_hash);
    crypto_wipe(&raw, sizeof raw);
    return KEER_OK;
}

static void print(const struct phc *p, char ret_phc[PASSWORD_PHC_BYTES])
{
    char key[CRYPTO_B64_BYTES], salt[CRYPTO_B64_BYTES], hash[CRYPTO_B64_BYTES];
    crypto_b64(p->key_id, sizeof p->key_id, key);
    crypto_b64(p->salt, sizeof p->salt, salt);
    crypto_b64(p->hash.bytes, sizeof p->hash.bytes, hash);
    int n = snprintf(ret_phc, PASSWORD_PHC_BYTES, "$argon2id$v=19$m=%u,t=%u,p=1,keyid=%s$%s$%s", p->cost.memory_kib,
                     p->cost.passes, key, salt, hash);
    ASSERT(n > 0 && n < PASSWORD_PHC_BYTES);
}

/* `name=` at the front of the next of `*s`, which are parted by `end`. */
static bool part(struct slice *s, char end, const char *name, struct slice *ret_value)
{
    struct slice one = slice_cut(s, end), wanted = slice_str(name);
    if (one.len < wanted.len || memcmp(one.p, wanted.p, wanted.len) != 0)
        return false;
    *ret_value = slice_of(one.p + wanted.len, one.len - wanted.len);
    return true;
}

static enum keer_err parse(const char *text, struct phc *ret)
{
    struct slice rest = slice_str(text), none, params, m, t, lanes, key, salt, hash;
    uint64_t memory, passes;
    if (!part(&rest, '$', "", &none) || none.len || !part(&rest, '$', "argon2id", &none) || none.len ||
        !part(&rest, '$', "v=19", &none) || none.len || !part(&rest, '$', "", &params) || !part(&rest, '$', "", &salt) ||
        !part(&rest, '$', "", &hash) || rest.p)
        return KEER_EFORMAT;
    if (!part(&params, ',', "m=", &m) || !part(&params, ',', "t=", &t) || !part(&params, ',', "p=1", &lanes) || lanes.len ||
        !part(&params, ',', "keyid=", &key) || params.p)
        return KEER_EFORMAT;
    if (num_u64(m, 8, 1u << 20, &memory) != KEER_OK || num_u64(t, 1, 1000, &passes) != KEER_OK ||
        crypto_unb64(key, ret->key_id, sizeof ret->key_id) != KEER_OK ||
        crypto_unb64(salt, ret->salt, sizeof ret->salt) != KEER_OK ||
        crypto_unb64(hash, ret->hash.bytes, sizeof ret->hash.bytes) != KEER_OK)
        return KEER_EFORMAT;
    ret->cost = (struct password_cost){(uint32_t)memory, (uint32_t)passes};
    return KEER_OK;
}

static enum keer_err hash_with(struct slice password, const struct crypto_hash *key, const struct id *account, struct phc *p,
                               char ret_phc[PASSWORD_PHC_BYTES])
{
    key_id(key, p->key_id);
    enum keer_err err = derive(password, key, account, p, &p->hash);
    if (err == KEER_OK)
        print(p, ret_phc);
    crypto_wipe(p, sizeof *p);
    return err;
}

enum keer_err password_hash(struct slice password, const struct crypto_hash *key, const struct id *account,
                            struct password_cost cost, char ret_phc[PASSWORD_PHC_BYTES])
{
    struct phc p = {.cost = cost};
    crypto_random(p.salt, sizeof p.salt);
    return hash_with(password, key, account, &p, ret_phc);
}

enum keer_err password_hash_bound(struct slice password, const struct crypto_hash *key, const struct id *account,
                                  struct password_cost cost, struct slice salt_of, char ret_phc[PASSWORD_PHC_BYTES])
{
    struct phc p = {.cost = cost};
    struct crypto_hash salt;
    const struct slice parts[] = {SLICE("keer password salt 1"), id_slice(account), salt_of};
    static_assert(sizeof p.salt <= sizeof salt.bytes, "a hash is enough for a salt");
    crypto_hmac(slice_of((const char *)key->bytes, sizeof key->bytes), parts, ARRAY_LEN(parts), &salt);
    memcpy(p.salt, salt.bytes, sizeof p.salt);
    return hash_with(password, key, account, &p, ret_phc);
}

enum keer_err password_verify(struct slice password, const struct crypto_hash *key, const struct id *account,
                              const char *phc, enum password_verdict *ret_verdict)
{
    struct phc p;
    struct crypto_hash got;
    unsigned char now[KEY_ID_RAW];
    enum keer_err err = parse(phc, &p);
    if (err == KEER_OK)
        err = derive(password, key, account, &p, &got);
    if (err != KEER_OK)
        return err;
    key_id(key, now);
    struct password_cost cost = password_cost_now();
    bool old =
        p.cost.memory_kib != cost.memory_kib || p.cost.passes != cost.passes || memcmp(now, p.key_id, sizeof now) != 0;
    *ret_verdict = !crypto_hash_eq(&got, &p.hash) ? PASSWORD_WRONG : old ? PASSWORD_RIGHT_OLD : PASSWORD_RIGHT;
    crypto_wipe(&got, sizeof got);
    return KEER_OK;
}

void password_dummy(char ret_phc[PASSWORD_PHC_BYTES])
{
    struct phc p = {.cost = password_cost_now()}; /* a hash of zeros: nobody finds what leads to it */
    print(&p, ret_phc);
}

/* --- rows --- */

enum keer_err password_read(struct db *db, const struct id *account, struct password_row *ret_row)
{
    struct db_stmt *s;
    struct password_row row;
    enum keer_err err = QUERY_ONE(db, &s, "SELECT phc, changed_us FROM password WHERE account = $1", Q_ID(account));
    if (err != KEER_OK)
        return err;
    err = query_text(s, 0, row.phc, sizeof row.phc);
    row.changed_us = db_i64(s, 1);
    db_free(s);
    if (err == KEER_OK)
        *ret_row = row;
    return err;
}

enum keer_err password_write(struct db *db, const struct id *account, const char *phc, int64_t now_us)
{
    return QUERY_DO(db,
                    "INSERT INTO password (account, phc, changed_us) VALUES ($1, $2, $3)"
                    " ON CONFLICT (account) DO UPDATE SET phc = $2, changed_us = $3",
                    Q_ID(account), Q_STR(phc), Q_NUMBER(now_us));
}

enum keer_err password_renew(struct db *db, const struct id *account, const char *old, const char *phc)
{
    return QUERY_MET(db, "UPDATE password SET phc = $1 WHERE account = $2 AND phc = $3 RETURNING account", Q_STR(phc),
                     Q_ID(account), Q_STR(old));
}
