/* totp.c - time-based one-time passwords. */
#include "stepup/totp.h"

#include "base/crypto_key.h"
#include "store/query.h"

#define MAC_BYTES 20 /* of HMAC-SHA-1 */
static_assert(TOTP_SECRET_BYTES <= CRYPTO_HASH_BYTES, "a secret is sealed as 32 bytes, zeros behind it");

enum keer_err totp_hotp(struct slice secret, uint64_t counter, unsigned digits, char ret_code[9])
{
    static const uint32_t moduli[] = {1000000, 10000000, 100000000};
    unsigned char text[8], mac[CRYPTO_DIGEST_BYTES_MAX];
    ASSERT(digits >= 6 && digits <= 8);
    for (unsigned i = 0; i < sizeof text; i++)
        text[i] = (unsigned char)(counter >> (56 - 8 * i));
    enum keer_err err = crypto_mac(CRYPTO_SHA1, secret, slice_of((const char *)text, sizeof text), mac);
    if (err != KEER_OK)
        return err;
    const unsigned char *at = mac + (mac[MAC_BYTES - 1] & 15); /* dynamic truncation, RFC 4226 section 5.4 */
    uint32_t number = (uint32_t)(at[0] & 0x7F) << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    number %= moduli[digits - 6];
    ret_code[digits] = '\0';
    for (unsigned i = digits; i-- > 0; number /= 10)
        ret_code[i] = (char)('0' + number % 10);
    crypto_wipe(mac, sizeof mac);
    return KEER_OK;
}

int64_t totp_step(int64_t now_us) { return now_us / TOTP_STEP_US; }

/* --- the secret --- */

static void base32(const unsigned char secret[TOTP_SECRET_BYTES], char ret_text[TOTP_BASE32_BYTES])
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    uint32_t held = 0;
    unsigned bits = 0;
    size_t n = 0;
    for (size_t i = 0; i < TOTP_SECRET_BYTES; i++) {
        held = held << 8 | secret[i];
        for (bits += 8; bits >= 5; bits -= 5)
            ret_text[n++] = letters[held >> (bits - 5) & 31];
    }
    ASSERT(bits == 0 && n == TOTP_BASE32_BYTES - 1);
    ret_text[n] = '\0';
}

/* What the sealed secret is bound to: "totp:" and the id. */
struct bound {
    char text[5 + ID_BYTES + 1];
};
static struct slice bound_to(const struct id *id, struct bound *b)
{
    (void)snprintf(b->text, sizeof b->text, "totp:%s", id->text);
    return slice_str(b->text);
}

static enum keer_err put_secret(struct db *db, const struct crypto_hash *seal, const struct id *id,
                                const struct crypto_hash *secret)
{
    struct bound b;
    unsigned char sealed[CRYPTO_SEALED_BYTES];
    crypto_seal(seal, bound_to(id, &b), secret, sealed);
    return QUERY_DO(db, "INSERT INTO totp (authenticator, secret) VALUES ($1, $2)", Q_ID(id),
                    Q_BYTES(slice_of((const char *)sealed, sizeof sealed)));
}

enum keer_err totp_enrol(struct db *db, const struct crypto_hash *seal, const struct id *account, struct slice name,
                         int64_t now_us, struct totp_enrolment *ret)
{
    struct authenticator a = {
        .account = *account, .kind = AUTHENTICATOR_TOTP, .state = AUTHENTICATOR_ENROLLING, .created_us = now_us};
    struct crypto_hash secret = {{0}};
    if (name.len >= sizeof a.name)
        return KEER_ELIMIT;
    if (name.len)
        memcpy(a.name, name.p, name.len);
    /* Those that were begun and never confirmed are given up. */
    enum keer_err err = QUERY_DO(db,
                                 "UPDATE authenticator SET was = state, state = 4, state_us = $1 WHERE account = $2"
                                 " AND kind = 1 AND state = 0",
                                 Q_NUMBER(now_us), Q_ID(account));
    if (err == KEER_OK)
        err = authenticator_add(db, &a);
    crypto_random(secret.bytes, TOTP_SECRET_BYTES);
    if (err == KEER_OK)
        err = put_secret(db, seal, &a.id, &secret);
    if (err == KEER_OK) {
        ret->id = a.id;
        base32(secret.bytes, ret->secret);
    }
    crypto_wipe(&secret, sizeof secret);
    return err;
}

/* --- taking a code --- */

static enum keer_err get_secret(struct db *db, const struct crypto_hash *seal, const struct id *id, struct crypto_hash *ret)
{
    struct db_stmt *s;
    struct bound b;
    enum keer_err err = QUERY_ONE(db, &s, "SELECT secret FROM totp WHERE authenticator = $1", Q_ID(id));
    if (err != KEER_OK)
        return err;
    if (db_bytes(s, 0).len != CRYPTO_SEALED_BYTES ||
        !crypto_open(seal, bound_to(id, &b), (const unsigned char *)db_bytes(s, 0).p, ret))
        err = KEER_EFORMAT;
    db_free(s);
    return err;
}

/* The digits of what was typed; false when it is not six of them. */
static bool digits_of(struct slice typed, char ret_code[TOTP_DIGITS + 1])
{
    size_t n = 0;
    for (size_t i = 0; i < typed.len; i++) {
        if (ascii_space(typed.p[i]))
            continue;
        if (n == TOTP_DIGITS || !ascii_digit(typed.p[i]))
            return false;
        ret_code[n++] = typed.p[i];
    }
    ret_code[n] = '\0';
    return n == TOTP_DIGITS;
}

enum keer_err totp_take(struct db *db, const struct crypto_hash *seal, const struct id *account, const struct id *id,
                        unsigned states, struct slice code, int64_t now_us, bool *ret_ok)
{
    struct authenticator a;
    struct crypto_hash secret;
    char typed[TOTP_DIGITS + 1] = "", want[9];
    int64_t matched = -1, now = totp_step(now_us);
    enum keer_err err = authenticator_get(db, account, id, &a);
    if (err == KEER_OK && (a.kind != AUTHENTICATOR_TOTP || !(states & AUTHENTICATOR_BIT(a.state))))
        err = KEER_EMISSING;
    if (err == KEER_OK)
        err = get_secret(db, seal, id, &secret);
    if (err != KEER_OK)
        return err;
    bool digits = digits_of(code, typed);
    for (int64_t step = now - TOTP_SKEW; err == KEER_OK && step <= now + TOTP_SKEW; step++) {
        if (step < 0)
            continue;
        err = totp_hotp(slice_of((const char *)secret.bytes, TOTP_SECRET_BYTES), (uint64_t)step, TOTP_DIGITS, want);
        if (err == KEER_OK && crypto_eq(slice_of(typed, TOTP_DIGITS), slice_of(want, TOTP_DIGITS)))
            matched = step;
    }
    crypto_wipe(&secret, sizeof secret);
    crypto_wipe(want, sizeof want);
    crypto_wipe(typed, sizeof typed);
    if (err != KEER_OK)
        return err;
    /* Once: a step that was taken, and every one before it, is taken no more (RFC 6238 section 5.2). */
    err = digits && matched >= 0
              ? QUERY_MET(db, "UPDATE totp SET step = $1 WHERE authenticator = $2 AND step < $1 RETURNING step",
                          Q_NUMBER(matched), Q_ID(id))
              : KEER_EMISSING;
    if (err != KEER_OK && err != KEER_EMISSING)
        return err;
    *ret_ok = err == KEER_OK;
    return KEER_OK;
}

/* --- showing it --- */

/* Unreserved characters stay (RFC 3986 section 2.3). */
static void percent(struct buf *out, struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i], low = ascii_lower(c);
        if ((low >= 'a' && low <= 'z') || ascii_digit(c) || c == '-' || c == '.' || c == '_' || c == '~')
            buf_char(out, c);
        else
            buf_fmt(out, "%%%02X", (unsigned char)c);
    }
}

enum keer_err totp_uri(struct slice issuer, struct slice name, struct slice secret, struct buf *out)
{
    size_t before = out->len;
    buf_puts(out, "otpauth://totp/");
    percent(out, issuer);
    buf_char(out, ':');
    percent(out, name);
    buf_puts(out, "?secret=");
    buf_slice(out, secret);
    buf_puts(out, "&issuer=");
    percent(out, issuer);
    buf_puts(out, "&algorithm=SHA1&digits=6&period=30");
    if (out->err != KEER_OK)
        return out->err;
    return out->len - before < TOTP_URI_BYTES ? KEER_OK : KEER_ELIMIT;
}
