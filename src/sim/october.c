/* october.c - the scripts of October 2018, and what is counted of them. */
#include "sim/october.h"

static const struct october_act acts[] = {
#define OCTOBER_ACT(who, seconds, what, fen, on, taker, thing) \
    {.person = OCTOBER_##who,                                  \
     .second = seconds,                                        \
     .verb = OCTOBER_##what,                                   \
     .minor = fen,                                             \
     .device = on,                                             \
     .beneficiary = taker,                                     \
     .item = thing},
#include "sim/october.def"
};

static const struct october_script people[] = {
#define OCTOBER_PERSON(name, text, called, what, linked, own, told, filled) \
    {.key = text,                                                           \
     .shown = called,                                                       \
     .role = OCTOBER_ROLE_##what,                                           \
     .wallet = linked,                                                      \
     .device = own,                                                         \
     .known = told,                                                         \
     .ours = filled},
#include "sim/october.def"
};
static_assert(ARRAY_LEN(people) == OCTOBER_PERSON_MAX, "a row for each");

struct october_script october_script(enum october_person person)
{
    ASSERT(person < OCTOBER_PERSON_MAX);
    struct october_script s = people[person];
    for (size_t i = 0; i < ARRAY_LEN(acts); i++)
        if (acts[i].person == person) {
            s.acts = s.count ? s.acts : &acts[i];
            s.count++;
        }
    ASSERT(s.count > 0 && s.count <= OCTOBER_ACTS_MAX);
    return s;
}

const char *october_verb_text(enum october_verb verb, bool many)
{
    switch (verb) {
    case OCTOBER_SIGN_IN: return many ? "sign-ins" : "sign-in";
    case OCTOBER_PURCHASE: return many ? "purchases" : "purchase";
    case OCTOBER_TOP_UP: return many ? "top-ups" : "top-up";
    case OCTOBER_SPEND: return many ? "spends of balance" : "spend of balance";
    case OCTOBER_END: return "ending the agreement";
    case OCTOBER_VERB_MAX: break;
    }
    return "";
}

const char *october_world_text(enum october_world world)
{
    return world == OCTOBER_2018 ? "as it was in 2018" : "today, with the defaults";
}

static void count_run(const struct october_script *s, struct october_run *r)
{
    r->tried_minor = r->taken_minor = r->spent_minor = 0;
    r->asked = r->answered = r->passed = 0;
    for (unsigned i = 0; i < s->count; i++) {
        const struct october_act *a = &s->acts[i];
        const struct october_outcome *out = &r->acts[i];
        bool charge = a->verb == OCTOBER_PURCHASE || a->verb == OCTOBER_TOP_UP;
        r->asked += out->asked;
        r->answered += out->answered;
        r->passed += out->mark == OCTOBER_DONE;
        if (charge)
            r->tried_minor += a->minor;
        if (charge && out->mark == OCTOBER_DONE)
            r->taken_minor += a->minor;
        if (a->verb == OCTOBER_SPEND && out->mark == OCTOBER_DONE)
            r->spent_minor += a->minor;
    }
    r->equal = r->taken_minor == r->ledger_minor && r->taken_minor == r->wallet_minor;
}

void october_count(struct october *o)
{
    for (int w = 0; w < OCTOBER_WORLD_MAX; w++)
        for (int p = 0; p < OCTOBER_PERSON_MAX; p++) {
            struct october_script s = october_script((enum october_person)p);
            count_run(&s, &o->runs[w][p]);
        }
}

static void complain(struct buf *b, bool *holds, const struct october_script *s, enum october_world world, const char *what)
{
    buf_fmt(b, "%s, %s: %s\n", s->shown, october_world_text(world), what);
    *holds = false;
}

bool october_holds(const struct october *o, struct buf *ret_why)
{
    bool holds = true;
    for (int w = 0; w < OCTOBER_WORLD_MAX; w++)
        for (int p = 0; p < OCTOBER_PERSON_MAX && o->played[w]; p++) {
            struct october_script s = october_script((enum october_person)p);
            const struct october_run *r = &o->runs[w][p];
            enum october_world world = (enum october_world)w;
            if (!r->equal)
                complain(ret_why, &holds, &s, world, "ledger, wallet and API don't say the same");
            if (world == OCTOBER_2018 && r->taken_minor != r->tried_minor)
                complain(ret_why, &holds, &s, world,
                         "what was taken then could not be taken: the other world shows nothing");
            if (world == OCTOBER_TODAY && s.role == OCTOBER_ROLE_THIEF && (r->taken_minor || r->wallet_minor))
                complain(ret_why, &holds, &s, world, "a thief with a password took money");
            if (world == OCTOBER_TODAY && s.role == OCTOBER_ROLE_OWNER && r->taken_minor != r->tried_minor)
                complain(ret_why, &holds, &s, world, "the owner could not pay");
            for (unsigned i = 0; i < s.count; i++)
                if (r->acts[i].mark == OCTOBER_BROKEN)
                    complain(ret_why, &holds, &s, world, r->acts[i].why);
        }
    return holds;
}

unsigned october_group(const struct october_script *s, const struct october_run *r, unsigned i)
{
    unsigned n = 1;
    while (i + n < s->count && s->acts[i + n].verb == s->acts[i].verb && r->acts[i + n].mark == r->acts[i].mark &&
           strcmp(r->acts[i + n].why, r->acts[i].why) == 0)
        n++;
    return n;
}

void october_money(struct buf *b, int64_t minor)
{
    char digits[24];
    uint64_t whole = (uint64_t)(minor < 0 ? -minor : minor) / 100, cents = (uint64_t)(minor < 0 ? -minor : minor) % 100;
    int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)whole);
    if (minor < 0)
        buf_char(b, '-');
    for (int i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0)
            buf_char(b, ',');
        buf_char(b, digits[i]);
    }
    buf_fmt(b, ".%02u", (unsigned)cents);
}
