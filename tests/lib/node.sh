# node.sh - Node 20 or later for the tests, to be sourced in the root of the tree: what they take from npm wants it, and Debian 12's own is 18. Where `node` is
# older, that of tests/node comes from npm and is first in PATH. False when there is npm but no such node; why is in $node_why.
# shellcheck shell=bash disable=SC2034  # who sources it reads them
node_why=
node_new() { [ "$(node -p 'process.versions.node.split(".")[0] >= 20' 2> /dev/null)" = true ]; }
node_from_npm() {
    local lock bin; bin=$PWD/tests/node/node_modules/node-linux-$(node -p process.arch)/bin # not .bin: npm 9 puts nothing there
    exec {lock}< tests/node/package-lock.json && flock "$lock" # another test may want the same
    [ -x "$bin/node" ] || node_why=$(cd tests/node && npm ci --no-audit --no-fund --loglevel=error 2>&1 | tail -n 1)
    exec {lock}<&-
    PATH=$bin:$PATH
    # It trusts a list of its own; Debian's trusts the machine's, on which npm behind a proxy depends.
    [ ! -r /etc/ssl/certs/ca-certificates.crt ] || export NODE_EXTRA_CA_CERTS="${NODE_EXTRA_CA_CERTS:-/etc/ssl/certs/ca-certificates.crt}"
    node_new
}
node_ready() {
    command -v node > /dev/null && command -v npm > /dev/null || return 0 # a test without them says so itself
    node_new || node_from_npm && return 0
    node_why="Node 20 or later is not here, and can't be had from npm: ${node_why:-tests/node}"; return 1
}
