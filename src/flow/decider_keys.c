/* decider_keys.c - the table of API keys of a running daemon: read by the threads of HTTP, replaced when it has changed. */
#include "flow/decider_inside.h"

bool decider_key(struct decider *d, struct slice text, struct key_row *ret_row)
{
    (void)pthread_rwlock_rdlock(&d->keys_lock);
    const struct key_row *row = keys_find(&d->keys, text, d->o.wall_us());
    if (row)
        *ret_row = *row;
    (void)pthread_rwlock_unlock(&d->keys_lock);
    return row != NULL;
}

bool decider_caller(struct decider *d, struct slice id)
{
    bool valid = false;
    (void)pthread_rwlock_rdlock(&d->keys_lock);
    for (unsigned i = 0; i < d->keys.count; i++)
        valid = valid || (slice_eq(slice_str(d->keys.row[i].id), id) && d->keys.row[i].revoked_us == 0);
    (void)pthread_rwlock_unlock(&d->keys_lock);
    return valid;
}

void decider_keys_each(struct decider *d, void (*each)(void *ctx, const struct key_row *row), void *ctx)
{
    (void)pthread_rwlock_rdlock(&d->keys_lock);
    for (unsigned i = d->keys.count; i; i--)
        each(ctx, &d->keys.row[i - 1]);
    (void)pthread_rwlock_unlock(&d->keys_lock);
}

unsigned decider_keys_valid(struct decider *d)
{
    unsigned n = 0;
    (void)pthread_rwlock_rdlock(&d->keys_lock);
    for (unsigned i = 0; i < d->keys.count; i++)
        n += d->keys.row[i].revoked_us == 0;
    (void)pthread_rwlock_unlock(&d->keys_lock);
    return n;
}

static bool keys_same(const struct keys *a, const struct keys *b)
{
    bool same = a->count == b->count;
    for (unsigned i = 0; same && i < a->count; i++)
        same = crypto_hash_eq(&a->row[i].hash, &b->row[i].hash) && a->row[i].revoked_us == b->row[i].revoked_us &&
               a->row[i].old_until_us == b->row[i].old_until_us && a->row[i].role == b->row[i].role;
    return same;
}

enum keer_err decider_reload_keys(struct decider *d, bool *ret_changed, struct db_why *ret_why)
{
    struct keys fresh = {0};
    (void)pthread_mutex_lock(&d->api_lock);
    enum keer_err err = keys_read(d->api_reader, &fresh);
    if (err != KEER_OK)
        (void)snprintf(ret_why->text, sizeof ret_why->text, "%s",
                       err == KEER_EIO ? db_why(d->api_reader) : keer_err_text(err));
    if (err == KEER_OK) { /* with the reader's lock: what was read later is not put back by what was read earlier */
        (void)pthread_rwlock_wrlock(&d->keys_lock);
        struct keys old = d->keys;
        d->keys = fresh;
        *ret_changed = !keys_same(&old, &fresh);
        (void)pthread_rwlock_unlock(&d->keys_lock);
        keys_release(&old);
    }
    (void)pthread_mutex_unlock(&d->api_lock);
    return err;
}
