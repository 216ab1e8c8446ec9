/* policy_kit.h - a policy, an engine and a history in a few lines: what the tests of the policy language share. */
#ifndef TESTS_LIB_POLICY_KIT_H
#define TESTS_LIB_POLICY_KIT_H
#include <math.h>

#include "base/num.h"
#include "core/engine.h"
#include "lib/test.h"

/* Check writes to a file at every assertion that holds; in inner loops only those that don't hold may cost. */
#define REQUIRE(x, ...)                \
    do {                               \
        if (!(x))                      \
            ck_abort_msg(__VA_ARGS__); \
    } while (0)

struct kit_file {
    const char *path, *text;
};

/* Files for keer_files: `ctx` is an array of kit_file, ended by a NULL path. */
static inline enum keer_err kit_read(void *ctx, const char *path, char **ret_data, size_t *ret_len)
{
    for (const struct kit_file *f = ctx; f && f->path; f++)
        if (strcmp(f->path, path) == 0) {
            size_t len = strlen(f->text);
            char *data = malloc(len + 1);
            if (!data)
                return KEER_ENOMEM;
            memcpy(data, f->text, len + 1);
            *ret_data = data;
            *ret_len = len;
            return KEER_OK;
        }
    return KEER_EMISSING;
}

struct kit {
    struct keer_policy *p;
    struct keer_engine *e;
    struct keer_event *ev;
    struct keer_decision d;
    char id[24];
    unsigned n;
};

static inline enum keer_err kit_make(const char *text, struct kit_file *files, struct keer_policy **ret_policy)
{
    struct keer_files from = {files, kit_read};
    return policy_make("p", slice_str(text), &from, KEER_POLICY_WITHOUT_MODELS, ret_policy);
}

static inline struct kit kit_files(const char *text, struct kit_file *files)
{
    struct kit k = {0};
    enum keer_err err = kit_make(text, files, &k.p);
    if (err != KEER_OK) {
        struct buf out;
        buf_init(&out, 100000);
        diags_print(&k.p->diags, &out);
        ck_abort_msg("%s: %s", keer_err_name(err), out.p ? out.p : "");
    }
    REQUIRE(keer_engine_new(k.p, NULL, &k.e) == KEER_OK, "engine");
    REQUIRE(keer_event_new(&k.p->schema, &k.ev) == KEER_OK, "event");
    return k;
}
static inline struct kit kit_new(const char *text) { return kit_files(text, NULL); }

static inline void kit_free(struct kit *k)
{
    keer_event_free(k->ev);
    keer_engine_free(k->e);
    keer_policy_free(k->p);
    *k = (struct kit){0};
}

#define KIT_START ((int64_t)1538352000 * US_SECOND) /* Monday 2018-10-01T00:00:00Z */

static inline int64_t kit_time(struct slice s)
{
    int64_t us = 0;
    REQUIRE(slice_eq(s, SLICE("0")) || duration_parse(s, &us) == KEER_OK, "time '%.*s'", SLICE_ARG(s));
    return KIT_START + us;
}

/* name=value: money as 5.00EUR or in bare minor units, label=fraud@7d (known at that time of the history), target=, id=. */
static inline void kit_set(struct kit *k, struct slice name, struct slice v)
{
    enum keer_err err;
    double number = 0;
    int slot = keer_schema_find(&k->p->schema, name.p, name.len);
    if (slice_eq(name, SLICE("id"))) {
        err = keer_event_set_id(k->ev, v.p, v.len);
    } else if (slice_eq(name, SLICE("target"))) {
        err = keer_event_set_target(k->ev, v.p, v.len);
    } else if (slice_eq(name, SLICE("label"))) {
        struct slice what = slice_cut(&v, '@');
        err = keer_event_set_label(k->ev, slice_eq(what, SLICE("fraud")) ? KEER_LABEL_FRAUD : KEER_LABEL_GENUINE,
                                   v.p ? kit_time(v) : k->ev->time_us);
    } else if (slot < 0) {
        return; /* an attribute that the policy does not look at */
    } else if (keer_schema_type(&k->p->schema, slot) == KEER_MONEY) {
        char code[4] = "";
        size_t digits = v.len;
        while (digits && !ascii_digit(v.p[digits - 1]))
            digits--;
        int64_t minor;
        if (digits < v.len)
            memcpy(code, v.p + digits, 3);
        err = num_scaled(slice_of(v.p, digits), code[0] ? currency_exponent(currency_parse(slice_str(code))) : 0, &minor);
        if (err == KEER_OK)
            err = keer_event_set_money(k->ev, slot, minor, code[0] ? code : NULL);
    } else if (keer_schema_type(&k->p->schema, slot) == KEER_NUMBER) {
        err = num_f64(v, &number);
        if (err == KEER_OK)
            err = keer_event_set_number(k->ev, slot, number);
    } else if (keer_schema_type(&k->p->schema, slot) == KEER_BOOLEAN) {
        err = keer_event_set_boolean(k->ev, slot, slice_eq(v, SLICE("true")));
    } else {
        err = keer_event_set_text(k->ev, slot, v.p, v.len);
    }
    REQUIRE(err == KEER_OK, "%.*s=%.*s: %s", SLICE_ARG(name), SLICE_ARG(v), keer_err_name(err));
}

/* "10m purchase account=a amount=5EUR": fills the event. */
static inline void kit_fill(struct kit *k, const char *line)
{
    struct slice rest = slice_str(line), time = slice_cut(&rest, ' '), type = slice_cut(&rest, ' ');
    keer_event_reset(k->ev);
    (void)snprintf(k->id, sizeof k->id, "e%u", k->n++);
    REQUIRE(keer_event_set_id(k->ev, k->id, strlen(k->id)) == KEER_OK, "id");
    REQUIRE(keer_event_set_time(k->ev, kit_time(time)) == KEER_OK, "time");
    REQUIRE(keer_event_set_type(k->ev, keer_schema_event_type(&k->p->schema, type.p, type.len)) == KEER_OK, "type '%.*s'",
            SLICE_ARG(type));
    while (rest.len) {
        struct slice value = slice_cut(&rest, ' '), name = slice_cut(&value, '=');
        kit_set(k, name, value);
    }
}

/* Decides the event of `line`; ids are e0, e1, ... unless the line gives one. */
static inline enum keer_outcome kit_decide(struct kit *k, const char *line)
{
    kit_fill(k, line);
    enum keer_err err = keer_engine_decide(k->e, k->ev, &k->d);
    REQUIRE(err == KEER_OK, "%s: %s", line, keer_err_name(err));
    return k->d.outcome;
}

/* A let or window after the last decision: money in minor units, durations in seconds, conditions 0 and 1, NaN = missing. */
static inline double kit_value(const struct kit *k, const char *name)
{
    for (unsigned i = 0; i < k->p->let_count; i++)
        if (slice_eq(k->p->lets[i].stmt->name, slice_str(name)))
            return k->p->lets[i].stmt->value->type == TYPE_TEXT ? (k->e->text_registers[k->p->lets[i].reg] ? 1 : NAN)
                                                                : k->e->registers[k->p->lets[i].reg];
    ck_abort_msg("no let %s", name);
    return NAN;
}

static inline bool kit_fired(const struct kit *k, const char *rule)
{
    for (unsigned i = 0; i < MIN_OF(k->d.fired_count, (unsigned)KEER_FIRED_MAX); i++)
        if (strcmp(keer_policy_rule_name(k->p, k->d.fired[i]), rule) == 0)
            return true;
    return false;
}

/* The history's lines, parted by '\n'; then the value of `let v = EXPRESSION` at the last of them. `head` comes before in
 * the policy. */
static inline double kit_after(const char *head, const char *expression, const char *history)
{
    char text[8192], line[512];
    (void)snprintf(text, sizeof text, "%s\nlet v = %s\nfeatures v\n", head, expression);
    struct kit k = kit_new(text);
    struct slice rest = slice_str(history);
    static char kept[64][512]; /* the engine may look at texts until it has decided */
    for (unsigned i = 0; rest.len; i++) {
        struct slice one = slice_cut(&rest, '\n');
        REQUIRE(one.len < sizeof line, "line");
        memcpy(kept[i % 64], one.p, one.len);
        kept[i % 64][one.len] = '\0';
        (void)kit_decide(&k, kept[i % 64]);
    }
    double v = kit_value(&k, "v");
    kit_free(&k);
    return v;
}
#define ck_value(head, expression, history, want)                                                           \
    do {                                                                                                    \
        double have_ = kit_after(head, expression, history), want_ = (want);                                \
        ck_assert_msg((isnan(have_) && isnan(want_)) || fabs(have_ - want_) <= 1e-9 * fmax(1, fabs(want_)), \
                      "%s: %.17g, want %.17g", expression, have_, want_);                                   \
    } while (0)
#endif
