/* passkeys.c - passkeys in use: signing in, and answering challenges. */
#include "flow/passkeys.h"

#include "account/device.h"
#include "base/base64.h"
#include "flow/passkeys_inside.h"

#define FORGET_ROWS 1000

/* --- which pages --- */

/* The host of https://HOST[:PORT], or of http://localhost[:PORT]; empty when it is neither. */
static struct slice host_of(struct slice origin)
{
    static const struct slice https = {"https://", 8}, http = {"http://", 7};
    bool secure = origin.len > https.len && slice_eq(slice_of(origin.p, https.len), https);
    struct slice none = {NULL, 0}, rest, host, port;
    if (!secure && !(origin.len > http.len && slice_eq(slice_of(origin.p, http.len), http)))
        return none;
    rest = slice_of(origin.p + (secure ? https.len : http.len), origin.len - (secure ? https.len : http.len));
    port = rest;
    host = slice_cut(&port, ':');
    for (size_t i = 0; i < host.len; i++)
        if (!(host.p[i] >= 'a' && host.p[i] <= 'z') && !ascii_digit(host.p[i]) && host.p[i] != '-' && host.p[i] != '.')
            return none;
    for (size_t i = 0; i < port.len; i++)
        if (!ascii_digit(port.p[i]))
            return none;
    if ((port.p && port.len == 0) || port.len > 5 || (!secure && !slice_eq(host, SLICE("localhost"))))
        return none;
    return host;
}

bool passkeys_is_origin(struct slice s) { return host_of(s).len > 0; }

/* WebAuthn 5.1.3 step 8: a suffix of the host at a dot, or all of it. */
static bool is_suffix(struct slice host, struct slice rp_id)
{
    if (rp_id.len == 0 || host.len < rp_id.len || !slice_eq(slice_of(host.p + host.len - rp_id.len, rp_id.len), rp_id))
        return false;
    return host.len == rp_id.len || (host.p[host.len - rp_id.len - 1] == '.' && memchr(rp_id.p, '.', rp_id.len));
}

enum keer_err passkeys_add_roots(struct passkeys *p, struct slice pem)
{
    unsigned before = p->roots_count;
    enum keer_err err = KEER_OK;
    for (struct crypto_cert *cert; err == KEER_OK && (err = crypto_cert_pem(&pem, &cert)) == KEER_OK;) {
        if (p->roots_count == PASSKEY_ROOTS_MAX) {
            crypto_cert_free(cert);
            return KEER_ELIMIT;
        }
        p->roots[p->roots_count++] = cert;
    }
    if (err == KEER_EMISSING) /* the end */
        err = p->roots_count > before ? KEER_OK : KEER_EFORMAT;
    return err;
}

void passkeys_release(struct passkeys *p)
{
    while (p->roots_count)
        crypto_cert_free(p->roots[--p->roots_count]);
}

enum keer_err passkeys_add_origin(struct passkeys *p, struct slice origin)
{
    struct slice host = host_of(origin);
    if (host.len == 0 || host.len > PASSKEY_RP_ID_BYTES || origin.len > PASSKEY_ORIGIN_BYTES)
        return KEER_EINVALID;
    if (p->origins_count == PASSKEY_ORIGINS_MAX)
        return KEER_ELIMIT;
    memcpy(p->origin[p->origins_count++], origin.p, origin.len);
    if (!p->rp_id[0])
        memcpy(p->rp_id, host.p, host.len);
    return KEER_OK;
}

enum keer_err passkeys_set_rp_id(struct passkeys *p, struct slice rp_id)
{
    if (rp_id.len == 0 || rp_id.len > PASSKEY_RP_ID_BYTES)
        return KEER_EINVALID;
    for (size_t i = 0; i < rp_id.len; i++)
        if (!(rp_id.p[i] >= 'a' && rp_id.p[i] <= 'z') && !ascii_digit(rp_id.p[i]) && rp_id.p[i] != '-' && rp_id.p[i] != '.')
            return KEER_EINVALID;
    memset(p->rp_id, 0, sizeof p->rp_id);
    memcpy(p->rp_id, rp_id.p, rp_id.len);
    return KEER_OK;
}

bool passkeys_are_right(const struct passkeys *p)
{
    for (unsigned i = 0; i < p->origins_count; i++)
        if (!is_suffix(host_of(slice_str(p->origin[i])), slice_str(p->rp_id)))
            return false;
    return p->origins_count > 0;
}

/* --- an assertion --- */

/* Each origin of ours in turn: a payment's top origin is the page's own, since our pages stand in nobody's frame. */
enum keer_err passkeys_check(const struct passkeys *p, const struct passkeys_check *c, struct webauthn_authenticated *ret)
{
    struct webauthn_credential credential = passkey_credential(c->passkey);
    struct webauthn_assertion given = {.credential_id = c->reply->id,
                                       .client_data = c->reply->client_data,
                                       .authenticator_data = c->reply->authenticator_data,
                                       .signature = c->reply->signature,
                                       .user_handle = c->reply->user_handle};
    enum keer_err err = KEER_OK;
    *ret = (struct webauthn_authenticated){.verdict = WEBAUTHN_ORIGIN};
    for (unsigned i = 0; i < p->origins_count && err == KEER_OK && ret->verdict == WEBAUTHN_ORIGIN; i++) {
        struct slice origin = slice_str(p->origin[i]);
        struct webauthn_expect expect = {.challenge = slice_of((const char *)c->challenge, PASSKEY_CHALLENGE_BYTES),
                                         .rp_id = slice_str(p->rp_id),
                                         .origins = &origin,
                                         .origins_count = 1,
                                         .user_verified = true,
                                         .payment = c->payment,
                                         .user_handle = c->user_handle};
        if (c->payment)
            c->payment->top_origin = origin;
        err = webauthn_authenticate(&expect, &credential, &given, ret);
    }
    return err;
}

static unsigned amr_of(const struct passkey *p)
{
    return (p->eligible ? CHALLENGE_AMR_SWK : CHALLENGE_AMR_HWK) | CHALLENGE_AMR_USER | CHALLENGE_AMR_POP |
           CHALLENGE_AMR_MFA;
}

static void tell_log(struct desk_worker *w, const char *what, const struct passkey *p,
                     const struct webauthn_authenticated *a)
{
    if (a->verdict != WEBAUTHN_OK)
        log_put(desk_log(w), LOG_INFO, "%s: a passkey was refused: %s (account %s)", what, webauthn_verdict_text(a->verdict),
                p ? p->row.account.text : "unknown");
    else if (a->counter_back)
        log_put(desk_log(w), LOG_WARNING, "%s: the counter of a passkey did not grow; a copy may be in use (account %s)",
                what, p->row.account.text);
}

struct using
{
    const struct passkey *p;
    const struct webauthn_authenticated *a;
    const struct id *challenge; /* that it answers; NULL: a sign-in */
    int64_t now_us;
};

static enum keer_err use(struct db *db, void *ctx)
{
    const struct using *u = ctx;
    enum keer_err err = passkey_used(db, u->p, u->a, u->now_us);
    return err == KEER_OK && u->challenge ? step_right(db, u->challenge, u->now_us) : err;
}

/* --- signing in --- */

/* The browser that was asked: its device token, hashed once more for this. */
static void browser_of(const struct visitor *v, struct id *ret_holder)
{
    struct crypto_hash h;
    crypto_sha256(SLICE("keersluis browser of a passkey's question"), &h);
    crypto_sha256_add(&h, slice_of((const char *)v->device.bytes, sizeof v->device.bytes));
    id_of_hash(&h, ret_holder);
}

enum keer_err passkeys_sign_in_options(const struct passkeys *p, struct desk_worker *w, const struct visitor *v,
                                       struct buf *out)
{
    struct passkey_ask ask = {0};
    browser_of(v, &ask.holder);
    passkey_invite(&p->accounts->key, &ask, desk_wall_us(w));
    struct passkey_request r = {.rp_id = slice_str(p->rp_id),
                                .challenge = slice_of((const char *)ask.challenge, sizeof ask.challenge)};
    buf_fmt(out, "{\"flow\":\"%s\",\"publicKey\":", ask.id.text);
    passkey_print_request(&r, out);
    buf_puts(out, "}\n");
    return out->err;
}

struct signing {
    const struct visitor *v;
    const struct passkey_reply *reply;
    const struct crypto_hash *key;
    struct passkey_ask ask;
    int64_t now_us;
    /* found */
    struct passkey passkey;
    bool known, asked;
    struct attempt_begun begun;
};

/* Counted, and the question used up, before anything is looked at. */
static enum keer_err begin_sign_in(struct db *db, void *ctx)
{
    struct signing *s = ctx;
    struct device device = {0};
    bool device_known = false;
    enum keer_err err = passkey_find(db, s->reply->id, &s->passkey);
    s->known = err == KEER_OK;
    if (s->known) {
        err = device_find(db, &s->passkey.row.account, &s->v->device, &device);
        device_known = err == KEER_OK && !device.revoked_us;
    }
    if (err != KEER_OK && err != KEER_EMISSING)
        return err;
    struct attempt_subject subject = {.account = s->known ? id_slice(&s->passkey.row.account) : SLICE(""),
                                      .device = device_known ? id_slice(&device.id) : SLICE(""),
                                      .address = slice_str(s->v->ip)};
    err = attempt_begin(db, ATTEMPT_USE_PASSKEY, &subject, s->now_us, &s->begun);
    if (err != KEER_OK || s->begun.verdict != ATTEMPT_MAY)
        return err;
    err = passkey_accepted(db, s->key, &s->ask, s->now_us);
    s->asked = err == KEER_OK;
    return err == KEER_EMISSING ? KEER_OK : err;
}

static enum keer_err tell_failure(struct desk_worker *w, const struct visitor *v, const struct signing *s)
{
    struct desk_event e = visitor_event(v, &s->passkey.row.account, "sign_in");
    struct desk_decision d = {0};
    if (!s->known)
        e.account = SLICE("");
    e.session = SLICE("");
    e.outcome = SLICE("failure");
    e.step_up = SLICE("passkey");
    enum keer_err err = desk_decide(w, &e, &d);
    buf_release(&d.answer);
    return err;
}

/* Looks at an answer whose question was taken. */
static enum keer_err look(const struct passkeys *p, struct desk_worker *w, const struct signing *s,
                          struct webauthn_authenticated *ret, bool *ret_right)
{
    struct webauthn_authenticated a = {.verdict = WEBAUTHN_CREDENTIAL_ID};
    struct passkeys_check c = {
        .passkey = &s->passkey, .reply = s->reply, .challenge = s->ask.challenge, .user_handle = true};
    enum keer_err err = KEER_OK;
    if (!s->asked)
        a.verdict = WEBAUTHN_CHALLENGE;
    else if (s->known && s->passkey.row.state == AUTHENTICATOR_ACTIVE)
        err = passkeys_check(p, &c, &a);
    if (err != KEER_OK)
        return err;
    tell_log(w, "sign-in", s->known ? &s->passkey : NULL, &a);
    *ret_right = a.verdict == WEBAUTHN_OK;
    *ret = a;
    if (*ret_right) {
        struct using u = {&s->passkey, &a, /* challenge */ NULL, s->now_us};
        err = desk_write(w, use, &u);
        if (err == KEER_EMISSING) { /* it was removed meanwhile */
            *ret_right = false;
            err = KEER_OK;
        }
    }
    return err;
}

/* What is no proof, for the policy: it declares `attribute passkey_counter_back boolean` and the like. */
static void put_signals(const struct webauthn_authenticated *a, struct buf *out)
{
    buf_fmt(out, "\"passkey_backed_up\":%s,\"passkey_counter_back\":%s,\"passkey_eligible_turned\":%s",
            a->backed_up ? "true" : "false", a->counter_back ? "true" : "false", a->eligible_turned ? "true" : "false");
}

enum keer_err passkeys_sign_in(const struct passkeys *p, struct desk_worker *w, struct visitor *v, const struct id *flow,
                               const struct passkey_reply *reply, struct sign_in *ret)
{
    struct signing s = {.v = v, .reply = reply, .key = &p->accounts->key, .ask = {.id = *flow}, .now_us = desk_wall_us(w)};
    struct webauthn_authenticated a = {0};
    struct buf signals;
    bool right = false;
    *ret = (struct sign_in){.next = SIGN_IN_WRONG};
    browser_of(v, &s.ask.holder);
    enum keer_err err = desk_write(w, begin_sign_in, &s);
    if (err == KEER_OK && s.begun.verdict != ATTEMPT_MAY) {
        ret->next = SIGN_IN_LATER;
        ret->retry_us = s.begun.retry_us;
        return KEER_OK;
    }
    if (err == KEER_OK)
        err = look(p, w, &s, &a, &right);
    if (err != KEER_OK)
        return err;
    if (!right)
        return tell_failure(w, v, &s);
    buf_init(&signals, 256);
    put_signals(&a, &signals);
    struct sign_in_proof proof = {.account = s.passkey.row.account,
                                  .amr = s.passkey.eligible ? "swk user pop mfa" : "hwk user pop mfa",
                                  .acr = SESSION_ACR_2,
                                  .authenticator = s.passkey.row.id,
                                  .step_up = "passkey",
                                  .more = buf_view(&signals),
                                  .attempt = s.begun.attempt};
    err = signals.err ? signals.err : sign_in_proved(p->accounts, w, v, &proof, ret);
    buf_release(&signals);
    return err;
}

/* --- challenges --- */

struct listing {
    const struct id *account;
    struct buf *allow, *ids;
    unsigned count;
};

static void list_one(void *ctx, const struct passkey *p)
{
    struct listing *l = ctx;
    if (p->row.state != AUTHENTICATOR_ACTIVE)
        return;
    const char *comma = l->count++ ? "," : "";
    buf_puts(l->allow, comma);
    passkey_print_descriptor(p, l->allow);
    buf_puts(l->ids, comma);
    buf_char(l->ids, '"');
    base64url_put(l->ids, slice_of((const char *)p->credential, p->credential_len));
    buf_char(l->ids, '"');
}

static enum keer_err list(struct db *db, void *ctx)
{
    struct listing *l = ctx;
    enum keer_err err = passkeys_each(db, l->account, list_one, l);
    return err == KEER_OK && l->count == 0 ? KEER_EMISSING : err;
}

static enum keer_err print_options(const struct passkeys *p, const struct challenge *c, const struct listing *l,
                                   struct buf *out)
{
    struct crypto_hash bytes;
    struct passkeys_shown shown = {0};
    enum keer_err err = KEER_OK;
    challenge_bytes(c, &bytes);
    struct passkey_request r = {.rp_id = slice_str(p->rp_id),
                                .challenge = slice_of((const char *)bytes.bytes, sizeof bytes.bytes),
                                .allow = buf_view(l->allow)};
    buf_puts(out, "{\"publicKey\":");
    passkey_print_request(&r, out);
    if (c->kind == CHALLENGE_PAYMENT) {
        err = passkeys_shown_read(p, c, &shown);
        if (err == KEER_OK)
            passkeys_print_payment(&shown, r.challenge, buf_view(l->ids), out);
        passkeys_shown_release(&shown);
    }
    buf_puts(out, "}\n");
    return err ? err : out->err;
}

enum keer_err passkeys_answer_options(const struct passkeys *p, struct desk_worker *w, const struct visitor *v,
                                      const struct id *challenge, struct buf *out)
{
    struct challenge c;
    struct buf allow, ids;
    buf_init(&allow, PASSKEY_OPTIONS_BYTES);
    buf_init(&ids, PASSKEY_OPTIONS_BYTES);
    struct listing l = {.account = &c.account, .allow = &allow, .ids = &ids};
    enum keer_err err = step_open(p->steps, w, v, challenge, &c);
    if (err == KEER_OK)
        err = desk_read(w, list, &l);
    if (err == KEER_OK)
        err = allow.err ? allow.err : ids.err;
    if (err == KEER_OK)
        err = print_options(p, &c, &l, out);
    buf_release(&ids);
    buf_release(&allow);
    return err;
}

struct finding {
    const struct passkey_reply *reply;
    struct passkey *ret;
};

static enum keer_err find(struct db *db, void *ctx)
{
    struct finding *f = ctx;
    return passkey_find(db, f->reply->id, f->ret);
}

/* Against a challenge: of a payment what was shown is compared first, and where the browser had no Secure Payment
 * Confirmation the bytes that were signed depend on it. */
static enum keer_err check_answer(const struct passkeys *p, const struct challenge *c, const struct passkey *passkey,
                                  const struct passkey_reply *reply, struct webauthn_authenticated *ret)
{
    struct crypto_hash bytes;
    struct passkeys_shown shown = {0};
    struct passkeys_check check = {.passkey = passkey, .reply = reply};
    enum keer_err err = KEER_OK;
    challenge_bytes(c, &bytes);
    check.challenge = bytes.bytes;
    *ret = (struct webauthn_authenticated){.verdict = WEBAUTHN_TYPE};
    if (c->kind == CHALLENGE_PAYMENT) {
        err = passkeys_shown_read(p, c, &shown);
        check.payment = &shown.payment;
        if (err == KEER_OK)
            err = passkeys_check(p, &check, ret);
        passkeys_shown_release(&shown);
        check.payment = NULL;
    }
    if (err == KEER_OK && ret->verdict == WEBAUTHN_TYPE)
        err = passkeys_check(p, &check, ret);
    return err;
}

enum keer_err passkeys_answer(const struct passkeys *p, struct desk_worker *w, const struct visitor *v,
                              const struct id *challenge, const struct passkey_reply *reply, struct step *ret)
{
    struct challenge c;
    struct passkey passkey = {0};
    struct finding f = {reply, &passkey};
    struct attempt_begun begun = {0};
    struct webauthn_authenticated a = {.verdict = WEBAUTHN_CREDENTIAL_ID};
    *ret = (struct step){.outcome = STEP_OVER};
    enum keer_err err = step_open(p->steps, w, v, challenge, &c);
    if (err != KEER_OK)
        return err == KEER_EMISSING ? KEER_OK : err;
    err = desk_read(w, find, &f);
    bool usable = err == KEER_OK && passkey.row.state == AUTHENTICATOR_ACTIVE && id_eq(&passkey.row.account, &c.account);
    if (err == KEER_OK || err == KEER_EMISSING)
        err = step_begin(p->steps, w, v, &c, ATTEMPT_USE_PASSKEY, &passkey.row.id, &begun, ret);
    if (err != KEER_OK || ret->outcome != STEP_DONE)
        return err;
    if (usable)
        err = check_answer(p, &c, &passkey, reply, &a);
    if (err != KEER_OK)
        return err;
    tell_log(w, "challenge", usable ? &passkey : NULL, &a);
    struct using u = {&passkey, &a, &c.id, desk_wall_us(w)};
    err = a.verdict == WEBAUTHN_OK ? desk_write(w, use, &u) : KEER_EMISSING;
    if (err != KEER_OK && err != KEER_EMISSING)
        return err;
    struct step_result r = {.challenge = &c,
                            .begun = &begun,
                            .by = AUTHENTICATOR_PASSKEY,
                            .authenticator = passkey.row.id,
                            .amr = amr_of(&passkey),
                            .right = err == KEER_OK};
    return step_end(p->steps, w, v, &r, ret);
}

/* --- what is over --- */

static enum keer_err forget(struct db *db, void *ctx)
{
    const int64_t *now_us = ctx;
    return passkey_asks_forget(db, *now_us, FORGET_ROWS);
}

void passkeys_forget(struct desk_worker *w, void *ctx)
{
    int64_t now_us = desk_wall_us(w);
    UNUSED(ctx);
    enum keer_err err = desk_write(w, forget, &now_us);
    if (err != KEER_OK && err != KEER_EUNSUPPORTED)
        log_put(desk_log(w), LOG_WARNING, "questions for passkeys that are over could not be forgotten: %s",
                keer_err_text(err));
}
