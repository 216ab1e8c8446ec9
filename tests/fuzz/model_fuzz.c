/* model_fuzz.c - any bytes as a model file; what is read must score and explain any row with finite numbers. */
#include <math.h>

#include "core/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void score(const struct model *m, const float *x)
{
    double phi[LIMIT_FEATURES + 1], sum = 0;
    double margin = model_margin(m, x), raw = model_raw(m, x), calibrated = model_score(m, x);
    ASSERT(isfinite(margin) && raw >= 0 && raw <= 1 && calibrated >= 0 && calibrated <= 1);
    model_shap(m, x, phi);
    for (unsigned i = 0; i <= model_features(m); i++)
        sum += phi[i];
    ASSERT(isfinite(sum));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const float values[] = {NAN, 0, 1, -1, 0.5f, 33, 49.5f, 65535, 1e9f, INFINITY, -INFINITY};
    struct model *m = NULL;
    struct model_error e;
    float x[LIMIT_FEATURES];
    enum keer_err err = model_read(slice_of((const char *)data, size), &m, &e);
    ASSERT((err == KEER_OK) == (m != NULL));
    ASSERT((err == KEER_OK || err == KEER_ENOMEM) == (e.text[0] == '\0'));
    ASSERT(memchr(e.where, '\0', sizeof e.where) && memchr(e.text, '\0', sizeof e.text));
    if (err)
        return 0;
    unsigned n = model_features(m);
    for (size_t v = 0; v < ARRAY_LEN(values); v++) {
        for (unsigned i = 0; i < n; i++)
            x[i] = values[(v + i * (v + 1)) % ARRAY_LEN(values)];
        score(m, x);
    }
    for (unsigned i = 0; i < n; i++) {
        struct slice name = model_feature_name(m, i);
        ASSERT(model_feature_find(m, name) == (int)i);
        ASSERT(model_category(m, i, name) < (int)MAX_OF(model_category_count(m, i), 1));
    }
    model_free(m);
    return 0;
}
