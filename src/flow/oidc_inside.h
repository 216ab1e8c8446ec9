/* oidc_inside.h - what the files of the OpenID provider's use cases share. */
#ifndef FLOW_OIDC_INSIDE_H
#define FLOW_OIDC_INSIDE_H
#include <pthread.h>

#include "account/account.h"
#include "flow/oidc.h"
#include "jose/jwt.h"

struct oidc {
    char issuer[OIDC_URI_BYTES + 1];  /* "": keys alone */
    struct crypto_hash seal, prompts; /* of the signing keys; of the numbers of prompts (flow/step.h) */
    const struct log *log;
    pthread_rwlock_t lock; /* of `keys` */
    struct oidc_keys keys;
    pthread_mutex_t making; /* one at a time makes keys */
    int64_t forgot_us;
    struct net_networks allowed;
    struct net_client *net; /* of the timer */
    int64_t told_us;        /* sessions that ended up to then were looked at */
};

/* A token of ours that comes back as a hint: signed by one of our keys, issued by us; its times are not looked at. */
enum jwt_verdict oidc_hint(struct oidc *o, struct slice text, struct jwt *jwt);
/* Whether what a grant rests on is still there: its session, or with offline_access the account. KEER_EMISSING. */
KEER_NODISCARD enum keer_err oidc_grant_holds(struct db *db, const struct oidc_grant *g, int64_t now_us);
/* Claims about the account, as members each with a comma before it. */
KEER_NODISCARD enum keer_err oidc_person(struct db *db, const struct id *account, unsigned claims, struct buf *b);
/* Tokens for a grant: the JSON of RFC 6749 5.1 without the ID token and the closing brace. */
struct oidc_tokens {
    struct oidc_grant grant;
    struct oidc_secret access, refresh; /* refresh.text "": none */
    unsigned scopes;
    struct buf person; /* claims of the ID token */
};
KEER_NODISCARD enum keer_err oidc_tokens_add(struct db *db, const struct oidc_client *c, struct oidc_tokens *t,
                                             int64_t now_us);
/* Percent-encoding (RFC 3986 2.1), and one parameter more at the end of an URL. */
void oidc_url_encode(struct buf *b, struct slice s);
void oidc_url_parameter(struct buf *b, const char *name, struct slice value);
/* What an answer showed, CHALLENGE_AMR_x, as words with a blank between. */
void oidc_amr_words(unsigned amr, char ret[OIDC_AMR_BYTES + 1]);
void oidc_amr_json(const char *amr, struct buf *b);
/* What clients are told of sign-outs (oidc_signout.c). */
void oidc_tell(struct oidc *o, struct desk_worker *w);
/* CIBA's grant for an auth_req_id, in a transaction. */
KEER_NODISCARD enum keer_err oidc_ciba_take(struct db *db, const struct oidc_client *c, struct slice request, int64_t now_us,
                                            struct oidc_grant *ret_grant, enum oidc_error *ret_error);
#endif
