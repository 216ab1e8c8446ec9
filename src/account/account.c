/* account.c - accounts and their states. */
#include "account/account.h"

#include "base/utf8.h"
#include "store/query.h"

const char *account_state_name(enum account_state state)
{
    static const char *const names[] = {"active", "frozen", "closed"};
    static_assert(ARRAY_LEN(names) == ACCOUNT_STATE_MAX, "a name for each");
    return names[state];
}

enum keer_err account_name_check(struct slice name)
{
    if (name.len > ACCOUNT_NAME_BYTES)
        return KEER_ELIMIT;
    return slice_trim(name).len && utf8_line(name) ? KEER_OK : KEER_EINVALID;
}

enum keer_err account_locale_check(struct slice locale)
{
    unsigned run = 0;
    bool first = true;
    if (locale.len < 2 || locale.len > ACCOUNT_LOCALE_BYTES)
        return KEER_EINVALID;
    for (size_t i = 0; i <= locale.len; i++) {
        char c = i < locale.len ? ascii_lower(locale.p[i]) : '-';
        bool letter = c >= 'a' && c <= 'z';
        if (c == '-') {
            if (run == 0 || run > 8 || (first && run < 2))
                return KEER_EINVALID;
            run = 0;
            first = false;
        } else if (letter || (ascii_digit(c) && !first)) {
            run++;
        } else {
            return KEER_EINVALID;
        }
    }
    return KEER_OK;
}

enum keer_err account_add(struct db *db, const struct id *id, struct slice name, struct slice locale, int64_t now_us)
{
    if ((name.len && account_name_check(name) != KEER_OK) || account_locale_check(locale) != KEER_OK)
        return KEER_EINVALID;
    return QUERY_DO(db,
                    "INSERT INTO account (id, state, name, locale, created_us, state_us)"
                    " VALUES ($1, $2, $3, $4, $5, $6)",
                    Q_ID(id), Q_NUMBER(ACCOUNT_ACTIVE), Q_TEXT(name), Q_TEXT(locale), Q_NUMBER(now_us), Q_NUMBER(now_us));
}

enum keer_err account_read(struct db *db, const struct id *id, struct account *ret_account)
{
    struct db_stmt *s;
    struct account a = {0};
    enum keer_err err = QUERY_ONE(
        db, &s, "SELECT id, state, name, locale, frozen_why, created_us, state_us FROM account WHERE id = $1", Q_ID(id));
    if (err != KEER_OK)
        return err;
    int64_t state = db_i64(s, 1);
    err = query_id(s, 0, &a.id);
    if (err == KEER_OK)
        err = query_text(s, 2, a.name, sizeof a.name);
    if (err == KEER_OK)
        err = query_text(s, 3, a.locale, sizeof a.locale);
    if (err == KEER_OK)
        err = query_text(s, 4, a.frozen_why, sizeof a.frozen_why);
    if (err == KEER_OK && (state < 0 || state >= ACCOUNT_STATE_MAX))
        err = KEER_EFORMAT;
    a.state = (enum account_state)state;
    a.created_us = db_i64(s, 5);
    a.state_us = db_i64(s, 6);
    db_free(s);
    if (err == KEER_OK)
        *ret_account = a;
    return err;
}

enum keer_err account_rename(struct db *db, const struct id *id, struct slice name)
{
    enum keer_err err = account_name_check(name);
    return err != KEER_OK ? err
                          : QUERY_MET(db, "UPDATE account SET name = $1 WHERE id = $2 RETURNING id", Q_TEXT(name), Q_ID(id));
}

enum keer_err account_set_locale(struct db *db, const struct id *id, struct slice locale)
{
    enum keer_err err = account_locale_check(locale);
    return err != KEER_OK
               ? err
               : QUERY_MET(db, "UPDATE account SET locale = $1 WHERE id = $2 RETURNING id", Q_TEXT(locale), Q_ID(id));
}

static enum keer_err end_sessions(struct db *db, const struct id *id, int64_t now_us)
{
    return QUERY_DO(db, "UPDATE session SET ended_us = $1 WHERE account = $2 AND ended_us = 0", Q_NUMBER(now_us), Q_ID(id));
}

enum keer_err account_freeze(struct db *db, const struct id *id, struct slice why, int64_t now_us)
{
    if (why.len > ACCOUNT_WHY_BYTES || !utf8_line(why))
        return KEER_EINVALID;
    enum keer_err err =
        QUERY_MET(db,
                  "UPDATE account SET state = $1, state_us = $2, frozen_why = $3 WHERE id = $4 AND state = $5"
                  " RETURNING id",
                  Q_NUMBER(ACCOUNT_FROZEN), Q_NUMBER(now_us), Q_TEXT(why), Q_ID(id), Q_NUMBER(ACCOUNT_ACTIVE));
    if (err == KEER_EMISSING) /* it may be frozen already */
        err = QUERY_MET(db, "SELECT id FROM account WHERE id = $1 AND state = $2", Q_ID(id), Q_NUMBER(ACCOUNT_FROZEN));
    return err == KEER_OK ? end_sessions(db, id, now_us) : err;
}

enum keer_err account_thaw(struct db *db, const struct id *id, int64_t now_us)
{
    return QUERY_MET(
        db, "UPDATE account SET state = $1, state_us = $2, frozen_why = '' WHERE id = $3 AND state = $4 RETURNING id",
        Q_NUMBER(ACCOUNT_ACTIVE), Q_NUMBER(now_us), Q_ID(id), Q_NUMBER(ACCOUNT_FROZEN));
}

enum keer_err account_close(struct db *db, const struct id *id, int64_t now_us)
{
    static const char *const forget[] = {
        "DELETE FROM identifier WHERE account = $1",
        "DELETE FROM password WHERE account = $1",
        "DELETE FROM contact WHERE account = $1",
    };
    enum keer_err err = QUERY_MET(db,
                                  "UPDATE account SET state = $1, state_us = $2, name = '' WHERE id = $3 AND state <> $1"
                                  " RETURNING id",
                                  Q_NUMBER(ACCOUNT_CLOSED), Q_NUMBER(now_us), Q_ID(id));
    for (size_t i = 0; err == KEER_OK && i < ARRAY_LEN(forget); i++)
        err = QUERY_DO(db, forget[i], Q_ID(id));
    return err == KEER_OK ? end_sessions(db, id, now_us) : err;
}
