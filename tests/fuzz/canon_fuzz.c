/* canon_fuzz.c - canonical JSON: the canonical form of a canonical form is itself, and it is the same value as the text for
 * a reader that is not ours. */
#include <jansson.h>

#include "flow/canon.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf once, twice, spare;
    struct canon_error why;
    struct slice text = slice_of((const char *)data, size);
    buf_init(&once, LIMIT_LINE_BYTES);
    buf_init(&twice, LIMIT_LINE_BYTES);
    buf_init(&spare, LIMIT_LINE_BYTES);
    json_t *plain = json_loadb(text.p, text.len, JSON_REJECT_DUPLICATES, NULL);
    enum keer_err err = canon_json(text, &once, &spare, &why);
    if (err == KEER_OK) {
        ASSERT(canon_json(buf_view(&once), &twice, &spare, &why) == KEER_OK);
        ASSERT(slice_eq(buf_view(&once), buf_view(&twice)));
        json_t *again = json_loadb(once.p, once.len, JSON_REJECT_DUPLICATES, NULL);
        ASSERT((plain != NULL) == (again != NULL) && (!plain || json_equal(plain, again)));
        json_decref(again);
    } else {
        ASSERT(why.at <= size);
        /* What that reader takes is refused for its size or for being no object; jansson 2.14 lets a NUL pass behind a
         * number. */
        ASSERT(!plain || !json_is_object(plain) || err == KEER_ELIMIT || memchr(data, 0, size));
    }
    json_decref(plain);
    buf_release(&once);
    buf_release(&twice);
    buf_release(&spare);
    return 0;
}
