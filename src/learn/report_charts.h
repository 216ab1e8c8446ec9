/* report_charts.h - the charts of a report card, each a <figure> with title, SVG and legend.
 *
 * Each writes nothing when the report lacks what it needs (scores, labels, money), so that a page asks for all of them.
 */
#ifndef LEARN_REPORT_CHARTS_H
#define LEARN_REPORT_CHARTS_H
#include "learn/report.h"

void chart_precision_recall(const struct report *r, struct buf *b);
void chart_roc(const struct report *r, struct buf *b);
void chart_budgets(const struct report *r, struct buf *b);
void chart_money(const struct report *r, struct buf *b); /* money saved against customers disturbed */
void chart_net(const struct report *r, struct buf *b);   /* net against the threshold */
void chart_scenarios(const struct report *r, struct buf *b);
void chart_days(const struct report *r, struct buf *b);
void chart_calibration(const struct report *r, struct buf *b);
#endif
