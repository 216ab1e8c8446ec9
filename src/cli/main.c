/* main.c - the program keer: finds out about its surroundings, parses the command line, runs one command. */
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/timefmt.h"
#include "cli/cli.h"

static int (*const run[])(struct cli *cli) = {
#define CLI_COMMAND(name, arguments, min, max, summary, help, examples) [CMD_##name] = cmd_##name,
#include "cli/commands.def"
#undef CLI_COMMAND
};
static_assert(ARRAY_LEN(run) == CMD_MAX, "one function for each command");

static int64_t clock_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * US_SECOND + t.tv_nsec / 1000;
}

static int64_t wall_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * US_SECOND + t.tv_nsec / 1000;
}

/* A closed standard descriptor would be given to the first file that is opened, and messages would go into it. */
static bool standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_WRONLY : O_RDONLY) != fd)
            return false;
    return true;
}

static const char *variable(const char *name) { return getenv(name); }

static struct cli_env surroundings(void)
{
    const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
    bool capable = term && strcmp(term, "dumb") != 0;
    struct cli_env env = {
        .out_fd = STDOUT_FILENO, .err_fd = STDERR_FILENO, .variable = variable, .now_us = clock_us, .wall_us = wall_us};
    struct winsize size;
    env.out_terminal = capable && isatty(STDOUT_FILENO) == 1;
    env.err_terminal = capable && isatty(STDERR_FILENO) == 1;
    env.no_color = no_color && no_color[0];
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
        env.width = size.ws_col;
    return env;
}

static int print_text(struct cli *cli)
{
    struct buf text;
    buf_init(&text, CLI_TEXT_BYTES);
    switch (cli->want) {
    case WANT_HELP: help_print(cli, cli->command, &text); break;
    case WANT_VERSION:
        buf_puts(&text, cli->json ? "{\"version\":\"" KEER_VERSION "\"}\n" : "keer " KEER_VERSION "\n");
        break;
    case WANT_DESCRIBE: describe_print(cli_text(cli, "describe"), cli_text(cli, "format"), &text); break;
    case WANT_COMMAND: ASSERT(false);
    }
    enum keer_err err = text.err;
    io_out_put(&cli->out, buf_view(&text));
    buf_release(&text);
    return err == KEER_OK ? CLI_DONE : cli_fail(cli, cli_exit_of(err), err, "the text: %s", keer_err_text(err));
}

int main(int argc, char **argv)
{
    if (!standard_descriptors())
        return CLI_IO;
    (void)signal(SIGPIPE, SIG_IGN); /* a reader that went away is a write error, told as such */
    struct cli_env env = surroundings();
    struct cli cli;
    if (cli_init(&cli, &env) != KEER_OK) {
        static const char text[] = "keer: out of memory\n";
        return write(STDERR_FILENO, text, sizeof text - 1) < 0 ? CLI_IO : CLI_RESOURCES;
    }
    int rc = (int)cli_parse(&cli, argc, argv);
    if (rc == CLI_DONE)
        rc = cli.want == WANT_COMMAND ? run[cli.command](&cli) : print_text(&cli);
    if (rc == CLI_DONE && argc < 2)
        rc = CLI_USAGE; /* the help was shown, but nothing was asked */
    rc = cli_finish(&cli, rc);
    cli_release(&cli);
    return rc;
}
