/* load.c - a load generator for POST over keep-alive connections, one request at a time on each; and the witness of what was
 * acknowledged.
 *
 *     load --to ADDRESS:PORT [--key KEY] [--connections 64] [--seconds 5] [--rate N] [--prefix P] [--acks FILE]
 *          [--path /v1/decisions] [--bodies FILE] [--batch LINES] [--first N]
 *     load --to ADDRESS:PORT --key KEY --check FILE
 *
 * Without --rate each connection sends its next request when it has the last answer (closed loop: what the server can do).
 * With --rate requests are due at fixed times, whatever the server does, and a latency counts from when its request was due
 * (open loop: no coordinated omission). --acks appends one line `ID BODY` for every 200, written before the next request of
 * that connection. --bodies sends the lines of a file, one event each with its id first, and ends with them. --batch sends
 * so many events at once to /v1/decisions:batch: --rate and latencies are of batches then, what was answered and --acks of
 * lines. --first is the number of the first event that is made up, where an
 * earlier run ended: ids and times go on from there. --check asks for every id of a file of acknowledgements and compares.
 * Exit code: 0; 1 when --check found something lost or changed; 2 wrong use; 3 no answers at all.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 4096
#define REQUEST_BYTES 4096
#define HEAD_BYTES 600
#define ANSWER_BYTES 16384
#define EVENT_BYTES 512 /* in a batch, in and out */
#define LINE_BYTES 1500 /* of --bodies */
#define BATCH_MAX 10000u
#define LATENCIES_MAX 20000000u

struct connection {
    int fd;
    bool busy;
    int64_t due_us;
    char id[64];
    char *request, *answer;
    size_t request_len, answer_len, sent;
};

struct load {
    struct sockaddr_in to;
    const char *key, *prefix, *path, *host;
    unsigned connections, batch;
    size_t request_bytes, answer_bytes;
    double seconds, rate;
    bool done; /* --bodies has no more */
    FILE *acks, *bodies;
    struct connection *c;
    int epoll;
    uint64_t next, ok, refused, broken;
    uint64_t odd; /* of the refused: not a 429 that says when to come again */
    uint32_t *latency;
    uint64_t latency_count;
    int64_t begun_us;
};

static int64_t now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static bool dial(struct load *l, struct connection *c)
{
    int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return false;
    if (connect(c->fd, (const struct sockaddr *)(const void *)&l->to, sizeof l->to) != 0) {
        (void)close(c->fd);
        c->fd = -1;
        return false;
    }
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)fcntl(c->fd, F_SETFL, O_NONBLOCK);
    if (l->epoll >= 0) {
        struct epoll_event e = {.events = EPOLLIN | (l->batch ? EPOLLOUT | EPOLLET : 0), .data = {.ptr = c}};
        (void)epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &e);
    }
    return true;
}

static bool push(struct connection *c)
{
    while (c->sent < c->request_len) {
        ssize_t n = send(c->fd, c->request + c->sent, c->request_len - c->sent, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN; /* a request is far smaller than a socket's buffer: in practice it goes at once */
        c->sent += (size_t)n;
    }
    return true;
}

static inline char *put_text(char *at, const char *text)
{
    size_t n = strlen(text);
    memcpy(at, text, n);
    return at + n;
}
static char *put_number(char *at, uint64_t v)
{
    char digits[20];
    unsigned n = 0;
    do
        digits[n++] = (char)('0' + v % 10);
    while (v /= 10);
    while (n)
        *at++ = digits[--n];
    return at;
}

/* A made-up purchase, the same for the same number. Not by snprintf: the generator has its share of the same processors. */
static int made_up(struct load *l, char body[EVENT_BYTES], char id[64])
{
    uint64_t n = l->next++;
    char *at = put_number(put_text(id, l->prefix), n);
    *at = '\0';
    at = put_text(put_text(put_text(body, "{\"id\":\""), id), "\",\"time\":");
    at = put_text(put_number(at, 1538352000 + n / 100), ",\"type\":\"purchase\",\"account\":\"a");
    at = put_text(put_number(at, n * 7919 % 20000), "\",\"device\":\"d");
    at = put_text(put_number(at, n * 104729 % 30000), "\",\"ip\":\"198.51.");
    at = put_number(put_text(put_number(at, n % 199), "."), n % 251);
    at = put_text(put_number(put_text(at, "\",\"wallet\":\"w"), n * 7919 % 20000), "\",\"amount\":");
    at = put_text(put_number(at, 100 + n % 9000), ",\"currency\":\"EUR\",\"item\":\"i");
    at = put_text(put_number(at, n % 500), "\"}");
    *at = '\0';
    return (int)(at - body);
}

/* The id that the text of a JSON object begins with; false when it doesn't. Not by sscanf, which looks for the end of the
 * whole text each time. */
static bool first_id(const char *text, const char *end, char id[64])
{
    static const char begin[] = "{\"id\":\"";
    const char *from = text + sizeof begin - 1;
    const char *quote =
        from < end && memcmp(text, begin, sizeof begin - 1) == 0 ? memchr(from, '"', (size_t)(end - from)) : NULL;
    if (!quote || quote == from || quote - from > 63)
        return false;
    memcpy(id, from, (size_t)(quote - from));
    id[quote - from] = '\0';
    return true;
}

/* The next line of --bodies; -1 at its end. */
static int next_line(struct load *l, char body[LINE_BYTES], char id[64])
{
    if (!fgets(body, LINE_BYTES, l->bodies))
        return -1;
    body[strcspn(body, "\r\n")] = '\0';
    size_t len = strlen(body);
    return first_id(body, body + len, id) ? (int)len : -1;
}

static bool ask(struct load *l, struct connection *c, int64_t due_us)
{
    const size_t room = HEAD_BYTES; /* put before the body when its length is known */
    char *body = c->request + room, head[HEAD_BYTES];
    size_t len = 0;
    for (unsigned i = 0; i < (l->batch ? l->batch : 1) && !l->done; i++) {
        int n = l->bodies ? next_line(l, body + len, c->id) : made_up(l, body + len, c->id);
        l->done = n < 0;
        len += n < 0 ? 0 : (size_t)n;
        if (n >= 0 && l->batch)
            body[len++] = '\n';
    }
    if (!len)
        return true;
    int n = snprintf(head, sizeof head,
                     "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/%s\r\n"
                     "Content-Length: %zu\r\n\r\n",
                     l->path, l->host, l->key, l->batch ? "x-ndjson" : "json", len);
    memcpy(body - n, head, (size_t)n);
    c->request_len = room + len;
    c->sent = room - (size_t)n;
    c->answer_len = 0;
    c->due_us = due_us;
    c->busy = true;
    return push(c);
}

/* Whether the head of a whole answer has this text, in any case. */
static bool head_has(const struct connection *c, const char *text)
{
    char *end = strstr(c->answer, "\r\n\r\n");
    char was = end[2];
    end[2] = '\0'; /* a body may be long */
    bool has = strcasestr(c->answer, text) != NULL;
    end[2] = was;
    return has;
}

/* Status of a whole answer, with its body; 0 while it is not whole. */
static int whole(struct connection *c, const char **ret_body, size_t *ret_len)
{
    c->answer[c->answer_len] = '\0';
    char *end = strstr(c->answer, "\r\n\r\n");
    if (!end)
        return 0;
    const char *length = strcasestr(c->answer, "\r\ncontent-length:");
    size_t body = length && length < end ? (size_t)strtoul(length + 17, NULL, 10) : 0;
    if (c->answer_len < (size_t)(end + 4 - c->answer) + body)
        return 0;
    *ret_body = end + 4;
    *ret_len = body;
    return (int)strtol(c->answer + 9, NULL, 10);
}

static bool take(const struct load *l, struct connection *c)
{
    ssize_t n = recv(c->fd, c->answer + c->answer_len, l->answer_bytes - 1 - c->answer_len, 0);
    if (n <= 0)
        return n < 0 && errno == EAGAIN;
    c->answer_len += (size_t)n;
    return true;
}

static void lose(struct load *l, struct connection *c)
{
    (void)close(c->fd);
    l->broken += c->busy;
    c->fd = -1;
    c->busy = false;
}

/* Each line that is a decision. */
static void take_lines(struct load *l, const char *body, size_t len)
{
    char id[64];
    for (const char *at = body, *end; (end = memchr(at, '\n', len - (size_t)(at - body))) != NULL; at = end + 1) {
        if (!first_id(at, end, id)) {
            l->refused++;
            continue;
        }
        l->ok++;
        if (l->acks)
            fprintf(l->acks, "%s %.*s\n", id, (int)(end - at), at);
    }
}

static void answered(struct load *l, struct connection *c, int status, const char *body, size_t len)
{
    c->busy = false;
    if (status == 200 && l->batch) {
        take_lines(l, body, len);
        if (l->latency_count < LATENCIES_MAX)
            l->latency[l->latency_count++] = (uint32_t)(now_us() - c->due_us);
    } else if (status == 200 || (status == 201 && l->bodies)) { /* a charge that was made is 201 */
        l->ok++;
        if (l->acks)
            fprintf(l->acks, "%s %.*s\n", c->id, (int)len, body);
        if (l->latency_count < LATENCIES_MAX)
            l->latency[l->latency_count++] = (uint32_t)(now_us() - c->due_us);
    } else {
        l->refused++;
        l->odd += status != 429 || !head_has(c, "\r\nretry-after: ");
    }
    if (head_has(c, "\r\nconnection: close"))
        lose(l, c);
}

static void events(struct load *l, int64_t timeout_us)
{
    struct epoll_event ready[256];
    /* In nanoseconds: with epoll_wait's milliseconds what is due in between would go out in bursts. */
    struct timespec t = {.tv_sec = timeout_us / 1000000, .tv_nsec = timeout_us % 1000000 * 1000};
    int n = epoll_pwait2(l->epoll, ready, 256, &t, NULL);
    for (int i = 0; i < n; i++) {
        struct connection *c = ready[i].data.ptr;
        const char *body;
        size_t len;
        if (c->fd < 0)
            continue;
        if (c->busy && !push(c)) {
            lose(l, c);
            continue;
        }
        bool alive = true, more = true;
        while (alive && more) { /* a batch's socket is edge-triggered */
            size_t had = c->answer_len;
            alive = take(l, c);
            more = l->batch && c->answer_len > had;
        }
        if (!alive) {
            lose(l, c);
            continue;
        }
        int status = whole(c, &body, &len);
        if (status)
            answered(l, c, status, body, len);
    }
    if (l->acks)
        (void)fflush(l->acks);
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* When the request is due, with --rate. */
static int64_t due_at(const struct load *l, uint64_t request)
{
    return l->begun_us + (int64_t)((double)request * 1e6 / l->rate);
}

static void run(struct load *l)
{
    int64_t end = l->begun_us + (int64_t)(l->seconds * 1e6);
    uint64_t due = 0;
    unsigned gone = 0;
    for (int64_t now; (now = now_us()) < end && gone < l->connections && !l->done;) {
        gone = 0;
        bool waits = true;
        for (unsigned i = 0; i < l->connections; i++) {
            struct connection *c = &l->c[i];
            int64_t at = l->rate > 0 ? due_at(l, due) : now;
            if (c->fd < 0)
                gone += !dial(l, c);
            if (c->fd < 0 || c->busy || at > now)
                continue;
            due++;
            waits = false;
            if (!ask(l, c, at))
                lose(l, c);
        }
        int64_t wait = l->rate > 0 ? due_at(l, due) - now_us() : waits ? 10000 : 1000;
        events(l, wait < 0 ? 1000 : wait < 10000 ? wait : 10000); /* < 0: overdue, for want of a connection */
    }
    for (int64_t until = now_us() + 2000000; now_us() < until;) {
        bool busy = false;
        for (unsigned i = 0; i < l->connections; i++)
            busy = busy || (l->c[i].fd >= 0 && l->c[i].busy);
        if (!busy)
            break;
        events(l, 10000);
    }
}

static void tell(struct load *l)
{
    double s = (double)(now_us() - l->begun_us) / 1e6;
    uint64_t n = l->latency_count;
    qsort(l->latency, n, sizeof *l->latency, by_value);
    printf("%llu answered 200, %llu refused, %llu without answer; %.0f a second", (unsigned long long)l->ok,
           (unsigned long long)l->refused, (unsigned long long)l->broken, (double)l->ok / s);
    if (n)
        printf("; p50 %.2f, p99 %.2f, p99.9 %.2f, most %.2f ms", l->latency[n / 2] / 1e3, l->latency[n * 99 / 100] / 1e3,
               l->latency[n * 999 / 1000] / 1e3, l->latency[n - 1] / 1e3);
    if (l->odd)
        printf("; %llu of the refused were no 429 with Retry-After", (unsigned long long)l->odd);
    printf("\n");
}

/* Every acknowledged id has the answer that was given. */
static int check(struct load *l, const char *path)
{
    FILE *f = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    uint64_t asked = 0, lost = 0, changed = 0;
    struct connection *c = &l->c[0];
    if (!f || !dial(l, c))
        return 3;
    (void)fcntl(c->fd, F_SETFL, 0);
    for (ssize_t n; (n = getline(&line, &room, f)) > 0;) {
        char *space = strchr(line, ' ');
        const char *body;
        size_t len;
        int status = 0;
        if (!space || line[n - 1] != '\n')
            continue; /* the witness itself was cut */
        line[n - 1] = '\0';
        int total = snprintf(c->request, REQUEST_BYTES,
                             "GET /v1/decisions/%.*s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n",
                             (int)(space - line), line, l->key);
        c->request_len = (size_t)total;
        c->sent = c->answer_len = 0;
        if (!push(c))
            return 3;
        while ((status = whole(c, &body, &len)) == 0)
            if (!take(l, c))
                return 3;
        asked++;
        lost += status != 200;
        changed += status == 200 && (len != strlen(space + 1) || memcmp(body, space + 1, len) != 0);
        if (status != 200 && lost < 5)
            printf("lost: %.*s (%d)\n", (int)(space - line), line, status);
    }
    printf("%llu acknowledged, %llu lost, %llu changed\n", (unsigned long long)asked, (unsigned long long)lost,
           (unsigned long long)changed);
    free(line);
    (void)fclose(f);
    return lost || changed ? 1 : 0;
}

static bool option(struct load *l, const char *name, const char *value, const char **ret_to, const char **ret_check)
{
    if (strcmp(name, "--to") == 0)
        *ret_to = value;
    else if (strcmp(name, "--key") == 0)
        l->key = value;
    else if (strcmp(name, "--prefix") == 0)
        l->prefix = value;
    else if (strcmp(name, "--path") == 0)
        l->path = value;
    else if (strcmp(name, "--connections") == 0)
        l->connections = (unsigned)strtoul(value, NULL, 10);
    else if (strcmp(name, "--batch") == 0)
        l->batch = (unsigned)strtoul(value, NULL, 10);
    else if (strcmp(name, "--seconds") == 0)
        l->seconds = strtod(value, NULL);
    else if (strcmp(name, "--first") == 0)
        l->next = strtoull(value, NULL, 10);
    else if (strcmp(name, "--rate") == 0)
        l->rate = strtod(value, NULL);
    else if (strcmp(name, "--acks") == 0)
        l->acks = fopen(value, "a");
    else if (strcmp(name, "--bodies") == 0)
        return (l->bodies = fopen(value, "r")) != NULL;
    else if (strcmp(name, "--check") == 0)
        *ret_check = value;
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    struct load l = {.key = "", .prefix = "e", .path = "/v1/decisions", .connections = 64, .seconds = 5, .epoll = -1};
    const char *to = NULL, *what = NULL;
    bool good = argc % 2 == 1;
    for (int i = 1; good && i + 1 < argc; i += 2)
        good = option(&l, argv[i], argv[i + 1], &to, &what);
    const char *colon = to ? strchr(to, ':') : NULL;
    char host[64];
    if (!good || !colon || l.connections < 1 || l.connections > CONNECTIONS_MAX || l.batch > BATCH_MAX ||
        strlen(l.key) > 200 || strlen(l.prefix) > 40) { /* an id has 63 bytes at most and ends in a number */
        fprintf(stderr, "load: wrong use; see the head of bench/load/load.c\n");
        return 2;
    }
    (void)snprintf(host, sizeof host, "%.*s", (int)(colon - to), to);
    l.host = to;
    l.to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10))};
    l.c = calloc(l.connections, sizeof *l.c);
    l.latency = malloc(LATENCIES_MAX * sizeof *l.latency);
    if (inet_pton(AF_INET, host, &l.to.sin_addr) != 1 || !l.c || !l.latency)
        return 2;
    l.request_bytes = REQUEST_BYTES + (size_t)l.batch * (l.bodies ? LINE_BYTES : EVENT_BYTES);
    l.answer_bytes = ANSWER_BYTES + (size_t)l.batch * 2 * EVENT_BYTES;
    if (l.batch)
        l.path = "/v1/decisions:batch";
    for (unsigned i = 0; i < l.connections; i++) {
        l.c[i] = (struct connection){.fd = -1, .request = malloc(l.request_bytes), .answer = malloc(l.answer_bytes)};
        if (!l.c[i].request || !l.c[i].answer)
            return 2;
    }
    int code;
    if (what) {
        code = check(&l, what);
    } else {
        l.epoll = epoll_create1(EPOLL_CLOEXEC);
        l.begun_us = now_us();
        run(&l);
        tell(&l);
        code = l.ok ? 0 : 3;
    }
    if (l.acks)
        (void)fclose(l.acks);
    if (l.bodies)
        (void)fclose(l.bodies);
    for (unsigned i = 0; i < l.connections; i++) {
        free(l.c[i].request);
        free(l.c[i].answer);
    }
    free(l.c);
    free(l.latency);
    return code;
}
