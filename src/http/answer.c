/* answer.c - what an answer carries besides its body, and what a request says about who sent it. */
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "http/inside.h"

void http_set_header(struct http_exchange *x, const char *name, struct slice value)
{
    for (size_t i = 0; i < value.len; i++)
        if ((unsigned char)value.p[i] < 32 || value.p[i] == 127)
            x->headers.err = KEER_ESYNTAX;
    if (x->headers_count >= HTTP_HEADERS_MAX)
        x->headers.err = KEER_ELIMIT;
    buf_put(&x->headers, name, strlen(name) + 1);
    buf_slice(&x->headers, value);
    buf_char(&x->headers, '\0');
    if (x->headers.err == KEER_OK)
        x->headers_count++;
}

/* __Host- names must be Secure and have Path=/ (RFC 6265bis section 4.1.3.2). */
void http_set_cookie(struct http_exchange *x, const struct http_cookie *cookie)
{
    struct buf line;
    buf_init(&line, HTTP_HEADERS_BYTES);
    buf_fmt(&line, "%s=", cookie->name);
    buf_slice(&line, cookie->value);
    buf_puts(&line, "; Path=/; HttpOnly; SameSite=Lax");
    if (cookie->secure)
        buf_puts(&line, "; Secure");
    if (cookie->max_age_s)
        buf_fmt(&line, "; Max-Age=%lld", (long long)MAX_OF(cookie->max_age_s, 0));
    if (line.err == KEER_OK)
        http_set_header(x, "Set-Cookie", buf_view(&line));
    else
        x->headers.err = line.err;
    if (line.p)
        explicit_bzero(line.p, line.cap);
    buf_release(&line);
}

/* Several Cookie headers would be several chances; RFC 6265 section 5.4 knows one. */
static enum MHD_Result on_cookie(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct slice *header = cls;
    UNUSED(kind);
    if (!slice_eqi(slice_str(name), SLICE("Cookie")))
        return MHD_YES;
    *header = header->p ? SLICE("") : slice_str(value);
    return MHD_YES;
}

struct slice http_cookie(struct http_exchange *x, const char *name)
{
    struct slice header = {NULL, 0};
    (void)MHD_get_connection_values(x->connection, MHD_HEADER_KIND, on_cookie, &header);
    return http_cookie_find(header, name);
}

void http_peer(struct http_exchange *x, char ret_address[HTTP_PEER_BYTES])
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *a = info ? info->client_addr : NULL;
    socklen_t len = a && a->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    if (!a || getnameinfo(a, len, ret_address, HTTP_PEER_BYTES, NULL, 0, NI_NUMERICHOST) != 0)
        ret_address[0] = '\0';
}

struct listing {
    const char *name;
    struct buf *list;
};

static enum MHD_Result on_listed(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct listing *l = cls;
    UNUSED(kind);
    if (slice_eqi(slice_str(name), slice_str(l->name))) {
        buf_puts(l->list, l->list->len ? "," : "");
        buf_puts(l->list, value ? value : "");
    }
    return MHD_YES;
}

void http_header_list(struct http_exchange *x, const char *name, struct buf *list)
{
    struct listing l = {name, list};
    (void)MHD_get_connection_values(x->connection, MHD_HEADER_KIND, on_listed, &l);
}

static enum MHD_Result on_head(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct buf *out = cls;
    UNUSED(kind);
    for (const char *c = name; *c; c++)
        buf_char(out, ascii_lower(*c));
    buf_puts(out, ": ");
    buf_puts(out, value ? value : "");
    buf_char(out, '\n');
    return MHD_YES;
}

void http_head(struct http_exchange *x, struct buf *out)
{
    (void)MHD_get_connection_values(x->connection, MHD_HEADER_KIND, on_head, out);
}

bool http_secure(const struct http_exchange *x) { return x->server->options.tls != NULL; }
