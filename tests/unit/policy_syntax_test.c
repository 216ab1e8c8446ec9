/* policy_syntax_test.c - the policy language as it is written: statements, mistakes and their messages, warnings, examples,
 * Radar rules, limits; and failing allocations all the way from the text to an explanation. */
#include "core/policy/build.h"
#include "lib/policy_kit.h"

static struct kit_file test_files[] = {{"badrates", "EUR 1\nUSD 1.15\nABC 3\n"},
                                       {"rates", "EUR 1\nUSD 1.15\n"},
                                       {"usdrates", "USD 1\n"},
                                       {"badnets", "10.0.0.0/8\n300.1.1.1\n"},
                                       {"badnumbers", "1\nx\n"},
                                       {"onejson", "[\"a\",\"b\"]\n"},
                                       {"words", "a\nb\n"},
                                       {0}};

/* Messages of a policy as they are printed; "" when there are none. The caller frees. */
static char *messages_of(const char *text, enum keer_err *ret_err)
{
    struct keer_files files = {test_files, kit_read};
    struct keer_policy *p = NULL;
    char *messages = NULL;
    *ret_err = keer_policy_new("p", text, strlen(text), &files, KEER_POLICY_WITHOUT_MODELS, &p, &messages);
    ck_assert((*ret_err == KEER_OK) == (p != NULL));
    keer_policy_free(p);
    if (!messages) {
        messages = malloc(1);
        ck_assert_ptr_nonnull(messages);
        messages[0] = '\0';
    }
    return messages;
}

static unsigned count_of(const char *text, const char *part)
{
    unsigned n = 0;
    for (const char *at = text; (at = strstr(at, part)); at++)
        n++;
    return n;
}

START_TEST(mistakes_are_explained)
{
    static const struct {
        const char *text;
        unsigned column, carets, messages;
        const char *what, *hint;
    } rows[] = {
#define MISTAKE(text, column, carets, messages, what, hint) {text, column, carets, messages, what, hint},
#include "unit/policy_mistakes.def"
#undef MISTAKE
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum keer_err err;
        char *messages = messages_of(rows[i].text, &err), want[1024];
        (void)snprintf(want, sizeof want, "p:1:%u: error: %s\n    1 | %s\n      | %*s%.*s\n%s%s", rows[i].column,
                       rows[i].what, rows[i].text, (int)rows[i].column - 1, "", (int)rows[i].carets,
                       "^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^",
                       rows[i].hint[0] ? "      = " : "", rows[i].hint);
        ck_assert_msg(err == KEER_ESYNTAX || err == KEER_ETYPE, "%s: %s", rows[i].text, keer_err_name(err));
        ck_assert_msg(strstr(messages, want) != NULL, "%s\nhave: %s\nwant: %s", rows[i].text, messages, want);
        ck_assert_msg(count_of(messages, "p:1:") == rows[i].messages, "%s\n%s", rows[i].text, messages);
        free(messages);
    }
    ck_assert_uint_ge(ARRAY_LEN(rows), 120);
}
END_TEST

START_TEST(several_mistakes_in_one_run)
{
    enum keer_err err;
    char *m = messages_of("rule a deny if purchse\n\nrule b deny if amount > and hour > 3\nrule c deny if purchase iff "
                          "hour\n\twindow w = count(purchase) by acount\n# ünd \xC3\xBC\n"
                          "rule d deny if account = 'ü' and hour = 'x'\nrule e deny if (hour > 3\nrule f deny if hour",
                          &err);
    ck_err(err, KEER_ESYNTAX);
    static const char *const places[] = {
        "p:1:16: error: unknown name",         "p:3:25: error: unexpected 'and'",
        "p:4:25: error: unexpected 'iff'",     "p:5:32: error: 'acount'",
        "p:7:42: error: a number is compared", "p:9:1: error: expected more of the statement before 'rule'"};
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        ck_assert_msg(strstr(m, places[i]) != NULL, "%s is not in\n%s", places[i], m);
    /* A tab is one column, and a caret stands under the character and not under its byte. */
    ck_assert_msg(
        strstr(
            m,
            "    7 | rule d deny if account = 'ü' and hour = 'x'\n      |                                         ^^^\n") !=
            NULL,
        "%s", m);
    free(m);
    /* What did not parse is not unknown. */
    m = messages_of("let level = 3 +\nrule a deny if level > 3 and levels in @levels", &err);
    ck_assert_msg(!strstr(m, "unknown name 'level'"), "%s", m);
    free(m);
    /* At most 20 are told, and errors before warnings. */
    struct buf many;
    buf_init(&many, 100000);
    for (unsigned i = 0; i < 30; i++)
        buf_fmt(&many, "let unused_%u = hour > %u\n", i, i);
    buf_puts(&many, "rule a deny if purchase\nexample \"e\" { at 0 purchase expect allow }\n");
    m = messages_of(many.p, &err);
    ck_err(err, KEER_ETYPE);
    ck_assert(strstr(m, "example \"e\": expected allow, got deny") && strstr(m, "and 11 more") &&
              count_of(m, "warning: ") == 19);
    free(m);
    buf_release(&many);
}
END_TEST

START_TEST(messages_as_json)
{
    struct keer_policy *p = NULL;
    struct buf out;
    ck_err(kit_make("let x = \"\x1b[2J\" = 3\nrule a deny if x", NULL, &p), KEER_ETYPE);
    buf_init(&out, 10000);
    diags_json(&p->diags, &out);
    ck_assert_str_eq(out.p, "[{\"severity\":\"error\",\"file\":\"p\",\"line\":1,\"column\":18,\"length\":1,\"message\":\"a "
                            "text is compared with a number\",\"hint\":\"texts stand in quotes\"}]");
    buf_clear(&out);
    diags_print(&p->diags, &out); /* nothing that a terminal obeys */
    ck_assert_msg(!memchr(out.p, 27, out.len), "%s", out.p);
    buf_release(&out);
    keer_policy_free(p);
}
END_TEST

/* --- statements --- */

static const char every_statement[] =
    "\xEF\xBB\xBF# a comment\n"
    "currency CNY // another one\n"
    "rates \"rates.txt\"; timezone \"+08:00\" lateness 0s\n"
    "attribute units number attribute :model: text attribute tag text_ci attribute vip boolean attribute fee money "
    "attribute home ip\n"
    "list bad = ('a', \"b\", 'it''s') list nets = \"nets\" list codes = (1, -2.5, 3e2)\n"
    "model m = \"m.json\" calibrated for purchase, custom.gift\n"
    "window buys = COUNT(purchase, custom.gift) BY account, device OVER 1d12h DELAYED 1h\n"
    "window usual = ewma(fee of purchase in USD where fee > 1 USD) by account over 30d half life 3d including this\n"
    "let first_part = buys > 3 AND NOT (tag IN ('x') || ip not in @nets && :model: like 'a%')\n"
    "features units rising, fee falling, country, buys\n"
    "rule one challenge if first_part because 'it is \"new\"'\n"
    "rule two allow if home in nets and units in codes or account in @bad\n"
    "rule three block if score >= 0.9 and usual > 5 CNY\n"
    "Request 3D Secure if vip = true\n"
    "request 3ds if score > 0.5\n"
    "Review if custom.gift\n"
    "example \"all of it\" with account = 'z', :model: = 'abc', vip = false {\n"
    "    at 0 purchase: score = 0.95, fee = 5 USD expect deny by three\n"
    "    at 1d2h custom.gift: units = -3, amount = -1.50 CNY expect review by rule_line_16\n"
    "    at 3d custom.other: vip = true, device = \"d\" expect challenge by rule_line_14\n"
    "    at 4d purchase: account = 'a', home = '10.1.1.1' expect allow by two\n"
    "}\n";

START_TEST(every_statement_parses)
{
    struct kit_file files[] = {{"rates.txt", "EUR 1\nCNY 7.9\nUSD 1.15\n"}, {"nets", "10.0.0.0/8\n"}, {0}};
    struct kit k = kit_files(every_statement, files);
    ck_assert_uint_eq(k.p->rule_count, 6);
    ck_assert_uint_eq(k.p->feature_count, 4);
    ck_assert_uint_eq(k.p->diags.count, 0);
    ck_assert_int_eq(k.p->zone_us, 8 * US_HOUR);
    ck_assert_int_eq(k.p->lateness_us, 0);
    ck_assert(k.p->windows[0].over_us == 36 * US_HOUR && k.p->windows[0].delay_us == US_HOUR);
    ck_slice_eq(k.p->rules[0].stmt->because, SLICE("it is \"new\""));
    ck_assert_str_eq(keer_policy_rule_name(k.p, 3), "rule_line_14");
    ck_assert(k.p->ast.features->item->number > 0 && k.p->ast.features->next->item->number < 0);
    ck_assert(keer_schema_find(&k.p->schema, "model", 5) >= 0);
    kit_free(&k);
}
END_TEST

/* How operators bind, by what the tree looks like. */
static void show(const struct ast *n, struct buf *out)
{
    static const char *const ops[] = {"or", "and", "=", "!=", "<", "<=", ">", ">=", "like", "includes", "+", "-", "*", "/"};
    switch (n->kind) {
    case AST_BINARY:
        buf_char(out, '(');
        show(n->a, out);
        buf_fmt(out, " %s ", ops[n->op]);
        show(n->b, out);
        buf_char(out, ')');
        break;
    case AST_NOT:
    case AST_NEGATE:
        buf_puts(out, n->kind == AST_NOT ? "(not " : "(- ");
        show(n->a, out);
        buf_char(out, ')');
        break;
    case AST_IN:
    case AST_CONVERT:
        buf_char(out, '(');
        show(n->a, out);
        buf_puts(out, n->kind == AST_IN ? " in list)" : " to ");
        if (n->kind == AST_CONVERT)
            buf_fmt(out, SLICE_FMT ")", SLICE_ARG(n->name));
        break;
    case AST_NUMBER: buf_f64(out, n->number); break;
    case AST_CALL:
    case AST_WINDOW: buf_slice(out, n->window->agg); break;
    default: buf_slice(out, n->name); break;
    }
}

START_TEST(operators_bind)
{
    static const struct {
        const char *text, *tree;
    } rows[] = {{"a or b and not c = d", "(a or (b and (not (c = d))))"},
                {"not a and b", "((not a) and b)"},
                {"not not a", "(not (not a))"},
                {"!a || b && c", "((not a) or (b and c))"},
                {"a and b or c and d", "((a and b) or (c and d))"},
                {"a + b * c - d / e", "((a + (b * c)) - (d / e))"},
                {"- a + b", "((- a) + b)"},
                {"a - - b", "(a - (- b))"},
                {"a + 1 > b * 2 and c", "(((a + 1) > (b * 2)) and c)"},
                {"a in (1, 2) and b", "((a in list) and b)"},
                {"a not in (1, 2) or b", "((not (a in list)) or b)"},
                {"not a in @l", "(not (a in list))"},
                {"a in USD > b", "((a to USD) > b)"},
                {"a + b in USD", "((a + b) to USD)"},
                {"a like 'x' or b includes 'y'", "((a like x) or (b includes y))"},
                {"a not like 'x' and b not includes 'y' or c", "(((not (a like x)) and (not (b includes y))) or c)"},
                {"a = b in USD", "(a = (b to USD))"},
                {"coalesce(count(a) by b, 0) + if(c, d, e)", "(coalesce + if)"},
                {"coalesce(count(a) by b, count(c) by d, e over 1d)", "coalesce"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena;
        struct diags diags;
        struct buf out;
        arena_init(&arena, 1 << 20);
        diags_init(&diags, SLICE("x"), slice_str(rows[i].text));
        buf_init(&out, 10000);
        const struct ast *n = policy_parse_expression(slice_str(rows[i].text), (struct span_at){0, 1}, &arena, &diags);
        ck_assert_msg(n && diags.errors == 0, "%s", rows[i].text);
        show(n, &out);
        ck_assert_str_eq(out.p, rows[i].tree);
        buf_release(&out);
        diags_release(&diags);
        arena_release(&arena);
    }
}
END_TEST

/* --- warnings --- */

START_TEST(warnings)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"let x = 1 rule a deny if purchase", "p:1:5: warning: 'x' is never used"},
        {"window w = count(purchase) by account rule a deny if purchase", "'w' is never used"},
        {"list l = ('a') rule a deny if purchase", "p:1:6: warning: the list 'l' is never used"},
        {"rule a deny if purchase and sign_in", "p:1:8: warning: the rule 'a' can never match"},
        {"let both = purchase and sign_in let again = both rule a deny if again", "the rule 'a' can never match"},
        {"rule a deny if purchase or not purchase", "the rule 'a' matches every event"},
        {"rule a allow if true rule b deny if hour > 3",
         "p:1:29: warning: the rule 'b' is never reached: every event ends at 'a'"},
        {"rule a deny if hour > 3 rule b review if hour > 3",
         "the rule 'b' is never reached: what it asks ends before at 'a'"},
        {"rule b review if hour > 3 rule a allow if hour > 3",
         "the rule 'b' is never reached: what it asks ends before at 'a'"},
        {"rule a deny if hour > 3 rule b deny if hour > 3", "the rule 'b' is never reached"},
        {"rule a challenge if count(purchase) by ip > 3 rule b challenge if count(purchase) by ip > 3",
         "the rule 'b' asks the same as 'a'"},
        {"rule a review if is_missing(card) and ip in ('10.0.0.0/8') rule b review if is_missing(card) and ip in "
         "('10.0.0.0/8')",
         "the rule 'b' asks the same as 'a'"},
        {"example \"e\" { at 0 purchase } rule a deny if purchase", "p:1:9: warning: the example expects nothing"},
        {"let amount = 3 EUR rule a deny if amount > 1 EUR", "p:1:5: warning: 'amount' hides the attribute of that name"},
        {"let purchase = hour > 3 rule a deny if purchase", "'purchase' hides the event type of that name"},
        {"# nothing", "the policy has no rules and no features: it allows everything"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum keer_err err;
        char *m = messages_of(rows[i].text, &err);
        ck_assert_msg(err == KEER_OK && strstr(m, rows[i].want) && count_of(m, "warning: ") <= 2 && !strstr(m, "error: "),
                      "%s\n%s", rows[i].text, m);
        free(m);
    }
    static const char *const quiet[] = {"rule a deny if hour > 3 rule b deny if hour > 4",
                                        "rule a challenge if hour > 3 rule b deny if hour > 3",
                                        "rule a review if hour > 3 rule b deny if purchase and hour > 3",
                                        "rule a deny if count(purchase) by ip > 3 rule b deny if count(sign_in) by ip > 3"};
    for (size_t i = 0; i < ARRAY_LEN(quiet); i++) {
        enum keer_err err;
        char *m = messages_of(quiet[i], &err);
        ck_assert_msg(err == KEER_OK && !m[0], "%s\n%s", quiet[i], m);
        free(m);
    }
}
END_TEST

/* --- what is shared --- */

START_TEST(windows_that_ask_the_same_are_one)
{
    struct kit k = kit_new("let limit = 5 EUR\n"
                           "rule a deny if count(purchase where amount > 5 EUR) by account over 1d > 3\n"
                           "rule b review if count(purchase where amount > limit) by account over 24h > 9\n"
                           "rule c review if count(purchase where not is_missing(card) and ip in ('::1')) by account > 1\n"
                           "rule d review if count(purchase where not is_missing(card) and ip in ('::1')) by account > 2\n"
                           "rule e review if sum(amount of purchase) by account, device over 1d > 3 EUR and mean(amount of "
                           "purchase) by device, account over 1d > 1 EUR\n"
                           "rule f review if ratio(amount of purchase) by account, device over 1d > 3 and share(hour > 3 of "
                           "purchase) by account > 0.5 and share(hour > 3 of "
                           "purchase) by account > 0.6");
    ck_assert_uint_eq(k.p->plan.windows, 6);
    ck_assert_uint_eq(k.p->plan.groups, 2);
    ck_assert_uint_eq(k.p->list_count, 1);
    ck_assert_uint_eq(k.p->condition_count, 3);
    kit_free(&k);
}
END_TEST

/* --- Radar --- */

static bool parses(const char *text, char **ret_messages)
{
    enum keer_err err;
    char *m = messages_of(text, &err);
    if (ret_messages)
        *ret_messages = m;
    else
        free(m);
    return err == KEER_OK;
}
#define RADAR_HEAD                                                                                                    \
    "currency USD list disposable_email = ('yopmail.net') list vpn_ranges = ('10.0.0.0/8') model m = \"m.json\" for " \
    "purchase\n"

START_TEST(radar_rules_as_they_are_pasted)
{
    static const char *const rules[] = {
        "Block if :ip_country: = 'CA' AND :amount_in_usd: > 100",
        "Block if :card_country: != :ip_country:",
        "Block if :total_charges_per_ip_address_hourly: > 5",
        "Review if is_missing(:email_domain:) OR :email_domain: IN ('yopmail.net','yandex.ru')",
        "Request 3D Secure if :risk_level: = 'elevated'",
        "Block if :risk_level: = 'highest'",
        "Allow if :email: = 'a@example.com' and :risk_level: != 'highest'",
        "Review if :risk_score: >= 65 && :risk_score: < 75",
        "Block if !(:ip_country: in ('NL', 'BE')) || :ip_address: IN @vpn_ranges",
        "Block if :email: LIKE '%@yopmail.net' and not :user_agent: INCLUDES 'Android'",
        "Block if :is_new_card_on_customer: and :hours_since_customer_was_created: < 1",
        "Block if :declined_charges_per_card_number_daily: > 3 or :card_count_for_email_weekly: >= 4",
        "Review if :is_disposable_email: AND :average_usd_amount_attempted_on_customer_all_time: < :amount_in_usd:",
        "Block if :efw_count_on_card_all_time: > 0 or :dispute_count_on_ip_weekly: > 0",
        "Block if :total_customers_with_prior_fraud_activity_for_email_yearly: > 0",
        "Allow if :total_usd_amount_successful_on_customer_all_time: > 1000 and :is_3d_secure_authenticated:",
        "Block if :minutes_since_email_first_seen: < 10 and :card_bin: = '424242'",
    };
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        char text[1000], *m;
        (void)snprintf(text, sizeof text, RADAR_HEAD "%s", rules[i]);
        bool fine = parses(text, &m);
        ck_assert_msg(fine != (strstr(rules[i], ":card_bin:") != NULL), "%s\n%s", rules[i], m);
        ck_assert_msg(fine || strstr(m, "card numbers never reach the engine"), "%s", m);
        free(m);
    }
}
END_TEST

START_TEST(every_row_of_radar_def)
{
    static const char *const names[] = {
#define RADAR(name, expression) #name,
#define RADAR_NONE(name, why) "-" #name,
#include "core/policy/radar.def"
#undef RADAR
#undef RADAR_NONE
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        bool none = names[i][0] == '-';
        char text[1000], *m;
        (void)snprintf(text, sizeof text, RADAR_HEAD "Block if is_missing(:%s:)", names[i] + none);
        ck_assert_msg(parses(text, &m) != none, "%s\n%s", names[i], m);
        ck_assert_msg(!none || strstr(m, "has no counterpart here: "), "%s", m);
        free(m);
    }
}
END_TEST

/* The 96 velocity counts and the other families: each is a window or says what it lacks. */
START_TEST(families_of_radar)
{
    static const char *const families[] = {
        "total_charges_per_", "authorized_charges_per_", "declined_charges_per_",       "blocked_charges_per_",
        "card_count_for_",    "email_count_for_",        "total_customers_for_",        "dispute_count_on_",
        "efw_count_on_",      "refund_count_on_",        "total_usd_amount_charged_on_"};
    static const char *const keys[] = {"card_number", "card", "customer",        "email",
                                       "ip_address",  "ip",   "billing_address", "shipping_address"};
    static const char *const periods[] = {"hourly", "daily", "weekly", "yearly", "all_time"};
    unsigned fine = 0;
    for (size_t f = 0; f < ARRAY_LEN(families); f++)
        for (size_t k = 0; k < ARRAY_LEN(keys); k++)
            for (size_t p = 0; p < ARRAY_LEN(periods); p++) {
                char text[1000], *m;
                (void)snprintf(text, sizeof text, RADAR_HEAD "Block if :%s%s_%s: > 5", families[f], keys[k], periods[p]);
                bool known = parses(text, &m);
                fine += known;
                ck_assert_msg(known == (k < 6), "%s\n%s", text, m);
                ck_assert_msg(known || strstr(m, "postal addresses are not part of an event"), "%s", m);
                free(m);
            }
    ck_assert_uint_eq(fine, ARRAY_LEN(families) * 6 * ARRAY_LEN(periods));
}
END_TEST

START_TEST(radar_levels_decide)
{
    struct kit k = kit_new(
        RADAR_HEAD
        "Block if :risk_level: = 'highest'\nReview if :risk_level: = 'elevated'\nRequest 3D Secure if :risk_score: > 90\n"
        "example \"levels\" { at 0 purchase: score = 0.8 expect deny by rule_line_2\n at 1s purchase: score = 0.7 expect "
        "review\n"
        "at 2s purchase: score = 0.1 expect allow\n at 3s purchase: score = 0.95 expect deny\n at 4s sign_in: score = 0.99 "
        "expect allow }");
    kit_free(&k);
}
END_TEST

/* --- limits and hostile texts --- */

static struct buf repeated(const char *head, const char *part, unsigned n, const char *tail)
{
    struct buf b;
    buf_init(&b, (size_t)4 << 20);
    buf_puts(&b, head);
    for (unsigned i = 0; i < n; i++)
        buf_puts(&b, part);
    buf_puts(&b, tail);
    return b;
}

START_TEST(hostile_texts_are_refused)
{
    static const struct {
        const char *head, *part, *tail, *want;
        unsigned n;
    } rows[] = {
        {"rule a deny if ", "(", "1", "nested too deeply", 100000},
        {"rule a deny if ", "not ", "purchase", "nested too deeply", 100000},
        {"rule a deny if 1 < ", "- ", "1", "nested too deeply", 100000},
        {"rule a deny if ", "hour > 3 and ", "hour > 4", "nested too deeply", 70000},
        {"rule a deny if 1 < ", "1 + ", "1", "nested too deeply", 200000},
        {"rule a deny if ", "is_missing(", "hour", "nested too deeply", 80000},
        {"rule a deny if ", "if(purchase, ", "1", "nested too deeply", 60000},
        {"rule a deny if count(purchase where ", "hour > 3 and ", "hour > 4) by account > 3", "nested too deeply", 70000},
        {"rule a deny if share(", "fraud and ", "hour > 4 of purchase) by account over 1d > 3", "nested too deeply", 80000},
        {"rule a deny if hour in (", "1,", "1)", "too large", 500000},
        {"example \"x\" {", "at 0s x ", "}", "'x' is not an event type", 130000},
        {"", "rule\n", "", "unexpected 'rule'", 200000},
        {"", "rule a deny if purchase\n", "", "512 rules at most", 600},
        {"", "let a = 1\n", "", "512 named expressions", 600},
        {"features amount", ", amount", "", "is named twice", 300},
        {"rule a deny if ", "\xff", "", "has no meaning here", 1000000},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b = repeated(rows[i].head, rows[i].part, rows[i].n, rows[i].tail);
        enum keer_err err;
        ck_assert(b.err == KEER_OK && b.len <= LIMIT_POLICY_BYTES);
        char *m = messages_of(b.p, &err);
        ck_assert_msg(err != KEER_OK && err != KEER_ENOMEM && strstr(m, rows[i].want), "%s...: %s: %.300s", rows[i].head,
                      keer_err_name(err), m);
        ck_assert(strlen(m) < 20000);
        free(m);
        buf_release(&b);
    }
    struct buf big = repeated("# ", "x", LIMIT_POLICY_BYTES, "\n");
    enum keer_err err;
    char *m = messages_of(big.p, &err);
    ck_err(err, KEER_ELIMIT);
    ck_assert(strstr(m, "a policy is 1048576 bytes at most") != NULL);
    free(m);
    buf_release(&big);
}
END_TEST

START_TEST(tables_have_bounds)
{
    struct buf b;
    enum keer_err err;
    char *m;
    /* kind, number, message; one more than the limit each */
    for (unsigned kind = 0; kind < 9; kind++) {
        const char *want = "";
        buf_init(&b, (size_t)1 << 20);
        switch (kind) {
        case 0: /* windows */
            want = "512 windows at most";
            for (unsigned i = 0; i < 513; i++)
                buf_fmt(&b,
                        i % 2 ? " or count(any) by account over %us > 1\n" : "deny if count(any) by account over %us > 1",
                        i + 1);
            break;
        case 1: /* kinds of key */
            want = "32 kinds of key at most";
            for (unsigned i = 0; i < 33; i++)
                buf_fmt(&b, "attribute k%u text rule r%u deny if count(any) by k%u > 1\n", i, i, i);
            break;
        case 2: /* filters of one key */
            want = "64 different filters at most";
            for (unsigned i = 0; i < 65; i++)
                buf_fmt(&b, "rule r%u deny if count(any where hour > %u) by account > 1\n", i, i);
            break;
        case 3: /* attributes */
            want = "64 attributes at most";
            for (unsigned i = 0; i < 62; i++)
                buf_fmt(&b, "attribute a%u number\n", i);
            buf_puts(&b, "rule r deny if device = card");
            break;
        case 4: /* custom event types */
            want = "custom event types at most";
            for (unsigned i = 0; i < 41; i++)
                buf_fmt(&b, "rule r%u deny if custom.t%u\n", i, i);
            break;
        case 5: /* constants */
            want = "too large: over 4096 different constants";
            for (unsigned i = 0; i < 500; i++) {
                buf_fmt(&b, "rule r%u deny if hour in (0)", i);
                for (unsigned k = 0; k < 9; k++)
                    buf_fmt(&b, " or hour > %u.%u", i, k);
                buf_char(&b, '\n');
            }
            break;
        case 6: /* instructions */
            want = "65536 instructions";
            for (unsigned i = 0; i < 500; i++) {
                buf_fmt(&b, "rule r%u deny if hour>1", i);
                for (unsigned k = 0; k < 70; k++)
                    buf_puts(&b, " and hour+hour>1");
                buf_char(&b, '\n');
            }
            break;
        case 7: /* currencies */
            want = "8 currencies at most";
            buf_puts(&b, "rates \"all\" rule r deny if amount > 1 USD");
            for (unsigned i = 0; i < 9; i++)
                buf_fmt(&b, " or amount > 1 %s",
                        (const char *[]){"AED", "ARS", "AUD", "BDT", "BGN", "BRL", "CAD", "CHF", "CNY"}[i]);
            break;
        case 8: /* names */
            want = "64 letters at most";
            buf_puts(&b, "let aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa = 1");
            break;
        }
        struct kit_file files[] = {{"all", "EUR 1\nUSD 1\nAED 1\nARS 1\nAUD 1\nBDT 1\nBGN 1\nBRL 1\nCAD 1\nCHF 1\nCNY 1\n"},
                                   {0}};
        struct keer_files from = {files, kit_read};
        struct keer_policy *p = NULL;
        err = keer_policy_new("p", b.p, b.len, &from, 0, &p, &m);
        ck_assert_msg(err == KEER_ETYPE && m && strstr(m, want), "%u: %s %s: %s", kind, want, keer_err_name(err),
                      m ? m : "");
        free(m);
        buf_release(&b);
    }
}
END_TEST

/* A chain of lets that doubles with every step is checked and planned in no time, and a long one is no recursion. */
START_TEST(lets_do_not_explode)
{
    struct buf b;
    buf_init(&b, (size_t)1 << 20);
    buf_puts(&b, "let a0 = purchase or hour > 30\n");
    for (unsigned i = 1; i < 511; i++)
        buf_fmt(&b, "let a%u = %.*sa%u and a%u\n", i, 4 * 40,
                "not not not not not not not not not not not not not not not not not not not not not not not not not not "
                "not not not not not not not not not not not not not not ",
                i - 1, i - 1);
    buf_puts(&b, "rule r deny if a510\n");
    struct kit k = kit_new(b.p);
    ck_assert(kit_decide(&k, "0 purchase") == KEER_DENY);
    ck_assert(kit_decide(&k, "0 sign_in") == KEER_ALLOW);
    kit_free(&k);
    buf_release(&b);
}
END_TEST

/* --- failing allocations --- */

static const char rich[] = "currency EUR rates \"rates\" attribute units number list l = \"words\" list nets = "
                           "('10.0.0.0/8') model m = \"m.json\" calibrated for purchase\n"
                           "window w = sum(amount of purchase in USD where units > 1 and account in l) by account, device "
                           "over 1d window d = distinct(ip of any) by account over 1d\n"
                           "let x = if(w > 3 EUR, units, coalesce(play_time, 2)) let who = last(device of any) by account\n"
                           "let hour_now = hour features amount, country, hour_now rising\n"
                           "rule a challenge if x > 1 and share(fraud of purchase) by account over 9d > 0.1 because \"it "
                           "is\" rule b review if ip in nets and who != device or d > 0\n"
                           "rule c deny if score > 2 and account like 'a%'\n"
                           "example \"e\" with account = 'a' { at 0 purchase: amount = 5 EUR, units = 3, score = 0.5 expect "
                           "allow\n at 1h chargeback: target = 'step-1' }\n";
static const char rich_model[] = "{\"learner\":{\"attributes\":{},\"feature_names\":[\"amount\",\"country\",\"hour_now\"],"
                                 "\"feature_types\":[\"float\",\"c\",\"q\"],\"gradient_booster\":{\"model\":{"
                                 "\"gbtree_model_param\":{\"num_parallel_tree\":\"1\",\"num_trees\":\"1\",\"size_leaf_"
                                 "vector\":\"0\"},\"tree_info\":[0],\"trees\":[{\"categories\":[],\"categories_nodes\":[],"
                                 "\"categories_segments\":[],\"categories_sizes\":[],\"default_left\":[1,0,0],\"left_"
                                 "children\":[1,-1,-1],\"right_children\":[2,-1,-1],\"split_conditions\":[5E1,-1E0,2E0],"
                                 "\"split_indices\":[0,0,0],\"split_type\":[0,0,0],\"sum_hessian\":[10,6,4],\"tree_param\":{"
                                 "\"num_deleted\":\"0\",\"num_feature\":\"3\",\"num_nodes\":\"3\","
                                 "\"size_leaf_vector\":\"0\"}}]},\"name\":\"gbtree\"},\"learner_model_param\":{\"base_"
                                 "score\":\"5E-1\",\"num_class\":\"0\",\"num_feature\":\"3\",\"num_target\":\"1\"},"
                                 "\"objective\":{\"name\":\"binary:logistic\"}},\"version\":[1,7,4]}";

/* The whole way; every result is either complete or KEER_ENOMEM. *ret_json: the last explanation, when it came that far. */
static enum keer_err whole_way(char **ret_json)
{
    struct kit_file files[] = {{"rates", "EUR 1\nUSD 1.15\n"}, {"words", "a\nb\n"}, {"m.json", rich_model}, {0}};
    struct keer_files from = {files, kit_read};
    struct keer_policy *p = NULL;
    struct keer_engine *e = NULL, *loaded = NULL;
    struct keer_event *ev = NULL;
    char *messages = NULL, *state = NULL;
    size_t len;
    enum keer_err err = keer_policy_new("rich", rich, strlen(rich), &from, 0, &p, &messages);
    if (err == KEER_OK)
        err = keer_engine_new(p, NULL, &e);
    if (err == KEER_OK)
        err = keer_engine_new(p, NULL, &loaded);
    if (err == KEER_OK)
        err = keer_event_new(keer_policy_schema(p), &ev);
    for (unsigned i = 0; i < 6 && err == KEER_OK; i++) {
        struct kit k = {.p = p, .e = i < 3 ? e : loaded, .ev = ev, .n = i};
        char line[100];
        (void)snprintf(line, sizeof line,
                       "%um purchase account=a%u device=d ip=10.0.0.%u amount=%u.00USD units=2 country=NL", i + 1, i % 2, i,
                       40 + 10 * i);
        kit_fill(&k, line);
        if (i == 3)
            err = keer_engine_save(e, &state, &len);
        if (i == 3 && err == KEER_OK)
            err = keer_engine_load(loaded, state, len);
        if (err == KEER_OK)
            err = keer_engine_decide(k.e, ev, &k.d);
        if (err == KEER_OK && i == 5)
            err = keer_engine_explain(loaded, ev, &k.d, ret_json, &len);
    }
    if (err != KEER_OK && err != KEER_ENOMEM)
        printf("# %s: %s\n", keer_err_name(err), messages ? messages : "");
    free(state);
    free(messages);
    keer_event_free(ev);
    keer_engine_free(loaded);
    keer_engine_free(e);
    keer_policy_free(p);
    return err;
}

START_TEST(every_allocation_may_fail)
{
    char *want = NULL, *have = NULL;
    oom_reset();
    ck_ok(whole_way(&want));
    uint64_t all = oom_count(), refused = 0;
    ck_assert(strstr(want, "\"models\":[{\"name\":\"m\"") && strstr(want, "\"saw\":["));
    for (uint64_t n = 1; n <= all; n++)
        for (unsigned persistent = 0; persistent < 2; persistent++) {
            oom_arm(n, persistent);
            enum keer_err err = whole_way(&have);
            oom_reset();
            REQUIRE(err == KEER_OK || err == KEER_ENOMEM, "allocation %llu: %s", (unsigned long long)n, keer_err_name(err));
            REQUIRE(err != KEER_OK || strcmp(have, want) == 0, "allocation %llu: another answer", (unsigned long long)n);
            refused += err == KEER_ENOMEM;
            if (err == KEER_OK)
                free(have);
        }
    printf("# %llu allocations, %llu runs refused\n", (unsigned long long)all, (unsigned long long)refused);
    ck_assert(refused > all / 2);
    ck_ok(whole_way(&have));
    ck_assert_str_eq(have, want);
    free(have);
    free(want);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("policy_syntax");
    TCase *t = tcase_create("policy_syntax");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, mistakes_are_explained);
    tcase_add_test(t, several_mistakes_in_one_run);
    tcase_add_test(t, messages_as_json);
    tcase_add_test(t, every_statement_parses);
    tcase_add_test(t, operators_bind);
    tcase_add_test(t, warnings);
    tcase_add_test(t, windows_that_ask_the_same_are_one);
    tcase_add_test(t, radar_rules_as_they_are_pasted);
    tcase_add_test(t, every_row_of_radar_def);
    tcase_add_test(t, families_of_radar);
    tcase_add_test(t, radar_levels_decide);
    tcase_add_test(t, hostile_texts_are_refused);
    tcase_add_test(t, tables_have_bounds);
    tcase_add_test(t, lets_do_not_explode);
    tcase_add_test(t, every_allocation_may_fail);
    suite_add_tcase(s, t);
    return test_main(s);
}
