/* oidc.c - the tables that the parts of the OpenID provider share. */
#include "oidc/oidc.h"

static const struct {
    const char *name, *text;
    int status;
} errors[] = {
    {"", "", 200},
#define OIDC_ERROR(name, wire, status, description) {wire, description, status},
#include "oidc/oidc_errors.def"
#undef OIDC_ERROR
};
static_assert(ARRAY_LEN(errors) == OIDC_ERROR_MAX, "a row per error");

const char *oidc_error_name(enum oidc_error e) { return errors[e].name; }
const char *oidc_error_text(enum oidc_error e) { return errors[e].text; }
int oidc_error_status(enum oidc_error e) { return errors[e].status; }

static const char *const scope_names[] = {
#undef OIDC_SCOPE
#define OIDC_SCOPE(name, text) text,
#include "oidc/scopes.def"
#undef OIDC_SCOPE
};

unsigned oidc_scopes_read(struct slice list)
{
    unsigned scopes = 0;
    while (list.p) {
        struct slice one = slice_cut(&list, ' ');
        for (unsigned i = 0; i < ARRAY_LEN(scope_names); i++)
            if (slice_eq(one, slice_str(scope_names[i])))
                scopes |= 1u << i;
    }
    return scopes;
}

void oidc_scopes_put(unsigned scopes, struct buf *b)
{
    const char *between = "";
    for (unsigned i = 0; i < ARRAY_LEN(scope_names); i++)
        if (scopes & 1u << i) {
            buf_fmt(b, "%s%s", between, scope_names[i]);
            between = " ";
        }
}

static const struct {
    const char *name;
    unsigned scope;
} claims[] = {
#undef OIDC_CLAIM
#define OIDC_CLAIM(name, text, scope) {text, 1u << OIDC_SCOPE_BIT_##scope},
#include "oidc/claims.def"
#undef OIDC_CLAIM
};

const char *oidc_claim_name(unsigned bit) { return claims[bit].name; }

unsigned oidc_claim_of(struct slice name)
{
    for (unsigned i = 0; i < ARRAY_LEN(claims); i++)
        if (slice_eq(name, slice_str(claims[i].name)))
            return 1u << i;
    return 0;
}

unsigned oidc_claims_of_scopes(unsigned scopes)
{
    unsigned mask = 0;
    for (unsigned i = 0; i < ARRAY_LEN(claims); i++)
        if (scopes & claims[i].scope)
            mask |= 1u << i;
    return mask;
}

void oidc_secret_make(struct oidc_secret *ret_secret, struct crypto_hash *ret_hash)
{
    struct crypto_hash bytes;
    crypto_random(bytes.bytes, sizeof bytes.bytes);
    crypto_text(&bytes, ret_secret->text);
    crypto_sha256(slice_str(ret_secret->text), ret_hash);
    crypto_wipe(&bytes, sizeof bytes);
}

enum keer_err oidc_secret_hash(struct slice text, struct crypto_hash *ret_hash)
{
    struct crypto_hash bytes;
    enum keer_err err = crypto_parse(text, &bytes);
    if (err == KEER_OK)
        crypto_sha256(text, ret_hash);
    crypto_wipe(&bytes, sizeof bytes);
    return err;
}
