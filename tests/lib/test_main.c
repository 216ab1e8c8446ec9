/* test_main.c - runs a Check suite in this process and prints a line per test; finds the shared data. */
#include <sys/stat.h>

#include "lib/test.h"

const char *shared_dir(void)
{
    const char *dir = getenv("KEER_SHARED");
    struct stat st;
    if (!dir)
        dir = "../shared";
    if (stat(dir, &st) == 0 && S_ISDIR(st.st_mode))
        return dir;
    printf("skipped: shared data not present\n");
    return NULL;
}

int test_main(Suite *s)
{
    SRunner *r = srunner_create(s);
    const char *fork = getenv("CK_FORK");
    if (!fork)
        srunner_set_fork_status(r, CK_NOFORK);
    srunner_set_tap(r, "-"); /* 'ok 1 - file:case:test: Passed' and 'not ok ...', one line a test */
    srunner_run_all(r, CK_SILENT);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
