/* policy.c - a policy from its text: parse, files, check, compile, lists, models, warnings, examples. */
#include "core/policy/policy.h"

#include <math.h>

#include "base/num.h"
#include "policy_grammar.h"

#define POLICY_ARENA ((size_t)64 << 20)

struct making {
    struct keer_policy *p;
    const struct keer_files *files;
    unsigned flags;
};

/* A file named by the policy; on failure a message at `at`. KEER_OK with *ret_data NULL when it was said that it is missing.
 */
static enum keer_err read_file(struct making *m, struct slice path, struct span_at at, size_t max, char **ret_data,
                               size_t *ret_len)
{
    char name[4096];
    *ret_data = NULL;
    if (path.len >= sizeof name || memchr(path.p, '\0', path.len)) {
        diag_add(&m->p->diags, DIAG_ERROR, at, "", "the file name is too long");
        return KEER_OK;
    }
    memcpy(name, path.p, path.len);
    name[path.len] = '\0';
    enum keer_err err =
        m->files && m->files->read ? m->files->read(m->files->ctx, name, ret_data, ret_len) : KEER_EUNSUPPORTED;
    if (err == KEER_ENOMEM)
        return err;
    if (err != KEER_OK)
        diag_add(&m->p->diags, DIAG_ERROR, at, "is it there? paths are relative to the policy's own folder",
                 "the file '%s' cannot be read", name);
    else if (*ret_len > max) {
        diag_add(&m->p->diags, DIAG_ERROR, at, "", "'%s' is larger than %zu bytes", name, max);
        free(*ret_data);
        *ret_data = NULL;
    }
    return KEER_OK;
}

/* Lines "CODE rate": how many units of CODE one unit of the file's own base is worth; '#' begins a comment. */
static void rates_parse(struct keer_policy *p, struct slice text, const struct stmt_setting *s)
{
    size_t line = 0;
    while (text.p) {
        struct slice row = slice_cut(&text, '\n'), code = slice_trim(slice_cut(&row, '#'));
        line++;
        size_t gap = 0;
        while (gap < code.len && !ascii_space(code.p[gap]) && code.p[gap] != ',')
            gap++;
        if (code.len == 0)
            continue;
        struct slice rate = slice_trim(slice_of(code.p + gap + (gap < code.len), code.len - gap - (gap < code.len)));
        enum currency c = currency_parse(slice_of(code.p, gap));
        double v = 0;
        if (c == CUR_MAX || num_f64(rate, &v) != KEER_OK || !(v > 0)) {
            diag_add(&p->diags, DIAG_ERROR, s->at,
                     "a line is a currency and how much of it one unit of the base is worth: USD 1.15",
                     "line %zu of the rates is not a rate: '%.*s'", line, (int)MIN_OF(code.len, 40), code.p);
            return;
        }
        p->rate[c] = v;
    }
    p->has_rates = true;
}

static enum keer_err settings_first(struct making *m)
{
    struct keer_policy *p = m->p;
    p->currency = CUR_EUR;
    p->lateness_us = US_HOUR;
    for (unsigned i = 0; i < CUR_MAX; i++)
        p->rate[i] = NAN;
    for (const struct stmt_setting *s = p->ast.settings; s; s = s->next) {
        if (s->token == TK_CURRENCY && currency_parse(s->name) != CUR_MAX)
            p->currency = currency_parse(s->name);
        if (s->token != TK_RATES)
            continue;
        char *data;
        size_t len;
        enum keer_err err = read_file(m, s->name, s->at, (size_t)1 << 20, &data, &len);
        if (err != KEER_OK)
            return err;
        if (data)
            rates_parse(p, slice_of(data, len), s);
        free(data);
    }
    for (const struct stmt_setting *s = p->ast.settings; s && p->has_rates; s = s->next)
        if (s->token == TK_RATES && isnan(p->rate[p->currency]))
            diag_add(&p->diags, DIAG_ERROR, s->at, "add a line for it", "the rates do not have the policy's currency %s",
                     currency_code(p->currency));
    struct vm_conversion *own = &p->conversions[p->conversion_count++];
    own->to = p->currency;
    for (unsigned from = 0; from < CUR_MAX; from++)
        own->factor[from] =
            p->rate[p->currency] / p->rate[from] * currency_scale(p->currency) / currency_scale((enum currency)from);
    own->factor[p->currency] = own->factor[CUR_XXX] = 1;
    return KEER_OK;
}

static bool tables_make(struct keer_policy *p)
{
    unsigned lets = 0, rules = 0, features = 0;
    for (const struct stmt_let *s = p->ast.lets; s; s = s->next)
        lets++;
    for (const struct stmt_rule *s = p->ast.rules; s; s = s->next)
        rules++;
    for (const struct ast_list *l = p->ast.features; l; l = l->next)
        features++;
    if (lets > LIMIT_LETS || rules > LIMIT_RULES) {
        diag_add(&p->diags, DIAG_ERROR, (struct span_at){0, 1}, "",
                 "a policy can have %d named expressions and %d rules at most", LIMIT_LETS, LIMIT_RULES);
        return true;
    }
    p->lets = arena_array(&p->arena, lets + 1, sizeof *p->lets);
    p->rules = arena_array(&p->arena, rules + 1, sizeof *p->rules);
    p->features = arena_array(&p->arena, MIN_OF(features, LIMIT_FEATURES) + 1, sizeof *p->features);
    p->windows = arena_array(&p->arena, LIMIT_WINDOWS, sizeof *p->windows);
    p->window_info = arena_array(&p->arena, LIMIT_WINDOWS, sizeof *p->window_info);
    p->keys = arena_array(&p->arena, LIMIT_KEYS, sizeof *p->keys);
    p->values = arena_array(&p->arena, LIMIT_VALUES, sizeof *p->values);
    p->filters = arena_array(&p->arena, LIMIT_ALL_FILTERS, sizeof *p->filters);
    p->conditions = arena_array(&p->arena, LIMIT_CONDITIONS, sizeof *p->conditions);
    p->lists = arena_array(&p->arena, LIMIT_LISTS, sizeof *p->lists);
    p->sets.set = arena_array(&p->arena, LIMIT_LISTS * LIST_KIND_MAX, sizeof *p->sets.set);
    return p->lets && p->rules && p->features && p->windows && p->window_info && p->keys && p->values && p->filters &&
           p->conditions && p->lists && p->sets.set;
}

/* --- lists --- */

static enum keer_err list_inline(struct keer_policy *p, const struct policy_list *l, enum list_kind kind)
{
    size_t n = 0, bad = 0;
    for (const struct ast_list *i = l->items; i; i = i->next)
        n++;
    struct list_item *items = calloc(n + 1, sizeof *items);
    if (!items)
        return KEER_ENOMEM;
    n = 0;
    for (const struct ast_list *i = l->items; i; i = i->next)
        items[n++] = (struct list_item){i->item->name, i->item->number};
    enum keer_err err = list_from_items(kind, p->schema.key, items, n, &p->sets.set[l->set[kind]], &bad);
    free(items);
    if (err != KEER_EFORMAT)
        return err;
    const struct ast_list *i = l->items;
    while (bad--)
        i = i->next;
    diag_add(&p->diags, DIAG_ERROR, i->item->at, "as in '10.0.0.0/8' or '2001:db8::1'",
             "'%.*s' is not an address or a range", SHOWN(i->item->name));
    return KEER_OK;
}

static enum keer_err list_file(struct making *m, const struct policy_list *l, enum list_kind kind)
{
    struct keer_policy *p = m->p;
    struct list_error why = {0};
    char *data;
    size_t len;
    enum keer_err err = read_file(m, l->stmt->path, l->stmt->at, LIMIT_LIST_BYTES, &data, &len);
    if (err != KEER_OK || !data)
        return err;
    err = list_from_text(kind, p->schema.key, slice_of(data, len), &p->sets.set[l->set[kind]], &why);
    free(data);
    if (err == KEER_ENOMEM || err == KEER_OK)
        return err;
    diag_add(&p->diags, DIAG_ERROR, l->stmt->at, "one item a line", "%.*s:%zu: %s", SHOWN(l->stmt->path), why.line,
             why.what);
    return KEER_OK;
}

static enum keer_err lists_build(struct making *m)
{
    struct keer_policy *p = m->p;
    for (unsigned i = 0; i < p->list_count; i++)
        for (unsigned kind = 0; kind < LIST_KIND_MAX; kind++) {
            const struct policy_list *l = &p->lists[i];
            if (l->set[kind] < 0)
                continue;
            enum keer_err err =
                l->stmt && l->stmt->path.p ? list_file(m, l, (enum list_kind)kind) : list_inline(p, l, (enum list_kind)kind);
            if (err != KEER_OK)
                return err;
        }
    return KEER_OK;
}

/* --- models --- */

enum keer_err policy_bind_model(struct keer_policy *p, unsigned index, struct slice json)
{
    struct policy_model *m = &p->models[index];
    struct model_error why;
    struct model *model = NULL;
    enum keer_err err = model_read(json, &model, &why);
    if (err == KEER_ENOMEM)
        return err;
    if (err != KEER_OK) {
        diag_add(&p->diags, DIAG_ERROR, m->stmt->at, "train one with `keer train`",
                 "the model '%.*s' cannot be used: %s: %s", SHOWN(m->stmt->name), why.where, why.text);
        return KEER_EFORMAT;
    }
    for (unsigned i = 0; i < model_features(model); i++) {
        struct slice name = model_feature_name(model, i);
        unsigned f = 0;
        while (f < p->feature_count && !slice_eq(p->features[f].node->name, name))
            f++;
        if (f == p->feature_count || p->features[f].text != model_feature_is_category(model, i)) {
            diag_add(&p->diags, DIAG_ERROR, m->stmt->at,
                     "train it again with this policy, or name the feature in `features`",
                     "the model '%.*s' was trained with the %s '%.*s', which this policy does not compute",
                     SHOWN(m->stmt->name), model_feature_is_category(model, i) ? "text" : "number", SHOWN(name));
            model_free(model);
            return KEER_EVERSION;
        }
        m->feature[i] = (uint16_t)f;
    }
    model_free(m->model);
    m->model = model;
    return KEER_OK;
}

static enum keer_err models_read(struct making *m)
{
    for (unsigned i = 0; i < m->p->model_count && !(m->flags & KEER_POLICY_WITHOUT_MODELS); i++) {
        const struct stmt_model *s = m->p->models[i].stmt;
        char *data;
        size_t len;
        enum keer_err err = read_file(m, s->path, s->at, LIMIT_MODEL_BYTES, &data, &len);
        if (err != KEER_OK)
            return err;
        if (data && policy_bind_model(m->p, i, slice_of(data, len)) == KEER_ENOMEM)
            err = KEER_ENOMEM;
        free(data);
        if (err != KEER_OK)
            return err;
    }
    return KEER_OK;
}

/* --- warnings --- */

/* Why rule `k` keeps rule `i` from ever mattering; NULL when it does not. */
static const char *hides(const struct keer_policy *p, unsigned k, unsigned i, const uint8_t *always)
{
    enum action a = p->rules[k].stmt->action, b = p->rules[i].stmt->action;
    bool before = (a == ACTION_ALLOW && b > ACTION_ALLOW) ||
                  (a == ACTION_DENY && (b == ACTION_REVIEW || (b == a && k < i))) || (a == ACTION_ALLOW && b == a && k < i);
    if (before && always[k])
        return "is never reached: every event ends at";
    if (!ast_same(p->rules[k].stmt->when, p->rules[i].stmt->when))
        return NULL;
    return before ? "is never reached: what it asks ends before at" : a == b && k < i ? "asks the same as" : NULL;
}

static void warn_rules(struct keer_policy *p)
{
    uint8_t everything[LIMIT_RULES] = {0};
    for (unsigned i = 0; i < p->rule_count; i++) {
        const struct policy_rule *r = &p->rules[i];
        unsigned never = 0, always = 0;
        for (unsigned t = 0; t < p->schema.type_count; t++) {
            enum tri v = ast_for_type(p, r->stmt->when, t);
            never += v == TRI_FALSE;
            always += v == TRI_TRUE;
        }
        if (never == p->schema.type_count)
            diag_add(&p->diags, DIAG_WARNING, r->stmt->at, "", "the rule '%.*s' can never match", SHOWN(r->name));
        if (always == p->schema.type_count)
            diag_add(&p->diags, DIAG_WARNING, r->stmt->at, "", "the rule '%.*s' matches every event", SHOWN(r->name));
        everything[i] = always == p->schema.type_count;
    }
    for (unsigned i = 0; i < p->rule_count; i++) {
        const struct policy_rule *r = &p->rules[i];
        for (unsigned k = 0; k < p->rule_count; k++) {
            const struct policy_rule *o = &p->rules[k];
            const char *why = hides(p, k, i, everything);
            if (why) {
                diag_add(&p->diags, DIAG_WARNING, r->stmt->at, "", "the rule '%.*s' %s '%.*s'", SHOWN(r->name), why,
                         SHOWN(o->name));
                break;
            }
        }
    }
}

static void warn_unused(struct keer_policy *p)
{
    for (unsigned i = 0; i < p->let_count; i++)
        if (!p->lets[i].stmt->uses)
            diag_add(&p->diags, DIAG_WARNING, p->lets[i].stmt->at, "a rule, another `let` or `features` would use it",
                     "'%.*s' is never used", SHOWN(p->lets[i].stmt->name));
    for (const struct stmt_list *s = p->ast.lists; s; s = s->next)
        if (!s->uses)
            diag_add(&p->diags, DIAG_WARNING, s->at, "", "the list '%.*s' is never used", SHOWN(s->name));
    for (const struct stmt_example *s = p->ast.examples; s; s = s->next) {
        bool expects = false;
        for (const struct example_step *step = s->steps; step; step = step->next)
            expects |= step->expects;
        if (!expects)
            diag_add(&p->diags, DIAG_WARNING, s->at, "end a step with `expect challenge`, `expect deny by RULE`, ...",
                     "the example expects nothing");
    }
    if (p->rule_count == 0 && p->feature_count == 0)
        diag_add(&p->diags, DIAG_WARNING, (struct span_at){0, 1}, "",
                 "the policy has no rules and no features: it allows everything");
}

/* --- making --- */

/* Whether a store can be laid out for the windows. */
static enum keer_err windows_fit(struct keer_policy *p)
{
    struct win_store *store = NULL;
    enum keer_err err = win_memory_new(&p->plan, NULL, &store);
    win_memory_free(store);
    if (err != KEER_ELIMIT)
        return err;
    diag_add(&p->diags, DIAG_ERROR, (struct span_at){0, 1},
             "count less by one and the same key, or use the same `where` more often",
             "the windows by one kind of key have too many different conditions and values");
    return KEER_OK;
}

static enum keer_err make(struct making *m)
{
    struct keer_policy *p = m->p;
    enum keer_err err = policy_parse_text(p->text, &p->arena, &p->diags, &p->ast);
    p->syntax = p->diags.errors > 0;
    if (err == KEER_OK)
        err = settings_first(m);
    if (err != KEER_OK)
        return err;
    if (!tables_make(p))
        return KEER_ENOMEM;
    if (!p->sets.set)
        return KEER_ELIMIT;
    /* A text with syntax errors is checked too: its other mistakes are said in the same run. */
    err = policy_check(p);
    for (const struct stmt_let *s = p->ast.lets; s; s = s->next)
        p->let_count++;
    if (err == KEER_OK && p->diags.errors)
        return p->syntax ? KEER_ESYNTAX : KEER_ETYPE;
    p->plan.window = p->windows;
    p->plan.values = p->value_count;
    p->plan.lateness_us = p->lateness_us;
    if (err == KEER_OK)
        err = policy_compile(p);
    if (err == KEER_OK)
        err = lists_build(m);
    if (err == KEER_OK)
        err = models_read(m);
    if (err == KEER_OK && !p->diags.errors)
        err = windows_fit(p);
    if (err != KEER_OK)
        return err;
    if (p->diags.failed_alloc)
        return KEER_ENOMEM;
    if (p->diags.errors)
        return KEER_ETYPE;
    warn_rules(p);
    warn_unused(p);
    unsigned run, failed;
    if (!(m->flags & KEER_POLICY_WITHOUT_EXAMPLES))
        err = policy_run_examples(p, &run, &failed);
    if (err == KEER_OK && p->diags.errors)
        err = KEER_ETYPE;
    return p->diags.failed_alloc ? KEER_ENOMEM : err;
}

void keer_policy_free(struct keer_policy *p)
{
    if (!p)
        return;
    for (unsigned i = 0; i < p->model_count; i++)
        model_free(p->models[i].model);
    for (unsigned i = 0; i < p->sets.count && p->sets.set; i++)
        list_release(&p->sets.set[i]);
    free(p->code);
    diags_release(&p->diags);
    schema_release(&p->schema);
    arena_release(&p->arena);
    free(p);
}

enum keer_err policy_make(const char *name, struct slice text, const struct keer_files *files, unsigned flags,
                          struct keer_policy **ret_policy)
{
    struct keer_policy *p = calloc(1, sizeof *p);
    if (!p)
        return KEER_ENOMEM;
    arena_init(&p->arena, POLICY_ARENA);
    policy_ast_init(&p->ast);
    enum keer_err err = schema_init(&p->schema, HASH_KEY_DEFAULT);
    p->text = arena_copy(&p->arena, slice_of(text.p, MIN_OF(text.len, LIMIT_POLICY_BYTES)));
    p->name = arena_copy(&p->arena, slice_str(name));
    if (err != KEER_OK || !p->text.p || !p->name.p) {
        keer_policy_free(p);
        return KEER_ENOMEM;
    }
    diags_init(&p->diags, p->name, p->text);
    struct making m = {p, files, flags};
    /* Answers and report cards name the account and the amount, whether a rule looks at them or not. */
    unsigned slot;
    if (schema_add_known(&p->schema, SLICE("account"), &slot) != KEER_OK ||
        schema_add_known(&p->schema, SLICE("amount"), &slot) != KEER_OK) {
        keer_policy_free(p);
        return KEER_ENOMEM;
    }
    if (text.len > LIMIT_POLICY_BYTES) {
        diag_add(&p->diags, DIAG_ERROR, (struct span_at){0, 1}, "", "a policy is %u bytes at most", LIMIT_POLICY_BYTES);
        err = KEER_ELIMIT;
    } else {
        err = make(&m);
        if (err == KEER_ENOMEM &&
            p->arena.used > POLICY_ARENA - 4 * LIMIT_POLICY_BYTES) { /* the policy's own bound, not the machine's */
            diag_add(&p->diags, DIAG_ERROR, (struct span_at){0, 1}, "put long lists in files", "the policy is too large");
            err = KEER_ELIMIT;
        }
    }
    *ret_policy = p; /* with its messages, whatever `err` is */
    return err;
}

enum keer_err keer_policy_new(const char *name, const char *text, size_t len, const struct keer_files *files, unsigned flags,
                              struct keer_policy **ret_policy, char **ret_messages)
{
    struct keer_policy *p = NULL;
    struct buf out;
    enum keer_err err = policy_make(name, slice_of(text, len), files, flags, &p);
    if (ret_messages)
        *ret_messages = NULL;
    if (p && ret_messages && p->diags.count) {
        buf_init(&out, (size_t)1 << 20);
        diags_print(&p->diags, &out);
        *ret_messages = out.p;
    }
    if (err != KEER_OK)
        keer_policy_free(p);
    else
        *ret_policy = p;
    return err;
}

const struct keer_schema *keer_policy_schema(const struct keer_policy *p) { return &p->schema; }
unsigned keer_policy_rules(const struct keer_policy *p) { return p->rule_count; }

const char *keer_policy_rule_name(const struct keer_policy *p, unsigned rule)
{
    return rule < p->rule_count ? p->rules[rule].name.p : NULL;
}
