# For the parts of `make bench` (source it). Steps that are compared are interleaved, since the speed of a machine drifts.
# fsync is on.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../lib/site.sh"
patience=600
here=$root/test/bench
clients=4
at_end=show_logs

show_logs() {
    if ((status == 0)); then return; fi
    for log in "$dir"/*.log; do
        if [ -s "$log" ]; then echo "--- $log"; tail -n 15 "$log"; fi
    done >&2
}
line() { printf '%-52s %s\n' "$1" "$2"; }
calc() { awk "BEGIN { printf \"$1\", $2 }"; }
median() { printf '%s\n' "$@" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
conninfo() { echo "host=$dir port=${pg[$1]} dbname=pdns user=dnsrepl_link"; }

settings="shared_buffers = 256MB
max_wal_size = 4GB
checkpoint_timeout = 30min
jit = off
log_min_messages = warning"

make_node() { make_server "$1" "${pg[$1]}" "$settings"$'\n'"$(staged)" && value "$1" 'CREATE EXTENSION dnsrepl' && value "$1" "SELECT dnsrepl.setup('$1')" >/dev/null; }
peers() {
    value "$1" "SELECT dnsrepl.add_peer('$2', '$(conninfo "$2")')" >/dev/null &&
    value "$2" "SELECT dnsrepl.add_peer('$1', '$(conninfo "$1")')" >/dev/null || stop_here "$1 and $2 do not become peers"
}
# load NODE FROM TO RECORDS: zones FROM to TO with so many records each, in one transaction
load() { psql_at "$1" -v lo="$2" -v hi="$3" -v per="$4" -f "$here/load.sql" || stop_here "loading failed at $1"; }
timed() { local from=$EPOCHREALTIME; "$@" || return 1; took=$(awk -v a="$from" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.3f", b - a }'); }
count() { value "$1" 'SELECT count(*) FROM records'; }
all_at() { [ "$(count "$1")" = "$2" ]; }
drained() { [ "$(value "$1" "SELECT dnsrepl.wait_for_peers('$patience s')")" = t ]; }
same() { [ "$(value "$1" 'SELECT dnsrepl.digest()')" = "$(value "$2" 'SELECT dnsrepl.digest()')" ]; }
# replace NODE ZONES HOSTS ...: pgbench; $tps is its rate, $latency the mean
replace() {
    local name=$1 zones=$2 hosts=$3; shift 3
    pgbench -n -M prepared -c $clients -j 1 -h "$dir" -p "${pg[$name]}" -U postgres -D zones="$zones" -D hosts="$hosts" \
        -f "$here/replace.sql" "$@" pdns >"$dir/pgbench.out" 2>&1 || { cat "$dir/pgbench.out" >&2; stop_here "pgbench failed at $name"; }
    tps=$(sed -n 's/^tps = \([0-9]*\).*/\1/p' "$dir/pgbench.out")
    latency=$(sed -n 's/^latency average = \([0-9.]*\).*/\1/p' "$dir/pgbench.out")
}
# All processes of a server, and the CPU seconds that they and those that have ended have used.
processes() { local head; head=$(head -n 1 "$dir/$1/postmaster.pid"); echo "$head" $(pgrep -P "$head"); }
cpu() {
    local name p sum=0
    for name; do
        for p in $(processes "$name"); do sum=$((sum + $(awk '{ print $14 + $15 }' "/proc/$p/stat" 2>/dev/null || echo 0))); done
        sum=$((sum + $(awk '{ print $16 + $17 }' "/proc/$(head -n 1 "$dir/$name/postmaster.pid")/stat")))
    done
    calc %.2f "$sum / $(getconf CLK_TCK)"
}
# The memory of its own that a process of a server has (MB), by its title.
own_memory() {
    local p
    for p in $(processes "$1"); do
        if tr '\0' ' ' <"/proc/$p/cmdline" | grep -q "$2"; then awk '/^RssAnon/ { printf "%.1f", $2 / 1024 }' "/proc/$p/status"; return; fi
    done
}
