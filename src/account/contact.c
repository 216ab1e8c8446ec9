/* contact.c - where an account's notices go. */
#include "account/contact.h"

#include "store/query.h"

#define COLUMNS "id, account, kind, value, created_us, verified_us, removed_us"

static enum keer_err take(struct db_stmt *s, struct contact *c)
{
    int64_t kind = db_i64(s, 2);
    *c = (struct contact){.created_us = db_i64(s, 4), .verified_us = db_i64(s, 5), .removed_us = db_i64(s, 6)};
    if (kind != IDENTIFIER_EMAIL && kind != IDENTIFIER_PHONE)
        return KEER_EFORMAT;
    c->address.kind = (enum identifier_kind)kind;
    enum keer_err err = query_id(s, 0, &c->id);
    if (err == KEER_OK)
        err = query_id(s, 1, &c->account);
    return err == KEER_OK ? query_text(s, 3, c->address.text, sizeof c->address.text) : err;
}

static enum keer_err take_all(struct db_stmt *s, unsigned max, struct contact *room, unsigned *ret_count)
{
    enum keer_err err = KEER_OK;
    enum db_step step = DB_END;
    unsigned count = 0;
    while (err == KEER_OK && count < max && (step = db_step(s)) == DB_ROW)
        err = take(s, &room[count++]);
    if (err == KEER_OK && step == DB_FAILED)
        err = KEER_EIO;
    db_free(s);
    if (err == KEER_OK)
        *ret_count = count;
    return err;
}

enum keer_err contact_list(struct db *db, const struct id *account, struct contact *room, unsigned *ret_count)
{
    struct db_stmt *s;
    enum keer_err err = QUERY_ROWS(db, &s,
                                   "SELECT " COLUMNS " FROM contact WHERE account = $1 AND removed_us = 0"
                                   " ORDER BY created_us, id LIMIT $2",
                                   Q_ID(account), Q_NUMBER(CONTACTS_MAX));
    return err == KEER_OK ? take_all(s, CONTACTS_MAX, room, ret_count) : err;
}

enum keer_err contact_notified(struct db *db, const struct id *account, int64_t now_us, struct contact *room,
                               unsigned *ret_count)
{
    struct db_stmt *s;
    enum keer_err err = QUERY_ROWS(db, &s,
                                   "SELECT " COLUMNS " FROM contact WHERE account = $1 AND verified_us > 0"
                                   " AND (removed_us = 0 OR removed_us > $2) ORDER BY removed_us, created_us, id LIMIT $3",
                                   Q_ID(account), Q_NUMBER(now_us - CONTACT_AFTER_US), Q_NUMBER(CONTACTS_NOTIFIED_MAX));
    return err == KEER_OK ? take_all(s, CONTACTS_NOTIFIED_MAX, room, ret_count) : err;
}

enum keer_err contact_read(struct db *db, const struct id *account, const struct id *contact, struct contact *ret_contact)
{
    struct db_stmt *s;
    struct contact c;
    enum keer_err err =
        QUERY_ONE(db, &s, "SELECT " COLUMNS " FROM contact WHERE account = $1 AND id = $2 AND removed_us = 0", Q_ID(account),
                  Q_ID(contact));
    if (err != KEER_OK)
        return err;
    err = take(s, &c);
    db_free(s);
    if (err == KEER_OK)
        *ret_contact = c;
    return err;
}

enum keer_err contact_add(struct db *db, const struct id *account, const struct identifier *address, int64_t verified_us,
                          int64_t now_us, struct id *ret_id)
{
    struct contact room[CONTACTS_MAX];
    struct id id;
    unsigned count;
    if (address->kind != IDENTIFIER_EMAIL && address->kind != IDENTIFIER_PHONE)
        return KEER_EINVALID;
    enum keer_err err = contact_list(db, account, room, &count);
    for (unsigned i = 0; err == KEER_OK && i < count; i++)
        if (room[i].address.kind == address->kind && strcmp(room[i].address.text, address->text) == 0)
            return KEER_ECONFLICT;
    if (err == KEER_OK && count == CONTACTS_MAX)
        err = KEER_ELIMIT;
    if (err == KEER_OK)
        err = QUERY_DO(db, "DELETE FROM contact WHERE account = $1 AND removed_us > 0 AND removed_us <= $2", Q_ID(account),
                       Q_NUMBER(now_us - CONTACT_AFTER_US));
    id_make(&id);
    if (err == KEER_OK)
        err = QUERY_MET(
            db,
            "INSERT INTO contact (id, account, kind, value, created_us, verified_us) VALUES ($1, $2, $3, $4, $5, $6)"
            " ON CONFLICT DO NOTHING RETURNING id",
            Q_ID(&id), Q_ID(account), Q_NUMBER(address->kind), Q_STR(address->text), Q_NUMBER(now_us),
            Q_NUMBER(verified_us));
    if (err == KEER_OK)
        *ret_id = id;
    return err == KEER_EMISSING ? KEER_ECONFLICT : err;
}

enum keer_err contact_verify(struct db *db, const struct id *account, const struct id *contact, int64_t now_us)
{
    struct contact c;
    enum keer_err err = contact_read(db, account, contact, &c);
    if (err == KEER_OK && c.verified_us)
        return KEER_OK;
    if (err == KEER_OK)
        err = QUERY_MET(db, "UPDATE contact SET verified_us = $1 WHERE id = $2 AND removed_us = 0 RETURNING id",
                        Q_NUMBER(now_us), Q_ID(contact));
    if (err != KEER_OK)
        return err;
    err = identifier_add(db, account, &c.address, now_us);
    return err == KEER_ECONFLICT || err == KEER_ELIMIT ? KEER_OK : err; /* notices go there all the same */
}

enum keer_err contact_remove(struct db *db, const struct id *account, const struct id *contact, int64_t now_us)
{
    struct contact room[CONTACTS_MAX], *found = NULL;
    unsigned count = 0, verified = 0;
    enum keer_err err = contact_list(db, account, room, &count);
    for (unsigned i = 0; err == KEER_OK && i < count; i++) {
        verified += room[i].verified_us > 0;
        if (id_eq(&room[i].id, contact))
            found = &room[i];
    }
    if (err == KEER_OK && !found)
        err = KEER_EMISSING;
    if (err != KEER_OK)
        return err;
    if (found->verified_us && verified == 1)
        return KEER_EINVALID;
    err = found->verified_us
              ? QUERY_MET(db, "UPDATE contact SET removed_us = $1 WHERE id = $2 AND removed_us = 0 RETURNING id",
                          Q_NUMBER(now_us), Q_ID(contact))
              : QUERY_MET(db, "DELETE FROM contact WHERE id = $1 RETURNING id", Q_ID(contact));
    if (err == KEER_OK)
        err = identifier_remove(db, account, &found->address);
    return err == KEER_EMISSING ? KEER_OK : err; /* somebody else is found by it, or it was never verified */
}

enum keer_err contact_give_back(struct db *db, const struct id *account, const struct identifier *address, int64_t now_us)
{
    struct contact room[CONTACTS_MAX];
    struct id id;
    unsigned count = 0;
    enum keer_err err = contact_list(db, account, room, &count);
    if (err == KEER_OK && count == CONTACTS_MAX)
        return KEER_ELIMIT;
    if (err == KEER_OK)
        err =
            QUERY_MET(db,
                      "UPDATE contact SET removed_us = 0 WHERE account = $1 AND kind = $2 AND value = $3 AND removed_us > 0"
                      " RETURNING id",
                      Q_ID(account), Q_NUMBER(address->kind), Q_STR(address->text));
    if (err == KEER_EMISSING) { /* its row is gone */
        err = contact_add(db, account, address, /* unverified, which contact_verify ends */ 0, now_us, &id);
        return err == KEER_OK ? contact_verify(db, account, &id, now_us) : err;
    }
    if (err == KEER_OK)
        err = identifier_add(db, account, address, now_us);
    return err == KEER_ECONFLICT || err == KEER_ELIMIT ? KEER_OK : err; /* notices go there all the same */
}

enum keer_err contact_outranked(struct db *db, const struct id *account, const struct identifier *address, bool *ret)
{
    enum keer_err err = QUERY_MET(
        db,
        "SELECT p.id FROM contact p WHERE p.account = $1 AND p.removed_us = 0 AND p.verified_us > 0"
        " AND NOT EXISTS (SELECT c.id FROM contact c WHERE c.account = $1 AND c.kind = $2 AND c.value = $3 AND c.removed_us "
        "= 0)"
        " AND p.verified_us < (SELECT b.verified_us FROM contact b WHERE b.account = $1 AND b.kind = $2 AND b.value = $3)"
        " LIMIT 1",
        Q_ID(account), Q_NUMBER(address->kind), Q_STR(address->text));
    if (err == KEER_OK || err == KEER_EMISSING)
        *ret = err == KEER_OK;
    return err == KEER_EMISSING ? KEER_OK : err;
}
