/* json_test.c - the reader of JSON: what it takes, what it refuses and where, its limits, and its memory. */
#include "base/json.h"

#include "base/buf.h"
#include "base/num.h"
#include "lib/test.h"

static const struct tape_limits strict = {.bytes = 100000, .values = 10000, .depth = 4, .keys = 8};
static const struct tape_limits model = {.bytes = 100000, .values = 10000, .depth = 4, .keys = 8, .nan = true, .wide = true};

/* Reads a copy of the text that ends where its memory does, so that ASan sees a read past the end. The copy is the caller's.
 */
static char *read_copy(struct tape *t, struct slice text, const struct tape_limits *limits, enum keer_err *ret_err,
                       struct tape_error *ret_error)
{
    char *copy = malloc(text.len ? text.len : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, text.p, text.len);
    *ret_error = (struct tape_error){0};
    *ret_err = tape_read(t, slice_of(copy, text.len), limits, ret_error);
    ck_assert(*ret_err == ret_error->code);
    ck_assert_uint_le(ret_error->at, text.len);
    ck_assert((*ret_err == KEER_OK) == (t->count > 0));
    return copy;
}

/* --- refusals ------------------------------------------------------------------------------------------------ */

struct refusal {
    struct slice text;
    enum keer_err code;
    size_t at;
    const char *says;
};
#define NO(text, code, at, says)            \
    {                                       \
        SLICE(text), KEER_E##code, at, says \
    }

static const struct refusal structure[] = {
    NO("", SYNTAX, 0, "found the end, expected a value"),
    NO(" \n\t\r", SYNTAX, 4, "found the end, expected a value"),
    NO("{", SYNTAX, 1, "found the end, expected a key in quotes"),
    NO("[", SYNTAX, 1, "found the end, expected a value"),
    NO("]", SYNTAX, 0, "found ']', expected a value"),
    NO("[1", SYNTAX, 2, "found the end, expected ',' or ']'"),
    NO("[1 2]", SYNTAX, 3, "found '2', expected ',' or ']'"),
    NO("[1}", SYNTAX, 2, "found '}', expected ',' or ']'"),
    NO("{\"a\":1]", SYNTAX, 6, "found ']', expected ',' or '}'"),
    NO("[,1]", SYNTAX, 1, "found ',', expected a value"),
    NO("[1,,2]", SYNTAX, 3, "found ',', expected a value"),
    NO("{\"a\"}", SYNTAX, 4, "found '}', expected ':' after a key"),
    NO("{\"a\" 1}", SYNTAX, 5, "found '1', expected ':' after a key"),
    NO("{\"a\":}", SYNTAX, 5, "found '}', expected a value"),
    NO("{a:1}", SYNTAX, 1, "found 'a', expected a key in quotes"),
    NO("{1:1}", SYNTAX, 1, "found '1', expected a key in quotes"),
    NO("{'a':1}", SYNTAX, 1, "found ''', expected a key in quotes"),
    NO("{} {}", SYNTAX, 3, "found '{', expected the end: nothing follows a JSON text"),
    NO("1 2", SYNTAX, 2, "found '2', expected the end"),
    NO("// x\n1", SYNTAX, 0, "found '/', expected a value"),
    NO("\x0B", SYNTAX, 0, "found byte 0x0B, expected a value"),
    NO("[1,\xC2\xA0 2]", SYNTAX, 3, "found byte 0xC2, expected a value"),
    /* trailing commas */
    NO("[1,]", SYNTAX, 3, "found ']', expected a value"),
    NO("{\"a\":1,}", SYNTAX, 7, "found '}', expected a key in quotes"),
    NO("{\"a\":1,", SYNTAX, 7, "found the end, expected a key in quotes"),
    /* words */
    NO("nul", SYNTAX, 3, "found the end, expected null"),
    NO("[nulL]", SYNTAX, 4, "found 'L', expected null"),
    NO("True", SYNTAX, 0, "found 'T', expected a value"),
    NO("truee", SYNTAX, 4, "found 'e', expected the end"),
    NO("falsy", SYNTAX, 4, "found 'y', expected false"),
    /* a byte order mark: whoever reads a file takes it off */
    NO("\xEF\xBB\xBF{}", SYNTAX, 0, "byte order mark"),
    NO("{}\xEF\xBB\xBF", SYNTAX, 2, "found byte 0xEF, expected the end"),
    /* NUL */
    NO("\0", SYNTAX, 0, "found byte 0x00, expected a value"),
    NO("{}\0", SYNTAX, 2, "found byte 0x00, expected the end"),
    NO("{\"a\":1\0}", SYNTAX, 6, "found byte 0x00, expected ',' or '}'"),
    NO("[tr\0e]", SYNTAX, 3, "found byte 0x00, expected true"),
    /* keys */
    NO("{\"a\":1,\"b\":2,\"a\":3}", CONFLICT, 13, "same key twice"),
    NO("{\"a\":1,\"\\u0061\":2}", CONFLICT, 7, "same key twice"),
    NO("{\"\\u0061\":1,\"a\":2}", CONFLICT, 12, "same key twice"),
    NO("{\"\":1,\"\":2}", CONFLICT, 6, "same key twice"),
    NO("{\"a\":{\"b\":[{}],\"c\":0},\"b\":1,\"a\":2}", CONFLICT, 28, "same key twice"),
    NO("[{\"a long key, and a longer one\":1,\"a long key, and a longer one\":2}]", CONFLICT, 35, "same key twice"),
};

static const struct refusal strings[] = {
    NO("\"", SYNTAX, 1, "found the end, expected the quote that ends a text"),
    NO("\"abcdefgh", SYNTAX, 9, "found the end"),
    NO("\"abc\\", SYNTAX, 5, "found the end, expected one of"),
    NO("\"abc\\\"", SYNTAX, 6, "found the end, expected the quote"),
    NO("\"\\x\"", SYNTAX, 2, "found 'x', expected one of"),
    NO("\"\\\0\"", SYNTAX, 2, "found byte 0x00, expected one of"),
    NO("\"\\\xC3\xA9\"", SYNTAX, 2, "found byte 0xC3, expected one of"),
    NO("\"\\u12\"", SYNTAX, 1, "four hexadecimal digits"),
    NO("\"\\u12", SYNTAX, 1, "four hexadecimal digits"),
    NO("\"\\u12g4\"", SYNTAX, 1, "four hexadecimal digits"),
    NO("\"\\U0041\"", SYNTAX, 2, "found 'U'"),
    NO("\"\\u0000\"", SYNTAX, 1, "found \\u0000"),
    NO("{\"a\\u0000\":1}", SYNTAX, 3, "found \\u0000"),
    /* control characters */
    NO("\"a\tb\"", SYNTAX, 2, "found byte 0x09 in a text, expected \\u0009"),
    NO("\"\n\"", SYNTAX, 1, "found byte 0x0A in a text"),
    NO("\"12345678\x1F\"", SYNTAX, 9, "found byte 0x1F in a text, expected \\u001f"),
    NO("\"a\0b\"", SYNTAX, 2, "found byte 0x00 in a text"),
    NO("\"\\n\0\"", SYNTAX, 3, "found byte 0x00 in a text"),
    NO("{\"i\0d\":1}", SYNTAX, 3, "found byte 0x00 in a text"),
    /* surrogates */
    NO("\"\\ud800\"", SYNTAX, 1, "half a surrogate pair"),
    NO("\"x\\udbff\\", SYNTAX, 2, "half a surrogate pair"),
    NO("\"\\ud800\\u0041\"", SYNTAX, 1, "half a surrogate pair"),
    NO("\"\\ud800\\ud800\"", SYNTAX, 1, "half a surrogate pair"),
    NO("\"\\ud83d\\u\"", SYNTAX, 1, "half a surrogate pair"),
    NO("\"\\ud83dxude00\"", SYNTAX, 1, "half a surrogate pair"),
    NO("\"\\udc00\"", SYNTAX, 1, "half a surrogate pair"),
    NO("\"\\ude00\\ud83d\"", SYNTAX, 1, "half a surrogate pair"),
    /* UTF-8 (RFC 3629) */
    NO("\"\xFF\"", SYNTAX, 1, "found byte 0xFF, expected UTF-8"),
    NO("\"abcdefgh\x80\"", SYNTAX, 9, "found byte 0x80, expected UTF-8"),
    NO("\"\xC3\"", SYNTAX, 1, "found byte 0xC3"),
    NO("\"\xC3", SYNTAX, 1, "found byte 0xC3"),
    NO("\"\xC0\x80\"", SYNTAX, 1, "found byte 0xC0"),
    NO("\"\xC1\xBF\"", SYNTAX, 1, "found byte 0xC1"),
    NO("\"\xE0\x9F\xBF\"", SYNTAX, 1, "found byte 0xE0"),
    NO("\"\xE2\x82\"", SYNTAX, 1, "found byte 0xE2"),
    NO("\"\xED\xA0\x80\"", SYNTAX, 1, "found byte 0xED"),
    NO("\"\xF0\x8F\xBF\xBF\"", SYNTAX, 1, "found byte 0xF0"),
    NO("\"\xF4\x90\x80\x80\"", SYNTAX, 1, "found byte 0xF4"),
    NO("\"\xF5\x80\x80\x80\"", SYNTAX, 1, "found byte 0xF5"),
    NO("\"\xC3\xA9\xC3\xA9\xC3x\"", SYNTAX, 5, "found byte 0xC3"),
    NO("\"\\n\xC3\xA9\xFF\"", SYNTAX, 5, "found byte 0xFF"),
};

static const struct refusal numbers[] = {
    NO("01", SYNTAX, 0, "leading zero"),
    NO("-01", SYNTAX, 1, "leading zero"),
    NO("[00]", SYNTAX, 1, "leading zero"),
    NO("-", SYNTAX, 1, "found the end, expected a digit"),
    NO("[-]", SYNTAX, 2, "found ']', expected a digit"),
    NO("+1", SYNTAX, 0, "found '+', expected a value"),
    NO(".5", SYNTAX, 0, "found '.', expected a value"),
    NO("1.", SYNTAX, 2, "expected a digit after the point"),
    NO("1.e5", SYNTAX, 2, "found 'e', expected a digit after the point"),
    NO("1e", SYNTAX, 2, "expected a digit in the exponent"),
    NO("1e+", SYNTAX, 3, "expected a digit in the exponent"),
    NO("1e1.5", SYNTAX, 3, "found '.', expected the end"),
    NO("0x10", SYNTAX, 1, "found 'x', expected the end"),
    NO("1_000", SYNTAX, 1, "found '_', expected the end"),
    NO("--1", SYNTAX, 1, "found '-', expected a digit"),
    /* out of range */
    NO("9223372036854775808", RANGE, 0, "an integer"),
    NO("[-9223372036854775809]", RANGE, 1, "an integer"),
    NO("123456789012345678901234567890", RANGE, 0, "an integer"),
    NO("1e309", RANGE, 0, "a double"),
    NO("[0,-1.8e308]", RANGE, 3, "a double"),
    NO("1e99999", RANGE, 0, "a double"),
    /* what JSON does not know */
    NO("NaN", SYNTAX, 0, "found 'N', expected a value; JSON knows no NaN and no Infinity"),
    NO("[Infinity]", SYNTAX, 1, "found 'I', expected a value"),
    NO("-Infinity", SYNTAX, 1, "found 'I', expected a digit"),
};

static void check_refusals(const struct refusal *list, size_t n, const struct tape_limits *limits)
{
    struct tape t = {0};
    struct tape_error e;
    enum keer_err err;
    for (size_t i = 0; i < n; i++) {
        char *copy = read_copy(&t, list[i].text, limits, &err, &e);
        ck_assert_msg(err == list[i].code && e.at == list[i].at && strstr(e.text, list[i].says),
                      "%zu: '%.*s': %s at %zu: %s; want %s at %zu: %s", i, SLICE_ARG(list[i].text), keer_err_name(err), e.at,
                      e.text, keer_err_name(list[i].code), list[i].at, list[i].says);
        free(copy);
    }
    tape_release(&t);
}

START_TEST(bad_structure_is_refused) { check_refusals(structure, ARRAY_LEN(structure), &strict); }
END_TEST
START_TEST(bad_strings_are_refused) { check_refusals(strings, ARRAY_LEN(strings), &strict); }
END_TEST
START_TEST(bad_numbers_are_refused) { check_refusals(numbers, ARRAY_LEN(numbers), &strict); }
END_TEST

/* The flags let in what a model file holds and no more. */
START_TEST(flags_of_a_model_file)
{
    static const char *const good[] = {"NaN",      "[-Infinity,Infinity,NaN]",       "{\"a\":NaN}", "1e999",
                                       "1e-99999", "123456789012345678901234567890", "0e0"};
    static const struct refusal bad[] = {
        NO("nan", SYNTAX, 1, "found 'a', expected null"),
        NO("-NaN", SYNTAX, 1, "found 'N', expected a digit"),
        NO("+Infinity", SYNTAX, 0, "found '+'"),
        NO("Inf", SYNTAX, 3, "expected Infinity"),
        NO("-Inf", SYNTAX, 4, "expected Infinity"),
        NO("NaN1", SYNTAX, 3, "expected the end"),
        NO("NaNaN", SYNTAX, 3, "found 'a', expected the end"),
    };
    struct tape t = {0};
    struct tape_error e;
    enum keer_err err;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        char *copy = read_copy(&t, slice_str(good[i]), &model, &err, &e);
        ck_assert_msg(err == KEER_OK, "%s: %s", good[i], e.text);
        free(copy);
    }
    check_refusals(bad, ARRAY_LEN(bad), &model);
    ck_ok(tape_read(&t, SLICE("[-Infinity,Infinity,NaN]"), &model, &e));
    ck_slice_eq(tape_text(&t, 1), SLICE("-Infinity"));
    ck_slice_eq(tape_text(&t, 3), SLICE("NaN"));
    ck_assert(tape_type(&t, 1) == TAPE_NAN && tape_type(&t, 2) == TAPE_NAN && tape_type(&t, 3) == TAPE_NAN);
    ck_assert_uint_eq(tape_at(&t, 1), 1);
    tape_release(&t);
}
END_TEST

/* --- what is read -------------------------------------------------------------------------------------------- */

START_TEST(tape_has_the_shape_of_the_text)
{
    const char *text = " {\"a\": [1, -2.5e+3, {} ,[]], \"b\\n\":\"x\", \"c\":{\"d\":null,\"e\":[true,false]} }\n";
    static const struct {
        enum tape_type type;
        uint32_t at, len, next;
    } want[] = {{TAPE_OBJECT, 1, 3, 16}, {TAPE_STRING, 2, 1, 2},   {TAPE_ARRAY, 7, 4, 7},    {TAPE_INTEGER, 8, 1, 4},
                {TAPE_REAL, 11, 7, 5},   {TAPE_OBJECT, 20, 0, 6},  {TAPE_ARRAY, 24, 0, 7},   {TAPE_STRING, 29, 2, 8},
                {TAPE_STRING, 35, 1, 9}, {TAPE_STRING, 40, 1, 10}, {TAPE_OBJECT, 44, 2, 16}, {TAPE_STRING, 45, 1, 12},
                {TAPE_NULL, 49, 4, 13},  {TAPE_STRING, 54, 1, 14}, {TAPE_ARRAY, 58, 2, 17},  {TAPE_TRUE, 59, 4, 16}};
    struct tape t = {0};
    struct tape_error e;
    ck_ok(tape_read(&t, slice_str(text), &strict, &e));
    ck_assert_uint_eq(t.count, 17);
    for (uint32_t i = 0; i < ARRAY_LEN(want); i++) {
        uint32_t next = want[i].next == 16 && i != 15 ? 17 : want[i].next; /* to the end */
        ck_assert_msg(tape_type(&t, i) == want[i].type && tape_at(&t, i) == want[i].at && t.v[i].len == want[i].len &&
                          t.v[i].next == next,
                      "%u: type %d at %zu len %u next %u", i, (int)tape_type(&t, i), tape_at(&t, i), t.v[i].len,
                      t.v[i].next);
    }
    ck_slice_eq(tape_text(&t, 4), SLICE("-2.5e+3"));
    ck_slice_eq(tape_text(&t, 7), SLICE("b\n"));
    ck_assert(tape_is_number(&t, 3) && tape_is_number(&t, 4) && !tape_is_number(&t, 5));
    ck_assert_uint_eq(tape_find(&t, 0, "b\n"), 8);
    ck_assert_uint_eq(tape_find(&t, tape_find(&t, 0, "c"), "e"), 14);
    ck_assert_uint_eq(tape_find(&t, 0, "d"), TAPE_NONE);
    ck_assert_uint_eq(tape_find(&t, 2, "a"), TAPE_NONE);
    ck_assert_uint_eq(tape_member(&t, 0, SLICE("")), TAPE_NONE);
    tape_release(&t);
    ck_ok(tape_read(&t, SLICE("0"), &strict, &e)); /* any value may be the root */
    ck_assert(t.count == 1 && tape_type(&t, 0) == TAPE_INTEGER);
    tape_release(&t);
    tape_release(&t);
}
END_TEST

START_TEST(numbers_stay_what_was_written)
{
    static const char *const integers[] = {
        "0", "-0", "7", "9223372036854775807", "-9223372036854775808", "999999999999999999"};
    static const char *const reals[] = {"0.0",
                                        "57.160",
                                        "1e5",
                                        "1E-5",
                                        "0e0",
                                        "1.7976931348623157e308",
                                        "1e-400",
                                        "0.1",
                                        "1e+00005",
                                        "-0.0",
                                        "12345678901234567890.5"};
    struct tape t = {0};
    struct tape_error e;
    for (size_t i = 0; i < ARRAY_LEN(integers); i++) {
        ck_ok(tape_read(&t, slice_str(integers[i]), &strict, &e));
        ck_assert_int_eq(tape_type(&t, 0), TAPE_INTEGER);
        ck_slice_eq(tape_text(&t, 0), slice_str(integers[i]));
    }
    for (size_t i = 0; i < ARRAY_LEN(reals); i++) {
        ck_ok(tape_read(&t, slice_str(reals[i]), &strict, &e));
        ck_assert_int_eq(tape_type(&t, 0), TAPE_REAL);
        ck_slice_eq(tape_text(&t, 0), slice_str(reals[i]));
    }
    int64_t minor = 0;
    ck_ok(tape_read(&t, SLICE("[90071992547409.91]"), &strict, &e)); /* a double would do, a float would not */
    ck_ok(num_scaled(tape_text(&t, 1), 2, &minor));
    ck_assert_int_eq(minor, 9007199254740991);
    tape_release(&t);
}
END_TEST

START_TEST(strings_are_slices_or_decoded)
{
    struct tape t = {0};
    struct tape_error e;
    struct slice text = SLICE("[\"plain \xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80 text\",\"\",\"a\\\"b\\\\\\/\\b\\f\\n\\r\\t\","
                              "\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\\u007f\",\"\\uFFFF\\ud7ff\\ue000 \xEF\xBF\xBF\"]");
    ck_ok(tape_read(&t, text, &strict, &e));
    ck_assert_ptr_eq(tape_text(&t, 1).p, text.p + 2); /* no copy */
    ck_slice_eq(tape_text(&t, 1), SLICE("plain \xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80 text"));
    ck_slice_eq(tape_text(&t, 2), SLICE(""));
    ck_slice_eq(tape_text(&t, 3), SLICE("a\"b\\/\b\f\n\r\t"));
    ck_slice_eq(tape_text(&t, 4), SLICE("A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\x7F"));
    ck_slice_eq(tape_text(&t, 5), SLICE("\xEF\xBF\xBF\xED\x9F\xBF\xEE\x80\x80 \xEF\xBF\xBF"));
    tape_release(&t);
}
END_TEST

/* Strings are looked at eight bytes at a time: every byte at every place of strings up to three words. */
START_TEST(every_byte_at_every_place)
{
    struct tape t = {0};
    struct tape_error e;
    char text[32];
    for (size_t len = 0; len <= 24; len++)
        for (size_t at = 0; at < len; at++)
            for (unsigned c = 0; c < 256; c++) {
                char *copy = malloc(len + 2);
                ck_assert(copy != NULL);
                memset(text, 'x', sizeof text);
                text[0] = '"';
                text[1 + at] = (char)c;
                text[1 + len] = '"';
                memcpy(copy, text, len + 2);
                enum keer_err err = tape_read(&t, slice_of(copy, len + 2), &strict, &e);
                bool plain = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
                size_t wrong = 1 + at + (c == '"' || c == '\\'); /* what follows the end, or no escape */
                if (c == '\\' && at + 1 == len)
                    wrong = len + 2; /* it escapes the quote */
                if (plain ? err != KEER_OK || tape_text(&t, 0).len != len : err != KEER_ESYNTAX || e.at != wrong)
                    ck_abort_msg("byte %u at %zu of %zu: %s at %zu", c, at, len, keer_err_name(err), e.at);
                free(copy);
            }
    tape_release(&t);
}
END_TEST

/* --- limits and memory --------------------------------------------------------------------------------------- */

START_TEST(limits_are_exact)
{
    static const struct tape_limits few = {.bytes = 40, .values = 6, .depth = 3, .keys = 2};
    static const struct refusal bad[] = {
        NO("[[[[]]]]", LIMIT, 3, "nested more than 3 deep"),
        NO("{\"a\":[{\"b\":{", LIMIT, 11, "nested more than 3 deep"),
        NO("{\"a\":1,\"b\":2,\"c\":3}", LIMIT, 13, "more than 2 keys in an object"),
        NO("[1,2,3,4,5,6]", LIMIT, 11, "more than 6 values"),
        NO("{\"a\":[1,2],\"b\":3}", LIMIT, 15, "more than 6 values"),
        NO("                                         ", LIMIT, 40, "longer than 40 bytes"),
    };
    struct tape t = {0};
    struct tape_error e;
    check_refusals(bad, ARRAY_LEN(bad), &few);
    ck_ok(tape_read(&t, SLICE("[[[]],[[]]]"), &few, &e));
    ck_ok(tape_read(&t, SLICE("[{\"a\":1,\"b\":2}]"), &few, &e));
    ck_ok(tape_read(&t, SLICE("[1,2,3,4,5]                             "), &few, &e));
    ck_ok(tape_read(&t, SLICE("[1,2,3,4,5,6,7]"), &strict, &e)); /* the same tape, with more room and then less */
    ck_err(tape_read(&t, SLICE("[1,2,3,4,5,6]"), &few, &e), KEER_ELIMIT);
    ck_assert_uint_eq(t.count, 0);
    tape_release(&t);
}
END_TEST

/* Objects with many keys: the filter of seen keys is full, and every pair is told apart. */
START_TEST(many_keys_differ)
{
    static const struct tape_limits wide = {.bytes = 100000, .values = 5000, .depth = 2, .keys = TAPE_KEYS_MAX};
    struct tape t = {0};
    struct tape_error e;
    struct buf b;
    buf_init(&b, 100000);
    for (unsigned again = 0; again <= TAPE_KEYS_MAX; again += 91) {
        buf_clear(&b);
        for (unsigned i = 0; i < TAPE_KEYS_MAX; i++) /* the last key repeats an earlier one, but in the first round */
            buf_fmt(&b, "%c\"key number %u\":%u", i ? ',' : '{', i == TAPE_KEYS_MAX - 1 && again ? again : i, i);
        buf_char(&b, '}');
        if (again) {
            ck_err(tape_read(&t, buf_view(&b), &wide, &e), KEER_ECONFLICT);
            continue;
        }
        ck_ok(tape_read(&t, buf_view(&b), &wide, &e));
        ck_slice_eq(tape_text(&t, tape_find(&t, 0, "key number 777")), SLICE("777"));
        b.len--;
        buf_puts(&b, ",\"one more\":0}");
        ck_err(tape_read(&t, buf_view(&b), &wide, &e), KEER_ELIMIT);
    }
    buf_release(&b);
    tape_release(&t);
}
END_TEST

/* Objects with many keys in one another: each has keys of its own, before and after the inner one. */
START_TEST(many_keys_in_one_another)
{
    static const struct tape_limits wide = {.bytes = 100000, .values = 5000, .depth = 8, .keys = 100};
    static const unsigned before[] = {10, 31, 32, 33, 50};
    struct tape t = {0};
    struct tape_error e;
    struct buf b;
    buf_init(&b, 100000);
    for (size_t kind = 0; kind < ARRAY_LEN(before); kind++)
        for (unsigned twice = 0; twice < 3;
             twice++) { /* nowhere; among the last keys of the second object; of the outermost */
            buf_clear(&b);
            for (unsigned depth = 0; depth < 4; depth++) {
                for (unsigned i = 0; i < before[kind]; i++)
                    buf_fmt(&b, "%c\"k%u\":%u", i ? ',' : '{', i, depth);
                buf_puts(&b, depth < 3 ? ",\"inner\":" : "}");
            }
            for (unsigned depth = 3; depth-- > 0;) {
                for (unsigned i = 50; i < 90; i++)
                    buf_fmt(&b, ",\"k%u\":%u", twice == 2 - depth && twice && i == 89 ? 3 : i, depth);
                buf_char(&b, '}');
            }
            if (twice) {
                const char *again = twice == 1 ? "\"k3\":1}" : "\"k3\":0}";
                ck_err(tape_read(&t, buf_view(&b), &wide, &e), KEER_ECONFLICT);
                ck_assert_ptr_eq(b.p + e.at, strstr(b.p, again));
            } else {
                ck_ok(tape_read(&t, buf_view(&b), &wide, &e));
                uint32_t inner = tape_find(&t, tape_find(&t, 0, "inner"), "inner");
                ck_slice_eq(tape_text(&t, tape_find(&t, inner, "k89")), SLICE("2"));
                ck_slice_eq(tape_text(&t, tape_find(&t, 0, "k89")), SLICE("0"));
            }
        }
    buf_release(&b);
    tape_release(&t);
}
END_TEST

static const char *const records[] = {"{\"id\":\"a\\nb\",\"v\":[1,2,3]}", "{\"id\":\"plain\",\"w\":\"\\u00e9\"}",
                                      "{\"id\":7,\"broken\":}", "[\"\\\"\",\"\\\"\"]"};

START_TEST(reading_again_allocates_nothing)
{
    static const struct tape_limits many = {.bytes = 1000, .values = 1000, .depth = 4, .keys = 100};
    struct tape t = {0};
    struct tape_error e;
    struct buf wide;
    unsigned good = 0;
    buf_init(&wide, 1000);
    for (unsigned i = 0; i < 60; i++)
        buf_fmt(&wide, "%c\"%u\":0", i ? ',' : '{', i);
    buf_char(&wide, '}');
    for (unsigned round = 0; round < 50; round++) {
        if (round == 2)
            oom_reset();
        for (size_t i = 0; i < ARRAY_LEN(records); i++)
            good += tape_read(&t, slice_str(records[i]), &strict, &e) == KEER_OK;
        good += tape_read(&t, buf_view(&wide), &many, &e) == KEER_OK;
    }
    uint64_t allocations = oom_count();
    ck_assert_uint_eq(allocations, 0);
    ck_assert_uint_eq(good, 200);
    buf_release(&wide);
    tape_release(&t);
}
END_TEST

/* Every allocation fails in turn: KEER_ENOMEM and an empty tape, and the same tape reads the text afterwards. */
START_TEST(every_allocation_may_fail)
{
    static const struct tape_limits large = {.bytes = 100000, .values = 10000, .depth = 4, .keys = 200};
    struct buf b;
    struct tape_error e;
    buf_init(&b, 100000);
    buf_puts(&b, "[\"a\\tb\"");
    for (int i = 0; i < 1000; i++)
        buf_fmt(&b, ",%d", i);
    buf_puts(&b, ",\"c\\td\",{");
    for (unsigned i = 0; i < 100; i++)
        buf_fmt(&b, "%s\"%u\":0", i ? "," : "", i);
    buf_puts(&b, "}]");
    for (int persistent = 0; persistent < 2; persistent++) {
        unsigned n = 1;
        for (;; n++) {
            struct tape t = {0};
            oom_arm(n, persistent);
            enum keer_err err = tape_read(&t, buf_view(&b), &large, &e);
            oom_reset();
            if (err == KEER_OK) {
                tape_release(&t);
                break;
            }
            ck_assert(err == KEER_ENOMEM && e.code == err && t.count == 0);
            ck_ok(tape_read(&t, buf_view(&b), &large, &e));
            ck_assert_uint_eq(t.count, 1204);
            ck_slice_eq(tape_text(&t, 1), SLICE("a\tb"));
            ck_slice_eq(tape_text(&t, 1002), SLICE("c\td"));
            tape_release(&t);
        }
        ck_assert_uint_gt(n, 4);
    }
    buf_release(&b);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("json");
    TCase *t = tcase_create("json");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, bad_structure_is_refused);
    tcase_add_test(t, bad_strings_are_refused);
    tcase_add_test(t, bad_numbers_are_refused);
    tcase_add_test(t, flags_of_a_model_file);
    tcase_add_test(t, tape_has_the_shape_of_the_text);
    tcase_add_test(t, numbers_stay_what_was_written);
    tcase_add_test(t, strings_are_slices_or_decoded);
    tcase_add_test(t, every_byte_at_every_place);
    tcase_add_test(t, limits_are_exact);
    tcase_add_test(t, many_keys_differ);
    tcase_add_test(t, many_keys_in_one_another);
    tcase_add_test(t, reading_again_allocates_nothing);
    tcase_add_test(t, every_allocation_may_fail);
    suite_add_tcase(s, t);
    return test_main(s);
}
