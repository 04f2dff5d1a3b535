#!/bin/bash
# One zone of many records: nodes a and b. BENCH_RECORDS: how many.
. "$(dirname "$0")/common.sh"
records=${BENCH_RECORDS:-1000000}
read -r pg[a] pg[b] <<<"$(free_ports 2)"
make_node a && make_node b || stop_here 'a node cannot be made'
peers a b
drained a || stop_here 'a and b do not connect'
zone() { await same a b || stop_here "$1: b does not follow"; line "$1" "$took s   at the peer $(seconds_since "$from") s from the start"; }
step() { from=$EPOCHREALTIME; timed "$@" || stop_here "it failed: $*"; drained a || stop_here 'a does not drain'; }
versions() { value b "SELECT count(*) FROM dnsrepl.stored_version WHERE stamp > $1 AND key <> '\\x7fff'"; }

echo "one zone of $records records"
step load a 1 1 "$records"; zone 'loaded, one transaction'
for name in a b; do value $name 'VACUUM (ANALYZE)'; value $name CHECKPOINT; done
before=$(value b 'SELECT max(stamp) FROM dnsrepl.stored_version')
step value a "BEGIN; CREATE TEMP TABLE kept ON COMMIT DROP AS SELECT * FROM records; DELETE FROM records;
    INSERT INTO records (domain_id, name, type, content, ttl, prio, disabled, auth)
      SELECT domain_id, name, type, CASE WHEN name = 'h77.z1.example' THEN '192.0.2.77' ELSE content END, ttl, prio, disabled, auth FROM kept; COMMIT"
zone 'replaced whole, one record differs'
line '  versions that went to the peer' "$(versions "$before")"
step value a "UPDATE records SET content = '192.0.2.78' WHERE name = 'h78.z1.example'"; zone 'one record'
step value a "SELECT count(*) FROM dnsrepl.check_zone('z1.example')" >/dev/null; line 'check_zone()' "$took s"
value a "SELECT string_agg(concat_ws(' ', name || '.', ttl, type, CASE type WHEN 'SOA' THEN content WHEN 'NS' THEN content || '.' ELSE content END), E'\n') FROM records" \
    | sed 's/^ *//' >"$dir/zone"
sed 's/192\.0\.2\.78/192.0.2.79/; s/ns1\.example hostmaster\.example/ns1.example. hostmaster.example./' "$dir/zone" >"$dir/zone.new"
step psql_at a -q -c "\\set file \`cat $dir/zone.new\`" -c '\q' >/dev/null
step psql_at a -At -c "CREATE TEMP TABLE f (line text)" -c "\\copy f FROM '$dir/zone.new'" \
    -c "SELECT added || ' added, ' || removed || ' removed' FROM dnsrepl.import_zone((SELECT string_agg(line, E'\n') FROM f), 'z1.example')" >"$dir/imported"
zone 'imported from a file, one record differs'
line '  which did' "$(cat "$dir/imported")"
step value a "DELETE FROM domains"; zone 'deleted'
