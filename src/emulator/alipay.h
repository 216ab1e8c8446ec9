/* alipay.h - Alipay's operations, whichever way they are asked: gateway.do (v2) or /v3/alipay/... (v3).
 *
 * An operation reads biz_content (v3: body and query) and ends in one of the four: alipay_ok, alipay_waits, alipay_refuse,
 * alipay_drop. v2 puts them into an envelope whose `xxx_response` is signed as bytes; v3 into HTTP's status and signed
 * headers.
 */
#ifndef EMULATOR_ALIPAY_H
#define EMULATOR_ALIPAY_H
#include "emulator/inside.h"

#define ALIPAY_PARAMS_MAX 40
struct alipay_param {
    struct slice name, value;
};
struct alipay_params {
    unsigned count;
    struct alipay_param at[ALIPAY_PARAMS_MAX];
};
/* Adds what stands in a query or form; false: escaped wrongly, too many, a name twice. */
bool em_alipay_params_add(struct call *c, struct slice text, bool plus, struct alipay_params *p);
struct slice em_alipay_param(const struct alipay_params *p, const char *name); /* p NULL */
/* k=v joined by &, sorted by bytes, without `sign`, without empty ones, and without `skip` (NULL). */
void em_alipay_sign_string(const struct alipay_params *p, const char *skip, struct buf *b);

enum alipay_end { ALIPAY_OK, ALIPAY_WAITS, ALIPAY_REFUSED, ALIPAY_DROPPED, ALIPAY_BARE };
struct alipay {
    struct call *c;
    struct slice notify_url, return_url;
    enum alipay_end end;
    const char *code, *sub_code, *sub_msg; /* ALIPAY_REFUSED: "40004", "ACQ.X" */
    struct buf members;                    /* ,"name":"value" ... of the answer */
};
void em_alipay_refuse(struct alipay *x, const char *code, const char *sub_code, const char *sub_msg);
struct alipay_op {
    const char *method, *v3_method, *v3_path;
    void (*run)(struct alipay *x);
};
const struct alipay_op *em_alipay_op_by_method(struct slice method);                /* NULL */
const struct alipay_op *em_alipay_op_by_path(struct slice http, struct slice path); /* NULL */
/* The agreement that a signed page asks for. */
bool em_alipay_agree(struct alipay *x, struct em_agreement *ret);
#endif
