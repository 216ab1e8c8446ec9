/* model_impl.h - the inside of a model, for model*.c.
 *
 *   node   8 bytes, all trees in one array, each tree breadth first, siblings next to each other:
 *
 *            root | left right | left's left, left's right, right's left ...
 *
 *          next = node + skip - (slots[slot] < split). A leaf has skip 0 and slot 0, and slots[0] is less than nothing, so
 *          that a walk that arrives early stays there: no test for leaves, no branch at all. Its `value` is in the place of
 *          the split.
 *   key    a float as a uint32_t of the same order (-0.0 is 0.0): integers compare faster than floats, and an unsigned
 *          comparison leaves its result in the carry, so that a step is 7 instructions.
 *   slots  the keys that nodes compare, computed once per row and block:
 *
 *            0     1 .. n                     n+1 .. 2n                  gates
 *            HIGH  features, NaN as LOW       features, NaN as HIGH      LOW (left) or HIGH (right) for each category split
 *
 *          A split that sends missing values left looks at the first copy of its feature, else at the second.
 *   gate   the category splits of one feature and default direction in one block. `bits` is transposed: row w holds the
 *          bits of categories 32 w .. 32 w + 31 of each split, so that one category's answers to all splits lie together.
 *   group  GROUP_TREES trees that are walked in step, to hide the latency of memory; the last one of a block has fewer.
 *   block  consecutive groups whose gates fit into the slots; a model without categories has one.
 *
 * Node 0 is a leaf of value 0 that stands in for the missing trees of a group.
 */
#ifndef CORE_MODEL_IMPL_H
#define CORE_MODEL_IMPL_H
#include "base/arena.h"
#include "core/model.h"

#define GROUP_TREES 8
#define SLOTS_MAX 4096
#define GATE_STEP 4 /* splits of a gate are filled up to a multiple of this: one vector of SSE2 or NEON */
#define SHAP_POINTS_MAX ((LIMIT_TREE_DEPTH + 1) / 2)

struct model_node {
    union {
        uint32_t split; /* key; of a category split KEY_HIGH */
        float value;    /* of a leaf */
    } u;
    uint16_t slot;
    uint16_t skip; /* from here to the right child; the left one stands before it */
};
static_assert(sizeof(struct model_node) == 8, "eight to a cache line");
#define KEY_LOW 0u
#define KEY_HIGH UINT32_MAX
static inline uint32_t model_key(float v)
{
    uint32_t i;
    v += 0.0f; /* -0.0 becomes 0.0 */
    memcpy(&i, &v, sizeof i);
    return i >> 31 ? ~i : i | 0x80000000u;
}
static_assert(LIMIT_TREE_NODES <= UINT16_MAX + 1, "a skip fits its field");

/* The edge that leads into a node, for contributions. */
struct model_edge {
    double share; /* of the parent's cover that goes this way, times the share of every earlier edge on the same feature */
    uint16_t feature;
    uint8_t before; /* depth of the node below the last earlier edge on the same feature, 0 = none */
};
struct model_group {
    uint32_t root[GROUP_TREES];
    uint8_t trees, depth /* of the deepest */;
};
struct model_gate {
    uint32_t *bits; /* words * count */
    uint16_t feature, slot, count, words;
    bool missing_right;
};
struct model_block {
    uint32_t group, groups; /* the first, and how many */
    uint32_t gates;
    const struct model_gate *gate;
};
struct model_feature {
    struct slice name;
    bool is_category;
    uint32_t texts; /* listed categories */
    struct slice *text;
    uint32_t *table;     /* open addressing: index + 1, 0 = empty */
    uint32_t table_mask; /* size - 1 */
};
enum model_calibration { CALIBRATION_NONE, CALIBRATION_ISOTONIC, CALIBRATION_PLATT, CALIBRATION_MAX };

/* Gauss-Legendre rules on [0, 1] that are exact for trees of depth 8, 16 and 32. */
struct model_rule {
    double at[SHAP_POINTS_MAX], weight[SHAP_POINTS_MAX];
};
enum model_rule_size { RULE_4, RULE_8, RULE_16, RULE_MAX };

struct model {
    struct arena arena;
    struct slice name, card;
    uint64_t digest;
    unsigned features, trees;
    struct model_feature *feature;
    float base;      /* margin before the first tree */
    double expected; /* mean margin over the training data, as the cover of the nodes tells it */
    struct model_node *node;
    struct model_edge *edge; /* parallel to node */
    uint32_t nodes;
    struct model_group *group;
    uint32_t groups;
    struct model_block *block;
    uint32_t blocks;
    enum model_calibration calibration;
    uint32_t points;
    double *point_x, *point_y;
    double platt_a, platt_b;
    struct model_rule rule[RULE_MAX];
};

/* Computes the slots of a row for a block: the features (once, for the first block), then the gates. */
void model_fill_features(const struct model *m, const float *x, uint32_t *slots);
void model_fill_gates(const struct model_block *b, const float *x, uint32_t *slots);
/* model_shap.c */
void model_rules_init(struct model *m);

/* A piece of the model's memory: KEER_ELIMIT when it would exceed the arena's maximum. */
KEER_NODISCARD enum keer_err model_take(struct arena *a, size_t n, size_t size, void *ret_p);

/* A tree as the file has it. Trees may hold nodes that nothing leads to: XGBoost prunes so. */
struct model_tree {
    uint32_t nodes, categories;
    int32_t *left, *right, *feature; /* -1 twice = leaf */
    float *split;                    /* of a leaf, its value; NaN where the file has none */
    double *cover;
    int32_t *default_left, *is_category;
    int32_t *set, *set_len; /* of a category split: where its categories begin in `category`, and how many; else 0 */
    int32_t *category;
};

/* model_layout.c: appends trees to a model that is being read. */
struct layout;
/* Room for `nodes` nodes and `trees` trees. */
KEER_NODISCARD enum keer_err layout_new(struct model *m, uint32_t nodes, uint32_t trees, struct layout **ret_layout);
void layout_free(struct layout *l);
/* On failure *ret_node and *ret_why tell the node in the file and what is wrong with it. */
KEER_NODISCARD enum keer_err layout_add(struct layout *l, const struct model_tree *t, uint32_t *ret_node,
                                        const char **ret_why);
/* After the last tree. */
KEER_NODISCARD enum keer_err layout_finish(struct layout *l);

/* model_keer.c: the attribute "keer" into a model whose features are known. */
KEER_NODISCARD enum keer_err model_keer_read(struct model *m, struct slice json, struct model_error *ret_error);

/* model_read.c: JSON to a tape, within the limits of a model file; `where` goes before the byte in an error's place. */
struct tape;
KEER_NODISCARD enum keer_err model_tape(struct tape *t, struct slice json, const char *where, struct model_error *e);

/* Writes where and what, unless memory ran out; returns `err`. */
enum keer_err model_fail(struct model_error *e, enum keer_err err, const char *where, const char *fmt, ...)
    KEER_PRINTF(4, 5);
#endif
