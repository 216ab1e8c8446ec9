/* input_csv.c - CSV after RFC 4180: where a record ends, what its values are, and what the header names.
 *
 * The states of csv_record_end(), which must agree with split_quoted() about what is inside quotes:
 *
 *   PLAIN --a quote anywhere--> look again from START      PLAIN: no quote so far; memchr does all the work
 *   START --"--> QUOTED --"--> CLOSING --"--> QUOTED
 *   START --x--> VALUE         CLOSING --x--> VALUE        a quote in VALUE is an error, but only split_quoted() says so
 *   any but QUOTED: delimiter --> START, line end --> the record is whole
 */
#include "core/input_inside.h"

size_t csv_record_end(struct input *in, struct slice view)
{
    if (view.len <= in->scanned)
        return 0;
    if (in->scan == SCAN_PLAIN) {
        const char *from = view.p + in->scanned;
        const char *nl = memchr(from, '\n', view.len - in->scanned);
        size_t n = nl ? (size_t)(nl - view.p) + 1 : view.len;
        if (!memchr(from, '"', n - in->scanned)) {
            in->scanned = n;
            return nl ? n : 0;
        }
        in->scan = SCAN_START;
        in->scanned = 0;
    }
    enum scan_state state = in->scan;
    size_t i = in->scanned;
    for (; i < view.len; i++) {
        char c = view.p[i];
        if (state == SCAN_QUOTED) {
            const char *q = memchr(view.p + i, '"', view.len - i);
            i = q ? (size_t)(q - view.p) : view.len - 1;
            state = q ? SCAN_CLOSING : SCAN_QUOTED;
        } else if (c == '\n') {
            in->scan = state;
            return i + 1;
        } else if (c == in->delimiter) {
            state = SCAN_START;
        } else if (c == '"' && state != SCAN_VALUE) {
            in->quote_at = state == SCAN_START ? i : in->quote_at;
            state = SCAN_QUOTED;
        } else {
            state = SCAN_VALUE;
        }
    }
    in->scan = state;
    in->scanned = view.len;
    return 0;
}

/* Cuts a record without quotes at the delimiters: number of values, one more than LIMIT_CSV_COLUMNS when there are too many.
 */
static unsigned split_plain(struct input *in)
{
    const char *start = in->record.p, *p = start, *end = p + in->record.len;
    for (unsigned n = 0;; n++) {
        if (n == LIMIT_CSV_COLUMNS)
            return n + 1;
        const char *q = memchr(p, in->delimiter, (size_t)(end - p));
        const char *stop = q ? q : end;
        in->fields[n].text = slice_of(p, (size_t)(stop - p));
        in->fields[n].at = (size_t)(p - start);
        if (!q)
            return n + 1;
        p = q + 1;
    }
}

/* A quoted value that begins at r.p[i]. Where it ends, past the quote; SIZE_MAX when it doesn't. */
static size_t take_quoted(struct input *in, size_t i, struct slice *ret_text)
{
    struct slice r = in->record;
    size_t from = i + 1, start = in->unquoted.len;
    bool doubled = false;
    for (;;) {
        const char *q = memchr(r.p + from, '"', r.len - from);
        if (!q)
            return SIZE_MAX;
        size_t at = (size_t)(q - r.p);
        bool ends = at + 1 >= r.len || r.p[at + 1] != '"';
        if (doubled || !ends) /* from here on the text differs from what stands there; memory was reserved */
            buf_put(&in->unquoted, r.p + from, at - from + !ends);
        if (ends) {
            *ret_text =
                doubled ? slice_of(in->unquoted.p + start, in->unquoted.len - start) : slice_of(r.p + i + 1, at - i - 1);
            return at + 1;
        }
        doubled = true;
        from = at + 2;
    }
}

static enum keer_err quote_error(struct input *in, size_t at, const char *what)
{
    (void)input_fail(in, KEER_ESYNTAX, "%s", what);
    input_hint(in, "a value that holds a quote stands in quotes as a whole, and the quote inside is written twice");
    input_place(in, at);
    return KEER_ESYNTAX;
}

/* As split_plain() for a record with quotes in it. */
static enum keer_err split_quoted(struct input *in, unsigned *ret_n)
{
    struct slice r = in->record;
    size_t i = 0;
    buf_clear(&in->unquoted);
    if (!buf_reserve(&in->unquoted, r.len)) /* once, so that texts don't move */
        return input_fail(in, in->unquoted.err, "out of memory");
    for (unsigned n = 0;; n++) {
        *ret_n = n + 1;
        if (n == LIMIT_CSV_COLUMNS)
            return KEER_OK;
        struct value *f = &in->fields[n];
        f->at = i;
        if (i < r.len && r.p[i] == '"') {
            size_t at = i;
            i = take_quoted(in, i, &f->text);
            if (i == SIZE_MAX)
                return quote_error(in, at, "the quoted value that begins here is never closed");
            if (i < r.len && r.p[i] != in->delimiter)
                return quote_error(in, i, "something follows the closing quote of a value");
        } else {
            const char *q = i < r.len ? memchr(r.p + i, in->delimiter, r.len - i) : NULL;
            size_t stop = q ? (size_t)(q - r.p) : r.len;
            const char *quote = i < stop ? memchr(r.p + i, '"', stop - i) : NULL;
            if (quote)
                return quote_error(in, (size_t)(quote - r.p), "a quote inside a value that is not in quotes");
            f->text = slice_of(r.p + i, stop - i);
            i = stop;
        }
        if (i >= r.len)
            return KEER_OK;
        i++;
    }
}

static enum keer_err split(struct input *in, unsigned *ret_n)
{
    const char *nul = memchr(in->record.p, '\0', in->record.len);
    if (nul) {
        (void)input_fail(in, KEER_ESYNTAX, "a NUL byte");
        input_hint(in, "is this a text in UTF-8? UTF-16 must be converted first");
        input_place(in, (size_t)(nul - in->record.p));
        return KEER_ESYNTAX;
    }
    if (!in->record_plain)
        return split_quoted(in, ret_n);
    *ret_n = split_plain(in);
    return KEER_OK;
}

/* --- the header ---------------------------------------------------------------------------------------------- */

static enum input_result header_failed(struct input *in, size_t at)
{
    input_place(in, at);
    return INPUT_FAILED;
}

static enum input_result column_missing(struct input *in, const struct step *s)
{
    char shown[SHOWN_BYTES];
    struct slice best = {NULL, 0};
    for (unsigned c = 0; c < in->columns; c++)
        nearest_word(s->source, in->fields[c].text, &best);
    (void)input_fail(in, KEER_EMISSING, "%.*s: there is no column %s", SLICE_ARG(s->name), input_shown(s->source, shown));
    char other = 0;
    for (const char *c = ";\t|,"; *c && in->columns == 1 && !other; c++)
        other = memchr(in->record.p, *c, in->record.len) ? *c : '\0';
    if (other)
        input_hint(in, "are the columns separated by %s? Then say so in a mapping: delimiter %s",
                   other == '\t' ? "tabs" : input_shown(slice_of(&other, 1), shown), other == '\t' ? "tab" : "\"...\"");
    else if (best.p)
        input_hint(in, "did you mean %s?%s", input_shown(best, shown), in->mapping ? " The mapping names the columns" : "");
    else if (in->mapping)
        input_hint(in, "line %u of the mapping names it", s->map_line);
    else
        input_hint(in, "name the columns id, time, type and so on, or give a mapping");
    return header_failed(in, 0);
}

/* Strict: every column must mean something. */
static enum input_result check_all_used(struct input *in)
{
    char shown[SHOWN_BYTES];
    for (unsigned c = 0; c < in->columns; c++) {
        struct slice name = slice_trim(in->fields[c].text);
        if (plan_step_named(in, name) != STEP_NONE)
            continue;
        struct slice best = plan_nearest(in, name);
        (void)input_fail(in, KEER_EINVALID, "column %s means nothing here", input_shown(name, shown));
        if (best.p)
            input_hint(in, "did you mean '%.*s'?", SLICE_ARG(best));
        return header_failed(in, in->fields[c].at);
    }
    return INPUT_MORE;
}

static enum input_result read_header(struct input *in, unsigned n)
{
    char shown[SHOWN_BYTES];
    if (n > LIMIT_CSV_COLUMNS) {
        (void)input_fail(in, KEER_ELIMIT, "more than %d columns", LIMIT_CSV_COLUMNS);
        return header_failed(in, 0);
    }
    in->columns = n;
    for (unsigned i = 0; i < in->step_count; i++) {
        struct step *s = &in->steps[i];
        if (!in->mapping && plan_step_named(in, s->source) != i)
            continue; /* a part of the event has this name */
        for (unsigned c = 0; c < n && !s->constant; c++) {
            if (!slice_eq(slice_trim(in->fields[c].text), s->source))
                continue;
            if (s->column >= 0) {
                (void)input_fail(in, KEER_ECONFLICT, "two columns are called %s", input_shown(s->source, shown));
                return header_failed(in, in->fields[c].at);
            }
            s->column = (int)c;
        }
        bool needed = in->mapping || s->kind == STEP_ID || s->kind == STEP_TIME || s->kind == STEP_TYPE;
        if (needed && !s->constant && s->column < 0)
            return column_missing(in, s);
    }
    if (in->strict && !in->mapping && check_all_used(in) == INPUT_FAILED)
        return INPUT_FAILED;
    for (unsigned i = 0; i < in->step_count; i++)
        if (in->steps[i].constant || in->steps[i].column >= 0)
            in->filled[i / 64] |= (uint64_t)1 << i % 64;
    in->has_header = true;
    return INPUT_MORE;
}

/* --- records ------------------------------------------------------------------------------------------------- */

enum input_result csv_record(struct input *in, struct keer_event *ev)
{
    unsigned n = 0;
    if (split(in, &n) != KEER_OK)
        return in->has_header ? INPUT_BAD : INPUT_FAILED;
    if (!in->has_header)
        return read_header(in, n);
    if (n != in->columns) {
        bool more = n > in->columns;
        (void)input_fail(in, KEER_EFORMAT, "%u%s values where the header names %u columns",
                         MIN_OF(n, (unsigned)LIMIT_CSV_COLUMNS), n > LIMIT_CSV_COLUMNS ? " or more" : "", in->columns);
        input_hint(in, "%s", more ? "a value that holds the delimiter stands in quotes" : "an absent value is an empty one");
        input_place(in, more && in->columns < LIMIT_CSV_COLUMNS ? in->fields[in->columns].at : in->record.len);
        return INPUT_BAD;
    }
    for (unsigned i = 0; i < in->step_count; i++) {
        int c = in->steps[i].column;
        if (c >= 0)
            in->values[i] = in->fields[c];
    }
    if (event_fill(in, ev) == KEER_OK)
        return INPUT_EVENT;
    input_place(in, in->blame && in->blame->column >= 0 ? in->fields[in->blame->column].at : 0);
    return INPUT_BAD;
}
