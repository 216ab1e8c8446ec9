/* parse.c - the command line against the tables, and what a command asks of the result. */
#include "base/log.h"
#include "cli/options.h"

/* argv taken word by word; everything behind `--` is an argument. */
struct words {
    char *const *at;
    int left;
    bool only_arguments;
};

/* --- storing ---------------------------------------------------------------------------------------------------- */

static enum keer_err value_store(struct cli *cli, const struct cli_value *v)
{
    if (cli->value_count == LIMIT_OPTION_VALUES)
        return KEER_ELIMIT;
    if (cli->value_count == cli->value_cap) {
        size_t cap = cli->value_cap ? 2 * cli->value_cap : 64;
        struct cli_value *values = realloc(cli->values, cap * sizeof *values);
        if (!values)
            return KEER_ENOMEM;
        cli->values = values;
        cli->value_cap = cap;
    }
    cli->values[cli->value_count++] = *v;
    return KEER_OK;
}

static const struct cli_value *value_of(const struct cli *cli, const struct cli_option *o, size_t nth)
{
    for (size_t i = 0; i < cli->value_count; i++)
        if (cli->values[i].option == o && nth-- == 0)
            return &cli->values[i];
    return NULL;
}

/* --- mistakes --------------------------------------------------------------------------------------------------- */

static int bad_value(struct cli *cli, const struct cli_option *o, struct slice text, enum keer_err err)
{
    static const char *const wants[] = {[OPT_FLAG] = "",
                                        [OPT_TEXT] = "a text",
                                        [OPT_COUNT] = "a whole number",
                                        [OPT_NUMBER] = "a number, as 0.5",
                                        [OPT_DURATION] = "a duration, as 30s, 12h or 7d",
                                        [OPT_TIME] = "a date or time, as 2018-07-25 or 2018-07-25T12:00:00Z",
                                        [OPT_FILE] = "a file",
                                        [OPT_CHOICE] = "",
                                        [OPT_SIZE] = "a size in bytes, as 512M or 4G"};
    static_assert(ARRAY_LEN(wants) == OPT_KIND_MAX, "one text for each kind");
    struct buf range;
    int rc;
    buf_init(&range, 200);
    option_range(o, &range);
    if (text.len == 0) {
        rc = cli_usage(cli, "--%s has an empty value; it takes %s", o->name, o->shown);
    } else if (o->kind == OPT_CHOICE) {
        struct cli_guess g = {.word = text};
        struct slice rest = slice_str(o->shown), word;
        bool literal;
        char words[16][LIMIT_NAME_BYTES + 1];
        for (unsigned i = 0; i < ARRAY_LEN(words) && option_word(&rest, &word, &literal); i++) {
            (void)snprintf(words[i], sizeof words[i], SLICE_FMT, SLICE_ARG(word));
            cli_guess(&g, words[i]);
        }
        rc = cli_usage(cli, "--%s=" SLICE_FMT ": must be one of %s%s%s%s", o->name, SLICE_ARG(text), o->shown,
                       g.best ? "; did you mean '" : "", g.best ? g.best : "", g.best ? "'?" : "");
    } else if (err == KEER_ERANGE && range.len) {
        rc = cli_usage(cli, "--%s=" SLICE_FMT ": must be %s", o->name, SLICE_ARG(text), range.p);
    } else {
        bool words = o->shown[0] >= 'a' && o->shown[0] <= 'z';
        rc = cli_usage(cli, "--%s=" SLICE_FMT ": must be %s%s%s%s", o->name, SLICE_ARG(text), wants[o->kind],
                       words ? " (" : "", words ? o->shown : "", words ? ")" : "");
    }
    buf_release(&range);
    return rc;
}

/* Where an option that this command does not have might belong, or what it might have been meant to be. */
static int unknown_option(struct cli *cli, struct slice name)
{
    struct cli_guess g = {.word = name};
    struct buf where;
    buf_init(&where, 1000);
    for (unsigned i = 0; option_row(i); i++) {
        const struct cli_option *o = option_row(i);
        if (o->commands & OPTION_ON(cli->command)) {
            cli_guess(&g, o->name);
            continue;
        }
        if (!slice_eq(name, slice_str(o->name)))
            continue;
        for (unsigned c = 0; c <= CMD_MAX; c++)
            if (o->commands & OPTION_ON(c))
                buf_fmt(&where, "%s%s%s", where.len ? ", " : "", c < CMD_MAX ? "keer " : "keer alone",
                        c < CMD_MAX ? command_row((enum cli_command)c)->name : "");
    }
    int rc;
    if (where.len)
        rc = cli_usage(cli, "--" SLICE_FMT " does not belong here but to %s", SLICE_ARG(name), where.p);
    else if (g.best)
        rc = cli_usage(cli, "there is no option --" SLICE_FMT "; did you mean --%s?", SLICE_ARG(name), g.best);
    else
        rc = cli_usage(cli, "there is no option --" SLICE_FMT, SLICE_ARG(name));
    buf_release(&where);
    return rc;
}

static int unknown_command(struct cli *cli, struct slice name)
{
    struct cli_guess g = {.word = name};
    for (unsigned c = 0; c < CMD_MAX; c++)
        cli_guess(&g, command_row((enum cli_command)c)->name);
    if (g.best)
        return cli_usage(cli, "there is no command '" SLICE_FMT "'; did you mean '%s'?", SLICE_ARG(name), g.best);
    return cli_usage(cli, "there is no command '" SLICE_FMT "'", SLICE_ARG(name));
}

static int too_much(struct cli *cli, enum keer_err err)
{
    return cli_fail(cli, CLI_RESOURCES, err, "the command line: %s", keer_err_text(err));
}

/* --- parsing ---------------------------------------------------------------------------------------------------- */

static void values_drop(struct cli *cli, const struct cli_option *o)
{
    size_t kept = 0;
    for (size_t i = 0; i < cli->value_count; i++)
        if (cli->values[i].option != o)
            cli->values[kept++] = cli->values[i];
    cli->value_count = kept;
}

int option_set(struct cli *cli, const struct cli_option *o, struct slice text, enum cli_source source)
{
    const struct cli_value *before = value_of(cli, o, 0);
    bool weaker = before && before->source > source;
    if (before && before->source == source && !(o->flags & (OPT_REPEAT | OPT_LIST)) && o->kind != OPT_FLAG)
        return cli_usage(cli, "%s%s stands twice; once is allowed", source == SOURCE_FLAG ? "--" : "", o->name);
    if (before && before->source < source)
        values_drop(cli, o);
    struct slice rest = text;
    do {
        struct slice item = o->flags & OPT_LIST ? slice_cut(&rest, ',') : text;
        struct cli_value v = {0};
        enum keer_err err = option_value(o, item, &v);
        if (err != KEER_OK)
            return bad_value(cli, o, item, err);
        v.source = source;
        if (!weaker && (err = value_store(cli, &v)) != KEER_OK)
            return too_much(cli, err);
    } while ((o->flags & OPT_LIST) && rest.p);
    return CLI_DONE;
}

/* The value that stands in the next word. */
static int option_next(struct cli *cli, const struct cli_option *o, struct words *w)
{
    const char *next = w->left ? w->at[0] : NULL;
    if (!next)
        return cli_usage(cli, "--%s needs a value: --%s=%s", o->name, o->name, o->shown);
    if (next[0] == '-' && next[1] == '-')
        return cli_usage(cli, "--%s needs a value, and '%s' looks like an option: write --%s=%s", o->name, next, o->name,
                         o->shown);
    w->at++;
    w->left--;
    return option_set(cli, o, slice_str(next), SOURCE_FLAG);
}

static int long_option(struct cli *cli, struct slice word, struct words *w)
{
    struct slice value = slice_of(word.p + 2, word.len - 2);
    struct slice name = slice_cut(&value, '=');
    const struct cli_option *o = option_find(cli->command, name);
    if (!o)
        return unknown_option(cli, name);
    if (o->kind != OPT_FLAG)
        return value.p ? option_set(cli, o, value, SOURCE_FLAG) : option_next(cli, o, w);
    if (value.p)
        return cli_usage(cli, "--%s takes no value", o->name);
    return option_set(cli, o, SLICE(""), SOURCE_FLAG);
}

/* -q, -qh, -pFILE, -p FILE */
static int short_options(struct cli *cli, struct slice word, struct words *w)
{
    for (size_t i = 1; i < word.len; i++) {
        const struct cli_option *o = option_letter(cli->command, word.p[i]);
        if (!o)
            return cli_usage(cli, "there is no option -%c", word.p[i]);
        if (o->kind != OPT_FLAG)
            return i + 1 < word.len ? option_set(cli, o, slice_of(word.p + i + 1, word.len - i - 1), SOURCE_FLAG)
                                    : option_next(cli, o, w);
        int rc = option_set(cli, o, SLICE(""), SOURCE_FLAG);
        if (rc != CLI_DONE)
            return rc;
    }
    return CLI_DONE;
}

static int argument(struct cli *cli, const char *word)
{
    if (cli->command != CMD_MAX) {
        cli->args[cli->arg_count++] = word;
        return CLI_DONE;
    }
    /* What stood before the command's name is kept if it is one of the options of every command. */
    for (size_t i = 0; i < cli->value_count; i++)
        if ((cli->values[i].option->commands & OPTION_ON_ALL) != OPTION_ON_ALL)
            return cli_usage(cli, "--%s goes without a command", cli->values[i].option->name);
    cli->command = command_find(slice_str(word));
    return cli->command == CMD_MAX ? unknown_command(cli, slice_str(word)) : CLI_DONE;
}

static int words_parse(struct cli *cli, struct words *w)
{
    int rc = CLI_DONE;
    while (rc == CLI_DONE && w->left) {
        const char *word = *w->at++;
        w->left--;
        struct slice s = slice_str(word);
        if (w->only_arguments || s.len < 2 || s.p[0] != '-')
            rc = argument(cli, word);
        else if (slice_eq(s, SLICE("--")))
            w->only_arguments = true;
        else
            rc = s.p[1] == '-' ? long_option(cli, s, w) : short_options(cli, s, w);
        if (cli->command != CMD_MAX && cli_flag(cli, "help"))
            break; /* whatever else is wrong: help is what is asked for */
    }
    return rc;
}

static int defaults_fill(struct cli *cli)
{
    for (unsigned i = 0; option_row(i); i++) {
        const struct cli_option *o = option_row(i);
        if (!(o->commands & OPTION_ON(cli->command)) || !o->standard || value_of(cli, o, 0))
            continue;
        struct slice rest = slice_str(o->standard);
        do {
            struct slice item = o->flags & OPT_LIST ? slice_cut(&rest, ',') : rest;
            struct cli_value v = {0};
            enum keer_err err = option_value(o, item, &v);
            ASSERT(err == KEER_OK); /* cli_test.c goes through every row */
            if ((err = value_store(cli, &v)) != KEER_OK)
                return too_much(cli, err);
        } while ((o->flags & OPT_LIST) && rest.p);
    }
    return CLI_DONE;
}

static int complete(struct cli *cli)
{
    const struct cli_command_row *row = command_row(cli->command);
    for (unsigned i = 0; option_row(i); i++) {
        const struct cli_option *o = option_row(i);
        if ((o->commands & OPTION_ON(cli->command)) && (o->flags & OPT_REQUIRED) && !value_of(cli, o, 0))
            return cli_usage(cli, "--%s=%s is missing: %s", o->name, o->shown, o->help);
    }
    if (cli->arg_count < row->min || cli->arg_count > row->max)
        return cli_usage(cli, "%s%u argument%s needed (%s), %u given",
                         row->min == row->max        ? ""
                         : cli->arg_count < row->min ? "at least "
                                                     : "at most ",
                         cli->arg_count < row->min ? row->min : row->max,
                         (cli->arg_count < row->min ? row->min : row->max) == 1 ? " is" : "s are", row->arguments,
                         cli->arg_count);
    return CLI_DONE;
}

/* What concerns how everything else is told, even when the rest of the line is wrong. */
static void look_ahead(struct cli *cli, int argc, char *const *argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        cli->json = cli->json || strcmp(argv[i], "--json") == 0;
}

static void settle(struct cli *cli)
{
    unsigned color = cli_choice(cli, "color"); /* auto|always|never */
    cli->json = cli_flag(cli, "json");
    cli->quiet = cli_flag(cli, "quiet");
    cli->color_out = color == 1 || (color == 0 && cli->env.out_terminal && !cli->env.no_color);
    cli->color_err = color == 1 || (color == 0 && cli->env.err_terminal && !cli->env.no_color);
    cli->progress.on = cli->env.err_terminal && !cli->json && !cli->quiet && !cli_flag(cli, "no-progress");
}

enum cli_exit cli_parse(struct cli *cli, int argc, char *const *argv)
{
    ASSERT(!cli->args);
    look_ahead(cli, argc, argv);
    cli->argc = argc;
    cli->argv = argv;
    cli->args = calloc((size_t)argc + 1, sizeof *cli->args);
    if (!cli->args)
        return (enum cli_exit)too_much(cli, KEER_ENOMEM);
    struct words w = {.at = argv + 1, .left = argc > 0 ? argc - 1 : 0};
    int rc = words_parse(cli, &w);
    if (rc == CLI_DONE && cli->command != CMD_MAX && !cli_flag(cli, "help"))
        rc = settings_read(cli);
    if (rc == CLI_DONE)
        rc = defaults_fill(cli);
    if (rc != CLI_DONE)
        return (enum cli_exit)rc;
    settle(cli);
    if (cli_flag(cli, "help"))
        cli->want = WANT_HELP;
    else if (cli->command != CMD_MAX)
        rc = complete(cli);
    else if (cli_flag(cli, "version"))
        cli->want = WANT_VERSION;
    else if (cli_text(cli, "describe"))
        cli->want = WANT_DESCRIBE;
    else if (argc > 1)
        rc = cli_usage(cli, "a command is missing");
    else
        cli->want = WANT_HELP;
    return (enum cli_exit)rc;
}

void setting_print(const struct cli *cli, const struct cli_option *o, struct buf *b)
{
    size_t start = b->len;
    const struct cli_value *v;
    for (size_t i = 0; (v = value_of(cli, o, i)) != NULL; i++) {
        buf_puts(b, i ? "," : "");
        buf_slice(b, o->kind == OPT_FLAG && !v->text.len ? SLICE("yes") : v->text);
    }
    if (o->kind == OPT_FLAG && b->len == start)
        buf_puts(b, "no");
    if ((o->flags & OPT_SECRET) && b->err == KEER_OK && b->p)
        b->len = start + log_mask(b->p + start, b->len - start);
}

enum cli_source setting_source(const struct cli *cli, const struct cli_option *o)
{
    const struct cli_value *v = value_of(cli, o, 0);
    return v ? v->source : SOURCE_DEFAULT;
}

/* --- what a command asks ---------------------------------------------------------------------------------------- */

/* The row of this command; asking for what has none is a mistake in the command. */
static const struct cli_option *row_of(const struct cli *cli, const char *name)
{
    const struct cli_option *o = option_find(cli->command, slice_str(name));
    ASSERT(o);
    return o;
}

static const struct cli_value *value_at(const struct cli *cli, const char *name, size_t i, unsigned kinds)
{
    const struct cli_option *o = row_of(cli, name);
    ASSERT(kinds >> o->kind & 1u);
    return value_of(cli, o, i);
}

/* Given, and not as `name = no`. */
bool cli_flag(const struct cli *cli, const char *name)
{
    const struct cli_value *v = value_at(cli, name, 0, 1u << OPT_FLAG);
    return v && !slice_eq(v->text, SLICE("no"));
}

bool cli_given(const struct cli *cli, const char *name)
{
    const struct cli_value *v = value_of(cli, row_of(cli, name), 0);
    return v && v->source != SOURCE_DEFAULT;
}

const char *cli_text(const struct cli *cli, const char *name)
{
    const struct cli_option *o = row_of(cli, name);
    ASSERT(o->kind != OPT_FLAG && !(o->flags & OPT_LIST));
    const struct cli_value *v = value_of(cli, o, 0);
    bool text = o->kind == OPT_TEXT || o->kind == OPT_FILE || o->kind == OPT_CHOICE;
    return v && (text || v->word) ? v->text.p : NULL;
}

unsigned cli_choice(const struct cli *cli, const char *name)
{
    const struct cli_value *v = value_at(cli, name, 0, 1u << OPT_CHOICE);
    ASSERT(v);
    struct slice rest = slice_str(v->option->shown), word;
    bool literal;
    unsigned i = 0;
    while (option_word(&rest, &word, &literal) && !slice_eq(word, v->text))
        i++;
    return i;
}

uint64_t cli_count(const struct cli *cli, const char *name, uint64_t absent)
{
    const struct cli_value *v = value_at(cli, name, 0, 1u << OPT_COUNT | 1u << OPT_SIZE);
    return v && !v->word ? v->u.count : absent;
}

double cli_number(const struct cli *cli, const char *name, double absent)
{
    const struct cli_value *v = value_at(cli, name, 0, 1u << OPT_NUMBER);
    return v && !v->word ? v->u.number : absent;
}

int64_t cli_duration(const struct cli *cli, const char *name, int64_t absent)
{
    const struct cli_value *v = value_at(cli, name, 0, 1u << OPT_DURATION);
    return v && !v->word ? v->u.us : absent;
}

int64_t cli_time(const struct cli *cli, const char *name, int64_t absent)
{
    const struct cli_value *v = value_at(cli, name, 0, 1u << OPT_TIME);
    return v && !v->word ? v->u.us : absent;
}

size_t cli_values(const struct cli *cli, const char *name)
{
    const struct cli_option *o = row_of(cli, name);
    size_t n = 0;
    for (size_t i = 0; i < cli->value_count; i++)
        n += cli->values[i].option == o;
    return n;
}

struct slice cli_text_at(const struct cli *cli, const char *name, size_t i)
{
    const struct cli_value *v = value_of(cli, row_of(cli, name), i);
    ASSERT(v);
    return v->text;
}

uint64_t cli_count_at(const struct cli *cli, const char *name, size_t i)
{
    const struct cli_value *v = value_at(cli, name, i, 1u << OPT_COUNT | 1u << OPT_SIZE);
    ASSERT(v && !v->word);
    return v->u.count;
}

int64_t cli_time_at(const struct cli *cli, const char *name, size_t i)
{
    const struct cli_value *v = value_at(cli, name, i, 1u << OPT_TIME | 1u << OPT_DURATION);
    ASSERT(v && !v->word);
    return v->u.us;
}
