-- Policies: which of a unit's siblings is served (src/store/policy.c, resolve.c). A replicated table like PowerDNS's.

CREATE FUNCTION dnsrepl.resolver_obstacle(resolver text, OUT problem text, OUT advice text, OUT allowable boolean) RETURNS record
  LANGUAGE C STRICT STABLE AS 'MODULE_PATHNAME', 'dnsrepl_resolver_obstacle' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.resolver_obstacle(text) IS 'why what a policy names cannot choose at this node; nulls: it does';

CREATE FUNCTION dnsrepl.policy_changed() RETURNS void
  LANGUAGE C AS 'MODULE_PATHNAME', 'dnsrepl_policy_changed' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.policy_changed() IS 'for the trigger of dnsrepl.policy';

CREATE FUNCTION dnsrepl.policy_hold() RETURNS void
  LANGUAGE C AS 'MODULE_PATHNAME', 'dnsrepl_policy_hold' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.policy_hold() IS 'for the trigger of dnsrepl.policy';

CREATE TABLE dnsrepl.policy (
  zone     @extschema@.dnsname,
  tab      text,
  type     @extschema@.rrtype,
  resolver text NOT NULL DEFAULT 'latest',
  options  jsonb,
  doubted  boolean NOT NULL DEFAULT false,
  scope    text GENERATED ALWAYS AS (coalesce(zone::text, '*') || ' ' || coalesce(tab, '*') || ' ' || coalesce(type::text, '*')) STORED PRIMARY KEY
);
COMMENT ON TABLE dnsrepl.policy IS 'how conflicts are settled: by zone (and all below it), table and type; the most specific row counts. Replicates';
COMMENT ON COLUMN dnsrepl.policy.zone IS 'this zone and all below it; null: everywhere';
COMMENT ON COLUMN dnsrepl.policy.tab IS 'one replicated table; null: all';
COMMENT ON COLUMN dnsrepl.policy.type IS 'one type of records; null: all';
COMMENT ON COLUMN dnsrepl.policy.resolver IS 'latest, merge, prefer, hold, or schema.function: an immutable function (unit jsonb, siblings jsonb) that returns the rows to serve as jsonb';
COMMENT ON COLUMN dnsrepl.policy.options IS 'prefer: {"order": ["node", ...]}';
COMMENT ON COLUMN dnsrepl.policy.doubted IS 'two nodes that hold the same served different rows by this function: latest is in force instead, until somebody sets this to false or names another resolver';
COMMENT ON COLUMN dnsrepl.policy.scope IS 'zone, table and type in one: the key';
SELECT pg_catalog.pg_extension_config_dump('dnsrepl.policy', '');

-- What a person writes is checked; what comes from another node is not refused: there the function may have been allowed first.
CREATE FUNCTION dnsrepl.policy_check() RETURNS trigger
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  o record := dnsrepl.resolver_obstacle(NEW.resolver);
BEGIN
  IF NEW.tab IS NOT NULL AND NOT EXISTS (SELECT FROM dnsrepl.tab t WHERE t.name = NEW.tab) THEN
    RAISE EXCEPTION 'table "%" is not replicated', NEW.tab USING ERRCODE = 'undefined_object';
  END IF;
  IF NEW.type IS NOT NULL AND NEW.tab IS DISTINCT FROM 'records' THEN
    RAISE EXCEPTION 'a policy for a type must be one for table "records"' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF o.problem IS NOT NULL AND NOT o.allowable THEN
    RAISE EXCEPTION 'no resolver "%"', NEW.resolver USING ERRCODE = 'undefined_function',
      DETAIL = format('It is latest, merge, prefer, hold, or a function schema.name that has been allowed to choose: %s.', o.problem);
  ELSIF o.problem IS NOT NULL THEN	-- so is what a dump brings back
    RAISE WARNING 'by this policy the latest version is served: %', o.problem USING HINT = format('At this node and at each other one: %s.', o.advice);
  END IF;
  IF NEW.resolver = 'prefer' AND (jsonb_typeof(NEW.options -> 'order') IS DISTINCT FROM 'array' OR jsonb_array_length(NEW.options -> 'order') = 0) THEN
    RAISE EXCEPTION 'resolver "prefer" needs options' USING ERRCODE = 'invalid_parameter_value',
      HINT = 'Name the nodes, the first choice first: options = ''{"order": ["seattle", "tacoma"]}''.';
  END IF;
  IF TG_OP = 'UPDATE' AND NEW.resolver IS DISTINCT FROM OLD.resolver THEN
    NEW.doubted := false;
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION dnsrepl.policy_check() IS 'trigger on dnsrepl.policy: is what a person writes a policy?';
CREATE TRIGGER dnsrepl_policy_check BEFORE INSERT OR UPDATE ON dnsrepl.policy
  FOR EACH ROW EXECUTE FUNCTION dnsrepl.policy_check();

-- What is served changes then without a new version, so that no vector tells of it. Their numbers have no gaps and become visible in their
-- order: who writes one holds LOCK_POLICY until he has committed.
CREATE TABLE dnsrepl.policy_change (
  no       bigint PRIMARY KEY,
  above    @extschema@.dnsname,
  at       timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE dnsrepl.policy_change IS 'when what policies choose may have changed at this node: for dnsrepl.changes_since() and DNS servers, which go by the last that they have heard of';
COMMENT ON COLUMN dnsrepl.policy_change.above IS 'in all zones at and below this name; null: in all';

CREATE FUNCTION dnsrepl.policy_changes(since bigint, OUT no bigint, OUT everywhere boolean, OUT zone_no int) RETURNS SETOF record
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT c.no, c.above IS NULL, z.no
    FROM dnsrepl.policy_change c LEFT JOIN dnsrepl.zone z ON z.name OPERATOR(@extschema@.<<=) c.above
   WHERE c.no > since
  UNION ALL
  SELECT coalesce(max(c.no), 0), since > coalesce(max(c.no), 0) OR since + 1 < min(c.no), NULL FROM dnsrepl.policy_change c
$$;
COMMENT ON FUNCTION dnsrepl.policy_changes(bigint) IS 'for changes_since(): the policy changes after one, and the zones concerned (everywhere: all, or it is not known which); the last row has the last of all';

-- Whoever calls it keeps others from it until he has committed (defer_merge()).
CREATE FUNCTION dnsrepl.served_changed(above @extschema@.dnsname) RETURNS void
  LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  DELETE FROM dnsrepl.policy_change c WHERE c.no <= (SELECT max(l.no) FROM dnsrepl.policy_change l) - 1000;
  INSERT INTO dnsrepl.policy_change (no, above) SELECT coalesce(max(c.no), 0) + 1, $1 FROM dnsrepl.policy_change c
$$;
COMMENT ON FUNCTION dnsrepl.served_changed(@extschema@.dnsname) IS 'all zones at and below a name (null: all) are told anew to those who go by changes_since()';

CREATE FUNCTION dnsrepl.park_zones(above @extschema@.dnsname, reason text) RETURNS void
  LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  SELECT dnsrepl.policy_hold();
  SELECT dnsrepl.served_changed($1);
  SELECT dnsrepl.queue_units(array_agg(z.no), array_agg(''::bytea), reason) FROM dnsrepl.zone z
   WHERE above IS NULL OR z.name OPERATOR(@extschema@.<<=) above
$$;
COMMENT ON FUNCTION dnsrepl.park_zones(@extschema@.dnsname, text) IS 'what policies choose may have changed in all zones at and below a name (null: all): they are projected again, in bounded steps, by the manager, and told to those who go by changes_since()';

CREATE TABLE dnsrepl.resolver_seen (
  resolver text PRIMARY KEY,
  problem  text NOT NULL
);
COMMENT ON TABLE dnsrepl.resolver_seen IS 'the functions that policies name, and why they could not choose at this node when that was last looked at; empty: they could';

-- All zones that a policy was for, or is for, are looked at again, in bounded steps, by the manager.
CREATE FUNCTION dnsrepl.policy_apply() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN
    PERFORM dnsrepl.park_zones(OLD.zone, 'a policy has changed');
  END IF;
  IF TG_OP <> 'DELETE' THEN
    PERFORM dnsrepl.park_zones(NEW.zone, 'a policy has changed');
  END IF;
  INSERT INTO dnsrepl.resolver_seen (resolver, problem)
    SELECT DISTINCT p.resolver, coalesce((dnsrepl.resolver_obstacle(p.resolver)).problem, '') FROM dnsrepl.policy p WHERE p.resolver LIKE '%.%' ON CONFLICT DO NOTHING;
  PERFORM dnsrepl.policy_changed();
  RETURN NULL;
END $$;
COMMENT ON FUNCTION dnsrepl.policy_apply() IS 'trigger on dnsrepl.policy: has the zones concerned projected again';
-- An author's rows of dnsrepl.parked are his until he ends, and merges may have to park the same zones: so not before his
-- commit. In a projection at once, where waiting has a bound.
CREATE CONSTRAINT TRIGGER dnsrepl_policy_apply AFTER INSERT OR UPDATE OR DELETE ON dnsrepl.policy
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION dnsrepl.policy_apply();
CREATE TRIGGER dnsrepl_policy_project AFTER INSERT OR UPDATE OR DELETE ON dnsrepl.policy
  FOR EACH ROW EXECUTE FUNCTION dnsrepl.policy_apply();
ALTER TABLE dnsrepl.policy ENABLE REPLICA TRIGGER dnsrepl_policy_project;

-- Functions that may choose here (src/store/allowance.c). Not replicated, and not dumped: what comes from elsewhere allows nothing.
CREATE TABLE dnsrepl.allowed_resolver (
  function   oid PRIMARY KEY,
  name       text NOT NULL,
  digest     bytea NOT NULL,
  allowed_by text NOT NULL,
  allowed_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE dnsrepl.allowed_resolver IS 'functions that policies may name, as they were when they were allowed at this node';
COMMENT ON COLUMN dnsrepl.allowed_resolver.function IS 'its oid';
COMMENT ON COLUMN dnsrepl.allowed_resolver.name IS 'its name then';
COMMENT ON COLUMN dnsrepl.allowed_resolver.digest IS 'SHA-256 of its definition: altered or replaced it is another function';
COMMENT ON COLUMN dnsrepl.allowed_resolver.allowed_by IS 'who allowed it';
COMMENT ON COLUMN dnsrepl.allowed_resolver.allowed_at IS 'when';

CREATE FUNCTION dnsrepl.allow_resolver(function regprocedure) RETURNS void
  LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dnsrepl_allow_resolver' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.allow_resolver(regprocedure) IS 'policies may name this function (unit jsonb, siblings jsonb), as it is now, at this node';

CREATE FUNCTION dnsrepl.disallow_resolver(function regprocedure) RETURNS void
  LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dnsrepl_disallow_resolver' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.disallow_resolver(regprocedure) IS 'policies that name this function serve the latest version at this node';

-- At the commit, as for policies.
CREATE FUNCTION dnsrepl.allowance_apply() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM dnsrepl.park_zones(p.zone, 'a function has been allowed to choose, or no longer')
     FROM (SELECT DISTINCT p.zone FROM dnsrepl.policy p WHERE p.resolver LIKE '%.%') p;
  PERFORM dnsrepl.policy_changed();
  RETURN NULL;
END $$;
COMMENT ON FUNCTION dnsrepl.allowance_apply() IS 'trigger on dnsrepl.allowed_resolver: has the zones concerned projected again';
CREATE CONSTRAINT TRIGGER dnsrepl_allowance_apply AFTER INSERT OR UPDATE OR DELETE ON dnsrepl.allowed_resolver
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION dnsrepl.allowance_apply();

-- A function that may not choose any more, or may again, though nobody has said so: replaced, dropped, too slow. Whoever does it may not have
-- committed for long: so the zones concerned are parked at his commit.
CREATE FUNCTION dnsrepl.resolver_apply() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  one record;
BEGIN
  FOR one IN SELECT DISTINCT p.zone FROM dnsrepl.policy p WHERE p.resolver = NEW.resolver LOOP
    PERFORM dnsrepl.park_zones(one.zone, 'a resolver function has changed');
  END LOOP;
  PERFORM dnsrepl.policy_changed();
  RETURN NULL;
END $$;
COMMENT ON FUNCTION dnsrepl.resolver_apply() IS 'trigger on dnsrepl.resolver_seen: has the zones projected again whose policy names the function';
CREATE CONSTRAINT TRIGGER dnsrepl_resolver_apply AFTER UPDATE ON dnsrepl.resolver_seen
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION dnsrepl.resolver_apply();
ALTER TABLE dnsrepl.resolver_seen ENABLE ALWAYS TRIGGER dnsrepl_resolver_apply;

-- Who has made one anew and not committed is not waited for.
CREATE FUNCTION dnsrepl.resolvers_look() RETURNS void
  LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
  DELETE FROM dnsrepl.resolver_seen r WHERE r.resolver IN (SELECT l.resolver FROM dnsrepl.resolver_seen l
    WHERE NOT EXISTS (SELECT FROM dnsrepl.policy p WHERE p.resolver = l.resolver) FOR UPDATE SKIP LOCKED);
  UPDATE dnsrepl.resolver_seen r SET problem = coalesce((dnsrepl.resolver_obstacle(r.resolver)).problem, '')
   WHERE r.problem <> coalesce((dnsrepl.resolver_obstacle(r.resolver)).problem, '')
     AND r.resolver IN (SELECT l.resolver FROM dnsrepl.resolver_seen l FOR UPDATE SKIP LOCKED)
$$;
COMMENT ON FUNCTION dnsrepl.resolvers_look() IS 'can the functions that policies name still choose?';

CREATE FUNCTION dnsrepl.resolver_changed() RETURNS event_trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM dnsrepl.resolvers_look();
END $$;
COMMENT ON FUNCTION dnsrepl.resolver_changed() IS 'event trigger: perhaps a function that a policy names may not choose any more';
CREATE EVENT TRIGGER dnsrepl_resolver_changed ON ddl_command_end
  WHEN TAG IN ('CREATE FUNCTION', 'ALTER FUNCTION', 'ALTER ROUTINE', 'DROP FUNCTION', 'DROP ROUTINE', 'DROP OWNED', 'ALTER SCHEMA', 'DROP SCHEMA', 'CREATE EXTENSION', 'ALTER EXTENSION', 'DROP EXTENSION')
  EXECUTE FUNCTION dnsrepl.resolver_changed();
ALTER EVENT TRIGGER dnsrepl_resolver_changed ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER dnsrepl_resolver_changed IS 'has the zones projected again whose policy names a function that has changed';

CREATE TABLE dnsrepl.resolver_problem (
  zone     int4 NOT NULL,
  key      bytea NOT NULL,
  resolver text NOT NULL,
  error    text NOT NULL,
  since    timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (zone, key)
);
COMMENT ON TABLE dnsrepl.resolver_problem IS 'units whose policy names a function that failed here: the latest version is served; dnsrepl.problem shows them';
