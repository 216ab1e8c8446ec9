/* secrets.h - random keys that belong to a database: made once, never changed, never told.
 *
 * What is signed or hashed with them has a meaning in this database alone. They lie in it in the clear: they keep callers
 * from making up what the daemon gives out, not somebody who can read the file.
 */
#ifndef STORE_SECRETS_H
#define STORE_SECRETS_H
#include "base/crypto.h"
#include "store/db.h"

#define SECRET_FOUND "found"     /* hashes the terms of store/found.h */
#define SECRET_ACCOUNT "account" /* the account key where none is given outside of the database (flow/accounts.h) */
#define SECRET_CURSOR "cursor"   /* signs the cursors of searches */

/* Makes those that are not there yet, each in a transaction. KEER_EIO, KEER_ENOMEM, KEER_EFORMAT. */
KEER_NODISCARD enum keer_err secrets_make(struct db *db);
/* KEER_EMISSING when there is none of that name. KEER_EIO, KEER_ENOMEM, KEER_EFORMAT. */
KEER_NODISCARD enum keer_err secret_get(struct db *db, const char *name, struct crypto_hash *ret_secret);
#endif
