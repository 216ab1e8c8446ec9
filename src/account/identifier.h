/* identifier.h - what an account is found by: an e-mail address, a phone number, a user name, a store's subject id.
 *
 * Invariants
 * 1. Each identifier has ONE canonical form, and that is what is stored and compared. What can't be brought into it exactly
 * is refused with a reason, never guessed at: full-width and other look-alike characters are refused, not folded.
 * 2. A canonical identifier belongs to at most one account (the primary key says so, also between processes).
 * 3. Kinds don't meet: an e-mail has '@', a phone number begins with '+', a user name has neither and no digit in front.
 *    Subjects are the store's own, compared byte for byte, and nobody signs in by one.
 *
 * Canonical forms. E-mail: what is before the @ as a dot-atom of ASCII (RFC 5321 section 4.1.2) of at most 64 bytes; the
 * domain as labels of letters, digits and hyphens (RFC 1035 section 2.3.1), internationalised ones as xn--; all in lower
 * case. Dots and +tags are kept: they are other mailboxes wherever the provider says nothing else, and two accounts are
 * better than somebody else's. Phone: E.164, a plus sign and 8 to 15 digits, the first not 0; spaces, hyphens, dots and
 * parentheses are left out. User name: 3 to 32 ASCII letters (in lower case), digits, dots, underscores and hyphens, a
 * letter first; or 2 to 32 Chinese characters (unified ideographs) with digits and underscores behind the first: scripts are
 * not mixed (Unicode TS 39 section 5.2). Subject: 1 to 128 printable ASCII characters, as they are.
 */
#ifndef ACCOUNT_IDENTIFIER_H
#define ACCOUNT_IDENTIFIER_H
#include "account/account.h"

#define IDENTIFIER_BYTES 320 /* 64, '@', 253 and room */
#define IDENTIFIER_WHY_BYTES 120
#define IDENTIFIERS_MAX 16 /* of one account */

enum identifier_kind { IDENTIFIER_EMAIL, IDENTIFIER_PHONE, IDENTIFIER_USER_NAME, IDENTIFIER_SUBJECT, IDENTIFIER_KIND_MAX };
const char *identifier_kind_name(enum identifier_kind kind); /* "email", "phone", "username", "subject" */

struct identifier {
    enum identifier_kind kind;
    char text[IDENTIFIER_BYTES + 1]; /* canonical */
};
struct identifier_why {
    char text[IDENTIFIER_WHY_BYTES]; /* a sentence without full stop: "a domain has letters, digits and hyphens only" */
};

/* Brings `text` of a known kind into canonical form. KEER_EFORMAT, and why. */
KEER_NODISCARD enum keer_err identifier_canon(enum identifier_kind kind, struct slice text,
                                              struct identifier *ret_identifier, struct identifier_why *ret_why);
/* The same of what somebody signs in by, whose kind follows from its characters (invariant 3). */
KEER_NODISCARD enum keer_err identifier_guess(struct slice text, struct identifier *ret_identifier,
                                              struct identifier_why *ret_why);
/* As it may be shown to somebody who is not signed in: j***@e***.org, +31 ** *** 78. */
void identifier_mask(const struct identifier *identifier, struct buf *out);

/* KEER_ECONFLICT when it is another account's or the account's already, and the transaction can go on; KEER_ELIMIT. */
KEER_NODISCARD enum keer_err identifier_add(struct db *db, const struct id *account, const struct identifier *identifier,
                                            int64_t now_us);
/* KEER_EMISSING when it is not the account's. */
KEER_NODISCARD enum keer_err identifier_remove(struct db *db, const struct id *account, const struct identifier *identifier);
/* The account, KEER_EMISSING when nobody has it. */
KEER_NODISCARD enum keer_err identifier_find(struct db *db, const struct identifier *identifier, struct id *ret_account);
/* All of an account's, oldest first, at most IDENTIFIERS_MAX into `room`. */
KEER_NODISCARD enum keer_err identifier_list(struct db *db, const struct id *account, struct identifier *room,
                                             unsigned *ret_count);
#endif
