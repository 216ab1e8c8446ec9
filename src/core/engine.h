/* engine.h - the inside of an engine: one event's way through values, windows, lets, models and rules.
 *
 * After a decision the engine still holds what it saw (registers, feature values), which explain.c and the training data
 * read; the next decision overwrites it.
 */
#ifndef CORE_ENGINE_H
#define CORE_ENGINE_H
#include <keer/engine.h>

#include "core/policy/policy.h"

#define AHEAD_STEP 6u /* events between the stages of fetching */
#define AHEAD_FAR (AHEAD_STEP * WIN_STAGES)
#define AHEAD_SLOTS 32u /* requests whose keys are known before their turn */
static_assert(AHEAD_SLOTS > AHEAD_FAR, "each has its slot until its turn");

struct keer_engine {
    const struct keer_policy *policy;
    struct win_store *store;
    const struct win_driver *driver;
    struct vm_machine vm;
    double *registers;
    uint64_t *text_registers;
    int64_t *values;
    double *conditions;
    float *features; /* of the policy, in its order; NaN = missing; texts: see engine_feature_text */
    float *model_row;
    struct win_request request;
    struct win_request ahead[AHEAD_SLOTS];
    struct win_reply reply;
    double score[LIMIT_MODELS], margin[LIMIT_MODELS];
    bool scored[LIMIT_MODELS];
    const double *forced_score; /* examples set it; NULL otherwise */
    uint64_t decided;
};

/* Fetches into the caches what deciding these will touch, so that their misses overlap: at most AHEAD_SLOTS, soon to be
 * decided one by one. A hint; NULL and events of another policy's schema are passed over. */
void engine_foresee(struct keer_engine *e, const struct keer_event *const *events, unsigned n);
/* After a decision: the value of a feature of the policy (numbers), or its text. */
static inline struct slice engine_feature_text(const struct keer_engine *e, const struct keer_event *ev, unsigned feature)
{
    const struct policy_feature *f = &e->policy->features[feature];
    return f->text && event_has(ev, (unsigned)f->slot) ? event_text(ev, (unsigned)f->slot) : slice_of(NULL, 0);
}
void engine_stats(const struct keer_engine *e, struct win_stats *ret_stats);
/* The row of model `model` as it was scored; model_features long. */
void engine_model_row(const struct keer_engine *e, const struct keer_event *ev, unsigned model, float *ret_row);

/* explain.c */
enum explain_form { EXPLAIN_JSON, EXPLAIN_TEXT };
/* `top`: how many contributions of the model; 0 = all. */
KEER_NODISCARD enum keer_err engine_explain(struct keer_engine *e, const struct keer_event *ev,
                                            const struct keer_decision *d, enum explain_form form, unsigned top,
                                            struct buf *out);
/* Words of the KEER_DEGRADED_ flags: NULL past the last. */
const char *engine_degraded_word(unsigned i, unsigned *ret_flag);
/* Names of the `top` features that raise the score of model 0 most, comma separated; nothing when there is no score. */
KEER_NODISCARD enum keer_err engine_top_reasons(struct keer_engine *e, const struct keer_event *ev, unsigned top,
                                                struct buf *out);
#endif
