# An ordinary user who may create objects in the schema of the types makes functions and operators of the same names for every
# other type of argument, with defaults, and for any number: none of them is ever called by this extension, whoever calls it,
# neither in its functions nor in its views, and none makes a call ambiguous.
use strict;
use warnings;
use Dnsrepl;
use Test::More;

my $node = Dnsrepl->new('seattle', setup => 0, before => <<'END');
CREATE ROLE mallory LOGIN;
GRANT CREATE ON SCHEMA public TO mallory;
SET ROLE mallory;
CREATE FUNCTION public.hit(what text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$ BEGIN RAISE LOG 'hit of % as %', what, current_user; END $$;
-- What PostgreSQL has for any type or number of arguments, for those that views and functions pass.
DO $$ DECLARE f text; args text; BEGIN
  FOREACH f IN ARRAY '{format,concat_ws,jsonb_build_object,concat}'::text[] LOOP
    FOREACH args IN ARRAY ARRAY['text, text', 'text, text, text', 'text, text, text, text', 'text, name', 'text, regclass', 'text, regclass, name', 'text, regclass, name, regclass', 'text, text, bigint', 'text, interval, text, text', 'text, anyelement', 'text, anyelement, anyelement', 'text, text, text[]'] LOOP
      EXECUTE format('CREATE FUNCTION public.%1$I(%2$s) RETURNS %3$s LANGUAGE plpgsql AS $f$ BEGIN PERFORM public.hit(%4$L); RETURN NULL; END $f$', f, args,
        CASE f WHEN 'jsonb_build_object' THEN 'jsonb' ELSE 'text' END, f || ' of ' || args);
    END LOOP;
  END LOOP;
END $$;
-- Operators that have no exact match in pg_catalog.
CREATE FUNCTION public.op(text, int) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM public.hit('||'); RETURN $1; END $$;
CREATE OPERATOR public.|| (LEFTARG = text, RIGHTARG = int, FUNCTION = public.op);
CREATE FUNCTION public.op(bytea, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM public.hit('='); RETURN false; END $$;
CREATE OPERATOR public.= (LEFTARG = bytea, RIGHTARG = text, FUNCTION = public.op);
END

# For each function of the extension in the schema of the types, functions of other arguments.
my @as_mallory = (extra_params => [ '-U', 'mallory' ]);
$node->sql(<<'END', @as_mallory);
SET search_path = pg_catalog;
DO $$
DECLARE
  f record;
  other text;
  way text[];
  result text;
BEGIN
  FOR f IN SELECT p.proname, p.proretset, format_type(p.prorettype, NULL) AS result, ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY a (t, n) ORDER BY n) AS args
             FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e' JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'dnsrepl'
            WHERE p.pronamespace = 'public'::regnamespace AND NOT 'internal'::regtype = ANY (p.proargtypes::oid[]) AND NOT 'cstring'::regtype = ANY (p.proargtypes::oid[]) AND p.prokind = 'f'
              AND p.prorettype NOT IN ('internal'::regtype, 'cstring'::regtype) LOOP
    -- in place of a type another, or one more argument
    FOREACH way SLICE 1 IN ARRAY '{{text,varchar},{text,bpchar},{text,anyelement},{public.dnsname,text},{public.dnsname,varchar},{public.dnsname,anyelement},{public.rrtype,text},{public.rrtype,varchar},{public.rrtype,integer},{public.rrtype,smallint},{public.rrtype,anyelement},{integer,bigint},{integer,smallint},{integer,anyelement},{public.rr,text},{public.rr,anyelement},{+,"x int DEFAULT 0"},{+,"VARIADIC x text[] DEFAULT ''{}''"}}'::text[] LOOP
      other := (SELECT string_agg(CASE WHEN a = way[1] THEN way[2] ELSE a END, ', ' ORDER BY n) FROM unnest(f.args) WITH ORDINALITY u (a, n));
      IF way[1] = '+' THEN
        other := concat_ws(', ', other, way[2]);
      ELSIF NOT way[1] = ANY (f.args) THEN
        CONTINUE;
      END IF;
      result := f.result;
      BEGIN
        EXECUTE format('CREATE FUNCTION public.%I(%s) RETURNS %s LANGUAGE plpgsql AS $f$ BEGIN PERFORM public.hit(%L); RETURN NULL; END $f$', f.proname, other, result, f.proname || ' of ' || other);
      EXCEPTION WHEN duplicate_function OR invalid_function_definition THEN NULL;
      END;
    END LOOP;
  END LOOP;
  -- operators of names, types and records with what they may be compared to
  FOR f IN SELECT DISTINCT o.oprname FROM pg_operator o JOIN pg_depend d ON d.classid = 'pg_operator'::regclass AND d.objid = o.oid AND d.deptype = 'e' WHERE o.oprnamespace = 'public'::regnamespace LOOP
    FOREACH way SLICE 1 IN ARRAY '{{public.dnsname,varchar},{varchar,public.dnsname},{public.dnsname,bpchar},{public.dnsname,name},{public.rrtype,varchar},{varchar,public.rrtype},{public.rrtype,integer},{public.rr,text},{text,public.rr},{text,text},{text,varchar},{public.dnsname,anynonarray},{anynonarray,public.dnsname},{public.rrtype,anynonarray}}'::text[] LOOP
      BEGIN
        EXECUTE format('CREATE FUNCTION public.op(%1$s, %2$s) RETURNS boolean LANGUAGE plpgsql AS $f$ BEGIN PERFORM public.hit(%3$L); RETURN false; END $f$', way[1], way[2], 'operator of ' || way::text);
      EXCEPTION WHEN duplicate_function THEN NULL;
      END;
      BEGIN
        EXECUTE format('CREATE OPERATOR public.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = public.op)', f.oprname, way[1], way[2]);
      EXCEPTION WHEN duplicate_function THEN NULL;
      END;
    END LOOP;
  END LOOP;
END $$;
END
cmp_ok($node->sql("SELECT count(*) FROM pg_proc WHERE proowner = 'mallory'::regrole"), '>', 300, 'there are many functions of those names');
cmp_ok($node->sql("SELECT count(*) FROM pg_operator WHERE oprowner = 'mallory'::regrole"), '>', 100, 'and operators');
$node->sql("SET search_path = public; SELECT rr('a.example'::dnsname, 'A'::rrtype, 1, 1, '192.0.2.1'::varchar)");
like($node->log, qr/hit of rr of/, 'they are called where somebody asks for them');

sub hits
{
    my ($what, $call) = @_;
    my $from = length $node->log;
    my ($status, undef, $error) = $node->try("SET client_min_messages = warning; SET search_path = public; $call");
    is($error, '', "$what: no error");
    my @hit = substr($node->log, $from) =~ /(hit of .*)/g;
    is(join("\n", @hit), '', "$what: nothing of his is called");
    return;
}

hits('setup()', "SELECT dnsrepl.setup('seattle')");
my $zone = "\@ 60 SOA a b 1 2 3 4 5\n\@ 60 NS ns.example.\n\@ 60 MX 10 mail\nwww 60 A 192.0.2.1\nmail 60 A 192.0.2.3\nwww 60 TXT \"x\"";
for my $call ("* FROM dnsrepl.import_zone('$zone', 'example.org')", "* FROM dnsrepl.import_zone('$zone\nnew 60 A 192.0.2.7', 'example.org')", "dnsrepl.export_zone('example.org')",
    "* FROM dnsrepl.diff('example.org', '$zone')", "* FROM dnsrepl.zone_file('$zone', 'example.org')", "dnsrepl.zone_level('example.org', 'warn')", "* FROM dnsrepl.check_zone('example.org')", '* FROM dnsrepl.check_all()',
    "* FROM dnsrepl.check_store('tables')", "* FROM dnsrepl.check_store('store')", 'dnsrepl.keep_books()', 'dnsrepl.zones_enter()', "dnsrepl.note_table('records')", "dnsrepl.digest()", "dnsrepl.digest('example.org')",
    '* FROM dnsrepl.changes_since(NULL)', "dnsrepl.add_server('ns1', '192.0.2.53', '{*}', 'hmac-sha256:k:c2VjcmV0')", "dnsrepl.unmanaged('ns1', '*.dyn.example.org', '{A}')", "dnsrepl.managed('ns1', '*.dyn.example.org')",
    "* FROM dnsrepl.server_todo('ns1')", '* FROM dnsrepl.problem',
    "dnsrepl.server_ask('ns1', 'example.org', 'www.example.org', 1, false, true)", "dnsrepl.server_fails('ns1', 'example.org', 'www.example.org', 1, false, 'it answers REFUSED', 7)",
    "dnsrepl.server_waiting('ns1')", 'dnsrepl.server_lacks(no) FROM dnsrepl.zone', "dnsrepl.server_extras('ns1', 'example.org', '{old.example.org,older.example.org}', '{16,1}')",
    "dnsrepl.remove_extra('ns1', 'example.org', 'old.example.org', 'TXT')", "dnsrepl.server_done('ns1', 'example.org', 'old.example.org', 16, true)",
    "dnsrepl.server_done('ns1', 'example.org', 'www.example.org', 1, false)", "dnsrepl.accept('dnsrepl_link', '{*.example}', '{dns}')", '* FROM dnsrepl.acceptance', "dnsrepl.drop_accept('dnsrepl_link')", "dnsrepl.resync('ns1')", "dnsrepl.drop_server('ns1')", "dnsrepl.add_peer('tacoma', 'host=192.0.2.1 connect_timeout=1')", "dnsrepl.pause('tacoma')", '* FROM dnsrepl.status',
    "dnsrepl.differs_from('tacoma', '{1,2,3}')", "dnsrepl.drop_peer('tacoma')", '* FROM dnsrepl.version', '* FROM dnsrepl.stored_version', '* FROM dnsrepl.member', '* FROM dnsrepl.conflict', '* FROM dnsrepl.conflict_history', '* FROM dnsrepl.self_check',
    '* FROM dnsrepl.rejection', '* FROM dnsrepl.join_preview()', "dnsrepl.rename_node('other')", 'dnsrepl.project_parked()', "dnsrepl.park_zones('example.org', 'again')", '* FROM dnsrepl.links_to_dump()', "* FROM dnsrepl.adoption_report('public')")
{
    hits($call, "SELECT $call");
}
hits('a policy', "INSERT INTO dnsrepl.policy (zone, tab, type, resolver) VALUES ('example.org', 'records', 'A', 'merge')");
hits('its end', "DELETE FROM dnsrepl.policy");
hits('a key from the table', "INSERT INTO tsigkeys (name, algorithm, secret) VALUES ('k.example', 'hmac-sha256', 'c2VjcmV0'); SELECT dnsrepl.server_key('k.example')");
hits('a table made anew', 'DROP TABLE comments; SELECT dnsrepl.setup_missing()');

# PowerDNS's own tables, which have plain text: they are looked at, and converted.
$node->sql('CREATE SCHEMA plain');
$node->sql("SET search_path = plain; CREATE TABLE domains (id serial PRIMARY KEY, name varchar(255) NOT NULL, master varchar(128), last_check int, type varchar(6) NOT NULL, notified_serial int, account varchar(40));"
      . "CREATE TABLE records (id bigserial PRIMARY KEY, domain_id int, name varchar(255), type varchar(10), content varchar(65535), ttl int, prio int, disabled bool DEFAULT 'f', ordername varchar(255), auth bool DEFAULT 't');"
      . "INSERT INTO domains (name, type) VALUES ('plain.example', 'NATIVE'), ('plain.example', 'NATIVE');"
      . "INSERT INTO records (domain_id, name, type, content, ttl, prio) VALUES (1, 'plain.example', 'MX', '10 mail.example', 60, NULL), (1, 'a.plain.example', 'CNAME', 'x.example', 60, 0), (1, 'a.plain.example', 'A', '192.0.2.1', 60, 0), (1, 'b.plain.example', 'DNAME', 'x.example', 60, 0), (1, 'c.b.plain.example', 'A', '192.0.2.1', 60, 0), (7, 'x', 'A', 'y', 1, 1)");
hits('adoption_report()', "SELECT * FROM dnsrepl.adoption_report('plain')");
$node->sql("DELETE FROM plain.records; DELETE FROM plain.domains WHERE id = 2");
hits('setup_adopt()', "SELECT dnsrepl.setup_adopt('plain')");
unlike($node->log, qr/is not unique/, 'no call was ambiguous');
done_testing();
