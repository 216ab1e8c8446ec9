/* grammar.y - the grammar of a policy (lemon). Statements begin with a key word, so that nothing has to end them; after a syntax error
 * the parser goes on at the next statement. */
%name policy_grammar
%token_prefix TK_
%token_type {struct token}
%default_type {struct ast *}
%extra_argument {struct parse *p}
%include {
#include "core/policy/ast.h"
#include "core/policy/build.h"
}
%stack_size 400
%stack_overflow { parse_too_deep(p); }
%syntax_error { parse_syntax_error(p, yymajor, TOKEN); }
%start_symbol start

/* A comma before a name that is not called goes on with a window's keys; any other comma (parse.c tells them apart: ARGCOMMA) ends them. */
%nonassoc KEYS_END.
%left COMMA ARGCOMMA.
%left OR.
%left AND.
%right NOT.
%nonassoc EQ NE LT LE GT GE.
%nonassoc IN LIKE INCLUDES.
%left PLUS MINUS.
%left STAR SLASH.
%right NEGATE.

start ::= EXPRESSION expr(E).               { p->expression = E; }
start ::= POLICY statements.

statements ::= .
statements ::= statements statement.
statement ::= error.

statement ::= WINDOW IDENT(N) EQ expr(E).   { build_let(p, N, E, true); }
statement ::= LET IDENT(N) EQ expr(E).      { build_let(p, N, E, false); }
statement ::= ATTRIBUTE IDENT(N) IDENT(T).  { build_attribute(p, N, T); }
statement ::= ATTRIBUTE RADAR(N) IDENT(T).  { build_attribute(p, N, T); }
statement ::= CURRENCY(K) IDENT(C).         { build_setting(p, K, C); }
statement ::= RATES(K) TEXT(C).             { build_setting(p, K, C); }
statement ::= TIMEZONE(K) TEXT(C).          { build_setting(p, K, C); }
statement ::= LATENESS(K) DURATION(C).      { build_setting(p, K, C); }
statement ::= FEATURES features(L).         { build_features(p, L); }
%type features {struct ast_list *}
features(A) ::= feature(N).                 { A = ast_list_add(p, NULL, N); }
features(A) ::= features(L) COMMA feature(N). { A = ast_list_add(p, L, N); }
feature(A) ::= name(N).                     { A = N; }
feature(A) ::= name(N) RISING.              { A = N; if (A) A->number = 1; }
feature(A) ::= name(N) FALLING.             { A = N; if (A) A->number = -1; }
statement ::= LIST IDENT(N) EQ TEXT(F).     { build_list(p, N, &F, NULL); }
statement ::= LIST IDENT(N) EQ LP items(L) RP. { build_list(p, N, NULL, L); }
statement ::= MODEL IDENT(N) EQ TEXT(F) calibrated(C) fortypes(T). { build_model(p, N, F, C.kind != 0, T); }

statement ::= RULE IDENT(N) action(A) condition(E) because(B). { build_rule(p, &N, A, E, B); }
statement ::= action(A) condition(E) because(B).               { build_rule(p, NULL, A, E, B); }
condition(E) ::= IF expr(X).                { E = X; }
%type action {struct token}
action(A) ::= CHALLENGE(T).                 { A = T; }
action(A) ::= ALLOW(T).                     { A = T; }
action(A) ::= DENY(T).                      { A = T; }
action(A) ::= REVIEW(T).                    { A = T; }
%type because {struct token}
because(A) ::= .                            { A = (struct token){0}; }
because(A) ::= BECAUSE TEXT(T).             { A = T; }
%type calibrated {struct token}
calibrated(A) ::= .                         { A = (struct token){0}; }
calibrated(A) ::= CALIBRATED(T).            { A = T; }
%type fortypes {struct ast_list *}
fortypes(A) ::= .                           { A = NULL; }
fortypes(A) ::= FOR names(L).               { A = L; }

%type names {struct ast_list *}
names(A) ::= name(N).                       { A = ast_list_add(p, NULL, N); }
names(A) ::= names(L) COMMA name(N).        { A = ast_list_add(p, L, N); }
name(A) ::= IDENT(T).                       { A = build_name(p, T); }
name(A) ::= RADAR(T).                       { A = build_name(p, T); }

/* --- expressions --- */
expr(A) ::= expr(B) OR expr(C).             { A = ast_binary(p, OP_OR, B, C); }
expr(A) ::= expr(B) AND expr(C).            { A = ast_binary(p, OP_AND, B, C); }
expr(A) ::= NOT(T) expr(B).                 { A = build_unary(p, AST_NOT, T, B); }
expr(A) ::= expr(B) EQ expr(C).             { A = ast_binary(p, OP_EQ, B, C); }
expr(A) ::= expr(B) NE expr(C).             { A = ast_binary(p, OP_NE, B, C); }
expr(A) ::= expr(B) LT expr(C).             { A = ast_binary(p, OP_LT, B, C); }
expr(A) ::= expr(B) LE expr(C).             { A = ast_binary(p, OP_LE, B, C); }
expr(A) ::= expr(B) GT expr(C).             { A = ast_binary(p, OP_GT, B, C); }
expr(A) ::= expr(B) GE expr(C).             { A = ast_binary(p, OP_GE, B, C); }
expr(A) ::= expr(B) LIKE expr(C).           { A = ast_binary(p, OP_LIKE, B, C); }
expr(A) ::= expr(B) INCLUDES expr(C).       { A = ast_binary(p, OP_INCLUDES, B, C); }
expr(A) ::= expr(B) NOT LIKE expr(C). [LIKE]          { A = build_not(p, ast_binary(p, OP_LIKE, B, C)); }
expr(A) ::= expr(B) NOT INCLUDES expr(C). [INCLUDES]  { A = build_not(p, ast_binary(p, OP_INCLUDES, B, C)); }
expr(A) ::= expr(B) IN set(S).              { A = build_in(p, B, S, false); }
expr(A) ::= expr(B) NOT IN set(S).          { A = build_in(p, B, S, true); }
expr(A) ::= expr(B) PLUS expr(C).           { A = ast_binary(p, OP_ADD, B, C); }
expr(A) ::= expr(B) MINUS expr(C).          { A = ast_binary(p, OP_SUB, B, C); }
expr(A) ::= expr(B) STAR expr(C).           { A = ast_binary(p, OP_MUL, B, C); }
expr(A) ::= expr(B) SLASH expr(C).          { A = ast_binary(p, OP_DIV, B, C); }
expr(A) ::= MINUS(T) expr(B). [NEGATE]      { A = build_unary(p, AST_NEGATE, T, B); }
expr(A) ::= primary(B).                     { A = B; }

primary(A) ::= LP expr(B) RP.               { A = B; }
primary(A) ::= NUMBER(T).                   { A = build_number(p, T); }
primary(A) ::= NUMBER(T) IDENT(C).          { A = build_money(p, T, C); }
primary(A) ::= DURATION(T).                 { A = build_duration(p, T); }
primary(A) ::= TEXT(T).                     { A = build_text(p, T); }
primary(A) ::= TRUE(T).                     { A = build_bool(p, T, 1); }
primary(A) ::= FALSE(T).                    { A = build_bool(p, T, 0); }
primary(A) ::= name(N).                     { A = N; }
primary(A) ::= META(T).                     { A = build_name(p, T); }
primary(A) ::= call(W).                     { A = build_call(p, W); }
primary(A) ::= call(W) BY names(K) mods(M). { A = build_window(p, W, K, M); }

%type call {struct ast_window *}
call(A) ::= IDENT(N) LP args(L) of(T) where(E) RP(R).  { A = build_call_head(p, N, L, T, E, R); }
call(A) ::= IDENT(N) LP RP(R).                         { A = build_call_head(p, N, NULL, NULL, NULL, R); }
call(A) ::= SINCE(N) LP args(L) where(E) RP(R).        { A = build_call_head(p, N, L, NULL, E, R); }
call(A) ::= IF(N) LP args(L) RP(R).                    { A = build_call_head(p, N, L, NULL, NULL, R); }
%type args {struct ast_list *}
args(A) ::= expr(E).                        { A = ast_list_add(p, NULL, E); }
args(A) ::= args(L) COMMA expr(E).          { A = ast_list_add(p, L, E); }
args(A) ::= args(L) ARGCOMMA expr(E).       { A = ast_list_add(p, L, E); }
%type of {struct build_of *}
of(A) ::= .                                 { A = NULL; }
of(A) ::= OF names(L).                      { A = build_of(p, L, NULL); }
of(A) ::= OF names(L) IN IDENT(C).          { A = build_of(p, L, &C); }
where(A) ::= .                              { A = NULL; }
where(A) ::= WHERE expr(E).                 { A = E; }

%type mods {struct build_mods}
mods(A) ::= . [KEYS_END]                    { A = (struct build_mods){0}; }
mods(A) ::= mods(M) OVER DURATION(D).       { A = build_mod(p, M, TK_OVER, D); }
mods(A) ::= mods(M) DELAYED DURATION(D).    { A = build_mod(p, M, TK_DELAYED, D); }
mods(A) ::= mods(M) HALFLIFE DURATION(D).   { A = build_mod(p, M, TK_HALFLIFE, D); }
mods(A) ::= mods(M) INCLUDING(D).           { A = build_mod(p, M, TK_INCLUDING, D); }

%type set {struct ast_set *}
set(A) ::= LISTREF(T).                      { A = build_set(p, &T, NULL, T.at); }
set(A) ::= IDENT(T).                        { A = build_set(p, &T, NULL, T.at); }
set(A) ::= LP(T) items(L) RP(R).            { A = build_set(p, NULL, L, span_join(T.at, R.at)); }
%type items {struct ast_list *}
items(A) ::= item(E).                       { A = ast_list_add(p, NULL, E); }
items(A) ::= items(L) ARGCOMMA item(E).     { A = ast_list_add(p, L, E); }
item(A) ::= TEXT(T).                        { A = build_text(p, T); }
item(A) ::= NUMBER(T).                      { A = build_number(p, T); }
item(A) ::= MINUS NUMBER(T).                { A = build_number(p, T); if (A) A->number = -A->number; }
item(A) ::= NUMBER(T) IDENT(C).             { A = build_money(p, T, C); }
item(A) ::= MINUS NUMBER(T) IDENT(C).       { A = build_money(p, T, C); if (A) A->number = -A->number; }

/* --- examples --- */
statement ::= EXAMPLE TEXT(N) with(F) LB steps(S) RB. { build_example(p, N, F, S); }
%type with {struct example_field *}
with(A) ::= .                               { A = NULL; }
with(A) ::= WITH fields(F).                 { A = F; }
%type steps {struct example_step *}
steps(A) ::= .                              { A = NULL; }
steps(A) ::= steps(L) step(S).              { A = build_steps(p, L, S); }
%type step {struct example_step *}
step(A) ::= AT when(D) IDENT(T) stepfields(F) expect(X). { A = build_step(p, T, D, F, X); }
%type when {struct token}
when(A) ::= DURATION(D).                    { A = D; }
when(A) ::= NUMBER(D).                      { A = D; }
%type stepfields {struct example_field *}
stepfields(A) ::= .                         { A = NULL; }
stepfields(A) ::= COLON fields(F).          { A = F; }
%type fields {struct example_field *}
fields(A) ::= field(F).                     { A = F; }
fields(A) ::= fields(L) COMMA field(F).     { A = build_fields(p, L, F); }
%type field {struct example_field *}
field(A) ::= IDENT(N) EQ value(V).          { A = build_field(p, N, V); }
field(A) ::= RADAR(N) EQ value(V).          { A = build_field(p, N, V); }
value(A) ::= item(V).                       { A = V; }
value(A) ::= TRUE(T).                       { A = build_bool(p, T, 1); }
value(A) ::= FALSE(T).                      { A = build_bool(p, T, 0); }
value(A) ::= DURATION(T).                   { A = build_duration(p, T); }
%type expect {struct build_expect}
expect(A) ::= .                             { A = (struct build_expect){0}; }
expect(A) ::= EXPECT action(X).             { A = (struct build_expect){X, {0}}; }
expect(A) ::= EXPECT action(X) BY IDENT(R). { A = (struct build_expect){X, R}; }
