/* webauthn_fuzz.c - any bytes as the answer of a browser: client data, attestation objects with all their formats,
 * assertions and payments. What is accepted holds what a verdict promises, comes out the same again, and is not accepted as
 * another kind.
 *
 *   mode | challenge 32 | length 2, client data | a registration: the attestation object
 *                                               | else: length 2, public key | length 2, authenticator data | signature
 */
#include "stepup/attest_der.h"
#include "stepup/webauthn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct slice origins[] = {{"https://example.org", 19}}, tops[] = {{"https://example.com", 19}};
static const int64_t algorithms[] = {-7, -35, -36, -257, -8, -53};

static struct slice take(struct slice *rest, size_t len)
{
    struct slice s = slice_of(rest->p, MIN_OF(len, rest->len));
    *rest = slice_of(rest->p + s.len, rest->len - s.len);
    return s;
}

static struct slice take_sized(struct slice *rest)
{
    struct slice n = take(rest, 2);
    return n.len < 2 ? n : take(rest, (size_t)(uint8_t)n.p[0] << 8 | (uint8_t)n.p[1]);
}

static void check_registration(const struct webauthn_expect *e, struct slice client, struct slice object)
{
    struct webauthn_registration given = {client, object};
    struct webauthn_registered r = {0}, again = {0};
    enum keer_err err = webauthn_register(e, &given, &r);
    ASSERT(err == webauthn_register(e, &given, &again) && (err == KEER_OK || err == KEER_ENOMEM));
    ASSERT(r.verdict == again.verdict && r.verdict < WEBAUTHN_VERDICT_MAX && r.trust == again.trust);
    if (err != KEER_OK || r.verdict != WEBAUTHN_OK)
        return;
    ASSERT(r.credential_id.len >= 1 && r.credential_id.len <= CREDENTIAL_ID_BYTES_MAX && r.public_key.len > 0);
    ASSERT(r.trust != ATTEST_TRUSTED && r.user_verified && (r.backup_eligible || !r.backed_up));
    struct cose_key key;
    err = cose_key_parse(r.public_key, &key);
    ASSERT(err == KEER_OK && key.number == r.algorithm && !crypto_key_private(key.key));
    crypto_key_free(key.key);
}

static void check_assertion(struct webauthn_expect *e, struct slice client, struct slice rest)
{
    static const struct webauthn_payment payment = {.rp_id = {"example.org", 11},
                                                    .top_origin = {"https://shop.example", 20},
                                                    .payee_name = {"Example store", 13},
                                                    .payee_origin = {"https://shop.example", 20},
                                                    .value = {"6.48", 4},
                                                    .currency = {"EUR", 3},
                                                    .instrument_name = {"Wallet", 6},
                                                    .instrument_icon = {"https://example.org/icon.png", 28}};
    struct webauthn_credential stored = {.id = SLICE("id"), .user_handle = SLICE("user"), .counter = 7};
    struct webauthn_assertion given = {.credential_id = SLICE("id"), .client_data = client, .user_handle = SLICE("user")};
    struct webauthn_authenticated sign_in = {0}, paid = {0};
    stored.public_key = take_sized(&rest);
    given.authenticator_data = take_sized(&rest);
    given.signature = rest;
    enum keer_err err = webauthn_authenticate(e, &stored, &given, &sign_in);
    e->payment = &payment;
    ASSERT(err == KEER_OK && webauthn_authenticate(e, &stored, &given, &paid) == KEER_OK);
    ASSERT(sign_in.verdict != WEBAUTHN_OK || paid.verdict != WEBAUTHN_OK);
    ASSERT(sign_in.verdict != WEBAUTHN_OK || sign_in.user_verified);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool started;
    struct slice rest = slice_of((const char *)data, size);
    if (!started) {
        enum keer_err err = crypto_start();
        ASSERT(err == KEER_OK);
        started = true;
    }
    if (size < 64)
        return 0;
    char mode = take(&rest, 1).p[0];
    struct slice challenge = take(&rest, 32), client = take_sized(&rest);
    struct webauthn_expect e = {.challenge = challenge,
                                .rp_id = SLICE("example.org"),
                                .origins = origins,
                                .origins_count = 1,
                                .framed = mode & 2,
                                .top_origins = tops,
                                .top_origins_count = 1,
                                .user_verified = true,
                                .algorithms = algorithms,
                                .algorithms_count = ARRAY_LEN(algorithms),
                                .now_us = 1795950000000000};
    (void)der_whole(rest);
    if (mode & 1)
        check_assertion(&e, client, rest);
    else
        check_registration(&e, client, rest);
    return 0;
}
