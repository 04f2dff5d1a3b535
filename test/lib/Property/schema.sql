-- What the property test adds to each node: schema torture. It is not replicated.
--
-- Every local transaction tells what its author had before his eyes: a deferred trigger on each replicated table, which
-- runs when all statements are done and the zone is still held, notes in torture.log, once a transaction and zone, which
-- incarnations of the zone it shows, which versions the store has, and the rows of all units as they will be committed. Projection runs as a replica, so that it fires
-- none of this. What capture makes of it are the versions with that transaction's xmin.
CREATE SCHEMA torture;
CREATE TABLE torture.log (no bigserial, xid xid8, scope text, live text, held text[], rows text[], say text[]);

CREATE FUNCTION torture.scope_no(s text) RETURNS int LANGUAGE sql STABLE AS $$
  SELECT coalesce((SELECT z.no FROM dnsrepl.zone z JOIN dnsrepl.tab t ON t.no = z.tab WHERE t.name = s),
                  (SELECT z.no FROM dnsrepl.zone z WHERE z.name::text = s))
$$;

-- The rows of units in words: tables without zones and zones are "scopes".
CREATE FUNCTION torture.rows(s text) RETURNS TABLE (unit text, rows text) LANGUAGE sql STABLE AS $$
  WITH d AS (SELECT * FROM domains WHERE name::text = s)
  SELECT u.tab || ' ' || u.key, jsonb_agg(u.row ORDER BY u.row)::text FROM (
    SELECT 'domains', '{}'::jsonb, jsonb_build_object('type', type, 'master', master, 'account', account, 'options', options, 'catalog', catalog) FROM d
    UNION ALL SELECT 'records', jsonb_build_object('name', r.name, 'type', r.type), jsonb_build_object('content',
        CASE r.type WHEN 'SOA' THEN regexp_replace(r.content, '^(\S+ \S+) \d+', '\1 0') ELSE r.content END, 'ttl', r.ttl, 'prio', r.prio, 'disabled', r.disabled)
      FROM d JOIN records r ON r.domain_id = d.id WHERE r.type IS NOT NULL
    UNION ALL SELECT 'domainmetadata', jsonb_build_object('kind', m.kind), jsonb_build_object('content', m.content) FROM d JOIN domainmetadata m ON m.domain_id = d.id
    UNION ALL SELECT 'cryptokeys', jsonb_build_object('flags', k.flags, 'content', 'sha256:' || encode(sha256(convert_to(k.content, 'UTF8')), 'hex')),
        jsonb_build_object('active', k.active, 'published', k.published, 'content', k.content) FROM d JOIN cryptokeys k ON k.domain_id = d.id
    UNION ALL SELECT 'comments', jsonb_build_object('name', c.name, 'type', c.type), jsonb_build_object('modified_at', c.modified_at, 'account', c.account, 'comment', c.comment)
      FROM d JOIN comments c ON c.domain_id = d.id
    UNION ALL SELECT s, jsonb_build_object('name', name, 'algorithm', algorithm), jsonb_build_object('secret', secret) FROM tsigkeys WHERE s = 'tsigkeys'
    UNION ALL SELECT s, jsonb_build_object('ip', ip, 'nameserver', nameserver), jsonb_build_object('account', account) FROM supermasters WHERE s = 'supermasters'
    UNION ALL SELECT s, jsonb_build_object('scope', scope), jsonb_build_object('zone', zone, 'tab', tab, 'type', type, 'resolver', resolver, 'options', options::text, 'doubted', doubted) FROM dnsrepl.policy WHERE s = 'policy'
  ) u (tab, key, row) GROUP BY 1
$$;

CREATE FUNCTION torture.image(key bytea, image bytea) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT jsonb_agg(r ORDER BY r)::text FROM jsonb_array_elements(dnsrepl.image_rows(key, image)) r
$$;

-- The incarnations of a zone in words that mean the same everywhere.
CREATE FUNCTION torture.incarnations(live bigint[]) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT string_agg(live[2 * i] || ' ' || o.id, ',' ORDER BY live[2 * i], o.id) FROM generate_series(1, cardinality(live) / 2) i JOIN dnsrepl.origin o ON o.no = live[2 * i - 1]
$$;

-- The versions of the store in words: unit, origin, stamp, seen, of a living incarnation, rows.
CREATE VIEW torture.version AS
  SELECT z.no, coalesce(z.name::text, (SELECT t.name FROM dnsrepl.tab t WHERE t.no = z.tab)) AS scope,
         t.name || ' ' || dnsrepl.key_columns(v.key) AS unit, o.id AS origin, v.stamp, v.seen,
         z.name IS NULL OR dnsrepl.version_lives(v.key, v.image, z.live) AS lives, v.key, v.image, v.writer, o.own
    FROM dnsrepl.stored_version v JOIN dnsrepl.zone z ON z.no = v.zone JOIN dnsrepl.origin o ON o.no = v.origin
    JOIN dnsrepl.tab t ON t.no = get_byte(v.key, 0) * 256 + get_byte(v.key, 1)
   WHERE v.key <> '\x7fff' AND substr(v.key, 1, 2) <> '\x0009';     -- serials and members have no authors

CREATE FUNCTION torture.note_scope(s text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF s IS NOT NULL AND NOT EXISTS (SELECT FROM torture.log l WHERE l.xid = pg_current_xact_id() AND l.scope = s) THEN
    INSERT INTO torture.log (xid, scope, live, held, rows)
      SELECT pg_current_xact_id(), s, (SELECT torture.incarnations(z.live) FROM dnsrepl.zone z WHERE z.no = torture.scope_no(s)),
             ARRAY(SELECT concat_ws('|', unit, origin, stamp, seen::int, lives::int, own::int) FROM torture.version v WHERE v.no = torture.scope_no(s)),
             ARRAY(SELECT r.unit || '|' || r.rows FROM torture.rows(s) r);
  END IF;
END $$;

CREATE FUNCTION torture.note() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  r jsonb;
BEGIN
  FOREACH r IN ARRAY ARRAY[CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END, CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END] LOOP
    IF TG_TABLE_NAME IN ('tsigkeys', 'supermasters', 'policy') THEN PERFORM torture.note_scope(TG_TABLE_NAME);
    ELSIF TG_TABLE_NAME = 'domains' THEN PERFORM torture.note_scope(r->>'name');
    ELSE PERFORM torture.note_scope((SELECT d.name::text FROM domains d WHERE d.id = (r->>'domain_id')::int));
    END IF;
  END LOOP;
  RETURN NULL;
END $$;

-- What the last transactions were, and which versions they made: taken by the test after each commit. A version may have been
-- written anew since (it is marked): then it is of the transaction that did not see it.
CREATE FUNCTION torture.take() RETURNS TABLE (scope text, live text, held text[], rows text[], made text[]) LANGUAGE sql AS $$
  WITH gone AS (DELETE FROM torture.log RETURNING *)
  SELECT g.scope, g.live, g.held, g.rows, ARRAY(SELECT concat_ws('|', v.unit, v.origin, v.stamp, coalesce(torture.image(v.key, v.image), '-'))
           FROM torture.version v WHERE v.no = torture.scope_no(g.scope) AND v.own
            AND NOT EXISTS (SELECT FROM unnest(g.held) h (h) WHERE starts_with(h, concat_ws('|', v.unit, v.origin, v.stamp, '')))
            AND (v.writer = g.xid::xid OR NOT EXISTS (SELECT FROM gone o WHERE o.xid::xid = v.writer)))
    FROM gone g ORDER BY g.no
$$;

-- Marks: a number at several names of several zones, which nobody writes but one node, and always all of them in one transaction. A
-- reader on each node looks at them all the time: whoever sees two numbers, or fewer marks, or a number that goes back, has been served
-- half a transaction, or one before the one before it.
CREATE TABLE torture.wrong (at timestamptz DEFAULT clock_timestamp(), what text);

-- After each step: serials and contents of zones, rules that what is served breaks, siblings.
CREATE FUNCTION torture.look() RETURNS TABLE (kind text, zone text, a text, b text, c text) LANGUAGE sql STABLE AS $$
  WITH served AS MATERIALIZED (
    SELECT d.name AS zone, r.name, r.type, r.ttl, r.prio, r.content FROM domains d JOIN records r ON r.domain_id = d.id
     WHERE r.type IS NOT NULL AND NOT coalesce(r.disabled, false)),
  content AS (
    SELECT s.zone, string_agg(concat_ws(' ', name, type, ttl, prio, CASE type WHEN 'SOA' THEN regexp_replace(content, '^(\S+ \S+) \d+', '\1 0') ELSE content END), E'\n'
             ORDER BY name::text, type::text, content, prio) AS content,
           max(split_part(s.content, ' ', 3)) FILTER (WHERE s.type = 'SOA' AND s.name = s.zone) AS soa
      FROM served s GROUP BY 1)
  SELECT 'zone', d.name::text, z.serial::text, coalesce(c.soa, ''), coalesce(c.content, '')
    FROM domains d LEFT JOIN dnsrepl.zone z ON z.name = d.name LEFT JOIN content c ON c.zone = d.name
  UNION ALL
  SELECT 'rule', s.zone::text, 'cname-alone', s.name::text, string_agg(s.type::text, ',') FROM served s GROUP BY s.zone, s.name
   HAVING count(*) > 1 AND count(*) FILTER (WHERE s.type = 'CNAME') > 0
  UNION ALL
  SELECT 'rule', s.zone::text, 'soa-at-apex', min(s.name::text), '' FROM served s WHERE s.type = 'SOA' GROUP BY s.zone
   HAVING count(*) > 1 OR min(s.name) <> s.zone
  UNION ALL
  SELECT 'rule', s.zone::text, 'dname-alone', s.name::text, b.name::text FROM served s JOIN served b ON b.zone = s.zone AND b.name << s.name WHERE s.type = 'DNAME'
  UNION ALL
  SELECT 'rule', s.zone::text, 'one-dname', s.name::text, '' FROM served s WHERE s.type = 'DNAME' GROUP BY s.zone, s.name HAVING count(*) > 1
  UNION ALL
  SELECT 'rule', s.zone::text, 'in-zone', s.name::text, '' FROM served s WHERE NOT s.name <<= s.zone
  UNION ALL
  SELECT 'rule', s.zone::text, 'one-ttl', s.name::text, s.type::text FROM served s GROUP BY s.zone, s.name, s.type HAVING min(s.ttl) <> max(s.ttl)
  UNION ALL
  SELECT 'rule', coalesce(r.name::text, ''), 'no-zone', '', '' FROM records r WHERE NOT EXISTS (SELECT FROM domains d WHERE d.id = r.domain_id)
  UNION ALL
  -- what there is of a unit is in one place: no row lies within a pack, and no group is both in a pack and beside it
  SELECT 'rule', coalesce((SELECT z.name::text FROM dnsrepl.zone z WHERE z.no = p.zone), ''), 'pack', encode(p.key, 'hex'), encode(o.key, 'hex')
    FROM dnsrepl.version_store p CROSS JOIN LATERAL (SELECT u.key AS first FROM dnsrepl.pack_units(p.key, p.image, p.more) u ORDER BY u.key LIMIT 1) l
    JOIN dnsrepl.version_store o ON o.zone = p.zone AND o.ctid <> p.ctid AND (o.key BETWEEN l.first AND p.key
         OR substr(o.key, 1, 2) = '\x0002' AND substr(o.key, 1, greatest(length(o.key) - 3, 0)) IN (substr(p.key, 1, greatest(length(p.key) - 3, 0)), substr(l.first, 1, greatest(length(l.first) - 3, 0))))
   WHERE p.more IS NOT NULL
  UNION ALL
  SELECT 'rule', '', 'whole', w.at::text, w.what FROM torture.wrong w
  UNION ALL
  SELECT 'siblings', v.scope, v.unit, string_agg(v.stamp || ' ' || v.origin || ' ' || v.seen::int, ','),
         (EXISTS (SELECT FROM dnsrepl.conflict_open o WHERE o.zone = v.no AND o.key = v.key)
          OR EXISTS (SELECT FROM dnsrepl.parked p WHERE p.zone = v.no))::text    -- it may be deleted, and only the tables do not know
    FROM torture.version v WHERE v.lives AND (v.no, v.key) IN (SELECT n.zone, n.key FROM dnsrepl.stored_version n GROUP BY 1, 2 HAVING count(*) > 1)
   GROUP BY v.no, v.scope, v.unit, v.key HAVING count(*) > 1
$$;

CREATE FUNCTION torture.covers(o uuid, s bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (SELECT FROM dnsrepl.vector v JOIN dnsrepl.origin r ON r.no = v.origin WHERE r.id = o AND (s <= v.head
    OR EXISTS (SELECT FROM generate_series(1, coalesce(cardinality(v.ranges), 0), 2) i WHERE s BETWEEN v.ranges[i] AND v.ranges[i + 1])))
$$;

-- A resolver of one's own.
CREATE FUNCTION torture.longest(unit jsonb, siblings jsonb) RETURNS jsonb IMMUTABLE LANGUAGE sql AS $$
  SELECT s -> 'rows' FROM jsonb_array_elements(siblings) WITH ORDINALITY e (s, n)
   WHERE s -> 'rows' <> 'null' ORDER BY length((s -> 'rows')::text) DESC, n DESC LIMIT 1
$$;
SELECT dnsrepl.allow_resolver('torture.longest(jsonb, jsonb)');

-- ---------------------------------------------------------------- what authors do

CREATE FUNCTION torture.id(z text) RETURNS int LANGUAGE sql STABLE AS $$ SELECT id FROM domains WHERE name::text = z $$;

CREATE FUNCTION torture.content(t text, tag text, i int, z text) RETURNS text LANGUAGE sql AS $$
  SELECT CASE t WHEN 'TXT' THEN format('"%s %s"', tag, i) WHEN 'MX' THEN format('%s.%s.%s', i, tag, z)
              WHEN 'A' THEN format('10.%s.%s.%s', hashtext(tag) & 255, (hashtext(tag) >> 8) & 255, i)
              WHEN 'SRV' THEN format('%s 5060 %s.%s', i, tag, z) ELSE format('%s.%s', tag, z) END
$$;

CREATE FUNCTION torture.make(z text, tag text, r int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  d int;
BEGIN
  IF torture.id(z) IS NOT NULL THEN RETURN; END IF;
  INSERT INTO domains (name, type, account) VALUES (z, 'NATIVE', tag) RETURNING id INTO d;
  INSERT INTO records (domain_id, name, type, content, ttl, prio) VALUES
    (d, z, 'SOA', format('ns1.%s %s.%s %s 10800 3600 604800 3600', z, tag, z, r), 3600, 0), (d, z, 'NS', 'ns1.' || z, 3600, 0);
END $$;

-- An RRset, as PowerDNS replaces it.
CREATE FUNCTION torture.put(z text, n text, t text, tag text, count int, ttl int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM records WHERE domain_id = torture.id(z) AND name::text = n AND type::text = t;
  INSERT INTO records (domain_id, name, type, content, ttl, prio, disabled)
    SELECT torture.id(z), n, t, torture.content(t, tag, i, z), ttl, CASE WHEN t IN ('MX', 'SRV') THEN 10 * i ELSE 0 END, ttl = 303
      FROM generate_series(1, count) i WHERE torture.id(z) IS NOT NULL;
END $$;

-- The same name and nothing beside it, nor below.
CREATE FUNCTION torture.alone(z text, n text, t text, tag text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM records WHERE domain_id = torture.id(z) AND name::text = n AND name::text <> z AND type IS NOT NULL;
  IF t = 'DNAME' THEN DELETE FROM records WHERE domain_id = torture.id(z) AND name << n::dnsname; END IF;
  INSERT INTO records (domain_id, name, type, content, ttl, prio)
    SELECT torture.id(z), n, t, torture.content(t, tag, 1, z), 300, 0 WHERE torture.id(z) IS NOT NULL AND n <> z;
END $$;

CREATE FUNCTION torture.soa(z text, tag text, ahead bigint) RETURNS void LANGUAGE sql AS $$
  UPDATE records SET content = format('ns1.%s %s.%s %s 10800 3600 604800 3600', z, tag, z,
      ((split_part(content, ' ', 3)::bigint + ahead) & 4294967295))
   WHERE domain_id = torture.id(z) AND type = 'SOA' AND name::text = z
$$;

-- The serial alone.
CREATE FUNCTION torture.serial(z text, ahead bigint) RETURNS void LANGUAGE sql AS $$
  UPDATE records SET content = regexp_replace(content, '^(\S+ \S+) \d+', '\1 ' || ((split_part(content, ' ', 3)::bigint + ahead) & 4294967295))
   WHERE domain_id = torture.id(z) AND type = 'SOA' AND name::text = z
$$;

CREATE FUNCTION torture.policy(p_zone text, p_tab text, p_type text, p_resolver text, p_options jsonb) RETURNS void LANGUAGE sql AS $$
  INSERT INTO dnsrepl.policy (zone, tab, type, resolver, options) VALUES (p_zone, p_tab, p_type, p_resolver, p_options)
    ON CONFLICT (scope) DO UPDATE SET resolver = excluded.resolver, options = excluded.options
$$;

CREATE FUNCTION torture.mark(anew boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  next bigint := 1 + coalesce((SELECT max(trim(both '"' FROM content)::bigint) FROM records WHERE type = 'TXT' AND name::text ~ '^mark'), 0);
BEGIN
  IF anew THEN DELETE FROM domains WHERE name = 'm2.example'; END IF;
  FOR z IN 0 .. 2 LOOP
    PERFORM torture.make(format('m%s.example', z), 'mark', 1);
    FOR n IN 0 .. 3 LOOP PERFORM torture.put(format('m%s.example', z), format('mark%s.m%s.example', n, z), 'TXT', 'mark', 0, 300); END LOOP;
    INSERT INTO records (domain_id, name, type, content, ttl, prio)
      SELECT torture.id(format('m%s.example', z)), format('mark%s.m%s.example', n, z), 'TXT', format('"%s"', next), 300, 0 FROM generate_series(0, 3) n;
  END LOOP;
END $$;

CREATE PROCEDURE torture.watch() LANGUAGE plpgsql AS $$
DECLARE
  m record;
  last bigint := 0;
BEGIN
  LOOP
    SELECT count(*) AS n, min(i) AS first, max(i) AS last INTO m
      FROM (SELECT trim(both '"' FROM content)::bigint AS i FROM records WHERE type = 'TXT' AND name::text ~ '^mark') r;
    COMMIT;
    IF m.n NOT IN (0, 12) OR m.n = 0 AND last > 0 OR m.first <> m.last OR m.last < last THEN
      INSERT INTO torture.wrong (what) VALUES (format('%s marks, from %s to %s, after %s', m.n, m.first, m.last, last));
    END IF;
    last := greatest(last, m.last);
    COMMIT;
    PERFORM pg_sleep(0.003);
  END LOOP;
END $$;

CREATE FUNCTION torture.triggers() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  t text;
BEGIN
  FOR t IN SELECT rel::regclass::text FROM dnsrepl.tab WHERE no <> 9 LOOP
    EXECUTE format('CREATE CONSTRAINT TRIGGER torture_note AFTER INSERT OR UPDATE OR DELETE ON %s DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION torture.note()', t);
  END LOOP;
END $$;
