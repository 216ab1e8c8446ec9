/* mapping.c - reads mapping files: a line is a left word, a source, clauses, and perhaps a table of translations. */
#include "core/mapping.h"

#include "base/num.h"

#define MAPPING_ARENA_BYTES ((size_t)LIMIT_MAPPING_BYTES * 8)

enum token_kind { TOK_LINE_END, TOK_END, TOK_WORD, TOK_STRING, TOK_PUNCT, TOK_BAD };

struct token {
    enum token_kind kind;
    struct slice text; /* a word, a string without quotes and escapes, or one punctuation mark */
    unsigned line, column, len;
};

struct reader {
    struct mapping *m;
    struct mapping_errors *errors;
    const char *p, *end, *line_start;
    unsigned line;
    struct token tok; /* looked at, not yet taken */
    bool nomem;
};

static const char *const role_names[] = {[MAP_ID] = "id",         [MAP_TIME] = "time",   [MAP_TYPE] = "type",
                                         [MAP_TARGET] = "target", [MAP_LABEL] = "label", [MAP_SCENARIO] = "scenario"};
static_assert(ARRAY_LEN(role_names) == MAP_ATTR, "one name for each role but attributes");

const char *input_format_name(enum input_format f)
{
    static const char *const names[] = {[INPUT_ANY] = "any", [INPUT_CSV] = "csv", [INPUT_NDJSON] = "ndjson"};
    static_assert(ARRAY_LEN(names) == INPUT_FORMAT_MAX, "one name for each format");
    ASSERT((unsigned)f < INPUT_FORMAT_MAX);
    return names[f];
}

void nearest_word(struct slice word, struct slice candidate, struct slice *best)
{
    unsigned max = word.len <= 4 ? 1 : word.len <= 8 ? 2 : 3;
    unsigned had = best->p ? slice_distance(word, *best, max) : max + 1;
    unsigned d = slice_distance(word, candidate, max);
    if (d < had)
        *best = candidate;
}

/* --- messages ------------------------------------------------------------------------------------------------ */

static KEER_PRINTF(3, 4) void complain(struct reader *r, const struct token *at, const char *fmt, ...)
{
    if (r->errors->count == ARRAY_LEN(r->errors->list) || at->kind == TOK_BAD) /* the lexer told of a bad token already */
        return;
    struct mapping_error *e = &r->errors->list[r->errors->count++];
    *e = (struct mapping_error){.line = at->line, .column = at->column, .len = MAX_OF(at->len, 1u)};
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(e->what, sizeof e->what, fmt, ap);
    va_end(ap);
}

/* Belongs to the last complaint; does nothing when that one found no room. */
static KEER_PRINTF(3, 4) void advise(struct reader *r, unsigned count_before, const char *fmt, ...)
{
    if (r->errors->count == count_before)
        return;
    struct mapping_error *e = &r->errors->list[r->errors->count - 1];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(e->hint, sizeof e->hint, fmt, ap);
    va_end(ap);
}

#define COMPLAIN(r, at, hint, ...)                   \
    do {                                             \
        unsigned count_before_ = (r)->errors->count; \
        complain(r, at, __VA_ARGS__);                \
        advise(r, count_before_, "%s", hint);        \
    } while (0)
/* Text of the user in a message: bounded, because a word may be a megabyte long. */
#define SHOWN(s) (int)MIN_OF((s).len, (size_t)LIMIT_NAME_BYTES), (s).p ? (s).p : ""

static void print_line(struct buf *b, struct slice text, const struct mapping_error *e)
{
    struct slice line = {NULL, 0};
    for (unsigned i = 0; i < e->line && text.p; i++)
        line = slice_cut(&text, '\n');
    if (!line.p || line.len > LIMIT_TEXT_BYTES)
        return;
    buf_puts(b, "    ");
    for (size_t i = 0; i < line.len; i++)
        buf_char(b, (unsigned char)line.p[i] < ' ' ? ' ' : line.p[i]);
    buf_puts(b, "\n    ");
    for (unsigned i = 1; i < e->column; i++)
        buf_char(b, ' ');
    for (unsigned i = 0; i < e->len && e->column - 1 + i <= line.len; i++)
        buf_char(b, '^');
    buf_char(b, '\n');
}

void mapping_print_errors(struct buf *b, struct slice file, struct slice text, const struct mapping_errors *errors)
{
    for (unsigned i = 0; i < errors->count; i++) {
        const struct mapping_error *e = &errors->list[i];
        buf_slice(b, file);
        buf_fmt(b, ":%u:%u: %s\n", e->line, e->column, e->what);
        print_line(b, text, e);
        if (e->hint[0])
            buf_fmt(b, "    %s\n", e->hint);
    }
}

/* --- tokens -------------------------------------------------------------------------------------------------- */

static bool word_char(char c) { return (unsigned char)c > ' ' && c != '"' && c != '{' && c != '}' && c != '=' && c != ','; }

/* r->p is at the opening quote. The escapes are \" \\ and \t. */
static void lex_string(struct reader *r, struct token *t)
{
    const char *q = r->p + 1;
    while (q < r->end && *q != '"' && *q != '\n')
        q += *q == '\\' && q + 1 < r->end && q[1] != '\n' ? 2 : 1;
    t->len = (unsigned)(q - r->p);
    if (q >= r->end || *q != '"') {
        COMPLAIN(r, t, "end it with a quote; \\\" is a quote inside", "this text is not closed on its line");
        r->p = q;
        t->kind = TOK_BAD;
        return;
    }
    size_t n = 0;
    char *out = arena_alloc(&r->m->arena, (size_t)(q - r->p));
    r->nomem |= !out;
    for (const char *s = r->p + 1; s < q && out; s++) {
        if (*s == '\\' && s + 1 < q) {
            s++;
            if (*s != '"' && *s != '\\' && *s != 't') {
                COMPLAIN(r, t, "write \\\\ for a backslash", "'\\%c' means nothing here", *s > ' ' ? *s : '?');
                t->kind = TOK_BAD;
                break;
            }
            out[n++] = *s == 't' ? '\t' : *s;
        } else {
            out[n++] = *s;
        }
    }
    t->text = slice_of(out ? out : "", n);
    t->len++;
    r->p = q + 1;
}

static void lex_next(struct reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\r'))
        r->p++;
    if (r->p < r->end && *r->p == '#')
        while (r->p < r->end && *r->p != '\n')
            r->p++;
    struct token t = {.line = r->line, .column = (unsigned)(r->p - r->line_start) + 1, .len = 1, .text = slice_of(r->p, 1)};
    if (r->p >= r->end) {
        t.kind = TOK_END;
        t.text = SLICE("end of file");
    } else if (*r->p == '\n') {
        t.text = SLICE("end of line");
        t.kind = TOK_LINE_END; /* taken by line_end() alone, so that a complaint can't swallow the next line */
    } else if (*r->p == '"') {
        t.kind = TOK_STRING;
        lex_string(r, &t);
    } else if (word_char(*r->p)) {
        t.kind = TOK_WORD;
        while (r->p < r->end && word_char(*r->p))
            r->p++;
        t.text.len = (size_t)(r->p - t.text.p);
        t.len = (unsigned)t.text.len;
    } else if ((unsigned char)*r->p < ' ') {
        r->p++;
        t.kind = TOK_WORD;
        COMPLAIN(r, &t, "a mapping is plain UTF-8 text", "a control character");
        t.kind = TOK_BAD;
    } else {
        t.kind = TOK_PUNCT;
        r->p++;
    }
    r->tok = t;
}

static bool at_line_end(const struct reader *r) { return r->tok.kind == TOK_LINE_END || r->tok.kind == TOK_END; }

static bool at_punct(const struct reader *r, char c) { return r->tok.kind == TOK_PUNCT && r->tok.text.p[0] == c; }

static bool take_word(struct reader *r, const char *word)
{
    bool yes = r->tok.kind == TOK_WORD && slice_eq(r->tok.text, slice_str(word));
    if (yes)
        lex_next(r);
    return yes;
}

/* Goes to the next line, whatever is left of this one. */
static void line_end(struct reader *r)
{
    if (!at_line_end(r)) { /* the rest of a line that was complained about */
        while (r->p < r->end && *r->p != '\n')
            r->p++;
    }
    if (r->p < r->end) {
        r->p++;
        r->line++;
        r->line_start = r->p;
    }
    lex_next(r);
}

/* --- statements ---------------------------------------------------------------------------------------------- */

static struct slice keep_text(struct reader *r, struct slice s)
{
    struct slice copy = arena_copy(&r->m->arena, s);
    if (!copy.p) {
        r->nomem = true;
        return SLICE("");
    }
    return copy;
}

/* COLUMN, or column "NAME"; quoted text is a constant where `ret_constant` is given. */
static bool take_source(struct reader *r, struct slice *ret_source, bool *ret_constant)
{
    struct token t = r->tok;
    if (t.kind == TOK_BAD)
        return false;
    if (t.kind == TOK_STRING) {
        lex_next(r);
        if (!ret_constant) {
            COMPLAIN(r, &t, "write the name without quotes, or: column \"NAME\"", "a column is wanted here, not a constant");
            return false;
        }
        *ret_constant = true;
        *ret_source = keep_text(r, t.text);
        return true;
    }
    if (t.kind != TOK_WORD) {
        COMPLAIN(r, &t, "write the name of a column after it, or a constant in quotes", "no column is named here");
        return false;
    }
    lex_next(r);
    if (slice_eq(t.text, SLICE("column")) && r->tok.kind == TOK_STRING) {
        t = r->tok;
        lex_next(r);
        if (t.text.len == 0) {
            COMPLAIN(r, &t, "", "a column without a name");
            return false;
        }
    }
    *ret_source = keep_text(r, t.text);
    return true;
}

/* The right side of a translation must make sense for its role. */
static bool translation_fits(struct reader *r, const struct map_entry *e, const struct token *t);

/* { "FROM" = TO, ... } */
static bool take_table(struct reader *r, struct map_entry *e)
{
    const struct map_pair **tail = &e->pairs;
    if (e->pairs) {
        COMPLAIN(r, &r->tok, "put all translations into one pair of braces", "a second table");
        return false;
    }
    lex_next(r);
    for (unsigned n = 0; !at_punct(r, '}'); n++) {
        struct token from = r->tok;
        if (from.kind != TOK_STRING && from.kind != TOK_WORD) {
            if (from.kind != TOK_BAD)
                COMPLAIN(r, &from, "a table is { \"P\" = purchase, \"L\" = sign_in }, on one line",
                         "a value to translate is wanted here");
            return false;
        }
        lex_next(r);
        if (!at_punct(r, '=')) {
            COMPLAIN(r, &r->tok, "a table is { \"P\" = purchase, \"L\" = sign_in }, on one line", "'=' is wanted here");
            return false;
        }
        lex_next(r);
        struct token to = r->tok;
        if (to.kind != TOK_STRING && to.kind != TOK_WORD) {
            if (to.kind != TOK_BAD)
                COMPLAIN(r, &to, "\"\" is the empty text", "a translation is wanted here");
            return false;
        }
        for (const struct map_pair *p = e->pairs; p; p = p->next)
            if (slice_eq(p->from, from.text)) {
                COMPLAIN(r, &from, "", "'%.*s' is translated twice", SHOWN(from.text));
                return false;
            }
        if (n == MAPPING_PAIRS_MAX) {
            COMPLAIN(r, &from, "", "more than %d translations", MAPPING_PAIRS_MAX);
            return false;
        }
        if (!translation_fits(r, e, &to))
            return false;
        struct map_pair *pair = arena_alloc(&r->m->arena, sizeof *pair);
        if (!pair) {
            r->nomem = true;
            return false;
        }
        *pair = (struct map_pair){.from = keep_text(r, from.text), .to = keep_text(r, to.text)};
        *tail = pair;
        tail = &pair->next;
        lex_next(r);
        if (at_punct(r, ','))
            lex_next(r);
        else if (!at_punct(r, '}')) {
            COMPLAIN(r, &r->tok, "separate translations with ',' and end the table with '}'", "',' or '}' is wanted here");
            return false;
        }
    }
    lex_next(r);
    return true;
}

/* UNIT since TIME */
static bool take_time_clause(struct reader *r, struct map_entry *e)
{
    static const struct {
        const char *word;
        int64_t us;
    } units[] = {{"seconds", US_SECOND}, {"s", US_SECOND},    {"milliseconds", 1000},
                 {"ms", 1000},           {"microseconds", 1}, {"us", 1}};
    struct token t = r->tok;
    size_t u = 0;
    while (u < ARRAY_LEN(units) && !take_word(r, units[u].word))
        u++;
    if (u == ARRAY_LEN(units) || e->unit_us) {
        COMPLAIN(r, &t, "time COLUMN, or: time COLUMN seconds since 2018-04-01 (also ms, us; since epoch)",
                 "'%.*s' does not belong here", SHOWN(t.text));
        return false;
    }
    if (!take_word(r, "since")) {
        COMPLAIN(r, &r->tok, "write: seconds since 2018-04-01, or: seconds since epoch", "'since' is wanted here");
        return false;
    }
    e->unit_us = units[u].us;
    if (take_word(r, "epoch"))
        return true;
    t = r->tok;
    if ((t.kind != TOK_WORD && t.kind != TOK_STRING) || time_parse(t.text, &e->epoch_us) != KEER_OK) {
        COMPLAIN(r, &t, "a time such as 2018-04-01 or \"2018-04-01T00:00:00Z\", or epoch", "this is not a time");
        return false;
    }
    lex_next(r);
    return true;
}

/* known after DURATION, known at COLUMN */
static bool take_label_clause(struct reader *r, struct map_entry *e)
{
    struct token t = r->tok;
    bool again = e->known_source.p || e->known_after_us;
    if (again || !take_word(r, "known")) {
        COMPLAIN(r, &t, "label COLUMN, or: label COLUMN known after 7d, or: label COLUMN known at OTHER_COLUMN",
                 "'%.*s' does not belong here", SHOWN(t.text));
        return false;
    }
    if (take_word(r, "at"))
        return take_source(r, &e->known_source, NULL);
    if (!take_word(r, "after")) {
        COMPLAIN(r, &r->tok, "known after 7d, or: known at COLUMN", "'after' or 'at' is wanted here");
        return false;
    }
    t = r->tok;
    if (t.kind != TOK_WORD || duration_parse(t.text, &e->known_after_us) != KEER_OK) {
        COMPLAIN(r, &t, "a duration such as 7d, 12h or 1d12h", "this is not a duration");
        return false;
    }
    lex_next(r);
    return true;
}

/* EUR | minor [EUR] | [minor] in COLUMN */
static bool take_money_clause(struct reader *r, struct map_entry *e)
{
    struct token t = r->tok;
    if (e->money) {
        COMPLAIN(r, &t, "", "'%.*s' does not belong here", SHOWN(t.text));
        return false;
    }
    e->minor = take_word(r, "minor");
    e->money = true;
    if (take_word(r, "in"))
        return take_source(r, &e->currency_source, NULL);
    t = r->tok;
    if (e->minor && (at_line_end(r) || at_punct(r, '{')))
        return true;
    e->currency = t.kind == TOK_WORD || t.kind == TOK_STRING ? currency_parse(t.text) : CUR_MAX;
    if (e->currency == CUR_MAX) {
        COMPLAIN(r, &t, "amount COLUMN EUR (decimal), amount COLUMN minor EUR (cents), or: amount COLUMN in CURRENCY_COLUMN",
                 "'%.*s' is not a currency of ISO 4217", SHOWN(t.text));
        return false;
    }
    lex_next(r);
    return true;
}

/* Type of an attribute that keer knows by itself; KEER_ATTR_TYPE_MAX for those that a policy declares. */
static enum keer_attr_type known_type(struct slice name)
{
    struct keer_attr a;
    const char *doc;
    for (unsigned i = 0; attr_known_row(i, &a, &doc); i++)
        if (slice_eq(a.name, name))
            return a.type;
    return KEER_ATTR_TYPE_MAX;
}

static bool type_exists(struct reader *r, const struct token *t, struct slice name)
{
    struct slice best = {NULL, 0};
    const char *row, *doc;
    bool label;
    for (unsigned i = 0; event_known_row(i, &row, &label, &doc); i++) {
        if (slice_eq(slice_str(row), name) && i != KEER_EVENT_other)
            return true;
        nearest_word(name, slice_str(row), &best);
    }
    if (name.len > 7 && name.len <= LIMIT_NAME_BYTES && memcmp(name.p, "custom.", 7) == 0)
        return true;
    unsigned before = r->errors->count;
    complain(r, t, "'%.*s' is not a type of event", SHOWN(name));
    if (best.p)
        advise(r, before, "did you mean '%.*s'?", SHOWN(best));
    else
        advise(r, before, "%s", "a type of your own is written custom.NAME");
    return false;
}

static bool label_text(struct slice s)
{
    return s.len == 0 || slice_eq(s, SLICE("1")) || slice_eq(s, SLICE("0")) || slice_eqi(s, SLICE("true")) ||
           slice_eqi(s, SLICE("false"));
}

static bool translation_fits(struct reader *r, const struct map_entry *e, const struct token *t)
{
    if (e->role == MAP_TYPE)
        return type_exists(r, t, t->text);
    if (e->role == MAP_LABEL && !label_text(t->text)) {
        COMPLAIN(r, t, "translate to 1 (fraud), 0 (genuine) or \"\" (not known)", "'%.*s' is not a label", SHOWN(t->text));
        return false;
    }
    return true;
}

static bool take_clause(struct reader *r, struct map_entry *e)
{
    struct token t = r->tok;
    if (t.kind == TOK_BAD)
        return false;
    if (at_punct(r, '{'))
        return take_table(r, e);
    switch (e->role) {
    case MAP_TIME: return take_time_clause(r, e);
    case MAP_LABEL: return take_label_clause(r, e);
    case MAP_ATTR: {
        enum keer_attr_type type = known_type(e->name);
        if (type == KEER_MONEY || type == KEER_ATTR_TYPE_MAX)
            return take_money_clause(r, e);
        break;
    }
    case MAP_ID:
    case MAP_TYPE:
    case MAP_TARGET:
    case MAP_SCENARIO:
    case MAP_ROLE_MAX: break;
    }
    COMPLAIN(r, &t, "a name with spaces is written: column \"NAME WITH SPACES\"", "'%.*s' does not belong here",
             SHOWN(t.text));
    return false;
}

static bool take_entry(struct reader *r, struct token name)
{
    struct map_entry e = {.role = MAP_ATTR, .currency = CUR_MAX};
    for (unsigned i = 0; i < MAP_ATTR; i++)
        if (slice_eq(name.text, slice_str(role_names[i])))
            e.role = (enum map_role)i;
    const struct map_entry *twice = mapping_find(r->m, name.text);
    if (twice) {
        COMPLAIN(r, &name, "", "'%.*s' was mapped on line %u already", SHOWN(name.text), twice->line);
        return false;
    }
    if (r->m->count == MAPPING_ENTRIES_MAX || name.text.len > LIMIT_NAME_BYTES) {
        COMPLAIN(r, &name, "", "%s", name.text.len > LIMIT_NAME_BYTES ? "this name is too long" : "too many statements");
        return false;
    }
    bool may_be_constant = e.role == MAP_TYPE || e.role == MAP_SCENARIO || e.role == MAP_ATTR;
    struct token source = r->tok;
    e.name = keep_text(r, name.text);
    e.line = source.line;
    e.column = source.column;
    if (!take_source(r, &e.source, may_be_constant ? &e.constant : NULL))
        return false;
    while (!at_line_end(r))
        if (!take_clause(r, &e))
            return false;
    if (e.role == MAP_TYPE && e.constant && !type_exists(r, &source, e.source))
        return false;
    if (known_type(e.name) == KEER_MONEY && !e.money) {
        COMPLAIN(r, &source,
                 "amount COLUMN EUR (decimal), amount COLUMN minor EUR (cents), or: amount COLUMN in CURRENCY_COLUMN",
                 "no currency is said");
        return false;
    }
    r->m->entries[r->m->count++] = e;
    return true;
}

static bool take_format(struct reader *r)
{
    struct token t = r->tok;
    if (take_word(r, "csv"))
        r->m->format = INPUT_CSV;
    else if (take_word(r, "ndjson"))
        r->m->format = INPUT_NDJSON;
    else
        COMPLAIN(r, &t, "format csv, or: format ndjson", "'%.*s' is not a format", SHOWN(t.text));
    return r->m->format != INPUT_ANY && at_line_end(r);
}

static bool take_delimiter(struct reader *r)
{
    struct token t = r->tok;
    char c = 0;
    if ((t.kind == TOK_WORD || t.kind == TOK_STRING) && slice_eq(t.text, SLICE("tab")))
        c = '\t';
    else if (t.kind != TOK_LINE_END && t.kind != TOK_END && t.text.len == 1)
        c = t.text.p[0];
    bool alnum = ascii_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
    if (alnum || (c != '\t' && (c < ' ' || c > '~')) || c == '"') {
        COMPLAIN(r, &t, "one of \",\" \";\" \"|\" tab", "'%.*s' can't separate columns", SHOWN(t.text));
        return false;
    }
    r->m->delimiter = c;
    lex_next(r);
    return at_line_end(r);
}

static void statement(struct reader *r)
{
    struct token name = r->tok;
    unsigned before = r->errors->count;
    bool ok = false;
    if (name.kind != TOK_WORD) {
        if (name.kind != TOK_BAD)
            COMPLAIN(r, &name, "a line begins with id, time, type, label, scenario, target or the name of an attribute",
                     "a name is wanted here");
    } else {
        lex_next(r);
        bool format = slice_eq(name.text, SLICE("format")), delimiter = slice_eq(name.text, SLICE("delimiter"));
        if ((format && r->m->format != INPUT_ANY) || (delimiter && r->m->delimiter))
            COMPLAIN(r, &name, "", "'%.*s' was said already", SHOWN(name.text));
        else
            ok = format ? take_format(r) : delimiter ? take_delimiter(r) : take_entry(r, name);
    }
    if (!ok && r->errors->count == before)
        COMPLAIN(r, &r->tok, "one statement a line", "'%.*s' does not belong here", SHOWN(r->tok.text));
    line_end(r);
}

/* What every event needs must be mapped; a near miss on the left side was taken as an attribute. */
static void check_needed(struct reader *r)
{
    static const enum map_role needed[] = {MAP_ID, MAP_TIME, MAP_TYPE};
    for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
        struct slice name = slice_str(role_names[needed[i]]);
        if (mapping_find(r->m, name))
            continue;
        unsigned before = r->errors->count;
        complain(r, &r->tok, "nothing says what '%.*s' is", SHOWN(name));
        advise(r, before, "add a line: %.*s COLUMN", SHOWN(name));
        for (unsigned k = 0; k < r->m->count; k++)
            if (known_type(r->m->entries[k].name) == KEER_ATTR_TYPE_MAX &&
                slice_distance(r->m->entries[k].name, name, 2) <= 2 && r->m->entries[k].role == MAP_ATTR)
                advise(r, before, "did you mean '%.*s' instead of '%.*s' on line %u?", SHOWN(name),
                       SHOWN(r->m->entries[k].name), r->m->entries[k].line);
    }
}

enum keer_err mapping_parse(struct slice text, struct mapping **ret_mapping, struct mapping_errors *ret_errors)
{
    struct reader r = {.errors = ret_errors, .p = text.p ? text.p : "", .line = 1};
    *ret_errors = (struct mapping_errors){0};
    if (text.len > LIMIT_MAPPING_BYTES) {
        complain(&r, &(struct token){.line = 1, .column = 1}, "a mapping of more than %u bytes", LIMIT_MAPPING_BYTES);
        return KEER_ELIMIT;
    }
    r.m = calloc(1, sizeof *r.m);
    if (!r.m)
        return KEER_ENOMEM;
    arena_init(&r.m->arena, MAPPING_ARENA_BYTES);
    r.end = r.p + text.len;
    r.line_start = r.p;
    if (text.len >= 3 && memcmp(text.p, "\xEF\xBB\xBF", 3) == 0)
        r.p += 3;
    lex_next(&r);
    while (r.tok.kind != TOK_END && !r.nomem) {
        if (r.tok.kind == TOK_LINE_END)
            line_end(&r);
        else
            statement(&r);
    }
    if (!r.nomem && ret_errors->count == 0)
        check_needed(&r);
    if (r.nomem || ret_errors->count) {
        mapping_free(r.m);
        if (r.nomem)
            ret_errors->count = 0; /* what was said of a statement that could not be kept is not about the text */
        return r.nomem ? KEER_ENOMEM : KEER_ESYNTAX;
    }
    *ret_mapping = r.m;
    return KEER_OK;
}

void mapping_free(struct mapping *m)
{
    if (!m)
        return;
    arena_release(&m->arena);
    free(m);
}

const struct map_entry *mapping_find(const struct mapping *m, struct slice name)
{
    for (unsigned i = 0; i < m->count; i++)
        if (slice_eq(m->entries[i].name, name))
            return &m->entries[i];
    return NULL;
}
