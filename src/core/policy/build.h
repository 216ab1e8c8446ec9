/* build.h - what the grammar's actions call: one function for each shape of node or statement. NULL and empty results after
 * a failed allocation are remembered in the parse and make policy_parse_text fail as a whole. */
#ifndef CORE_POLICY_BUILD_H
#define CORE_POLICY_BUILD_H
#include "core/policy/ast.h"

struct build_of {
    struct ast_list *types;
    struct token currency;
};
struct build_mods {
    int64_t over_us, delay_us, half_life_us;
    bool including;
    struct span_at at;
};
struct build_expect {
    struct token action, rule;
};

void parse_syntax_error(struct parse *p, int major, struct token t);
void parse_too_deep(struct parse *p);

struct ast *build_name(struct parse *p, struct token t);
struct ast *build_number(struct parse *p, struct token t);
struct ast *build_money(struct parse *p, struct token number, struct token currency);
struct ast *build_duration(struct parse *p, struct token t);
struct ast *build_text(struct parse *p, struct token t);
struct ast *build_bool(struct parse *p, struct token t, double value);
struct ast *build_unary(struct parse *p, enum ast_kind kind, struct token t, struct ast *a);
/* `a not like b`: the place is that of `a`. */
struct ast *build_not(struct parse *p, struct ast *a);
struct ast *build_in(struct parse *p, struct ast *a, struct ast_set *set, bool negated);
struct ast_set *build_set(struct parse *p, const struct token *name, struct ast_list *items, struct span_at at);
struct ast_window *build_call_head(struct parse *p, struct token name, struct ast_list *args, struct build_of *of,
                                   struct ast *where, struct token end);
struct build_of *build_of(struct parse *p, struct ast_list *types, const struct token *currency);
struct build_mods build_mod(struct parse *p, struct build_mods m, int token, struct token t);
struct ast *build_call(struct parse *p, struct ast_window *w);
struct ast *build_window(struct parse *p, struct ast_window *w, struct ast_list *keys, struct build_mods m);

void build_let(struct parse *p, struct token name, struct ast *value, bool window);
void build_attribute(struct parse *p, struct token name, struct token type);
void build_setting(struct parse *p, struct token keyword, struct token value);
void build_features(struct parse *p, struct ast_list *names);
void build_list(struct parse *p, struct token name, const struct token *path, struct ast_list *items);
void build_model(struct parse *p, struct token name, struct token path, bool calibrated, struct ast_list *types);
void build_rule(struct parse *p, const struct token *name, struct token action, struct ast *when, struct token because);
void build_example(struct parse *p, struct token name, struct example_field *fields, struct example_step *steps);
struct example_step *build_steps(struct parse *p, struct example_step *list, struct example_step *step);
struct example_step *build_step(struct parse *p, struct token type, struct token at, struct example_field *fields,
                                struct build_expect expect);
struct example_field *build_fields(struct parse *p, struct example_field *list, struct example_field *field);
struct example_field *build_field(struct parse *p, struct token name, struct ast *value);
#endif
