/* certs.c - certificates of the emulator's parties, written as DER by hand (X.690): a judge does not need to read any.
 *
 *     Certificate ::= SEQUENCE { TBSCertificate, sha256WithRSAEncryption, BIT STRING }         RFC 5280 section 4.1
 */
#include "base/base64.h"
#include "base/num.h"
#include "emulator/inside.h"

#define DER_BYTES ((size_t)4096)
#define ORGANISATION "Keersluis"
#define UNIT "Wallet emulator"
#define COUNTRY "CN"

/* A value under its tag; inner and outer differ. */
static void der(struct buf *b, unsigned tag, struct slice value)
{
    buf_char(b, (char)tag);
    if (value.len >= 256) {
        buf_char(b, (char)0x82);
        buf_char(b, (char)(value.len >> 8));
    } else if (value.len >= 128) {
        buf_char(b, (char)0x81);
    }
    buf_char(b, (char)value.len);
    buf_slice(b, value);
}

/* Everything from `from` on becomes the value of a tag. */
static void wrap(struct buf *b, unsigned tag, size_t from)
{
    struct buf inner;
    buf_init(&inner, DER_BYTES);
    buf_put(&inner, b->p + from, b->len - from);
    b->len = from;
    der(b, tag, buf_view(&inner));
    if (inner.err != KEER_OK)
        b->err = inner.err;
    buf_release(&inner);
}

static void algorithm(struct buf *b) /* sha256WithRSAEncryption, NULL */
{
    buf_put(b, "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00", 15);
}

static void attribute(struct buf *b, unsigned oid, const char *value)
{
    size_t from = b->len;
    char type[3] = {0x55, 0x04, (char)oid};
    der(b, 0x06, slice_of(type, sizeof type));
    der(b, 0x0c, slice_str(value)); /* UTF8String */
    wrap(b, 0x30, from);
    wrap(b, 0x31, from);
}

static void name(struct buf *b, const char *common)
{
    size_t from = b->len;
    attribute(b, 6, COUNTRY);
    attribute(b, 10, ORGANISATION);
    attribute(b, 11, UNIT);
    attribute(b, 3, common);
    wrap(b, 0x30, from);
}

static void utc(struct buf *b, int64_t us)
{
    char text[24];
    struct civil c = time_civil(us);
    (void)snprintf(text, sizeof text, "%02d%02d%02d%02d%02d%02dZ", c.year % 100, c.month, c.day, c.hour, c.minute, c.second);
    der(b, 0x17, slice_str(text));
}

static void serial_number(struct buf *b, const char *hex)
{
    char bytes[EM_SERIAL_BYTES / 2];
    uint64_t byte = 0;
    for (size_t i = 0; i < sizeof bytes; i++) {
        ASSERT(num_hex(slice_of(hex + 2 * i, 2), &byte) == KEER_OK);
        bytes[i] = (char)byte;
    }
    der(b, 0x02, slice_of(bytes, sizeof bytes)); /* the first digit is 1 to 7: positive, and no zeros before it */
}

enum keer_err em_cert_make(const struct em_cert *c, struct buf *pem)
{
    struct buf b, text;
    struct crypto_signature s = {0};
    buf_init(&b, DER_BYTES);
    buf_init(&text, 2 * DER_BYTES);
    buf_put(&b, "\xa0\x03\x02\x01\x02", 5); /* version 3 */
    serial_number(&b, c->serial);
    algorithm(&b);
    name(&b, c->issuer);
    size_t from = b.len;
    utc(&b, c->from_us);
    utc(&b, c->to_us);
    wrap(&b, 0x30, from);
    name(&b, c->subject);
    enum keer_err err = crypto_key_put_spki(c->key, &b);
    from = b.len; /* basicConstraints, critical */
    if (c->ca)
        buf_put(&b, "\x30\x0f\x06\x03\x55\x1d\x13\x01\x01\xff\x04\x05\x30\x03\x01\x01\xff", 17);
    else
        buf_put(&b, "\x30\x0c\x06\x03\x55\x1d\x13\x01\x01\xff\x04\x02\x30\x00", 14);
    wrap(&b, 0x30, from);
    wrap(&b, 0xa3, from);
    wrap(&b, 0x30, 0);
    if (err == KEER_OK)
        err = crypto_key_sign(c->issuer_key, CRYPTO_RS256, CRYPTO_RAW, buf_view(&b), &s);
    algorithm(&b);
    from = b.len;
    buf_char(&b, 0); /* no unused bits */
    buf_put(&b, s.bytes, s.len);
    wrap(&b, 0x03, from);
    wrap(&b, 0x30, 0);
    base64_put(&text, buf_view(&b));
    if (err == KEER_OK)
        err = b.err != KEER_OK ? b.err : text.err;
    if (err == KEER_OK) {
        buf_puts(pem, "-----BEGIN CERTIFICATE-----\n");
        for (size_t i = 0; i < text.len; i += 64)
            buf_fmt(pem, "%.*s\n", (int)MIN_OF(text.len - i, (size_t)64), text.p + i);
        buf_puts(pem, "-----END CERTIFICATE-----\n");
        err = pem->err;
    }
    buf_release(&b);
    buf_release(&text);
    return err;
}

/* --- MD5 (RFC 1321): Alipay names certificates by it, and nothing here trusts it --- */

static uint32_t rotate(uint32_t x, unsigned n) { return x << n | x >> (32 - n); }

static void md5_block(uint32_t h[4], const unsigned char *p)
{
    static const unsigned char turn[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
    static const uint32_t sine[64] = {
        0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
        0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
        0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
        0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
        0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
        0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
        0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
        0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};
    uint32_t x[16], a = h[0], b = h[1], c = h[2], d = h[3];
    for (unsigned i = 0; i < 16; i++)
        x[i] =
            (uint32_t)p[4 * i] | (uint32_t)p[4 * i + 1] << 8 | (uint32_t)p[4 * i + 2] << 16 | (uint32_t)p[4 * i + 3] << 24;
    for (unsigned i = 0; i < 64; i++) {
        unsigned round = i / 16;
        uint32_t f = round == 0   ? (b & c) | (~b & d)
                     : round == 1 ? (d & b) | (~d & c)
                     : round == 2 ? b ^ c ^ d
                                  : c ^ (b | ~d);
        unsigned k = round == 0 ? i : round == 1 ? (5 * i + 1) % 16 : round == 2 ? (3 * i + 5) % 16 : 7 * i % 16;
        uint32_t next = b + rotate(a + f + sine[i] + x[k], turn[round][i % 4]);
        a = d;
        d = c;
        c = b;
        b = next;
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
}

static void md5(struct slice s, unsigned char ret[16])
{
    uint32_t h[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    unsigned char last[128] = {0};
    size_t whole = s.len / 64 * 64, rest = s.len - whole, end = rest < 56 ? 64 : 128;
    for (size_t i = 0; i < whole; i += 64)
        md5_block(h, (const unsigned char *)s.p + i);
    if (rest)
        memcpy(last, s.p + whole, rest);
    last[rest] = 0x80;
    for (unsigned i = 0; i < 8; i++)
        last[end - 8 + i] = (unsigned char)((uint64_t)s.len * 8 >> 8 * i);
    for (size_t i = 0; i < end; i += 64)
        md5_block(h, last + i);
    for (unsigned i = 0; i < 16; i++)
        ret[i] = (unsigned char)(h[i / 4] >> 8 * (i % 4));
}

/* Hexadecimal to decimal: by tens, from the left. */
static void decimal(const char *hex, struct buf *b)
{
    unsigned digits[EM_SERIAL_BYTES + 20] = {0}, used = 1; /* the lowest first */
    for (; *hex; hex++) {
        uint64_t carry = 0;
        ASSERT(num_hex(slice_of(hex, 1), &carry) == KEER_OK);
        for (unsigned i = 0; i < used || carry; i++) {
            carry += (uint64_t)digits[i] * 16;
            digits[i] = (unsigned)(carry % 10);
            carry /= 10;
            used = MAX_OF(used, i + 1);
        }
    }
    while (used--)
        buf_char(b, (char)('0' + digits[used]));
}

void em_cert_sn(const char *issuer, const char *serial, char ret_sn[EM_SN_BYTES + 1])
{
    struct buf b;
    unsigned char sum[16];
    buf_init(&b, 400);
    buf_fmt(&b, "CN=%s,OU=" UNIT ",O=" ORGANISATION ",C=" COUNTRY, issuer);
    decimal(serial, &b);
    md5(buf_view(&b), sum);
    em_hex(sum, sizeof sum, ret_sn);
    buf_release(&b);
}
