/* source.c - policies and their files in memory. */
#include "flow/source.h"

#include "core/policy/policy.h"

static char *copied(struct slice s)
{
    char *p = malloc(s.len + 1);
    if (!p)
        return NULL;
    if (s.len)
        memcpy(p, s.p, s.len);
    p[s.len] = '\0';
    return p;
}

enum keer_err source_add(struct source *s, struct slice name, struct slice content)
{
    if (s->count == s->room) {
        unsigned room = s->room ? 2 * s->room : 4;
        struct policy_part *more = s->count >= SOURCE_PARTS_MAX ? NULL : realloc(s->part, room * sizeof *more);
        if (!more)
            return s->count >= SOURCE_PARTS_MAX ? KEER_ELIMIT : KEER_ENOMEM;
        s->part = more;
        s->room = room;
    }
    char *n = copied(name), *c = copied(content);
    if (!n || !c) {
        free(n);
        free(c);
        return KEER_ENOMEM;
    }
    s->part[s->count++] = (struct policy_part){slice_of(n, name.len), slice_of(c, content.len)};
    return KEER_OK;
}

/* Parts are what source_add allocated. */
static void free_slice(struct slice s)
{
    union {
        const char *in;
        void *out;
    } p = {s.p};
    free(p.out);
}

void source_release(struct source *s)
{
    for (unsigned i = 0; i < s->count; i++) {
        free_slice(s->part[i].name);
        free_slice(s->part[i].content);
    }
    free(s->part);
    *s = (struct source){0};
}

const struct policy_part *source_find(const struct source *s, struct slice name)
{
    for (unsigned i = 0; i < s->count; i++)
        if (slice_eq(s->part[i].name, name))
            return &s->part[i];
    return NULL;
}

void source_hash(const struct source *s, struct crypto_hash *ret_hash)
{
    ASSERT(s->count);
    crypto_sha256(s->part[0].content, ret_hash);
    for (unsigned i = 1; i < s->count; i++) {
        crypto_sha256_add(ret_hash, s->part[i].name);
        crypto_sha256_add(ret_hash, s->part[i].content);
    }
}

/* --- making --- */

struct capture {
    const struct keer_files *files;
    struct source *source;
};

static enum keer_err capture_read(void *ctx, const char *path, char **ret_data, size_t *ret_len)
{
    const struct capture *c = ctx;
    char *data = NULL;
    size_t len = 0;
    if (!c->files->read)
        return KEER_EMISSING;
    enum keer_err err = c->files->read(c->files->ctx, path, &data, &len);
    if (err != KEER_OK)
        return err;
    if (!source_find(c->source, slice_str(path)))
        err = source_add(c->source, slice_str(path), slice_of(data, len));
    if (err != KEER_OK) {
        free(data);
        return err;
    }
    *ret_data = data;
    *ret_len = len;
    return KEER_OK;
}

enum keer_err source_policy(const char *name, struct slice text, const struct keer_files *files, unsigned flags,
                            struct source *ret_source, struct keer_policy **ret_policy)
{
    struct capture c = {files, ret_source};
    struct keer_files capturing = {&c, capture_read};
    enum keer_err err = source_add(ret_source, SLICE(""), text);
    return err != KEER_OK ? err : policy_make(name, text, &capturing, flags, ret_policy);
}

static enum keer_err memory_read(void *ctx, const char *path, char **ret_data, size_t *ret_len)
{
    const struct policy_part *part = path[0] ? source_find(ctx, slice_str(path)) : NULL;
    if (!part)
        return KEER_EMISSING;
    *ret_data = copied(part->content);
    *ret_len = part->content.len;
    return *ret_data ? KEER_OK : KEER_ENOMEM;
}

struct keer_files source_files(const struct source *from)
{
    union {
        const struct source *in;
        void *out;
    } ctx = {from}; /* it is only read */
    return (struct keer_files){ctx.out, memory_read};
}

/* --- loading --- */

static enum keer_err take_part(void *ctx, const struct policy_part *part)
{
    return source_add(ctx, part->name, part->content);
}

enum keer_err version_load(struct db *db, int64_t number, struct version **ret_version)
{
    struct policy_row row;
    struct source stored = {0}, read = {0};
    struct version *v = calloc(1, sizeof *v);
    enum keer_err err = v ? policies_get(db, number, &row) : KEER_ENOMEM;
    if (err == KEER_OK)
        err = policies_parts(db, number, take_part, &stored);
    if (err == KEER_OK && !stored.count)
        err = KEER_EMISSING;
    if (err != KEER_OK)
        goto out;
    v->number = number;
    v->hash = row.hash;
    v->name = copied(slice_str(row.name));
    struct keer_files files = source_files(&stored);
    err = v->name ? source_policy(row.name, stored.part[0].content, &files, KEER_POLICY_WITHOUT_EXAMPLES, &read, &v->policy)
                  : KEER_ENOMEM;
    struct crypto_hash hash;
    if (err == KEER_OK) {
        source_hash(&read, &hash);
        err = crypto_hash_eq(&hash, &row.hash) ? KEER_OK : KEER_EFORMAT;
    }
out:
    source_release(&stored);
    source_release(&read);
    if (err != KEER_OK)
        version_free(v);
    else
        *ret_version = v;
    return err;
}

void version_free(struct version *v)
{
    if (!v)
        return;
    free_slice(slice_of(v->name, 0));
    keer_policy_free(v->policy);
    free(v);
}
