/* resends.c - the control of the money-safety rig: a daemon that takes 'no answer' for 'not done', and sends the charge again under
 * another number. Linked over wallet_charge with --wrap into a program of its own (build/VARIANT/tests/keer-resends); keer has no
 * such switch. */
#include <string.h>

#include "wallet/connector.h"

enum wallet_answer __real_wallet_charge(struct wallet *w, struct wallet_calls *c, const struct wallet_charge_ask *ask,
                                        struct wallet_charge *ret, struct wallet_why *why);
enum wallet_answer __wrap_wallet_charge(struct wallet *w, struct wallet_calls *c, const struct wallet_charge_ask *ask,
                                        struct wallet_charge *ret, struct wallet_why *why);

enum wallet_answer __wrap_wallet_charge(struct wallet *w, struct wallet_calls *c, const struct wallet_charge_ask *ask,
                                        struct wallet_charge *ret, struct wallet_why *why)
{
    char other[128];
    struct wallet_charge_ask again = *ask;
    enum wallet_answer answer = __real_wallet_charge(w, c, ask, ret, why);
    if (answer != WALLET_UNKNOWN)
        return answer;
    (void)snprintf(other, sizeof other, "%s", ask->number);
    other[strlen(other) - 1] = other[strlen(other) - 1] == '0' ? '1' : '0';
    again.number = other;
    return __real_wallet_charge(w, c, &again, ret, why);
}
