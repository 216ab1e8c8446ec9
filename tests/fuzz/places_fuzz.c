/* places_fuzz.c - any bytes as the list of places of a term: what is taken is written again, as the same bytes unless it was
 * a map that has a shorter list; and what was written is taken, as the same places. */
#include "store/found.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t places_of(const struct found_places *p, uint16_t ret_place[FOUND_ROWS])
{
    size_t n = 0;
    for (unsigned i = 0; i < FOUND_ROWS; i++)
        if (found_has(p, i))
            ret_place[n++] = (uint16_t)i;
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct found_places p = {{0}}, again;
    struct slice in = slice_of((const char *)data, size);
    uint16_t place[FOUND_ROWS];
    unsigned char bytes[FOUND_PLACES_BYTES];
    enum keer_err err = found_unpack(in, &p);
    ASSERT(err == KEER_OK || err == KEER_EFORMAT);
    size_t n = places_of(&p, place);
    if (err != KEER_OK) {
        ASSERT(n == 0); /* untouched */
        return 0;
    }
    if (n == 0) {
        ASSERT(size == FOUND_PLACES_BYTES); /* a map of nothing */
        return 0;
    }
    size_t len = found_pack(place, n, bytes);
    ASSERT(len >= 1 && len <= FOUND_PLACES_BYTES && len <= size);
    ASSERT(len < size || memcmp(bytes, data, size) == 0);
    ASSERT(len == size || size == FOUND_PLACES_BYTES);
    ASSERT(found_unpack(slice_of((const char *)bytes, len), &again) == KEER_OK && memcmp(&p, &again, sizeof p) == 0);
    return 0;
}
