-- Type rr.
CREATE SCHEMA rr_test;
SET search_path = rr_test, public;

SELECT t::rr FROM unnest(ARRAY[
  'www.example. 300 IN A 192.0.2.1', 'WWW.Example 300 a 192.0.2.1', 'a. IN 60 AAAA 2001:DB8::1', '. 1 NS a.root-servers.net',
  'a 1 MX 10 Mail.Example.', 'a 1 TXT "a b" c "q\"\\\010;"', 'a 1 SRV 1 2 3 X.y', 'a 1 SOA Ns.a Root.a 1 2 3 4 5',
  'a 1 CAA 0 issue "ca.example; x=y"', 'a 1 NAPTR 100 10 "U" "E2U+sip" "!^.*$!sip:x@e!" .', 'a 1 HTTPS 1 . alpn=h2,h3 port=443',
  'a 1 SSHFP 1 200 AABB', 'a 1 LOC 51 56 0.123 N 5 54 22 E 4m', 'a 1 DS 12345 8 250 AA BB', 'a 1 NSEC3 1 0 10 - 2vptu5timamqttgl4luu9kg21e0aor3s A',
  'a 1 ALIAS Foo.', 'a 1 LUA A "return 1"', 'a 1 TYPE65534 \# 3 00 0102', 'a 1 TYPE1 \# 4 c0000201', 'a 1 X25 "311"', 'a 1 WKS \# 6 010203040640',
  'a 1 IPSECKEY 10 0 2 . AAAA', 'a 1 APL 1:10.0.0.0/8']) t;

-- what is no record, and why
CREATE FUNCTION why(t text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE d text;
BEGIN
  RETURN 'good: ' || t::rr::text;
EXCEPTION WHEN invalid_text_representation THEN
  GET STACKED DIAGNOSTICS d = PG_EXCEPTION_DETAIL;
  RETURN d;
END $$;
SELECT t, why(t) FROM unnest(ARRAY['', 'a', 'a 1', 'a 1 IN', 'a A 192.0.2.1', 'a..b 1 A 192.0.2.1', 'a 1 A 192.0.2', 'a 1 A 192.0.2.1 x', 'a 4294967296 A 192.0.2.1',
  'a 1 FOO x', 'a 1 ANY x', 'a 1 MX a', 'a 1 MX 65536 a', 'a 1 MX 1', 'a 1 MX 1 a..b', 'a 1 SOA a b 1 2 3 4', 'a 1 TXT', 'a 1 TXT "x', 'a 1 A \# 3 000000',
  'a 1 A \# 4 0000', 'a 1 A \# 4 0000000g', 'a 1 DS 99999 8 2 00', 'a 1 DS 1 256 2 00', 'a 1 KX -1 a', 'a 1 NSEC a FOO', 'a 1 NULL x', 'a 1 WKS 1.2.3.4 tcp smtp',
  'a 1 IPSECKEY 10 4 2 . AAAA', 'a 1 CAA 0 is-sue "x"', E'a 1 TXT x\ny', 'a 1 CH A 1.2.3.4', 'a 1 SSHFP 1 1 x']) t;
SELECT 'a 1 A 192.0.2'::rr;

-- canonical order and equality: owner, type, rdata on the wire, TTL
SELECT r FROM unnest(ARRAY['b. 1 A 1.1.1.1', 'a.b. 1 A 1.1.1.1', 'b 1 A 1.1.1.0', 'b 2 A 1.1.1.1', 'b 1 TXT "a"', 'b 1 TXT "" ""', 'b 1 NS a', 'B. 1 ns A.']::rr[]) r ORDER BY r;
SELECT 'a 1 MX 1 B.'::rr = 'A. 1 IN MX 01 b'::rr AS eq, 'a 1 TXT "A"'::rr = 'a 1 TXT "a"'::rr AS txt_keeps_case,
       rr_hash('a 1 MX 1 B.') = rr_hash('A. 1 IN MX 01 b') AS hash;
SELECT count(*), count(DISTINCT r) FROM unnest(ARRAY['a 1 A 1.1.1.1', 'A. 1 A 1.1.1.1', 'a 2 A 1.1.1.1']::rr[]) r;

-- parts
SELECT owner(r), ttl(r), type(r), rdata(r) FROM (VALUES ('WWW.a 300 MX 10 Mail'::rr)) v (r);
SELECT rr('a.b', 60, 'MX', '10 c.d'), rr('a.b', 'MX', 60, 10, 'c.d'), rr('a.b', 'A', 60, NULL, '192.0.2.1'), rr('a.b', 'A', NULL, 0, '192.0.2.1');
SELECT rr('a.b', 60, 'MX', 'c.d');
SELECT rr('a.b', 'MX', 60, NULL, 'c.d');
SELECT rr('a.b', -1, 'A', '192.0.2.1');

-- binary: as in a message
SELECT rr_send('a 1 MX 10 b.c');
SET bytea_output = hex;
CREATE TABLE record (r rr);
INSERT INTO record VALUES ('a 1 A 192.0.2.1'), ('b 1 TXT "x"'), ('c 1 TYPE65534 \# 2 0001'), ('d 1 LUA A "x"');
CREATE UNIQUE INDEX ON record (r);
INSERT INTO record VALUES ('A. 1 IN A 192.0.2.1');
ANALYZE record;
SELECT r::text::rr = r AS same FROM record;
COPY record TO STDOUT;

-- binary: taken apart with distrust
CREATE TABLE taken (r rr);
COPY taken FROM PROGRAM $$printf 'PGCOPY\012\377\015\012\000\000\000\000\000\000\000\000\000\000\001\000\000\000\021\001A\000\000\001\000\001\000\000\000\074\000\004\300\000\002\001\377\377'$$ (FORMAT binary);
COPY taken FROM PROGRAM $$printf 'PGCOPY\012\377\015\012\000\000\000\000\000\000\000\000\000\000\001\000\000\000\022\001a\000\000\017\000\001\000\000\000\074\000\005\000\012\001B\000\377\377'$$ (FORMAT binary);
COPY taken FROM PROGRAM $$printf 'PGCOPY\012\377\015\012\000\000\000\000\000\000\000\000\000\000\001\000\000\000\021\001a\000\000\017\000\001\000\000\000\074\000\004\000\012\300\000\377\377'$$ (FORMAT binary);
COPY taken FROM PROGRAM $$printf 'PGCOPY\012\377\015\012\000\000\000\000\000\000\000\000\000\000\001\000\000\000\021\001a\000\000\001\000\003\000\000\000\074\000\004\300\000\002\001\377\377'$$ (FORMAT binary);
COPY taken FROM PROGRAM $$printf 'PGCOPY\012\377\015\012\000\000\000\000\000\000\000\000\000\000\001\000\000\000\020\001a\000\000\001\000\001\000\000\000\074\000\003\300\000\002\377\377'$$ (FORMAT binary);
COPY taken FROM PROGRAM $$printf 'PGCOPY\012\377\015\012\000\000\000\000\000\000\000\000\000\000\001\000\000\000\015\001a\000\000\377\000\001\000\000\000\074\000\000\377\377'$$ (FORMAT binary);
COPY taken FROM PROGRAM $$printf 'PGCOPY\012\377\015\012\000\000\000\000\000\000\000\000\000\000\001\000\000\000\021\001a\000\000\001\000\001\200\000\000\000\000\004\300\000\002\001\377\377'$$ (FORMAT binary);
COPY taken FROM PROGRAM $$printf 'PGCOPY\012\377\015\012\000\000\000\000\000\000\000\000\000\000\001\000\000\000\017\001a\000\000\001\000\001\000\000\000\074\000\004\300\000\377\377'$$ (FORMAT binary);
COPY taken FROM PROGRAM $$printf 'PGCOPY\012\377\015\012\000\000\000\000\000\000\000\000\000\000\001\000\000\000\022\001a\000\000\001\000\001\000\000\000\074\000\004\300\000\002\001x\377\377'$$ (FORMAT binary);
COPY taken FROM PROGRAM $$printf 'PGCOPY\012\377\015\012\000\000\000\000\000\000\000\000\000\000\001\000\000\000\021\005a\000\000\001\000\001\000\000\000\074\000\004\300\000\002\001\377\377'$$ (FORMAT binary);
COPY taken FROM PROGRAM $$printf 'PGCOPY\012\377\015\012\000\000\000\000\000\000\000\000\000\000\001\000\000\000\015\001a\000\000\020\000\001\000\000\000\074\000\000\377\377'$$ (FORMAT binary);
COPY taken FROM PROGRAM $$printf 'PGCOPY\012\377\015\012\000\000\000\000\000\000\000\000\000\000\001\000\000\000\017\001a\000\000\020\000\001\000\000\000\074\000\002\005a\377\377'$$ (FORMAT binary);
TABLE taken;
\getenv builddir PG_ABS_BUILDDIR
\set file :builddir '/results/rr.binary'
CREATE TABLE copied (LIKE record);
COPY record TO :'file' (FORMAT binary);
COPY copied FROM :'file' (FORMAT binary);
SELECT count(*) AS same FROM copied JOIN record USING (r);

-- a record of 60,000 octets
CREATE TABLE big AS SELECT ('big 1 TXT' || repeat(' "' || repeat('x', 250) || '"', 240))::rr AS r;
SELECT length(rdata(r)), r = r::text::rr AS same FROM big;
SELECT why('big 1 TXT' || repeat(' "' || repeat('x', 255) || '"', 257));

SET client_min_messages = warning;
DROP SCHEMA rr_test CASCADE;

-- tables of one's own (doc/reference.md)
CREATE TABLE host (
  name    dnsname PRIMARY KEY CHECK (name << 'example.org' AND NOT is_wildcard(name)),
  address inet NOT NULL CHECK (masklen(address) = CASE family(address) WHEN 4 THEN 32 ELSE 128 END)
);
CREATE TABLE extra (
  record  rr PRIMARY KEY CHECK (owner(record) <<= 'example.org' AND type(record) IN ('TXT', 'MX', 'CAA', 'SRV'))
);
INSERT INTO host VALUES ('WWW.example.org.', '192.0.2.1'), ('ns1.example.org', '2001:db8::1');
INSERT INTO extra VALUES ('example.org. 300 MX 10 mail.example.net'), ('example.org 300 IN CAA 0 issue "ca.example.net"');
INSERT INTO host VALUES ('www.example.com', '192.0.2.2');
INSERT INTO host VALUES ('www.example.org', '192.0.2.3');
INSERT INTO extra VALUES ('a.example.org 300 A 192.0.2.300');
INSERT INTO extra VALUES ('a.example.org 300 A 192.0.2.3');
INSERT INTO extra VALUES ('EXAMPLE.org 300 MX 10 Mail.example.net.');
CREATE VIEW zone_of_hosts AS
  SELECT rr(name, 300, CASE family(address) WHEN 4 THEN 'A' ELSE 'AAAA' END::rrtype, host(address)) AS record FROM host
  UNION ALL SELECT rr(reverse(address), 300, 'PTR', name::text) FROM host
  UNION ALL SELECT record FROM extra;
SELECT record FROM zone_of_hosts WHERE owner(record) <<= 'example.org' ORDER BY 1;
DROP VIEW zone_of_hosts;
DROP TABLE host, extra;
