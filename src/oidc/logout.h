/* logout.h - sign-outs that clients are told of (OpenID Connect Back-Channel Logout 1.0).
 *
 *     oidc_logout_queue ─► waiting ─┬─ answered 2xx ──► told
 *                                   └─ LOGOUT_TRIES times not ──► dead
 *
 * Invariants
 *  1. A client that was granted something in a session is told once that it ended, and where it said that it wants to be
 * told; (client, session) is unique, so that queueing again does nothing.
 *  2. What was granted in it without offline_access has ended in the same transaction.
 */
#ifndef OIDC_LOGOUT_H
#define OIDC_LOGOUT_H
#include "oidc/client.h"

#define LOGOUT_TRIES 6
#define LOGOUT_BATCH 8 /* under way at once */

struct oidc_logout {
    struct id id, client, account, session;
    char uri[OIDC_URI_BYTES + 1];
    int64_t tries;
};
/* Ends the grants of a session that is over, and queues a sign-out for each of their clients that wants one. */
KEER_NODISCARD enum keer_err oidc_logout_queue(struct db *db, const struct id *session, int64_t now_us);
/* Those that are due, the oldest first. */
KEER_NODISCARD enum keer_err oidc_logout_due(struct db *db, int64_t now_us, struct oidc_logout room[LOGOUT_BATCH],
                                             unsigned *ret_count);
/* After a try: told, to be tried again, or dead. */
KEER_NODISCARD enum keer_err oidc_logout_done(struct db *db, const struct oidc_logout *l, bool told, const char *why,
                                              int64_t now_us);
#endif
