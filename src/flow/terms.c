/* terms.c - by what a row of the journal is found. */
#include "flow/terms.h"

#include "base/json.h"
#include "base/plain.h"
#include "flow/reading.h"
#include "flow/verdict.h"

/* A schema of one attribute: a body is read for its account, and nothing else of it matters. */
struct terms {
    struct keer_schema schema;
    unsigned account;
    struct reading *reading;
    struct keer_event *event; /* of the row that was read last */
    struct tape tape;         /* of its decision */
};

void terms_free(struct terms *t)
{
    if (!t)
        return;
    free(t->event);
    tape_release(&t->tape);
    reading_free(t->reading);
    schema_release(&t->schema);
    free(t);
}

enum keer_err terms_new(struct terms **ret_terms)
{
    struct terms *t = calloc(1, sizeof *t);
    if (!t)
        return KEER_ENOMEM;
    enum keer_err err = schema_init(&t->schema, HASH_KEY_DEFAULT);
    if (err == KEER_OK)
        err = schema_add_known(&t->schema, SLICE("account"), &t->account);
    if (err == KEER_OK)
        err = reading_new(&t->schema, &t->reading);
    if (err != KEER_OK) {
        terms_free(t);
        return err;
    }
    *ret_terms = t;
    return KEER_OK;
}

/* --- as this program writes them: read where they stand; whatever looks otherwise is read as the JSON it is --- */

/* Passes what must stand here. */
static bool pass(struct slice *s, struct slice what)
{
    if (s->len < what.len || memcmp(s->p, what.p, what.len) != 0)
        return false;
    *s = slice_of(s->p + what.len, s->len - what.len);
    return true;
}

/* A text without escapes, behind its opening quote; past its closing one. */
static bool pass_text(struct slice *s, struct slice *ret_text)
{
    const char *end = skip_plain(s->p, s->p + s->len);
    size_t len = (size_t)(end - s->p);
    if (len == s->len || *end != '"')
        return false;
    *ret_text = slice_of(s->p, len);
    *s = slice_of(end + 1, s->len - len - 1);
    return true;
}

/* In a canonical body it is nearly always the first key. */
static bool account_at_once(struct slice body, struct slice *ret_account)
{
    struct slice text;
    if (!pass(&body, SLICE("{\"account\":\"")) || !pass_text(&body, &text) || !text.len || text.len > LIMIT_TEXT_BYTES)
        return false;
    *ret_account = text;
    return true;
}

/* What verdict_print puts. */
static bool decision_at_once(struct slice s, struct terms_row *ret_row)
{
    struct terms_row row = {.rules = 0};
    struct slice ignored;
    if (!pass(&s, SLICE("{\"id\":\"")) || !pass_text(&s, &ignored) || !pass(&s, SLICE(",\"time\":\"")) ||
        !pass_text(&s, &ignored) || !pass(&s, SLICE(",\"type\":\"")) || !pass_text(&s, &row.type) ||
        !pass(&s, SLICE(",\"outcome\":\"")) || !pass_text(&s, &row.outcome) ||
        !(pass(&s, SLICE(",\"review\":true")) || pass(&s, SLICE(",\"review\":false"))) || !pass(&s, SLICE(",\"score\":")))
        return false;
    const char *comma = memchr(s.p, ',', s.len); /* a number, or null */
    s = slice_of(comma, comma ? s.len - (size_t)(comma - s.p) : 0);
    if (!comma || !pass(&s, SLICE(",\"rules\":[")))
        return false;
    while (row.rules < KEER_FIRED_MAX && pass(&s, SLICE("\"")) && pass_text(&s, &row.rule[row.rules])) {
        row.rules++;
        if (!pass(&s, SLICE(",")))
            break;
    }
    if (!pass(&s, SLICE("],\"because\":")))
        return false;
    row.account = ret_row->account;
    *ret_row = row;
    return true;
}

/* --- as JSON --- */

static enum keer_err read_account(struct terms *t, struct slice body, struct slice *ret_account)
{
    struct reading_error why;
    free(t->event);
    t->event = NULL;
    enum keer_err err = reading_event(t->reading, body, slice_of(NULL, 0), &t->event, &why);
    if (err == KEER_OK && event_has(t->event, t->account))
        *ret_account = event_text(t->event, t->account);
    return err == KEER_ENOMEM ? err : KEER_OK;
}

static struct slice text_of(const struct tape *t, const char *name)
{
    uint32_t i = tape_find(t, 0, name);
    return i != TAPE_NONE && tape_type(t, i) == TAPE_STRING ? tape_text(t, i) : slice_of(NULL, 0);
}

static enum keer_err read_decision(struct terms *t, struct slice decision, struct terms_row *row)
{
    static const struct tape_limits limits = {
        .bytes = VERDICT_BYTES, .values = VERDICT_BYTES, .depth = LIMIT_JSON_DEPTH, .keys = LIMIT_JSON_KEYS};
    struct tape_error why;
    enum keer_err err = tape_read(&t->tape, decision, &limits, &why);
    if (err != KEER_OK)
        return err == KEER_ENOMEM ? err : KEER_OK;
    row->outcome = text_of(&t->tape, "outcome");
    row->type = text_of(&t->tape, "type");
    uint32_t rules = tape_find(&t->tape, 0, "rules");
    if (rules != TAPE_NONE && tape_type(&t->tape, rules) == TAPE_ARRAY)
        for (uint32_t i = rules + 1; i < t->tape.v[rules].next && row->rules < KEER_FIRED_MAX; i = t->tape.v[i].next)
            if (tape_type(&t->tape, i) == TAPE_STRING)
                row->rule[row->rules++] = tape_text(&t->tape, i);
    return KEER_OK;
}

enum keer_err terms_read(struct terms *t, struct slice body, struct slice decision, struct terms_row *ret_row)
{
    struct terms_row row = {.rules = 0};
    enum keer_err err = account_at_once(body, &row.account) ? KEER_OK : read_account(t, body, &row.account);
    if (err == KEER_OK && !decision_at_once(decision, &row))
        err = read_decision(t, decision, &row);
    if (err == KEER_OK)
        *ret_row = row;
    return err;
}
