/* recall_fuzz.c - any bytes as the record of a decision; the first one picks the event. What is refused leaves the engine
 * able to decide. What is taken decides, explains itself, and makes a record that is taken as the same decision, explains
 * itself with the same words, and makes the same record. */
#include "core/recall.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char policy_text[] = "currency EUR\n"
                                  "window n = count(purchase) by account over 1h\n"
                                  "window s = sum(amount of purchase) by account over 1d\n"
                                  "window m = mean(amount of purchase) by account over 1d\n"
                                  "window sd = stddev(amount of purchase) by account over 1d\n"
                                  "window d = distinct(device of purchase) by account over 1d\n"
                                  "window f = first(amount of purchase) by account over 1d\n"
                                  "window e = ewma(amount of purchase) by account over 1d half life 1h\n"
                                  "window a = age(purchase) by device\n"
                                  "window ti = time since(purchase) by device\n"
                                  "window l = last(item of purchase) by account\n"
                                  "window lc = last(ip_country of sign_in) by account over 7d\n"
                                  "window fr = count(purchase where fraud) by device over 7d delayed 1h\n"
                                  "window st = streak(outcome = 'failure' of sign_in) by account over 1d\n"
                                  "let big = s + amount > 100 EUR\n"
                                  "let odd = l = item or lc != ip_country\n"
                                  "rule many challenge if n > 2 and big\n"
                                  "rule strange review if odd or m > 2 * sd\n"
                                  "rule fresh challenge if a < 1d or ti > 30d or e > f\n"
                                  "rule known deny if fr > 0 or st > 5 or d > 3\n";

static enum keer_err no_file(void *ctx, const char *path, char **ret_data, size_t *ret_len)
{
    UNUSED(ctx), UNUSED(path), UNUSED(ret_data), UNUSED(ret_len);
    return KEER_EMISSING;
}

struct kit {
    struct keer_policy *policy;
    struct keer_engine *engine;
    struct keer_event *event[3];
};

static struct keer_event *event(const struct keer_schema *s, enum keer_event_type type)
{
    static const char *const texts[][2] = {
        {"account", "liu"}, {"device", "d1"}, {"item", "i1"}, {"ip_country", "NL"}, {"outcome", "failure"}};
    struct keer_event *ev = NULL;
    enum keer_err err = keer_event_new(s, &ev);
    if (err == KEER_OK)
        err = keer_event_set_id(ev, "e1", 2);
    if (err == KEER_OK)
        err = keer_event_set_time(ev, 1538352000 * US_SECOND);
    if (err == KEER_OK)
        err = keer_event_set_type(ev, (int)type);
    for (size_t i = 0; err == KEER_OK && i < ARRAY_LEN(texts); i++) {
        int slot = keer_schema_find(s, texts[i][0], strlen(texts[i][0]));
        if (slot >= 0)
            err = keer_event_set_text(ev, slot, texts[i][1], strlen(texts[i][1]));
    }
    if (err == KEER_OK && type == KEER_EVENT_purchase)
        err = keer_event_set_money(ev, keer_schema_find(s, "amount", 6), 4900, "EUR");
    ASSERT(err == KEER_OK);
    return ev;
}

static const struct kit *kit(void)
{
    static struct kit k;
    static const enum keer_event_type types[] = {KEER_EVENT_purchase, KEER_EVENT_sign_in, KEER_EVENT_top_up};
    struct keer_files files = {NULL, no_file};
    struct keer_engine_options o = {.memory_max = (uint64_t)16 << 20, .events_per_entity = 64};
    if (k.policy)
        return &k;
    ASSERT(policy_make("p", slice_str(policy_text), &files, KEER_POLICY_WITHOUT_MODELS, &k.policy) == KEER_OK);
    ASSERT(keer_engine_new(k.policy, &o, &k.engine) == KEER_OK);
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        k.event[i] = event(&k.policy->schema, types[i]);
    return &k;
}

/* The decision of a record, as all that is known of it: its record, JSON and text. */
static enum keer_err told(const struct kit *k, const struct keer_event *ev, struct slice record, struct buf *again,
                          struct buf *words)
{
    struct keer_decision d;
    enum keer_err err = engine_recall(k->engine, ev, record, &d);
    if (err != KEER_OK)
        return err;
    ASSERT(d.outcome < KEER_OUTCOME_MAX && d.fired_count <= KEER_FIRED_MAX);
    ASSERT(engine_record(k->engine, ev, &d, again) == KEER_OK);
    ASSERT(engine_explain(k->engine, ev, &d, EXPLAIN_JSON, 0, words) == KEER_OK);
    ASSERT(engine_explain(k->engine, ev, &d, EXPLAIN_TEXT, 0, words) == KEER_OK);
    return words->err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct kit *k = kit();
    struct buf one, other, words, same;
    if (!size)
        return 0;
    const struct keer_event *ev = k->event[data[0] % ARRAY_LEN(k->event)];
    buf_init(&one, RECALL_BYTES);
    buf_init(&other, RECALL_BYTES);
    buf_init(&words, (size_t)1 << 20);
    buf_init(&same, (size_t)1 << 20);
    enum keer_err err = told(k, ev, slice_of((const char *)data + 1, size - 1), &one, &words);
    if (err == KEER_OK) {
        ASSERT(told(k, ev, buf_view(&one), &other, &same) == KEER_OK);
        ASSERT(slice_eq(buf_view(&one), buf_view(&other)) && slice_eq(buf_view(&words), buf_view(&same)));
    } else {
        ASSERT(err == KEER_EFORMAT || err == KEER_EVERSION);
    }
    buf_release(&one);
    buf_release(&other);
    buf_release(&words);
    buf_release(&same);
    return 0;
}
