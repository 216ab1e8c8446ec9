/* october_html.c - what came of October 2018 as a page: bars for each person, and where each was stopped. */
#include "sim/october.h"

#define WIDTH 900.0
#define LEFT 120.0
#define ROW 46.0
#define BAR 15.0

static void put_text(struct buf *b, double x, double y, const char *class, const char *anchor, struct slice text)
{
    buf_fmt(b, "<text x=\"%.0f\" y=\"%.0f\" class=\"%s\" text-anchor=\"%s\">", x, y, class, anchor);
    buf_html(b, text);
    buf_puts(b, "</text>\n");
}

static void put_bar(struct buf *b, double y, double share, const char *class, int64_t minor)
{
    double width = share * (WIDTH - LEFT - 110);
    struct buf money;
    buf_init(&money, 64);
    october_money(&money, minor);
    buf_fmt(b, "<rect x=\"%.0f\" y=\"%.1f\" width=\"%.1f\" height=\"%.0f\" class=\"%s\"/>\n", LEFT, y, width < 1 ? 1 : width,
            BAR, class);
    put_text(b, LEFT + width + 6, y + BAR - 3, "money", "start", buf_view(&money));
    buf_release(&money);
}

static void put_chart(const struct october *o, struct buf *b)
{
    int64_t most = 1;
    for (int p = 0; p < OCTOBER_PERSON_MAX; p++)
        if (o->runs[OCTOBER_2018][p].tried_minor > most)
            most = o->runs[OCTOBER_2018][p].tried_minor;
    buf_fmt(b, "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"What was taken from each, in 2018 and today\">\n",
            WIDTH, ROW * OCTOBER_PERSON_MAX + 10);
    for (int p = 0; p < OCTOBER_PERSON_MAX; p++) {
        struct october_script s = october_script((enum october_person)p);
        double y = ROW * p + 6;
        put_text(b, LEFT - 10, y + 20, "who", "end", slice_str(s.shown));
        if (o->played[OCTOBER_2018])
            put_bar(b, y, (double)o->runs[OCTOBER_2018][p].taken_minor / (double)most,
                    s.role == OCTOBER_ROLE_THIEF ? "then" : "own", o->runs[OCTOBER_2018][p].taken_minor);
        if (o->played[OCTOBER_TODAY])
            put_bar(b, y + BAR + 2, (double)o->runs[OCTOBER_TODAY][p].taken_minor / (double)most,
                    s.role == OCTOBER_ROLE_THIEF ? "now" : "own", o->runs[OCTOBER_TODAY][p].taken_minor);
    }
    buf_puts(b, "</svg>\n");
}

static const char *mark_text(const struct october_script *s, const struct october_outcome *a)
{
    switch (a->mark) {
    case OCTOBER_DONE: return a->answered ? "passed, with the step" : "passed";
    case OCTOBER_STEP: return s->role == OCTOBER_ROLE_THIEF ? "a second step that he can't answer" : "a second step";
    case OCTOBER_NOT_TRIED: return "not reached";
    case OCTOBER_REFUSED:
    case OCTOBER_BROKEN:
    case OCTOBER_MARK_MAX: break;
    }
    return a->why;
}

static void put_person(const struct october *o, int p, struct buf *b)
{
    struct october_script s = october_script((enum october_person)p);
    buf_puts(b, "<section><h2>");
    buf_html(b, slice_str(s.shown));
    buf_puts(b, "</h2>\n<p>");
    buf_html(b, slice_str(s.known));
    buf_puts(b, ". <small>Ours: ");
    buf_html(b, slice_str(s.ours));
    buf_puts(b, ".</small></p>\n<table><tr><th>second<th>act<th>yuan");
    for (int w = 0; w < OCTOBER_WORLD_MAX; w++)
        if (o->played[w])
            buf_fmt(b, "<th>%s", october_world_text((enum october_world)w));
    buf_puts(b, "</tr>\n");
    for (unsigned i = 0; i < s.count; i++) {
        buf_fmt(b, "<tr><td class=\"n\">%d<td>%s<td class=\"n\">", s.acts[i].second,
                october_verb_text(s.acts[i].verb, false));
        if (s.acts[i].minor)
            october_money(b, s.acts[i].minor);
        for (int w = 0; w < OCTOBER_WORLD_MAX; w++)
            if (o->played[w]) {
                const struct october_outcome *a = &o->runs[w][p].acts[i];
                bool good = (a->mark == OCTOBER_DONE) == (s.role == OCTOBER_ROLE_OWNER);
                buf_puts(b, good ? "<td class=\"good\">" : "<td class=\"bad\">");
                buf_html(b, slice_str(mark_text(&s, a)));
            }
        buf_puts(b, "</tr>\n");
    }
    buf_puts(b, "</table></section>\n");
}

void october_html(const struct october *o, struct buf *b)
{
    buf_puts(
        b,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>October 2018, replayed</title>\n<style>\n"
        "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 "
        "1rem;color:#222;background:#fff}\n"
        "svg{width:100%;height:auto}.who{font-size:15px}.money{font-size:13px;fill:#444}.then{fill:#c0392b}.now{fill:#"
        "1e8449}"
        ".own{fill:#2471a3}\n"
        "table{border-collapse:collapse}th,td{padding:.15rem .8rem;text-align:left;border-bottom:1px solid #ddd}"
        ".n{text-align:right;font-variant-numeric:tabular-nums}.good{color:#1e8449}.bad{color:#c0392b}small{color:#666}\n"
        "</style></head><body>\n<h1>October 2018, replayed</h1>\n"
        "<p>Yuan that left each wallet: above as it was in 2018 (a password, no cap, no step), below today with the "
        "defaults. "
        "The thieves have the password and a device of their own; the owner has her app. The policy allows everything in "
        "both "
        "worlds: what stops the thieves is the charge path.</p>\n");
    put_chart(o, b);
    for (int p = 0; p < OCTOBER_PERSON_MAX; p++)
        put_person(o, p, b);
    buf_puts(b, "</body></html>\n");
}
