/* alipay_v2.c - gateway.do: parameters in the query and in a form, one sign string over both, an envelope around the answer.
 *
 *     sign string   every parameter but `sign`, without empty ones, sorted by bytes, k=v joined by &, not escaped
 *     the answer    {"alipay_trade_pay_response":{...},"alipay_cert_sn":"..","sign":".."}; signed is the object as it stands
 *     a notice      the same over the form without `sign` and `sign_type`
 */
#include "emulator/alipay.h"

#define TIMESTAMP_US (10 * US_MINUTE)
#define SIGN_BYTES ((size_t)2 << 20)

bool em_alipay_params_add(struct call *c, struct slice text, bool plus, struct alipay_params *p)
{
    while (text.p && text.len) {
        struct slice value = slice_cut(&text, '&'), name = slice_cut(&value, '='), n, v;
        if (p->count == ALIPAY_PARAMS_MAX || !em_urldecode(name, plus, &c->room, &n) ||
            !em_urldecode(value, plus, &c->room, &v))
            return false;
        for (unsigned i = 0; i < p->count; i++)
            if (slice_eq(p->at[i].name, n))
                return false;
        p->at[p->count++] = (struct alipay_param){n, v};
    }
    return true;
}

struct slice em_alipay_param(const struct alipay_params *p, const char *name)
{
    for (unsigned i = 0; i < p->count; i++)
        if (slice_eq(p->at[i].name, slice_str(name)))
            return p->at[i].value;
    return (struct slice){NULL, 0};
}

static int by_name(const void *a, const void *b)
{
    return slice_cmp(((const struct alipay_param *)a)->name, ((const struct alipay_param *)b)->name);
}

void em_alipay_sign_string(const struct alipay_params *p, const char *skip, struct buf *b)
{
    struct alipay_params sorted = *p;
    qsort(sorted.at, sorted.count, sizeof sorted.at[0], by_name);
    for (unsigned i = 0; i < sorted.count; i++) {
        struct slice n = sorted.at[i].name;
        if (slice_eq(n, SLICE("sign")) || (skip && slice_eq(n, slice_str(skip))) || !sorted.at[i].value.len)
            continue;
        buf_puts(b, b->len ? "&" : "");
        buf_slice(b, n);
        buf_char(b, '=');
        buf_slice(b, sorted.at[i].value);
    }
}

/* --- the request --- */

static bool is_stamp(struct slice s, int64_t now_us)
{
    int64_t us;
    return s.len == 19 && s.p[10] == ' ' && time_parse(s, &us) == KEER_OK && us - 8 * US_HOUR > now_us - TIMESTAMP_US &&
           us - 8 * US_HOUR < now_us + TIMESTAMP_US;
}

static bool certificates_fit(const struct em_keys *k, const struct alipay_params *p)
{
    struct slice app = em_alipay_param(p, "app_cert_sn"), root = em_alipay_param(p, "alipay_root_cert_sn");
    return (!app.p && !root.p) || (slice_eq(app, slice_str(k->app_cert_sn)) && slice_eq(root, slice_str(k->root_cert_sn)));
}

/* What is wrong with the request itself: the sub_code, NULL when nothing is. Nobody has said who he is yet: unsigned. */
static const char *wrong_with(struct call *c, const struct alipay_params *p)
{
    struct buf text;
    if (!slice_eq(em_alipay_param(p, "app_id"), SLICE(EM_APP_ID)))
        return "isv.invalid-app-id";
    if (!slice_eqi(em_alipay_param(p, "charset"), SLICE("utf-8")))
        return "isv.invalid-charset";
    if (!slice_eq(em_alipay_param(p, "sign_type"), SLICE("RSA2")))
        return "isv.invalid-signature-type";
    if (!slice_eq(em_alipay_param(p, "version"), SLICE("1.0")))
        return "isv.invalid-version";
    if (!is_stamp(em_alipay_param(p, "timestamp"), em_now(c->e)))
        return "isv.invalid-timestamp";
    if (!certificates_fit(&c->e->keys, p))
        return "isv.app-cert-sn-not-match";
    buf_init(&text, SIGN_BYTES);
    em_alipay_sign_string(p, NULL, &text);
    bool good = text.err == KEER_OK && em_verify(c->e->keys.alipay_app, buf_view(&text), em_alipay_param(p, "sign"));
    buf_release(&text);
    return good ? NULL : "isv.invalid-signature";
}

static bool read_biz(struct call *c, struct slice biz)
{
    struct tape_limits limits = {.bytes = SERVER_BODY_BYTES, .values = 1000, .depth = 8, .keys = 100};
    struct tape_error why;
    return tape_read(&c->json, biz.p ? biz : SLICE("{}"), &limits, &why) == KEER_OK && tape_type(&c->json, 0) == TAPE_OBJECT;
}

static void unsigned_error(struct call *c, const char *code, const char *sub_code)
{
    atomic_fetch_add(&c->e->refused, 1);
    buf_fmt(&c->an->body,
            "{\"error_response\":{\"code\":\"%s\",\"msg\":\"Invalid Arguments\",\"sub_code\":\"%s\",\"sub_msg\":\"%s\"}}",
            code, sub_code, sub_code);
}

/* --- the answer --- */

static void put_object(struct alipay *x, struct buf *b)
{
    if (x->end == ALIPAY_OK)
        buf_puts(b, "{\"code\":\"10000\",\"msg\":\"Success\"");
    else if (x->end == ALIPAY_WAITS)
        buf_puts(b, "{\"code\":\"10003\",\"msg\":\" order success pay inprocess\"");
    else
        buf_fmt(b, "{\"code\":\"%s\",\"msg\":\"%s\",\"sub_code\":\"%s\",\"sub_msg\":\"%s\"", x->code,
                strcmp(x->code, "40004") == 0   ? "Business Failed"
                : strcmp(x->code, "20000") == 0 ? "Service Currently Unavailable"
                                                : "Invalid Arguments",
                x->sub_code, x->sub_msg);
    buf_slice(b, buf_view(&x->members));
    buf_puts(b, "}");
}

static void answer(struct alipay *x, const char *method, bool certificates)
{
    struct call *c = x->c;
    if (x->end == ALIPAY_DROPPED || x->end == ALIPAY_BARE)
        return;
    put_object(x, &c->out);
    buf_puts(&c->an->body, "{\"");
    for (const char *m = method; *m; m++)
        buf_char(&c->an->body, *m == '.' ? '_' : *m);
    buf_puts(&c->an->body, "_response\":");
    buf_slice(&c->an->body, buf_view(&c->out));
    if (certificates)
        buf_fmt(&c->an->body, ",\"alipay_cert_sn\":\"%s\"", c->e->keys.alipay_cert_sn);
    buf_puts(&c->an->body, ",\"sign\":\"");
    em_sign(c->e->keys.alipay, buf_view(&c->out), c->bad_signature, &c->an->body);
    buf_puts(&c->an->body, "\"}");
}

/* Parameters of a request that may be trusted; false: it was told. */
static bool begin(struct call *c, struct alipay_params *p)
{
    bool form = slice_eq(c->rq->method, SLICE("POST"));
    bool read = em_alipay_params_add(c, c->rq->query, true, p) && (!form || em_alipay_params_add(c, c->rq->body, true, p));
    for (unsigned i = 0; i < p->count; i++) /* ours: the person has agreed, in a test */
        if (slice_eq(p->at[i].name, SLICE("accept")) || slice_eq(p->at[i].name, SLICE("payer")))
            p->at[i--] = p->at[--p->count];
    const char *wrong = read ? wrong_with(c, p) : "isv.invalid-parameter";
    if (!wrong && !read_biz(c, em_alipay_param(p, "biz_content")))
        wrong = "isv.invalid-biz-content";
    if (wrong)
        unsigned_error(c, "40002", wrong);
    return !wrong;
}

void em_alipay_v2(struct call *c)
{
    struct alipay_params p = {0};
    struct alipay x = {.c = c};
    if (!begin(c, &p))
        return;
    struct slice method = em_alipay_param(&p, "method");
    if (slice_eq(method, SLICE("alipay.user.agreement.page.sign"))) {
        c->room.len = 0; /* the page reads the request for itself */
        page_call(c, SLICE("alipay"));
        return;
    }
    const struct alipay_op *op = em_alipay_op_by_method(method);
    if (!op) {
        unsigned_error(c, "40002", "isv.invalid-method");
        return;
    }
    c->what = method;
    x.notify_url = em_alipay_param(&p, "notify_url");
    buf_init(&x.members, 65536);
    op->run(&x);
    answer(&x, op->method, em_alipay_param(&p, "app_cert_sn").p != NULL);
    buf_release(&x.members);
}

bool em_alipay_page(struct call *c, struct em_agreement *ret)
{
    struct alipay_params p = {0};
    struct alipay x = {.c = c};
    if (!begin(c, &p))
        return false;
    if (!slice_eq(em_alipay_param(&p, "method"), SLICE("alipay.user.agreement.page.sign"))) {
        unsigned_error(c, "40002", "isv.invalid-method");
        return false;
    }
    x.notify_url = em_alipay_param(&p, "notify_url");
    x.return_url = em_alipay_param(&p, "return_url");
    bool ok = em_alipay_agree(&x, ret);
    if (!ok) {
        c->an->status = 400;
        buf_fmt(&c->an->body, "{\"error_response\":{\"code\":\"%s\",\"sub_code\":\"%s\",\"sub_msg\":\"%s\"}}",
                x.code ? x.code : "20000", x.sub_code ? x.sub_code : "isp.unknow-error", x.sub_msg ? x.sub_msg : "");
    }
    return ok;
}

/* --- notices and the way back: forms --- */

static void add(struct alipay_params *p, const char *name, struct slice value)
{
    if (value.len && p->count < ALIPAY_PARAMS_MAX) /* npm alipay-sdk keeps empty values in its sign string: there are none */
        p->at[p->count++] = (struct alipay_param){slice_str(name), value};
}

/* Text of a buffer that does not move. */
static struct slice kept(struct buf *b, size_t from) { return slice_of(b->p + from, b->len - from); }

static struct slice kept_time(struct buf *b, int64_t us)
{
    size_t from = b->len;
    if (us)
        em_time_cn(b, us, false);
    return kept(b, from);
}

static struct slice kept_yuan(struct buf *b, int64_t minor)
{
    size_t from = b->len;
    em_yuan(b, minor);
    return kept(b, from);
}

static void put_form(struct emulator *e, struct alipay_params *p, bool bad, struct buf *b)
{
    struct buf text, sign;
    buf_init(&text, 65536);
    buf_init(&sign, 1024);
    em_alipay_sign_string(p, "sign_type", &text);
    em_sign(e->keys.alipay, buf_view(&text), bad, &sign);
    add(p, "sign", buf_view(&sign));
    for (unsigned i = 0; i < p->count; i++) {
        buf_puts(b, i ? "&" : "");
        em_urlencode(p->at[i].name, b);
        buf_char(b, '=');
        em_urlencode(p->at[i].value, b);
    }
    if (text.err != KEER_OK || sign.err != KEER_OK)
        b->err = KEER_ENOMEM;
    buf_release(&text);
    buf_release(&sign);
}

static void letter_trade(const struct em_notice *n, struct alipay_params *p, struct buf *room)
{
    const struct em_charge *c = &n->charge;
    bool refund = n->kind == EM_NOTICE_REFUND;
    add(p, "notify_type", SLICE("trade_status_sync"));
    add(p, "out_trade_no", slice_str(c->number));
    add(p, "trade_no", slice_str(c->ref));
    add(p, "trade_status", c->state == EM_CHARGE_PAID ? SLICE("TRADE_SUCCESS") : SLICE("TRADE_CLOSED"));
    add(p, "total_amount", kept_yuan(room, c->done_us && c->taken_minor ? c->taken_minor : c->asked_minor));
    add(p, "receipt_amount", c->state == EM_CHARGE_PAID ? kept_yuan(room, c->taken_minor) : SLICE(""));
    add(p, "buyer_pay_amount", c->state == EM_CHARGE_PAID ? kept_yuan(room, c->taken_minor) : SLICE(""));
    add(p, "buyer_id", slice_str(c->payer));
    add(p, "seller_id", SLICE(EM_SELLER_ID));
    add(p, "subject", slice_str(c->subject));
    add(p, "gmt_create", kept_time(room, c->made_us));
    add(p, "gmt_payment", c->state == EM_CHARGE_PAID || c->refunded_minor ? kept_time(room, c->done_us) : SLICE(""));
    if (refund || c->refunded_minor) {
        add(p, "refund_fee", kept_yuan(room, c->refunded_minor));
        add(p, "gmt_refund", kept_time(room, refund ? n->refund.done_us : c->done_us));
    }
    if (refund)
        add(p, "out_biz_no", slice_str(n->refund.number));
}

static void letter_agreement(const struct em_agreement *a, struct alipay_params *p, struct buf *room)
{
    bool ended = a->state == EM_STOPPED;
    add(p, "notify_type", ended ? SLICE("dut_user_unsign") : SLICE("dut_user_sign"));
    add(p, "status", ended ? SLICE("UNSIGN") : SLICE("NORMAL"));
    add(p, "agreement_no", slice_str(a->ref));
    add(p, "external_agreement_no", slice_str(a->number));
    add(p, "alipay_user_id", slice_str(a->payer));
    add(p, "personal_product_code", slice_str(a->plan));
    add(p, "sign_scene", slice_str(a->scene));
    add(p, "sign_time", kept_time(room, a->signed_us));
    add(p, "valid_time", kept_time(room, a->signed_us));
    add(p, "invalid_time", kept_time(room, ended ? a->ended_us : a->signed_us + 36500 * US_DAY));
    add(p, "unsign_time", kept_time(room, a->ended_us));
}

void em_alipay_letter(struct emulator *e, const struct em_notice *n, bool bad, struct em_letter *l)
{
    struct alipay_params p = {0};
    struct buf room;
    buf_init(&room, 1024);
    (void)buf_reserve(&room, 1000); /* slices point into it */
    add(&p, "notify_id", slice_str(n->id));
    add(&p, "notify_time", kept_time(&room, em_now(e)));
    add(&p, "app_id", SLICE(EM_APP_ID));
    add(&p, "auth_app_id", SLICE(EM_APP_ID));
    add(&p, "charset", SLICE("utf-8"));
    add(&p, "version", SLICE("1.0"));
    add(&p, "sign_type", SLICE("RSA2"));
    if (n->kind == EM_NOTICE_AGREEMENT)
        letter_agreement(&n->agreement, &p, &room);
    else
        letter_trade(n, &p, &room);
    l->type = "application/x-www-form-urlencoded; charset=utf-8";
    put_form(e, &p, bad, &l->body);
    if (room.err != KEER_OK)
        l->body.err = room.err;
    buf_release(&room);
}

void em_alipay_return(struct emulator *e, const struct em_agreement *a, struct buf *b)
{
    struct alipay_params p = {0};
    struct buf room;
    buf_init(&room, 1024);
    (void)buf_reserve(&room, 1000);
    add(&p, "app_id", SLICE(EM_APP_ID));
    add(&p, "charset", SLICE("utf-8"));
    add(&p, "version", SLICE("1.0"));
    add(&p, "sign_type", SLICE("RSA2"));
    add(&p, "is_success", a->state == EM_NORMAL ? SLICE("T") : SLICE("F"));
    letter_agreement(a, &p, &room);
    put_form(e, &p, false, b);
    buf_release(&room);
}
