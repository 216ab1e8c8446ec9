/* step.h - what the files of second steps share: how a step stands, what the guard said, and the header Keer-Challenge. */
#ifndef API_STEP_H
#define API_STEP_H
#include "api/visit.h"
#include "flow/enrol.h"

static inline const struct steps *visit_steps(struct http_exchange *x) { return ((struct api *)x->ctx)->steps; }

/* The challenge of the header Keer-Challenge; none when there is none. False when BAD_STEP was told: it is no id. */
bool step_header(struct http_exchange *x, struct id *ret_challenge);
/* "passkey","totp": JSON strings parted by commas. */
void step_put_methods(struct buf *b, unsigned methods);
/* ,"name":"..." or null */
void step_put_time(struct buf *b, const char *name, int64_t us);

/* {"id":...},{...}: what waits for a trusted device; changes that wait. */
void step_put_prompts(struct buf *b, const struct step_prompt_view *rows, unsigned count);
void step_put_changes(struct buf *b, const struct enrol_waiting *w);
/* {"where":...} of the recovery that waits, or null */
void step_put_recovery(struct buf *b, const struct enrol_waiting *w);

/* What became of an answer: {state, redirect?}, its cookie, or the problem; wipes the token. For passkeys too. */
void step_answer(struct http_exchange *x, const struct visitor *v, struct step *s);
/* What the guard said: {}, {next:"step", challenge, methods}, {pending, until}, or BAD_STEP, GUARD_REFUSED. `members`, when
 * there are any, `"id":"..."`, stand in a success. */
void step_guard_answer(struct http_exchange *x, const struct guard_answer *a, struct slice members);
#endif
