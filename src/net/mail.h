/* mail.h - one mail to one address, through the operator's mail server (RFC 5321), by libcurl.
 *
 * Invariants
 * 1. The server is the operator's: named in the settings, and the only one that is connected to. Beyond this machine the
 * connection is TLS (smtps://, or STARTTLS that is demanded), its certificate and host are verified.
 * 2. What is sent is text/plain in UTF-8, base64 (RFC 2045 section 6.8), so that no line of a text can be a line of the
 * protocol; the subject is encoded (RFC 2047). Addresses are canonical ASCII (account/identifier.h).
 * 3. Times are bounded. A mail that was handed over is the server's; one whose answer was lost may be sent twice, with the
 * same Message-ID.
 */
#ifndef NET_MAIL_H
#define NET_MAIL_H
#include <stdatomic.h>

#include "base/buf.h"

#define MAIL_WHY_BYTES 160
#define MAIL_BYTES 32768

struct mail_server {
    const char *url;      /* smtp[s]://[user:password@]host[:port] */
    const char *from;     /* address of the envelope and of From */
    const char *name;     /* of the service, as shown */
    int64_t whole_us;     /* the longest that one mail may take */
    atomic_bool *give_up; /* set by another thread: it ends within a second, with MAIL_LATER; NULL: never */
};
struct mail {
    const char *to, *id; /* id: before the @ of Message-ID */
    struct slice subject, text;
    int64_t time_us;
};
enum mail_result { MAIL_TAKEN, MAIL_LATER /* no answer, or 4yz */, MAIL_REFUSED /* 5yz: sending it again gives the same */ };
/* Blocks. `ret_why` says what is wrong when it was not taken. */
enum mail_result mail_send(const struct mail_server *server, const struct mail *m, char ret_why[MAIL_WHY_BYTES]);
/* Whether a server's address can be one. KEER_EINVALID, and what is wrong. */
KEER_NODISCARD enum keer_err mail_server_check(struct slice url, char ret_why[MAIL_WHY_BYTES]);
/* The message (RFC 5322), for tests too. Errors stick in `out`. */
void mail_print(const struct mail_server *server, const struct mail *m, struct buf *out);
#endif
