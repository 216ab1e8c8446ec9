/* family.c - families, invitations to them, and what their organiser approves. */
#include "account/family.h"

#include "base/utf8.h"
#include "store/query.h"

const char *family_role_name(enum family_role role)
{
    static const char *const names[] = {"organiser", "adult", "child"};
    static_assert(ARRAY_LEN(names) == FAMILY_ROLE_MAX, "a name for each");
    return names[role];
}

enum keer_err family_role_find(struct slice name, enum family_role *ret_role)
{
    for (unsigned i = 0; i < FAMILY_ROLE_MAX; i++)
        if (slice_eq(name, slice_str(family_role_name((enum family_role)i)))) {
            *ret_role = (enum family_role)i;
            return KEER_OK;
        }
    return KEER_EINVALID;
}

/* --- members --- */

static enum keer_err take_member(struct db_stmt *s, struct family_member *m)
{
    int64_t role = db_i64(s, 2);
    *m = (struct family_member){.joined_us = db_i64(s, 3)};
    if (role < 0 || role >= FAMILY_ROLE_MAX)
        return KEER_EFORMAT;
    m->role = (enum family_role)role;
    enum keer_err err = query_id(s, 0, &m->family);
    if (err == KEER_OK)
        err = query_id(s, 1, &m->account);
    return err == KEER_OK ? query_text(s, 4, m->name, sizeof m->name) : err;
}

#define MEMBERS \
    "SELECT m.family, m.account, m.role, m.joined_us, a.name FROM family_member m JOIN account a ON a.id = m.account"

enum keer_err family_of(struct db *db, const struct id *account, struct family_member *ret_member)
{
    struct db_stmt *s;
    struct family_member m;
    enum keer_err err = QUERY_ONE(db, &s, MEMBERS " WHERE m.account = $1", Q_ID(account));
    if (err != KEER_OK)
        return err;
    err = take_member(s, &m);
    db_free(s);
    if (err == KEER_OK)
        *ret_member = m;
    return err;
}

enum keer_err family_members(struct db *db, const struct id *family, struct family_member *room, unsigned *ret_count)
{
    struct db_stmt *s;
    unsigned count = 0;
    enum db_step step = DB_END;
    enum keer_err err = QUERY_ROWS(db, &s, MEMBERS " WHERE m.family = $1 ORDER BY m.role, m.joined_us, m.account LIMIT $2",
                                   Q_ID(family), Q_NUMBER(FAMILY_MEMBERS_MAX));
    if (err != KEER_OK)
        return err;
    while (err == KEER_OK && count < FAMILY_MEMBERS_MAX && (step = db_step(s)) == DB_ROW)
        err = take_member(s, &room[count++]);
    if (err == KEER_OK && step == DB_FAILED)
        err = KEER_EIO;
    db_free(s);
    if (err == KEER_OK)
        *ret_count = count;
    return err;
}

static enum keer_err put_member(struct db *db, const struct id *family, const struct id *account, enum family_role role,
                                int64_t now_us)
{
    enum keer_err err = QUERY_MET(db,
                                  "INSERT INTO family_member (account, family, role, joined_us) VALUES ($1, $2, $3, $4)"
                                  " ON CONFLICT DO NOTHING RETURNING account",
                                  Q_ID(account), Q_ID(family), Q_NUMBER(role), Q_NUMBER(now_us));
    return err == KEER_EMISSING ? KEER_ECONFLICT : err;
}

enum keer_err family_add(struct db *db, const struct id *organiser, int64_t now_us, struct id *ret_family)
{
    struct family_member m;
    struct id id;
    enum keer_err err = family_of(db, organiser, &m);
    if (err != KEER_EMISSING)
        return err == KEER_OK ? KEER_ECONFLICT : err;
    id_make(&id);
    err = QUERY_DO(db, "INSERT INTO family (id, organiser, created_us) VALUES ($1, $2, $3)", Q_ID(&id), Q_ID(organiser),
                   Q_NUMBER(now_us));
    if (err == KEER_OK)
        err = put_member(db, &id, organiser, FAMILY_ORGANISER, now_us);
    if (err == KEER_OK)
        *ret_family = id;
    return err;
}

/* Ends a family with all that hangs on it. */
static enum keer_err end(struct db *db, const struct id *family)
{
    static const char *const steps[] = {
        "DELETE FROM family_approval WHERE family = $1",
        "DELETE FROM family_invitation WHERE family = $1",
        "DELETE FROM family_member WHERE family = $1",
        "DELETE FROM family WHERE id = $1",
    };
    enum keer_err err = KEER_OK;
    for (size_t i = 0; err == KEER_OK && i < ARRAY_LEN(steps); i++)
        err = QUERY_DO(db, steps[i], Q_ID(family));
    return err;
}

enum keer_err family_leave(struct db *db, const struct id *by, const struct id *account, int64_t now_us)
{
    struct family_member who, m;
    UNUSED(now_us);
    enum keer_err err = family_of(db, by, &who);
    if (err == KEER_OK)
        err = family_of(db, account, &m);
    if (err != KEER_OK)
        return err;
    bool self = id_eq(by, account);
    if (!id_eq(&who.family, &m.family) || (self ? m.role == FAMILY_CHILD : who.role != FAMILY_ORGANISER))
        return KEER_EMISSING;
    if (m.role == FAMILY_ORGANISER)
        return end(db, &m.family);
    err = QUERY_DO(db, "DELETE FROM family_approval WHERE account = $1", Q_ID(account));
    return err == KEER_OK ? QUERY_MET(db, "DELETE FROM family_member WHERE account = $1 RETURNING account", Q_ID(account))
                          : err;
}

/* --- invitations --- */

static enum keer_err organised_by(struct db *db, const struct id *organiser, struct id *ret_family)
{
    struct family_member m;
    enum keer_err err = family_of(db, organiser, &m);
    if (err == KEER_OK && m.role != FAMILY_ORGANISER)
        err = KEER_EMISSING;
    if (err == KEER_OK)
        *ret_family = m.family;
    return err;
}

static enum keer_err count_of(struct db *db, const char *sql, const struct id *family, int64_t now_us, int64_t *ret_count)
{
    struct db_stmt *s;
    enum keer_err err = QUERY_ONE(db, &s, sql, Q_ID(family), Q_NUMBER(now_us));
    if (err != KEER_OK)
        return err;
    *ret_count = db_i64(s, 0);
    db_free(s);
    return KEER_OK;
}

enum keer_err family_invite(struct db *db, const struct id *organiser, const struct id *account, enum family_role role,
                            int64_t now_us, struct id *ret_invitation)
{
    struct id family, id;
    int64_t open = 0;
    if (role != FAMILY_ADULT && role != FAMILY_CHILD)
        return KEER_EINVALID;
    enum keer_err err = organised_by(db, organiser, &family);
    if (err == KEER_OK)
        err = QUERY_DO(db, "DELETE FROM family_invitation WHERE family = $1 AND ends_us <= $2", Q_ID(&family),
                       Q_NUMBER(now_us));
    if (err == KEER_OK)
        err = count_of(db, "SELECT COUNT(*) FROM family_invitation WHERE family = $1 AND ends_us > $2", &family, now_us,
                       &open);
    if (err == KEER_OK && open >= FAMILY_INVITATIONS_MAX)
        err = KEER_ELIMIT;
    if (err != KEER_OK)
        return err;
    id_make(&id);
    err = QUERY_MET(
        db,
        "INSERT INTO family_invitation (id, family, account, role, created_us, ends_us) VALUES ($1, $2, $3, $4, $5, $6)"
        " ON CONFLICT DO NOTHING RETURNING id",
        Q_ID(&id), Q_ID(&family), Q_ID(account), Q_NUMBER(role), Q_NUMBER(now_us), Q_NUMBER(now_us + FAMILY_INVITATION_US));
    if (err == KEER_OK)
        *ret_invitation = id;
    return err == KEER_EMISSING ? KEER_ECONFLICT : err;
}

enum keer_err family_invitations(struct db *db, const struct id *account, int64_t now_us, struct family_invitation *room,
                                 unsigned *ret_count)
{
    struct db_stmt *s;
    unsigned count = 0;
    enum db_step step = DB_END;
    enum keer_err err =
        QUERY_ROWS(db, &s,
                   "SELECT i.id, i.family, i.account, i.role, i.created_us, i.ends_us, a.name FROM family_invitation i"
                   " JOIN family f ON f.id = i.family JOIN account a ON a.id = f.organiser"
                   " WHERE i.account = $1 AND i.ends_us > $2 ORDER BY i.created_us, i.id LIMIT $3",
                   Q_ID(account), Q_NUMBER(now_us), Q_NUMBER(FAMILY_INVITATIONS_MAX));
    if (err != KEER_OK)
        return err;
    while (err == KEER_OK && count < FAMILY_INVITATIONS_MAX && (step = db_step(s)) == DB_ROW) {
        struct family_invitation *i = &room[count++];
        int64_t role = db_i64(s, 3);
        *i = (struct family_invitation){.created_us = db_i64(s, 4), .ends_us = db_i64(s, 5), .role = (enum family_role)role};
        err = role == FAMILY_ADULT || role == FAMILY_CHILD ? query_id(s, 0, &i->id) : KEER_EFORMAT;
        if (err == KEER_OK)
            err = query_id(s, 1, &i->family);
        if (err == KEER_OK)
            err = query_id(s, 2, &i->account);
        if (err == KEER_OK)
            err = query_text(s, 6, i->organiser, sizeof i->organiser);
    }
    if (err == KEER_OK && step == DB_FAILED)
        err = KEER_EIO;
    db_free(s);
    if (err == KEER_OK)
        *ret_count = count;
    return err;
}

enum keer_err family_join(struct db *db, const struct id *account, const struct id *invitation, int64_t now_us,
                          struct family_member *ret_member)
{
    struct db_stmt *s;
    struct id family;
    struct family_member room[FAMILY_MEMBERS_MAX];
    unsigned count = 0;
    enum keer_err err = QUERY_ONE(db, &s,
                                  "DELETE FROM family_invitation WHERE id = $1 AND account = $2 AND ends_us > $3"
                                  " RETURNING family, role",
                                  Q_ID(invitation), Q_ID(account), Q_NUMBER(now_us));
    if (err != KEER_OK)
        return err;
    int64_t role = db_i64(s, 1);
    err = query_id(s, 0, &family);
    db_free(s);
    if (err == KEER_OK && role != FAMILY_ADULT && role != FAMILY_CHILD)
        err = KEER_EFORMAT;
    if (err == KEER_OK)
        err = family_members(db, &family, room, &count);
    if (err == KEER_OK && count == FAMILY_MEMBERS_MAX)
        err = KEER_ELIMIT;
    if (err == KEER_OK)
        err = put_member(db, &family, account, (enum family_role)role, now_us);
    return err == KEER_OK ? family_of(db, account, ret_member) : err;
}

enum keer_err family_decline(struct db *db, const struct id *account, const struct id *invitation)
{
    return QUERY_MET(db,
                     "DELETE FROM family_invitation WHERE id = $1 AND (account = $2 OR family IN"
                     " (SELECT id FROM family WHERE organiser = $2)) RETURNING id",
                     Q_ID(invitation), Q_ID(account));
}

/* --- approvals --- */

static bool asks_well(const struct approval_new *n)
{
    return n->what.len && n->what.len <= FAMILY_WHAT_BYTES && utf8_line(n->what) &&
           n->currency.len == FAMILY_CURRENCY_BYTES && utf8_line(n->currency) && n->amount_minor > 0;
}

enum keer_err approval_ask(struct db *db, const struct approval_new *n, int64_t now_us, struct id *ret_id)
{
    struct family_member m;
    struct id id;
    int64_t open = 0;
    if (!asks_well(n))
        return KEER_EINVALID;
    enum keer_err err = family_of(db, &n->account, &m);
    if (err == KEER_OK && m.role == FAMILY_ORGANISER)
        err = KEER_EMISSING;
    if (err == KEER_OK)
        err = count_of(db, "SELECT COUNT(*) FROM family_approval WHERE family = $1 AND ends_us > $2 AND state = 0",
                       &m.family, now_us, &open);
    if (err == KEER_OK && open >= FAMILY_APPROVALS_MAX)
        err = KEER_ELIMIT;
    if (err != KEER_OK)
        return err;
    id_make(&id);
    err = QUERY_DO(db,
                   "INSERT INTO family_approval (id, family, account, what, amount_minor, currency, asked_us, ends_us)"
                   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                   Q_ID(&id), Q_ID(&m.family), Q_ID(&n->account), Q_TEXT(n->what), Q_NUMBER(n->amount_minor),
                   Q_TEXT(n->currency), Q_NUMBER(now_us), Q_NUMBER(now_us + FAMILY_APPROVAL_US));
    if (err == KEER_OK)
        *ret_id = id;
    return err;
}

enum keer_err approval_answer(struct db *db, const struct id *organiser, const struct id *approval, bool granted,
                              int64_t now_us)
{
    return QUERY_MET(db,
                     "UPDATE family_approval SET state = $1, answered_us = $2, answered_by = $3 WHERE id = $4 AND state = 0"
                     " AND ends_us > $2 AND family IN (SELECT id FROM family WHERE organiser = $3) RETURNING id",
                     Q_NUMBER(granted ? APPROVAL_GRANTED : APPROVAL_REFUSED), Q_NUMBER(now_us), Q_ID(organiser),
                     Q_ID(approval));
}

enum keer_err approval_use(struct db *db, const struct approval_new *n, const struct id *approval, int64_t now_us)
{
    return QUERY_MET(
        db,
        "UPDATE family_approval SET state = $1 WHERE id = $2 AND account = $3 AND what = $4 AND amount_minor = $5"
        " AND currency = $6 AND state = $7 AND ends_us > $8 RETURNING id",
        Q_NUMBER(APPROVAL_USED), Q_ID(approval), Q_ID(&n->account), Q_TEXT(n->what), Q_NUMBER(n->amount_minor),
        Q_TEXT(n->currency), Q_NUMBER(APPROVAL_GRANTED), Q_NUMBER(now_us));
}

enum keer_err approval_list(struct db *db, const struct id *family, int64_t now_us, struct family_approval *room,
                            unsigned *ret_count)
{
    struct db_stmt *s;
    unsigned count = 0;
    enum db_step step = DB_END;
    enum keer_err err =
        QUERY_ROWS(db, &s,
                   "SELECT id, family, account, what, amount_minor, currency, state, asked_us, ends_us"
                   " FROM family_approval WHERE family = $1 AND ends_us > $2 ORDER BY state, asked_us, id LIMIT $3",
                   Q_ID(family), Q_NUMBER(now_us), Q_NUMBER(FAMILY_APPROVALS_MAX));
    if (err != KEER_OK)
        return err;
    while (err == KEER_OK && count < FAMILY_APPROVALS_MAX && (step = db_step(s)) == DB_ROW) {
        struct family_approval *a = &room[count++];
        int64_t state = db_i64(s, 6);
        *a = (struct family_approval){.amount_minor = db_i64(s, 4),
                                      .asked_us = db_i64(s, 7),
                                      .ends_us = db_i64(s, 8),
                                      .state = (enum approval_state)state};
        err = state < 0 || state >= APPROVAL_STATE_MAX ? KEER_EFORMAT : query_id(s, 0, &a->id);
        if (err == KEER_OK)
            err = query_id(s, 1, &a->family);
        if (err == KEER_OK)
            err = query_id(s, 2, &a->account);
        if (err == KEER_OK)
            err = query_text(s, 3, a->what, sizeof a->what);
        if (err == KEER_OK)
            err = query_text(s, 5, a->currency, sizeof a->currency);
    }
    if (err == KEER_OK && step == DB_FAILED)
        err = KEER_EIO;
    db_free(s);
    if (err == KEER_OK)
        *ret_count = count;
    return err;
}
