/* accounts.h - what the use cases of accounts share: the daemon's account key, the password worker, lists, and the words of
 * the service; and who asks.
 *
 * Invariants
 * 1. `struct accounts` does not change after the start: any thread reads it.
 * 2. The account key derives what must not be read from the database alone (password hashes, codes that were sent, 'not me'
 *    tokens) and seals what must be read again. It is a file's of --account-key; without one it lies in the database itself,
 * the log says so, and a copy of the database then holds everything.
 * 3. Use cases run at a desk (desk.h). What a person may be told apart by, a known from an unknown name, takes the same
 *    statements, one Argon2, one decision, and gives the same bytes.
 * 4. Every use case fails closed: what could not be counted, decided or written is refused.
 */
#ifndef FLOW_ACCOUNTS_H
#define FLOW_ACCOUNTS_H
#include "account/breached.h"
#include "account/notice.h"
#include "account/session.h"
#include "flow/desk.h"
#include "flow/password_worker.h"
#include "net/address.h"
#include "store/attempts.h"

struct notifier; /* notifier.h */
struct accounts {
    struct crypto_hash key;
    struct password_worker *passwords;
    struct breached *breached;   /* NULL: no list was given */
    struct notifier *notifier;   /* NULL: notices are off, and nobody can sign up */
    struct notice_words words;   /* service and url */
    struct net_networks proxies; /* whose X-Forwarded-For is believed */
    bool mails, phones;          /* notices reach e-mail addresses, phone numbers */
    struct slice countries;      /* what phone numbers begin with, "+31,+352"; empty: anything */
    bool any_host;               /* no public URL was given: requests for any host are the service's */
    bool secure;                 /* the pages are reached by https: cookies are Secure, and have the prefix __Host- */
};

/* Who asks: of one request. What it points at is the request's. */
struct visitor {
    char ip[SESSION_IP_BYTES + 1];
    struct slice user_agent;    /* at most 1,000 bytes */
    const char *family;         /* of user_agents.def */
    struct bearer device_token; /* what the browser holds from now on */
    struct crypto_hash device;  /* its hash */
    struct id mark;             /* what events carry */
    bool device_new;            /* the token was made now: the answer sets the cookie */
    struct id session;          /* the valid session that the request brought; none */
    struct session now;         /* that session, when there is one */
};
/* Reads the device token of a cookie, or makes one. */
void visitor_device(struct visitor *v, struct slice cookie);
/* Another token, in place of one that was revoked. */
void visitor_new_device(struct visitor *v);
/* Where a request came from, for notices: "chrome", "192.0.2.1". */
static inline struct slice visitor_what(const struct visitor *v) { return slice_str(v->family); }
static inline struct slice visitor_where(const struct visitor *v) { return slice_str(v->ip); }

/* An event of an account, begun with what is known of the visitor. */
struct desk_event visitor_event(const struct visitor *v, const struct id *account, const char *type);

/* Tells the engine that an event, which was decided before, is fraud as its account's person says; "" is none. What the person
 * did stands whether it is taken or not, so that a failure is only logged. */
void visitor_report(struct desk_worker *w, const struct visitor *v, const struct id *account, struct slice event);

/* Words that a password must not be made of: the service's name, a person's name and addresses. `room` backs them. */
struct password_context {
    char room[2048];
    size_t used;
    struct password_rules rules;
};
void password_context_init(struct password_context *c, const struct accounts *a, bool second_factor);
void password_context_add(struct password_context *c, struct slice text); /* splits it into words */
/* Those of an account: name, identifiers, contacts. */
KEER_NODISCARD enum keer_err password_context_account(struct password_context *c, struct db *db, const struct id *account);

/* Whether messages reach an address: NULL, or why not, as a sentence without a full stop. Asked where one would be added. */
const char *accounts_unreached(const struct accounts *a, const struct identifier *address);

/* Forgets what is over (sessions, proofs, sign-ups, notices, counts), a little each time: a timer of the desk. */
void accounts_forget(struct desk_worker *w, void *ctx);
#define ACCOUNTS_FORGET_US (60 * US_SECOND)
#endif
