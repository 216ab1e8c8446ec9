/* notifier.c - sends notices. */
#include "flow/notifier.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#define AT_ONCE 16
#define LOOK_EVERY_US (2 * US_SECOND) /* for what another daemon on the same database has put in, and what is due again */
#define MAIL_US (20 * US_SECOND)
#define BACKOFF_US (30 * US_SECOND)
#define SUBJECT_BYTES 400

struct settled {
    struct id id;
    enum notice_end end;
    int64_t due_us;
    char why[NOTICE_WHY_BYTES];
};
struct notifier {
    struct notifier_options o;
    struct crypto_hash key;
    struct db *db;
    int fd; /* the file; -1 */
    pthread_mutex_t lock;
    pthread_cond_t woken, written;
    bool wake, stop, running, write_done;
    enum keer_err write_err;
    pthread_t thread;
    struct write_task task;
    struct notice due[AT_ONCE];
    struct settled settled[AT_ONCE];
    unsigned count;
    struct buf subject, text, line;
    struct notifier_stats stats;
};

enum keer_err notifier_new(const struct notifier_options *o, struct notifier **ret_notifier, struct db_why *ret_why)
{
    struct notifier *n = calloc(1, sizeof *n);
    if (!n)
        return KEER_ENOMEM;
    n->o = *o;
    n->key = *o->key;
    n->fd = -1;
    (void)pthread_mutex_init(&n->lock, NULL);
    (void)pthread_cond_init(&n->woken, NULL);
    (void)pthread_cond_init(&n->written, NULL);
    buf_init(&n->subject, SUBJECT_BYTES);
    buf_init(&n->text, NOTICE_TEXT_BYTES);
    buf_init(&n->line, 4 * NOTICE_TEXT_BYTES);
    enum keer_err err = db_open(o->database, DB_READ, &n->db, ret_why);
    if (err == KEER_OK && o->file) {
        n->fd = open(o->file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (n->fd < 0) {
            (void)snprintf(ret_why->text, sizeof ret_why->text, "%.200s: %s", o->file, strerror(errno));
            err = KEER_EIO;
        }
    }
    if (err != KEER_OK)
        notifier_free(n);
    else
        *ret_notifier = n;
    return err;
}

void notifier_free(struct notifier *n)
{
    if (!n)
        return;
    notifier_stop(n);
    db_close(n->db);
    if (n->fd >= 0)
        (void)close(n->fd);
    buf_release(&n->subject);
    buf_release(&n->text);
    buf_release(&n->line);
    (void)pthread_cond_destroy(&n->woken);
    (void)pthread_cond_destroy(&n->written);
    (void)pthread_mutex_destroy(&n->lock);
    crypto_wipe(&n->key, sizeof n->key);
    free(n);
}

struct notifier_stats *notifier_statistics(struct notifier *n) { return &n->stats; }

void notifier_wake(struct notifier *n)
{
    if (!n)
        return;
    (void)pthread_mutex_lock(&n->lock);
    n->wake = true;
    (void)pthread_cond_signal(&n->woken);
    (void)pthread_mutex_unlock(&n->lock);
}

/* --- one notice --- */

/* Whole lines: one write each, on a descriptor that appends. */
static bool write_line(struct notifier *n, const struct notice *one)
{
    struct buf *b = &n->line;
    struct bearer token;
    buf_clear(b);
    buf_fmt(b, "{\"id\":\"%s\",\"kind\":\"%s\",\"account\":\"%s\",\"to\":", one->id.text, notice_kind_code(one->kind),
            one->account.text);
    buf_json(b, slice_str(one->to.text));
    buf_puts(b, ",\"subject\":");
    buf_json(b, buf_view(&n->subject));
    buf_puts(b, ",\"text\":");
    buf_json(b, buf_view(&n->text));
    if (notice_has_not_me(one->kind)) {
        notice_not_me(&n->key, &one->id, &token);
        buf_fmt(b, ",\"not_me\":\"%s\"", token.text);
        crypto_wipe(&token, sizeof token);
    }
    buf_puts(b, "}\n");
    return b->err == KEER_OK && write(n->fd, b->p, b->len) == (ssize_t)b->len;
}

static enum mail_result send_one(struct notifier *n, const struct notice *one, char why[MAIL_WHY_BYTES])
{
    buf_clear(&n->subject);
    buf_clear(&n->text);
    notice_print(one, &n->key, &n->o.words, &n->subject, &n->text);
    if (n->subject.err != KEER_OK || n->text.err != KEER_OK) {
        (void)snprintf(why, MAIL_WHY_BYTES, "the text is too long, or there is no memory");
        return MAIL_LATER;
    }
    if (n->fd >= 0) {
        bool written = write_line(n, one);
        if (!written)
            (void)snprintf(why, MAIL_WHY_BYTES, "the file of notices can't be written: %s", strerror(errno));
        return written ? MAIL_TAKEN : MAIL_LATER;
    }
    if (one->to.kind != IDENTIFIER_EMAIL) {
        (void)snprintf(why, MAIL_WHY_BYTES, "a mail server does not reach phones");
        return MAIL_REFUSED;
    }
    struct mail_server server = {.url = n->o.smtp, .from = n->o.from, .name = n->o.words.service, .whole_us = MAIL_US};
    struct mail m = {.to = one->to.text,
                     .id = one->id.text,
                     .subject = buf_view(&n->subject),
                     .text = buf_view(&n->text),
                     .time_us = one->created_us};
    return mail_send(&server, &m, why);
}

static void handle(struct notifier *n, const struct notice *one, struct settled *s)
{
    char why[MAIL_WHY_BYTES] = "";
    enum mail_result result = send_one(n, one, why);
    *s = (struct settled){.id = one->id, .end = NOTICE_SENT};
    (void)snprintf(s->why, sizeof s->why, "%s", why);
    if (result == MAIL_TAKEN) {
        (void)atomic_fetch_add(&n->stats.sent, 1);
        return;
    }
    (void)atomic_fetch_add(&n->stats.failed, 1);
    bool dead = result == MAIL_REFUSED || one->tries + 1 >= NOTICE_TRIES_MAX;
    s->end = dead ? NOTICE_DEAD : NOTICE_LATER;
    s->due_us = n->o.wall_us() + (BACKOFF_US << MIN_OF(one->tries, (int64_t)NOTICE_TRIES_MAX));
    if (dead)
        (void)atomic_fetch_add(&n->stats.dead, 1);
    log_put(n->o.log, LOG_WARNING, "notice %s (%s) was not sent, %s: %s", one->id.text, notice_kind_code(one->kind),
            dead ? "for good" : "and is tried again", why);
}

/* --- what became of them --- */

static enum keer_err settle(struct db *db, struct write_task *t)
{
    struct notifier *n = t->ctx;
    enum keer_err err = KEER_OK;
    for (unsigned i = 0; err == KEER_OK && i < n->count; i++) {
        struct settled *s = &n->settled[i];
        err = notice_settle(db, &s->id, s->end, s->due_us, slice_str(s->why), n->o.wall_us());
        if (err == KEER_EMISSING) /* another daemon was quicker */
            err = KEER_OK;
    }
    return err;
}

static void settled(struct write_task *t, enum keer_err err)
{
    struct notifier *n = t->ctx;
    (void)pthread_mutex_lock(&n->lock);
    n->write_err = err;
    n->write_done = true;
    (void)pthread_cond_signal(&n->written);
    (void)pthread_mutex_unlock(&n->lock);
}

static enum keer_err write_settled(struct notifier *n)
{
    n->write_done = false;
    n->task = (struct write_task){.run = settle, .done = settled, .ctx = n};
    enum keer_err err = decider_write(n->o.decider, &n->task);
    if (err != KEER_OK)
        return err;
    (void)pthread_mutex_lock(&n->lock);
    while (!n->write_done)
        (void)pthread_cond_wait(&n->written, &n->lock);
    err = n->write_err;
    (void)pthread_mutex_unlock(&n->lock);
    return err;
}

static bool stopping(struct notifier *n)
{
    (void)pthread_mutex_lock(&n->lock);
    bool stop = n->stop;
    (void)pthread_mutex_unlock(&n->lock);
    return stop;
}

/* True when there may be more. */
static bool turn(struct notifier *n)
{
    unsigned count = 0;
    enum keer_err err = db_begin(n->db);
    if (err == KEER_OK)
        err = notice_due(n->db, n->o.wall_us(), AT_ONCE, n->due, &count);
    db_rollback(n->db);
    n->count = 0;
    while (err == KEER_OK && n->count < count && !stopping(n)) {
        handle(n, &n->due[n->count], &n->settled[n->count]);
        n->count++;
    }
    if (err == KEER_OK && n->count)
        err = write_settled(n);
    if (err != KEER_OK && err != KEER_EUNSUPPORTED)
        log_put(n->o.log, LOG_ERROR, "notices can't be read or settled: %s", keer_err_text(err));
    return err == KEER_OK && n->count == AT_ONCE;
}

static void *run(void *ctx)
{
    struct notifier *n = ctx;
    for (bool more = true;;) {
        struct timespec until;
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += (time_t)(LOOK_EVERY_US / US_SECOND);
        (void)pthread_mutex_lock(&n->lock);
        int rc = 0;
        while (!n->stop && !n->wake && !more && rc == 0)
            rc = pthread_cond_timedwait(&n->woken, &n->lock, &until);
        bool stop = n->stop;
        n->wake = false;
        (void)pthread_mutex_unlock(&n->lock);
        if (stop)
            return NULL;
        more = turn(n);
    }
}

enum keer_err notifier_start(struct notifier *n)
{
    n->running = pthread_create(&n->thread, NULL, run, n) == 0;
    return n->running ? KEER_OK : KEER_EIO;
}

void notifier_stop(struct notifier *n)
{
    if (!n || !n->running)
        return;
    (void)pthread_mutex_lock(&n->lock);
    n->stop = true;
    (void)pthread_cond_signal(&n->woken);
    (void)pthread_mutex_unlock(&n->lock);
    (void)pthread_join(n->thread, NULL);
    n->running = false;
}
