/* password_worker.c - the one thread that runs Argon2. */
#include "flow/password_worker.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

struct task {
    struct slice password;
    const struct id *account;
    const char *phc;      /* NULL: hash, else verify */
    struct slice salt_of; /* of a hash; "": a random salt */
    char *fresh;
    enum password_verdict verdict;
    enum keer_err err;
    bool done;
    struct task *next;
};
struct password_worker {
    struct crypto_hash key;
    pthread_mutex_t lock;
    pthread_cond_t filled, ended;
    struct task *first, **end;
    unsigned places;
    bool running, closed;
    pthread_t thread;
    struct password_worker_stats stats;
};

enum keer_err password_worker_new(const struct crypto_hash *key, unsigned places, struct password_worker **ret_worker)
{
    struct password_worker *w = calloc(1, sizeof *w);
    if (!w)
        return KEER_ENOMEM;
    w->key = *key;
    w->places = places;
    w->end = &w->first;
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_cond_init(&w->filled, NULL);
    (void)pthread_cond_init(&w->ended, NULL);
    *ret_worker = w;
    return KEER_OK;
}

static void work(struct password_worker *w, struct task *t)
{
    if (!t->phc) {
        t->err = t->salt_of.len
                     ? password_hash_bound(t->password, &w->key, t->account, password_cost_now(), t->salt_of, t->fresh)
                     : password_hash(t->password, &w->key, t->account, password_cost_now(), t->fresh);
        return;
    }
    t->err = password_verify(t->password, &w->key, t->account, t->phc, &t->verdict);
    if (t->err == KEER_OK && t->verdict == PASSWORD_RIGHT_OLD)
        t->err = password_hash(t->password, &w->key, t->account, password_cost_now(), t->fresh);
}

static void *run(void *ctx)
{
    struct password_worker *w = ctx;
    /* On Linux 0 is this thread alone (setpriority(2)). Without it the work is bounded still. */
    (void)setpriority(PRIO_PROCESS, 0, PASSWORD_WORKER_NICE);
    (void)pthread_mutex_lock(&w->lock);
    for (;;) {
        while (!w->first && !w->closed)
            (void)pthread_cond_wait(&w->filled, &w->lock);
        struct task *t = w->first;
        if (!t)
            break;
        w->first = t->next;
        if (!w->first)
            w->end = &w->first;
        (void)pthread_mutex_unlock(&w->lock);
        work(w, t);
        (void)pthread_mutex_lock(&w->lock);
        t->done = true;
        (void)pthread_cond_broadcast(&w->ended);
    }
    (void)pthread_mutex_unlock(&w->lock);
    return NULL;
}

enum keer_err password_worker_start(struct password_worker *w)
{
    w->running = pthread_create(&w->thread, NULL, run, w) == 0;
    return w->running ? KEER_OK : KEER_EIO;
}

void password_worker_free(struct password_worker *w)
{
    if (!w)
        return;
    (void)pthread_mutex_lock(&w->lock);
    w->closed = true;
    (void)pthread_cond_broadcast(&w->filled);
    (void)pthread_mutex_unlock(&w->lock);
    if (w->running)
        (void)pthread_join(w->thread, NULL);
    (void)pthread_cond_destroy(&w->filled);
    (void)pthread_cond_destroy(&w->ended);
    (void)pthread_mutex_destroy(&w->lock);
    crypto_wipe(&w->key, sizeof w->key);
    free(w);
}

struct password_worker_stats *password_worker_statistics(struct password_worker *w) { return &w->stats; }

bool password_worker_place(struct password_worker *w)
{
    unsigned have = atomic_load(&w->stats.waiting);
    do {
        if (have >= w->places) {
            (void)atomic_fetch_add(&w->stats.full, 1);
            return false;
        }
    } while (!atomic_compare_exchange_weak(&w->stats.waiting, &have, have + 1));
    return true;
}

void password_worker_give_back(struct password_worker *w) { (void)atomic_fetch_sub(&w->stats.waiting, 1); }

static void submit(struct password_worker *w, struct task *t)
{
    (void)pthread_mutex_lock(&w->lock);
    if (w->running && !w->closed) {
        *w->end = t;
        w->end = &t->next;
        (void)pthread_cond_signal(&w->filled);
        while (!t->done)
            (void)pthread_cond_wait(&w->ended, &w->lock);
    } else {
        t->err = KEER_EUNSUPPORTED;
    }
    (void)pthread_mutex_unlock(&w->lock);
    (void)atomic_fetch_add(&w->stats.done, 1);
    password_worker_give_back(w);
}

enum keer_err password_worker_hash(struct password_worker *w, struct slice password, const struct id *account,
                                   char ret_phc[PASSWORD_PHC_BYTES])
{
    return password_worker_hash_bound(w, password, account, /* a random salt */ SLICE(""), ret_phc);
}

enum keer_err password_worker_hash_bound(struct password_worker *w, struct slice password, const struct id *account,
                                         struct slice salt_of, char ret_phc[PASSWORD_PHC_BYTES])
{
    char phc[PASSWORD_PHC_BYTES] = "";
    struct task t = {.password = password, .account = account, .salt_of = salt_of, .fresh = phc};
    submit(w, &t);
    if (t.err == KEER_OK)
        memcpy(ret_phc, phc, sizeof phc);
    return t.err;
}

enum keer_err password_worker_verify(struct password_worker *w, struct slice password, const struct id *account,
                                     const char *phc, enum password_verdict *ret_verdict, char ret_fresh[PASSWORD_PHC_BYTES])
{
    char fresh[PASSWORD_PHC_BYTES] = "";
    struct task t = {.password = password, .account = account, .phc = phc, .fresh = fresh};
    submit(w, &t);
    if (t.err != KEER_OK)
        return t.err;
    *ret_verdict = t.verdict;
    memcpy(ret_fresh, fresh, sizeof fresh);
    return KEER_OK;
}
