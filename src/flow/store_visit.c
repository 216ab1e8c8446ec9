/* store_visit.c - a store's customer comes to the pages. */
#include "flow/store_visit.h"

#include "account/password.h"
#include "store/query.h"

enum keer_err store_visit_make(struct db *db, void *ctx)
{
    struct store_visit *c = ctx;
    struct account account;
    struct identifier names[IDENTIFIERS_MAX];
    struct password_row password;
    struct crypto_hash hash;
    unsigned count = 0;
    bool brought = false;
    enum keer_err err = account_read(db, &c->account, &account);
    if (err == KEER_OK)
        err = identifier_list(db, &c->account, names, &count);
    if (err != KEER_OK)
        return err;
    for (unsigned i = 0; i < count; i++)
        brought = brought || names[i].kind == IDENTIFIER_SUBJECT;
    err = password_read(db, &c->account, &password);
    if (err == KEER_OK)
        crypto_wipe(&password, sizeof password);
    if (err == KEER_OK || (err == KEER_EMISSING && (!brought || account.state != ACCOUNT_ACTIVE)))
        return KEER_ECONFLICT;
    if (err != KEER_EMISSING)
        return err;
    token_make(&c->token, &hash);
    return QUERY_DO(db, "INSERT INTO account_visit (hash, account, client, until_us) VALUES ($1, $2, $3, $4)", Q_HASH(&hash),
                    Q_ID(&c->account), Q_TEXT(c->client), Q_NUMBER(c->now_us + STORE_VISIT_US));
}

struct entering {
    struct crypto_hash hash;
    int64_t now_us;
    struct id account;
};

static enum keer_err take(struct db *db, void *ctx)
{
    struct entering *e = ctx;
    struct db_stmt *s;
    enum keer_err err = QUERY_ONE(db, &s,
                                  "UPDATE account_visit SET used_us = $2 WHERE hash = $1 AND used_us = 0 AND until_us > $2"
                                  " RETURNING account",
                                  Q_HASH(&e->hash), Q_NUMBER(e->now_us));
    if (err != KEER_OK)
        return err;
    err = query_id(s, 0, &e->account);
    db_free(s);
    return err;
}

enum keer_err store_visit_enter(const struct accounts *a, struct desk_worker *w, struct visitor *v, struct slice token,
                                struct sign_in *ret)
{
    struct entering e = {.now_us = desk_wall_us(w)};
    if (token_hash(token, &e.hash) != KEER_OK)
        return KEER_EMISSING;
    enum keer_err err = desk_write(w, take, &e);
    if (err != KEER_OK)
        return err;
    struct sign_in_proof p = {.account = e.account, .amr = "", .acr = SESSION_ACR_1, .by_store = true};
    return sign_in_proved(a, w, v, &p, ret);
}

enum keer_err store_visit_forget(struct db *db, int64_t now_us)
{
    return QUERY_DO(db, "DELETE FROM account_visit WHERE until_us < $1", Q_NUMBER(now_us));
}
