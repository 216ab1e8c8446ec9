/* challenges.c - /v1/challenges: what a store asks of a person, and the signed answer. */
#include "flow/ask.h"

#include "api/step.h"
#include "base/currency.h"
#include "flow/passkeys.h"

#define NAMES                                                                                                       \
    "subject account kind amount currency payee payee_origin agreement wallet change detail store reference event " \
    "return_url "                                                                                                   \
    "methods"

/* Minor units, or a text with the decimals of the currency, as in an event. */
static bool read_amount(struct http_exchange *x, const struct api_body *b, struct challenge_data *d)
{
    struct slice currency = {NULL, 0};
    uint32_t i = tape_find(&b->tape, 0, "amount");
    d->currency = CUR_MAX;
    if (!api_body_line(x, b, "currency", i != TAPE_NONE, 3, &currency))
        return false;
    if (currency.p && (d->currency = currency_parse(currency)) == CUR_MAX) {
        http_problem(x, HTTP_BAD_BODY, "currency: an ISO 4217 code, as EUR");
        return false;
    }
    if (i == TAPE_NONE) {
        if (currency.p)
            http_problem(x, HTTP_BAD_BODY, "amount is missing");
        return !currency.p;
    }
    enum keer_err err = tape_type(&b->tape, i) == TAPE_INTEGER
                            ? num_i64(tape_text(&b->tape, i), 1, NUM_EXACT_MAX - 1, &d->amount_minor)
                        : tape_type(&b->tape, i) == TAPE_STRING
                            ? num_scaled(tape_text(&b->tape, i), currency_exponent(d->currency), &d->amount_minor)
                            : KEER_ETYPE;
    if (err == KEER_OK && d->amount_minor > 0)
        return true;
    http_problem(x, HTTP_BAD_BODY,
                 "amount: minor units above 0, or a text with the decimals of its currency, as \"648.00\"");
    return false;
}

static bool read_methods(struct http_exchange *x, const struct api_body *b, unsigned *ret)
{
    uint32_t i = tape_find(&b->tape, 0, "methods");
    if (i == TAPE_NONE)
        return true;
    bool good = tape_type(&b->tape, i) == TAPE_ARRAY && b->tape.v[i].len > 0;
    for (uint32_t k = i + 1; good && k < b->tape.v[i].next; k = b->tape.v[k].next) {
        unsigned bit = 0;
        for (int m = 0; m < AUTHENTICATOR_KIND_MAX; m++)
            if (tape_type(&b->tape, k) == TAPE_STRING &&
                slice_eq(tape_text(&b->tape, k), slice_str(authenticator_kind_name((enum authenticator_kind)m))))
                bit = AUTHENTICATOR_BIT(m);
        good = bit != 0;
        *ret |= bit;
    }
    if (!good)
        http_problem(x, HTTP_BAD_BODY, "methods: a list of passkey, totp, prompt, recovery_code");
    return good;
}

static bool read_ask(struct http_exchange *x, const struct api_body *b, struct ask *a)
{
    struct slice kind = {NULL, 0}, account = {NULL, 0};
    struct challenge_data *d = &a->data;
    const struct {
        const char *name;
        size_t max;
        struct slice *to;
    } texts[] = {{"subject", 128, &a->subject},
                 {"account", 64, &account},
                 {"payee", CHALLENGE_TEXT_BYTES, &d->payee},
                 {"payee_origin", CHALLENGE_TEXT_BYTES, &d->payee_origin},
                 {"agreement", CHALLENGE_TEXT_BYTES, &d->agreement},
                 {"wallet", CHALLENGE_TEXT_BYTES, &d->wallet},
                 {"change", CHALLENGE_TEXT_BYTES, &d->change},
                 {"detail", CHALLENGE_TEXT_BYTES, &d->detail},
                 {"store", CHALLENGE_TEXT_BYTES, &d->store},
                 {"reference", LIMIT_NAME_BYTES, &a->reference},
                 {"event", LIMIT_NAME_BYTES, &a->event},
                 {"return_url", CHALLENGE_URL_BYTES, &a->return_url}};
    if (!api_body_line(x, b, "kind", /* required */ true, 16, &kind))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (!api_body_line(x, b, texts[i].name, false, texts[i].max, texts[i].to))
            return false;
    d->reference = a->reference;
    if (challenge_kind_find(kind, &d->kind) != KEER_OK)
        http_problem(x, HTTP_BAD_BODY, "kind: there are sign_in, change, link and payment");
    else if ((a->subject.p != NULL) == (account.p != NULL) || (account.p && id_parse(account, &a->account) != KEER_OK))
        http_problem(x, HTTP_BAD_BODY,
                     "either subject, the store's own name of an account, or account, an id of this service");
    else if (d->payee_origin.len && !passkeys_is_origin(d->payee_origin))
        http_problem(x, HTTP_BAD_BODY,
                     "payee_origin: an origin is wanted, as https://shop.example.org: no path, lower case");
    else if (a->return_url.p && !api_url_good(a->return_url))
        http_problem(x, HTTP_BAD_BODY,
                     "return_url: an address that begins with https://, without # and unescaped characters");
    else
        return read_amount(x, b, d) && read_methods(x, b, &a->methods);
    return false;
}

/* Of what this service calls itself: the page that shows the challenge. */
static void put_url(struct http_exchange *x, const struct challenge *c)
{
    struct buf url;
    buf_init(&url, 400);
    buf_fmt(&url, "%s/challenge/%s", visit_accounts(x)->words.url, c->id.text);
    buf_puts(&x->reply, ",\"url\":");
    buf_json(&x->reply, buf_view(&url));
    buf_release(&url);
}

void challenges_post(struct http_exchange *x)
{
    struct api_body b = {0};
    struct challenge c;
    struct ask a = {.client = slice_str(x->caller), .data = {.currency = CUR_MAX}};
    bool fresh = false;
    if (!api_body_read(x, &b, NAMES) || !read_ask(x, &b, &a))
        goto out;
    enum keer_err err = ask_open(visit_steps(x), x->worker, &a, &c, &fresh);
    switch (err) {
    case KEER_OK:
        buf_fmt(&x->reply, "{\"id\":\"%s\"", c.id.text);
        put_url(x, &c);
        buf_fmt(&x->reply, ",\"state\":\"%s\",\"shown\":%s", challenge_state_name(c.state), c.shown);
        step_put_time(&x->reply, "expires", c.until_us);
        buf_puts(&x->reply, "}\n");
        http_reply(x, 200, HTTP_JSON);
        break;
    case KEER_EMISSING:
        http_problem(x, HTTP_BAD_BODY,
                     "no such account, or what its kind needs is missing: a payment has amount, currency"
                     " and payee, a change its change, a link its agreement or wallet");
        break;
    case KEER_EFORMAT: http_problem(x, HTTP_BAD_BODY, "subject: 1 to 128 printable characters of ASCII"); break;
    case KEER_ERANGE:
    case KEER_ELIMIT: http_problem(x, HTTP_BAD_BODY, "amount or a text is out of bounds"); break;
    default: visit_failed(x, err); break;
    }
out:
    api_body_release(&b);
}

void challenges_get(struct http_exchange *x)
{
    struct id id;
    struct asked asked;
    struct buf *b = &x->reply;
    if (!visit_id(x, &id))
        return;
    enum keer_err err = ask_read(visit_steps(x), x->worker, slice_str(x->caller), &id, &asked);
    if (err == KEER_OK) {
        const struct challenge *c = &asked.challenge;
        buf_fmt(b, "{\"id\":\"%s\",\"kind\":\"%s\",\"state\":\"%s\",\"shown\":%s,\"methods\":[", c->id.text,
                challenge_kind_name(c->kind), challenge_state_name(c->state), c->shown);
        step_put_methods(b, asked.methods);
        buf_char(b, ']');
        step_put_time(b, "expires", c->until_us);
        step_put_time(b, "done", c->state == CHALLENGE_DONE ? c->done_us : 0);
        if (c->why[0])
            buf_fmt(b, ",\"why\":\"%s\"", c->why);
        if (asked.answer.len) {
            buf_puts(b, ",\"answer\":");
            buf_json(b, buf_view(&asked.answer));
        }
        buf_puts(b, "}\n");
        http_reply(x, 200, HTTP_JSON);
    } else if (err == KEER_EMISSING) {
        http_problem(x, HTTP_NOT_FOUND, "no challenge of this id that this key made");
    } else {
        visit_failed(x, err);
    }
    buf_release(&asked.answer);
}
