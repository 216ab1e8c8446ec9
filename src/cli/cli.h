/* cli.h - what a command of keer is given, and how it reads options, tells errors and writes results.
 *
 * A command is one file, src/cli/cmd_<name>.c, with `int cmd_<name>(struct cli *cli)`, a row in commands.def and its rows in
 * options.def. It returns an enum cli_exit. By then the command line has been parsed and checked: every value is of its kind
 * and in its range, required options are there, the number of arguments is right. What remains for the command is what a
 * table can't say ("--policy or --decisions"), told through cli_usage.
 *
 * Invariants:
 * 1. An option's name is looked up in the rows of this command; a name or kind that has no row there is an assertion, not
 * NULL.
 * 2. A failure is told once, by who handles it: cli_fail prints it and gives back the exit code to return.
 * 3. Messages go to stderr, results to cli->out. Control characters in messages are replaced: input can't drive the
 * terminal.
 * 4. Clock, terminal and environment come in through struct cli_env; nothing below main.c asks the system for them.
 *
 *     int cmd_count(struct cli *cli)
 *     {
 *         struct io_in in;
 *         struct io_why why;
 *         enum keer_err err = io_open(&in, cli->args[0], &why);
 *         if (err != KEER_OK)
 *             return cli_fail(cli, cli_exit_of(err), err, "%s", why.text);
 *         ...
 *         io_out_puts(&cli->out, "done\n");
 *         return CLI_DONE;
 *     }
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H
#include "base/buf.h"
#include "cli/io.h"
#include "cli/progress.h"

enum cli_exit {
#define CLI_EXIT(name, number, text) CLI_##name = number,
#include "cli/exit_codes.def"
#undef CLI_EXIT
};

#define CLI_MANY UINT32_MAX /* no maximum of arguments */

struct cli;
enum cli_command {
#define CLI_COMMAND(name, arguments, min, max, summary, help, examples) CMD_##name,
#include "cli/commands.def"
#undef CLI_COMMAND
    CMD_MAX /* no command: `keer` alone */
};
#define CLI_COMMAND(name, arguments, min, max, summary, help, examples) int cmd_##name(struct cli *cli);
#include "cli/commands.def"
#undef CLI_COMMAND

/* What is to be done, once the command line is parsed. */
enum cli_want { WANT_COMMAND, WANT_HELP, WANT_VERSION, WANT_DESCRIBE };

/* Where a value comes from; a later one wins. */
enum cli_source { SOURCE_DEFAULT, SOURCE_FILE, SOURCE_ENVIRONMENT, SOURCE_FLAG, SOURCE_MAX };

/* What main.c found out about the world. */
struct cli_env {
    int out_fd, err_fd;
    bool out_terminal, err_terminal;           /* a terminal that can do colours and \r */
    bool no_color;                             /* NO_COLOR is set and not empty (no-color.org) */
    unsigned width;                            /* columns of the terminal; 0 = not known */
    const char *(*variable)(const char *name); /* of the environment; may be NULL */
    int64_t (*now_us)(void);                   /* monotonic */
    int64_t (*wall_us)(void);                  /* since 1970, UTC */
};

/* Where in an input something is wrong; zeros and NULLs are left out. Lines and columns count from 1, columns in bytes. */
struct cli_place {
    const char *file;
    uint64_t line, column;
    const char *hint; /* what to do about it: a sentence, or NULL */
};

struct cli_value; /* options.h */
struct cli {
    enum cli_want want;
    enum cli_command command;
    unsigned arg_count;
    const char **args; /* arg_count of them, borrowed from argv */
    int argc;          /* what was parsed, borrowed: a reload parses it again */
    char *const *argv;
    struct buf settings;     /* text of --config: values point into it */
    struct cli_place origin; /* where the value that is being read stands, when not on the command line */
    struct buf *messages;    /* takes errors and notes instead of stderr; NULL */
    struct cli_value *values;
    size_t value_count, value_cap;
    struct cli_env env;
    bool json, quiet;
    bool color_out, color_err; /* after --color, the terminal and NO_COLOR */
    unsigned width;            /* columns to lay out text for: 60 to 100 */
    struct io_out out;         /* standard output; flushed, and its errors told, after the command */
    struct progress progress;
};

/* KEER_ENOMEM only. */
KEER_NODISCARD enum keer_err cli_init(struct cli *cli, const struct cli_env *env);
void cli_release(struct cli *cli);
/* Parses argv[1..]; a mistake is told and its exit code returned. Called once. */
enum cli_exit cli_parse(struct cli *cli, int argc, char *const *argv);
/* Flushes standard output and tells when that failed; the exit code to end with. */
int cli_finish(struct cli *cli, int exit_code);

/* The file of --config or KEER_CONFIG; NULL. */
const char *settings_path(const struct cli *cli);

/* --- options ---------------------------------------------------------------------------------------------------- */
/* Kinds:   FLAG no value                  TEXT anything but empty        COUNT digits
 *          NUMBER decimal                 DURATION 7d, 1d12h, 30s        TIME 2018-07-25, 2018-07-25T12:00:00Z
 *          FILE a path                    CHOICE one of the words shown  SIZE bytes: 1048576, 512K, 512M, 4G (powers of
 * 1024) */

bool cli_flag(const struct cli *cli, const char *name);
/* Given on the command line, in the environment or in the file, as opposed to by its default. */
bool cli_given(const struct cli *cli, const char *name);
/* TEXT, FILE, CHOICE: the value, the default, or NULL. For other kinds: the value if it is one of the words of the option's
 * row
 * (--class-weight=balanced), NULL if it is a number, time and so on, or absent. Not for LIST. */
const char *cli_text(const struct cli *cli, const char *name);
/* Index of a CHOICE's value among its words as the row shows them: csv|ndjson|auto -> 0, 1, 2. The option must have a
 * default. */
unsigned cli_choice(const struct cli *cli, const char *name);
uint64_t cli_count(const struct cli *cli, const char *name, uint64_t absent);  /* COUNT, SIZE */
double cli_number(const struct cli *cli, const char *name, double absent);     /* NUMBER; `absent` also for a word */
int64_t cli_duration(const struct cli *cli, const char *name, int64_t absent); /* microseconds */
int64_t cli_time(const struct cli *cli, const char *name, int64_t absent);     /* microseconds */
/* REPEAT and LIST: how many values there are, and the i-th, in the order given. */
size_t cli_values(const struct cli *cli, const char *name);
struct slice cli_text_at(const struct cli *cli, const char *name, size_t i); /* its end is a NUL unless it is a LIST's */
uint64_t cli_count_at(const struct cli *cli, const char *name, size_t i);
int64_t cli_time_at(const struct cli *cli, const char *name, size_t i);

/* --- messages --------------------------------------------------------------------------------------------------- */

/* Prints `keer: replay: tx.csv:17:23: MESSAGE`, with --json {"error":{"code":...,"message":...}}; returns exit_code. */
int cli_fail(struct cli *cli, enum cli_exit exit_code, enum keer_err err, const char *fmt, ...) KEER_PRINTF(4, 5);
int cli_fail_at(struct cli *cli, enum cli_exit exit_code, enum keer_err err, const struct cli_place *place, const char *fmt,
                ...) KEER_PRINTF(5, 6);
/* Wrong use that the tables can't see: as cli_fail with CLI_USAGE, and points at the help. */
int cli_usage(struct cli *cli, const char *fmt, ...) KEER_PRINTF(2, 3);
/* A line on stderr unless --quiet; with --json {"note":...}. For summaries and warnings. */
void cli_note(struct cli *cli, const struct cli_place *place_or_null, const char *fmt, ...) KEER_PRINTF(3, 4);
/* The exit code that fits an error for which the command knows no better. */
enum cli_exit cli_exit_of(enum keer_err err);

/* Did you mean: the candidate that is closest to a word, NULL if none is close. */
struct cli_guess {
    struct slice word;
    const char *best; /* borrowed from the candidates; NULL = none is close */
    unsigned distance;
};
void cli_guess(struct cli_guess *g, const char *candidate);

/* --- texts ------------------------------------------------------------------------------------------------------ */

/* Help of one command, or of keer (CMD_MAX). */
void help_print(const struct cli *cli, enum cli_command command, struct buf *b);
/* The usage line without 'Usage: '. */
void help_usage(enum cli_command command, struct buf *b);
/* `text` in lines of at most `width` columns; the first begins at column `at`, the others are indented by `indent`; \n in
 * the text begins a new line. Ends with a newline. */
void text_wrap(struct buf *b, const char *text, unsigned at, unsigned indent, unsigned width);
/* One of the program's tables ("commands", ..., "man") as "md" or "json"; the choice was checked by the parser. */
void describe_print(const char *what, const char *format, struct buf *b);
#define CLI_TEXT_BYTES (1u << 20) /* bound of every text that help and describe make */
#endif
