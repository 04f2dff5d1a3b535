-- Remote edits come in (src/merge): the functions that a peer's worker calls, as role dnsrepl_link.

CREATE FUNCTION dnsrepl.hello(encoding text, greeting bytea) RETURNS bytea
  LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dnsrepl_hello' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.hello(text, bytea)
  IS 'link protocol: who calls, and in return who answers and what it holds';

CREATE FUNCTION dnsrepl.merge(session bigint, payload bytea) RETURNS bytea
  LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dnsrepl_merge' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.merge(bigint, bytea) IS 'link protocol: a delta of one chunk';

CREATE FUNCTION dnsrepl.merge(session bigint, payload bytea, delta bigint, seq int) RETURNS bytea
  LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dnsrepl_merge_chunk' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.merge(bigint, bytea, bigint, int) IS 'link protocol: one chunk of a delta, kept until merge_done()';

CREATE FUNCTION dnsrepl.merge_done(session bigint, delta bigint, chunks int) RETURNS bytea
  LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dnsrepl_merge_done' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.merge_done(bigint, bigint, int) IS 'link protocol: all chunks have come, merge them in one transaction';

CREATE FUNCTION dnsrepl.flush(session bigint) RETURNS void
  LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dnsrepl_flush' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.flush(bigint) IS 'link protocol: what this session has merged is on disk now';

CREATE FUNCTION dnsrepl.project_parked() RETURNS bigint
  LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dnsrepl_project_parked' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.project_parked() IS 'tries again what could not be projected; returns how many units are still parked';

CREATE FUNCTION dnsrepl.compare(session bigint, holds bytea, total bigint, zones bytea) RETURNS bytea
  LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dnsrepl_compare' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.compare(bigint, bytea, bigint, bytea) IS 'link protocol: does a node that holds the same serve the same?';

-- Another cluster (join.c).
CREATE FUNCTION dnsrepl.wake_links() RETURNS void
  LANGUAGE C AS 'MODULE_PATHNAME', 'dnsrepl_wake_links' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.wake_links() IS 'has the links look again when this transaction has been committed';

CREATE FUNCTION dnsrepl."join"(on_join text) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF on_join NOT IN ('cluster', 'mine', 'conflict') THEN
    RAISE EXCEPTION 'invalid way to join: %', quote_literal(on_join) USING ERRCODE = 'invalid_parameter_value',
      HINT = '''cluster'': where both have something, the cluster''s counts. ''mine'': this node''s. ''conflict'': both are kept. NULL: this node stays as it is.';
  END IF;
  UPDATE dnsrepl.node SET joining = on_join;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'this database is not a node yet' USING ERRCODE = 'object_not_in_prerequisite_state',
      HINT = 'Run SELECT dnsrepl.setup(''name of this node'').';
  END IF;
  PERFORM dnsrepl.wake_links();
END $$;
COMMENT ON FUNCTION dnsrepl."join"(text) IS 'this node joins the cluster of its peers though it has data of its own: whose count where both have some';

CREATE FUNCTION dnsrepl.join_differences(OUT zone @extschema@.dnsname, OUT key bytea, OUT here jsonb, OUT there jsonb) RETURNS SETOF record
  LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dnsrepl_join_differences' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.join_differences() IS 'for join_preview(): units of which this node and a cluster that it may join serve different things';

-- Looks after itself (self_check.c, collect.c, mend.c).
CREATE FUNCTION dnsrepl.check_zones(after int, most bigint, stable bytea, OUT next int, OUT units bigint, OUT damaged int, OUT missed boolean) RETURNS record
  LANGUAGE C AS 'MODULE_PATHNAME', 'dnsrepl_check_zones' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.check_zones(int, bigint, bytea) IS 'some zones: are tables, store and sums of one mind; collects deletions that are stable';

CREATE FUNCTION dnsrepl.check_zone_now(zone_no int) RETURNS boolean
  LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dnsrepl_check_zone_now' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.check_zone_now(int) IS 'looks at one zone; true if it was not what it should be by itself';

CREATE FUNCTION dnsrepl.differs_from(peer text, zones int[]) RETURNS void
  LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  DELETE FROM dnsrepl.check_problem c WHERE c.peer = differs_from.peer AND c.zone <> ALL (zones);
  INSERT INTO dnsrepl.check_problem (zone, peer, units, problem)
    SELECT z, differs_from.peer, 0, format('node "%s" serves something else, though it holds the same', differs_from.peer) FROM unnest(zones) z
    ON CONFLICT DO NOTHING;
  UPDATE dnsrepl.policy p SET doubted = true
   WHERE NOT p.doubted AND p.resolver IN (SELECT c.rule FROM dnsrepl.conflict c JOIN dnsrepl.zone z ON z.name OPERATOR(@extschema@.=) c.zone
                                           WHERE z.no = ANY (zones) AND c.rule LIKE '%.%');
$$;
COMMENT ON FUNCTION dnsrepl.differs_from(text, int[]) IS 'these zones are served differently by a peer that holds the same, and could not be united: functions that chose there are doubted';

CREATE FUNCTION dnsrepl.stable() RETURNS bytea
  LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dnsrepl_stable' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.stable() IS 'what every member has held for longer than dnsrepl.tombstone_retention, as a vector; null: not known';

CREATE FUNCTION dnsrepl.holdings() RETURNS bytea
  LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dnsrepl_holdings' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.holdings() IS 'what this node holds, as a vector';

CREATE FUNCTION dnsrepl.damage(zone_no int) RETURNS boolean
  LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dnsrepl_damage' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.damage(int) IS 'the store of a zone is not what it was: the node claims nothing and takes the state of a peer; false if the zone is locked, and it has to be tried again';

CREATE FUNCTION dnsrepl.end_damage() RETURNS boolean
  LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dnsrepl_end_damage' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.end_damage() IS 'a damaged store for which no other member is left to ask is taken for what it is; true if it was';

CREATE FUNCTION dnsrepl.renew_sums(zone_no int) RETURNS void
  LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dnsrepl_renew_sums' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.renew_sums(int) IS 'for check_store(): counts a zone anew';

CREATE FUNCTION dnsrepl.counts() RETURNS bigint[]
  LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dnsrepl_counts' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.counts() IS 'for dnsrepl.self_check';

CREATE FUNCTION dnsrepl.unchecked_since() RETURNS timestamptz
  LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dnsrepl_unchecked_since' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.unchecked_since() IS 'since when no process checks this node, for want of a worker slot; null: one does';

-- A zone that came behind the triggers' back has no row of the extension's, by which all zones are looked at.
CREATE FUNCTION dnsrepl.zones_enter() RETURNS void
  LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO dnsrepl.zone (name)
    SELECT d.name FROM dnsrepl.tab t, dnsrepl.rows_of(t.rel, '{name}') d (name @extschema@.dnsname)
     WHERE t.no = 1 AND NOT EXISTS (SELECT FROM dnsrepl.zone z WHERE z.name OPERATOR(@extschema@.=) d.name)
    ON CONFLICT DO NOTHING
$$;
COMMENT ON FUNCTION dnsrepl.zones_enter() IS 'enters zones that are in domains and not known to the extension';

CREATE FUNCTION dnsrepl.forget_transaction_zones() RETURNS void
  LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dnsrepl_forget_transaction_zones' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.forget_transaction_zones() IS 'which zones a transaction changed is forgotten when all members hold it, and of the oldest beyond 100,000 zones';

CREATE FUNCTION dnsrepl.keep_books(up_since timestamptz DEFAULT now()) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  retention interval := current_setting('dnsrepl.tombstone_retention')::interval;
  patience interval := current_setting('dnsrepl.evict_after')::interval;
  gone record;
BEGIN
  PERFORM dnsrepl.zones_enter();
  DELETE FROM dnsrepl.uptime WHERE until > now();	-- the clock was ahead
  INSERT INTO dnsrepl.uptime VALUES (least(up_since, now()), now()) ON CONFLICT (since) DO UPDATE SET until = excluded.until;
  -- not more than is asked for; a node that forgets some evicts later
  DELETE FROM dnsrepl.uptime u USING
    (SELECT since, row_number() OVER (ORDER BY since DESC) AS n,
            sum(until - since) OVER (ORDER BY since DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS later FROM dnsrepl.uptime) o
   WHERE u.since = o.since AND (o.n > 1000 OR o.later > greatest(patience, interval '1 day'));
  DELETE FROM dnsrepl.peer_vector p WHERE NOT EXISTS (SELECT FROM dnsrepl.roll r WHERE r.node = p.node);
  -- a session that has been silent for so long has ended; a stranger tells it all again with each session
  DELETE FROM dnsrepl.stranger WHERE at < now() - interval '7 days';
  DELETE FROM dnsrepl.staging s USING (SELECT node FROM dnsrepl.staging GROUP BY node HAVING max(at) < now() - interval '1 hour') old
   WHERE s.node = old.node AND NOT EXISTS (SELECT FROM dnsrepl.stranger t WHERE t.node = s.node);
  PERFORM dnsrepl.forget_transaction_zones();
  PERFORM dnsrepl.resolvers_look();	-- event triggers may have been off
  DELETE FROM dnsrepl.vector_log WHERE at > now();	-- the clock was ahead
  INSERT INTO dnsrepl.vector_log SELECT now(), dnsrepl.holdings()
   WHERE NOT EXISTS (SELECT FROM dnsrepl.vector_log l WHERE l.at > now() - greatest(retention / 30, interval '1 second'));
  DELETE FROM dnsrepl.vector_log WHERE at < (SELECT max(l.at) FROM dnsrepl.vector_log l WHERE l.at <= now() - retention);
  -- a member of which nothing was ever heard, here or by a peer that told of it, may be none at all
  FOR gone IN UPDATE dnsrepl.roll r SET evicted = true
               WHERE NOT r.evicted AND r.node <> (SELECT n.id FROM dnsrepl.node n)
                 AND CASE WHEN EXISTS (SELECT FROM dnsrepl.peer_vector p WHERE p.node = r.node)
                          THEN patience > interval '0' AND dnsrepl.up_for((SELECT p.contact FROM dnsrepl.peer_vector p WHERE p.node = r.node)) > patience
                          ELSE dnsrepl.up_for(r.since) > CASE WHEN patience > interval '0' THEN least(patience, interval '1 day') ELSE interval '1 day' END END
              RETURNING r.name LOOP
    RAISE LOG 'dnsrepl: member "%" has not been heard of for too long: evicted', gone.name;
  END LOOP;
END $$;
COMMENT ON FUNCTION dnsrepl.keep_books(timestamptz) IS 'notes what is held, for the age of deletions, and since when this node is up; evicts members that have been away for too long';

-- Who this is (identity.c).
CREATE FUNCTION dnsrepl.become_other() RETURNS void
  LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dnsrepl_become_other' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.become_other() IS 'this database is a copy of a node that is alive: it becomes a node of its own';

-- Somebody claims what this node has not written (new_life.c).
CREATE FUNCTION dnsrepl.settle_dispute() RETURNS boolean
  LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dnsrepl_settle_dispute' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.settle_dispute() IS 'begins a new life if somebody claims writes of the present one that it has not made, and writes its last ones anew; true: there is more to do';

CREATE FUNCTION dnsrepl.disputed(OUT at timestamptz, OUT peer text, OUT times bigint) RETURNS record
  LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dnsrepl_disputed' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.disputed() IS 'for dnsrepl.problem: when a peer showed writes of this node that it had not made';

CREATE FUNCTION dnsrepl.rename_node(name text) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF name IS NULL OR name = '' OR octet_length(name) > 63 OR name ~ '[[:cntrl:]]' THEN
    RAISE EXCEPTION 'invalid name of a node: %', quote_nullable(name) USING ERRCODE = 'invalid_parameter_value',
      DETAIL = 'It has 1 to 63 octets, and no control characters.';
  END IF;
  UPDATE dnsrepl.node n SET name = rename_node.name;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'this database is not a node yet' USING ERRCODE = 'object_not_in_prerequisite_state',
      HINT = 'Run SELECT dnsrepl.setup(''name of this node'').';
  END IF;
  UPDATE dnsrepl.roll r SET name = rename_node.name WHERE r.node = (SELECT n.id FROM dnsrepl.node n);
  PERFORM dnsrepl.renew();	-- what it writes from now on bears the new name
END $$;
COMMENT ON FUNCTION dnsrepl.rename_node(text) IS 'gives this node another name';

CREATE FUNCTION dnsrepl.evict(member text) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF member = (SELECT n.name FROM dnsrepl.node n) THEN
    RAISE EXCEPTION 'a node cannot evict itself' USING ERRCODE = 'object_not_in_prerequisite_state',
      HINT = 'Run this on another node.';
  END IF;
  UPDATE dnsrepl.roll r SET evicted = true WHERE r.name = member;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'member "%" does not exist', member USING ERRCODE = 'undefined_object', HINT = 'dnsrepl.member has the names.';
  END IF;
END $$;
COMMENT ON FUNCTION dnsrepl.evict(text) IS 'a member that will not come back: deletions are not kept for it any longer. If it does come back, it is compared in full';
