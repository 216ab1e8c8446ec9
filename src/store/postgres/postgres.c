/* postgres.c - PostgreSQL behind db.h.
 *
 *   lock      pg_try_advisory_lock, held by the session: whoever lost its connection lost the lock and can't write either.
 *   batch     BEGIN, what is db_put, and COMMIT go out together (libpq's pipeline mode): one round trip. A statement whose
 *             rows are needed ends the pipeline first (settle).
 *   commit    COMMITTED when the server says COMMIT and warns of nothing: a wait for the synchronous standby that somebody
 *             cancels ends with COMMIT and a warning. NOT_COMMITTED when it answers the whole pipeline and there is no
 *             COMMIT. Whatever else, a lost connection above all, is UNKNOWN once COMMIT may have been sent.
 *   values    binary both ways: an integer is 8 bytes, bytes and texts are what they are.
 *
 * A transaction whose commit waited for a standby when the server fell is there after its restart, and need not be on the
 * standby yet. So a writer that opens commits a record of its own first (fence): when that is confirmed, all before it is.
 */
#include <endian.h>
#include <libpq-fe.h>
#include <limits.h>
#include <poll.h>
#include <time.h>

#include "store/driver.h"

#define LOCK_KEY "1801807218" /* 'keer' */
#define LOCK_WAIT_MS 2000     /* a session that was just closed or killed needs a moment to end */
#define FENCE_MS 10000
#define QUEUED_MAX 4096 /* statements whose answers libpq may have to hold */

/* pg_type.dat */
enum { TYPE_BOOL = 16, TYPE_BYTEA = 17, TYPE_INT8 = 20, TYPE_INT2 = 21, TYPE_INT4 = 23, TYPE_TEXT = 25 };

struct pg {
    struct db base;
    PGconn *conn;
    bool pipelined;     /* BEGIN was sent and its answer not read, or later statements were */
    unsigned queued;    /* statements in the pipeline */
    bool warned;        /* the server warned since this was set to false; the text is in why */
    unsigned last_name; /* of a statement */
    struct pg_stmt
        *kept; /* freed ones, the last first, for the next of the same text: a session's own, whatever is rolled back */
    unsigned kept_count;
};
#define KEPT_MAX 256
struct pg_stmt {
    struct db_stmt base;
    struct pg_stmt *next; /* of those kept */
    char *sql;
    char name[16];
    int parameters;
    Oid type[DB_PARAMETERS_MAX];
    const char *value[DB_PARAMETERS_MAX];
    int length[DB_PARAMETERS_MAX], format[DB_PARAMETERS_MAX];
    char number[DB_PARAMETERS_MAX][8];
    unsigned misfit; /* a parameter that is not of its type; 0 = none */
    PGresult *rows;  /* of the last run */
    int row;
};

static struct pg *pg_of(struct db *db) { return (struct pg *)(void *)db; }
static struct pg_stmt *stmt_of(struct db_stmt *s) { return (struct pg_stmt *)(void *)s; }

/* --- failures --- */

/* The first line of libpq's words: what follows are hints and the statement. */
static void say(struct db_why *why, const char *text)
{
    struct slice rest = slice_str(text), line = slice_cut(&rest, '\n');
    (void)snprintf(why->text, sizeof why->text, "%.*s (PostgreSQL)", (int)MIN_OF(line.len, 300u), line.p ? line.p : "");
}

static enum keer_err failed(struct pg *pg)
{
    say(&pg->base.why, PQerrorMessage(pg->conn));
    return KEER_EIO;
}

static void on_notice(void *ctx, const PGresult *r)
{
    struct pg *pg = ctx;
    const char *severity = PQresultErrorField(r, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (!severity || strcmp(severity, "WARNING") != 0)
        return; /* 'exists already, skipping' */
    pg->warned = true;
    say(&pg->base.why, PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY));
}

/* What a result of one statement means; its failure is in why then. */
static enum db_step judge(struct pg *pg, const PGresult *r)
{
    ExecStatusType status = PQresultStatus(r);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
        return DB_END;
    const char *code = PQresultErrorField(r, PG_DIAG_SQLSTATE), *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
    say(&pg->base.why, text ? text : PQerrorMessage(pg->conn));
    return code && strcmp(code, "23505" /* unique_violation */) == 0 ? DB_CONFLICT : DB_FAILED;
}

static enum keer_err judged(struct pg *pg, PGresult *r)
{
    enum db_step step = judge(pg, r);
    PQclear(r);
    return step == DB_END ? KEER_OK : KEER_EIO;
}

/* --- the pipeline --- */

struct answers {
    enum db_step step; /* the first failure, or DB_END */
    bool committed;    /* the server said COMMIT */
    bool whole;        /* all was answered */
};

static bool enter(struct pg *pg)
{
    if (!pg->pipelined && PQenterPipelineMode(pg->conn) != 1)
        return false;
    pg->pipelined = true;
    return true;
}

static bool queue(struct pg *pg, const char *sql)
{
    pg->queued++;
    return PQsendQueryParams(pg->conn, sql, 0, NULL, NULL, NULL, NULL, 1) == 1;
}

/* Ends the pipeline and reads what it brought. Two NULLs in a row without a statement between them come from a connection
 * that is gone alone. */
static struct answers finish(struct pg *pg)
{
    struct answers a = {.step = DB_END};
    unsigned nulls = 0;
    if (PQpipelineSync(pg->conn) == 1)
        while (!a.whole && nulls <= pg->queued + 1) {
            PGresult *r = PQgetResult(pg->conn);
            if (!r) {
                nulls++;
                continue;
            }
            ExecStatusType status = PQresultStatus(r);
            a.whole = status == PGRES_PIPELINE_SYNC;
            if (strcmp(PQcmdStatus(r), "COMMIT") == 0)
                a.committed = true;
            else if (!a.whole && status != PGRES_PIPELINE_ABORTED && a.step == DB_END)
                a.step = judge(pg, r);
            PQclear(r);
        }
    pg->queued = 0;
    pg->pipelined = false;
    if (!a.whole || PQexitPipelineMode(pg->conn) != 1) {
        if (a.step == DB_END && !a.committed)
            (void)failed(pg);
        a.step = DB_FAILED;
    }
    return a;
}

/* Nothing is under way any more: the connection may be used for one statement after the other. */
static enum db_step settle(struct pg *pg) { return pg->pipelined ? finish(pg).step : DB_END; }

static enum keer_err pg_begin(struct db *db)
{
    struct pg *pg = pg_of(db);
    if (db->access == DB_READ)
        return judged(pg, PQexec(pg->conn, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
    pg->base.why.text[0] = '\0';
    return enter(pg) && queue(pg, "BEGIN") ? KEER_OK : failed(pg);
}

static enum db_outcome pg_commit(struct db *db)
{
    struct pg *pg = pg_of(db);
    if (PQstatus(pg->conn) != CONNECTION_OK || !enter(pg)) {
        (void)failed(pg);
        return DB_NOT_COMMITTED; /* COMMIT was not sent */
    }
    pg->warned = false;
    if (!queue(pg, "COMMIT")) {
        (void)failed(pg);
        return DB_UNKNOWN;
    }
    struct answers a = finish(pg);
    if (a.committed)
        return pg->warned ? DB_UNKNOWN : DB_COMMITTED;
    if (a.whole && a.step == DB_END)
        say(&db->why, "the server rolled back");
    return a.whole ? DB_NOT_COMMITTED : DB_UNKNOWN;
}

static void pg_rollback(struct db *db)
{
    struct pg *pg = pg_of(db);
    struct db_why why = db->why; /* of what led here */
    (void)settle(pg);
    if (PQtransactionStatus(pg->conn) == PQTRANS_INTRANS || PQtransactionStatus(pg->conn) == PQTRANS_INERROR)
        PQclear(PQexec(pg->conn, "ROLLBACK"));
    if (why.text[0])
        db->why = why;
}

static enum keer_err pg_exec(struct db *db, const char *sql)
{
    struct pg *pg = pg_of(db);
    return settle(pg) == DB_END ? judged(pg, PQexec(pg->conn, sql)) : KEER_EIO;
}

/* --- open and close --- */

static void pg_close(struct db *db)
{
    struct pg *pg = pg_of(db);
    for (struct pg_stmt *k = pg->kept, *next; k; k = next) {
        next = k->next;
        free(k->sql);
        free(k);
    }
    PQfinish(pg->conn); /* NULL is fine */
    free(pg);
}

static bool pg_alive(struct db *db)
{
    struct pg *pg = pg_of(db);
    if (PQconsumeInput(pg->conn) == 1 && PQstatus(pg->conn) == CONNECTION_OK)
        return true;
    (void)failed(pg);
    return false;
}

/* libpq's words about an address that it can't parse quote it with its password, and a port that is no number may be a part
 * of one: neither is shown. */
static bool is_sound(const char *where)
{
    char *words = NULL;
    PQconninfoOption *options = PQconninfoParse(where, &words);
    bool sound = options != NULL;
    for (const PQconninfoOption *o = options; o && o->keyword; o++)
        if (strcmp(o->keyword, "port") == 0 && o->val)
            sound = strspn(o->val, "0123456789,") == strlen(o->val);
    PQconninfoFree(options);
    PQfreemem(words);
    return sound;
}

/* What stands before dbname gives way to the address. A peer that is gone is noticed within half a minute. */
static enum keer_err dial(struct pg *pg, const char *where)
{
    const char *const names[] = {"connect_timeout",           "keepalives_idle",
                                 "keepalives_interval",       "keepalives_count",
                                 "tcp_user_timeout",          "target_session_attrs",
                                 "fallback_application_name", "dbname",
                                 "client_encoding",           NULL};
    const char *const values[] = {"10", "15", "5", "3", "30000", "primary", "keer", where, "UTF8", NULL};
    if (!is_sound(where)) {
        (void)snprintf(pg->base.why.text, sizeof pg->base.why.text,
                       "not an address like postgres://user@host:5432/name (in a password, what is no letter or digit is "
                       "written %%XX)");
        return KEER_EINVALID;
    }
    pg->conn = PQconnectdbParams(names, values, /* expand_dbname */ 1);
    if (!pg->conn)
        return KEER_ENOMEM;
    (void)PQsetNoticeReceiver(pg->conn, on_notice, pg);
    return PQstatus(pg->conn) == CONNECTION_OK ? KEER_OK : failed(pg);
}

/* The one row of a question, in texts; NULL when it failed. */
static PGresult *ask(struct pg *pg, const char *sql)
{
    PGresult *r = PQexec(pg->conn, sql);
    if (judge(pg, r) == DB_END && PQntuples(r) == 1)
        return r;
    PQclear(r);
    return NULL;
}

static enum keer_err refuse(struct pg *pg, const char *what, const char *value, const char *hint)
{
    (void)snprintf(pg->base.why.text, sizeof pg->base.why.text, "%s is %.40s there: %s", what, value, hint);
    return KEER_EUNSUPPORTED;
}

/* What would make a commit a promise that the server doesn't keep is refused; what passed is pinned for this session, so
 * that a reload of the server's configuration does not change it. */
static enum keer_err check_durable(struct pg *pg)
{
    char sql[100];
    PGresult *r = ask(pg, "SELECT current_setting('synchronous_commit'), current_setting('fsync'),"
                          " current_setting('server_encoding')");
    if (!r)
        return KEER_EIO;
    const char *commit = PQgetvalue(r, 0, 0), *sync = PQgetvalue(r, 0, 1), *encoding = PQgetvalue(r, 0, 2);
    enum keer_err err = KEER_OK;
    if (strcmp(commit, "on") != 0 && strcmp(commit, "remote_apply") != 0)
        err = refuse(pg, "synchronous_commit", commit, "an acknowledged decision could be lost; set it to on");
    else if (strcmp(sync, "on") != 0)
        err = refuse(pg, "fsync", sync, "an acknowledged decision could be lost; set it to on");
    else if (strcmp(encoding, "UTF8") != 0)
        err = refuse(pg, "the encoding", encoding, "make the database with UTF8");
    (void)snprintf(sql, sizeof sql, "SET synchronous_commit = '%s'", commit);
    PQclear(r);
    return err == KEER_OK ? judged(pg, PQexec(pg->conn, sql)) : err;
}

static enum keer_err lock(struct pg *pg)
{
    for (long ms = 1; ms < LOCK_WAIT_MS; ms *= 2) { /* the sum of the waits */
        struct timespec wait = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
        PGresult *r = ask(pg, "SELECT pg_try_advisory_lock(" LOCK_KEY ")");
        if (!r)
            return KEER_EIO;
        bool got = PQgetvalue(r, 0, 0)[0] == 't';
        PQclear(r);
        if (got)
            return KEER_OK;
        (void)nanosleep(&wait, NULL);
    }
    (void)snprintf(pg->base.why.text, sizeof pg->base.why.text, "another keer writes there: stop it first");
    return KEER_ECONFLICT;
}

/* Commits a record, which waits for the synchronous standby as every commit does. When nothing confirms it the wait is
 * cancelled, which makes it a warning. */
static enum keer_err fence(struct pg *pg)
{
    char ignored[256];
    enum keer_err err = KEER_OK;
    pg->warned = false;
    if (PQsendQuery(pg->conn, "SELECT pg_logical_emit_message(true, 'keer', 'opened')") != 1)
        return failed(pg);
    struct pollfd p = {.fd = PQsocket(pg->conn), .events = POLLIN};
    if (poll(&p, 1, FENCE_MS) == 0) {
        PGcancel *cancel = PQgetCancel(pg->conn);
        if (cancel)
            (void)PQcancel(cancel, ignored, sizeof ignored);
        PQfreeCancel(cancel);
    }
    for (PGresult *r; (r = PQgetResult(pg->conn)) != NULL;) {
        enum keer_err one = judged(pg, r);
        err = err == KEER_OK ? one : err;
    }
    if (err == KEER_OK && pg->warned) {
        (void)snprintf(pg->base.why.text, sizeof pg->base.why.text, "the synchronous standby does not confirm commits");
        err = KEER_EIO;
    }
    return err;
}

/* A time limit that somebody gave the role or the database would end a session that only waits for work. */
static enum keer_err settings(struct pg *pg)
{
    enum keer_err err = judged(pg, PQexec(pg->conn, "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0;"
                                                    " SET idle_session_timeout = 0; SET lock_timeout = 0;"
                                                    " SET default_transaction_isolation = 'read committed';"
                                                    " SET client_min_messages = 'warning'"));
    if (err != KEER_OK)
        return err;
    if (pg->base.access == DB_READ) {
        PGresult *r = ask(pg, "SELECT to_regclass('keer_schema') IS NOT NULL");
        if (!r)
            return KEER_EIO;
        bool there = PQgetvalue(r, 0, 0)[0] == 't';
        PQclear(r);
        if (!there) {
            (void)snprintf(pg->base.why.text, sizeof pg->base.why.text,
                           "nothing of keer is there: `keer key new` or `keer serve` makes its tables");
            return KEER_EMISSING;
        }
        return judged(pg, PQexec(pg->conn, "SET default_transaction_read_only = on"));
    }
    err = judged(pg, PQexec(pg->conn, "SET default_transaction_read_only = off"));
    if (err == KEER_OK)
        err = check_durable(pg);
    if (err == KEER_OK)
        err = lock(pg);
    return err == KEER_OK ? fence(pg) : err;
}

static enum keer_err pg_open(const char *where, enum db_access access, struct db **ret_db, struct db_why *why)
{
    struct db_label label;
    struct pg *pg = calloc(1, sizeof *pg);
    if (!pg) {
        (void)snprintf(why->text, sizeof why->text, "%s", keer_err_text(KEER_ENOMEM));
        return KEER_ENOMEM;
    }
    pg->base = (struct db){.driver = &db_postgres, .access = access};
    enum keer_err err = dial(pg, where);
    if (err == KEER_OK)
        err = settings(pg);
    if (err != KEER_OK) {
        (void)snprintf(why->text, sizeof why->text, "%s: %.190s", db_label(where, &label),
                       pg->base.why.text[0] ? pg->base.why.text : keer_err_text(err));
        pg_close(&pg->base);
        return err;
    }
    pg->base.why.text[0] = '\0';
    *ret_db = &pg->base;
    return KEER_OK;
}

static enum keer_err pg_copy(const char *from, const char *to, enum db_copy_kind kind, struct db_copied *ret_copied,
                             struct db_why *why)
{
    UNUSED(from);
    UNUSED(to);
    UNUSED(ret_copied);
    (void)snprintf(why->text, sizeof why->text, "PostgreSQL has its own tools for that: %s",
                   kind == DB_BACKUP ? "pg_dump for this database, pg_basebackup for its server"
                                     : "pg_restore or psql for what pg_dump wrote");
    return KEER_EUNSUPPORTED;
}

/* --- statements --- */

/* One of that text which nobody uses; NULL when there is none. */
static struct pg_stmt *take_kept(struct pg *pg, const char *sql)
{
    for (struct pg_stmt **at = &pg->kept; *at; at = &(*at)->next)
        if (strcmp((*at)->sql, sql) == 0) {
            struct pg_stmt *s = *at;
            *at = s->next;
            s->next = NULL;
            pg->kept_count--;
            return s;
        }
    return NULL;
}

static void drop_stmt(struct pg *pg, struct pg_stmt *s)
{
    char sql[40];
    (void)snprintf(sql, sizeof sql, "DEALLOCATE %s", s->name);
    if (PQtransactionStatus(pg->conn) == PQTRANS_IDLE || PQtransactionStatus(pg->conn) == PQTRANS_INTRANS)
        PQclear(PQexec(pg->conn, sql)); /* else it goes with the session */
    free(s->sql);
    free(s);
}

static enum keer_err pg_prepare(struct db *db, const char *sql, struct db_stmt **ret_stmt)
{
    struct pg *pg = pg_of(db);
    struct pg_stmt *s = take_kept(pg, sql);
    if (s) {
        *ret_stmt = &s->base;
        return KEER_OK;
    }
    s = calloc(1, sizeof *s);
    if (!s || !(s->sql = strdup(sql))) {
        free(s);
        return KEER_ENOMEM;
    }
    s->base.db = db;
    (void)snprintf(s->name, sizeof s->name, "k%u", ++pg->last_name);
    PGresult *r = NULL;
    enum keer_err err = settle(pg) == DB_END ? judged(pg, PQprepare(pg->conn, s->name, sql, 0, NULL)) : KEER_EIO;
    if (err == KEER_OK) {
        r = PQdescribePrepared(pg->conn, s->name);
        err = judge(pg, r) == DB_END ? KEER_OK : KEER_EIO;
    }
    if (err == KEER_OK) {
        s->parameters = PQnparams(r);
        ASSERT(s->parameters <= DB_PARAMETERS_MAX);
        for (int i = 0; i < s->parameters; i++)
            s->type[i] = PQparamtype(r, i);
    }
    PQclear(r);
    if (err != KEER_OK) {
        free(s->sql);
        free(s);
        return err;
    }
    *ret_stmt = &s->base;
    return KEER_OK;
}

static void pg_reset(struct db_stmt *base)
{
    struct pg_stmt *s = stmt_of(base);
    PQclear(s->rows);
    s->rows = NULL;
    s->misfit = 0;
    memset(s->value, 0, sizeof s->value);
}

static void pg_free(struct db_stmt *base)
{
    struct pg *pg = pg_of(base->db);
    struct pg_stmt *s = stmt_of(base), **last = &pg->kept;
    pg_reset(base);
    if (settle(pg) != DB_END)
        base->db->spoiled = true;
    s->next = pg->kept;
    pg->kept = s;
    if (++pg->kept_count <= KEPT_MAX)
        return;
    while ((*last)->next)
        last = &(*last)->next;
    drop_stmt(pg, *last);
    *last = NULL;
    pg->kept_count--;
}

static void bind(struct pg_stmt *s, unsigned parameter, const char *p, size_t len)
{
    ASSERT(parameter >= 1 && parameter <= (unsigned)s->parameters && len <= INT_MAX);
    s->value[parameter - 1] = p ? p : "";
    s->length[parameter - 1] = (int)len;
    s->format[parameter - 1] = 1;
}

static void pg_bind_i64(struct db_stmt *base, unsigned parameter, int64_t v)
{
    struct pg_stmt *s = stmt_of(base);
    uint64_t big = htobe64((uint64_t)v);
    ASSERT(parameter >= 1 && parameter <= (unsigned)s->parameters);
    if (s->type[parameter - 1] != TYPE_INT8)
        s->misfit = parameter;
    memcpy(s->number[parameter - 1], &big, sizeof big);
    bind(s, parameter, s->number[parameter - 1], sizeof big);
}

static void pg_bind_bytes(struct db_stmt *base, unsigned parameter, struct slice v)
{
    bind(stmt_of(base), parameter, v.p, v.len);
}

/* Columns are of the types that db_i64 and db_bytes know. */
static bool is_readable(struct pg *pg, const PGresult *r)
{
    for (int i = 0; i < PQnfields(r); i++)
        switch (PQftype(r, i)) {
        case TYPE_BOOL:
        case TYPE_BYTEA:
        case TYPE_INT8:
        case TYPE_INT2:
        case TYPE_INT4:
        case TYPE_TEXT: break;
        default:
            (void)snprintf(pg->base.why.text, sizeof pg->base.why.text, "column %d has a type that is not read: CAST it", i);
            return false;
        }
    return true;
}

static bool fits(struct pg *pg, const struct pg_stmt *s)
{
    if (s->misfit)
        (void)snprintf(pg->base.why.text, sizeof pg->base.why.text, "parameter $%u is no BIGINT: CAST it", s->misfit);
    return !s->misfit;
}

static enum db_step pg_step(struct db_stmt *base)
{
    struct pg *pg = pg_of(base->db);
    struct pg_stmt *s = stmt_of(base);
    if (!s->rows) {
        enum db_step step = settle(pg);
        if (step != DB_END || !fits(pg, s))
            return step == DB_END ? DB_FAILED : step;
        s->rows = PQexecPrepared(pg->conn, s->name, s->parameters, s->value, s->length, s->format, /* binary */ 1);
        s->row = -1;
        step = judge(pg, s->rows);
        if (step != DB_END || !is_readable(pg, s->rows)) {
            PQclear(s->rows);
            s->rows = NULL;
            return step == DB_END ? DB_FAILED : step;
        }
    }
    if (s->row + 1 >= PQntuples(s->rows))
        return DB_END;
    s->row++;
    return DB_ROW;
}

static enum db_step pg_put(struct db_stmt *base)
{
    struct pg *pg = pg_of(base->db);
    const struct pg_stmt *s = stmt_of(base);
    if (!base->db->in_transaction)
        return pg_step(base);
    if (!fits(pg, s))
        return DB_FAILED;
    if (!enter(pg) || PQsendQueryPrepared(pg->conn, s->name, s->parameters, s->value, s->length, s->format, 1) != 1) {
        (void)failed(pg);
        return DB_FAILED;
    }
    return ++pg->queued >= QUEUED_MAX ? settle(pg) : DB_END;
}

static int64_t pg_i64(struct db_stmt *base, unsigned column)
{
    const struct pg_stmt *s = stmt_of(base);
    const unsigned char *p = (const unsigned char *)PQgetvalue(s->rows, s->row, (int)column);
    int len = PQgetlength(s->rows, s->row, (int)column);
    Oid type = PQftype(s->rows, (int)column);
    ASSERT(type != TYPE_TEXT && type != TYPE_BYTEA);
    uint64_t v = len && (p[0] & 0x80) && type != TYPE_BOOL ? UINT64_MAX : 0; /* the sign */
    for (int i = 0; i < len; i++)
        v = v << 8 | p[i];
    return (int64_t)v;
}

static struct slice pg_column(struct db_stmt *base, unsigned column)
{
    const struct pg_stmt *s = stmt_of(base);
    return slice_of(PQgetvalue(s->rows, s->row, (int)column), (size_t)PQgetlength(s->rows, s->row, (int)column));
}

const struct db_driver db_postgres = {.name = "postgres",
                                      .number = "BIGINT",
                                      .bytes = "BYTEA",
                                      .rows_together = true,
                                      .open = pg_open,
                                      .close = pg_close,
                                      .copy = pg_copy,
                                      .alive = pg_alive,
                                      .exec = pg_exec,
                                      .begin = pg_begin,
                                      .commit = pg_commit,
                                      .rollback = pg_rollback,
                                      .prepare = pg_prepare,
                                      .free = pg_free,
                                      .bind_i64 = pg_bind_i64,
                                      .bind_text = pg_bind_bytes,
                                      .bind_bytes = pg_bind_bytes,
                                      .step = pg_step,
                                      .put = pg_put,
                                      .reset = pg_reset,
                                      .i64 = pg_i64,
                                      .column = pg_column};
