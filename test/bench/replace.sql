-- What a PATCH of one RRset through PowerDNS's API does: out with the RRset, in with the new one, a new SOA.
\set z random(1, :zones)
\set k random(1, :hosts)
\set a random(0, 255)
\set b random(0, 255)
\set serial random(1, 2000000000)
BEGIN;
SELECT id FROM domains WHERE name = 'z' || :z || '.example' \gset
DELETE FROM records WHERE domain_id = :id AND name = 'h' || :k || '.z' || :z || '.example' AND type = 'A';
INSERT INTO records (domain_id, name, type, content, ttl, prio, disabled, auth) VALUES (:id, 'h' || :k || '.z' || :z || '.example', 'A', '192.0.' || :a || '.' || :b, 300, 0, false, true);
INSERT INTO records (domain_id, name, type, content, ttl, prio, disabled, auth) VALUES (:id, 'h' || :k || '.z' || :z || '.example', 'A', '198.51.' || :a || '.' || :b, 300, 0, false, true);
UPDATE records SET content = 'ns1.example hostmaster.example ' || :serial || ' 10800 3600 604800 3600' WHERE domain_id = :id AND name = 'z' || :z || '.example' AND type = 'SOA';
COMMIT;
