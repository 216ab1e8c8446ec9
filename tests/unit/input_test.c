/* input_test.c - CSV, NDJSON and mappings: what they give, and how they refuse. */
#include "core/input.h"

#include "lib/input_log.h"
#include "lib/test.h"

static struct keer_schema schema;

static void setup(void)
{
    unsigned slot;
    ck_ok(schema_init(&schema, HASH_KEY_DEFAULT));
    for (size_t i = 0; i < 6; i++) {
        static const char *const known[] = {"account", "terminal", "amount", "ip", "has_second_step", "play_time"};
        ck_ok(schema_add_known(&schema, slice_str(known[i]), &slot));
    }
    ck_ok(schema_add(&schema, SLICE("fee"), KEER_MONEY, false, &slot));
    ck_ok(schema_add(&schema, SLICE("note"), KEER_TEXT, false, &slot));
    ck_ok(schema_add_type(&schema, SLICE("custom.raid"), &slot));
}

static void teardown(void) { schema_release(&schema); }

static struct mapping *map(const char *text)
{
    struct mapping *m = NULL;
    struct mapping_errors errors;
    enum keer_err err = mapping_parse(slice_str(text), &m, &errors);
    ck_assert_msg(err == KEER_OK, "%s: line %u: %s", keer_err_name(err), errors.list[0].line, errors.list[0].what);
    return m;
}

/* Reads `text` at once, byte by byte, and in random chunks: all must give the same. The log is the caller's. */
static struct buf run(const struct input_options *o, struct slice text)
{
    struct buf whole, part;
    struct rng rng;
    buf_init(&whole, (size_t)64 << 20);
    buf_init(&part, (size_t)64 << 20);
    ck_ok(log_input(&whole, &schema, o, text, /* all at once */ 0, NULL));
    ck_ok(log_input(&part, &schema, o, text, text.len > 100000 ? 4099 : 1, NULL));
    ck_assert_str_eq(part.p, whole.p);
    rng_seed(&rng, text.len);
    for (size_t k = 2; k < 40; k += 7) {
        buf_clear(&part);
        ck_ok(log_input(&part, &schema, o, text, text.len > 100000 ? k * 50000 : k, &rng));
        ck_assert_str_eq(part.p, whole.p);
    }
    buf_release(&part);
    return whole;
}

/* `want`: the whole log, or as many lines of it as there are; a line that ends in '*' is a beginning. */
static void check(const struct input_options *o, struct slice text, const char *want)
{
    struct buf log = run(o, text);
    struct slice w = slice_str(want), have = buf_view(&log);
    while (w.len) {
        struct slice a = slice_cut(&w, '\n'), b = slice_cut(&have, '\n');
        bool part = a.len && a.p[a.len - 1] == '*';
        if (part)
            b.len = MIN_OF(b.len, --a.len);
        ck_assert_msg(slice_eq(a, b), "\nhave %.*s\nwant %.*s\nall:\n%s", SLICE_ARG(b), SLICE_ARG(a), log.p);
    }
    buf_release(&log);
}

#define CSV (&(struct input_options){.format = INPUT_CSV})
#define NDJSON (&(struct input_options){.format = INPUT_NDJSON})

static void check_csv(const char *text, const char *want) { check(CSV, slice_str(text), want); }
static void check_json(const char *text, const char *want) { check(NDJSON, slice_str(text), want); }

/* --- CSV ----------------------------------------------------------------------------------------------------- */

START_TEST(csv_by_name)
{
    const char *want = "event \"p1\" 2018-04-01T00:00:31Z purchase account=\"a\" amount=5716EUR\n"
                       "event \"p2\" 2018-04-01T00:00:32Z sign_in account=\"b\"\nend\n";
    check_csv("id,time,type,account,amount,currency,other\n"
              "p1,2018-04-01 00:00:31,purchase,a,5716,EUR,x\np2,1522540832,sign_in,b,,EUR,\n",
              want);
    /* CRLF, byte order mark, no line end at the end, blank lines, quotes that are not needed, spaces around names */
    check_csv("\xEF\xBB\xBFid, time ,\"type\",account,amount,currency,other\r\n\r\n"
              "p1,2018-04-01T00:00:31Z,purchase,\"a\",5716,EUR,x\r\n\r\np2,1522540832000,\"sign_in\",b,,,",
              want);
    check_csv(
        "\xEF\xBB\xBF\"id\",time,type\n1,1522540832000000,other_custom\n1,2018-01-01,custom.raid\n1,2018-01-01,custom.x\n",
        "bad 2:20 INVALID type: 'other_custom' is not a type of event | a type of your own is written custom.NAME\n"
        "event \"1\" 2018-01-01T00:00:00Z custom.raid\nevent \"1\" 2018-01-01T00:00:00Z other\nend\n");
    check_csv("id,time,type\n", "end\n");
    check_csv("id,time,type", "end\n");
}
END_TEST

START_TEST(csv_quotes)
{
    check_csv("id,time,type,note,account\n"
              "1,2018-01-01,sign_in,\"a \"\"b\"\", c\r\nd\",x\n"
              "2,2018-01-01,sign_in,\"\",\"\"\"\"\n"
              "\"3\",\"2018-01-01\",\"sign_in\",\"\"\"\"\"\",\"e,\"\n",
              "event \"1\" 2018-01-01T00:00:00Z sign_in account=\"x\" note=\"a \\\"b\\\", c\\u000d\\nd\"\n"
              "event \"2\" 2018-01-01T00:00:00Z sign_in account=\"\\\"\"\n"
              "event \"3\" 2018-01-01T00:00:00Z sign_in account=\"e,\" note=\"\\\"\\\"\"\nend\n");
    check_csv("id,time,type,note\n"
              "1,2018-01-01,sign_in,a\"b\n"
              "2,2018-01-01,sign_in,\"a\"b\n"
              "3,2018-01-01,sign_in,\"x\ny\"z\n"
              "4,2018-01-01,sign_in,ok\n"
              "5,2018-01-01,\"sign\nin\",\"o\nk\"\n"
              "6,2018-01-01,sign_in,\"never\n"
              "7,2018-01-01,sign_in,ok\n"
              "8,2018-01-01,sign_in,ok",
              "bad 2:23 SYNTAX a quote inside a value that is not in quotes*\n"
              "bad 3:25 SYNTAX something follows the closing quote of a value*\n"
              "bad 5:3 SYNTAX something follows the closing quote of a value*\n"
              "event \"4\" *\n"
              "bad 7:14 INVALID type: 'sign?in' is not a type of event | did you mean 'sign_in'?\n"
              "bad 10:22 SYNTAX the quoted value that begins here is never closed*\n"
              "event \"7\" *\nevent \"8\" *\nend\n");
}
END_TEST

START_TEST(csv_bad_lines)
{
    check_csv(
        "id,time,type,account,amount,currency,has_second_step,play_time,fraud,fraud_known\n"
        "1,2018-13-01,sign_in,a,,,,,,\n"
        "1,2018-01-01,sign-in,a,,,,,,\n"
        "1,2018-01-01,sign_in,a,57.16,EUR,,,,\n"
        "1,2018-01-01,sign_in,a,57,EURO,,,,\n"
        "1,2018-01-01,sign_in,a,x,EUR,,,,\n"
        "1,2018-01-01,sign_in,a,9007199254740992,EUR,,,,\n"
        "1,2018-01-01,sign_in,a,,,yes,,,\n"
        "1,2018-01-01,sign_in,a,,,,1.5h,,\n"
        "1,2018-01-01,sign_in,a,,,,,maybe,\n"
        "1,2018-01-01,sign_in,a,,,,,1,tomorrow\n"
        "1,2018-01-01,sign_in,a,,,,,1,2017-01-01\n"
        ",2018-01-01,sign_in,a,,,,,,\n"
        "1,,sign_in,a,,,,,,\n"
        "1,2018-01-01,,a,,,,,,\n"
        "1,2018-01-01,sign_in,a\n"
        "1,2018-01-01,sign_in,a,,,,,,,\n"
        "1,99999999999999999999,sign_in,a,,,,,,\n"
        "1,2018-01-01,label,a,,,,,,\n"
        "1,2018-01-01,sign_in,a,-5,JPY,TRUE,-0,0,2018-01-02\n",
        "bad 2:3 RANGE time: '2018-13-01' is not a time | ISO 8601, such as 2018-04-01T00:00:31Z, or seconds since 1970\n"
        "bad 3:14 INVALID type: 'sign-in' is not a type of event | did you mean 'sign_in'?\n"
        "bad 4:24 SYNTAX amount: '57.16' is not an integer | minor units: 57.16 EUR is 5716\n"
        "bad 5:27 FORMAT currency: 'EURO' is not a currency of ISO 4217*\n"
        "bad 6:24 SYNTAX amount: 'x' is not an integer | an integer of minor units, such as 5716 for 57.16 EUR\n"
        "bad 7:24 RANGE amount: '9007199254740992' is not an amount below 2^53 minor units*\n"
        "bad 8:26 SYNTAX has_second_step: 'yes' is not true or false*\n"
        "bad 9:27 SYNTAX play_time: '1.5h' is not a number | a decimal number with a point, such as 12.5\n"
        "bad 10:28 SYNTAX fraud: 'maybe' is not true or false*\n"
        "bad 11:30 SYNTAX fraud_known: 'tomorrow' is not a time*\n"
        "bad 12:30 RANGE fraud_known: known before the event*\n"
        "bad 13:1 MISSING id: missing | every event has an id, a time and a type\n"
        "bad 14:3 MISSING time: missing*\n"
        "bad 15:14 MISSING type: missing*\n"
        "bad 16:23 FORMAT 4 values where the header names 10 columns*\n"
        "bad 17:30 FORMAT 11 values where the header names 10 columns*\n"
        "bad 18:3 RANGE time: '99999999999999999999' is not a time*\n"
        "bad 19:1 MISSING target: missing*\n"
        "event \"1\" 2018-01-01T00:00:00Z sign_in account=\"a\" amount=-5JPY has_second_step=1 play_time=0 genuine known "
        "2018-01-02T00:00:00Z\nend\n");
    check(CSV, SLICE("id,time,type,note\n1,2018-01-01,sign_in,a\0b\n2,2018-01-01,sign_in,x\n"),
          "bad 2:23 SYNTAX a NUL byte | is this a text in UTF-8? UTF-16 must be converted first\nevent \"2\" *\nend\n");
}
END_TEST

START_TEST(csv_bad_headers)
{
    check_csv(
        "",
        "failed 1:1 MISSING there is no header: the input is empty | the first line of a CSV file names its columns\nend\n");
    check_csv("\n\r\n", "failed 1:1 MISSING there is no header*\n");
    check_csv("\xEF\xBB\xBF", "failed 1:4 MISSING there is no header*\n");
    check_csv("\xEF\xBB", "failed 1:1 MISSING id: there is no column 'id'*\n");
    check_csv("id,tme,type\n1,2,3\n", "failed 1:1 MISSING time: there is no column 'time' | did you mean 'tme'?\nend\n");
    check_csv("id;time;type\n", "failed 1:1 MISSING id: there is no column 'id' | are the columns separated by ';'?*\n");
    check_csv("id,time,type,account,account\n", "failed 1:22 CONFLICT two columns are called 'account'*\n");
    check_csv("id,time,\"type\n1,2018-01-01,sign_in\n",
              "failed 1:9 SYNTAX the quoted value that begins here is never closed*\n");
    check_csv("id,time,ty\"pe\n1,2018-01-01,sign_in\n", "failed 1:11 SYNTAX a quote inside*\n");
    check(CSV, SLICE("i\0d\0,\0"), "failed 1:2 SYNTAX a NUL byte*\n");
    check(&(struct input_options){.format = INPUT_CSV, .strict = true}, SLICE("id,time,type,acount\n"),
          "failed 1:14 INVALID column 'acount' means nothing here | did you mean 'account'?\n");
    check(&(struct input_options){.format = INPUT_CSV, .strict = true}, SLICE("id,time,type,account\n"), "end\n");
    struct buf wide;
    buf_init(&wide, 100000);
    buf_puts(&wide, "id,time,type");
    for (int i = 0; i < LIMIT_CSV_COLUMNS - 3; i++)
        buf_puts(&wide, ",x");
    check(CSV, buf_view(&wide), "end\n");
    buf_puts(&wide, ",x");
    check(CSV, buf_view(&wide), "failed 1:1 LIMIT more than 512 columns*\n");
    buf_puts(&wide, ",\"x\"");
    check(CSV, buf_view(&wide), "failed 1:1 LIMIT more than 512 columns*\n");
    buf_release(&wide);
}
END_TEST

static void put_many(struct buf *b, char c, size_t n)
{
    char *p = buf_reserve(b, n);
    ck_assert_ptr_nonnull(p);
    memset(p, c, n);
    b->len += n;
}

START_TEST(long_lines_are_skipped)
{
    struct buf b;
    buf_init(&b, (size_t)8 << 20);
    buf_puts(&b, "id,time,type,other\n1,2018-01-01,sign_in,");
    put_many(&b, 'x', LIMIT_LINE_BYTES - 22); /* the line end is the last byte that fits */
    buf_puts(&b, "\n2,2018-01-01,sign_in,");
    put_many(&b, 'x', LIMIT_LINE_BYTES - 21);
    buf_puts(&b, "\n3,2018-01-01,sign_in,ok\n4,2018-01-01,sign_in,\"");
    put_many(&b, 'x', 3 * LIMIT_LINE_BYTES);
    buf_puts(&b, "\n5,2018-01-01,sign_in,\"x\ny\"\n6,2018-01-01,sign_in,");
    put_many(&b, 'y', LIMIT_LINE_BYTES);
    check(CSV, buf_view(&b),
          "event \"1\" *\n"
          "bad 3:1 LIMIT a line of more than 1048576 bytes*\n"
          "event \"3\" *\n"
          "bad 5:22 SYNTAX the quoted value that begins here is never closed*\n"
          "event \"5\" *\n"
          "bad 8:1 LIMIT a line of more than 1048576 bytes*\nend\n");
    buf_clear(&b);
    /* a quote that is never closed costs its own line alone, whether the input or the limit ends it */
    buf_puts(&b, "id,time,type,other\n");
    for (int i = 0; i < 60000; i++)
        buf_fmt(&b, "%d,2018-01-01,sign_in,%sxx\n", i, i == 3 ? "\"" : "");
    struct buf log = run(CSV, buf_view(&b));
    ck_assert(slice_has(buf_view(&log), SLICE("bad 5:22 SYNTAX the quoted value")));
    ck_assert(slice_has(buf_view(&log), SLICE("event \"4\" ")) && slice_has(buf_view(&log), SLICE("event \"59999\" ")));
    buf_release(&log);
    buf_clear(&b);
    /* ... but the work stays linear when every line holds such a quote: here each line leaves the one before it open */
    buf_puts(&b, "id,time,type,other\n");
    while (b.len < 3 * LIMIT_LINE_BYTES)
        buf_puts(&b, "x\"\"\",\"\"\",\"\"\n");
    log = run(CSV, buf_view(&b));
    ck_assert_uint_lt(log.len, 2000);
    buf_release(&log);
    buf_clear(&b);
    put_many(&b, 'i', LIMIT_LINE_BYTES + 1);
    check(CSV, buf_view(&b), "failed 1:1 LIMIT a line of more than*\n");
    check(NDJSON, buf_view(&b), "bad 1:1 LIMIT a line of more than*\nend\n");
    buf_clear(&b);
    buf_puts(&b, "id,time,type,note\n1,2018-01-01,sign_in,");
    put_many(&b, 'n', LIMIT_TEXT_BYTES + 1);
    buf_puts(&b, "\n2,2018-01-01,sign_in,");
    put_many(&b, 'n', LIMIT_TEXT_BYTES);
    check(CSV, buf_view(&b), "bad 2:22 LIMIT note: a text of 4097 bytes | at most 4096 bytes\nevent \"2\" *\nend\n");
    buf_release(&b);
}
END_TEST

/* --- NDJSON -------------------------------------------------------------------------------------------------- */

#define J "{\"id\":\"1\",\"time\":\"2018-04-01T00:00:31Z\",\"type\":\"purchase\""

START_TEST(json_events)
{
    check_json(
        J ",\"account\":\"a\",\"amount\":5716,\"currency\":\"EUR\",\"fee\":\"1.5\",\"nonsense\":[{}]}\n"
          "\r\n  \n" J ",\"account\":9223372036854775807,\"has_second_step\":true,\"play_time\":1.5,\"ip\":\"10.0.0.1\"}\r\n"
          "{\"id\":7,\"time\":1522540831,\"type\":\"sign_in\",\"attributes\":{\"account\":\"b\",\"id\":3},\"custom\":{"
          "\"note\":\"\\u00e9\"},\"fee\":null}\n"
          "{\"id\":\"8\",\"time\":1522540831.25,\"type\":\"purchase\",\"fraud\":true,\"scenario\":\"x\",\"amount\":5}\n"
          "{\"id\":\"9\",\"time\":100000000000,\"type\":\"label\",\"target\":\"8\",\"fraud\":false}\n"
          "{\"id\":\"9\",\"time\":100000000000000,\"type\":\"chargeback\",\"target\":8}\n"
          "{\"id\":\"9\",\"time\":99999999999,\"type\":\"custom.raid\",\"fraud\":true,\"fraud_known\":\"9999-01-01\"}",
        "event \"1\" 2018-04-01T00:00:31Z purchase account=\"a\" amount=5716EUR fee=150EUR\n"
        "event \"1\" 2018-04-01T00:00:31Z purchase account=\"9223372036854775807\" ip=\"10.0.0.1\" has_second_step=1 "
        "play_time=1.5\n"
        "event \"7\" 2018-04-01T00:00:31Z sign_in account=\"b\" note=\"\xC3\xA9\"\n"
        "event \"8\" 2018-04-01T00:00:31.25Z purchase amount=5XXX fraud known 2018-04-01T00:00:31.25Z scenario \"x\"\n"
        "event \"9\" 1973-03-03T09:46:40Z label genuine known 1973-03-03T09:46:40Z target *\n"
        "event \"9\" 1973-03-03T09:46:40Z chargeback target *\n"
        "event \"9\" 5138-11-16T09:46:39Z custom.raid fraud known 9999-01-01T00:00:00Z\nend\n");
}
END_TEST

START_TEST(json_bad_records)
{
    check_json("{\"id\":\"1\",}\n[1]\n\"x\"\n{} {}\n{\"id\":\"1\",\"id\":\"2\"}\n{\"id\":\"\\u0000\"}\n{\"id\":\"\xFF\"}\n"
               "{\"id\":123456789012345678901234567890}\n{\"id\":1e999}\n{\"id\":\"1\"\n{}\nnul\n",
               "bad 1:11 SYNTAX not JSON: found '}', expected a key in quotes | one JSON object on each line, such as *\n"
               "bad 2:1 TYPE not a JSON object*\n"
               "bad 3:1 TYPE not a JSON object*\n"
               "bad 4:4 SYNTAX not JSON: found '{', expected the end*\n"
               "bad 5:11 SYNTAX not JSON: found the same key twice in an object, expected it once | a key may stand in an "
               "object once\n"
               "bad 6:8 SYNTAX not JSON: found \\u0000*\n"
               "bad 7:8 SYNTAX not JSON: found byte 0xFF, expected UTF-8*\n"
               "bad 8:7 RANGE not JSON: found an integer, expected one of 64 bits | write a number this large as a text, in "
               "quotes\n"
               "bad 9:7 RANGE not JSON: found a number, expected one that a double holds*\n"
               "bad 10:10 SYNTAX not JSON: found the end, expected ',' or '}'*\n"
               "bad 11:1 MISSING id: missing*\n"
               "bad 12:4 SYNTAX not JSON: found the end, expected null*\nend\n");
    check(NDJSON, SLICE("{\"id\":\"1\0\"}\n{\"i\0d\":1}\n{}\0\n"),
          "bad 1:9 SYNTAX not JSON: found byte 0x00*\nbad 2:4 SYNTAX not JSON: found byte 0x00*\n"
          "bad 3:3 SYNTAX not JSON: found byte 0x00*\nend\n");
    check_json(
        "\xEF\xBB\xBF{\"id\":01}\r\n\xEF\xBB\xBF{}\n{\"id\":\"\\ud800\"}\n{\"id\":\"a\tb\"}\n{\"id\":NaN}\n{\"x\":1e400}\n"
        "{\"x\":1.e1}\n{\"x\":{\"y\":1,\"\\u0079\":2}}\n",
        "bad 1:10 SYNTAX not JSON: found a leading zero*\n" /* the byte order mark of the input counts */
        "bad 2:1 SYNTAX not JSON: found a byte order mark*\n"
        "bad 3:8 SYNTAX not JSON: found half a surrogate pair*\n"
        "bad 4:9 SYNTAX not JSON: found byte 0x09 in a text*\n"
        "bad 5:7 SYNTAX not JSON: found 'N', expected a value; JSON knows no NaN*\n"
        "bad 6:6 RANGE not JSON: found a number*\n"
        "bad 7:8 SYNTAX not JSON: found 'e', expected a digit after the point*\n"
        "bad 8:13 SYNTAX not JSON: found the same key twice*\nend\n");
    char deep[400];
    struct buf b;
    buf_init(&b, 4000);
    memset(deep, '[', sizeof deep);
    buf_fmt(&b, "{\"x\":\"%.40s\",\"y\":%.31s%.31s}\n", deep, deep, "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]");
    buf_fmt(&b, "{\"x\":\"\\\"\",\"y\":%.32s1\n%.300s\n", deep, deep);
    check(NDJSON, buf_view(&b),
          "bad 1:1 MISSING id: missing*\nbad 2:46 LIMIT nested more than 32 deep | \nbad 3:33 LIMIT nested more than 32 "
          "deep | \nend\n");
    buf_release(&b);
    buf_init(&b, 100000);
    for (int more = 0; more < 2; more++) {
        for (int i = 0; i < LIMIT_JSON_KEYS + more; i++)
            buf_fmt(&b, "%c\"%d\":0", i ? ',' : '{', i);
        buf_puts(&b, "}\n");
    }
    check(NDJSON, buf_view(&b), "bad 1:1 MISSING id: missing*\nbad 2:8108 LIMIT more than 1024 keys in an object | \nend\n");
    buf_release(&b);
}
END_TEST

START_TEST(json_type_errors)
{
    check_json(
        J ",\"account\":[1]}\n" J ",\"account\":1.5}\n" J ",\"account\":true}\n" J ",\"play_time\":\"1\"}\n" J
          ",\"has_second_step\":1}\n" J ",\"amount\":57.16,\"currency\":\"EUR\"}\n" J
          ",\"amount\":57.0,\"currency\":\"JPY\"}\n" J ",\"amount\":57.16}\n" J ",\"amount\":\"57.16\"}\n" J
          ",\"amount\":\"57.161\",\"currency\":\"EUR\"}\n" J ",\"amount\":\"57,16\",\"currency\":\"EUR\"}\n" J
          ",\"amount\":5,\"currency\":\"EU\"}\n" J ",\"fraud\":1}\n" J ",\"fraud\":true,\"fraud_known\":\"soon\"}\n" J
          ",\"ip\":5}\n" J ",\"attributes\":{\"account\":{}}}\n" J
          ",\"note\":\"\\\"note\\\":\",\"custom\":{\"note\":\"x\"}}\n"
          "{\"id\":\"1\",\"time\":true,\"type\":\"purchase\"}\n{\"id\":\"1\",\"time\":1e300,\"type\":\"purchase\"}\n"
          "{\"id\":\"1\",\"time\":5,\"type\":\"purchasse\"}\n{\"id\":\"1\",\"time\":5,\"type\":7}\n"
          "{\"id\":\"1\",\"time\":5,\"type\":\"chargeback\",\"fraud\":false}\n{\"id\":\"\",\"time\":5,\"type\":\"label\"}\n"
          "{\"id\":\"1\",\"time\":5,\"type\":\"label\",\"target\":\"x\"}\n",
        "bad 1:69 TYPE account: found an array, expected a text | \n"
        "bad 2:69 TYPE account: found a number with decimals, expected a text | write it in quotes\n"
        "bad 3:69 TYPE account: found true, expected a text | write it in quotes\n"
        "bad 4:71 TYPE play_time: found a text, expected a number | write it without quotes\n"
        "bad 5:77 TYPE has_second_step: found an integer, expected true or false | \n"
        "bad 6:68 SYNTAX amount: '57.16' is not an integer | minor units: 57.16 EUR is 5716\n"
        "bad 7:68 SYNTAX amount: '57.0' is not an integer | minor units: 57.0 JPY is 57\n"
        "bad 8:68 SYNTAX amount: '57.16' is not an integer | an integer of minor units, such as 5716 for 57.16 EUR\n"
        "bad 9:68 MISSING amount: no currency | a decimal amount needs a currency*\n"
        "bad 10:68 RANGE amount: '57.161' is not an amount that can be kept exactly | EUR has 2 decimals*\n"
        "bad 11:68 SYNTAX amount: '57,16' is not an amount | a decimal number with a point*\n"
        "bad 12:81 FORMAT currency: 'EU' is not a currency of ISO 4217*\n"
        "bad 13:67 TYPE fraud: found an integer, expected true or false*\n"
        "bad 14:86 SYNTAX fraud_known: 'soon' is not a time*\n"
        "bad 15:64 TYPE ip: found an integer, expected an IP address as a text | write it in quotes\n"
        "bad 16:83 TYPE account: found an object, expected a text | \n"
        "bad 17:95 CONFLICT note: given twice*\n"
        "bad 18:18 TYPE time: found true, expected a time | \n"
        "bad 19:18 RANGE time: '1e300' is not a time*\n"
        "bad 20:27 INVALID type: 'purchasse' is not a type of event | did you mean 'purchase'?\n"
        "bad 21:27 TYPE type: found an integer, expected a text*\n"
        "bad 22:48 INVALID fraud: false, but a chargeback says that it was fraud*\n"
        "bad 23:7 MISSING id: missing*\n"
        "bad 24:1 MISSING fraud: missing | a label names its target and says whether it was fraud\nend\n");
    struct input_options strict = {.format = INPUT_NDJSON, .strict = true};
    check(&strict,
          SLICE(J ",\"acount\":\"x\"}\n" J ",\"custom\":{\"zzzzzz\":{}}}\n" J ",\"attributes\":{\"time\":5}}\n" J
                  ",\"custom\":5}\n"),
          "bad 1:68 INVALID 'acount' means nothing here | did you mean 'account'?\n"
          "bad 2:78 INVALID 'zzzzzz' means nothing here*\n"
          "bad 3:80 INVALID 'time' means nothing here | it stands in the event itself, not in 'attributes'\n"
          "bad 4:68 INVALID 'custom' means nothing here*\nend\n");
}
END_TEST

START_TEST(parts_have_their_names)
{
    unsigned slot;
    ck_ok(schema_add(&schema, SLICE("currency"), KEER_TEXT, false,
                     &slot)); /* never filled by name: the amount's comes first */
    const char *want = "event \"1\" 2018-04-01T00:00:31Z purchase amount=5EUR\nend\n";
    check_json(J ",\"amount\":5,\"currency\":\"EUR\"}\n", want);
    check_csv("id,time,type,amount,currency\n1,2018-04-01T00:00:31,purchase,5,EUR\n", want);
}
END_TEST

/* --- mappings ------------------------------------------------------------------------------------------------ */

static const char handbook_like[] =
    "# comment\r\nformat csv\ndelimiter \";\"\nid TX_ID # more\ntime TX_TIME seconds since 2018-04-01\n"
    "type KIND { \"P\" = purchase, L = \"sign_in\", \"\" = custom.raid }\naccount column \"Customer No\"\n"
    "terminal \"T1\"\namount AMOUNT EUR\nfee FEE minor in CUR\nlabel FRAUD { yes = 1, no = 0 } known after 1d12h\n"
    "scenario SC { \"0\" = \"\", \"1\" = \"large \\\"amount\\\"\" }\nrisk RISK\ndevice DEV\nvolume V EUR\ntarget T\n";

START_TEST(mapping_reads_foreign_columns)
{
    struct mapping *m = map(handbook_like);
    struct input_options o = {.mapping = m};
    check(&o,
          SLICE("TX_ID;TX_TIME;KIND;Customer No;AMOUNT;FEE;CUR;FRAUD;SC;T\n"
                "1;31.5;P;7;57.16;3;JPY;yes;1;\n2;0;L;8;;;;no;0;\n3;0;;8;1.005;;;;2;\n4;1;purchase;8;1.0050;3;;;;\n5;-1;X;8;"
                ";;;;;\n"
                "6;1h;P;8;;;;;;\n7;0;P;8;;;;true;9;\n8;0;P;8;;;;maybe;;\n9;0;label;8;;;;no;;\"1\"\n"),
          "event \"1\" 2018-04-01T00:00:31.5Z purchase account=\"7\" terminal=\"T1\" amount=5716EUR fee=3JPY fraud known "
          "2018-04-02T12:00:31.5Z scenario \"large \\\"amount\\\"\"\n"
          "event \"2\" 2018-04-01T00:00:00Z sign_in account=\"8\" terminal=\"T1\" genuine known 2018-04-02T12:00:00Z\n"
          "bad 4:8 RANGE amount: '1.005' is not an amount that can be kept exactly*\n"
          "bad 5:16 RANGE amount*\n"
          "bad 6:6 INVALID type: 'X' is not a type of event | translate it in the mapping*\n"
          "bad 7:3 SYNTAX time: '1h' is not a time | the mapping counts it in seconds\n"
          "event \"7\" 2018-04-01T00:00:00Z purchase account=\"8\" terminal=\"T1\" fraud known 2018-04-02T12:00:00Z "
          "scenario \"9\"\n"
          "bad 9:12 SYNTAX label: 'maybe' is not true or false | 1, 0, true, false or empty*\n"
          "event \"9\" 2018-04-01T00:00:00Z label account=\"8\" terminal=\"T1\" genuine known 2018-04-02T12:00:00Z target "
          "*\nend\n");
    check(&o, SLICE("TX_ID;TX_TIM;KIND;Customer No;AMOUNT;FEE;CUR;FRAUD;SC;T\n"),
          "failed 1:1 MISSING time: there is no column 'TX_TIME' | did you mean 'TX_TIM'? The mapping names the "
          "columns\nend\n");
    check(&o, SLICE("TX_ID;TX_TIME;KIND;Customer No;AMOUNT;FEE;FRAUD;SC;T\n"),
          "failed 1:1 MISSING fee: there is no column 'CUR' | line 10 of the mapping names it\n");
    struct input *in;
    struct input_error err;
    struct slice name;
    ck_ok(input_new(&schema, &o, &in, &err));
    ck_assert(input_skipped(in, 0, &name));
    ck_slice_eq(name, SLICE("risk"));
    ck_assert(input_skipped(in, 1, &name));
    ck_slice_eq(name, SLICE("volume"));
    ck_assert(!input_skipped(in, 2, &name));
    ck_assert_uint_eq(input_line(in), 1);
    input_free(in);
    mapping_free(m);
}
END_TEST

START_TEST(mapping_reads_foreign_keys)
{
    struct mapping *m =
        map("format ndjson\nid event.id\ntime event.at ms since epoch\ntype \"purchase\"\namount pay.sum in pay.cur\n"
            "account who\nlabel bad known at seen\nplay_time h\nhas_second_step s\n");
    struct input_options o = {.mapping = m};
    check(&o,
          SLICE("{\"event\":{\"id\":5,\"at\":1522540831250},\"pay\":{\"sum\":57.16,\"cur\":\"EUR\"},\"who\":\"a\",\"bad\":"
                "true,\"seen\":1522540831251,"
                "\"h\":\"2\",\"s\":0}\n"
                "{\"event\":{\"id\":5,\"at\":1522540831250},\"pay\":{\"sum\":57.165,\"cur\":\"EUR\"}}\n"
                "{\"event\":{\"id\":5,\"at\":1522540831250},\"pay\":{\"sum\":57.16}}\n"
                "{\"event\":{\"id\":[5],\"at\":1522540831250}}\n{\"event\":[]}\n"),
          "event \"5\" 2018-04-01T00:00:31.25Z purchase account=\"a\" amount=5716EUR has_second_step=0 play_time=2 fraud "
          "known "
          "2018-04-01T00:00:31.251Z\n"
          "bad 2:51 RANGE amount: '57.165' is not an amount that can be kept exactly*\n"
          "bad 3:51 MISSING amount: no currency*\n"
          "bad 4:16 TYPE id: found an array, expected a text, a number, true or false*\n"
          "bad 5:1 MISSING id: missing*\nend\n");
    struct input_error err;
    struct input *in = NULL;
    ck_err(input_new(&schema, &(struct input_options){.mapping = m, .format = INPUT_CSV}, &in, &err), KEER_ECONFLICT);
    ck_assert_str_eq(err.what, "the mapping is for ndjson, the input is csv");
    ck_err(input_new(&schema, &(struct input_options){0}, &in, &err), KEER_EINVALID);
    mapping_free(m);
    m = map("id A\ntime B\ntype C\nnote D EUR\n");
    ck_err(input_new(&schema, &(struct input_options){.mapping = m, .format = INPUT_CSV}, &in, &err), KEER_ETYPE);
    ck_assert_uint_eq(err.line, 4);
    ck_assert_uint_eq(err.column, 6);
    mapping_free(m);
    m = map("id A\ntime B\ntype C\nfee D\n");
    ck_err(input_new(&schema, &(struct input_options){.mapping = m, .format = INPUT_CSV}, &in, &err), KEER_ETYPE);
    ck_assert_str_eq(err.what, "fee: an amount of money needs a currency");
    mapping_free(m);
    m = map("id A\ntime B\ntype \"sign_in\"\n");
    check(
        &(struct input_options){.mapping = m, .format = INPUT_CSV, .delimiter = '|'}, SLICE("A|B\n1|5\n2|2018-01-01\n"),
        "bad 2:3 SYNTAX time: '5' is not a time | if it counts seconds, say so in the mapping: time B seconds since epoch\n"
        "event \"2\" 2018-01-01T00:00:00Z sign_in\nend\n");
    mapping_free(m);
    ck_assert_ptr_null(in);
}
END_TEST

/* Each mapping is wrong; `want` lists 'LINE:COLUMN what' of its messages. */
static void check_mapping(const char *text, const char *want)
{
    struct mapping *m = NULL;
    struct mapping_errors errors;
    struct buf have;
    buf_init(&have, 10000);
    ck_err(mapping_parse(slice_str(text), &m, &errors), KEER_ESYNTAX);
    ck_assert_ptr_null(m);
    for (unsigned i = 0; i < errors.count; i++)
        buf_fmt(&have, "%u:%u %s\n", errors.list[i].line, errors.list[i].column, errors.list[i].what);
    ck_assert_msg(strcmp(have.p, want) == 0, "\nhave %s\nwant %s", have.p, want);
    buf_release(&have);
}

#define NEEDED "id A\ntime B\ntype C\n"

START_TEST(mapping_errors_are_placed)
{
    check_mapping("", "1:1 nothing says what 'id' is\n1:1 nothing says what 'time' is\n1:1 nothing says what 'type' is\n");
    check_mapping("id A\ntiem B\ntype C", "3:7 nothing says what 'time' is\n");
    check_mapping(
        "format xml\ndelimiter x\ndelimiter \"\\\"\"\nid\ntime B weeks since epoch\ntime B seconds\ntime B seconds since "
        "never\n"
        "type \"bought\"\ntype K { \"P\" = bought }\namount A\namount A EURO\namount A minor EU\nlabel F knwon\nlabel F "
        "known\n"
        "label F known after soon\nlabel F { \"x\" = maybe }\naccount A EUR\nid \"const\"\nterminal A extra\n",
        "1:8 'xml' is not a format\n2:11 'x' can't separate columns\n3:11 '\"' can't separate columns\n"
        "4:3 no column is named here\n5:8 'weeks' does not belong here\n6:15 'since' is wanted here\n"
        "7:22 this is not a time\n8:6 'bought' is not a type of event\n9:16 'bought' is not a type of event\n"
        "10:8 no currency is said\n11:10 'EURO' is not a currency of ISO 4217\n12:16 'EU' is not a currency of ISO 4217\n"
        "13:9 'knwon' does not belong here\n14:14 'after' or 'at' is wanted here\n15:21 this is not a duration\n"
        "16:17 'maybe' is not a label\n17:11 'EUR' does not belong here\n"
        "18:4 a column is wanted here, not a constant\n19:12 'extra' does not belong here\n");
    check_mapping(
        NEEDED
        "id X\nformat csv\nformat csv\ndelimiter tab\ndelimiter tab\n\"id\" X\n= X\nnote N { a }\nnote N { a = }\nnote N { "
        "a = b c }\n"
        "note N { a = b, a = c }\nnote N {\nnote N { a = b } { }\nnote \"open\nnote \"\\q\"\nnote column \"\"\nformat",
        "4:1 'id' was mapped on line 1 already\n6:1 'format' was said already\n8:1 'delimiter' was said already\n"
        "9:1 a name is wanted here\n10:1 a name is wanted here\n11:12 '=' is wanted here\n12:14 a translation is wanted "
        "here\n"
        "13:16 ',' or '}' is wanted here\n14:17 'a' is translated twice\n15:9 a value to translate is wanted here\n"
        "16:18 a second table\n17:6 this text is not closed on its line\n18:6 '\\q' means nothing here\n"
        "19:13 a column without a name\n20:1 'format' was said already\n");
    check_mapping(NEEDED "note \x01\nfee A EUR EUR\nlabel F \"x\n",
                  "4:6 a control character\n5:11 'EUR' does not belong here\n"
                  "6:9 this text is not closed on its line\n");
    check_mapping("id A\ntime B ms since epoch ms\ntype \"purchse\"\n", "2:23 'ms' does not belong here\n"
                                                                        "3:6 'purchse' is not a type of event\n");
    struct buf b, out;
    struct mapping *m = NULL;
    struct mapping_errors errors;
    buf_init(&b, 2 * LIMIT_MAPPING_BYTES);
    buf_init(&out, 100000);
    for (int i = 0; i < 100; i++)
        buf_puts(&b, "?\n");
    ck_err(mapping_parse(buf_view(&b), &m, &errors), KEER_ESYNTAX);
    ck_assert_uint_eq(errors.count, LIMIT_POLICY_ERRORS);
    mapping_print_errors(&out, SLICE("x.map"), buf_view(&b), &errors);
    ck_assert(slice_has(buf_view(&out), SLICE("x.map:1:")));
    buf_clear(&b);
    buf_clear(&out);
    put_many(&b, '#', LIMIT_MAPPING_BYTES + 1);
    ck_err(mapping_parse(buf_view(&b), &m, &errors), KEER_ELIMIT);
    buf_clear(&b);
    buf_puts(&b, NEEDED "note N { a = b");
    for (int i = 0; i < MAPPING_PAIRS_MAX; i++)
        buf_fmt(&b, ", %d = x", i);
    buf_puts(&b, " }\n");
    ck_err(mapping_parse(buf_view(&b), &m, &errors), KEER_ESYNTAX);
    ck_assert_str_eq(errors.list[0].what, "more than 256 translations");
    buf_clear(&b);
    buf_puts(&b, NEEDED);
    for (int i = 0; i < MAPPING_ENTRIES_MAX - 2; i++)
        buf_fmt(&b, "n%d X\n", i);
    ck_err(mapping_parse(buf_view(&b), &m, &errors), KEER_ESYNTAX);
    ck_assert_str_eq(errors.list[0].what, "too many statements");
    struct slice text = SLICE("id A\n\tamount A EURO # x\n");
    ck_err(mapping_parse(text, &m, &errors), KEER_ESYNTAX);
    mapping_print_errors(&out, SLICE("x.map"), text, &errors);
    ck_assert_str_eq(
        out.p, "x.map:2:11: 'EURO' is not a currency of ISO 4217\n     amount A EURO # x\n              ^^^^\n"
               "    amount COLUMN EUR (decimal), amount COLUMN minor EUR (cents), or: amount COLUMN in CURRENCY_COLUMN\n");
    ck_assert_ptr_null(m);
    buf_release(&b);
    buf_release(&out);
}
END_TEST

/* --- use and memory ------------------------------------------------------------------------------------------ */

START_TEST(feeding_out_of_turn_is_refused)
{
    struct input *in;
    struct input_error err;
    struct keer_event *ev;
    ck_ok(keer_event_new(&schema, &ev));
    ck_ok(input_new(&schema, CSV, &in, &err));
    ck_assert_int_eq(input_next(in, ev, &err), INPUT_MORE);
    ck_ok(input_feed(in, SLICE("id,time,type\n1,"), false));
    ck_err(input_feed(in, SLICE("x"), false), KEER_EINVALID);
    ck_assert_int_eq(input_next(in, ev, &err), INPUT_MORE);
    ck_assert_int_eq(input_next(in, ev, &err), INPUT_MORE);
    ck_ok(input_feed(in, (struct slice){NULL, 0}, false));
    ck_assert_int_eq(input_next(in, ev, &err), INPUT_MORE);
    ck_ok(input_feed(in, SLICE("2018-01-01,sign_in\nbad\n"), false));
    ck_assert_int_eq(input_next(in, ev, &err), INPUT_EVENT);
    ck_slice_eq(ev->id, SLICE("1"));
    ck_assert_int_eq(input_next(in, ev, &err), INPUT_BAD);
    ck_slice_eq(err.text, SLICE("bad"));
    ck_assert_int_eq(input_next(in, ev, &err), INPUT_MORE);
    ck_assert_uint_eq(input_line(in), 4);
    ck_ok(input_feed(in, (struct slice){NULL, 0}, true));
    ck_assert_int_eq(input_next(in, ev, &err), INPUT_END);
    ck_assert_int_eq(input_next(in, ev, &err), INPUT_END);
    ck_err(input_feed(in, SLICE("x"), true), KEER_EINVALID);
    input_free(in);
    ck_ok(input_new(&schema, CSV, &in, &err));
    ck_ok(input_feed(in, SLICE("id,tme,type\n1,"), false));
    ck_assert_int_eq(input_next(in, ev, &err), INPUT_FAILED);
    ck_slice_eq(err.text, SLICE("id,tme,type"));
    ck_assert_int_eq(input_next(in, ev, &err), INPUT_FAILED);
    ck_assert_int_eq(err.code, KEER_EMISSING);
    ck_assert_uint_eq(err.text.len, 0);
    ck_err(input_feed(in, SLICE("x"), true), KEER_EINVALID);
    input_free(in);
    input_free(NULL);
    mapping_free(NULL);
    keer_event_free(ev);
}
END_TEST

/* Reads some text with the n-th allocation failing: the mapping, then the input. True when nothing failed. */
static bool read_with_failure(uint64_t n, const char *map_text, struct slice text, const char *want)
{
    struct mapping *m = NULL;
    struct mapping_errors errors;
    struct buf log;
    char room[8000]; /* the log must not fail by itself */
    buf_init(&log, sizeof room);
    ck_assert_ptr_nonnull(buf_reserve(&log, sizeof room - 1));
    oom_arm(n, /* persistent */ false);
    enum keer_err err = map_text ? mapping_parse(slice_str(map_text), &m, &errors) : KEER_OK;
    if (err == KEER_OK)
        err = log_input(&log, &schema, &(struct input_options){.mapping = m, .format = m ? INPUT_ANY : INPUT_NDJSON}, text,
                        7, NULL);
    uint64_t count = oom_count();
    oom_reset();
    const char *end = log.p ? strstr(log.p, "failed ") : NULL;
    bool failed = err != KEER_OK || end;
    if (err != KEER_OK)
        ck_assert_int_eq(err, KEER_ENOMEM);
    else if (failed)
        ck_assert(slice_has(slice_str(end), SLICE(" NOMEM ")));
    else
        ck_assert_str_eq(log.p, want);
    if (end) /* what came before is what comes without failure: no record is changed or left out */
        ck_assert_msg(strncmp(log.p, want, (size_t)(end - log.p)) == 0, "allocation %llu\nhave %s\nwant %s",
                      (unsigned long long)n, log.p, want);
    ck_assert(failed == (n != 0 && count >= n));
    mapping_free(m);
    buf_release(&log);
    return !failed;
}

START_TEST(every_allocation_may_fail)
{
    struct slice csv =
        SLICE("TX_ID;TX_TIME;KIND;Customer No;AMOUNT;FEE;CUR;FRAUD;SC;T\n1;31.5;P;\"7\"\"\";57.16;3;JPY;yes;1;\n");
    struct buf log;
    struct mapping *m = map(handbook_like);
    buf_init(&log, 10000);
    ck_ok(log_input(&log, &schema, &(struct input_options){.mapping = m}, csv, 0, NULL));
    mapping_free(m);
    uint64_t n = 1;
    while (!read_with_failure(n, handbook_like, csv, log.p))
        n++;
    ck_assert_uint_gt(n, 5);
    buf_release(&log);
}
END_TEST

/* Records that need more values, longer decoded texts and more kept bytes than those before: each allocation of theirs fails
 * in turn. */
START_TEST(every_allocation_of_ndjson_may_fail)
{
    static const char keys[] =
        "format ndjson\nid id\ntime time\ntype type\naccount account\namount pay.sum EUR\nnote pay.note\n";
    struct buf text, log;
    buf_init(&text, 10000);
    buf_init(&log, 10000);
    buf_puts(&text, J ",\"account\":12345,\"play_time\":1.5}\n" J
                      ",\"account\":\"a\\nb\",\"pay\":{\"sum\":57.16}}\n{\"id\":}\n" J ",\"x\":[");
    for (int i = 0; i < 300; i++)
        buf_fmt(&text, "%d,", i);
    buf_puts(&text, "0],\"account\":\"\\u00e9\",\"pay\":{\"sum\":0.10,\"note\":\"");
    for (int i = 0; i < 200; i++)
        buf_puts(&text, "\\\"x");
    buf_puts(&text, "\"}}\n" J ",\"account\":\"last\",\"pay\":{\"note\":\"\\\\\"}}\n");
    for (int mapped = 0; mapped < 2; mapped++) {
        const char *map_text = mapped ? keys : NULL;
        struct mapping *m = mapped ? map(keys) : NULL;
        uint64_t n = 1;
        buf_clear(&log);
        ck_ok(log_input(&log, &schema, &(struct input_options){.mapping = m, .format = INPUT_NDJSON}, buf_view(&text), 0,
                        NULL));
        mapping_free(m);
        ck_assert(slice_has(buf_view(&log), mapped ? SLICE("amount=10EUR note=\"\\\"x\\\"x") : SLICE("account=\"a\\nb\"")));
        while (!read_with_failure(n, map_text, buf_view(&text), log.p))
            n++;
        ck_assert_uint_gt(n, 300); /* most are the chunks' copies */
    }
    buf_release(&text);
    buf_release(&log);
}
END_TEST

START_TEST(every_allocation_of_a_large_mapping_may_fail)
{
    struct mapping *m = NULL;
    struct mapping_errors errors;
    struct buf b;
    uint64_t n = 0;
    enum keer_err err = KEER_ENOMEM;
    buf_init(&b, LIMIT_MAPPING_BYTES);
    buf_puts(&b, "\xEF\xBB\xBF" NEEDED "fee F minor\n");
    for (int e = 0; e < 5; e++) {
        buf_fmt(&b, "n%d column \"%d\" { \"-\" = x", e, e);
        for (int i = 0; i < 250; i++)
            buf_fmt(&b, ", \"from %d\" = \"to %d\"", i, i);
        buf_puts(&b, " }\n");
    }
    while (err == KEER_ENOMEM) {
        oom_arm(++n, /* persistent */ false);
        err = mapping_parse(buf_view(&b), &m, &errors);
        oom_reset();
        ck_assert(err == KEER_OK || m == NULL);
        ck_assert_uint_eq(errors.count, 0);
    }
    ck_ok(err);
    ck_assert_uint_gt(n, 5);
    ck_assert_uint_eq(m->count, 9);
    ck_assert(m->entries[3].minor && m->entries[3].currency == CUR_MAX);
    ck_slice_eq(m->entries[8].source, SLICE("4"));
    mapping_free(m);
    buf_release(&b);
}
END_TEST

/* `lines`: the first one once, then the others again and again, with two events each time. */
static void check_allocates_nothing(const struct input_options *o, const char *const *lines, size_t n)
{
    struct input *in;
    struct input_error err;
    struct keer_event *ev;
    ck_ok(keer_event_new(&schema, &ev));
    ck_ok(input_new(&schema, o, &in, &err));
    unsigned events = 0, wrong = 0; /* Check's own macros allocate */
    for (int round = 0; round < 100; round++) {
        if (round == 10)
            oom_reset();
        for (size_t i = round ? 1 : 0; i < n; i++) {
            enum input_result r;
            wrong += input_feed(in, slice_str(lines[i]), false) != KEER_OK;
            while ((r = input_next(in, ev, &err)) == INPUT_EVENT)
                events++;
            wrong += r != INPUT_MORE;
        }
    }
    uint64_t allocations = oom_count();
    ck_assert_uint_eq(allocations, 0);
    ck_assert_uint_eq(events, 200);
    ck_assert_uint_eq(wrong, 0);
    input_free(in);
    keer_event_free(ev);
}

START_TEST(records_allocate_nothing)
{
    static const char *const csv[] = {"id,time,type,note\n", "1,2018-01-01,sign_in,\"a\"\"b\"\n2,2018-",
                                      "01-01,sign_in,x\n"};
    static const char *const json[] = {"\n",
                                       J ",\"account\":\"a\\tb\",\"x\":[1,{\"y\":2.5}],\"note\":\"\\\"\"}\n{\"id\":\"2\"",
                                       ",\"time\":5,\"type\":\"sign_in\",\"amount\":\"1.25\",\"currency\":\"EUR\"}\n"};
    static const char *const foreign[] = {"\n", "{\"a\":{\"id\":1},\"t\":1}\n", "{\"t\":2,\"a\":{\"id\":\"\\u0041\"}}\n"};
    struct mapping *m = map("format ndjson\nid a.id\ntime t seconds since epoch\ntype \"sign_in\"\n");
    check_allocates_nothing(CSV, csv, ARRAY_LEN(csv));
    check_allocates_nothing(NDJSON, json, ARRAY_LEN(json));
    check_allocates_nothing(&(struct input_options){.mapping = m}, foreign, ARRAY_LEN(foreign));
    mapping_free(m);
}
END_TEST

static struct mapping *handbook_map(void)
{
    char text[4096];
    FILE *f = fopen("policies/handbook.map", "rb");
    ck_assert_msg(f != NULL, "run from the top of the tree");
    size_t n = fread(text, 1, sizeof text - 1, f);
    (void)fclose(f);
    text[n] = '\0';
    return map(text);
}

START_TEST(handbook_mapping)
{
    struct mapping *m = handbook_map();
    check(
        &(struct input_options){.mapping = m},
        SLICE("TX_ID,TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT,TX_TIME_SECONDS,TX_TIME_DAYS,TX_FRAUD,TX_FRAUD_SCENARIO\n"
              "0,2018-04-01 00:00:31,5,31,57.16,31,0,0,0\n35,2018-04-01 10:17:43,37,30,225.41,37063,0,1,1\n"
              "57,2018-04-01 18:31:48,49,60,222.26,66708,0,2,1\n"),
        "event \"0\" 2018-04-01T00:00:31Z purchase account=\"5\" terminal=\"31\" amount=5716EUR genuine known "
        "2018-04-08T00:00:31Z\n"
        "event \"35\" 2018-04-01T10:17:43Z purchase account=\"37\" terminal=\"30\" amount=22541EUR fraud known "
        "2018-04-08T10:17:43Z scenario \"large amount\"\n"
        "bad 4:45 SYNTAX label: '2' is not true or false*\nend\n");
    mapping_free(m);
}
END_TEST

/* The published file, when it is at hand, gives the figures that its README states. */
START_TEST(handbook_file)
{
    char path[512], chunk[65536];
    const char *shared = shared_dir();
    if (!shared)
        return;
    (void)snprintf(path, sizeof path, "xz -dc '%s/data/handbook/handbook_tx.csv.xz'", shared);
    FILE *f = popen(path, "r");
    ck_assert_ptr_nonnull(f);
    struct mapping *m = handbook_map();
    struct input_options o = {.mapping = m};
    struct input *in;
    struct input_error err;
    struct keer_event *ev;
    uint64_t events = 0, large = 0, frauds = 0;
    ck_ok(keer_event_new(&schema, &ev));
    ck_ok(input_new(&schema, &o, &in, &err));
    enum input_result r = INPUT_MORE;
    while (r == INPUT_MORE || r == INPUT_EVENT) {
        r = input_next(in, ev, &err);
        if (r == INPUT_EVENT) {
            events++;
            frauds += ev->label == KEER_LABEL_FRAUD;
            large += slice_eq(ev->scenario, SLICE("large amount"));
        } else if (r == INPUT_MORE) {
            size_t n = fread(chunk, 1, sizeof chunk, f);
            ck_ok(input_feed(in, slice_of(chunk, n), n == 0));
        }
    }
    (void)pclose(f);
    ck_assert_msg(r == INPUT_END, "%s", err.what);
    ck_assert_uint_eq(events, 1754155);
    ck_assert_uint_eq(frauds, 14681);
    ck_assert_uint_eq(large, 973);
    input_free(in);
    keer_event_free(ev);
    mapping_free(m);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("input");
    TCase *t = tcase_create("input");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, csv_by_name);
    tcase_add_test(t, csv_quotes);
    tcase_add_test(t, csv_bad_lines);
    tcase_add_test(t, csv_bad_headers);
    tcase_add_test(t, long_lines_are_skipped);
    tcase_add_test(t, json_events);
    tcase_add_test(t, json_bad_records);
    tcase_add_test(t, json_type_errors);
    tcase_add_test(t, parts_have_their_names);
    tcase_add_test(t, mapping_reads_foreign_columns);
    tcase_add_test(t, mapping_reads_foreign_keys);
    tcase_add_test(t, mapping_errors_are_placed);
    tcase_add_test(t, feeding_out_of_turn_is_refused);
    tcase_add_test(t, every_allocation_may_fail);
    tcase_add_test(t, every_allocation_of_ndjson_may_fail);
    tcase_add_test(t, every_allocation_of_a_large_mapping_may_fail);
    tcase_add_test(t, records_allocate_nothing);
    tcase_add_test(t, handbook_mapping);
    tcase_add_test(t, handbook_file);
    suite_add_tcase(s, t);
    return test_main(s);
}
