/* id.c - ids and tokens of 128 bits. */
#include "base/id.h"

#define ID_RAW_BYTES 16

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void print(const unsigned char raw[ID_RAW_BYTES], char ret_text[ID_BYTES + 1])
{
    uint32_t bits = 0;
    unsigned have = 0, out = 0;
    for (unsigned i = 0; i < ID_RAW_BYTES; i++) {
        bits = bits << 8 | raw[i];
        for (have += 8; have >= 6; have -= 6)
            ret_text[out++] = letters[bits >> (have - 6) & 63];
    }
    ret_text[out++] = letters[bits << (6 - have) & 63];
    ASSERT(out == ID_BYTES);
    ret_text[out] = '\0';
}

static bool well_formed(struct slice text)
{
    if (text.len != ID_BYTES)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (text.p[i] == '\0' || !strchr(letters, text.p[i]))
            return false;
    /* 22 letters are 132 bits: the last four are zero in what was written here. */
    return ((strchr(letters, text.p[ID_BYTES - 1]) - letters) & 15) == 0;
}

void id_make(struct id *ret_id)
{
    unsigned char raw[ID_RAW_BYTES];
    crypto_random(raw, sizeof raw);
    print(raw, ret_id->text);
}

void id_of_hash(const struct crypto_hash *hash, struct id *ret_id) { print(hash->bytes, ret_id->text); }

enum keer_err id_parse(struct slice text, struct id *ret_id)
{
    if (!well_formed(text))
        return KEER_EFORMAT;
    memcpy(ret_id->text, text.p, ID_BYTES);
    ret_id->text[ID_BYTES] = '\0';
    return KEER_OK;
}

void token_make(struct bearer *ret_token, struct crypto_hash *ret_hash)
{
    unsigned char raw[ID_RAW_BYTES];
    crypto_random(raw, sizeof raw);
    print(raw, ret_token->text);
    crypto_sha256(slice_of(ret_token->text, ID_BYTES), ret_hash);
    crypto_wipe(raw, sizeof raw);
}

enum keer_err token_hash(struct slice text, struct crypto_hash *ret_hash)
{
    if (!well_formed(text))
        return KEER_EFORMAT;
    crypto_sha256(text, ret_hash);
    return KEER_OK;
}
