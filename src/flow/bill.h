/* bill.h - what a wallet says has happened, read line by line: an emulator's journal, or a bill file of Alipay or WeChat
 * Pay.
 *
 *     journal     NDJSON; {"wallet","kind":"agreement|charge|refund","what","number","ref","amount","currency","time",...}
 *     alipay      CSV of its trade bill: comments of `#`, a line of names, rows, and comments again; GBK or UTF-8
 *     wechatpay   CSV of its trade bill (ALL): a line of names, rows whose cells begin with `, a line of names, a sum
 *
 * Invariants
 * 1. Pure and streaming: pieces of any length go in, lines come out, one at a time; memory does not grow with the file.
 * 2. Columns are found by their names (bills.def). What can't be read is an error that names line and column: nothing is
 *    skipped silently. A bill that ends before its last part is one that was cut, and is refused.
 * 3. Amounts are minor units and never negative; times are UTC (bills are written in UTC+8).
 */
#ifndef FLOW_BILL_H
#define FLOW_BILL_H
#include "base/buf.h"
#include "base/currency.h"
#include "base/json.h"

enum bill_format { BILL_JOURNAL, BILL_ALIPAY, BILL_WECHATPAY, BILL_AUTO /* by the first line */, BILL_FORMAT_MAX };
const char *bill_format_name(enum bill_format format);

enum bill_kind { BILL_AGREEMENT, BILL_CHARGE, BILL_REFUND, BILL_KIND_MAX };
enum bill_what {
    BILL_SIGNED,
    BILL_ENDED,
    BILL_PAID,
    BILL_CLOSED,   /* without money */
    BILL_FAILED,   /* without money */
    BILL_REVERSED, /* a charge that was paid is undone, all of it */
    BILL_WAITS,    /* taken, not decided */
    BILL_WHAT_MAX
};
#define BILL_TEXT_BYTES 256 /* of a number, a reference */
struct bill_line {
    uint64_t line; /* from 1 */
    enum bill_kind kind;
    enum bill_what what;
    struct slice wallet; /* its name; empty: the file is of one wallet */
    struct slice number; /* ours; of a refund that the wallet made by itself its own, or empty */
    struct slice ref; /* the wallet's own number, by which two events of one number are told apart; empty: by their time */
    struct slice charge; /* of a refund: our number of the charge */
    int64_t amount_minor;
    enum currency currency;
    int64_t at_us;
};
typedef enum keer_err bill_each_fn(void *ctx, const struct bill_line *line);

#define BILL_FIELDS_MAX 16
#define BILL_LINE_BYTES ((size_t)65536)
struct bill { /* starts with bill_init */
    enum bill_format format;
    bill_each_fn *each;
    void *ctx;
    struct buf line; /* what has come of a line */
    struct tape tape;
    uint64_t lines, told;
    unsigned columns;                 /* of the line of names; 0: it has not come */
    unsigned column[BILL_FIELDS_MAX]; /* of a field, from 1; 0: there is none */
    bool ended;                       /* the part behind the rows has come */
    struct {                          /* of an error: */
        uint64_t line;
        char text[200];
    } why;
};
void bill_init(struct bill *b, enum bill_format format, bill_each_fn *each, void *ctx);
/* The next piece of the file. KEER_EFORMAT, KEER_ELIMIT (a line too long), KEER_ENOMEM with b->why; what `each` says. */
KEER_NODISCARD enum keer_err bill_feed(struct bill *b, struct slice piece);
/* The file has ended. KEER_EFORMAT when it was cut, or was no bill. */
KEER_NODISCARD enum keer_err bill_end(struct bill *b);
void bill_release(struct bill *b);
#endif
