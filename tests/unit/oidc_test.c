/* oidc_test.c - the OpenID provider's parts: what a request may say, what is used once, how keys rotate, what ends when;
 * each with a database that fails once at each of its calls.
 */
#include "jose/jwt.h"
#include "lib/database.h"
#include "lib/db_fail.h"
#include "oidc/ciba.h"
#include "oidc/logout.h"
#include "oidc/request.h"
#include "oidc/signing.h"

#define T0 (INT64_C(1700000000) * US_SECOND)
#define CALLBACK "https://store.example/callback"
#define VERIFIER "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" /* RFC 7636 appendix B */
#define CHALLENGE "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

static struct scratch scratch;
static struct db *db;
static struct oidc_client client;
static const struct crypto_hash seal = {{1, 2, 3}};

static void make_client(struct oidc_client *c)
{
    memset(c, 0, sizeof *c);
    *c = (struct oidc_client){.name = "store",
                              .auth = OIDC_AUTH_NONE,
                              .redirect_uris = CALLBACK "\nhttp://127.0.0.1:1/",
                              .backchannel_uri = "https://store.example/out",
                              .grants = OIDC_GRANT_CODE | OIDC_GRANT_REFRESH,
                              .scopes = OIDC_SCOPES_ALL,
                              .id_alg = CRYPTO_RS256,
                              .created_us = T0};
    ck_ok(oidc_client_add(db, c));
}

static void open_database(void)
{
    struct db_why why;
    ck_ok(crypto_start());
    database_make(&scratch);
    enum keer_err err = db_open(database_where(&scratch), DB_WRITE, &db, &why);
    ck_assert_msg(err == KEER_OK, "%s", why.text);
    ck_ok(db_migrate(db, 1, &why));
    ck_ok(db_begin(db));
    make_client(&client);
}
static void close_database(void)
{
    db_fail_arm(0, false);
    db_rollback(db);
    db_close(db);
    scratch_remove(&scratch);
}

/* --- what can be registered and asked ------------------------------------------------------------------------------------
 */
START_TEST(uris)
{
    static const struct {
        const char *uri;
        bool any, web;
    } cases[] = {{"https://a.example/cb", true, true},
                 {"https://a.example", true, true},
                 {"https://a.example:8443/cb?x=1&y=%20", true, true},
                 {"http://127.0.0.1:7/cb", true, true},
                 {"http://[::1]:7/", true, true},
                 {"http://localhost", true, true},
                 {"com.example.app:/cb", true, false},
                 {"com.example.app://x", true, false},
                 {"http://a.example/cb", false, false},
                 {"http://localhost.evil.example/", false, false},
                 {"http://127.0.0.1.evil.example/", false, false},
                 {"https://", false, false},
                 {"https:///cb", false, false},
                 {"https://a@b.example/", false, false},
                 {"https://a.example/#f", false, false},
                 {"https://a.example/\"", false, false},
                 {"https://a.example/ x", false, false},
                 {"https://a.example/\n", false, false},
                 {"https://a.example\\@b/", false, false},
                 {"javascript:alert(1)", false, false},
                 {"data:text/html,x", false, false},
                 {"/cb", false, false},
                 {"1com.example:/", false, false},
                 {"", false, false}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        ck_assert_msg(oidc_uri_valid(slice_str(cases[i].uri), false) == cases[i].any, "%s", cases[i].uri);
        ck_assert_msg(oidc_uri_valid(slice_str(cases[i].uri), true) == cases[i].web, "%s (web)", cases[i].uri);
    }
    ck_assert(oidc_uri_in(client.redirect_uris, SLICE(CALLBACK)) &&
              oidc_uri_in(client.redirect_uris, SLICE("http://127.0.0.1:1/")));
    ck_assert(!oidc_uri_in(client.redirect_uris, SLICE(CALLBACK "/")) && !oidc_uri_in(client.redirect_uris, SLICE("")));
    ck_assert(!oidc_uri_in(client.redirect_uris, SLICE("https://store.example")));
    ck_assert(!oidc_uri_in("", SLICE("")) && !oidc_uri_in("", SLICE("x")));
}
END_TEST

#define PAYMENT(amount, currency, more)                                                                          \
    "[{\"type\":\"payment_initiation\",\"instructedAmount\":{\"amount\":\"" amount "\",\"currency\":\"" currency \
    "\"},\"creditorName\":\"Store\"" more "}]"
/* One parameter is put in place of a good one; "" takes it away. */
static const struct {
    enum oidc_param param;
    const char *value;
    bool pushed;
    enum oidc_error want;
} asked[] = {
    {OIDC_PARAM_state, "x", false, OIDC_OK},
    {OIDC_PARAM_response_type, "", false, OIDC_INVALID_REQUEST},
    {OIDC_PARAM_response_type, "token", false, OIDC_UNSUPPORTED_RESPONSE_TYPE},
    {OIDC_PARAM_response_type, "code id_token", false, OIDC_UNSUPPORTED_RESPONSE_TYPE},
    {OIDC_PARAM_response_mode, "query", false, OIDC_OK},
    {OIDC_PARAM_response_mode, "fragment", false, OIDC_INVALID_REQUEST},
    {OIDC_PARAM_scope, "", false, OIDC_INVALID_SCOPE},
    {OIDC_PARAM_scope, "profile", false, OIDC_INVALID_SCOPE},
    {OIDC_PARAM_scope, "new openid", false, OIDC_OK},
    {OIDC_PARAM_code_challenge, "", false, OIDC_INVALID_REQUEST},
    {OIDC_PARAM_code_challenge, "short", false, OIDC_INVALID_REQUEST},
    {OIDC_PARAM_code_challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-c.", false, OIDC_INVALID_REQUEST},
    {OIDC_PARAM_code_challenge_method, "", false, OIDC_INVALID_REQUEST},
    {OIDC_PARAM_code_challenge_method, "plain", false, OIDC_INVALID_REQUEST},
    {OIDC_PARAM_prompt, "none", false, OIDC_OK},
    {OIDC_PARAM_prompt, "login consent", false, OIDC_OK},
    {OIDC_PARAM_prompt, "none login", false, OIDC_INVALID_REQUEST},
    {OIDC_PARAM_prompt, "create", false, OIDC_INVALID_REQUEST},
    {OIDC_PARAM_max_age, "0", false, OIDC_OK},
    {OIDC_PARAM_max_age, "-1", false, OIDC_INVALID_REQUEST},
    {OIDC_PARAM_max_age, "1e3", false, OIDC_INVALID_REQUEST},
    {OIDC_PARAM_max_age, "99999999999", false, OIDC_INVALID_REQUEST},
    {OIDC_PARAM_request, "e30.e30.", false, OIDC_REQUEST_NOT_SUPPORTED},
    {OIDC_PARAM_request_uri, "https://store.example/r", false, OIDC_REQUEST_URI_NOT_SUPPORTED},
    {OIDC_PARAM_state, "a\nb", false, OIDC_INVALID_REQUEST},
    {OIDC_PARAM_claims, "{", false, OIDC_INVALID_REQUEST},
    {OIDC_PARAM_claims, "[]", false, OIDC_INVALID_REQUEST},
    {OIDC_PARAM_claims, "{\"id_token\":{\"acr\":{\"essential\":true,\"value\":\"urn:keersluis:acr:2\"}}}", false, OIDC_OK},
    {OIDC_PARAM_claims, "{\"id_token\":{\"acr\":{\"essential\":true,\"value\":\"urn:other\"}}}", false,
     OIDC_UNMET_AUTHENTICATION_REQUIREMENTS},
    {OIDC_PARAM_claims, "{\"id_token\":{\"acr\":{\"value\":\"urn:other\"}}}", false, OIDC_OK},
    {OIDC_PARAM_authorization_details, PAYMENT("1.00", "EUR", ""), false, OIDC_INVALID_AUTHORIZATION_DETAILS},
    {OIDC_PARAM_authorization_details, PAYMENT("1.00", "EUR", ""), true, OIDC_OK},
    {OIDC_PARAM_authorization_details, PAYMENT("648", "CNY", ",\"agreement\":\"a\""), true, OIDC_OK},
    {OIDC_PARAM_authorization_details, PAYMENT("648", "CNY", ",\"agreement\":\"\""), true,
     OIDC_INVALID_AUTHORIZATION_DETAILS},
    {OIDC_PARAM_authorization_details, PAYMENT("1", "JPY", ",\"x\":1"), true, OIDC_INVALID_AUTHORIZATION_DETAILS},
    {OIDC_PARAM_authorization_details, PAYMENT("1.5", "JPY", ""), true, OIDC_INVALID_AUTHORIZATION_DETAILS},
    {OIDC_PARAM_authorization_details, PAYMENT("0.00", "EUR", ""), true, OIDC_INVALID_AUTHORIZATION_DETAILS},
    {OIDC_PARAM_authorization_details, PAYMENT("-1", "EUR", ""), true, OIDC_INVALID_AUTHORIZATION_DETAILS},
    {OIDC_PARAM_authorization_details, PAYMENT("+1", "EUR", ""), true, OIDC_INVALID_AUTHORIZATION_DETAILS},
    {OIDC_PARAM_authorization_details, PAYMENT("1e1", "EUR", ""), true, OIDC_INVALID_AUTHORIZATION_DETAILS},
    {OIDC_PARAM_authorization_details, PAYMENT("1.", "EUR", ""), true, OIDC_INVALID_AUTHORIZATION_DETAILS},
    {OIDC_PARAM_authorization_details, PAYMENT(".5", "EUR", ""), true, OIDC_INVALID_AUTHORIZATION_DETAILS},
    {OIDC_PARAM_authorization_details, PAYMENT("99999999999999999999", "EUR", ""), true, OIDC_INVALID_AUTHORIZATION_DETAILS},
    {OIDC_PARAM_authorization_details, PAYMENT("1.00", "ZZZ", ""), true, OIDC_INVALID_AUTHORIZATION_DETAILS},
    {OIDC_PARAM_authorization_details, "[]", true, OIDC_INVALID_AUTHORIZATION_DETAILS},
    {OIDC_PARAM_authorization_details, "{}", true, OIDC_INVALID_AUTHORIZATION_DETAILS}};

static struct oidc_params good_params(void)
{
    struct oidc_params p = {0};
    p.v[OIDC_PARAM_client_id] = id_slice(&client.id);
    p.v[OIDC_PARAM_redirect_uri] = SLICE(CALLBACK);
    p.v[OIDC_PARAM_response_type] = SLICE("code");
    p.v[OIDC_PARAM_scope] = SLICE("openid email");
    p.v[OIDC_PARAM_code_challenge] = SLICE(CHALLENGE);
    p.v[OIDC_PARAM_code_challenge_method] = SLICE("S256");
    return p;
}

START_TEST(requests)
{
    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        struct oidc_params p = good_params(), again;
        struct oidc_request r = {0};
        struct tape t = {0};
        struct buf json;
        const char *why = NULL;
        p.v[asked[i].param] = slice_str(asked[i].value);
        enum oidc_error e = oidc_request_check(&p, &client, asked[i].pushed, &r, &why);
        ck_assert_msg(e == asked[i].want && (e == OIDC_OK) == (why == NULL), "%s=%s: %s %s", oidc_param_name(asked[i].param),
                      asked[i].value, oidc_error_name(e), why ? why : "");
        oidc_request_release(&r);
        buf_init(&json, OIDC_PARAMS_BYTES); /* what is kept is what was asked */
        oidc_params_print(&p, &json);
        ck_ok(oidc_params_read(&t, buf_view(&json), &again));
        for (unsigned k = 0; k < OIDC_PARAM_MAX; k++)
            ck_slice_eq(again.v[k], p.v[k]);
        tape_release(&t);
        buf_release(&json);
    }
}
END_TEST

START_TEST(what_a_request_asks_for)
{
    struct oidc_params p = good_params();
    struct oidc_request r = {0};
    const char *why = NULL;
    p.v[OIDC_PARAM_acr_values] = SLICE("urn:x urn:keersluis:acr:2 urn:keersluis:acr:1");
    p.v[OIDC_PARAM_claims] =
        SLICE("{\"userinfo\":{\"name\":null,\"x\":null},\"id_token\":{\"email\":{\"essential\":true}}}");
    p.v[OIDC_PARAM_authorization_details] = SLICE(PAYMENT("12.5", "EUR", ",\"remittanceInformationUnstructured\":\"r\""));
    ck_assert_int_eq(oidc_request_check(&p, &client, /* pushed */ true, &r, &why), OIDC_OK);
    ck_assert_uint_eq(r.acr, 2);
    ck_assert_uint_eq(r.scopes, OIDC_SCOPE(OPENID) | OIDC_SCOPE(EMAIL));
    ck_assert_uint_eq(r.claims, OIDC_CLAIM(NAME) | OIDC_CLAIM(EMAIL) | OIDC_CLAIM(EMAIL_VERIFIED));
    ck_assert_uint_eq(r.id_claims, OIDC_CLAIM(EMAIL));
    ck_assert_int_eq(r.payment.amount_minor, 1250);
    ck_assert_int_eq(r.payment.currency, CUR_EUR);
    ck_slice_eq(r.payment.payee, SLICE("Store"));
    ck_slice_eq(r.payment.reference, SLICE("r"));
    oidc_request_release(&r);
    client.scopes = OIDC_SCOPE(OPENID); /* a client gets no more than it may ask for */
    r = (struct oidc_request){0};
    ck_assert_int_eq(oidc_request_check(&p, &client, true, &r, &why), OIDC_OK);
    ck_assert_uint_eq(r.scopes, OIDC_SCOPE(OPENID));
    oidc_request_release(&r);
    client.scopes = OIDC_SCOPES_ALL;
    client.grants = OIDC_GRANT_CODE; /* without refresh tokens nothing is offline */
    ck_assert_uint_eq(oidc_scopes_granted(SLICE("openid offline_access"), &client), OIDC_SCOPE(OPENID));
    client.grants = OIDC_GRANT_REFRESH;
    ck_assert_uint_eq(oidc_scopes_granted(SLICE("openid offline_access"), &client),
                      OIDC_SCOPE(OPENID) | OIDC_SCOPE(OFFLINE_ACCESS));
    r = (struct oidc_request){0};
    ck_assert_int_eq(oidc_request_check(&p, &client, true, &r, &why), OIDC_UNAUTHORIZED_CLIENT);
    oidc_request_release(&r);
}
END_TEST

START_TEST(kept_requests)
{
    struct id id, other;
    struct oidc_kept k;
    id_make(&other);
    ck_ok(oidc_request_push(db, &client.id, SLICE("{}"), T0, &id));
    ck_err(oidc_request_get(db, id_slice(&id), T0, &k), KEER_EMISSING); /* nobody opened it */
    ck_err(oidc_request_open(db, id_slice(&id), id_slice(&other), T0, &k), KEER_EMISSING);
    ck_err(oidc_request_open(db, id_slice(&id), id_slice(&client.id), T0 + OIDC_REQUEST_US, &k), KEER_EMISSING);
    ck_ok(oidc_request_open(db, id_slice(&id), id_slice(&client.id), T0 + 1, &k));
    ck_assert(k.pushed && k.opened_us == T0 + 1 && id_eq(&k.id, &id) && !id_is(&k.challenge));
    buf_release(&k.params);
    ck_err(oidc_request_open(db, id_slice(&id), id_slice(&client.id), T0 + 2, &k), KEER_EMISSING); /* once */
    ck_ok(oidc_request_challenge(db, &id, &other));
    ck_ok(oidc_request_get(db, id_slice(&id), T0 + 2, &k));
    ck_assert(id_eq(&k.challenge, &other));
    ck_slice_eq(buf_view(&k.params), SLICE("{}"));
    buf_release(&k.params);
    ck_err(oidc_request_get(db, id_slice(&id), T0 + 1 + OIDC_REQUEST_US, &k), KEER_EMISSING);
    ck_ok(oidc_request_use(db, &id, T0 + 3));
    ck_err(oidc_request_use(db, &id, T0 + 3), KEER_EMISSING);
    ck_err(oidc_request_get(db, id_slice(&id), T0 + 3, &k), KEER_EMISSING);
    ck_ok(oidc_request_keep(db, &client.id, SLICE("{}"), T0, &id));
    ck_err(oidc_request_open(db, id_slice(&id), id_slice(&client.id), T0, &k), KEER_EMISSING); /* it was not pushed */
    ck_ok(oidc_request_get(db, id_slice(&id), T0, &k));
    ck_assert(!k.pushed && k.opened_us == T0);
    buf_release(&k.params);
}
END_TEST

/* --- what is used once
 * ----------------------------------------------------------------------------------------------------- */
static void make_grant(struct oidc_grant *g, unsigned scopes)
{
    *g = (struct oidc_grant){
        .client = client.id, .scopes = scopes, .acr = "urn:keersluis:acr:1", .amr = "pwd", .auth_us = T0};
    id_make(&g->account);
    id_make(&g->session);
    ck_ok(oidc_grant_add(db, g, T0));
}
static struct oidc_secret make_code(const struct oidc_grant *g)
{
    struct oidc_secret code;
    struct oidc_code c = {SLICE(CALLBACK), SLICE(CHALLENGE)};
    ck_ok(oidc_code_add(db, g, &c, T0, &code));
    return code;
}
static enum oidc_error take(const struct oidc_secret *code, const struct id *who, const char *uri, const char *verifier,
                            int64_t at)
{
    struct oidc_grant g;
    enum oidc_error e;
    ck_ok(oidc_code_take(db, slice_str(code->text), who, slice_str(uri), slice_str(verifier), at, &g, &e));
    return e;
}
static bool lives(const struct oidc_secret *token, int64_t at)
{
    struct oidc_token t;
    struct oidc_grant g;
    enum keer_err err = oidc_token_find(db, slice_str(token->text), at, &t, &g);
    ck_assert(err == KEER_OK || err == KEER_EMISSING);
    return err == KEER_OK;
}

START_TEST(codes)
{
    struct oidc_grant g;
    struct oidc_client other;
    struct oidc_secret access, code, none = {"x"};
    make_client(&other);
    make_grant(&g, OIDC_SCOPE(OPENID));
    code = make_code(&g);
    ck_assert_int_eq(take(&none, &client.id, CALLBACK, VERIFIER, T0), OIDC_INVALID_GRANT);
    ck_assert_int_eq(take(&code, &client.id, CALLBACK, VERIFIER, T0 + OIDC_CODE_US - 1), OIDC_OK);
    ck_ok(oidc_token_add(db, &g.id, OIDC_TOKEN_ACCESS, g.scopes, T0, T0 + OIDC_ACCESS_US, &access));
    ck_assert(lives(&access, T0 + OIDC_ACCESS_US - 1) && !lives(&access, T0 + OIDC_ACCESS_US));
    ck_assert_int_eq(take(&code, &client.id, CALLBACK, VERIFIER, T0 + 1), OIDC_INVALID_GRANT); /* the second time */
    ck_assert(!lives(&access, T0 + 1));                                                        /* takes the token with it */
    /* A code that is presented wrongly is used up, whatever is wrong. */
    static const struct {
        const char *uri, *verifier;
        bool stranger;
        int64_t at;
    } wrong[] = {{CALLBACK "/", VERIFIER, false, T0},
                 {"", VERIFIER, false, T0},
                 {CALLBACK, CHALLENGE, false, T0},
                 {CALLBACK, "", false, T0},
                 {CALLBACK, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjX", false, T0},
                 {CALLBACK, VERIFIER, true, T0},
                 {CALLBACK, VERIFIER, false, T0 + OIDC_CODE_US}};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        make_grant(&g, OIDC_SCOPE(OPENID));
        code = make_code(&g);
        ck_assert_int_eq(
            take(&code, wrong[i].stranger ? &other.id : &client.id, wrong[i].uri, wrong[i].verifier, wrong[i].at),
            OIDC_INVALID_GRANT);
        ck_assert_int_eq(take(&code, &client.id, CALLBACK, VERIFIER, T0), OIDC_INVALID_GRANT);
    }
}
END_TEST

START_TEST(refresh_tokens)
{
    struct oidc_grant g, read;
    struct oidc_token t;
    struct oidc_client other;
    struct oidc_secret first, second, access;
    enum oidc_error e;
    make_client(&other);
    make_grant(&g, OIDC_SCOPE(OPENID) | OIDC_SCOPE(OFFLINE_ACCESS));
    ck_ok(oidc_token_add(db, &g.id, OIDC_TOKEN_REFRESH, g.scopes, T0, T0 + OIDC_REFRESH_US, &first));
    ck_ok(oidc_token_add(db, &g.id, OIDC_TOKEN_ACCESS, g.scopes, T0, T0 + OIDC_ACCESS_US, &access));
    ck_ok(oidc_refresh_take(db, slice_str(access.text), &client.id, T0, &t, &read, &e)); /* an access token is none */
    ck_assert_int_eq(e, OIDC_INVALID_GRANT);
    ck_ok(oidc_refresh_take(db, slice_str(first.text), &other.id, T0, &t, &read, &e));
    ck_assert(e == OIDC_INVALID_GRANT && lives(&first, T0)); /* another client's: it stays with its owner */
    ck_ok(oidc_refresh_take(db, slice_str(first.text), &client.id, T0 + OIDC_REFRESH_US, &t, &read, &e));
    ck_assert_int_eq(e, OIDC_INVALID_GRANT);
    ck_ok(oidc_refresh_take(db, slice_str(first.text), &client.id, T0 + 1, &t, &read, &e));
    ck_assert(e == OIDC_OK && id_eq(&read.id, &g.id) && t.scopes == g.scopes && t.kind == OIDC_TOKEN_REFRESH);
    ck_ok(oidc_token_add(db, &g.id, OIDC_TOKEN_REFRESH, g.scopes, T0 + 1, T0 + OIDC_REFRESH_US, &second));
    ck_assert(lives(&second, T0 + 1) && lives(&access, T0 + 1));
    ck_ok(oidc_refresh_take(db, slice_str(first.text), &client.id, T0 + 2, &t, &read, &e));
    ck_assert(e == OIDC_INVALID_GRANT && !lives(&second, T0 + 2) && !lives(&access, T0 + 2));
    ck_ok(oidc_refresh_take(db, SLICE("x"), &client.id, T0, &t, &read, &e));
    ck_assert_int_eq(e, OIDC_INVALID_GRANT);
}
END_TEST

START_TEST(what_ends_tokens)
{
    struct oidc_grant session, offline;
    struct oidc_secret a, b, c;
    make_grant(&session, OIDC_SCOPE(OPENID) | OIDC_SCOPE(EMAIL));
    make_grant(&offline, OIDC_SCOPE(OPENID) | OIDC_SCOPE(OFFLINE_ACCESS));
    ck_ok(oidc_token_add(db, &session.id, OIDC_TOKEN_ACCESS, session.scopes, T0, T0 + OIDC_ACCESS_US, &a));
    ck_ok(oidc_token_add(db, &offline.id, OIDC_TOKEN_ACCESS, offline.scopes, T0, T0 + OIDC_ACCESS_US, &b));
    ck_ok(oidc_grants_end_session(db, &session.session, "sign-out", T0 + 1));
    ck_ok(oidc_grants_end_session(db, &offline.session, "sign-out", T0 + 1));
    ck_assert(!lives(&a, T0 + 1) && lives(&b, T0 + 1));
    ck_ok(oidc_grant_end(db, &offline.id, "revoked", T0 + 2));
    ck_ok(oidc_grant_end(db, &offline.id, "revoked", T0 + 3));
    ck_assert(!lives(&b, T0 + 2));
    make_grant(&session, OIDC_SCOPE(OPENID));
    ck_ok(oidc_token_add(db, &session.id, OIDC_TOKEN_ACCESS, session.scopes, T0, T0 + OIDC_ACCESS_US, &c));
    ck_assert(lives(&c, T0));
    ck_ok(oidc_client_remove(db, id_slice(&client.id), T0 + 1));
    ck_assert(!lives(&c, T0 + 1));
    struct oidc_client read;
    ck_err(oidc_client_get(db, id_slice(&client.id), &read), KEER_EMISSING);
    ck_err(oidc_client_remove(db, id_slice(&client.id), T0 + 1), KEER_EMISSING);
}
END_TEST

START_TEST(jtis)
{
    struct id other;
    id_make(&other);
    ck_ok(oidc_jti_take(db, &client.id, SLICE("1"), T0 + 1));
    ck_err(oidc_jti_take(db, &client.id, SLICE("1"), T0 + 1), KEER_EMISSING);
    ck_ok(oidc_jti_take(db, &client.id, SLICE("2"), T0 + 1));
    ck_ok(oidc_jti_take(db, &other, SLICE("1"), T0 + 1));
    ck_err(oidc_jti_take(db, &client.id, SLICE("2"), T0 + 1), KEER_EMISSING); /* and the transaction goes on */
}
END_TEST

START_TEST(what_is_over_is_forgotten)
{
    struct oidc_grant g, read;
    struct oidc_token t;
    struct oidc_secret code, refresh;
    struct id id;
    enum oidc_error e;
    int64_t rows = 0;
    make_grant(&g, OIDC_SCOPE(OPENID));
    code = make_code(&g);
    ck_assert_int_eq(take(&code, &client.id, CALLBACK, VERIFIER, T0), OIDC_OK);
    ck_ok(oidc_token_add(db, &g.id, OIDC_TOKEN_REFRESH, g.scopes, T0, T0 + OIDC_REFRESH_US, &refresh));
    ck_ok(oidc_request_push(db, &client.id, SLICE("{}"), T0, &id));
    ck_ok(oidc_jti_take(db, &client.id, SLICE("1"), T0));
    ck_ok(oidc_forget(db, T0 + 2 * US_DAY, 100));
    ck_ok(db_number(db, "SELECT (SELECT COUNT(*) FROM oidc_request) + (SELECT COUNT(*) FROM oidc_jti)", &rows));
    ck_assert_int_eq(rows, 0);
    /* A used code is known as long as what it brought may live. */
    ck_assert(lives(&refresh, T0 + 2 * US_DAY));
    ck_assert_int_eq(take(&code, &client.id, CALLBACK, VERIFIER, T0 + 2 * US_DAY), OIDC_INVALID_GRANT);
    ck_ok(oidc_refresh_take(db, slice_str(refresh.text), &client.id, T0 + 2 * US_DAY, &t, &read, &e));
    ck_assert_int_eq(e, OIDC_INVALID_GRANT);
    ck_ok(oidc_forget(db, T0 + 70 * US_DAY, 100));
    ck_ok(db_number(
        db,
        "SELECT (SELECT COUNT(*) FROM oidc_code) + (SELECT COUNT(*) FROM oidc_token) + (SELECT COUNT(*) FROM oidc_grant)",
        &rows));
    ck_assert_int_eq(rows, 0);
}
END_TEST

/* --- keys
 * ------------------------------------------------------------------------------------------------------------------- */
static void add_key(int64_t signs_us, int64_t now_us)
{
    struct crypto_key *key;
    ck_ok(crypto_key_generate(CRYPTO_P256, 0, &key));
    ck_ok(oidc_key_add(db, &seal, key, CRYPTO_ES256, signs_us, now_us));
    crypto_key_free(key);
}

START_TEST(keys_rotate)
{
    struct oidc_keys keys = {.count = 0}, wrong;
    const struct crypto_hash other = {{9}};
    char first[JWK_KID_BYTES + 1], second[JWK_KID_BYTES + 1];
    int64_t signs_us = 0;
    ck_ok(oidc_keys_read(db, &seal, &keys));
    ck_assert(!keys.count && !oidc_keys_signing(&keys, CRYPTO_ES256, T0));
    ck_assert(oidc_key_due(&keys, CRYPTO_ES256, T0, &signs_us) && signs_us == T0); /* the first signs at once */
    add_key(signs_us, T0);
    ck_err(oidc_keys_read(db, &other, &wrong), KEER_EFORMAT); /* sealed under another key */
    ck_ok(oidc_keys_read(db, &seal, &keys));
    memcpy(first, oidc_keys_signing(&keys, CRYPTO_ES256, T0)->kid, sizeof first);
    ck_assert(!oidc_keys_signing(&keys, CRYPTO_RS256, T0));
    int64_t due = T0 + SIGNING_EVERY_US - SIGNING_AHEAD_US;
    ck_assert(!oidc_key_due(&keys, CRYPTO_ES256, due - 1, &signs_us));
    ck_assert(oidc_key_due(&keys, CRYPTO_ES256, due, &signs_us) && signs_us == T0 + SIGNING_EVERY_US);
    add_key(signs_us, due);
    oidc_keys_release(&keys);
    ck_ok(oidc_keys_read(db, &seal, &keys));
    ck_assert_uint_eq(keys.count, 2); /* both are published, the old one signs until the new one may */
    ck_assert(!oidc_key_due(&keys, CRYPTO_ES256, due + 1, &signs_us));
    ck_assert_str_eq(oidc_keys_signing(&keys, CRYPTO_ES256, T0 + SIGNING_EVERY_US - 1)->kid, first);
    memcpy(second, oidc_keys_signing(&keys, CRYPTO_ES256, T0 + SIGNING_EVERY_US)->kid, sizeof second);
    ck_assert_str_ne(first, second);
    ck_ok(oidc_keys_forget(db, T0 + SIGNING_EVERY_US + SIGNING_AFTER_US));
    oidc_keys_release(&keys);
    ck_ok(oidc_keys_read(db, &seal, &keys));
    ck_assert_uint_eq(keys.count, 2); /* tokens of the old one may be looked at still */
    ck_ok(oidc_keys_forget(db, T0 + SIGNING_EVERY_US + SIGNING_AFTER_US + 1));
    oidc_keys_release(&keys);
    ck_ok(oidc_keys_read(db, &seal, &keys));
    ck_assert_uint_eq(keys.count, 1);
    ck_assert_str_eq(keys.key[0].kid, second);
    /* A daemon that was off for a year still publishes before it signs. */
    int64_t late = T0 + 4 * SIGNING_EVERY_US;
    ck_assert(oidc_key_due(&keys, CRYPTO_ES256, late, &signs_us) && signs_us == late + SIGNING_AHEAD_US);
    struct buf b;
    buf_init(&b, JWK_TEXT_BYTES);
    ck_ok(oidc_keys_print(&keys, &b));
    ck_assert(!slice_has(buf_view(&b), SLICE("\"d\"")) && slice_has(buf_view(&b), slice_str(second)));
    struct jwk_set set;
    ck_ok(jwk_set_read(buf_view(&b), &set));
    ck_assert_uint_eq(set.count, 1);
    jwk_set_release(&set);
    buf_release(&b);
    oidc_keys_release(&keys);
}
END_TEST

/* --- approval and sign-out
 * -------------------------------------------------------------------------------------------------- */
START_TEST(approvals_are_polled)
{
    struct oidc_secret request;
    struct crypto_hash hash;
    struct oidc_ciba c = {.client = client.id, .scopes = 1, .until_us = T0 + CIBA_LIFE_US}, read;
    struct id other;
    enum oidc_error e;
    id_make(&c.account);
    id_make(&c.challenge);
    id_make(&other);
    oidc_secret_make(&request, &hash);
    ck_ok(oidc_ciba_add(db, &hash, &c, T0));
    struct slice text = slice_str(request.text);
    static const struct {
        int64_t after_us;
        enum oidc_error want;
    } polls[] = {{0, OIDC_OK},
                 {CIBA_INTERVAL_US - 1, OIDC_SLOW_DOWN},     /* 10 seconds from now on */
                 {2 * CIBA_INTERVAL_US - 1, OIDC_SLOW_DOWN}, /* 15 */
                 {3 * CIBA_INTERVAL_US, OIDC_OK},
                 {3 * CIBA_INTERVAL_US, OIDC_OK},
                 {CIBA_LIFE_US, OIDC_EXPIRED_TOKEN}};
    int64_t at = T0;
    ck_ok(oidc_ciba_poll(db, text, &other, T0, &read, &e));
    ck_assert_int_eq(e, OIDC_INVALID_GRANT);
    for (size_t i = 0; i < ARRAY_LEN(polls); i++) {
        at += polls[i].after_us;
        ck_ok(oidc_ciba_poll(db, text, &client.id, at, &read, &e));
        ck_assert_msg(e == polls[i].want, "poll %zu: %s", i, oidc_error_name(e));
        ck_assert(id_eq(&read.challenge, &c.challenge) && id_eq(&read.account, &c.account));
    }
    ck_ok(oidc_ciba_use(db, text, T0 + 1));
    ck_err(oidc_ciba_use(db, text, T0 + 1), KEER_EMISSING);
    ck_ok(oidc_ciba_poll(db, text, &client.id, T0 + 2, &read, &e));
    ck_assert_int_eq(e, OIDC_INVALID_GRANT);
}
END_TEST

START_TEST(sign_outs_are_told_once)
{
    struct oidc_grant g, same;
    struct oidc_client quiet;
    struct oidc_logout due[LOGOUT_BATCH];
    unsigned n = 0;
    make_grant(&g, OIDC_SCOPE(OPENID));
    same = g;
    ck_ok(oidc_grant_add(db, &same, T0)); /* twice in one session: told once */
    make_client(&quiet);
    ck_ok(db_exec(db, "UPDATE oidc_client SET backchannel_uri = '' WHERE created_us > 0 AND id <> ''"));
    ck_ok(oidc_logout_queue(db, &g.session, T0));
    ck_ok(oidc_logout_due(db, T0, due, &n));
    ck_assert_uint_eq(n, 0); /* nobody wants to be told */
    ck_ok(db_exec(db, "UPDATE oidc_client SET backchannel_uri = 'https://store.example/out'"));
    ck_ok(oidc_logout_queue(db, &g.session, T0));
    ck_ok(oidc_logout_queue(db, &g.session, T0 + 1));
    ck_ok(oidc_logout_due(db, T0 - 1, due, &n));
    ck_assert_uint_eq(n, 0);
    int64_t at = T0;
    for (unsigned try = 0; try < LOGOUT_TRIES; try++) {
        ck_ok(oidc_logout_due(db, at, due, &n));
        ck_assert_uint_eq(n, 1);
        ck_assert(id_eq(&due[0].client, &client.id) && id_eq(&due[0].session, &g.session) &&
                  id_eq(&due[0].account, &g.account));
        ck_assert(due[0].tries == try && strcmp(due[0].uri, "https://store.example/out") == 0);
        ck_ok(oidc_logout_done(db, &due[0], /* told */ false, "500", at));
        ck_ok(oidc_logout_due(db, at, due, &n));
        ck_assert_uint_eq(n, 0); /* not at once */
        at += US_DAY;
    }
    ck_ok(oidc_logout_due(db, at, due, &n));
    ck_assert_uint_eq(n, 0); /* dead */
    make_grant(&g, OIDC_SCOPE(OPENID));
    ck_ok(oidc_logout_queue(db, &g.session, T0));
    ck_ok(oidc_logout_due(db, T0, due, &n));
    ck_assert_uint_eq(n, 1);
    ck_ok(oidc_logout_done(db, &due[0], /* told */ true, "", T0));
    ck_ok(oidc_logout_queue(db, &g.session, T0 + 1));
    ck_ok(oidc_logout_due(db, at, due, &n));
    ck_assert_uint_eq(n, 0);
}
END_TEST

/* --- each call of the database fails once ---------------------------------------------------------------------------------
 */
static enum keer_err everything(void)
{
    struct oidc_grant g, read;
    struct oidc_token t;
    struct oidc_secret code, access, refresh, request;
    struct oidc_logout due[LOGOUT_BATCH];
    struct oidc_kept k = {.pushed = false};
    struct oidc_keys keys = {.count = 0};
    struct crypto_hash hash;
    struct id id;
    unsigned n = 0;
    enum oidc_error e = OIDC_OK;
    struct oidc_code c = {SLICE(CALLBACK), SLICE(CHALLENGE)};
    struct oidc_ciba ciba = {.client = client.id, .until_us = T0 + 1};
    g = (struct oidc_grant){.client = client.id, .scopes = OIDC_SCOPE(OPENID), .auth_us = T0};
    id_make(&g.account);
    id_make(&g.session);
    enum keer_err err = oidc_request_push(db, &client.id, SLICE("{}"), T0, &id);
    if (err == KEER_OK)
        err = oidc_request_open(db, id_slice(&id), id_slice(&client.id), T0, &k);
    buf_release(&k.params);
    if (err == KEER_OK)
        err = oidc_request_use(db, &id, T0);
    if (err == KEER_OK)
        err = oidc_grant_add(db, &g, T0);
    if (err == KEER_OK)
        err = oidc_code_add(db, &g, &c, T0, &code);
    if (err == KEER_OK)
        err = oidc_code_take(db, slice_str(code.text), &client.id, SLICE(CALLBACK), SLICE(VERIFIER), T0, &read, &e);
    if (err == KEER_OK)
        err = oidc_token_add(db, &g.id, OIDC_TOKEN_REFRESH, 1, T0, T0 + 1, &refresh);
    if (err == KEER_OK)
        err = oidc_token_add(db, &g.id, OIDC_TOKEN_ACCESS, 1, T0, T0 + 1, &access);
    if (err == KEER_OK)
        err = oidc_token_find(db, slice_str(access.text), T0, &t, &read);
    if (err == KEER_OK)
        err = oidc_refresh_take(db, slice_str(refresh.text), &client.id, T0, &t, &read, &e);
    oidc_secret_make(&request, &hash);
    if (err == KEER_OK)
        err = oidc_ciba_add(db, &hash, &ciba, T0);
    if (err == KEER_OK)
        err = oidc_ciba_poll(db, slice_str(request.text), &client.id, T0, &ciba, &e);
    if (err == KEER_OK)
        err = oidc_ciba_use(db, slice_str(request.text), T0);
    if (err == KEER_OK)
        err = oidc_jti_take(db, &g.account, SLICE("1"), T0);
    if (err == KEER_OK)
        err = oidc_keys_read(db, &seal, &keys);
    oidc_keys_release(&keys);
    if (err == KEER_OK)
        err = oidc_logout_queue(db, &g.session, T0);
    if (err == KEER_OK)
        err = oidc_logout_due(db, T0, due, &n);
    if (err == KEER_OK && n)
        err = oidc_logout_done(db, &due[0], true, "", T0);
    if (err == KEER_OK)
        err = oidc_forget(db, T0, 10);
    return err;
}

START_TEST(each_call_fails_once)
{
    add_key(T0, T0);
    ck_assert_int_eq(db_commit(db), DB_COMMITTED);
    uint64_t n = 1;
    for (;; n++) {
        ck_ok(db_begin(db));
        db_fail_arm(n, false);
        enum keer_err err = everything();
        bool reached = db_fail_hit();
        db_fail_arm(0, false);
        db_rollback(db);
        ck_assert_msg(err == (reached ? KEER_EIO : KEER_OK), "call %u: %s", (unsigned)n, keer_err_name(err));
        if (!reached)
            break;
    }
    ck_assert_uint_gt(n, 30);
    ck_ok(db_begin(db));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("oidc");
    TCase *c = tcase_create("oidc");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, open_database, close_database);
    tcase_add_test(c, uris);
    tcase_add_test(c, requests);
    tcase_add_test(c, what_a_request_asks_for);
    tcase_add_test(c, kept_requests);
    tcase_add_test(c, codes);
    tcase_add_test(c, refresh_tokens);
    tcase_add_test(c, what_ends_tokens);
    tcase_add_test(c, jtis);
    tcase_add_test(c, what_is_over_is_forgotten);
    tcase_add_test(c, keys_rotate);
    tcase_add_test(c, approvals_are_polled);
    tcase_add_test(c, sign_outs_are_told_once);
    tcase_add_test(c, each_call_fails_once);
    suite_add_tcase(s, c);
    return test_main(s);
}
