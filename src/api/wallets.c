/* wallets.c - what the files of linked wallets share. */
#include "api/wallets.h"

#include "api/money.h"
#include "base/timefmt.h"

const struct agreements *wallets_on(struct http_exchange *x)
{
    const struct api *a = x->ctx;
    if (!a->agreements)
        http_problem(x, HTTP_WALLETS_OFF, "%s", "");
    return a->agreements;
}

/* --- answers --- */

void wallets_put_caps(struct buf *b, const char *name, const struct agreement_caps *caps, enum currency currency)
{
    char charge[CURRENCY_TEXT_BYTES];
    buf_fmt(b, ",\"%s\":{\"charge\":\"%s\"", name, currency_print(caps->charge_minor, currency, charge));
    money_put(b, "day", caps->day_minor, currency);
    money_put(b, "month", caps->month_minor, currency);
    buf_fmt(b, ",\"count\":%lld}", (long long)caps->day_count);
}

void wallets_put_agreement(struct buf *b, const struct agreement *a)
{
    buf_fmt(b, "\"id\":\"%s\"", a->id.text);
    money_put_text(b, "reference", a->reference);
    buf_fmt(b, ",\"account\":\"%s\",\"state\":\"%s\"", a->account.text, agreement_state_name(a->state));
    money_put_text(b, "wallet", a->wallet);
    money_put_text(b, "payer", a->user);
    buf_fmt(b, ",\"currency\":\"%s\"", currency_code(a->currency));
    wallets_put_caps(b, "caps", &a->caps, a->currency);
    if (a->has_ceiling)
        wallets_put_caps(b, "ceiling", &a->ceiling, a->currency);
    money_put(b, "unverified_spend_limit", a->unverified_limit_minor, a->currency);
    money_put(b, "unverified_used", a->unverified_used_minor, a->currency);
    step_put_time(b, "created", a->created_us);
    step_put_time(b, "since", a->state_us);
    step_put_time(b, "signed", a->signed_us);
    step_put_time(b, "verified", a->verified_us);
    step_put_time(b, "synced", a->synced_us);
    money_put_text(b, "why", a->why);
    buf_fmt(b, ",\"by_wallet\":%s", a->by_wallet ? "true" : "false");
}

/* --- bodies --- */

static bool read_money(const struct api_body *b, uint32_t object, const char *name, enum currency currency, int64_t *ret)
{
    uint32_t i = tape_find(&b->tape, object, name);
    enum keer_err err = KEER_ETYPE;
    if (i == TAPE_NONE)
        return true;
    if (tape_type(&b->tape, i) == TAPE_INTEGER)
        err = num_i64(tape_text(&b->tape, i), 0, NUM_EXACT_MAX - 1, ret);
    else if (tape_type(&b->tape, i) == TAPE_STRING)
        err = num_scaled(tape_text(&b->tape, i), currency_exponent(currency), ret);
    return err == KEER_OK && *ret >= 0;
}

bool wallets_read_limits(struct http_exchange *x, const struct api_body *b, enum currency currency,
                         struct agreement_limits *ret, bool *ret_caps)
{
    static const char *const known[] = {"charge", "day", "month", "count"};
    uint32_t caps = TAPE_NONE;
    *ret = (struct agreement_limits){{-1, -1, -1, -1}, -1};
    if (!api_body_object(x, b, "caps", &caps))
        return false;
    *ret_caps = caps != TAPE_NONE;
    bool good = true;
    for (uint32_t i = caps + 1; caps != TAPE_NONE && i < b->tape.v[caps].next; i = b->tape.v[i + 1].next) {
        bool among = false;
        for (size_t k = 0; k < ARRAY_LEN(known); k++)
            among = among || slice_eq(tape_text(&b->tape, i), slice_str(known[k]));
        good = good && among;
    }
    if (caps != TAPE_NONE) {
        uint32_t count = tape_find(&b->tape, caps, "count");
        good = good && read_money(b, caps, "charge", currency, &ret->caps.charge_minor) &&
               read_money(b, caps, "day", currency, &ret->caps.day_minor) &&
               read_money(b, caps, "month", currency, &ret->caps.month_minor) &&
               (count == TAPE_NONE ||
                (tape_type(&b->tape, count) == TAPE_INTEGER &&
                 num_i64(tape_text(&b->tape, count), 0, AGREEMENT_COUNT_MAX, &ret->caps.day_count) == KEER_OK));
    }
    if (!good)
        http_problem(x, HTTP_BAD_BODY,
                     "caps: {charge, day, month, count}: amounts in minor units or texts as \"700.00\", and charges a day, "
                     "0 to %d",
                     AGREEMENT_COUNT_MAX);
    else if (!read_money(b, 0, "unverified_spend_limit", currency, &ret->unverified_limit_minor)) {
        http_problem(x, HTTP_BAD_BODY, "unverified_spend_limit: minor units, or a text as \"100.00\"");
        good = false;
    }
    return good;
}

/* --- problems --- */

static void caps_problem(struct http_exchange *x, const struct agreements_answer *a)
{
    int64_t charge, sum;
    char sum_text[CURRENCY_TEXT_BYTES];
    enum currency c = a->agreement.currency;
    if (agreement_unverified_max(c, &charge, &sum))
        http_problem(x, HTTP_BAD_BODY,
                     "caps: a charge is at most a day's, a day's at most a month's; unverified_spend_limit: at most %s %s",
                     currency_print(sum, c, sum_text), currency_code(c));
    else
        http_problem(x, HTTP_BAD_BODY,
                     "caps: a charge is at most a day's, a day's at most a month's; unverified_spend_limit: 0 in %s",
                     currency_code(c));
}

static void ceiling_problem(struct http_exchange *x, const struct agreement *a)
{
    char charge[CURRENCY_TEXT_BYTES], day[CURRENCY_TEXT_BYTES], month[CURRENCY_TEXT_BYTES];
    if (!a->has_ceiling)
        http_problem(x, HTTP_BAD_BODY, "caps: in %s they are not raised", currency_code(a->currency));
    else
        http_problem(x, HTTP_BAD_BODY,
                     "caps: of this account at most %s a charge, %s a day, %s a month in %s, and %lld charges a day; an "
                     "administrator lifts that (/v1/accounts/{id}/ceiling)",
                     currency_print(a->ceiling.charge_minor, a->currency, charge),
                     currency_print(a->ceiling.day_minor, a->currency, day),
                     currency_print(a->ceiling.month_minor, a->currency, month), currency_code(a->currency),
                     (long long)a->ceiling.day_count);
}

bool wallets_problem(struct http_exchange *x, enum keer_err err, const struct agreements_answer *a)
{
    const struct agreement *g = &a->agreement;
    if (err == KEER_EFORMAT || err == KEER_ELIMIT) {
        http_problem(x, HTTP_BAD_BODY, "subject or another text can't be taken");
        return true;
    }
    if (err != KEER_OK) {
        visit_failed(x, err);
        return true;
    }
    switch (a->outcome) {
    case AGREEMENTS_OK:
    case AGREEMENTS_PERSON:
    case AGREEMENTS_GUARD: return false;
    case AGREEMENTS_MISSING: http_problem(x, HTTP_NOT_FOUND, "no agreement of this id that this caller may see"); break;
    case AGREEMENTS_NO_WALLET:
        http_problem(x, HTTP_BAD_BODY, "wallet: this daemon has none of this name (--wallets)");
        break;
    case AGREEMENTS_NO_ACCOUNT: http_problem(x, HTTP_BAD_BODY, "account: there is none of this id"); break;
    case AGREEMENTS_ENROL_FIRST: http_problem(x, HTTP_ENROL_FIRST, "%s", ""); break;
    case AGREEMENTS_HELD: http_problem(x, HTTP_WALLETS_HELD, "%s", a->hold.why ? a->hold.why : ""); break;
    case AGREEMENTS_REUSED:
        http_problem(x, HTTP_KEY_REUSED, "the agreement of this id has another account, wallet, currency or return_url");
        break;
    case AGREEMENTS_NO_CAPS:
        http_problem(x, HTTP_BAD_BODY, "caps: this currency has no default ones, so that all four must be given");
        break;
    case AGREEMENTS_BAD_CAPS: caps_problem(x, a); break;
    case AGREEMENTS_CEILING: ceiling_problem(x, g); break;
    case AGREEMENTS_FULL: http_problem(x, HTTP_TOO_MANY, "%d agreements of an account at most", AGREEMENTS_MAX); break;
    case AGREEMENTS_DENIED: http_problem(x, HTTP_DENIED, "%s", ""); break;
    case AGREEMENTS_STEP: http_problem(x, HTTP_STEP_WAITS, "challenge %s is not done", a->challenge.text); break;
    case AGREEMENTS_STATE: http_problem(x, HTTP_AGREEMENT_STATE, "it is %s", agreement_state_name(g->state)); break;
    case AGREEMENTS_REFUSED: http_problem(x, HTTP_WALLET_REFUSED, "%s %s", a->why.code, a->why.text); break;
    case AGREEMENTS_UNKNOWN: http_problem(x, HTTP_WALLET_SILENT, "%s", wallet_reason_text(a->why.reason)); break;
    }
    return true;
}
