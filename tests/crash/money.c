/* money.c - a store that wants its answers: sends requests with many threads to a daemon that is killed meanwhile, each again and
 * again with the same id until it is answered. It knows the phones of its people, too: whoever is asked for a second step does it.
 *
 *     money-load ADDRESS[,ADDRESS] KEY THREADS SECONDS JOURNAL [PEOPLE] < requests
 *
 * A line of the input is PATH TAB BODY. Lines are taken in their order, each by one thread; equal lines are equal requests at the
 * same time. A line of one dot is a barrier: what comes after it begins when all before it was answered. GET PATH TAB TEXT is asked
 * until the answer has that text in it. JOURNAL gets `sent LINE`
 * before the first byte leaves, and `answered LINE STATUS BODY` when there is an answer that ends it: no 429, no 5xx. JOURNAL.count
 * always says how many were answered. Code 1 when a line was not answered within SECONDS of the last answer to anybody.
 *
 * PEOPLE has a line AGREEMENT TAB ADDRESS TAB COOKIE TAB SECRET (hex) TAB NEWEST STEP USED for each agreement: a charge that is answered needs_step is
 * looked at with that cookie from that address, answered with a one-time password (RFC 6238; each is given once, as an app shows
 * one each 30 s), and confirmed by the store, which is what `answered` has then. One whose item is `declined` is refused there.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_BYTES 65536
#define ADDRESSES_MAX 2
#define PEOPLE_MAX 4096
#define STEP_S 30 /* of a one-time password */

static struct sockaddr_in address[ADDRESSES_MAX];
static unsigned addresses;
static const char *key;
static char **line;
static size_t *behind; /* for each line: how many must have been answered before it begins */
static size_t lines, ended;
static atomic_size_t next_line, unanswered, steps, declined;
static atomic_llong last_answer_ms;
static long long patience_ms;
static FILE *journal;
static int count_fd;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t one_ended = PTHREAD_COND_INITIALIZER;

static struct person {
    char *agreement, *cookie;
    struct in_addr from;
    unsigned char secret[64];
    size_t secret_len;
    struct person *phone; /* the first one with that secret: it counts */
    long long used;       /* the newest time step whose code was given */
} person[PEOPLE_MAX];
static unsigned people;
static pthread_mutex_t phones = PTHREAD_MUTEX_INITIALIZER;

struct request {
    const char *method, *path, *body, *cookie; /* of a person; NULL: of the store, with its key */
    int path_len;
    struct in_addr from;
};

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

/* One line more has its end. */
static void count_it(void)
{
    char text[24];
    pthread_mutex_lock(&lock);
    int n = snprintf(text, sizeof text, "%zu\n", ++ended); /* never shorter than the one before */
    ssize_t wrote = pwrite(count_fd, text, (size_t)n, 0);
    (void)wrote;
    (void)pthread_cond_broadcast(&one_ended);
    pthread_mutex_unlock(&lock);
}

static void wait_for_those_before(size_t n)
{
    pthread_mutex_lock(&lock);
    while (ended < behind[n])
        (void)pthread_cond_wait(&one_ended, &lock);
    pthread_mutex_unlock(&lock);
}

static int open_socket(unsigned which, struct in_addr from)
{
    struct timeval patience = {.tv_sec = 20};
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr = from};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if ((!from.s_addr || bind(fd, (const struct sockaddr *)&own, sizeof own) == 0) &&
        connect(fd, (const struct sockaddr *)&address[which], sizeof address[which]) == 0)
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
static int ask(unsigned which, const struct request *r, char *answer, const char **ret_body)
{
    char head[2048];
    size_t len = 0;
    int fd = open_socket(which, r->from);
    if (fd < 0)
        return 0;
    int n = snprintf(head, sizeof head,
                     "%s %.*s HTTP/1.1\r\nHost: localhost\r\n%s%s\r\nContent-Type: application/json\r\n"
                     "Connection: close\r\nContent-Length: %zu\r\n\r\n",
                     r->method, r->path_len, r->path, r->cookie ? "Cookie: " : "Authorization: Bearer ",
                     r->cookie ? r->cookie : key, strlen(r->body));
    if (n < (int)sizeof head && send_all(fd, head, (size_t)n) == 0 && send_all(fd, r->body, strlen(r->body)) == 0)
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

/* Again and again, until there is an answer that ends it; 0 when nobody was answered for too long. */
static int ask_until(unsigned thread, const struct request *r, char *answer, const char **ret_body)
{
    for (unsigned i = thread;; i++) {
        int status = ask(i % addresses, r, answer, ret_body);
        if (status >= 200 && status < 500 && status != 429) {
            atomic_store(&last_answer_ms, now_ms());
            return status;
        }
        if (now_ms() - atomic_load(&last_answer_ms) > patience_ms)
            return 0;
        struct timespec wait = {.tv_nsec = status ? 50000000 : 10000000}; /* a daemon that is being started */
        (void)nanosleep(&wait, NULL);
    }
}

/* --- second steps --- */

/* RFC 6238 with SHA-1, six digits. Each code is given once, so that a person waits for the next one as people do. */
static void next_code(struct person *p, char ret_body[32])
{
    unsigned char mac[EVP_MAX_MD_SIZE], moving[8];
    unsigned mac_len = 0;
    long long at = 0;
    while (!at) {
        long long now = (long long)time(NULL) / STEP_S;
        pthread_mutex_lock(&phones);
        long long next =
            p->phone->used + 1 > now - 1 ? p->phone->used + 1 : now - 1; /* one step late and one early are taken */
        if (next <= now + 1)
            at = p->phone->used = next;
        pthread_mutex_unlock(&phones);
        struct timespec wait = {.tv_nsec = 200000000};
        if (!at)
            (void)nanosleep(&wait, NULL);
    }
    for (int i = 7; i >= 0; i--, at >>= 8)
        moving[i] = (unsigned char)(at & 0xFF);
    (void)HMAC(EVP_sha1(), p->secret, (int)p->secret_len, moving, sizeof moving, mac, &mac_len);
    const unsigned char *d = mac + (mac[19] & 15);
    uint32_t code = ((uint32_t)(d[0] & 0x7F) << 24 | (uint32_t)d[1] << 16 | (uint32_t)d[2] << 8 | d[3]) % 1000000;
    (void)snprintf(ret_body, 32, "{\"code\":\"%06u\"}", (unsigned)code);
}

static bool text_of(const char *body, const char *before, char ret[80])
{
    const char *p = strstr(body, before), *end = p ? strchr(p + strlen(before), '"') : NULL;
    if (!end || (size_t)(end - p) - strlen(before) > 79)
        return false;
    memcpy(ret, p + strlen(before), (size_t)(end - p) - strlen(before));
    ret[(size_t)(end - p) - strlen(before)] = '\0';
    return true;
}

static struct person *person_of(const char *body)
{
    char agreement[80];
    if (text_of(body, "\"agreement\":\"", agreement))
        for (unsigned i = 0; i < people; i++)
            if (strcmp(person[i].agreement, agreement) == 0)
                return &person[i];
    return NULL;
}

/* Looks at the challenge until it is no longer open, whatever the daemon does meanwhile: a code that was taken before the kill and
 * not answered shows as done. */
static int decide_it(unsigned thread, struct person *p, const char *challenge, bool declines, char *answer)
{
    char path[160], code[32];
    const char *body;
    struct request look = {.method = "GET", .path = path, .body = "", .cookie = p->cookie, .from = p->from}, act = look;
    act.method = "POST";
    for (;;) {
        look.path_len = snprintf(path, sizeof path, "/v1/account/challenges/%s", challenge);
        int status = ask_until(thread, &look, answer, &body);
        if (status != 200 || !strstr(body, "\"state\":\"open\""))
            return status;
        act.body = declines ? "{}" : code;
        if (!declines)
            next_code(p, code);
        act.path_len = snprintf(path, sizeof path, "/v1/account/challenges/%s/%s", challenge, declines ? "cancel" : "totp");
        if ((status = ask_until(thread, &act, answer, &body)) == 0)
            return 0;
    }
}

/* The step that an answer wants, and what the store is told then. The status as of ask_until. */
static int step_up(unsigned thread, const char *order, char *answer, const char **ret_body)
{
    char charge[80], challenge[80], path[160];
    struct person *p = person_of(order);
    bool declines = strstr(order, "\"item\":\"declined\"") != NULL;
    if (!p || !text_of(*ret_body, "{\"id\":\"", charge) || !text_of(*ret_body, "\"challenge\":{\"id\":\"", challenge))
        return 200;
    int status = decide_it(thread, p, challenge, declines, answer);
    if (!status)
        return 0;
    struct request confirm = {.method = "POST", .path = path, .body = "{}"};
    confirm.path_len = snprintf(path, sizeof path, "/v1/charges/%s/confirm", charge);
    atomic_fetch_add(declines ? &declined : &steps, 1);
    return ask_until(thread, &confirm, answer, ret_body);
}

/* 0 when it never says so. */
static int look_until(unsigned thread, const struct request *r, const char *text, char *answer, const char **ret_body)
{
    long long begun = now_ms();
    for (;;) {
        int status = ask_until(thread, r, answer, ret_body);
        if (!status || (status == 200 && strstr(*ret_body, text)))
            return status;
        if (now_ms() - begun > patience_ms)
            return 0;
        struct timespec wait = {.tv_nsec = 50000000};
        (void)nanosleep(&wait, NULL);
    }
}

static void one(size_t n, unsigned thread, char *answer)
{
    const char *tab = strchr(line[n], '\t'), *body = "";
    bool look = strncmp(line[n], "GET ", 4) == 0;
    const char *path = line[n] + (look ? 4 : 0);
    struct request r = {
        .method = look ? "GET" : "POST", .path = path, .path_len = (int)(tab - path), .body = look ? "" : tab + 1};
    wait_for_those_before(n);
    put("sent", n + 1, 0, NULL);
    int status = look ? look_until(thread, &r, tab + 1, answer, &body) : ask_until(thread, &r, answer, &body);
    if (people && status && strstr(body, "\"state\":\"needs_step\""))
        status = step_up(thread, tab + 1, answer, &body);
    if (status)
        put("answered", n + 1, status, body);
    else
        atomic_fetch_add(&unanswered, 1);
    count_it();
}

static void *run(void *ctx)
{
    char *answer = malloc(ANSWER_BYTES);
    for (size_t n; answer && (n = atomic_fetch_add(&next_line, 1)) < lines;)
        one(n, (unsigned)(size_t)ctx, answer);
    free(answer);
    return NULL;
}

/* --- what is given --- */

static int read_lines(void)
{
    size_t cap = 0, room = 0, barrier = 0;
    char *text = NULL;
    ssize_t len;
    while ((len = getline(&text, &room, stdin)) > 0) {
        if (text[len - 1] == '\n')
            text[len - 1] = '\0';
        if (strcmp(text, ".") == 0) {
            barrier = lines;
            continue;
        }
        if (lines == cap) {
            cap = cap ? 2 * cap : 1024;
            char **more = realloc(line, cap * sizeof *line);
            size_t *more_behind = realloc(behind, cap * sizeof *behind);
            line = more ? more : line;
            behind = more_behind ? more_behind : behind;
            if (!more || !more_behind)
                return -1;
        }
        behind[lines] = barrier;
        if (!strchr(text, '\t') || !(line[lines++] = strdup(text)))
            return -1;
    }
    free(text);
    return 0;
}

static int read_person(char *text, struct person *p)
{
    char *save, *agreement = strtok_r(text, "\t\n", &save), *from = strtok_r(NULL, "\t\n", &save);
    char *cookie = strtok_r(NULL, "\t\n", &save), *secret = strtok_r(NULL, "\t\n", &save);
    char *used = strtok_r(NULL, "\t\n", &save);
    if (!used || inet_pton(AF_INET, from, &p->from) != 1 || strlen(secret) > 2 * sizeof p->secret)
        return -1;
    for (; secret[2 * p->secret_len]; p->secret_len++) {
        char two[3] = {secret[2 * p->secret_len], secret[2 * p->secret_len + 1], '\0'};
        p->secret[p->secret_len] = (unsigned char)strtoul(two, NULL, 16);
    }
    p->agreement = strdup(agreement);
    p->cookie = strdup(cookie);
    p->used = strtoll(used, NULL, 10);
    for (p->phone = person; memcmp(p->phone->secret, p->secret, sizeof p->secret) != 0;)
        p->phone++;
    return p->agreement && p->cookie ? 0 : -1;
}

static int read_people(const char *name)
{
    char text[1024];
    FILE *f = fopen(name, "r");
    if (!f)
        return -1;
    int got = 0;
    while (got == 0 && fgets(text, sizeof text, f))
        got = people < PEOPLE_MAX && read_person(text, &person[people]) == 0 ? (people++, 0) : -1;
    (void)fclose(f);
    return got;
}

static int open_journal(const char *name)
{
    char count[512];
    journal = fopen(name, "a");
    if (!journal || snprintf(count, sizeof count, "%s.count", name) >= (int)sizeof count)
        return -1;
    count_fd = open(count, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    return count_fd < 0 || pwrite(count_fd, "0\n", 2, 0) != 2 ? -1 : 0;
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
    unsigned threads = argc == 6 || argc == 7 ? (unsigned)strtoul(argv[3], NULL, 10) : 0, made = 0;
    if (threads < 1 || threads > 512 || read_addresses(argv[1]) != 0) {
        (void)fputs("money-load ADDRESS[,ADDRESS] KEY THREADS SECONDS JOURNAL [PEOPLE] < requests\n", stderr);
        return 2;
    }
    key = argv[2];
    patience_ms = 1000 * strtoll(argv[4], NULL, 10);
    if (open_journal(argv[5]) != 0 || read_lines() != 0 || (argc == 7 && read_people(argv[6]) != 0)) {
        (void)fputs("money-load: the journal can't be written, or a line is no PATH TAB BODY, or of PEOPLE no AGREEMENT TAB "
                    "ADDRESS TAB "
                    "COOKIE TAB SECRET TAB STEP\n",
                    stderr);
        return 2;
    }
    atomic_store(&last_answer_ms, now_ms());
    while (made < threads && pthread_create(&thread[made], NULL, run, (void *)(size_t)made) == 0)
        made++;
    for (unsigned i = 0; i < made; i++)
        (void)pthread_join(thread[i], NULL);
    (void)printf("%zu requests, %zu without an answer", lines, atomic_load(&unanswered));
    (void)(people ? printf(", %zu steps done, %zu declined\n", atomic_load(&steps), atomic_load(&declined)) : printf("\n"));
    return atomic_load(&unanswered) || made < threads || fclose(journal) != 0 ? 1 : 0;
}
