/* model_layout.c - checks a tree of a model file and lays it out for evaluation: nodes, edges, groups, blocks, gates. */
#include <math.h>

#include "core/model_impl.h"

#define KEYS_MAX (LIMIT_FEATURES * 2) /* gate of a category split: 2 * feature + (missing values go right) */

struct category_split {
    uint32_t node; /* in the model */
    uint32_t key, words;
    uint32_t *bits;
};
struct layout {
    struct model *m;
    struct arena work; /* of the block that is open */
    uint16_t count[KEYS_MAX];
    uint32_t slots;
    uint32_t splits;
    struct category_split split[SLOTS_MAX];
};
/* The nodes of one tree that the root leads to, breadth first. */
struct walk {
    struct arena arena;
    uint32_t n;
    uint32_t *file;   /* node in the file */
    uint32_t *parent; /* position in this list; of the root, itself */
    uint8_t *depth;
    uint32_t *left; /* position of the left child, 0 = leaf; the right one follows it */
    double *share;  /* of the parent's cover that goes to this node */
    double *mean;
};

enum keer_err model_take(struct arena *a, size_t n, size_t size, void *ret_p)
{
    void *p;
    if (n > (a->max - a->used) / size)
        return KEER_ELIMIT;
    p = arena_array(a, MAX_OF(n, 1), size);
    if (!p)
        return KEER_ENOMEM;
    memcpy(ret_p, &p, sizeof p);
    return KEER_OK;
}

enum keer_err layout_new(struct model *m, uint32_t nodes, uint32_t trees, struct layout **ret_layout)
{
    struct layout *l = calloc(1, sizeof *l);
    enum keer_err err = l ? KEER_OK : KEER_ENOMEM;
    if (!err)
        err = model_take(&m->arena, (size_t)nodes + 1, sizeof *m->node, &m->node);
    if (!err)
        err = model_take(&m->arena, (size_t)nodes + 1, sizeof *m->edge, &m->edge);
    if (!err)
        err = model_take(&m->arena, trees, sizeof *m->group, &m->group);
    if (!err)
        err = model_take(&m->arena, trees, sizeof *m->block, &m->block);
    if (err) {
        free(l);
        return err;
    }
    m->nodes = 1;
    l->m = m;
    arena_init(&l->work, LIMIT_MODEL_MEMORY);
    *ret_layout = l;
    return KEER_OK;
}

void layout_free(struct layout *l)
{
    if (!l)
        return;
    arena_release(&l->work);
    free(l);
}

static const char *check_node(const struct model_tree *t, uint32_t k, unsigned features)
{
    bool leaf = t->left[k] == -1 && t->right[k] == -1;
    if (leaf)
        return fabs((double)t->split[k]) <= LIMIT_MODEL_LEAF ? NULL : "the value of a leaf is not a number, or beyond 1e30";
    if (t->left[k] <= 0 || (uint32_t)t->left[k] >= t->nodes || t->right[k] <= 0 || (uint32_t)t->right[k] >= t->nodes)
        return "a child is out of range";
    if (t->feature[k] < 0 || (uint32_t)t->feature[k] >= features)
        return "the feature is out of range";
    if (!t->is_category[k] && !isfinite(t->split[k]))
        return "the split is not a finite number";
    if (t->is_category[k] && t->set_len[k] == 0)
        return "a category split without categories";
    return NULL;
}

/* Breadth first from the root; refuses what is not a tree. */
static enum keer_err walk_read(struct walk *w, const struct model_tree *t, unsigned features, uint32_t *ret_node,
                               const char **ret_why)
{
    uint8_t *seen;
    enum keer_err err = model_take(&w->arena, t->nodes, sizeof *w->file, &w->file);
    if (!err)
        err = model_take(&w->arena, t->nodes, sizeof *w->parent, &w->parent);
    if (!err)
        err = model_take(&w->arena, t->nodes, sizeof *w->depth, &w->depth);
    if (!err)
        err = model_take(&w->arena, t->nodes, sizeof *w->left, &w->left);
    if (!err)
        err = model_take(&w->arena, t->nodes, sizeof *w->share, &w->share);
    if (!err)
        err = model_take(&w->arena, t->nodes, sizeof *w->mean, &w->mean);
    if (!err)
        err = model_take(&w->arena, t->nodes, sizeof *seen, &seen);
    if (err)
        return err;
    w->n = 1;
    seen[0] = 1;
    for (uint32_t p = 0; p < w->n; p++) {
        uint32_t k = w->file[p];
        *ret_node = k;
        *ret_why = check_node(t, k, features);
        if (*ret_why)
            return KEER_ERANGE;
        if (t->left[k] == -1)
            continue;
        if (w->depth[p] == LIMIT_TREE_DEPTH) {
            *ret_why = "the tree is too deep";
            return KEER_ELIMIT;
        }
        w->left[p] = w->n;
        for (unsigned side = 0; side < 2; side++) {
            uint32_t child = (uint32_t)(side ? t->right[k] : t->left[k]);
            if (seen[child]) {
                *ret_why = "a child that another node has too: not a tree";
                return KEER_EFORMAT;
            }
            seen[child] = 1;
            w->file[w->n] = child;
            w->parent[w->n] = p;
            w->depth[w->n++] = (uint8_t)(w->depth[p] + 1);
        }
    }
    return KEER_OK;
}

static uint32_t key_of(const struct model_tree *t, uint32_t k) { return 2 * (uint32_t)t->feature[k] + !t->default_left[k]; }

/* Counts the category splits of a tree into the open block; false, and nothing changed, when the slots do not suffice. */
static bool reserve_slots(struct layout *l, const struct model_tree *t, const struct walk *w)
{
    uint16_t count[KEYS_MAX];
    uint32_t slots = MAX_OF(l->slots, 1 + 2 * l->m->features);
    memcpy(count, l->count, sizeof count);
    for (uint32_t p = 0; p < w->n; p++) {
        uint32_t k = w->file[p];
        if (w->left[p] && t->is_category[k] && count[key_of(t, k)]++ % GATE_STEP == 0)
            slots += GATE_STEP;
        if (slots > SLOTS_MAX)
            return false;
    }
    memcpy(l->count, count, sizeof count);
    l->slots = slots;
    return true;
}

static enum keer_err add_category_split(struct layout *l, const struct model_tree *t, uint32_t k, uint32_t node)
{
    struct category_split *s = &l->split[l->splits];
    uint32_t top = 0;
    for (int32_t i = 0; i < t->set_len[k]; i++)
        top = MAX_OF(top, (uint32_t)t->category[t->set[k] + i]);
    *s = (struct category_split){.node = node, .key = key_of(t, k), .words = top / 32 + 1};
    enum keer_err err = model_take(&l->work, s->words, sizeof *s->bits, &s->bits);
    if (err)
        return err;
    for (int32_t i = 0; i < t->set_len[k]; i++) {
        uint32_t category = (uint32_t)t->category[t->set[k] + i];
        s->bits[category / 32] |= (uint32_t)1 << category % 32;
    }
    l->splits++;
    return KEER_OK;
}

/* The edge into position p: its share of the parent's cover, joined with earlier edges on the same feature. */
static void add_edge(struct model *m, const struct model_tree *t, const struct walk *w, uint32_t p)
{
    uint32_t up = w->parent[p], left = w->left[up], parent = w->file[up];
    double l = t->cover[w->file[left]], r = t->cover[w->file[left + 1]], own = p == left ? l : r;
    struct model_edge *first = m->edge + m->nodes, *e = first + p;
    e->feature = (uint16_t)t->feature[parent];
    /* Halved first, so that two large covers do not overflow. A split that saw nothing says nothing: half each way. */
    w->share[p] = l + r > 0 ? own / 2 / (l / 2 + r / 2) : 0.5;
    e->share = w->share[p];
    for (; up != 0; up = w->parent[up])
        if (first[up].feature == e->feature) {
            e->before = w->depth[up];
            e->share *= first[up].share;
            break;
        }
}

static double tree_mean(const struct model_tree *t, const struct walk *w)
{
    for (uint32_t p = w->n; p-- > 0;) {
        uint32_t l = w->left[p], r = l + 1;
        w->mean[p] = l ? w->share[l] * w->mean[l] + w->share[r] * w->mean[r] : (double)t->split[w->file[p]];
    }
    return w->mean[0];
}

static enum keer_err add_nodes(struct layout *l, const struct model_tree *t, const struct walk *w)
{
    struct model *m = l->m;
    for (uint32_t p = 0; p < w->n; p++) {
        uint32_t k = w->file[p];
        struct model_node *n = &m->node[m->nodes + p];
        bool category = w->left[p] && t->is_category[k];
        if (w->left[p])
            n->u.split = category ? KEY_HIGH : model_key(t->split[k]);
        else
            n->u.value = t->split[k];
        if (p > 0)
            add_edge(m, t, w, p);
        if (w->left[p] == 0)
            continue;
        n->skip = (uint16_t)(w->left[p] + 1 - p);
        n->slot = (uint16_t)(1 + (uint32_t)t->feature[k] + (t->default_left[k] ? 0 : m->features));
        enum keer_err err = category ? add_category_split(l, t, k, m->nodes + p) : KEER_OK;
        if (err)
            return err;
    }
    m->expected += tree_mean(t, w);
    return KEER_OK;
}

static void add_to_group(struct model *m, const struct walk *w)
{
    struct model_block *b = &m->block[m->blocks - 1];
    if (b->groups == 0 || m->group[m->groups - 1].trees == GROUP_TREES) {
        b->groups++;
        m->groups++;
    }
    struct model_group *g = &m->group[m->groups - 1];
    g->root[g->trees++] = m->nodes;
    g->depth = MAX_OF(g->depth, w->depth[w->n - 1]);
    m->nodes += w->n;
    m->trees++;
}

/* Makes the gates of the open block and points its category splits at their slots. */
static enum keer_err close_block(struct layout *l)
{
    struct model *m = l->m;
    struct model_gate *gates, *of_key[KEYS_MAX];
    uint16_t used[KEYS_MAX] = {0};
    uint32_t n = 0, slot = 1 + 2 * m->features;
    enum keer_err err;
    if (m->blocks == 0)
        return KEER_OK;
    for (uint32_t k = 0; k < KEYS_MAX; k++)
        n += l->count[k] != 0;
    if ((err = model_take(&m->arena, n, sizeof *gates, &gates)) != KEER_OK)
        return err;
    n = 0;
    for (uint32_t k = 0; k < KEYS_MAX; k++) {
        uint32_t count = (l->count[k] + GATE_STEP - 1u) / GATE_STEP * GATE_STEP;
        if (count == 0)
            continue;
        of_key[k] = &gates[n++];
        *of_key[k] = (struct model_gate){
            .feature = (uint16_t)(k / 2), .missing_right = k % 2, .slot = (uint16_t)slot, .count = (uint16_t)count};
        slot += count;
    }
    ASSERT(slot <= SLOTS_MAX);
    for (uint32_t i = 0; i < l->splits; i++) {
        struct model_gate *g = of_key[l->split[i].key];
        g->words = (uint16_t)MAX_OF(g->words, l->split[i].words);
    }
    for (uint32_t i = 0; i < n; i++)
        if ((err = model_take(&m->arena, (size_t)gates[i].words * gates[i].count, sizeof(uint32_t), &gates[i].bits)) !=
            KEER_OK)
            return err;
    for (uint32_t i = 0; i < l->splits; i++) {
        const struct category_split *s = &l->split[i];
        struct model_gate *g = of_key[s->key];
        uint16_t at = used[s->key]++;
        m->node[s->node].slot = (uint16_t)(g->slot + at);
        for (uint32_t word = 0; word < s->words; word++)
            g->bits[(size_t)word * g->count + at] = s->bits[word];
    }
    m->block[m->blocks - 1].gate = gates;
    m->block[m->blocks - 1].gates = n;
    return KEER_OK;
}

static enum keer_err open_block(struct layout *l)
{
    struct model *m = l->m;
    enum keer_err err = close_block(l);
    if (err)
        return err;
    arena_release(&l->work);
    memset(l->count, 0, sizeof l->count);
    l->slots = 0;
    l->splits = 0;
    m->block[m->blocks++] = (struct model_block){.group = m->groups};
    return KEER_OK;
}

enum keer_err layout_add(struct layout *l, const struct model_tree *t, uint32_t *ret_node, const char **ret_why)
{
    struct walk w = {0};
    arena_init(&w.arena, LIMIT_MODEL_MEMORY);
    *ret_why = "the model needs more than 1 GiB of memory";
    enum keer_err err = walk_read(&w, t, l->m->features, ret_node, ret_why);
    if (!err && l->m->blocks == 0)
        err = open_block(l);
    if (!err && !reserve_slots(l, t, &w)) {
        bool empty = l->m->block[l->m->blocks - 1].groups == 0;
        err = empty ? KEER_ELIMIT : open_block(l);
        if (!err && !reserve_slots(l, t, &w))
            err = KEER_ELIMIT;
        if (err == KEER_ELIMIT)
            *ret_why = "too many category splits in one tree";
    }
    if (!err) {
        *ret_why = "the model needs more than 1 GiB of memory";
        err = add_nodes(l, t, &w);
    }
    if (!err)
        add_to_group(l->m, &w);
    arena_release(&w.arena);
    return err;
}

enum keer_err layout_finish(struct layout *l) { return close_block(l); }
