-- Zones as text: zone files in and out (zone_file_rows.c reads them).

CREATE FUNCTION dnsrepl.zone_file(content text, zone @extschema@.dnsname, OUT line int, OUT name @extschema@.dnsname, OUT type @extschema@.rrtype,
                                  OUT ttl int, OUT prio int, OUT data text) RETURNS SETOF record
  LANGUAGE C STRICT STABLE AS 'MODULE_PATHNAME', 'dnsrepl_zone_file' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.zone_file(text, @extschema@.dnsname) IS 'the records of a zone file, as rows of the table records';

-- What is served of a zone, as records.
CREATE FUNCTION dnsrepl.zone_records(zone @extschema@.dnsname, OUT id bigint, OUT record @extschema@.rr) RETURNS SETOF record
  LANGUAGE plpgsql STRICT STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  domains regclass := (SELECT t.rel FROM dnsrepl.tab t WHERE t.name = 'domains');
  records regclass := (SELECT t.rel FROM dnsrepl.tab t WHERE t.name = 'records');
  zone_id int;
BEGIN
  EXECUTE format('SELECT id FROM %s d WHERE d.name OPERATOR(@extschema@.=) $1', domains) INTO zone_id USING zone;
  IF zone_id IS NULL THEN
    RAISE EXCEPTION 'zone "%" does not exist', zone USING ERRCODE = 'undefined_object';
  END IF;
  RETURN QUERY EXECUTE format('SELECT id::bigint, @extschema@.rr(name, type, coalesce(ttl, 0), prio, content) FROM %s'
    ' WHERE domain_id = $1 AND type IS NOT NULL AND disabled IS NOT TRUE', records) USING zone_id;
END $$;
COMMENT ON FUNCTION dnsrepl.zone_records(@extschema@.dnsname) IS 'for export_zone() and its kin: the records of a zone that are served';

-- The same record of a file, and of a zone whose serial is kept here: the zone's serial, unless the file's is ahead (RFC 1982).
CREATE FUNCTION dnsrepl.soa_content(soa text, serial bigint, always boolean) RETURNS text LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE WHEN serial IS NOT NULL AND (always OR (split_part(soa, ' ', 3)::bigint - serial + 4294967296) % 4294967296 NOT BETWEEN 1 AND 2147483646)
    THEN regexp_replace(soa, '^(\S+ \S+) \d+', '\1 ' || serial) ELSE soa END
$$;
COMMENT ON FUNCTION dnsrepl.soa_content(text, bigint, boolean) IS 'for import_zone() and diff(): an SOA record''s content with the serial that a zone has, if the other is not ahead, or always';

CREATE FUNCTION dnsrepl.import_zone(content text, zone @extschema@.dnsname, replace boolean DEFAULT true, OUT added bigint, OUT removed bigint)
  LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  domains regclass := (SELECT t.rel FROM dnsrepl.tab t WHERE t.name = 'domains');
  records regclass := (SELECT t.rel FROM dnsrepl.tab t WHERE t.name = 'records');
  metadata regclass := (SELECT t.rel FROM dnsrepl.tab t WHERE t.name = 'domainmetadata');
  zone_id int;
  has_soa boolean;
  serial bigint;
BEGIN
  EXECUTE format('SELECT id FROM %s d WHERE d.name OPERATOR(@extschema@.=) $1', domains) INTO zone_id USING zone;
  IF zone_id IS NULL THEN
    EXECUTE format('INSERT INTO %s (name, type) VALUES ($1, ''NATIVE'') RETURNING id', domains) INTO zone_id USING zone;
  END IF;
  EXECUTE format('SELECT count(*) > 0, max(split_part(content, '' '', 3)::bigint) FILTER (WHERE NOT EXISTS (SELECT FROM %s m'
    ' WHERE m.domain_id = $1 AND m.kind = ''X-DNSREPL-SERIAL'' AND m.content = ''off'')) FROM %s r'
    ' WHERE r.domain_id = $1 AND r.name OPERATOR(@extschema@.=) $2 AND r.type OPERATOR(@extschema@.=) ''SOA''::@extschema@.rrtype AND r.disabled IS NOT TRUE', metadata, records)
    INTO has_soa, serial USING zone_id, zone;
  EXECUTE format(
    'WITH lines AS MATERIALIZED (SELECT name, type, min(ttl) OVER (PARTITION BY name, type) AS ttl, prio, CASE type::text WHEN ''SOA'' THEN dnsrepl.soa_content(data, $5, false) ELSE data END AS data'
    '       FROM dnsrepl.zone_file($1, $2)),'
    ' file AS MATERIALIZED (SELECT DISTINCT ON (record) * FROM (SELECT *, @extschema@.rr(name, type, ttl, prio, data) AS record FROM lines) l),'
    ' here AS MATERIALIZED (SELECT * FROM dnsrepl.zone_records($2)),'
    ' gone AS (DELETE FROM %1$s r USING here h WHERE $4 AND r.domain_id = $3 AND r.id = h.id'
    '       AND NOT EXISTS (SELECT FROM file f WHERE f.record OPERATOR(@extschema@.=) h.record) RETURNING 1),'
    ' come AS (INSERT INTO %1$s (domain_id, name, type, ttl, prio, content) SELECT $3, name, type, ttl, prio, data FROM file f'
    '       WHERE NOT EXISTS (SELECT FROM here h WHERE h.record OPERATOR(@extschema@.=) f.record) AND ($4 OR NOT $6 OR f.type::text <> ''SOA'') RETURNING 1)'
    ' SELECT (SELECT count(*) FROM come), (SELECT count(*) FROM gone)', records)
    INTO added, removed USING content, zone, zone_id, replace, serial, has_soa;
  EXECUTE format('SELECT count(*) > 0 FROM %s r WHERE r.domain_id = $1 AND r.name OPERATOR(@extschema@.=) $2'
    ' AND r.type OPERATOR(@extschema@.=) ''SOA''::@extschema@.rrtype AND r.disabled IS NOT TRUE', records) INTO has_soa USING zone_id, zone;
  IF replace AND NOT has_soa THEN
    RAISE EXCEPTION 'the zone file has no SOA record for "%"', zone USING ERRCODE = 'check_violation',
      HINT = 'A file that is not all of a zone is imported with replace => false.';
  END IF;
END $$;
COMMENT ON FUNCTION dnsrepl.import_zone(text, @extschema@.dnsname, boolean) IS
  'writes a zone file into a zone, which is made if it is not there: the zone''s records become those of the file, or (replace => false) get them in addition. Records that stay are not touched';

CREATE FUNCTION dnsrepl.export_zone(zone @extschema@.dnsname) RETURNS text
  LANGUAGE sql STRICT STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT string_agg(r.record::text, E'\n' ORDER BY @extschema@.type(r.record)::text <> 'SOA', r.record) || E'\n' FROM dnsrepl.zone_records(zone) r
$$;
COMMENT ON FUNCTION dnsrepl.export_zone(@extschema@.dnsname) IS 'a zone as a zone file: what is served of it, the SOA record first, then in canonical order';

CREATE FUNCTION dnsrepl.diff(zone @extschema@.dnsname, content text, OUT change text, OUT record @extschema@.rr) RETURNS SETOF record
  LANGUAGE sql STRICT STABLE SET search_path = pg_catalog, pg_temp AS $$
  WITH here AS (SELECT DISTINCT r.record FROM dnsrepl.zone_records(zone) r),
    soa AS (SELECT max(split_part(@extschema@.rdata(h.record), ' ', 3)::bigint) AS serial FROM here h WHERE @extschema@.type(h.record)::text = 'SOA'),
    file AS (SELECT DISTINCT @extschema@.rr(f.name, f.type, min(f.ttl) OVER (PARTITION BY f.name, f.type), f.prio, CASE f.type::text WHEN 'SOA' THEN dnsrepl.soa_content(f.data, soa.serial, true) ELSE f.data END) AS record
               FROM dnsrepl.zone_file(content, zone) f, soa)
  SELECT CASE WHEN f.record IS NULL THEN '-' ELSE '+' END, coalesce(h.record, f.record)
    FROM here h FULL JOIN file f ON h.record OPERATOR(@extschema@.=) f.record
   WHERE h.record IS NULL OR f.record IS NULL ORDER BY 2, 1
$$;
COMMENT ON FUNCTION dnsrepl.diff(@extschema@.dnsname, text) IS
  'what import_zone() would do to a zone: records that go (-) and come (+). A serial is no difference';
