/* talk.h - somebody who calls the daemon's API: a store with its key, or a browser with its cookies.
 *
 * Invariants
 * 1. One request at a time, with a deadline. A GET is sent once more when a kept connection turns out to have ended; nothing else
 *    is sent twice by itself: what got no answer is KEER_EIO.
 * 2. A talker goes to the loopback alone: it simulates, and has no business elsewhere.
 * 3. Cookies are kept by name, with the value that was set last; one that is taken away is gone.
 */
#ifndef SIM_TALK_H
#define SIM_TALK_H
#include "base/json.h"
#include "net/fetch.h"

#define TALK_COOKIES 6
#define TALK_NAME_BYTES 32
#define TALK_VALUE_BYTES 160
#define TALK_BODY_BYTES ((size_t)16 << 20) /* journals are the longest */

struct talk_cookie {
    char name[TALK_NAME_BYTES + 1], value[TALK_VALUE_BYTES + 1];
};
struct talker {              /* starts as {.fetch, .base, ...} */
    struct net_fetch *fetch; /* borrowed */
    const char *base;        /* "http://127.0.0.1:8080"; borrowed */
    const char *key;         /* API key; NULL: none */
    const char *user_agent;  /* NULL: none */
    const char *address;     /* X-Forwarded-For, for a daemon that trusts its loopback; NULL: none */
    struct talk_cookie cookies[TALK_COOKIES];
    unsigned cookie_count;
};
struct talk { /* an answer; starts as {0} */
    int status;
    struct buf head, body;
    struct tape tape; /* of the body; empty when it is no JSON */
    char why[NET_WHY_BYTES];
};

/* `path` from the daemon's root, or a whole URL. `body` is JSON, empty for none; `challenge` goes as Keer-Challenge, NULL
 * for none. The answer before is replaced. KEER_EIO with `why`, KEER_ENOMEM. */
KEER_NODISCARD enum keer_err talk(struct talker *t, const char *method, const char *path, struct slice body,
                                  const char *challenge, struct talk *ret);
void talk_release(struct talk *a);
/* A text or number at a path of members, "challenge.id"; empty when it isn't there. Borrowed until the next talk. */
struct slice talk_text(const struct talk *a, const char *path);
bool talk_is(const struct talk *a, const char *path, const char *text);
/* The i-th text of an array; empty when there is none. */
struct slice talk_text_at(const struct talk *a, const char *path, unsigned i);
/* The problem's code, else "HTTP <status>". */
void talk_problem(const struct talk *a, char *ret, size_t size);
#endif
