/* account.h - what the files of /v1/account share. */
#ifndef API_ACCOUNT_H
#define API_ACCOUNT_H
#include "api/visit.h"
#include "flow/sign_in.h"

/* The answer to a sign-in of any kind, with its cookies; wipes the token. */
void account_sign_in_answer(struct http_exchange *x, const struct visitor *v, struct sign_in *s);
/* Asks the guard for a change, with the challenge of the header Keer-Challenge when there is one, and answers: {} when it
 * was made, {next:"step", challenge, methods}, {pending, until}, or a problem. `event` is the type of the event that the
 * engine sees: before a change that a step was passed for, which it can deny, else afterwards. */
struct account_ask {
    enum guard_change change;
    struct id thing;
    struct slice detail, data;
    const char *event;
};
void account_guard(struct http_exchange *x, const struct visitor *v, const struct account_ask *ask);
/* The id in Keer-Challenge; none when there is none, or it is no id (which meets no challenge). */
struct id account_challenge(struct http_exchange *x);
#endif
