/* enrich.c - what is added to an event. */
#include "flow/enrich.h"

#include <arpa/inet.h>
#include <maxminddb.h>
#include <netinet/in.h>

#define DOMAIN_BYTES 253 /* RFC 1035 section 2.3.4 */

struct enrich {
    struct enrich_options o;
    MMDB_s country, asn;
    bool has_country, has_asn;
};

/* One event on its way. */
struct adding {
    const struct enrich *e;
    struct buf *out;
    bool missing;
    char domain[DOMAIN_BYTES + 1]; /* what a row above found; "" */
};
typedef void put_fn(struct adding *a, const char *name, struct slice source);

static const struct user_agent {
    const char *token, *family, *kind;
} user_agents[] = {
#define USER_AGENT(token, family, kind) {token, family, kind},
#include "flow/user_agents.def"
#undef USER_AGENT
};
static const struct {
    struct slice domain;
    const char *class;
} email_domains[] = {
#define EMAIL_DOMAIN(domain, class) {{domain, sizeof domain - 1}, class},
#include "flow/email_domains.def"
#undef EMAIL_DOMAIN
};

static void put_key(struct adding *a, const char *name) { buf_fmt(a->out, "%s\"%s\":", a->out->len ? "," : "{", name); }

static void put_text(struct adding *a, const char *name, struct slice value)
{
    put_key(a, name);
    buf_json(a->out, value);
}

/* --- addresses --- */

/* The entry of an address; false when there is none. IPv4 in IPv6 (RFC 4291 section 2.5.5.2) is looked up as IPv4. */
static bool look_up(struct adding *a, const MMDB_s *db, struct slice ip, MMDB_lookup_result_s *ret_found)
{
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    } to = {.six = {.sin6_family = AF_INET6}};
    char text[INET6_ADDRSTRLEN];
    int error = MMDB_SUCCESS;
    if (ip.len >= sizeof text)
        return false;
    memcpy(text, ip.p, ip.len);
    text[ip.len] = '\0';
    if (inet_pton(AF_INET6, text, &to.six.sin6_addr) != 1) {
        to.four = (struct sockaddr_in){.sin_family = AF_INET};
        if (inet_pton(AF_INET, text, &to.four.sin_addr) != 1)
            return false;
    } else if (IN6_IS_ADDR_V4MAPPED(&to.six.sin6_addr)) {
        struct sockaddr_in four = {.sin_family = AF_INET};
        memcpy(&four.sin_addr, to.six.sin6_addr.s6_addr + 12, 4);
        to.four = four;
    }
    if (to.any.sa_family == AF_INET6 && db->metadata.ip_version == 4)
        return false;
    *ret_found = MMDB_lookup_sockaddr(db, &to.any, &error);
    a->missing = a->missing || error != MMDB_SUCCESS;
    return error == MMDB_SUCCESS && ret_found->found_entry;
}

/* A value of an entry: false when it is not there. */
static bool value_at(struct adding *a, MMDB_lookup_result_s *found, const char *const *path, MMDB_entry_data_s *ret_data)
{
    int rc = MMDB_aget_value(&found->entry, ret_data, path);
    if (rc == MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR)
        return false;
    a->missing = a->missing || rc != MMDB_SUCCESS;
    return rc == MMDB_SUCCESS && ret_data->has_data;
}

static void put_country(struct adding *a, const char *name, struct slice ip)
{
    static const char *const flat[] = {"country_code", NULL}, *const nested[] = {"country", "iso_code", NULL};
    MMDB_lookup_result_s found;
    MMDB_entry_data_s d;
    if (!a->e->has_country || !look_up(a, &a->e->country, ip, &found))
        return;
    if (!value_at(a, &found, flat, &d) && !value_at(a, &found, nested, &d))
        return;
    if (d.type == MMDB_DATA_TYPE_UTF8_STRING && d.data_size == 2)
        put_text(a, name, slice_of(d.utf8_string, d.data_size));
}

static void put_asn(struct adding *a, const char *name, struct slice ip)
{
    static const char *const path[] = {"autonomous_system_number", NULL};
    MMDB_lookup_result_s found;
    MMDB_entry_data_s d;
    if (!a->e->has_asn || !look_up(a, &a->e->asn, ip, &found) || !value_at(a, &found, path, &d))
        return;
    if (d.type != MMDB_DATA_TYPE_UINT32 && d.type != MMDB_DATA_TYPE_UINT16)
        return;
    put_key(a, name);
    buf_u64(a->out, d.type == MMDB_DATA_TYPE_UINT32 ? d.uint32 : d.uint16);
}

/* --- e-mail --- */

/* What follows the last @, in lower case, without a dot at its end; "" when it is no domain. */
static void domain_of(struct slice s, char ret_domain[DOMAIN_BYTES + 1])
{
    size_t n = 0;
    bool bad = false;
    if (s.len && s.p[s.len - 1] == '.')
        s.len--;
    for (size_t i = 0; i < s.len && !bad; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bad = n == DOMAIN_BYTES || c <= ' ' || c == 0x7F;
        if (!bad)
            ret_domain[n++] = ascii_lower(s.p[i]);
    }
    ret_domain[bad ? 0 : n] = '\0';
}

static void put_domain(struct adding *a, const char *name, struct slice email)
{
    size_t at = email.len;
    while (at > 0 && email.p[at - 1] != '@')
        at--;
    if (at < 2)
        return;
    domain_of(slice_of(email.p + at, email.len - at), a->domain);
    if (a->domain[0] && name)
        put_text(a, name, slice_str(a->domain));
}

static bool at_or_below(struct slice domain, struct slice of)
{
    if (of.len == 0 || domain.len < of.len || !slice_eqi(slice_of(domain.p + domain.len - of.len, of.len), of))
        return false;
    return domain.len == of.len || domain.p[domain.len - of.len - 1] == '.';
}

static void put_class(struct adding *a, const char *name, struct slice source)
{
    const char *class = "other";
    char text[DOMAIN_BYTES + 1];
    domain_of(source, text);
    struct slice domain = slice_str(text);
    if (!domain.len)
        return;
    for (size_t i = 0; i < ARRAY_LEN(email_domains); i++)
        if (at_or_below(domain, email_domains[i].domain))
            class = email_domains[i].class;
    for (size_t i = 0; i < a->e->o.own_count; i++)
        if (at_or_below(domain, a->e->o.own[i]))
            class = "own";
    put_text(a, name, slice_str(class));
}

/* --- user agents --- */

static const struct user_agent *agent_of(struct slice text)
{
    static const struct user_agent other = {"", "other", "other"};
    text.len = MIN_OF(text.len, 1024u); /* those of people are shorter */
    for (size_t i = 0; i < ARRAY_LEN(user_agents); i++)
        if (slice_hasi(text, slice_str(user_agents[i].token)))
            return &user_agents[i];
    return &other;
}

const char *enrich_agent_family(struct slice user_agent) { return agent_of(user_agent)->family; }

static void put_family(struct adding *a, const char *name, struct slice text)
{
    put_text(a, name, slice_str(agent_of(text)->family));
}

static void put_kind(struct adding *a, const char *name, struct slice text)
{
    put_text(a, name, slice_str(agent_of(text)->kind));
}

/* --- all --- */

static const struct row {
    const char *name, *source;
    enum keer_attr_type type;
    put_fn *put;
} rows[] = {
#define ENRICH(name, type, source, how) {#name, #source, KEER_##type, how},
#include "flow/enrich.def"
#undef ENRICH
};
static_assert(ARRAY_LEN(rows) <= 64, "a bit for each row");

static enum keer_err open_database(const char *path, MMDB_s *db, bool *ret_has, struct enrich_why *why)
{
    if (!path)
        return KEER_OK;
    int rc = MMDB_open(path, MMDB_MODE_MMAP, db);
    *ret_has = rc == MMDB_SUCCESS;
    if (rc == MMDB_SUCCESS)
        return KEER_OK;
    (void)snprintf(why->text, sizeof why->text, "%.250s: %.100s", path, MMDB_strerror(rc));
    return rc == MMDB_OUT_OF_MEMORY_ERROR ? KEER_ENOMEM : KEER_EIO;
}

uint64_t enrich_wanted(const struct keer_schema *schema)
{
    uint64_t wanted = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int slot = keer_schema_find(schema, rows[i].name, strlen(rows[i].name));
        if (slot >= 0 && schema->attrs[slot].type == rows[i].type)
            wanted |= (uint64_t)1 << i;
    }
    return wanted;
}

enum keer_err enrich_new(const struct enrich_options *o, struct enrich **ret_enrich, struct enrich_why *ret_why)
{
    struct enrich *e = calloc(1, sizeof *e);
    if (!e) {
        (void)snprintf(ret_why->text, sizeof ret_why->text, "%s", keer_err_text(KEER_ENOMEM));
        return KEER_ENOMEM;
    }
    e->o = *o;
    enum keer_err err = open_database(o->country, &e->country, &e->has_country, ret_why);
    if (err == KEER_OK)
        err = open_database(o->asn, &e->asn, &e->has_asn, ret_why);
    if (err == KEER_OK)
        *ret_enrich = e;
    else
        enrich_free(e);
    return err;
}

void enrich_free(struct enrich *e)
{
    if (!e)
        return;
    if (e->has_country)
        MMDB_close(&e->country);
    if (e->has_asn)
        MMDB_close(&e->asn);
    free(e);
}

void enrich_unfed(const struct enrich *e, uint64_t wanted, struct buf *names)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if ((wanted >> i & 1) &&
            ((rows[i].put == put_country && !e->has_country) || (rows[i].put == put_asn && !e->has_asn)))
            buf_fmt(names, "%s%s", names->len ? ", " : "", rows[i].name);
}

/* What a row starts from: a text of the body, or the domain that was found above. */
static bool source_of(struct adding *a, const struct tape *body, const struct row *r, struct slice *ret_source)
{
    uint32_t at = tape_find(body, 0, r->source);
    if (r->put == put_class && at == TAPE_NONE) { /* the policy need not name the domain for its class */
        uint32_t email = tape_find(body, 0, "email");
        if (!a->domain[0] && email != TAPE_NONE && tape_type(body, email) == TAPE_STRING)
            put_domain(a, NULL, tape_text(body, email));
        *ret_source = slice_str(a->domain);
        return a->domain[0] != '\0';
    }
    if (at == TAPE_NONE || tape_type(body, at) != TAPE_STRING)
        return false;
    *ret_source = tape_text(body, at);
    return true;
}

void enrich_event(const struct enrich *e, uint64_t wanted, const struct tape *body, struct buf *added, bool *ret_missing)
{
    struct adding a = {.e = e, .out = added};
    struct slice source;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if ((wanted >> i & 1) && tape_find(body, 0, rows[i].name) == TAPE_NONE && source_of(&a, body, &rows[i], &source))
            rows[i].put(&a, rows[i].name, source);
    if (added->len)
        buf_char(added, '}');
    *ret_missing = a.missing;
}
