/* faults.c - what goes wrong on command. */
#include "emulator/faults.h"

#include "base/hash.h"
#include "base/num.h"

static const struct {
    const char *name, *text;
    int64_t ms;
} rows[] = {
#define EMULATOR_FAULT(name, ms, text) {#name, text, ms},
#include "emulator/faults.def"
#undef EMULATOR_FAULT
};
static_assert(ARRAY_LEN(rows) == FAULT_MAX, "a row for each fault");

struct fault_seen { /* an open table by the hash; count 0: free */
    struct hash128 what;
    uint32_t count;
};

void faults_init(struct faults *f, uint64_t seed)
{
    *f = (struct faults){.seed = seed};
    pthread_mutex_init(&f->lock, NULL);
}

void faults_release(struct faults *f)
{
    free(f->seen);
    pthread_mutex_destroy(&f->lock);
}

static enum fault fault_of(struct slice name)
{
    unsigned i = 0;
    while (i < FAULT_MAX && !slice_eq(name, slice_str(rows[i].name)))
        i++;
    return (enum fault)i;
}

/* Cuts *text at the last `c`; p NULL when there is none. */
static struct slice cut_last(struct slice *text, char c)
{
    const char *at = text->len ? memrchr(text->p, c, text->len) : NULL;
    struct slice rest = {NULL, 0};
    if (at) {
        rest = slice_of(at + 1, text->len - (size_t)(at - text->p) - 1);
        text->len = (size_t)(at - text->p);
    }
    return rest;
}

static enum keer_err rule_parse(struct slice text, struct fault_rule *r, char ret_why[160])
{
    struct slice value = text, name = slice_cut(&value, '=');
    struct slice times = cut_last(&value, '*');
    struct slice match = value, chance = slice_cut(&match, '@');
    struct slice ms = chance;
    chance = slice_cut(&ms, ':');
    const char *why = NULL;
    *r = (struct fault_rule){.fault = fault_of(slice_trim(name)), .left = -1};
    if (r->fault == FAULT_MAX)
        why = "there is no such fault";
    else if (num_f64(chance, &r->chance) != KEER_OK || !(r->chance >= 0 && r->chance <= 1))
        why = "a probability from 0 to 1 was expected behind =";
    else if (ms.p && num_i64(ms, 0, 600000, &r->ms) != KEER_OK)
        why = "milliseconds from 0 to 600000 were expected behind :";
    else if (match.p && (!match.len || match.len > FAULT_MATCH_BYTES))
        why = "a number or path of at most 64 bytes was expected behind @";
    else if (times.p && num_i64(times, 1, 1000000000, &r->left) != KEER_OK)
        why = "how many times was expected behind *";
    if (why) {
        (void)snprintf(ret_why, 160, "'%.60s': %s", text.p ? text.p : "", why);
        return KEER_EINVALID;
    }
    if (!ms.p)
        r->ms = rows[r->fault].ms;
    if (match.len)
        memcpy(r->match, match.p, match.len); /* it is all zeros */
    return KEER_OK;
}

enum keer_err faults_set(struct faults *f, struct slice spec, char ret_why[160])
{
    struct fault_rule list[FAULT_RULES];
    unsigned count = 0;
    for (struct slice rest = spec; rest.p && rest.len;) {
        struct slice one = slice_trim(slice_cut(&rest, ','));
        if (count == FAULT_RULES) {
            (void)snprintf(ret_why, 160, "at most %d rules are taken", FAULT_RULES);
            return KEER_EINVALID;
        }
        enum keer_err err = rule_parse(one, &list[count], ret_why);
        if (err != KEER_OK)
            return err;
        count++;
    }
    pthread_mutex_lock(&f->lock);
    if (count)
        memcpy(f->rule, list, count * sizeof *list);
    f->count = count;
    pthread_mutex_unlock(&f->lock);
    return KEER_OK;
}

static struct fault_rule *rule_for(struct faults *f, enum fault fault, struct slice what, struct slice number)
{
    struct fault_rule *found = NULL;
    for (unsigned i = 0; i < f->count; i++) {
        struct fault_rule *r = &f->rule[i];
        struct slice match = slice_str(r->match);
        if (r->fault != fault || !r->left)
            continue;
        if (match.len && (slice_eq(match, number) || slice_has(what, match)))
            return r;
        if (!match.len && !found)
            found = r;
    }
    return found;
}

/* How often it was asked before. Without memory for the table it is told as 0, and the draw repeats. */
static uint32_t seen_before(struct faults *f, struct hash128 what)
{
    if (f->seen_count * 2 >= f->seen_cap) {
        size_t cap = MAX_OF(f->seen_cap * 2, (size_t)1024);
        struct fault_seen *wider = calloc(cap, sizeof *wider);
        if (!wider)
            return 0;
        for (size_t i = 0; i < f->seen_cap; i++) {
            size_t at = f->seen[i].what.lo & (cap - 1);
            while (f->seen[i].count && wider[at].count)
                at = (at + 1) & (cap - 1);
            if (f->seen[i].count)
                wider[at] = f->seen[i];
        }
        free(f->seen);
        f->seen = wider;
        f->seen_cap = cap;
    }
    size_t at = what.lo & (f->seen_cap - 1);
    while (f->seen[at].count && (f->seen[at].what.lo != what.lo || f->seen[at].what.hi != what.hi))
        at = (at + 1) & (f->seen_cap - 1);
    f->seen_count += !f->seen[at].count;
    f->seen[at].what = what;
    return f->seen[at].count++;
}

bool fault_strikes(struct faults *f, enum fault fault, struct slice what, struct slice number, int64_t *ret_us)
{
    bool strikes = false;
    pthread_mutex_lock(&f->lock);
    struct fault_rule *r = rule_for(f, fault, what, number);
    if (r && r->chance > 0) {
        struct hash_key key = {f->seed, (uint64_t)fault + 1};
        struct hash128 h = hash_join(hash_bytes(key, what.p, what.len), hash_bytes(key, number.p, number.len));
        uint64_t draw = hash_mix(h.lo ^ hash_mix(h.hi + seen_before(f, h)));
        strikes = (double)(draw >> 11) * 0x1p-53 < r->chance;
        *ret_us = r->ms * 1000;
        if (strikes && r->left > 0)
            r->left--;
        f->struck[fault] += strikes;
    }
    pthread_mutex_unlock(&f->lock);
    return strikes;
}

void faults_print(struct faults *f, struct buf *b)
{
    pthread_mutex_lock(&f->lock);
    buf_puts(b, "{\"rules\":[");
    for (unsigned i = 0; i < f->count; i++) {
        const struct fault_rule *r = &f->rule[i];
        buf_fmt(b, "%s{\"fault\":\"%s\",\"chance\":", i ? "," : "", rows[r->fault].name);
        buf_f64(b, r->chance);
        buf_fmt(b, ",\"ms\":%lld,\"match\":", (long long)r->ms);
        buf_json(b, slice_str(r->match));
        buf_fmt(b, ",\"left\":%lld}", (long long)r->left);
    }
    buf_puts(b, "],\"faults\":[");
    for (unsigned i = 0; i < FAULT_MAX; i++) {
        buf_fmt(b, "%s{\"name\":\"%s\",\"struck\":%llu,\"text\":", i ? "," : "", rows[i].name,
                (unsigned long long)f->struck[i]);
        buf_json(b, slice_str(rows[i].text));
        buf_puts(b, "}");
    }
    buf_puts(b, "]}\n");
    pthread_mutex_unlock(&f->lock);
}
