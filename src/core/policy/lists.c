/* lists.c - sets that rules ask with IN. */
#include "core/policy/lists.h"

#include <arpa/inet.h>

#include "base/num.h"

bool ip_parse(struct slice s, struct ip_range *ret_range)
{
    char text[64];
    struct slice address = slice_cut(&s, '/');
    if (address.len == 0 || address.len >= sizeof text)
        return false;
    memcpy(text, address.p, address.len);
    text[address.len] = '\0';
    unsigned char bytes[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
    int64_t prefix = 128, shortest = 0;
    if (inet_pton(AF_INET, text, bytes + 12) == 1)
        shortest = 96;
    else if (inet_pton(AF_INET6, text, bytes) != 1)
        return false;
    if (s.p) {
        if (num_i64(s, 0, 128 - shortest, &prefix) != KEER_OK)
            return false;
        prefix += shortest;
    }
    u128 v = 0;
    for (int i = 0; i < 16; i++)
        v = v << 8 | bytes[i];
    u128 rest = prefix == 0 ? ~(u128)0 : prefix == 128 ? 0 : ((u128)1 << (128 - prefix)) - 1;
    ret_range->from = v & ~rest;
    ret_range->to = v | rest;
    return true;
}

void list_release(struct list_set *s)
{
    free(s->hash);
    free(s->number);
    free(s->range);
    *s = (struct list_set){0};
}

/* --- growing --- */

static void hash_place(uint64_t *hash, size_t cap, uint64_t h)
{
    size_t at = (size_t)hash_mix(h) & (cap - 1);
    while (hash[at] && hash[at] != h)
        at = (at + 1) & (cap - 1);
    hash[at] = h;
}

static enum keer_err set_hash(struct list_set *s, uint64_t h)
{
    if (s->count * 2 >= s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 16;
        uint64_t *hash = calloc(cap, sizeof *hash);
        if (!hash)
            return KEER_ENOMEM;
        for (size_t i = 0; i < s->cap; i++)
            if (s->hash[i])
                hash_place(hash, cap, s->hash[i]);
        free(s->hash);
        s->hash = hash;
        s->cap = cap;
    }
    hash_place(s->hash, s->cap, h);
    s->count++;
    return KEER_OK;
}

static void *set_slot(struct list_set *s, void *array, size_t size)
{
    if (s->count < s->cap)
        return array;
    size_t cap = s->cap ? s->cap * 2 : 16;
    void *grown = realloc(array, cap * size);
    if (grown)
        s->cap = cap;
    return grown;
}

static enum keer_err set_add(struct list_set *s, struct hash_key key, struct list_item item)
{
    if (s->count >= LIMIT_LIST_ITEMS)
        return KEER_ELIMIT;
    struct ip_range range;
    switch (s->kind) {
    case LIST_TEXT: return set_hash(s, hash_bytes(key, item.text.p, item.text.len).lo);
    case LIST_TEXT_FOLD: return set_hash(s, hash_folded(key, item.text).lo);
    case LIST_NUMBER: {
        double *number = set_slot(s, s->number, sizeof *number);
        if (!number)
            return KEER_ENOMEM;
        s->number = number;
        s->number[s->count++] = item.number;
        return KEER_OK;
    }
    case LIST_IP: {
        if (!ip_parse(item.text, &range))
            return KEER_EFORMAT;
        struct ip_range *grown = set_slot(s, s->range, sizeof *grown);
        if (!grown)
            return KEER_ENOMEM;
        s->range = grown;
        s->range[s->count++] = range;
        return KEER_OK;
    }
    case LIST_KIND_MAX: break;
    }
    return KEER_EINVALID;
}

static int by_number(const void *a, const void *b)
{
    double x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

static int by_from(const void *a, const void *b)
{
    const struct ip_range *x = a, *y = b;
    return x->from < y->from ? -1 : x->from > y->from;
}

static void set_finish(struct list_set *s)
{
    if (s->kind == LIST_NUMBER && s->count)
        qsort(s->number, s->count, sizeof *s->number, by_number);
    if (s->kind != LIST_IP || !s->count)
        return;
    qsort(s->range, s->count, sizeof *s->range, by_from);
    size_t n = 0;
    for (size_t i = 1; i < s->count; i++) {
        if (s->range[i].from <= s->range[n].to)
            s->range[n].to = MAX_OF(s->range[n].to, s->range[i].to);
        else
            s->range[++n] = s->range[i];
    }
    s->count = n + 1;
}

enum keer_err list_from_items(enum list_kind kind, struct hash_key key, const struct list_item *items, size_t n,
                              struct list_set *ret_set, size_t *ret_bad)
{
    struct list_set s = {.kind = kind};
    for (size_t i = 0; i < n; i++) {
        enum keer_err err = set_add(&s, key, items[i]);
        if (err != KEER_OK) {
            list_release(&s);
            *ret_bad = i;
            return err;
        }
    }
    set_finish(&s);
    *ret_set = s;
    return KEER_OK;
}

/* An item of a file: a line without its comment, which begins the line or stands after a space; or one string of a JSON
 * array that is written one item a line. */
static struct slice line_item(struct slice line)
{
    for (size_t i = 0; i < line.len; i++)
        if (line.p[i] == '#' && (i == 0 || ascii_space(line.p[i - 1])))
            line.len = i;
    line = slice_trim(line);
    if (line.len && line.p[line.len - 1] == ',')
        line = slice_trim(slice_of(line.p, line.len - 1));
    if (line.len >= 2 && line.p[0] == '"' && line.p[line.len - 1] == '"')
        line = slice_of(line.p + 1, line.len - 2);
    bool bracket = line.len == 1 && (line.p[0] == '[' || line.p[0] == ']');
    return bracket ? slice_of(NULL, 0) : line;
}

enum keer_err list_from_text(enum list_kind kind, struct hash_key key, struct slice text, struct list_set *ret_set,
                             struct list_error *ret_error)
{
    struct list_set s = {.kind = kind};
    size_t number = 0;
    if (text.len >= 3 && memcmp(text.p, "\xEF\xBB\xBF", 3) == 0) /* a byte order mark, as spreadsheets write it */
        text = slice_of(text.p + 3, text.len - 3);
    while (text.p) {
        struct list_item item = {.text = line_item(slice_cut(&text, '\n'))};
        number++;
        if (item.text.len == 0)
            continue;
        enum keer_err err = item.text.p[0] == '[' ? KEER_EFORMAT : KEER_OK;
        if (err == KEER_OK && kind == LIST_NUMBER)
            err = num_f64(item.text, &item.number);
        if (err == KEER_OK)
            err = item.text.len > LIMIT_TEXT_BYTES ? KEER_ELIMIT : set_add(&s, key, item);
        if (err != KEER_OK) {
            ret_error->line = number;
            (void)snprintf(ret_error->what, sizeof ret_error->what, "'%.*s' %s", (int)MIN_OF(item.text.len, 60), item.text.p,
                           item.text.p[0] == '[' ? "holds several items; write one item a line"
                           : err == KEER_ELIMIT  ? "is too long, or one item too many"
                           : kind == LIST_IP     ? "is not an address or a CIDR range"
                                                 : "is not a number");
            list_release(&s);
            return err;
        }
    }
    set_finish(&s);
    *ret_set = s;
    return KEER_OK;
}

/* --- asking --- */

bool list_has_hash(const struct list_sets *l, unsigned list, uint64_t hash)
{
    const struct list_set *s = &l->set[list];
    if (!s->cap)
        return false;
    for (size_t at = (size_t)hash_mix(hash) & (s->cap - 1); s->hash[at]; at = (at + 1) & (s->cap - 1))
        if (s->hash[at] == hash)
            return true;
    return false;
}

bool list_has_number(const struct list_sets *l, unsigned list, double v)
{
    const struct list_set *s = &l->set[list];
    return s->count && bsearch(&v, s->number, s->count, sizeof v, by_number) != NULL;
}

bool list_has_ip(const struct list_sets *l, unsigned list, struct slice address)
{
    const struct list_set *s = &l->set[list];
    struct ip_range ip;
    if (!ip_parse(address, &ip))
        return false;
    size_t lo = 0, hi = s->count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (s->range[mid].to < ip.from)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < s->count && s->range[lo].from <= ip.from;
}
