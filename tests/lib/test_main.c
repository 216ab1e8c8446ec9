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
    srunner_run_all(r, CK_SILENT);
    int total = srunner_ntests_run(r), failed = srunner_ntests_failed(r);
    TestResult **results = srunner_results(r);
    for (int i = 0; i < total; i++) {
        bool ok = tr_rtype(results[i]) == CK_PASS;
        printf("%sok - %s: %s", ok ? "" : "not ", tr_tcname(results[i]), ok ? "" : tr_msg(results[i]));
        if (!ok)
            printf(" (%s:%d)", tr_lfile(results[i]), tr_lno(results[i]));
        printf("\n");
    }
    free(results);
    srunner_free(r);
    return failed ? 1 : 0;
}
