-- A node is made: dnsrepl.setup() (src/setup). PowerDNS 4.7's seven tables, with columns that know DNS.

-- How the seven tables replicate: the numbers are the same on every node and never change.
CREATE FUNCTION dnsrepl.setup_tables()
RETURNS TABLE (no int2, name text, zone "char", key text[], hashed text, columns text[])
  LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  VALUES
    (1::int2, 'domains',        's'::"char", '{}'::text[],               NULL,      '{type,master,account,options,catalog}'::text[]),
    (2::int2, 'records',        'i'::"char", '{name,type}'::text[],      NULL,      '{content,ttl,prio,disabled}'::text[]),
    (3::int2, 'domainmetadata', 'i'::"char", '{kind}'::text[],           NULL,      '{content}'::text[]),
    (4::int2, 'cryptokeys',     'i'::"char", '{flags,content}'::text[],  'content', '{active,published,content}'::text[]),
    (5::int2, 'comments',       'i'::"char", '{name,type}'::text[],      NULL,      '{modified_at,account,comment}'::text[]),
    (6::int2, 'tsigkeys',       'n'::"char", '{name,algorithm}'::text[], NULL,      '{secret}'::text[]),
    (7::int2, 'supermasters',   'n'::"char", '{ip,nameserver}'::text[],  NULL,      '{account}'::text[])
$$;
COMMENT ON FUNCTION dnsrepl.setup_tables() IS 'how PowerDNS''s tables replicate';

CREATE FUNCTION dnsrepl.setup_create(schema name) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  ddl text := $ddl$
CREATE TABLE @s.domains (
  id                    SERIAL PRIMARY KEY,
  name                  @t.dnsname NOT NULL,
  master                VARCHAR(128) DEFAULT NULL,
  last_check            INT DEFAULT NULL,
  type                  TEXT NOT NULL,
  notified_serial       BIGINT DEFAULT NULL,
  account               VARCHAR(40) DEFAULT NULL,
  options               TEXT DEFAULT NULL,
  catalog               TEXT DEFAULT NULL
);
CREATE UNIQUE INDEX name_index ON @s.domains(name);
CREATE INDEX catalog_idx ON @s.domains(catalog);

CREATE TABLE @s.records (
  id                    BIGSERIAL PRIMARY KEY,
  domain_id             INT DEFAULT NULL,
  name                  @t.dnsname DEFAULT NULL,
  type                  @t.rrtype DEFAULT NULL,
  content               VARCHAR(65535) DEFAULT NULL,
  ttl                   INT DEFAULT NULL,
  prio                  INT DEFAULT NULL,
  disabled              BOOL DEFAULT 'f',
  ordername             VARCHAR(255),
  auth                  BOOL DEFAULT 't',
  CONSTRAINT domain_exists FOREIGN KEY(domain_id) REFERENCES @s.domains(id) ON DELETE CASCADE
);
CREATE INDEX rec_name_index ON @s.records(name);
CREATE INDEX nametype_index ON @s.records(name,type);
CREATE INDEX domain_id ON @s.records(domain_id);
CREATE INDEX recordorder ON @s.records (domain_id, ordername text_pattern_ops);

CREATE TABLE @s.supermasters (
  ip                    INET NOT NULL,
  nameserver            @t.dnsname NOT NULL,
  account               VARCHAR(40) NOT NULL,
  PRIMARY KEY(ip, nameserver)
);

CREATE TABLE @s.comments (
  id                    SERIAL PRIMARY KEY,
  domain_id             INT NOT NULL,
  name                  @t.dnsname NOT NULL,
  type                  @t.rrtype NOT NULL,
  modified_at           INT NOT NULL,
  account               VARCHAR(40) DEFAULT NULL,
  comment               VARCHAR(65535) NOT NULL,
  CONSTRAINT domain_exists FOREIGN KEY(domain_id) REFERENCES @s.domains(id) ON DELETE CASCADE
);
CREATE INDEX comments_domain_id_idx ON @s.comments (domain_id);
CREATE INDEX comments_name_type_idx ON @s.comments (name, type);
CREATE INDEX comments_order_idx ON @s.comments (domain_id, modified_at);

CREATE TABLE @s.domainmetadata (
  id                    SERIAL PRIMARY KEY,
  domain_id             INT REFERENCES @s.domains(id) ON DELETE CASCADE,
  kind                  VARCHAR(32),
  content               TEXT
);
CREATE INDEX domainidmetaindex ON @s.domainmetadata(domain_id);

CREATE TABLE @s.cryptokeys (
  id                    SERIAL PRIMARY KEY,
  domain_id             INT REFERENCES @s.domains(id) ON DELETE CASCADE,
  flags                 INT NOT NULL,
  active                BOOL,
  published             BOOL DEFAULT TRUE,
  content               TEXT
);
CREATE INDEX domainidindex ON @s.cryptokeys(domain_id);

CREATE TABLE @s.tsigkeys (
  id                    SERIAL PRIMARY KEY,
  name                  @t.dnsname,
  algorithm             VARCHAR(50),
  secret                VARCHAR(255)
);
CREATE UNIQUE INDEX namealgoindex ON @s.tsigkeys(name, algorithm);
$ddl$;
BEGIN
  EXECUTE replace(replace(ddl, '@s.', quote_ident(schema) || '.'), '@t.', '@extschema@.');
END $$;
COMMENT ON FUNCTION dnsrepl.setup_create(name) IS 'for setup(): makes PowerDNS''s tables in a schema';

CREATE FUNCTION dnsrepl.setup(node text, schema name DEFAULT 'public') RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  t record;
  rel oid;
BEGIN
  IF EXISTS (SELECT FROM dnsrepl.node) THEN
    RAISE EXCEPTION 'this database is node "%" already', (SELECT n.name FROM dnsrepl.node n)
      USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  PERFORM dnsrepl.renew();
  IF NOT EXISTS (SELECT FROM pg_tables p WHERE p.schemaname = setup.schema AND tablename IN (SELECT s.name FROM dnsrepl.setup_tables() s)) THEN
    PERFORM dnsrepl.setup_create(schema);
  ELSE
    PERFORM dnsrepl.setup_adopt(schema);
  END IF;
  INSERT INTO dnsrepl.node (id, name, schema) VALUES (gen_random_uuid(), node, schema);
  FOR t IN SELECT * FROM dnsrepl.setup_tables() LOOP
    rel := format('%I.%I', schema, t.name)::regclass;
    INSERT INTO dnsrepl.tab VALUES (t.no, t.name, rel, t.zone, t.key, t.hashed, t.columns);
    EXECUTE format('CREATE TRIGGER dnsrepl_note AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION dnsrepl.note()', rel::regclass);
    EXECUTE format('CREATE TRIGGER dnsrepl_note_truncate AFTER TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION dnsrepl.note_truncate()', rel::regclass);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER dnsrepl_note', rel::regclass);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER dnsrepl_note_truncate', rel::regclass);
    PERFORM dnsrepl.note_table(rel::regclass);
  END LOOP;
END $$;
COMMENT ON FUNCTION dnsrepl.setup(text, name) IS 'makes this database a node: PowerDNS''s tables are made, or adopted where they are';
