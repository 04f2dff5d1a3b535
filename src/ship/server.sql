-- DNS servers: whom this node tells by UPDATE (RFC 2136) what it serves.

CREATE TABLE dnsrepl.server (
	name		text PRIMARY KEY CHECK (octet_length(name) BETWEEN 1 AND 63),
	address		text NOT NULL,
	zones		text[] NOT NULL CHECK (array_position(zones, NULL) IS NULL),
	tsig_key	text,
	serial		text NOT NULL CHECK (serial IN ('server', 'ours')),
	paused		boolean NOT NULL DEFAULT false,
	resyncs		int NOT NULL DEFAULT 0,
	orders		int NOT NULL DEFAULT 0,
	added		timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE dnsrepl.server IS 'the DNS servers that this node tells of changes; use dnsrepl.add_server() and the like';
COMMENT ON COLUMN dnsrepl.server.name IS 'what the link is called here';
COMMENT ON COLUMN dnsrepl.server.address IS 'address and port';
COMMENT ON COLUMN dnsrepl.server.zones IS 'patterns: example.org, *.example.org (all below it), * (all); with ! before it what is left out';
COMMENT ON COLUMN dnsrepl.server.tsig_key IS 'the name of a row of tsigkeys, or algorithm:name:secret; null: messages are not signed';
COMMENT ON COLUMN dnsrepl.server.serial IS 'server: it counts by itself; ours: it takes the zone''s serial, if that is ahead';
COMMENT ON COLUMN dnsrepl.server.paused IS 'true: nothing is told until dnsrepl.resume()';
COMMENT ON COLUMN dnsrepl.server.resyncs IS 'how often dnsrepl.resync() was called';
COMMENT ON COLUMN dnsrepl.server.orders IS 'how often dnsrepl.remove_extra() was called';
COMMENT ON COLUMN dnsrepl.server.added IS 'since when it is told';

CREATE TABLE dnsrepl.server_unmanaged (
	server		text NOT NULL REFERENCES dnsrepl.server ON UPDATE CASCADE ON DELETE CASCADE,
	pattern		text NOT NULL,
	types		text[] CHECK (array_position(types, NULL) IS NULL),
	PRIMARY KEY (server, pattern)
);
COMMENT ON TABLE dnsrepl.server_unmanaged IS 'what of a zone at a server is not this database''s; use dnsrepl.unmanaged()';
COMMENT ON COLUMN dnsrepl.server_unmanaged.types IS 'null: all';

-- Of the worker alone.
CREATE TABLE dnsrepl.server_state (
	server		text PRIMARY KEY REFERENCES dnsrepl.server ON UPDATE CASCADE ON DELETE CASCADE,
	vector		bytea NOT NULL,
	life		uuid NOT NULL,
	resyncs		int NOT NULL,
	written		timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
COMMENT ON TABLE dnsrepl.server_state IS 'what each DNS server has been told, and said NOERROR to';
COMMENT ON COLUMN dnsrepl.server_state.vector IS 'of what it is told: as for nodes';
COMMENT ON COLUMN dnsrepl.server_state.life IS 'by which life of this node: another one compares once what the server has';
COMMENT ON COLUMN dnsrepl.server_state.resyncs IS 'as dnsrepl.server had it';
COMMENT ON COLUMN dnsrepl.server_state.written IS 'when the vector was written: deletions that it lacks are kept in the store until this node has been up for dnsrepl.evict_after since';

-- Backing off is by row: what a server does not take waits by itself, everything else goes on.
CREATE TABLE dnsrepl.server_work (
	server		text NOT NULL REFERENCES dnsrepl.server ON UPDATE CASCADE ON DELETE CASCADE,
	zone		@extschema@.dnsname NOT NULL,
	name		@extschema@.dnsname,
	type		int NOT NULL DEFAULT 0,
	extra		boolean NOT NULL DEFAULT false,
	problem		text,
	since		timestamptz NOT NULL DEFAULT now(),
	tries		int NOT NULL DEFAULT 0,
	tried		timestamptz,
	due			timestamptz
);
CREATE INDEX server_work_server ON dnsrepl.server_work (server, zone);
CREATE INDEX server_work_due ON dnsrepl.server_work (server, due NULLS FIRST, tries, since);
COMMENT ON TABLE dnsrepl.server_work IS 'what a DNS server has yet to be told besides what it has not been told at all';
COMMENT ON COLUMN dnsrepl.server_work.name IS 'null: all of the zone is compared';
COMMENT ON COLUMN dnsrepl.server_work.type IS 'the number of a type; 0: all of the name';
COMMENT ON COLUMN dnsrepl.server_work.extra IS 'this RRset, which this database never had, is to be removed';
COMMENT ON COLUMN dnsrepl.server_work.problem IS 'why the server did not take it the last time; null: it has not been tried';
COMMENT ON COLUMN dnsrepl.server_work.since IS 'since when it is there, or since when it is a problem';
COMMENT ON COLUMN dnsrepl.server_work.tries IS 'how often it has failed';
COMMENT ON COLUMN dnsrepl.server_work.tried IS 'when it failed last';
COMMENT ON COLUMN dnsrepl.server_work.due IS 'when it is tried again; null: at once, and the link is not up to date before';

-- What is found of others at a server. Written by the worker alone.
CREATE TABLE dnsrepl.server_extra (
	server		text NOT NULL REFERENCES dnsrepl.server ON UPDATE CASCADE ON DELETE CASCADE,
	zone		@extschema@.dnsname NOT NULL,
	name		@extschema@.dnsname NOT NULL,
	type		@extschema@.rrtype NOT NULL,
	since		timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (server, zone, name, type)
);
COMMENT ON TABLE dnsrepl.server_extra IS 'RRsets that a DNS server had when it was compared last, and this database never had as far as it knows: they stay there; dnsrepl.remove_extra() removes one, dnsrepl.unmanaged() says that it is somebody else''s. Of a zone 1000 at the most';
COMMENT ON COLUMN dnsrepl.server_extra.since IS 'when it was found first';

CREATE FUNCTION dnsrepl.server_check(address text, zones text[], tsig_key text) RETURNS void
	LANGUAGE C AS 'MODULE_PATHNAME', 'dnsrepl_server_check' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.server_check(text, text[], text) IS 'for add_server(): an error if one of them cannot be used';

CREATE FUNCTION dnsrepl.server_key(tsig_key text) RETURNS text
	LANGUAGE plpgsql STRICT STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	key text;
BEGIN
	IF tsig_key LIKE '%:%' THEN
		RETURN tsig_key;
	END IF;
	SELECT concat_ws(':', k.algorithm, k.name, k.secret) INTO key
	  FROM dnsrepl.rows_of((SELECT t.rel FROM dnsrepl.tab t WHERE t.name = 'tsigkeys'), '{name,algorithm,secret}')
	         k (name @extschema@.dnsname, algorithm text, secret text)
	 WHERE k.name OPERATOR(@extschema@.=) tsig_key::@extschema@.dnsname ORDER BY k.algorithm DESC LIMIT 1;
	IF key IS NULL THEN
		RAISE EXCEPTION 'there is no TSIG key "%"', tsig_key USING ERRCODE = 'undefined_object',
			HINT = 'Name a row of tsigkeys, or give algorithm:name:secret as for nsupdate -y.';
	END IF;
	RETURN key;
END $$;
COMMENT ON FUNCTION dnsrepl.server_key(text) IS 'a TSIG key as algorithm:name:secret';

CREATE FUNCTION dnsrepl.add_server(name text, address text, zones text[] DEFAULT '{*}', tsig_key text DEFAULT NULL, serial text DEFAULT 'server',
	paused boolean DEFAULT NULL) RETURNS void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF name IS NULL OR address IS NULL OR zones IS NULL OR serial IS NULL THEN
		RAISE EXCEPTION 'a server needs a name, an address, zones and a choice of serial' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF serial NOT IN ('server', 'ours') THEN
		RAISE EXCEPTION 'serial is neither ''server'' nor ''ours''' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF EXISTS (SELECT FROM dnsrepl.peer p WHERE p.name = add_server.name) THEN
		RAISE EXCEPTION 'there is a peer of the name "%"', name USING ERRCODE = 'duplicate_object', HINT = 'Choose another name for the server.';
	END IF;
	PERFORM FROM dnsrepl.node;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'this database is not a node yet' USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'Run SELECT dnsrepl.setup(''name of this node'').';
	END IF;
	PERFORM dnsrepl.server_check(address, zones, dnsrepl.server_key(tsig_key));
	INSERT INTO dnsrepl.server AS s (name, address, zones, tsig_key, serial, paused)
		VALUES (add_server.name, add_server.address, add_server.zones, add_server.tsig_key, add_server.serial, coalesce(add_server.paused, false))
		ON CONFLICT ON CONSTRAINT server_pkey DO UPDATE SET address = excluded.address, zones = excluded.zones, tsig_key = excluded.tsig_key, serial = excluded.serial,
			paused = coalesce(add_server.paused, s.paused),
			resyncs = s.resyncs + CASE WHEN (s.address, s.zones) IS DISTINCT FROM (excluded.address, excluded.zones) THEN 1 ELSE 0 END;
END $$;
COMMENT ON FUNCTION dnsrepl.add_server(text, text, text[], text, text, boolean) IS 'tell a DNS server of every change by UPDATE; for a name that exists: at another place, or otherwise. First all of its zones are compared: what is ours is added and replaced, what the database never had stays. paused => true: not before dnsrepl.resume(); dnsrepl.server_preview() shows what it would be told';

CREATE FUNCTION dnsrepl.drop_server(name text) RETURNS void
	LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	DELETE FROM dnsrepl.server s WHERE s.name = drop_server.name;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'server "%" does not exist', name USING ERRCODE = 'undefined_object';
	END IF;
END $$;
COMMENT ON FUNCTION dnsrepl.drop_server(text) IS 'no longer tell a DNS server of changes; what it has it keeps';

CREATE FUNCTION dnsrepl.resync(server text) RETURNS void
	LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	UPDATE dnsrepl.server s SET resyncs = resyncs + 1 WHERE s.name = server;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'server "%" does not exist', server USING ERRCODE = 'undefined_object';
	END IF;
	PERFORM FROM dnsrepl.server s WHERE s.name = server AND s.paused;
	IF FOUND THEN
		RAISE NOTICE 'server "%" is paused', server USING HINT = 'It is compared when it is resumed: SELECT dnsrepl.resume(name).';
	END IF;
END $$;
COMMENT ON FUNCTION dnsrepl.resync(text) IS 'compare all zones at a DNS server with what is served here, and tell it what differs (what the database never had stays): by the link, which shows "catching up" meanwhile; dnsrepl.wait_for_peers() waits for it';

CREATE FUNCTION dnsrepl.unmanaged(server text, pattern text, types text[] DEFAULT NULL) RETURNS void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	one text;
BEGIN
	IF server IS NULL OR pattern IS NULL OR array_position(types, NULL) IS NOT NULL THEN
		RAISE EXCEPTION 'what is unmanaged needs a server, a pattern, and types that are not null' USING ERRCODE = 'null_value_not_allowed',
			HINT = 'No types at all: all of them.';
	END IF;
	PERFORM dnsrepl.server_check('127.0.0.1', ARRAY[pattern], NULL);
	FOREACH one IN ARRAY coalesce(types, '{}') LOOP
		PERFORM one::@extschema@.rrtype;
	END LOOP;
	UPDATE dnsrepl.server s SET resyncs = resyncs + 1 WHERE s.name = server;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'server "%" does not exist', server USING ERRCODE = 'undefined_object';
	END IF;
	INSERT INTO dnsrepl.server_unmanaged AS u VALUES (server, pattern, types) ON CONFLICT ON CONSTRAINT server_unmanaged_pkey DO UPDATE SET types = excluded.types;
END $$;
COMMENT ON FUNCTION dnsrepl.unmanaged(text, text, text[]) IS 'names (a pattern as for zones), of some types or of all, that are not this database''s at a DNS server: neither told nor compared';

CREATE FUNCTION dnsrepl.managed(server text, pattern text) RETURNS void
	LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	DELETE FROM dnsrepl.server_unmanaged u WHERE u.server = managed.server AND u.pattern = managed.pattern;
	IF NOT FOUND THEN
		RAISE EXCEPTION '"%" is not unmanaged at server "%"', pattern, server USING ERRCODE = 'undefined_object';
	END IF;
	UPDATE dnsrepl.server s SET resyncs = resyncs + 1 WHERE s.name = server;
END $$;
COMMENT ON FUNCTION dnsrepl.managed(text, text) IS 'undoes dnsrepl.unmanaged()';

CREATE FUNCTION dnsrepl.remove_extra(server text, zone @extschema@.dnsname, name @extschema@.dnsname, type @extschema@.rrtype) RETURNS void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF server IS NULL OR zone IS NULL OR name IS NULL OR type IS NULL THEN
		RAISE EXCEPTION 'an RRset is named by server, zone, name and type' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	PERFORM FROM dnsrepl.server_extra e WHERE e.server = remove_extra.server AND e.zone OPERATOR(@extschema@.=) remove_extra.zone
		AND e.name OPERATOR(@extschema@.=) remove_extra.name AND e.type OPERATOR(@extschema@.=) remove_extra.type;
	IF NOT FOUND THEN
		RAISE EXCEPTION '% % in zone % is not known to be at server "%" beside what is this database''s', name, type, zone, server USING ERRCODE = 'undefined_object',
			HINT = 'SELECT * FROM dnsrepl.server_extra shows what is; dnsrepl.resync(server) looks again.';
	END IF;
	PERFORM dnsrepl.server_ask(server, zone, name, type::int, true, true);
	UPDATE dnsrepl.server s SET orders = s.orders + 1 WHERE s.name = remove_extra.server;	-- wakes the link
END $$;
COMMENT ON FUNCTION dnsrepl.remove_extra(text, @extschema@.dnsname, @extschema@.dnsname, @extschema@.rrtype) IS 'has an RRset removed from a DNS server that the database never had: one of dnsrepl.server_extra';

-- For the worker.
CREATE FUNCTION dnsrepl.server_todo(server text, OUT zone @extschema@.dnsname, OUT zone_no int, OUT name @extschema@.dnsname, OUT type int, OUT extra boolean, OUT tries int, OUT due timestamptz)
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT w.zone, z.no, w.name, w.type, w.extra, w.tries, w.due
	  FROM dnsrepl.server_work w LEFT JOIN dnsrepl.zone z ON z.name OPERATOR(@extschema@.=) w.zone
	 WHERE w.server = $1 ORDER BY w.due NULLS FIRST, w.tries, w.since LIMIT 1
$$;
COMMENT ON FUNCTION dnsrepl.server_todo(text) IS 'for the worker: the row of dnsrepl.server_work that is the next to be done';

CREATE FUNCTION dnsrepl.server_waiting(server text) RETURNS int[]
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT array_agg(z.no ORDER BY z.no) FROM dnsrepl.zone z
	 WHERE z.name OPERATOR(@extschema@.=) ANY (SELECT w.zone FROM dnsrepl.server_work w WHERE w.server = $1 AND w.name IS NULL)
$$;
COMMENT ON FUNCTION dnsrepl.server_waiting(text) IS 'for the worker: the zones of which nothing is told, as they have yet to be compared; null: none';

CREATE FUNCTION dnsrepl.server_lacks(zone_no int) RETURNS boolean
	LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT EXISTS (SELECT FROM dnsrepl.server_work w JOIN dnsrepl.zone z ON z.name OPERATOR(@extschema@.=) w.zone
		WHERE z.no = zone_no AND (dnsrepl.up_for(w.since) < current_setting('dnsrepl.evict_after')::interval OR current_setting('dnsrepl.evict_after')::interval = '0'))
$$;
COMMENT ON FUNCTION dnsrepl.server_lacks(int) IS 'is there a DNS server that has yet to be told of something in a zone, so that its deletions are kept?';

CREATE FUNCTION dnsrepl.server_done(server text, zone @extschema@.dnsname, name @extschema@.dnsname, type int, extra boolean, OUT problem boolean)
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	WITH gone AS (
		DELETE FROM dnsrepl.server_work w
		 WHERE w.server = $1 AND w.zone OPERATOR(@extschema@.=) $2 AND w.extra = $5 AND ($3 IS NULL OR (w.name OPERATOR(@extschema@.=) $3 AND w.type = $4))
		RETURNING w.name, w.problem
	) SELECT count(*) > 0 INTO server_done.problem FROM gone g WHERE g.name IS NULL AND g.problem IS NOT NULL;
	IF $5 THEN
		DELETE FROM dnsrepl.server_extra e
		 WHERE e.server = $1 AND e.zone OPERATOR(@extschema@.=) $2 AND e.name OPERATOR(@extschema@.=) $3 AND e.type OPERATOR(@extschema@.=) $4::@extschema@.rrtype;
		-- what it was in the way of
		UPDATE dnsrepl.server_work w SET due = NULL WHERE w.server = $1 AND w.zone OPERATOR(@extschema@.=) $2 AND w.name OPERATOR(@extschema@.=) $3;
	END IF;
END $$;
COMMENT ON FUNCTION dnsrepl.server_done(text, @extschema@.dnsname, @extschema@.dnsname, int, boolean) IS 'for the worker: a zone, or an RRset, is what it should be; true: the zone was a problem';

CREATE FUNCTION dnsrepl.server_ask(server text, zone @extschema@.dnsname, name @extschema@.dnsname, type int, extra boolean, at_once boolean) RETURNS void
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	UPDATE dnsrepl.server_work w
	   SET due = CASE WHEN NOT at_once AND w.problem IS NOT NULL THEN least(w.due, greatest(now(), w.tried + interval '10 s')) END
	 WHERE w.server = $1 AND w.zone OPERATOR(@extschema@.=) $2 AND w.type = $4 AND w.extra = $5
	   AND (w.name OPERATOR(@extschema@.=) $3 OR (w.name IS NULL AND $3 IS NULL));
	IF NOT FOUND THEN
		INSERT INTO dnsrepl.server_work (server, zone, name, type, extra) VALUES ($1, $2, $3, $4, $5);
	END IF;
END $$;
COMMENT ON FUNCTION dnsrepl.server_ask(text, @extschema@.dnsname, @extschema@.dnsname, int, boolean, boolean) IS 'there is something left to do at a DNS server; what waits: ten seconds after the last attempt, or (at_once) at once';

CREATE FUNCTION dnsrepl.server_fails(server text, zone @extschema@.dnsname, name @extschema@.dnsname, type int, extra boolean, problem text, took int) RETURNS boolean
	LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	old dnsrepl.server_work;
BEGIN
	PERFORM dnsrepl.server_ask($1, $2, $3, $4, $5, false);
	SELECT w.* INTO old FROM dnsrepl.server_work w
	 WHERE w.server = $1 AND w.zone OPERATOR(@extschema@.=) $2 AND w.type = $4 AND w.extra = $5
	   AND (w.name OPERATOR(@extschema@.=) $3 OR (w.name IS NULL AND $3 IS NULL)) LIMIT 1;
	-- A second chance at once, when all else has been done: for what may have been the fault of the whole server, and for an RRset (a name
	-- server's address may have been told after the NS record that needs it).
	UPDATE dnsrepl.server_work w
	   SET problem = $6, tries = w.tries + 1, tried = now(), since = CASE WHEN w.problem IS NULL THEN now() ELSE w.since END,
	       due = CASE WHEN $6 IS NOT NULL AND (w.name IS NULL OR w.tries > 0) THEN now() + (0.5 + random() / 2) * least(interval '10 min', greatest(interval '1 s' * 2 ^ least(w.tries, 10), interval '4 ms' * took)) END
	 WHERE w.server = $1 AND w.zone OPERATOR(@extschema@.=) $2 AND w.type = $4 AND w.extra = $5
	   AND (w.name OPERATOR(@extschema@.=) $3 OR (w.name IS NULL AND $3 IS NULL));
	RETURN $6 IS NOT NULL AND old.problem IS DISTINCT FROM $6;
END $$;
COMMENT ON FUNCTION dnsrepl.server_fails(text, @extschema@.dnsname, @extschema@.dnsname, int, boolean, text, int)
	IS 'for the worker: something was not taken, for this reason, in so many ms: it is tried again after one second, two, four, at most ten minutes, each shortened at random by up to a half, and not before four times as long as that took; true: it is news';

CREATE FUNCTION dnsrepl.server_extras(server text, zone @extschema@.dnsname, names @extschema@.dnsname[], types int[]) RETURNS void
	LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
	DELETE FROM dnsrepl.server_extra e
	 WHERE e.server = $1 AND e.zone OPERATOR(@extschema@.=) $2
	   AND NOT EXISTS (SELECT FROM unnest($3, $4) u (name, type) WHERE u.name OPERATOR(@extschema@.=) e.name AND u.type::@extschema@.rrtype OPERATOR(@extschema@.=) e.type);
	INSERT INTO dnsrepl.server_extra (server, zone, name, type)
		SELECT $1, $2, u.name, u.type::@extschema@.rrtype FROM unnest($3, $4) u (name, type) ON CONFLICT DO NOTHING
$$;
COMMENT ON FUNCTION dnsrepl.server_extras(text, @extschema@.dnsname, @extschema@.dnsname[], int[]) IS 'for the worker: what a comparison has found in a zone that the database never had';

CREATE FUNCTION dnsrepl.verify(server text, OUT zone @extschema@.dnsname, OUT name @extschema@.dnsname, OUT type @extschema@.rrtype, OUT ours text[], OUT theirs text[],
	OUT extra boolean)
	RETURNS SETOF record LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dnsrepl_verify' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.verify(text) IS 'fetches all zones from a DNS server and gives the RRsets that differ from what is served here; what it has not been told yet is left out';

CREATE FUNCTION dnsrepl.server_preview(server text, OUT zone @extschema@.dnsname, OUT name @extschema@.dnsname, OUT type @extschema@.rrtype, OUT action text, OUT ours text[], OUT theirs text[])
	RETURNS SETOF record LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dnsrepl_server_preview' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.server_preview(text) IS 'all that a DNS server would be told now, without telling it: add, replace, remove; and what stays (keep), or cannot be told (cannot)';
