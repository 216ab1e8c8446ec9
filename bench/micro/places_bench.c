/* places_bench.c - what memory alone takes of an event: some cache lines in each of some places of a big memory, fetched
 * AHEAD events before their turn as the engine does, and written at their turn; alone, and beside work in registers.
 *
 * places_bench [MEGABYTES]: 1,240 when not said, what the engine holds for a million accounts. Lines are `name value unit`;
 * comments begin with #. places_P_L is P places of L lines; _beside what they add to an event that works WORK rounds. It
 * measures the machine and not the project, so that `make bench` does not run it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/hash.h"
#include "base/num.h"

#define EVENTS 400000u
#define ROUNDS 7u
#define AHEAD 16u
#define WORK 200u /* rounds of hash_mix, one after the other: about what a decision takes in the caches */
#define PAGE 4096u
#define LINE 64u
#define PLACES_MAX 16u

struct floor {
    unsigned char *memory;
    uint64_t pages;
};
struct load {
    unsigned places, lines, work;
};

static double now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Place k of event i: a page, and where in it L lines have room. */
static inline unsigned char *place(const struct floor *f, const struct load *l, uint64_t i, unsigned k)
{
    uint64_t h = hash_mix(i * PLACES_MAX + k);
    return f->memory + h % f->pages * PAGE + (h >> 48) % (PAGE / LINE - l->lines + 1) * LINE;
}

/* ns an event. */
static double spend(const struct floor *f, const struct load *l, uint64_t from, uint64_t *sum)
{
    double began = now_s();
    for (uint64_t i = from; i < from + EVENTS; i++) {
        for (unsigned k = 0; k < l->places; k++) {
            const unsigned char *p = place(f, l, i + AHEAD, k);
            for (unsigned line = 0; line < l->lines; line++)
                __builtin_prefetch(p + (size_t)line * LINE, 1);
        }
        uint64_t x = *sum;
        for (unsigned w = 0; w < l->work; w++)
            x = hash_mix(x + w);
        for (unsigned k = 0; k < l->places; k++) {
            unsigned char *p = place(f, l, i, k);
            for (unsigned line = 0; line < l->lines; line++)
                x += p[(size_t)line * LINE]++;
        }
        *sum = x;
    }
    return (now_s() - began) / EVENTS * 1e9;
}

/* The best round: neighbours only add. */
static double best(const struct floor *f, const struct load *l, uint64_t *sum)
{
    double least = 1e18;
    static uint64_t from;
    for (unsigned round = 0; round < ROUNDS; round++, from += EVENTS) {
        double ns = spend(f, l, from, sum);
        least = ns < least ? ns : least;
    }
    return least;
}

int main(int argc, char **argv)
{
    static const struct load loads[] = {{13, 2, 0}, {12, 2, 0}, {9, 3, 0}, {8, 3, 0}, {4, 7, 0}, {4, 5, 0}, {4, 1, 0}};
    int64_t megabytes = 1240;
    if (argc > 2 || (argc == 2 && num_i64(slice_str(argv[1]), 1, 16384, &megabytes) != KEER_OK)) {
        fprintf(stderr, "usage: places_bench [MEGABYTES]\n");
        return 2;
    }
    size_t bytes = (size_t)megabytes << 20;
    struct floor f = {.pages = bytes / PAGE};
    f.memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (f.memory == MAP_FAILED) {
        fprintf(stderr, "places_bench: no memory of %lld MB\n", (long long)megabytes);
        return 1;
    }
    (void)madvise(f.memory, bytes, MADV_HUGEPAGE);
    memset(f.memory, 1, bytes);
    uint64_t sum = 1;
    struct load work = {.work = WORK};
    double worked = best(&f, &work, &sum);
    printf("places_work %.0f ns\n", worked);
    for (unsigned i = 0; i < ARRAY_LEN(loads); i++) {
        struct load l = loads[i];
        printf("places_%u_%u %.0f ns\n", l.places, l.lines, best(&f, &l, &sum));
        l.work = WORK;
        double both = best(&f, &l, &sum);
        printf("places_%u_%u_beside %.0f ns\n", l.places, l.lines, both - worked);
    }
    printf("# %llu\n", (unsigned long long)sum % 10); /* so that nothing is left out */
    (void)munmap(f.memory, bytes);
    return 0;
}
