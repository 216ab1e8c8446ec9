/* tls.c - certificates with their keys, and which one a connection is shown.
 *
 * libmicrohttpd is given no certificate but a callback (MHD_OPTION_HTTPS_CERT_CALLBACK2), so that another can come into
 * force while connections live. A connection takes the one that is in force when it comes, and counts as a reference until
 * it is closed: GnuTLS points at certificate and key during the handshake, which can take many turns of the loop.
 *
 *     http_tls_new ─► http_open, http_renew: in force ─► on_connection: +1 for each connection ─► the last one frees it
 */
#include "http/tls.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#define CHAIN_MAX 10u /* certificates from ours to the root */
#define KEY_ID_BYTES 64
#define NAME_BYTES 120

struct http_tls {
    atomic_uint refs;
    unsigned count;
    gnutls_pcert_st chain[CHAIN_MAX];
    gnutls_privkey_t key;
    int64_t begins_s, ends_s;
    char name[NAME_BYTES];
};

static void why_put(struct http_why *why, const char *what, int rc)
{
    (void)snprintf(why->text, sizeof why->text, "%s%s%s", what, rc < 0 ? ": " : "", rc < 0 ? gnutls_strerror(rc) : "");
}

static enum keer_err refuse(struct http_why *why, const char *what, int rc)
{
    why_put(why, what, rc);
    return rc == GNUTLS_E_MEMORY_ERROR ? KEER_ENOMEM : KEER_EFORMAT;
}

static gnutls_datum_t datum(struct slice s)
{
    union {
        const char *in;
        unsigned char *out; /* GnuTLS has no const here, and writes nothing */
    } bytes = {s.p};
    return (gnutls_datum_t){bytes.out, (unsigned)s.len};
}

static enum keer_err read_chain(struct http_tls *t, struct slice pem, struct http_why *why)
{
    gnutls_x509_crt_t certs[CHAIN_MAX];
    unsigned n = CHAIN_MAX;
    size_t len = sizeof t->name;
    gnutls_datum_t text = datum(pem);
    int rc = gnutls_x509_crt_list_import(certs, &n, &text, GNUTLS_X509_FMT_PEM, GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED);
    if (rc < 0)
        return refuse(why, rc == GNUTLS_E_SHORT_MEMORY_BUFFER ? "more than 10 certificates" : "no certificate in PEM", rc);
    t->begins_s = (int64_t)gnutls_x509_crt_get_activation_time(certs[0]);
    t->ends_s = (int64_t)gnutls_x509_crt_get_expiration_time(certs[0]);
    if (gnutls_x509_crt_get_dn(certs[0], t->name, &len) < 0)
        t->name[0] = '\0';
    unsigned put = n;
    rc = gnutls_pcert_import_x509_list(t->chain, certs, &put, GNUTLS_X509_CRT_LIST_SORT);
    for (unsigned i = 0; i < n; i++)
        gnutls_x509_crt_deinit(certs[i]);
    if (rc < 0)
        return refuse(why, "the certificates are no chain, each signed by the next", rc);
    t->count = put;
    return KEER_OK;
}

static enum keer_err read_key(struct http_tls *t, struct slice pem, struct http_why *why)
{
    gnutls_datum_t text = datum(pem);
    int rc = gnutls_privkey_init(&t->key);
    if (rc >= 0)
        rc = gnutls_privkey_import_x509_raw(t->key, &text, GNUTLS_X509_FMT_PEM, /* password */ NULL, 0);
    if (rc < 0)
        return refuse(why, "no private key in PEM, without a password", rc);
    unsigned bits = 0;
    int algorithm = gnutls_privkey_get_pk_algorithm(t->key, &bits);
    if (gnutls_pk_bits_to_sec_param((gnutls_pk_algorithm_t)algorithm, bits) < GNUTLS_SEC_PARAM_MEDIUM)
        return refuse(why, "the key is too short: RSA wants 2048 bits or more", 0);
    return KEER_OK;
}

static enum keer_err check_pair(const struct http_tls *t, struct http_why *why)
{
    gnutls_pubkey_t public = NULL;
    unsigned char ours[KEY_ID_BYTES], theirs[KEY_ID_BYTES];
    size_t n = sizeof ours, m = sizeof theirs;
    int rc = gnutls_pubkey_init(&public);
    if (rc >= 0)
        rc = gnutls_pubkey_import_privkey(public, t->key, 0, 0);
    if (rc >= 0)
        rc = gnutls_pubkey_get_key_id(public, GNUTLS_KEYID_USE_SHA256, ours, &n);
    if (rc >= 0)
        rc = gnutls_pubkey_get_key_id(t->chain[0].pubkey, GNUTLS_KEYID_USE_SHA256, theirs, &m);
    gnutls_pubkey_deinit(public);
    if (rc < 0)
        return refuse(why, "the key can't be used", rc);
    return n == m && memcmp(ours, theirs, n) == 0 ? KEER_OK : refuse(why, "the key is not the certificate's", 0);
}

enum keer_err http_tls_new(struct slice certificate, struct slice key, struct http_tls **ret_tls, struct http_why *ret_why)
{
    struct http_tls *t = calloc(1, sizeof *t);
    if (!t)
        return refuse(ret_why, keer_err_text(KEER_ENOMEM), GNUTLS_E_MEMORY_ERROR);
    atomic_init(&t->refs, 1);
    enum keer_err err = read_chain(t, certificate, ret_why);
    if (err == KEER_OK)
        err = read_key(t, key, ret_why);
    if (err == KEER_OK)
        err = check_pair(t, ret_why);
    if (err == KEER_OK)
        *ret_tls = t;
    else
        http_tls_unref(t);
    return err;
}

struct http_tls *http_tls_ref(struct http_tls *t)
{
    if (t)
        (void)atomic_fetch_add(&t->refs, 1);
    return t;
}

void http_tls_unref(struct http_tls *t)
{
    if (!t || atomic_fetch_sub(&t->refs, 1) != 1)
        return;
    for (unsigned i = 0; i < t->count; i++)
        gnutls_pcert_deinit(&t->chain[i]);
    if (t->key)
        gnutls_privkey_deinit(t->key); /* it wipes what it held */
    free(t);
}

int64_t http_tls_begins_s(const struct http_tls *t) { return t->begins_s; }
int64_t http_tls_ends_s(const struct http_tls *t) { return t->ends_s; }
const char *http_tls_name(const struct http_tls *t) { return t->name; }

/* --- connections --- */

struct http_tls *tls_hold(struct http_server *s)
{
    (void)pthread_mutex_lock(&s->tls_lock);
    struct http_tls *t = s->tls ? http_tls_ref(s->tls) : NULL;
    (void)pthread_mutex_unlock(&s->tls_lock);
    return t;
}

void http_renew(struct http_server *s, struct http_tls *t)
{
    ASSERT(s->tls);
    (void)pthread_mutex_lock(&s->tls_lock);
    struct http_tls *old = s->tls;
    s->tls = http_tls_ref(t);
    (void)pthread_mutex_unlock(&s->tls_lock);
    http_tls_unref(old);
}

/* gnutls_certificate_retrieve_function3. libmicrohttpd sets the session's pointer to the connection. Nothing is handed over:
 * `flags` stays 0, and the connection's reference holds what GnuTLS points at. */
int tls_certificate(gnutls_session_t session, const struct gnutls_cert_retr_st *info, gnutls_pcert_st **certs,
                    unsigned *certs_length, gnutls_ocsp_data_st **ocsp, unsigned *ocsp_length, gnutls_privkey_t *key,
                    unsigned *flags)
{
    struct MHD_Connection *connection = gnutls_session_get_ptr(session);
    const union MHD_ConnectionInfo *c =
        connection ? MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT) : NULL;
    const struct http_conn *conn = c ? c->socket_context : NULL;
    struct http_tls *t = conn ? conn->tls : NULL;
    UNUSED(info);
    if (!t)
        return -1;
    *certs = t->chain;
    *certs_length = t->count;
    *ocsp = NULL;
    *ocsp_length = 0;
    *key = t->key;
    *flags = 0;
    return 0;
}
