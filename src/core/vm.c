/* vm.c - runs the flat code of a policy over one event. */
#include "core/vm.h"

#include <math.h>

double vm_amount(const struct keer_event *e, unsigned slot, const struct vm_conversion *c)
{
    if (!event_has(e, slot))
        return NAN;
    enum currency from = (enum currency)e->v[slot].x.currency;
    double minor = (double)e->v[slot].u.minor;
    return from == c->to ? minor : rint(minor * c->factor[from]);
}

double vm_time_part(int64_t zone_us, const struct keer_event *e, unsigned part)
{
    int64_t local = e->time_us + zone_us, day = time_floor_day(local);
    switch ((enum vm_part)part) {
    case PART_HOUR: return (double)((local - day) / US_HOUR);
    case PART_MINUTE: return (double)((local - day) / US_MINUTE);
    case PART_WEEKDAY: return (double)(((day / US_DAY + 3) % 7 + 7) % 7);
    case PART_DAY: return (double)(day / US_DAY);
    case PART_MAX: break;
    }
    return NAN;
}

static void text_test(const struct vm_machine *m, const struct vm_insn *i, const struct keer_event *e)
{
    double v = NAN;
    bool have = event_has(e, i->a);
    switch ((enum vm_op)i->op) {
    case VM_TEXT_EQ_FOLD:
    case VM_TEXT_NE_FOLD:
        if (have && event_has(e, i->b))
            v = slice_eqi(event_text(e, i->a), event_text(e, i->b)) == (i->op == VM_TEXT_EQ_FOLD);
        break;
    case VM_LIKE:
        if (have)
            v = slice_like(event_text(e, i->a), m->texts[i->b], i->c);
        break;
    case VM_INCLUDES:
        if (have)
            v = i->c ? slice_hasi(event_text(e, i->a), m->texts[i->b]) : slice_has(event_text(e, i->a), m->texts[i->b]);
        break;
    case VM_IN_IP:
        if (have)
            v = list_has_ip(m->lists, i->b, event_text(e, i->a));
        break;
    default: break;
    }
    m->r[i->dst] = v;
}

const uint8_t *vm_reads(enum vm_op op)
{
    enum { NONE = VM_IS_NONE, OTHER = VM_IS_OTHER, NUM = VM_IS_NUM, TEXT = VM_IS_TEXT };
    static const uint8_t operands[][3] = {
#define VM(op, dst, a, b, c, what) {a, b, c},
#include "core/vm.def"
#undef VM
    };
    static_assert(ARRAY_LEN(operands) == VM_OP_MAX, "a row for each instruction");
    return operands[op];
}

/* A comparison: NaN, missing, when either value is. */
static inline double known(double a, double b, bool v) { return isunordered(a, b) ? (double)NAN : (double)v; }

const struct vm_insn *vm_run_from(const struct vm_machine *m, const struct vm_insn *from, const struct vm_insn *end,
                                  const struct keer_event *e)
{
    double *r = m->r;
    uint64_t *t = m->t;
    for (const struct vm_insn *i = from; i < end; i++) {
        double a, b;
        switch ((enum vm_op)i->op) {
        case VM_NUMBER: r[i->dst] = event_has(e, i->a) ? e->v[i->a].u.number : NAN; break;
        case VM_AMOUNT: r[i->dst] = vm_amount(e, i->a, &m->conversion[i->b]); break;
        case VM_TEXT: t[i->dst] = event_has(e, i->a) ? e->v[i->a].u.hash.lo : 0; break;
        case VM_TYPE: r[i->dst] = e->type == i->a; break;
        case VM_PART: r[i->dst] = vm_time_part(m->zone_us, e, i->a); break;
        case VM_COPY: r[i->dst] = r[i->a]; break;
        case VM_ADD: r[i->dst] = r[i->a] + r[i->b]; break;
        case VM_SUB: r[i->dst] = r[i->a] - r[i->b]; break;
        case VM_MUL: r[i->dst] = r[i->a] * r[i->b]; break;
        case VM_DIV: r[i->dst] = r[i->b] == 0 ? NAN : r[i->a] / r[i->b]; break;
        case VM_MIN: a = r[i->a], b = r[i->b], r[i->dst] = isunordered(a, b) ? NAN : a < b ? a : b; break;
        case VM_MAX: a = r[i->a], b = r[i->b], r[i->dst] = isunordered(a, b) ? NAN : a > b ? a : b; break;
        case VM_NEG: r[i->dst] = 0 - r[i->a]; break; /* never -0 */
        case VM_ABS: r[i->dst] = fabs(r[i->a]); break;
        case VM_FLOOR: r[i->dst] = floor(r[i->a]); break;
        case VM_LOG: a = r[i->a], r[i->dst] = a > 0 ? log(a) : NAN; break;
        case VM_SQRT: a = r[i->a], r[i->dst] = a >= 0 ? sqrt(a) : NAN; break;
        case VM_COALESCE: a = r[i->a], r[i->dst] = isnan(a) ? r[i->b] : a; break;
        case VM_MISSING: r[i->dst] = isnan(r[i->a]) ? 1 : 0; break;
        case VM_COALESCE_T: t[i->dst] = t[i->a] ? t[i->a] : t[i->b]; break;
        case VM_MISSING_T: r[i->dst] = t[i->a] == 0; break;
        case VM_CHOOSE: a = r[i->a], r[i->dst] = isnan(a) ? NAN : a != 0 ? r[i->b] : r[i->c]; break;
        case VM_CHOOSE_T: a = r[i->a], t[i->dst] = isnan(a) ? 0 : a != 0 ? t[i->b] : t[i->c]; break;
        case VM_AND: a = r[i->a], b = r[i->b], r[i->dst] = a == 0 || b == 0 ? 0 : a * b; break;
        case VM_OR: a = r[i->a], b = r[i->b], r[i->dst] = a == 1 || b == 1 ? 1 : a + b; break;
        case VM_NOT: r[i->dst] = 1 - r[i->a]; break;
        case VM_EQ: a = r[i->a], b = r[i->b], r[i->dst] = known(a, b, a == b); break;
        case VM_NE: a = r[i->a], b = r[i->b], r[i->dst] = known(a, b, a != b); break;
        case VM_LT: a = r[i->a], b = r[i->b], r[i->dst] = known(a, b, a < b); break;
        case VM_LE: a = r[i->a], b = r[i->b], r[i->dst] = known(a, b, a <= b); break;
        case VM_GT: a = r[i->a], b = r[i->b], r[i->dst] = known(a, b, a > b); break;
        case VM_GE: a = r[i->a], b = r[i->b], r[i->dst] = known(a, b, a >= b); break;
        case VM_TEXT_EQ: r[i->dst] = t[i->a] && t[i->b] ? t[i->a] == t[i->b] : NAN; break;
        case VM_TEXT_NE: r[i->dst] = t[i->a] && t[i->b] ? t[i->a] != t[i->b] : NAN; break;
        case VM_TEXT_EQ_FOLD:
        case VM_TEXT_NE_FOLD:
        case VM_LIKE:
        case VM_INCLUDES:
        case VM_IN_IP: text_test(m, i, e); break;
        case VM_IN_TEXT: r[i->dst] = t[i->a] ? list_has_hash(m->lists, i->b, t[i->a]) : NAN; break;
        case VM_IN_NUMBER: a = r[i->a], r[i->dst] = isnan(a) ? NAN : list_has_number(m->lists, i->b, a); break;
        case VM_SKIP_UNLESS:
            if (r[i->a] == 0) {
                r[i->dst] = 0;
                i += i->b;
            }
            break;
        case VM_UNLESS: i += r[i->a] == 1 ? 0 : i->dst; break;
        case VM_UNLESS_EQ: i += r[i->a] == r[i->b] ? 0 : i->dst; break;
        case VM_UNLESS_NE: i += islessgreater(r[i->a], r[i->b]) ? 0 : i->dst; break;
        case VM_UNLESS_LT: i += isless(r[i->a], r[i->b]) ? 0 : i->dst; break;
        case VM_UNLESS_LE: i += islessequal(r[i->a], r[i->b]) ? 0 : i->dst; break;
        case VM_FIRE: return i;
        case VM_OP_MAX: ASSERT(false);
        }
    }
    return NULL;
}
