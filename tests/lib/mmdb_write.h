/* mmdb_write.h - a small database of addresses in MaxMind's format (MaxMind DB File Format Specification 2.0), for tests:
 * country_code and autonomous_system_number of networks, IPv6 with IPv4 at ::/96.
 */
#ifndef TESTS_LIB_MMDB_WRITE_H
#define TESTS_LIB_MMDB_WRITE_H
#include <arpa/inet.h>
#include <stdio.h>

#include "base/buf.h"

#define MMDB_NODES 4096
struct mmdb_writer {
    uint32_t node[MMDB_NODES][2]; /* 0 = nothing, below 2^31 a node, else offset of data + 2^31 */
    uint32_t nodes;
    struct buf data;
};

static inline void mmdb_start(struct mmdb_writer *w)
{
    memset(w, 0, sizeof *w);
    w->nodes = 1;
    buf_init(&w->data, 1 << 20);
}
static inline void mmdb_text(struct buf *b, const char *s)
{
    ASSERT(strlen(s) < 29);
    buf_char(b, (char)(2 << 5 | (int)strlen(s)));
    buf_puts(b, s);
}
static inline void mmdb_number(struct buf *b, unsigned type, unsigned bytes, uint64_t v)
{
    buf_char(b, (char)(type > 7 ? bytes : type << 5 | bytes));
    if (type > 7)
        buf_char(b, (char)(type - 7));
    while (bytes--)
        buf_char(b, (char)(v >> 8 * bytes & 0xFF));
}
static inline void mmdb_add(struct mmdb_writer *w, const char *network, unsigned bits, const char *country, uint32_t asn)
{
    unsigned char a[16] = {0};
    bool four = inet_pton(AF_INET, network, a + 12) == 1;
    ASSERT(four || inet_pton(AF_INET6, network, a) == 1);
    uint32_t at = 0, value = 0x80000000u + (uint32_t)w->data.len;
    bits += four ? 96 : 0;
    for (unsigned i = 0; i < bits; i++) {
        uint32_t *next = &w->node[at][a[i / 8] >> (7 - i % 8) & 1];
        if (i + 1 == bits) {
            *next = value;
        } else if (!*next) {
            ASSERT(w->nodes < MMDB_NODES);
            *next = w->nodes++;
        }
        at = *next;
    }
    buf_char(&w->data, (char)(7 << 5 | (country && asn ? 2 : 1)));
    if (country) {
        mmdb_text(&w->data, "country_code");
        mmdb_text(&w->data, country);
    }
    if (asn) {
        mmdb_text(&w->data, "autonomous_system_number");
        mmdb_number(&w->data, 6, 4, asn);
    }
}
static inline void mmdb_finish(struct mmdb_writer *w, const char *path)
{
    struct buf b;
    buf_init(&b, 1 << 22);
    for (uint32_t i = 0; i < w->nodes; i++)
        for (int side = 0; side < 2; side++) {
            uint32_t v = w->node[i][side];
            uint32_t out = !v ? w->nodes : v < 0x80000000u ? v : v - 0x80000000u + w->nodes + 16;
            for (int shift = 24; shift >= 0; shift -= 8)
                buf_char(&b, (char)(out >> shift & 0xFF));
        }
    for (int i = 0; i < 16; i++)
        buf_char(&b, '\0');
    buf_slice(&b, buf_view(&w->data));
    buf_puts(&b, "\xAB\xCD\xEFMaxMind.com");
    buf_char(&b, (char)(7 << 5 | 9));
    mmdb_text(&b, "node_count");
    mmdb_number(&b, 6, 4, w->nodes);
    mmdb_text(&b, "record_size");
    mmdb_number(&b, 5, 2, 32);
    mmdb_text(&b, "ip_version");
    mmdb_number(&b, 5, 2, 6);
    mmdb_text(&b, "database_type");
    mmdb_text(&b, "test");
    mmdb_text(&b, "binary_format_major_version");
    mmdb_number(&b, 5, 2, 2);
    mmdb_text(&b, "binary_format_minor_version");
    mmdb_number(&b, 5, 2, 0);
    mmdb_text(&b, "languages");
    buf_put(&b, "\0\x04", 2); /* an array of none */
    mmdb_text(&b, "description");
    buf_char(&b, (char)(7 << 5)); /* a map of none */
    mmdb_text(&b, "build_epoch");
    mmdb_number(&b, 9, 8, 1538352000);
    FILE *f = fopen(path, "wb");
    ASSERT(f && b.err == KEER_OK && fwrite(b.p, 1, b.len, f) == b.len && fclose(f) == 0);
    buf_release(&b);
    buf_release(&w->data);
}
#endif
