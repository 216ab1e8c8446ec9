/* scratch.h - a folder of its own for a test, and paths in it. */
#ifndef TESTS_LIB_SCRATCH_H
#define TESTS_LIB_SCRATCH_H
#include <dirent.h>
#include <unistd.h>

#include "lib/test.h"

struct scratch {
    char dir[64], path[400];
};

static inline void scratch_make(struct scratch *s)
{
    /* In memory where that is there: the tests sync thousands of times. */
    (void)snprintf(s->dir, sizeof s->dir, "%s/keer-test-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    ASSERT(mkdtemp(s->dir) != NULL); /* programs that are no Check tests use this as well */
}

/* Valid until the next call. */
static inline const char *scratch_path(struct scratch *s, const char *name)
{
    (void)snprintf(s->path, sizeof s->path, "%s/%s", s->dir, name);
    return s->path;
}

static inline void scratch_remove(struct scratch *s)
{
    DIR *d = opendir(s->dir);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;)
        if (e->d_name[0] != '.')
            (void)unlink(scratch_path(s, e->d_name));
    if (d)
        (void)closedir(d);
    (void)rmdir(s->dir);
}
#endif
