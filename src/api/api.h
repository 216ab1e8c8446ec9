/* api.h - the daemon's resources: routes.def and the handlers behind it.
 *
 * Handlers run on the threads of HTTP; they share `struct api`, of which each changes its own thread's part alone. Events of
 * one turn of a thread are gathered there and go to the decider together (api_turn). What a handler answers when a thing
 * can't be done is a row of http/problems.def.
 */
#ifndef API_API_H
#define API_API_H
#include "base/json.h"
#include "flow/accounts.h"
#include "flow/agreements.h"
#include "flow/appstore.h"
#include "flow/decider.h"
#include "flow/desk.h"
#include "flow/key_change.h"
#include "flow/oidc.h"
#include "flow/outbox.h"
#include "flow/passkeys.h"
#include "flow/prepare.h"
#include "flow/reading.h"
#include "flow/records.h"
#include "flow/search.h"
#include "flow/step.h"
#include "flow/verdict.h"
#include "flow/wallet_calls.h"
#include "flow/wallet_notices.h"
#include "http/http.h"

struct api_thread {
    struct reading *reading;
    struct decide_request *first, *last; /* gathered in this turn, each with a place */
    unsigned gathered;
};

struct api {
    struct decider *decider;
    struct records *records;
    struct search *search;
    struct streams *streams;
    struct desk *desk;         /* runs handlers with HTTP_BLOCKING; x->worker is a struct desk_worker */
    struct accounts *accounts; /* what the use cases of accounts share */
    const struct steps *steps; /* what those of second steps share */
    const struct passkeys *passkeys;
    struct flow_wallets *wallets;        /* NULL: there are none */
    const struct agreements *agreements; /* NULL: without wallets */
    const struct appstore *appstore;     /* NULL: no notifications of the App Store are taken */
    struct outbox *outbox;               /* NULL: webhooks are off */
    const struct enrich *enrich;         /* NULL: nothing is added */
    struct oidc *oidc;                   /* NULL: there is no issuer */
    struct oidc *signer;                 /* the same, or keys alone: what signs answers to challenges */
    const struct pay *pay;               /* the next two as well */
    const struct orphans *orphans;       /* NULL in tests */
    const struct wallet_notices *notices;
    int64_t (*now_us)(void), (*wall_us)(void);
    unsigned batches_max; /* at once */
    atomic_uint batches;
    struct api_thread thread[HTTP_THREADS_MAX];
    struct buf openapi; /* printed once */
};

/* Makes what each thread of HTTP needs. KEER_ENOMEM. */
KEER_NODISCARD enum keer_err api_init(struct api *a, struct decider *d, unsigned threads);
/* A thread's reader for the version that decides now; NULL without memory. */
struct reading *api_reader(struct api *a, unsigned thread);
void api_release(struct api *a);
/* The routes, for http_start; `a` is the site's ctx. */
struct http_site api_site(struct api *a);

/* An event for the decider, with a place; it goes there with others, at the latest at the end of the thread's turn. It may be
 * done by the time that this returns. */
void api_gather(struct api *a, unsigned thread, struct decide_request *r);

/* routes.def, problems.def and metrics.def, for the reference. */
void api_describe(bool json, struct buf *out);
/* The OpenAPI document: those tables and schemas.def. */
void api_openapi(struct buf *out);
#define OPENAPI_BYTES ((size_t)1 << 20)
http_fn openapi_get;

struct api_given {
    unsigned thread;
    struct slice body;
    bool label; /* else an event */
};
/* The event of a body, and all else of `request` that comes from it. KEER_ENOMEM, or what is wrong, in *ret_why; then too
 * the caller frees request->event. */
KEER_NODISCARD enum keer_err api_read(struct api *a, const struct api_given *given, struct prepare_texts *t,
                                      struct decide_request *request, struct reading_error *ret_why);
/* What a refusal of decider_reserve, and an end that is no success, is as a problem. */
enum http_problem api_refusal(enum keer_err err);
enum http_problem api_problem(enum decide_result result);

http_fn batch_post, batch_release;
http_fn decisions_post, decisions_answer, decisions_release, decisions_get;

/* Starts the thread that wakes the clients of /v1/events, at most `clients_max` of them. KEER_ENOMEM. */
KEER_NODISCARD enum keer_err streams_start(struct api *a, unsigned clients_max);
void streams_stop(struct api *a); /* ends every stream, and the thread; before http_stop. Twice, or without start, is fine */
unsigned streams_count(struct api *a);

http_fn keys_post, keys_list, keys_delete, keys_rotate_post, keys_answer, keys_release_exchange;
http_fn events_get, events_release;
http_fn webhooks_post, webhooks_list, webhooks_one, webhooks_delete, webhooks_replay, webhooks_rotate_post, webhooks_answer,
    webhooks_release;
http_fn deliveries_list;
http_fn policies_list, policies_one, policies_check, policies_post, policies_kept, policies_shadow, policies_shadow_end,
    policies_comparison, policies_diff, policies_diffed, policies_promote, policies_rollback, policies_promoted,
    policies_release;
http_fn lists_all, lists_one, lists_put;
http_fn labels_post, explanation_get;
http_fn ledger_accounts_get, ledger_entries_get, ledger_statement_get, ledger_export_get, ledger_release, ledger_verify_get;
http_fn search_get, search_answer, search_release;
http_fn oidc_discovery_get, oidc_jwks_get, oidc_authorize_get, oidc_authorize_post, oidc_resume_get, oidc_logout_get,
    oidc_logout_post, oidc_par_post, oidc_token_post, oidc_userinfo_get, oidc_userinfo_post, oidc_introspect_post,
    oidc_revoke_post, oidc_ciba_post, oidc_clients_post, oidc_clients_list, oidc_clients_delete;
http_fn account_sign_up, account_sign_up_confirm, account_sign_in, account_sign_in_code, account_visit, account_sign_out;
http_fn account_me, account_session_delete, account_sessions_end_others, account_device_delete;
http_fn account_password, account_contact_add, account_contact_confirm, account_contact_delete, account_device_change;
http_fn account_family_get, account_family_make, account_family_invite, account_family_answer, account_family_leave,
    account_family_approve;
http_fn agreements_post, agreements_get_list, agreements_get, agreements_sign_post, agreements_caps_post,
    agreements_pause_post, agreements_resume_post, agreements_end_post, agreements_sync_post;
http_fn account_wallets_get, account_wallet_caps, account_wallet_pause, account_wallet_resume, account_wallet_end,
    account_charge_not_me;
http_fn accounts_post, accounts_get, accounts_freeze, accounts_thaw, accounts_close, accounts_ceiling, accounts_visit,
    approvals_post, approvals_use;
http_fn step_get, step_totp_post, step_code_post, step_prompt_post, step_cancel_post, prompts_get, prompt_post;
http_fn enrol_totp_post, enrol_totp_confirm_post, enrol_codes_post, enrol_delete, changes_get, change_cancel_post,
    activity_not_me_post, change_not_me_post;
http_fn recovery_post, recovery_code_post, recovery_finish_post, recovery_cancel_post, not_me_post;
http_fn challenges_post, challenges_get;
http_fn charges_post, charges_list, charges_get, charges_confirm, charges_cancel, refunds_post, refunds_get, spends_post,
    balances_get, wallets_list, wallet_notices_post;
http_fn health_get, ready_get, metrics_get;
http_fn passkey_sign_in_options_post, passkey_sign_in_post, passkey_options_post, passkey_post, step_passkey_options_post,
    step_passkey_post;
http_fn appstore_post, appstore_consumption;
http_fn page_get, asset_get, change_password_get; /* pages.h */
#endif
