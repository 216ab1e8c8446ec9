/* search.c - decisions by account, outcome, rule, type and time. */
#include "flow/search.h"

#include <pthread.h>

#include "flow/indexer.h"
#include "flow/terms.h"
#include "store/found.h"
#include "store/secrets.h"

#define RUNS_AT_ONCE 32u

struct search {
    struct db *db;
    struct find find;
    struct terms *terms;
    struct crypto_hash found, cursors; /* secrets */
    struct indexer *indexer;
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct search_request *waiting, **waiting_end; /* with lock, as the next */
    unsigned count;
    bool running, started;
    pthread_t thread;
};

/* One request under way: rows newest..oldest have not been looked at. */
struct hunt {
    struct search *s;
    const struct search_query *q;
    int64_t newest, oldest;
    int64_t term[FOUND_WHAT_MAX];
    unsigned terms;
    unsigned rows_left, buckets_left;
    unsigned shown;
    int64_t last; /* the row that was shown last */
    bool full;    /* another one matched, and there was no room for it */
    struct buf *out;
};

static bool goes_on(const struct hunt *h) { return !h->full && h->rows_left && h->newest >= h->oldest; }

/* --- a row --- */

static bool is(struct slice wanted, struct slice there) { return !wanted.p || (there.p && slice_eq(wanted, there)); }

static bool has_rule(const struct terms_row *t, struct slice rule)
{
    bool has = !rule.p;
    for (unsigned i = 0; !has && i < t->rules; i++)
        has = slice_eq(t->rule[i], rule);
    return has;
}

static enum keer_err look(struct hunt *h, const struct find_row *row)
{
    struct terms_row t;
    h->newest = row->seq - 1;
    h->rows_left--;
    if (h->terms) {
        enum keer_err err = terms_read(h->s->terms, row->body, row->decision, &t);
        if (err != KEER_OK)
            return err;
        const struct search_query *q = h->q;
        if (!is(q->account, t.account) || !is(q->outcome, t.outcome) || !is(q->type, t.type) || !has_rule(&t, q->rule))
            return KEER_OK;
    }
    h->full = h->shown == h->q->limit || h->out->len >= SEARCH_PAGE_BYTES;
    if (h->full)
        return KEER_OK;
    buf_puts(h->out, h->shown++ ? ",\n" : "\n");
    buf_slice(h->out, row->decision);
    h->last = row->seq;
    return h->out->err;
}

/* Looks at the rows of a statement; how many came. */
static enum keer_err look_all(struct hunt *h, struct db_stmt *s, unsigned *ret_count)
{
    struct find_row row;
    enum keer_err err = KEER_OK;
    *ret_count = 0;
    while (err == KEER_OK && goes_on(h) && (err = find_row(s, &row)) == KEER_OK) {
        ++*ret_count;
        err = look(h, &row);
    }
    db_reset(s);
    return err == KEER_EMISSING ? KEER_OK : err;
}

/* --- rows without a run, or all of them when nothing but times is asked --- */

static enum keer_err scan(struct hunt *h, int64_t oldest)
{
    enum keer_err err = KEER_OK;
    while (err == KEER_OK && goes_on(h) && h->newest >= oldest) {
        unsigned count = 0;
        err = look_all(h, find_scan(&h->s->find, h->newest, oldest), &count);
        if (err == KEER_OK && !count) /* numbers without rows */
            h->newest = oldest - 1;
    }
    return err;
}

/* --- runs --- */

/* The rows at these places of a bucket, the newest first. */
static enum keer_err look_at(struct hunt *h, int64_t bucket, const struct found_places *places)
{
    int64_t first = found_first(bucket), floor = MAX_OF(first, h->oldest);
    enum keer_err err = KEER_OK;
    while (err == KEER_OK && goes_on(h) && h->newest >= floor) {
        int64_t seq[FIND_ROWS_MAX], at = h->newest;
        unsigned n = 0, count = 0;
        unsigned want = MIN_OF(MIN_OF(FIND_ROWS_MAX, h->rows_left), h->q->limit - h->shown + 1);
        for (; at >= floor && n < want; at--)
            if (found_has(places, (unsigned)(at - first)))
                seq[n++] = at;
        if (n)
            err = look_all(h, find_rows(&h->s->find, seq, n), &count);
        if (err == KEER_OK && !h->full)
            h->newest = at;
    }
    return err;
}

static enum keer_err look_into_runs(struct hunt *h)
{
    struct find *f = &h->s->find;
    unsigned got = 0;
    struct found_places places;
    int64_t bucket = 0;
    enum keer_err err = KEER_OK;
    find_runs(f, h->term, h->terms, found_bucket(h->newest), found_bucket(h->oldest), MIN_OF(RUNS_AT_ONCE, h->buckets_left));
    while (err == KEER_OK && goes_on(h) && (err = find_run(f, h->terms, &bucket, &places)) == KEER_OK) {
        got++;
        h->buckets_left--;
        err = bucket == found_bucket(h->newest) ? look_at(h, bucket, &places) : KEER_EFORMAT;
    }
    find_runs_done(f, h->terms);
    if (err == KEER_EMISSING)
        err = got ? KEER_OK : KEER_EFORMAT;
    return err;
}

/* --- a page --- */

static void put_term(struct hunt *h, enum found_what what, struct slice text)
{
    if (text.p)
        h->term[h->terms++] = found_term(&h->s->found, what, text);
}

/* The rows that times and cursor leave. */
static enum keer_err range(struct hunt *h)
{
    const struct search_query *q = h->q;
    int64_t newest = 0, seq = 0;
    enum keer_err err = find_newest(&h->s->find, &newest);
    h->oldest = 1;
    h->newest = newest;
    if (err == KEER_OK && q->cursor.p) {
        err = cursor_parse(&h->s->cursors, q, q->cursor, &seq);
        h->newest = MIN_OF(h->newest, seq - 1);
    }
    if (err == KEER_OK && q->to_us != INT64_MAX) {
        err = find_since(&h->s->find, q->to_us, newest, &seq);
        h->newest = MIN_OF(h->newest, seq - 1);
    }
    if (err == KEER_OK && q->from_us != INT64_MIN)
        err = find_since(&h->s->find, q->from_us, newest, &h->oldest);
    return err;
}

static enum keer_err page(struct search *s, struct search_request *r)
{
    struct hunt h = {
        .s = s, .q = &r->query, .rows_left = SEARCH_ROWS_MAX, .buckets_left = SEARCH_BUCKETS_MAX, .out = &r->out};
    char text[CURSOR_TEXT_BYTES];
    int64_t buckets = 0;
    put_term(&h, FOUND_ACCOUNT, r->query.account);
    put_term(&h, FOUND_RULE, r->query.rule);
    put_term(&h, FOUND_OUTCOME, r->query.outcome);
    put_term(&h, FOUND_TYPE, r->query.type);
    enum keer_err err = range(&h);
    if (err == KEER_OK && h.terms)
        err = find_buckets(&s->find, &buckets);
    buf_puts(&r->out, "{\"decisions\":[");
    if (err == KEER_OK)
        err = scan(&h, MAX_OF(found_first(buckets), h.oldest));
    while (err == KEER_OK && h.terms && goes_on(&h) && h.buckets_left)
        err = look_into_runs(&h);
    if (err != KEER_OK)
        return err;
    if (h.full || h.newest >= h.oldest) {
        cursor_print(&s->cursors, &r->query, h.full ? h.last : h.newest + 1, text);
        buf_fmt(&r->out, "\n],\"next\":\"%s\"}\n", text);
    } else {
        buf_puts(&r->out, "\n],\"next\":null}\n");
    }
    return r->out.err;
}

/* --- its thread --- */

static struct search_request *take(struct search *s)
{
    (void)pthread_mutex_lock(&s->lock);
    while (!s->waiting && s->running)
        (void)pthread_cond_wait(&s->filled, &s->lock);
    struct search_request *r = s->waiting;
    if (r) {
        s->waiting = r->next;
        s->count--;
        if (!s->waiting)
            s->waiting_end = &s->waiting;
    }
    if (r && !s->running)
        r->err = KEER_EUNSUPPORTED;
    (void)pthread_mutex_unlock(&s->lock);
    return r;
}

static void *worker_main(void *ctx)
{
    struct search *s = ctx;
    (void)pthread_setname_np(pthread_self(), "keer-search");
    for (struct search_request *r; (r = take(s)) != NULL; r->done(r))
        if (r->err == KEER_OK)
            r->err = page(s, r);
    return NULL;
}

enum keer_err search_submit(struct search *s, struct search_request *r)
{
    enum keer_err err = KEER_OK;
    ASSERT(r->query.limit >= 1 && r->query.limit <= SEARCH_LIMIT_MAX);
    r->err = KEER_OK;
    r->next = NULL;
    (void)pthread_mutex_lock(&s->lock);
    if (!s->running) {
        err = KEER_EUNSUPPORTED;
    } else if (s->count == SEARCH_WAITING_MAX) {
        err = KEER_EFULL;
    } else {
        *s->waiting_end = r;
        s->waiting_end = &r->next;
        s->count++;
        (void)pthread_cond_signal(&s->filled);
    }
    (void)pthread_mutex_unlock(&s->lock);
    return err;
}

/* --- life --- */

void search_stop(struct search *s)
{
    if (!s)
        return;
    (void)pthread_mutex_lock(&s->lock);
    s->running = false;
    (void)pthread_cond_signal(&s->filled);
    (void)pthread_mutex_unlock(&s->lock);
    if (s->started)
        (void)pthread_join(s->thread, NULL);
    s->started = false;
    indexer_free(s->indexer);
    s->indexer = NULL;
}

void search_free(struct search *s)
{
    if (!s)
        return;
    search_stop(s);
    find_close(&s->find);
    db_close(s->db);
    terms_free(s->terms);
    crypto_wipe(&s->cursors, sizeof s->cursors);
    crypto_wipe(&s->found, sizeof s->found);
    free(s);
}

enum keer_err search_new(struct decider *d, const char *database, const struct log *log, struct search **ret_search,
                         struct db_why *ret_why)
{
    struct search *s = calloc(1, sizeof *s);
    enum keer_err err = s ? terms_new(&s->terms) : KEER_ENOMEM;
    ret_why->text[0] = '\0';
    if (s) {
        (void)pthread_mutex_init(&s->lock, NULL);
        (void)pthread_cond_init(&s->filled, NULL);
        s->waiting_end = &s->waiting;
    }
    if (err == KEER_OK)
        err = db_open(database, DB_READ, &s->db, ret_why);
    if (err == KEER_OK)
        err = find_open(&s->find, s->db);
    if (err == KEER_OK)
        err = secret_get(s->db, SECRET_FOUND, &s->found);
    if (err == KEER_OK)
        err = secret_get(s->db, SECRET_CURSOR, &s->cursors);
    if (err == KEER_OK)
        err = indexer_new(d, database, log, &s->indexer, ret_why);
    if (err == KEER_OK) {
        *ret_search = s;
        return KEER_OK;
    }
    if (!ret_why->text[0])
        (void)snprintf(ret_why->text, sizeof ret_why->text, "%s",
                       err == KEER_EIO && s && s->db ? db_why(s->db) : keer_err_text(err));
    search_free(s);
    return err;
}

enum keer_err search_start(struct search *s)
{
    enum keer_err err = indexer_start(s->indexer);
    if (err != KEER_OK)
        return err;
    s->running = true; /* nobody else looks yet */
    if (pthread_create(&s->thread, NULL, worker_main, s) != 0)
        return KEER_ENOMEM;
    s->started = true;
    return KEER_OK;
}
