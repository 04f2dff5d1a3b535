-- dnsrepl.setup(): PowerDNS's tables are made, or those that exist adopted. In databases of its own.
\set stock /usr/share/pdns-backend-pgsql/schema/schema.pgsql.sql
SET client_min_messages = warning;
DROP DATABASE IF EXISTS dnsrepl_setup;
RESET client_min_messages;
CREATE DATABASE dnsrepl_setup;
\c dnsrepl_setup
CREATE EXTENSION dnsrepl;
\set VERBOSITY terse
\pset null ~

-- arguments
SELECT dnsrepl.setup('');
SELECT dnsrepl.setup(NULL);
SELECT dnsrepl.setup(repeat('ä', 32));
SELECT dnsrepl.setup(E'two\nlines');
SELECT dnsrepl.setup('seattle', 'nowhere');
SELECT * FROM dnsrepl.adoption_report();
CREATE ROLE regress_dnsrepl_nobody;
SET ROLE regress_dnsrepl_nobody;
SELECT dnsrepl.setup('seattle');
RESET ROLE;

-- What setup makes is PowerDNS's schema but for the types and the check of lower case; adoption makes the same of it.
CREATE SCHEMA made;
CREATE SCHEMA stock;
CREATE SCHEMA adopted;
SELECT dnsrepl.setup_create('made');
SET search_path = stock;
\set ECHO none
\i :stock
SET search_path = adopted;
\i :stock
\set ECHO all
RESET search_path;
SELECT * FROM dnsrepl.adoption_report('adopted');
SELECT dnsrepl.setup_adopt('adopted');
CREATE VIEW shape AS
    SELECT n.nspname AS schema, c.relname || '.' || a.attname AS what, a.attnum || ' ' || format_type(a.atttypid, a.atttypmod)
        || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
        || coalesce(' default ' || replace(pg_get_expr(d.adbin, d.adrelid), n.nspname || '.', ''), '') AS def
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relkind = 'r' AND a.attnum > 0
    UNION ALL
    SELECT schemaname, 'index ' || indexname, replace(indexdef, schemaname || '.', '') FROM pg_indexes
    UNION ALL
    SELECT n.nspname, c.conrelid::regclass::text || '.' || c.conname, replace(pg_get_constraintdef(c.oid), n.nspname || '.', '')
    FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace;
CREATE FUNCTION differ(name, name) RETURNS TABLE (what text, one text, other text) LANGUAGE sql AS $$
    SELECT coalesce(a.what, b.what), a.def, b.def
    FROM (SELECT replace(s.what, $1 || '.', ''), s.def FROM shape s WHERE s.schema = $1) a (what, def)
        FULL JOIN (SELECT replace(s.what, $2 || '.', ''), s.def FROM shape s WHERE s.schema = $2) b (what, def) USING (what)
    WHERE a.def IS DISTINCT FROM b.def ORDER BY 1
$$;
SELECT * FROM differ('stock', 'made');
SELECT * FROM differ('made', 'adopted');
DROP SCHEMA made, stock, adopted CASCADE;

-- All that is wrong is listed at once, and nothing changed.
\set ECHO none
\i :stock
\set ECHO all
INSERT INTO domains (id, name, type) VALUES (1, 'example.org', 'NATIVE'), (2, 'example.org.', 'NATIVE'), (3, 'a..b', 'NATIVE'),
    (4, 'example.net', 'NATIVE'), (5, repeat('x', 64) || '.org', 'NATIVE');
ALTER TABLE records DROP CONSTRAINT domain_exists;
INSERT INTO records (id, domain_id, name, type, content, ttl, prio) VALUES
    (10, 1, 'example.org', 'SOA', 'ns.example.org hostmaster.example.org 1 2 3 4 5', 300, NULL),
    (11, 1, 'www.example.org', 'A', '300.1.1.1', 300, NULL),
    (12, 1, 'www.example.org', 'BOGUS', 'x', 300, NULL),
    (13, 1, 'www.example.com', 'A', '192.0.2.1', 300, NULL),
    (14, NULL, 'www.example.org', 'A', '192.0.2.1', 300, NULL),
    (15, 99, 'www.example.org', 'A', '192.0.2.1', -1, NULL),
    (16, 1, 'b..example.org', 'A', '192.0.2.1', 300, NULL),
    (17, 1, NULL, 'A', '192.0.2.1', 300, NULL),
    (18, 1, 'www.example.org', 'A', NULL, 300, NULL),
    (19, 1, 'www.example.org', 'ANY', 'x', 300, NULL),
    (20, 1, 'mx.example.org', 'MX', 'mail.example.org', 300, 70000),
    (21, 3, 'www.a.b', 'A', '192.0.2.1', 300, NULL),
    (22, 1, 'ent.example.org', NULL, NULL, NULL, NULL),
    (23, 1, 'x..ent.example.org', NULL, NULL, NULL, NULL),
    (24, 1, NULL, NULL, NULL, NULL, NULL),
    (25, 1, 'txt.example.org', 'TXT', E'"two\nlines"', 300, NULL),
    (26, 4, 'example.net', 'AAAA', '2001:db8::1', NULL, 0);
INSERT INTO domainmetadata (id, domain_id, kind, content) VALUES (1, 1, 'ALLOW-AXFR-FROM', 'AUTO-NS'), (2, NULL, 'X', 'y'), (3, 1, NULL, 'y');
INSERT INTO cryptokeys (id, domain_id, flags, content) VALUES (1, 1, 257, 'a key'), (2, NULL, 257, 'a key'), (3, 1, 257, NULL);
INSERT INTO comments (id, domain_id, name, type, modified_at, comment) VALUES
    (1, 1, 'www.example.org', 'A', 0, 'fine'), (2, 1, 'www..example.org', 'A', 0, ''), (3, 1, 'www.example.org', 'BOGUS', 0, '');
INSERT INTO tsigkeys (id, name, algorithm, secret) VALUES (1, 'key', 'hmac-sha256', 'secret'), (2, 'key.', 'hmac-sha256', 'secret'),
    (3, 'key', 'hmac-md5', 'secret'), (4, NULL, 'hmac-md5', 'secret'), (5, 'other', NULL, 'secret');
INSERT INTO supermasters VALUES ('192.0.2.1', 'ns.example.org', ''), ('192.0.2.1', 'NS.example.org', ''), ('192.0.2.2', 'ns..org', '');
CREATE VIEW zones AS SELECT name FROM domains;
CREATE FUNCTION ok(records) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE TRIGGER renamed AFTER UPDATE OF name ON records FOR EACH STATEMENT EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE INDEX by_pattern ON records (name varchar_pattern_ops);
CREATE INDEX by_c ON comments (name COLLATE "C");
CREATE INDEX by_expression ON comments (lower(name));
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT dnsrepl.setup('seattle');
\set VERBOSITY terse
SELECT * FROM dnsrepl.adoption_report();
SELECT DISTINCT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'records'::regclass AND attname = 'name';
SELECT count(*) FROM dnsrepl.node;

-- without these
DROP VIEW zones;
DROP TRIGGER renamed ON records;
DROP INDEX by_pattern, by_c;
DELETE FROM domains WHERE id IN (2, 3, 5);
DELETE FROM records WHERE id BETWEEN 11 AND 21 OR id IN (23, 25);
DELETE FROM domainmetadata WHERE id > 1;
DELETE FROM cryptokeys WHERE id > 1;
DELETE FROM comments WHERE id > 1;
DELETE FROM tsigkeys WHERE id IN (2, 4, 5);
DELETE FROM supermasters WHERE nameserver <> 'ns.example.org';
SELECT * FROM dnsrepl.adoption_report();

-- what people have added stays, what is missing is made
CREATE ROLE regress_dnsrepl_pdns;
GRANT SELECT, INSERT ON records TO regress_dnsrepl_pdns;
GRANT USAGE ON SEQUENCE records_id_seq TO regress_dnsrepl_pdns;
GRANT UPDATE (name) ON records TO regress_dnsrepl_pdns;
ALTER TABLE domains OWNER TO regress_dnsrepl_pdns;
ALTER TABLE records ADD COLUMN note text DEFAULT 'mine';
COMMENT ON COLUMN records.name IS 'owner name';
DROP TABLE domainmetadata;
DROP INDEX nametype_index, namealgoindex;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT dnsrepl.setup('seattle');
ROLLBACK;
BEGIN;
SELECT dnsrepl.setup('seattle');
ROLLBACK;
SELECT count(*) FROM dnsrepl.node;
SELECT dnsrepl.setup('seattle');
SELECT dnsrepl.setup('seattle');
SELECT id, domain_id, name, type, content, ttl, prio, note FROM records ORDER BY id;
SELECT tab, zone, key, rows FROM dnsrepl.version ORDER BY tab, zone::text, key::text;
SELECT has_table_privilege('regress_dnsrepl_pdns', 'records', 'INSERT') AS insert,
    has_column_privilege('regress_dnsrepl_pdns', 'records', 'name', 'UPDATE') AS update,
    pg_get_userbyid(relowner) AS owner, col_description('records'::regclass, 3)
FROM pg_class WHERE oid = 'domainmetadata'::regclass;
SELECT tgrelid::regclass, tgname, tgenabled FROM pg_trigger WHERE tgname LIKE 'dnsrepl%' AND tgrelid::regclass::text NOT LIKE 'dnsrepl%' ORDER BY 1, 2;
SET ROLE regress_dnsrepl_pdns;
INSERT INTO records (domain_id, name, type, content) VALUES (4, 'WWW.example.net.', 'A', '192.0.2.7');
RESET ROLE;
SELECT tab, key, rows FROM dnsrepl.version WHERE key->>'name' = 'www.example.net';
INSERT INTO records (domain_id, name, type, content) VALUES (4, 'www.example.net.', 'A', '192.0.2');

-- PowerDNS 4.3's tables, and others that happen to have such names
\c contrib_regression
DROP DATABASE dnsrepl_setup;
DROP ROLE regress_dnsrepl_pdns, regress_dnsrepl_nobody;
CREATE DATABASE dnsrepl_setup;
\c dnsrepl_setup
CREATE EXTENSION dnsrepl;
CREATE SCHEMA "Old";
SET search_path = "Old", public;
\set ECHO none
\i :stock
\set ECHO all
ALTER TABLE domains DROP COLUMN options, DROP COLUMN catalog, ALTER COLUMN type TYPE varchar(6);
INSERT INTO domains (name, type) VALUES ('example.org', 'SLAVE');
DO $$
DECLARE
    detail text;
BEGIN
    INSERT INTO records (domain_id, name, type, content) SELECT 1, 'n' || n || '.example.org', 'A', n FROM generate_series(1, 1000) n;
    PERFORM dnsrepl.setup('old', 'Old');
EXCEPTION WHEN invalid_text_representation THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RAISE NOTICE '% lines, ending "%"', array_length(string_to_array(detail, E'\n'), 1), right(detail, 60);
END $$;
SELECT dnsrepl.setup('old', 'Old');
SELECT * FROM domains;
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'domains'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum;
SELECT indexdef FROM pg_indexes WHERE tablename = 'domains' ORDER BY 1;
RESET search_path;

\c contrib_regression
DROP DATABASE dnsrepl_setup;
CREATE DATABASE dnsrepl_setup;
\c dnsrepl_setup
CREATE EXTENSION dnsrepl;
CREATE TABLE comments (id uuid PRIMARY KEY, post int, comment text);
CREATE VIEW records AS SELECT 1 AS id;
CREATE UNLOGGED TABLE domains (id int, name text, master text, last_check int, type text, notified_serial int, account text);
SELECT dnsrepl.setup('blog');
SELECT * FROM dnsrepl.adoption_report();
DROP VIEW records;
DROP TABLE comments, domains;
SELECT dnsrepl.setup('blog');
SELECT tab, rel::regclass FROM dnsrepl.tab, LATERAL (SELECT name AS tab) t ORDER BY no;
\c contrib_regression
DROP DATABASE dnsrepl_setup;
