/* attest_der.c - DER, one element at a time. */
#include "stepup/attest_der.h"

static uint8_t byte_at(struct slice s, size_t i) { return (uint8_t)s.p[i]; }

/* X.690 8.1.2: tag numbers from 31 on take bytes of seven bits; three at most here. */
static bool read_tag(struct slice s, size_t *at, uint32_t *ret_tag)
{
    uint32_t tag = byte_at(s, (*at)++) & 31u;
    if (tag == 31) {
        tag = 0;
        for (unsigned i = 0;; i++) {
            if (i == 3 || *at == s.len)
                return false;
            uint8_t b = byte_at(s, (*at)++);
            if (i == 0 && b == 0x80)
                return false;
            tag = tag << 7 | (b & 0x7Fu);
            if (!(b & 0x80))
                break;
        }
        if (tag < 31)
            return false;
    }
    *ret_tag = tag;
    return true;
}

/* X.690 8.1.3 and 10.1; what an extension holds is below 2^24 bytes. */
static bool read_length(struct slice s, size_t *at, size_t *ret_len)
{
    if (*at == s.len)
        return false;
    size_t len = byte_at(s, (*at)++);
    if (len >= 0x80) {
        size_t more = len & 0x7F;
        if (more == 0 || more > 3 || s.len - *at < more)
            return false;
        len = 0;
        for (size_t i = 0; i < more; i++)
            len = len << 8 | byte_at(s, (*at)++);
        if (len < 0x80 || len >> (8 * (more - 1)) == 0)
            return false;
    }
    if (len > s.len - *at)
        return false;
    *ret_len = len;
    return true;
}

bool der_next(struct slice *rest, struct der_item *ret_item)
{
    size_t at = 0, len = 0;
    struct der_item item = {0};
    if (rest->len == 0)
        return false;
    item.class = (enum der_class)(byte_at(*rest, 0) >> 6);
    item.constructed = byte_at(*rest, 0) & 0x20;
    if (!read_tag(*rest, &at, &item.tag) || !read_length(*rest, &at, &len))
        return false;
    item.inside = slice_of(rest->p + at, len);
    *rest = slice_of(rest->p + at + len, rest->len - at - len);
    *ret_item = item;
    return true;
}

bool der_expect(struct slice *rest, enum der_universal tag, struct der_item *ret_item)
{
    struct slice after = *rest;
    struct der_item item;
    if (!der_next(&after, &item) || item.class != DER_UNIVERSAL || item.tag != tag)
        return false;
    if (item.constructed != (tag == DER_SEQUENCE || tag == DER_SET))
        return false;
    *rest = after;
    *ret_item = item;
    return true;
}

bool der_explicit(struct slice inside, uint32_t tag, struct slice *ret_inside)
{
    struct der_item item;
    while (der_next(&inside, &item))
        if (item.class == DER_CONTEXT && item.constructed && item.tag == tag) {
            *ret_inside = item.inside;
            return true;
        }
    return false;
}

bool der_number(const struct der_item *item, uint64_t *ret_v)
{
    uint64_t v = 0;
    if (item->class != DER_UNIVERSAL || item->constructed || (item->tag != DER_INTEGER && item->tag != DER_ENUMERATED))
        return false;
    if (item->inside.len == 0 || item->inside.len > 8 || byte_at(item->inside, 0) & 0x80)
        return false;
    for (size_t i = 0; i < item->inside.len; i++)
        v = v << 8 | byte_at(item->inside, i);
    *ret_v = v;
    return true;
}

bool der_whole(struct slice inside)
{
    struct der_item item;
    while (inside.len)
        if (!der_next(&inside, &item))
            return false;
    return true;
}
