/* input.c - finds the records in what was fed, whatever the chunks, and hands them to the reader of their format.
 *
 * Where the unread bytes are:
 *
 *      keep (copied)                 chunk (borrowed)
 *   [.....read.|unread]   then   [.read.|........unread.......]
 *              keep_from                 chunk.p
 *
 * While `in_keep`, records are read from keep, which takes bytes from the chunk up to the next line end whenever the
 * record in it is not whole; as soon as keep is used up, reading goes on in the chunk itself.
 */
#include "core/input_inside.h"

enum keer_err input_fail(struct input *in, enum keer_err code, const char *fmt, ...)
{
    struct input_error *e = in->err;
    va_list ap;
    e->code = code;
    e->hint[0] = '\0';
    va_start(ap, fmt);
    (void)vsnprintf(e->what, sizeof e->what, fmt, ap);
    va_end(ap);
    for (char *c = e->what; *c; c++) /* it may quote the input */
        *c = (unsigned char)*c < ' ' ? '?' : *c;
    return code;
}

void input_hint(struct input *in, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(in->err->hint, sizeof in->err->hint, fmt, ap);
    va_end(ap);
}

void input_place(struct input *in, size_t at)
{
    struct input_error *e = in->err;
    struct slice before = slice_of(in->record.p, MIN_OF(at, in->record.len));
    e->line = in->record_line;
    e->text = in->record;
    size_t column = at;
    for (const char *nl; before.len && (nl = memchr(before.p, '\n', before.len));) {
        size_t n = (size_t)(nl - before.p) + 1;
        before = slice_of(nl + 1, before.len - n);
        column -= n;
        e->line++;
    }
    e->column = (unsigned)column + 1 + (e->line == 1 ? in->bom : 0);
}

const char *input_shown(struct slice s, char ret_text[SHOWN_BYTES])
{
    size_t n = MIN_OF(s.len, (size_t)SHOWN_BYTES - 8), o = 0;
    while (n < s.len && n > 0 && ((unsigned char)s.p[n] & 0xC0) == 0x80) /* not in the middle of a UTF-8 sequence */
        n--;
    ret_text[o++] = '\'';
    for (size_t i = 0; i < n; i++)
        ret_text[o++] = (unsigned char)s.p[i] < ' ' || s.p[i] == 127 ? '?' : s.p[i];
    (void)snprintf(ret_text + o, SHOWN_BYTES - o, "%s'", n < s.len ? "..." : "");
    return ret_text;
}

/* --- records ------------------------------------------------------------------------------------------------- */

static struct slice unread(const struct input *in)
{
    return in->in_keep ? slice_of(in->keep.p + in->keep_from, in->keep.len - in->keep_from) : in->chunk;
}

static void advance(struct input *in, size_t n)
{
    in->offset += n;
    if (in->in_keep) {
        in->keep_from += n;
    } else {
        in->chunk.p += n;
        in->chunk.len -= n;
    }
    in->scanned = 0;
    in->scan = SCAN_PLAIN;
}

static enum input_result no_memory(struct input *in)
{
    (void)input_fail(in, KEER_ENOMEM, "out of memory");
    in->err->line = in->line;
    in->err->column = 1;
    in->err->text = (struct slice){NULL, 0};
    return INPUT_FAILED;
}

static uint64_t count_lines(struct slice s)
{
    uint64_t n = 0;
    for (const char *nl; s.len && (nl = memchr(s.p, '\n', s.len)); n++)
        s = slice_of(nl + 1, s.len - (size_t)(nl - s.p) - 1);
    return n;
}

/* The first n unread bytes are the record, line end included. */
static void take_record(struct input *in, size_t n)
{
    struct slice r = slice_of(unread(in).p, n);
    in->record_plain = in->scan == SCAN_PLAIN;
    in->record_line = in->line;
    in->line += in->record_plain ? 1 : count_lines(r);
    if (r.len && r.p[r.len - 1] == '\n')
        r.len--;
    if (r.len && r.p[r.len - 1] == '\r')
        r.len--;
    in->record = r;
    advance(in, n);
}

/* The unread bytes hold no whole record and never will. A quote that is not closed costs its first line alone: the lines
 * after it are looked at again. But not twice: a second such quote among them costs all that was looked at, so that the work
 * stays linear. Otherwise all up to the next line end is skipped. */
static enum input_result broken_record(struct input *in, struct slice view)
{
    bool quoted = in->scan == SCAN_QUOTED, again = quoted && in->offset >= in->reread_end;
    const char *nl = again ? memchr(view.p, '\n', view.len) : NULL;
    if (again)
        in->reread_end = in->offset + view.len;
    size_t n = nl ? (size_t)(nl - view.p) + 1 : view.len;
    in->record = view;
    in->record_line = in->line;
    if (quoted) {
        (void)input_fail(in, KEER_ESYNTAX, "the quoted value that begins here is never closed");
        input_hint(in, "end it with a quote; a quote inside a quoted value is written twice");
        input_place(in, in->quote_at);
    } else {
        (void)input_fail(in, KEER_ELIMIT, "a line of more than %u bytes", LIMIT_LINE_BYTES);
        input_place(in, 0);
    }
    in->skipping = !nl;
    in->line += nl ? 1 : count_lines(view);
    in->err->text = slice_of(view.p, nl ? n - 1 : n);
    advance(in, n);
    return in->format == INPUT_CSV && !in->has_header ? INPUT_FAILED : INPUT_BAD;
}

/* More of the chunk for the record that begins in keep: up to its next line end. */
static bool top_up(struct input *in)
{
    if (in->keep_from) {
        in->keep.len -= in->keep_from;
        memmove(in->keep.p, in->keep.p + in->keep_from, in->keep.len);
        in->keep_from = 0;
    }
    size_t room = MIN_OF(in->chunk.len, LIMIT_LINE_BYTES - in->keep.len);
    const char *nl = memchr(in->chunk.p, '\n', room);
    size_t n = nl ? (size_t)(nl - in->chunk.p) + 1 : room;
    buf_put(&in->keep, in->chunk.p, n);
    in->chunk.p += n;
    in->chunk.len -= n;
    return in->keep.err == KEER_OK;
}

/* Keeps what is left of the chunk for the next one. */
static enum input_result keep_rest(struct input *in)
{
    if (!in->in_keep) {
        buf_clear(&in->keep);
        buf_slice(&in->keep, in->chunk);
        if (in->keep.err != KEER_OK)
            return no_memory(in);
        in->keep_from = 0;
        in->in_keep = in->keep.len > 0;
    }
    in->chunk = (struct slice){NULL, 0};
    in->fed = false;
    return INPUT_MORE;
}

/* True when it is known whether the input begins with a byte order mark. */
static bool skip_bom(struct input *in)
{
    struct slice v = unread(in);
    size_t n = MIN_OF(v.len, (size_t)3);
    if (n && memcmp(v.p, "\xEF\xBB\xBF", n) == 0) {
        if (n < 3)
            return in->last && !in->chunk.len;
        in->bom = 3;
        advance(in, 3);
    } else if (n == 0 && !in->last) {
        return false;
    }
    in->bom_done = true;
    return true;
}

/* What is left of a line that was too long. True when its end was found. */
static bool skip_line(struct input *in)
{
    struct slice v = unread(in);
    const char *nl = v.len ? memchr(v.p, '\n', v.len) : NULL;
    advance(in, nl ? (size_t)(nl - v.p) + 1 : v.len);
    in->line += nl != NULL;
    in->skipping = !nl;
    return nl != NULL;
}

/* NDJSON: a record is a line. */
static size_t line_end(struct input *in, struct slice view)
{
    const char *nl = view.len > in->scanned ? memchr(view.p + in->scanned, '\n', view.len - in->scanned) : NULL;
    in->scanned = view.len;
    return nl ? (size_t)(nl - view.p) + 1 : 0;
}

/* Sets in->record: INPUT_EVENT. The others as input_next. */
static enum input_result next_record(struct input *in)
{
    if (!in->fed)
        return INPUT_MORE;
    for (;;) {
        struct slice view = unread(in);
        if (in->in_keep && view.len == 0) {
            in->in_keep = false;
            continue;
        }
        bool ready = in->bom_done || skip_bom(in);
        if (ready && in->skipping) {
            if (skip_line(in) || in->in_keep)
                continue;
        } else if (ready) {
            view = unread(in); /* the byte order mark is gone */
            struct slice look = slice_of(view.p, MIN_OF(view.len, (size_t)LIMIT_LINE_BYTES));
            size_t n = in->format == INPUT_CSV ? csv_record_end(in, look) : line_end(in, look);
            if (n) {
                take_record(in, n);
                return INPUT_EVENT;
            }
            if (look.len == LIMIT_LINE_BYTES)
                return broken_record(in, look);
        }
        if (in->in_keep && in->chunk.len) {
            if (!top_up(in))
                return no_memory(in);
            continue;
        }
        if (!in->last)
            return keep_rest(in);
        view = unread(in);
        if (view.len == 0)
            return INPUT_END;
        if (in->scan == SCAN_QUOTED)
            return broken_record(in, view);
        take_record(in, view.len);
        return INPUT_EVENT;
    }
}

/* In CSV spaces and tabs may be values. */
static bool blank(const struct input *in)
{
    struct slice s = in->record;
    return s.len == 0 || (in->format == INPUT_NDJSON && ascii_space(s.p[0]) && slice_trim(s).len == 0);
}

static enum input_result next_event(struct input *in, struct keer_event *ev)
{
    for (;;) {
        enum input_result r = next_record(in);
        if (r == INPUT_END && in->format == INPUT_CSV && !in->has_header) {
            (void)input_fail(in, KEER_EMISSING, "there is no header: the input is empty");
            input_hint(in, "the first line of a CSV file names its columns");
            in->record = (struct slice){NULL, 0};
            in->record_line = 1;
            input_place(in, 0);
            return INPUT_FAILED;
        }
        if (r != INPUT_EVENT)
            return r;
        if (blank(in))
            continue;
        keer_event_reset(ev);
        r = in->format == INPUT_CSV ? csv_record(in, ev) : ndjson_record(in, ev);
        if (r != INPUT_MORE)
            return r;
    }
}

/* --- the interface ------------------------------------------------------------------------------------------- */

enum input_result input_next(struct input *in, struct keer_event *ev, struct input_error *err)
{
    ASSERT(ev->schema == in->schema);
    if (in->failed) {
        *err = in->failure;
        return INPUT_FAILED;
    }
    if (in->ended)
        return INPUT_END;
    in->err = err;
    enum input_result r = next_event(in, ev);
    in->ended = r == INPUT_END;
    if (r == INPUT_BAD && err->code == KEER_ENOMEM) /* a record must not be lost because memory was short */
        r = no_memory(in);
    if (r == INPUT_FAILED) {
        in->failed = true;
        in->failure = *err;
        in->failure.text = (struct slice){NULL, 0};
    }
    return r;
}

enum keer_err input_feed(struct input *in, struct slice chunk, bool last)
{
    if (in->fed || in->failed || in->ended)
        return KEER_EINVALID;
    in->chunk = chunk;
    in->last = last;
    in->fed = true;
    return KEER_OK;
}

static enum keer_err choose_format(struct input *in, const struct input_options *o)
{
    enum input_format said = o->mapping ? o->mapping->format : INPUT_ANY;
    if ((unsigned)o->format >= INPUT_FORMAT_MAX || (o->format == INPUT_ANY && said == INPUT_ANY))
        return input_fail(in, KEER_EINVALID, "nothing says whether this is csv or ndjson");
    if (said != INPUT_ANY && o->format != INPUT_ANY && said != o->format)
        return input_fail(in, KEER_ECONFLICT, "the mapping is for %s, the input is %s", input_format_name(said),
                          input_format_name(o->format));
    in->format = o->format == INPUT_ANY ? said : o->format;
    in->delimiter = o->delimiter ? o->delimiter : o->mapping && o->mapping->delimiter ? o->mapping->delimiter : ',';
    return KEER_OK;
}

enum keer_err input_new(const struct keer_schema *schema, const struct input_options *options, struct input **ret_in,
                        struct input_error *ret_error)
{
    *ret_error = (struct input_error){0};
    struct input *in = calloc(1, sizeof *in);
    if (!in) {
        ret_error->code = KEER_ENOMEM;
        (void)snprintf(ret_error->what, sizeof ret_error->what, "out of memory");
        return KEER_ENOMEM;
    }
    in->schema = schema;
    in->mapping = options->mapping;
    in->strict = options->strict;
    in->line = 1;
    in->last_type = -1;
    in->err = ret_error;
    buf_init(&in->keep, LIMIT_LINE_BYTES);
    buf_init(&in->unquoted, LIMIT_LINE_BYTES);
    enum keer_err err = choose_format(in, options);
    if (err == KEER_OK && in->mapping)
        err = plan_by_mapping(in);
    else if (err == KEER_OK)
        plan_by_name(in);
    if (err != KEER_OK) {
        input_free(in);
        return err;
    }
    *ret_in = in;
    return KEER_OK;
}

void input_free(struct input *in)
{
    if (!in)
        return;
    tape_release(&in->tape);
    buf_release(&in->keep);
    buf_release(&in->unquoted);
    free(in);
}

uint64_t input_line(const struct input *in) { return in->line; }

bool input_skipped(const struct input *in, unsigned i, struct slice *ret_name)
{
    for (unsigned k = 0; in->mapping && k < in->mapping->count; k++) {
        const struct map_entry *e = &in->mapping->entries[k];
        struct keer_attr row;
        const char *doc;
        bool known = e->role != MAP_ATTR || keer_schema_find(in->schema, e->name.p, e->name.len) >= 0;
        for (unsigned a = 0; !known && attr_known_row(a, &row, &doc); a++)
            known = slice_eq(row.name, e->name);
        if (!known && i-- == 0) {
            *ret_name = e->name;
            return true;
        }
    }
    return false;
}
