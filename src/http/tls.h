/* tls.h - what loop.c needs of tls.c: who a connection is to TLS. http.h has the calls for the others.
 *
 * Invariants
 * 1. A connection is shown one certificate, the one in force when it came; certificate and key live until it is closed.
 * 2. TLS 1.2 and 1.3, ECDHE, and ciphers with authentication alone; no renegotiation, no resumption, no client certificates.
 */
#ifndef HTTP_TLS_H
#define HTTP_TLS_H
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

#include "http/inside.h"

#define TLS_PRIORITIES                                                                                        \
    "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-CIPHER-ALL:+AES-256-GCM:" \
    "+CHACHA20-POLY1305:+AES-128-GCM:-MAC-ALL:+AEAD:-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1"

/* A reference to the certificate in force, for a connection that comes (loop.c); NULL without TLS. */
struct http_tls *tls_hold(struct http_server *s);
gnutls_certificate_retrieve_function3 tls_certificate;
#endif
