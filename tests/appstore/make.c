/* make.c - an App Store for tests/integration/appstore.sh: `make FOLDER NOW_MS TOKEN` writes root.pem and cases, a line
 * each: name, what we say (genuine, forged, garbled, foreign), whether Apple's library takes it, and the JWS, parted by
 * tabs; `flow`, the notices of one purchase; and `sandbox`, a notice of that environment.
 */
#include <stdio.h>

#include "lib/appstore_cases.h"

static FILE *open_in(const char *folder, const char *name)
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    ASSERT(f != NULL);
    return f;
}

static void put(void *ctx, const struct ak_case *c, struct slice text)
{
    static const char *const verdicts[] = {"genuine", "forged", "garbled", "foreign"};
    ASSERT(c->ours < ARRAY_LEN(verdicts));
    (void)fprintf(ctx, "%s\t%s\t%s\t" SLICE_FMT "\n", c->name, verdicts[c->ours], c->apple ? "yes" : "no", SLICE_ARG(text));
}

/* Notices of one purchase, of one account: bought, refund asked for, refunded, taken back; and one nobody knows. */
static void put_flow(const struct ak *k, FILE *f, const char *token)
{
    static const char *const types[] = {
        "ONE_TIME_CHARGE", "CONSUMPTION_REQUEST", "REFUND", "REFUND_DECLINED", "REFUND_REVERSED",
        "REVOKE",          "SOMETHING_NEW",       "TEST",   "EXPIRED"};
    struct buf b;
    buf_init(&b, 1u << 18);
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        char uuid[APPSTORE_UUID_BYTES + 1];
        (void)snprintf(uuid, sizeof uuid, "00000000-0000-4000-8000-%012zu", i);
        const struct ak_recipe r = {.type = types[i],
                                    .uuid = uuid,
                                    .token = token,
                                    .reason = i == 1 ? "UNINTENDED_PURCHASE" : NULL,
                                    .no_transaction = i == 7};
        ak_notice(k, &r, &b);
        (void)fprintf(f, "%s\t%s\t" SLICE_FMT "\n", types[i], uuid, SLICE_ARG(buf_view(&b)));
        buf_clear(&b);
    }
    buf_release(&b);
}

int main(int argc, char **argv)
{
    struct ak k;
    struct buf pem;
    if (argc != 4) {
        (void)fprintf(stderr, "usage: %s FOLDER NOW_MS TOKEN\n", argv[0]);
        return 2;
    }
    ak_now_ms = strtoll(argv[2], NULL, 10);
    ak_start(&k);
    buf_init(&pem, 1u << 16);
    buf_puts(&pem, "-----BEGIN CERTIFICATE-----\n");
    for (size_t at = 0; at < k.root.cert.len; at += 48) {
        base64_put(&pem, slice_of(k.root.cert.p + at, MIN_OF(48u, k.root.cert.len - at)));
        buf_char(&pem, '\n');
    }
    buf_puts(&pem, "-----END CERTIFICATE-----\n");
    FILE *f = open_in(argv[1], "root.pem");
    (void)fwrite(pem.p, 1, pem.len, f);
    ASSERT(fclose(f) == 0);
    buf_release(&pem);
    f = open_in(argv[1], "root.der");
    (void)fwrite(k.root.cert.p, 1, k.root.cert.len, f);
    ASSERT(fclose(f) == 0);
    f = open_in(argv[1], "cases");
    ak_all(&k, put, f);
    ASSERT(fclose(f) == 0);
    f = open_in(argv[1], "flow");
    put_flow(&k, f, argv[3]);
    ASSERT(fclose(f) == 0);
    ak_stop(&k);
    return 0;
}
