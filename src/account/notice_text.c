/* notice_text.c - the words of notices, in the language of who reads them. */
#include "account/gsm.h"
#include "account/notice.h"
#include "account/proof.h"
#include "base/utf8.h"

enum language { EN, NL, ZH, LANGUAGE_MAX };

static const struct {
    const char *subject[LANGUAGE_MAX], *text[LANGUAGE_MAX];
} texts[] = {
#define NOTICE(name, code, flags, en_subject, en_text, nl_subject, nl_text, zh_subject, zh_text) \
    {{en_subject, nl_subject, zh_subject}, {en_text, nl_text, zh_text}},
#include "account/notices.def"
};
static const struct frame {
    const char *language, *greeting, *not_me, *end;
} frames[] = {
#define NOTICE_FRAME(language, greeting, not_me, end) {language, greeting, not_me, end},
#include "account/notices.def"
};
static const struct {
    const char *language, *about, *until, *code, *not_me, *stop;
} sms[] = {
#define NOTICE_SMS(language, about, until, code, not_me, stop) {language, about, until, code, not_me, stop},
#include "account/notices.def"
};
static_assert(ARRAY_LEN(texts) == NOTICE_KIND_MAX && ARRAY_LEN(frames) == LANGUAGE_MAX && ARRAY_LEN(sms) == LANGUAGE_MAX,
              "rows");

static enum language language_of(const char *locale)
{
    for (unsigned i = 0; i < LANGUAGE_MAX; i++)
        if (slice_eqi(slice_of(locale, MIN_OF(strlen(locale), (size_t)2)), slice_str(frames[i].language)))
            return (enum language)i;
    return EN;
}

/* To the minute and in UTC: where its reader is the daemon does not know. */
static void print_time(struct buf *b, int64_t us)
{
    struct civil c = time_civil(us);
    buf_fmt(b, "%04d-%02d-%02d %02d:%02d UTC", c.year, c.month, c.day, c.hour, c.minute);
}

/* Values come from people who are not the reader: what would become a link in his mail reader is broken by a space. An
 * address alone stays whole: it is looked for in a message. */
/* The point of an amount, as in "648.00 CNY", is none of a name's or of an address's of the net: digits before it from the
 * beginning or a space on, two or three after it, and then no more. */
static bool is_amount(const char *value, const char *point)
{
    const char *from = point;
    size_t after = strspn(point + 1, "0123456789");
    while (from > value && ascii_digit(from[-1]))
        from--;
    char end = point[1 + after];
    return from < point && (from == value || from[-1] == ' ') && (after == 2 || after == 3) &&
           (end == '\0' || end == ' ' || end == ',');
}

static void print_value(struct buf *b, const char *value)
{
    const char *at = strchr(value, '@');
    bool address = at && at[1] && !strchr(at + 1, '@') && !strpbrk(value, " /:");
    for (const char *p = value; *p; p++) {
        bool link = !address && (*p == '/' || (*p == '.' && p[1] && p[1] != ' ' && !is_amount(value, p)));
        buf_char(b, *p);
        if (link)
            buf_char(b, ' ');
    }
}

static void print(struct buf *b, const char *text, const struct notice *n, const struct crypto_hash *key,
                  const struct notice_words *words)
{
    struct slice rest = slice_str(text);
    while (rest.len) {
        const char *open = memchr(rest.p, '{', rest.len);
        if (!open) {
            buf_slice(b, rest);
            return;
        }
        buf_slice(b, slice_of(rest.p, (size_t)(open - rest.p)));
        const char *close = strchr(open, '}');
        ASSERT(close); /* the table's rows are printed by a test, every one */
        struct slice name = slice_of(open + 1, (size_t)(close - open - 1));
        char digits[PROOF_DIGITS + 1];
        struct bearer token;
        if (slice_eq(name, SLICE("service"))) {
            buf_puts(b, words->service);
        } else if (slice_eq(name, SLICE("what"))) {
            print_value(b, n->what);
        } else if (slice_eq(name, SLICE("where"))) {
            buf_puts(b, n->where);
        } else if (slice_eq(name, SLICE("time"))) {
            print_time(b, n->created_us);
        } else if (slice_eq(name, SLICE("until"))) {
            print_time(b, n->until_us);
        } else if (slice_eq(name, SLICE("code"))) {
            proof_digits(key, &n->proof, digits);
            buf_puts(b, digits);
            crypto_wipe(digits, sizeof digits);
        } else {
            ASSERT(slice_eq(name, SLICE("not_me")));
            notice_not_me(key, &n->id, &token);
            buf_fmt(b, "%s/not-me#%s", words->url, token.text);
            crypto_wipe(&token, sizeof token);
        }
        rest = slice_of(close + 1, (size_t)(rest.p + rest.len - close - 1));
    }
}

void notice_print(const struct notice *n, const struct crypto_hash *key, const struct notice_words *words,
                  struct buf *subject, struct buf *text)
{
    enum language l = language_of(n->locale);
    print(subject, texts[n->kind].subject[l], n, key, words);
    buf_fmt(text, "%s\n\n", frames[l].greeting);
    print(text, texts[n->kind].text[l], n, key, words);
    if (notice_has_not_me(n->kind)) {
        buf_puts(text, "\n\n");
        print(text, frames[l].not_me, n, key, words);
    }
    buf_puts(text, "\n\n");
    print(text, frames[l].end, n, key, words);
    buf_char(text, '\n');
}

/* --- to a phone --- */

/* What stands in the middle of a text message: before and behind it is what it must say. */
struct sms {
    struct slice before, behind;
    struct buf *out;
};

static struct gsm_length put(const struct sms *s, struct slice middle)
{
    buf_clear(s->out);
    buf_slice(s->out, s->before);
    buf_slice(s->out, middle);
    buf_slice(s->out, s->behind);
    return gsm_length(buf_view(s->out));
}

/* As much of `middle` as makes no other part of the message, and no other alphabet. */
static void fit(const struct sms *s, struct slice middle, bool whole)
{
    unsigned parts = put(s, SLICE("")).parts;
    while (middle.len && put(s, middle).parts > parts)
        middle = whole ? SLICE("") : utf8_cut(middle, middle.len - 1);
    (void)put(s, middle);
}

/* "@id.example.org #12345678", where the service has a host that it can be bound to. */
static void print_bound(struct buf *b, const struct notice *n, const struct crypto_hash *key,
                        const struct notice_words *words)
{
    static const char scheme[] = "https://";
    const char *host = words->url + sizeof scheme - 1;
    if (strncmp(words->url, scheme, sizeof scheme - 1) != 0 || strpbrk(host, ":/[") ||
        !strpbrk(host, "abcdefghijklmnopqrstuvwxyz"))
        return;
    buf_fmt(b, "\n@%s #", host);
    print(b, "{code}", n, key, words);
}

/* What it is about, but where the subject has it, or where it is a mere count. */
static void print_about(struct buf *b, const struct notice *n, enum language l)
{
    if (notice_has_code(n->kind) || !n->what[0] || strstr(texts[n->kind].subject[l], "{what}") ||
        !n->what[strspn(n->what, "0123456789")])
        return;
    buf_puts(b, sms[l].about);
    print_value(b, n->what);
    if (n->where[0])
        buf_fmt(b, ", %s", n->where);
}

void notice_print_sms(const struct notice *n, const struct crypto_hash *key, const struct notice_words *words,
                      struct buf *out)
{
    enum language l = language_of(n->locale);
    bool code = notice_has_code(n->kind);
    struct buf before, about, behind;
    buf_init(&before, NOTICE_SMS_BYTES);
    buf_init(&about, NOTICE_SMS_BYTES);
    buf_init(&behind, NOTICE_SMS_BYTES);
    print(&before, texts[n->kind].subject[l], n, key, words);
    if (code) { /* the hint follows the full stop, what it is about stands before it */
        buf_puts(&before, sms[l].stop);
        buf_puts(&about, sms[l].code);
    } else {
        print_about(&about, n, l);
        if (n->until_us)
            print(&behind, sms[l].until, n, key, words);
        buf_puts(&behind, sms[l].stop);
    }
    if (notice_has_not_me(n->kind))
        print(&behind, sms[l].not_me, n, key, words);
    if (code)
        print_bound(&behind, n, key, words);
    fit(&(struct sms){buf_view(&before), buf_view(&behind), out}, buf_view(&about), code);
    enum keer_err err = before.err != KEER_OK ? before.err : about.err != KEER_OK ? about.err : behind.err;
    if (out->err == KEER_OK)
        out->err = err;
    struct buf *const used[] = {&before, &about, &behind};
    for (size_t i = 0; i < ARRAY_LEN(used); i++) {
        if (used[i]->p)
            crypto_wipe(used[i]->p, used[i]->cap); /* codes and 'not me' tokens are in it */
        buf_release(used[i]);
    }
}
