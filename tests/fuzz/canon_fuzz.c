/* canon_fuzz.c - canonical JSON: what can be read has one, the canonical form of a canonical form is itself, and both hold
 * as many values. */
#include "flow/canon.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf once, twice;
    struct tape tape = {0};
    struct tape_error why;
    struct slice text = slice_of((const char *)data, size);
    buf_init(&once, LIMIT_LINE_BYTES);
    buf_init(&twice, LIMIT_LINE_BYTES);
    enum keer_err err = canon_json(&tape, text, &once, &why);
    if (err == KEER_OK) {
        uint32_t values = tape.count;
        ASSERT(canon_json(&tape, buf_view(&once), &twice, &why) == KEER_OK);
        ASSERT(slice_eq(buf_view(&once), buf_view(&twice)) && tape.count == values);
    } else {
        ASSERT(why.at <= size && why.text[0]);
    }
    tape_release(&tape);
    buf_release(&once);
    buf_release(&twice);
    return 0;
}
