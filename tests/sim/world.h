/* world.h - the world of charges: tasks, decisions, wallets, people, and what is checked after every commit. */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H
#include "flow/desk.h"
#include "sim/sim.h"
#include "wallet/connector.h"

/* --- task.c --- */
#define TASKS_MAX 6
/* False when all stacks are in use. `run` begins at once. */
bool task_start(void (*run)(void *ctx), void *ctx);
void task_pause(void); /* others go on; no effect outside of a task, and in a dead process */
bool task_step(void);  /* one of them goes on; false when there is none */
unsigned task_count(void);
void task_unwind(void); /* of a dead process */

/* --- decide.c: the real engine, and a journal that survives --- */
void decide_start(void); /* of a run */
void decide_restart(void);
KEER_NODISCARD enum keer_err decide_text(struct slice event, struct desk_decision *ret);
/* What was decided about an event of this id, durably: false when nothing was. */
bool decide_was(const char *id, enum keer_outcome *ret);
void decide_check(void); /* invariants 16, 17 over the journal of the run */

/* --- purse.c: the wallets' side --- */
#define PURSES 2 /* one that can cancel and answers at once; one that can't, and tells by notice */
void purse_start(void);
void purse_end(void);
void purse_restart(void); /* what the process knew of them is gone */
struct wallet *purse_wallet(unsigned i);
struct wallet *purse_find(struct slice name);
struct wallet_calls *purse_calls(void);
void purse_tick(void); /* what waits is decided, what was late arrives */
/* A person at the wallet: signs, ends, asks for money back. False when there is nothing to do it with. */
bool purse_sign(const char *number);
bool purse_end_agreement(const char *number);
bool purse_refund(const char *number, int64_t amount_minor);
/* The next notice, encoded as it comes in, of a wallet: false when there is none. What was not taken comes again. */
bool purse_notice(struct wallet **ret_wallet, struct wallet_inbound *ret, uint64_t *ret_ticket);
void purse_notice_done(uint64_t ticket, bool taken);
bool purse_awaited(unsigned *ret); /* one that a request is on its way to */
bool purse_quiet(void);            /* nothing is on its way, no notice waits */
void purse_statement(void);        /* all that it did is told once more */
uint64_t purse_requests(void);
/* The journal of a wallet: what it took under a number and gave back; false when it took nothing. */
struct purse_effect {
    int64_t taken_minor, returned_minor;
    enum currency currency;
    unsigned times; /* how often it took */
    bool late;      /* by a request that came after its answer had timed out */
};
bool purse_effect(const char *number, struct purse_effect *ret);
bool purse_gave_back(const char *refund); /* under our number of a refund, and not by a late request */
typedef void purse_each_fn(void *ctx, unsigned purse, const char *number, const struct purse_effect *e);
void purse_each(purse_each_fn *each, void *ctx);
/* The person was told that it has ended: from now on no charge on it may have an effect. */
bool purse_is_live(const char *agreement_number); /* signed at the wallet, and not ended there */
void purse_told_ended(const char *agreement_number);

/* --- check.c --- */
void check_start(void);
void check_commit(void); /* after each commit and each restart */
void check_end(void);    /* when all is settled: every row, the ledger from its entries, the wallets' journals */

/* --- world.c --- */
void world_die(void);       /* the process ends here: the scheduler restarts it */
void world_committed(void); /* after each commit, on the state that it left */
#endif
