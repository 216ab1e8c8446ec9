/* bill_test.c - statements in pieces of every length, and what is refused. */
#include "flow/bill.h"
#include "lib/test.h"

static enum keer_err note(void *ctx, const struct bill_line *l)
{
    static const char *const whats[] = {"signed", "ended", "paid", "closed", "failed", "reversed", "waits"};
    buf_fmt(ctx, "%c %s %.*s/%.*s/%.*s %lld %s %lld\n", "acr"[l->kind], whats[l->what], SLICE_ARG(l->number),
            SLICE_ARG(l->ref), SLICE_ARG(l->charge), (long long)l -> amount_minor,
            l -> currency == CUR_MAX ? "-" : currency_code(l->currency), (long long)(l->at_us / 1000000));
    return KEER_OK;
}

/* Reads a statement in pieces of `step` bytes. */
static enum keer_err read_all(struct slice text, size_t step, enum bill_format format, struct buf *out, struct bill *b)
{
    enum keer_err err = KEER_OK;
    buf_clear(out);
    bill_init(b, format, note, out);
    for (size_t i = 0; err == KEER_OK && i < text.len; i += step)
        err = bill_feed(b, slice_of(text.p + i, MIN_OF(step, text.len - i)));
    if (err == KEER_OK)
        err = bill_end(b);
    bill_release(b);
    return err;
}

static const char JOURNAL[] =
    "{\"seq\":1,\"time\":\"2018-10-10T00:00:01Z\",\"wallet\":\"alipay\",\"kind\":\"agreement\",\"what\":\"signed\","
    "\"number\":\"a1\",\"ref\":\"r\"}\n"
    "{\"seq\":2,\"time\":\"2018-10-10T00:00:02Z\",\"wallet\":\"alipay\",\"kind\":\"charge\",\"what\":\"paid\",\"number\":"
    "\"c1\",\"ref\":\"w\",\"amount\":64800,\"currency\":\"CNY\"}\n"
    "\n"
    "{\"seq\":3,\"time\":\"2018-10-10T00:00:03Z\",\"wallet\":\"alipay\",\"kind\":\"refund\",\"what\":\"paid\",\"number\":"
    "\"r1\",\"ref\":\"v\",\"charge\":\"c1\",\"amount\":1,\"currency\":\"CNY\"}";
static const char ALIPAY[] =
    "\xef\xbb\xbf#x\r\n商户订单号,支付宝交易号,业务类型,商品名称,完成时间,订单金额（元）,退款批次号/请求号\r\n"
    "c1\t,2018\t,交易,pack,2018-10-10 08:00:02,648.00,\t\r\n"
    "c1\t,2018\t,\xcd\xcb\xbf\xee,pack,2018-10-10 08:00:03,-1.00,r1\t\r\n"
    "c1\t,2018\t,退款,pack,2018-10-10 08:00:04,-2.00,\r\n#end\r\n";
static const char WECHAT[] =
    "交易时间,微信订单号,商户订单号,交易状态,货币种类,微信退款单号,商户退款单号,申请退款金额,退款状态,商品名称,订单金额\r\n"
    "`2018-10-10 08:00:02,`42,`c1,`SUCCESS,`CNY,`0,`0,`0.00,`,`a pack, of coins,`648.00\r\n"
    "`2018-10-10 08:00:03,`42,`c1,`REFUND,`CNY,`50,`r1,`1.00,`PROCESSING,`x,`0.00\r\n"
    "`2018-10-10 08:00:04,`42,`c1,`REVOKED,`CNY,`0,`0,`0.00,`,`x,`648.00\r\n总交易单数,x\r\n`3,`1\r\n";

static const struct {
    const char *text, *want;
    enum bill_format format;
} good[] = {
    {JOURNAL, "a signed a1/r/ 0 - 1539129601\nc paid c1/w/ 64800 CNY 1539129602\nr paid r1/v/c1 1 CNY 1539129603\n",
     BILL_JOURNAL},
    {ALIPAY,
     "c paid c1/2018/ 64800 CNY 1539129602\nr paid r1//c1 100 CNY 1539129603\nr paid /2018-10-10 08:00:04/c1 200 CNY "
     "1539129604\n",
     BILL_ALIPAY},
    {WECHAT,
     "c paid c1/42/ 64800 CNY 1539129602\nr waits r1/50/c1 100 CNY 1539129603\nc reversed c1/42/ 64800 CNY 1539129604\n",
     BILL_WECHATPAY},
};

START_TEST(statements_in_pieces_of_every_length)
{
    struct buf out;
    struct bill b;
    buf_init(&out, 10000);
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        for (size_t step = 1; step < 700; step += step < 40 ? 1 : 97) {
            enum keer_err err = read_all(slice_str(good[i].text), step, BILL_AUTO, &out, &b);
            ck_assert_msg(err == KEER_OK, "line %llu: %s", (unsigned long long)b.why.line, b.why.text);
            ck_slice_eq(buf_view(&out), slice_str(good[i].want));
            ck_assert_int_eq(b.format, good[i].format);
        }
    ck_ok(read_all(SLICE(""), 1, BILL_AUTO, &out, &b)); /* nothing has happened */
    buf_release(&out);
}
END_TEST

/* In a statement that is right, one text by another: refused, at that line. */
static const struct {
    unsigned which;
    const char *from, *to;
    uint64_t line;
} bad[] = {
    {0, "\"paid\"", "\"signed\"", 2},
    {0, "64800", "-1", 2},
    {0, "64800", "1.5", 2},
    {0, "\"CNY\"", "\"ZZZ\"", 2},
    {0, "\"c1\"", "\"\"", 2},
    {0, "00:00:02Z", "25:00:02Z", 2},
    {0, "\"charge\",", "\"fee\",", 2},
    {0, "{\"seq\":2", "[\"seq\":2", 2},
    {1, "商户订单号", "x", 2},
    {1, "648.00", "648.001", 3},
    {1, "648.00", "", 3},
    {1, "交易,pack", "分账,pack", 3},
    {1, "08:00:02", "", 3},
    {1, "c1\t,2018\t,交易", "c1,交易", 3},
    {1, "#end", "", 6},
    {2, "SUCCESS", "PAID", 2},
    {2, "`CNY", "`", 2},
    {2, "PROCESSING", "DONE", 3},
    {2, "交易状态", "x", 1},
    {2, "总交易单数,x\r\n`3,`1", "", 5},
};

START_TEST(what_is_no_statement_is_refused_where_it_is)
{
    struct buf out, text;
    struct bill b;
    buf_init(&out, 10000);
    buf_init(&text, 10000);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const char *whole = good[bad[i].which].text, *at = strstr(whole, bad[i].from);
        ck_assert_msg(at != NULL, "%s is not there", bad[i].from);
        buf_clear(&text);
        buf_put(&text, whole, (size_t)(at - whole));
        buf_puts(&text, bad[i].to);
        buf_puts(&text, at + strlen(bad[i].from));
        enum keer_err err = read_all(buf_view(&text), 64, BILL_AUTO, &out, &b);
        ck_assert_msg(err == KEER_EFORMAT, "%s for %s: %s", bad[i].to, bad[i].from, keer_err_name(err));
        ck_assert_msg(b.why.text[0] && b.why.line == bad[i].line, "%s for %s: line %llu: %s", bad[i].to, bad[i].from,
                      (unsigned long long)b.why.line, b.why.text);
    }
    buf_release(&text);
    buf_release(&out);
    struct buf longer;
    buf_init(&longer, 2 * BILL_LINE_BYTES);
    while (longer.len <= BILL_LINE_BYTES + 1)
        buf_puts(&longer, "xxxxxxxxxxxxxxxx");
    buf_init(&out, 100);
    ck_err(read_all(buf_view(&longer), 1000, BILL_AUTO, &out, &b), KEER_ELIMIT);
    buf_release(&longer);
    buf_release(&out);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("bill");
    TCase *t = tcase_create("bill");
    tcase_add_test(t, statements_in_pieces_of_every_length);
    tcase_add_test(t, what_is_no_statement_is_refused_where_it_is);
    suite_add_tcase(s, t);
    return test_main(s);
}
