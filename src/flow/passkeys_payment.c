/* passkeys_payment.c - Secure Payment Confirmation: what was to be shown, as a question and as what an answer is compared
 * with. */
#include "base/base64.h"
#include "flow/passkeys_inside.h"

static struct slice member(const struct tape *t, const char *name)
{
    uint32_t i = tape_find(t, 0, name);
    return i != TAPE_NONE && tape_type(t, i) == TAPE_STRING ? tape_text(t, i) : slice_of("", 0);
}

static struct slice first_of(struct slice a, struct slice b, struct slice c) { return a.len ? a : b.len ? b : c; }

enum keer_err passkeys_shown_read(const struct passkeys *p, const struct challenge *c, struct passkeys_shown *ret)
{
    static const struct tape_limits limits = {.bytes = CHALLENGE_SHOWN_BYTES, .values = 64, .depth = 2, .keys = 32};
    struct tape_error why;
    *ret = (struct passkeys_shown){0};
    enum keer_err err = tape_read(&ret->tape, slice_str(c->shown), &limits, &why);
    if (err != KEER_OK)
        return err;
    const struct tape *t = &ret->tape;
    ret->payment = (struct webauthn_payment){
        .rp_id = slice_str(p->rp_id),
        .payee_name = member(t, "payee"),
        .payee_origin = member(t, "payee_origin"),
        .value = member(t, "amount"),
        .currency = member(t, "currency"),
        .instrument_name = first_of(member(t, "agreement"), member(t, "wallet"), slice_str(p->accounts->words.service)),
        .instrument_icon = SLICE(PASSKEYS_ICON)};
    /* A payee's address that is no origin is on our page, in the hash, and not in the browser's window. */
    if (!passkeys_is_origin(ret->payment.payee_origin))
        ret->payment.payee_origin = slice_of("", 0);
    return ret->payment.value.len && ret->payment.currency.len && ret->payment.payee_name.len ? KEER_OK : KEER_EFORMAT;
}

void passkeys_shown_release(struct passkeys_shown *s) { tape_release(&s->tape); }

static void put(struct buf *out, const char *before, struct slice text)
{
    buf_puts(out, before);
    buf_json(out, text);
}

void passkeys_print_payment(const struct passkeys_shown *s, struct slice challenge, struct slice ids, struct buf *out)
{
    const struct webauthn_payment *m = &s->payment;
    put(out, ",\"payment\":{\"data\":{\"rpId\":", m->rp_id);
    buf_puts(out, ",\"challenge\":\"");
    base64url_put(out, challenge);
    buf_puts(out, "\",\"credentialIds\":[");
    buf_slice(out, ids);
    put(out, "],\"instrument\":{\"displayName\":", m->instrument_name);
    put(out, ",\"icon\":", m->instrument_icon);
    put(out, "},\"payeeName\":", m->payee_name);
    if (m->payee_origin.len)
        put(out, ",\"payeeOrigin\":", m->payee_origin);
    buf_fmt(out, ",\"timeout\":%d}", PASSKEY_TIMEOUT_MS);
    put(out, ",\"total\":{\"currency\":", m->currency);
    put(out, ",\"value\":", m->value);
    buf_puts(out, "}}");
}
