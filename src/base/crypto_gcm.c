/* crypto_gcm.c - AES-GCM, by OpenSSL. */
#include "base/crypto_gcm.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/crypto.h"
#include "base/crypto_inside.h"

/* A context that has the key, the nonce and the associated data. */
static enum keer_err start(const struct crypto_gcm *g, bool seal, EVP_CIPHER_CTX **ret_ctx)
{
    if ((g->key.len != 16 && g->key.len != 32) || g->nonce.len < CRYPTO_GCM_NONCE_BYTES || g->nonce.len > 16 ||
        g->aad.len > INT_MAX)
        return KEER_EINVALID;
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(crypto_context(), g->key.len == 16 ? "AES-128-GCM" : "AES-256-GCM", NULL);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int took = 0;
    bool ok =
        cipher && ctx && EVP_CipherInit_ex2(ctx, cipher, NULL, NULL, seal, NULL) == 1 &&
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)g->nonce.len, NULL) == 1 &&
        EVP_CipherInit_ex2(ctx, NULL, (const unsigned char *)g->key.p, (const unsigned char *)g->nonce.p, seal, NULL) == 1 &&
        (g->aad.len == 0 || EVP_CipherUpdate(ctx, NULL, &took, (const unsigned char *)g->aad.p, (int)g->aad.len) == 1);
    EVP_CIPHER_free(cipher);
    if (!ok) {
        EVP_CIPHER_CTX_free(ctx);
        ERR_clear_error();
        return KEER_ENOMEM;
    }
    *ret_ctx = ctx;
    return KEER_OK;
}

static bool run(EVP_CIPHER_CTX *ctx, struct slice from, unsigned char *to)
{
    int took = 0;
    if (from.len &&
        (EVP_CipherUpdate(ctx, to, &took, (const unsigned char *)from.p, (int)from.len) != 1 || (size_t)took != from.len))
        return false;
    return EVP_CipherFinal_ex(ctx, to + from.len, &took) == 1 && took == 0;
}

enum keer_err crypto_gcm_open(const struct crypto_gcm *gcm, struct slice sealed, struct buf *b)
{
    EVP_CIPHER_CTX *ctx = NULL;
    unsigned char tag[CRYPTO_GCM_TAG_BYTES];
    if (sealed.len < sizeof tag || sealed.len > INT_MAX)
        return KEER_EFORMAT;
    struct slice text = slice_of(sealed.p, sealed.len - sizeof tag);
    memcpy(tag, sealed.p + text.len, sizeof tag);
    unsigned char *to = (unsigned char *)buf_reserve(b, text.len);
    if (!to)
        return b->err;
    enum keer_err err = start(gcm, /* seal */ false, &ctx);
    if (err != KEER_OK)
        return err;
    bool ok = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, sizeof tag, tag) == 1 && run(ctx, text, to);
    EVP_CIPHER_CTX_free(ctx);
    ERR_clear_error();
    if (!ok) {
        crypto_wipe(to, text.len);
        return KEER_EFORMAT;
    }
    b->len += text.len;
    b->p[b->len] = '\0';
    return KEER_OK;
}

enum keer_err crypto_gcm_seal(const struct crypto_gcm *gcm, struct slice plain, struct buf *b)
{
    EVP_CIPHER_CTX *ctx = NULL;
    if (plain.len > INT_MAX - CRYPTO_GCM_TAG_BYTES)
        return KEER_ELIMIT;
    unsigned char *to = (unsigned char *)buf_reserve(b, plain.len + CRYPTO_GCM_TAG_BYTES);
    if (!to)
        return b->err;
    enum keer_err err = start(gcm, /* seal */ true, &ctx);
    if (err != KEER_OK)
        return err;
    bool ok =
        run(ctx, plain, to) && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, CRYPTO_GCM_TAG_BYTES, to + plain.len) == 1;
    EVP_CIPHER_CTX_free(ctx);
    ERR_clear_error();
    if (!ok)
        return KEER_ENOMEM;
    b->len += plain.len + CRYPTO_GCM_TAG_BYTES;
    b->p[b->len] = '\0';
    return KEER_OK;
}
