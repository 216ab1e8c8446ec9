/* accounts.c - what the use cases of accounts share. */
#include "flow/accounts.h"

#include "account/proof.h"
#include "flow/store_visit.h"
#include "store/query.h"

#define KEEP_US (30 * US_DAY) /* what has ended is kept as long, for whoever looks into what happened */
#define FORGET_ROWS 1000

void visitor_new_device(struct visitor *v)
{
    token_make(&v->device_token, &v->device);
    device_mark(&v->device, &v->mark);
    v->device_new = true;
}

void visitor_device(struct visitor *v, struct slice cookie)
{
    struct id id;
    if (!cookie.p || token_hash(cookie, &v->device) != KEER_OK || id_parse(cookie, &id) != KEER_OK) {
        visitor_new_device(v);
        return;
    }
    memcpy(v->device_token.text, id.text, sizeof id.text);
    device_mark(&v->device, &v->mark);
    v->device_new = false;
}

struct desk_event visitor_event(const struct visitor *v, const struct id *account, const char *type)
{
    return (struct desk_event){.type = slice_str(type),
                               .account = id_slice(account),
                               .device = id_slice(&v->mark),
                               .session = id_slice(&v->session),
                               .ip = slice_str(v->ip),
                               .user_agent = v->user_agent};
}

void visitor_report(struct desk_worker *w, const struct visitor *v, const struct id *account, struct slice event)
{
    struct desk_event e = visitor_event(v, account, "fraud_reported");
    struct desk_decision d = {0};
    if (!event.len)
        return;
    e.target = event;
    enum keer_err err = desk_decide(w, &e, &d);
    buf_release(&d.answer);
    if (err != KEER_OK)
        log_put(desk_log(w), LOG_WARNING, "a report of fraud on event %.*s was not taken: %s", SLICE_ARG(event),
                keer_err_text(err));
}

/* --- words that a password must not be made of --- */

void password_context_init(struct password_context *c, const struct accounts *a, bool second_factor)
{
    c->used = 0;
    c->rules = (struct password_rules){.second_factor = second_factor, .breached = a->breached};
    password_context_add(c, slice_str(a->words.service));
    password_context_add(c, SLICE("keersluis"));
}

static void add_word(struct password_context *c, struct slice word)
{
    if (word.len < 3 || c->rules.context_count == PASSWORD_CONTEXT_MAX || word.len > sizeof c->room - c->used)
        return;
    memcpy(c->room + c->used, word.p, word.len);
    c->rules.context[c->rules.context_count++] = slice_of(c->room + c->used, word.len);
    c->used += word.len;
}

/* What is no letter or digit parts words; UTF-8 beyond ASCII counts as letters. */
void password_context_add(struct password_context *c, struct slice text)
{
    size_t begin = 0;
    for (size_t i = 0; text.p && i <= text.len; i++) {
        unsigned char b = i < text.len ? (unsigned char)text.p[i] : ' ';
        bool letter = b >= 0x80 || (b >= '0' && b <= '9') || (ascii_lower((char)b) >= 'a' && ascii_lower((char)b) <= 'z');
        if (letter)
            continue;
        add_word(c, slice_of(text.p + begin, i - begin));
        begin = i + 1;
    }
}

enum keer_err password_context_account(struct password_context *c, struct db *db, const struct id *account)
{
    struct account a;
    struct identifier names[IDENTIFIERS_MAX];
    struct contact contacts[CONTACTS_MAX];
    unsigned n = 0, m = 0;
    enum keer_err err = account_read(db, account, &a);
    if (err == KEER_OK)
        err = identifier_list(db, account, names, &n);
    if (err == KEER_OK)
        err = contact_list(db, account, contacts, &m);
    if (err != KEER_OK)
        return err;
    password_context_add(c, slice_str(a.name));
    for (unsigned i = 0; i < n; i++)
        password_context_add(c, slice_str(names[i].text));
    for (unsigned i = 0; i < m; i++)
        password_context_add(c, slice_str(contacts[i].address.text));
    return KEER_OK;
}

/* --- what is over --- */

struct forgetting {
    int64_t now_us;
};

static enum keer_err forget(struct db *db, void *ctx)
{
    const struct forgetting *f = ctx;
    int64_t before = f->now_us - KEEP_US, count = 0;
    enum keer_err err = session_forget(db, before, FORGET_ROWS, &count);
    if (err == KEER_OK)
        err = proof_forget(db, f->now_us - US_DAY, FORGET_ROWS, &count);
    if (err == KEER_OK)
        err = notice_forget(db, before, FORGET_ROWS, &count);
    if (err == KEER_OK)
        err = attempts_forget(db, f->now_us, FORGET_ROWS, &count);
    if (err == KEER_OK)
        err = store_visit_forget(db, f->now_us);
    if (err == KEER_OK)
        err = QUERY_DO(db, "DELETE FROM sign_up WHERE id IN (SELECT id FROM sign_up WHERE ends_us < $1 LIMIT $2)",
                       Q_NUMBER(f->now_us - US_DAY), Q_NUMBER(FORGET_ROWS));
    return err;
}

const char *accounts_unreached(const struct accounts *a, const struct identifier *address)
{
    struct slice number = slice_str(address->text), rest = a->countries;
    if (address->kind != IDENTIFIER_PHONE)
        return a->mails ? NULL : "this service sends no messages to e-mail addresses";
    if (!a->phones)
        return "this service sends no messages to phones";
    bool named = !rest.len;
    while (!named && rest.len) {
        struct slice country = slice_trim(slice_cut(&rest, ','));
        named = country.len <= number.len && memcmp(number.p, country.p, country.len) == 0;
    }
    return named ? NULL : "this service sends no messages to phones of that country";
}

void accounts_forget(struct desk_worker *w, void *ctx)
{
    struct forgetting f = {desk_wall_us(w)};
    UNUSED(ctx);
    enum keer_err err = desk_write(w, forget, &f);
    if (err != KEER_OK && err != KEER_EUNSUPPORTED)
        log_put(desk_log(w), LOG_WARNING, "what is over of accounts could not be forgotten: %s", keer_err_text(err));
}
