/* window_layout.c - which columns the rows of a group need, and how each window reads them. */
#include "core/window_memory.h"

static bool column_wide(enum col_kind kind) { return kind != COL_COUNT; }
static unsigned column_bytes(enum col_kind kind) { return kind == COL_SUMSQ ? 16 : column_wide(kind) ? 8 : 4; }

/* Columns of one filter (and value) are shared by all windows of the group that want them. */
static const struct column *column_cond_find(const struct group *g, enum col_kind kind, enum win_cond cond, unsigned filter,
                                             int value)
{
    for (unsigned i = 0; i < g->columns; i++) {
        const struct column *c = &g->column[i];
        if (c->kind == kind && c->cond == cond && c->filter == filter && c->value == value)
            return c;
    }
    return NULL;
}

static const struct column *column_find(const struct group *g, enum col_kind kind, unsigned filter, int value)
{
    return column_cond_find(g, kind, WIN_ANY, filter, value);
}

static bool column_cond_need(struct group *g, enum col_kind kind, enum win_cond cond, unsigned filter, int value)
{
    if (column_cond_find(g, kind, cond, filter, value))
        return true;
    if (g->columns == LIMIT_KEY_COLUMNS)
        return false;
    g->column[g->columns++] =
        (struct column){.kind = (uint8_t)kind, .cond = (uint8_t)cond, .filter = (uint8_t)filter, .value = (int16_t)value};
    return true;
}

static bool column_need(struct group *g, enum col_kind kind, unsigned filter, int value)
{
    return column_cond_need(g, kind, WIN_ANY, filter, value);
}

static bool scan_bit(struct group *g, unsigned filter, uint32_t *ret_mask)
{
    for (unsigned i = 0; i < g->scan_filters; i++)
        if (g->scan_filter[i] == filter) {
            *ret_mask = (uint32_t)1 << i;
            return true;
        }
    if (g->scan_filters == ARRAY_LEN(g->scan_filter))
        return false;
    g->scan_filter[g->scan_filters] = filter;
    *ret_mask = (uint32_t)1 << g->scan_filters++;
    return true;
}

static bool window_streak(const struct win_def *w) { return w->agg == WIN_STREAK || w->agg == WIN_STREAK_AGE; }

static bool window_scans(const struct win_def *w)
{
    return w->cond != WIN_ANY || w->agg == WIN_DISTINCT || w->agg == WIN_EWMA || window_streak(w);
}

/* What a window that looks at labels can be read from besides the rows themselves. */
static bool window_labels(const struct win_def *w)
{
    switch (w->agg) {
    case WIN_COUNT:
    case WIN_SUM:
    case WIN_MEAN:
    case WIN_STDDEV:
    case WIN_FIRST:
    case WIN_LAST:
    case WIN_NTH:
    case WIN_AGE:
    case WIN_SINCE: return w->cond != WIN_ANY;
    default: return false;
    }
}

static const enum win_cond label_conds[] = {WIN_ANY, WIN_FRAUD, WIN_GENUINE};

/* Whether the window needs totals of all rows (less frauds), of frauds, of genuine ones. */
static bool label_part(const struct win_def *w, enum win_cond part)
{
    switch (part) {
    case WIN_ANY: return w->cond == WIN_NOT_FRAUD;
    case WIN_FRAUD: return w->cond != WIN_GENUINE;
    default: return w->cond == WIN_GENUINE || w->cond == WIN_LABELLED;
    }
}

/* Without room for them the window looks at the rows. */
static void label_columns(struct group *g, const struct win_def *w)
{
    bool sums = w->agg == WIN_SUM || w->agg == WIN_MEAN || w->agg == WIN_STDDEV;
    if (!window_labels(w) || !column_need(g, COL_KNOWN, 0, -1))
        return;
    for (unsigned i = 0; i < ARRAY_LEN(label_conds); i++) {
        if (!label_part(w, label_conds[i]))
            continue;
        (void)column_cond_need(g, COL_COUNT, label_conds[i], w->filter, -1);
        if (sums)
            (void)column_cond_need(g, COL_SUM, label_conds[i], w->filter, w->value);
        if (w->agg == WIN_STDDEV)
            (void)column_cond_need(g, COL_SUMSQ, label_conds[i], w->filter, w->value);
    }
}

static bool label_place(const struct group *g, enum col_kind kind, enum win_cond cond, const struct win_def *w,
                        uint16_t *ret)
{
    const struct column *c = column_cond_find(g, kind, cond, w->filter, kind == COL_COUNT ? -1 : w->value);
    *ret = c ? c->offset : 0;
    return c != NULL;
}

/* The places of these columns; false when one of them found no room. */
static bool label_reader(const struct group *g, const struct win_def *w, struct label_reader *r)
{
    bool sums = w->agg == WIN_SUM || w->agg == WIN_MEAN || w->agg == WIN_STDDEV, ok = g->known_offset != 0;
    struct label_columns *part[] = {&r->all, &r->fraud, &r->genuine};
    if (!window_labels(w))
        return false;
    for (unsigned i = 0; i < ARRAY_LEN(part) && ok; i++) {
        if (!label_part(w, label_conds[i]))
            continue;
        ok = label_place(g, COL_COUNT, label_conds[i], w, &part[i]->count);
        if (ok && sums)
            ok = label_place(g, COL_SUM, label_conds[i], w, &part[i]->sum);
        if (ok && w->agg == WIN_STDDEV)
            ok = label_place(g, COL_SUMSQ, label_conds[i], w, &part[i]->squares);
    }
    if (w->agg == WIN_FIRST || w->agg == WIN_AGE)
        r->pick = PICK_OLDEST;
    if (w->agg == WIN_LAST || w->agg == WIN_NTH || w->agg == WIN_SINCE)
        r->pick = PICK_NEWEST;
    r->nth = w->agg == WIN_NTH ? w->nth : 1;
    return ok;
}

/* The columns of one window; false when the group has no room for them. */
static bool window_columns(struct group *g, const struct win_def *w)
{
    bool all = w->over_us == 0;
    unsigned f = w->filter;
    uint32_t mask;
    bool ok = true;
    if (window_scans(w)) {
        ok = scan_bit(g, f, &mask);
        if (ok && window_streak(w) && w->cond == WIN_ANY)
            ok = scan_bit(g, w->filter2, &mask);
        if (ok && w->value >= 0)
            ok = column_need(g, COL_VALUE, 0, w->value);
        if (ok && w->cond != WIN_ANY)
            ok = column_need(g, COL_LABEL, 0, -1) && column_need(g, COL_TAG, 0, -1);
        return ok;
    }
    switch (w->agg) {
    case WIN_COUNT: return column_need(g, COL_COUNT, f, -1);
    case WIN_SUM: return column_need(g, COL_SUM, f, w->value);
    case WIN_MEAN: return column_need(g, COL_COUNT, f, -1) && column_need(g, COL_SUM, f, w->value);
    case WIN_STDDEV:
        return column_need(g, COL_COUNT, f, -1) && column_need(g, COL_SUM, f, w->value) &&
               column_need(g, COL_SUMSQ, f, w->value);
    case WIN_MIN: return column_need(g, all ? COL_TOTAL_MIN : COL_MIN, f, w->value);
    case WIN_MAX: return column_need(g, all ? COL_TOTAL_MAX : COL_MAX, f, w->value);
    case WIN_LAST: return column_need(g, COL_LAST_VALUE, f, w->value) && column_need(g, COL_LAST_TIME, f, -1);
    case WIN_SINCE: return column_need(g, COL_LAST_TIME, f, -1);
    case WIN_FIRST:
        if (all)
            return column_need(g, COL_FIRST_VALUE, f, w->value) && column_need(g, COL_FIRST_TIME, f, -1);
        return column_need(g, COL_COUNT, f, -1) && column_need(g, COL_VALUE, 0, w->value);
    case WIN_NTH: return column_need(g, COL_COUNT, f, -1) && column_need(g, COL_VALUE, 0, w->value);
    case WIN_AGE: return column_need(g, all ? COL_FIRST_TIME : COL_COUNT, f, -1);
    case WIN_DISTINCT:
    case WIN_EWMA:
    case WIN_STREAK:
    case WIN_STREAK_AGE:
    case WIN_AGG_MAX: break;
    }
    return false;
}

static bool offset_need(struct group *g, int64_t us)
{
    unsigned i = 0;
    while (i < g->offsets && g->offset[i] < us)
        i++;
    if (i < g->offsets && g->offset[i] == us)
        return true;
    if (g->offsets == GROUP_OFFSETS)
        return false;
    memmove(&g->offset[i + 1], &g->offset[i], (g->offsets++ - i) * sizeof g->offset[0]);
    g->offset[i] = us;
    return true;
}

static uint8_t offset_index(const struct group *g, int64_t us)
{
    unsigned i = 0;
    while (g->offset[i] != us)
        i++;
    return (uint8_t)i;
}

static uint16_t column_offset(const struct group *g, enum col_kind kind, unsigned filter, int value)
{
    const struct column *c = column_find(g, kind, filter, value);
    ASSERT(c);
    return c->offset;
}

/* What blocks of crowded entities keep for the window; without room for it the window looks at all rows. */
static void reader_hot(struct group *g, struct reader *r)
{
    bool labels = r->cond != WIN_ANY, extreme = !r->all_time && (r->agg == WIN_MIN || r->agg == WIN_MAX);
    r->hot = HOT_NONE;
    if (r->agg == WIN_DISTINCT && !labels && g->sets < GROUP_SETS) {
        r->hot = (uint16_t)g->sets;
        g->set[g->sets++] = (struct set_def){r->mask, r->col};
    }
    if ((!labels && !extreme) || r->agg == WIN_STREAK || r->agg == WIN_STREAK_AGE)
        return;
    unsigned i = 0;
    while (i < g->tallies && (g->tally[i].mask != r->mask || g->tally[i].col != r->col || g->tally[i].cond != r->cond))
        i++;
    if (i == GROUP_TALLIES)
        return;
    if (i == g->tallies)
        g->tally[g->tallies++] = (struct tally_def){r->mask, r->col, r->cond};
    r->hot = (uint16_t)i;
}

static bool reader_sketch(struct group *g, struct reader *r)
{
    while (r->sketch < g->sketches && (g->sketch[r->sketch].mask != r->mask || g->sketch[r->sketch].col != r->col))
        r->sketch++;
    if (r->sketch == ARRAY_LEN(g->sketch))
        return false;
    if (r->sketch == g->sketches)
        g->sketch[g->sketches++] = (struct sketch_def){r->mask, r->col};
    return true;
}

static enum read_quick reader_quick(const struct reader *r)
{
    switch ((enum win_agg)r->agg) {
    case WIN_COUNT: return QUICK_COUNT;
    case WIN_SUM: return QUICK_SUM;
    case WIN_MEAN: return QUICK_MEAN;
    case WIN_SINCE: return QUICK_SINCE;
    case WIN_AGE: return r->all_time ? QUICK_AGE : QUICK_NONE;
    default: return QUICK_NONE;
    }
}

/* Which columns a reader of differences looks at. */
static void reader_columns(const struct group *g, const struct win_def *w, struct reader *r)
{
    bool all = r->all_time;
    unsigned f = w->filter;
    int v = w->value;
    switch (w->agg) {
    case WIN_COUNT: r->col = column_offset(g, COL_COUNT, f, -1); break;
    case WIN_STDDEV:
    case WIN_MEAN:
    case WIN_SUM:
        r->col = column_offset(g, COL_SUM, f, v);
        r->col2 = w->agg == WIN_SUM ? 0 : column_offset(g, COL_COUNT, f, -1);
        r->squares = w->agg == WIN_STDDEV ? column_offset(g, COL_SUMSQ, f, v) : 0;
        break;
    case WIN_MIN: r->col = column_offset(g, all ? COL_TOTAL_MIN : COL_MIN, f, v); break;
    case WIN_MAX: r->col = column_offset(g, all ? COL_TOTAL_MAX : COL_MAX, f, v); break;
    case WIN_LAST:
        r->col = column_offset(g, COL_LAST_TIME, f, -1);
        r->col2 = column_offset(g, COL_LAST_VALUE, f, v);
        break;
    case WIN_SINCE: r->col = column_offset(g, COL_LAST_TIME, f, -1); break;
    case WIN_FIRST:
        r->col = column_offset(g, all ? COL_FIRST_TIME : COL_COUNT, f, -1);
        r->col2 = all ? column_offset(g, COL_FIRST_VALUE, f, v) : column_offset(g, COL_VALUE, 0, v);
        break;
    case WIN_NTH:
        r->col = column_offset(g, COL_COUNT, f, -1);
        r->col2 = column_offset(g, COL_VALUE, 0, v);
        break;
    case WIN_AGE: r->col = column_offset(g, all ? COL_FIRST_TIME : COL_COUNT, f, -1); break;
    case WIN_DISTINCT:
    case WIN_EWMA:
    case WIN_STREAK:
    case WIN_STREAK_AGE:
    case WIN_AGG_MAX: ASSERT(false);
    }
}

static bool window_includes(const struct win_def *w) { return w->including && w->delay_us == 0; }

/* The window's reader, once the columns have their places. */
static bool window_reader(struct group *g, const struct win_def *w, unsigned index, struct reader *reader)
{
    struct reader r = {.window = (uint16_t)index,
                       .agg = (uint8_t)w->agg,
                       .cond = (uint8_t)w->cond,
                       .all_time = w->over_us == 0,
                       .text = w->text,
                       .nth = w->nth,
                       .over_us = w->over_us,
                       .half_life_us = w->half_life_us,
                       .scale = w->scale};
    r.upto = offset_index(g, w->delay_us);
    r.from = r.all_time ? (uint8_t)g->offsets : offset_index(g, w->delay_us + w->over_us);
    r.quick = QUICK_NONE;
    if (window_scans(w)) {
        r.path = READ_SCAN;
        ASSERT(scan_bit(g, w->filter, &r.mask));
        if (window_streak(w) && w->cond == WIN_ANY)
            ASSERT(scan_bit(g, w->filter2, &r.mask2));
        r.col = w->value >= 0 ? column_offset(g, COL_VALUE, 0, w->value) : 0;
        if (w->agg == WIN_DISTINCT && !reader_sketch(g, &r))
            return false;
        r.labels = label_reader(g, w, &r.label);
    } else {
        reader_columns(g, w, &r);
        r.quick = (uint8_t)reader_quick(&r);
    }
    reader_hot(g, &r);
    *reader = r;
    return true;
}

/* The group's windows that include the event itself, or those that don't, from `first` on; false without room. */
static bool readers_make(struct group *g, const struct win_plan *plan, unsigned index, bool including, struct reader *first,
                         struct readers *readers)
{
    readers->first = first;
    for (unsigned w = 0; w < plan->windows; w++) {
        const struct win_def *d = &plan->window[w];
        if (d->group != index || window_includes(d) != including)
            continue;
        if (!window_reader(g, d, w, &first[readers->count]))
            return false;
        readers->offsets |= (uint64_t)1 << first[readers->count].upto;
        if (d->over_us)
            readers->offsets |= (uint64_t)1 << first[readers->count].from;
        readers->count++;
    }
    unsigned n = 0; /* sorted by kind, each in the order of the plan */
    for (unsigned quick = 0; quick < QUICK_MAX; quick++) {
        for (unsigned i = n; i < readers->count; i++) {
            struct reader r = first[i];
            if (r.quick != quick)
                continue;
            memmove(&first[n + 1], &first[n], (i - n) * sizeof r);
            first[n++] = r;
        }
        readers->quick[quick] = n;
    }
    return true;
}

/* A total of labelled rows must find, when a label comes later, which rows passed its filter and what they add. */
static void column_labelled(struct group *g, struct column *c)
{
    ASSERT(scan_bit(g, c->filter, &c->mask)); /* the window has it already */
    if (c->value >= 0)
        c->mate = column_offset(g, COL_VALUE, 0, c->value);
}

/* Places: 16 bytes of row, then the wide columns, then the narrow; values before the times that they follow, so that they
 * are updated while the time is still the old one. */
static bool columns_place(struct group *g)
{
    unsigned at = sizeof(struct row);
    for (int pass = 0; pass < 2; pass++)
        for (unsigned i = 0; i < g->columns; i++)
            if (column_wide(g->column[i].kind) == (pass == 0)) {
                g->column[i].offset = (uint16_t)at;
                at += column_bytes(g->column[i].kind);
            }
    g->stride = (at + 7) & ~7u;
    for (unsigned i = 0; i < g->columns; i++) {
        struct column *c = &g->column[i];
        if (c->kind == COL_FIRST_VALUE)
            c->mate = column_offset(g, COL_FIRST_TIME, c->filter, -1);
        if (c->kind == COL_LAST_VALUE)
            c->mate = column_offset(g, COL_LAST_TIME, c->filter, -1);
        if (c->kind == COL_LABEL)
            g->label_offset = c->offset;
        if (c->kind == COL_TAG)
            g->tag_offset = c->offset;
        if (c->kind == COL_KNOWN)
            g->known_offset = c->offset;
        if (c->cond != WIN_ANY)
            column_labelled(g, c);
    }
    g->blank = calloc(1, g->stride);
    if (!g->blank)
        return false;
    for (unsigned i = 0; i < g->columns; i++) {
        int64_t *cell = (int64_t *)(void *)(g->blank + g->column[i].offset);
        switch ((enum col_kind)g->column[i].kind) {
        case COL_FIRST_TIME:
        case COL_TOTAL_MIN:
        case COL_MIN:
        case COL_LABEL: *cell = INT64_MAX; break;
        case COL_LAST_TIME:
        case COL_KNOWN:
        case COL_TOTAL_MAX:
        case COL_MAX:
        case COL_VALUE: *cell = WIN_MISSING; break;
        case COL_COUNT:
        case COL_SUM:
        case COL_SUMSQ:
        case COL_FIRST_VALUE:
        case COL_LAST_VALUE:
        case COL_TAG:
        case COL_KIND_MAX: break;
        }
    }
    return true;
}
static_assert(WIN_MISSING == INT64_MIN, "a missing value is the least, so that maxima need no test");

/* Values are updated before the times that they follow. */
static void columns_sort(struct group *g)
{
    unsigned n = 0;
    for (int pass = 0; pass < 2; pass++)
        for (unsigned i = pass ? n : 0; i < g->columns; i++) {
            bool first = g->column[i].kind == COL_FIRST_VALUE || g->column[i].kind == COL_LAST_VALUE;
            if (pass == 0 && first) {
                struct column c = g->column[i];
                memmove(&g->column[n + 1], &g->column[n], (i - n) * sizeof c);
                g->column[n++] = c;
            }
        }
}

static bool append_common(enum col_kind kind) { return kind == COL_COUNT || kind == COL_SUM || kind == COL_VALUE; }

static unsigned appends_add(struct group *g, enum col_kind kind)
{
    for (unsigned i = 0; i < g->columns; i++) {
        const struct column *c = &g->column[i];
        bool other = kind == COL_KIND_MAX && !append_common((enum col_kind)c->kind);
        if (c->cond == WIN_ANY && c->kind != COL_KNOWN && (c->kind == kind || other)) /* those change with labels only */
            g->append[g->appends++] = (struct append){c->kind, c->filter, c->offset, c->mate, c->value};
    }
    return g->appends;
}

static void appends_make(struct group *g)
{
    g->counts_end = appends_add(g, COL_COUNT);
    g->sums_end = appends_add(g, COL_SUM);
    g->values_end = appends_add(g, COL_VALUE);
    (void)appends_add(g, /* the others */ COL_KIND_MAX);
}

enum keer_err group_layout(struct group *g, const struct win_plan *plan, unsigned index)
{
    unsigned mine = 0;
    g->link_index = -1;
    for (unsigned w = 0; w < plan->windows; w++) {
        const struct win_def *d = &plan->window[w];
        if (d->group != index)
            continue;
        mine++;
        if (d->over_us == 0) {
            g->all_time = true;
            g->keeps_rows |= window_scans(d) || d->agg == WIN_NTH;
            g->labelled_all |= d->cond != WIN_ANY;
        }
        if (d->cond != WIN_ANY)
            g->labelled = true;
        g->horizon_us = MAX_OF(g->horizon_us, d->over_us + d->delay_us);
        g->need_words[w / 64] |= (uint64_t)1 << w % 64;
        g->need_from = g->need_to ? g->need_from : w / 64;
        g->need_to = w / 64 + 1;
        if (!window_columns(g, d) || !offset_need(g, d->delay_us) || !offset_need(g, d->delay_us + d->over_us))
            return KEER_ELIMIT;
    }
    for (unsigned w = 0; w < plan->windows; w++) /* after what there must be room for */
        if (plan->window[w].group == index)
            label_columns(g, &plan->window[w]);
    g->horizon_us += plan->lateness_us;
    columns_sort(g);
    if (!columns_place(g))
        return KEER_ENOMEM;
    g->reader = calloc(mine ? mine : 1, sizeof *g->reader);
    if (!g->reader)
        return KEER_ENOMEM;
    if (!readers_make(g, plan, index, /* including */ false, g->reader, &g->before) ||
        !readers_make(g, plan, index, /* including */ true, g->reader + g->before.count, &g->including))
        return KEER_ELIMIT;
    appends_make(g);
    return table_init(g);
}

enum keer_err links_layout(struct group *g, const struct win_plan *plan, unsigned labelled, int64_t horizon_us)
{
    UNUSED(plan);
    g->link_index = -1;
    g->horizon_us = horizon_us;
    g->rows_max = 4; /* an id comes once; a few more are kept for those who repeat it */
    for (unsigned i = 0; i < 2 * labelled; i++)
        if (!column_need(g, COL_TAG, i, -1))
            return KEER_ELIMIT;
    if (!columns_place(g))
        return KEER_ENOMEM;
    appends_make(g);
    return table_init(g);
}
