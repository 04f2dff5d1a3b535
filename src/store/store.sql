-- The store: what replicates (DESIGN: the version store), and what this node knows of itself and others.
-- Only the extension's own code writes these tables.

CREATE TABLE dnsrepl.node (
  id     uuid PRIMARY KEY,
  name   text NOT NULL CHECK (name <> '' AND octet_length(name) < 64),
  schema name NOT NULL,
  since  timestamptz NOT NULL DEFAULT now(),
  clusters uuid[] NOT NULL DEFAULT ARRAY[gen_random_uuid()],
  joining text CHECK (joining IN ('cluster', 'mine', 'conflict')),
  damaged timestamptz,
  held bytea,
  salvaged uuid[]
);
CREATE UNIQUE INDEX node_one ON dnsrepl.node ((true));
COMMENT ON TABLE dnsrepl.node IS 'this node: one row once dnsrepl.setup() has run';
COMMENT ON COLUMN dnsrepl.node.clusters IS 'the clusters that have become one here: nodes with one in common are of one cluster';
COMMENT ON COLUMN dnsrepl.node.joining IS 'whose rows count when this node joins a cluster though both have data; null: nobody has said so, or it has joined';
COMMENT ON COLUMN dnsrepl.node.damaged IS 'since when its store is known not to be what it was; it sends nothing until it has taken a peer''s state';
COMMENT ON COLUMN dnsrepl.node.held IS 'while it is damaged: what it held by its vector before, and what the damaged members held whose versions it has got since';
COMMENT ON COLUMN dnsrepl.node.salvaged IS 'while it is damaged: those members';

CREATE TABLE dnsrepl.roll (
  node    uuid PRIMARY KEY,
  name    text NOT NULL,
  evicted boolean NOT NULL DEFAULT false,
  since   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE dnsrepl.roll IS 'the members of the cluster; replicates. dnsrepl.member shows them';
COMMENT ON COLUMN dnsrepl.roll.evicted IS 'deletions are not kept for it; what it comes back with is compared in full';


CREATE TABLE dnsrepl.origin (
  no     int4 PRIMARY KEY,
  id     uuid NOT NULL UNIQUE,
  node   text NOT NULL,
  own    bool NOT NULL,
  closed bool NOT NULL
);
CREATE SEQUENCE dnsrepl.origin_no AS int4 OWNED BY dnsrepl.origin.no;
COMMENT ON TABLE dnsrepl.origin IS 'lives of nodes: who wrote versions; numbers are local to this node';
COMMENT ON COLUMN dnsrepl.origin.closed IS 'a life of this node that is over and whose vector entry is complete';

CREATE TABLE dnsrepl.vector (
  origin int4 PRIMARY KEY,
  head   int8 NOT NULL,
  ranges int8[],
  collected int8 NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
COMMENT ON TABLE dnsrepl.vector IS 'what this node holds of each origin: every stamp up to head, and ranges (first, last, first, last ...) beyond it';

COMMENT ON COLUMN dnsrepl.vector.collected IS 'deletions up to this stamp may have been collected, here or where this node has it from';

CREATE TABLE dnsrepl.vector_log (
  at     timestamptz PRIMARY KEY,
  vector bytea NOT NULL
);
COMMENT ON TABLE dnsrepl.vector_log IS 'what this node held when: how old a deletion is here';

CREATE TABLE dnsrepl.peer_vector (
  node    uuid PRIMARY KEY,
  name    text NOT NULL,
  life    uuid NOT NULL,
  vector  bytea NOT NULL,
  contact timestamptz NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE dnsrepl.peer_vector IS 'what each other node was seen to hold last: only what this node holds too';

CREATE TABLE dnsrepl.uptime (
  since timestamptz PRIMARY KEY,
  until timestamptz NOT NULL
);
COMMENT ON TABLE dnsrepl.uptime IS 'when this node was up, and could have heard others: by this, and not by the calendar, dnsrepl.evict_after is measured';

CREATE FUNCTION dnsrepl.up_for(since timestamptz) RETURNS interval
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(sum(u.until - greatest(u.since, up_for.since)), interval '0') FROM dnsrepl.uptime u WHERE u.until > up_for.since
$$;
COMMENT ON FUNCTION dnsrepl.up_for(timestamptz) IS 'for how long this node has been up since then: what did not happen while it was down cannot be held against others';

CREATE TABLE dnsrepl.zone (
  no   int4 PRIMARY KEY,
  name @extschema@.dnsname UNIQUE,
  tab  int2 UNIQUE,
  serial int8,
  heard  int8,
  served int8 NOT NULL DEFAULT 0,
  others int8 NOT NULL DEFAULT 0,
  held   int8 NOT NULL DEFAULT 0,
  dnames int4 NOT NULL DEFAULT 0,
  live   int8[],
  stored int8[],
  ordered int8 NOT NULL DEFAULT 0,
  CHECK ((name IS NULL) <> (tab IS NULL))
);
CREATE SEQUENCE dnsrepl.zone_no AS int4 OWNED BY dnsrepl.zone.no;
ALTER TABLE dnsrepl.zone ALTER no SET DEFAULT nextval('dnsrepl.zone_no');
COMMENT ON TABLE dnsrepl.zone IS 'a row per zone, and per table without zones: locked by whoever changes units in it';

COMMENT ON COLUMN dnsrepl.zone.serial IS 'the zone''s serial, 64 bits; the low 32 are published; kept when the zone is deleted';
COMMENT ON COLUMN dnsrepl.zone.heard IS 'the largest serial of a peer whose versions are here and wait for their projection';
COMMENT ON COLUMN dnsrepl.zone.served IS 'running sum over the records that are served of the zone, the serial left out';
COMMENT ON COLUMN dnsrepl.zone.others IS 'the same over the other tables';
COMMENT ON COLUMN dnsrepl.zone.held IS 'running sum over the versions of the zone, and over its incarnations by the store';
COMMENT ON COLUMN dnsrepl.zone.ordered IS 'the way of signing for which its names are in order, as a hash; 0: they may not be';
COMMENT ON COLUMN dnsrepl.zone.live IS 'the incarnations of the zone that the tables show: of each commit that made it its origin and its stamp';
COMMENT ON COLUMN dnsrepl.zone.stored IS 'the incarnations of the zone that live by the store';
COMMENT ON COLUMN dnsrepl.zone.dnames IS 'how many versions of type DNAME the zone has';

CREATE TABLE dnsrepl.version_store (
  stamp  int8 NOT NULL,
  low    int8,
  era    int8 NOT NULL,
  zone   int4 NOT NULL,
  origin int4 NOT NULL,
  seen   bool NOT NULL,
  key    bytea NOT NULL,
  image  bytea NOT NULL,
  over   bytea,
  more   bytea
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000);
ALTER TABLE dnsrepl.version_store ALTER key SET STORAGE PLAIN;
CREATE INDEX version_unit ON dnsrepl.version_store (zone, key);
CREATE INDEX version_dot ON dnsrepl.version_store (origin, era);
COMMENT ON TABLE dnsrepl.version_store IS 'the store: every version of every unit; dnsrepl.stored_version has a row for each, dnsrepl.version shows it readably';
COMMENT ON COLUMN dnsrepl.version_store.low IS 'own versions: the head of this origin when the stamp was drawn';
COMMENT ON COLUMN dnsrepl.version_store.over IS 'own versions: stamps of this origin beyond low that were superseded here';
COMMENT ON COLUMN dnsrepl.version_store.era IS 'stamp >> 26: by the 16 milliseconds, so that the index is small';
COMMENT ON COLUMN dnsrepl.version_store.more IS 'the units before this one, each with one version of the same write: dnsrepl.pack_units()';

CREATE FUNCTION dnsrepl.pack_units(INOUT key bytea, INOUT image bytea, more bytea) RETURNS SETOF record
  LANGUAGE C IMMUTABLE ROWS 10 AS 'MODULE_PATHNAME', 'dnsrepl_pack_units' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.pack_units(bytea, bytea, bytea) IS 'the units of one row of dnsrepl.version_store';

CREATE VIEW dnsrepl.stored_version AS
  SELECT v.zone, u.key, v.origin, v.stamp, v.low, v.seen, u.image, v.over, v.xmin AS writer
    FROM dnsrepl.version_store v CROSS JOIN LATERAL dnsrepl.pack_units(v.key, v.image, v.more) u;
COMMENT ON VIEW dnsrepl.stored_version IS 'the store: one row for each version; dnsrepl.version shows it readably';

CREATE TABLE dnsrepl.tab (
  no      int2 PRIMARY KEY CHECK (no > 0),
  name    text NOT NULL UNIQUE,
  rel     oid NOT NULL UNIQUE,
  zone    "char" NOT NULL CHECK (zone IN ('n', 's', 'i')),
  key     text[] NOT NULL,
  hashed  text,
  columns text[] NOT NULL
);
COMMENT ON TABLE dnsrepl.tab IS 'the replicated tables: how a row tells its zone (none, itself, by domain_id), its key in the zone, the columns that are shipped';

CREATE TABLE dnsrepl.parked (
  zone  int4 NOT NULL,
  key   bytea NOT NULL,
  state text NOT NULL CHECK (state IN ('waiting', 'queued', 'refused')),
  together int4 CHECK ((together IS NULL) = (state <> 'waiting')),
  since timestamptz NOT NULL DEFAULT now(),
  tried timestamptz NOT NULL DEFAULT now(),
  tries int4 NOT NULL,
  error text NOT NULL,
  after bytea,
  PRIMARY KEY (zone, key)
);
CREATE INDEX parked_together ON dnsrepl.parked (together) WHERE state = 'waiting';
COMMENT ON TABLE dnsrepl.parked IS 'units whose versions are in the store and not yet in the serving tables; dnsrepl.problem shows them. Written by src/store/parked.c and dnsrepl.queue_units()';
COMMENT ON COLUMN dnsrepl.parked.key IS 'of the unit; empty: all units of the zone';
COMMENT ON COLUMN dnsrepl.parked.state IS 'waiting: for a local transaction, the zone with all that comes for it. queued: to be looked at anew. refused: by a constraint or a trigger of the table';
COMMENT ON COLUMN dnsrepl.parked.together IS 'waiting: zones with the same number are projected as one, as a transaction was in both';
COMMENT ON COLUMN dnsrepl.parked.tried IS 'when it was parked, or refused, last';
COMMENT ON COLUMN dnsrepl.parked.after IS 'queued, a zone as a whole: how far it has been looked at';

CREATE TABLE dnsrepl.deferred (
  no      int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  node    uuid NOT NULL,
  peer    text NOT NULL,
  mine    bytea NOT NULL,
  zones   @extschema@.dnsname[] NOT NULL,
  tabs    int2[] NOT NULL,
  payload bytea NOT NULL,
  since   timestamptz NOT NULL DEFAULT now(),
  error   text,
  tried   timestamptz
);
COMMENT ON TABLE dnsrepl.deferred IS 'what has come for zones that another transaction had locked: deltas of these zones, held and handed on, and merged when their locks are free; dnsrepl.problem shows them';
COMMENT ON COLUMN dnsrepl.deferred.mine IS 'the vector of what this node held when it came: by that it is merged';
COMMENT ON COLUMN dnsrepl.deferred.error IS 'why it could not be merged when that was tried last; null: it is the lock';
COMMENT ON COLUMN dnsrepl.deferred.zones IS 'which; null: the table without zones that stands in tabs';

CREATE FUNCTION dnsrepl.zone_holder(zone @extschema@.dnsname, tab int2) RETURNS text
  LANGUAGE C AS 'MODULE_PATHNAME', 'dnsrepl_zone_holder' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.zone_holder(@extschema@.dnsname, int2) IS 'the process, or the prepared transaction, that has locked a zone, or makes it; null: none, or not known';

CREATE FUNCTION dnsrepl.queue_units(zones int[], keys bytea[], reason text) RETURNS void
  LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO dnsrepl.parked AS p (zone, key, state, tries, error)
    SELECT u.zone, u.key, 'queued', 0, reason FROM unnest(zones, keys) u (zone, key)
    ON CONFLICT (zone, key) DO UPDATE SET tries = p.tries + 1, after = NULL,
       state = CASE p.state WHEN 'waiting' THEN 'waiting' ELSE 'queued' END, error = CASE p.state WHEN 'waiting' THEN p.error ELSE excluded.error END
$$;
COMMENT ON FUNCTION dnsrepl.queue_units(int[], bytea[], text) IS 'has units (an empty key: a zone) projected anew by the manager; who calls it wakes that by dnsrepl.policy_changed()';

CREATE TABLE dnsrepl.shown (
  zone   int4 NOT NULL,
  key    bytea NOT NULL,
  origin int4 NOT NULL,
  stamp  int8 NOT NULL,
  image  bytea NOT NULL,
  PRIMARY KEY (zone, key, origin, stamp)
);
ALTER TABLE dnsrepl.shown ALTER key SET STORAGE PLAIN;
COMMENT ON TABLE dnsrepl.shown IS 'versions that authors here may have before their eyes, though versions that wait have replaced them in the store; of this node alone';

CREATE TABLE dnsrepl.transaction_zones (
  origin int4 NOT NULL,
  stamp  int8 NOT NULL,
  zones  int4[] NOT NULL
);
CREATE INDEX transaction_zones_dot ON dnsrepl.transaction_zones (origin, stamp);
COMMENT ON TABLE dnsrepl.transaction_zones IS 'the zones of each transaction that changed more than one, until all members hold it: they are shown together. The newest; see src/store/transaction_zones.h';

CREATE TABLE dnsrepl.check_problem (
  zone    int4 NOT NULL,
  peer    text NOT NULL,
  units   bigint NOT NULL,
  problem text NOT NULL,
  since   timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (zone, peer)
);
COMMENT ON TABLE dnsrepl.check_problem IS 'zones in which the node has found something that is not as it should be; dnsrepl.problem shows them';

CREATE TABLE dnsrepl.conflict_open (
  zone  int4 NOT NULL,
  key   bytea NOT NULL,
  since timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (zone, key)
);
COMMENT ON TABLE dnsrepl.conflict_open IS 'units in conflict; dnsrepl.conflict shows them';

CREATE TABLE dnsrepl.conflict_log (
  no       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  zone     int4 NOT NULL,
  key      bytea NOT NULL,
  rule     text NOT NULL,
  siblings jsonb NOT NULL,
  since    timestamptz NOT NULL,
  settled  timestamptz NOT NULL DEFAULT now(),
  node     text,
  author   text
);
CREATE INDEX conflict_log_settled ON dnsrepl.conflict_log (settled);
COMMENT ON TABLE dnsrepl.conflict_log IS 'conflicts that are settled, as they were; dnsrepl.conflict_history shows them';

CREATE TABLE dnsrepl.staging (
  node    uuid NOT NULL,
  session int8 NOT NULL,
  delta   int8 NOT NULL,
  seq     int4 NOT NULL,
  payload bytea NOT NULL,
  at      timestamptz NOT NULL,
  PRIMARY KEY (node, session, delta, seq)
);
ALTER TABLE dnsrepl.staging ALTER payload SET STORAGE EXTERNAL;
COMMENT ON TABLE dnsrepl.staging IS 'chunks of large deltas that have not come whole yet, or must not be merged yet';
COMMENT ON COLUMN dnsrepl.staging.session IS 'the session that they came in, whose alone they are; 0: a delta that is kept, see dnsrepl.stranger';

CREATE TABLE dnsrepl.stranger (
  node   uuid PRIMARY KEY,
  name   text NOT NULL,
  delta  int8 NOT NULL,
  chunks int4 NOT NULL,
  at     timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE dnsrepl.stranger IS 'nodes of other clusters that sent what they hold, kept in dnsrepl.staging until somebody has said who joins whom; dnsrepl.join_preview() shows what would change';

COMMENT ON SEQUENCE dnsrepl.origin_no IS 'numbers for dnsrepl.origin';
COMMENT ON SEQUENCE dnsrepl.zone_no IS 'numbers for dnsrepl.zone';
