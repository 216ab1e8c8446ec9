/* passkey_json.c - WebAuthn's dictionaries as JSON. */
#include "flow/passkey_json.h"

#include "base/base64.h"

/* Preferred first: ES256 is what nearly every authenticator has. */
const int64_t passkey_algorithms[] = {-7, -8, -257, -35, -36, -53, -19};
const unsigned passkey_algorithms_count = ARRAY_LEN(passkey_algorithms);

#define ROOM_BYTES (2 * CBOR_BYTES_MAX)
#define DATA_BYTES_MAX 8192u

/* --- answers --- */

/* A member in base64url of 1 to `max` bytes, appended to the room; its place there. An absent one is empty when it may be.
 */
static enum keer_err read_member(const struct tape *t, uint32_t object, const char *name, size_t max, bool required,
                                 struct buf *room, size_t *ret_from, size_t *ret_len, bool *good)
{
    uint32_t i = tape_find(t, object, name);
    *ret_from = room->len;
    *ret_len = 0;
    bool null = i != TAPE_NONE && tape_type(t, i) == TAPE_NULL; /* userHandle is null in some browsers */
    if (i == TAPE_NONE || (null && !required)) {
        *good = *good && !required;
        return KEER_OK;
    }
    if (tape_type(t, i) != TAPE_STRING || tape_text(t, i).len > BASE64URL_LEN(max)) {
        *good = false;
        return KEER_OK;
    }
    enum keer_err err = base64url_append(room, tape_text(t, i));
    if (err == KEER_ENOMEM || room->err == KEER_ENOMEM)
        return KEER_ENOMEM;
    *ret_len = room->len - *ret_from;
    *good = *good && err == KEER_OK && room->err == KEER_OK && *ret_len <= max && (*ret_len > 0 || !required);
    return KEER_OK;
}

static void read_transports(const struct tape *t, uint32_t response, struct passkey_reply *r)
{
    struct buf words;
    uint32_t list = tape_find(t, response, "transports");
    buf_init(&words, 256); /* what is beyond is left out, as what is not known */
    if (list != TAPE_NONE && tape_type(t, list) == TAPE_ARRAY)
        for (uint32_t i = list + 1; i < t->v[list].next; i = t->v[i].next)
            if (tape_type(t, i) == TAPE_STRING) {
                buf_slice(&words, tape_text(t, i));
                buf_char(&words, ' ');
            }
    passkey_transports(buf_view(&words), r->transports);
    buf_release(&words);
}

enum keer_err passkey_reply_read(const struct tape *t, uint32_t credential, bool registration,
                                 struct passkey_reply *ret_reply, bool *ret_good)
{
    struct passkey_reply *r = ret_reply;
    bool good = true;
    const struct {
        uint32_t object;
        const char *name;
        size_t max;
        bool wanted, required;
        struct slice *ret;
    } members[] = {
        {credential, "rawId", CREDENTIAL_ID_BYTES_MAX, true, true, &r->id},
        {tape_find(t, credential, "response"), "clientDataJSON", WEBAUTHN_CLIENT_DATA_BYTES_MAX, true, true,
         &r->client_data},
        {tape_find(t, credential, "response"), "attestationObject", CBOR_BYTES_MAX, registration, true, &r->object},
        {tape_find(t, credential, "response"), "authenticatorData", DATA_BYTES_MAX, !registration, true,
         &r->authenticator_data},
        {tape_find(t, credential, "response"), "signature", WEBAUTHN_SIGNATURE_BYTES_MAX, !registration, true,
         &r->signature},
        {tape_find(t, credential, "response"), "userHandle", WEBAUTHN_USER_HANDLE_BYTES_MAX, !registration, false,
         &r->user_handle},
    };
    size_t from[ARRAY_LEN(members)] = {0}, len[ARRAY_LEN(members)] = {0};
    *r = (struct passkey_reply){0};
    buf_init(&r->room, ROOM_BYTES);
    uint32_t type = tape_find(t, credential, "type"), response = tape_find(t, credential, "response");
    if (type == TAPE_NONE || tape_type(t, type) != TAPE_STRING || !slice_eq(tape_text(t, type), SLICE("public-key")) ||
        response == TAPE_NONE || tape_type(t, response) != TAPE_OBJECT)
        good = false;
    for (size_t i = 0; good && i < ARRAY_LEN(members); i++) {
        if (!members[i].wanted)
            continue;
        enum keer_err err = read_member(t, members[i].object, members[i].name, members[i].max, members[i].required, &r->room,
                                        &from[i], &len[i], &good);
        if (err != KEER_OK)
            return err;
    }
    for (size_t i = 0; good && i < ARRAY_LEN(members); i++) /* now that the room does not move any more */
        *members[i].ret = slice_of(r->room.p + from[i], len[i]);
    if (good && registration)
        read_transports(t, response, r);
    *ret_good = good;
    return KEER_OK;
}

void passkey_reply_release(struct passkey_reply *r) { buf_release(&r->room); }

/* --- questions --- */

static void put_base64url(struct buf *out, struct slice bytes)
{
    buf_char(out, '"');
    base64url_put(out, bytes);
    buf_char(out, '"');
}

void passkey_print_descriptor(const struct passkey *p, struct buf *out)
{
    buf_puts(out, "{\"type\":\"public-key\",\"id\":");
    put_base64url(out, slice_of((const char *)p->credential, p->credential_len));
    if (p->transports[0]) {
        buf_puts(out, ",\"transports\":[");
        struct slice rest = slice_str(p->transports);
        for (bool first = true; rest.p; first = false) {
            buf_puts(out, first ? "" : ",");
            buf_json(out, slice_cut(&rest, ' '));
        }
        buf_char(out, ']');
    }
    buf_char(out, '}');
}

void passkey_print_creation(const struct passkey_creation *c, struct buf *out)
{
    buf_puts(out, "{\"rp\":{\"id\":");
    buf_json(out, c->rp_id);
    buf_puts(out, ",\"name\":");
    buf_json(out, c->service);
    buf_puts(out, "},\"user\":{\"id\":");
    put_base64url(out, c->user_id);
    buf_puts(out, ",\"name\":");
    buf_json(out, c->user_name);
    buf_puts(out, ",\"displayName\":");
    buf_json(out, c->display_name);
    buf_puts(out, "},\"challenge\":");
    put_base64url(out, c->challenge);
    buf_puts(out, ",\"pubKeyCredParams\":[");
    for (unsigned i = 0; i < passkey_algorithms_count; i++)
        buf_fmt(out, "%s{\"type\":\"public-key\",\"alg\":%lld}", i ? "," : "", (long long)passkey_algorithms[i]);
    buf_fmt(out, "],\"timeout\":%d,\"excludeCredentials\":[", PASSKEY_TIMEOUT_MS);
    buf_slice(out, c->exclude);
    /* Discoverable, so that it signs in without a name; for payments Chromium takes no other than the device's own. */
    buf_fmt(out,
            "],\"authenticatorSelection\":{%s\"residentKey\":\"required\",\"requireResidentKey\":true,"
            "\"userVerification\":\"required\"},\"attestation\":\"%s\",\"extensions\":{\"credProps\":true%s}}",
            c->payment ? "\"authenticatorAttachment\":\"platform\"," : "", c->attested ? "direct" : "none",
            c->payment ? ",\"payment\":{\"isPayment\":true}" : "");
}

void passkey_print_request(const struct passkey_request *r, struct buf *out)
{
    buf_puts(out, "{\"rpId\":");
    buf_json(out, r->rp_id);
    buf_puts(out, ",\"challenge\":");
    put_base64url(out, r->challenge);
    buf_fmt(out, ",\"timeout\":%d,\"userVerification\":\"required\",\"allowCredentials\":[", PASSKEY_TIMEOUT_MS);
    buf_slice(out, r->allow);
    buf_puts(out, "]}");
}
