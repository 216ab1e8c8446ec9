/* emulator.h - the servers of three wallets in one process, as far as a merchant sees them: Alipay, WeChat Pay, Antom.
 *
 *     the merchant ─► server.c (bytes) ─► emulator.c (which wallet) ─► alipay.c, wechatpay.c, antom.c (signature, form)
 *                                                                        └─► world.c (what happened) ─► journal.c
 *     poster.c ─► the merchant's notify_url, signed as the wallet signs
 *
 * It is a judge: it shares no sign string, no reader of requests, no server with what it judges. Of base it has keys,
 * hashes, JSON and buffers.
 *
 * Invariants
 * 1. A request has an effect only when its signature, its time and its numbers are right, and only once for a number.
 * 2. An effect and its line in the journal are one step under one lock; no lock is held while bytes are read or written.
 * 3. What a fault does to an answer or a notice never changes what the journal says.
 * 4. Faults and numbers follow from the seed and the caller's numbers, not from threads or clocks; keys do not.
 * 5. It listens on loopback alone, and posts notices to http:// addresses of loopback alone: its keys are for tests.
 */
#ifndef EMULATOR_EMULATOR_H
#define EMULATOR_EMULATOR_H
#include "base/buf.h"

struct emulator;
struct emulator_options {
    const char *listen; /* ADDRESS:PORT of loopback; port 0 is any free one */
    const char *folder; /* keys, certificates and wallets.json are written there; it exists */
    const char *keys;   /* a file that private keys are taken from, or made into; a path with a slash; NULL: in the folder */
    const char *notify; /* begin of the URL that notices go to when a request names none; NULL */
    const char *faults; /* faults.h; NULL: none */
    const char *journal; /* a file that effects are appended to; NULL: journal.ndjson in the folder */
    const char *record;  /* a file that requests are appended to as they came; NULL */
    uint64_t seed;
    int64_t notice_retry_us; /* before a notice that was not taken is sent again; doubles each time */
    bool sync;               /* an effect is on disk before it is answered */
    int64_t (*wall_us)(void);
};
struct emulator_why {
    char text[300];
};

/* Makes keys, writes the folder's files, opens the socket. KEER_EINVALID (an option), KEER_EIO, KEER_ENOMEM, with words. */
KEER_NODISCARD enum keer_err emulator_open(const struct emulator_options *o, struct emulator **ret_emulator,
                                           struct emulator_why *ret_why);
KEER_NODISCARD enum keer_err emulator_start(struct emulator *e, struct emulator_why *ret_why);
const char *emulator_url(const struct emulator *e); /* "http://127.0.0.1:4711" */
void emulator_stop(struct emulator *e);             /* ends threads, writes what is left, frees; NULL is fine */
#endif
