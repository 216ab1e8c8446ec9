/* str.c - slices: comparison, search, LIKE. */
#include "base/str.h"

bool slice_eq(struct slice a, struct slice b) { return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0); }

bool slice_eqi(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
            return false;
    return true;
}

int slice_cmp(struct slice a, struct slice b)
{
    size_t n = MIN_OF(a.len, b.len);
    int c = n ? memcmp(a.p, b.p, n) : 0;
    if (c != 0)
        return c;
    return a.len < b.len ? -1 : a.len > b.len;
}

struct slice slice_trim(struct slice s)
{
    while (s.len && ascii_space(s.p[0])) {
        s.p++;
        s.len--;
    }
    while (s.len && ascii_space(s.p[s.len - 1]))
        s.len--;
    return s;
}

struct slice slice_cut(struct slice *s, char c)
{
    const char *at = s->len ? memchr(s->p, c, s->len) : NULL;
    struct slice head = *s;
    if (!at) {
        *s = (struct slice){NULL, 0};
        return head;
    }
    head.len = (size_t)(at - s->p);
    s->len -= head.len + 1;
    s->p = at + 1;
    return head;
}

bool slice_has(struct slice hay, struct slice needle)
{
    if (needle.len == 0)
        return true;
    return hay.len >= needle.len && memmem(hay.p, hay.len, needle.p, needle.len) != NULL;
}

bool slice_hasi(struct slice hay, struct slice needle)
{
    for (size_t i = 0; i + needle.len <= hay.len; i++)
        if (slice_eqi(slice_of(hay.p + i, needle.len), needle))
            return true;
    return false;
}

bool slice_like(struct slice s, struct slice pattern, bool fold)
{
    size_t i = 0, j = 0, star = SIZE_MAX, mark = 0;
    while (i < s.len) {
        if (j < pattern.len && pattern.p[j] == '%') {
            star = j++;
            mark = i;
            continue;
        }
        bool same = j < pattern.len && (pattern.p[j] == '_' || pattern.p[j] == s.p[i] ||
                                        (fold && ascii_lower(pattern.p[j]) == ascii_lower(s.p[i])));
        if (same) {
            i++;
            j++;
        } else if (star != SIZE_MAX) {
            j = star + 1;
            i = ++mark;
        } else {
            return false;
        }
    }
    while (j < pattern.len && pattern.p[j] == '%')
        j++;
    return j == pattern.len;
}

unsigned slice_distance(struct slice a, struct slice b, unsigned max)
{
    unsigned row[LIMIT_NAME_BYTES + 1];
    if (a.len > LIMIT_NAME_BYTES || b.len > LIMIT_NAME_BYTES)
        return max + 1;
    for (unsigned j = 0; j <= b.len; j++)
        row[j] = j;
    for (unsigned i = 1; i <= a.len; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= b.len; j++) {
            unsigned up = row[j];
            unsigned cost = diagonal + (ascii_lower(a.p[i - 1]) != ascii_lower(b.p[j - 1]));
            row[j] = MIN_OF(cost, MIN_OF(up + 1, row[j - 1] + 1));
            diagonal = up;
        }
    }
    return MIN_OF(row[b.len], max + 1);
}
