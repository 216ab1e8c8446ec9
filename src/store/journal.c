/* journal.c - what was decided, in order. */
#include "store/journal.h"

#include "store/driver.h"

#define SCAN_ROWS 256 /* and in words for SQL: */
#define SCAN_TEXT "256"
#define ROW_PARAMETERS 11 /* as many as columns */
#define COLUMNS "seq, id, time_us, decided_us, policy, body, body_hash, decision, added, missing, saw"

enum keer_err journal_open(struct journal *j, struct db *db)
{
    *j = (struct journal){.db = db};
    enum keer_err err =
        db_prepare(db, "INSERT INTO journal (" COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)", &j->add);
    if (err == KEER_OK)
        err = db_prepare(db,
                         "INSERT INTO journal (" COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11),"
                         " ($12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22),"
                         " ($23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33),"
                         " ($34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44)",
                         &j->add_many);
    if (err == KEER_OK)
        err = db_prepare(db, "SELECT " COLUMNS " FROM journal WHERE id = $1", &j->find);
    if (err == KEER_OK)
        err = db_prepare(db, "SELECT " COLUMNS " FROM journal WHERE seq > $1 ORDER BY seq LIMIT " SCAN_TEXT, &j->scan);
    if (err == KEER_OK)
        err = db_prepare(db, "SELECT " COLUMNS " FROM journal ORDER BY seq DESC LIMIT 1", &j->last);
    if (err != KEER_OK)
        journal_close(j);
    return err;
}

void journal_close(struct journal *j)
{
    db_free(j->add);
    db_free(j->add_many);
    db_free(j->find);
    db_free(j->scan);
    db_free(j->last);
    *j = (struct journal){0};
}

enum keer_err journal_last_seq(struct db *db, int64_t *ret_seq)
{
    return db_number(db, "SELECT COALESCE(MAX(seq), 0) FROM journal", ret_seq);
}

static void bind_row(struct db_stmt *s, unsigned row, const struct journal_entry *e)
{
    unsigned p = row * ROW_PARAMETERS;
    db_bind_i64(s, p + 1, e->seq);
    db_bind_bytes(s, p + 2, e->id);
    db_bind_i64(s, p + 3, e->time_us);
    db_bind_i64(s, p + 4, e->decided_us);
    db_bind_i64(s, p + 5, e->policy);
    db_bind_bytes(s, p + 6, e->body);
    db_bind_bytes(s, p + 7, slice_of((const char *)e->body_hash.bytes, sizeof e->body_hash.bytes));
    db_bind_bytes(s, p + 8, e->decision);
    db_bind_bytes(s, p + 9, e->added);
    db_bind_i64(s, p + 10, e->missing);
    db_bind_bytes(s, p + 11, e->saw);
}

enum keer_err journal_add_all(struct journal *j, const struct journal_entry *e, unsigned count)
{
    unsigned together = j->db->driver->rows_together ? JOURNAL_TOGETHER : 1;
    while (count) {
        unsigned n = count >= together ? together : 1;
        struct db_stmt *s = n == 1 ? j->add : j->add_many;
        for (unsigned i = 0; i < n; i++)
            bind_row(s, i, &e[i]);
        enum db_step step = db_put(s);
        db_reset(s);
        if (step != DB_END)
            return step == DB_CONFLICT ? KEER_ECONFLICT : KEER_EIO;
        e += n;
        count -= n;
    }
    return KEER_OK;
}

enum keer_err journal_add(struct journal *j, const struct journal_entry *e) { return journal_add_all(j, e, 1); }

static enum keer_err take(struct db_stmt *s, struct journal_entry *ret)
{
    enum db_step step = db_step(s);
    if (step != DB_ROW)
        return step == DB_END ? KEER_EMISSING : KEER_EIO;
    struct slice hash = db_bytes(s, 6);
    struct journal_entry e = {.seq = db_i64(s, 0),
                              .id = db_bytes(s, 1),
                              .time_us = db_i64(s, 2),
                              .decided_us = db_i64(s, 3),
                              .policy = db_i64(s, 4),
                              .body = db_bytes(s, 5),
                              .decision = db_bytes(s, 7),
                              .added = db_bytes(s, 8),
                              .missing = db_i64(s, 9) != 0,
                              .saw = db_bytes(s, 10)};
    if (hash.len != sizeof e.body_hash.bytes)
        return KEER_EFORMAT;
    memcpy(e.body_hash.bytes, hash.p, hash.len);
    *ret = e;
    return KEER_OK;
}

void journal_done(struct journal *j)
{
    db_reset(j->find);
    db_reset(j->scan);
    j->scan_left = 0;
    db_reset(j->last);
}

enum keer_err journal_find(struct journal *j, struct slice id, struct journal_entry *ret_entry)
{
    journal_done(j);
    db_bind_bytes(j->find, 1, id);
    return take(j->find, ret_entry);
}

enum keer_err journal_last(struct journal *j, struct journal_entry *ret_entry)
{
    journal_done(j);
    return take(j->last, ret_entry);
}

enum keer_err journal_after(struct journal *j, int64_t seq, struct journal_entry *ret_entry)
{
    struct journal_entry e;
    if (!j->scan_left || j->scan_seq != seq) {
        journal_done(j);
        db_bind_i64(j->scan, 1, seq);
        j->scan_left = SCAN_ROWS;
    }
    j->scan_left--;
    enum keer_err err = take(j->scan, &e);
    if (err != KEER_OK) { /* also the end: rows may come after it */
        j->scan_left = 0;
        return err;
    }
    j->scan_seq = e.seq;
    *ret_entry = e;
    return KEER_OK;
}
