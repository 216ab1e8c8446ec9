#!/usr/bin/env bash
# http_cases.sh - bad requests, smuggled ones, slow senders and idle sockets against the daemon; the table is http_cases.py.
set -u
cd "$(dirname "$0")/../.." || exit
export KEER_ALLOW_ROOT=yes
command -v python3 > /dev/null || { echo "skipped: no python3 here"; exit 0; }
ulimit -n "$(ulimit -Hn)" 2> /dev/null
exec python3 tests/integration/http_cases.py "${KEER:-build/release/keer}"
