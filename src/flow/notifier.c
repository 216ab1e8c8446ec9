/* notifier.c - sends notices. */
#include "flow/notifier_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "account/proof.h"

#define MAIL_US (20 * US_SECOND)
#define BACKOFF_US (5 * US_SECOND)
#define SUBJECT_BYTES 400

static enum keer_err open_lane(struct notifier *n, bool texts, struct db_why *ret_why)
{
    struct notice_lane *l = &n->lane[n->lanes++];
    l->n = n;
    l->texts = texts;
    l->to = (struct notice_kinds){(enum identifier_kind)0, IDENTIFIER_KIND_MAX - 1};
    if (n->o.sms)
        l->to.first = l->to.last = texts ? IDENTIFIER_PHONE : IDENTIFIER_EMAIL;
    (void)pthread_cond_init(&l->woken, NULL);
    (void)pthread_cond_init(&l->written, NULL);
    buf_init(&l->subject, SUBJECT_BYTES);
    buf_init(&l->text, NOTICE_TEXT_BYTES);
    buf_init(&l->line, 4 * NOTICE_TEXT_BYTES);
    struct net_options client = sms_options(&n->sms);
    enum keer_err err = texts ? net_client_new(&client, &l->client) : KEER_OK;
    return err == KEER_OK ? db_open(n->o.database, DB_READ, &l->db, ret_why) : err;
}

enum keer_err notifier_new(const struct notifier_options *o, struct notifier **ret_notifier, struct db_why *ret_why)
{
    struct notifier *n = calloc(1, sizeof *n);
    if (!n)
        return KEER_ENOMEM;
    n->o = *o;
    n->key = *o->key;
    n->fd = -1;
    if (o->sms)
        n->sms = *o->sms;
    (void)pthread_mutex_init(&n->lock, NULL);
    (void)pthread_cond_init(&n->lane_ended, NULL);
    enum keer_err err = open_lane(n, /* texts */ false, ret_why);
    if (err == KEER_OK && o->sms)
        err = open_lane(n, /* texts */ true, ret_why);
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
    for (unsigned i = 0; i < n->lanes; i++) {
        struct notice_lane *l = &n->lane[i];
        db_close(l->db);
        net_client_free(l->client);
        for (unsigned k = 0; k < NOTIFIER_TEXTS; k++)
            sms_release(&l->slot[k].post);
        buf_release(&l->subject);
        buf_release(&l->text);
        buf_release(&l->line);
        (void)pthread_cond_destroy(&l->woken);
        (void)pthread_cond_destroy(&l->written);
    }
    if (n->fd >= 0)
        (void)close(n->fd);
    (void)pthread_cond_destroy(&n->lane_ended);
    (void)pthread_mutex_destroy(&n->lock);
    crypto_wipe(&n->key, sizeof n->key);
    crypto_wipe(&n->sms, sizeof n->sms);
    free(n);
}

struct notifier_stats *notifier_statistics(struct notifier *n) { return &n->stats; }

void notifier_wake(struct notifier *n)
{
    if (!n)
        return;
    (void)pthread_mutex_lock(&n->lock);
    for (unsigned i = 0; i < n->lanes; i++) {
        n->lane[i].wake = true;
        (void)pthread_cond_signal(&n->lane[i].woken);
        if (n->lane[i].client)
            net_wake(n->lane[i].client);
    }
    (void)pthread_mutex_unlock(&n->lock);
}

/* --- one notice --- */

/* Whole lines: one write each, on a descriptor that appends. */
static bool write_line(struct notice_lane *l, const struct notice *one)
{
    const struct notifier *n = l->n;
    struct buf *b = &l->line;
    struct bearer token;
    buf_clear(b);
    buf_fmt(b, "{\"id\":\"%s\",\"kind\":\"%s\",\"account\":\"%s\",\"to\":", one->id.text, notice_kind_code(one->kind),
            one->account.text);
    buf_json(b, slice_str(one->to.text));
    buf_puts(b, ",\"subject\":");
    buf_json(b, buf_view(&l->subject));
    buf_puts(b, ",\"text\":");
    buf_json(b, buf_view(&l->text));
    if (notice_has_not_me(one->kind)) {
        notice_not_me(&n->key, &one->id, &token);
        buf_fmt(b, ",\"not_me\":\"%s\"", token.text);
        crypto_wipe(&token, sizeof token);
    }
    buf_puts(b, "}\n");
    return b->err == KEER_OK && write(n->fd, b->p, b->len) == (ssize_t)b->len;
}

static enum notice_end end_of(enum mail_result result)
{
    switch (result) {
    case MAIL_TAKEN: return NOTICE_SENT;
    case MAIL_LATER: return NOTICE_LATER;
    case MAIL_REFUSED: break;
    }
    return NOTICE_DEAD;
}

static enum notice_end send_mail(struct notice_lane *l, const struct notice *one, char why[NOTICE_WHY_BYTES])
{
    struct notifier *n = l->n;
    if (n->fd >= 0) {
        bool written = write_line(l, one);
        if (!written)
            (void)snprintf(why, NOTICE_WHY_BYTES, "the file of notices can't be written: %s", strerror(errno));
        return written ? NOTICE_SENT : NOTICE_LATER;
    }
    if (!n->o.smtp || one->to.kind != IDENTIFIER_EMAIL) {
        (void)snprintf(why, NOTICE_WHY_BYTES,
                       n->o.smtp ? "a mail server does not reach phones" : "there is no mail server (--notices)");
        return NOTICE_DEAD;
    }
    struct mail_server server = {
        .url = n->o.smtp, .from = n->o.from, .name = n->o.words.service, .whole_us = MAIL_US, .give_up = &n->give_up};
    struct mail m = {.to = one->to.text,
                     .id = one->id.text,
                     .subject = buf_view(&l->subject),
                     .text = buf_view(&l->text),
                     .time_us = one->created_us};
    return end_of(mail_send(&server, &m, why));
}

enum notice_end notifier_print(struct notice_lane *l, const struct notice *one, char why[NOTICE_WHY_BYTES])
{
    const struct notifier *n = l->n;
    buf_clear(&l->subject);
    buf_clear(&l->text);
    if (notice_has_code(one->kind) && n->o.wall_us() >= one->created_us + PROOF_VALID_US) {
        (void)snprintf(why, NOTICE_WHY_BYTES, "its code is over");
        return NOTICE_DEAD;
    }
    if (l->texts)
        notice_print_sms(one, &n->key, &n->o.words, &l->text);
    else
        notice_print(one, &n->key, &n->o.words, &l->subject, &l->text);
    if (l->subject.err == KEER_OK && l->text.err == KEER_OK)
        return NOTICE_SENT;
    (void)snprintf(why, NOTICE_WHY_BYTES, "the text is too long, or there is no memory");
    return NOTICE_LATER;
}

void notifier_settle(struct notice_lane *l, const struct notice *one, enum notice_end end, int64_t after_us, const char *why)
{
    struct notifier *n = l->n;
    ASSERT(l->count < NOTIFIER_AT_ONCE);
    struct notice_settled *s = &l->settled[l->count++];
    *s = (struct notice_settled){.id = one->id, .end = end};
    (void)snprintf(s->why, sizeof s->why, "%s", why);
    if (s->end == NOTICE_SENT) {
        (void)atomic_fetch_add(&n->stats.sent, 1);
        return;
    }
    (void)atomic_fetch_add(&n->stats.failed, 1);
    if (one->tries + 1 >= NOTICE_TRIES_MAX)
        s->end = NOTICE_DEAD;
    int64_t backoff_us = BACKOFF_US << 2 * MIN_OF(one->tries, (int64_t)NOTICE_TRIES_MAX);
    s->due_us = n->o.wall_us() + MAX_OF(backoff_us, after_us);
    if (s->end == NOTICE_DEAD)
        (void)atomic_fetch_add(&n->stats.dead, 1);
    log_put(n->o.log, LOG_WARNING, "notice %s (%s) was not sent, %s: %s", one->id.text, notice_kind_code(one->kind),
            s->end == NOTICE_DEAD ? "for good" : "and is tried again", s->why);
}

enum keer_err notifier_due(struct notice_lane *l, unsigned limit, unsigned *ret_count)
{
    enum keer_err err = db_begin(l->db);
    if (err == KEER_OK)
        err = notice_due(l->db, &l->to, l->n->o.wall_us(), limit, l->due, ret_count);
    db_rollback(l->db);
    if (err != KEER_OK)
        log_put(l->n->o.log, LOG_ERROR, "notices can't be read: %s", keer_err_text(err));
    return err;
}

/* --- what became of them --- */

static enum keer_err settle(struct db *db, struct write_task *t)
{
    struct notice_lane *l = t->ctx;
    enum keer_err err = KEER_OK;
    for (unsigned i = 0; err == KEER_OK && i < l->count; i++) {
        struct notice_settled *s = &l->settled[i];
        err = notice_settle(db, &s->id, s->end, s->due_us, slice_str(s->why), l->n->o.wall_us());
        if (err == KEER_EMISSING) /* another daemon was quicker */
            err = KEER_OK;
    }
    return err;
}

static void settled(struct write_task *t, enum keer_err err)
{
    struct notice_lane *l = t->ctx;
    (void)pthread_mutex_lock(&l->n->lock);
    l->write_err = err;
    l->write_done = true;
    (void)pthread_cond_signal(&l->written);
    (void)pthread_mutex_unlock(&l->n->lock);
}

enum keer_err notifier_write(struct notice_lane *l)
{
    struct notifier *n = l->n;
    l->write_done = false;
    l->task = (struct write_task){.run = settle, .done = settled, .ctx = l};
    enum keer_err err = decider_write(n->o.decider, &l->task);
    if (err == KEER_OK) {
        (void)pthread_mutex_lock(&n->lock);
        while (!l->write_done)
            (void)pthread_cond_wait(&l->written, &n->lock);
        err = l->write_err;
        (void)pthread_mutex_unlock(&n->lock);
    }
    l->count = 0;
    if (err != KEER_OK)
        log_put(n->o.log, LOG_ERROR, "what became of notices can't be written, they are sent again: %s", keer_err_text(err));
    return err;
}

bool notifier_stopping(struct notifier *n)
{
    (void)pthread_mutex_lock(&n->lock);
    bool stop = n->stop;
    (void)pthread_mutex_unlock(&n->lock);
    return stop;
}

/* Mails, one after the other. True when there may be more. What failed ends the turn: each of the next may take as long as it
 * did, and what was sent before it is to be written first. */
static bool turn(struct notice_lane *l)
{
    unsigned count = 0;
    bool failed = false;
    enum keer_err err = notifier_due(l, NOTIFIER_AT_ONCE, &count);
    for (unsigned i = 0; err == KEER_OK && !failed && i < count && !notifier_stopping(l->n); i++) {
        char why[NOTICE_WHY_BYTES] = "";
        enum notice_end end = notifier_print(l, &l->due[i], why);
        if (end == NOTICE_SENT)
            end = send_mail(l, &l->due[i], why);
        notifier_settle(l, &l->due[i], end, /* after_us */ 0, why);
        failed = end == NOTICE_LATER;
    }
    bool all = l->count == NOTIFIER_AT_ONCE;
    if (l->count)
        err = notifier_write(l);
    return err == KEER_OK && (failed || all);
}

static void mails(struct notice_lane *l)
{
    struct notifier *n = l->n;
    for (bool more = true;;) {
        struct timespec until;
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += (time_t)(NOTIFIER_LOOK_US / US_SECOND);
        (void)pthread_mutex_lock(&n->lock);
        int rc = 0;
        while (!n->stop && !l->wake && !more && rc == 0)
            rc = pthread_cond_timedwait(&l->woken, &n->lock, &until);
        bool stop = n->stop;
        l->wake = false;
        (void)pthread_mutex_unlock(&n->lock);
        if (stop)
            return;
        more = turn(l);
    }
}

static void *run(void *ctx)
{
    struct notice_lane *l = ctx;
    struct notifier *n = l->n;
    (void)pthread_setname_np(pthread_self(), l->texts ? "keer-texts" : "keer-mails");
    if (l->texts)
        notifier_texts(l);
    else
        mails(l);
    (void)pthread_mutex_lock(&n->lock);
    l->ended = true;
    (void)pthread_cond_signal(&n->lane_ended);
    (void)pthread_mutex_unlock(&n->lock);
    return NULL;
}

enum keer_err notifier_start(struct notifier *n)
{
    for (unsigned i = 0; i < n->lanes; i++) {
        struct notice_lane *l = &n->lane[i];
        l->running = pthread_create(&l->thread, NULL, run, l) == 0;
        if (!l->running)
            return KEER_EIO;
    }
    return KEER_OK;
}

static bool all_ended(const struct notifier *n)
{
    bool ended = true;
    for (unsigned i = 0; i < n->lanes; i++)
        ended = ended && (!n->lane[i].running || n->lane[i].ended);
    return ended;
}

void notifier_stop(struct notifier *n)
{
    struct timespec until;
    if (!n)
        return;
    (void)pthread_mutex_lock(&n->lock);
    n->stop = true;
    (void)pthread_mutex_unlock(&n->lock);
    notifier_wake(n);
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (time_t)(NOTIFIER_STOP_US / US_SECOND);
    (void)pthread_mutex_lock(&n->lock);
    while (!all_ended(n) && pthread_cond_timedwait(&n->lane_ended, &n->lock, &until) == 0)
        continue;
    (void)pthread_mutex_unlock(&n->lock);
    atomic_store(&n->give_up, true);
    notifier_wake(n);
    for (unsigned i = 0; i < n->lanes; i++) {
        if (n->lane[i].running)
            (void)pthread_join(n->lane[i].thread, NULL);
        n->lane[i].running = false;
    }
}
