/* check.c - names and types: every node gets its type, every name what it stands for, or a message says what was
 * expected. */
#include <math.h>

#include "base/num.h"
#include "core/policy/policy.h"
#include "policy_grammar.h"

const char *type_word(enum type_kind t)
{
    static const char *const words[] = {
        [TYPE_ERROR] = "nothing",       [TYPE_NUMBER] = "a number",  [TYPE_MONEY] = "an amount of money",
        [TYPE_DURATION] = "a duration", [TYPE_BOOL] = "a condition", [TYPE_TEXT] = "a text",
        [TYPE_LABEL] = "a label"};
    static_assert(ARRAY_LEN(words) == TYPE_KIND_MAX, "a word for each type");
    return words[t];
}

static void error_at(struct check *c, const struct ast *n, const char *hint, const char *fmt, ...) KEER_PRINTF(4, 5);
static void error_at(struct check *c, const struct ast *n, const char *hint, const char *fmt, ...)
{
    char what[300];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    diag_add(c->diags, DIAG_ERROR, n->at, hint, "%s", what);
}

/* --- did you mean --- */

static void nearer(struct slice name, struct slice candidate, unsigned *best, struct slice *ret_best)
{
    unsigned d = slice_distance(name, candidate, 3);
    if (d < *best && d * 3 <= name.len + 1) {
        *best = d;
        *ret_best = candidate;
    }
}

void check_suggest(const struct check *c, struct slice name, char *hint, size_t size)
{
    unsigned best = 4;
    struct slice found = {NULL, 0};
    struct keer_attr attr;
    const char *doc, *event;
    bool label;
    for (unsigned i = 0; i < c->lets_known; i++)
        nearer(name, c->p->lets[i].stmt->name, &best, &found);
    for (unsigned i = 0; i < c->p->schema.count; i++)
        nearer(name, c->p->schema.attrs[i].name, &best, &found);
    for (unsigned i = 0; attr_known_row(i, &attr, &doc); i++)
        nearer(name, attr.name, &best, &found);
    for (unsigned i = 0; event_known_row(i, &event, &label, &doc); i++)
        nearer(name, slice_str(event), &best, &found);
    for (const struct stmt_list *l = c->p->ast.lists; l; l = l->next)
        nearer(name, l->name, &best, &found);
    unsigned at = 0;
    for (const struct stmt_let *s = c->p->ast.lets; s; s = s->next, at++)
        if (at >= c->lets_known && slice_eq(name, s->name)) {
            (void)snprintf(hint, size, "it is defined further down: names are defined before they are used");
            return;
        }
    if (found.p)
        (void)snprintf(hint, size, "did you mean '%.*s'?", SHOWN(found));
    else
        (void)snprintf(hint, size,
                       "declare it with `attribute %.*s text` (or number, boolean, money, ip), `let` or `window`",
                       SHOWN(name));
}

/* --- names --- */

static const struct {
    const char *name;
    enum vm_part part;
} parts[] = {{"hour", PART_HOUR}, {"weekday", PART_WEEKDAY}, {"minute_of_day", PART_MINUTE}, {"day", PART_DAY}};

bool check_name_slot(struct check *c, struct ast *n)
{
    unsigned slot;
    if (n->kind != AST_NAME || n->meta)
        return false;
    int found = keer_schema_find(&c->p->schema, n->name.p, n->name.len);
    if (found < 0) {
        enum keer_err err = schema_add_known(&c->p->schema, n->name, &slot);
        if (err == KEER_ENOMEM)
            c->failed_alloc = true;
        if (err == KEER_ELIMIT)
            error_at(c, n, "", "a policy can use %d attributes at most", LIMIT_ATTRS);
        if (err != KEER_OK)
            return false;
        found = (int)slot;
    }
    const struct keer_attr *attr = &c->p->schema.attrs[found];
    static const enum type_kind types[] = {[KEER_TEXT] = TYPE_TEXT,
                                           [KEER_NUMBER] = TYPE_NUMBER,
                                           [KEER_BOOLEAN] = TYPE_BOOL,
                                           [KEER_MONEY] = TYPE_MONEY,
                                           [KEER_IP] = TYPE_TEXT};
    n->ref_kind = REF_SLOT;
    n->ref = found;
    n->type = types[attr->type];
    n->fold = attr->fold;
    n->currency = c->p->currency;
    return true;
}

/* `let limit = 30 EUR`: a name for a value is that value, also in a `where` and beside texts that do not mind case. */
static bool name_constant(const struct check *c, struct ast *n, const struct ast *value)
{
    bool constant = value->kind == AST_NUMBER || value->kind == AST_MONEY || value->kind == AST_DURATION ||
                    value->kind == AST_TEXT || value->kind == AST_BOOL;
    if (!constant || value->type == TYPE_ERROR || c->where == IN_FEATURE)
        return false;
    n->kind = value->kind;
    n->name = value->name;
    n->number = value->number;
    n->duration_us = value->duration_us;
    n->type = value->type;
    n->currency = value->currency;
    return true;
}

static bool name_let(struct check *c, struct ast *n)
{
    for (unsigned i = c->lets_known; i > 0; i--) {
        struct policy_let *let = &c->p->lets[i - 1];
        if (!slice_eq(let->stmt->name, n->name))
            continue;
        let->stmt->uses++;
        if (name_constant(c, n, let->stmt->value))
            return true;
        n->ref_kind = REF_LET;
        n->ref = (int)i - 1;
        n->type = let->stmt->value->type;
        n->fold = let->stmt->value->fold;
        n->currency = let->stmt->value->currency;
        c->uses_score |= let->after_score;
        if (c->where == IN_WHERE)
            error_at(c, n, "a `where` sees the attributes of the event that is counted; put what you need in it itself",
                     "'%.*s' is not known when an event is remembered", SHOWN(n->name));
        return true;
    }
    return false;
}

static bool name_score(struct check *c, struct ast *n)
{
    int found = slice_eq(n->name, SLICE("score")) ? 0 : -1;
    for (unsigned i = 0; i < c->p->model_count; i++)
        if (slice_eq(c->p->models[i].stmt->name, n->name))
            found = (int)i;
    if (found < 0)
        return false;
    if (c->p->model_count == 0)
        error_at(c, n, "name one: model NAME = \"file.json\"", "the policy has no model that could give a score");
    n->ref_kind = REF_SCORE;
    n->ref = found;
    n->type = TYPE_NUMBER;
    c->uses_score = true;
    if (c->where == IN_WHERE)
        error_at(c, n, "", "a `where` cannot ask for a score");
    return true;
}

static bool name_radar(struct check *c, struct ast *n)
{
    struct buf text;
    const char *why = NULL;
    buf_init(&text, 4096);
    bool known = radar_expression(n->name, &text, &why);
    c->failed_alloc |= text.err == KEER_ENOMEM;
    if (known && text.err == KEER_OK) {
        n->same = policy_parse_expression(buf_view(&text), n->at, &c->p->arena, c->diags);
        c->failed_alloc |= !n->same; /* radar.def is right: only memory can be missing */
        if (n->same) {
            check_expr(c, n->same);
            n->ref_kind = REF_SAME;
            n->type = n->same->type;
            n->fold = n->same->fold;
            n->currency = n->same->currency;
        }
    } else if (why) {
        error_at(c, n, "if your events carry it, declare it: `attribute NAME text` (or number, boolean)",
                 "Radar's :%.*s: has no counterpart here: %s", SHOWN(n->name), why);
    }
    buf_release(&text);
    return known || why;
}

/* Whether the text defines the name in a statement that did not parse: that was said, and its uses are not mistakes of their
 * own. */
static bool defined_badly(struct check *c, struct slice name)
{
    if (!c->p->syntax || ++c->looked > LIMIT_POLICY_ERRORS)
        return false;
    size_t cursor = 0;
    for (struct token t = {.kind = 1}, before = t; t.kind != 0; before = t) {
        t = policy_lex(c->p->text, &cursor);
        if ((before.kind == TK_LET || before.kind == TK_WINDOW || before.kind == TK_LIST || before.kind == TK_MODEL ||
             before.kind == TK_ATTRIBUTE) &&
            slice_eq(t.text, name))
            return true;
    }
    return false;
}

static void check_name(struct check *c, struct ast *n)
{
    char hint[200];
    if (n->meta) {
        error_at(c, n, "declare an attribute and set it in your events, then use its name",
                 "Radar's metadata %.*s has no counterpart here", SHOWN(n->name));
        return;
    }
    if (name_let(c, n))
        return;
    if (check_name_slot(c, n) || name_score(c, n))
        return;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (slice_eq(n->name, slice_str(parts[i].name))) {
            n->ref_kind = REF_PART;
            n->ref = (int)parts[i].part;
            n->type = TYPE_NUMBER;
            return;
        }
    int type = keer_schema_event_type(&c->p->schema, n->name.p, n->name.len);
    if (type >= 0) {
        unsigned at;
        enum keer_err err = schema_add_type(&c->p->schema, n->name, &at);
        c->failed_alloc |= err == KEER_ENOMEM;
        if (err == KEER_ELIMIT)
            error_at(c, n, "", "a policy can name %d custom event types at most", EVENT_TYPES_MAX - KEER_EVENT_MAX);
        n->ref_kind = REF_EVENT;
        n->ref = err == KEER_OK ? (int)at : 0;
        n->type = TYPE_BOOL;
        return;
    }
    if (slice_eq(n->name, SLICE("fraud")) || slice_eq(n->name, SLICE("genuine")) || slice_eq(n->name, SLICE("labelled"))) {
        error_at(
            c, n,
            "a label is known later than the event: it can be counted, as in share(fraud of purchase) by terminal over 28d",
            "'%.*s' can only be used in a window: share(%.*s of ...), or as a part of its `where` joined with `and`",
            SHOWN(n->name), SHOWN(n->name));
        return;
    }
    if (name_radar(c, n))
        return;
    if (defined_badly(c, n->name))
        return;
    check_suggest(c, n->name, hint, sizeof hint);
    if (n->radar && !strchr(hint, '?'))
        error_at(c, n, "if your events carry it, declare it: `attribute NAME text` (or number, boolean)",
                 "Radar's :%.*s: has no counterpart here", SHOWN(n->name));
    else
        error_at(c, n, hint, "unknown name '%.*s'", SHOWN(n->name));
}

void check_suggest_event(const struct check *c, struct slice name, char *hint, size_t size)
{
    unsigned best = 4;
    struct slice found = {NULL, 0};
    const char *event, *doc;
    bool label;
    for (unsigned i = 0; event_known_row(i, &event, &label, &doc); i++)
        nearer(name, slice_str(event), &best, &found);
    for (unsigned i = KEER_EVENT_MAX; i < c->p->schema.type_count; i++)
        nearer(name, c->p->schema.types[i], &best, &found);
    if (found.p)
        (void)snprintf(hint, size, "did you mean '%.*s'?", SHOWN(found));
    else
        (void)snprintf(hint, size, "event types are listed by `keer --describe=events`; others are written custom.NAME");
}

uint64_t check_types(struct check *c, struct ast_list *names)
{
    uint64_t mask = 0;
    for (struct ast_list *l = names; l; l = l->next) {
        struct ast *n = l->item;
        unsigned type;
        if (n->kind == AST_NAME && slice_eq(n->name, SLICE("any"))) {
            mask = ~(uint64_t)0;
            continue;
        }
        enum keer_err err = n->kind == AST_NAME ? schema_add_type(&c->p->schema, n->name, &type) : KEER_EMISSING;
        if (err == KEER_OK) {
            mask |= (uint64_t)1 << type;
            continue;
        }
        c->failed_alloc |= err == KEER_ENOMEM;
        char hint[200];
        check_suggest_event(c, n->kind == AST_NAME ? n->name : SLICE(""), hint, sizeof hint);
        if (n->kind == AST_NAME)
            error_at(c, n, hint, "'%.*s' is not an event type", SHOWN(n->name));
        else
            error_at(c, n, hint, "expected an event type");
    }
    return mask;
}

/* --- operators --- */

int check_conversion(struct check *c, enum currency to)
{
    struct keer_policy *p = c->p;
    for (unsigned i = 0; i < p->conversion_count; i++)
        if (p->conversions[i].to == to)
            return (int)i;
    if (p->conversion_count == LIMIT_CONVERSIONS || to == CUR_MAX)
        return -1;
    struct vm_conversion *v = &p->conversions[p->conversion_count];
    v->to = to;
    for (unsigned from = 0; from < CUR_MAX; from++)
        v->factor[from] = p->rate[to] / p->rate[from] * currency_scale(to) / currency_scale((enum currency)from);
    v->factor[to] = 1;
    v->factor[CUR_XXX] = v->factor[p->currency]; /* an amount without a currency is in the policy's own */
    return (int)p->conversion_count++;
}

bool check_convertible(struct check *c, struct span_at at, enum currency to)
{
    const struct keer_policy *p = c->p;
    if (to == p->currency)
        return true;
    if (!p->has_rates)
        diag_add(c->diags, DIAG_ERROR, at,
                 "name a file of rates: rates \"rates.txt\"; or write amounts in the policy's currency",
                 "the policy counts in %s and has no rates to convert to %s", currency_code(p->currency), currency_code(to));
    else if (isnan(p->rate[to]))
        diag_add(c->diags, DIAG_ERROR, at, "add a line to the file of rates", "the rates have no %s", currency_code(to));
    else if (check_conversion(c, to) < 0)
        diag_add(c->diags, DIAG_ERROR, at, "", "a policy can use %u currencies at most", LIMIT_CONVERSIONS);
    else
        return true;
    return false;
}

/* An amount of the event beside an amount in another currency is converted at once: by way of the policy's currency it would
 * be rounded twice. */
static void meet_currency(struct check *c, struct ast *a, struct ast *b)
{
    if (a->type != TYPE_MONEY || b->type != TYPE_MONEY || a->currency == b->currency)
        return;
    struct ast *slot = a->kind == AST_NAME && a->ref_kind == REF_SLOT   ? a
                       : b->kind == AST_NAME && b->ref_kind == REF_SLOT ? b
                                                                        : NULL;
    enum currency to = slot == a ? b->currency : a->currency;
    if (slot && check_conversion(c, to) >= 0)
        slot->currency = to;
}

static void check_text_test(struct check *c, struct ast *n)
{
    n->type = TYPE_BOOL;
    const char *word = n->op == OP_LIKE ? "LIKE" : "INCLUDES";
    if (n->a->type == TYPE_ERROR || n->b->type == TYPE_ERROR)
        return;
    const struct ast *a = ast_through(c->p, n->a);
    if (a->type != TYPE_TEXT || a->ref_kind != REF_SLOT || a->kind != AST_NAME)
        error_at(c, n->a, "texts that come from a window can be compared with = and != only",
                 "%s needs an attribute that is a text on its left", word);
    else if (n->b->kind != AST_TEXT)
        error_at(c, n->b, n->op == OP_LIKE ? "as in email like '%@example.com'" : "as in user_agent includes 'Headless'",
                 "%s needs a text in quotes on its right", word);
}

/* Texts that are written down, or chosen among such, take case as the other side does. */
static bool fold_free(const struct ast *n)
{
    if (n->kind == AST_NAME && n->ref_kind == REF_SAME)
        return fold_free(n->same);
    if (n->kind != AST_CALL || n->type != TYPE_TEXT)
        return n->kind == AST_TEXT;
    bool free = true;
    for (const struct ast_list *l = n->args; l; l = l->next)
        free &= l->item->type != TYPE_TEXT || fold_free(l->item);
    return free;
}

static void fold_set(struct ast *n, bool fold)
{
    n->fold = fold;
    if (n->same)
        fold_set(n->same, fold);
    for (struct ast_list *l = n->kind == AST_CALL ? n->args : NULL; l; l = l->next)
        if (l->item->type == TYPE_TEXT)
            fold_set(l->item, fold);
}

/* Makes both sides mind case alike; false when they can't. */
static bool fold_meet(struct check *c, struct ast *a, struct ast *b)
{
    if (a->fold == b->fold)
        return true;
    if (fold_free(a))
        fold_set(a, b->fold);
    else if (fold_free(b))
        fold_set(b, a->fold);
    else /* two attributes are compared by their texts */
        return ast_through(c->p, a)->ref_kind == REF_SLOT && ast_through(c->p, b)->ref_kind == REF_SLOT;
    return true;
}

static void check_comparison(struct check *c, struct ast *n)
{
    enum type_kind a = n->a->type, b = n->b->type;
    n->type = TYPE_BOOL;
    if (a == TYPE_ERROR || b == TYPE_ERROR)
        return;
    bool ordered = n->op != OP_EQ && n->op != OP_NE;
    if (a == TYPE_TEXT && b == TYPE_TEXT && !fold_meet(c, n->a, n->b)) {
        error_at(c, n, "compare attributes with attributes, or windows over the same attribute",
                 "one side minds case and the other does not");
        return;
    }
    if (a == b && !(ordered && (a == TYPE_TEXT || a == TYPE_BOOL))) {
        meet_currency(c, n->a, n->b);
        return;
    }
    if (a == b) {
        error_at(c, n, "use = or !=", "%s has no order", type_word(a));
        return;
    }
    const char *hint = "";
    if ((a == TYPE_MONEY && b == TYPE_NUMBER) || (a == TYPE_NUMBER && b == TYPE_MONEY))
        hint = "write the currency: 30 EUR; or compare major(amount), which is a plain number";
    else if (a == TYPE_DURATION || b == TYPE_DURATION)
        hint = "durations are written 90s, 10m, 24h, 30d";
    else if (a == TYPE_NUMBER && n->b->kind == AST_TEXT)
        hint = "numbers stand without quotes";
    else if (a == TYPE_BOOL && n->b->kind == AST_TEXT)
        hint = "a condition stands alone, without = 'true'";
    else if (a == TYPE_TEXT)
        hint = "texts stand in quotes";
    error_at(c, n->b, hint, "%s is compared with %s", type_word(a), type_word(b));
}

static void check_arithmetic(struct check *c, struct ast *n)
{
    enum type_kind a = n->a->type, b = n->b->type;
    if (a == TYPE_ERROR || b == TYPE_ERROR)
        return;
    bool additive = n->op == OP_ADD || n->op == OP_SUB, unit_a = a == TYPE_MONEY || a == TYPE_DURATION,
         unit_b = b == TYPE_MONEY || b == TYPE_DURATION;
    bool plain = a == TYPE_NUMBER && b == TYPE_NUMBER;
    if (additive || n->op == OP_DIV)
        meet_currency(c, n->a, n->b);
    n->currency = a == TYPE_MONEY ? n->a->currency : n->b->currency;
    if (plain || (additive && a == b && unit_a))
        n->type = a;
    else if (n->op == OP_MUL && (unit_a ? b == TYPE_NUMBER : unit_b && a == TYPE_NUMBER))
        n->type = unit_a ? a : b;
    else if (n->op == OP_DIV && unit_a && (b == TYPE_NUMBER || a == b))
        n->type = b == TYPE_NUMBER ? a : TYPE_NUMBER;
    else
        error_at(
            c, n,
            a == TYPE_TEXT || b == TYPE_TEXT   ? "texts can be compared, but not computed with"
            : a == TYPE_BOOL || b == TYPE_BOOL ? "a condition becomes a number with if(condition, 1, 0)"
            : additive
                ? "both sides must be of one kind; money needs its currency: 30 EUR"
                : "amounts and durations are multiplied and divided by plain numbers; two of a kind give their ratio with /",
            "'%s' does not take %s and %s",
            n->op == OP_ADD   ? "+"
            : n->op == OP_SUB ? "-"
            : n->op == OP_MUL ? "*"
                              : "/",
            type_word(a), type_word(b));
}

void check_want(struct check *c, const struct ast *n, enum type_kind type, const char *whose)
{
    if (n->type != type && n->type != TYPE_ERROR)
        error_at(c, n,
                 type != TYPE_BOOL          ? ""
                 : n->type == TYPE_TEXT     ? "compare it: name = 'value'"
                 : n->type == TYPE_MONEY    ? "compare it: amount > 30 EUR"
                 : n->type == TYPE_DURATION ? "compare it: device_age < 1d"
                                            : "compare it: purchases_1h > 5",
                 "%s needs %s, this is %s", whose, type_word(type), type_word(n->type));
}

static void check_binary(struct check *c, struct ast *n)
{
    check_expr(c, n->a);
    check_expr(c, n->b);
    switch (n->op) {
    case OP_AND:
    case OP_OR:
        n->type = TYPE_BOOL;
        check_want(c, n->a, TYPE_BOOL, n->op == OP_AND ? "`and`" : "`or`");
        check_want(c, n->b, TYPE_BOOL, n->op == OP_AND ? "`and`" : "`or`");
        break;
    case OP_EQ:
    case OP_NE:
    case OP_LT:
    case OP_LE:
    case OP_GT:
    case OP_GE: check_comparison(c, n); break;
    case OP_LIKE:
    case OP_INCLUDES: check_text_test(c, n); break;
    case OP_ADD:
    case OP_SUB:
    case OP_MUL:
    case OP_DIV: check_arithmetic(c, n); break;
    case OP_MAX_: break;
    }
}

/* --- lists --- */

static int list_named(struct check *c, struct ast_set *set)
{
    for (unsigned i = 0; i < c->p->list_count; i++)
        if (c->p->lists[i].stmt && slice_eq(c->p->lists[i].stmt->name, set->name)) {
            c->p->lists[i].stmt->uses++;
            return (int)i;
        }
    char hint[200];
    if (defined_badly(c, set->name))
        return -1;
    check_suggest(c, set->name, hint, sizeof hint);
    if (!strchr(hint, '?'))
        (void)snprintf(hint, sizeof hint, "declare it: list %.*s = ('a', 'b') or list %.*s = \"file.txt\"", SHOWN(set->name),
                       SHOWN(set->name));
    diag_add(c->diags, DIAG_ERROR, set->at, hint, "there is no list '%.*s'", SHOWN(set->name));
    return -1;
}

static bool items_same(const struct ast_list *x, const struct ast_list *y)
{
    for (; x && y; x = x->next, y = y->next)
        if (x->item->kind != y->item->kind || x->item->number != y->item->number || !slice_eq(x->item->name, y->item->name))
            return false;
    return !x && !y;
}

/* Amounts are few and have currencies: they are compared one by one. */
static void check_in_money(struct check *c, struct ast *n)
{
    const struct policy_list *list = &c->p->lists[n->set->index];
    if (!list->items)
        diag_add(c->diags, DIAG_ERROR, n->set->at, "write the amounts in the policy: in (6 EUR, 30 EUR)",
                 "a list in a file cannot be asked for an amount of money");
    for (struct ast_list *l = list->items; l; l = l->next) {
        if (l->item->kind != AST_MONEY) {
            error_at(c, l->item, "write the currency: 30 EUR", "the list is asked for an amount of money, this is %s",
                     l->item->kind == AST_TEXT ? "a text" : "a number");
            return;
        }
        check_expr(c, l->item);
        meet_currency(c, n->a, l->item);
    }
}

static bool is_ip_attribute(const struct check *c, const struct ast *n)
{
    const struct ast *a = ast_through(c->p, n);
    return a->kind == AST_NAME && a->ref_kind == REF_SLOT && c->p->schema.attrs[a->ref].type == KEER_IP;
}

static void check_in(struct check *c, struct ast *n)
{
    check_expr(c, n->a);
    n->type = TYPE_BOOL;
    struct ast_set *set = n->set;
    if (set->name.p) {
        set->index = list_named(c, set);
    } else {
        for (unsigned i = 0; i < c->p->list_count && set->index < 0; i++)
            if (!c->p->lists[i].stmt && items_same(c->p->lists[i].items, set->items))
                set->index = (int)i;
        if (set->index < 0 && c->p->list_count == LIMIT_LISTS) {
            error_at(c, n, "", "a policy can have %d lists at most", LIMIT_LISTS);
            return;
        }
        if (set->index < 0) {
            set->index = (int)c->p->list_count;
            c->p->lists[c->p->list_count++] = (struct policy_list){.items = set->items, .set = {-1, -1, -1, -1}};
        }
    }
    if (set->index < 0 || n->a->type == TYPE_ERROR)
        return;
    if (n->a->type == TYPE_MONEY) {
        check_in_money(c, n);
        return;
    }
    if (n->a->type != TYPE_TEXT && n->a->type != TYPE_NUMBER) {
        error_at(c, n->a, "lists hold texts, numbers, amounts and addresses", "%s cannot be in a list",
                 type_word(n->a->type));
        return;
    }
    bool texts = n->a->type == TYPE_TEXT && !is_ip_attribute(c, n->a);
    for (struct ast_list *l = c->p->lists[set->index].items; l; l = l->next) {
        enum ast_kind kind = l->item->kind;
        struct ip_range range;
        if (kind != (n->a->type == TYPE_TEXT ? AST_TEXT : AST_NUMBER)) {
            error_at(c, l->item, "", "the list is asked for %s, this is %s", type_word(n->a->type),
                     kind == AST_TEXT    ? "a text"
                     : kind == AST_MONEY ? "an amount of money"
                                         : "a number");
            return;
        }
        if (texts && memchr(l->item->name.p, '/', l->item->name.len) && ip_parse(l->item->name, &range)) {
            error_at(c, l->item, "ask the address of the event itself: ip in ('10.0.0.0/8')",
                     "a network holds addresses, and what is asked here is a text");
            return;
        }
    }
}

/* --- functions --- */

enum function_form { FUNC_SAME, FUNC_NUMBERS, FUNC_MONEY, FUNC_DURATION, FUNC_CHOICE, FUNC_MISSING };
static const struct {
    const char *name;
    unsigned arguments;
    enum function_form form;
} functions[] = {
#define FUNCTION(name, arguments, form, op, doc) {name, arguments, FUNC_##form},
#include "core/policy/functions.def"
#undef FUNCTION
};

static void check_function(struct check *c, struct ast *n, enum function_form form)
{
    struct ast *x = n->args->item, *y = n->args->next ? n->args->next->item : NULL;
    char whose[40];
    (void)snprintf(whose, sizeof whose, "%.*s()", SHOWN(n->name));
    switch (form) {
    case FUNC_MISSING: n->type = TYPE_BOOL; return;
    case FUNC_NUMBERS:
        check_want(c, x, TYPE_NUMBER, whose);
        n->type = TYPE_NUMBER;
        return;
    case FUNC_MONEY:
        check_want(c, x, TYPE_MONEY, "major()");
        n->type = TYPE_NUMBER;
        n->currency = x->currency;
        return;
    case FUNC_DURATION:
        check_want(c, x, TYPE_DURATION, whose);
        n->type = TYPE_NUMBER;
        return;
    case FUNC_CHOICE: {
        struct ast *z = n->args->next->next->item;
        check_want(c, x, TYPE_BOOL, "the first argument of if()");
        x = y;
        y = z;
        break;
    }
    case FUNC_SAME: break;
    }
    n->type = x->type;
    if (y && x->type == TYPE_TEXT && y->type == TYPE_TEXT && (!fold_meet(c, x, y) || x->fold != y->fold))
        error_at(c, y, "both should be attributes that mind case, or attributes that don't",
                 "one of the texts minds case and the other does not");
    n->fold = x->fold;
    n->currency = x->currency;
    if (y && y->type != x->type && y->type != TYPE_ERROR && x->type != TYPE_ERROR)
        error_at(c, y,
                 x->type == TYPE_MONEY      ? "money needs its currency: 0 EUR"
                 : x->type == TYPE_DURATION ? "durations are written 90s, 10m, 24h, 30d"
                                            : "",
                 "both arguments must be of one kind, these are %s and %s", type_word(x->type), type_word(y->type));
    bool coalesce = slice_eqi(n->name, SLICE("coalesce"));
    if (n->type == TYPE_BOOL && form == FUNC_SAME && !coalesce)
        error_at(c, x, "", "%.*s() does not take a condition", SHOWN(n->name));
    bool textual = coalesce || form == FUNC_CHOICE;
    if (n->type == TYPE_TEXT && !textual)
        error_at(c, x, "", "%.*s() does not take a text", SHOWN(n->name));
}

void check_suggest_call(struct slice name, char *hint, size_t size)
{
    unsigned best = 4;
    struct slice found = {NULL, 0};
    const char *takes, *doc;
    for (size_t i = 0; i < ARRAY_LEN(functions); i++)
        nearer(name, slice_str(functions[i].name), &best, &found);
    for (unsigned i = 0; aggregate_row(i, &takes, &doc); i++)
        nearer(name, slice_str(aggregate_row(i, &takes, &doc)), &best, &found);
    if (found.p)
        (void)snprintf(hint, size, "did you mean '%.*s'?", SHOWN(found));
    else
        (void)snprintf(hint, size, "`keer --describe=functions` and `keer --describe=aggregates` list them all");
}

static void check_call(struct check *c, struct ast *n)
{
    const char *takes, *doc;
    for (unsigned i = 0; aggregate_row(i, &takes, &doc); i++)
        if (slice_eqi(n->name, slice_str(aggregate_row(i, &takes, &doc)))) {
            if (!c->p->syntax) /* else `by` may stand in what did not parse */
                error_at(c, n, "as in count(purchase) by account over 24h",
                         "%.*s() is a window and needs `by`: what it is counted by", SHOWN(n->name));
            return;
        }
    for (struct ast_list *l = n->args; l; l = l->next)
        check_expr(c, l->item);
    for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
        if (!slice_eqi(n->name, slice_str(functions[i].name)))
            continue;
        unsigned have = 0;
        for (struct ast_list *l = n->args; l; l = l->next)
            have++;
        if (have != functions[i].arguments)
            error_at(c, n, "", "%s() takes %u argument%s, not %u", functions[i].name, functions[i].arguments,
                     functions[i].arguments == 1 ? "" : "s", have);
        else if (n->window && (n->window->has_of || n->window->where))
            error_at(c, n, "`of` and `where` belong to windows: sum(amount of purchase) by account", "%s() is not a window",
                     functions[i].name);
        else
            check_function(c, n, functions[i].form);
        return;
    }
    char hint[200];
    check_suggest_call(n->name, hint, sizeof hint);
    error_at(c, n, hint, "there is no function '%.*s'", SHOWN(n->name));
}

static void check_convert(struct check *c, struct ast *n)
{
    check_expr(c, n->a);
    n->type = TYPE_MONEY;
    n->currency = currency_parse(n->name);
    check_want(c, n->a, TYPE_MONEY, "`in` and a currency");
    if (check_convertible(c, n->at, n->currency) && n->a->kind == AST_NAME && n->a->ref_kind == REF_SLOT)
        n->a->currency = n->currency; /* at once, not by way of the policy's currency */
}

void check_expr(struct check *c, struct ast *n)
{
    if (++c->depth > LIMIT_POLICY_DEPTH) {
        error_at(c, n, "name its parts with `let`", "the expression is nested too deeply");
        c->depth--;
        return;
    }
    switch (n->kind) {
    case AST_NUMBER: n->type = TYPE_NUMBER; break;
    case AST_MONEY:
        n->type = TYPE_MONEY;
        n->currency = currency_parse(n->name);
        if (n->currency == CUR_MAX)
            n->type = TYPE_ERROR; /* said when it was parsed */
        else if (!check_convertible(c, n->at, n->currency))
            n->type = TYPE_ERROR;
        break;
    case AST_DURATION: n->type = TYPE_DURATION; break;
    case AST_TEXT: n->type = TYPE_TEXT; break;
    case AST_BOOL: n->type = TYPE_BOOL; break;
    case AST_NAME: check_name(c, n); break;
    case AST_NOT:
        check_expr(c, n->a);
        n->type = TYPE_BOOL;
        check_want(c, n->a, TYPE_BOOL, "`not`");
        break;
    case AST_NEGATE:
        check_expr(c, n->a);
        n->type = n->a->type;
        n->currency = n->a->currency;
        if (n->type == TYPE_TEXT || n->type == TYPE_BOOL)
            error_at(c, n, "", "'-' does not take %s", type_word(n->type));
        break;
    case AST_BINARY: check_binary(c, n); break;
    case AST_CALL: check_call(c, n); break;
    case AST_WINDOW: check_window(c, n); break;
    case AST_IN: check_in(c, n); break;
    case AST_CONVERT: check_convert(c, n); break;
    case AST_KIND_MAX: break;
    }
    c->depth--;
}

/* --- comparing trees --- */

const struct ast *ast_through(const struct keer_policy *p, const struct ast *n)
{
    const struct ast *at = n;
    while (at->kind == AST_NAME && (at->ref_kind == REF_SAME || at->ref_kind == REF_LET))
        at = at->ref_kind == REF_SAME ? at->same : p->lets[at->ref].stmt->value;
    return at->kind == AST_NAME && at->ref_kind == REF_SLOT ? at
           : n->kind == AST_NAME && n->ref_kind == REF_SAME ? n->same
                                                            : n;
}

bool ast_same(const struct ast *a, const struct ast *b)
{
    if (!a || !b)
        return a == b;
    if (a->kind != b->kind || a->op != b->op || a->number != b->number || a->duration_us != b->duration_us ||
        !slice_eq(a->name, b->name) || a->ref_kind != b->ref_kind || a->ref != b->ref || a->type != b->type ||
        a->fold != b->fold || (a->type == TYPE_MONEY && a->currency != b->currency))
        return false;
    if (a->kind == AST_WINDOW) {
        const struct ast_window *v = a->window, *w = b->window;
        return v->index >= 0 && v->index == w->index && v->second == w->second && v->form == w->form && v->value == w->value;
    }
    const struct ast_list *x = a->args, *y = b->args;
    for (; x && y; x = x->next, y = y->next)
        if (!ast_same(x->item, y->item))
            return false;
    if (x || y || (a->set ? a->set->index : -1) != (b->set ? b->set->index : -1))
        return false;
    return ast_same(a->a, b->a) && ast_same(a->b, b->b) && ast_same(a->same, b->same);
}
