/* model_bench.c - scoring and explaining one row: ours against XGBoost's own in-place prediction, same model, same rows, one
 * thread each; rows are given one at a time, as a decision does.
 */
#include <time.h>

#include "core/model.h"
#include "lib/xgb.h"

#define ROWS 20000
#define ROUNDS 5

static double now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static volatile double sink;

enum what { OUR_MARGIN, OUR_SCORE, OUR_SHAP, WHAT_MAX };

/* Best of ROUNDS, nanoseconds a row: others use the machine too. */
static double ours(const struct model *m, const float *x, enum what what, size_t rows)
{
    double best = HUGE_VAL, phi[LIMIT_FEATURES + 1];
    unsigned n = model_features(m);
    for (unsigned round = 0; round < ROUNDS; round++) {
        double from = now_ns(), sum = 0;
        for (size_t i = 0; i < rows; i++) {
            switch (what) {
            case OUR_MARGIN: sum += model_margin(m, x + i * n); break;
            case OUR_SCORE: sum += model_score(m, x + i * n); break;
            case OUR_SHAP:
                model_shap(m, x + i * n, phi);
                sum += phi[0];
                break;
            case WHAT_MAX: break;
            }
        }
        best = MIN_OF(best, (now_ns() - from) / (double)rows);
        sink = sum;
    }
    return best;
}

static double theirs_dense(const struct xgb_model *m, const float *x, size_t rows)
{
    double best = HUGE_VAL;
    unsigned n = m->job->features;
    const char *config =
        "{\"type\": 1, \"iteration_begin\": 0, \"iteration_end\": 0, \"missing\": NaN, \"strict_shape\": false, "
        "\"cache_id\": 0}";
    for (unsigned round = 0; round < ROUNDS; round++) {
        double from = now_ns(), sum = 0;
        for (size_t i = 0; i < rows; i++) {
            char array[160];
            const uint64_t *shape = NULL;
            uint64_t dims = 0;
            const float *out = NULL;
            (void)snprintf(array, sizeof array,
                           "{\"data\": [%zu, true], \"shape\": [1, %u], \"typestr\": \"<f4\", \"version\": 3}",
                           (size_t)(uintptr_t)(x + i * n), n);
            XGB_DO(xgb.XGBoosterPredictFromDense(m->booster, array, config, NULL, &shape, &dims, &out));
            sum += (double)out[0];
        }
        best = MIN_OF(best, (now_ns() - from) / (double)rows);
        sink = sum;
    }
    return best;
}

static double theirs_matrix(const struct xgb_model *m, const float *x, size_t rows, int type, size_t batch)
{
    double best = HUGE_VAL;
    for (unsigned round = 0; round < 2; round++) {
        double from = now_ns(), sum = 0;
        for (size_t i = 0; i + batch <= rows; i += batch)
            sum += (double)xgb_predict(m, x + i * m->job->features, batch, type)[0];
        best = MIN_OF(best, (now_ns() - from) / (double)(rows / batch * batch));
        sink = sum;
    }
    return best;
}

static void run(const char *name, const struct xgb_job *job, float *x)
{
    struct xgb_model t = xgb_train(job);
    struct model *m = NULL;
    struct model_error error;
    struct rng r;
    struct slice json = xgb_json(t.booster);
    double from = now_ns();
    if (model_read(json, &m, &error) != KEER_OK) {
        printf("%s: %s: %s\n", name, error.where, error.text);
        exit(1);
    }
    double read_ms = (now_ns() - from) / 1e6;
    rng_seed(&r, job->seed + 1);
    for (size_t i = 0; i < ROWS; i++)
        xgb_row(job, &r, x + i * job->features);
    double margin = ours(m, x, OUR_MARGIN, ROWS), score = ours(m, x, OUR_SCORE, ROWS),
           shap = ours(m, x, OUR_SHAP, ROWS / 20);
    double dense = theirs_dense(&t, x, ROWS / 10), batch = theirs_matrix(&t, x, ROWS, 1, ROWS);
    double contributions = theirs_matrix(&t, x, ROWS / 40, 2, 1),
           contributions_batch = theirs_matrix(&t, x, ROWS / 20, 2, ROWS / 20);
    printf("%s: %u trees, depth %u, %u features; file of %.1f kB read in %.2f ms\n", name, job->trees, job->depth,
           job->features, (double)json.len / 1000, read_ms);
    printf("  margin          %9.0f ns/row   XGBoosterPredictFromDense, 1 row     %9.0f ns   ratio %6.1f\n", margin, dense,
           dense / margin);
    printf("  score           %9.0f ns/row   XGBoosterPredictFromDMatrix, batch   %9.0f ns   ratio %6.1f\n", score, batch,
           batch / score);
    printf("  contributions   %9.0f ns/row   pred_contribs, 1 row                 %9.0f ns   ratio %6.1f\n", shap,
           contributions, contributions / shap);
    printf("                                  pred_contribs, batch                 %9.0f ns   ratio %6.1f\n",
           contributions_batch, contributions_batch / shap);
    model_free(m);
    xgb_release(&t);
}

int main(void)
{
    static const struct xgb_job plain = {.seed = 1, .rows = 20000, .features = 36, .trees = 100, .depth = 6, .missing = 5},
                                category = {.seed = 2,
                                            .rows = 20000,
                                            .features = 36,
                                            .trees = 100,
                                            .depth = 6,
                                            .missing = 5,
                                            .categories = 6,
                                            .values = 40},
                                big = {.seed = 3, .rows = 20000, .features = 36, .trees = 500, .depth = 8, .missing = 5};
    if (!xgb_open())
        return 0;
    float *x = malloc(sizeof(float) * ROWS * 36);
    if (!x)
        return 1;
    run("model", &plain, x);
    run("model with categories", &category, x);
    run("model, big", &big, x);
    free(x);
    return 0;
}
