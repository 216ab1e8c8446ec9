/* examples.c - the examples in a policy are its tests: each is a small history, replayed in a fresh engine, with expected
 * outcomes. */
#include "core/engine.h"

#include <math.h>

#define EXAMPLE_START ((int64_t)1538352000 * US_SECOND) /* 2018-10-01T00:00:00Z, a Monday */

struct example_run {
    struct keer_policy *p;
    struct keer_engine *e;
    struct keer_event *ev;
    double score;
    bool has_score;
    unsigned failed;
};

static void field_error(struct example_run *r, const struct example_field *f, const char *hint, const char *what)
{
    diag_add(&r->p->diags, DIAG_ERROR, f->value->at, hint, "'%.*s' %s", SHOWN(f->name), what);
    r->failed++;
}

static enum keer_err field_label(struct example_run *r, const struct example_field *f)
{
    if (f->value->kind != AST_BOOL) {
        field_error(r, f, "fraud = true or fraud = false", "needs true or false");
        return KEER_OK;
    }
    return keer_event_set_label(r->ev, f->value->number != 0 ? KEER_LABEL_FRAUD : KEER_LABEL_GENUINE, r->ev->time_us);
}

static enum keer_err field_set(struct example_run *r, const struct example_field *f)
{
    const struct ast *v = f->value;
    if (slice_eq(f->name, SLICE("score"))) {
        r->has_score = v->kind == AST_NUMBER && v->number >= 0 && v->number <= 1;
        r->score = v->number;
        if (!r->has_score)
            field_error(r, f, "as in score = 0.9", "needs a number from 0 to 1");
        return KEER_OK;
    }
    if (slice_eq(f->name, SLICE("fraud")))
        return field_label(r, f);
    if (slice_eq(f->name, SLICE("target")) && v->kind == AST_TEXT)
        return keer_event_set_target(r->ev, v->name.p, v->name.len);
    if (slice_eq(f->name, SLICE("id")) && v->kind == AST_TEXT)
        return keer_event_set_id(r->ev, v->name.p, v->name.len);
    int slot = keer_schema_find(&r->p->schema, f->name.p, f->name.len);
    if (slot < 0) {
        struct keer_attr attr;
        const char *doc;
        for (unsigned i = 0; attr_known_row(i, &attr, &doc); i++)
            if (slice_eq(attr.name, f->name))
                return KEER_OK; /* a known attribute that the policy does not look at */
        char hint[200];
        struct check c = {.p = r->p, .diags = &r->p->diags, .lets_known = 0};
        check_suggest(&c, f->name, hint, sizeof hint);
        diag_add(&r->p->diags, DIAG_ERROR, f->at, hint, "'%.*s' is not an attribute", SHOWN(f->name));
        r->failed++;
        return KEER_OK;
    }
    switch (r->p->schema.attrs[slot].type) {
    case KEER_TEXT:
    case KEER_IP:
        if (v->kind == AST_TEXT)
            return keer_event_set_text(r->ev, slot, v->name.p, v->name.len);
        break;
    case KEER_NUMBER:
        if (v->kind == AST_NUMBER)
            return keer_event_set_number(r->ev, slot, v->number);
        break;
    case KEER_BOOLEAN:
        if (v->kind == AST_BOOL)
            return keer_event_set_boolean(r->ev, slot, v->number != 0);
        break;
    case KEER_MONEY:
        if (v->kind == AST_MONEY && currency_parse(v->name) != CUR_MAX) {
            enum currency c = currency_parse(v->name);
            double minor = rint(v->number * currency_scale(c));
            if (fabs(minor) < 1e15)
                return keer_event_set_money(r->ev, slot, (int64_t)minor, currency_code(c));
        }
        break;
    case KEER_ATTR_TYPE_MAX: break;
    }
    char what[80];
    (void)snprintf(what, sizeof what, "is of type %s", attr_type_name(r->p->schema.attrs[slot].type));
    field_error(r, f, "texts stand in quotes, money with its currency: 648 CNY", what);
    return KEER_OK;
}

static enum keer_err field_put(struct example_run *r, const struct example_field *f)
{
    enum keer_err err = field_set(r, f);
    if (err == KEER_OK || err == KEER_ENOMEM)
        return err;
    field_error(r, f, "", keer_err_text(err));
    return KEER_OK;
}

static enum keer_outcome outcome_of(enum action a)
{
    return a == ACTION_CHALLENGE ? KEER_CHALLENGE
           : a == ACTION_ALLOW   ? KEER_ALLOW
           : a == ACTION_DENY    ? KEER_DENY
                                 : KEER_REVIEW;
}

static void step_judge(struct example_run *r, const struct stmt_example *x, const struct example_step *s,
                       const struct keer_decision *d)
{
    unsigned named = 0;
    while (s->by_rule.p && named < r->p->rule_count && !slice_eq(r->p->rules[named].name, s->by_rule))
        named++;
    if (s->by_rule.p && named == r->p->rule_count) {
        diag_add(&r->p->diags, DIAG_ERROR, s->by_at, "", "there is no rule '%.*s'", SHOWN(s->by_rule));
        r->failed++;
        return;
    }
    enum keer_outcome want = outcome_of(s->expected);
    char fired[200] = "no rule matched";
    size_t n = 0;
    bool by = s->by_rule.p == NULL;
    for (unsigned i = 0; i < MIN_OF(d->fired_count, (unsigned)KEER_FIRED_MAX); i++) {
        struct slice name = r->p->rules[d->fired[i]].name;
        by |= slice_eq(name, s->by_rule);
        int put = snprintf(fired + n, sizeof fired - n, "%s%.*s", i ? ", " : "matched: ", SHOWN(name));
        n = put < 0 ? n : MIN_OF(n + (size_t)put, sizeof fired - 1);
    }
    if (d->outcome != want) {
        diag_add(&r->p->diags, DIAG_ERROR, s->expected_at, fired, "example \"%.*s\": expected %s, got %s", SHOWN(x->name),
                 keer_outcome_name(want), keer_outcome_name(d->outcome));
        r->failed++;
    } else if (!by) {
        diag_add(&r->p->diags, DIAG_ERROR, s->by_at, fired, "example \"%.*s\": the rule '%.*s' did not match",
                 SHOWN(x->name), SHOWN(s->by_rule));
        r->failed++;
    }
}

static enum keer_err step_run(struct example_run *r, const struct stmt_example *x, const struct example_step *s,
                              unsigned index)
{
    char id[32], hint[200];
    int type = keer_schema_event_type(&r->p->schema, s->type.p, s->type.len);
    if (type < 0) {
        struct check c = {.p = r->p, .diags = &r->p->diags};
        check_suggest_event(&c, s->type, hint, sizeof hint);
        diag_add(&r->p->diags, DIAG_ERROR, s->type_at, hint, "'%.*s' is not an event type", SHOWN(s->type));
        r->failed++;
        return KEER_OK;
    }
    keer_event_reset(r->ev);
    (void)snprintf(id, sizeof id, "step-%u", index + 1);
    enum keer_err err = keer_event_set_id(r->ev, id, strlen(id));
    if (err == KEER_OK)
        err = keer_event_set_time(r->ev, EXAMPLE_START + s->offset_us);
    if (err == KEER_OK)
        err = keer_event_set_type(r->ev, type);
    r->has_score = false;
    for (const struct example_field *f = x->fields; f && err == KEER_OK; f = f->next)
        err = field_put(r, f);
    for (const struct example_field *f = s->fields; f && err == KEER_OK; f = f->next)
        err = field_put(r, f);
    if (err != KEER_OK)
        return err;
    struct keer_decision d;
    r->e->forced_score = r->has_score ? &r->score : NULL;
    err = keer_engine_decide(r->e, r->ev, &d);
    r->e->forced_score = NULL;
    if (err == KEER_EMISSING) {
        diag_add(&r->p->diags, DIAG_ERROR, s->at,
                 "label events name their `target` (the `id` of an earlier step) and `fraud`", "the step is not complete");
        r->failed++;
        return KEER_OK;
    }
    if (err == KEER_OK && s->expects)
        step_judge(r, x, s, &d);
    return err;
}

enum keer_err policy_run_examples(struct keer_policy *p, unsigned *ret_run, unsigned *ret_failed)
{
    unsigned run = 0, failed = 0;
    enum keer_err err = KEER_OK;
    for (const struct stmt_example *x = p->ast.examples; x && err == KEER_OK; x = x->next) {
        struct example_run r = {.p = p};
        err = keer_engine_new(p, NULL, &r.e);
        if (err == KEER_OK)
            err = keer_event_new(&p->schema, &r.ev);
        unsigned index = 0;
        for (const struct example_step *s = x->steps; s && err == KEER_OK; s = s->next)
            err = step_run(&r, x, s, index++);
        keer_event_free(r.ev);
        keer_engine_free(r.e);
        run++;
        failed += r.failed > 0;
    }
    *ret_run = run;
    *ret_failed = failed;
    return err;
}
