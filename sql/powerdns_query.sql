-- All default queries of PowerDNS 4.7's gpgsql backend, and those that later versions changed, on tables of text as PowerDNS
-- makes them and on typed ones: each prepares as PowerDNS prepares it, without types, and uses the same indexes.
SET client_min_messages = warning;
CREATE SCHEMA powerdns_stock;
SET search_path = powerdns_stock, public;
CREATE TABLE domains (id SERIAL PRIMARY KEY, name varchar(255) NOT NULL, master VARCHAR(128) DEFAULT NULL, last_check INT DEFAULT NULL, type TEXT NOT NULL,
  notified_serial BIGINT DEFAULT NULL, account VARCHAR(40) DEFAULT NULL, options TEXT DEFAULT NULL, catalog TEXT DEFAULT NULL,
  CONSTRAINT c_lowercase_name CHECK (((name)::TEXT = LOWER((name)::TEXT))));
CREATE UNIQUE INDEX name_index ON domains (name);
CREATE INDEX catalog_idx ON domains (catalog);
CREATE TABLE records (id BIGSERIAL PRIMARY KEY, domain_id INT DEFAULT NULL, name varchar(255) DEFAULT NULL, type varchar(10) DEFAULT NULL,
  content VARCHAR(65535) DEFAULT NULL, ttl INT DEFAULT NULL, prio INT DEFAULT NULL, disabled BOOL DEFAULT 'f', ordername VARCHAR(255),
  auth BOOL DEFAULT 't', FOREIGN KEY (domain_id) REFERENCES domains (id) ON DELETE CASCADE,
  CONSTRAINT c_lowercase_name CHECK (((name)::TEXT = LOWER((name)::TEXT))));
CREATE INDEX rec_name_index ON records (name);
CREATE INDEX nametype_index ON records (name, type);
CREATE INDEX domain_id ON records (domain_id);
CREATE INDEX recordorder ON records (domain_id, ordername text_pattern_ops);
CREATE TABLE supermasters (ip INET NOT NULL, nameserver varchar(255) NOT NULL, account VARCHAR(40) NOT NULL, PRIMARY KEY (ip, nameserver));
CREATE TABLE comments (id SERIAL PRIMARY KEY, domain_id INT NOT NULL, name varchar(255) NOT NULL, type varchar(10) NOT NULL, modified_at INT NOT NULL,
  account VARCHAR(40) DEFAULT NULL, comment VARCHAR(65535) NOT NULL, FOREIGN KEY (domain_id) REFERENCES domains (id) ON DELETE CASCADE);
CREATE INDEX comments_domain_id_idx ON comments (domain_id);
CREATE INDEX comments_name_type_idx ON comments (name, type);
CREATE INDEX comments_order_idx ON comments (domain_id, modified_at);
CREATE TABLE domainmetadata (id SERIAL PRIMARY KEY, domain_id INT REFERENCES domains (id) ON DELETE CASCADE, kind VARCHAR(32), content TEXT);
CREATE INDEX domainidmetaindex ON domainmetadata (domain_id);
CREATE TABLE cryptokeys (id SERIAL PRIMARY KEY, domain_id INT REFERENCES domains (id) ON DELETE CASCADE, flags INT NOT NULL, active BOOL,
  published BOOL DEFAULT TRUE, content TEXT);
CREATE INDEX domainidindex ON cryptokeys (domain_id);
CREATE TABLE tsigkeys (id SERIAL PRIMARY KEY, name varchar(255), algorithm VARCHAR(50), secret VARCHAR(255));
CREATE UNIQUE INDEX namealgoindex ON tsigkeys (name, algorithm);
INSERT INTO domains (name, type) SELECT 'z' || g || '.example.org', 'NATIVE' FROM generate_series(1, 50) g;
INSERT INTO records (domain_id, name, type, content, ttl, prio, ordername)
  SELECT d.id, name::text, 'SOA', 'a b 1 2 3 4 5', 60, 0, '' FROM domains d;
INSERT INTO records (domain_id, name, type, content, ttl, prio, ordername)
  SELECT d.id, 'h' || g || '.' || name, (ARRAY['A', 'TXT', 'CAA'])[g % 3 + 1], 'x', 60, 0, 'h' || g FROM domains d, generate_series(1, 100) g;
ANALYZE domains, records;

CREATE SCHEMA powerdns_typed;
SET search_path = powerdns_typed, public;
CREATE TABLE domains (id SERIAL PRIMARY KEY, name dnsname NOT NULL, master VARCHAR(128) DEFAULT NULL, last_check INT DEFAULT NULL, type TEXT NOT NULL,
  notified_serial BIGINT DEFAULT NULL, account VARCHAR(40) DEFAULT NULL, options TEXT DEFAULT NULL, catalog TEXT DEFAULT NULL,
  CONSTRAINT c_lowercase_name CHECK (((name)::TEXT = LOWER((name)::TEXT))));
CREATE UNIQUE INDEX name_index ON domains (name);
CREATE INDEX catalog_idx ON domains (catalog);
CREATE TABLE records (id BIGSERIAL PRIMARY KEY, domain_id INT DEFAULT NULL, name dnsname DEFAULT NULL, type rrtype DEFAULT NULL,
  content VARCHAR(65535) DEFAULT NULL, ttl INT DEFAULT NULL, prio INT DEFAULT NULL, disabled BOOL DEFAULT 'f', ordername VARCHAR(255),
  auth BOOL DEFAULT 't', FOREIGN KEY (domain_id) REFERENCES domains (id) ON DELETE CASCADE,
  CONSTRAINT c_lowercase_name CHECK (((name)::TEXT = LOWER((name)::TEXT))));
CREATE INDEX rec_name_index ON records (name);
CREATE INDEX nametype_index ON records (name, type);
CREATE INDEX domain_id ON records (domain_id);
CREATE INDEX recordorder ON records (domain_id, ordername text_pattern_ops);
CREATE TABLE supermasters (ip INET NOT NULL, nameserver dnsname NOT NULL, account VARCHAR(40) NOT NULL, PRIMARY KEY (ip, nameserver));
CREATE TABLE comments (id SERIAL PRIMARY KEY, domain_id INT NOT NULL, name dnsname NOT NULL, type rrtype NOT NULL, modified_at INT NOT NULL,
  account VARCHAR(40) DEFAULT NULL, comment VARCHAR(65535) NOT NULL, FOREIGN KEY (domain_id) REFERENCES domains (id) ON DELETE CASCADE);
CREATE INDEX comments_domain_id_idx ON comments (domain_id);
CREATE INDEX comments_name_type_idx ON comments (name, type);
CREATE INDEX comments_order_idx ON comments (domain_id, modified_at);
CREATE TABLE domainmetadata (id SERIAL PRIMARY KEY, domain_id INT REFERENCES domains (id) ON DELETE CASCADE, kind VARCHAR(32), content TEXT);
CREATE INDEX domainidmetaindex ON domainmetadata (domain_id);
CREATE TABLE cryptokeys (id SERIAL PRIMARY KEY, domain_id INT REFERENCES domains (id) ON DELETE CASCADE, flags INT NOT NULL, active BOOL,
  published BOOL DEFAULT TRUE, content TEXT);
CREATE INDEX domainidindex ON cryptokeys (domain_id);
CREATE TABLE tsigkeys (id SERIAL PRIMARY KEY, name dnsname, algorithm VARCHAR(50), secret VARCHAR(255));
CREATE UNIQUE INDEX namealgoindex ON tsigkeys (name, algorithm);
INSERT INTO domains (name, type) SELECT 'z' || g || '.example.org', 'NATIVE' FROM generate_series(1, 50) g;
INSERT INTO records (domain_id, name, type, content, ttl, prio, ordername)
  SELECT d.id, name::text, 'SOA', 'a b 1 2 3 4 5', 60, 0, '' FROM domains d;
INSERT INTO records (domain_id, name, type, content, ttl, prio, ordername)
  SELECT d.id, 'h' || g || '.' || name, (ARRAY['A', 'TXT', 'CAA'])[g % 3 + 1], 'x', 60, 0, 'h' || g FROM domains d, generate_series(1, 100) g;
ANALYZE domains, records;

CREATE SCHEMA powerdns_query;
SET search_path = powerdns_query, public;
CREATE TABLE query (name text, query text);
INSERT INTO query VALUES
  ('activate-domain-key', $q$update cryptokeys set active=true where domain_id=(select id from domains where name=$1) and  cryptokeys.id=$2$q$),
  ('add-domain-key', $q$insert into cryptokeys (domain_id, flags, active, published, content) select id, $1, $2, $3, $4 from domains where name=$5 returning id$q$),
  ('any-id', $q$SELECT content,ttl,prio,type,domain_id,disabled::int,name,auth::int FROM records WHERE disabled=false and name=$1 and domain_id=$2$q$),
  ('any', $q$SELECT content,ttl,prio,type,domain_id,disabled::int,name,auth::int FROM records WHERE disabled=false and name=$1$q$),
  ('basic', $q$SELECT content,ttl,prio,type,domain_id,disabled::int,name,auth::int FROM records WHERE disabled=false and type=$1 and name=$2$q$),
  ('clear-domain-all-keys', $q$delete from cryptokeys where domain_id=(select id from domains where name=$1)$q$),
  ('clear-domain-all-metadata', $q$delete from domainmetadata where domain_id=(select id from domains where name=$1)$q$),
  ('clear-domain-metadata', $q$delete from domainmetadata where domain_id=(select id from domains where name=$1) and domainmetadata.kind=$2$q$),
  ('deactivate-domain-key', $q$update cryptokeys set active=false where domain_id=(select id from domains where name=$1) and  cryptokeys.id=$2$q$),
  ('delete-comment-rrset', $q$DELETE FROM comments WHERE domain_id=$1 AND name=$2 AND type=$3$q$),
  ('delete-comments', $q$DELETE FROM comments WHERE domain_id=$1$q$),
  ('delete-domain', $q$delete from domains where name=$1$q$),
  ('delete-empty-non-terminal', $q$delete from records where domain_id=$1 and name=$2 and type is null$q$),
  ('delete-names', $q$delete from records where domain_id=$1 and name=$2$q$),
  ('delete-rrset', $q$delete from records where domain_id=$1 and name=$2 and type=$3$q$),
  ('delete-tsig-key', $q$delete from tsigkeys where name=$1$q$),
  ('delete-zone', $q$delete from records where domain_id=$1$q$),
  ('get-all-domain-metadata', $q$select kind,content from domains, domainmetadata where domainmetadata.domain_id=domains.id and name=$1$q$),
  ('get-all-domains', $q$select domains.id, domains.name, records.content, domains.type, domains.master, domains.notified_serial, domains.last_check, domains.account from domains LEFT JOIN records ON records.domain_id=domains.id AND records.type='SOA' AND records.name=domains.name WHERE records.disabled=false OR $1$q$),
  ('get-domain-metadata', $q$select content from domains, domainmetadata where domainmetadata.domain_id=domains.id and name=$1 and domainmetadata.kind=$2$q$),
  ('get-order-after', $q$select ordername from records where disabled=false and ordername ~>~ $1 and domain_id=$2 and ordername is not null order by 1 using ~<~ limit 1$q$),
  ('get-order-before', $q$select ordername, name from records where disabled=false and ordername ~<=~ $1 and domain_id=$2 and ordername is not null order by 1 using ~>~ limit 1$q$),
  ('get-order-first', $q$select ordername from records where disabled=false and domain_id=$1 and ordername is not null order by 1 using ~<~ limit 1$q$),
  ('get-order-last', $q$select ordername, name from records where disabled=false and ordername != '' and domain_id=$1 and ordername is not null order by 1 using ~>~ limit 1$q$),
  ('get-tsig-key', $q$select algorithm, secret from tsigkeys where name=$1$q$),
  ('get-tsig-keys', $q$select name,algorithm, secret from tsigkeys$q$),
  ('id', $q$SELECT content,ttl,prio,type,domain_id,disabled::int,name,auth::int FROM records WHERE disabled=false and type=$1 and name=$2 and domain_id=$3$q$),
  ('info-all-master', $q$select domains.id, domains.name, domains.type, domains.notified_serial, domains.options, domains.catalog, records.content from records join domains on records.domain_id=domains.id and records.name=domains.name where records.type='SOA' and records.disabled=false and domains.type in ('MASTER', 'PRODUCER')$q$),
  ('info-all-slaves', $q$select domains.id, domains.name, domains.type, domains.master, domains.last_check, records.content from domains LEFT JOIN records ON records.domain_id=domains.id AND records.type='SOA' AND records.name=domains.name where domains.type in ('SLAVE', 'CONSUMER')$q$),
  ('info-consumer-members', $q$select id, name, options, master from domains where type='SLAVE' and catalog=$1$q$),
  ('info-producer-members', $q$select domains.id, domains.name, domains.options from records join domains on records.domain_id=domains.id and records.name=domains.name where domains.type='MASTER' and domains.catalog=$1 and records.type='SOA' and records.disabled=false$q$),
  ('info-zone', $q$select id,name,master,last_check,notified_serial,type,options,catalog,account from domains where name=$1$q$),
  ('insert-comment', $q$INSERT INTO comments (domain_id, name, type, modified_at, account, comment) VALUES ($1, $2, $3, $4, $5, $6)$q$),
  ('insert-empty-non-terminal-order', $q$insert into records (type,domain_id,disabled,name,ordername,auth,ttl,prio,content) values (null,$1,false,$2,$3,$4,null,null,null)$q$),
  ('insert-record', $q$insert into records (content,ttl,prio,type,domain_id,disabled,name,ordername,auth) values ($1,$2,$3,$4,$5,$6,$7,$8,$9)$q$),
  ('insert-zone', $q$insert into domains (type,name,master,account,last_check, notified_serial) values($1,$2,$3,$4,null,null)$q$),
  ('list-comments', $q$SELECT domain_id,name,type,modified_at,account,comment FROM comments WHERE domain_id=$1$q$),
  ('list-domain-keys', $q$select cryptokeys.id, flags, case when active then 1 else 0 end as active, case when published then 1 else 0 end as published, content from domains, cryptokeys where cryptokeys.domain_id=domains.id and name=$1$q$),
  ('list', $q$SELECT content,ttl,prio,type,domain_id,disabled::int,name,auth::int,ordername FROM records WHERE (disabled=false OR $1) and domain_id=$2 order by name, type$q$),
  ('list-subzone', $q$SELECT content,ttl,prio,type,domain_id,disabled::int,name,auth::int FROM records WHERE disabled=false and (name=$1 OR name like $2) and domain_id=$3$q$),
  ('nullify-ordername-and-update-auth', $q$update records set ordername=NULL,auth=$1 where domain_id=$2 and name=$3 and disabled=false$q$),
  ('nullify-ordername-and-update-auth-type', $q$update records set ordername=NULL,auth=$1 where domain_id=$2 and name=$3 and type=$4 and disabled=false$q$),
  ('publish-domain-key', $q$update cryptokeys set published=true where domain_id=(select id from domains where name=$1) and  cryptokeys.id=$2$q$),
  ('remove-domain-key', $q$delete from cryptokeys where domain_id=(select id from domains where name=$1) and cryptokeys.id=$2$q$),
  ('remove-empty-non-terminals-from-zone', $q$delete from records where domain_id=$1 and type is null$q$),
  ('search-comments', $q$SELECT domain_id,name,type,modified_at,account,comment FROM comments WHERE name ILIKE $1 OR comment ILIKE $2 LIMIT $3$q$),
  ('search-records', $q$SELECT content,ttl,prio,type,domain_id,disabled::int,name,auth::int FROM records WHERE name ILIKE $1 OR content ILIKE $2 LIMIT $3$q$),
  ('set-domain-metadata', $q$insert into domainmetadata (domain_id, kind, content) select id, $1, $2 from domains where name=$3$q$),
  ('set-tsig-key', $q$insert into tsigkeys (name,algorithm,secret) values($1,$2,$3)$q$),
  ('supermaster', $q$select account from supermasters where ip=$1 and nameserver=$2$q$),
  ('unpublish-domain-key', $q$update cryptokeys set published=false where domain_id=(select id from domains where name=$1) and  cryptokeys.id=$2$q$),
  ('update-account', $q$update domains set account=$1 where name=$2$q$),
  ('update-catalog', $q$update domains set catalog=$1 where name=$2$q$),
  ('update-kind', $q$update domains set type=$1 where name=$2$q$),
  ('update-lastcheck', $q$update domains set last_check=$1 where id=$2$q$),
  ('update-master', $q$update domains set master=$1 where name=$2$q$),
  ('update-options', $q$update domains set options=$1 where name=$2$q$),
  ('update-ordername-and-auth', $q$update records set ordername=$1,auth=$2 where domain_id=$3 and name=$4 and disabled=false$q$),
  ('update-ordername-and-auth-type', $q$update records set ordername=$1,auth=$2 where domain_id=$3 and name=$4 and type=$5 and disabled=false$q$),
  ('update-serial', $q$update domains set notified_serial=$1 where id=$2$q$),
  ('master: api-id', $q$SELECT content,ttl,prio,type,domain_id,disabled::int,name,auth::int FROM records WHERE (disabled=false or $1) and type=$2 and name=$3 and domain_id=$4$q$),
  ('master: api-any-id', $q$SELECT content,ttl,prio,type,domain_id,disabled::int,name,auth::int FROM records WHERE (disabled=false or $1) and name=$2 and domain_id=$3$q$),
  ('master: set-tsig-key', $q$insert into tsigkeys (name,algorithm,secret) values($1,$2,$3) on conflict(name,algorithm) do update set secret=Excluded.secret$q$);

-- What becomes of a query in a schema: its parameters' types, and the indexes of a generic plan; or the error.
CREATE FUNCTION prepared(schema text, query text, OUT parameters text, OUT indexes text) LANGUAGE plpgsql AS $$
DECLARE
  line text;
  found text[] := '{}';
  n int;
BEGIN
  PERFORM set_config('search_path', schema || ', public', true);
  EXECUTE 'PREPARE q AS ' || query;
  SELECT array_to_string(parameter_types, ','), cardinality(parameter_types) INTO parameters, n FROM pg_prepared_statements WHERE name = 'q';
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) EXECUTE q' || CASE WHEN n > 0 THEN '(' || rtrim(repeat('NULL,', n), ',') || ')' ELSE '' END
  LOOP
    found := found || substring(line from 'Index (?:Only )?Scan(?: Backward)? (?:using|on) (\w+)');
  END LOOP;
  -- (name) and (name, type) cost the same where only the name is asked for
  SELECT string_agg(replace(f, 'rec_name_index', 'nametype_index'), ',' ORDER BY f) INTO indexes FROM unnest(found) f;
  DEALLOCATE q;
EXCEPTION WHEN OTHERS THEN
  parameters := 'ERROR';
  indexes := SQLERRM;
END $$;

SET plan_cache_mode = force_generic_plan;
SET enable_seqscan = off;
CREATE TABLE outcome AS
  SELECT q.name, stock.parameters AS stock_parameters, stock.indexes AS stock, typed.parameters AS parameters, typed.indexes AS typed
  FROM query q, prepared('powerdns_stock', query) stock, prepared('powerdns_typed', query) typed;
RESET plan_cache_mode; RESET enable_seqscan;

SELECT count(*) AS queries, count(*) FILTER (WHERE stock_parameters = 'ERROR') AS fail_stock, count(*) FILTER (WHERE parameters = 'ERROR') AS fail_typed
FROM outcome;
SELECT name, stock, typed FROM outcome WHERE stock IS DISTINCT FROM typed ORDER BY name;
SELECT name AS without_index FROM outcome WHERE typed IS NULL AND name !~ 'insert|set-' ORDER BY name COLLATE "C";
SELECT name, parameters FROM outcome ORDER BY name COLLATE "C";

-- what comes from DNS clients is answered, not refused
SET search_path = powerdns_typed, public;
PREPARE basic AS SELECT content,ttl,prio,type,domain_id,disabled::int,name,auth::int FROM records WHERE disabled=false and type=$1 and name=$2;
EXECUTE basic('A', 'h3.z1.example.org');
EXECUTE basic('a', 'H3.z1.example.org.');
SELECT count(*) AS refused FROM unnest(ARRAY['.', '*.z1.example.org', '_sip._tcp.z1.example.org', 'a\\b\.c\032d\000\255', 'a/b', 'a@b', '-', '@', '\.', repeat('\000', 63),
  repeat('a.', 126) || 'a', 'x"y', 'a:b', '0', '192.0.2.1', '::1']) name, unnest(ARRAY['A', 'ANY', 'AXFR', 'TYPE65535', 'TYPE0', 'ADDR', 'TSIG']) type
  WHERE name::dnsname IS NULL OR type::rrtype IS NULL;
DEALLOCATE basic;

-- both give PowerDNS the same bytes, in the same kind of order
SELECT count(*) AS different FROM (
  SELECT content, ttl, prio, type::text, domain_id, disabled::int, name::text, auth::int FROM powerdns_stock.records EXCEPT
  SELECT content, ttl, prio, type::text, domain_id, disabled::int, name::text, auth::int FROM powerdns_typed.records) d;

DROP SCHEMA powerdns_stock, powerdns_typed, powerdns_query CASCADE;
