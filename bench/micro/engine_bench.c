/* engine_bench.c - decisions a second, latency, allocations and memory of the engine, from parsed events, on one core.
 *
 * Usage: engine_bench [--accounts N] [--warm N] [--rounds N] [--without-model] [--many-only] [--policy FILE]
 *        engine_bench --memory ENTITIES [--policy FILE]
 * The policy (default bench/micro/engine.keer) gets a model of 100 trees of depth 6 on all of its named windows and the
 * amount, trained here on seeded labels. Rounds of 50,000 events follow a warm-up that is longer than the longest window.
 * Prints 'name value unit' lines. With --memory every key of the policy is seen once by every type of event in turn; without
 * --policy then four times more. */
#include <malloc.h>
#include <time.h>

#include "base/num.h"
#include "core/engine.h"
#include "crowd.h"
#include "learn/collect.h"
#include "lib/test.h"

#define ROUND 50000u
/* Events that are there at once: of a thousand the first would leave the caches before their turn, and who decides what is
 * read has few (the daemon looks 8 ahead). */
#define BATCH 50u
static_assert(BATCH <= CROWD_BATCH && ROUND % BATCH == 0, "a round is of whole batches");
#define TREES 100u
#define DEPTH 6u
#define TRAIN_ROWS 60000u
#define LATENCIES 400000u

struct options {
    const char *policy;
    uint64_t accounts, warm, rounds, memory;
    bool without_model, many_only;
};

static double now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}
static uint64_t now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* --- policies --- */

/* Files stand beside the policy; the model comes from memory. */
struct folder {
    const char *policy;
    struct slice model;
};

static enum keer_err read_whole(const char *path, char **ret_data, size_t *ret_len)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return KEER_EMISSING;
    struct buf b;
    char chunk[8192];
    buf_init(&b, LIMIT_MODEL_BYTES);
    buf_put(&b, "", 0);
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, f)) > 0;)
        buf_put(&b, chunk, n);
    bool bad = ferror(f) || b.err != KEER_OK;
    (void)fclose(f);
    if (bad) {
        buf_release(&b);
        return KEER_EFORMAT;
    }
    *ret_len = b.len;
    *ret_data = b.p;
    return KEER_OK;
}

static enum keer_err read_file(void *ctx, const char *path, char **ret_data, size_t *ret_len)
{
    const struct folder *f = ctx;
    if (f->model.p && strcmp(path, "engine_bench.model.json") == 0) {
        *ret_data = malloc(f->model.len + 1);
        if (!*ret_data)
            return KEER_ENOMEM;
        memcpy(*ret_data, f->model.p, f->model.len);
        *ret_len = f->model.len;
        return KEER_OK;
    }
    char full[1024];
    const char *slash = strrchr(f->policy, '/');
    (void)snprintf(full, sizeof full, "%.*s%s", slash ? (int)(slash - f->policy) + 1 : 0, f->policy, path);
    return read_whole(full, ret_data, ret_len);
}

static struct keer_policy *policy_of(const struct folder *folder, struct slice text, unsigned flags)
{
    struct keer_files files = {.ctx = (void *)(uintptr_t)folder, .read = read_file};
    struct keer_policy *p = NULL;
    char *messages = NULL;
    enum keer_err err =
        keer_policy_new(folder->policy, text.p, text.len, &files, flags | KEER_POLICY_WITHOUT_EXAMPLES, &p, &messages);
    if (messages && err != KEER_OK)
        fprintf(stderr, "%s", messages);
    free(messages);
    crowd_must(err, folder->policy);
    return p;
}

/* The policy's text and, after it, features of all of its named windows, and a model when `model` says so. */
static void text_with_features(const struct keer_policy *p, bool model, struct buf *out)
{
    buf_put(out, p->text.p, p->text.len);
    buf_fmt(out, "\nfeatures amount");
    for (unsigned i = 0; i < p->let_count; i++)
        buf_fmt(out, ", %.*s", SLICE_ARG(p->lets[i].stmt->name));
    buf_fmt(out, "\n%s", model ? "model trees = \"engine_bench.model.json\"\n" : "");
    crowd_must(out->err, "text");
}

/* --- training --- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Labels that hang on several features at once, so that the trees grow to their full depth; a tenth is fraud. */
static void label_rows(struct dataset *d)
{
    struct rng r;
    double *z = malloc(d->rows * 2 * sizeof *z);
    if (!z)
        crowd_must(KEER_ENOMEM, "labels");
    rng_seed(&r, 7);
    for (size_t k = 0; k < d->rows; k++) {
        const float *x = d->x + k * d->cols;
        z[k] = rng_normal(&r, 0, 0.5);
        for (unsigned i = 0; i < d->cols; i++) {
            unsigned j = (i + 7) % d->cols;
            double v = isnan(x[i]) ? -0.4 : log1p(fabs((double)x[i])), w = isnan(x[j]) ? 0.3 : log1p(fabs((double)x[j]));
            z[k] += (i % 2 ? 0.12 : -0.1) * v + (v > w ? 0.25 : -0.2);
        }
    }
    double *sorted = z + d->rows;
    memcpy(sorted, z, d->rows * sizeof *z);
    qsort(sorted, d->rows, sizeof *z, by_value);
    for (size_t k = 0; k < d->rows; k++)
        d->label[k] = z[k] > sorted[d->rows / 10 * 9];
    free(z);
}

static bool train(const struct folder *folder, struct slice text, uint64_t accounts, struct train_result *ret_model)
{
    struct keer_policy *p = policy_of(folder, text, 0);
    struct keer_engine *e;
    struct collect c;
    struct crowd crowd;
    struct train_options o;
    struct buf detail;
    crowd_must(keer_engine_new(p, NULL, &e), "engine");
    crowd_must(collect_init(&c, p), "collect");
    crowd_init(&crowd, 7, (uint32_t)accounts / 20);
    struct crowd_events *b = crowd_events_new(keer_policy_schema(p));
    for (unsigned n = 0; n < 6 * TRAIN_ROWS; n++) {
        struct keer_decision d;
        if (n % CROWD_BATCH == 0)
            crowd_fill(&crowd, b, CROWD_BATCH);
        crowd_must(keer_engine_decide(e, b->event[n % CROWD_BATCH], &d), "decide");
        if (n >= 5 * TRAIN_ROWS)
            crowd_must(collect_row(&c, e, b->event[n % CROWD_BATCH], &d), "row");
    }
    label_rows(&c.data);
    train_options_published(&o);
    o.name = "trees";
    o.xgb.trees_max = TREES;
    o.xgb.depth = DEPTH;
    o.xgb.tree_method = "hist";
    o.xgb.nthread = 1;
    buf_init(&detail, 4096);
    enum keer_err err = train_run(&c.data, &o, &detail, ret_model);
    if (err == KEER_EUNSUPPORTED)
        printf("skipped: libxgboost not present\n");
    else
        crowd_must(err, detail.len ? detail.p : "training");
    buf_release(&detail);
    crowd_events_free(b);
    collect_release(&c);
    keer_engine_free(e);
    keer_policy_free(p);
    return err == KEER_OK;
}

/* --- speed --- */

struct speed {
    struct keer_engine *engine;
    struct crowd crowd;
    struct crowd_events *batch;
    uint64_t outcomes[KEER_OUTCOME_MAX], fired;
};

static void tell(struct speed *s, const struct keer_decision *d, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        s->outcomes[d[i].outcome]++;
        s->fired += d[i].fired_count;
    }
}

/* Seconds for n events, n a multiple of BATCH: many at once, or one by one. */
static double spend(struct speed *s, uint64_t n, bool one_by_one)
{
    static struct keer_decision d[BATCH];
    double spent = 0;
    for (uint64_t i = 0; i < n; i += BATCH) {
        crowd_fill(&s->crowd, s->batch, BATCH);
        double from = now_s();
        if (!one_by_one)
            crowd_must(keer_engine_decide_many(s->engine, (const struct keer_event *const *)s->batch->event, BATCH, d),
                       "decide");
        for (unsigned k = 0; one_by_one && k < BATCH; k++)
            crowd_must(keer_engine_decide(s->engine, s->batch->event[k], &d[k]), "decide");
        spent += now_s() - from;
        tell(s, d, BATCH);
    }
    return spent;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void latency(struct speed *s, const char *name)
{
    uint32_t *ns = malloc(LATENCIES * sizeof *ns);
    struct keer_decision d;
    if (!ns)
        crowd_must(KEER_ENOMEM, "latency");
    for (unsigned i = 0; i < LATENCIES; i++) {
        if (i % BATCH == 0)
            crowd_fill(&s->crowd, s->batch, BATCH);
        uint64_t from = now_ns();
        crowd_must(keer_engine_decide(s->engine, s->batch->event[i % BATCH], &d), "decide");
        ns[i] = (uint32_t)MIN_OF(now_ns() - from, (uint64_t)UINT32_MAX);
    }
    qsort(ns, LATENCIES, sizeof *ns, by_number);
    printf("%s_p50 %.2f us\n%s_p99 %.2f us\n%s_p99.9 %.2f us\n", name, ns[LATENCIES / 2] / 1e3, name,
           ns[LATENCIES / 100 * 99] / 1e3, name, ns[LATENCIES / 1000 * 999] / 1e3);
    free(ns);
}

static void speed_rounds(struct speed *s, const struct options *o, const char *name, bool one_by_one)
{
    double best = HUGE_VAL, all = 0;
    uint64_t allocated = 0;
    for (uint64_t i = 0; i < o->rounds; i++) {
        oom_reset();
        double spent = spend(s, ROUND, one_by_one);
        allocated += oom_count();
        best = MIN_OF(best, spent);
        all += spent;
    }
    double events = (double)(o->rounds * ROUND);
    printf("%s%s %.0f decisions/s\n", name, one_by_one ? "_one_by_one" : "", ROUND / best);
    printf("%s%s_mean %.0f decisions/s\n", name, one_by_one ? "_one_by_one" : "", events / all);
    if (!one_by_one)
        printf("%s_allocations %.6f per event\n", name, (double)allocated / events);
}

static void measure(const struct options *o, const struct folder *folder, struct slice text, const char *name)
{
    struct speed s = {0};
    struct win_stats stats;
    struct keer_policy *p = policy_of(folder, text, 0);
    crowd_must(keer_engine_new(p, NULL, &s.engine), "engine");
    crowd_init(&s.crowd, 11, (uint32_t)o->accounts);
    s.batch = crowd_events_new(keer_policy_schema(p));
    double warm = spend(&s, o->warm / BATCH * BATCH, false);
    printf("%s_warm_up %.0f decisions/s\n", name, (double)o->warm / warm);
    memset(s.outcomes, 0, sizeof s.outcomes);
    speed_rounds(&s, o, name, false);
    printf("# %s: %u rules, %u windows by %u kinds of entity; allow %llu, challenge %llu, review %llu, deny %llu\n", name,
           p->rule_count, p->plan.windows, p->plan.groups, (unsigned long long)s.outcomes[KEER_ALLOW],
           (unsigned long long)s.outcomes[KEER_CHALLENGE], (unsigned long long)s.outcomes[KEER_REVIEW],
           (unsigned long long)s.outcomes[KEER_DENY]);
    if (!o->many_only) {
        speed_rounds(&s, o, name, true);
        latency(&s, name);
    }
    engine_stats(s.engine, &stats);
    printf("# %s: %llu entities, %llu remembered events, %.1f MB\n", name, (unsigned long long)stats.entities,
           (unsigned long long)stats.rows, (double)stats.bytes / 1e6);
    crowd_events_free(s.batch);
    keer_engine_free(s.engine);
    keer_policy_free(p);
}

static void run_speed(const struct options *o, struct folder *folder, struct slice text)
{
    struct train_result model = {0};
    struct buf with;
    struct keer_policy *p = policy_of(folder, text, KEER_POLICY_WITHOUT_MODELS);
    buf_init(&with, LIMIT_POLICY_BYTES);
    measure(o, folder, text, "engine");
    text_with_features(p, false, &with);
    if (!o->without_model && train(folder, buf_view(&with), o->accounts, &model)) {
        folder->model = buf_view(&model.model);
        buf_release(&with);
        buf_init(&with, LIMIT_POLICY_BYTES);
        text_with_features(p, true, &with);
        printf("# model: %u trees, depth %u, %u features\n", TREES, DEPTH, p->let_count + 1);
        measure(o, folder, buf_view(&with), "engine_model");
        train_result_release(&model);
    }
    buf_release(&with);
    keer_policy_free(p);
}

/* --- memory --- */

/* An event of `type` with every attribute of the schema, all texts new. */
static void event_new_everywhere(struct keer_event *ev, const struct keer_schema *s, int type, uint64_t number,
                                 char (*text)[32])
{
    enum keer_err err = KEER_OK;
    keer_event_reset(ev);
    int n = snprintf(text[0], sizeof text[0], "e%d-%llu", type, (unsigned long long)number);
    err = err ? err : keer_event_set_id(ev, text[0], (size_t)n);
    err = err ? err : keer_event_set_time(ev, CROWD_START + (int64_t)number);
    err = err ? err : keer_event_set_type(ev, type);
    for (int i = 0; i < keer_schema_count(s); i++) {
        char *t = text[i + 1];
        switch (keer_schema_type(s, i)) {
        case KEER_TEXT:
            n = snprintf(t, sizeof *text, "%d-%d-%llu", type, i, (unsigned long long)number);
            err = err ? err : keer_event_set_text(ev, i, t, (size_t)n);
            break;
        case KEER_IP:
            n = snprintf(t, sizeof *text, "2001:db8:%x::%x:%x", (unsigned)type, (unsigned)(number >> 16),
                         (unsigned)(number & 65535));
            err = err ? err : keer_event_set_text(ev, i, t, (size_t)n);
            break;
        case KEER_NUMBER: err = err ? err : keer_event_set_number(ev, i, (double)number); break;
        case KEER_BOOLEAN: err = err ? err : keer_event_set_boolean(ev, i, 1); break;
        case KEER_MONEY: err = err ? err : keer_event_set_money(ev, i, 64800, NULL); break;
        case KEER_ATTR_TYPE_MAX: break;
        }
    }
    crowd_must(err, "filling an event");
}

/* Until `entities` are there, all seen once by events of one type. False when the type touches no window. */
static bool seen_once(struct keer_engine *e, const struct keer_policy *p, int type, uint64_t entities,
                      struct win_stats *ret_stats)
{
    static char text[LIMIT_ATTRS + 1][32];
    struct keer_event *ev;
    struct keer_decision d;
    if (!p->plans[type].groups || event_type_is_label((unsigned)type))
        return false;
    crowd_must(keer_event_new(keer_policy_schema(p), &ev), "event");
    for (uint64_t i = 0; ret_stats->entities < entities; i++) {
        event_new_everywhere(ev, keer_policy_schema(p), type, i, text);
        crowd_must(keer_engine_decide(e, ev, &d), "decide");
        if (i % 64 == 63)
            engine_stats(e, ret_stats);
        if (i % 64 == 63 && ret_stats->entities == 0)
            break; /* the type asks windows and is counted by none */
    }
    keer_event_free(ev);
    return ret_stats->entities > 0;
}

static void memory_of_types(const struct options *o, const struct keer_policy *p)
{
    double worst = 0;
    for (unsigned type = 0; type < p->schema.type_count; type++) {
        struct win_stats stats = {0};
        struct keer_engine *e;
        crowd_must(keer_engine_new(p, NULL, &e), "engine");
        size_t before = (size_t)oom_live_bytes();
        if (seen_once(e, p, (int)type, o->memory, &stats)) {
            double each = (double)stats.bytes / (double)stats.entities;
            worst = MAX_OF(worst, each);
            printf("memory_once_%.*s %.1f bytes/entity\n", SLICE_ARG(event_type_name(&p->schema, type)), each);
            printf("# %llu entities, %llu remembered events, %.1f MB in use, %.1f MB from malloc\n",
                   (unsigned long long)stats.entities, (unsigned long long)stats.rows, (double)stats.bytes / 1e6,
                   (double)((size_t)oom_live_bytes() - before) / 1e6);
        }
        keer_engine_free(e);
    }
    printf("memory_once_worst %.1f bytes/entity\n", worst);
}

static void memory_of_crowd(const struct options *o, const struct keer_policy *p)
{
    struct crowd_events *b = crowd_events_new(keer_policy_schema(p));
    struct win_stats once, more = {0};
    struct keer_engine *e;
    struct keer_decision d;
    uint64_t number = 0, each = o->memory / 4;
    crowd_must(keer_engine_new(p, NULL, &e), "engine");
    for (unsigned round = 0; round < 5; round++) {
        for (uint32_t i = 0; i < each; i++, number++) {
            struct crowd_record x = {CROWD_START + (int64_t)number * 1000, i, i, i, i, 1000 + i % 997, 0};
            crowd_event(b, 0, &x, number);
            crowd_must(keer_engine_decide(e, b->event[0], &d), "decide");
        }
        if (round == 0)
            engine_stats(e, &once);
    }
    engine_stats(e, &more);
    uint64_t live = oom_live_bytes();
    printf("memory_once %.1f bytes/entity\n", (double)once.bytes / (double)once.entities);
    printf("memory_event %.1f bytes/remembered event\n",
           (double)(more.bytes - once.bytes) / (double)(more.rows - once.rows));
    printf("memory_five %.1f bytes/entity\n", (double)more.bytes / (double)more.entities);
    for (unsigned g = 0; g < p->plan.groups; g++)
        printf("# %s: %u bytes a row, %.1f bytes an entity after 5 events\n",
               keer_schema_name(&p->schema, p->keys[g].slot[0]), more.group[g].row_bytes,
               (double)more.group[g].bytes / (double)more.group[g].entities);
    printf("# %llu entities, %llu remembered events: %.1f MB in use, %.1f MB reserved, %.1f MB from malloc\n",
           (unsigned long long)more.entities, (unsigned long long)more.rows, (double)more.bytes / 1e6,
           (double)more.reserved_bytes / 1e6, (double)live / 1e6);
    crowd_events_free(b);
    keer_engine_free(e);
}

static bool options_read(int argc, char **argv, struct options *o)
{
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        uint64_t *number = strcmp(a, "--accounts") == 0 ? &o->accounts
                           : strcmp(a, "--warm") == 0   ? &o->warm
                           : strcmp(a, "--rounds") == 0 ? &o->rounds
                           : strcmp(a, "--memory") == 0 ? &o->memory
                                                        : NULL;
        if (strcmp(a, "--without-model") == 0)
            o->without_model = true;
        else if (strcmp(a, "--many-only") == 0)
            o->many_only = true;
        else if (strcmp(a, "--policy") == 0 && i + 1 < argc)
            o->policy = argv[++i];
        else if (!number || i + 1 == argc || num_u64(slice_str(argv[++i]), 1, 100000000, number) != KEER_OK)
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct options o = {.accounts = 1000000, .warm = 6000000, .rounds = 40};
    char *text;
    size_t len;
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    if (!options_read(argc, argv, &o)) {
        fprintf(
            stderr,
            "usage: engine_bench [--accounts N] [--warm N] [--rounds N] [--without-model] [--many-only] [--memory ENTITIES] "
            "[--policy FILE]\n");
        return 2;
    }
    struct folder folder = {.policy = o.policy ? o.policy : "bench/micro/engine.keer"};
    crowd_must(read_whole(folder.policy, &text, &len), folder.policy);
    if (!o.memory) {
        run_speed(&o, &folder, slice_of(text, len));
    } else {
        struct keer_policy *p = policy_of(&folder, slice_of(text, len), KEER_POLICY_WITHOUT_MODELS);
        if (o.policy)
            memory_of_types(&o, p);
        else
            memory_of_crowd(&o, p);
        keer_policy_free(p);
    }
    free(text);
    return 0;
}
