/* db_fail.h - the database under the unit tests (linked with --wrap): the n-th begin, step, put or commit fails on demand.
 *
 * A commit that fails is answered DB_UNKNOWN; with `lands` it was done all the same, as a sync that failed may have been.
 */
#ifndef TESTS_LIB_DB_FAIL_H
#define TESTS_LIB_DB_FAIL_H
#include "base/base.h"

void db_fail_arm(uint64_t n, bool lands); /* 0 switches it off */
bool db_fail_hit(void);                   /* whether it failed since it was armed */
#endif
