-- The check of one row of PowerDNS's table records (src/type/record_check.c, src/dns/record.c).

CREATE FUNCTION dnsrepl.record_error(name text, type text, ttl integer, prio integer, content text) RETURNS text
    AS 'MODULE_PATHNAME', 'record_error' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION dnsrepl.record_error(text, text, integer, integer, text)
    IS 'what is wrong with a row of PowerDNS''s table records, null if nothing is; never raises an error';
