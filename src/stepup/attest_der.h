/* attest_der.h - DER (X.690) inside extensions of attestation certificates: a cursor over elements, bounded by their parent.
 *
 * Definite lengths in the fewest bytes, tag numbers below 2^21 in the fewest bytes; nothing is allocated, nothing recurses.
 * What is not so ends the walk with false, as the end does; der_whole tells the two apart.
 */
#ifndef STEPUP_ATTEST_DER_H
#define STEPUP_ATTEST_DER_H
#include "base/str.h"

enum der_class { DER_UNIVERSAL, DER_APPLICATION, DER_CONTEXT, DER_PRIVATE };
enum der_universal {
    DER_BOOLEAN = 1,
    DER_INTEGER = 2,
    DER_OCTETS = 4,
    DER_OID = 6,
    DER_ENUMERATED = 10,
    DER_SEQUENCE = 16,
    DER_SET = 17
};

struct der_item {
    enum der_class class;
    bool constructed;
    uint32_t tag;
    struct slice inside;
};
/* The next element of *rest, which moves behind it. */
bool der_next(struct slice *rest, struct der_item *ret_item);
/* The same, and it is that element of the universal class; else *rest stays. */
bool der_expect(struct slice *rest, enum der_universal tag, struct der_item *ret_item);
/* The element [tag] among those of `inside`, explicitly tagged: what is in it. False when it is not there. */
bool der_explicit(struct slice inside, uint32_t tag, struct slice *ret_inside);
/* An INTEGER or ENUMERATED that fits, not negative. */
bool der_number(const struct der_item *item, uint64_t *ret_v);
/* Whether the elements of `inside` are well formed to the end. */
bool der_whole(struct slice inside);
#endif
