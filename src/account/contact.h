/* contact.h - where an account's notices go, all of them: e-mail addresses and phone numbers that somebody has shown to
 * read.
 *
 *     contact_add ─► UNVERIFIED ── contact_verify ──► VERIFIED ── contact_remove ──► gone
 *                        └────────────── contact_remove ─────────────┘
 *
 * Invariants
 * 1. Notices go to every VERIFIED contact, never to another address of the account.
 * 2. A contact is a way to reach a person, never a second step (NIST SP 800-63B-4: e-mail SHALL NOT).
 * 3. The last verified contact is not removed.
 * 4. A contact that was removed gets CONTACT_AFTER_US longer the notices of changes (contact_notified): who took an account
 *    over and removes its owner's address does not silence it that way.
 * 5. Until then it is not added again: unverified, it would hear nothing, and whoever is in could silence it so. contact_give_back
 *    alone brings it back, as old as it was.
 */
#ifndef ACCOUNT_CONTACT_H
#define ACCOUNT_CONTACT_H
#include "account/identifier.h"
#include "base/timefmt.h"

#define CONTACTS_MAX 8
#define CONTACT_AFTER_US (7 * US_DAY)

struct contact {
    struct id id, account;
    struct identifier address;                   /* IDENTIFIER_EMAIL or IDENTIFIER_PHONE */
    int64_t created_us, verified_us, removed_us; /* 0: it is not */
};

/* KEER_ECONFLICT when the account has it, or had it less than CONTACT_AFTER_US ago (invariant 5), and the transaction can go on;
 * KEER_ELIMIT beyond CONTACTS_MAX. */
KEER_NODISCARD enum keer_err contact_add(struct db *db, const struct id *account, const struct identifier *address,
                                         int64_t verified_us, int64_t now_us, struct id *ret_id);
/* Also becomes what the account is found by, when nobody else has it. KEER_EMISSING. */
KEER_NODISCARD enum keer_err contact_verify(struct db *db, const struct id *account, const struct id *contact,
                                            int64_t now_us);
/* KEER_EMISSING; KEER_EINVALID for the last verified one. */
KEER_NODISCARD enum keer_err contact_remove(struct db *db, const struct id *account, const struct id *contact,
                                            int64_t now_us);
KEER_NODISCARD enum keer_err contact_read(struct db *db, const struct id *account, const struct id *contact,
                                          struct contact *ret_contact);
/* Those that are not removed, oldest first. */
KEER_NODISCARD enum keer_err contact_list(struct db *db, const struct id *account, struct contact *room,
                                          unsigned *ret_count);
/* Those that notices go to now: verified, or removed less than CONTACT_AFTER_US ago. */
#define CONTACTS_NOTIFIED_MAX (2 * CONTACTS_MAX)
KEER_NODISCARD enum keer_err contact_notified(struct db *db, const struct id *account, int64_t now_us, struct contact *room,
                                              unsigned *ret_count);
/* One that was removed is a verified one again. KEER_ECONFLICT when it is there, KEER_ELIMIT. */
KEER_NODISCARD enum keer_err contact_give_back(struct db *db, const struct id *account, const struct identifier *address,
                                               int64_t now_us);
/* Whether an address is none of the account's any more, while one that was verified there before it still is: what it hears of
 * for CONTACT_AFTER_US says less then than what the older one hears of. */
KEER_NODISCARD enum keer_err contact_outranked(struct db *db, const struct id *account, const struct identifier *address,
                                               bool *ret);
#endif
