-- Is what the tables serve what the store says?

CREATE FUNCTION dnsrepl.store_differences(OUT zone_no int, OUT key bytea, OUT problem text, OUT store jsonb, OUT tables jsonb)
  RETURNS SETOF record LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dnsrepl_store_differences' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.store_differences() IS 'for check_store(): what differs, as the store names it';

CREATE FUNCTION dnsrepl.check_store(repair text DEFAULT NULL)
  RETURNS TABLE (zone @extschema@.dnsname, tab text, key jsonb, problem text, store jsonb, tables jsonb)
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  d record;
BEGIN
  IF repair NOT IN ('tables', 'store') THEN
    RAISE EXCEPTION 'invalid repair: %', quote_literal(repair) USING ERRCODE = 'invalid_parameter_value',
      HINT = '''tables'': the tables follow the store. ''store'': what the tables have is taken as an edit. Without: nothing is changed.';
  END IF;
  IF NOT current_setting('transaction_read_only')::boolean THEN	-- as on a standby
    PERFORM dnsrepl.zones_enter();
  END IF;
  FOR d IN SELECT x.*, z.name AS zone, t.name AS tab FROM dnsrepl.store_differences() x JOIN dnsrepl.zone z ON z.no = x.zone_no
             LEFT JOIN dnsrepl.tab t ON t.no = dnsrepl.unit_table(x.key) LOOP
    zone := d.zone;
    tab := d.tab;
    key := CASE WHEN d.tab IS NOT NULL AND d.problem <> 'a version in the store cannot be read' THEN dnsrepl.key_columns(d.key) END;
    problem := d.problem;
    store := d.store;
    tables := d.tables;
    RETURN NEXT;
    CONTINUE WHEN d.problem = 'a version in the store cannot be read';
    IF repair IS NOT NULL AND d.key = '' THEN
      PERFORM dnsrepl.renew_sums(d.zone_no);
    ELSIF repair = 'tables' THEN
      PERFORM dnsrepl.queue_units(ARRAY[d.zone_no], ARRAY[d.key], 'the tables are made to follow the store');
    ELSIF repair = 'store' THEN
      PERFORM dnsrepl.note_unit(d.zone_no, d.key);
    END IF;
  END LOOP;
  IF repair IS NOT NULL THEN
    DELETE FROM dnsrepl.check_problem c WHERE c.peer = '';	-- with dnsrepl.check_interval = 0 nobody else would; what is left is found again
  END IF;
  IF repair = 'tables' THEN
    PERFORM dnsrepl.policy_changed();	-- wakes whoever projects
  END IF;
END $$;
COMMENT ON FUNCTION dnsrepl.check_store(text)
  IS 'what the tables serve and the store does not have, or the other way round; repair => ''tables'' or ''store'': which of the two is to follow the other';
