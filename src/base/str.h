/* str.h - slices: borrowed text with a length, not NUL-terminated.
 *
 * Input is a slice everywhere; a NUL-terminated string is for system calls only.
 * ASCII only where case matters: identifiers, country codes, domains.
 */
#ifndef BASE_STR_H
#define BASE_STR_H
#include "base/base.h"

struct slice {
    const char *p;
    size_t len;
};
#define SLICE(lit) ((struct slice){(lit), sizeof(lit) - 1})
#define SLICE_FMT "%.*s"
#define SLICE_ARG(s) (int)(s).len, (s).p

static inline struct slice slice_of(const char *p, size_t len) { return (struct slice){p, len}; }
static inline struct slice slice_str(const char *s) { return (struct slice){s, s ? strlen(s) : 0}; }
static inline char ascii_lower(char c) { return (c >= 'A' && c <= 'Z') ? (char)(c + 32) : c; }
static inline bool ascii_digit(char c) { return c >= '0' && c <= '9'; }
static inline bool ascii_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

bool slice_eq(struct slice a, struct slice b);
bool slice_eqi(struct slice a, struct slice b); /* ASCII case-insensitive */
int slice_cmp(struct slice a, struct slice b);  /* bytewise order, as memcmp then length */
struct slice slice_trim(struct slice s);
/* Cuts *s at the first `c`: returns what is before, *s becomes what is after (empty, p NULL, when there was none). */
struct slice slice_cut(struct slice *s, char c);
bool slice_has(struct slice hay, struct slice needle);  /* needle occurs in hay */
bool slice_hasi(struct slice hay, struct slice needle); /* ASCII case-insensitive */
/* SQL LIKE with % and _ ; ASCII case-insensitive when `fold`. Linear in practice, O(n*m) at worst. */
bool slice_like(struct slice s, struct slice pattern, bool fold);
/* Edit distance of two short identifiers, capped at `max`+1; for 'did you mean'. */
unsigned slice_distance(struct slice a, struct slice b, unsigned max);
#endif
