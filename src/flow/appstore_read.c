/* appstore_read.c - notifications of the App Store: verified, then read. */
#include "base/base64.h"
#include "base/num.h"
#include "base/timefmt.h"
#include "flow/appstore.h"
#include "jose/x5c.h"

#define LEAF_OID "1.2.840.113635.100.6.11.1"
#define BETWEEN_OID "1.2.840.113635.100.6.2.1"
#define AHEAD_US (5 * US_MINUTE) /* how far Apple's clock may be ahead of ours */

static const struct tape_limits limits = {.bytes = APPSTORE_PAYLOAD_BYTES, .values = 4096, .depth = 8, .keys = 256};

enum keer_err appstore_add_roots(struct appstore *a, struct slice file)
{
    bool pem = slice_has(file, SLICE("-----BEGIN"));
    enum keer_err err = KEER_OK;
    unsigned before = a->roots;
    while (err == KEER_OK) {
        struct crypto_cert *cert = NULL;
        err = pem ? crypto_cert_pem(&file, &cert) : a->roots > before ? KEER_EMISSING : crypto_cert_der(file, &cert);
        if (err == KEER_OK && a->roots == APPSTORE_ROOTS_MAX) {
            crypto_cert_free(cert);
            return KEER_ELIMIT;
        }
        if (err == KEER_OK)
            a->root[a->roots++] = cert;
    }
    return err == KEER_EMISSING && a->roots > before ? KEER_OK : err;
}

void appstore_release(struct appstore *a)
{
    for (unsigned i = 0; i < a->roots; i++)
        crypto_cert_free(a->root[i]);
    *a = (struct appstore){0};
}

void appstore_event_of(const char *type, const char **ret_event, const char **ret_outcome)
{
    static const struct {
        const char *type, *event, *outcome;
    } types[] = {
#define APPSTORE_TYPE(name, event, outcome, meaning) {#name, event, outcome},
#include "flow/appstore_types.def"
#undef APPSTORE_TYPE
    };
    *ret_event = *ret_outcome = "";
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (strcmp(type, types[i].type) == 0) {
            *ret_event = types[i].event;
            *ret_outcome = types[i].outcome;
        }
    }
}

/* --- members --- */
struct reader {
    const struct appstore *a;
    struct appstore_notice *n;
    int64_t now_us;
    char *why;
    enum appstore_verdict verdict; /* the first that is not genuine stays */
};

KEER_PRINTF(3, 4) static bool bad(struct reader *r, enum appstore_verdict verdict, const char *fmt, ...)
{
    va_list ap;
    if (r->verdict != APPSTORE_GENUINE)
        return false;
    va_start(ap, fmt);
    (void)vsnprintf(r->why, APPSTORE_WHY_BYTES, fmt, ap);
    va_end(ap);
    r->verdict = verdict;
    return false;
}

static uint32_t there(const struct tape *t, uint32_t at, const char *name)
{
    uint32_t v = tape_find(t, at, name);
    return v == TAPE_NONE || tape_type(t, v) == TAPE_NULL ? TAPE_NONE : v;
}

/* A text of 1 to APPSTORE_TEXT_BYTES printable bytes; "" when it is not there and need not be. */
static bool text_of(struct reader *r, const struct tape *t, uint32_t at, const char *name, bool need, char *ret)
{
    uint32_t v = there(t, at, name);
    ret[0] = '\0';
    if (v == TAPE_NONE)
        return need ? bad(r, APPSTORE_GARBLED, "%s is missing", name) : true;
    struct slice s = tape_text(t, v);
    bool good = tape_type(t, v) == TAPE_STRING && s.len <= APPSTORE_TEXT_BYTES && (s.len || !need);
    for (size_t i = 0; good && i < s.len; i++)
        good = s.p[i] > ' ' && s.p[i] <= '~';
    if (!good)
        return bad(r, APPSTORE_GARBLED, "%s: a text of up to %d printable characters was expected", name,
                   APPSTORE_TEXT_BYTES);
    memcpy(ret, s.p, s.len);
    ret[s.len] = '\0';
    return true;
}

/* 8-4-4-4-12 hexadecimal digits, in lower case. */
static bool uuid_of(struct reader *r, const struct tape *t, uint32_t at, const char *name, bool need, char *ret)
{
    char text[APPSTORE_TEXT_BYTES + 1];
    if (!text_of(r, t, at, name, need, text))
        return false;
    ret[0] = '\0';
    if (!text[0])
        return true;
    bool good = strlen(text) == APPSTORE_UUID_BYTES;
    for (size_t i = 0; good && i < APPSTORE_UUID_BYTES; i++) {
        text[i] = ascii_lower(text[i]);
        good = i == 8 || i == 13 || i == 18 || i == 23 ? text[i] == '-'
                                                       : ascii_digit(text[i]) || (text[i] >= 'a' && text[i] <= 'f');
    }
    if (!good)
        return bad(r, APPSTORE_GARBLED, "%s: a UUID was expected", name);
    memcpy(ret, text, APPSTORE_UUID_BYTES + 1);
    return true;
}

/* Milliseconds since 1970; 0 when it is not there and need not be. */
static bool time_of(struct reader *r, const struct tape *t, uint32_t at, const char *name, bool need, int64_t *ret_us)
{
    int64_t ms = 0;
    uint32_t v = there(t, at, name);
    *ret_us = 0;
    if (v == TAPE_NONE)
        return need ? bad(r, APPSTORE_GARBLED, "%s is missing", name) : true;
    if (tape_type(t, v) != TAPE_INTEGER || num_i64(tape_text(t, v), 1, US_TIME_MAX / 1000, &ms) != KEER_OK)
        return bad(r, APPSTORE_GARBLED, "%s: milliseconds since 1970 were expected", name);
    *ret_us = ms * 1000;
    return true;
}

/* --- one JWS: parsed, verified at its own signedDate, its payload an object --- */
static bool verified(struct reader *r, const char *what, struct slice text, struct x5c *x, struct tape *t,
                     int64_t *ret_signed_us)
{
    struct tape_error why;
    enum keer_err err = x5c_parse(x, text);
    if (err == KEER_ENOMEM)
        return bad(r, APPSTORE_NO_MEMORY, "out of memory");
    if (err != KEER_OK)
        return bad(r, APPSTORE_FORGED, "%s: %s", what,
                   err == KEER_EUNSUPPORTED ? "it is not signed with ES256"
                   : err == KEER_ELIMIT     ? "it is too long"
                                            : "it is no JWS with three certificates in x5c");
    err = tape_read(t, x->payload, &limits, &why);
    if (err == KEER_ENOMEM)
        return bad(r, APPSTORE_NO_MEMORY, "out of memory");
    /* What can't be read can't be verified either, for want of its date. */
    if (err != KEER_OK || tape_type(t, 0) != TAPE_OBJECT)
        return bad(r, APPSTORE_FORGED, "%s: %s", what, err != KEER_OK ? why.text : "an object was expected");
    if (!time_of(r, t, 0, "signedDate", /* need */ true, ret_signed_us)) {
        r->verdict = APPSTORE_FORGED;
        return false;
    }
    if (*ret_signed_us > r->now_us + AHEAD_US)
        return bad(r, APPSTORE_FORGED, "%s: it is signed in the future", what);
    const struct x5c_expect e = {.roots = r->a->root,
                                 .root_count = r->a->roots,
                                 .leaf_oid = LEAF_OID,
                                 .between_oid = BETWEEN_OID,
                                 .at_us = *ret_signed_us};
    enum x5c_verdict v = x5c_verify(x, &e);
    return v == X5C_GOOD ? true : bad(r, APPSTORE_FORGED, "%s: %s", what, x5c_verdict_text(v));
}

/* The app and environment of a payload are ours, and those of the notice. */
static bool is_ours(struct reader *r, const char *what, const char *bundle, const char *environment)
{
    bool known = false;
    for (unsigned i = 0; i < r->a->bundles; i++)
        known = known || slice_eq(r->a->bundle[i], slice_str(bundle));
    if (!known)
        return bad(r, APPSTORE_FOREIGN, "%s: it is about another app", what);
    if (strcmp(environment, r->a->environment) != 0)
        return bad(r, APPSTORE_FOREIGN, "%s: it is not of the environment %s", what, r->a->environment);
    return r->n->bundle[0] == '\0' || strcmp(r->n->bundle, bundle) == 0
               ? true
               : bad(r, APPSTORE_FOREIGN, "%s: it is about another app than the notice", what);
}

/* Thousandths of the unit to minor units, when that is exact. */
static bool price_of(struct reader *r, const struct tape *t)
{
    char code[APPSTORE_TEXT_BYTES + 1];
    int64_t milli = 0;
    uint32_t v = there(t, 0, "price");
    if (!text_of(r, t, 0, "currency", false, code))
        return false;
    if (v == TAPE_NONE)
        return true;
    if (tape_type(t, v) != TAPE_INTEGER || num_i64(tape_text(t, v), 0, NUM_EXACT_MAX / 1000, &milli) != KEER_OK)
        return bad(r, APPSTORE_GARBLED, "price: thousandths of the currency's unit were expected");
    enum currency c = code[0] ? currency_parse(slice_str(code)) : CUR_MAX;
    static const int64_t step[] = {1000, 100, 10, 1};
    if (c == CUR_MAX || currency_exponent(c) >= ARRAY_LEN(step) || milli % step[currency_exponent(c)] != 0)
        return true;
    r->n->currency = c;
    r->n->amount_minor = milli / step[currency_exponent(c)];
    return true;
}

static bool read_transaction(struct reader *r, const struct tape *t)
{
    struct appstore_notice *n = r->n;
    char bundle[APPSTORE_TEXT_BYTES + 1], environment[APPSTORE_TEXT_BYTES + 1], ownership[APPSTORE_TEXT_BYTES + 1];
    if (!text_of(r, t, 0, "bundleId", true, bundle) || !text_of(r, t, 0, "environment", true, environment) ||
        !is_ours(r, "signedTransactionInfo", bundle, environment))
        return false;
    if (!text_of(r, t, 0, "transactionId", true, n->transaction) ||
        !text_of(r, t, 0, "originalTransactionId", false, n->original) ||
        !text_of(r, t, 0, "productId", false, n->product) || !uuid_of(r, t, 0, "appAccountToken", false, n->token) ||
        !time_of(r, t, 0, "purchaseDate", false, &n->purchased_us) ||
        !text_of(r, t, 0, "inAppOwnershipType", false, ownership))
        return false;
    n->family = strcmp(ownership, "FAMILY_SHARED") == 0;
    return price_of(r, t);
}

static bool read_renewal(struct reader *r, const struct tape *t)
{
    char environment[APPSTORE_TEXT_BYTES + 1];
    if (!text_of(r, t, 0, "environment", true, environment))
        return false;
    return strcmp(environment, r->a->environment) == 0
               ? true
               : bad(r, APPSTORE_FOREIGN, "signedRenewalInfo: it is not of the environment %s", r->a->environment);
}

/* A JWS inside the notice: verified by itself. */
static bool nested(struct reader *r, const struct tape *outer, uint32_t at, const char *name,
                   bool (*read)(struct reader *r, const struct tape *t))
{
    struct x5c x = {.certs = 0};
    struct tape t = {0};
    int64_t signed_us;
    uint32_t v = there(outer, at, name);
    if (v == TAPE_NONE)
        return true;
    bool good = tape_type(outer, v) == TAPE_STRING
                    ? verified(r, name, tape_text(outer, v), &x, &t, &signed_us) && read(r, &t)
                    : bad(r, APPSTORE_GARBLED, "%s: a text was expected", name);
    x5c_release(&x);
    tape_release(&t);
    return good;
}

/* Where app and environment stand: in one of four objects. */
static bool read_app(struct reader *r, const struct tape *t, uint32_t *ret_data)
{
    static const char *const places[] = {"data", "summary", "externalPurchaseToken", "appData"};
    struct appstore_notice *n = r->n;
    char bundle[APPSTORE_TEXT_BYTES + 1], external[APPSTORE_TEXT_BYTES + 1];
    uint32_t at = TAPE_NONE;
    size_t place = 0;
    for (size_t i = 0; at == TAPE_NONE && i < ARRAY_LEN(places); i++)
        if ((at = there(t, 0, places[i])) != TAPE_NONE)
            place = i;
    if (at == TAPE_NONE || tape_type(t, at) != TAPE_OBJECT)
        return bad(r, APPSTORE_GARBLED, "data is missing");
    if (!text_of(r, t, at, "bundleId", true, bundle) || !text_of(r, t, at, "environment", place != 2, n->environment))
        return false;
    /* The token of an external purchase has its environment in its name alone. */
    if (place == 2 && text_of(r, t, at, "externalPurchaseId", true, external))
        (void)snprintf(n->environment, sizeof n->environment, "%s",
                       strncmp(external, "SANDBOX", 7) == 0 ? "Sandbox" : "Production");
    if (!is_ours(r, "the notice", bundle, n->environment))
        return false;
    memcpy(n->bundle, bundle, sizeof bundle);
    *ret_data = place == 0 ? at : TAPE_NONE;
    return true;
}

static bool read_notice(struct reader *r, const struct tape *t)
{
    struct appstore_notice *n = r->n;
    char version[APPSTORE_TEXT_BYTES + 1];
    uint32_t data = TAPE_NONE;
    if (!text_of(r, t, 0, "notificationType", true, n->type) || !text_of(r, t, 0, "subtype", false, n->subtype) ||
        !text_of(r, t, 0, "version", false, version) || !uuid_of(r, t, 0, "notificationUUID", true, n->uuid))
        return false;
    if (version[0] && strncmp(version, "2.", 2) != 0)
        return bad(r, APPSTORE_GARBLED, "version: 2.0 was expected");
    if (!read_app(r, t, &data))
        return false;
    if (data == TAPE_NONE)
        return true;
    return text_of(r, t, data, "consumptionRequestReason", false, n->reason) &&
           nested(r, t, data, "signedTransactionInfo", read_transaction) &&
           nested(r, t, data, "signedRenewalInfo", read_renewal);
}

enum appstore_verdict appstore_read(const struct appstore *a, struct slice signed_payload, int64_t now_us,
                                    struct appstore_notice *ret, char ret_why[APPSTORE_WHY_BYTES])
{
    struct appstore_notice n = {.currency = CUR_MAX};
    struct reader r = {.a = a, .n = &n, .now_us = now_us, .why = ret_why, .verdict = APPSTORE_GENUINE};
    struct x5c x = {.certs = 0};
    struct tape t = {0};
    ret_why[0] = '\0';
    if (verified(&r, "signedPayload", signed_payload, &x, &t, &n.signed_us) && read_notice(&r, &t))
        *ret = n;
    x5c_release(&x);
    tape_release(&t);
    return r.verdict;
}

bool appstore_account_id(const char *uuid, struct id *ret_id)
{
    unsigned char bytes[16];
    char text[ID_BYTES + 1];
    size_t n = 0;
    for (const char *p = uuid; *p; p++) {
        uint64_t v;
        if (*p == '-')
            continue;
        if (n == 2 * sizeof bytes || num_hex(slice_of(p, 1), &v) != KEER_OK)
            return false;
        bytes[n / 2] = (unsigned char)(n % 2 ? (uint64_t)bytes[n / 2] << 4 | v : v);
        n++;
    }
    if (n != 2 * sizeof bytes)
        return false;
    base64url_text(bytes, sizeof bytes, text);
    return id_parse(slice_str(text), ret_id) == KEER_OK;
}
