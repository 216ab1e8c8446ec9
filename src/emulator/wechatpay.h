/* wechatpay.h - WeChat Pay, APIv3: what its operations and its notices share.
 *
 *     request     METHOD \n path?query \n timestamp \n nonce \n body \n       by the merchant's key, in Authorization
 *     answer      timestamp \n nonce \n body \n                               by a platform key, in Wechatpay-Signature
 *     notice      the same; its `resource` is AES-256-GCM under the APIv3 key
 */
#ifndef EMULATOR_WECHATPAY_H
#define EMULATOR_WECHATPAY_H
#include "emulator/inside.h"

/* Headers of a signed answer or notice, under a platform's key. */
void em_wechat_sign(struct emulator *e, const struct em_platform *platform, struct slice body, bool bad,
                    struct buf *headers);
/* {"algorithm":...,"ciphertext":...}; extra members may follow: without the closing brace. */
void em_wechat_seal(struct emulator *e, const char *aad, struct slice plain, struct buf *b);
void em_wechat_put_contract(const struct em_agreement *a, struct buf *b);
void em_wechat_put_transaction(const struct em_charge *c, struct buf *b);
void em_wechat_put_refund(const struct em_refund *r, const struct em_charge *c, bool notice, struct buf *b);
#endif
