/* num.h - numbers from text, with bounds; nothing is skipped, trimmed or guessed.
 *
 * All functions want the whole slice to be the number: KEER_ESYNTAX if it is not one, KEER_ERANGE if it
 * is outside [min, max]. Locale does not matter.
 */
#ifndef BASE_NUM_H
#define BASE_NUM_H
#include "base/str.h"

KEER_NODISCARD enum keer_err num_i64(struct slice s, int64_t min, int64_t max, int64_t *ret_v);
KEER_NODISCARD enum keer_err num_u64(struct slice s, uint64_t min, uint64_t max, uint64_t *ret_v);
/* Decimal number after the JSON grammar (RFC 8259 section 6), leading '+' and leading zeros allowed; correctly rounded;
 * finite. */
KEER_NODISCARD enum keer_err num_f64(struct slice s, double *ret_v);
/* Decimal to an integer scaled by 10^exponent, exactly: "57.16", 2 -> 5716. More digits than `exponent` are
 * KEER_ERANGE unless they are zeros: money is never rounded silently. |value| < 2^53. */
KEER_NODISCARD enum keer_err num_scaled(struct slice s, unsigned exponent, int64_t *ret_v);
/* Hexadecimal without prefix, 1 to 16 digits. */
KEER_NODISCARD enum keer_err num_hex(struct slice s, uint64_t *ret_v);
#define NUM_EXACT_MAX ((int64_t)1 << 53)
#endif
