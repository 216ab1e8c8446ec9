/* october.h - the four victims of October 2018, and an honest owner beside them: their scripts, what came of each act in two
 * worlds, and the table that says so. No I/O and no clock: october_play.h acts, this file counts.
 *
 *     october.def ─► october_script ─► (october_play: the API) ─► struct october_outcome of each act
 *                                                             ─► october_count ─► october_print, october_json, october_holds
 *
 * Invariants
 * 1. An act is marked once. What was not reached is OCTOBER_NOT_TRIED, and is told as such, never as stopped.
 * 2. `taken` is what the wallet has paid, by the charges that the API says are paid; whether the ledger and the wallet's own
 *    journal say the same is counted beside it, and all three must agree for `equal`.
 * 3. Money is fen; the same script stands in both worlds.
 */
#ifndef SIM_OCTOBER_H
#define SIM_OCTOBER_H
#include "base/buf.h"

enum october_person {
#define OCTOBER_PERSON(name, key, shown, role, wallet, device, known, ours) OCTOBER_##name,
#include "sim/october.def"
    OCTOBER_PERSON_MAX
};
enum october_role { OCTOBER_ROLE_THIEF, OCTOBER_ROLE_OWNER };
enum october_verb { OCTOBER_SIGN_IN, OCTOBER_PURCHASE, OCTOBER_TOP_UP, OCTOBER_SPEND, OCTOBER_END, OCTOBER_VERB_MAX };
/* 2018: a password, no cap, no step. TODAY: what the daemon does unless told otherwise. */
enum october_world { OCTOBER_2018, OCTOBER_TODAY, OCTOBER_WORLD_MAX };

struct october_act {
    enum october_person person;
    int second;
    enum october_verb verb;
    int64_t minor;
    const char *device, *beneficiary, *item;
};
#define OCTOBER_ACTS_MAX 16 /* of one person */

struct october_script {
    const char *key, *shown; /* "liu", "Ms Liu" */
    enum october_role role;
    const char *wallet, *device; /* that is linked; the owner's own */
    const char *known, *ours;    /* what newspapers say, and what is filled in */
    const struct october_act *acts;
    unsigned count;
};
struct october_script october_script(enum october_person person);
const char *october_verb_text(enum october_verb verb, bool many); /* "top-up", "top-ups" */
/* "as it was in 2018", "today, with the defaults" */
const char *october_world_text(enum october_world world);

enum october_mark {
    OCTOBER_NOT_TRIED,
    OCTOBER_DONE,
    OCTOBER_STEP,    /* a second step was asked, and not answered */
    OCTOBER_REFUSED, /* `why` says by what */
    OCTOBER_BROKEN,  /* an answer that is none of these: `why` is its code */
    OCTOBER_MARK_MAX
};
#define OCTOBER_WHY_BYTES 64
struct october_outcome {
    enum october_mark mark;
    unsigned asked, answered; /* steps */
    char why[OCTOBER_WHY_BYTES + 1];
};
struct october_run { /* one person in one world */
    struct october_outcome acts[OCTOBER_ACTS_MAX];
    int64_t ledger_minor, wallet_minor; /* posted to the wallet's clearing account; paid, by the wallet's journal */
    /* october_count fills these */
    int64_t tried_minor, taken_minor, spent_minor;
    unsigned asked, answered, passed;
    bool equal;
};
struct october {
    struct october_run runs[OCTOBER_WORLD_MAX][OCTOBER_PERSON_MAX];
    bool played[OCTOBER_WORLD_MAX];
    int64_t took_us[OCTOBER_WORLD_MAX];
};

void october_count(struct october *o);
/* What must hold, after october_count: in every world that was played the ledger is equal; in 2018 all was taken (the
 * control: else today's nothing shows nothing); today no thief took anything and the owner got his pack. `ret_why` gets a
 * line for each that doesn't. */
bool october_holds(const struct october *o, struct buf *ret_why);

/* Both worlds side by side, at most 100 columns; then where each was stopped, and why. */
void october_print(const struct october *o, bool color, struct buf *b);
void october_json(const struct october *o, struct buf *b);
/* A page with a bar for each person and world: no script, nothing from elsewhere. */
void october_html(const struct october *o, struct buf *b);
/* "6,707.00" */
void october_money(struct buf *b, int64_t minor);
/* Acts that came out alike in a row are one group: the i-th act begins a group of *ret_count. */
unsigned october_group(const struct october_script *s, const struct october_run *r, unsigned i);
#endif
