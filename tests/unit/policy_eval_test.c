/* policy_eval_test.c - what a policy computes: aggregates with values worked out by hand, functions, missing values, the
 * order of rules, money, texts, lists, labels, and ten thousands of random expressions against a plain evaluator of the
 * tree. */
#include "lib/policy_kit.h"
#include "lib/policy_random.h"

/* --- aggregates: one history, values by hand --- */

static const char history[] = "0 purchase account=a amount=10.00EUR device=d1 units=1 vip=true\n"
                              "1h purchase account=a amount=20.00EUR device=d2 units=2 vip=false\n"
                              "90m purchase account=b amount=99.00EUR device=d1 units=7\n"
                              "2h purchase account=a amount=60.00EUR device=d1 units=4.5 ip=10.0.0.1\n"
                              "3h sign_in account=a outcome=failure\n"
                              "4h purchase account=a amount=30.00EUR device=d3 units=9";
#define HEAD "attribute units number attribute vip boolean"

static const struct {
    const char *expression;
    double want;
} aggregate_values[] = {
    {"count(purchase) by account", 3},
    {"count(purchase, sign_in) by account", 4},
    {"count(any) by account", 4},
    {"count(any) by account over 2h", 1}, /* what is exactly 2h old is out */
    {"count(purchase) by account over 121m", 1},
    {"count(purchase) by account over 2h", 0},
    {"count(purchase) by account including this", 4},
    {"count(purchase) by account over 2h delayed 1h", 1}, /* between 3 and 1 hours ago */
    {"count(purchase) by account over 1h delayed 2h", 1}, /* what is exactly the delay old is in */
    {"count(purchase) by account delayed 3h", 2},
    {"count(purchase where amount > 15 EUR) by account", 2},
    {"count(purchase where vip) by account", 1},
    {"count(purchase where not vip) by account", 1},
    {"count(purchase where is_missing(vip)) by account", 1},
    {"count(purchase) by terminal", NAN},      /* this event has no terminal */
    {"count(purchase) by account, device", 0}, /* the pair a, d3 is new */
    {"count(sign_in where outcome = 'FAILURE') by account", 1},
    {"sum(amount of purchase) by account", 9000},
    {"sum(amount of purchase) by account over 30m", 0},
    {"sum(amount) by account including this", 12000},
    {"sum(units of purchase) by account", 7.5},
    {"mean(amount of purchase) by account", 3000},
    {"avg(units of purchase) by account", 2.5},
    {"mean(amount of purchase) by account over 30m", NAN},
    {"stddev(amount of purchase) by account", 2645.7513110645905}, /* sqrt((20^2 + 10^2 + 30^2) / 2) euros */
    {"stddev(amount of purchase) by account over 121m", NAN},
    {"min(amount of purchase) by account", 1000},
    {"max(units of purchase) by account over 1d", 4.5},
    {"distinct(device of purchase) by account over 1d", 2},
    {"distinct(device of purchase) by account over 1d including this", 3},
    {"distinct(units of purchase) by account over 121m", 1},
    {"distinct(account of purchase) by device over 1d", 0},
    {"first(amount of purchase) by account", 1000},
    {"first(amount of purchase) by account over 3h", 6000},
    {"last(amount of purchase) by account", 6000},
    {"last(units of purchase) by account including this", 9},
    {"last(vip of purchase) by account", 0}, /* the newest that has one */
    {"nth(1, amount of purchase) by account over 1d", 6000},
    {"nth(2, amount of purchase) by account over 1d", 2000},
    {"nth(4, amount of purchase) by account over 1d", NAN},
    {"ewma(amount of purchase) by account over 1d half life 1h", 1812.5 / 0.4375}, /* weights 1/16, 1/8, 1/4 */
    {"share(device = 'd1' of purchase) by account", 2.0 / 3},
    {"share(device = 'd1' of purchase where amount > 15 EUR) by account", 0.5},
    {"share(device = 'd1' of sign_in) by account", 0}, /* a missing device is no match */
    {"share(vip) by account over 30m", NAN},
    {"streak(amount >= 20 EUR of purchase) by account over 1d", 2},
    {"streak(amount >= 100 EUR of purchase) by account over 1d", 0},
    {"streak(amount >= 20 EUR of purchase) by account over 30m", 0},
    {"streak_age(amount >= 20 EUR of purchase) by account over 1d", 3 * 3600},
    {"streak_age(amount >= 100 EUR of purchase) by account over 1d", NAN},
    {"ratio(amount of purchase) by account", 1},
    {"ratio(units of purchase) by account over 1d", 9 / 2.5},
    {"zscore(amount of purchase) by account", 0},
    {"zscore(units of purchase) by account", (9 - 2.5) / 1.8027756377319946},
    {"age(purchase) by account", 4 * 3600},
    {"age(sign_in) by account", 3600},
    {"age(any) by account", 4 * 3600},
    {"age(top_up) by account", NAN},
    {"age(device) by account", 0}, /* this pair is seen for the first time */
    {"age(device) by device", 0},
    {"time since(purchase) by account", 2 * 3600},
    {"time since(sign_in where outcome = 'failure') by account", 3600},
    {"time since(top_up) by account", NAN},
};

START_TEST(aggregates_by_hand)
{
    for (size_t i = 0; i < ARRAY_LEN(aggregate_values); i++)
        ck_value(HEAD, aggregate_values[i].expression, history, aggregate_values[i].want);
    /* Every row of the table was asked for. */
    const char *name, *takes, *doc;
    for (unsigned row = 0; (name = aggregate_row(row, &takes, &doc)); row++) {
        bool asked = false;
        for (size_t i = 0; i < ARRAY_LEN(aggregate_values); i++)
            asked |= strncmp(aggregate_values[i].expression, name, strlen(name)) == 0 &&
                     aggregate_values[i].expression[strlen(name)] == '(';
        ck_assert_msg(asked, "no test for the aggregate %s", name);
    }
}
END_TEST

START_TEST(texts_from_windows)
{
    ck_value("", "last(device of purchase) by account = 'd1'", history, 1);
    ck_value("", "first(device of purchase) by account = device", history, 0);
    ck_value("", "nth(2, device of purchase) by account over 1d != 'd2'", history, 0);
    ck_value("", "nth(9, device of purchase) by account over 1d != 'd2'", history, NAN);
    ck_value("", "is_missing(nth(9, device of purchase) by account over 1d)", history, 1);
    ck_value("", "last(ip of any) by account = '10.0.0.1'", history, 1);
    ck_value("", "last(ip_country of any) by account = ip_country",
             "0 sign_in account=a ip_country=nl\n1h sign_in account=a ip_country=NL", 1);
    ck_value("", "last(device of any) by account in ('D1', 'd1')", history, 1);
    ck_value("", "last(amount of purchase) by account in (59.99 EUR, 60 EUR)", history, 1);
    ck_value("", "last(amount of purchase) by account in (59.99 EUR, 61 EUR)", history, 0);
    ck_value("", "coalesce((last(device of top_up) by account), 'none') = 'none'", history, 1);
}
END_TEST

/* Numbers are remembered in millionths, and come back as they were written. */
START_TEST(numbers_come_back_as_they_were)
{
    for (unsigned i = 1; i < 200; i++) {
        char line[100], expression[120];
        (void)snprintf(expression, sizeof expression,
                       "last(units of any) by country = %u.%u and %u.%u = min(units of any) by country", i / 10, i % 10,
                       i / 10, i % 10);
        (void)snprintf(line, sizeof line, "0 purchase country=a units=%u.%u\n1h purchase country=a", i / 10, i % 10);
        ck_value(HEAD, expression, line, 1);
    }
}
END_TEST

START_TEST(keys_of_parts)
{
    ck_value(HEAD, "count(purchase) by account, device",
             "0 purchase account=a device=d\n1h purchase account=a device=e\n2h purchase account=a device=d", 1);
    ck_value(HEAD, "count(purchase) by device, account",
             "0 purchase account=a device=d\n1h purchase account=b device=d\n2h purchase account=a device=d", 1);
    ck_value(HEAD, "count(purchase) by account, units",
             "0 purchase account=a units=-0\n1h purchase account=a units=1\n2h purchase account=a units=0", 1);
    ck_value(HEAD, "count(purchase) by units", "0 purchase units=0\n1h purchase units=0.5\n2h purchase units=0", 1);
    ck_value(HEAD, "count(purchase) by vip, units",
             "0 purchase vip=true units=1\n1h purchase vip=false units=1\n2h purchase vip=true units=1", 1);
    ck_value(HEAD, "count(purchase) by account, device", "0 purchase account=a device=d\n2h purchase account=a", NAN);
    /* texts that a naive join would mix up */
    ck_value("", "count(purchase) by account, device", "0 purchase account=ab device=c\n1h purchase account=a device=bc", 0);
    ck_value("", "count(purchase) by account, device", "0 purchase account=x device=y\n1h purchase account=y device=x", 0);
    ck_value("", "count(purchase) by ip_country", "0 purchase ip_country=NL\n1h purchase ip_country=nl", 1);
    ck_value("", "age(card) by account <= 0s", "0 purchase account=a card=1\n1h purchase account=a card=2", 1);
    ck_value("", "age(card) by account <= 0s", "0 purchase account=a card=1\n1h purchase account=a card=1", 0);
}
END_TEST

/* --- labels --- */

START_TEST(labels_count_from_when_they_are_known)
{
    static const char by_event[] = "0 purchase terminal=t amount=5EUR id=x\n1h purchase terminal=t amount=50EUR\n2d "
                                   "chargeback target=x\n3d purchase terminal=t";
    ck_value("", "count(purchase where fraud) by terminal over 9d", by_event, 1);
    ck_value("", "share(fraud of purchase) by terminal over 9d", by_event, 0.5);
    ck_value("", "share(fraud and amount > 10 EUR of purchase) by terminal over 9d", by_event, 0);
    ck_value("", "share(amount < 10 EUR and fraud of purchase) by terminal over 9d", by_event, 0.5);
    ck_value("", "share(amount < 10 EUR of purchase where fraud) by terminal over 9d", by_event, 1);
    ck_value("", "share(fraud of purchase where labelled) by terminal over 9d", by_event, 1);
    ck_value("", "share(genuine of purchase where labelled) by terminal over 9d", by_event, 0);
    ck_value("", "count(purchase where not fraud) by terminal over 9d", by_event, 1);
    ck_value("", "count(purchase where labelled and amount > 1 EUR) by terminal over 9d", by_event, 1);
    ck_value("", "count(purchase where genuine) by terminal over 9d", by_event, 0);
    ck_value("", "streak(fraud of purchase) by terminal over 9d",
             "0 purchase terminal=t label=fraud@1h\n1h purchase terminal=t label=genuine@2h\n"
             "2h purchase terminal=t label=fraud@3h\n4h purchase terminal=t label=fraud@5h\n6h purchase terminal=t",
             2);
    /* known after seven days, whatever the event itself carries */
    static const char late[] = "0 purchase terminal=t label=fraud@7d\n6d purchase terminal=t";
    static const char later[] = "0 purchase terminal=t label=fraud@7d\n8d purchase terminal=t";
    ck_value("", "count(purchase where fraud) by terminal over 28d", late, 0);
    ck_value("", "count(purchase where fraud) by terminal over 28d", later, 1);
    ck_value("", "share(fraud of purchase) by terminal over 28d delayed 7d", later, 1);
    ck_value("", "share(fraud of purchase) by terminal over 28d delayed 7d", late, NAN);
    ck_value("", "days(time since(purchase where fraud) by terminal over 30d)", later, 8);
    /* a later label replaces it */
    ck_value(
        "", "count(purchase where fraud) by terminal over 9d",
        "0 purchase terminal=t id=x\n1h fraud_reported target=x\n2h label target=x label=genuine\n3h purchase terminal=t",
        0);
}
END_TEST

/* --- functions --- */

static const struct {
    const char *expression;
    double want;
} function_values[] = {
    {"is_missing(device)", 0},
    {"is_missing(card)", 1},
    {"is_missing(units / 0)", 1},
    {"is_missing(amount)", 0},
    {"is_missing('x')", 0},
    {"is_missing(vip and units > 1)", 1},
    {"coalesce(units, 3)", 9},
    {"coalesce(play_time, 3)", 3},
    {"coalesce(play_time, play_time)", NAN},
    {"coalesce(vip, true)", 1},
    {"COALESCE(card, 'none') = 'none'", 1},
    {"coalesce(amount, 0 EUR)", 3000},
    {"coalesce(age(top_up) by account, 1d)", 86400},
    {"least(units, 4)", 4},
    {"least(play_time, 4)", NAN},
    {"least(amount, 1 EUR)", 100},
    {"greatest(10m, 5m)", 600},
    {"greatest(units, 11)", 11},
    {"abs(-units)", 9},
    {"abs(1 EUR - amount)", 2900},
    {"floor(2.7)", 2},
    {"floor(-2.1)", -3},
    {"log(1)", 0},
    {"log(0)", NAN},
    {"log(-1)", NAN},
    {"sqrt(16)", 4},
    {"sqrt(-1)", NAN},
    {"sqrt(0)", 0},
    {"if(units > 3, 1, 2)", 1},
    {"if(units > 30, 1, 2)", 2},
    {"if(vip, 1, 2)", NAN},
    {"if(purchase, amount, 0 EUR)", 3000},
    {"if(purchase, 'a', 'b') = 'a'", 1},
    {"if(vip, 'a', 'b') = 'a'", NAN},
    {"if(sign_in, 'fr', ip_country) = 'NL'", 1},
    {"if(purchase, false, true)", 0},
    {"major(amount)", 30},
    {"major(12.5 EUR)", 12.5},
    {"seconds(2m)", 120},
    {"minutes(90s)", 1.5},
    {"hours(1d)", 24},
    {"days(36h)", 1.5},
    {"days(time since(purchase) by account)", 2 / 24.0},
    /* arithmetic */
    {"1 + 2 * 3", 7},
    {"(1 + 2) * 3", 9},
    {"7 - 2 - 1", 4},
    {"8 / 4 / 2", 1},
    {"-units + 1", -8},
    {"- - 2", 2},
    {"1 / 0", NAN},
    {"0 / 5", 0},
    {"units + play_time", NAN},
    {"amount * 2 + 1 EUR", 6100},
    {"2 * amount", 6000},
    {"amount / 2", 1500},
    {"amount / 10 EUR", 3},
    {"1h + 30m", 5400},
    {"2 * 1h - 1h", 3600},
    {"1d / 1h", 24},
    {"1d / 2", 43200},
    {"1e300 * 1e300 - 1e300 * 1e300", NAN},
    /* comparisons */
    {"units = 9", 1},
    {"units == 9", 1},
    {"units != 9", 0},
    {"units <> 8", 1},
    {"units < 9", 0},
    {"units <= 9", 1},
    {"units > 8.5", 1},
    {"units >= 10", 0},
    {"device = 'd3'", 1},
    {"device = 'D3'", 0},
    {"ip_country = 'nl'", 1},
    {"'Nl' = ip_country", 1},
    {"email != account", 1},
    {"purchase = true", 1},
    {"sign_in", 0},
    {"purchase && !sign_in || sign_in", 1},
    {"not purchase", 0},
    {"amount = 30 EUR", 1},
    {"amount > 29.99 EUR", 1},
    {"email like '%@Example.com'", 1},
    {"email like 'x_@%'", 0},
    {"device like 'd_'", 1},
    {"device like 'D%'", 0},
    {"email includes 'EXAMPLE'", 1},
    {"device includes 'D'", 0},
    {"card like '%'", NAN},
    {"not (card like 'x')", NAN},
    {"hour", 4},
    {"weekday", 0},
    {"minute_of_day", 240},
    {"day", 17805},
    {"0 - 0", 0},
};

static const char functions_history[] =
    "0 purchase account=a\n"
    "2h purchase account=a amount=60.00EUR\n"
    "4h purchase account=a amount=30.00EUR device=d3 units=9 ip_country=NL email=x@example.com";

START_TEST(functions_and_operators)
{
    static const char *const names[] = {
#define FUNCTION(name, arguments, form, op, doc) name,
#include "core/policy/functions.def"
#undef FUNCTION
    };
    for (size_t i = 0; i < ARRAY_LEN(function_values); i++)
        ck_value(HEAD, function_values[i].expression, functions_history, function_values[i].want);
    for (size_t n = 0; n < ARRAY_LEN(names); n++) {
        bool asked = false;
        for (size_t i = 0; i < ARRAY_LEN(function_values); i++)
            asked |= strncmp(function_values[i].expression, names[n], strlen(names[n])) == 0;
        ck_assert_msg(asked, "no test for the function %s", names[n]);
    }
}
END_TEST

/* --- missing values --- */

START_TEST(logic_is_kleenes)
{
    static const char *const v[] = {"false", "true", "vip"}; /* vip is missing */
    static const double and[3][3] = {{0, 0, 0}, {0, 1, NAN}, {0, NAN, NAN}},
                        or [3][3] = {{0, 1, NAN}, {1, 1, 1}, {NAN, 1, NAN}};
    static const double not [] = {1, 0, NAN};
    for (unsigned a = 0; a < 3; a++) {
        char text[100];
        (void)snprintf(text, sizeof text, "not %s", v[a]);
        ck_value(HEAD, text, "0 purchase", not [a]);
        for (unsigned b = 0; b < 3; b++) {
            (void)snprintf(text, sizeof text, "%s and %s", v[a], v[b]);
            ck_value(HEAD, text, "0 purchase", and[a][b]);
            (void)snprintf(text, sizeof text, "%s or %s", v[a], v[b]);
            ck_value(HEAD, text, "0 purchase", or [a][b]);
        }
    }
}
END_TEST

START_TEST(missing_never_fires)
{
    static const char *const comparisons[] = {"units = 1",
                                              "units != 1",
                                              "units < 1",
                                              "units >= 1",
                                              "card = 'x'",
                                              "card != 'x'",
                                              "card != account",
                                              "amount > 1 EUR",
                                              "amount = amount",
                                              "card like 'x%'",
                                              "card includes 'x'",
                                              "card in ('x')",
                                              "card not in ('x')",
                                              "ip in ('10.0.0.0/8')",
                                              "units in (1, 2)",
                                              "amount in (1 EUR, 2 EUR)",
                                              "vip",
                                              "units + 1 > units",
                                              "count(purchase) by terminal > 0",
                                              "device = last(device of any) by ip"};
    for (size_t i = 0; i < ARRAY_LEN(comparisons); i++) {
        char text[400];
        (void)snprintf(text, sizeof text,
                       HEAD " rule yes deny if %s rule no deny if not (%s) rule see review if is_missing(%s)",
                       comparisons[i], comparisons[i], strncmp(comparisons[i], "amount", 6) == 0 ? "amount" : "units");
        struct kit k = kit_new(text);
        ck_assert_msg(kit_decide(&k, "0 purchase account=a device=d") == KEER_REVIEW && kit_fired(&k, "see"), "%s: %s",
                      comparisons[i], keer_outcome_name(k.d.outcome));
        kit_free(&k);
    }
}
END_TEST

/* --- rules --- */

START_TEST(rules_have_an_order)
{
    struct kit k = kit_new(
        HEAD " rule r review if units >= 1 rule d1 deny if units >= 4 rule d2 deny if units >= 4 rule a allow if vip\n"
             "rule c1 challenge if units >= 2 rule c2 challenge if units >= 3");
    static const struct {
        const char *event;
        enum keer_outcome outcome;
        unsigned fired;
        int review;
    } cases[] = {{"0 purchase units=0", KEER_ALLOW, 0, 0},          {"0 purchase units=1", KEER_REVIEW, 1, 1},
                 {"0 purchase units=2", KEER_CHALLENGE, 2, 1},      {"0 purchase units=3", KEER_CHALLENGE, 3, 1},
                 {"0 purchase units=4", KEER_DENY, 3, 0},           {"0 purchase units=4 vip=true", KEER_CHALLENGE, 3, 0},
                 {"0 purchase units=1 vip=true", KEER_ALLOW, 1, 0}, {"0 purchase vip=false", KEER_ALLOW, 0, 0}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        ck_assert_msg(kit_decide(&k, cases[i].event) == cases[i].outcome, "%s: %s", cases[i].event,
                      keer_outcome_name(k.d.outcome));
        ck_assert_msg(k.d.fired_count == cases[i].fired && k.d.review == cases[i].review, "%s: %u fired, review %d",
                      cases[i].event, k.d.fired_count, k.d.review);
        ck_assert(isnan(k.d.score));
    }
    kit_decide(&k, "0 purchase units=4");
    ck_assert(kit_fired(&k, "c1") && kit_fired(&k, "c2") && kit_fired(&k, "d1") && !kit_fired(&k, "d2") &&
              !kit_fired(&k, "r"));
    kit_free(&k);
    /* Unnamed rules are called after their line; more rules than a decision can list are counted. */
    struct buf text;
    buf_init(&text, 10000);
    for (unsigned i = 0; i < 20; i++)
        buf_fmt(&text, "challenge if units > %u\n", i);
    char all[4000];
    (void)snprintf(all, sizeof all, "attribute units number\n%s", text.p);
    k = kit_new(all);
    ck_assert(kit_decide(&k, "0 purchase units=100") == KEER_CHALLENGE);
    ck_assert_uint_eq(k.d.fired_count, 20);
    ck_assert_str_eq(keer_policy_rule_name(k.p, 0), "rule_line_2");
    ck_assert_ptr_null(keer_policy_rule_name(k.p, 20));
    ck_assert(kit_fired(&k, "rule_line_17") && !kit_fired(&k, "rule_line_18"));
    kit_free(&k);
    buf_release(&text);
}
END_TEST

/* A window that only one branch asks for must be read for that branch, and one that the type rules out must not. */
START_TEST(plans_read_what_is_needed)
{
    struct kit k = kit_new("window w = count(purchase) by account let alias = w let again = alias + 0\n"
                           "rule a deny if purchase and again >= 2 or sign_in and w >= 1\n"
                           "rule b review if if(top_up, ratio(amount of top_up) by account, 0) > 2\n"
                           "rule c challenge if not (not gift_redeemed or w < 1)");
    ck_assert(kit_decide(&k, "0 purchase account=a") == KEER_ALLOW);
    ck_assert(kit_decide(&k, "1h purchase account=a") == KEER_ALLOW);
    ck_assert(kit_decide(&k, "2h purchase account=a") == KEER_DENY);
    ck_assert(kit_decide(&k, "2h sign_in account=a") == KEER_DENY);
    ck_assert(kit_decide(&k, "2h sign_in account=b") == KEER_ALLOW);
    ck_assert(kit_decide(&k, "2h gift_redeemed account=a") == KEER_CHALLENGE);
    ck_assert(kit_decide(&k, "2h gift_redeemed account=c") == KEER_ALLOW);
    ck_assert(kit_decide(&k, "3h top_up account=a amount=1EUR") == KEER_ALLOW);
    ck_assert(kit_decide(&k, "4h top_up account=a amount=3EUR") == KEER_REVIEW);
    unsigned w = (unsigned)k.p->lets[0].stmt->value->window->index;
    ck_assert(k.p->plans[KEER_EVENT_purchase].windows[0] >> w & 1);
    ck_assert(!(k.p->plans[KEER_EVENT_password_changed].windows[0] >> w & 1));
    ck_assert_uint_eq(k.p->plans[KEER_EVENT_password_changed].let_count, 0);
    kit_free(&k);
}
END_TEST

/* What the type alone decides may be said by a let: its register is written for the type, not left from the event before. */
START_TEST(lets_that_the_type_settles)
{
    struct kit k = kit_new("attribute units number\n"
                           "let change = password_changed or contact_changed let ways = device_added or device_removed\n"
                           "let large = units > 5 and purchase\n"
                           "rule either challenge if change or ways\n"
                           "rule both   review    if (purchase and large) or units = 1\n"
                           "rule nested deny      if sign_in and not (change or large) and units > 100");
    for (int i = 0; i < 2; i++) { /* the second time after events of the other types */
        ck_assert(kit_decide(&k, "0 password_changed units=9") == KEER_CHALLENGE);
        ck_assert(kit_decide(&k, "0 sign_in units=9") == KEER_ALLOW);
        ck_assert(kit_decide(&k, "0 device_removed units=9") == KEER_CHALLENGE);
        ck_assert(kit_decide(&k, "0 purchase units=2") == KEER_ALLOW);
        ck_assert(kit_decide(&k, "0 purchase units=9") == KEER_REVIEW);
        ck_assert(kit_decide(&k, "0 top_up units=9") == KEER_ALLOW);
        ck_assert(kit_decide(&k, "0 top_up units=1") == KEER_REVIEW);
        ck_assert(kit_decide(&k, "0 sign_in units=200") == KEER_DENY);
    }
    kit_free(&k);
}
END_TEST

/* What an explanation shows was read for this event: the part for other types is left out. */
START_TEST(explanations_show_no_stale_values)
{
    struct kit k = kit_new("window signs = count(sign_in) by account window buys = count(purchase) by account\n"
                           "rule a challenge if sign_in and signs >= 0 or purchase and buys >= 0");
    char *json;
    size_t len;
    (void)kit_decide(&k, "0 sign_in account=x");
    (void)kit_decide(&k, "1h sign_in account=x");
    ck_assert(kit_decide(&k, "2h purchase account=y") == KEER_CHALLENGE);
    ck_ok(keer_engine_explain(k.e, k.ev, &k.d, &json, &len));
    ck_assert(slice_has(slice_of(json, len), SLICE("\"saw\":[{\"expression\":\"buys\",\"value\":0}]")));
    ck_assert(!slice_has(slice_of(json, len), SLICE("count(sign_in)")));
    free(json);
    /* Another policy's event is refused. */
    struct kit other = kit_new("rule a challenge if sign_in");
    kit_fill(&other, "0 sign_in");
    ck_err(keer_engine_explain(k.e, other.ev, &k.d, &json, &len), KEER_EINVALID);
    ck_err(keer_engine_decide(k.e, other.ev, &k.d), KEER_EINVALID);
    kit_free(&other);
    kit_free(&k);
}
END_TEST

START_TEST(explanations_name_the_parts)
{
    struct kit k = kit_new("rule a review if share(outcome = 'failure' of sign_in) by account over 1d >= 0 and "
                           "zscore(amount of any) by ip > 1\n"
                           "rule b review if count(sign_in) by account over 1d >= 0 or ratio(amount of any) by account > 3");
    (void)kit_decide(&k, "0 sign_in account=a outcome=failure");
    (void)kit_decide(&k, "1m sign_in account=a outcome=success");
    (void)kit_decide(&k, "2m sign_in account=a");
    char *json;
    size_t len;
    ck_ok(keer_engine_explain(k.e, k.ev, &k.d, &json, &len));
    static const char *const want[] = {
        /* the share's own count is shared with the rule's, and shows as that */
        "\"expression\":\"count(sign_in) by account over 1d\",\"part\":null,\"by\":\"account=a\",\"value\":2,",
        "\"expression\":\"share(outcome = 'failure' of sign_in) by account over 1d\",\"part\":\"events that "
        "match\",\"by\":\"account=a\",\"value\":1,",
        "\"expression\":\"zscore(amount of any) by ip\",\"part\":\"standard "
        "deviation\",\"by\":\"ip=missing\",\"value\":null,",
        "\"expression\":\"ratio(amount of any) by account\",\"part\":\"mean\","};
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        ck_assert_msg(strstr(json, want[i]) != NULL, "%s is not in\n%s", want[i], json);
    free(json);
    kit_free(&k);
}
END_TEST

START_TEST(explanations_in_words)
{
    struct kit k = kit_new(
        "currency CNY timezone \"+08:00\" let gap = time since(sign_in) by account let neg = gap - 100d\n"
        "window spent = sum(amount of purchase) by account over 1d window used = last(device of purchase) by account\n"
        "rule a challenge if spent + amount > 1 CNY and gap < 1d and used = 'x' or\n  neg < 0s because \"it's much\"\n"
        "rule b review if is_missing(card) and hour = 9");
    (void)kit_decide(&k, "0 sign_in account=a");
    (void)kit_decide(&k, "30m purchase account=a amount=5CNY device=x");
    ck_assert(kit_decide(&k, "1h5m purchase account=a amount=648.5CNY device=x") == KEER_CHALLENGE);
    struct buf out;
    buf_init(&out, 100000);
    ck_ok(engine_explain(k.e, k.ev, &k.d, EXPLAIN_TEXT, 0, &out));
    static const char *const want[] = {"Event e2, purchase at 2018-10-01T01:05:00Z",
                                       "Decision: challenge (and review)",
                                       "challenge a: it's much",
                                       "if spent + amount > 1 CNY and gap < 1d and used = 'x' or neg < 0s\n",
                                       "spent = 5.00 CNY",
                                       "amount = 648.50 CNY",
                                       "gap = 1h5m",
                                       "used = 'x'",
                                       "card = missing",
                                       "hour = 9",
                                       "neg = -99d22h55m"};
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        ck_assert_msg(slice_has(buf_view(&out), slice_str(want[i])), "'%s' is not in\n%s", want[i], out.p);
    buf_release(&out);
    kit_free(&k);
}
END_TEST

/* --- money and time --- */

START_TEST(money_is_converted_once)
{
    struct kit_file files[] = {{"rates", "# one euro is\nEUR 1\nUSD 1.15\nJPY,160\n"}, {0}};
    static const char text[] =
        "currency EUR rates \"rates\"\n"
        "let usd = amount in USD let mixed = amount + 1.15 USD let jpy = amount in JPY let back = (amount * 2) in USD\n"
        "let limit = 100 USD let over_limit = amount > limit let same = amount = 100 USD let turned = 100 USD < amount\n"
        "let pick = if(purchase, 1 EUR, amount) let low = least(amount, 230 USD) let part = amount / 1 USD\n"
        "window dollars = sum(amount of purchase in USD) by account window euros = sum(amount of purchase) by account\n"
        "let far = mean(amount of purchase in USD) by account > amount\n"
        "features usd, mixed, jpy, back, over_limit, same, turned, pick, low, part, dollars, euros, far";
    struct kit k = kit_files(text, files);
    (void)kit_decide(&k, "0 purchase account=a amount=100.00USD");
    ck_assert_double_eq(kit_value(&k, "usd"), 10000); /* not 10000.4 by way of 86.96 EUR */
    ck_assert_double_eq(kit_value(&k, "over_limit"), 0);
    ck_assert_double_eq(kit_value(&k, "turned"), 0);
    ck_assert_double_eq(kit_value(&k, "same"), 1);
    ck_assert_double_eq(kit_value(&k, "mixed"), 10115); /* takes the written currency */
    ck_assert_double_eq_tol(kit_value(&k, "jpy"), 13913, 1e-9);
    ck_assert_double_eq_tol(kit_value(&k, "back"), 20000.8, 1e-9); /* of an expression: computed in the policy's currency */
    ck_assert_double_eq(kit_value(&k, "pick"), 100);
    ck_assert_double_eq(kit_value(&k, "low"), 8696);
    ck_assert_double_eq(kit_value(&k, "part"), 100);
    ck_assert_uint_eq(k.d.degraded, 0);
    (void)kit_decide(&k, "1h purchase account=a amount=1000"); /* minor units of the policy's own currency: 10 EUR */
    ck_assert_double_eq(kit_value(&k, "dollars"), 10000);
    ck_assert_double_eq(kit_value(&k, "euros"), 8696);
    ck_assert_double_eq(kit_value(&k, "usd"), 1150);
    ck_assert_double_eq(kit_value(&k, "far"), 1);
    (void)kit_decide(&k, "2h purchase account=a amount=5.00GBP"); /* no rate */
    ck_assert_double_eq(kit_value(&k, "dollars"), 11150);
    ck_assert(isnan(kit_value(&k, "usd")) && isnan(kit_value(&k, "over_limit")));
    ck_assert_uint_eq(k.d.degraded, KEER_DEGRADED_RATE);
    (void)kit_decide(&k, "3h purchase account=a amount=160JPY");
    ck_assert_double_eq(kit_value(&k, "dollars"), 11150); /* what has no rate was not summed */
    ck_assert_double_eq(kit_value(&k, "usd"), 115);
    kit_free(&k);
    /* Without rates amounts in other currencies are missing, and that is said. */
    k = kit_new("rule a deny if amount > 1 EUR");
    ck_assert(kit_decide(&k, "0 purchase amount=5.00USD") == KEER_ALLOW);
    ck_assert_uint_eq(k.d.degraded, KEER_DEGRADED_RATE);
    kit_free(&k);
}
END_TEST

START_TEST(time_is_local)
{
    ck_value("timezone \"+08:00\"", "hour * 100 + weekday", "20h purchase", 401); /* Tuesday, 4 in the morning */
    ck_value("timezone \"-03:30\"", "minute_of_day", "0 purchase", 20 * 60 + 30);
    ck_value("timezone \"-03:30\"", "day", "0 purchase", 17804);
    ck_value("timezone \"Z\"", "hour", "0 purchase", 0);
}
END_TEST

START_TEST(degraded_is_said)
{
    struct kit k = kit_new("lateness 1h model m = \"m.json\" for purchase rule a deny if score > 0.5 rule b review if "
                           "count(any) by account over 1d > 0");
    (void)kit_decide(&k, "5h sign_in account=a");
    ck_assert_uint_eq(k.d.degraded, 0); /* the model is for purchases */
    (void)kit_decide(&k, "5h purchase account=a");
    ck_assert_uint_eq(k.d.degraded, KEER_DEGRADED_MODEL);
    (void)kit_decide(&k, "3h sign_in account=a");
    ck_assert_uint_eq(k.d.degraded, KEER_DEGRADED_LATE);
    (void)kit_decide(&k, "4h sign_in account=a");
    ck_assert_uint_eq(k.d.degraded, 0);
    kit_free(&k);
}
END_TEST

/* --- texts and lists --- */

START_TEST(lists_of_all_kinds)
{
    struct kit_file files[] = {{"texts", "\xEF\xBB\xBF"
                                         "a\r\n  b  # comment\n#c\n\nd#e\n\"f\",\n"},
                               {"nets", "10.0.0.0/8\n2001:db8::/32 # doc\n192.168.1.7\n"},
                               {"numbers", "1\n2.5\n-3e2\n"},
                               {0}};
    static const char text[] = "attribute units number attribute tag text_ci list t = \"texts\" list n = \"nets\" list x = "
                               "\"numbers\" list in_line = ('it''s', \"b\")\n"
                               "let r1 = account in t let r2 = tag in @t let r3 = ip in n let r4 = units in x let r5 = "
                               "account in in_line let r6 = account not in @in_line\n"
                               "let here = ip let r7 = here in ('10.1.0.0/16', '::1') let r8 = units in (1, -3e2) let r9 = "
                               "if(purchase, 'a', 'b') in t\n"
                               "let mail = email let r10 = mail like '%@x.nl'\n"
                               "features r1, r2, r3, r4, r5, r6, r7, r8, r9, r10";
    static const struct {
        const char *event;
        double want[10];
    } cases[] = {
        {"0 purchase account=a tag=A ip=10.1.2.3 units=1 email=q@X.nl", {1, 1, 1, 1, 0, 1, 1, 1, 1, 1}},
        {"0 purchase account=b tag=c ip=10.255.255.255 units=2.5 email=x.nl", {1, 0, 1, 1, 1, 0, 0, 0, 1, 0}},
        {"0 sign_in account=it's tag=D#E ip=11.0.0.0 units=-300", {0, 1, 0, 1, 1, 0, 0, 1, 1, NAN}},
        {"0 sign_in account=A tag=f ip=2001:db8:ffff::1 units=-0", {0, 1, 1, 0, 0, 1, 0, 0, 1, NAN}},
        {"0 sign_in account=f tag=g ip=::ffff:10.1.9.9 units=3", {1, 0, 1, 0, 0, 1, 1, 0, 1, NAN}},
        {"0 sign_in ip=192.168.1.7", {NAN, NAN, 1, NAN, NAN, NAN, 0, NAN, 1, NAN}},
        {"0 sign_in ip=garbage", {NAN, NAN, 0, NAN, NAN, NAN, 0, NAN, 1, NAN}},
        {"0 sign_in ip=::1", {NAN, NAN, 0, NAN, NAN, NAN, 1, NAN, 1, NAN}},
    };
    struct kit k = kit_files(text, files);
    for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
        (void)kit_decide(&k, cases[c].event);
        for (unsigned i = 0; i < 10; i++) {
            char name[8];
            (void)snprintf(name, sizeof name, "r%u", i + 1);
            double have = kit_value(&k, name), want = cases[c].want[i];
            ck_assert_msg(have == want || (isnan(have) && isnan(want)), "%s: %s is %g, want %g", cases[c].event, name, have,
                          want);
        }
    }
    kit_free(&k);
}
END_TEST

START_TEST(texts_mind_case_as_attributes_do)
{
    ck_value("", "coalesce(ip_country, 'XX') = 'nl'", "0 purchase ip_country=NL", 1);
    ck_value("", "coalesce('nl', ip_country) = 'NL'", "0 purchase ip_country=be",
             1); /* what is written takes case as the attribute does */
    ck_value("", "if(sign_in, 'nl', ip_country) = 'NL'", "0 purchase ip_country=nL", 1);
    ck_value("", "if(purchase, if(purchase, 'nl', 'be'), ip_country) = card_country", "0 purchase card_country=NL", 1);
    ck_value("let home = 'nl'", "ip_country = home and count(purchase where ip_country = home) by account > 0",
             "0 purchase account=a ip_country=NL\n1h purchase account=a ip_country=Nl", 1);
    ck_value("let limit = 5 EUR", "count(purchase where amount > limit) by account",
             "0 purchase account=a amount=6EUR\n1h purchase account=a", 1);
    ck_value("", "account = ip_country", "0 purchase account=nl ip_country=NL", 1);
    ck_value("let a = account let c = ip_country", "a != c", "0 purchase account=nl ip_country=NL", 0);
}
END_TEST

/* --- random expressions against a plain evaluator --- */

START_TEST(random_expressions)
{
    uint64_t seed = 20181007;
    const char *given = getenv("KEER_SEED");
    if (given)
        ck_ok(num_u64(slice_str(given), 0, UINT64_MAX, &seed));
    uint64_t pairs = 0, known = 0;
    for (unsigned round = 0; round < 600; round++)
        random_round(seed + round, &pairs, &known);
    printf("# random expressions: seed %llu, %llu pairs of expression and event, %llu with a value\n",
           (unsigned long long)seed, (unsigned long long)pairs, (unsigned long long)known);
    ck_assert(pairs > 50000 && known > pairs / 5 && known < pairs);
}
END_TEST

/* --- records --- */

/* Whatever becomes of a record's bytes: cut short it is refused, changed it is refused or read, and nothing else happens. */
START_TEST(torn_records_are_refused)
{
    struct kit k = kit_new("window n = count(purchase) by account over 1h\nwindow l = last(item of purchase) by account\n"
                           "window a = age(device of purchase) by account\nwindow s = mean(amount of purchase) by account\n"
                           "rule r challenge if purchase and (n > 1 or l = item or a > 1h or s > 5 EUR)\n");
    struct buf record, longer;
    struct keer_decision d;
    buf_init(&record, RECALL_BYTES);
    buf_init(&longer, RECALL_BYTES);
    (void)kit_decide(&k, "0 purchase account=a item=i device=d amount=7EUR");
    (void)kit_decide(&k, "1m purchase account=a item=i device=d amount=8EUR");
    (void)kit_decide(&k, "70m purchase account=a item=i device=d amount=6EUR");
    ck_ok(engine_record(k.e, k.ev, &k.d, &record));
    ck_ok(engine_recall(k.e, k.ev, buf_view(&record), &d));
    ck_assert(d.outcome == k.d.outcome && d.fired_count == 1);
    for (size_t n = 0; n < record.len; n++)
        ck_err(engine_recall(k.e, k.ev, slice_of(record.p, n), &d), KEER_EFORMAT);
    for (size_t i = 0; i < 8 * record.len; i++) {
        record.p[i / 8] = (char)(record.p[i / 8] ^ 1 << i % 8);
        enum keer_err err = engine_recall(k.e, k.ev, buf_view(&record), &d);
        ck_assert(err == KEER_OK || err == (i < 8 ? KEER_EVERSION : KEER_EFORMAT));
        record.p[i / 8] = (char)(record.p[i / 8] ^ 1 << i % 8);
    }
    buf_slice(&longer, buf_view(&record));
    buf_char(&longer, 0);
    ck_err(engine_recall(k.e, k.ev, buf_view(&longer), &d), KEER_EFORMAT);
    static const char endless[] = "\1\200\200\200\200\200\200\200\200\200\200\200\200";
    ck_err(engine_recall(k.e, k.ev, SLICE(endless), &d), KEER_EFORMAT);
    buf_release(&record);
    buf_release(&longer);
    kit_free(&k);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("policy_eval");
    TCase *t = tcase_create("policy_eval");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, aggregates_by_hand);
    tcase_add_test(t, texts_from_windows);
    tcase_add_test(t, numbers_come_back_as_they_were);
    tcase_add_test(t, keys_of_parts);
    tcase_add_test(t, labels_count_from_when_they_are_known);
    tcase_add_test(t, functions_and_operators);
    tcase_add_test(t, logic_is_kleenes);
    tcase_add_test(t, missing_never_fires);
    tcase_add_test(t, rules_have_an_order);
    tcase_add_test(t, plans_read_what_is_needed);
    tcase_add_test(t, lets_that_the_type_settles);
    tcase_add_test(t, explanations_show_no_stale_values);
    tcase_add_test(t, explanations_name_the_parts);
    tcase_add_test(t, explanations_in_words);
    tcase_add_test(t, money_is_converted_once);
    tcase_add_test(t, time_is_local);
    tcase_add_test(t, degraded_is_said);
    tcase_add_test(t, lists_of_all_kinds);
    tcase_add_test(t, texts_mind_case_as_attributes_do);
    tcase_add_test(t, torn_records_are_refused);
    tcase_add_test(t, random_expressions);
    suite_add_tcase(s, t);
    return test_main(s);
}
