/* bill_fuzz.c - wallets' statements in arbitrary pieces: must give what the same bytes give at once, error and place of it too, and
 * every line that is told is within its bounds. The first byte: bits 0 and 1 the format, the others the pieces. */
#include "base/num.h"
#include "base/rand.h"
#include "base/timefmt.h"
#include "flow/bill.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct heard {
    struct buf text;
    uint64_t line;
};

static enum keer_err hear(void *ctx, const struct bill_line *l)
{
    struct heard *h = ctx;
    const struct slice texts[] = {l->wallet, l->number, l->ref, l->charge};
    ASSERT(l->kind < BILL_KIND_MAX && l->what < BILL_WHAT_MAX && l->line > h->line);
    ASSERT((l->kind == BILL_AGREEMENT) == (l->what <= BILL_ENDED));
    ASSERT(l->amount_minor >= 0 && l->amount_minor <= NUM_EXACT_MAX && (l->kind == BILL_AGREEMENT || l->currency < CUR_MAX));
    ASSERT(l->kind == BILL_REFUND ? l->charge.len > 0 : l->number.len > 0);
    h->line = l->line;
    buf_fmt(&h->text, "%llu %d %d %lld %d %lld", (unsigned long long)l->line, l->kind, l->what, (long long)l->amount_minor,
            l->currency, (long long)l->at_us);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        ASSERT(texts[i].len <= BILL_TEXT_BYTES);
        buf_char(&h->text, '/');
        buf_slice(&h->text, texts[i]);
    }
    buf_char(&h->text, '\n');
    return KEER_OK;
}

/* `most`: the longest piece; 0: all at once. */
static void read_all(enum bill_format format, struct slice text, size_t most, struct heard *h)
{
    struct bill b;
    struct rng rng;
    enum keer_err err = KEER_OK;
    buf_init(&h->text, (size_t)64 << 20);
    h->line = 0;
    rng_seed(&rng, text.len);
    bill_init(&b, format, hear, h);
    while (err == KEER_OK && text.len) {
        size_t n = most ? 1 + (size_t)rng_below(&rng, most) : text.len;
        n = MIN_OF(n, text.len);
        err = bill_feed(&b, slice_of(text.p, n));
        text = slice_of(text.p + n, text.len - n);
    }
    if (err == KEER_OK)
        err = bill_end(&b);
    ASSERT(err == KEER_OK || err == KEER_EFORMAT || err == KEER_ELIMIT);
    if (err != KEER_OK) {
        ASSERT(b.why.text[0] && strlen(b.why.text) < sizeof b.why.text && b.why.line <= b.lines);
        buf_fmt(&h->text, "%d at %llu: %s\n", err, (unsigned long long)b.why.line, b.why.text);
    }
    buf_fmt(&h->text, "%d, %llu lines, %llu told\n", b.format, (unsigned long long)b.lines, (unsigned long long)b.told);
    ASSERT(h->text.err == KEER_OK);
    bill_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum bill_format formats[4] = {BILL_AUTO, BILL_JOURNAL, BILL_ALIPAY, BILL_WECHATPAY};
    struct heard whole, pieces;
    if (size == 0)
        return 0;
    struct slice text = slice_of((const char *)data + 1, size - 1);
    read_all(formats[data[0] & 3], text, /* most */ 0, &whole);
    read_all(formats[data[0] & 3], text, 1 + (size_t)(data[0] >> 2), &pieces);
    ASSERT(slice_eq(buf_view(&whole.text), buf_view(&pieces.text)));
    buf_release(&whole.text);
    buf_release(&pieces.text);
    return 0;
}
