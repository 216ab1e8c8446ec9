/* password_rules.c - what may be a password: length, lists, the person's own words, and a meter; no rules of composition. */
#include <zxcvbn.h>

#include "account/breached.h"
#include "account/password.h"
#include "base/utf8.h"

#define BITS_MIN \
    28.0           /* by the meter: some hundred million guesses, a million times what the limits let through in a year \
                    */
#define WORD_MIN 3 /* bytes of a context word that counts */
#define REST_MIN 8 /* code points that must be left without the person's own words */

static const char *const common[] = {
#define PASSWORD_COMMON(text) text,
#include "account/passwords_common.def"
};
static const char *const words[] = {
#define PASSWORD_WORD(text) text,
#include "account/passwords_common.def"
};

static const struct {
    const char *code, *text;
} flaws[] = {
#define PASSWORD_FLAW(name, code, text) {code, text},
#include "account/password_flaws.def"
#undef PASSWORD_FLAW
};

const char *password_flaw_code(enum password_flaw flaw) { return flaws[flaw].code; }
const char *password_flaw_text(enum password_flaw flaw) { return flaws[flaw].text; }

static bool is_common(struct slice password)
{
    for (size_t i = 0; i < ARRAY_LEN(common); i++)
        if (slice_eqi(password, slice_str(common[i])))
            return true;
    return false;
}

/* Takes `word` out of the text, wherever it stands; ASCII case does not matter. */
static void take_out(char *text, size_t *len, struct slice word)
{
    for (size_t at = 0; word.len >= WORD_MIN && at + word.len <= *len;) {
        if (slice_eqi(slice_of(text + at, word.len), word)) {
            memmove(text + at, text + at + word.len, *len - at - word.len);
            *len -= word.len;
        } else {
            at++;
        }
    }
}

static bool made_of_context(struct slice password, const struct password_rules *rules)
{
    char text[PASSWORD_BYTES_MAX];
    size_t len = password.len, points = 0;
    memcpy(text, password.p, password.len);
    for (unsigned i = 0; i < rules->context_count; i++)
        take_out(text, &len, rules->context[i]);
    bool hit = len != password.len;
    /* What is left of valid UTF-8 without whole words of it is valid, or short. */
    bool rest = utf8_points(slice_of(text, len), &points) == KEER_OK && points >= REST_MIN;
    crypto_wipe(text, sizeof text);
    return hit && !rest;
}

double password_bits(struct slice password, const struct password_rules *rules)
{
    char text[PASSWORD_BYTES_MAX + 1], own[PASSWORD_CONTEXT_MAX][64];
    const char *dictionary[ARRAY_LEN(words) + PASSWORD_CONTEXT_MAX + 1];
    unsigned n = 0;
    if (password.len > PASSWORD_BYTES_MAX || memchr(password.p, '\0', password.len) || is_common(password))
        return 0;
    memcpy(text, password.p, password.len);
    text[password.len] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        dictionary[n++] = words[i];
    for (unsigned i = 0; i < rules->context_count; i++) {
        struct slice w = rules->context[i];
        if (w.len < WORD_MIN || w.len >= sizeof own[0])
            continue;
        for (size_t k = 0; k < w.len; k++) /* the meter folds the password, not its dictionary */
            own[i][k] = ascii_lower(w.p[k]);
        own[i][w.len] = '\0';
        dictionary[n++] = own[i];
    }
    dictionary[n] = NULL;
    double bits = ZxcvbnMatch(text, dictionary, NULL);
    crypto_wipe(text, sizeof text);
    return bits;
}

enum password_flaw password_judge(struct slice password, const struct password_rules *rules)
{
    size_t points;
    if (password.len > PASSWORD_BYTES_MAX)
        return PASSWORD_TOO_LONG;
    if (utf8_points(password, &points) != KEER_OK || (password.len && memchr(password.p, '\0', password.len)))
        return PASSWORD_NOT_TEXT;
    if (points < (rules->second_factor ? PASSWORD_POINTS_MIN_SECOND : PASSWORD_POINTS_MIN))
        return PASSWORD_TOO_SHORT;
    if (points > PASSWORD_POINTS_MAX)
        return PASSWORD_TOO_LONG;
    if (is_common(password))
        return PASSWORD_COMMON;
    if (rules->breached && breached_has(rules->breached, password))
        return PASSWORD_BREACHED;
    if (made_of_context(password, rules))
        return PASSWORD_CONTEXT;
    return password_bits(password, rules) < BITS_MIN ? PASSWORD_GUESSABLE : PASSWORD_FINE;
}
