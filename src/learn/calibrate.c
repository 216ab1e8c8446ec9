/* calibrate.c - isotonic regression and Platt scaling on a later block of time. */
#include "learn/calibrate.h"

#include <math.h>

struct point {
    double x, y, w; /* raw probability, mean label, weight */
    size_t row;     /* makes the order total */
};
/* A pool of points with one level: [from, to] of x. */
struct pool {
    double from, to, sum, w; /* level = sum / w */
};

static double sigmoid(double z) { return z >= 0 ? 1 / (1 + exp(-z)) : exp(z) / (1 + exp(z)); }
static double row_weight(const struct calibration_rows *rows, size_t r)
{
    return rows->weight ? (double)rows->weight[r] : 1;
}

static bool rows_valid(const struct calibration_rows *rows)
{
    for (size_t r = 0; r < rows->n; r++) {
        double w = row_weight(rows, r);
        if (isnan(rows->margin[r]) || !(w > 0) || !isfinite(w))
            return false;
    }
    return true;
}

static int by_x(const void *a, const void *b)
{
    const struct point *p = a, *q = b;
    if (p->x < q->x || p->x > q->x)
        return p->x < q->x ? -1 : 1;
    return (p->row > q->row) - (p->row < q->row);
}

static enum keer_err sorted_points(const struct calibration *c, const struct calibration_rows *rows,
                                   struct point **ret_points)
{
    struct point *p = malloc((rows->n + 1) * sizeof *p);
    if (!p)
        return KEER_ENOMEM;
    for (size_t r = 0; r < rows->n; r++)
        p[r] = (struct point){.x = calibrate_apply(c, (double)rows->margin[r]),
                              .y = rows->label[r] ? 1 : 0,
                              .w = row_weight(rows, r),
                              .row = r};
    qsort(p, rows->n, sizeof *p, by_x);
    *ret_points = p;
    return KEER_OK;
}

/* --- isotonic ----------------------------------------------------------------------------------------------------- */

/* Pool adjacent violators, in place of a stack: a new pool swallows its predecessors as long as they are not below it. */
static size_t pool_violators(const struct point *p, size_t n, struct pool *pools)
{
    size_t top = 0;
    for (size_t i = 0; i < n;) {
        struct pool now = {.from = p[i].x, .to = p[i].x};
        for (; i < n && p[i].x <= now.to; i++) { /* equal x are one point */
            now.sum += p[i].y * p[i].w;
            now.w += p[i].w;
        }
        while (top && pools[top - 1].sum * now.w >= now.sum * pools[top - 1].w) {
            top--;
            now.from = pools[top].from;
            now.sum += pools[top].sum;
            now.w += pools[top].w;
        }
        pools[top++] = now;
    }
    return top;
}

static void add_knot(struct calibration *c, double x, double y)
{
    c->x[c->knots] = x;
    c->y[c->knots] = (1 - CALIBRATION_TILT) * MIN_OF(MAX_OF(y, 0.0), 1.0) + CALIBRATION_TILT * x;
    c->knots++;
}

/* Corner 2i is the start of pool i and corner 2i + 1 its end; evenly thinned when they are too many, which keeps the
 * level of both ends. Corners with the same x (a pool of one point) are one knot. */
static void knots_from_pools(const struct pool *pools, size_t n, struct calibration *c)
{
    size_t corners = 2 * n, max = LIMIT_CALIBRATION_KNOTS - 2, take = MIN_OF(corners, max);
    double y_last = 0;
    for (size_t k = 0; k < take; k++) {
        size_t corner = (size_t)((u128)k * (corners - 1) / (take - 1));
        const struct pool *p = &pools[corner / 2];
        double x = corner % 2 ? p->to : p->from, y = p->sum / p->w;
        if (k == 0 && x > 0)
            add_knot(c, 0, y);
        if (c->knots == 0 || x > c->x[c->knots - 1])
            add_knot(c, x, y);
        y_last = y;
    }
    if (c->x[c->knots - 1] < 1)
        add_knot(c, 1, y_last);
}

enum keer_err calibrate_isotonic(const struct calibration_rows *rows, struct calibration *ret_c)
{
    static const struct calibration raw = {.kind = CALIBRATION_NONE};
    if (rows->n == 0 || !rows_valid(rows))
        return KEER_EINVALID;
    struct point *points;
    enum keer_err err = sorted_points(&raw, rows, &points);
    if (err != KEER_OK)
        return err;
    struct pool *pools = malloc(rows->n * sizeof *pools);
    if (!pools) {
        free(points);
        return KEER_ENOMEM;
    }
    size_t n = pool_violators(points, rows->n, pools);
    *ret_c = (struct calibration){.kind = CALIBRATION_ISOTONIC};
    knots_from_pools(pools, n, ret_c);
    free(pools);
    free(points);
    return KEER_OK;
}

/* --- Platt -------------------------------------------------------------------------------------------------------- */

/* The log loss of a, b against the smoothed targets, with gradient and Hessian. */
struct loss {
    double value, ga, gb, haa, hab, hbb;
};

static struct loss platt_loss(const struct calibration_rows *rows, const double target[2], double a, double b)
{
    struct loss l = {0};
    for (size_t r = 0; r < rows->n; r++) {
        double f = MIN_OF(MAX_OF((double)rows->margin[r], -700.0), 700.0);
        double w = row_weight(rows, r), t = target[rows->label[r] != 0];
        double z = a * f + b, p = sigmoid(-z), d = w * (t - p), h = w * p * (1 - p);
        l.value += w * (z >= 0 ? t * z + log1p(exp(-z)) : (t - 1) * z + log1p(exp(z)));
        l.ga += f * d;
        l.gb += d;
        l.haa += f * f * h;
        l.hab += f * h;
        l.hbb += h;
    }
    return l;
}

/* Newton's method with halved steps; `slope` false keeps a as it is. The loss is convex in (a, b). */
static void platt_descend(const struct calibration_rows *rows, const double target[2], bool slope, double *a, double *b)
{
    struct loss l = platt_loss(rows, target, *a, *b);
    for (int round = 0; round < 100; round++) {
        double ridge = 1e-12 * (1 + l.haa + l.hbb), haa = l.haa + ridge, hbb = l.hbb + ridge,
               det = haa * hbb - l.hab * l.hab;
        double da = slope ? -(hbb * l.ga - l.hab * l.gb) / det : 0;
        double db = slope ? -(haa * l.gb - l.hab * l.ga) / det : -l.gb / hbb;
        double expected = l.ga * da + l.gb * db, step = 1;
        if (!(expected < -1e-12 * (1 + fabs(l.value))))
            return;
        struct loss next = platt_loss(rows, target, *a + da, *b + db);
        while (!(next.value <= l.value + 1e-4 * step * expected) && step > 1e-10) {
            step /= 2;
            next = platt_loss(rows, target, *a + step * da, *b + step * db);
        }
        if (!(next.value <= l.value))
            return;
        *a += step * da;
        *b += step * db;
        l = next;
    }
}

enum keer_err calibrate_platt(const struct calibration_rows *rows, struct calibration *ret_c)
{
    /* A model that ranks the wrong way round must not be turned over: the curve stays (just) rising. */
    static const double slope_min = 1e-3;
    double weight[2] = {0, 0};
    if (rows->n == 0 || !rows_valid(rows))
        return KEER_EINVALID;
    for (size_t r = 0; r < rows->n; r++)
        weight[rows->label[r] != 0] += row_weight(rows, r);
    double target[2] = {1 / (weight[0] + 2), (weight[1] + 1) / (weight[1] + 2)};
    double a = -1, b = log((weight[0] + 1) / (weight[1] + 1));
    platt_descend(rows, target, /*slope*/ true, &a, &b);
    if (!(a <= -slope_min)) {
        a = -slope_min;
        b = log((weight[0] + 1) / (weight[1] + 1));
        platt_descend(rows, target, /*slope*/ false, &a, &b);
    }
    *ret_c = (struct calibration){.kind = CALIBRATION_PLATT, .a = a, .b = b};
    return KEER_OK;
}

/* --- both --------------------------------------------------------------------------------------------------------- */

enum keer_err calibrate_fit(const struct calibration_rows *rows, struct calibration *ret_c)
{
    size_t frauds = 0;
    if (!rows_valid(rows))
        return KEER_EINVALID;
    for (size_t r = 0; r < rows->n; r++)
        frauds += rows->label[r] != 0;
    if (frauds == 0 || frauds == rows->n) {
        *ret_c = (struct calibration){.kind = CALIBRATION_NONE};
        return KEER_OK;
    }
    return frauds < CALIBRATION_FRAUDS_MIN ? calibrate_platt(rows, ret_c) : calibrate_isotonic(rows, ret_c);
}

static double interpolate(const struct calibration *c, double x)
{
    if (!(x > c->x[0]))
        return c->y[0];
    if (x >= c->x[c->knots - 1])
        return c->y[c->knots - 1];
    unsigned lo = 0, hi = c->knots - 1; /* x[lo] < x < x[hi], or x = x[lo] */
    while (hi - lo > 1) {
        unsigned mid = lo + (hi - lo) / 2;
        if (c->x[mid] <= x)
            lo = mid;
        else
            hi = mid;
    }
    return c->y[lo] + (c->y[hi] - c->y[lo]) * ((x - c->x[lo]) / (c->x[hi] - c->x[lo]));
}

double calibrate_apply(const struct calibration *c, double margin)
{
    switch (c->kind) {
    case CALIBRATION_ISOTONIC: return interpolate(c, sigmoid(margin));
    case CALIBRATION_PLATT: return sigmoid(-(c->a * margin + c->b));
    case CALIBRATION_NONE:
    case CALIBRATION_KIND_MAX: break;
    }
    return sigmoid(margin);
}

enum keer_err calibrate_quality(const struct calibration *c, const struct calibration_rows *rows,
                                struct calibration_quality *ret_q)
{
    struct point *p;
    if (!rows_valid(rows))
        return KEER_EINVALID;
    enum keer_err err = sorted_points(c, rows, &p);
    if (err != KEER_OK)
        return err;
    double brier = 0, ece = 0, total = 0;
    for (size_t bin = 0, i = 0; bin < CALIBRATION_BINS; bin++) {
        double gap = 0, w = 0;
        for (; i < rows->n * (bin + 1) / CALIBRATION_BINS; i++) {
            brier += p[i].w * (p[i].x - p[i].y) * (p[i].x - p[i].y);
            gap += p[i].w * (p[i].x - p[i].y);
            w += p[i].w;
        }
        ece += fabs(gap);
        total += w;
    }
    free(p);
    *ret_q = (struct calibration_quality){.brier = brier / total, .ece = ece / total};
    return KEER_OK;
}

enum keer_err calibrate_quality_unseen(const struct calibration_rows *rows, struct calibration_quality *ret_q)
{
    size_t half = rows->n / 2;
    struct calibration_rows parts[2] = {*rows, *rows};
    parts[0].n = half;
    parts[1].n = rows->n - half;
    parts[1].margin += half;
    parts[1].label += half;
    if (rows->weight)
        parts[1].weight += half;
    double weights = 0;
    struct calibration_quality sum = {0};
    for (int k = 0; k < 2; k++) {
        struct calibration c;
        struct calibration_quality q;
        double w = 0;
        enum keer_err err = calibrate_fit(&parts[1 - k], &c);
        if (err == KEER_OK)
            err = calibrate_quality(&c, &parts[k], &q);
        if (err != KEER_OK)
            return err;
        for (size_t r = 0; r < parts[k].n; r++)
            w += row_weight(&parts[k], r);
        if (w > 0) {
            sum.brier += w * q.brier;
            sum.ece += w * q.ece;
            weights += w;
        }
    }
    *ret_q = (struct calibration_quality){.brier = sum.brier / weights, .ece = sum.ece / weights};
    return KEER_OK;
}

const char *calibration_kind_name(enum calibration_kind kind)
{
    static const char *const names[CALIBRATION_KIND_MAX] = {
        [CALIBRATION_NONE] = "none", [CALIBRATION_ISOTONIC] = "isotonic", [CALIBRATION_PLATT] = "platt"};
    return kind < CALIBRATION_KIND_MAX ? names[kind] : "none";
}

static void print_numbers(const char *key, const double *v, unsigned n, struct buf *b)
{
    buf_fmt(b, ",\"%s\":[", key);
    for (unsigned i = 0; i < n; i++) {
        if (i)
            buf_char(b, ',');
        buf_f64(b, v[i]);
    }
    buf_char(b, ']');
}

void calibrate_print_json(const struct calibration *c, struct buf *ret_json)
{
    buf_fmt(ret_json, "{\"kind\":\"%s\"", calibration_kind_name(c->kind));
    if (c->kind == CALIBRATION_ISOTONIC) {
        print_numbers("x", c->x, c->knots, ret_json);
        print_numbers("y", c->y, c->knots, ret_json);
    } else if (c->kind == CALIBRATION_PLATT) {
        buf_puts(ret_json, ",\"a\":");
        buf_f64(ret_json, c->a);
        buf_puts(ret_json, ",\"b\":");
        buf_f64(ret_json, c->b);
    }
    buf_char(ret_json, '}');
}
