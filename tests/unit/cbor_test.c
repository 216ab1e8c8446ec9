/* cbor_test.c - the CBOR reader: what is taken, what is refused, and how soon. */
#include <time.h>

#include "base/buf.h"
#include "base/num.h"
#include "lib/hex.h"
#include "lib/test.h"
#include "stepup/cbor.h"

/* Reads hexadecimal CBOR that must be the one item and nothing else. */
static enum keer_err read_hex(const char *hex, struct cbor_item *ret_item)
{
    static char bytes[4096];
    return cbor_read_all(hex_bytes(hex, bytes, sizeof bytes), ret_item);
}

START_TEST(items_of_rfc_8949_appendix_a)
{
    static const struct {
        const char *hex;
        int64_t v;
    } numbers[] = {{"00", 0},
                   {"01", 1},
                   {"0a", 10},
                   {"17", 23},
                   {"1818", 24},
                   {"1864", 100},
                   {"1903e8", 1000},
                   {"1a000f4240", 1000000},
                   {"20", -1},
                   {"29", -10},
                   {"3863", -100},
                   {"3903e7", -1000},
                   {"1b000000e8d4a51000", 1000000000000},
                   {"3b7fffffffffffffff", INT64_MIN}};
    struct cbor_item item;
    int64_t v;
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        ck_ok(read_hex(numbers[i].hex, &item));
        ck_assert(cbor_int(&item, &v));
        ck_assert_int_eq(v, numbers[i].v);
    }
    ck_ok(read_hex("1bffffffffffffffff", &item));
    ck_assert(!cbor_int(&item, &v) && item.number == UINT64_MAX);
    ck_ok(read_hex("4401020304", &item));
    ck_slice_eq(item.inside, SLICE("\1\2\3\4"));
    ck_ok(read_hex("62c3bc", &item));
    ck_assert(item.kind == CBOR_TEXT && item.inside.len == 2);
    static const char *taken[] = {"40",
                                  "60",
                                  "80",
                                  "a0",
                                  "f4",
                                  "f5",
                                  "f6",
                                  "8301820203820405",
                                  "a201020304",
                                  "a26161016162820203",
                                  "826161a161626163",
                                  "64f0908591",
                                  "63e6b0b4",
                                  "a56161614161626142616361436164614461656145"};
    for (size_t i = 0; i < ARRAY_LEN(taken); i++)
        ck_ok(read_hex(taken[i], &item));
}
END_TEST

START_TEST(what_is_not_canonical_is_refused)
{
    static const struct {
        const char *hex;
        enum keer_err err;
    } bad[] = {
        {"", KEER_ESYNTAX},
        {"1817", KEER_ESYNTAX}, /* 23 in two bytes */
        {"1900ff", KEER_ESYNTAX},
        {"1a0000ffff", KEER_ESYNTAX},
        {"1b00000000ffffffff", KEER_ESYNTAX},
        {"580100", KEER_ESYNTAX}, /* a length in two bytes */
        {"9801"
         "00",
         KEER_ESYNTAX},
        {"18", KEER_ESYNTAX},
        {"1b000000", KEER_ESYNTAX},
        {"1c", KEER_ESYNTAX},
        {"1f", KEER_ESYNTAX},
        {"5f42010243030405ff", KEER_ESYNTAX}, /* indefinite lengths */
        {"7f657374726561646d696e67ff", KEER_ESYNTAX},
        {"9fff", KEER_ESYNTAX},
        {"bf61610161629f0203ffff", KEER_ESYNTAX},
        {"ff", KEER_ESYNTAX},
        {"c11a514b67b0", KEER_ESYNTAX}, /* tags */
        {"d9d9f700", KEER_ESYNTAX},
        {"f7", KEER_ESYNTAX}, /* undefined, other simple values, floating point */
        {"f0", KEER_ESYNTAX},
        {"f8ff", KEER_ESYNTAX},
        {"f90000", KEER_ESYNTAX},
        {"fa47c35000", KEER_ESYNTAX},
        {"fb3ff199999999999a", KEER_ESYNTAX},
        {"0000", KEER_ESYNTAX}, /* something behind it */
        {"4301", KEER_ESYNTAX},
        {"8101"
         "01",
         KEER_ESYNTAX},
        {"82"
         "01",
         KEER_ESYNTAX},
        {"a101", KEER_ESYNTAX},
        {"a1"
         "4101"
         "01",
         KEER_ESYNTAX}, /* keys of other kinds */
        {"a1"
         "80"
         "01",
         KEER_ESYNTAX},
        {"a1"
         "f5"
         "01",
         KEER_ESYNTAX},
        {"a201010102", KEER_ECONFLICT},
        {"a3616101616202616103", KEER_ECONFLICT},
        {"a120a201010102", KEER_ECONFLICT}, /* inside another */
        {"818181818101", KEER_ELIMIT},
        {"a101a101a101a101a10101", KEER_ELIMIT},
        {"62c328", KEER_ESYNTAX}, /* no UTF-8: a lone lead, overlong, a surrogate, above U+10FFFF, cut */
        {"62c080", KEER_ESYNTAX},
        {"63eda080", KEER_ESYNTAX},
        {"64f4908080", KEER_ESYNTAX},
        {"61c3", KEER_ESYNTAX},
        {"63e08080", KEER_ESYNTAX},
        {"a161ff01", KEER_ESYNTAX},
    };
    struct cbor_item item = {.number = 77};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        enum keer_err err = read_hex(bad[i].hex, &item);
        ck_assert_msg(err == bad[i].err, "%s: %s", bad[i].hex, keer_err_name(err));
        ck_assert_uint_eq(item.number, 77);
    }
}
END_TEST

START_TEST(limits_hold_at_their_edges)
{
    struct cbor_item item;
    struct buf b;
    buf_init(&b, CBOR_BYTES_MAX + 16);
    buf_puts(&b, "\xb8\x20");
    for (unsigned i = 0; i < CBOR_KEYS_MAX; i++)
        buf_fmt(&b, "\x62%02u\x01", i);
    ck_ok(cbor_read_all(buf_view(&b), &item));
    b.p[1]++; /* one key more */
    buf_puts(&b, "\x62zz\x01");
    ck_err(cbor_read_all(buf_view(&b), &item), KEER_ELIMIT);
    ck_ok(read_hex("a1018101", &item));
    ck_ok(read_hex("8181818101", &item)); /* CBOR_DEPTH_MAX */
    buf_clear(&b);
    buf_put(&b, "\x59\xff\xfd", 3);
    char *p = buf_reserve(&b, 0xfffd);
    memset(p, 'x', 0xfffd);
    b.len += 0xfffd;
    ck_assert_uint_eq(b.len, CBOR_BYTES_MAX);
    ck_ok(cbor_read_all(buf_view(&b), &item));
    buf_char(&b, 0);
    ck_err(cbor_read(buf_view(&b), &item), KEER_ELIMIT);
    buf_release(&b);
}
END_TEST

/* Nine bytes that make other readers take gigabytes; and the same for each container and string, with counts up to 2^64-1.
 */
START_TEST(a_memory_bomb_is_refused_at_its_head)
{
    static const char *bombs[] = {"9b0000000010000000",       "9bffffffffffffffff",    "bb0000000010000000",
                                  "bb8000000000000000",       "bbffffffffffffffff",    "5b0000000010000000",
                                  "5bffffffffffffffff",       "7b7fffffffffffffff",    "9a10000000",
                                  "8181819b0000000010000000", "a1019b0000000010000000"};
    struct cbor_item item;
    char bytes[64];
    for (size_t i = 0; i < ARRAY_LEN(bombs); i++) {
        struct slice s = hex_bytes(bombs[i], bytes, sizeof bytes);
        struct timespec from, to;
        enum keer_err err = KEER_OK;
        oom_reset();
        (void)clock_gettime(CLOCK_MONOTONIC, &from);
        for (int n = 0; n < 1000; n++)
            err = cbor_read(s, &item);
        (void)clock_gettime(CLOCK_MONOTONIC, &to);
        ck_assert_uint_eq(oom_count(), 0); /* nothing is allocated */
        ck_err(err, KEER_ESYNTAX);
        int64_t ns = (to.tv_sec - from.tv_sec) * 1000000000 + (to.tv_nsec - from.tv_nsec);
        ck_assert_msg(ns / 1000 < 100000, "%s: %lld ns each", bombs[i], (long long)(ns / 1000)); /* 100 us; it takes < 1 */
    }
}
END_TEST

START_TEST(maps_are_searched)
{
    struct cbor_item map, v, item;
    struct slice rest;
    ck_ok(read_hex("a5"
                   "01"
                   "02"
                   "03"
                   "26"
                   "20"
                   "01"
                   "6161"
                   "820304"
                   "6162"
                   "a16163f5",
                   &map));
    ck_assert(cbor_find_int(&map, 3, &v) && v.kind == CBOR_NEGATIVE && v.number == 6);
    ck_assert(cbor_find_int(&map, -1, &v) && v.number == 1);
    ck_assert(!cbor_find_int(&map, 2, &v) && !cbor_find(&map, SLICE("01"), &v) && !cbor_find(&map, SLICE(""), &v));
    ck_assert(cbor_find(&map, SLICE("a"), &v) && v.kind == CBOR_ARRAY && v.number == 2);
    rest = v.inside;
    ck_assert(cbor_next(&rest, &item) && item.number == 3 && cbor_next(&rest, &item) && item.number == 4);
    ck_assert(!cbor_next(&rest, &item));
    ck_assert(cbor_find_kind(&map, "b", CBOR_MAP, &v) && cbor_find_kind(&v, "c", CBOR_SIMPLE, &item) && item.number == 21);
    ck_assert(!cbor_find_kind(&map, "b", CBOR_BYTES, &v) && !cbor_find(&item, SLICE("c"), &v) &&
              !cbor_find_int(&item, 1, &v));
    ck_ok(cbor_read(SLICE("\x81\x01rest"), &item));
    ck_assert_uint_eq(item.whole.len, 2);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("cbor");
    TCase *t = tcase_create("cbor");
    tcase_add_test(t, items_of_rfc_8949_appendix_a);
    tcase_add_test(t, what_is_not_canonical_is_refused);
    tcase_add_test(t, limits_hold_at_their_edges);
    tcase_add_test(t, a_memory_bomb_is_refused_at_its_head);
    tcase_add_test(t, maps_are_searched);
    suite_add_tcase(s, t);
    return test_main(s);
}
