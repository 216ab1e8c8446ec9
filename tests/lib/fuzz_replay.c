/* fuzz_replay.c - feeds the files of a folder to a fuzz target, so that each corpus is replayed by `make test`. */
#include <dirent.h>

#include "base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
    int files = 0;
    if (argc < 2)
        return 2;
    DIR *dir = opendir(argv[1]);
    if (!dir) {
        printf("not ok - no corpus folder %s\n", argv[1]);
        return 1;
    }
    for (struct dirent *d; (d = readdir(dir));) {
        char path[4096];
        if (d->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", argv[1], d->d_name);
        FILE *f = fopen(path, "rb");
        if (!f)
            continue;
        uint8_t *data = malloc(1 << 20);
        size_t n = data ? fread(data, 1, 1 << 20, f) : 0;
        (void)LLVMFuzzerTestOneInput(data, n);
        free(data);
        (void)fclose(f);
        files++;
    }
    (void)closedir(dir);
    printf("%sok - %d inputs replayed from %s\n", files ? "" : "not ", files, argv[1]);
    return files ? 0 : 1;
}
