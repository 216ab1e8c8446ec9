/* easy.c - what every request on libcurl has in common. */
#include "net/easy.h"

#include <sys/socket.h>

static bool may_connect(struct net_guard *g, const struct net_address *address, const char *text)
{
    enum net_verdict verdict = address ? net_judge(g->allowed, address) : NET_REFUSED;
    if (verdict == NET_ALLOWED || (verdict == NET_PUBLIC && !g->insecure))
        return true;
    g->refused = true;
    (void)snprintf(g->why, sizeof g->why, "%.*s is not an address that may be connected to%s", NET_TEXT_BYTES, text,
                   verdict == NET_PUBLIC ? " without TLS" : "");
    return false;
}

static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct net_guard *g = ctx;
    struct net_address address;
    char text[NET_TEXT_BYTES] = "?";
    UNUSED(purpose);
    if (g->began) {
        (void)snprintf(g->why, sizeof g->why, "the connection ended without an answer");
        return CURL_SOCKET_BAD;
    }
    bool known = net_address_of(&to->addr, &address) == KEER_OK;
    if (known)
        net_address_print(&address, text);
    if (!may_connect(g, known ? &address : NULL, text))
        return CURL_SOCKET_BAD;
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

/* A connection stands, new or kept; what follows is the request. A kept one was judged by the rules of another request. */
static int on_connection(void *ctx, char *ip, char *local_ip, int port, int local_port)
{
    struct net_guard *g = ctx;
    struct net_address address;
    UNUSED(local_ip);
    UNUSED(port);
    UNUSED(local_port);
    bool known = net_address_parse(slice_str(ip), &address) == KEER_OK;
    if (!may_connect(g, known ? &address : NULL, ip))
        return CURL_PREREQFUNC_ABORT;
    g->began = true;
    return CURL_PREREQFUNC_OK;
}

CURLcode net_easy_setup(CURL *e, const char *url, struct net_guard *g, int64_t connect_us, int64_t whole_us)
{
    CURLcode rc = curl_easy_setopt(e, CURLOPT_URL, url);
    g->insecure = strncmp(url, "https:", 6) != 0;
#define SET(option, value) rc = rc == CURLE_OK ? curl_easy_setopt(e, option, value) : rc
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(connect_us / 1000));
    SET(CURLOPT_TIMEOUT_MS, (long)(whole_us / 1000));
    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(CURLOPT_OPENSOCKETDATA, (void *)g);
    SET(CURLOPT_PREREQFUNCTION, on_connection);
    SET(CURLOPT_PREREQDATA, (void *)g);
    SET(CURLOPT_USERAGENT, "keer/" KEER_VERSION);
#undef SET
    return rc;
}
