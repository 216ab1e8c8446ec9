/* sign.h - what the three wallets' signatures have in common: RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 8.2), as base64, over
 * a text that each of them puts together in a way of its own.
 *
 * Invariants
 * 1. What is verified are the bytes that came, never what they were read as.
 * 2. Verifying is true for a valid signature alone; want of memory is false.
 */
#ifndef WALLET_SIGN_H
#define WALLET_SIGN_H
#include "base/buf.h"
#include "base/crypto_key.h"

/* Appends the signature as base64 (RFC 4648 4). KEER_ENOMEM and the buffer's errors. */
KEER_NODISCARD enum keer_err sign_put(const struct crypto_key *key, struct slice text, struct buf *out);
bool sign_verify(const struct crypto_key *key, struct slice text, struct slice base64);
/* With any of them: while keys change two are valid. */
bool sign_verify_any(struct crypto_key *const *keys, unsigned count, struct slice text, struct slice base64);

/* Appends as encodeURIComponent does: all but A-Z a-z 0-9 - _ . ! ~ * ' ( ) becomes %XX. */
void percent_put(struct buf *b, struct slice text);
/* Appends what was meant; KEER_EFORMAT for a '%' without two digits, or a NUL. With `plus` a '+' is a blank (forms). */
KEER_NODISCARD enum keer_err percent_get(struct buf *b, struct slice text, bool plus);

/* The bytes of the JSON value that `text` begins with, as they stand: what a signature covers. Of a text that a tape was
 * read from; the length of the text when the value has no end. */
struct slice json_span(struct slice text);

/* A form (application/x-www-form-urlencoded) or a query, decoded once: at most FORM_FIELDS_MAX fields, names differ. */
#define FORM_FIELDS_MAX 128
#define FORM_BYTES (64u << 10)
struct form_field {
    struct slice name, value;
};
struct form {
    struct form_field field[FORM_FIELDS_MAX];
    unsigned count;
    struct buf text; /* backs them */
};
/* KEER_EFORMAT, KEER_ELIMIT, KEER_ECONFLICT (a name twice), KEER_ENOMEM; form_release then too. */
KEER_NODISCARD enum keer_err form_read(struct form *f, struct slice encoded);
struct slice form_find(const struct form *f, const char *name); /* p NULL when there is none */
void form_sort(struct form *f);                                 /* by the bytes of the names */
void form_release(struct form *f);
#endif
