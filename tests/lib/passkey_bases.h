/* passkey_bases.h - what the rows of passkey_mutations.def begin with, and the ceremonies that are drawn at random. */
#ifndef TESTS_LIB_PASSKEY_BASES_H
#define TESTS_LIB_PASSKEY_BASES_H
#include "lib/passkey_kit.h"

enum mutation_base {
    BASE_NONE,
    BASE_SELF,
    BASE_PACKED,
    BASE_U2F,
    BASE_TPM,
    BASE_ANDROID,
    BASE_APPLE,
    BASE_RSA,
    BASE_ED,
    BASE_GET,
    BASE_PAY
};
enum mutation {
#define MUTATION(name, base, verdict, change) M_##name,
#include "lib/passkey_mutations.def"
#undef MUTATION
    MUTATION_MAX
};

static const struct mutation_row {
    const char *name;
    enum mutation_base base;
    enum webauthn_verdict verdict;
} mutation_rows[] = {
#define MUTATION(name, base, verdict, change) {#name, base, WEBAUTHN_##verdict},
#include "lib/passkey_mutations.def"
#undef MUTATION
};

static inline void mutation_apply(enum mutation m, struct recipe *r)
{
    switch (m) {
#define MUTATION(name, base, verdict, change) \
    case M_##name:                            \
        change;                               \
        break;
#include "lib/passkey_mutations.def"
#undef MUTATION
    case MUTATION_MAX: ASSERT(false);
    }
}

static inline struct recipe base_recipe(enum mutation_base base, struct rng *rng)
{
    static const struct {
        enum kit_kind kind;
        enum attest_format format;
        bool self;
        unsigned alg;
    } bases[] = {[BASE_NONE] = {KIT_REGISTER, ATTEST_NONE, false, KIT_ES256},
                 [BASE_SELF] = {KIT_REGISTER, ATTEST_PACKED, true, KIT_ES256},
                 [BASE_PACKED] = {KIT_REGISTER, ATTEST_PACKED, false, KIT_ES256},
                 [BASE_U2F] = {KIT_REGISTER, ATTEST_FIDO_U2F, false, KIT_ES256},
                 [BASE_TPM] = {KIT_REGISTER, ATTEST_TPM, false, KIT_ES256},
                 [BASE_ANDROID] = {KIT_REGISTER, ATTEST_ANDROID_KEY, false, KIT_ES256},
                 [BASE_APPLE] = {KIT_REGISTER, ATTEST_APPLE, false, KIT_ES256},
                 [BASE_RSA] = {KIT_REGISTER, ATTEST_NONE, false, KIT_RS256},
                 [BASE_ED] = {KIT_REGISTER, ATTEST_NONE, false, KIT_EDDSA},
                 [BASE_GET] = {KIT_SIGN_IN, ATTEST_NONE, false, KIT_ES256},
                 [BASE_PAY] = {KIT_PAY, ATTEST_NONE, false, KIT_ES256}};
    return recipe_make(bases[base].kind, bases[base].format, bases[base].self, bases[base].alg, rng);
}

/* Any right ceremony: a kind, and for a registration a format with an algorithm that it may have. */
static inline struct recipe random_recipe(struct rng *rng)
{
    enum kit_kind kind = (enum kit_kind)rng_below(rng, 3);
    enum attest_format format = kind == KIT_REGISTER ? (enum attest_format)rng_below(rng, ATTEST_FORMAT_MAX) : ATTEST_NONE;
    bool any = format == ATTEST_NONE || format == ATTEST_PACKED;
    unsigned alg = any                                            ? (unsigned)rng_below(rng, KIT_ALGS)
                   : format == ATTEST_TPM && rng_chance(rng, 0.5) ? KIT_RS256
                                                                  : KIT_ES256;
    return recipe_make(kind, format, format == ATTEST_PACKED && rng_chance(rng, 0.5), alg, rng);
}
#endif
