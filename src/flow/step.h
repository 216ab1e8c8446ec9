/* step.h - a second step: a challenge looked at, answered, cancelled; and approval on a trusted device.
 *
 *     step_view ─► step_totp, step_code, step_passkey (passkey's flow), step_prompt ─► step_answer_prompt (another browser)
 *                    │ counted (attempts.h), committed; looked at, committed
 *                    ├─ wrong: event second_step, failure; the fifth refuses the challenge, the hundredth in a row the authenticator
 *                    └─ right: event second_step, success, decided ─┬─ deny: the challenge is refused
 *                                                                   └─ else: challenge_done ─► a sign-in becomes FULL; others are
 *                                                                            used by the call that asked
 *
 * Invariants
 * 1. Who holds a challenge: the session that it was opened for, or, where a store opened it, the first browser that looked
 * at it, by its device token. For anybody else there is no such challenge.
 * 2. An answer is counted before it is looked at, for challenge, account, authenticator and address.
 * 3. What was taken (a code, a number, an assertion) is spent, whatever becomes of the challenge.
 * 4. The number of a prompt is shown where the challenge is held, and typed in a FULL session of a trusted device that is
 * another browser. 5. A wrong answer says nothing but how the challenge stands.
 */
#ifndef FLOW_STEP_H
#define FLOW_STEP_H
#include "flow/accounts.h"
#include "flow/guard.h"
#include "stepup/prompt.h"

struct steps { /* does not change after the start */
    const struct accounts *accounts;
    struct guard guard;
    /* Signs the claims of an answer as a JWT of that typ; NULL (in tests): then there is no answer to be told. */
    enum keer_err (*sign)(void *ctx, struct desk_worker *w, const char *typ, struct slice claims, struct buf *out);
    void *sign_ctx;
    const char *issuer; /* who signs: --issuer, else --public-url, else where the daemon listens */
};

enum step_outcome {
    STEP_DONE,   /* the challenge is done; of a sign-in, `token` is the session's new one */
    STEP_WRONG,  /* still open: another try */
    STEP_LATER,  /* a limit, until `retry_us` */
    STEP_OVER,   /* no such challenge, or it is over, or the authenticator is */
    STEP_DENIED, /* right, and refused by the decision */
    STEP_SENT    /* a prompt waits: `number` */
};
struct step {
    enum step_outcome outcome;
    struct challenge challenge; /* as it stands now; of nobody when STEP_OVER found none */
    struct bearer token;        /* the caller sets the cookie and wipes it */
    char number[PROMPT_DIGITS + 1];
    unsigned left; /* recovery codes, when one was taken */
    int64_t retry_us;
};
/* A challenge as its holder sees it, and what may answer it; the first browser that looks at a store's holds it from then
 * on. KEER_EMISSING. */
struct step_view {
    struct challenge challenge;
    unsigned methods;               /* AUTHENTICATOR_BIT of those that the account has and the challenge takes */
    char number[PROMPT_DIGITS + 1]; /* of the prompt that waits; "" for none */
    enum prompt_state prompt;       /* of the latest; PROMPT_STATE_MAX: there was none */
};
KEER_NODISCARD enum keer_err step_look(const struct steps *s, struct desk_worker *w, const struct visitor *v,
                                       const struct id *challenge, struct step_view *ret);
/* All: KEER_OK with an outcome; KEER_EFULL, KEER_EUNSUPPORTED, KEER_EIO, KEER_ENOMEM fail closed. */
KEER_NODISCARD enum keer_err step_totp(const struct steps *s, struct desk_worker *w, const struct visitor *v,
                                       const struct id *challenge, struct slice code, struct step *ret);
KEER_NODISCARD enum keer_err step_recovery_code(const struct steps *s, struct desk_worker *w, const struct visitor *v,
                                                const struct id *challenge, struct slice code, struct step *ret);
/* A sign-in that was approved on another device: the browser that holds it gets its token, once. KEER_EMISSING. */
KEER_NODISCARD enum keer_err step_finish(const struct steps *s, struct desk_worker *w, const struct visitor *v,
                                         const struct challenge *c, struct bearer *ret_token);
/* A number for the screen that asks. KEER_EMISSING as an outcome STEP_OVER when no trusted device is there. */
KEER_NODISCARD enum keer_err step_prompt(const struct steps *s, struct desk_worker *w, const struct visitor *v,
                                         const struct id *challenge, struct step *ret);
KEER_NODISCARD enum keer_err step_cancel(const struct steps *s, struct desk_worker *w, const struct visitor *v,
                                         const struct id *challenge, struct step *ret);

/* What answered a challenge that v's session holds and that was not used yet, as an event says it: "totp"; "" when nothing
 * did. For the event of the change that it was asked for. */
KEER_NODISCARD enum keer_err step_method(struct desk_worker *w, const struct visitor *v, const struct id *challenge,
                                         const char **ret);

/* --- on the trusted device --- */
struct step_prompt_view {
    struct prompt prompt;
    struct challenge challenge;
};
/* Those that wait, for v's session: none unless it is FULL and its device trusted. */
KEER_NODISCARD enum keer_err step_prompts(const struct steps *s, struct desk_worker *w, const struct visitor *v,
                                          struct step_prompt_view ret_rows[PROMPTS_MAX], unsigned *ret_count);
/* The same in a transaction of the caller's. Any. */
KEER_NODISCARD enum keer_err step_prompts_read(struct db *db, const struct visitor *v, int64_t now_us,
                                               struct step_prompt_view ret_rows[PROMPTS_MAX], unsigned *ret_count);
enum step_answer { STEP_ANSWER_NUMBER, STEP_ANSWER_NO, STEP_ANSWER_NOT_ME };
/* 'Not me' refuses the challenge, ends the session that asked and what that browser may, locks the account (guard_freeze:
 * every session ends, linked wallets are paused, what waits is called off) and tells every contact. The engine hears of a
 * second_step that failed, and of fraud (fraud_reported) where the event that asked is known. A plain 'no' only refuses. */
KEER_NODISCARD enum keer_err step_answer_prompt(const struct steps *s, struct desk_worker *w, const struct visitor *v,
                                                const struct id *prompt, enum step_answer answer, struct slice number,
                                                struct step *ret);

/* --- for the flow of passkeys --- */
/* The challenge, when v holds it and it is open: KEER_EMISSING else. */
KEER_NODISCARD enum keer_err step_open(const struct steps *s, struct desk_worker *w, const struct visitor *v,
                                       const struct id *challenge, struct challenge *ret);
/* Counts an answer: ret->outcome is STEP_DONE when it may be looked at, else what to answer. */
KEER_NODISCARD enum keer_err step_begin(const struct steps *s, struct desk_worker *w, const struct visitor *v,
                                        const struct challenge *c, enum attempt_use use, const struct id *authenticator,
                                        struct attempt_begun *ret_begun, struct step *ret);
/* In the transaction that spends what was right: the challenge waits for step_end, whatever wrong answers come beside it. */
KEER_NODISCARD enum keer_err step_right(struct db *db, const struct id *challenge, int64_t now_us);
/* Event second_step of a challenge's account, with its outcome. */
KEER_NODISCARD enum keer_err step_event(struct desk_worker *w, const struct visitor *v, const struct challenge *c,
                                        enum authenticator_kind by, bool right, bool *ret_denied);
/* What was looked at: right or wrong. `by`: what answered, `amr`: what it showed. */
struct step_result {
    const struct challenge *challenge;
    const struct attempt_begun *begun;
    enum authenticator_kind by;
    struct id authenticator;
    unsigned amr;
    bool right;
    unsigned codes_left; /* recovery codes: told with the notice */
};
KEER_NODISCARD enum keer_err step_end(const struct steps *s, struct desk_worker *w, const struct visitor *v,
                                      const struct step_result *r, struct step *ret);
/* Uses a done challenge of the kind sign_in for its session, once: the session's new token. `with`: the authenticator that
 * answered. KEER_EMISSING. In a transaction. */
KEER_NODISCARD enum keer_err step_claim(struct db *db, const struct steps *s, const struct challenge *c,
                                        const struct id *with, unsigned amr, int64_t now_us, struct bearer *ret_token);
/* The holder of a browser: from its device token. */
void step_browser(const struct visitor *v, struct id *ret_holder);
#endif
