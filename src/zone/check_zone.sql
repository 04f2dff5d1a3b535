-- What a zone should be (zone_rule.c): asked for (check_zone.c), and how strictly commits are checked (zone_level.c).

CREATE FUNCTION dnsrepl.check_zone(zone @extschema@.dnsname, OUT severity text, OUT name @extschema@.dnsname, OUT type @extschema@.rrtype,
                                   OUT rule text, OUT message text, OUT rfc text) RETURNS SETOF record
  LANGUAGE C STRICT STABLE AS 'MODULE_PATHNAME', 'dnsrepl_check_zone' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.check_zone(@extschema@.dnsname) IS 'what is wrong with a zone: errors, and what somebody should look at (warnings), each with its rule and RFC';

CREATE FUNCTION dnsrepl.check_all(OUT zone @extschema@.dnsname, OUT severity text, OUT name @extschema@.dnsname, OUT type @extschema@.rrtype,
                                  OUT rule text, OUT message text, OUT rfc text) RETURNS SETOF record
  LANGUAGE C STRICT STABLE AS 'MODULE_PATHNAME', 'dnsrepl_check_all' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.check_all() IS 'check_zone() of all zones';

CREATE FUNCTION dnsrepl.zone_level(zone @extschema@.dnsname, level text) RETURNS void
  LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  domains regclass := (SELECT t.rel FROM dnsrepl.tab t WHERE t.name = 'domains');
  metadata regclass := (SELECT t.rel FROM dnsrepl.tab t WHERE t.name = 'domainmetadata');
  zone_id int;
BEGIN
  IF level NOT IN ('strict', 'warn', 'off') THEN
    RAISE EXCEPTION 'invalid level "%"', level USING ERRCODE = 'invalid_parameter_value', HINT = 'It is strict, warn or off.';
  END IF;
  IF domains IS NOT NULL THEN
    zone_id := dnsrepl.domain_id(zone);
  END IF;
  IF zone_id IS NULL THEN
    RAISE EXCEPTION 'zone "%" does not exist', zone USING ERRCODE = 'undefined_object';
  END IF;
  PERFORM dnsrepl.execute_as_owner(metadata, format('DELETE FROM %s WHERE domain_id = $1 AND kind = ''X-DNSREPL-CHECK''', metadata), zone_id);
  IF level <> 'strict' THEN
    PERFORM dnsrepl.execute_as_owner(metadata, format('INSERT INTO %s (domain_id, kind, content) VALUES ($1, ''X-DNSREPL-CHECK'', $2)', metadata), zone_id, level);
  END IF;
END $$;
COMMENT ON FUNCTION dnsrepl.zone_level(@extschema@.dnsname, text) IS 'how strictly commits to a zone are checked: strict (errors refuse), warn (they warn), off. Replicates';
