/* empty.c - what `keer serve` is compared with: a libmicrohttpd handler that reads the body and answers one constant of the
 * same size, with the same flags, epoll and a loop of the same kind around it (libmicrohttpd 0.9.75's own waits without end
 * when one epoll_wait brings 128 events).
 *
 * Usage: http-empty [FILE]. Prints its port and runs until its input ends. With FILE an answer waits until a row of as many
 * bytes as a decision's is on disk there: connections are suspended, a second thread writes and syncs what came together, as
 * a group commit does, and they are resumed. It parses nothing, decides nothing and keeps no index: what no durable handler
 * on libmicrohttpd does better on this machine. */
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 1024
#define WAITING_MAX 4000u
#define ROW_BYTES 1000u        /* body, decision and what it saw, as in the journal */
#define GATHER_US 300          /* before each sync: 0 and 1,000 gave fewer answers a second, and later ones */
#define FILE_BYTES (16u << 20) /* written over again and again, as a WAL is: a file that grows syncs more slowly */

static char answer[] =
    "{\"id\":\"e1\",\"time\":\"2018-10-01T00:00:00Z\",\"type\":\"purchase\",\"outcome\":\"challenge\",\"review\":false,"
    "\"score\":null,"
    "\"rules\":[\"new_device_charge\",\"no_second_step\"],\"because\":[\"the first payments from a new device\",\"more than "
    "pocket money, and this device never passed a second step\"],\"reasons\":[],\"degraded\":[]}";

struct waiting {
    unsigned count;
    struct MHD_Connection *connection[WAITING_MAX];
};
static struct {
    int file, wake;
    pthread_mutex_t lock;
    pthread_cond_t filled;
    atomic_bool sleeping, ended;
    struct waiting asked, synced; /* with lock */
} disk = {.file = -1, .lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER};

static enum MHD_Result say(struct MHD_Connection *connection)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(sizeof answer - 1, answer, MHD_RESPMEM_PERSISTENT);
    if (!r)
        return MHD_NO;
    (void)MHD_add_response_header(r, "Content-Type", "application/json");
    (void)MHD_add_response_header(r, "Cache-Control", "no-store");
    (void)MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
    enum MHD_Result ok = MHD_queue_response(connection, 200, r);
    MHD_destroy_response(r);
    return ok;
}

static enum MHD_Result on_access(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                                 const char *version, const char *upload, size_t *upload_size, void **con_cls)
{
    static int seen, written;
    (void)cls;
    (void)url;
    (void)method;
    (void)version;
    (void)upload;
    if (!*con_cls) {
        *con_cls = &seen;
        return MHD_YES;
    }
    if (*upload_size) {
        *upload_size = 0;
        return MHD_YES;
    }
    if (disk.file < 0 || *con_cls == &written)
        return say(connection);
    *con_cls = &written;
    MHD_suspend_connection(connection);
    (void)pthread_mutex_lock(&disk.lock);
    if (disk.asked.count == 0)
        (void)pthread_cond_signal(&disk.filled);
    disk.asked.connection[disk.asked.count++] = connection; /* no more than the connection limit */
    (void)pthread_mutex_unlock(&disk.lock);
    return MHD_YES;
}

static void wake(void)
{
    uint64_t one = 1;
    if (write(disk.wake, &one, sizeof one) < 0)
        abort();
}

static void *write_main(void *ctx)
{
    static char rows[WAITING_MAX * ROW_BYTES];
    static struct waiting now;
    off_t at = 0;
    (void)ctx;
    (void)pthread_mutex_lock(&disk.lock);
    while (!atomic_load(&disk.ended)) {
        if (disk.asked.count == 0) {
            (void)pthread_cond_wait(&disk.filled, &disk.lock);
            continue;
        }
        (void)pthread_mutex_unlock(&disk.lock);
        (void)usleep(GATHER_US);
        (void)pthread_mutex_lock(&disk.lock);
        now = disk.asked;
        disk.asked.count = 0;
        (void)pthread_mutex_unlock(&disk.lock);
        size_t bytes = now.count * ROW_BYTES;
        at = (size_t)at + bytes > FILE_BYTES ? 0 : at;
        if (pwrite(disk.file, rows, bytes, at) < 0 || fdatasync(disk.file) != 0)
            abort();
        at += (off_t)bytes;
        (void)pthread_mutex_lock(&disk.lock);
        for (unsigned i = 0; i < now.count; i++)
            disk.synced.connection[disk.synced.count++] = now.connection[i];
        (void)pthread_mutex_unlock(&disk.lock);
        if (atomic_exchange(&disk.sleeping, false))
            wake();
        (void)pthread_mutex_lock(&disk.lock);
    }
    (void)pthread_mutex_unlock(&disk.lock);
    return NULL;
}

/* The file, with all its blocks. */
static bool file_open(const char *path)
{
    static char zeros[1u << 20];
    disk.file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    for (off_t at = 0; disk.file >= 0 && at < (off_t)FILE_BYTES; at += (off_t)sizeof zeros)
        if (pwrite(disk.file, zeros, sizeof zeros, at) != (ssize_t)sizeof zeros)
            return false;
    return disk.file >= 0 && fsync(disk.file) == 0;
}

static bool resume_all(void)
{
    (void)pthread_mutex_lock(&disk.lock);
    unsigned n = disk.synced.count;
    for (unsigned i = 0; i < n; i++)
        MHD_resume_connection(disk.synced.connection[i]);
    disk.synced.count = 0;
    (void)pthread_mutex_unlock(&disk.lock);
    return n > 0;
}

static void loop(struct MHD_Daemon *d)
{
    struct pollfd fds[] = {{.fd = MHD_get_daemon_info(d, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd, .events = POLLIN},
                           {.fd = STDIN_FILENO, .events = POLLIN},
                           {.fd = disk.wake, .events = POLLIN}};
    uint64_t count;
    while (!fds[1].revents) { /* nothing is ever written there: readable means that it ended */
        MHD_UNSIGNED_LONG_LONG ms = 0;
        int timeout = MHD_get_timeout(d, &ms) == MHD_YES && ms < 1000 ? (int)ms : 1000;
        atomic_store(&disk.sleeping, true);
        if (!resume_all())
            (void)poll(fds, 3, timeout);
        atomic_store(&disk.sleeping, false);
        if (fds[2].revents && read(disk.wake, &count, sizeof count) < 0 && errno != EAGAIN)
            abort();
        (void)resume_all();
        (void)MHD_run(d);
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    pthread_t writer;
    disk.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (argc > 1 && !file_open(argv[1]))
        return 1;
    struct MHD_Daemon *d = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_access, NULL,
                                            MHD_OPTION_SOCK_ADDR, &here, MHD_OPTION_CONNECTION_LIMIT, WAITING_MAX,
                                            MHD_OPTION_LISTEN_BACKLOG_SIZE, BACKLOG, MHD_OPTION_END);
    const union MHD_DaemonInfo *info = d ? MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT) : NULL;
    if (!info || disk.wake < 0 || pthread_create(&writer, NULL, write_main, NULL) != 0)
        return 1;
    printf("%u\n", info->port);
    (void)fflush(stdout);
    loop(d);
    atomic_store(&disk.ended, true);
    (void)pthread_mutex_lock(&disk.lock);
    (void)pthread_cond_signal(&disk.filled);
    (void)pthread_mutex_unlock(&disk.lock);
    (void)pthread_join(writer, NULL);
    (void)resume_all();
    MHD_stop_daemon(d);
    return 0;
}
