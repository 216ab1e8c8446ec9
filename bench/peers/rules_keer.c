/* rules_keer.c - rules.keer over the events of rules.mjs, through the public interface of libkeer alone.
 *
 * Usage: rules_keer rules.keer EVENTS.tsv SECONDS. Prints JSON with events/s and the hits of each rule. Events are made
 * once, before the clock starts, and decided in batches of 1,000 on one thread.
 */
#include <keer/engine.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH 1000u
#define RULES_MAX 64u
#define COLUMNS_MAX 32

static void must(enum keer_err err, const char *what)
{
    if (err == KEER_OK)
        return;
    fprintf(stderr, "rules_keer: %s: %s\n", what, keer_err_text(err));
    exit(1);
}

static char *read_whole(const char *path, size_t *ret_len)
{
    FILE *f = fopen(path, "rb");
    long size = -1;
    if (f && fseek(f, 0, SEEK_END) == 0)
        size = ftell(f);
    char *text = size < 0 ? NULL : malloc((size_t)size + 1);
    if (!text || fseek(f, 0, SEEK_SET) != 0 || fread(text, 1, (size_t)size, f) != (size_t)size) {
        fprintf(stderr, "rules_keer: %s cannot be read\n", path);
        exit(1);
    }
    (void)fclose(f);
    text[size] = '\0';
    *ret_len = (size_t)size;
    return text;
}

static double now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Attributes that the policy does not use have no slot. */
static void set_field(struct keer_event *e, const struct keer_schema *s, int slot, const char *value)
{
    if (slot < 0)
        return;
    switch (keer_schema_type(s, slot)) {
    case KEER_TEXT:
    case KEER_IP: must(keer_event_set_text(e, slot, value, strlen(value)), value); break;
    case KEER_NUMBER: must(keer_event_set_number(e, slot, strtod(value, NULL)), value); break;
    case KEER_BOOLEAN: must(keer_event_set_boolean(e, slot, strcmp(value, "true") == 0), value); break;
    case KEER_MONEY: must(keer_event_set_money(e, slot, strtoll(value, NULL, 10), "EUR"), value); break;
    case KEER_ATTR_TYPE_MAX: break;
    }
}

/* The next field of a line, ended in place; *at goes past it. *ret_last when the line ends with it. */
static char *next_field(char **at, int *ret_last)
{
    char *field = *at, *end = field + strcspn(field, "\t\n");
    *ret_last = *end != '\t';
    *at = *end ? end + 1 : end;
    *end = '\0';
    return field;
}

/* Events and their ids, which borrow their texts from here and from the text of the file. */
struct events {
    size_t n;
    struct keer_event **event;
    char (*id)[24];
};

static struct events read_events(char *text, const struct keer_schema *s)
{
    int slot[COLUMNS_MAX], columns = 0, last = 0, type = keer_schema_event_type(s, "purchase", 8);
    struct events ev = {0};
    size_t lines = 0;
    for (const char *c = text; *c; c++)
        lines += *c == '\n';
    ev.event = calloc(lines + 1, sizeof(struct keer_event *));
    ev.id = calloc(lines + 1, sizeof *ev.id);
    if (!ev.event || !ev.id)
        must(KEER_ENOMEM, "events");
    char *at = text;
    for (; !last && columns < COLUMNS_MAX; columns++) {
        const char *name = next_field(&at, &last);
        slot[columns] = keer_schema_find(s, name, strlen(name));
    }
    for (; *at; ev.n++) {
        struct keer_event *e;
        must(keer_event_new(s, &e), "event");
        for (int i = 0; i < columns; i++)
            set_field(e, s, slot[i], next_field(&at, &last));
        must(keer_event_set_id(e, ev.id[ev.n], (size_t)snprintf(ev.id[ev.n], sizeof ev.id[0], "%zu", ev.n)), "id");
        must(keer_event_set_time(e, INT64_C(1538352000000000) + (int64_t)ev.n * 1000), "time");
        must(keer_event_set_type(e, type), "type");
        ev.event[ev.n] = e;
    }
    return ev;
}

static void count_hits(const struct keer_decision *d, size_t n, unsigned long long *hits)
{
    for (size_t i = 0; i < n; i++) {
        if (d[i].fired_count > KEER_FIRED_MAX)
            must(KEER_ELIMIT, "more rules matched an event than a decision names");
        for (unsigned k = 0; k < d[i].fired_count; k++)
            hits[d[i].fired[k]]++;
    }
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: rules_keer POLICY EVENTS SECONDS\n");
        return 2;
    }
    static struct keer_decision decisions[BATCH];
    unsigned long long hits[RULES_MAX] = {0};
    struct keer_policy *policy;
    struct keer_engine *engine;
    struct keer_files none = {0};
    char *messages = NULL;
    size_t policy_len, events_len, done = 0;
    char *policy_text = read_whole(argv[1], &policy_len), *events_text = read_whole(argv[2], &events_len);
    double seconds = strtod(argv[3], NULL), spent = 0;
    enum keer_err err = keer_policy_new(argv[1], policy_text, policy_len, &none, 0, &policy, &messages);
    if (err != KEER_OK && messages)
        fprintf(stderr, "%s", messages);
    free(messages);
    must(err, argv[1]);
    must(keer_policy_rules(policy) <= RULES_MAX ? KEER_OK : KEER_ELIMIT, "rules");
    must(keer_engine_new(policy, NULL, &engine), "engine");
    struct events ev = read_events(events_text, keer_policy_schema(policy));
    size_t n = ev.n;
    must(n ? KEER_OK : KEER_EMISSING, argv[2]);
    while (spent < seconds || done < n) {
        size_t from = done % n, count = n - from < BATCH ? n - from : BATCH;
        double start = now_s();
        must(keer_engine_decide_many(engine, (const struct keer_event *const *)ev.event + from, count, decisions), "decide");
        spent += now_s() - start;
        if (done < n)
            count_hits(decisions, count, hits);
        done += count;
    }
    printf("{\"events_per_s\":%.0f,\"events\":%zu,\"hits\":[", (double)done / spent, n);
    for (unsigned i = 0; i < keer_policy_rules(policy); i++)
        printf("%s%llu", i ? "," : "", hits[i]);
    printf("]}\n");
    for (size_t i = 0; i < n; i++)
        keer_event_free(ev.event[i]);
    free(ev.event);
    free(ev.id);
    keer_engine_free(engine);
    keer_policy_free(policy);
    free(policy_text);
    free(events_text);
    return 0;
}
