/* sign_up.h - opening an account: an address that is shown to be read, then the account.
 *
 *     sign_up_start ─► a row of sign_up, a proof, a notice with the code ── sign_up_confirm, right ─► event account_created
 * decided ─┬─ allow ... ─► account, session (an address that is known: the notice says so, and no code opens the row) └─
 * deny ─► denied
 *
 * Invariants
 * 1. Whether an address is known is told to its owner alone: the answer, its time and what is counted are the same.
 * 2. A user name is taken at the end, when the address was shown; who asks for one that is taken then gets the account
 * without it.
 * 3. The row is bound to the browser that began it, and used once.
 */
#ifndef FLOW_SIGN_UP_H
#define FLOW_SIGN_UP_H
#include "flow/sign_in.h"

struct sign_up_form {
    struct slice name, email, phone, username, password, locale; /* p NULL: not given; email or phone is */
};
enum sign_up_next {
    SIGN_UP_CODE,     /* `flow` */
    SIGN_UP_DONE,     /* a session has begun */
    SIGN_UP_WRONG,    /* the code, or the flow */
    SIGN_UP_DENIED,   /* by the decision */
    SIGN_UP_LATER,    /* limits */
    SIGN_UP_FULL,     /* no place at the password worker */
    SIGN_UP_BAD_FORM, /* `member` and `why` */
    SIGN_UP_FLAW,     /* of the password */
    SIGN_UP_OFF       /* notices are off */
};
struct sign_up {
    enum sign_up_next next;
    struct id flow, account, session;
    struct bearer token;
    const char *member, *why;
    struct identifier_why identifier_why;
    enum password_flaw flaw;
    bool username_taken;
    int64_t retry_us;
};
/* KEER_OK with any `next`; else as sign_in.h. */
KEER_NODISCARD enum keer_err sign_up_start(const struct accounts *a, struct desk_worker *w, struct visitor *v,
                                           const struct sign_up_form *form, struct sign_up *ret);
KEER_NODISCARD enum keer_err sign_up_confirm(const struct accounts *a, struct desk_worker *w, struct visitor *v,
                                             const struct id *flow, struct slice code, struct sign_up *ret);
#endif
