/* svg.h - small charts as inline SVG: axes with ticks and grid, lines, dots, bars, and what a pointer or a screen reader is
 * told.
 *
 * Invariants: no script, no reference, no colour: everything has a class (c1.. for lines, f1.. for areas) and the page's
 * style sheet decides. Values outside an axis are clamped to it, NaN are left out. Text is escaped. Errors stick in the
 * buffer.
 */
#ifndef LEARN_SVG_H
#define LEARN_SVG_H
#include "base/buf.h"

enum svg_unit { SVG_NUMBER, SVG_PERCENT, SVG_PLAIN }; /* 1.2k; 0.5 %; 0.25 */

struct svg_axis {
    double min, max; /* min < max; both > 0 when log */
    bool log;
    enum svg_unit unit;
    const char *label;
};
struct svg {
    struct buf *b;
    double width, height;            /* of the view box */
    double left, top, right, bottom; /* of the plot, in the view box */
    struct svg_axis x, y;
};
struct svg_xy {
    double x, y;
};

/* Smallest 'round' number (1, 2, 2.5 or 5 times a power of ten) >= v; 1 when v is not positive and finite. */
double svg_round_up(double v);

/* Opens <svg>, with the plot filling the view box but for margins for ticks and labels. `about` is what a screen reader
 * says. */
void svg_open(struct svg *s, struct buf *b, double width, double height, const char *about);
void svg_close(struct svg *s);
double svg_x(const struct svg *s, double v);
double svg_y(const struct svg *s, double v);
/* Frame, grid, ticks and labels of both axes. An axis without a label has no ticks. */
void svg_axes(const struct svg *s);
void svg_line(const struct svg *s, const struct svg_xy *p, size_t n, const char *class);
/* Filled down to the lower edge of the plot. */
void svg_area(const struct svg *s, const struct svg_xy *p, size_t n, const char *class);
void svg_segment(const struct svg *s, struct svg_xy from, struct svg_xy to, const char *class);
/* A dot that says `tip` under the pointer; radius in units of the view box. */
void svg_dot(const struct svg *s, struct svg_xy at, double radius, const char *class, const char *tip);
/* Dots that are seen under the pointer only, at most one each `gap` units along the line; tip(arg, i) of point i goes to a
 * buffer. */
void svg_tips(const struct svg *s, const struct svg_xy *p, size_t n, double gap,
              void (*tip)(void *arg, size_t i, struct buf *b), void *arg);
/* In units of the view box. `anchor`: start, middle, end. */
void svg_text(const struct svg *s, double x, double y, const char *anchor, const char *class, const char *text);
void svg_rect(const struct svg *s, double x, double y, double width, double height, const char *class, const char *tip);
#endif
