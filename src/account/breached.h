/* breached.h - a list of SHA-1 hashes of passwords that were stolen: mapped before the sandbox, searched by bisection.
 *
 * The file is text, one line each, sorted ascending: 40 hexadecimal digits, then optionally ':' and a count (the form in
 * which such lists are published); or only the first 10 digits or more, the same number on each line, for a smaller file
 * with a few false hits. Lines end in \n or \r\n. Letters are of either case, one case in the whole file.
 *
 * Invariants: the file is never written; a search reads at most 64 lines; a file that is not in order is refused at the
 * start where the check meets it (8,192 places, evenly spread), so that a wrong file does not pass for an empty one.
 */
#ifndef ACCOUNT_BREACHED_H
#define ACCOUNT_BREACHED_H
#include "base/str.h"

struct breached;
struct breached_why {
    char text[300];
};
/* KEER_EIO, KEER_EFORMAT, KEER_ENOMEM, each with its words. */
KEER_NODISCARD enum keer_err breached_open(const char *path, struct breached **ret_breached, struct breached_why *ret_why);
void breached_close(struct breached *b); /* NULL is fine */
/* Whether the password's SHA-1 (FIPS 180-4) is in it. Any thread. */
bool breached_has(const struct breached *b, struct slice password);
#endif
