/* json_fuzz.c - any bytes as JSON: the tape is well formed, a tape that was used before gives the same, and what is printed
 * from it reads as the same values. The first byte: bit 0 what a model file may hold, bits 1 to 3 how tight the limits are.
 */
#include "base/buf.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Value i and all in it, as compact JSON; returns the one after. The depth is bounded by the limits. */
static uint32_t print(const struct tape *t, uint32_t i, struct buf *b)
{
    const struct tape_value *v = &t->v[i];
    uint32_t k = i + 1;
    ASSERT(i < t->count && v->next > i && v->next <= t->count);
    switch (tape_type(t, i)) {
    case TAPE_OBJECT:
        buf_char(b, '{');
        for (uint32_t n = 0; n < v->len; n++) {
            ASSERT(tape_type(t, k) == TAPE_STRING && tape_member(t, i, tape_text(t, k)) == k + 1);
            buf_puts(b, n ? "," : "");
            buf_json(b, tape_text(t, k));
            buf_char(b, ':');
            k = print(t, k + 1, b);
        }
        buf_char(b, '}');
        break;
    case TAPE_ARRAY:
        buf_char(b, '[');
        for (uint32_t n = 0; n < v->len; n++) {
            buf_puts(b, n ? "," : "");
            k = print(t, k, b);
        }
        buf_char(b, ']');
        break;
    case TAPE_STRING:
        ASSERT(t->text[tape_at(t, i)] == '"' && !memchr(tape_text(t, i).p, '\0', v->len));
        buf_json(b, tape_text(t, i));
        break;
    case TAPE_INTEGER:
    case TAPE_REAL:
    case TAPE_NAN:
    case TAPE_TRUE:
    case TAPE_FALSE:
    case TAPE_NULL: buf_slice(b, tape_text(t, i)); break;
    case TAPE_TYPE_MAX: ASSERT(false);
    }
    ASSERT(k == v->next);
    return k;
}

static void check_same(const struct tape *a, const struct tape *b)
{
    ASSERT(a->count == b->count);
    for (uint32_t i = 0; i < a->count; i++) {
        ASSERT(tape_type(a, i) == tape_type(b, i) && a->v[i].next == b->v[i].next && a->v[i].len == b->v[i].len);
        ASSERT(tape_type(a, i) <= TAPE_ARRAY || slice_eq(tape_text(a, i), tape_text(b, i)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    unsigned tight = data[0] >> 1 & 7;
    struct tape_limits limits = {
        .bytes = 1u << 20, .values = 1u << 20, .depth = 8 * (8 - tight), .keys = TAPE_KEYS_MAX >> tight};
    limits.nan = limits.wide = data[0] & 1;
    struct slice text = slice_of((const char *)data + 1, size - 1);
    struct tape a = {0}, b = {0};
    struct tape_error e = {0}, again = {0};
    struct buf printed;
    enum keer_err err = tape_read(&b, SLICE("[1,\"\\n\",{\"a\":[]}]"), &limits, &e);
    ASSERT(err == KEER_OK);
    err = tape_read(&a, text, &limits, &e);
    ASSERT(err == tape_read(&b, text, &limits, &again));
    check_same(&a, &b);
    if (err) {
        ASSERT(err == e.code && e.at <= text.len && e.at == again.at && memchr(e.text, '\0', sizeof e.text) && e.text[0]);
        ASSERT(strcmp(e.text, again.text) == 0);
    } else {
        buf_init(&printed, (size_t)16 << 20);
        ASSERT(print(&a, 0, &printed) == a.count && printed.err == KEER_OK);
        limits.bytes = (size_t)16 << 20; /* a control character takes six bytes */
        ASSERT(tape_read(&b, buf_view(&printed), &limits, &e) == KEER_OK);
        check_same(&a, &b);
        buf_release(&printed);
    }
    tape_release(&a);
    tape_release(&b);
    return 0;
}
