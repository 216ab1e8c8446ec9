/* oidc_metadata.c - the discovery document (OpenID Connect Discovery 3, RFC 8414 2). */
#include "flow/oidc_inside.h"

/* Members whose value is an address of ours. */
static const char *const endpoints[][2] = {{"authorization_endpoint", "/oidc/authorize"},
                                           {"token_endpoint", "/oidc/token"},
                                           {"userinfo_endpoint", "/oidc/userinfo"},
                                           {"jwks_uri", "/oidc/jwks"},
                                           {"pushed_authorization_request_endpoint", "/oidc/par"},
                                           {"revocation_endpoint", "/oidc/revoke"},
                                           {"introspection_endpoint", "/oidc/introspect"},
                                           {"end_session_endpoint", "/oidc/logout"},
                                           {"backchannel_authentication_endpoint", "/oidc/ciba"}};

#define AUTH_METHODS "[\"client_secret_basic\",\"client_secret_post\",\"private_key_jwt\",\"none\"]"
#define AUTH_ALGS "[\"RS256\",\"RS384\",\"RS512\",\"PS256\",\"ES256\",\"ES384\",\"ES512\",\"EdDSA\"]"
static const char *const rest[][2] = {
    {"response_types_supported", "[\"code\"]"},
    {"response_modes_supported", "[\"query\"]"},
    {"grant_types_supported", "[\"authorization_code\",\"refresh_token\",\"urn:openid:params:grant-type:ciba\"]"},
    {"subject_types_supported", "[\"public\"]"},
    {"id_token_signing_alg_values_supported", "[\"RS256\",\"ES256\"]"},
    {"token_endpoint_auth_methods_supported", AUTH_METHODS},
    {"token_endpoint_auth_signing_alg_values_supported", AUTH_ALGS},
    {"revocation_endpoint_auth_methods_supported", AUTH_METHODS},
    {"revocation_endpoint_auth_signing_alg_values_supported", AUTH_ALGS},
    {"introspection_endpoint_auth_methods_supported",
     "[\"client_secret_basic\",\"client_secret_post\",\"private_key_jwt\"]"},
    {"introspection_endpoint_auth_signing_alg_values_supported", AUTH_ALGS},
    {"code_challenge_methods_supported", "[\"S256\"]"},
    {"prompt_values_supported", "[\"none\",\"login\",\"consent\",\"select_account\"]"},
    {"acr_values_supported", "[\"" ACR_1 "\",\"" ACR_2 "\"]"},
    {"authorization_details_types_supported", "[\"" OIDC_PAYMENT_TYPE "\"]"},
    {"backchannel_token_delivery_modes_supported", "[\"poll\"]"},
    {"backchannel_user_code_parameter_supported", "false"},
    {"backchannel_logout_supported", "true"},
    {"backchannel_logout_session_supported", "true"},
    {"claims_parameter_supported", "true"},
    {"request_parameter_supported", "false"},
    {"request_uri_parameter_supported", "false"},
    {"require_pushed_authorization_requests", "false"},
    {"authorization_response_iss_parameter_supported", "true"}};

void oidc_metadata(const struct oidc *o, struct buf *b)
{
    buf_fmt(b, "{\"issuer\":\"%s\"", o->issuer); /* its characters need no escapes: oidc_uri_valid */
    for (size_t i = 0; i < ARRAY_LEN(endpoints); i++)
        buf_fmt(b, ",\"%s\":\"%s%s\"", endpoints[i][0], o->issuer, endpoints[i][1]);
    for (size_t i = 0; i < ARRAY_LEN(rest); i++)
        buf_fmt(b, ",\"%s\":%s", rest[i][0], rest[i][1]);
    buf_puts(b, ",\"scopes_supported\":[");
    for (unsigned i = 0; i < OIDC_SCOPE_BIT_MAX; i++) {
        buf_puts(b, i ? ",\"" : "\"");
        oidc_scopes_put(1u << i, b);
        buf_char(b, '"');
    }
    buf_puts(
        b,
        "],\"claims_supported\":[\"iss\",\"sub\",\"aud\",\"exp\",\"iat\",\"auth_time\",\"nonce\",\"acr\",\"amr\",\"sid\"");
    for (unsigned i = 0; i < OIDC_CLAIM_BIT_MAX; i++)
        buf_fmt(b, ",\"%s\"", oidc_claim_name(i));
    buf_puts(b, "]}\n");
}
