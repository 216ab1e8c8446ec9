/* store_test.c - the database: migrations, a newer schema, locks, the journal, keys; and what fails at call N. */
#include "keer/engine.h"
#include "lib/database.h"
#include "lib/db_fail.h"
#include "store/journal.h"
#include "store/keys.h"
#include "store/policies.h"
#include "store/webhooks.h"

static struct scratch scratch;
static struct db_why why;

static void setup(void)
{
    ck_ok(crypto_start());
    database_make(&scratch);
}
static void teardown(void)
{
    db_fail_arm(0, false);
    scratch_remove(&scratch);
}

static struct db *open_db(enum db_access access)
{
    struct db *db = NULL;
    enum keer_err err = db_open(database_where(&scratch), access, &db, &why);
    ck_assert_msg(err == KEER_OK, "%s", why.text);
    return db;
}

static struct db *fresh(void)
{
    struct db *db = open_db(DB_WRITE);
    ck_ok(db_migrate(db, 1, &why));
    return db;
}

static int64_t number(struct db *db, const char *sql)
{
    struct db_stmt *s;
    ck_ok(db_prepare(db, sql, &s));
    ck_assert_int_eq(db_step(s), DB_ROW);
    int64_t n = db_i64(s, 0);
    db_free(s);
    return n;
}

START_TEST(migrations_run_once)
{
    struct db *db = fresh();
    ck_assert_int_eq(number(db, "SELECT COUNT(*) FROM keer_schema"), DB_SCHEMA_VERSION);
    ck_ok(db_migrate(db, 2, &why));
    ck_assert_int_eq(number(db, "SELECT MAX(applied_us) FROM keer_schema"), 1);
    if (database_address()) {
        ck_assert_int_eq(number(db, "SELECT current_setting('synchronous_commit') = 'on'"), 1);
    } else {
        ck_assert_int_eq(number(db, "PRAGMA synchronous"), 2); /* FULL */
        ck_assert_int_eq(number(db, "PRAGMA mmap_size"), 0);
    }
    db_close(db);
}
END_TEST

START_TEST(a_newer_schema_is_refused_and_untouched)
{
    struct db *db = fresh();
    ck_ok(db_exec(db, "INSERT INTO keer_schema (version, what, applied_us) VALUES (99, 'later', 3)"));
    ck_err(db_migrate(db, 4, &why), KEER_EVERSION);
    ck_assert_msg(strstr(why.text, "schema 99") && strstr(why.text, "newer"), "%s", why.text);
    ck_assert_int_eq(number(db, "SELECT MAX(applied_us) FROM keer_schema"), 3);
    db_close(db);
}
END_TEST

/* Each step is in a transaction of its own: whatever call fails, the schema is the old one or the new one. */
START_TEST(migrations_are_whole_or_not_there)
{
    for (uint64_t n = 1, hit = 1; hit; n++) {
        struct db *db = open_db(DB_WRITE);
        db_fail_arm(n, false);
        enum keer_err err = db_migrate(db, 1, &why);
        hit = db_fail_hit();
        db_fail_arm(0, false);
        ck_assert_int_eq(err == KEER_OK, !hit);
        int64_t tables = number(db, database_address() ? "SELECT COUNT(*) FROM pg_tables WHERE tablename = 'journal'"
                                                       : "SELECT COUNT(*) FROM sqlite_master WHERE name = 'journal'");
        int64_t version = number(db, "SELECT COALESCE(MAX(version), 0) FROM keer_schema");
        ck_assert_int_eq(tables, version >= 1);
        ck_ok(db_migrate(db, 1, &why));
        db_close(db);
        scratch_remove(&scratch);
        database_make(&scratch);
    }
}
END_TEST

START_TEST(one_writer_and_readers)
{
    struct db *db = fresh(), *other = NULL;
    ck_err(db_open(database_where(&scratch), DB_WRITE, &other, &why), KEER_ECONFLICT);
    ck_assert_msg(strstr(why.text, "stop it first"), "%s", why.text);
    struct db *reader = open_db(DB_READ);
    ck_ok(db_migrate(reader, 1, &why));
    ck_err(db_exec(reader, "DELETE FROM journal"), KEER_EIO);
    ck_assert(db_alive(reader) && db_alive(db));
    db_close(reader);
    db_close(db);
    ck_err(db_open(scratch_path(&scratch, "none.db"), DB_READ, &other, &why), KEER_EMISSING);
    ck_err(db_open(scratch_path(&scratch, "no/folder/k.db"), DB_WRITE, &other, &why), KEER_EIO);
    ck_err(db_open("postgres://127.0.0.1:1/keer", DB_WRITE, &other, &why), KEER_EIO);
}
END_TEST

static const struct {
    const char *where, *label;
} labels[] = {
    {"k.db", "k.db"},
    {"folder:x@y/k.db?", "folder:x@y/k.db?"},
    {"postgres://host/keer", "postgres://host/keer"},
    {"postgres://keer@host:5432/keer", "postgres://keer@host:5432/keer"},
    {"postgres://keer:geheim@host:5432/keer", "postgres://keer@host:5432/keer"},
    {"postgresql://keer:ge@heim@host/keer", "postgresql://keer@host/keer"},
    {"postgres://keer:ge/geheim@host/keer", "postgres://keer@host/keer"},
    {"postgres://keer:ge?geheim@host/keer", "postgres://keer@host/keer"},
    {"postgres://host/keer?password=geheim", "postgres://host/keer"},
    {"postgres://host/keer?password=geheim@x", "postgres://host/keer@x"},
    {"postgres://?password=geheim&user=a@x", "postgres://@x"},
    {"postgres://:geheim@/keer", "postgres://@/keer"},
    {"postgres://", "postgres://"},
};

START_TEST(a_password_is_not_shown)
{
    struct db_label label;
    struct db *db = NULL;
    for (size_t i = 0; i < ARRAY_LEN(labels); i++)
        ck_assert_str_eq(db_label(labels[i].where, &label), labels[i].label);
    static const char *const wrong[] = {
        "postgres://keer:ge heim@[host/keer",          "postgres://keer:geheim/x@host/keer",
        "postgres://keer:geheim@127.0.0.1:1/keer",     "postgres://host/keer?nonsense=geheim",
        "postgres://127.0.0.1:1/keer?password=geheim", "postgres://keer:%ZZgeheim@host/keer"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        ck_assert(db_open(wrong[i], DB_WRITE, &db, &why) != KEER_OK);
        ck_assert_msg(why.text[0] && !strstr(why.text, "heim"), "%s", why.text);
    }
}
END_TEST

/* A statement that fails spoils its transaction with every driver. */
START_TEST(a_spoiled_transaction_is_not_committed)
{
    static const char *const bad[] = {"INSERT INTO keer_schema (version, what, applied_us) VALUES (1, 'twice', 1)",
                                      "INSERT INTO nowhere (x) VALUES (1)"};
    struct db *db = fresh();
    struct db_stmt *s = NULL;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        ck_ok(db_begin(db));
        ck_ok(db_exec(db, "INSERT INTO keer_schema (version, what, applied_us) VALUES (50, 'x', 1)"));
        ck_err(db_exec(db, bad[i]), KEER_EIO);
        ck_assert_int_eq(db_commit(db), DB_NOT_COMMITTED);
        ck_assert_msg(db_why(db)[0], "%s", bad[i]);
        db_rollback(db);
    }
    ck_ok(db_begin(db));
    ck_err(db_prepare(db, "SELECT x FROM nowhere", &s), KEER_EIO);
    ck_assert_int_eq(db_commit(db), DB_NOT_COMMITTED);
    ck_assert_int_eq(number(db, "SELECT COUNT(*) FROM keer_schema WHERE version = 50"), 0);
    db_close(db);
}
END_TEST

/* Integers, bytes and texts come back as they went in; NULL is 0 or empty. */
/* What is sent along without waiting fails late: the part that it belongs to fails, and the rest is sound. */
START_TEST(a_part_is_taken_back_alone)
{
    static const char put[] = "INSERT INTO secret (name, value) VALUES ($1, $2)";
    static const struct {
        const char *name;
        bool waits, wanted, kept;
    } parts[] = {{"a", true, true, true},   {"a", true, true, false}, {"b", true, false, false}, {"b", false, true, true},
                 {"b", false, true, false}, {"c", true, true, true},  {"a", false, false, false}};
    struct db *db = fresh();
    struct db_stmt *s;
    ck_ok(db_prepare(db, put, &s));
    ck_ok(db_begin(db));
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        ck_ok(db_mark(db));
        db_bind_text(s, 1, slice_str(parts[i].name));
        db_bind_bytes(s, 2, SLICE("x"));
        bool good = (parts[i].waits ? db_step(s) : db_put(s)) == DB_END;
        db_reset(s);
        bool kept = good && parts[i].wanted && db_keep(db) == KEER_OK;
        ck_assert_msg(kept == parts[i].kept, "part %zu: %s", i, db_why(db));
        if (!kept)
            ck_ok(db_back(db));
    }
    ck_assert_int_eq(db_commit(db), DB_COMMITTED);
    ck_assert_int_eq(number(db, "SELECT COUNT(*) FROM secret WHERE name IN ('a', 'b', 'c')"), 3);
    db_free(s);
    db_close(db);
}
END_TEST

START_TEST(values_are_exact)
{
    static const int64_t numbers[] = {0, 1, -1, INT32_MAX, INT64_MAX, INT64_MIN};
    struct db *db = fresh();
    struct db_stmt *put, *get;
    char all[256];
    for (unsigned i = 0; i < sizeof all; i++)
        all[i] = (char)i;
    ck_ok(db_exec(db, database_address() ? "CREATE TABLE t (n BIGINT PRIMARY KEY, b BYTEA, x TEXT)"
                                         : "CREATE TABLE t (n INTEGER PRIMARY KEY, b BLOB, x TEXT)"));
    ck_ok(db_prepare(db, "INSERT INTO t (n, b, x) VALUES ($1, $2, $3)", &put));
    ck_ok(db_prepare(db, "SELECT n, b, x, LENGTH(b), n < 0, NULL FROM t WHERE n = $1 OR n = $1", &get));
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        db_bind_i64(put, 1, numbers[i]);
        db_bind_bytes(put, 2, slice_of(all, i == 1 ? 0 : sizeof all));
        db_bind_text(put, 3, SLICE("caf\xC3\xA9"));
        ck_assert_int_eq(db_put(put), DB_END);
        db_reset(put);
        db_bind_i64(get, 1, numbers[i]);
        ck_assert_int_eq(db_step(get), DB_ROW);
        ck_assert(db_i64(get, 0) == numbers[i] && db_i64(get, 3) == (i == 1 ? 0 : 256) &&
                  db_i64(get, 4) == (numbers[i] < 0));
        ck_slice_eq(db_bytes(get, 1), slice_of(all, i == 1 ? 0 : sizeof all));
        ck_slice_eq(db_bytes(get, 2), SLICE("caf\xC3\xA9"));
        ck_assert_uint_eq(db_bytes(get, 5).len, 0);
        ck_assert_int_eq(db_step(get), DB_END);
        db_reset(get);
    }
    db_bind_i64(put, 1, 1);
    ck_assert_int_eq(db_put(put), DB_CONFLICT);
    db_reset(put);
    db_free(put);
    db_free(get);
    db_close(db);
}
END_TEST

START_TEST(what_is_no_database_is_refused)
{
    struct db *db = NULL;
    FILE *f = fopen(scratch_path(&scratch, "k.db"), "w"); /* of SQLite, whatever the others run on */
    ck_assert_ptr_nonnull(f);
    for (int i = 0; i < 1000; i++)
        (void)fputs("this is a text and no database\n", f);
    (void)fclose(f);
    ck_err(db_open(scratch_path(&scratch, "k.db"), DB_WRITE, &db, &why), KEER_EIO);
    ck_assert_msg(strstr(why.text, "not a database"), "%s", why.text);
}
END_TEST

static struct journal_entry entry(int64_t seq, const char *id)
{
    struct journal_entry e = {.seq = seq, .time_us = 5, .decided_us = 6, .policy = 1, .id = slice_str(id)};
    e.body = SLICE("{\"id\":\"x\"}");
    e.decision = SLICE("{}");
    crypto_sha256(e.body, &e.body_hash);
    return e;
}

/* At once, or at the commit. */
static void refuses(struct journal *j, int64_t seq, const char *id)
{
    struct journal_entry e = entry(seq, id);
    ck_ok(db_begin(j->db));
    enum keer_err err = journal_add(j, &e);
    ck_assert(err == KEER_ECONFLICT || (database_address() && err == KEER_OK));
    ck_assert_int_eq(db_commit(j->db), DB_NOT_COMMITTED);
    ck_assert_msg(strstr(db_why(j->db), "nique") || strstr(db_why(j->db), "UNIQUE"), "%s", db_why(j->db));
    db_rollback(j->db);
}

/* More than one piece of a scan, and rows that come while it is under way. */
static enum keer_err version_made(struct db *db, const struct crypto_hash *hash, struct slice name, int64_t now_us,
                                  int64_t *ret_number)
{
    enum keer_err err = db_begin(db);
    if (err == KEER_OK)
        err = policies_put(db, hash, name, /* parts */ NULL, 0, now_us, ret_number);
    return err == KEER_OK && db_commit(db) != DB_COMMITTED ? KEER_EIO : err;
}

START_TEST(a_journal_is_read_in_pieces)
{
    enum { ROWS = 700 };
    struct db *db = fresh();
    struct journal j;
    struct crypto_hash policy = {{0}};
    int64_t number_of_policy, seq = 0;
    struct journal_entry e, got;
    char id[16];
    ck_ok(version_made(db, &policy, SLICE("p"), 1, &number_of_policy));
    ck_ok(journal_open(&j, db));
    ck_ok(db_begin(db));
    for (int i = 1; i <= ROWS; i++) {
        (void)snprintf(id, sizeof id, "e%d", i);
        e = entry(i, id);
        ck_ok(journal_add(&j, &e));
    }
    ck_assert_int_eq(db_commit(db), DB_COMMITTED);
    while (journal_after(&j, seq, &got) == KEER_OK) {
        ck_assert_int_eq(got.seq, seq + 1);
        (void)snprintf(id, sizeof id, "e%lld", (long long)got.seq);
        ck_slice_eq(got.id, slice_str(id));
        seq = got.seq;
    }
    ck_assert_int_eq(seq, ROWS);
    ck_ok(db_begin(db));
    e = entry(ROWS + 1, "later");
    ck_ok(journal_add(&j, &e));
    ck_assert_int_eq(db_commit(db), DB_COMMITTED);
    ck_ok(journal_after(&j, seq, &got));
    ck_slice_eq(got.id, SLICE("later"));
    ck_ok(journal_after(&j, 3, &got)); /* another place */
    ck_assert_int_eq(got.seq, 4);
    journal_close(&j);
    db_close(db);
}
END_TEST

START_TEST(a_journal_keeps_order_and_ids)
{
    struct db *db = fresh();
    struct journal j;
    struct crypto_hash policy;
    int64_t policy_number;
    struct journal_entry e, got;
    crypto_sha256(SLICE("policy"), &policy);
    ck_ok(version_made(db, &policy, SLICE("p"), 1, &policy_number));
    ck_assert_int_eq(policy_number, 1);
    ck_ok(version_made(db, &policy, SLICE("other name"), 2, &policy_number));
    ck_assert_int_eq(policy_number, 1);
    ck_ok(journal_open(&j, db));
    ck_ok(db_begin(db));
    e = entry(1, "a");
    ck_ok(journal_add(&j, &e));
    e = entry(2, "a/b c");
    ck_ok(journal_add(&j, &e));
    ck_assert_int_eq(db_commit(db), DB_COMMITTED);
    refuses(&j, 3, "a"); /* an id twice */
    refuses(&j, 2, "c"); /* a number twice */
    ck_ok(journal_find(&j, SLICE("a/b c"), &got));
    ck_assert_int_eq(got.seq, 2);
    ck_slice_eq(got.body, e.body);
    ck_assert(crypto_hash_eq(&got.body_hash, &e.body_hash));
    journal_done(&j);
    ck_err(journal_find(&j, SLICE("b"), &got), KEER_EMISSING);
    ck_ok(journal_after(&j, 1, &got));
    ck_slice_eq(got.id, SLICE("a/b c"));
    ck_err(journal_after(&j, 2, &got), KEER_EMISSING);
    ck_err(journal_after(&j, 2, &got), KEER_EMISSING);
    journal_close(&j);
    db_close(db);
}
END_TEST

START_TEST(a_journal_takes_many_at_once)
{
    enum { MOST = 2 * JOURNAL_TOGETHER + 1 };
    struct db *db = fresh();
    struct journal j;
    struct crypto_hash policy = {{0}};
    struct journal_entry e[MOST], got;
    char id[MOST][16];
    int64_t policy_number, seq = 0;
    ck_ok(version_made(db, &policy, SLICE("p"), 1, &policy_number));
    ck_ok(journal_open(&j, db));
    for (unsigned count = 0; count <= MOST; count++) {
        for (unsigned i = 0; i < count; i++) {
            (void)snprintf(id[i], sizeof id[i], "%u.%u", count, i);
            e[i] = entry(seq + 1 + i, id[i]);
            e[i].time_us = 100 * count + i;
            e[i].saw = slice_str(id[i]);
            e[i].missing = i % 2;
        }
        ck_ok(db_begin(db));
        ck_ok(journal_add_all(&j, e, count));
        ck_assert_int_eq(db_commit(db), DB_COMMITTED);
        for (unsigned i = 0; i < count; i++) {
            ck_ok(journal_after(&j, seq, &got));
            ck_assert_int_eq(got.seq, ++seq);
            ck_slice_eq(got.id, slice_str(id[i]));
            ck_slice_eq(got.saw, slice_str(id[i]));
            ck_assert_int_eq(got.time_us, 100 * count + i);
            ck_assert(got.missing == i % 2);
            journal_done(&j);
        }
    }
    for (unsigned twice = 0; twice < MOST; twice++) { /* one id of them is there: none is written */
        for (unsigned i = 0; i < MOST; i++) {
            (void)snprintf(id[i], sizeof id[i], "new %u", i);
            e[i] = entry(seq + 1 + i, i == twice ? "1.0" : id[i]);
        }
        ck_ok(db_begin(db));
        enum keer_err err = journal_add_all(&j, e, MOST);
        ck_assert(err == KEER_ECONFLICT || (database_address() && err == KEER_OK));
        ck_assert_int_eq(db_commit(db), DB_NOT_COMMITTED);
        db_rollback(db);
        ck_err(journal_after(&j, seq, &got), KEER_EMISSING);
    }
    journal_close(&j);
    db_close(db);
}
END_TEST

START_TEST(what_was_not_committed_is_not_there)
{
    struct db *db = fresh();
    struct journal j;
    struct journal_entry e = entry(1, "a"), got;
    struct crypto_hash policy = {{0}};
    int64_t policy_number;
    ck_ok(version_made(db, &policy, SLICE("p"), 1, &policy_number));
    ck_ok(journal_open(&j, db));
    ck_ok(db_begin(db));
    ck_ok(journal_add(&j, &e));
    db_rollback(db);
    ck_err(journal_find(&j, SLICE("a"), &got), KEER_EMISSING);
    ck_ok(db_begin(db));
    ck_ok(journal_add(&j, &e));
    db_fail_arm(1, /* lands */ true);
    ck_assert_int_eq(db_commit(db), DB_UNKNOWN);
    db_fail_arm(0, false);
    ck_ok(journal_find(&j, SLICE("a"), &got)); /* unknown may mean yes */
    journal_done(&j);
    journal_close(&j);
    db_close(db);
}
END_TEST

START_TEST(keys_are_kept_as_hashes)
{
    struct db *db = fresh();
    struct keys keys;
    char one[KEY_TEXT_BYTES], two[KEY_TEXT_BYTES], id[KEY_ID_BYTES + 1];
    ck_ok(keys_add(db, SLICE("shop"), KEY_STORE, 1, one));
    ck_ok(keys_add(db, SLICE("till"), KEY_ADMIN, 2, two));
    ck_assert_str_ne(one, two);
    ck_assert_uint_eq(strlen(one), KEY_TEXT_BYTES - 1);
    ck_ok(keys_read(db, &keys));
    ck_assert_uint_eq(keys.count, 2);
    ck_assert(keys_find(&keys, slice_str(one), 0) && keys_find(&keys, slice_str(two), 0));
    ck_assert_str_eq(keys.row[0].name, "shop");
    ck_assert_int_eq(keys_find(&keys, slice_str(one), 0)->role, KEY_STORE);
    ck_assert_int_eq(keys_find(&keys, slice_str(two), 0)->role, KEY_ADMIN);
    memcpy(id, keys.row[0].id, sizeof id);
    keys_release(&keys);
    char rotated[KEY_TEXT_BYTES], again[KEY_TEXT_BYTES];
    ck_ok(keys_rotate(db, slice_str(id), 100, rotated));
    ck_err(keys_rotate(db, SLICE("aaaaaaaaaaaa"), 100, again), KEER_EMISSING);
    ck_err(keys_rotate(db, SLICE("a"), 100, again), KEER_EMISSING);
    ck_ok(keys_read(db, &keys));
    ck_assert(keys_find(&keys, slice_str(one), 99) && !keys_find(&keys, slice_str(one), 100)); /* until then */
    ck_assert(keys_find(&keys, slice_str(rotated), 99) && keys_find(&keys, slice_str(rotated), 100));
    keys_release(&keys);
    ck_ok(keys_rotate(db, slice_str(id), 100, again)); /* the first is not taken any more, though its time is not over */
    ck_ok(keys_read(db, &keys));
    ck_assert(!keys_find(&keys, slice_str(one), 50) && keys_find(&keys, slice_str(rotated), 50));
    keys_release(&keys);
    ck_ok(keys_revoke(db, slice_str(id), 3));
    ck_err(keys_rotate(db, slice_str(id), 100, again), KEER_EMISSING);
    ck_ok(keys_read(db, &keys));
    ck_assert(!keys_find(&keys, slice_str(rotated), 50));
    keys_release(&keys);
    ck_err(keys_revoke(db, slice_str(id), 4), KEER_EMISSING);
    ck_ok(keys_read(db, &keys));
    ck_assert(!keys_find(&keys, slice_str(one), 0) && keys_find(&keys, slice_str(two), 0));
    two[KEY_TEXT_BYTES - 3] ^= 1;
    ck_assert(!keys_find(&keys, slice_str(two), 0));
    ck_assert(!keys_find(&keys, SLICE(""), 0) && !keys_find(&keys, SLICE("keer_"), 0));
    keys_release(&keys);
    db_close(db);
    if (database_address())
        return;
    /* The secret's characters are nowhere in the file. */
    FILE *f = fopen(scratch_path(&scratch, "k.db"), "r");
    ck_assert_ptr_nonnull(f);
    static char content[1 << 20];
    size_t n = fread(content, 1, sizeof content, f);
    (void)fclose(f);
    ck_assert(slice_has(slice_of(content, n), SLICE("till")));
    ck_assert(!slice_has(slice_of(content, n), slice_of(one + 5 + KEY_ID_BYTES + 1, 20)));
}
END_TEST

/* --- webhooks and the outbox --- */

static void count_one(void *ctx, const struct delivery *d)
{
    (void)d;
    ++*(unsigned *)ctx;
}

static void put_journal(struct db *db, int64_t seq)
{
    struct journal j;
    char id[24];
    (void)snprintf(id, sizeof id, "e%lld", (long long)seq);
    struct journal_entry e = {.seq = seq,
                              .id = slice_str(id),
                              .decided_us = seq,
                              .policy = 1,
                              .body = SLICE("{}"),
                              .decision = SLICE("{\"d\":1}")};
    struct crypto_hash none = {{0}};
    int64_t number;
    ck_ok(version_made(db, &none, SLICE("p"), 0, &number));
    ck_ok(journal_open(&j, db));
    ck_ok(journal_add(&j, &e));
    journal_close(&j);
}

START_TEST(an_outbox_keeps_what_is_wanted)
{
    struct db *db = fresh();
    struct db_stmt *adder, *scanner, *settler;
    struct webhook_row row = {.outcomes = 1u << KEER_DENY, .created_us = 1}, *rows;
    struct webhook_secret next = {.len = CRYPTO_HASH_BYTES};
    struct delivery d;
    struct slice decision;
    int64_t decided, n;
    unsigned count;
    (void)snprintf(row.id, sizeof row.id, "aaaaaaaaaaaaaaaa");
    (void)snprintf(row.url, sizeof row.url, "https://example.com/");
    row.secret.len = CRYPTO_HASH_BYTES;
    ck_ok(webhooks_add(db, &row));
    ck_ok(delivery_adder(db, &adder));
    for (int64_t seq = 1; seq <= 3; seq++) {
        put_journal(db, seq);
        ck_ok(delivery_add(adder, seq, seq == 2 ? KEER_ALLOW : KEER_DENY, 100 + seq));
    }
    db_free(adder);
    ck_ok(delivery_scanner(db, &scanner));
    ck_ok(delivery_next(scanner, row.id, 0, 0, &d, &decision, &decided));
    ck_assert_int_eq(d.seq, 1);
    ck_slice_eq(decision, SLICE("{\"d\":1}"));
    ck_ok(delivery_next(scanner, row.id, d.at_us, d.seq, &d, &decision, &decided));
    ck_assert_int_eq(d.seq, 3); /* nobody wants an allow */
    ck_err(delivery_next(scanner, row.id, d.at_us, d.seq, &d, &decision, &decided), KEER_EMISSING);
    db_reset(scanner);
    ck_ok(delivery_settler(db, &settler));
    d = (struct delivery){.seq = 1, .at_us = 200, .state = DELIVERY_DEAD, .attempts = 4, .status = 500, .why = SLICE("no")};
    ck_ok(delivery_settle(settler, row.id, &d));
    d.state = DELIVERY_DELIVERED;
    ck_ok(delivery_settle(settler, row.id, &d)); /* what does not wait is not settled again */
    db_free(settler);
    count = 0;
    ck_ok(delivery_list(db, row.id, DELIVERY_DEAD, 10, count_one, &count));
    ck_assert_uint_eq(count, 1);
    struct delivery_figures f;
    ck_ok(delivery_count(db, &f));
    ck_assert_int_eq(f.count[DELIVERY_WAITING], 1);
    ck_assert_int_eq(f.count[DELIVERY_DEAD], 1);
    ck_assert_int_eq(f.oldest_us, 103);
    ck_ok(delivery_replay(db, row.id, 0, 300, &n));
    ck_assert_int_eq(n, 1);
    ck_ok(delivery_replay(db, row.id, 3, 300, &n)); /* it waits already */
    ck_assert_int_eq(n, 0);
    ck_ok(webhooks_rotate(db, row.id, &next, 999));
    ck_err(webhooks_rotate(db, "bbbbbbbbbbbbbbbb", &next, 999), KEER_EMISSING);
    ck_ok(webhooks_disable(db, row.id, 5, SLICE("gone")));
    ck_ok(webhooks_read(db, &rows, &count));
    ck_assert_uint_eq(count, 1);
    ck_assert(rows[0].old_secret.len == CRYPTO_HASH_BYTES && rows[0].old_until_us == 999 && rows[0].disabled_us == 5);
    free(rows);
    db_free(scanner);
    ck_ok(webhooks_remove(db, row.id));
    ck_err(webhooks_remove(db, row.id), KEER_EMISSING);
    ck_ok(delivery_count(db, &f));
    ck_assert_int_eq(f.count[DELIVERY_WAITING], 0);
    for (unsigned i = 0; i < LIMIT_WEBHOOKS; i++) {
        (void)snprintf(row.id, sizeof row.id, "hook%012u", i);
        ck_ok(webhooks_add(db, &row));
    }
    row.id[0] = 'x';
    ck_err(webhooks_add(db, &row), KEER_ELIMIT);
    db_close(db);
}
END_TEST

START_TEST(memory_may_fail_when_opening)
{
    for (uint64_t n = 1; n < 40; n++) { /* the libraries' own allocations are their own affair */
        struct db *db = NULL;
        oom_arm(n, true);
        enum keer_err err = db_open(database_where(&scratch), DB_WRITE, &db, &why);
        oom_reset();
        if (err == KEER_OK)
            db_close(db);
    }
    db_close(fresh());
}
END_TEST

int main(void)
{
    Suite *s = suite_create("store");
    TCase *c = tcase_create("store");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, migrations_run_once);
    tcase_add_test(c, a_newer_schema_is_refused_and_untouched);
    tcase_add_test(c, migrations_are_whole_or_not_there);
    tcase_add_test(c, one_writer_and_readers);
    tcase_add_test(c, a_password_is_not_shown);
    tcase_add_test(c, a_spoiled_transaction_is_not_committed);
    tcase_add_test(c, a_part_is_taken_back_alone);
    tcase_add_test(c, values_are_exact);
    tcase_add_test(c, a_journal_is_read_in_pieces);
    tcase_add_test(c, what_is_no_database_is_refused);
    tcase_add_test(c, a_journal_keeps_order_and_ids);
    tcase_add_test(c, a_journal_takes_many_at_once);
    tcase_add_test(c, what_was_not_committed_is_not_there);
    tcase_add_test(c, keys_are_kept_as_hashes);
    tcase_add_test(c, an_outbox_keeps_what_is_wanted);
    tcase_add_test(c, memory_may_fail_when_opening);
    suite_add_tcase(s, c);
    return test_main(s);
}
