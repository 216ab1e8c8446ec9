/* breached.c - a sorted file of SHA-1 hashes, mapped and searched by bisection. */
#include "account/breached.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto_password.h"

#define DIGITS_MIN 10
#define DIGITS (2 * CRYPTO_SHA1_BYTES)
#define PLACES 8192 /* where the order is looked at */
#define LINE_MAX_BYTES 64

struct breached {
    const char *text;
    size_t len, digits; /* digits of a hash on each line */
};

static bool is_hex(char c) { return ascii_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f'); }

/* Where the line begins that holds a byte; SIZE_MAX when there is no beginning near. */
static size_t line_start(const struct breached *b, size_t at)
{
    for (size_t n = 0; n < LINE_MAX_BYTES; n++, at--)
        if (at == 0 || b->text[at - 1] == '\n')
            return at;
    return SIZE_MAX;
}

/* Where the line after it begins, or the length of all. */
static size_t line_next(const struct breached *b, size_t at)
{
    const char *end = memchr(b->text + at, '\n', MIN_OF(b->len - at, (size_t)LINE_MAX_BYTES));
    return end ? (size_t)(end - b->text) + 1 : b->len;
}

/* A line of `digits` hexadecimal digits, then its end or a colon. */
static bool well_formed(const struct breached *b, size_t at)
{
    if (at == SIZE_MAX || b->len - at < b->digits)
        return false;
    for (size_t i = 0; i < b->digits; i++)
        if (!is_hex(b->text[at + i]))
            return false;
    size_t end = at + b->digits;
    return end == b->len || b->text[end] == ':' || b->text[end] == '\r' || b->text[end] == '\n';
}

static int compare(const struct breached *b, size_t at, const char *hex)
{
    for (size_t i = 0; i < b->digits; i++) {
        int d = ascii_lower(b->text[at + i]) - hex[i];
        if (d)
            return d;
    }
    return 0;
}

static const char *check(struct breached *b)
{
    char before[DIGITS + 1] = "";
    while (b->digits < b->len && b->digits < DIGITS && is_hex(b->text[b->digits]))
        b->digits++;
    if (b->digits < DIGITS_MIN)
        return "its first line does not begin with 10 to 40 hexadecimal digits";
    for (unsigned i = 0; i < PLACES; i++) {
        size_t at = line_start(b, (size_t)((u128)(b->len - 1) * i / (PLACES - 1)));
        if (!well_formed(b, at))
            return "a line is not made as its first one";
        if (before[0] && compare(b, at, before) < 0)
            return "its lines are not sorted";
        for (size_t k = 0; k < b->digits; k++)
            before[k] = ascii_lower(b->text[at + k]);
    }
    return NULL;
}

enum keer_err breached_open(const char *path, struct breached **ret_breached, struct breached_why *ret_why)
{
    struct stat st;
    enum keer_err err = KEER_EIO;
    const char *why = NULL;
    struct breached *b = NULL;
    void *map = MAP_FAILED;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        why = strerror(errno);
        goto out;
    }
    if (!S_ISREG(st.st_mode) || st.st_size == 0) {
        why = "no file, or an empty one";
        goto out;
    }
    map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    b = calloc(1, sizeof *b);
    if (map == MAP_FAILED || !b) {
        err = KEER_ENOMEM;
        why = keer_err_text(err);
        goto out;
    }
    (void)madvise(map, (size_t)st.st_size, MADV_RANDOM);
    *b = (struct breached){.text = map, .len = (size_t)st.st_size};
    why = check(b);
    err = why ? KEER_EFORMAT : KEER_OK;
out:
    if (fd >= 0)
        (void)close(fd);
    if (err == KEER_OK) {
        *ret_breached = b;
        return err;
    }
    (void)snprintf(ret_why->text, sizeof ret_why->text, "%.200s: %s", path, why);
    if (map != MAP_FAILED)
        (void)munmap(map, (size_t)st.st_size);
    free(b);
    return err;
}

void breached_close(struct breached *b)
{
    if (!b)
        return;
    (void)munmap((void *)(uintptr_t)b->text, b->len);
    free(b);
}

bool breached_has(const struct breached *b, struct slice password)
{
    static const char letters[] = "0123456789abcdef";
    unsigned char hash[CRYPTO_SHA1_BYTES];
    char hex[DIGITS];
    bool found = false;
    crypto_sha1(password, hash);
    for (size_t i = 0; i < sizeof hash; i++) {
        hex[2 * i] = letters[hash[i] >> 4];
        hex[2 * i + 1] = letters[hash[i] & 15];
    }
    /* [low, high): bytes of lines that it may be among; both are beginnings of lines. */
    for (size_t low = 0, high = b->len, turn = 0; low < high && !found && turn < 64; turn++) {
        size_t at = line_start(b, low + (high - low) / 2);
        if (!well_formed(b, at)) /* past the last line end, or a place that the check did not meet */
            break;
        int d = compare(b, at, hex);
        found = d == 0;
        if (d < 0)
            low = line_next(b, at);
        else
            high = at;
    }
    crypto_wipe(hash, sizeof hash);
    crypto_wipe(hex, sizeof hex);
    return found;
}
