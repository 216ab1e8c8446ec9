/* account.h - what the files of /v1/account share. */
#ifndef API_ACCOUNT_H
#define API_ACCOUNT_H
#include "api/visit.h"
#include "flow/sign_in.h"

/* The answer to a sign-in of any kind, with its cookies; wipes the token. */
void account_sign_in_answer(struct http_exchange *x, const struct visitor *v, struct sign_in *s);
#endif
