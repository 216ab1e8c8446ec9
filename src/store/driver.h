/* driver.h - what a driver of db.h implements. Every function has the contract of its namesake there. */
#ifndef STORE_DRIVER_H
#define STORE_DRIVER_H
#include "store/db.h"

#define DB_PARAMETERS_MAX 48

struct db_driver {
    const char *name;
    const char *number, *bytes; /* for {number} and {bytes} in migrations */
    const char *clustered;      /* for {clustered}; NULL is nothing */
    /* Whether an INSERT of several rows is cheaper than one for each: with PostgreSQL it is; SQLite copies each page that it
     * touches first, in case the statement fails half-way. */
    bool rows_together;
    enum keer_err (*open)(const char *where, enum db_access access, struct db **ret_db, struct db_why *ret_why);
    enum keer_err (*copy)(const char *from, const char *to, enum db_copy_kind kind, struct db_copied *ret_copied,
                          struct db_why *ret_why);
    void (*close)(struct db *db);
    bool (*alive)(struct db *db);
    enum keer_err (*exec)(struct db *db, const char *sql);
    enum keer_err (*begin)(struct db *db);
    enum db_outcome (*commit)(struct db *db);
    void (*rollback)(struct db *db);
    enum keer_err (*tidy)(struct db *db); /* NULL: nothing to do */
    enum keer_err (*prepare)(struct db *db, const char *sql, struct db_stmt **ret_stmt);
    void (*free)(struct db_stmt *s);
    void (*bind_i64)(struct db_stmt *s, unsigned parameter, int64_t v);
    void (*bind_text)(struct db_stmt *s, unsigned parameter, struct slice v);
    void (*bind_bytes)(struct db_stmt *s, unsigned parameter, struct slice v);
    enum db_step (*step)(struct db_stmt *s);
    enum db_step (*put)(struct db_stmt *s);
    void (*reset)(struct db_stmt *s);
    int64_t (*i64)(struct db_stmt *s, unsigned column);
    struct slice (*column)(struct db_stmt *s, unsigned column);
};

/* A driver's own structs begin with these. */
struct db {
    const struct db_driver *driver;
    enum db_access access;
    bool in_transaction, spoiled; /* db.c's */
    struct db_why why;
};
struct db_stmt {
    struct db *db;
};

extern const struct db_driver db_sqlite, db_postgres;
#endif
