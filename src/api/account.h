/* account.h - what the files of /v1/account share. */
#ifndef API_ACCOUNT_H
#define API_ACCOUNT_H
#include "api/visit.h"
#include "flow/sign_in.h"

/* The answer to a sign-in of any kind, with its cookies; wipes the token. */
void account_sign_in_answer(struct http_exchange *x, const struct visitor *v, struct sign_in *s);
/* Asks the guard for a change, after its event (of the type `event`) was decided, with the challenge of the header
 * Keer-Challenge when there is one, and answers: {}, {next:"step", challenge, methods}, {pending, until}, or a problem. */
struct account_ask {
    enum guard_change change;
    struct id thing;
    struct slice detail, data;
    const char *event;
};
void account_guard(struct http_exchange *x, const struct visitor *v, const struct account_ask *ask);
#endif
