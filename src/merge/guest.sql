-- Who may speak as which node, and what may come in from whom (peer_role.c, accept.c). Local to this node.

CREATE TABLE dnsrepl.peer_role (
  role  name PRIMARY KEY,
  node  uuid NOT NULL UNIQUE,
  since timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE dnsrepl.peer_role IS 'roles of peers (members of dnsrepl_link), each bound to the node that spoke through it first: neither is heard with another';
COMMENT ON COLUMN dnsrepl.peer_role.role IS 'the role that logs in';
COMMENT ON COLUMN dnsrepl.peer_role.node IS 'the node''s id; dnsrepl.member has its name';
COMMENT ON COLUMN dnsrepl.peer_role.since IS 'since when';

CREATE FUNCTION dnsrepl.unbind_role(role name) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  DELETE FROM dnsrepl.peer_role r WHERE r.role = unbind_role.role;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'role "%" is bound to no node', role USING ERRCODE = 'undefined_object', HINT = 'dnsrepl.peer_role has those that are.';
  END IF;
END $$;
COMMENT ON FUNCTION dnsrepl.unbind_role(name) IS 'the next node that speaks through this role is the one that it is bound to';

CREATE TABLE dnsrepl.accept_rule (
  peer  text PRIMARY KEY CHECK (peer <> '' AND octet_length(peer) < 64),
  kind  text NOT NULL CHECK (kind IN ('role', 'node', 'others')),
  node  uuid UNIQUE,
  zones text[],
  sets  text[]
);
COMMENT ON TABLE dnsrepl.accept_rule IS 'what may come in from peers: dnsrepl.accept(); dnsrepl.acceptance shows it';
COMMENT ON COLUMN dnsrepl.accept_rule.peer IS 'a role, the name that a node had, or *';
COMMENT ON COLUMN dnsrepl.accept_rule.kind IS 'role: whoever logs in as it; node: that node; others: who has no rule of his own';
COMMENT ON COLUMN dnsrepl.accept_rule.node IS 'the node''s id; null: it has not been heard of yet';
COMMENT ON COLUMN dnsrepl.accept_rule.zones IS 'patterns of the zones that it may change; null: all, and what is in no zone';
COMMENT ON COLUMN dnsrepl.accept_rule.sets IS 'dns, keys; null: all';

CREATE FUNCTION dnsrepl.accept_check(zones text[], sets text[]) RETURNS void
  LANGUAGE C AS 'MODULE_PATHNAME', 'dnsrepl_accept_check' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.accept_check(text[], text[]) IS 'for accept(): an error if one of them cannot be used';

CREATE FUNCTION dnsrepl.accept(peer text, zones text[] DEFAULT NULL, sets text[] DEFAULT NULL) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  kind text := CASE WHEN peer = '*' THEN 'others'
    WHEN EXISTS (SELECT FROM pg_roles r WHERE r.rolname = peer AND pg_has_role(r.oid, 'dnsrepl_link', 'MEMBER') AND NOT r.rolsuper) THEN 'role'
    ELSE 'node' END;
  node uuid;
BEGIN
  IF peer IS NULL OR peer = '' OR octet_length(peer) > 63 THEN
    RAISE EXCEPTION 'invalid name of a peer: %', quote_nullable(peer) USING ERRCODE = 'invalid_parameter_value',
      HINT = 'Name a role that peers log in as, or a node, or * for all others.';
  END IF;
  PERFORM dnsrepl.accept_check(zones, sets);
  IF kind = 'node' THEN
    SELECT a.node INTO node FROM dnsrepl.accept_rule a WHERE a.peer = accept.peer;
    IF node IS NULL THEN
      BEGIN
        SELECT r.node INTO STRICT node FROM dnsrepl.roll r WHERE r.name = accept.peer AND NOT r.evicted;
      EXCEPTION
        WHEN no_data_found THEN NULL;
        WHEN too_many_rows THEN
          RAISE EXCEPTION 'more than one member is called "%"', peer USING ERRCODE = 'ambiguous_alias',
            HINT = 'Give each peer a role of its own, and name that.';
      END;
    END IF;
  END IF;
  INSERT INTO dnsrepl.accept_rule AS a VALUES (peer, kind, node, zones, sets)
    ON CONFLICT ON CONSTRAINT accept_rule_pkey DO UPDATE SET kind = excluded.kind, node = excluded.node, zones = excluded.zones, sets = excluded.sets;
END $$;
COMMENT ON FUNCTION dnsrepl.accept(text, text[], text[]) IS 'limits what may come in from a peer (a role, a node, or * for all others): to these zones (patterns; null: all), of these sets (dns, keys; null: both)';

CREATE FUNCTION dnsrepl.drop_accept(peer text) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  DELETE FROM dnsrepl.accept_rule a WHERE a.peer = drop_accept.peer;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'nothing is set for "%"', peer USING ERRCODE = 'undefined_object', HINT = 'dnsrepl.acceptance shows what is.';
  END IF;
END $$;
COMMENT ON FUNCTION dnsrepl.drop_accept(text) IS 'forgets what was set for a peer by dnsrepl.accept()';

CREATE VIEW dnsrepl.acceptance AS
  SELECT a.peer, a.kind, coalesce(a.node, b.node) AS node, r.name, a.zones, a.sets
    FROM dnsrepl.accept_rule a
    LEFT JOIN dnsrepl.peer_role b ON a.kind = 'role' AND b.role = a.peer
    LEFT JOIN dnsrepl.roll r ON r.node = coalesce(a.node, b.node);
COMMENT ON VIEW dnsrepl.acceptance IS 'what may come in from whom; who is not here is not limited';
COMMENT ON COLUMN dnsrepl.acceptance.peer IS 'as it was named: a role, a node, or *';
COMMENT ON COLUMN dnsrepl.acceptance.kind IS 'role, node, or others (who has no rule of his own)';
COMMENT ON COLUMN dnsrepl.acceptance.node IS 'the id of the node that it is about, once that is known';
COMMENT ON COLUMN dnsrepl.acceptance.name IS 'what that node is called now';
COMMENT ON COLUMN dnsrepl.acceptance.zones IS 'patterns of zones; null: all, and what is in no zone';
COMMENT ON COLUMN dnsrepl.acceptance.sets IS 'dns, keys; null: all';
