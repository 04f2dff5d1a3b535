--
-- Capture: what a local transaction leaves in the store. In a database of its own, which is no peer of anybody.
--
CREATE DATABASE regress_capture;
\c regress_capture
\set SHOW_CONTEXT never
SET client_min_messages = error;
CREATE EXTENSION dnsrepl;
SELECT dnsrepl.setup('here');
SET client_min_messages = error;

-- What the store should hold, from the serving tables alone.
CREATE SCHEMA t;
CREATE FUNCTION t.served() RETURNS TABLE (tab text, zone text, key jsonb, rows jsonb) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT 'domains' AS tab, name::text AS zone, '{}'::jsonb AS key,
         jsonb_build_array(jsonb_build_object('type', type, 'master', master, 'account', account, 'options', options, 'catalog', catalog)) AS rows
    FROM domains
  UNION ALL
  SELECT 'records', d.name::text, jsonb_build_object('name', r.name::text, 'type', r.type::text),
         jsonb_agg(x ORDER BY x)
    FROM records r JOIN domains d ON d.id = r.domain_id,
         jsonb_build_object('content', CASE WHEN r.type = 'SOA' AND NOT EXISTS (SELECT FROM domainmetadata m WHERE m.domain_id = d.id AND m.kind = 'X-DNSREPL-SERIAL')
                                            THEN regexp_replace(r.content, '^(\S+ \S+) \d+', '\1 0') ELSE r.content END,
                            'ttl', r.ttl, 'prio', r.prio, 'disabled', r.disabled) x
   WHERE r.type IS NOT NULL GROUP BY d.name, r.name, r.type
  UNION ALL
  SELECT 'domainmetadata', d.name::text, jsonb_build_object('kind', m.kind), jsonb_agg(x ORDER BY x)
    FROM domainmetadata m JOIN domains d ON d.id = m.domain_id, jsonb_build_object('content', m.content) x GROUP BY d.name, m.kind
  UNION ALL
  SELECT 'cryptokeys', d.name::text, jsonb_build_object('flags', k.flags, 'content', 'sha256:' || encode(sha256(k.content::bytea), 'hex')), jsonb_agg(x ORDER BY x)
    FROM cryptokeys k JOIN domains d ON d.id = k.domain_id,
         jsonb_build_object('active', k.active, 'published', k.published, 'content', k.content) x GROUP BY d.name, k.flags, k.content
  UNION ALL
  SELECT 'comments', d.name::text, jsonb_build_object('name', c.name::text, 'type', c.type::text), jsonb_agg(x ORDER BY x)
    FROM comments c JOIN domains d ON d.id = c.domain_id,
         jsonb_build_object('modified_at', c.modified_at, 'account', c.account, 'comment', c.comment) x GROUP BY d.name, c.name, c.type
  UNION ALL
  SELECT 'tsigkeys', NULL, jsonb_build_object('name', name::text, 'algorithm', algorithm), jsonb_agg(jsonb_build_object('secret', secret))
    FROM tsigkeys GROUP BY name, algorithm
  UNION ALL
  SELECT 'supermasters', NULL, jsonb_build_object('ip', ip, 'nameserver', nameserver::text), jsonb_agg(jsonb_build_object('account', account))
    FROM supermasters GROUP BY ip, nameserver;
END $$;

CREATE VIEW t.stored AS
  SELECT tab, zone::text, key, (SELECT jsonb_agg(x ORDER BY x) FROM jsonb_array_elements(rows) x) AS rows, stamp
    FROM dnsrepl.version;

-- The versions that came since the last look, numbered by their stamps; and whether the store is what is served.
CREATE TABLE t.before (tab text, zone text, key jsonb, stamp bigint, rows jsonb);
CREATE FUNCTION t.look(OUT tx bigint, OUT tab text, OUT zone text, OUT key text, OUT rows text) RETURNS SETOF record LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  wrong text;
BEGIN
  RETURN QUERY
    SELECT dense_rank() OVER (ORDER BY v.stamp), v.tab, v.zone,
           (SELECT string_agg(value, ' ' ORDER BY k DESC) FROM jsonb_each_text(v.key) e (k, value)),
           (SELECT string_agg(CASE v.tab WHEN 'records' THEN concat_ws(' ', r->>'ttl', r->>'prio', r->>'content', CASE WHEN (r->>'disabled')::bool THEN '(disabled)' END)
                                         WHEN 'domains' THEN concat_ws(' ', r->>'type', r->>'master', r->>'account', r->>'options', r->>'catalog')
                                         ELSE (SELECT string_agg(value, ' ' ORDER BY k) FROM jsonb_each_text(r) e (k, value)) END, ' | ' ORDER BY r)
              FROM jsonb_array_elements(v.rows) r)
      FROM t.stored v
     WHERE NOT EXISTS (SELECT FROM t.before b WHERE (b.tab, b.key, b.stamp) = (v.tab, v.key, v.stamp)
                          AND b.zone IS NOT DISTINCT FROM v.zone AND b.rows IS NOT DISTINCT FROM v.rows)
     ORDER BY v.stamp, v.tab COLLATE "C", v.zone COLLATE "C", v.key::text COLLATE "C", v.rows::text COLLATE "C";
  TRUNCATE t.before;
  INSERT INTO t.before SELECT v.tab, v.zone, v.key, v.stamp, v.rows FROM t.stored v;
  SELECT string_agg(d::text, E'\n') INTO wrong FROM
    (SELECT 'not in the store' AS what, x.* FROM (SELECT * FROM t.served() EXCEPT ALL SELECT v.tab, v.zone, v.key, v.rows FROM t.stored v WHERE v.rows IS NOT NULL) x
     UNION ALL
     SELECT 'not served', x.* FROM (SELECT v.tab, v.zone, v.key, v.rows FROM t.stored v WHERE v.rows IS NOT NULL EXCEPT ALL SELECT * FROM t.served()) x) d;
  IF wrong IS NOT NULL THEN
    RAISE WARNING 'the store is not what is served: %', wrong;
  END IF;
END $$;
CREATE FUNCTION t.zone(name text) RETURNS int STABLE LANGUAGE sql AS 'SELECT id FROM domains WHERE domains.name = $1::dnsname';
-- One record; prio where it has one.
CREATE PROCEDURE t.add(zone text, name text, type text, content text, ttl int DEFAULT 300, prio int DEFAULT 0) LANGUAGE sql AS
  'INSERT INTO records (domain_id, name, type, content, ttl, prio) VALUES (t.zone(zone), add.name::dnsname, add.type::rrtype, add.content, add.ttl, add.prio)';

-- ---------------------------------------------------------------- insert, update, delete
INSERT INTO domains (name, type) VALUES ('example.org', 'NATIVE');
SELECT * FROM t.look();
CALL t.add('example.org', 'www.example.org', 'A', '192.0.2.1');
CALL t.add('example.org', 'www.example.org', 'A', '192.0.2.2');
SELECT * FROM t.look();
UPDATE records SET ttl = 60 WHERE name = 'www.example.org';
SELECT * FROM t.look();
UPDATE records SET content = '192.0.2.3' WHERE content = '192.0.2.2';
SELECT * FROM t.look();
UPDATE records SET disabled = true WHERE content = '192.0.2.3';
SELECT * FROM t.look();
DELETE FROM records WHERE content = '192.0.2.3';
SELECT * FROM t.look();
-- the last record: a tombstone
DELETE FROM records WHERE name = 'www.example.org';
SELECT * FROM t.look();
SELECT tab, zone, key, live, rows, node, author = session_user AS mine, projected, written_at BETWEEN now() - '1 min'::interval AND clock_timestamp() AS now
  FROM dnsrepl.version ORDER BY stamp;

-- another name or type is another unit: the old one's tombstone, the new one's version, one stamp
CALL t.add('example.org', 'a.example.org', 'A', '192.0.2.1');
SELECT * FROM t.look();
UPDATE records SET name = 'b.example.org' WHERE name = 'a.example.org';
SELECT * FROM t.look();
UPDATE records SET type = 'AAAA', content = '2001:db8::1' WHERE name = 'b.example.org';
SELECT * FROM t.look();
-- names are the same in any case, types by any spelling
UPDATE records SET name = 'B.Example.ORG', type = 'TYPE28' WHERE name = 'b.example.org';
SELECT * FROM t.look();

-- ---------------------------------------------------------------- one transaction, one version, one stamp
BEGIN;
CALL t.add('example.org', 'm.example.org', 'MX', 'mx1.example.org', 300, 10);
CALL t.add('example.org', 'm.example.org', 'MX', 'mx2.example.org', 300, 20);
CALL t.add('example.org', 'm.example.org', 'TXT', '"one"');
UPDATE records SET ttl = 600 WHERE name = 'm.example.org';
CALL t.add('example.org', 'n.example.org', 'A', '192.0.2.9');
COMMIT;
SELECT * FROM t.look();
-- as PowerDNS does: delete and insert, with other ids
BEGIN;
DELETE FROM records WHERE domain_id = t.zone('example.org') AND name = 'm.example.org' AND type = 'MX';
CALL t.add('example.org', 'm.example.org', 'MX', 'mx1.example.org', 600, 10);
CALL t.add('example.org', 'm.example.org', 'MX', 'mx3.example.org', 600, 30);
COMMIT;
SELECT * FROM t.look();
-- the same content again: nothing
BEGIN;
DELETE FROM records WHERE domain_id = t.zone('example.org') AND name = 'm.example.org' AND type = 'MX';
CALL t.add('example.org', 'm.example.org', 'MX', 'mx3.example.org', 600, 30);
CALL t.add('example.org', 'm.example.org', 'MX', 'mx1.example.org', 600, 10);
COMMIT;
SELECT * FROM t.look();
BEGIN;
CREATE TEMP TABLE held AS SELECT * FROM records;
DELETE FROM records;
INSERT INTO records (domain_id, name, type, content, ttl, prio, disabled) SELECT domain_id, name, type, content, ttl, prio, disabled FROM held;
DROP TABLE held;
COMMIT;
SELECT * FROM t.look();
UPDATE records SET content = content, ttl = ttl;
SELECT * FROM t.look();
-- there and gone within a transaction: nothing
BEGIN;
CALL t.add('example.org', 'brief.example.org', 'A', '192.0.2.1');
DELETE FROM records WHERE name = 'brief.example.org';
INSERT INTO domains (name, type) VALUES ('brief.example', 'NATIVE');
CALL t.add('brief.example', 'brief.example', 'A', '192.0.2.1');
DELETE FROM domains WHERE name = 'brief.example';
COMMIT;
SELECT * FROM t.look();
-- two records that are the same are refused, unless the zone is not checked
CALL t.add('example.org', 'twice.example.org', 'A', '192.0.2.1');
CALL t.add('example.org', 'twice.example.org', 'A', '192.0.2.1');
SELECT dnsrepl.zone_level('example.org', 'off');
CALL t.add('example.org', 'twice.example.org', 'A', '192.0.2.1');
SELECT dnsrepl.zone_level('example.org', 'strict');
SELECT * FROM t.look();
DELETE FROM records WHERE id = (SELECT max(id) FROM records);
SELECT * FROM t.look();

-- ---------------------------------------------------------------- what stays local
UPDATE domains SET last_check = 17, notified_serial = 2026112201;
UPDATE records SET ordername = 'x', auth = false;
UPDATE records SET id = id + 1000000;
SELECT * FROM t.look();
UPDATE domains SET last_check = 18, account = 'somebody' WHERE name = 'example.org';
SELECT * FROM t.look();
-- empty non-terminals: derived by each node itself
INSERT INTO records (domain_id, name, type, content, ttl, prio) VALUES (t.zone('example.org'), 'ent.example.org', NULL, NULL, NULL, NULL);
SELECT count(*) FROM records WHERE type IS NULL;
SELECT * FROM t.look();
-- one that becomes a record, and back
BEGIN;
INSERT INTO records (domain_id, name, type, content, ttl, prio) VALUES (t.zone('example.org'), 'ent.example.org', NULL, NULL, NULL, NULL);
UPDATE records SET type = 'A', content = '192.0.2.1', ttl = 300 WHERE name = 'ent.example.org';
COMMIT;
SELECT * FROM t.look();
UPDATE records SET type = NULL, content = NULL, ttl = NULL WHERE name = 'ent.example.org';
SELECT * FROM t.look();
DELETE FROM records WHERE type IS NULL;
SELECT * FROM t.look();

-- ---------------------------------------------------------------- subtransactions
BEGIN;
SAVEPOINT one;
CALL t.add('example.org', 's1.example.org', 'A', '192.0.2.1');
ROLLBACK TO one;
CALL t.add('example.org', 's2.example.org', 'A', '192.0.2.1');
SAVEPOINT two;
CALL t.add('example.org', 's2.example.org', 'A', '192.0.2.2');
SAVEPOINT three;
CALL t.add('example.org', 's2.example.org', 'A', '192.0.2.3');
RELEASE three;
ROLLBACK TO two;
UPDATE records SET content = '192.0.2.99' WHERE name = 'n.example.org';
ROLLBACK TO two;
CALL t.add('example.org', 's2.example.org', 'A', '192.0.2.4');
RELEASE two;
COMMIT;
SELECT * FROM t.look();
-- all of it taken back: nothing
BEGIN;
SAVEPOINT one;
DELETE FROM records;
ROLLBACK TO one;
COMMIT;
SELECT * FROM t.look();
DO $$
BEGIN
  FOR i IN 1..3 LOOP
    BEGIN
      CALL t.add('example.org', 'block.example.org', 'A', '192.0.2.' || i);
      IF i = 2 THEN RAISE division_by_zero; END IF;
    EXCEPTION WHEN division_by_zero THEN NULL;
    END;
  END LOOP;
END $$;
SELECT * FROM t.look();
-- a procedure that commits
CREATE PROCEDURE t.in_steps() LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1..3 LOOP
    CALL t.add('example.org', 'step.example.org', 'A', '192.0.2.' || i);
    IF i = 2 THEN ROLLBACK; ELSE COMMIT; END IF;
  END LOOP;
END $$;
CALL t.in_steps();
SELECT * FROM t.look();
-- more notes than memory has room for, the first of them in a savepoint that is taken back
SET work_mem = '64kB';
BEGIN;
SAVEPOINT one;
INSERT INTO records (domain_id, name, type, content, ttl) SELECT t.zone('example.org'), 'x' || i || '.example.org', 'A', '192.0.2.1', 300 FROM generate_series(1, 3000) i;
ROLLBACK TO one;
INSERT INTO records (domain_id, name, type, content, ttl) SELECT t.zone('example.org'), 'y' || i || '.example.org', 'A', '192.0.2.1', 300 FROM generate_series(1, 3000) i;
SAVEPOINT two;
DELETE FROM records WHERE name LIKE 'y%';
ROLLBACK TO two;
DELETE FROM records WHERE name LIKE 'y%' AND name NOT LIKE 'y%00.example.org';
COMMIT;
RESET work_mem;
SELECT count(*), count(DISTINCT tx), min(rows) FROM t.look();
DELETE FROM records WHERE name LIKE 'y%';
SELECT count(*), count(DISTINCT tx), min(rows) FROM t.look();

-- ---------------------------------------------------------------- COPY and ON CONFLICT
COPY domains (id, name, type) FROM stdin;
9001	copy.example	NATIVE
\.
COPY records (domain_id, name, type, content, ttl, prio) FROM stdin;
9001	copy.example	NS	ns1.example.org	300	0
9001	copy.example	NS	ns2.example.org	300	0
9001	mail.copy.example	MX	mail.copy.example	300	5
\.
SELECT * FROM t.look();
INSERT INTO tsigkeys (name, algorithm, secret) VALUES ('key.example', 'hmac-sha256', 'c2VjcmV0');
INSERT INTO tsigkeys (name, algorithm, secret) VALUES ('key.example', 'hmac-sha256', 'c2Vjb25k')
  ON CONFLICT (name, algorithm) DO UPDATE SET secret = excluded.secret;
INSERT INTO tsigkeys (name, algorithm, secret) VALUES ('key.example', 'hmac-sha256', 'dGhpcmQ=') ON CONFLICT DO NOTHING;
SELECT * FROM t.look();
INSERT INTO domains (name, type) VALUES ('copy.example', 'MASTER') ON CONFLICT (name) DO NOTHING;
SELECT * FROM t.look();
INSERT INTO domains (name, type) VALUES ('copy.example', 'MASTER') ON CONFLICT (name) DO UPDATE SET type = excluded.type;
SELECT * FROM t.look();
-- data-modifying WITH: zone and records by one statement
WITH z AS (INSERT INTO domains (name, type) VALUES ('with.example', 'NATIVE') RETURNING id),
     m AS (INSERT INTO domainmetadata (domain_id, kind, content) SELECT id, 'SOA-EDIT', 'INCREASE' FROM z)
INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'with.example', 'A', '192.0.2.1', 300 FROM z;
SELECT * FROM t.look();
MERGE INTO records r USING (VALUES ('192.0.2.1', 30), ('192.0.2.2', 40)) v (content, ttl) ON r.name = 'with.example' AND r.content = v.content
  WHEN MATCHED THEN UPDATE SET ttl = v.ttl
  WHEN NOT MATCHED THEN INSERT (domain_id, name, type, content, ttl) VALUES (t.zone('with.example'), 'with.example', 'A', v.content, v.ttl);
SELECT * FROM t.look();

-- ---------------------------------------------------------------- the other tables
INSERT INTO domainmetadata (domain_id, kind, content) VALUES (9001, 'ALLOW-AXFR-FROM', '192.0.2.0/24'), (9001, 'ALLOW-AXFR-FROM', 'AUTO-NS'), (9001, 'SOA-EDIT', 'INCEPTION-INCREMENT');
SELECT * FROM t.look();
BEGIN;
DELETE FROM domainmetadata WHERE domain_id = 9001 AND kind = 'ALLOW-AXFR-FROM';
INSERT INTO domainmetadata (domain_id, kind, content) VALUES (9001, 'ALLOW-AXFR-FROM', '2001:db8::/32');
DELETE FROM domainmetadata WHERE domain_id = 9001 AND kind = 'SOA-EDIT';
INSERT INTO domainmetadata (domain_id, kind, content) VALUES (9001, 'SOA-EDIT', 'INCEPTION-INCREMENT');
COMMIT;
SELECT * FROM t.look();
-- keys: a unit is one key, known by the digest of its content
INSERT INTO cryptokeys (domain_id, flags, active, published, content) VALUES (9001, 257, true, true, 'Private-key-format: v1.2 one'), (9001, 257, false, true, 'Private-key-format: v1.2 two');
SELECT * FROM t.look();
UPDATE cryptokeys SET active = NOT active WHERE content LIKE '%two';
SELECT * FROM t.look();
UPDATE cryptokeys SET content = 'Private-key-format: v1.2 three' WHERE content LIKE '%two';
SELECT * FROM t.look();
DELETE FROM cryptokeys WHERE content LIKE '%one';
SELECT * FROM t.look();
INSERT INTO comments (domain_id, name, type, modified_at, account, comment) VALUES (9001, 'mail.copy.example', 'MX', 1764000000, 'me', 'first'), (9001, 'mail.copy.example', 'MX', 1764000000, NULL, 'second');
SELECT * FROM t.look();
DELETE FROM comments WHERE domain_id = 9001 AND name = 'mail.copy.example' AND type = 'MX';
SELECT * FROM t.look();
INSERT INTO supermasters (ip, nameserver, account) VALUES ('192.0.2.53', 'ns1.example.org', 'admin'), ('2001:db8::53', 'ns1.example.org', 'admin');
UPDATE supermasters SET account = 'other' WHERE family(ip) = 6;
DELETE FROM supermasters WHERE family(ip) = 4;
DELETE FROM tsigkeys;
SELECT * FROM t.look();
-- a DELETE of a type that no record has, as PowerDNS does
DELETE FROM comments WHERE domain_id = 9001 AND name = 'mail.copy.example' AND type = 'ANY';
-- one transaction over all tables, several zones: one stamp
BEGIN;
INSERT INTO tsigkeys (name, algorithm, secret) VALUES ('all.example', 'hmac-md5', 'YWxs');
UPDATE supermasters SET account = 'all';
UPDATE domains SET account = 'all';
UPDATE cryptokeys SET published = false;
INSERT INTO comments (domain_id, name, type, modified_at, comment) SELECT id, name, 'SOA', 1, 'all' FROM domains;
INSERT INTO domainmetadata (domain_id, kind, content) SELECT id, 'ALL', '1' FROM domains;
INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, name, 'TXT', '"all"', 1 FROM domains;
COMMIT;
SELECT * FROM t.look();

-- ---------------------------------------------------------------- a zone goes with all it has; and comes again
DELETE FROM domains WHERE name = 'copy.example';
SELECT * FROM t.look();
SELECT count(*) FROM records WHERE domain_id = 9001;
-- nothing of the earlier zone is left in a new one of its name
INSERT INTO domains (id, name, type) VALUES (9002, 'copy.example', 'NATIVE');
CALL t.add('copy.example', 'mail.copy.example', 'MX', 'mail2.copy.example', 300, 5);
SELECT * FROM t.look();
-- deleted and made again at once
BEGIN;
DELETE FROM domains WHERE name = 'copy.example';
INSERT INTO domains (id, name, type) VALUES (9003, 'copy.example', 'NATIVE');
CALL t.add('copy.example', 'www.copy.example', 'A', '192.0.2.1');
COMMIT;
SELECT * FROM t.look();
-- with the same content: no version at all
BEGIN;
DELETE FROM domains WHERE name = 'copy.example';
INSERT INTO domains (id, name, type) VALUES (9004, 'copy.example', 'NATIVE');
CALL t.add('copy.example', 'www.copy.example', 'A', '192.0.2.1');
COMMIT;
SELECT * FROM t.look();
-- the row of a zone may change its id, if what refers to it follows
BEGIN;
ALTER TABLE records DROP CONSTRAINT domain_exists;
UPDATE domains SET id = 9005 WHERE id = 9004;
UPDATE records SET domain_id = 9005 WHERE domain_id = 9004;
ALTER TABLE records ADD CONSTRAINT domain_exists FOREIGN KEY(domain_id) REFERENCES domains(id) ON DELETE CASCADE;
COMMIT;
SELECT * FROM t.look();

-- ---------------------------------------------------------------- renaming a zone, with its records, in any order
UPDATE domains SET name = 'a.example' WHERE name = 'copy.example';
BEGIN;
UPDATE domains SET name = 'a.example' WHERE name = 'copy.example';
UPDATE records SET name = 'www.a.example' WHERE name = 'www.copy.example';
COMMIT;
SELECT * FROM t.look();
BEGIN;
UPDATE records SET name = 'www.b.example' WHERE name = 'www.a.example';
UPDATE domains SET name = 'b.example' WHERE name = 'a.example';
COMMIT;
SELECT * FROM t.look();
-- part before, part after, with something new and something gone
INSERT INTO records (domain_id, name, type, content, ttl) SELECT t.zone('b.example'), n, 'A', '192.0.2.1', 300 FROM unnest('{b.example,x.b.example,y.b.example}'::text[]::dnsname[]) n;
INSERT INTO domainmetadata (domain_id, kind, content) VALUES (t.zone('b.example'), 'SOA-EDIT', 'EPOCH');
SELECT * FROM t.look();
BEGIN;
UPDATE records SET name = 'c.example' WHERE name = 'b.example';
DELETE FROM records WHERE name = 'x.b.example';
UPDATE domains SET name = 'c.example' WHERE name = 'b.example';
CALL t.add('c.example', 'new.c.example', 'A', '192.0.2.2');
UPDATE records SET name = 'www.c.example' WHERE name = 'www.b.example';
UPDATE records SET name = 'y.c.example' WHERE name = 'y.b.example';
COMMIT;
SELECT * FROM t.look();
-- there and back: nothing
BEGIN;
UPDATE domains SET name = 'd.example' WHERE name = 'c.example';
UPDATE domains SET name = 'c.example' WHERE name = 'd.example';
COMMIT;
SELECT * FROM t.look();
-- two zones change names
INSERT INTO domains (name, type, account) VALUES ('d.example', 'NATIVE', 'd');
CALL t.add('d.example', 'd.example', 'A', '192.0.2.40');
INSERT INTO domainmetadata (domain_id, kind, content) VALUES (t.zone('d.example'), 'SOA-EDIT', 'INCREASE');
SELECT * FROM t.look();
BEGIN;
UPDATE domains SET name = 'tmp.example' WHERE name = 'c.example';
UPDATE domains SET name = 'c.example' WHERE name = 'd.example';
UPDATE domains SET name = 'd.example' WHERE name = 'tmp.example';
UPDATE records SET name = 'c.example' WHERE domain_id = t.zone('c.example');
UPDATE records SET name = regexp_replace(name::text, 'c.example$', 'd.example')::dnsname WHERE domain_id = t.zone('d.example');
COMMIT;
SELECT * FROM t.look();
-- only the case: no other name
UPDATE domains SET name = 'D.Example' WHERE name = 'd.example';
SELECT * FROM t.look();
-- a rename that is taken back
BEGIN;
SAVEPOINT one;
UPDATE domains SET name = 'e.example' WHERE name = 'd.example';
ROLLBACK TO one;
CALL t.add('d.example', 'late.d.example', 'A', '192.0.2.1');
COMMIT;
SELECT * FROM t.look();

-- ---------------------------------------------------------------- a record moves to another zone
INSERT INTO domains (name, type) VALUES ('sub.d.example', 'NATIVE');
CALL t.add('d.example', 'www.sub.d.example', 'A', '192.0.2.1');
SELECT * FROM t.look();
UPDATE records SET domain_id = t.zone('sub.d.example') WHERE name = 'www.sub.d.example';
SELECT * FROM t.look();
UPDATE domainmetadata SET domain_id = t.zone('sub.d.example') WHERE domain_id = t.zone('d.example');
SELECT * FROM t.look();
UPDATE records SET domain_id = t.zone('sub.d.example') WHERE name = 'd.example';
SELECT * FROM t.look();

-- ---------------------------------------------------------------- TRUNCATE
BEGIN;
TRUNCATE comments;
SAVEPOINT one;
TRUNCATE domainmetadata;
ROLLBACK TO one;
COMMIT;
SELECT * FROM t.look();
-- and written anew in the same transaction
BEGIN;
TRUNCATE records RESTART IDENTITY;
CALL t.add('c.example', 'c.example', 'A', '192.0.2.40');
COMMIT;
SELECT tab, zone, key, rows FROM t.look();
-- TRUNCATE of tables without zones
TRUNCATE tsigkeys, supermasters;
SELECT * FROM t.look();
TRUNCATE domains;
BEGIN;
UPDATE records SET ttl = ttl + 1 WHERE domain_id = t.zone('c.example');
TRUNCATE domains CASCADE;
COMMIT;
SELECT * FROM t.look();
SELECT tab, count(*), count(rows) AS live, count(DISTINCT stamp) AS stamps FROM dnsrepl.version WHERE tab = 'domains' GROUP BY tab;
INSERT INTO domains (id, name, type) VALUES (1, 'example.org', 'NATIVE');
CALL t.add('example.org', 'www.example.org', 'A', '192.0.2.1');
SELECT * FROM t.look();

-- ---------------------------------------------------------------- session_replication_role, triggers, deferred triggers
SET session_replication_role = replica;
CALL t.add('example.org', 'replica.example.org', 'A', '192.0.2.1');
UPDATE records SET ttl = 17 WHERE name = 'www.example.org';
SELECT * FROM t.look();
-- a delete then does not cascade: the zone is gone, its records in no zone
INSERT INTO domains (id, name, type) VALUES (2, 'orphan.example', 'NATIVE');
CALL t.add('orphan.example', 'orphan.example', 'A', '192.0.2.1');
DELETE FROM domains WHERE id = 2;
SELECT * FROM t.look();
-- until there is a zone of this id again, of the same name or another
INSERT INTO domains (id, name, type) VALUES (2, 'orphan.example', 'NATIVE');
SELECT * FROM t.look();
DELETE FROM records WHERE domain_id = 2;
DELETE FROM domains WHERE id = 2;
SELECT * FROM t.look();
INSERT INTO records (domain_id, name, type, content, ttl) VALUES (3, 'load.example', 'A', '192.0.2.1', 300);
INSERT INTO domainmetadata (domain_id, kind, content) VALUES (3, 'SOA-EDIT', 'EPOCH');
INSERT INTO domains (id, name, type) VALUES (3, 'load.example', 'NATIVE');
SELECT * FROM t.look();
RESET session_replication_role;
DELETE FROM domains WHERE name = 'load.example';
SELECT * FROM t.look();
-- constraints that are immediate change nothing about it
BEGIN;
SET CONSTRAINTS ALL IMMEDIATE;
DELETE FROM records WHERE name = 'replica.example.org';
SET CONSTRAINTS ALL IMMEDIATE;
CALL t.add('example.org', 'replica.example.org', 'A', '192.0.2.1');
SET CONSTRAINTS ALL IMMEDIATE;
COMMIT;
SELECT * FROM t.look();
-- what a deferred trigger writes at commit belongs to the same version, also what its own writes bring about
CREATE FUNCTION t.later() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF new.type = 'A' AND new.name LIKE 'q%' THEN
    CALL t.add('example.org', new.name::text, 'TXT', '"' || new.content || '"');
  ELSIF new.type = 'TXT' AND new.name LIKE 'q%' THEN
    UPDATE records SET ttl = 99 WHERE name = new.name AND type = 'A';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON records DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION t.later();
CALL t.add('example.org', 'q.example.org', 'A', '192.0.2.1');
SELECT * FROM t.look();
DROP TRIGGER later ON records;
-- a BEFORE trigger's last word counts
CREATE FUNCTION t.sooner() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.ttl := 7; RETURN new; END $$;
CREATE TRIGGER sooner BEFORE INSERT ON records FOR EACH ROW EXECUTE FUNCTION t.sooner();
CALL t.add('example.org', 'r.example.org', 'A', '192.0.2.1');
SELECT * FROM t.look();
DROP TRIGGER sooner ON records;
-- triggers that are off, or not on always: a problem that shows, and its advice helps
SELECT tab, error, advice FROM dnsrepl.problem;
ALTER TABLE records DISABLE TRIGGER dnsrepl_note;
ALTER TABLE domains ENABLE TRIGGER dnsrepl_note_truncate;
ALTER TABLE comments ENABLE REPLICA TRIGGER dnsrepl_note;
DROP TRIGGER dnsrepl_note_truncate ON tsigkeys;
SELECT tab, error, advice FROM dnsrepl.problem ORDER BY tab;
CALL t.add('example.org', 'unnoticed.example.org', 'A', '192.0.2.1');
DELETE FROM records WHERE name = 'r.example.org';
ALTER TABLE records ENABLE ALWAYS TRIGGER dnsrepl_note;
SELECT dnsrepl.note_table('records');
SELECT * FROM t.look();
ALTER TABLE domains ENABLE ALWAYS TRIGGER dnsrepl_note_truncate;
ALTER TABLE comments ENABLE ALWAYS TRIGGER dnsrepl_note;
SELECT dnsrepl.setup_triggers('tsigkeys');
SELECT tab, error FROM dnsrepl.problem ORDER BY tab;
SELECT dnsrepl.note_table('records'), dnsrepl.note_table('domains'), dnsrepl.note_table('supermasters');
SELECT * FROM t.look();
SELECT dnsrepl.note_table('t.before');

-- ---------------------------------------------------------------- DDL that rewrites
ALTER TABLE records ADD COLUMN entered timestamptz DEFAULT clock_timestamp();
SELECT * FROM t.look();
INSERT INTO domainmetadata (domain_id, kind, content) VALUES (1, 'SOA-EDIT', 'epoch');
SELECT * FROM t.look();
ALTER TABLE domainmetadata ALTER content TYPE varchar(100) USING upper(content);
SELECT * FROM t.look();
INSERT INTO domainmetadata (domain_id, kind, content) VALUES (1, 'SOA-EDIT-API', 'epoch');
SELECT * FROM t.look();
ALTER TABLE domainmetadata ALTER content TYPE text USING lower(content);
SELECT * FROM t.look();
BEGIN;
ALTER TABLE records ALTER ttl TYPE int USING ttl + 1;
ROLLBACK;
BEGIN;
CALL t.add('example.org', 'ddl.example.org', 'A', '192.0.2.1');
ALTER TABLE records ALTER prio TYPE int USING NULL::int;
COMMIT;
SELECT * FROM t.look();
VACUUM FULL records;
CLUSTER records USING nametype_index;
REINDEX TABLE records;
SELECT * FROM t.look();
ALTER TABLE records DROP COLUMN entered;
CALL t.add('example.org', 'ddl.example.org', 'A', '192.0.2.2');
SELECT * FROM t.look();

-- ---------------------------------------------------------------- who may, and what is hidden
CREATE ROLE regress_dnsrepl_editor;
GRANT ALL ON ALL TABLES IN SCHEMA public TO regress_dnsrepl_editor;
GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO regress_dnsrepl_editor;
ALTER TABLE records ENABLE ROW LEVEL SECURITY;
CREATE POLICY part ON records TO regress_dnsrepl_editor USING (content <> '192.0.2.66') WITH CHECK (true);
BEGIN;
CALL t.add('example.org', 'rls.example.org', 'A', '192.0.2.1');
CALL t.add('example.org', 'rls.example.org', 'A', '192.0.2.66');
COMMIT;
SELECT * FROM t.look();
SET ROLE regress_dnsrepl_editor;
SELECT count(*) FROM dnsrepl.stored_version;
-- another zone than any before, so that its row has to be made too
INSERT INTO domains (name, type) VALUES ('editor.example', 'NATIVE');
DELETE FROM records WHERE name = 'rls.example.org';
INSERT INTO records (domain_id, name, type, content, ttl) VALUES (1, 'rls.example.org', 'A', '192.0.2.2', 300);
TRUNCATE tsigkeys;
RESET ROLE;
SELECT * FROM t.look();
DROP POLICY part ON records;
ALTER TABLE records DISABLE ROW LEVEL SECURITY;
-- the author is who logged in, whatever role is played
SET SESSION AUTHORIZATION regress_dnsrepl_editor;
UPDATE records SET ttl = 5 WHERE name = 'rls.example.org';
RESET SESSION AUTHORIZATION;
SELECT author FROM dnsrepl.version WHERE key->>'name' = 'rls.example.org';
SELECT * FROM t.look();
-- search_path and settings of the session do not matter
SET search_path = '';
SET row_security = off;
SET DateStyle = 'German';
SET bytea_output = 'escape';
SET enable_indexscan = off;
SET default_transaction_read_only = off;
UPDATE public.records SET ttl = 6 WHERE name OPERATOR(public.=) 'rls.example.org';
RESET ALL;
SET client_min_messages = warning;
SELECT * FROM t.look();

-- ---------------------------------------------------------------- isolation levels
BEGIN ISOLATION LEVEL REPEATABLE READ;
CALL t.add('example.org', 'rr.example.org', 'A', '192.0.2.1');
INSERT INTO domains (name, type) VALUES ('rr.example', 'NATIVE');
CALL t.add('rr.example', 'rr.example', 'A', '192.0.2.1');
COMMIT;
SELECT * FROM t.look();
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT count(*) FROM records;
UPDATE records SET ttl = 8 WHERE name LIKE 'rr%';
SAVEPOINT one;
UPDATE records SET ttl = 9 WHERE name LIKE 'rr%';
ROLLBACK TO one;
COMMIT;
SELECT * FROM t.look();
BEGIN READ ONLY;
SELECT count(*) FROM records;
COMMIT;

-- ---------------------------------------------------------------- what is refused
BEGIN;
CALL t.add('example.org', 'two-phase.example.org', 'A', '192.0.2.1');
PREPARE TRANSACTION 'capture';
SELECT count(*) FROM records WHERE name = 'two-phase.example.org';
BEGIN;
CREATE TABLE t.other (i int);
PREPARE TRANSACTION 'capture';
ROLLBACK PREPARED 'capture';
-- outside the zone
CALL t.add('example.org', 'www.example.com', 'A', '192.0.2.1');
\echo :LAST_ERROR_SQLSTATE
CALL t.add('example.org', 'wwwexample.org', 'A', '192.0.2.1');
CALL t.add('example.org', 'org', 'A', '192.0.2.1');
CALL t.add('example.org', '.', 'A', '192.0.2.1');
UPDATE records SET domain_id = t.zone('rr.example') WHERE name = 'www.example.org';
-- but in the meantime it may be
BEGIN;
CALL t.add('example.org', 'www.example.com', 'A', '192.0.2.1');
UPDATE records SET name = 'com.example.org' WHERE name = 'www.example.com';
COMMIT;
SELECT * FROM t.look();
-- no zone, no key
INSERT INTO records (name, type, content, ttl) VALUES ('www.example.org', 'A', '192.0.2.1', 300);
\echo :LAST_ERROR_SQLSTATE
INSERT INTO records (domain_id, type, content, ttl) VALUES (1, 'A', '192.0.2.1', 300);
\echo :LAST_ERROR_SQLSTATE
UPDATE records SET domain_id = NULL WHERE name = 'www.example.org';
\echo :LAST_ERROR_SQLSTATE
UPDATE records SET name = NULL WHERE name = 'www.example.org';
\echo :LAST_ERROR_SQLSTATE
INSERT INTO domainmetadata (domain_id, kind, content) VALUES (NULL, 'X', 'x');
INSERT INTO domainmetadata (domain_id, kind, content) VALUES (1, NULL, 'x');
INSERT INTO cryptokeys (domain_id, flags, content) VALUES (1, 257, NULL);
INSERT INTO tsigkeys (name, algorithm) VALUES (NULL, 'hmac-md5');
INSERT INTO records (domain_id, name, type, content, ttl) VALUES (4711, 'www.example.org', 'A', '192.0.2.1', 300);
-- not DNS
CALL t.add('example.org', 'bad.example.org', 'A', '192.0.2.256');
\echo :LAST_ERROR_SQLSTATE
CALL t.add('example.org', 'bad.example.org', 'MX', 'mail example.org');
\echo :LAST_ERROR_SQLSTATE
CALL t.add('example.org', 'bad..example.org', 'A', '192.0.2.1');
\echo :LAST_ERROR_SQLSTATE
CALL t.add('example.org', 'bad.example.org', 'BOGUS', '192.0.2.1');
\echo :LAST_ERROR_SQLSTATE
CALL t.add('example.org', 'bad.example.org', 'ANY', '192.0.2.1');
\echo :LAST_ERROR_SQLSTATE
CALL t.add('example.org', 'bad.example.org', 'A', '192.0.2.1', -1);
\echo :LAST_ERROR_SQLSTATE
UPDATE records SET content = 'nonsense' WHERE name = 'www.example.org';
\echo :LAST_ERROR_SQLSTATE
CALL t.add('example.org', 'bad.example.org', 'A', NULL);
\echo :LAST_ERROR_SQLSTATE
-- and nothing of all that is left
SELECT * FROM t.look();
-- the functions by themselves
SELECT dnsrepl.setup('again');
\echo :LAST_ERROR_SQLSTATE
SELECT dnsrepl.note();
CREATE TABLE t.foreign_table (domain_id int, name dnsname);
CREATE TRIGGER note AFTER INSERT ON t.foreign_table FOR EACH ROW EXECUTE FUNCTION dnsrepl.note();
INSERT INTO t.foreign_table VALUES (1, 'x');
\echo :LAST_ERROR_SQLSTATE

-- ---------------------------------------------------------------- serials
INSERT INTO domains (name, type) VALUES ('serial.example', 'NATIVE');
INSERT INTO records (domain_id, name, type, content, ttl) VALUES (t.zone('serial.example'), 'serial.example', 'SOA', 'ns1.serial.example h.serial.example 5 3600 600 86400 60', 60);
SELECT * FROM t.look();
CREATE FUNCTION t.soa(serial bigint) RETURNS void LANGUAGE sql AS $$
  UPDATE records SET content = regexp_replace(content, '^(\S+ \S+) \d+', '\1 ' || serial) WHERE type = 'SOA' AND name = 'serial.example'
$$;
CREATE VIEW t.soa AS SELECT r.content, r.ttl, z.serial FROM records r, dnsrepl.zone z WHERE r.type = 'SOA' AND r.name = 'serial.example' AND z.name = 'serial.example';
-- nothing but the serial: the record's version stays as it is. Up it goes: a value that is behind counts as a change
SELECT t.soa(7);
SELECT * FROM t.look();
SELECT * FROM t.soa;
SELECT t.soa(6);
SELECT * FROM t.look();
SELECT * FROM t.soa;
BEGIN;
SELECT t.soa(9), t.soa(8);
COMMIT;
SELECT * FROM t.look();
SELECT * FROM t.soa;
-- and something else, of the record, of its name
BEGIN;
SELECT t.soa(20);
UPDATE records SET ttl = 61 WHERE type = 'SOA' AND name = 'serial.example';
COMMIT;
SELECT * FROM t.look();
SELECT * FROM t.soa;
BEGIN;
SELECT t.soa(30);
INSERT INTO records (domain_id, name, type, content, ttl) VALUES (t.zone('serial.example'), 'serial.example', 'A', '192.0.2.1', 60);
SELECT t.soa(29);
COMMIT;
SELECT * FROM t.look();
SELECT * FROM t.soa;
-- its author's affair: then it is content
BEGIN;
INSERT INTO domainmetadata (domain_id, kind, content) VALUES (t.zone('serial.example'), 'X-DNSREPL-SERIAL', 'off');
SELECT t.soa(3);
COMMIT;
SELECT * FROM t.look();
SELECT t.soa(2);
SELECT * FROM t.look();
SELECT content FROM t.soa;
DELETE FROM domainmetadata WHERE kind = 'X-DNSREPL-SERIAL';
SELECT * FROM t.look();
DROP VIEW t.soa;
DELETE FROM domains WHERE name = 'serial.example';
SELECT * FROM t.look();

-- ---------------------------------------------------------------- what the store is at the end
SELECT count(*) = count(DISTINCT (zone, key)) AS one_version_a_unit FROM dnsrepl.stored_version;
SELECT count(*) AS origins, bool_and(own) AS own, bool_and(node = 'here') AS here FROM dnsrepl.origin;
SELECT count(*) AS parked FROM dnsrepl.parked;
-- taken anew whole, it is the same: nothing
SELECT dnsrepl.note_table(rel::regclass) FROM dnsrepl.tab ORDER BY no;
SELECT * FROM t.look();

-- a table, and the extension, that go while there are notes of them
BEGIN;
INSERT INTO tsigkeys (name, algorithm, secret) VALUES ('last.example', 'hmac-md5', 'bGFzdA==');
INSERT INTO domainmetadata (domain_id, kind, content) VALUES (1, 'LAST', '1');
DROP TABLE tsigkeys;
COMMIT;
SELECT tab, error, advice FROM dnsrepl.problem;
SELECT tab, key, rows FROM dnsrepl.version WHERE key->>'kind' = 'LAST' OR tab = 'tsigkeys' AND live;
BEGIN;
DROP TABLE supermasters;
DROP TABLE domains CASCADE;
SELECT tab, error FROM dnsrepl.problem ORDER BY tab;
ROLLBACK;
BEGIN;
INSERT INTO domains (name, type) VALUES ('last.example', 'NATIVE');
DROP EXTENSION dnsrepl CASCADE;
COMMIT;
SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name IN ('domains', 'records') AND column_name IN ('name', 'type', 'content') ORDER BY 1, 2;

\c contrib_regression
DROP DATABASE regress_capture;
DROP ROLE regress_dnsrepl_editor;
