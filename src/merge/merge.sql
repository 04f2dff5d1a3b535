-- Remote edits come in (src/merge): the functions that a peer's worker calls, as role dnsrepl_link.

CREATE FUNCTION dnsrepl.hello(protocol int, node uuid, life uuid, name text, encoding text) RETURNS bytea
  LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dnsrepl_hello' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.hello(int, uuid, uuid, text, text)
  IS 'link protocol: who calls, and in return who answers and what it holds';

CREATE FUNCTION dnsrepl.merge(payload bytea) RETURNS bytea
  LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dnsrepl_merge' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.merge(bytea) IS 'link protocol: a delta of one chunk';

CREATE FUNCTION dnsrepl.merge(payload bytea, delta bigint, seq int) RETURNS bytea
  LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dnsrepl_merge_chunk' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.merge(bytea, bigint, int) IS 'link protocol: one chunk of a delta, kept until merge_done()';

CREATE FUNCTION dnsrepl.merge_done(delta bigint, chunks int) RETURNS bytea
  LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dnsrepl_merge_done' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.merge_done(bigint, int) IS 'link protocol: all chunks have come, merge them in one transaction';

CREATE FUNCTION dnsrepl.project_parked() RETURNS bigint
  LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dnsrepl_project_parked' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.project_parked() IS 'tries again what could not be projected; returns how many units are still parked';
