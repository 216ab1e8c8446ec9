/* log_test.c - lines of the log: form, level, repeats, and no secrets. */
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "lib/test.h"

static int64_t now_us;
static int64_t wall(void) { return now_us; }

START_TEST(secrets_are_masked)
{
    static const char *const cases[][2] = {
        {"postgres://a:b@c/d", "postgres://a:*@c/d"},
        {"at postgresql://keer:p@ss:w@[::1]:5432/db?x=1 failed", "at postgresql://keer:***@[::1]:5432/db?x=1 failed"},
        {"http://127.0.0.1:8080/x@y", "http://127.0.0.1:8080/x@y"},
        {"postgres://a@b", "postgres://a@b"},
        {"postgres://h/db?PASSWORD=xyz&y=1 password=zyxw", "postgres://h/db?PASSWORD=***&y=1 password=***"},
        {"a://b:cccc@d e://f:gggg@h", "a://b:***@d e://f:***@h"},
        {"keer_abcdefghijkm_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "keer_abcdefghijkm_***"},
        {"x keer_abcdefghijkm_AAAA-AAAAAAAAAA_AAAAAAAAAAAAAAAAAAAAAAAAAAA.", "x keer_abcdefghijkm_***."},
        {"keer_schema_x", "keer_schema_x"},
        {"keer_", "keer_"},
        {"password=", "password="},
        {"://", "://"},
        {"", ""}};
    char text[200];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        (void)snprintf(text, sizeof text, "%s", cases[i][0]);
        size_t n = log_mask(text, strlen(text));
        ck_assert_msg(slice_eq(slice_of(text, n), slice_str(cases[i][1])), "%s -> %.*s", cases[i][0], (int)n, text);
    }
}
END_TEST

static char said[65536];
static const char *read_all(int fd)
{
    ssize_t n = pread(fd, said, sizeof said - 1, 0);
    said[n > 0 ? n : 0] = '\0';
    ck_assert_int_eq(ftruncate(fd, 0), 0);
    (void)lseek(fd, 0, SEEK_SET);
    return said;
}
static unsigned lines(const char *s)
{
    unsigned n = 0;
    for (; *s; s++)
        n += *s == '\n';
    return n;
}

START_TEST(lines_have_their_form)
{
    FILE *f = tmpfile();
    struct log log = {.fd = fileno(f), .wall_us = wall};
    struct log_request r = {"GET", SLICE("/v1/\n\"x"), 200, 17, "abc"};
    log_put(&log, LOG_WARNING, "a\nb \"%s\" \x1B[2J", "c");
    ck_assert_str_eq(read_all(log.fd), "1970-01-01T00:00:00.000Z warning a\\u000ab \"c\" \\u001b[2J\n");
    log_request(&log, &r);
    ck_assert_str_eq(read_all(log.fd), "");
    atomic_store(&log.json, true);
    atomic_store(&log.requests, true);
    atomic_store(&log.level, LOG_ERROR);
    log_put(&log, LOG_WARNING, "quiet");
    log_put(&log, LOG_ERROR, "\"");
    log_request(&log, &r);
    ck_assert_str_eq(read_all(log.fd), "{\"time\":\"1970-01-01T00:00:00.000Z\",\"level\":\"error\",\"message\":\"\\\"\"}\n"
                                       "{\"time\":\"1970-01-01T00:00:00.000Z\",\"level\":\"info\",\"method\":\"GET\","
                                       "\"path\":\"/v1/\\u000a\\\"x\",\"status\":200,\"us\":17,\"key\":\"abc\"}\n");
    (void)fclose(f);
}
END_TEST

START_TEST(repeats_are_counted_and_told)
{
    FILE *f = tmpfile();
    static struct log_repeats repeats;
    struct log log = {.fd = fileno(f), .wall_us = wall, .repeats = &repeats};
    for (int i = 0; i < 100; i++)
        log_put(&log, LOG_ERROR, "again %d", i);
    ck_assert_uint_eq(lines(read_all(log.fd)), LOG_BURST);
    log_put(&log, LOG_ERROR, "another, which is told all the same");
    ck_assert_uint_eq(lines(read_all(log.fd)), 1);
    now_us += LOG_PERIOD_US + 1;
    for (int i = 0; i < 2; i++)
        log_put(&log, LOG_ERROR, i ? "another, which is told all the same" : "again %d", i);
    ck_assert_uint_ge(lines(read_all(log.fd)), 2);
    (void)fclose(f);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("log");
    TCase *c = tcase_create("log");
    tcase_add_test(c, secrets_are_masked);
    tcase_add_test(c, lines_have_their_form);
    tcase_add_test(c, repeats_are_counted_and_told);
    suite_add_tcase(s, c);
    return test_main(s);
}
