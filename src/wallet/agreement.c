/* agreement.c - rows of agreements: each change of state is one statement that names the states it leaves. */
#include "wallet/agreement.h"

#include "base/num.h"
#include "base/timefmt.h"
#include "store/query.h"

static const char *const states[AGREEMENT_STATE_MAX] = {"needs_step", "signing", "active", "paused", "ending", "ended"};
static_assert(AGREEMENT_STEP == 0 && AGREEMENT_SIGNING == 1 && AGREEMENT_ACTIVE == 2 && AGREEMENT_PAUSED == 3 &&
                  AGREEMENT_ENDING == 4 && AGREEMENT_ENDED == 5,
              "numbers of the statements below");
#define COLUMNS                                                                                                          \
    "id, account, client, reference, wallet, number, ref, refresh, payer, return_url, device, ip, currency, state,"      \
    " cap_charge, cap_day, cap_month, cap_count, unverified_limit, unverified_used, verified_us, challenge, created_us," \
    " state_us, signed_us, synced_us, why, by_wallet, raised_us, COALESCE(most_charge, -1), most_day, most_month, "      \
    "most_count, valid_until_us"
#define FROM " FROM agreement LEFT JOIN account_ceiling ON owner = account AND money = currency "

const char *agreement_state_name(enum agreement_state state) { return states[state]; }

enum agreement_state agreement_state_find(struct slice name)
{
    unsigned i = 0;
    while (i < AGREEMENT_STATE_MAX && !slice_eq(name, slice_str(states[i])))
        i++;
    return (enum agreement_state)i;
}

void agreement_wipe(struct agreement *a)
{
    crypto_wipe(a->ref, sizeof a->ref);
    crypto_wipe(a->refresh, sizeof a->refresh);
}

/* --- caps --- */

static const struct {
    enum currency currency;
    struct agreement_caps caps, ceiling;
} defaults[] = {
#define AGREEMENT_CAPS(code, charge, day, month, count, most_charge, most_day, most_month, most_count) \
    {CUR_##code, {charge, day, month, count}, {most_charge, most_day, most_month, most_count}},
#include "wallet/caps.def"
#undef AGREEMENT_CAPS
};
static const struct {
    enum currency currency;
    int64_t charge_minor, sum_minor;
} unverified[] = {
#define AGREEMENT_UNVERIFIED(code, charge, sum) {CUR_##code, charge, sum},
#include "wallet/unverified.def"
#undef AGREEMENT_UNVERIFIED
};

bool agreement_default_caps(enum currency currency, struct agreement_caps *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(defaults); i++)
        if (defaults[i].currency == currency) {
            *ret = defaults[i].caps;
            return true;
        }
    return false;
}

static bool default_ceiling(enum currency currency, struct agreement_caps *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(defaults); i++)
        if (defaults[i].currency == currency) {
            *ret = defaults[i].ceiling;
            return true;
        }
    return false;
}

bool agreement_unverified_max(enum currency currency, int64_t *ret_charge_minor, int64_t *ret_sum_minor)
{
    for (size_t i = 0; i < ARRAY_LEN(unverified); i++)
        if (unverified[i].currency == currency) {
            *ret_charge_minor = unverified[i].charge_minor;
            *ret_sum_minor = unverified[i].sum_minor;
            return true;
        }
    return false;
}

enum keer_err agreement_check(enum currency currency, const struct agreement_caps *caps, int64_t unverified_limit_minor)
{
    int64_t charge, sum;
    if ((unsigned)currency >= CUR_MAX || caps->charge_minor < 0 || caps->charge_minor > caps->day_minor ||
        caps->day_minor > caps->month_minor || caps->month_minor > NUM_EXACT_MAX || caps->day_count < 0 ||
        caps->day_count > AGREEMENT_COUNT_MAX || unverified_limit_minor < 0)
        return KEER_ERANGE;
    if (!unverified_limit_minor)
        return KEER_OK;
    return agreement_unverified_max(currency, &charge, &sum) && unverified_limit_minor <= sum ? KEER_OK : KEER_ERANGE;
}

struct agreement_caps agreement_caps_min(const struct agreement_caps *a, const struct agreement_caps *b)
{
    return (struct agreement_caps){.charge_minor = MIN_OF(a->charge_minor, b->charge_minor),
                                   .day_minor = MIN_OF(a->day_minor, b->day_minor),
                                   .month_minor = MIN_OF(a->month_minor, b->month_minor),
                                   .day_count = MIN_OF(a->day_count, b->day_count)};
}

bool agreement_caps_eq(const struct agreement_caps *a, const struct agreement_caps *b)
{
    return a->charge_minor == b->charge_minor && a->day_minor == b->day_minor && a->month_minor == b->month_minor &&
           a->day_count == b->day_count;
}

static bool caps_within(const struct agreement_caps *caps, const struct agreement_caps *most)
{
    struct agreement_caps low = agreement_caps_min(caps, most);
    return agreement_caps_eq(&low, caps);
}

struct agreement_caps agreement_caps_now(const struct agreement *a)
{
    return a->has_ceiling ? agreement_caps_min(&a->caps, &a->ceiling) : a->caps;
}

static int64_t times(int64_t n) { return n > INT64_MAX / AGREEMENT_RAISE_AT_ONCE ? INT64_MAX : n * AGREEMENT_RAISE_AT_ONCE; }

/* Each is not above what it was, or not above the ceiling. */
static bool allowed(const struct agreement *a, const struct agreement_caps *was, const struct agreement_caps *to)
{
    const struct agreement_caps *most = a->has_ceiling ? &a->ceiling : was;
    return caps_within(to, &(struct agreement_caps){.charge_minor = MAX_OF(was->charge_minor, most->charge_minor),
                                                    .day_minor = MAX_OF(was->day_minor, most->day_minor),
                                                    .month_minor = MAX_OF(was->month_minor, most->month_minor),
                                                    .day_count = MAX_OF(was->day_count, most->day_count)});
}

static bool raises(const struct agreement_limits *was, const struct agreement_limits *to)
{
    return !caps_within(&to->caps, &was->caps) || to->unverified_limit_minor > was->unverified_limit_minor;
}

enum agreement_pace agreement_pace(const struct agreement *a, const struct agreement_limits *to, int64_t now_us)
{
    const struct agreement_limits was = {a->caps, a->unverified_limit_minor};
    const struct agreement_caps at_once = {times(a->caps.charge_minor), times(a->caps.day_minor), times(a->caps.month_minor),
                                           times(a->caps.day_count)};
    if (!raises(&was, to))
        return AGREEMENT_PACE_LOWER;
    if (!allowed(a, &a->caps, &to->caps))
        return AGREEMENT_PACE_NEVER;
    /* A clock that was set back leaves a raise in what is to come: that rests too. */
    if (a->raised_us && now_us - a->raised_us < AGREEMENT_RAISE_REST_DAYS * US_DAY)
        return AGREEMENT_PACE_WAITS;
    return to->unverified_limit_minor <= was.unverified_limit_minor && caps_within(&to->caps, &at_once)
               ? AGREEMENT_PACE_NOW
               : AGREEMENT_PACE_WAITS;
}

/* China has one zone and no summer time. */
static int64_t zone_us(enum currency currency) { return currency == CUR_CNY ? 8 * US_HOUR : 0; }

int64_t agreement_day_us(enum currency currency, int64_t now_us)
{
    return time_floor_day(now_us + zone_us(currency)) - zone_us(currency);
}

int64_t agreement_month_us(enum currency currency, int64_t now_us)
{
    int64_t day = time_floor_day(now_us + zone_us(currency));
    return day - (time_civil(day).day - 1) * US_DAY - zone_us(currency);
}

bool agreement_passes_unverified(const struct agreement *a, int64_t amount_minor)
{
    int64_t charge, sum;
    return amount_minor > 0 && agreement_unverified_max(a->currency, &charge, &sum) && amount_minor <= charge &&
           amount_minor <= MIN_OF(sum, a->unverified_limit_minor) - a->unverified_used_minor;
}

/* --- the wallet's reference --- */

/* What is sealed is bound to "agreement:ID:ref" or ":refresh". */
struct bound {
    char text[10 + ID_BYTES + 9 + 1];
};
static struct slice bound_to(const struct id *id, const char *what, struct bound *b)
{
    (void)snprintf(b->text, sizeof b->text, "agreement:%s:%s", id->text, what);
    return slice_str(b->text);
}

/* The empty text is kept as no bytes. */
static enum keer_err seal_text(const struct crypto_hash *seal, const struct id *id, const char *what, const char *text,
                               struct buf *ret)
{
    struct bound b;
    return text[0] ? crypto_seal_bytes(seal, bound_to(id, what, &b), slice_str(text), ret) : KEER_OK;
}

static enum keer_err open_text(const struct crypto_hash *seal, const struct id *id, const char *what, struct slice sealed,
                               char *room, size_t size)
{
    struct bound b;
    struct buf plain;
    if (!sealed.len || !seal)
        return KEER_OK;
    buf_init(&plain, size);
    enum keer_err err = crypto_open_bytes(seal, bound_to(id, what, &b), sealed, &plain);
    if (err == KEER_OK && plain.len >= size)
        err = KEER_EFORMAT;
    if (err == KEER_OK)
        memcpy(room, plain.p, plain.len + 1);
    if (plain.p)
        crypto_wipe(plain.p, plain.len);
    buf_release(&plain);
    return err;
}

/* By which a reference is found: it tells nothing to who has the database and not the key. */
static void hash_of(const struct crypto_hash *seal, struct slice wallet, struct slice ref, struct crypto_hash *ret)
{
    const struct slice parts[] = {SLICE("agreement:"), wallet, SLICE(":"), ref};
    crypto_hmac(slice_of((const char *)seal->bytes, sizeof seal->bytes), parts, ARRAY_LEN(parts), ret);
}

/* --- rows --- */

static enum keer_err take_texts(struct db_stmt *s, const struct crypto_hash *seal, struct agreement *a)
{
    struct id *const ids[] = {&a->id, &a->account, &a->challenge};
    static const unsigned id_columns[] = {0, 1, 21};
    const struct {
        unsigned column;
        char *room;
        size_t size;
    } texts[] = {{2, a->client, sizeof a->client},  {3, a->reference, sizeof a->reference},
                 {4, a->wallet, sizeof a->wallet},  {5, a->number, sizeof a->number},
                 {8, a->user, sizeof a->user},      {9, a->return_url, sizeof a->return_url},
                 {10, a->device, sizeof a->device}, {11, a->ip, sizeof a->ip},
                 {26, a->why, sizeof a->why}};
    enum keer_err err = KEER_OK;
    for (size_t i = 0; err == KEER_OK && i < ARRAY_LEN(ids); i++)
        err = query_id(s, id_columns[i], ids[i]);
    for (size_t i = 0; err == KEER_OK && i < ARRAY_LEN(texts); i++)
        err = query_text(s, texts[i].column, texts[i].room, texts[i].size);
    if (err == KEER_OK)
        err = open_text(seal, &a->id, "ref", db_bytes(s, 6), a->ref, sizeof a->ref);
    if (err == KEER_OK)
        err = open_text(seal, &a->id, "refresh", db_bytes(s, 7), a->refresh, sizeof a->refresh);
    return err;
}

static enum keer_err take(struct db_stmt *s, const struct crypto_hash *seal, struct agreement *ret)
{
    int64_t state = db_i64(s, 13);
    enum currency currency = currency_parse(db_bytes(s, 12));
    if (state < 0 || state >= AGREEMENT_STATE_MAX || currency == CUR_MAX)
        return KEER_EFORMAT;
    *ret = (struct agreement){.currency = currency,
                              .state = (enum agreement_state)state,
                              .caps = {db_i64(s, 14), db_i64(s, 15), db_i64(s, 16), db_i64(s, 17)},
                              .unverified_limit_minor = db_i64(s, 18),
                              .unverified_used_minor = db_i64(s, 19),
                              .verified_us = db_i64(s, 20),
                              .created_us = db_i64(s, 22),
                              .state_us = db_i64(s, 23),
                              .signed_us = db_i64(s, 24),
                              .synced_us = db_i64(s, 25),
                              .by_wallet = db_i64(s, 27) != 0,
                              .raised_us = db_i64(s, 28),
                              .valid_until_us = db_i64(s, 33)};
    ret->has_ceiling = db_i64(s, 29) >= 0;
    if (ret->has_ceiling)
        ret->ceiling = (struct agreement_caps){db_i64(s, 29), db_i64(s, 30), db_i64(s, 31), db_i64(s, 32)};
    else
        ret->has_ceiling = default_ceiling(currency, &ret->ceiling);
    enum keer_err err = take_texts(s, seal, ret);
    if (err != KEER_OK)
        agreement_wipe(ret);
    return err;
}

/* The one row of a statement that query_one gave. */
static enum keer_err one(enum keer_err err, struct db_stmt *s, const struct crypto_hash *seal, struct agreement *ret)
{
    if (err != KEER_OK)
        return err;
    err = take(s, seal, ret);
    db_free(s);
    return err;
}

enum keer_err agreement_get(struct db *db, const struct crypto_hash *seal, const struct id *id, struct agreement *ret)
{
    struct db_stmt *s = NULL;
    enum keer_err err = QUERY_ONE(db, &s, "SELECT " COLUMNS FROM "WHERE id = $1", Q_ID(id));
    return one(err, s, seal, ret);
}

enum keer_err agreement_by_reference(struct db *db, const struct crypto_hash *seal, struct slice client,
                                     struct slice reference, struct agreement *ret)
{
    struct db_stmt *s = NULL;
    enum keer_err err =
        QUERY_ONE(db, &s, "SELECT " COLUMNS FROM "WHERE client = $1 AND reference = $2", Q_TEXT(client), Q_TEXT(reference));
    return one(err, s, seal, ret);
}

enum keer_err agreement_by_number(struct db *db, const struct crypto_hash *seal, struct slice number, struct agreement *ret)
{
    struct db_stmt *s = NULL;
    enum keer_err err = QUERY_ONE(db, &s, "SELECT " COLUMNS FROM "WHERE number = $1", Q_TEXT(number));
    return one(err, s, seal, ret);
}

enum keer_err agreement_by_ref(struct db *db, const struct crypto_hash *seal, struct slice wallet, struct slice ref,
                               struct agreement *ret)
{
    struct db_stmt *s = NULL;
    struct crypto_hash hash;
    hash_of(seal, wallet, ref, &hash);
    enum keer_err err = QUERY_ONE(db, &s,
                                  "SELECT " COLUMNS FROM "WHERE wallet = $1 AND ref_hash = $2"
                                  " ORDER BY created_us DESC, id LIMIT 1",
                                  Q_TEXT(wallet), Q_HASH(&hash));
    return one(err, s, seal, ret);
}

enum keer_err agreements_list(struct db *db, const struct agreement_find *find, struct agreement *ret_rows,
                              unsigned rows_max, unsigned *ret_count)
{
    struct db_stmt *s;
    enum db_step step = DB_END;
    unsigned n = 0, bits = find->states ? find->states : AGREEMENT_BIT(AGREEMENT_STATE_MAX) - 1;
    enum keer_err err =
        QUERY_ROWS(db, &s,
                   "SELECT " COLUMNS FROM "WHERE ($1 = '' OR account = $1)"
                   " AND ($2 = '' OR client = $2) AND (CAST($3 AS BIGINT) >> CAST(state AS INTEGER)) & 1 = 1"
                   " AND ($4 = '' OR (created_us, id) < (SELECT b.created_us, b.id FROM agreement b"
                   " WHERE b.id = $4)) ORDER BY created_us DESC, id DESC LIMIT $5",
                   Q_ID(&find->account), Q_TEXT(find->client), Q_NUMBER(bits), Q_ID(&find->after), Q_NUMBER(rows_max));
    if (err != KEER_OK)
        return err;
    while (err == KEER_OK && n < rows_max && (step = db_step(s)) == DB_ROW)
        err = take(s, /* seal */ NULL, &ret_rows[n++]);
    db_free(s);
    if (err == KEER_OK && step != DB_ROW && step != DB_END)
        err = KEER_EIO;
    if (err == KEER_OK)
        *ret_count = n;
    return err;
}

static enum keer_err take_ids(struct db_stmt *s, struct id *ret_ids, unsigned rows_max, unsigned *n)
{
    enum db_step step = DB_END;
    enum keer_err err = KEER_OK;
    while (err == KEER_OK && *n < rows_max && (step = db_step(s)) == DB_ROW)
        err = query_id(s, 0, &ret_ids[(*n)++]);
    db_free(s);
    return err == KEER_OK && step != DB_ROW && step != DB_END ? KEER_EIO : err;
}

enum keer_err agreements_due(struct db *db, const struct agreement_due *due, struct id *ret_ids, unsigned rows_max,
                             unsigned *ret_count)
{
    struct db_stmt *s;
    unsigned n = 0;
    enum keer_err err = KEER_OK;
    /* State by state: each is a range of the index (state, state_us). */
    for (unsigned state = 0; err == KEER_OK && n < rows_max && state < AGREEMENT_STATE_MAX; state++) {
        if (!(due->states & AGREEMENT_BIT(state)))
            continue;
        err = QUERY_ROWS(db, &s,
                         "SELECT id FROM agreement WHERE state = $1 AND state_us <= $2 AND (synced_us <= $3 OR"
                         " synced_us > $4) ORDER BY synced_us, id LIMIT $5",
                         Q_NUMBER(state), Q_NUMBER(due->since_us), Q_NUMBER(due->asked_us),
                         Q_NUMBER(due->now_us + AGREEMENT_AHEAD_US), Q_NUMBER(rows_max - n));
        if (err == KEER_OK)
            err = take_ids(s, ret_ids, rows_max, &n);
    }
    if (err == KEER_OK)
        *ret_count = n;
    return err;
}

enum keer_err agreements_strays(struct db *db, int64_t asked_us, int64_t now_us, struct id *ret_ids, unsigned rows_max,
                                unsigned *ret_count)
{
    struct db_stmt *s;
    unsigned n = 0;
    enum keer_err err = QUERY_ROWS(db, &s,
                                   "SELECT id FROM agreement WHERE state = 5 AND state_us > $1 AND signed_us = 0"
                                   " AND ref <> $2 AND (synced_us <= $3 OR synced_us > $4) ORDER BY synced_us, id LIMIT $5",
                                   Q_NUMBER(now_us - 2 * US_DAY), Q_BYTES(SLICE("")), Q_NUMBER(asked_us),
                                   Q_NUMBER(now_us + AGREEMENT_AHEAD_US), Q_NUMBER(rows_max));
    if (err == KEER_OK)
        err = take_ids(s, ret_ids, rows_max, &n);
    if (err == KEER_OK)
        *ret_count = n;
    return err;
}

/* --- making --- */

static void make_number(char ret_number[WALLET_NUMBER_BYTES + 1])
{
    unsigned char bytes[WALLET_NUMBER_BYTES / 2];
    crypto_random(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        (void)snprintf(ret_number + 2 * i, 3, "%02x", bytes[i]);
}

enum keer_err agreement_ceiling(struct db *db, const struct id *account, enum currency currency, struct agreement_caps *ret)
{
    struct db_stmt *s;
    enum keer_err err =
        QUERY_ONE(db, &s,
                  "SELECT most_charge, most_day, most_month, most_count FROM account_ceiling WHERE owner = $1"
                  " AND money = $2",
                  Q_ID(account), Q_STR(currency_code(currency)));
    if (err == KEER_EMISSING)
        return default_ceiling(currency, ret) ? KEER_OK : KEER_EMISSING;
    if (err != KEER_OK)
        return err;
    *ret = (struct agreement_caps){db_i64(s, 0), db_i64(s, 1), db_i64(s, 2), db_i64(s, 3)};
    db_free(s);
    return KEER_OK;
}

enum keer_err agreement_set_ceiling(struct db *db, const struct id *account, enum currency currency,
                                    const struct agreement_caps *caps, struct slice by, int64_t now_us)
{
    enum keer_err err = agreement_check(currency, caps, 0);
    if (err == KEER_OK)
        err = QUERY_MET(db, "SELECT id FROM account WHERE id = $1", Q_ID(account));
    if (err != KEER_OK)
        return err;
    return QUERY_DO(
        db,
        "INSERT INTO account_ceiling (owner, money, most_charge, most_day, most_month, most_count, set_by, set_us)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (owner, money) DO UPDATE SET"
        " most_charge = EXCLUDED.most_charge, most_day = EXCLUDED.most_day, most_month = EXCLUDED.most_month,"
        " most_count = EXCLUDED.most_count, set_by = EXCLUDED.set_by, set_us = EXCLUDED.set_us",
        Q_ID(account), Q_STR(currency_code(currency)), Q_NUMBER(caps->charge_minor), Q_NUMBER(caps->day_minor),
        Q_NUMBER(caps->month_minor), Q_NUMBER(caps->day_count), Q_TEXT(by), Q_NUMBER(now_us));
}

static enum keer_err insert(struct db *db, const struct agreement *a)
{
    return QUERY_MET(db,
                     "INSERT INTO agreement (id, account, client, reference, wallet, number, ref, refresh, ref_hash,"
                     " return_url, device, ip, currency, state, cap_charge, cap_day, cap_month, cap_count, unverified_limit,"
                     " created_us, state_us) SELECT $1, $2, $3, $4, $5, $6, $7, $7, $7, $8, $9, $10, $11, 0, $12, $13, $14,"
                     " $15, $16, $17, $17 WHERE (SELECT COUNT(*) FROM agreement WHERE account = $2 AND state <> 5) < 16"
                     " ON CONFLICT DO NOTHING RETURNING id",
                     Q_ID(&a->id), Q_ID(&a->account), Q_STR(a->client), Q_STR(a->reference), Q_STR(a->wallet),
                     Q_STR(a->number), Q_BYTES(SLICE("")), Q_STR(a->return_url), Q_STR(a->device), Q_STR(a->ip),
                     Q_STR(currency_code(a->currency)), Q_NUMBER(a->caps.charge_minor), Q_NUMBER(a->caps.day_minor),
                     Q_NUMBER(a->caps.month_minor), Q_NUMBER(a->caps.day_count), Q_NUMBER(a->unverified_limit_minor),
                     Q_NUMBER(a->created_us));
}
static_assert(AGREEMENTS_MAX == 16, "a number of the statement above");

enum keer_err agreement_add(struct db *db, const struct crypto_hash *seal, struct agreement *a, int64_t now_us,
                            bool *ret_new)
{
    struct agreement there;
    enum keer_err err = agreement_check(a->currency, &a->caps, a->unverified_limit_minor);
    if (err == KEER_OK)
        err = agreement_by_reference(db, seal, slice_str(a->client), slice_str(a->reference), &there);
    if (err == KEER_OK) {
        *a = there;
        agreement_wipe(&there);
        *ret_new = false;
        return KEER_OK;
    }
    if (err != KEER_EMISSING)
        return err;
    err = agreement_ceiling(db, &a->account, a->currency, &a->ceiling);
    a->has_ceiling = err == KEER_OK;
    if (err != KEER_OK && err != KEER_EMISSING)
        return err;
    if (a->has_ceiling && !caps_within(&a->caps, &a->ceiling))
        return KEER_ERANGE;
    if (!id_is(&a->id))
        id_make(&a->id);
    if (!a->number[0])
        make_number(a->number);
    a->state = AGREEMENT_STEP;
    a->created_us = a->state_us = now_us;
    err = insert(db, a);
    if (err == KEER_OK)
        *ret_new = true;
    return err == KEER_EMISSING ? KEER_EFULL : err;
}

/* --- states --- */

enum keer_err agreement_set_challenge(struct db *db, const struct id *id, const struct id *challenge)
{
    return QUERY_MET(db, "UPDATE agreement SET challenge = $1 WHERE id = $2 AND state = 0 RETURNING id", Q_ID(challenge),
                     Q_ID(id));
}

enum keer_err agreement_stepped(struct db *db, const struct id *id, int64_t now_us)
{
    return QUERY_MET(db,
                     "UPDATE agreement SET state = 1, state_us = $1, verified_us = $1, unverified_used = 0 WHERE id = $2"
                     " AND state = 0 RETURNING id",
                     Q_NUMBER(now_us), Q_ID(id));
}

struct sealed {
    struct buf ref, refresh;
    struct crypto_hash hash;
};
static void sealed_release(struct sealed *s)
{
    buf_release(&s->refresh);
    buf_release(&s->ref);
}
/* What the wallet gave, as it is kept; to be released in any case. */
static enum keer_err seal_all(struct db *db, const struct crypto_hash *seal, const struct id *id,
                              const struct wallet_agreement *w, struct sealed *ret)
{
    struct agreement a;
    buf_init(&ret->ref, WALLET_REF_BYTES + 64);
    buf_init(&ret->refresh, WALLET_REF_BYTES + 64);
    enum keer_err err = agreement_get(db, /* seal */ NULL, id, &a);
    if (err != KEER_OK)
        return err;
    hash_of(seal, slice_str(a.wallet), slice_str(w->ref), &ret->hash);
    err = seal_text(seal, id, "ref", w->ref, &ret->ref);
    return err == KEER_OK ? seal_text(seal, id, "refresh", w->refresh, &ret->refresh) : err;
}

enum keer_err agreement_signed(struct db *db, const struct crypto_hash *seal, const struct id *id,
                               const struct wallet_agreement *w, int64_t now_us)
{
    struct sealed s;
    enum keer_err err = seal_all(db, seal, id, w, &s);
    if (err == KEER_OK)
        err =
            QUERY_MET(db,
                      "UPDATE agreement SET state = 2, state_us = $1, synced_us = $1, signed_us = $2, ref = $3,"
                      " refresh = $4, ref_hash = $5, payer = $6, valid_until_us = $8 WHERE id = $7 AND state = 1"
                      " RETURNING id",
                      Q_NUMBER(now_us), Q_NUMBER(w->signed_us ? w->signed_us : now_us), Q_BYTES(buf_view(&s.ref)),
                      Q_BYTES(buf_view(&s.refresh)), Q_HASH(&s.hash), Q_STR(w->user), Q_ID(id), Q_NUMBER(w->valid_until_us));
    sealed_release(&s);
    return err;
}

/* A reference that is no token is the same for ever, whatever an answer says. */
enum keer_err agreement_renewed(struct db *db, const struct crypto_hash *seal, const struct id *id,
                                const struct wallet_agreement *w, int64_t now_us)
{
    struct sealed s;
    bool tokens = w->ref[0] && w->refresh[0];
    enum keer_err err = QUERY_MET(db,
                                  "UPDATE agreement SET synced_us = $1, valid_until_us = CASE WHEN CAST($2 AS BIGINT) = 0"
                                  " THEN valid_until_us ELSE CAST($2 AS BIGINT) END WHERE id = $3 AND state IN (2, 3)"
                                  " RETURNING id",
                                  Q_NUMBER(now_us), Q_NUMBER(w->valid_until_us), Q_ID(id));
    if (err != KEER_OK || !tokens)
        return err;
    err = seal_all(db, seal, id, w, &s);
    if (err == KEER_OK)
        err = QUERY_MET(db, "UPDATE agreement SET ref = $1, refresh = $2, ref_hash = $3 WHERE id = $4 RETURNING id",
                        Q_BYTES(buf_view(&s.ref)), Q_BYTES(buf_view(&s.refresh)), Q_HASH(&s.hash), Q_ID(id));
    sealed_release(&s);
    return err;
}

enum keer_err agreement_keep_stray(struct db *db, const struct crypto_hash *seal, const struct id *id,
                                   const struct wallet_agreement *w, int64_t now_us)
{
    struct sealed s;
    enum keer_err err = seal_all(db, seal, id, w, &s);
    if (err == KEER_OK)
        err =
            QUERY_MET(db,
                      "UPDATE agreement SET state_us = $1, synced_us = 0, ref = $2, refresh = $3, ref_hash = $4"
                      " WHERE id = $5 AND state = 5 AND signed_us = 0 RETURNING id",
                      Q_NUMBER(now_us), Q_BYTES(buf_view(&s.ref)), Q_BYTES(buf_view(&s.refresh)), Q_HASH(&s.hash), Q_ID(id));
    sealed_release(&s);
    return err;
}

enum keer_err agreement_drop_stray(struct db *db, const struct id *id)
{
    return QUERY_MET(db,
                     "UPDATE agreement SET ref = $1, refresh = $1, ref_hash = $1 WHERE id = $2 AND state = 5"
                     " AND signed_us = 0 RETURNING id",
                     Q_BYTES(SLICE("")), Q_ID(id));
}

static struct slice short_why(struct slice why) { return slice_of(why.p, MIN_OF(why.len, (size_t)WALLET_WHY_BYTES)); }

enum keer_err agreement_pause(struct db *db, const struct id *id, struct slice why, int64_t now_us)
{
    return QUERY_MET(db, "UPDATE agreement SET state = 3, state_us = $1, why = $2 WHERE id = $3 AND state = 2 RETURNING id",
                     Q_NUMBER(now_us), Q_TEXT(short_why(why)), Q_ID(id));
}

enum keer_err agreement_resume(struct db *db, const struct id *id, int64_t now_us)
{
    return QUERY_MET(db, "UPDATE agreement SET state = 2, state_us = $1, why = '' WHERE id = $2 AND state = 3 RETURNING id",
                     Q_NUMBER(now_us), Q_ID(id));
}

enum keer_err agreement_end(struct db *db, const struct id *id, struct slice why, int64_t now_us, enum agreement_state *ret)
{
    struct db_stmt *s;
    enum keer_err err = QUERY_ONE(db, &s,
                                  "UPDATE agreement SET state = CASE state WHEN 0 THEN 5 ELSE 4 END, state_us = $1,"
                                  " synced_us = 0, why = $2 WHERE id = $3 AND state < 4 RETURNING state",
                                  Q_NUMBER(now_us), Q_TEXT(short_why(why)), Q_ID(id));
    if (err != KEER_OK)
        return err;
    *ret = (enum agreement_state)db_i64(s, 0);
    db_free(s);
    return KEER_OK;
}

enum keer_err agreement_lapse(struct db *db, const struct id *id, int64_t since_us, int64_t now_us)
{
    return QUERY_MET(db,
                     "UPDATE agreement SET state = 5, state_us = $1, why = 'lapsed' WHERE id = $2 AND state = 0"
                     " AND state_us <= $3 RETURNING id",
                     Q_NUMBER(now_us), Q_ID(id), Q_NUMBER(since_us));
}

/* What was said when it was ended here stays. */
enum keer_err agreement_ended(struct db *db, const struct id *id, bool by_wallet, struct slice why, int64_t now_us)
{
    return QUERY_MET(
        db,
        "UPDATE agreement SET why = CASE state WHEN 4 THEN why ELSE $1 END,"
        " by_wallet = CASE state WHEN 4 THEN 0 ELSE CAST($2 AS BIGINT) END, state = 5, state_us = $3, synced_us = $3"
        " WHERE id = $4 AND state IN (1, 2, 3, 4) RETURNING id",
        Q_TEXT(short_why(why)), Q_NUMBER(by_wallet), Q_NUMBER(now_us), Q_ID(id));
}

enum keer_err agreement_synced(struct db *db, const struct id *id, int64_t now_us)
{
    return QUERY_MET(db, "UPDATE agreement SET synced_us = $1 WHERE id = $2 RETURNING id", Q_NUMBER(now_us), Q_ID(id));
}

/* --- caps, and what passed without a step --- */

enum keer_err agreement_set_caps(struct db *db, const struct id *id, enum currency currency,
                                 const struct agreement_limits *was, const struct agreement_limits *to, int64_t now_us)
{
    struct agreement a;
    enum keer_err err = agreement_check(currency, &to->caps, to->unverified_limit_minor);
    if (err == KEER_OK)
        err = agreement_get(db, /* seal */ NULL, id, &a);
    if (err == KEER_OK && !allowed(&a, &was->caps, &to->caps))
        err = KEER_ERANGE;
    if (err != KEER_OK)
        return err;
    return QUERY_MET(db,
                     "UPDATE agreement SET cap_charge = $1, cap_day = $2, cap_month = $3, cap_count = $4,"
                     " unverified_limit = $5, raised_us = CASE WHEN CAST($13 AS BIGINT) = 0 THEN raised_us ELSE CAST($13 AS "
                     "BIGINT) END WHERE id = $6 AND currency = $7 AND state < 4 AND cap_charge = $8"
                     " AND cap_day = $9 AND cap_month = $10 AND cap_count = $11 AND unverified_limit = $12 RETURNING id",
                     Q_NUMBER(to->caps.charge_minor), Q_NUMBER(to->caps.day_minor), Q_NUMBER(to->caps.month_minor),
                     Q_NUMBER(to->caps.day_count), Q_NUMBER(to->unverified_limit_minor), Q_ID(id),
                     Q_STR(currency_code(currency)), Q_NUMBER(was->caps.charge_minor), Q_NUMBER(was->caps.day_minor),
                     Q_NUMBER(was->caps.month_minor), Q_NUMBER(was->caps.day_count), Q_NUMBER(was->unverified_limit_minor),
                     Q_NUMBER(raises(was, to) ? now_us : 0));
}

enum keer_err agreement_spend_unverified(struct db *db, const struct id *id, int64_t amount_minor)
{
    struct agreement a;
    enum keer_err err = agreement_get(db, /* seal */ NULL, id, &a);
    if (err != KEER_OK)
        return err;
    if (!agreement_passes_unverified(&a, amount_minor)) /* what a charge may be, which is not in the row */
        return KEER_EMISSING;
    return QUERY_MET(db,
                     "UPDATE agreement SET unverified_used = unverified_used + $1 WHERE id = $2 AND state = 2"
                     " AND unverified_used + $1 <= unverified_limit RETURNING id",
                     Q_NUMBER(amount_minor), Q_ID(id));
}

enum keer_err agreement_verified(struct db *db, const struct id *id, int64_t now_us)
{
    return QUERY_MET(db,
                     "UPDATE agreement SET verified_us = $1, unverified_used = 0 WHERE id = $2 AND state = 2"
                     " RETURNING id",
                     Q_NUMBER(now_us), Q_ID(id));
}
