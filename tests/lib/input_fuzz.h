/* input_fuzz.h - the common body of the fuzz targets of the readers: every record is read twice, at once and in chunks; both
 * must give the same log, and every event must be one that event_check passes. */
#ifndef TESTS_LIB_INPUT_FUZZ_H
#define TESTS_LIB_INPUT_FUZZ_H
#include "lib/input_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char fuzz_map[] =
    "id i\ntime t seconds since 2018-04-01\ntype k { p = purchase, s = sign_in }\naccount a\namount m in c\n"
    "label f { y = 1, n = 0 } known at g\nscenario s\nhas_second_step b\nplay_time a.b\ntarget x\n";

/* The first byte: bit 0 a mapping, bit 1 strict, bits 2 to 4 the delimiter, bits 5 to 7 the chunks. */
static inline int fuzz_input(enum input_format format, const uint8_t *data, size_t size)
{
    static const size_t chunks[8] = {1, 2, 3, 5, 8, 21, 100, 4096};
    struct keer_schema schema;
    struct mapping *m = NULL;
    struct mapping_errors errors;
    struct buf whole, part;
    struct rng rng;
    if (size == 0)
        return 0;
    struct input_options o = {.format = format, .strict = data[0] >> 1 & 1, .delimiter = ",;\t|,,,,"[data[0] >> 2 & 7]};
    struct slice text = slice_of((const char *)data + 1, size - 1);
    ASSERT(schema_init(&schema, HASH_KEY_DEFAULT) == KEER_OK && schema_add_all(&schema) == KEER_OK);
    if (data[0] & 1) {
        ASSERT(mapping_parse(slice_str(fuzz_map), &m, &errors) == KEER_OK);
        o.mapping = m;
    }
    buf_init(&whole, (size_t)256 << 20);
    buf_init(&part, (size_t)256 << 20);
    rng_seed(&rng, size);
    ASSERT(log_input(&whole, &schema, &o, text, /* at once */ 0, NULL) == KEER_OK);
    ASSERT(log_input(&part, &schema, &o, text, chunks[data[0] >> 5], &rng) == KEER_OK);
    ASSERT(whole.err == KEER_OK && part.err == KEER_OK);
    ASSERT(slice_eq(buf_view(&whole), buf_view(&part)));
    buf_release(&whole);
    buf_release(&part);
    mapping_free(m);
    schema_release(&schema);
    return 0;
}
#endif
