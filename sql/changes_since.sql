--
-- What has changed of what is served: changes_since().
--
CREATE DATABASE regress_changes_since;
\c regress_changes_since
\set SHOW_CONTEXT never
SET client_min_messages = error;
CREATE EXTENSION dnsrepl;
SELECT dnsrepl.setup('here');
RESET client_min_messages;

-- One's own copy, as somebody who feeds another system keeps it.
CREATE TABLE copy (zone dnsname, name dnsname, type rrtype, ttl bigint, records text[]);
CREATE TABLE at (vector bytea);
INSERT INTO at VALUES (NULL);
CREATE FUNCTION take(OUT changes bigint) LANGUAGE plpgsql AS $$
DECLARE
  c record;
BEGIN
  changes := 0;
  FOR c IN SELECT * FROM dnsrepl.changes_since((SELECT vector FROM at)) LOOP
    IF c.vector IS NOT NULL THEN
      UPDATE at SET vector = c.vector;
    ELSE
      changes := changes + 1;
      DELETE FROM copy o WHERE c.zone IS NULL OR (o.zone = c.zone AND (c.name IS NULL OR (o.name, o.type) = (c.name, c.type)));
      IF c.records IS NOT NULL THEN
        INSERT INTO copy VALUES (c.zone, c.name, c.type, c.ttl, c.records);
      END IF;
    END IF;
  END LOOP;
END $$;
CREATE VIEW differs AS
  WITH t AS (SELECT d.name AS zone, r.name, r.type, min(r.ttl)::bigint AS ttl, array_length(array_agg(r.content), 1) AS n
    FROM records r JOIN domains d ON d.id = r.domain_id WHERE r.type IS NOT NULL AND NOT r.disabled GROUP BY 1, 2, 3),
  c AS (SELECT zone, name, type, ttl, array_length(records, 1) AS n FROM copy)
  (TABLE t EXCEPT TABLE c) UNION ALL (TABLE c EXCEPT TABLE t);
SELECT * FROM take();
SELECT added FROM dnsrepl.import_zone('@ 60 SOA ns1 host 1 2 3 4 5
@ 60 NS ns1
ns1 60 A 192.0.2.1
www 60 A 192.0.2.2
www 60 A 192.0.2.3
www 60 TXT "a" "b"
', 'example.org');
SELECT zone, name, type, ttl, records, vector IS NULL AS more FROM dnsrepl.changes_since((SELECT vector FROM at));
SELECT * FROM take();
SELECT * FROM copy ORDER BY zone, name, type;
SELECT count(*) AS nothing, count(vector) AS vector FROM dnsrepl.changes_since((SELECT vector FROM at));

-- One RRset; a name with an alias, where all of it is told; a serial alone.
UPDATE records SET ttl = 300 WHERE name = 'www.example.org' AND type = 'TXT';
SELECT zone, name, type, ttl, records FROM dnsrepl.changes_since((SELECT vector FROM at)) WHERE vector IS NULL;
SELECT * FROM take();
BEGIN;
DELETE FROM records WHERE name = 'www.example.org';
INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'www.example.org', 'CNAME', 'ns1.example.org', 60 FROM domains;
COMMIT;
SELECT zone, name, type, ttl, records FROM dnsrepl.changes_since((SELECT vector FROM at)) WHERE vector IS NULL;
SELECT * FROM take();
UPDATE records SET content = 'ns1.example.org host.example.org 2026112501 2 3 4 5' WHERE type = 'SOA';
SELECT zone, name, type, ttl, records FROM dnsrepl.changes_since((SELECT vector FROM at)) WHERE vector IS NULL;
SELECT * FROM take();
TABLE differs;

-- Disabled records are none; nor is what does not change what is served.
UPDATE records SET disabled = true WHERE name = 'ns1.example.org';
SELECT zone, name, type, ttl, records FROM dnsrepl.changes_since((SELECT vector FROM at)) WHERE vector IS NULL;
SELECT * FROM take();
UPDATE records SET auth = NOT auth;
SELECT zone, name, type, ttl, records FROM dnsrepl.changes_since((SELECT vector FROM at)) WHERE vector IS NULL;

-- Zones come and go; a policy: everything.
SELECT added FROM dnsrepl.import_zone('@ 60 SOA ns1 host 1 2 3 4 5
@ 60 NS ns1.example.org.
', 'example.net');
SELECT zone, name, type, ttl, records FROM dnsrepl.changes_since((SELECT vector FROM at)) WHERE vector IS NULL;
SELECT * FROM take();
DELETE FROM domains WHERE name = 'example.org';
SELECT zone, name, type, ttl, records FROM dnsrepl.changes_since((SELECT vector FROM at)) WHERE vector IS NULL;
SELECT * FROM take();
TABLE differs;
INSERT INTO dnsrepl.policy (zone, resolver) VALUES ('example.net', 'merge');
SELECT zone, name, type, ttl, records FROM dnsrepl.changes_since((SELECT vector FROM at)) WHERE vector IS NULL;
SELECT * FROM take();
TABLE differs;

-- A DNAME, and what is below it: by rules of a merge one hides the other; here it is told with all below.
BEGIN;
INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'd.example.net', 'DNAME', 'example.com', 60 FROM domains;
COMMIT;
SELECT zone, name, type, ttl, records FROM dnsrepl.changes_since((SELECT vector FROM at)) WHERE vector IS NULL;
SELECT * FROM take();
DELETE FROM records WHERE type = 'DNAME';
INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'a.d.example.net', 'A', '192.0.2.1', 60 FROM domains;
SELECT zone, name, type, ttl, records FROM dnsrepl.changes_since((SELECT vector FROM at)) WHERE vector IS NULL;
SELECT * FROM take();
TABLE differs;

-- Octets that are no vector.
SELECT * FROM dnsrepl.changes_since('\x');
SELECT * FROM dnsrepl.changes_since('\x0102030405');
SELECT * FROM dnsrepl.changes_since(decode(repeat('ff', 100), 'hex'));
\c postgres
DROP DATABASE regress_changes_since;
