/* keys.h - API keys: shown once, kept as a hash.
 *
 * A key is `keer_ID_SECRET`: ID is public and names it in lists and logs, SECRET is 256 random bits. The database holds the
 * SHA-256 of the whole (and, after a rotation, for a while of the one before), which needs no slow hash since nobody guesses
 * 256 bits. A table of keys is read once and does not change: another thread may use it.
 */
#ifndef STORE_KEYS_H
#define STORE_KEYS_H
#include "base/crypto.h"
#include "store/db.h"

enum key_role {
#define KEY_ROLE(name, text, what) KEY_##name,
#include "store/roles.def"
#undef KEY_ROLE
    KEY_ROLE_MAX
};
#define KEY_MAY(role) (1u << KEY_##role) /* KEY_MAY(STORE) | KEY_MAY(ADMIN) is a mask of roles */
const char *key_role_name(enum key_role role);
const char *key_role_what(enum key_role role);
/* KEER_EINVALID when there is no such role. */
KEER_NODISCARD enum keer_err key_role_find(struct slice name, enum key_role *ret_role);

#define KEY_ID_BYTES 12
#define KEY_TEXT_BYTES (5 + KEY_ID_BYTES + 1 + CRYPTO_TEXT_BYTES) /* its NUL included */
#define KEYS_MAX 10000

struct key_row {
    char id[KEY_ID_BYTES + 1];
    struct crypto_hash hash;
    enum key_role role;
    int64_t created_us, revoked_us; /* revoked_us 0: valid */
    struct crypto_hash old_hash;    /* of the secret that was rotated away */
    int64_t old_until_us;           /* it is taken before this time; 0: there is none */
    char name[LIMIT_NAME_BYTES + 1];
};
struct keys {
    struct key_row *row;
    unsigned count;
};

/* Makes a key and keeps its hash; the text is the caller's to show once and wipe. KEER_ELIMIT for a name over
 * LIMIT_NAME_BYTES. */
KEER_NODISCARD enum keer_err keys_add(struct db *db, struct slice name, enum key_role role, int64_t now_us,
                                      char ret_text[KEY_TEXT_BYTES]);
/* KEER_EMISSING when there is no valid key of that id. */
KEER_NODISCARD enum keer_err keys_revoke(struct db *db, struct slice id, int64_t now_us);
/* Another secret for the same id; the one before is taken until `old_until_us`, the one before that not any more.
 * KEER_EMISSING when there is no valid key of that id. */
KEER_NODISCARD enum keer_err keys_rotate(struct db *db, struct slice id, int64_t old_until_us,
                                         char ret_text[KEY_TEXT_BYTES]);
/* All of them, revoked ones too, oldest first; keys_release frees. */
KEER_NODISCARD enum keer_err keys_read(struct db *db, struct keys *ret_keys);
void keys_release(struct keys *keys);
/* The row of a valid key, NULL when `text` is none; secrets are compared in constant time. */
const struct key_row *keys_find(const struct keys *keys, struct slice text, int64_t now_us);
#endif
