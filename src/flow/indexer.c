/* indexer.c - a run of terms for every 2,048 rows of the journal. */
#include "flow/indexer.h"

#include <pthread.h>
#include <time.h>

#include "flow/terms.h"
#include "store/found.h"
#include "store/secrets.h"

#define IDLE_MS 50    /* nothing to do */
#define BETWEEN_MS 5  /* while it catches up: decisions need the processor too */
#define AGAIN_MS 1000 /* after a failure */

struct indexer {
    struct decider *decider;
    const struct log *log;
    struct db *db;
    struct find find;
    struct terms *terms;
    struct crypto_hash secret;
    struct found_run run; /* the thread's until it is handed over, then the task's until done */
    struct write_task task;
    enum keer_err wrote;
    bool writing, stop; /* with lock */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    bool started;
};

/* --- a run --- */

static enum keer_err add_row(struct indexer *x, const struct find_row *row)
{
    struct terms_row t;
    unsigned place = found_place(row->seq);
    enum keer_err err = terms_read(x->terms, row->body, row->decision, &t);
    const struct {
        enum found_what what;
        struct slice text;
    } single[] = {{FOUND_ACCOUNT, t.account}, {FOUND_OUTCOME, t.outcome}, {FOUND_TYPE, t.type}};
    for (size_t i = 0; err == KEER_OK && i < ARRAY_LEN(single); i++)
        if (single[i].text.p)
            err = found_add(&x->run, found_term(&x->secret, single[i].what, single[i].text), place);
    for (unsigned i = 0; err == KEER_OK && i < t.rules; i++)
        err = found_add(&x->run, found_term(&x->secret, FOUND_RULE, t.rule[i]), place);
    return err;
}

static enum keer_err gather(struct indexer *x, int64_t bucket)
{
    int64_t oldest = found_first(bucket), newest = oldest + FOUND_ROWS - 1;
    enum keer_err err = KEER_OK;
    x->run.bucket = bucket;
    x->run.count = 0;
    while (err == KEER_OK && newest >= oldest) {
        struct find_row row;
        struct db_stmt *s = find_scan(&x->find, newest, oldest);
        int64_t before = newest;
        while ((err = find_row(s, &row)) == KEER_OK && (err = add_row(x, &row)) == KEER_OK)
            newest = row.seq - 1;
        db_reset(s);
        err = err == KEER_EMISSING ? KEER_OK : err;
        if (newest == before) /* numbers without rows: verify says so */
            break;
    }
    if (err == KEER_OK)
        found_sort(&x->run);
    return err;
}

static enum keer_err put_run(struct db *db, struct write_task *t)
{
    const struct indexer *x = t->ctx;
    return found_put(db, &x->run);
}

static void run_done(struct write_task *t, enum keer_err err)
{
    struct indexer *x = t->ctx;
    (void)pthread_mutex_lock(&x->lock);
    x->wrote = err;
    x->writing = false;
    (void)pthread_cond_signal(&x->changed);
    (void)pthread_mutex_unlock(&x->lock);
}

/* Hands the run over and waits for its commit. */
static enum keer_err write_run(struct indexer *x)
{
    x->task = (struct write_task){.run = put_run, .done = run_done, .ctx = x};
    x->writing = true; /* nobody else looks yet */
    enum keer_err err = decider_write(x->decider, &x->task);
    if (err != KEER_OK)
        return err;
    (void)pthread_mutex_lock(&x->lock);
    while (x->writing)
        (void)pthread_cond_wait(&x->changed, &x->lock);
    err = x->wrote;
    (void)pthread_mutex_unlock(&x->lock);
    return err;
}

/* --- its thread --- */

/* False when it is to end. */
static bool nap(struct indexer *x, unsigned ms)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ms % 1000 * 1000000L;
    until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    (void)pthread_mutex_lock(&x->lock);
    while (!x->stop && pthread_cond_timedwait(&x->changed, &x->lock, &until) == 0) {
    }
    bool on = !x->stop;
    (void)pthread_mutex_unlock(&x->lock);
    return on;
}

/* One bucket, when its rows are all there; *ret_ms is how long to wait then. */
static enum keer_err step(struct indexer *x, int64_t *buckets, unsigned *ret_ms)
{
    int64_t newest = 0;
    *ret_ms = IDLE_MS;
    enum keer_err err = *buckets < 0 ? find_buckets(&x->find, buckets) : KEER_OK;
    if (err == KEER_OK)
        err = find_newest(&x->find, &newest);
    if (err != KEER_OK || newest < found_first(*buckets + 1) - 1)
        return err;
    err = gather(x, *buckets);
    if (err == KEER_OK)
        err = write_run(x);
    *buckets = err == KEER_OK ? *buckets + 1 : -1; /* look again what is there */
    *ret_ms = BETWEEN_MS;
    return err;
}

static void *indexer_main(void *ctx)
{
    struct indexer *x = ctx;
    (void)pthread_setname_np(pthread_self(), "keer-index");
    int64_t buckets = -1;
    unsigned ms = 0;
    bool told = false;
    do {
        enum keer_err err = step(x, &buckets, &ms);
        if (err == KEER_OK) {
            told = false;
            continue;
        }
        buckets = -1;
        ms = AGAIN_MS;
        if (!told && decider_state(x->decider) != DECIDER_FAILED)
            log_put(x->log, LOG_WARNING, "searches look into rows that have no index yet: %s",
                    err == KEER_EIO && db_why(x->db)[0] ? db_why(x->db) : keer_err_text(err));
        told = true;
    } while (nap(x, ms));
    return NULL;
}

/* --- life --- */

void indexer_free(struct indexer *x)
{
    if (!x)
        return;
    if (x->started) {
        (void)pthread_mutex_lock(&x->lock);
        x->stop = true;
        (void)pthread_cond_signal(&x->changed);
        (void)pthread_mutex_unlock(&x->lock);
        (void)pthread_join(x->thread, NULL);
    }
    find_close(&x->find);
    db_close(x->db);
    terms_free(x->terms);
    found_release(&x->run);
    crypto_wipe(&x->secret, sizeof x->secret);
    free(x);
}

enum keer_err indexer_new(struct decider *d, const char *database, const struct log *log, struct indexer **ret_indexer,
                          struct db_why *ret_why)
{
    struct indexer *x = calloc(1, sizeof *x);
    enum keer_err err = x ? terms_new(&x->terms) : KEER_ENOMEM;
    ret_why->text[0] = '\0';
    if (err == KEER_OK) {
        pthread_condattr_t monotonic;
        x->decider = d;
        x->log = log;
        (void)pthread_mutex_init(&x->lock, NULL); /* these don't fail on Linux */
        (void)pthread_condattr_init(&monotonic);
        (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
        (void)pthread_cond_init(&x->changed, &monotonic);
        (void)pthread_condattr_destroy(&monotonic);
        err = db_open(database, DB_READ, &x->db, ret_why);
    }
    if (err == KEER_OK)
        err = find_open(&x->find, x->db);
    if (err == KEER_OK)
        err = secret_get(x->db, SECRET_FOUND, &x->secret);
    if (err == KEER_OK) {
        *ret_indexer = x;
        return KEER_OK;
    }
    if (!ret_why->text[0])
        (void)snprintf(ret_why->text, sizeof ret_why->text, "%s",
                       err == KEER_EIO && x && x->db ? db_why(x->db) : keer_err_text(err));
    indexer_free(x);
    return err;
}

enum keer_err indexer_start(struct indexer *x)
{
    if (pthread_create(&x->thread, NULL, indexer_main, x) != 0)
        return KEER_ENOMEM;
    x->started = true;
    return KEER_OK;
}
