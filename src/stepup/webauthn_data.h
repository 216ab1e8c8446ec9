/* webauthn_data.h - authenticator data (WebAuthn L3, section 6.1): what an authenticator signs.
 *
 *   0        32      33        37                                                    credentials' data when AT is set,
 *   | rpIdHash | flags | counter | aaguid 16 | length 2 | id | public key (COSE) | extensions |   extensions when ED is
 *
 * Every byte belongs to a field, else the data are refused: with bytes left over, two readers could see two things. Flags
 * that are reserved (bits 1 and 5) are ignored, as 6.1 says. What the data mean is judged in webauthn.c.
 */
#ifndef STEPUP_WEBAUTHN_DATA_H
#define STEPUP_WEBAUTHN_DATA_H
#include "base/crypto.h"
#include "stepup/cbor.h"

#define AAGUID_BYTES 16
#define CREDENTIAL_ID_BYTES_MAX 1023u /* section 4, 'credential id' */

enum auth_flag {
    AUTH_UP = 1u << 0, /* somebody was present */
    AUTH_UV = 1u << 2, /* the user was verified */
    AUTH_BE = 1u << 3, /* the credential can be backed up */
    AUTH_BS = 1u << 4, /* it is backed up */
    AUTH_AT = 1u << 6, /* a credential's data follow */
    AUTH_ED = 1u << 7, /* extensions follow */
};

struct auth_data {
    struct slice whole;
    struct slice rp_id_hash;
    unsigned flags; /* enum auth_flag */
    uint32_t counter;
    struct slice aaguid, credential_id; /* with AUTH_AT; the id may be of any length, also 0 */
    struct cbor_item public_key;        /* a map, with AUTH_AT */
    struct cbor_item extensions;        /* a map, with AUTH_ED */
};

/* KEER_ESYNTAX for what is not in that form, KEER_ELIMIT and KEER_ECONFLICT as cbor_read. */
KEER_NODISCARD enum keer_err auth_data_read(struct slice bytes, struct auth_data *ret_data);
#endif
