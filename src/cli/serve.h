/* serve.h - what the files of `keer serve` share: the daemon's life is in cmd_serve.c, what is read before it and while it
 * runs in serve_config.c, what the system is told and what it takes away in serve_system.c.
 */
#ifndef CLI_SERVE_H
#define CLI_SERVE_H
#include <signal.h>

#include "api/api.h"
#include "cli/history.h"
#include "flow/notifier.h"
#include "flow/recover.h"
#include "flow/settle.h"
#include "flow/wallet_calls.h"
#include "flow/wallet_keys.h"
#include "flow/wallet_notices.h"

struct serving {
    struct cli *cli;
    struct log log;
    struct log_repeats repeats;
    struct version version; /* the policy of the file */
    struct source source;   /* what it read; until the decider has it */
    const char *snapshot;   /* path of the file of windows; NULL: none */
    struct buf snapshot_path;
    struct decider *decider;
    struct outbox *outbox; /* NULL: webhooks are off */
    struct accounts accounts;
    struct steps steps;
    struct passkeys passkeys;
    struct flow_wallets wallets;
    struct agreements agreements;
    struct appstore appstore;
    struct pay pay;
    struct settle settle[WALLETS_MAX];
    struct desk *helpers; /* who settle beside the timers; NULL: nobody */
    struct orphans orphans;
    struct wallet_keys wallet_keys[WALLETS_MAX];
    struct wallet_notices notices;
    char url[NET_URL_BYTES]; /* of the service */
    struct http_server *server;
    struct http_tls *tls; /* what the files held at the start; NULL: HTTP without TLS */
    struct api api;
    struct enrich *enrich;
    struct slice *own_domains;
    sigset_t signals;
    int notify_fd; /* $NOTIFY_SOCKET, connected; -1 */
};

/* --- serve_config.c --- */
/* Everything that can be checked without starting: address, policy with its files, database, ... The exit code. */
int serve_check(struct serving *s);
/* ok, or with --json every setting, its value (masked) and its source. */
void serve_show(struct serving *s);
/* Databases of addresses and the like, for the policy that is open. The exit code. */
int serve_open_enrich(struct serving *s);
/* Where the snapshot is. The exit code. */
int serve_snapshot(struct serving *s);
void serve_log_settings(struct log *log, const struct cli *cli);
/* SIGHUP: settings marked RELOAD, and the keys; the log says what was taken, what needs a restart, or what is wrong. */
void serve_reload(struct serving *s);
/* The keys alone; told only when they changed or can't be read. */
void serve_reload_keys(struct serving *s, bool asked);

/* --- serve_webhooks.c --- */
/* Opens the outbox when webhooks are on, between decider and threads. The exit code. */
int serve_webhooks(struct serving *s);
/* What of their options can be checked without starting. */
int serve_webhooks_check(struct cli *cli);

/* The hash of a key file's bytes; the option names the file. The exit code. */
int serve_read_key(struct cli *cli, const char *option, struct crypto_hash *ret_key);

/* --- serve_accounts.c --- */
/* What can be checked without starting, and opens what is mapped: the list of stolen passwords. The exit code. */
int serve_accounts_check(struct serving *s);
/* Everything that use cases of accounts share, between decider and server. The exit code. */
int serve_accounts_open(struct serving *s);
/* When the server's address is known. */
void serve_accounts_address(struct serving *s);
KEER_NODISCARD enum keer_err serve_accounts_start(struct serving *s);
void serve_accounts_close(struct serving *s);
/* --- serve_passkeys.c --- */
/* Origins and the domain of passkeys, as far as they can be checked without starting. The exit code. */
int serve_passkeys_check(struct serving *s);
/* When the server's address is known: for development its own port is the origin. */
void serve_passkeys_address(struct serving *s);
/* Whether messages leave by connections: a mail server of --notices, a gateway of --sms-url. */
bool serve_connects_for_notices(const struct serving *s);

/* --- serve_oidc.c --- */
/* What of its options can be checked without starting. */
int serve_oidc_check(struct cli *cli);
/* Opens the OpenID provider when there is an issuer: after the accounts, before the desk starts. The exit code. */
int serve_oidc_open(struct serving *s);

/* --- serve_wallets.c --- */
/* Reads the file of wallets and all that it names. The exit code. */
int serve_wallets_check(struct cli *cli);
/* The same, and what calls them: after the accounts. Without --wallets there are none. */
int serve_wallets_open(struct serving *s);

/* --- serve_appstore.c --- */
/* Reads the root certificate and what else is told of App Store notifications. The exit code. */
int serve_appstore_check(struct cli *cli);
int serve_appstore_open(struct serving *s);
int serve_pay_open(struct serving *s);

/* --- serve_tls.c --- */
/* Reads and checks certificate and key, when there are any. The exit code. */
int serve_tls_open(struct serving *s);
/* Reads the files again; what is wrong is told, and leaves the old certificate in force. */
void serve_tls_reload(struct serving *s);

/* --- serve_system.c --- */
/* Refuses root, or becomes --user. The exit code. */
int serve_become(struct serving *s);
/* Tells systemd (sd_notify(3)) when it asked for it: the variable is read by serve_notify_open. */
void serve_notify_open(struct serving *s);
void serve_notify(struct serving *s, const char *what);
void serve_notify_close(struct serving *s);
#endif
