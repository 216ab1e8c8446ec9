/* jwt.c - the claims of a token against what is expected. */
#include "jose/jwt.h"

#include "base/num.h"
#include "base/timefmt.h"

static const struct tape_limits limits = {.bytes = JWS_BYTES_MAX, .values = 2048, .depth = 16, .keys = 256};

const char *jwt_verdict_name(enum jwt_verdict v)
{
    static const char *const names[] = {"good",    "malformed", "header",  "signature", "type", "missing",  "issuer",
                                        "subject", "audience",  "expired", "early",     "old",  "no memory"};
    static_assert(ARRAY_LEN(names) == JWT_VERDICT_MAX, "a name each");
    return names[v];
}

struct slice jwt_text(const struct jwt *jwt, const char *name)
{
    uint32_t v = tape_find(&jwt->claims, 0, name);
    return v != TAPE_NONE && tape_type(&jwt->claims, v) == TAPE_STRING ? tape_text(&jwt->claims, v) : slice_of(NULL, 0);
}

/* A NumericDate (section 2), 0 when it is not there; false for anything else. */
static bool time_of(const struct jwt *jwt, const char *name, int64_t *ret_us)
{
    uint32_t v = tape_find(&jwt->claims, 0, name);
    double s = 0;
    if (v == TAPE_NONE)
        return true;
    if (!tape_is_number(&jwt->claims, v) || num_f64(tape_text(&jwt->claims, v), &s) != KEER_OK || s < 1 ||
        s > (double)(US_TIME_MAX / US_SECOND))
        return false;
    *ret_us = (int64_t)(s * (double)US_SECOND);
    return true;
}

static bool text_of(const struct jwt *jwt, const char *name, struct slice *ret)
{
    uint32_t v = tape_find(&jwt->claims, 0, name);
    if (v == TAPE_NONE)
        return true;
    *ret = jwt_text(jwt, name);
    return ret->p != NULL;
}

bool jwt_has_audience(const struct jwt *jwt, struct slice audience)
{
    const struct tape *t = &jwt->claims;
    uint32_t aud = tape_find(t, 0, "aud");
    if (aud == TAPE_NONE)
        return false;
    if (tape_type(t, aud) == TAPE_STRING)
        return slice_eq(tape_text(t, aud), audience);
    for (uint32_t v = aud + 1; tape_type(t, aud) == TAPE_ARRAY && v < t->v[aud].next; v = t->v[v].next)
        if (tape_type(t, v) == TAPE_STRING && slice_eq(tape_text(t, v), audience))
            return true;
    return false;
}

/* `typ` as a media type whose "application/" may be left out (RFC 7515 4.1.9). */
static bool is_type(struct slice typ, const char *wanted)
{
    static const struct slice prefix = SLICE("application/");
    if (typ.len > prefix.len && slice_eqi(slice_of(typ.p, prefix.len), prefix))
        typ = slice_of(typ.p + prefix.len, typ.len - prefix.len);
    return slice_eqi(typ, slice_str(wanted));
}

static enum jwt_verdict parse(struct jwt *jwt, struct slice text, int64_t *ret_not_before_us)
{
    struct tape_error why;
    enum keer_err err = jws_parse(&jwt->jws, text);
    jwt->issuer = jwt->subject = jwt->id = slice_of(NULL, 0);
    jwt->expires_us = jwt->issued_us = 0;
    if (err == KEER_OK) {
        err = tape_read(&jwt->claims, jwt->jws.payload, &limits, &why);
        if (err == KEER_OK && tape_type(&jwt->claims, 0) != TAPE_OBJECT)
            err = KEER_EFORMAT;
    }
    if (err == KEER_ENOMEM || err == KEER_EUNSUPPORTED)
        return err == KEER_ENOMEM ? JWT_NOMEM : JWT_HEADER;
    if (err != KEER_OK)
        return JWT_MALFORMED;
    if (!text_of(jwt, "iss", &jwt->issuer) || !text_of(jwt, "sub", &jwt->subject) || !text_of(jwt, "jti", &jwt->id) ||
        !time_of(jwt, "exp", &jwt->expires_us) || !time_of(jwt, "iat", &jwt->issued_us) ||
        !time_of(jwt, "nbf", ret_not_before_us))
        return JWT_MISSING;
    return JWT_GOOD;
}

static enum jwt_verdict check_times(const struct jwt *jwt, const struct jwt_expect *e, int64_t not_before_us)
{
    if (!jwt->expires_us || (e->need_iat && !jwt->issued_us))
        return JWT_MISSING;
    if (e->now_us - e->skew_us >= jwt->expires_us)
        return JWT_EXPIRED;
    if (not_before_us > e->now_us + e->skew_us || jwt->issued_us > e->now_us + e->skew_us)
        return JWT_EARLY;
    if ((e->age_max_us && jwt->issued_us && jwt->issued_us < e->now_us - e->age_max_us - e->skew_us) ||
        (e->ahead_max_us && jwt->expires_us > e->now_us + e->ahead_max_us + e->skew_us))
        return JWT_OLD;
    return JWT_GOOD;
}

enum jwt_verdict jwt_read(struct jwt *jwt, struct slice text, const struct jwk *keys, unsigned count,
                          const struct jwt_expect *e)
{
    int64_t not_before_us = 0;
    enum jwt_verdict v = parse(jwt, text, &not_before_us);
    if (v == JWT_NOMEM || v == JWT_MALFORMED || v == JWT_HEADER)
        return v;
    if (!(e->algs & JWS_ALG(jwt->jws.header.alg)))
        return JWT_HEADER;
    if (!jws_verify(&jwt->jws, e->algs, keys, count))
        return JWT_SIGNATURE;
    if (v != JWT_GOOD)
        return v;
    if (e->typ && !is_type(jwt->jws.header.typ, e->typ))
        return JWT_TYPE;
    if ((e->issuer.p && !jwt->issuer.p) || (e->subject.p && !jwt->subject.p) || (e->need_jti && !jwt->id.len) ||
        (e->audience.p && tape_find(&jwt->claims, 0, "aud") == TAPE_NONE))
        return JWT_MISSING;
    if (e->issuer.p && !slice_eq(jwt->issuer, e->issuer))
        return JWT_ISSUER;
    if (e->subject.p && !slice_eq(jwt->subject, e->subject))
        return JWT_SUBJECT;
    if (e->audience.p && !jwt_has_audience(jwt, e->audience) && !(e->audience2.p && jwt_has_audience(jwt, e->audience2)))
        return JWT_AUDIENCE;
    return e->any_time ? JWT_GOOD : check_times(jwt, e, not_before_us);
}

enum jwt_verdict jwt_peek(struct jwt *jwt, struct slice text)
{
    int64_t not_before_us = 0;
    return parse(jwt, text, &not_before_us);
}

void jwt_release(struct jwt *jwt)
{
    jws_release(&jwt->jws);
    tape_release(&jwt->claims);
    *jwt = (struct jwt){0};
}
