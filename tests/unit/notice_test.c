/* notice_test.c - families with their approvals; notices: the outbox, 'not me', every text in every language, mails. */
#include "lib/account_kit.h"
#include "net/mail.h"

/* --- families --- */

START_TEST(a_family_is_formed_and_ends)
{
    struct id anna = kit_account("anna@example.org"), bob = kit_account("bob@example.org"),
              eve = kit_account("eve@example.org"), family, invitation, other;
    struct family_member m, list[FAMILY_MEMBERS_MAX];
    struct family_invitation open[FAMILY_INVITATIONS_MAX];
    unsigned n = 0;
    ck_err(family_of(db, &anna, &m), KEER_EMISSING);
    ck_err(family_invite(db, &anna, &bob, FAMILY_CHILD, T0, &invitation), KEER_EMISSING);
    ck_ok(family_add(db, &anna, T0, &family));
    ck_err(family_add(db, &anna, T0, &other), KEER_ECONFLICT);
    ck_err(family_invite(db, &anna, &bob, FAMILY_ORGANISER, T0, &invitation), KEER_EINVALID);
    ck_ok(family_invite(db, &anna, &bob, FAMILY_CHILD, T0, &invitation));
    ck_err(family_invite(db, &anna, &bob, FAMILY_ADULT, T0, &other), KEER_ECONFLICT);
    ck_err(family_join(db, &eve, &invitation, T0 + 1, &m), KEER_EMISSING);                    /* not hers */
    ck_err(family_join(db, &bob, &invitation, T0 + FAMILY_INVITATION_US, &m), KEER_EMISSING); /* late */
    ck_ok(family_invitations(db, &bob, T0 + 1, open, &n));
    ck_assert(n == 1 && strcmp(open[0].organiser, "Anna") == 0);
    ck_ok(family_join(db, &bob, &invitation, T0 + 1, &m));
    ck_assert(m.role == FAMILY_CHILD && id_eq(&m.family, &family));
    ck_err(family_join(db, &bob, &invitation, T0 + 1, &m), KEER_EMISSING); /* once */
    ck_ok(family_add(db, &eve, T0, &other));
    ck_ok(family_invite(db, &anna, &eve, FAMILY_ADULT, T0, &invitation));
    ck_err(family_join(db, &eve, &invitation, T0 + 1, &m), KEER_ECONFLICT); /* she has one */
    ck_err(family_leave(db, &bob, &bob, T0 + 2), KEER_EMISSING);            /* a child does not leave by itself */
    ck_err(family_leave(db, &bob, &anna, T0 + 2), KEER_EMISSING);
    ck_err(family_leave(db, &eve, &bob, T0 + 2), KEER_EMISSING); /* another family's organiser */
    ck_ok(family_leave(db, &anna, &bob, T0 + 2));
    ck_ok(family_members(db, &family, list, &n));
    ck_assert_uint_eq(n, 1);
    ck_ok(family_leave(db, &anna, &anna, T0 + 3)); /* the organiser's leaving ends it */
    ck_err(family_of(db, &anna, &m), KEER_EMISSING);
    ck_ok(family_add(db, &anna, T0 + 4, &family));
}
END_TEST

START_TEST(families_are_bounded)
{
    struct id anna = kit_account("anna@example.org"), family, who, invitation;
    struct family_member m;
    char text[32];
    ck_ok(family_add(db, &anna, T0, &family));
    for (unsigned i = 0; i < FAMILY_MEMBERS_MAX; i++) {
        (void)snprintf(text, sizeof text, "m%u@example.org", i);
        who = kit_account(text);
        ck_ok(family_invite(db, &anna, &who, FAMILY_ADULT, T0, &invitation));
        enum keer_err err = family_join(db, &who, &invitation, T0, &m);
        ck_assert_int_eq(err, i + 1 < FAMILY_MEMBERS_MAX ? KEER_OK : KEER_ELIMIT);
    }
    for (unsigned i = 0; i <= FAMILY_INVITATIONS_MAX; i++) {
        (void)snprintf(text, sizeof text, "i%u@example.org", i);
        who = kit_account(text);
        enum keer_err err = family_invite(db, &anna, &who, FAMILY_ADULT, T0, &invitation);
        ck_assert_int_eq(err, i < FAMILY_INVITATIONS_MAX ? KEER_OK : KEER_ELIMIT);
    }
    ck_err(family_decline(db, &who, &invitation), KEER_EMISSING);
    ck_ok(family_decline(db, &anna, &invitation)); /* the organiser takes it back */
}
END_TEST

START_TEST(an_approval_is_for_one_thing_once)
{
    struct id anna = kit_account("anna@example.org"), bob = kit_account("bob@example.org"), family, invitation, id;
    struct family_member m;
    struct approval_new n = {.account = bob, .what = SLICE("648 coins"), .currency = SLICE("CNY"), .amount_minor = 64800},
                        more = n;
    struct family_approval list[FAMILY_APPROVALS_MAX];
    unsigned count = 0;
    ck_err(approval_ask(db, &n, T0, &id), KEER_EMISSING); /* in no family */
    ck_ok(family_add(db, &anna, T0, &family));
    ck_ok(family_invite(db, &anna, &bob, FAMILY_CHILD, T0, &invitation));
    ck_ok(family_join(db, &bob, &invitation, T0, &m));
    more.account = anna;
    ck_err(approval_ask(db, &more, T0, &id), KEER_EMISSING); /* the organiser asks nobody */
    more = n;
    more.amount_minor = 0;
    ck_err(approval_ask(db, &more, T0, &id), KEER_EINVALID);
    ck_ok(approval_ask(db, &n, T0, &id));
    ck_err(approval_use(db, &n, &id, T0 + 1), KEER_EMISSING);            /* not granted */
    ck_err(approval_answer(db, &bob, &id, true, T0 + 1), KEER_EMISSING); /* by himself */
    ck_ok(approval_answer(db, &anna, &id, true, T0 + 1));
    ck_err(approval_answer(db, &anna, &id, false, T0 + 1), KEER_EMISSING); /* once */
    more = n;
    more.amount_minor = 64801;
    ck_err(approval_use(db, &more, &id, T0 + 2), KEER_EMISSING);
    more = n;
    more.what = SLICE("649 coins");
    ck_err(approval_use(db, &more, &id, T0 + 2), KEER_EMISSING);
    ck_err(approval_use(db, &n, &id, T0 + FAMILY_APPROVAL_US), KEER_EMISSING); /* late */
    ck_ok(approval_use(db, &n, &id, T0 + 2));
    ck_err(approval_use(db, &n, &id, T0 + 2), KEER_EMISSING); /* once */
    ck_ok(approval_ask(db, &n, T0, &id));
    ck_ok(approval_answer(db, &anna, &id, false, T0 + 1));
    ck_err(approval_use(db, &n, &id, T0 + 2), KEER_EMISSING);
    ck_ok(approval_list(db, &family, T0 + 2, list, &count));
    ck_assert_uint_eq(count, 2);
    for (unsigned i = 0; i < FAMILY_APPROVALS_MAX; i++)
        ck_ok(approval_ask(db, &n, T0 + 3, &id));
    ck_err(approval_ask(db, &n, T0 + 3, &id), KEER_ELIMIT);
}
END_TEST

/* --- the outbox --- */

static const struct notice_kinds all = {IDENTIFIER_EMAIL, IDENTIFIER_KIND_MAX - 1};

START_TEST(a_notice_goes_to_every_address)
{
    struct id anna = kit_account("anna@example.org"), contact;
    struct identifier second = kit_identifier(IDENTIFIER_EMAIL, "second@example.org"),
                      third = kit_identifier(IDENTIFIER_EMAIL, "third@example.org");
    struct notice_new n = {
        .account = anna, .kind = NOTICE_PASSWORD_CHANGED, .what = SLICE("firefox"), .where = SLICE("192.0.2.1")};
    struct notice due[8];
    struct notice_figures f;
    unsigned count = 0;
    ck_ok(contact_add(db, &anna, &second, T0, T0, &contact));
    ck_ok(contact_add(db, &anna, &third, /* verified_us */ 0, T0, &contact));
    ck_ok(notice_add(db, &kit_key, &n, T0 + 1, &count));
    ck_assert_uint_eq(count, 2); /* not to what is not verified */
    ck_ok(notice_due(db, &all, T0, 8, due, &count));
    ck_assert_uint_eq(count, 0);
    ck_ok(notice_due(db, &all, T0 + 1, 8, due, &count));
    ck_assert_uint_eq(count, 2);
    ck_assert(!id_eq(&due[0].id, &due[1].id) && strcmp(due[0].to.text, due[1].to.text) != 0);
    ck_assert_str_eq(due[0].locale, "nl");
    ck_ok(notice_settle(db, &due[0].id, NOTICE_SENT, 0, SLICE(""), T0 + 2));
    ck_err(notice_settle(db, &due[0].id, NOTICE_SENT, 0, SLICE(""), T0 + 2), KEER_EMISSING);
    ck_ok(notice_settle(db, &due[1].id, NOTICE_LATER, T0 + 100, SLICE("4yz"), T0 + 2));
    ck_ok(notice_due(db, &all, T0 + 99, 8, due, &count));
    ck_assert_uint_eq(count, 0);
    ck_ok(notice_due(db, &all, T0 + 100, 8, due, &count));
    ck_assert(count == 1 && due[0].tries == 1);
    ck_ok(notice_settle(db, &due[0].id, NOTICE_DEAD, 0, SLICE("no such address"), T0 + 101));
    ck_ok(notice_count(db, &f));
    ck_assert(f.waiting == 0 && f.dead == 1 && f.oldest_us == 0);
    ck_ok(notice_recent(db, &anna, 8, due, &count));
    ck_assert_uint_eq(count, 1); /* told twice, happened once */
    const struct notice_kinds mails = {IDENTIFIER_EMAIL, IDENTIFIER_EMAIL}, texts = {IDENTIFIER_PHONE, IDENTIFIER_PHONE};
    struct identifier phone = kit_identifier(IDENTIFIER_PHONE, "+31612345678");
    n.to = &phone;
    ck_ok(notice_add(db, &kit_key, &n, T0 + 200, &count));
    ck_ok(notice_due(db, &mails, T0 + 200, 8, due, &count)); /* each way has its own */
    ck_assert_uint_eq(count, 0);
    ck_ok(notice_due(db, &texts, T0 + 200, 8, due, &count));
    ck_assert(count == 1 && strcmp(due[0].to.text, "+31612345678") == 0);
    n.what = SLICE("two\nlines");
    ck_err(notice_add(db, &kit_key, &n, T0 + 1, &count), KEER_EINVALID);
}
END_TEST

START_TEST(not_me_is_taken_once)
{
    struct id anna = kit_account("anna@example.org"), session;
    struct crypto_hash hash, other = {{3}};
    struct bearer token;
    struct notice n, due[4];
    unsigned count = 0;
    id_make(&session);
    struct notice_new add = {.account = anna,
                             .kind = NOTICE_SIGN_IN_NEW_DEVICE,
                             .about = session,
                             .what = SLICE("firefox"),
                             .where = SLICE("192.0.2.1")};
    ck_ok(notice_add(db, &kit_key, &add, T0, &count));
    add.kind = NOTICE_WELCOME;
    ck_ok(notice_add(db, &kit_key, &add, T0 + 1, &count));
    ck_ok(notice_due(db, &all, T0 + 1, 4, due, &count));
    ck_assert_uint_eq(count, 2);
    notice_not_me(&kit_key, &due[0].id, &token);
    ck_ok(token_hash(slice_str(token.text), &hash));
    ck_err(notice_take_not_me(db, &other, T0 + 1, &n), KEER_EMISSING);
    ck_err(notice_take_not_me(db, &hash, T0 + NOTICE_NOT_ME_US, &n), KEER_EMISSING); /* too old */
    ck_ok(notice_take_not_me(db, &hash, T0 + 2, &n));
    ck_assert(n.kind == NOTICE_SIGN_IN_NEW_DEVICE && id_eq(&n.about, &session) && id_eq(&n.account, &anna));
    ck_err(notice_take_not_me(db, &hash, T0 + 3, &n), KEER_EMISSING); /* once */
    notice_not_me(&kit_key, &due[1].id, &token);                      /* of a kind that tells of no change */
    ck_ok(token_hash(slice_str(token.text), &hash));
    ck_err(notice_take_not_me(db, &hash, T0 + 2, &n), KEER_EMISSING);
}
END_TEST

static const char *const locales[] = {"en", "nl", "zh-Hans", "de"};
static const struct notice_words words = {.service = "Keersluis", .url = "https://id.example.org"};

/* Every row in every language: no brace is left, a code stands where it says so, and so does 'not me'. */
START_TEST(every_text)
{
    enum notice_kind kind = (enum notice_kind)_i;
    struct notice n = {.kind = kind, .what = "firefox", .where = "192.0.2.1", .created_us = T0, .until_us = T0 + US_DAY};
    struct buf subject, text;
    char digits[PROOF_DIGITS + 1];
    id_make(&n.id);
    id_make(&n.proof);
    proof_digits(&kit_key, &n.proof, digits);
    buf_init(&subject, 400);
    buf_init(&text, NOTICE_TEXT_BYTES);
    for (size_t l = 0; l < ARRAY_LEN(locales); l++) {
        (void)snprintf(n.locale, sizeof n.locale, "%s", locales[l]);
        buf_clear(&subject);
        buf_clear(&text);
        notice_print(&n, &kit_key, &words, &subject, &text);
        ck_assert(subject.err == KEER_OK && text.err == KEER_OK);
        ck_assert_msg(!strpbrk(subject.p, "{}\n") && !strpbrk(text.p, "{}"), "%s: %s %s", locales[l], subject.p, text.p);
        ck_assert_msg(strstr(subject.p, "Keersluis") != NULL, "%s", subject.p);
        ck_assert_msg(!strstr(subject.p, digits) == !strstr(text.p, digits), "%s", text.p);
        ck_assert_msg((strstr(text.p, "https://id.example.org/not-me#") != NULL) == notice_has_not_me(kind), "%s", text.p);
        bool code = strstr(notice_kind_code(kind), "_code") && kind != NOTICE_RECOVERY_CODE_USED &&
                    kind != NOTICE_RECOVERY_CODES_MADE;
        ck_assert_msg((strstr(text.p, digits) != NULL) == code, "%s", text.p);
    }
    buf_release(&subject);
    buf_release(&text);
}
END_TEST

/* What others chose stands in a mail as text that no mail reader makes a link of. */
START_TEST(values_are_no_links)
{
    struct notice n = {.kind = NOTICE_FAMILY_JOINED,
                       .what = "Pay at https://evil.example/now or www.evil.example @b",
                       .locale = "en",
                       .created_us = T0};
    struct buf subject, text;
    buf_init(&subject, 400);
    buf_init(&text, NOTICE_TEXT_BYTES);
    id_make(&n.id);
    notice_print(&n, &kit_key, &words, &subject, &text);
    ck_assert_msg(!strstr(text.p, "evil.example") && !strstr(text.p, "https://evil") && strstr(text.p, "Pay at"), "%s",
                  text.p);
    buf_release(&subject);
    buf_release(&text);
}
END_TEST

/* --- mails --- */

START_TEST(a_mail)
{
    struct mail_server server = {.url = "smtp://127.0.0.1", .from = "id@example.org", .name = "Keersluis"};
    struct mail m = {.to = "anna@example.org",
                     .id = "AAAA",
                     .subject = SLICE("\xE6\x82\xA8\xE7\x9A\x84 Keersluis \xE9\xAA\x8C\xE8\xAF\x81\xE7\xA0\x81 12345678, "
                                      "and a long subject that wants two words"),
                     .text = SLICE("Hello,\n.\nQUIT\r\n.\r\n"),
                     .time_us = T0};
    struct buf b;
    buf_init(&b, MAIL_BYTES);
    mail_print(&server, &m, &b);
    ck_assert_int_eq(b.err, KEER_OK);
    ck_assert_msg(strstr(b.p, "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n") != NULL, "%s", b.p);
    ck_assert(strstr(b.p, "To: <anna@example.org>\r\n") && strstr(b.p, "Message-ID: <AAAA@example.org>\r\n"));
    for (struct slice rest = buf_view(&b); rest.len;) { /* lines are short, and none is a dot alone */
        struct slice line = slice_cut(&rest, '\n');
        ck_assert(line.len <= 100 && line.len >= 1 && line.p[line.len - 1] == '\r');
        ck_assert(line.p[0] != '.');
    }
    buf_release(&b);
}
END_TEST

START_TEST(addresses_of_mail_servers)
{
    static const char *const good[] = {"smtp://mail.example.org", "smtps://mail.example.org:465",
                                       "smtp://user:pass@127.0.0.1:2525"};
    static const char *const bad[] = {"",        "mail.example.org/x",           "http://mail.example.org",
                                      "smtp://", "smtp://mail.example.org/path", "file:///etc/passwd"};
    char why[MAIL_WHY_BYTES];
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        ck_assert_msg(mail_server_check(slice_str(good[i]), why) == KEER_OK, "%s: %s", good[i], why);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        ck_assert_msg(mail_server_check(slice_str(bad[i]), why) == KEER_EINVALID, "%s", bad[i]);
}
END_TEST

START_TEST(nobody_answers)
{
    struct mail_server server = {
        .url = "smtp://127.0.0.1:1", .from = "id@example.org", .name = "Keersluis", .whole_us = US_SECOND};
    struct mail m = {.to = "anna@example.org", .id = "AAAA", .subject = SLICE("x"), .text = SLICE("x"), .time_us = T0};
    char why[MAIL_WHY_BYTES] = "";
    ck_assert_int_eq(mail_send(&server, &m, why), MAIL_LATER);
    ck_assert(why[0]);
}
END_TEST

START_TEST(every_call_may_fail)
{
    struct id anna = kit_account("anna@example.org"), bob = kit_account("bob@example.org"), family, id;
    struct notice_new n = {.account = anna, .kind = NOTICE_WELCOME};
    struct notice due[4];
    struct family_member m;
    unsigned count;
    kit_keep();
    for (uint64_t at = 1, hit = 1; hit; at++) {
        db_fail_arm(at, false);
        enum keer_err err = notice_add(db, &kit_key, &n, T0, &count);
        if (err == KEER_OK)
            err = notice_due(db, &all, T0, 4, due, &count);
        if (err == KEER_OK)
            err = family_add(db, &anna, T0, &family);
        if (err == KEER_OK)
            err = family_invite(db, &anna, &bob, FAMILY_ADULT, T0, &id);
        if (err == KEER_OK)
            err = family_join(db, &bob, &id, T0, &m);
        if (err == KEER_OK)
            err = family_leave(db, &anna, &anna, T0);
        hit = db_fail_hit();
        db_fail_arm(0, false);
        ck_assert_int_eq(err, hit ? KEER_EIO : KEER_OK);
        db_rollback(db);
        ck_ok(db_begin(db));
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("notice");
    TCase *c = tcase_create("notice");
    tcase_add_checked_fixture(c, kit_open, kit_close);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, a_family_is_formed_and_ends);
    tcase_add_test(c, families_are_bounded);
    tcase_add_test(c, an_approval_is_for_one_thing_once);
    tcase_add_test(c, a_notice_goes_to_every_address);
    tcase_add_test(c, not_me_is_taken_once);
    tcase_add_loop_test(c, every_text, 0, NOTICE_KIND_MAX);
    tcase_add_test(c, values_are_no_links);
    tcase_add_test(c, a_mail);
    tcase_add_test(c, addresses_of_mail_servers);
    tcase_add_test(c, nobody_answers);
    tcase_add_test(c, every_call_may_fail);
    suite_add_tcase(s, c);
    return test_main(s);
}
