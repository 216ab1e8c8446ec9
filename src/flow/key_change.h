/* key_change.h - API keys made, revoked and rotated while the daemon runs.
 *
 * The change is written on the writer's thread; after `done` the caller has the table of keys read again
 * (decider_reload_keys) before it answers, so that an answer means: from here on. A key of the role admin is revoked as the
 * last one only by who said so.
 */
#ifndef FLOW_KEY_CHANGE_H
#define FLOW_KEY_CHANGE_H
#include "flow/decider.h"

enum key_verb { KEY_MAKE, KEY_REVOKE, KEY_ROTATE };
#define KEY_OLD_VALID_US (24 * 3600 * INT64_C(1000000))
#define KEY_OLD_VALID_MAX_US (30 * KEY_OLD_VALID_US)

struct key_change {
    enum key_verb verb;
    char name[LIMIT_NAME_BYTES + 1]; /* MAKE */
    enum key_role role;              /* MAKE */
    char id[KEY_ID_BYTES + 1];       /* REVOKE, ROTATE; filled in by MAKE */
    int64_t old_valid_us;            /* ROTATE: how long the old secret is taken */
    bool last_admin;                 /* REVOKE: also when no other of the role admin is left */
    /* On the writer's thread; must not block. */
    void (*done)(struct key_change *c);
    void *ctx;
    /* the answer: KEER_EMISSING, KEER_ECONFLICT (the last admin), KEER_ELIMIT (KEYS_MAX), KEER_EIO, KEER_ENOMEM */
    enum keer_err err;
    char text[KEY_TEXT_BYTES]; /* MAKE, ROTATE: the caller wipes it */
    int64_t now_us, old_until_us;
    struct write_task task;
};
/* What decider_write says; then `done` is not called. */
KEER_NODISCARD enum keer_err key_change_submit(struct decider *d, struct key_change *c, int64_t now_us);
#endif
