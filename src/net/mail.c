/* mail.c - one mail to one address. */
#include "net/mail.h"

#include <curl/curl.h>

#include "base/base64.h"
#include "base/timefmt.h"

#define LINE_BYTES 57 /* 76 characters of base64 (RFC 2045 section 6.8) */
#define WORD_BYTES 42 /* an encoded word has 75 characters at most (RFC 2047 section 2) */

/* Encoded words of whole code points. */
static void put_words(struct buf *out, struct slice text)
{
    while (text.len) {
        size_t n = MIN_OF(text.len, (size_t)WORD_BYTES);
        while (n < text.len && n > 1 && ((unsigned char)text.p[n] & 0xC0) == 0x80)
            n--;
        buf_puts(out, "=?UTF-8?B?");
        base64_put(out, slice_of(text.p, n));
        buf_puts(out, "?=");
        text = slice_of(text.p + n, text.len - n);
        if (text.len)
            buf_puts(out, "\r\n ");
    }
}

static void put_date(struct buf *out, int64_t us)
{
    static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct civil c = time_civil(us);
    buf_fmt(out, "Date: %s, %d %s %04d %02d:%02d:%02d +0000\r\n", days[c.weekday], c.day, months[c.month - 1], c.year,
            c.hour, c.minute, c.second);
}

void mail_print(const struct mail_server *server, const struct mail *m, struct buf *out)
{
    const char *at = strchr(server->from, '@');
    buf_puts(out, "From: ");
    put_words(out, slice_str(server->name));
    buf_fmt(out, " <%s>\r\nTo: <%s>\r\nSubject: ", server->from, m->to);
    put_words(out, m->subject);
    buf_puts(out, "\r\n");
    put_date(out, m->time_us);
    buf_fmt(out, "Message-ID: <%s@%s>\r\nMIME-Version: 1.0\r\n", m->id, at ? at + 1 : "localhost");
    buf_puts(out, "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\nAuto-Submitted: "
                  "auto-generated\r\n\r\n");
    for (struct slice rest = m->text; rest.len;) {
        size_t n = MIN_OF(rest.len, (size_t)LINE_BYTES);
        base64_put(out, slice_of(rest.p, n));
        buf_puts(out, "\r\n");
        rest = slice_of(rest.p + n, rest.len - n);
    }
}

static bool is_local(const char *host)
{
    return strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 || strcmp(host, "[::1]") == 0;
}

/* What libcurl makes of an address is what it will connect to. */
static const char *look(const char *url, bool *ret_local)
{
    CURLU *u = curl_url();
    char *scheme = NULL, *host = NULL, *path = NULL;
    const char *why = NULL;
    if (!u || curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK || curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK)
        why = "it is no address as smtp://mail.example.org:587";
    else if (strcmp(scheme, "smtp") != 0 && strcmp(scheme, "smtps") != 0)
        why = "smtp:// and smtps:// are taken";
    else if (curl_url_get(u, CURLUPART_PATH, &path, 0) == CURLUE_OK && strcmp(path, "/") != 0)
        why = "nothing stands behind the host and its port";
    else
        *ret_local = is_local(host);
    curl_free(scheme);
    curl_free(host);
    curl_free(path);
    curl_url_cleanup(u);
    return why;
}

enum keer_err mail_server_check(struct slice url, char ret_why[MAIL_WHY_BYTES])
{
    char text[2048];
    bool local;
    const char *why = "it is too long";
    if (url.len < sizeof text) {
        memcpy(text, url.p, url.len);
        text[url.len] = '\0';
        why = look(text, &local);
    }
    if (!why)
        return KEER_OK;
    (void)snprintf(ret_why, MAIL_WHY_BYTES, "%s", why);
    return KEER_EINVALID;
}

struct sending {
    const struct mail_server *server;
    struct slice rest; /* of the message */
};

static size_t on_read(char *p, size_t size, size_t count, void *ctx)
{
    struct slice *rest = &((struct sending *)ctx)->rest;
    size_t n = MIN_OF(size * count, rest->len);
    if (n)
        memcpy(p, rest->p, n);
    *rest = slice_of(rest->p + n, rest->len - n);
    return n;
}

static size_t on_write(char *p, size_t size, size_t count, void *ctx)
{
    UNUSED(p);
    UNUSED(ctx);
    return size * count;
}

/* libcurl asks at least once a second. */
static int on_progress(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct sending *s = ctx;
    UNUSED(a);
    UNUSED(b);
    UNUSED(c);
    UNUSED(d);
    return s->server->give_up && atomic_load(s->server->give_up);
}

/* Any option that libcurl does not take would be a promise that is not kept: then nothing is sent. */
static bool set_up(CURL *e, struct sending *sending, struct curl_slist *to, bool local)
{
    const struct mail_server *server = sending->server;
    return curl_easy_setopt(e, CURLOPT_URL, server->url) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "smtp,smtps") == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_USE_SSL, (long)(local ? CURLUSESSL_TRY : CURLUSESSL_ALL)) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, local ? 0L : 1L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, local ? 0L : 2L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_PROXY, "") == CURLE_OK && curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)(server->whole_us / 1000)) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_MAIL_FROM, server->from) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_MAIL_RCPT, to) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_READFUNCTION, on_read) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_READDATA, sending) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_write) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_NOPROGRESS, 0L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_XFERINFOFUNCTION, on_progress) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_XFERINFODATA, sending) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_UPLOAD, 1L) == CURLE_OK;
}

enum mail_result mail_send(const struct mail_server *server, const struct mail *m, char ret_why[MAIL_WHY_BYTES])
{
    struct buf message;
    bool local = false;
    long code = 0;
    enum mail_result result = MAIL_LATER;
    CURL *e = curl_easy_init();
    struct curl_slist *to = curl_slist_append(NULL, m->to);
    buf_init(&message, MAIL_BYTES);
    mail_print(server, m, &message);
    struct sending sending = {.server = server, .rest = buf_view(&message)};
    const char *why = look(server->url, &local);
    if (why || !e || !to || message.err != KEER_OK || !set_up(e, &sending, to, local)) {
        (void)snprintf(ret_why, MAIL_WHY_BYTES, "%s", why ? why : "out of memory, or too long a text");
        goto out;
    }
    CURLcode rc = curl_easy_perform(e);
    (void)curl_easy_getinfo(e, CURLINFO_RESPONSE_CODE, &code);
    if (rc == CURLE_OK) {
        result = MAIL_TAKEN;
        goto out;
    }
    /* A refusal of the sender or the login is the operator's to mend: it is tried again. Of the receiver it is final. */
    if (code >= 550 && code < 560 && rc == CURLE_SEND_ERROR)
        result = MAIL_REFUSED;
    (void)snprintf(ret_why, MAIL_WHY_BYTES, "%s (%ld)", curl_easy_strerror(rc), code);
out:
    curl_slist_free_all(to);
    curl_easy_cleanup(e);
    if (message.p)
        explicit_bzero(message.p, message.cap); /* codes and 'not me' tokens are in it */
    buf_release(&message);
    return result;
}
