/* admin.c - what a test, a demo or a person does at the wallet's side: signs, ends, refunds, sets faults, reads the journal.
 *
 *     GET  /emulator/page/NAME            the page where a person signs; ?accept=1 or its button signs and sends him back
 *     POST /emulator/sign   {"number"|"url", "payer"?}     POST /emulator/end    {"number"}
 *     POST /emulator/refund {"charge", "amount_minor"}     POST /emulator/payer  {"payer", "balance_minor"?, ...}
 *     POST /emulator/rotate {}            WeChat Pay has a new certificate beside the others; {"drop":true}: the newest alone
 *     POST /emulator/faults {"spec"}      GET /emulator/faults, /emulator/journal, /emulator/stats,
 * /emulator/agreement?number=N Where a number is one of several wallets, {"wallet":"alipay"} says which.
 */
#include "base/num.h"
#include "emulator/inside.h"

static void tell(struct call *c, int status, const char *fmt, ...) KEER_PRINTF(3, 4);
static void tell(struct call *c, int status, const char *fmt, ...)
{
    char text[300];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    c->an->status = status;
    buf_clear(&c->an->body);
    buf_puts(&c->an->body, "{\"error\":");
    buf_json(&c->an->body, slice_str(text));
    buf_puts(&c->an->body, "}\n");
}

static void answer_agreement(struct call *c, const struct em_agreement *a)
{
    static const char *const states[] = {"temp", "normal", "stopped"};
    struct buf url;
    buf_init(&url, 3 * EM_URL_BYTES);
    return_url(c->e, a, &url);
    buf_fmt(&c->an->body,
            "{\"wallet\":\"%s\",\"number\":\"%s\",\"ref\":\"%s\",\"state\":\"%s\",\"payer\":", em_wallet_name(a->wallet),
            a->number, a->ref, states[a->state]);
    buf_json(&c->an->body, slice_str(a->payer));
    buf_fmt(&c->an->body, ",\"page\":\"%s/emulator/page/%s\",\"return_url\":", c->e->url, a->page);
    buf_json(&c->an->body, buf_view(&url));
    buf_puts(&c->an->body, "}\n");
    buf_release(&url);
}

/* The wallet that is named, or the only one that knows the number; EM_WALLET_MAX: told. */
static enum em_wallet wallet_of(struct call *c, struct slice name, struct slice number, bool charge)
{
    enum em_wallet found = EM_WALLET_MAX;
    unsigned hits = 0;
    for (unsigned i = 0; i < EM_WALLET_MAX; i++) {
        struct em_agreement a;
        struct em_charge ch;
        enum em_wallet w = (enum em_wallet)i;
        if (name.p && !slice_eq(name, slice_str(em_wallet_name(w))))
            continue;
        if ((charge ? world_charge_find(c->e->world, w, number, &ch) : world_agreement(c->e->world, w, number, &a)) ==
            EM_DONE) {
            found = w;
            hits++;
        }
    }
    if (hits == 0)
        tell(c, 404, "no wallet knows the %s '%.64s'%s", charge ? "charge" : "agreement", number.p ? number.p : "",
             charge ? "" : ": the sign URL has to be opened first (Alipay), or give it as \"url\"");
    else if (hits > 1)
        tell(c, 409, "several wallets know that number: say which with \"wallet\"");
    return hits == 1 ? found : EM_WALLET_MAX;
}

static bool read_json(struct call *c)
{
    struct tape_limits limits = {.bytes = SERVER_BODY_BYTES, .values = 100, .depth = 4, .keys = 20};
    struct tape_error why;
    if (!slice_eq(c->rq->method, SLICE("POST"))) {
        tell(c, 405, "POST was expected");
        return false;
    }
    if (tape_read(&c->json, c->rq->body, &limits, &why) != KEER_OK) {
        tell(c, 400, "the body is no JSON: %s", why.text);
        return false;
    }
    return true;
}

/* --- signing --- */

static void sign(struct call *c, enum em_wallet wallet, struct slice number, struct slice payer, bool page)
{
    struct em_agreement a;
    enum em_result r = world_sign(c->e->world, wallet, number, payer, &a);
    if (r == EM_DONE)
        signed_now(c->e, &a);
    if (r == EM_ENDED || r == EM_NOT_THERE) {
        tell(c, 409, "this agreement has ended: it can't be signed any more");
        return;
    }
    if (page && a.return_url[0]) {
        c->an->status = 302;
        c->an->type = "text/html; charset=utf-8";
        buf_puts(&c->an->headers, "Location: ");
        return_url(c->e, &a, &c->an->headers);
        buf_puts(&c->an->headers, "\r\n");
    } else if (page) {
        c->an->type = "text/html; charset=utf-8";
        buf_puts(&c->an->body, "<!doctype html><title>Signed</title><h1>Signed</h1><p>Go back to the store.</p>\n");
    } else {
        answer_agreement(c, &a);
    }
}

/* A parameter of a query, decoded; p NULL. */
static struct slice query_one(struct call *c, const char *name)
{
    struct slice rest = c->rq->query, found = {NULL, 0};
    while (rest.p) {
        struct slice value = slice_cut(&rest, '&'), its = slice_cut(&value, '=');
        if (slice_eq(its, slice_str(name)) && value.p && em_urldecode(value, true, &c->room, &found))
            return found;
    }
    return (struct slice){NULL, 0};
}

static void page_html(struct call *c, const struct em_agreement *a)
{
    static const char *const brands[] = {"Alipay", "WeChat Pay", "Alipay+"};
    struct buf *b = &c->an->body;
    c->an->type = "text/html; charset=utf-8";
    buf_fmt(
        b,
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">"
        "<title>%s (emulator)</title><style>body{font:17px/1.5 system-ui,sans-serif;max-width:26rem;margin:3rem auto;"
        "padding:0 1rem;color:#1c1c1e}button{font:inherit;padding:.7rem 1.4rem;border:0;border-radius:.5rem;"
        "background:#0a5ad6;color:#fff}dt{color:#555}dd{margin:0 0 .6rem}small{color:#555}</style>",
        brands[a->wallet]);
    buf_fmt(b, "<h1>%s</h1><p>A store asks to charge you without a password each time.</p><dl><dt>Account</dt><dd>",
            brands[a->wallet]);
    buf_html(b, slice_str(a->shown));
    buf_puts(b, "</dd><dt>Agreement</dt><dd>");
    buf_html(b, slice_str(a->number));
    buf_puts(b, "</dd>");
    if (a->cap_minor) {
        buf_puts(b, "<dt>At most each time</dt><dd>");
        em_yuan(b, a->cap_minor);
        buf_puts(b, "</dd>");
    }
    buf_fmt(
        b,
        "</dl><form method=\"post\" action=\"/emulator/page/%s\"><button id=\"accept\" type=\"submit\">Agree</button></form>"
        "<p><small>This is the wallet emulator: no money moves.</small></p></html>\n",
        a->page);
}

static void page_show(struct call *c, const struct em_agreement *a)
{
    if (slice_eq(c->rq->method, SLICE("POST")) || query_one(c, "accept").p)
        sign(c, a->wallet, slice_str(a->number), query_one(c, "payer"), true);
    else if (a->state == EM_TEMP)
        page_html(c, a);
    else
        tell(c, 409, "this agreement was %s already", a->state == EM_NORMAL ? "signed" : "ended");
}

void page_call(struct call *c, struct slice page)
{
    struct em_agreement a;
    if (slice_eq(page, SLICE("alipay"))) { /* gateway.do sends browsers here */
        if (em_alipay_page(c, &a))
            page_show(c, &a);
    } else if (world_agreement_page(c->e->world, page, &a) == EM_DONE) {
        page_show(c, &a);
    } else {
        tell(c, 404, "there is no such page");
    }
}

/* Alipay hears of an agreement when its URL is opened: this opens it. */
static bool open_url(struct call *c, struct slice url, struct em_agreement *ret)
{
    struct server_request rq = *c->rq;
    const char *at = url.len ? memmem(url.p, url.len, "/gateway.do?", 12) : NULL;
    const char *page = url.len ? memmem(url.p, url.len, "/emulator/page/", 15) : NULL;
    if (page) {
        struct slice name = slice_of(page + 15, url.len - (size_t)(page + 15 - url.p));
        return world_agreement_page(c->e->world, slice_cut(&name, '?'), ret) == EM_DONE;
    }
    if (!at)
        return false;
    rq.query = slice_of(at + 12, url.len - (size_t)(at + 12 - url.p));
    rq.body = slice_of("", 0);
    const struct server_request *mine = c->rq;
    c->rq = &rq;
    bool ok = em_alipay_page(c, ret);
    c->rq = mine;
    return ok;
}

static void admin_sign(struct call *c)
{
    struct em_agreement a = {0};
    struct slice url = em_text(&c->json, "url"), number = em_text(&c->json, "number");
    enum em_wallet wallet;
    if (url.p) {
        if (!open_url(c, url, &a)) {
            if (c->an->status == 200 && !c->an->body.len)
                tell(c, 404, "the URL is none of a sign page");
            return;
        }
        buf_clear(&c->an->body);
        wallet = a.wallet;
        number = slice_str(a.number);
    } else {
        wallet = wallet_of(c, em_text(&c->json, "wallet"), number, false);
    }
    if (wallet != EM_WALLET_MAX)
        sign(c, wallet, number, em_text(&c->json, "payer"), false);
}

static void admin_end(struct call *c)
{
    struct em_agreement a;
    struct slice number = em_text(&c->json, "number");
    enum em_wallet wallet = wallet_of(c, em_text(&c->json, "wallet"), number, false);
    if (wallet == EM_WALLET_MAX)
        return;
    if (world_end(c->e->world, wallet, number, true, SLICE("ended by the person"), &a) == EM_DONE)
        ended_now(c->e, &a);
    answer_agreement(c, &a);
}

/* --- money at the wallet's side --- */

static void admin_refund(struct call *c)
{
    struct em_charge ch = {0};
    struct em_refund r = {.by_wallet = true, .notify_url = ""};
    struct slice charge = em_text(&c->json, "charge"), amount = em_text(&c->json, "amount_minor");
    r.wallet = wallet_of(c, em_text(&c->json, "wallet"), charge, true);
    if (r.wallet == EM_WALLET_MAX)
        return;
    if (num_i64(amount, 1, INT64_MAX, &r.minor) != KEER_OK) {
        tell(c, 400, "amount_minor: a number of 1 and more was expected");
        return;
    }
    (void)em_copy(r.charge, sizeof r.charge, charge);
    char digits[EM_PAGE_BYTES + 1];
    world_digits(c->e->world, r.wallet, "wallet refund", charge, 12, digits);
    (void)snprintf(r.number, sizeof r.number, "w%s%lld", digits, (long long)em_now(c->e));
    enum em_result got = world_refund(c->e->world, &r, &r, &ch);
    if (got != EM_DONE) {
        tell(c, 409, got == EM_TOO_MUCH ? "more than is left of it" : "this charge can't be refunded as it stands");
        return;
    }
    struct em_notice n = {.wallet = r.wallet, .kind = EM_NOTICE_REFUND, .refund = r, .charge = ch};
    notice_send(c->e, ch.notify_url, &n, 0);
    buf_fmt(&c->an->body, "{\"number\":\"%s\",\"ref\":\"%s\",\"amount_minor\":%lld}\n", r.number, r.ref, (long long)r.minor);
}

static bool optional(struct call *c, const char *name, int64_t *ret)
{
    struct slice s = em_text(&c->json, name);
    if (!s.p || num_i64(s, 0, INT64_MAX / 4, ret) == KEER_OK)
        return true;
    tell(c, 400, "%s: a number of 0 and more was expected", name);
    return false;
}

static void admin_payer(struct call *c)
{
    struct em_payer p = {.balance_minor = -1};
    uint32_t risky = tape_find(&c->json, 0, "risky");
    p.risky = risky != TAPE_NONE && tape_type(&c->json, risky) == TAPE_TRUE;
    if (!em_copy(p.name, sizeof p.name, em_text(&c->json, "payer")))
        tell(c, 400, "payer: a name was expected, as POST /emulator/sign answers it");
    else if (optional(c, "balance_minor", &p.balance_minor) && optional(c, "charge_limit_minor", &p.charge_limit_minor) &&
             optional(c, "day_limit_minor", &p.day_limit_minor)) {
        if (world_payer(c->e->world, &p) == KEER_OK)
            buf_puts(&c->an->body, "{}\n");
        else
            tell(c, 503, "out of memory");
    }
}

/* --- WeChat Pay's certificates --- */

static void admin_rotate(struct call *c)
{
    const struct em_platform *p = NULL;
    uint32_t drop = tape_find(&c->json, 0, "drop");
    bool drops = drop != TAPE_NONE && tape_type(&c->json, drop) == TAPE_TRUE;
    if (drops) {
        em_drop(&c->e->keys);
        p = em_platform(&c->e->keys, 0);
    } else {
        enum keer_err err = em_rotate(&c->e->keys, em_now(c->e), &p);
        if (err != KEER_OK) {
            tell(c, err == KEER_ELIMIT ? 409 : 503, "no new certificate: %s", keer_err_text(err));
            return;
        }
    }
    buf_fmt(&c->an->body, "{\"serial\":\"%s\",\"certificate\":", p->serial);
    buf_json(&c->an->body, buf_view(&p->cert));
    buf_puts(&c->an->body, "}\n");
}

/* --- faults, journal, figures --- */

static void admin_faults(struct call *c)
{
    char why[160];
    if (slice_eq(c->rq->method, SLICE("POST"))) {
        if (!read_json(c))
            return;
        struct slice spec = em_text(&c->json, "spec");
        if (!spec.p || faults_set(&c->e->faults, spec, why) != KEER_OK) {
            tell(c, 400, "%s", spec.p ? why : "spec: a text was expected");
            return;
        }
    }
    faults_print(&c->e->faults, &c->an->body);
}

static void admin_stats(struct call *c)
{
    struct world_stats s;
    struct emulator *e = c->e;
    world_due(e->world);
    world_stats(e->world, &s);
#define U(x) (unsigned long long)(x)
    buf_fmt(&c->an->body,
            "{\"requests\":%llu,\"refused\":%llu,\"agreements\":%llu,\"signed\":%llu,\"ended\":%llu,\"charges\":%llu,"
            "\"paid\":%llu,"
            "\"waiting\":%llu,\"failed\":%llu,\"closed\":%llu,\"refunds\":%llu,",
            U(atomic_load(&e->requests)), U(atomic_load(&e->refused)), U(s.agreements), U(s.signed_now), U(s.ended),
            U(s.charges), U(s.paid), U(s.waiting), U(s.failed), U(s.closed), U(s.refunds));
    buf_fmt(&c->an->body,
            "\"notices\":{\"sent\":%llu,\"taken\":%llu,\"lost\":%llu,\"given_up\":%llu,\"waiting\":%llu,\"probes_taken\":%"
            "llu},\"journal\":%llu}\n",
            U(atomic_load(&e->notices_sent)), U(atomic_load(&e->notices_taken)), U(atomic_load(&e->notices_lost)),
            U(atomic_load(&e->notices_given_up)), U(poster_waiting(e->poster)), U(atomic_load(&e->probes_taken)),
            U(em_journal_count(e->journal)));
#undef U
}

static void admin_journal(struct call *c)
{
    world_due(c->e->world);
    c->an->type = "application/x-ndjson";
    if (em_journal_read(c->e->journal, &c->an->body) != KEER_OK)
        tell(c, 500, "the journal can't be read, or is larger than an answer may be: read its file");
}

void admin_call(struct call *c)
{
    struct slice path = c->rq->path;
    struct em_agreement a;
    if (slice_eq(path, SLICE("/emulator/faults")))
        admin_faults(c);
    else if (slice_eq(path, SLICE("/emulator/journal")))
        admin_journal(c);
    else if (slice_eq(path, SLICE("/emulator/stats")))
        admin_stats(c);
    else if (slice_eq(path, SLICE("/emulator/agreement"))) {
        struct slice number = query_one(c, "number");
        enum em_wallet wallet = wallet_of(c, query_one(c, "wallet"), number, false);
        if (wallet != EM_WALLET_MAX && world_agreement(c->e->world, wallet, number, &a) == EM_DONE)
            answer_agreement(c, &a);
    } else if (slice_eq(path, SLICE("/emulator/sign"))) {
        if (read_json(c))
            admin_sign(c);
    } else if (slice_eq(path, SLICE("/emulator/end"))) {
        if (read_json(c))
            admin_end(c);
    } else if (slice_eq(path, SLICE("/emulator/refund"))) {
        if (read_json(c))
            admin_refund(c);
    } else if (slice_eq(path, SLICE("/emulator/rotate"))) {
        if (read_json(c))
            admin_rotate(c);
    } else if (slice_eq(path, SLICE("/emulator/payer"))) {
        if (read_json(c))
            admin_payer(c);
    } else {
        tell(c, 404, "there is nothing here: no wallet has this path");
    }
}
