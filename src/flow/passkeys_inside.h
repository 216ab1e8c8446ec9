/* passkeys_inside.h - what passkeys.c and passkeys_payment.c share. */
#ifndef FLOW_PASSKEYS_INSIDE_H
#define FLOW_PASSKEYS_INSIDE_H
#include "flow/passkeys.h"

/* Instruments that Secure Payment Confirmation shows have an icon; in its URL, so that it is signed and nothing is fetched.
 */
#define PASSKEYS_ICON                                                                                \
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAACAAAAAgAQMAAABJtOi3AAAABlBMVEX///8URowMwP9aAAAA" \
    "HklEQVR42mNgwAL42BIKsBL8/+o/QAicSijRiwUAAJnQG8F9Y8OqAAAAAElFTkSuQmCC"

/* An assertion by a passkey over 32 bytes. `payment`: NULL, or what was to be shown; its top_origin is filled in here. */
struct passkeys_check {
    const struct passkey *passkey;
    const struct passkey_reply *reply;
    const unsigned char *challenge;
    struct webauthn_payment *payment;
    bool user_handle; /* must be there */
};
KEER_NODISCARD enum keer_err passkeys_check(const struct passkeys *p, const struct passkeys_check *c,
                                            struct webauthn_authenticated *ret);

/* What a challenge of a payment shows, from its canonical JSON; borrowed from the tape, which the caller releases. */
struct passkeys_shown {
    struct tape tape;
    struct webauthn_payment payment; /* without top_origin */
};
KEER_NODISCARD enum keer_err passkeys_shown_read(const struct passkeys *p, const struct challenge *c,
                                                 struct passkeys_shown *ret);
void passkeys_shown_release(struct passkeys_shown *s);
/* ,"payment":{"data":{...},"total":{...}}: `ids` are base64url texts in quotes, parted by commas. */
void passkeys_print_payment(const struct passkeys_shown *s, struct slice challenge, struct slice ids, struct buf *out);
#endif
