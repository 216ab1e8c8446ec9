/* webauthn_client.c - client data: a JSON object, read member by member. */
#include "stepup/webauthn_client.h"

#include "base/base64.h"
#include "base/json.h"

/* What a browser writes is far below; the URL of an icon is in the bytes. */
static const struct tape_limits limits = {.bytes = WEBAUTHN_CLIENT_DATA_BYTES_MAX, .values = 512, .depth = 8, .keys = 64};

/* A member that is a string; an empty slice with p NULL when there is none. False when it is something else. */
static bool text_of(const struct tape *t, uint32_t object, const char *key, struct slice *ret_text)
{
    uint32_t i = tape_find(t, object, key);
    *ret_text = slice_of(NULL, 0);
    if (i == TAPE_NONE)
        return true;
    if (tape_type(t, i) != TAPE_STRING)
        return false;
    *ret_text = tape_text(t, i);
    return true;
}

/* A member that must be that string, or, when it is empty, must be absent or empty. */
static bool text_is(const struct tape *t, uint32_t object, const char *key, struct slice want)
{
    struct slice is;
    return text_of(t, object, key, &is) && slice_eq(is, want);
}

static bool in_list(struct slice s, const struct slice *list, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (slice_eq(list[i], s))
            return true;
    return false;
}

/* The challenge as base64url without padding, as 5.8.1 has the browser write it. */
static bool challenge_is(const struct tape *t, struct slice challenge)
{
    char want[BASE64URL_LEN(WEBAUTHN_CHALLENGE_BYTES_MAX) + 1];
    ASSERT(challenge.len >= 16 && challenge.len <= WEBAUTHN_CHALLENGE_BYTES_MAX);
    base64url_text(challenge.p, challenge.len, want);
    return text_is(t, 0, "challenge", slice_str(want));
}

/* 7.1 steps 10 and 11, 7.2 steps 13 and 14: `crossOrigin` and `topOrigin` only where a frame is expected. */
static enum webauthn_verdict check_frame(const struct tape *t, const struct webauthn_expect *expect)
{
    uint32_t cross = tape_find(t, 0, "crossOrigin"), top = tape_find(t, 0, "topOrigin");
    if (cross != TAPE_NONE && tape_type(t, cross) != TAPE_TRUE && tape_type(t, cross) != TAPE_FALSE)
        return WEBAUTHN_CLIENT_DATA;
    if (top != TAPE_NONE && tape_type(t, top) != TAPE_STRING)
        return WEBAUTHN_CLIENT_DATA;
    bool framed = cross != TAPE_NONE && tape_type(t, cross) == TAPE_TRUE;
    if (framed && !expect->framed)
        return WEBAUTHN_CROSS_ORIGIN;
    if (top != TAPE_NONE && (!expect->framed || !in_list(tape_text(t, top), expect->top_origins, expect->top_origins_count)))
        return WEBAUTHN_TOP_ORIGIN;
    return WEBAUTHN_OK;
}

/* Secure Payment Confirmation, 'Verifying an Authentication Assertion', what is inserted after step 13. We never ask for
 * logos of payment entities, so that none may have been shown. `rp` is an older name of `rpId`, and must say the same. */
static enum webauthn_verdict check_payment(const struct tape *t, const struct webauthn_payment *p)
{
    uint32_t payment = tape_find(t, 0, "payment");
    uint32_t total = payment == TAPE_NONE ? TAPE_NONE : tape_find(t, payment, "total");
    uint32_t instrument = payment == TAPE_NONE ? TAPE_NONE : tape_find(t, payment, "instrument");
    if (total == TAPE_NONE || instrument == TAPE_NONE)
        return WEBAUTHN_PAYMENT;
    ASSERT(p->rp_id.len && p->value.len && p->currency.len);
    uint32_t logos = tape_find(t, payment, "paymentEntitiesLogos");
    bool bare = logos == TAPE_NONE || (tape_type(t, logos) == TAPE_ARRAY && t->v[logos].len == 0);
    bool rp = tape_find(t, payment, "rp") == TAPE_NONE || text_is(t, payment, "rp", p->rp_id);
    bool same = text_is(t, payment, "rpId", p->rp_id) && text_is(t, payment, "topOrigin", p->top_origin) &&
                text_is(t, payment, "payeeName", p->payee_name) && text_is(t, payment, "payeeOrigin", p->payee_origin) &&
                text_is(t, total, "value", p->value) && text_is(t, total, "currency", p->currency) &&
                text_is(t, instrument, "displayName", p->instrument_name) &&
                text_is(t, instrument, "icon", p->instrument_icon) &&
                text_is(t, instrument, "details", p->instrument_details);
    return bare && rp && same ? WEBAUTHN_OK : WEBAUTHN_PAYMENT;
}

static enum webauthn_verdict check(const struct tape *t, const char *type, const struct webauthn_expect *expect)
{
    struct slice origin;
    if (tape_type(t, 0) != TAPE_OBJECT || !text_of(t, 0, "origin", &origin))
        return WEBAUTHN_CLIENT_DATA;
    if (!text_is(t, 0, "type", slice_str(type)))
        return WEBAUTHN_TYPE;
    if (!challenge_is(t, expect->challenge))
        return WEBAUTHN_CHALLENGE;
    if (!in_list(origin, expect->origins, expect->origins_count))
        return WEBAUTHN_ORIGIN;
    enum webauthn_verdict v = check_frame(t, expect);
    if (v == WEBAUTHN_OK && expect->payment)
        v = check_payment(t, expect->payment);
    return v;
}

enum keer_err client_data_check(struct slice client_data, const char *type, const struct webauthn_expect *expect,
                                enum webauthn_verdict *ret_verdict)
{
    static const struct slice mark = {"\xEF\xBB\xBF", 3};
    struct tape t = {0};
    struct tape_error why;
    enum keer_err err = KEER_OK;
    if (client_data.len >= mark.len && memcmp(client_data.p, mark.p, mark.len) == 0)
        client_data = slice_of(client_data.p + mark.len, client_data.len - mark.len);
    err = tape_read(&t, client_data, &limits, &why);
    if (err == KEER_OK)
        *ret_verdict = check(&t, type, expect);
    else if (err != KEER_ENOMEM) {
        *ret_verdict = WEBAUTHN_CLIENT_DATA;
        err = KEER_OK;
    }
    tape_release(&t);
    return err;
}
