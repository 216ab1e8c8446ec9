/* webhooks.c - webhooks and the outbox. */
#include "store/webhooks.h"

static const char *const states[DELIVERY_STATE_MAX] = {"waiting", "delivered", "dead"};

const char *delivery_state_name(enum delivery_state state) { return states[state]; }

enum keer_err delivery_state_find(struct slice name, enum delivery_state *ret_state)
{
    for (unsigned i = 0; i < DELIVERY_STATE_MAX; i++)
        if (slice_eq(name, slice_str(states[i]))) {
            *ret_state = (enum delivery_state)i;
            return KEER_OK;
        }
    return KEER_EINVALID;
}

/* --- webhooks --- */

static bool copy(struct slice from, char *to, size_t room)
{
    if (from.len >= room)
        return false;
    if (from.len)
        memcpy(to, from.p, from.len);
    to[from.len] = '\0';
    return true;
}

static bool copy_secret(struct slice from, struct webhook_secret *to)
{
    if (from.len && from.len != CRYPTO_HASH_BYTES && from.len != CRYPTO_SEALED_BYTES)
        return false;
    if (from.len)
        memcpy(to->bytes, from.p, from.len);
    to->len = (unsigned)from.len;
    return true;
}

static bool take(struct db_stmt *s, struct webhook_row *row)
{
    *row = (struct webhook_row){.outcomes = (uint32_t)db_i64(s, 3),
                                .created_us = db_i64(s, 6),
                                .disabled_us = db_i64(s, 7),
                                .old_until_us = db_i64(s, 8)};
    return copy(db_bytes(s, 0), row->id, sizeof row->id) && copy(db_bytes(s, 1), row->name, sizeof row->name) &&
           copy(db_bytes(s, 2), row->url, sizeof row->url) && copy_secret(db_bytes(s, 4), &row->secret) &&
           copy_secret(db_bytes(s, 5), &row->old_secret) && copy(db_bytes(s, 9), row->why, sizeof row->why) &&
           row->secret.len;
}

enum keer_err webhooks_read(struct db *db, struct webhook_row **ret_rows, unsigned *ret_count)
{
    struct db_stmt *s;
    struct webhook_row *rows = NULL;
    unsigned count = 0;
    enum db_step step = DB_END;
    enum keer_err err = db_prepare(db,
                                   "SELECT id, name, url, outcomes, secret, old_secret, created_us, disabled_us,"
                                   " old_until_us, why FROM webhook ORDER BY created_us, id",
                                   &s);
    if (err != KEER_OK)
        return err;
    while (err == KEER_OK && (step = db_step(s)) == DB_ROW) {
        struct webhook_row *more = count == LIMIT_WEBHOOKS ? NULL : realloc(rows, (count + 1) * sizeof *more);
        if (!more) {
            err = count == LIMIT_WEBHOOKS ? KEER_ELIMIT : KEER_ENOMEM;
            break;
        }
        rows = more;
        err = take(s, &rows[count]) ? KEER_OK : KEER_EFORMAT;
        count++;
    }
    if (err == KEER_OK && step != DB_END)
        err = KEER_EIO;
    db_free(s);
    if (err != KEER_OK) {
        free(rows);
        return err;
    }
    *ret_rows = rows;
    *ret_count = count;
    return KEER_OK;
}

static struct slice secret_view(const struct webhook_secret *s) { return slice_of((const char *)s->bytes, s->len); }

/* One number of a statement that has one row. */
static enum keer_err number(struct db_stmt *s, int64_t *ret)
{
    enum db_step step = db_step(s);
    if (step == DB_ROW)
        *ret = db_i64(s, 0);
    return step == DB_ROW ? KEER_OK : KEER_EIO;
}

enum keer_err webhooks_add(struct db *db, const struct webhook_row *row)
{
    struct db_stmt *s = NULL;
    int64_t there = 0;
    enum keer_err err = db_prepare(db, "SELECT COUNT(*) FROM webhook", &s);
    if (err == KEER_OK)
        err = number(s, &there);
    db_free(s);
    if (err == KEER_OK && there >= LIMIT_WEBHOOKS)
        return KEER_ELIMIT;
    if (err == KEER_OK)
        err = db_prepare(
            db, "INSERT INTO webhook (id, name, url, outcomes, secret, created_us) VALUES ($1, $2, $3, $4, $5, $6)", &s);
    if (err != KEER_OK)
        return err;
    db_bind_text(s, 1, slice_str(row->id));
    db_bind_text(s, 2, slice_str(row->name));
    db_bind_text(s, 3, slice_str(row->url));
    db_bind_i64(s, 4, row->outcomes);
    db_bind_bytes(s, 5, secret_view(&row->secret));
    db_bind_i64(s, 6, row->created_us);
    err = db_step(s) == DB_END ? KEER_OK : KEER_EIO;
    db_free(s);
    return err;
}

/* Ends a statement that has RETURNING: KEER_EMISSING when it met no row. */
static enum keer_err ended(struct db_stmt *s, int64_t *ret_count)
{
    int64_t n = 0;
    enum db_step step;
    while ((step = db_step(s)) == DB_ROW)
        n++;
    db_free(s);
    if (step != DB_END)
        return KEER_EIO;
    if (ret_count)
        *ret_count = n;
    return n ? KEER_OK : KEER_EMISSING;
}

enum keer_err webhooks_remove(struct db *db, const char *id)
{
    struct db_stmt *s;
    enum keer_err err = db_prepare(db, "DELETE FROM delivery WHERE webhook = $1", &s);
    if (err != KEER_OK)
        return err;
    db_bind_text(s, 1, slice_str(id));
    err = db_step(s) == DB_END ? KEER_OK : KEER_EIO;
    db_free(s);
    if (err == KEER_OK)
        err = db_prepare(db, "DELETE FROM webhook WHERE id = $1 RETURNING id", &s);
    if (err != KEER_OK)
        return err;
    db_bind_text(s, 1, slice_str(id));
    return ended(s, NULL);
}

enum keer_err webhooks_rotate(struct db *db, const char *id, const struct webhook_secret *secret, int64_t old_until_us)
{
    struct db_stmt *s;
    enum keer_err err = db_prepare(db,
                                   "UPDATE webhook SET old_secret = secret, secret = $1, old_until_us = $2 WHERE id = $3"
                                   " RETURNING id",
                                   &s);
    if (err != KEER_OK)
        return err;
    db_bind_bytes(s, 1, secret_view(secret));
    db_bind_i64(s, 2, old_until_us);
    db_bind_text(s, 3, slice_str(id));
    return ended(s, NULL);
}

enum keer_err webhooks_disable(struct db *db, const char *id, int64_t disabled_us, struct slice why)
{
    struct db_stmt *s;
    enum keer_err err = db_prepare(db, "UPDATE webhook SET disabled_us = $1, why = $2 WHERE id = $3 RETURNING id", &s);
    if (err != KEER_OK)
        return err;
    db_bind_i64(s, 1, disabled_us);
    db_bind_text(s, 2, why);
    db_bind_text(s, 3, slice_str(id));
    return ended(s, NULL);
}

/* --- deliveries --- */

enum keer_err delivery_adder(struct db *db, struct db_stmt **ret_stmt)
{
    return db_prepare(db,
                      "INSERT INTO delivery (webhook, seq, outcome, at_us, since_us)"
                      " SELECT id, CAST($1 AS BIGINT), CAST($2 AS BIGINT), CAST($3 AS BIGINT), CAST($3 AS BIGINT) FROM "
                      "webhook WHERE disabled_us = 0 AND (outcomes & CAST($4 AS BIGINT)) <> 0",
                      ret_stmt);
}

enum keer_err delivery_add(struct db_stmt *adder, int64_t seq, unsigned outcome, int64_t now_us)
{
    db_bind_i64(adder, 1, seq);
    db_bind_i64(adder, 2, outcome);
    db_bind_i64(adder, 3, now_us);
    db_bind_i64(adder, 4, (int64_t)1 << outcome);
    enum db_step step = db_put(adder);
    db_reset(adder);
    return step == DB_END ? KEER_OK : KEER_EIO;
}

enum keer_err delivery_settler(struct db *db, struct db_stmt **ret_stmt)
{
    return db_prepare(db,
                      "UPDATE delivery SET state = $1, at_us = $2, attempts = $3, status = $4, why = $5"
                      " WHERE webhook = $6 AND seq = $7 AND state = 0",
                      ret_stmt);
}

enum keer_err delivery_settle(struct db_stmt *settler, const char *webhook, const struct delivery *d)
{
    db_bind_i64(settler, 1, d->state);
    db_bind_i64(settler, 2, d->at_us);
    db_bind_i64(settler, 3, d->attempts);
    db_bind_i64(settler, 4, d->status);
    db_bind_text(settler, 5, d->why);
    db_bind_text(settler, 6, slice_str(webhook));
    db_bind_i64(settler, 7, d->seq);
    enum db_step step = db_put(settler);
    db_reset(settler);
    return step == DB_END ? KEER_OK : KEER_EIO;
}

enum keer_err delivery_replay(struct db *db, const char *webhook, int64_t seq, int64_t now_us, int64_t *ret_count)
{
    struct db_stmt *s;
    enum keer_err err = db_prepare(db,
                                   seq ? "UPDATE delivery SET state = 0, at_us = $1, attempts = 0 WHERE webhook = $2"
                                         " AND seq = $3 AND state <> 0 RETURNING seq"
                                       : "UPDATE delivery SET state = 0, at_us = $1, attempts = 0 WHERE webhook = $2"
                                         " AND state = 2 RETURNING seq",
                                   &s);
    if (err != KEER_OK)
        return err;
    db_bind_i64(s, 1, now_us);
    db_bind_text(s, 2, slice_str(webhook));
    if (seq)
        db_bind_i64(s, 3, seq);
    *ret_count = 0;
    err = ended(s, ret_count);
    return err == KEER_EMISSING ? KEER_OK : err;
}

enum keer_err delivery_forget(struct db *db, int64_t before_us, int64_t limit, int64_t *ret_count)
{
    struct db_stmt *s;
    enum keer_err err = db_prepare(db,
                                   "DELETE FROM delivery WHERE (webhook, seq) IN (SELECT d.webhook, d.seq FROM delivery d"
                                   " JOIN webhook w ON w.id = d.webhook WHERE d.state = 1 AND d.at_us < $1 LIMIT $2)"
                                   " RETURNING seq",
                                   &s);
    if (err != KEER_OK)
        return err;
    db_bind_i64(s, 1, before_us);
    db_bind_i64(s, 2, limit);
    *ret_count = 0;
    err = ended(s, ret_count);
    return err == KEER_EMISSING ? KEER_OK : err;
}

enum keer_err delivery_scanner(struct db *db, struct db_stmt **ret_stmt)
{
    return db_prepare(db,
                      "SELECT d.seq, d.at_us, d.attempts, d.outcome, j.decision, j.decided_us FROM delivery d"
                      " JOIN journal j ON j.seq = d.seq WHERE d.webhook = $1 AND d.state = 0"
                      " AND (d.at_us, d.seq) > (CAST($2 AS BIGINT), CAST($3 AS BIGINT)) ORDER BY d.at_us, d.seq LIMIT 1",
                      ret_stmt);
}

enum keer_err delivery_next(struct db_stmt *scanner, const char *webhook, int64_t at_us, int64_t seq, struct delivery *ret,
                            struct slice *ret_decision, int64_t *ret_decided_us)
{
    db_reset(scanner);
    db_bind_text(scanner, 1, slice_str(webhook));
    db_bind_i64(scanner, 2, at_us);
    db_bind_i64(scanner, 3, seq);
    enum db_step step = db_step(scanner);
    if (step != DB_ROW)
        return step == DB_END ? KEER_EMISSING : KEER_EIO;
    *ret = (struct delivery){.seq = db_i64(scanner, 0),
                             .at_us = db_i64(scanner, 1),
                             .attempts = db_i64(scanner, 2),
                             .outcome = (unsigned)db_i64(scanner, 3)};
    *ret_decision = db_bytes(scanner, 4);
    *ret_decided_us = db_i64(scanner, 5);
    return KEER_OK;
}

enum keer_err delivery_count(struct db *db, struct delivery_figures *ret)
{
    struct delivery_figures f = {0};
    struct db_stmt *s;
    enum db_step step;
    enum keer_err err = db_prepare(db, "SELECT state, COUNT(*), MIN(since_us) FROM delivery GROUP BY state", &s);
    if (err != KEER_OK)
        return err;
    while ((step = db_step(s)) == DB_ROW) {
        int64_t state = db_i64(s, 0);
        if (state >= 0 && state < DELIVERY_STATE_MAX)
            f.count[state] = db_i64(s, 1);
        if (state == DELIVERY_WAITING)
            f.oldest_us = db_i64(s, 2);
    }
    db_free(s);
    if (step != DB_END)
        return KEER_EIO;
    *ret = f;
    return KEER_OK;
}

enum keer_err delivery_list(struct db *db, const char *webhook, enum delivery_state state, int64_t limit,
                            void (*each)(void *ctx, const struct delivery *d), void *ctx)
{
    struct db_stmt *s;
    enum db_step step;
    enum keer_err err = db_prepare(db,
                                   "SELECT seq, at_us, attempts, outcome, status, why FROM delivery WHERE webhook = $1"
                                   " AND state = $2 ORDER BY at_us DESC, seq DESC LIMIT $3",
                                   &s);
    if (err != KEER_OK)
        return err;
    db_bind_text(s, 1, slice_str(webhook));
    db_bind_i64(s, 2, state);
    db_bind_i64(s, 3, limit);
    while ((step = db_step(s)) == DB_ROW) {
        struct delivery d = {.seq = db_i64(s, 0),
                             .at_us = db_i64(s, 1),
                             .attempts = db_i64(s, 2),
                             .outcome = (unsigned)db_i64(s, 3),
                             .status = db_i64(s, 4),
                             .why = db_bytes(s, 5),
                             .state = state};
        each(ctx, &d);
    }
    db_free(s);
    return step == DB_END ? KEER_OK : KEER_EIO;
}
