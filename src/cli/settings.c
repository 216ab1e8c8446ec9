/* settings.c - values from the environment and from the file of --config, by the table and the parser of the command line.
 *
 *     # what follows is a remark
 *     name = value          as --name=value; a flag takes yes or no
 *
 * Flags win over the environment, the environment over the file, the file over defaults (option_set keeps that). White space
 * around name and value does not count; a value ends with its line. Nothing is quoted and nothing is escaped.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "cli/options.h"

const char *cli_source_name(enum cli_source source)
{
    static const char *const names[] = {"default", "file", "environment", "flag"};
    static_assert(ARRAY_LEN(names) == SOURCE_MAX, "a name for each source");
    ASSERT(source < SOURCE_MAX);
    return names[source];
}

void option_variable(const struct cli_option *o, char ret_name[OPTION_VARIABLE_BYTES])
{
    int n = snprintf(ret_name, OPTION_VARIABLE_BYTES, "KEER_%s", o->name);
    ASSERT(n > 0 && n < OPTION_VARIABLE_BYTES);
    for (char *c = ret_name; *c; c++)
        *c = *c == '-' ? '_' : *c >= 'a' && *c <= 'z' ? (char)(*c - 32) : *c;
}

static int set(struct cli *cli, const struct cli_option *o, struct slice value, enum cli_source source)
{
    if (o->kind == OPT_FLAG && !slice_eq(value, SLICE("yes")) && !slice_eq(value, SLICE("no")))
        return cli_usage(cli, "%s: must be yes or no", o->name);
    return option_set(cli, o, value, source);
}

static int environment(struct cli *cli)
{
    char name[OPTION_VARIABLE_BYTES];
    int rc = CLI_DONE;
    for (unsigned i = 0; rc == CLI_DONE && cli->env.variable && option_row(i); i++) {
        const struct cli_option *o = option_row(i);
        if (!(o->commands & OPTION_ON(cli->command)) || !(o->flags & OPT_SETTING))
            continue;
        option_variable(o, name);
        const char *value = cli->env.variable(name);
        if (!value)
            continue;
        cli->origin = (struct cli_place){.file = name};
        rc = set(cli, o, slice_str(value), SOURCE_ENVIRONMENT);
    }
    cli->origin = (struct cli_place){0};
    return rc;
}

static int unknown(struct cli *cli, struct slice name)
{
    struct cli_guess g = {.word = name};
    if (option_find(cli->command, name))
        return cli_usage(cli, "%.*s is no setting: it goes on the command line", SLICE_ARG(name));
    for (unsigned i = 0; option_row(i); i++)
        if ((option_row(i)->commands & OPTION_ON(cli->command)) && (option_row(i)->flags & OPT_SETTING))
            cli_guess(&g, option_row(i)->name);
    return cli_usage(cli, "there is no setting '%.*s'%s%s%s", SLICE_ARG(name), g.best ? "; did you mean '" : "",
                     g.best ? g.best : "", g.best ? "'?" : "");
}

/* The line's end in the text becomes a NUL, which values end with. */
static int line(struct cli *cli, char *text, size_t len)
{
    struct slice value = slice_trim(slice_of(text, len));
    if (!value.len || value.p[0] == '#')
        return CLI_DONE;
    struct slice name = slice_trim(slice_cut(&value, '='));
    if (!value.p)
        return cli_usage(cli, "'%.*s': expected name = value", (int)MIN_OF(name.len, 40u), name.p);
    value = slice_trim(value);
    text[(size_t)(value.p - text) + value.len] = '\0';
    const struct cli_option *o = option_find(cli->command, name);
    return o && (o->flags & OPT_SETTING) ? set(cli, o, value, SOURCE_FILE) : unknown(cli, name);
}

/* Read as it is: what packs and unpacks files starts a program, which a sandboxed daemon may not. */
static enum keer_err slurp(struct buf *b, const char *path)
{
    char piece[4096];
    ssize_t n;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return KEER_EIO;
    while ((n = read(fd, piece, sizeof piece)) > 0)
        buf_put(b, piece, (size_t)n);
    int why = errno;
    (void)close(fd);
    errno = why;
    return n < 0 ? KEER_EIO : b->err;
}

static int file(struct cli *cli, const char *path)
{
    int rc = CLI_DONE;
    uint64_t number = 0;
    enum keer_err err = slurp(&cli->settings, path);
    if (err != KEER_OK)
        return cli_fail(cli, cli_exit_of(err), err, "cannot read '%s': %s", path,
                        err == KEER_EIO ? strerror(errno) : keer_err_text(err));
    if (cli->settings.len && memchr(cli->settings.p, '\0', cli->settings.len))
        return cli_usage(cli, "%s: holds a NUL: it is no file of settings", path);
    char *at = cli->settings.p, *end = at + cli->settings.len;
    while (rc == CLI_DONE && at < end) {
        char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((stop ? stop : end) - at);
        cli->origin = (struct cli_place){.file = path, .line = ++number};
        rc = line(cli, at, len);
        at += len + 1;
    }
    cli->origin = (struct cli_place){0};
    return rc;
}

const char *settings_path(const struct cli *cli)
{
    const struct cli_option *config = option_find(cli->command, SLICE("config"));
    const char *path = config ? cli_text(cli, "config") : NULL;
    return config && !path && cli->env.variable ? cli->env.variable("KEER_CONFIG") : path;
}

int settings_read(struct cli *cli)
{
    int rc = environment(cli);
    const char *path = settings_path(cli);
    return rc == CLI_DONE && path ? file(cli, path) : rc;
}
