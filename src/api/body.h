/* body.h - the JSON object in a request's body, for handlers. What can't be read is told as BAD_BODY, naming the member. */
#ifndef API_BODY_H
#define API_BODY_H
#include "api/api.h"
#include "base/json.h"
#include "base/num.h"

struct api_body { /* starts as {0} */
    struct tape tape;
};

/* False when the problem was told: no object, or a member that is not among `names`, which are parted by spaces. */
bool api_body_read(struct http_exchange *x, struct api_body *b, const char *names);
void api_body_release(struct api_body *b);
/* Members of the object; absent ones leave *ret as it is, and are a problem when `required`. Texts are borrowed. */
bool api_body_text(struct http_exchange *x, const struct api_body *b, const char *name, bool required, struct slice *ret);
/* A text of 1 to `max` bytes without control characters. */
bool api_body_line(struct http_exchange *x, const struct api_body *b, const char *name, bool required, size_t max,
                   struct slice *ret);
bool api_body_number(struct http_exchange *x, const struct api_body *b, const char *name, double min, double max,
                     double *ret);
bool api_body_object(struct http_exchange *x, const struct api_body *b, const char *name, uint32_t *ret);
/* Where a customer is sent back to: https, or plain HTTP to one's own machine. */
bool api_url_good(struct slice url);
#endif
