/* check_statement.c - the statements of a policy: attributes, settings, lists, models, lets, features and rules. */
#include "core/policy/policy.h"
#include "policy_grammar.h"

static bool attribute_reserved(struct check *c, const struct stmt_attribute *s)
{
    static const char *const words[] = {"id", "time", "type", "target", "fraud", "genuine", "labelled", "any"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (slice_eq(s->name, slice_str(words[i]))) {
            diag_add(c->diags, DIAG_ERROR, s->at, "choose another name",
                     "'%.*s' has a meaning of its own and cannot be an attribute", SHOWN(s->name));
            return true;
        }
    return false;
}

static void check_attribute(struct check *c, const struct stmt_attribute *s)
{
    static const struct {
        const char *word;
        enum keer_attr_type type;
        bool fold;
    } words[] = {{"text", KEER_TEXT, false},       {"text_ci", KEER_TEXT, true}, {"number", KEER_NUMBER, false},
                 {"boolean", KEER_BOOLEAN, false}, {"money", KEER_MONEY, false}, {"ip", KEER_IP, true}};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!slice_eqi(s->type, slice_str(words[i].word)))
            continue;
        unsigned slot;
        if (attribute_reserved(c, s))
            return;
        enum keer_err err = schema_add(&c->p->schema, s->name, words[i].type, words[i].fold, &slot);
        c->failed_alloc |= err == KEER_ENOMEM;
        if (err == KEER_ECONFLICT)
            diag_add(c->diags, DIAG_ERROR, s->at,
                     "attributes that keer knows are listed by `keer --describe=attributes`; `account` and `amount` cannot "
                     "change their type",
                     "'%.*s' is declared twice with different types", SHOWN(s->name));
        if (err == KEER_ELIMIT)
            diag_add(c->diags, DIAG_ERROR, s->at, "", "too many attributes, or a name over %d bytes", LIMIT_NAME_BYTES);
        return;
    }
    diag_add(c->diags, DIAG_ERROR, s->type_at, "text, text_ci (case does not matter), number, boolean, money or ip",
             "'%.*s' is not a type", SHOWN(s->type));
}

static void check_setting(struct check *c, const struct stmt_setting *s)
{
    int64_t us = 0, probe = 0;
    struct buf b;
    switch (s->token) {
    case TK_CURRENCY:
        if (currency_parse(s->name) == CUR_MAX)
            diag_add(c->diags, DIAG_ERROR, s->at, "as in `currency EUR` (ISO 4217)", "'%.*s' is not a currency",
                     SHOWN(s->name));
        break;
    case TK_LATENESS: c->p->lateness_us = s->duration_us; break;
    case TK_TIMEZONE: /* an offset is what a time may end in */
        buf_init(&b, 64);
        buf_puts(&b, "2000-01-01T00:00:00");
        buf_slice(&b, s->name);
        if (s->name.len && strchr("+-Zz", s->name.p[0]) && b.err == KEER_OK &&
            time_parse(SLICE("2000-01-01T00:00:00Z"), &probe) == KEER_OK && time_parse(buf_view(&b), &us) == KEER_OK)
            c->p->zone_us = probe - us;
        else
            diag_add(c->diags, DIAG_ERROR, s->at, "as in `timezone \"+08:00\"`", "'%.*s' is not an offset from UTC",
                     SHOWN(s->name));
        c->failed_alloc |= b.err == KEER_ENOMEM;
        buf_release(&b);
        break;
    default: break; /* rates are read before */
    }
}

/* A let may hide an attribute or a type of event, which is rarely meant. */
static void warn_hidden(struct check *c, const struct stmt_let *s)
{
    struct keer_attr attr;
    const char *doc, *what = NULL;
    for (unsigned i = 0; attr_known_row(i, &attr, &doc); i++)
        if (slice_eq(attr.name, s->name))
            what = "attribute";
    if (keer_schema_find(&c->p->schema, s->name.p, s->name.len) >= 0)
        what = "attribute";
    if (keer_schema_event_type(&c->p->schema, s->name.p, s->name.len) >= 0)
        what = "event type";
    if (slice_eq(s->name, SLICE("score")))
        what = "score";
    if (what)
        diag_add(c->diags, DIAG_WARNING, s->at, "from here on the name means this expression; choose another one",
                 "'%.*s' hides the %s of that name", SHOWN(s->name), what);
}

static void check_length(struct check *c, struct slice name, struct span_at at)
{
    if (name.len > LIMIT_NAME_BYTES)
        diag_add(c->diags, DIAG_ERROR, at, "", "a name has %d letters at most", LIMIT_NAME_BYTES);
}

static void check_lets(struct check *c)
{
    struct keer_policy *p = c->p;
    for (struct stmt_let *s = p->ast.lets; s; s = s->next) {
        c->where = IN_LET;
        c->uses_score = false;
        check_expr(c, s->value);
        for (unsigned i = 0; i < c->lets_known; i++)
            if (slice_eq(p->lets[i].stmt->name, s->name))
                diag_add(c->diags, DIAG_ERROR, s->at, "", "'%.*s' is defined twice", SHOWN(s->name));
        warn_hidden(c, s);
        check_length(c, s->name, s->at);
        if (s->window && s->value->kind != AST_WINDOW && s->value->type != TYPE_ERROR)
            diag_add(c->diags, DIAG_ERROR, s->value->at, "for other expressions write `let`",
                     "a window is an aggregate with `by`, as in count(purchase) by account over 24h");
        if (s->value->kind == AST_WINDOW && s->value->window->index >= 0 && s->value->window->form == FORM_PLAIN)
            p->window_info[s->value->window->index].name = s->name;
        p->lets[c->lets_known++] = (struct policy_let){.stmt = s, .after_score = c->uses_score};
    }
}

static void check_models(struct check *c)
{
    struct keer_policy *p = c->p;
    for (struct stmt_model *s = p->ast.models; s; s = s->next) {
        if (p->model_count == LIMIT_MODELS) {
            diag_add(c->diags, DIAG_ERROR, s->at, "", "a policy can have %d models at most", LIMIT_MODELS);
            return;
        }
        struct policy_model *m = &p->models[p->model_count++];
        m->stmt = s;
        check_length(c, s->name, s->at);
        for (unsigned i = 0; i + 1 < p->model_count; i++)
            if (slice_eq(p->models[i].stmt->name, s->name))
                diag_add(c->diags, DIAG_ERROR, s->at, "", "there are two models named '%.*s'", SHOWN(s->name));
        m->calibrated = s->calibrated;
        m->types = s->types ? check_types(c, s->types) : ~(uint64_t)0;
    }
}

static void check_rules(struct check *c)
{
    struct keer_policy *p = c->p;
    for (struct stmt_rule *s = p->ast.rules; s; s = s->next) {
        c->where = IN_RULE;
        check_length(c, s->name, s->name_at);
        check_expr(c, s->when);
        check_want(c, s->when, TYPE_BOOL, "a rule");
        struct policy_rule *r = &p->rules[p->rule_count++];
        r->stmt = s;
        r->name = s->name;
        if (!r->name.p) {
            char name[40];
            unsigned line, column;
            diag_place(c->diags, s->at, &line, &column);
            (void)snprintf(name, sizeof name, "rule_line_%u", line);
            r->name = arena_copy(&p->arena, slice_str(name));
            c->failed_alloc |= !r->name.p;
        }
        for (unsigned i = 0; i + 1 < p->rule_count; i++)
            if (slice_eq(p->rules[i].name, r->name))
                diag_add(c->diags, DIAG_ERROR, s->name.p ? s->name_at : s->at, "", "there are two rules named '%.*s'",
                         SHOWN(r->name));
    }
}

static void check_features(struct check *c)
{
    struct keer_policy *p = c->p;
    c->where = IN_FEATURE;
    for (struct ast_list *l = p->ast.features; l; l = l->next) {
        if (p->feature_count == LIMIT_FEATURES) {
            diag_add(c->diags, DIAG_ERROR, l->item->at, "", "a model can have %d features at most", LIMIT_FEATURES);
            return;
        }
        c->uses_score = false;
        check_expr(c, l->item);
        for (struct ast_list *o = p->ast.features; o != l; o = o->next)
            if (slice_eq(o->item->name, l->item->name))
                diag_add(c->diags, DIAG_ERROR, l->item->at, "", "'%.*s' is named twice", SHOWN(l->item->name));
        if (l->item->number != 0 && l->item->type == TYPE_TEXT)
            diag_add(c->diags, DIAG_ERROR, l->item->at, "", "a text has no order: it cannot be rising or falling");
        if (c->uses_score)
            diag_add(c->diags, DIAG_ERROR, l->item->at, "", "a score cannot be a feature of the model that makes it");
        p->features[p->feature_count++] = (struct policy_feature){.node = l->item, .slot = -1};
    }
}

enum keer_err policy_check(struct keer_policy *p)
{
    struct check c = {.p = p, .diags = &p->diags};
    for (struct stmt_setting *s = p->ast.settings; s; s = s->next) {
        check_setting(&c, s);
        for (const struct stmt_setting *o = p->ast.settings; o != s; o = o->next)
            if (o->token == s->token)
                diag_add(c.diags, DIAG_ERROR, s->at, "", "this is set twice");
    }
    for (struct stmt_attribute *s = p->ast.attributes; s; s = s->next)
        check_attribute(&c, s);
    for (struct stmt_list *s = p->ast.lists; s; s = s->next) {
        if (p->list_count == LIMIT_LISTS) {
            diag_add(c.diags, DIAG_ERROR, s->at, "", "a policy can have %d lists at most", LIMIT_LISTS);
            break;
        }
        if (currency_parse(s->name) != CUR_MAX)
            diag_add(c.diags, DIAG_ERROR, s->at, "`in` and a currency converts an amount: choose another name",
                     "'%.*s' is a currency and cannot name a list", SHOWN(s->name));
        for (const struct stmt_list *o = p->ast.lists; o != s; o = o->next)
            if (slice_eq(o->name, s->name))
                diag_add(c.diags, DIAG_ERROR, s->at, "", "there are two lists named '%.*s'", SHOWN(s->name));
        p->lists[p->list_count++] = (struct policy_list){.stmt = s, .items = s->items, .set = {-1, -1, -1, -1}};
    }
    check_models(&c);
    check_lets(&c);
    check_features(&c);
    check_rules(&c);
    return c.failed_alloc || p->diags.failed_alloc ? KEER_ENOMEM : KEER_OK;
}
