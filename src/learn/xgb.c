/* xgb.c - XGBoost's C library behind dlopen(), and early stopping on a measure of our own. */
#include "learn/xgb.h"

#include <dlfcn.h>
#include <math.h>
#include <xgboost/c_api.h>

#include "base/num.h"
#include "learn/metrics.h"

/* To use one more function of the library: add a row; struct and loader follow. */
#define XGB_FUNCTIONS(F)            \
    F(XGBoostVersion)               \
    F(XGBGetLastError)              \
    F(XGDMatrixCreateFromMat_omp)   \
    F(XGDMatrixSetFloatInfo)        \
    F(XGDMatrixSetStrFeatureInfo)   \
    F(XGDMatrixFree)                \
    F(XGBoosterCreate)              \
    F(XGBoosterFree)                \
    F(XGBoosterSlice)               \
    F(XGBoosterBoostedRounds)       \
    F(XGBoosterSetParam)            \
    F(XGBoosterUpdateOneIter)       \
    F(XGBoosterPredictFromDMatrix)  \
    F(XGBoosterLoadModelFromBuffer) \
    F(XGBoosterSaveModelToBuffer)   \
    F(XGBoosterSetAttr)             \
    F(XGBoosterSetStrFeatureInfo)   \
    F(XGBoosterFeatureScore)

struct xgb {
#define MEMBER(name) __typeof__(&name) name;
    XGB_FUNCTIONS(MEMBER)
#undef MEMBER
    void *library;
    struct buf *detail;
};

struct xgb_model {
    struct xgb *g;
    BoosterHandle booster;
    unsigned cols, trees;
    unsigned nthread;
};

void xgb_params_default(struct xgb_params *ret_p)
{
    *ret_p = (struct xgb_params){.trees_max = 100,
                                 .depth = 6,
                                 .learning_rate = 0.3,
                                 .scale_pos_weight = 1,
                                 .min_child_weight = 1,
                                 .subsample = 1,
                                 .colsample_bytree = 1,
                                 .lambda = 1,
                                 .max_bin = 256,
                                 .nthread = 1,
                                 .tree_method = "hist"};
}

static enum keer_err load_functions(struct xgb *g)
{
#define LOAD(name)                                                                                                \
    {                                                                                                             \
        void *symbol = dlsym(g->library, #name);                                                                  \
        if (!symbol) {                                                                                            \
            buf_puts(g->detail,                                                                                   \
                     "this libxgboost lacks " #name "; training needs version 1.7 (Debian package libxgboost0)"); \
            return KEER_EUNSUPPORTED;                                                                             \
        }                                                                                                         \
        memcpy(&g->name, &symbol, sizeof symbol);                                                                 \
    }
    XGB_FUNCTIONS(LOAD)
#undef LOAD
    return KEER_OK;
}

enum keer_err xgb_open(const char *library, struct buf *detail, struct xgb **ret_xgb)
{
    struct xgb *g = calloc(1, sizeof *g);
    if (!g)
        return KEER_ENOMEM;
    g->detail = detail;
    const char *names[] = {library ? library : "libxgboost.so.0", library ? NULL : "libxgboost.so"};
    for (size_t i = 0; i < ARRAY_LEN(names) && names[i] && !g->library; i++)
        g->library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!g->library) {
        const char *why = dlerror();
        buf_fmt(detail, "training needs the XGBoost library: install the Debian package libxgboost0 (%s)", why ? why : "?");
        free(g);
        return KEER_EUNSUPPORTED;
    }
    enum keer_err err = load_functions(g);
    if (err != KEER_OK) {
        xgb_close(g);
        return err;
    }
    *ret_xgb = g;
    return KEER_OK;
}

void xgb_close(struct xgb *g)
{
    if (g)
        (void)dlclose(g->library); /* RTLD_NODELETE: counts down and leaves the code */
    free(g);
}

void xgb_version(const struct xgb *g, unsigned *ret_major, unsigned *ret_minor, unsigned *ret_patch)
{
    int major = 0, minor = 0, patch = 0;
    g->XGBoostVersion(&major, &minor, &patch);
    *ret_major = (unsigned)major;
    *ret_minor = (unsigned)minor;
    *ret_patch = (unsigned)patch;
}

/* Turns a status of the library into ours; the message's first line, without '[time] file:line: ', becomes the detail. */
static enum keer_err check(struct xgb *g, int status)
{
    if (status == 0)
        return KEER_OK;
    struct slice rest = slice_str(g->XGBGetLastError()), line = slice_cut(&rest, '\n');
    if (line.len && line.p[0] == '[') {
        (void)slice_cut(&line, ' ');
        (void)slice_cut(&line, ' ');
    }
    buf_puts(g->detail, "XGBoost: ");
    buf_put(g->detail, line.p, MIN_OF(line.len, (size_t)400));
    return slice_has(line, SLICE("bad_alloc")) ? KEER_ENOMEM : KEER_EINVALID;
}

/* --- rows --------------------------------------------------------------------------------------------------------- */

static enum keer_err set_categorical(struct xgb *g, DMatrixHandle m, const uint8_t *categorical, unsigned cols)
{
    const char **types = calloc(cols, sizeof *types);
    if (!types)
        return KEER_ENOMEM;
    for (unsigned c = 0; c < cols; c++)
        types[c] = categorical[c] ? "c" : "float";
    enum keer_err err = check(g, g->XGDMatrixSetStrFeatureInfo(m, "feature_type", types, cols));
    free(types);
    return err;
}

static enum keer_err set_labels(struct xgb *g, DMatrixHandle m, const struct xgb_rows *rows)
{
    float *label = malloc(rows->rows * sizeof *label);
    if (!label)
        return KEER_ENOMEM;
    for (size_t r = 0; r < rows->rows; r++)
        label[r] = rows->label[r] ? 1 : 0;
    enum keer_err err = check(g, g->XGDMatrixSetFloatInfo(m, "label", label, rows->rows));
    free(label);
    return err;
}

static enum keer_err matrix(struct xgb *g, const struct xgb_rows *rows, unsigned nthread, const uint8_t *categorical,
                            DMatrixHandle *ret_m)
{
    DMatrixHandle m = NULL;
    enum keer_err err =
        check(g, g->XGDMatrixCreateFromMat_omp(rows->x, rows->rows, rows->cols, NAN, &m, nthread ? (int)nthread : -1));
    if (err != KEER_OK)
        return err;
    if (rows->label)
        err = set_labels(g, m, rows);
    if (err == KEER_OK && categorical)
        err = set_categorical(g, m, categorical, rows->cols);
    if (err != KEER_OK) {
        (void)g->XGDMatrixFree(m);
        return err;
    }
    *ret_m = m;
    return KEER_OK;
}

/* --- parameters --------------------------------------------------------------------------------------------------- */

static bool params_valid(const struct xgb_params *p)
{
    return p->trees_max >= 1 && p->trees_max <= LIMIT_TREES && p->depth >= 1 && p->depth <= LIMIT_TREE_DEPTH &&
           p->learning_rate > 0 && p->learning_rate <= 1 && p->scale_pos_weight > 0 && isfinite(p->scale_pos_weight) &&
           p->min_child_weight >= 0 && p->subsample > 0 && p->subsample <= 1 && p->colsample_bytree > 0 &&
           p->colsample_bytree <= 1 && p->lambda >= 0 && p->gamma >= 0 && p->max_bin >= 2 && p->max_bin <= 65536 &&
           p->nthread <= 1024 && p->tree_method;
}

static enum keer_err set_text(struct xgb *g, BoosterHandle h, const char *name, const char *value)
{
    return check(g, g->XGBoosterSetParam(h, name, value));
}

static enum keer_err set_number(struct xgb *g, BoosterHandle h, const char *name, double value)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%.17g", value);
    return set_text(g, h, name, text);
}

static enum keer_err set_monotone(struct xgb *g, BoosterHandle h, const int8_t *monotone, unsigned cols)
{
    struct buf b;
    buf_init(&b, 16 + 4 * (size_t)cols);
    for (unsigned c = 0; c < cols; c++) {
        buf_char(&b, c ? ',' : '(');
        buf_i64(&b, monotone[c]);
    }
    buf_char(&b, ')');
    enum keer_err err = b.err != KEER_OK ? b.err : set_text(g, h, "monotone_constraints", b.p);
    buf_release(&b);
    return err;
}

static enum keer_err set_params(struct xgb *g, BoosterHandle h, const struct xgb_params *p, unsigned cols)
{
    const struct {
        const char *name, *value;
    } texts[] = {{"booster", "gbtree"},
                 {"objective", "binary:logistic"},
                 {"disable_default_eval_metric", "1"},
                 {"verbosity", "0"},
                 {"tree_method", p->tree_method}};
    const struct {
        const char *name;
        double value;
    } numbers[] = {{"max_depth", p->depth},
                   {"learning_rate", p->learning_rate},
                   {"scale_pos_weight", p->scale_pos_weight},
                   {"min_child_weight", p->min_child_weight},
                   {"subsample", p->subsample},
                   {"colsample_bytree", p->colsample_bytree},
                   {"reg_lambda", p->lambda},
                   {"gamma", p->gamma},
                   {"max_bin", p->max_bin},
                   {"seed", p->seed},
                   {"nthread", p->nthread}};
    enum keer_err err = KEER_OK;
    for (size_t i = 0; i < ARRAY_LEN(texts) && err == KEER_OK; i++)
        err = set_text(g, h, texts[i].name, texts[i].value);
    for (size_t i = 0; i < ARRAY_LEN(numbers) && err == KEER_OK; i++)
        err = set_number(g, h, numbers[i].name, numbers[i].value);
    if (err == KEER_OK && p->monotone)
        err = set_monotone(g, h, p->monotone, cols);
    return err;
}

/* --- prediction --------------------------------------------------------------------------------------------------- */

/* The result is the library's and lives until the next call on the booster. */
static enum keer_err predict(struct xgb *g, BoosterHandle h, DMatrixHandle m, size_t rows, const float **ret_margin)
{
    static const char config[] =
        "{\"type\":1,\"training\":false,\"iteration_begin\":0,\"iteration_end\":0,\"strict_shape\":false}";
    const bst_ulong *shape;
    bst_ulong dims;
    const float *out;
    enum keer_err err = check(g, g->XGBoosterPredictFromDMatrix(h, m, config, &shape, &dims, &out));
    if (err != KEER_OK)
        return err;
    if (dims < 1 || shape[0] != rows) {
        buf_puts(g->detail, "XGBoost: a prediction of an unexpected shape");
        return KEER_EINVALID;
    }
    *ret_margin = out;
    return KEER_OK;
}

enum keer_err xgb_margins(const struct xgb_model *m, const struct xgb_rows *rows, float *ret_margin)
{
    if (rows->cols != m->cols)
        return KEER_EINVALID;
    if (rows->rows == 0)
        return KEER_OK;
    DMatrixHandle dm;
    const float *margin;
    enum keer_err err = matrix(m->g, rows, m->nthread, NULL, &dm);
    if (err != KEER_OK)
        return err;
    err = predict(m->g, m->booster, dm, rows->rows, &margin);
    if (err == KEER_OK)
        memcpy(ret_margin, margin, rows->rows * sizeof *margin);
    (void)m->g->XGDMatrixFree(dm);
    return err;
}

/* --- training ----------------------------------------------------------------------------------------------------- */

struct training {
    struct xgb *g;
    const struct xgb_params *p;
    const struct xgb_stop *stop; /* NULL: no early stopping */
    DMatrixHandle data[2];       /* train, later */
    BoosterHandle booster;
    struct xgb_progress now;
};

/* Mean of -log(probability of the label), frauds weighing `weight`; from margins, so that nothing saturates. */
static double logloss(const float *margin, const uint8_t *label, size_t n, double weight)
{
    double sum = 0, weights = 0;
    for (size_t i = 0; i < n; i++) {
        double z = label[i] ? -(double)margin[i] : (double)margin[i], w = label[i] ? weight : 1;
        sum += w * (z > 0 ? z + log1p(exp(-z)) : log1p(exp(z)));
        weights += w;
    }
    return sum / weights;
}

static enum keer_err measure(struct training *t)
{
    const struct xgb_rows *later = &t->stop->later;
    const float *margin;
    double value = (double)NAN;
    enum keer_err err = predict(t->g, t->booster, t->data[1], later->rows, &margin);
    if (err != KEER_OK)
        return err;
    switch (t->stop->metric) {
    case XGB_AVERAGE_PRECISION: err = metric_average_precision(margin, later->label, later->rows, &value); break;
    case XGB_LOGLOSS: value = -logloss(margin, later->label, later->rows, t->p->scale_pos_weight); break;
    case XGB_METRIC_MAX: return KEER_EINVALID;
    }
    if (err != KEER_OK)
        return err;
    t->now.metric = value;
    if (t->now.best_tree == 0 || value > t->now.best) {
        t->now.best = value;
        t->now.best_tree = t->now.tree;
    }
    return KEER_OK;
}

static enum keer_err boost(struct training *t, xgb_progress_fn *progress, void *ctx)
{
    t->now = (struct xgb_progress){.trees_max = t->p->trees_max, .metric = (double)NAN, .best = (double)NAN};
    for (unsigned i = 0; i < t->p->trees_max; i++) {
        enum keer_err err = check(t->g, t->g->XGBoosterUpdateOneIter(t->booster, (int)i, t->data[0]));
        t->now.tree = i + 1;
        if (err == KEER_OK && t->stop)
            err = measure(t);
        if (err != KEER_OK)
            return err;
        if (!t->stop)
            t->now.best_tree = i + 1;
        if (progress)
            progress(ctx, &t->now);
        if (t->stop && t->now.tree - t->now.best_tree >= t->stop->patience)
            break;
    }
    return KEER_OK;
}

/* Cuts off the trees after the best one. */
static enum keer_err keep_best(struct training *t)
{
    if (t->now.best_tree == t->now.tree)
        return KEER_OK;
    BoosterHandle best = NULL;
    enum keer_err err = check(t->g, t->g->XGBoosterSlice(t->booster, 0, (int)t->now.best_tree, 1, &best));
    if (err != KEER_OK)
        return err;
    (void)t->g->XGBoosterFree(t->booster);
    t->booster = best;
    return KEER_OK;
}

enum keer_err xgb_train(struct xgb *g, const struct xgb_params *p, const struct xgb_rows *train, const struct xgb_stop *stop,
                        xgb_progress_fn *progress, void *progress_ctx, struct xgb_model **ret_model)
{
    if (stop && stop->later.rows == 0)
        stop = NULL;
    if (!params_valid(p) || train->rows == 0 || train->cols == 0 || (stop && stop->patience == 0) ||
        (stop && stop->later.cols != train->cols)) {
        buf_puts(g->detail, "training: no rows, no features, or a parameter out of range");
        return KEER_EINVALID;
    }
    struct training t = {.g = g, .p = p, .stop = stop};
    struct xgb_model *m = calloc(1, sizeof *m);
    enum keer_err err = m ? KEER_OK : KEER_ENOMEM;
    if (err == KEER_OK)
        err = matrix(g, train, p->nthread, p->categorical, &t.data[0]);
    if (err == KEER_OK && stop)
        err = matrix(g, &stop->later, p->nthread, p->categorical, &t.data[1]);
    if (err == KEER_OK)
        err = check(g, g->XGBoosterCreate(t.data, stop ? 2 : 1, &t.booster));
    if (err == KEER_OK)
        err = set_params(g, t.booster, p, train->cols);
    if (err == KEER_OK)
        err = boost(&t, progress, progress_ctx);
    if (err == KEER_OK)
        err = keep_best(&t);
    if (err == KEER_OK) {
        *m = (struct xgb_model){
            .g = g, .booster = t.booster, .cols = train->cols, .trees = t.now.best_tree, .nthread = p->nthread};
        *ret_model = m;
    } else {
        if (t.booster)
            (void)g->XGBoosterFree(t.booster);
        free(m);
    }
    for (size_t i = 0; i < ARRAY_LEN(t.data); i++) {
        if (t.data[i])
            (void)g->XGDMatrixFree(t.data[i]);
    }
    return err;
}

enum keer_err xgb_load(struct xgb *g, struct slice json, unsigned cols, struct xgb_model **ret_model)
{
    int trees = 0;
    struct xgb_model *m = calloc(1, sizeof *m);
    if (!m)
        return KEER_ENOMEM;
    *m = (struct xgb_model){.g = g, .cols = cols, .nthread = 1};
    enum keer_err err = check(g, g->XGBoosterCreate(NULL, 0, &m->booster));
    if (err == KEER_OK)
        err = check(g, g->XGBoosterLoadModelFromBuffer(m->booster, json.p, json.len));
    if (err == KEER_OK)
        err = set_text(g, m->booster, "nthread", "1");
    if (err == KEER_OK)
        err = check(g, g->XGBoosterBoostedRounds(m->booster, &trees));
    if (err != KEER_OK) {
        xgb_model_free(m);
        return err;
    }
    m->trees = (unsigned)trees;
    *ret_model = m;
    return KEER_OK;
}

void xgb_model_free(struct xgb_model *m)
{
    if (m && m->booster)
        (void)m->g->XGBoosterFree(m->booster);
    free(m);
}

unsigned xgb_trees(const struct xgb_model *m) { return m->trees; }

/* --- what a model says about itself ------------------------------------------------------------------------------- */

enum keer_err xgb_importance(const struct xgb_model *m, enum xgb_importance kind, double *ret_share)
{
    static const char *const configs[XGB_IMPORTANCE_MAX] = {[XGB_GAIN] = "{\"importance_type\":\"total_gain\"}",
                                                            [XGB_COVER] = "{\"importance_type\":\"total_cover\"}",
                                                            [XGB_FREQUENCY] = "{\"importance_type\":\"weight\"}"};
    bst_ulong n = 0, dims = 0;
    const bst_ulong *shape;
    const char **names;
    const float *scores;
    if (kind >= XGB_IMPORTANCE_MAX)
        return KEER_EINVALID;
    enum keer_err err =
        check(m->g, m->g->XGBoosterFeatureScore(m->booster, configs[kind], &n, &names, &dims, &shape, &scores));
    if (err != KEER_OK)
        return err;
    double total = 0;
    for (unsigned c = 0; c < m->cols; c++)
        ret_share[c] = 0;
    for (bst_ulong i = 0; i < n; i++) {
        uint64_t c; /* without names the library calls column 7 'f7' */
        if (names[i][0] != 'f' || num_u64(slice_str(names[i] + 1), 0, m->cols - 1, &c) != KEER_OK)
            return KEER_EINVALID;
        ret_share[c] = (double)scores[i];
        total += (double)scores[i];
    }
    for (unsigned c = 0; c < m->cols && total > 0; c++)
        ret_share[c] /= total;
    return KEER_OK;
}

enum keer_err xgb_set_names(struct xgb_model *m, const char *const *names)
{
    const char **copy = calloc(m->cols, sizeof *copy); /* the library wants the pointers writable */
    if (!copy)
        return KEER_ENOMEM;
    memcpy(copy, names, m->cols * sizeof *copy);
    enum keer_err err = check(m->g, m->g->XGBoosterSetStrFeatureInfo(m->booster, "feature_name", copy, m->cols));
    free(copy);
    return err;
}

enum keer_err xgb_set_attr(struct xgb_model *m, const char *key, const char *value)
{
    return check(m->g, m->g->XGBoosterSetAttr(m->booster, key, value));
}

enum keer_err xgb_save_json(const struct xgb_model *m, struct buf *ret_json)
{
    bst_ulong len = 0;
    const char *bytes;
    enum keer_err err = check(m->g, m->g->XGBoosterSaveModelToBuffer(m->booster, "{\"format\":\"json\"}", &len, &bytes));
    if (err != KEER_OK)
        return err;
    buf_put(ret_json, bytes, len);
    return ret_json->err;
}
