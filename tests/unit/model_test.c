/* model_test.c - models: equality with XGBoost, refusals, allocation failures, calibration, contributions by brute force. */
#include <math.h>

#include "base/buf.h"
#include "base/rand.h"
#include "core/model_impl.h"
#include "lib/test.h"
#include "lib/xgb.h"

static struct model *must_read(struct slice json)
{
    struct model *m = NULL;
    struct model_error e;
    enum keer_err err = model_read(json, &m, &e);
    ck_assert_msg(err == KEER_OK, "%s: %s: %s", keer_err_name(err), e.where, e.text);
    ck_assert(e.where[0] == '\0' && e.text[0] == '\0');
    return m;
}

/* --- against XGBoost --- */

/* Returns the number of blocks. */
static unsigned compare(const struct xgb_job *j, unsigned rows)
{
    struct xgb_model t = xgb_train(j);
    struct slice json = xgb_json(t.booster);
    struct model *m = must_read(json);
    unsigned n = j->features;
    struct rng r;
    float *x = malloc(sizeof(float) * rows * n);
    double phi[LIMIT_FEATURES + 1], worst = 0;
    ck_assert_ptr_nonnull(x);
    ck_assert_uint_eq(model_features(m), n);
    rng_seed(&r, j->seed + 1000);
    for (unsigned i = 0; i < rows; i++)
        xgb_row(j, &r, x + (size_t)i * n);
    for (unsigned i = 0; i < rows && j->categories; i += 7) /* what is no category of the training data */
        x[(size_t)i * n] = (float)(rng_below(&r, 3) == 0 ? 16777216.0 + (double)i : rng_normal(&r, 0, 2 * j->values));
    const float *margin = xgb_predict(&t, x, rows, 1);
    for (unsigned i = 0; i < rows; i++) {
        double ours = model_margin(m, x + (size_t)i * n);
        ck_assert_msg(ours == (double)margin[i], "seed %u row %u: %.9g, XGBoost %.9g", (unsigned)j->seed, i, ours,
                      (double)margin[i]);
    }
    const float *p = xgb_predict(&t, x, rows, 0);
    for (unsigned i = 0; i < rows; i++)
        ck_assert(fabs(model_raw(m, x + (size_t)i * n) - (double)p[i]) < 1e-6);
    rows = MIN_OF(rows, 150);
    const float *theirs = xgb_predict(&t, x, rows, 2);
    for (unsigned i = 0; i < rows; i++) {
        double sum = 0;
        model_shap(m, x + (size_t)i * n, phi);
        for (unsigned k = 0; k <= n; k++) {
            sum += phi[k];
            worst = fmax(worst, fabs(phi[k] - (double)theirs[(size_t)i * (n + 1) + k]));
        }
        ck_assert(fabs(sum - model_margin(m, x + (size_t)i * n)) < 1e-4);
    }
    ck_assert_msg(worst < 1e-4, "seed %u: contributions differ by %g", (unsigned)j->seed, worst);
    unsigned blocks = m->blocks;
    model_free(m);
    free(x);
    xgb_release(&t);
    return blocks;
}

START_TEST(every_depth_equals_xgboost)
{
    if (!xgb_open())
        return;
    for (unsigned depth = 1; depth <= 8; depth++) {
        struct xgb_job j = {
            .seed = depth, .rows = 3000, .features = 9, .trees = 20 + depth, .depth = depth, .missing = depth % 2 * 15};
        ck_assert_uint_eq(compare(&j, 3000), 1);
    }
}
END_TEST

START_TEST(every_number_of_trees_equals_xgboost)
{
    if (!xgb_open())
        return;
    for (unsigned trees = 1; trees <= 17; trees++) {
        struct xgb_job j = {.seed = 100 + trees,
                            .rows = 400,
                            .features = 1 + trees % 4,
                            .trees = trees,
                            .depth = 3,
                            .missing = 30,
                            .params = {{"tree_method", "exact"}, {"base_score", "0.03"}}};
        ck_assert_uint_eq(compare(&j, 500), 1);
    }
    struct xgb_job many = {
        .seed = 200,
        .rows = 3000,
        .features = 36,
        .trees = 400,
        .depth = 6,
        .missing = 5,
        .params = {{"eta", "0.05"}, {"subsample", "0.7"}, {"colsample_bynode", "0.5"}, {"num_parallel_tree", "2"}}};
    ck_assert_uint_eq(compare(&many, 2000), 1);
}
END_TEST

START_TEST(categories_equal_xgboost)
{
    static const char *methods[] = {"hist", "approx"}, *onehot[] = {"1", "4", "100"};
    if (!xgb_open())
        return;
    for (unsigned i = 0; i < 12; i++) {
        struct xgb_job j = {.seed = 300 + i,
                            .rows = 3000,
                            .features = 6,
                            .trees = 25,
                            .depth = 2 + i % 5,
                            .missing = i % 2 * 10,
                            .categories = 1 + i % 6,
                            .values = i < 6 ? 5 : 90,
                            .params = {{"tree_method", methods[i % 2]}, {"max_cat_to_onehot", onehot[i % 3]}}};
        ck_assert_uint_eq(compare(&j, 2000), 1);
    }
    /* So many category splits that the slots hold but a part of the trees: several blocks. */
    struct xgb_job j = {.seed = 320,
                        .rows = 6000,
                        .features = 8,
                        .trees = 90,
                        .depth = 8,
                        .missing = 5,
                        .categories = 8,
                        .values = 200,
                        .params = {{"min_child_weight", "0.1"}, {"max_cat_to_onehot", "1"}, {"eta", "0.05"}}};
    ck_assert_uint_gt(compare(&j, 1000), 1);
}
END_TEST

START_TEST(odd_shapes_equal_xgboost)
{
    if (!xgb_open())
        return;
    struct xgb_job deep = {.seed = 401,
                           .rows = 4000,
                           .features = 5,
                           .trees = 9,
                           .depth = 14,
                           .missing = 10,
                           .params = {{"min_child_weight", "0"}, {"lambda", "0.1"}}};
    ck_assert_uint_eq(compare(&deep, 2000), 1);
    struct xgb_job deeper = {.seed = 402,
                             .rows = 4000,
                             .features = 3,
                             .trees = 5,
                             .depth = 0,
                             .missing = 3,
                             .params = {{"grow_policy", "lossguide"}, {"max_leaves", "60"}, {"min_child_weight", "0"}}};
    ck_assert_uint_eq(compare(&deeper, 2000), 1);
    struct xgb_job pruned = {.seed = 403,
                             .rows = 2000,
                             .features = 6,
                             .trees = 30,
                             .depth = 6,
                             .missing = 10,
                             .params = {{"gamma", "3"}, {"objective", "binary:logitraw"}, {"tree_method", "exact"}}};
    struct xgb_model t = xgb_train(&pruned);
    struct model *m = must_read(xgb_json(t.booster));
    const float *margin = xgb_predict(&t, t.x, 2000, 1);
    for (size_t i = 0; i < 2000; i++)
        ck_assert_msg(model_margin(m, t.x + i * 6) == (double)margin[i], "%g, XGBoost %g", model_margin(m, t.x + i * 6),
                      (double)margin[i]);
    model_free(m);
    xgb_release(&t);
    struct xgb_job stump = {.seed = 404,
                            .rows = 50,
                            .features = 2,
                            .trees = 3,
                            .depth = 4,
                            .missing = 0,
                            .params = {{"gamma", "1000"}, {"objective", "reg:logistic"}}};
    ck_assert_uint_eq(compare(&stump, 100), 1);
}
END_TEST

START_TEST(xgboost_loads_what_carries_our_attribute)
{
    struct xgb_job j = {.seed = 500, .rows = 2000, .features = 4, .trees = 10, .depth = 4, .categories = 1, .values = 3};
    if (!xgb_open())
        return;
    struct xgb_model t = xgb_train(&j);
    const char *keer =
        "{\"version\":1,\"name\":\"october\",\"calibration\":{\"kind\":\"isotonic\",\"x\":[0,0.5,1],\"y\":[0,0.1,1]},"
        "\"categories\":{\"x0\":[\"NL\",\"D\\u00c9\",\"\"]},\"card\":{\"auc\":0.9,\"days\":[1,-2.50E1,null,{}],\"ok\":true}"
        "}";
    XGB_DO(xgb.XGBoosterSetAttr(t.booster, "keer", keer));
    struct slice json = xgb_json(t.booster);
    char *copy = malloc(json.len);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, json.p, json.len);
    struct model *m = must_read(slice_of(copy, json.len));
    ck_slice_eq(model_name(m), SLICE("october"));
    ck_slice_eq(model_card(m), SLICE("{\"auc\":0.9,\"days\":[1,-2.50E1,null,{}],\"ok\":true}"));
    ck_slice_eq(model_feature_name(m, 0), SLICE("x0"));
    ck_assert_int_eq(model_feature_find(m, SLICE("x3")), 3);
    ck_assert_int_eq(model_feature_find(m, SLICE("x4")), -1);
    ck_assert(model_feature_is_category(m, 0) && !model_feature_is_category(m, 1));
    ck_assert_uint_eq(model_category_count(m, 0), 3);
    ck_assert_int_eq(model_category(m, 0, SLICE("NL")), 0);
    ck_assert_int_eq(model_category(m, 0, SLICE("D\xC3\x89")), 1);
    ck_assert_int_eq(model_category(m, 0, SLICE("")), 2);
    ck_assert_int_eq(model_category(m, 0, SLICE("BE")), -1);
    ck_assert_int_eq(model_category(m, 1, SLICE("NL")), -1);
    double raw = model_raw(m, t.x), want = raw <= 0.5 ? raw / 5 : 0.1 + (raw - 0.5) * 1.8;
    ck_assert(fabs(model_score(m, t.x) - want) < 1e-12);
    void *again = NULL;
    XGB_DO(xgb.XGBoosterCreate(NULL, 0, &again));
    XGB_DO(xgb.XGBoosterLoadModelFromBuffer(again, copy, json.len));
    struct slice back = xgb_json(again);
    struct model *m2 = must_read(back);
    for (size_t i = 0; i < 500; i++)
        ck_assert(model_margin(m, t.x + i * 4) == model_margin(m2, t.x + i * 4));
    ck_assert(model_digest(m) == model_digest(m2)); /* the same bytes again */
    copy[json.len - 2] = ' ';
    XGB_DO(xgb.XGBoosterFree(again));
    model_free(m);
    model_free(m2);
    free(copy);
    xgb_release(&t);
}
END_TEST

/* --- without the library --- */

/* Two trees over three features, written by hand; @ marks what a test replaces. */
#define MODEL_HEAD                                                                                                          \
    "{\"learner\":{\"attributes\":{@A},\"feature_names\":[\"amount\",\"country\",\"hour\"],\"feature_types\":[\"float\","   \
    "\"c\",\"q\"],"                                                                                                         \
    "\"gradient_booster\":{\"model\":{\"gbtree_model_param\":{\"num_parallel_tree\":\"1\",\"num_trees\":\"2\",\"size_leaf_" \
    "vector\":\"0\"},"                                                                                                      \
    "\"tree_info\":[0,0],\"trees\":["
#define MODEL_TREE                                                                                                         \
    "{\"base_weights\":[0,0,0,0,0],\"categories\":[1,33],\"categories_nodes\":[2],\"categories_segments\":[0],"            \
    "\"categories_sizes\":[2],\"default_left\":[1,0,0,0,0],\"id\":0,\"left_children\":[1,-1,3,-1,-1],\"loss_changes\":[1," \
    "0,1,0,0],"                                                                                                            \
    "\"parents\":[2147483647,0,0,2,2],\"right_children\":[2,-1,4,-1,-1],\"split_conditions\":[5E1,-1E0,NaN,2.5E-1,2E0],"   \
    "\"split_indices\":[0,0,1,0,0],\"split_type\":[0,0,1,0,0],\"sum_hessian\":[10,6,4,3,1],"                               \
    "\"tree_param\":{\"num_deleted\":\"0\",\"num_feature\":\"3\",\"num_nodes\":\"5\",\"size_leaf_vector\":\"0\"}},"
#define MODEL_TAIL                                                                                                         \
    "{\"categories\":[],\"categories_nodes\":[],\"categories_segments\":[],\"categories_sizes\":[],\"default_left\":[0],"  \
    "\"left_children\":[-1],\"right_children\":[-1],\"split_conditions\":[1.25E-1],\"split_indices\":[0],\"split_type\":[" \
    "0],"                                                                                                                  \
    "\"sum_hessian\":[10]}]},\"name\":\"gbtree\"},\"learner_model_param\":{\"base_score\":\"5E-1\",\"num_class\":\"0\","   \
    "\"num_feature\":\"3\",\"num_target\":\"1\"},\"objective\":{\"name\":\"binary:logistic\"}},\"version\":[1,7,4]}"

static const char model_text[] = MODEL_HEAD MODEL_TREE MODEL_TAIL;

/* The model with the attribute "keer" (NULL = none) and one text replaced by another; in the caller's buffer. */
static struct slice make(struct buf *b, const char *keer, const char *from, const char *to)
{
    struct slice s = slice_str(model_text);
    const char *hit = from ? strstr(model_text, from) : NULL;
    ck_assert_msg(!from || hit, "%s", from);
    buf_init(b, 1 << 20);
    for (size_t i = 0; i < s.len; i++) {
        if (s.p + i == hit) {
            buf_puts(b, to);
            i += strlen(from) - 1;
        } else if (s.p[i] == '@') {
            if (keer) {
                buf_puts(b, "\"keer\":");
                buf_json(b, slice_str(keer));
            }
            i++;
        } else {
            buf_char(b, s.p[i]);
        }
    }
    ck_assert_int_eq(b->err, KEER_OK);
    return buf_view(b);
}

START_TEST(a_small_model_by_hand)
{
    struct buf b;
    struct model *m = must_read(make(&b, NULL, NULL, NULL));
    struct {
        float x[3];
        double margin;
    } rows[] = {
        {{49, 1, 0}, -1},    {{50, 1, 0}, 2},           {{50, 33, 0}, 2},        {{50, 0, 0}, 0.25},
        {{50, 34, 0}, 0.25}, {{50, -1, 0}, 0.25},       {{50, 1e9f, 0}, 0.25},   {{NAN, 1, 0}, -1},
        {{50, NAN, 0}, 2},   {{INFINITY, 32, 0}, 0.25}, {{-INFINITY, 1, 0}, -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        ck_assert_msg(model_margin(m, rows[i].x) == rows[i].margin + 0.125, "row %zu: %g", i, model_margin(m, rows[i].x));
    ck_assert(fabs(model_score(m, rows[0].x) - 1 / (1 + exp(0.875))) < 1e-15);
    ck_assert_uint_eq(model_trees(m), 2);
    ck_assert_uint_eq(model_name(m).len, 0);
    ck_assert_uint_eq(model_card(m).len, 0);
    double phi[4];
    model_shap(m, rows[1].x, phi);
    /* Game over {amount, country}: v() = 0.6 * -1 + 0.4 * 0.6875, v(amount) = 0.6875, v(country) = -0.6 + 0.8, v(both) = 2.
     */
    ck_assert(fabs(phi[3] - (-0.6 + 0.4 * 0.6875 + 0.125)) < 1e-12);
    ck_assert(fabs(phi[0] - ((0.6875 + 0.325) + (2 - 0.2)) / 2) < 1e-12);
    ck_assert(fabs(phi[1] - ((0.2 + 0.325) + (2 - 0.6875)) / 2) < 1e-12);
    ck_assert(phi[2] == 0);
    model_free(m);
    buf_release(&b);
    model_free(NULL);
}
END_TEST

/* A random tree over four features as text, and the same for the brute force. */
struct random_tree {
    int left[128], right[128], feature[128];
    double split[128], cover[128];
    unsigned n;
};

static unsigned grow(struct random_tree *t, struct rng *r, double cover, unsigned depth)
{
    unsigned k = t->n++;
    t->cover[k] = cover;
    t->left[k] = t->right[k] = -1;
    t->feature[k] = (int)rng_below(r, 4);
    t->split[k] = (double)rng_between(r, -40, 40) / 8;
    if (depth > 0 && t->n < 60 && rng_chance(r, 0.9)) {
        double part = rng_chance(r, 0.1) ? 0 : (double)rng_between(r, 1, 15) / 16;
        t->left[k] = (int)grow(t, r, cover * part, depth - 1);
        t->right[k] = (int)grow(t, r, cover * (1 - part), depth - 1);
    }
    return k;
}

/* Value of the coalition `known`: the mean where a feature is not in it. */
static double value_of(const struct random_tree *t, unsigned k, const float *x, unsigned known)
{
    if (t->left[k] < 0)
        return t->split[k];
    unsigned l = (unsigned)t->left[k], r = (unsigned)t->right[k];
    if (known >> t->feature[k] & 1)
        return value_of(t, (double)x[t->feature[k]] < t->split[k] ? l : r, x, known);
    double all = t->cover[l] + t->cover[r], part = all > 0 ? t->cover[l] / all : 0.5;
    return part * value_of(t, l, x, known) + (1 - part) * value_of(t, r, x, known);
}

static void print_list(struct buf *b, const char *key, const int *i, const double *d, unsigned n)
{
    buf_fmt(b, "\"%s\":[", key);
    for (unsigned k = 0; k < n; k++) {
        buf_puts(b, k ? "," : "");
        if (i)
            buf_i64(b, i[k]);
        else if (d)
            buf_f64(b, d[k]);
        else
            buf_char(b, '0');
    }
    buf_puts(b, "],");
}

START_TEST(contributions_equal_brute_force)
{
    struct rng r;
    rng_seed(&r, 18);
    for (unsigned round = 0; round < 60; round++) {
        struct random_tree t = {.n = 0};
        struct buf b;
        (void)grow(&t, &r, 1000, 1 + round % 20);
        buf_init(&b, 1 << 20);
        buf_puts(&b, "{\"learner\":{\"gradient_booster\":{\"name\":\"gbtree\",\"model\":{\"gbtree_model_param\":{\"num_"
                     "trees\":\"1\"},"
                     "\"trees\":[{");
        print_list(&b, "left_children", t.left, NULL, t.n);
        print_list(&b, "right_children", t.right, NULL, t.n);
        print_list(&b, "split_indices", t.feature, NULL, t.n);
        print_list(&b, "split_conditions", NULL, t.split, t.n);
        print_list(&b, "sum_hessian", NULL, t.cover, t.n);
        print_list(&b, "default_left", NULL, NULL, t.n);
        buf_puts(&b,
                 "\"id\":0}]}},\"learner_model_param\":{\"base_score\":\"5E-1\",\"num_class\":\"0\",\"num_feature\":\"4\"},"
                 "\"objective\":{\"name\":\"reg:logistic\"}}}");
        struct model *m = must_read(buf_view(&b));
        for (unsigned row = 0; row < 5; row++) {
            static const double weight[4] = {1. / 4, 1. / 12, 1. / 12, 1. / 4}; /* |S|! (3 - |S|)! / 4! */
            float x[4];
            double phi[5];
            for (unsigned i = 0; i < 4; i++)
                x[i] = (float)rng_normal(&r, 0, 3);
            model_shap(m, x, phi);
            ck_assert(model_margin(m, x) == value_of(&t, 0, x, 15));
            ck_assert(fabs(phi[4] - value_of(&t, 0, x, 0)) < 1e-12);
            for (unsigned i = 0; i < 4; i++) {
                double want = 0;
                for (unsigned s = 0; s < 16; s++)
                    if (!(s >> i & 1))
                        want += weight[__builtin_popcount(s)] * (value_of(&t, 0, x, s | 1u << i) - value_of(&t, 0, x, s));
                ck_assert_msg(fabs(phi[i] - want) < 1e-11, "round %u feature %u: %.15g, want %.15g", round, i, phi[i], want);
            }
        }
        model_free(m);
        buf_release(&b);
    }
}
END_TEST

struct refusal {
    const char *from, *to;
    enum keer_err err;
    const char *where, *text; /* parts of the message */
};

static void refused(const char *keer, const struct refusal *c)
{
    struct buf b;
    struct model_error e;
    struct model *m = NULL;
    enum keer_err err = model_read(make(&b, keer, c->from, c->to), &m, &e);
    ck_assert_msg(err == c->err, "%s: %s (%s: %s)", c->to ? c->to : keer, keer_err_name(err), e.where, e.text);
    ck_assert_msg(strstr(e.where, c->where) && strstr(e.text, c->text), "%s: %s", e.where, e.text);
    ck_assert_ptr_null(m);
    buf_release(&b);
}

START_TEST(bad_models_are_refused)
{
    static const struct refusal cases[] = {
        {"\"name\":\"gbtree\"", "\"name\":\"dart\"", KEER_EUNSUPPORTED, "gradient_booster", "'dart'"},
        {"\"name\":\"gbtree\"", "\"name\":\"gblinear\"", KEER_EUNSUPPORTED, "gradient_booster", "'gblinear'"},
        {"binary:logistic", "multi:softprob", KEER_EUNSUPPORTED, "objective", "multi:softprob"},
        {"\"num_class\":\"0\"", "\"num_class\":\"3\"", KEER_EUNSUPPORTED, "learner_model_param", "class"},
        {"\"num_target\":\"1\"", "\"num_target\":\"2\"", KEER_EUNSUPPORTED, "learner_model_param", "target"},
        {"\"num_feature\":\"3\",\"num_target", "\"num_feature\":\"4\",\"num_target", KEER_EFORMAT, "feature_names",
         "3 entries"},
        {"\"num_feature\":\"3\",\"num_target", "\"num_feature\":\"257\",\"num_target", KEER_ELIMIT, "learner_model_param",
         "257"},
        {"\"num_feature\":\"3\",\"num_target", "\"num_feature\":\"0\",\"num_target", KEER_ELIMIT, "learner_model_param",
         "0 features"},
        {"\"num_feature\":\"3\",\"num_target", "\"num_target", KEER_EMISSING, "learner_model_param", "num_feature"},
        {"\"base_score\":\"5E-1\"", "\"base_score\":\"1E0\"", KEER_ERANGE, "learner_model_param", "base_score"},
        {"\"base_score\":\"5E-1\"", "\"base_score\":0.5", KEER_ETYPE, "learner_model_param", "base_score"},
        {"\"learner\"", "\"teacher\"", KEER_EFORMAT, "", "learner"},
        {"\"gradient_booster\"", "\"booster\"", KEER_EMISSING, "gradient_booster", "name"},
        {"\"trees\":[", "\"bushes\":[", KEER_EMISSING, "model", "trees"},
        {"\"num_trees\":\"2\"", "\"num_trees\":\"3\"", KEER_EFORMAT, "model", "2 trees"},
        {"\"num_trees\":\"2\"", "\"num_trees\":2", KEER_ETYPE, "model", "num_trees"},
        {"\"hour\"]", "\"amount\"]", KEER_ECONFLICT, "feature_names", "same name"},
        {"\"hour\"]", "\"\"]", KEER_ELIMIT, "feature_names", "0 bytes"},
        {"\"hour\"]", "7]", KEER_ETYPE, "feature_names", "not a text"},
        {"[1,-1,3,-1,-1]", "[1,-1,5,-1,-1]", KEER_ERANGE, "trees[0].left_children", "entry 2"},
        {"[1,-1,3,-1,-1]", "[1,-1,-2,-1,-1]", KEER_ERANGE, "trees[0].left_children", "entry 2"},
        {"[1,-1,3,-1,-1]", "[1,-1,0,-1,-1]", KEER_ERANGE, "trees[0]",
         "node 2: a child is out of range"},                                          /* back to the root */
        {"[1,-1,3,-1,-1]", "[1,-1,2,-1,-1]", KEER_EFORMAT, "trees[0]", "not a tree"}, /* to itself */
        {"[1,-1,3,-1,-1]", "[1,-1,1,-1,-1]", KEER_EFORMAT, "trees[0]", "not a tree"}, /* to a cousin */
        {"[1,-1,3,-1,-1]", "[1,-1,4,-1,-1]", KEER_EFORMAT, "trees[0]", "not a tree"}, /* twice the same */
        {"[1,-1,3,-1,-1]", "[1,-1,-1,-1,-1]", KEER_ERANGE, "trees[0]", "child"},
        {"[1,-1,3,-1,-1]", "[1,-1,3,-1]", KEER_EFORMAT, "right_children", "5 entries where 4"},
        {"[1,-1,3,-1,-1]", "[1,-1,3.5,-1,-1]", KEER_ERANGE, "left_children", "not an integer"},
        {"[1,-1,3,-1,-1]", "[1,-1,\"3\",-1,-1]", KEER_ETYPE, "left_children", "entry 2"},
        {"[1,-1,3,-1,-1]", "[1,-1,[3],-1,-1]", KEER_ETYPE, "left_children", "list"},
        {"[1,-1,3,-1,-1]", "{}", KEER_EFORMAT, "trees[0]", "left_children"},
        {"[1,-1,3,-1,-1]", "[]", KEER_EFORMAT, "trees[0]", "left_children"},
        {"\"split_indices\":[0,0,1,0,0]", "\"split_indices\":[3,0,1,0,0]", KEER_ERANGE, "trees[0]",
         "feature is out of range"},
        {"5E1,-1E0,NaN", "5E1,NaN,NaN", KEER_ERANGE, "trees[0]", "node 1: the value of a leaf"},
        {"5E1,-1E0,NaN", "5E1,-2E30,NaN", KEER_ERANGE, "trees[0]", "node 1: the value of a leaf"},
        {"5E1,-1E0,NaN", "-Infinity,-1E0,NaN", KEER_ERANGE, "trees[0]", "node 0: the split"},
        {"5E1,-1E0,NaN", "1E39,-1E0,NaN", KEER_ERANGE, "split_conditions", "float"},
        {"5E1,-1E0,NaN", "null,-1E0,NaN", KEER_ETYPE, "split_conditions", "not a number"},
        {"\"split_type\":[0,0,1,0,0]", "\"split_type\":[0,0,0,0,0]", KEER_ERANGE, "trees[0]", "node 2: the split"},
        {"\"split_type\":[0,0,1,0,0]", "\"split_type\":[0,0,2,0,0]", KEER_ERANGE, "split_type", "entry 2"},
        {"\"sum_hessian\":[10,6,", "\"sum_hessian\":[10,-6,", KEER_ERANGE, "sum_hessian", "entry 1"},
        {"\"sum_hessian\":[10,6,", "\"sum_hessian\":[NaN,6,", KEER_ERANGE, "sum_hessian", "entry 0"},
        {"\"default_left\":[1,0,0,0,0]", "\"default_right\":[1,0,0,0,0]", KEER_EMISSING, "default_left", "missing"},
        {"\"categories\":[1,33]", "\"categories\":[1,65536]", KEER_ERANGE, "trees[0].categories", "entry 1"},
        {"\"categories\":[1,33]", "\"categories\":[1]", KEER_ERANGE, "trees[0].categories_sizes", "entry 0"},
        {"\"categories_segments\":[0]", "\"categories_segments\":[1]", KEER_ERANGE, "categories_nodes", "out of range"},
        {"\"categories_sizes\":[2]", "\"categories_sizes\":[0]", KEER_ERANGE, "trees[0]", "without categories"},
        {"\"categories_nodes\":[2]", "\"categories_nodes\":[5]", KEER_ERANGE, "categories_nodes", "entry 0"},
        {"\"categories_nodes\":[2]", "\"categories_nodes\":[2,2]", KEER_EFORMAT, "categories_segments", "2 are expected"},
        {"\"version\":[1,7,4]", "\"learner\":{}", KEER_ECONFLICT, "byte", "twice"},
        {"\"version\":[1,7,4]}", "\"version\":[1,7,4]} x", KEER_ESYNTAX, "byte", "follows"},
        {"\"version\":[1,7,4]", "\"v\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", KEER_ELIMIT,
         "byte", "deep"},
    };
    struct model_error e;
    struct model *m = NULL;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        refused(NULL, &cases[i]);
    ck_err(model_read(SLICE("{L\x00\x00"), &m, &e), KEER_EUNSUPPORTED);
    ck_err(model_read(SLICE("binf"), &m, &e), KEER_ESYNTAX);
    ck_err(model_read(SLICE(""), &m, &e), KEER_ESYNTAX);
    ck_err(model_read(SLICE("[]"), &m, &e), KEER_EFORMAT);
    ck_assert_ptr_null(m);
}
END_TEST

START_TEST(bad_attributes_are_refused)
{
    static const struct {
        const char *keer;
        struct refusal r;
    } cases[] = {
        {"{\"name\":\"a\"}", {NULL, NULL, KEER_EVERSION, "keer", "version"}},
        {"{\"version\":2}", {NULL, NULL, KEER_EVERSION, "keer", "version"}},
        {"{\"version\":1", {NULL, NULL, KEER_ESYNTAX, "keer, byte 12", "expected"}},
        {"[]", {NULL, NULL, KEER_EVERSION, "keer", "version"}},
        {"{\"version\":1,\"name\":3}", {NULL, NULL, KEER_ETYPE, "keer", "name"}},
        {"{\"version\":1,\"calibration\":{\"kind\":\"beta\"}}", {NULL, NULL, KEER_EUNSUPPORTED, "calibration", "kind"}},
        {"{\"version\":1,\"calibration\":7}", {NULL, NULL, KEER_EUNSUPPORTED, "calibration", "kind"}},
        {"{\"version\":1,\"calibration\":{\"kind\":\"platt\",\"a\":1}}", {NULL, NULL, KEER_ERANGE, "calibration", "\"b\""}},
        {"{\"version\":1,\"calibration\":{\"kind\":\"platt\",\"a\":1,\"b\":1e7}}",
         {NULL, NULL, KEER_ERANGE, "calibration", "1e6"}},
        {"{\"version\":1,\"calibration\":{\"kind\":\"isotonic\",\"x\":[0,0.5]}}",
         {NULL, NULL, KEER_ETYPE, "calibration", "\"y\""}},
        {"{\"version\":1,\"calibration\":{\"kind\":\"isotonic\",\"x\":[],\"y\":[]}}",
         {NULL, NULL, KEER_ELIMIT, "calibration", "0 ent"}},
        {"{\"version\":1,\"calibration\":{\"kind\":\"isotonic\",\"x\":[0,0],\"y\":[0,1]}}",
         {NULL, NULL, KEER_ERANGE, "calibration", "x"}},
        {"{\"version\":1,\"calibration\":{\"kind\":\"isotonic\",\"x\":[0,1],\"y\":[1,0]}}",
         {NULL, NULL, KEER_ERANGE, "calibration", "y"}},
        {"{\"version\":1,\"calibration\":{\"kind\":\"isotonic\",\"x\":[0,1],\"y\":[0,1.5]}}",
         {NULL, NULL, KEER_ERANGE, "calib", "y"}},
        {"{\"version\":1,\"calibration\":{\"kind\":\"isotonic\",\"x\":[0,1],\"y\":[0]}}",
         {NULL, NULL, KEER_EFORMAT, "calib", "2 entr"}},
        {"{\"version\":1,\"categories\":{\"land\":[]}}", {NULL, NULL, KEER_EMISSING, "categories", "'land'"}},
        {"{\"version\":1,\"categories\":[]}", {NULL, NULL, KEER_ETYPE, "categories", "object"}},
        {"{\"version\":1,\"categories\":{\"country\":\"NL\"}}", {NULL, NULL, KEER_ETYPE, "categories.country", "list"}},
        {"{\"version\":1,\"categories\":{\"country\":[1]}}", {NULL, NULL, KEER_ETYPE, "categories.country", "entry 0"}},
        {"{\"version\":1,\"categories\":{\"country\":[\"NL\",\"NL\"]}}",
         {NULL, NULL, KEER_ECONFLICT, "categories.country", "entry 1"}},
        {"{\"version\":1,\"version\":1}", {NULL, NULL, KEER_ECONFLICT, "keer, byte", "twice"}},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        refused(cases[i].keer, &cases[i].r);
    struct refusal number = {"{@A}", "{\"keer\":{}}", KEER_ETYPE, "attributes", "keer"};
    refused(NULL, &number);
}
END_TEST

START_TEST(limit_of_depth)
{
    /* A chain: node 2k splits, 2k+1 is its leaf. Depth 32 is read, 33 is refused. */
    for (unsigned depth = 32; depth <= 33; depth++) {
        struct random_tree *t = calloc(1, sizeof *t);
        int *left, *right, *zero;
        double *ones;
        unsigned n = 2 * depth + 1;
        struct buf b;
        struct model *m = NULL;
        struct model_error e;
        ck_assert_ptr_nonnull(t);
        left = calloc(n, sizeof *left), right = calloc(n, sizeof *right), zero = calloc(n, sizeof *zero),
        ones = calloc(n, sizeof *ones);
        ck_assert(left && right && zero && ones);
        for (unsigned k = 0; k < n; k++) {
            left[k] = k % 2 == 0 && k + 1 < n ? (int)k + 1 : -1;
            right[k] = k % 2 == 0 && k + 1 < n ? (int)k + 2 : -1;
            ones[k] = (double)(n - k);
        }
        buf_init(&b, 1 << 20);
        buf_puts(&b, "{\"learner\":{\"gradient_booster\":{\"name\":\"gbtree\",\"model\":{\"gbtree_model_param\":{\"num_"
                     "trees\":\"1\"},"
                     "\"trees\":[{");
        print_list(&b, "left_children", left, NULL, n);
        print_list(&b, "right_children", right, NULL, n);
        print_list(&b, "split_indices", zero, NULL, n);
        print_list(&b, "split_conditions", NULL, ones, n);
        print_list(&b, "sum_hessian", NULL, ones, n);
        print_list(&b, "default_left", zero, NULL, n);
        buf_puts(&b,
                 "\"id\":0}]}},\"learner_model_param\":{\"base_score\":\"5E-1\",\"num_class\":\"0\",\"num_feature\":\"1\"},"
                 "\"objective\":{\"name\":\"reg:logistic\"}}}");
        enum keer_err err = model_read(buf_view(&b), &m, &e);
        ck_assert_int_eq(err, depth == 32 ? KEER_OK : KEER_ELIMIT);
        if (m) {
            float x = 1e9f;
            double phi[2];
            model_shap(m, &x, phi);
            ck_assert(model_margin(m, &x) == 1 && fabs(phi[0] + phi[1] - 1) < 1e-9);
        } else {
            ck_assert(strstr(e.text, "too deep"));
        }
        model_free(m);
        buf_release(&b);
        free(left), free(right), free(zero), free(ones), free(t);
    }
}
END_TEST

/* A complete tree of category splits: 2^levels - 1 of them, and as many leaves plus one. */
static void print_category_tree(struct buf *b, unsigned levels)
{
    unsigned splits = (1u << levels) - 1, n = 2 * splits + 1;
    int *left = calloc(n, sizeof *left), *right = calloc(n, sizeof *right), *number = calloc(n, sizeof *number),
        *ones = calloc(n, sizeof *ones);
    ck_assert(left && right && number && ones);
    for (unsigned k = 0; k < n; k++) {
        left[k] = k < splits ? (int)(2 * k + 1) : -1;
        right[k] = k < splits ? (int)(2 * k + 2) : -1;
        number[k] = (int)k;
        ones[k] = k < splits;
    }
    buf_puts(
        b, "{\"learner\":{\"gradient_booster\":{\"name\":\"gbtree\",\"model\":{\"gbtree_model_param\":{\"num_trees\":\"1\"},"
           "\"trees\":[{");
    print_list(b, "left_children", left, NULL, n);
    print_list(b, "right_children", right, NULL, n);
    print_list(b, "split_indices", NULL, NULL, n);
    print_list(b, "split_conditions", NULL, NULL, n);
    print_list(b, "sum_hessian", NULL, NULL, n);
    print_list(b, "default_left", ones, NULL, n);
    print_list(b, "split_type", ones, NULL, n);
    print_list(b, "categories_nodes", number, NULL, splits);
    print_list(b, "categories_segments", number, NULL, splits);
    print_list(b, "categories_sizes", ones, NULL, splits);
    print_list(b, "categories", NULL, NULL, splits);
    buf_puts(b, "\"id\":0}]}},\"learner_model_param\":{\"base_score\":\"5E-1\",\"num_class\":\"0\",\"num_feature\":\"1\"},"
                "\"objective\":{\"name\":\"reg:logistic\"}}}");
    free(left), free(right), free(number), free(ones);
}

START_TEST(limits_of_category_splits_nodes_and_trees)
{
    struct buf b;
    struct model *m = NULL;
    struct model_error e;
    buf_init(&b, 1 << 22);
    print_category_tree(&b, 11); /* 2047 splits fit */
    m = must_read(buf_view(&b));
    float zero = 0, one = 1;
    ck_assert(model_margin(m, &zero) == 0 && model_margin(m, &one) == 0 && model_feature_is_category(m, 0));
    model_free(m);
    m = NULL;
    buf_clear(&b);
    print_category_tree(&b, 12); /* 4095 do not */
    ck_err(model_read(buf_view(&b), &m, &e), KEER_ELIMIT);
    ck_assert_msg(strstr(e.text, "too many category splits") != NULL, "%s", e.text);
    buf_clear(&b);
    print_category_tree(&b, 16); /* 131071 nodes */
    ck_err(model_read(buf_view(&b), &m, &e), KEER_ELIMIT);
    ck_assert_msg(strstr(e.text, "131071 nodes") != NULL, "%s", e.text);
    buf_clear(&b);
    buf_puts(&b, "{\"learner\":{\"gradient_booster\":{\"name\":\"gbtree\",\"model\":{\"gbtree_model_param\":{"
                 "\"num_trees\":\"10001\"},\"trees\":[0");
    for (unsigned i = 1; i < 10001; i++)
        buf_puts(&b, ",0");
    buf_puts(&b, "]}},\"learner_model_param\":{\"base_score\":\"5E-1\",\"num_class\":\"0\",\"num_feature\":\"1\"},"
                 "\"objective\":{\"name\":\"reg:logistic\"}}}");
    ck_err(model_read(buf_view(&b), &m, &e), KEER_ELIMIT);
    ck_assert_msg(strstr(e.text, "10001 trees") != NULL, "%s", e.text);
    ck_assert_ptr_null(m);
    buf_release(&b);
}
END_TEST

START_TEST(truncated_models_are_refused)
{
    struct buf b;
    struct model *m = NULL;
    struct model_error e;
    const char *keer =
        "{\"version\":1,\"name\":\"x\",\"categories\":{\"country\":[\"NL\"]},\"card\":{\"a\":[1,{\"b\":\"c\"}]}}";
    struct slice s = make(&b, keer, NULL, NULL);
    for (size_t len = 0; len < s.len; len++) {
        char *copy = malloc(len ? len : 1); /* of its own, so that ASan sees a read past the end */
        ck_assert_ptr_nonnull(copy);
        memcpy(copy, s.p, len);
        ck_assert_msg(model_read(slice_of(copy, len), &m, &e) == KEER_ESYNTAX, "%zu bytes: %s %s", len, e.where, e.text);
        ck_assert(e.text[0] != '\0');
        free(copy);
    }
    ck_assert_ptr_null(m);
    buf_release(&b);
}
END_TEST

START_TEST(memory_may_end_anywhere)
{
    struct buf b;
    const char *keer =
        "{\"version\":1,\"name\":\"x\",\"calibration\":{\"kind\":\"isotonic\",\"x\":[0,1],\"y\":[0,1]},"
        "\"categories\":{\"country\":[\"NL\",\"DE\"]},\"card\":{\"a\":\"a long text, longer than sixteen bytes\"}}";
    struct slice s = make(&b, keer, NULL, NULL);
    for (int persistent = 0; persistent < 2; persistent++) {
        uint64_t n = 1;
        for (;; n++) {
            struct model *m = NULL;
            struct model_error e;
            oom_arm(n, persistent);
            enum keer_err err = model_read(s, &m, &e);
            oom_reset();
            if (err == KEER_OK) {
                model_free(m);
                break;
            }
            ck_assert_msg(err == KEER_ENOMEM && m == NULL && e.text[0] == '\0', "allocation %u: %s", (unsigned)n,
                          keer_err_name(err));
        }
        ck_assert_msg(n > 8 && n < 1000, "%u", (unsigned)n);
    }
    struct model *m = must_read(s);
    float x[3] = {60, 1, NAN};
    double phi[4];
    oom_arm(1, true);
    double score = model_score(m, x);
    model_shap(m, x, phi);
    int category = model_category(m, 1, SLICE("DE"));
    uint64_t allocations = oom_count();
    oom_reset();
    ck_assert(score > 0.5 && category == 1 && allocations == 0);
    model_free(m);
    buf_release(&b);
}
END_TEST

START_TEST(calibration_is_monotonic_and_clamped)
{
    struct buf b;
    struct model *m = must_read(make(&b,
                                     "{\"version\":1,\"calibration\":{\"kind\":\"isotonic\",\"x\":[0.1,0.2,0.2000001,0.7],"
                                     "\"y\":[0.01,0.01,0.4,0.95]}}",
                                     NULL, NULL));
    double before = 0;
    for (double margin = -40; margin <= 40; margin += 0.01) {
        double p = 1 / (1 + exp(-margin)), got = model_calibrate(m, margin);
        double want = p <= 0.2        ? 0.01
                      : p >= 0.7      ? 0.95
                      : p < 0.2000001 ? got
                                      : 0.4 + (p - 0.2000001) / (0.7 - 0.2000001) * 0.55;
        ck_assert(fabs(got - want) < 1e-12 && got >= before);
        before = got;
    }
    model_free(m);
    buf_release(&b);
    m = must_read(make(&b, "{\"version\":1,\"calibration\":{\"kind\":\"isotonic\",\"x\":[0.5],\"y\":[0.25]}}", NULL, NULL));
    ck_assert(model_calibrate(m, -9) == 0.25 && model_calibrate(m, 9) == 0.25);
    model_free(m);
    buf_release(&b);
    m = must_read(make(&b, "{\"version\":1,\"calibration\":{\"kind\":\"platt\",\"a\":-1.5,\"b\":0.5}}", NULL, NULL));
    ck_assert(fabs(model_calibrate(m, 2) - 1 / (1 + exp(-2.5))) < 1e-15);
    ck_assert(model_calibrate(m, 1e30) == 1 && model_calibrate(m, -1e30) == 0);
    model_free(m);
    buf_release(&b);
    m = must_read(make(&b, "{\"version\":1,\"calibration\":{\"kind\":\"none\"}}", NULL, NULL));
    ck_assert(fabs(model_calibrate(m, 2) - 1 / (1 + exp(-2))) < 1e-15);
    model_free(m);
    buf_release(&b);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("model");
    TCase *t = tcase_create("model");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, every_depth_equals_xgboost);
    tcase_add_test(t, every_number_of_trees_equals_xgboost);
    tcase_add_test(t, categories_equal_xgboost);
    tcase_add_test(t, odd_shapes_equal_xgboost);
    tcase_add_test(t, xgboost_loads_what_carries_our_attribute);
    tcase_add_test(t, a_small_model_by_hand);
    tcase_add_test(t, contributions_equal_brute_force);
    tcase_add_test(t, bad_models_are_refused);
    tcase_add_test(t, bad_attributes_are_refused);
    tcase_add_test(t, limit_of_depth);
    tcase_add_test(t, limits_of_category_splits_nodes_and_trees);
    tcase_add_test(t, truncated_models_are_refused);
    tcase_add_test(t, memory_may_end_anywhere);
    tcase_add_test(t, calibration_is_monotonic_and_clamped);
    suite_add_tcase(s, t);
    return test_main(s);
}
