/* cbor.c - CBOR as authenticators write it: one pass over an item that checks it, and a cursor over what was checked. */
#include "stepup/cbor.h"

enum { MAJOR_TAG = 6, MAJOR_SIMPLE = 7 };
enum { SIMPLE_FALSE = 20, SIMPLE_TRUE, SIMPLE_NULL };

/* A container that is open: what is still to come in it, and of a map the keys so far. */
struct frame {
    uint64_t left; /* items; of a map keys and values */
    bool map;
    unsigned keys;
    struct slice key[CBOR_KEYS_MAX];
};

static uint8_t byte_at(struct slice s, size_t i) { return (uint8_t)s.p[i]; }

/* The head of an item: major type and argument. RFC 8949 section 3; 4.2.1 for the fewest bytes. */
struct head {
    unsigned major;
    uint64_t argument;
    size_t bytes;
};

static enum keer_err read_head(struct slice s, struct head *ret_head)
{
    if (s.len == 0)
        return KEER_ESYNTAX;
    unsigned info = byte_at(s, 0) & 31u;
    struct head h = {byte_at(s, 0) >> 5, info, 1};
    if (info >= 24) {
        if (info > 27) /* 28 to 30 are not assigned, 31 is an indefinite length or a break */
            return KEER_ESYNTAX;
        size_t more = (size_t)1 << (info - 24);
        if (s.len - 1 < more)
            return KEER_ESYNTAX;
        h.argument = 0;
        for (size_t i = 0; i < more; i++)
            h.argument = h.argument << 8 | byte_at(s, 1 + i);
        h.bytes += more;
        bool fewest = more == 1 ? h.argument >= 24 : h.argument >> (4 * more) != 0;
        if (!fewest)
            return KEER_ESYNTAX;
    }
    if (h.major == MAJOR_TAG)
        return KEER_ESYNTAX;
    if (h.major == MAJOR_SIMPLE && (h.bytes != 1 || info < SIMPLE_FALSE || info > SIMPLE_NULL))
        return KEER_ESYNTAX;
    *ret_head = h;
    return KEER_OK;
}

/* Whether it is UTF-8 (RFC 3629): no surrogates, nothing overlong, nothing above U+10FFFF. */
static bool is_utf8(struct slice s)
{
    for (size_t i = 0; i < s.len;) {
        uint8_t c = byte_at(s, i);
        if (c < 0x80) {
            i++;
            continue;
        }
        size_t more = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : 1;
        static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
        if (c < 0xC2 || c > 0xF4 || s.len - i <= more)
            return false;
        uint32_t point = c & (0x3Fu >> more);
        for (size_t k = 1; k <= more; k++) {
            if ((byte_at(s, i + k) & 0xC0) != 0x80)
                return false;
            point = point << 6 | (byte_at(s, i + k) & 0x3F);
        }
        if (point < least[more] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF))
            return false;
        i += 1 + more;
    }
    return true;
}

/* One key more of an open map; the next item is its value. */
static enum keer_err add_key(struct frame *f, struct slice key, unsigned major)
{
    if (major != CBOR_UNSIGNED && major != CBOR_NEGATIVE && major != CBOR_TEXT)
        return KEER_ESYNTAX;
    for (unsigned i = 0; i < f->keys; i++)
        if (slice_eq(f->key[i], key)) /* integers are in their one form, so that the bytes tell */
            return KEER_ECONFLICT;
    ASSERT(f->keys < CBOR_KEYS_MAX);
    f->key[f->keys++] = key;
    return KEER_OK;
}

/* Opens a container: `room` are the bytes that come after its head, and each item in it takes one at least. */
static enum keer_err open_frame(struct frame *stack, unsigned *depth, const struct head *h, size_t room)
{
    bool map = h->major == CBOR_MAP;
    if (h->argument > (map ? room / 2 : room))
        return KEER_ESYNTAX;
    if (*depth == CBOR_DEPTH_MAX || (map && h->argument > CBOR_KEYS_MAX))
        return KEER_ELIMIT;
    struct frame *f = &stack[(*depth)++];
    f->left = map ? 2 * h->argument : h->argument;
    f->map = map;
    f->keys = 0;
    return KEER_OK;
}

/* Bytes of the item at the beginning of `bytes`, all of which was looked at. */
static enum keer_err check(struct slice bytes, size_t *ret_len)
{
    struct frame stack[CBOR_DEPTH_MAX];
    unsigned depth = 0;
    size_t at = 0;
    do { /* at least one byte is taken in each turn */
        struct slice rest = slice_of(bytes.p + at, bytes.len - at);
        struct frame *in = depth ? &stack[depth - 1] : NULL;
        struct head h = {0};
        enum keer_err err = read_head(rest, &h);
        if (err != KEER_OK)
            return err;
        size_t len = h.bytes;
        if (h.major == CBOR_BYTES || h.major == CBOR_TEXT) {
            if (h.argument > rest.len - len)
                return KEER_ESYNTAX;
            len += (size_t)h.argument;
            if (h.major == CBOR_TEXT && !is_utf8(slice_of(rest.p + h.bytes, (size_t)h.argument)))
                return KEER_ESYNTAX;
        }
        if (in && in->map && in->left % 2 == 0)
            err = add_key(in, slice_of(rest.p, len), h.major);
        if (err != KEER_OK)
            return err;
        if (in)
            in->left--;
        if (h.major == CBOR_ARRAY || h.major == CBOR_MAP)
            err = open_frame(stack, &depth, &h, rest.len - len);
        if (err != KEER_OK)
            return err;
        at += len;
        while (depth && stack[depth - 1].left == 0)
            depth--;
    } while (depth);
    *ret_len = at;
    return KEER_OK;
}

enum keer_err cbor_read(struct slice bytes, struct cbor_item *ret_item)
{
    size_t len;
    if (bytes.len > CBOR_BYTES_MAX)
        return KEER_ELIMIT;
    enum keer_err err = check(bytes, &len);
    if (err != KEER_OK)
        return err;
    struct slice rest = slice_of(bytes.p, len);
    bool there = cbor_next(&rest, ret_item);
    ASSERT(there && rest.len == 0);
    return KEER_OK;
}

enum keer_err cbor_read_all(struct slice bytes, struct cbor_item *ret_item)
{
    struct cbor_item item;
    enum keer_err err = cbor_read(bytes, &item);
    if (err == KEER_OK && item.whole.len != bytes.len)
        err = KEER_ESYNTAX;
    if (err == KEER_OK)
        *ret_item = item;
    return err;
}

/* Bytes of an item that was checked, with all that is in it. */
static size_t item_bytes(struct slice s)
{
    size_t at = 0;
    uint64_t left = 1; /* bounded by the bytes: check saw that each item is there */
    while (left--) {
        struct head h = {0};
        enum keer_err err = read_head(slice_of(s.p + at, s.len - at), &h);
        ASSERT(err == KEER_OK);
        at += h.bytes;
        if (h.major == CBOR_BYTES || h.major == CBOR_TEXT)
            at += (size_t)h.argument;
        else if (h.major == CBOR_ARRAY)
            left += h.argument;
        else if (h.major == CBOR_MAP)
            left += 2 * h.argument;
    }
    return at;
}

bool cbor_next(struct slice *rest, struct cbor_item *ret_item)
{
    if (rest->len == 0)
        return false;
    struct head h = {0};
    enum keer_err err = read_head(*rest, &h);
    ASSERT(err == KEER_OK && h.major < CBOR_KIND_MAX + 1);
    struct cbor_item item = {.kind = h.major == MAJOR_SIMPLE ? CBOR_SIMPLE : (enum cbor_kind)h.major, .number = h.argument};
    size_t len = item_bytes(*rest);
    ASSERT(len <= rest->len);
    item.whole = slice_of(rest->p, len);
    item.inside = slice_of(rest->p + h.bytes, len - h.bytes);
    *rest = slice_of(rest->p + len, rest->len - len);
    *ret_item = item;
    return true;
}

bool cbor_int(const struct cbor_item *item, int64_t *ret_v)
{
    if ((item->kind != CBOR_UNSIGNED && item->kind != CBOR_NEGATIVE) || item->number > (uint64_t)INT64_MAX)
        return false;
    *ret_v = item->kind == CBOR_UNSIGNED ? (int64_t)item->number : -1 - (int64_t)item->number;
    return true;
}

bool cbor_find(const struct cbor_item *map, struct slice key, struct cbor_item *ret_item)
{
    struct slice rest = map->inside;
    struct cbor_item k, v;
    if (map->kind != CBOR_MAP)
        return false;
    while (cbor_next(&rest, &k) && cbor_next(&rest, &v))
        if (k.kind == CBOR_TEXT && slice_eq(k.inside, key)) {
            *ret_item = v;
            return true;
        }
    return false;
}

bool cbor_find_int(const struct cbor_item *map, int64_t key, struct cbor_item *ret_item)
{
    struct slice rest = map->inside;
    struct cbor_item k, v;
    int64_t n;
    if (map->kind != CBOR_MAP)
        return false;
    while (cbor_next(&rest, &k) && cbor_next(&rest, &v))
        if (cbor_int(&k, &n) && n == key) {
            *ret_item = v;
            return true;
        }
    return false;
}

bool cbor_find_kind(const struct cbor_item *map, const char *key, enum cbor_kind kind, struct cbor_item *ret_item)
{
    struct cbor_item item;
    if (!cbor_find(map, slice_str(key), &item) || item.kind != kind)
        return false;
    *ret_item = item;
    return true;
}
