/* alipay_vectors_test.c - published vectors of Alipay: notices and answers that its official client verified, texts that it signed, serial numbers of
 * certificates. Skipped where the shared data is not there.
 */
#include "lib/wallet_kit.h"
#include "wallet/alipay/alipay.h"

/* What is no string stands in a notice as JSON without white space. */
static void value_of(const struct tape *t, uint32_t v, struct slice json, struct buf *b)
{
    size_t at = tape_at(t, v);
    struct slice text = json_span(slice_of(json.p + at, json.len - at));
    if (tape_type(t, v) == TAPE_STRING)
        buf_slice(b, tape_text(t, v));
    else
        for (size_t i = 0; i < text.len; i++)
            if (!ascii_space(text.p[i]))
                buf_char(b, text.p[i]);
}

static void read_vectors(struct buf *text, struct tape *t, const char *name)
{
    static const struct tape_limits limits = {.bytes = 1u << 20, .values = 10000, .depth = 10, .keys = 100};
    struct tape_error error;
    buf_init(text, 2u << 20);
    ck_assert_msg(wire_shared(name, text), "%s", name);
    *t = (struct tape){0};
    ck_ok(tape_read(t, buf_view(text), &limits, &error));
}

/* Of the names, what is behind the last slash is the file's. */
static struct crypto_key *vector_key(const struct tape *t, uint32_t v)
{
    char name[80];
    struct slice path = driver_text(t, v, "public_key");
    while (path.p && memchr(path.p, '/', path.len))
        (void)slice_cut(&path, '/');
    (void)snprintf(name, sizeof name, SLICE_FMT, SLICE_ARG(path));
    return wire_shared_key(name);
}

static void check_notice_vector(struct alipay *a, const struct tape *t, uint32_t v, struct slice json)
{
    struct form_field field[FORM_FIELDS_MAX];
    struct buf values[FORM_FIELDS_MAX], text;
    unsigned n = 0;
    uint32_t params = tape_find(t, v, "params");
    struct slice sign = driver_text(t, v, "sign"), want = driver_text(t, v, "sign_string");
    bool valid = false, expected = tape_type(t, tape_find(t, v, "expect")) == TAPE_TRUE;
    for (uint32_t k = params + 1; n < t->v[params].len; k = t->v[k + 1].next, n++) {
        buf_init(&values[n], 1u << 16);
        value_of(t, k + 1, json, &values[n]);
        field[n] = (struct form_field){tape_text(t, k), buf_view(&values[n])};
    }
    buf_init(&text, 1u << 16);
    unsigned fields = n;
    if (tape_find(t, params, "sign_type") == TAPE_NONE) /* 'removed by the caller' of that client: on the wire it is there */
        field[fields++] = (struct form_field){SLICE("sign_type"), SLICE("RSA2")};
    for (int with_type = 0; with_type < 2 && !valid; with_type++) {
        buf_clear(&text);
        alipay_sign_string(field, fields, with_type == 1, &text);
        valid = alipay_verify(a, SLICE(""), 0, buf_view(&text), sign);
        if (valid)
            ck_slice_eq(buf_view(&text), want);
    }
    ck_assert_msg(valid == expected, SLICE_FMT, SLICE_ARG(driver_text(t, v, "name")));
    for (size_t i = 0; valid && i < text.len; i++) { /* any byte counts */
        text.p[i] ^= 1;
        if (i % 16 == 0)
            ck_assert(!alipay_verify(a, SLICE(""), 0, buf_view(&text), sign));
        text.p[i] ^= 1;
    }
    while (n)
        buf_release(&values[--n]);
    buf_release(&text);
}

/* Of Alipay's own client: valid ones are accepted, others refused. */
START_TEST(vectors_of_alipay)
{
    struct buf text;
    struct tape t;
    struct wallet_why why;
    if (!shared_dir())
        return;
    ck_ok(crypto_start());
    read_vectors(&text, &t, "alipay/verify.json");
    uint32_t list = tape_find(&t, 0, "vectors");
    unsigned synchronous = 0;
    for (uint32_t v = list + 1, i = 0; i < t.v[list].len; i++, v = t.v[v].next) {
        struct alipay a = {.keys = 1};
        struct slice raw = driver_text(&t, v, "raw");
        a.key[0] = vector_key(&t, v);
        if (!raw.len) {
            check_notice_vector(&a, &t, v, buf_view(&text));
        } else {
            struct alipay_answer r = {0};
            wallet_response_init(&r.http);
            r.http.status = 200;
            buf_slice(&r.http.body, raw);
            ck_assert_int_eq(alipay_read_v2(&a, 0, "alipay.open.file.upload", &r, &why), ALIPAY_DONE);
            ck_slice_eq(driver_text(&r.tape, r.at, "file_id"), SLICE("CAxAToWB1JsAAAAAAAAAAAAADgSLAQBr"));
            *(char *)memmem(r.http.body.p, r.http.body.len, "Success", 7) = 's';
            ck_assert_int_eq(alipay_read_v2(&a, 0, "alipay.open.file.upload", &r, &why), ALIPAY_UNKNOWN);
            ck_assert_int_eq(why.reason, WALLET_BAD_SIGNATURE);
            alipay_answer_release(&r);
            synchronous++;
        }
        crypto_key_free(a.key[0]);
    }
    ck_assert_uint_eq(synchronous, 1);
    ck_assert_uint_gt(t.v[list].len, 5);
    tape_release(&t);
    buf_release(&text);
}
END_TEST

/* Texts that the official client signed in a run of its own: under its key, and of ours byte for byte. */
START_TEST(vectors_of_requests)
{
    struct buf text, made;
    struct tape t;
    if (!shared_dir())
        return;
    ck_ok(crypto_start());
    read_vectors(&text, &t, "alipay/sign-derived.json");
    struct crypto_key *key = wire_shared_key("app_pub.pem");
    uint32_t list = tape_find(&t, 0, "vectors");
    for (uint32_t v = list + 1, i = 0; i < t.v[list].len; i++, v = t.v[v].next)
        ck_assert(sign_verify(key, driver_text(&t, v, "sign_string"), driver_text(&t, v, "sign")));
    struct form_field field[] = {
        {SLICE("version"), SLICE("1.0")},
        {SLICE("method"), SLICE("alipay.trade.pay")},
        {SLICE("charset"), SLICE("utf-8")},
        {SLICE("sign"), SLICE("x")},
        {SLICE("app_auth_token"), SLICE("")},
        {SLICE("sign_type"), SLICE("RSA2")},
        {SLICE("timestamp"), SLICE("2018-10-10 10:11:42")},
        {SLICE("notify_url"), SLICE("http://127.0.0.1:1/n?a=b&c=d")},
        {SLICE("app_id"), SLICE("2018102900000001")},
        {SLICE("biz_content"), SLICE("{\"out_trade_no\":\"o1\",\"total_amount\":\"88.88\",\"subject\":\"礼品卡 & = % +\","
                                     "\"product_code\":\"GENERAL_WITHHOLDING\",\"agreement_params\":{\"agreement_no\":"
                                     "\"20170322450983769228\"}}")}};
    buf_init(&made, 1u << 16);
    alipay_sign_string(field, ARRAY_LEN(field), /* with_type */ true, &made);
    ck_slice_eq(buf_view(&made), driver_text(&t, list + 1, "sign_string"));
    buf_release(&made);
    crypto_key_free(key);
    tape_release(&t);
    buf_release(&text);
}
END_TEST

START_TEST(vectors_of_certificates)
{
    static const struct {
        const char *file, *member;
    } files[] = {{"alipay/appCertPublicKey_2021001161683774.crt", "app_cert_sn"},
                 {"alipay/alipayCertPublicKey_RSA2.crt", "alipay_cert_sn"},
                 {"alipay/alipayRootCert.crt", "root_cert_sn"}};
    struct buf text;
    struct tape t;
    if (!shared_dir())
        return;
    ck_ok(crypto_start());
    read_vectors(&text, &t, "alipay/cert-sn.json");
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        struct buf pem;
        char names[400] = "", name[CRYPTO_CERT_NAME_BYTES];
        struct crypto_cert *cert;
        buf_init(&pem, 2u << 20);
        ck_assert(wire_shared(files[i].file, &pem));
        struct slice rest = buf_view(&pem);
        while (crypto_cert_pem(&rest, &cert) == KEER_OK) {
            ck_ok(crypto_cert_name(cert, name));
            size_t at = strlen(names);
            if (crypto_cert_signed_by_rsa(cert))
                (void)snprintf(names + at, sizeof names - at, "%s%s", at ? "_" : "", name);
            crypto_cert_free(cert);
        }
        ck_slice_eq(slice_str(names), driver_text(&t, 0, files[i].member));
        buf_release(&pem);
    }
    tape_release(&t);
    buf_release(&text);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("alipay_vectors");
    TCase *t = tcase_create("alipay_vectors");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, vectors_of_alipay);
    tcase_add_test(t, vectors_of_requests);
    tcase_add_test(t, vectors_of_certificates);
    suite_add_tcase(s, t);
    return test_main(s);
}
