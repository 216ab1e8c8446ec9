/* keys.h - API keys: shown once, kept as a hash.
 *
 * A key is `keer_ID_SECRET`: ID is public and names it in lists and logs, SECRET is 256 random bits. The database holds the
 * SHA-256 of the whole, which needs no slow hash since nobody guesses 256 bits. A table of keys is read once and does not
 * change: another thread may use it.
 */
#ifndef STORE_KEYS_H
#define STORE_KEYS_H
#include "base/crypto.h"
#include "store/db.h"

#define KEY_ID_BYTES 12
#define KEY_TEXT_BYTES (5 + KEY_ID_BYTES + 1 + CRYPTO_TEXT_BYTES) /* its NUL included */
#define KEYS_MAX 10000

struct key_row {
    char id[KEY_ID_BYTES + 1];
    struct crypto_hash hash;
    int64_t created_us, revoked_us; /* revoked_us 0: valid */
    char name[LIMIT_NAME_BYTES + 1];
};
struct keys {
    struct key_row *row;
    unsigned count;
};

/* Makes a key and keeps its hash; the text is the caller's to show once and wipe. KEER_ELIMIT for a name over
 * LIMIT_NAME_BYTES. */
KEER_NODISCARD enum keer_err keys_add(struct db *db, struct slice name, int64_t now_us, char ret_text[KEY_TEXT_BYTES]);
/* KEER_EMISSING when there is no valid key of that id. */
KEER_NODISCARD enum keer_err keys_revoke(struct db *db, struct slice id, int64_t now_us);
/* All of them, revoked ones too, oldest first; keys_release frees. */
KEER_NODISCARD enum keer_err keys_read(struct db *db, struct keys *ret_keys);
void keys_release(struct keys *keys);
/* Whether `text` is a valid key; secrets are compared in constant time. */
bool keys_valid(const struct keys *keys, struct slice text);
#endif
