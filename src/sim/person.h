/* person.h - a made-up person: an account, a mailbox, an app with codes, and browsers; all over the public API.
 *
 *     person_sign_up ─► person_protect (recovery codes, an app) ─► browser_sign_in, browser_answer, ...
 *
 * Invariants
 * 1. What a person knows is in struct person; what a browser holds is in its talker. A thief has a browser of his own and of
 *    the person only what he is given.
 * 2. A code of the app is used once: each use takes a later step than the one before, and waits for it where that can't be
 *    avoided (at most a step; the daemon takes one step ahead).
 */
#ifndef SIM_PERSON_H
#define SIM_PERSON_H
#include "sim/talk.h"

#define PERSON_CODES 10
struct person_site { /* of one daemon */
    struct net_fetch *fetch;
    const char *daemon;  /* its URL */
    const char *notices; /* file of its messages */
    int64_t (*wall_us)(void);
};
struct person {
    const struct person_site *site;
    char name[64], email[64], password[64];
    char account[32];
    char secret[64];              /* of the app: base32; "" without one */
    char codes[PERSON_CODES][40]; /* recovery codes */
    unsigned code_next;
    int64_t step_last;              /* of the app's codes */
    char agreement[32], number[64]; /* the daemon's id of it; what the wallet calls it */
    size_t mail_read;               /* bytes of the notices file that are older than what is waited for */
    struct talker browser;          /* the owner's own */
    struct talk answer;             /* the last one that the owner's browser had */
};
void person_release(struct person *p);

/* A talker of a browser on a device; cookies: none yet. */
struct talker person_browser(const struct person_site *site, const char *user_agent, const char *address);

/* Opens the account, in p->browser. KEER_EIO: `p->answer` and ret_why tell. */
#define PERSON_WHY_BYTES 256
KEER_NODISCARD enum keer_err person_sign_up(struct person *p, char ret_why[PERSON_WHY_BYTES]);
/* Recovery codes, at once as a new account may: nothing is there yet that a step could be asked of. */
KEER_NODISCARD enum keer_err person_codes(struct person *p, char ret_why[PERSON_WHY_BYTES]);
/* Takes them away again, with a step by one of them: an account with a password alone, as they were. */
KEER_NODISCARD enum keer_err person_bare(struct person *p, char ret_why[PERSON_WHY_BYTES]);
/* Recovery codes, then an app. */
KEER_NODISCARD enum keer_err person_protect(struct person *p, char ret_why[PERSON_WHY_BYTES]);
/* The newest code in the mailbox of the kind ("sign_up_code"), eight digits. Waits up to five seconds. KEER_EMISSING. */
KEER_NODISCARD enum keer_err person_mail_code(struct person *p, const char *kind, char ret_code[9]);
/* A code of the app that was not used yet. */
KEER_NODISCARD enum keer_err person_app_code(struct person *p, char ret_code[9]);

enum person_step { PERSON_BY_APP, PERSON_BY_CODE };
/* Looks at a challenge in `b`, which then holds it, and answers it. False in *ret_done when it was not taken. */
KEER_NODISCARD enum keer_err person_answer(struct person *p, struct talker *b, const char *challenge, enum person_step by,
                                           struct talk *a, bool *ret_done);
/* Signs in with the password in `b`: `a` has {next, challenge, ...}. */
KEER_NODISCARD enum keer_err person_sign_in(const struct person *p, struct talker *b, struct talk *a);
/* A call of the person's, with a body. */
KEER_NODISCARD enum keer_err person_call(struct talker *b, const char *method, const char *path, struct buf *body,
                                         const char *challenge, struct talk *a);
/* Waits without working; at most a second at a time. */
void person_sleep(int64_t us);
#endif
