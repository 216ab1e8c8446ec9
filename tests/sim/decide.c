/* decide.c - decisions by the real engine, in a journal that outlives the process; and what must hold of them.
 *
 * After a crash the windows come from the journal, decided anew and compared, as the daemon does it. At the end of a run all
 * events are decided twice more: by an engine whose every event carries a signal that denies, whose outcomes may only be
 * stricter (invariant 16), and by one whose rules say how many charges a window counts, compared with the list (17).
 */
#include <keer/keer.h>

#include "base/id.h"
#include "base/json.h"
#include "base/num.h"
#include "sim/world.h"

#define EVENTS_MAX 512
#define COUNTED 6

static const char policy_text[] = "currency CNY\n"
                                  "lateness 5d\n"
                                  "attribute cursed boolean\n"
                                  "window charges_1h = count(purchase, top_up) by account over 1h\n"
                                  "window spent_1d = sum(amount of purchase, top_up) by account over 1d\n"
                                  "window devices_1d = distinct(device of purchase, top_up) by account over 1d\n"
                                  "rule burst challenge if charges_1h >= 3\n"
                                  "rule dear challenge if amount > 300 CNY\n"
                                  "rule drained deny if (purchase or top_up) and spent_1d + amount > 2500 CNY\n"
                                  "rule many_devices deny if devices_1d >= 4\n"
                                  "rule cursed deny if cursed\n"
                                  "rule odd review if devices_1d >= 3\n";
static const char count_text[] = "currency CNY\n"
                                 "lateness 5d\n"
                                 "window charges_1h = count(purchase, top_up) by account over 1h\n"
                                 "rule c1 challenge if charges_1h >= 1\n"
                                 "rule c2 challenge if charges_1h >= 2\n"
                                 "rule c3 challenge if charges_1h >= 3\n"
                                 "rule c4 challenge if charges_1h >= 4\n"
                                 "rule c5 challenge if charges_1h >= 5\n"
                                 "rule c6 challenge if charges_1h >= 6\n";

struct entry {
    char id[LIMIT_NAME_BYTES + 1], account[ID_BYTES + 1], device[LIMIT_NAME_BYTES + 1];
    bool top_up;
    int64_t time_us, amount_minor;
    enum currency currency;
    enum keer_outcome outcome;
    bool review;
};
static struct entry journal[EVENTS_MAX];
static unsigned journal_count;

struct judge {
    struct keer_policy *policy;
    struct keer_engine *engine;
    struct keer_event *event;
};
static struct judge live;

static struct keer_policy *policy_of(const char *name, const char *text)
{
    struct keer_policy *p = NULL;
    char *messages = NULL;
    enum keer_err err = keer_policy_new(name, text, strlen(text), NULL, 0, &p, &messages);
    if (err != KEER_OK)
        sim_fail(0, "%s: %s", name, messages ? messages : keer_err_text(err));
    free(messages);
    return p;
}
static void judge_open(struct judge *j, const char *text)
{
    if (!j->policy)
        j->policy = policy_of("sim", text);
    SIM_OK(keer_engine_new(j->policy, NULL, &j->engine));
    SIM_OK(keer_event_new(keer_policy_schema(j->policy), &j->event));
}
static void judge_close(struct judge *j)
{
    keer_event_free(j->event);
    keer_engine_free(j->engine);
    j->event = NULL;
    j->engine = NULL;
}

static void judge_set(struct judge *j, const char *name, const char *text)
{
    int slot = keer_schema_find(keer_policy_schema(j->policy), name, strlen(name));
    if (*text && slot >= 0)
        SIM_OK(keer_event_set_text(j->event, slot, text, strlen(text)));
}
static struct keer_decision judge_entry(struct judge *j, const struct entry *e, bool cursed)
{
    const struct keer_schema *schema = keer_policy_schema(j->policy);
    struct keer_decision d;
    const char *type = e->top_up ? "top_up" : "purchase";
    keer_event_reset(j->event);
    SIM_OK(keer_event_set_id(j->event, e->id, strlen(e->id)));
    SIM_OK(keer_event_set_time(j->event, e->time_us));
    SIM_OK(keer_event_set_type(j->event, keer_schema_event_type(schema, type, strlen(type))));
    judge_set(j, "account", e->account);
    judge_set(j, "device", e->device);
    SIM_OK(
        keer_event_set_money(j->event, keer_schema_find(schema, "amount", 6), e->amount_minor, currency_code(e->currency)));
    if (cursed)
        SIM_OK(keer_event_set_boolean(j->event, keer_schema_find(schema, "cursed", 6), 1));
    SIM_OK(keer_engine_decide(j->engine, j->event, &d));
    return d;
}

void decide_start(void)
{
    journal_count = 0;
    judge_close(&live);
    judge_open(&live, policy_text);
}

void decide_restart(void)
{
    judge_close(&live);
    judge_open(&live, policy_text);
    for (unsigned i = 0; i < journal_count; i++) {
        struct keer_decision d = judge_entry(&live, &journal[i], false);
        SIM_CHECK(13, d.outcome == journal[i].outcome, "event %s is decided otherwise after a restart", journal[i].id);
    }
}

static const struct entry *find(const char *id)
{
    for (unsigned i = 0; i < journal_count; i++)
        if (strcmp(journal[i].id, id) == 0)
            return &journal[i];
    return NULL;
}
bool decide_was(const char *id, enum keer_outcome *ret)
{
    const struct entry *e = find(id);
    if (e)
        *ret = e->outcome;
    return e != NULL;
}

static void member(const struct tape *t, const char *name, char *to, size_t size)
{
    uint32_t i = tape_find(t, 0, name);
    if (i)
        (void)snprintf(to, size, SLICE_FMT, SLICE_ARG(tape_text(t, i)));
}
/* What a line of ours prints as an event (desk_event_print). */
static bool read_event(struct slice text, struct entry *ret, bool *ret_charge)
{
    static struct tape t;
    static const struct tape_limits limits = {.bytes = 16384, .values = 256, .depth = 4, .keys = 64};
    struct tape_error why;
    char type[32] = "", time[40] = "", currency[8] = "";
    *ret = (struct entry){.currency = CUR_MAX};
    if (tape_read(&t, text, &limits, &why) != KEER_OK)
        return false;
    member(&t, "id", ret->id, sizeof ret->id);
    member(&t, "account", ret->account, sizeof ret->account);
    member(&t, "device", ret->device, sizeof ret->device);
    member(&t, "type", type, sizeof type);
    member(&t, "time", time, sizeof time);
    member(&t, "currency", currency, sizeof currency);
    ret->top_up = strcmp(type, "top_up") == 0;
    *ret_charge = ret->top_up || strcmp(type, "purchase") == 0;
    if (time_parse(slice_str(time), &ret->time_us) != KEER_OK)
        return false;
    if (!*ret_charge)
        return true;
    ret->currency = currency_parse(slice_str(currency));
    return num_i64(tape_text(&t, tape_find(&t, 0, "amount")), 0, INT64_MAX, &ret->amount_minor) == KEER_OK;
}

enum keer_err decide_text(struct slice event, struct desk_decision *ret)
{
    struct entry x;
    bool is_charge = false;
    if (!read_event(event, &x, &is_charge))
        sim_fail(0, "an event can't be read: " SLICE_FMT, SLICE_ARG(event));
    const struct entry *was = find(x.id);
    *ret = (struct desk_decision){.outcome = KEER_ALLOW}; /* what is only told passes */
    if (is_charge && !was) {
        if (journal_count == EVENTS_MAX)
            return KEER_EFULL;
        struct keer_decision d = judge_entry(&live, &x, false);
        x.outcome = d.outcome;
        x.review = d.review;
        journal[journal_count] = x;
        was = &journal[journal_count++];
        sim_trace("decided %s: %s", x.id, keer_outcome_name(x.outcome));
    } else if (was &&
               (was->amount_minor != x.amount_minor || was->time_us != x.time_us || strcmp(was->account, x.account) != 0))
        return KEER_ECONFLICT;
    if (was)
        *ret = (struct desk_decision){.outcome = was->outcome, .review = was->review};
    buf_init(&ret->answer, LIMIT_LINE_BYTES);
    buf_fmt(&ret->answer, "{\"outcome\":\"%s\",\"review\":%s}", keer_outcome_name(ret->outcome),
            ret->review ? "true" : "false");
    return ret->answer.err;
}

static unsigned strictness(enum keer_outcome o)
{
    switch (o) {
    case KEER_ALLOW: return 0;
    case KEER_REVIEW: return 1;
    case KEER_CHALLENGE: return 2;
    case KEER_DENY: return 3;
    case KEER_OUTCOME_MAX: break;
    }
    return 4;
}

void decide_check(void)
{
    static struct judge cursed, counting;
    int64_t watermark = INT64_MIN / 4;
    judge_open(&cursed, policy_text);
    judge_open(&counting, count_text);
    for (unsigned i = 0; i < journal_count; i++) {
        const struct entry *e = &journal[i];
        struct keer_decision d = judge_entry(&cursed, e, true);
        SIM_CHECK(16, strictness(d.outcome) >= strictness(e->outcome), "event %s: %s, and with a signal that denies %s",
                  e->id, keer_outcome_name(e->outcome), keer_outcome_name(d.outcome));
        d = judge_entry(&counting, e, false);
        unsigned count = 0;
        watermark = MAX_OF(watermark, e->time_us);
        int64_t after = MAX_OF(e->time_us - US_HOUR, watermark - US_HOUR - 5 * US_DAY);
        for (unsigned k = 0; k < i; k++)
            count += strcmp(journal[k].account, e->account) == 0 && journal[k].time_us > after &&
                     journal[k].time_us <= e->time_us;
        SIM_CHECK(17, d.fired_count == MIN_OF(count, (unsigned)COUNTED), "event %s: a window counts %u, there are %u", e->id,
                  d.fired_count, count);
    }
    judge_close(&cursed);
    judge_close(&counting);
}
