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

/* Numbers and booleans; false when the operation is about texts. */
static inline void arithmetic(double *r, const struct vm_insn *i)
{
    double a = r[i->a], b = r[i->b], v = NAN;
    bool known = !isnan(a) && !isnan(b);
    switch ((enum vm_op)i->op) {
    case VM_ADD: v = a + b; break;
    case VM_SUB: v = a - b; break;
    case VM_MUL: v = a * b; break;
    case VM_DIV: v = b == 0 ? NAN : a / b; break;
    case VM_MIN: v = known ? (a < b ? a : b) : NAN; break;
    case VM_MAX: v = known ? (a > b ? a : b) : NAN; break;
    case VM_AND: v = a == 0 || b == 0 ? 0 : a * b; break;
    case VM_OR: v = a == 1 || b == 1 ? 1 : a + b; break;
    case VM_EQ: v = known ? a == b : NAN; break;
    case VM_NE: v = known ? a != b : NAN; break;
    case VM_LT: v = known ? a < b : NAN; break;
    case VM_LE: v = known ? a <= b : NAN; break;
    case VM_GT: v = known ? a > b : NAN; break;
    case VM_GE: v = known ? a >= b : NAN; break;
    case VM_COALESCE: v = isnan(a) ? b : a; break;
    default: break;
    }
    r[i->dst] = v;
}

static inline void unary(double *r, const struct vm_insn *i)
{
    double a = r[i->a], v = NAN;
    switch ((enum vm_op)i->op) {
    case VM_COPY: v = a; break;
    case VM_NEG: v = 0 - a; break; /* never -0 */
    case VM_ABS: v = fabs(a); break;
    case VM_FLOOR: v = floor(a); break;
    case VM_LOG: v = a > 0 ? log(a) : NAN; break;
    case VM_SQRT: v = a >= 0 ? sqrt(a) : NAN; break;
    case VM_MISSING: v = isnan(a) ? 1 : 0; break;
    case VM_NOT: v = 1 - a; break;
    default: break;
    }
    r[i->dst] = v;
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

void vm_run(const struct vm_machine *m, struct vm_range range, const struct keer_event *e)
{
    double *r = m->r;
    uint64_t *t = m->t;
    for (const struct vm_insn *i = m->code + range.from, *end = m->code + range.to; i < end; i++) {
        switch ((enum vm_op)i->op) {
        case VM_NUMBER: r[i->dst] = event_has(e, i->a) ? e->v[i->a].u.number : NAN; break;
        case VM_AMOUNT: r[i->dst] = vm_amount(e, i->a, &m->conversion[i->b]); break;
        case VM_TEXT: t[i->dst] = event_has(e, i->a) ? e->v[i->a].u.hash.lo : 0; break;
        case VM_TYPE: r[i->dst] = e->type == i->a; break;
        case VM_PART: r[i->dst] = vm_time_part(m->zone_us, e, i->a); break;
        case VM_SKIP_UNLESS:
            if (r[i->a] == 0) {
                r[i->dst] = 0;
                i += i->b;
            }
            break;
        case VM_TEXT_EQ: r[i->dst] = t[i->a] && t[i->b] ? t[i->a] == t[i->b] : NAN; break;
        case VM_TEXT_NE: r[i->dst] = t[i->a] && t[i->b] ? t[i->a] != t[i->b] : NAN; break;
        case VM_MISSING_T: r[i->dst] = t[i->a] == 0; break;
        case VM_COALESCE_T: t[i->dst] = t[i->a] ? t[i->a] : t[i->b]; break;
        case VM_CHOOSE: r[i->dst] = isnan(r[i->a]) ? NAN : r[i->a] != 0 ? r[i->b] : r[i->c]; break;
        case VM_CHOOSE_T: t[i->dst] = isnan(r[i->a]) ? 0 : r[i->a] != 0 ? t[i->b] : t[i->c]; break;
        case VM_IN_TEXT: r[i->dst] = t[i->a] ? list_has_hash(m->lists, i->b, t[i->a]) : NAN; break;
        case VM_IN_NUMBER: r[i->dst] = isnan(r[i->a]) ? NAN : list_has_number(m->lists, i->b, r[i->a]); break;
        case VM_TEXT_EQ_FOLD:
        case VM_TEXT_NE_FOLD:
        case VM_LIKE:
        case VM_INCLUDES:
        case VM_IN_IP: text_test(m, i, e); break;
        case VM_COPY:
        case VM_NEG:
        case VM_ABS:
        case VM_FLOOR:
        case VM_LOG:
        case VM_SQRT:
        case VM_MISSING:
        case VM_NOT: unary(r, i); break;
        case VM_ADD:
        case VM_SUB:
        case VM_MUL:
        case VM_DIV:
        case VM_MIN:
        case VM_MAX:
        case VM_AND:
        case VM_OR:
        case VM_EQ:
        case VM_NE:
        case VM_LT:
        case VM_LE:
        case VM_GT:
        case VM_GE:
        case VM_COALESCE: arithmetic(r, i); break;
        case VM_OP_MAX: ASSERT(false);
        }
    }
}
