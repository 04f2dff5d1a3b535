-- Local edits come in (src/write): the triggers of replicated tables.

-- They resolve no name by search_path, and a SET clause costs each row more than the rest of the call: none here.
CREATE FUNCTION dnsrepl.note() RETURNS trigger
  LANGUAGE C AS 'MODULE_PATHNAME', 'dnsrepl_note';
COMMENT ON FUNCTION dnsrepl.note() IS 'row trigger of a replicated table: checks the row and notes its unit for capture at commit';

CREATE FUNCTION dnsrepl.note_truncate() RETURNS trigger
  LANGUAGE C AS 'MODULE_PATHNAME', 'dnsrepl_note_truncate';
COMMENT ON FUNCTION dnsrepl.note_truncate() IS 'TRUNCATE trigger of a replicated table';

CREATE FUNCTION dnsrepl.note_table(tab regclass) RETURNS void
  LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dnsrepl_note_table' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.note_table(regclass)
  IS 'captures a whole replicated table anew at the end of this transaction, as after an edit with triggers off';

CREATE FUNCTION dnsrepl.note_unit(zone_no int, key bytea) RETURNS void
  LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dnsrepl_note_unit' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.note_unit(int, bytea) IS 'for check_store(): captures one unit at the end of this transaction, as if it had been edited';

CREATE FUNCTION dnsrepl.renew() RETURNS void
  LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dnsrepl_renew' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.renew() IS 'for setup(): begins a new life of this node';

-- DDL that rewrites a replicated table fires no row triggers. With the owner's rights, since anybody may rewrite a table
-- of his own, and this schema is nobody's.
CREATE FUNCTION dnsrepl.table_rewritten() RETURNS event_trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM dnsrepl.tab WHERE rel = pg_event_trigger_table_rewrite_oid()) THEN
    PERFORM dnsrepl.note_table(pg_event_trigger_table_rewrite_oid()::regclass);
  END IF;
END $$;
CREATE EVENT TRIGGER dnsrepl_table_rewrite ON table_rewrite EXECUTE FUNCTION dnsrepl.table_rewritten();
ALTER EVENT TRIGGER dnsrepl_table_rewrite ENABLE ALWAYS;	-- also with session_replication_role = replica
COMMENT ON EVENT TRIGGER dnsrepl_table_rewrite IS 'captures a replicated table anew when DDL rewrites it';

CREATE FUNCTION dnsrepl.table_guard() RETURNS event_trigger
  LANGUAGE C AS 'MODULE_PATHNAME', 'dnsrepl_table_guard';
COMMENT ON FUNCTION dnsrepl.table_guard() IS 'event trigger: refuses DDL after which a replicated table could not be replicated';
CREATE EVENT TRIGGER dnsrepl_table_before ON ddl_command_start
  WHEN TAG IN ('ALTER TABLE', 'ALTER VIEW', 'ALTER MATERIALIZED VIEW', 'ALTER FOREIGN TABLE', 'CREATE TABLE', 'CREATE FOREIGN TABLE', 'CREATE RULE')
  EXECUTE FUNCTION dnsrepl.table_guard();
COMMENT ON EVENT TRIGGER dnsrepl_table_before IS 'which replicated tables are as they should be before DDL';
CREATE EVENT TRIGGER dnsrepl_table_after ON ddl_command_end
  WHEN TAG IN ('ALTER TABLE', 'ALTER VIEW', 'ALTER MATERIALIZED VIEW', 'ALTER FOREIGN TABLE', 'CREATE TABLE', 'CREATE FOREIGN TABLE', 'CREATE RULE')
  EXECUTE FUNCTION dnsrepl.table_guard();
COMMENT ON EVENT TRIGGER dnsrepl_table_after IS 'refuses DDL after which a replicated table could not be replicated';

CREATE FUNCTION dnsrepl.table_problem(no int, rel oid) RETURNS text
  LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dnsrepl_table_problem' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.table_problem(int, oid) IS 'for dnsrepl.problem: why a table cannot be replicated as it is; null: it can, or is locked, or is not there';

COMMENT ON FUNCTION dnsrepl.table_rewritten() IS 'event trigger: captures a replicated table anew when DDL has rewritten it';
