/* ast.h - a policy as a tree: what lexer and grammar make, what the checker annotates and the compiler reads.
 *
 * All nodes live in the policy's arena. `at` is the byte range in the policy text that a message points to.
 */
#ifndef CORE_POLICY_AST_H
#define CORE_POLICY_AST_H
#include "base/arena.h"
#include "base/currency.h"
#include "core/policy/diag.h"

enum ast_kind {
    AST_NUMBER,   /* number */
    AST_MONEY,    /* number in major units, name = currency */
    AST_DURATION, /* duration_us */
    AST_TEXT,     /* name = the text */
    AST_BOOL,     /* number = 0 or 1 */
    AST_NAME,     /* name; `radar` when written :name:; in `features` number = 1 rising, -1 falling */
    AST_NOT,      /* a */
    AST_NEGATE,   /* a */
    AST_BINARY,   /* op, a, b */
    AST_CALL,     /* name, args */
    AST_WINDOW,   /* window */
    AST_IN,       /* a in list */
    AST_CONVERT,  /* a in currency `name` */
    AST_KIND_MAX
};

enum ast_op {
    OP_OR,
    OP_AND,
    OP_EQ,
    OP_NE,
    OP_LT,
    OP_LE,
    OP_GT,
    OP_GE,
    OP_LIKE,
    OP_INCLUDES,
    OP_ADD,
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_MAX_
};

enum type_kind { TYPE_ERROR, TYPE_NUMBER, TYPE_MONEY, TYPE_DURATION, TYPE_BOOL, TYPE_TEXT, TYPE_LABEL, TYPE_KIND_MAX };

struct ast;
struct ast_list {                 /* of expressions, or of names */
    struct ast_list *next, *last; /* `last` of the first link alone: adding is O(1) */
    struct ast *item;
};

/* A list literal or a list's name: exactly one of the two. */
struct ast_set {
    struct slice name;      /* p NULL: inline */
    struct ast_list *items; /* AST_TEXT, AST_NUMBER, AST_MONEY */
    struct span_at at;
    int index; /* in the policy's lists, set by the checker */
};

struct ast_window {
    struct slice agg;
    struct ast_list *args;  /* before `of` */
    struct ast_list *types; /* after `of`; AST_NAME */
    bool has_of;
    struct slice currency; /* `in EUR`, p NULL when absent */
    struct span_at currency_at;
    struct ast *where;
    struct ast_list *keys; /* AST_NAME */
    bool has_by;
    int64_t over_us, delay_us, half_life_us;
    bool including;
    struct span_at at;
    /* set by the checker */
    int index;     /* first window of the plan, -1 */
    int second;    /* share: what it divides by; zscore: the standard deviation */
    int value;     /* ratio, zscore: the value of this event, index of the policy's values */
    unsigned form; /* enum window_form */
};

struct ast {
    enum ast_kind kind;
    enum ast_op op;
    struct span_at at;
    struct slice name;
    double number;
    int64_t duration_us;
    bool radar, meta;
    struct ast *a, *b;
    struct ast_list *args;
    struct ast_set *set;
    struct ast_window *window;
    /* set by the checker */
    enum type_kind type;
    enum currency currency; /* TYPE_MONEY: values are minor units of it */
    bool fold;              /* TYPE_TEXT: case does not matter */
    unsigned ref_kind;      /* AST_NAME: enum ref_kind */
    int ref;                /* slot, let, window, event type, ... */
    struct ast *same;       /* AST_NAME of Radar: what it stands for */
};

enum action { ACTION_CHALLENGE, ACTION_ALLOW, ACTION_DENY, ACTION_REVIEW, ACTION_MAX };

struct stmt_rule {
    struct stmt_rule *next;
    struct slice name;
    enum action action;
    struct ast *when; /* NULL: always */
    struct slice because;
    struct span_at at, name_at;
};
struct stmt_let { /* `let` and `window` */
    struct stmt_let *next;
    struct slice name;
    struct ast *value;
    struct span_at at;
    bool window;
    unsigned uses;
};
struct stmt_list {
    struct stmt_list *next;
    struct slice name, path;
    struct ast_list *items;
    struct span_at at;
    unsigned uses;
};
struct stmt_model {
    struct stmt_model *next;
    struct slice name, path;
    bool calibrated;
    struct ast_list *types;
    struct span_at at;
};
struct stmt_attribute {
    struct stmt_attribute *next;
    struct slice name, type;
    struct span_at at, type_at;
};
struct stmt_setting { /* currency, rates, timezone, lateness, budget */
    struct stmt_setting *next;
    int token;
    struct slice name;
    int64_t duration_us;
    double number;
    struct span_at at;
};
struct example_field {
    struct example_field *next, *last; /* `last` as in ast_list */
    struct slice name;
    struct ast *value;
    struct span_at at;
};
struct example_step {
    struct example_step *next, *last; /* `last` as in ast_list */
    struct slice type;
    struct span_at at, type_at;
    int64_t offset_us;
    struct example_field *fields;
    bool expects;
    enum action expected; /* ACTION_MAX never */
    struct slice by_rule;
    struct span_at by_at, expected_at;
};
struct stmt_example {
    struct stmt_example *next;
    struct slice name;
    struct example_field *fields; /* of every step */
    struct example_step *steps;
    struct span_at at;
};

/* Lists in order of the text; `*_end` are the tails. */
struct policy_ast {
    struct stmt_rule *rules, **rules_end;
    struct stmt_let *lets, **lets_end;
    struct stmt_list *lists, **lists_end;
    struct stmt_model *models, **models_end;
    struct stmt_attribute *attributes, **attributes_end;
    struct stmt_setting *settings, **settings_end;
    struct stmt_example *examples, **examples_end;
    struct ast_list *features;
};

struct token {
    int kind;
    struct slice text;
    struct span_at at;
};

/* State of one parse; the grammar's extra argument. */
struct parse {
    struct arena *arena;
    struct diags *diags;
    struct policy_ast *out;
    struct ast *expression; /* of a text that is one expression */
    struct slice source;
    uint32_t shift; /* added to every place, for text that stands for a Radar name */
    bool fixed_at;  /* every place is `at`: the text is not the policy's own */
    struct span_at at;
    struct token last; /* the token before this one */
    bool failed_alloc, stop;
};

void policy_ast_init(struct policy_ast *ast);
/* Parses a policy text into `out`; problems go to `diags`. KEER_ENOMEM only: syntax errors are diagnostics. */
KEER_NODISCARD enum keer_err policy_parse_text(struct slice text, struct arena *arena, struct diags *diags,
                                               struct policy_ast *out);
/* Parses one expression, with every node placed at `at`. NULL when it does not parse. */
struct ast *policy_parse_expression(struct slice text, struct span_at at, struct arena *arena, struct diags *diags);

/* For the grammar. */
struct ast *ast_new(struct parse *p, enum ast_kind kind, struct span_at at);
struct ast *ast_binary(struct parse *p, enum ast_op op, struct ast *a, struct ast *b);
struct ast_list *ast_list_add(struct parse *p, struct ast_list *list, struct ast *item);
struct span_at span_join(struct span_at a, struct span_at b);
struct slice text_unquote(struct parse *p, struct token t);

/* lexer.re: the next token of *cursor; kind 0 at the end, -1 for a byte that begins no token, -2 for an unterminated text.
 */
struct token policy_lex(struct slice source, size_t *cursor);
#endif
