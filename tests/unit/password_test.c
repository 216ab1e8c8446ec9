/* password_test.c - what is kept of a password, what may be one, the list of stolen ones, and the thread that hashes. */
#include <pthread.h>
#include <unistd.h>

#include "account/breached.h"
#include "base/crypto_password.h"
#include "flow/password_worker.h"
#include "lib/account_kit.h"

static const struct password_cost cheap = {64, 1};
static const struct id anna = {"AAAAAAAAAAAAAAAAAAAAAA"}, bob = {"AAAAAAAAAAAAAAAAAAAAAQ"};

static enum password_verdict verify(const char *password, const struct crypto_hash *key, const struct id *account,
                                    const char *phc)
{
    enum password_verdict v = PASSWORD_WRONG;
    ck_ok(password_verify(slice_str(password), key, account, phc, &v));
    return v;
}

START_TEST(what_is_kept)
{
    char phc[PASSWORD_PHC_BYTES], again[PASSWORD_PHC_BYTES];
    const struct crypto_hash other_key = {{9}};
    ck_ok(password_hash(SLICE("correct horse"), &kit_key, &anna, cheap, phc));
    ck_ok(password_hash(SLICE("correct horse"), &kit_key, &anna, cheap, again));
    const struct {
        struct slice password, salt_of;
    } asked[] = {{SLICE("correct horse"), SLICE("s 1")},
                 {SLICE("correct horse"), SLICE("s 1")},
                 {SLICE("correct horse"), SLICE("s 2")},
                 {SLICE("Correct horse"), SLICE("s 1")}};
    char bound[ARRAY_LEN(asked)][PASSWORD_PHC_BYTES];
    enum password_verdict right;
    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        ck_ok(password_hash_bound(asked[i].password, &kit_key, &anna, cheap, asked[i].salt_of, bound[i]));
        ck_ok(password_verify(asked[i].password, &kit_key, &anna, bound[i], &right));
        ck_assert_int_ne(right, PASSWORD_WRONG);
        ck_assert_int_eq(strcmp(bound[i], bound[0]) == 0, i < 2);
    }
    ck_assert_str_ne(phc, again); /* its salt differs */
    ck_assert_msg(strncmp(phc, "$argon2id$v=19$m=64,t=1,p=1,keyid=", 34) == 0, "%s", phc);
    ck_assert_int_eq(verify("correct horse", &kit_key, &anna, phc), PASSWORD_RIGHT_OLD); /* of an older cost */
    ck_assert_int_eq(verify("Correct horse", &kit_key, &anna, phc), PASSWORD_WRONG);
    ck_assert_int_eq(verify("correct horse ", &kit_key, &anna, phc), PASSWORD_WRONG);
    ck_assert_int_eq(verify("", &kit_key, &anna, phc), PASSWORD_WRONG);
    ck_assert_int_eq(verify("correct horse", &other_key, &anna, phc), PASSWORD_WRONG);
    ck_assert_int_eq(verify("correct horse", &kit_key, &bob, phc), PASSWORD_WRONG); /* a row copied to another account */
    ck_ok(password_hash(SLICE("correct horse"), &kit_key, &anna, password_cost_now(), phc));
    ck_assert_int_eq(verify("correct horse", &kit_key, &anna, phc), PASSWORD_RIGHT);
    password_dummy(phc);
    ck_assert_int_eq(verify("correct horse", &kit_key, &anna, phc), PASSWORD_WRONG);
    ck_assert_int_eq(verify("", &kit_key, &anna, phc), PASSWORD_WRONG);
}
END_TEST

/* Argon2id of libsodium and the order of our steps, as of today: whoever changes one locks everybody out. */
START_TEST(what_was_kept_still_opens)
{
    static const unsigned char salt[CRYPTO_SALT_BYTES] = "0123456789abcdef";
    struct crypto_hash raw;
    char text[CRYPTO_B64_BYTES];
    ck_ok(crypto_argon2id(SLICE("password"), salt, 64, 2, &raw));
    crypto_b64(raw.bytes, sizeof raw.bytes, text);
    ck_assert_str_eq(text,
                     "+4O1cR/ZHfYwtjZ33uYszRPubwxIl9hWtJVCubHpl1s"); /* argon2(1) -id -t 2 -k 64 -p 1 -l 32 says the same */
    ck_assert_int_eq(
        verify(
            "password", &kit_key, &anna,
            "$argon2id$v=19$m=64,t=2,p=1,keyid=qW7puSQf$spbRB4+XiBirB+kRFciu7w$9XbhT1lJErA9aVQCb8r/kzxThmvobnu+/eD+MsTJlK0"),
        PASSWORD_RIGHT_OLD);
    ck_err(crypto_argon2id(SLICE("x"), salt, 4, 1, &raw), KEER_ERANGE);
    ck_err(crypto_argon2id(SLICE("x"), salt, 64, 0, &raw), KEER_ERANGE);
}
END_TEST

START_TEST(broken_rows_are_refused)
{
    static const char *const bad[] = {
        "",
        "$argon2i$v=19$m=64,t=1,p=1,keyid=AAAAAAAA$MDEyMzQ1Njc4OWFiY2RlZg$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=16$m=64,t=1,p=1,keyid=AAAAAAAA$MDEyMzQ1Njc4OWFiY2RlZg$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=64,t=1,p=2,keyid=AAAAAAAA$MDEyMzQ1Njc4OWFiY2RlZg$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        ("$argon2id$v=19$m=9999999999,t=1,p=1,keyid=AAAAAAAA$MDEyMzQ1Njc4OWFiY2RlZg$"
         "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        "$argon2id$v=19$m=64,t=0,p=1,keyid=AAAAAAAA$MDEyMzQ1Njc4OWFiY2RlZg$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=64,t=1,p=1,keyid=AAAAAAAA$short$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=64,t=1,p=1,keyid=AAAAAAAA$MDEyMzQ1Njc4OWFiY2RlZg$AAAA",
        "$argon2id$v=19$m=64,t=1,p=1,keyid=AAAAAAAA$MDEyMzQ1Njc4OWFiY2RlZg$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA$more",
        "$argon2id$v=19$m=64,t=1,p=1,keyid=AAAAAAAA,x=1$MDEyMzQ1Njc4OWFiY2RlZg$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    };
    enum password_verdict v = PASSWORD_RIGHT;
    ck_err(password_verify(SLICE("x"), &kit_key, &anna, bad[_i], &v), KEER_EFORMAT);
    ck_assert_int_eq(v, PASSWORD_RIGHT);
}
END_TEST

static const struct {
    const char *password;
    bool second;
    enum password_flaw flaw;
} judged[] = {
    {"orange bicycle under seven lamps", false, PASSWORD_FINE},
    {"orange bicycle under seven lamps", true, PASSWORD_FINE},
    {"tg7-Kq9!xzP2", true, PASSWORD_FINE},
    {"tg7-Kq9!xzP2", false, PASSWORD_TOO_SHORT},
    {"\xE6\xA9\x99\xE8\x89\xB2\xE8\x87\xAA\xE8\xA1\x8C\xE8\xBD\xA6\xE5\x9C\xA8\xE4\xB8\x83\xE7\x9B\x8F\xE7\x81\xAF\xE4\xB8"
     "\x8B\xE9\x9D\xA2\xE5\x81\x9C\xE7\x9D\x80\xE5\xBE\x88\xE5\xAE\x89",
     false, PASSWORD_FINE}, /* 15 ideographs */
    {"\xE6\xA9\x99\xE8\x89\xB2\xE8\x87\xAA\xE8\xA1\x8C\xE8\xBD\xA6", false,
     PASSWORD_TOO_SHORT}, /* 15 bytes, 5 code points */
    {"", true, PASSWORD_TOO_SHORT},
    {"1234567", true, PASSWORD_TOO_SHORT},
    {"P@ssw0rd1", true, PASSWORD_COMMON},
    {"woaini1314520", true, PASSWORD_COMMON},
    {"WoAiNi1314520", true, PASSWORD_COMMON},
    {"applestore2018", true, PASSWORD_COMMON},
    {"correcthorsebatterystaple", false, PASSWORD_COMMON},
    {"5201314520", true, PASSWORD_COMMON},
    {"annadevries1984", false, PASSWORD_CONTEXT},
    {"anna.de.vries@example.org", false, PASSWORD_CONTEXT},
    {"Keersluis2026Vries", false, PASSWORD_CONTEXT},
    {"annadevries under seven lamps", false, PASSWORD_FINE},
    {"aaaaaaaaaaaaaaaaaaaaaaaa", false, PASSWORD_GUESSABLE},
    {"qwertyqwertyqwertyqwerty", false, PASSWORD_GUESSABLE},
    {"abcdefgh12345678", false, PASSWORD_GUESSABLE},
    {"woaini5201314woaini5201314", false, PASSWORD_GUESSABLE},
    {"zhangwei5201314", false, PASSWORD_GUESSABLE},
    {"a\xFF"
     "bcdefghijklmnopq",
     false, PASSWORD_NOT_TEXT},
};

static struct password_rules rules_of(bool second)
{
    return (struct password_rules){
        .second_factor = second,
        .context = {SLICE("anna"), SLICE("vries"), SLICE("example"), SLICE("org"), SLICE("Keersluis")},
        .context_count = 5};
}

START_TEST(what_may_be_one)
{
    struct password_rules r = rules_of(judged[_i].second);
    enum password_flaw f = password_judge(slice_str(judged[_i].password), &r);
    ck_assert_msg(f == judged[_i].flaw, "%s is %s, %.1f bits", judged[_i].password, password_flaw_code(f),
                  password_bits(slice_str(judged[_i].password), &r));
}
END_TEST

START_TEST(long_passwords)
{
    static const char words[] = "orange bicycle under seven lamps beside a quiet canal ";
    char text[PASSWORD_BYTES_MAX + 8];
    struct password_rules r = rules_of(false);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = words[i % (sizeof words - 1)];
    ck_assert_int_eq(password_judge(slice_of(text, PASSWORD_POINTS_MAX), &r), PASSWORD_FINE);
    ck_assert_int_eq(password_judge(slice_of(text, PASSWORD_POINTS_MAX + 1), &r), PASSWORD_TOO_LONG);
    ck_assert_int_eq(password_judge(slice_of(text, sizeof text), &r), PASSWORD_TOO_LONG);
    text[20] = '\0';
    ck_assert_int_eq(password_judge(slice_of(text, 40), &r), PASSWORD_NOT_TEXT);
    for (size_t i = 0; i + 3 < PASSWORD_BYTES_MAX; i += 4) /* 256 code points of four bytes: still none too long */
        memcpy(text + i, i % 8 ? "\xF0\x9F\x98\x80" : "\xF0\x9F\x8C\x99", 4);
    ck_assert_int_ne(password_judge(slice_of(text, PASSWORD_BYTES_MAX), &r), PASSWORD_TOO_LONG);
}
END_TEST

/* --- stolen ones --- */

static void write_list(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    ck_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

START_TEST(stolen_ones_are_found)
{
    struct breached *b;
    struct breached_why why;
    char line[64], path[500];
    unsigned char hash[CRYPTO_SHA1_BYTES];
    struct buf text;
    scratch_make(&kit_scratch);
    (void)snprintf(path, sizeof path, "%s", scratch_path(&kit_scratch, "list"));
    /* A sorted list around three hashes; _i: upper case with counts, lower case alone, ten digits, CRLF. */
    buf_init(&text, 1u << 20);
    const char *in[] = {"hunter2hunter2hunter2", "orange bicycle", "password"};
    for (unsigned long at = 0; at < 4096; at++) {
        (void)snprintf(line, sizeof line, "%03lx00000000000000000000000000000000000ff", at);
        for (size_t k = 0; k < ARRAY_LEN(in); k++) {
            char hex[41];
            crypto_sha1(slice_str(in[k]), hash);
            for (size_t i = 0; i < sizeof hash; i++)
                (void)snprintf(hex + 2 * i, 3, "%02x", hash[i]);
            if (strncmp(hex, line, 3) == 0)
                memcpy(line, hex, 40);
        }
        if (_i == 2)
            line[10] = '\0';
        for (char *p = line; _i == 0 && *p; p++)
            *p = (char)(*p >= 'a' ? *p - 32 : *p);
        buf_fmt(&text, "%s%s%s", line, _i == 0 && at % 3 ? ":1234567" : "", _i == 3 ? "\r\n" : "\n");
    }
    write_list(path, text.p);
    enum keer_err err = breached_open(path, &b, &why);
    ck_assert_msg(err == KEER_OK, "%s", why.text);
    for (size_t k = 0; k < ARRAY_LEN(in); k++)
        ck_assert_msg(breached_has(b, slice_str(in[k])), "%s", in[k]);
    for (int i = 0; i < 2000; i++) {
        (void)snprintf(line, sizeof line, "not in it %d", i);
        ck_assert_msg(!breached_has(b, slice_str(line)), "%s", line);
    }
    struct password_rules r = {.second_factor = true, .breached = b};
    ck_assert_int_eq(password_judge(SLICE("orange bicycle"), &r), PASSWORD_BREACHED);
    breached_close(b);
    buf_release(&text);
    scratch_remove(&kit_scratch);
}
END_TEST

START_TEST(wrong_lists_are_refused)
{
    static const char *const bad[] = {"",
                                      "hello\n",
                                      "0123\n",
                                      "BBBBBBBBBBBBBBBBBBBB\nAAAAAAAAAAAAAAAAAAAA\n",
                                      "AAAAAAAAAAAAAAAAAAAA\nBBBBBBBBBB\n",
                                      "AAAAAAAAAAAAAAAAAAAA\nBBBBBBBBBBBBBBBBBBBBx\n",
                                      "AAAAAAAAAAAAAAAAAAAA\n\nBBBBBBBBBBBBBBBBBBBB\n"};
    struct breached *b = NULL;
    struct breached_why why = {""};
    scratch_make(&kit_scratch);
    write_list(scratch_path(&kit_scratch, "list"), bad[_i]);
    ck_assert(breached_open(scratch_path(&kit_scratch, "list"), &b, &why) != KEER_OK);
    ck_assert(b == NULL && strlen(why.text) > 10);
    ck_err(breached_open(scratch_path(&kit_scratch, "nothing"), &b, &why), KEER_EIO);
    scratch_remove(&kit_scratch);
}
END_TEST

START_TEST(one_line_is_a_list)
{
    struct breached *b;
    struct breached_why why;
    scratch_make(&kit_scratch);
    write_list(scratch_path(&kit_scratch, "list"), "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:3"); /* SHA-1 of "password" */
    ck_ok(breached_open(scratch_path(&kit_scratch, "list"), &b, &why));
    ck_assert(breached_has(b, SLICE("password")));
    ck_assert(!breached_has(b, SLICE("passwore")));
    breached_close(b);
    scratch_remove(&kit_scratch);
}
END_TEST

/* --- the thread --- */

START_TEST(places_are_bounded)
{
    struct password_worker *w;
    char phc[PASSWORD_PHC_BYTES], fresh[PASSWORD_PHC_BYTES];
    enum password_verdict v = PASSWORD_WRONG;
    ck_ok(password_worker_new(&kit_key, 2, &w));
    ck_assert(password_worker_place(w) && password_worker_place(w));
    ck_assert(!password_worker_place(w));
    password_worker_give_back(w);
    ck_assert(password_worker_place(w));
    ck_err(password_worker_hash(w, SLICE("x"), &anna, phc), KEER_EUNSUPPORTED); /* it does not run */
    ck_ok(password_worker_start(w));
    ck_assert(password_worker_place(w));
    ck_ok(password_worker_hash(w, SLICE("x"), &anna, phc));
    ck_assert(password_worker_place(w));
    ck_ok(password_worker_verify(w, SLICE("x"), &anna, phc, &v, fresh));
    ck_assert_int_eq(v, PASSWORD_RIGHT);
    ck_assert_str_eq(fresh, "");
    ck_ok(password_hash(SLICE("x"), &kit_key, &anna, cheap, phc));
    password_worker_give_back(w);
    ck_assert(password_worker_place(w));
    ck_ok(password_worker_verify(w, SLICE("x"), &anna, phc, &v, fresh));
    ck_assert_int_eq(v, PASSWORD_RIGHT_OLD);
    ck_assert_int_eq(verify("x", &kit_key, &anna, fresh), PASSWORD_RIGHT);
    ck_assert_uint_eq(atomic_load(&password_worker_statistics(w)->waiting), 0);
    password_worker_free(w);
}
END_TEST

static void *hash_some(void *ctx)
{
    struct password_worker *w = ctx;
    char phc[PASSWORD_PHC_BYTES];
    for (int i = 0; i < 3; i++)
        if (password_worker_place(w) && password_worker_hash(w, SLICE("orange"), &anna, phc) != KEER_OK)
            return w;
    return NULL;
}

START_TEST(many_ask_at_once)
{
    struct password_worker *w;
    pthread_t t[16];
    void *failed;
    ck_ok(password_worker_new(&kit_key, 4, &w));
    ck_ok(password_worker_start(w));
    for (size_t i = 0; i < ARRAY_LEN(t); i++)
        ck_assert_int_eq(pthread_create(&t[i], NULL, hash_some, w), 0);
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        ck_assert_int_eq(pthread_join(t[i], &failed), 0);
        ck_assert(failed == NULL);
    }
    struct password_worker_stats *s = password_worker_statistics(w);
    ck_assert_uint_eq(atomic_load(&s->done) + atomic_load(&s->full), 48);
    ck_assert_uint_ge(atomic_load(&s->done), 4);
    password_worker_free(w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("password");
    TCase *c = tcase_create("password");
    if (crypto_start() != KEER_OK)
        return 1;
    tcase_set_timeout(c, 120);
    tcase_add_test(c, what_is_kept);
    tcase_add_test(c, what_was_kept_still_opens);
    tcase_add_loop_test(c, broken_rows_are_refused, 0, 11);
    tcase_add_loop_test(c, what_may_be_one, 0, ARRAY_LEN(judged));
    tcase_add_test(c, long_passwords);
    tcase_add_loop_test(c, stolen_ones_are_found, 0, 4);
    tcase_add_loop_test(c, wrong_lists_are_refused, 0, 7);
    tcase_add_test(c, one_line_is_a_list);
    tcase_add_test(c, places_are_bounded);
    tcase_add_test(c, many_ask_at_once);
    suite_add_tcase(s, c);
    return test_main(s);
}
