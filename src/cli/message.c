/* message.c - how keer tells errors and notes, the guess behind 'did you mean', and the life of struct cli. */
#include <unistd.h>

#include "base/log.h"
#include "cli/options.h"

#define MESSAGE_BYTES (1u << 16)
#define SETTINGS_BYTES (1u << 16) /* a file of --config */

enum keer_err cli_init(struct cli *cli, const struct cli_env *env)
{
    *cli = (struct cli){.command = CMD_MAX, .env = *env};
    buf_init(&cli->settings, SETTINGS_BYTES);
    cli->width = env->width == 0 || env->width > 100 ? 100 : env->width < 60 ? 60 : env->width;
    cli->progress = (struct progress){.fd = env->err_fd, .width = env->width, .now_us = env->now_us};
    return io_out_fd(&cli->out, env->out_fd, "standard output");
}

void cli_release(struct cli *cli)
{
    progress_hide(&cli->progress);
    io_out_abandon(&cli->out);
    free(cli->args);
    free(cli->values);
    buf_release(&cli->settings);
    cli->args = NULL;
    cli->values = NULL;
    cli->value_count = cli->value_cap = 0;
}

int cli_finish(struct cli *cli, int exit_code)
{
    progress_hide(&cli->progress);
    io_out_flush(&cli->out);
    if (cli->out.err == KEER_OK || exit_code == CLI_IO)
        return exit_code;
    return cli_fail(cli, CLI_IO, cli->out.err, "%s", cli->out.why.text);
}

enum cli_exit cli_exit_of(enum keer_err err)
{
    switch (err) {
    case KEER_OK: return CLI_DONE;
    case KEER_ENOMEM:
    case KEER_ELIMIT:
    case KEER_EFULL: return CLI_RESOURCES;
    case KEER_EINVALID: return CLI_USAGE;
    case KEER_EIO:
    case KEER_EFORMAT:
    case KEER_EVERSION:
    case KEER_EUNSUPPORTED:
    case KEER_ESYNTAX:
    case KEER_ETYPE:
    case KEER_ERANGE:
    case KEER_EMISSING:
    case KEER_ECONFLICT: return CLI_IO;
    case KEER_ERR_MAX: break;
    }
    return CLI_INTERNAL;
}

/* Control characters, and the C1 ones in UTF-8, become '?': a line of input that is quoted can't move the cursor. */
static void put_plain(struct buf *b, const char *s)
{
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s, next = (unsigned char)s[1];
        bool c1 = c == 0xC2 && next >= 0x80 && next <= 0x9F;
        if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7F || c1) {
            buf_char(b, '?');
            s += c1;
        } else {
            buf_char(b, (char)c);
        }
    }
}

struct message {
    const char *kind; /* "error" or "note" */
    const struct cli_place *place;
    enum keer_err err; /* KEER_OK: a note */
    int exit_code;
};

static void message_json(const struct message *m, const char *text, struct buf *b)
{
    const struct cli_place none = {0}, *p = m->place ? m->place : &none;
    buf_fmt(b, "{\"%s\":{", m->kind);
    if (m->err != KEER_OK)
        buf_fmt(b, "\"code\":\"%s\",\"exit\":%d,", keer_err_name(m->err), m->exit_code);
    buf_puts(b, "\"message\":");
    buf_json(b, slice_str(text));
    if (p->file) {
        buf_puts(b, ",\"file\":");
        buf_json(b, slice_str(p->file));
    }
    if (p->line)
        buf_fmt(b, ",\"line\":%llu", (unsigned long long)p->line);
    if (p->column)
        buf_fmt(b, ",\"column\":%llu", (unsigned long long)p->column);
    if (p->hint) {
        buf_puts(b, ",\"hint\":");
        buf_json(b, slice_str(p->hint));
    }
    buf_puts(b, "}}\n");
}

static void message_text(const struct cli *cli, const struct message *m, const char *text, struct buf *b)
{
    const struct cli_place none = {0}, *p = m->place ? m->place : &none;
    bool color = cli->color_err && m->err != KEER_OK;
    buf_puts(b, color ? "\x1B[31mkeer:\x1B[0m " : "keer: ");
    if (cli->command != CMD_MAX)
        buf_fmt(b, "%s: ", command_row(cli->command)->name);
    if (p->file) {
        put_plain(b, p->file);
        if (p->line)
            buf_fmt(b, ":%llu", (unsigned long long)p->line);
        if (p->line && p->column)
            buf_fmt(b, ":%llu", (unsigned long long)p->column);
        buf_puts(b, ": ");
    }
    put_plain(b, text);
    buf_char(b, '\n');
    if (p->hint) {
        buf_puts(b, "      ");
        put_plain(b, p->hint);
        buf_char(b, '\n');
    }
}

/* Nobody can be told when stderr can't be written. */
static void err_write(int fd, struct slice s)
{
    while (s.len) {
        ssize_t n = write(fd, s.p, s.len);
        if (n <= 0)
            return;
        s.p += n;
        s.len -= (size_t)n;
    }
}

KEER_PRINTF(3, 0)
static void message_tell(struct cli *cli, const struct message *m, const char *fmt, va_list ap)
{
    struct buf text, all;
    buf_init(&text, MESSAGE_BYTES);
    buf_init(&all, 8 * MESSAGE_BYTES);
    buf_vfmt(&text, fmt, ap);
    if (text.p)
        text.p[text.len = log_mask(text.p, text.len)] = '\0';
    const char *said = text.p && text.len ? text.p : keer_err_text(m->err); /* out of memory, or longer than any message */
    if (cli->json)
        message_json(m, said, &all);
    else
        message_text(cli, m, said, &all);
    progress_hide(&cli->progress);
    if (cli->messages) {
        buf_slice(cli->messages, buf_view(&all));
    } else if (all.err == KEER_OK) {
        err_write(cli->env.err_fd, buf_view(&all));
    } else {
        err_write(cli->env.err_fd, SLICE("keer: "));
        err_write(cli->env.err_fd, slice_str(keer_err_text(m->err == KEER_OK ? all.err : m->err)));
        err_write(cli->env.err_fd, SLICE("\n"));
    }
    buf_release(&text);
    buf_release(&all);
}

int cli_fail(struct cli *cli, enum cli_exit exit_code, enum keer_err err, const char *fmt, ...)
{
    struct message m = {.kind = "error", .err = err, .exit_code = (int)exit_code};
    va_list ap;
    va_start(ap, fmt);
    message_tell(cli, &m, fmt, ap);
    va_end(ap);
    return (int)exit_code;
}

int cli_fail_at(struct cli *cli, enum cli_exit exit_code, enum keer_err err, const struct cli_place *place, const char *fmt,
                ...)
{
    struct message m = {.kind = "error", .place = place, .err = err, .exit_code = (int)exit_code};
    va_list ap;
    va_start(ap, fmt);
    message_tell(cli, &m, fmt, ap);
    va_end(ap);
    return (int)exit_code;
}

int cli_usage(struct cli *cli, const char *fmt, ...)
{
    char hint[100];
    bool command = cli->command != CMD_MAX;
    (void)snprintf(hint, sizeof hint, "`keer help%s%s` shows what there is", command ? " " : "",
                   command ? command_row(cli->command)->name : "");
    struct cli_place place = cli->origin;
    place.hint = hint;
    struct message m = {.kind = "error", .place = &place, .err = KEER_EINVALID, .exit_code = CLI_USAGE};
    va_list ap;
    va_start(ap, fmt);
    message_tell(cli, &m, fmt, ap);
    va_end(ap);
    return CLI_USAGE;
}

void cli_note(struct cli *cli, const struct cli_place *place_or_null, const char *fmt, ...)
{
    if (cli->quiet)
        return;
    struct message m = {.kind = "note", .place = place_or_null, .err = KEER_OK};
    va_list ap;
    va_start(ap, fmt);
    message_tell(cli, &m, fmt, ap);
    va_end(ap);
}

/* Two neighbours in the wrong order: 'cvs' for 'csv'. */
static bool swapped(struct slice a, struct slice b)
{
    size_t i = 0;
    if (a.len != b.len || a.len < 2)
        return false;
    while (i + 2 < a.len && a.p[i] == b.p[i])
        i++;
    return a.p[i] == b.p[i + 1] && a.p[i + 1] == b.p[i] && memcmp(a.p + i + 2, b.p + i + 2, a.len - i - 2) == 0;
}

void cli_guess(struct cli_guess *g, const char *candidate)
{
    struct slice c = slice_str(candidate);
    unsigned max = g->word.len < 4 ? 1 : g->word.len < 8 ? 2 : 3;
    unsigned d = slice_distance(g->word, c, max);
    if (g->word.len >= 3 && c.len > g->word.len && memcmp(c.p, g->word.p, g->word.len) == 0)
        d = 1; /* an abbreviation */
    if (swapped(g->word, c))
        d = 1;
    if (d <= max && (!g->best || d < g->distance)) {
        g->best = candidate;
        g->distance = d;
    }
}
