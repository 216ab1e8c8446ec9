/* ledger_view.h - the ledger as programs read it: JSON of accounts, entries and statements, for the command and for the API.
 *
 * Amounts are texts with all digits of the currency ("648.00"); a balance is debits less credits. Reading alone: any
 * connection, one snapshot.
 */
#ifndef FLOW_LEDGER_VIEW_H
#define FLOW_LEDGER_VIEW_H
#include "flow/search.h"
#include "ledger/ledger.h"

/* An account of the ledger by its name or its id. KEER_EMISSING. */
KEER_NODISCARD enum keer_err ledger_view_account(struct db *db, struct slice which, struct ledger_account *ret_account);
/* The account that an agreement's charges and refunds pass through, wallet:<wallet>:clearing:<currency>; entries of the
 * agreement have its id as their reference. KEER_EMISSING: no such agreement, or nothing was charged on it. */
KEER_NODISCARD enum keer_err ledger_view_agreement(struct db *db, struct slice agreement,
                                                   struct ledger_account *ret_account);

/* Objects, without a newline. */
void ledger_put_account(struct buf *b, const struct ledger_account *a);
KEER_NODISCARD enum keer_err ledger_put_entry(struct buf *b, struct ledger_names *names, const struct ledger_transfer *t);
void ledger_put_report(struct buf *b, const struct ledger_report *r);

/* A statement as one object: {account, currency, reference, opening, entries, closing, pending, and, when there are further
 * lines, `after`, the number to go on with}. `put` gets pieces of the text; without the last brace, so that who calls adds
 * to it. KEER_EMISSING: no such account. */
KEER_NODISCARD enum keer_err ledger_put_statement(struct db *db, const struct ledger_statement_query *q, ledger_put_fn *put,
                                                  void *ctx, struct ledger_statement *ret_statement);

/* Cursors of pages: those of searches (search.h), under the database's secret. KEER_EINVALID: it is none of this query. */
KEER_NODISCARD enum keer_err ledger_view_cursor(struct db *db, const struct search_query *q, int64_t number,
                                                char ret_text[CURSOR_TEXT_BYTES]);
KEER_NODISCARD enum keer_err ledger_view_cursor_read(struct db *db, const struct search_query *q, struct slice text,
                                                     int64_t *ret_number);
#endif
