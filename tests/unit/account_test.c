/* account_test.c - accounts, devices, sessions, contacts, proofs: states, limits, refusals, and every call failing once. */
#include "lib/account_kit.h"

/* --- accounts --- */

START_TEST(states_of_an_account)
{
    struct account a;
    struct id id = kit_account("anna@example.org"), nobody, found;
    struct crypto_hash token;
    struct session s;
    struct identifier email = kit_identifier(IDENTIFIER_EMAIL, "anna@example.org");
    (void)kit_session(&id, SESSION_FULL, T0, &token);
    ck_ok(session_find(db, &token, T0 + 1, &s));
    id_make(&nobody);
    ck_err(account_read(db, &nobody, &a), KEER_EMISSING);
    ck_err(account_freeze(db, &nobody, SLICE("x"), T0), KEER_EMISSING);
    ck_err(account_freeze(db, &id, SLICE("a\nb"), T0), KEER_EINVALID);
    ck_err(account_thaw(db, &id, T0), KEER_EMISSING); /* it is not frozen */
    ck_ok(account_freeze(db, &id, SLICE("a report"), T0 + 1));
    ck_ok(account_freeze(db, &id, SLICE("another one"), T0 + 2)); /* keeps the first reason */
    ck_ok(account_read(db, &id, &a));
    ck_assert_int_eq(a.state, ACCOUNT_FROZEN);
    ck_assert_str_eq(a.frozen_why, "a report");
    ck_assert_int_eq(a.state_us, T0 + 1);
    ck_err(session_find(db, &token, T0 + 2, &s), KEER_EMISSING); /* its sessions ended */
    ck_ok(account_thaw(db, &id, T0 + 3));
    ck_err(session_find(db, &token, T0 + 3, &s), KEER_EMISSING); /* for good */
    ck_ok(account_read(db, &id, &a));
    ck_assert(a.state == ACCOUNT_ACTIVE && !a.frozen_why[0]);
    ck_ok(account_close(db, &id, T0 + 4));
    ck_err(account_close(db, &id, T0 + 5), KEER_EMISSING);
    ck_err(account_freeze(db, &id, SLICE("x"), T0 + 5), KEER_EMISSING);
    ck_err(account_thaw(db, &id, T0 + 5), KEER_EMISSING);
    ck_err(identifier_find(db, &email, &found), KEER_EMISSING); /* the address is free again */
}
END_TEST

START_TEST(an_identifier_is_one_accounts)
{
    struct id anna = kit_account("anna@example.org"), bob = kit_account("bob@example.org"), found;
    struct identifier email = kit_identifier(IDENTIFIER_EMAIL, "ANNA@EXAMPLE.ORG"),
                      user = kit_identifier(IDENTIFIER_USER_NAME, "Anna"), list[IDENTIFIERS_MAX];
    unsigned n = 0;
    char name[16];
    ck_err(identifier_add(db, &bob, &email, T0), KEER_ECONFLICT);
    ck_err(identifier_add(db, &anna, &email, T0), KEER_ECONFLICT);
    ck_ok(identifier_find(db, &email, &found)); /* and the transaction went on */
    ck_assert(id_eq(&found, &anna));
    ck_err(identifier_remove(db, &bob, &email), KEER_EMISSING);
    ck_ok(identifier_add(db, &anna, &user, T0 + 1));
    ck_ok(identifier_list(db, &anna, list, &n));
    ck_assert_uint_eq(n, 2);
    ck_assert_str_eq(list[1].text, "anna");
    ck_ok(identifier_remove(db, &anna, &user));
    ck_ok(identifier_add(db, &bob, &user, T0 + 1));
    for (unsigned i = 1; i < IDENTIFIERS_MAX; i++) {
        (void)snprintf(name, sizeof name, "anna%u", i);
        user = kit_identifier(IDENTIFIER_USER_NAME, name);
        ck_ok(identifier_add(db, &anna, &user, T0));
    }
    user = kit_identifier(IDENTIFIER_USER_NAME, "onemore");
    ck_err(identifier_add(db, &anna, &user, T0), KEER_ELIMIT);
}
END_TEST

START_TEST(passwords_are_kept)
{
    struct id anna = kit_account("anna@example.org");
    struct password_row row;
    ck_err(password_read(db, &anna, &row), KEER_EMISSING);
    ck_ok(password_write(db, &anna, "one", T0));
    ck_ok(password_write(db, &anna, "two", T0 + 1));
    ck_ok(password_read(db, &anna, &row));
    ck_assert_str_eq(row.phc, "two");
    ck_assert_int_eq(row.changed_us, T0 + 1);
    ck_err(password_renew(db, &anna, "one", "three"), KEER_EMISSING); /* it was changed meanwhile */
    ck_ok(password_renew(db, &anna, "two", "three"));
    ck_ok(password_read(db, &anna, &row));
    ck_assert_str_eq(row.phc, "three");
    ck_assert_int_eq(row.changed_us, T0 + 1); /* it is the same password */
}
END_TEST

/* --- devices --- */

START_TEST(a_browser_is_a_device_of_each_account)
{
    struct id anna = kit_account("anna@example.org"), bob = kit_account("bob@example.org");
    struct bearer token;
    struct crypto_hash hash;
    struct device d, e, f;
    bool fresh;
    token_make(&token, &hash);
    ck_err(device_find(db, &anna, &hash, &d), KEER_EMISSING);
    ck_ok(device_see(db, &anna, &hash, SLICE("firefox"), T0, &d, &fresh));
    ck_assert(fresh);
    ck_ok(device_see(db, &anna, &hash, SLICE("firefox"), T0 + 5, &e, &fresh));
    ck_assert(!fresh && id_eq(&d.id, &e.id) && e.first_us == T0 && e.last_us == T0 + 5);
    ck_ok(device_see(db, &bob, &hash, SLICE("firefox"), T0, &f, &fresh));
    ck_assert(fresh && !id_eq(&d.id, &f.id) && id_eq(&d.mark, &f.mark)); /* one mark for the engine */
    ck_err(device_revoke(db, &bob, &d.id, T0), KEER_EMISSING);
    ck_err(device_trust(db, &bob, &d.id, true, T0), KEER_EMISSING);
    ck_err(device_rename(db, &bob, &d.id, SLICE("mine")), KEER_EMISSING);
    ck_err(device_rename(db, &anna, &d.id, SLICE(" ")), KEER_EINVALID);
    ck_err(device_rename(db, &anna, &d.id, SLICE("a\x1b[2J")), KEER_EINVALID);
    ck_ok(device_rename(db, &anna, &d.id, SLICE("<b>mine</b>")));
    ck_ok(device_trust(db, &anna, &d.id, true, T0 + 6));
    ck_ok(device_read(db, &anna, &d.id, &e));
    ck_assert(e.trusted_us == T0 + 6 && strcmp(e.name, "<b>mine</b>") == 0);
}
END_TEST

START_TEST(a_revoked_device_is_gone_with_its_sessions)
{
    struct id anna = kit_account("anna@example.org");
    struct crypto_hash token, other;
    struct session s, mine;
    struct device d, list[DEVICES_MAX];
    unsigned n = 9;
    bool fresh;
    (void)kit_session(&anna, SESSION_FULL, T0, &token);
    (void)kit_session(&anna, SESSION_FULL, T0, &other);
    ck_ok(session_find(db, &token, T0, &mine));
    ck_ok(device_trust(db, &anna, &mine.device, true, T0));
    ck_ok(device_revoke(db, &anna, &mine.device, T0 + 1));
    ck_err(device_revoke(db, &anna, &mine.device, T0 + 1), KEER_EMISSING);
    ck_err(device_trust(db, &anna, &mine.device, true, T0 + 1), KEER_EMISSING);
    ck_err(session_find(db, &token, T0 + 1, &s), KEER_EMISSING);
    ck_ok(session_find(db, &other, T0 + 1, &s));
    ck_ok(device_list(db, &anna, list, &n));
    ck_assert_uint_eq(n, 1);
    ck_err(device_see(db, &anna, &mine.device_hash, SLICE("firefox"), T0 + 2, &d, &fresh),
           KEER_EMISSING); /* it wants another token */
}
END_TEST

START_TEST(devices_are_bounded)
{
    struct id anna = kit_account("anna@example.org"), first = {0};
    struct device d, list[DEVICES_MAX];
    struct bearer token;
    struct crypto_hash hash;
    unsigned n = 0;
    bool fresh;
    for (unsigned i = 0; i < DEVICES_MAX + 10; i++) {
        token_make(&token, &hash);
        ck_ok(device_see(db, &anna, &hash, SLICE("firefox"), T0 + i, &d, &fresh));
        if (i == 0) {
            first = d.id;
            ck_ok(device_trust(db, &anna, &first, true, T0));
        }
    }
    ck_ok(device_list(db, &anna, list, &n));
    ck_assert_uint_eq(n, DEVICES_MAX);
    ck_ok(device_read(db, &anna, &first, &d)); /* a trusted one makes no room */
}
END_TEST

/* --- sessions --- */

static const struct {
    enum session_rights rights;
    int64_t idle_us, whole_us;
} lives[] = {
#define SESSION_LIMIT(rights, idle, whole) {SESSION_##rights, idle, whole},
#include "account/sessions.def"
#undef SESSION_LIMIT
};

START_TEST(a_session_ends_by_itself)
{
    struct id anna = kit_account("anna@example.org"), id;
    struct crypto_hash token;
    struct session s;
    int64_t now = T0;
    id = kit_session(&anna, lives[_i].rights, T0, &token);
    ck_ok(session_find(db, &token, T0 + lives[_i].idle_us - 1, &s));
    ck_err(session_find(db, &token, T0 + lives[_i].idle_us, &s), KEER_EMISSING);
    for (; now + lives[_i].idle_us - 1 < T0 + lives[_i].whole_us; now += lives[_i].idle_us - 1)
        ck_ok(session_touch(db, &id, now));
    ck_ok(session_touch(db, &id, T0 + lives[_i].whole_us - 1));
    ck_ok(session_read(db, &id, T0 + lives[_i].whole_us - 1, &s));
    ck_err(session_read(db, &id, T0 + lives[_i].whole_us, &s), KEER_EMISSING);
    ck_err(session_find(db, &token, T0 + lives[_i].whole_us, &s), KEER_EMISSING);
}
END_TEST

START_TEST(each_step_gives_another_token)
{
    struct id anna = kit_account("anna@example.org"), id;
    struct crypto_hash old, fresh, guess = {{1}};
    struct bearer token;
    struct session s;
    struct session_raise r = {.rights = SESSION_FULL, .acr = SESSION_ACR_2, .amr = "pwd otp mfa", .second_step = true};
    id = kit_session(&anna, SESSION_PENDING, T0, &old);
    ck_ok(session_raise(db, &id, &r, T0 + 5, &token));
    ck_ok(token_hash(slice_str(token.text), &fresh));
    ck_err(session_find(db, &old, T0 + 6, &s), KEER_EMISSING);
    ck_err(session_find(db, &guess, T0 + 6, &s), KEER_EMISSING);
    ck_ok(session_find(db, &fresh, T0 + 6, &s));
    ck_assert(s.rights == SESSION_FULL && s.acr == SESSION_ACR_2 && s.step_us == T0 + 5 && s.auth_us == T0 + 5);
    ck_assert_str_eq(s.amr, "pwd otp mfa");
    ck_assert_int_eq(session_acr_at(&s, T0 + 6), SESSION_ACR_2);
    ck_assert_int_eq(session_acr_at(&s, T0 + 5 + SESSION_ACR_2_US), SESSION_ACR_1); /* it falls back */
    r = (struct session_raise){.rights = SESSION_PENDING, .acr = SESSION_ACR_1, .amr = "pwd"};
    ck_ok(session_raise(db, &id, &r, T0 + 7, &token)); /* never less */
    ck_ok(token_hash(slice_str(token.text), &fresh));
    ck_ok(session_find(db, &fresh, T0 + 8, &s));
    ck_assert(s.rights == SESSION_FULL && s.acr == SESSION_ACR_2 && s.step_us == T0 + 5);
    r.amr = "a-word-that-is-longer-than-what-a-session-has-room-for-in-its-amr";
    ck_err(session_raise(db, &id, &r, T0 + 9, &token), KEER_ELIMIT);
    ck_ok(session_end(db, &anna, &id, T0 + 10));
    ck_err(session_raise(db, &id, &(struct session_raise){.amr = ""}, T0 + 11, &token), KEER_EMISSING);
}
END_TEST

START_TEST(sessions_are_listed_and_ended)
{
    struct id anna = kit_account("anna@example.org"), bob = kit_account("bob@example.org"), one, two, his;
    struct crypto_hash a, b, c;
    struct session list[SESSIONS_MAX], s;
    unsigned n = 0;
    int64_t ended = 0;
    one = kit_session(&anna, SESSION_FULL, T0, &a);
    two = kit_session(&anna, SESSION_FULL, T0 + 1, &b);
    his = kit_session(&bob, SESSION_FULL, T0, &c);
    ck_err(session_end(db, &anna, &his, T0 + 2), KEER_EMISSING);
    ck_ok(session_list(db, &anna, T0 + 2, list, &n));
    ck_assert(n == 2 && id_eq(&list[0].id, &two));
    ck_ok(session_end_others(db, &anna, &one, T0 + 2, &ended));
    ck_assert_int_eq(ended, 1);
    ck_err(session_find(db, &b, T0 + 3, &s), KEER_EMISSING);
    ck_ok(session_find(db, &a, T0 + 3, &s));
    ck_ok(session_find(db, &c, T0 + 3, &s));
    ck_ok(session_end_others(db, &anna, &(struct id){0}, T0 + 3, &ended));
    ck_err(session_find(db, &a, T0 + 3, &s), KEER_EMISSING);
    ck_ok(session_forget(db, T0 + 2 * US_DAY, 2, &ended));
    ck_assert_int_eq(ended, 2);
    ck_ok(session_forget(db, T0 + 2 * US_DAY, 100, &ended));
    ck_assert_int_eq(ended, 1);
}
END_TEST

START_TEST(sessions_are_bounded)
{
    struct id anna = kit_account("anna@example.org"), id;
    struct crypto_hash first, hash;
    struct session list[SESSIONS_MAX], s;
    struct bearer token;
    struct session_new n = {.account = anna, .rights = SESSION_PENDING, .acr = SESSION_ACR_1, .amr = "pwd"};
    unsigned count = 0;
    (void)kit_session(&anna, SESSION_FULL, T0, &first);
    for (unsigned i = 1; i <= 2 * SESSIONS_MAX; i++) /* whoever has a password alone signs nobody out */
        ck_ok(session_begin(db, &n, T0 + i, &id, &token));
    ck_ok(session_find(db, &first, T0 + 200, &s));
    ck_ok(session_list(db, &anna, T0 + 200, list, &count));
    ck_assert_uint_eq(count, SESSIONS_PENDING_MAX + 1);
    n.rights = SESSION_FULL;
    for (unsigned i = 1; i <= SESSIONS_MAX; i++)
        ck_ok(session_begin(db, &n, T0 + 200 + i, &id, &token));
    ck_ok(token_hash(slice_str(token.text), &hash));
    ck_ok(session_list(db, &anna, T0 + 300, list, &count));
    ck_assert_uint_eq(count, SESSIONS_MAX);
    ck_err(session_find(db, &first, T0 + 300, &s), KEER_EMISSING); /* the longest unused made room */
    ck_ok(session_find(db, &hash, T0 + 300, &s));
}
END_TEST

/* --- contacts --- */

START_TEST(contacts_are_verified_and_removed)
{
    struct id anna = kit_account("anna@example.org"), bob = kit_account("bob@example.org"), second, id;
    struct contact list[CONTACTS_NOTIFIED_MAX], c;
    struct identifier phone = kit_identifier(IDENTIFIER_PHONE, "+31612345678"), found[IDENTIFIERS_MAX],
                      user = kit_identifier(IDENTIFIER_USER_NAME, "anna");
    unsigned n = 0;
    ck_err(contact_add(db, &anna, &user, 0, T0, &id), KEER_EINVALID);
    ck_ok(contact_add(db, &anna, &phone, 0, T0 + 1, &second));
    ck_err(contact_add(db, &anna, &phone, 0, T0 + 1, &id), KEER_ECONFLICT);
    ck_ok(contact_notified(db, &anna, T0 + 2, list, &n));
    ck_assert_uint_eq(n, 1); /* nothing goes to what is not verified */
    ck_err(contact_verify(db, &bob, &second, T0 + 2), KEER_EMISSING);
    ck_ok(contact_verify(db, &anna, &second, T0 + 2));
    ck_ok(contact_verify(db, &anna, &second, T0 + 3));
    ck_ok(identifier_list(db, &anna, found, &n));
    ck_assert_uint_eq(n, 2); /* she is found by it too */
    ck_ok(contact_add(db, &bob, &phone, 0, T0 + 4, &id));
    ck_ok(contact_verify(db, &bob, &id, T0 + 4)); /* a phone that two share: notices go to both, names don't move */
    ck_ok(identifier_list(db, &bob, found, &n));
    ck_assert_uint_eq(n, 1);
    ck_ok(contact_list(db, &anna, list, &n));
    ck_assert_uint_eq(n, 2);
    ck_ok(contact_remove(db, &anna, &list[0].id, T0 + 5));
    ck_err(contact_remove(db, &anna, &list[0].id, T0 + 5), KEER_EMISSING);
    ck_err(contact_add(db, &anna, &list[0].address, 0, T0 + 6, &id), KEER_ECONFLICT); /* unverified it would hear nothing */
    ck_err(contact_remove(db, &anna, &second, T0 + 5), KEER_EINVALID);                /* the last one */
    ck_err(contact_read(db, &anna, &list[0].id, &c), KEER_EMISSING);
    ck_ok(contact_notified(db, &anna, T0 + 5 + CONTACT_AFTER_US - 1, list, &n));
    ck_assert_uint_eq(n, 2); /* who was removed hears for a week what happens */
    ck_ok(contact_notified(db, &anna, T0 + 5 + CONTACT_AFTER_US, list, &n));
    ck_assert_uint_eq(n, 1);
}
END_TEST

START_TEST(contacts_are_bounded)
{
    struct id anna = kit_account("anna@example.org"), id;
    char text[32];
    for (unsigned i = 1; i < CONTACTS_MAX; i++) {
        (void)snprintf(text, sizeof text, "a%u@example.org", i);
        struct identifier address = kit_identifier(IDENTIFIER_EMAIL, text);
        ck_ok(contact_add(db, &anna, &address, 0, T0, &id));
    }
    struct identifier more = kit_identifier(IDENTIFIER_EMAIL, "more@example.org");
    ck_err(contact_add(db, &anna, &more, 0, T0, &id), KEER_ELIMIT);
    ck_ok(contact_remove(db, &anna, &id, T0));
    ck_ok(contact_add(db, &anna, &more, 0, T0, &id));
}
END_TEST

/* --- proofs --- */

static enum proof_verdict prove(const struct id *id, enum proof_purpose purpose, const char *digits, int64_t now_us)
{
    struct proof p;
    enum proof_verdict v = PROOF_OVER;
    ck_ok(proof_check(db, &kit_key, id, purpose, slice_str(digits), now_us, &p, &v));
    return v;
}

START_TEST(a_code_opens_one_thing_once)
{
    struct id anna = kit_account("anna@example.org"), id, other, found;
    struct proof_new n = {
        .account = anna, .purpose = PROOF_SIGN_IN, .address = kit_identifier(IDENTIFIER_EMAIL, "anna@example.org")};
    char digits[PROOF_DIGITS + 1], spaced[16], wrong[PROOF_DIGITS + 1];
    ck_ok(proof_ask(db, &n, T0, &id));
    proof_digits(&kit_key, &id, digits);
    ck_assert_uint_eq(strlen(digits), PROOF_DIGITS);
    memcpy(wrong, digits, sizeof wrong);
    wrong[7] = wrong[7] == '9' ? '0' : (char)(wrong[7] + 1);
    ck_assert_int_eq(prove(&id, PROOF_CONTACT, digits, T0 + 1), PROOF_OVER); /* for another purpose */
    ck_assert_int_eq(prove(&id, PROOF_SIGN_IN, wrong, T0 + 1), PROOF_WRONG);
    ck_assert_int_eq(prove(&id, PROOF_SIGN_IN, "", T0 + 1), PROOF_WRONG);
    ck_assert_int_eq(prove(&id, PROOF_SIGN_IN, "1234567", T0 + 1), PROOF_WRONG);
    (void)snprintf(spaced, sizeof spaced, " %.4s-%.4s", digits, digits + 4);
    ck_assert_int_eq(prove(&id, PROOF_SIGN_IN, spaced, T0 + 1), PROOF_RIGHT);
    ck_assert_int_eq(prove(&id, PROOF_SIGN_IN, digits, T0 + 1), PROOF_OVER); /* once */
    ck_ok(proof_ask(db, &n, T0, &id));
    ck_ok(proof_find(db, &n, T0 + 1, &found));
    ck_assert(id_eq(&found, &id));
    ck_ok(proof_ask(db, &n, T0 + 1, &other)); /* a new one ends the one before */
    proof_digits(&kit_key, &id, digits);
    ck_assert_int_eq(prove(&id, PROOF_SIGN_IN, digits, T0 + 2), PROOF_OVER);
    proof_digits(&kit_key, &other, digits);
    ck_assert_int_eq(prove(&other, PROOF_SIGN_IN, digits, T0 + 1 + PROOF_VALID_US), PROOF_OVER); /* late */
    ck_assert_int_eq(prove(&other, PROOF_SIGN_IN, digits, T0 + PROOF_VALID_US), PROOF_RIGHT);
}
END_TEST

START_TEST(a_code_is_guessed_five_times)
{
    struct id id;
    struct proof_new n = {.purpose = PROOF_SIGN_UP, .address = kit_identifier(IDENTIFIER_EMAIL, "new@example.org")};
    char digits[PROOF_DIGITS + 1];
    int64_t count = 0;
    ck_ok(proof_ask(db, &n, T0, &id));
    proof_digits(&kit_key, &id, digits);
    digits[0] = digits[0] == '9' ? '0' : (char)(digits[0] + 1);
    for (int i = 0; i < PROOF_TRIES_MAX; i++)
        ck_assert_int_eq(prove(&id, PROOF_SIGN_UP, digits, T0), PROOF_WRONG);
    proof_digits(&kit_key, &id, digits);
    ck_assert_int_eq(prove(&id, PROOF_SIGN_UP, digits, T0), PROOF_OVER);
    n.decoy = true;
    ck_ok(proof_ask(db, &n, T0, &id));
    proof_digits(&kit_key, &id, digits);
    ck_assert_int_eq(prove(&id, PROOF_SIGN_UP, digits, T0), PROOF_WRONG); /* of an address that is known: nothing opens it */
    ck_ok(proof_forget(db, T0 + PROOF_VALID_US + 1, 100, &count));
    ck_assert_int_eq(count, 2);
}
END_TEST

START_TEST(another_key_makes_other_digits)
{
    struct id id;
    struct crypto_hash other = {{7}};
    char a[PROOF_DIGITS + 1], b[PROOF_DIGITS + 1];
    unsigned same = 0;
    for (int i = 0; i < 200; i++) {
        id_make(&id);
        proof_digits(&kit_key, &id, a);
        proof_digits(&other, &id, b);
        same += strcmp(a, b) == 0;
    }
    ck_assert_uint_lt(same, 2);
}
END_TEST

/* --- failures --- */

/* Each of these writes; whichever statement of it fails, it says so and leaves nothing behind after a rollback. */
static enum keer_err writing(unsigned which, const struct id *anna, const struct id *session,
                             const struct identifier *address)
{
    struct id id;
    struct bearer token;
    struct device device;
    struct proof proof;
    enum proof_verdict verdict;
    bool fresh;
    int64_t count;
    const struct crypto_hash hash = {{9}};
    struct session_new n = {.account = *anna, .rights = SESSION_FULL, .acr = SESSION_ACR_1, .amr = "pwd"};
    struct session_raise r = {.rights = SESSION_FULL, .acr = SESSION_ACR_2, .amr = "otp", .second_step = true};
    struct proof_new ask = {.account = *anna, .purpose = PROOF_CONTACT, .address = *address};
    switch (which) {
    case 0: return account_freeze(db, anna, SLICE("why"), T0);
    case 1: return account_close(db, anna, T0);
    case 2: return identifier_add(db, anna, address, T0);
    case 3: return device_see(db, anna, &hash, SLICE("firefox"), T0, &device, &fresh);
    case 4: return session_begin(db, &n, T0, &id, &token);
    case 5: return session_raise(db, session, &r, T0, &token);
    case 6: return session_end_others(db, anna, session, T0, &count);
    case 7: return contact_add(db, anna, address, 0, T0, &id);
    case 8: return proof_ask(db, &ask, T0, &id);
    case 9: return password_write(db, anna, "x", T0);
    default: break;
    }
    enum keer_err err = proof_ask(db, &ask, T0, &id);
    return err == KEER_OK ? proof_check(db, &kit_key, &id, PROOF_CONTACT, SLICE("00000000"), T0, &proof, &verdict) : err;
}

START_TEST(every_call_may_fail)
{
    struct id anna = kit_account("anna@example.org"), session;
    struct crypto_hash token;
    struct identifier address = kit_identifier(IDENTIFIER_EMAIL, "second@example.org");
    session = kit_session(&anna, SESSION_PENDING, T0, &token);
    kit_keep();
    for (uint64_t n = 1, hit = 1; hit; n++) {
        db_fail_arm(n, false);
        enum keer_err err = writing((unsigned)_i, &anna, &session, &address);
        hit = db_fail_hit();
        db_fail_arm(0, false);
        ck_assert_msg((err == KEER_OK) == !hit, "%d, call %d: %s", _i, (int)n, keer_err_name(err));
        if (hit)
            ck_assert_int_eq(err, KEER_EIO);
        db_rollback(db);
        ck_ok(db_begin(db));
        struct account a;
        ck_ok(account_read(db, &anna, &a));
        ck_assert_int_eq(a.state, ACCOUNT_ACTIVE);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("account");
    TCase *c = tcase_create("account");
    tcase_add_checked_fixture(c, kit_open, kit_close);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, states_of_an_account);
    tcase_add_test(c, an_identifier_is_one_accounts);
    tcase_add_test(c, passwords_are_kept);
    tcase_add_test(c, a_browser_is_a_device_of_each_account);
    tcase_add_test(c, a_revoked_device_is_gone_with_its_sessions);
    tcase_add_test(c, devices_are_bounded);
    tcase_add_loop_test(c, a_session_ends_by_itself, 0, ARRAY_LEN(lives));
    tcase_add_test(c, each_step_gives_another_token);
    tcase_add_test(c, sessions_are_listed_and_ended);
    tcase_add_test(c, sessions_are_bounded);
    tcase_add_test(c, contacts_are_verified_and_removed);
    tcase_add_test(c, contacts_are_bounded);
    tcase_add_test(c, a_code_opens_one_thing_once);
    tcase_add_test(c, a_code_is_guessed_five_times);
    tcase_add_test(c, another_key_makes_other_digits);
    tcase_add_loop_test(c, every_call_may_fail, 0, 11);
    suite_add_tcase(s, c);
    return test_main(s);
}
