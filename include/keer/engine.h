/* engine.h - decisions: events in, allow, challenge, review or deny out, with reasons.
 *
 * An engine holds the windows of one policy and one thread's scratch memory. Same policy, same events in the same order:
 * same decisions, byte for byte. Nothing is allocated per event once the population of entities is stable.
 *
 * Order of rules, as in Stripe Radar: challenge rules first, and they do not stop; then allow, the first match ends; deny,
 * the first match ends; review. The outcome is the strictest of what matched: deny, else challenge, else review, else allow;
 * an allow rule keeps deny and review from being asked.
 */
#ifndef KEER_ENGINE_H
#define KEER_ENGINE_H
#include <keer/policy.h>

#ifdef __cplusplus
extern "C" {
#endif

enum keer_outcome { KEER_ALLOW, KEER_CHALLENGE, KEER_REVIEW, KEER_DENY, KEER_OUTCOME_MAX };

/* What was not as it should be when a decision was made. */
#define KEER_DEGRADED_MODEL 1u       /* a model that should have scored the event is not there */
#define KEER_DEGRADED_WINDOW 2u      /* there was no room to remember the event somewhere */
#define KEER_DEGRADED_APPROXIMATE 4u /* a window was past its budget: approximate */
#define KEER_DEGRADED_RATE 8u        /* an amount has no rate to the policy's currency */
#define KEER_DEGRADED_LATE 16u       /* the event came later than `lateness` allows: windows are cut */
#define KEER_DEGRADED_INPUT 32u      /* what should have added to the event could not; set by the daemon */

#define KEER_FIRED_MAX 16
struct keer_decision {
    enum keer_outcome outcome;
    int review;           /* a review rule matched too (the outcome may be challenge) */
    double score;         /* of the first model for this type, in [0, 1]; NaN when there is none */
    unsigned degraded;    /* KEER_DEGRADED_* */
    unsigned fired_count; /* rules that matched; the first KEER_FIRED_MAX are in `fired`, in order of evaluation */
    uint16_t fired[KEER_FIRED_MAX];
};

struct keer_engine;
struct keer_engine_options {
    uint64_t memory_max;        /* bytes that windows may use; 0 = no limit */
    uint32_t events_per_entity; /* remembered exactly, 64..4096; 0 = 4096 */
};

KEER_API KEER_NODISCARD enum keer_err keer_engine_new(const struct keer_policy *policy,
                                                      const struct keer_engine_options *options,
                                                      struct keer_engine **ret_engine);
KEER_API void keer_engine_free(struct keer_engine *e);
/* Decides one event and remembers it. KEER_EMISSING when id, time or type are not set. Label events are applied and decided
 * too. */
KEER_API KEER_NODISCARD enum keer_err keer_engine_decide(struct keer_engine *e, const struct keer_event *event,
                                                         struct keer_decision *ret_decision);
/* The same for n events in order; faster, since memory for later ones is fetched ahead. */
KEER_API KEER_NODISCARD enum keer_err keer_engine_decide_many(struct keer_engine *e, const struct keer_event *const *events,
                                                              size_t n, struct keer_decision *ret_decisions);
/* The last decision of this engine, explained: JSON text (UTF-8), allocated with malloc. */
KEER_API KEER_NODISCARD enum keer_err keer_engine_explain(struct keer_engine *e, const struct keer_event *event,
                                                          const struct keer_decision *decision, char **ret_json,
                                                          size_t *ret_len);
/* All windows as bytes (allocated with malloc), and back: KEER_EVERSION for another policy's windows, KEER_EFORMAT when
 * torn. After a failed load the engine can only be freed. */
KEER_API KEER_NODISCARD enum keer_err keer_engine_save(const struct keer_engine *e, char **ret_data, size_t *ret_len);
KEER_API KEER_NODISCARD enum keer_err keer_engine_load(struct keer_engine *e, const char *data, size_t len);
KEER_API const char *keer_outcome_name(enum keer_outcome o);

#ifdef __cplusplus
}
#endif
#endif
