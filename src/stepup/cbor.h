/* cbor.h - CBOR (RFC 8949) as authenticators write it, read without allocating: one item, checked whole before any of it is
 * used.
 *
 * Invariants
 *  1. cbor_read looks at every byte of one item, once, before it gives anything out: what the other functions walk over is
 *     well formed, and they fail only by 'not there' or 'of another kind'.
 *  2. What is taken is the CTAP2 canonical form (CTAP 2.1, section 8) without floating point: definite lengths, integers and
 *     lengths in the fewest bytes, no tags, of the simple values false, true and null; texts are UTF-8; a key of a map is an
 *     integer or a text and stands there once. Keys may come in any order, as browsers write attestation objects so.
 *  3. A declared length or count is never believed beyond the bytes that remain: `9b 0000000010000000`, an array of 2^28
 * items in nine bytes, is refused at its head. Nothing is reserved by a declared number.
 *  4. Nesting is at most CBOR_DEPTH_MAX containers, counted on a stack of that size; there is no recursion. A map has at
 * most CBOR_KEYS_MAX pairs.
 *  5. Items are borrowed slices of what was read.
 */
#ifndef STEPUP_CBOR_H
#define STEPUP_CBOR_H
#include "base/str.h"

#define CBOR_BYTES_MAX (64u << 10) /* an attestation object with its certificates */
#define CBOR_DEPTH_MAX 4u
#define CBOR_KEYS_MAX 32u

enum cbor_kind { CBOR_UNSIGNED, CBOR_NEGATIVE, CBOR_BYTES, CBOR_TEXT, CBOR_ARRAY, CBOR_MAP, CBOR_SIMPLE, CBOR_KIND_MAX };

struct cbor_item {
    enum cbor_kind kind;
    uint64_t number;     /* an integer (of a negative one n of -1-n), items of an array, pairs of a map, a simple value */
    struct slice inside; /* of bytes and texts their content, of containers the items in them */
    struct slice whole;  /* as written */
};

/* Reads the item at the beginning of `bytes`; *ret_item->whole.len are the bytes that it takes. KEER_ESYNTAX for what is not
 * well formed or not in the form above, KEER_ECONFLICT for a key twice, KEER_ELIMIT beyond the limits. */
KEER_NODISCARD enum keer_err cbor_read(struct slice bytes, struct cbor_item *ret_item);
/* The same, and nothing may come after it: else KEER_ESYNTAX. */
KEER_NODISCARD enum keer_err cbor_read_all(struct slice bytes, struct cbor_item *ret_item);

/* The items inside one that was read, in order: *rest starts as its `inside`. False at the end. Of a map: key, value, ... */
bool cbor_next(struct slice *rest, struct cbor_item *ret_item);
/* The value of a key; false when `map` is none or has no such key. */
bool cbor_find(const struct cbor_item *map, struct slice key, struct cbor_item *ret_item);
bool cbor_find_int(const struct cbor_item *map, int64_t key, struct cbor_item *ret_item);
/* The same, and it is of that kind. */
bool cbor_find_kind(const struct cbor_item *map, const char *key, enum cbor_kind kind, struct cbor_item *ret_item);
/* An integer that int64_t holds. */
bool cbor_int(const struct cbor_item *item, int64_t *ret_v);
#endif
