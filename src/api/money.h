/* money.h - what the files of charges, refunds and balances share: an amount of a body, one of an answer, a challenge. */
#ifndef API_MONEY_H
#define API_MONEY_H
#include "api/step.h"
#include "flow/pay.h"

/* NULL when WALLETS_OFF was told. */
const struct pay *money_on(struct http_exchange *x);
/* Whose rows a key sees: a store's its own; "" all. */
struct slice money_client(struct http_exchange *x);
/* Members `currency` and `amount`: minor units, or a text with the decimals of the currency. Without either, when they are not
 * required, *ret_minor is 0 and *ret_currency CUR_MAX. False when BAD_BODY was told. */
bool money_read(struct http_exchange *x, const struct api_body *b, bool required, int64_t *ret_minor,
                enum currency *ret_currency);
/* What a charge and a spend say of an order: names and bounds of their texts stand here. `key` is the member `id`. */
#define MONEY_ORDER_NAMES "id payee item beneficiary merchant device ip user_agent session return_url"
struct money_order { /* where each goes */
    struct slice *key, *payee, *item, *beneficiary, *merchant, *device, *ip, *user_agent, *session, *return_url;
};
/* False when BAD_BODY was told. */
bool money_read_order(struct http_exchange *x, const struct api_body *b, const struct money_order *to);
/* ,"name":"648.00" */
void money_put(struct buf *b, const char *name, int64_t minor, enum currency currency);
/* ,"name":"..." */
void money_put_text(struct buf *b, const char *name, const char *text);
/* ,"challenge":{"id":...,"url":...,"state":...} */
void money_put_challenge(struct http_exchange *x, const struct challenge *c);
/* ,"why":"code","words":"...": of a row's why; nothing when it is empty. */
void money_put_why(struct buf *b, const char *why);
/* The decision that was made in this call, or null. */
void money_put_decision(struct buf *b, const struct buf *decision);
/* NOT_FOUND with those words, KEY_REUSED, BAD_BODY, or what visit_failed says. */
void money_problem(struct http_exchange *x, enum keer_err err, const char *missing);
#endif
