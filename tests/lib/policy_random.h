/* policy_random.h - random expressions as text, and a plain recursive evaluator of the checked tree: what vm.c is compared
 * with.
 *
 * The evaluator shares nothing with compile.c and vm.c but the tree: texts are compared as texts and not by hash, lists are
 * walked, money is converted from the rates. Windows alone are taken from the engine, as they are not computed from the
 * event.
 */
#ifndef TESTS_LIB_POLICY_RANDOM_H
#define TESTS_LIB_POLICY_RANDOM_H
#include "base/rand.h"
#include "core/recall.h"
#include "lib/policy_kit.h"

/* --- the evaluator --- */

struct plain { /* number NaN and text.p NULL: missing */
    double number;
    struct slice text;
    bool fold; /* of a text that comes from an attribute without case */
};

struct plain_env {
    const struct keer_policy *p;
    const struct keer_engine *e;
    const struct keer_event *ev;
};

static const double plain_rates[CUR_MAX] = {[CUR_EUR] = 1, [CUR_USD] = 1.15, [CUR_JPY] = 160};

static inline double plain_factor(enum currency from, enum currency to)
{
    if (from == to)
        return 1;
    return plain_rates[from] != 0 && plain_rates[to] != 0
               ? plain_rates[to] / plain_rates[from] * currency_scale(to) / currency_scale(from)
               : NAN;
}

static inline double plain_money(const struct plain_env *x, unsigned slot, enum currency to)
{
    enum currency from = (enum currency)x->ev->v[slot].x.currency;
    double minor = (double)x->ev->v[slot].u.minor;
    if (from == CUR_XXX)
        from = CUR_EUR;
    return from == to ? minor : rint(minor * plain_factor(from, to));
}

static struct plain plain_eval(const struct plain_env *x, const struct ast *n);

static inline struct plain plain_name(const struct plain_env *x, const struct ast *n)
{
    struct plain v = {NAN, {NULL, 0}, false};
    switch ((enum ref_kind)n->ref_kind) {
    case REF_SLOT: {
        const struct keer_attr *attr = &x->p->schema.attrs[n->ref];
        v.fold = attr->fold;
        if (!event_has(x->ev, (unsigned)n->ref))
            return v;
        if (attr->type == KEER_TEXT || attr->type == KEER_IP)
            v.text = event_text(x->ev, (unsigned)n->ref);
        else
            v.number = attr->type == KEER_MONEY ? plain_money(x, (unsigned)n->ref, n->currency) : x->ev->v[n->ref].u.number;
        return v;
    }
    case REF_LET: return plain_eval(x, x->p->lets[n->ref].stmt->value);
    case REF_EVENT: v.number = slice_eq(event_type_name(x->ev->schema, x->ev->type), n->name); return v;
    case REF_PART: {
        struct civil c = time_civil(x->ev->time_us + 2 * US_HOUR); /* the timezone of random_policy */
        v.number = (double)(n->ref == PART_HOUR ? c.hour : n->ref == PART_WEEKDAY ? c.weekday : c.hour * 60 + c.minute);
        return v;
    }
    default: ck_abort_msg("a name that random expressions do not use"); return v;
    }
}

static inline bool plain_equal(struct plain a, struct plain b)
{
    return a.fold || b.fold ? slice_eqi(a.text, b.text) : slice_eq(a.text, b.text);
}

static inline double plain_compare(const struct ast *n, struct plain a, struct plain b)
{
    if (n->a->type == TYPE_TEXT) {
        if (!a.text.p || !b.text.p)
            return NAN;
        return plain_equal(a, b) == (n->op == OP_EQ);
    }
    if (n->a->type == TYPE_MONEY && n->a->currency != n->b->currency)
        b.number *= plain_factor(n->b->currency, n->a->currency);
    if (isnan(a.number) || isnan(b.number))
        return NAN;
    switch (n->op) {
    case OP_EQ: return a.number == b.number;
    case OP_NE: return a.number != b.number;
    case OP_LT: return a.number < b.number;
    case OP_LE: return a.number <= b.number;
    case OP_GT: return a.number > b.number;
    default: return a.number >= b.number;
    }
}

/* 'a%b_': each pattern byte in turn, % by trying all lengths. */
static inline bool plain_like(struct slice s, struct slice pattern, bool fold)
{
    if (pattern.len == 0)
        return s.len == 0;
    struct slice rest = slice_of(pattern.p + 1, pattern.len - 1);
    if (pattern.p[0] == '%') {
        for (size_t i = 0; i <= s.len; i++)
            if (plain_like(slice_of(s.p + i, s.len - i), rest, fold))
                return true;
        return false;
    }
    if (s.len == 0)
        return false;
    bool same = pattern.p[0] == '_' || s.p[0] == pattern.p[0] || (fold && ascii_lower(s.p[0]) == ascii_lower(pattern.p[0]));
    return same && plain_like(slice_of(s.p + 1, s.len - 1), rest, fold);
}

static inline double plain_binary(const struct plain_env *x, const struct ast *n)
{
    struct plain a = plain_eval(x, n->a), b = plain_eval(x, n->b);
    switch (n->op) {
    case OP_AND: return a.number == 0 || b.number == 0 ? 0 : isnan(a.number) || isnan(b.number) ? NAN : 1;
    case OP_OR: return a.number == 1 || b.number == 1 ? 1 : isnan(a.number) || isnan(b.number) ? NAN : 0;
    case OP_LIKE: return !a.text.p ? NAN : plain_like(a.text, b.text, a.fold);
    case OP_INCLUDES: {
        bool found = false;
        if (!a.text.p)
            return NAN;
        for (size_t i = 0; i + b.text.len <= a.text.len; i++) {
            struct slice part = slice_of(a.text.p + i, b.text.len);
            found |= a.fold ? slice_eqi(part, b.text) : slice_eq(part, b.text);
        }
        return found;
    }
    case OP_ADD:
    case OP_SUB:
        if (n->type == TYPE_MONEY && n->a->currency != n->b->currency)
            b.number *= plain_factor(n->b->currency, n->a->currency);
        return n->op == OP_ADD ? a.number + b.number : a.number - b.number;
    case OP_MUL: return a.number * b.number;
    case OP_DIV:
        if (n->a->type == TYPE_MONEY && n->b->type == TYPE_MONEY && n->a->currency != n->b->currency)
            b.number *= plain_factor(n->b->currency, n->a->currency);
        return b.number == 0 ? NAN : a.number / b.number;
    default: return plain_compare(n, a, b);
    }
}

static inline struct plain plain_call(const struct plain_env *x, const struct ast *n)
{
    struct plain v = {NAN, {NULL, 0}, false}, arg[3] = {v, v, v};
    unsigned k = 0;
    for (const struct ast_list *l = n->args; l; l = l->next, k++) {
        arg[k] = plain_eval(x, l->item);
        if (n->type == TYPE_MONEY && l->item->type == TYPE_MONEY && l->item->currency != n->currency)
            arg[k].number *= plain_factor(l->item->currency, n->currency);
    }
    double a = arg[0].number, b = arg[1].number;
    bool known = !isnan(a) && !isnan(b);
#define IS(word) slice_eq(n->name, SLICE(word))
    if (IS("is_missing"))
        v.number = n->args->item->type == TYPE_TEXT ? arg[0].text.p == NULL : isnan(a);
    else if (IS("coalesce")) {
        bool first = n->type == TYPE_TEXT ? arg[0].text.p != NULL : !isnan(a);
        v = arg[first ? 0 : 1];
        v.fold = arg[0].fold || arg[1].fold;
    } else if (IS("if")) {
        if (!isnan(a))
            v = arg[a != 0 ? 1 : 2];
        v.fold = arg[1].fold || arg[2].fold;
    } else if (IS("least"))
        v.number = known ? fmin(a, b) : NAN;
    else if (IS("greatest"))
        v.number = known ? fmax(a, b) : NAN;
    else if (IS("abs"))
        v.number = a < 0 ? -a : a;
    else if (IS("floor"))
        v.number = floor(a);
    else if (IS("log"))
        v.number = a > 0 ? log(a) : NAN;
    else if (IS("sqrt"))
        v.number = a >= 0 ? sqrt(a) : NAN;
    else if (IS("major"))
        v.number = a * (1 / currency_scale(n->args->item->currency));
    else
        v.number = a * (1 / (IS("seconds") ? 1.0 : IS("minutes") ? 60.0 : IS("hours") ? 3600.0 : 86400.0));
#undef IS
    return v;
}

static inline double plain_in(const struct plain_env *x, const struct ast *n)
{
    struct plain a = plain_eval(x, n->a);
    const struct ast *slot = ast_through(x->p, n->a);
    bool ip = slot->ref_kind == REF_SLOT && x->p->schema.attrs[slot->ref].type == KEER_IP;
    if (n->a->type == TYPE_TEXT ? !a.text.p : isnan(a.number))
        return NAN;
    for (const struct ast_list *l = x->p->lists[n->set->index].items; l; l = l->next) {
        struct ip_range range, one;
        if (ip && ip_parse(l->item->name, &range) && ip_parse(a.text, &one) && one.from >= range.from &&
            one.from <= range.to)
            return 1;
        if (!ip && (n->a->type == TYPE_TEXT ? plain_equal(a, (struct plain){NAN, l->item->name, false})
                                            : a.number == l->item->number))
            return 1;
    }
    return 0;
}

static struct plain plain_eval(const struct plain_env *x, const struct ast *n)
{
    struct plain v = {NAN, {NULL, 0}, false};
    switch (n->kind) {
    case AST_NUMBER:
    case AST_BOOL: v.number = n->number; break;
    case AST_MONEY: v.number = rint(n->number * currency_scale(currency_parse(n->name))); break;
    case AST_DURATION: v.number = (double)n->duration_us * 1e-6; break;
    case AST_TEXT: v.text = n->name; break;
    case AST_NAME: return plain_name(x, n);
    case AST_NOT: v.number = 1 - plain_eval(x, n->a).number; break;
    case AST_NEGATE: v.number = -plain_eval(x, n->a).number; break;
    case AST_BINARY: v.number = plain_binary(x, n); break;
    case AST_CALL: return plain_call(x, n);
    case AST_WINDOW: v.number = x->e->registers[x->p->window_reg + (unsigned)n->window->index]; break;
    case AST_IN: v.number = plain_in(x, n); break;
    case AST_CONVERT: v.number = plain_eval(x, n->a).number * plain_factor(n->a->currency, currency_parse(n->name)); break;
    case AST_KIND_MAX: break;
    }
    return v;
}

/* --- random texts --- */

struct random_text {
    struct rng r;
    struct buf out;
    unsigned lets[TYPE_KIND_MAX]; /* how many of each type there are: n3, m0, d1, b7, s2 */
};

static inline const char *pick(struct random_text *x, const char *const *words, size_t n)
{
    return words[rng_below(&x->r, n)];
}
#define PICK(x, ...) \
    pick((x), (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static const char random_letter[TYPE_KIND_MAX] = {
    [TYPE_NUMBER] = 'n', [TYPE_MONEY] = 'm', [TYPE_DURATION] = 'd', [TYPE_BOOL] = 'b', [TYPE_TEXT] = 's'};

static void random_expr(struct random_text *x, enum type_kind type, int depth);

static inline void random_call(struct random_text *x, const char *name, enum type_kind a, enum type_kind b, int depth)
{
    buf_fmt(&x->out, "%s(", name);
    random_expr(x, a, depth);
    if (b != TYPE_ERROR) {
        buf_puts(&x->out, ", ");
        random_expr(x, b, depth);
    }
    buf_char(&x->out, ')');
}

static inline void random_pair(struct random_text *x, enum type_kind a, const char *op, enum type_kind b, int depth)
{
    buf_char(&x->out, '(');
    random_expr(x, a, depth);
    buf_fmt(&x->out, " %s ", op);
    random_expr(x, b, depth);
    buf_char(&x->out, ')');
}

static inline void random_if(struct random_text *x, enum type_kind type, int depth)
{
    buf_puts(&x->out, "if(");
    random_expr(x, TYPE_BOOL, depth);
    buf_puts(&x->out, ", ");
    random_expr(x, type, depth);
    buf_puts(&x->out, ", ");
    random_expr(x, type, depth);
    buf_char(&x->out, ')');
}

static inline void random_leaf(struct random_text *x, enum type_kind type)
{
    if (type != TYPE_TEXT && x->lets[type] && rng_chance(&x->r, 0.3)) {
        buf_fmt(&x->out, "%c%u", random_letter[type], (unsigned)rng_below(&x->r, x->lets[type]));
        return;
    }
    switch (type) {
    case TYPE_NUMBER:
        buf_puts(&x->out, PICK(x, "units", "score_a", "units", "score_a", "hour", "weekday", "minute_of_day", "0", "1", "2",
                               "2.5", "-1", "1e6", "w_count"));
        break;
    case TYPE_MONEY:
        buf_puts(&x->out, PICK(x, "amount", "amount", "fee", "fee", "0 EUR", "1 EUR", "2.50 USD", "160 JPY", "3 EUR",
                               "w_sum", "w_usd"));
        break;
    case TYPE_DURATION: buf_puts(&x->out, PICK(x, "0s", "90s", "1h", "1d12h", "w_since", "w_age")); break;
    case TYPE_BOOL:
        buf_puts(&x->out, PICK(x, "vip", "flag", "vip", "flag", "purchase", "sign_in", "custom.x", "true", "false"));
        break;
    default: buf_puts(&x->out, PICK(x, "account", "device", "'a'", "'A'", "'b'", "'nl'")); break;
    }
}

static inline void random_condition(struct random_text *x, int depth)
{
    const char *compare = PICK(x, "=", "!=", "<", "<=", ">", ">=");
    switch (rng_below(&x->r, 16)) {
    case 0:
    case 1: random_pair(x, TYPE_BOOL, "and", TYPE_BOOL, depth); break;
    case 2:
    case 3: random_pair(x, TYPE_BOOL, "or", TYPE_BOOL, depth); break;
    case 4:
        buf_puts(&x->out, "(not ");
        random_expr(x, TYPE_BOOL, depth);
        buf_char(&x->out, ')');
        break;
    case 5: random_pair(x, TYPE_NUMBER, compare, TYPE_NUMBER, depth); break;
    case 6: random_pair(x, TYPE_MONEY, compare, TYPE_MONEY, depth); break;
    case 7: random_pair(x, TYPE_DURATION, compare, TYPE_DURATION, depth); break;
    case 8: random_pair(x, TYPE_TEXT, PICK(x, "=", "!="), TYPE_TEXT, depth); break;
    case 9:
        buf_fmt(&x->out, "(%s ", PICK(x, "country", "ip_country", "email"));
        buf_fmt(&x->out, "%s ", PICK(x, "=", "!="));
        buf_fmt(&x->out, "%s)",
                PICK(x, "'NL'", "country", "email", "account", "if(vip, 'nl', 'A')", "coalesce('nl', ip_country)"));
        break;
    case 10:
        random_call(
            x, "is_missing",
            (enum type_kind)(int[]){TYPE_NUMBER, TYPE_MONEY, TYPE_DURATION, TYPE_BOOL, TYPE_TEXT}[rng_below(&x->r, 5)],
            TYPE_ERROR, depth);
        break;
    case 11:
        buf_char(&x->out, '(');
        random_expr(x, TYPE_NUMBER, depth);
        buf_puts(&x->out, PICK(x, " in (1, 2, 2.5)", " not in (-1, 0, 1e6)", " in numbers"));
        buf_char(&x->out, ')');
        break;
    case 12:
        buf_fmt(&x->out, "(%s ", PICK(x, "account", "country", "email", "alias", "if(flag, 'a', account)"));
        buf_fmt(&x->out, "%s)", PICK(x, "in ('a', 'NL')", "not in words", "in @words"));
        break;
    case 13:
        buf_fmt(&x->out, "(%s ", PICK(x, "ip", "from"));
        buf_fmt(&x->out, "%s)", PICK(x, "in ('10.0.0.0/8', '::1')", "not in nets"));
        break;
    case 14:
        buf_fmt(&x->out, "(%s ", PICK(x, "account", "country", "email", "alias"));
        buf_fmt(&x->out, "%s ", PICK(x, "like", "includes", "not like", "not includes"));
        buf_fmt(&x->out, "%s)", PICK(x, "'%a%'", "'a'", "'N_'", "'%'", "''", "'l'"));
        break;
    default: random_pair(x, TYPE_BOOL, PICK(x, "=", "!="), TYPE_BOOL, depth); break;
    }
}

static void random_expr(struct random_text *x, enum type_kind type, int depth)
{
    if (depth <= 0 || rng_chance(&x->r, 0.15)) {
        random_leaf(x, type);
        return;
    }
    depth--;
    if (type == TYPE_BOOL && rng_chance(&x->r, 0.8)) {
        random_condition(x, depth);
        return;
    }
    uint64_t form = rng_below(&x->r, 10);
    if (form == 0)
        random_if(x, type, depth);
    else if (form == 1)
        random_call(x, "coalesce", type, type, depth);
    else if (type == TYPE_BOOL || type == TYPE_TEXT)
        random_leaf(x, type);
    else if (form == 2)
        random_call(x, PICK(x, "least", "greatest"), type, type, depth);
    else if (form == 3)
        random_call(x, "abs", type, TYPE_ERROR, depth);
    else if (form == 4) {
        buf_puts(&x->out, "(-");
        random_expr(x, type, depth);
        buf_char(&x->out, ')');
    } else if (form == 5 && type == TYPE_MONEY) {
        buf_char(&x->out, '(');
        random_expr(x, type, depth);
        buf_fmt(&x->out, " in %s)", PICK(x, "USD", "EUR", "JPY"));
    } else if (form == 5 && type == TYPE_NUMBER)
        random_call(x, PICK(x, "floor", "log", "sqrt"), type, TYPE_ERROR, depth);
    else if (form == 6 && type == TYPE_NUMBER)
        random_call(x, PICK(x, "seconds", "minutes", "hours", "days"), TYPE_DURATION, TYPE_ERROR, depth);
    else if (form == 7 && type == TYPE_NUMBER)
        random_call(x, "major", TYPE_MONEY, TYPE_ERROR, depth);
    else if (form == 8 && type == TYPE_NUMBER)
        random_pair(x, TYPE_MONEY, "/", TYPE_MONEY, depth);
    else if (form == 8)
        random_pair(x, type, "/", TYPE_NUMBER, depth);
    else if (form == 9)
        random_pair(x, TYPE_NUMBER, "*", type, depth);
    else
        random_pair(x, type, PICK(x, "+", "-"), type, depth);
}

static const char random_head[] = "currency EUR rates \"rates\" timezone \"+02:00\" attribute units number attribute "
                                  "score_a number attribute vip boolean attribute flag boolean attribute fee money\n"
                                  "list words = ('a', 'nl', 'x@y') list nets = ('10.1.0.0/16') list numbers = (0, 2)\n"
                                  "let from = ip let alias = email\n"
                                  "window w_count = count(any) by account window w_sum = sum(amount of any) by account over "
                                  "1d window w_usd = mean(fee of any in USD) by device\n"
                                  "window w_since = time since(purchase) by account window w_age = age(any) by device\n";

static inline void random_event(struct rng *r, struct buf *out, unsigned i)
{
    static const struct {
        const char *name, *values[6];
    } attrs[] = {{"account", {"a", "b", "A", "nl", "x@y", "aa"}},
                 {"device", {"a", "b", "d", "A", "nl", "e"}},
                 {"country", {"NL", "nl", "a", "A", "be", "Nl"}},
                 {"ip_country", {"NL", "a", "be", "nL", "A", "b"}},
                 {"email", {"X@Y", "x@y", "a", "A", "nl", "balL"}},
                 {"ip", {"10.1.2.3", "10.2.0.0", "::1", "::ffff:10.1.0.1", "junk", "11.0.0.1"}},
                 {"units", {"0", "1", "2", "2.5", "-1", "-0"}},
                 {"score_a", {"0", "1", "2.5", "1e6", "-3", "0.1"}},
                 {"vip", {"true", "false", "true", "false", "true", "false"}},
                 {"flag", {"true", "false", "false", "false", "true", "true"}},
                 {"amount", {"0EUR", "1.00EUR", "2.50USD", "160JPY", "300", "5.00GBP"}},
                 {"fee", {"1.00EUR", "-3.00EUR", "2.50USD", "1", "0JPY", "100"}}};
    static const char *const types[] = {"purchase", "sign_in", "custom.x", "custom.unknown", "top_up"};
    buf_fmt(out, "%um %s", i * 47 + 1, types[rng_below(r, ARRAY_LEN(types))]);
    for (size_t k = 0; k < ARRAY_LEN(attrs); k++)
        if (!rng_chance(r, 0.25))
            buf_fmt(out, " %s=%s", attrs[k].name, attrs[k].values[rng_below(r, 6)]);
}

static inline enum keer_outcome random_outcome(const struct plain_env *x)
{
    bool challenge = false;
    for (unsigned action = 0; action < ACTION_MAX; action++)
        for (unsigned i = 0; i < x->p->rule_count; i++) {
            const struct stmt_rule *s = x->p->rules[i].stmt;
            if ((unsigned)s->action != action || plain_eval(x, s->when).number != 1)
                continue;
            if (action == ACTION_CHALLENGE)
                challenge = true;
            else
                return action == ACTION_DENY    ? KEER_DENY
                       : challenge              ? KEER_CHALLENGE
                       : action == ACTION_ALLOW ? KEER_ALLOW
                                                : KEER_REVIEW;
        }
    return challenge ? KEER_CHALLENGE : KEER_ALLOW;
}

/* The decision made again from its record, by an engine that has seen nothing else, is explained in the same words. */
static inline void recall_agrees(struct keer_engine *other, const struct kit *k, enum explain_form form, struct slice told)
{
    struct buf record, out;
    struct keer_decision d;
    buf_init(&record, RECALL_BYTES);
    buf_init(&out, (size_t)1 << 20);
    REQUIRE(engine_record(k->e, k->ev, &k->d, &record) == KEER_OK, "record");
    REQUIRE(engine_recall(other, k->ev, buf_view(&record), &d) == KEER_OK, "recall");
    REQUIRE(engine_explain(other, k->ev, &d, form, 0, &out) == KEER_OK, "explain");
    REQUIRE(slice_eq(buf_view(&out), told), "recalled:\n%s\ndecided:\n%s", out.p, told.p);
    buf_release(&record);
    buf_release(&out);
}

/* One random policy over some events: every named expression and the outcome against the evaluator. */
static inline void random_round(uint64_t seed, uint64_t *pairs, uint64_t *known)
{
    static const enum type_kind types[] = {TYPE_NUMBER, TYPE_MONEY, TYPE_DURATION, TYPE_BOOL, TYPE_BOOL};
    static struct kit_file files[] = {{"rates", "EUR 1\nUSD 1.15\nJPY 160\n"}, {0}};
    struct random_text x = {0};
    rng_seed(&x.r, seed);
    buf_init(&x.out, (size_t)1 << 20);
    buf_puts(&x.out, random_head);
    for (unsigned i = 0; i < 24; i++) {
        enum type_kind type = types[rng_below(&x.r, ARRAY_LEN(types))];
        buf_fmt(&x.out, "let %c%u = ", random_letter[type], x.lets[type]);
        random_expr(&x, type, 4);
        x.lets[type]++;
        buf_char(&x.out, '\n');
    }
    for (unsigned i = 0; i < 8; i++) {
        buf_fmt(&x.out, "rule r%u %s if ", i, PICK(&x, "challenge", "allow", "deny", "review"));
        random_expr(&x, TYPE_BOOL, 4);
        buf_char(&x.out, '\n');
    }
    buf_puts(&x.out, "features w_count, w_sum, w_usd, w_since, w_age"); /* all lets are features, so that all are computed
                                                                           for all events */
    for (enum type_kind type = TYPE_NUMBER; type <= TYPE_BOOL; type++)
        for (unsigned i = 0; i < x.lets[type]; i++)
            buf_fmt(&x.out, ", %c%u", random_letter[type], i);
    struct kit k = kit_files(x.out.p, files);
    struct keer_engine *other;
    REQUIRE(keer_engine_new(k.p, NULL, &other) == KEER_OK, "engine");
    for (unsigned i = 0; i < 8; i++) {
        struct buf line, out;
        buf_init(&line, 4096);
        random_event(&x.r, &line, i);
        enum keer_outcome outcome = kit_decide(&k, line.p);
        struct plain_env env = {k.p, k.e, k.ev};
        for (unsigned l = 0; l < k.p->let_count; l++) {
            const struct policy_let *let = &k.p->lets[l];
            if (let->stmt->value->type == TYPE_TEXT)
                continue;
            double have = k.e->registers[let->reg], want = plain_eval(&env, let->stmt->value).number;
            REQUIRE(have == want || (isnan(have) && isnan(want)), "seed %llu, %s: %.*s is %.17g, want %.17g in\n%s",
                    (unsigned long long)seed, line.p, SLICE_ARG(let->stmt->name), have, want, x.out.p);
            *known += isnan(want) ? 0 : 1;
            ++*pairs;
        }
        REQUIRE(outcome == random_outcome(&env), "seed %llu, %s: %s in\n%s", (unsigned long long)seed, line.p,
                keer_outcome_name(outcome), x.out.p);
        buf_init(&out, (size_t)1 << 20);
        enum explain_form form = i & 1 ? EXPLAIN_JSON : EXPLAIN_TEXT;
        REQUIRE(engine_explain(k.e, k.ev, &k.d, form, 0, &out) == KEER_OK, "explain");
        recall_agrees(other, &k, form, buf_view(&out));
        buf_release(&out);
        buf_release(&line);
    }
    keer_engine_free(other);
    kit_free(&k);
    buf_release(&x.out);
}
#endif
