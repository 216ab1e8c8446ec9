/* identifier.c - what an account is found by, in its one canonical form. */
#include "account/identifier.h"

#include "base/utf8.h"
#include "store/query.h"

#define LOCAL_MAX 64
#define DOMAIN_MAX 253
#define LABEL_MAX 63
#define USER_MIN 3
#define USER_MAX 32
#define SUBJECT_MAX 128

const char *identifier_kind_name(enum identifier_kind kind)
{
    static const char *const names[] = {"email", "phone", "username", "subject"};
    static_assert(ARRAY_LEN(names) == IDENTIFIER_KIND_MAX, "a name for each");
    return names[kind];
}

static enum keer_err refuse(struct identifier_why *why, const char *text)
{
    (void)snprintf(why->text, sizeof why->text, "%s", text);
    return KEER_EFORMAT;
}

/* What is said of a character that is not ASCII: the one mistake that people make without seeing it has its own words. */
static enum keer_err refuse_foreign(struct slice at, struct identifier_why *why)
{
    uint32_t c;
    if (utf8_next(&at, &c) != KEER_OK)
        return refuse(why, "it holds what is no text");
    if ((c >= 0xFF01 && c <= 0xFF5E) || c == 0x3002 || c == 0x3000)
        return refuse(why, "it holds full-width characters: type it with ordinary ones");
    return refuse(why, "it holds a letter or sign that is not of the English alphabet, though it may look like one");
}

static bool is_letter(char c) { return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z'; }

static enum keer_err put(struct slice text, bool fold, enum identifier_kind kind, struct identifier *ret)
{
    ret->kind = kind;
    for (size_t i = 0; i < text.len; i++)
        ret->text[i] = fold ? ascii_lower(text.p[i]) : text.p[i];
    ret->text[text.len] = '\0';
    return KEER_OK;
}

/* --- e-mail --- */

static enum keer_err check_local(struct slice local, struct identifier_why *why)
{
    char before = '.';
    if (!local.len || local.len > LOCAL_MAX)
        return refuse(why, "what stands before @ has 1 to 64 characters");
    for (size_t i = 0; i < local.len; i++) {
        char c = local.p[i];
        if ((unsigned char)c >= 0x80)
            return refuse_foreign(slice_of(local.p + i, local.len - i), why);
        if (c == '.' && before == '.')
            return refuse(why, "there is a dot too many before @");
        if (c != '.' && !is_letter(c) && !ascii_digit(c) && (c == '\0' || !strchr("!#$%&'*+-/=?^_`{|}~", c)))
            return refuse(why, "before @ there are letters, digits, dots and a few signs only");
        before = c;
    }
    return before == '.' ? refuse(why, "there is a dot too many before @") : KEER_OK;
}

static enum keer_err check_domain(struct slice domain, struct identifier_why *why)
{
    unsigned labels = 0;
    bool letters = false;
    if (!domain.len || domain.len > DOMAIN_MAX)
        return refuse(why, "what stands behind @ has 1 to 253 characters");
    for (struct slice rest = domain; rest.p; labels++) {
        struct slice label = slice_cut(&rest, '.');
        if (!label.len || label.len > LABEL_MAX || label.p[0] == '-' || label.p[label.len - 1] == '-')
            return refuse(why, "a part of the domain is empty, too long, or begins or ends with a hyphen");
        letters = false;
        for (size_t i = 0; i < label.len; i++) {
            char c = label.p[i];
            if ((unsigned char)c >= 0x80)
                return refuse_foreign(slice_of(label.p + i, label.len - i), why);
            if (!is_letter(c) && !ascii_digit(c) && c != '-')
                return refuse(why, "a domain has letters, digits, hyphens and dots only");
            letters = letters || is_letter(c);
        }
    }
    return labels < 2 || !letters ? refuse(why, "the domain is not a whole one, as example.org") : KEER_OK;
}

static enum keer_err canon_email(struct slice text, struct identifier *ret, struct identifier_why *why)
{
    const char *at = memchr(text.p, '@', text.len);
    if (!at)
        return refuse(why, "an e-mail address has an @");
    struct slice local = slice_of(text.p, (size_t)(at - text.p));
    struct slice domain = slice_of(at + 1, text.len - local.len - 1);
    enum keer_err err = check_local(local, why);
    if (err == KEER_OK)
        err = check_domain(domain, why);
    return err == KEER_OK ? put(text, /* fold */ true, IDENTIFIER_EMAIL, ret) : err;
}

/* --- phone --- */

static enum keer_err canon_phone(struct slice text, struct identifier *ret, struct identifier_why *why)
{
    char room[IDENTIFIER_BYTES + 1] = "+";
    size_t n = 1;
    if (text.p[0] != '+')
        return (unsigned char)text.p[0] >= 0x80 ? refuse_foreign(text, why)
                                                : refuse(why, "a phone number begins with + and the number of the country");
    for (size_t i = 1; i < text.len; i++) {
        char c = text.p[i];
        if ((unsigned char)c >= 0x80)
            return refuse_foreign(slice_of(text.p + i, text.len - i), why);
        if (ascii_digit(c) && n < 17)
            room[n++] = c;
        else if (!ascii_digit(c) && (c == '\0' || !strchr(" -.()", c)))
            return refuse(why, "a phone number has digits only, with spaces, hyphens, dots or parentheses between them");
    }
    if (n < 9 || n > 16 || room[1] == '0')
        return refuse(why, "a phone number has 8 to 15 digits, and the first is not 0");
    return put(slice_of(room, n), /* fold */ false, IDENTIFIER_PHONE, ret);
}

/* --- user name --- */

/* Unified ideographs alone: the compatibility ones have a canonical form elsewhere. */
static bool is_han(uint32_t c) { return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF); }

static enum keer_err canon_han(struct slice text, struct identifier *ret, struct identifier_why *why)
{
    size_t points = 0;
    for (struct slice rest = text; rest.len; points++) {
        struct slice at = rest;
        uint32_t c = 0;
        if (utf8_next(&rest, &c) != KEER_OK)
            return refuse(why, "it holds what is no text");
        if (!is_han(c) && (points == 0 || (c != '_' && !(c >= '0' && c <= '9'))))
            return c < 0x80 ? refuse(why, "a name in Chinese characters has these, digits and _ only")
                            : refuse_foreign(at, why);
    }
    if (points < 2 || points > USER_MAX)
        return refuse(why, "a name in Chinese characters has 2 to 32");
    return put(text, /* fold */ false, IDENTIFIER_USER_NAME, ret);
}

static enum keer_err canon_user_name(struct slice text, struct identifier *ret, struct identifier_why *why)
{
    struct slice first = text;
    uint32_t c;
    if (text.len && utf8_next(&first, &c) == KEER_OK && is_han(c))
        return canon_han(text, ret, why);
    for (size_t i = 0; i < text.len; i++) {
        char b = text.p[i];
        if ((unsigned char)b >= 0x80)
            return refuse_foreign(slice_of(text.p + i, text.len - i), why);
        if (!is_letter(b) && (i == 0 || (!ascii_digit(b) && b != '.' && b != '_' && b != '-')))
            return refuse(why, "a user name begins with a letter and has letters, digits, '.', '_' and '-' only");
    }
    if (text.len < USER_MIN || text.len > USER_MAX)
        return refuse(why, "a user name has 3 to 32 characters");
    return put(text, /* fold */ true, IDENTIFIER_USER_NAME, ret);
}

static enum keer_err canon_subject(struct slice text, struct identifier *ret, struct identifier_why *why)
{
    if (text.len > SUBJECT_MAX)
        return refuse(why, "a subject has 1 to 128 characters");
    for (size_t i = 0; i < text.len; i++)
        if (text.p[i] <= 0x20 || text.p[i] >= 0x7F)
            return refuse(why, "a subject has printable ASCII characters only, and no space");
    return put(text, /* fold */ false, IDENTIFIER_SUBJECT, ret);
}

enum keer_err identifier_canon(enum identifier_kind kind, struct slice text, struct identifier *ret_identifier,
                               struct identifier_why *ret_why)
{
    struct identifier found = {0};
    enum keer_err err = KEER_EFORMAT;
    if (kind != IDENTIFIER_SUBJECT)
        text = slice_trim(text);
    if (!text.len)
        return refuse(ret_why, "it is empty");
    if (text.len > IDENTIFIER_BYTES)
        return refuse(ret_why, "it is too long");
    switch (kind) {
    case IDENTIFIER_EMAIL: err = canon_email(text, &found, ret_why); break;
    case IDENTIFIER_PHONE: err = canon_phone(text, &found, ret_why); break;
    case IDENTIFIER_USER_NAME: err = canon_user_name(text, &found, ret_why); break;
    case IDENTIFIER_SUBJECT: err = canon_subject(text, &found, ret_why); break;
    case IDENTIFIER_KIND_MAX: break;
    }
    if (err == KEER_OK)
        *ret_identifier = found;
    return err;
}

enum keer_err identifier_guess(struct slice text, struct identifier *ret_identifier, struct identifier_why *ret_why)
{
    text = slice_trim(text);
    enum identifier_kind kind = text.len && memchr(text.p, '@', text.len)                  ? IDENTIFIER_EMAIL
                                : text.len && (text.p[0] == '+' || ascii_digit(text.p[0])) ? IDENTIFIER_PHONE
                                                                                           : IDENTIFIER_USER_NAME;
    return identifier_canon(kind, text, ret_identifier, ret_why);
}

void identifier_mask(const struct identifier *identifier, struct buf *out)
{
    struct slice text = slice_str(identifier->text);
    if (identifier->kind == IDENTIFIER_PHONE) {
        buf_slice(out, slice_of(text.p, 3));
        buf_puts(out, "*****");
        buf_slice(out, slice_of(text.p + text.len - 2, 2));
    } else if (identifier->kind == IDENTIFIER_EMAIL) {
        const char *at = strchr(text.p, '@'), *dot = strrchr(text.p, '.');
        buf_char(out, text.p[0]);
        buf_puts(out, "***@");
        buf_char(out, at[1]);
        buf_puts(out, "***");
        buf_puts(out, dot);
    } else {
        buf_puts(out, "***");
    }
}

/* --- rows --- */

enum keer_err identifier_add(struct db *db, const struct id *account, const struct identifier *identifier, int64_t now_us)
{
    struct identifier room[IDENTIFIERS_MAX];
    unsigned count;
    enum keer_err err = identifier_list(db, account, room, &count);
    if (err == KEER_OK && count == IDENTIFIERS_MAX)
        err = KEER_ELIMIT;
    if (err == KEER_OK)
        err = QUERY_MET(db,
                        "INSERT INTO identifier (kind, value, account, created_us) VALUES ($1, $2, $3, $4)"
                        " ON CONFLICT DO NOTHING RETURNING kind",
                        Q_NUMBER(identifier->kind), Q_STR(identifier->text), Q_ID(account), Q_NUMBER(now_us));
    return err == KEER_EMISSING ? KEER_ECONFLICT : err;
}

enum keer_err identifier_remove(struct db *db, const struct id *account, const struct identifier *identifier)
{
    return QUERY_MET(db, "DELETE FROM identifier WHERE kind = $1 AND value = $2 AND account = $3 RETURNING kind",
                     Q_NUMBER(identifier->kind), Q_STR(identifier->text), Q_ID(account));
}

enum keer_err identifier_find(struct db *db, const struct identifier *identifier, struct id *ret_account)
{
    struct db_stmt *s;
    enum keer_err err = QUERY_ONE(db, &s, "SELECT account FROM identifier WHERE kind = $1 AND value = $2",
                                  Q_NUMBER(identifier->kind), Q_STR(identifier->text));
    if (err != KEER_OK)
        return err;
    err = query_id(s, 0, ret_account);
    db_free(s);
    return err;
}

enum keer_err identifier_list(struct db *db, const struct id *account, struct identifier *room, unsigned *ret_count)
{
    struct db_stmt *s;
    unsigned count = 0;
    enum db_step step = DB_END;
    enum keer_err err =
        QUERY_ROWS(db, &s, "SELECT kind, value FROM identifier WHERE account = $1 ORDER BY created_us, kind, value LIMIT $2",
                   Q_ID(account), Q_NUMBER(IDENTIFIERS_MAX));
    if (err != KEER_OK)
        return err;
    while (err == KEER_OK && count < IDENTIFIERS_MAX && (step = db_step(s)) == DB_ROW) {
        int64_t kind = db_i64(s, 0);
        err = kind < 0 || kind >= IDENTIFIER_KIND_MAX ? KEER_EFORMAT : query_text(s, 1, room[count].text, sizeof room->text);
        room[count++].kind = (enum identifier_kind)kind;
    }
    if (err == KEER_OK && step == DB_FAILED)
        err = KEER_EIO;
    db_free(s);
    if (err == KEER_OK)
        *ret_count = count;
    return err;
}
