-- Links: whom this node sends what it holds (src/ship).

CREATE TABLE dnsrepl.peer (
	name		text PRIMARY KEY CHECK (octet_length(name) BETWEEN 1 AND 63),
	conninfo	text NOT NULL,
	paused		boolean NOT NULL DEFAULT false,
	added		timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE dnsrepl.peer IS 'the databases that this node sends its changes to; use dnsrepl.add_peer() and the like';
COMMENT ON COLUMN dnsrepl.peer.name IS 'what the link is called here';
COMMENT ON COLUMN dnsrepl.peer.conninfo IS 'libpq connection string; secrets are better kept in a passfile, certificate or keytab';
COMMENT ON COLUMN dnsrepl.peer.paused IS 'true: no connection until dnsrepl.resume()';
COMMENT ON COLUMN dnsrepl.peer.added IS 'since when this is a peer';
SELECT pg_catalog.pg_extension_config_dump('dnsrepl.peer', '');

CREATE FUNCTION dnsrepl.peer_changed() RETURNS trigger
	LANGUAGE C AS 'MODULE_PATHNAME', 'peer_changed'
	SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.peer_changed() IS 'trigger on dnsrepl.peer: tells the manager of links at commit';

CREATE TRIGGER dnsrepl_peer_changed
	AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON dnsrepl.peer
	FOR EACH STATEMENT EXECUTE FUNCTION dnsrepl.peer_changed();
ALTER TABLE dnsrepl.peer ENABLE ALWAYS TRIGGER dnsrepl_peer_changed;

CREATE TRIGGER dnsrepl_peer_changed
	AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON dnsrepl.server
	FOR EACH STATEMENT EXECUTE FUNCTION dnsrepl.peer_changed();
ALTER TABLE dnsrepl.server ENABLE ALWAYS TRIGGER dnsrepl_peer_changed;

CREATE FUNCTION dnsrepl.add_peer(name text, conninfo text, on_join text DEFAULT NULL) RETURNS void
	LANGUAGE C AS 'MODULE_PATHNAME', 'peer_add'
	SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.add_peer(text, text, text) IS 'send this node''s changes to another database; for a name that exists: at another place. on_join: see dnsrepl.join()';

CREATE FUNCTION dnsrepl.drop_peer(name text) RETURNS void
	LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'peer_drop'
	SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.drop_peer(text) IS 'no longer send this node''s changes there';

CREATE FUNCTION dnsrepl.pause(link text) RETURNS void
	LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'peer_pause'
	SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.pause(text) IS 'close a link until dnsrepl.resume(); nothing is lost';

CREATE FUNCTION dnsrepl.resume(link text) RETURNS void
	LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'peer_resume'
	SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.resume(text) IS 'open a paused link again';

CREATE FUNCTION dnsrepl.link_status(name text, paused boolean,
	OUT state text, OUT behind_units bigint, OUT behind_since timestamptz,
	OUT last_contact timestamptz, OUT last_error text, OUT clock_skew interval) RETURNS record
	LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'link_status'
	SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.link_status(text, boolean) IS 'one link''s row of dnsrepl.status';

CREATE VIEW dnsrepl.status AS
	SELECT p.name, 'peer'::text AS kind, l.state, l.behind_units, l.behind_since, l.last_contact, l.last_error,
		l.clock_skew
	FROM dnsrepl.peer p CROSS JOIN LATERAL dnsrepl.link_status(p.name, p.paused) l
	UNION ALL
	SELECT s.name, 'server'::text, l.state, l.behind_units, l.behind_since, l.last_contact, l.last_error, NULL
	FROM dnsrepl.server s CROSS JOIN LATERAL dnsrepl.link_status(s.name, s.paused) l
	ORDER BY 2, 1;
COMMENT ON VIEW dnsrepl.status IS 'the links of this node, a row for each';
COMMENT ON COLUMN dnsrepl.status.name IS 'what the link is called here';
COMMENT ON COLUMN dnsrepl.status.kind IS 'peer: another dnsrepl database; server: a DNS server';
COMMENT ON COLUMN dnsrepl.status.state IS 'connecting, catching up, streaming, paused, or down';
COMMENT ON COLUMN dnsrepl.status.behind_units IS 'how many units this node holds that the other side lacks, as far as is known here; counted up to 1000000';
COMMENT ON COLUMN dnsrepl.status.behind_since IS 'when the oldest of them was written';
COMMENT ON COLUMN dnsrepl.status.last_contact IS 'when the other side was heard of last, since this server started';
COMMENT ON COLUMN dnsrepl.status.last_error IS 'why the link is down, or what went wrong last';
COMMENT ON COLUMN dnsrepl.status.clock_skew IS 'how far the other side''s clock is ahead of this node''s; null: not known';

CREATE FUNCTION dnsrepl.wait_for_peers(timeout interval DEFAULT '10s') RETURNS boolean
	LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'wait_for_peers'
	SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.wait_for_peers(interval) IS 'true when every link that is not paused holds all that has been committed here; false if that takes longer than the timeout';
