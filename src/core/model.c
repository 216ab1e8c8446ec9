/* model.c - evaluates a model: slots for the row, then GROUP_TREES trees in step, without a branch that depends on data. */
#include <math.h>

#include "base/hash.h"
#include "core/event.h"
#include "core/model_impl.h"

struct slice model_name(const struct model *m) { return m->name; }
uint64_t model_digest(const struct model *m) { return m->digest; }
struct slice model_card(const struct model *m) { return m->card; }
unsigned model_trees(const struct model *m) { return m->trees; }
unsigned model_features(const struct model *m) { return m->features; }

void model_free(struct model *m)
{
    if (!m)
        return;
    arena_release(&m->arena);
    free(m);
}

struct slice model_feature_name(const struct model *m, unsigned i)
{
    ASSERT(i < m->features);
    return m->feature[i].name;
}

int model_feature_find(const struct model *m, struct slice name)
{
    for (unsigned i = 0; i < m->features; i++)
        if (slice_eq(m->feature[i].name, name))
            return (int)i;
    return -1;
}

bool model_feature_is_category(const struct model *m, unsigned i)
{
    ASSERT(i < m->features);
    return m->feature[i].is_category;
}

unsigned model_category_count(const struct model *m, unsigned i)
{
    ASSERT(i < m->features);
    return m->feature[i].texts;
}

int model_category(const struct model *m, unsigned i, struct slice text)
{
    ASSERT(i < m->features);
    const struct model_feature *f = &m->feature[i];
    if (f->texts == 0)
        return -1;
    for (uint64_t h = hash_bytes(HASH_KEY_DEFAULT, text.p, text.len).lo;; h++) {
        uint32_t at = f->table[h & f->table_mask];
        if (at == 0)
            return -1;
        if (slice_eq(f->text[at - 1], text))
            return (int)at - 1;
    }
}

void model_fill_features(const struct model *m, const float *x, uint32_t *slots)
{
    unsigned n = m->features;
    slots[0] = KEY_HIGH;
    for (unsigned i = 0; i < n; i++) {
        bool missing = isnan(x[i]);
        uint32_t key = model_key(x[i]);
        slots[1 + i] = missing ? KEY_LOW : key;
        slots[1 + n + i] = missing ? KEY_HIGH : key;
    }
}

static void fill_gate(const struct model_gate *g, float x, uint32_t *slots)
{
    typedef uint32_t lanes __attribute__((vector_size(GATE_STEP * sizeof(uint32_t))));
    uint32_t *out = slots + g->slot;
    if (!(x >= 0 && x < (float)g->words * 32)) {
        uint32_t all = isnan(x) && g->missing_right ? KEY_HIGH : KEY_LOW;
        for (unsigned k = 0; k < g->count; k++)
            out[k] = all;
        return;
    }
    uint32_t category = (uint32_t)x;
    const uint32_t *bits = g->bits + (size_t)(category / 32) * g->count;
    for (unsigned k = 0; k < g->count; k += GATE_STEP) {
        lanes v;
        memcpy(&v, bits + k, sizeof v);
        v = -(v >> (category % 32) & 1); /* bit set: KEY_HIGH, else KEY_LOW */
        memcpy(out + k, &v, sizeof v);
    }
}

void model_fill_gates(const struct model_block *b, const float *x, uint32_t *slots)
{
    for (uint32_t g = 0; g < b->gates; g++)
        fill_gate(&b->gate[g], x[b->gate[g].feature], slots);
}

static inline const struct model_node *step(const struct model_node *n, const uint32_t *slots)
{
    return n + ((size_t)n->skip - (slots[n->slot] < n->u.split));
}

/* The leaves are added one by one in the order of the trees, as XGBoost does: float addition is not associative. */
static float walk_group(const struct model_node *node, const struct model_group *g, const uint32_t *slots, float sum)
{
    const struct model_node *a = node + g->root[0], *b = node + g->root[1], *c = node + g->root[2], *d = node + g->root[3],
                            *e = node + g->root[4], *f = node + g->root[5], *h = node + g->root[6], *i = node + g->root[7];
    for (unsigned depth = g->depth; depth > 0; depth--) {
        a = step(a, slots);
        b = step(b, slots);
        c = step(c, slots);
        d = step(d, slots);
        e = step(e, slots);
        f = step(f, slots);
        h = step(h, slots);
        i = step(i, slots);
    }
    const struct model_node *leaf[GROUP_TREES] = {a, b, c, d, e, f, h, i};
    for (unsigned k = 0; k < g->trees; k++)
        sum += leaf[k]->u.value;
    return sum;
}
static_assert(GROUP_TREES == 8, "walk_group names its trees");

double model_margin(const struct model *m, const float *x)
{
    uint32_t slots[SLOTS_MAX];
    float sum = m->base;
    model_fill_features(m, x, slots);
    for (uint32_t k = 0; k < m->blocks; k++) {
        const struct model_block *b = &m->block[k];
        model_fill_gates(b, x, slots);
        for (uint32_t g = b->group; g < b->group + b->groups; g++)
            sum = walk_group(m->node, &m->group[g], slots, sum);
    }
    return (double)sum;
}

static double logistic(double margin) { return 1 / (1 + exp(-margin)); }

static double isotonic(const struct model *m, double raw)
{
    uint32_t low = 0, high = m->points; /* point_x[low] <= raw < point_x[high] */
    if (raw <= m->point_x[0])
        return m->point_y[0];
    if (raw >= m->point_x[high - 1])
        return m->point_y[high - 1];
    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;
        if (m->point_x[mid] <= raw)
            low = mid;
        else
            high = mid;
    }
    double x0 = m->point_x[low], x1 = m->point_x[high], y0 = m->point_y[low], y1 = m->point_y[high];
    double y = y0 + (y1 - y0) * ((raw - x0) / (x1 - x0));
    return MIN_OF(MAX_OF(y, y0), y1);
}

double model_calibrate(const struct model *m, double margin)
{
    ASSERT(m->calibration < CALIBRATION_MAX);
    switch (m->calibration) {
    case CALIBRATION_ISOTONIC: return isotonic(m, logistic(margin));
    case CALIBRATION_PLATT: return logistic(-(m->platt_a * margin + m->platt_b));
    case CALIBRATION_NONE:
    case CALIBRATION_MAX: break;
    }
    return logistic(margin);
}

double model_raw(const struct model *m, const float *x) { return logistic(model_margin(m, x)); }
double model_score(const struct model *m, const float *x) { return model_calibrate(m, model_margin(m, x)); }
