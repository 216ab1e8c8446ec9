/* options.h - the tables of commands and options, as data, and values parsed by them.
 *
 * Invariant: within one command every option name and every letter occurs once (tests/unit/cli_test.c).
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H
#include "cli/cli.h"

enum option_kind {
    OPT_FLAG,
    OPT_TEXT,
    OPT_COUNT,
    OPT_NUMBER,
    OPT_DURATION,
    OPT_TIME,
    OPT_FILE,
    OPT_CHOICE,
    OPT_SIZE,
    OPT_KIND_MAX
};
enum option_flags {
    OPT_REQUIRED = 1,
    OPT_REPEAT = 2,
    OPT_LIST = 4,
    OPT_SETTING = 8, /* may come from the environment and, where the command has --config, from a file */
    OPT_RELOAD = 16, /* SIGHUP reads it again */
    OPT_SECRET = 32  /* may hold a password: shown masked */
};

#define OPTION_ON(command) (1u << (command))
#define OPTION_ON_ALL (OPTION_ON(CMD_MAX + 1) - 1) /* every command, and keer alone */
static_assert(CMD_MAX < 31, "a bit for each command");

struct cli_option {
    unsigned commands; /* bits: OPTION_ON(CMD_x); bit CMD_MAX is keer without a command */
    const char *name;
    char letter; /* 0 = none */
    enum option_kind kind;
    unsigned flags;
    const char *standard; /* the default, NULL = none */
    const char *shown;    /* placeholder of the value; NULL for flags */
    double min, max;      /* 0, 0 = no bounds */
    const char *group, *help;
};

struct cli_command_row {
    const char *name, *arguments;
    uint32_t min, max;
    const char *summary, *help, *examples;
};

struct cli_value {
    const struct cli_option *option;
    struct slice text; /* borrowed from argv or the table */
    enum cli_source source;
    bool word; /* one of the words of the row; then there is no number */
    union {
        uint64_t count;
        double number;
        int64_t us;
    } u;
};

const struct cli_command_row *command_row(enum cli_command command);
/* CMD_MAX when there is none of that name. */
enum cli_command command_find(struct slice name);
/* Row i of options.def; NULL past the end. */
const struct cli_option *option_row(unsigned i);
/* The row that `command` sees under this name or letter; NULL if none. */
const struct cli_option *option_find(enum cli_command command, struct slice name);
const struct cli_option *option_letter(enum cli_command command, char letter);
/* A value of the option's kind, within its range; a LIST's item. *ret_v holds option, text, word and u. KEER_ESYNTAX,
 * KEER_ERANGE. */
KEER_NODISCARD enum keer_err option_value(const struct cli_option *o, struct slice text, struct cli_value *ret_v);
/* A value for `o` from one source; a mistake is told, with the place in cli->origin. What a stronger source gave stays. */
int option_set(struct cli *cli, const struct cli_option *o, struct slice text, enum cli_source source);
/* What the environment and the file of --config say; call it when the command line was taken in. */
int settings_read(struct cli *cli);
/* KEER_BODY_MAX of body-max; cut to the room. */
#define OPTION_VARIABLE_BYTES 80
void option_variable(const struct cli_option *o, char ret_name[OPTION_VARIABLE_BYTES]);
/* The values of a setting as one text, a list with commas; masked where it may hold a secret. Nothing when it has none. */
void setting_print(const struct cli *cli, const struct cli_option *o, struct buf *b);
enum cli_source setting_source(const struct cli *cli, const struct cli_option *o);
const char *cli_source_name(enum cli_source source);
const char *option_kind_name(enum option_kind kind);
/* "1 to 32", "at least 1"; empty when there are no bounds. */
void option_range(const struct cli_option *o, struct buf *b);
/* The next word of the row's placeholder; false when *rest is used up. Only words in lower case are values as they stand. */
bool option_word(struct slice *rest, struct slice *ret_word, bool *ret_literal);
struct exit_row {
    const char *name;
    int number;
    const char *text;
};
const struct exit_row *exit_row(unsigned i); /* NULL past the end */
#endif
