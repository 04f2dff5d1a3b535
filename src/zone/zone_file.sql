-- Zones as text: zone files in and out (zone_file_rows.c reads them).

CREATE FUNCTION dnsrepl.zone_file(content text, zone @extschema@.dnsname, OUT line int, OUT name @extschema@.dnsname, OUT type @extschema@.rrtype,
                                  OUT ttl int, OUT prio int, OUT data text) RETURNS SETOF record
  LANGUAGE C STRICT STABLE AS 'MODULE_PATHNAME', 'dnsrepl_zone_file' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.zone_file(text, @extschema@.dnsname) IS 'the records of a zone file, as rows of the table records';

-- What is served of a zone, as records.
CREATE FUNCTION dnsrepl.zone_records(zone @extschema@.dnsname, OUT id bigint, OUT type @extschema@.rrtype, OUT record @extschema@.rr) RETURNS SETOF record
  LANGUAGE plpgsql STRICT STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  records regclass := (SELECT t.rel FROM dnsrepl.tab t WHERE t.name = 'records');
  zone_id int := dnsrepl.domain_id(zone);
BEGIN
  IF zone_id IS NULL THEN
    RAISE EXCEPTION 'zone "%" does not exist', zone USING ERRCODE = 'undefined_object';
  END IF;
  RETURN QUERY SELECT r.id, r.type, dnsrepl.record(r.name, r.type, coalesce(r.ttl, 0), r.prio, r.content)
    FROM dnsrepl.rows_of(records, '{id,name,type,ttl,prio,content,disabled}', zone_id)
           r (id bigint, name @extschema@.dnsname, type @extschema@.rrtype, ttl int, prio int, content text, disabled boolean)
   WHERE r.type IS NOT NULL AND r.disabled IS NOT TRUE;
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
  zone_id int := dnsrepl.domain_id(zone);
  has_soa boolean;
  serial bigint;
  gone bigint[];
  names @extschema@.dnsname[];
  types @extschema@.rrtype[];
  ttls int[];
  prios int[];
  contents text[];
BEGIN
  IF zone_id IS NULL THEN
    PERFORM dnsrepl.execute_as_owner(domains, format('INSERT INTO %s (name, type) VALUES ($1, ''NATIVE'')', domains), zone);
    zone_id := dnsrepl.domain_id(zone);
  END IF;
  SELECT count(*) > 0, max(split_part(dnsrepl.rdata(h.record), ' ', 3)::bigint) FILTER (WHERE NOT EXISTS (
      SELECT FROM dnsrepl.rows_of(metadata, '{kind,content}', zone_id) m (kind text, content text) WHERE m.kind = 'X-DNSREPL-SERIAL' AND m.content = 'off'))
    INTO has_soa, serial FROM dnsrepl.zone_records(zone) h WHERE h.type::text = 'SOA';
  WITH lines AS MATERIALIZED (
      SELECT f.name, f.type, min(f.ttl) OVER (PARTITION BY f.name, f.type) AS ttl, f.prio,
             CASE f.type::text WHEN 'SOA' THEN dnsrepl.soa_content(f.data, serial, false) ELSE f.data END AS data FROM dnsrepl.zone_file(content, zone) f),
    file AS MATERIALIZED (SELECT DISTINCT ON (l.record) l.* FROM (SELECT n.*, dnsrepl.record(n.name, n.type, n.ttl, n.prio, n.data) AS record FROM lines n) l),
    here AS MATERIALIZED (SELECT h.* FROM dnsrepl.zone_records(zone) h),
    come AS (SELECT f.* FROM file f WHERE NOT EXISTS (SELECT FROM here h WHERE h.record OPERATOR(@extschema@.=) f.record)
                AND (replace OR NOT has_soa OR f.type::text <> 'SOA'))
  SELECT (SELECT array_agg(h.id) FROM here h WHERE replace AND NOT EXISTS (SELECT FROM file f WHERE f.record OPERATOR(@extschema@.=) h.record)),
         array_agg(c.name), array_agg(c.type), array_agg(c.ttl), array_agg(c.prio), array_agg(c.data)
    INTO gone, names, types, ttls, prios, contents FROM come c;
  removed := dnsrepl.execute_as_owner(records, format('DELETE FROM %s WHERE domain_id = $1 AND id = ANY ($2)', records), zone_id, gone);
  added := dnsrepl.execute_as_owner(records, format('INSERT INTO %s (domain_id, name, type, ttl, prio, content)'
    ' SELECT $1, n.* FROM unnest($2, $3, $4, $5, $6) n', records), zone_id, names, types, ttls, prios, contents);
  PERFORM FROM dnsrepl.zone_records(zone) h WHERE h.type::text = 'SOA';
  IF replace AND NOT FOUND THEN
    RAISE EXCEPTION 'the zone file has no SOA record for "%"', zone USING ERRCODE = 'check_violation',
      HINT = 'A file that is not all of a zone is imported with replace => false.';
  END IF;
END $$;
COMMENT ON FUNCTION dnsrepl.import_zone(text, @extschema@.dnsname, boolean) IS
  'writes a zone file into a zone, which is made if it is not there: the zone''s records become those of the file, or (replace => false) get them in addition. Records that stay are not touched';

CREATE FUNCTION dnsrepl.export_zone(zone @extschema@.dnsname) RETURNS text
  LANGUAGE sql STRICT STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT string_agg(r.record::text, E'\n' ORDER BY r.type::text <> 'SOA', r.record) || E'\n' FROM dnsrepl.zone_records(zone) r
$$;
COMMENT ON FUNCTION dnsrepl.export_zone(@extschema@.dnsname) IS 'a zone as a zone file: what is served of it, the SOA record first, then in canonical order';

CREATE FUNCTION dnsrepl.diff(zone @extschema@.dnsname, content text, OUT change text, OUT record @extschema@.rr) RETURNS SETOF record
  LANGUAGE sql STRICT STABLE SET search_path = pg_catalog, pg_temp AS $$
  WITH here AS (SELECT DISTINCT r.record, r.type FROM dnsrepl.zone_records(zone) r),
    soa AS (SELECT max(split_part(dnsrepl.rdata(h.record), ' ', 3)::bigint) AS serial FROM here h WHERE h.type::text = 'SOA'),
    file AS (SELECT DISTINCT dnsrepl.record(f.name, f.type, min(f.ttl) OVER (PARTITION BY f.name, f.type), f.prio, CASE f.type::text WHEN 'SOA' THEN dnsrepl.soa_content(f.data, soa.serial, true) ELSE f.data END) AS record
               FROM dnsrepl.zone_file(content, zone) f, soa)
  SELECT CASE WHEN f.record IS NULL THEN '-' ELSE '+' END, coalesce(h.record, f.record)
    FROM here h FULL JOIN file f ON h.record OPERATOR(@extschema@.=) f.record
   WHERE h.record IS NULL OR f.record IS NULL ORDER BY 2, 1
$$;
COMMENT ON FUNCTION dnsrepl.diff(@extschema@.dnsname, text) IS
  'what import_zone() would do to a zone: records that go (-) and come (+). A serial is no difference';
