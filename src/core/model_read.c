/* model_read.c - reads XGBoost's JSON into a model: header, names, trees; model_layout.c checks and lays out each tree. */
#include <float.h>
#include <math.h>
#include <stdarg.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/num.h"
#include "core/event.h"
#include "core/model_impl.h"

struct input {
    const struct tape *t;
    struct model *m;
    struct model_error *error;
    uint32_t learner, model; /* learner, learner.gradient_booster.model */
    uint32_t trees;
    bool raw; /* binary:logitraw */
};

enum keer_err model_fail(struct model_error *e, enum keer_err err, const char *where, const char *fmt, ...)
{
    va_list ap;
    if (err == KEER_ENOMEM)
        return err;
    (void)snprintf(e->where, sizeof e->where, "%s", where);
    va_start(ap, fmt);
    (void)vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    return err;
}

enum keer_err model_tape(struct tape *t, struct slice json, const char *where, struct model_error *e)
{
    static const struct tape_limits limits = {.bytes = LIMIT_MODEL_BYTES,
                                              .values = LIMIT_MODEL_VALUES,
                                              .depth = LIMIT_JSON_DEPTH,
                                              .keys = LIMIT_MODEL_KEYS,
                                              .nan = true,   /* XGBoost writes it for splits on categories */
                                              .wide = true}; /* who needs a number says what its range is */
    struct tape_error error;
    char place[64];
    enum keer_err err = tape_read(t, json, &limits, &error);
    if (!err)
        return KEER_OK;
    (void)snprintf(place, sizeof place, "%sbyte %zu", where, error.at);
    return model_fail(e, err, place, "%s", error.text);
}

/* A text among the children of `object`, which stands at `where`. */
static enum keer_err get_text(const struct input *in, uint32_t object, const char *where, const char *key,
                              struct slice *ret_text)
{
    uint32_t v = object ? tape_find(in->t, object, key) : TAPE_NONE;
    if (v == TAPE_NONE)
        return model_fail(in->error, KEER_EMISSING, where, "\"%s\" is missing", key);
    if (tape_type(in->t, v) != TAPE_STRING)
        return model_fail(in->error, KEER_ETYPE, where, "\"%s\" is not a text", key);
    *ret_text = tape_text(in->t, v);
    return KEER_OK;
}

/* XGBoost writes parameters as texts. */
static enum keer_err get_parameter(const struct input *in, uint32_t object, const char *where, const char *key, int64_t max,
                                   int64_t *ret_v)
{
    struct slice text = {0};
    enum keer_err err = get_text(in, object, where, key, &text);
    if (err)
        return err;
    if (num_i64(text, 0, max, ret_v) != KEER_OK)
        return model_fail(in->error, KEER_ERANGE, where, "\"%s\" is not a number from 0 to %lld", key, (long long)max);
    return KEER_OK;
}

static enum keer_err read_objective(struct input *in)
{
    struct slice name = {0};
    const char *where = "learner.objective";
    enum keer_err err = get_text(in, tape_find(in->t, in->learner, "objective"), where, "name", &name);
    if (err)
        return err;
    in->raw = slice_eq(name, SLICE("binary:logitraw"));
    if (in->raw || slice_eq(name, SLICE("binary:logistic")) || slice_eq(name, SLICE("reg:logistic")))
        return KEER_OK;
    return model_fail(in->error, KEER_EUNSUPPORTED, where,
                      "objective '%.*s': binary:logistic, reg:logistic and binary:logitraw are supported",
                      (int)MIN_OF(name.len, 40), name.p);
}

static enum keer_err read_parameters(const struct input *in)
{
    const char *where = "learner.learner_model_param";
    uint32_t p = tape_find(in->t, in->learner, "learner_model_param");
    int64_t features = 0, classes = 0, targets = 1;
    double score = 0;
    struct slice text = {0};
    enum keer_err err = get_parameter(in, p, where, "num_feature", INT32_MAX, &features);
    if (!err)
        err = get_parameter(in, p, where, "num_class", INT32_MAX, &classes);
    if (!err && tape_find(in->t, p, "num_target"))
        err = get_parameter(in, p, where, "num_target", INT32_MAX, &targets);
    if (!err)
        err = get_text(in, p, where, "base_score", &text);
    if (err)
        return err;
    if (features < 1 || features > LIMIT_FEATURES)
        return model_fail(in->error, KEER_ELIMIT, where, "%lld features; 1 to %d are supported", (long long)features,
                          LIMIT_FEATURES);
    if (classes > 1 || targets > 1)
        return model_fail(in->error, KEER_EUNSUPPORTED, where, "more than one class or target");
    if (num_f64(text, &score) != KEER_OK || fabs(score) > LIMIT_MODEL_LEAF)
        return model_fail(in->error, KEER_ERANGE, where, "\"base_score\" is not a number, or beyond 1e30");
    /* Of binary:logitraw, XGBoost 1.7 takes it as a margin; else it is a probability. */
    in->m->base = in->raw ? (float)score : -logf(1.0f / (float)score - 1.0f);
    if (!isfinite(in->m->base))
        return model_fail(in->error, KEER_ERANGE, where, "\"base_score\" is not between 0 and 1");
    in->m->expected = (double)in->m->base;
    in->m->features = (unsigned)features;
    return KEER_OK;
}

/* An optional list of one text per feature: TAPE_NONE when it is absent or empty, else its array. */
static enum keer_err get_list(const struct input *in, const char *key, uint32_t *ret_list)
{
    char where[64];
    uint32_t v = tape_find(in->t, in->learner, key);
    (void)snprintf(where, sizeof where, "learner.%s", key);
    if (v == TAPE_NONE || (tape_type(in->t, v) == TAPE_ARRAY && in->t->v[v].len == 0)) {
        *ret_list = TAPE_NONE;
        return KEER_OK;
    }
    if (tape_type(in->t, v) != TAPE_ARRAY)
        return model_fail(in->error, KEER_ETYPE, where, "not a list");
    if (in->t->v[v].len != in->m->features)
        return model_fail(in->error, KEER_EFORMAT, where, "%u entries for %u features", in->t->v[v].len, in->m->features);
    for (uint32_t i = v + 1; i < in->t->v[v].next; i = in->t->v[i].next)
        if (tape_type(in->t, i) != TAPE_STRING)
            return model_fail(in->error, KEER_ETYPE, where, "an entry is not a text");
    *ret_list = v;
    return KEER_OK;
}

static enum keer_err read_features(const struct input *in)
{
    struct model *m = in->m;
    uint32_t names = TAPE_NONE, types = TAPE_NONE;
    enum keer_err err = get_list(in, "feature_names", &names);
    if (!err)
        err = get_list(in, "feature_types", &types);
    if (!err)
        err = model_take(&m->arena, m->features, sizeof *m->feature, &m->feature);
    for (unsigned i = 0; !err && i < m->features; i++) {
        char made[16];
        struct slice name = slice_of(made, (size_t)snprintf(made, sizeof made, "f%u", i));
        if (names)
            name = tape_text(in->t, names + 1 + i); /* texts have no children: entry i is value i after the list */
        if (name.len == 0 || name.len > LIMIT_NAME_BYTES)
            return model_fail(in->error, KEER_ELIMIT, "learner.feature_names",
                              "the name of feature %u has %zu bytes, not 1 to %d", i, name.len, LIMIT_NAME_BYTES);
        for (unsigned k = 0; k < i; k++)
            if (slice_eq(m->feature[k].name, name))
                return model_fail(in->error, KEER_ECONFLICT, "learner.feature_names",
                                  "features %u and %u have the same name", k, i);
        m->feature[i].name = arena_copy(&m->arena, name);
        m->feature[i].is_category = types && slice_eq(tape_text(in->t, types + 1 + i), SLICE("c"));
        err = m->feature[i].name.p ? KEER_OK : KEER_ENOMEM;
    }
    return err;
}

/* Checks the booster and finds the trees. */
static enum keer_err read_booster(struct input *in)
{
    const char *where = "learner.gradient_booster";
    uint32_t booster = tape_find(in->t, in->learner, "gradient_booster"), list;
    struct slice name = {0};
    int64_t trees = 0;
    enum keer_err err = get_text(in, booster, where, "name", &name);
    if (err)
        return err;
    if (!slice_eq(name, SLICE("gbtree")))
        return model_fail(in->error, KEER_EUNSUPPORTED, where, "booster '%.*s': only gbtree is supported",
                          (int)MIN_OF(name.len, 40), name.p);
    in->model = tape_find(in->t, booster, "model");
    if (in->model == TAPE_NONE)
        return model_fail(in->error, KEER_EMISSING, where, "\"model\" is missing");
    where = "learner.gradient_booster.model";
    err = get_parameter(in, tape_find(in->t, in->model, "gbtree_model_param"), where, "num_trees", INT32_MAX, &trees);
    if (err)
        return err;
    list = tape_find(in->t, in->model, "trees");
    if (list == TAPE_NONE || tape_type(in->t, list) != TAPE_ARRAY)
        return model_fail(in->error, list ? KEER_ETYPE : KEER_EMISSING, where, "\"trees\" is %s",
                          list ? "not a list" : "missing");
    if (trees != in->t->v[list].len)
        return model_fail(in->error, KEER_EFORMAT, where, "%u trees, but \"num_trees\" is %lld", in->t->v[list].len,
                          (long long)trees);
    if (trees > LIMIT_TREES)
        return model_fail(in->error, KEER_ELIMIT, where, "%lld trees; at most %d are supported", (long long)trees,
                          LIMIT_TREES);
    in->trees = list;
    return KEER_OK;
}

/* One list of a tree. */
struct column {
    const char *key;
    int64_t min, max;
    int32_t *out;
};

static enum keer_err find_column(const struct input *in, uint32_t tree, uint32_t number, const char *key, uint32_t n,
                                 char where[static 96], uint32_t *ret_list)
{
    uint32_t v = tape_find(in->t, tree, key);
    (void)snprintf(where, 96, "learner.gradient_booster.model.trees[%u].%s", number, key);
    if (v == TAPE_NONE)
        return model_fail(in->error, KEER_EMISSING, where, "missing");
    if (tape_type(in->t, v) != TAPE_ARRAY)
        return model_fail(in->error, KEER_ETYPE, where, "not a list");
    if (in->t->v[v].len != n)
        return model_fail(in->error, KEER_EFORMAT, where, "%u entries where %u are expected", in->t->v[v].len, n);
    *ret_list = v;
    return KEER_OK;
}

static enum keer_err read_integers(const struct input *in, uint32_t tree, uint32_t number, uint32_t n,
                                   const struct column *c)
{
    char where[96];
    uint32_t list = TAPE_NONE;
    enum keer_err err = find_column(in, tree, number, c->key, n, where, &list);
    for (uint32_t i = 0; !err && i < n; i++) {
        uint32_t v = list + 1 + i;
        int64_t got = tape_type(in->t, v) == TAPE_TRUE;
        if (v >= in->t->v[list].next || in->t->v[v].next != v + 1)
            return model_fail(in->error, KEER_ETYPE, where, "entry %u is a list or an object", i);
        if (tape_is_number(in->t, v))
            err = num_i64(tape_text(in->t, v), c->min, c->max, &got);
        else if (tape_type(in->t, v) != TAPE_TRUE && tape_type(in->t, v) != TAPE_FALSE)
            err = KEER_ETYPE;
        if (err)
            return model_fail(in->error, err == KEER_ETYPE ? err : KEER_ERANGE, where,
                              "entry %u is not an integer from %lld to %lld", i, (long long)c->min, (long long)c->max);
        c->out[i] = (int32_t)got;
    }
    return err;
}

/* Numbers within a float's range; NaN and infinities become NaN, which whoever needs a number refuses. */
static enum keer_err read_floats(const struct input *in, uint32_t tree, uint32_t number, uint32_t n, const char *key,
                                 double *out)
{
    char where[96];
    uint32_t list = TAPE_NONE;
    enum keer_err err = find_column(in, tree, number, key, n, where, &list);
    for (uint32_t i = 0; !err && i < n; i++) {
        uint32_t v = list + 1 + i;
        out[i] = (double)NAN;
        if (v >= in->t->v[list].next || in->t->v[v].next != v + 1)
            return model_fail(in->error, KEER_ETYPE, where, "entry %u is a list or an object", i);
        if (tape_type(in->t, v) == TAPE_NAN)
            continue;
        if (!tape_is_number(in->t, v))
            return model_fail(in->error, KEER_ETYPE, where, "entry %u is not a number", i);
        if (num_f64(tape_text(in->t, v), &out[i]) != KEER_OK || !(fabs(out[i]) <= (double)FLT_MAX))
            return model_fail(in->error, KEER_ERANGE, where, "entry %u is beyond the range of a float", i);
    }
    return err;
}

static enum keer_err take_columns(struct arena *a, struct model_tree *t, double **ret_split)
{
    int32_t **columns[] = {&t->left, &t->right, &t->feature, &t->default_left, &t->is_category, &t->set, &t->set_len};
    enum keer_err err = KEER_OK;
    for (size_t k = 0; !err && k < ARRAY_LEN(columns); k++)
        err = model_take(a, t->nodes, sizeof(int32_t), columns[k]);
    if (!err)
        err = model_take(a, t->nodes, sizeof *t->split, &t->split);
    if (!err)
        err = model_take(a, t->nodes, sizeof *t->cover, &t->cover);
    if (!err)
        err = model_take(a, t->nodes, sizeof **ret_split, ret_split);
    return err;
}

/* Four lists tell the sets of categories: of node categories_nodes[i], categories_sizes[i] entries of `categories` from
 * categories_segments[i] on. */
static enum keer_err read_sets(const struct input *in, uint32_t tree, uint32_t number, struct arena *a, struct model_tree *t)
{
    uint32_t all = tape_find(in->t, tree, "categories"), which = tape_find(in->t, tree, "categories_nodes");
    if (all == TAPE_NONE && which == TAPE_NONE)
        return KEER_OK; /* XGBoost before 1.5 */
    uint32_t n = which && tape_type(in->t, which) == TAPE_ARRAY ? in->t->v[which].len : 0;
    t->categories = all && tape_type(in->t, all) == TAPE_ARRAY ? in->t->v[all].len : 0;
    struct column nodes = {"categories_nodes", 0, (int64_t)t->nodes - 1, NULL},
                  begin = {"categories_segments", 0, t->categories, NULL},
                  size = {"categories_sizes", 0, t->categories, NULL},
                  category = {"categories", 0, LIMIT_CATEGORIES - 1, NULL};
    struct column *columns[] = {&nodes, &begin, &size, &category};
    enum keer_err err = KEER_OK;
    for (size_t k = 0; !err && k < ARRAY_LEN(columns); k++) {
        uint32_t len = columns[k] == &category ? t->categories : n;
        err = model_take(a, len, sizeof(int32_t), &columns[k]->out);
        if (!err)
            err = read_integers(in, tree, number, len, columns[k]);
    }
    if (err)
        return err;
    t->category = category.out;
    for (uint32_t i = 0; i < n; i++) {
        char where[96];
        int32_t node = nodes.out[i];
        (void)snprintf(where, sizeof where, "learner.gradient_booster.model.trees[%u].categories_nodes", number);
        if (t->set_len[node] != 0)
            return model_fail(in->error, KEER_ECONFLICT, where, "node %d has two sets of categories", node);
        if ((int64_t)begin.out[i] + size.out[i] > t->categories)
            return model_fail(in->error, KEER_ERANGE, where, "the categories of node %d are out of range", node);
        t->set[node] = begin.out[i];
        t->set_len[node] = size.out[i];
    }
    return KEER_OK;
}

static enum keer_err read_tree(const struct input *in, uint32_t tree, uint32_t number, struct arena *a, struct model_tree *t)
{
    double *split = NULL;
    enum keer_err err = take_columns(a, t, &split);
    if (err)
        return err;
    const struct column columns[] = {
        {"left_children", -1, (int64_t)t->nodes - 1, t->left},
        {"right_children", -1, (int64_t)t->nodes - 1, t->right},
        {"split_indices", 0, INT32_MAX, t->feature},
        {"default_left", 0, 1, t->default_left},
        {"split_type", 0, 1, t->is_category},
    };
    for (size_t k = 0; !err && k < ARRAY_LEN(columns); k++)
        if (columns[k].out != t->is_category || tape_find(in->t, tree, "split_type") != TAPE_NONE)
            err = read_integers(in, tree, number, t->nodes, &columns[k]);
    if (!err)
        err = read_floats(in, tree, number, t->nodes, "split_conditions", split);
    if (!err)
        err = read_floats(in, tree, number, t->nodes, "sum_hessian", t->cover);
    if (!err)
        err = read_sets(in, tree, number, a, t);
    for (uint32_t i = 0; !err && i < t->nodes; i++) {
        t->split[i] = (float)split[i];
        if (!(t->cover[i] >= 0)) {
            char where[96];
            (void)snprintf(where, sizeof where, "learner.gradient_booster.model.trees[%u].sum_hessian", number);
            err = model_fail(in->error, KEER_ERANGE, where, "entry %u is not a number from 0 on", i);
        }
    }
    return err;
}

static enum keer_err add_tree(const struct input *in, struct layout *l, uint32_t tree, uint32_t number)
{
    char where[96];
    struct arena a;
    struct model_tree t = {0};
    uint32_t list = tape_find(in->t, tree, "left_children"), node = 0;
    const char *why = "";
    enum keer_err err;
    (void)snprintf(where, sizeof where, "learner.gradient_booster.model.trees[%u]", number);
    if (list == TAPE_NONE || tape_type(in->t, list) != TAPE_ARRAY || in->t->v[list].len == 0)
        return model_fail(in->error, KEER_EFORMAT, where, "\"left_children\" is not a list of nodes");
    if (in->t->v[list].len > LIMIT_TREE_NODES)
        return model_fail(in->error, KEER_ELIMIT, where, "%u nodes; at most %u are supported", in->t->v[list].len,
                          LIMIT_TREE_NODES);
    t.nodes = in->t->v[list].len;
    arena_init(&a, LIMIT_MODEL_MEMORY);
    err = read_tree(in, tree, number, &a, &t);
    if (!err) {
        err = layout_add(l, &t, &node, &why);
        if (err)
            (void)model_fail(in->error, err, where, "node %u: %s", node, why);
    }
    for (uint32_t i = 0; !err && i < t.nodes; i++)
        if (t.is_category[i] && (uint32_t)t.feature[i] < in->m->features)
            in->m->feature[t.feature[i]].is_category = true;
    arena_release(&a);
    return err;
}

static enum keer_err read_trees(const struct input *in)
{
    struct layout *l = NULL;
    uint32_t nodes = 0, number = 0, end = in->t->v[in->trees].next;
    for (uint32_t i = in->trees + 1; i < end; i = in->t->v[i].next) {
        uint32_t list = tape_find(in->t, i, "left_children");
        nodes += list ? in->t->v[list].len : 0; /* at most LIMIT_MODEL_VALUES in all */
    }
    enum keer_err err = layout_new(in->m, nodes, in->t->v[in->trees].len, &l);
    for (uint32_t i = in->trees + 1; !err && i < end; i = in->t->v[i].next)
        err = add_tree(in, l, i, number++);
    if (!err)
        err = layout_finish(l);
    if (err == KEER_ELIMIT && in->error->text[0] == '\0')
        (void)model_fail(in->error, err, "learner.gradient_booster.model.trees",
                         "the model needs more than 1 GiB of memory");
    layout_free(l);
    return err;
}

static enum keer_err read_model(struct input *in)
{
    struct slice keer = {0};
    in->learner = tape_type(in->t, 0) == TAPE_OBJECT ? tape_find(in->t, 0, "learner") : TAPE_NONE;
    if (in->learner == TAPE_NONE)
        return model_fail(in->error, KEER_EFORMAT, "", "not an XGBoost model: \"learner\" is missing");
    enum keer_err err = read_objective(in);
    if (!err)
        err = read_parameters(in);
    if (!err)
        err = read_booster(in);
    if (!err)
        err = read_features(in);
    if (!err)
        err = read_trees(in);
    uint32_t attributes = tape_find(in->t, in->learner, "attributes");
    if (err || attributes == TAPE_NONE || tape_find(in->t, attributes, "keer") == TAPE_NONE)
        return err;
    err = get_text(in, attributes, "learner.attributes", "keer", &keer);
    return err ? err : model_keer_read(in->m, keer, in->error);
}

static bool is_ubjson(struct slice s)
{
    return s.len > 1 && s.p[0] == '{' && (s.p[1] == 'L' || s.p[1] == 'i' || s.p[1] == '$');
}

enum keer_err model_read(struct slice json, struct model **ret_model, struct model_error *ret_error)
{
    struct tape tape = {0};
    *ret_error = (struct model_error){0};
    if (is_ubjson(json))
        return model_fail(ret_error, KEER_EUNSUPPORTED, "", "a model in UBJSON; save it under a name that ends in .json");
    enum keer_err err = model_tape(&tape, json, "", ret_error);
    struct model *m = err ? NULL : calloc(1, sizeof *m);
    if (!err && !m)
        err = KEER_ENOMEM;
    if (!err) {
        struct input in = {.t = &tape, .m = m, .error = ret_error};
        arena_init(&m->arena, LIMIT_MODEL_MEMORY);
        model_rules_init(m);
        m->digest = hash_bytes(HASH_KEY_DEFAULT, json.p, json.len).lo;
        err = read_model(&in);
    }
    tape_release(&tape);
    if (err) {
        model_free(m);
        return err;
    }
    *ret_model = m;
    return KEER_OK;
}
