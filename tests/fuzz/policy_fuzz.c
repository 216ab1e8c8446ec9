/* policy_fuzz.c - any text as a policy: parse, check, compile; when it compiles, a few events are decided and explained. */
#include <math.h>

#include "core/engine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Files that policies may name: a list, rates. */
static enum keer_err read_file(void *ctx, const char *path, char **ret_data, size_t *ret_len)
{
    static const char text[] = "EUR 1\nUSD 1.15\nCNY 7.9 # a comment\n";
    UNUSED(ctx);
    if (strlen(path) > 8)
        return KEER_EMISSING;
    *ret_data = malloc(sizeof text);
    if (!*ret_data)
        return KEER_ENOMEM;
    memcpy(*ret_data, text, sizeof text);
    *ret_len = sizeof text - 1;
    return KEER_OK;
}

static void fill(struct keer_event *ev, const struct keer_schema *s, unsigned i)
{
    static const char *const texts[] = {"a", "10.0.0.1", "NL", "success", "failure", "x@example.com"};
    keer_event_reset(ev);
    char id[16];
    (void)snprintf(id, sizeof id, "e%u", i);
    enum keer_err err = keer_event_set_id(ev, "id", 2);
    if (err == KEER_OK)
        err = keer_event_set_time(ev, 1538352000 * US_SECOND + (int64_t)i * 37 * US_MINUTE);
    if (err == KEER_OK)
        err = keer_event_set_type(ev, (int)(i * 7 % s->type_count));
    for (int slot = 0; slot < keer_schema_count(s) && err == KEER_OK; slot++) {
        const char *text = texts[(i + (unsigned)slot) % ARRAY_LEN(texts)];
        if ((i + (unsigned)slot) % 5 == 0)
            continue;
        switch (keer_schema_type(s, slot)) {
        case KEER_TEXT:
        case KEER_IP: err = keer_event_set_text(ev, slot, text, strlen(text)); break;
        case KEER_NUMBER: err = keer_event_set_number(ev, slot, (double)i * 1.5 - 3); break;
        case KEER_BOOLEAN: err = keer_event_set_boolean(ev, slot, i & 1); break;
        case KEER_MONEY: err = keer_event_set_money(ev, slot, (int64_t)i * 997 - 500, i % 3 ? "EUR" : "USD"); break;
        case KEER_ATTR_TYPE_MAX: break;
        }
    }
    if (err == KEER_OK && event_type_is_label(ev->type)) {
        err = keer_event_set_target(ev, "id", 2);
        if (err == KEER_OK)
            err = keer_event_set_label(ev, i & 1 ? KEER_LABEL_FRAUD : KEER_LABEL_GENUINE, ev->time_us);
    }
    ASSERT(err == KEER_OK);
}

static void run(struct keer_policy *p)
{
    struct keer_engine *e = NULL;
    struct keer_event *ev = NULL;
    if (keer_engine_new(p, NULL, &e) != KEER_OK || keer_event_new(&p->schema, &ev) != KEER_OK)
        abort();
    for (unsigned i = 0; i < 12; i++) {
        struct keer_decision d;
        struct buf out;
        fill(ev, &p->schema, i);
        if (keer_engine_decide(e, ev, &d) != KEER_OK)
            abort();
        buf_init(&out, (size_t)64 << 20);
        if (engine_explain(e, ev, &d, i & 1 ? EXPLAIN_JSON : EXPLAIN_TEXT, 3, &out) != KEER_OK)
            abort();
        buf_release(&out);
    }
    keer_event_free(ev);
    keer_engine_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct keer_files files = {NULL, read_file};
    struct keer_policy *p = NULL;
    enum keer_err err = policy_make("fuzz", slice_of((const char *)data, size), &files, KEER_POLICY_WITHOUT_MODELS, &p);
    if (p) {
        struct buf out;
        buf_init(&out, (size_t)16 << 20);
        diags_print(&p->diags, &out);
        diags_json(&p->diags, &out);
        buf_release(&out);
    }
    if (err == KEER_OK)
        run(p);
    keer_policy_free(p);
    return 0;
}
