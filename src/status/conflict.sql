-- Conflicts as a hostmaster reads them.

CREATE FUNCTION dnsrepl.conflict_now(zone int, key bytea, OUT rule text, OUT served jsonb, OUT siblings jsonb) RETURNS record
  LANGUAGE C STRICT STABLE AS 'MODULE_PATHNAME', 'dnsrepl_conflict_now' SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION dnsrepl.conflict_now(int, bytea) IS 'a unit in conflict: what chooses, what is served, and its versions';

-- Rows of a unit as lines: records as in a zone file.
CREATE FUNCTION dnsrepl.rows_text(tab text, key jsonb, rows jsonb) RETURNS text
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(string_agg(CASE WHEN jsonb_typeof(r) <> 'object' THEN '(cannot be shown)' WHEN tab = 'records'
           THEN concat_ws(' ', r->>'ttl', key->>'type', nullif(r->>'prio', '0'), r->>'content', CASE WHEN r->>'disabled' = 'true' THEN '(disabled)' END)
           ELSE (SELECT string_agg(k || '=' || v, ' ' ORDER BY k) FROM jsonb_each_text(r - 'content') e (k, v))
                || CASE WHEN r ? 'content' THEN ' ' || (r->>'content') ELSE '' END END,
         E'\n' ORDER BY r), 'deleted')
    FROM jsonb_array_elements(CASE WHEN jsonb_typeof(rows) = 'array' THEN rows ELSE '[]' END) r
$$;
COMMENT ON FUNCTION dnsrepl.rows_text(text, jsonb, jsonb) IS 'for dnsrepl.conflict: the rows of a unit as lines';

CREATE FUNCTION dnsrepl.siblings_text(tab text, key jsonb, siblings jsonb) RETURNS text[]
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT array_agg(format('%s, by %s at %s: %s', s->>'written_at', s->>'user', s->>'node', coalesce('cannot be shown: ' || (s->>'problem'), dnsrepl.rows_text(tab, key, s->'rows'))) ORDER BY n)
    FROM jsonb_array_elements(siblings) WITH ORDINALITY e (s, n)
$$;
COMMENT ON FUNCTION dnsrepl.siblings_text(text, jsonb, jsonb) IS 'for dnsrepl.conflict: versions as lines: when, by whom, where, what';

CREATE VIEW dnsrepl.conflict AS
  SELECT z.name AS zone, coalesce(k.key->>'name', z.name::text) AS name, k.key->>'type' AS type, t.name AS tab, n.rule,
         CASE WHEN n.rule NOT LIKE 'cannot be told:%' THEN dnsrepl.rows_text(t.name, k.key, n.served) END AS served, dnsrepl.siblings_text(t.name, k.key, n.siblings) AS versions,
         o.since, k.key, n.siblings
    FROM dnsrepl.conflict_open o
    JOIN dnsrepl.zone z ON z.no = o.zone
    JOIN dnsrepl.tab t ON t.no = dnsrepl.unit_table(o.key)
   CROSS JOIN LATERAL dnsrepl.conflict_now(o.zone, o.key) n
   CROSS JOIN LATERAL (SELECT dnsrepl.key_columns(o.key)) k (key)
   WHERE n.rule IS NOT NULL;
COMMENT ON VIEW dnsrepl.conflict IS 'what two nodes have edited without knowing of one another: what is served, what is not, by whom, and what chose. The next edit of it settles it';
COMMENT ON COLUMN dnsrepl.conflict.zone IS 'the zone; null: a table without zones';
COMMENT ON COLUMN dnsrepl.conflict.name IS 'the owner name';
COMMENT ON COLUMN dnsrepl.conflict.type IS 'the type, of records';
COMMENT ON COLUMN dnsrepl.conflict.tab IS 'the table';
COMMENT ON COLUMN dnsrepl.conflict.rule IS 'what chose: a resolver (dnsrepl.policy), or the rule of a zone that hides this; or why that cannot be told';
COMMENT ON COLUMN dnsrepl.conflict.served IS 'what is served';
COMMENT ON COLUMN dnsrepl.conflict.versions IS 'what there is: when, by whom, where, what';
COMMENT ON COLUMN dnsrepl.conflict.since IS 'since when it is so here';
COMMENT ON COLUMN dnsrepl.conflict.key IS 'the unit''s key';
COMMENT ON COLUMN dnsrepl.conflict.siblings IS 'the versions, for programs';

CREATE VIEW dnsrepl.conflict_history AS
  SELECT z.name AS zone, coalesce(k.key->>'name', z.name::text) AS name, k.key->>'type' AS type, t.name AS tab, l.rule,
         dnsrepl.siblings_text(t.name, k.key, l.siblings) AS versions, l.since, l.settled, l.node AS settled_at_node, l.author AS settled_by,
         k.key, l.siblings
    FROM dnsrepl.conflict_log l
    JOIN dnsrepl.zone z ON z.no = l.zone
    JOIN dnsrepl.tab t ON t.no = dnsrepl.unit_table(l.key)
   CROSS JOIN LATERAL (SELECT dnsrepl.key_columns(l.key)) k (key);
COMMENT ON VIEW dnsrepl.conflict_history IS 'conflicts that were settled, for dnsrepl.conflict_retention';
COMMENT ON COLUMN dnsrepl.conflict_history.zone IS 'the zone; null: a table without zones';
COMMENT ON COLUMN dnsrepl.conflict_history.name IS 'the owner name';
COMMENT ON COLUMN dnsrepl.conflict_history.type IS 'the type, of records';
COMMENT ON COLUMN dnsrepl.conflict_history.tab IS 'the table';
COMMENT ON COLUMN dnsrepl.conflict_history.rule IS 'what had chosen';
COMMENT ON COLUMN dnsrepl.conflict_history.versions IS 'what there was: when, by whom, where, what';
COMMENT ON COLUMN dnsrepl.conflict_history.since IS 'since when it was so here';
COMMENT ON COLUMN dnsrepl.conflict_history.settled IS 'until when';
COMMENT ON COLUMN dnsrepl.conflict_history.settled_at_node IS 'where the edit was made that settled it; null: none was, or several';
COMMENT ON COLUMN dnsrepl.conflict_history.settled_by IS 'by whom';
COMMENT ON COLUMN dnsrepl.conflict_history.key IS 'the unit''s key';
COMMENT ON COLUMN dnsrepl.conflict_history.siblings IS 'the versions, for programs';
