/* oidc_ciba.c - a client asks a person on their trusted device (CIBA Core 1.0, poll).
 *
 * The person types there the number that the client shows (stepup/prompt.h): the answer has it in `prompt_number`, a member
 * of ours. `binding_message` is shown beside. A payment is asked for with authorization_details, as in a pushed request.
 */
#include "account/identifier.h"
#include "base/num.h"
#include "flow/oidc_inside.h"
#include "oidc/ciba.h"
#include "stepup/prompt.h"
#include "store/attempts.h"

struct asking {
    struct oidc *o;
    const struct oidc_client *client;
    const struct oidc_backchannel *b;
    struct id account; /* of the hint */
    struct oidc_payment payment;
    struct oidc_secret request;
    struct crypto_hash hash;
    struct oidc_ciba ciba;
    char number[PROMPT_DIGITS + 1];
    int64_t now_us;
    enum oidc_error error;
};

static bool shown_well(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7F)
            return false;
    return s.len <= CIBA_MESSAGE_BYTES;
}

/* Who is meant, when the hint is a name; KEER_EMISSING. */
static enum keer_err find_account(struct db *db, struct asking *k)
{
    struct identifier name;
    struct identifier_why why;
    struct account a;
    enum keer_err err = KEER_OK;
    if (k->b->login_hint.len)
        err = identifier_guess(k->b->login_hint, &name, &why) == KEER_OK ? identifier_find(db, &name, &k->account)
                                                                         : KEER_EMISSING;
    if (err == KEER_OK)
        err = account_read(db, &k->account, &a);
    return err == KEER_OK && a.state != ACCOUNT_ACTIVE ? KEER_EMISSING : err;
}

/* A challenge that a trusted device alone may answer, with its prompt. */
static enum keer_err open_prompt(struct db *db, struct asking *k)
{
    const struct oidc_payment *p = &k->payment;
    struct challenge_data d = {.kind = k->ciba.details[0] ? CHALLENGE_PAYMENT : CHALLENGE_SIGN_IN,
                               .currency = CUR_MAX,
                               .store = slice_str(k->client->name),
                               .detail = k->b->binding_message};
    if (k->ciba.details[0]) {
        d.amount_minor = p->amount_minor;
        d.currency = p->currency;
        d.payee = p->payee;
        d.agreement = p->agreement;
        d.reference = p->reference;
    }
    struct challenge c = {.account = k->account, .kind = d.kind, .methods = AUTHENTICATOR_BIT(AUTHENTICATOR_DEVICE)};
    struct prompt prompt;
    bool is_new = false;
    id_of_hash(&k->hash, &c.holder); /* the client's screen holds it, by the secret that it polls with */
    memcpy(c.client, k->client->id.text, sizeof k->client->id.text);
    memcpy(c.reference, c.holder.text, sizeof c.holder.text);
    enum keer_err err = challenge_open(db, &d, k->now_us, &c, &is_new);
    if (err == KEER_OK)
        err = prompt_make(db, &k->o->prompts, &c, k->now_us, &prompt, k->number);
    k->ciba.challenge = c.id;
    return err;
}

static enum keer_err ask(struct db *db, void *ctx)
{
    struct asking *k = ctx;
    struct attempt_begun begun;
    unsigned methods = 0;
    enum keer_err err = find_account(db, k);
    if (err == KEER_OK)
        err = authenticators_methods(db, &k->account, &methods);
    if (err == KEER_EMISSING || (err == KEER_OK && !(methods & AUTHENTICATOR_BIT(AUTHENTICATOR_DEVICE)))) {
        k->error = OIDC_UNKNOWN_USER_ID;
        return KEER_OK;
    }
    struct attempt_subject subject = {.account = id_slice(&k->account)};
    if (err == KEER_OK)
        err = attempt_begin(db, ATTEMPT_USE_PROMPT, &subject, k->now_us, &begun);
    if (err != KEER_OK)
        return err;
    if (begun.verdict != ATTEMPT_MAY) { /* people are not asked without end: what was counted stays */
        k->error = OIDC_ACCESS_DENIED;
        return KEER_OK;
    }
    err = open_prompt(db, k);
    if (err == KEER_EFULL)
        k->error = OIDC_ACCESS_DENIED;
    if (err == KEER_ELIMIT || err == KEER_ERANGE || err == KEER_EINVALID)
        k->error = OIDC_INVALID_AUTHORIZATION_DETAILS;
    if (err != KEER_OK)
        return err;
    k->ciba.account = k->account;
    return oidc_ciba_add(db, &k->hash, &k->ciba, k->now_us);
}

/* Exactly one hint (section 7.1); an ID token of ours is one. */
static bool read_hints(struct asking *k)
{
    const struct oidc_backchannel *b = k->b;
    if ((b->login_hint.len != 0) + (b->id_token_hint.len != 0) + (b->login_hint_token.len != 0) != 1 ||
        b->login_hint_token.len) {
        k->error = OIDC_INVALID_REQUEST;
        return false;
    }
    if (!b->id_token_hint.len)
        return true;
    struct jwt jwt = {0};
    bool good = oidc_hint(k->o, b->id_token_hint, &jwt) == JWT_GOOD && jwt_has_audience(&jwt, id_slice(&k->client->id)) &&
                id_parse(jwt.subject, &k->account) == KEER_OK;
    jwt_release(&jwt);
    if (!good)
        k->error = OIDC_UNKNOWN_USER_ID;
    return good;
}

static bool read_request(struct asking *k, struct tape *tape)
{
    const struct oidc_backchannel *b = k->b;
    int64_t seconds = CIBA_LIFE_US / US_SECOND;
    k->ciba.client = k->client->id;
    k->ciba.scopes = oidc_scopes_granted(b->scope, k->client);
    if (!(k->client->grants & OIDC_GRANT_CIBA))
        k->error = OIDC_UNAUTHORIZED_CLIENT;
    else if (!(k->ciba.scopes & OIDC_SCOPE(OPENID)))
        k->error = OIDC_INVALID_SCOPE;
    else if (!shown_well(b->binding_message))
        k->error = OIDC_INVALID_BINDING_MESSAGE;
    else if (b->requested_expiry.len && num_i64(b->requested_expiry, 1, INT64_C(1000000000), &seconds) != KEER_OK)
        k->error = OIDC_INVALID_REQUEST;
    else if (b->authorization_details.len)
        k->error = oidc_payment_read(tape, b->authorization_details, &k->payment);
    if (k->error != OIDC_OK)
        return false;
    if (b->authorization_details.len)
        memcpy(k->ciba.details, b->authorization_details.p, b->authorization_details.len);
    k->ciba.until_us = k->now_us + MIN_OF(seconds * US_SECOND, CIBA_LIFE_US);
    return read_hints(k);
}

enum keer_err oidc_ciba(struct oidc *o, struct desk_worker *w, const struct oidc_client *c, const struct oidc_backchannel *b,
                        struct buf *out, struct oidc_refusal *ret_refusal)
{
    struct tape tape = {0};
    struct asking *k = calloc(1, sizeof *k);
    enum keer_err err = KEER_OK;
    if (!k)
        return KEER_ENOMEM;
    k->o = o;
    k->client = c;
    k->b = b;
    k->now_us = desk_wall_us(w);
    oidc_secret_make(&k->request, &k->hash);
    if (read_request(k, &tape))
        err = desk_write(w, ask, k);
    *ret_refusal = (struct oidc_refusal){k->error, NULL};
    if (k->error != OIDC_OK && err != KEER_EIO)
        err = KEER_OK;
    if (err == KEER_OK && k->error == OIDC_OK)
        buf_fmt(out, "{\"auth_req_id\":\"%s\",\"expires_in\":%lld,\"interval\":%d,\"prompt_number\":\"%s\"}\n",
                k->request.text, (long long)((k->ciba.until_us - k->now_us) / US_SECOND),
                (int)(CIBA_INTERVAL_US / US_SECOND), k->number);
    tape_release(&tape);
    crypto_wipe(k, sizeof *k);
    free(k);
    return err == KEER_OK ? out->err : err;
}

/* --- polled ---------------------------------------------------------------------------------------------------------------
 */
enum keer_err oidc_ciba_take(struct db *db, const struct oidc_client *c, struct slice request, int64_t now_us,
                             struct oidc_grant *ret_grant, enum oidc_error *ret_error)
{
    struct oidc_ciba ciba;
    struct challenge ch;
    enum keer_err err = oidc_ciba_poll(db, request, &c->id, now_us, &ciba, ret_error);
    if (err != KEER_OK || *ret_error != OIDC_OK)
        return err;
    err = challenge_get(db, &ciba.challenge, now_us, &ch);
    if (err != KEER_OK)
        return err;
    if (ch.state != CHALLENGE_DONE) {
        *ret_error = ch.state == CHALLENGE_OPEN      ? OIDC_AUTHORIZATION_PENDING
                     : ch.state == CHALLENGE_REFUSED ? OIDC_ACCESS_DENIED
                                                     : OIDC_EXPIRED_TOKEN;
        return KEER_OK;
    }
    struct challenge_want want = {
        .id = ch.id, .account = ciba.account, .holder = ch.holder, .kind = ch.kind, .shown_hash = &ch.shown_hash};
    err = challenge_use(db, &want, now_us, &ch);
    if (err == KEER_OK)
        err = oidc_ciba_use(db, request, now_us);
    if (err == KEER_EMISSING) {
        *ret_error = OIDC_INVALID_GRANT;
        return KEER_OK;
    }
    if (err != KEER_OK)
        return err;
    *ret_grant = (struct oidc_grant){.client = c->id,
                                     .account = ciba.account,
                                     .scopes = ciba.scopes,
                                     .claims = oidc_claims_of_scopes(ciba.scopes),
                                     .auth_us = ch.done_us};
    oidc_amr_words(ch.done_amr, ret_grant->amr);
    bool paid = ch.kind == CHALLENGE_PAYMENT, two = (ch.done_amr & CHALLENGE_AMR_MFA) != 0;
    (void)snprintf(ret_grant->acr, sizeof ret_grant->acr, "%s", paid ? ACR_PAY : two ? ACR_2 : ACR_1);
    if (paid)
        memcpy(ret_grant->details, ciba.details, sizeof ciba.details);
    return oidc_grant_add(db, ret_grant, now_us);
}
