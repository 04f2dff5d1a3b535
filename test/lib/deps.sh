#!/bin/sh
# Installs the Debian packages that building, testing or showing dnsrepl needs, if any is missing.
#   deps.sh install GROUP...     groups: build test demo bench lint fuzz coverage valgrind
# As root or with sudo it installs; else it says what to install and fails. Installing leaves no service running
# that was not there before, and no database cluster either.
set -eu

# The PostgreSQL that is here, else the distribution's own.
server_major() {
    major=$("${PG_CONFIG:-pg_config}" --version 2>/dev/null | sed -n 's/^PostgreSQL \([0-9]*\).*/\1/p')
    if [ -z "$major" ]; then
        major=$(apt-cache depends postgresql 2>/dev/null | sed -n 's/^ *Depends: postgresql-\([0-9]*\)$/\1/p' | head -n 1)
    fi
    echo "${major:-15}"
}

packages() {
    for group in "$@"; do
        case $group in
            bench)    packages demo; echo bind9 knot dnsperf ;;
            build)    echo gcc libc6-dev "postgresql-server-dev-$major" libpq-dev libldns-dev ;;
            demo)     echo "postgresql-$major" pdns-server pdns-backend-pgsql bind9-dnsutils curl perl ;;
            test)     packages demo; echo libipc-run-perl libdbd-pg-perl ldnsutils pdns-tools bind9-utils knot-dnssecutils bind9 knot libfaketime ;;
            lint)     echo cppcheck ;;
            fuzz)     echo clang ;;
            coverage) echo lcov ;;
            valgrind) echo valgrind ;;
            *)        echo "deps.sh: no group \"$group\"" >&2; exit 2 ;;
        esac
    done
}

missing() {
    for package in "$@"; do
        dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || echo "$package"
    done
}

# Runs as root, from here down: apt starts no daemon and makes no database cluster meanwhile.
install_quietly() {
    export DEBIAN_FRONTEND=noninteractive
    policy=/usr/sbin/policy-rc.d
    cluster=/etc/postgresql-common/createcluster.conf
    trap restore EXIT
    trap 'exit 1' HUP INT TERM
    saved=$(mktemp -d)
    if [ -e $policy ]; then cp -p $policy "$saved/policy"; fi
    printf '#!/bin/sh\nexit 101\n' > $policy
    chmod 755 $policy

    apt-get update -q || echo 'deps.sh: apt-get update failed, trying with the lists that are here' >&2
    server_major >/dev/null
    case " $* " in
        *" postgresql-"[0-9]*)
            apt-get install -q -y --no-install-recommends postgresql-common
            cp -p $cluster "$saved/cluster"
            echo 'create_main_cluster = false' >> $cluster ;;
    esac
    apt-get install -q -y --no-install-recommends "$@"
    # Nor do DNS servers take port 53 at the next start of the machine.
    if command -v systemctl >/dev/null; then
        case " $* " in *" pdns-server "*) systemctl -q disable pdns || true ;; esac
        case " $* " in *" bind9 "*) systemctl -q disable named || true ;; esac
        case " $* " in *" knot "*) systemctl -q disable knot || true ;; esac
    fi
}

restore() {
    if [ -e "$saved/policy" ]; then cp -p "$saved/policy" $policy; else rm -f $policy; fi
    if [ -e "$saved/cluster" ]; then cp -p "$saved/cluster" $cluster; fi
    rm -rf "$saved"
}

case ${1:-} in
    install) shift ;;
    as-root) shift; install_quietly "$@"; exit ;;
    *) sed -n '2,5s/^# *//p' "$0"; exit 2 ;;
esac

if ! command -v dpkg-query >/dev/null; then exit 0; fi   # not Debian: the compiler and the tests will say what is missing
major=$(server_major)
list=$(missing $(packages "$@" | tr ' ' '\n' | sort -u))
if [ -z "$list" ]; then exit 0; fi
list=$(echo $list)

if [ "$(id -u)" = 0 ]; then
    root=
elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; }; }; then
    root=sudo
else
    echo "dnsrepl needs these packages: $list" >&2
    echo "Install them as root (apt-get install $list), then come back." >&2
    exit 1
fi
echo "Installing: $list"
$root "$0" as-root $list
