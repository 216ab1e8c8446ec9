/* model_shap.c - contributions: path-dependent TreeSHAP, computed as an integral.
 *
 * TreeSHAP asks for the Shapley values of the game v(S) = sum over the leaves of value * product over the features i of the
 * path (i in S ? hot_i : share_i), where hot_i is 1 when the row goes the way of the path at every split on i and else 0,
 * and share_i is the part of the training data that does. By the multilinear extension (Owen, 1972) the value of i is
 *
 *     phi_i = integral from 0 to 1 of  sum over leaves of value * (hot_i - share_i) * product over j != i of f_j(t),
 *     f_j(t) = (1 - t) share_j + t hot_j
 *
 * The integrand is a polynomial of a degree below the depth, so that Gauss-Legendre with half as many points is exact. At
 * each point t one walk over the tree suffices: going down, the product of all f of the path; coming up, the sum over the
 * leaves below an edge, times (hot - share) / f of that edge, goes to its feature. Where a feature comes twice on a path,
 * the later edge holds for the leaves below it, so that what they gave the earlier one is taken back. O(nodes * points)
 * instead of Algorithm 2's O(leaves * depth^2), and every term is a product of positive numbers: nothing to unwind, nothing
 * to cancel.
 */
#include <math.h>

#include "core/model_impl.h"

#define LEVELS (LIMIT_TREE_DEPTH + 1)
#define LANES 2 /* what SSE2 and NEON hold; GCC 12 lowers wider vectors badly */
#define VECTORS_MAX (SHAP_POINTS_MAX / LANES)

typedef double lanes __attribute__((vector_size(LANES * sizeof(double))));

/* Level d is the node that the walk stands on at depth d, and the edge into it. Level 0 has no edge: f = 1, rate = 0. */
struct level {
    lanes prod[VECTORS_MAX];    /* of all f from the root to here */
    lanes inverse[VECTORS_MAX]; /* 1 / f */
    lanes rate[VECTORS_MAX];    /* (hot - share) / f */
    lanes sum[VECTORS_MAX];     /* over the leaves below: value * weight * prod */
    const struct model_node *node;
    double hot;    /* 1 when this edge and all earlier ones on its feature go the way of the row, else 0 */
    unsigned next; /* 0: left child comes next, 1: right child, 2: done */
};
static_assert(sizeof(((struct model_rule *)0)->at) == VECTORS_MAX * sizeof(lanes), "a rule is copied whole");

struct walk {
    const struct model *m;
    const uint32_t *slots;
    double *phi;
    lanes at[VECTORS_MAX], weight[VECTORS_MAX];
    struct level level[LEVELS];
};

/* Down the edge from level d - 1 to `node`, without a branch: which way the row goes is not predictable. */
static inline void enter(struct walk *w, unsigned d, const struct model_node *node, bool goes, unsigned vectors)
{
    const struct model_edge *e = &w->m->edge[node - w->m->node];
    struct level *l = &w->level[d];
    const struct level *up = l - 1, *before = &w->level[e->before];
    double hot = (double)goes * before->hot;
    for (unsigned v = 0; v < vectors; v++) {
        /* A share of 0 (a split that saw nothing) makes f 0; what it is divided into is 0 as well, and stays 0 so. */
        lanes f = e->share + (hot - e->share) * w->at[v], inverse = 1 / (f + 1e-300);
        l->inverse[v] = inverse;
        l->rate[v] = (hot - e->share) * inverse;
        l->prod[v] = up->prod[v] * f * before->inverse[v];
        l->sum[v] = (lanes){0};
    }
    l->node = node;
    l->hot = hot;
    l->next = 0;
}

/* Back up from level d. */
static inline void leave(struct walk *w, unsigned d, unsigned vectors)
{
    struct level *l = &w->level[d], *up = l - 1;
    const struct model_edge *e = &w->m->edge[l->node - w->m->node];
    const struct level *before = &w->level[e->before];
    lanes total = {0};
    for (unsigned v = 0; v < vectors; v++) {
        total += (l->rate[v] - before->rate[v]) * l->sum[v];
        up->sum[v] += l->sum[v];
    }
    w->phi[e->feature] += total[0] + total[1];
}

static inline __attribute__((always_inline)) void walk_tree(struct walk *w, const struct model_node *root, unsigned vectors)
{
    unsigned d = 0;
    struct level *l = &w->level[0];
    for (unsigned v = 0; v < vectors; v++) {
        l->prod[v] = l->inverse[v] = (lanes){1, 1};
        l->rate[v] = l->sum[v] = (lanes){0};
    }
    l->node = root;
    l->hot = 1;
    l->next = 0;
    for (;;) {
        l = &w->level[d];
        const struct model_node *n = l->node;
        if (n->skip == 0) {
            for (unsigned v = 0; v < vectors; v++)
                l->sum[v] = (double)n->u.value * w->weight[v] * l->prod[v];
        } else if (l->next < 2) {
            unsigned side = l->next++, goes = w->slots[n->slot] >= n->u.split;
            enter(w, ++d, n + n->skip - 1 + side, side == goes, vectors);
            continue;
        }
        if (d == 0)
            return;
        leave(w, d--, vectors);
    }
}

static void walk_group(struct walk *w, const struct model_group *g)
{
    enum model_rule_size size = g->depth <= 8 ? RULE_4 : g->depth <= 16 ? RULE_8 : RULE_16;
    const struct model_rule *rule = &w->m->rule[size];
    memcpy(w->at, rule->at, sizeof w->at);
    memcpy(w->weight, rule->weight, sizeof w->weight);
    for (unsigned k = 0; k < g->trees; k++) {
        const struct model_node *root = w->m->node + g->root[k];
        switch (size) {
        case RULE_4: walk_tree(w, root, 4 / LANES); break;
        case RULE_8: walk_tree(w, root, 8 / LANES); break;
        case RULE_16: walk_tree(w, root, 16 / LANES); break;
        case RULE_MAX: ASSERT(false);
        }
    }
}
static_assert(LIMIT_TREE_DEPTH <= 32, "sixteen points are exact up to depth 32");

void model_shap(const struct model *m, const float *x, double *ret_phi)
{
    uint32_t slots[SLOTS_MAX];
    struct walk w;
    w.m = m;
    w.slots = slots;
    w.phi = ret_phi;
    for (unsigned i = 0; i < m->features; i++)
        ret_phi[i] = 0;
    ret_phi[m->features] = m->expected;
    model_fill_features(m, x, slots);
    for (uint32_t k = 0; k < m->blocks; k++) {
        const struct model_block *b = &m->block[k];
        model_fill_gates(b, x, slots);
        for (uint32_t g = b->group; g < b->group + b->groups; g++)
            walk_group(&w, &m->group[g]);
    }
}

/* Zeros of the Legendre polynomial of degree n by Newton's method, from the usual first guess; mapped from [-1, 1] to [0,
 * 1]. */
static void rule_init(struct model_rule *r, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        double z = cos(3.14159265358979323846 * (i + 0.75) / (n + 0.5)), slope = 0;
        for (unsigned round = 0; round < 10; round++) {
            double p = 1, before = 0;
            for (unsigned k = 1; k <= n; k++) {
                double older = before;
                before = p;
                p = ((2.0 * k - 1) * z * before - (k - 1.0) * older) / k;
            }
            slope = n * (z * p - before) / (z * z - 1);
            z -= p / slope;
        }
        r->at[i] = (1 - z) / 2;
        r->weight[i] = 1 / ((1 - z * z) * slope * slope);
    }
}

void model_rules_init(struct model *m)
{
    rule_init(&m->rule[RULE_4], 4);
    rule_init(&m->rule[RULE_8], 8);
    rule_init(&m->rule[RULE_16], 16);
}
