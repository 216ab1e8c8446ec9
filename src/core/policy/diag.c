/* diag.c - messages about a policy, with the line and a caret. */
#include "core/policy/diag.h"

void diags_init(struct diags *d, struct slice name, struct slice text) { *d = (struct diags){.name = name, .text = text}; }

void diags_release(struct diags *d)
{
    free(d->item);
    *d = (struct diags){0};
}

/* Texts of a policy may hold anything: nothing that a terminal obeys, and no part of a character at the end. */
static void plain(char *text)
{
    size_t len = strlen(text), from = len;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 127)
            text[i] = '?';
    while (from > 0 && len - from < 4 && ((unsigned char)text[from - 1] & 0xC0) == 0x80)
        from--;
    if (from > 0 && (unsigned char)text[from - 1] >= 0xC0) {
        unsigned char lead = (unsigned char)text[from - 1];
        size_t want = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
        if (len - from + 1 < want)
            text[from - 1] = '\0';
    }
}

void diag_add(struct diags *d, enum severity severity, struct span_at at, const char *hint, const char *fmt, ...)
{
    d->errors += severity == DIAG_ERROR;
    for (unsigned i = 0; i < d->count; i++)
        if (d->item[i].at.from == at.from && d->item[i].severity == severity) {
            d->repeated += severity == DIAG_ERROR;
            return; /* one message for one place */
        }
    unsigned slot = d->count;
    if (slot >= LIMIT_POLICY_ERRORS) { /* an error takes the place of the last warning: what stops the policy must be seen */
        d->dropped++;
        while (slot > 0 && (severity != DIAG_ERROR || d->item[slot - 1].severity == DIAG_ERROR))
            slot--;
        if (slot-- == 0)
            return;
    } else if (d->count == d->cap) {
        unsigned cap = d->cap ? d->cap * 2 : 4;
        struct diag *item = realloc(d->item, cap * sizeof *item);
        if (!item) {
            d->failed_alloc = true;
            return;
        }
        d->item = item;
        d->cap = cap;
    }
    d->count += slot == d->count;
    struct diag *m = &d->item[slot];
    *m = (struct diag){.severity = severity, .at = at};
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(m->what, sizeof m->what, fmt, ap);
    va_end(ap);
    (void)snprintf(m->hint, sizeof m->hint, "%s", hint ? hint : "");
    plain(m->what);
    plain(m->hint);
}

void diag_place(const struct diags *d, struct span_at at, unsigned *ret_line, unsigned *ret_column)
{
    unsigned line = 1;
    size_t start = 0, from = MIN_OF(at.from, d->text.len);
    for (size_t i = 0; i < from; i++)
        if (d->text.p[i] == '\n') {
            line++;
            start = i + 1;
        }
    *ret_line = line;
    *ret_column = (unsigned)(from - start) + 1;
}

static int by_place(const void *a, const void *b)
{
    const struct diag *x = a, *y = b;
    if (x->at.from != y->at.from)
        return x->at.from < y->at.from ? -1 : 1;
    return (int)x->severity - (int)y->severity;
}

static const char *severity_name(enum severity s)
{
    return s == DIAG_ERROR ? "error" : s == DIAG_WARNING ? "warning" : "note";
}

static void print_line(const struct diags *d, const struct diag *m, unsigned line, unsigned column, struct buf *out)
{
    size_t start = MIN_OF((size_t)m->at.from, d->text.len) - (column - 1), end = start;
    while (end < d->text.len && d->text.p[end] != '\n')
        end++;
    buf_fmt(out, "%5u | ", line);
    for (size_t i = start; i < end && i < start + 200; i++)
        buf_char(out, (unsigned char)d->text.p[i] < ' ' || d->text.p[i] == 127 ? ' ' : d->text.p[i]);
    buf_puts(out, "\n      | ");
    for (unsigned i = 1; i < column && i <= 200; i++) /* a caret under multi-byte characters counts characters */
        if (((unsigned char)d->text.p[start + i - 1] & 0xC0) != 0x80)
            buf_char(out, ' ');
    size_t from = start + column - 1, len = MIN_OF((size_t)MAX_OF(m->at.len, 1), end > from ? end - from : 1);
    for (size_t i = 0; i < len && i < 100; i++)
        if (i == 0 || ((unsigned char)d->text.p[from + i] & 0xC0) != 0x80)
            buf_char(out, '^');
    buf_char(out, '\n');
}

void diags_print(struct diags *d, struct buf *out)
{
    if (d->count)
        qsort(d->item, d->count, sizeof *d->item, by_place);
    for (unsigned i = 0; i < d->count; i++) {
        const struct diag *m = &d->item[i];
        unsigned line, column;
        diag_place(d, m->at, &line, &column);
        buf_slice(out, d->name);
        buf_fmt(out, ":%u:%u: %s: %s\n", line, column, severity_name(m->severity), m->what);
        print_line(d, m, line, column, out);
        if (m->hint[0])
            buf_fmt(out, "      = %s\n", m->hint);
    }
    if (d->dropped)
        buf_fmt(out, "and %u more\n", d->dropped);
}

void diags_json(struct diags *d, struct buf *out)
{
    if (d->count)
        qsort(d->item, d->count, sizeof *d->item, by_place);
    buf_char(out, '[');
    for (unsigned i = 0; i < d->count; i++) {
        const struct diag *m = &d->item[i];
        unsigned line, column;
        diag_place(d, m->at, &line, &column);
        buf_puts(out, i ? ",{\"severity\":" : "{\"severity\":");
        buf_json(out, slice_str(severity_name(m->severity)));
        buf_puts(out, ",\"file\":");
        buf_json(out, d->name);
        buf_fmt(out, ",\"line\":%u,\"column\":%u,\"length\":%u,\"message\":", line, column, m->at.len);
        buf_json(out, slice_str(m->what));
        buf_puts(out, ",\"hint\":");
        buf_json(out, slice_str(m->hint));
        buf_char(out, '}');
    }
    buf_char(out, ']');
}
