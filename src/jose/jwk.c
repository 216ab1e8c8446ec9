/* jwk.c - public keys as JSON: read, printed, hashed. */
#include "jose/jwk.h"

#include "base/base64.h"

/* What a kind of key is called, and its members in lexicographic order with the part that each is. */
static const struct kind {
    const char *kty, *crv;
    const char *first, *second; /* parts 0 and 1 */
} kinds[] = {[CRYPTO_P256] = {"EC", "P-256", "x", "y"},        [CRYPTO_P384] = {"EC", "P-384", "x", "y"},
             [CRYPTO_P521] = {"EC", "P-521", "x", "y"},        [CRYPTO_RSA] = {"RSA", NULL, "n", "e"},
             [CRYPTO_ED25519] = {"OKP", "Ed25519", "x", NULL}, [CRYPTO_ED448] = {"OKP", "Ed448", "x", NULL}};
static_assert(ARRAY_LEN(kinds) == CRYPTO_KEY_MAX, "a row per kind");

static const char *const private_members[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"};

static struct slice text_of(const struct tape *t, uint32_t object, const char *name)
{
    uint32_t v = tape_find(t, object, name);
    return v != TAPE_NONE && tape_type(t, v) == TAPE_STRING ? tape_text(t, v) : slice_of(NULL, 0);
}

/* Whether the key is for verifying signatures (RFC 7517 4.2, 4.3). */
static bool for_signatures(const struct tape *t, uint32_t object)
{
    uint32_t use = tape_find(t, object, "use"), ops = tape_find(t, object, "key_ops");
    if (use != TAPE_NONE && !slice_eq(text_of(t, object, "use"), SLICE("sig")))
        return false;
    if (ops == TAPE_NONE)
        return true;
    for (uint32_t v = ops + 1; tape_type(t, ops) == TAPE_ARRAY && v < t->v[ops].next; v = t->v[v].next)
        if (tape_type(t, v) == TAPE_STRING && slice_eq(tape_text(t, v), SLICE("verify")))
            return true;
    return false;
}

static enum keer_err kind_of(const struct tape *t, uint32_t object, enum crypto_key_kind *ret_kind)
{
    struct slice kty = text_of(t, object, "kty"), crv = text_of(t, object, "crv");
    for (unsigned k = 0; k < CRYPTO_KEY_MAX; k++)
        if (slice_eq(kty, slice_str(kinds[k].kty)) && (!kinds[k].crv || slice_eq(crv, slice_str(kinds[k].crv)))) {
            *ret_kind = (enum crypto_key_kind)k;
            return KEER_OK;
        }
    return kty.p ? KEER_EUNSUPPORTED : KEER_EFORMAT;
}

static enum keer_err make_key(const struct tape *t, uint32_t object, enum crypto_key_kind kind, struct crypto_key **ret_key)
{
    const char *names[2] = {kinds[kind].first, kinds[kind].second};
    unsigned char bytes[2][CRYPTO_RSA_BITS_MAX / 8];
    struct slice part[2] = {{NULL, 0}, {NULL, 0}};
    for (unsigned i = 0; i < 2 && names[i]; i++) {
        size_t len = 0;
        struct slice text = text_of(t, object, names[i]);
        if (!text.len)
            return KEER_EFORMAT;
        enum keer_err err = base64url_get(text, sizeof bytes[i], bytes[i], &len);
        if (err != KEER_OK)
            return err == KEER_ELIMIT ? KEER_ERANGE : err;
        part[i] = slice_of((const char *)bytes[i], len);
    }
    switch (kind) {
    case CRYPTO_P256:
    case CRYPTO_P384:
    case CRYPTO_P521: return crypto_key_ec(kind, part[0], part[1], ret_key);
    case CRYPTO_RSA: return crypto_key_rsa(part[0], part[1], ret_key);
    case CRYPTO_ED25519:
    case CRYPTO_ED448: return crypto_key_ed(kind, part[0], ret_key);
    case CRYPTO_KEY_MAX: break;
    }
    return KEER_EUNSUPPORTED;
}

static enum keer_err read_key(const struct tape *t, uint32_t object, struct jwk *ret_jwk)
{
    struct jwk jwk = {.alg = CRYPTO_ALG_MAX};
    enum crypto_key_kind kind;
    uint32_t alg = tape_find(t, object, "alg"), kid = tape_find(t, object, "kid");
    struct slice name = text_of(t, object, "kid");
    if (tape_type(t, object) != TAPE_OBJECT)
        return KEER_EFORMAT;
    for (size_t i = 0; i < ARRAY_LEN(private_members); i++)
        if (tape_find(t, object, private_members[i]) != TAPE_NONE)
            return KEER_EFORMAT;
    enum keer_err err = kind_of(t, object, &kind);
    if (err == KEER_OK && !for_signatures(t, object))
        err = KEER_EUNSUPPORTED;
    if (err == KEER_OK && alg != TAPE_NONE && (jwk.alg = crypto_alg_of(text_of(t, object, "alg"))) == CRYPTO_ALG_MAX)
        err = KEER_EUNSUPPORTED;
    if (err == KEER_OK && kid != TAPE_NONE && (tape_type(t, kid) != TAPE_STRING || name.len > JWK_KID_BYTES))
        err = KEER_EFORMAT;
    if (err == KEER_OK)
        err = make_key(t, object, kind, &jwk.key);
    if (err != KEER_OK)
        return err;
    if (jwk.alg != CRYPTO_ALG_MAX && !crypto_key_fits(jwk.key, jwk.alg)) {
        crypto_key_free(jwk.key);
        return KEER_EFORMAT;
    }
    if (name.len)
        memcpy(jwk.kid, name.p, name.len);
    *ret_jwk = jwk;
    return KEER_OK;
}

static const struct tape_limits limits = {.bytes = JWK_TEXT_BYTES, .values = 2048, .depth = 6, .keys = 64};

enum keer_err jwk_read(struct slice json, struct jwk *ret_jwk)
{
    struct tape t = {0};
    struct tape_error why;
    enum keer_err err = tape_read(&t, json, &limits, &why);
    if (err == KEER_OK)
        err = read_key(&t, 0, ret_jwk);
    tape_release(&t);
    return err;
}

void jwk_release(struct jwk *jwk)
{
    crypto_key_free(jwk->key);
    jwk->key = NULL;
}

enum keer_err jwk_set_read(struct slice json, struct jwk_set *ret_set)
{
    struct tape t = {0};
    struct tape_error why;
    struct jwk_set set = {.count = 0};
    enum keer_err err = tape_read(&t, json, &limits, &why);
    uint32_t keys = err == KEER_OK ? tape_find(&t, 0, "keys") : TAPE_NONE;
    if (err == KEER_OK && (keys == TAPE_NONE || tape_type(&t, keys) != TAPE_ARRAY))
        err = KEER_EFORMAT;
    for (uint32_t v = keys + 1; err == KEER_OK && v < t.v[keys].next; v = t.v[v].next) {
        if (set.count == JWK_KEYS_MAX) {
            err = KEER_ELIMIT;
            break;
        }
        err = read_key(&t, v, &set.key[set.count]);
        if (err == KEER_OK)
            set.count++;
        else if (err == KEER_EUNSUPPORTED)
            err = KEER_OK;
    }
    tape_release(&t);
    if (err != KEER_OK) {
        jwk_set_release(&set);
        return err;
    }
    *ret_set = set;
    return KEER_OK;
}

void jwk_set_release(struct jwk_set *set)
{
    for (unsigned i = 0; i < set->count; i++)
        jwk_release(&set->key[i]);
    set->count = 0;
}

/* --- printed ----------------------------------------------------------------------------------------------------------- */
static void put_part(struct buf *b, const char *name, const struct crypto_parts *p, unsigned i)
{
    buf_fmt(b, "\"%s\":\"", name);
    base64url_put(b, slice_of((const char *)p->bytes[i], p->len[i]));
    buf_puts(b, "\"");
}

/* The required members in lexicographic order, without the braces: the form that is hashed. */
static enum keer_err put_required(const struct crypto_key *key, struct buf *b)
{
    const struct kind *k = &kinds[crypto_key_kind(key)];
    struct crypto_parts p;
    enum keer_err err = crypto_key_parts(key, &p);
    if (err != KEER_OK)
        return err;
    if (!k->crv) { /* e, kty, n */
        put_part(b, k->second, &p, 1);
        buf_fmt(b, ",\"kty\":\"%s\",", k->kty);
        put_part(b, k->first, &p, 0);
        return b->err;
    }
    buf_fmt(b, "\"crv\":\"%s\",\"kty\":\"%s\",", k->crv, k->kty);
    put_part(b, k->first, &p, 0);
    if (k->second) {
        buf_char(b, ',');
        put_part(b, k->second, &p, 1);
    }
    return b->err;
}

enum keer_err jwk_put(const struct crypto_key *key, enum crypto_alg alg, struct slice kid, struct buf *b)
{
    buf_char(b, '{');
    enum keer_err err = put_required(key, b);
    if (err != KEER_OK)
        return err;
    buf_puts(b, ",\"use\":\"sig\"");
    if (alg != CRYPTO_ALG_MAX)
        buf_fmt(b, ",\"alg\":\"%s\"", crypto_alg_name(alg));
    if (kid.len) {
        buf_puts(b, ",\"kid\":");
        buf_json(b, kid);
    }
    buf_char(b, '}');
    return b->err;
}

enum keer_err jwk_thumbprint(const struct crypto_key *key, char ret_text[CRYPTO_TEXT_BYTES])
{
    struct crypto_hash hash;
    struct buf b;
    buf_init(&b, JWK_TEXT_BYTES);
    buf_char(&b, '{');
    enum keer_err err = put_required(key, &b);
    buf_char(&b, '}');
    if (err == KEER_OK)
        err = b.err;
    if (err == KEER_OK) {
        crypto_sha256(buf_view(&b), &hash);
        crypto_text(&hash, ret_text);
    }
    buf_release(&b);
    return err;
}
