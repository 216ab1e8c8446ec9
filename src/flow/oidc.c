/* oidc.c - the OpenID provider: its keys, what it signs, what it says of itself. */
#include "account/contact.h"
#include "flow/oidc_inside.h"
#include "stepup/challenge.h"

#define FORGET_US (60 * US_SECOND)
#define FORGET_ROWS 1000

/* --- made and ended --- */
bool oidc_issuer_valid(struct slice s)
{
    return oidc_uri_valid(s, /* web */ true) && !memchr(s.p, '?', s.len) && s.p[s.len - 1] != '/';
}

enum keer_err oidc_new(const struct oidc_options *opt, struct oidc **ret_oidc, struct db_why *ret_why)
{
    struct db *db = NULL;
    struct oidc *o = NULL;
    struct slice issuer = slice_str(opt->issuer ? opt->issuer : "");
    enum keer_err err = KEER_OK;
    ASSERT(!issuer.len || oidc_issuer_valid(issuer));
    if (!(o = calloc(1, sizeof *o))) {
        (void)snprintf(ret_why->text, sizeof ret_why->text, "%s", keer_err_text(KEER_ENOMEM));
        return KEER_ENOMEM;
    }
    memcpy(o->issuer, issuer.p, issuer.len);
    struct slice name = SLICE("oidc signing keys");
    crypto_hmac(slice_of((const char *)opt->accounts->key.bytes, sizeof opt->accounts->key.bytes), &name, 1, &o->seal);
    o->prompts = opt->accounts->key;
    o->log = opt->log;
    o->allowed = opt->allowed;
    (void)pthread_rwlock_init(&o->lock, NULL);
    (void)pthread_mutex_init(&o->making, NULL);
    struct net_options net = {.allowed = &o->allowed,
                              .connect_us = 3 * US_SECOND,
                              .whole_us = 5 * US_SECOND,
                              .answer_max = 4096,
                              .head_max = 16384};
    if (issuer.len && (err = net_start()) == KEER_OK)
        err = net_client_new(&net, &o->net);
    if (err != KEER_OK)
        (void)snprintf(ret_why->text, sizeof ret_why->text, "libcurl: %s", keer_err_text(err));
    if (err == KEER_OK)
        err = db_open(opt->database, DB_READ, &db, ret_why);
    if (err == KEER_OK && (err = oidc_keys_read(db, &o->seal, &o->keys)) != KEER_OK)
        (void)snprintf(ret_why->text, sizeof ret_why->text, "the signing keys: %s%s", keer_err_text(err),
                       err == KEER_EFORMAT ? "; --account-key is another than the one that sealed them" : "");
    db_close(db);
    if (err != KEER_OK) {
        oidc_free(o);
        return err;
    }
    *ret_oidc = o;
    return KEER_OK;
}

void oidc_free(struct oidc *o)
{
    if (!o)
        return;
    oidc_keys_release(&o->keys);
    (void)pthread_rwlock_destroy(&o->lock);
    (void)pthread_mutex_destroy(&o->making);
    net_client_free(o->net);
    crypto_wipe(o, sizeof *o);
    free(o);
}

const char *oidc_issuer(const struct oidc *o) { return o->issuer; }

/* --- keys --- */
struct key_job {
    struct oidc *o;
    struct crypto_key *key;
    enum crypto_alg alg;
    int64_t signs_us, now_us;
    struct oidc_keys keys;
};

static enum keer_err add_key(struct db *db, void *ctx)
{
    struct key_job *j = ctx;
    return oidc_key_add(db, &j->o->seal, j->key, j->alg, j->signs_us, j->now_us);
}
static enum keer_err forget_keys(struct db *db, void *ctx)
{
    const struct key_job *j = ctx;
    return oidc_keys_forget(db, j->now_us);
}
static enum keer_err read_keys(struct db *db, void *ctx)
{
    struct key_job *j = ctx;
    return oidc_keys_read(db, &j->o->seal, &j->keys);
}

/* Makes the keys that are due, one thread at a time; the others wait for the first of all. An RSA key takes a second, on the
 * desk's thread and not on the writer's. */
static enum keer_err rotate(struct oidc *o, struct desk_worker *w)
{
    static const struct {
        enum crypto_alg alg;
        enum crypto_key_kind kind;
    } made[] = {{CRYPTO_RS256, CRYPTO_RSA}, {CRYPTO_ES256, CRYPTO_P256}};
    struct key_job j = {.o = o, .now_us = desk_wall_us(w)};
    enum keer_err err = KEER_OK;
    bool changed = false;
    (void)pthread_mutex_lock(&o->making);
    for (size_t i = 0; err == KEER_OK && i < ARRAY_LEN(made); i++) {
        j.alg = made[i].alg;
        if (!o->issuer[0] && j.alg != CRYPTO_ES256)
            continue;
        if (!oidc_key_due(&o->keys, j.alg, j.now_us, &j.signs_us)) /* only this thread changes them */
            continue;
        err = crypto_key_generate(made[i].kind, SIGNING_RSA_BITS, &j.key);
        if (err == KEER_OK)
            err = desk_write(w, add_key, &j);
        crypto_key_free(j.key);
        j.key = NULL;
        changed = true;
    }
    if (err == KEER_OK && changed)
        err = desk_write(w, forget_keys, &j);
    if (err == KEER_OK && changed)
        err = desk_read(w, read_keys, &j);
    if (err == KEER_OK && changed) {
        (void)pthread_rwlock_wrlock(&o->lock);
        struct oidc_keys old = o->keys;
        o->keys = j.keys;
        (void)pthread_rwlock_unlock(&o->lock);
        oidc_keys_release(&old);
        log_put(o->log, LOG_INFO, "there is another signing key");
    }
    (void)pthread_mutex_unlock(&o->making);
    return err;
}

static bool has_keys(struct oidc *o, int64_t now_us)
{
    (void)pthread_rwlock_rdlock(&o->lock);
    bool has = (!o->issuer[0] || oidc_keys_signing(&o->keys, CRYPTO_RS256, now_us)) &&
               oidc_keys_signing(&o->keys, CRYPTO_ES256, now_us);
    (void)pthread_rwlock_unlock(&o->lock);
    return has;
}

static enum keer_err need_keys(struct oidc *o, struct desk_worker *w)
{
    return has_keys(o, desk_wall_us(w)) ? KEER_OK : rotate(o, w);
}

enum keer_err oidc_jwks(struct oidc *o, struct desk_worker *w, struct buf *b)
{
    enum keer_err err = need_keys(o, w);
    if (err != KEER_OK)
        return err;
    (void)pthread_rwlock_rdlock(&o->lock);
    err = oidc_keys_print(&o->keys, b);
    (void)pthread_rwlock_unlock(&o->lock);
    return err;
}

enum keer_err oidc_sign(struct oidc *o, struct desk_worker *w, enum crypto_alg alg, const char *typ, struct slice claims,
                        struct buf *b)
{
    enum keer_err err = need_keys(o, w);
    if (err != KEER_OK)
        return err;
    (void)pthread_rwlock_rdlock(&o->lock);
    const struct jwk *key = oidc_keys_signing(&o->keys, alg, desk_wall_us(w));
    err = KEER_EUNSUPPORTED;
    if (key) {
        struct jws_header h = {.alg = alg, .kid = slice_str(key->kid), .typ = slice_str(typ)};
        err = jws_sign(key->key, &h, claims, b);
    }
    (void)pthread_rwlock_unlock(&o->lock);
    return err;
}

enum jwt_verdict oidc_hint(struct oidc *o, struct slice text, struct jwt *jwt)
{
    struct jwt_expect e = {.algs = JWS_ALG(CRYPTO_RS256) | JWS_ALG(CRYPTO_ES256),
                           .issuer = slice_str(o->issuer),
                           .typ = "JWT",
                           .any_time = true};
    (void)pthread_rwlock_rdlock(&o->lock);
    enum jwt_verdict v = jwt_read(jwt, text, o->keys.key, o->keys.count, &e);
    (void)pthread_rwlock_unlock(&o->lock);
    return v;
}

/* --- the timer --- */
struct forgetting {
    int64_t now_us;
};
static enum keer_err forget(struct db *db, void *ctx)
{
    const struct forgetting *f = ctx;
    return oidc_forget(db, f->now_us, FORGET_ROWS);
}

void oidc_tick(struct desk_worker *w, void *ctx)
{
    struct oidc *o = ctx;
    struct forgetting f = {desk_wall_us(w)};
    if (o->issuer[0])
        oidc_tell(o, w);
    if (f.now_us - o->forgot_us < FORGET_US)
        return;
    o->forgot_us = f.now_us;
    enum keer_err err = desk_write(w, forget, &f);
    if (err == KEER_OK)
        err = rotate(o, w);
    if (err != KEER_OK && err != KEER_EUNSUPPORTED)
        log_put(o->log, LOG_WARNING, "signing keys, or the OpenID provider's old rows: %s", keer_err_text(err));
}

/* --- what others ask --- */
enum keer_err oidc_grant_holds(struct db *db, const struct oidc_grant *g, int64_t now_us)
{
    struct session s;
    struct account a;
    if (g->scopes & OIDC_SCOPE(OFFLINE_ACCESS) || !id_is(&g->session)) {
        enum keer_err err = account_read(db, &g->account, &a);
        return err == KEER_OK && a.state != ACCOUNT_ACTIVE ? KEER_EMISSING : err;
    }
    return session_read(db, &g->session, now_us, &s);
}

static void put_text(struct buf *b, const char *name, const char *text)
{
    buf_fmt(b, ",\"%s\":", name);
    buf_json(b, slice_str(text));
}

/* The oldest verified contact of a kind. */
static void put_contact(struct buf *b, const struct contact *c, unsigned count, enum identifier_kind kind, unsigned claims,
                        unsigned value, unsigned verified)
{
    for (unsigned i = 0; i < count; i++) {
        if (c[i].address.kind != kind || !c[i].verified_us)
            continue;
        if (claims & 1u << value)
            put_text(b, oidc_claim_name(value), c[i].address.text);
        if (claims & 1u << verified)
            buf_fmt(b, ",\"%s\":true", oidc_claim_name(verified));
        return;
    }
}

enum keer_err oidc_person(struct db *db, const struct id *account, unsigned claims, struct buf *b)
{
    struct account a;
    struct identifier names[IDENTIFIERS_MAX];
    struct contact contacts[CONTACTS_MAX];
    unsigned n = 0, m = 0;
    if (!claims)
        return KEER_OK;
    enum keer_err err = account_read(db, account, &a);
    if (err == KEER_OK)
        err = identifier_list(db, account, names, &n);
    if (err == KEER_OK)
        err = contact_list(db, account, contacts, &m);
    if (err != KEER_OK)
        return err;
    if (claims & OIDC_CLAIM(NAME) && a.name[0])
        put_text(b, "name", a.name);
    if (claims & OIDC_CLAIM(LOCALE) && a.locale[0])
        put_text(b, "locale", a.locale);
    for (unsigned i = 0; i < n; i++)
        if (claims & OIDC_CLAIM(PREFERRED_USERNAME) && names[i].kind == IDENTIFIER_USER_NAME) {
            put_text(b, "preferred_username", names[i].text);
            break;
        }
    put_contact(b, contacts, m, IDENTIFIER_EMAIL, claims, OIDC_CLAIM_BIT_EMAIL, OIDC_CLAIM_BIT_EMAIL_VERIFIED);
    put_contact(b, contacts, m, IDENTIFIER_PHONE, claims, OIDC_CLAIM_BIT_PHONE_NUMBER, OIDC_CLAIM_BIT_PHONE_NUMBER_VERIFIED);
    return b->err;
}

void oidc_amr_json(const char *amr, struct buf *b)
{
    struct slice rest = slice_str(amr);
    const char *between = "";
    buf_char(b, '[');
    while (rest.len) {
        buf_puts(b, between);
        buf_json(b, slice_cut(&rest, ' '));
        between = ",";
    }
    buf_char(b, ']');
}

void oidc_url_encode(struct buf *b, struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i], l = ascii_lower(c);
        if ((l >= 'a' && l <= 'z') || ascii_digit(c) || c == '-' || c == '.' || c == '_' || c == '~')
            buf_char(b, c);
        else
            buf_fmt(b, "%%%02X", (unsigned)(unsigned char)c);
    }
}

void oidc_url_parameter(struct buf *b, const char *name, struct slice value)
{
    buf_char(b, memchr(b->p, '?', b->len) ? '&' : '?');
    buf_fmt(b, "%s=", name);
    oidc_url_encode(b, value);
}

void oidc_amr_words(unsigned amr, char ret[OIDC_AMR_BYTES + 1])
{
    struct buf json;
    size_t n = 0;
    buf_init(&json, 256);
    challenge_amr_json(amr, &json); /* "otp","mfa" */
    for (size_t i = 0; i < json.len && n < OIDC_AMR_BYTES; i++)
        if (json.p[i] != '"')
            ret[n++] = json.p[i] == ',' ? ' ' : json.p[i];
    ret[n] = '\0';
    buf_release(&json);
}
