/* help.c - help texts, laid out from the tables. */
#include "cli/options.h"

#define OPTION_COLUMN 30   /* where the help of an option begins */
#define LINE_MAX_BYTES 100 /* of a value, whatever the width */

void text_wrap(struct buf *b, const char *text, unsigned at, unsigned indent, unsigned width)
{
    struct slice paragraphs = slice_str(text);
    bool first = true;
    while (paragraphs.p) {
        struct slice words = slice_cut(&paragraphs, '\n');
        if (!first) {
            buf_fmt(b, "%*s", (int)indent, "");
            at = indent;
        }
        unsigned begin = at;
        while (words.p) {
            struct slice word = slice_cut(&words, ' ');
            if (word.len == 0)
                continue;
            if (at > begin && at + 1 + word.len > width) {
                buf_fmt(b, "\n%*s", (int)indent, "");
                at = begin = indent;
            }
            if (at > begin) {
                buf_char(b, ' ');
                at++;
            }
            buf_slice(b, word);
            at += (unsigned)word.len;
        }
        buf_char(b, '\n');
        first = false;
    }
}

void help_usage(enum cli_command command, struct buf *b)
{
    if (command == CMD_MAX) {
        buf_puts(b, "keer COMMAND [OPTION...] [ARGUMENT...]");
        return;
    }
    const struct cli_command_row *row = command_row(command);
    buf_fmt(b, "keer %s", row->name);
    for (unsigned i = 0; option_row(i); i++) {
        const struct cli_option *o = option_row(i);
        if ((o->commands & OPTION_ON(command)) && (o->flags & OPT_REQUIRED))
            buf_fmt(b, " --%s %s", o->name, o->shown);
    }
    buf_fmt(b, " [OPTION...]%s%s", row->arguments[0] ? " " : "", row->arguments);
}

static void heading(const struct cli *cli, struct buf *b, const char *text)
{
    buf_fmt(b, cli->color_out ? "\n\x1B[1m%s\x1B[0m\n" : "\n%s\n", text);
}

/* What an option takes: words that are too many for a line go on in the next. Returns where the last line starts. */
static size_t option_shown(const struct cli_option *o, size_t start, struct buf *b)
{
    struct slice rest = slice_str(o->shown);
    buf_char(b, ' ');
    while (rest.p) {
        struct slice word = slice_cut(&rest, '|');
        if (b->len - start + word.len + 1 > LINE_MAX_BYTES) {
            buf_char(b, '\n');
            start = b->len;
            buf_fmt(b, "%*s", OPTION_COLUMN, "");
        }
        buf_slice(b, word);
        buf_puts(b, rest.p ? "|" : "");
    }
    return start;
}

static void option_line(const struct cli *cli, const struct cli_option *o, struct buf *b)
{
    struct buf notes;
    size_t start = b->len;
    buf_init(&notes, 4096);
    buf_puts(&notes, o->help);
    struct buf range;
    buf_init(&range, 200);
    option_range(o, &range);
    const char *bounds = range.len ? range.p : "";
    if (o->flags & OPT_REQUIRED)
        buf_puts(&notes, " (required)");
    else if (o->standard)
        buf_fmt(&notes, " (default %s%s%s)", o->standard, range.len ? "; " : "", bounds);
    else if (range.len)
        buf_fmt(&notes, " (%s)", bounds);
    if (o->flags & OPT_REPEAT)
        buf_puts(&notes, "; may stand several times");
    if (o->letter)
        buf_fmt(b, "  -%c, --%s", o->letter, o->name);
    else
        buf_fmt(b, "      --%s", o->name);
    if (o->shown)
        start = option_shown(o, start, b);
    size_t used = b->len - start;
    if (used + 2 > OPTION_COLUMN)
        buf_fmt(b, "\n%*s", OPTION_COLUMN, "");
    else
        buf_fmt(b, "%*s", (int)(OPTION_COLUMN - used), "");
    text_wrap(b, notes.p ? notes.p : o->help, OPTION_COLUMN, OPTION_COLUMN, cli->width);
    buf_release(&range);
    buf_release(&notes);
}

/* Groups in the order of their first row, each with its rows in the order of the table. */
static void option_groups(const struct cli *cli, enum cli_command command, struct buf *b)
{
    const unsigned bit = OPTION_ON(command);
    for (unsigned i = 0; option_row(i); i++) {
        const char *group = option_row(i)->group;
        bool seen = !(option_row(i)->commands & bit);
        for (unsigned j = 0; j < i && !seen; j++)
            seen = (option_row(j)->commands & bit) && strcmp(option_row(j)->group, group) == 0;
        if (seen)
            continue;
        heading(cli, b, group);
        for (unsigned j = i; option_row(j); j++)
            if ((option_row(j)->commands & bit) && strcmp(option_row(j)->group, group) == 0)
                option_line(cli, option_row(j), b);
    }
}

static void exit_codes(const struct cli *cli, struct buf *b)
{
    heading(cli, b, "Exit codes");
    for (unsigned i = 0; exit_row(i); i++) {
        buf_fmt(b, "  %d  ", exit_row(i)->number);
        text_wrap(b, exit_row(i)->text, 5, 5, cli->width);
    }
}

static void command_help(const struct cli *cli, enum cli_command command, struct buf *b)
{
    const struct cli_command_row *row = command_row(command);
    buf_puts(b, "Usage: ");
    help_usage(command, b);
    buf_puts(b, "\n\n");
    text_wrap(b, row->help, 0, 0, cli->width);
    option_groups(cli, command, b);
    heading(cli, b, "Examples");
    struct slice rest = slice_str(row->examples);
    while (rest.len) {
        struct slice line = slice_cut(&rest, '\n');
        buf_fmt(b, "  " SLICE_FMT "\n", SLICE_ARG(line));
    }
    exit_codes(cli, b);
}

void help_print(const struct cli *cli, enum cli_command command, struct buf *b)
{
    if (command != CMD_MAX) {
        command_help(cli, command, b);
        return;
    }
    buf_puts(b, "keer - decides which account, payment and claim events to allow, challenge, review or deny\n\nUsage: ");
    help_usage(CMD_MAX, b);
    buf_char(b, '\n');
    heading(cli, b, "Commands");
    for (unsigned i = 0; i < CMD_MAX; i++)
        buf_fmt(b, "  %-10s  %s\n", command_row((enum cli_command)i)->name, command_row((enum cli_command)i)->summary);
    option_groups(cli, CMD_MAX, b);
    exit_codes(cli, b);
    buf_puts(b, "\n`keer help COMMAND` shows the options of a command, with examples.\n");
}
