--
-- Rules of a zone: what a commit is refused for, what is warned of, and check_zone().
--
CREATE DATABASE regress_zone_rule;
\c regress_zone_rule
\set SHOW_CONTEXT never
SET client_min_messages = error;
CREATE EXTENSION dnsrepl;
SELECT dnsrepl.setup('here');
SET client_min_messages = warning;

CREATE PROCEDURE add(z text, n text, t text, c text, p int DEFAULT 0, l int DEFAULT 300) LANGUAGE sql AS $$
  INSERT INTO records (domain_id, name, type, content, ttl, prio) SELECT id, CASE n WHEN '' THEN z ELSE n || '.' || z END, t::rrtype, c, l, p FROM domains WHERE name = z::dnsname
$$;
CREATE FUNCTION found(z text) RETURNS TABLE (severity text, name dnsname, type rrtype, rule text, message text) LANGUAGE sql AS $$
  SELECT severity, name, type, rule, message FROM dnsrepl.check_zone(z::dnsname) ORDER BY severity, rule, name, type, message
$$;

-- a zone is built step by step: nothing is said of what is not there yet
INSERT INTO domains (name, type) VALUES ('example.org', 'NATIVE');
SELECT * FROM found('example.org');
CALL add('example.org', '', 'SOA', 'ns1.example.org host.example.org 1 3600 600 604800 300');
CALL add('example.org', 'ns1', 'A', '192.0.2.1');
CALL add('example.org', '', 'NS', 'ns1.example.org');
SELECT * FROM found('example.org');
CALL add('example.org', '', 'NS', 'ns2.example.net');
SELECT * FROM found('example.org');

-- ---------------------------------------------------------------- errors
CALL add('example.org', 'www', 'AAAA', '2001:db8::1');
CALL add('example.org', 'www', 'AAAA', '2001:DB8:0::1');
CALL add('example.org', 'mail', 'MX', 'mx.example.net', 10);
CALL add('example.org', 'mail', 'MX', 'mx.example.net', 20);
CALL add('example.org', 'mail', 'MX', 'MX.example.net', 20);
CALL add('example.org', '', 'DS', '60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118');
CALL add('example.org', 'www', 'CDS', '0 0 0 00');
CALL add('example.org', '', 'CDS', '0 0 0 00');
CALL add('example.org', 'bad', 'A', '192.0.2.300');
INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'www.example.com', 'A', '192.0.2.3', 300 FROM domains;
CALL add('example.org', 'www', 'CNAME', 'example.net');
-- all of which can be read afterwards
SELECT username = session_user AS mine, application, zone, name, type, content, code, rule, message FROM dnsrepl.rejection;
-- one that was there before hinders nobody else
SELECT dnsrepl.zone_level('example.org', 'warn');
CALL add('example.org', 'www', 'AAAA', '2001:DB8:0::1');
SELECT dnsrepl.zone_level('example.org', 'off');
CALL add('example.org', 'www', 'AAAA', '2001:DB8:0:0::1');
SELECT dnsrepl.zone_level('example.org', 'strict');
CALL add('example.org', 'www', 'TXT', '"beside it"');
SELECT * FROM found('example.org');
DELETE FROM records WHERE name = 'www.example.org' AND content <> '2001:db8::1' AND type = 'AAAA';
SELECT * FROM found('example.org');
SELECT dnsrepl.zone_level('example.org', 'often');
SELECT dnsrepl.zone_level('example.com', 'off');
SELECT * FROM dnsrepl.check_zone('example.com');

-- ---------------------------------------------------------------- one TTL
UPDATE records SET ttl = 60 WHERE name = 'mail.example.org' AND prio = 20;
SELECT prio, ttl FROM records WHERE name = 'mail.example.org' ORDER BY prio;
CALL add('example.org', 'mail', 'MX', 'mx3.example.net', 30, 900);
SELECT prio, ttl FROM records WHERE name = 'mail.example.org' ORDER BY prio;
SELECT prio, ttl FROM records WHERE name = 'mail.example.org' ORDER BY prio;
SELECT rows FROM dnsrepl.version WHERE key->>'name' = 'mail.example.org';

-- ---------------------------------------------------------------- warnings
CALL add('example.org', 'w', 'MX', 'nowhere.example.org', 10);
CALL add('example.org', 'w', 'SRV', '0 80 alias.example.org', 10);
CALL add('example.org', 'alias', 'CNAME', 'www.example.org');
CALL add('example.org', 'w', 'SRV', '0 81 alias.example.org', 10);
CALL add('example.org', 'lost', 'CNAME', 'nothing.example.org');
CALL add('example.org', 'self', 'CNAME', 'self.example.org');
CALL add('example.org', 'w2', 'NS', '192.0.2.9');
DELETE FROM records WHERE name = 'w2.example.org';
CALL add('example.org', 'sub', 'NS', 'ns.sub.example.org');
CALL add('example.org', 'ns.sub', 'A', '192.0.2.7');
CALL add('example.org', 'deep.sub', 'TXT', '"hidden"');
CALL add('example.org', 'a.cut', 'TXT', '"will be hidden"');
CALL add('example.org', 'cut', 'NS', 'ns.example.net');
CALL add('example.org', 'alone', 'DS', '60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118');
CALL add('example.org', '*', 'NS', 'ns.example.net');
DELETE FROM records WHERE name = '*.example.org';
CALL add('example.org', 'x.*.y', 'TXT', '"odd"');
CALL add('example.org', 'd', 'DNAME', 'example.net');
CALL add('example.org', 'd', 'NS', 'ns.example.net');
-- in one transaction the order does not matter
BEGIN;
CALL add('example.org', 'v', 'MX', 'mx.v.example.org', 10);
CALL add('example.org', 'mx.v', 'A', '192.0.2.8');
COMMIT;
-- a wildcard answers
CALL add('example.org', '*.wild', 'A', '192.0.2.8');
CALL add('example.org', 'w3', 'MX', 'any.wild.example.org', 10);
-- the apex names a host that loses its address
DELETE FROM records WHERE name = 'ns1.example.org';
CALL add('example.org', 'ns1', 'A', '192.0.2.1');
SELECT * FROM found('example.org');

-- many at once: some are told, the rest is left to check_zone()
BEGIN;
INSERT INTO records (domain_id, name, type, content, ttl, prio) SELECT id, 'm' || i || '.example.org', 'MX', 'no' || i || '.example.org', 300, 10 FROM domains, generate_series(10, 34) i WHERE name = 'example.org';
COMMIT;
DELETE FROM records WHERE name ~~ 'm__.example.org';

-- ---------------------------------------------------------------- what only check_zone() tells
CALL add('example.org', 'under_score', 'A', '192.0.2.1');
CALL add('example.org', 'spf', 'SPF', '"v=spf1 -all"');
INSERT INTO domains (name, type) VALUES ('child.example.org', 'NATIVE');
CALL add('child.example.org', '', 'SOA', 'ns1.example.org host.example.org 1 3600 600 604800 300');
CALL add('child.example.org', '', 'NS', 'ns1.example.org');
SELECT zone, severity, name, type, rule FROM dnsrepl.check_all() WHERE rule IN ('spf', 'host-name', 'no-delegation', 'one-ns') ORDER BY zone, rule, name;
-- whoever may monitor may look
SET ROLE pg_monitor;
SELECT count(*) FROM dnsrepl.check_zone('child.example.org');
SELECT count(*) > 0 AS some FROM dnsrepl.check_all();
SELECT count(*) > 0 AS some FROM dnsrepl.rejection;
RESET ROLE;

\c postgres
DROP DATABASE regress_zone_rule;
