--
-- Zones as text: import_zone(), export_zone(), diff().
--
CREATE DATABASE regress_zone_file;
\c regress_zone_file
\set SHOW_CONTEXT never
SET client_min_messages = error;
CREATE EXTENSION dnsrepl;
SELECT dnsrepl.setup('here');
RESET client_min_messages;

SELECT $zone$
; a comment
$ORIGIN example.org.
$TTL 1h30m
@       IN SOA  ns1 hostmaster.example.org. (
                2026112501 ; serial
                2h         ; with a unit
                15m 2w 1h )
$zone$ AS file \gset
SELECT * FROM dnsrepl.zone_file(:'file', 'example.org');
SELECT $zone$
; a comment
$ORIGIN example.org.
$TTL 1h30m
@       IN SOA  ns1 hostmaster.example.org. (
                2026112501 ; serial
                7200
                900 1209600 3600 )
        NS      ns1
	IN 300 NS ns2.example.net.
        MX      10 Mail
        MX      20 mail.example.net.
        TXT     "v=spf1 mx -all" "; no comment" unquoted
        CAA     0 issue "ca.example.net; account=1"
ns1  60 A       192.0.2.1
     IN AAAA    2001:DB8::1
Mail    IN 120  A 192.0.2.2
$ORIGIN sub.example.org.
www     CNAME   @
@       A       192.0.2.3
        HTTPS   1 . alpn=h2,h3 ipv4hint=192.0.2.3
        SRV     1 2 443 www
a\.b    TXT     "a\"b\\c" "\195\164"
*       ALIAS   www.example.net.
lua     LUA     A "ifportup(443, {'192.0.2.1'})"
x       TYPE65280 \# 3 010203
        RP      admin .
        NAPTR   100 10 "S" "SIP+D2U" "" _sip._udp
        LOC     51 30 12.748 N 0 7 39.612 W 0m
        SSHFP   4 2 123456789abcdef67890123456789abcdef67890123456789abcdef123456789
        RRSIG   A 13 3 300 20261201000000 20261101000000 1 example.org. AAAA
$zone$ AS file \gset
SELECT name, type, ttl, prio, data FROM dnsrepl.zone_file(:'file', 'example.org');
SELECT * FROM dnsrepl.import_zone(:'file', 'example.org');
SELECT dnsrepl.export_zone('example.org') AS zone \gset
\echo :zone
SELECT * FROM dnsrepl.diff('example.org', :'zone');
-- again: nothing is to be done, and nothing is
SELECT * FROM dnsrepl.import_zone(:'file', 'example.org');
SELECT * FROM dnsrepl.import_zone(:'zone', 'example.org');
SELECT count(*), count(DISTINCT stamp) FROM dnsrepl.version;

-- a record less, one more, one other
SELECT replace(replace(:'zone', 'sub.example.org. 5400 IN A 192.0.2.3', 'sub.example.org. 5400 IN A 192.0.2.33'), 'ns1.example.org. 60 IN A 192.0.2.1', 'ns1.example.org. 60 IN A 192.0.2.1
ns1.example.org. 60 IN A 192.0.2.11') AS zone \gset
SELECT * FROM dnsrepl.diff('example.org', :'zone');
SELECT * FROM dnsrepl.import_zone(:'zone', 'example.org');
SELECT * FROM dnsrepl.diff('example.org', :'zone');
-- the serial has risen; one that is ahead is taken, one that is not is not
SELECT split_part(content, ' ', 3) FROM records WHERE type = 'SOA';
SELECT * FROM dnsrepl.import_zone('@ 5400 SOA ns1 hostmaster 2026112600 7200 900 1209600 3600', 'example.org', replace => false);
SELECT * FROM dnsrepl.import_zone(regexp_replace(:'zone', '2026112501', '2026112600'), 'example.org');
SELECT split_part(content, ' ', 3) FROM records WHERE type = 'SOA';

-- in addition
SELECT * FROM dnsrepl.import_zone('more 60 A 192.0.2.50
mail 120 A 192.0.2.2', 'example.org', replace => false);
SELECT name, ttl, content FROM records WHERE type = 'A' ORDER BY name, content;
-- what is disabled stays, and is not exported
UPDATE records SET disabled = true WHERE name = 'more.example.org';
SELECT dnsrepl.export_zone('example.org') ~ 'more.example.org' AS exported, count(*) FROM dnsrepl.diff('example.org', :'zone');

-- what is wrong with a file is told at once, and nothing is done
SELECT * FROM dnsrepl.import_zone('a A 192.0.2.1
$TTL 1x
$TTL 60
b A 192.0.2.300
c.example.net. A 192.0.2.1
d MX mail
e ( A 192.0.2.1
f A 192.0.2.1', 'example.org');
SELECT * FROM dnsrepl.import_zone('$TTL 60
 A 192.0.2.1
a CH A 192.0.2.1
a FOO x
a 60 IN
a..b A 192.0.2.1
a TXT "open
b TXT "x" )
$INCLUDE other
$FOO bar
$ORIGIN
c 99999999999 A 192.0.2.1
d CERT PKIX 1 1 AAAA
e A 192.0.2.1 2', 'example.org');
SELECT * FROM dnsrepl.import_zone('a 60 A 192.0.2.1
a 60 CNAME b', 'example.org', false);
SELECT dnsrepl.export_zone('example.net');
SELECT * FROM dnsrepl.import_zone('www 60 A 192.0.2.1', 'example.net');
SELECT * FROM dnsrepl.import_zone('', 'example.org');
SELECT * FROM dnsrepl.import_zone('', 'example.net', false);
SELECT dnsrepl.export_zone('example.net') IS NULL AS empty;
-- the root, and an escaped dot at the end
SELECT * FROM dnsrepl.zone_file('. 60 NS a.root-servers.net
a\. 60 A 192.0.2.1
@ 60 NS @', '.');
-- somebody else, with rights on the tables (doc/reference.md)
CREATE ROLE regress_zone_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON domains, records, domainmetadata TO regress_zone_writer;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO regress_zone_writer;
GRANT USAGE ON SCHEMA dnsrepl TO regress_zone_writer;
GRANT SELECT ON dnsrepl.tab TO regress_zone_writer;
GRANT EXECUTE ON FUNCTION dnsrepl.import_zone, dnsrepl.export_zone, dnsrepl.diff, dnsrepl.zone_file, dnsrepl.zone_records, dnsrepl.soa_content,
  dnsrepl.domain_id, dnsrepl.rows_of, dnsrepl.execute_as_owner, dnsrepl.record, dnsrepl.rdata
  TO regress_zone_writer;
SET ROLE regress_zone_writer;
SELECT * FROM dnsrepl.import_zone('@ 60 SOA a b 1 2 3 4 5
@ 60 NS a.example.org.', 'writer.example');
SELECT dnsrepl.export_zone('writer.example');
SELECT * FROM dnsrepl.diff('writer.example', '@ 60 SOA a b 1 2 3 4 5');
RESET ROLE;
DROP OWNED BY regress_zone_writer;
DROP ROLE regress_zone_writer;
\c postgres
DROP DATABASE regress_zone_file;
