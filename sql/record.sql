-- The check of one record: what PowerDNS 4.7 writes and serves is good, what it cannot serve or nobody should store is not.
CREATE SCHEMA record_test;
SET search_path = record_test, public;

CREATE TABLE content (id serial, type text, content text);
INSERT INTO content (type, content) VALUES
  ('A', '1.2.3.4'),
  ('A', '1.2.3.4 5'),
  ('AAAA', '::ffff:1.2.3.4'),
  ('TXT', 'unquoted'),
  ('TXT', '"a;b" "c(d"'),
  ('TXT', '"ÿ"'),
  ('SSHFP', '1 1 aabb zz'),
  ('SSHFP', '1 100 AABB CC'),
  ('CAA', '0 issue "le; x=y"'),
  ('CAA', '0 issue ";"'),
  ('HTTPS', '1 . alpn=h2,h3 ipv4hint=auto'),
  ('HTTPS', '1 . ipv4hint=auto'),
  ('HTTPS', '1 . alpn="h2,h3" ech="AAAA"'),
  ('HTTPS', '0 foo.bar'),
  ('HTTPS', '1 . key65333=foo mandatory=alpn alpn=h2'),
  ('SVCB', '1 foo no-default-alpn alpn=h2 port=853'),
  ('SVCB', '1 . key7="/dns-query{?dns}"'),
  ('SVCB', '1 . dohpath="/dns-query{?dns}"'),
  ('LOC', '51 56 0.123 N 5 54 22.000 E 4.00m 1.00m 10000.00m 10.00m'),
  ('LOC', '32 7 19 S 116 2 25 E 10'),
  ('URI', '10 1 "https://x/y;z"'),
  ('RP', 'a;b.example.org txt.example'),
  ('NSEC', 'a.b A NS'),
  ('NSEC3PARAM', '1 0 10 -'),
  ('NSEC3', '1 0 10 - 2vptu5timamqttgl4luu9kg21e0aor3s A RRSIG'),
  ('NSEC3', '1 0 10 aabb 2vptu5timamqttgl4luu9kg21e0aor3s'),
  ('DNSKEY', '257 3 8 AwEAAaz/tAm8yTn4Mfeh5eyI96WSVexTBAvkMgJzkKTOiW1vkIbzxeF3'),
  ('DS', '12345 8 250 aabb'),
  ('DS', '12345 8 2 0123456789012345678901234567890123456789012345678901234567890123'),
  ('CDS', '0 0 0 00'),
  ('CDNSKEY', '0 3 0 AA=='),
  ('APL', '1:10.0.0.0/8 !2:fe80::/10'),
  ('APL', ''),
  ('HINFO', '"i386" "Linux"'),
  ('HINFO', 'i386 Linux'),
  ('IPSECKEY', '10 1 2 192.0.2.38 AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ=='),
  ('IPSECKEY', '255 0 0'),
  ('CERT', '1 0 0 MIIC'),
  ('CERT', 'PKIX 0 0 MIIC'),
  ('KX', '10 foo.bar'),
  ('AFSDB', '1 foo.bar'),
  ('EUI48', '00-11-22-33-44-55'),
  ('L32', '10 10.1.2.0'),
  ('NID', '10 0014:4fff:ff20:ee64'),
  ('LP', '10 foo.bar'),
  ('CSYNC', '66 3 A NS AAAA'),
  ('CSYNC', '66 3'),
  ('ZONEMD', '2018031900 1 1 c68090d90a7aed71 6bc459f9340e3d7c 1370d4d24b7e2fc3 a1ddc0b9a87153b9 a9713b3c9ae5cc27 777f98b8e730044c'),
  ('TLSA', '3 1 1 0123456789012345678901234567890123456789012345678901234567890123'),
  ('SMIMEA', '3 1 1 0123'),
  ('OPENPGPKEY', 'AAAA'),
  ('DHCID', 'AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA='),
  ('MB', 'foo'),
  ('MINFO', 'a.b c.d'),
  ('TKEY', 'gss. 1 2 3 4 0 0'),
  ('RKEY', '0 255 1 AQNR'),
  ('A6', '0 ::1'),
  ('A6', '\# 4 00010203'),
  ('TYPE65534', '\# 2 0001'),
  ('TYPE65534', '\#0'),
  ('TYPE65534', '\# 0'),
  ('A', '\# 4 0a000001'),
  ('A', '\# 5 0a00000101'),
  ('LUA', 'A "ifportup(443, {''1.2.3.4''})"'),
  ('LUA', 'CNAME "x" "y"'),
  ('ALIAS', 'foo.bar'),
  ('SOA', 'ns1.example.org hostmaster.example.org 1 10800 3600 604800 3600'),
  ('SOA', 'ns1.example.org hostmaster.example.org 1'),
  ('SOA', 'a@b c 4294967296 1 1 1 1'),
  ('SRV', '0 5060 sip.example.com'),
  ('MX', '.'),
  ('MX', '10 mail.example.org'),
  ('NAPTR', '100 10 "" "" "" foo.bar'),
  ('NAPTR', '100 10 "S" "SIP+D2U" "" _sip._udp.example.org'),
  ('NULL', '\# 0'),
  ('WKS', '1.2.3.4 tcp smtp'),
  ('WKS', '\# 6 010203040640'),
  ('GPOS', '-32.6882 116.8652 10.0'),
  ('DLV', '12345 8 250 aabb'),
  ('SIG', 'A 8 3 300 20260101000000 20250101000000 12345 e.org. aabb'),
  ('RRSIG', 'A 8 3 300 20260101000000 20250101000000 12345 e.org AwEA'),
  ('TXT', '"abc'),
  ('TXT', '"a\300b"'),
  ('TXT', '"a\200b"'),
  ('AMTRELAY', '10 0 1 1.2.3.4'),
  ('SPF', 'unq'),
  ('TXT', '"a	b"'),
  ('TXT', '""'),
  ('TXT', ''),
  ('HTTPS', '1 . key65333="a b"'),
  ('TYPE65534', '\# 0 '),
  ('CAA', '0 issue "ca.example; a=\"b\""'),
  ('CAA', '0 issue ""'),
  ('NAPTR', '100 10 "U" "E2U+sip" "!^.*$!sip:x\\\\1@e!" .'),
  ('IPSECKEY', '10 0 2 AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ=='),
  ('IPSECKEY', '10 3 2 gw.example AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ=='),
  ('IPSECKEY', '10 1 2 192.0.2.38'),
  ('PTR', 'a;b.example'),
  ('PTR', 'a(b").example'),
  ('MX', 'mail.example.'),
  ('MX', '10 mail.example'),
  ('MX', 'a\.b.example'),
  ('SRV', '0 99999 a'),
  ('A', ' 192.0.2.1'),
  ('A', '192.0.2.1 '),
  ('KX', '-1 a'),
  ('DS', '99999 8 2 00'),
  ('DS', '1 ECDSAP256SHA256 2 00'),
  ('LUA', 'TXT ";a=''x'' return a"'),
  ('LUA', 'TXT x'),
  ('TXT', '"a" b'),
  ('RRSIG', 'A 8 3 300 20260101000000 20250101000000 12345 e.org AwEA'),
  ('NSEC', 'a.b A FOO'),
  ('ANY', 'x'),
  ('OPT', 'x'),
  ('AXFR', 'x'),
  ('ADDR', '1.2.3.4');

SELECT type, content FROM content WHERE dnsrepl.record_error('a.b', type, 60, 10, content) IS NULL ORDER BY id;
SELECT type, content, regexp_replace(dnsrepl.record_error('a.b', type, 60, 10, content), '^(content) ".*": ', '\1: ') AS error
FROM content WHERE dnsrepl.record_error('a.b', type, 60, 10, content) IS NOT NULL ORDER BY id;

-- the other columns
SELECT dnsrepl.record_error(NULL, 'A', 60, 0, '192.0.2.1');
SELECT dnsrepl.record_error('a..b', 'A', 60, 0, '192.0.2.1');
SELECT dnsrepl.record_error('', 'A', 60, 0, '192.0.2.1');
SELECT dnsrepl.record_error('a.b', 'FOO', 60, 0, '192.0.2.1');
SELECT dnsrepl.record_error('a.b', 'A', -1, 0, '192.0.2.1');
SELECT dnsrepl.record_error('a.b', 'A', 60, 0, NULL);
SELECT dnsrepl.record_error('a.b', 'MX', 60, NULL, 'c.d');
SELECT dnsrepl.record_error('a.b', 'MX', 60, 65536, 'c.d');
SELECT dnsrepl.record_error('a.b', 'SRV', 60, -1, '0 0 c.d');
-- nothing wrong: no TTL, no priority where there is none, the empty non-terminal, a long string
SELECT dnsrepl.record_error('a.b', 'A', NULL, NULL, '192.0.2.1'), dnsrepl.record_error('a.b', 'A', 1, -7, '192.0.2.1'),
       dnsrepl.record_error('a.b', NULL, NULL, NULL, NULL), dnsrepl.record_error('a.b', 'TXT', 1, 0, '"' || repeat('x', 3000) || '"'),
       dnsrepl.record_error('a.b', 'TXT', 1, 0, repeat(E'x\\"', 700));
SELECT rr('a.b', 'TXT', 1, 0, '"' || repeat('x', 256) || '"');
SELECT dnsrepl.record_error('a.b', 'TXT', 1, 0, '"' || repeat('ü', 40000) || '"');
SELECT dnsrepl.record_error('a.b', 'OPENPGPKEY', 1, 0, repeat('A', 65532));

SET client_min_messages = warning;
DROP SCHEMA record_test CASCADE;
