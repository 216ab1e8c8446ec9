/* money.c - a store that wants its answers: sends requests with many threads to a daemon that is killed meanwhile, each again and
 * again with the same id until it is answered.
 *
 *     money-load ADDRESS[,ADDRESS] KEY THREADS SECONDS JOURNAL < requests
 *
 * A line of the input is PATH TAB BODY. Lines are taken in their order, each by one thread; equal lines are equal requests at the
 * same time. JOURNAL gets `sent LINE` before the first byte leaves, and `answered LINE STATUS BODY` when there is an answer that
 * ends it: no 429, no 5xx. Code 1 when a line was not answered within SECONDS of the last answer to anybody.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_BYTES 65536
#define ADDRESSES_MAX 2

static struct sockaddr_in address[ADDRESSES_MAX];
static unsigned addresses;
static const char *key;
static char **line;
static size_t lines;
static atomic_size_t next_line, unanswered;
static atomic_llong last_answer_ms;
static long long patience_ms;
static FILE *journal;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static long long now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void put(const char *what, size_t n, int status, const char *body)
{
    pthread_mutex_lock(&lock);
    if (body)
        (void)fprintf(journal, "%s %zu %d %s\n", what, n, status, body);
    else
        (void)fprintf(journal, "%s %zu\n", what, n);
    (void)fflush(journal);
    pthread_mutex_unlock(&lock);
}

static int open_socket(unsigned which)
{
    struct timeval patience = {.tv_sec = 20};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, (const struct sockaddr *)&address[which], sizeof address[which]) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

static int send_all(int fd, const char *p, size_t len)
{
    while (len) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
        if (n <= 0)
            return -1;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

/* One request on a connection of its own; the status, 0 when there was no whole answer. *ret_body points into `answer`. */
static int ask(unsigned which, const char *path, int path_len, const char *body, char *answer, const char **ret_body)
{
    char head[1024];
    size_t len = 0;
    int fd = open_socket(which);
    if (fd < 0)
        return 0;
    int n =
        snprintf(head, sizeof head,
                 "POST %.*s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"
                 "Connection: close\r\nContent-Length: %zu\r\n\r\n",
                 path_len, path, key, strlen(body));
    if (send_all(fd, head, (size_t)n) == 0 && send_all(fd, body, strlen(body)) == 0)
        for (ssize_t got = 1; got > 0 && len < ANSWER_BYTES - 1; len += (size_t)(got > 0 ? got : 0))
            got = recv(fd, answer + len, ANSWER_BYTES - 1 - len, 0);
    (void)close(fd);
    answer[len] = '\0';
    char *end = strstr(answer, "\r\n\r\n");
    const char *length = strcasestr(answer, "content-length:");
    if (strncmp(answer, "HTTP/1.1 ", 9) != 0 || !end || !length || strlen(end + 4) < strtoul(length + 15, NULL, 10))
        return 0;
    for (char *c = end + 4; *c; c++)
        if (*c == '\n' || *c == '\r')
            *c = ' ';
    *ret_body = end + 4;
    return (int)strtol(answer + 9, NULL, 10);
}

static void one(size_t n, unsigned thread, char *answer)
{
    const char *tab = strchr(line[n], '\t'), *body;
    put("sent", n + 1, 0, NULL);
    for (unsigned i = thread;; i++) {
        int status = ask(i % addresses, line[n], (int)(tab - line[n]), tab + 1, answer, &body);
        if (status >= 200 && status < 500 && status != 429) {
            atomic_store(&last_answer_ms, now_ms());
            put("answered", n + 1, status, body);
            return;
        }
        if (now_ms() - atomic_load(&last_answer_ms) > patience_ms) {
            atomic_fetch_add(&unanswered, 1);
            return;
        }
        struct timespec wait = {.tv_nsec = status ? 50000000 : 10000000}; /* a daemon that is being started */
        (void)nanosleep(&wait, NULL);
    }
}

static void *run(void *ctx)
{
    char *answer = malloc(ANSWER_BYTES);
    for (size_t n; answer && (n = atomic_fetch_add(&next_line, 1)) < lines;)
        one(n, (unsigned)(size_t)ctx, answer);
    free(answer);
    return NULL;
}

static int read_lines(void)
{
    size_t cap = 0, room = 0;
    char *text = NULL;
    ssize_t len;
    while ((len = getline(&text, &room, stdin)) > 0) {
        if (lines == cap) {
            cap = cap ? 2 * cap : 1024;
            char **more = realloc(line, cap * sizeof *line);
            if (!more)
                return -1;
            line = more;
        }
        if (text[len - 1] == '\n')
            text[len - 1] = '\0';
        if (!strchr(text, '\t') || !(line[lines++] = strdup(text)))
            return -1;
    }
    free(text);
    return 0;
}

static int read_addresses(char *text)
{
    for (char *save, *p = strtok_r(text, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
        char *colon = strrchr(p, ':');
        if (!colon || addresses == ADDRESSES_MAX)
            return -1;
        *colon = '\0';
        struct sockaddr_in *a = &address[addresses++];
        a->sin_family = AF_INET;
        a->sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
        if (inet_pton(AF_INET, p, &a->sin_addr) != 1)
            return -1;
    }
    return addresses ? 0 : -1;
}

int main(int argc, char **argv)
{
    pthread_t thread[512];
    unsigned threads = argc == 6 ? (unsigned)strtoul(argv[3], NULL, 10) : 0, made = 0;
    if (threads < 1 || threads > 512 || read_addresses(argv[1]) != 0) {
        (void)fputs("money-load ADDRESS[,ADDRESS] KEY THREADS SECONDS JOURNAL < requests\n", stderr);
        return 2;
    }
    key = argv[2];
    patience_ms = 1000 * strtoll(argv[4], NULL, 10);
    journal = fopen(argv[5], "a");
    if (!journal || read_lines() != 0) {
        (void)fputs("money-load: the journal can't be written, or a line is no PATH TAB BODY\n", stderr);
        return 2;
    }
    atomic_store(&last_answer_ms, now_ms());
    while (made < threads && pthread_create(&thread[made], NULL, run, (void *)(size_t)made) == 0)
        made++;
    for (unsigned i = 0; i < made; i++)
        (void)pthread_join(thread[i], NULL);
    (void)printf("%zu requests, %zu without an answer\n", lines, atomic_load(&unanswered));
    return atomic_load(&unanswered) || made < threads || fclose(journal) != 0 ? 1 : 0;
}
