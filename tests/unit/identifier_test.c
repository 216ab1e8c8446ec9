/* identifier_test.c - one canonical form for each name, and a reason for each refusal; ids, UTF-8, names of people. */
#include "base/utf8.h"
#include "lib/account_kit.h"

static const struct {
    enum identifier_kind kind;
    const char *text, *canonical;
} taken[] = {
    {IDENTIFIER_EMAIL, "Anna.de.Vries@Example.ORG", "anna.de.vries@example.org"},
    {IDENTIFIER_EMAIL, "  a@b.nl \t", "a@b.nl"},
    {IDENTIFIER_EMAIL, "a.b+shop@gmail.com", "a.b+shop@gmail.com"}, /* dots and tags are not folded */
    {IDENTIFIER_EMAIL, "o'neil/x=y@xn--fsqu00a.xn--0zwm56d", "o'neil/x=y@xn--fsqu00a.xn--0zwm56d"},
    {IDENTIFIER_EMAIL, "a@1.2.3.nl", "a@1.2.3.nl"},
    {IDENTIFIER_PHONE, "+31 (0)6", NULL},
    {IDENTIFIER_PHONE, "+31 6-12.34(56)78", "+31612345678"},
    {IDENTIFIER_PHONE, "+8613800138000", "+8613800138000"},
    {IDENTIFIER_USER_NAME, "Anna_1984", "anna_1984"},
    {IDENTIFIER_USER_NAME,
     "\xE5\xBC\xA0\xE4\xBC\x9F"
     "88",
     "\xE5\xBC\xA0\xE4\xBC\x9F"
     "88"},
    {IDENTIFIER_SUBJECT, "User:0001/A", "User:0001/A"},
};

START_TEST(what_is_taken)
{
    struct identifier i;
    struct identifier_why why;
    enum keer_err err = identifier_canon(taken[_i].kind, slice_str(taken[_i].text), &i, &why);
    if (!taken[_i].canonical) {
        ck_assert_int_eq(err, KEER_EFORMAT);
        return;
    }
    ck_assert_msg(err == KEER_OK, "%s: %s", taken[_i].text, why.text);
    ck_assert_str_eq(i.text, taken[_i].canonical);
    if (taken[_i].kind != IDENTIFIER_SUBJECT) { /* the canonical form is its own, and its kind is told from its characters */
        struct identifier again;
        ck_ok(identifier_guess(slice_str(i.text), &again, &why));
        ck_assert_str_eq(again.text, i.text);
        ck_assert_int_eq(again.kind, i.kind);
    }
}
END_TEST

static const struct {
    enum identifier_kind kind;
    const char *text, *says;
} refused[] = {
    {IDENTIFIER_EMAIL, "", "empty"},
    {IDENTIFIER_EMAIL, "   ", "empty"},
    {IDENTIFIER_EMAIL, "anna", "has an @"},
    {IDENTIFIER_EMAIL, "@example.org", "1 to 64"},
    {IDENTIFIER_EMAIL, "a@", "1 to 253"},
    {IDENTIFIER_EMAIL, "a@b@c.nl", "letters, digits, hyphens"},
    {IDENTIFIER_EMAIL, "a@localhost", "whole one"},
    {IDENTIFIER_EMAIL, "a@example.org.", "is empty"},
    {IDENTIFIER_EMAIL, "a@-b.nl", "hyphen"},
    {IDENTIFIER_EMAIL, "a@b-.nl", "hyphen"},
    {IDENTIFIER_EMAIL, "a@b..nl", "empty"},
    {IDENTIFIER_EMAIL, "a@127.0.0.1", "whole one"},
    {IDENTIFIER_EMAIL, "a@[127.0.0.1]", "letters, digits, hyphens"},
    {IDENTIFIER_EMAIL, "a..b@c.nl", "dot too many"},
    {IDENTIFIER_EMAIL, ".a@c.nl", "dot too many"},
    {IDENTIFIER_EMAIL, "a.@c.nl", "dot too many"},
    {IDENTIFIER_EMAIL, "\"a b\"@c.nl", "a few signs only"},
    {IDENTIFIER_EMAIL, "a b@c.nl", "a few signs only"},
    {IDENTIFIER_EMAIL, "a\r\nBcc: x@c.nl", "a few signs only"},
    {IDENTIFIER_EMAIL, "a<script>@c.nl", "a few signs only"},
    {IDENTIFIER_EMAIL, "\xEF\xBD\x81@c.nl", "full-width"},       /* a, full-width */
    {IDENTIFIER_EMAIL, "a@c\xE3\x80\x82nl", "full-width"},       /* ideographic full stop */
    {IDENTIFIER_EMAIL, "\xD0\xB0nna@c.nl", "may look like one"}, /* Cyrillic a */
    {IDENTIFIER_EMAIL, "ann\xCE\xB1@c.nl", "may look like one"}, /* Greek alpha */
    {IDENTIFIER_EMAIL, "a@ex\xC3\xA1mple.org", "may look like one"},
    {IDENTIFIER_EMAIL, "a\xFF@c.nl", "no text"},
    {IDENTIFIER_PHONE, "0612345678", "begins with +"},
    {IDENTIFIER_PHONE, "+0612345678", "8 to 15"},
    {IDENTIFIER_PHONE, "+1234567", "8 to 15"},
    {IDENTIFIER_PHONE, "+1234567890123456", "8 to 15"},
    {IDENTIFIER_PHONE, "+123456789012345678901234567890", "8 to 15"},
    {IDENTIFIER_PHONE, "+31x612345678", "digits only"},
    {IDENTIFIER_PHONE,
     "\xEF\xBC\x8B"
     "31612345678",
     "full-width"},
    {IDENTIFIER_PHONE, "+31\xD9\xA1\xD9\xA2", "may look like one"}, /* Arabic digits */
    {IDENTIFIER_USER_NAME, "ab", "3 to 32"},
    {IDENTIFIER_USER_NAME, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "3 to 32"},
    {IDENTIFIER_USER_NAME, "1anna", "begins with a letter"},
    {IDENTIFIER_USER_NAME, "_anna", "begins with a letter"},
    {IDENTIFIER_USER_NAME, "anna vries", "begins with a letter"},
    {IDENTIFIER_USER_NAME, "\xD0\xB0nna", "may look like one"},
    {IDENTIFIER_USER_NAME, "anna\xE5\xBC\xA0", "may look like one"}, /* scripts are not mixed */
    {IDENTIFIER_USER_NAME,
     "\xE5\xBC\xA0"
     "anna",
     "Chinese characters"},
    {IDENTIFIER_USER_NAME, "\xE5\xBC\xA0", "2 to 32"},
    {IDENTIFIER_USER_NAME, "\xE5\xBC\xA0\xEF\xA4\x80", "may look like one"}, /* a compatibility ideograph */
    {IDENTIFIER_SUBJECT, "a b", "printable"},
    {IDENTIFIER_SUBJECT, "caf\xC3\xA9", "printable"},
};

START_TEST(what_is_refused)
{
    struct identifier i = {.text = "untouched"};
    struct identifier_why why = {""};
    ck_err(identifier_canon(refused[_i].kind, slice_str(refused[_i].text), &i, &why), KEER_EFORMAT);
    ck_assert_msg(strstr(why.text, refused[_i].says) != NULL, "'%s' says: %s", refused[_i].text, why.text);
    ck_assert_str_eq(i.text, "untouched");
}
END_TEST

START_TEST(long_ones)
{
    struct identifier i;
    struct identifier_why why;
    char text[400];
    memset(text, 'a', sizeof text);
    memcpy(text + 64, "@b.nl", 6);
    ck_ok(identifier_canon(IDENTIFIER_EMAIL, slice_str(text), &i, &why));
    memset(text, 'a', sizeof text);
    memcpy(text + 65, "@b.nl", 6);
    ck_err(identifier_canon(IDENTIFIER_EMAIL, slice_str(text), &i, &why), KEER_EFORMAT);
    memset(text, 'a', sizeof text);
    ck_err(identifier_guess(slice_of(text, sizeof text), &i, &why), KEER_EFORMAT);
}
END_TEST

START_TEST(masks)
{
    static const struct {
        enum identifier_kind kind;
        const char *text, *masked;
    } rows[] = {{IDENTIFIER_EMAIL, "anna@example.org", "a***@e***.org"},
                {IDENTIFIER_PHONE, "+31612345678", "+31*****78"},
                {IDENTIFIER_USER_NAME, "anna", "***"}};
    struct buf b;
    buf_init(&b, 100);
    for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
        struct identifier i = kit_identifier(rows[k].kind, rows[k].text);
        buf_clear(&b);
        identifier_mask(&i, &b);
        ck_assert_str_eq(b.p, rows[k].masked);
    }
    buf_release(&b);
}
END_TEST

START_TEST(names_and_languages)
{
    static const char *const bad[] = {"",
                                      "  ",
                                      "a\nb",
                                      "a\x1b[31m",
                                      "\xE2\x80\xAE"
                                      "anna",
                                      "a\xE2\x80\x8B"
                                      "b",
                                      "\xC2\x85",
                                      "\xED\xA0\x80",
                                      "\xC0\x80",
                                      "a\xF4\x90\x80\x80"};
    static const char *const good[] = {"Anna", "\xE5\xBC\xA0\xE4\xBC\x9F", "O\xE2\x80\x99Neil", "<script>alert(1)</script>",
                                       "Ren\xC3\xA9 \xF0\x9F\x98\x80"};
    static const char *const locales[] = {"en", "nl-BE", "zh-Hans-CN", "es-419"},
                             *const no_locales[] = {
                                 "", "e", "e1", "en-", "-en", "en_US", "englishenglish", "en--us", "zh-Hans-CN-x-abcdefgh"};
    char room[ACCOUNT_NAME_BYTES + 1];
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        ck_assert_msg(account_name_check(slice_str(bad[i])) == KEER_EINVALID, "%zu", i);
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        ck_ok(account_name_check(slice_str(good[i])));
    memset(room, 'a', sizeof room);
    ck_err(account_name_check(slice_of(room, sizeof room)), KEER_ELIMIT);
    ck_ok(account_name_check(slice_of(room, sizeof room - 1)));
    for (size_t i = 0; i < ARRAY_LEN(locales); i++)
        ck_assert_msg(account_locale_check(slice_str(locales[i])) == KEER_OK, "%s", locales[i]);
    for (size_t i = 0; i < ARRAY_LEN(no_locales); i++)
        ck_assert_msg(account_locale_check(slice_str(no_locales[i])) == KEER_EINVALID, "%s", no_locales[i]);
}
END_TEST

START_TEST(points_are_counted)
{
    size_t n = 0;
    ck_ok(utf8_points(SLICE("a\xC3\xA9\xE5\xBC\xA0\xF0\x9F\x98\x80"), &n));
    ck_assert_uint_eq(n, 4);
    ck_err(utf8_points(SLICE("\xC1\xBF"), &n), KEER_EFORMAT); /* overlong */
    ck_err(utf8_points(SLICE("\xE5\xBC"), &n), KEER_EFORMAT); /* cut */
    ck_err(utf8_points(SLICE("\xF8\x88\x80\x80\x80"), &n), KEER_EFORMAT);
    ck_assert_uint_eq(n, 4);
}
END_TEST

START_TEST(tokens_have_one_text)
{
    struct id id, again;
    struct bearer token;
    struct crypto_hash hash, other;
    ck_ok(crypto_start());
    for (int i = 0; i < 1000; i++) {
        id_make(&id);
        ck_ok(id_parse(slice_str(id.text), &again));
        ck_assert(id_eq(&id, &again));
    }
    token_make(&token, &hash);
    ck_ok(token_hash(slice_str(token.text), &other));
    ck_assert(crypto_hash_eq(&hash, &other));
    token.text[21] = token.text[21] == 'A' ? 'B' : (char)(token.text[21] + 1); /* bits behind the 128 */
    ck_err(token_hash(slice_str(token.text), &other), KEER_EFORMAT);
    ck_err(id_parse(SLICE("AAAAAAAAAAAAAAAAAAAAA"), &id), KEER_EFORMAT);
    ck_err(id_parse(SLICE("AAAAAAAAAAAAAAAAAAAAA+"), &id), KEER_EFORMAT);
    ck_err(id_parse(SLICE("AAAAAAAAAAAAAAAAAAAAA\0"), &id), KEER_EFORMAT);
    ck_err(id_parse(SLICE(""), &id), KEER_EFORMAT);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("identifier");
    TCase *c = tcase_create("identifier");
    tcase_add_loop_test(c, what_is_taken, 0, ARRAY_LEN(taken));
    tcase_add_loop_test(c, what_is_refused, 0, ARRAY_LEN(refused));
    tcase_add_test(c, long_ones);
    tcase_add_test(c, masks);
    tcase_add_test(c, names_and_languages);
    tcase_add_test(c, points_are_counted);
    tcase_add_test(c, tokens_have_one_text);
    suite_add_tcase(s, c);
    return test_main(s);
}
