-- Type rrtype.
CREATE SCHEMA rrtype_test;
SET search_path = rrtype_test, public;

-- printed by name only if PowerDNS knows the name
SELECT t AS given, t::rrtype AS type, t::rrtype::int AS number
FROM unnest(ARRAY['A', 'aaaa', 'Mx', 'type1', 'TYPE65534', 'TYPE0', 'ALIAS', 'LUA', 'ADDR', 'ANY', 'AXFR', 'IXFR', 'X25', 'WKS',
                  'NSAP-PTR', 'HHIT', 'RESINFO', 'TYPE00015']) t;
SELECT string_agg(i::rrtype::text, ' ' ORDER BY i) FROM generate_series(0, 65535) i WHERE i::rrtype::text NOT LIKE 'TYPE%';
SELECT count(*) FROM generate_series(0, 65535) i WHERE i::rrtype::text::rrtype::int = i;

SELECT 'FOO'::rrtype;
SELECT ''::rrtype;
SELECT 'TYPE'::rrtype;
SELECT 'TYPE65536'::rrtype;
SELECT 'TYPE-1'::rrtype;
SELECT 'A '::rrtype;
SELECT 'nsa'::text::rrtype;
SELECT 65536::rrtype;

-- numeric order, unsigned
SELECT string_agg(t::text, ' ' ORDER BY t), min(t), max(t) FROM unnest('{LUA,A,CAA,TYPE40000,NS,TYPE32768}'::rrtype[]) t;
SELECT 'LUA'::rrtype > 'A'::rrtype AS unsigned, rrtype_send('LUA') AS wire;

-- with text
SELECT 'A'::rrtype = 'a'::text AS eq, 'type1'::varchar = 'A'::rrtype AS qe, 'A'::rrtype = 'FOO'::text AS bad_eq, 'A'::rrtype <> 'FOO'::text AS bad_ne,
       'LUA'::rrtype < 'FOO'::text AS bad_lt, 'A'::rrtype < 'NS'::text AS lt;
SELECT t LIKE 'AA%', t ILIKE 'aaaa', t NOT LIKE 'x%', t NOT ILIKE 'a%', t || '!', '!' || t, t || 'x'::text FROM (VALUES ('AAAA'::rrtype)) v (t);
SELECT t AS meta FROM unnest('{A,ANY,AXFR,OPT,TSIG,TKEY,ADDR,ALIAS,LUA,TYPE0,TYPE128,TYPE65534,RRSIG}'::rrtype[]) t WHERE rrtype_is_meta(t);

-- indexes and plans
CREATE TABLE record (id int, type rrtype);
INSERT INTO record SELECT g, (g % 300)::rrtype FROM generate_series(1, 6000) g;
INSERT INTO record SELECT g, (65535 - g % 300)::rrtype FROM generate_series(6001, 9000) g;
CREATE INDEX record_type ON record (type);
ANALYZE record;
SET enable_seqscan = off; SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT * FROM record WHERE type = 'CAA';
EXPLAIN (COSTS OFF) SELECT * FROM record WHERE type = 'CAA'::text;
EXPLAIN (COSTS OFF) SELECT * FROM record WHERE type = ANY ('{CAA,bad,TYPE1}'::text[]);
SELECT count(*) FROM record WHERE type = 'CAA'::text;
SELECT count(*) FROM record WHERE type = ANY ('{CAA,bad,TYPE1,bad}'::text[]);
SELECT count(*) FROM record WHERE type >= 'CAA'::text;
SELECT count(*) FROM record WHERE type > 'bad'::text;
RESET enable_seqscan; RESET enable_bitmapscan;
SELECT count(*) FROM record WHERE type >= 'CAA';
SELECT count(*) FROM record a JOIN record b USING (type) WHERE a.id < 100;
SELECT count(*) > 0 AS some FROM record WHERE type NOT IN (SELECT unnest(ARRAY['a', 'TYPE1', 'aaaa', 'no type']));
SELECT count(*) FROM (SELECT DISTINCT type FROM record) d;
SELECT count(*) FROM (SELECT type FROM record GROUP BY type) d;
COPY (SELECT 'ns'::rrtype, NULL::rrtype) TO STDOUT;

SET client_min_messages = warning;
DROP SCHEMA rrtype_test CASCADE;
