/* report_charts.c - the charts of a report card. */
#include "learn/report_charts.h"

#include "learn/report_fmt.h"
#include "learn/svg.h"

#define WIDTH 520.0
#define HEIGHT 330.0
#define TIP_GAP 9.0

struct legend {
    const char *class, *text; /* class: line colour c1.. or area f1.. */
};

static void open_panel(struct buf *b, const char *title, const char *about)
{
    buf_fmt(b, "<figure class=\"panel\"><figcaption><h3>%s</h3><p>%s</p></figcaption>\n", title, about);
}

static void close_panel(struct buf *b, const struct legend *rows, size_t n)
{
    if (n)
        buf_puts(b, "<ul class=\"legend\">");
    for (size_t i = 0; i < n; i++)
        buf_fmt(b, "<li><i class=\"%s\"></i>%s</li>", rows[i].class, rows[i].text);
    buf_puts(b, n ? "</ul></figure>\n" : "</figure>\n");
}

static bool has_best(const struct report *r) { return !isnan(r->best.threshold); }

/* --- what a pointer is told -------------------------------------------------------------------------------------- */

struct told {
    const struct report *r;
    const struct report_point *curve;
    const struct report_budget *budgets;
};

static void tell_point(void *arg, size_t i, struct buf *b)
{
    const struct told *t = arg;
    const struct report *r = t->r;
    const struct report_point *p = &t->curve[i];
    double days = (double)r->days;
    buf_fmt(b, "threshold %s: %s alerts a day\n", cell_fixed(p->threshold, 4).s, cell_fixed((double)p->alerts / days, 1).s);
    buf_fmt(b, "precision %s, recall %s, ", cell_percent(report_precision(r, p)).s, cell_percent(report_recall(r, p)).s);
    buf_fmt(b, "disturbance %s", cell_percent(report_disturbance(r, p)).s);
    if (r->has_amount) {
        buf_fmt(b, "\nsaves %s a day, disturbs %s customers a day, ", cell_money(p->saved / days, r->currency).s,
                cell_fixed((double)p->customers / days, 1).s);
        buf_fmt(b, "net %s", cell_money(report_net(r, p), r->currency).s);
    }
}

static void tell_budget(void *arg, size_t i, struct buf *b)
{
    const struct told *t = arg;
    const struct report_budget *p = &t->budgets[i];
    buf_fmt(b, "%s alerts a day: precision %s, recall %s", cell_count(p->budget).s, cell_percent(p->precision).s,
            cell_percent(p->recall).s);
    if (t->r->has_amount)
        buf_fmt(b, ", of the money %s", cell_percent(p->money_recall).s);
}

static void best_dot(const struct svg *s, const struct report *r, struct svg_xy at)
{
    struct buf tip;
    struct told t = {.r = r, .curve = &r->best};
    buf_init(&tip, 1000);
    buf_puts(&tip, "best: ");
    tell_point(&t, 0, &tip);
    if (tip.err != KEER_OK && s->b->err == KEER_OK)
        s->b->err = tip.err;
    svg_dot(s, at, 6, "best", tip.p ? tip.p : "");
    buf_release(&tip);
}

/* --- ranking ------------------------------------------------------------------------------------------------------ */

void chart_precision_recall(const struct report *r, struct buf *b)
{
    struct svg_xy xy[REPORT_CURVE_MAX];
    struct svg s;
    if (r->curve_count == 0)
        return;
    for (size_t i = 0; i < r->curve_count; i++)
        xy[i] = (struct svg_xy){report_recall(r, &r->curve[i]), report_precision(r, &r->curve[i])};
    open_panel(b, "Precision and recall", "Of the alerts, how many are fraud; of the frauds, how many are alerted.");
    svg_open(&s, b, WIDTH, HEIGHT, "Precision against recall over all thresholds");
    s.x = (struct svg_axis){.max = 1, .unit = SVG_PERCENT, .label = "recall"};
    s.y = (struct svg_axis){.max = 1, .unit = SVG_PERCENT, .label = "precision"};
    svg_axes(&s);
    svg_area(&s, xy, r->curve_count, "wash w1");
    svg_segment(&s, (struct svg_xy){0, r->fraud_share}, (struct svg_xy){1, r->fraud_share}, "line dash c0");
    svg_line(&s, xy, r->curve_count, "c1");
    svg_tips(&s, xy, r->curve_count, TIP_GAP, tell_point, &(struct told){.r = r, .curve = r->curve});
    if (has_best(r))
        best_dot(&s, r, (struct svg_xy){report_recall(r, &r->best), report_precision(r, &r->best)});
    svg_close(&s);
    const struct legend rows[] = {{"c1", "the score"}, {"dash c0", "alerts at random"}, {"dot", "best threshold for money"}};
    close_panel(b, rows, has_best(r) ? 3 : 2);
}

void chart_roc(const struct report *r, struct buf *b)
{
    struct svg_xy xy[REPORT_CURVE_MAX], chance[61];
    struct svg s;
    if (r->curve_count == 0 || r->genuine == 0)
        return;
    double least = pow(10, floor(log10(MAX_OF(1 / (double)r->genuine, 1e-5)) + 1e-9));
    least = MIN_OF(least, 0.1);
    for (size_t i = 0; i < r->curve_count; i++)
        xy[i] = (struct svg_xy){report_disturbance(r, &r->curve[i]), report_recall(r, &r->curve[i])};
    for (size_t i = 0; i < ARRAY_LEN(chance); i++)
        chance[i].x = chance[i].y = pow(least, 1 - (double)i / (double)(ARRAY_LEN(chance) - 1));
    open_panel(b, "ROC: recall against disturbance",
               "Logarithmic to the left, where a live system works; the curve's area is on the usual scale.");
    svg_open(&s, b, WIDTH, HEIGHT, "ROC curve: recall against the share of genuine rows alerted, logarithmic");
    s.x = (struct svg_axis){.min = least, .max = 1, .log = true, .unit = SVG_PERCENT, .label = "genuine rows alerted"};
    s.y = (struct svg_axis){.max = 1, .unit = SVG_PERCENT, .label = "recall"};
    svg_axes(&s);
    svg_area(&s, xy, r->curve_count, "wash w1");
    if (least < REPORT_ANCHOR) {
        svg_segment(&s, (struct svg_xy){REPORT_ANCHOR, 0}, (struct svg_xy){REPORT_ANCHOR, 1}, "line dash c2");
        svg_text(&s, svg_x(&s, REPORT_ANCHOR) + 5, s.top + 12, "start", "note", "anchor 0.1 %");
    }
    svg_line(&s, chance, ARRAY_LEN(chance), "dash c0");
    svg_line(&s, xy, r->curve_count, "c1");
    svg_tips(&s, xy, r->curve_count, TIP_GAP, tell_point, &(struct told){.r = r, .curve = r->curve});
    if (has_best(r))
        best_dot(&s, r, (struct svg_xy){report_disturbance(r, &r->best), report_recall(r, &r->best)});
    svg_close(&s);
    const struct legend rows[] = {{"c1", "the score"}, {"dash c0", "a coin"}, {"dot", "best threshold for money"}};
    close_panel(b, rows, has_best(r) ? 3 : 2);
}

void chart_budgets(const struct report *r, struct buf *b)
{
    struct svg_xy lines[3][REPORT_BUDGET_CURVE_MAX];
    static const char *const classes[3] = {"c1", "c2", "c3 dash"};
    struct svg s;
    size_t n = r->budget_curve_count, shown = r->has_amount ? 3 : 2;
    if (n == 0)
        return;
    for (size_t i = 0; i < n; i++) {
        const struct report_budget *p = &r->budget_curve[i];
        lines[0][i] = (struct svg_xy){p->budget, p->precision};
        lines[1][i] = (struct svg_xy){p->budget, p->recall};
        lines[2][i] = (struct svg_xy){p->budget, p->money_recall};
    }
    open_panel(b, "Working a queue",
               "The highest scores of each day go to people: what they find, by how many they can see.");
    svg_open(&s, b, WIDTH, HEIGHT, "Precision and recall against alerts a day, logarithmic");
    s.x = (struct svg_axis){.min = 1, .max = MAX_OF(10.0, lines[0][n - 1].x), .log = true, .label = "alerts a day"};
    s.y = (struct svg_axis){.max = 1, .unit = SVG_PERCENT, .label = "share"};
    svg_axes(&s);
    for (size_t k = 0; k < shown; k++)
        svg_line(&s, lines[k], n, classes[k]);
    for (size_t k = 0; k < shown; k++)
        svg_tips(&s, lines[k], n, TIP_GAP, tell_budget, &(struct told){.r = r, .budgets = r->budget_curve});
    svg_close(&s);
    const struct legend rows[] = {{"c1", "precision"}, {"c2", "recall"}, {"c3 dash", "share of fraud money"}};
    close_panel(b, rows, shown);
}

/* --- money -------------------------------------------------------------------------------------------------------- */

/* How far to the right the chart looks: the best point in its left third, and never less than 1 % of what could be
 * disturbed. */
static double customers_shown(const struct report *r)
{
    double most = (double)r->curve[r->curve_count - 1].customers / (double)r->days;
    double want = has_best(r) ? 3 * (double)r->best.customers / (double)r->days : 0;
    return MIN_OF(MAX_OF(most, 1e-3), MAX_OF(want, most * 0.01));
}

/* Cuts the lines where they leave the chart; returns the number of points kept. */
static size_t cut_at(const struct svg_xy *a, size_t n, double max)
{
    size_t kept = 0;
    while (kept < n && a[kept].x <= max)
        kept++;
    return kept;
}

void chart_money(const struct report *r, struct buf *b)
{
    struct svg_xy saved[REPORT_CURVE_MAX + 1] = {{0, 0}}, net[REPORT_CURVE_MAX + 1] = {{0, 0}};
    struct svg s;
    double days = (double)r->days, max = 0;
    char about[160];
    if (r->curve_count == 0 || !r->has_amount || r->fraud_amount <= 0)
        return;
    for (size_t i = 0; i < r->curve_count; i++) {
        const struct report_point *p = &r->curve[i];
        saved[i + 1] = (struct svg_xy){(double)p->customers / days, p->saved / days};
        net[i + 1] = (struct svg_xy){(double)p->customers / days, report_net(r, p) < 0 ? (double)NAN : report_net(r, p)};
    }
    double shown = customers_shown(r);
    size_t n = cut_at(saved, r->curve_count + 1, shown);
    for (size_t i = 0; i < n; i++)
        max = MAX_OF(max, saved[i].y);
    (void)snprintf(about, sizeof about, "Every threshold is a point: what it stops, and whom it disturbs, at %s each.",
                   cell_money(r->disturb_cost, r->currency).s);
    open_panel(b, "Money saved against customers disturbed", about);
    svg_open(&s, b, WIDTH, HEIGHT, "Fraud money stopped a day against good customers disturbed a day");
    s.x = (struct svg_axis){.max = shown, .label = "good customers disturbed a day"};
    char label[32];
    (void)snprintf(label, sizeof label, "%.3s a day", currency_code(r->currency));
    s.y = (struct svg_axis){.max = MAX_OF(max, 1e-9) * 1.08, .label = label};
    svg_axes(&s);
    svg_line(&s, saved, n, "c1");
    svg_line(&s, net, n, "c3");
    if (n > 1)
        svg_tips(&s, saved + 1, n - 1, TIP_GAP, tell_point, &(struct told){.r = r, .curve = r->curve});
    if (has_best(r)) {
        double x = (double)r->best.customers / days;
        svg_segment(&s, (struct svg_xy){x, 0}, (struct svg_xy){x, r->best.saved / days}, "line dash c0");
        best_dot(&s, r, (struct svg_xy){x, report_net(r, &r->best)});
    }
    svg_close(&s);
    const struct legend rows[] = {{"c1", "fraud money stopped"}, {"c3", "net of the disturbed"}, {"dot", "best threshold"}};
    close_panel(b, rows, has_best(r) ? 3 : 2);
}

void chart_net(const struct report *r, struct buf *b)
{
    struct svg_xy xy[REPORT_CURVE_MAX];
    struct svg s;
    if (r->curve_count == 0 || !has_best(r))
        return;
    double best = report_net(r, &r->best), floor_ = -0.25 * best;
    for (size_t i = 0; i < r->curve_count; i++) {
        double net = report_net(r, &r->curve[i]);
        xy[i] = (struct svg_xy){r->curve[i].threshold, net < floor_ ? (double)NAN : net};
    }
    open_panel(b, "How much the threshold matters",
               "Net a day if everything at or above a threshold were stopped: flat at the top is safe.");
    svg_open(&s, b, WIDTH, HEIGHT, "Net saved a day against the threshold");
    char label[32];
    (void)snprintf(label, sizeof label, "net %.3s a day", currency_code(r->currency));
    s.x = (struct svg_axis){.min = MIN_OF(0.0, r->curve[r->curve_count - 1].threshold),
                            .max = MAX_OF(1.0, r->curve[0].threshold),
                            .unit = SVG_PLAIN,
                            .label = "threshold (score)"};
    s.y = (struct svg_axis){.min = floor_, .max = best * 1.12, .label = label};
    svg_axes(&s);
    svg_segment(&s, (struct svg_xy){s.x.min, 0}, (struct svg_xy){s.x.max, 0}, "base");
    svg_line(&s, xy, r->curve_count, "c3");
    svg_tips(&s, xy, r->curve_count, TIP_GAP, tell_point, &(struct told){.r = r, .curve = r->curve});
    best_dot(&s, r, (struct svg_xy){r->best.threshold, best});
    bool right = r->best.threshold > (s.x.min + s.x.max) / 2;
    char text[128];
    (void)snprintf(text, sizeof text, "%s at %s", cell_money_short(best, r->currency).s, cell_fixed(r->best.threshold, 3).s);
    svg_text(&s, svg_x(&s, r->best.threshold) + (right ? -10 : 10), svg_y(&s, best) - 8, right ? "end" : "start", "note",
             text);
    svg_close(&s);
    const struct legend rows[] = {{"c3", "net saved"}, {"dot", "best threshold"}};
    close_panel(b, rows, 2);
}

/* --- scenarios ---------------------------------------------------------------------------------------------------- */

#define BAR_PITCH_MIN 46.0
#define BAR_PITCH_MAX 84.0

/* One scenario: its name and size, the bar of outcomes, the mark of the score. */
static void scenario_bar(const struct svg *s, const struct report *r, const struct report_scenario *sc, double y,
                         double height)
{
    static const struct {
        unsigned outcome;
        const char *class, *word;
    } parts[] = {{REPORT_DENY, "f1", "denied"},
                 {REPORT_CHALLENGE, "f3", "challenged"},
                 {REPORT_REVIEW, "f4", "reviewed"},
                 {REPORT_ALLOW, "f0", "allowed"}};
    struct name name = name_clean(slice_str(sc->name[0] ? sc->name : "(not told)"), 28);
    char text[160];
    (void)snprintf(text, sizeof text, "%s frauds%s%s", cell_count(sc->frauds).s, r->has_amount ? ", " : "",
                   r->has_amount ? cell_money_short(sc->amount, r->currency).s : "");
    svg_text(s, s->left, y + 12, "start", "bar", name.s);
    svg_text(s, s->right, y + 12, "end", "tick", text);
    double x = s->left;
    for (size_t k = 0; k < ARRAY_LEN(parts); k++) {
        double share = (double)sc->by_outcome[parts[k].outcome] / (double)sc->frauds, width = share * (s->right - s->left);
        (void)snprintf(text, sizeof text, "%.40s: %s %s (%s)", parts[k].word, cell_count(sc->by_outcome[parts[k].outcome]).s,
                       "frauds", cell_percent(share).s);
        svg_rect(s, x, y + 19, width > 2 ? width - 1 : width, height, parts[k].class, text);
        x += width;
    }
    if (r->has_score) {
        (void)snprintf(text, sizeof text, "by score alone: %s", cell_percent(sc->ranked_recall).s);
        double at = s->left + sc->ranked_recall * (s->right - s->left);
        svg_rect(s, MIN_OF(at, s->right - 3) - 1.5, y + 16, 4.5, height + 6, "mark", text);
    }
}

void chart_scenarios(const struct report *r, struct buf *b)
{
    struct svg s;
    unsigned n = 0;
    for (unsigned i = 0; i < r->scenario_count; i++)
        n += r->scenarios[i].frauds > 0;
    if (n == 0 || (!r->has_decisions && !r->has_score))
        return;
    double pitch = (HEIGHT - 40) / n;
    pitch = pitch < BAR_PITCH_MIN ? BAR_PITCH_MIN : pitch > BAR_PITCH_MAX ? BAR_PITCH_MAX : pitch;
    open_panel(
        b, "Kinds of fraud",
        r->has_score
            ? "What the decisions did with each; the mark is what the score alone would catch with as many alerts as frauds."
            : "What the decisions did with each kind.");
    svg_open(&s, b, WIDTH, 40 + n * pitch, "Share of frauds denied, challenged, reviewed and allowed, by kind of fraud");
    s.left = 8;
    s.right = WIDTH - 8;
    s.top = 4;
    s.bottom = 8 + n * pitch;
    for (unsigned i = 0, row = 0; i < r->scenario_count; i++)
        if (r->scenarios[i].frauds)
            scenario_bar(&s, r, &r->scenarios[i], s.top + pitch * row++, pitch * 0.5 - 9);
    for (int k = 0; k <= 4; k++) {
        double x = s.left + k * (s.right - s.left) / 4;
        svg_text(&s, x, s.bottom + 16, k == 0 ? "start" : k == 4 ? "end" : "middle", "tick", cell_level(k / 4.0).s);
    }
    svg_close(&s);
    const struct legend rows[] = {
        {"f1", "denied"}, {"f3", "challenged"}, {"f4", "reviewed"}, {"f0", "allowed"}, {"bar mark", "by score"}};
    close_panel(b, rows, r->has_score ? 5 : 4);
}

/* --- days --------------------------------------------------------------------------------------------------------- */

#define BARS_MAX 70

struct span {
    uint64_t days; /* of one bar */
    size_t n;
    struct report_day sum[BARS_MAX];
    int64_t from[BARS_MAX];
};

static void gather_days(const struct report *r, struct span *ret)
{
    static const uint64_t lengths[] = {1, 7, 28, 91, 365};
    uint64_t length = (r->days + BARS_MAX - 1) / BARS_MAX;
    for (size_t k = ARRAY_LEN(lengths); k-- > 0;)
        if (lengths[k] >= length)
            ret->days = lengths[k];
    ret->days = MAX_OF(ret->days, length);
    ret->n = (size_t)((r->days + ret->days - 1) / ret->days);
    for (uint64_t i = 0; i < r->days; i++) {
        const struct report_day *day = &r->day[i];
        struct report_day *sum = &ret->sum[i / ret->days];
        if (i % ret->days == 0)
            ret->from[i / ret->days] = r->day0_us + (int64_t)i * US_DAY;
        sum->rows += day->rows;
        sum->frauds += day->frauds;
        sum->acted += day->acted;
        sum->caught += day->caught;
        sum->ranked += day->ranked;
        sum->ranked_caught += day->ranked_caught;
        sum->lost += day->lost;
    }
}

/* What counts as an alert of a day: decisions where there are any, else the highest scores, else all rows. */
static uint64_t alerts_of(const struct report *r, const struct report_day *d)
{
    return r->has_decisions ? d->acted : r->has_score ? d->ranked : d->rows;
}
static uint64_t caught_of(const struct report *r, const struct report_day *d)
{
    return r->has_decisions ? d->caught : r->has_score ? d->ranked_caught : 0;
}

static void day_bars(struct svg *s, const struct report *r, const struct span *span, bool frauds)
{
    double pitch = (s->right - s->left) / (double)span->n, width = pitch > 4 ? pitch * 0.82 : pitch;
    for (size_t i = 0; i < span->n; i++) {
        const struct report_day *d = &span->sum[i];
        double x = s->left + pitch * ((double)i + 0.5) - width / 2;
        char tip[160];
        uint64_t caught = frauds ? caught_of(r, d) : 0, missed = d->frauds - caught;
        int n = snprintf(tip, sizeof tip, "%s%s: %s rows, %s %s", cell_date(span->from[i]).s, span->days > 1 ? " on" : "",
                         cell_count(d->rows).s, cell_count(alerts_of(r, d)).s, r->has_decisions ? "stopped" : "alerts");
        if (r->has_labels && n > 0 && (size_t)n < sizeof tip)
            (void)snprintf(tip + n, sizeof tip - (size_t)n, "; %s frauds, %s caught", cell_count(d->frauds).s,
                           cell_count(caught_of(r, d)).s);
        if (!frauds) {
            double y = svg_y(s, (double)alerts_of(r, d));
            svg_rect(s, x, y, width, s->bottom - y, "f0", tip);
            continue;
        }
        double low = svg_y(s, (double)caught), high = svg_y(s, (double)(caught + missed));
        svg_rect(s, x, low, width, s->bottom - low, "f1", tip);
        svg_rect(s, x, high, width, low - high, "f2", tip);
    }
}

static void day_dates(const struct svg *s, const struct report *r, const struct span *span)
{
    size_t step = (span->n + 4) / 5;
    double pitch = (s->right - s->left) / (double)span->n;
    for (size_t i = 0; i < span->n; i += step) {
        double x = s->left + pitch * ((double)i + 0.5);
        svg_text(s, x, s->bottom + 18, x > s->right - 24 ? "end" : "middle", "tick",
                 cell_day(span->from[i], r->days > 400).s);
    }
}

void chart_days(const struct report *r, struct buf *b)
{
    struct span span = {0};
    struct svg s;
    double alerts = 0, frauds = 0;
    char title[48];
    gather_days(r, &span);
    for (size_t i = 0; i < span.n; i++) {
        alerts = MAX_OF(alerts, (double)alerts_of(r, &span.sum[i]));
        frauds = MAX_OF(frauds, (double)span.sum[i].frauds);
    }
    (void)snprintf(title, sizeof title,
                   span.days == 1   ? "Day by day"
                   : span.days == 7 ? "Week by week"
                                    : "In steps of %llu days",
                   (unsigned long long)span.days);
    char about[160] = "Rows that met a challenge, a review or a denial.";
    if (!r->has_decisions)
        (void)snprintf(about, sizeof about,
                       r->has_score ? "Nothing was stopped: the %s highest scores of each day count as alerts."
                                    : "Nothing was stopped.",
                       cell_count(r->card_k).s);
    open_panel(b, title, about);
    svg_open(&s, b, WIDTH, HEIGHT, "Alerts and frauds over time");
    double floor_ = s.bottom;
    bool two = frauds > 0;
    if (two)
        s.bottom = s.top + (floor_ - s.top) * 0.42;
    s.y = (struct svg_axis){.max = MAX_OF(alerts, 1.0) * 1.05,
                            .label = r->has_decisions ? "stopped"
                                     : r->has_score   ? "alerts"
                                                      : "rows"};
    svg_axes(&s);
    day_bars(&s, r, &span, /* frauds */ false);
    if (two) {
        s.top = s.bottom + 20;
        s.bottom = floor_;
        s.y = (struct svg_axis){.max = frauds * 1.05, .label = "frauds"};
        svg_axes(&s);
        day_bars(&s, r, &span, /* frauds */ true);
    }
    day_dates(&s, r, &span);
    svg_close(&s);
    const struct legend rows[] = {{"f0", r->has_decisions ? "rows stopped"
                                         : r->has_score   ? "alerts"
                                                          : "rows"},
                                  {"f1", "frauds caught"},
                                  {"f2", "frauds missed"}};
    close_panel(b, rows, two ? 3 : 1);
}

/* --- calibration -------------------------------------------------------------------------------------------------- */

/* Wilson's interval at 95 % for k of n. */
static struct svg_xy wilson(double k, double n)
{
    double z = 1.959964, p = k / n, d = 1 + z * z / n;
    double middle = (p + z * z / (2 * n)) / d, half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / d;
    return (struct svg_xy){MAX_OF(middle - half, 0.0), MIN_OF(middle + half, 1.0)};
}

void chart_calibration(const struct report *r, struct buf *b)
{
    struct svg_xy xy[REPORT_BINS];
    struct svg s;
    char tip[160];
    if (!r->has_score || r->frauds == 0)
        return;
    open_panel(
        b, "Does 0.7 mean 70 %?",
        "Share of fraud among rows of similar score, with its 95 % interval; on the diagonal the score is a probability.");
    svg_open(&s, b, WIDTH, HEIGHT, "Calibration: observed share of fraud against mean score");
    s.x = (struct svg_axis){.max = 1, .unit = SVG_PLAIN, .label = "mean score"};
    s.y = (struct svg_axis){.max = 1, .unit = SVG_PERCENT, .label = "observed fraud"};
    svg_axes(&s);
    svg_segment(&s, (struct svg_xy){0, 0}, (struct svg_xy){1, 1}, "line dash c0");
    for (size_t i = 0; i < REPORT_BINS; i++) {
        const struct report_bin *bin = &r->bins[i];
        xy[i] = (struct svg_xy){bin->score_mean, bin->fraud_share};
        if (bin->rows == 0)
            continue;
        struct svg_xy range = wilson((double)bin->frauds, (double)bin->rows);
        svg_segment(&s, (struct svg_xy){bin->score_mean, range.x}, (struct svg_xy){bin->score_mean, range.y}, "whisker");
    }
    svg_line(&s, xy, REPORT_BINS, "c1");
    for (size_t i = 0; i < REPORT_BINS; i++) {
        const struct report_bin *bin = &r->bins[i];
        (void)snprintf(tip, sizeof tip, "score %.1f to %.1f: %s rows, %s fraud", (double)i / REPORT_BINS,
                       (double)(i + 1) / REPORT_BINS, cell_count(bin->rows).s, cell_percent(bin->fraud_share).s);
        svg_dot(&s, xy[i], 4.5, "f1", tip);
    }
    svg_close(&s);
    const struct legend rows[] = {{"c1", "the score"}, {"whisker", "95 % interval"}, {"dash c0", "a perfect probability"}};
    close_panel(b, rows, 3);
}
