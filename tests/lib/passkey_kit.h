/* passkey_kit.h - an authenticator and a browser in software, for tests: makes registrations, assertions and payments as a
 * recipe says, right or wrong in one thing. tests/lib/passkey_mutations.def has the wrong ones.
 */
#ifndef TESTS_LIB_PASSKEY_KIT_H
#define TESTS_LIB_PASSKEY_KIT_H
#include "lib/passkey_attestation.h"

/* --- the browser ------------------------------------------------------------------------------------------------- */

static inline void kit_member(struct buf *b, const char *name, const char *literal)
{
    if (literal)
        buf_fmt(b, "%s\"%s\":%s", b->p[b->len - 1] == '{' ? "" : ",", name, literal);
}

static inline void kit_put_payment(const struct recipe *r, struct buf *b)
{
    buf_puts(b, ",\"payment\":{");
    kit_member(b, "rpId", r->pay_rp);
    kit_member(b, "rp", r->pay_old_rp);
    kit_member(b, "topOrigin", r->pay_top);
    kit_member(b, "payeeName", r->pay_name);
    kit_member(b, "payeeOrigin", r->pay_origin);
    buf_puts(b, ",\"total\":{");
    kit_member(b, "value", r->pay_value);
    kit_member(b, "currency", r->pay_currency);
    buf_puts(b, "},\"instrument\":{");
    kit_member(b, "displayName", r->pay_instrument);
    kit_member(b, "icon", r->pay_icon);
    buf_puts(b, "}");
    buf_puts(b, r->pay_more ? r->pay_more : "");
    buf_puts(b, "}");
}

static inline void kit_put_client(const struct recipe *r, struct ceremony *c)
{
    struct buf *b = &c->client;
    char challenge[80], quoted[120];
    unsigned char shown[32];
    memcpy(shown, c->challenge, sizeof shown);
    shown[5] = (unsigned char)(shown[5] ^ r->other_challenge);
    base64url_text(shown, sizeof shown, challenge);
    (void)snprintf(quoted, sizeof quoted, "\"%s%s\"", challenge, r->challenge_tail ? r->challenge_tail : "");
    buf_puts(b, r->before ? r->before : "");
    buf_puts(b, "{");
    kit_member(b, "type", r->type);
    kit_member(b, "challenge", r->no_challenge ? NULL : quoted);
    kit_member(b, "origin", r->origin);
    kit_member(b, "crossOrigin", r->cross);
    kit_member(b, "topOrigin", r->top);
    buf_puts(b, r->extra ? r->extra : "");
    if (r->kind == KIT_PAY && !r->no_payment)
        kit_put_payment(r, b);
    buf_puts(b, "}");
    buf_puts(b, r->after ? r->after : "");
}

/* --- the authenticator ------------------------------------------------------------------------------------------- */

static inline void kit_put_coordinates(const struct recipe *r, const struct crypto_parts *parts, struct buf *b)
{
    unsigned char x[72], y[72];
    memcpy(x, parts->bytes[0], parts->len[0]);
    memcpy(y, parts->bytes[1], parts->len[1]);
    y[3] = (unsigned char)(y[3] ^ r->off_curve);
    kit_int(b, -2);
    kit_bytes(b, slice_of((const char *)x, parts->len[0] - r->short_x));
    kit_int(b, -3);
    if (r->compressed)
        buf_char(b, (char)0xF5);
    else
        kit_bytes(b, slice_of((const char *)y, parts->len[1]));
}

static inline void kit_put_rsa(const struct recipe *r, const struct crypto_parts *parts, struct buf *b)
{
    kit_int(b, -1);
    kit_bytes(b, slice_of((const char *)parts->bytes[0], r->rsa_small ? 128 : parts->len[0]));
    kit_int(b, -2);
    kit_bytes(b, r->rsa_one ? SLICE("\1") : slice_of((const char *)parts->bytes[1], parts->len[1]));
}

static inline void kit_put_key(const struct passkey_kit *k, const struct recipe *r, struct buf *b)
{
    static const int64_t curves[] = {1, 2, 3, 0, 6, 7};
    static const char low[32] = {1}; /* the neutral element of Ed25519 */
    struct crypto_parts parts;
    MADE(crypto_key_parts(k->keys[r->alg], &parts));
    bool ec = r->alg <= KIT_ES512, rsa = r->alg == KIT_RS256;
    kit_head(b, 5, (ec ? 5u : 4u) + r->private_part);
    kit_int(b, 1);
    kit_int(b, r->kty ? r->kty : ec ? 2 : rsa ? 3 : 1);
    kit_int(b, 3);
    kit_int(b, r->key_alg ? r->key_alg : kit_algs[r->alg].number);
    if (rsa) {
        kit_put_rsa(r, &parts, b);
        return;
    }
    kit_int(b, -1);
    kit_int(b, r->curve ? r->curve : curves[r->alg]);
    if (ec)
        kit_put_coordinates(r, &parts, b);
    else {
        kit_int(b, -2);
        kit_bytes(b, r->ed_small ? slice_of(low, 32) : slice_of((const char *)parts.bytes[0], parts.len[0] - r->short_x));
    }
    if (r->private_part) {
        kit_int(b, -4);
        kit_bytes(b, SLICE("0123456789abcdef0123456789abcdef"));
    }
}

static inline void kit_put_data(const struct passkey_kit *k, const struct recipe *r, struct ceremony *c)
{
    struct crypto_hash h;
    struct buf *b = &c->data;
    crypto_sha256(slice_str(r->rp), &h);
    buf_put(b, h.bytes, sizeof h.bytes);
    buf_char(b, (char)r->flags);
    for (unsigned i = 0; i < 4; i++)
        buf_char(b, (char)(r->counter >> (24 - 8 * i)));
    if (r->kind == KIT_REGISTER) {
        size_t said = r->id_len + (size_t)r->id_len_more;
        buf_put(b, r->aaguid, AAGUID_BYTES);
        buf_char(b, (char)(said >> 8));
        buf_char(b, (char)(said & 0xFF));
        buf_put(b, c->id, r->id_len);
        buf_slice(b, buf_view(&c->key));
    }
    buf_slice(b, r->extensions);
    buf_slice(b, r->data_tail);
    if (r->data_bytes)
        b->len = r->data_bytes;
    UNUSED(k);
}

/* --- ceremonies -------------------------------------------------------------------------------------------------- */

/* A right one: which, and what is random in it, by `rng`. */
static inline struct recipe recipe_make(enum kit_kind kind, enum attest_format format, bool self, unsigned alg,
                                        struct rng *rng)
{
    struct recipe r = {.kind = kind,
                       .format = format,
                       .self = self,
                       .alg = alg,
                       .type = kind == KIT_REGISTER  ? "\"webauthn.create\""
                               : kind == KIT_SIGN_IN ? "\"webauthn.get\""
                                                     : "\"payment.get\"",
                       .origin = "\"" KIT_ORIGIN "\"",
                       .cross = rng_chance(rng, 0.8) ? "false" : NULL,
                       .extra = rng_chance(rng, 0.3) ? ",\"other_keys_can_be_added_here\":\"do not compare\"" : NULL,
                       .pay_rp = "\"" KIT_RP "\"",
                       .pay_old_rp = rng_chance(rng, 0.5) ? "\"" KIT_RP "\"" : NULL,
                       .pay_top = "\"" KIT_TOP "\"",
                       .pay_name = "\"Example store\"",
                       .pay_origin = "\"" KIT_TOP "\"",
                       .pay_value = "\"6.48\"",
                       .pay_currency = "\"EUR\"",
                       .pay_instrument = "\"Wallet \\u2022\\u2022 1234\"",
                       .pay_icon = "\"" KIT_ICON "\"",
                       .fmt = attest_format_name(format),
                       .rp = KIT_RP,
                       .flags = AUTH_UP | AUTH_UV | (kind == KIT_REGISTER ? AUTH_AT : 0),
                       .counter = rng_chance(rng, 0.5) ? 0 : (uint32_t)rng_between(rng, 10, 1000000),
                       .id_len = (size_t)rng_between(rng, 16, 128),
                       .tpm_version = "2.0",
                       .tpm_magic = 0xFF544347,
                       .tpm_type = 0x8017,
                       .key_origin = 0,
                       .key_purpose = 2,
                       .in_software = rng_chance(rng, 0.3),
                       .cert_aaguid = format == ATTEST_PACKED && rng_chance(rng, 0.5),
                       .cert_country = "NL",
                       .cert_org = "Kit",
                       .cert_unit = "Authenticator Attestation",
                       .cert_until = "490101000000Z"};
    if (rng_chance(rng, 0.6))
        r.flags |= AUTH_BE | (rng_chance(rng, 0.7) ? AUTH_BS : 0u);
    r.stored_counter = r.counter ? r.counter - 1 : 0;
    for (size_t i = 0; i < sizeof r.aaguid; i++)
        r.aaguid[i] = format == ATTEST_FIDO_U2F ? 0 : (unsigned char)rng_u64(rng);
    return r;
}

static inline void ceremony_init(struct ceremony *c)
{
    *c = (struct ceremony){0};
    buf_init(&c->client, 1u << 15);
    buf_init(&c->object, CBOR_BYTES_MAX);
    buf_init(&c->data, 1u << 14);
    buf_init(&c->signature, 4096);
    buf_init(&c->key, 4096);
    buf_init(&c->statement, 1u << 15);
}

static inline void ceremony_release(struct ceremony *c)
{
    buf_release(&c->client);
    buf_release(&c->object);
    buf_release(&c->data);
    buf_release(&c->signature);
    buf_release(&c->key);
    buf_release(&c->statement);
}

static inline void kit_expect(const struct passkey_kit *k, const struct recipe *r, struct ceremony *c)
{
    c->origin[0] = SLICE(KIT_ORIGIN);
    for (unsigned i = 0; i < KIT_ALGS; i++)
        c->algorithms[i] = kit_algs[i].number;
    c->payment = (struct webauthn_payment){.rp_id = SLICE(KIT_RP),
                                           .top_origin = SLICE(KIT_TOP),
                                           .payee_name = r->payee_unknown ? KIT_EMPTY : SLICE("Example store"),
                                           .payee_origin = SLICE(KIT_TOP),
                                           .value = SLICE("6.48"),
                                           .currency = SLICE("EUR"),
                                           .instrument_name = SLICE("Wallet \u2022\u2022 1234"),
                                           .instrument_icon = SLICE(KIT_ICON)};
    c->expect = (struct webauthn_expect){.challenge = slice_of((const char *)c->challenge, sizeof c->challenge),
                                         .rp_id = SLICE(KIT_RP),
                                         .origins = c->origin,
                                         .origins_count = 1,
                                         .user_verified = true,
                                         .algorithms = c->algorithms,
                                         .algorithms_count = r->only_es256 ? 1 : KIT_ALGS,
                                         .roots = &k->root,
                                         .roots_count = 1,
                                         .trusted = r->want_trusted,
                                         .now_us = KIT_NOW_US,
                                         .payment = r->kind == KIT_PAY ? &c->payment : NULL,
                                         .user_handle = true};
}

static inline void kit_sign(const struct passkey_kit *k, const struct recipe *r, struct ceremony *c)
{
    struct buf data;
    struct crypto_signature sig;
    buf_init(&data, 1u << 15);
    kit_put_signed(c, &data);
    data.p[data.len - 1] = (char)(data.p[data.len - 1] ^ r->sig_other);
    MADE(crypto_key_sign(r->sign_other ? k->others[r->alg] : k->keys[r->alg], kit_algs[r->alg].alg,
                         r->sig_raw ? CRYPTO_RAW : CRYPTO_DER, buf_view(&data), &sig));
    sig.bytes[sig.len - 1] = (unsigned char)(sig.bytes[sig.len - 1] ^ r->sig_bit);
    buf_put(&c->signature, sig.bytes, r->sig_empty ? 0 : sig.len);
    buf_puts(&c->signature, r->sig_tail ? r->sig_tail : "");
    buf_puts(&c->client, r->client_tail ? r->client_tail : "");
    buf_release(&data);
}

/* Makes what the browser sends, and what the server expects; `c` may have been used before. */
static inline void ceremony_make(const struct passkey_kit *k, const struct recipe *r, struct rng *rng, struct ceremony *c)
{
    buf_clear(&c->client);
    buf_clear(&c->object);
    buf_clear(&c->data);
    buf_clear(&c->signature);
    buf_clear(&c->key);
    buf_clear(&c->statement);
    for (size_t i = 0; i < sizeof c->challenge; i++)
        c->challenge[i] = (unsigned char)rng_u64(rng);
    for (size_t i = 0; i < sizeof c->id; i++)
        c->id[i] = (unsigned char)rng_u64(rng);
    if (r->use_challenge.len)
        memcpy(c->challenge, r->use_challenge.p, sizeof c->challenge);
    if (r->use_id.len)
        memcpy(c->id, r->use_id.p, r->use_id.len);
    kit_expect(k, r, c);
    kit_put_key(k, r, &c->key);
    c->stored = (struct webauthn_credential){.id = slice_of((const char *)c->id, r->id_len),
                                             .public_key = buf_view(&c->key),
                                             .user_handle = SLICE(KIT_USER),
                                             .counter = r->stored_counter,
                                             .backup_eligible = r->eligible_turned != (bool)(r->flags & AUTH_BE)};
    kit_put_client(r, c);
    kit_put_data(k, r, c);
    if (r->kind == KIT_REGISTER)
        kit_put_object(k, r, c);
    else
        kit_sign(k, r, c);
    c->registration = (struct webauthn_registration){buf_view(&c->client), buf_view(&c->object)};
    c->assertion =
        (struct webauthn_assertion){.credential_id = r->credential_other ? slice_of((const char *)c->id, 15) : c->stored.id,
                                    .client_data = buf_view(&c->client),
                                    .authenticator_data = buf_view(&c->data),
                                    .signature = buf_view(&c->signature),
                                    .user_handle = r->use_user.len   ? r->use_user
                                                   : r->user_missing ? KIT_EMPTY
                                                   : r->user_other   ? SLICE("user-handle-0002")
                                                                     : SLICE(KIT_USER)};
    ASSERT(!c->client.err && !c->object.err && !c->data.err && !c->signature.err && !c->key.err);
}
#endif
