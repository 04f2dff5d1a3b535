# For bash scripts that need servers for a while (source it): everything below one temporary folder, everything on
# loopback, everything gone when the script ends.
#   $dir  the folder; ${pg[NAME]} a server's port; make_server NAME PORT [LINES FOR postgresql.conf]; value NAME SQL;
#   run NAME COMMAND... and end NAME for other processes; await COMMAND... asks again for at most $patience seconds
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
patience=${DNSREPL_PATIENCE:-30}
dir=$(mktemp -d "${TMPDIR:-/tmp}/dnsrepl.XXXXXX") || exit 2
declare -A pg pid
at_end=:                             # a command to run first when the script ends; it sees $status

finish() {
    status=$?
    trap '' HUP INT TERM
    $at_end
    local name
    for name in "${!pid[@]}"; do end "$name"; done
    for name in "${!pg[@]}"; do
        if [ -f "$dir/$name/postmaster.pid" ]; then pg_ctl -D "$dir/$name" -m immediate -w stop >/dev/null 2>&1; fi
    done
    rm -rf "$dir"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' HUP INT TERM

stop_here() { printf '%s\n' "$*" >&2; exit 1; }
seconds_since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }'; }

free_ports() {
    perl -MIO::Socket::INET -e '
        my @s = map { IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 0, Listen => 1) or die } 1 .. shift;
        print join(" ", map { $_->sockport } @s), "\n"' "$1"
}
port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1"); }

run() { local name=$1; shift; "$@" >"$dir/$name.out" 2>&1 </dev/null & pid[$name]=$!; }
end() { if [ -n "${pid[$1]:-}" ]; then kill "${pid[$1]}" 2>/dev/null; wait "${pid[$1]}" 2>/dev/null; unset "pid[$1]"; fi; }

await() {
    local end=$((SECONDS + patience))
    until "$@" >/dev/null 2>&1; do
        if ((SECONDS >= end)); then return 1; fi
        sleep 0.02
    done
}

# The settings with which a server takes dnsrepl from tmp_install.
staged() {
    local stage=$root/tmp_install major
    major=$($PG_CONFIG --version | sed 's/^PostgreSQL \([0-9]*\).*/\1/')
    if ((major >= 18)); then echo "extension_control_path = '$stage$($PG_CONFIG --sharedir):\$system'"
    else echo "extension_destdir = '$stage'"; fi
    echo "dynamic_library_path = '$stage$($PG_CONFIG --pkglibdir):\$libdir'"
    echo "shared_preload_libraries = 'dnsrepl'"
    echo "dnsrepl.databases = 'pdns'"
}

# A running server with an empty database pdns. Without lines of one's own: with dnsrepl preloaded.
make_server() {
    local name=$1 port=$2
    pg[$name]=$port
    initdb -D "$dir/$name" -A trust -N -U postgres --locale=C.UTF-8 -E UTF8 >"$dir/$name.initdb" 2>&1 ||
        { cat "$dir/$name.initdb" >&2; return 1; }
    cat >>"$dir/$name/postgresql.conf" <<END
listen_addresses = '127.0.0.1'
unix_socket_directories = '$dir'
port = $port
max_worker_processes = 32
log_min_messages = info
log_line_prefix = '%m [%p] %d '
${3-$(staged)}
END
    start_server "$name" && psql -X -q -h "$dir" -p "$port" -U postgres -d postgres -c 'CREATE DATABASE pdns'
}
start_server() { pg_ctl -D "$dir/$1" -l "$dir/$1.log" -w -t "$patience" start >/dev/null; }
stop_server()  { pg_ctl -D "$dir/$1" -m fast -w -t "$patience" stop >/dev/null; }

psql_at() { local name=$1; shift; psql -X -q -v ON_ERROR_STOP=1 -h "$dir" -p "${pg[$name]}" -U postgres -d pdns "$@"; }
value()   { psql_at "$1" -At -c "$2"; }
