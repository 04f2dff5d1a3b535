-- Status (src/status): what is kept and what is served, readable. Reads only.

CREATE FUNCTION dnsrepl.image_rows(key bytea, image bytea) RETURNS jsonb
  LANGUAGE C STRICT STABLE AS 'MODULE_PATHNAME', 'dnsrepl_image_rows' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.image_rows(bytea, bytea) IS 'the rows of a version as a JSON array, "?" for each that cannot be decoded here; null for a deletion, and if the image cannot be read';

CREATE FUNCTION dnsrepl.image_problem(key bytea, image bytea) RETURNS text
  LANGUAGE C STRICT STABLE AS 'MODULE_PATHNAME', 'dnsrepl_image_problem' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.image_problem(bytea, bytea) IS 'why the rows of a version cannot be shown; null if they can';

-- In the form that PostgreSQL reads when it is made, and puts into the queries that call it: plans know what it costs.
CREATE FUNCTION dnsrepl.unit_table(key bytea) RETURNS int
  LANGUAGE sql IMMUTABLE RETURN CASE WHEN length(key) > 1 THEN get_byte(key, 0) * 256 + get_byte(key, 1) END;
COMMENT ON FUNCTION dnsrepl.unit_table(bytea) IS 'the number in dnsrepl.tab of the table that a unit with this key is of';

CREATE FUNCTION dnsrepl.key_columns(key bytea) RETURNS jsonb
  LANGUAGE C STRICT STABLE AS 'MODULE_PATHNAME', 'dnsrepl_key_columns' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.key_columns(bytea) IS 'the key of a unit as JSON';

CREATE FUNCTION dnsrepl.image_author(image bytea) RETURNS text
  LANGUAGE C STRICT IMMUTABLE AS 'MODULE_PATHNAME', 'dnsrepl_image_author' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.image_author(bytea) IS 'the database user who wrote a version';

CREATE FUNCTION dnsrepl.version_lives(key bytea, image bytea, live bigint[]) RETURNS boolean
  LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'dnsrepl_version_lives' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.version_lives(bytea, bytea, bigint[]) IS 'is a version of an incarnation of its zone that lives?';

CREATE FUNCTION dnsrepl.stamp_time(stamp bigint) RETURNS timestamptz
  LANGUAGE sql STRICT IMMUTABLE SET search_path = pg_catalog, pg_temp
  AS $$ SELECT '2000-01-01 00:00:00+00'::timestamptz + (stamp >> 12) * interval '1 microsecond' $$;
COMMENT ON FUNCTION dnsrepl.stamp_time(bigint) IS 'when a version was written, by its author''s clock';

CREATE VIEW dnsrepl.version AS
  SELECT coalesce(t.name, 'table ' || dnsrepl.unit_table(v.key)) AS tab,
         z.name AS zone, dnsrepl.key_columns(v.key) AS key, o.node, dnsrepl.image_author(v.image) AS author,
         dnsrepl.stamp_time(v.stamp) AS written_at, r.rows IS NOT NULL AS live,
         r.rows, v.seen AS projected, o.id AS origin, v.stamp, dnsrepl.image_problem(v.key, v.image) AS problem
    FROM dnsrepl.stored_version v
    JOIN dnsrepl.zone z ON z.no = v.zone
    LEFT JOIN dnsrepl.origin o ON o.no = v.origin
    LEFT JOIN dnsrepl.tab t ON t.no = dnsrepl.unit_table(v.key)
   CROSS JOIN LATERAL (SELECT CASE WHEN z.name IS NULL OR dnsrepl.version_lives(v.key, v.image, z.live)
                                   THEN dnsrepl.image_rows(v.key, v.image) END) r (rows)
   WHERE substr(v.key, 1, 2) NOT IN ('\x7fff', '\x0009');	-- serials and members have views of their own
COMMENT ON VIEW dnsrepl.version IS 'the store: every version of every unit, who wrote it and when';

CREATE FUNCTION dnsrepl.holds_back(vector bytea) RETURNS boolean
  LANGUAGE C AS 'MODULE_PATHNAME', 'dnsrepl_holds_back' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.holds_back(bytea) IS 'does a member with this vector (null: not known) keep deletions from being collected that are old enough?';

CREATE VIEW dnsrepl.member AS
  SELECT r.name, r.node, n.id IS NOT NULL AS self, CASE WHEN n.id IS NOT NULL THEN now() ELSE p.contact END AS vector_at,
         CASE WHEN n.id IS NULL THEN now() - p.contact END AS vector_age, r.evicted,
         n.id IS NULL AND NOT r.evicted AND dnsrepl.holds_back(p.vector) AS holds_back
    FROM dnsrepl.roll r
    LEFT JOIN dnsrepl.node n ON n.id = r.node
    LEFT JOIN dnsrepl.peer_vector p ON p.node = r.node;
COMMENT ON VIEW dnsrepl.member IS 'the members of the cluster, and what is known here of what they hold';
COMMENT ON COLUMN dnsrepl.member.name IS 'the node''s name';
COMMENT ON COLUMN dnsrepl.member.node IS 'its id';
COMMENT ON COLUMN dnsrepl.member.self IS 'it is this node';
COMMENT ON COLUMN dnsrepl.member.vector_at IS 'when it was heard last, here or by a node that told of it; null: never';
COMMENT ON COLUMN dnsrepl.member.vector_age IS 'how long ago that was';
COMMENT ON COLUMN dnsrepl.member.evicted IS 'deletions are not kept for it: dnsrepl.evict(), dnsrepl.evict_after; it may come back';
COMMENT ON COLUMN dnsrepl.member.holds_back IS 'deletions older than dnsrepl.tombstone_retention are kept because of it';

CREATE VIEW dnsrepl.self_check AS
  SELECT c[1] AS rounds, c[2] AS units, c[3] AS collected, c[4] AS sums_mended, c[5] AS differences, c[6] AS damages, c[7] AS compared, c[8] AS repaired
    FROM dnsrepl.counts() c;
COMMENT ON VIEW dnsrepl.self_check IS 'what this node has found when it looked after itself, since its server started';
COMMENT ON COLUMN dnsrepl.self_check.rounds IS 'times that all zones were looked at';
COMMENT ON COLUMN dnsrepl.self_check.units IS 'units that were looked at';
COMMENT ON COLUMN dnsrepl.self_check.collected IS 'versions that were removed: deletions, and what was dead with its zone';
COMMENT ON COLUMN dnsrepl.self_check.sums_mended IS 'zones whose running sums were off';
COMMENT ON COLUMN dnsrepl.self_check.differences IS 'units whose tables were not what the store says; dnsrepl.check_store() shows those that still are';
COMMENT ON COLUMN dnsrepl.self_check.damages IS 'zones whose store had been changed behind the extension''s back';
COMMENT ON COLUMN dnsrepl.self_check.compared IS 'times that what a peer serves was compared';
COMMENT ON COLUMN dnsrepl.self_check.repaired IS 'units that were united with a peer''s, which differed though both held the same';

-- What joining would change.
CREATE FUNCTION dnsrepl.join_preview(on_join text DEFAULT 'cluster')
  RETURNS TABLE (zone @extschema@.dnsname, name text, type text, tab text, here text, there text, change text)
  LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  WITH d AS MATERIALIZED (
    SELECT x.zone, x.here, x.there, t.name AS tab, dnsrepl.key_columns(x.key) AS key
      FROM dnsrepl.join_differences() x JOIN dnsrepl.tab t ON t.no = dnsrepl.unit_table(x.key)),
  gone AS (SELECT d.zone FROM d WHERE d.tab = 'domains' AND d.there = 'null' AND on_join = 'cluster')
  SELECT d.zone, coalesce(d.key->>'name', d.zone::text), d.key->>'type', d.tab,
         CASE WHEN d.here IS NOT NULL THEN dnsrepl.rows_text(d.tab, d.key, d.here) END,
         CASE WHEN d.there IS NOT NULL THEN dnsrepl.rows_text(d.tab, d.key, d.there) END,
         CASE WHEN d.zone OPERATOR(@extschema@.=) ANY (SELECT g.zone FROM gone g) THEN 'deleted here, with its zone'
              WHEN d.here IS NULL THEN 'new here'
              WHEN d.there IS NULL THEN 'new in the cluster'
              WHEN on_join = 'conflict' THEN 'in conflict: the later one is served, unless a policy says otherwise'
              WHEN on_join = 'mine' AND d.here <> 'null' THEN CASE WHEN d.there = 'null' THEN 'new in the cluster' ELSE 'replaced in the cluster' END
              WHEN d.there = 'null' THEN 'deleted here'
              ELSE 'replaced here' END
    FROM d
   ORDER BY d.zone, d.tab, 2, 3
$$;
COMMENT ON FUNCTION dnsrepl.join_preview(text) IS 'what dnsrepl.join(on_join) would change, here and in the cluster that has sent what it holds';

-- What came for a zone that another transaction has locked, or of which something came before that is kept still.
CREATE VIEW dnsrepl.deferred_zone AS
  SELECT u.zone, u.tab, min(d.since) AS since, min(d.peer) AS peer, min(h.holder) AS holder, min(h.zone::text) AS locked, min(d.error) AS error
    FROM dnsrepl.deferred d CROSS JOIN LATERAL unnest(d.zones, d.tabs) u (zone, tab)
    LEFT JOIN LATERAL (SELECT x.zone, dnsrepl.zone_holder(x.zone, CASE WHEN x.zone IS NULL THEN x.tab END) AS holder
                         FROM unnest(d.zones, d.tabs) x (zone, tab) ORDER BY x.zone IS DISTINCT FROM u.zone, holder LIMIT 10) h ON h.holder IS NOT NULL
   GROUP BY u.zone, u.tab;
COMMENT ON VIEW dnsrepl.deferred_zone IS 'for dnsrepl.problem: the zones in dnsrepl.deferred, and for whom they wait';

CREATE FUNCTION dnsrepl.wait_reason(zone text, locked text, holder text, peer text) RETURNS text
  LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE WHEN holder IS NULL THEN format('what came from "%s" is kept, and merged soon', peer)
              WHEN locked IS NOT DISTINCT FROM zone THEN format('%s has the zone locked: what came from "%s" is kept, and merged when that has ended', holder, peer)
              ELSE format('%s has "%s" locked, which a transaction has changed along with this zone: what came from "%s" is kept', holder, locked, peer) END
$$;
COMMENT ON FUNCTION dnsrepl.wait_reason(text, text, text, text) IS 'for dnsrepl.problem, and for the sender''s dnsrepl.status';

CREATE FUNCTION dnsrepl.zone_author(zone @extschema@.dnsname, tab int2) RETURNS int
  LANGUAGE C AS 'MODULE_PATHNAME', 'dnsrepl_zone_author' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.zone_author(@extschema@.dnsname, int2) IS 'the process of a local transaction that is editing a zone, or many; null: none';

CREATE VIEW dnsrepl.waiting_author AS
  SELECT w.zone, dnsrepl.zone_author(w.name, w.tab) AS pid
    FROM (SELECT DISTINCT p.zone, z.name, CASE WHEN z.name IS NULL THEN z.tab END AS tab
            FROM dnsrepl.parked p JOIN dnsrepl.zone z ON z.no = p.zone WHERE p.state = 'waiting' ORDER BY p.zone LIMIT 100) w;
COMMENT ON VIEW dnsrepl.waiting_author IS 'for dnsrepl.problem: for whom zones wait; of the first hundred';

CREATE FUNCTION dnsrepl.what_waits() RETURNS text
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT max(w.text) FILTER (WHERE w.nth = 1) || CASE WHEN count(*) > 1 THEN format(' (and %s more zones: see dnsrepl.problem there)', count(*) - 1) ELSE '' END
    FROM (SELECT row_number() OVER (ORDER BY a.since) AS nth, format('%s waits: %s', coalesce(format('zone "%s"', a.zone), 'a table without zones'), a.reason) AS text
            FROM (SELECT d.zone::text AS zone, d.since, coalesce(d.error, dnsrepl.wait_reason(d.zone::text, d.locked, d.holder, d.peer)) AS reason FROM dnsrepl.deferred_zone d
                  UNION ALL
                  SELECT z.name::text, min(p.since), min(p.error || coalesce(' (process ' || a.pid || ')', ''))
                    FROM dnsrepl.parked p JOIN dnsrepl.zone z ON z.no = p.zone
                    LEFT JOIN dnsrepl.waiting_author a ON a.zone = p.zone AND p.error LIKE 'a local transaction %'
                   WHERE p.state = 'waiting' AND p.since < now() - interval '2 seconds' GROUP BY z.no) a) w
$$;
COMMENT ON FUNCTION dnsrepl.what_waits() IS 'for the senders'' dnsrepl.status: a zone in which what has come has to wait, and for what; null: none';

CREATE VIEW dnsrepl.problem AS
  SELECT coalesce(t.name, 'all tables') AS tab, z.name AS zone,
         -- a zone waits as a whole; and what it waits for may be a lock on the table without which no key can be told
         CASE WHEN length(p.key) > 0 AND p.state <> 'waiting' THEN dnsrepl.key_columns(p.key) END AS key,
         p.error, p.since, p.tries,
         CASE p.state WHEN 'waiting' THEN 'what came from other nodes is kept, and shown as one when nothing is in its way: end the local transaction that is' || coalesce(' (process ' || a.pid || ')', '')
                      WHEN 'queued' THEN 'it is looked at anew by itself, when no local transaction is in the way'
                      ELSE 'what came from other nodes is kept and tried again; remove what stands in its way' END AS advice
    FROM dnsrepl.parked p
    JOIN dnsrepl.zone z ON z.no = p.zone
    LEFT JOIN dnsrepl.tab t ON t.no = dnsrepl.unit_table(p.key)
    LEFT JOIN dnsrepl.waiting_author a ON a.zone = p.zone AND p.state = 'waiting' AND p.error LIKE 'a local transaction %'
  UNION ALL
  SELECT coalesce(t.name, 'all tables'), d.zone, NULL, coalesce(d.error, dnsrepl.wait_reason(d.zone::text, d.locked, d.holder, d.peer)), d.since, NULL,
         CASE WHEN d.error IS NULL THEN 'it goes by itself: end the transaction that has the zone, if it is not to last' ELSE 'it is tried again; remove what stands in its way' END
    FROM dnsrepl.deferred_zone d LEFT JOIN dnsrepl.tab t ON t.no = d.tab AND d.zone IS NULL
  UNION ALL
  SELECT t.name, z.name, dnsrepl.key_columns(p.key), format('resolver %s failed: %s', p.resolver, p.error), p.since, NULL,
         'the latest version is served; ' || coalesce(o.advice, 'mend the function, or change dnsrepl.policy')
    FROM dnsrepl.resolver_problem p
    JOIN dnsrepl.zone z ON z.no = p.zone
    LEFT JOIN dnsrepl.tab t ON t.no = dnsrepl.unit_table(p.key)
   CROSS JOIN LATERAL dnsrepl.resolver_obstacle(p.resolver) o
   WHERE EXISTS (SELECT FROM dnsrepl.policy q WHERE q.resolver = p.resolver AND NOT q.doubted)
  UNION ALL
  SELECT coalesce(p.tab, 'all tables'), p.zone, NULL, format('resolver %s failed: %s', p.resolver, o.problem), NULL, NULL,
         'the latest version is served; ' || o.advice
    FROM dnsrepl.policy p CROSS JOIN LATERAL dnsrepl.resolver_obstacle(p.resolver) o
   WHERE o.problem IS NOT NULL AND NOT p.doubted AND NOT EXISTS (SELECT FROM dnsrepl.resolver_problem r WHERE r.resolver = p.resolver)
  UNION ALL
  SELECT p.tab, p.zone, NULL, format('nodes that hold the same do not serve the same by resolver %s', p.resolver), NULL, NULL,
         'the latest version is served; make the function the same on all nodes, and dependent on nothing but its arguments; then UPDATE dnsrepl.policy SET doubted = false'
    FROM dnsrepl.policy p WHERE p.doubted
  UNION ALL
  SELECT 'all tables', z.name, NULL, CASE WHEN c.peer = '' AND NOT d.damage THEN format('%s: %s units', c.problem, c.units) ELSE c.problem END, c.since, NULL,
         CASE WHEN d.damage THEN 'the node mends it by itself, with the state of a peer; a transaction whose commit hangs is waited for'
              WHEN c.peer = '' THEN 'SELECT * FROM dnsrepl.check_store() shows them; repair => ''tables'' or ''store'' makes that follow the other'
              ELSE 'does the peer have a link to this node?' END
    FROM dnsrepl.check_problem c JOIN dnsrepl.zone z ON z.no = c.zone
   CROSS JOIN LATERAL (SELECT c.problem = 'the store has been changed behind the extension''s back') d (damage)
  UNION ALL
  SELECT 'records', w.zone, jsonb_build_object('name', w.name) || CASE WHEN w.type = 0 THEN '{}' ELSE jsonb_build_object('type', w.type::@extschema@.rrtype) END,
         format('server %s: %s', w.server, w.problem), w.since, w.tries,
         CASE WHEN w.name IS NULL THEN 'nothing of this zone is told to the server meanwhile; it is compared and told when the server takes it, or SELECT dnsrepl.resync(server)'
              ELSE 'the rest of the zone goes on; this is told when the server takes it' END
    FROM dnsrepl.server_work w WHERE w.problem IS NOT NULL
  UNION ALL
  SELECT 'all tables', NULL, NULL,
         'the store of this node was changed behind the extension''s back'
         || coalesce('; so were those of ' || s.names || ': what they have left has been taken over', ''), n.damaged, NULL,
         CASE WHEN w.names IS NULL THEN 'no other member is left to ask: its store will be taken for what it is within seconds'
              ELSE format('it sends nothing until one whose store was not changed has sent it what it holds, or until all others have sent what they have left; it waits for %s. '
                          'That goes by itself when they have links to this node. A member that will not come back: SELECT dnsrepl.evict(name), here', w.names) END
    FROM dnsrepl.node n
   CROSS JOIN LATERAL (SELECT string_agg(format('"%s"', r.name), ', ' ORDER BY r.name) FROM dnsrepl.roll r
                        WHERE r.node <> n.id AND r.node = ANY (n.salvaged)) s (names)
   CROSS JOIN LATERAL (SELECT string_agg(format('"%s"', r.name), ', ' ORDER BY r.name) FROM dnsrepl.roll r
                        WHERE r.node <> n.id AND NOT r.evicted AND r.node <> ALL (coalesce(n.salvaged, '{}'))) w (names)
   WHERE n.damaged IS NOT NULL
  UNION ALL
  SELECT 'all tables', NULL, NULL, 'nothing checks this node, and deletions are not collected: there is no free worker slot', u.since, NULL,
         'raise max_worker_processes, and restart the server'
    FROM dnsrepl.unchecked_since() u (since) WHERE u.since IS NOT NULL
  UNION ALL
  SELECT 'member', NULL, NULL, format('the list of members has %s entries', count(*)), NULL, NULL,
         'nodes beyond 1000 do not become members, and deletions are not kept for those that were never heard of; DELETE FROM dnsrepl.roll those that are none'
    FROM dnsrepl.roll HAVING count(*) >= 1000
  UNION ALL
  SELECT 'all tables', NULL, NULL, format('peer "%s" held writes of this node that it had not made: it has begun a new life', d.peer), d.at, d.times,
         'nothing to mend: what it wrote lately is written anew. But somebody claims what is not so, or a copy of this machine runs: see who may log in as a peer'
    FROM dnsrepl.disputed() d WHERE d.at > now() - interval '1 hour'
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
  SELECT t.name, NULL, NULL, format('table %s is missing', t.name), NULL, NULL, 'what comes for it is kept; SELECT dnsrepl.setup_missing() makes it anew'
    FROM dnsrepl.tab t WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = t.rel)
  UNION ALL
  SELECT t.name, NULL, NULL, format('table %s cannot be replicated as it is: %s', t.name, p.problem), NULL, NULL,
         'alter it back; what comes for it is kept, and goes on by itself then'
    FROM dnsrepl.tab t CROSS JOIN LATERAL dnsrepl.table_problem(t.no, t.rel) p (problem) WHERE p.problem IS NOT NULL;
COMMENT ON VIEW dnsrepl.problem IS 'what does not go by itself: the error, and what to do';

CREATE FUNCTION dnsrepl.rejections(OUT at timestamptz, OUT username text, OUT application text, OUT zone text, OUT name text, OUT type text,
                                   OUT content text, OUT code text, OUT rule text, OUT message text) RETURNS SETOF record
  LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dnsrepl_rejections' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.rejections() IS 'for dnsrepl.rejection';

CREATE VIEW dnsrepl.rejection AS SELECT * FROM dnsrepl.rejections();
COMMENT ON VIEW dnsrepl.rejection IS 'changes that were refused lately: the last 256 of this server, as far as they were of this database, since its start';
COMMENT ON COLUMN dnsrepl.rejection.at IS 'when';
COMMENT ON COLUMN dnsrepl.rejection.username IS 'the database user';
COMMENT ON COLUMN dnsrepl.rejection.application IS 'what his client calls itself';
COMMENT ON COLUMN dnsrepl.rejection.zone IS 'the zone, if known';
COMMENT ON COLUMN dnsrepl.rejection.name IS 'the owner name';
COMMENT ON COLUMN dnsrepl.rejection.type IS 'the type, if it was about one';
COMMENT ON COLUMN dnsrepl.rejection.content IS 'the content, if it was about that; long ones are cut';
COMMENT ON COLUMN dnsrepl.rejection.code IS 'the SQLSTATE that the client got';
COMMENT ON COLUMN dnsrepl.rejection.rule IS 'the rule, or the column that was wrong';
COMMENT ON COLUMN dnsrepl.rejection.message IS 'why';

CREATE FUNCTION dnsrepl.changes_since(since bytea DEFAULT NULL, OUT zone @extschema@.dnsname, OUT name @extschema@.dnsname, OUT type @extschema@.rrtype,
                                      OUT ttl bigint, OUT records text[], OUT vector bytea) RETURNS SETOF record
  LANGUAGE C AS 'MODULE_PATHNAME', 'dnsrepl_changes_since' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.changes_since(bytea) IS 'the RRsets that may have changed since a vector that an earlier call gave: as they are now, without records if they are gone. A zone alone: forget what you had of it; nothing at all: forget everything. The last row has the vector to pass next time';

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
COMMENT ON COLUMN dnsrepl.version.problem IS 'why the rows cannot be shown; null if they can';
COMMENT ON COLUMN dnsrepl.problem.tab IS 'the table';
COMMENT ON COLUMN dnsrepl.problem.zone IS 'the zone; null: the table as a whole';
COMMENT ON COLUMN dnsrepl.problem.key IS 'the unit''s key; null: the zone or the table as a whole';
COMMENT ON COLUMN dnsrepl.problem.error IS 'what went wrong';
COMMENT ON COLUMN dnsrepl.problem.since IS 'since when';
COMMENT ON COLUMN dnsrepl.problem.tries IS 'how often it was tried';
COMMENT ON COLUMN dnsrepl.problem.advice IS 'what to do';
