#!/bin/bash
# Two nodes beside a bare PostgreSQL. Servers: bare (PowerDNS's own tables), a and b (peers), c (joins late). BENCH_ZONES,
# BENCH_PER, BENCH_SECONDS, BENCH_CHANGES change the sizes.
. "$(dirname "$0")/common.sh"
zones=${BENCH_ZONES:-500}           # loaded in one transaction
per=${BENCH_PER:-200}               # records in each
seconds=${BENCH_SECONDS:-6}         # for one round of pgbench; there are three
changes=${BENCH_CHANGES:-20000}     # while b is away

echo "dnsrepl benchmark: $zones zones of $per records, $clients clients, $(nproc) CPUs, $($PG_CONFIG --version)"
echo
began=$EPOCHREALTIME
read -r pg[bare] pg[a] pg[b] pg[c] <<<"$(free_ports 4)"
make_server bare "${pg[bare]}" "$settings" && psql_at bare -f "$here/schema.sql" || stop_here 'no bare server'
make_node a && make_node b && make_node c || stop_here 'a node cannot be made'
peers a b
drained a || stop_here 'a and b do not connect'

# ------------------------------------------------------------------ bulk load
timed load bare 1 "$zones" "$per"; bare_load=$took
from=$EPOCHREALTIME
timed load a 1 "$zones" "$per"; load=$took
await all_at b "$((zones * per))" || stop_here 'the load does not come to b'
arrived=$(seconds_since "$from")
line 'bulk load, one transaction, bare PostgreSQL' "$bare_load s   $(calc %.0f "$zones * $per / $bare_load") records/s"
line 'bulk load, one transaction, dnsrepl' "$load s   $(calc %.0f "$zones * $per / $load") records/s   $(calc %.2f "$load / $bare_load") x bare"
line '  until all of it is at the peer' "$arrived s"
for name in bare a b; do value $name 'VACUUM (ANALYZE)'; value $name CHECKPOINT; done

# ------------------------------------------------------------------ transactions per second
declare -a bare_tps peer_tps lone_tps
for round in 1 2 3; do
    replace bare "$zones" $((per - 3)) -T "$seconds"; bare_tps+=("$tps")
    replace a "$zones" $((per - 3)) -T "$seconds"; peer_tps+=("$tps")
    from=$EPOCHREALTIME
    drained a || stop_here 'a does not drain'
    drain=$(seconds_since "$from")
    value a "SELECT dnsrepl.pause('b')" >/dev/null
    replace a "$zones" $((per - 3)) -T "$seconds"; lone_tps+=("$tps")
    value a "SELECT dnsrepl.resume('b')" >/dev/null
    drained a || stop_here 'a does not drain'
done
bare=$(median "${bare_tps[@]}"); lone=$(median "${lone_tps[@]}"); peer=$(median "${peer_tps[@]}")
line 'RRset replacements, bare PostgreSQL' "$bare tps   (medians of 3 rounds of $seconds s)"
line 'RRset replacements, captured, link paused' "$lone tps   $(calc %.2f "$lone / $bare") x bare"
line 'RRset replacements, captured and shipped' "$peer tps   $(calc %.2f "$peer / $bare") x bare   drained $drain s after the last"

# ------------------------------------------------------------------ commit to visible
floor=$(perl "$here/visible.pl" 100 "-h $dir -p ${pg[bare]} -U postgres pdns" "-h $dir -p ${pg[bare]} -U postgres pdns" | cut -d' ' -f1)
if figures=$(perl "$here/visible.pl" 200 "-h $dir -p ${pg[a]} -U postgres pdns" "-h $dir -p ${pg[b]} -U postgres pdns"); then
    read -r p50 p99 worst <<<"$figures"
    line 'commit to visible at the peer' "p50 $p50 ms   p99 $p99 ms   largest $worst ms   (200 commits; $floor ms is the question itself)"
else stop_here 'commit to visible could not be measured'; fi

# ------------------------------------------------------------------ absence
stop_server b
size() { value a "SELECT coalesce(sum(pg_total_relation_size(oid)), 0) FROM pg_class WHERE relnamespace = 'dnsrepl'::regnamespace AND relkind = 'r'"; }
kept=$(size)
replace a "$zones" 10 -t $((changes / clients))
kept=$(($(size) - kept))
from=$EPOCHREALTIME
start_server b || stop_here 'b does not start again'
await same a b || stop_here 'b does not catch up'
line "catch-up after $changes changes of up to $((zones * 10 + zones)) RRsets" "$(seconds_since "$from") s from the start of the server   $((kept / 1024)) kB more kept"

# ------------------------------------------------------------------ joining
want=$(count a)
from=$EPOCHREALTIME
pg_dump -h "$dir" -p "${pg[bare]}" -U postgres -d pdns >"$dir/dump" && value bare 'CREATE DATABASE copy' &&
    psql -X -q -1 -v ON_ERROR_STOP=1 -h "$dir" -p "${pg[bare]}" -U postgres -d copy -f "$dir/dump" >/dev/null || stop_here 'no dump'
copied=$(seconds_since "$from")
from=$EPOCHREALTIME
peers a c
await all_at c "$want" && await same a c || stop_here 'c does not join'
joined=$(seconds_since "$from")
line "join of an empty node ($want records)" "$joined s   $(calc %.2f "$joined / $copied") x pg_dump into psql ($copied s)"

# ------------------------------------------------------------------ DNS servers
free=($(free_ports 2))
mkdir -p "$dir/bind" "$dir/knot/db"
for server in bind knot; do printf '$ORIGIN z7.example.\n@ 300 SOA a b 1 2 3 4 5\n@ 300 NS ns.invalid.\n' >"$dir/$server/z7.example.zone"; done
cat >"$dir/bind/conf" <<END
options { directory "$dir/bind"; pid-file "$dir/bind/pid"; session-keyfile "$dir/bind/session"; managed-keys-directory "$dir/bind";
  listen-on port ${free[0]} { 127.0.0.1; }; listen-on-v6 { none; }; recursion no; dnssec-validation no; allow-query { any; }; notify no; check-integrity no; };
controls { };
zone "z7.example" { type primary; file "z7.example.zone"; allow-update { 127.0.0.0/8; }; allow-transfer { 127.0.0.0/8; }; };
END
cat >"$dir/knot/conf" <<END
server:
    rundir: $dir/knot
    listen: 127.0.0.1@${free[1]}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: $dir/knot/db
control:
    listen: $dir/knot/socket
acl:
  - id: all
    address: 127.0.0.0/8
    action: [update, transfer]
template:
  - id: default
    storage: $dir/knot
    semantic-checks: off
zone:
  - domain: z7.example
    file: z7.example.zone
    acl: all
END
cp "$(command -v named)" "$dir/bind/named"     # Debian's AppArmor profile is for the other path
run bind "$dir/bind/named" -f -c "$dir/bind/conf"; run knot knotd -c "$dir/knot/conf"
from=$EPOCHREALTIME
for i in 0 1; do
    await port_open "${free[i]}" || stop_here 'a DNS server does not start'
    value a "SELECT dnsrepl.add_server('dns$i', '127.0.0.1:${free[i]}', '{z7.example}')" >/dev/null
done
drained a || stop_here 'the DNS servers do not get their zone'
for i in 0 1; do
    [ -z "$(value a "SELECT name FROM dnsrepl.verify('dns$i')")" ] || stop_here 'a DNS server has something else'
    figures=$(perl "$here/visible.pl" 200 "-h $dir -p ${pg[a]} -U postgres pdns" "dns:${free[i]}") || stop_here 'commit to answer could not be measured'
    read -r p50 p99 worst <<<"$figures"
    [ "$i" = 0 ] && what=BIND || what=Knot
    line "commit to answer from $what" "p50 $p50 ms   p99 $p99 ms   largest $worst ms   (200 commits)"
done
echo
same a b && same a c || stop_here 'the nodes do not serve the same'
echo "All nodes serve the same. $(seconds_since "$began") s in all."
