/* check_window.c - from `sum(amount of purchase where ...) by account over 24h` to windows of the plan.
 *
 * Windows that ask the same share one place in the plan; those by the same attributes share a group, those with the same
 * types, `where` and value share a filter. A label in a `where` (fraud, genuine, labelled, joined with `and`) becomes the
 * window's condition, since it is known later than the event.
 */
#include "core/policy/policy.h"

enum takes { TAKES_TYPES, TAKES_VALUE, TAKES_ANY, TAKES_CONDITION, TAKES_ATTR_OR_TYPES };
enum { NEEDS_OVER = 1, NEEDS_HALF_LIFE = 2 };
static const struct {
    const char *name;
    enum win_agg agg;
    enum takes takes;
    unsigned needs;
    const char *takes_word, *doc;
} aggregates[] = {
#define AGGREGATE(name, agg, takes, needs, doc) {name, agg, TAKES_##takes, needs, #takes, doc},
#include "core/policy/aggregates.def"
#undef AGGREGATE
};

const char *aggregate_row(unsigned i, const char **ret_takes, const char **ret_doc)
{
    if (i >= ARRAY_LEN(aggregates))
        return NULL;
    *ret_takes = aggregates[i].takes_word;
    *ret_doc = aggregates[i].doc;
    return aggregates[i].name;
}

/* A window on its way into the plan. */
struct draft {
    struct check *c;
    struct ast *node;
    struct ast_window *w;
    unsigned row; /* of aggregates */
    struct policy_key key;
    uint64_t types;
    const struct ast *where;   /* what is left of the `where` without labels */
    const struct ast *goes_on; /* streak: what must hold for it to go on, NULL when it is a label */
    enum win_cond cond;
    int value;
    bool text;
    enum type_kind value_type;
    enum currency currency;
    const char *part; /* of a share, ratio or zscore: what comes into the plan now */
    bool fold, bad;
};

static void complain(struct draft *d, struct span_at at, const char *hint, const char *fmt, ...) KEER_PRINTF(4, 5);
static void complain(struct draft *d, struct span_at at, const char *hint, const char *fmt, ...)
{
    char what[300];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    diag_add(d->c->diags, DIAG_ERROR, at, hint, "%s", what);
    d->bad = true;
}

static void check_suggest_attribute(const struct check *c, struct slice name, char *hint, size_t size)
{
    for (unsigned i = 0; i < c->lets_known; i++)
        if (slice_eq(c->p->lets[i].stmt->name, name)) {
            (void)snprintf(hint, size, "windows look at attributes of the events, not at what `let` and `window` name");
            return;
        }
    if (keer_schema_event_type(&c->p->schema, name.p, name.len) >= 0)
        (void)snprintf(hint, size, "it is an event type: count(%.*s) by account, sum(amount of %.*s) by account",
                       SHOWN(name), SHOWN(name));
    else
        check_suggest(c, name, hint, size);
}

/* --- keys --- */

static void key_add(struct draft *d, struct ast *n)
{
    char hint[200];
    if (!check_name_slot(d->c, n)) {
        check_suggest_attribute(d->c, n->name, hint, sizeof hint);
        complain(d, n->at, hint, "'%.*s' is not an attribute that events can be counted by", SHOWN(n->name));
        return;
    }
    struct policy_key *k = &d->key;
    unsigned at = 0;
    while (at < k->parts && k->slot[at] < n->ref)
        at++;
    if (at < k->parts && k->slot[at] == n->ref)
        return;
    if (k->parts == LIMIT_KEY_PARTS) {
        complain(d, n->at, "", "a key has %d parts at most", LIMIT_KEY_PARTS);
        return;
    }
    if (n->type == TYPE_MONEY) {
        complain(d, n->at, "count by who or what it is about, as in `by account`",
                 "events cannot be counted by an amount of money");
        return;
    }
    memmove(&k->slot[at + 1], &k->slot[at], k->parts - at);
    k->slot[at] = (uint8_t)n->ref;
    k->parts++;
}

static bool key_group(struct draft *d, uint8_t *ret_group)
{
    struct keer_policy *p = d->c->p;
    unsigned g = 0;
    while (g < p->plan.groups &&
           (p->keys[g].parts != d->key.parts || memcmp(p->keys[g].slot, d->key.slot, d->key.parts) != 0))
        g++;
    if (g == LIMIT_KEYS) {
        complain(d, d->w->at, "", "a policy can count by %d kinds of key at most", LIMIT_KEYS);
        return false;
    }
    if (g == p->plan.groups)
        p->keys[p->plan.groups++] = d->key;
    *ret_group = (uint8_t)g;
    return true;
}

/* --- where --- */

static enum win_cond label_cond(const struct ast *n)
{
    if (n->kind == AST_NOT && n->a->kind == AST_NAME && slice_eq(n->a->name, SLICE("fraud")))
        return WIN_NOT_FRAUD;
    if (n->kind != AST_NAME)
        return WIN_ANY;
    return slice_eq(n->name, SLICE("fraud"))      ? WIN_FRAUD
           : slice_eq(n->name, SLICE("genuine"))  ? WIN_GENUINE
           : slice_eq(n->name, SLICE("labelled")) ? WIN_LABELLED
                                                  : WIN_ANY;
}

static void cond_set(struct draft *d, const struct ast *n, enum win_cond cond)
{
    if (d->cond != WIN_ANY && d->cond != cond)
        complain(d, n->at, "", "a window can ask for one kind of label");
    d->cond = cond;
}

/* Takes the labels out of the top-level `and`s; what remains is checked as a condition on the event. */
static struct ast *where_split(struct draft *d, struct ast *n, unsigned depth)
{
    enum win_cond cond = label_cond(n);
    if (cond != WIN_ANY && keer_schema_find(&d->c->p->schema, n->kind == AST_NAME ? n->name.p : "", n->name.len) < 0) {
        cond_set(d, n, cond);
        return NULL;
    }
    if (n->kind != AST_BINARY || n->op != OP_AND || depth == LIMIT_POLICY_DEPTH)
        return n; /* what is deeper is refused when it is checked */
    struct ast *a = where_split(d, n->a, depth + 1), *b = where_split(d, n->b, depth + 1);
    if (!a || !b)
        return a ? a : b;
    n->a = a;
    n->b = b;
    return n;
}

/* The condition without its labels, which go to d->cond; NULL when nothing is left. */
static struct ast *where_check(struct draft *d, struct ast *where)
{
    struct ast *rest = where ? where_split(d, where, 0) : NULL;
    if (!rest)
        return NULL;
    struct check inner = *d->c;
    inner.where = IN_WHERE;
    check_expr(&inner, rest);
    d->c->failed_alloc |= inner.failed_alloc;
    if (rest->type != TYPE_BOOL && rest->type != TYPE_ERROR)
        complain(d, rest->at, rest->type == TYPE_TEXT ? "compare it: outcome = 'failure'" : "",
                 "expected a condition on the event that is counted, this is %s", type_word(rest->type));
    return rest;
}

/* --- values --- */

static void value_set(struct draft *d, struct ast *n)
{
    struct keer_policy *p = d->c->p;
    char hint[200];
    if (!check_name_slot(d->c, n)) {
        if (n->kind == AST_NAME)
            check_suggest_attribute(d->c, n->name, hint, sizeof hint);
        else if (n->kind == AST_CONVERT)
            (void)snprintf(hint, sizeof hint,
                           "the currency follows the event types: sum(amount of purchase in USD) by account");
        else
            (void)snprintf(hint, sizeof hint, "compute after the window, as in 2 * sum(amount of purchase) by account");
        if (n->kind == AST_NAME)
            complain(d, n->at, hint, "%s() takes an attribute of the event, and '%.*s' is none", aggregates[d->row].name,
                     SHOWN(n->name));
        else
            complain(d, n->at, hint, "%s() takes an attribute of the event, not an expression", aggregates[d->row].name);
        return;
    }
    d->value_type = n->type;
    d->fold = n->fold;
    d->text = n->type == TYPE_TEXT;
    bool number = n->type == TYPE_NUMBER || n->type == TYPE_MONEY;
    if (aggregates[d->row].takes == TAKES_VALUE && !number) {
        complain(d, n->at, "distinct() counts different values", "%s() needs a number or an amount of money, '%.*s' is %s",
                 aggregates[d->row].name, SHOWN(n->name), type_word(n->type));
        return;
    }
    int conversion = -1;
    if (n->type == TYPE_MONEY) {
        d->currency = d->w->currency.p ? currency_parse(d->w->currency) : p->currency;
        if (d->currency == CUR_MAX)
            complain(d, d->w->currency_at, "ISO 4217, as in `in EUR`", "'%.*s' is not a currency", SHOWN(d->w->currency));
        else if (check_convertible(d->c, d->w->currency_at, d->currency))
            conversion = check_conversion(d->c, d->currency);
    } else if (d->w->currency.p) {
        complain(d, d->w->currency_at, "", "'%.*s' is not an amount of money", SHOWN(n->name));
    }
    for (unsigned v = 0; v < p->value_count; v++)
        if (p->values[v].slot == (unsigned)n->ref && p->values[v].conversion == conversion) {
            d->value = (int)v;
            return;
        }
    if (p->value_count == LIMIT_VALUES) {
        complain(d, n->at, "", "windows can look at %u values at most", LIMIT_VALUES);
        return;
    }
    p->values[p->value_count] = (struct policy_value){(unsigned)n->ref, conversion, d->text};
    d->value = (int)p->value_count++;
}

/* --- into the plan --- */

static int condition_of(struct draft *d, const struct ast *where)
{
    struct keer_policy *p = d->c->p;
    if (!where)
        return -1;
    for (unsigned i = 0; i < p->condition_count; i++)
        if (ast_same(p->conditions[i].where, where))
            return (int)i;
    if (p->condition_count == LIMIT_CONDITIONS) {
        complain(d, where->at, "", "too many different conditions in windows");
        return -1;
    }
    p->conditions[p->condition_count] = (struct policy_condition){.where = where};
    return (int)p->condition_count++;
}

static bool filter_of(struct draft *d, uint8_t group, const struct ast *where, int value, uint8_t *ret_bit)
{
    struct keer_policy *p = d->c->p;
    struct policy_filter f = {.types = d->types, .condition = condition_of(d, where), .value = value, .group = group};
    for (unsigned i = 0; i < p->filter_count; i++) {
        const struct policy_filter *o = &p->filters[i];
        if (o->group == group && o->types == f.types && o->condition == f.condition && o->value == f.value) {
            *ret_bit = o->bit;
            return true;
        }
    }
    struct win_group_def *g = &p->plan.group[group];
    if (g->filters == LIMIT_FILTERS || p->filter_count == LIMIT_ALL_FILTERS) {
        complain(d, d->w->at, "", "one kind of key can have %d different filters at most", LIMIT_FILTERS);
        return false;
    }
    *ret_bit = f.bit = (uint8_t)g->filters++;
    p->filters[p->filter_count++] = f;
    return true;
}

/* The place of a window in the plan, shared with one that asks the same; -1 after a message. */
static int plan_add(struct draft *d, enum win_agg agg, const struct ast *where, enum type_kind type)
{
    struct keer_policy *p = d->c->p;
    const struct ast_window *w = d->w;
    if (d->cond != WIN_ANY && !w->over_us) {
        complain(d, w->at, "as in `over 60d`",
                 "a window that asks for labels needs `over`: labels of all time are not kept");
        return -1;
    }
    struct win_def def = {.agg = agg,
                          .cond = d->cond,
                          .value = (int16_t)d->value,
                          .text = d->text && agg != WIN_COUNT,
                          .over_us = w->over_us,
                          .delay_us = w->delay_us,
                          .half_life_us = w->half_life_us,
                          .nth = 1,
                          .including = w->including || agg == WIN_AGE,
                          .scale = d->value_type == TYPE_MONEY ? 1 : 1e6};
    if (agg == WIN_NTH)
        def.nth = (uint32_t)w->args->item->number;
    if (!key_group(d, &def.group) || !filter_of(d, def.group, where, d->value, &def.filter))
        return -1;
    if (d->goes_on && !filter_of(d, def.group, d->goes_on, d->value, &def.filter2))
        return -1;
    for (unsigned i = 0; i < p->plan.windows; i++) {
        const struct win_def *o = &p->windows[i];
        if (o->agg == def.agg && o->cond == def.cond && o->group == def.group && o->filter == def.filter &&
            o->value == def.value && o->including == def.including && o->over_us == def.over_us &&
            o->delay_us == def.delay_us && o->half_life_us == def.half_life_us && o->nth == def.nth &&
            o->filter2 == def.filter2) {
            if (p->window_info[i].part && !d->part) { /* shared with a window of its own: it shows as that */
                p->window_info[i].node = d->node;
                p->window_info[i].part = NULL;
            }
            return (int)i;
        }
    }
    if (p->plan.windows == LIMIT_WINDOWS) {
        complain(d, w->at, "", "a policy can have %d windows at most", LIMIT_WINDOWS);
        return -1;
    }
    p->windows[p->plan.windows] = def;
    p->window_info[p->plan.windows] =
        (struct policy_window){.node = d->node, .part = d->part, .type = type, .currency = d->currency};
    return (int)p->plan.windows++;
}

/* --- what the aggregates take --- */

/* `condition and where`; NULL without memory. */
static const struct ast *joined_condition(struct draft *d, struct ast *condition)
{
    const struct ast *where = d->where;
    if (!where || !condition)
        return condition ? condition : where;
    struct ast *both = arena_alloc(&d->c->p->arena, sizeof *both);
    if (!both) {
        d->c->failed_alloc = true;
        return NULL;
    }
    union {
        const struct ast *in;
        struct ast *out;
    } unconst = {.in = where}; /* the tree owns it; nothing writes to it from here on */
    *both = (struct ast){.kind = AST_BINARY,
                         .op = OP_AND,
                         .at = condition->at,
                         .a = condition,
                         .b = unconst.out,
                         .type = TYPE_BOOL,
                         .ref = -1};
    return both;
}

/* share(condition of types) is one count against another; streak(condition of types) one window with two filters. */
static void take_condition(struct draft *d)
{
    enum win_agg agg = aggregates[d->row].agg;
    struct ast *condition = d->w->args->item;
    enum win_cond before = d->cond;
    unsigned errors = d->c->diags->errors;
    bool share = agg == WIN_COUNT;
    d->node->type = agg == WIN_STREAK_AGE ? TYPE_DURATION : TYPE_NUMBER;
    d->cond = WIN_ANY;
    struct ast *rest = where_check(d, condition);
    enum win_cond all = before, part = d->cond == WIN_ANY ? before : d->cond;
    if (all != WIN_ANY && all != part && !(all == WIN_LABELLED && part != WIN_NOT_FRAUD))
        complain(d, condition->at, "as in share(fraud of purchase where labelled)",
                 "no event has the one label and the other");
    if (d->c->diags->errors != errors)
        return;
    if (share) {
        d->w->form = FORM_SHARE;
        d->cond = all;
        d->part = "events";
        d->w->second = plan_add(d, WIN_COUNT, d->where, TYPE_NUMBER);
        d->part = "events that match";
        d->cond = part;
        d->w->index = plan_add(d, WIN_COUNT, joined_condition(d, rest), TYPE_NUMBER);
        return;
    }
    if (all != WIN_ANY || (part != WIN_ANY && rest)) {
        complain(d, condition->at, "as in streak(fraud of purchase where amount <= 220 EUR)",
                 "a streak asks for a label as its whole condition, and not in its `where`");
        return;
    }
    d->goes_on = part == WIN_ANY ? joined_condition(d, rest) : NULL;
    d->w->index = plan_add(d, agg, d->where, d->node->type);
}

static void take_age(struct draft *d)
{
    struct ast_list *args = d->w->args;
    struct ast *first = args->item;
    bool attribute = first->kind == AST_NAME && !args->next && !slice_eq(first->name, SLICE("any")) &&
                     keer_schema_event_type(&d->c->p->schema, first->name.p, first->name.len) < 0;
    if (attribute) {
        key_add(d, first); /* age(device) by account: how long this pair is known */
        d->types = d->w->has_of ? check_types(d->c, d->w->types) : ~(uint64_t)0;
    } else {
        d->types = check_types(d->c, args);
    }
}

static void take_value(struct draft *d)
{
    struct ast_list *args = d->w->args;
    enum win_agg agg = aggregates[d->row].agg;
    if (agg == WIN_NTH) {
        bool fine = args->next && args->item->kind == AST_NUMBER && args->item->number >= 1 && args->item->number <= 1000 &&
                    args->item->number == (double)(uint32_t)args->item->number;
        if (!fine) {
            complain(d, d->w->at, "as in nth(2, amount of purchase): 1 is the newest",
                     "nth() needs a whole number from 1 to 1000, then an attribute");
            return;
        }
        args = args->next;
    }
    if (args->next)
        complain(d, args->next->item->at, "event types follow `of`: sum(amount of purchase, top_up)",
                 "%s() takes one attribute", aggregates[d->row].name);
    d->types = d->w->has_of ? check_types(d->c, d->w->types) : ~(uint64_t)0;
    value_set(d, args->item);
}

static void finish(struct draft *d)
{
    enum win_agg agg = aggregates[d->row].agg;
    struct ast *n = d->node;
    bool ratio = strcmp(aggregates[d->row].name, "ratio") == 0, zscore = strcmp(aggregates[d->row].name, "zscore") == 0;
    switch (agg) {
    case WIN_COUNT:
    case WIN_STREAK:
    case WIN_DISTINCT: n->type = TYPE_NUMBER; break;
    case WIN_AGE:
    case WIN_SINCE:
    case WIN_STREAK_AGE: n->type = TYPE_DURATION; break;
    case WIN_FIRST:
    case WIN_LAST:
    case WIN_NTH:
    case WIN_SUM:
    case WIN_MEAN:
    case WIN_STDDEV:
    case WIN_MIN:
    case WIN_MAX:
    case WIN_EWMA: n->type = d->value_type; break;
    case WIN_AGG_MAX: break;
    }
    n->fold = d->fold;
    n->currency = d->currency;
    d->w->value = d->value;
    if (ratio || zscore) {
        enum type_kind type = n->type;
        n->type = TYPE_NUMBER;
        d->w->form = ratio ? FORM_RATIO : FORM_ZSCORE;
        d->part = "mean";
        d->w->index = plan_add(d, WIN_MEAN, d->where, type);
        d->part = "standard deviation";
        d->w->second = zscore ? plan_add(d, WIN_STDDEV, d->where, type) : -1;
        return;
    }
    d->w->index = plan_add(d, agg, d->where, n->type);
}

static bool needs_met(struct draft *d)
{
    const struct ast_window *w = d->w;
    unsigned needs = aggregates[d->row].needs;
    const char *name = aggregates[d->row].name;
    if ((needs & NEEDS_OVER) && !w->over_us)
        complain(d, w->at, "as in `over 30d`", "%s() needs `over`: it cannot be kept for all time", name);
    if ((needs & NEEDS_HALF_LIFE) && (!w->half_life_us || !w->over_us))
        complain(d, w->at, "as in ewma(amount of purchase) by account over 30d half life 3d",
                 "%s() needs `over` and `half life`", name);
    if (!(needs & NEEDS_HALF_LIFE) && w->half_life_us)
        complain(d, w->at, "", "`half life` belongs to ewma()");
    if (w->including && w->delay_us)
        complain(d, w->at, "", "a delayed window never sees this event: `including this` has no effect");
    return !d->bad;
}

void check_window(struct check *c, struct ast *n)
{
    struct ast_window *w = n->window;
    struct draft d = {.c = c, .node = n, .w = w, .value = -1, .value_type = TYPE_ERROR};
    while (d.row < ARRAY_LEN(aggregates) && !slice_eqi(w->agg, slice_str(aggregates[d.row].name)))
        d.row++;
    if (d.row == ARRAY_LEN(aggregates)) {
        char hint[200];
        check_suggest_call(w->agg, hint, sizeof hint);
        diag_add(c->diags, DIAG_ERROR, n->at, hint, "'%.*s' is not an aggregate", SHOWN(w->agg));
        return;
    }
    if (c->where == IN_WHERE) {
        complain(&d, n->at, "compare the window in the rule instead", "a window inside the `where` of a window");
        return;
    }
    if (!w->args) {
        complain(&d, n->at, "as in count(purchase) by account over 24h", "%s() of what?", aggregates[d.row].name);
        return;
    }
    unsigned errors = c->diags->errors;
    for (struct ast_list *k = w->keys; k; k = k->next)
        key_add(&d, k->item);
    enum takes takes = aggregates[d.row].takes;
    bool typed = takes == TAKES_TYPES;
    if (typed && w->has_of)
        complain(&d, n->at, "as in count(purchase where amount > 30 EUR) by account", "%s() takes event types, without `of`",
                 aggregates[d.row].name);
    d.where = where_check(&d, w->where);
    if (takes == TAKES_ATTR_OR_TYPES)
        take_age(&d);
    else if (takes == TAKES_VALUE || takes == TAKES_ANY)
        take_value(&d);
    else
        d.types = takes == TAKES_CONDITION ? (w->has_of ? check_types(c, w->types) : ~(uint64_t)0) : check_types(c, w->args);
    if (!needs_met(&d) || c->diags->errors != errors)
        return;
    if (takes == TAKES_CONDITION)
        take_condition(&d);
    else
        finish(&d);
    if (d.bad || c->diags->errors != errors)
        n->type = TYPE_ERROR;
}
