/* train.c - from rows to a calibrated model file with its card. */
#include "learn/train.h"

#include <math.h>

#include "learn/metrics.h"

void train_options_default(struct train_options *ret_o)
{
    *ret_o = (struct train_options){.name = "model",
                                    .early_stopping = true,
                                    .stop_metric = XGB_AVERAGE_PRECISION,
                                    .patience = 50,
                                    .later_fraction = 0.2,
                                    .delay_days = 7,
                                    .trained_us = CARD_NO_TIME};
    xgb_params_default(&ret_o->xgb);
    ret_o->xgb.trees_max = 1000;
    ret_o->xgb.depth = 4;
    ret_o->xgb.learning_rate = 0.1;
}

void train_options_published(struct train_options *ret_o)
{
    train_options_default(ret_o);
    ret_o->early_stopping = false;
    ret_o->delay_days = 0;
    ret_o->xgb.trees_max = 100;
    ret_o->xgb.depth = 3;
    ret_o->xgb.tree_method = "exact";
}

/* One training. `later` has no rows without early stopping; `train` is `d` itself or its own copy. */
struct run {
    const struct dataset *d;
    const struct train_options *o;
    struct buf *detail;
    struct dataset train, later;
    uint8_t *categorical; /* per column, NULL when no feature is categorical */
    struct xgb *g;
    struct xgb_model *model;
    struct calibration calibration;
    struct model_card *card;
};

static enum keer_err fail(struct run *u, enum keer_err err, const char *why)
{
    buf_puts(u->detail, why);
    return err;
}

/* --- what comes in ------------------------------------------------------------------------------------------------ */

static enum keer_err check_options(struct run *u)
{
    const struct train_options *o = u->o;
    size_t name = o->name ? strlen(o->name) : 0;
    if (name == 0 || name > LIMIT_NAME_BYTES)
        return fail(u, KEER_EINVALID, "a model needs a name of 1 to 64 bytes");
    if (o->weights >= TRAIN_WEIGHTS_MAX ||
        (o->weights == TRAIN_WEIGHTS_NUMBER && !(o->fraud_weight > 0 && isfinite(o->fraud_weight))))
        return fail(u, KEER_EINVALID, "the weight of a fraud must be a number above 0");
    if (o->early_stopping && (o->stop_metric >= XGB_METRIC_MAX || o->patience == 0))
        return fail(u, KEER_EINVALID, "early stopping needs a metric and a patience of at least 1 tree");
    if (o->early_stopping && o->later_days == 0 && !(o->later_fraction > 0 && o->later_fraction < 1))
        return fail(u, KEER_EINVALID, "the later block must be a fraction between 0 and 1 of the days, or a number of days");
    if (!o->xgb.tree_method)
        return fail(u, KEER_EINVALID, "no tree method");
    if (o->categories_n && strcmp(o->xgb.tree_method, "exact") == 0)
        return fail(u, KEER_EINVALID, "tree method 'exact' knows no categories: use 'hist' or 'approx'");
    return KEER_OK;
}

static enum keer_err check_names(struct run *u)
{
    const struct dataset *d = u->d;
    for (unsigned c = 0; c < d->cols; c++) {
        if (d->names[c][0] == '\0')
            return fail(u, KEER_EINVALID, "a feature has no name");
        for (unsigned e = 0; e < c; e++) {
            if (strcmp(d->names[c], d->names[e]) == 0) {
                buf_fmt(u->detail, "two features are called '%s'", d->names[c]);
                return KEER_EINVALID;
            }
        }
    }
    return KEER_OK;
}

static enum keer_err check_values(struct run *u)
{
    const struct dataset *d = u->d;
    for (size_t i = 0; i < d->rows * d->cols; i++) {
        float v = d->x[i];
        unsigned c = (unsigned)(i % d->cols);
        if (isinf(v)) {
            buf_fmt(u->detail, "feature '%s' is infinite in row %zu", d->names[c], i / d->cols);
            return KEER_EINVALID;
        }
        if (u->categorical && u->categorical[c] && !isnan(v) && !(v >= 0 && v < LIMIT_CATEGORIES && v == floorf(v))) {
            buf_fmt(u->detail, "feature '%s' in row %zu is %g, which is no category code", d->names[c], i / d->cols,
                    (double)v);
            return KEER_EINVALID;
        }
    }
    return KEER_OK;
}

static enum keer_err mark_categories(struct run *u)
{
    const struct train_options *o = u->o;
    if (o->categories_n == 0)
        return KEER_OK;
    u->categorical = calloc(u->d->cols, 1);
    if (!u->categorical)
        return KEER_ENOMEM;
    for (size_t i = 0; i < o->categories_n; i++) {
        if (o->categories[i].feature >= u->d->cols || u->categorical[o->categories[i].feature])
            return fail(u, KEER_EINVALID, "categories for a feature that is not there, or twice for one");
        if (o->categories[i].n > LIMIT_CATEGORIES)
            return fail(u, KEER_ELIMIT, "too many categories of one feature");
        u->categorical[o->categories[i].feature] = 1;
    }
    return KEER_OK;
}

static struct card_block block_of(const struct dataset *d)
{
    struct card_block b = {.from_us = INT64_MAX, .to_us = INT64_MIN, .rows = d->rows};
    for (size_t r = 0; r < d->rows; r++) {
        b.from_us = MIN_OF(b.from_us, d->time_us[r]);
        b.to_us = MAX_OF(b.to_us, d->time_us[r]);
        b.frauds += d->label[r] != 0;
    }
    return b;
}

/* --- the split ---------------------------------------------------------------------------------------------------- */

/* The first day of the later block and the day on which training ends, both as the time of their midnight. */
static enum keer_err later_days(struct run *u, int64_t *ret_train_end, int64_t *ret_later)
{
    const struct card_block *b = &u->card->data;
    int64_t first = time_floor_day(b->from_us), last = time_floor_day(b->to_us), days = (last - first) / US_DAY + 1;
    int64_t later = u->o->later_days ? (int64_t)u->o->later_days : MAX_OF(llround((double)days * u->o->later_fraction), 1);
    if (days > LIMIT_DAYS)
        return fail(u, KEER_ERANGE, "the rows span more than 100 years");
    if (later + u->o->delay_days >= days) {
        buf_fmt(u->detail,
                "%lld days of rows are too few for a later block of %lld and a label delay of %u days: "
                "take a longer span or train without early stopping",
                (long long)days, (long long)later, u->o->delay_days);
        return KEER_ERANGE;
    }
    *ret_later = last - (later - 1) * US_DAY;
    *ret_train_end = *ret_later - (int64_t)u->o->delay_days * US_DAY;
    return KEER_OK;
}

static enum keer_err pick_between(const struct dataset *d, int64_t from_us, int64_t to_us, struct dataset *ret_d)
{
    uint8_t *keep = malloc(d->rows);
    if (!keep)
        return KEER_ENOMEM;
    for (size_t r = 0; r < d->rows; r++)
        keep[r] = d->time_us[r] >= from_us && d->time_us[r] < to_us;
    enum keer_err err = dataset_pick(d, keep, ret_d);
    free(keep);
    return err;
}

static enum keer_err split(struct run *u)
{
    struct model_card *c = u->card;
    c->train = c->data;
    if (u->o->early_stopping) {
        int64_t train_end, later;
        enum keer_err err = later_days(u, &train_end, &later);
        if (err == KEER_OK)
            err = pick_between(u->d, INT64_MIN, train_end, &u->train);
        if (err == KEER_OK)
            err = pick_between(u->d, later, INT64_MAX, &u->later);
        if (err != KEER_OK)
            return err;
        c->train = block_of(&u->train);
        c->later = block_of(&u->later);
        if (c->later.frauds == 0 || c->later.frauds == c->later.rows)
            return fail(u, KEER_EMISSING, "the later block needs frauds and genuine events");
    }
    if (c->train.frauds == 0 || c->train.frauds == c->train.rows)
        return fail(u, KEER_EMISSING, "training needs frauds and genuine events");
    return KEER_OK;
}

/* --- growing ------------------------------------------------------------------------------------------------------ */

static struct xgb_rows rows_of(const struct dataset *d)
{
    return (struct xgb_rows){.x = d->x, .rows = d->rows, .cols = d->cols, .label = d->label};
}

static enum keer_err grow(struct run *u)
{
    const struct train_options *o = u->o;
    struct model_card *c = u->card;
    struct xgb_params *p = &c->params;
    switch (o->weights) {
    case TRAIN_WEIGHTS_NONE:
    case TRAIN_WEIGHTS_MAX: p->scale_pos_weight = 1; break;
    case TRAIN_WEIGHTS_BALANCED:
        p->scale_pos_weight = (double)(c->train.rows - c->train.frauds) / (double)c->train.frauds;
        break;
    case TRAIN_WEIGHTS_NUMBER: p->scale_pos_weight = o->fraud_weight; break;
    }
    p->categorical = u->categorical;
    struct xgb_rows train = rows_of(o->early_stopping ? &u->train : u->d);
    struct xgb_stop stop = {.metric = o->stop_metric, .patience = o->patience, .later = rows_of(&u->later)};
    enum keer_err err = xgb_open(o->library, u->detail, &u->g);
    if (err != KEER_OK)
        return err;
    xgb_version(u->g, &c->library[0], &c->library[1], &c->library[2]);
    err = xgb_train(u->g, p, &train, &stop, o->progress, o->progress_ctx, &u->model);
    if (err == KEER_OK)
        c->trees = xgb_trees(u->model);
    return err;
}

/* Grows again on every row, as many trees as were best. */
static enum keer_err grow_again(struct run *u)
{
    struct xgb_params p = u->card->params;
    struct xgb_rows all = rows_of(u->d);
    struct xgb_model *model;
    p.trees_max = u->card->trees;
    enum keer_err err = xgb_train(u->g, &p, &all, NULL, u->o->progress, u->o->progress_ctx, &model);
    if (err != KEER_OK)
        return err;
    xgb_model_free(u->model);
    u->model = model;
    u->card->refit = true;
    return KEER_OK;
}

/* Figures and calibration from the later block. */
static enum keer_err judge(struct run *u)
{
    const struct dataset *l = &u->later;
    struct card_metrics *m = &u->card->metrics;
    struct xgb_rows rows = rows_of(l);
    float *margin = malloc(l->rows * sizeof *margin);
    if (!margin)
        return KEER_ENOMEM;
    struct calibration_rows cr = {.margin = margin, .label = l->label, .n = l->rows};
    const struct calibration raw = {.kind = CALIBRATION_NONE};
    enum keer_err err = xgb_margins(u->model, &rows, margin);
    if (err == KEER_OK)
        err = metric_auc(margin, l->label, l->rows, &m->auc);
    if (err == KEER_OK)
        err = metric_average_precision(margin, l->label, l->rows, &m->average_precision);
    if (err == KEER_OK)
        err = metric_card_precision(l, margin, CARD_PRECISION_K, &m->card_precision);
    if (err == KEER_OK)
        err = metric_card_precision_ceiling(l, CARD_PRECISION_K, &m->card_precision_ceiling);
    if (err == KEER_OK)
        err = calibrate_fit(&cr, &u->calibration);
    if (err == KEER_OK)
        err = calibrate_quality(&raw, &cr, &m->before);
    if (err == KEER_OK)
        err = calibrate_quality_unseen(&cr, &m->after);
    free(margin);
    return err;
}

/* --- what goes out ------------------------------------------------------------------------------------------------ */

static enum keer_err fill_importance(struct run *u)
{
    double share[XGB_IMPORTANCE_MAX][LIMIT_FEATURES];
    for (enum xgb_importance k = 0; k < XGB_IMPORTANCE_MAX; k++) {
        enum keer_err err = xgb_importance(u->model, k, share[k]);
        if (err != KEER_OK)
            return err;
    }
    for (unsigned c = 0; c < u->card->cols; c++) {
        struct card_feature *f = &u->card->features[c];
        memcpy(f->name, u->d->names[c], sizeof f->name);
        f->gain = share[XGB_GAIN][c];
        f->cover = share[XGB_COVER][c];
        f->frequency = share[XGB_FREQUENCY][c];
    }
    return KEER_OK;
}

static void print_categories(const struct run *u, struct buf *b)
{
    buf_puts(b, "\"categories\":{");
    for (size_t i = 0; i < u->o->categories_n; i++) {
        const struct train_category *k = &u->o->categories[i];
        if (i)
            buf_char(b, ',');
        buf_json(b, slice_str(u->d->names[k->feature]));
        buf_puts(b, ":[");
        for (size_t t = 0; t < k->n; t++) {
            if (t)
                buf_char(b, ',');
            buf_json(b, k->texts[t]);
        }
        buf_char(b, ']');
    }
    buf_char(b, '}');
}

static enum keer_err set_attribute(struct run *u)
{
    struct buf b;
    buf_init(&b, LIMIT_MODEL_BYTES / 4);
    buf_puts(&b, "{\"version\":1,\"name\":");
    buf_json(&b, slice_str(u->card->name));
    buf_puts(&b, ",\"calibration\":");
    calibrate_print_json(&u->calibration, &b);
    buf_char(&b, ',');
    print_categories(u, &b);
    buf_puts(&b, ",\"card\":");
    card_print_json(u->card, &b);
    buf_char(&b, '}');
    enum keer_err err = b.err != KEER_OK ? b.err : xgb_set_attr(u->model, "keer", b.p);
    buf_release(&b);
    return err;
}

static enum keer_err write_model(struct run *u, struct buf *model)
{
    const char *names[LIMIT_FEATURES];
    for (unsigned c = 0; c < u->d->cols; c++)
        names[c] = u->d->names[c];
    u->card->calibration = u->calibration.kind;
    u->card->knots = u->calibration.knots;
    enum keer_err err = fill_importance(u);
    if (err == KEER_OK)
        err = xgb_set_names(u->model, names);
    if (err == KEER_OK)
        err = set_attribute(u);
    if (err == KEER_OK)
        err = xgb_save_json(u->model, model);
    return err;
}

static void start_card(struct run *u)
{
    static const char *const weights[TRAIN_WEIGHTS_MAX] = {
        [TRAIN_WEIGHTS_NONE] = "none", [TRAIN_WEIGHTS_BALANCED] = "balanced", [TRAIN_WEIGHTS_NUMBER] = "number"};
    static const char *const stops[XGB_METRIC_MAX] = {
        [XGB_AVERAGE_PRECISION] = "average_precision", [XGB_LOGLOSS] = "logloss"};
    const double none = (double)NAN;
    const struct train_options *o = u->o;
    struct model_card *c = u->card;
    *c = (struct model_card){.trained_us = o->trained_us,
                             .data = block_of(u->d),
                             .delay_days = o->early_stopping ? o->delay_days : 0,
                             .params = o->xgb,
                             .weights = weights[o->weights],
                             .stop_metric = o->early_stopping ? stops[o->stop_metric] : NULL,
                             .patience = o->patience,
                             .metrics = {none, none, none, none, {none, none}, {none, none}},
                             .cols = u->d->cols};
    (void)snprintf(c->name, sizeof c->name, "%s", o->name);
    (void)snprintf(c->tree_method, sizeof c->tree_method, "%s", o->xgb.tree_method);
}

enum keer_err train_run(const struct dataset *d, const struct train_options *o, struct buf *detail,
                        struct train_result *ret_r)
{
    struct run u = {.d = d, .o = o, .detail = detail};
    struct buf model;
    buf_init(&model, LIMIT_MODEL_BYTES);
    enum keer_err err = check_options(&u);
    if (err == KEER_OK && (d->rows == 0 || d->cols == 0))
        err = fail(&u, KEER_EMISSING, "no rows or no features to train on");
    if (err == KEER_OK && !(u.card = calloc(1, sizeof *u.card)))
        err = KEER_ENOMEM;
    if (err != KEER_OK)
        return err;
    start_card(&u);
    err = check_names(&u);
    if (err == KEER_OK)
        err = mark_categories(&u);
    if (err == KEER_OK)
        err = check_values(&u);
    if (err == KEER_OK)
        err = split(&u);
    if (err == KEER_OK)
        err = grow(&u);
    if (err == KEER_OK && o->early_stopping)
        err = judge(&u);
    if (err == KEER_OK && o->early_stopping && o->refit)
        err = grow_again(&u);
    if (err == KEER_OK)
        err = write_model(&u, &model);
    if (err == KEER_OK) {
        u.card->params.categorical = NULL;
        u.card->params.monotone = NULL;
        u.card->params.tree_method = NULL;
        ret_r->model = model;
        ret_r->card = *u.card;
    } else {
        buf_release(&model);
    }
    xgb_model_free(u.model);
    xgb_close(u.g);
    free(u.categorical);
    dataset_release(&u.train);
    dataset_release(&u.later);
    free(u.card);
    return err;
}

void train_result_release(struct train_result *r) { buf_release(&r->model); }
