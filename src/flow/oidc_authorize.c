/* oidc_authorize.c - authorization requests from a browser: who is signed in, what has to be done first, the code. */
#include "account/identifier.h"
#include "flow/oidc_inside.h"
#include "stepup/challenge.h"

/* One request on its way through a transaction. */
struct authorizing {
    struct oidc *o;
    struct oidc_answer *answer;
    struct slice session; /* the cookie's */
    struct slice resumed; /* id of a kept request; p NULL: a new one */
    bool cancel;
    int64_t now_us;
    struct oidc_params params;
    struct oidc_client client;
    struct oidc_request request;
    struct oidc_kept kept; /* kept.id none: not kept yet */
    struct tape tape;      /* of kept.params */
    struct id hinted;      /* the account of an id_token_hint */
    struct session now;    /* now.id none: nobody is signed in */
    struct oidc_secret code;
    struct oidc_grant grant;
};

/* --- answers --- */
static enum keer_err to_client(struct authorizing *a, const char *name, struct slice value, const char *why)
{
    struct buf *b = &a->answer->url;
    a->answer->next = OIDC_TO_CLIENT;
    buf_clear(b);
    buf_slice(b, a->params.v[OIDC_PARAM_redirect_uri]);
    if (b->err != KEER_OK)
        return b->err;
    oidc_url_parameter(b, name, value);
    if (why)
        oidc_url_parameter(b, "error_description", slice_str(why));
    struct slice state = a->params.v[OIDC_PARAM_state];
    if (state.len && state.len <= OIDC_TEXT_BYTES)
        oidc_url_parameter(b, "state", state);
    oidc_url_parameter(b, "iss", slice_str(a->o->issuer)); /* RFC 9207 */
    return b->err;
}

/* An error at the redirect URI; a kept request has been answered by it. */
static enum keer_err refuse(struct authorizing *a, struct db *db, enum oidc_error error, const char *why)
{
    enum keer_err err = id_is(&a->kept.id) ? oidc_request_use(db, &a->kept.id, a->now_us) : KEER_OK;
    return err == KEER_OK || err == KEER_EMISSING
               ? to_client(a, "error", slice_str(oidc_error_name(error)), why ? why : oidc_error_text(error))
               : err;
}

static enum keer_err show(struct authorizing *a, enum oidc_error error, const char *why)
{
    a->answer->next = OIDC_SHOW;
    a->answer->refusal = (struct oidc_refusal){error, why};
    return KEER_OK;
}

/* --- waiting for a person --- */
static enum keer_err keep(struct authorizing *a, struct db *db)
{
    struct buf json;
    if (id_is(&a->kept.id))
        return KEER_OK;
    buf_init(&json, OIDC_PARAMS_BYTES);
    oidc_params_print(&a->params, &json);
    enum keer_err err = json.err;
    if (err == KEER_OK)
        err = oidc_request_keep(db, &a->client.id, buf_view(&json), a->now_us, &a->kept.id);
    buf_release(&json);
    return err;
}

#define RESUME_BYTES 64
static void resume_path(const struct authorizing *a, char ret_path[RESUME_BYTES])
{
    (void)snprintf(ret_path, RESUME_BYTES, "/oidc/authorize/resume?request=%s", a->kept.id.text);
}

static enum keer_err ask_to_sign_in(struct authorizing *a, struct db *db)
{
    char path[RESUME_BYTES];
    struct buf *b = &a->answer->url;
    if (a->request.prompt_none)
        return refuse(a, db, OIDC_LOGIN_REQUIRED, NULL);
    enum keer_err err = keep(a, db);
    if (err != KEER_OK)
        return err;
    resume_path(a, path);
    a->answer->next = OIDC_TO_PAGE;
    buf_puts(b, "/sign-in?continue=");
    oidc_url_encode(b, slice_str(path));
    if (a->request.login_hint.len && a->request.login_hint.len <= IDENTIFIER_BYTES)
        oidc_url_parameter(b, "login_hint", a->request.login_hint);
    return b->err;
}

/* What the person has to confirm: a payment, or that it is them. */
static struct challenge_data to_confirm(const struct authorizing *a)
{
    const struct oidc_payment *p = &a->request.payment;
    if (!a->request.has_payment)
        return (struct challenge_data){.kind = CHALLENGE_SIGN_IN, .currency = CUR_MAX, .store = slice_str(a->client.name)};
    return (struct challenge_data){.kind = CHALLENGE_PAYMENT,
                                   .amount_minor = p->amount_minor,
                                   .currency = p->currency,
                                   .payee = p->payee,
                                   .agreement = p->agreement,
                                   .store = slice_str(a->client.name),
                                   .reference = p->reference};
}

static enum keer_err ask_for_step(struct authorizing *a, struct db *db)
{
    struct challenge_data d = to_confirm(a);
    struct challenge c = {.kind = d.kind, .account = a->now.account, .holder = a->now.id, .device = a->now.device};
    bool is_new = false;
    if (a->request.prompt_none)
        return refuse(a, db, OIDC_INTERACTION_REQUIRED, NULL);
    enum keer_err err = keep(a, db);
    if (err != KEER_OK)
        return err;
    /* One challenge for each request: reference and client together are its key of idempotency. */
    memcpy(c.client, a->client.id.text, sizeof a->client.id.text);
    memcpy(c.reference, a->kept.id.text, sizeof a->kept.id.text);
    resume_path(a, c.return_url);
    err = challenge_open(db, &d, a->now_us, &c, &is_new);
    if (err == KEER_ELIMIT || err == KEER_ERANGE || err == KEER_EMISSING || err == KEER_EINVALID)
        return refuse(a, db, OIDC_INVALID_AUTHORIZATION_DETAILS, "the payment can not be shown");
    if (err == KEER_OK)
        err = oidc_request_challenge(db, &a->kept.id, &c.id);
    if (err != KEER_OK)
        return err;
    a->answer->next = OIDC_TO_PAGE;
    buf_fmt(&a->answer->url, "/challenge/%s", c.id.text);
    return a->answer->url.err;
}

/* The challenge that was asked for: used now (*ret_done), still open, or over. */
enum step { STEP_NONE, STEP_OPEN, STEP_DONE, STEP_OVER };
static enum keer_err look_at_step(struct authorizing *a, struct db *db, struct challenge *c, enum step *ret_step)
{
    struct challenge_data d = to_confirm(a);
    struct crypto_hash hash;
    struct buf canon;
    *ret_step = STEP_NONE;
    if (!id_is(&a->kept.challenge))
        return KEER_OK;
    buf_init(&canon, CHALLENGE_SHOWN_BYTES);
    enum keer_err err = challenge_canon(&d, &canon, &hash);
    buf_release(&canon);
    if (err != KEER_OK)
        return err;
    struct challenge_want want = {
        .id = a->kept.challenge, .account = a->now.account, .holder = a->now.id, .kind = d.kind, .shown_hash = &hash};
    err = challenge_use(db, &want, a->now_us, c);
    if (err == KEER_OK)
        *ret_step = STEP_DONE;
    if (err != KEER_EMISSING)
        return err;
    err = challenge_get(db, &want.id, a->now_us, c);
    *ret_step = err == KEER_OK && c->state == CHALLENGE_OPEN && id_eq(&c->holder, &want.holder) ? STEP_OPEN : STEP_OVER;
    return err == KEER_EMISSING ? KEER_OK : err;
}

/* --- the code --- */
static enum keer_err give_code(struct authorizing *a, struct db *db, const struct challenge *step)
{
    struct oidc_grant *g = &a->grant;
    const struct oidc_request *r = &a->request;
    enum session_acr acr = session_acr_at(&a->now, a->now_us);
    *g = (struct oidc_grant){.client = a->client.id,
                             .account = a->now.account,
                             .session = a->now.id,
                             .scopes = r->scopes,
                             .claims = r->claims,
                             .id_claims = r->id_claims,
                             .auth_us = a->now.auth_us};
    memcpy(g->amr, a->now.amr, sizeof a->now.amr);
    if (step) {
        oidc_amr_words(step->done_amr, g->amr);
        g->auth_us = step->done_us;
        acr = SESSION_ACR_2;
    }
    bool paid = step && r->has_payment;
    (void)snprintf(g->acr, sizeof g->acr, "%s", paid ? ACR_PAY : session_acr_name(acr));
    if (r->nonce.len)
        memcpy(g->nonce, r->nonce.p, r->nonce.len);
    if (paid)
        memcpy(g->details, r->details.p, r->details.len);
    enum keer_err err = oidc_grant_add(db, g, a->now_us);
    struct oidc_code code = {r->redirect_uri, r->code_challenge};
    if (err == KEER_OK)
        err = oidc_code_add(db, g, &code, a->now_us, &a->code);
    if (err == KEER_OK && id_is(&a->kept.id))
        err = oidc_request_use(db, &a->kept.id, a->now_us);
    if (err == KEER_OK &&
        a->now_us - a->now.used_us > SESSION_TOUCH_US) /* a browser was here; a refresh token is no person */
        err = session_touch(db, &a->now.id, a->now_us);
    return err == KEER_OK ? to_client(a, "code", slice_str(a->code.text), NULL) : err;
}

/* --- in order --- */
static bool needs_sign_in(const struct authorizing *a)
{
    const struct oidc_request *r = &a->request;
    int64_t asked_us = id_is(&a->kept.id) ? a->kept.opened_us : a->now_us;
    if (!id_is(&a->now.id) || a->now.rights == SESSION_PENDING)
        return true;
    if (id_is(&a->hinted) && !id_eq(&a->hinted, &a->now.account))
        return true;
    if (a->now.auth_us >= asked_us) /* just now */
        return false;
    return r->prompt_login || (r->has_max_age && a->now_us - a->now.auth_us > r->max_age_us);
}

static enum keer_err decide(struct authorizing *a, struct db *db)
{
    struct challenge c;
    enum step step = STEP_NONE;
    unsigned methods = 0;
    if (a->cancel)
        return refuse(a, db, OIDC_ACCESS_DENIED, "the person gave up");
    if (needs_sign_in(a)) {
        bool came_back = id_is(&a->hinted) && id_is(&a->now.id) && a->now.auth_us >= a->kept.opened_us && id_is(&a->kept.id);
        return came_back ? refuse(a, db, OIDC_LOGIN_REQUIRED, "somebody else signed in") : ask_to_sign_in(a, db);
    }
    if (a->now.rights != SESSION_FULL)
        return refuse(a, db, OIDC_ACCESS_DENIED, "the account needs a second step first");
    bool wants_step = a->request.has_payment || session_acr_at(&a->now, a->now_us) < (enum session_acr)a->request.acr;
    if (!wants_step)
        return give_code(a, db, /* step */ NULL);
    enum keer_err err = look_at_step(a, db, &c, &step);
    if (err != KEER_OK)
        return err;
    if (step == STEP_DONE)
        return give_code(a, db, &c);
    if (step == STEP_OVER)
        return refuse(a, db, OIDC_ACCESS_DENIED, "it was not confirmed");
    if (step == STEP_NONE) {
        err = authenticators_methods(db, &a->now.account, &methods);
        if (err != KEER_OK)
            return err;
        if (!methods && (a->request.has_payment || a->request.acr_essential))
            return refuse(a, db, OIDC_UNMET_AUTHENTICATION_REQUIREMENTS, "the account has no second step");
        if (!methods) /* acr_values is a wish: OpenID Connect Core 3.1.2.1 */
            return give_code(a, db, /* step */ NULL);
    }
    return ask_for_step(a, db);
}

static enum keer_err find_session(struct authorizing *a, struct db *db)
{
    struct crypto_hash hash;
    if (!a->session.p || token_hash(a->session, &hash) != KEER_OK)
        return KEER_OK;
    enum keer_err err = session_find(db, &hash, a->now_us, &a->now);
    if (err != KEER_OK)
        a->now.id = (struct id){0};
    return err == KEER_EMISSING ? KEER_OK : err;
}

/* Parameters of a kept request; the texts are those of a->kept. */
static enum keer_err read_kept(struct authorizing *a)
{
    enum keer_err err = oidc_params_read(&a->tape, buf_view(&a->kept.params), &a->params);
    return err;
}

#define REQUEST_URI "urn:ietf:params:oauth:request_uri:"
/* A pushed request stands in for the parameters (RFC 9126 4). *ret_known is false when it is none. */
static enum keer_err open_pushed(struct authorizing *a, struct db *db, bool *ret_known)
{
    struct slice uri = a->params.v[OIDC_PARAM_request_uri], prefix = SLICE(REQUEST_URI);
    *ret_known = true;
    if (uri.len <= prefix.len || memcmp(uri.p, prefix.p, prefix.len) != 0)
        return KEER_OK;
    enum keer_err err = oidc_request_open(db, slice_of(uri.p + prefix.len, uri.len - prefix.len), id_slice(&a->client.id),
                                          a->now_us, &a->kept);
    *ret_known = err == KEER_OK;
    return err == KEER_OK ? read_kept(a) : err == KEER_EMISSING ? KEER_OK : err;
}

/* The account that a hint names; false when it is no token of ours for this client. */
static bool read_hint(struct authorizing *a, struct slice hint)
{
    struct jwt jwt = {0};
    bool good = oidc_hint(a->o, hint, &jwt) == JWT_GOOD && jwt_has_audience(&jwt, a->params.v[OIDC_PARAM_client_id]) &&
                id_parse(jwt.subject, &a->hinted) == KEER_OK;
    jwt_release(&jwt);
    return good;
}

static enum keer_err run(struct db *db, void *ctx)
{
    struct authorizing *a = ctx;
    const char *why = NULL;
    bool known = true;
    enum keer_err err = KEER_OK;
    if (a->resumed.p) {
        err = oidc_request_get(db, a->resumed, a->now_us, &a->kept);
        if (err == KEER_EMISSING)
            return show(a, OIDC_INVALID_REQUEST_URI, NULL);
        if (err == KEER_OK)
            err = read_kept(a);
    }
    if (err == KEER_OK)
        err = oidc_client_get(db, a->params.v[OIDC_PARAM_client_id], &a->client);
    if (err == KEER_EMISSING)
        return show(a, OIDC_INVALID_CLIENT, "no client of this client_id is registered");
    if (err == KEER_OK && !a->resumed.p)
        err = open_pushed(a, db, &known);
    if (err != KEER_OK)
        return err;
    if (!known)
        return show(a, OIDC_INVALID_REQUEST_URI, NULL);
    if (!oidc_request_redirect(&a->params, &a->client))
        return show(a, OIDC_INVALID_REQUEST, "redirect_uri is none that was registered for this client");
    enum oidc_error error = oidc_request_check(&a->params, &a->client, a->kept.pushed, &a->request, &why);
    if (error != OIDC_OK)
        return refuse(a, db, error, why);
    if (a->request.id_token_hint.len && !read_hint(a, a->request.id_token_hint))
        a->hinted = (struct id){.text = "?"}; /* one that is no token of ours names nobody */
    err = find_session(a, db);
    return err == KEER_OK ? decide(a, db) : err;
}

static enum keer_err go(struct authorizing *a, struct desk_worker *w)
{
    a->now_us = desk_wall_us(w);
    buf_init(&a->answer->url, OIDC_PARAMS_BYTES);
    enum keer_err err = desk_write(w, run, a);
    oidc_request_release(&a->request);
    buf_release(&a->kept.params);
    tape_release(&a->tape);
    crypto_wipe(&a->code, sizeof a->code);
    return err;
}

enum keer_err oidc_authorize(struct oidc *o, struct desk_worker *w, struct slice session, const struct oidc_params *params,
                             struct oidc_answer *ret_answer)
{
    struct authorizing *a = calloc(1, sizeof *a);
    if (!a)
        return KEER_ENOMEM;
    a->o = o;
    a->answer = ret_answer;
    a->session = session;
    a->params = *params;
    enum keer_err err = go(a, w);
    free(a);
    return err;
}

enum keer_err oidc_resume(struct oidc *o, struct desk_worker *w, struct slice session, struct slice request, bool cancel,
                          struct oidc_answer *ret_answer)
{
    struct authorizing *a = calloc(1, sizeof *a);
    if (!a)
        return KEER_ENOMEM;
    a->o = o;
    a->answer = ret_answer;
    a->session = session;
    a->resumed = request;
    a->cancel = cancel;
    enum keer_err err = go(a, w);
    free(a);
    return err;
}

void oidc_answer_release(struct oidc_answer *a) { buf_release(&a->url); }

/* --- pushed --- */
struct pushing {
    const struct oidc_client *client;
    struct slice params;
    int64_t now_us;
    struct id id;
};
static enum keer_err push(struct db *db, void *ctx)
{
    struct pushing *p = ctx;
    return oidc_request_push(db, &p->client->id, p->params, p->now_us, &p->id);
}

enum keer_err oidc_push(struct oidc *o, struct desk_worker *w, const struct oidc_client *c, const struct oidc_params *params,
                        struct buf *out, struct oidc_refusal *ret_refusal)
{
    struct oidc_request r = {0};
    struct oidc_params mine = *params;
    struct buf json;
    UNUSED(o);
    *ret_refusal = (struct oidc_refusal){OIDC_OK, NULL};
    mine.v[OIDC_PARAM_client_id] = id_slice(&c->id);
    if (!oidc_request_redirect(&mine, c))
        *ret_refusal =
            (struct oidc_refusal){OIDC_INVALID_REQUEST, "redirect_uri is none that was registered for this client"};
    else
        ret_refusal->error = oidc_request_check(&mine, c, /* pushed */ true, &r, &ret_refusal->why);
    oidc_request_release(&r);
    if (ret_refusal->error != OIDC_OK)
        return KEER_OK;
    buf_init(&json, OIDC_PARAMS_BYTES);
    oidc_params_print(&mine, &json);
    enum keer_err err = json.err;
    struct pushing p = {.client = c, .params = buf_view(&json), .now_us = desk_wall_us(w)};
    if (err == KEER_OK)
        err = desk_write(w, push, &p);
    if (err == KEER_OK)
        buf_fmt(out, "{\"request_uri\":\"" REQUEST_URI "%s\",\"expires_in\":%d}\n", p.id.text,
                (int)(OIDC_REQUEST_US / US_SECOND));
    buf_release(&json);
    return err == KEER_OK ? out->err : err;
}
