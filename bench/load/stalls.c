/* stalls.c - how long this machine stands still of itself: a thread on each processor reads the clock without end, and what it
 * misses is what the system, its interrupts and, in a virtual machine, its host and neighbours took.
 *
 *     stalls SECONDS            while nothing else runs
 *     stalls SECONDS beside     beside a load: one thread at real-time priority (where that is allowed) that sleeps 2 ms again
 *                               and again, which costs the load next to nothing; what it is late is not the load's doing
 *
 * No program's p99 is below what stands here: with 1 % of the time in gaps of 5 ms and more, a request that comes at a random
 * moment waits so long for the processor alone. A host that gives a virtual machine so much processor time in each tenth of a
 * second, and its own work for the machine's disk and network with it, lets it stand still at the end of many tenths:
 * `beside` says how many of its gaps lie in the same fifth of a tenth.
 */
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CPUS_MAX 64
#define BOUNDS 4
static const int64_t bound_us[BOUNDS] = {300, 1000, 2000, 4000};

struct spinner {
    pthread_t thread;
    int cpu;
    int64_t for_us, most_us;
    int64_t gaps[BOUNDS], gap_us[BOUNDS]; /* as long as the bound and longer: how many, together */
};

static int64_t now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void *spin(void *ctx)
{
    struct spinner *s = ctx;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)s->cpu, &one);
    (void)pthread_setaffinity_np(pthread_self(), sizeof one, &one);
    int64_t begun = now_us(), before = begun;
    while (before - begun < s->for_us) {
        int64_t now = now_us(), gap = now - before;
        for (int i = 0; i < BOUNDS && gap >= bound_us[i]; i++) {
            s->gaps[i]++;
            s->gap_us[i] += gap;
        }
        s->most_us = gap > s->most_us ? gap : s->most_us;
        before = now;
    }
    return NULL;
}

#define SLEEP_US 2000
#define LATE_US 3000
#define TENTH_US 100000
#define PARTS 20 /* of a tenth of a second */

/* Gaps of LATE_US and more of a thread that sleeps, and when in a tenth of a second they began. */
static int beside(double seconds)
{
    const struct timespec sleep = {.tv_nsec = SLEEP_US * 1000};
    const struct sched_param first = {.sched_priority = 50};
    unsigned late = 0, part[PARTS] = {0}, most = 0;
    int64_t lost = 0, longest = 0;
    bool urgent = sched_setscheduler(0, SCHED_RR, &first) == 0;
    for (int64_t begun = now_us(), before = begun; before - begun < (int64_t)(seconds * 1e6);) {
        (void)nanosleep(&sleep, NULL);
        int64_t now = now_us(), gap = now - before - SLEEP_US;
        if (gap >= LATE_US) {
            late++;
            lost += gap;
            part[before % TENTH_US * PARTS / TENTH_US]++;
            longest = gap > longest ? gap : longest;
        }
        before = now;
    }
    for (unsigned i = 0; i < PARTS; i++) {
        unsigned fifth = part[i] + part[(i + 1) % PARTS] + part[(i + 2) % PARTS] + part[(i + 3) % PARTS];
        most = fifth > most ? fifth : most;
    }
    printf(
        "meanwhile a thread that sleeps%s was 3 ms late or more %.1f times a second, %.2f %% of the time, at most %.1f ms",
        urgent ? " at real-time priority" : "", late / seconds, (double)lost / seconds / 1e4, (double)longest / 1e3);
    if (late)
        printf("; %.0f %% of it in the same fifth of a tenth of a second", 100.0 * most / late);
    printf("\n");
    return 0;
}

int main(int argc, char **argv)
{
    static struct spinner spinner[CPUS_MAX];
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 0;
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    bool sleeps = argc == 3 && strcmp(argv[2], "beside") == 0;
    if (!(seconds > 0 && seconds <= 3600) || cpus < 1 || argc != (sleeps ? 3 : 2)) {
        fprintf(stderr, "stalls: wrong use; see the head of bench/load/stalls.c\n");
        return 2;
    }
    if (sleeps)
        return beside(seconds);
    cpus = cpus < CPUS_MAX ? cpus : CPUS_MAX;
    for (int i = 0; i < cpus; i++) {
        spinner[i].cpu = i;
        spinner[i].for_us = (int64_t)(seconds * 1e6);
        if (pthread_create(&spinner[i].thread, NULL, spin, &spinner[i]) != 0)
            return 2;
    }
    struct spinner all = {0};
    for (int i = 0; i < cpus; i++) {
        (void)pthread_join(spinner[i].thread, NULL);
        for (int k = 0; k < BOUNDS; k++) {
            all.gaps[k] += spinner[i].gaps[k];
            all.gap_us[k] += spinner[i].gap_us[k];
        }
        all.most_us = spinner[i].most_us > all.most_us ? spinner[i].most_us : all.most_us;
    }
    printf("the machine stands still, a second on each of %ld processors:", cpus);
    for (int k = 0; k < BOUNDS; k++)
        printf(" %.1f times %.1f ms or longer (%.2f %% of the time)%s", (double)all.gaps[k] / seconds / (double)cpus,
               (double)bound_us[k] / 1e3, (double)all.gap_us[k] / seconds / (double)cpus / 1e4, k + 1 < BOUNDS ? "," : "");
    printf("; at most %.1f ms\n", (double)all.most_us / 1e3);
    return 0;
}
