/* jws.c - compact JSON Web Signatures: parsed, verified, made. */
#include "jose/jws.h"

#include "base/base64.h"

static const struct tape_limits limits = {.bytes = 4096, .values = 256, .depth = 4, .keys = 64};

static enum keer_err text_member(const struct tape *t, const char *name, struct slice *ret)
{
    uint32_t v = tape_find(t, 0, name);
    if (v == TAPE_NONE)
        return KEER_OK;
    if (tape_type(t, v) != TAPE_STRING)
        return KEER_EFORMAT;
    *ret = tape_text(t, v);
    return KEER_OK;
}

static enum keer_err read_header(struct jws *jws, struct slice json)
{
    struct tape_error why;
    struct jws_header h = {.alg = CRYPTO_ALG_MAX};
    struct slice alg = {NULL, 0};
    enum keer_err err = tape_read(&jws->tape, json, &limits, &why);
    if (err == KEER_ENOMEM)
        return err;
    if (err != KEER_OK || tape_type(&jws->tape, 0) != TAPE_OBJECT)
        return KEER_EFORMAT;
    if (text_member(&jws->tape, "alg", &alg) != KEER_OK || text_member(&jws->tape, "kid", &h.kid) != KEER_OK ||
        text_member(&jws->tape, "typ", &h.typ) != KEER_OK || !alg.p)
        return KEER_EFORMAT;
    h.alg = crypto_alg_of(alg);
    if (h.alg == CRYPTO_ALG_MAX || tape_find(&jws->tape, 0, "crit") != TAPE_NONE ||
        tape_find(&jws->tape, 0, "b64") != TAPE_NONE)
        return KEER_EUNSUPPORTED;
    jws->header = h;
    return KEER_OK;
}

enum keer_err jws_parse(struct jws *jws, struct slice text)
{
    struct slice rest = text, part[3];
    size_t end[3] = {0};
    if (text.len > JWS_BYTES_MAX)
        return KEER_ELIMIT;
    for (unsigned i = 0; i < 3; i++)
        part[i] = slice_cut(&rest, '.');
    if (rest.p || !part[2].p || part[0].len == 0 || part[2].len == 0) /* two dots, no more */
        return KEER_EFORMAT;
    if (!jws->bytes.max)
        buf_init(&jws->bytes, JWS_BYTES_MAX);
    buf_clear(&jws->bytes);
    /* The room first: what is decoded is pointed at, and must not move. */
    if (!buf_reserve(&jws->bytes, text.len))
        return jws->bytes.err;
    for (unsigned i = 0; i < 3; i++) {
        enum keer_err err = base64url_append(&jws->bytes, part[i]);
        if (err != KEER_OK)
            return err;
        end[i] = jws->bytes.len;
    }
    const char *p = jws->bytes.p;
    enum keer_err err = read_header(jws, slice_of(p, end[0]));
    if (err != KEER_OK)
        return err;
    jws->payload = slice_of(p + end[0], end[1] - end[0]);
    jws->signature = slice_of(p + end[1], end[2] - end[1]);
    jws->signed_part = slice_of(text.p, part[0].len + 1 + part[1].len);
    return KEER_OK;
}

void jws_release(struct jws *jws)
{
    buf_release(&jws->bytes);
    tape_release(&jws->tape);
    *jws = (struct jws){0};
}

bool jws_verify(const struct jws *jws, unsigned algs, const struct jwk *keys, unsigned count)
{
    const struct jws_header *h = &jws->header;
    if (!jws->signed_part.p || !(algs & JWS_ALG(h->alg)))
        return false;
    for (unsigned i = 0; i < count; i++) {
        if ((keys[i].alg != CRYPTO_ALG_MAX && keys[i].alg != h->alg) || !crypto_key_fits(keys[i].key, h->alg))
            continue;
        if (h->kid.p && !slice_eq(h->kid, slice_str(keys[i].kid)))
            continue;
        if (crypto_key_verify(keys[i].key, h->alg, CRYPTO_RAW, jws->signed_part, jws->signature))
            return true;
    }
    return false;
}

enum keer_err jws_sign(const struct crypto_key *key, const struct jws_header *header, struct slice payload, struct buf *b)
{
    struct crypto_signature signature;
    size_t from = b->len;
    struct buf h;
    if (header->alg >= CRYPTO_ALG_MAX)
        return KEER_EINVALID;
    buf_init(&h, limits.bytes);
    buf_fmt(&h, "{\"alg\":\"%s\"", crypto_alg_name(header->alg));
    if (header->typ.p) {
        buf_puts(&h, ",\"typ\":");
        buf_json(&h, header->typ);
    }
    if (header->kid.p) {
        buf_puts(&h, ",\"kid\":");
        buf_json(&h, header->kid);
    }
    buf_char(&h, '}');
    enum keer_err err = h.err;
    if (err == KEER_OK) {
        base64url_put(b, buf_view(&h));
        buf_char(b, '.');
        base64url_put(b, payload);
        err = b->err;
    }
    buf_release(&h);
    if (err == KEER_OK)
        err = crypto_key_sign(key, header->alg, CRYPTO_RAW, slice_of(b->p + from, b->len - from), &signature);
    if (err != KEER_OK)
        return err;
    buf_char(b, '.');
    base64url_put(b, slice_of((const char *)signature.bytes, signature.len));
    return b->err;
}
