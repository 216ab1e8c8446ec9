/* options.c - the tables as data, and values of options from text. */
#include "cli/options.h"

#include "base/num.h"
#include "base/timefmt.h"

#define ON(command) OPTION_ON(CMD_##command)
#define ON_ALL OPTION_ON_ALL
#define ON_TOP OPTION_ON(CMD_MAX)
#define REQUIRED OPT_REQUIRED
#define REPEAT OPT_REPEAT
#define LIST OPT_LIST
#define SETTING OPT_SETTING
#define RELOAD OPT_RELOAD
#define SECRET OPT_SECRET

static const struct cli_option options[] = {
#define CLI_OPTION(commands, name, letter, kind, flags, standard, shown, min, max, group, help) \
    {commands, name, letter, OPT_##kind, flags, standard, shown, min, max, group, help},
#include "cli/options.def"
#undef CLI_OPTION
};

static const struct cli_command_row commands[] = {
#define CLI_COMMAND(name, arguments, min, max, summary, help, examples) \
    [CMD_##name] = {#name, arguments, min, max, summary, help, examples},
#include "cli/commands.def"
#undef CLI_COMMAND
};
static_assert(ARRAY_LEN(commands) == CMD_MAX, "one row for each command");

static const struct exit_row exits[] = {
#define CLI_EXIT(name, number, text) {#name, number, text},
#include "cli/exit_codes.def"
#undef CLI_EXIT
};

const struct cli_command_row *command_row(enum cli_command command)
{
    ASSERT(command < CMD_MAX);
    return &commands[command];
}

enum cli_command command_find(struct slice name)
{
    for (unsigned i = 0; i < CMD_MAX; i++)
        if (slice_eq(name, slice_str(commands[i].name)))
            return (enum cli_command)i;
    return CMD_MAX;
}

const struct cli_option *option_row(unsigned i) { return i < ARRAY_LEN(options) ? &options[i] : NULL; }
const struct exit_row *exit_row(unsigned i) { return i < ARRAY_LEN(exits) ? &exits[i] : NULL; }

const struct cli_option *option_find(enum cli_command command, struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        if ((options[i].commands & OPTION_ON(command)) && slice_eq(name, slice_str(options[i].name)))
            return &options[i];
    return NULL;
}

const struct cli_option *option_letter(enum cli_command command, char letter)
{
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        if ((options[i].commands & OPTION_ON(command)) && options[i].letter && options[i].letter == letter)
            return &options[i];
    return NULL;
}

const char *option_kind_name(enum option_kind kind)
{
    static const char *const names[] = {[OPT_FLAG] = "flag",     [OPT_TEXT] = "text",         [OPT_COUNT] = "count",
                                        [OPT_NUMBER] = "number", [OPT_DURATION] = "duration", [OPT_TIME] = "time",
                                        [OPT_FILE] = "file",     [OPT_CHOICE] = "choice",     [OPT_SIZE] = "size"};
    static_assert(ARRAY_LEN(names) == OPT_KIND_MAX, "one name for each kind");
    ASSERT(kind < OPT_KIND_MAX);
    return names[kind];
}

static void put_bound(const struct cli_option *o, double v, struct buf *b)
{
    static const char units[] = "KMGT";
    if (o->kind == OPT_DURATION) {
        duration_print(b, (int64_t)v);
        return;
    }
    size_t unit = 0;
    while (o->kind == OPT_SIZE && unit < sizeof units - 1 && v >= 1024 && v / 1024 == (double)(uint64_t)(v / 1024)) {
        v /= 1024;
        unit++;
    }
    buf_f64(b, v);
    if (unit)
        buf_char(b, units[unit - 1]);
}

void option_range(const struct cli_option *o, struct buf *b)
{
    if (o->min == 0 && o->max == 0)
        return;
    if (o->max >= 9007199254740991.0) {
        buf_puts(b, "at least ");
        put_bound(o, o->min, b);
        return;
    }
    put_bound(o, o->min, b);
    buf_puts(b, " to ");
    put_bound(o, o->max, b);
}

bool option_word(struct slice *rest, struct slice *ret_word, bool *ret_literal)
{
    if (rest->len == 0)
        return false;
    struct slice word = slice_cut(rest, '|');
    bool literal = true;
    for (size_t i = 0; i < word.len; i++)
        literal = literal && !(word.p[i] >= 'A' && word.p[i] <= 'Z');
    *ret_word = word;
    *ret_literal = literal;
    return true;
}

static bool is_word(const struct cli_option *o, struct slice text)
{
    struct slice rest = slice_str(o->shown), word;
    bool literal;
    while (option_word(&rest, &word, &literal))
        if (literal && slice_eq(word, text))
            return true;
    return false;
}

/* Digits and one of K, M, G, T, with or without iB or B behind: powers of 1024. */
static enum keer_err size_parse(struct slice s, uint64_t *ret_v)
{
    static const char units[] = "kmgt";
    size_t n = 0;
    while (n < s.len && ascii_digit(s.p[n]))
        n++;
    uint64_t v;
    enum keer_err err = num_u64(slice_of(s.p, n), 0, UINT64_MAX, &v);
    if (err != KEER_OK)
        return err;
    struct slice unit = slice_of(s.p + n, s.len - n);
    if (unit.len) {
        const char *at = memchr(units, ascii_lower(unit.p[0]), sizeof units - 1);
        if (!at)
            return KEER_ESYNTAX;
        struct slice tail = slice_of(unit.p + 1, unit.len - 1);
        if (tail.len && !slice_eqi(tail, SLICE("ib")) && !slice_eqi(tail, SLICE("b")))
            return KEER_ESYNTAX;
        if (__builtin_mul_overflow(v, (uint64_t)1 << (10 * (at - units + 1)), &v))
            return KEER_ERANGE;
    }
    *ret_v = v;
    return KEER_OK;
}

static bool in_range(const struct cli_option *o, double v)
{
    return (o->min == 0 && o->max == 0) || (v >= o->min && v <= o->max);
}

enum keer_err option_value(const struct cli_option *o, struct slice text, struct cli_value *ret_v)
{
    struct cli_value v = {.option = o, .text = text};
    enum keer_err err = KEER_OK;
    double bounded = o->min;
    if (o->kind != OPT_FLAG && text.len == 0)
        return KEER_ESYNTAX;
    v.word = o->kind != OPT_FLAG && is_word(o, text);
    switch (v.word ? OPT_FLAG : o->kind) {
    case OPT_FLAG:
    case OPT_TEXT:
    case OPT_FILE: break;
    case OPT_CHOICE: err = KEER_ESYNTAX; break; /* none of the words */
    case OPT_COUNT:
        err = num_u64(text, 0, UINT64_MAX, &v.u.count);
        bounded = err == KEER_OK ? (double)v.u.count : 0;
        break;
    case OPT_SIZE:
        err = size_parse(text, &v.u.count);
        bounded = err == KEER_OK ? (double)v.u.count : 0;
        break;
    case OPT_NUMBER:
        err = num_f64(text, &v.u.number);
        bounded = err == KEER_OK ? v.u.number : 0;
        break;
    case OPT_DURATION:
        err = duration_parse(text, &v.u.us);
        bounded = err == KEER_OK ? (double)v.u.us : 0;
        break;
    case OPT_TIME: err = time_parse(text, &v.u.us); break;
    case OPT_KIND_MAX: ASSERT(false);
    }
    if (err == KEER_OK && !in_range(o, bounded))
        err = KEER_ERANGE;
    if (err == KEER_OK)
        *ret_v = v;
    return err;
}
