-- What the property test adds to each node: schema torture. It is not replicated.
--
-- Every local transaction tells what its author had before his eyes: a deferred trigger on each replicated table, which
-- runs when all statements are done and the zone is still held, notes in torture.log, once a transaction and zone, which
-- incarnations of the zone it shows, which versions the store has, and the rows of all units as they will be committed. Projection runs as a replica, so that it fires
-- none of this. What capture makes of it are the versions with that transaction's xmin.
CREATE SCHEMA torture;
CREATE TABLE torture.log (no bigserial, xid xid8, scope text, live text, held text[], shown text[], rows text[]);

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
    INSERT INTO torture.log (xid, scope, live, held, shown, rows)
      SELECT pg_current_xact_id(), s, (SELECT torture.incarnations(z.live) FROM dnsrepl.zone z WHERE z.no = torture.scope_no(s)),
             ARRAY(SELECT concat_ws('|', unit, origin, stamp, seen::int, lives::int, own::int) FROM torture.version v WHERE v.no = torture.scope_no(s)),
             -- what the tables show, and the store no more
             ARRAY(SELECT concat_ws('|', t.name || ' ' || dnsrepl.key_columns(w.key), o.id, w.stamp) FROM dnsrepl.shown w JOIN dnsrepl.origin o ON o.no = w.origin
                     JOIN dnsrepl.tab t ON t.no = get_byte(w.key, 0) * 256 + get_byte(w.key, 1) WHERE w.zone = torture.scope_no(s)),
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
CREATE FUNCTION torture.take() RETURNS TABLE (scope text, live text, held text[], shown text[], rows text[], made text[]) LANGUAGE sql AS $$
  WITH gone AS (DELETE FROM torture.log RETURNING *)
  SELECT g.scope, g.live, g.held, g.shown, g.rows, ARRAY(SELECT concat_ws('|', v.unit, v.origin, v.stamp, coalesce(torture.image(v.key, v.image), '-'))
           FROM torture.version v WHERE v.no = torture.scope_no(g.scope) AND v.own
            AND NOT EXISTS (SELECT FROM unnest(g.held) h (h) WHERE starts_with(h, concat_ws('|', v.unit, v.origin, v.stamp, '')))
            AND (v.writer = g.xid::xid OR NOT EXISTS (SELECT FROM gone o WHERE o.xid::xid = v.writer)))
    FROM gone g ORDER BY g.no
$$;

-- What a reader on each node who looks all the time (torture.watch()) must never see.
CREATE TABLE torture.wrong (at timestamptz DEFAULT clock_timestamp(), kind text, what text);

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
  SELECT 'rule', '', 'reader', w.at::text, w.kind || ': ' || w.what FROM torture.wrong w
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

-- ---------------------------------------------------------------- what readers look at
-- Marks: numbers at four names of three zones, which one node alone writes. Its k-th transaction writes k at some of the names, which k
-- says, so k is all there is to know of what a zone has when it has that of no later one; the first one writes them all.

CREATE FUNCTION torture.marked(k bigint, z int, n int) RETURNS boolean IMMUTABLE LANGUAGE sql AS $$
  SELECT CASE k % 4 WHEN 0 THEN true
                    WHEN 1 THEN z = k / 4 % 3
                    WHEN 2 THEN z = (k / 4 + 1) % 3 AND n < 2
                    ELSE z <> k / 4 % 3 AND n = 1 END
$$;

CREATE FUNCTION torture.mark(anew boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  next bigint := 1 + coalesce((SELECT max(trim(both '"' FROM content)::bigint) FROM records WHERE type = 'TXT' AND name::text ~ '^mark'), 3);
BEGIN
  IF anew AND next % 4 = 0 THEN DELETE FROM domains WHERE name = 'm2.example'; END IF;
  FOR z IN 0 .. 2 LOOP
    PERFORM torture.make(format('m%s.example', z), 'mark', 1);
    FOR n IN 0 .. 3 LOOP
      CONTINUE WHEN NOT torture.marked(next, z, n);
      PERFORM torture.put(format('m%s.example', z), format('mark%s.m%s.example', n, z), 'TXT', 'mark', 0, 300);
      INSERT INTO records (domain_id, name, type, content, ttl, prio)
        VALUES (torture.id(format('m%s.example', z)), format('mark%s.m%s.example', n, z), 'TXT', format('"%s"', next), 300, 0);
    END LOOP;
  END LOOP;
END $$;

-- Of each zone the last transaction that it has something of, 0: none; and what is wrong with that. `m` has the numbers, 12 of them.
CREATE FUNCTION torture.marks_wrong(m bigint[], was bigint[], OUT last bigint[], OUT wrong text) LANGUAGE plpgsql AS $$
BEGIN
  last := ARRAY(SELECT max(coalesce(m[4 * z + n + 1], 0)) FROM generate_series(0, 2) z, generate_series(0, 3) n GROUP BY z ORDER BY z);
  SELECT concat_ws('; ',
    (SELECT string_agg(format('m%s is part of transaction %s, and mark%s is not what it was then', z, last[z + 1], n), ', ')
       FROM generate_series(0, 2) z, generate_series(0, 3) n
      WHERE m[4 * z + n + 1] IS DISTINCT FROM (SELECT max(k) FROM generate_series(greatest(last[z + 1] - 24, 4), last[z + 1]) k WHERE torture.marked(k, z, n))),
    (SELECT string_agg(format('transaction %s is in one zone and not in another', k), ', ')
       FROM generate_series(greatest((SELECT max(l) FROM unnest(last) l) - 24, 4), (SELECT max(l) FROM unnest(last) l)) k
      WHERE (SELECT count(DISTINCT last[z + 1] >= k) > 1 FROM generate_series(0, 2) z WHERE EXISTS (SELECT FROM generate_series(0, 3) n WHERE torture.marked(k, z, n)))),
    (SELECT string_agg(format('m%s goes back from %s to %s', z, was[z + 1], last[z + 1]), ', ') FROM generate_series(0, 2) z WHERE last[z + 1] < was[z + 1])) INTO wrong;
  wrong := nullif(wrong, '');
END $$;

-- Lots of zones: made in one transaction, deleted in one, never changed. All of a lot is there, with all its records, or nothing is.
CREATE TABLE torture.lot (lot text, made boolean);

CREATE FUNCTION torture.lot_make(lot text, n int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. n LOOP
    PERFORM torture.make(format('z%s.%s.lot.example', i, lot), n::text, 1);
    PERFORM torture.put(format('z%s.%s.lot.example', i, lot), format('www.z%s.%s.lot.example', i, lot), 'A', lot, 1, 300);
  END LOOP;
  INSERT INTO torture.lot VALUES (lot, true);
END $$;

-- The one whose turn it is, if there is any.
CREATE FUNCTION torture.lot_drop(tag text) RETURNS void LANGUAGE sql AS $$
  WITH gone AS (DELETE FROM domains WHERE name << 'lot.example' AND split_part(name::text, '.', 2) =
    (SELECT split_part(name::text, '.', 2) FROM domains WHERE name << 'lot.example' ORDER BY md5(tag || split_part(name::text, '.', 2)) LIMIT 1) RETURNING name)
  INSERT INTO torture.lot SELECT DISTINCT split_part(name::text, '.', 2), false FROM gone
$$;

-- A set: resolver `merge`. Elements are added once and removed for good; an element that a reader has seen go does not come back.
CREATE TABLE torture.element (element text, made boolean);

CREATE FUNCTION torture.element_add(n int, tag text) RETURNS void LANGUAGE sql AS $$
  WITH come AS (INSERT INTO records (domain_id, name, type, content, ttl, prio)
    SELECT torture.id('set.example'), format('s%s.set.example', n), 'TXT', format('"%s"', tag), 300, 0 WHERE torture.id('set.example') IS NOT NULL RETURNING content)
  INSERT INTO torture.element SELECT content, true FROM come
$$;

CREATE FUNCTION torture.element_remove(n int, tag text) RETURNS void LANGUAGE sql AS $$
  WITH gone AS (DELETE FROM records WHERE id = (SELECT id FROM records WHERE domain_id = torture.id('set.example') AND name::text = format('s%s.set.example', n)
                                                  AND type = 'TXT' ORDER BY md5(tag || content) LIMIT 1) RETURNING content)
  INSERT INTO torture.element SELECT content, false FROM gone
$$;

-- A version in words that mean the same everywhere; and some that are taken out of the store behind the extension's back.
CREATE FUNCTION torture.unit_at(scope text, unit text, stamp bigint, origin uuid) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT concat_ws(' ', scope, unit, stamp, origin) $$;

CREATE FUNCTION torture.lose(versions text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  CREATE TEMP TABLE lost ON COMMIT DROP AS SELECT v.no, v.key, v.stamp, o.no AS origin FROM torture.version v JOIN dnsrepl.origin o ON o.id = v.origin
    WHERE torture.unit_at(v.scope, v.unit, v.stamp, v.origin) = ANY (versions);
  WITH pack AS (DELETE FROM dnsrepl.version_store s WHERE more IS NOT NULL AND zone IN (SELECT no FROM lost) RETURNING *)
    INSERT INTO dnsrepl.version_store (stamp, low, era, zone, origin, seen, key, image, over)
      SELECT p.stamp, p.low, p.era, p.zone, p.origin, p.seen, u.key, u.image, p.over FROM pack p, dnsrepl.pack_units(p.key, p.image, p.more) u;
  DELETE FROM dnsrepl.version_store s USING lost l WHERE s.zone = l.no AND s.key = l.key AND s.stamp = l.stamp AND s.origin = l.origin;
END $$;

-- Zones that have a resolver of their own all the time.
CREATE FUNCTION torture.resolved_zones() RETURNS void LANGUAGE sql AS $$
  INSERT INTO dnsrepl.policy (zone, resolver) VALUES ('set.example', 'merge'), ('line.example', 'hold');
  SELECT torture.make('set.example', 'set', 1);
  SELECT torture.make('line.example', 'line', 1);
$$;

CREATE PROCEDURE torture.watch() LANGUAGE plpgsql AS $$
DECLARE
  s record;
  w record;
  mark bigint[];
  last bigint[] := '{0,0,0}';
  element text[] := '{}';
  element_gone text[] := '{}';
  lot text[] := '{}';
  lot_gone text[] := '{}';
  back text;
BEGIN
  LOOP
    SELECT ARRAY(SELECT trim(both '"' FROM r.content)::bigint FROM generate_series(0, 2) z CROSS JOIN generate_series(0, 3) n
                   LEFT JOIN (domains d JOIN records r ON r.domain_id = d.id) ON d.name::text = format('m%s.example', z) AND r.name::text = format('mark%s.m%s.example', n, z) AND r.type = 'TXT'
                  ORDER BY z, n) AS marks,
           ARRAY(SELECT r.content::text FROM domains d JOIN records r ON r.domain_id = d.id WHERE d.name::text = 'set.example' AND r.name <> d.name ORDER BY 1) AS elements,
           ARRAY(SELECT concat_ws(' ', split_part(d.name::text, '.', 2), min(d.account), count(DISTINCT d.id), count(r.id))
                   FROM domains d LEFT JOIN records r ON r.domain_id = d.id WHERE d.name << 'lot.example' GROUP BY split_part(d.name::text, '.', 2), d.account ORDER BY 1) AS lots INTO s;
    COMMIT;
    IF s.marks IS DISTINCT FROM mark THEN
      mark := s.marks;
      w := torture.marks_wrong(mark, last);
      IF w.wrong IS NOT NULL AND (mark <> array_fill(NULL::bigint, ARRAY[12]) OR last <> '{0,0,0}') THEN
        INSERT INTO torture.wrong (kind, what) VALUES ('marks', format('%s: %s', mark, w.wrong));
      END IF;
      last := ARRAY(SELECT greatest(a, b) FROM unnest(last, w.last) u (a, b));
    END IF;
    IF s.elements <> element THEN
      back := (SELECT string_agg(e, ', ') FROM unnest(s.elements) e WHERE e = ANY (element_gone));
      IF back IS NOT NULL THEN INSERT INTO torture.wrong (kind, what) VALUES ('elements', back || ' had been removed here, and is there again'); END IF;
      element_gone := element_gone || ARRAY(SELECT e FROM unnest(element) e WHERE e <> ALL (s.elements));
      element := s.elements;
    END IF;
    IF s.lots <> lot THEN
      back := (SELECT string_agg(l, ', ') FROM unnest(s.lots) l WHERE split_part(l, ' ', 1) = ANY (lot_gone)
                   OR split_part(l, ' ', 2) <> split_part(l, ' ', 3) OR split_part(l, ' ', 4)::int <> 3 * split_part(l, ' ', 2)::int);
      IF back IS NOT NULL THEN INSERT INTO torture.wrong (kind, what) VALUES ('zones', back || ' (zones that there should be, are, their records), or it had been deleted here'); END IF;
      lot_gone := lot_gone || ARRAY(SELECT split_part(l, ' ', 1) FROM unnest(lot) l WHERE NOT EXISTS (SELECT FROM unnest(s.lots) k WHERE starts_with(k, split_part(l, ' ', 1) || ' ')));
      lot := s.lots;
    END IF;
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
