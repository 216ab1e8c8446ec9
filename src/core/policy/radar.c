/* radar.c - names of Stripe Radar's rule language, so that rules can be brought over: rows of radar.def, and families made
 * of parts. */
#include "core/policy/policy.h"

static const struct {
    const char *name, *expression, *why;
} rows[] = {
#define RADAR(name, expression) {#name, expression, NULL},
#define RADAR_NONE(name, why) {#name, NULL, why},
#include "core/policy/radar.def"
#undef RADAR
#undef RADAR_NONE
};

struct word {
    const char *radar, *ours;
};
static const struct word keys[] = {{"card_number", "card"}, {"card", "card"},     {"customer", "account"},
                                   {"email", "email"},      {"ip_address", "ip"}, {"ip", "ip"}};
static const struct word periods[] = {
    {"hourly", " over 1h"}, {"daily", " over 1d"}, {"weekly", " over 7d"}, {"yearly", " over 365d"}, {"all_time", ""}};

static const char *word_of(const struct word *words, size_t n, struct slice s)
{
    for (size_t i = 0; i < n; i++)
        if (slice_eq(s, slice_str(words[i].radar)))
            return words[i].ours;
    return NULL;
}

static bool strip_prefix(struct slice *s, const char *prefix)
{
    size_t n = strlen(prefix);
    if (s->len < n || memcmp(s->p, prefix, n) != 0)
        return false;
    s->p += n;
    s->len -= n;
    return true;
}

/* "KEY_PERIOD" to "by key over ..."; all time becomes 5 years where a window needs an end, as in Radar. */
static bool key_and_period(struct slice s, bool bounded, struct buf *out)
{
    for (size_t i = 0; i < ARRAY_LEN(periods); i++) {
        size_t n = strlen(periods[i].radar);
        if (s.len <= n + 1 || memcmp(s.p + s.len - n, periods[i].radar, n) != 0 || s.p[s.len - n - 1] != '_')
            continue;
        const char *key = word_of(keys, ARRAY_LEN(keys), slice_of(s.p, s.len - n - 1));
        if (!key)
            return false;
        buf_fmt(out, " by %s%s", key, bounded && !periods[i].ours[0] ? " over 1826d" : periods[i].ours);
        return true;
    }
    return false;
}

static bool family(struct slice s, struct buf *out, const char **ret_why)
{
    static const struct {
        const char *prefix, *window;
        bool bounded;
    } families[] = {
        {"total_charges_per_", "count(purchase)", false},
        {"authorized_charges_per_", "count(purchase where outcome = 'success')", false},
        {"declined_charges_per_", "count(purchase where outcome = 'failure')", false},
        {"blocked_charges_per_", "count(purchase where outcome = 'blocked')", false},
        {"card_count_for_", "distinct(card of purchase)", true},
        {"email_count_for_", "distinct(email of purchase)", true},
        {"total_customers_for_", "distinct(account of purchase)", true},
        {"total_customers_with_prior_fraud_activity_for_", "distinct(account of purchase where fraud)", true},
        {"dispute_count_on_", "count(chargeback)", false},
        {"efw_count_on_", "count(fraud_reported)", false},
        {"refund_count_on_", "count(refund_decided)", false},
        {"total_usd_amount_charged_on_", "sum(amount of purchase in USD)", false},
        {"total_usd_amount_successful_on_", "sum(amount of purchase in USD where outcome = 'success')", false},
        {"total_usd_amount_failed_on_", "sum(amount of purchase in USD where outcome = 'failure')", false},
        {"average_usd_amount_attempted_on_", "mean(amount of purchase in USD)", false},
        {"average_usd_amount_successful_on_", "mean(amount of purchase in USD where outcome = 'success')", false},
    };
    struct slice rest = s;
    if (strip_prefix(&rest, "amount_in_") && rest.len == 3 && currency_parse(rest) != CUR_MAX) {
        buf_fmt(out, "major(amount in %s)", currency_code(currency_parse(rest)));
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        rest = s;
        if (!strip_prefix(&rest, families[i].prefix))
            continue;
        size_t mark = out->len;
        bool money = strstr(families[i].window, " in USD") != NULL;
        buf_puts(out, money ? "major(" : "(");
        buf_puts(out, families[i].window);
        if (key_and_period(rest, families[i].bounded, out)) {
            buf_char(out, ')');
            return true;
        }
        out->len = mark;
        *ret_why = "charges are counted by card, customer, email and ip here";
    }
    static const struct {
        const char *part, *why;
    } absent[] = {{"shipping_address", "postal addresses are not part of an event"},
                  {"billing_address", "postal addresses are not part of an event"},
                  {"distance_between", "distances are not computed"}};
    for (size_t i = 0; i < ARRAY_LEN(absent); i++)
        if (slice_has(s, slice_str(absent[i].part)))
            *ret_why = absent[i].why;
    return false;
}

bool radar_expression(struct slice name, struct buf *out, const char **ret_why)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (!slice_eq(name, slice_str(rows[i].name)))
            continue;
        if (rows[i].expression)
            buf_puts(out, rows[i].expression);
        *ret_why = rows[i].why;
        return rows[i].expression != NULL;
    }
    *ret_why = NULL;
    return family(name, out, ret_why);
}
