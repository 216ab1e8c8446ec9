/* base64.h - base64 and base64url (RFC 4648 sections 4 and 5), strict: one text for each value.
 *
 * Invariants
 *  1. What is read is refused (KEER_EFORMAT) unless it is exactly what would be written: no white space, no character of the
 *     other alphabet, no bits set after the last byte; base64url without padding, base64 with it.
 *  2. Table-free: the time depends on the length alone, so that it may read and write secrets.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H
#include "base/buf.h"

/* Characters of `n` bytes as base64url, without a NUL. */
#define BASE64URL_LEN(n) (((n)*4 + 2) / 3)

void base64url_put(struct buf *b, struct slice bytes); /* RFC 4648 section 5, without padding */
void base64_put(struct buf *b, struct slice bytes);    /* section 4, with padding */
/* Writes BASE64URL_LEN(len) characters and a NUL. */
void base64url_text(const void *bytes, size_t len, char *ret_text);
/* At most `cap` bytes, else KEER_ELIMIT. */
KEER_NODISCARD enum keer_err base64url_get(struct slice text, size_t cap, unsigned char *ret_bytes, size_t *ret_len);
KEER_NODISCARD enum keer_err base64_get(struct slice text, size_t cap, unsigned char *ret_bytes, size_t *ret_len);
/* Exactly `len` bytes, else KEER_EFORMAT. */
KEER_NODISCARD enum keer_err base64url_get_exact(struct slice text, size_t len, unsigned char *ret_bytes);
/* Appends the bytes, within the maximum of `b`, whose error sticks; KEER_EFORMAT is returned and not kept in it. */
KEER_NODISCARD enum keer_err base64url_append(struct buf *b, struct slice text);
#endif
