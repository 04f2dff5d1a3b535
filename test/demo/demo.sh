#!/bin/bash
# `make demo`: three sites, each a PostgreSQL server with dnsrepl and a PowerDNS server on it, all on loopback.
# Everything lives in one temporary folder; everything ends with this script. It fails if anything it shows is not so.
set -uo pipefail
. "$(dirname "$0")/../lib/site.sh"
sites=(seattle tacoma spokane)
zone_file=$root/test/demo/zones/ashford.example.zone
key=demo-key
declare -A dns http link
failures=0
started=$EPOCHREALTIME
at_end=show_logs

# ------------------------------------------------------------------ telling the story
if [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'; else bold= dim= green= red= plain=; fi
heading() { printf '\n%s== %s ==%s\n' "$bold" "$*" "$plain"; }
tell()    { printf '%s\n' "$@"; }
command_line() { printf '\n  %s$ %s%s\n' "$dim" "$*" "$plain"; }
indent()  { sed 's/^/    /; s/[[:space:]]*$//' | sed '/^$/d'; }
good()    { printf '  %sok%s   %s\n' "$green" "$plain" "$*"; }
bad()     { printf '  %sNOT OK   %s%s\n' "$red" "$*" "$plain"; failures=$((failures + 1)); patience=3; }      # no long waits any more
check()   { if [ "$2" = "$3" ]; then good "$1"; else bad "$1"; printf '    wanted: %s\n    found:  %s\n' "$3" "$2"; fi; }

show_logs() {
    if ((status == 0)); then return; fi
    for site in "${sites[@]}"; do
        if [ -s "$dir/$site.log" ]; then printf '\n--- last lines of the PostgreSQL log of %s\n' "$site"; tail -n 15 "$dir/$site.log"; fi
    done >&2
}

# ------------------------------------------------------------------ doing what is told
show_statement() {
    command_line "psql -h $1 pdns"
    printf '  %spdns=> %s;%s\n' "$dim" "${2//$'\n'/$'\n'        }" "$plain"
}
# Shows a statement and carries it out; also shows what comes of it.
do_sql() { show_statement "$1" "$2"; value "$1" "$2" >/dev/null || stop_here "That statement should have worked."; }
sql() {
    local site=$1 statement=$2
    show_statement "$site" "$statement"
    psql_at "$site" -P footer=off -P null=- -c "$statement" 2>&1 | indent
    if ((PIPESTATUS[0] != 0)); then stop_here "That statement should have worked."; fi
}
api() {
    local site=$1 method=$2 path=$3 body=$4 status
    command_line "curl -X $method http://$site:8081/api/v1/servers/localhost$path -d '$body'"
    status=$(curl -s -o "$dir/reply" -w '%{http_code}' --max-time "$patience" -X "$method" -H "X-API-Key: $key" -H 'Content-Type: application/json' \
        "http://127.0.0.1:${http[$site]}/api/v1/servers/localhost$path" -d "$body")
    printf '    HTTP %s\n' "$status"
    case $status in 20[0-9]) ;; *) cat "$dir/reply"; stop_here "The API should have accepted that." ;; esac
}
lookup() { dig +short +time=2 +tries=2 -p "${dns[$1]}" @127.0.0.1 "$2" "${3:-A}" | sort | paste -sd' '; }
show_dig() {
    command_line "dig @$1 $2 ${3:-A} +noall +answer"
    dig +noall +answer +time=2 +tries=2 -p "${dns[$1]}" @127.0.0.1 "$2" "${3:-A}" | indent
}
answers() { [ "$(lookup "$1" "$2" "$3")" = "$4" ]; }
check_answer() {
    await answers "$@"
    check "$1 answers for $2: ${4:-nothing}" "$(lookup "$1" "$2" "$3")" "$4"
}

# Starts to ask WHERE for NAME's address, commits the statement at SITE, and says how long the answer took.
timed() {
    local site=$1 statement=$2 where=$3 name=$4 address=$5 committed answered
    perl "$root/test/demo/ask.pl" "${dns[$where]}" "$name" "$address" "$patience" >"$dir/asked" &
    local asker=$!
    await grep -q asking "$dir/asked"
    show_statement "$site" "$statement"
    committed=$(psql_at "$site" -At -c "$statement" -c 'SELECT extract(epoch FROM clock_timestamp())') ||
        stop_here "That statement should have worked."
    if wait $asker; then
        answered=$(tail -n 1 "$dir/asked")
        good "$(awk -v a="$answered" -v c="$committed" -v w="$where" -v n="$name" \
            'BEGIN { ms = (a - c) * 1000; printf "PowerDNS at %s answered for %s %.1f ms after the commit", w, n, ms < 0 ? 0 : ms }')"
    else
        bad "no answer for $name at $where within $patience s"
    fi
}

status_at() { sql "$1" "SELECT name, state, behind_units, last_error FROM dnsrepl.status ORDER BY name"; }
links_in() { [ "$(value "$1" "SELECT count(*) FROM dnsrepl.status WHERE state = 'streaming'")" = "$2" ]; }
same_digest() {
    local first; first=$(value "${sites[0]}" 'SELECT dnsrepl.digest()')
    local site
    for site in "${sites[@]:1}"; do [ "$(value "$site" 'SELECT dnsrepl.digest()')" = "$first" ] || return 1; done
}
check_same() {
    await same_digest
    local site
    command_line "psql -h (each) pdns -c 'SELECT dnsrepl.digest()'"
    for site in "${sites[@]}"; do printf '    %-8s %s\n' "$site" "$(value "$site" 'SELECT dnsrepl.digest()')"; done
    if same_digest; then good 'the three databases serve the same'; else bad 'the three databases do not serve the same'; fi
}

# ------------------------------------------------------------------ links: a forwarder for each direction, so that they can be cut
link_up()   { run "link-$1-$2" perl "$root/test/lib/forward.pl" "${link[$1-$2]}" "${pg[$2]}"; await port_open "${link[$1-$2]}" || stop_here 'No forwarder.'; }
link_down() { end "link-$1-$2"; }
cut()  { local site; for site in "${sites[@]}"; do if [ "$site" != "$1" ]; then link_down "$1" "$site"; link_down "$site" "$1"; fi; done; }
heal() { local site; for site in "${sites[@]}"; do if [ "$site" != "$1" ]; then link_up "$1" "$site"; link_up "$site" "$1"; fi; done; }

# ------------------------------------------------------------------ a name server
start_pdns() {
    local site=$1
    mkdir "$dir/pdns-$site"
    cat >"$dir/pdns-$site/pdns.conf" <<END
launch=gpgsql
gpgsql-host=$dir
gpgsql-port=${pg[$site]}
gpgsql-dbname=pdns
gpgsql-user=postgres
local-address=127.0.0.1
local-port=${dns[$site]}
api=yes
api-key=$key
webserver=yes
webserver-address=127.0.0.1
webserver-port=${http[$site]}
allow-axfr-ips=127.0.0.0/8
security-poll-suffix=
disable-syslog=yes
socket-dir=$dir/pdns-$site
write-pid=no
# so that a commit is an answer at once
cache-ttl=0
query-cache-ttl=0
negquery-cache-ttl=0
zone-cache-refresh-interval=0
END
    run "pdns-$site" pdns_server --config-dir="$dir/pdns-$site" --daemon=no --guardian=no
    await port_open "${http[$site]}" || { cat "$dir/pdns-$site.out"; stop_here "PowerDNS at $site does not start."; }
}

# ================================================================== the demonstration
tell 'Three sites, each with a PostgreSQL database and a PowerDNS server that answers from it. dnsrepl makes the three' \
     'databases one: what is committed at any site is soon answered at every site. Here all three live on this machine;' \
     'the names of the sites stand for the ports of their servers.'

heading '1. Three sites'
read -r pg[seattle] pg[tacoma] pg[spokane] dns[seattle] dns[tacoma] dns[spokane] http[seattle] http[tacoma] http[spokane] \
    link[seattle-tacoma] link[seattle-spokane] link[tacoma-seattle] link[tacoma-spokane] link[spokane-seattle] link[spokane-tacoma] \
    <<<"$(free_ports 15)"
waiting=()
for site in "${sites[@]}"; do make_server "$site" "${pg[$site]}" & waiting+=($!); done
for job in "${waiting[@]}"; do wait "$job" || stop_here 'A PostgreSQL server does not start.'; done
tell 'Three PostgreSQL servers run, with  shared_preload_libraries = '\''dnsrepl'\''  and  dnsrepl.databases = '\''pdns'\''.' \
     'At each, two statements make the database a node, with the tables that PowerDNS knows:'
do_sql seattle 'CREATE EXTENSION dnsrepl'
do_sql seattle "SELECT dnsrepl.setup('seattle')"
for site in tacoma spokane; do
    value "$site" 'CREATE EXTENSION dnsrepl' && value "$site" "SELECT dnsrepl.setup('$site')" >/dev/null || stop_here "No node $site."
done
for site in "${sites[@]}"; do start_pdns "$site"; done
tell '' '(tacoma and spokane the same way.) On each database runs an unmodified PowerDNS, with its usual gpgsql backend.'

heading '2. A ring of peers'
for from in "${sites[@]}"; do for to in "${sites[@]}"; do if [ "$from" != "$to" ]; then link_up "$from" "$to"; fi; done; done
for from in "${sites[@]}"; do
    for to in "${sites[@]}"; do
        if [ "$from" = "$to" ]; then continue; fi
        statement="SELECT dnsrepl.add_peer('$to', 'host=127.0.0.1 port=${link[$from-$to]} dbname=pdns user=dnsrepl_link')"
        if [ "$from" = seattle ]; then do_sql seattle "$statement"; else value "$from" "$statement" >/dev/null || stop_here "No link from $from to $to."; fi
    done
done
for site in "${sites[@]}"; do await links_in "$site" 2; done
tell '' '(tacoma and spokane the same way.)'
status_at seattle
for site in "${sites[@]}"; do check "$site is connected to both others" "$(value "$site" "SELECT count(*) FROM dnsrepl.status WHERE state = 'streaming'")" 2; done

heading '3. A zone made through PowerDNS at seattle, records by SQL at tacoma, answers at spokane'
api seattle POST /zones '{"name": "harbour.example.", "kind": "Native", "nameservers": ["ns1.harbour.example.", "ns2.harbour.example."]}'
has_zone() { [ "$(value "$1" "SELECT count(*) FROM domains WHERE name = 'harbour.example'")" = 1 ]; }
await has_zone tacoma || bad 'the zone does not come to tacoma'
timed tacoma "INSERT INTO records (domain_id, name, type, content, ttl)
SELECT id, 'www.harbour.example', 'A', '192.0.2.10', 300 FROM domains WHERE name = 'harbour.example'" spokane www.harbour.example 192.0.2.10
show_dig spokane www.harbour.example
check_answer spokane harbour.example NS 'ns1.harbour.example. ns2.harbour.example.'
timed spokane "UPDATE records SET content = '192.0.2.20' WHERE name = 'www.harbour.example' AND type = 'A'" seattle www.harbour.example 192.0.2.20
status_at tacoma
check_same

heading '4. A real zone: a university, some 400 records of 28 types, loaded by PowerDNS'\''s own tool at seattle'
command_line "pdnsutil load-zone ashford.example ashford.example.zone        (at seattle)"
before=$EPOCHREALTIME
pdnsutil --config-dir="$dir/pdns-seattle" load-zone ashford.example "$zone_file" 2>&1 | indent
((PIPESTATUS[0] == 0)) || bad 'pdnsutil could not load the zone'
loaded=$(value seattle "SELECT count(*) FROM records r JOIN domains d ON d.id = r.domain_id WHERE d.name = 'ashford.example' AND r.type IS NOT NULL")
arrived() { [ "$(value "$1" "SELECT count(*) FROM records r JOIN domains d ON d.id = r.domain_id WHERE d.name = 'ashford.example' AND r.type IS NOT NULL")" = "$loaded" ]; }
for site in tacoma spokane; do await arrived "$site" || bad "the zone does not come to $site"; done
printf '    %s records loaded; all of them at all sites %.1f s after the start of the command\n' "$loaded" \
    "$(seconds_since "$before")"
transfer() { dig +noall +answer +time=5 -p "${dns[$1]}" @127.0.0.1 ashford.example AXFR | awk '{ $1 = $1; print }' | sort; }
for site in "${sites[@]}"; do transfer "$site" >"$dir/axfr-$site"; done
check 'the zone has some hundred records' "$((loaded > 300))" 1
tell '' '  A zone transfer from each of the three PowerDNS servers, compared line by line:'
for site in tacoma spokane; do
    if [ -s "$dir/axfr-seattle" ] && diff "$dir/axfr-seattle" "$dir/axfr-$site" >"$dir/diff"; then
        good "$site transfers the same $loaded records as seattle"
    else bad "$site transfers another zone than seattle"; head -n 10 "$dir/diff" | indent; fi
done
show_dig spokane _sip._udp.ashford.example SRV
show_dig spokane anything.people.ashford.example MX
show_dig spokane ashford.example HTTPS

heading '5. The link of spokane is cut'
cut spokane
tell 'Every link here runs through a small TCP forwarder; the four of spokane have just been killed. Spokane is alone now.' \
     'Its PowerDNS goes on answering, its people go on writing, and so do the others.'
alone() { [ "$(value "$1" "SELECT count(*) FROM dnsrepl.status WHERE state = 'streaming'")" = "$2" ]; }
await alone spokane 0; await alone seattle 1; await alone tacoma 1
status_at spokane
status_at seattle
check 'spokane knows that it is alone' "$(value spokane "SELECT count(*) FROM dnsrepl.status WHERE state = 'streaming'")" 0
tell '' 'Both sides add names of their own, and both sides change the same name, seattle first:'
timed seattle "UPDATE records SET content = '198.51.100.1' WHERE name = 'www.harbour.example' AND type = 'A'" tacoma www.harbour.example 198.51.100.1
do_sql tacoma "INSERT INTO records (domain_id, name, type, content, ttl)
SELECT id, 'ferry.harbour.example', 'A', '192.0.2.30', 300 FROM domains WHERE name = 'harbour.example'"
timed spokane "UPDATE records SET content = '203.0.113.1' WHERE name = 'www.harbour.example' AND type = 'A'" spokane www.harbour.example 203.0.113.1
do_sql spokane "INSERT INTO records (domain_id, name, type, content, ttl)
SELECT id, 'falls.harbour.example', 'A', '192.0.2.40', 300 FROM domains WHERE name = 'harbour.example'"
do_sql spokane "DELETE FROM records WHERE name = 'telescope.ashford.example'"
tell ''
show_answers() {
    tell ''
    printf '    %-10s %-22s %-22s %-22s %s\n' '' www.harbour.example ferry.harbour.example falls.harbour.example telescope.ashford.example
    local site name row
    for site in "${sites[@]}"; do
        row=()
        for name in www.harbour ferry.harbour falls.harbour telescope.ashford; do row+=("$(lookup "$site" $name.example)"); done
        printf '    %-10s %-22s %-22s %-22s %s\n' "$site" "${row[0]:--}" "${row[1]:--}" "${row[2]:--}" "${row[3]:--}"
    done
}
check_answer tacoma ferry.harbour.example A 192.0.2.30
check_answer seattle ferry.harbour.example A 192.0.2.30
check 'the sides serve different answers for www' "$(lookup seattle www.harbour.example)/$(lookup spokane www.harbour.example)" 198.51.100.1/203.0.113.1
show_answers
status_at seattle

heading '6. The link comes back'
before=$EPOCHREALTIME
heal spokane
await links_in spokane 2; await links_in seattle 2; await links_in tacoma 2
await same_digest
printf 'Everybody agrees again %.1f s after it:\n' "$(seconds_since "$before")"
show_answers
tell '' '  Where only one side had written, its writing is everywhere. Where both had, the later one stands, at every site.'
for site in "${sites[@]}"; do
    check_answer "$site" www.harbour.example A 203.0.113.1
    check_answer "$site" ferry.harbour.example A 192.0.2.30
    check_answer "$site" falls.harbour.example A 192.0.2.40
    check_answer "$site" telescope.ashford.example A ''
done
for site in "${sites[@]}"; do status_at "$site"; done
check_same

heading 'Done'
if ((failures > 0)); then printf '%s%d things were not as they should be.%s\n' "$red" $failures "$plain"; exit 1; fi
printf 'All as it should be, in %.0f seconds. Nothing is left running.\n' "$(seconds_since "$started")"
