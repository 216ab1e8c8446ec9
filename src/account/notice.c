/* notice.c - the outbox of notices: rows. */
#include "account/notice.h"

#include "base/utf8.h"
#include "store/query.h"

enum { WAITING, SENT, DEAD }; /* states in the database */

static const struct {
    const char *code;
    unsigned flags;
} kinds[] = {
#define NOTICE(name, code, flags, ...) {code, flags},
#include "account/notices.def"
};
static_assert(ARRAY_LEN(kinds) == NOTICE_KIND_MAX, "a row for each");

const char *notice_kind_code(enum notice_kind kind) { return kinds[kind].code; }
bool notice_has_not_me(enum notice_kind kind) { return kinds[kind].flags & NOTICE_NOT_ME; }
bool notice_has_code(enum notice_kind kind) { return kinds[kind].flags & NOTICE_CODE; }

void notice_not_me(const struct crypto_hash *key, const struct id *notice, struct bearer *ret_token)
{
    struct crypto_hash mac;
    struct id id;
    const struct slice parts[] = {SLICE("keer not me 1"), id_slice(notice)};
    crypto_hmac(slice_of((const char *)key->bytes, sizeof key->bytes), parts, ARRAY_LEN(parts), &mac);
    id_of_hash(&mac, &id);
    memcpy(ret_token->text, id.text, sizeof ret_token->text);
    crypto_wipe(&mac, sizeof mac);
    crypto_wipe(&id, sizeof id);
}

static enum keer_err put(struct db *db, const struct crypto_hash *key, const struct notice_new *n,
                         const struct identifier *to, struct slice locale, int64_t now_us)
{
    struct id id;
    struct bearer token;
    struct crypto_hash hash;
    id_make(&id);
    notice_not_me(key, &id, &token);
    enum keer_err err = token_hash(slice_str(token.text), &hash);
    crypto_wipe(&token, sizeof token);
    if (err != KEER_OK)
        return err;
    return QUERY_DO(
        db,
        "INSERT INTO notice (id, account, kind, about, proof, to_kind, to_value, locale, what, place, created_us, until_us,"
        " due_us, not_me) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $11, $13)",
        Q_ID(&id), Q_ID(&n->account), Q_NUMBER(n->kind), Q_ID(&n->about), Q_ID(&n->proof), Q_NUMBER(to->kind),
        Q_STR(to->text), Q_TEXT(locale), Q_TEXT(n->what), Q_TEXT(n->where), Q_NUMBER(now_us), Q_NUMBER(n->until_us),
        Q_HASH(&hash));
}

enum keer_err notice_add(struct db *db, const struct crypto_hash *key, const struct notice_new *n, int64_t now_us,
                         unsigned *ret_count)
{
    struct contact to[CONTACTS_NOTIFIED_MAX];
    struct account account = {.locale = "en"};
    enum keer_err err = KEER_OK;
    unsigned count = 0;
    if (n->what.len > NOTICE_VALUE_BYTES || n->where.len > NOTICE_VALUE_BYTES || !utf8_line(n->what) ||
        !utf8_line(n->where) || n->locale.len > ACCOUNT_LOCALE_BYTES)
        return KEER_EINVALID;
    if (id_is(&n->account))
        err = account_read(db, &n->account, &account);
    struct slice locale = n->locale.len ? n->locale : slice_str(account.locale);
    if (err == KEER_OK && n->to) {
        err = put(db, key, n, n->to, locale, now_us);
        count = 1;
    } else if (err == KEER_OK) {
        err = contact_notified(db, &n->account, now_us, to, &count);
        for (unsigned i = 0; err == KEER_OK && i < count; i++)
            err = put(db, key, n, &to[i].address, locale, now_us);
    }
    if (err == KEER_OK)
        *ret_count = count;
    return err;
}

#define COLUMNS \
    "id, account, kind, about, proof, to_kind, to_value, locale, what, place, created_us, until_us, tries, due_us"

static enum keer_err take(struct db_stmt *s, struct notice *n)
{
    int64_t kind = db_i64(s, 2), to = db_i64(s, 5);
    *n = (struct notice){
        .created_us = db_i64(s, 10), .until_us = db_i64(s, 11), .tries = db_i64(s, 12), .due_us = db_i64(s, 13)};
    if (kind < 0 || kind >= NOTICE_KIND_MAX || to < 0 || to >= IDENTIFIER_KIND_MAX)
        return KEER_EFORMAT;
    n->kind = (enum notice_kind)kind;
    n->to.kind = (enum identifier_kind)to;
    struct {
        unsigned column;
        struct id *id;
    } const ids[] = {{0, &n->id}, {1, &n->account}, {3, &n->about}, {4, &n->proof}};
    struct {
        unsigned column;
        char *room;
        size_t size;
    } const texts[] = {{6, n->to.text, sizeof n->to.text},
                       {7, n->locale, sizeof n->locale},
                       {8, n->what, sizeof n->what},
                       {9, n->where, sizeof n->where}};
    enum keer_err err = KEER_OK;
    for (size_t i = 0; err == KEER_OK && i < ARRAY_LEN(ids); i++)
        err = query_id(s, ids[i].column, ids[i].id);
    for (size_t i = 0; err == KEER_OK && i < ARRAY_LEN(texts); i++)
        err = query_text(s, texts[i].column, texts[i].room, texts[i].size);
    return err;
}

static enum keer_err take_all(struct db_stmt *s, unsigned limit, struct notice *room, unsigned *ret_count)
{
    enum keer_err err = KEER_OK;
    enum db_step step = DB_END;
    unsigned count = 0;
    while (err == KEER_OK && count < limit && (step = db_step(s)) == DB_ROW)
        err = take(s, &room[count++]);
    if (err == KEER_OK && step == DB_FAILED)
        err = KEER_EIO;
    db_free(s);
    if (err == KEER_OK)
        *ret_count = count;
    return err;
}

enum keer_err notice_due(struct db *db, const struct notice_kinds *to, int64_t now_us, unsigned limit, struct notice *room,
                         unsigned *ret_count)
{
    struct db_stmt *s;
    enum keer_err err = QUERY_ROWS(db, &s,
                                   "SELECT " COLUMNS " FROM notice WHERE state = 0 AND due_us <= $1"
                                   " AND to_kind BETWEEN $2 AND $3 ORDER BY due_us, id LIMIT $4",
                                   Q_NUMBER(now_us), Q_NUMBER(to->first), Q_NUMBER(to->last), Q_NUMBER(limit));
    return err == KEER_OK ? take_all(s, limit, room, ret_count) : err;
}

enum keer_err notice_recent(struct db *db, const struct id *account, unsigned limit, struct notice *room,
                            unsigned *ret_count)
{
    struct db_stmt *s;
    enum keer_err err = QUERY_ROWS(db, &s,
                                   "SELECT " COLUMNS
                                   " FROM notice WHERE account = $1 AND id IN (SELECT MIN(id) FROM notice WHERE account = $1"
                                   " GROUP BY created_us, kind) ORDER BY created_us DESC, id LIMIT $2",
                                   Q_ID(account), Q_NUMBER(limit));
    return err == KEER_OK ? take_all(s, limit, room, ret_count) : err;
}

enum keer_err notice_settle(struct db *db, const struct id *id, enum notice_end end, int64_t due_us, struct slice why,
                            int64_t now_us)
{
    int64_t state = end == NOTICE_SENT ? SENT : end == NOTICE_DEAD ? DEAD : WAITING;
    if (why.len > NOTICE_WHY_BYTES)
        why.len = NOTICE_WHY_BYTES;
    return QUERY_MET(
        db,
        "UPDATE notice SET state = $1, due_us = $2, tries = tries + 1, why = $3 WHERE id = $4 AND state = 0 RETURNING id",
        Q_NUMBER(state), Q_NUMBER(end == NOTICE_LATER ? due_us : now_us), Q_TEXT(utf8_line(why) ? why : SLICE("")),
        Q_ID(id));
}

enum keer_err notice_forget(struct db *db, int64_t before_us, int64_t limit, int64_t *ret_count)
{
    struct db_stmt *s;
    int64_t count = 0;
    enum db_step step;
    enum keer_err err =
        QUERY_ROWS(db, &s,
                   "DELETE FROM notice WHERE id IN (SELECT id FROM notice WHERE state <> 0 AND due_us < $1 LIMIT $2)"
                   " RETURNING id",
                   Q_NUMBER(before_us), Q_NUMBER(limit));
    if (err != KEER_OK)
        return err;
    while ((step = db_step(s)) == DB_ROW)
        count++;
    db_free(s);
    if (step != DB_END)
        return KEER_EIO;
    *ret_count = count;
    return KEER_OK;
}

enum keer_err notice_count(struct db *db, struct notice_figures *ret_figures)
{
    struct notice_figures f;
    enum keer_err err = db_number(db, "SELECT COUNT(*) FROM notice WHERE state = 0", &f.waiting);
    if (err == KEER_OK)
        err = db_number(db, "SELECT COUNT(*) FROM notice WHERE state = 2", &f.dead);
    if (err == KEER_OK)
        err = db_number(db, "SELECT COALESCE(MIN(created_us), 0) FROM notice WHERE state = 0", &f.oldest_us);
    if (err == KEER_OK)
        *ret_figures = f;
    return err;
}

bool notice_open(const struct notice *n, int64_t now_us)
{
    return notice_has_not_me(n->kind) && n->created_us > now_us - NOTICE_NOT_ME_US;
}

/* The row that a statement found or took. */
static enum keer_err taken(struct db_stmt *s, struct notice *ret_notice)
{
    struct notice n;
    enum keer_err err = take(s, &n);
    db_free(s);
    if (err == KEER_OK && !notice_has_not_me(n.kind)) /* nobody was told such a token */
        err = KEER_EMISSING;
    if (err == KEER_OK)
        *ret_notice = n;
    return err;
}

enum keer_err notice_take_not_me(struct db *db, const struct crypto_hash *token_hash, int64_t now_us,
                                 struct notice *ret_notice)
{
    struct db_stmt *s;
    enum keer_err err = QUERY_ONE(db, &s,
                                  "UPDATE notice SET not_me_us = $1 WHERE not_me = $2 AND not_me_us = 0 AND created_us > $3"
                                  " RETURNING " COLUMNS,
                                  Q_NUMBER(now_us), Q_HASH(token_hash), Q_NUMBER(now_us - NOTICE_NOT_ME_US));
    return err == KEER_OK ? taken(s, ret_notice) : err;
}

enum keer_err notice_read_own(struct db *db, const struct id *account, const struct id *notice, int64_t now_us,
                              struct notice *ret_notice)
{
    struct db_stmt *s;
    enum keer_err err = QUERY_ONE(db, &s,
                                  "SELECT " COLUMNS " FROM notice WHERE id = $1 AND account = $2 AND not_me_us = 0 AND"
                                  " created_us > $3",
                                  Q_ID(notice), Q_ID(account), Q_NUMBER(now_us - NOTICE_NOT_ME_US));
    return err == KEER_OK ? taken(s, ret_notice) : err;
}

enum keer_err notice_take_own(struct db *db, const struct id *account, const struct id *notice, int64_t now_us,
                              struct notice *ret_notice)
{
    struct db_stmt *s;
    enum keer_err err = QUERY_ONE(db, &s,
                                  "UPDATE notice SET not_me_us = $1 WHERE id = $2 AND account = $3 AND not_me_us = 0 AND"
                                  " created_us > $4 RETURNING " COLUMNS,
                                  Q_NUMBER(now_us), Q_ID(notice), Q_ID(account), Q_NUMBER(now_us - NOTICE_NOT_ME_US));
    return err == KEER_OK ? taken(s, ret_notice) : err;
}
