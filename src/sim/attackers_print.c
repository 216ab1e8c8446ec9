/* attackers_print.c - the most that each attacker took, and every way that was tried. */
#include "sim/attackers.h"

#define BOLD "\033[1m"
#define DIM "\033[2m"
#define PLAIN "\033[0m"

static void paint(struct buf *b, bool color, const char *code)
{
    if (color)
        buf_puts(b, code);
}

static void put_most(struct buf *b, const struct attack_result *r)
{
    october_money(b, r->taken_minor + r->balance_minor);
    if (r->balance_minor)
        buf_puts(b, " of her balance");
}

static void put_way(struct buf *b, const struct attack_result *r)
{
    if (r->taken_minor == 0 && r->balance_minor == 0) {
        buf_puts(b, "none");
        return;
    }
    buf_puts(b, r->does);
    if (r->waits[0])
        buf_fmt(b, "; only after %s in which nobody objects", r->waits);
    if (r->raised && r->taken_minor)
        buf_puts(b, "; the caps that the wallet was told when it was linked hold");
}

void attackers_print(const struct attackers *a, bool color, struct buf *b)
{
    paint(b, color, BOLD);
    buf_puts(b, "The most that a thief can take in a day, by what he holds");
    paint(b, color, PLAIN);
    buf_puts(b, "  (yuan; default caps, every way played)\n");
    for (int i = 0; i < ATTACKER_MAX; i++) {
        const struct attack_result *best = attackers_best(a, (enum attacker)i);
        if (!best)
            continue;
        buf_char(b, '\n');
        paint(b, color, BOLD);
        buf_fmt(b, " %-36s ", attacker_holds((enum attacker)i));
        put_most(b, best);
        paint(b, color, PLAIN);
        buf_char(b, '\n');
        for (unsigned n = 0; n < a->count; n++) {
            const struct attack_result *r = &a->ways[n];
            if (r->attacker != (enum attacker)i)
                continue;
            buf_fmt(b, "  %s %s%s%s%s\n", r->taken_minor || r->balance_minor ? "●" : "◇", r->does,
                    r->waits[0] ? ", after " : "", r->waits, r->waits[0] ? " without objection" : "");
            paint(b, color, DIM);
            buf_puts(b, "      ");
            if (r->taken_minor || r->balance_minor) {
                buf_puts(b, "took ");
                put_most(b, r);
                buf_puts(b, r->stopped[0] ? "; " : "");
            }
            buf_fmt(b, "%s%s\n", r->stopped[0] ? "stopped at " : "", r->stopped);
            paint(b, color, PLAIN);
        }
    }
}

void attackers_json(const struct attackers *a, struct buf *b)
{
    buf_puts(b, "{\"currency\":\"CNY\",\"ways\":[");
    for (unsigned n = 0; n < a->count; n++) {
        const struct attack_result *r = &a->ways[n];
        buf_fmt(b, "%s{\"holds\":", n ? "," : "");
        buf_json(b, slice_str(attacker_holds(r->attacker)));
        buf_puts(b, ",\"does\":");
        buf_json(b, slice_str(r->does));
        buf_puts(b, ",\"waits\":");
        buf_json(b, slice_str(r->waits));
        buf_fmt(b, ",\"taken_minor\":%lld,\"balance_minor\":%lld,\"raised\":%s,\"stopped\":", (long long)r->taken_minor,
                (long long)r->balance_minor, r->raised ? "true" : "false");
        buf_json(b, slice_str(r->stopped));
        buf_char(b, '}');
    }
    buf_puts(b, "]}\n");
}

void attackers_markdown(const struct attackers *a, struct buf *b)
{
    buf_puts(
        b, "# The loss bound, by simulation\n\n"
           "The most that a thief can take from one linked wallet in a calendar day, with the defaults and a policy "
           "that allows everything. "
           "`keer simulate attackers --markdown FILE` writes this page: each way is played over the public API on a victim "
           "of its own, who has an app, "
           "recovery codes, a mailbox and a wallet linked with the default caps (CNY 700.00 a charge, 1,000.00 a day, "
           "3,000.00 a month), and who never "
           "objects, whatever she is told. What was taken is what the emulated wallet's own journal says. Waits are "
           "played with a daemon whose waits "
           "are short.\n\n"
           "| what he holds | most, CNY | by which way |\n|---|---:|---|\n");
    for (int i = 0; i < ATTACKER_MAX; i++) {
        const struct attack_result *best = attackers_best(a, (enum attacker)i);
        if (!best)
            continue;
        buf_fmt(b, "| %s | ", attacker_holds((enum attacker)i));
        put_most(b, best);
        buf_puts(b, " | ");
        put_way(b, best);
        buf_puts(b, " |\n");
    }
    buf_puts(b, "\n## Every way that was played\n\n| what he holds | what he does | waits | took, CNY | stopped at "
                "|\n|---|---|---|---:|---|\n");
    for (unsigned n = 0; n < a->count; n++) {
        const struct attack_result *r = &a->ways[n];
        buf_fmt(b, "| %s | %s | %s | ", attacker_holds(r->attacker), r->does, r->waits);
        put_most(b, r);
        buf_fmt(b, " | %s |\n", r->stopped);
    }
    buf_puts(
        b,
        "\n## Beside the model\n\n"
        "`tests/unit/bound_test.c` (`make bound`) tries every order of acts on the rules alone, to a depth, and longer ones "
        "at random. It lets the password open a full session, as if no sign-in ever asked for a step; the daemon asks every "
        "account that has an authenticator. So what the model finds for one code is what is played here with two. Its "
        "trusted device answers every step; the real one is asked for nothing that changes the account. In five acts it "
        "finds, in CNY:\n\n"
        "| what he holds | within 24 h, she reads | within 24 h, nobody reads | 10 days, nobody reads "
        "|\n|---|---:|---:|---:|\n"
        "| the password; the cookies of a session | 0.00 | 0.00 | 0.00 |\n"
        "| password and mailbox | 0.00 | 0.00 | 1,000.00 |\n"
        "| password and one code of the app | 1,000.00 | 2,000.00 | 11,000.00 |\n"
        "| a trusted device | 3,000.00 | 4,000.00 | 20,000.00 |\n\n"
        "24 hours touch two calendar days; a raise at once is to twice the caps, once in seven days. Whatever is held, "
        "however many acts, and however long nobody reads, the ceiling of the account bounds it: 10,000.00 a day and "
        "20,000.00 a calendar month (`src/wallet/caps.def`). The model asserts it. Over more than a day the caps of the "
        "days add up, to that of the "
        "month.\n");
}
