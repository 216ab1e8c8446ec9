/* json_judge_test.c - random JSON, good and broken, read by base/json and by jansson: they agree on what is JSON and on
 * every value of it. KEER_SEED chooses other documents.
 *
 * Where they differ on purpose, ours refuses what jansson takes:
 *   nesting       KEER_ELIMIT beyond the caller's limit; jansson's own is 2,048
 *   keys, values  KEER_ELIMIT beyond the caller's limits; jansson has none
 *   tiny numbers  KEER_ERANGE for an exponent of more than four digits, even if the number is zero, as num_f64 says; jansson
 *                 takes 0e99999 and 1e-99999 as 0
 *   long numbers  KEER_ERANGE for a number with an exponent, or of 300 digits, that has more than 511 characters
 *   NUL           KEER_ESYNTAX for a byte 0x00 wherever it stands; jansson loses one that follows a number or a word
 * A key that stands twice is refused by both, as JSON_REJECT_DUPLICATES is given; so are lone surrogates, \u0000, and bytes
 * that are no UTF-8.
 */
#include <jansson.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/num.h"
#include "base/rand.h"
#include "lib/test.h"

#define DEPTH 12
#define DOCUMENTS 30000

static const struct tape_limits limits = {.bytes = 100000, .values = 10000, .depth = DEPTH, .keys = 32};

/* --- documents ----------------------------------------------------------------------------------------------- */

static void put_space(struct rng *r, struct buf *b)
{
    while (rng_chance(r, 0.1))
        buf_char(b, " \t\r\n"[rng_below(r, 4)]);
}

static void put_string(struct rng *r, struct buf *b, unsigned letters)
{
    static const char *const parts[] = {"\\n",
                                        "\\\"",
                                        "\\\\",
                                        "\\/",
                                        "\\u0041",
                                        "\\u00e9",
                                        "\\u20AC",
                                        "\\ud7ff",
                                        "\\uffff",
                                        "\\ud83d\\ude00",
                                        "\xC3\xA9",
                                        "\xE2\x82\xAC",
                                        "\x7F",
                                        "\xED\x9F\xBF",
                                        "'",
                                        "{",
                                        "\xF0\x9F\x98\x80"};
    static const char *const wrong[] = {"\\ud800",  "\\udc00",      "\\u0000", "\\x",  "\xFF",
                                        "\xC0\x80", "\xED\xA0\x80", "\t",      "\\u12"};
    buf_char(b, '"');
    for (uint64_t n = rng_below(r, 20); n > 0; n--) {
        if (rng_chance(r, 0.9))
            buf_char(b, (char)('a' + rng_below(r, letters)));
        else if (rng_chance(r, 0.995))
            buf_puts(b, parts[rng_below(r, ARRAY_LEN(parts))]);
        else
            buf_puts(b, wrong[rng_below(r, ARRAY_LEN(wrong))]);
    }
    buf_char(b, '"');
}

static void put_number(struct rng *r, struct buf *b)
{
    static const char *const odd[] = {"-0",
                                      "0.0",
                                      "9223372036854775807",
                                      "9223372036854775808",
                                      "-9223372036854775808",
                                      "-9223372036854775809",
                                      "1e308",
                                      "1.7976931348623159e308",
                                      "1e-320",
                                      "0e99999",
                                      "1e-99999",
                                      "1e99999",
                                      "00",
                                      "1.",
                                      "NaN",
                                      "Infinity",
                                      "-Infinity",
                                      "123456789.123456789123456789e-5"};
    if (rng_chance(r, 0.02)) {
        buf_puts(b, odd[rng_below(r, ARRAY_LEN(odd))]);
        return;
    }
    if (rng_chance(r, 0.3))
        buf_char(b, '-');
    buf_u64(b, rng_u64(r) >> (1 + rng_below(r, 63)));
    if (rng_chance(r, 0.4))
        buf_fmt(b, ".%0*llu", (int)rng_below(r, 12), (unsigned long long)rng_below(r, 1000000));
    if (rng_chance(r, 0.2))
        buf_fmt(b, "%c%s%u", "eE"[rng_below(r, 2)],
                rng_chance(r, 0.5)   ? "-"
                : rng_chance(r, 0.5) ? "+"
                                     : "",
                (unsigned)rng_below(r, 330));
}

static void put_value(struct rng *r, struct buf *b, unsigned depth)
{
    uint64_t kind = rng_below(r, depth > 0 ? 8 : 5), n = rng_below(r, 6);
    bool object = kind < 7;
    put_space(r, b);
    if (kind <= 1) {
        put_string(r, b, 26);
    } else if (kind <= 3) {
        put_number(r, b);
    } else if (kind == 4) {
        buf_puts(b, n < 2 ? "true" : n < 4 ? "false" : "null");
    } else {
        buf_char(b, object ? '{' : '[');
        for (uint64_t i = 0; i < n; i++) {
            if (i)
                buf_char(b, ',');
            put_space(r, b);
            if (object) {
                put_string(r, b, 8); /* now and then the same twice */
                put_space(r, b);
                buf_char(b, ':');
            }
            put_value(r, b, depth - 1);
        }
        put_space(r, b);
        buf_char(b, object ? '}' : ']');
    }
    put_space(r, b);
}

/* A byte changed, dropped, put in or repeated, or the end cut off. */
static void mutate(struct rng *r, struct buf *b)
{
    static const char bytes[] = "{}[],:\"\\0123456789-+.eEtfnuNI \n\t\0\x80\xC3\xFF";
    if (b->len == 0)
        return;
    size_t at = (size_t)rng_below(r, b->len), left = b->len - at - 1;
    char c = bytes[rng_below(r, sizeof bytes - 1)];
    switch (rng_below(r, 5)) {
    case 0: b->p[at] = c; break;
    case 1:
        memmove(b->p + at, b->p + at + 1, left);
        b->len--;
        break;
    case 2:
        ck_assert(buf_reserve(b, 1) != NULL);
        memmove(b->p + at + 1, b->p + at, left + 1);
        b->p[at] = c;
        b->len++;
        break;
    case 3: b->p[at] = b->p[rng_below(r, b->len)]; break;
    default: b->len = at; break;
    }
}

/* --- comparison ---------------------------------------------------------------------------------------------- */

struct pair {
    const struct tape *t;
    uint64_t values;
};

static void same(struct pair *p, uint32_t i, const json_t *j);

static void same_object(struct pair *p, uint32_t i, const json_t *j)
{
    const struct tape *t = p->t;
    ck_assert_uint_eq(t->v[i].len, json_object_size(j));
    for (uint32_t k = i + 1; k < t->v[i].next; k = t->v[k + 1].next) {
        struct slice key = tape_text(t, k);
        const json_t *v = json_object_getn(j, key.p, key.len);
        ck_assert_msg(v != NULL, "jansson has no key '%.*s'", SLICE_ARG(key));
        ck_assert_uint_eq(tape_member(t, i, key), k + 1);
        same(p, k + 1, v);
    }
}

static void same_array(struct pair *p, uint32_t i, const json_t *j)
{
    uint32_t v = i + 1;
    ck_assert_uint_eq(p->t->v[i].len, json_array_size(j));
    for (size_t n = 0; n < json_array_size(j); n++, v = p->t->v[v].next)
        same(p, v, json_array_get(j, n));
    ck_assert_uint_eq(v, p->t->v[i].next);
}

static void same(struct pair *p, uint32_t i, const json_t *j)
{
    static const json_type types[TAPE_TYPE_MAX] = {
        [TAPE_OBJECT] = JSON_OBJECT,   [TAPE_ARRAY] = JSON_ARRAY, [TAPE_STRING] = JSON_STRING,
        [TAPE_INTEGER] = JSON_INTEGER, [TAPE_REAL] = JSON_REAL,   [TAPE_NAN] = JSON_NULL,
        [TAPE_TRUE] = JSON_TRUE,       [TAPE_FALSE] = JSON_FALSE, [TAPE_NULL] = JSON_NULL};
    int64_t integer = 0;
    double real = 0;
    p->values++;
    ck_assert_int_eq(types[tape_type(p->t, i)], json_typeof(j));
    switch (tape_type(p->t, i)) {
    case TAPE_OBJECT: same_object(p, i, j); break;
    case TAPE_ARRAY: same_array(p, i, j); break;
    case TAPE_STRING: ck_slice_eq(tape_text(p->t, i), slice_of(json_string_value(j), json_string_length(j))); break;
    case TAPE_INTEGER:
        ck_ok(num_i64(tape_text(p->t, i), INT64_MIN, INT64_MAX, &integer));
        ck_assert_int_eq(integer, json_integer_value(j));
        break;
    case TAPE_REAL:
        ck_ok(num_f64(tape_text(p->t, i), &real));
        ck_assert_msg(real == json_real_value(j), "%.17g, jansson %.17g", real, json_real_value(j));
        break;
    case TAPE_NAN:
    case TAPE_TYPE_MAX: ck_abort_msg("no such value here");
    case TAPE_TRUE:
    case TAPE_FALSE:
    case TAPE_NULL: break;
    }
}

/* Deepest nesting of a text that jansson takes. */
static unsigned depth_of(const json_t *j)
{
    unsigned deepest = 0;
    const char *key;
    size_t n;
    json_t *v;
    if (json_is_object(j)) {
        json_object_foreach((json_t *)(uintptr_t)j, key, v) deepest = MAX_OF(deepest, depth_of(v));
    } else if (json_is_array(j)) {
        json_array_foreach(j, n, v) deepest = MAX_OF(deepest, depth_of(v));
    } else {
        return 0;
    }
    return deepest + 1;
}

/* True when what ours refuses and jansson takes is one of the differences above. */
static bool on_purpose(struct slice text, const struct tape_error *e, const json_t *j)
{
    size_t digits = 0, at = e->at;
    if (e->code == KEER_ELIMIT)
        return depth_of(j) > DEPTH;
    if (e->code == KEER_ESYNTAX)
        return at < text.len && text.p[at] == '\0';
    if (e->code != KEER_ERANGE)
        return false;
    while (at < text.len && text.p[at] != 'e' && text.p[at] != 'E')
        at++;
    for (at++; at < text.len && (ascii_digit(text.p[at]) || text.p[at] == '-' || text.p[at] == '+'); at++)
        digits += ascii_digit(text.p[at]);
    return digits > 4; /* a tiny number; no document here holds a long one */
}

/* Reads one text both ways. */
static void judge(struct tape *t, struct slice text, uint64_t seed, struct pair *p, uint64_t *ret_good)
{
    struct tape_error e = {0};
    json_error_t error;
    char *copy = malloc(text.len ? text.len : 1); /* of its own, so that ASan sees a read past the end */
    ck_assert(copy != NULL);
    memcpy(copy, text.p, text.len);
    enum keer_err err = tape_read(t, slice_of(copy, text.len), &limits, &e);
    json_t *j = json_loadb(copy, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (err == KEER_OK && !j)
        ck_abort_msg("seed %llu: jansson refuses '%.*s': %s", (unsigned long long)seed, SLICE_ARG(text), error.text);
    if (err != KEER_OK && j && !on_purpose(text, &e, j))
        ck_abort_msg("seed %llu: jansson takes '%.*s': %s at %zu", (unsigned long long)seed, SLICE_ARG(text), e.text, e.at);
    if (err == KEER_OK)
        same(p, 0, j);
    *ret_good += err == KEER_OK;
    json_decref(j);
    free(copy);
}

START_TEST(random_documents_agree_with_jansson)
{
    uint64_t seed = 20181024, good = 0, broken = 0;
    const char *given = getenv("KEER_SEED");
    struct tape t = {0};
    struct pair p = {.t = &t};
    struct rng r;
    struct buf b;
    if (given)
        ck_ok(num_u64(slice_str(given), 0, UINT64_MAX, &seed));
    buf_init(&b, 1000000);
    for (uint64_t i = 0; i < DOCUMENTS; i++) {
        rng_seed(&r, seed + i);
        buf_clear(&b);
        put_value(&r, &b, (unsigned)rng_below(&r, DEPTH + 3));
        judge(&t, buf_view(&b), seed + i, &p, &good);
        for (int m = 0; m < 3; m++) {
            mutate(&r, &b);
            judge(&t, buf_view(&b), seed + i, &p, &broken);
        }
    }
    printf("# random JSON: seed %llu, %d documents, %llu good, %llu still good with a byte changed; %llu values\n",
           (unsigned long long)seed, DOCUMENTS, (unsigned long long)good, (unsigned long long)broken,
           (unsigned long long)p.values);
    ck_assert(good > DOCUMENTS / 2 && good < DOCUMENTS && broken > DOCUMENTS / 4 && broken < 2 * DOCUMENTS);
    buf_release(&b);
    tape_release(&t);
}
END_TEST

/* The differences are there: each text is one that jansson takes and ours refuses. */
START_TEST(differences_are_as_listed)
{
    static const struct {
        struct slice text;
        enum keer_err code;
    } cases[] = {
        {SLICE("[[[[[[[[[[[[[]]]]]]]]]]]]]"), KEER_ELIMIT},
        {SLICE("0e99999"), KEER_ERANGE},
        {SLICE("1e-99999"), KEER_ERANGE},
        {SLICE("[1\0]"), KEER_ESYNTAX},
        {SLICE("true\0"), KEER_ESYNTAX},
    };
    struct tape t = {0};
    struct tape_error e;
    struct buf b;
    json_error_t error;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        json_t *j = json_loadb(cases[i].text.p, cases[i].text.len, JSON_DECODE_ANY, &error);
        ck_assert(j != NULL);
        ck_err(tape_read(&t, cases[i].text, &limits, &e), cases[i].code);
        ck_assert(on_purpose(cases[i].text, &e, j));
        json_decref(j);
    }
    buf_init(&b, 10000);
    for (unsigned i = 0; i <= limits.keys; i++)
        buf_fmt(&b, "%c\"%u\":%u", i ? ',' : '{', i, i);
    buf_char(&b, '}');
    json_t *j = json_loadb(b.p, b.len, 0, &error);
    ck_assert(j != NULL);
    json_decref(j);
    ck_err(tape_read(&t, buf_view(&b), &limits, &e), KEER_ELIMIT);
    buf_clear(&b);
    buf_puts(&b, "0.");
    for (int i = 0; i < 600; i++)
        buf_char(&b, '1');
    j = json_loadb(b.p, b.len, JSON_DECODE_ANY, &error);
    ck_assert(j != NULL);
    json_decref(j);
    ck_err(tape_read(&t, buf_view(&b), &limits, &e), KEER_ERANGE);
    buf_release(&b);
    tape_release(&t);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("json_judge");
    TCase *t = tcase_create("json_judge");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, random_documents_agree_with_jansson);
    tcase_add_test(t, differences_are_as_listed);
    suite_add_tcase(s, t);
    return test_main(s);
}
