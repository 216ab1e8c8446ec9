/* attest_android_key.c - 'android-key' (WebAuthn L3, 8.4): a certificate for this key, with the keystore's description of
 * it.
 *
 *   KeyDescription ::= SEQUENCE { attestationVersion INTEGER, attestationSecurityLevel ENUMERATED, keymasterVersion INTEGER,
 *       keymasterSecurityLevel ENUMERATED, attestationChallenge OCTET STRING, uniqueId OCTET STRING,
 *       softwareEnforced AuthorizationList, teeEnforced AuthorizationList }
 *   AuthorizationList ::= SEQUENCE { purpose [1] EXPLICIT SET OF INTEGER, allApplications [600] EXPLICIT NULL,
 *       origin [702] EXPLICIT INTEGER, ... }
 */
#include "stepup/attest.h"
#include "stepup/attest_der.h"

#define OID_KEY_DESCRIPTION "1.3.6.1.4.1.11129.2.1.17"
enum { TAG_PURPOSE = 1, TAG_ALL_APPLICATIONS = 600, TAG_ORIGIN = 702 };
enum { PURPOSE_SIGN = 2, ORIGIN_GENERATED = 0 };

struct description {
    struct slice challenge, lists[2]; /* softwareEnforced, teeEnforced */
};

static bool read_description(struct slice der, struct description *ret)
{
    struct der_item sequence, item;
    struct description d = {0};
    if (!der_expect(&der, DER_SEQUENCE, &sequence) || der.len)
        return false;
    struct slice rest = sequence.inside;
    if (!der_expect(&rest, DER_INTEGER, &item) || !der_expect(&rest, DER_ENUMERATED, &item) ||
        !der_expect(&rest, DER_INTEGER, &item) || !der_expect(&rest, DER_ENUMERATED, &item) ||
        !der_expect(&rest, DER_OCTETS, &item))
        return false;
    d.challenge = item.inside;
    if (!der_expect(&rest, DER_OCTETS, &item))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(d.lists); i++) {
        if (!der_expect(&rest, DER_SEQUENCE, &item) || !der_whole(item.inside))
            return false;
        d.lists[i] = item.inside;
    }
    if (rest.len)
        return false;
    *ret = d;
    return true;
}

/* What the two lists together say of the key; a thing that both say must be right in both. */
struct said {
    bool wrong, purpose, origin;
};

static void read_list(struct slice list, struct said *s)
{
    struct slice inside;
    struct der_item set, item;
    uint64_t v;
    if (der_explicit(list, TAG_ALL_APPLICATIONS, &inside))
        s->wrong = true; /* the key is for one relying party */
    if (der_explicit(list, TAG_ORIGIN, &inside)) {
        s->origin = true;
        if (!der_next(&inside, &item) || inside.len || !der_number(&item, &v) || v != ORIGIN_GENERATED)
            s->wrong = true;
    }
    if (der_explicit(list, TAG_PURPOSE, &inside)) {
        s->purpose = true;
        if (!der_expect(&inside, DER_SET, &set) || inside.len || !der_next(&set.inside, &item) || set.inside.len ||
            !der_number(&item, &v) || v != PURPOSE_SIGN)
            s->wrong = true;
    }
}

enum keer_err attest_android_key(struct attest_work *w, enum webauthn_verdict *ret_verdict)
{
    struct slice der;
    struct description d;
    struct said said = {0};
    bool critical;
    enum keer_err err = attest_x5c(w, ret_verdict);
    if (err != KEER_OK || *ret_verdict != WEBAUTHN_OK)
        return err;
    *ret_verdict = attest_signature(w, w->signed_data);
    if (*ret_verdict != WEBAUTHN_OK)
        return KEER_OK;
    if (!crypto_key_eq(w->leaf_key, w->given->key->key))
        *ret_verdict = WEBAUTHN_ATTESTED_KEY;
    else if (!crypto_cert_extension(w->chain[0], OID_KEY_DESCRIPTION, &der, &critical) || !read_description(der, &d))
        *ret_verdict = WEBAUTHN_CERTIFICATE;
    else if (!slice_eq(d.challenge, w->given->client_data_hash))
        *ret_verdict = WEBAUTHN_NONCE;
    if (*ret_verdict != WEBAUTHN_OK)
        return KEER_OK;
    for (size_t i = 0; i < ARRAY_LEN(d.lists); i++)
        read_list(d.lists[i], &said);
    if (said.wrong)
        *ret_verdict = WEBAUTHN_CERTIFICATE;
    w->trust = said.purpose && said.origin ? ATTEST_TRUSTED : ATTEST_UNTRUSTED;
    return KEER_OK;
}
