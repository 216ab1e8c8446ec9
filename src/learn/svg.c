/* svg.c - small charts as inline SVG. */
#include "learn/svg.h"

#include <math.h>

#include "learn/report_fmt.h"

#define MARGIN_LEFT 70.0
#define MARGIN_RIGHT 20.0
#define MARGIN_TOP 14.0
#define MARGIN_BOTTOM 46.0
#define TICKS_MAX 12

double svg_round_up(double v)
{
    static const double steps[] = {1, 2, 2.5, 5, 10};
    if (!(v > 0) || !isfinite(v))
        return 1;
    double power = pow(10, floor(log10(v)));
    for (size_t i = 0; i < ARRAY_LEN(steps); i++)
        if (steps[i] * power >= v * (1 - 1e-9))
            return steps[i] * power;
    return 10 * power;
}

void svg_open(struct svg *s, struct buf *b, double width, double height, const char *about)
{
    *s = (struct svg){.b = b,
                      .width = width,
                      .height = height,
                      .left = MARGIN_LEFT,
                      .top = MARGIN_TOP,
                      .right = width - MARGIN_RIGHT,
                      .bottom = height - MARGIN_BOTTOM,
                      .x = {.max = 1},
                      .y = {.max = 1}};
    buf_fmt(b, "<svg class=\"chart\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"", width, height);
    buf_html(b, slice_str(about));
    buf_puts(b, "\">\n");
}

void svg_close(struct svg *s) { buf_puts(s->b, "</svg>\n"); }

/* 0..1 along the axis. */
static double along(const struct svg_axis *a, double v)
{
    double at =
        a->log ? (log(MAX_OF(v, a->min)) - log(a->min)) / (log(a->max) - log(a->min)) : (v - a->min) / (a->max - a->min);
    return at < 0 ? 0 : at > 1 ? 1 : at;
}

double svg_x(const struct svg *s, double v) { return s->left + along(&s->x, v) * (s->right - s->left); }
double svg_y(const struct svg *s, double v) { return s->bottom - along(&s->y, v) * (s->bottom - s->top); }

/* Where the ticks of an axis are; at most TICKS_MAX of them. */
static size_t ticks(const struct svg_axis *a, double ret_at[static TICKS_MAX])
{
    size_t n = 0;
    if (a->log) {
        double decades = log10(a->max / a->min);
        double per = decades > 2.2 ? 1 : 3; /* only the tens, or 1, 2, 5 */
        static const double steps[] = {1, 2, 5};
        for (double power = floor(log10(a->min) + 1e-9); n < TICKS_MAX && power <= log10(a->max) + 1e-9; power++)
            for (size_t k = 0; k < (size_t)per && n < TICKS_MAX; k++) {
                double v = steps[k] * pow(10, power);
                if (v >= a->min * (1 - 1e-9) && v <= a->max * (1 + 1e-9))
                    ret_at[n++] = v;
            }
        return n;
    }
    double step = svg_round_up((a->max - a->min) / 6);
    for (double k = ceil(a->min / step - 1e-9); n < TICKS_MAX && k * step <= a->max + step * 1e-9; k++)
        ret_at[n++] = k * step;
    return n;
}

static struct cell tick_text(const struct svg_axis *a, double v)
{
    struct cell c = cell_short(v);
    switch (a->unit) {
    case SVG_NUMBER: break;
    case SVG_PERCENT: (void)snprintf(c.s, sizeof c.s, "%.4g %%", fabs(v) < 1e-12 ? 0.0 : v * 100); break;
    case SVG_PLAIN: (void)snprintf(c.s, sizeof c.s, "%.4g", fabs(v) < 1e-12 ? 0.0 : v); break;
    }
    return c;
}

void svg_text(const struct svg *s, double x, double y, const char *anchor, const char *class, const char *text)
{
    buf_fmt(s->b, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" class=\"%s\">", x, y, anchor, class);
    buf_html(s->b, slice_str(text));
    buf_puts(s->b, "</text>\n");
}

static void rule(const struct svg *s, double x1, double y1, double x2, double y2, const char *class)
{
    buf_fmt(s->b, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"%s\"/>\n", x1, y1, x2, y2, class);
}

void svg_axes(const struct svg *s)
{
    double at[TICKS_MAX];
    if (s->y.label) {
        size_t n = ticks(&s->y, at);
        for (size_t i = 0; i < n; i++) {
            double y = svg_y(s, at[i]);
            rule(s, s->left, y, s->right, y, "grid");
            svg_text(s, s->left - 8, y + 4, "end", "tick", tick_text(&s->y, at[i]).s);
        }
        double middle = (s->top + s->bottom) / 2;
        buf_fmt(s->b, "<text transform=\"translate(12 %.1f) rotate(-90)\" text-anchor=\"middle\" class=\"axis\">", middle);
        buf_html(s->b, slice_str(s->y.label));
        buf_puts(s->b, "</text>\n");
    }
    if (s->x.label) {
        size_t n = ticks(&s->x, at);
        for (size_t i = 0; i < n; i++) {
            double x = svg_x(s, at[i]);
            rule(s, x, s->top, x, s->bottom, "grid");
            svg_text(s, x, s->bottom + 18, "middle", "tick", tick_text(&s->x, at[i]).s);
        }
        svg_text(s, (s->left + s->right) / 2, s->height - 6, "middle", "axis", s->x.label);
    }
    rule(s, s->left, s->bottom, s->right, s->bottom, "base");
}

static bool drawable(struct svg_xy p) { return isfinite(p.x) && isfinite(p.y); }

void svg_line(const struct svg *s, const struct svg_xy *p, size_t n, const char *class)
{
    bool started = false;
    for (size_t i = 0; i < n; i++) {
        if (!drawable(p[i]))
            continue;
        if (!started)
            buf_fmt(s->b, "<path class=\"line %s\" d=\"M", class);
        else
            buf_char(s->b, 'L');
        buf_fmt(s->b, "%.1f %.1f", svg_x(s, p[i].x), svg_y(s, p[i].y));
        started = true;
    }
    if (started)
        buf_puts(s->b, "\"/>\n");
}

void svg_area(const struct svg *s, const struct svg_xy *p, size_t n, const char *class)
{
    double last = (double)NAN;
    for (size_t i = 0; i < n; i++) {
        if (!drawable(p[i]))
            continue;
        double x = svg_x(s, p[i].x);
        if (isnan(last))
            buf_fmt(s->b, "<path class=\"%s\" d=\"M%.1f %.1f", class, x, s->bottom);
        buf_fmt(s->b, "L%.1f %.1f", x, svg_y(s, p[i].y));
        last = x;
    }
    if (!isnan(last))
        buf_fmt(s->b, "L%.1f %.1fZ\"/>\n", last, s->bottom);
}

void svg_segment(const struct svg *s, struct svg_xy from, struct svg_xy to, const char *class)
{
    if (drawable(from) && drawable(to))
        rule(s, svg_x(s, from.x), svg_y(s, from.y), svg_x(s, to.x), svg_y(s, to.y), class);
}

void svg_dot(const struct svg *s, struct svg_xy at, double radius, const char *class, const char *tip)
{
    if (!drawable(at))
        return;
    buf_fmt(s->b, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" class=\"%s\"><title>", svg_x(s, at.x), svg_y(s, at.y), radius,
            class);
    buf_html(s->b, slice_str(tip));
    buf_puts(s->b, "</title></circle>\n");
}

void svg_tips(const struct svg *s, const struct svg_xy *p, size_t n, double gap,
              void (*tip)(void *arg, size_t i, struct buf *b), void *arg)
{
    double x = (double)NAN, y = (double)NAN;
    struct buf text;
    buf_init(&text, 1000);
    for (size_t i = 0; i < n; i++) {
        if (!drawable(p[i]))
            continue;
        double px = svg_x(s, p[i].x), py = svg_y(s, p[i].y);
        if (!isnan(x) && hypot(px - x, py - y) < gap && i + 1 < n)
            continue;
        x = px;
        y = py;
        buf_clear(&text);
        tip(arg, i, &text);
        if (text.err != KEER_OK && s->b->err == KEER_OK)
            s->b->err = text.err;
        svg_dot(s, p[i], 5, "tip", text.p ? text.p : "");
    }
    buf_release(&text);
}

void svg_rect(const struct svg *s, double x, double y, double width, double height, const char *class, const char *tip)
{
    if (!(width > 0) || !(height > 0))
        return;
    buf_fmt(s->b, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" class=\"%s\"><title>", x, y, width, height,
            class);
    buf_html(s->b, slice_str(tip));
    buf_puts(s->b, "</title></rect>\n");
}
