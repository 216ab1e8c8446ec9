/* webauthn_verdict.h - how a ceremony ends: webauthn.def as an enum with a name and a text each. */
#ifndef STEPUP_WEBAUTHN_VERDICT_H
#define STEPUP_WEBAUTHN_VERDICT_H
#include "base/base.h"

enum webauthn_verdict {
#define WEBAUTHN_VERDICT(name, text) WEBAUTHN_##name,
#include "stepup/webauthn.def"
#undef WEBAUTHN_VERDICT
    WEBAUTHN_VERDICT_MAX
};
const char *webauthn_verdict_name(enum webauthn_verdict v); /* "OK", "ORIGIN" */
const char *webauthn_verdict_text(enum webauthn_verdict v);
#endif
