/* attempts.c - counting wrong answers against the table of limits. */
#include "store/attempts.h"

#include <arpa/inet.h>

enum { PART_ACCOUNT, PART_BUCKET, PART_AUTHENTICATOR, PART_CHALLENGE, PART_ADDRESS, PART_NETWORK, PART_MAX };
#define ON(use) (1u << ATTEMPT_USE_##use)
#define BY(part) (1u << PART_##part)
#define ALL false
#define STRANGERS true
#define KEEP ATTEMPT_KEEP
#define REFUND ATTEMPT_REFUND
#define RESET ATTEMPT_RESET
#define HOUR (3600 * INT64_C(1000000))
#define DAY (24 * HOUR)
#define FOR_EVER_US INT64_MAX

static const struct attempt_row rows[] = {
#define ATTEMPT_LIMIT(name, uses, parts, who, max, window_us, on_ok, what) \
    {#name, what, uses, parts, who, max, window_us, on_ok},
#include "store/attempts.def"
#undef ATTEMPT_LIMIT
};
static_assert(ARRAY_LEN(rows) == ATTEMPT_LIMIT_MAX && ATTEMPT_LIMIT_MAX < 256, "a row for each limit, its number in a byte");

const struct attempt_row *attempt_row(enum attempt_limit limit) { return &rows[limit]; }

enum keer_err attempt_network(struct slice address, char ret_network[ATTEMPT_NETWORK_BYTES])
{
    char text[INET6_ADDRSTRLEN] = "";
    struct in6_addr six;
    struct in_addr four;
    if (!address.len || address.len >= sizeof text)
        return KEER_EFORMAT;
    memcpy(text, address.p, address.len);
    if (inet_pton(AF_INET6, text, &six) == 1 && IN6_IS_ADDR_V4MAPPED(&six)) {
        memcpy(&four, &six.s6_addr[12], sizeof four); /* ::ffff:192.0.2.1 is 192.0.2.1 */
    } else if (inet_pton(AF_INET6, text, &six) == 1) {
        memset(&six.s6_addr[8], 0, 8);
        if (!inet_ntop(AF_INET6, &six, text, sizeof text))
            return KEER_EFORMAT;
        (void)snprintf(ret_network, ATTEMPT_NETWORK_BYTES, "%s/64", text);
        return KEER_OK;
    } else if (inet_pton(AF_INET, text, &four) != 1) {
        return KEER_EFORMAT;
    }
    four.s_addr &= htonl(0xFFFFFF00u);
    if (!inet_ntop(AF_INET, &four, text, sizeof text))
        return KEER_EFORMAT;
    (void)snprintf(ret_network, ATTEMPT_NETWORK_BYTES, "%s/24", text);
    return KEER_OK;
}

/* What a limit counts by, as one hash: false when the subject has no such part, and the limit does not hold. */
static bool key_of(enum attempt_limit limit, const struct attempt_subject *s, struct slice network, struct crypto_hash *ret)
{
    const struct attempt_row *row = &rows[limit];
    const struct slice part[PART_MAX] = {
        [PART_ACCOUNT] = s->account,     [PART_BUCKET] = s->device.len ? s->device : SLICE("strangers"),
        [PART_ADDRESS] = s->address,     [PART_AUTHENTICATOR] = s->authenticator,
        [PART_CHALLENGE] = s->challenge, [PART_NETWORK] = network};
    if (row->strangers && s->device.len)
        return false;
    crypto_sha256(slice_str(row->name), ret);
    for (unsigned i = 0; i < PART_MAX; i++) {
        if (!(row->parts & 1u << i))
            continue;
        if (!part[i].len)
            return false;
        crypto_sha256_add(ret, part[i]);
    }
    return true;
}

static struct slice hash_view(const struct crypto_hash *h) { return slice_of((const char *)h->bytes, sizeof h->bytes); }

/* Ends a statement that meets one row at most. */
static enum keer_err ended(struct db_stmt *s)
{
    enum db_step step = db_step(s);
    if (step == DB_ROW && db_step(s) != DB_END)
        step = DB_FAILED;
    db_free(s);
    return step == DB_ROW ? KEER_OK : step == DB_END ? KEER_EMISSING : KEER_EIO;
}

/* Counts one up unless the limit is used up: KEER_EMISSING then. A row whose time is over starts anew. */
static enum keer_err count_up(struct db *db, enum attempt_limit limit, const struct crypto_hash *key, int64_t now_us,
                              struct attempt_counted *ret)
{
    struct db_stmt *s;
    int64_t window = rows[limit].window_us;
    enum keer_err err = db_prepare(db,
                                   "INSERT INTO attempt (key, limit_number, count, until_us) VALUES ($1, $2, 1, $3)"
                                   " ON CONFLICT (key) DO UPDATE SET"
                                   " count = CASE WHEN attempt.until_us <= $4 THEN 1 ELSE attempt.count + 1 END,"
                                   " until_us = CASE WHEN attempt.until_us <= $4 THEN excluded.until_us"
                                   " ELSE attempt.until_us END"
                                   " WHERE attempt.until_us <= $4 OR attempt.count < $5 RETURNING count, until_us",
                                   &s);
    if (err != KEER_OK)
        return err;
    db_bind_bytes(s, 1, hash_view(key));
    db_bind_i64(s, 2, limit);
    db_bind_i64(s, 3, window ? now_us + window : FOR_EVER_US);
    db_bind_i64(s, 4, now_us);
    db_bind_i64(s, 5, rows[limit].max);
    enum db_step step = db_step(s);
    if (step == DB_ROW) {
        struct attempt_counted c = {.limit = (uint8_t)limit, .key = *key, .count = db_i64(s, 0), .until_us = db_i64(s, 1)};
        step = db_step(s) == DB_END ? DB_ROW : DB_FAILED;
        if (step == DB_ROW)
            *ret = c;
    }
    db_free(s);
    return step == DB_ROW ? KEER_OK : step == DB_END ? KEER_EMISSING : KEER_EIO;
}

/* Takes `n` back from a row, if it is the window's that was counted in. */
static enum keer_err count_down(struct db *db, const struct attempt_counted *c, int64_t n)
{
    struct db_stmt *s;
    enum keer_err err = db_prepare(db,
                                   "UPDATE attempt SET count = CASE WHEN count > $1 THEN count - $1 ELSE 0 END"
                                   " WHERE key = $2 AND until_us = $3 RETURNING count",
                                   &s);
    if (err != KEER_OK)
        return err;
    db_bind_i64(s, 1, n);
    db_bind_bytes(s, 2, hash_view(&c->key));
    db_bind_i64(s, 3, c->until_us);
    err = ended(s);
    return err == KEER_EMISSING ? KEER_OK : err;
}

static enum keer_err read_row(struct db *db, const struct crypto_hash *key, int64_t now_us, int64_t *ret_count,
                              int64_t *ret_until_us)
{
    struct db_stmt *s;
    enum keer_err err = db_prepare(db, "SELECT count, until_us FROM attempt WHERE key = $1 AND until_us > $2", &s);
    if (err != KEER_OK)
        return err;
    db_bind_bytes(s, 1, hash_view(key));
    db_bind_i64(s, 2, now_us);
    enum db_step step = db_step(s);
    *ret_count = step == DB_ROW ? db_i64(s, 0) : 0;
    *ret_until_us = step == DB_ROW ? db_i64(s, 1) : 0;
    db_free(s);
    return step == DB_FAILED || step == DB_CONFLICT ? KEER_EIO : KEER_OK;
}

enum keer_err attempt_begin(struct db *db, enum attempt_use use, const struct attempt_subject *s, int64_t now_us,
                            struct attempt_begun *ret)
{
    struct attempt_begun b = {.verdict = ATTEMPT_MAY};
    char network[ATTEMPT_NETWORK_BYTES] = "";
    enum keer_err err = KEER_OK;
    if (attempt_network(s->address, network) != KEER_OK)
        network[0] = '\0'; /* an address that is none is counted as the text that it is */
    for (unsigned i = 0; err == KEER_OK && b.verdict == ATTEMPT_MAY && i < ATTEMPT_LIMIT_MAX; i++) {
        struct attempt_counted *c = &b.attempt.counted[b.attempt.used];
        struct crypto_hash key;
        if (!(rows[i].uses & 1u << use) || !key_of((enum attempt_limit)i, s, slice_str(network), &key))
            continue;
        err = count_up(db, (enum attempt_limit)i, &key, now_us, c);
        if (err == KEER_OK) {
            b.last = b.last || ((rows[i].parts & BY(AUTHENTICATOR)) && c->count >= rows[i].max);
            b.attempt.used++;
        } else if (err == KEER_EMISSING) {
            int64_t count;
            err = read_row(db, &key, now_us, &count, &b.retry_us);
            b.limit = (enum attempt_limit)i;
            b.verdict = rows[i].window_us ? ATTEMPT_LATER : ATTEMPT_USED_UP;
        }
    }
    for (unsigned i = 0; err == KEER_OK && b.verdict != ATTEMPT_MAY && i < b.attempt.used; i++)
        err = count_down(db, &b.attempt.counted[i], 1);
    if (err != KEER_OK)
        return err;
    if (b.verdict != ATTEMPT_MAY) {
        b.attempt = (struct attempt){.used = 0};
        b.last = false;
    }
    *ret = b;
    return KEER_OK;
}

enum keer_err attempt_ok(struct db *db, const struct attempt *a)
{
    enum keer_err err = KEER_OK;
    ASSERT(a->used <= ATTEMPT_LIMIT_MAX);
    for (unsigned i = 0; err == KEER_OK && i < a->used; i++) {
        const struct attempt_counted *c = &a->counted[i];
        switch (rows[c->limit].on_ok) {
        case ATTEMPT_KEEP: break;
        case ATTEMPT_REFUND: err = count_down(db, c, 1); break;
        case ATTEMPT_RESET: err = count_down(db, c, c->count); break;
        }
    }
    return err;
}

enum keer_err attempt_count(struct db *db, enum attempt_limit limit, const struct attempt_subject *s, int64_t now_us,
                            int64_t *ret_count)
{
    char network[ATTEMPT_NETWORK_BYTES] = "";
    struct crypto_hash key;
    int64_t count = 0, until_us;
    enum keer_err err = KEER_OK;
    if (attempt_network(s->address, network) != KEER_OK)
        network[0] = '\0';
    if (key_of(limit, s, slice_str(network), &key))
        err = read_row(db, &key, now_us, &count, &until_us);
    if (err == KEER_OK)
        *ret_count = count;
    return err;
}

enum keer_err attempt_clear(struct db *db, enum attempt_limit limit, const struct attempt_subject *s)
{
    char network[ATTEMPT_NETWORK_BYTES] = "";
    struct crypto_hash key;
    struct db_stmt *st;
    if (attempt_network(s->address, network) != KEER_OK)
        network[0] = '\0';
    if (!key_of(limit, s, slice_str(network), &key))
        return KEER_OK;
    enum keer_err err = db_prepare(db, "DELETE FROM attempt WHERE key = $1", &st);
    if (err != KEER_OK)
        return err;
    db_bind_bytes(st, 1, hash_view(&key));
    enum db_step step = db_step(st);
    db_free(st);
    return step == DB_END ? KEER_OK : KEER_EIO;
}

enum keer_err attempts_forget(struct db *db, int64_t now_us, int64_t rows_max, int64_t *ret_count)
{
    struct db_stmt *s;
    int64_t n = 0;
    enum db_step step;
    enum keer_err err = db_prepare(db,
                                   "DELETE FROM attempt WHERE key IN (SELECT key FROM attempt WHERE until_us <= $1 LIMIT $2)"
                                   " RETURNING limit_number",
                                   &s);
    if (err != KEER_OK)
        return err;
    db_bind_i64(s, 1, now_us);
    db_bind_i64(s, 2, rows_max);
    while ((step = db_step(s)) == DB_ROW)
        n++;
    db_free(s);
    if (step != DB_END)
        return KEER_EIO;
    *ret_count = n;
    return KEER_OK;
}
