/* webauthn.c - the two ceremonies of WebAuthn, step by step (Level 3, 7.1 and 7.2). */
#include "stepup/webauthn.h"

#include "stepup/webauthn_client.h"

static const struct {
    const char *name, *text;
} verdicts[] = {
#define WEBAUTHN_VERDICT(name, text) {#name, text},
#include "stepup/webauthn.def"
#undef WEBAUTHN_VERDICT
};
static_assert(ARRAY_LEN(verdicts) == WEBAUTHN_VERDICT_MAX, "a row each");

const char *webauthn_verdict_name(enum webauthn_verdict v) { return verdicts[v].name; }
const char *webauthn_verdict_text(enum webauthn_verdict v) { return verdicts[v].text; }

static struct slice hash_of(struct slice s, struct crypto_hash *h)
{
    crypto_sha256(s, h);
    return slice_of((const char *)h->bytes, sizeof h->bytes);
}

/* 7.1 steps 14 to 17, 7.2 steps 16 to 19: what both ceremonies ask of authenticator data. */
static enum webauthn_verdict check_data(const struct auth_data *d, const struct webauthn_expect *expect)
{
    struct crypto_hash h;
    if (!slice_eq(d->rp_id_hash, hash_of(expect->rp_id, &h)))
        return WEBAUTHN_RP_ID;
    if (!(d->flags & AUTH_UP))
        return WEBAUTHN_USER_PRESENT;
    if (expect->user_verified && !(d->flags & AUTH_UV))
        return WEBAUTHN_USER_VERIFIED;
    if (!(d->flags & AUTH_BE) && d->flags & AUTH_BS)
        return WEBAUTHN_BACKUP_FLAGS;
    return WEBAUTHN_OK;
}

/* --- 7.1, a new credential ---------------------------------------------------------------------------------------- */

/* An attestation object, opened. */
struct opened {
    struct cbor_item object, format, statement;
    struct auth_data data;
    struct cose_key key;
};

static bool offered(const struct webauthn_expect *expect, int64_t number)
{
    for (unsigned i = 0; i < expect->algorithms_count; i++)
        if (expect->algorithms[i] == number)
            return true;
    return false;
}

/* 7.1 step 13: the object's three members, and what stands in the authenticator data. */
static enum keer_err open_object(struct slice bytes, struct opened *o, enum webauthn_verdict *ret_verdict)
{
    struct cbor_item data;
    *ret_verdict = WEBAUTHN_ATTESTATION_OBJECT;
    if (cbor_read_all(bytes, &o->object) != KEER_OK || !cbor_find_kind(&o->object, "fmt", CBOR_TEXT, &o->format) ||
        !cbor_find_kind(&o->object, "attStmt", CBOR_MAP, &o->statement) ||
        !cbor_find_kind(&o->object, "authData", CBOR_BYTES, &data))
        return KEER_OK;
    *ret_verdict = WEBAUTHN_AUTHENTICATOR_DATA;
    if (auth_data_read(data.inside, &o->data) != KEER_OK || !(o->data.flags & AUTH_AT))
        return KEER_OK;
    enum keer_err err = cose_key_read(&o->data.public_key, &o->key);
    if (err == KEER_ENOMEM)
        return err;
    *ret_verdict = err == KEER_OK ? WEBAUTHN_OK : err == KEER_EUNSUPPORTED ? WEBAUTHN_ALGORITHM : WEBAUTHN_PUBLIC_KEY;
    return KEER_OK;
}

/* 7.1 steps 18 and 25: the algorithm was offered, the credential id is not too long. */
static enum webauthn_verdict check_credential(const struct opened *o, const struct webauthn_expect *expect)
{
    if (!offered(expect, o->key.number))
        return WEBAUTHN_ALGORITHM;
    if (o->data.credential_id.len == 0 || o->data.credential_id.len > CREDENTIAL_ID_BYTES_MAX)
        return WEBAUTHN_CREDENTIAL_ID;
    return WEBAUTHN_OK;
}

/* Steps 21 to 24. */
static enum keer_err check_attestation(const struct opened *o, const struct webauthn_expect *expect, struct slice hash,
                                       struct webauthn_registered *r)
{
    struct attest_given given = {.format = o->format.inside,
                                 .statement = o->statement,
                                 .data = &o->data,
                                 .client_data_hash = hash,
                                 .key = &o->key,
                                 .roots = expect->roots,
                                 .roots_count = expect->roots_count,
                                 .now_us = expect->now_us};
    struct attest_result a;
    enum keer_err err = attest_check(&given, &a);
    if (err != KEER_OK)
        return err;
    r->verdict = a.verdict;
    r->format = a.format;
    r->trust = a.trust;
    if (a.verdict == WEBAUTHN_OK && expect->trusted && a.trust != ATTEST_TRUSTED)
        r->verdict = WEBAUTHN_UNTRUSTED;
    return KEER_OK;
}

static void fill(const struct opened *o, struct webauthn_registered *r)
{
    r->credential_id = o->data.credential_id;
    r->public_key = o->data.public_key.whole;
    r->algorithm = o->key.number;
    r->counter = o->data.counter;
    r->user_verified = o->data.flags & AUTH_UV;
    r->backup_eligible = o->data.flags & AUTH_BE;
    r->backed_up = o->data.flags & AUTH_BS;
    memcpy(r->aaguid, o->data.aaguid.p, AAGUID_BYTES);
}

enum keer_err webauthn_register(const struct webauthn_expect *expect, const struct webauthn_registration *given,
                                struct webauthn_registered *ret_result)
{
    struct webauthn_registered r = {0};
    struct opened o = {0};
    struct crypto_hash h;
    enum keer_err err = client_data_check(given->client_data, "webauthn.create", expect, &r.verdict);
    if (err == KEER_OK && r.verdict == WEBAUTHN_OK)
        err = open_object(given->attestation_object, &o, &r.verdict);
    if (err == KEER_OK && r.verdict == WEBAUTHN_OK)
        r.verdict = check_data(&o.data, expect);
    if (err == KEER_OK && r.verdict == WEBAUTHN_OK)
        r.verdict = check_credential(&o, expect);
    if (err == KEER_OK && r.verdict == WEBAUTHN_OK)
        err = check_attestation(&o, expect, hash_of(given->client_data, &h), &r);
    if (err == KEER_OK && r.verdict == WEBAUTHN_OK)
        fill(&o, &r);
    if (err == KEER_OK)
        *ret_result = r;
    crypto_key_free(o.key.key);
    return err;
}

/* --- 7.2, an assertion ------------------------------------------------------------------------------------------- */

/* Steps 5 and 6: it is that credential, and its user. */
static enum webauthn_verdict check_owner(const struct webauthn_expect *expect, const struct webauthn_credential *c,
                                         const struct webauthn_assertion *given)
{
    if (!slice_eq(given->credential_id, c->id))
        return WEBAUTHN_CREDENTIAL_ID;
    if (given->user_handle.len == 0 ? expect->user_handle : !slice_eq(given->user_handle, c->user_handle))
        return WEBAUTHN_USER_HANDLE;
    return WEBAUTHN_OK;
}

/* Steps 20 and 21: the signature over the authenticator data and the hash of the client data. */
static enum keer_err check_signature(const struct webauthn_credential *c, const struct webauthn_assertion *given,
                                     enum webauthn_verdict *ret_verdict)
{
    struct cose_key key;
    struct crypto_hash h;
    struct buf b;
    enum keer_err err = cose_key_parse(c->public_key, &key);
    if (err != KEER_OK) { /* it was read when it was registered */
        *ret_verdict = WEBAUTHN_PUBLIC_KEY;
        return err == KEER_ENOMEM ? err : KEER_OK;
    }
    buf_init(&b, CBOR_BYTES_MAX + CRYPTO_HASH_BYTES);
    buf_slice(&b, given->authenticator_data);
    buf_slice(&b, hash_of(given->client_data, &h));
    err = b.err;
    if (err == KEER_OK)
        *ret_verdict = crypto_key_verify(key.key, key.alg, CRYPTO_DER, buf_view(&b), given->signature) ? WEBAUTHN_OK
                                                                                                       : WEBAUTHN_SIGNATURE;
    buf_release(&b);
    crypto_key_free(key.key);
    return err;
}

enum keer_err webauthn_authenticate(const struct webauthn_expect *expect, const struct webauthn_credential *credential,
                                    const struct webauthn_assertion *given, struct webauthn_authenticated *ret_result)
{
    struct webauthn_authenticated r = {.verdict = check_owner(expect, credential, given)};
    struct auth_data d = {0};
    enum keer_err err = KEER_OK;
    if (r.verdict == WEBAUTHN_OK)
        err = client_data_check(given->client_data, expect->payment ? "payment.get" : "webauthn.get", expect, &r.verdict);
    if (err == KEER_OK && r.verdict == WEBAUTHN_OK &&
        (given->authenticator_data.len > CBOR_BYTES_MAX || auth_data_read(given->authenticator_data, &d) != KEER_OK))
        r.verdict = WEBAUTHN_AUTHENTICATOR_DATA;
    if (err == KEER_OK && r.verdict == WEBAUTHN_OK)
        r.verdict = check_data(&d, expect);
    if (err == KEER_OK && r.verdict == WEBAUTHN_OK)
        err = check_signature(credential, given, &r.verdict);
    if (err == KEER_OK && r.verdict == WEBAUTHN_OK) {
        r.counter = d.counter;
        r.user_verified = d.flags & AUTH_UV;
        r.backed_up = d.flags & AUTH_BS;
        /* Step 22: both are 0 with a credential that keeps no count. */
        r.counter_back = (d.counter || credential->counter) && d.counter <= credential->counter;
        r.eligible_turned = credential->backup_eligible != (bool)(d.flags & AUTH_BE);
    }
    if (err == KEER_OK)
        *ret_result = r;
    return err;
}
