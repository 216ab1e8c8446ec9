/* appstore.h - App Store Server Notifications V2: what Apple tells of purchases and refunds, verified and made events.
 *
 *     POST /v1/intake/appstore ─► appstore_read: JWS, chain, app, nested JWS ─► appstore_take ─► 200
 *                                                                                  │
 *       nothing ── appstore_take: row ──► KEPT ── its event was decided ──► TAKEN  │ a notice that comes again goes on from
 *                                          │                                       │ where the row stands, and is decided
 * once └── (the daemon died) ── Apple sends it again
 *
 * Invariants
 * 1. Nothing of a notice is believed before its chain was verified to the pinned root at the time that it was signed
 *    (jose/x5c.h): leaf with 1.2.840.113635.100.6.11.1, intermediate with 1.2.840.113635.100.6.2.1. The same holds for the
 *    transaction and the renewal in it, which must be of the same app and environment.
 * 2. 200 is said after the commit of its row and of its event's decision. Whatever fails before is 503, and Apple sends it
 *    again (five times over three days).
 * 3. A notificationUUID is taken once: the event's id is `appstore:UUID`.
 * 4. The event's `beneficiary` is the appAccountToken. Its `account` is the account whose 128-bit id is that UUID's bits: an
 *    app that gives StoreKit the id of the signed-in account as appAccountToken needs no table. A token that is no account
 * of ours, or none, leaves `account` out.
 * 5. Amounts are Apple's price, in thousandths of the currency's unit; one that is no whole number of minor units is left
 * out.
 * 6. A consumption answer is prepared with the row and is what was known then. What nobody knows is in `missing` and not
 *    invented; that the customer consented is nobody's to say but the store's. It is never sent by itself.
 */
#ifndef FLOW_APPSTORE_H
#define FLOW_APPSTORE_H
#include "base/crypto_cert.h"
#include "base/currency.h"
#include "base/id.h"
#include "flow/desk.h"

#define APPSTORE_BUNDLES_MAX 16
#define APPSTORE_ROOTS_MAX 4
#define APPSTORE_PAYLOAD_BYTES (128u << 10)
#define APPSTORE_TEXT_BYTES 128
#define APPSTORE_WHY_BYTES 200
#define APPSTORE_ANSWER_BYTES 8192
#define APPSTORE_DUE_US (12 * 60 * 60 * INT64_C(1000000)) /* Apple waits that long for a consumption answer */
#define APPSTORE_UUID_BYTES 36

struct appstore {                              /* what --appstore-... say; starts as {0} */
    struct slice bundle[APPSTORE_BUNDLES_MAX]; /* borrowed */
    unsigned bundles;
    struct crypto_cert *root[APPSTORE_ROOTS_MAX];
    unsigned roots;
    const char *environment; /* "Production", "Sandbox" */
};
/* The roots of a file of PEM, or of one certificate as DER (as Apple gives its own). KEER_EMISSING when there is none,
 * KEER_ELIMIT for more than there may be, KEER_EFORMAT, KEER_ENOMEM. */
KEER_NODISCARD enum keer_err appstore_add_roots(struct appstore *a, struct slice file);
void appstore_release(struct appstore *a);

/* --- reading: pure --- */
struct appstore_notice {
    char uuid[APPSTORE_UUID_BYTES + 1]; /* in lower case */
    char type[APPSTORE_TEXT_BYTES + 1], subtype[APPSTORE_TEXT_BYTES + 1];
    char environment[APPSTORE_TEXT_BYTES + 1], bundle[APPSTORE_TEXT_BYTES + 1];
    int64_t signed_us;
    /* of the transaction; empty and 0 when there is none */
    char transaction[APPSTORE_TEXT_BYTES + 1], original[APPSTORE_TEXT_BYTES + 1], product[APPSTORE_TEXT_BYTES + 1];
    char token[APPSTORE_UUID_BYTES + 1];  /* appAccountToken, in lower case */
    char reason[APPSTORE_TEXT_BYTES + 1]; /* consumptionRequestReason */
    enum currency currency;               /* CUR_MAX: not told, or the amount is no whole number of minor units */
    int64_t amount_minor, purchased_us;
    bool family; /* inAppOwnershipType FAMILY_SHARED */
};
enum appstore_verdict {
    APPSTORE_GENUINE,
    APPSTORE_FORGED,  /* not signed by Apple, or not while the chain was valid */
    APPSTORE_GARBLED, /* no notice of this version */
    APPSTORE_FOREIGN, /* another app's, or of another environment */
    APPSTORE_NO_MEMORY
};
enum appstore_verdict appstore_read(const struct appstore *a, struct slice signed_payload, int64_t now_us,
                                    struct appstore_notice *ret, char ret_why[APPSTORE_WHY_BYTES]);
/* The row of appstore_types.def: "" and "" for a type that is not there. */
void appstore_event_of(const char *type, const char **ret_event, const char **ret_outcome);
/* The account whose id is the UUID's bits; false when that is none that id_make could have written. */
bool appstore_account_id(const char *uuid, struct id *ret_id);

/* --- taking: on a desk's worker --- */
/* Keeps and decides a genuine notice. *ret_again: it was taken before. KEER_EIO, KEER_EFULL, KEER_EUNSUPPORTED, KEER_ENOMEM:
 * not taken, or not known; it may come again. */
KEER_NODISCARD enum keer_err appstore_take(struct desk_worker *w, const struct appstore_notice *n, bool *ret_again);

/* --- consumption answers --- */
struct appstore_evidence { /* what is known of who asked for a refund */
    bool has_account, frozen, closed;
    int64_t created_us;               /* of the account */
    int64_t device_us;                /* the newest device of the account at the time of the purchase: first seen */
    int64_t granted, asked;           /* refunds of this account before, in the last 90 days, as Apple told */
    bool paid_usd, paid_other;        /* whether charges in US dollars, or in others, are known */
    int64_t paid_cents, repaid_cents; /* of linked wallets, in US dollars */
    char outcome[16];                 /* what was decided on the purchase; "" when it was not told here */
};
/* {"v2":{...},"v1":{...},"because":[...],"missing":[...]} */
void appstore_prepare(const struct appstore_notice *n, const struct appstore_evidence *e, struct buf *out);
struct appstore_consumption {
    char uuid[APPSTORE_UUID_BYTES + 1], transaction[APPSTORE_TEXT_BYTES + 1], account[ID_BYTES + 1];
    int64_t signed_us, due_us;
    struct buf answer; /* the caller releases it */
};
/* By notificationUUID; KEER_EMISSING when there is no such request. */
KEER_NODISCARD enum keer_err appstore_consumption_get(struct desk_worker *w, struct slice uuid,
                                                      struct appstore_consumption *ret);
#endif
