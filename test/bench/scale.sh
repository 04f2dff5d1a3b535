#!/bin/bash
# What grows with the number of records: nodes a and b, zones of 500 records; c joins at each size. BENCH_SCALE: the sizes.
. "$(dirname "$0")/common.sh"
sizes=${BENCH_SCALE:-10000 100000 1000000}
read -r pg[a] pg[b] <<<"$(free_ports 2)"
make_node a && make_node b || stop_here 'a node cannot be made'
peers a b
drained a || stop_here 'a and b do not connect'

echo "scale: zones of 500 records; one change at a time"
printf '%10s %12s %10s %12s %12s %12s %12s %10s %10s %10s\n' records 'loaded/s' 'at b, s' 'commit, ms' 'visible p50' 'visible p99' check_zone join,\ s link,\ MB merge,\ MB
zones=0
for size in $sizes; do
    more=$((size / 500 - zones))
    timed load a $((zones + 1)) $((zones + more)) 500; load=$took
    zones=$((zones + more))
    from=$EPOCHREALTIME
    drained a || stop_here 'the load does not come to b'
    arrived=$(seconds_since "$from")
    for name in a b; do value $name 'VACUUM (ANALYZE)'; value $name CHECKPOINT; done
    clients=1 replace a "$zones" 497 -t 1000
    drained a || stop_here 'a does not drain'
    read -r p50 p99 worst <<<"$(perl "$here/visible.pl" 200 "-h $dir -p ${pg[a]} -U postgres pdns" "-h $dir -p ${pg[b]} -U postgres pdns")"
    timed value a "SELECT dnsrepl.check_zone('z7.example')" >/dev/null; check=$took
    link=$(own_memory a 'dnsrepl link'); merge=$(own_memory b dnsrepl_link)
    read -r pg[c] <<<"$(free_ports 1)"
    make_node c || stop_here 'c cannot be made'
    from=$EPOCHREALTIME
    peers a c
    await same a c || stop_here 'c does not join'
    joined=$(seconds_since "$from")
    value a "SELECT dnsrepl.drop_peer('c')" >/dev/null
    stop_server c; rm -rf "$dir/c"; unset "pg[c]"
    printf '%10s %12.0f %10s %12s %12s %12s %12s %10s %10s %10s\n' "$size" "$(calc %f "$more * 500 / $load")" "$arrived" "$latency" "$p50" "$p99" "$check s" "$joined" "$link" "$merge"
done
same a b || stop_here 'the nodes do not serve the same'
