/* key_change.c - API keys made, revoked and rotated while the daemon runs. */
#include "flow/key_change.h"

/* Whether another valid key of the role admin is left without this one, or it is none itself. */
static bool may_go(const struct keys *keys, const char *id)
{
    bool others = false, admin = false;
    for (unsigned i = 0; i < keys->count; i++) {
        const struct key_row *row = &keys->row[i];
        bool counts = row->role == KEY_ADMIN && row->revoked_us == 0, same = strcmp(row->id, id) == 0;
        admin = admin || (counts && same);
        others = others || (counts && !same);
    }
    return others || !admin;
}

static enum keer_err run(struct db *db, struct write_task *t)
{
    struct key_change *c = t->ctx;
    struct keys keys;
    enum keer_err err = keys_read(db, &keys);
    if (err != KEER_OK)
        return err;
    bool full = keys.count >= KEYS_MAX, goes = c->last_admin || may_go(&keys, c->id);
    keys_release(&keys);
    switch (c->verb) {
    case KEY_MAKE:
        err = full ? KEER_ELIMIT : keys_add(db, slice_str(c->name), c->role, c->now_us, c->text);
        if (err == KEER_OK) /* keer_ID_SECRET */
            memcpy(c->id, c->text + 5, KEY_ID_BYTES);
        return err;
    case KEY_REVOKE: return goes ? keys_revoke(db, slice_str(c->id), c->now_us) : KEER_ECONFLICT;
    case KEY_ROTATE:
        c->old_until_us = c->now_us + c->old_valid_us;
        return keys_rotate(db, slice_str(c->id), c->old_until_us, c->text);
    }
    return KEER_EINVALID;
}

static void done(struct write_task *t, enum keer_err err)
{
    struct key_change *c = t->ctx;
    c->err = err;
    c->done(c); /* c may be gone afterwards */
}

enum keer_err key_change_submit(struct decider *d, struct key_change *c, int64_t now_us)
{
    c->now_us = now_us;
    c->task = (struct write_task){.run = run, .done = done, .ctx = c};
    return decider_write(d, &c->task);
}
