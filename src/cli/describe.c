/* describe.c - the program's own tables as Markdown, JSON and as the manual page keer(1). */
#include "api/api.h"
#include "cli/options.h"
#include "core/event.h"

#ifndef KEER_VERSION
#define KEER_VERSION "unknown"
#endif
#define MAN_DATE "2026-11-24" /* of the last change to the page's own words; the build's date would make builds differ */

/* --- pieces ----------------------------------------------------------------------------------------------------- */

/* A cell of a Markdown table: a bar would end it. */
static void md_cell(struct buf *b, const char *s)
{
    for (; *s; s++) {
        if (*s == '|')
            buf_char(b, '\\');
        buf_char(b, *s);
    }
}

static void md_head(struct buf *b, const char *title, const char *table, const char *what)
{
    buf_fmt(b, "# %s\n\n<!-- Printed by `keer --describe=%s`: `make docs` writes this file; don't edit it. -->\n\n", title,
            what);
    if (table)
        buf_fmt(b, "From the table `%s`.\n\n", table);
}

static void json_key(struct buf *b, const char *name, bool first) { buf_fmt(b, first ? "\"%s\":" : ",\"%s\":", name); }

static void json_text(struct buf *b, const char *name, const char *s, bool first)
{
    json_key(b, name, first);
    if (s)
        buf_json(b, slice_str(s));
    else
        buf_puts(b, "null");
}

/* --- commands --------------------------------------------------------------------------------------------------- */

static void lines_each(struct buf *b, const char *lines, const char *before, const char *after)
{
    struct slice rest = slice_str(lines);
    while (rest.len) {
        buf_puts(b, before);
        buf_slice(b, slice_cut(&rest, '\n'));
        buf_puts(b, after);
    }
}

static void commands_md(struct buf *b)
{
    md_head(b, "Commands", "src/cli/commands.def", "commands");
    for (unsigned c = 0; c < CMD_MAX; c++) {
        const struct cli_command_row *row = command_row((enum cli_command)c);
        buf_fmt(b, "## keer %s\n\n%c%s.\n\n```\n", row->name, row->summary[0] - 'a' + 'A', row->summary + 1);
        help_usage((enum cli_command)c, b);
        buf_puts(b, "\n```\n\n");
        lines_each(b, row->help, "", "\n\n");
        buf_puts(b, "```sh\n");
        lines_each(b, row->examples, "", "\n");
        buf_fmt(b, "```\n\nIts options: [options.md](options.md#keer-%s).\n\n", row->name);
    }
    buf_puts(b, "## Exit codes\n\n| code | meaning |\n|---:|---|\n");
    for (unsigned i = 0; exit_row(i); i++)
        buf_fmt(b, "| %d | %s |\n", exit_row(i)->number, exit_row(i)->text);
}

static void commands_json(struct buf *b)
{
    buf_puts(b, "{\"commands\":[");
    for (unsigned c = 0; c < CMD_MAX; c++) {
        const struct cli_command_row *row = command_row((enum cli_command)c);
        buf_puts(b, c ? ",\n{" : "\n{");
        json_text(b, "name", row->name, true);
        json_text(b, "arguments", row->arguments, false);
        buf_fmt(b, ",\"min\":%u,\"max\":", row->min);
        if (row->max == CLI_MANY)
            buf_puts(b, "null");
        else
            buf_u64(b, row->max);
        json_text(b, "summary", row->summary, false);
        json_text(b, "help", row->help, false);
        json_text(b, "examples", row->examples, false);
        buf_char(b, '}');
    }
    buf_puts(b, "],\"exit_codes\":[");
    for (unsigned i = 0; exit_row(i); i++) {
        buf_fmt(b, "%s{\"code\":%d", i ? ",\n" : "\n", exit_row(i)->number);
        json_text(b, "name", exit_row(i)->name, false);
        json_text(b, "meaning", exit_row(i)->text, false);
        buf_char(b, '}');
    }
    buf_puts(b, "]}\n");
}

/* --- options ---------------------------------------------------------------------------------------------------- */

static void options_md_rows(unsigned bit, struct buf *b)
{
    buf_puts(b, "| option | value | default | range | variable | meaning |\n|---|---|---|---|---|---|\n");
    for (unsigned i = 0; option_row(i); i++) {
        const struct cli_option *o = option_row(i);
        bool general = (o->commands & OPTION_ON_ALL) == OPTION_ON_ALL;
        if (bit ? !(o->commands & bit) || general : !general)
            continue;
        buf_fmt(b, "| `--%s`", o->name);
        if (o->letter)
            buf_fmt(b, ", `-%c`", o->letter);
        buf_puts(b, " | ");
        if (o->shown) {
            buf_char(b, '`');
            md_cell(b, o->shown);
            buf_char(b, '`');
        }
        buf_puts(b, o->flags & OPT_REPEAT ? " several times | " : " | ");
        if (o->flags & OPT_REQUIRED)
            buf_puts(b, "required");
        else if (o->standard)
            buf_fmt(b, "`%s`", o->standard);
        buf_puts(b, " | ");
        option_range(o, b);
        buf_puts(b, " | ");
        if (o->flags & OPT_SETTING) {
            char variable[OPTION_VARIABLE_BYTES];
            option_variable(o, variable);
            buf_fmt(b, "`%s`%s", variable, o->flags & OPT_RELOAD ? " *R*" : "");
        }
        buf_puts(b, " | ");
        md_cell(b, o->help);
        buf_puts(b, " |\n");
    }
    buf_char(b, '\n');
}

static void options_md(struct buf *b)
{
    md_head(b, "Options", "src/cli/options.def", "options");
    buf_puts(b, "Written `--name=value`, `--name value`, `-n value` or `-nvalue`; `--` ends the options. A list is written "
                "`a,b,c`.\n"
                "Sizes take K, M, G and T (powers of 1024); durations look like `30s`, `12h`, `7d`, `1d12h`; times like "
                "`2018-07-25` or\n"
                "`2018-07-25T12:00:00Z`.\n\nWhere a variable stands, the value may come from it; a flag is `yes` or `no` "
                "there. Where a command has `--config`, the same names are its settings, one `name = value` a line. An "
                "option wins over the variable, the variable over the file, the file over the default. *R*: SIGHUP reads it "
                "again.\n\n## Every command\n\n");
    options_md_rows(0, b);
    for (unsigned c = 0; c < CMD_MAX; c++) {
        bool any = false;
        for (unsigned i = 0; option_row(i); i++)
            any = any || ((option_row(i)->commands & OPTION_ON(c)) && option_row(i)->commands != OPTION_ON_ALL);
        buf_fmt(b, "## keer %s\n\n", command_row((enum cli_command)c)->name);
        if (any)
            options_md_rows(OPTION_ON(c), b);
        else
            buf_puts(b, "None of its own.\n\n");
    }
    buf_puts(b, "## keer without a command\n\n");
    options_md_rows(OPTION_ON(CMD_MAX), b);
    b->len -= b->len > 0; /* no empty line at the end */
}

static void options_json(struct buf *b)
{
    buf_puts(b, "{\"options\":[");
    for (unsigned i = 0; option_row(i); i++) {
        const struct cli_option *o = option_row(i);
        char letter[2] = {o->letter, 0};
        buf_puts(b, i ? ",\n{" : "\n{");
        json_text(b, "name", o->name, true);
        json_text(b, "letter", o->letter ? letter : NULL, false);
        json_text(b, "kind", option_kind_name(o->kind), false);
        json_text(b, "value", o->shown, false);
        json_text(b, "default", o->standard, false);
        buf_fmt(b, ",\"setting\":%s,\"reload\":%s", o->flags & OPT_SETTING ? "true" : "false",
                o->flags & OPT_RELOAD ? "true" : "false");
        buf_fmt(b, ",\"required\":%s,\"repeat\":%s,\"list\":%s", o->flags & OPT_REQUIRED ? "true" : "false",
                o->flags & OPT_REPEAT ? "true" : "false", o->flags & OPT_LIST ? "true" : "false");
        if (o->min != 0 || o->max != 0) {
            buf_puts(b, ",\"min\":");
            buf_f64(b, o->min);
            buf_puts(b, ",\"max\":");
            buf_f64(b, o->max);
        }
        buf_puts(b, ",\"commands\":[");
        for (unsigned c = 0, n = 0; c < CMD_MAX; c++)
            if (o->commands & OPTION_ON(c))
                buf_fmt(b, "%s\"%s\"", n++ ? "," : "", command_row((enum cli_command)c)->name);
        buf_puts(b, "]");
        json_text(b, "group", o->group, false);
        json_text(b, "help", o->help, false);
        buf_char(b, '}');
    }
    buf_puts(b, "\n]}\n");
}

/* --- events, attributes, errors --------------------------------------------------------------------------------- */

static void events_print(bool json, struct buf *b)
{
    const char *name, *doc;
    bool label;
    if (json)
        buf_puts(b, "{\"events\":[");
    else {
        md_head(b, "Types of event", "include/keer/events.def", "events");
        buf_puts(b, "A *label* tells what an earlier event (its `target`) turned out to be; all others are decided. A type "
                    "that is not here is\n"
                    "written `custom.NAME`.\n\n| type | kind | meaning |\n|---|---|---|\n");
    }
    for (unsigned i = 0; event_known_row(i, &name, &label, &doc); i++) {
        if (!json) {
            buf_fmt(b, "| `%s` | %s | ", name, label ? "label" : "decided");
            md_cell(b, doc);
            buf_puts(b, " |\n");
            continue;
        }
        buf_puts(b, i ? ",\n{" : "\n{");
        json_text(b, "name", name, true);
        buf_fmt(b, ",\"label\":%s", label ? "true" : "false");
        json_text(b, "meaning", doc, false);
        buf_char(b, '}');
    }
    buf_puts(b, json ? "\n]}\n" : "");
}

static const struct {
    const char *name, *form, *required, *doc;
} event_parts[] = {
#define KEER_PART(name, step, form, required, doc) {#name, #form, #required, doc},
#include <keer/parts.def>
#undef KEER_PART
};

static void attributes_print(bool json, struct buf *b)
{
    struct keer_attr attr;
    const char *doc;
    if (json)
        buf_puts(b, "{\"attributes\":[");
    else {
        md_head(b, "Attributes of an event", "include/keer/attributes.def", "attributes");
        buf_puts(
            b, "Beside these every event has the parts below. More are declared in a policy: `attribute play_style text`.\n"
               "*Folded* means that ASCII case does not matter.\n\n| attribute | type | folded | meaning "
               "|\n|---|---|---|---|\n");
    }
    for (unsigned i = 0; attr_known_row(i, &attr, &doc); i++) {
        if (!json) {
            buf_fmt(b, "| `" SLICE_FMT "` | %s | %s | ", SLICE_ARG(attr.name), attr_type_name(attr.type),
                    attr.fold ? "yes" : "");
            md_cell(b, doc);
            buf_puts(b, " |\n");
            continue;
        }
        buf_puts(b, i ? ",\n{\"name\":" : "\n{\"name\":");
        buf_json(b, attr.name);
        json_text(b, "type", attr_type_name(attr.type), false);
        buf_fmt(b, ",\"folded\":%s", attr.fold ? "true" : "false");
        json_text(b, "meaning", doc, false);
        buf_char(b, '}');
    }
    if (!json)
        buf_puts(
            b,
            "\n## Parts of an event\nFrom the table `include/keer/parts.def`. A time is ISO 8601, or seconds since 1970.\n\n"
            "| part | form | | meaning |\n|---|---|---|---|\n");
    else
        buf_puts(b, "\n],\"parts\":[");
    for (size_t i = 0; i < ARRAY_LEN(event_parts); i++) {
        if (json) {
            buf_puts(b, i ? ",\n{" : "\n{");
            json_text(b, "name", event_parts[i].name, true);
            json_text(b, "form", event_parts[i].form, false);
            buf_fmt(b, ",\"required\":%s", event_parts[i].required[0] == 'R' ? "true" : "false");
            json_text(b, "meaning", event_parts[i].doc, false);
            buf_char(b, '}');
            continue;
        }
        buf_fmt(b, "| `%s` | %s | %s | ", event_parts[i].name, event_parts[i].form,
                event_parts[i].required[0] == 'R' ? "required" : "");
        md_cell(b, event_parts[i].doc);
        buf_puts(b, " |\n");
    }
    buf_puts(b, json ? "\n]}\n" : "");
}

static void errors_print(bool json, struct buf *b)
{
    if (json)
        buf_puts(b, "{\"errors\":[");
    else {
        md_head(b, "Errors", "include/keer/errors.def", "errors");
        buf_puts(b, "Codes are stable. *Again* means that the same call may succeed later without change. The exit codes of "
                    "the program are\n"
                    "in [commands.md](commands.md#exit-codes).\n\n| code | name | HTTP | again | meaning "
                    "|\n|---:|---|---:|---|---|\n");
    }
    for (unsigned i = 1; i < KEER_ERR_MAX; i++) {
        enum keer_err err = (enum keer_err)i;
        if (!json) {
            buf_fmt(b, "| %u | `%s` | %d | %s | %s |\n", i, keer_err_name(err), keer_err_http(err),
                    keer_err_retryable(err) ? "yes" : "no", keer_err_text(err));
            continue;
        }
        buf_fmt(b, "%s{\"code\":%u", i > 1 ? ",\n" : "\n", i);
        json_text(b, "name", keer_err_name(err), false);
        buf_fmt(b, ",\"http\":%d,\"retryable\":%s", keer_err_http(err), keer_err_retryable(err) ? "true" : "false");
        json_text(b, "text", keer_err_text(err), false);
        buf_char(b, '}');
    }
    buf_puts(b, json ? "\n]}\n" : "");
}

/* --- the policy language ------------------------------------------------------------------------------------------ */

/* Rows of name, two short words and a meaning: what functions, aggregates and names of Radar are shown as. */
struct language_row {
    const char *name, *a, *b, *doc;
};
static const struct language_row functions[] = {
#define FUNCTION(name, arguments, form, op, doc) {name, #arguments, #form, doc},
#include "core/policy/functions.def"
#undef FUNCTION
};
static const struct language_row aggregates[] = {
#define AGGREGATE(name, agg, takes, needs, doc) {name, #takes, #needs, doc},
#include "core/policy/aggregates.def"
#undef AGGREGATE
};
static const struct language_row radar[] = {
#define RADAR(name, expression) {#name, expression, "", ""},
#define RADAR_NONE(name, why) {#name, "", "", why},
#include "core/policy/radar.def"
#undef RADAR
#undef RADAR_NONE
};

static const struct {
    const char *word, *in_words;
} language_words[] = {{"TYPES", "event types"},
                      {"VALUE", "a number or an amount"},
                      {"ANY", "any attribute"},
                      {"CONDITION", "a condition or a label"},
                      {"ATTR_OR_TYPES", "an attribute, or event types"},
                      {"NEEDS_OVER", "`over`"},
                      {"NEEDS_HALF_LIFE", "`over`, `half life`"},
                      {"SAME", "values of one kind"},
                      {"NUMBERS", "numbers"},
                      {"MONEY", "an amount of money"},
                      {"DURATION", "a duration"},
                      {"CHOICE", "a condition, and two values of one kind"},
                      {"MISSING", "anything"},
                      {"0", ""}};

static const char *in_words(const char *word)
{
    for (size_t i = 0; i < ARRAY_LEN(language_words); i++)
        if (strcmp(language_words[i].word, word) == 0)
            return language_words[i].in_words;
    return word;
}

static void language_print(const struct language_row *rows, size_t n, const char *what, const char *a, const char *b_name,
                           bool json, struct buf *b)
{
    if (json)
        buf_fmt(b, "{\"%s\":[", what);
    else {
        const char *last = strcmp(what, "radar") == 0 ? "why there is none" : "meaning";
        buf_fmt(b, "| name | %s%s%s | %s |\n|---|---|%s---|\n", a, b_name ? " | " : "", b_name ? b_name : "", last,
                b_name ? "---|" : "");
    }
    for (size_t i = 0; i < n; i++) {
        const char *x = in_words(rows[i].a), *y = in_words(rows[i].b);
        if (json) {
            buf_puts(b, i ? ",\n{" : "\n{");
            json_text(b, "name", rows[i].name, true);
            json_text(b, a, x, false);
            if (b_name)
                json_text(b, b_name, y, false);
            json_text(b, "meaning", rows[i].doc, false);
            buf_char(b, '}');
            continue;
        }
        buf_fmt(b, "| `%s` | ", rows[i].name);
        bool code = strcmp(what, "radar") == 0 && x[0];
        buf_puts(b, code ? "`" : "");
        md_cell(b, x);
        buf_puts(b, code ? "`" : "");
        buf_puts(b, " | ");
        if (b_name) {
            md_cell(b, y);
            buf_puts(b, " | ");
        }
        md_cell(b, rows[i].doc);
        buf_puts(b, " |\n");
    }
    buf_puts(b, json ? "\n]}\n" : "");
}

static void functions_print(bool json, struct buf *b)
{
    if (!json) {
        md_head(b, "Functions of the policy language", "src/core/policy/functions.def", "functions");
        buf_puts(b, "A function of a missing value is missing, unless its row says otherwise.\n\n");
    }
    language_print(functions, ARRAY_LEN(functions), "functions", "arguments", "takes", json, b);
}

static void aggregates_print(bool json, struct buf *b)
{
    if (!json) {
        md_head(b, "Aggregates of windows", "src/core/policy/aggregates.def", "aggregates");
        buf_puts(b,
                 "`AGGREGATE(what it takes of event types where condition) by attributes over TIME`. Over nothing, count, "
                 "distinct, sum and streak are 0 and\nall others are missing; all are missing when the event has no such "
                 "attribute to count by.\n\n");
    }
    language_print(aggregates, ARRAY_LEN(aggregates), "aggregates", "takes", "needs", json, b);
}

static void radar_print(bool json, struct buf *b)
{
    if (!json) {
        md_head(b, "Names of Stripe Radar", "src/core/policy/radar.def", "radar");
        buf_puts(b, "What `:name:` of a pasted rule stands for; names of attributes stand for themselves. Counts and "
                    "sums for a key and a period\n(`:total_charges_per_ip_address_hourly:`) become windows, "
                    "`:amount_in_usd:` and the like `major(amount in USD)`.\n\n");
    }
    language_print(radar, ARRAY_LEN(radar), "radar", "expression", NULL, json, b);
}

/* --- the manual page: man(7) macros, as mandoc and groff read them ---------------------------------------------------- */

/* Text of a page: no request at the start of a line, no escape by accident, hyphens that can be copied. */
static void roff(struct buf *b, const char *s)
{
    bool start = true;
    for (; *s; s++) {
        if (start && (*s == '.' || *s == '\''))
            buf_puts(b, "\\&");
        if (*s == '\\')
            buf_puts(b, "\\e");
        else if (*s == '-')
            buf_puts(b, "\\-");
        else if (*s == '\n')
            buf_puts(b, "\n.PP\n");
        else
            buf_char(b, *s);
        start = *s == '\n';
    }
}

/* Words that are taken as they stand in bold, what stands for something else in italics. */
static void man_value(const struct cli_option *o, struct buf *b)
{
    struct slice rest = slice_str(o->shown), word;
    bool literal, first = true;
    while (option_word(&rest, &word, &literal)) {
        char text[100];
        (void)snprintf(text, sizeof text, SLICE_FMT, SLICE_ARG(word));
        buf_fmt(b, "%s\\f%c", first ? " " : "|", literal ? 'B' : 'I');
        roff(b, text);
        buf_puts(b, "\\fR");
        first = false;
    }
}

static void man_option(const struct cli_option *o, struct buf *b)
{
    struct buf range;
    buf_puts(b, ".TP\n\\fB\\-\\-");
    roff(b, o->name);
    buf_puts(b, "\\fR");
    if (o->letter)
        buf_fmt(b, ", \\fB\\-%c\\fR", o->letter);
    man_value(o, b);
    buf_char(b, '\n');
    roff(b, o->help);
    buf_init(&range, 200);
    option_range(o, &range);
    buf_puts(b, o->flags & OPT_REPEAT ? "; may stand several times" : "");
    if (o->flags & OPT_REQUIRED)
        buf_puts(b, ". Required");
    if (o->standard) {
        buf_puts(b, ". Default: ");
        roff(b, o->standard);
    }
    if (range.len)
        buf_fmt(b, ". Range: %s", range.p);
    buf_puts(b, ".\n");
    buf_release(&range);
}

/* The options of the commands in `bits`, those of every command apart. */
static void man_options(unsigned bits, bool general, struct buf *b)
{
    for (unsigned i = 0; option_row(i); i++) {
        bool all = (option_row(i)->commands & OPTION_ON_ALL) == OPTION_ON_ALL;
        if (general ? all : !all && (option_row(i)->commands & bits))
            man_option(option_row(i), b);
    }
}

static void man_commands(struct buf *b)
{
    buf_puts(b, ".SH COMMANDS\n");
    for (unsigned c = 0; c < CMD_MAX; c++) {
        const struct cli_command_row *row = command_row((enum cli_command)c);
        struct buf usage;
        buf_init(&usage, 1000);
        help_usage((enum cli_command)c, &usage);
        buf_fmt(b, ".SS %s \\- ", row->name);
        roff(b, row->summary);
        buf_puts(b, "\n\\fB");
        roff(b, usage.p ? usage.p : row->name);
        buf_puts(b, "\\fR\n.PP\n");
        roff(b, row->help);
        buf_char(b, '\n');
        man_options(OPTION_ON(c), false, b);
        buf_puts(b, ".PP\nExamples:\n.PP\n.nf\n.RS 4\n");
        struct slice rest = slice_str(row->examples);
        while (rest.len) {
            struct slice line = slice_cut(&rest, '\n');
            char text[1024];
            (void)snprintf(text, sizeof text, SLICE_FMT, SLICE_ARG(line));
            roff(b, text);
            buf_char(b, '\n');
        }
        buf_puts(b, ".RE\n.fi\n");
        if (usage.err != KEER_OK && b->err == KEER_OK)
            b->err = usage.err;
        buf_release(&usage);
    }
}

static void man_page(struct buf *b)
{
    buf_fmt(b, ".TH KEER 1 \"%s\" \"keer %s\" \"User Commands\"\n", MAN_DATE, KEER_VERSION);
    buf_puts(b, ".SH NAME\nkeer \\- decides which account, payment and claim events to allow, challenge, review or deny\n"
                ".SH SYNOPSIS\n\\fBkeer\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR...] [\\fIARGUMENT\\fR...]\n"
                ".br\n\\fBkeer help\\fR [\\fICOMMAND\\fR]\n.br\n\\fBkeer \\-\\-describe\\fR=\\fITABLE\\fR "
                "[\\fB\\-\\-format\\fR=\\fBmd\\fR|\\fBjson\\fR]\n"
                ".SH DESCRIPTION\n");
    roff(b,
         "keer takes events (sign-ins, changes of an account, wallet links, purchases, refund requests, service claims), "
         "keeps exact "
         "sliding windows over the entities in them, and decides each event by a policy: one text file of windows, rules, "
         "lists "
         "and models. Every decision has reasons, and the same history gives the same decisions, byte for byte.\n"
         "Inputs are NDJSON, or CSV with a mapping file; - is standard input. Files packed by xz(1) are unpacked on the "
         "way. An "
         "output file is written under another name and renamed when it is whole, so that a failed run leaves the old one "
         "as it "
         "was. Results go to standard output, messages and progress to standard error.\n"
         "Options are written --name=value, --name value, -n value or -nvalue; -- ends them. Sizes take K, M, G and T "
         "(powers of "
         "1024). Durations look like 30s, 12h, 7d or 1d12h; times like 2018-07-25 or 2018-07-25T12:00:00Z and are in UTC.");
    buf_puts(b, "\n.SH OPTIONS\n.SS \"Of every command\"\n");
    man_options(0, true, b);
    buf_puts(b, ".SS \"Without a command\"\n");
    man_options(OPTION_ON(CMD_MAX), false, b);
    man_commands(b);
    buf_puts(b, ".SH \"EXIT STATUS\"\n");
    for (unsigned i = 0; exit_row(i); i++) {
        buf_fmt(b, ".TP\n%d\n", exit_row(i)->number);
        roff(b, exit_row(i)->text);
        buf_puts(b, ".\n");
    }
    buf_puts(b, ".SH ENVIRONMENT\n.TP\n\\fBNO_COLOR\\fR\nNo colour unless \\fB\\-\\-color\\fR=\\fBalways\\fR is given.\n"
                ".TP\n\\fBTERM\\fR\nWhen it is \\fBdumb\\fR or missing there is no colour and no progress line.\n"
                ".SH \"SEE ALSO\"\n.BR xz (1)\n");
}

void describe_print(const char *what, const char *format, struct buf *b)
{
    bool json = strcmp(format, "json") == 0;
    if (strcmp(what, "commands") == 0)
        (json ? commands_json : commands_md)(b);
    else if (strcmp(what, "options") == 0)
        (json ? options_json : options_md)(b);
    else if (strcmp(what, "events") == 0)
        events_print(json, b);
    else if (strcmp(what, "attributes") == 0)
        attributes_print(json, b);
    else if (strcmp(what, "errors") == 0)
        errors_print(json, b);
    else if (strcmp(what, "routes") == 0)
        api_describe(json, b);
    else if (strcmp(what, "openapi") == 0)
        api_openapi(b);
    else if (strcmp(what, "functions") == 0)
        functions_print(json, b);
    else if (strcmp(what, "aggregates") == 0)
        aggregates_print(json, b);
    else if (strcmp(what, "radar") == 0)
        radar_print(json, b);
    else if (strcmp(what, "man") == 0)
        man_page(b);
    else
        ASSERT(false); /* the parser lets only these through */
}
