/* xgb.h - XGBoost for tests and benchmarks, loaded when they run: trains on seeded data, and is the oracle for scores.
 *
 * xgb_open() is false when the library is not installed; then 'skipped: libxgboost not present' was printed. Everything else
 * aborts on an error, with XGBoost's own text.
 */
#ifndef TESTS_LIB_XGB_H
#define TESTS_LIB_XGB_H
#include <dlfcn.h>
#include <math.h>

#include "base/rand.h"
#include "base/str.h"

#define XGB_FUNCTIONS(F)                                                                                               \
    F(const char *, XGBGetLastError, (void))                                                                           \
    F(void, XGBoostVersion, (int *, int *, int *))                                                                     \
    F(int, XGBSetGlobalConfig, (const char *))                                                                         \
    F(int, XGDMatrixCreateFromMat, (const float *, uint64_t, uint64_t, float, void **))                                \
    F(int, XGDMatrixSetFloatInfo, (void *, const char *, const float *, uint64_t))                                     \
    F(int, XGDMatrixSetStrFeatureInfo, (void *, const char *, const char **, uint64_t))                                \
    F(int, XGDMatrixFree, (void *))                                                                                    \
    F(int, XGBoosterCreate, (void *const[], uint64_t, void **))                                                        \
    F(int, XGBoosterFree, (void *))                                                                                    \
    F(int, XGBoosterSetParam, (void *, const char *, const char *))                                                    \
    F(int, XGBoosterSetAttr, (void *, const char *, const char *))                                                     \
    F(int, XGBoosterSetStrFeatureInfo, (void *, const char *, const char **, uint64_t))                                \
    F(int, XGBoosterUpdateOneIter, (void *, int, void *))                                                              \
    F(int, XGBoosterPredictFromDMatrix, (void *, void *, const char *, const uint64_t **, uint64_t *, const float **)) \
    F(int, XGBoosterPredictFromDense,                                                                                  \
      (void *, const char *, const char *, void *, const uint64_t **, uint64_t *, const float **))                     \
    F(int, XGBoosterLoadModelFromBuffer, (void *, const void *, uint64_t))                                             \
    F(int, XGBoosterSaveModelToBuffer, (void *, const char *, uint64_t *, const char **))

static struct {
    void *lib;
#define XGB_MEMBER(type, name, args) type(*name) args;
    XGB_FUNCTIONS(XGB_MEMBER)
#undef XGB_MEMBER
} xgb;

#define XGB_DO(call)                                                         \
    do {                                                                     \
        if ((call) != 0) {                                                   \
            (void)fprintf(stderr, "%s: %s\n", #call, xgb.XGBGetLastError()); \
            abort();                                                         \
        }                                                                    \
    } while (0)

static inline bool xgb_open(void)
{
    static const char *names[] = {"libxgboost.so.0", "libxgboost.so"};
    for (size_t i = 0; !xgb.lib && i < ARRAY_LEN(names); i++)
        xgb.lib = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    bool whole = xgb.lib != NULL;
#define XGB_FIND(type, name, args)         \
    if (whole) {                           \
        void *p_ = dlsym(xgb.lib, #name);  \
        memcpy(&xgb.name, &p_, sizeof p_); \
        whole = p_ != NULL;                \
    }
    XGB_FUNCTIONS(XGB_FIND)
#undef XGB_FIND
    if (!whole)
        printf("skipped: libxgboost not present\n");
    else
        XGB_DO(xgb.XGBSetGlobalConfig("{\"verbosity\": 0}"));
    return whole;
}

/* What to train: rows of seeded noise whose label hangs on some of the features. */
struct xgb_job {
    uint64_t seed;
    unsigned rows, features, trees, depth;
    unsigned categories;       /* the first `categories` features are categories ... */
    unsigned values;           /* ... of this many values */
    unsigned missing;          /* percent of values that are missing */
    const char *params[16][2]; /* further parameters, NULL ends them */
};
struct xgb_model {
    void *booster, *matrix;
    float *x, *y;
    const char **types, **names;
    char (*name_text)[16];
    const struct xgb_job *job;
};

static inline float xgb_value(const struct xgb_job *j, struct rng *r, unsigned feature)
{
    if (rng_below(r, 100) < j->missing)
        return NAN;
    if (feature < j->categories)
        return (float)rng_below(r, j->values);
    if (feature % 3 == 0)
        return (float)rng_below(r, 20); /* ties with splits are likely */
    return (float)rng_normal(r, 0, 3);
}
static inline void xgb_row(const struct xgb_job *j, struct rng *r, float *x)
{
    for (unsigned f = 0; f < j->features; f++)
        x[f] = xgb_value(j, r, f);
}
static inline float xgb_label(const struct xgb_job *j, struct rng *r, const float *x)
{
    double z = rng_normal(r, 0, 1);
    for (unsigned f = 0; f < j->features; f++) {
        double v = isnan(x[f]) ? 0.7 : f < j->categories ? (double)((unsigned)x[f] * 2654435761u % 7) - 3 : (double)x[f];
        z += (f % 2 ? 0.5 : -0.4) * v + (f > 1 && !isnan(x[f - 1]) && v > 1 && x[f - 1] > 2 ? 2 : 0);
    }
    return z > 1;
}

static inline struct xgb_model xgb_train(const struct xgb_job *j)
{
    struct xgb_model m = {.job = j};
    struct rng r;
    char number[16];
    rng_seed(&r, j->seed);
    m.x = malloc((size_t)j->rows * j->features * sizeof(float));
    m.y = malloc(j->rows * sizeof(float));
    m.types = malloc(j->features * sizeof(char *));
    m.names = malloc(j->features * sizeof(char *));
    m.name_text = malloc(j->features * sizeof *m.name_text);
    ASSERT(m.x && m.y && m.types && m.names && m.name_text);
    for (unsigned i = 0; i < j->rows; i++) {
        xgb_row(j, &r, m.x + (size_t)i * j->features);
        m.y[i] = xgb_label(j, &r, m.x + (size_t)i * j->features);
    }
    for (unsigned f = 0; f < j->features; f++) {
        m.types[f] = f < j->categories ? "c" : "float";
        (void)snprintf(m.name_text[f], sizeof m.name_text[f], "x%u", f);
        m.names[f] = m.name_text[f];
    }
    XGB_DO(xgb.XGDMatrixCreateFromMat(m.x, j->rows, j->features, NAN, &m.matrix));
    XGB_DO(xgb.XGDMatrixSetFloatInfo(m.matrix, "label", m.y, j->rows));
    XGB_DO(xgb.XGDMatrixSetStrFeatureInfo(m.matrix, "feature_type", m.types, j->features));
    XGB_DO(xgb.XGBoosterCreate(&m.matrix, 1, &m.booster));
    XGB_DO(xgb.XGBoosterSetParam(m.booster, "nthread", "1"));
    XGB_DO(xgb.XGBoosterSetParam(m.booster, "objective", "binary:logistic"));
    XGB_DO(xgb.XGBoosterSetParam(m.booster, "tree_method", "hist"));
    (void)snprintf(number, sizeof number, "%u", j->depth);
    XGB_DO(xgb.XGBoosterSetParam(m.booster, "max_depth", number));
    for (size_t i = 0; j->params[i][0]; i++)
        XGB_DO(xgb.XGBoosterSetParam(m.booster, j->params[i][0], j->params[i][1]));
    for (unsigned t = 0; t < j->trees; t++)
        XGB_DO(xgb.XGBoosterUpdateOneIter(m.booster, (int)t, m.matrix));
    XGB_DO(xgb.XGBoosterSetStrFeatureInfo(m.booster, "feature_name", m.names, j->features));
    XGB_DO(xgb.XGBoosterSetStrFeatureInfo(m.booster, "feature_type", m.types, j->features));
    return m;
}

static inline void xgb_release(struct xgb_model *m)
{
    XGB_DO(xgb.XGBoosterFree(m->booster));
    XGB_DO(xgb.XGDMatrixFree(m->matrix));
    free(m->x);
    free(m->y);
    free(m->types);
    free(m->names);
    free(m->name_text);
    *m = (struct xgb_model){0};
}

/* The model as JSON; borrowed from XGBoost until its next call. */
static inline struct slice xgb_json(void *booster)
{
    uint64_t len = 0;
    const char *text = NULL;
    XGB_DO(xgb.XGBoosterSaveModelToBuffer(booster, "{\"format\": \"json\"}", &len, &text));
    return slice_of(text, len);
}

/* Prediction of rows: type 0 = probability, 1 = margin, 2 = contributions (features + 1 a row). Borrowed likewise. */
static inline const float *xgb_predict(const struct xgb_model *m, const float *x, size_t rows, int type)
{
    void *matrix = NULL;
    const uint64_t *shape = NULL;
    uint64_t dims = 0;
    const float *out = NULL;
    char config[160];
    (void)snprintf(
        config, sizeof config,
        "{\"type\": %d, \"training\": false, \"iteration_begin\": 0, \"iteration_end\": 0, \"strict_shape\": false}", type);
    XGB_DO(xgb.XGDMatrixCreateFromMat(x, rows, m->job->features, NAN, &matrix));
    XGB_DO(xgb.XGDMatrixSetStrFeatureInfo(matrix, "feature_type", m->types, m->job->features));
    XGB_DO(xgb.XGDMatrixSetStrFeatureInfo(matrix, "feature_name", m->names, m->job->features));
    XGB_DO(xgb.XGBoosterPredictFromDMatrix(m->booster, matrix, config, &shape, &dims, &out));
    XGB_DO(xgb.XGDMatrixFree(matrix));
    return out;
}
#endif
