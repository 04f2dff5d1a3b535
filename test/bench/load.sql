-- One transaction: zones :lo to :hi with :per records each (an SOA, two NS, addresses), one INSERT a zone, as an importer does.
BEGIN;
SELECT set_config('bench.lo', :'lo', true), set_config('bench.hi', :'hi', true), set_config('bench.per', :'per', true) \g /dev/null
DO $$
DECLARE
  zone text;
  zone_id int;
  per int := current_setting('bench.per')::int;
BEGIN
  FOR z IN current_setting('bench.lo')::int .. current_setting('bench.hi')::int LOOP
    zone := 'z' || z || '.example';
    INSERT INTO domains (name, type) VALUES (zone, 'NATIVE') RETURNING id INTO zone_id;
    INSERT INTO records (domain_id, name, type, content, ttl, prio, disabled, auth)
    SELECT zone_id,
           CASE WHEN k <= 0 THEN zone ELSE 'h' || k || '.' || zone END,
           CASE WHEN k = -2 THEN 'SOA' WHEN k <= 0 THEN 'NS' ELSE 'A' END,
           CASE WHEN k = -2 THEN 'ns1.example hostmaster.example 1 10800 3600 604800 3600'
                WHEN k <= 0 THEN 'ns' || (k + 2) || '.example'
                ELSE '10.' || ((z + k / 65536) % 256) || '.' || (k / 256 % 256) || '.' || (k % 256) END,
           3600, 0, false, true
    FROM generate_series(-2, per - 3) k;
  END LOOP;
END $$;
COMMIT;
