--
-- Packs: what one transaction writes of units that follow one another is stored together, and taken apart as it is edited.
--
CREATE DATABASE regress_pack;
\c regress_pack
SET client_min_messages = error;
CREATE EXTENSION dnsrepl;
SELECT dnsrepl.setup('here');
INSERT INTO domains (name, type) VALUES ('pack.example', 'NATIVE');
INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, name, 'SOA', 'ns1.pack.example h.pack.example 1 1 1 1 1', 60 FROM domains;
INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'h' || i || '.' || name, t, c, 60
  FROM domains, generate_series(100, 299) i, (VALUES ('A', '192.0.2.1'), ('TXT', '"a"')) v (t, c);

CREATE VIEW units AS SELECT key->>'name' AS name, key->>'type' AS type, rows->0->>'content' AS content, live, stamp FROM dnsrepl.version WHERE tab = 'records';
-- rows of the store, packs, and units; what is wrong with the packs
CREATE FUNCTION packs(OUT few boolean, OUT packs boolean, OUT units bigint, OUT wrong bigint) LANGUAGE sql AS $$
  SELECT count(*) < 100, count(more) > 5, (SELECT count(*) FROM units),
         (SELECT count(*) FROM dnsrepl.version_store p CROSS JOIN LATERAL (SELECT u.key AS first FROM dnsrepl.pack_units(p.key, p.image, p.more) u ORDER BY u.key LIMIT 1) l
            JOIN dnsrepl.version_store o ON o.zone = p.zone AND o.ctid <> p.ctid AND (o.key BETWEEN l.first AND p.key
                 OR substr(o.key, 1, 2) = '\x0002' AND substr(o.key, 1, greatest(length(o.key) - 3, 0)) IN (substr(p.key, 1, greatest(length(p.key) - 3, 0)), substr(l.first, 1, greatest(length(l.first) - 3, 0))))
           WHERE p.more IS NOT NULL)
    FROM dnsrepl.version_store
$$;
SELECT * FROM packs();

-- one of them: its name has rows of its own, the others stay as they were
UPDATE records SET content = '192.0.2.2' WHERE name = 'h150.pack.example' AND type = 'A';
SELECT * FROM packs();
SELECT count(*), count(DISTINCT (name, type)), count(DISTINCT stamp) FROM units WHERE type <> 'SOA';
SELECT name, type, content FROM units WHERE name IN ('h149.pack.example', 'h150.pack.example', 'h151.pack.example') ORDER BY 1, 2;
-- several of a pack, the first and the last of the zone, a type more, a name between, one that goes; in one transaction
BEGIN;
UPDATE records SET content = '192.0.2.3' WHERE name IN ('h100.pack.example', 'h299.pack.example', 'h201.pack.example', 'h203.pack.example') AND type = 'A';
INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'h170.pack.example', 'AAAA', '2001:db8::1', 60 FROM domains;
INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'h1705.pack.example', 'AAAA', '2001:db8::1', 60 FROM domains;
DELETE FROM records WHERE name = 'h205.pack.example';
COMMIT;
SELECT * FROM packs();
SELECT content, live, count(*) FROM units WHERE type <> 'SOA' GROUP BY 1, 2 ORDER BY 1, 2;
-- undone
BEGIN;
UPDATE records SET content = '192.0.2.9' WHERE type = 'A';
ROLLBACK;
BEGIN;
SAVEPOINT s;
UPDATE records SET content = '192.0.2.9' WHERE type = 'A';
ROLLBACK TO s;
UPDATE records SET content = '192.0.2.4' WHERE name = 'h110.pack.example' AND type = 'A';
COMMIT;
SELECT count(*) FROM units WHERE content = '192.0.2.9';
SELECT * FROM packs();
-- all of it, which packs it again
UPDATE records SET ttl = 61 WHERE type <> 'SOA';
SELECT * FROM packs();
DELETE FROM records WHERE name > 'h200.pack.example' AND type = 'TXT';
SELECT live, count(*) FROM units GROUP BY 1 ORDER BY 1;
SELECT * FROM packs();
SELECT * FROM dnsrepl.check_store();
DELETE FROM domains;
SELECT count(*) FROM dnsrepl.check_store();
-- octets that are no pack, and keys that are none
SELECT encode(key, 'hex') AS key, encode(image, 'hex') AS image FROM dnsrepl.pack_units('\x0001', '\x02', '\x010107000108');
SELECT count(*) FROM generate_series(0, 255) i, dnsrepl.pack_units('\x0001', '\x02', set_byte('\x010107000108', i % 6, i)) HAVING count(*) > 256;
SELECT count(*) FROM dnsrepl.pack_units('\x0001', '\x02', '\xffffffffffffffffff01ffffffffffffffffff01');
SELECT count(*) FROM dnsrepl.pack_units('\x', '\x', NULL);
SELECT dnsrepl.conflict_now(1, decode(repeat('00', 5000), 'hex'));
SELECT dnsrepl.conflict_now(1, decode(repeat('0005', 2500), 'hex'));
\c postgres
DROP DATABASE regress_pack;
