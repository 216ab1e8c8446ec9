/* notifier_texts.c - the thread of texts: several are under way at the same time, so that one which the gateway sits on holds up no
 * other.
 *
 *     due ─► slot: busy ──net_wait──► answered, failed, out of time ─► settled, written; the slot is free
 *              └─ at a stop, after NOTIFIER_STOP_US: dropped, still due: sent again under the same id
 */
#include "flow/notifier_inside.h"

static unsigned busy(const struct notice_lane *l)
{
    unsigned count = 0;
    for (unsigned i = 0; i < NOTIFIER_TEXTS; i++)
        count += l->slot[i].busy;
    return count;
}

static struct text_slot *slot_of(struct notice_lane *l, const struct id *id)
{
    for (unsigned i = 0; i < NOTIFIER_TEXTS; i++)
        if (id ? l->slot[i].busy && strcmp(l->slot[i].notice.id.text, id->text) == 0 : !l->slot[i].busy)
            return &l->slot[i];
    return NULL;
}

static void begin(struct notice_lane *l, struct text_slot *slot, const struct notice *one)
{
    const struct notifier *n = l->n;
    char why[NOTICE_WHY_BYTES] = "";
    enum notice_end end = notifier_print(l, one, why);
    if (end != NOTICE_SENT) {
        notifier_settle(l, one, end, /* after_us */ 0, why);
        return;
    }
    struct sms m = {.id = one->id.text, .to = one->to.text, .kind = notice_kind_code(one->kind), .text = buf_view(&l->text)};
    enum keer_err err = sms_begin(l->client, &n->sms, &m, n->o.wall_us(), &slot->post);
    slot->notice = *one;
    slot->busy = err == KEER_OK;
    if (err != KEER_OK)
        notifier_settle(l, one, NOTICE_LATER, /* after_us */ 0, keer_err_text(err));
}

/* True when there may be more. */
static bool begin_due(struct notice_lane *l)
{
    struct notifier *n = l->n;
    unsigned count = 0, under_way = busy(l), limit = NOTIFIER_TEXTS + under_way; /* those under way are due as well */
    if (under_way == NOTIFIER_TEXTS || notifier_stopping(n) || notifier_due(l, limit, &count) != KEER_OK)
        return false;
    for (unsigned i = 0; i < count; i++) {
        struct text_slot *slot = slot_of(l, /* a free one */ NULL);
        if (slot && !slot_of(l, &l->due[i].id))
            begin(l, slot, &l->due[i]);
    }
    return count == limit && busy(l) < NOTIFIER_TEXTS;
}

static void end(struct notice_lane *l, const struct net_request *r)
{
    static const enum notice_end ends[] = {
        [SMS_TAKEN] = NOTICE_SENT, [SMS_LATER] = NOTICE_LATER, [SMS_REFUSED] = NOTICE_DEAD};
    for (unsigned i = 0; i < NOTIFIER_TEXTS; i++) {
        struct text_slot *slot = &l->slot[i];
        if (!slot->busy || &slot->post.request != r)
            continue;
        char why[NET_WHY_BYTES];
        int64_t after_us;
        enum sms_result result = sms_end(&slot->post, &after_us, why);
        slot->busy = false;
        notifier_settle(l, &slot->notice, ends[result], after_us, why);
    }
}

/* False: they are due still, and come again at the next look. */
static bool written(struct notice_lane *l) { return !l->count || notifier_write(l) == KEER_OK; }

/* What has ended is written before what is due is read: until then it is due itself. */
void notifier_texts(struct notice_lane *l)
{
    struct notifier *n = l->n;
    bool more = true, stop = false;
    while (!stop || (busy(l) && !atomic_load(&n->give_up))) {
        for (struct net_request *r = net_wait(l->client, more ? 0 : NOTIFIER_LOOK_US), *next; r; r = next) {
            next = r->next;
            end(l, r);
        }
        more = written(l) && begin_due(l);
        more = written(l) && more;
        stop = notifier_stopping(n);
    }
}
