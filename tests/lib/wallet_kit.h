/* wallet_kit.h - what the tests of wallets' drivers share: keys of both sides, files that hold them, and a transport that
 * plays an answer and keeps the request.
 */
#ifndef TESTS_LIB_WALLET_KIT_H
#define TESTS_LIB_WALLET_KIT_H
#include <fcntl.h>
#include <sys/stat.h>

#include "base/base64.h"
#include "base/crypto.h"
#include "base/timefmt.h"
#include "lib/der_write.h"
#include "lib/scratch.h"
#include "wallet/driver.h"
#include "wallet/sign.h"

#define WIRE_NOW_US (INT64_C(1539137502) * US_SECOND) /* 2018-10-10 10:11:42 +08:00 */

enum { WIRE_OURS, WIRE_THEIRS, WIRE_NEXT, WIRE_OTHER, WIRE_KEYS }; /* NEXT: theirs as well, while keys change */
static struct crypto_key *wire_keys[WIRE_KEYS];                    /* made once: RSA takes its time */

struct wire {
    struct scratch scratch;
    void *self;
    struct wallet_io io;
    /* what is played: an answer that is complete, or none */
    enum wallet_sent sent;
    int status;
    struct buf head, body;
    /* what came */
    unsigned requests;
    char method[8];
    struct buf rq_url, rq_body, rq_head;
};

static inline enum wallet_sent wire_send(void *ctx, const struct wallet_request *rq, struct wallet_response *ret)
{
    struct wire *w = ctx;
    w->requests++;
    (void)snprintf(w->method, sizeof w->method, "%s", rq->method);
    buf_clear(&w->rq_url);
    buf_clear(&w->rq_body);
    buf_clear(&w->rq_head);
    buf_slice(&w->rq_url, rq->url);
    buf_slice(&w->rq_body, rq->body);
    for (unsigned i = 0; i < rq->headers; i++)
        buf_fmt(&w->rq_head, SLICE_FMT ": " SLICE_FMT "\n", SLICE_ARG(rq->header[i].name), SLICE_ARG(rq->header[i].value));
    if (w->sent != WALLET_ANSWERED)
        return w->sent;
    ret->status = w->status;
    buf_clear(&ret->head);
    buf_clear(&ret->body);
    buf_slice(&ret->head, buf_view(&w->head));
    buf_slice(&ret->body, buf_view(&w->body));
    return ret->head.err == KEER_OK && ret->body.err == KEER_OK ? WALLET_ANSWERED : WALLET_LOST;
}

static inline void wire_random(void *ctx, void *bytes, size_t len)
{
    UNUSED(ctx);
    memset(bytes, 0xA5, len);
}

static inline void wire_file(struct wire *w, const char *name, struct slice content, mode_t mode)
{
    int fd = open(scratch_path(&w->scratch, name), O_CREAT | O_WRONLY | O_TRUNC, 0600);
    ASSERT(fd >= 0 && write(fd, content.p, content.len) == (ssize_t)content.len && fchmod(fd, mode) == 0 && close(fd) == 0);
}

static inline void wire_pem(struct buf *b, const char *label, struct slice der)
{
    buf_fmt(b, "-----BEGIN %s-----\n", label);
    for (size_t at = 0; at < der.len; at += 48) {
        base64_put(b, slice_of(der.p + at, MIN_OF(48u, der.len - at)));
        buf_char(b, '\n');
    }
    buf_fmt(b, "-----END %s-----\n", label);
}

static inline void wire_public(struct wire *w, const char *name, const struct crypto_key *key)
{
    struct buf der, pem;
    buf_init(&der, 1u << 16);
    buf_init(&pem, 1u << 16);
    MADE(crypto_key_put_spki(key, &der));
    wire_pem(&pem, "PUBLIC KEY", buf_view(&der));
    wire_file(w, name, buf_view(&pem), 0644);
    buf_release(&der);
    buf_release(&pem);
}

/* A folder with ours.pem, theirs.pem, next.pem, and the names of files that are no keys. */
static inline void wire_start(struct wire *w)
{
    struct buf pem;
    *w = (struct wire){.status = 200};
    ASSERT(crypto_start() == KEER_OK);
    scratch_make(&w->scratch);
    for (size_t i = 0; i < WIRE_KEYS; i++)
        if (!wire_keys[i])
            MADE(crypto_key_generate(CRYPTO_RSA, 2048, &wire_keys[i]));
    buf_init(&pem, 1u << 16);
    MADE(crypto_key_put_private_pem(wire_keys[WIRE_OURS], &pem));
    wire_file(w, "ours.pem", buf_view(&pem), 0600);
    buf_release(&pem);
    wire_public(w, "theirs.pem", wire_keys[WIRE_THEIRS]);
    wire_public(w, "next.pem", wire_keys[WIRE_NEXT]);
    buf_init(&w->head, 1u << 16);
    buf_init(&w->body, WALLET_ANSWER_BYTES);
    buf_init(&w->rq_url, 1u << 16);
    buf_init(&w->rq_body, 1u << 18);
    buf_init(&w->rq_head, 1u << 16);
    w->io = (struct wallet_io){.send = wire_send, .random = wire_random, .ctx = w, .now_us = WIRE_NOW_US};
}

static inline void wire_open(struct wire *w, const struct wallet_driver *driver, const char *settings)
{
    char why[WALLET_WHY_BYTES] = "";
    enum keer_err err = driver->open(slice_str(settings), w->scratch.dir, &w->self, why);
    ck_assert_msg(err == KEER_OK, "%s", why);
}

static inline void wire_stop(struct wire *w, const struct wallet_driver *driver)
{
    driver->free(w->self);
    buf_release(&w->head);
    buf_release(&w->body);
    buf_release(&w->rq_url);
    buf_release(&w->rq_body);
    buf_release(&w->rq_head);
    scratch_remove(&w->scratch);
}

/* The file of shared data, as text; false when it is not there. */
static inline bool wire_shared(const char *name, struct buf *b)
{
    char path[600];
    const char *dir = shared_dir();
    if (!dir)
        return false;
    (void)snprintf(path, sizeof path, "%s/vectors/%s", dir, name);
    FILE *f = fopen(path, "r");
    char *room = f ? buf_reserve(b, 1u << 20) : NULL;
    if (!f || !room)
        return false;
    b->len += fread(room, 1, 1u << 20, f);
    return fclose(f) == 0;
}

static inline struct crypto_key *wire_shared_key(const char *name)
{
    struct buf b;
    struct crypto_key *key = NULL;
    buf_init(&b, 2u << 20);
    ck_assert(wire_shared(name, &b));
    ck_ok(crypto_key_pem(buf_view(&b), &key));
    buf_release(&b);
    return key;
}
#endif
