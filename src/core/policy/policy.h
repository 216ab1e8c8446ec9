/* policy.h - the inside of a compiled policy: names resolved, windows planned, expressions as flat code.
 *
 * Made in order: parse.c (tree), check*.c (names, types, windows, statements), compile.c (code), policy.c (all of it,
 * files, warnings).
 *
 * Registers, numeric: [constants][windows][scores][lets][loads][scratch]; text: [constants][windows][lets][loads][scratch].
 * For each event: loads, values and conditions (from the event alone) -> windows -> lets that need no score -> features,
 * scores -> the other lets -> rules. A let that is nothing but a window, an attribute or a constant has its register.
 */
#ifndef CORE_POLICY_POLICY_H
#define CORE_POLICY_POLICY_H
#include <keer/policy.h>

#include "core/event.h"
#include "core/model.h"
#include "core/policy/ast.h"
#include "core/vm.h"
#include "core/window.h"

enum ref_kind { REF_NONE, REF_SLOT, REF_LET, REF_EVENT, REF_SCORE, REF_PART, REF_SAME };
enum window_form { FORM_PLAIN, FORM_SHARE, FORM_RATIO, FORM_ZSCORE };

struct policy_value { /* what windows sum and compare */
    unsigned slot;
    int conversion; /* money: index of the conversion table, else -1 */
    bool text;
};
struct policy_key {
    unsigned parts;
    uint8_t slot[LIMIT_KEY_PARTS]; /* ascending */
};
struct policy_filter { /* which events a window counts */
    uint64_t types;
    int condition; /* index of policy conditions, -1 = none */
    int value;     /* must be present, -1 = none */
    uint8_t group, bit;
};
struct policy_load { /* an attribute, or what else the event tells, in a register of its own: read once for each event */
    enum vm_op op;
    unsigned a, b;
    uint16_t reg; /* numeric or text register */
    uint32_t code;
};
struct policy_condition { /* a `where`, shared by the filters that ask the same */
    const struct ast *where;
    struct vm_range code;
    uint16_t result;
};
struct policy_let {
    struct stmt_let *stmt;
    struct vm_range code;
    uint16_t reg; /* numeric or text register */
    bool after_score;
};
struct policy_rule {
    struct stmt_rule *stmt;
    struct slice name;
    struct vm_range code; /* ends with VM_FIRE */
};
struct policy_list {
    struct stmt_list *stmt; /* NULL: inline */
    struct ast_list *items;
    struct slice text; /* of the file, NUL-free; owned by `owned` */
    char *owned;
    bool missing;
    int set[LIST_KIND_MAX]; /* index in sets, -1 when not asked in that way */
};
struct policy_model {
    struct stmt_model *stmt;
    struct model *model; /* NULL when not loaded */
    uint64_t types;
    bool calibrated;
    uint16_t feature[LIMIT_FEATURES]; /* feature i of the model is this feature of the policy */
};
struct policy_feature { /* of the `features` statement */
    const struct ast *node;
    uint16_t reg;
    bool text;
    int slot;    /* texts: the attribute */
    double unit; /* money: minor units in a major one; else 1 */
    struct vm_range code;
};
struct policy_window { /* how a window of the plan is called in explanations */
    const struct ast *node;
    struct slice name; /* of its statement, or p NULL */
    const char *part;  /* NULL: all of the expression; else what it is of a share, ratio or zscore */
    enum type_kind type;
    enum currency currency;
};

struct policy_code { /* pieces of the code, in the order in which they run */
    struct vm_range *range;
    unsigned count;
};

/* What an event type needs: computed once, so that a sign-in does not pay for what only purchases use. */
struct policy_plan {
    uint64_t windows[LIMIT_WINDOWS / 64];
    uint64_t groups;
    uint64_t always[LIMIT_KEYS]; /* of each group, the filters that every event of the type passes */
    uint16_t *filters;           /* the others */
    unsigned filter_count;
    uint16_t *lets;
    unsigned let_count; /* in order of definition */
    uint16_t *rules;
    unsigned rule_count; /* in order of evaluation: challenge, allow, deny, review */
    uint64_t models;
    uint64_t conditions[LIMIT_FILTERS * LIMIT_KEYS / 64];
    uint64_t values[4];
    struct policy_code early, before, features, after, verdict; /* loads and conditions; lets; features; lets; rules */
};

#define LIMIT_VALUES 256u
#define LIMIT_LOADS 512u
#define LIMIT_CONDITIONS 2048u
#define LIMIT_CONVERSIONS 8u
#define LIMIT_ALL_FILTERS 2048u

struct keer_policy {
    struct arena arena;
    struct keer_schema schema;
    struct policy_ast ast;
    struct slice name, text;
    bool syntax; /* the text has syntax errors: what is unknown may be defined in one of those */
    struct diags diags;

    enum currency currency;
    double rate[CUR_MAX]; /* units for one unit of the rates' own base; NaN = unknown */
    bool has_rates;
    int64_t zone_us, lateness_us;
    uint64_t money_slots; /* attributes that are amounts of money */

    struct win_plan plan;
    struct win_def *windows;
    struct policy_window *window_info;
    struct policy_key *keys;
    struct policy_value *values;
    unsigned value_count;
    struct policy_filter *filters;
    unsigned filter_count;
    struct policy_condition *conditions;
    unsigned condition_count;
    struct vm_conversion conversions[LIMIT_CONVERSIONS];
    unsigned conversion_count;

    struct policy_load *loads;
    unsigned load_count;
    struct policy_let *lets;
    unsigned let_count;
    struct policy_rule *rules;
    unsigned rule_count;
    struct policy_list *lists;
    unsigned list_count;
    struct list_sets sets;
    struct policy_model models[LIMIT_MODELS];
    unsigned model_count;
    struct policy_feature *features;
    unsigned feature_count;

    struct vm_insn *code;
    uint32_t code_count, code_cap;
    double *constants;
    unsigned constant_count;
    uint64_t *text_constants;
    struct slice *texts;
    unsigned text_constant_count;
    bool constants_closed;
    unsigned registers, text_registers;
    unsigned window_reg, score_reg, let_reg, load_reg; /* where each part begins */
    unsigned window_text_reg, let_text_reg, load_text_reg;

    struct policy_plan *plans; /* one for each event type of the schema */
    uint8_t *let_tri;          /* [type * let_count + let]: enum tri */
};

/* check.c, check_statement.c */
struct check {
    struct keer_policy *p;
    struct diags *diags;
    enum { IN_RULE, IN_LET, IN_FEATURE, IN_WHERE } where;
    unsigned depth;
    unsigned lets_known; /* lets defined so far */
    unsigned looked;     /* how often the text was searched for a definition that did not parse */
    bool uses_score;
    bool failed_alloc;
};
/* Names, types, windows of everything. Errors are in p->diags; KEER_ENOMEM or KEER_OK. */
KEER_NODISCARD enum keer_err policy_check(struct keer_policy *p);
void check_expr(struct check *c, struct ast *n);
/* A message when `n` is not of this type; `whose` needs it. */
void check_want(struct check *c, const struct ast *n, enum type_kind type, const char *whose);
bool check_name_slot(struct check *c, struct ast *n); /* an attribute only; else false without a message */
const char *type_word(enum type_kind t);
void check_suggest(const struct check *c, struct slice name, char *hint, size_t size);
int check_conversion(struct check *c, enum currency to);
/* Whether amounts can be converted to `to`; a message when not. */
bool check_convertible(struct check *c, struct span_at at, enum currency to);
void check_suggest_event(const struct check *c, struct slice name, char *hint, size_t size);
/* A hint for a name that is neither function nor aggregate. */
void check_suggest_call(struct slice name, char *hint, size_t size);
/* Event types of a list of names as a mask; messages for what is none. */
uint64_t check_types(struct check *c, struct ast_list *names);
/* Both ask the same of an event. */
bool ast_same(const struct ast *a, const struct ast *b);
/* What a name stands for when that is an attribute of the event: through Radar's names and through `let x = attribute`; else
 * `n` itself. */
const struct ast *ast_through(const struct keer_policy *p, const struct ast *n);
/* Index of the conversion to a currency; it must have been asked for by check_conversion. */
unsigned policy_conversion(const struct keer_policy *p, enum currency to);

/* check_window.c */
void check_window(struct check *c, struct ast *n);
const char *aggregate_row(unsigned i, const char **ret_takes, const char **ret_doc);

/* radar.c: what a name of Stripe Radar stands for here. Returns an expression's text in `out`, or false; *ret_why says why
 * not, when it is known. */
bool radar_expression(struct slice name, struct buf *out, const char **ret_why);

/* compile.c */
KEER_NODISCARD enum keer_err policy_compile(struct keer_policy *p);
enum tri { TRI_FALSE, TRI_TRUE, TRI_OPEN };
/* What is known of a condition when only the event's type is. Those of lets are computed once, in order: let_tri. */
enum tri ast_for_type(const struct keer_policy *p, const struct ast *n, unsigned type);

/* policy.c: as keer_policy_new, but *ret_policy is there with its diagnostics on failure too (NULL without memory); free it.
 */
KEER_NODISCARD enum keer_err policy_make(const char *name, struct slice text, const struct keer_files *files, unsigned flags,
                                         struct keer_policy **ret_policy);
/* reads a model for statement `index` from its JSON; messages on failure. */
KEER_NODISCARD enum keer_err policy_bind_model(struct keer_policy *p, unsigned index, struct slice json);

/* examples.c: runs the policy's examples; failures are added to p->diags as errors. */
KEER_NODISCARD enum keer_err policy_run_examples(struct keer_policy *p, unsigned *ret_run, unsigned *ret_failed);
#endif
