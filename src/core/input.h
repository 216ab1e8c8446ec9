/* input.h - readers: chunks of memory in, events out; CSV and NDJSON; no I/O.
 *
 *   feed a chunk -> next, next, next ... -> INPUT_MORE -> feed the next one ... feed the last one -> ... -> INPUT_END
 *
 * Invariants
 *  1. The same bytes give the same events and the same errors, however they are cut into chunks.
 *  2. A chunk is borrowed until input_next has returned INPUT_MORE, INPUT_END or INPUT_FAILED. Whole records are read
 *     where they lie; only the partial one at the end is copied. No record, its line end included, may be longer than
 *     LIMIT_LINE_BYTES, and no more than that is ever kept.
 *  3. An event's texts (and an error's `text`) are borrowed until the next input_next or input_feed.
 *  4. Nothing is guessed: a value that can't be read makes the record bad. An empty value is an absent one.
 *  5. After warm-up nothing is allocated; the values of the largest NDJSON record so far have room, at most 18 MiB. Out of
 *     memory is INPUT_FAILED, never a record left out or changed.
 *  6. Failing is final: after INPUT_FAILED every call gives INPUT_FAILED again, after INPUT_END INPUT_END.
 *
 * CSV: RFC 4180, with LF or CRLF, a UTF-8 byte order mark, and blank lines allowed; the first line is the header. Bytes
 * beyond ASCII are taken as they are; NUL is refused. A quote that is never closed costs its own line alone (a second one
 * within LIMIT_LINE_BYTES of it costs that many bytes); one that is closed by a later stray quote costs the lines between.
 * NDJSON: one JSON object per line, as base/json.h reads it: keys unique and at most LIMIT_JSON_KEYS in an object, nesting
 * at most LIMIT_JSON_DEPTH. A number is the text that it was written as: 57.16 is exact, and 57.10 as an id stays 57.10.
 *
 * Without a mapping, columns and keys are taken by their names: id, time, type, currency, target, fraud, fraud_known,
 * scenario, and the attributes of the schema; others are ignored, or refused when `strict`.
 *   time, fraud_known  ISO 8601, or seconds since 1970; integers from 1e11 on are milliseconds, from 1e14 on microseconds
 *   amounts            integer minor units of `currency` (the policy's own when there is none); in NDJSON a text such as
 *                      "57.16" is taken as decimal major units, which needs a currency
 *   fraud              true, false (in CSV also 1, 0): the target's for label events, otherwise this event's own, known at
 * once or at `fraud_known` attributes, custom (NDJSON) nested objects that hold attributes With a mapping (mapping.h) only
 * what it says is read.
 */
#ifndef CORE_INPUT_H
#define CORE_INPUT_H
#include "core/event.h"
#include "core/mapping.h"

#define INPUT_MESSAGE_BYTES 200

struct input;

struct input_options {
    enum input_format format;      /* INPUT_ANY: what the mapping says */
    const struct mapping *mapping; /* borrowed as long as the input; NULL: by name */
    bool strict;                   /* by name: unknown columns and keys are errors */
    char delimiter;                /* CSV; 0: what the mapping says, else ',' */
};

enum input_result {
    INPUT_EVENT,  /* *ev is filled and checked (event_check) */
    INPUT_MORE,   /* the chunk is used up: feed another */
    INPUT_BAD,    /* this record is bad, *err says why; reading goes on at the next one. *ev is unspecified */
    INPUT_END,    /* all was read */
    INPUT_FAILED, /* no more can be read, *err says why: bad header, out of memory */
    INPUT_RESULT_MAX
};

struct input_error {
    uint64_t line;   /* physical line of the offending value, 1-based; 0 when it is about no line */
    unsigned column; /* byte in that line, 1-based */
    enum keer_err code;
    char what[INPUT_MESSAGE_BYTES]; /* "time: '2018-13-01' is not a time" */
    char hint[INPUT_MESSAGE_BYTES]; /* what to do; "" when there is nothing to say */
    struct slice text;              /* the record without its line end, at most LIMIT_LINE_BYTES */
};

/* An input for events of `schema` (borrowed). KEER_EINVALID without a format, KEER_ECONFLICT when format and mapping
 * disagree, KEER_ETYPE when the mapping and the schema do, KEER_ENOMEM; then *ret_error says it in words. */
KEER_NODISCARD enum keer_err input_new(const struct keer_schema *schema, const struct input_options *options,
                                       struct input **ret_in, struct input_error *ret_error);
void input_free(struct input *in);
/* Gives the next chunk, which may be empty; `last` ends the input. KEER_EINVALID while the chunk before is in use, or after
 * the last one. */
KEER_NODISCARD enum keer_err input_feed(struct input *in, struct slice chunk, bool last);
/* `ev` was made for the same schema. */
KEER_NODISCARD enum input_result input_next(struct input *in, struct keer_event *ev, struct input_error *err);
/* i-th attribute of the mapping that neither the schema nor attributes.def knows: perhaps misspelt, perhaps of another
 * policy; false when i is past the end. Borrowed from the mapping. */
bool input_skipped(const struct input *in, unsigned i, struct slice *ret_name);
/* Number of the line that is read next, for progress. */
uint64_t input_line(const struct input *in);
#endif
