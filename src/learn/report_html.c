/* report_html.c - a report card as one page: no script, no reference, light and dark, for a phone, a desk and paper.
 *
 * The markup is well-formed XML after the doctype, which is what the test checks. Colours are those of Okabe and Ito
 * ('Color Universal Design', 2008), told apart with every kind of colour vision, in a lighter choice on dark ground.
 */
#include "learn/report.h"
#include "learn/report_charts.h"
#include "learn/report_fmt.h"

static const char *const style[] = {
    ":root{--bg:#f4f5f7;--card:#fff;--line:#e2e5ea;--grid:#eceef2;--text:#171c24;--soft:#586273;--c0:#8b94a3;--c1:#0072b2;--"
    "c2:#d55e00;",
    "--c3:#009e73;--c4:#cc79a7;--f0:#c9ced6;--good:#00795a;--bad:#b34700;--mark:#171c24;--pick:#fbf0e8}",
    "@media "
    "(prefers-color-scheme:dark){:root{--bg:#0e1217;--card:#161b22;--line:#2a313b;--grid:#232a33;--text:#e8ecf1;--soft:#"
    "9ba6b5;",
    "--c0:#7d8898;--c1:#56b4e9;--c2:#e69f00;--c3:#2fc39a;--c4:#d890b8;--f0:#414b58;--good:#2fc39a;--bad:#f0a43a;--mark:#fff;"
    "--pick:#2b2619}}",
    "*{box-sizing:border-box}html{color-scheme:light dark;-webkit-text-size-adjust:100%}",
    "body{margin:0;background:var(--bg);color:var(--text);font:15px/1.5 system-ui,-apple-system,'Segoe "
    "UI',Roboto,'Helvetica Neue',",
    "Arial,sans-serif;font-variant-numeric:tabular-nums}",
    "main{max-width:1180px;margin:0 auto;padding:36px 24px 48px}h1,h2,h3,p,figure,dl,dd{margin:0}",
    "h1{font-size:30px;line-height:1.2;font-weight:650;letter-spacing:-.015em;overflow-wrap:anywhere}",
    "h2{font-size:19px;font-weight:650;letter-spacing:-.01em;margin:40px 0 "
    "4px}h2+p{color:var(--soft);margin-bottom:14px;max-width:75ch}",
    "h2+div,h2+dl{margin-top:14px}h3{font-size:15px;font-weight:650}",
    ".eyebrow{color:var(--soft);font-size:12px;font-weight:600;letter-spacing:.08em;text-transform:uppercase;margin-bottom:"
    "6px}",
    ".facts{color:var(--soft);margin-top:8px;display:flex;flex-wrap:wrap;gap:2px 20px}.facts "
    "b{color:var(--text);font-weight:600}",
    ".notice{border:1px solid var(--line);border-left:4px solid "
    "var(--bad);background:var(--card);border-radius:8px;padding:10px 14px;",
    "margin-top:16px}",
    ".cards{display:grid;grid-template-columns:repeat(4,1fr);gap:14px;margin-top:26px}",
    ".card{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:15px 17px 13px;min-width:0}",
    ".card .name{color:var(--soft);font-size:13px;font-weight:550}.card "
    ".value{font-size:29px;line-height:1.2;font-weight:650;",
    "letter-spacing:-.02em;margin:3px 0 2px;white-space:nowrap}.card .value "
    "small{font-size:17px;font-weight:550;letter-spacing:0;",
    "color:var(--soft)}.card .sub{color:var(--soft);font-size:13px;line-height:1.4}.good{color:var(--good);font-weight:600}",
    ".bad{color:var(--bad);font-weight:600}",
    ".pair{display:grid;grid-template-columns:1fr "
    "1fr;gap:14px;margin-top:14px;align-items:start}.pair>:only-child{grid-column:1/-1}",
    ".panel{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:17px 18px "
    "14px;min-width:0;margin-top:14px}",
    ".pair .panel{margin-top:0;height:100%}.pair>.panel:only-child{max-width:760px}",
    "figcaption p{color:var(--soft);font-size:13px;line-height:1.4;min-height:2.8em;margin-top:1px}",
    ".legend{list-style:none;display:flex;flex-wrap:wrap;gap:4px 18px;margin:8px 0 "
    "0;padding:0;font-size:13px;color:var(--soft)}",
    ".legend li{display:flex;align-items:center;gap:7px}.legend i{display:inline-block;width:18px;height:0;border-top:2.5px "
    "solid var(--c0)}",
    ".legend .c1{border-color:var(--c1)}.legend .c2{border-color:var(--c2)}.legend .c3{border-color:var(--c3)}",
    ".legend .dash{border-top-style:dashed}.legend .f0,.legend .f1,.legend .f2,.legend .f3,.legend "
    ".f4{height:11px;width:11px;border:0;",
    "border-radius:3px}.legend .f0{background:var(--f0)}.legend .f1{background:var(--c1)}.legend .f2{background:var(--c2)}",
    ".legend .f3{background:var(--c3)}.legend .f4{background:var(--c4)}.legend .dot{width:12px;height:12px;border:2.5px "
    "solid var(--c2);",
    "border-radius:50%}.legend .bar{width:4px;height:14px;border:0;background:var(--mark);border-radius:2px}",
    ".legend .whisker{width:0;height:14px;border:0;border-left:2px solid var(--c0);margin:0 8px}",
    ".chart{display:block;width:100%;height:auto;margin-top:6px;overflow:visible}.chart "
    "text{font-size:12px;fill:var(--soft)}",
    ".chart .axis{font-weight:550}.chart .note{font-weight:600;fill:var(--text)}.chart "
    ".bar{font-weight:600;fill:var(--text);font-size:13px}",
    ".grid{stroke:var(--grid)}.base{stroke:var(--c0)}.line{fill:none;stroke:var(--c0);stroke-width:2.25;stroke-linejoin:"
    "round;",
    "stroke-linecap:round}.line.dash{stroke-width:1.5;stroke-dasharray:5 5}.chart .c1{stroke:var(--c1)}.chart "
    ".c2{stroke:var(--c2)}",
    ".chart .c3{stroke:var(--c3)}.line.c3.dash{stroke-width:2.25;stroke-dasharray:7 "
    "5}.f0{fill:var(--f0)}.f1{fill:var(--c1)}",
    ".f2{fill:var(--c2)}.f3{fill:var(--c3)}.f4{fill:var(--c4)}.mark{fill:var(--mark);stroke:var(--card)}",
    ".wash{opacity:.1}.w1{fill:var(--c1)}.whisker{stroke:var(--c0);stroke-width:1.5}",
    ".tip{fill:var(--card);stroke:var(--text);stroke-width:2;opacity:0}.tip:hover{opacity:1}",
    ".best{fill:var(--card);stroke:var(--c2);stroke-width:3}rect:hover{opacity:.8}",
    ".scroll{overflow-x:auto;margin:0 -18px;padding:0 "
    "18px}table{border-collapse:collapse;width:100%;font-size:14px;white-space:nowrap}",
    "th{font-weight:550;color:var(--soft);font-size:13px;text-align:right;padding:6px 0 6px 18px;border-bottom:1px solid "
    "var(--line)}",
    "td{text-align:right;padding:7px 0 7px 18px;border-bottom:1px solid var(--grid)}tr:last-child td,tr:last-child "
    "th[scope=row]{",
    "border-bottom:0}th:first-child,td:first-child{text-align:left;padding-left:0}th[scope=row]{color:var(--text);font-size:"
    "14px;",
    "border-bottom:1px solid var(--grid);font-weight:600}tfoot td,tfoot th[scope=row]{border-top:1px solid "
    "var(--line);font-weight:600}",
    ".pick td,.pick th[scope=row]{background:var(--pick)}.pick th[scope=row]{box-shadow:-10px 0 0 var(--pick)}.pick "
    "td:last-child{",
    "box-shadow:10px 0 0 var(--pick)}",
    ".meter{display:inline-block;width:64px;height:8px;border-radius:4px;background:var(--grid);margin-right:9px;overflow:"
    "hidden;",
    "vertical-align:1px}.n{display:inline-block;min-width:4em}.meter i{display:block;height:100%;background:var(--c1)}",
    ".key{display:inline-block;width:10px;height:10px;border-radius:3px;margin-right:8px}.k0{background:var(--f0)}.k1{"
    "background:var(--c3)}",
    ".k2{background:var(--c4)}.k3{background:var(--c1)}",
    "dl{display:grid;grid-template-columns:1fr 1fr;gap:14px 34px;background:var(--card);border:1px solid "
    "var(--line);border-radius:12px;",
    "padding:20px}dt{font-weight:650}dd{color:var(--soft);font-size:14px}",
    "footer{color:var(--soft);font-size:13px;margin-top:28px}",
    "@media (max-width:1000px){.cards{grid-template-columns:1fr 1fr}}",
    "@media (max-width:820px){.pair,dl{grid-template-columns:1fr}figcaption p{min-height:0}}",
    "@media (max-width:560px){main{padding:22px 14px 36px}h1{font-size:24px}.cards{gap:10px}.card{padding:12px 13px}.card "
    ".value{",
    "font-size:22px}.card .value small{font-size:14px}.card .sub,.card "
    ".name{font-size:12px}.panel{padding:14px}.scroll{margin:0 -14px;padding:0 14px}",
    ".meter{display:none}table{font-size:13px}th{font-size:12px}th+th,td{padding-left:12px}th[scope=row]{font-size:13px;"
    "position:sticky;",
    "left:-14px;background:var(--card)}.pick th[scope=row]{background:var(--pick)}",
    ".chart text{font-size:15px}.chart .bar{font-size:16px}}",
    "@media "
    "print{:root{--bg:#fff;--card:#fff;--line:#d5d9df;--grid:#e8eaee;--text:#000;--soft:#444;--c1:#0072b2;--c2:#d55e00;--c3:"
    "#009e73;",
    "--c4:#cc79a7;--f0:#c9ced6;--mark:#000;--pick:#fbf0e8}body{font-size:12px}main{max-width:none;padding:0}.panel,.card,dl,"
    "tr{break-inside:avoid}",
    "h2,h3,figcaption{break-after:avoid}.tip{display:none}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}",
    ".cards{grid-template-columns:repeat(4,1fr)}.pair{grid-template-columns:1fr 1fr}.card "
    ".value{font-size:20px}table{font-size:11px}}",
};

static void put_name(struct buf *b, const char *s, unsigned max)
{
    struct name n = name_clean(slice_str(s), max);
    buf_puts(b, "<bdi>");
    buf_html(b, slice_str(n.s));
    buf_puts(b, "</bdi>");
}

static const char *title_of(const struct report *r) { return r->title[0] ? r->title : "Report card"; }

static void put_head(const struct report *r, struct buf *b)
{
    struct name title = name_clean(slice_str(title_of(r)), 120);
    buf_puts(b, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
                "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"/>\n"
                "<meta name=\"color-scheme\" content=\"light dark\"/>\n<title>");
    buf_html(b, slice_str(title.s));
    buf_puts(b, "</title>\n<style>\n");
    for (size_t i = 0; i < ARRAY_LEN(style); i++) {
        buf_puts(b, style[i]);
        buf_char(b, '\n');
    }
    buf_puts(b, "</style>\n</head>\n<body>\n<main>\n<header>\n<p class=\"eyebrow\">Fraud report card</p>\n<h1>");
    put_name(b, title_of(r), 120);
    buf_puts(b, "</h1>\n<p class=\"facts\">");
    if (r->policy[0]) {
        buf_puts(b, "<span>policy <b>");
        put_name(b, r->policy, 60);
        buf_puts(b, "</b></span>");
    }
    buf_fmt(b, "<span><b>%s</b> to <b>%s</b>, ", cell_date(r->first_us).s, cell_date(r->last_us).s);
    buf_fmt(b, "%s day%s</span><span><b>%s</b> rows</span>", cell_count(r->days).s, r->days == 1 ? "" : "s",
            cell_count(r->rows).s);
    if (r->has_labels)
        buf_fmt(b, "<span><b>%s</b> frauds, %s</span>", cell_count(r->frauds).s, cell_percent(r->fraud_share).s);
    if (r->label_delay_us)
        buf_fmt(b, "<span>labels known after <b>%s</b></span>", cell_duration((double)r->label_delay_us).s);
    if (r->has_amount)
        buf_fmt(b, "<span>money in <b>%s</b></span>", currency_code(r->currency));
    buf_puts(b, "</p>\n</header>\n");
}

static void put_notices(const struct report *r, struct buf *b)
{
    if (!r->has_labels)
        buf_puts(
            b,
            "<p class=\"notice\"><b>No labels.</b> Nothing here says whether an alert was right; figures that need labels "
            "are left out.</p>\n");
    else if (r->frauds == 0)
        buf_puts(b,
                 "<p class=\"notice\"><b>No row is labelled fraud.</b> What was caught, and at what price, can't be told; "
                 "those figures are left out.</p>\n");
    else if (r->genuine == 0)
        buf_puts(b, "<p class=\"notice\"><b>Every row is labelled fraud.</b> Whom this disturbs can't be told.</p>\n");
    if (!r->has_decisions)
        buf_puts(b, "<p class=\"notice\"><b>Nothing was stopped.</b> Every decision was to allow.</p>\n");
    if (!r->has_score)
        buf_puts(b, "<p class=\"notice\"><b>No score.</b> Rules alone decide; figures about ranking and thresholds are left "
                    "out.</p>\n");
    else if (r->unscored)
        buf_fmt(b, "<p class=\"notice\"><b>%s rows have no score.</b> They rank below all others.</p>\n",
                cell_count(r->unscored).s);
    if (r->has_labels && !r->has_amount)
        buf_puts(b, "<p class=\"notice\"><b>No amounts.</b> Figures about money are left out.</p>\n");
}

/* --- cards -------------------------------------------------------------------------------------------------------- */

static void open_card(struct buf *b, const char *name, const char *value, const char *unit)
{
    buf_fmt(b, "<div class=\"card\"><p class=\"name\">%s</p><p class=\"value\">%s", name, value);
    if (unit[0])
        buf_fmt(b, " <small>%s</small>", unit);
    buf_puts(b, "</p><p class=\"sub\">");
}
static void close_card(struct buf *b) { buf_puts(b, "</p></div>\n"); }

/* The value of a share without its sign, which goes into the unit. */
static void open_share(struct buf *b, const char *name, double share)
{
    struct cell c = cell_percent(share);
    struct slice rest = slice_str(c.s), number = slice_cut(&rest, ' ');
    bool known = !isnan(share);
    c.s[number.len] = '\0';
    open_card(b, name, known ? c.s : "n/a", known ? "%" : "");
}

static void open_money(struct buf *b, const struct report *r, const char *name, double v)
{
    bool large = fabs(v) >= 1000;
    open_card(b, name, cell_fixed(v, large ? 0 : currency_exponent(r->currency)).s, currency_code(r->currency));
}

static void decision_cards(const struct report *r, struct buf *b)
{
    const struct report_containment *c = &r->containment;
    if (r->frauds) {
        open_share(b, "Coverage: frauds stopped", r->coverage);
        buf_fmt(b, "%s of %s", cell_count(r->frauds - r->outcomes[REPORT_ALLOW].frauds).s, cell_count(r->frauds).s);
        if (r->has_amount)
            buf_fmt(b, "; %s of their money", cell_percent(r->money_coverage).s);
        close_card(b);
    }
    if (r->genuine) {
        bool high = r->disturbance > REPORT_ANCHOR;
        open_share(b, "Disturbance of good customers", r->disturbance);
        buf_fmt(b, "<span class=\"%s\">%s the 0.1 %% anchor</span>; ", high ? "bad" : "good", high ? "▲ above" : "✓ within");
        buf_fmt(b, "%s rows challenged or denied",
                cell_count(r->outcomes[REPORT_CHALLENGE].genuine + r->outcomes[REPORT_DENY].genuine).s);
        close_card(b);
    }
    if (r->frauds && r->has_amount) {
        open_money(b, r, "Fraud money lost", r->lost_amount);
        buf_fmt(b, "of %s; %s stopped", cell_money_short(r->fraud_amount, r->currency).s,
                cell_fixed(r->stopped_amount, r->stopped_amount >= 1000 ? 0 : currency_exponent(r->currency)).s);
        close_card(b);
    }
    if (c->entities) {
        open_card(b, "Time to containment, median", c->contained ? cell_duration(c->time_median_us).s : "never", "");
        if (c->contained)
            buf_fmt(b, "90 %% within %s; ", cell_duration(c->time_p90_us).s);
        buf_fmt(b, "%s of %s customers never", cell_count(c->never).s, cell_count(c->entities).s);
        close_card(b);
    }
}

static void score_cards(const struct report *r, struct buf *b)
{
    if (r->genuine) {
        open_card(b, "AUC ROC", cell_fixed(r->auc, 4).s, "");
        buf_puts(b, "1 ranks perfectly, 0.5 is a coin");
        close_card(b);
    }
    open_card(b, "Average precision", cell_fixed(r->average_precision, 4).s, "");
    buf_fmt(b, "at random: %s", cell_fixed(r->fraud_share, 4).s);
    close_card(b);
    char name[80];
    (void)snprintf(name, sizeof name, "Card precision @ %s a day", cell_count(r->card_k).s);
    open_card(b, name, cell_fixed(r->card_precision, 4).s, "");
    buf_fmt(b, "a perfect ranker: %s", cell_fixed(r->card_precision_ceiling, 4).s);
    close_card(b);
    if (isnan(r->best.threshold))
        return;
    open_money(b, r, "Best net saving a day", report_net(r, &r->best));
    buf_fmt(b, "stopping all scores from %s; ", cell_fixed(r->best.threshold, 3).s);
    buf_fmt(b, "%s good customers disturbed a day", cell_fixed((double)r->best.customers / (double)r->days, 1).s);
    close_card(b);
}

static void put_cards(const struct report *r, struct buf *b)
{
    bool decisions = r->has_labels && r->has_decisions, scores = r->frauds && r->has_score;
    if (!decisions && !scores)
        return;
    buf_puts(b, "<div class=\"cards\">\n");
    if (decisions)
        decision_cards(r, b);
    if (scores)
        score_cards(r, b);
    buf_puts(b, "</div>\n");
}

/* --- tables ------------------------------------------------------------------------------------------------------- */

/* `caption` is ours and has nothing to escape. Column heads, separated by '|'. */
static void open_table(struct buf *b, const char *caption, const char *heads)
{
    buf_fmt(b, "<div class=\"panel\"><h3>%s</h3><div class=\"scroll\"><table aria-label=\"%s\"><thead><tr>", caption,
            caption);
    struct slice left = slice_str(heads);
    while (left.p) {
        struct slice head = slice_cut(&left, '|');
        buf_puts(b, "<th scope=\"col\">");
        buf_slice(b, head);
        buf_puts(b, "</th>");
    }
    buf_puts(b, "</tr></thead><tbody>\n");
}
static void close_table(struct buf *b) { buf_puts(b, "</tbody></table></div></div>\n"); }

static void td(struct buf *b, struct cell c) { buf_fmt(b, "<td>%s</td>", c.s); }
static void td_none(struct buf *b) { buf_puts(b, "<td>–</td>"); }

static void td_meter(struct buf *b, double share)
{
    if (isnan(share)) {
        td_none(b);
        return;
    }
    buf_fmt(b, "<td><span class=\"meter\"><i style=\"width:%.1f%%\"></i></span><span class=\"n\">%s</span></td>",
            share * 100, cell_percent1(share).s);
}

static void budget_table(const struct report *r, struct buf *b)
{
    if (!r->has_score || r->frauds == 0 || r->budget_count == 0)
        return;
    open_table(b, "If people can look at so many a day",
               r->has_amount ? "Alerts a day|Precision|Recall|Of fraud money|Frauds found|Money found"
                             : "Alerts a day|Precision|Recall|Frauds found");
    for (unsigned i = 0; i < r->budget_count; i++) {
        const struct report_budget *p = &r->budgets[i];
        buf_fmt(b, "<tr><th scope=\"row\">%s</th>", cell_count(p->budget).s);
        td_meter(b, p->precision);
        td_meter(b, p->recall);
        if (r->has_amount)
            td_meter(b, p->money_recall);
        td(b, cell_count(p->frauds));
        if (r->has_amount)
            td(b, cell_amount(p->saved, r->currency));
        buf_puts(b, "</tr>\n");
    }
    close_table(b);
}

static void level_table(const struct report *r, struct buf *b)
{
    if (!r->has_score || r->frauds == 0 || r->genuine == 0)
        return;
    open_table(b, "If good customers' rows may be disturbed so often",
               "Disturbance up to|Recall|Precision|Threshold|Alerts a day");
    for (unsigned i = 0; i < REPORT_LEVELS; i++) {
        const struct report_level *l = &r->levels[i];
        buf_fmt(b, "<tr><th scope=\"row\">%s</th>", cell_level(l->level).s);
        td_meter(b, l->recall);
        td_meter(b, l->precision);
        td(b, cell_fixed(l->threshold, 4));
        td(b, cell_fixed((double)l->alerts / (double)r->days, 1));
        buf_puts(b, "</tr>\n");
    }
    close_table(b);
}

static void threshold_row(const struct report *r, const struct report_point *p, bool best, struct buf *b)
{
    double days = (double)r->days;
    buf_fmt(b, best ? "<tr class=\"pick\"><th scope=\"row\">best: %s</th>" : "<tr><th scope=\"row\">%s</th>",
            best ? cell_fixed(p->threshold, 4).s : cell_short(p->threshold).s);
    td(b, cell_fixed((double)p->alerts / days, 1));
    if (r->has_labels) {
        td_meter(b, report_precision(r, p));
        td_meter(b, report_recall(r, p));
        td(b, cell_percent(report_disturbance(r, p)));
        td(b, cell_fixed((double)p->customers / days, 1));
    }
    if (r->has_labels && r->has_amount) {
        td(b, cell_amount(p->saved / days, r->currency));
        td(b, cell_amount(report_net(r, p), r->currency));
    }
    buf_puts(b, "</tr>\n");
}

static void threshold_table(const struct report *r, struct buf *b)
{
    bool best = !isnan(r->best.threshold);
    if (!r->has_score || r->threshold_count == 0)
        return;
    open_table(b, "If everything from a threshold up were stopped",
               !r->has_labels ? "Threshold|Alerts a day"
               : r->has_amount
                   ? "Threshold|Alerts a day|Precision|Recall|Disturbance|Customers disturbed a day|Saved a day|Net a day"
                   : "Threshold|Alerts a day|Precision|Recall|Disturbance|Customers disturbed a day");
    for (unsigned i = 0; i < r->threshold_count; i++) {
        if (best && r->best.threshold < r->thresholds[i].threshold &&
            (i == 0 || r->best.threshold >= r->thresholds[i - 1].threshold))
            threshold_row(r, &r->best, true, b);
        threshold_row(r, &r->thresholds[i], false, b);
    }
    if (best && r->best.threshold >= r->thresholds[r->threshold_count - 1].threshold)
        threshold_row(r, &r->best, true, b);
    close_table(b);
}

static void outcome_row(const struct report *r, const char *name, unsigned key, const struct report_outcome *o,
                        struct buf *b)
{
    buf_puts(b, "<tr><th scope=\"row\">");
    if (key < REPORT_OUTCOMES)
        buf_fmt(b, "<span class=\"key k%u\"></span>", key);
    buf_fmt(b, "%s</th>", name);
    td(b, cell_count(o->rows));
    td(b, cell_percent(report_ratio((double)o->rows, (double)r->rows)));
    if (r->has_labels) {
        td(b, cell_count(o->frauds));
        td(b, cell_count(o->genuine));
        td_meter(b, report_ratio((double)o->frauds, (double)o->rows));
        td(b, cell_percent(report_ratio((double)o->frauds, (double)r->frauds)));
        if (r->has_amount) {
            td(b, cell_amount(o->fraud_amount, r->currency));
            td(b, cell_amount(o->genuine_amount, r->currency));
        }
    }
    buf_puts(b, "</tr>\n");
}

static void outcome_table(const struct report *r, struct buf *b)
{
    static const char *const names[REPORT_OUTCOMES] = {"Allow", "Challenge", "Review", "Deny"};
    struct report_outcome sum = {0};
    open_table(b, "What was decided",
               !r->has_labels  ? "Decision|Rows|Share"
               : r->has_amount ? "Decision|Rows|Share|Frauds|Genuine|Precision|Of all frauds|Fraud money|Genuine money"
                               : "Decision|Rows|Share|Frauds|Genuine|Precision|Of all frauds");
    for (unsigned k = 0; k < REPORT_OUTCOMES; k++) {
        const struct report_outcome *o = &r->outcomes[k];
        outcome_row(r, names[k], k, o, b);
        sum.rows += o->rows;
        sum.frauds += o->frauds;
        sum.genuine += o->genuine;
        sum.fraud_amount += o->fraud_amount;
        sum.genuine_amount += o->genuine_amount;
    }
    buf_puts(b, "</tbody><tfoot>");
    outcome_row(r, "All", REPORT_OUTCOMES, &sum, b);
    buf_puts(b, "</tfoot></table></div></div>\n");
}

static void scenario_row(const struct report *r, const struct report_scenario *s, struct buf *b)
{
    buf_puts(b, "<tr><th scope=\"row\">");
    put_name(b, s->name[0] ? s->name : "(not told)", 32);
    buf_puts(b, "</th>");
    td(b, cell_count(s->rows));
    td(b, cell_count(s->frauds));
    td_meter(b, s->coverage);
    if (r->has_score)
        td_meter(b, s->ranked_recall);
    if (r->has_amount && s->frauds) {
        td(b, cell_amount(s->amount, r->currency));
        td(b, cell_amount(s->stopped_amount, r->currency));
    } else if (r->has_amount) {
        td_none(b);
        td_none(b);
    }
    if (s->rows > s->frauds)
        td(b, cell_percent(s->disturbance));
    else
        td_none(b);
    buf_puts(b, "</tr>\n");
}

static void scenario_table(const struct report *r, struct buf *b)
{
    char heads[128];
    if (r->scenario_count == 0 || !r->has_labels)
        return;
    (void)snprintf(heads, sizeof heads, "Kind|Rows|Frauds|Coverage%s%s|Genuine disturbed", r->has_score ? "|By score" : "",
                   r->has_amount ? "|Fraud money|Stopped" : "");
    open_table(b, "By kind of fraud", heads);
    for (unsigned i = 0; i < r->scenario_count; i++)
        scenario_row(r, &r->scenarios[i], b);
    close_table(b);
}

static void containment_table(const struct report *r, struct buf *b)
{
    const struct report_containment *c = &r->containment;
    if (c->entities == 0)
        return;
    open_table(b, "Before the first stop, for each customer with fraud", "|Median|90 % within|Total");
    if (r->has_amount) {
        buf_fmt(b, "<tr><th scope=\"row\">Money lost (%s)</th>", currency_code(r->currency));
        td(b, cell_amount(c->lost_median, r->currency));
        td(b, cell_amount(c->lost_p90, r->currency));
        td(b, cell_amount(c->lost, r->currency));
        buf_puts(b, "</tr>\n");
    }
    buf_puts(b, "<tr><th scope=\"row\">Time from the first fraud</th>");
    td(b, cell_duration(c->time_median_us));
    td(b, cell_duration(c->time_p90_us));
    buf_fmt(b, "<td>%s contained, %s never</td></tr>\n", cell_count(c->contained).s, cell_count(c->never).s);
    close_table(b);
}

static void mean_cell(struct buf *b, struct report_mean m)
{
    buf_fmt(b, "<td>%s ± %s</td>", cell_fixed(m.mean, 4).s, cell_fixed(m.std, 4).s);
}

static void fold_table(const struct report *r, struct buf *b)
{
    if (r->fold_count == 0)
        return;
    char head[128];
    (void)snprintf(head, sizeof head, "Fold|AUC ROC|Average precision|Card precision @ %s|Rows|Frauds",
                   cell_count(r->card_k).s);
    buf_puts(b, "<section><h2>Folds</h2>\n<p>The same training and test, moved through time: what a figure is worth shows "
                "in how it varies.</p>\n");
    open_table(b, "Each fold, and mean ± standard deviation", head);
    for (size_t i = 0; i < r->fold_count; i++) {
        const struct report_fold *f = &r->folds[i];
        buf_puts(b, "<tr><th scope=\"row\">");
        put_name(b, f->name, 40);
        buf_puts(b, "</th>");
        td(b, cell_fixed(f->auc, 4));
        td(b, cell_fixed(f->average_precision, 4));
        td(b, cell_fixed(f->card_precision, 4));
        td(b, cell_count(f->rows));
        td(b, cell_count(f->frauds));
        buf_puts(b, "</tr>\n");
    }
    buf_puts(b, "</tbody><tfoot><tr><th scope=\"row\">mean ± std</th>");
    mean_cell(b, r->fold_auc);
    mean_cell(b, r->fold_average_precision);
    mean_cell(b, r->fold_card_precision);
    buf_puts(b, "<td></td><td></td></tr></tfoot></table></div></div></section>\n");
}

static void put_latency(const struct report *r, struct buf *b)
{
    if (!(r->latency.p50_ns > 0))
        return;
    buf_puts(b, "<section><h2>Speed</h2>\n<p>Time of one decision, without network and disk.</p>\n<div class=\"cards\">\n");
    open_card(b, "Median", cell_latency(r->latency.p50_ns).s, "");
    close_card(b);
    open_card(b, "99 % within", cell_latency(r->latency.p99_ns).s, "");
    close_card(b);
    open_card(b, "99.9 % within", cell_latency(r->latency.p999_ns).s, "");
    close_card(b);
    buf_puts(b, "</div></section>\n");
}

/* --- how to read this --------------------------------------------------------------------------------------------- */

static const struct {
    const char *term, *text;
} words[] = {
    {"Coverage", "The share of frauds that met a challenge, a review or a denial. Money coverage weighs each fraud by its "
                 "amount, so that many "
                 "small catches can't hide a large miss."},
    {"Disturbance", "The share of genuine rows that were challenged or denied; a review is silent and doesn't count. Above "
                    "0.1 % good customers "
                    "start to notice, and some leave."},
    {"Precision", "Of the rows that were alerted, the share that is fraud. Its inverse is how many alerts a person opens to "
                  "find one fraud."},
    {"Recall",
     "Of all frauds, the share that was alerted. It says nothing about price: alerting everything has a recall of 100 %."},
    {"AUC ROC", "The chance that a fraud scores higher than a genuine row, ties counting half. With rare fraud it flatters: "
                "look at average "
                "precision beside it."},
    {"Average precision",
     "Precision averaged over recall, without interpolation. At random it equals the share of fraud in the data."},
    {"Card precision",
     "Each day the customers with the highest scores are looked at; those found are not looked at again. The share that "
     "was fraud, averaged over the days; the ceiling is what a perfect ranker would reach."},
    {"Alerts a day", "The highest scores of each UTC day up to the budget; equal scores count against us. More alerts find "
                     "more fraud, each at "
                     "a worse price."},
    {"Net saving", "Fraud money at or above a threshold, less a fixed cost for each good customer disturbed that day. It is "
                   "only as good as that "
                   "cost: change it and the best threshold moves."},
    {"By score",
     "As many rows are alerted as there are frauds, highest scores first. It shows what the score would catch of each kind, "
     "whatever the rules did."},
    {"Containment", "For each customer with fraud: the first of their frauds that was stopped. What was lost before it is "
                    "lost; customers never "
                    "contained count with everything."},
    {"Calibration", "Rows of similar score are put together and compared with how many were fraud. Points under the "
                    "diagonal mean the score "
                    "exaggerates; a long interval means few rows."},
};

static void put_words(struct buf *b)
{
    buf_puts(b, "<section><h2>How to read this</h2>\n<dl>\n");
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        buf_fmt(b, "<div><dt>%s</dt><dd>%s</dd></div>\n", words[i].term, words[i].text);
    buf_puts(b, "</dl></section>\n");
}

/* --- the page ----------------------------------------------------------------------------------------------------- */

static void put_pair(const struct report *r, struct buf *b, void (*left)(const struct report *, struct buf *),
                     void (*right)(const struct report *, struct buf *))
{
    buf_puts(b, "<div class=\"pair\">\n");
    left(r, b);
    right(r, b);
    buf_puts(b, "</div>\n");
}

static void put_sections(const struct report *r, struct buf *b)
{
    buf_puts(b, "<section><h2>Decisions</h2>\n<p>What the policy did to fraud and to good customers.</p>\n");
    outcome_table(r, b);
    put_pair(r, b, chart_scenarios, chart_days);
    scenario_table(r, b);
    containment_table(r, b);
    buf_puts(b, "</section>\n");
    if (r->has_score && r->frauds) {
        buf_puts(b, "<section><h2>Ranking</h2>\n<p>How well the score puts fraud above the rest, whatever is decided with "
                    "it.</p>\n");
        put_pair(r, b, chart_precision_recall, chart_roc);
        level_table(r, b);
        buf_puts(b, "</section>\n<section><h2>Queue and probability</h2>\n<p>What people find when they look at the highest "
                    "scores, and "
                    "whether the score can be read as a chance.</p>\n");
        put_pair(r, b, chart_budgets, chart_calibration);
        budget_table(r, b);
        buf_puts(b, "</section>\n");
    }
    if (r->has_score) {
        buf_fmt(b, "<section><h2>%s</h2>\n", r->frauds ? "Where to put the threshold" : "What a threshold would alert");
        if (r->frauds && r->has_amount && isnan(r->best.threshold))
            buf_fmt(b, "<p>At %s a disturbed customer, every threshold costs more than it saves.</p>\n",
                    cell_money(r->disturb_cost, r->currency).s);
        put_pair(r, b, chart_money, chart_net);
        threshold_table(r, b);
        buf_puts(b, "</section>\n");
    }
    fold_table(r, b);
    put_latency(r, b);
}

enum keer_err report_html(const struct report *r, struct buf *b)
{
    put_head(r, b);
    put_notices(r, b);
    put_cards(r, b);
    put_sections(r, b);
    put_words(b);
    buf_puts(b, "<footer>Keersluis");
    if (r->version[0]) {
        buf_char(b, ' ');
        put_name(b, r->version, 40);
    }
    buf_fmt(b, ". A disturbed customer counts %s. Days are UTC.</footer>\n</main>\n</body>\n</html>\n",
            cell_money(r->disturb_cost, r->currency).s);
    return b->err;
}
