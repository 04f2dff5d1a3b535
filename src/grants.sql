-- Who may do what: nobody but the owner, except for what follows.

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA dnsrepl FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA dnsrepl FROM PUBLIC;

-- Peers: the link functions.
GRANT USAGE ON SCHEMA dnsrepl TO dnsrepl_link;
GRANT EXECUTE ON FUNCTION dnsrepl.hello(text, bytea), dnsrepl.merge(bigint, bytea),
  dnsrepl.merge(bigint, bytea, bigint, int), dnsrepl.merge_done(bigint, bigint, int), dnsrepl.flush(bigint),
  dnsrepl.compare(bigint, bytea, bigint, bytea) TO dnsrepl_link;

-- Monitoring: whoever may monitor the server.
GRANT USAGE ON SCHEMA dnsrepl TO pg_monitor;
GRANT SELECT ON dnsrepl.status, dnsrepl.member, dnsrepl.problem, dnsrepl.conflict, dnsrepl.conflict_history, dnsrepl.self_check, dnsrepl.rejection, dnsrepl.acceptance, dnsrepl.server_extra TO pg_monitor;
GRANT EXECUTE ON FUNCTION dnsrepl.link_status(text, boolean), dnsrepl.wait_for_peers(interval), dnsrepl.digest(),
  dnsrepl.digest(@extschema@.dnsname), dnsrepl.key_columns(bytea), dnsrepl.unit_table(bytea), dnsrepl.table_problem(int, oid), dnsrepl.holds_back(bytea), dnsrepl.counts(), dnsrepl.disputed(), dnsrepl.unchecked_since(), dnsrepl.zone_holder(@extschema@.dnsname, int2), dnsrepl.zone_author(@extschema@.dnsname, int2), dnsrepl.wait_reason(text, text, text, text), dnsrepl.conflict_now(int, bytea), dnsrepl.resolver_obstacle(text),
  dnsrepl.check_zone(@extschema@.dnsname), dnsrepl.check_all(), dnsrepl.rejections(), dnsrepl.rows_text(text, jsonb, jsonb), dnsrepl.siblings_text(text, jsonb, jsonb) TO pg_monitor;

-- The database's owner: to dump it.
GRANT USAGE ON SCHEMA dnsrepl TO pg_database_owner;
GRANT SELECT ON dnsrepl.policy, dnsrepl.dumped_link TO pg_database_owner;
GRANT EXECUTE ON FUNCTION dnsrepl.links_to_dump() TO pg_database_owner;
