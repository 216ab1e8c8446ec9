/* october_print.c - what came of October 2018, for a terminal (at most 100 columns) and for programs. */
#include "sim/october.h"

#define BOLD "\033[1m"
#define DIM "\033[2m"
#define RED "\033[31m"
#define GREEN "\033[32m"
#define YELLOW "\033[33m"
#define PLAIN "\033[0m"

struct out {
    struct buf *b;
    const struct october *o;
    bool color;
};

static void paint(const struct out *t, const char *code)
{
    if (t->color)
        buf_puts(t->b, code);
}

/* Right-aligned in `width` columns. */
static void put_money(const struct out *t, int64_t minor, size_t width)
{
    char room[40];
    struct buf money;
    buf_init(&money, sizeof room);
    october_money(&money, minor);
    for (size_t i = money.len; i < width; i++)
        buf_char(t->b, ' ');
    buf_slice(t->b, buf_view(&money));
    t->b->err = t->b->err != KEER_OK ? t->b->err : money.err;
    buf_release(&money);
}

/* How an act came out, as one sign; what stands in the legend. */
static const char *sign(enum october_mark mark)
{
    switch (mark) {
    case OCTOBER_DONE: return "●";
    case OCTOBER_STEP: return "◇";
    case OCTOBER_REFUSED: return "×";
    case OCTOBER_BROKEN: return "!";
    case OCTOBER_NOT_TRIED:
    case OCTOBER_MARK_MAX: break;
    }
    return "·";
}

static const char *tone(const struct october_script *s, enum october_mark mark)
{
    bool good = s->role == OCTOBER_ROLE_OWNER;
    if (mark == OCTOBER_DONE)
        return good ? GREEN : RED;
    return mark == OCTOBER_BROKEN || good ? RED : GREEN;
}

#define STRIP 12
static void put_strip(const struct out *t, const struct october_script *s, const struct october_run *r)
{
    for (unsigned i = 0; i < STRIP; i++) {
        if (i < s->count)
            paint(t, tone(s, r->acts[i].mark));
        buf_puts(t->b, i < s->count ? sign(r->acts[i].mark) : " ");
        if (i < s->count)
            paint(t, PLAIN);
    }
}

static void put_cells(const struct out *t, enum october_world w, const struct october_script *s, const struct october_run *r)
{
    bool bad = w == OCTOBER_TODAY && s->role == OCTOBER_ROLE_THIEF && r->taken_minor;
    buf_puts(t->b, " │ ");
    if (!t->o->played[w]) {
        buf_fmt(t->b, w == OCTOBER_2018 ? "%-36s" : "%s", "not played");
        return;
    }
    put_strip(t, s, r);
    paint(t, bad ? RED BOLD : BOLD);
    put_money(t, r->taken_minor, 11);
    paint(t, PLAIN);
    if (w == OCTOBER_2018)
        put_money(t, r->spent_minor, 10);
    else
        buf_fmt(t->b, "%5u/%-2u", r->answered, r->asked);
    paint(t, r->equal ? "" : RED BOLD);
    buf_puts(t->b, r->equal ? "  =" : "  ≠");
    paint(t, r->equal ? "" : PLAIN);
}

static void rule(const struct out *t, const char *cross)
{
    static const unsigned widths[] = {23, 38, 34};
    for (unsigned i = 0; i < ARRAY_LEN(widths); i++) {
        if (i)
            buf_puts(t->b, cross);
        for (unsigned n = 0; n < widths[i]; n++)
            buf_puts(t->b, "─");
    }
    buf_char(t->b, '\n');
}

static void put_totals(const struct out *t)
{
    struct october_run sum[OCTOBER_WORLD_MAX] = {0};
    for (int w = 0; w < OCTOBER_WORLD_MAX; w++) {
        sum[w].equal = true;
        for (int p = 0; p < OCTOBER_PERSON_MAX; p++)
            if (october_script((enum october_person)p).role == OCTOBER_ROLE_THIEF) {
                const struct october_run *r = &t->o->runs[w][p];
                sum[w].tried_minor += r->tried_minor;
                sum[w].taken_minor += r->taken_minor;
                sum[w].spent_minor += r->spent_minor;
                sum[w].asked += r->asked;
                sum[w].answered += r->answered;
                sum[w].equal = sum[w].equal && r->equal;
            }
    }
    struct october_script nobody = {.role = OCTOBER_ROLE_THIEF};
    paint(t, BOLD);
    buf_puts(t->b, " thieves    ");
    paint(t, PLAIN);
    put_money(t, sum[OCTOBER_2018].tried_minor, 10);
    for (int w = 0; w < OCTOBER_WORLD_MAX; w++)
        put_cells(t, (enum october_world)w, &nobody, &sum[w]);
    buf_char(t->b, '\n');
}

static void put_table(const struct out *t)
{
    paint(t, BOLD);
    buf_puts(t->b, "The four victims of October 2018, and an honest owner with a new phone");
    paint(t, PLAIN);
    buf_puts(t->b, "  (yuan)\n\n");
    buf_fmt(t->b, "%22s │ %-36s │ %s\n", "", october_world_text(OCTOBER_2018), october_world_text(OCTOBER_TODAY));
    paint(t, DIM);
    buf_fmt(t->b, " %-12s%9s │ %-12s%11s%10s    │ %-12s%11s%8s\n", "", "tried", "acts", "taken", "spent", "acts", "taken",
            "steps");
    paint(t, PLAIN);
    rule(t, "┼");
    for (int p = 0; p < OCTOBER_PERSON_MAX; p++) {
        struct october_script s = october_script((enum october_person)p);
        if (s.role == OCTOBER_ROLE_OWNER) {
            rule(t, "┼");
            put_totals(t);
            rule(t, "┼");
        }
        buf_fmt(t->b, " %-11s", s.shown);
        put_money(t, t->o->runs[OCTOBER_2018][p].tried_minor, 10);
        for (int w = 0; w < OCTOBER_WORLD_MAX; w++)
            put_cells(t, (enum october_world)w, &s, &t->o->runs[w][p]);
        buf_char(t->b, '\n');
    }
}

static void put_legend(const struct out *t)
{
    paint(t, DIM);
    buf_puts(t->b, "\n ● passed  ◇ a second step was asked and not answered  × refused  · not reached\n"
                   " steps: answered of asked   = : API, ledger and the wallet's own journal say the same\n");
    paint(t, PLAIN);
}

static void put_group(const struct out *t, const struct october_script *s, const struct october_run *r, unsigned i,
                      unsigned n)
{
    if (n > 1)
        buf_fmt(t->b, "%u ", n);
    buf_fmt(t->b, "%s: ", october_verb_text(s->acts[i].verb, n > 1));
    switch (r->acts[i].mark) {
    case OCTOBER_DONE: buf_puts(t->b, r->acts[i].answered ? "passed, with the step" : "passed"); return;
    case OCTOBER_STEP: buf_puts(t->b, "a second step that he can't answer"); return;
    case OCTOBER_NOT_TRIED: buf_puts(t->b, "not reached"); return;
    case OCTOBER_REFUSED:
    case OCTOBER_BROKEN:
    case OCTOBER_MARK_MAX: break;
    }
    buf_puts(t->b, r->acts[i].why);
}

/* "sign-in: a second step ...; 3 top-ups: ..." in lines that fit. */
static void put_story(const struct out *t, const struct october_script *s, const struct october_run *r)
{
    struct out part = *t;
    struct buf piece;
    size_t column = 14;
    buf_init(&piece, 4096);
    part.b = &piece;
    for (unsigned i = 0, n; i < s->count; i += n) {
        n = october_group(s, r, i);
        buf_clear(&piece);
        put_group(&part, s, r, i, n);
        if (i + n < s->count)
            buf_char(&piece, ';');
        if (i && column + 1 + piece.len > 99) {
            buf_fmt(t->b, "\n%14s", "");
            column = 14;
        } else if (i) {
            buf_char(t->b, ' ');
            column++;
        }
        buf_slice(t->b, buf_view(&piece));
        column += piece.len;
    }
    buf_char(t->b, '\n');
    buf_release(&piece);
}

static void put_stories(const struct out *t)
{
    for (int p = 0; p < OCTOBER_PERSON_MAX; p++) {
        struct october_script s = october_script((enum october_person)p);
        buf_char(t->b, '\n');
        paint(t, BOLD);
        buf_fmt(t->b, " %-12s", s.shown);
        paint(t, PLAIN);
        paint(t, DIM);
        buf_fmt(t->b, " %s: an %s, %s is an %s; %u acts in %d:%02d\n", s.wallet, s.acts[0].device,
                s.role == OCTOBER_ROLE_OWNER ? "the old one" : "hers", s.device, s.count, s.acts[s.count - 1].second / 60,
                s.acts[s.count - 1].second % 60);
        paint(t, PLAIN);
        for (int w = 0; w < OCTOBER_WORLD_MAX; w++)
            if (t->o->played[w]) {
                buf_fmt(t->b, "  %-12s", w == OCTOBER_2018 ? "2018" : "today");
                put_story(t, &s, &t->o->runs[w][p]);
            }
    }
}

void october_print(const struct october *o, bool color, struct buf *b)
{
    struct out t = {.b = b, .o = o, .color = color};
    put_table(&t);
    put_legend(&t);
    put_stories(&t);
}

/* --- for programs --- */

static const char *mark_name(enum october_mark mark)
{
    static const char *const names[OCTOBER_MARK_MAX] = {"not_tried", "done", "step", "refused", "broken"};
    return mark < OCTOBER_MARK_MAX ? names[mark] : "";
}
static const char *verb_name(enum october_verb verb)
{
    static const char *const names[OCTOBER_VERB_MAX] = {"sign_in", "purchase", "top_up", "spend", "end"};
    return verb < OCTOBER_VERB_MAX ? names[verb] : "";
}

static void put_run(const struct october_script *s, const struct october_run *r, struct buf *b)
{
    buf_fmt(b, "{\"taken_minor\":%lld,\"spent_minor\":%lld,\"ledger_minor\":%lld,\"wallet_minor\":%lld,\"equal\":%s,",
            (long long)r->taken_minor, (long long)r->spent_minor, (long long)r->ledger_minor, (long long)r->wallet_minor,
            r->equal ? "true" : "false");
    buf_fmt(b, "\"steps_asked\":%u,\"steps_answered\":%u,\"passed\":%u,\"acts\":[", r->asked, r->answered, r->passed);
    for (unsigned i = 0; i < s->count; i++) {
        const struct october_act *a = &s->acts[i];
        buf_fmt(b, "%s{\"second\":%d,\"act\":\"%s\",\"amount_minor\":%lld,\"device\":", i ? "," : "", a->second,
                verb_name(a->verb), (long long)a->minor);
        buf_json(b, slice_str(a->device));
        buf_fmt(b, ",\"result\":\"%s\",\"steps_asked\":%u,\"steps_answered\":%u,\"why\":", mark_name(r->acts[i].mark),
                r->acts[i].asked, r->acts[i].answered);
        buf_json(b, slice_str(r->acts[i].why));
        buf_char(b, '}');
    }
    buf_puts(b, "]}");
}

void october_json(const struct october *o, struct buf *b)
{
    static const char *const worlds[OCTOBER_WORLD_MAX] = {"2018", "today"};
    bool first = true;
    struct buf why;
    buf_init(&why, 65536);
    bool holds = october_holds(o, &why);
    buf_fmt(b, "{\"currency\":\"CNY\",\"holds\":%s,\"why\":", holds ? "true" : "false");
    buf_json(b, buf_view(&why));
    buf_puts(b, ",\"persons\":[");
    for (int p = 0; p < OCTOBER_PERSON_MAX; p++) {
        struct october_script s = october_script((enum october_person)p);
        buf_fmt(b, "%s{\"person\":\"%s\",\"role\":\"%s\",\"wallet\":\"%s\",\"tried_minor\":%lld,\"known\":", p ? "," : "",
                s.key, s.role == OCTOBER_ROLE_THIEF ? "thief" : "owner", s.wallet, (long long)o->runs[0][p].tried_minor);
        buf_json(b, slice_str(s.known));
        buf_puts(b, ",\"ours\":");
        buf_json(b, slice_str(s.ours));
        buf_puts(b, ",\"worlds\":{");
        first = true;
        for (int w = 0; w < OCTOBER_WORLD_MAX; w++)
            if (o->played[w]) {
                buf_fmt(b, "%s\"%s\":", first ? "" : ",", worlds[w]);
                put_run(&s, &o->runs[w][p], b);
                first = false;
            }
        buf_puts(b, "}}");
    }
    buf_puts(b, "]}\n");
    b->err = b->err != KEER_OK ? b->err : why.err;
    buf_release(&why);
}
