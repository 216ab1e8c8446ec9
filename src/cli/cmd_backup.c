/* cmd_backup.c - `keer backup` and `keer restore`: a copy of a database, and a database of a copy. */
#include "cli/cli.h"
#include "store/db.h"

static int copy(struct cli *cli, const char *from, const char *to, enum db_copy_kind kind)
{
    char text[300];
    struct db_copied copied;
    struct db_why why;
    enum keer_err err = db_copy(from, to, kind, &copied, &why);
    if (err != KEER_OK)
        return cli_fail(cli,
                        err == KEER_EUNSUPPORTED ? CLI_USAGE
                        : err == KEER_ENOMEM     ? CLI_RESOURCES
                                                 : CLI_IO,
                        err, "%s", why.text);
    (void)snprintf(text, sizeof text,
                   cli->json ? "{\"events\":%lld,\"schema\":%lld}\n" : "%lld events, schema %lld, checked\n",
                   (long long)copied.rows, (long long)copied.version);
    io_out_puts(&cli->out, text);
    return CLI_DONE;
}

int cmd_backup(struct cli *cli) { return copy(cli, cli_text(cli, "database"), cli_text(cli, "to"), DB_BACKUP); }
int cmd_restore(struct cli *cli) { return copy(cli, cli_text(cli, "from"), cli_text(cli, "database"), DB_RESTORE); }
