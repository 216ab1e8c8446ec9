/* ask.c - what a store asks of a person. */
#include "flow/ask.h"

#include "base/timefmt.h"

#define ANSWER_BYTES 12000

struct opening {
    const struct ask *a;
    int64_t now_us;
    struct challenge *c;
    bool fresh;
};

/* The account of a subject, made when it is new. */
static enum keer_err find_subject(struct db *db, struct slice subject, int64_t now_us, struct id *ret)
{
    struct identifier name;
    struct identifier_why why;
    enum keer_err err = identifier_canon(IDENTIFIER_SUBJECT, subject, &name, &why);
    if (err != KEER_OK)
        return err;
    err = identifier_find(db, &name, ret);
    if (err != KEER_EMISSING)
        return err;
    id_make(ret);
    err = account_add(db, ret, SLICE(""), SLICE("en"), now_us);
    return err == KEER_OK ? identifier_add(db, ret, &name, now_us) : err;
}

static bool fits(struct slice text, char *room, size_t size)
{
    if (text.len >= size)
        return false;
    if (text.len)
        memcpy(room, text.p, text.len);
    room[text.len] = '\0';
    return true;
}

static enum keer_err open_in_db(struct db *db, void *ctx)
{
    struct opening *o = ctx;
    const struct ask *a = o->a;
    struct account account;
    struct challenge *c = o->c;
    *c = (struct challenge){.kind = a->data.kind, .account = a->account, .methods = a->methods};
    if (!fits(a->client, c->client, sizeof c->client) || !fits(a->reference, c->reference, sizeof c->reference) ||
        !fits(a->event, c->event, sizeof c->event) || !fits(a->return_url, c->return_url, sizeof c->return_url))
        return KEER_ELIMIT;
    enum keer_err err = a->subject.len ? find_subject(db, a->subject, o->now_us, &c->account) : KEER_OK;
    if (err == KEER_OK)
        err = account_read(db, &c->account, &account);
    if (err == KEER_OK && account.state != ACCOUNT_ACTIVE)
        err = KEER_EMISSING;
    return err == KEER_OK ? challenge_open(db, &a->data, o->now_us, c, &o->fresh) : err;
}

enum keer_err ask_open(const struct steps *s, struct desk_worker *w, const struct ask *a, struct challenge *ret,
                       bool *ret_new)
{
    struct opening o = {.a = a, .now_us = desk_wall_us(w), .c = ret};
    UNUSED(s);
    enum keer_err err = desk_write(w, open_in_db, &o);
    if (err == KEER_OK)
        *ret_new = o.fresh;
    return err;
}

/* --- the answer --- */

struct reading {
    const struct id *id;
    int64_t now_us;
    struct asked *asked;
    struct identifier subject; /* text "": none */
};

static enum keer_err read_in_db(struct db *db, void *ctx)
{
    struct reading *r = ctx;
    struct identifier names[IDENTIFIERS_MAX];
    unsigned n = 0;
    struct challenge *c = &r->asked->challenge;
    enum keer_err err = challenge_get(db, r->id, r->now_us, c);
    if (err == KEER_OK)
        err = authenticators_methods(db, &c->account, &r->asked->methods);
    if (err == KEER_OK && c->methods)
        r->asked->methods &= c->methods;
    if (err == KEER_OK)
        err = identifier_list(db, &c->account, names, &n);
    for (unsigned i = 0; err == KEER_OK && i < n; i++)
        if (names[i].kind == IDENTIFIER_SUBJECT)
            r->subject = names[i];
    return err;
}

static void put_claims(const struct steps *s, const struct reading *r, struct buf *b)
{
    const struct challenge *c = &r->asked->challenge;
    char hash[CRYPTO_TEXT_BYTES];
    crypto_text(&c->shown_hash, hash);
    buf_puts(b, "{\"iss\":");
    buf_json(b, slice_str(s->issuer));
    buf_puts(b, ",\"aud\":");
    buf_json(b, slice_str(c->client));
    buf_puts(b, ",\"sub\":");
    buf_json(b, r->subject.text[0] ? slice_str(r->subject.text) : id_slice(&c->account));
    buf_fmt(b, ",\"iat\":%lld,\"exp\":%lld,\"jti\":\"%s\",\"acr\":\"%s\",\"amr\":[", (long long)(r->now_us / US_SECOND),
            (long long)((c->done_us + ASK_ANSWER_US) / US_SECOND), c->id.text,
            c->kind == CHALLENGE_PAYMENT ? ACR_PAY : ACR_2);
    challenge_amr_json(c->done_amr, b);
    buf_fmt(b, "],\"auth_time\":%lld,\"kind\":\"%s\",\"confirmed\":\"%s\",\"shown\":", (long long)(c->done_us / US_SECOND),
            challenge_kind_name(c->kind), hash);
    buf_json(b, slice_str(c->shown));
    buf_char(b, '}');
}

enum keer_err ask_read(const struct steps *s, struct desk_worker *w, struct slice client, const struct id *challenge,
                       struct asked *ret)
{
    struct reading r = {.id = challenge, .now_us = desk_wall_us(w), .asked = ret};
    struct buf claims;
    buf_init(&ret->answer, ANSWER_BYTES);
    enum keer_err err = desk_read(w, read_in_db, &r);
    const struct challenge *c = &ret->challenge;
    if (err == KEER_OK && (client.len ? !slice_eq(client, slice_str(c->client)) : !c->client[0]))
        err = KEER_EMISSING;
    if (err != KEER_OK || c->state != CHALLENGE_DONE || !s->sign || r.now_us >= c->done_us + ASK_ANSWER_US)
        return err;
    buf_init(&claims, ANSWER_BYTES);
    put_claims(s, &r, &claims);
    err =
        claims.err == KEER_OK ? s->sign(s->sign_ctx, w, "keer-challenge+jwt", buf_view(&claims), &ret->answer) : claims.err;
    buf_release(&claims);
    return err;
}
