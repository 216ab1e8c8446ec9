/* webauthn_vectors_test.c - the 15 test vectors of W3C (WebAuthn Level 3, 'Test Vectors'): each registration with its
 * verdict and what vouches for it, each assertion, and each of them with one bit changed. They are read from the shared
 * data.
 */
#include <jansson.h>

#include "base/buf.h"
#include "base/timefmt.h"
#include "lib/hex.h"
#include "lib/test.h"
#include "stepup/webauthn.h"

#define TEXT_BYTES 8192
static const int64_t algorithms[] = {-7, -35, -36, -257, -8, -53};
static const struct slice origins[] = {{"https://example.org", 19}}, tops[] = {{"https://example.com", 19}};

static json_t *vectors;
static struct crypto_cert *root;

/* NULL when there is no shared data. */
static json_t *load(void)
{
    const char *dir = shared_dir();
    char path[512];
    json_error_t why;
    if (!dir)
        return NULL;
    (void)snprintf(path, sizeof path, "%s/vectors/webauthn-vectors.json", dir);
    json_t *doc = json_load_file(path, 0, &why);
    if (!doc)
        printf("skipped: no webauthn-vectors.json in the shared data\n");
    return doc;
}

/* The bytes of a member, in `room`. */
static struct slice member(json_t *o, const char *key, char *room)
{
    const char *hex = json_string_value(json_object_get(o, key));
    ck_assert_ptr_nonnull(hex);
    return hex_bytes(hex, room, TEXT_BYTES);
}

static struct webauthn_expect expectation(void)
{
    struct webauthn_expect e = {.rp_id = SLICE("example.org"),
                                .origins = origins,
                                .origins_count = 1,
                                .framed = true,
                                .top_origins = tops,
                                .top_origins_count = 1,
                                .algorithms = algorithms,
                                .algorithms_count = ARRAY_LEN(algorithms),
                                .roots = &root,
                                .roots_count = 1,
                                .now_us = 1793750400 * US_SECOND}; /* 2026-11-04 */
    return e;
}

/* What comes out of each registration. */
static const struct row {
    const char *id;
    enum attest_format format;
    enum attest_trust trust;
    int64_t algorithm;
} rows[] = {
    {"none-es256", ATTEST_NONE, ATTEST_NOTHING, -7},
    {"packed-self-es256", ATTEST_PACKED, ATTEST_SELF, -7},
    {"none-es256-crossOrigin", ATTEST_NONE, ATTEST_NOTHING, -7},
    {"none-es256-topOrigin", ATTEST_NONE, ATTEST_NOTHING, -7},
    {"none-es256-long-credential-id", ATTEST_NONE, ATTEST_NOTHING, -7},
    {"packed-es256", ATTEST_PACKED, ATTEST_TRUSTED, -7},
    {"packed-es384", ATTEST_PACKED, ATTEST_TRUSTED, -35},
    {"packed-es512", ATTEST_PACKED, ATTEST_TRUSTED, -36},
    {"packed-rs256", ATTEST_PACKED, ATTEST_TRUSTED, -257},
    {"packed-eddsa", ATTEST_PACKED, ATTEST_TRUSTED, -8},
    {"packed-ed448", ATTEST_PACKED, ATTEST_TRUSTED, -53},
    {"tpm-es256", ATTEST_TPM, ATTEST_TRUSTED, -7},
    {"android-key-es256", ATTEST_ANDROID_KEY, ATTEST_UNTRUSTED,
     -7}, /* its lists are empty: where the key is from isn't said */
    {"apple-es256", ATTEST_APPLE, ATTEST_TRUSTED, -7},
    {"fido-u2f-es256", ATTEST_FIDO_U2F, ATTEST_TRUSTED, -7},
};

struct ceremony {
    char challenge[TEXT_BYTES], client_data[TEXT_BYTES], object[TEXT_BYTES], data[TEXT_BYTES], signature[TEXT_BYTES];
    struct webauthn_expect expect;
    struct webauthn_registration registration;
    struct webauthn_assertion assertion;
};

static void registration_of(json_t *v, struct ceremony *c)
{
    json_t *r = json_object_get(v, "registration");
    c->expect = expectation();
    c->expect.challenge = member(r, "challenge", c->challenge);
    c->registration.client_data = member(r, "clientDataJSON", c->client_data);
    c->registration.attestation_object = member(r, "attestationObject", c->object);
}

static void assertion_of(json_t *v, struct ceremony *c)
{
    json_t *a = json_object_get(v, "authentication");
    c->expect = expectation();
    c->expect.challenge = member(a, "challenge", c->challenge);
    c->assertion.client_data = member(a, "clientDataJSON", c->client_data);
    c->assertion.authenticator_data = member(a, "authenticatorData", c->data);
    c->assertion.signature = member(a, "signature", c->signature);
}

START_TEST(every_registration_has_its_verdict)
{
    static struct ceremony c;
    static char id_room[TEXT_BYTES], aaguid_room[TEXT_BYTES];
    struct webauthn_registered r;
    if (!vectors)
        return;
    json_t *list = json_object_get(vectors, "vectors");
    ck_assert_uint_eq(json_array_size(list), ARRAY_LEN(rows));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_t *v = json_array_get(list, i), *given = json_object_get(v, "registration");
        ck_assert_str_eq(json_string_value(json_object_get(v, "id")), rows[i].id);
        registration_of(v, &c);
        ck_ok(webauthn_register(&c.expect, &c.registration, &r));
        ck_assert_msg(r.verdict == WEBAUTHN_OK, "%s: %s", rows[i].id, webauthn_verdict_text(r.verdict));
        ck_assert_msg(r.format == rows[i].format && r.trust == rows[i].trust && r.algorithm == rows[i].algorithm,
                      "%s: %s, %s, %lld", rows[i].id, attest_format_name(r.format), attest_trust_name(r.trust),
                      (long long)r.algorithm);
        ck_slice_eq(r.credential_id, member(given, "credential_id", id_room));
        ck_slice_eq(slice_of((const char *)r.aaguid, AAGUID_BYTES), member(given, "aaguid", aaguid_room));
        /* Without the root, and one that wants trust. */
        c.expect.roots_count = 0;
        ck_ok(webauthn_register(&c.expect, &c.registration, &r));
        ck_assert(r.verdict == WEBAUTHN_OK &&
                  r.trust == (rows[i].trust == ATTEST_TRUSTED ? ATTEST_UNTRUSTED : rows[i].trust));
        c.expect.trusted = true;
        ck_ok(webauthn_register(&c.expect, &c.registration, &r));
        ck_assert(r.verdict == WEBAUTHN_UNTRUSTED);
    }
}
END_TEST

static void authenticate(json_t *v, struct ceremony *reg, struct ceremony *c, struct webauthn_authenticated *ret)
{
    struct webauthn_registered r;
    registration_of(v, reg);
    ck_ok(webauthn_register(&reg->expect, &reg->registration, &r));
    assertion_of(v, c);
    struct webauthn_credential stored = {r.credential_id, r.public_key, SLICE("user"), r.counter, r.backup_eligible};
    c->assertion.credential_id = r.credential_id;
    c->assertion.user_handle = SLICE("user");
    ck_ok(webauthn_authenticate(&c->expect, &stored, &c->assertion, ret));
}

START_TEST(every_assertion_verifies)
{
    static struct ceremony reg, c;
    struct webauthn_authenticated a;
    if (!vectors)
        return;
    json_t *list = json_object_get(vectors, "vectors");
    unsigned accepted = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        authenticate(json_array_get(list, i), &reg, &c, &a);
        ck_assert_msg(a.verdict == WEBAUTHN_OK, "%s: %s", rows[i].id, webauthn_verdict_text(a.verdict));
        ck_assert(!a.counter_back && !a.eligible_turned);
        accepted++;
    }
    ck_assert_uint_eq(accepted, 15);
}
END_TEST

/* Each byte of authenticator data and of the attestation statement, and enough of a signature: one bit changed refuses. */
START_TEST(a_changed_bit_refuses)
{
    static struct ceremony reg, c;
    struct webauthn_registered r;
    struct webauthn_authenticated a;
    if (!vectors)
        return;
    json_t *list = json_object_get(vectors, "vectors");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_t *v = json_array_get(list, i);
        authenticate(v, &reg, &c, &a);
        ck_ok(webauthn_register(&reg.expect, &reg.registration, &r));
        struct webauthn_credential stored = {r.credential_id, r.public_key, SLICE("user"), r.counter, r.backup_eligible};
        char *parts[] = {c.data, c.signature, c.client_data};
        size_t lens[] = {c.assertion.authenticator_data.len, c.assertion.signature.len, c.assertion.client_data.len};
        for (size_t p = 0; p < ARRAY_LEN(parts); p++)
            for (size_t k = 0; k < lens[p]; k += 7) {
                parts[p][k] = (char)(parts[p][k] ^ 1);
                ck_ok(webauthn_authenticate(&c.expect, &stored, &c.assertion, &a));
                ck_assert_msg(a.verdict != WEBAUTHN_OK, "%s: part %zu byte %zu", rows[i].id, p, k);
                parts[p][k] = (char)(parts[p][k] ^ 1);
            }
        if (rows[i].trust == ATTEST_NOTHING)
            continue;
        struct crypto_hash h;
        crypto_sha256(SLICE("example.org"), &h);
        const char *hash = memmem(reg.object, reg.registration.attestation_object.len, h.bytes, sizeof h.bytes);
        size_t unsigned_from =
            (size_t)(hash - reg.object) + sizeof h.bytes; /* flags, counter, aaguid: 8.6 signs none of these */
        for (size_t k = 0; k < reg.registration.attestation_object.len; k += 5) {
            struct webauthn_registered bad;
            if (rows[i].format == ATTEST_FIDO_U2F && k >= unsigned_from && k < unsigned_from + 1 + 4 + AAGUID_BYTES)
                continue;
            reg.object[k] = (char)(reg.object[k] ^ 4);
            ck_ok(webauthn_register(&reg.expect, &reg.registration, &bad));
            /* In a certificate, what its own signature covers shows in the chain alone. */
            ck_assert_msg(bad.verdict != WEBAUTHN_OK || bad.trust != ATTEST_TRUSTED, "%s: byte %zu", rows[i].id, k);
            reg.object[k] = (char)(reg.object[k] ^ 4);
        }
    }
}
END_TEST

START_TEST(frames_are_accepted_where_they_are_expected)
{
    static struct ceremony reg;
    struct webauthn_registered r;
    if (!vectors)
        return;
    json_t *list = json_object_get(vectors, "vectors");
    registration_of(json_array_get(list, 2), &reg); /* crossOrigin */
    reg.expect.framed = false;
    ck_ok(webauthn_register(&reg.expect, &reg.registration, &r));
    ck_assert_int_eq(r.verdict, WEBAUTHN_CROSS_ORIGIN);
    registration_of(json_array_get(list, 3), &reg); /* topOrigin */
    reg.expect.top_origins_count = 0;
    ck_ok(webauthn_register(&reg.expect, &reg.registration, &r));
    ck_assert_int_eq(r.verdict, WEBAUTHN_TOP_ORIGIN);
}
END_TEST

static void setup(void)
{
    static char room[TEXT_BYTES];
    ck_ok(crypto_start());
    vectors = load();
    if (!vectors)
        return;
    ck_ok(crypto_cert_der(member(json_object_get(vectors, "attestationRoot"), "attestation_ca_cert", room), &root));
}

static void teardown(void)
{
    crypto_cert_free(root);
    json_decref(vectors);
}

int main(void)
{
    Suite *s = suite_create("webauthn_vectors");
    TCase *t = tcase_create("webauthn_vectors");
    tcase_set_timeout(t, 120);
    tcase_add_unchecked_fixture(t, setup, teardown);
    tcase_add_test(t, every_registration_has_its_verdict);
    tcase_add_test(t, every_assertion_verifies);
    tcase_add_test(t, a_changed_bit_refuses);
    tcase_add_test(t, frames_are_accepted_where_they_are_expected);
    suite_add_tcase(s, t);
    return test_main(s);
}
