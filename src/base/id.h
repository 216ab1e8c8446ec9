/* id.h - names of rows, and secrets that a client holds: 128 random bits each, as base64url without padding (RFC 4648
 * section 5).
 *
 * Invariants
 * 1. An id is public within its account and says nothing. A token is a secret: the database holds the SHA-256 of its text
 *    alone, which needs no slow hash since nobody guesses 128 bits.
 * 2. One text for each value: what id_make could not have written is refused, so that two texts never name one row.
 */
#ifndef BASE_ID_H
#define BASE_ID_H
#include "base/crypto.h"

#define ID_BYTES 22
struct id { /* text[0] '\0': none */
    char text[ID_BYTES + 1];
};
struct bearer { /* a token, whoever holds it may what it stands for; the policy language has its own struct token */
    char text[ID_BYTES + 1];
};

void id_make(struct id *ret_id);
/* The first 128 bits of a hash as an id: the same hash, the same id. */
void id_of_hash(const struct crypto_hash *hash, struct id *ret_id);
/* KEER_EFORMAT. */
KEER_NODISCARD enum keer_err id_parse(struct slice text, struct id *ret_id);
static inline bool id_is(const struct id *id) { return id->text[0] != '\0'; }
static inline struct slice id_slice(const struct id *id) { return slice_of(id->text, id_is(id) ? ID_BYTES : 0); }
static inline bool id_eq(const struct id *a, const struct id *b) { return memcmp(a->text, b->text, ID_BYTES) == 0; }

/* A token and what is kept of it; the caller wipes the token when it was told. */
void token_make(struct bearer *ret_token, struct crypto_hash *ret_hash);
/* What is kept of a token that came in. KEER_EFORMAT for what token_make did not write. */
KEER_NODISCARD enum keer_err token_hash(struct slice text, struct crypto_hash *ret_hash);
#endif
