/* stepup_test.c - authenticators, one-time passwords, recovery codes, challenges, prompts: published tables, other programs
 * as judges, every refusal, use in parallel, restarts, call N failing. */
#include <fcntl.h>
#include <pthread.h>

#include "lib/database.h"
#include "lib/db_fail.h"
#include "stepup/code.h"
#include "stepup/prompt.h"
#include "stepup/totp.h"
#include "store/query.h"

#define T0 (INT64_C(1700000000) * 1000000)
#define SECOND INT64_C(1000000)
#define ACTIVE AUTHENTICATOR_BIT(AUTHENTICATOR_ACTIVE)
#define ENROLLING AUTHENTICATOR_BIT(AUTHENTICATOR_ENROLLING)

static struct scratch scratch;
static struct db *db;
static struct db_why why;
static struct id anna, bert, none;
static struct crypto_hash seal = {{7}};

static void open_it(void)
{
    enum keer_err err = KEER_ECONFLICT; /* a server may take a moment to see that the one before is gone */
    for (int i = 0; err == KEER_ECONFLICT && i < 500; i++) {
        err = db_open(database_where(&scratch), DB_WRITE, &db, &why);
        if (err == KEER_ECONFLICT)
            (void)usleep(10000);
    }
    ck_assert_msg(err == KEER_OK, "%s", why.text);
    ck_ok(db_migrate(db, 1, &why));
}
static void setup(void)
{
    ck_ok(crypto_start());
    database_make(&scratch);
    open_it();
    id_make(&anna);
    id_make(&bert);
}
static void teardown(void)
{
    db_fail_arm(0, false);
    db_close(db);
    scratch_remove(&scratch);
}

/* --- one-time passwords --- */

START_TEST(rfc_4226_appendix_d)
{
    static const char *const codes[] = {"755224", "287082", "359152", "969429", "338314",
                                        "254676", "287922", "162583", "399871", "520489"};
    char code[9];
    for (unsigned i = 0; i < ARRAY_LEN(codes); i++) {
        ck_ok(totp_hotp(SLICE("12345678901234567890"), i, 6, code));
        ck_assert_str_eq(code, codes[i]);
    }
}
END_TEST

START_TEST(rfc_6238_appendix_b)
{
    static const struct {
        int64_t s;
        const char *code;
    } rows[] = {{59, "94287082"},         {1111111109, "07081804"}, {1111111111, "14050471"},
                {1234567890, "89005924"}, {2000000000, "69279037"}, {20000000000, "65353130"}};
    char code[9];
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        ck_ok(totp_hotp(SLICE("12345678901234567890"), (uint64_t)totp_step(rows[i].s * SECOND), 8, code));
        ck_assert_str_eq(code, rows[i].code);
    }
}
END_TEST

static bool have(const char *tool)
{
    char line[200];
    (void)snprintf(line, sizeof line, "command -v %s > /dev/null 2>&1", tool);
    if (system(line) == 0)
        return true;
    printf("skipped: no %s here\n", tool);
    return false;
}

/* What a shell command prints, without its line end. */
static void ask_shell(const char *line, char *out, size_t room)
{
    FILE *f = popen(line, "r");
    ck_assert_ptr_nonnull(f);
    size_t n = fread(out, 1, room - 1, f);
    (void)pclose(f);
    out[n] = '\0';
    while (n && out[n - 1] == '\n')
        out[--n] = '\0';
}

static struct id enrol(struct totp_enrolment *e, bool active)
{
    ck_ok(totp_enrol(db, &seal, &anna, SLICE("app"), T0, e));
    if (active)
        ck_ok(authenticator_move(db, &anna, &e->id, ENROLLING, AUTHENTICATOR_ACTIVE, T0));
    return e->id;
}

/* The code that another program makes of the secret. */
static void code_at(const char *secret, int64_t at_us, char code[9])
{
    char line[200];
    (void)snprintf(line, sizeof line, "oathtool --totp -b -N @%lld %s", (long long)(at_us / SECOND), secret);
    ask_shell(line, code, 9);
    ck_assert_uint_eq(strlen(code), 6);
}

static bool take(const struct id *id, const char *code, int64_t now_us)
{
    bool ok = false;
    ck_ok(totp_take(db, &seal, &anna, id, ACTIVE, slice_str(code), now_us, &ok));
    return ok;
}

START_TEST(oathtool_is_taken_once_and_in_time)
{
    struct totp_enrolment e;
    char code[9], next[9], spaced[12];
    if (!have("oathtool"))
        return;
    struct id id = enrol(&e, true);
    int64_t step = totp_step(T0) * TOTP_STEP_US;
    code_at(e.secret, step, code);
    ck_assert(!take(&id, code, step - 2 * TOTP_STEP_US));
    ck_assert(!take(&id, code, step + 2 * TOTP_STEP_US));
    ck_assert(take(&id, code, step + TOTP_STEP_US + TOTP_STEP_US - 1)); /* the last moment of the step after */
    ck_assert(!take(&id, code, step + TOTP_STEP_US));                   /* twice */
    code_at(e.secret, step - TOTP_STEP_US, next);
    ck_assert(!take(&id, next, step)); /* an older step than the one that was taken */
    code_at(e.secret, step + TOTP_STEP_US, next);
    db_close(db); /* across a restart */
    open_it();
    ck_assert(!take(&id, code, step));
    (void)snprintf(spaced, sizeof spaced, " %.3s %.3s", next, next + 3);
    ck_assert(take(&id, spaced, step)); /* a clock that is a step ahead */
    ck_assert(!take(&id, next, step + TOTP_STEP_US));
    for (int64_t k = 2; k < 300; k++) { /* each once, whatever its digits are */
        code_at(e.secret, step + k * TOTP_STEP_US, next);
        ck_assert(take(&id, next, step + k * TOTP_STEP_US));
        ck_assert(!take(&id, next, step + k * TOTP_STEP_US));
        k += 40;
    }
}
END_TEST

START_TEST(codes_that_are_none)
{
    static const char *const bad[] = {"",       " ",      "12345",        "1234567",
                                      "12345a", "-12345", "１２３４５６", "000000000000000000000000"};
    struct totp_enrolment e;
    struct id id = enrol(&e, true);
    bool ok = true;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        ck_assert(!take(&id, bad[i], T0));
    ck_ok(totp_take(db, &seal, &anna, &id, ACTIVE, slice_of("123\00056", 6), T0, &ok));
    ck_assert(!ok);
    ck_err(totp_take(db, &seal, &bert, &id, ACTIVE, SLICE("123456"), T0, &ok), KEER_EMISSING);
    ck_err(totp_take(db, &seal, &anna, &id, ENROLLING, SLICE("123456"), T0, &ok), KEER_EMISSING);
    ck_err(totp_take(db, &seal, &anna, &none, ACTIVE, SLICE("123456"), T0, &ok), KEER_EMISSING);
    struct crypto_hash other = {{8}};
    ck_err(totp_take(db, &other, &anna, &id, ACTIVE, SLICE("123456"), T0, &ok), KEER_EFORMAT);
    ck_ok(authenticator_remove(db, &anna, &id, T0));
    ck_err(totp_take(db, &seal, &anna, &id, ACTIVE, SLICE("123456"), T0, &ok), KEER_EMISSING);
    /* One that is not confirmed is given up for the next. */
    struct totp_enrolment first, second;
    struct authenticator row;
    (void)enrol(&first, false);
    (void)enrol(&second, false);
    ck_ok(authenticator_get(db, &anna, &first.id, &row));
    ck_assert_int_eq(row.state, AUTHENTICATOR_REMOVED);
    ck_assert_str_ne(first.secret, second.secret);
    /* Another row's sealed secret opens nothing. */
    ck_ok(QUERY_DO(db,
                   "UPDATE totp SET secret = (SELECT secret FROM totp WHERE authenticator = $1) WHERE authenticator = $2",
                   Q_ID(&first.id), Q_ID(&second.id)));
    ck_err(totp_take(db, &seal, &anna, &second.id, ENROLLING, SLICE("123456"), T0, &ok), KEER_EFORMAT);
}
END_TEST

/* An SVG of totp_qr as a grey picture, eight pixels a module. */
static void draw(struct slice svg, const char *path)
{
    enum { SCALE = 8, SIZE_MAX_ = 200 };
    static unsigned char dark[SIZE_MAX_][SIZE_MAX_];
    int size = 0, x, y, run, n = 0;
    memset(dark, 0, sizeof dark);
    ck_assert_int_eq(sscanf(svg.p, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d", &size), 1);
    ck_assert(size > 20 && size < SIZE_MAX_);
    const char *at = strstr(svg.p, " d=\"") + 4;
    while (sscanf(at, "M%d %dh%dv1h-%*dz%n", &x, &y, &run, &n) == 3) {
        for (int i = 0; i < run; i++)
            dark[y][x + i] = 1;
        at += n;
    }
    ck_assert_int_eq(*at, '"');
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    (void)fprintf(f, "P5\n%d %d\n255\n", size * SCALE, size * SCALE);
    for (int row = 0; row < size * SCALE; row++)
        for (int col = 0; col < size * SCALE; col++)
            (void)fputc(dark[row / SCALE][col / SCALE] ? 0 : 255, f);
    ck_assert_int_eq(fclose(f), 0);
}

START_TEST(zbarimg_reads_the_qr)
{
    struct buf uri, svg;
    char line[500], read[TOTP_URI_BYTES];
    buf_init(&uri, TOTP_URI_BYTES);
    buf_init(&svg, TOTP_QR_BYTES);
    ck_ok(totp_uri(SLICE("Game & Store"), SLICE("anna@example.org"), SLICE("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), &uri));
    ck_assert_str_eq(uri.p, "otpauth://totp/Game%20%26%20Store:anna%40example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
                            "&issuer=Game%20%26%20Store&algorithm=SHA1&digits=6&period=30");
    ck_ok(totp_qr(buf_view(&uri), &svg));
    ck_assert(!strchr(svg.p, '&') && !strstr(svg.p, "script") && !strstr(svg.p, "href"));
    if (have("zbarimg")) {
        draw(buf_view(&svg), scratch_path(&scratch, "qr.pgm"));
        (void)snprintf(line, sizeof line, "zbarimg --nodbus -q --raw %s 2> /dev/null", scratch_path(&scratch, "qr.pgm"));
        ask_shell(line, read, sizeof read);
        ck_assert_str_eq(read, uri.p);
    }
    buf_clear(&uri);
    char longest[TOTP_URI_BYTES + 1];
    memset(longest, 'a', sizeof longest);
    ck_err(totp_uri(SLICE("s"), slice_of(longest, sizeof longest), SLICE("x"), &uri), KEER_ELIMIT);
    ck_err(totp_qr(slice_of(longest, sizeof longest), &svg), KEER_ELIMIT);
    buf_release(&uri);
    buf_release(&svg);
}
END_TEST

/* --- recovery codes --- */

START_TEST(recovery_codes_are_taken_once)
{
    struct code_set set, second;
    unsigned left = 99;
    bool ok = false;
    char typed[64];
    ck_ok(code_make(db, &anna, T0, &set));
    ck_ok(code_take(db, &anna, slice_str(set.code[0]), T0, &ok, &left));
    ck_assert(!ok && left == 0); /* it is not active yet */
    ck_ok(code_activate(db, &anna, &set.id, T0));
    for (int i = 0; i < CODE_COUNT; i++) {
        ck_assert_uint_eq(strlen(set.code[i]), 29);
        for (int k = 0; k < i; k++)
            ck_assert_str_ne(set.code[i], set.code[k]);
        size_t n = 0; /* as somebody types it */
        for (const char *p = set.code[i]; *p; p++)
            if (*p != '-' || i % 2)
                typed[n++] = (char)(*p >= 'a' && *p <= 'z' && i % 3 == 0 ? *p - 32 : *p == '-' ? ' ' : *p);
        ck_ok(code_take(db, &bert, slice_of(typed, n), T0, &ok, &left));
        ck_assert(!ok && left == 0);
        ck_ok(code_take(db, &anna, slice_of(typed, n), T0, &ok, &left));
        ck_assert_msg(ok, "%.*s", (int)n, typed);
        ck_assert_uint_eq(left, (unsigned)(CODE_COUNT - 1 - i));
        ck_ok(code_take(db, &anna, slice_of(typed, n), T0, &ok, &left));
        ck_assert(!ok);
        if (i == 4) {
            db_close(db);
            open_it();
        }
    }
    unsigned methods = 99;
    ck_ok(authenticators_methods(db, &anna, &methods));
    ck_assert_uint_eq(methods, 0); /* a set that is spent is no method */
    ck_ok(code_make(db, &anna, T0, &set));
    ck_ok(code_activate(db, &anna, &set.id, T0));
    ck_ok(authenticators_methods(db, &anna, &methods));
    ck_assert_uint_eq(methods, AUTHENTICATOR_BIT(AUTHENTICATOR_RECOVERY_CODE));
    /* While the next set waits the old one holds; then it does not. */
    ck_ok(code_make(db, &anna, T0, &second));
    ck_ok(code_take(db, &anna, slice_str(set.code[0]), T0, &ok, &left));
    ck_assert(ok && left == 9);
    ck_ok(code_activate(db, &anna, &second.id, T0));
    ck_ok(code_take(db, &anna, slice_str(set.code[1]), T0, &ok, &left));
    ck_assert(!ok && left == 10);
    ck_ok(code_take(db, &anna, slice_str(second.code[1]), T0, &ok, &left));
    ck_assert(ok && left == 9);
    ck_err(code_activate(db, &anna, &second.id, T0), KEER_EMISSING);
    ck_err(code_activate(db, &bert, &second.id, T0), KEER_EMISSING);
    static const char *const bad[] = {"",
                                      "abcd",
                                      "llll-llll-llll-llll-llll-llll",
                                      "aaaa-aaaa-aaaa-aaaa-aaaa-aaaa-a",
                                      "aaaa-aaaa-aaaa-aaaa-aaaa-aaa\x80",
                                      "aaaaaaaaaaaaaaaaaaaaaaaa"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        ck_ok(code_take(db, &anna, slice_str(bad[i]), T0, &ok, &left));
        ck_assert(!ok);
    }
    /* Not in the database in any form that can be read. */
    ck_err(QUERY_MET(db, "SELECT 1 FROM authenticator WHERE name LIKE $1", Q_STR(second.code[3])), KEER_EMISSING);
}
END_TEST

/* --- authenticators --- */

START_TEST(authenticators_belong_to_one_account)
{
    struct authenticator a = {
        .account = anna, .kind = AUTHENTICATOR_DEVICE, .state = AUTHENTICATOR_ACTIVE, .created_us = T0};
    struct authenticator got, rows[AUTHENTICATORS_MAX];
    unsigned count = 0;
    id_make(&a.ref);
    memcpy(a.name, "Pixel 9", 8);
    ck_ok(authenticator_add(db, &a));
    ck_err(authenticator_get(db, &bert, &a.id, &got), KEER_EMISSING);
    ck_ok(authenticator_get(db, &anna, &a.id, &got));
    ck_assert_str_eq(got.name, "Pixel 9");
    ck_ok(authenticator_by_ref(db, &anna, AUTHENTICATOR_DEVICE, &a.ref, &got));
    ck_err(authenticator_by_ref(db, &anna, AUTHENTICATOR_PASSKEY, &a.ref, &got), KEER_EMISSING);
    ck_err(authenticator_by_ref(db, &bert, AUTHENTICATOR_DEVICE, &a.ref, &got), KEER_EMISSING);
    ck_err(authenticator_used(db, &bert, &a.id, T0), KEER_EMISSING);
    ck_ok(authenticator_used(db, &anna, &a.id, T0 + 5));
    ck_err(authenticator_remove(db, &bert, &a.id, T0), KEER_EMISSING);
    ck_err(authenticator_rename(db, &bert, &a.id, SLICE("mine")), KEER_EMISSING);
    ck_ok(authenticator_rename(db, &anna, &a.id, SLICE("phone")));
    ck_err(authenticator_restore(db, &anna, &a.id, T0), KEER_EMISSING);
    ck_ok(authenticator_remove(db, &anna, &a.id, T0));
    ck_err(authenticator_remove(db, &anna, &a.id, T0), KEER_EMISSING);
    ck_err(authenticator_used(db, &anna, &a.id, T0), KEER_EMISSING);
    ck_ok(authenticators_list(db, &anna, rows, &count));
    ck_assert_uint_eq(count, 0);
    ck_ok(authenticator_restore(db, &anna, &a.id, T0));
    ck_ok(authenticators_list(db, &anna, rows, &count));
    ck_assert(count == 1 && rows[0].state == AUTHENTICATOR_ACTIVE && rows[0].used_us == T0 + 5);
    ck_ok(authenticator_move(db, &anna, &a.id, ACTIVE, AUTHENTICATOR_DISABLED, T0));
    ck_err(authenticator_move(db, &anna, &a.id, ACTIVE, AUTHENTICATOR_DISABLED, T0), KEER_EMISSING);
    ck_err(authenticator_used(db, &anna, &a.id, T0), KEER_EMISSING);
    for (unsigned i = 1; i < AUTHENTICATORS_MAX; i++) {
        struct authenticator more = {.account = anna, .kind = AUTHENTICATOR_PASSKEY, .created_us = T0 + i};
        ck_ok(authenticator_add(db, &more));
    }
    struct authenticator over = {.account = anna, .created_us = T0};
    ck_err(authenticator_add(db, &over), KEER_EFULL);
    over.account = bert;
    ck_ok(authenticator_add(db, &over));
    ck_ok(authenticators_list(db, &anna, rows, &count));
    ck_assert_uint_eq(count, AUTHENTICATORS_MAX);
}
END_TEST

/* --- challenges --- */

static struct challenge_data payment(void)
{
    return (struct challenge_data){.kind = CHALLENGE_PAYMENT,
                                   .amount_minor = 64800,
                                   .currency = CUR_CNY,
                                   .payee = SLICE("Game Store"),
                                   .agreement = SLICE("2018-10"),
                                   .reference = SLICE("order-1")};
}

static struct challenge open_one(const struct challenge_data *d, const struct id *holder)
{
    struct challenge c = {.account = anna, .kind = d->kind, .holder = *holder};
    bool fresh = false;
    ck_ok(challenge_open(db, d, T0, &c, &fresh));
    ck_assert(fresh);
    return c;
}

static struct challenge_answer answer_of(const struct challenge *c)
{
    return (struct challenge_answer){.id = c->id,
                                     .account = c->account,
                                     .holder = c->holder,
                                     .kind = c->kind,
                                     .shown_hash = &c->shown_hash,
                                     .by = AUTHENTICATOR_BIT(AUTHENTICATOR_TOTP),
                                     .amr = CHALLENGE_AMR_OTP};
}

START_TEST(the_canonical_form)
{
    struct buf b;
    struct crypto_hash h, other;
    buf_init(&b, CHALLENGE_SHOWN_BYTES);
    struct challenge_data d = payment();
    ck_ok(challenge_canon(&d, &b, &h));
    ck_assert_str_eq(b.p, "{\"agreement\":\"2018-10\",\"amount\":\"648.00\",\"currency\":\"CNY\",\"kind\":\"payment\","
                          "\"payee\":\"Game Store\",\"reference\":\"order-1\"}");
    static const struct {
        enum currency currency;
        int64_t minor;
        const char *text;
    } amounts[] = {
        {CUR_JPY, 648, "\"648\""}, {CUR_KWD, 5, "\"0.005\""}, {CUR_EUR, 1, "\"0.01\""}, {CUR_EUR, 100000, "\"1000.00\""}};
    for (size_t i = 0; i < ARRAY_LEN(amounts); i++) {
        d.currency = amounts[i].currency;
        d.amount_minor = amounts[i].minor;
        buf_clear(&b);
        ck_ok(challenge_canon(&d, &b, &other));
        ck_assert_ptr_nonnull(strstr(b.p, amounts[i].text));
        ck_assert(!crypto_hash_eq(&h, &other));
    }
    /* Quotes in a text don't make members. */
    d = payment();
    d.payee = SLICE("X\",\"amount\":\"1");
    buf_clear(&b);
    ck_ok(challenge_canon(&d, &b, &other));
    ck_assert_ptr_nonnull(strstr(b.p, "\"payee\":\"X\\\",\\\"amount\\\":\\\"1\""));
    d = payment();
    d.amount_minor = 0;
    ck_err(challenge_canon(&d, &b, &h), KEER_ERANGE);
    d.amount_minor = -5;
    ck_err(challenge_canon(&d, &b, &h), KEER_ERANGE);
    d.amount_minor = INT64_MAX;
    ck_err(challenge_canon(&d, &b, &h), KEER_ERANGE);
    d = payment();
    d.payee.len = 0;
    ck_err(challenge_canon(&d, &b, &h), KEER_EMISSING);
    d = payment();
    d.currency = CUR_MAX;
    ck_err(challenge_canon(&d, &b, &h), KEER_EMISSING);
    char longest[CHALLENGE_TEXT_BYTES + 1];
    memset(longest, 'x', sizeof longest);
    d = payment();
    d.payee = slice_of(longest, sizeof longest);
    ck_err(challenge_canon(&d, &b, &h), KEER_ELIMIT);
    d = (struct challenge_data){.kind = CHALLENGE_CHANGE, .currency = CUR_MAX};
    ck_err(challenge_canon(&d, &b, &h), KEER_EMISSING);
    d = (struct challenge_data){.kind = CHALLENGE_LINK, .currency = CUR_MAX};
    ck_err(challenge_canon(&d, &b, &h), KEER_EMISSING);
    d = (struct challenge_data){.kind = CHALLENGE_SIGN_IN, .currency = CUR_MAX};
    buf_clear(&b);
    ck_ok(challenge_canon(&d, &b, &h));
    ck_assert_str_eq(b.p, "{\"kind\":\"sign_in\"}");
    buf_release(&b);
}
END_TEST

/* Each thing an answer is bound to, wrong one at a time: refused; then right: taken once, used once. */
START_TEST(an_answer_is_bound)
{
    struct id session, other;
    id_make(&session);
    id_make(&other);
    for (int kind = 0; kind < CHALLENGE_KIND_MAX; kind++) {
        struct challenge_data d = payment();
        d.kind = (enum challenge_kind)kind;
        d.change = SLICE("password");
        struct challenge c = open_one(&d, &session), got;
        struct challenge_data more = d;
        more.amount_minor++;
        struct challenge sibling = open_one(&more, &session);
        for (int wrong = 0; wrong < 5; wrong++) {
            struct challenge_answer a = answer_of(&c);
            if (wrong == 0)
                a.account = bert;
            if (wrong == 1)
                a.holder = other;
            if (wrong == 2)
                a.kind = (enum challenge_kind)((kind + 1) % CHALLENGE_KIND_MAX);
            if (wrong == 3)
                a.shown_hash = &sibling.shown_hash;
            if (wrong == 4)
                a.holder = none;
            ck_err(challenge_done(db, &a, T0 + 1), KEER_EMISSING);
        }
        struct challenge_answer a = answer_of(&c);
        struct challenge_want w = {
            .id = c.id, .account = anna, .holder = session, .kind = c.kind, .shown_hash = &c.shown_hash};
        ck_err(challenge_use(db, &w, T0 + 1, &got), KEER_EMISSING); /* not done yet */
        ck_ok(challenge_done(db, &a, T0 + 1));
        ck_err(challenge_done(db, &a, T0 + 1), KEER_EMISSING);                  /* twice */
        ck_err(challenge_refuse(db, &c.id, SLICE("x"), T0 + 1), KEER_EMISSING); /* too late */
        for (int wrong = 0; wrong < 4; wrong++) {
            struct challenge_want bad = w;
            if (wrong == 0)
                bad.account = bert;
            if (wrong == 1)
                bad.holder = other;
            if (wrong == 2)
                bad.kind = (enum challenge_kind)((kind + 1) % CHALLENGE_KIND_MAX);
            if (wrong == 3)
                bad.shown_hash = &sibling.shown_hash;
            ck_err(challenge_use(db, &bad, T0 + 2, &got), KEER_EMISSING);
        }
        ck_err(challenge_use(db, &w, T0 + 1 + CHALLENGE_USE_US, &got), KEER_EMISSING); /* late */
        ck_ok(challenge_use(db, &w, T0 + CHALLENGE_USE_US, &got));
        ck_assert(got.state == CHALLENGE_DONE && got.used_us && got.done_amr == CHALLENGE_AMR_OTP);
        ck_err(challenge_use(db, &w, T0 + 3, &got), KEER_EMISSING); /* twice */
        db_close(db);
        open_it();
        ck_err(challenge_use(db, &w, T0 + 3, &got), KEER_EMISSING);
        ck_err(challenge_done(db, &a, T0 + 3), KEER_EMISSING);
    }
}
END_TEST

START_TEST(a_challenge_ends)
{
    struct id session;
    struct challenge got;
    id_make(&session);
    struct challenge_data pay = payment(), in = {.kind = CHALLENGE_SIGN_IN, .currency = CUR_MAX};
    struct challenge p = open_one(&pay, &session), s = open_one(&in, &session), q = open_one(&pay, &session);
    struct challenge_answer a = answer_of(&s);
    ck_err(challenge_done(db, &a, T0 + CHALLENGE_LIFE_US), KEER_EMISSING);
    ck_ok(challenge_get(db, &s.id, T0 + CHALLENGE_LIFE_US, &got));
    ck_assert_int_eq(got.state, CHALLENGE_EXPIRED);
    ck_ok(challenge_get(db, &s.id, T0 + CHALLENGE_LIFE_US - 1, &got));
    ck_assert_int_eq(got.state, CHALLENGE_OPEN);
    /* A payment: five minutes of quiet, and ten at most whatever happens. */
    a = answer_of(&p);
    ck_err(challenge_done(db, &a, T0 + CHALLENGE_IDLE_US), KEER_EMISSING);
    ck_err(challenge_touch(db, &q.id, &anna, T0 + 1), KEER_EMISSING);
    ck_ok(challenge_touch(db, &q.id, &session, T0 + CHALLENGE_IDLE_US - 1));
    a = answer_of(&q);
    ck_err(challenge_done(db, &a, T0 + CHALLENGE_LIFE_US), KEER_EMISSING);
    ck_ok(challenge_done(db, &a, T0 + CHALLENGE_IDLE_US + 1));
    /* Cancelled is cancelled. */
    struct challenge r = open_one(&pay, &session);
    ck_ok(challenge_refuse(db, &r.id, SLICE("cancelled"), T0));
    ck_err(challenge_refuse(db, &r.id, SLICE("cancelled"), T0), KEER_EMISSING);
    a = answer_of(&r);
    ck_err(challenge_done(db, &a, T0), KEER_EMISSING);
    ck_err(challenge_hold(db, &r.id, &session, T0), KEER_EMISSING);
    ck_err(challenge_get(db, &none, T0, &got), KEER_EMISSING);
    int64_t n = 0;
    ck_ok(challenge_refuse_all(db, &anna, SLICE("not_me"), T0 + 1, &n));
    ck_assert_int_eq(n, 3); /* q, done and not used; p and s, which are over, too */
    ck_ok(challenges_forget(db, T0 + CHALLENGE_LIFE_US, 100, &n));
    ck_assert_int_eq(n, 0);
    ck_ok(challenges_forget(db, T0 + CHALLENGE_LIFE_US + 1, 100, &n));
    ck_assert_int_eq(n, 4);
}
END_TEST

START_TEST(who_opens_it_first_holds_it)
{
    struct id one, two;
    id_make(&one);
    id_make(&two);
    struct challenge_data d = payment();
    struct challenge c = open_one(&d, &none);
    struct challenge_answer a = answer_of(&c);
    ck_err(challenge_done(db, &a, T0), KEER_EMISSING);
    ck_ok(challenge_hold(db, &c.id, &one, T0));
    ck_ok(challenge_hold(db, &c.id, &one, T0));
    ck_err(challenge_hold(db, &c.id, &two, T0), KEER_EMISSING);
    a.holder = two;
    ck_err(challenge_done(db, &a, T0), KEER_EMISSING);
    a.holder = one;
    c.methods = 0;
    ck_ok(challenge_done(db, &a, T0));
    /* Methods that may answer. */
    struct challenge only = {.account = anna,
                             .kind = d.kind,
                             .holder = one,
                             .methods = AUTHENTICATOR_BIT(AUTHENTICATOR_PASSKEY) | AUTHENTICATOR_BIT(AUTHENTICATOR_DEVICE)};
    bool fresh;
    ck_ok(challenge_open(db, &d, T0, &only, &fresh));
    a = answer_of(&only);
    ck_err(challenge_done(db, &a, T0), KEER_EMISSING);
    a.by = AUTHENTICATOR_BIT(AUTHENTICATOR_DEVICE);
    ck_ok(challenge_done(db, &a, T0));
}
END_TEST

/* The same reference with other data: what was asked before, and even answered, is worth nothing. */
START_TEST(other_data_invalidate)
{
    struct id one;
    id_make(&one);
    struct challenge_data d = payment();
    struct challenge c = {.account = anna, .kind = d.kind, .holder = one, .client = "store", .reference = "order-1"}, got;
    struct challenge again = c, changed = c, foreign = c;
    bool fresh = false;
    ck_ok(challenge_open(db, &d, T0, &c, &fresh));
    ck_ok(challenge_open(db, &d, T0 + 1, &again, &fresh));
    ck_assert(!fresh && id_eq(&c.id, &again.id));
    memcpy(foreign.client, "other", 6);
    d.amount_minor++;
    ck_ok(challenge_open(db, &d, T0 + 1, &foreign, &fresh)); /* another store's reference is another one */
    ck_ok(challenge_get(db, &c.id, T0 + 1, &got));
    ck_assert_int_eq(got.state, CHALLENGE_OPEN);
    struct challenge_answer a = answer_of(&c);
    ck_ok(challenge_done(db, &a, T0 + 1));
    ck_ok(challenge_open(db, &d, T0 + 2, &changed, &fresh));
    ck_assert(fresh && !id_eq(&c.id, &changed.id));
    ck_ok(challenge_get(db, &c.id, T0 + 2, &got));
    ck_assert(got.state == CHALLENGE_REFUSED && strcmp(got.why, "other_data") == 0);
    struct challenge_want w = {.id = c.id, .account = anna, .holder = one, .kind = c.kind, .shown_hash = &c.shown_hash};
    ck_err(challenge_use(db, &w, T0 + 2, &got), KEER_EMISSING);
    /* What lies in the database and was changed there is not shown. */
    ck_ok(QUERY_DO(db, "UPDATE challenge SET shown = $1 WHERE id = $2", Q_STR("{\"amount\":\"1.00\"}"), Q_ID(&changed.id)));
    ck_err(challenge_get(db, &changed.id, T0 + 2, &got), KEER_EFORMAT);
    struct challenge mixed = {.account = anna, .kind = CHALLENGE_SIGN_IN, .holder = one};
    ck_err(challenge_open(db, &d, T0, &mixed, &fresh), KEER_EINVALID);
}
END_TEST

START_TEST(bytes_to_sign_differ)
{
    struct id one;
    id_make(&one);
    struct challenge_data d = payment();
    struct challenge c = open_one(&d, &one), twin = open_one(&d, &one), as_sign_in = c, other_data = c;
    struct crypto_hash a, b;
    challenge_bytes(&c, &a);
    challenge_bytes(&c, &b);
    ck_assert(crypto_hash_eq(&a, &b));
    challenge_bytes(&twin, &b);
    ck_assert(!crypto_hash_eq(&a, &b));
    as_sign_in.kind = CHALLENGE_SIGN_IN;
    challenge_bytes(&as_sign_in, &b);
    ck_assert(!crypto_hash_eq(&a, &b));
    other_data.shown_hash.bytes[0] ^= 1;
    challenge_bytes(&other_data, &b);
    ck_assert(!crypto_hash_eq(&a, &b));
    struct buf amr;
    buf_init(&amr, 200);
    challenge_amr_json(CHALLENGE_AMR_PWD | CHALLENGE_AMR_OTP | CHALLENGE_AMR_MFA, &amr);
    ck_assert_str_eq(amr.p, "\"pwd\",\"otp\",\"mfa\"");
    buf_release(&amr);
}
END_TEST

/* --- prompts --- */

START_TEST(a_prompt_is_typed_on_another_device)
{
    struct id session, laptop, phone;
    id_make(&session);
    id_make(&laptop);
    id_make(&phone);
    struct challenge_data d = payment();
    struct challenge c = {.account = anna, .kind = d.kind, .holder = session, .device = laptop};
    struct prompt p, second, rows[PROMPTS_MAX], got;
    char number[PROMPT_DIGITS + 1], again[PROMPT_DIGITS + 1], next[PROMPT_DIGITS + 1], wrong[PROMPT_DIGITS + 1];
    unsigned count = 0;
    bool fresh, ok = true;
    ck_ok(challenge_open(db, &d, T0, &c, &fresh));
    ck_ok(prompt_make(db, &seal, &c, T0, &p, number));
    ck_ok(prompt_number(db, &seal, &c.id, T0, again));
    ck_assert_str_eq(number, again);
    ck_ok(prompts_list(db, &anna, &laptop, T0, rows, &count));
    ck_assert_uint_eq(count, 0); /* not on the screen that asks */
    ck_ok(prompts_list(db, &bert, &phone, T0, rows, &count));
    ck_assert_uint_eq(count, 0);
    ck_ok(prompts_list(db, &anna, &phone, T0, rows, &count));
    ck_assert(count == 1 && id_eq(&rows[0].id, &p.id));
    memcpy(wrong, number, sizeof wrong);
    wrong[3] = wrong[3] == '9' ? '0' : (char)(wrong[3] + 1);
    ck_ok(prompt_approve(db, &seal, &anna, &p.id, &phone, slice_str(wrong), T0, &ok));
    ck_assert(!ok);
    ck_ok(prompt_approve(db, &seal, &anna, &p.id, &phone, SLICE(""), T0, &ok));
    ck_assert(!ok);
    ck_ok(prompt_approve(db, &seal, &anna, &p.id, &phone, SLICE("0000000"), T0, &ok));
    ck_assert(!ok);
    ck_err(prompt_approve(db, &seal, &anna, &p.id, &laptop, slice_str(number), T0, &ok), KEER_EMISSING);
    ck_err(prompt_approve(db, &seal, &anna, &p.id, &none, slice_str(number), T0, &ok), KEER_EMISSING);
    ck_err(prompt_approve(db, &seal, &bert, &p.id, &phone, slice_str(number), T0, &ok), KEER_EMISSING);
    ck_err(prompt_approve(db, &seal, &anna, &p.id, &phone, slice_str(number), T0 + PROMPT_LIFE_US, &ok), KEER_EMISSING);
    struct crypto_hash other = {{9}};
    ck_err(prompt_approve(db, &other, &anna, &p.id, &phone, slice_str(number), T0, &ok), KEER_EFORMAT);
    /* Another number ends the one before. */
    ck_ok(prompt_make(db, &seal, &c, T0, &second, next));
    ck_err(prompt_approve(db, &seal, &anna, &p.id, &phone, slice_str(number), T0, &ok), KEER_EMISSING);
    ck_ok(prompt_approve(db, &seal, &anna, &second.id, &phone, slice_str(next), T0, &ok));
    ck_assert(ok);
    ck_err(prompt_approve(db, &seal, &anna, &second.id, &phone, slice_str(next), T0, &ok), KEER_EMISSING);
    ck_ok(prompt_get(db, &anna, &second.id, T0, &got));
    ck_assert(got.state == PROMPT_APPROVED && id_eq(&got.answered_by, &phone));
    ck_err(prompt_refuse(db, &anna, &second.id, &phone, PROMPT_NOT_ME, T0), KEER_EMISSING);
    ck_err(prompt_number(db, &seal, &c.id, T0, again), KEER_EMISSING);
    /* 'It was not me'. */
    ck_ok(prompt_make(db, &seal, &c, T0, &p, number));
    ck_ok(prompt_refuse(db, &anna, &p.id, &phone, PROMPT_NOT_ME, T0));
    ck_err(prompt_approve(db, &seal, &anna, &p.id, &phone, slice_str(number), T0, &ok), KEER_EMISSING);
    /* None for a challenge that is over, or another holder's. */
    struct challenge stolen = c;
    stolen.holder = laptop;
    ck_err(prompt_make(db, &seal, &stolen, T0, &p, number), KEER_EMISSING);
    ck_ok(challenge_refuse(db, &c.id, SLICE("cancelled"), T0));
    ck_err(prompt_make(db, &seal, &c, T0, &p, number), KEER_EMISSING);
    for (int i = 0; i < PROMPTS_MAX; i++) {
        struct challenge many = open_one(&d, &session);
        ck_ok(prompt_make(db, &seal, &many, T0, &p, number));
    }
    struct challenge over = open_one(&d, &session);
    ck_err(prompt_make(db, &seal, &over, T0, &p, number), KEER_EFULL);
}
END_TEST

/* --- in parallel --- */

/* What the daemon does: one writing connection, one function after the other, from many threads. */
struct race {
    pthread_mutex_t lock;
    enum { RACE_TOTP, RACE_CODE, RACE_DONE, RACE_USE, RACE_PROMPT } what;
    struct id id, device;
    const char *code;
    const struct challenge *c;
    int ok, refused;
    int64_t now_us;
};

static void race_one(struct race *r)
{
    bool ok = false;
    unsigned left;
    struct challenge got;
    struct challenge_answer a;
    struct challenge_want w;
    enum keer_err err = KEER_OK;
    ck_ok(db_begin(db));
    switch (r->what) {
    case RACE_TOTP: err = totp_take(db, &seal, &anna, &r->id, ACTIVE, slice_str(r->code), r->now_us, &ok); break;
    case RACE_CODE: err = code_take(db, &anna, slice_str(r->code), r->now_us, &ok, &left); break;
    case RACE_DONE:
        a = answer_of(r->c);
        err = challenge_done(db, &a, r->now_us);
        ok = err == KEER_OK;
        break;
    case RACE_USE:
        w = (struct challenge_want){
            .id = r->c->id, .account = anna, .holder = r->c->holder, .kind = r->c->kind, .shown_hash = &r->c->shown_hash};
        err = challenge_use(db, &w, r->now_us, &got);
        ok = err == KEER_OK;
        break;
    case RACE_PROMPT: err = prompt_approve(db, &seal, &anna, &r->id, &r->device, slice_str(r->code), r->now_us, &ok); break;
    }
    ck_assert(err == KEER_OK || err == KEER_EMISSING);
    ck_assert_int_eq(db_commit(db), DB_COMMITTED);
    r->ok += ok;
    r->refused += !ok;
}

static void *race_thread(void *ctx)
{
    struct race *r = ctx;
    for (int i = 0; i < 10; i++) {
        (void)pthread_mutex_lock(&r->lock);
        race_one(r);
        (void)pthread_mutex_unlock(&r->lock);
    }
    return NULL;
}

static void race(struct race *r)
{
    pthread_t t[20];
    (void)pthread_mutex_init(&r->lock, NULL);
    for (size_t i = 0; i < ARRAY_LEN(t); i++)
        ck_assert_int_eq(pthread_create(&t[i], NULL, race_thread, r), 0);
    for (size_t i = 0; i < ARRAY_LEN(t); i++)
        ck_assert_int_eq(pthread_join(t[i], NULL), 0);
    ck_assert_int_eq(r->ok, 1);
    ck_assert_int_eq(r->refused, 199);
}

START_TEST(two_hundred_at_once_one_wins)
{
    struct id session, laptop, phone;
    struct totp_enrolment e;
    struct code_set set;
    struct prompt p;
    char code[9] = "", number[PROMPT_DIGITS + 1];
    bool fresh;
    id_make(&session);
    id_make(&laptop);
    id_make(&phone);
    struct race r = {.what = RACE_TOTP, .id = enrol(&e, true), .now_us = T0, .device = phone};
    if (have("oathtool")) {
        code_at(e.secret, T0, code);
        r.code = code;
        race(&r);
    }
    ck_ok(code_make(db, &anna, T0, &set));
    ck_ok(code_activate(db, &anna, &set.id, T0));
    r = (struct race){.what = RACE_CODE, .code = set.code[7], .now_us = T0};
    race(&r);
    struct challenge_data d = payment();
    struct challenge c = {.account = anna, .kind = d.kind, .holder = session, .device = laptop};
    ck_ok(challenge_open(db, &d, T0, &c, &fresh));
    ck_ok(prompt_make(db, &seal, &c, T0, &p, number));
    r = (struct race){.what = RACE_PROMPT, .code = number, .id = p.id, .device = phone, .now_us = T0};
    race(&r);
    r = (struct race){.what = RACE_DONE, .c = &c, .now_us = T0};
    race(&r);
    r = (struct race){.what = RACE_USE, .c = &c, .now_us = T0};
    race(&r);
}
END_TEST

/* --- call N fails --- */

static enum keer_err all_of_it(void)
{
    struct totp_enrolment e;
    struct code_set set;
    struct prompt p;
    struct challenge got;
    struct id session, phone;
    char number[PROMPT_DIGITS + 1];
    bool ok = false, fresh = false;
    unsigned left, methods;
    int64_t n;
    id_make(&session);
    id_make(&phone);
    struct challenge_data d = payment();
    struct challenge c = {.account = anna, .kind = d.kind, .holder = session, .client = "s", .reference = "r"};
    enum keer_err err = totp_enrol(db, &seal, &anna, SLICE("app"), T0, &e);
    if (err == KEER_OK)
        err = totp_take(db, &seal, &anna, &e.id, ENROLLING, SLICE("000000"), T0, &ok);
    if (err == KEER_OK)
        err = code_make(db, &anna, T0, &set);
    if (err == KEER_OK)
        err = code_activate(db, &anna, &set.id, T0);
    if (err == KEER_OK)
        err = code_take(db, &anna, slice_str(set.code[0]), T0, &ok, &left);
    if (err == KEER_OK)
        err = authenticators_methods(db, &anna, &methods);
    if (err == KEER_OK)
        err = challenge_open(db, &d, T0, &c, &fresh);
    if (err == KEER_OK)
        err = challenge_hold(db, &c.id, &session, T0);
    if (err == KEER_OK)
        err = prompt_make(db, &seal, &c, T0, &p, number);
    if (err == KEER_OK)
        err = prompt_approve(db, &seal, &anna, &p.id, &phone, slice_str(number), T0, &ok);
    struct challenge_answer a = answer_of(&c);
    if (err == KEER_OK)
        err = challenge_done(db, &a, T0);
    struct challenge_want w = {.id = c.id, .account = anna, .holder = session, .kind = c.kind, .shown_hash = &c.shown_hash};
    if (err == KEER_OK)
        err = challenge_use(db, &w, T0, &got);
    if (err == KEER_OK)
        err = challenge_refuse_all(db, &anna, SLICE("x"), T0, &n);
    if (err == KEER_OK)
        err = challenges_forget(db, T0 + CHALLENGE_LIFE_US + 1, 10, &n);
    return err;
}

START_TEST(every_call_may_fail)
{
    for (uint64_t n = 1, hit = 1; hit; n++) {
        ck_ok(db_begin(db));
        db_fail_arm(n, false);
        enum keer_err err = all_of_it();
        hit = db_fail_hit();
        db_fail_arm(0, false);
        ck_assert_msg((err == KEER_OK) == !hit, "call %llu: %s", (unsigned long long)n, keer_err_name(err));
        db_rollback(db);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("stepup");
    TCase *c = tcase_create("stepup");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, rfc_4226_appendix_d);
    tcase_add_test(c, rfc_6238_appendix_b);
    tcase_add_test(c, oathtool_is_taken_once_and_in_time);
    tcase_add_test(c, codes_that_are_none);
    tcase_add_test(c, zbarimg_reads_the_qr);
    tcase_add_test(c, recovery_codes_are_taken_once);
    tcase_add_test(c, authenticators_belong_to_one_account);
    tcase_add_test(c, the_canonical_form);
    tcase_add_test(c, an_answer_is_bound);
    tcase_add_test(c, a_challenge_ends);
    tcase_add_test(c, who_opens_it_first_holds_it);
    tcase_add_test(c, other_data_invalidate);
    tcase_add_test(c, bytes_to_sign_differ);
    tcase_add_test(c, a_prompt_is_typed_on_another_device);
    tcase_add_test(c, two_hundred_at_once_one_wins);
    tcase_add_test(c, every_call_may_fail);
    suite_add_tcase(s, c);
    return test_main(s);
}
