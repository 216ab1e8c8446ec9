/* sign.c - how what we post is signed. */
#include "net/sign.h"

#include "base/base64.h"

#define PREFIX "whsec_"

enum keer_err net_secret_read(struct slice text, struct net_secret *ret_secret)
{
    struct net_secret s = {.len = 0};
    size_t skip = sizeof PREFIX - 1;
    text = slice_trim(text);
    bool good = text.len > skip && memcmp(text.p, PREFIX, skip) == 0 &&
                base64_get(slice_of(text.p + skip, text.len - skip), sizeof s.bytes, s.bytes, &s.len) == KEER_OK &&
                s.len >= NET_SECRET_MIN;
    if (good)
        *ret_secret = s;
    crypto_wipe(&s, sizeof s);
    return good ? KEER_OK : KEER_EFORMAT;
}

void net_sign(struct slice secret, struct slice id, struct slice timestamp, struct slice body,
              char ret_text[NET_SIGNATURE_BYTES])
{
    const struct slice parts[] = {id, SLICE("."), timestamp, SLICE("."), body};
    struct crypto_hash mac;
    memcpy(ret_text, "v1,", 3);
    crypto_hmac(secret, parts, ARRAY_LEN(parts), &mac);
    crypto_base64(&mac, ret_text + 3);
}
