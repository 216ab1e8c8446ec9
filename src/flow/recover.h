/* recover.h - recovery.h at the desk: counted, hashed, decided; and what happens by the clock.
 *
 * Invariants
 * 1. A name that nobody has is counted, answered and timed like any other: what is sent is sent later, by the clock.
 * 2. Wrong codes are counted by the account, or by what stands for it where there is none, and by the flow.
 * 3. The password is judged and hashed when something was proved, and not before: nobody's wish makes work.
 */
#ifndef FLOW_RECOVER_H
#define FLOW_RECOVER_H
#include "flow/recovery.h"
#include "flow/step.h"

enum recover_outcome {
    RECOVER_FLOW,     /* `recovery`: begun, or another way was proved */
    RECOVER_WRONG,    /* the code */
    RECOVER_LATER,    /* a limit, until `retry_us` */
    RECOVER_OVER,     /* no such flow, or nothing proved in it, or too many wrong codes */
    RECOVER_FLAW,     /* the password: `flaw` */
    RECOVER_FULL,     /* no place at the password worker */
    RECOVER_CONFLICT, /* another one waits already */
    RECOVER_DENIED    /* by the decision */
};
struct recover {
    enum recover_outcome outcome;
    struct recovery recovery;
    bool ready; /* FLOW: what was proved is enough at once */
    enum password_flaw flaw;
    int64_t retry_us;
};
KEER_NODISCARD enum keer_err recover_start(const struct steps *s, struct desk_worker *w, const struct visitor *v,
                                           struct slice name, struct recover *ret);
KEER_NODISCARD enum keer_err recover_prove(const struct steps *s, struct desk_worker *w, const struct visitor *v,
                                           const struct id *flow, struct slice code, struct recover *ret);
KEER_NODISCARD enum keer_err recover_finish(const struct steps *s, struct desk_worker *w, const struct visitor *v,
                                            const struct id *flow, struct slice password, bool lost, struct recover *ret);
/* By a session of the account, by a browser that it knows, or by who holds the flow: how many. */
KEER_NODISCARD enum keer_err recover_cancel(const struct steps *s, struct desk_worker *w, const struct visitor *v,
                                            const struct id *flow_or_none, unsigned *ret_count);
/* 'Not me' of a notice: KEER_EMISSING for a token that is none. Told to the engine as fraud where an event is known. */
KEER_NODISCARD enum keer_err recover_not_me(const struct steps *s, struct desk_worker *w, const struct visitor *v,
                                            struct slice token, struct guard_not_me *ret, int64_t *ret_retry_us);
/* The same from v's session, of what stands in its security centre. KEER_EMISSING. */
KEER_NODISCARD enum keer_err recover_not_me_own(const struct steps *s, struct desk_worker *w, const struct visitor *v,
                                                enum guard_told told, const struct id *id, struct guard_not_me *ret);

/* What is due: changes and recoveries applied, codes sent, what is over forgotten. A timer of the desk; ctx: struct steps.
 */
void steps_tick(struct desk_worker *w, void *ctx);
#define STEPS_TICK_US US_SECOND
#endif
