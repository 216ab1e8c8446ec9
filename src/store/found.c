/* found.c - runs of terms for every 2,048 decisions, and finding in them. */
#include "store/found.h"

int64_t found_term(const struct crypto_hash *secret, enum found_what what, struct slice text)
{
    struct hash_key key;
    memcpy(&key, secret->bytes, sizeof key);
    key.k0 += what;
    return (int64_t)hash_bytes(key, text.p ? text.p : "", text.len).lo;
}

/* --- lists of places --- */

static_assert(FOUND_ROWS <= 1 << 14, "a gap fits two bytes");

size_t found_pack(const uint16_t *place, size_t count, unsigned char ret_bytes[FOUND_PLACES_BYTES])
{
    size_t len = 0;
    unsigned next = 0; /* the least that the next one can be */
    for (size_t i = 0; i < count; next = place[i++] + 1u) {
        ASSERT(place[i] >= next && place[i] < FOUND_ROWS);
        unsigned gap = place[i] - next;
        if (len + (gap > 127 ? 2 : 1) >= FOUND_PLACES_BYTES)
            goto map;
        if (gap > 127)
            ret_bytes[len++] = (unsigned char)((gap & 127) | 128);
        ret_bytes[len++] = (unsigned char)(gap > 127 ? gap >> 7 : gap);
    }
    return len;
map:
    memset(ret_bytes, 0, FOUND_PLACES_BYTES);
    for (size_t i = 0; i < count; i++) {
        ASSERT(place[i] < FOUND_ROWS);
        ret_bytes[place[i] / 8] = (unsigned char)(ret_bytes[place[i] / 8] | 1u << place[i] % 8);
    }
    return FOUND_PLACES_BYTES;
}

enum keer_err found_unpack(struct slice bytes, struct found_places *ret_places)
{
    struct found_places p = {{0}};
    const unsigned char *b = (const unsigned char *)bytes.p;
    if (!bytes.len || bytes.len > FOUND_PLACES_BYTES)
        return KEER_EFORMAT;
    if (bytes.len == FOUND_PLACES_BYTES) {
        for (size_t i = 0; i < bytes.len; i++)
            p.word[i / 8] |= (uint64_t)b[i] << i % 8 * 8;
        *ret_places = p;
        return KEER_OK;
    }
    unsigned next = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned gap = b[i] & 127;
        if (b[i] & 128) {
            if (++i == bytes.len || b[i] & 128 || !b[i])
                return KEER_EFORMAT;
            gap |= (unsigned)b[i] << 7;
        }
        next += gap;
        if (next >= FOUND_ROWS)
            return KEER_EFORMAT;
        p.word[next / 64] |= (uint64_t)1 << next % 64;
        next++;
    }
    *ret_places = p;
    return KEER_OK;
}

/* --- writing --- */

enum keer_err found_add(struct found_run *r, int64_t term, unsigned place)
{
    if (r->count == r->cap) {
        size_t cap = r->cap ? 2 * r->cap : (size_t)4 * FOUND_ROWS;
        struct found_item *item = reallocarray(r->item, cap, sizeof *item);
        if (!item)
            return KEER_ENOMEM;
        r->item = item;
        r->cap = cap;
    }
    r->item[r->count++] = (struct found_item){.term = term, .place = (uint16_t)place};
    return KEER_OK;
}

void found_release(struct found_run *r)
{
    free(r->item);
    *r = (struct found_run){0};
}

static int order(const void *x, const void *y)
{
    const struct found_item *a = x, *b = y;
    if (a->term != b->term)
        return a->term < b->term ? -1 : 1;
    return (a->place > b->place) - (a->place < b->place);
}

void found_sort(struct found_run *r)
{
    if (r->count)
        qsort(r->item, r->count, sizeof *r->item, order);
}

/* The places of one term, which begins at `from`; *ret_end is where the next one does. */
static size_t gather(const struct found_run *r, size_t from, uint16_t ret_place[FOUND_ROWS], size_t *ret_end)
{
    size_t n = 0, i = from;
    for (; i < r->count && r->item[i].term == r->item[from].term; i++)
        if (!n || ret_place[n - 1] != r->item[i].place)
            ret_place[n++] = r->item[i].place;
    *ret_end = i;
    return n;
}

static enum keer_err put_run(struct db *db, int64_t bucket)
{
    struct db_stmt *s;
    enum keer_err err = db_prepare(db, "INSERT INTO found_run (bucket) VALUES ($1)", &s);
    if (err != KEER_OK)
        return err;
    db_bind_i64(s, 1, bucket);
    err = db_put(s) == DB_END ? KEER_OK : KEER_EIO;
    db_free(s);
    return err;
}

#define TOGETHER 16 /* rows of one statement, of three parameters each */
#define ROWS_4(a, b, c, d, e, f, g, h, i, j, k, l) \
    "($" #a ", $" #b ", $" #c "), ($" #d ", $" #e ", $" #f "), ($" #g ", $" #h ", $" #i "), ($" #j ", $" #k ", $" #l ")"
#define INSERT "INSERT INTO found (bucket, term, places) VALUES "

struct packed {
    int64_t term;
    size_t len;
    unsigned char bytes[FOUND_PLACES_BYTES];
};

static enum keer_err put_packed(struct db_stmt *s, int64_t bucket, const struct packed *p, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        db_bind_i64(s, 3 * i + 1, bucket);
        db_bind_i64(s, 3 * i + 2, p[i].term);
        db_bind_bytes(s, 3 * i + 3, slice_of((const char *)p[i].bytes, p[i].len));
    }
    enum keer_err err = db_put(s) == DB_END ? KEER_OK : KEER_EIO;
    db_reset(s);
    return err;
}

enum keer_err found_put(struct db *db, const struct found_run *r)
{
    uint16_t place[FOUND_ROWS];
    struct packed p[TOGETHER];
    struct db_stmt *one = NULL, *many = NULL;
    unsigned n = 0;
    enum keer_err err = put_run(db, r->bucket);
    if (err == KEER_OK)
        err = db_prepare(db, INSERT "($1, $2, $3)", &one);
    if (err == KEER_OK)
        err = db_prepare(db,
                         INSERT ROWS_4(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12) ", " ROWS_4(
                             13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23,
                             24) ", " ROWS_4(25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35,
                                             36) ", " ROWS_4(37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48),
                         &many);
    for (size_t at = 0, end; err == KEER_OK && at < r->count; at = end) {
        p[n].term = r->item[at].term;
        p[n].len = found_pack(place, gather(r, at, place, &end), p[n].bytes);
        if (++n == TOGETHER) {
            err = put_packed(many, r->bucket, p, n);
            n = 0;
        }
    }
    for (unsigned i = 0; err == KEER_OK && i < n; i++)
        err = put_packed(one, r->bucket, &p[i], 1);
    db_free(one);
    db_free(many);
    return err;
}

/* --- reading --- */

/* A question for each term stands as a subquery: so both databases walk the buckets and look into `found` by its key,
 * whatever they think of its size. */
#define PLACES_OF(parameter) ", (SELECT f.places FROM found f WHERE f.bucket = b.bucket AND f.term = " parameter ")"
#define RUNS_OF(places) \
    "SELECT b.bucket" places " FROM found_run b WHERE b.bucket <= $1 AND b.bucket >= $2 ORDER BY b.bucket DESC LIMIT $3"
#define SCAN_TEXT "128"
static_assert(FIND_SCAN_MAX == 128 && FIND_ROWS_MAX == 16, "as in the statements");

enum keer_err find_open(struct find *f, struct db *db)
{
    static const char *const runs[FOUND_WHAT_MAX] = {
        RUNS_OF(PLACES_OF("$4")), RUNS_OF(PLACES_OF("$4") PLACES_OF("$5")),
        RUNS_OF(PLACES_OF("$4") PLACES_OF("$5") PLACES_OF("$6")),
        RUNS_OF(PLACES_OF("$4") PLACES_OF("$5") PLACES_OF("$6") PLACES_OF("$7"))};
    *f = (struct find){.db = db};
    const struct {
        const char *sql;
        struct db_stmt **stmt;
    } others[] = {
        {"SELECT seq, body, decision FROM journal WHERE seq IN ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, "
         "$14, "
         "$15, $16) ORDER BY seq DESC",
         &f->rows},
        {"SELECT seq, body, decision FROM journal WHERE seq <= $1 AND seq >= $2 ORDER BY seq DESC LIMIT " SCAN_TEXT,
         &f->scan},
        {"SELECT seq, decided_us FROM journal WHERE seq >= $1 ORDER BY seq LIMIT 1", &f->at},
        {"SELECT COALESCE(MAX(seq), 0) FROM journal", &f->newest},
        {"SELECT COALESCE(MAX(bucket), -1) + 1 FROM found_run", &f->buckets}};
    enum keer_err err = KEER_OK;
    for (size_t i = 0; err == KEER_OK && i < ARRAY_LEN(runs); i++)
        err = db_prepare(db, runs[i], &f->runs[i]);
    for (size_t i = 0; err == KEER_OK && i < ARRAY_LEN(others); i++)
        err = db_prepare(db, others[i].sql, others[i].stmt);
    if (err != KEER_OK)
        find_close(f);
    return err;
}

void find_close(struct find *f)
{
    for (size_t i = 0; i < ARRAY_LEN(f->runs); i++)
        db_free(f->runs[i]);
    db_free(f->rows);
    db_free(f->scan);
    db_free(f->at);
    db_free(f->newest);
    db_free(f->buckets);
    *f = (struct find){0};
}

static enum keer_err one_number(struct db_stmt *s, int64_t *ret)
{
    enum db_step step = db_step(s);
    if (step == DB_ROW)
        *ret = db_i64(s, 0);
    db_reset(s);
    return step == DB_ROW ? KEER_OK : KEER_EIO;
}

enum keer_err find_newest(struct find *f, int64_t *ret_seq) { return one_number(f->newest, ret_seq); }
enum keer_err find_buckets(struct find *f, int64_t *ret_count) { return one_number(f->buckets, ret_count); }

enum keer_err find_since(struct find *f, int64_t time_us, int64_t newest, int64_t *ret_seq)
{
    int64_t low = 1, high = newest + 1;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        db_bind_i64(f->at, 1, middle);
        enum db_step step = db_step(f->at);
        int64_t seq = step == DB_ROW ? db_i64(f->at, 0) : 0, us = step == DB_ROW ? db_i64(f->at, 1) : 0;
        db_reset(f->at);
        if (step != DB_ROW)
            return KEER_EIO;
        if (us >= time_us)
            high = middle;
        else
            low = seq + 1;
    }
    *ret_seq = low;
    return KEER_OK;
}

void find_runs(struct find *f, const int64_t *terms, unsigned count, int64_t newest, int64_t oldest, unsigned max)
{
    ASSERT(count >= 1 && count <= FOUND_WHAT_MAX);
    struct db_stmt *s = f->runs[count - 1];
    db_bind_i64(s, 1, newest);
    db_bind_i64(s, 2, oldest);
    db_bind_i64(s, 3, max);
    for (unsigned i = 0; i < count; i++)
        db_bind_i64(s, 4 + i, terms[i]);
}

enum keer_err find_run(struct find *f, unsigned count, int64_t *ret_bucket, struct found_places *ret_places)
{
    struct db_stmt *s = f->runs[count - 1];
    struct found_places all, one;
    enum db_step step = db_step(s);
    if (step != DB_ROW)
        return step == DB_END ? KEER_EMISSING : KEER_EIO;
    memset(&all, 0xFF, sizeof all);
    for (unsigned i = 0; i < count; i++) {
        struct slice bytes = db_bytes(s, 1 + i);
        one = (struct found_places){{0}};
        enum keer_err err = bytes.len ? found_unpack(bytes, &one) : KEER_OK; /* none: the term is not in this bucket */
        if (err != KEER_OK)
            return err;
        for (size_t w = 0; w < ARRAY_LEN(all.word); w++)
            all.word[w] &= one.word[w];
    }
    *ret_bucket = db_i64(s, 0);
    *ret_places = all;
    return KEER_OK;
}

void find_runs_done(struct find *f, unsigned count) { db_reset(f->runs[count - 1]); }

struct db_stmt *find_rows(struct find *f, const int64_t *seq, unsigned count)
{
    ASSERT(count <= FIND_ROWS_MAX);
    for (unsigned i = 0; i < FIND_ROWS_MAX; i++)
        db_bind_i64(f->rows, 1 + i, i < count ? seq[i] : 0 /* no row has it */);
    return f->rows;
}

struct db_stmt *find_scan(struct find *f, int64_t newest, int64_t oldest)
{
    db_bind_i64(f->scan, 1, newest);
    db_bind_i64(f->scan, 2, oldest);
    return f->scan;
}

enum keer_err find_row(struct db_stmt *s, struct find_row *ret_row)
{
    enum db_step step = db_step(s);
    if (step != DB_ROW)
        return step == DB_END ? KEER_EMISSING : KEER_EIO;
    *ret_row = (struct find_row){.seq = db_i64(s, 0), .body = db_bytes(s, 1), .decision = db_bytes(s, 2)};
    return KEER_OK;
}
