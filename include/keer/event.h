/* event.h - events as libkeer takes them.
 *
 * A schema says which attributes and event types exist; a policy makes one (keer_policy_schema). An event is made
 * for a schema, filled by setters and given to the engine. Text is borrowed: it must stay until the engine has
 * decided, and explained. Times are int64_t microseconds since 1970-01-01T00:00:00Z. Money is minor units (cents) with an
 * ISO 4217 code. An event may be reset and used again; after the first use nothing is allocated.
 */
#ifndef KEER_EVENT_H
#define KEER_EVENT_H
#include <keer/error.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum keer_event_type {
#define KEER_EVENT(name, kind, text) KEER_EVENT_##name,
#include <keer/events.def>
#undef KEER_EVENT
    KEER_EVENT_MAX
};

enum keer_attr_type { KEER_TEXT, KEER_NUMBER, KEER_BOOLEAN, KEER_MONEY, KEER_IP, KEER_ATTR_TYPE_MAX };

/* What a label says of an event. */
enum keer_label { KEER_LABEL_NONE, KEER_LABEL_GENUINE, KEER_LABEL_FRAUD, KEER_LABEL_MAX };

struct keer_schema;
struct keer_event;

/* Slot of an attribute, 0..63; -1 when the schema has none of that name. */
KEER_API int keer_schema_find(const struct keer_schema *s, const char *name, size_t len);
KEER_API int keer_schema_count(const struct keer_schema *s);
KEER_API const char *keer_schema_name(const struct keer_schema *s, int slot); /* NULL when out of range */
KEER_API enum keer_attr_type keer_schema_type(const struct keer_schema *s, int slot);
/* Number of an event type; -1 when `name` is neither a row of events.def nor custom.NAME. */
KEER_API int keer_schema_event_type(const struct keer_schema *s, const char *name, size_t len);

KEER_API KEER_NODISCARD enum keer_err keer_event_new(const struct keer_schema *s, struct keer_event **ret_event);
KEER_API void keer_event_free(struct keer_event *e);
/* Forgets everything but the schema. */
KEER_API void keer_event_reset(struct keer_event *e);
/* `id` names the event for ever; it is the key of idempotency and what labels refer to. 1..4096 bytes. */
KEER_API KEER_NODISCARD enum keer_err keer_event_set_id(struct keer_event *e, const char *id, size_t len);
/* KEER_ERANGE outside the years 1600 to 9999. */
KEER_API KEER_NODISCARD enum keer_err keer_event_set_time(struct keer_event *e, int64_t time_us);
KEER_API KEER_NODISCARD enum keer_err keer_event_set_type(struct keer_event *e, int type);
/* KEER_ETYPE when the slot has another type, KEER_ELIMIT when the text is longer than 4096 bytes; an empty text is absent.
 */
KEER_API KEER_NODISCARD enum keer_err keer_event_set_text(struct keer_event *e, int slot, const char *text, size_t len);
/* KEER_ERANGE when not finite. */
KEER_API KEER_NODISCARD enum keer_err keer_event_set_number(struct keer_event *e, int slot, double v);
KEER_API KEER_NODISCARD enum keer_err keer_event_set_boolean(struct keer_event *e, int slot, int v);
/* |minor| < 2^53; `currency` is three letters, or NULL for the policy's own currency. */
KEER_API KEER_NODISCARD enum keer_err keer_event_set_money(struct keer_event *e, int slot, int64_t minor,
                                                           const char *currency);
/* What this event turned out to be, known from `known_us` on (never used before that time). */
KEER_API KEER_NODISCARD enum keer_err keer_event_set_label(struct keer_event *e, enum keer_label label, int64_t known_us);
/* For label events: the id of the event that is meant. */
KEER_API KEER_NODISCARD enum keer_err keer_event_set_target(struct keer_event *e, const char *id, size_t len);

#ifdef __cplusplus
}
#endif
#endif
