#!/usr/bin/env bash
# install.sh - make install, and the README's first integration built against what it installed, static and shared.
set -u
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
ok() { if [ "$1" = 0 ]; then echo "ok - $2"; else echo "not ok - $2"; fi; }
V=$(basename "$BUILD"); [ "$V" = release ] || { echo 'skipped: another variant than release'; exit 0; }
make -s install PREFIX="$dir/usr" >"$dir/log" 2>&1; ok $? "make install"
for f in bin/keer lib/libkeer.a lib/libkeer.so.0 lib/pkgconfig/keer.pc include/keer/engine.h include/keer/events.def share/man/man1/keer.1 share/keer/policies/store.keer share/keer/keer.conf lib/systemd/system/keer.service; do
    [ -s "$dir/usr/$f" ]; ok $? "$f is installed"
done
"$dir/usr/bin/keer" check --quiet "$dir/usr/share/keer/policies/store.keer" >>"$dir/log" 2>&1; ok $? "the installed store.keer finds its rates and lists"
{
    echo '#include <stdio.h>
#include <stdlib.h>
#include <string.h>'
    awk '/^```c$/ { on = 1; next } /^```$/ { on = 0 } on && /^#include/' README.md
    echo 'int main(void) { const char *text = "rule all deny if purchase"; struct keer_files files = {0, 0}; int64_t now_us = 1538352000000000;'
    awk '/^```c$/ { on = 1; next } /^```$/ { on = 0 } on && !/^#include/' README.md
    echo 'keer_event_free(event); keer_engine_free(engine); keer_policy_free(policy); return 0; }'
} >"$dir/first.c"
export PKG_CONFIG_PATH=$dir/usr/lib/pkgconfig
# shellcheck disable=SC2046  # words of pkg-config
gcc -Wall -Werror -o "$dir/shared" "$dir/first.c" $(pkg-config --cflags --libs keer) -Wl,-rpath,"$dir/usr/lib" 2>>"$dir/log" && [ "$("$dir/shared")" = deny ]
ok $? "the README's program, shared"
# shellcheck disable=SC2046
gcc -Wall -Werror -o "$dir/static" "$dir/first.c" $(pkg-config --cflags keer) "$dir/usr/lib/libkeer.a" -lm 2>>"$dir/log"
[ "$("$dir/static")" = deny ]; ok $? "the README's program, with the archive"
grep -q 'not ok' "$dir/log" && cat "$dir/log"
make -s uninstall PREFIX="$dir/usr" >/dev/null 2>&1; [ ! -e "$dir/usr/bin/keer" ]; ok $? "make uninstall"
