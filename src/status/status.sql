-- Status (src/status): what is kept and what is served, readable. Reads only.

CREATE FUNCTION dnsrepl.image_rows(key bytea, image bytea) RETURNS jsonb
  LANGUAGE C STRICT STABLE AS 'MODULE_PATHNAME', 'dnsrepl_image_rows' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.image_rows(bytea, bytea) IS 'the rows of a version as a JSON array; null for a deletion';

CREATE FUNCTION dnsrepl.key_columns(key bytea) RETURNS jsonb
  LANGUAGE C STRICT STABLE AS 'MODULE_PATHNAME', 'dnsrepl_key_columns' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.key_columns(bytea) IS 'the key of a unit as JSON';

CREATE FUNCTION dnsrepl.image_author(image bytea) RETURNS text
  LANGUAGE C STRICT IMMUTABLE AS 'MODULE_PATHNAME', 'dnsrepl_image_author' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.image_author(bytea) IS 'the database user who wrote a version';

CREATE FUNCTION dnsrepl.version_lives(key bytea, image bytea, live bigint[]) RETURNS boolean
  LANGUAGE C IMMUTABLE AS 'MODULE_PATHNAME', 'dnsrepl_version_lives' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.version_lives(bytea, bytea, bigint[]) IS 'is a version of an incarnation of its zone that lives?';

CREATE FUNCTION dnsrepl.stamp_time(stamp bigint) RETURNS timestamptz
  LANGUAGE sql STRICT IMMUTABLE SET search_path = pg_catalog, pg_temp
  AS $$ SELECT '2000-01-01 00:00:00+00'::timestamptz + (stamp >> 12) * interval '1 microsecond' $$;
COMMENT ON FUNCTION dnsrepl.stamp_time(bigint) IS 'when a version was written, by its author''s clock';

CREATE VIEW dnsrepl.version AS
  SELECT coalesce(t.name, 'table ' || (get_byte(v.key, 0) * 256 + get_byte(v.key, 1))) AS tab,
         z.name AS zone, dnsrepl.key_columns(v.key) AS key, o.node, dnsrepl.image_author(v.image) AS author,
         dnsrepl.stamp_time(v.stamp) AS written_at, r.rows IS NOT NULL AS live,
         r.rows, v.seen AS projected, o.id AS origin, v.stamp
    FROM dnsrepl.version_store v
    JOIN dnsrepl.zone z ON z.no = v.zone
    JOIN dnsrepl.origin o ON o.no = v.origin
    LEFT JOIN dnsrepl.tab t ON t.no = get_byte(v.key, 0) * 256 + get_byte(v.key, 1)
   CROSS JOIN LATERAL (SELECT CASE WHEN z.name IS NULL OR dnsrepl.version_lives(v.key, v.image, z.live)
                                   THEN dnsrepl.image_rows(v.key, v.image) END) r (rows)
   WHERE v.key <> '\x7fff';
COMMENT ON VIEW dnsrepl.version IS 'the store: every version of every unit, who wrote it and when';

CREATE VIEW dnsrepl.member AS
  SELECT n.name, n.id AS node, true AS self, now() AS vector_at, NULL::interval AS vector_age
    FROM dnsrepl.node n
  UNION ALL
  SELECT p.name, p.node, false, p.contact, now() - p.contact FROM dnsrepl.peer_vector p
  UNION ALL
  SELECT DISTINCT o.node, NULL::uuid, false, NULL::timestamptz, NULL::interval
    FROM dnsrepl.origin o
   WHERE o.node NOT IN (SELECT name FROM dnsrepl.node UNION ALL SELECT name FROM dnsrepl.peer_vector);
COMMENT ON VIEW dnsrepl.member IS 'every node known here, and when its vector came last; nodes that only others talk to have none';

CREATE VIEW dnsrepl.problem AS
  SELECT coalesce(t.name, 'all tables') AS tab, z.name AS zone,
         CASE WHEN length(p.key) > 0 THEN dnsrepl.key_columns(p.key) END AS key,
         p.error, p.since, p.tries,
         CASE WHEN length(p.key) > 0 THEN 'what came from other nodes is kept and tried again; remove what stands in its way'
              ELSE 'what came from other nodes is projected when the local transaction has ended' END AS advice
    FROM dnsrepl.parked p
    JOIN dnsrepl.zone z ON z.no = p.zone
    LEFT JOIN dnsrepl.tab t ON t.no = CASE WHEN length(p.key) > 1 THEN get_byte(p.key, 0) * 256 + get_byte(p.key, 1) END
  UNION ALL
  SELECT t.name, z.name, dnsrepl.key_columns(p.key), format('resolver %s failed: %s', p.resolver, p.error), p.since, NULL,
         'the latest version is served; mend the function, or change dnsrepl.policy'
    FROM dnsrepl.resolver_problem p
    JOIN dnsrepl.zone z ON z.no = p.zone
    LEFT JOIN dnsrepl.tab t ON t.no = get_byte(p.key, 0) * 256 + get_byte(p.key, 1)
  UNION ALL
  SELECT NULL, NULL, NULL,
         CASE WHEN s.off > 1 AND s.off * 2 > s.all_links THEN format('the clock of this server is %s %s that of node "%s", and of most others', s.skew, s.way, s.name)
              ELSE format('the clocks of this server and of "%s" differ: that one is %s %s', s.name, s.skew, CASE s.way WHEN 'behind' THEN 'ahead' ELSE 'behind' END) END,
         NULL, NULL, 'set the clock right: a version with a larger stamp wins over one that was written later'
    FROM (SELECT l.name, make_interval(secs => round(abs(extract(epoch FROM l.clock_skew)))::float8) AS skew,
                 CASE WHEN l.clock_skew > interval '0' THEN 'behind' ELSE 'ahead of' END AS way,
                 count(*) FILTER (WHERE abs(extract(epoch FROM l.clock_skew)) > extract(epoch FROM current_setting('dnsrepl.max_clock_skew')::interval)) OVER () AS off,
                 count(*) OVER () AS all_links, l.clock_skew
            FROM dnsrepl.status l WHERE l.clock_skew IS NOT NULL) s
   WHERE abs(extract(epoch FROM s.clock_skew)) > extract(epoch FROM current_setting('dnsrepl.max_clock_skew')::interval)
  UNION ALL
  SELECT t.name, NULL, NULL, format('trigger %s does not fire always', n.tgname), NULL, NULL,
         format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I; then SELECT dnsrepl.note_table(%L)', t.rel::regclass, n.tgname, t.rel::regclass)
    FROM dnsrepl.tab t
    JOIN pg_trigger n ON n.tgrelid = t.rel AND n.tgname IN ('dnsrepl_note', 'dnsrepl_note_truncate') AND n.tgenabled <> 'A'
  UNION ALL
  SELECT t.name, NULL, NULL, format('trigger %s is missing', n.tgname), NULL, NULL,
         format('SELECT dnsrepl.setup_triggers(%1$L); then SELECT dnsrepl.note_table(%1$L)', t.rel::regclass)
    FROM dnsrepl.tab t CROSS JOIN (VALUES ('dnsrepl_note'), ('dnsrepl_note_truncate')) n (tgname)
   WHERE EXISTS (SELECT FROM pg_class c WHERE c.oid = t.rel)
     AND NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = t.rel AND g.tgname = n.tgname)
  UNION ALL
  SELECT t.name, NULL, NULL, format('table %s is missing', t.name), NULL, NULL, 'what comes for it is kept'
    FROM dnsrepl.tab t WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = t.rel);
COMMENT ON VIEW dnsrepl.problem IS 'what does not go by itself: the error, and what to do';

CREATE FUNCTION dnsrepl.digest() RETURNS text
  LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dnsrepl_digest' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.digest() IS 'equal on nodes that serve the same data';

CREATE FUNCTION dnsrepl.digest(zone @extschema@.dnsname) RETURNS text
  LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dnsrepl_digest_zone' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.digest(@extschema@.dnsname) IS 'equal on nodes that serve the same of this zone';

COMMENT ON COLUMN dnsrepl.version.tab IS 'the table of the unit';
COMMENT ON COLUMN dnsrepl.version.zone IS 'its zone; null for tables without zones';
COMMENT ON COLUMN dnsrepl.version.key IS 'its key within the zone';
COMMENT ON COLUMN dnsrepl.version.node IS 'the node that wrote this version';
COMMENT ON COLUMN dnsrepl.version.author IS 'the database user who did';
COMMENT ON COLUMN dnsrepl.version.written_at IS 'when, by that node''s clock';
COMMENT ON COLUMN dnsrepl.version.live IS 'false: a deletion, or part of a zone that has been deleted';
COMMENT ON COLUMN dnsrepl.version.rows IS 'the replicated columns of the unit''s rows; null if it is not live';
COMMENT ON COLUMN dnsrepl.version.projected IS 'false: it has not been shown by this node''s tables yet (dnsrepl.problem says why)';
COMMENT ON COLUMN dnsrepl.version.origin IS 'the life of the node that wrote it';
COMMENT ON COLUMN dnsrepl.version.stamp IS 'decides which of several versions is served: the largest';
COMMENT ON COLUMN dnsrepl.member.name IS 'the node''s name';
COMMENT ON COLUMN dnsrepl.member.node IS 'its id; null: known from others only';
COMMENT ON COLUMN dnsrepl.member.self IS 'true for this node';
COMMENT ON COLUMN dnsrepl.member.vector_at IS 'when it last sent something that was merged here';
COMMENT ON COLUMN dnsrepl.member.vector_age IS 'how long ago that was';
COMMENT ON COLUMN dnsrepl.problem.tab IS 'the table';
COMMENT ON COLUMN dnsrepl.problem.zone IS 'the zone; null: the table as a whole';
COMMENT ON COLUMN dnsrepl.problem.key IS 'the unit''s key; null: the zone or the table as a whole';
COMMENT ON COLUMN dnsrepl.problem.error IS 'what went wrong';
COMMENT ON COLUMN dnsrepl.problem.since IS 'since when';
COMMENT ON COLUMN dnsrepl.problem.tries IS 'how often it was tried';
COMMENT ON COLUMN dnsrepl.problem.advice IS 'what to do';
