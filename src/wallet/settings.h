/* settings.h - a row of the file of wallets, as a driver reads it: strict, and each mistake named with its member.
 *
 *     settings_open ─► settings_text, settings_key, ... in any order ─► s.err ─► settings_close
 *
 * Invariants
 * 1. Errors stick: after the first nothing is read any more, and `why` has its words. A driver looks once, at the end.
 * 2. A member that nobody knows is a mistake (settings_only), and so is a member of another type.
 * 3. Paths are relative to the folder of the file. A file with a secret that everybody on the machine may read, or a group
 *    write, is refused; its bytes are wiped.
 * 4. `at` is an object of the row: 0 is the row itself, settings_item gives those of a list.
 */
#ifndef WALLET_SETTINGS_H
#define WALLET_SETTINGS_H
#include "base/crypto_cert.h"
#include "base/json.h"
#include "wallet/connector.h"

#define SETTINGS_FILE_BYTES (256u << 10) /* a key, a bundle of certificates */

struct wallet_settings {
    struct tape tape;
    const char *folder;
    char *why; /* WALLET_WHY_BYTES, the caller's */
    enum keer_err err;
};
/* `json` is an object, and stays until settings_close. */
KEER_NODISCARD enum keer_err settings_open(struct wallet_settings *s, struct slice json, const char *folder,
                                           char ret_why[WALLET_WHY_BYTES]);
void settings_close(struct wallet_settings *s);
/* A file that is no secret, whole. */
KEER_NODISCARD enum keer_err settings_read_file(const char *path, struct buf *b, char ret_why[WALLET_WHY_BYTES]);
void settings_fail(struct wallet_settings *s, enum keer_err err, const char *fmt, ...) KEER_PRINTF(3, 4);
/* The members that there may be: those of every row (name, kind, url, notify_url, timeout_ms, connect_timeout_ms,
 * breaker_failures, breaker_ms) are known when `at` is 0. */
void settings_only(struct wallet_settings *s, uint32_t at, const char *const *members, size_t count);
bool settings_has(struct wallet_settings *s, uint32_t at, const char *member);
/* Copies a text; a missing one is a mistake, or "" when `optional`. `cap` counts the NUL. */
void settings_text(struct wallet_settings *s, uint32_t at, const char *member, bool optional, char *ret, size_t cap);
/* A whole number; missing: `fallback`, or a mistake when that is below `min`. */
int64_t settings_number(struct wallet_settings *s, uint32_t at, const char *member, int64_t min, int64_t max,
                        int64_t fallback);
/* Elements of a list of objects; settings_item is valid below that. 1 to `max`. */
unsigned settings_items(struct wallet_settings *s, uint32_t at, const char *member, unsigned max);
uint32_t settings_item(struct wallet_settings *s, uint32_t at, const char *member, unsigned i);
/* What is in the file that a member names: `i` of a list of names (or the only one, 0). Appended to `b`. */
unsigned settings_files(struct wallet_settings *s, uint32_t at, const char *member, unsigned max);
void settings_file(struct wallet_settings *s, uint32_t at, const char *member, unsigned i, bool secret, struct buf *b);
/* RSA keys in the file: PEM, or the bare base64 that the wallets' consoles give. A private one is our own: secret. */
struct crypto_key *settings_private_key(struct wallet_settings *s, uint32_t at, const char *member);
struct crypto_key *settings_public_key(struct wallet_settings *s, uint32_t at, const char *member, unsigned i);
/* The certificates of a PEM file; how many, 1 to `max`. */
unsigned settings_certificates(struct wallet_settings *s, uint32_t at, const char *member, unsigned i, unsigned max,
                               struct crypto_cert **ret);
#endif
