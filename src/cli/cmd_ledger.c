/* cmd_ledger.c - `keer ledger`: the ledger for people, and as JSON; export and verify. */
#include "base/timefmt.h"
#include "cli/cli.h"
#include "flow/ledger_view.h"
#include "wallet/agreement.h"
#include "wallet/open.h"

#define PIECE_BYTES ((size_t)1 << 16)
#define AMOUNT_BYTES 48

struct showing {
    struct cli *cli;
    struct db *db;
    struct buf b;
    struct ledger_names names;
    /* accounts, kept until their widths are known */
    struct ledger_account *account;
    size_t count, cap;
    int wide, amount_wide; /* columns of names, of amounts */
    uint64_t told;
};

/* For people: thousands apart, 1,234,567.00. */
static const char *grouped(int64_t minor, enum currency c, char ret_text[AMOUNT_BYTES])
{
    char plain[CURRENCY_TEXT_BYTES];
    (void)currency_print(minor, c, plain);
    size_t whole = strcspn(plain, "."), at = 0;
    for (size_t i = 0; plain[i]; i++) {
        if (i > 0 && i < whole && (whole - i) % 3 == 0 && plain[i - 1] != '-')
            ret_text[at++] = ',';
        ret_text[at++] = plain[i];
    }
    ret_text[at] = '\0';
    return ret_text;
}

static int width_of(int64_t minor, enum currency c)
{
    char text[AMOUNT_BYTES];
    return (int)strlen(grouped(minor, c, text));
}

/* An amount in its column, or blanks for 0 where nothing is meant. */
static void put_amount(struct showing *s, int64_t minor, enum currency c, bool zero)
{
    char text[AMOUNT_BYTES];
    buf_fmt(&s->b, "  %*s", s->amount_wide, minor || zero ? grouped(minor, c, text) : "");
}

static void put_moment(struct buf *b, int64_t us)
{
    struct civil t = time_civil(us);
    buf_fmt(b, "%04d-%02d-%02d %02d:%02d:%02d", t.year, t.month, t.day, t.hour, t.minute, t.second);
}

static void head(struct showing *s, bool on)
{
    if (s->cli->color_out)
        buf_puts(&s->b, on ? "\033[1m" : "\033[0m");
}

static enum keer_err flush(struct showing *s)
{
    enum keer_err err = s->b.err;
    io_out_put(&s->cli->out, buf_view(&s->b));
    buf_clear(&s->b);
    return err != KEER_OK ? err : s->cli->out.err;
}

/* --- accounts --- */

static enum keer_err keep_account(void *ctx, const struct ledger_account *a)
{
    struct showing *s = ctx;
    if (s->cli->json) {
        ledger_put_account(&s->b, a);
        buf_char(&s->b, '\n');
        return flush(s);
    }
    if (s->count == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 64;
        struct ledger_account *more = realloc(s->account, cap * sizeof *more);
        if (!more)
            return KEER_ENOMEM;
        s->account = more;
        s->cap = cap;
    }
    s->account[s->count++] = *a;
    s->wide = MAX_OF(s->wide, (int)strlen(a->name));
    s->amount_wide = MAX_OF(s->amount_wide, width_of(a->sums.debits_posted, a->currency));
    s->amount_wide = MAX_OF(s->amount_wide, width_of(a->sums.credits_posted, a->currency));
    s->amount_wide = MAX_OF(s->amount_wide, width_of(a->sums.debits_posted - a->sums.credits_posted, a->currency));
    return KEER_OK;
}

static void put_sums(struct showing *s, const char *name, enum currency c, const struct ledger_sums *sums)
{
    buf_fmt(&s->b, "%-*s  %s", s->wide, name, currency_code(c));
    put_amount(s, sums->debits_posted, c, /* zero */ true);
    put_amount(s, sums->credits_posted, c, true);
    put_amount(s, sums->debits_posted - sums->credits_posted, c, true);
    put_amount(s, sums->debits_pending, c, false);
    put_amount(s, sums->credits_pending, c, false);
}

static int by_currency(const void *a, const void *b)
{
    const struct ledger_account *x = a, *y = b;
    int by = strcmp(currency_code(x->currency), currency_code(y->currency));
    return by ? by : strcmp(x->name, y->name);
}

static void add_sums(struct ledger_sums *to, const struct ledger_sums *s)
{
    to->debits_pending += s->debits_pending;
    to->debits_posted += s->debits_posted;
    to->credits_pending += s->credits_pending;
    to->credits_posted += s->credits_posted;
}

/* The total of a currency may be wider than any account's. */
static void fit_totals(struct showing *s)
{
    struct ledger_sums total = {0};
    for (size_t i = 0; i < s->count; i++) {
        if (i && s->account[i].currency != s->account[i - 1].currency)
            total = (struct ledger_sums){0};
        add_sums(&total, &s->account[i].sums);
        s->amount_wide = MAX_OF(s->amount_wide, width_of(total.debits_posted, s->account[i].currency));
        s->amount_wide = MAX_OF(s->amount_wide, width_of(total.debits_pending, s->account[i].currency));
    }
}

static enum keer_err show_accounts(struct showing *s)
{
    struct ledger_sums total = {0};
    s->wide = 8;
    s->amount_wide = 9;
    enum keer_err err = ledger_accounts(s->db, keep_account, s);
    if (err != KEER_OK || s->cli->json)
        return err;
    if (!s->count) {
        buf_puts(&s->b, "no accounts: nothing was charged yet\n");
        return flush(s);
    }
    qsort(s->account, s->count, sizeof *s->account, by_currency);
    fit_totals(s);
    int w = s->amount_wide;
    head(s, true);
    buf_fmt(&s->b, "%-*s       %*s  %*s  %*s  %*s  %*s", s->wide, "account", w, "debits", w, "credits", w, "balance", w,
            "pending +", w, "pending -");
    head(s, false);
    buf_char(&s->b, '\n');
    for (size_t i = 0; err == KEER_OK && i < s->count; i++) {
        const struct ledger_account *a = &s->account[i];
        put_sums(s, a->name, a->currency, &a->sums);
        buf_puts(&s->b, a->closed_us ? "  closed\n" : "\n");
        add_sums(&total, &a->sums);
        if (i + 1 == s->count || s->account[i + 1].currency != a->currency) {
            head(s, true);
            put_sums(s, "total", a->currency, &total);
            head(s, false);
            buf_puts(&s->b, i + 1 == s->count ? "\n" : "\n\n");
            total = (struct ledger_sums){0};
        }
        err = flush(s);
    }
    return err;
}

/* --- which account --- */

/* --account or --agreement, at most one; *ret_exit is told when it is not CLI_DONE. */
static bool find_subject(struct showing *s, struct ledger_account *ret_account, struct slice *ret_ref, int *ret_exit)
{
    const char *name = cli_text(s->cli, "account"), *agreement = cli_text(s->cli, "agreement");
    enum keer_err err = name ? ledger_view_account(s->db, slice_str(name), ret_account)
                             : ledger_view_agreement(s->db, slice_str(agreement), ret_account);
    *ret_ref = name ? (struct slice){NULL, 0} : slice_str(agreement);
    if (err == KEER_OK)
        return true;
    if (err == KEER_EMISSING)
        *ret_exit = cli_fail(s->cli, CLI_FINDINGS, err,
                             name ? "there is no account '%s': `keer ledger accounts` shows them"
                                  : "there is no agreement '%s', or nothing was charged on it yet",
                             name ? name : agreement);
    else
        *ret_exit = cli_fail(s->cli, cli_exit_of(err), err, "%s", err == KEER_EIO ? db_why(s->db) : keer_err_text(err));
    return false;
}

/* --- entries --- */

static enum keer_err show_entry(void *ctx, const struct ledger_transfer *t)
{
    struct showing *s = ctx;
    const struct ledger_account *a;
    char text[AMOUNT_BYTES];
    s->told++;
    if (s->cli->json) {
        enum keer_err err = ledger_put_entry(&s->b, &s->names, t);
        buf_char(&s->b, '\n');
        return err == KEER_OK ? flush(s) : err;
    }
    buf_fmt(&s->b, "%8lld  ", (long long)t->number);
    put_moment(&s->b, t->at_us);
    buf_fmt(&s->b, "  %-8s  %14s %s  ", ledger_kind_name(t->kind), grouped(t->amount_minor, t->currency, text),
            currency_code(t->currency));
    for (int i = 0; i < 2; i++) {
        enum keer_err err = ledger_names_find(&s->names, i ? &t->credit : &t->debit, &a);
        if (err != KEER_OK)
            return err;
        buf_fmt(&s->b, "%s%s", i ? " / " : "", a->name);
    }
    buf_fmt(&s->b, "%s%s\n", t->reason[0] ? "  " : "", t->reason);
    return flush(s);
}

static int show_entries(struct showing *s, enum keer_err *ret_err)
{
    struct ledger_account a;
    int code = CLI_DONE;
    struct ledger_query q = {.after = (int64_t)cli_count(s->cli, "after", 0)};
    uint64_t limit = cli_count(s->cli, "limit", UINT64_MAX);
    bool one = cli_text(s->cli, "account") || cli_text(s->cli, "agreement");
    if (one && !find_subject(s, &a, &q.ref, &code))
        return code;
    if (one && !q.ref.len)
        q.account = &a.id;
    if (!s->cli->json) {
        head(s, true);
        buf_fmt(&s->b, "%8s  %-19s  %-8s  %18s  %s", "number", "time (UTC)", "kind", "amount    ", "debit / credit");
        head(s, false);
        buf_char(&s->b, '\n');
    }
    for (bool more = true; *ret_err == KEER_OK && more && s->told < limit;) {
        int64_t last = q.after;
        q.max = (unsigned)MIN_OF(limit - s->told, UINT64_C(1000));
        *ret_err = ledger_each(s->db, &q, show_entry, s, &last);
        more = last > q.after;
        q.after = last;
    }
    if (*ret_err == KEER_OK)
        *ret_err = flush(s);
    return code;
}

/* --- a statement --- */

static void put_balance(struct showing *s, const char *what, int64_t debits, int64_t credits, enum currency c, bool sums)
{
    buf_fmt(&s->b, "%-19s  %8s", what, "");
    put_amount(s, sums ? debits : 0, c, sums);
    put_amount(s, sums ? credits : 0, c, sums);
    put_amount(s, debits - credits, c, true);
    buf_char(&s->b, '\n');
}

static enum keer_err show_opening(void *ctx, const struct ledger_statement *st)
{
    struct showing *s = ctx;
    const struct ledger_account *a = &st->account;
    int w = MAX_OF(8, MAX_OF(width_of(a->sums.debits_posted, a->currency), width_of(a->sums.credits_posted, a->currency)));
    s->amount_wide = w + 1; /* a balance may have a sign */
    head(s, true);
    buf_fmt(&s->b, "%s, %s", a->name, currency_code(a->currency));
    if (s->told)
        buf_fmt(&s->b, ", agreement %s", cli_text(s->cli, "agreement"));
    w = s->amount_wide;
    buf_fmt(&s->b, "\n%-19s  %8s  %*s  %*s  %*s  %s", "time (UTC)", "number", w, "debit", w, "credit", w, "balance",
            "with, why");
    head(s, false);
    buf_char(&s->b, '\n');
    put_balance(s, "opening", st->opening_debits, st->opening_credits, a->currency, /* sums */ false);
    return flush(s);
}

static enum keer_err show_row(struct showing *s, const struct ledger_line *line, bool balance)
{
    enum currency c = line->entry->currency;
    put_moment(&s->b, line->entry->at_us);
    buf_fmt(&s->b, "  %8lld", (long long)line->entry->number);
    put_amount(s, line->debit_minor > 0 ? line->entry->amount_minor : 0, c, false);
    put_amount(s, line->debit_minor < 0 ? line->entry->amount_minor : 0, c, false);
    put_amount(s, balance ? line->balance_minor : 0, c, balance);
    buf_fmt(&s->b, "  %s%s%s\n", line->other, line->entry->reason[0] ? ", " : "", line->entry->reason);
    return flush(s);
}

static enum keer_err show_line(void *ctx, const struct ledger_line *line) { return show_row(ctx, line, true); }

static enum keer_err show_pending(void *ctx, const struct ledger_line *line)
{
    struct showing *s = ctx;
    if (!s->count++)
        buf_puts(&s->b, "\npending\n");
    return show_row(s, line, false);
}

static enum keer_err put_json(void *ctx, struct slice piece)
{
    struct showing *s = ctx;
    io_out_put(&s->cli->out, piece);
    return s->cli->out.err;
}

static int show_statement(struct showing *s, enum keer_err *ret_err)
{
    struct ledger_account a;
    struct ledger_statement st;
    int code = CLI_DONE;
    struct ledger_statement_query q = {.account = &a.id,
                                       .from_us = cli_time(s->cli, "from", INT64_MIN),
                                       .to_us = cli_time(s->cli, "until", INT64_MAX),
                                       .after = (int64_t)cli_count(s->cli, "after", 0),
                                       .max = (unsigned)cli_count(s->cli, "limit", 0)};
    const struct ledger_teller to = {show_opening, show_line, show_pending, s};
    if (!find_subject(s, &a, &q.ref, &code))
        return code;
    s->told = q.ref.len;
    if (s->cli->json) {
        *ret_err = ledger_put_statement(s->db, &q, put_json, s, &st);
        if (*ret_err == KEER_OK) {
            if (st.more)
                buf_fmt(&s->b, ",\"after\":%lld", (long long)st.last);
            buf_puts(&s->b, "}\n");
            *ret_err = flush(s);
        }
        return code;
    }
    *ret_err = ledger_statement(s->db, &q, &to, &st);
    if (*ret_err != KEER_OK)
        return code;
    buf_puts(&s->b, s->count ? "\n" : "");
    head(s, true);
    put_balance(s, "closing", st.closing_debits, st.closing_credits, a.currency, /* sums */ true);
    head(s, false);
    *ret_err = flush(s);
    if (st.more)
        cli_note(s->cli, NULL, "there are further lines: --after %lld goes on", (long long)st.last);
    return code;
}

/* --- what waits for its wallet --- */

#define OPEN_MAX 64

/* The end of a line that says since when. */
static enum keer_err end_since(struct showing *s, int64_t since_us)
{
    if (s->cli->json)
        time_print(&s->b, since_us);
    else
        put_moment(&s->b, since_us);
    buf_puts(&s->b, s->cli->json ? "\"}\n" : "\n");
    return flush(s);
}

static enum keer_err show_stuck(struct showing *s)
{
    struct wallet_stuck rows[OPEN_MAX];
    unsigned n = 0;
    enum keer_err err = wallet_stuck_rows(s->db, s->cli->env.wall_us() - AGREEMENT_STUCK_US, OPEN_MAX, rows, &n);
    for (unsigned i = 0; err == KEER_OK && i < n; i++) {
        const struct wallet_stuck *r = &rows[i];
        if (s->cli->json)
            buf_fmt(&s->b, "{\"ending\":\"%s\",\"wallet\":\"%s\",\"number\":\"%s\",\"since\":\"", r->id.text, r->wallet,
                    r->number);
        else
            buf_fmt(&s->b, "%-24s agreement %s, number %s there, does not end  since ", r->wallet, r->id.text, r->number);
        err = end_since(s, r->since_us);
    }
    return err == KEER_OK ? flush(s) : err;
}

static enum keer_err show_open(struct showing *s)
{
    struct wallet_open rows[OPEN_MAX];
    unsigned n = 0;
    enum keer_err err = wallet_open_rows(s->db, OPEN_MAX, rows, &n);
    for (unsigned i = 0; err == KEER_OK && i < n; i++) {
        const struct wallet_open *r = &rows[i];
        if (s->cli->json)
            buf_fmt(&s->b, "{\"wallet\":\"%s\",\"charges\":%lld,\"refunds\":%lld,\"agreements\":%lld,\"since\":\"",
                    r->wallet, (long long)r->charges, (long long)r->refunds, (long long)r->agreements);
        else
            buf_fmt(&s->b, "%-24s %6lld charges %6lld refunds %6lld agreements  since ", r->wallet, (long long)r->charges,
                    (long long)r->refunds, (long long)r->agreements);
        err = end_since(s, r->since_us);
    }
    if (err == KEER_OK && !n && !s->cli->json)
        buf_puts(&s->b, "nothing waits for a wallet\n");
    return err == KEER_OK ? show_stuck(s) : err;
}

/* --- checking --- */

static int verify(struct showing *s, enum keer_err *ret_err)
{
    struct ledger_report r;
    *ret_err = ledger_verify(s->db, &r);
    if (*ret_err != KEER_OK)
        return CLI_DONE;
    if (s->cli->json) {
        ledger_put_report(&s->b, &r);
        buf_char(&s->b, '\n');
    } else {
        char head_text[CRYPTO_TEXT_BYTES];
        crypto_text(&r.head, head_text);
        buf_fmt(&s->b, "%lld entries, %lld accounts, %lld pending, head %s: %s\n", (long long)r.entries,
                (long long)r.accounts, (long long)r.pending, r.entries ? head_text : "none",
                r.faults ? "it does not hold" : "it holds");
        if (r.faults && r.fault_number)
            buf_fmt(&s->b, "%u faults, the first at entry %lld: %s\n", r.faults, (long long)r.fault_number, r.fault);
        else if (r.faults)
            buf_fmt(&s->b, "%u faults, the first: %s\n", r.faults, r.fault);
    }
    *ret_err = flush(s);
    return r.faults ? CLI_FINDINGS : CLI_DONE;
}

static int run(struct showing *s, const char *action)
{
    enum keer_err err = KEER_OK;
    int code = CLI_DONE;
    if (strcmp(action, "accounts") == 0)
        err = show_accounts(s);
    else if (strcmp(action, "entries") == 0)
        code = show_entries(s, &err);
    else if (strcmp(action, "statement") == 0)
        code = show_statement(s, &err);
    else if (strcmp(action, "export") == 0)
        err = ledger_export(s->db, put_json, s);
    else if (strcmp(action, "open") == 0)
        err = show_open(s);
    else
        code = verify(s, &err);
    if (err == KEER_OK || s->cli->out.err != KEER_OK) /* a broken output is told at the end */
        return code;
    return cli_fail(s->cli, cli_exit_of(err), err, "%s", err == KEER_EIO ? db_why(s->db) : keer_err_text(err));
}

int cmd_ledger(struct cli *cli)
{
    const char *action = cli->args[0];
    static const char *const actions[] = {"accounts", "entries", "statement", "export", "verify", "open"};
    struct db_why why;
    bool known = false, one = cli_text(cli, "account") != NULL, agreement = cli_text(cli, "agreement") != NULL;
    for (size_t i = 0; i < ARRAY_LEN(actions); i++)
        known = known || strcmp(action, actions[i]) == 0;
    if (!known)
        return cli_usage(cli, "keer ledger %s: accounts, entries, statement, export, verify or open was expected", action);
    if (one && agreement)
        return cli_usage(cli, "--account and --agreement exclude each other");
    if (strcmp(action, "statement") == 0 && !one && !agreement)
        return cli_usage(cli, "keer ledger statement needs --account or --agreement");
    if (crypto_start() != KEER_OK)
        return cli_fail(cli, CLI_INTERNAL, KEER_EIO, "the system gives no random numbers");
    struct showing *s = calloc(1, sizeof *s);
    if (!s)
        return cli_fail(cli, CLI_RESOURCES, KEER_ENOMEM, "out of memory");
    s->cli = cli;
    buf_init(&s->b, PIECE_BYTES);
    enum keer_err err = db_open(cli_text(cli, "database"), DB_READ, &s->db, &why);
    if (err == KEER_OK)
        err = db_migrate(s->db, cli->env.wall_us(), &why);
    if (err == KEER_OK && (err = db_begin(s->db)) != KEER_OK) /* one snapshot */
        (void)snprintf(why.text, sizeof why.text, "%s", db_why(s->db));
    s->names.db = s->db;
    int code =
        err == KEER_OK ? run(s, action) : cli_fail(cli, err == KEER_ENOMEM ? CLI_RESOURCES : CLI_IO, err, "%s", why.text);
    db_close(s->db);
    buf_release(&s->b);
    free(s->account);
    free(s);
    return code;
}
