/* vm.h - flat code for expressions over one event: registers, no branches but one, no allocation.
 *
 * Numeric registers are doubles; NaN is 'missing'; booleans are 0 and 1. Logic is Kleene's: a comparison with a missing
 * value is missing, NOT of it too, and a rule fires on 1 alone, so that missing is never a match (as in Stripe Radar). Money
 * is minor units, durations are seconds. Text registers hold the low half of a text's hash; 0 is 'missing'.
 */
#ifndef CORE_VM_H
#define CORE_VM_H
#include "core/event.h"
#include "core/policy/lists.h"

enum vm_op {
    VM_NUMBER, /* R[dst] = attribute `a`: number or boolean */
    VM_AMOUNT, /* R[dst] = attribute `a` in minor units of conversion table `b` */
    VM_TEXT,   /* T[dst] = attribute `a` */
    VM_TYPE,   /* R[dst] = event type is `a` */
    VM_PART,   /* R[dst] = part `a` of the local time: enum vm_part */
    VM_COPY,   /* R[dst] = R[a] */
    VM_ADD,
    VM_SUB,
    VM_MUL,
    VM_DIV, /* x / 0 is missing */
    VM_MIN,
    VM_MAX, /* missing when either is */
    VM_NEG,
    VM_ABS,
    VM_FLOOR,
    VM_LOG,
    VM_SQRT,
    VM_COALESCE,
    VM_MISSING,
    VM_COALESCE_T,
    VM_MISSING_T, /* text */
    VM_CHOOSE,
    VM_CHOOSE_T, /* dst = R[a] ? b : c */
    VM_AND,
    VM_OR,
    VM_NOT,
    VM_EQ,
    VM_NE,
    VM_LT,
    VM_LE,
    VM_GT,
    VM_GE,
    VM_TEXT_EQ,
    VM_TEXT_NE, /* T[a], T[b] */
    VM_TEXT_EQ_FOLD,
    VM_TEXT_NE_FOLD, /* attributes a and b, case ignored */
    VM_LIKE,
    VM_INCLUDES, /* attribute a, text constant b, c = fold */
    VM_IN_TEXT,
    VM_IN_NUMBER,
    VM_IN_IP,       /* T[a] / R[a] / attribute a, list b */
    VM_SKIP_UNLESS, /* if R[a] is 0, R[dst] = 0 and `b` instructions are skipped: the rest of an AND */
    VM_OP_MAX
};

enum vm_part { PART_HOUR, PART_WEEKDAY, PART_DAY, PART_MINUTE, PART_MAX };

struct vm_insn {
    uint16_t op, dst, a, b, c;
};
struct vm_range {
    uint32_t from, to;
};
/* Factors from the minor units of each currency to those of one; NaN where no rate is known. That of XXX, an amount without
 * a currency, is the policy's own currency's. */
struct vm_conversion {
    enum currency to;
    double factor[CUR_MAX];
};

struct vm_machine { /* what code runs on: constants filled in, the rest scratch */
    double *r;
    uint64_t *t;
    const struct vm_insn *code;
    const struct vm_conversion *conversion;
    const struct list_sets *lists;
    const struct slice *texts; /* patterns of LIKE and INCLUDES */
    int64_t zone_us;
};

void vm_run(const struct vm_machine *m, struct vm_range range, const struct keer_event *e);
/* Money attribute in minor units of the conversion's currency, rounded half to even; NaN when absent or without a rate. */
double vm_amount(const struct keer_event *e, unsigned slot, const struct vm_conversion *c);
/* A part of the event's local time: enum vm_part. */
double vm_time_part(int64_t zone_us, const struct keer_event *e, unsigned part);
#endif
