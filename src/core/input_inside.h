/* input_inside.h - what input.c, input_csv.c and input_ndjson.c share; nobody else includes it.
 *
 * Three layers, each below the other:
 *   record  input.c                      finds the next whole record in what was fed
 *   values  input_csv.c, input_ndjson.c  takes a record apart: one text per step of the plan
 *   event   input_event.c                makes the plan, and fills the event from the texts
 *
 * The plan is a list of steps, made once from the mapping or from the schema. STEP_CURRENCY and STEP_KNOWN only bring
 * a text for another step, whose `aux` they are. Whoever finds an error says which step is to blame; the format knows
 * where in the record that step's text stands.
 */
#ifndef CORE_INPUT_INSIDE_H
#define CORE_INPUT_INSIDE_H
#include "base/json.h"
#include "core/input.h"

enum step_kind {
    STEP_ID,
    STEP_TIME,
    STEP_TYPE,
    STEP_TARGET,
    STEP_LABEL,
    STEP_SCENARIO,
    STEP_ATTR,
    STEP_CURRENCY,
    STEP_KNOWN,
    STEP_KIND_MAX
};
#define STEPS_MAX (2 * (LIMIT_ATTRS + 6)) /* each with its own aux, at worst */
#define STEP_NONE UINT8_MAX
#define STEP_WORDS ((STEPS_MAX + 63) / 64)
static_assert(STEPS_MAX < STEP_NONE, "a step has a number of one byte");

enum time_form { TIME_AUTO, TIME_ISO, TIME_SINCE };

struct step {
    enum step_kind kind;
    enum keer_attr_type attr_type; /* STEP_ATTR */
    int slot;                      /* STEP_ATTR */
    uint8_t aux;                   /* STEP_ATTR of money: its currency; STEP_LABEL: its time; or STEP_NONE */
    bool constant, minor, must;    /* must: an aux that may not be empty */
    enum currency currency;        /* CUR_MAX: from aux, or else the policy's own */
    int const_type;                /* STEP_TYPE, constant: its number */
    int column;                    /* CSV: index in the header, or -1 */
    unsigned map_line;             /* line of the mapping; 0 by name */
    enum time_form form;           /* STEP_TIME, STEP_KNOWN */
    int64_t unit_us, epoch_us, known_after_us;
    struct slice name;   /* in messages */
    struct slice source; /* column or key */
    const struct map_pair *pairs;
};

struct value {
    struct slice text; /* p is NULL when it isn't there */
    size_t at;         /* where in the record it begins */
    bool major;        /* NDJSON: an amount written as a text */
};

enum scan_state { SCAN_PLAIN, SCAN_START, SCAN_VALUE, SCAN_QUOTED, SCAN_CLOSING };

struct name_cell {
    struct slice name;
    uint8_t step;
};
#define NAME_CELLS 256 /* open addressing; at most STEPS_MAX are used */

struct input {
    const struct keer_schema *schema;
    const struct mapping *mapping;
    enum input_format format;
    bool strict;
    char delimiter;
    unsigned step_count;
    struct step steps[STEPS_MAX];
    struct name_cell names[NAME_CELLS]; /* without a mapping: source -> step */
    int last_type;                      /* what `last_type_text` names: types come in runs */
    size_t last_type_len;
    char last_type_text[LIMIT_NAME_BYTES];

    struct slice chunk; /* what is left of it */
    bool fed, last, in_keep, bom_done, skipping, failed, ended;
    unsigned bom;    /* bytes of the byte order mark */
    struct buf keep; /* unread bytes of earlier chunks, from keep_from on, when in_keep */
    size_t keep_from;
    size_t scanned;              /* bytes of the next record looked at so far */
    enum scan_state scan;        /* CSV: state after them */
    size_t quote_at;             /* CSV: where the last quoted value began */
    uint64_t line;               /* of the next record */
    uint64_t offset, reread_end; /* bytes read; end of what broken_record() has given back */
    struct slice record;         /* the present one, without line end */
    uint64_t record_line;
    bool record_plain; /* CSV: it holds no quote */

    struct value values[STEPS_MAX];
    uint64_t filled[STEP_WORDS]; /* bit i: values[i] was found, or step i needs none; the others are empty */
    const struct step *blame;    /* whose text is wrong */
    struct input_error *err;     /* of the running input_next */
    struct input_error failure;

    /* CSV */
    bool has_header;
    unsigned columns;
    struct value fields[LIMIT_CSV_COLUMNS];
    struct buf unquoted; /* texts of values that held doubled quotes */

    /* NDJSON */
    uint8_t shape[STEPS_MAX]; /* without a mapping: step that the n-th key of the event before named */
    struct tape tape;         /* the record; its decoded strings are texts of the event */
};

/* Fills the error of the running call but for its place; returns `code`. */
KEER_PRINTF(3, 4) enum keer_err input_fail(struct input *in, enum keer_err code, const char *fmt, ...);
KEER_PRINTF(2, 3) void input_hint(struct input *in, const char *fmt, ...);
/* Its place: `at` bytes into the record. */
void input_place(struct input *in, size_t at);
/* A text in a message: in quotes, bounded, control characters replaced. */
#define SHOWN_BYTES 64
const char *input_shown(struct slice s, char ret_text[SHOWN_BYTES]);

/* input_event.c */
KEER_NODISCARD enum keer_err plan_by_mapping(struct input *in);
void plan_by_name(struct input *in);
/* Step that takes `name` when there is no mapping; STEP_NONE when nobody does. */
uint8_t plan_step_named(const struct input *in, struct slice name);
/* The name nearest to a mistyped one; p is NULL when none is near. */
struct slice plan_nearest(const struct input *in, struct slice name);
/* Makes the event from in->values; on failure the error is filled but for its place, and in->blame says whose it is. */
KEER_NODISCARD enum keer_err event_fill(struct input *in, struct keer_event *ev);

/* Bytes of the record at the start of `view`, its line end included; 0 when it doesn't end there. Goes on at in->scanned. */
size_t csv_record_end(struct input *in, struct slice view);
/* Take in->record apart. The header of a CSV gives INPUT_MORE, 'go on with the next record'. */
enum input_result csv_record(struct input *in, struct keer_event *ev);
enum input_result ndjson_record(struct input *in, struct keer_event *ev);
#endif
