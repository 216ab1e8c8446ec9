/* money.c - what the files of charges, refunds and balances share. */
#include "api/money.h"

#include "base/num.h"

const struct pay *money_on(struct http_exchange *x)
{
    const struct api *a = x->ctx;
    if (!a->pay)
        http_problem(x, HTTP_WALLETS_OFF, "%s", "");
    return a->pay;
}

struct slice money_client(struct http_exchange *x)
{
    return x->roles & (KEY_MAY(ANALYST) | KEY_MAY(ADMIN)) ? SLICE("") : slice_str(x->caller);
}

/* Digits, and a point between them: one way to write an amount. */
static bool plain(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_digit(s.p[i]) && (s.p[i] != '.' || i == 0 || i + 1 == s.len))
            return false;
    return s.len && (s.p[0] != '0' || s.len == 1 || s.p[1] == '.');
}

bool money_read(struct http_exchange *x, const struct api_body *b, bool required, int64_t *ret_minor,
                enum currency *ret_currency)
{
    struct slice text = {NULL, 0};
    uint32_t i = tape_find(&b->tape, 0, "amount");
    *ret_minor = 0;
    *ret_currency = CUR_MAX;
    if (!api_body_line(x, b, "currency", required || i != TAPE_NONE, 3, &text))
        return false;
    if (text.p && (*ret_currency = currency_parse(text)) == CUR_MAX) {
        http_problem(x, HTTP_BAD_BODY, "currency: an ISO 4217 code, as EUR");
        return false;
    }
    if (i == TAPE_NONE && !required)
        return true;
    enum keer_err err = KEER_EMISSING;
    if (i != TAPE_NONE && tape_type(&b->tape, i) == TAPE_STRING && !plain(tape_text(&b->tape, i)))
        err = KEER_EFORMAT;
    else if (i != TAPE_NONE)
        err = tape_type(&b->tape, i) == TAPE_INTEGER ? num_i64(tape_text(&b->tape, i), 1, NUM_EXACT_MAX - 1, ret_minor)
              : tape_type(&b->tape, i) == TAPE_STRING
                  ? num_scaled(tape_text(&b->tape, i), currency_exponent(*ret_currency), ret_minor)
                  : KEER_ETYPE;
    if (err == KEER_OK && *ret_minor > 0)
        return true;
    http_problem(x, HTTP_BAD_BODY,
                 "amount: minor units above 0, or a text with the decimals of its currency, as \"648.00\"");
    return false;
}

bool money_read_order(struct http_exchange *x, const struct api_body *b, const struct money_order *to)
{
    const struct {
        const char *name;
        bool required;
        size_t max;
        struct slice *to;
    } texts[] = {{"id", true, LIMIT_NAME_BYTES, to->key},
                 {"payee", true, CHALLENGE_TEXT_BYTES, to->payee},
                 {"item", false, LIMIT_NAME_BYTES, to->item},
                 {"beneficiary", false, 128, to->beneficiary},
                 {"merchant", false, 128, to->merchant},
                 {"device", false, LIMIT_NAME_BYTES, to->device},
                 {"ip", false, 45, to->ip},
                 {"user_agent", false, 1000, to->user_agent},
                 {"session", false, 128, to->session},
                 {"return_url", false, CHALLENGE_URL_BYTES, to->return_url}};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (!api_body_line(x, b, texts[i].name, texts[i].required, texts[i].max, texts[i].to))
            return false;
    if (!to->return_url->p || api_url_good(*to->return_url))
        return true;
    http_problem(x, HTTP_BAD_BODY, "return_url: an address that begins with https://, without # and unescaped characters");
    return false;
}

void money_put(struct buf *b, const char *name, int64_t minor, enum currency currency)
{
    char text[CURRENCY_TEXT_BYTES];
    buf_fmt(b, ",\"%s\":\"%s\"", name, currency_print(minor, currency, text));
}

void money_put_text(struct buf *b, const char *name, const char *text)
{
    buf_fmt(b, ",\"%s\":", name);
    buf_json(b, slice_str(text));
}

void money_put_challenge(struct http_exchange *x, const struct challenge *c)
{
    struct buf url;
    buf_init(&url, 400);
    buf_fmt(&url, "%s/challenge/%s", visit_accounts(x)->words.url, c->id.text);
    buf_fmt(&x->reply, ",\"challenge\":{\"id\":\"%s\",\"url\":", c->id.text);
    buf_json(&x->reply, buf_view(&url));
    buf_fmt(&x->reply, ",\"state\":\"%s\"}", challenge_state_name(c->state));
    buf_release(&url);
}

void money_put_why(struct buf *b, const char *why)
{
    struct slice rest = slice_str(why), code = slice_cut(&rest, ':');
    if (!code.len)
        return;
    buf_puts(b, ",\"why\":");
    buf_json(b, code);
    rest = slice_trim(rest);
    buf_puts(b, ",\"words\":");
    buf_json(b, rest.len ? rest : slice_str(charge_why_text(charge_why_find(why))));
}

void money_put_decision(struct buf *b, const struct buf *decision)
{
    buf_puts(b, ",\"decision\":");
    if (decision->len)
        buf_slice(b, slice_trim(buf_view(decision)));
    else
        buf_puts(b, "null");
}

void money_problem(struct http_exchange *x, enum keer_err err, const char *missing)
{
    switch (err) {
    case KEER_EMISSING: http_problem(x, HTTP_NOT_FOUND, "%s", missing); break;
    case KEER_ECONFLICT: http_problem(x, HTTP_KEY_REUSED, "it was used with other data"); break;
    case KEER_EINVALID:
    case KEER_ELIMIT:
    case KEER_ERANGE: http_problem(x, HTTP_BAD_BODY, "an amount or a text is out of bounds"); break;
    default: visit_failed(x, err); break;
    }
}
