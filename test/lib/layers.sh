#!/bin/sh
# The include rule of src/README: a folder includes only from folders below it.
#   dns < type < store < zone < {write, merge, ship, decode} < status < setup < src/*.c
# Folders of one level do not know each other. Headers right in src/ are open to everybody. Besides:
# only dns/ includes ldns, and only compat.h asks for a PostgreSQL version. SQL calls no function by a name in the schema of
# the types, where others may have made one of that name: by a cast, or by its twin in schema dnsrepl (store/user_table.sql).
cd "$(dirname "$0")/../.." || exit 2
if grep -n '@extschema@\.[a-z_]*(' src/[!t]*/*.sql | grep -v 'FUNCTION [a-z@]*\.'; then
    echo 'a function is called in the schema of the types'
    exit 1
fi
find src -name '*.[ch]' | sort | xargs awk '
    BEGIN {
        split("dns 0 type 1 store 2 zone 3 write 4 merge 4 ship 4 decode 4 status 5 setup 6", p, " ")
        for (i = 1; i in p; i += 2)
            level[p[i]] = p[i + 1]
    }
    function fault(text) { print FILENAME ":" FNR ": " text; faults++ }
    FNR == 1 {
        n = split(FILENAME, part, "/")
        from = n == 3 ? part[2] : ""
        if (n > 3 || (from != "" && !(from in level)))
            fault("unknown folder: add it to the layers")
    }
    /^#[ \t]*include[ \t]*"[a-z]+\/[a-z_]+\.h"/ {
        split($0, q, "\"")
        split(q[2], part, "/")
        to = part[1]
        if ((to in level) && from != "" && to != from && level[to] >= level[from])
            fault(from "/ must not include " q[2])
    }
    /^#[ \t]*include.*ldns/ && from != "dns" { fault("only src/dns includes ldns") }
    /PG_VERSION_NUM/ && FILENAME != "src/compat.h" { fault("PG_VERSION_NUM belongs into src/compat.h") }
    END { exit faults > 0 }'
