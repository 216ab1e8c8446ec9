/* identifier_fuzz.c - any bytes as an e-mail address, phone number, user name, subject, or whatever somebody signs in by:
 * what is taken is canonical (once more gives the same), bounded, free of controls, and can be masked. Names of people and
 * languages too.
 */
#include "account/identifier.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct identifier *i)
{
    struct identifier again;
    struct identifier_why why;
    struct buf b;
    struct slice text = slice_str(i->text);
    ASSERT(text.len > 0 && text.len <= IDENTIFIER_BYTES && utf8_line(text));
    ASSERT(identifier_canon(i->kind, text, &again, &why) == KEER_OK && strcmp(again.text, i->text) == 0);
    if (i->kind != IDENTIFIER_SUBJECT)
        ASSERT(identifier_guess(text, &again, &why) == KEER_OK && again.kind == i->kind);
    buf_init(&b, IDENTIFIER_BYTES);
    identifier_mask(i, &b);
    ASSERT(b.err == KEER_OK && (text.len < 8 || !slice_has(buf_view(&b), text)));
    buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice s = slice_of((const char *)data, size);
    struct identifier i;
    struct identifier_why why;
    size_t points = 0;
    for (int k = 0; k < IDENTIFIER_KIND_MAX; k++) {
        why.text[0] = '\0';
        if (identifier_canon((enum identifier_kind)k, s, &i, &why) == KEER_OK)
            check(&i);
        else
            ASSERT(why.text[0] && utf8_line(slice_str(why.text)));
    }
    if (identifier_guess(s, &i, &why) == KEER_OK)
        check(&i);
    if (utf8_points(s, &points) == KEER_OK)
        ASSERT(points <= size);
    if (account_name_check(s) == KEER_OK)
        ASSERT(utf8_line(s));
    (void)(account_locale_check(s) == KEER_OK);
    return 0;
}
