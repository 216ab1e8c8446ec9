/* journal.h - a file of NDJSON: what happened at the wallets, one effect a line, in its order.
 *
 *     {"seq":7,"time":"2018-10-10T02:11:42.5Z","wallet":"alipay","kind":"charge","what":"paid","number":"c1","ref":"2018...",
 *      "agreement":"a1","amount":64800,"asked":64800,"currency":"CNY"}
 *
 * Invariants
 * 1. A line is appended under the caller's lock and written by a thread of the journal's: nobody waits for the disk, unless
 *    he asks em_journal_wait.
 * 2. What can't be written is told once on standard error, and ends the program: a judge without evidence is none.
 */
#ifndef EMULATOR_JOURNAL_H
#define EMULATOR_JOURNAL_H
#include "base/buf.h"

struct journal;
/* A new file, in place of an old one: a new process is a new world. KEER_EIO, KEER_ENOMEM. */
KEER_NODISCARD enum keer_err em_journal_open(const char *path, bool sync, struct journal **ret_journal);
void em_journal_close(struct journal *j); /* writes what is left; NULL is fine */
/* Appends the rest of a line behind {"seq":N, ; its number. */
uint64_t em_journal_put(struct journal *j, struct slice rest);
/* Bytes as they are (records of requests). */
void em_journal_raw(struct journal *j, struct slice bytes);
void em_journal_wait(struct journal *j, uint64_t seq); /* until it is on disk, with `sync`; else nothing */
/* All of it, from the file. KEER_EIO, KEER_ELIMIT. */
KEER_NODISCARD enum keer_err em_journal_read(struct journal *j, struct buf *b);
uint64_t em_journal_count(struct journal *j);
#endif
