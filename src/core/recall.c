/* recall.c - what the windows told a decision, written and read. */
#include "core/recall.h"

#include <math.h>

enum kind { KIND_MISSING, KIND_INTEGER, KIND_MILLIONTHS, KIND_WHOLE };

static void put_varint(struct buf *out, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        buf_char(out, (char)(v | 0x80));
    buf_char(out, (char)v);
}

static uint64_t zigzag(int64_t v) { return (uint64_t)v << 1 ^ (uint64_t)(v >> 63); }
static int64_t unzigzag(uint64_t v) { return (int64_t)(v >> 1) ^ -(int64_t)(v & 1); }
static bool same_bits(double a, double b) { return memcmp(&a, &b, sizeof a) == 0; }
/* As the windows compute ages, so that most of them come back bit for bit. */
static double of_millionths(int64_t n) { return (double)n * 1e-6; }

/* The shortest form that comes back bit for bit; *ret_n for the first two. */
static enum kind kind_of(double v, int64_t *ret_n)
{
    if (isnan(v))
        return KIND_MISSING;
    if (fabs(v) < 9007199254740992.0) {
        *ret_n = (int64_t)v;
        if (same_bits((double)*ret_n, v))
            return KIND_INTEGER;
    }
    if (fabs(v) < 9007199254.0) {
        *ret_n = (int64_t)rint(v * 1e6);
        if (same_bits(of_millionths(*ret_n), v))
            return KIND_MILLIONTHS;
    }
    return KIND_WHOLE;
}

static bool needed(const struct keer_engine *e, unsigned type, unsigned w)
{
    return e->policy->plans[type].windows[w / 64] >> w % 64 & 1;
}
static bool is_text(const struct keer_engine *e, unsigned w) { return e->policy->window_info[w].type == TYPE_TEXT; }

static unsigned needed_count(const struct keer_engine *e, unsigned type)
{
    unsigned n = 0;
    for (unsigned i = 0; i < LIMIT_WINDOWS / 64; i++)
        n += (unsigned)__builtin_popcountll(e->policy->plans[type].windows[i]);
    return n;
}

enum keer_err engine_record(const struct keer_engine *e, const struct keer_event *ev, const struct keer_decision *d,
                            struct buf *out)
{
    const struct keer_policy *p = e->policy;
    unsigned n = needed_count(e, ev->type), at = 0;
    char kinds[LIMIT_WINDOWS / 4] = {0};
    buf_char(out, (char)RECALL_VERSION);
    put_varint(out, d->degraded);
    put_varint(out, e->reply.approximate);
    size_t tags = out->len;
    buf_put(out, kinds, (n + 3) / 4);
    for (unsigned w = 0; w < p->plan.windows; w++) {
        if (!needed(e, ev->type, w))
            continue;
        double v = e->registers[p->window_reg + w];
        uint64_t hash = e->text_registers[p->window_text_reg + w];
        int64_t integer = 0;
        enum kind kind = is_text(e, w) ? (hash ? KIND_WHOLE : KIND_MISSING) : kind_of(v, &integer);
        if (kind == KIND_INTEGER || kind == KIND_MILLIONTHS)
            put_varint(out, zigzag(integer));
        else if (kind == KIND_WHOLE)
            buf_put(out, is_text(e, w) ? (const void *)&hash : &v, sizeof v);
        kinds[at / 4] = (char)(kinds[at / 4] | (int)kind << 2 * (at % 4));
        at++;
    }
    ASSERT(at == n);
    if (out->err == KEER_OK && n)
        memcpy(out->p + tags, kinds, (n + 3) / 4);
    return out->err;
}

/* --- and back --- */

struct cursor {
    struct slice rest;
    bool bad;
};

static const char *take(struct cursor *c, size_t n)
{
    const char *at = c->rest.p;
    c->bad = c->bad || c->rest.len < n;
    if (c->bad)
        return NULL;
    c->rest = slice_of(at + n, c->rest.len - n);
    return at;
}

static uint64_t take_varint(struct cursor *c)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        const char *at = take(c, 1);
        if (!at)
            return 0;
        uint64_t part = (unsigned char)*at & 0x7F;
        c->bad = c->bad || (shift == 63 && part > 1);
        v |= part << shift;
        if (!(*at & 0x80))
            return v;
    }
    c->bad = true;
    return 0;
}

static double take_number(struct cursor *c, enum kind kind)
{
    double v = NAN;
    if (kind == KIND_INTEGER)
        return (double)unzigzag(take_varint(c));
    if (kind == KIND_MILLIONTHS)
        return of_millionths(unzigzag(take_varint(c)));
    const char *at = kind == KIND_WHOLE ? take(c, sizeof v) : NULL;
    if (at)
        memcpy(&v, at, sizeof v);
    return v;
}

static uint64_t take_hash(struct cursor *c, enum kind kind)
{
    uint64_t hash = 0;
    const char *at = kind == KIND_WHOLE ? take(c, sizeof hash) : NULL;
    c->bad = c->bad || (kind != KIND_WHOLE && kind != KIND_MISSING);
    if (at)
        memcpy(&hash, at, sizeof hash);
    return hash;
}

enum keer_err recall_read(struct keer_engine *e, unsigned type, struct slice record, unsigned *ret_degraded)
{
    const struct keer_policy *p = e->policy;
    struct cursor c = {.rest = record};
    unsigned n = needed_count(e, type), at = 0;
    const char *version = take(&c, 1);
    if (version && (unsigned char)*version != RECALL_VERSION)
        return KEER_EVERSION;
    uint64_t degraded = take_varint(&c), approximate = take_varint(&c);
    const char *kinds = take(&c, (n + 3) / 4);
    for (unsigned w = 0; w < p->plan.windows && !c.bad; w++) {
        if (!needed(e, type, w))
            continue;
        enum kind kind = (enum kind)((unsigned char)kinds[at / 4] >> 2 * (at % 4) & 3);
        at++;
        if (is_text(e, w))
            e->text_registers[p->window_text_reg + w] = take_hash(&c, kind);
        else
            e->registers[p->window_reg + w] = take_number(&c, kind);
    }
    if (c.bad || c.rest.len || degraded > UINT32_MAX)
        return KEER_EFORMAT;
    e->reply.approximate = approximate;
    *ret_degraded = (unsigned)degraded;
    return KEER_OK;
}
