/* cursor_fuzz.c - what a search is given and what it reads: cursors, and the terms by which a row is found.
 *
 * The first byte says as what the rest is taken:
 *
 *     C  lines: two queries of four texts each (account, outcome, rule, type; `-` and nothing else is "any"), then a text as
 * a cursor. A cursor of one query is taken by another one exactly when they ask for the same. T  a body, a line feed, a
 * decision: a row of the journal, read twice, as the same terms
 */
#include "flow/search.h"
#include "flow/terms.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct crypto_hash secret = {{'f', 'u', 'z', 'z'}};

static struct slice text(struct slice *rest)
{
    struct slice line = slice_cut(rest, '\n');
    if (!line.p || slice_eq(line, SLICE("-")))
        return slice_of(NULL, 0);
    return line;
}

static struct search_query query(struct slice *rest)
{
    struct search_query q = {.from_us = INT64_MIN, .to_us = INT64_MAX, .limit = 1};
    q.account = text(rest);
    q.outcome = text(rest);
    q.rule = text(rest);
    q.type = text(rest);
    return q;
}

static bool same(struct slice a, struct slice b) { return !a.p == !b.p && slice_eq(a, b); }

static void cursors(struct slice rest)
{
    struct search_query one = query(&rest), other = query(&rest);
    char printed[CURSOR_TEXT_BYTES];
    int64_t seq = (int64_t)(rest.len * 0x9E3779B97F4A7C15u), got = -1;
    bool equal = same(one.account, other.account) && same(one.outcome, other.outcome) && same(one.rule, other.rule) &&
                 same(one.type, other.type);
    cursor_print(&secret, &one, seq, printed);
    ASSERT(cursor_parse(&secret, &one, slice_str(printed), &got) == KEER_OK && got == seq);
    got = -1;
    enum keer_err err = cursor_parse(&secret, &other, slice_str(printed), &got);
    ASSERT(err == (equal ? KEER_OK : KEER_EINVALID) && got == (equal ? seq : -1));
    other = one;
    other.to_us = seq; /* seq is no end of time but by an accident of 64 bits, which lengths do not have */
    ASSERT(cursor_parse(&secret, &other, slice_str(printed), &got) == KEER_EINVALID);
    /* Nobody makes one up without the secret: what is taken is what is printed, to the letter. */
    if (rest.p && cursor_parse(&secret, &one, rest, &seq) == KEER_OK) {
        cursor_print(&secret, &one, seq, printed);
        ASSERT(slice_eq(rest, slice_str(printed)));
    }
}

static unsigned sum(struct slice s)
{
    unsigned n = 0;
    for (size_t i = 0; i < s.len; i++)
        n = n * 31 + (unsigned char)s.p[i];
    return n;
}

static unsigned digest(const struct terms_row *row)
{
    unsigned n = sum(row->account) + 3 * sum(row->outcome) + 5 * sum(row->type) + row->rules;
    ASSERT(row->rules <= KEER_FIRED_MAX);
    for (unsigned i = 0; i < row->rules; i++)
        n = n * 7 + sum(row->rule[i]);
    return n;
}

static void rows(struct slice rest)
{
    static struct terms *reader;
    struct terms_row row;
    struct slice body = slice_cut(&rest, '\n');
    if (!reader)
        ASSERT(terms_new(&reader) == KEER_OK);
    ASSERT(terms_read(reader, body, rest.p ? rest : slice_of("", 0), &row) == KEER_OK);
    unsigned first = digest(&row);
    ASSERT(terms_read(reader, body, rest.p ? rest : slice_of("", 0), &row) == KEER_OK);
    ASSERT(digest(&row) == first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool started;
    struct slice rest = slice_of((const char *)data + 1, size ? size - 1 : 0);
    if (!started)
        ASSERT(crypto_start() == KEER_OK);
    started = true;
    switch (size ? data[0] : 0) {
    case 'C': cursors(rest); break;
    case 'T': rows(rest); break;
    default: break;
    }
    return 0;
}
