/* oidc_signout.c - RP-initiated logout 1.0, and telling clients of sessions that ended (back-channel logout 1.0). */
#include "flow/oidc_inside.h"
#include "oidc/logout.h"

/* --- a person signs out -------------------------------------------------------------------------------------------------
 */
struct signing_out {
    const struct oidc_signing_out *s;
    struct slice client_id; /* of the parameter, or of the hint */
    struct id hint_session, hint_account;
    int64_t now_us;
    bool may_redirect, found, ended;
};

static enum keer_err sign_out(struct db *db, void *ctx)
{
    struct signing_out *x = ctx;
    struct crypto_hash hash;
    struct session now;
    struct oidc_client *c = calloc(1, sizeof *c);
    enum keer_err err = c ? KEER_EMISSING : KEER_ENOMEM;
    if (c && x->client_id.len)
        err = oidc_client_get(db, x->client_id, c);
    if (err == KEER_OK)
        x->may_redirect = oidc_uri_in(c->logout_uris, x->s->redirect_uri);
    free(c);
    if (err != KEER_OK && err != KEER_EMISSING)
        return err;
    if (!x->s->session.p || token_hash(x->s->session, &hash) != KEER_OK)
        return KEER_OK;
    err = session_find(db, &hash, x->now_us, &now);
    if (err != KEER_OK)
        return err == KEER_EMISSING ? KEER_OK : err;
    x->found = true;
    /* Somebody else's token, or none: the person is asked first (section 2, section 6). */
    bool meant = (id_is(&x->hint_session) && id_eq(&x->hint_session, &now.id)) ||
                 (id_is(&x->hint_account) && id_eq(&x->hint_account, &now.account));
    if (!meant && !x->s->confirmed)
        return KEER_OK;
    err = session_end(db, &now.account, &now.id, x->now_us);
    if (err == KEER_OK)
        err = oidc_logout_queue(db, &now.id, x->now_us);
    x->ended = err == KEER_OK;
    return err;
}

/* What the hint says; false when it is no token of ours, or not of the client that is named. */
static bool read_hint(struct oidc *o, struct jwt *jwt, struct signing_out *x)
{
    if (oidc_hint(o, x->s->id_token_hint, jwt) != JWT_GOOD)
        return false;
    struct slice audience = jwt_text(jwt, "aud");
    if (!audience.len || (x->s->client_id.len && !slice_eq(x->s->client_id, audience)))
        return false;
    x->client_id = audience;
    if (id_parse(jwt_text(jwt, "sid"), &x->hint_session) != KEER_OK)
        x->hint_session = (struct id){0};
    return id_parse(jwt->subject, &x->hint_account) == KEER_OK;
}

enum keer_err oidc_sign_out(struct oidc *o, struct desk_worker *w, const struct oidc_signing_out *s,
                            struct oidc_answer *ret_answer, bool *ret_ended)
{
    struct jwt jwt = {0};
    struct signing_out x = {.s = s, .client_id = s->client_id, .now_us = desk_wall_us(w)};
    *ret_ended = false;
    buf_init(&ret_answer->url, OIDC_PARAMS_BYTES);
    ret_answer->next = OIDC_TO_PAGE;
    if (s->id_token_hint.len && !read_hint(o, &jwt, &x)) {
        ret_answer->next = OIDC_SHOW;
        ret_answer->refusal = (struct oidc_refusal){OIDC_INVALID_REQUEST, "id_token_hint is no token of this client"};
        jwt_release(&jwt);
        return KEER_OK;
    }
    enum keer_err err = desk_write(w, sign_out, &x);
    *ret_ended = err == KEER_OK && x.ended;
    if (err == KEER_OK && s->redirect_uri.len && !x.may_redirect) {
        ret_answer->next = OIDC_SHOW;
        ret_answer->refusal = (struct oidc_refusal){OIDC_INVALID_REQUEST,
                                                    "post_logout_redirect_uri is none that was registered for this client"};
    } else if (err == KEER_OK && s->redirect_uri.len && (x.ended || !x.found)) {
        ret_answer->next = OIDC_TO_CLIENT;
        buf_slice(&ret_answer->url, s->redirect_uri);
        if (s->state.len && s->state.len <= OIDC_TEXT_BYTES)
            oidc_url_parameter(&ret_answer->url, "state", s->state);
        err = ret_answer->url.err;
    }
    jwt_release(&jwt);
    return err;
}

/* --- clients are told ---------------------------------------------------------------------------------------------------
 */
#define ENDED_MAX 256u              /* more than one transaction ends, so that a full page has two times in it */
#define OVERLAP_US (60 * US_SECOND) /* what ends is stamped a little before its commit */
struct telling {
    struct oidc *o;
    int64_t now_us;
    struct session_end ended[ENDED_MAX];
    unsigned ended_count, count;
    struct oidc_logout due[LOGOUT_BATCH];
    struct net_request request[LOGOUT_BATCH];
    struct buf body[LOGOUT_BATCH];
    bool sent[LOGOUT_BATCH];
};

static enum keer_err look(struct db *db, void *ctx)
{
    struct telling *t = ctx;
    enum keer_err err = session_ended(db, t->o->told_us, t->ended, ENDED_MAX, &t->ended_count);
    return err == KEER_OK ? oidc_logout_due(db, t->now_us, t->due, &t->count) : err;
}

static enum keer_err queue(struct db *db, void *ctx)
{
    const struct telling *t = ctx;
    enum keer_err err = KEER_OK;
    for (unsigned i = 0; err == KEER_OK && i < t->ended_count; i++)
        err = oidc_logout_queue(db, &t->ended[i].id, t->now_us);
    return err;
}

static enum keer_err settle(struct db *db, void *ctx)
{
    const struct telling *t = ctx;
    enum keer_err err = KEER_OK;
    for (unsigned i = 0; err == KEER_OK && i < t->count; i++) {
        const struct net_request *r = &t->request[i];
        bool told = t->sent[i] && r->result == NET_ANSWERED && r->status >= 200 && r->status < 300;
        err = oidc_logout_done(db, &t->due[i], told, r->why[0] ? r->why : "its answer was no success", t->now_us);
    }
    return err;
}

/* The form with the logout token (section 2.4): no nonce, a life of two minutes, and its own type. */
static enum keer_err print_body(struct oidc *o, struct desk_worker *w, const struct oidc_logout *l, struct buf *out)
{
    struct buf claims;
    struct id jti;
    int64_t now_s = desk_wall_us(w) / US_SECOND;
    id_make(&jti);
    buf_init(&claims, 4096);
    buf_fmt(&claims,
            "{\"iss\":\"%s\",\"aud\":\"%s\",\"iat\":%lld,\"exp\":%lld,\"jti\":\"%s\",\"sub\":\"%s\",\"sid\":\"%s\","
            "\"events\":{\"http://schemas.openid.net/event/backchannel-logout\":{}}}",
            o->issuer, l->client.text, (long long)now_s, (long long)(now_s + 120), jti.text, l->account.text,
            l->session.text);
    buf_puts(out, "logout_token=");
    enum keer_err err = claims.err;
    if (err == KEER_OK)
        err = oidc_sign(o, w, CRYPTO_RS256, "logout+jwt", buf_view(&claims), out); /* RS256: what every client takes */
    buf_release(&claims);
    return err == KEER_OK ? out->err : err;
}

static void send_all(struct telling *t, struct desk_worker *w)
{
    unsigned waiting = 0;
    for (unsigned i = 0; i < t->count; i++) {
        struct net_request *r = &t->request[i];
        r->url = t->due[i].uri;
        (void)snprintf(r->header[0], sizeof r->header[0], "Content-Type: application/x-www-form-urlencoded");
        r->headers = 1;
        buf_init(&t->body[i], JWS_BYTES_MAX);
        enum keer_err err = print_body(t->o, w, &t->due[i], &t->body[i]);
        r->body = buf_view(&t->body[i]);
        t->sent[i] = err == KEER_OK && net_send(t->o->net, r) == KEER_OK;
        waiting += t->sent[i];
    }
    while (waiting) /* each ends within the client's time */
        for (struct net_request *r = net_wait(t->o->net, US_SECOND); r; r = r->next)
            waiting--;
    for (unsigned i = 0; i < t->count; i++)
        buf_release(&t->body[i]);
}

void oidc_tell(struct oidc *o, struct desk_worker *w)
{
    struct telling *t = calloc(1, sizeof *t);
    enum keer_err err = t ? KEER_OK : KEER_ENOMEM;
    if (err == KEER_OK) {
        t->o = o;
        t->now_us = desk_wall_us(w);
        if (!o->told_us) /* after a start: what ended while nobody looked */
            o->told_us = t->now_us - US_DAY;
        err = desk_read(w, look, t);
    }
    if (err == KEER_OK && t->ended_count)
        err = desk_write(w, queue, t);
    if (err == KEER_OK)
        o->told_us =
            t->ended_count == ENDED_MAX ? t->ended[ENDED_MAX - 1].ended_us - 1 : MAX_OF(o->told_us, t->now_us - OVERLAP_US);
    if (err == KEER_OK && t->count) {
        send_all(t, w);
        err = desk_write(w, settle, t);
    }
    if (err != KEER_OK && err != KEER_EUNSUPPORTED)
        log_put(o->log, LOG_WARNING, "clients could not be told of sign-outs: %s", keer_err_text(err));
    free(t);
}
