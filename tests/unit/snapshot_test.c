/* snapshot_test.c - windows on disk: what is torn or foreign is refused, what is used changes no decision, and what fails
 * costs time only. */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/rand.h"
#include "lib/db_fail.h"
#include "lib/decider_kit.h"

static const char policy_text[] = "currency EUR\n"
                                  "window n = count(purchase) by account over 1h\n"
                                  "window total = sum(amount of purchase) by account over 1d\n"
                                  "window usual = mean(amount of purchase) by account over 30d\n"
                                  "window devices = distinct(device of purchase) by account over 7d\n"
                                  "window fails = streak(outcome = 'failure' of sign_in) by account over 1d\n"
                                  "window seen = age(device) by account\n"
                                  "window bad = count(purchase where fraud) by device over 30d\n"
                                  "rule many   challenge if purchase and n >= 3\n"
                                  "rule much   challenge if purchase and total + amount > 300 EUR\n"
                                  "rule odd    challenge if purchase and amount > 2 * usual\n"
                                  "rule new    challenge if purchase and seen < 1h\n"
                                  "rule spread review    if purchase and devices >= 3\n"
                                  "rule burnt  deny      if purchase and bad >= 1\n"
                                  "rule guess  deny      if sign_in and fails >= 2\n";

/* Event i of a made-up history; some come late, some label an earlier one. */
static void body_of(char *text, size_t size, struct rng *r, unsigned i)
{
    static const char *const types[] = {"purchase", "purchase", "purchase", "sign_in", "chargeback"};
    uint64_t type = i ? rng_below(r, ARRAY_LEN(types)) : 0;
    int64_t time = 1538352000 + (int64_t)i * 400 - (rng_chance(r, 0.1) ? rng_between(r, 0, 20000) : 0);
    char extra[60] = "";
    if (type == 4)
        (void)snprintf(extra, sizeof extra, ",\"target\":\"e%u\"", (unsigned)rng_below(r, i));
    if (type == 3)
        (void)snprintf(extra, sizeof extra, ",\"outcome\":\"%s\"", rng_chance(r, 0.6) ? "failure" : "success");
    (void)snprintf(text, size,
                   "{\"id\":\"e%u\",\"time\":%lld,\"type\":\"%s\",\"account\":\"a%u\",\"device\":\"d%u\",\"amount\":%u,"
                   "\"currency\":\"EUR\"%s}",
                   i, (long long)time, types[type], (unsigned)rng_below(r, 9), (unsigned)rng_below(r, 15),
                   (unsigned)rng_between(r, 100, 20000), extra);
}

static void decide(struct world *w, struct rng *r, unsigned from, unsigned to)
{
    char text[400];
    for (unsigned i = from; i < to; i++) {
        body_of(text, sizeof text, r, i);
        REQUIRE(world_decide(w, text) == DECIDE_NEW, "%s", text);
    }
}

/* A database of `events` and its snapshot, closed. */
static void world_filled(struct world *w, uint64_t seed, unsigned events)
{
    struct rng r;
    rng_seed(&r, seed);
    world_make(w, policy_text);
    world_open(w);
    decide(w, &r, 0, events);
    world_close(w);
}

static void slurp(const char *path, struct buf *b)
{
    int fd = open(path, O_RDONLY);
    REQUIRE(fd >= 0, "%s", path);
    buf_init(b, (size_t)64 << 20);
    for (ssize_t n = 1; n > 0;) {
        char *at = buf_reserve(b, 65536);
        ck_assert_ptr_nonnull(at);
        n = read(fd, at, 65536);
        ck_assert_int_ge(n, 0);
        b->len += (size_t)n;
    }
    (void)close(fd);
}

static void spill(const char *path, struct slice s)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, s.p, s.len), (ssize_t)s.len);
    (void)close(fd);
}

static enum snapshot_state parsed(struct slice s)
{
    struct snapshot snapshot;
    return snapshot_parse(s, &snapshot);
}

static enum snapshot_state read_state(const struct world *w)
{
    struct snapshot s = {0};
    struct snapshot_why why;
    struct snapshot_kind kind = world_kind(w);
    enum snapshot_state state = snapshot_read(w->snapshot, &kind, &s, &why);
    ck_assert_int_eq(state == SNAPSHOT_UNREADABLE, why.text[0] != '\0');
    snapshot_release(&s);
    return state;
}

/* --- the file --- */

START_TEST(what_is_cut_or_changed_is_refused)
{
    struct world w;
    struct buf file;
    world_filled(&w, 1, 6);
    slurp(w.snapshot, &file);
    ck_assert_int_eq(parsed(buf_view(&file)), SNAPSHOT_USED);
    ck_assert_int_eq(read_state(&w), SNAPSHOT_USED);
    for (size_t len = 0; len < file.len; len++) {
        REQUIRE(parsed(slice_of(file.p, len)) == SNAPSHOT_TORN, "cut at %zu of %zu", len, file.len);
        spill(w.snapshot, slice_of(file.p, len));
        REQUIRE(read_state(&w) == SNAPSHOT_TORN, "file cut at %zu of %zu", len, file.len);
    }
    for (size_t bit = 0; bit < 8 * file.len; bit++) {
        file.p[bit / 8] ^= (char)(1 << bit % 8);
        enum snapshot_state s = parsed(buf_view(&file));
        size_t at = bit / 8;
        REQUIRE(s == (at < 8    ? SNAPSHOT_FOREIGN
                      : at < 16 ? SNAPSHOT_VERSION
                                : SNAPSHOT_TORN),
                "bit %zu: %s", bit, snapshot_text(s));
        file.p[bit / 8] ^= (char)(1 << bit % 8);
    }
    buf_char(&file, '\n');
    ck_assert_int_eq(parsed(buf_view(&file)), SNAPSHOT_TORN);
    spill(w.snapshot, buf_view(&file));
    ck_assert_int_eq(read_state(&w), SNAPSHOT_TORN);
    buf_release(&file);
    world_end(&w);
}
END_TEST

/* A header with right checksums that says something else. */
static void forge(struct buf *file, struct snapshot_header h)
{
    crypto_sha256(slice_of((const char *)&h, offsetof(struct snapshot_header, self)), &h.self);
    memcpy(file->p, &h, sizeof h);
}

START_TEST(other_kinds_are_refused)
{
    struct world w;
    struct buf file;
    struct snapshot_header good, h;
    world_filled(&w, 2, 6);
    slurp(w.snapshot, &file);
    memcpy(&good, file.p, sizeof good);
    ck_assert_int_eq(good.seq, 6);
    static const uint64_t lengths[] = {0, 1, UINT64_MAX, UINT64_MAX - sizeof good, INT64_MAX};
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++)
        for (unsigned which = 0; which < 2; which++) {
            h = good;
            *(which ? &h.windows_bytes : &h.ids_bytes) = lengths[i];
            forge(&file, h);
            ck_assert_int_eq(parsed(buf_view(&file)), SNAPSHOT_TORN);
            spill(w.snapshot, buf_view(&file));
            ck_assert_int_eq(read_state(&w), SNAPSHOT_TORN);
        }
    h = good;
    h.version[0] ^= 1;
    forge(&file, h);
    ck_assert_int_eq(parsed(buf_view(&file)), SNAPSHOT_VERSION);
    forge(&file, good);
    spill(w.snapshot, buf_view(&file));
    ck_assert_int_eq(read_state(&w), SNAPSHOT_USED);
    w.o.memory_max = 1 << 20;
    ck_assert_int_eq(read_state(&w), SNAPSHOT_OPTIONS);
    w.o.memory_max = 0;
    w.version.hash.bytes[31] ^= 1;
    ck_assert_int_eq(read_state(&w), SNAPSHOT_POLICY);
    w.version.hash.bytes[31] ^= 1;
    spill(w.snapshot, SLICE("SQLite format 3"));
    ck_assert_int_eq(read_state(&w), SNAPSHOT_FOREIGN);
    ck_assert_int_eq(unlink(w.snapshot), 0);
    ck_assert_int_eq(read_state(&w), SNAPSHOT_NONE);
    ck_assert_int_eq(mkdir(w.snapshot, 0700), 0);
    ck_assert_int_eq(read_state(&w), SNAPSHOT_UNREADABLE);
    ck_assert_int_eq(rmdir(w.snapshot), 0);
    buf_release(&file);
    world_end(&w);
}
END_TEST

START_TEST(ids_as_bytes)
{
    struct seen one, other;
    struct buf a, b;
    struct rng r;
    rng_seed(&r, 5);
    ck_ok(seen_init(&one));
    buf_init(&a, SEEN_BYTES_MAX);
    buf_init(&b, SEEN_BYTES_MAX);
    for (unsigned n = 0; n < 3; n++) { /* none, some, many */
        for (unsigned i = 0; n && i < (n == 1 ? 1000u : 3000000u); i++)
            seen_add(&one, (struct hash128){rng_u64(&r), rng_u64(&r)});
        one.words[0] |= n; /* both ends too */
        one.words[SEEN_BITS / 64 - 1] |= (uint64_t)n << 62;
        buf_clear(&a);
        buf_clear(&b);
        seen_save(&one, &a);
        ck_ok(a.err);
        ck_assert_int_eq(a.len == 0, n == 0);
        ck_ok(seen_init(&other));
        ck_assert(seen_load(&other, buf_view(&a)));
        REQUIRE(memcmp(one.words, other.words, SEEN_BITS / 8) == 0, "ids differ");
        seen_release(&other);
    }
    static const uint64_t bad[][2] = {
        {0, 0}, {(SEEN_BITS / 64) << 32 | 1, 1}, {(SEEN_BITS / 64 - 1) << 32 | 2, 1}, {2, 1}, {UINT64_MAX, 1}};
    ck_ok(seen_init(&other));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        ck_assert(!seen_load(&other, slice_of((const char *)bad[i], sizeof bad[i])));
    ck_assert(!seen_load(&other, SLICE("1234567")));
    seen_release(&other);
    seen_release(&one);
    buf_release(&a);
    buf_release(&b);
}
END_TEST

/* --- the journal it belongs to --- */

static enum snapshot_state fits(const struct world *w, const char *database)
{
    struct snapshot s = {0};
    struct snapshot_why why;
    struct db_why db_why;
    struct journal j;
    struct db *db;
    struct snapshot_kind kind = world_kind(w);
    ck_assert_int_eq(snapshot_read(w->snapshot, &kind, &s, &why), SNAPSHOT_USED);
    ck_ok(db_open(database, DB_READ, &db, &db_why));
    ck_ok(journal_open(&j, db));
    enum snapshot_state state = snapshot_fits(&s, &j);
    journal_close(&j);
    db_close(db);
    snapshot_release(&s);
    return state;
}

static void sql(const char *database, const char *statement)
{
    struct db *db;
    struct db_why why;
    ck_ok(db_open(database, DB_WRITE, &db, &why));
    ck_ok(db_exec(db, statement));
    db_close(db);
}

START_TEST(another_journal_is_refused)
{
    struct world w, twin;
    world_filled(&w, 3, 40);
    world_filled(&twin, 3, 40); /* the same events, decided at another moment */
    ck_assert_int_eq(fits(&w, w.database), SNAPSHOT_USED);
    ck_assert_int_eq(fits(&w, twin.database), SNAPSHOT_JOURNAL);
    ck_assert_int_eq(fits(&twin, w.database), SNAPSHOT_JOURNAL);
    static const char *const columns[] = {"decision = CAST('{}' AS BLOB)",
                                          "id = CAST('x' AS BLOB)",
                                          "body_hash = CAST(substr(body_hash, 2) || 'x' AS BLOB)",
                                          "decided_us = decided_us + 1",
                                          "time_us = time_us + 1",
                                          "added = CAST('{}' AS BLOB)",
                                          "missing = 1",
                                          "saw = CAST('x' AS BLOB)"};
    static const int rows[] = {40, 39, 37, 33, 25, 9, 1};
    for (size_t i = 0; i < ARRAY_LEN(columns) + ARRAY_LEN(rows); i++) {
        bool column = i < ARRAY_LEN(columns);
        char text[200];
        sql(w.database, "CREATE TABLE kept AS SELECT * FROM journal");
        (void)snprintf(text, sizeof text, "UPDATE journal SET %s WHERE seq = %d", columns[column ? i : 3],
                       column ? 40 : rows[i - ARRAY_LEN(columns)]);
        sql(w.database, text);
        REQUIRE(fits(&w, w.database) == SNAPSHOT_JOURNAL, "%s", text);
        sql(w.database, "DELETE FROM journal; INSERT INTO journal SELECT * FROM kept; DROP TABLE kept");
        ck_assert_int_eq(fits(&w, w.database), SNAPSHOT_USED);
    }
    sql(w.database, "DELETE FROM journal WHERE seq = 37");
    ck_assert_int_eq(fits(&w, w.database), SNAPSHOT_JOURNAL);
    sql(w.database, "DELETE FROM journal WHERE seq = 40");
    ck_assert_int_eq(fits(&w, w.database), SNAPSHOT_AHEAD);
    sql(w.database, "DELETE FROM journal");
    ck_assert_int_eq(fits(&w, w.database), SNAPSHOT_AHEAD);
    world_end(&twin);
    world_end(&w);
}
END_TEST

/* What the decider makes of it: everything is rebuilt, decided as before, and the next start is quick again. */
START_TEST(a_refused_snapshot_is_rebuilt_and_replaced)
{
    struct world w;
    struct buf file;
    struct rng r;
    world_filled(&w, 4, 30);
    slurp(w.snapshot, &file);
    rng_seed(&r, 99);
    unsigned events = 30;
    for (unsigned round = 0; round < 6; round++) {
        enum snapshot_state want = SNAPSHOT_TORN;
        switch (round) {
        case 0: want = SNAPSHOT_USED; break;
        case 1: spill(w.snapshot, slice_of(file.p, file.len / 2)); break;
        case 2: want = SNAPSHOT_USED; break;
        case 3:
            want = SNAPSHOT_NONE;
            ck_assert_int_eq(unlink(w.snapshot), 0);
            break;
        case 4:
            want = SNAPSHOT_OFF;
            w.o.snapshot = NULL;
            break;
        default: w.o.snapshot = w.snapshot; want = SNAPSHOT_USED;
        }
        world_open(&w);
        REQUIRE(world_state(&w) == want, "round %u: %s", round, snapshot_text(world_state(&w)));
        uint64_t behind = want == SNAPSHOT_USED ? events - atomic_load(&world_stats(&w)->loaded_seq) : events;
        ck_assert_uint_eq(atomic_load(&decider_statistics(w.d)->rebuilt), behind);
        ck_assert_uint_eq(behind, want != SNAPSHOT_USED ? events : round == 5 ? 5 : 0);
        ck_assert_uint_eq(atomic_load(&decider_statistics(w.d)->differences), 0);
        char text[400];
        body_of(text, sizeof text, &r, 7); /* e7 with another body: its id is known */
        ck_assert_int_eq(world_decide(&w, text), DECIDE_CONFLICT);
        decide(&w, &r, events, events + 5);
        events += 5;
        world_close(&w);
    }
    buf_release(&file);
    world_end(&w);
}
END_TEST

/* --- decisions are the same with and without --- */

static void same_journals(const struct world *a, const struct world *b)
{
    struct db *db[2];
    struct db_why why;
    struct journal j[2];
    struct journal_entry e[2];
    const char *path[] = {a->database, b->database};
    for (unsigned i = 0; i < 2; i++) {
        ck_ok(db_open(path[i], DB_READ, &db[i], &why));
        ck_ok(journal_open(&j[i], db[i]));
    }
    for (int64_t seq = 0;; seq++) {
        enum keer_err err[2];
        for (unsigned i = 0; i < 2; i++)
            err[i] = journal_after(&j[i], seq, &e[i]);
        REQUIRE(err[0] == err[1], "row %lld: %s, %s", (long long)seq + 1, keer_err_name(err[0]), keer_err_name(err[1]));
        if (err[0] == KEER_EMISSING)
            break;
        REQUIRE(e[0].seq == seq + 1 && e[1].seq == seq + 1 && slice_eq(e[0].decision, e[1].decision), "row %lld",
                (long long)seq + 1);
    }
    for (unsigned i = 0; i < 2; i++) {
        journal_close(&j[i]);
        db_close(db[i]);
    }
}

static void same_windows(const struct world *a, const struct world *b)
{
    struct buf file[2];
    struct snapshot s[2];
    slurp(a->snapshot, &file[0]);
    slurp(b->snapshot, &file[1]);
    for (unsigned i = 0; i < 2; i++)
        ck_assert_int_eq(snapshot_parse(buf_view(&file[i]), &s[i]), SNAPSHOT_USED);
    ck_assert(s[0].header.seq == s[1].header.seq);
    ck_assert(slice_eq(s[0].windows, s[1].windows) && slice_eq(s[0].ids, s[1].ids));
    buf_release(&file[0]);
    buf_release(&file[1]);
}

/* One daemon is stopped and started at random moments, sometimes loses its snapshot, sometimes renews it in between; the
 * other decides the same events in one go. */
static void run_cut(uint64_t seed)
{
    struct world whole, cut;
    struct rng r, mine, moments;
    unsigned events = 120, done = 0, used = 0, starts = 0;
    rng_seed(&r, seed);
    rng_seed(&mine, seed);
    rng_seed(&moments, seed + 1000);
    world_make(&whole, policy_text);
    world_make(&cut, policy_text);
    whole.o.memory_max = cut.o.memory_max = seed % 3 == 0 ? 1 << 20 : 0;
    cut.o.snapshot_every = seed % 2 ? 10 : 0;
    world_open(&whole);
    decide(&whole, &r, 0, events);
    while (done < events) {
        unsigned upto = done + (unsigned)rng_between(&moments, 1, 40);
        upto = MIN_OF(upto, events);
        bool lost = rng_chance(&moments, 0.2) && unlink(cut.snapshot) == 0;
        world_open(&cut);
        REQUIRE(!starts || world_state(&cut) == (lost ? SNAPSHOT_NONE : SNAPSHOT_USED), "seed %llu: %s",
                (unsigned long long)seed, snapshot_text(world_state(&cut)));
        REQUIRE(atomic_load(&decider_statistics(cut.d)->differences) == 0, "seed %llu", (unsigned long long)seed);
        used += world_state(&cut) == SNAPSHOT_USED;
        starts++;
        decide(&cut, &mine, done, upto);
        ck_assert_uint_eq(atomic_load(&world_stats(&cut)->failures), 0);
        world_close(&cut);
        done = upto;
    }
    world_close(&whole);
    same_journals(&whole, &cut);
    same_windows(&whole, &cut);
    REQUIRE(used > 0, "seed %llu", (unsigned long long)seed);
    world_end(&whole);
    world_end(&cut);
}

START_TEST(decisions_are_the_same_with_and_without)
{
    for (uint64_t seed = 1; seed <= 12; seed++)
        run_cut(seed);
}
END_TEST

START_TEST(it_is_renewed_while_events_are_decided)
{
    struct world w;
    struct rng r;
    rng_seed(&r, 6);
    world_make(&w, policy_text);
    w.o.snapshot_every = 20;
    world_open(&w);
    decide(&w, &r, 0, 19);
    (void)usleep(20000);
    ck_assert_uint_eq(atomic_load(&world_stats(&w)->written), 0);
    decide(&w, &r, 19, 20);
    for (unsigned i = 0; i < 5000 && !atomic_load(&world_stats(&w)->written); i++)
        (void)usleep(1000);
    ck_assert_uint_eq(atomic_load(&world_stats(&w)->written), 1);
    ck_assert_uint_eq(atomic_load(&world_stats(&w)->seq), 20);
    decide(&w, &r, 20, 50);
    for (unsigned i = 0; i < 5000 && atomic_load(&world_stats(&w)->seq) < 40; i++)
        (void)usleep(1000);
    ck_assert_uint_ge(atomic_load(&world_stats(&w)->seq), 40);
    ck_assert_uint_eq(atomic_load(&world_stats(&w)->failures), 0);
    world_close(&w);
    ck_assert_int_eq(fits(&w, w.database), SNAPSHOT_USED);
    world_end(&w);
}
END_TEST

/* --- another version decides --- */

static const char other_text[] = "currency EUR\n"
                                 "window n = count(purchase) by device over 2h\n"
                                 "window bad = count(purchase where fraud) by account over 30d\n"
                                 "rule many   review if purchase and n >= 2\n"
                                 "rule burnt  deny   if purchase and bad >= 1\n";

struct keeping {
    struct source source;
    struct crypto_hash hash;
    int64_t number;
    atomic_int end; /* -1: under way */
};

/* Runs a task of the writer to its end. */
static void write_now(struct world *w, struct write_task *t, atomic_int *end)
{
    atomic_store(end, -1);
    ck_ok(decider_write(w->d, t));
    while (atomic_load(end) < 0)
        (void)usleep(100);
    ck_assert_int_eq(atomic_load(end), KEER_OK);
}

static enum keer_err keep_run(struct db *db, struct write_task *t)
{
    struct keeping *k = t->ctx;
    return policies_put(db, &k->hash, SLICE("other"), k->source.part, k->source.count, 1, &k->number);
}

static void keep_done(struct write_task *t, enum keer_err err)
{
    struct keeping *k = t->ctx;
    atomic_store(&k->end, (int)err);
}

/* Puts the other version into the database; its number. */
static int64_t keep_other(struct world *w, struct crypto_hash *ret_hash)
{
    struct keeping k = {0};
    struct write_task t = {.run = keep_run, .done = keep_done, .ctx = &k};
    ck_ok(source_add(&k.source, SLICE(""), SLICE(other_text)));
    source_hash(&k.source, &k.hash);
    write_now(w, &t, &k.end);
    source_release(&k.source);
    *ret_hash = k.hash;
    return k.number;
}

struct promoting {
    struct promotion p;
    atomic_int end;
};

static void promoted(struct promotion *p, enum keer_err err)
{
    struct promoting *g = p->ctx;
    atomic_store(&g->end, (int)err);
}

/* Number 0 rolls back. Asked again while the shadow is building. */
static void promote(struct world *w, int64_t number)
{
    struct promoting g;
    do {
        g = (struct promoting){.p = {.number = number, .who = "test", .done = promoted, .ctx = &g}};
        atomic_store(&g.end, -1);
        ck_ok(decider_promote(w->d, &g.p));
        while (atomic_load(&g.end) < 0)
            (void)usleep(100);
    } while (atomic_load(&g.end) == KEER_EFULL);
    ck_assert_int_eq(atomic_load(&g.end), KEER_OK);
}

static void is_of(const struct world *w, const struct crypto_hash *hash, int64_t seq)
{
    struct buf file;
    struct snapshot s;
    slurp(w->snapshot, &file);
    ck_assert_int_eq(snapshot_parse(buf_view(&file), &s), SNAPSHOT_USED);
    ck_assert(crypto_hash_eq(&s.header.policy, hash));
    ck_assert_int_eq(s.header.seq, seq);
    buf_release(&file);
}

/* The next start takes all windows from the file, which are those that a start without it makes. */
static void is_used(struct world *w, unsigned events)
{
    struct buf one, two;
    slurp(w->snapshot, &one);
    world_open(w);
    REQUIRE(world_state(w) == SNAPSHOT_USED, "%s", snapshot_text(world_state(w)));
    ck_assert_uint_eq(atomic_load(&world_stats(w)->loaded_seq), events);
    ck_assert_uint_eq(atomic_load(&decider_statistics(w->d)->differences), 0);
    world_close(w);
    ck_assert_int_eq(unlink(w->snapshot), 0);
    world_open(w);
    ck_assert_int_eq(world_state(w), SNAPSHOT_NONE);
    ck_assert_uint_eq(atomic_load(&decider_statistics(w->d)->rebuilt), events);
    ck_assert_uint_eq(atomic_load(&decider_statistics(w->d)->differences), 0);
    world_close(w);
    slurp(w->snapshot, &two);
    ck_assert(slice_eq(buf_view(&one), buf_view(&two)));
    buf_release(&one);
    buf_release(&two);
}

START_TEST(it_is_of_the_version_that_decides)
{
    for (unsigned every = 0; every <= 10; every += 5) {
        struct world w;
        struct rng r;
        struct db_why why;
        struct crypto_hash other;
        rng_seed(&r, 60 + every);
        world_make(&w, policy_text);
        w.o.snapshot_every = every;
        world_open(&w);
        decide(&w, &r, 0, 40);
        int64_t number = keep_other(&w, &other);
        ck_ok(decider_shadow(w.d, number, 0, false, &why));
        promote(&w, number); /* and nothing decided since */
        world_close(&w);
        is_of(&w, &other, 40);
        is_used(&w, 40);
        world_open(&w);
        decide(&w, &r, 40, 80);
        ck_ok(decider_shadow(w.d, w.version.number, 0, false, &why));
        promote(&w, w.version.number);
        decide(&w, &r, 80, 83);
        promote(&w, 0);
        decide(&w, &r, 83, 86);
        promote(&w, 0);
        ck_assert(crypto_hash_eq(&decider_version(w.d)->hash, &w.version.hash));
        decide(&w, &r, 86, 120);
        for (unsigned i = 0; every && i < 5000 && atomic_load(&world_stats(&w)->seq) < 100; i++)
            (void)usleep(1000);
        if (every) { /* renewals go on, by the version that decides now */
            ck_assert_uint_ge(atomic_load(&world_stats(&w)->seq), 100);
            ck_assert_int_eq(read_state(&w), SNAPSHOT_USED);
        }
        world_close(&w);
        is_of(&w, &w.version.hash, 120);
        is_used(&w, 120);
        world_end(&w);
    }
}
END_TEST

/* --- what fails --- */

START_TEST(a_file_that_cannot_be_written_is_a_warning)
{
    struct world w;
    struct rng r;
    rng_seed(&r, 7);
    world_make(&w, policy_text);
    (void)snprintf(w.snapshot, sizeof w.snapshot, "%s/none/k.windows", w.scratch.dir);
    w.o.snapshot_every = 5;
    world_open(&w);
    ck_assert_int_eq(world_state(&w), SNAPSHOT_NONE);
    decide(&w, &r, 0, 12);
    for (unsigned i = 0; i < 5000 && !atomic_load(&world_stats(&w)->failures); i++)
        (void)usleep(1000);
    ck_assert_uint_ge(atomic_load(&world_stats(&w)->failures), 1);
    decide(&w, &r, 12, 20);
    world_close(&w);
    world_open(&w);
    ck_assert_uint_eq(atomic_load(&decider_statistics(w.d)->rebuilt), 20);
    world_end(&w);
}
END_TEST

START_TEST(a_difference_is_never_covered)
{
    struct world w;
    struct rng r;
    world_filled(&w, 8, 10);
    ck_assert_int_eq(unlink(w.snapshot), 0);
    sql(w.database, "UPDATE journal SET decision = CAST('{}' AS BLOB) WHERE seq = 4");
    rng_seed(&r, 80);
    w.o.snapshot_every = 5;
    for (unsigned i = 0; i < 2; i++) {
        world_open(&w);
        ck_assert_uint_eq(atomic_load(&decider_statistics(w.d)->differences), 1);
        decide(&w, &r, 10 + 6 * i, 16 + 6 * i);
        for (unsigned k = 0; k < 5000 && !atomic_load(&world_stats(&w)->failures); k++)
            (void)usleep(1000);
        ck_assert_uint_eq(atomic_load(&world_stats(&w)->failures), 1);
        ck_assert_uint_eq(atomic_load(&world_stats(&w)->written), 0);
        world_close(&w);
        ck_assert_int_eq(access(w.snapshot, F_OK), -1);
    }
    world_end(&w);
}
END_TEST

struct rewriting {
    const char *sql;
    atomic_int end;
};

static enum keer_err rewrite_run(struct db *db, struct write_task *t)
{
    return db_exec(db, ((const struct rewriting *)t->ctx)->sql);
}

static void rewrite_done(struct write_task *t, enum keer_err err)
{
    atomic_store(&((struct rewriting *)t->ctx)->end, (int)err);
}

/* A row changes under a daemon that has read it: the renewal sees it, and then the stop writes nothing either. */
START_TEST(a_difference_that_a_renewal_finds_is_never_covered)
{
    struct world w;
    struct rng r;
    rng_seed(&r, 81);
    world_make(&w, policy_text);
    w.o.snapshot_every = 20;
    world_open(&w);
    decide(&w, &r, 0, 15);
    struct rewriting rewrite = {.sql = "UPDATE journal SET decision = CAST('{}' AS BLOB) WHERE seq = 4"};
    struct write_task t = {.run = rewrite_run, .done = rewrite_done, .ctx = &rewrite};
    write_now(&w, &t, &rewrite.end);
    decide(&w, &r, 15, 22);
    for (unsigned k = 0; k < 5000 && !atomic_load(&world_stats(&w)->failures); k++)
        (void)usleep(1000);
    ck_assert_uint_eq(atomic_load(&world_stats(&w)->failures), 1);
    world_close(&w);
    ck_assert_int_eq(access(w.snapshot, F_OK), -1);
    world_end(&w);
}
END_TEST

struct parts {
    struct db *db;
    struct journal j;
    struct keer_engine *engine;
    struct seen seen;
};

/* Loads and writes once, whatever fails; true when all went well. */
static bool load_and_write(const struct world *w, struct parts *p, const struct snapshot_kind *kind)
{
    struct snapshot s = {0};
    struct snapshot_why why;
    uint64_t bytes = 0;
    enum snapshot_state state = snapshot_read(w->snapshot, kind, &s, &why);
    if (state == SNAPSHOT_USED)
        state = snapshot_fits(&s, &p->j);
    if (state == SNAPSHOT_USED)
        state = snapshot_load(&s, kind, &p->engine, &p->seen);
    REQUIRE(state == SNAPSHOT_USED || state == SNAPSHOT_NO_MEMORY || state == SNAPSHOT_UNREADABLE, "%s",
            snapshot_text(state));
    enum keer_err err = state == SNAPSHOT_USED ? KEER_OK : KEER_EIO;
    if (err == KEER_OK)
        err = snapshot_write(w->snapshot, kind, &p->j, p->engine, &p->seen, s.header.seq, &bytes, &why);
    REQUIRE(state != SNAPSHOT_USED || err == KEER_OK || why.text[0] || db_fail_hit(), "%s", keer_err_name(err));
    REQUIRE(err != KEER_OK || bytes == sizeof s.header + s.windows.len + s.ids.len, "%llu bytes", (unsigned long long)bytes);
    snapshot_release(&s);
    keer_engine_free(p->engine);
    p->engine = NULL;
    memset(p->seen.words, 0, SEEN_BITS / 8);
    return err == KEER_OK;
}

START_TEST(memory_and_database_may_fail_anywhere)
{
    struct world w;
    struct parts p = {0};
    struct db_why why;
    struct buf before, after;
    world_filled(&w, 9, 25);
    struct snapshot_kind kind = world_kind(&w);
    slurp(w.snapshot, &before);
    ck_ok(db_open(w.database, DB_READ, &p.db, &why));
    ck_ok(journal_open(&p.j, p.db));
    ck_ok(seen_init(&p.seen));
    for (unsigned which = 0; which < 2; which++) {
        bool done = false;
        unsigned n = 1;
        for (; !done && n < 500; n++) {
            if (which)
                db_fail_arm(n, false);
            else
                oom_arm(n, false);
            done = load_and_write(&w, &p, &kind) && (which ? !db_fail_hit() : oom_count() < n);
            oom_reset();
            db_fail_arm(0, false);
        }
        REQUIRE(done && n > 10, "%u calls", n);
    }
    slurp(w.snapshot, &after);
    ck_assert(slice_eq(buf_view(&before), buf_view(&after)));
    struct snapshot_why told;
    uint64_t bytes = 0;
    ck_ok(keer_engine_new(w.policy, NULL, &p.engine));
    ck_err(snapshot_write(w.snapshot, &kind, &p.j, p.engine, &p.seen, 26, &bytes, &told), KEER_EMISSING);
    ck_err(snapshot_write(w.snapshot, &kind, &p.j, p.engine, &p.seen, 0, &bytes, &told), KEER_EMISSING);
    keer_engine_free(p.engine);
    seen_release(&p.seen);
    journal_close(&p.j);
    db_close(p.db);
    buf_release(&before);
    buf_release(&after);
    world_end(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("snapshot");
    TCase *c = tcase_create("snapshot");
    tcase_set_timeout(c, 300);
    tcase_add_test(c, what_is_cut_or_changed_is_refused);
    tcase_add_test(c, other_kinds_are_refused);
    tcase_add_test(c, ids_as_bytes);
    tcase_add_test(c, another_journal_is_refused);
    tcase_add_test(c, a_refused_snapshot_is_rebuilt_and_replaced);
    tcase_add_test(c, decisions_are_the_same_with_and_without);
    tcase_add_test(c, it_is_renewed_while_events_are_decided);
    tcase_add_test(c, it_is_of_the_version_that_decides);
    tcase_add_test(c, a_file_that_cannot_be_written_is_a_warning);
    tcase_add_test(c, a_difference_is_never_covered);
    tcase_add_test(c, a_difference_that_a_renewal_finds_is_never_covered);
    tcase_add_test(c, memory_and_database_may_fail_anywhere);
    suite_add_tcase(s, c);
    return test_main(s);
}
