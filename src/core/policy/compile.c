/* compile.c - from the checked tree to flat code, and from event types to what each of them needs. */
#include <math.h>

#include "core/policy/policy.h"

/* A value during compilation: where it is and what it is. */
struct place {
    uint16_t reg;
    bool text;
};

struct emit {
    struct keer_policy *p;
    unsigned next, next_text; /* first free scratch register */
    bool failed_alloc, full;
};

static struct place emit_expr(struct emit *e, const struct ast *n);

static void emit_op(struct emit *e, enum vm_op op, unsigned dst, unsigned a, unsigned b, unsigned c)
{
    struct keer_policy *p = e->p;
    if (p->code_count == p->code_cap) {
        uint32_t cap = p->code_cap ? p->code_cap * 2 : 256;
        e->full |= p->code_count >= LIMIT_CODE;
        struct vm_insn *code = e->full ? NULL : realloc(p->code, cap * sizeof *code);
        if (!code) {
            e->failed_alloc |= !e->full;
            return;
        }
        p->code = code;
        p->code_cap = cap;
    }
    p->code[p->code_count++] = (struct vm_insn){(uint16_t)op, (uint16_t)dst, (uint16_t)a, (uint16_t)b, (uint16_t)c};
}

static struct place scratch(struct emit *e, bool text)
{
    unsigned reg = text ? e->next_text++ : e->next++;
    unsigned *most = text ? &e->p->text_registers : &e->p->registers;
    *most = MAX_OF(*most, reg + 1);
    e->full |= reg >= LIMIT_REGISTERS * 8;
    return (struct place){(uint16_t)reg, text};
}

/* --- constants: collected before code is made, so that their registers come first --- */

static unsigned constant(struct keer_policy *p, double v)
{
    for (unsigned i = 0; i < p->constant_count; i++)
        if (p->constants[i] == v || (isnan(v) && isnan(p->constants[i])))
            return i;
    ASSERT(!p->constants_closed); /* everything was collected before registers were given out */
    if (p->constant_count < LIMIT_REGISTERS)
        p->constants[p->constant_count++] = v;
    return p->constant_count - 1;
}

static unsigned text_constant(struct keer_policy *p, struct slice s, bool fold)
{
    uint64_t hash = (fold ? hash_folded(p->schema.key, s) : hash_bytes(p->schema.key, s.p, s.len)).lo;
    for (unsigned i = 0; i < p->text_constant_count; i++)
        if (p->text_constants[i] == hash && slice_eq(p->texts[i], s))
            return i;
    ASSERT(!p->constants_closed);
    if (p->text_constant_count < LIMIT_REGISTERS) {
        p->text_constants[p->text_constant_count] = hash;
        p->texts[p->text_constant_count++] = s;
    }
    return p->text_constant_count - 1;
}

/* Minor units of one currency in those of another. */
static double money_factor(const struct keer_policy *p, enum currency from, enum currency to)
{
    if (from == to)
        return 1;
    return p->rate[to] / p->rate[from] * currency_scale(to) / currency_scale(from);
}

static double literal(const struct ast *n)
{
    switch (n->kind) {
    case AST_NUMBER:
    case AST_BOOL: return n->number;
    case AST_MONEY: return rint(n->number * currency_scale(n->currency));
    case AST_DURATION: return (double)n->duration_us * 1e-6;
    default: return NAN;
    }
}

static double function_factor(const struct ast *n)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"seconds", 1}, {"minutes", 60}, {"hours", 3600}, {"days", 86400}};
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (slice_eqi(n->name, slice_str(units[i].name)))
            return 1 / units[i].seconds;
    return n->args ? 1 / currency_scale(n->args->item->currency) : 1;
}

/* --- loads: likewise --- */

static const struct policy_load *load_find(const struct keer_policy *p, enum vm_op op, unsigned a, unsigned b)
{
    for (unsigned i = 0; i < p->load_count; i++)
        if (p->loads[i].op == op && p->loads[i].a == a && p->loads[i].b == b)
            return &p->loads[i];
    return NULL;
}

static void load_need(struct keer_policy *p, enum vm_op op, unsigned a, unsigned b)
{
    if (!load_find(p, op, a, b) && p->load_count < LIMIT_LOADS)
        p->loads[p->load_count++] = (struct policy_load){.op = op, .a = a, .b = b};
}

static enum vm_op slot_op(const struct keer_policy *p, unsigned slot)
{
    enum keer_attr_type type = p->schema.attrs[slot].type;
    return type == KEER_TEXT || type == KEER_IP ? VM_TEXT : type == KEER_MONEY ? VM_AMOUNT : VM_NUMBER;
}

static void collect_name(struct keer_policy *p, const struct ast *n)
{
    enum vm_op op = n->ref_kind == REF_SLOT ? slot_op(p, (unsigned)n->ref) : VM_OP_MAX;
    if (n->ref_kind == REF_SLOT)
        load_need(p, op, (unsigned)n->ref, op == VM_AMOUNT ? policy_conversion(p, n->currency) : 0);
    if (n->ref_kind == REF_EVENT || n->ref_kind == REF_PART)
        load_need(p, n->ref_kind == REF_EVENT ? VM_TYPE : VM_PART, (unsigned)n->ref, 0);
}

static void collect_window(struct keer_policy *p, const struct ast_window *w)
{
    if (w->form != FORM_RATIO && w->form != FORM_ZSCORE)
        return;
    const struct policy_value *v = &p->values[w->value];
    load_need(p, v->conversion >= 0 ? VM_AMOUNT : VM_NUMBER, v->slot, v->conversion >= 0 ? (unsigned)v->conversion : 0);
}

static void collect(struct keer_policy *p, const struct ast *n)
{
    if (!n)
        return;
    if (n->kind == AST_NAME)
        collect_name(p, n);
    if (n->kind == AST_WINDOW)
        collect_window(p, n->window);
    if (n->kind == AST_NUMBER || n->kind == AST_BOOL || n->kind == AST_MONEY || n->kind == AST_DURATION)
        (void)constant(p, literal(n));
    if (n->kind == AST_TEXT)
        (void)text_constant(p, n->name, n->fold);
    if (n->kind == AST_CALL && n->args)
        (void)constant(p, function_factor(n));
    if (n->kind == AST_CONVERT)
        (void)constant(p, money_factor(p, n->a->currency, n->currency));
    if (n->kind == AST_BINARY && n->a->type == TYPE_MONEY && n->b->type == TYPE_MONEY)
        (void)constant(p, money_factor(p, n->b->currency, n->a->currency));
    if (n->kind == AST_CALL && n->type == TYPE_MONEY)
        for (const struct ast_list *l = n->args; l; l = l->next)
            if (l->item->type == TYPE_MONEY)
                (void)constant(p, money_factor(p, l->item->currency, n->currency));
    if (n->kind == AST_IN && n->a->type == TYPE_MONEY)
        for (const struct ast_list *l = p->lists[n->set->index].items; l; l = l->next) {
            (void)constant(p, literal(l->item));
            (void)constant(p, money_factor(p, l->item->currency, n->a->currency));
        }
    collect(p, n->a);
    collect(p, n->b);
    collect(p, n->same);
    for (const struct ast_list *l = n->args; l; l = l->next)
        collect(p, l->item);
}

/* --- expressions --- */

static struct place emit_numeric(struct emit *e, enum vm_op op, unsigned a, unsigned b, unsigned c)
{
    struct place r = scratch(e, false);
    emit_op(e, op, r.reg, a, b, c);
    return r;
}

static struct place to_currency(struct emit *e, struct place v, enum currency from, enum currency to)
{
    if (from == to)
        return v;
    return emit_numeric(e, VM_MUL, v.reg, constant(e->p, money_factor(e->p, from, to)), 0);
}

unsigned policy_conversion(const struct keer_policy *p, enum currency to)
{
    for (unsigned i = 0; i < p->conversion_count; i++)
        if (p->conversions[i].to == to)
            return i;
    return 0; /* the policy's own currency is always there */
}

static struct place emit_load(struct emit *e, enum vm_op op, unsigned a, unsigned b)
{
    const struct policy_load *load = load_find(e->p, op, a, b);
    if (load)
        return (struct place){load->reg, op == VM_TEXT};
    struct place r = scratch(e, op == VM_TEXT); /* too many of them for registers of their own */
    emit_op(e, op, r.reg, a, b, 0);
    return r;
}

static struct place emit_slot(struct emit *e, unsigned slot, enum currency currency)
{
    enum vm_op op = slot_op(e->p, slot);
    return emit_load(e, op, slot, op == VM_AMOUNT ? policy_conversion(e->p, currency) : 0);
}

static struct place emit_name(struct emit *e, const struct ast *n)
{
    const struct keer_policy *p = e->p;
    switch ((enum ref_kind)n->ref_kind) {
    case REF_SLOT: return emit_slot(e, (unsigned)n->ref, n->currency);
    case REF_LET: return (struct place){p->lets[n->ref].reg, p->lets[n->ref].stmt->value->type == TYPE_TEXT};
    case REF_EVENT: return emit_load(e, VM_TYPE, (unsigned)n->ref, 0);
    case REF_SCORE: return (struct place){(uint16_t)(p->score_reg + (unsigned)n->ref), false};
    case REF_PART: return emit_load(e, VM_PART, (unsigned)n->ref, 0);
    case REF_SAME: return emit_expr(e, n->same);
    case REF_NONE: break;
    }
    ASSERT(false);
    return (struct place){0, false};
}

static struct place emit_window(struct emit *e, const struct ast *n)
{
    const struct keer_policy *p = e->p;
    const struct ast_window *w = n->window;
    unsigned reg = p->window_reg + (unsigned)w->index;
    if (n->type == TYPE_TEXT)
        return (struct place){(uint16_t)(p->window_text_reg + (unsigned)w->index), true};
    switch ((enum window_form)w->form) {
    case FORM_PLAIN: break;
    case FORM_SHARE: return emit_numeric(e, VM_DIV, reg, p->window_reg + (unsigned)w->second, 0);
    case FORM_RATIO:
    case FORM_ZSCORE: {
        const struct policy_value *v = &p->values[w->value];
        struct place now = v->conversion >= 0 ? emit_load(e, VM_AMOUNT, v->slot, (unsigned)v->conversion)
                                              : emit_load(e, VM_NUMBER, v->slot, 0);
        if (w->form == FORM_RATIO)
            return emit_numeric(e, VM_DIV, now.reg, reg, 0);
        struct place off = emit_numeric(e, VM_SUB, now.reg, reg, 0);
        return emit_numeric(e, VM_DIV, off.reg, p->window_reg + (unsigned)w->second, 0);
    }
    }
    return (struct place){(uint16_t)reg, false};
}

static struct place emit_text_compare(struct emit *e, const struct ast *n)
{
    const struct ast *a = ast_through(e->p, n->a), *b = ast_through(e->p, n->b);
    bool equal = n->op == OP_EQ;
    bool slots = a->kind == AST_NAME && b->kind == AST_NAME && a->ref_kind == REF_SLOT && b->ref_kind == REF_SLOT;
    if (slots && a->fold != b->fold)
        return emit_numeric(e, equal ? VM_TEXT_EQ_FOLD : VM_TEXT_NE_FOLD, (unsigned)a->ref, (unsigned)b->ref, 0);
    struct place x = emit_expr(e, a), y = emit_expr(e, b);
    return emit_numeric(e, equal ? VM_TEXT_EQ : VM_TEXT_NE, x.reg, y.reg, 0);
}

/* `a and b`: when a is false the code of b is skipped. */
static struct place emit_and(struct emit *e, const struct ast *n)
{
    struct place a = emit_expr(e, n->a), r = scratch(e, false);
    uint32_t skip = e->p->code_count;
    emit_op(e, VM_SKIP_UNLESS, r.reg, a.reg, 0, 0);
    struct place b = emit_expr(e, n->b);
    emit_op(e, VM_AND, r.reg, a.reg, b.reg, 0);
    if (!e->failed_alloc && !e->full) {
        uint32_t far = e->p->code_count - skip - 1;
        e->full |= far > UINT16_MAX;
        e->p->code[skip].b = (uint16_t)far;
    }
    return r;
}

static struct place emit_binary(struct emit *e, const struct ast *n)
{
    static const enum vm_op ops[] = {
        [OP_OR] = VM_OR, [OP_EQ] = VM_EQ,   [OP_NE] = VM_NE,   [OP_LT] = VM_LT,   [OP_LE] = VM_LE,  [OP_GT] = VM_GT,
        [OP_GE] = VM_GE, [OP_ADD] = VM_ADD, [OP_SUB] = VM_SUB, [OP_MUL] = VM_MUL, [OP_DIV] = VM_DIV};
    if (n->op == OP_AND)
        return emit_and(e, n);
    if (n->op == OP_LIKE || n->op == OP_INCLUDES) {
        const struct ast *a = ast_through(e->p, n->a);
        return emit_numeric(e, n->op == OP_LIKE ? VM_LIKE : VM_INCLUDES, (unsigned)a->ref,
                            text_constant(e->p, n->b->name, false), a->fold);
    }
    if (n->a->type == TYPE_TEXT)
        return emit_text_compare(e, n);
    struct place a = emit_expr(e, n->a), b = emit_expr(e, n->b);
    if (n->a->type == TYPE_MONEY && n->b->type == TYPE_MONEY)
        b = to_currency(e, b, n->b->currency, n->a->currency);
    return emit_numeric(e, ops[n->op], a.reg, b.reg, 0);
}

static struct place emit_call(struct emit *e, const struct ast *n)
{
    static const struct {
        const char *name;
        enum vm_op op;
    } functions[] = {
#define FUNCTION(name, arguments, form, op, doc) {name, op},
#include "core/policy/functions.def"
#undef FUNCTION
    };
    size_t f = 0;
    while (f < ARRAY_LEN(functions) && !slice_eqi(n->name, slice_str(functions[f].name)))
        f++;
    ASSERT(f < ARRAY_LEN(functions));
    struct place arg[3] = {{0}};
    unsigned k = 0;
    for (const struct ast_list *l = n->args; l && k < 3; l = l->next, k++) {
        arg[k] = emit_expr(e, l->item);
        if (n->type == TYPE_MONEY && l->item->type == TYPE_MONEY)
            arg[k] = to_currency(e, arg[k], l->item->currency, n->currency);
    }
    switch (functions[f].op) {
    case VM_MUL: return emit_numeric(e, VM_MUL, arg[0].reg, constant(e->p, function_factor(n)), 0);
    case VM_MISSING: return emit_numeric(e, arg[0].text ? VM_MISSING_T : VM_MISSING, arg[0].reg, 0, 0);
    case VM_COALESCE:
    case VM_CHOOSE: {
        bool text = n->type == TYPE_TEXT;
        struct place r = scratch(e, text);
        bool choose = functions[f].op == VM_CHOOSE;
        emit_op(e,
                choose ? (text ? VM_CHOOSE_T : VM_CHOOSE)
                : text ? VM_COALESCE_T
                       : VM_COALESCE,
                r.reg, arg[0].reg, arg[1].reg, arg[2].reg);
        return r;
    }
    default: return emit_numeric(e, functions[f].op, arg[0].reg, arg[1].reg, 0);
    }
}

/* The compiled form of a list for the way it is asked here. */
static unsigned set_for(struct keer_policy *p, int list, enum list_kind kind)
{
    struct policy_list *l = &p->lists[list];
    if (l->set[kind] < 0)
        l->set[kind] = (int)p->sets.count++;
    return (unsigned)l->set[kind];
}

static struct place emit_in_money(struct emit *e, const struct ast *n)
{
    struct place v = emit_expr(e, n->a), any = {0};
    for (const struct ast_list *l = e->p->lists[n->set->index].items; l; l = l->next) {
        struct place item = to_currency(e, emit_expr(e, l->item), l->item->currency, n->a->currency);
        struct place same = emit_numeric(e, VM_EQ, v.reg, item.reg, 0);
        any = l == e->p->lists[n->set->index].items ? same : emit_numeric(e, VM_OR, any.reg, same.reg, 0);
    }
    return any;
}

static struct place emit_in(struct emit *e, const struct ast *n)
{
    if (n->a->type == TYPE_MONEY)
        return emit_in_money(e, n);
    const struct ast *a = ast_through(e->p, n->a);
    if (a->type == TYPE_NUMBER) {
        struct place v = emit_expr(e, a);
        return emit_numeric(e, VM_IN_NUMBER, v.reg, set_for(e->p, n->set->index, LIST_NUMBER), 0);
    }
    bool ip = a->kind == AST_NAME && a->ref_kind == REF_SLOT && e->p->schema.attrs[a->ref].type == KEER_IP;
    if (ip)
        return emit_numeric(e, VM_IN_IP, (unsigned)a->ref, set_for(e->p, n->set->index, LIST_IP), 0);
    struct place t = emit_expr(e, a);
    return emit_numeric(e, VM_IN_TEXT, t.reg, set_for(e->p, n->set->index, a->fold ? LIST_TEXT_FOLD : LIST_TEXT), 0);
}

static struct place emit_expr(struct emit *e, const struct ast *n)
{
    switch (n->kind) {
    case AST_NUMBER:
    case AST_BOOL:
    case AST_MONEY:
    case AST_DURATION: return (struct place){(uint16_t)constant(e->p, literal(n)), false};
    case AST_TEXT: return (struct place){(uint16_t)text_constant(e->p, n->name, n->fold), true};
    case AST_NAME: return emit_name(e, n);
    case AST_NOT: return emit_numeric(e, VM_NOT, emit_expr(e, n->a).reg, 0, 0);
    case AST_NEGATE: return emit_numeric(e, VM_NEG, emit_expr(e, n->a).reg, 0, 0);
    case AST_BINARY: return emit_binary(e, n);
    case AST_CALL: return emit_call(e, n);
    case AST_WINDOW: return emit_window(e, n);
    case AST_IN: return emit_in(e, n);
    case AST_CONVERT: return to_currency(e, emit_expr(e, n->a), n->a->currency, n->currency);
    case AST_KIND_MAX: break;
    }
    ASSERT(false);
    return (struct place){0, false};
}

/* --- what an event type needs --- */

enum tri ast_for_type(const struct keer_policy *p, const struct ast *n, unsigned type)
{
    switch (n->kind) {
    case AST_BOOL: return n->number != 0 ? TRI_TRUE : TRI_FALSE;
    case AST_NAME:
        if (n->ref_kind == REF_EVENT)
            return (unsigned)n->ref == type ? TRI_TRUE : TRI_FALSE;
        if (n->ref_kind == REF_LET && n->type == TYPE_BOOL)
            return (enum tri)p->let_tri[(size_t)type * p->let_count + (unsigned)n->ref];
        return n->ref_kind == REF_SAME ? ast_for_type(p, n->same, type) : TRI_OPEN;
    case AST_NOT: {
        enum tri a = ast_for_type(p, n->a, type);
        return a == TRI_OPEN ? TRI_OPEN : a == TRI_TRUE ? TRI_FALSE : TRI_TRUE;
    }
    case AST_BINARY: {
        if (n->op != OP_AND && n->op != OP_OR)
            return TRI_OPEN;
        enum tri a = ast_for_type(p, n->a, type), b = ast_for_type(p, n->b, type),
                 strong = n->op == OP_AND ? TRI_FALSE : TRI_TRUE;
        if (a == strong || b == strong)
            return strong;
        return a == TRI_OPEN || b == TRI_OPEN ? TRI_OPEN : a;
    }
    default: return TRI_OPEN;
    }
}

struct needs {
    const struct keer_policy *p;
    struct policy_plan *plan;
    unsigned type;
    uint64_t lets[LIMIT_LETS / 64]; /* their own needs are seen to afterwards, so that no chain of lets is a recursion */
};

static void need(struct needs *s, const struct ast *n)
{
    if (!n)
        return;
    if (n->kind == AST_WINDOW) {
        int w[2] = {n->window->index,
                    n->window->form == FORM_SHARE || n->window->form == FORM_ZSCORE ? n->window->second : -1};
        for (int i = 0; i < 2; i++)
            if (w[i] >= 0)
                s->plan->windows[w[i] / 64] |= (uint64_t)1 << w[i] % 64;
        return;
    }
    if (n->kind == AST_BINARY && (n->op == OP_AND || n->op == OP_OR) && n->type == TYPE_BOOL) {
        /* What the type decides alone does not need its other side. The side that decides it may be a let, whose register is
         * read: it needs that, and by it no window. */
        enum tri settled = n->op == OP_AND ? TRI_FALSE : TRI_TRUE;
        bool by_a = ast_for_type(s->p, n->a, s->type) == settled, by_b = ast_for_type(s->p, n->b, s->type) == settled;
        if (by_a || by_b) {
            need(s, by_a ? n->a : n->b);
            return;
        }
    }
    if (n->kind == AST_NAME && n->ref_kind == REF_LET)
        s->lets[n->ref / 64] |= (uint64_t)1 << n->ref % 64;
    need(s, n->a);
    need(s, n->b);
    need(s, n->same);
    for (const struct ast_list *l = n->args; l; l = l->next)
        need(s, l->item);
}

/* --- the pieces of code that a type runs --- */

static void code_add(struct policy_code *c, struct vm_range r)
{
    if (r.from == r.to)
        return;
    if (c->count && c->range[c->count - 1].to == r.from)
        c->range[c->count - 1].to = r.to;
    else
        c->range[c->count++] = r;
}

/* Marks the load whose register this is, if it is one. */
static void register_load(const struct keer_policy *p, unsigned reg, bool text, uint64_t loads[LIMIT_LOADS / 64])
{
    unsigned base = text ? p->load_text_reg : p->load_reg;
    if (reg >= base && reg < base + p->load_count)
        loads[(reg - base) / 64] |= (uint64_t)1 << (reg - base) % 64;
}

/* Marks the loads whose registers this code reads. */
static void code_loads(const struct keer_policy *p, const struct policy_code *c, uint64_t loads[LIMIT_LOADS / 64])
{
    for (unsigned k = 0; k < c->count; k++)
        for (uint32_t i = c->range[k].from; i < c->range[k].to; i++) {
            const struct vm_insn *x = &p->code[i];
            const uint16_t operand[] = {x->a, x->b, x->c};
            const uint8_t *kind = vm_reads((enum vm_op)x->op);
            for (unsigned o = 0; o < ARRAY_LEN(operand); o++)
                if (kind[o] >= VM_IS_NUM)
                    register_load(p, operand[o], kind[o] == VM_IS_TEXT, loads);
        }
}

static bool code_array(struct keer_policy *p, unsigned n, struct policy_code *c)
{
    c->range = arena_array(&p->arena, MAX_OF(n, 1u), sizeof *c->range);
    return c->range != NULL;
}

/* From what the type needs to the code that it runs. */
static bool plan_code(struct keer_policy *p, struct policy_plan *plan)
{
    uint64_t loads[LIMIT_LOADS / 64] = {0};
    struct policy_code conditions = {0};
    if (!code_array(p, p->condition_count, &conditions) || !code_array(p, p->let_count, &plan->before) ||
        !code_array(p, p->let_count, &plan->after) || !code_array(p, p->feature_count, &plan->features) ||
        !code_array(p, plan->rule_count, &plan->verdict) || !code_array(p, p->load_count + p->condition_count, &plan->early))
        return false;
    for (unsigned i = 0; i < p->condition_count; i++)
        if (plan->conditions[i / 64] >> i % 64 & 1) {
            code_add(&conditions, p->conditions[i].code);
            register_load(p, p->conditions[i].result, false, loads);
        }
    for (unsigned i = 0; i < plan->let_count; i++) {
        const struct policy_let *let = &p->lets[plan->lets[i]];
        code_add(let->after_score ? &plan->after : &plan->before, let->code);
        register_load(p, let->reg, let->stmt->value->type == TYPE_TEXT, loads);
    }
    for (unsigned i = 0; i < p->feature_count && (plan->models || !p->model_count); i++) {
        code_add(&plan->features, p->features[i].code);
        register_load(p, p->features[i].reg, p->features[i].text, loads);
    }
    for (unsigned i = 0; i < plan->rule_count; i++)
        code_add(&plan->verdict, p->rules[plan->rules[i]].code);
    code_loads(p, &conditions, loads);
    code_loads(p, &plan->before, loads);
    code_loads(p, &plan->after, loads);
    code_loads(p, &plan->features, loads);
    code_loads(p, &plan->verdict, loads);
    for (unsigned i = 0; i < p->load_count; i++)
        if (loads[i / 64] >> i % 64 & 1)
            code_add(&plan->early, (struct vm_range){p->loads[i].code, p->loads[i].code + 1});
    for (unsigned i = 0; i < conditions.count; i++)
        code_add(&plan->early, conditions.range[i]);
    return true;
}

static bool index_array(struct keer_policy *p, unsigned n, uint16_t **ret_array)
{
    *ret_array = arena_array(&p->arena, MAX_OF(n, 1u), sizeof **ret_array);
    return *ret_array != NULL;
}

static bool plan_type(struct keer_policy *p, unsigned type)
{
    struct policy_plan *plan = &p->plans[type];
    struct needs s = {.p = p, .plan = plan, .type = type};
    if (!index_array(p, p->rule_count, &plan->rules) || !index_array(p, p->let_count, &plan->lets) ||
        !index_array(p, p->filter_count, &plan->filters))
        return false;
    for (unsigned action = 0; action < ACTION_MAX; action++)
        for (unsigned r = 0; r < p->rule_count; r++)
            if ((unsigned)p->rules[r].stmt->action == action && ast_for_type(p, p->rules[r].stmt->when, type) != TRI_FALSE) {
                plan->rules[plan->rule_count++] = (uint16_t)r;
                need(&s, p->rules[r].stmt->when);
            }
    /* A model scores every event of its types, whether a rule asks or not: the score is part of the answer. */
    for (unsigned m = 0; m < p->model_count; m++)
        if (p->models[m].types >> type & 1)
            plan->models |= (uint64_t)1 << m;
    /* Features without a model are asked for by whoever trains one. */
    for (unsigned i = 0; i < p->feature_count && (plan->models || !p->model_count); i++)
        need(&s, p->features[i].node);
    for (unsigned i = p->let_count; i > 0; i--) /* a let needs earlier ones only */
        if (s.lets[(i - 1) / 64] >> (i - 1) % 64 & 1)
            need(&s, p->lets[i - 1].stmt->value);
    for (unsigned i = 0; i < p->let_count; i++)
        if (s.lets[i / 64] >> i % 64 & 1)
            plan->lets[plan->let_count++] = (uint16_t)i;
    for (unsigned f = 0; f < p->filter_count; f++) {
        const struct policy_filter *pf = &p->filters[f];
        if (!(pf->types >> type & 1))
            continue;
        if (pf->condition < 0 && pf->value < 0)
            plan->always[pf->group] |= (uint64_t)1 << pf->bit;
        else
            plan->filters[plan->filter_count++] = (uint16_t)f;
        if (pf->condition >= 0)
            plan->conditions[pf->condition / 64] |= (uint64_t)1 << pf->condition % 64;
        if (pf->value >= 0)
            plan->values[pf->value / 64] |= (uint64_t)1 << pf->value % 64;
        plan->groups |= (uint64_t)1 << pf->group;
    }
    for (unsigned w = 0; w < p->plan.windows; w++)
        if (plan->windows[w / 64] >> w % 64 & 1)
            plan->groups |= (uint64_t)1 << p->windows[w].group;
    return plan_code(p, plan);
}

/* --- all of it --- */

static struct vm_range emit_into(struct emit *e, const struct ast *n, uint16_t *ret_reg)
{
    struct vm_range range = {.from = e->p->code_count};
    *ret_reg = emit_expr(e, n).reg;
    range.to = e->p->code_count;
    return range;
}

/* What has no code of its own needs no register of its own. */
static void emit_let(struct emit *e, struct policy_let *let)
{
    struct vm_range range = {.from = e->p->code_count};
    struct place v = emit_expr(e, let->stmt->value);
    if (e->p->code_count == range.from)
        let->reg = v.reg;
    else
        emit_op(e, v.text ? VM_COALESCE_T : VM_COPY, let->reg, v.reg, v.reg, 0);
    range.to = e->p->code_count;
    let->code = range;
}

/* A condition that must be true for the rule to fire: unless it is, the rest of the rule is skipped (`skip` comes later). */
static void emit_test(struct emit *e, const struct ast *n)
{
    static const enum vm_op tests[] = {[OP_EQ] = VM_UNLESS_EQ, [OP_NE] = VM_UNLESS_NE, [OP_LT] = VM_UNLESS_LT,
                                       [OP_LE] = VM_UNLESS_LE, [OP_GT] = VM_UNLESS_LT, [OP_GE] = VM_UNLESS_LE};
    bool binary = n->kind == AST_BINARY;
    if (binary && n->op == OP_AND) {
        emit_test(e, n->a);
        emit_test(e, n->b);
    } else if (binary && n->op < ARRAY_LEN(tests) && tests[n->op] && n->a->type != TYPE_TEXT) {
        struct place a = emit_expr(e, n->a), b = emit_expr(e, n->b);
        if (n->a->type == TYPE_MONEY && n->b->type == TYPE_MONEY)
            b = to_currency(e, b, n->b->currency, n->a->currency);
        bool swap = n->op == OP_GT || n->op == OP_GE;
        emit_op(e, tests[n->op], 0, swap ? b.reg : a.reg, swap ? a.reg : b.reg, 0);
    } else {
        emit_op(e, VM_UNLESS, 0, emit_expr(e, n).reg, 0, 0);
    }
}

static void emit_rule(struct emit *e, unsigned rule)
{
    struct keer_policy *p = e->p;
    struct policy_rule *r = &p->rules[rule];
    r->code.from = p->code_count;
    emit_test(e, r->stmt->when);
    emit_op(e, VM_FIRE, rule, 0, 0, 0);
    r->code.to = p->code_count;
    if (e->failed_alloc || e->full)
        return;
    e->full |= r->code.to - r->code.from > UINT16_MAX;
    for (uint32_t i = r->code.from; i < r->code.to; i++)
        if (p->code[i].op >= VM_UNLESS && p->code[i].op <= VM_UNLESS_LE)
            p->code[i].dst = (uint16_t)(r->code.to - i - 1);
}

static bool tables_init(struct keer_policy *p)
{
    p->constants = arena_array(&p->arena, LIMIT_REGISTERS, sizeof *p->constants);
    p->text_constants = arena_array(&p->arena, LIMIT_REGISTERS, sizeof *p->text_constants);
    p->texts = arena_array(&p->arena, LIMIT_REGISTERS, sizeof *p->texts);
    p->loads = arena_array(&p->arena, LIMIT_LOADS, sizeof *p->loads);
    p->plans = arena_array(&p->arena, p->schema.type_count, sizeof *p->plans);
    p->let_tri = arena_array(&p->arena, p->schema.type_count, p->let_count + 1u);
    for (unsigned t = 0; t < p->schema.type_count && p->let_tri; t++)
        for (unsigned i = 0; i < p->let_count; i++)
            p->let_tri[(size_t)t * p->let_count + i] = (uint8_t)ast_for_type(p, p->lets[i].stmt->value, t);
    return p->loads && p->let_tri && p->constants && p->text_constants && p->texts && p->plans;
}

static void registers_place(struct keer_policy *p)
{
    for (unsigned i = 0; i < p->let_count; i++)
        collect(p, p->lets[i].stmt->value);
    for (unsigned i = 0; i < p->rule_count; i++)
        collect(p, p->rules[i].stmt->when);
    for (unsigned i = 0; i < p->condition_count; i++)
        collect(p, p->conditions[i].where);
    for (unsigned i = 0; i < p->feature_count; i++)
        collect(p, p->features[i].node);
    p->constants_closed = true;
    p->window_reg = p->constant_count;
    p->score_reg = p->window_reg + p->plan.windows;
    p->let_reg = p->score_reg + MAX_OF(p->model_count, 1u);
    p->load_reg = p->let_reg + p->let_count;
    p->registers = p->load_reg + p->load_count;
    p->window_text_reg = p->text_constant_count;
    p->let_text_reg = p->window_text_reg + p->plan.windows;
    p->load_text_reg = p->let_text_reg + p->let_count;
    p->text_registers = p->load_text_reg + p->load_count;
    for (unsigned i = 0; i < p->load_count; i++)
        p->loads[i].reg = (uint16_t)((p->loads[i].op == VM_TEXT ? p->load_text_reg : p->load_reg) + i);
    for (unsigned i = 0; i < p->let_count; i++) {
        bool text = p->lets[i].stmt->value->type == TYPE_TEXT;
        p->lets[i].reg = (uint16_t)((text ? p->let_text_reg : p->let_reg) + i);
    }
}

/* A feature that is a text must be an attribute of the event: its categories are looked up by the text. */
static void emit_feature(struct emit *e, struct policy_feature *f)
{
    const struct ast *n = ast_through(e->p, f->node);
    f->text = n->type == TYPE_TEXT;
    if (f->text) {
        f->slot = n->kind == AST_NAME && n->ref_kind == REF_SLOT ? n->ref : -1;
        if (f->slot < 0)
            diag_add(&e->p->diags, DIAG_ERROR, f->node->at, "",
                     "a text can be a feature only when it is an attribute of the event");
        return;
    }
    f->code = emit_into(e, f->node, &f->reg);
    f->unit = n->type == TYPE_MONEY ? currency_scale(n->currency) : 1;
}

static enum keer_err too_large(struct keer_policy *p)
{
    diag_add(&p->diags, DIAG_ERROR, (struct span_at){0, 1}, "split it in two",
             "the policy is too large: over %d different constants or %d instructions", LIMIT_REGISTERS, LIMIT_CODE);
    return KEER_OK;
}

enum keer_err policy_compile(struct keer_policy *p)
{
    if (!tables_init(p))
        return KEER_ENOMEM;
    registers_place(p);
    if (p->constant_count >= LIMIT_REGISTERS || p->text_constant_count >= LIMIT_REGISTERS)
        return too_large(p);
    struct emit e = {.p = p};
    /* Scratch registers are given back between rules, but not between features: all of them are read at the end. */
#define FRESH() (e.next = p->load_reg + p->load_count, e.next_text = p->load_text_reg + p->load_count)
    FRESH();
    for (unsigned i = 0; i < p->load_count; i++) {
        p->loads[i].code = p->code_count;
        emit_op(&e, p->loads[i].op, p->loads[i].reg, p->loads[i].a, p->loads[i].b, 0);
    }
    for (unsigned i = 0; i < p->condition_count; i++)
        p->conditions[i].code = emit_into(&e, p->conditions[i].where, &p->conditions[i].result);
    for (unsigned late = 0; late < 2; late++)
        for (unsigned i = 0; i < p->let_count; i++)
            if (p->lets[i].after_score == late) {
                FRESH();
                emit_let(&e, &p->lets[i]);
            }
    FRESH();
    for (unsigned i = 0; i < p->feature_count; i++)
        emit_feature(&e, &p->features[i]);
    for (unsigned action = 0; action < ACTION_MAX; action++) /* in the order in which they run */
        for (unsigned i = 0; i < p->rule_count; i++)
            if ((unsigned)p->rules[i].stmt->action == action) {
                FRESH();
                emit_rule(&e, i);
            }
    if (e.failed_alloc)
        return KEER_ENOMEM;
    if (e.full || p->registers > UINT16_MAX)
        return too_large(p);
    for (unsigned i = 0; i < p->schema.count; i++)
        p->money_slots |= (uint64_t)(p->schema.attrs[i].type == KEER_MONEY) << i;
    for (unsigned t = 0; t < p->schema.type_count; t++)
        if (!plan_type(p, t))
            return KEER_ENOMEM;
    return KEER_OK;
}
