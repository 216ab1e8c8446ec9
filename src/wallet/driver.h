/* driver.h - what drivers have in common: answers with their reasons, members of JSON, money and names as text. */
#ifndef WALLET_DRIVER_H
#define WALLET_DRIVER_H
#include "base/json.h"
#include "wallet/connector.h"

/* Fills `why` (code and text may be empty; they are cut to fit, control characters dropped) and gives `answer` back. */
enum wallet_answer driver_say(struct wallet_why *why, enum wallet_answer answer, enum wallet_reason reason,
                              struct slice code, struct slice text);
/* What a request that could not be put together, for want of memory or because a text does not fit, is: not sent. */
enum wallet_answer driver_unmade(struct wallet_why *why, enum keer_err err);
/* What a sending without an answer is. */
enum wallet_answer driver_lost(struct wallet_why *why, enum wallet_sent sent);

/* Bounds of what a wallet answers or tells, for tape_read. */
extern const struct tape_limits driver_limits;
/* A member that is a string; p NULL when it is not there or something else. Of null and of no object too. */
struct slice driver_text(const struct tape *t, uint32_t at, const char *member);
/* Copies it whole, and a NUL; false, and "", when it does not fit or holds control characters. */
bool driver_copy(char *ret, size_t cap, struct slice text);

/* "648.00" with exactly as many decimals as the exponent at most, digits and one point alone, 0 to 2^53. KEER_ESYNTAX. */
KEER_NODISCARD enum keer_err driver_money(struct slice text, unsigned exponent, int64_t *ret_minor);
void driver_money_put(struct buf *b, int64_t minor, unsigned exponent); /* "648.00"; not negative */

/* "https://host:port" of an URL, and what follows it ("/" at least, with the query). */
struct slice driver_origin(struct slice url);
struct slice driver_path(struct slice url);
/* 32 hexadecimal digits. */
#define DRIVER_NONCE_BYTES 33
void driver_nonce(struct wallet_io *io, char ret[DRIVER_NONCE_BYTES]);
#endif
