/* jwt.h - JSON Web Tokens (RFC 7519): the claims of a signed token, checked against what is expected (RFC 8725).
 *
 * Invariants
 *  1. JWT_GOOD: signed by a key that was given, with an algorithm that was allowed, and each expectation holds.
 *  2. What is expected and not there is a refusal. A claim of another type is one too, also when nobody asked for it.
 */
#ifndef JOSE_JWT_H
#define JOSE_JWT_H
#include "jose/jws.h"

enum jwt_verdict {
    JWT_GOOD,
    JWT_MALFORMED, /* no token, or no JSON object in it */
    JWT_HEADER,    /* an algorithm or a header that is not taken */
    JWT_SIGNATURE, /* no key that was given signed it */
    JWT_TYPE,      /* typ is another */
    JWT_MISSING,   /* a claim is not there, or of another type */
    JWT_ISSUER,
    JWT_SUBJECT,
    JWT_AUDIENCE,
    JWT_EXPIRED,
    JWT_EARLY, /* nbf or iat is to come */
    JWT_OLD,   /* iat is too long ago, or exp too far ahead */
    JWT_NOMEM,
    JWT_VERDICT_MAX
};
const char *jwt_verdict_name(enum jwt_verdict v);

struct jwt_expect {
    unsigned algs;                 /* mask of JWS_ALG */
    struct slice issuer, audience; /* p NULL: not looked at */
    struct slice subject;          /* the same */
    struct slice audience2;        /* as good as `audience` */
    const char *typ;               /* NULL: any; compared without case, "application/" may be left out */
    int64_t now_us, skew_us;
    int64_t age_max_us;   /* of iat, 0: any */
    int64_t ahead_max_us; /* of exp, 0: any */
    bool need_iat, need_jti;
    bool any_time; /* exp, nbf and iat are not looked at */
};
struct jwt { /* starts as {0} */
    struct jws jws;
    struct tape claims;               /* value 0 is the object */
    struct slice issuer, subject, id; /* p NULL: not there */
    int64_t expires_us, issued_us;    /* 0: not there */
};
enum jwt_verdict jwt_read(struct jwt *jwt, struct slice text, const struct jwk *keys, unsigned count,
                          const struct jwt_expect *expect);
/* The same without keys, to see whose token it is before its keys are looked up: nothing of it may be trusted. */
enum jwt_verdict jwt_peek(struct jwt *jwt, struct slice text);
void jwt_release(struct jwt *jwt);
/* A claim that is a text; p NULL when it is none. */
struct slice jwt_text(const struct jwt *jwt, const char *name);
/* Whether `aud` is, or has among its texts, this one. */
bool jwt_has_audience(const struct jwt *jwt, struct slice audience);
#endif
