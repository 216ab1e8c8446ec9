/* snapshot_fuzz.c - any bytes as a snapshot. The first one says as what, so that no checksum hides what lies behind it:
 *
 *     F  as the whole file
 *     H  as a file whose header gets right magic, version and checksums
 *     W  as the windows, behind the right head and with the right checksum
 *     I  as the ids
 *
 * What is refused is refused; windows that are taken must decide, be saved, and be loaded as the same bytes. */
#include "flow/snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char policy_text[] = "currency EUR\n"
                                  "window n = count(purchase) by account over 1h\n"
                                  "window s = sum(amount of purchase) by account over 1d\n"
                                  "window sd = stddev(amount of purchase) by account over 1d\n"
                                  "window lo = min(amount of purchase) by account over 1d\n"
                                  "window hi = max(amount of purchase) by account\n"
                                  "window d = distinct(device of purchase) by account over 1d\n"
                                  "window f = first(amount of purchase) by account over 1d\n"
                                  "window l = last(amount of purchase) by account over 2d\n"
                                  "window nt = nth(2, amount of purchase) by account over 1d\n"
                                  "window e = ewma(amount of purchase) by account over 1d half life 1h\n"
                                  "window st = streak(outcome = 'failure' of sign_in) by account over 1d\n"
                                  "window a = age(purchase) by device\n"
                                  "window ti = time since(purchase) by device\n"
                                  "window fr = count(purchase where fraud) by device over 7d delayed 1h\n"
                                  "window nf = stddev(amount of purchase where not fraud) by device over 7d\n"
                                  "window lf = last(amount of purchase where fraud) by device over 7d\n"
                                  "window sf = streak(fraud of purchase) by device over 7d\n"
                                  "features n, s, sd, lo, hi, d, f, l, nt, e, st, a, ti, fr, nf, lf, sf\n"
                                  "rule many challenge if n > 2\n";

#define WINDOWS_HEAD (8u + 16u) /* magic, fingerprint of the plan */

static enum keer_err no_file(void *ctx, const char *path, char **ret_data, size_t *ret_len)
{
    UNUSED(ctx), UNUSED(path), UNUSED(ret_data), UNUSED(ret_len);
    return KEER_EMISSING;
}

static const struct snapshot_kind *kind(void)
{
    static struct snapshot_kind k;
    static struct keer_policy *p;
    struct keer_files files = {NULL, no_file};
    if (!p)
        ASSERT(policy_make("p", slice_str(policy_text), &files, KEER_POLICY_WITHOUT_MODELS, &p) == KEER_OK);
    k.policy = p;
    k.limits = (struct keer_engine_options){.memory_max = (uint64_t)64 << 20, .events_per_entity = 64};
    return &k;
}

static void fill(struct keer_event *ev, const struct keer_schema *s, unsigned i)
{
    static const char *const ids[] = {"e0", "e1", "e2", "e3", "e4", "e5", "e6", "e7"};
    static const char *const texts[] = {"a", "b", "c", "d", "e", "f", "g"};
    static const enum keer_event_type types[] = {KEER_EVENT_purchase, KEER_EVENT_purchase, KEER_EVENT_sign_in,
                                                 KEER_EVENT_chargeback};
    keer_event_reset(ev);
    enum keer_err err = keer_event_set_id(ev, ids[i % ARRAY_LEN(ids)], 2);
    if (err == KEER_OK)
        err = keer_event_set_time(ev, 1538352000 * US_SECOND + (int64_t)(i % 5 ? i : 0) * 17 * US_MINUTE);
    if (err == KEER_OK)
        err = keer_event_set_type(ev, (int)types[i % ARRAY_LEN(types)]);
    if (err == KEER_OK)
        err = keer_event_set_text(ev, keer_schema_find(s, "account", 7), texts[i % 2], 1);
    if (err == KEER_OK)
        err = keer_event_set_text(ev, keer_schema_find(s, "device", 6), texts[i % 7], 1);
    if (err == KEER_OK)
        err = keer_event_set_text(ev, keer_schema_find(s, "outcome", 7), "failure", 7);
    if (err == KEER_OK)
        err = keer_event_set_money(ev, keer_schema_find(s, "amount", 6), (int64_t)i * 700, "EUR");
    if (err == KEER_OK && event_type_is_label(ev->type))
        err = keer_event_set_target(ev, ids[i / 2 % ARRAY_LEN(ids)], 2);
    ASSERT(err == KEER_OK);
}

static void decide(struct keer_engine *e, unsigned events)
{
    struct keer_event *ev = NULL;
    const struct keer_schema *s = &kind()->policy->schema;
    ASSERT(keer_event_new(s, &ev) == KEER_OK);
    for (unsigned i = 0; i < events; i++) {
        struct keer_decision d;
        fill(ev, s, i);
        ASSERT(keer_engine_decide(e, ev, &d) == KEER_OK && d.outcome < KEER_OUTCOME_MAX);
    }
    keer_event_free(ev);
}

static struct keer_engine *engine(void)
{
    struct keer_engine *e = NULL;
    ASSERT(keer_engine_new(kind()->policy, &kind()->limits, &e) == KEER_OK);
    return e;
}

static void save(const struct keer_engine *e, struct buf *out)
{
    char *p;
    size_t len;
    ASSERT(keer_engine_save(e, &p, &len) == KEER_OK);
    buf_init(out, SIZE_MAX / 2);
    *out = (struct buf){.p = p, .len = len, .cap = len, .max = out->max};
}

/* An engine with windows out of the bytes: it saves what it loaded, goes on, and is loaded and goes on the same way. */
static void use(struct keer_engine *e, struct slice windows)
{
    struct buf once, twice;
    struct keer_engine *other = engine();
    save(e, &once);
    ASSERT(once.len == windows.len);
    decide(e, 48);
    ASSERT(keer_engine_load(other, once.p, once.len) == KEER_OK);
    decide(other, 48);
    buf_release(&once);
    save(e, &once);
    save(other, &twice);
    ASSERT(slice_eq(buf_view(&once), buf_view(&twice)));
    buf_release(&once);
    buf_release(&twice);
    keer_engine_free(other);
}

static void as_file(struct slice bytes)
{
    struct snapshot s = {0};
    struct seen seen;
    struct keer_engine *e = NULL;
    if (snapshot_parse(bytes, &s) != SNAPSHOT_USED)
        return;
    ASSERT(s.windows.p == bytes.p + sizeof s.header && s.windows.len + s.ids.len == bytes.len - sizeof s.header);
    ASSERT(seen_init(&seen) == KEER_OK);
    if (snapshot_load(&s, kind(), &e, &seen) == SNAPSHOT_USED)
        use(e, s.windows);
    keer_engine_free(e);
    seen_release(&seen);
}

static void as_forged(struct slice bytes)
{
    struct snapshot_header h;
    if (bytes.len < sizeof h)
        return;
    char *file = malloc(bytes.len);
    ASSERT(file);
    memcpy(file, bytes.p, bytes.len);
    memcpy(&h, file, sizeof h);
    memcpy(h.magic, SNAPSHOT_MAGIC, sizeof h.magic);
    h.format = SNAPSHOT_FORMAT;
    h.bytes = sizeof h;
    memset(h.version, 0, sizeof h.version);
    memcpy(h.version, KEER_VERSION, sizeof KEER_VERSION);
    size_t content = bytes.len - sizeof h;
    if (h.windows_bytes <= content && h.ids_bytes == content - h.windows_bytes) {
        crypto_sha256(slice_of(file + sizeof h, (size_t)h.windows_bytes), &h.windows_hash);
        crypto_sha256(slice_of(file + sizeof h + h.windows_bytes, (size_t)h.ids_bytes), &h.ids_hash);
    }
    crypto_sha256(slice_of((const char *)&h, offsetof(struct snapshot_header, self)), &h.self);
    memcpy(file, &h, sizeof h);
    as_file(slice_of(file, bytes.len));
    free(file);
}

static void as_windows(struct slice body)
{
    struct buf state;
    struct keer_engine *e = engine();
    save(e, &state);
    ASSERT(state.len > WINDOWS_HEAD);
    state.len = WINDOWS_HEAD;
    buf_slice(&state, body);
    /* The checksum of window_state.c, whose key guards against accidents and is no secret. */
    struct hash128 sum = hash_bytes((struct hash_key){0x77696E646F772073u, 0x7461746520763031u}, state.p, state.len);
    buf_put(&state, &sum, sizeof sum);
    ASSERT(state.err == KEER_OK);
    if (keer_engine_load(e, state.p, state.len) == KEER_OK)
        use(e, buf_view(&state));
    keer_engine_free(e);
    buf_release(&state);
}

static void as_ids(struct slice bytes)
{
    struct seen one, other;
    struct buf once, twice;
    ASSERT(seen_init(&one) == KEER_OK && seen_init(&other) == KEER_OK);
    if (seen_load(&one, bytes)) {
        buf_init(&once, SEEN_BYTES_MAX);
        buf_init(&twice, SEEN_BYTES_MAX);
        seen_save(&one, &once);
        ASSERT(once.err == KEER_OK && seen_load(&other, buf_view(&once)));
        seen_save(&other, &twice);
        ASSERT(slice_eq(buf_view(&once), buf_view(&twice)));
        buf_release(&once);
        buf_release(&twice);
    }
    seen_release(&one);
    seen_release(&other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of((const char *)data + 1, size ? size - 1 : 0);
    switch (size ? data[0] : 0) {
    case 'F': as_file(rest); break;
    case 'H': as_forged(rest); break;
    case 'W': as_windows(rest); break;
    case 'I': as_ids(rest); break;
    default: break;
    }
    return 0;
}
