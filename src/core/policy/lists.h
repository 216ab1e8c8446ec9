/* lists.h - sets that rules ask with IN: texts by hash, numbers, and addresses as ranges (CIDR, RFC 4632 and RFC 4291).
 *
 * A list of a policy is compiled once for each way in which it is asked: as texts, as texts without case, as numbers, as
 * addresses. A file holds one item a line; '#' at the beginning or after a space begins a comment; empty lines and white
 * space around items do not count. A JSON array that is written one item a line is taken too.
 */
#ifndef CORE_POLICY_LISTS_H
#define CORE_POLICY_LISTS_H
#include "base/hash.h"
#include "base/str.h"

enum list_kind { LIST_TEXT, LIST_TEXT_FOLD, LIST_NUMBER, LIST_IP, LIST_KIND_MAX };
struct ip_range {
    u128 from, to; /* IPv4 as ::ffff:a.b.c.d */
};
struct list_set {
    enum list_kind kind;
    size_t count, cap;
    uint64_t *hash;         /* open addressing, cap a power of two, 0 = free */
    double *number;         /* sorted */
    struct ip_range *range; /* sorted, disjoint */
};
struct list_sets {
    struct list_set *set;
    unsigned count;
};

struct list_error {
    size_t line;
    char what[160];
};
/* Builds a set from a file's text. On a bad item: KEER_EFORMAT and *ret_error says line and reason. */
KEER_NODISCARD enum keer_err list_from_text(enum list_kind kind, struct hash_key key, struct slice text,
                                            struct list_set *ret_set, struct list_error *ret_error);
/* From items; `number` is used for LIST_NUMBER. */
struct list_item {
    struct slice text;
    double number;
};
KEER_NODISCARD enum keer_err list_from_items(enum list_kind kind, struct hash_key key, const struct list_item *items,
                                             size_t n, struct list_set *ret_set, size_t *ret_bad);
void list_release(struct list_set *s);

bool list_has_hash(const struct list_sets *l, unsigned list, uint64_t hash);
bool list_has_number(const struct list_sets *l, unsigned list, double v);
bool list_has_ip(const struct list_sets *l, unsigned list, struct slice address);
/* Address, or address/prefix, to a range; false when it is neither. */
bool ip_parse(struct slice s, struct ip_range *ret_range);
#endif
