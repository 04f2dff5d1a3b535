#!/bin/bash
# Nine nodes, databases of one server: eight peers of one, a chain of eight, a ring of eight. How long until all have it, and CPU.
. "$(dirname "$0")/common.sh"
records=${BENCH_MESH:-20000}
patience=120
read -r port <<<"$(free_ports 1)"
names='n0 n1 n2 n3 n4 n5 n6 n7 n8'
make_server m "$port" "$settings"$'\n'"$(staged | grep -v databases)
dnsrepl.databases = '${names// /,}'
max_worker_processes = 120
max_connections = 200" || stop_here 'no server'
at() { psql -X -q -At -v ON_ERROR_STOP=1 -h "$dir" -p "$port" -U postgres -d "$1" -c "$2"; }
to() { at "$1" "SELECT dnsrepl.add_peer('$2', 'host=$dir port=$port dbname=$2 user=dnsrepl_link')" >/dev/null; }
pair() { to "$1" "$2" && to "$2" "$1" || stop_here "$1 and $2 do not become peers"; }
begin() {
    for n in $names; do at postgres "DROP DATABASE IF EXISTS $n WITH (FORCE)" >/dev/null 2>&1; done
    for n in $names; do
        at postgres "CREATE DATABASE $n" && at "$n" 'CREATE EXTENSION dnsrepl' && at "$n" "SELECT dnsrepl.setup('$n')" >/dev/null || stop_here "no node $n"
    done
}
have() { local n; for n in $1; do [ "$(at "$n" "$2")" = "$3" ] || return 1; done; }
# measure TITLE NODES: a change at the first of them, then many, until all have them
measure() {
    local nodes=$2 first=${2%% *} times=() i from c0
    at "$first" "INSERT INTO domains (name, type) VALUES ('start.example', 'NATIVE')"
    await have "$nodes" 'SELECT count(*) FROM domains' 1 || stop_here "$1: no convergence"
    for i in 1 2 3 4 5 6 7 8 9; do
        from=$EPOCHREALTIME
        at "$first" "UPDATE domains SET account = 'a$i'"
        await have "${nodes##* }" 'SELECT account FROM domains' "a$i" && await have "$nodes" 'SELECT account FROM domains' "a$i" || stop_here "$1: no convergence"
        times+=("$(awk -v a="$from" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.3f", b - a }')")
    done
    c0=$(cpu m); from=$EPOCHREALTIME
    psql -X -q -v ON_ERROR_STOP=1 -h "$dir" -p "$port" -U postgres -d "$first" -v lo=1 -v hi=$((records / 500)) -v per=500 -f "$here/load.sql" || stop_here "$1: loading failed"
    await have "$nodes" 'SELECT count(*) FROM records' "$records" || stop_here "$1: no convergence"
    line "$1" "one change $(median "${times[@]}") s   $records records $(seconds_since "$from") s, $(calc %.1f "$(cpu m) - $c0") s of CPU"
    c0=$(cpu m); sleep 5
    line '  at rest' "$(calc %.1f "($(cpu m) - $c0) / 5 * 100") % of a CPU"
}
echo "nine nodes in one server: from the first psql's start until every node shows it"
begin; for n in n1 n2 n3 n4 n5 n6 n7 n8; do pair n0 $n; done
measure 'eight peers of one node' "$names"
begin; for i in 0 1 2 3 4 5 6; do pair n$i n$((i + 1)); done
measure 'a chain of eight, from one end to the other' 'n0 n1 n2 n3 n4 n5 n6 n7'
begin; for i in 0 1 2 3 4 5 6 7; do pair n$i n$(((i + 1) % 8)); done
measure 'a ring of eight' 'n0 n1 n2 n3 n5 n6 n7 n4'
