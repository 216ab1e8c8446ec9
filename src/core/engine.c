/* engine.c - decides events: windows, named expressions, model, rules. */
#include "core/engine.h"

#include <math.h>

#include "core/recall.h"

void keer_engine_free(struct keer_engine *e)
{
    if (!e)
        return;
    win_memory_free(e->store);
    free(e->registers);
    free(e->text_registers);
    free(e->values);
    free(e->features);
    free(e->model_row);
    free(e);
}

enum keer_err keer_engine_new(const struct keer_policy *p, const struct keer_engine_options *options,
                              struct keer_engine **ret_engine)
{
    struct keer_engine *e = calloc(1, sizeof *e);
    if (!e)
        return KEER_ENOMEM;
    struct win_limits limits = {0};
    if (options)
        limits = (struct win_limits){options->memory_max, options->events_per_entity};
    e->policy = p;
    e->driver = &win_memory;
    enum keer_err err = win_memory_new(&p->plan, &limits, &e->store);
    e->registers = calloc(p->registers + 1u, sizeof *e->registers);
    e->text_registers = calloc(p->text_registers + 1u, sizeof *e->text_registers);
    e->values = calloc(p->value_count + 1u, sizeof *e->values);
    e->features = calloc(p->feature_count + 1u, sizeof *e->features);
    e->model_row = calloc(LIMIT_FEATURES, sizeof *e->model_row);
    if (err == KEER_OK && !(e->registers && e->text_registers && e->values && e->features && e->model_row))
        err = KEER_ENOMEM;
    if (err != KEER_OK) {
        keer_engine_free(e);
        return err;
    }
    memcpy(e->registers, p->constants, p->constant_count * sizeof *e->registers);
    memcpy(e->text_registers, p->text_constants, p->text_constant_count * sizeof *e->text_registers);
    e->reply = (struct win_reply){.number = e->registers + p->window_reg, .hash = e->text_registers + p->window_text_reg};
    e->vm = (struct vm_machine){.r = e->registers,
                                .t = e->text_registers,
                                .code = p->code,
                                .conversion = p->conversions,
                                .lists = &p->sets,
                                .texts = p->texts,
                                .zone_us = p->zone_us};
    for (unsigned i = 0; i < p->value_count; i++)
        e->values[i] = WIN_MISSING;
    *ret_engine = e;
    return KEER_OK;
}

void engine_stats(const struct keer_engine *e, struct win_stats *ret_stats) { win_memory_stats(e->store, ret_stats); }

/* --- one event: what the windows need --- */

/* Keys of all groups that this type of event touches. */
static void request_keys(const struct keer_engine *e, const struct keer_event *ev, struct win_request *req)
{
    const struct keer_policy *p = e->policy;
    uint64_t groups = p->plans[ev->type].groups, have = 0;
    for (; groups; groups &= groups - 1) {
        unsigned g = (unsigned)__builtin_ctzll(groups);
        const struct policy_key *k = &p->keys[g];
        struct hash128 h = {0, 0};
        bool whole = true;
        for (unsigned i = 0; i < k->parts; i++) {
            unsigned slot = k->slot[i];
            if (!event_has(ev, slot)) {
                whole = false;
                break;
            }
            struct hash128 part = ev->v[slot].u.hash;
            enum keer_attr_type type = p->schema.attrs[slot].type;
            if (type != KEER_TEXT && type != KEER_IP) {
                part.lo = hash_mix((uint64_t)ev->v[slot].u.minor);
                part.hi = hash_mix(part.lo ^ 0x6B656572u);
            }
            h = i ? hash_join(h, part) : part;
        }
        if (!whole)
            continue;
        req->key[g] = h;
        have |= (uint64_t)1 << g;
    }
    req->groups = have;
    req->time_us = ev->time_us;
}

static int64_t value_of(const struct keer_event *ev, const struct policy_value *v, const struct vm_conversion *conversions,
                        unsigned *degraded)
{
    if (!event_has(ev, v->slot))
        return WIN_MISSING;
    if (v->text)
        return (int64_t)ev->v[v->slot].u.hash.lo;
    double x;
    if (v->conversion >= 0) {
        x = vm_amount(ev, v->slot, &conversions[v->conversion]);
        if (isnan(x))
            *degraded |= KEER_DEGRADED_RATE;
    } else {
        x = rint(ev->v[v->slot].u.number * 1e6);
    }
    /* Outside +-2^53 an integer would not be exact: the value is missing. */
    return fabs(x) < 9007199254740992.0 ? (int64_t)x : WIN_MISSING;
}

static void run_code(struct keer_engine *e, const struct keer_event *ev, const struct policy_code *c)
{
    for (unsigned i = 0; i < c->count; i++)
        vm_run(&e->vm, c->range[i], ev);
}

static void request_filters(struct keer_engine *e, const struct keer_event *ev, struct win_request *req, unsigned *degraded)
{
    const struct keer_policy *p = e->policy;
    const struct policy_plan *plan = &p->plans[ev->type];
    for (unsigned i = 0; i < p->value_count; i++)
        if (plan->values[i / 64] >> i % 64 & 1)
            e->values[i] = value_of(ev, &p->values[i], p->conversions, degraded);
        else
            e->values[i] = WIN_MISSING;
    run_code(e, ev, &plan->early);
    for (uint64_t g = plan->groups; g; g &= g - 1)
        req->filters[__builtin_ctzll(g)] = plan->always[__builtin_ctzll(g)];
    for (unsigned i = 0; i < plan->filter_count; i++) {
        const struct policy_filter *f = &p->filters[plan->filters[i]];
        bool pass = (f->condition < 0 || e->registers[p->conditions[f->condition].result] == 1) &&
                    (f->value < 0 || e->values[f->value] != WIN_MISSING);
        req->filters[f->group] |= (uint64_t)pass << f->bit;
    }
    req->values = e->values;
    req->need = plan->windows;
    req->id = ev->id_hash;
    /* The label of a label event is about its target. */
    bool own = ev->label != KEER_LABEL_NONE && !ev->has_target;
    req->label_known_us = own ? ev->label_known_us : INT64_MAX;
    req->label_fraud = ev->label == KEER_LABEL_FRAUD;
}

/* --- one event: what follows --- */

void engine_model_row(const struct keer_engine *e, const struct keer_event *ev, unsigned model, float *ret_row)
{
    const struct policy_model *m = &e->policy->models[model];
    unsigned n = model_features(m->model);
    for (unsigned i = 0; i < n; i++) {
        const struct policy_feature *f = &e->policy->features[m->feature[i]];
        if (!f->text) {
            ret_row[i] = e->features[m->feature[i]];
            continue;
        }
        int category =
            event_has(ev, (unsigned)f->slot) ? model_category(m->model, i, event_text(ev, (unsigned)f->slot)) : -1;
        ret_row[i] = category < 0 ? NAN : (float)category;
    }
}

static void run_models(struct keer_engine *e, const struct keer_event *ev, unsigned *degraded)
{
    const struct keer_policy *p = e->policy;
    const struct policy_plan *plan = &p->plans[ev->type];
    for (unsigned m = 0; m < MAX_OF(p->model_count, 1u); m++) {
        e->scored[m] = false;
        e->registers[p->score_reg + m] = NAN;
    }
    run_code(e, ev, &plan->features);
    if (plan->models || (p->feature_count && !p->model_count))
        for (unsigned i = 0; i < p->feature_count; i++) {
            const struct policy_feature *f = &p->features[i];
            if (f->text) {
                e->features[i] = NAN;
                continue;
            }
            e->features[i] = (float)(e->registers[f->reg] / f->unit);
        }
    for (unsigned m = 0; m < p->model_count; m++) {
        const struct policy_model *pm = &p->models[m];
        if (!(plan->models >> m & 1))
            continue;
        if (e->forced_score) {
            e->score[m] = *e->forced_score;
        } else if (!pm->model) {
            *degraded |= KEER_DEGRADED_MODEL;
            continue;
        } else {
            engine_model_row(e, ev, m, e->model_row);
            e->margin[m] = model_margin(pm->model, e->model_row);
            e->score[m] = pm->calibrated ? model_calibrate(pm->model, e->margin[m]) : 1 / (1 + exp(-e->margin[m]));
        }
        e->scored[m] = true;
        e->registers[p->score_reg + m] = e->score[m];
    }
}

/* One rule fires; false when it settles the matter. */
static bool rule_fires(const struct keer_policy *p, unsigned rule, struct keer_decision *d)
{
    if (d->fired_count < KEER_FIRED_MAX)
        d->fired[d->fired_count] = (uint16_t)rule;
    d->fired_count++;
    switch (p->rules[rule].stmt->action) {
    case ACTION_CHALLENGE: d->outcome = KEER_CHALLENGE; break;
    case ACTION_ALLOW: return false;
    case ACTION_DENY: d->outcome = KEER_DENY; return false;
    case ACTION_REVIEW:
        d->review = 1;
        d->outcome = d->outcome == KEER_ALLOW ? KEER_REVIEW : d->outcome;
        break;
    case ACTION_MAX: ASSERT(false);
    }
    return true;
}

static void run_rules(struct keer_engine *e, const struct keer_event *ev, struct keer_decision *d)
{
    const struct keer_policy *p = e->policy;
    const struct policy_code *c = &p->plans[ev->type].verdict;
    for (unsigned i = 0; i < c->count; i++) {
        const struct vm_insn *at = e->vm.code + c->range[i].from, *end = e->vm.code + c->range[i].to;
        while ((at = vm_run_from(&e->vm, at, end, ev)) != NULL) {
            if (!rule_fires(p, at->dst, d))
                return;
            at++;
        }
    }
}

static enum keer_err apply_label(struct keer_engine *e, const struct keer_event *ev)
{
    if (!ev->has_target || !event_type_is_label(ev->type))
        return KEER_OK;
    bool fraud = ev->type != KEER_EVENT_label || ev->label == KEER_LABEL_FRAUD;
    bool given = ev->label != KEER_LABEL_NONE && ev->label_known_us > ev->time_us;
    return e->driver->label(e->store, ev->target, fraud, given ? ev->label_known_us : ev->time_us);
}

/* All that follows from the event and from what the windows told. */
static void conclude(struct keer_engine *e, const struct keer_event *ev, unsigned *degraded, struct keer_decision *d)
{
    run_code(e, ev, &e->policy->plans[ev->type].before);
    run_models(e, ev, degraded);
    run_code(e, ev, &e->policy->plans[ev->type].after);
    *d = (struct keer_decision){.outcome = KEER_ALLOW, .score = NAN};
    for (unsigned m = e->policy->model_count; m > 0; m--)
        if (e->scored[m - 1])
            d->score = e->score[m - 1];
    run_rules(e, ev, d);
}

static enum keer_err decide(struct keer_engine *e, const struct keer_event *ev, struct win_request *req,
                            struct keer_decision *d)
{
    unsigned degraded = 0;
    int64_t watermark = win_memory_watermark(e->store);
    enum keer_err err = apply_label(e, ev);
    if (err != KEER_OK)
        return err;
    request_filters(e, ev, req, &degraded);
    err = e->driver->exchange(e->store, req, &e->reply);
    if (err != KEER_OK)
        return err;
    if (e->reply.refused)
        degraded |= KEER_DEGRADED_WINDOW;
    if (e->reply.approximate)
        degraded |= KEER_DEGRADED_APPROXIMATE;
    for (uint64_t money = ev->present & e->policy->money_slots; money; money &= money - 1)
        if (isnan(vm_amount(ev, (unsigned)__builtin_ctzll(money), &e->policy->conversions[0])))
            degraded |= KEER_DEGRADED_RATE;
    if (ev->time_us < watermark - e->policy->lateness_us)
        degraded |= KEER_DEGRADED_LATE;
    conclude(e, ev, &degraded, d);
    d->degraded = degraded;
    e->decided++;
    return KEER_OK;
}

/* What every event needs, under the schema of this engine's policy. */
static enum keer_err event_fits(const struct keer_engine *e, const struct keer_event *ev)
{
    const char *what;
    enum keer_err err = event_check(ev, &what);
    if (err != KEER_OK)
        return err;
    return ev->schema == &e->policy->schema && ev->type < e->policy->schema.type_count ? KEER_OK : KEER_EINVALID;
}

enum keer_err keer_engine_decide(struct keer_engine *e, const struct keer_event *ev, struct keer_decision *ret_decision)
{
    enum keer_err err = event_fits(e, ev);
    if (err != KEER_OK)
        return err;
    request_keys(e, ev, &e->request);
    for (unsigned stage = 0; stage < WIN_STAGES; stage++) /* late, but what the groups need arrives together */
        e->driver->prefetch(e->store, &e->request, (int)stage);
    return decide(e, ev, &e->request, ret_decision);
}

enum keer_err engine_recall(struct keer_engine *e, const struct keer_event *ev, struct slice record,
                            struct keer_decision *ret_decision)
{
    unsigned degraded = 0, seen = 0;
    struct keer_decision d;
    enum keer_err err = event_fits(e, ev);
    if (err != KEER_OK)
        return err;
    request_filters(e, ev, &e->request, &seen);
    err = recall_read(e, ev->type, record, &degraded);
    if (err != KEER_OK)
        return err;
    conclude(e, ev, &seen, &d);
    d.degraded = degraded;
    *ret_decision = d;
    return KEER_OK;
}

/* Events of a batch lie side by side, but far apart for the caches by the time of their turn. */
__attribute__((always_inline)) static inline void event_prefetch(const struct keer_event *ev)
{
    for (size_t at = 0; at < sizeof *ev + 8 * sizeof ev->v[0]; at += 64)
        __builtin_prefetch((const unsigned char *)ev + at);
}

void engine_foresee(struct keer_engine *e, const struct keer_event *const *events, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        e->ahead[i].groups = 0;
        if (events[i] && events[i]->schema == &e->policy->schema && events[i]->type < e->policy->schema.type_count)
            request_keys(e, events[i], &e->ahead[i]);
    }
    for (unsigned stage = 0; stage < WIN_STAGES; stage++)
        for (unsigned i = 0; i < n; i++)
            e->driver->prefetch(e->store, &e->ahead[i], (int)stage);
}

enum keer_err keer_engine_decide_many(struct keer_engine *e, const struct keer_event *const *events, size_t n,
                                      struct keer_decision *ret_decisions)
{
    for (size_t i = 0; i < n; i++) {
        enum keer_err err = event_fits(e, events[i]);
        if (err != KEER_OK)
            return err;
    }
    /* A pipeline: an event's keys are known AHEAD_FAR events before its turn, and memory is fetched in stages from then on,
     * a little for each event, so that it arrives while others are decided. */
    for (size_t i = 0; i < n + AHEAD_FAR; i++) {
        if (i + AHEAD_STEP < n)
            event_prefetch(events[i + AHEAD_STEP]);
        if (i < n)
            request_keys(e, events[i], &e->ahead[i % AHEAD_SLOTS]);
        for (size_t stage = 0; stage < WIN_STAGES; stage++)
            if (i >= stage * AHEAD_STEP && i - stage * AHEAD_STEP < n)
                e->driver->prefetch(e->store, &e->ahead[(i - stage * AHEAD_STEP) % AHEAD_SLOTS], (int)stage);
        if (i < AHEAD_FAR)
            continue;
        size_t now = i - AHEAD_FAR;
        enum keer_err err = decide(e, events[now], &e->ahead[now % AHEAD_SLOTS], &ret_decisions[now]);
        if (err != KEER_OK)
            return err;
    }
    return KEER_OK;
}

enum keer_err keer_engine_save(const struct keer_engine *e, char **ret_data, size_t *ret_len)
{
    struct buf out;
    buf_init(&out, SIZE_MAX / 2);
    enum keer_err err = win_memory_save(e->store, &out);
    if (err != KEER_OK) {
        buf_release(&out);
        return err;
    }
    *ret_data = out.p;
    *ret_len = out.len;
    return KEER_OK;
}

enum keer_err keer_engine_load(struct keer_engine *e, const char *data, size_t len)
{
    return win_memory_load(e->store, slice_of(data, len));
}

const char *keer_outcome_name(enum keer_outcome o)
{
    static const char *const names[] = {
        [KEER_ALLOW] = "allow", [KEER_CHALLENGE] = "challenge", [KEER_REVIEW] = "review", [KEER_DENY] = "deny"};
    static_assert(ARRAY_LEN(names) == KEER_OUTCOME_MAX, "a name for each outcome");
    return (unsigned)o < KEER_OUTCOME_MAX ? names[o] : "unknown";
}
