/* person.c - what people do with an account, over its API. */
#include "sim/person.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/timefmt.h"
#include "stepup/totp.h"

#define BODY_BYTES ((size_t)16384)
#define MAIL_BYTES ((size_t)64 << 20)
#define MAIL_WAIT_US (5 * US_SECOND)
#define MAIL_LOOK_US ((int64_t)10000)
#define ON_ITS_WAY_US (12 * US_SECOND) /* the longest that a code may take to be looked at */

void person_release(struct person *p)
{
    talk_release(&p->answer);
    crypto_wipe(p->secret, sizeof p->secret);
}

struct talker person_browser(const struct person_site *site, const char *user_agent, const char *address)
{
    return (struct talker){.fetch = site->fetch, .base = site->daemon, .user_agent = user_agent, .address = address};
}

void person_sleep(int64_t us)
{
    if (us > US_SECOND)
        us = US_SECOND;
    struct timespec t = {.tv_sec = us / US_SECOND, .tv_nsec = us % US_SECOND * 1000};
    if (us > 0)
        (void)nanosleep(&t, NULL);
}

enum keer_err person_call(struct talker *b, const char *method, const char *path, struct buf *body, const char *challenge,
                          struct talk *a)
{
    enum keer_err err = body->err;
    if (err == KEER_OK)
        err = talk(b, method, path, buf_view(body), challenge, a);
    buf_release(body);
    return err;
}

/* {"name":"value", ...} of pairs that end with NULL. */
static void object(struct buf *b, const char *const *pairs)
{
    buf_init(b, BODY_BYTES);
    buf_char(b, '{');
    for (size_t i = 0; pairs[i]; i += 2) {
        buf_fmt(b, "%s\"%s\":", i ? "," : "", pairs[i]);
        buf_json(b, slice_str(pairs[i + 1]));
    }
    buf_char(b, '}');
}
#define OBJECT(b, ...) object(b, (const char *const[]){__VA_ARGS__, NULL})

static void keep(char *to, size_t size, struct slice from) { (void)snprintf(to, size, SLICE_FMT, SLICE_ARG(from)); }

static enum keer_err refused(const struct talk *a, const char *what, char ret_why[PERSON_WHY_BYTES])
{
    char code[64];
    talk_problem(a, code, sizeof code);
    struct slice detail = talk_text(a, "detail");
    (void)snprintf(ret_why, PERSON_WHY_BYTES, "%s: %s%s%.*s%s", what, a->status ? code : "no answer", detail.len ? " (" : "",
                   SLICE_ARG(detail), detail.len ? ")" : a->why);
    return KEER_EIO;
}

/* --- the mailbox --- */

static enum keer_err mail_read(const struct person *p, struct buf *b)
{
    int fd = open(p->site->notices, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return KEER_EIO;
    ssize_t n = 1;
    (void)lseek(fd, (off_t)p->mail_read, SEEK_SET);
    while (n > 0 && b->err == KEER_OK) {
        char *room = buf_reserve(b, 65536);
        n = room ? read(fd, room, 65536) : -1;
        if (n > 0)
            b->len += (size_t)n;
    }
    (void)close(fd);
    return n < 0 ? KEER_EIO : b->err;
}

/* Eight digits in the subject of the last message to the person of that kind. */
static bool find_code(struct slice mails, const struct person *p, const char *kind, char ret_code[9])
{
    static const struct tape_limits limits = {.bytes = 1u << 20, .values = 1000, .depth = 8, .keys = 64};
    struct talk line = {0};
    struct tape_error wrong;
    bool found = false;
    while (mails.len) {
        struct slice text = slice_cut(&mails, '\n');
        if (tape_read(&line.tape, text, &limits, &wrong) != KEER_OK || !talk_is(&line, "to", p->email) ||
            !talk_is(&line, "kind", kind))
            continue;
        struct slice subject = talk_text(&line, "subject");
        for (size_t i = 0, run = 0; i < subject.len; i++) {
            run = ascii_digit(subject.p[i]) ? run + 1 : 0;
            if (run == 8) {
                keep(ret_code, 9, slice_of(subject.p + i - 7, 8));
                found = true;
            }
        }
    }
    tape_release(&line.tape);
    return found;
}

enum keer_err person_mail_code(struct person *p, const char *kind, char ret_code[9])
{
    struct buf b;
    bool found = false;
    buf_init(&b, MAIL_BYTES);
    for (int64_t waited = 0; !found && waited < MAIL_WAIT_US; waited += MAIL_LOOK_US) {
        buf_clear(&b);
        found = mail_read(p, &b) == KEER_OK && find_code(buf_view(&b), p, kind, ret_code);
        if (!found)
            person_sleep(MAIL_LOOK_US);
    }
    if (found)
        p->mail_read += b.len;
    buf_release(&b);
    return found ? KEER_OK : KEER_EMISSING;
}

/* --- the app --- */

/* RFC 4648 section 6, without padding. */
static enum keer_err base32(const char *text, unsigned char *ret, size_t size, size_t *ret_len)
{
    unsigned bits = 0, have = 0;
    size_t n = 0;
    for (; *text; text++) {
        unsigned v = *text >= 'A' && *text <= 'Z'   ? (unsigned)(*text - 'A')
                     : *text >= '2' && *text <= '7' ? (unsigned)(*text - '2') + 26
                                                    : 32;
        if (v == 32 || n == size)
            return KEER_EFORMAT;
        bits = (bits << 5 | v) & 0xfff;
        have += 5;
        if (have >= 8) {
            have -= 8;
            ret[n++] = (unsigned char)(bits >> have);
        }
    }
    *ret_len = n;
    return KEER_OK;
}

enum keer_err person_app_code(struct person *p, char ret_code[9])
{
    unsigned char secret[40];
    size_t len = 0;
    enum keer_err err = base32(p->secret, secret, sizeof secret, &len);
    if (err != KEER_OK)
        return err;
    /* The earliest that is taken still when it gets there: more codes are left for what comes next. */
    int64_t step = totp_step(p->site->wall_us() + ON_ITS_WAY_US) - TOTP_SKEW;
    if (step <= p->step_last)
        step = p->step_last + 1;
    while (step > totp_step(p->site->wall_us()) + TOTP_SKEW)
        person_sleep(US_SECOND / 4);
    p->step_last = step;
    err = totp_hotp(slice_of((const char *)secret, len), (uint64_t)step, TOTP_DIGITS, ret_code);
    crypto_wipe(secret, sizeof secret);
    return err;
}

/* --- what a person does --- */

enum keer_err person_answer(struct person *p, struct talker *b, const char *challenge, enum person_step by, struct talk *a,
                            bool *ret_done)
{
    char path[160], app[9];
    const char *code = app;
    struct buf body;
    *ret_done = false;
    (void)snprintf(path, sizeof path, "/v1/account/challenges/%s", challenge);
    enum keer_err err = KEER_OK;
    if (by == PERSON_BY_APP)
        err = person_app_code(p, app);
    else if (p->code_next < PERSON_CODES)
        code = p->codes[p->code_next++];
    else
        return KEER_OK; /* all are spent */
    if (err == KEER_OK)
        err = talk(b, "GET", path, (struct slice){0}, NULL, a);
    if (err != KEER_OK)
        return err;
    (void)snprintf(path, sizeof path, "/v1/account/challenges/%s/%s", challenge,
                   by == PERSON_BY_APP ? "totp" : "recovery-code");
    OBJECT(&body, "code", code);
    err = person_call(b, "POST", path, &body, NULL, a);
    if (err == KEER_OK)
        *ret_done = a->status == 200 && talk_is(a, "state", "done");
    return err;
}

enum keer_err person_sign_in(const struct person *p, struct talker *b, struct talk *a)
{
    struct buf body;
    OBJECT(&body, "name", p->email, "password", p->password);
    return person_call(b, "POST", "/v1/account/sign-in", &body, NULL, a);
}

enum keer_err person_sign_up(struct person *p, char ret_why[PERSON_WHY_BYTES])
{
    struct talk *a = &p->answer;
    struct buf body;
    char flow[64], code[9];
    OBJECT(&body, "email", p->email, "name", p->name, "password", p->password);
    enum keer_err err = person_call(&p->browser, "POST", "/v1/account/sign-up", &body, NULL, a);
    if (err != KEER_OK || !talk_is(a, "next", "code"))
        return refused(a, "signing up", ret_why);
    keep(flow, sizeof flow, talk_text(a, "flow"));
    if (person_mail_code(p, "sign_up_code", code) != KEER_OK) {
        (void)snprintf(ret_why, PERSON_WHY_BYTES, "no code for %s came to %s", p->email, p->site->notices);
        return KEER_EIO;
    }
    OBJECT(&body, "flow", flow, "code", code);
    err = person_call(&p->browser, "POST", "/v1/account/sign-up/confirm", &body, NULL, a);
    if (err != KEER_OK || !talk_is(a, "next", "done"))
        return refused(a, "signing up, the code", ret_why);
    keep(p->account, sizeof p->account, talk_text(a, "account"));
    return KEER_OK;
}

enum keer_err person_codes(struct person *p, char ret_why[PERSON_WHY_BYTES])
{
    struct buf body;
    object(&body, (const char *const[]){NULL});
    enum keer_err err =
        person_call(&p->browser, "POST", "/v1/account/authenticators/recovery-codes", &body, NULL, &p->answer);
    for (unsigned i = 0; err == KEER_OK && i < PERSON_CODES; i++)
        keep(p->codes[i], sizeof p->codes[i], talk_text_at(&p->answer, "codes", i));
    return err == KEER_OK && p->codes[PERSON_CODES - 1][0] ? KEER_OK : refused(&p->answer, "recovery codes", ret_why);
}

enum keer_err person_protect(struct person *p, char ret_why[PERSON_WHY_BYTES])
{
    struct talk *a = &p->answer;
    struct buf body;
    char id[32], code[9], challenge[32];
    bool done = false;
    enum keer_err err = person_codes(p, ret_why);
    if (err != KEER_OK)
        return err;
    OBJECT(&body, "name", "an app");
    err = person_call(&p->browser, "POST", "/v1/account/authenticators/totp", &body, NULL, a);
    keep(id, sizeof id, talk_text(a, "id"));
    keep(p->secret, sizeof p->secret, talk_text(a, "secret"));
    if (err != KEER_OK || !p->secret[0])
        return refused(a, "an app", ret_why);
    err = person_app_code(p, code);
    if (err != KEER_OK)
        return err;
    OBJECT(&body, "id", id, "code", code);
    err = person_call(&p->browser, "POST", "/v1/account/authenticators/totp/confirm", &body, NULL, a);
    if (err != KEER_OK || !talk_is(a, "next", "step"))
        return refused(a, "the app's first code", ret_why);
    keep(challenge, sizeof challenge, talk_text(a, "challenge"));
    err = person_answer(p, &p->browser, challenge, PERSON_BY_CODE, a, &done);
    if (err != KEER_OK || !done)
        return refused(a, "a step by a recovery code", ret_why);
    OBJECT(&body, "id", id, "code", code);
    err = person_call(&p->browser, "POST", "/v1/account/authenticators/totp/confirm", &body, challenge, a);
    return err == KEER_OK && a->status == 200 && !talk_text(a, "next").len && !talk_text(a, "pending").len
               ? KEER_OK
               : refused(a, "adding the app", ret_why);
}

/* The first authenticator of the account; "" without one. */
static enum keer_err first_authenticator(struct person *p, char *ret, size_t size)
{
    struct talk *a = &p->answer;
    enum keer_err err = talk(&p->browser, "GET", "/v1/account/me", (struct slice){0}, NULL, a);
    uint32_t list = err == KEER_OK && a->tape.count ? tape_find(&a->tape, 0, "authenticators") : TAPE_NONE;
    ret[0] = '\0';
    if (list != TAPE_NONE && a->tape.v[list].len)
        keep(ret, size, tape_text(&a->tape, tape_find(&a->tape, list + 1, "id")));
    return err == KEER_OK && list == TAPE_NONE ? KEER_EIO : err;
}

enum keer_err person_bare(struct person *p, char ret_why[PERSON_WHY_BYTES])
{
    struct talk *a = &p->answer;
    char path[96], id[32], challenge[32];
    bool done = false;
    enum keer_err err = first_authenticator(p, id, sizeof id);
    (void)snprintf(path, sizeof path, "/v1/account/authenticators/%s", id);
    if (err == KEER_OK)
        err = talk(&p->browser, "DELETE", path, (struct slice){0}, NULL, a);
    keep(challenge, sizeof challenge, talk_text(a, "challenge"));
    if (err == KEER_OK && challenge[0])
        err = person_answer(p, &p->browser, challenge, PERSON_BY_CODE, a, &done);
    if (err == KEER_OK && done)
        err = talk(&p->browser, "DELETE", path, (struct slice){0}, challenge, a);
    if (err != KEER_OK || !done || a->status != 200)
        return refused(a, "removing the recovery codes", ret_why);
    err = first_authenticator(p, id, sizeof id);
    return err == KEER_OK && !id[0] ? KEER_OK : refused(a, "recovery codes are still there", ret_why);
}
