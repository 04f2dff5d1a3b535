#!/bin/bash
# PowerDNS answers from the typed tables (node a) and from its own schema (bare), all its caches off: dnsperf, in turns.
. "$(dirname "$0")/common.sh"
seconds=${BENCH_SECONDS:-8}
zones=200
declare -A dns
read -r pg[bare] pg[a] dns[bare] dns[a] <<<"$(free_ports 4)"
make_server bare "${pg[bare]}" "$settings" && psql_at bare -f "$here/schema.sql" || stop_here 'no bare server'
make_node a || stop_here 'a node cannot be made'
for name in bare a; do
    load $name 1 $zones 500
    value $name 'VACUUM (ANALYZE)'
    mkdir "$dir/pdns-$name"
    cat >"$dir/pdns-$name/pdns.conf" <<END
launch=gpgsql
gpgsql-host=$dir
gpgsql-port=${pg[$name]}
gpgsql-dbname=pdns
gpgsql-user=postgres
local-address=127.0.0.1
local-port=${dns[$name]}
socket-dir=$dir/pdns-$name
cache-ttl=0
query-cache-ttl=0
negquery-cache-ttl=0
zone-cache-refresh-interval=0
receiver-threads=1
distributor-threads=2
END
    run "pdns-$name" pdns_server --config-dir="$dir/pdns-$name" --daemon=no --guardian=no
done
for ((i = 0; i < 20000; i++)); do echo "h$((RANDOM % 497 + 1)).z$((RANDOM % zones + 1)).example A"; done >"$dir/queries"
answering() { dig +time=1 +tries=1 +short -p "${dns[$1]}" @127.0.0.1 h7.z7.example A | grep -q '^10\.'; }
for name in bare a; do await answering $name || stop_here "PowerDNS at $name does not answer"; done
declare -A qps used
for round in 1 2 3 4 5; do
    for name in bare a; do
        c0=$(cpu $name)
        dnsperf -s 127.0.0.1 -p "${dns[$name]}" -d "$dir/queries" -l "$seconds" -c 4 -q 20 >"$dir/dnsperf" 2>&1 || stop_here "$(cat "$dir/dnsperf")"
        rate=$(sed -n 's/.*Queries per second: *\([0-9]*\).*/\1/p' "$dir/dnsperf")
        qps[$name]+="$rate "
        used[$name]+="$(calc %.3f "($(cpu $name) - $c0) / ($rate * $seconds) * 1000") "
    done
done
echo "PowerDNS $(pdns_server --version 2>&1 | sed -n 's/.*Server \([0-9.]*\).*/\1/p'), no caches: medians of 5 rounds of $seconds s, in turns"
b=$(median ${qps[bare]}) a=$(median ${qps[a]}) cb=$(median ${used[bare]}) ca=$(median ${used[a]})
line 'its own schema' "$b queries/s   $cb ms of PostgreSQL's CPU each"
line 'typed tables' "$a queries/s ($(calc %.2f "$a / $b") x)   $ca ms of PostgreSQL's CPU each ($(calc %.2f "$ca / $cb") x)"
