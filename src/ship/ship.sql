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
	OUT last_contact timestamptz, OUT last_error text, OUT clock_skew interval, OUT waiting_since timestamptz) RETURNS record
	LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'link_status'
	SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.link_status(text, boolean) IS 'one link''s row of dnsrepl.status';

CREATE VIEW dnsrepl.status AS
	SELECT p.name, 'peer'::text AS kind, l.state, l.behind_units, l.behind_since, l.last_contact, l.last_error,
		l.clock_skew, l.waiting_since, NULL::bigint AS extras
	FROM dnsrepl.peer p CROSS JOIN LATERAL dnsrepl.link_status(p.name, p.paused) l
	UNION ALL
	SELECT s.name, 'server'::text, l.state, l.behind_units, l.behind_since, l.last_contact, CASE WHEN s.paused THEN l.last_error ELSE coalesce(l.last_error, w.waits) END, NULL, NULL,
		(SELECT count(*) FROM dnsrepl.server_extra e WHERE e.server = s.name)
	FROM dnsrepl.server s CROSS JOIN LATERAL dnsrepl.link_status(s.name, s.paused) l
	LEFT JOIN LATERAL (
		SELECT CASE WHEN count(*) FILTER (WHERE v.name IS NULL) = 0 THEN 'some of it was refused: see dnsrepl.problem'
			ELSE (array_agg(format('zone %s waits since %s: %s', v.zone, date_trunc('second', v.since), v.problem) ORDER BY v.name IS NOT NULL, v.since))[1]
				|| CASE WHEN count(*) > 1 THEN format(' (and %s more: see dnsrepl.problem)', count(*) - 1) ELSE '' END END AS waits
		FROM dnsrepl.server_work v WHERE v.server = s.name AND v.problem IS NOT NULL HAVING count(*) > 0) w ON true
	ORDER BY 2, 1;
COMMENT ON VIEW dnsrepl.status IS 'the links of this node, a row for each';
COMMENT ON COLUMN dnsrepl.status.name IS 'what the link is called here';
COMMENT ON COLUMN dnsrepl.status.kind IS 'peer: another dnsrepl database; server: a DNS server';
COMMENT ON COLUMN dnsrepl.status.state IS 'connecting, catching up, streaming, paused, or down';
COMMENT ON COLUMN dnsrepl.status.behind_units IS 'how many units this node holds that the other side lacks, as far as is known here; counted up to 1000000';
COMMENT ON COLUMN dnsrepl.status.behind_since IS 'when the oldest of them was written';
COMMENT ON COLUMN dnsrepl.status.last_contact IS 'when the other side was heard of last, since this server started';
COMMENT ON COLUMN dnsrepl.status.last_error IS 'why the link is down, or what went wrong last; of a DNS server also which zone waits, since when and why';
COMMENT ON COLUMN dnsrepl.status.waiting_since IS 'since when the peer has been at work on what it was sent last: a large merge takes its time; null: it is not';
COMMENT ON COLUMN dnsrepl.status.clock_skew IS 'how far the other side''s clock is ahead of this node''s; null: not known';
COMMENT ON COLUMN dnsrepl.status.extras IS 'of a DNS server: how many RRsets it had, when it was compared last, that this database never had: dnsrepl.server_extra';

CREATE FUNCTION dnsrepl.wait_for_peers(timeout interval DEFAULT '10s') RETURNS boolean
	LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'wait_for_peers'
	SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.wait_for_peers(interval) IS 'true when every link that is not paused holds all that has been committed here; false if that takes longer than the timeout';

-- What a dump has of the links. pg_dump reads this table, and what links_to_dump() adds for those who may read the links
-- themselves; so the owner of a database who may not can dump it all the same, without connection strings and keys.
-- A function, since pg_dump does not trust views. The table has rows where a dump was restored, until dnsrepl.setup().
CREATE TABLE dnsrepl.dumped_link (
	kind	text NOT NULL,
	link	jsonb NOT NULL
);
COMMENT ON TABLE dnsrepl.dumped_link IS 'links that came with a dump; dnsrepl.setup() makes paused links of them';
COMMENT ON COLUMN dnsrepl.dumped_link.kind IS 'peer, server or server_unmanaged: the table';
COMMENT ON COLUMN dnsrepl.dumped_link.link IS 'its row';

CREATE FUNCTION dnsrepl.links_to_dump() RETURNS TABLE (kind text, link jsonb)
	LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF has_table_privilege('dnsrepl.peer', 'SELECT') THEN
		RETURN QUERY SELECT 'peer', to_jsonb(p) FROM dnsrepl.peer p;
	END IF;
	IF has_table_privilege('dnsrepl.server', 'SELECT') AND has_table_privilege('dnsrepl.server_unmanaged', 'SELECT') THEN
		RETURN QUERY SELECT 'server', to_jsonb(s) FROM dnsrepl.server s
			UNION ALL SELECT 'server_unmanaged', to_jsonb(u) FROM dnsrepl.server_unmanaged u;
	END IF;
END $$;
COMMENT ON FUNCTION dnsrepl.links_to_dump() IS 'for pg_dump: the links, if the caller may read them';
SELECT pg_catalog.pg_extension_config_dump('dnsrepl.dumped_link', 'UNION ALL SELECT kind, link FROM dnsrepl.links_to_dump()');

CREATE FUNCTION dnsrepl.links_from_dump() RETURNS void
	LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
	INSERT INTO dnsrepl.peer SELECT r.* FROM dnsrepl.dumped_link d, jsonb_populate_record(NULL::dnsrepl.peer, d.link) r
		WHERE d.kind = 'peer' ON CONFLICT DO NOTHING;
	INSERT INTO dnsrepl.server SELECT r.* FROM dnsrepl.dumped_link d, jsonb_populate_record(NULL::dnsrepl.server, d.link) r
		WHERE d.kind = 'server' ON CONFLICT DO NOTHING;
	INSERT INTO dnsrepl.server_unmanaged SELECT r.* FROM dnsrepl.dumped_link d, jsonb_populate_record(NULL::dnsrepl.server_unmanaged, d.link) r
		WHERE d.kind = 'server_unmanaged' ON CONFLICT DO NOTHING;
	DELETE FROM dnsrepl.dumped_link;
	UPDATE dnsrepl.peer SET paused = true;
	UPDATE dnsrepl.server SET paused = true;
$$;
COMMENT ON FUNCTION dnsrepl.links_from_dump() IS 'for setup(): the links that came with a dump, paused';
