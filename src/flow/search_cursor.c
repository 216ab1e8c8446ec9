/* search_cursor.c - cursors: 8 bytes of number, 24 of HMAC-SHA-256 (RFC 2104, cut as its section 5 allows) over query and
 * number.
 */
#include "flow/search.h"

#define SEQ_BYTES 8u

static void put_number(unsigned char bytes[SEQ_BYTES], int64_t v)
{
    for (unsigned i = 0; i < SEQ_BYTES; i++)
        bytes[i] = (unsigned char)((uint64_t)v >> 8 * i);
}

static int64_t get_number(const unsigned char bytes[SEQ_BYTES])
{
    uint64_t v = 0;
    for (unsigned i = 0; i < SEQ_BYTES; i++)
        v |= (uint64_t)bytes[i] << 8 * i;
    return (int64_t)v;
}

static void sign(const struct crypto_hash *secret, const struct search_query *q, int64_t seq, struct crypto_hash *ret_cursor)
{
    const struct slice texts[] = {q->account, q->outcome, q->rule, q->type};
    struct crypto_hash mac;
    struct crypto_hash whole = {{0}};
    unsigned char numbers[3 * SEQ_BYTES];
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        char there = texts[i].p ? 1 : 0; /* "any" and an empty text differ */
        crypto_sha256_add(&whole, slice_of(&there, 1));
        crypto_sha256_add(&whole, texts[i]);
    }
    put_number(numbers, q->from_us);
    put_number(numbers + SEQ_BYTES, q->to_us);
    put_number(numbers + 2 * (size_t)SEQ_BYTES, seq);
    crypto_sha256_add(&whole, slice_of((const char *)numbers, sizeof numbers));
    struct slice part = slice_of((const char *)whole.bytes, sizeof whole.bytes);
    crypto_hmac(slice_of((const char *)secret->bytes, sizeof secret->bytes), &part, 1, &mac);
    put_number(ret_cursor->bytes, seq);
    memcpy(ret_cursor->bytes + SEQ_BYTES, mac.bytes, sizeof mac.bytes - SEQ_BYTES);
}

void cursor_print(const struct crypto_hash *secret, const struct search_query *q, int64_t seq,
                  char ret_text[CURSOR_TEXT_BYTES])
{
    struct crypto_hash cursor;
    sign(secret, q, seq, &cursor);
    crypto_text(&cursor, ret_text);
}

enum keer_err cursor_parse(const struct crypto_hash *secret, const struct search_query *q, struct slice text,
                           int64_t *ret_seq)
{
    struct crypto_hash given;
    struct crypto_hash right;
    if (crypto_parse(text, &given) != KEER_OK)
        return KEER_EINVALID;
    int64_t seq = get_number(given.bytes);
    sign(secret, q, seq, &right);
    if (!crypto_hash_eq(&given, &right))
        return KEER_EINVALID;
    *ret_seq = seq;
    return KEER_OK;
}
