/* labels_test.c - labels that came as events: the right row, the last word, nothing from events that are none; allocation
 * failures. */
#include "learn/labels.h"
#include "lib/test.h"

static struct keer_schema schema;
static struct keer_event *ev;

static void setup(void)
{
    ck_ok(schema_init(&schema, HASH_KEY_DEFAULT));
    ck_ok(keer_event_new(&schema, &ev));
}

static void teardown(void)
{
    keer_event_free(ev);
    schema_release(&schema);
}

static void fill(enum keer_event_type type, const char *id, const char *target, int64_t time_us)
{
    keer_event_reset(ev);
    ck_ok(keer_event_set_id(ev, id, strlen(id)));
    ck_ok(keer_event_set_time(ev, time_us));
    ck_ok(keer_event_set_type(ev, (int)type));
    if (target)
        ck_ok(keer_event_set_target(ev, target, strlen(target)));
}

static uint64_t id_of(const char *id)
{
    fill(KEER_EVENT_purchase, id, /* target */ NULL, 1);
    return ev->id_hash.lo;
}

START_TEST(the_label_that_was_known_last_holds)
{
    struct label_book b = {0};
    fill(KEER_EVENT_fraud_reported, "f1", "p1", 100);
    ck_ok(label_book_add(&b, ev));
    fill(KEER_EVENT_label, "l1", "p1", 50); /* came later, was known earlier */
    ck_ok(keer_event_set_label(ev, KEER_LABEL_GENUINE, 50));
    ck_ok(label_book_add(&b, ev));
    fill(KEER_EVENT_label, "l2", "p2", 10); /* said at 10, known at 200 */
    ck_ok(keer_event_set_label(ev, KEER_LABEL_GENUINE, 200));
    ck_ok(label_book_add(&b, ev));
    fill(KEER_EVENT_chargeback, "c2", "p2", 150);
    ck_ok(label_book_add(&b, ev));
    fill(KEER_EVENT_chargeback, "c3", "p3", 7);
    ck_ok(label_book_add(&b, ev));
    fill(KEER_EVENT_label, "l3", "p3", 7); /* at the same time: the one that came last */
    ck_ok(keer_event_set_label(ev, KEER_LABEL_GENUINE, 7));
    ck_ok(label_book_add(&b, ev));
    label_book_seal(&b);
    ck_assert_uint_eq(b.n, 3);
    const struct label_entry *l = label_book_find(&b, id_of("p1"));
    ck_assert(l && l->fraud && l->known_us == 100);
    l = label_book_find(&b, id_of("p2"));
    ck_assert(l && !l->fraud && l->known_us == 200);
    l = label_book_find(&b, id_of("p3"));
    ck_assert(l && !l->fraud && l->known_us == 7);
    label_book_release(&b);
}
END_TEST

START_TEST(other_events_say_nothing)
{
    struct label_book b = {0};
    ck_assert_ptr_null(label_book_find(&b, 1));
    fill(KEER_EVENT_purchase, "p1", "p0", 5); /* no label event */
    ck_ok(label_book_add(&b, ev));
    fill(KEER_EVENT_fraud_reported, "f1", /* target */ NULL, 5); /* about nothing */
    ck_ok(label_book_add(&b, ev));
    ck_assert_ptr_null(b.entry);
    label_book_seal(&b);
    ck_assert_ptr_null(label_book_find(&b, id_of("p0")));
    fill(KEER_EVENT_chargeback, "c1", "p1", 5);
    ck_ok(label_book_add(&b, ev));
    label_book_seal(&b);
    ck_assert_ptr_null(label_book_find(&b, id_of("p2")));
    label_book_release(&b);
}
END_TEST

START_TEST(many_and_without_memory)
{
    struct label_book b = {0};
    char target[16];
    for (unsigned i = 0; i < 5000; i++) {
        (void)snprintf(target, sizeof target, "p%u", i % 2500);
        fill(i < 2500 ? KEER_EVENT_fraud_reported : KEER_EVENT_label, "x", target, (int64_t)i);
        if (i >= 2500)
            ck_ok(keer_event_set_label(ev, KEER_LABEL_GENUINE, (int64_t)i));
        oom_arm(1, false);
        enum keer_err err = label_book_add(&b, ev);
        oom_reset();
        if (err == KEER_ENOMEM) /* nothing was lost: the same again */
            err = label_book_add(&b, ev);
        ck_ok(err);
    }
    ck_assert_uint_eq(b.n, 5000);
    label_book_seal(&b);
    ck_assert_uint_eq(b.n, 2500);
    for (unsigned i = 0; i < 2500; i++) {
        (void)snprintf(target, sizeof target, "p%u", i);
        const struct label_entry *l = label_book_find(&b, id_of(target));
        ck_assert(l && !l->fraud && l->known_us == (int64_t)i + 2500);
    }
    label_book_release(&b);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("labels");
    TCase *c = tcase_create("labels");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, the_label_that_was_known_last_holds);
    tcase_add_test(c, other_events_say_nothing);
    tcase_add_test(c, many_and_without_memory);
    suite_add_tcase(s, c);
    return test_main(s);
}
