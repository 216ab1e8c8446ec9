/* agreement_test.c - agreements: every arrow and every arrow that there is none of, limits, seals, calls that fail. */
#include "wallet/agreement.h"

#include "base/timefmt.h"
#include "lib/account_kit.h"
#include "lib/test.h"
#include "store/query.h"

static struct id anna;
static unsigned made; /* references so far */

static void setup(void)
{
    kit_open();
    anna = kit_account("anna@example.org");
    made = 0;
}

static struct agreement wanted(const char *reference)
{
    struct agreement a = {.account = anna, .currency = CUR_CNY};
    (void)snprintf(a.client, sizeof a.client, "store");
    (void)snprintf(a.reference, sizeof a.reference, "%s", reference);
    (void)snprintf(a.wallet, sizeof a.wallet, "alipay");
    (void)snprintf(a.return_url, sizeof a.return_url, "https://store.example/back");
    ck_assert(agreement_default_caps(a.currency, &a.caps));
    return a;
}

static struct id add(void)
{
    char reference[16];
    bool fresh;
    (void)snprintf(reference, sizeof reference, "link-%u", made++);
    struct agreement a = wanted(reference);
    ck_ok(agreement_add(db, &kit_key, &a, T0, &fresh));
    ck_assert(fresh);
    return a.id;
}

static const struct wallet_agreement normal = {
    .state = WALLET_AGREEMENT_NORMAL, .ref = "20185909000458725113", .refresh = "r-token", .user = "lu***@sina.com"};

static struct id in_state(enum agreement_state state)
{
    struct id id = add();
    enum agreement_state got;
    if (state >= AGREEMENT_SIGNING)
        ck_ok(agreement_stepped(db, &id, T0));
    if (state >= AGREEMENT_ACTIVE)
        ck_ok(agreement_signed(db, &kit_key, &id, &normal, T0));
    if (state == AGREEMENT_PAUSED)
        ck_ok(agreement_pause(db, &id, SLICE("by the person"), T0));
    if (state >= AGREEMENT_ENDING)
        ck_ok(agreement_end(db, &id, SLICE("by the person"), T0, &got));
    if (state == AGREEMENT_ENDED)
        ck_ok(agreement_ended(db, &id, false, SLICE(""), T0));
    return id;
}

static struct agreement get(const struct id *id)
{
    struct agreement a;
    ck_ok(agreement_get(db, &kit_key, id, &a));
    return a;
}

/* --- states --- */

enum arrow { STEPPED, SIGNED, PAUSE, RESUME, END, LAPSE, GONE, SPEND, VERIFIED, ARROW_MAX };

static enum keer_err go(enum arrow arrow, const struct id *id)
{
    enum agreement_state ret;
    switch (arrow) {
    case STEPPED: return agreement_stepped(db, id, T0 + 1);
    case SIGNED: return agreement_signed(db, &kit_key, id, &normal, T0 + 1);
    case PAUSE: return agreement_pause(db, id, SLICE("why"), T0 + 1);
    case RESUME: return agreement_resume(db, id, T0 + 1);
    case END: return agreement_end(db, id, SLICE("why"), T0 + 1, &ret);
    case LAPSE: return agreement_lapse(db, id, T0, T0 + 1);
    case GONE: return agreement_ended(db, id, true, SLICE("why"), T0 + 1);
    case SPEND: return agreement_spend_unverified(db, id, 100);
    case VERIFIED: return agreement_verified(db, id, T0 + 1);
    case ARROW_MAX: break;
    }
    return KEER_EINVALID;
}

static enum keer_err due(unsigned states, int64_t since_us, int64_t asked_us, struct id *ret_ids, unsigned max,
                         unsigned *ret)
{
    const struct agreement_due d = {states, since_us, asked_us, /* now_us */ T0 + 7};
    return agreements_due(db, &d, ret_ids, max, ret);
}

START_TEST(every_arrow_and_no_other)
{
    enum { NO = AGREEMENT_STATE_MAX };
    static const int to[AGREEMENT_STATE_MAX][ARROW_MAX] = {
        /*            stepped            signed            pause             resume            end               lapse */
        [AGREEMENT_STEP] = {AGREEMENT_SIGNING, NO, NO, NO, AGREEMENT_ENDED, AGREEMENT_ENDED, NO, NO, NO},
        [AGREEMENT_SIGNING] = {NO, AGREEMENT_ACTIVE, NO, NO, AGREEMENT_ENDING, NO, AGREEMENT_ENDED, NO, NO},
        [AGREEMENT_ACTIVE] = {NO, NO, AGREEMENT_PAUSED, NO, AGREEMENT_ENDING, NO, AGREEMENT_ENDED, AGREEMENT_ACTIVE,
                              AGREEMENT_ACTIVE},
        [AGREEMENT_PAUSED] = {NO, NO, NO, AGREEMENT_ACTIVE, AGREEMENT_ENDING, NO, AGREEMENT_ENDED, NO, NO},
        [AGREEMENT_ENDING] = {NO, NO, NO, NO, NO, NO, AGREEMENT_ENDED, NO, NO},
        [AGREEMENT_ENDED] = {NO, NO, NO, NO, NO, NO, NO, NO, NO},
    };
    for (unsigned state = 0; state < AGREEMENT_STATE_MAX; state++)
        for (unsigned arrow = 0; arrow < ARROW_MAX; arrow++) {
            ck_ok(db_exec(db, "DELETE FROM agreement"));
            struct id id = in_state((enum agreement_state)state);
            ck_assert_int_eq(get(&id).state, (int)state);
            ck_ok(db_exec(db, "UPDATE agreement SET unverified_limit = 500"));
            enum keer_err err = go((enum arrow)arrow, &id);
            int want = to[state][arrow];
            ck_assert_msg(err == (want == NO ? KEER_EMISSING : KEER_OK), "state %u arrow %u: %s", state, arrow,
                          keer_err_name(err));
            ck_assert_int_eq(get(&id).state, want == NO ? (int)state : want);
        }
}
END_TEST

START_TEST(who_ended_it_and_why_is_kept)
{
    struct id here = in_state(AGREEMENT_ENDED), there = in_state(AGREEMENT_ACTIVE);
    struct agreement a = get(&here);
    ck_assert_str_eq(a.why, "by the person");
    ck_assert(!a.by_wallet);
    ck_ok(agreement_ended(db, &there, true, SLICE("ended at the wallet"), T0 + 5));
    a = get(&there);
    ck_assert_str_eq(a.why, "ended at the wallet");
    ck_assert(a.by_wallet);
    ck_assert_int_eq(a.state_us, T0 + 5);
    ck_assert_str_eq(a.ref, normal.ref); /* a late charge may be asked for by it */
}
END_TEST

START_TEST(a_signature_after_the_end_revives_nothing)
{
    struct id id = add();
    enum agreement_state state;
    ck_ok(agreement_stepped(db, &id, T0));
    ck_ok(agreement_end(db, &id, SLICE("changed his mind"), T0, &state));
    ck_assert_int_eq(state, AGREEMENT_ENDING);
    ck_err(agreement_signed(db, &kit_key, &id, &normal, T0), KEER_EMISSING);
    ck_err(agreement_keep_stray(db, &kit_key, &id, &normal, T0 + 9), KEER_EMISSING); /* not before it is ended */
    ck_ok(agreement_ended(db, &id, false, SLICE(""), T0));
    ck_err(agreement_signed(db, &kit_key, &id, &normal, T0), KEER_EMISSING);
    ck_ok(agreement_keep_stray(db, &kit_key, &id, &normal, T0 + 9));
    struct agreement a = get(&id);
    ck_assert_int_eq(a.state, AGREEMENT_ENDED);
    ck_assert_int_eq(a.signed_us, 0);
    ck_assert_str_eq(a.ref, normal.ref);
    /* It is ended at the wallet, and asked for until then. */
    struct id strays[2], signed_before = in_state(AGREEMENT_ENDED);
    unsigned n;
    ck_err(agreement_keep_stray(db, &kit_key, &signed_before, &normal, T0), KEER_EMISSING);
    ck_ok(agreements_strays(db, T0, T0 + 10, strays, 2, &n));
    ck_assert(n == 1 && id_eq(&strays[0], &id));
    ck_ok(agreement_synced(db, &id, T0 + 10));
    ck_ok(agreements_strays(db, T0, T0 + 10, strays, 2, &n));
    ck_assert_uint_eq(n, 0);
    ck_ok(agreement_synced(db, &id, T0 + US_DAY)); /* before the clock was set back */
    ck_ok(agreements_strays(db, T0, T0 + 10, strays, 2, &n));
    ck_assert_uint_eq(n, 1);
    ck_ok(agreement_drop_stray(db, &id));
    ck_ok(agreements_strays(db, T0 + 20, T0 + 20, strays, 2, &n));
    ck_assert_uint_eq(n, 0);
    ck_assert_str_eq(get(&id).ref, "");
}
END_TEST

/* --- finding, seals --- */

START_TEST(one_reference_is_one_agreement)
{
    struct agreement a = wanted("link-1"), b = wanted("link-1"), c = wanted("link-1");
    bool fresh;
    ck_ok(agreement_add(db, &kit_key, &a, T0, &fresh));
    ck_assert(fresh);
    (void)snprintf(b.wallet, sizeof b.wallet, "antom");
    ck_ok(agreement_add(db, &kit_key, &b, T0 + 1, &fresh));
    ck_assert(!fresh && id_eq(&a.id, &b.id));
    ck_assert_str_eq(b.wallet, "alipay"); /* what stands there: the caller sees that it differs */
    (void)snprintf(c.client, sizeof c.client, "another store");
    ck_ok(agreement_add(db, &kit_key, &c, T0, &fresh));
    ck_assert(fresh && !id_eq(&a.id, &c.id));
    ck_assert_uint_eq(strlen(a.number), WALLET_NUMBER_BYTES);
    ck_assert_str_ne(a.number, c.number);
}
END_TEST

START_TEST(found_by_each_of_its_names)
{
    struct id id = in_state(AGREEMENT_ACTIVE), other = in_state(AGREEMENT_STEP);
    struct agreement a = get(&id), b;
    ck_ok(agreement_by_reference(db, &kit_key, SLICE("store"), slice_str(a.reference), &b));
    ck_assert(id_eq(&a.id, &b.id));
    ck_ok(agreement_by_number(db, &kit_key, slice_str(a.number), &b));
    ck_assert(id_eq(&a.id, &b.id));
    ck_ok(agreement_by_ref(db, &kit_key, SLICE("alipay"), slice_str(normal.ref), &b));
    ck_assert(id_eq(&a.id, &b.id));
    ck_assert_str_eq(b.ref, normal.ref);
    ck_assert_str_eq(b.refresh, normal.refresh);
    ck_assert_str_eq(b.user, normal.user);
    ck_err(agreement_by_ref(db, &kit_key, SLICE("antom"), slice_str(normal.ref), &b), KEER_EMISSING);
    ck_err(agreement_by_ref(db, &kit_key, SLICE("alipay"), SLICE(""), &b), KEER_EMISSING); /* not one without */
    ck_err(agreement_by_number(db, &kit_key, SLICE(""), &b), KEER_EMISSING);
    ck_err(agreement_by_reference(db, &kit_key, SLICE("another"), slice_str(a.reference), &b), KEER_EMISSING);
    ck_assert(!id_eq(&other, &id));
}
END_TEST

START_TEST(references_are_sealed)
{
    struct id id = in_state(AGREEMENT_ACTIVE), second = in_state(AGREEMENT_ACTIVE);
    struct agreement a;
    struct db_stmt *s;
    const struct crypto_hash wrong = {{9}};
    ck_ok(QUERY_ONE(db, &s, "SELECT ref, refresh, ref_hash FROM agreement WHERE id = $1", Q_ID(&id)));
    for (unsigned i = 0; i < 2; i++) {
        struct slice kept = db_bytes(s, i);
        ck_assert_uint_gt(kept.len, strlen(i ? normal.refresh : normal.ref));
        ck_assert_ptr_null(memmem(kept.p, kept.len, i ? normal.refresh : normal.ref, 6));
    }
    struct crypto_hash plain;
    crypto_sha256(slice_str(normal.ref), &plain);
    ck_assert(!slice_eq(db_bytes(s, 2), slice_of((const char *)plain.bytes, sizeof plain.bytes)));
    db_free(s);
    ck_err(agreement_get(db, &wrong, &id, &a), KEER_EFORMAT);
    ck_ok(agreement_get(db, NULL, &id, &a));
    ck_assert_str_eq(a.ref, "");
    /* What is sealed for one agreement is none of another's. */
    ck_ok(QUERY_DO(db, "UPDATE agreement SET ref = (SELECT ref FROM agreement WHERE id = $1) WHERE id = $2", Q_ID(&id),
                   Q_ID(&second)));
    ck_err(agreement_get(db, &kit_key, &second, &a), KEER_EFORMAT);
    a = get(&id);
    agreement_wipe(&a);
    ck_assert(!a.ref[0] && !a.refresh[0]);
}
END_TEST

START_TEST(an_account_has_sixteen_that_are_not_ended)
{
    struct id id = {0};
    bool fresh;
    for (unsigned i = 0; i < AGREEMENTS_MAX; i++)
        id = add();
    struct agreement a = wanted("one more"), b;
    ck_err(agreement_add(db, &kit_key, &a, T0, &fresh), KEER_EFULL);
    ck_ok(agreement_lapse(db, &id, T0, T0));
    b = wanted("one more");
    ck_ok(agreement_add(db, &kit_key, &b, T0, &fresh));
    ck_assert(fresh);
}
END_TEST

START_TEST(lists_and_what_is_due)
{
    struct agreement rows[8];
    struct id ids[8], active = in_state(AGREEMENT_ACTIVE), ending = in_state(AGREEMENT_ENDING), step = add(), bert;
    unsigned n;
    ck_ok(QUERY_DO(db, "UPDATE agreement SET created_us = created_us + 5 WHERE id = $1", Q_ID(&step)));
    ck_ok(agreements_list(db, &(struct agreement_find){.account = anna}, rows, 8, &n));
    ck_assert_uint_eq(n, 3);
    ck_assert(id_eq(&rows[0].id, &step));
    struct agreement_find find = {.account = anna, .after = rows[0].id};
    ck_ok(agreements_list(db, &find, rows, 1, &n));
    ck_assert_uint_eq(n, 1);
    find.after = rows[0].id;
    ck_ok(agreements_list(db, &find, rows, 8, &n));
    ck_assert_uint_eq(n, 1);
    find = (struct agreement_find){.client = SLICE("store"), .states = AGREEMENT_BIT(AGREEMENT_ENDING)};
    ck_ok(agreements_list(db, &find, rows, 8, &n));
    ck_assert_uint_eq(n, 1);
    ck_assert(id_eq(&rows[0].id, &ending));
    bert = kit_account("bert@example.org");
    ck_ok(agreements_list(db, &(struct agreement_find){.account = bert}, rows, 8, &n));
    ck_assert_uint_eq(n, 0);

    unsigned both = AGREEMENT_BIT(AGREEMENT_ACTIVE) | AGREEMENT_BIT(AGREEMENT_ENDING);
    ck_ok(due(both, T0, T0, ids, 8, &n));
    ck_assert_uint_eq(n, 2);
    ck_ok(due(both, T0, T0, ids, 1, &n));
    ck_assert_uint_eq(n, 1);
    ck_ok(due(both, T0 - 1, T0, ids, 8, &n)); /* not so long in it */
    ck_assert_uint_eq(n, 0);
    ck_ok(agreement_synced(db, &active, T0 + 7));
    ck_ok(due(AGREEMENT_BIT(AGREEMENT_ACTIVE), T0, T0 + 6, ids, 8, &n)); /* asked since */
    ck_assert_uint_eq(n, 0);
    ck_ok(agreement_synced(db, &active, T0 + 7 + AGREEMENT_AHEAD_US));
    ck_ok(due(AGREEMENT_BIT(AGREEMENT_ACTIVE), INT64_MAX, T0 + 6, ids, 8, &n)); /* by a clock that is a little ahead */
    ck_assert_uint_eq(n, 0);
    ck_ok(agreement_synced(db, &active, T0 + US_DAY)); /* the clock was set back since */
    ck_ok(due(AGREEMENT_BIT(AGREEMENT_ACTIVE), INT64_MAX, T0 + 6, ids, 8, &n));
    ck_assert_uint_eq(n, 1);
}
END_TEST

/* --- caps --- */

START_TEST(caps_that_can_be_none)
{
    static const struct {
        struct agreement_caps caps;
        int64_t unverified;
        enum currency currency;
        enum keer_err want;
    } rows[] = {
        {{100, 200, 300, 5}, 0, CUR_CNY, KEER_OK},
        {{0, 0, 0, 0}, 0, CUR_CNY, KEER_OK},
        {{201, 200, 300, 5}, 0, CUR_CNY, KEER_ERANGE},
        {{100, 301, 300, 5}, 0, CUR_CNY, KEER_ERANGE},
        {{-1, 200, 300, 5}, 0, CUR_CNY, KEER_ERANGE},
        {{100, 200, 300, -1}, 0, CUR_CNY, KEER_ERANGE},
        {{100, 200, 300, AGREEMENT_COUNT_MAX + 1}, 0, CUR_CNY, KEER_ERANGE},
        {{100, 200, INT64_MAX, 5}, 0, CUR_CNY, KEER_ERANGE},
        {{100, 200, 300, 5}, 0, CUR_MAX, KEER_ERANGE},
        {{100, 200, 300, 5}, -1, CUR_EUR, KEER_ERANGE},
        {{100, 200, 300, 5}, 10000, CUR_EUR, KEER_OK},     /* 100 euros in sum */
        {{100, 200, 300, 5}, 10001, CUR_EUR, KEER_ERANGE}, /* RTS 2018/389 article 16 */
        {{100, 200, 300, 5}, 100000, CUR_CNY, KEER_OK},
        {{100, 200, 300, 5}, 100001, CUR_CNY, KEER_ERANGE},
        {{100, 200, 300, 5}, 1, CUR_USD, KEER_ERANGE}, /* no rule, no exemption */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        ck_err(agreement_check(rows[i].currency, &rows[i].caps, rows[i].unverified), rows[i].want);
    for (unsigned c = 0; c < CUR_MAX; c++) {
        struct agreement_caps caps;
        if (agreement_default_caps((enum currency)c, &caps))
            ck_ok(agreement_check((enum currency)c, &caps, 0));
    }
    struct agreement_caps none;
    ck_assert(!agreement_default_caps(CUR_CHF, &none));
}
END_TEST

START_TEST(caps_change_once_from_what_they_were)
{
    struct id id = in_state(AGREEMENT_ACTIVE), ended = in_state(AGREEMENT_ENDED);
    struct agreement a = get(&id);
    struct agreement_limits was = {a.caps, 0}, low = {{100, 200, 300, 2}, 50}, bad = {{300, 200, 300, 2}, 0};
    ck_err(agreement_set_caps(db, &id, a.currency, &was, &bad, T0), KEER_ERANGE);
    ck_ok(agreement_set_caps(db, &id, a.currency, &was, &low, T0));
    a = get(&id);
    ck_assert(agreement_caps_eq(&a.caps, &low.caps));
    ck_assert_int_eq(a.unverified_limit_minor, 50);
    ck_err(agreement_set_caps(db, &id, a.currency, &was, &low, T0), KEER_EMISSING); /* changed since it was read */
    ck_err(agreement_set_caps(db, &id, CUR_EUR, &low, &low, T0), KEER_EMISSING);
    ck_err(agreement_set_caps(db, &ended, a.currency, &was, &low, T0), KEER_EMISSING);
    struct agreement_caps min = agreement_caps_min(&was.caps, &(struct agreement_caps){1, INT64_MAX, 2, INT64_MAX});
    ck_assert(agreement_caps_eq(&min, &(struct agreement_caps){1, was.caps.day_minor, 2, was.caps.day_count}));
}
END_TEST

/* How fast caps are raised: caps.def. */
START_TEST(caps_are_raised_slowly)
{
    struct id id = in_state(AGREEMENT_ACTIVE);
    const struct agreement a = get(&id); /* 700 / 1,000 / 3,000 yuan, 10 a day */
    const struct agreement_caps now = a.caps;
    const struct {
        struct agreement_caps caps;
        int64_t unverified;
        enum agreement_pace fresh, rests;
    } rows[] = {
        {now, 0, AGREEMENT_PACE_LOWER, AGREEMENT_PACE_LOWER},
        {{100, 200, 300, 1}, 0, AGREEMENT_PACE_LOWER, AGREEMENT_PACE_LOWER},
        {{140000, 200000, 600000, 20}, 0, AGREEMENT_PACE_NOW, AGREEMENT_PACE_WAITS}, /* twice */
        {{70001, 100000, 300000, 10}, 0, AGREEMENT_PACE_NOW, AGREEMENT_PACE_WAITS},
        {{140001, 200000, 600000, 20}, 0, AGREEMENT_PACE_WAITS, AGREEMENT_PACE_WAITS},
        {{70000, 200001, 600000, 20}, 0, AGREEMENT_PACE_WAITS, AGREEMENT_PACE_WAITS},
        {{70000, 100000, 600001, 10}, 0, AGREEMENT_PACE_WAITS, AGREEMENT_PACE_WAITS},
        {{70000, 100000, 300000, 21}, 0, AGREEMENT_PACE_WAITS, AGREEMENT_PACE_WAITS},
        {{800000, 1000000, 1000000, 10}, 0, AGREEMENT_PACE_WAITS, AGREEMENT_PACE_WAITS}, /* a telephone */
        {now, 1, AGREEMENT_PACE_WAITS, AGREEMENT_PACE_WAITS},                            /* what takes the step away */
        {{1000000, 1000000, 2000000, 100}, 100000, AGREEMENT_PACE_WAITS, AGREEMENT_PACE_WAITS},
        {{1000001, 1000001, 2000000, 100}, 0, AGREEMENT_PACE_NEVER, AGREEMENT_PACE_NEVER},
        {{100, 1000001, 2000000, 10}, 0, AGREEMENT_PACE_NEVER, AGREEMENT_PACE_NEVER},
        {{100, 200, 2000001, 10}, 0, AGREEMENT_PACE_NEVER, AGREEMENT_PACE_NEVER},
        {{100, 200, 300, 101}, 0, AGREEMENT_PACE_NEVER, AGREEMENT_PACE_NEVER},
    };
    struct agreement rests = a, rested = a, later = a, poor = a;
    rests.raised_us = T0 - 7 * US_DAY + 1;
    rested.raised_us = T0 - 7 * US_DAY;
    later.raised_us = T0 + US_DAY; /* the clock was set back */
    poor.has_ceiling = false;
    ck_assert(a.has_ceiling && a.raised_us == 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct agreement_limits to = {rows[i].caps, rows[i].unverified};
        ck_assert_int_eq(agreement_pace(&a, &to, T0), rows[i].fresh);
        ck_assert_int_eq(agreement_pace(&rested, &to, T0), rows[i].fresh);
        ck_assert_int_eq(agreement_pace(&rests, &to, T0), rows[i].rests);
        ck_assert_int_eq(agreement_pace(&later, &to, T0), rows[i].rests);
        bool caps_raised = rows[i].fresh != AGREEMENT_PACE_LOWER && !agreement_caps_eq(&rows[i].caps, &now);
        ck_assert(!caps_raised || agreement_pace(&poor, &to, T0) == AGREEMENT_PACE_NEVER);
    }
}
END_TEST

/* Nothing is raised above the ceiling, whoever asks; an administrator moves it, and what a row holds above it counts no more. */
START_TEST(caps_have_a_ceiling)
{
    struct id id = in_state(AGREEMENT_ACTIVE);
    struct agreement a = get(&id), high = wanted("high");
    struct agreement_caps most, two = {1500000, 2000000, 3000000, 200}, none = {-1, 2, 3, 4}, low = {50000, 60000, 70000, 5};
    struct agreement_limits was = {a.caps, 0}, to = {{1000001, 1000001, 2000000, 100}, 0};
    bool fresh;
    ck_err(agreement_set_caps(db, &id, a.currency, &was, &to, T0), KEER_ERANGE);
    ck_assert_int_eq(get(&id).raised_us, 0);
    high.caps = to.caps;
    ck_err(agreement_add(db, &kit_key, &high, T0, &fresh), KEER_ERANGE);
    ck_assert(high.has_ceiling && high.ceiling.charge_minor == 1000000);

    ck_err(agreement_set_ceiling(db, &a.account, CUR_CNY, &none, SLICE("admin"), T0), KEER_ERANGE);
    ck_err(agreement_set_ceiling(db, &id, CUR_CNY, &two, SLICE("admin"), T0), KEER_EMISSING); /* no account */
    ck_ok(agreement_set_ceiling(db, &a.account, CUR_CNY, &low, SLICE("admin"), T0));
    ck_ok(agreement_set_ceiling(db, &a.account, CUR_CNY, &two, SLICE("admin"), T0));
    ck_ok(agreement_ceiling(db, &a.account, CUR_CNY, &most));
    ck_assert(agreement_caps_eq(&most, &two));
    ck_ok(agreement_ceiling(db, &a.account, CUR_EUR, &most)); /* another currency's is the table's */
    ck_assert_int_eq(most.month_minor, 300000);
    ck_err(agreement_ceiling(db, &a.account, CUR_CHF, &most), KEER_EMISSING);
    ck_ok(agreement_set_caps(db, &id, a.currency, &was, &to, T0 + 5));
    ck_ok(agreement_add(db, &kit_key, &high, T0, &fresh));
    a = get(&id);
    ck_assert(agreement_caps_eq(&a.caps, &to.caps) && a.raised_us == T0 + 5);

    ck_ok(agreement_set_ceiling(db, &a.account, CUR_CNY, &low, SLICE("admin"), T0));
    a = get(&id);
    most = agreement_caps_now(&a);
    ck_assert(agreement_caps_eq(&a.caps, &to.caps) && agreement_caps_eq(&most, &low));
    was = to;
    to.caps.charge_minor = 900000; /* lower, though above the ceiling */
    ck_ok(agreement_set_caps(db, &id, a.currency, &was, &to, T0 + 9));
    ck_assert_int_eq(get(&id).raised_us, T0 + 5);
    was = to;
    to.caps.charge_minor++;
    ck_err(agreement_set_caps(db, &id, a.currency, &was, &to, T0), KEER_ERANGE);
}
END_TEST

static int64_t at(const char *text)
{
    int64_t us;
    ck_ok(time_parse(slice_str(text), &us));
    return us;
}

START_TEST(days_and_months_of_a_currency)
{
    static const struct {
        enum currency currency;
        const char *now, *day, *month;
    } rows[] = {
        {CUR_CNY, "2018-09-30T15:59:59Z", "2018-09-29T16:00:00Z", "2018-08-31T16:00:00Z"},
        {CUR_CNY, "2018-09-30T16:00:00Z", "2018-09-30T16:00:00Z", "2018-09-30T16:00:00Z"},
        {CUR_EUR, "2018-09-30T23:59:59.999999Z", "2018-09-30T00:00:00Z", "2018-09-01T00:00:00Z"},
        {CUR_EUR, "2020-02-29T12:00:00Z", "2020-02-29T00:00:00Z", "2020-02-01T00:00:00Z"},
        {CUR_CNY, "2018-12-31T17:00:00Z", "2018-12-31T16:00:00Z", "2018-12-31T16:00:00Z"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        ck_assert_int_eq(agreement_day_us(rows[i].currency, at(rows[i].now)), at(rows[i].day));
        ck_assert_int_eq(agreement_month_us(rows[i].currency, at(rows[i].now)), at(rows[i].month));
    }
}
END_TEST

START_TEST(what_passes_without_a_step)
{
    struct id id = in_state(AGREEMENT_ACTIVE);
    struct agreement a = get(&id);
    ck_assert(!agreement_passes_unverified(&a, 1)); /* 0 unless the person agreed to more */
    ck_err(agreement_spend_unverified(db, &id, 1), KEER_EMISSING);
    struct agreement_limits was = {a.caps, 0}, to = {a.caps, 30000};
    ck_ok(agreement_set_caps(db, &id, a.currency, &was, &to, T0));
    ck_err(agreement_spend_unverified(db, &id, 20001), KEER_EMISSING); /* 200 yuan a charge */
    ck_err(agreement_spend_unverified(db, &id, 0), KEER_EMISSING);
    ck_err(agreement_spend_unverified(db, &id, -5), KEER_EMISSING);
    ck_ok(agreement_spend_unverified(db, &id, 20000));
    ck_err(agreement_spend_unverified(db, &id, 10001), KEER_EMISSING);
    ck_ok(agreement_spend_unverified(db, &id, 10000));
    ck_err(agreement_spend_unverified(db, &id, 1), KEER_EMISSING);
    ck_ok(agreement_verified(db, &id, T0 + 9));
    ck_assert_int_eq(get(&id).unverified_used_minor, 0);
    ck_ok(agreement_spend_unverified(db, &id, 500));
    ck_assert_int_eq(get(&id).unverified_used_minor, 500);
    ck_ok(agreement_pause(db, &id, SLICE("by the person"), T0));
    ck_err(agreement_spend_unverified(db, &id, 1), KEER_EMISSING);
}
END_TEST

/* --- a database that fails --- */

static enum keer_err whole_life(void)
{
    struct agreement a = wanted("a life");
    struct agreement_limits was, low;
    enum agreement_state state;
    struct id ids[2];
    bool fresh;
    unsigned n;
    enum keer_err err = agreement_add(db, &kit_key, &a, T0, &fresh);
    if (err == KEER_OK)
        err = agreement_stepped(db, &a.id, T0);
    if (err == KEER_OK)
        err = agreement_signed(db, &kit_key, &a.id, &normal, T0);
    was = low = (struct agreement_limits){a.caps, 0};
    low.unverified_limit_minor = 100;
    if (err == KEER_OK)
        err = agreement_set_caps(db, &a.id, a.currency, &was, &low, T0);
    if (err == KEER_OK)
        err = agreement_spend_unverified(db, &a.id, 10);
    if (err == KEER_OK)
        err = agreement_pause(db, &a.id, SLICE("x"), T0);
    if (err == KEER_OK)
        err = agreement_resume(db, &a.id, T0);
    if (err == KEER_OK)
        err = agreement_end(db, &a.id, SLICE("x"), T0, &state);
    if (err == KEER_OK)
        err = due(AGREEMENT_BIT(AGREEMENT_ENDING), T0, T0, ids, 2, &n);
    if (err == KEER_OK)
        err = agreement_ended(db, &a.id, false, SLICE(""), T0);
    return err;
}

START_TEST(a_failing_database_is_told)
{
    unsigned n = 1;
    for (;; n++) {
        kit_keep();
        db_fail_arm(n, false);
        enum keer_err err = whole_life();
        bool hit = db_fail_hit();
        db_fail_arm(0, false);
        if (!hit) {
            ck_ok(err);
            break;
        }
        ck_assert_msg(err != KEER_OK, "call %u failed and nobody noticed", n);
        db_rollback(db);
        ck_ok(db_begin(db));
    }
    ck_assert_uint_gt(n, 12);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("agreement");
    TCase *t = tcase_create("agreement");
    tcase_add_checked_fixture(t, setup, kit_close);
    tcase_add_test(t, every_arrow_and_no_other);
    tcase_add_test(t, who_ended_it_and_why_is_kept);
    tcase_add_test(t, a_signature_after_the_end_revives_nothing);
    tcase_add_test(t, one_reference_is_one_agreement);
    tcase_add_test(t, found_by_each_of_its_names);
    tcase_add_test(t, references_are_sealed);
    tcase_add_test(t, an_account_has_sixteen_that_are_not_ended);
    tcase_add_test(t, lists_and_what_is_due);
    tcase_add_test(t, caps_that_can_be_none);
    tcase_add_test(t, caps_change_once_from_what_they_were);
    tcase_add_test(t, caps_are_raised_slowly);
    tcase_add_test(t, caps_have_a_ceiling);
    tcase_add_test(t, days_and_months_of_a_currency);
    tcase_add_test(t, what_passes_without_a_step);
    tcase_add_test(t, a_failing_database_is_told);
    suite_add_tcase(s, t);
    return test_main(s);
}
