/* mapping.h - mapping files: which column or key of somebody's file is which part of an event.
 *
 * A small text, one statement a line, '#' begins a comment:
 *     format    csv                             # or ndjson
 *     delimiter ","                             # also ";", "|", tab
 *     id        TX_ID
 *     time      TX_DATETIME                     # ISO 8601
 *     time      TX_TIME_SECONDS seconds since 2018-04-01       # or ms, us; 'since epoch' is since 1970-01-01
 *     type      "purchase"                      # in quotes: a constant
 *     type      KIND { "P" = purchase, "L" = sign_in }         # any value may be translated; the others stay as they are
 *     account   column "Customer No"            # a column whose name is no plain word
 *     amount    TX_AMOUNT EUR                   # decimal major units of that currency
 *     amount    CENTS minor EUR                 # integer minor units; 'minor' alone: of the policy's own currency
 *     amount    TX_AMOUNT in CURRENCY_COLUMN    # decimal major units; 'minor in COLUMN' for minor ones
 *     label     TX_FRAUD known after 7d         # 1, 0, true, false, or empty; or 'known at COLUMN'; otherwise known at once
 *     scenario  TX_FRAUD_SCENARIO { "0" = "", "1" = "large amount" }
 *     target    ORIGINAL_ID                     # for label events: the id of the event that is meant
 * Any other word on the left is an attribute. `id`, `time` and `type` must be there; nothing may be there twice.
 * For NDJSON the right side is a key, or a dotted path into nested objects.
 *
 * Invariants of a parsed mapping: all text lives in its arena; a time entry has unit_us > 0 exactly when it counts from
 * epoch_us; `currency` is CUR_MAX unless the mapping names one.
 */
#ifndef CORE_MAPPING_H
#define CORE_MAPPING_H
#include "base/arena.h"
#include "base/buf.h"
#include "base/currency.h"
#include "core/event.h"

enum input_format { INPUT_ANY, INPUT_CSV, INPUT_NDJSON, INPUT_FORMAT_MAX };

enum map_role { MAP_ID, MAP_TIME, MAP_TYPE, MAP_TARGET, MAP_LABEL, MAP_SCENARIO, MAP_ATTR, MAP_ROLE_MAX };

#define MAPPING_ENTRIES_MAX 256 /* statements of one mapping */
#define MAPPING_PAIRS_MAX 256   /* translations of one statement; they are searched in order */
#define MAPPING_MESSAGE_BYTES 200

struct map_pair {
    struct slice from, to;
    const struct map_pair *next;
};

struct map_entry {
    enum map_role role;
    struct slice name;   /* the left side */
    struct slice source; /* column, key or dotted path; the text itself when `constant` */
    bool constant;
    unsigned line, column; /* of the source, 1-based */
    const struct map_pair *pairs;
    int64_t unit_us, epoch_us; /* time */
    bool money, minor;         /* a money clause was written; minor units */
    enum currency currency;
    struct slice currency_source; /* 'in COLUMN'; p NULL otherwise */
    int64_t known_after_us;       /* label */
    struct slice known_source;    /* 'known at COLUMN'; p NULL otherwise */
};

struct mapping {
    struct arena arena;
    enum input_format format; /* INPUT_ANY when not said */
    char delimiter;           /* 0 when not said */
    unsigned count;
    struct map_entry entries[MAPPING_ENTRIES_MAX];
};

struct mapping_error {
    unsigned line, column, len; /* 1-based; `len` bytes belong under the caret, at least 1 */
    char what[MAPPING_MESSAGE_BYTES];
    char hint[MAPPING_MESSAGE_BYTES]; /* "" when there is none */
};
struct mapping_errors {
    unsigned count;
    struct mapping_error list[LIMIT_POLICY_ERRORS];
};

/* Reads a mapping. KEER_ESYNTAX with at least one and at most LIMIT_POLICY_ERRORS messages in *ret_errors when the text is
 * not one; KEER_ELIMIT over LIMIT_MAPPING_BYTES (one message); KEER_ENOMEM, with none. *ret_errors is always set. */
KEER_NODISCARD enum keer_err mapping_parse(struct slice text, struct mapping **ret_mapping,
                                           struct mapping_errors *ret_errors);
void mapping_free(struct mapping *m);
const struct map_entry *mapping_find(const struct mapping *m, struct slice name); /* NULL when there is none */
/* "FILE:LINE:COLUMN: what", the line of text with a caret under it, and the hint, for each message. */
void mapping_print_errors(struct buf *b, struct slice file, struct slice text, const struct mapping_errors *errors);
const char *input_format_name(enum input_format f);
/* The candidate nearest to `word`, for 'did you mean': call for each candidate, *best starts at {NULL, 0}. */
void nearest_word(struct slice word, struct slice candidate, struct slice *best);
#endif
