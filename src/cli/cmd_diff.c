/* cmd_diff.c - `keer diff`: two policies on one history, who changes side and what it costs. */
#include <math.h>

#include "cli/history.h"
#include "learn/labels.h"

/* What the first policy decided, in the order of the history. */
struct verdict {
    uint64_t id;
    uint8_t outcome;
};
struct diffing {
    struct verdict *first;
    size_t count, cap, at;
    struct label_book labels; /* of label events, from the first run; the second looks them up */
    bool second;
    unsigned show, shown;
    uint64_t moved[KEER_OUTCOME_MAX][KEER_OUTCOME_MAX], moved_fraud[KEER_OUTCOME_MAX][KEER_OUTCOME_MAX];
    double moved_amount[KEER_OUTCOME_MAX][KEER_OUTCOME_MAX], moved_fraud_amount[KEER_OUTCOME_MAX][KEER_OUTCOME_MAX];
    uint64_t changed, out_of_step;
    struct buf list;
};

static enum history_next on_first(struct diffing *x, struct history *h, const struct keer_decision *d, int *ret_exit)
{
    enum keer_err err = label_book_add(&x->labels, h->event);
    if (err != KEER_OK) {
        *ret_exit = cli_fail(h->cli, cli_exit_of(err), err, "%s", keer_err_text(err));
        return HISTORY_FAILED;
    }
    if (x->count == x->cap) {
        size_t cap = x->cap ? x->cap * 2 : 65536;
        struct verdict *grown = realloc(x->first, cap * sizeof *grown);
        if (!grown) {
            *ret_exit = cli_fail(h->cli, CLI_RESOURCES, KEER_ENOMEM, "%s", keer_err_text(KEER_ENOMEM));
            return HISTORY_FAILED;
        }
        x->first = grown;
        x->cap = cap;
    }
    x->first[x->count++] = (struct verdict){h->event->id_hash.lo, (uint8_t)d->outcome};
    return HISTORY_GO;
}

/* What the event turned out to be, by a label event or by its own row. */
static enum keer_label label_of(const struct diffing *x, const struct keer_event *ev)
{
    const struct label_entry *l = label_book_find(&x->labels, ev->id_hash.lo);
    return l ? l->fraud ? KEER_LABEL_FRAUD : KEER_LABEL_GENUINE : ev->has_target ? KEER_LABEL_NONE : ev->label;
}

static void list_change(struct diffing *x, const struct history *h, enum keer_outcome a, const struct keer_decision *d,
                        double amount)
{
    const struct keer_event *ev = h->event;
    struct buf *b = &x->list;
    enum keer_label label = label_of(x, ev);
    if (x->shown++ >= x->show)
        return;
    if (h->cli->json) {
        buf_puts(b, x->shown > 1 ? ",{\"id\":" : "{\"id\":");
        buf_json(b, ev->id);
        buf_puts(b, ",\"time\":\"");
        time_print(b, ev->time_us);
        buf_fmt(b, "\",\"from\":\"%s\",\"to\":\"%s\",\"amount\":", keer_outcome_name(a), keer_outcome_name(d->outcome));
        buf_f64(b, amount);
        buf_fmt(b, ",\"fraud\":%s,\"rules\":[",
                label == KEER_LABEL_NONE    ? "null"
                : label == KEER_LABEL_FRAUD ? "true"
                                            : "false");
    } else {
        buf_puts(b, "  ");
        time_print(b, ev->time_us);
        buf_fmt(b, "  %-9s -> %-9s  %10.2f  %-7s ", keer_outcome_name(a), keer_outcome_name(d->outcome),
                isnan(amount) ? 0 : amount,
                label == KEER_LABEL_FRAUD     ? "fraud"
                : label == KEER_LABEL_GENUINE ? "genuine"
                                              : "");
        buf_fmt(b, SLICE_FMT "  ", (int)MIN_OF(ev->id.len, 40), ev->id.p);
    }
    for (unsigned i = 0; i < MIN_OF(d->fired_count, (unsigned)KEER_FIRED_MAX); i++) {
        buf_puts(b, i ? "," : "");
        if (h->cli->json)
            buf_json(b, h->policy->rules[d->fired[i]].name);
        else
            buf_slice(b, h->policy->rules[d->fired[i]].name);
    }
    buf_puts(b, h->cli->json ? "]}" : "\n");
}

static enum history_next on_event(void *ctx, struct history *h, const struct keer_decision *d, int *ret_exit)
{
    struct diffing *x = ctx;
    if (!x->second)
        return on_first(x, h, d, ret_exit);
    if (x->at >= x->count || x->first[x->at].id != h->event->id_hash.lo) {
        x->out_of_step++;
        x->at++;
        return HISTORY_GO;
    }
    enum keer_outcome a = (enum keer_outcome)x->first[x->at++].outcome;
    if (a == d->outcome)
        return HISTORY_GO;
    int slot = keer_schema_find(&h->policy->schema, "amount", 6);
    double amount = vm_amount(h->event, (unsigned)slot, &h->policy->conversions[0]) / currency_scale(h->policy->currency);
    bool fraud = label_of(x, h->event) == KEER_LABEL_FRAUD;
    x->changed++;
    x->moved[a][d->outcome]++;
    x->moved_fraud[a][d->outcome] += fraud;
    x->moved_amount[a][d->outcome] += isnan(amount) ? 0 : amount;
    x->moved_fraud_amount[a][d->outcome] += fraud && !isnan(amount) ? amount : 0;
    list_change(x, h, a, d, amount);
    return HISTORY_GO;
}

static void tell_json(struct cli *cli, const struct diffing *x, enum currency currency)
{
    struct buf b;
    bool first = true;
    buf_init(&b, (size_t)64 << 20);
    buf_fmt(&b, "{\"events\":%zu,\"changed\":%llu,\"currency\":\"%s\",\"moves\":[", x->count, (unsigned long long)x->changed,
            currency_code(currency));
    for (unsigned i = 0; i < KEER_OUTCOME_MAX; i++)
        for (unsigned k = 0; k < KEER_OUTCOME_MAX; k++)
            if (x->moved[i][k]) {
                buf_fmt(&b, "%s{\"from\":\"%s\",\"to\":\"%s\",\"events\":%llu,\"fraud\":%llu,\"amount\":", first ? "" : ",",
                        keer_outcome_name((enum keer_outcome)i), keer_outcome_name((enum keer_outcome)k),
                        (unsigned long long)x->moved[i][k], (unsigned long long)x->moved_fraud[i][k]);
                buf_f64(&b, x->moved_amount[i][k]);
                buf_puts(&b, ",\"fraud_amount\":");
                buf_f64(&b, x->moved_fraud_amount[i][k]);
                buf_char(&b, '}');
                first = false;
            }
    buf_puts(&b, "],\"changes\":[");
    buf_slice(&b, buf_view(&x->list));
    buf_puts(&b, "]}\n");
    io_out_put(&cli->out, buf_view(&b));
    buf_release(&b);
}

static void tell_text(struct cli *cli, const struct diffing *x, enum currency currency)
{
    struct buf b;
    buf_init(&b, (size_t)64 << 20);
    progress_number(&b, x->count);
    buf_puts(&b, " events, ");
    progress_number(&b, x->changed);
    buf_puts(&b, " decided differently\n");
    if (x->changed)
        buf_fmt(&b, "\n  %-9s    %-9s %10s %10s %10s %16s %16s\n", "from", "to", "events", "fraud", "genuine", "amount",
                "of it fraud");
    double saved = 0, lost = 0;
    uint64_t disturbed = 0, relieved = 0;
    for (unsigned i = 0; i < KEER_OUTCOME_MAX; i++)
        for (unsigned k = 0; k < KEER_OUTCOME_MAX; k++) {
            if (!x->moved[i][k])
                continue;
            uint64_t genuine = x->moved[i][k] - x->moved_fraud[i][k];
            buf_fmt(&b, "  %-9s -> %-9s %10llu %10llu %10llu %12.2f %s %12.2f %s\n", keer_outcome_name((enum keer_outcome)i),
                    keer_outcome_name((enum keer_outcome)k), (unsigned long long)x->moved[i][k],
                    (unsigned long long)x->moved_fraud[i][k], (unsigned long long)genuine, x->moved_amount[i][k],
                    currency_code(currency), x->moved_fraud_amount[i][k], currency_code(currency));
            saved += i == KEER_ALLOW ? x->moved_fraud_amount[i][k] : 0;
            lost += k == KEER_ALLOW ? x->moved_fraud_amount[i][k] : 0;
            bool before = i == KEER_CHALLENGE || i == KEER_DENY, after = k == KEER_CHALLENGE || k == KEER_DENY;
            disturbed += !before && after ? genuine : 0;
            relieved += before && !after ? genuine : 0;
        }
    if (x->changed) {
        buf_fmt(&b, "\nfraud no longer allowed %.2f %s, fraud now allowed %.2f %s\n", saved, currency_code(currency), lost,
                currency_code(currency));
        buf_fmt(&b, "genuine events newly challenged or denied %llu, no longer so %llu\n", (unsigned long long)disturbed,
                (unsigned long long)relieved);
    }
    if (x->list.len) {
        buf_fmt(&b, "\nThe first %u of them\n", MIN_OF(x->show, x->shown));
        buf_slice(&b, buf_view(&x->list));
    }
    io_out_put(&cli->out, buf_view(&b));
    buf_release(&b);
}

int cmd_diff(struct cli *cli)
{
    struct history h;
    struct diffing x = {.show = (unsigned)cli_count(cli, "show", 10)};
    buf_init(&x.list, (size_t)32 << 20);
    enum currency currency = CUR_EUR;
    int code = CLI_DONE;
    for (unsigned i = 2; i < cli->arg_count && code == CLI_DONE; i++)
        if (strcmp(cli->args[i], "-") == 0)
            code = cli_usage(cli, "diff reads its inputs twice: give files, not standard input");
    for (unsigned pass = 0; pass < 2 && code == CLI_DONE; pass++) {
        x.second = pass == 1;
        if (x.second)
            label_book_seal(&x.labels);
        code = history_open(cli, cli->args[pass], KEER_POLICY_WITHOUT_EXAMPLES, &h);
        if (code == CLI_DONE)
            code = history_run(&h, cli->args + 2, cli->arg_count - 2, on_event, &x);
        if (code == CLI_DONE)
            currency = h.policy->currency;
        if (code == CLI_DONE && pass == 1 && h.bad)
            cli_note(cli, NULL, "%llu bad lines left out", (unsigned long long)h.bad);
        history_close(&h);
    }
    if (code == CLI_DONE && x.out_of_step)
        code = cli_fail(cli, CLI_IO, KEER_EFORMAT, "the inputs changed between the two readings");
    if (code == CLI_DONE) {
        (cli->json ? tell_json : tell_text)(cli, &x, currency);
        code = x.changed ? CLI_FINDINGS : CLI_DONE;
    }
    buf_release(&x.list);
    label_book_release(&x.labels);
    free(x.first);
    return code;
}
