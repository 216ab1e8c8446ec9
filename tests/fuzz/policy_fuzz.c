/* policy_fuzz.c - any text as a policy: parse, check, compile; when it compiles, events are decided and explained by two
 * engines, one of which is saved and loaded half way: both must say the same, byte for byte. */
#include <math.h>

#include "core/engine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EVENTS 14u

/* Files that policies may name, told apart by their first letter: rates, networks, texts. */
static enum keer_err read_file(void *ctx, const char *path, char **ret_data, size_t *ret_len)
{
    static const char rates[] = "EUR 1\nUSD 1.15\nCNY 7.9 # a comment\nJPY,160\n";
    static const char nets[] = "10.0.0.0/8\n\n# more\n2001:db8::/32\n";
    static const char texts[] = "a\r\nNL # home\n\"success\",\n1.5\n";
    const char *text = path[0] == 'r' ? rates : path[0] == 'n' ? nets : texts;
    UNUSED(ctx);
    if (strlen(path) > 8)
        return KEER_EMISSING;
    *ret_data = malloc(strlen(text) + 1);
    if (!*ret_data)
        return KEER_ENOMEM;
    memcpy(*ret_data, text, strlen(text) + 1);
    *ret_len = strlen(text);
    return KEER_OK;
}

static void fill(struct keer_event *ev, const struct keer_schema *s, unsigned i)
{
    static const char *const texts[] = {"a", "10.0.0.1", "NL", "success", "failure", "x@example.com"};
    static const char *const ids[EVENTS] = {"e0", "e1", "e2", "e3",  "e4",  "e5",  "e6",
                                            "e7", "e8", "e9", "e10", "e11", "e12", "e13"};
    keer_event_reset(ev);
    enum keer_err err = keer_event_set_id(ev, ids[i], strlen(ids[i]));
    if (err == KEER_OK)
        err = keer_event_set_time(ev, 1538352000 * US_SECOND + (int64_t)i * 37 * US_MINUTE);
    if (err == KEER_OK) /* half of them purchases, the others whatever there is */
        err = keer_event_set_type(ev, i & 1 ? KEER_EVENT_purchase : (int)(i * 7 % s->type_count));
    for (int slot = 0; slot < keer_schema_count(s) && err == KEER_OK; slot++) {
        const char *text = texts[(i / 2 + (unsigned)slot) % ARRAY_LEN(texts)];
        if ((i + (unsigned)slot) % 5 == 0)
            continue;
        switch (keer_schema_type(s, slot)) {
        case KEER_TEXT:
        case KEER_IP: err = keer_event_set_text(ev, slot, text, strlen(text)); break;
        case KEER_NUMBER: err = keer_event_set_number(ev, slot, i == 9 ? 1e300 : (double)i * 1.5 - 3); break;
        case KEER_BOOLEAN: err = keer_event_set_boolean(ev, slot, i & 1); break;
        case KEER_MONEY:
            err = keer_event_set_money(ev, slot, (int64_t)i * 997 - 500, i % 3 ? "EUR" : i % 2 ? "GBP" : NULL);
            break;
        case KEER_ATTR_TYPE_MAX: break;
        }
    }
    if (err == KEER_OK && event_type_is_label(ev->type)) {
        const char *target = ids[i / 2];
        err = keer_event_set_target(ev, target, strlen(target));
        if (err == KEER_OK)
            err = keer_event_set_label(ev, i & 2 ? KEER_LABEL_FRAUD : KEER_LABEL_GENUINE, ev->time_us);
    }
    ASSERT(err == KEER_OK);
}

static void decide(struct keer_engine *e, const struct keer_event *ev, enum explain_form form, struct buf *out)
{
    struct keer_decision d;
    ASSERT(keer_engine_decide(e, ev, &d) == KEER_OK);
    ASSERT(d.outcome < KEER_OUTCOME_MAX);
    buf_init(out, (size_t)64 << 20);
    ASSERT(engine_explain(e, ev, &d, form, 3, out) == KEER_OK);
}

static struct keer_engine *engine(const struct keer_policy *p)
{
    struct keer_engine *e = NULL;
    ASSERT(keer_engine_new(p, NULL, &e) == KEER_OK);
    return e;
}

static struct keer_engine *through_state(const struct keer_policy *p, struct keer_engine *e)
{
    char *state;
    size_t len;
    struct keer_engine *other = engine(p);
    ASSERT(keer_engine_save(e, &state, &len) == KEER_OK);
    ASSERT(keer_engine_load(other, state, len) == KEER_OK);
    free(state);
    keer_engine_free(e);
    return other;
}

static void run(const struct keer_policy *p)
{
    struct keer_engine *a = engine(p), *b = engine(p);
    struct keer_event *ev = NULL;
    ASSERT(keer_event_new(&p->schema, &ev) == KEER_OK);
    for (unsigned i = 0; i < EVENTS; i++) {
        struct buf x, y;
        fill(ev, &p->schema, i);
        if (i == EVENTS / 2)
            b = through_state(p, b);
        enum explain_form form = i & 2 ? EXPLAIN_JSON : EXPLAIN_TEXT;
        decide(a, ev, form, &x);
        decide(b, ev, form, &y);
        ASSERT(slice_eq(buf_view(&x), buf_view(&y)));
        buf_release(&x);
        buf_release(&y);
    }
    keer_event_free(ev);
    keer_engine_free(a);
    keer_engine_free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct keer_files files = {NULL, read_file};
    struct keer_policy *p = NULL;
    enum keer_err err = policy_make("fuzz", slice_of((const char *)data, size), &files, KEER_POLICY_WITHOUT_MODELS, &p);
    ASSERT(err != KEER_ENOMEM);
    ASSERT((err == KEER_OK) == (p->diags.errors == 0));
    struct buf out;
    buf_init(&out, (size_t)16 << 20);
    diags_print(&p->diags, &out);
    ASSERT((out.len > 0) == (p->diags.count > 0)); /* whoever is refused is told why */
    diags_json(&p->diags, &out);
    buf_release(&out);
    if (err == KEER_OK)
        run(p);
    keer_policy_free(p);
    return 0;
}
