/* source.h - the text of a policy and the files that it reads, in memory: what makes up a version.
 *
 * Part 0 is the text, named ""; files follow in the order in which the policy reads them. The hash is over all parts in that
 * order.
 */
#ifndef FLOW_SOURCE_H
#define FLOW_SOURCE_H
#include <keer/policy.h>

#include "store/policies.h"

#define SOURCE_PARTS_MAX (1u + LIMIT_LISTS + LIMIT_MODELS + 64u)

struct source { /* starts as {0} */
    struct policy_part *part;
    unsigned count, room;
};

/* Copies. KEER_ENOMEM, KEER_ELIMIT with too many parts. */
KEER_NODISCARD enum keer_err source_add(struct source *s, struct slice name, struct slice content);
void source_release(struct source *s);
/* The content of a file: NULL when there is none of that name. */
const struct policy_part *source_find(const struct source *s, struct slice name);
void source_hash(const struct source *s, struct crypto_hash *ret_hash);

/* Makes a policy of `text` whose files come from `files`, and keeps what it reads in `ret_source` (text first). What
 * policy_make answers; *ret_policy is there with its diagnostics on failure too. */
KEER_NODISCARD enum keer_err source_policy(const char *name, struct slice text, const struct keer_files *files,
                                           unsigned flags, struct source *ret_source, struct keer_policy **ret_policy);
/* Files from the parts of `from`, for source_policy: KEER_EMISSING for others. */
struct keer_files source_files(const struct source *from);

/* A version that is loaded. */
struct version {
    int64_t number;
    struct crypto_hash hash;
    const char *name;
    struct keer_policy *policy;
    struct version *next;
};
/* From the database. KEER_EMISSING when there is no such version or its parts were not kept; else what made it fail. */
KEER_NODISCARD enum keer_err version_load(struct db *db, int64_t number, struct version **ret_version);
void version_free(struct version *v); /* the name and the policy too; NULL is fine */
#endif
