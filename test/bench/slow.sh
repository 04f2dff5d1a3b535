#!/bin/bash
# A link of 300 ms (there and back), 1 Mbit/s and 1 % of loss: nodes a and b.
. "$(dirname "$0")/common.sh"
seconds=${BENCH_SECONDS:-20}
read -r pg[a] pg[b] ab ba <<<"$(free_ports 4)"
make_node a && make_node b || stop_here 'a node cannot be made'
run ab perl "$here/slow.pl" "$ab" "${pg[b]}" 0.15 1000000 0.01
run ba perl "$here/slow.pl" "$ba" "${pg[a]}" 0.15 1000000 0.01
value a "SELECT dnsrepl.add_peer('b', 'host=127.0.0.1 port=$ab dbname=pdns user=dnsrepl_link')" >/dev/null
value b "SELECT dnsrepl.add_peer('a', 'host=127.0.0.1 port=$ba dbname=pdns user=dnsrepl_link')" >/dev/null
drained a || stop_here 'a and b do not connect'
echo "a link of 300 ms, 1 Mbit/s, 1 % of loss (a forwarder: test/bench/slow.pl)"
from=$EPOCHREALTIME
load a 1 20 500
await all_at b 10000 && drained a || stop_here 'the load does not come to b'
line '10,000 records in one transaction, at the peer after' "$(seconds_since "$from") s"
read -r p50 p99 worst <<<"$(perl "$here/visible.pl" 30 "-h $dir -p ${pg[a]} -U postgres pdns" "-h $dir -p ${pg[b]} -U postgres pdns")"
line 'commit to visible, one at a time' "p50 $p50 ms   largest $worst ms"
for rate in 20 200 0; do
    clients=1 replace a 20 497 -T "$seconds" $( ((rate)) && echo -R $rate)
    from=$EPOCHREALTIME
    drained a || stop_here 'a does not drain'
    line "$tps transactions a second for $seconds s" "drained $(seconds_since "$from") s after the last"
done
clients=1 replace a 20 5 -T "$seconds"
from=$EPOCHREALTIME
drained a || stop_here 'a does not drain'
line "$tps transactions a second to 100 names" "drained $(seconds_since "$from") s after the last"
same a b || stop_here 'the nodes do not serve the same'
