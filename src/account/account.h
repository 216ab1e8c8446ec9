/* account.h - a person's account: its state, what it is called, and what it may be found by.
 *
 *     account_add ─► ACTIVE ◄── account_thaw ──── FROZEN
 *                     ├────── account_freeze ──────► │
 *                     └────── account_close ─────────┴─► CLOSED: for good, its identifiers are freed, its sessions ended
 *
 * Invariants
 * 1. An account is one bucket: whatever name somebody signs in by, limits and windows count for the same id.
 * 2. Nobody signs in to an account that is not ACTIVE, and no session of it is taken (session.h asks).
 * 3. A frozen account says why, in words for the person, and since when. Freezing twice keeps the first reason.
 * 4. A name is what the person wrote, valid UTF-8 without control characters and directional marks; it is data and never
 *    markup: who shows it escapes it.
 * All functions that change rows run in a transaction of the writing connection; KEER_EIO leaves its words in db_why.
 */
#ifndef ACCOUNT_ACCOUNT_H
#define ACCOUNT_ACCOUNT_H
#include "base/buf.h"
#include "base/id.h"
#include "store/db.h"

#define ACCOUNT_NAME_BYTES 200 /* as shown; LIMIT_TEXT_BYTES holds it */
#define ACCOUNT_WHY_BYTES 200
#define ACCOUNT_LOCALE_BYTES 16 /* of BCP 47, as `zh-Hans-CN` */

enum account_state { ACCOUNT_ACTIVE, ACCOUNT_FROZEN, ACCOUNT_CLOSED, ACCOUNT_STATE_MAX };
const char *account_state_name(enum account_state state); /* "active", ... */

struct account {
    struct id id; /* WebAuthn's user handle and OpenID's subject too: random, it says nothing of the person */
    enum account_state state;
    char name[ACCOUNT_NAME_BYTES + 1]; /* "" when none was given */
    char locale[ACCOUNT_LOCALE_BYTES + 1];
    char frozen_why[ACCOUNT_WHY_BYTES + 1];
    int64_t created_us, state_us; /* state_us: since when the state is this one */
};

/* Makes an account of an id that the caller made. KEER_EINVALID for a name (it may be empty) or locale that can't be taken.
 */
KEER_NODISCARD enum keer_err account_add(struct db *db, const struct id *id, struct slice name, struct slice locale,
                                         int64_t now_us);
/* KEER_EMISSING when there is none of that id. */
KEER_NODISCARD enum keer_err account_read(struct db *db, const struct id *id, struct account *ret_account);
KEER_NODISCARD enum keer_err account_rename(struct db *db, const struct id *id, struct slice name);
KEER_NODISCARD enum keer_err account_set_locale(struct db *db, const struct id *id, struct slice locale);
/* Freezes and ends every session; KEER_OK also when it was frozen. KEER_EMISSING when there is none, or it is closed. */
KEER_NODISCARD enum keer_err account_freeze(struct db *db, const struct id *id, struct slice why, int64_t now_us);
/* KEER_EMISSING when it is not frozen. */
KEER_NODISCARD enum keer_err account_thaw(struct db *db, const struct id *id, int64_t now_us);
/* Identifiers, contacts and password are deleted, sessions ended. KEER_EMISSING when there is none, or it is closed. */
KEER_NODISCARD enum keer_err account_close(struct db *db, const struct id *id, int64_t now_us);

/* --- pure --- */
/* A name as a person writes it: 1 to ACCOUNT_NAME_BYTES bytes, no control characters, no marks that turn the direction of
 * what follows (Unicode TR 36 section 2.5.2). KEER_EINVALID, KEER_ELIMIT. */
KEER_NODISCARD enum keer_err account_name_check(struct slice name);
/* `en`, `nl-BE`, `zh-Hans-CN`: letters and digits in groups of 1 to 8 (RFC 5646 section 2.1). KEER_EINVALID. */
KEER_NODISCARD enum keer_err account_locale_check(struct slice locale);
#endif
