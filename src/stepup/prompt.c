/* prompt.c - approval on a trusted device. */
#include "stepup/prompt.h"

#include "base/crypto_key.h"
#include "store/query.h"

static const char *const states[PROMPT_STATE_MAX] = {"waiting", "approved", "refused", "not_me", "expired"};
static_assert(PROMPT_WAITING == 0 && PROMPT_APPROVED == 1 && PROMPT_REFUSED == 2 && PROMPTS_MAX == 8,
              "numbers of the statements below");
#define COLUMNS "id, account, challenge, device, state, created_us, until_us, answered_us, answered_by"

const char *prompt_state_name(enum prompt_state state) { return states[state]; }

/* --- the number --- */

static struct slice bound_to(const struct id *id, char room[7 + ID_BYTES + 1])
{
    (void)snprintf(room, 7 + ID_BYTES + 1, "prompt:%s", id->text);
    return slice_str(room);
}

/* Uniform over a million: what is beyond the last whole million of 32 bits is drawn again. */
static void draw(char ret_number[PROMPT_DIGITS + 1])
{
    uint32_t n;
    do {
        crypto_random(&n, sizeof n);
    } while (n >= 4294000000u);
    (void)snprintf(ret_number, PROMPT_DIGITS + 1, "%06u", n % 1000000);
}

/* --- rows --- */

static enum keer_err take(struct db_stmt *s, int64_t now_us, struct prompt *ret)
{
    int64_t state = db_i64(s, 4);
    if (state < 0 || state >= PROMPT_STATE_MAX)
        return KEER_EFORMAT;
    struct prompt p = {.state = (enum prompt_state)state,
                       .created_us = db_i64(s, 5),
                       .until_us = db_i64(s, 6),
                       .answered_us = db_i64(s, 7)};
    struct id *const ids[] = {&p.id, &p.account, &p.challenge, &p.device, &p.answered_by};
    static const unsigned columns[] = {0, 1, 2, 3, 8};
    enum keer_err err = KEER_OK;
    for (size_t i = 0; err == KEER_OK && i < ARRAY_LEN(ids); i++)
        err = query_id(s, columns[i], ids[i]);
    if (p.state == PROMPT_WAITING && p.until_us <= now_us)
        p.state = PROMPT_EXPIRED;
    if (err == KEER_OK)
        *ret = p;
    return err;
}

static enum keer_err room(struct db *db, const struct id *account, int64_t now_us)
{
    struct db_stmt *s;
    enum keer_err err = QUERY_ONE(db, &s, "SELECT COUNT(*) FROM prompt WHERE account = $1 AND state = 0 AND until_us > $2",
                                  Q_ID(account), Q_NUMBER(now_us));
    if (err != KEER_OK)
        return err;
    bool full = db_i64(s, 0) >= PROMPTS_MAX;
    db_free(s);
    return full ? KEER_EFULL : KEER_OK;
}

enum keer_err prompt_drop(struct db *db, const struct id *challenge, int64_t now_us)
{
    return QUERY_DO(db, "UPDATE prompt SET state = 2, answered_us = $1 WHERE challenge = $2 AND state = 0", Q_NUMBER(now_us),
                    Q_ID(challenge));
}

enum keer_err prompt_make(struct db *db, const struct crypto_hash *seal, const struct challenge *c, int64_t now_us,
                          struct prompt *ret, char ret_number[PROMPT_DIGITS + 1])
{
    struct crypto_hash plain = {{0}};
    unsigned char sealed[CRYPTO_SEALED_BYTES];
    char number[PROMPT_DIGITS + 1], name[7 + ID_BYTES + 1];
    struct prompt p = {.account = c->account,
                       .challenge = c->id,
                       .device = c->device,
                       .created_us = now_us,
                       .until_us = MIN_OF(now_us + PROMPT_LIFE_US, c->until_us)};
    /* Meets the challenge only while it is open and held: a prompt for anything else is none. */
    enum keer_err err = challenge_touch(db, &c->id, &c->holder, now_us);
    if (err == KEER_OK)
        err = prompt_drop(db, &c->id, now_us);
    if (err == KEER_OK)
        err = room(db, &c->account, now_us);
    if (err != KEER_OK)
        return err;
    id_make(&p.id);
    draw(number);
    memcpy(plain.bytes, number, PROMPT_DIGITS);
    crypto_seal(seal, bound_to(&p.id, name), &plain, sealed);
    err = QUERY_DO(db,
                   "INSERT INTO prompt (id, account, challenge, device, number, created_us, until_us)"
                   " VALUES ($1, $2, $3, $4, $5, $6, $7)",
                   Q_ID(&p.id), Q_ID(&p.account), Q_ID(&p.challenge), Q_ID(&p.device),
                   Q_BYTES(slice_of((const char *)sealed, sizeof sealed)), Q_NUMBER(p.created_us), Q_NUMBER(p.until_us));
    if (err == KEER_OK) {
        *ret = p;
        memcpy(ret_number, number, sizeof number);
    }
    crypto_wipe(number, sizeof number);
    crypto_wipe(&plain, sizeof plain);
    return err;
}

/* The number in a statement's columns 0 (id) and 1 (sealed), which is freed. */
static enum keer_err open_number(struct db_stmt *s, const struct crypto_hash *seal, char ret_number[PROMPT_DIGITS + 1])
{
    struct id id;
    struct crypto_hash plain;
    char name[7 + ID_BYTES + 1];
    enum keer_err err = query_id(s, 0, &id);
    if (err == KEER_OK && (db_bytes(s, 1).len != CRYPTO_SEALED_BYTES ||
                           !crypto_open(seal, bound_to(&id, name), (const unsigned char *)db_bytes(s, 1).p, &plain)))
        err = KEER_EFORMAT;
    db_free(s);
    if (err != KEER_OK)
        return err;
    memcpy(ret_number, plain.bytes, PROMPT_DIGITS);
    ret_number[PROMPT_DIGITS] = '\0';
    crypto_wipe(&plain, sizeof plain);
    return KEER_OK;
}

enum keer_err prompt_number(struct db *db, const struct crypto_hash *seal, const struct id *challenge, int64_t now_us,
                            char ret_number[PROMPT_DIGITS + 1])
{
    struct db_stmt *s;
    enum keer_err err = QUERY_ONE(db, &s,
                                  "SELECT id, number FROM prompt WHERE challenge = $1 AND state = 0 AND until_us > $2"
                                  " ORDER BY created_us DESC, id LIMIT 1",
                                  Q_ID(challenge), Q_NUMBER(now_us));
    return err == KEER_OK ? open_number(s, seal, ret_number) : err;
}

enum keer_err prompt_latest(struct db *db, const struct id *challenge, int64_t now_us, enum prompt_state *ret_state)
{
    struct db_stmt *s;
    struct prompt p = {.state = PROMPT_STATE_MAX};
    enum keer_err err =
        QUERY_ONE(db, &s, "SELECT " COLUMNS " FROM prompt WHERE challenge = $1 ORDER BY created_us DESC, state, id LIMIT 1",
                  Q_ID(challenge));
    if (err == KEER_OK) {
        err = take(s, now_us, &p);
        db_free(s);
    }
    if (err == KEER_OK || err == KEER_EMISSING)
        *ret_state = p.state;
    return err == KEER_EMISSING ? KEER_OK : err;
}

enum keer_err prompt_get(struct db *db, const struct id *account, const struct id *id, int64_t now_us, struct prompt *ret)
{
    struct db_stmt *s;
    enum keer_err err =
        QUERY_ONE(db, &s, "SELECT " COLUMNS " FROM prompt WHERE id = $1 AND account = $2", Q_ID(id), Q_ID(account));
    if (err != KEER_OK)
        return err;
    err = take(s, now_us, ret);
    db_free(s);
    return err;
}

enum keer_err prompts_list(struct db *db, const struct id *account, const struct id *device, int64_t now_us,
                           struct prompt ret_rows[PROMPTS_MAX], unsigned *ret_count)
{
    struct db_stmt *s;
    unsigned n = 0;
    enum db_step step = DB_END;
    enum keer_err err = QUERY_ROWS(db, &s,
                                   "SELECT " COLUMNS " FROM prompt WHERE account = $1 AND state = 0 AND until_us > $2"
                                   " AND device <> $3 ORDER BY created_us, id LIMIT 8",
                                   Q_ID(account), Q_NUMBER(now_us), Q_ID(device));
    if (err != KEER_OK)
        return err;
    while (err == KEER_OK && n < PROMPTS_MAX && (step = db_step(s)) == DB_ROW)
        err = take(s, now_us, &ret_rows[n++]);
    db_free(s);
    if (err == KEER_OK && step != DB_ROW && step != DB_END)
        err = KEER_EIO;
    if (err == KEER_OK)
        *ret_count = n;
    return err;
}

/* waiting -> `to`, by a device that is not the one that asked. */
static enum keer_err answer(struct db *db, const struct id *account, const struct id *id, const struct id *device,
                            enum prompt_state to, int64_t now_us)
{
    if (!id_is(device))
        return KEER_EMISSING;
    return QUERY_MET(db,
                     "UPDATE prompt SET state = $1, answered_us = $2, answered_by = $3 WHERE id = $4 AND account = $5"
                     " AND device <> $3 AND state = 0 AND until_us > $2 RETURNING id",
                     Q_NUMBER(to), Q_NUMBER(now_us), Q_ID(device), Q_ID(id), Q_ID(account));
}

enum keer_err prompt_approve(struct db *db, const struct crypto_hash *seal, const struct id *account, const struct id *id,
                             const struct id *device, struct slice number, int64_t now_us, bool *ret_ok)
{
    struct db_stmt *s;
    char want[PROMPT_DIGITS + 1], typed[PROMPT_DIGITS] = {0};
    size_t n = 0;
    bool well = true;
    enum keer_err err = QUERY_ONE(db, &s,
                                  "SELECT id, number FROM prompt WHERE id = $1 AND account = $2 AND device <> $3"
                                  " AND state = 0 AND until_us > $4",
                                  Q_ID(id), Q_ID(account), Q_ID(device), Q_NUMBER(now_us));
    if (err == KEER_OK)
        err = open_number(s, seal, want);
    if (err != KEER_OK)
        return err;
    for (size_t i = 0; i < number.len; i++) {
        if (ascii_space(number.p[i]))
            continue;
        well = well && ascii_digit(number.p[i]) && n < PROMPT_DIGITS;
        if (well)
            typed[n++] = number.p[i];
    }
    bool ok = crypto_eq(slice_of(typed, PROMPT_DIGITS), slice_of(want, PROMPT_DIGITS)) && well && n == PROMPT_DIGITS;
    crypto_wipe(want, sizeof want);
    if (ok)
        err = answer(db, account, id, device, PROMPT_APPROVED, now_us);
    if (err == KEER_OK)
        *ret_ok = ok;
    return err;
}

enum keer_err prompt_refuse(struct db *db, const struct id *account, const struct id *id, const struct id *device,
                            enum prompt_state to, int64_t now_us)
{
    ASSERT(to == PROMPT_REFUSED || to == PROMPT_NOT_ME);
    return answer(db, account, id, device, to, now_us);
}
