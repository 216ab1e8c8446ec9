/* cmd_key.c - `keer key`: makes, lists and revokes API keys. */
#include "base/timefmt.h"
#include "cli/cli.h"
#include "store/keys.h"

static enum keer_err key_new(struct cli *cli, struct db *db)
{
    char text[KEY_TEXT_BYTES];
    enum keer_err err =
        keys_add(db, slice_str(cli_text(cli, "name")), (enum key_role)cli_choice(cli, "role"), cli->env.wall_us(), text);
    if (err != KEER_OK)
        return err;
    io_out_puts(&cli->out, cli->json ? "{\"key\":\"" : "");
    io_out_puts(&cli->out, text);
    io_out_puts(&cli->out, cli->json ? "\"}\n" : "\n");
    crypto_wipe(text, sizeof text);
    cli_note(cli, NULL, "keep it: it is not shown again");
    return KEER_OK;
}

static enum keer_err key_list(struct cli *cli, struct db *db)
{
    struct keys keys;
    struct buf b;
    enum keer_err err = keys_read(db, &keys);
    if (err != KEER_OK)
        return err;
    buf_init(&b, (size_t)KEYS_MAX * 300);
    for (unsigned i = 0; i < keys.count; i++) {
        const struct key_row *k = &keys.row[i];
        buf_fmt(&b, cli->json ? "{\"id\":\"%s\",\"role\":\"%s\",\"name\":" : "%s  %-7s  ", k->id, key_role_name(k->role));
        if (cli->json)
            buf_json(&b, slice_str(k->name));
        buf_puts(&b, cli->json ? ",\"created\":\"" : "");
        time_print(&b, k->created_us / US_SECOND * US_SECOND);
        if (k->revoked_us) {
            buf_puts(&b, cli->json ? "\",\"revoked\":\"" : "  revoked ");
            time_print(&b, k->revoked_us / US_SECOND * US_SECOND);
        }
        if (cli->json)
            buf_puts(&b, "\"}\n");
        else
            buf_fmt(&b, "  %s\n", k->name);
    }
    err = b.err;
    io_out_put(&cli->out, buf_view(&b));
    buf_release(&b);
    keys_release(&keys);
    return err;
}

int cmd_key(struct cli *cli)
{
    const char *action = cli->args[0], *id = cli->arg_count > 1 ? cli->args[1] : NULL;
    bool revoke = strcmp(action, "revoke") == 0, list = strcmp(action, "list") == 0;
    struct db *db = NULL;
    struct db_why why;
    if (!revoke && !list && strcmp(action, "new") != 0)
        return cli_usage(cli, "keer key %s: new, list or revoke was expected", action);
    if (revoke != (id != NULL))
        return cli_usage(cli, revoke ? "keer key revoke needs the id that `keer key list` shows" : "keer key %s takes no id",
                         action);
    if (crypto_start() != KEER_OK)
        return cli_fail(cli, CLI_INTERNAL, KEER_EIO, "the system gives no random numbers");
    enum keer_err err = db_open(cli_text(cli, "database"), list ? DB_READ : DB_WRITE, &db, &why);
    if (err == KEER_OK)
        err = db_migrate(db, cli->env.wall_us(), &why);
    if (err != KEER_OK) {
        db_close(db);
        return cli_fail(cli, err == KEER_ENOMEM ? CLI_RESOURCES : CLI_IO, err, "%s", why.text);
    }
    if (revoke)
        err = keys_revoke(db, slice_str(id), cli->env.wall_us());
    else
        err = list ? key_list(cli, db) : key_new(cli, db);
    (void)snprintf(why.text, sizeof why.text, "%s", err == KEER_EIO ? db_why(db) : keer_err_text(err));
    db_close(db);
    if (err == KEER_EMISSING)
        return cli_fail(cli, CLI_FINDINGS, err, "there is no valid key '%s'", id);
    return err == KEER_OK ? CLI_DONE : cli_fail(cli, cli_exit_of(err), err, "%s", why.text);
}
