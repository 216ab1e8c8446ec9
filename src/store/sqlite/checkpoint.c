/* checkpoint.c - a checkpoint in pieces. */
#include "store/sqlite/checkpoint.h"

/* --- the thread --- */

/* The database file as SQLite has it open. */
static sqlite3_file *file_of(sqlite3 *conn)
{
    sqlite3_file *f = NULL;
    return sqlite3_file_control(conn, "main", SQLITE_FCNTL_FILE_POINTER, (void *)&f) == SQLITE_OK && f && f->pMethods ? f
                                                                                                                      : NULL;
}

static void *sync_main(void *ctx)
{
    struct checkpoint *c = ctx;
    (void)pthread_setname_np(pthread_self(), "keer-sync");
    (void)pthread_mutex_lock(&c->lock);
    while (!c->stop) {
        if (!c->wanted) {
            (void)pthread_cond_wait(&c->told, &c->lock);
            continue;
        }
        c->wanted = false;
        c->busy = true;
        (void)pthread_mutex_unlock(&c->lock);
        sqlite3_file *f = file_of(c->guard);
        bool ok = f && f->pMethods->xSync(f, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY) == SQLITE_OK;
        (void)pthread_mutex_lock(&c->lock);
        c->busy = false;
        c->failed |= !ok;
    }
    (void)pthread_mutex_unlock(&c->lock);
    return NULL;
}

static int want_sync(struct checkpoint *c)
{
    if (!c->running && pthread_create(&c->thread, NULL, sync_main, c) != 0)
        return SQLITE_NOMEM;
    c->running = true;
    (void)pthread_mutex_lock(&c->lock);
    c->wanted = true;
    (void)pthread_cond_signal(&c->told);
    (void)pthread_mutex_unlock(&c->lock);
    return SQLITE_OK;
}

/* --- the steps --- */

static int after_commit(void *ctx, sqlite3 *conn, const char *name, int frames)
{
    struct checkpoint *c = ctx;
    (void)conn, (void)name;
    c->frames = (unsigned)frames;
    return SQLITE_OK;
}

static int run(sqlite3_stmt *s)
{
    int code = sqlite3_step(s);
    (void)sqlite3_reset(s);
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

static int let_go(struct checkpoint *c)
{
    int code = c->held ? run(c->end) : SQLITE_OK;
    c->held = c->held && code != SQLITE_OK;
    return code;
}

static int hold(struct checkpoint *c)
{
    int code = let_go(c);
    if (code == SQLITE_OK)
        code = run(c->begin);
    if (code != SQLITE_OK)
        return code;
    c->held = true;
    c->held_at = c->frames;
    return run(c->look); /* the snapshot begins with the first page that is read */
}

static int copy(struct checkpoint *c)
{
    int code = sqlite3_wal_checkpoint_v2(c->conn, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    return code == SQLITE_BUSY || code == SQLITE_LOCKED ? SQLITE_OK : code;
}

int checkpoint_step(struct checkpoint *c)
{
    if (c->frames < CHECKPOINT_PIECE) {
        c->held_at = 0;
        return let_go(c);
    }
    (void)pthread_mutex_lock(&c->lock);
    bool busy = c->busy || c->wanted, failed = c->failed;
    (void)pthread_mutex_unlock(&c->lock);
    if (failed)
        return SQLITE_IOERR_FSYNC;
    if (!c->held) /* after the last piece, a reader may keep the WAL from beginning anew */
        return c->frames >= c->held_at && c->frames < c->held_at + CHECKPOINT_PIECE ? SQLITE_OK : hold(c);
    if (busy && !checkpoint_overdue(c))
        return SQLITE_OK;
    int code = SQLITE_OK;
    if (c->frames >= CHECKPOINT_FULL) {
        code = let_go(c);
        if (code == SQLITE_OK)
            code = copy(c);
        c->held_at = c->frames;
        return code;
    }
    if (c->frames < c->held_at + CHECKPOINT_PIECE)
        return SQLITE_OK;
    code = copy(c);
    if (code == SQLITE_OK)
        code = hold(c);
    return code == SQLITE_OK ? want_sync(c) : code;
}

/* --- life --- */

int checkpoint_begin(struct checkpoint *c, sqlite3 *conn, const char *path)
{
    *c = (struct checkpoint){.conn = conn};
    (void)pthread_mutex_init(&c->lock, NULL); /* these don't fail on Linux */
    (void)pthread_cond_init(&c->told, NULL);
    int code = sqlite3_exec(conn, "PRAGMA wal_autocheckpoint=0", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_open_v2(path, &c->guard, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_db_config(c->guard, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(c->guard,
                            "PRAGMA query_only=ON; PRAGMA mmap_size=0; PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=8",
                            NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_prepare_v3(c->guard, "BEGIN", -1, SQLITE_PREPARE_PERSISTENT, &c->begin, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_prepare_v3(c->guard, "COMMIT", -1, SQLITE_PREPARE_PERSISTENT, &c->end, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_prepare_v3(c->guard, "SELECT rootpage FROM sqlite_master LIMIT 1", -1, SQLITE_PREPARE_PERSISTENT,
                                  &c->look, NULL);
    if (code == SQLITE_OK)
        (void)sqlite3_wal_hook(conn, after_commit, c);
    return code;
}

void checkpoint_end(struct checkpoint *c)
{
    if (!c->conn)
        return;
    if (c->running) {
        (void)pthread_mutex_lock(&c->lock);
        c->stop = true;
        (void)pthread_cond_signal(&c->told);
        (void)pthread_mutex_unlock(&c->lock);
        (void)pthread_join(c->thread, NULL);
    }
    if (c->failed)
        (void)sqlite3_db_config(c->conn, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    (void)let_go(c);
    (void)sqlite3_finalize(c->begin);
    (void)sqlite3_finalize(c->look);
    (void)sqlite3_finalize(c->end);
    (void)sqlite3_close(c->guard);
    (void)pthread_mutex_destroy(&c->lock);
    (void)pthread_cond_destroy(&c->told);
    *c = (struct checkpoint){0};
}
