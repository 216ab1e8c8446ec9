/* account_kit.h - a database with accounts in it, for unit tests. */
#ifndef TESTS_LIB_ACCOUNT_KIT_H
#define TESTS_LIB_ACCOUNT_KIT_H
#include "account/family.h"
#include "account/notice.h"
#include "account/password.h"
#include "account/proof.h"
#include "account/session.h"
#include "lib/database.h"
#include "lib/db_fail.h"

#define T0 (INT64_C(1700000000) * 1000000)

static struct scratch kit_scratch;
static struct db *db;
static const struct crypto_hash kit_key = {{1, 2, 3}};

static inline void kit_open(void)
{
    struct db_why why;
    ck_ok(crypto_start());
    database_make(&kit_scratch);
    enum keer_err err = db_open(database_where(&kit_scratch), DB_WRITE, &db, &why);
    ck_assert_msg(err == KEER_OK, "%s", why.text);
    ck_ok(db_migrate(db, 1, &why));
    ck_ok(db_begin(db));
}
static inline void kit_close(void)
{
    db_fail_arm(0, false);
    db_rollback(db);
    db_close(db);
    scratch_remove(&kit_scratch);
}
/* What was written so far stays, whatever a rollback after it takes back. */
static inline void kit_keep(void)
{
    ck_assert_int_eq(db_commit(db), DB_COMMITTED);
    ck_ok(db_begin(db));
}

static inline struct identifier kit_identifier(enum identifier_kind kind, const char *text)
{
    struct identifier i;
    struct identifier_why why;
    enum keer_err err = identifier_canon(kind, slice_str(text), &i, &why);
    ck_assert_msg(err == KEER_OK, "%s: %s", text, why.text);
    return i;
}
/* An account with an e-mail address that is verified. */
static inline struct id kit_account(const char *email)
{
    struct id id, contact;
    struct identifier i = kit_identifier(IDENTIFIER_EMAIL, email);
    id_make(&id);
    ck_ok(account_add(db, &id, SLICE("Anna"), SLICE("nl"), T0));
    ck_ok(identifier_add(db, &id, &i, T0));
    ck_ok(contact_add(db, &id, &i, T0, T0, &contact));
    return id;
}
/* A session of a browser that is known. */
static inline struct id kit_session(const struct id *account, enum session_rights rights, int64_t now_us,
                                    struct crypto_hash *ret_hash)
{
    struct id id;
    struct bearer device_token, token;
    struct device device;
    bool fresh;
    struct session_new n = {
        .account = *account, .rights = rights, .acr = SESSION_ACR_1, .amr = "pwd", .ip = SLICE("192.0.2.1")};
    token_make(&device_token, &n.device_hash);
    ck_ok(device_see(db, account, &n.device_hash, SLICE("firefox"), now_us, &device, &fresh));
    ck_assert(fresh);
    n.device = device.id;
    ck_ok(session_begin(db, &n, now_us, &id, &token));
    ck_ok(token_hash(slice_str(token.text), ret_hash));
    return id;
}
#endif
