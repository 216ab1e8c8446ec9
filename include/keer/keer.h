/* keer.h - all of libkeer's public headers. */
#ifndef KEER_KEER_H
#define KEER_KEER_H
#include <keer/engine.h>
#include <keer/error.h>
#include <keer/event.h>
#include <keer/policy.h>
#endif
