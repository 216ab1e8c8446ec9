/* connector.c - names, and what drivers need of heads. */
#include "wallet/connector.h"

const char *wallet_reason_name(enum wallet_reason reason)
{
    static const char *const names[] = {
#define WALLET_REASON(name, text, again) #name,
#include "wallet/reasons.def"
#undef WALLET_REASON
    };
    static_assert(ARRAY_LEN(names) == WALLET_REASON_MAX, "a name for each reason");
    return (unsigned)reason < WALLET_REASON_MAX ? names[reason] : "?";
}

const char *wallet_answer_name(enum wallet_answer answer)
{
    static const char *const names[] = {"yes", "no", "unknown", "not_sent"};
    static_assert(ARRAY_LEN(names) == WALLET_NOT_SENT + 1, "a name for each answer");
    return names[answer];
}

const char *wallet_reason_text(enum wallet_reason reason)
{
    static const char *const texts[] = {
#define WALLET_REASON(name, text, again) text,
#include "wallet/reasons.def"
#undef WALLET_REASON
    };
    return (unsigned)reason < WALLET_REASON_MAX ? texts[reason] : "?";
}

bool wallet_reason_again(enum wallet_reason reason)
{
    static const bool may[] = {
#define WALLET_REASON(name, text, again) again,
#include "wallet/reasons.def"
#undef WALLET_REASON
    };
    return (unsigned)reason < WALLET_REASON_MAX && may[reason];
}

void wallet_response_init(struct wallet_response *r)
{
    *r = (struct wallet_response){0};
    buf_init(&r->head, WALLET_HEAD_BYTES);
    buf_init(&r->body, WALLET_ANSWER_BYTES);
}

void wallet_response_release(struct wallet_response *r)
{
    buf_release(&r->head);
    buf_release(&r->body);
}

struct slice wallet_head_find(struct slice head, const char *name)
{
    struct slice found = {NULL, 0}, wanted = slice_str(name);
    unsigned count = 0;
    while (head.p) {
        struct slice value = slice_cut(&head, '\n');
        if (!slice_eqi(slice_trim(slice_cut(&value, ':')), wanted))
            continue;
        found = slice_trim(value);
        count++;
    }
    return count == 1 && found.p ? found : slice_of(NULL, 0);
}
