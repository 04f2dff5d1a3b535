-- A node is made: dnsrepl.setup(). PowerDNS 4.7's seven tables, with columns that know DNS; adopt.sql takes those that exist.

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

-- PowerDNS's schema 4.7; @s. is the schema, @t. that of the types. The check of lower case is the types' now. Without the three of its
-- indexes that are the beginning of another one (rec_name_index, domain_id, comments_domain_id_idx): no query of PowerDNS's misses
-- them, and each row that is written has two index entries less.
CREATE FUNCTION dnsrepl.setup_ddl() RETURNS TABLE (name text, ddl text)
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    VALUES
    ('domains', $ddl$
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
    $ddl$),
    ('records', $ddl$
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
    CREATE INDEX nametype_index ON @s.records(name,type);
    CREATE INDEX recordorder ON @s.records (domain_id, ordername text_pattern_ops);
    $ddl$),
    ('supermasters', $ddl$
    CREATE TABLE @s.supermasters (
        ip                    INET NOT NULL,
        nameserver            @t.dnsname NOT NULL,
        account               VARCHAR(40) NOT NULL,
        PRIMARY KEY(ip, nameserver)
    );
    $ddl$),
    ('comments', $ddl$
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
    CREATE INDEX comments_name_type_idx ON @s.comments (name, type);
    CREATE INDEX comments_order_idx ON @s.comments (domain_id, modified_at);
    $ddl$),
    ('domainmetadata', $ddl$
    CREATE TABLE @s.domainmetadata (
        id                    SERIAL PRIMARY KEY,
        domain_id             INT REFERENCES @s.domains(id) ON DELETE CASCADE,
        kind                  VARCHAR(32),
        content               TEXT
    );
    CREATE INDEX domainidmetaindex ON @s.domainmetadata(domain_id);
    $ddl$),
    ('cryptokeys', $ddl$
    CREATE TABLE @s.cryptokeys (
        id                    SERIAL PRIMARY KEY,
        domain_id             INT REFERENCES @s.domains(id) ON DELETE CASCADE,
        flags                 INT NOT NULL,
        active                BOOL,
        published             BOOL DEFAULT TRUE,
        content               TEXT
    );
    CREATE INDEX domainidindex ON @s.cryptokeys(domain_id);
    $ddl$),
    ('tsigkeys', $ddl$
    CREATE TABLE @s.tsigkeys (
        id                    SERIAL PRIMARY KEY,
        name                  @t.dnsname,
        algorithm             VARCHAR(50),
        secret                VARCHAR(255)
    );
    CREATE UNIQUE INDEX namealgoindex ON @s.tsigkeys(name, algorithm);
    $ddl$)
$$;
COMMENT ON FUNCTION dnsrepl.setup_ddl() IS 'PowerDNS''s tables, as a node has them';

CREATE FUNCTION dnsrepl.setup_create(schema name) RETURNS text[]
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    t record;
    made text[] := '{}';
BEGIN
    FOR t IN SELECT d.* FROM dnsrepl.setup_ddl() d WHERE to_regclass(format('%I.%I', schema, d.name)) IS NULL LOOP
        EXECUTE replace(replace(t.ddl, '@s.', quote_ident(schema) || '.'), '@t.', '@extschema@.');
        made := made || t.name;
    END LOOP;
    RETURN made;
END $$;
COMMENT ON FUNCTION dnsrepl.setup_create(name) IS 'for setup(): makes those of PowerDNS''s tables that are not in a schema; which they were';

CREATE FUNCTION dnsrepl.setup_triggers(tab regclass) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('CREATE OR REPLACE TRIGGER dnsrepl_note AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION dnsrepl.note()', tab);
    EXECUTE format('CREATE OR REPLACE TRIGGER dnsrepl_note_truncate AFTER TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION dnsrepl.note_truncate()', tab);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER dnsrepl_note', tab);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER dnsrepl_note_truncate', tab);
END $$;
COMMENT ON FUNCTION dnsrepl.setup_triggers(regclass) IS 'for setup(): the triggers of a replicated table; those that a dump brought are made anew';

CREATE FUNCTION dnsrepl.setup_listed() RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM regexp_matches(current_setting('dnsrepl.databases', true), '"((?:[^"]|"")*)"|([^",\s]+)', 'g') m
        WHERE coalesce(replace(m[1], '""', '"'), m[2]) = current_database())
$$;
COMMENT ON FUNCTION dnsrepl.setup_listed() IS 'for setup(): is this database in dnsrepl.databases?';

CREATE FUNCTION dnsrepl.setup_check(node text, schema name) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    present text := (SELECT n.name FROM dnsrepl.node n);
BEGIN
    IF present IS NOT NULL THEN
        RAISE EXCEPTION 'this database is node "%" already', present
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF node IS NULL OR node = '' OR octet_length(node) > 63 OR node ~ '[[:cntrl:]]' THEN
        RAISE EXCEPTION 'invalid name of a node: %', quote_nullable(node) USING
            ERRCODE = 'invalid_parameter_value',
            DETAIL = 'It has 1 to 63 octets, and no control characters.';
    END IF;
    IF schema IS NULL OR to_regnamespace(quote_ident(schema)) IS NULL THEN
        RAISE EXCEPTION 'schema "%" does not exist', schema USING
            ERRCODE = 'invalid_schema_name',
            HINT = 'PowerDNS''s tables are made, or looked for, in this schema: make it, or name another.';
    END IF;
END $$;
COMMENT ON FUNCTION dnsrepl.setup_check(text, name) IS 'for setup(): are its arguments usable?';

CREATE FUNCTION dnsrepl.setup(node text, schema name DEFAULT 'public', on_join text DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    t record;
    rel regclass;
BEGIN
    PERFORM dnsrepl.setup_check(node, schema);
    PERFORM dnsrepl.renew();
    IF EXISTS (SELECT FROM dnsrepl.setup_tables() s WHERE to_regclass(format('%I.%I', schema, s.name)) IS NOT NULL) THEN
        PERFORM dnsrepl.setup_adopt(schema);
    ELSE
        PERFORM dnsrepl.setup_create(schema);
    END IF;
    INSERT INTO dnsrepl.node (id, name, schema) VALUES (gen_random_uuid(), node, schema);
    FOR t IN SELECT * FROM dnsrepl.setup_tables() LOOP
        rel := format('%I.%I', schema, t.name)::regclass;
        INSERT INTO dnsrepl.tab VALUES (t.no, t.name, rel, t.zone, t.key, t.hashed, t.columns);
        PERFORM dnsrepl.setup_triggers(rel);
        PERFORM dnsrepl.note_table(rel);
    END LOOP;
    -- The extension's own: how conflicts are settled.
    INSERT INTO dnsrepl.tab VALUES (8, 'policy', 'dnsrepl.policy'::regclass, 'n', '{scope}', NULL, '{zone,tab,type,resolver,options,doubted}');
    PERFORM dnsrepl.setup_triggers('dnsrepl.policy');
    PERFORM dnsrepl.note_table('dnsrepl.policy');
    INSERT INTO dnsrepl.tab VALUES (9, 'member', 'dnsrepl.roll'::regclass, 'n', '{node}', NULL, '{name,evicted}');
    PERFORM dnsrepl.setup_triggers('dnsrepl.roll');
    PERFORM dnsrepl.note_table('dnsrepl.roll');
    INSERT INTO dnsrepl.roll (node, name) SELECT n.id, n.name FROM dnsrepl.node n;
    IF on_join IS NOT NULL THEN
        PERFORM dnsrepl."join"(on_join);
    END IF;
    -- A dump brings the links of the node that was dumped: a copy that is restored for a look must not begin to send.
    PERFORM dnsrepl.links_from_dump();
    IF EXISTS (SELECT FROM dnsrepl.peer) OR EXISTS (SELECT FROM dnsrepl.server) THEN
        RAISE NOTICE 'the links that came with the dump are paused' USING
            DETAIL = 'This is a node of its own now, with data of its own. To take what has been written since the dump from the others, it joins them.',
            HINT = 'Run SELECT dnsrepl.join(''cluster''), then dnsrepl.resume() for each; or dnsrepl.drop_peer().';
    END IF;
    IF NOT dnsrepl.setup_listed() THEN
        RAISE WARNING 'database "%" is not in dnsrepl.databases', current_database() USING
            DETAIL = 'What changes here is kept for its peers, and is not sent until the database is in that list.',
            HINT = format('Set dnsrepl.databases = ''%s'' in postgresql.conf and reload the configuration.',
                concat_ws(', ', nullif(current_setting('dnsrepl.databases', true), ''), quote_ident(current_database())));
    END IF;
END $$;
COMMENT ON FUNCTION dnsrepl.setup(text, name, text)
    IS 'makes this database a node: PowerDNS''s tables are made, or adopted where they are';

CREATE FUNCTION dnsrepl.setup_missing() RETURNS text[]
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    present name := (SELECT n.schema FROM dnsrepl.node n);
    owner regrole := (SELECT c.relowner FROM pg_class c WHERE c.oid = to_regclass(format('%I.domains', present)));
    made text[];
    t record;
BEGIN
    IF present IS NULL THEN
        RAISE EXCEPTION 'this database is no node yet' USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'Run SELECT dnsrepl.setup(''name of this node'').';
    END IF;
    IF to_regclass(format('%I.domains', present)) IS NULL THEN
        RAISE EXCEPTION 'table "domains" is missing' USING ERRCODE = 'object_not_in_prerequisite_state',
            DETAIL = 'Without it, what the other tables have belongs to no zone.', HINT = 'Make the node anew.';
    END IF;
    made := dnsrepl.setup_create(present);
    FOR t IN SELECT b.name, format('%I.%I', present, b.name)::regclass AS rel FROM dnsrepl.tab b WHERE b.name = ANY (made) LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO %s', t.rel, owner);
        UPDATE dnsrepl.tab b SET rel = t.rel WHERE b.name = t.name;
        PERFORM dnsrepl.setup_triggers(t.rel);
    END LOOP;
    -- Nobody has edited: the new tables follow the store, not the store the tables.
    PERFORM dnsrepl.queue_units(array_agg(u.zone), array_agg(u.key), 'the table was made anew')
       FROM (SELECT DISTINCT v.zone, v.key FROM dnsrepl.stored_version v
              WHERE dnsrepl.unit_table(v.key) IN (SELECT b.no FROM dnsrepl.tab b WHERE b.name = ANY (made))) u;
    PERFORM dnsrepl.policy_changed();  -- wakes whoever projects
    RETURN made;
END $$;
COMMENT ON FUNCTION dnsrepl.setup_missing()
    IS 'makes those replicated tables anew that somebody has dropped, and fills them from the store; which they were';
