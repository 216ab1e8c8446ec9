/* client.h - who may ask for tokens: clients (relying parties) that an administrator registered.
 *
 * Invariants
 *  1. A client proves who it is in the one way that it was registered with. Its secret, if it has one, is 256 random bits
 * told once; the database holds the SHA-256. Public clients have none, and PKCE is what binds their codes.
 *  2. Redirect URIs are compared byte for byte (RFC 9700 2.1): https, http on a loopback host, or a scheme with a dot in it
 *     (RFC 8252 7.1); no fragment, no blank, quote or control character.
 *  3. Who was removed is not found any more; its tokens end with it (grant.h).
 */
#ifndef OIDC_CLIENT_H
#define OIDC_CLIENT_H
#include "jose/jwk.h"
#include "oidc/oidc.h"
#include "store/db.h"

enum oidc_auth { OIDC_AUTH_NONE, OIDC_AUTH_BASIC, OIDC_AUTH_POST, OIDC_AUTH_JWT, OIDC_AUTH_MAX }; /* in the database */
const char *oidc_auth_name(enum oidc_auth auth); /* token_endpoint_auth_method of RFC 7591 */
enum oidc_auth oidc_auth_of(struct slice name);  /* OIDC_AUTH_MAX for another */

/* Grant types, as bits that are in the database. */
#define OIDC_GRANT_CODE 1u
#define OIDC_GRANT_REFRESH 2u
#define OIDC_GRANT_CIBA 4u
const char *oidc_grant_name(unsigned bit); /* on the wire */
unsigned oidc_grant_of(struct slice name); /* 0 for another */

#define OIDC_URIS_MAX 8 /* of a kind, of a client */
#define OIDC_CLIENTS_MAX 1000
#define OIDC_URIS_BYTES (OIDC_URIS_MAX * (OIDC_URI_BYTES + 1))
#define OIDC_JWKS_BYTES 8192
struct oidc_client {
    struct id id;
    char name[LIMIT_NAME_BYTES + 1];
    enum oidc_auth auth;
    struct crypto_hash secret;                                                 /* of its text; zeros when there is none */
    char jwks[OIDC_JWKS_BYTES + 1];                                            /* OIDC_AUTH_JWT */
    char redirect_uris[OIDC_URIS_BYTES + 1], logout_uris[OIDC_URIS_BYTES + 1]; /* parted by line feeds */
    char backchannel_uri[OIDC_URI_BYTES + 1];                                  /* "": it is told nothing */
    unsigned grants, scopes;
    enum crypto_alg id_alg; /* of its ID tokens: RS256 or ES256 */
    int64_t created_us;
};

/* KEER_ELIMIT beyond OIDC_CLIENTS_MAX. The caller filled in all but the id, which is made. */
KEER_NODISCARD enum keer_err oidc_client_add(struct db *db, struct oidc_client *c);
/* KEER_EMISSING. */
KEER_NODISCARD enum keer_err oidc_client_get(struct db *db, struct slice id, struct oidc_client *ret_client);
KEER_NODISCARD enum keer_err oidc_client_remove(struct db *db, struct slice id, int64_t now_us);
/* Calls `each` for all, the newest first. */
KEER_NODISCARD enum keer_err oidc_client_each(struct db *db, void (*each)(void *ctx, const struct oidc_client *c),
                                              void *ctx);

/* The scopes of a list that the client may have: offline_access goes with refresh tokens. */
unsigned oidc_scopes_granted(struct slice list, const struct oidc_client *c);
/* Whether a list parted by line feeds has exactly this one. */
bool oidc_uri_in(const char *list, struct slice uri);
/* Invariant 2. `web`: https, or http on a loopback host, alone. */
bool oidc_uri_valid(struct slice uri, bool web);
#endif
