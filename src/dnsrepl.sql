-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION dnsrepl" to load this file. \quit

-- What views, defaults and CHECKs name without a schema is PostgreSQL's, and not what somebody has put into the schema of the types.
SET LOCAL search_path = pg_catalog, pg_temp;

CREATE SCHEMA dnsrepl;
COMMENT ON SCHEMA dnsrepl IS 'DNS replication: dnsrepl.status, dnsrepl.add_peer() and what else one manages it with';

-- The role that peers log in as. Roles belong to the server, so it may be there already.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'dnsrepl_link') THEN
    CREATE ROLE dnsrepl_link LOGIN;
    COMMENT ON ROLE dnsrepl_link IS 'dnsrepl: peers log in as this role';
  END IF;
  -- As whom functions run that choose between versions (store/resolve_function.c): it owns nothing, and is granted nothing.
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'dnsrepl_nobody') THEN
    CREATE ROLE dnsrepl_nobody;
    COMMENT ON ROLE dnsrepl_nobody IS 'dnsrepl: functions that choose between versions run as this role';
  END IF;
END $$;
