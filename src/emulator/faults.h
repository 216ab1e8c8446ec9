/* faults.h - what goes wrong, how often, and for whom.
 *
 *     spec = rule {"," rule}         rule = NAME "=" P [":" MS] ["@" MATCH] ["*" TIMES]
 *     drop_after=0.05,delay=1:800@alipay.trade.pay,error_before=1@c0001*2
 *
 * P is a probability from 0 to 1. MATCH is a number of the merchant's, or a part of the method or path; TIMES ends a rule.
 * Of several rules with the name, those with a MATCH that fits come first, and the first that fits decides.
 *
 * Invariant: whether a fault strikes follows from the seed, the fault, the method, the number and how often that was asked:
 * threads change nothing. Threads may call at the same time.
 */
#ifndef EMULATOR_FAULTS_H
#define EMULATOR_FAULTS_H
#include <pthread.h>

#include "base/buf.h"

enum fault {
#define EMULATOR_FAULT(name, ms, text) FAULT_##name,
#include "emulator/faults.def"
#undef EMULATOR_FAULT
    FAULT_MAX
};
#define FAULT_RULES 64
#define FAULT_MATCH_BYTES 64
struct fault_rule {
    enum fault fault;
    double chance;
    int64_t ms;
    int64_t left; /* below 0: no end */
    char match[FAULT_MATCH_BYTES + 1];
};
struct fault_seen; /* how often what was asked */
struct faults {
    pthread_mutex_t lock;
    uint64_t seed;
    unsigned count;
    struct fault_rule rule[FAULT_RULES];
    uint64_t struck[FAULT_MAX];
    struct fault_seen *seen;
    size_t seen_count, seen_cap;
};
void faults_init(struct faults *f, uint64_t seed);
void faults_release(struct faults *f);
/* In place of the rules that were there; "" for none. KEER_EINVALID with words, and the old rules stay. */
KEER_NODISCARD enum keer_err faults_set(struct faults *f, struct slice spec, char ret_why[160]);
/* Whether it strikes; *ret_us is the rule's time. */
bool fault_strikes(struct faults *f, enum fault fault, struct slice what, struct slice number, int64_t *ret_us);
void faults_print(struct faults *f, struct buf *b); /* JSON: rules, what struck how often, what there is */
#endif
