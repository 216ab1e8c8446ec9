/* cmd_help.c - `keer help [COMMAND]`. */
#include "cli/options.h"

int cmd_help(struct cli *cli)
{
    enum cli_command about = CMD_MAX;
    if (cli->arg_count) {
        about = command_find(slice_str(cli->args[0]));
        struct cli_guess g = {.word = slice_str(cli->args[0])};
        for (unsigned c = 0; c < CMD_MAX; c++)
            cli_guess(&g, command_row((enum cli_command)c)->name);
        if (about == CMD_MAX)
            return cli_usage(cli, "there is no command '%s'%s%s%s", cli->args[0], g.best ? "; did you mean '" : "",
                             g.best ? g.best : "", g.best ? "'?" : "");
    }
    struct buf text;
    buf_init(&text, CLI_TEXT_BYTES);
    help_print(cli, about, &text);
    enum keer_err err = text.err;
    io_out_put(&cli->out, buf_view(&text));
    buf_release(&text);
    return err == KEER_OK ? CLI_DONE : cli_fail(cli, cli_exit_of(err), err, "the help text: %s", keer_err_text(err));
}
