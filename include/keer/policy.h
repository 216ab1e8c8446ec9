/* policy.h - a policy: the text that says what is counted and what follows from it, checked and compiled.
 *
 * The language is described in docs/guides/policy.md. A policy is immutable once made, and may be used by several engines
 * and threads.
 */
#ifndef KEER_POLICY_H
#define KEER_POLICY_H
#include <keer/event.h>

#ifdef __cplusplus
extern "C" {
#endif

struct keer_policy;

/* How the library gets at the files that a policy names (lists, rates, models): it opens nothing itself. */
struct keer_files {
    void *ctx;
    /* The contents of `path`, allocated with malloc, owned by the library afterwards. KEER_EMISSING when there is no such
     * file. */
    enum keer_err (*read)(void *ctx, const char *path, char **ret_data, size_t *ret_len);
};

/* Flags of keer_policy_new. */
#define KEER_POLICY_WITHOUT_MODELS 1u /* models are not read; their scores are missing */
#define KEER_POLICY_WITHOUT_EXAMPLES 2u

/* Parses, checks and compiles. On a bad policy: KEER_ESYNTAX or KEER_ETYPE, and *ret_messages (may be NULL) is a text with
 * file, line, column, caret and hint for each problem; warnings come with KEER_OK too. The caller frees *ret_messages with
 * free(). `name` is what messages call the text. */
KEER_API KEER_NODISCARD enum keer_err keer_policy_new(const char *name, const char *text, size_t len,
                                                      const struct keer_files *files, unsigned flags,
                                                      struct keer_policy **ret_policy, char **ret_messages);
KEER_API void keer_policy_free(struct keer_policy *p);
/* Borrowed: events for this policy are made with it. */
KEER_API const struct keer_schema *keer_policy_schema(const struct keer_policy *p);
KEER_API unsigned keer_policy_rules(const struct keer_policy *p);
/* NULL when out of range. */
KEER_API const char *keer_policy_rule_name(const struct keer_policy *p, unsigned rule);

#ifdef __cplusplus
}
#endif
#endif
