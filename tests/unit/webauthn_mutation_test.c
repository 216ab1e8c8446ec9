/* webauthn_mutation_test.c - 1,000 ceremonies of every kind that must be accepted, and from them more than 60 kinds of
 * mutation, each of which must end as its row says. KEER_SEED draws others.
 */
#include "base/num.h"
#include "lib/passkey_bases.h"
#include "lib/test.h"

static struct passkey_kit kit;
static struct ceremony c;
static struct rng rng;

static enum webauthn_verdict run(const struct recipe *r, struct webauthn_registered *reg,
                                 struct webauthn_authenticated *auth)
{
    if (r->kind == KIT_REGISTER) {
        ck_ok(webauthn_register(&c.expect, &c.registration, reg));
        return reg->verdict;
    }
    ck_ok(webauthn_authenticate(&c.expect, &c.stored, &c.assertion, auth));
    return auth->verdict;
}

START_TEST(a_thousand_ceremonies_are_accepted)
{
    struct webauthn_registered reg;
    struct webauthn_authenticated auth;
    for (int i = 0; i < 1000; i++) {
        struct recipe r = random_recipe(&rng);
        ceremony_make(&kit, &r, &rng, &c);
        enum webauthn_verdict v = run(&r, &reg, &auth);
        ck_assert_msg(v == WEBAUTHN_OK, "%d: %s, %s, algorithm %u: %s", i, r.type, r.fmt, r.alg, webauthn_verdict_text(v));
        if (r.kind != KIT_REGISTER) {
            ck_assert(!auth.counter_back && !auth.eligible_turned && auth.counter == r.counter && auth.user_verified);
            continue;
        }
        enum attest_trust trust = r.format == ATTEST_NONE ? ATTEST_NOTHING : r.self ? ATTEST_SELF : ATTEST_TRUSTED;
        ck_assert_msg(reg.trust == trust, "%d: %s is %s", i, r.fmt, attest_trust_name(reg.trust));
        ck_assert(reg.format == r.format && reg.algorithm == kit_algs[r.alg].number && reg.counter == r.counter);
        ck_slice_eq(reg.credential_id, c.stored.id);
        ck_slice_eq(reg.public_key, c.stored.public_key);
        ck_assert(reg.backup_eligible == (bool)(r.flags & AUTH_BE) && reg.backed_up == (bool)(r.flags & AUTH_BS));
        ck_assert(memcmp(reg.aaguid, r.aaguid, AAGUID_BYTES) == 0);
    }
}
END_TEST

START_TEST(each_mutation_has_its_verdict)
{
    struct webauthn_registered reg;
    struct webauthn_authenticated auth;
    unsigned wrong = 0;
    for (enum mutation m = 0; m < MUTATION_MAX; m++)
        for (int i = 0; i < 5; i++) {
            const struct mutation_row *row = &mutation_rows[m];
            struct recipe r = base_recipe(row->base, &rng);
            mutation_apply(m, &r);
            ceremony_make(&kit, &r, &rng, &c);
            reg.trust = ATTEST_TRUST_MAX;
            enum webauthn_verdict v = run(&r, &reg, &auth);
            if (v != row->verdict) {
                wrong++;
                printf("# %s: %s, want %s\n", row->name, webauthn_verdict_name(v), webauthn_verdict_name(row->verdict));
            }
            if (m == M_A_OTHER_ROOT)
                ck_assert_int_eq(reg.trust, ATTEST_UNTRUSTED);
            if (m == M_G_COUNTER_SAME || m == M_G_COUNTER_BACK || m == M_G_COUNTER_NONE)
                ck_assert(auth.counter_back);
            if (m == M_G_ELIGIBLE_TURNED)
                ck_assert(auth.eligible_turned);
        }
    ck_assert_msg(MUTATION_MAX >= 60, "%d mutations", MUTATION_MAX);
    ck_assert_uint_eq(wrong, 0);
}
END_TEST

/* A sign-in is no payment and a payment no sign-in, whatever else is right. */
START_TEST(sign_ins_and_payments_are_never_taken_for_one_another)
{
    struct webauthn_authenticated auth;
    struct recipe r = base_recipe(BASE_GET, &rng);
    ceremony_make(&kit, &r, &rng, &c);
    c.expect.payment = &c.payment;
    ck_ok(webauthn_authenticate(&c.expect, &c.stored, &c.assertion, &auth));
    ck_assert_int_eq(auth.verdict, WEBAUTHN_TYPE);
    r = base_recipe(BASE_PAY, &rng);
    ceremony_make(&kit, &r, &rng, &c);
    c.expect.payment = NULL;
    ck_ok(webauthn_authenticate(&c.expect, &c.stored, &c.assertion, &auth));
    ck_assert_int_eq(auth.verdict, WEBAUTHN_TYPE);
}
END_TEST

/* Every allocation fails once: never a verdict that would not have come without, never a leak (the sanitizers look). */
START_TEST(without_memory_nothing_is_accepted)
{
    static const enum mutation_base bases[] = {BASE_PACKED, BASE_TPM, BASE_ANDROID, BASE_APPLE,
                                               BASE_U2F,    BASE_GET, BASE_PAY};
    for (size_t b = 0; b < ARRAY_LEN(bases); b++) {
        struct recipe r = base_recipe(bases[b], &rng);
        ceremony_make(&kit, &r, &rng, &c);
        for (uint64_t n = 1;; n++) {
            struct webauthn_registered reg = {.verdict = WEBAUTHN_VERDICT_MAX};
            struct webauthn_authenticated auth = {.verdict = WEBAUTHN_VERDICT_MAX};
            oom_arm(n, false);
            enum keer_err err = r.kind == KIT_REGISTER ? webauthn_register(&c.expect, &c.registration, &reg)
                                                       : webauthn_authenticate(&c.expect, &c.stored, &c.assertion, &auth);
            bool reached = oom_count() >= n;
            oom_arm(0, false);
            enum webauthn_verdict v = r.kind == KIT_REGISTER ? reg.verdict : auth.verdict;
            if (err != KEER_OK)
                ck_assert(err == KEER_ENOMEM && v == WEBAUTHN_VERDICT_MAX);
            if (!reached) {
                ck_assert(err == KEER_OK && v == WEBAUTHN_OK);
                break;
            }
        }
    }
}
END_TEST

static void setup(void)
{
    const char *text = getenv("KEER_SEED");
    uint64_t seed = 20261129;
    if (text)
        ck_ok(num_u64(slice_str(text), 0, UINT64_MAX, &seed));
    printf("# KEER_SEED=%llu\n", (unsigned long long)seed);
    ck_ok(crypto_start());
    rng_seed(&rng, seed);
    passkey_kit_make(&kit);
    ceremony_init(&c);
}

static void teardown(void)
{
    ceremony_release(&c);
    passkey_kit_release(&kit);
}

int main(void)
{
    Suite *s = suite_create("webauthn_mutation");
    TCase *t = tcase_create("webauthn_mutation");
    tcase_set_timeout(t, 300);
    tcase_add_unchecked_fixture(t, setup, teardown);
    tcase_add_test(t, a_thousand_ceremonies_are_accepted);
    tcase_add_test(t, each_mutation_has_its_verdict);
    tcase_add_test(t, sign_ins_and_payments_are_never_taken_for_one_another);
    tcase_add_test(t, without_memory_nothing_is_accepted);
    suite_add_tcase(s, t);
    return test_main(s);
}
