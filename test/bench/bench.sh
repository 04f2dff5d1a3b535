#!/bin/bash
# `make bench`: what dnsrepl costs, and how fast it is, against a bare PostgreSQL in the same run. PARTS chooses some:
#   peers    two nodes: bulk, transactions, latency, absence, joining; BIND and Knot
#   scale    what grows with the number of records
#   zone     one zone of many records: replaced, imported, deleted
#   mesh     eight peers of one node, a chain, a ring
#   slow     a link of 300 ms and 1 Mbit/s that loses packets
#   answers  PowerDNS from the typed tables and from its own
here=$(cd "$(dirname "$0")" && pwd)
for part in ${PARTS:-peers scale zone mesh slow answers}; do
    bash "$here/$part.sh" || { echo "bench: $part failed" >&2; exit 1; }
    echo
done
