/* wallets.h - what the files of linked wallets share: an agreement as JSON, limits of a body, problems. */
#ifndef API_WALLETS_H
#define API_WALLETS_H
#include "api/step.h"
#include "flow/agreements.h"

/* NULL when WALLETS_OFF was told. */
const struct agreements *wallets_on(struct http_exchange *x);
/* `"id":"...",...`: members of an agreement without braces. */
void wallets_put_agreement(struct buf *b, const struct agreement *a);
/* ,"name":{"charge":"700.00","day":...,"month":...,"count":10} */
void wallets_put_caps(struct buf *b, const char *name, const struct agreement_caps *caps, enum currency currency);
/* Members caps and unverified_spend_limit of a body; those that are not there are -1. An amount is minor units or a text with
 * the decimals of its currency. False when BAD_BODY was told. */
bool wallets_read_limits(struct http_exchange *x, const struct api_body *b, enum currency currency,
                         struct agreement_limits *ret, bool *ret_caps);
/* What became of a use case, when it is not OK: the problem. False when there is none to be told. */
bool wallets_problem(struct http_exchange *x, enum keer_err err, const struct agreements_answer *a);
#endif
