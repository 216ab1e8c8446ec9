/* request.c - authorization requests against the client that makes them. */
#include "oidc/request.h"

#include "base/num.h"

static const char *const names[] = {
#define OIDC_PARAM(name) #name,
#include "oidc/params.def"
#undef OIDC_PARAM
};
static const struct tape_limits limits = {.bytes = OIDC_PARAMS_BYTES, .values = 512, .depth = 8, .keys = 64};

const char *oidc_param_name(enum oidc_param p) { return names[p]; }

void oidc_params_print(const struct oidc_params *p, struct buf *b)
{
    const char *between = "{";
    for (unsigned i = 0; i < OIDC_PARAM_MAX; i++)
        if (p->v[i].len) {
            buf_fmt(b, "%s\"%s\":", between, names[i]);
            buf_json(b, p->v[i]);
            between = ",";
        }
    buf_puts(b, between[0] == '{' ? "{}" : "}");
}

enum keer_err oidc_params_read(struct tape *t, struct slice json, struct oidc_params *ret_params)
{
    struct tape_error why;
    enum keer_err err = tape_read(t, json, &limits, &why);
    if (err != KEER_OK)
        return err == KEER_ENOMEM ? err : KEER_EFORMAT;
    for (unsigned i = 0; i < OIDC_PARAM_MAX; i++) {
        uint32_t v = tape_find(t, 0, names[i]);
        ret_params->v[i] = v == TAPE_NONE ? slice_of(NULL, 0) : tape_text(t, v);
    }
    return KEER_OK;
}

/* --- authorization_details ------------------------------------------------------------------------------------------------
 */
static bool text_member(const struct tape *t, uint32_t object, const char *name, bool required, struct slice *ret)
{
    uint32_t v = tape_find(t, object, name);
    if (v == TAPE_NONE)
        return !required;
    *ret = tape_text(t, v);
    return tape_type(t, v) == TAPE_STRING && ret->len;
}

/* Whether each member of the object is among the names. */
static bool only(const struct tape *t, uint32_t object, const char *const *known, size_t count)
{
    for (uint32_t v = object + 1; v < t->v[object].next; v = t->v[v + 1].next) {
        size_t i = 0;
        while (i < count && !slice_eq(tape_text(t, v), slice_str(known[i])))
            i++;
        if (i == count)
            return false;
    }
    return true;
}

/* Digits, with a point between some of them: money is not written with signs or exponents. */
static bool is_decimal(struct slice s)
{
    struct slice whole = slice_cut(&s, '.');
    for (size_t i = 0; i < whole.len; i++)
        if (!ascii_digit(whole.p[i]))
            return false;
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_digit(s.p[i]))
            return false;
    return whole.len && (!s.p || s.len);
}

enum oidc_error oidc_payment_read(struct tape *t, struct slice json, struct oidc_payment *ret_payment)
{
    static const char *const members[] = {"type", "instructedAmount", "creditorName", "agreement",
                                          "remittanceInformationUnstructured"};
    static const char *const amount_members[] = {"amount", "currency"};
    struct tape_error why;
    struct oidc_payment p = {.currency = CUR_MAX};
    struct slice type = {NULL, 0}, amount = {NULL, 0}, currency = {NULL, 0};
    enum keer_err err = json.len > OIDC_DETAILS_BYTES ? KEER_ELIMIT : tape_read(t, json, &limits, &why);
    if (err != KEER_OK)
        return err == KEER_ENOMEM ? OIDC_SERVER_ERROR : OIDC_INVALID_AUTHORIZATION_DETAILS;
    if (tape_type(t, 0) != TAPE_ARRAY || t->v[0].len != 1 || tape_type(t, 1) != TAPE_OBJECT ||
        !only(t, 1, members, ARRAY_LEN(members)))
        return OIDC_INVALID_AUTHORIZATION_DETAILS;
    uint32_t sum = tape_find(t, 1, "instructedAmount");
    if (!text_member(t, 1, "type", true, &type) || !slice_eq(type, SLICE(OIDC_PAYMENT_TYPE)) || sum == TAPE_NONE ||
        tape_type(t, sum) != TAPE_OBJECT || !only(t, sum, amount_members, ARRAY_LEN(amount_members)) ||
        !text_member(t, sum, "amount", true, &amount) || !text_member(t, sum, "currency", true, &currency) ||
        !text_member(t, 1, "creditorName", true, &p.payee) || !text_member(t, 1, "agreement", false, &p.agreement) ||
        !text_member(t, 1, "remittanceInformationUnstructured", false, &p.reference))
        return OIDC_INVALID_AUTHORIZATION_DETAILS;
    p.currency = currency_parse(currency);
    if (p.currency == CUR_MAX || !is_decimal(amount) ||
        num_scaled(amount, currency_exponent(p.currency), &p.amount_minor) != KEER_OK || p.amount_minor <= 0)
        return OIDC_INVALID_AUTHORIZATION_DETAILS;
    *ret_payment = p;
    return OIDC_OK;
}

/* --- claims -------------------------------------------------------------------------------------------------------------
 */
unsigned oidc_acr_values(struct slice list)
{
    while (list.p) {
        struct slice one = slice_cut(&list, ' ');
        if (slice_eq(one, SLICE("urn:keersluis:acr:2")))
            return 2;
        if (slice_eq(one, SLICE("urn:keersluis:acr:1")))
            return 1;
    }
    return 0;
}

/* The level that `acr` of claims.id_token asks for: the least of its values that is known. False when it is essential and
 * none of them is. */
static bool acr_claim(const struct tape *t, uint32_t v, struct oidc_request *r)
{
    if (tape_type(t, v) != TAPE_OBJECT)
        return true;
    uint32_t essential = tape_find(t, v, "essential"), value = tape_find(t, v, "value"), values = tape_find(t, v, "values");
    unsigned least = 0;
    if (value != TAPE_NONE && tape_type(t, value) == TAPE_STRING)
        least = oidc_acr_values(tape_text(t, value));
    for (uint32_t i = values + 1; values != TAPE_NONE && tape_type(t, values) == TAPE_ARRAY && i < t->v[values].next;
         i = t->v[i].next) {
        unsigned one = tape_type(t, i) == TAPE_STRING ? oidc_acr_values(tape_text(t, i)) : 0;
        least = one && (!least || one < least) ? one : least;
    }
    r->acr_essential =
        essential != TAPE_NONE && tape_type(t, essential) == TAPE_TRUE && (value != TAPE_NONE || values != TAPE_NONE);
    r->acr = MAX_OF(r->acr, least);
    return !r->acr_essential || least;
}

static unsigned claims_of(const struct tape *t, uint32_t object)
{
    unsigned mask = 0;
    if (object == TAPE_NONE || tape_type(t, object) != TAPE_OBJECT)
        return 0;
    for (uint32_t v = object + 1; v < t->v[object].next; v = t->v[v + 1].next)
        mask |= oidc_claim_of(tape_text(t, v));
    return mask;
}

static enum oidc_error check_claims(struct slice json, struct oidc_request *r)
{
    struct tape_error why;
    struct tape *t = &r->tape_claims;
    if (!json.len)
        return OIDC_OK;
    enum keer_err err = tape_read(t, json, &limits, &why);
    if (err != KEER_OK || tape_type(t, 0) != TAPE_OBJECT)
        return err == KEER_ENOMEM ? OIDC_SERVER_ERROR : OIDC_INVALID_REQUEST;
    uint32_t id_token = tape_find(t, 0, "id_token");
    r->claims |= claims_of(t, tape_find(t, 0, "userinfo"));
    r->id_claims |= claims_of(t, id_token);
    uint32_t acr = id_token == TAPE_NONE ? TAPE_NONE : tape_find(t, id_token, "acr");
    if (acr != TAPE_NONE && !acr_claim(t, acr, r))
        return OIDC_UNMET_AUTHENTICATION_REQUIREMENTS;
    return OIDC_OK;
}

/* --- the whole ----------------------------------------------------------------------------------------------------------
 */
bool oidc_request_redirect(const struct oidc_params *p, const struct oidc_client *c)
{
    return oidc_uri_in(c->redirect_uris, p->v[OIDC_PARAM_redirect_uri]);
}

/* prompt: none stands alone. `consent` and `select_account` are taken: a client is registered by the administrator whose
 * accounts these are, which is the consent that there is. */
static bool check_prompt(struct slice list, struct oidc_request *r)
{
    unsigned count = 0;
    while (list.len) {
        struct slice one = slice_cut(&list, ' ');
        count++;
        if (slice_eq(one, SLICE("none")))
            r->prompt_none = true;
        else if (slice_eq(one, SLICE("login")) || slice_eq(one, SLICE("select_account")))
            r->prompt_login = true;
        else if (!slice_eq(one, SLICE("consent")))
            return false;
    }
    return !r->prompt_none || count == 1;
}

static bool check_pkce(struct slice challenge, struct slice method)
{
    if (challenge.len != CRYPTO_TEXT_BYTES - 1 || !slice_eq(method, SLICE("S256")))
        return false;
    struct crypto_hash hash;
    return crypto_parse(challenge, &hash) == KEER_OK;
}

static bool has_control(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7F)
            return true;
    return false;
}

enum oidc_error oidc_request_check(const struct oidc_params *p, const struct oidc_client *c, bool pushed,
                                   struct oidc_request *r, const char **ret_why)
{
    const struct slice *v = p->v;
    int64_t age_s = 0;
    r->redirect_uri = v[OIDC_PARAM_redirect_uri];
    r->state = v[OIDC_PARAM_state];
    r->nonce = v[OIDC_PARAM_nonce];
    r->code_challenge = v[OIDC_PARAM_code_challenge];
    r->login_hint = v[OIDC_PARAM_login_hint];
    r->id_token_hint = v[OIDC_PARAM_id_token_hint];
    r->details = v[OIDC_PARAM_authorization_details];
#define REFUSE_UNLESS(condition, error, sentence) \
    do {                                          \
        if (!(condition)) {                       \
            *ret_why = sentence;                  \
            return error;                         \
        }                                         \
    } while (0)
    REFUSE_UNLESS(r->state.len <= OIDC_TEXT_BYTES && r->nonce.len <= OIDC_TEXT_BYTES && !has_control(r->state) &&
                      !has_control(r->nonce),
                  OIDC_INVALID_REQUEST, "state and nonce are at most 512 bytes without control characters");
    REFUSE_UNLESS(!v[OIDC_PARAM_request].len, OIDC_REQUEST_NOT_SUPPORTED, "request objects are not taken: push the request");
    REFUSE_UNLESS(!v[OIDC_PARAM_request_uri].len, OIDC_REQUEST_URI_NOT_SUPPORTED,
                  "only request URIs of this server are taken");
    REFUSE_UNLESS(v[OIDC_PARAM_response_type].len, OIDC_INVALID_REQUEST, "response_type is missing");
    REFUSE_UNLESS(slice_eq(v[OIDC_PARAM_response_type], SLICE("code")), OIDC_UNSUPPORTED_RESPONSE_TYPE,
                  "the response type is code");
    REFUSE_UNLESS(!v[OIDC_PARAM_response_mode].len || slice_eq(v[OIDC_PARAM_response_mode], SLICE("query")),
                  OIDC_INVALID_REQUEST, "the response mode is query");
    REFUSE_UNLESS(c->grants & OIDC_GRANT_CODE, OIDC_UNAUTHORIZED_CLIENT,
                  "the client is not registered for authorization_code");
    r->scopes = oidc_scopes_granted(v[OIDC_PARAM_scope], c);
    REFUSE_UNLESS(r->scopes & OIDC_SCOPE(OPENID), OIDC_INVALID_SCOPE, "the scope must contain openid");
    REFUSE_UNLESS(check_pkce(r->code_challenge, v[OIDC_PARAM_code_challenge_method]), OIDC_INVALID_REQUEST,
                  "code_challenge with code_challenge_method S256 is wanted (RFC 7636)");
    REFUSE_UNLESS(check_prompt(v[OIDC_PARAM_prompt], r), OIDC_INVALID_REQUEST,
                  "prompt is none alone, or login, consent, select_account");
    r->has_max_age = v[OIDC_PARAM_max_age].len != 0;
    REFUSE_UNLESS(!r->has_max_age || num_i64(v[OIDC_PARAM_max_age], 0, INT64_C(10000000000), &age_s) == KEER_OK,
                  OIDC_INVALID_REQUEST, "max_age is a number of seconds");
    r->max_age_us = age_s * US_SECOND;
    r->acr = oidc_acr_values(v[OIDC_PARAM_acr_values]);
    r->claims = oidc_claims_of_scopes(r->scopes);
    enum oidc_error error = check_claims(v[OIDC_PARAM_claims], r);
    REFUSE_UNLESS(error == OIDC_OK, error, oidc_error_text(error));
    r->has_payment = r->details.len != 0;
    REFUSE_UNLESS(!r->has_payment || pushed, OIDC_INVALID_AUTHORIZATION_DETAILS,
                  "authorization_details must be pushed (RFC 9126)");
    if (r->has_payment)
        error = oidc_payment_read(&r->tape_details, r->details, &r->payment);
    REFUSE_UNLESS(error == OIDC_OK, error, oidc_error_text(error));
#undef REFUSE_UNLESS
    return OIDC_OK;
}

void oidc_request_release(struct oidc_request *r)
{
    tape_release(&r->tape_claims);
    tape_release(&r->tape_details);
}
