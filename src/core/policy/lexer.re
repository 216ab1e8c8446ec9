/* lexer.re - the tokens of a policy (re2c). Key words do not mind case; texts are in single or double quotes, the quote doubled or
 * after a backslash inside; '#' and '//' begin a comment that ends with the line. */
#include "core/policy/ast.h"
#include "policy_grammar.h"

/* Beyond the end of the slice the lexer reads NUL, which begins no token. */
static inline unsigned char peek_at(struct slice s, size_t i) { return i < s.len ? (unsigned char)s.p[i] : 0; }

struct token policy_lex(struct slice source, size_t *cursor)
{
    size_t at = *cursor, marker = 0, from = 0;
    int kind = 0;
#define YYPEEK() peek_at(source, at)
#define YYSKIP() (++at)
#define YYBACKUP() (marker = at)
#define YYRESTORE() (at = marker)
again:
    from = at;
    /*!re2c
    re2c:define:YYCTYPE = "unsigned char";
    re2c:yyfill:enable = 0;
    re2c:flags:input = custom;

    ws = [ \t\r\n];
    gap = [ \t\r\n]+;
    digit = [0-9];
    id = [A-Za-z_] [A-Za-z0-9_]* ("." [A-Za-z_] [A-Za-z0-9_]*)*;
    number = digit+ ("." digit+)? ([eE] [-+]? digit+)?;
    unit = 'ms' | 'us' | 's' | 'm' | 'h' | 'd' | 'w';

    ws+                      { goto again; }
    ("#" | "//") [^\n\x00]*  { goto again; }
    "\x00"                   { if (from >= source.len) { at = from; kind = 0; } else kind = -1; goto done; }

    'window'        { kind = TK_WINDOW; goto done; }
    'let'           { kind = TK_LET; goto done; }
    'rule'          { kind = TK_RULE; goto done; }
    'list'          { kind = TK_LIST; goto done; }
    'model'         { kind = TK_MODEL; goto done; }
    'attribute'     { kind = TK_ATTRIBUTE; goto done; }
    'currency'      { kind = TK_CURRENCY; goto done; }
    'rates'         { kind = TK_RATES; goto done; }
    'timezone'      { kind = TK_TIMEZONE; goto done; }
    'lateness'      { kind = TK_LATENESS; goto done; }
    'features'      { kind = TK_FEATURES; goto done; }
    'rising'        { kind = TK_RISING; goto done; }
    'falling'       { kind = TK_FALLING; goto done; }
    'example'       { kind = TK_EXAMPLE; goto done; }
    'expect'        { kind = TK_EXPECT; goto done; }
    'calibrated'    { kind = TK_CALIBRATED; goto done; }
    'because'       { kind = TK_BECAUSE; goto done; }
    'if'            { kind = TK_IF; goto done; }
    'and' | "&&"    { kind = TK_AND; goto done; }
    'or' | "||"     { kind = TK_OR; goto done; }
    'not'           { kind = TK_NOT; goto done; }
    "!"             { kind = TK_NOT; goto done; }
    'in'            { kind = TK_IN; goto done; }
    'like'          { kind = TK_LIKE; goto done; }
    'includes'      { kind = TK_INCLUDES; goto done; }
    'of'            { kind = TK_OF; goto done; }
    'by'            { kind = TK_BY; goto done; }
    'over'          { kind = TK_OVER; goto done; }
    'delayed'       { kind = TK_DELAYED; goto done; }
    'where'         { kind = TK_WHERE; goto done; }
    'with'          { kind = TK_WITH; goto done; }
    'for'           { kind = TK_FOR; goto done; }
    'at'            { kind = TK_AT; goto done; }
    'true'          { kind = TK_TRUE; goto done; }
    'false'         { kind = TK_FALSE; goto done; }
    'time' gap 'since'        { kind = TK_SINCE; goto done; }
    'including' gap 'this'    { kind = TK_INCLUDING; goto done; }
    'half' gap 'life'         { kind = TK_HALFLIFE; goto done; }
    'allow'                   { kind = TK_ALLOW; goto done; }
    'deny' | 'block'          { kind = TK_DENY; goto done; }
    'review'                  { kind = TK_REVIEW; goto done; }
    'challenge'               { kind = TK_CHALLENGE; goto done; }
    'request' gap ('3d' gap 'secure' | '3ds') { kind = TK_CHALLENGE; goto done; }

    id                        { kind = TK_IDENT; goto done; }
    ":" id ":"                { kind = TK_RADAR; goto done; }
    "::" [^:\n\x00]+ (":" [^:\n\x00]+)? "::" { kind = TK_META; goto done; }
    "@" id                    { kind = TK_LISTREF; goto done; }
    number                    { kind = TK_NUMBER; goto done; }
    (digit+ unit)+            { kind = TK_DURATION; goto done; }
    number [A-Za-z_]+         { kind = -3; goto done; }
    ['] ([^'\\\n\x00] | "\\" [^\n\x00] | "''")* [']     { kind = TK_TEXT; goto done; }
    ["] ([^"\\\n\x00] | "\\" [^\n\x00] | "\"\"")* ["]   { kind = TK_TEXT; goto done; }
    ['"]                      { kind = -2; goto done; }
    "==" | "="                { kind = TK_EQ; goto done; }
    "!=" | "<>"               { kind = TK_NE; goto done; }
    "<="                      { kind = TK_LE; goto done; }
    ">="                      { kind = TK_GE; goto done; }
    "<"                       { kind = TK_LT; goto done; }
    ">"                       { kind = TK_GT; goto done; }
    "+"                       { kind = TK_PLUS; goto done; }
    "-"                       { kind = TK_MINUS; goto done; }
    "*"                       { kind = TK_STAR; goto done; }
    "/"                       { kind = TK_SLASH; goto done; }
    "("                       { kind = TK_LP; goto done; }
    ")"                       { kind = TK_RP; goto done; }
    "{"                       { kind = TK_LB; goto done; }
    "}"                       { kind = TK_RB; goto done; }
    ","                       { kind = TK_COMMA; goto done; }
    ":"                       { kind = TK_COLON; goto done; }
    ";"                       { goto again; }
    [\x80-\xff]+              { kind = -1; goto done; }
    *                         { kind = -1; goto done; }
    */
done:
    *cursor = at;
    return (struct token){kind, slice_of(source.p + from, at - from), {(uint32_t)from, (uint32_t)(at - from)}};
}
