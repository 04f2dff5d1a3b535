-- Type dnsname: input, output, order, the tree, text, indexes.
\set VERBOSITY default
CREATE SCHEMA dnsname_test;
SET search_path = dnsname_test, public;

-- in and out
SELECT t AS given, t::dnsname AS name
FROM unnest(ARRAY['www.Example.ORG', 'www.example.org.', '.', 'a\.b.c', 'a\\b.c', '\065.\046\097', 'sp\032ace.x',
                  '*.w', '_sip._udp.x', '192/26.2.0.192.in-addr.arpa', '@.x', 'x;y(z)"$', '\200\000\001.x', '\@.x']) t;
SELECT length(dnsname_send(('.')::dnsname)), dnsname_send('wWw.a\000b.org') AS wire;

-- limits: a label of 63, a name of 255 octets in wire form
SELECT labels((repeat('a', 63) || '.b')::dnsname), labels((repeat('a.', 127))::dnsname),
       length(dnsname_send((repeat(repeat('a', 49) || '.', 5) || 'abc')::dnsname)) AS wire;
SELECT (repeat('a', 64) || '.b')::dnsname;
SELECT repeat('a.', 128)::dnsname;
SELECT (repeat(repeat('a', 49) || '.', 5) || 'abcd')::dnsname;
SELECT (repeat('\001', 63) || '.' || repeat('\001', 63))::dnsname = (repeat('\001', 63) || '.' || repeat('\001', 63) || '.')::text AS equal;

-- what is no name, and why
SELECT ''::dnsname;
SELECT 'a..b'::dnsname;
SELECT '.a'::dnsname;
SELECT '..'::dnsname;
SELECT 'a b'::dnsname;
SELECT E'a\tb'::dnsname;
SELECT E'a\x01b'::dnsname;
SELECT 'münchen.de'::dnsname;
SELECT 'a\'::dnsname;
SELECT 'a\1b'::dnsname;
SELECT 'a\256'::dnsname;
SELECT 'a..b'::text::dnsname;

-- canonical order, with the example of RFC 4034 6.1
CREATE TABLE name (name dnsname);
INSERT INTO name SELECT unnest(ARRAY['z.example', '*.z.example', 'example', '\200.z.example', 'yljkjljk.a.example', 'Z.a.example',
  'zABC.a.EXAMPLE', '\001.z.example', 'a.example', '.', 'a\000.example', 'a\001.example', '\000.a.example', 'ab.example', 'org']);
SELECT name FROM name ORDER BY name;
SELECT min(name), max(name), count(DISTINCT name) FROM name;

-- the tree
SELECT name, name <<= 'a.example' AS at_or_below, name << 'a.example' AS below, 'a.example' >>= name AS holds, 'a.example' >> name AS above
FROM name WHERE name <<= 'a.example' OR name IN ('example', 'a\000.example', 'ab.example') ORDER BY name;
SELECT count(*) FROM name WHERE name << '.';
SELECT 'b.a'::dnsname <<= 'A.'::text AS below, 'x.example' <<= 'ample'::dnsname AS not_by_letters;
SELECT n, parent(n), labels(n), is_wildcard(n) FROM unnest('{a.b.c,c,.,*.b,*,a*.b,x\\.*.b}'::dnsname[]) n;
SELECT reverse('192.0.2.1'::inet), reverse('192.0.2.1/24'::inet), reverse('2001:db8::1'::inet);
SELECT reverse('192.0.2.0/24'::cidr), reverse('10.0.0.0/8'::cidr), reverse('2001:db8::/36'::cidr), reverse('::/0'::cidr);
SELECT reverse('192.0.2.0/25'::cidr);
SELECT reverse('abc');

-- with text: read as a name; what is no name is equal to none and sorts last
SELECT 'a.b'::dnsname = 'A.B.'::text AS eq, 'A.B.'::text = 'a.b'::dnsname AS qe, 'a.b'::dnsname = 'a..b'::text AS bad_eq,
       'a.b'::dnsname <> 'a..b'::text AS bad_ne, 'a.b'::dnsname < 'a..b'::text AS bad_lt, 'a..b'::varchar > 'a.b'::dnsname AS bad_gt,
       'a.b'::dnsname >= 'b'::text AS ge, 'z.b'::dnsname <= 'a.c'::text AS le;
SELECT n LIKE '%.b', n ~~ 'a.b'::varchar, n ILIKE 'A.%', n NOT LIKE 'a%', n NOT ILIKE 'x%', n LIKE '%.' FROM (VALUES ('A.b.'::dnsname)) v (n);
SELECT n || '.', 'x.' || n, n || 'y'::varchar, n || 1, lower(n), length(n), upper(n), n::varchar(3), coalesce(n, 'z') FROM (VALUES ('A.b.'::dnsname)) v (n);

-- these operators take nothing away from text
CREATE TABLE plain (v varchar, t text, c char(5), n name);
INSERT INTO plain VALUES ('a', 'a', 'a', 'a');
SELECT v = 'a' AND t = 'a' AND c = 'a' AND n = 'a' AND v < 'b' AND v LIKE 'a' AND v || 'x' = 'ax' AND t || 'x' = 'ax' AND v IN ('a', 'b') AS same FROM plain;
PREPARE plain_types AS SELECT FROM plain WHERE v = $1 AND t < $2 AND v LIKE $3 AND v || $4 = 'x';
SELECT parameter_types FROM pg_prepared_statements WHERE name = 'plain_types';
DEALLOCATE plain_types;
SELECT count(*) FROM plain p JOIN (VALUES ('A.'::dnsname)) d (d) ON d.d = p.v AND d.d = p.t AND p.v = d.d;

-- indexes, however the other side is typed
CREATE TABLE host AS
  SELECT g AS id, ('h' || g || '.z' || g % 100 || '.example.org')::dnsname AS name FROM generate_series(1, 10000) g;
CREATE INDEX host_name ON host (name);
CREATE INDEX host_hash ON host USING hash (name);
CREATE TABLE zone (name dnsname PRIMARY KEY);
INSERT INTO zone SELECT ('z' || g || '.example.org')::dnsname FROM generate_series(1, 20) g;
ANALYZE host, zone;
DROP INDEX host_hash;
EXPLAIN (COSTS OFF) SELECT id FROM host WHERE name = 'H5.z5.example.org.';
EXPLAIN (COSTS OFF) SELECT id FROM host WHERE name = 'H5.z5.example.org.'::text;
EXPLAIN (COSTS OFF) SELECT id FROM host WHERE 'H5.z5.example.org.'::varchar = name;
SET enable_bitmapscan = off; SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM host WHERE name = ANY ('{h5.z5.example.org.,a..b}'::text[]);
EXPLAIN (COSTS OFF) SELECT id FROM host WHERE name <<= 'z5.example.org';
EXPLAIN (COSTS OFF) SELECT id FROM host WHERE name << 'z5.example.org';
EXPLAIN (COSTS OFF) SELECT id FROM host WHERE 'h5.z5.example.org' >>= name;
EXPLAIN (COSTS OFF) SELECT id FROM host WHERE 'h5.z5.example.org' >> name;
EXPLAIN (COSTS OFF) SELECT id FROM host WHERE name <<= 'z5.example.org'::text;
EXPLAIN (COSTS OFF) SELECT id FROM host WHERE name << '.';
EXPLAIN (COSTS OFF) SELECT count(*) FROM zone z JOIN host h ON h.name <<= z.name WHERE z.name = 'z7.example.org';
-- (how an InitPlan is printed differs between versions)
CREATE FUNCTION plan_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY EXECUTE 'EXPLAIN (COSTS OFF) ' || query; END $$;
SELECT line FROM plan_of('SELECT max(name) FROM host') line WHERE line LIKE '%Scan%';
PREPARE below (dnsname) AS SELECT count(*) FROM host WHERE name <<= $1;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE below('z5.example.org');
EXECUTE below('z5.example.org');
EXECUTE below('.');
EXECUTE below(NULL);
RESET plan_cache_mode;

-- the answers are the same with and without an index
CREATE TABLE question (q text);
INSERT INTO question VALUES ('h5.z5.example.org'), ('H7.Z7.example.org.'), ('z5.example.org'), ('.'), ('a..b'), ('example.org'), ('zzz');
CREATE TABLE by_index AS SELECT q, (SELECT count(*) FROM host WHERE name = q) AS eq, (SELECT count(*) FROM host WHERE name < q) AS lt,
  (SELECT count(*) FROM host WHERE name >= q) AS ge, (SELECT count(*) FROM host WHERE name = ANY (ARRAY[q, q, 'x'])) AS any,
  CASE WHEN q <> 'a..b' THEN (SELECT count(*) FROM host WHERE name <<= q) END AS below FROM question;
RESET enable_seqscan;
SET enable_indexscan = off; SET enable_indexonlyscan = off;
CREATE TABLE by_scan AS SELECT q, (SELECT count(*) FROM host WHERE name = q) AS eq, (SELECT count(*) FROM host WHERE name < q) AS lt,
  (SELECT count(*) FROM host WHERE name >= q) AS ge, (SELECT count(*) FROM host WHERE name = ANY (ARRAY[q, q, 'x'])) AS any,
  CASE WHEN q <> 'a..b' THEN (SELECT count(*) FROM host WHERE name <<= q) END AS below FROM question;
RESET enable_indexscan; RESET enable_indexonlyscan; RESET enable_bitmapscan;
SELECT * FROM by_index ORDER BY q COLLATE "C";
SELECT count(*) AS different FROM (TABLE by_index EXCEPT TABLE by_scan) d;

-- joins, grouping, parallel plans
SET enable_nestloop = off; SET enable_hashjoin = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM zone z JOIN host h ON parent(h.name) = z.name;
SELECT count(*) FROM zone z JOIN host h ON parent(h.name) = z.name;
SET enable_hashjoin = on; SET enable_mergejoin = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM zone z JOIN host h ON parent(h.name) = z.name;
SELECT count(*) FROM zone z JOIN host h ON parent(h.name) = z.name;
CREATE TABLE asked AS SELECT upper(name) || '.' AS name FROM host WHERE id <= 50 UNION ALL VALUES ('a..b'), ('x y'), ('h1.z1.example.org');
EXPLAIN (COSTS OFF) SELECT count(*) FROM asked a JOIN host h ON h.name = a.name;
SELECT count(*) FROM asked a JOIN host h ON h.name = a.name;
SELECT count(*) FROM asked a JOIN host h ON h.name = a.name::varchar;
RESET enable_nestloop; RESET enable_mergejoin; RESET enable_hashjoin;

-- subqueries that give text: hashed, and made unique for a loop over an index
SELECT (SELECT count(*) FROM host WHERE name NOT IN (SELECT a.name FROM asked a)) + (SELECT count(*) FROM host WHERE name IN (SELECT a.name FROM asked a) OR id < 0)
       = (SELECT count(*) FROM host) AS both_halves;
SELECT count(*) FROM host WHERE name NOT IN (VALUES ('H1.z1.example.org.'::text), ('h1.z1.example.org'), ('no name..'), ('no name..'));
SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_seqscan = off; SET enable_sort = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM host h WHERE name IN (SELECT upper(a.name) FROM asked a);
SELECT count(*) FROM host h WHERE name IN (SELECT upper(a.name) FROM asked a);
RESET enable_hashjoin; RESET enable_mergejoin; RESET enable_seqscan; RESET enable_sort;
SELECT 'A.example' OPERATOR(public.=@=) 'a.EXAMPLE.' AS name, 'no name..' OPERATOR(public.=@=) 'no name..' AS same, 'no name..' OPERATOR(public.=@=) 'no other..' AS other,
       'mx' OPERATOR(public.=#=) 'TYPE15' AS type, 'no type' OPERATOR(public.=#=) 'A' AS not_a;

-- every operator that hashes has an equality for the type on each of its sides, in the same family
SELECT o.oid::regoperator FROM pg_operator o WHERE o.oprnamespace = 'public'::regnamespace AND o.oprcanhash AND NOT EXISTS (
    SELECT FROM pg_amop m JOIN pg_am am ON am.oid = m.amopmethod AND am.amname = 'hash'
      JOIN pg_amop l ON l.amopfamily = m.amopfamily AND (l.amoplefttype, l.amoprighttype) = (o.oprleft, o.oprleft)
      JOIN pg_amop r ON r.amopfamily = m.amopfamily AND (r.amoplefttype, r.amoprighttype) = (o.oprright, o.oprright)
     WHERE m.amopopr = o.oid);
SELECT count(*), sum(n) FROM (SELECT parent(name), count(*) AS n FROM host GROUP BY 1) g;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT count(*) FROM host WHERE name LIKE '%.z5.example.org';
SELECT count(*), max(name) FROM host WHERE name LIKE '%.z5.example.org';
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size;

-- how many rows the planner expects below a zone: right to a factor of three
CREATE FUNCTION rows_expected(query text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
  EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
  RETURN (plan->0->'Plan'->>'Plan Rows')::numeric;
END $$;
SELECT rows_expected($$SELECT FROM host WHERE name <<= 'z5.example.org'$$) BETWEEN 33 AND 300 AS one_zone,
       rows_expected($$SELECT FROM host WHERE name <<= 'example.org'$$) BETWEEN 3333 AND 10000 AS all_zones,
       rows_expected($$SELECT FROM host WHERE name <<= 'h5.z5.example.org'$$) <= 10 AS one_name;

-- COPY, text and binary; hashes of equal names are equal
\getenv builddir PG_ABS_BUILDDIR
\set file :builddir '/results/dnsname.binary'
CREATE TABLE copied (LIKE host);
COPY (SELECT 0, name FROM name UNION ALL TABLE host) TO :'file' (FORMAT binary);
COPY copied FROM :'file' (FORMAT binary);
SELECT (SELECT count(*) FROM copied JOIN host USING (id, name)) AS hosts, (SELECT count(*) FROM copied JOIN name USING (name)) AS names;
TRUNCATE copied;
COPY copied FROM STDIN;
1	WWW.example.org.
2	a\\.b.\\000.c
\.
COPY copied TO STDOUT;
SELECT dnsname_hash('A.b') = dnsname_hash('a.B.') AS equal, dnsname_hash_extended('A.b', 7) = dnsname_hash_extended('a.B.', 7) AS equal_extended,
       (dnsname_hash_extended('a.b', 0) & 4294967295) = (dnsname_hash('a.b')::bigint & 4294967295) AS same_low_half;


-- binary that is no name
CREATE TABLE taken (name dnsname);
COPY taken FROM PROGRAM $$printf 'PGCOPY\012\377\015\012\000\000\000\000\000\000\000\000\000\000\001\000\000\000\005\003WwW\000\377\377'$$ (FORMAT binary);
COPY taken FROM PROGRAM $$printf 'PGCOPY\012\377\015\012\000\000\000\000\000\000\000\000\000\000\001\000\000\000\000\377\377'$$ (FORMAT binary);
COPY taken FROM PROGRAM $$printf 'PGCOPY\012\377\015\012\000\000\000\000\000\000\000\000\000\000\001\000\000\000\004\003www\377\377'$$ (FORMAT binary);
COPY taken FROM PROGRAM $$printf 'PGCOPY\012\377\015\012\000\000\000\000\000\000\000\000\000\000\001\000\000\000\006\003www\300\000\377\377'$$ (FORMAT binary);
COPY taken FROM PROGRAM $$printf 'PGCOPY\012\377\015\012\000\000\000\000\000\000\000\000\000\000\001\000\000\000\002\000\000\377\377'$$ (FORMAT binary);
COPY taken FROM PROGRAM $$printf 'PGCOPY\012\377\015\012\000\000\000\000\000\000\000\000\000\000\001\000\000\000B\100aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\000\377\377'$$ (FORMAT binary);
TABLE taken;

-- partitions by hash
CREATE TABLE part (name dnsname) PARTITION BY HASH (name);
CREATE TABLE part_0 PARTITION OF part FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE part_1 PARTITION OF part FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO part SELECT name FROM host WHERE id <= 100;
SELECT count(*), count(*) FILTER (WHERE in_part) AS found
FROM (SELECT EXISTS (SELECT FROM part p WHERE p.name = upper(h.name)) AS in_part FROM host h WHERE id <= 100) s;
SET enable_seqscan = off; SET enable_bitmapscan = off;
CREATE TABLE hashed AS SELECT name FROM host WHERE id <= 100;
CREATE INDEX ON hashed USING hash (name);
EXPLAIN (COSTS OFF) SELECT * FROM hashed WHERE name = 'H7.z7.example.org.'::text;
SELECT * FROM hashed WHERE name = 'H7.z7.example.org.'::text;
SELECT * FROM hashed WHERE name = 'H7.z7.example.org.';
SELECT * FROM part WHERE name = 'H7.z7.example.org.'::text;
RESET enable_seqscan; RESET enable_bitmapscan;

SET client_min_messages = warning;
DROP SCHEMA dnsname_test CASCADE;
