/* parse.c - drives lexer and grammar, and words the syntax errors. */
#include "core/policy/build.h"
#include "policy_grammar.h"

void *policy_grammarAlloc(void *(*allocate)(size_t));
void policy_grammarFree(void *parser, void (*release)(void *));
void policy_grammar(void *parser, int kind, struct token token, struct parse *p);

void policy_ast_init(struct policy_ast *ast)
{
    *ast = (struct policy_ast){0};
    ast->rules_end = &ast->rules;
    ast->lets_end = &ast->lets;
    ast->lists_end = &ast->lists;
    ast->models_end = &ast->models;
    ast->attributes_end = &ast->attributes;
    ast->settings_end = &ast->settings;
    ast->examples_end = &ast->examples;
}

static bool begins_statement(int kind)
{
    switch (kind) {
    case TK_WINDOW:
    case TK_LET:
    case TK_RULE:
    case TK_LIST:
    case TK_MODEL:
    case TK_ATTRIBUTE:
    case TK_CURRENCY:
    case TK_RATES:
    case TK_TIMEZONE:
    case TK_LATENESS:
    case TK_FEATURES:
    case TK_EXAMPLE:
    case TK_ALLOW:
    case TK_DENY:
    case TK_REVIEW:
    case TK_CHALLENGE: return true;
    default: return false;
    }
}

static const char statement_words[] = "a statement begins with window, let, rule, list, model, attribute, currency, rates, "
                                      "timezone, lateness, features, example, "
                                      "or an action: challenge, allow, deny, review";

/* A hint by the token before: what it wanted after it. NULL when it wants nothing in particular. */
static const char *hint_after(int last, int major)
{
    switch (last) {
    case TK_LET:
    case TK_WINDOW:
    case TK_LIST:
    case TK_MODEL:
    case TK_ATTRIBUTE: return "a name follows here: letters, digits and _, and no key word";
    case TK_RULE: return "a name follows `rule`: rule NAME deny if ...; without a name leave out the word `rule`";
    case TK_CHALLENGE:
    case TK_ALLOW:
    case TK_DENY:
    case TK_REVIEW: return "the condition begins with `if`: deny if amount > 30 EUR";
    case TK_OVER:
    case TK_DELAYED:
    case TK_HALFLIFE:
    case TK_LATENESS: return "a duration follows, without a space in it: 90s, 10m, 24h, 30d";
    case TK_BY: return "`by` is followed by attributes of the event";
    case TK_COMMA:
        return "a comma and a name after `by` go on with the keys: put the window in parentheses when it has no `over`";
    case TK_EXAMPLE: return "the name of an example stands in quotes: example \"a new phone\" { ... }";
    case TK_LB: return "a step begins with its time: at 10m purchase: amount = 5 EUR expect allow";
    case TK_EXPECT: return "expect allow, expect challenge, expect deny or expect review; `by RULE` may follow";
    case TK_AT: return "a time since the beginning follows: at 0, at 90s, at 1d2h";
    case TK_RATES: return "the file's name follows in quotes: rates \"rates.txt\"";
    case TK_TIMEZONE: return "an offset from UTC follows in quotes: timezone \"+08:00\"";
    case TK_CURRENCY: return "an ISO 4217 code follows: currency EUR";
    case TK_BECAUSE: return "a reason follows in quotes";
    case TK_AND:
    case TK_OR:
    case TK_NOT:
    case TK_IF:
    case TK_WHERE:
    case TK_EQ:
    case TK_NE:
    case TK_LT:
    case TK_LE:
    case TK_GT:
    case TK_GE:
    case TK_PLUS:
    case TK_MINUS:
    case TK_STAR:
    case TK_SLASH: return "a value or a name is missing before it";
    default: return major >= TK_EQ && major <= TK_GE ? "comparisons do not chain: write a < b and b < c" : NULL;
    }
}

/* A hint by what stands there. */
static const char *hint_at(int major, struct slice text)
{
    switch (major) {
    case TK_IDENT:
        return "two names or values stand side by side: an operator (=, <, and, or, in, ...) or a comma is missing";
    case TK_RP: return "something is missing before it, or there is one ')' too many";
    case TK_BY: return "a window is written count(purchase) by account over 24h";
    case TK_OVER: return "`over` follows the keys: count(purchase) by account over 24h";
    default: break;
    }
    bool word = text.len && (text.p[0] == '_' || (ascii_lower(text.p[0]) >= 'a' && ascii_lower(text.p[0]) <= 'z'));
    return word ? "it is a key word: choose another name, or write an attribute of that name as :name:" : "";
}

/* 'rul a deny' */
static void not_a_statement(struct parse *p, struct span_at at, struct slice text)
{
    static const char *const words[] = {"window",    "let",   "rule",     "list",     "model",    "attribute",
                                        "currency",  "rates", "timezone", "lateness", "features", "example",
                                        "challenge", "allow", "deny",     "review",   "block"};
    char hint[60];
    unsigned best = 3;
    const char *found = NULL;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        unsigned d = slice_distance(text, slice_str(words[i]), 2);
        if (d < best) {
            best = d;
            found = words[i];
        }
    }
    (void)snprintf(hint, sizeof hint, "did you mean '%s'?", found ? found : "");
    diag_add(p->diags, DIAG_ERROR, at, found ? hint : statement_words, "'%.*s' does not begin a statement", SHOWN(text));
}

void parse_syntax_error(struct parse *p, int major, struct token t)
{
    struct span_at at = p->fixed_at ? p->at : t.at;
    if (major < 0)
        return; /* the lexer has said it */
    if (major == 0) {
        diag_add(p->diags, DIAG_ERROR, p->fixed_at ? at : p->last.at,
                 "the last statement is not complete: an operand, a ')' or a '}' is missing after this",
                 "the policy ends in the middle of a statement");
        return;
    }
    const char *after = hint_after(p->last.kind, major);
    if (begins_statement(major) && !after) {
        diag_add(
            p->diags, DIAG_ERROR, at,
            "the statement before it is not complete, or this word is a key word: write an attribute of that name as :name:",
            "expected more of the statement before '%.*s'", SHOWN(t.text));
        return;
    }
    bool first = !p->fixed_at; /* the place is not one in `source` then */
    for (size_t i = t.at.from; i > 0 && first; i--) {
        char c = p->source.p[i - 1];
        if (c == '\n')
            break;
        first = ascii_space(c);
    }
    if (first && (major == TK_IDENT || major == TK_TEXT) && !after) {
        not_a_statement(p, at, t.text);
        return;
    }
    diag_add(p->diags, DIAG_ERROR, at, after ? after : hint_at(major, t.text), "unexpected '%.*s'", SHOWN(t.text));
}

void parse_too_deep(struct parse *p)
{
    diag_add(p->diags, DIAG_ERROR, p->at, "name its parts with `let`", "the expression is nested too deeply");
    p->stop = true; /* the parser has lost its place: what it would say of the rest is noise */
}

/* `by account, device` goes on with keys; `by account, 0)` and `by account, count(...)` with the next argument. */
static int comma_kind(const struct parse *p, size_t cursor)
{
    struct token next = policy_lex(p->source, &cursor);
    if (next.kind != TK_IDENT && next.kind != TK_RADAR)
        return TK_ARGCOMMA;
    return policy_lex(p->source, &cursor).kind == TK_LP ? TK_ARGCOMMA : TK_COMMA;
}

/* Says what is wrong, and gives the token that was probably meant, so that one mistake is one message; kind -1 when there is
 * none. */
static struct token lexical_error(struct parse *p, struct token t, size_t *cursor)
{
    if (t.kind == -2)
        diag_add(p->diags, DIAG_ERROR, t.at,
                 "texts end on the line they begin; a quote inside is doubled or after a backslash",
                 "the text that begins here does not end");
    if (t.kind == -2) {
        while (*cursor < p->source.len && p->source.p[*cursor] != '\n')
            ++*cursor;
        return (struct token){TK_TEXT, SLICE("''"), t.at};
    }
    if (t.kind == -3)
        diag_add(p->diags, DIAG_ERROR, t.at, "durations end in ms, s, m, h, d or w; a currency stands after a space: 30 EUR",
                 "'%.*s' is neither a number nor a duration", SHOWN(t.text));
    else if (t.text.len > 2 && memcmp(t.text.p, "\xE2\x80", 2) == 0) { /* up to the quote that ends it */
        diag_add(p->diags, DIAG_ERROR, t.at, "texts stand in plain quotes, ' or \"", "a typographic quote");
        struct slice line = slice_of(p->source.p + *cursor, p->source.len - *cursor);
        size_t i = 0;
        while (i < line.len && line.p[i] != '\n' && (unsigned char)line.p[i] < 0x80)
            i++;
        while (i < line.len && (unsigned char)line.p[i] >= 0x80)
            i++;
        *cursor += i;
        return (struct token){TK_TEXT, SLICE("''"), t.at};
    } else if (t.text.len > 1)
        diag_add(p->diags, DIAG_ERROR, t.at,
                 "outside of texts and comments a policy is plain ASCII, with >=, <= and != for comparisons",
                 "'%.*s' has no meaning here", SHOWN(t.text));
    else if (t.text.len && t.text.p[0] > ' ' && t.text.p[0] < 127)
        diag_add(p->diags, DIAG_ERROR, t.at, "", "the character '%c' has no meaning here", t.text.p[0]);
    else
        diag_add(p->diags, DIAG_ERROR, t.at, "outside of texts and comments a policy is plain ASCII",
                 "a byte 0x%02x has no meaning here", t.text.len ? (unsigned char)t.text.p[0] : 0);
    bool length = p->last.kind == TK_OVER || p->last.kind == TK_DELAYED || p->last.kind == TK_HALFLIFE ||
                  p->last.kind == TK_LATENESS || p->last.kind == TK_AT;
    if (t.kind == -3)
        return length ? (struct token){TK_DURATION, SLICE("1s"), t.at} : (struct token){TK_NUMBER, SLICE("0"), t.at};
    return t;
}

static enum keer_err parse_run(struct parse *p, int start)
{
    void *parser = policy_grammarAlloc(malloc);
    if (!parser)
        return KEER_ENOMEM;
    size_t cursor = p->source.len >= 3 && memcmp(p->source.p, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0; /* a byte order mark */
    unsigned tokens = 0;
    policy_grammar(parser, start, (struct token){.kind = start}, p);
    for (;;) {
        struct token t = policy_lex(p->source, &cursor);
        p->at = p->fixed_at ? p->at : t.at;
        if (t.kind < 0)
            t = lexical_error(p, t, &cursor);
        if (t.kind < 0)
            continue;
        if (t.kind == TK_COMMA)
            t.kind = comma_kind(p, cursor);
        if (p->fixed_at)
            t.at = p->at;
        policy_grammar(parser, t.kind, t, p);
        p->last = t;
        if (t.kind == 0 || p->failed_alloc || p->stop || ++tokens > LIMIT_POLICY_BYTES ||
            (!p->fixed_at && p->diags->dropped > LIMIT_POLICY_ERRORS))
            break;
    }
    policy_grammarFree(parser, free);
    return p->failed_alloc || p->diags->failed_alloc ? KEER_ENOMEM : KEER_OK;
}

enum keer_err policy_parse_text(struct slice text, struct arena *arena, struct diags *diags, struct policy_ast *out)
{
    struct parse p = {.arena = arena, .diags = diags, .out = out, .source = text};
    return parse_run(&p, TK_POLICY);
}

struct ast *policy_parse_expression(struct slice text, struct span_at at, struct arena *arena, struct diags *diags)
{
    struct policy_ast none;
    policy_ast_init(&none);
    struct parse p = {.arena = arena, .diags = diags, .out = &none, .source = text, .fixed_at = true, .at = at};
    return parse_run(&p, TK_EXPRESSION) == KEER_OK ? p.expression : NULL;
}
