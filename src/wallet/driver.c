/* driver.c - what drivers have in common. */
#include "wallet/driver.h"

#include "base/num.h"

const struct tape_limits driver_limits = {
    .bytes = WALLET_ANSWER_BYTES, .values = 4096, .depth = 16, .keys = 256, .wide = true};

static void put_words(char *ret, size_t cap, struct slice text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len && n + 1 < cap; i++)
        if ((unsigned char)text.p[i] >= ' ' && text.p[i] != 127)
            ret[n++] = text.p[i];
    while (n && n + 1 == cap && ((unsigned char)ret[n - 1] & 0xc0) == 0x80) /* no half of a character at the end */
        n--;
    ret[n] = '\0';
}

enum wallet_answer driver_say(struct wallet_why *why, enum wallet_answer answer, enum wallet_reason reason,
                              struct slice code, struct slice text)
{
    *why = (struct wallet_why){.reason = reason};
    put_words(why->code, sizeof why->code, code);
    put_words(why->text, sizeof why->text, text.len ? text : slice_str(wallet_reason_text(reason)));
    return answer;
}

enum wallet_answer driver_unmade(struct wallet_why *why, enum keer_err err)
{
    return driver_say(why, WALLET_NOT_SENT, WALLET_OTHER, SLICE(""), slice_str(keer_err_text(err)));
}

enum wallet_answer driver_lost(struct wallet_why *why, enum wallet_sent sent)
{
    bool never = sent == WALLET_NEVER;
    return driver_say(why, never ? WALLET_NOT_SENT : WALLET_UNKNOWN, never ? WALLET_UNREACHABLE : WALLET_TIMED_OUT,
                      SLICE(""), SLICE(""));
}

struct slice driver_text(const struct tape *t, uint32_t at, const char *member)
{
    uint32_t v = tape_find(t, at, member);
    return v != TAPE_NONE && tape_type(t, v) == TAPE_STRING ? tape_text(t, v) : slice_of(NULL, 0);
}

bool driver_copy(char *ret, size_t cap, struct slice text)
{
    ret[0] = '\0';
    if (text.len >= cap)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.p[i] < ' ' || text.p[i] == 127)
            return false;
    if (text.len)
        memcpy(ret, text.p, text.len);
    ret[text.len] = '\0';
    return true;
}

enum keer_err driver_money(struct slice text, unsigned exponent, int64_t *ret_minor)
{
    size_t point = text.len;
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] == '.' && point == text.len)
            point = i;
        else if (!ascii_digit(text.p[i]))
            return KEER_ESYNTAX;
    }
    size_t decimals = point < text.len ? text.len - point - 1 : 0;
    bool good = point > 0 && point <= 14 && decimals <= exponent && (point == text.len || decimals > 0) &&
                (text.p[0] != '0' || point == 1);
    int64_t minor = 0;
    if (!good || num_scaled(text, exponent, &minor) != KEER_OK || minor < 0)
        return KEER_ESYNTAX;
    *ret_minor = minor;
    return KEER_OK;
}

void driver_money_put(struct buf *b, int64_t minor, unsigned exponent)
{
    int64_t scale = 1;
    for (unsigned i = 0; i < exponent; i++)
        scale *= 10;
    if (exponent)
        buf_fmt(b, "%lld.%0*lld", (long long)(minor / scale), (int)exponent, (long long)(minor % scale));
    else
        buf_i64(b, minor);
}

struct slice driver_origin(struct slice url)
{
    size_t at = 0;
    while (at + 2 < url.len && memcmp(url.p + at, "://", 3) != 0)
        at++;
    for (at += 3; at < url.len; at++)
        if (strchr("/?#", url.p[at]))
            break;
    return slice_of(url.p, MIN_OF(at, url.len));
}

struct slice driver_path(struct slice url)
{
    struct slice origin = driver_origin(url);
    bool none = origin.len >= url.len || url.p[origin.len] != '/';
    return none ? SLICE("/") : slice_of(url.p + origin.len, url.len - origin.len);
}

void driver_nonce(struct wallet_io *io, char ret[DRIVER_NONCE_BYTES])
{
    unsigned char bytes[16];
    io->random(io->ctx, bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        (void)snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
}
