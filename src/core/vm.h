/* vm.h - flat code for expressions over one event: registers, branches only forwards, no allocation.
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
#define VM(op, dst, a, b, c, what) VM_##op,
#include "core/vm.def"
#undef VM
    VM_OP_MAX
};

enum vm_part { PART_HOUR, PART_WEEKDAY, PART_DAY, PART_MINUTE, PART_MAX };

struct vm_insn {
    uint16_t op, dst, a, b, c;
};
struct vm_range {
    uint32_t from, to;
};
/* What the operand of an instruction is: a numeric or a text register, or something else. */
enum vm_operand { VM_IS_NONE, VM_IS_OTHER, VM_IS_NUM, VM_IS_TEXT };
/* Operands of an instruction that read: a, b, c. */
const uint8_t *vm_reads(enum vm_op op);
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

/* Runs code up to `end`, or up to the first VM_FIRE, which is returned: the next instruction goes on from there. NULL at the
 * end. */
const struct vm_insn *vm_run_from(const struct vm_machine *m, const struct vm_insn *from, const struct vm_insn *end,
                                  const struct keer_event *e);
/* Runs code without VM_FIRE. */
static inline void vm_run(const struct vm_machine *m, struct vm_range range, const struct keer_event *e)
{
    (void)vm_run_from(m, m->code + range.from, m->code + range.to, e);
}
/* Money attribute in minor units of the conversion's currency, rounded half to even; NaN when absent or without a rate. */
double vm_amount(const struct keer_event *e, unsigned slot, const struct vm_conversion *c);
/* A part of the event's local time: enum vm_part. */
double vm_time_part(int64_t zone_us, const struct keer_event *e, unsigned part);
#endif
