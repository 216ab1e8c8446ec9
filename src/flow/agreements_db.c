/* agreements_db.c - what becomes of agreements in one transaction: what a wallet says, an end, limits lower and higher. */
#include "base/num.h"
#include "flow/agreements.h"
#include "wallet/charge.h"

static enum keer_err tell(struct db *db, const struct crypto_hash *key, enum notice_kind kind, const struct agreement *a,
                          int64_t now_us)
{
    unsigned count;
    return notice_add(
        db, key, &(struct notice_new){.account = a->account, .kind = kind, .about = a->id, .what = slice_str(a->wallet)},
        now_us, &count);
}

/* --- what a wallet says --- */

static enum keer_err take_signed(struct db *db, const struct crypto_hash *key, const struct wallet_agreement *said,
                                 int64_t now_us, struct agreement *a, enum agreements_taken *ret)
{
    enum keer_err err = agreement_signed(db, key, &a->id, said, now_us);
    if (err == KEER_OK)
        err = guard_wallet_linked(db, &a->account, id_slice(&a->id), now_us);
    if (err == KEER_OK)
        err = tell(db, key, NOTICE_WALLET_LINKED, a, now_us);
    if (err == KEER_OK)
        *ret = AGREEMENTS_SIGNED;
    return err;
}

static enum keer_err take_ended(struct db *db, const struct crypto_hash *key, bool by_wallet, const char *why,
                                int64_t now_us, struct agreement *a, enum agreements_taken *ret)
{
    enum keer_err err = agreement_ended(db, &a->id, by_wallet, slice_str(why), now_us);
    if (err == KEER_OK)
        err = guard_wallet_unlinked(db, &a->account, id_slice(&a->id));
    /* Who ended it here was told then; of what was never signed nobody knew. */
    if (err == KEER_OK && (a->state == AGREEMENT_ACTIVE || a->state == AGREEMENT_PAUSED))
        err = tell(db, key, NOTICE_WALLET_ENDED, a, now_us);
    if (err == KEER_OK)
        *ret = AGREEMENTS_ENDED;
    return err;
}

/* Signed at the wallet. */
static enum keer_err take_normal(struct db *db, const struct crypto_hash *key, const struct wallet_agreement *said,
                                 int64_t now_us, struct agreement *a, enum agreements_taken *ret)
{
    enum keer_err err = KEER_OK;
    switch (a->state) {
    case AGREEMENT_SIGNING: return take_signed(db, key, said, now_us, a, ret);
    case AGREEMENT_ACTIVE:
    case AGREEMENT_PAUSED: return agreement_renewed(db, key, &a->id, said, now_us);
    case AGREEMENT_ENDED:
        err = agreement_keep_stray(db, key, &a->id, said, now_us); /* not the signature that it once had */
        if (err == KEER_OK)
            *ret = AGREEMENTS_STRAY;
        return err == KEER_EMISSING ? KEER_OK : err;
    case AGREEMENT_STEP: /* the wallet was never told its number */ *ret = AGREEMENTS_NOT_OURS; return KEER_OK;
    case AGREEMENT_ENDING: /* the timer is at it */
    case AGREEMENT_STATE_MAX: break;
    }
    return KEER_OK;
}

/* Ended at the wallet, or it knows of none. */
static enum keer_err take_stopped(struct db *db, const struct crypto_hash *key, enum wallet_agreement_state said,
                                  int64_t now_us, struct agreement *a, enum agreements_taken *ret)
{
    switch (a->state) {
    case AGREEMENT_SIGNING:
        return said == WALLET_AGREEMENT_STOPPED
                   ? take_ended(db, key, /* by_wallet */ true, "not signed at the wallet", now_us, a, ret)
                   : KEER_OK;
    case AGREEMENT_ACTIVE:
    case AGREEMENT_PAUSED:
        return said == WALLET_AGREEMENT_TEMP
                   ? KEER_OK
                   : take_ended(db, key, /* by_wallet */ true, "ended at the wallet", now_us, a, ret);
    case AGREEMENT_ENDING: return take_ended(db, key, /* by_wallet */ false, "", now_us, a, ret);
    case AGREEMENT_STEP:
    case AGREEMENT_ENDED:
    case AGREEMENT_STATE_MAX: break;
    }
    return KEER_OK;
}

enum keer_err agreements_take(struct db *db, const struct crypto_hash *key, const struct wallet_agreement *said,
                              int64_t now_us, struct agreement *a, enum agreements_taken *ret)
{
    enum keer_err err = KEER_EINVALID;
    *ret = AGREEMENTS_NOTHING_NEW;
    switch (said->state) {
    case WALLET_AGREEMENT_NORMAL: err = take_normal(db, key, said, now_us, a, ret); break;
    case WALLET_AGREEMENT_NONE:
    case WALLET_AGREEMENT_TEMP:
    case WALLET_AGREEMENT_STOPPED: err = take_stopped(db, key, said->state, now_us, a, ret); break;
    case WALLET_AGREEMENT_STATE_MAX: break;
    }
    return err == KEER_OK ? agreement_get(db, key, &a->id, a) : err;
}

/* --- an end here --- */

enum keer_err agreements_close(struct db *db, const struct crypto_hash *key, struct slice why, int64_t now_us,
                               struct agreement *a)
{
    enum agreement_state state, was = a->state;
    enum keer_err err = agreement_end(db, &a->id, why, now_us, &state);
    if (err == KEER_OK && was == AGREEMENT_STEP && id_is(&a->challenge)) {
        err = challenge_refuse(db, &a->challenge, SLICE("cancelled"), now_us);
        err = err == KEER_EMISSING ? KEER_OK : err;
    }
    if (err == KEER_OK && (was == AGREEMENT_ACTIVE || was == AGREEMENT_PAUSED))
        err = tell(db, key, NOTICE_WALLET_ENDED, a, now_us);
    return err == KEER_OK ? agreement_get(db, key, &a->id, a) : err;
}

enum keer_err agreements_wallet_end(struct db *db, const struct id *account, const struct id *agreement, int64_t now_us)
{
    struct agreement a;
    enum agreement_state state;
    enum keer_err err = agreement_get(db, /* seal */ NULL, agreement, &a);
    if (err == KEER_OK && !id_eq(&a.account, account))
        err = KEER_EMISSING;
    return err == KEER_OK ? agreement_end(db, agreement, SLICE("the person said that it was not him"), now_us, &state) : err;
}

#define NOT_HIM SLICE("the person said that a charge was not him")

enum keer_err agreements_wallet_charge(struct db *db, const struct id *account, const struct id *charge, int64_t now_us,
                                       char ret_event[LIMIT_NAME_BYTES + 1])
{
    struct charge c;
    char event[CHARGE_EVENT_BYTES + 1];
    enum keer_err err = charge_read(db, charge, &c);
    if (err == KEER_OK && !id_eq(&c.payer, account))
        err = KEER_EMISSING;
    if (err != KEER_OK)
        return err;
    charge_event_id(charge, event);
    (void)snprintf(ret_event, LIMIT_NAME_BYTES + 1, "%s", event);
    err = agreement_pause(db, &c.agreement, NOT_HIM, now_us);
    return err == KEER_EMISSING ? KEER_OK : err; /* it is paused, or over */
}

/* --- limits --- */

static struct agreement_limits limits_of(const struct agreement *a)
{
    return (struct agreement_limits){a->caps, a->unverified_limit_minor};
}
static struct agreement_limits limits_min(const struct agreement_limits *a, const struct agreement_limits *b)
{
    return (struct agreement_limits){agreement_caps_min(&a->caps, &b->caps),
                                     MIN_OF(a->unverified_limit_minor, b->unverified_limit_minor)};
}
static bool limits_eq(const struct agreement_limits *a, const struct agreement_limits *b)
{
    return agreement_caps_eq(&a->caps, &b->caps) && a->unverified_limit_minor == b->unverified_limit_minor;
}

static void stay(int64_t *v, int64_t now)
{
    if (*v < 0)
        *v = now;
}

enum keer_err agreements_lower(struct db *db, const struct agreement_limits *to, struct agreement *a,
                               struct agreement_limits *ret_to, bool *ret_lowered, bool *ret_raises)
{
    struct agreement_limits now = limits_of(a), want = *to;
    stay(&want.caps.charge_minor, now.caps.charge_minor);
    stay(&want.caps.day_minor, now.caps.day_minor);
    stay(&want.caps.month_minor, now.caps.month_minor);
    stay(&want.caps.day_count, now.caps.day_count);
    stay(&want.unverified_limit_minor, now.unverified_limit_minor);
    struct agreement_limits low = limits_min(&now, &want);
    enum keer_err err = agreement_check(a->currency, &want.caps, want.unverified_limit_minor);
    if (err == KEER_OK && a->state != AGREEMENT_SIGNING && a->state != AGREEMENT_ACTIVE && a->state != AGREEMENT_PAUSED)
        err = KEER_EMISSING; /* in STEP they are what the challenge shows */
    if (err == KEER_OK && agreement_pace(a, &want, /* now_us */ 0) == AGREEMENT_PACE_NEVER)
        err = KEER_EFULL;
    bool lower = !limits_eq(&low, &now);
    if (err == KEER_OK && lower)
        err = agreement_set_caps(db, &a->id, a->currency, &now, &low, /* raises nothing */ 0);
    if (err != KEER_OK)
        return err;
    *ret_to = want;
    *ret_lowered = lower;
    *ret_raises = !limits_eq(&low, &want);
    return agreement_get(db, /* seal */ NULL, &a->id, a);
}

/* --- raising: what the guard keeps of it, and what it does with that --- */

/* "caps ID" and five numbers as it was, five as it shall be; "resume ID". */
#define NUMBERS 10

static void numbers_of(const struct agreement_limits *l, int64_t ret[NUMBERS / 2])
{
    ret[0] = l->caps.charge_minor;
    ret[1] = l->caps.day_minor;
    ret[2] = l->caps.month_minor;
    ret[3] = l->caps.day_count;
    ret[4] = l->unverified_limit_minor;
}
static struct agreement_limits limits_from(const int64_t n[NUMBERS / 2])
{
    return (struct agreement_limits){{n[0], n[1], n[2], n[3]}, n[4]};
}

static void print_limits(struct buf *b, const struct agreement_limits *l)
{
    int64_t n[NUMBERS / 2];
    numbers_of(l, n);
    for (unsigned i = 0; i < NUMBERS / 2; i++)
        buf_fmt(b, " %lld", (long long)n[i]);
}

static void copy_out(struct buf *b, char *room, size_t size)
{
    ASSERT(b->err == KEER_OK && b->len < size);
    memcpy(room, b->p, b->len + 1);
    buf_release(b);
}

void agreements_limit_data(const struct agreement *a, const struct agreement_limits *to, char ret_data[GUARD_DATA_BYTES + 1],
                           char ret_detail[CHALLENGE_TEXT_BYTES + 1])
{
    char charge[CURRENCY_TEXT_BYTES], day[CURRENCY_TEXT_BYTES], month[CURRENCY_TEXT_BYTES], free[CURRENCY_TEXT_BYTES];
    struct agreement_limits now = limits_of(a);
    struct buf b;
    buf_init(&b, GUARD_DATA_BYTES);
    buf_fmt(&b, "caps %s", a->id.text);
    print_limits(&b, &now);
    print_limits(&b, to);
    copy_out(&b, ret_data, GUARD_DATA_BYTES + 1);
    (void)snprintf(ret_detail, CHALLENGE_TEXT_BYTES + 1, "%s: %s / %s / %s %s, %lldx, %s", a->wallet,
                   currency_print(to->caps.charge_minor, a->currency, charge),
                   currency_print(to->caps.day_minor, a->currency, day),
                   currency_print(to->caps.month_minor, a->currency, month), currency_code(a->currency),
                   (long long)to->caps.day_count, currency_print(to->unverified_limit_minor, a->currency, free));
}

void agreements_resume_data(const struct agreement *a, char ret_data[GUARD_DATA_BYTES + 1],
                            char ret_detail[CHALLENGE_TEXT_BYTES + 1])
{
    (void)snprintf(ret_data, GUARD_DATA_BYTES + 1, "resume %s", a->id.text);
    (void)snprintf(ret_detail, CHALLENGE_TEXT_BYTES + 1, "%s: active", a->wallet);
}

/* The next word of a text, which it leaves behind. */
static struct slice word(struct slice *rest)
{
    const char *space = rest->len ? memchr(rest->p, ' ', rest->len) : NULL;
    size_t len = space ? (size_t)(space - rest->p) : rest->len;
    struct slice w = slice_of(rest->p, len);
    rest->p += MIN_OF(len + 1, rest->len);
    rest->len -= MIN_OF(len + 1, rest->len);
    return w;
}

struct raise {
    bool resume;
    struct id id;
    struct agreement_limits was, to;
};
static enum keer_err read_raise(struct slice data, struct raise *ret)
{
    int64_t n[NUMBERS] = {0};
    struct slice kind = word(&data);
    ret->resume = slice_eq(kind, SLICE("resume"));
    enum keer_err err = ret->resume || slice_eq(kind, SLICE("caps")) ? id_parse(word(&data), &ret->id) : KEER_EFORMAT;
    for (unsigned i = 0; !ret->resume && err == KEER_OK && i < NUMBERS; i++)
        err = num_i64(word(&data), 0, NUM_EXACT_MAX, &n[i]);
    ret->was = limits_from(n);
    ret->to = limits_from(n + NUMBERS / 2);
    return err;
}

/* Back to what it was before, and never above what it is: what was lowered since stays low. */
static enum keer_err undo(struct db *db, const struct raise *r, const struct agreement *a, int64_t now_us)
{
    if (r->resume)
        return agreement_pause(db, &a->id, SLICE("the person said that resuming was not him"), now_us);
    struct agreement_limits now = limits_of(a), low = limits_min(&now, &r->was);
    return agreement_set_caps(db, &a->id, a->currency, &now, &low, now_us);
}

enum keer_err agreements_wallet_waits(struct db *db, const struct id *account, struct slice data, int64_t now_us, bool *ret)
{
    struct raise r;
    struct agreement a;
    enum keer_err err = read_raise(data, &r);
    if (err == KEER_OK)
        err = agreement_get(db, /* seal */ NULL, &r.id, &a);
    if (err == KEER_OK && !id_eq(&a.account, account))
        err = KEER_EMISSING;
    if (err != KEER_OK)
        return err;
    switch (r.resume ? AGREEMENT_PACE_NOW : agreement_pace(&a, &r.to, now_us)) {
    case AGREEMENT_PACE_LOWER:
    case AGREEMENT_PACE_NOW: *ret = false; return KEER_OK;
    case AGREEMENT_PACE_WAITS: *ret = true; return KEER_OK;
    case AGREEMENT_PACE_NEVER: break;
    }
    return KEER_ERANGE;
}

/* Raised from what was shown to what was shown, or not at all. */
enum keer_err agreements_wallet_limit(struct db *db, const struct id *account, struct slice data, bool raise,
                                      char was[GUARD_DATA_BYTES + 1], int64_t now_us)
{
    struct raise r;
    struct agreement a;
    enum keer_err err = read_raise(raise ? data : slice_str(was), &r);
    if (err == KEER_OK)
        err = agreement_get(db, /* seal */ NULL, &r.id, &a);
    if (err == KEER_OK && !id_eq(&a.account, account))
        err = KEER_EMISSING;
    if (err != KEER_OK)
        return err;
    if (!raise)
        return undo(db, &r, &a, now_us);
    err = r.resume ? agreement_resume(db, &a.id, now_us) : agreement_set_caps(db, &a.id, a.currency, &r.was, &r.to, now_us);
    err = err == KEER_ERANGE ? KEER_EINVALID : err; /* less is allowed than when it was asked for */
    if (err == KEER_OK)
        (void)snprintf(was, GUARD_DATA_BYTES + 1, "%.*s", (int)data.len, data.p);
    return err;
}

/* --- what linking shows --- */

struct challenge_data agreements_challenge(const struct agreement *a, struct slice store, struct agreements_shown *room)
{
    (void)snprintf(room->count, sizeof room->count, "%lld", (long long)a->caps.day_count);
    return (struct challenge_data){
        .kind = CHALLENGE_LINK,
        .currency = CUR_MAX,
        .wallet = slice_str(a->wallet),
        .agreement = slice_str(a->reference),
        .store = store,
        .caps = {.charge = slice_str(currency_print(a->caps.charge_minor, a->currency, room->charge)),
                 .day = slice_str(currency_print(a->caps.day_minor, a->currency, room->day)),
                 .month = slice_str(currency_print(a->caps.month_minor, a->currency, room->month)),
                 .count = slice_str(room->count),
                 .currency = slice_str(currency_code(a->currency)),
                 .unverified = slice_str(currency_print(a->unverified_limit_minor, a->currency, room->unverified))}};
}
