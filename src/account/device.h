/* device.h - browsers and apps that an account was used from.
 *
 * A browser holds one device token, 128 bits, in a cookie of its own that outlives sessions. The database holds its SHA-256;
 * events carry its `mark`, which is derived from the token one way and is the same for every account on that browser, so
 * that windows count accounts by device. A row is one account on one browser.
 *
 *     device_see ─► KNOWN ── device_trust ──► TRUSTED          REVOKED is for good: the next sign-in from that browser is
 *                     │  ◄── device_trust(false) ──┘           refused the row, gets a new token and is a new device
 *                     └── device_revoke ──► REVOKED (from both; its sessions end)
 *
 * Invariants
 * 1. A device is known to an account once somebody has signed in from it completely (every step that was asked). A token
 *    that was only given out is nobody's device.
 * 2. Only H-STEP's guard calls device_trust(true): trust is a sensitive change.
 * 3. A known device has a counter of failures of its own, so that strangers can't lock its owner out (store/attempts.h).
 */
#ifndef ACCOUNT_DEVICE_H
#define ACCOUNT_DEVICE_H
#include "account/account.h"

#define DEVICE_NAME_BYTES 80
#define DEVICE_FAMILY_BYTES 32
#define DEVICES_MAX 64 /* of one account; the one longest unused and not trusted makes room */

struct device {
    struct id id, account;
    struct id mark;                                    /* of the browser: what events carry */
    char name[DEVICE_NAME_BYTES + 1];                  /* what the person calls it; at first the family */
    char family[DEVICE_FAMILY_BYTES + 1];              /* chrome, wechat, ...: flow/user_agents.def */
    int64_t first_us, last_us, trusted_us, revoked_us; /* 0: it is not */
};

/* What an event says of a token: no secret. */
void device_mark(const struct crypto_hash *token_hash, struct id *ret_mark);
/* The account's row of a browser, revoked ones too. KEER_EMISSING. */
KEER_NODISCARD enum keer_err device_find(struct db *db, const struct id *account, const struct crypto_hash *token_hash,
                                         struct device *ret_device);
KEER_NODISCARD enum keer_err device_read(struct db *db, const struct id *account, const struct id *device,
                                         struct device *ret_device);
/* A complete sign-in: makes the row or notes the time. *ret_new: the account had not been used from it. KEER_EMISSING for a
 * revoked one: the caller gives the browser another token. */
KEER_NODISCARD enum keer_err device_see(struct db *db, const struct id *account, const struct crypto_hash *token_hash,
                                        struct slice family, int64_t now_us, struct device *ret_device, bool *ret_new);
/* KEER_EMISSING when the account has no such device, or it is revoked. */
KEER_NODISCARD enum keer_err device_rename(struct db *db, const struct id *account, const struct id *device,
                                           struct slice name);
KEER_NODISCARD enum keer_err device_trust(struct db *db, const struct id *account, const struct id *device, bool trusted,
                                          int64_t now_us);
/* Its sessions end with it. */
KEER_NODISCARD enum keer_err device_revoke(struct db *db, const struct id *account, const struct id *device, int64_t now_us);
/* Those that are not revoked, the last used first; at most DEVICES_MAX into `room`. */
KEER_NODISCARD enum keer_err device_list(struct db *db, const struct id *account, struct device *room, unsigned *ret_count);
#endif
