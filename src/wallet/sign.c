/* sign.c - signatures and forms, as the wallets have them in common. */
#include "wallet/sign.h"

#include "base/base64.h"

#ifndef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION

enum keer_err sign_put(const struct crypto_key *key, struct slice text, struct buf *out)
{
    struct crypto_signature signature;
    enum keer_err err = crypto_key_sign(key, CRYPTO_RS256, CRYPTO_RAW, text, &signature);
    if (err != KEER_OK)
        return err;
    base64_put(out, slice_of((const char *)signature.bytes, signature.len));
    return out->err;
}

bool sign_verify(const struct crypto_key *key, struct slice text, struct slice base64)
{
    unsigned char bytes[CRYPTO_SIGNATURE_BYTES];
    size_t len = 0;
    if (base64_get(base64, sizeof bytes, bytes, &len) != KEER_OK)
        return false;
    return crypto_key_verify(key, CRYPTO_RS256, CRYPTO_RAW, text, slice_of((const char *)bytes, len));
}

#else /* RSA would take all the time of fuzzing, and finds nothing: a hash is as hard to forge for what mutates bytes */

enum keer_err sign_put(const struct crypto_key *key, struct slice text, struct buf *out)
{
    unsigned char hash[CRYPTO_DIGEST_BYTES_MAX];
    UNUSED(key);
    enum keer_err err = crypto_digest(CRYPTO_SHA256, text, hash);
    if (err == KEER_OK)
        base64_put(out, slice_of((const char *)hash, crypto_digest_len(CRYPTO_SHA256)));
    return err == KEER_OK ? out->err : err;
}

bool sign_verify(const struct crypto_key *key, struct slice text, struct slice base64)
{
    unsigned char bytes[CRYPTO_SIGNATURE_BYTES], hash[CRYPTO_DIGEST_BYTES_MAX];
    size_t len = 0;
    UNUSED(key);
    return base64_get(base64, sizeof bytes, bytes, &len) == KEER_OK && crypto_digest(CRYPTO_SHA256, text, hash) == KEER_OK &&
           len == crypto_digest_len(CRYPTO_SHA256) && memcmp(bytes, hash, len) == 0;
}

#endif

bool sign_verify_any(struct crypto_key *const *keys, unsigned count, struct slice text, struct slice base64)
{
    for (unsigned i = 0; i < count; i++)
        if (sign_verify(keys[i], text, base64))
            return true;
    return false;
}

void percent_put(struct buf *b, struct slice text)
{
    static const char hex[] = "0123456789ABCDEF", plain[] = "-_.!~*'()";
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.p[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                        (c != 0 && strchr(plain, c) != NULL);
        if (is_plain) {
            buf_char(b, (char)c);
        } else {
            const char coded[] = {'%', hex[c >> 4], hex[c & 15]};
            buf_put(b, coded, sizeof coded);
        }
    }
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum keer_err percent_get(struct buf *b, struct slice text, bool plus)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.p[i];
        if (c == '%') {
            int high = i + 2 < text.len ? hex_digit(text.p[i + 1]) : -1, low = high >= 0 ? hex_digit(text.p[i + 2]) : -1;
            if (low < 0)
                return KEER_EFORMAT;
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        if (c == '\0')
            return KEER_EFORMAT;
        buf_char(b, c);
    }
    return b->err;
}

struct slice json_span(struct slice text)
{
    unsigned depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.p[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '{' || c == '['))
            depth++;
        else if (!quoted && (c == '}' || c == ']'))
            depth -= depth > 0;
        else
            continue;
        if (!depth && !quoted && c != '\\')
            return slice_of(text.p, i + 1);
    }
    return text;
}

/* --- forms --- */

enum keer_err form_read(struct form *f, struct slice encoded)
{
    f->count = 0;
    buf_init(&f->text, FORM_BYTES);
    if (encoded.len > FORM_BYTES)
        return KEER_ELIMIT;
    /* Decoded text is never longer, so that nothing moves once the room is there. */
    if (!buf_reserve(&f->text, encoded.len + 1))
        return f->text.err;
    while (encoded.p) {
        struct slice value = slice_cut(&encoded, '&'), parts[2];
        if (!value.len)
            continue;
        if (f->count == FORM_FIELDS_MAX)
            return KEER_ELIMIT;
        parts[0] = slice_cut(&value, '=');
        parts[1] = value;
        struct slice *to[2] = {&f->field[f->count].name, &f->field[f->count].value};
        for (int i = 0; i < 2; i++) {
            size_t at = f->text.len;
            enum keer_err err = percent_get(&f->text, parts[i], /* plus */ true);
            if (err != KEER_OK)
                return err;
            *to[i] = slice_of(f->text.p + at, f->text.len - at);
        }
        for (unsigned i = 0; i < f->count; i++)
            if (slice_eq(f->field[i].name, f->field[f->count].name))
                return KEER_ECONFLICT;
        f->count++;
    }
    return KEER_OK;
}

struct slice form_find(const struct form *f, const char *name)
{
    for (unsigned i = 0; i < f->count; i++)
        if (slice_eq(f->field[i].name, slice_str(name)))
            return f->field[i].value;
    return slice_of(NULL, 0);
}

static int by_name(const void *a, const void *b)
{
    return slice_cmp(((const struct form_field *)a)->name, ((const struct form_field *)b)->name);
}

void form_sort(struct form *f) { qsort(f->field, f->count, sizeof f->field[0], by_name); }

void form_release(struct form *f)
{
    buf_release(&f->text);
    f->count = 0;
}
