/* cards.h - a history of card payments with three kinds of fraud, after the published description of the Fraud Detection
 * Handbook (Le Borgne, Siblini, Lebichot, Bontempi, ULB, chapter 3.2); written anew from that description.
 *
 * Invariants
 *  1. Same options, same rows, byte for byte; without fraud the same payments, with no amount changed.
 *  2. Rows come sorted by time; ids count from 0 in that order.
 *  3. Memory holds the population and one day.
 *
 * Customers and terminals have uniform places on a square of 100 by 100. A customer pays at the terminals within `radius`,
 * each equally likely; amounts are normal with a mean uniform in [5, 100) and half of it as deviation (a negative one is
 * replaced by a uniform one in [0, 2 mean)); the number of payments a day is Poisson with a mean uniform in [0, 4); the
 * second of the day is normal (noon, 20,000 s), and what falls outside of the day does not happen.
 *  - scenario 1, large amount: every payment of more than 220 is fraud;
 *  - scenario 2, terminal: each day two terminals are drawn; all that is paid there on that day and the next 27 is fraud;
 *  - scenario 3, customer: each day three customers are drawn; on that day and the next 13 every third payment of theirs (by
 *    chance) has five times its amount, and is fraud.
 * Where several apply, the higher number is told.
 */
#ifndef SIM_CARDS_H
#define SIM_CARDS_H
#include "base/buf.h"
#include "base/timefmt.h"

#define CARDS_POPULATION_MAX 1000000u /* customers, and terminals */
#define CARDS_DAYS_MAX 3660u
#define CARDS_REACH_MAX 50000000u /* pairs of a customer and a terminal within the radius */
#define CARDS_DAY_MAX 16000000u   /* payments on one day */

struct cards;

struct cards_options {
    uint64_t seed;
    unsigned customers, terminals, days;
    int64_t start_us; /* midnight of the first day, or any whole second */
    double radius;    /* in (0, 150] */
    bool fraud;
};

struct cards_row {
    uint64_t id;
    int64_t time_us;
    int64_t second; /* since start_us */
    unsigned day;   /* since start_us, from 0 */
    unsigned customer, terminal;
    int64_t amount_minor; /* cents of EUR */
    unsigned scenario;    /* 0 genuine, 1 large amount, 2 terminal, 3 customer */
};

/* 5,000 customers, 10,000 terminals, 183 days from 2018-04-01, radius 5, with fraud: about 1.75 million rows, 0.84 % fraud.
 */
struct cards_options cards_defaults(void);
/* KEER_ERANGE when an option is out of its range; KEER_ELIMIT when the radius reaches too many terminals; KEER_ENOMEM. */
KEER_NODISCARD enum keer_err cards_new(const struct cards_options *o, struct cards **ret_cards);
void cards_free(struct cards *c);
/* The next row; *ret_row is untouched and *ret_more false after the last one. KEER_ENOMEM and KEER_ELIMIT end the history.
 */
KEER_NODISCARD enum keer_err cards_next(struct cards *c, struct cards_row *ret_row, bool *ret_more);
/* The columns of the published file, which policies/handbook.map reads. */
void cards_write_csv_header(struct buf *b);
void cards_write_csv(struct buf *b, const struct cards_row *r);
/* One event as keer's own NDJSON; the label is known `label_delay_us` after the payment. */
void cards_write_ndjson(struct buf *b, const struct cards_row *r, int64_t label_delay_us);
#endif
