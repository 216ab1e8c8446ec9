# postgres.sh - a private PostgreSQL for a test, to be sourced: Debian's binaries, a unix socket in a scratch folder, no port. Nothing of the
# machine's own servers is touched. As root it runs as the user postgres.
#
#   pg_find                     false when there is no server to start (then the test says 'skipped')
#   pg_new NAME [SETTING...]    makes $pg/NAME and starts it; `pg` is the scratch folder, set before
#   pg_start NAME, pg_stop NAME, pg_kill NAME     pg_kill is SIGKILL to every process of it
#   pg_standby NAME OF          a copy of OF that follows it under its own name; pg_promote NAME
#   pg_address NAME [DATABASE]  for --database and psql
#   pg_sql NAME SQL...          one value a line
pg_bin= pg_as=()
pg_find() {
    local d
    for d in "$(dirname "$(command -v initdb 2>/dev/null || echo /)")" /usr/lib/postgresql/*/bin; do [ -x "$d/initdb" ] && [ -x "$d/postgres" ] && pg_bin=$d; done
    [ -n "$pg_bin" ] || return 1
    if [ "$(id -u)" = 0 ]; then
        id postgres > /dev/null 2>&1 && command -v setpriv > /dev/null || return 1
        pg_as=(setpriv --reuid postgres --regid postgres --clear-groups)
    fi
    pg=$(mktemp -d "${PG_DIR:-/tmp}/keer-pg-XXXXXX")
    [ "$(id -u)" != 0 ] || chown postgres "$pg"
    cd "$pg" && cd "$OLDPWD"
}
pg_run() { (cd "$pg" && "${pg_as[@]}" "$@"); }
pg_address() { echo "postgres://keer@/${2:-keer}?host=$pg/$1.s"; }
pg_sql() { local name=$1; shift; for q; do pg_run "$pg_bin/psql" -qAtX -v ON_ERROR_STOP=1 -d "$(pg_address "$name" postgres)" -c "$q" || return; done; }
pg_pid() { head -1 "$pg/$1/postmaster.pid" 2>/dev/null; }
pg_start() {
    pg_run mkdir -p "$pg/$1.s"
    pg_run "$pg_bin/pg_ctl" -D "$pg/$1" -l "$pg/$1.log" -w -t 30 -s -o "-c listen_addresses= -c unix_socket_directories=$pg/$1.s" start > "$pg/ctl" 2>&1 ||
        { cat "$pg/ctl" "$pg/$1.log"; return 1; }
}
pg_stop() { pg_run "$pg_bin/pg_ctl" -D "$pg/$1" -w -s -m "${2:-fast}" stop > "$pg/ctl" 2>&1; }
pg_new() {
    local name=$1; shift
    pg_run "$pg_bin/initdb" -D "$pg/$name" -U keer -A trust -E UTF8 --locale=C.UTF-8 --no-sync > "$pg/initdb.log" 2>&1 || { cat "$pg/initdb.log"; return 1; }
    printf '%s\n' "max_connections = 30" "shared_buffers = 32MB" "$@" | pg_run tee -a "$pg/$name/postgresql.conf" > /dev/null
    pg_start "$name" && pg_sql "$name" 'CREATE DATABASE keer'
}
pg_kill() {
    local pid; pid=$(pg_pid "$1"); [ -n "$pid" ] || return 0
    local all; all="$pid $(ps -o pid= --ppid "$pid")"
    kill -9 $all 2>/dev/null
    for pid in $all; do while kill -0 "$pid" 2>/dev/null; do sleep .01; done; done
}
pg_standby() {
    pg_run "$pg_bin/pg_basebackup" -D "$pg/$1" -R -X stream -c fast -d "host=$pg/$2.s user=keer dbname=postgres application_name=$1" > "$pg/ctl" 2>&1 || { cat "$pg/ctl"; return 1; }
    pg_start "$1"
}
pg_promote() { pg_run "$pg_bin/pg_ctl" -D "$pg/$1" -w -s promote > "$pg/ctl" 2>&1; }
pg_end() { # of the test: every server of it, and its folder
    [ -n "${pg:-}" ] || return 0
    local d; for d in "$pg"/*/postmaster.pid; do [ -f "$d" ] && pg_kill "$(basename "$(dirname "$d")")"; done
    rm -rf "$pg"
}
