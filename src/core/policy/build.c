/* build.c - the grammar's actions: nodes and statements from tokens. */
#include "core/policy/build.h"

#include "base/num.h"
#include "base/timefmt.h"
#include "policy_grammar.h"

static void *take(struct parse *p, size_t size)
{
    void *memory = arena_alloc(p->arena, size);
    if (!memory)
        p->failed_alloc = true;
    return memory;
}

struct span_at span_join(struct span_at a, struct span_at b)
{
    uint32_t from = MIN_OF(a.from, b.from), end = MAX_OF(a.from + a.len, b.from + b.len);
    return (struct span_at){from, end - from};
}

struct ast *ast_new(struct parse *p, enum ast_kind kind, struct span_at at)
{
    struct ast *n = take(p, sizeof *n);
    if (n) {
        n->kind = kind;
        n->at = at;
        n->ref = -1;
    }
    return n;
}

struct ast *ast_binary(struct parse *p, enum ast_op op, struct ast *a, struct ast *b)
{
    if (!a || !b)
        return NULL;
    struct ast *n = ast_new(p, AST_BINARY, span_join(a->at, b->at));
    if (n) {
        n->op = op;
        n->a = a;
        n->b = b;
    }
    return n;
}

struct ast_list *ast_list_add(struct parse *p, struct ast_list *list, struct ast *item)
{
    struct ast_list *link = take(p, sizeof *link);
    if (!link || !item)
        return list;
    link->item = item;
    if (!list) {
        link->last = link;
        return link;
    }
    list->last->next = link;
    list->last = link;
    return list;
}

struct slice text_unquote(struct parse *p, struct token t)
{
    ASSERT(t.text.len >= 2);
    char *out = take(p, t.text.len);
    if (!out)
        return SLICE("");
    size_t n = 0;
    for (size_t i = 1; i + 1 < t.text.len; i++) {
        char c = t.text.p[i];
        if (i + 2 < t.text.len && (c == '\\' || (c == t.text.p[0] && t.text.p[i + 1] == c)))
            c = t.text.p[++i];
        out[n++] = c;
    }
    return slice_of(out, n);
}

static struct slice keep(struct parse *p, struct slice s)
{
    struct slice copy = arena_copy(p->arena, s);
    if (!copy.p) {
        p->failed_alloc = true;
        return SLICE("");
    }
    return copy;
}

/* --- expressions --- */

struct ast *build_name(struct parse *p, struct token t)
{
    struct ast *n = ast_new(p, AST_NAME, t.at);
    if (!n)
        return NULL;
    struct slice s = t.text;
    n->radar = t.kind == TK_RADAR;
    n->meta = t.kind == TK_META;
    if (n->radar)
        s = slice_of(s.p + 1, s.len - 2);
    n->name = keep(p, s);
    return n;
}

struct ast *build_number(struct parse *p, struct token t)
{
    struct ast *n = ast_new(p, AST_NUMBER, t.at);
    if (n && num_f64(t.text, &n->number) != KEER_OK)
        diag_add(p->diags, DIAG_ERROR, t.at, NULL, "the number %.*s is too large", SHOWN(t.text));
    return n;
}

struct ast *build_money(struct parse *p, struct token number, struct token currency)
{
    struct ast *n = build_number(p, number);
    if (!n)
        return NULL;
    n->kind = AST_MONEY;
    n->at = span_join(number.at, currency.at);
    n->name = keep(p, currency.text);
    enum currency c = currency_parse(currency.text);
    int64_t minor;
    if (c != CUR_MAX && num_scaled(number.text, currency_exponent(c), &minor) != KEER_OK)
        diag_add(p->diags, DIAG_ERROR, number.at,
                 "amounts are plain decimals below 90 000 000 000 000, with the decimals that the currency has",
                 "%.*s is not an amount in %s, which has %u decimals", SHOWN(number.text), currency_code(c),
                 currency_exponent(c));
    if (c == CUR_MAX)
        diag_add(p->diags, DIAG_ERROR, currency.at,
                 "write a currency as its ISO 4217 code, like 30 EUR, or a duration without a space, like 30d",
                 "'%.*s' is not a currency", SHOWN(currency.text));
    return n;
}

/* 0s, 0d, ...: fine to compare with and to begin at, but no length of a window. */
static bool no_time(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (ascii_digit(s.p[i]) && s.p[i] != '0')
            return false;
    return s.len != 0;
}

static int64_t duration_of(struct parse *p, struct token t)
{
    int64_t us = 0;
    if (t.kind && duration_parse(t.text, &us) != KEER_OK)
        diag_add(p->diags, DIAG_ERROR, t.at, "durations are 1ms to 100 years, like 90s, 10m, 24h, 30d, 1d12h",
                 "'%.*s' is not a duration", SHOWN(t.text));
    return us;
}

struct ast *build_duration(struct parse *p, struct token t)
{
    struct ast *n = ast_new(p, AST_DURATION, t.at);
    if (n && !no_time(t.text))
        n->duration_us = duration_of(p, t);
    return n;
}

struct ast *build_text(struct parse *p, struct token t)
{
    struct ast *n = ast_new(p, AST_TEXT, t.at);
    if (n)
        n->name = text_unquote(p, t);
    return n;
}

struct ast *build_bool(struct parse *p, struct token t, double value)
{
    struct ast *n = ast_new(p, AST_BOOL, t.at);
    if (n)
        n->number = value;
    return n;
}

struct ast *build_unary(struct parse *p, enum ast_kind kind, struct token t, struct ast *a)
{
    if (!a)
        return NULL;
    struct ast *n = ast_new(p, kind, span_join(t.at, a->at));
    if (n)
        n->a = a;
    return n;
}

struct ast *build_not(struct parse *p, struct ast *a)
{
    struct ast *n = a ? ast_new(p, AST_NOT, a->at) : NULL;
    if (n)
        n->a = a;
    return n;
}

/* 'amount in USD' converts, 'country in (...)' asks: the right side decides. */
struct ast *build_in(struct parse *p, struct ast *a, struct ast_set *set, bool negated)
{
    if (!a || !set)
        return NULL;
    bool currency = !set->items && set->name.p && currency_parse(set->name) != CUR_MAX && !negated;
    struct ast *n = ast_new(p, currency ? AST_CONVERT : AST_IN, span_join(a->at, set->at));
    if (!n)
        return NULL;
    n->a = a;
    n->set = set;
    n->name = set->name;
    return negated ? build_not(p, n) : n;
}

struct ast_set *build_set(struct parse *p, const struct token *name, struct ast_list *items, struct span_at at)
{
    struct ast_set *s = take(p, sizeof *s);
    if (!s)
        return NULL;
    s->index = -1;
    s->items = items;
    s->at = at;
    if (name) {
        struct slice text = name->text;
        if (text.len && text.p[0] == '@')
            text = slice_of(text.p + 1, text.len - 1);
        s->name = keep(p, text);
    }
    return s;
}

struct ast_window *build_call_head(struct parse *p, struct token name, struct ast_list *args, struct build_of *of,
                                   struct ast *where, struct token end)
{
    struct ast_window *w = take(p, sizeof *w);
    if (!w)
        return NULL;
    w->agg = name.kind == TK_SINCE ? SLICE("time since") : keep(p, name.text);
    w->args = args;
    w->where = where;
    w->at = span_join(name.at, end.at);
    w->index = w->second = -1;
    if (of) {
        w->has_of = true;
        w->types = of->types;
        if (of->currency.kind) {
            w->currency = keep(p, of->currency.text);
            w->currency_at = of->currency.at;
        }
    }
    return w;
}

struct build_of *build_of(struct parse *p, struct ast_list *types, const struct token *currency)
{
    struct build_of *of = take(p, sizeof *of);
    if (of) {
        of->types = types;
        if (currency)
            of->currency = *currency;
    }
    return of;
}

struct build_mods build_mod(struct parse *p, struct build_mods m, int token, struct token t)
{
    bool twice =
        (token == TK_OVER && m.over_us) || (token == TK_DELAYED && m.delay_us) || (token == TK_HALFLIFE && m.half_life_us);
    if (twice)
        diag_add(p->diags, DIAG_ERROR, t.at, NULL, "'%.*s' is a second duration of the same kind", SHOWN(t.text));
    int64_t us = token == TK_INCLUDING ? 0 : duration_of(p, t);
    m.over_us = token == TK_OVER ? us : m.over_us;
    m.delay_us = token == TK_DELAYED ? us : m.delay_us;
    m.half_life_us = token == TK_HALFLIFE ? us : m.half_life_us;
    m.including |= token == TK_INCLUDING;
    m.at = m.at.len ? span_join(m.at, t.at) : t.at;
    return m;
}

struct ast *build_call(struct parse *p, struct ast_window *w)
{
    struct ast *n = w ? ast_new(p, AST_CALL, w->at) : NULL;
    if (!n)
        return NULL;
    n->name = w->agg;
    n->args = w->args;
    n->window = w; /* for messages about `of` and `where` without `by` */
    return n;
}

struct ast *build_window(struct parse *p, struct ast_window *w, struct ast_list *keys, struct build_mods m)
{
    struct ast *n = w ? ast_new(p, AST_WINDOW, w->at) : NULL;
    if (!n)
        return NULL;
    w->has_by = true;
    w->keys = keys;
    w->over_us = m.over_us;
    w->delay_us = m.delay_us;
    w->half_life_us = m.half_life_us;
    w->including = m.including;
    for (struct ast_list *k = keys; k; k = k->next)
        n->at = span_join(n->at, k->item->at);
    if (m.at.len)
        n->at = span_join(n->at, m.at);
    w->at = n->at;
    n->window = w;
    return n;
}

/* --- statements --- */

/* A name, or :name:, which may be a key word. */
static struct slice plain_name(struct token t)
{
    return t.kind == TK_RADAR ? slice_of(t.text.p + 1, t.text.len - 2) : t.text;
}

#define APPEND(list, node)                  \
    do {                                    \
        *p->out->list##_end = (node);       \
        p->out->list##_end = &(node)->next; \
    } while (0)

void build_let(struct parse *p, struct token name, struct ast *value, bool window)
{
    struct stmt_let *s = take(p, sizeof *s);
    if (!s || !value)
        return;
    s->name = keep(p, name.text);
    s->value = value;
    s->at = name.at;
    s->window = window;
    APPEND(lets, s);
}

void build_attribute(struct parse *p, struct token name, struct token type)
{
    struct stmt_attribute *s = take(p, sizeof *s);
    if (!s)
        return;
    s->name = keep(p, plain_name(name));
    s->type = keep(p, type.text);
    s->at = name.at;
    s->type_at = type.at;
    APPEND(attributes, s);
}

void build_setting(struct parse *p, struct token keyword, struct token value)
{
    struct stmt_setting *s = take(p, sizeof *s);
    if (!s)
        return;
    s->token = keyword.kind;
    s->name = value.kind == TK_TEXT ? text_unquote(p, value) : keep(p, value.text);
    if (value.kind == TK_DURATION && !no_time(value.text))
        s->duration_us = duration_of(p, value);
    s->at = value.at;
    APPEND(settings, s);
}

void build_features(struct parse *p, struct ast_list *names)
{
    if (!p->out->features)
        p->out->features = names;
    else
        for (struct ast_list *l = names; l; l = l->next)
            p->out->features = ast_list_add(p, p->out->features, l->item);
}

void build_list(struct parse *p, struct token name, const struct token *path, struct ast_list *items)
{
    struct stmt_list *s = take(p, sizeof *s);
    if (!s)
        return;
    s->name = keep(p, name.text);
    if (path)
        s->path = text_unquote(p, *path);
    s->items = items;
    s->at = name.at;
    APPEND(lists, s);
}

void build_model(struct parse *p, struct token name, struct token path, bool calibrated, struct ast_list *types)
{
    struct stmt_model *s = take(p, sizeof *s);
    if (!s)
        return;
    s->name = keep(p, name.text);
    s->path = text_unquote(p, path);
    s->calibrated = calibrated;
    s->types = types;
    s->at = name.at;
    APPEND(models, s);
}

static enum action action_of(int kind)
{
    switch (kind) {
    case TK_CHALLENGE: return ACTION_CHALLENGE;
    case TK_ALLOW: return ACTION_ALLOW;
    case TK_DENY: return ACTION_DENY;
    default: return ACTION_REVIEW;
    }
}

void build_rule(struct parse *p, const struct token *name, struct token action, struct ast *when, struct token because)
{
    struct stmt_rule *s = take(p, sizeof *s);
    if (!s || !when)
        return;
    s->action = action_of(action.kind);
    s->when = when;
    s->at = span_join(action.at, when->at);
    if (name) {
        s->name = keep(p, name->text);
        s->name_at = name->at;
    }
    if (because.kind)
        s->because = text_unquote(p, because);
    APPEND(rules, s);
}

void build_example(struct parse *p, struct token name, struct example_field *fields, struct example_step *steps)
{
    struct stmt_example *s = take(p, sizeof *s);
    if (!s)
        return;
    s->name = text_unquote(p, name);
    s->fields = fields;
    s->steps = steps;
    s->at = name.at;
    APPEND(examples, s);
}

struct example_step *build_steps(struct parse *p, struct example_step *list, struct example_step *step)
{
    UNUSED(p);
    if (!step)
        return list;
    if (!list) {
        step->last = step;
        return step;
    }
    list->last->next = step;
    list->last = step;
    return list;
}

struct example_step *build_step(struct parse *p, struct token type, struct token at, struct example_field *fields,
                                struct build_expect expect)
{
    struct example_step *s = take(p, sizeof *s);
    if (!s)
        return NULL;
    s->type = keep(p, type.text);
    s->type_at = s->at = type.at;
    /* 'at 0' and 'at 0s' are the beginning. */
    bool zero = no_time(at.text);
    if (!zero && at.kind == TK_NUMBER)
        diag_add(p->diags, DIAG_ERROR, at.at, "write a duration, like `at 90s`", "'%.*s' has no unit", SHOWN(at.text));
    else
        s->offset_us = zero ? 0 : duration_of(p, at);
    s->fields = fields;
    s->expected = ACTION_MAX;
    if (expect.action.kind) {
        s->expects = true;
        s->expected = action_of(expect.action.kind);
        s->expected_at = expect.action.at;
    }
    if (expect.rule.kind) {
        s->by_rule = keep(p, expect.rule.text);
        s->by_at = expect.rule.at;
    }
    return s;
}

struct example_field *build_fields(struct parse *p, struct example_field *list, struct example_field *field)
{
    UNUSED(p);
    if (!list || !field)
        return list ? list : field;
    list->last->next = field;
    list->last = field;
    return list;
}

struct example_field *build_field(struct parse *p, struct token name, struct ast *value)
{
    struct example_field *f = take(p, sizeof *f);
    if (!f || !value)
        return NULL;
    f->name = keep(p, plain_name(name));
    f->last = f;
    f->value = value;
    f->at = name.at;
    return f;
}
