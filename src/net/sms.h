/* sms.h - one text message to one phone, through the operator's gateway: a POST that is signed as our webhooks are.
 *
 *     POST URL
 *     webhook-id: ID, webhook-timestamp: SECONDS, webhook-signature: v1,BASE64          (sign.h)
 *     {"id":"ID","to":"+31612345678","text":"...","kind":"sign_in_code"}
 *
 * Invariants
 * 1. The gateway is the operator's: named in the settings, and the only one that is connected to. It is https:// with its
 *    certificate and host verified, or http:// on this machine (a program beside the daemon that knows the provider's API). Its
 *    address holds no query: that would be a key, which settings and messages show, and the signature says more than one.
 * 2. 2xx: taken. 4xx: never, but for 401 (the secret is the operator's to mend), 408 and 429, which come again as 5xx, redirects
 *    and no answer do. Again is under the same id: a gateway that has it answers 2xx and sends nothing.
 * 3. Times, heads and answers are bounded; an answer's body is not looked at: once its head is there, how long the body takes
 *    changes nothing. `ret_why` holds no number and no text.
 */
#ifndef NET_SMS_H
#define NET_SMS_H
#include "net/client.h"
#include "net/sign.h"

#define SMS_TEXT_BYTES 2000

struct sms_gateway {
    const char *url; /* borrowed */
    struct net_secret secret;
    struct net_networks allowed; /* that the socket may go to: what sms_gateway_init found */
    int64_t connect_us, whole_us;
};
struct sms {
    const char *id, *to, *kind;
    struct slice text;
};
enum sms_result { SMS_TAKEN, SMS_LATER, SMS_REFUSED };

/* Whether an URL can be a gateway's, and what it may connect to then. KEER_EINVALID, and what is wrong; KEER_ENOMEM. */
KEER_NODISCARD enum keer_err sms_gateway_init(struct sms_gateway *g, const char *url, char ret_why[NET_WHY_BYTES]);
/* One message under way; begin with {0}. It stays where it is from sms_begin until net_wait has given back its request. */
struct sms_post {
    struct net_request request;
    struct buf body;
};
/* What a client for this gateway is to be made with; borrows from it. */
struct net_options sms_options(const struct sms_gateway *g);
/* KEER_ELIMIT: too long a text; KEER_ENOMEM, KEER_EINVALID; then it is not under way. */
KEER_NODISCARD enum keer_err sms_begin(struct net_client *c, const struct sms_gateway *g, const struct sms *m,
                                       int64_t now_us, struct sms_post *p);
/* After net_wait gave back &p->request. `ret_why` says what is wrong when it was not taken; *ret_after_us what the answer asks
 * for, 0 when it does not. */
enum sms_result sms_end(struct sms_post *p, int64_t *ret_after_us, char ret_why[NET_WHY_BYTES]);
/* The body holds codes and 'not me' tokens: wiped. After the client was freed for one that is under way; {0} and twice is fine. */
void sms_release(struct sms_post *p);
/* The body, for tests too. Errors stick in `out`. */
void sms_print(const struct sms *m, struct buf *out);
#endif
