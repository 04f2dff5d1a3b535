-- Users' tables (src/store/user_table.c): no SQL of this extension's names them, but what execute_as_owner() is given.

CREATE FUNCTION dnsrepl.rows_of(tab regclass, columns text[], zone int DEFAULT NULL) RETURNS SETOF record
  LANGUAGE C STABLE ROWS 100000 AS 'MODULE_PATHNAME', 'dnsrepl_rows_of' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.rows_of(regclass, text[], int) IS 'columns of an ordinary table''s rows, of all or of a zone (an id of domains), read without calling code of its owner''s';

CREATE FUNCTION dnsrepl.domain_id(zone @extschema@.dnsname) RETURNS int
  LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dnsrepl_domain_id' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.domain_id(@extschema@.dnsname) IS 'the id of a zone in domains; null: it is not there';

CREATE FUNCTION dnsrepl.execute_as_owner(tab regclass, command text, VARIADIC parameters "any") RETURNS bigint
  LANGUAGE C AS 'MODULE_PATHNAME', 'dnsrepl_execute_as_owner' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.execute_as_owner(regclass, text, "any") IS 'executes a command about a table as its owner, restricted, if the caller has his rights; else as the caller; how many rows it was about';
CREATE FUNCTION dnsrepl.alter_as_owner(tab regclass, command text) RETURNS bigint
  LANGUAGE C AS 'MODULE_PATHNAME', 'dnsrepl_execute_as_owner' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.alter_as_owner(regclass, text) IS 'the same for commands without parameters';

-- Functions of the types, in the schema where nobody can make others of their names: calls of the ones in the types' schema
-- may find a function of somebody's that fits as well, or better.
CREATE FUNCTION dnsrepl.record(name @extschema@.dnsname, type @extschema@.rrtype, ttl integer, prio integer, content text) RETURNS @extschema@.rr
  AS 'MODULE_PATHNAME', 'rr_from_record' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION dnsrepl.record(@extschema@.dnsname, @extschema@.rrtype, integer, integer, text) IS 'rr(), for this extension''s own functions';
CREATE FUNCTION dnsrepl.rdata(@extschema@.rr) RETURNS text
  AS 'MODULE_PATHNAME', 'rr_rdata' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION dnsrepl.rdata(@extschema@.rr) IS 'rdata(), for this extension''s own functions';
