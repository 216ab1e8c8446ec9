/* explain.c - why a decision came out as it did: rules with the values that they saw, windows, named expressions, the
 * model's contributions.
 *
 * Everything is read from what the engine still holds of its last decision; nothing is computed a second time but TreeSHAP.
 */
#include <math.h>

#include "core/engine.h"

/* A value as it is shown: number, money, duration, condition, or text. */
struct shown {
    enum type_kind type;
    enum currency currency;
    double number; /* NaN = missing; money: minor units; durations: seconds */
    struct slice text;
    uint64_t hash; /* texts: 0 = missing */
};

struct explain {
    struct keer_engine *e;
    const struct keer_event *ev;
    const struct keer_decision *d;
    struct buf *out;
};

/* Texts are kept as hashes: the text itself is known when the event carries the same one. */
static struct slice text_of_hash(const struct keer_event *ev, uint64_t hash)
{
    for (unsigned i = 0; i < ev->schema->count; i++) {
        enum keer_attr_type type = ev->schema->attrs[i].type;
        if (event_has(ev, i) && (type == KEER_TEXT || type == KEER_IP) && ev->v[i].u.hash.lo == hash)
            return event_text(ev, i);
    }
    return slice_of(NULL, 0);
}

static double window_number(const struct keer_engine *e, const struct keer_event *ev, const struct ast_window *w)
{
    const struct keer_policy *p = e->policy;
    const double *window = e->registers + p->window_reg;
    double v = window[w->index];
    if (w->form == FORM_PLAIN)
        return v;
    if (w->form == FORM_SHARE)
        return window[w->second] == 0 ? NAN : v / window[w->second];
    const struct policy_value *value = &p->values[w->value];
    double now = !event_has(ev, value->slot) ? NAN
                 : value->conversion >= 0    ? vm_amount(ev, value->slot, &p->conversions[value->conversion])
                                             : ev->v[value->slot].u.number;
    if (w->form == FORM_RATIO)
        return v == 0 ? NAN : now / v;
    return window[w->second] == 0 ? NAN : (now - v) / window[w->second];
}

static struct shown shown_of(const struct explain *x, const struct ast *n)
{
    const struct keer_policy *p = x->e->policy;
    const struct keer_event *ev = x->ev;
    struct shown s = {.type = n->type, .currency = n->currency, .number = NAN};
    if (n->kind == AST_WINDOW) {
        if (n->type == TYPE_TEXT)
            s.hash = x->e->text_registers[p->window_text_reg + (unsigned)n->window->index];
        else
            s.number = window_number(x->e, ev, n->window);
        return s;
    }
    switch ((enum ref_kind)n->ref_kind) {
    case REF_SLOT:
        if (!event_has(ev, (unsigned)n->ref))
            break;
        if (n->type == TYPE_TEXT) {
            s.text = event_text(ev, (unsigned)n->ref);
            s.hash = ev->v[n->ref].u.hash.lo;
        } else {
            s.number = n->type == TYPE_MONEY
                           ? vm_amount(ev, (unsigned)n->ref, &p->conversions[policy_conversion(p, n->currency)])
                           : ev->v[n->ref].u.number;
        }
        break;
    case REF_LET:
        if (n->type == TYPE_TEXT)
            s.hash = x->e->text_registers[p->lets[n->ref].reg];
        else
            s.number = x->e->registers[p->lets[n->ref].reg];
        break;
    case REF_EVENT: s.number = (unsigned)n->ref == ev->type; break;
    case REF_SCORE: s.number = x->e->registers[p->score_reg + (unsigned)n->ref]; break;
    case REF_PART: s.number = vm_time_part(p->zone_us, ev, (unsigned)n->ref); break;
    case REF_SAME:
    case REF_NONE: break;
    }
    return s;
}

static void print_number(struct buf *out, double v)
{
    char text[40];
    if (v == floor(v) && fabs(v) < 1e15)
        buf_i64(out, (int64_t)v);
    else {
        (void)snprintf(text, sizeof text, "%.6g", v);
        buf_puts(out, text);
    }
}

/* Whole seconds; beyond 10 000 years only arithmetic on durations gets. */
static void print_duration(struct buf *out, double seconds)
{
    double limit = 10000 * 366 * 86400.0, whole = trunc(MAX_OF(-limit, MIN_OF(seconds, limit)));
    if (whole < 0)
        buf_char(out, '-');
    duration_print(out, (int64_t)fabs(whole) * US_SECOND);
}

/* For people: "648.00 CNY", "12m5s", "yes", "missing". */
static void print_shown(const struct explain *x, const struct shown *s)
{
    struct buf *out = x->out;
    if (s->type == TYPE_TEXT) {
        struct slice text = s->text.p ? s->text : text_of_hash(x->ev, s->hash);
        if (!s->hash)
            buf_puts(out, "missing");
        else if (text.p)
            buf_fmt(out, "'" SLICE_FMT "'", (int)MIN_OF(text.len, 80), text.p);
        else
            buf_fmt(out, "text #%016llx", (unsigned long long)s->hash);
        return;
    }
    if (isnan(s->number)) {
        buf_puts(out, "missing");
        return;
    }
    switch (s->type) {
    case TYPE_MONEY:
        buf_fmt(out, "%.*f %s", (int)currency_exponent(s->currency), s->number / currency_scale(s->currency),
                currency_code(s->currency));
        break;
    case TYPE_DURATION: print_duration(out, s->number); break;
    case TYPE_BOOL: buf_puts(out, s->number != 0 ? "yes" : "no"); break;
    case TYPE_NUMBER:
    case TYPE_TEXT:
    case TYPE_LABEL:
    case TYPE_ERROR:
    case TYPE_KIND_MAX: print_number(out, s->number); break;
    }
}

/* For programs: a number (major units, seconds), true or false, a text, or null. */
static void json_shown(const struct explain *x, const struct shown *s)
{
    struct buf *out = x->out;
    if (s->type == TYPE_TEXT) {
        struct slice text = s->text.p ? s->text : text_of_hash(x->ev, s->hash);
        char hash[24];
        (void)snprintf(hash, sizeof hash, "#%016llx", (unsigned long long)s->hash);
        if (s->hash)
            buf_json(out, text.p ? text : slice_str(hash));
        else
            buf_puts(out, "null");
    } else if (s->type == TYPE_BOOL && !isnan(s->number)) {
        buf_puts(out, s->number != 0 ? "true" : "false");
    } else {
        buf_f64(out, s->type == TYPE_MONEY ? s->number / currency_scale(s->currency) : s->number);
    }
}

static struct slice source_of(const struct keer_policy *p, struct span_at at)
{
    size_t from = MIN_OF((size_t)at.from, p->text.len);
    return slice_of(p->text.p + from, MIN_OF((size_t)at.len, p->text.len - from));
}

/* The source on one line. */
static void put_source(struct buf *out, struct slice s)
{
    bool gap = false;
    for (size_t i = 0; i < s.len; i++) {
        if (ascii_space(s.p[i])) {
            gap = true;
            continue;
        }
        if (gap)
            buf_char(out, ' ');
        gap = false;
        buf_char(out, s.p[i]);
    }
}

static void json_source(struct buf *out, struct slice s)
{
    struct buf line;
    buf_init(&line, LIMIT_POLICY_BYTES);
    put_source(&line, s);
    buf_json(out, buf_view(&line));
    if (line.err != KEER_OK)
        out->err = line.err;
    buf_release(&line);
}

/* --- what a rule saw --- */

struct leaves {
    const struct ast *node[64];
    unsigned count;
};

/* What the type of the event decides alone is left out, as it is from the plan: nothing was read for it. */
static void leaves_of(const struct explain *x, struct leaves *l, const struct ast *n)
{
    if (!n)
        return;
    if (n->kind == AST_BINARY && (n->op == OP_AND || n->op == OP_OR)) {
        enum tri settled = n->op == OP_AND ? TRI_FALSE : TRI_TRUE;
        if (ast_for_type(x->e->policy, n->a, x->ev->type) == settled ||
            ast_for_type(x->e->policy, n->b, x->ev->type) == settled)
            return;
    }
    bool leaf = n->kind == AST_WINDOW || (n->kind == AST_NAME && n->ref_kind != REF_SAME && n->ref_kind != REF_EVENT);
    if (leaf) {
        for (unsigned i = 0; i < l->count; i++)
            if (l->node[i] == n ||
                (n->kind == AST_NAME && l->node[i]->kind == AST_NAME && slice_eq(l->node[i]->name, n->name)))
                return;
        if (l->count < ARRAY_LEN(l->node))
            l->node[l->count++] = n;
        return;
    }
    leaves_of(x, l, n->a);
    leaves_of(x, l, n->b);
    leaves_of(x, l, n->same);
    for (const struct ast_list *k = n->args; k; k = k->next)
        leaves_of(x, l, k->item);
}

static const char *action_name(enum action a)
{
    static const char *const names[] = {
        [ACTION_CHALLENGE] = "challenge", [ACTION_ALLOW] = "allow", [ACTION_DENY] = "deny", [ACTION_REVIEW] = "review"};
    ASSERT((unsigned)a < ACTION_MAX);
    return names[a];
}

static void rule_json(const struct explain *x, const struct policy_rule *r)
{
    struct buf *out = x->out;
    struct leaves l = {.count = 0};
    leaves_of(x, &l, r->stmt->when);
    buf_puts(out, "{\"name\":");
    buf_json(out, r->name);
    buf_fmt(out, ",\"action\":\"%s\",\"because\":", action_name(r->stmt->action));
    if (r->stmt->because.p)
        buf_json(out, r->stmt->because);
    else
        buf_puts(out, "null");
    buf_puts(out, ",\"condition\":");
    json_source(out, source_of(x->e->policy, r->stmt->when->at));
    buf_puts(out, ",\"saw\":[");
    for (unsigned i = 0; i < l.count; i++) {
        struct shown s = shown_of(x, l.node[i]);
        buf_puts(out, i ? ",{\"expression\":" : "{\"expression\":");
        json_source(out, source_of(x->e->policy, l.node[i]->at));
        buf_puts(out, ",\"value\":");
        json_shown(x, &s);
        buf_char(out, '}');
    }
    buf_puts(out, "]}");
}

static void rule_text(const struct explain *x, const struct policy_rule *r)
{
    struct buf *out = x->out;
    struct leaves l = {.count = 0};
    leaves_of(x, &l, r->stmt->when);
    buf_fmt(out, "  %-9s " SLICE_FMT, action_name(r->stmt->action), SLICE_ARG(r->name));
    if (r->stmt->because.p)
        buf_fmt(out, ": " SLICE_FMT, SLICE_ARG(r->stmt->because));
    buf_puts(out, "\n            if ");
    put_source(out, source_of(x->e->policy, r->stmt->when->at));
    buf_char(out, '\n');
    for (unsigned i = 0; i < l.count; i++) {
        struct shown s = shown_of(x, l.node[i]);
        buf_puts(out, "            ");
        put_source(out, source_of(x->e->policy, l.node[i]->at));
        buf_puts(out, " = ");
        print_shown(x, &s);
        buf_char(out, '\n');
    }
}

/* --- windows --- */

static bool window_needed(const struct explain *x, unsigned w)
{
    return x->e->policy->plans[x->ev->type].windows[w / 64] >> w % 64 & 1;
}

/* A window of the plan; those that a share or ratio is made of show as themselves. */
static struct shown window_shown(const struct explain *x, unsigned w)
{
    const struct keer_policy *p = x->e->policy;
    const struct policy_window *info = &p->window_info[w];
    struct shown s = {.type = info->type, .currency = info->currency, .number = x->e->registers[p->window_reg + w]};
    if (s.type == TYPE_TEXT)
        s.hash = x->e->text_registers[p->window_text_reg + w];
    return s;
}

static void key_print(const struct explain *x, unsigned group)
{
    const struct policy_key *k = &x->e->policy->keys[group];
    for (unsigned i = 0; i < k->parts; i++) {
        unsigned slot = k->slot[i];
        struct slice name = x->ev->schema->attrs[slot].name;
        buf_fmt(x->out, "%s" SLICE_FMT "=", i ? ", " : "", SLICE_ARG(name));
        enum keer_attr_type type = x->ev->schema->attrs[slot].type;
        if (!event_has(x->ev, slot))
            buf_puts(x->out, "missing");
        else if (type == KEER_TEXT || type == KEER_IP)
            buf_fmt(x->out, SLICE_FMT, (int)MIN_OF(x->ev->v[slot].len, 60), x->ev->v[slot].x.text);
        else
            print_number(x->out, x->ev->v[slot].u.number);
    }
}

static void windows_json(const struct explain *x)
{
    const struct keer_policy *p = x->e->policy;
    bool first = true;
    buf_puts(x->out, ",\"windows\":[");
    for (unsigned w = 0; w < p->plan.windows; w++) {
        if (!window_needed(x, w))
            continue;
        struct shown s = window_shown(x, w);
        buf_puts(x->out, first ? "{\"name\":" : ",{\"name\":");
        first = false;
        if (p->window_info[w].name.p)
            buf_json(x->out, p->window_info[w].name);
        else
            buf_puts(x->out, "null");
        buf_puts(x->out, ",\"expression\":");
        json_source(x->out, source_of(p, p->window_info[w].node->at));
        buf_puts(x->out, ",\"part\":");
        if (p->window_info[w].part)
            buf_json(x->out, slice_str(p->window_info[w].part));
        else
            buf_puts(x->out, "null");
        struct buf key;
        buf_init(&key, 4096);
        struct explain inner = *x;
        inner.out = &key;
        key_print(&inner, p->windows[w].group);
        buf_puts(x->out, ",\"by\":");
        buf_json(x->out, buf_view(&key));
        if (key.err == KEER_ENOMEM)
            x->out->err = KEER_ENOMEM;
        buf_release(&key);
        buf_puts(x->out, ",\"value\":");
        json_shown(x, &s);
        buf_fmt(x->out, ",\"approximate\":%s}", x->e->reply.approximate >> p->windows[w].group & 1 ? "true" : "false");
    }
    buf_char(x->out, ']');
}

static void windows_text(const struct explain *x)
{
    const struct keer_policy *p = x->e->policy;
    buf_puts(x->out, "\nWindows\n");
    for (unsigned w = 0; w < p->plan.windows; w++) {
        if (!window_needed(x, w))
            continue;
        struct shown s = window_shown(x, w);
        buf_puts(x->out, "  ");
        size_t from = x->out->len;
        print_shown(x, &s);
        if (x->e->reply.approximate >> p->windows[w].group & 1)
            buf_puts(x->out, " (approximate)");
        for (size_t n = x->out->len - from; n < 16; n++)
            buf_char(x->out, ' ');
        buf_char(x->out, ' ');
        if (p->window_info[w].name.p)
            buf_fmt(x->out, SLICE_FMT " = ", SLICE_ARG(p->window_info[w].name));
        if (p->window_info[w].part)
            buf_fmt(x->out, "%s of ", p->window_info[w].part);
        put_source(x->out, source_of(p, p->window_info[w].node->at));
        buf_puts(x->out, "  [");
        key_print(x, p->windows[w].group);
        buf_puts(x->out, "]\n");
    }
}

/* --- the model --- */

struct contribution {
    unsigned feature;
    double phi;
};

static int by_weight(const void *a, const void *b)
{
    const struct contribution *x = a, *y = b;
    if (fabs(x->phi) != fabs(y->phi))
        return fabs(x->phi) > fabs(y->phi) ? -1 : 1;
    return x->feature < y->feature ? -1 : x->feature > y->feature;
}

static unsigned contributions(struct keer_engine *e, const struct keer_event *ev, unsigned model, struct contribution *ret_c,
                              float *ret_row, double *ret_base)
{
    const struct model *m = e->policy->models[model].model;
    double phi[LIMIT_FEATURES + 1];
    unsigned n = model_features(m);
    engine_model_row(e, ev, model, ret_row);
    model_shap(m, ret_row, phi);
    for (unsigned i = 0; i < n; i++)
        ret_c[i] = (struct contribution){i, phi[i]};
    qsort(ret_c, n, sizeof *ret_c, by_weight);
    *ret_base = phi[n];
    return n;
}

static void feature_value(const struct explain *x, unsigned model, unsigned i, const float *row, bool json)
{
    const struct policy_model *pm = &x->e->policy->models[model];
    const struct policy_feature *f = &x->e->policy->features[pm->feature[i]];
    if (f->text) {
        struct slice text = engine_feature_text(x->e, x->ev, pm->feature[i]);
        if (json && text.p)
            buf_json(x->out, text);
        else
            buf_fmt(x->out, SLICE_FMT,
                    text.p ? (int)MIN_OF(text.len, 40)
                    : json ? 4
                           : 7,
                    text.p ? text.p
                    : json ? "null"
                           : "missing");
    } else if (json || !isnan(row[i])) {
        if (json)
            buf_f64(x->out, (double)row[i]);
        else
            print_number(x->out, (double)row[i]);
    } else {
        buf_puts(x->out, "missing");
    }
}

static void model_part(const struct explain *x, unsigned m, unsigned top, bool json)
{
    struct keer_engine *e = x->e;
    const struct policy_model *pm = &e->policy->models[m];
    struct contribution c[LIMIT_FEATURES];
    float row[LIMIT_FEATURES];
    double base = 0;
    unsigned n = contributions(e, x->ev, m, c, row, &base), shown = top ? MIN_OF(top, n) : n;
    double rest = 0;
    for (unsigned i = shown; i < n; i++)
        rest += c[i].phi;
    if (json) {
        buf_puts(x->out, "{\"name\":");
        buf_json(x->out, pm->stmt->name);
        buf_fmt(x->out, ",\"digest\":\"%016llx\",\"score\":", (unsigned long long)model_digest(pm->model));
        buf_f64(x->out, e->score[m]);
        buf_puts(x->out, ",\"margin\":");
        buf_f64(x->out, e->margin[m]);
        buf_puts(x->out, ",\"expected_margin\":");
        buf_f64(x->out, base);
        buf_puts(x->out, ",\"contributions\":[");
    } else {
        buf_fmt(x->out, "\nModel " SLICE_FMT ": score %.4f (log-odds %.3f; %.3f for the average event)\n",
                SLICE_ARG(pm->stmt->name), e->score[m], e->margin[m], base);
    }
    for (unsigned i = 0; i < shown; i++) {
        struct slice name = model_feature_name(pm->model, c[i].feature);
        if (json) {
            buf_puts(x->out, i ? ",{\"feature\":" : "{\"feature\":");
            buf_json(x->out, name);
            buf_puts(x->out, ",\"value\":");
            feature_value(x, m, c[i].feature, row, true);
            buf_puts(x->out, ",\"contribution\":");
            buf_f64(x->out, c[i].phi);
            buf_char(x->out, '}');
        } else {
            char bar[24] = "";
            unsigned len = (unsigned)MIN_OF(fabs(c[i].phi) * 6 + 0.5, 20.0);
            memset(bar, c[i].phi < 0 ? '-' : '+', len);
            bar[len] = '\0';
            buf_fmt(x->out, "  %+8.3f %-20s " SLICE_FMT " = ", c[i].phi, bar, SLICE_ARG(name));
            feature_value(x, m, c[i].feature, row, false);
            buf_char(x->out, '\n');
        }
    }
    if (json)
        buf_puts(x->out, "]}");
    else if (shown < n)
        buf_fmt(x->out, "  %+8.3f %-20s %u others together\n", rest, "", n - shown);
}

/* --- all of it --- */

static const struct {
    unsigned flag;
    const char *word;
} degraded_words[] = {
    {KEER_DEGRADED_MODEL, "model"}, {KEER_DEGRADED_WINDOW, "window"}, {KEER_DEGRADED_APPROXIMATE, "approximate"},
    {KEER_DEGRADED_RATE, "rate"},   {KEER_DEGRADED_LATE, "late"},     {KEER_DEGRADED_INPUT, "input"}};

const char *engine_degraded_word(unsigned i, unsigned *ret_flag)
{
    if (i >= ARRAY_LEN(degraded_words))
        return NULL;
    *ret_flag = degraded_words[i].flag;
    return degraded_words[i].word;
}

static void lets_part(const struct explain *x, bool json)
{
    const struct keer_policy *p = x->e->policy;
    const struct policy_plan *plan = &p->plans[x->ev->type];
    bool first = true;
    buf_puts(x->out, json ? ",\"lets\":{" : "");
    for (unsigned i = 0; i < plan->let_count; i++) {
        const struct policy_let *let = &p->lets[plan->lets[i]];
        if (let->stmt->value->kind == AST_WINDOW && let->stmt->value->window->form == FORM_PLAIN)
            continue; /* shown with the windows */
        struct shown s = {.type = let->stmt->value->type, .currency = let->stmt->value->currency, .number = NAN};
        if (s.type == TYPE_TEXT)
            s.hash = x->e->text_registers[let->reg];
        else
            s.number = x->e->registers[let->reg];
        if (json) {
            buf_puts(x->out, first ? "" : ",");
            buf_json(x->out, let->stmt->name);
            buf_char(x->out, ':');
            json_shown(x, &s);
        } else {
            buf_puts(x->out, first ? "\nNamed expressions\n" : "");
            buf_fmt(x->out, "  " SLICE_FMT " = ", SLICE_ARG(let->stmt->name));
            print_shown(x, &s);
            buf_char(x->out, '\n');
        }
        first = false;
    }
    buf_puts(x->out, json ? "}" : "");
}

static void head_json(const struct explain *x)
{
    struct buf *out = x->out;
    buf_puts(out, "{\"id\":");
    buf_json(out, x->ev->id);
    buf_puts(out, ",\"time\":\"");
    time_print(out, x->ev->time_us);
    buf_puts(out, "\",\"type\":");
    buf_json(out, event_type_name(x->ev->schema, x->ev->type));
    buf_fmt(out, ",\"outcome\":\"%s\",\"review\":%s,\"score\":", keer_outcome_name(x->d->outcome),
            x->d->review ? "true" : "false");
    buf_f64(out, x->d->score);
    buf_puts(out, ",\"degraded\":[");
    unsigned flag, shown = 0;
    for (unsigned i = 0; engine_degraded_word(i, &flag); i++)
        if (x->d->degraded & flag)
            buf_fmt(out, "%s\"%s\"", shown++ ? "," : "", engine_degraded_word(i, &flag));
    buf_char(out, ']');
}

static void head_text(const struct explain *x)
{
    struct buf *out = x->out;
    buf_fmt(out, "Event " SLICE_FMT ", " SLICE_FMT " at ", SLICE_ARG(x->ev->id),
            SLICE_ARG(event_type_name(x->ev->schema, x->ev->type)));
    time_print(out, x->ev->time_us);
    buf_fmt(out, "\nDecision: %s%s", keer_outcome_name(x->d->outcome),
            x->d->review && x->d->outcome != KEER_REVIEW ? " (and review)" : "");
    if (!isnan(x->d->score))
        buf_fmt(out, ", score %.4f", x->d->score);
    unsigned flag;
    for (unsigned i = 0; engine_degraded_word(i, &flag); i++)
        if (x->d->degraded & flag)
            buf_fmt(out, ", degraded: %s", engine_degraded_word(i, &flag));
    buf_puts(out, x->d->fired_count ? "\n\nRules that matched\n" : "\n\nNo rule matched.\n");
}

enum keer_err engine_explain(struct keer_engine *e, const struct keer_event *ev, const struct keer_decision *d,
                             enum explain_form form, unsigned top, struct buf *out)
{
    if (ev->schema != &e->policy->schema || ev->type >= e->policy->schema.type_count)
        return KEER_EINVALID;
    struct explain x = {e, ev, d, out};
    bool json = form == EXPLAIN_JSON;
    if (json) {
        head_json(&x);
        buf_puts(out, ",\"rules\":[");
    } else {
        head_text(&x);
    }
    for (unsigned i = 0; i < MIN_OF(d->fired_count, (unsigned)KEER_FIRED_MAX); i++) {
        if (json && i)
            buf_char(out, ',');
        (json ? rule_json : rule_text)(&x, &e->policy->rules[d->fired[i]]);
    }
    if (json)
        buf_char(out, ']');
    (json ? windows_json : windows_text)(&x);
    lets_part(&x, json);
    bool first = true;
    buf_puts(out, json ? ",\"models\":[" : "");
    for (unsigned m = 0; m < e->policy->model_count; m++) {
        if (!e->scored[m] || !e->policy->models[m].model || e->forced_score)
            continue;
        buf_puts(out, json && !first ? "," : "");
        first = false;
        model_part(&x, m, top, json);
    }
    buf_puts(out, json ? "]}" : "");
    return out->err;
}

enum keer_err engine_top_reasons(struct keer_engine *e, const struct keer_event *ev, unsigned top, struct buf *out)
{
    struct contribution c[LIMIT_FEATURES];
    float row[LIMIT_FEATURES];
    double base;
    if (!e->policy->model_count || !e->scored[0] || !e->policy->models[0].model)
        return KEER_OK;
    unsigned n = contributions(e, ev, 0, c, row, &base), put = 0;
    for (unsigned i = 0; i < n && put < top; i++)
        if (c[i].phi > 0) {
            buf_puts(out, put++ ? "," : "");
            buf_slice(out, model_feature_name(e->policy->models[0].model, c[i].feature));
        }
    return out->err;
}

enum keer_err keer_engine_explain(struct keer_engine *e, const struct keer_event *event,
                                  const struct keer_decision *decision, char **ret_json, size_t *ret_len)
{
    struct buf out;
    buf_init(&out, (size_t)16 << 20);
    enum keer_err err = engine_explain(e, event, decision, EXPLAIN_JSON, 0, &out);
    if (err != KEER_OK) {
        buf_release(&out);
        return err;
    }
    *ret_json = out.p;
    *ret_len = out.len;
    return KEER_OK;
}
