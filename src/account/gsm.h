/* gsm.h - how long a text message is on the air (3GPP TS 23.038 and 23.040).
 *
 * A text of the GSM alphabet takes 7 bits a character, 14 of a few (section 6.2.1.1); one letter from outside of it makes the
 * whole message UCS-2, 16 bits each. One message has 160 or 70; of more, parts of 153 or 67 are put together by the phone.
 */
#ifndef ACCOUNT_GSM_H
#define ACCOUNT_GSM_H
#include "base/str.h"

struct gsm_length {
    unsigned units; /* septets, or 16-bit units */
    unsigned parts; /* messages, 1 or more */
    bool ucs2;
};
/* Of valid UTF-8. */
struct gsm_length gsm_length(struct slice text);
#endif
