-- PowerDNS's tables that exist are taken over by dnsrepl.setup(): looked at whole, then changed in place.
--
-- adoption_report() changes nothing and lists all that stands in the way: adoption_shape() what is wrong with the tables,
-- adoption_users() what hangs on columns whose type has to change, adoption_rows() the rows. In these lists `key` tells the
-- row; it is null where the trouble is the table's. setup_adopt() holds the tables locked and raises that list as one error,
-- or makes what is missing (a table belongs to the owner of those that are there) and changes the types, with one rewrite of
-- each table; what that may call of their owner's code (CHECKs, indexes of expressions) runs with his rights. Other columns, ids, sequences, indexes, owners and privileges stay. Tables that have the types already, as
-- after the restoration of a node's dump, pass the same examination and are not rewritten.
-- Sessions that have prepared statements on the tables, PowerDNS's among them, get an error once ("cached plan must not
-- change result type"); PowerDNS connects again by itself.

-- The columns that a table must have, by what is asked of their type. "int" is any integer (it stays local), "text" also
-- varchar; "dnsname" and "rrtype" are text in PowerDNS's own schema. A final ? marks what PowerDNS 4.3 did not have.
CREATE FUNCTION dnsrepl.setup_columns() RETURNS TABLE (tab text, col text, kind text, optional boolean)
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.tab, split_part(c, ' ', 1), rtrim(split_part(c, ' ', 2), '?'), c LIKE '%?'
    FROM (VALUES
        ('domains', 'id int4,name dnsname,master text,last_check int,type text,notified_serial int,account text,options text?,catalog text?'),
        ('records', 'id int,domain_id int4,name dnsname,type rrtype,content text,ttl int4,prio int4,disabled bool,ordername text,auth bool'),
        ('domainmetadata', 'id int,domain_id int4,kind text,content text'),
        ('cryptokeys', 'id int,domain_id int4,flags int4,active bool,published bool,content text'),
        ('comments', 'id int,domain_id int4,name dnsname,type rrtype,modified_at int4,account text,comment text'),
        ('tsigkeys', 'id int,name dnsname,algorithm text,secret text'),
        ('supermasters', 'ip inet,nameserver dnsname,account text')) t (tab, list),
        string_to_table(t.list, ',') c
$$;
COMMENT ON FUNCTION dnsrepl.setup_columns() IS 'for setup(): the columns of PowerDNS''s tables';

-- The columns of those of the seven that are there and are tables; attnum is null for a column that is not there.
CREATE FUNCTION dnsrepl.adoption_columns(schema name)
RETURNS TABLE (rel oid, tab text, col text, kind text, optional boolean, attnum int2, type oid)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT r.oid, c.tab, c.col, c.kind, c.optional, a.attnum, a.atttypid
    FROM dnsrepl.setup_columns() c
        JOIN pg_class r ON r.oid = to_regclass(format('%I.%I', schema, c.tab)) AND r.relkind = 'r'
        LEFT JOIN pg_attribute a ON a.attrelid = r.oid AND a.attname = c.col AND a.attnum > 0 AND NOT a.attisdropped
$$;
COMMENT ON FUNCTION dnsrepl.adoption_columns(name) IS 'for setup(): the columns of the tables that are there';

-- Columns whose type has to change, and to what.
CREATE FUNCTION dnsrepl.adoption_changes(schema name)
RETURNS TABLE (rel oid, tab text, col text, attnum int2, target regtype)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.rel, c.tab, c.col, c.attnum, t.target
    FROM dnsrepl.adoption_columns(schema) c
        CROSS JOIN LATERAL (SELECT CASE
            WHEN c.kind = 'dnsname' THEN '@extschema@.dnsname'::regtype
            WHEN c.kind = 'rrtype' THEN '@extschema@.rrtype'::regtype
            WHEN c.tab = 'domains' AND c.col = 'type' THEN 'text'::regtype END) t (target)
    WHERE c.type <> t.target
$$;
COMMENT ON FUNCTION dnsrepl.adoption_changes(name) IS 'for setup(): which columns get another type';

CREATE FUNCTION dnsrepl.adoption_shape(schema name) RETURNS TABLE (tab text, key text, problem text, fix text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.name, NULL::text, p.problem, p.fix
    FROM dnsrepl.setup_tables() s
        JOIN pg_class c ON c.oid = to_regclass(format('%I.%I', schema, s.name))
        CROSS JOIN LATERAL (VALUES
            (c.relkind <> 'r' OR c.relispartition, 'it is not an ordinary table', NULL),
            (EXISTS (SELECT FROM pg_inherits i WHERE c.oid IN (i.inhrelid, i.inhparent)),
                'it inherits, or is inherited from', NULL),
            (c.relkind = 'r' AND c.relpersistence <> 'p', 'it is not kept through a crash',
                format('ALTER TABLE %s SET LOGGED', c.oid::regclass)),
            (s.name = 'domains' AND c.relkind = 'r' AND NOT EXISTS (
                SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'id'
                WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid AND i.indkey::text = a.attnum::text),
                'its primary key is not its column "id"', format('ALTER TABLE %s ADD PRIMARY KEY (id)', c.oid::regclass))
            ) p (is_so, problem, fix)
    WHERE p.is_so
    UNION ALL
    SELECT c.tab, NULL, 'it has no column ' || string_agg(quote_ident(c.col), ', ' ORDER BY c.col), 'apply PowerDNS''s schema upgrades up to 4.3, if this is its table'
    FROM dnsrepl.adoption_columns(schema) c
    WHERE c.attnum IS NULL AND NOT c.optional
    GROUP BY c.tab
    UNION ALL
    SELECT c.tab, NULL, format('column "%s" has type %s instead of %s', c.col, format_type(c.type, NULL), w.wanted),
        CASE WHEN c.col <> 'id' THEN format('ALTER TABLE %s ALTER COLUMN %I TYPE %s', c.rel::regclass, c.col, w.wanted) END
    FROM dnsrepl.adoption_columns(schema) c
        CROSS JOIN LATERAL (SELECT CASE c.kind WHEN 'int4' THEN 'integer' WHEN 'int' THEN 'bigint' WHEN 'bool' THEN 'boolean'
            WHEN 'inet' THEN 'inet' WHEN 'text' THEN 'text' ELSE 'character varying' END) w (wanted)
    WHERE c.attnum IS NOT NULL AND NOT CASE c.kind
        WHEN 'int4' THEN c.type = 'int4'::regtype
        WHEN 'int' THEN c.type IN ('int4'::regtype, 'int8'::regtype)
        WHEN 'bool' THEN c.type = 'bool'::regtype
        WHEN 'inet' THEN c.type = 'inet'::regtype
        ELSE c.type IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype)
            OR c.kind = 'dnsname' AND c.type = '@extschema@.dnsname'::regtype
            OR c.kind = 'rrtype' AND c.type = '@extschema@.rrtype'::regtype END
    UNION ALL
    SELECT c.tab, NULL, 'column "id" has no default', 'make it an identity column, and set its sequence'
    FROM dnsrepl.adoption_columns(schema) c JOIN pg_attribute a ON a.attrelid = c.rel AND a.attnum = c.attnum
    WHERE c.col = 'id' AND NOT a.atthasdef AND a.attidentity = ''
    ORDER BY 1, 3
$$;
COMMENT ON FUNCTION dnsrepl.adoption_shape(name) IS 'for setup(): how existing tables differ from what PowerDNS 4.3 to 4.7 has';

-- PostgreSQL refuses to change the type of a column while one of these uses it.
CREATE FUNCTION dnsrepl.adoption_users(schema name) RETURNS TABLE (tab text, key text, problem text, fix text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.tab, NULL::text, format('%s uses column "%s", whose type has to change', u.description, c.col),
        'drop it, and make it again after setup()'
    FROM dnsrepl.adoption_changes(schema) c
        JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = c.rel AND d.refobjsubid = c.attnum
        LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
        LEFT JOIN pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid
        CROSS JOIN LATERAL (SELECT CASE WHEN r.rulename = '_RETURN' THEN pg_describe_object('pg_class'::regclass, r.ev_class, 0)
            ELSE pg_describe_object(d.classid, d.objid, d.objsubid) END) u (description)
    WHERE d.classid IN ('pg_rewrite'::regclass, 'pg_policy'::regclass, 'pg_trigger'::regclass, 'pg_proc'::regclass,
            'pg_publication_rel'::regclass)
        OR f.adnum <> c.attnum
    UNION
    SELECT c.tab, NULL, format('index "%s" orders column "%s" in a way that its new type does not have', i.indexrelid::regclass, c.col),
        format('DROP INDEX %s', i.indexrelid::regclass)
    FROM dnsrepl.adoption_changes(schema) c
        JOIN pg_attribute a ON a.attrelid = c.rel AND a.attnum = c.attnum
        JOIN pg_index i ON i.indrelid = c.rel
        CROSS JOIN LATERAL unnest(i.indkey::int2[], i.indclass::oid[], i.indcollation::oid[]) k (attnum, opclass, coll)
        JOIN pg_opclass o ON o.oid = k.opclass
    WHERE k.attnum = c.attnum AND c.target <> 'text'::regtype
        AND NOT (o.opcdefault AND k.coll = a.attcollation AND o.opcmethod IN (SELECT m.oid FROM pg_am m WHERE m.amname IN ('btree', 'hash')))
    ORDER BY 1, 3
$$;
COMMENT ON FUNCTION dnsrepl.adoption_users(name) IS 'for setup(): what keeps the types of columns from being changed';

-- What would make a record of one that is none: the first of these changes that does. Null: none does.
CREATE FUNCTION dnsrepl.adoption_fix(name text, type text, ttl int, prio int, content text) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT concat_ws(', ', CASE WHEN c.name IS DISTINCT FROM $1 THEN format('name = %L', c.name) END,
            CASE WHEN c.ttl IS DISTINCT FROM $3 THEN format('ttl = %s', c.ttl) END,
            CASE WHEN c.prio IS DISTINCT FROM $4 THEN format('prio = %s', c.prio) END,
            CASE WHEN c.content IS DISTINCT FROM $5 THEN format('content = %L', c.content) END)
    FROM (SELECT 1, btrim($1), $3, $4, btrim($5)
        UNION ALL SELECT 2, btrim($1), $3, coalesce($4, 0), btrim($5)
        -- the priority in content, as zone files have it
        UNION ALL SELECT 3, btrim($1), $3, m[1]::int, btrim(m[2]) FROM regexp_match($5, '^\s*(\d{1,5})\s+(.*)$') m WHERE upper($2) IN ('MX', 'SRV')
        UNION ALL SELECT 4, btrim($1), $3, $4, '"' || btrim($5, ' "') || '"' WHERE upper($2) IN ('TXT', 'SPF') AND $5 !~ '[\\"].*[\\"].'
        UNION ALL SELECT 5, btrim($1), greatest($3, 0), $4, btrim($5)) c (place, name, ttl, prio, content)
    WHERE dnsrepl.record_error(c.name, $2, c.ttl, c.prio, c.content) IS NULL
    ORDER BY c.place LIMIT 1
$$;
COMMENT ON FUNCTION dnsrepl.adoption_fix(text, text, int, int, text) IS 'for setup(): the SET clause that makes a record of a row that is none, if one of the usual mistakes is all';

-- The rows: a query for each table. @tab is the table, z has its zones, @lost says in words that a row r has none.
-- Each looks at a value once (OFFSET 0), and reads a name as a name only when it is known to be one.
CREATE FUNCTION dnsrepl.adoption_queries() RETURNS TABLE (tab text, query text)
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    VALUES
    ('domains', $q$
    SELECT 'id=' || id, concat_ws(' ', error, CASE WHEN id <> first THEN format('name "%s": The domain with id=%s has the same.', name, first) END),
        CASE WHEN id <> first THEN 'DELETE FROM @tab WHERE id = ' || id END
    FROM (SELECT id, name, error, CASE WHEN error IS NULL THEN min(id) OVER (PARTITION BY parsed) END AS first
        FROM (SELECT id, name, error, CASE WHEN error IS NULL THEN name::@extschema@.dnsname END AS parsed
            FROM (SELECT id, name::text, dnsrepl.record_error(name::text, NULL, NULL, NULL, NULL) AS error
                FROM @rows OFFSET 0) a OFFSET 0) b) c
    WHERE error IS NOT NULL OR id <> first ORDER BY id$q$),
    ('records', $q$
    SELECT 'id=' || id, problem, CASE WHEN orphan OR outside THEN 'DELETE FROM @tab WHERE id = ' || id
        ELSE 'UPDATE @tab SET ' || nullif(dnsrepl.adoption_fix(name, type, ttl, prio, content), '') || ' WHERE id = ' || id END
    FROM (SELECT r.*, z.id IS NULL AS orphan,
            r.error IS NULL AND r.type IS NOT NULL AND NOT r.name::@extschema@.dnsname OPERATOR(@extschema@.<<=) z.name AS outside,
            concat_ws(' ', CASE WHEN r.type IS NOT NULL OR r.domain_id IS NOT NULL THEN @lost END, r.error,
            CASE WHEN r.error IS NULL AND r.type IS NOT NULL AND NOT r.name::@extschema@.dnsname OPERATOR(@extschema@.<<=) z.name
                THEN format('name "%s": It is outside its zone "%s" (RFC 1035 5).', r.name, z.name) END) AS problem
        FROM (SELECT id, domain_id, name::text, type::text, ttl, prio, content,
                CASE WHEN name IS NOT NULL OR type IS NOT NULL
                    THEN dnsrepl.record_error(name::text, type::text, ttl, prio, content) END AS error
            FROM @rows OFFSET 0) r LEFT JOIN z ON z.id = r.domain_id OFFSET 0) p
    WHERE problem <> '' ORDER BY id$q$),
    -- What a commit would be refused for. Of two that do not go together PowerDNS answers with the CNAME, so the other is disabled.
    ('records', $q$
    SELECT 'id=' || id, problem, format('UPDATE @tab SET disabled = true WHERE id = %s', id)
    FROM (SELECT id, CASE
            WHEN same <> id THEN format('The record with id=%s is the same (RFC 2181 5).', same)
            WHEN type IN ('CNAME', 'DNAME', 'SOA') AND first <> id THEN format('There is another %s at its name: the record with id=%s (RFC 2181 10.1).', type, first)
            WHEN type = 'CNAME' AND apex THEN 'A CNAME record at the apex of its zone (RFC 1034 3.6.2).'
            WHEN cname <> id AND NOT apex AND type NOT IN ('CNAME', 'RRSIG', 'NSEC', 'KEY') THEN format('Beside the CNAME record with id=%s (RFC 1034 3.6.2).', cname)
            WHEN type = 'SOA' AND NOT apex THEN 'An SOA record below the apex of its zone (RFC 1035 5.2).'
            WHEN type = 'DS' AND apex THEN 'A DS record at the apex of its zone (RFC 4035 2.4).'
            WHEN type IN ('DNSKEY', 'NSEC3PARAM', 'CDS', 'CDNSKEY', 'ZONEMD', 'CSYNC') AND NOT apex THEN format('A %s record below the apex of its zone (RFC 4034 2).', type)
            WHEN EXISTS (SELECT FROM dname d WHERE d.domain_id = c.domain_id AND c.name OPERATOR(@extschema@.<<) d.name) THEN 'A name below a DNAME record (RFC 6672 2.4).'
            END AS problem
        FROM (SELECT *, CASE WHEN n > 1 THEN min(id) OVER (PARTITION BY domain_id, name, type, CASE WHEN n > 1 THEN dnsrepl.record(name, type::@extschema@.rrtype, 0, prio, content) END) ELSE id END AS same
            FROM (SELECT r.*, name OPERATOR(@extschema@.=) zone AS apex, count(*) OVER (PARTITION BY domain_id, name, type) AS n, min(id) OVER (PARTITION BY domain_id, name, type) AS first,
                    min(id) FILTER (WHERE type = 'CNAME') OVER (PARTITION BY domain_id, name) AS cname
                FROM (SELECT r.id, r.domain_id, r.name::@extschema@.dnsname AS name, r.type::@extschema@.rrtype::text AS type, r.prio, r.content, z.name AS zone
                    FROM (SELECT id, domain_id, name::text, type::text, prio, content::text FROM @rows WHERE type IS NOT NULL AND disabled IS NOT TRUE
                        AND dnsrepl.record_error(name::text, type::text, ttl, prio, content) IS NULL OFFSET 0) r JOIN z ON z.id = r.domain_id) r) r) c) p
    WHERE problem IS NOT NULL ORDER BY id$q$),
    ('domainmetadata', $q$
    SELECT 'id=' || id, problem, CASE WHEN orphan THEN 'DELETE FROM @tab WHERE id = ' || id END
    FROM (SELECT r.id, z.id IS NULL AS orphan, concat_ws(' ', @lost, CASE WHEN r.kind IS NULL THEN 'kind: It is missing.' END) AS problem
        FROM @rows LEFT JOIN z ON z.id = r.domain_id OFFSET 0) p
    WHERE problem <> '' ORDER BY id$q$),
    ('cryptokeys', $q$
    SELECT 'id=' || id, problem, CASE WHEN orphan THEN 'DELETE FROM @tab WHERE id = ' || id END
    FROM (SELECT r.id, z.id IS NULL AS orphan, concat_ws(' ', @lost, CASE WHEN r.flags IS NULL THEN 'flags: It is missing.' END,
            CASE WHEN r.content IS NULL THEN 'content: It is missing.' END) AS problem
        FROM @rows LEFT JOIN z ON z.id = r.domain_id OFFSET 0) p
    WHERE problem <> '' ORDER BY id$q$),
    ('comments', $q$
    SELECT 'id=' || id, problem, CASE WHEN orphan THEN 'DELETE FROM @tab WHERE id = ' || id END
    FROM (SELECT r.id, z.id IS NULL AS orphan, concat_ws(' ', @lost, dnsrepl.record_error(r.name::text, NULL, NULL, NULL, NULL),
            CASE WHEN r.type IS NULL THEN 'type: It is missing.'
                ELSE substring(dnsrepl.record_error('.', r.type::text, NULL, NULL, NULL) FROM '^type ".*') END) AS problem
        FROM @rows LEFT JOIN z ON z.id = r.domain_id OFFSET 0) p
    WHERE problem <> '' ORDER BY id$q$),
    ('tsigkeys', $q$
    SELECT 'id=' || id, concat_ws(' ', error, CASE WHEN algorithm IS NULL THEN 'algorithm: It is missing.' END,
            CASE WHEN id <> first THEN format('name "%s": The key with id=%s has the same, and the same algorithm.', name, first) END),
        CASE WHEN id <> first THEN 'DELETE FROM @tab WHERE id = ' || id END
    FROM (SELECT id, name, algorithm, error,
            CASE WHEN error IS NULL AND algorithm IS NOT NULL THEN min(id) OVER (PARTITION BY parsed, algorithm) END AS first
        FROM (SELECT id, name, algorithm, error, CASE WHEN error IS NULL THEN name::@extschema@.dnsname END AS parsed
            FROM (SELECT id, name::text, algorithm, dnsrepl.record_error(name::text, NULL, NULL, NULL, NULL) AS error
                FROM @rows OFFSET 0) a OFFSET 0) b) c
    WHERE error IS NOT NULL OR algorithm IS NULL OR id <> first ORDER BY id$q$),
    ('supermasters', $q$
    SELECT format('ip=%s nameserver=%s', ip, name), concat_ws(' ', CASE WHEN ip IS NULL THEN 'ip: It is missing.' END,
            'nameserver' || substring(error FROM '^name(.*)$'),
            CASE WHEN again THEN format('nameserver "%s": Another row has the same, and the same ip.', name) END),
        CASE WHEN again THEN format('DELETE FROM @tab WHERE ip = %L AND nameserver = %L', ip, name) END
    FROM (SELECT ip, name, error,
            error IS NULL AND ip IS NOT NULL AND row_number() OVER (PARTITION BY ip, parsed ORDER BY name COLLATE "C") > 1 AS again
        FROM (SELECT ip, name, error, CASE WHEN error IS NULL THEN name::@extschema@.dnsname END AS parsed
            FROM (SELECT ip, nameserver::text AS name, dnsrepl.record_error(nameserver::text, NULL, NULL, NULL, NULL) AS error
                FROM @rows OFFSET 0) a OFFSET 0) b) c
    WHERE error IS NOT NULL OR ip IS NULL OR again ORDER BY ip, name COLLATE "C"$q$)
$$;
COMMENT ON FUNCTION dnsrepl.adoption_queries() IS 'for setup(): for each table a query that finds the rows that are not valid';

-- A table's rows as a subquery r, by which its owner's code is not called; text where the types may have to change.
CREATE FUNCTION dnsrepl.adoption_reader(schema name, tab text) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('(SELECT * FROM dnsrepl.rows_of(%L, %L) t (%s)) r', c.rel::regclass, array_agg(c.col),
        string_agg(format('%I %s', c.col, CASE c.kind WHEN 'int4' THEN 'int4' WHEN 'int' THEN 'int8' WHEN 'bool' THEN 'bool' WHEN 'inet' THEN 'inet' ELSE 'text' END), ', '))
    FROM dnsrepl.adoption_columns(schema) c
    WHERE c.tab = adoption_reader.tab AND c.attnum IS NOT NULL
    GROUP BY c.rel
$$;
COMMENT ON FUNCTION dnsrepl.adoption_reader(name, text) IS 'for setup(): how a table that is there is read';

CREATE FUNCTION dnsrepl.adoption_rows(schema name) RETURNS TABLE (tab text, key text, problem text, fix text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    q record;
    domains text := dnsrepl.adoption_reader(schema, 'domains');
    zones text := CASE WHEN domains IS NULL THEN 'SELECT NULL::int4 AS id, NULL::@extschema@.dnsname AS name WHERE false'
        ELSE format('SELECT id, CASE WHEN dnsrepl.record_error(name, NULL, NULL, NULL, NULL) IS NULL '
            'THEN name::@extschema@.dnsname END AS name FROM %s', domains) END;
    lost text := $q$CASE WHEN r.domain_id IS NULL THEN 'domain_id: It is missing.'
        WHEN z.id IS NULL THEN format('domain_id %s: There is no domain with this id.', r.domain_id) END$q$;
BEGIN
    FOR q IN SELECT a.tab, a.query, to_regclass(format('%I.%I', schema, a.tab)) AS rel, dnsrepl.adoption_reader(schema, a.tab) AS reader
             FROM dnsrepl.adoption_queries() a LOOP
        IF q.rel IS NOT NULL THEN
            RETURN QUERY EXECUTE format('WITH z AS MATERIALIZED (%s)%s SELECT %L, p.* FROM (%s) p', zones,
                CASE WHEN q.query ~ ' dname d ' THEN format(', dname AS MATERIALIZED (SELECT domain_id, name::@extschema@.dnsname AS name FROM %s'
                    ' WHERE upper(type) = ''DNAME'' AND disabled IS NOT TRUE AND dnsrepl.record_error(name, NULL, NULL, NULL, NULL) IS NULL)', q.reader) END,
                q.tab, replace(replace(replace(q.query, '@tab', q.rel::text), '@rows', q.reader), '@lost', lost));
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION dnsrepl.adoption_rows(name) IS 'for setup(): rows of existing tables that are not valid';

CREATE FUNCTION dnsrepl.adoption_report(schema name DEFAULT 'public') RETURNS TABLE (tab text, key text, problem text, fix text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT s.* FROM dnsrepl.adoption_shape(schema) s;
    IF FOUND THEN
        RETURN;     -- what is in such tables cannot be read
    END IF;
    RETURN QUERY SELECT u.* FROM dnsrepl.adoption_users(schema) u;
    RETURN QUERY SELECT r.* FROM dnsrepl.adoption_rows(schema) r;
END $$;
COMMENT ON FUNCTION dnsrepl.adoption_report(name)
    IS 'what keeps dnsrepl.setup() from adopting the PowerDNS tables of a schema, each row that is not valid among it; changes nothing';

-- The list as an error: its first lines, and how many more there are.
CREATE FUNCTION dnsrepl.adoption_refuse(schema name) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    most constant int := 200;
    problems bigint;
    in_rows boolean;
    list text;
BEGIN
    SELECT max(r.n), bool_or(r.key IS NOT NULL), string_agg(concat_ws(' ', r.tab, r.key) || ': ' ||
        CASE WHEN length(p) > 250 THEN left(p, 250) || ' ...' ELSE p END, E'\n' ORDER BY r.n) FILTER (WHERE r.n <= most)
    INTO problems, in_rows, list
    FROM (SELECT row_number() OVER () AS n, a.* FROM dnsrepl.adoption_report(schema) a) r
        CROSS JOIN LATERAL regexp_replace(r.problem, '[[:cntrl:]]+', ' ', 'g') p;
    IF problems > 0 THEN
        RAISE EXCEPTION 'PowerDNS''s tables in schema "%" cannot be adopted: %', schema,
            CASE problems WHEN 1 THEN '1 problem' ELSE problems || ' problems' END
            USING ERRCODE = CASE WHEN in_rows THEN 'invalid_text_representation' ELSE 'object_not_in_prerequisite_state' END,
            DETAIL = list || CASE WHEN problems > most THEN format(E'\nand %s more', problems - most) ELSE '' END,
            HINT = format('Nothing has been changed. SELECT * FROM dnsrepl.adoption_report(%L) lists all, with what to do where that is clear.', schema);
    END IF;
END $$;
COMMENT ON FUNCTION dnsrepl.adoption_refuse(name) IS 'for setup(): raises what adoption_report() finds as one error';

-- Constraint c_lowercase_name is the types' work now.
CREATE FUNCTION dnsrepl.adoption_convert(schema name) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    t record;
BEGIN
    FOR t IN
        SELECT rel, string_agg(clause, ', ' ORDER BY place, clause DESC) AS clauses
        FROM (SELECT c.rel, 1 + c.attnum AS place, format('ALTER COLUMN %I TYPE %s USING %s', c.col, c.target,
                    CASE WHEN c.target = 'text'::regtype THEN quote_ident(c.col) || '::text'
                        ELSE format('%I::text::%s', c.col, c.target) END) AS clause
                FROM dnsrepl.adoption_changes(schema) c
            UNION ALL       -- PowerDNS's DEFAULT NULL, which is the old type's
            SELECT c.rel, 1, format('ALTER COLUMN %I DROP DEFAULT', c.col)
                FROM dnsrepl.adoption_changes(schema) c JOIN pg_attrdef d ON d.adrelid = c.rel AND d.adnum = c.attnum
                WHERE pg_get_expr(d.adbin, d.adrelid) LIKE 'NULL::%'
            UNION ALL
            SELECT c.rel, 10000, format('ADD COLUMN %I text DEFAULT NULL', c.col)
                FROM dnsrepl.adoption_columns(schema) c WHERE c.attnum IS NULL
            UNION ALL
            SELECT k.conrelid, 0, 'DROP CONSTRAINT c_lowercase_name' FROM pg_constraint k
                WHERE k.conname = 'c_lowercase_name' AND k.contype = 'c'
                    AND k.conrelid IN (SELECT c.rel FROM dnsrepl.adoption_changes(schema) c)) a
        GROUP BY rel ORDER BY rel
    LOOP
        PERFORM dnsrepl.alter_as_owner(t.rel, format('ALTER TABLE %s %s', t.rel::regclass, t.clauses));
        EXECUTE format('ANALYZE %s', t.rel::regclass);
    END LOOP;
END $$;
COMMENT ON FUNCTION dnsrepl.adoption_convert(name) IS 'for setup(): changes the columns of existing tables, with one rewrite of each';

-- What dnsrepl relies on beside the columns: the keys are unique, units are found by index, a domain takes its rows along.
CREATE FUNCTION dnsrepl.adoption_complete(schema name) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    t record;
    kind text;
    domains regclass := format('%I.domains', schema)::regclass;
BEGIN
    FOR t IN
        SELECT i.tab, r.rel, i.must, i.cols, i.name, (SELECT string_agg(a.attnum::text, ' ' ORDER BY c.place)
                FROM unnest(i.cols) WITH ORDINALITY c (col, place) JOIN pg_attribute a ON a.attrelid = r.rel AND a.attname = c.col) AS attnums
        FROM (VALUES ('domains', true, '{name}'::text[], 'name_index'), ('domains', false, '{catalog}', 'catalog_idx'),
                ('records', false, '{domain_id}', 'domain_id'), ('records', false, '{name,type}', 'nametype_index'),
                ('comments', false, '{domain_id}', 'comments_domain_id_idx'), ('comments', false, '{name,type}', 'comments_name_type_idx'),
                ('domainmetadata', false, '{domain_id}', 'domainidmetaindex'), ('cryptokeys', false, '{domain_id}', 'domainidindex'),
                ('tsigkeys', true, '{name,algorithm}', 'namealgoindex'), ('supermasters', true, '{ip,nameserver}', '')) i (tab, must, cols, name)
            CROSS JOIN LATERAL (SELECT format('%I.%I', schema, i.tab)::regclass) r (rel)
    LOOP
        kind := CASE WHEN t.must THEN 'UNIQUE ' ELSE '' END;
        IF NOT EXISTS (SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
            WHERE i.indrelid = t.rel AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL AND m.amname = 'btree'
                AND CASE WHEN t.must THEN i.indisunique AND i.indimmediate AND array_to_string((i.indkey::int2[])[0:i.indnkeyatts - 1], ' ') = t.attnums
                    ELSE i.indkey::text || ' ' LIKE t.attnums || ' %' END)
        THEN
            EXECUTE format('CREATE %sINDEX %s ON %s (%s)', kind, CASE WHEN t.name <> '' AND to_regclass(format('%I.%I', schema, t.name)) IS NULL
                THEN quote_ident(t.name) END, t.rel, array_to_string(t.cols, ', '));
            RAISE NOTICE 'table "%" had no %index on (%): made', t.tab, lower(kind), array_to_string(t.cols, ', ');
        END IF;
    END LOOP;
    -- Rows that come from elsewhere, and what is derived, get ids of it.
    FOR t IN
        SELECT c.tab, c.rel::regclass AS rel, pg_get_serial_sequence(c.rel::regclass::text, c.col)::regclass AS sequence
        FROM dnsrepl.adoption_columns(schema) c WHERE c.col = 'id' AND pg_get_serial_sequence(c.rel::regclass::text, c.col) IS NOT NULL
    LOOP
        IF dnsrepl.execute_as_owner(t.rel, format('SELECT setval($1, max(id)) FROM %s HAVING max(id) > (SELECT last_value FROM %s)',
            t.rel, t.sequence), t.sequence) > 0
        THEN
            RAISE NOTICE 'the sequence of table "%" was behind its column "id": set to %', t.tab, pg_sequence_last_value(t.sequence);
        END IF;
    END LOOP;
    FOR t IN
        SELECT c.tab, c.rel::regclass AS rel FROM dnsrepl.adoption_columns(schema) c
        WHERE c.col = 'domain_id' AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.contype = 'f' AND k.convalidated
            AND k.conrelid = c.rel AND k.confrelid = domains AND k.conkey = ARRAY[c.attnum])
    LOOP
        -- the rows are looked at with their owner's rights, who need not have any on domains
        EXECUTE format('ALTER TABLE %s ADD FOREIGN KEY (domain_id) REFERENCES %s (id) ON DELETE CASCADE NOT VALID', t.rel, domains);
        PERFORM dnsrepl.alter_as_owner(t.rel, format('ALTER TABLE %s VALIDATE CONSTRAINT %I', t.rel, k.conname)) FROM pg_constraint k
            WHERE k.contype = 'f' AND NOT k.convalidated AND k.conrelid = t.rel AND k.confrelid = domains;
        RAISE NOTICE 'table "%" had no foreign key from domain_id to domains: made', t.tab;
    END LOOP;
END $$;
COMMENT ON FUNCTION dnsrepl.adoption_complete(name) IS 'for setup(): makes indexes and foreign keys of PowerDNS''s schema that are missing, and puts sequences right that are behind';

CREATE FUNCTION dnsrepl.setup_adopt(schema name) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    there regclass[] := (SELECT array_agg(c.oid::regclass ORDER BY s.no) FROM dnsrepl.setup_tables() s
        JOIN pg_class c ON c.oid = to_regclass(format('%I.%I', schema, s.name)) WHERE c.relkind IN ('r', 'p'));
    owner regrole := (SELECT c.relowner FROM pg_class c WHERE c.oid = there[1]);
    made text;
    records regclass := to_regclass(format('%I.records', schema));
    many boolean := coalesce(pg_relation_size(records) > 32 * 1024 * 1024, false);     -- so that it takes a while
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'existing tables can be adopted at READ COMMITTED only' USING
            ERRCODE = 'active_sql_transaction', DETAIL = 'An older snapshot would not show all rows.';
    END IF;
    IF there IS NOT NULL THEN
        EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', array_to_string(there, ', '));
    END IF;
    IF many THEN
        RAISE NOTICE 'looking at every row (about % records)', (SELECT c.reltuples::bigint FROM pg_class c WHERE c.oid = records);
    END IF;
    PERFORM dnsrepl.adoption_refuse(schema);
    IF many THEN
        RAISE NOTICE 'the rows are valid; changing the types of columns';
    END IF;
    FOREACH made IN ARRAY dnsrepl.setup_create(schema) LOOP
        EXECUTE format('ALTER TABLE %I.%I OWNER TO %s', schema, made, owner);
        RAISE NOTICE 'table "%" was not there: made, owned by %', made, owner;
    END LOOP;
    PERFORM dnsrepl.adoption_convert(schema);
    PERFORM dnsrepl.adoption_complete(schema);
    IF many THEN
        RAISE NOTICE 'the tables are adopted; at COMMIT their rows become versions';
    END IF;
END $$;
COMMENT ON FUNCTION dnsrepl.setup_adopt(name) IS 'for setup(): makes a node''s tables of the PowerDNS tables in a schema';
