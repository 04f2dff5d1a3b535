--
-- Adopting a database that has seen years: what is odd in it is reported whole, each with a statement that mends it.
--
CREATE DATABASE regress_adopt;
\c regress_adopt
\set SHOW_CONTEXT never
\pset null ~
SET client_min_messages = error;
CREATE EXTENSION dnsrepl;
\set ECHO none
\i /usr/share/pdns-backend-pgsql/schema/schema.pgsql.sql
\set ECHO all
ALTER TABLE domains DROP CONSTRAINT c_lowercase_name;
ALTER TABLE records DROP CONSTRAINT c_lowercase_name;
ALTER TABLE records DROP CONSTRAINT domain_exists;
INSERT INTO domains (id, name, type) VALUES (1, 'Example.ORG', 'MASTER'), (2, 'example.net.', 'NATIVE'), (3, 'example.net', 'NATIVE');
INSERT INTO records (id, domain_id, name, type, content, ttl, prio, disabled) VALUES
    -- fine, as it is
    (1, 1, 'example.org', 'SOA', 'ns1.example.org. Hostmaster.example.org. 2019010101 3600 600 604800 300', 3600, 0, false),
    (2, 1, 'EXAMPLE.org', 'NS', 'ns1.example.org.', 3600, NULL, false),
    (3, 1, 'ns1.example.org.', 'A', '192.0.2.1', 300, NULL, false),
    (4, 1, 'www.example.org', 'a', '192.0.2.2', NULL, NULL, NULL),
    (5, 1, 'txt.example.org', 'TXT', 'no quotes', 300, NULL, false),
    (6, 1, 'off.example.org', 'CNAME', 'example.net', 300, NULL, true),
    (7, 1, 'off.example.org', 'A', '192.0.2.3', 300, NULL, false),
    -- twice
    (10, 1, 'www.example.org', 'A', '192.0.2.2', 300, 0, false),
    (11, 1, 'example.org', 'NS', 'NS1.Example.Org', 3600, 0, false),
    -- white space
    (20, 1, 'space.example.org', 'A', ' 192.0.2.4 ', 300, 0, false),
    (21, 1, ' lead.example.org ', 'A', '192.0.2.5', 300, 0, false),
    -- priorities
    (30, 1, 'example.org', 'MX', '10 mail.example.net', 300, NULL, false),
    (31, 1, 'example.org', 'MX', '20 mail2.example.net.', 300, 0, false),
    (32, 1, '_sip._tcp.example.org', 'SRV', '5 0 5060 sip.example.net', 300, NULL, false),
    (33, 1, '_xmpp._tcp.example.org', 'SRV', '5 0 5222 xmpp.example.net', 300, 5, false),
    (34, 1, '_imap._tcp.example.org', 'SRV', '10 5 143 imap.example.net', 300, NULL, false),
    (35, 1, '_pop._tcp.example.org', 'SRV', '10 5 0 110 pop.example.net', 300, NULL, false),
    -- nobody's
    (40, 77, 'lost.example.com', 'A', '192.0.2.6', 300, 0, false),
    (41, 1, 'www.example.com', 'A', '192.0.2.6', 300, 0, false),
    -- what does not go together
    (50, 1, 'alias.example.org', 'CNAME', 'www.example.org', 300, 0, false),
    (51, 1, 'alias.example.org', 'A', '192.0.2.7', 300, 0, false),
    (52, 1, 'alias.example.org', 'CNAME', 'ns1.example.org', 300, 0, false),
    (53, 1, 'example.org', 'CNAME', 'example.net', 300, 0, false),
    (54, 1, 'sub.example.org', 'SOA', 'ns1.example.org h.example.org 1 2 3 4 5', 300, 0, false),
    (55, 1, 'example.org', 'SOA', 'ns2.example.org h.example.org 1 2 3 4 5', 300, 0, false),
    (56, 1, 'example.org', 'DS', '1 13 2 D4B7D520E7BB5F0F67674A0CCEB1E3E0614B93C4F9E99B8383F6A1E4469DA50A', 300, 0, false),
    (57, 1, 'moved.example.org', 'DNAME', 'example.net', 300, 0, false),
    (58, 1, 'www.moved.example.org', 'A', '192.0.2.8', 300, 0, false),
    (59, 1, 'key.example.org', 'CDNSKEY', '257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==', 300, 0, false),
    -- texts, and times
    (60, 1, 'q1.example.org', 'TXT', '"open', 300, 0, false),
    (61, 1, 'q2.example.org', 'SPF', 'v=spf1 -all', 300, 0, false),
    (62, 1, 'ttl.example.org', 'A', '192.0.2.9', -1, 0, false),
    -- nobody can tell what was meant
    (70, 1, 'bad.example.org', 'A', 'localhost', 300, 0, false),
    (71, 1, 'bad..example.org', 'A', '192.0.2.9', 300, 0, false);
SELECT * FROM dnsrepl.adoption_report();
-- the statements, as they are: then again, for what they have brought to light
SELECT fix FROM dnsrepl.adoption_report() WHERE fix IS NOT NULL \gexec
SELECT * FROM dnsrepl.adoption_report();
DELETE FROM records WHERE id IN (35, 70, 71);
SELECT fix FROM dnsrepl.adoption_report() WHERE fix IS NOT NULL \gexec
SELECT * FROM dnsrepl.adoption_report();
SELECT dnsrepl.setup('here');
SELECT id, name, type, ttl, prio, disabled, content FROM records ORDER BY id;
SELECT severity, name, type, rule FROM dnsrepl.check_zone('example.org') WHERE severity = 'error';
SELECT zone, tab, key, problem FROM dnsrepl.check_store();
\c postgres
DROP DATABASE regress_adopt;
