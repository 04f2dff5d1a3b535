# Tables that belong to a role that is no superuser, as PowerDNS's usually do: written, merged into, adopted. What such an owner
# has put on them (CHECKs, triggers, defaults, index expressions, types) never runs with a superuser's rights because of this
# extension, and where it is called for somebody else, that one's schemas and temporary tables do not choose what it finds.
use strict;
use warnings;
use Dnsrepl;
use Test::More;

my $conf = "dnsrepl.check_interval = '1s'\ndnsrepl.keepalive = '500ms'";
my @as_pdns = (extra_params => [ '-U', 'pdns' ]);

sub role
{
    my ($node, $name) = @_;
    $node->sql("DO \$\$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '$name') THEN CREATE ROLE $name LOGIN; END IF; END \$\$");
    return;
}

# ---------------------------------------------------------------- how a database comes to such an owner
# set up by a superuser, then given away
my $seattle = Dnsrepl->new('seattle', conf => $conf);
role($seattle, 'pdns');
$seattle->sql("SELECT format('ALTER TABLE %s OWNER TO pdns', rel::regclass) FROM dnsrepl.tab WHERE no < 8 \\gexec");

# made by that role with PowerDNS's own schema, then adopted by a superuser
my $tacoma = Dnsrepl->new('tacoma', conf => $conf, setup => 0);
role($tacoma, 'pdns');
$tacoma->sql('GRANT CREATE ON SCHEMA public TO pdns');
my ($schema) = grep { -e } '/usr/share/pdns-backend-pgsql/schema/schema.pgsql.sql', '/usr/share/doc/pdns-backend-pgsql/schema.pgsql.sql';
SKIP: {
    skip 'no schema of PowerDNS here', 1 if !$schema;
    is(($tacoma->try("\\i $schema\nINSERT INTO domains (name, type) VALUES ('old.example', 'NATIVE');"
              . "INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, name, 'SOA', 'ns.old.example h.old.example 1 2 3 4 5', 60 FROM domains;"
              . "INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'www.' || name, 'A', '192.0.2.1', 60 FROM domains", @as_pdns))[0], 0, 'pdns has made its tables');
}
is(($tacoma->try("SELECT dnsrepl.setup('tacoma')"))[0], 0, 'a superuser adopts them');
is($_->sql("SELECT DISTINCT relowner::regrole, relowner = (SELECT oid FROM pg_roles WHERE rolsuper AND rolname = current_user), has_schema_privilege(relowner, 'dnsrepl', 'USAGE')"
          . " FROM pg_class WHERE oid IN (SELECT rel FROM dnsrepl.tab WHERE no < 8)"), 'pdns|f|f', $_->name . ': the tables are his, and dnsrepl is not') for $seattle, $tacoma;

$seattle->peer($tacoma);
ok(Dnsrepl::same($seattle, $tacoma), 'they join');
sub records { my ($zone, $name, $ttl) = @_; return "INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, '$name', 'A', '192.0.2.1', $ttl FROM domains WHERE name = '$zone'" }
role($_, 'editor') for $seattle, $tacoma;
$_->sql('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO editor; GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO editor') for $seattle, $tacoma;
for my $who ([ owner => @as_pdns ], [ superuser => () ], [ editor => extra_params => [ '-U', 'editor' ] ])
{
    my ($what, @as) = @$who;
    is(($seattle->try(records('old.example', "$what.old.example", 60), @as))[2], '', "the $what inserts");
    is(($tacoma->try("UPDATE records SET ttl = 61 WHERE name = 'www.old.example'; INSERT INTO domains (name, type) VALUES ('$what.example', 'NATIVE')", @as))[2], '', "the $what updates");
}
is(($seattle->try("DELETE FROM records WHERE name = 'editor.old.example'", @as_pdns))[2], '', 'the owner deletes');
ok(Dnsrepl::same($seattle, $tacoma), 'all of it is everywhere');
is($_->sql('SELECT count(*) FROM dnsrepl.problem'), 0, $_->name . ': nothing is parked') for $seattle, $tacoma;
is($_->sql('SELECT count(*) FROM dnsrepl.check_store()'), 0, $_->name . ': tables and store agree') for $seattle, $tacoma;
$seattle->sql("DROP TABLE comments; SELECT dnsrepl.setup_missing()");
is($seattle->sql("SELECT tableowner FROM pg_tables WHERE tablename = 'comments'"), 'pdns', 'a table that is made anew is his too');
for my $one ("import_zone('\@ 60 SOA a b 7 2 3 4 5', 'file.example')", "import_zone('\@ 60 SOA a b 7 2 3 4 5\nwww 60 A 192.0.2.1', 'file.example')", "zone_level('file.example', 'warn')")
{
    is(($seattle->try("SELECT * FROM dnsrepl.$one"))[2], '', "a superuser: $one");
}
ok(Dnsrepl::same($seattle, $tacoma), 'the same there');

# ---------------------------------------------------------------- names are nobody's choice
# An owner's trigger that fires always, and names what it needs without a schema.
for my $node ($seattle, $tacoma)
{
    $node->sql('GRANT CREATE ON SCHEMA public TO pdns; CREATE SCHEMA evil AUTHORIZATION editor; GRANT USAGE ON SCHEMA evil TO PUBLIC');
    $node->sql(<<'END', @as_pdns);
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF NEW.type::text = 'SOA' THEN PERFORM jsonb_array_length('[]'::jsonb), mine(); INSERT INTO audit_log VALUES (NEW.name); END IF;
  RETURN NEW; END $$;
CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TABLE audit_log (name text);
GRANT INSERT ON audit_log TO PUBLIC;
CREATE TRIGGER keep AFTER UPDATE ON records FOR EACH ROW EXECUTE FUNCTION keep();
ALTER TABLE records ENABLE ALWAYS TRIGGER keep;
END
    $node->sql(<<'END', extra_params => [ '-U', 'editor' ]);
CREATE FUNCTION evil.mine() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE LOG 'evil as %', current_user; RETURN 1; END $$;
CREATE FUNCTION evil.jsonb_array_length(jsonb) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE LOG 'evil as %', current_user; RETURN 1; END $$;
CREATE FUNCTION evil.fired() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE LOG 'evil as %', current_user; RETURN NEW; END $$;
CREATE TABLE evil.audit_log (name text);
CREATE TRIGGER fired BEFORE INSERT ON evil.audit_log FOR EACH ROW EXECUTE FUNCTION evil.fired();
GRANT ALL ON evil.audit_log TO PUBLIC;
END
}
my $evil = "SET search_path = evil, public, pg_catalog;";
my @as_editor = (extra_params => [ '-U', 'editor' ]);
my (undef, undef, $error) = $seattle->try($evil . records('old.example', 'evil.old.example', 60), @as_editor);
like($error, qr/function mine\(\) does not exist.*search_path = pg_catalog, pg_temp: name the schema/s, 'at commit, what the owner names without a schema is not found, and the hint says why');
$_->sql('ALTER FUNCTION keep() SET search_path = pg_catalog, public, pg_temp', @as_pdns) for $seattle, $tacoma;
is(($seattle->try($evil . records('old.example', 'evil.old.example', 60), @as_editor))[2], '', 'with a search_path of its own it is');
is($seattle->sql('SELECT count(*) > 0 FROM audit_log'), 't', 'and does its work');
ok(Dnsrepl::same($seattle, $tacoma), 'at the other node too');

$_->sql('ALTER FUNCTION keep() RESET search_path; DROP FUNCTION mine(); CREATE OR REPLACE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN'
      . " IF NEW.type::text = 'SOA' THEN INSERT INTO audit_log VALUES (NEW.name); END IF; RETURN NEW; END \$\$", @as_pdns) for $seattle, $tacoma;
my $temporary = "CREATE TEMP TABLE audit_log (name text); CREATE TRIGGER fired BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION evil.fired(); GRANT ALL ON audit_log TO PUBLIC;";
like(($seattle->try($temporary . records('old.example', 'temporary.old.example', 60), @as_editor))[2], qr/session that has temporary objects.*DISCARD TEMP/s,
    'somebody else\'s temporary table is not what the owner\'s trigger writes to');
like(($seattle->try(records('old.example', 'temporary.old.example', 60), @as_pdns))[2], qr/relation "audit_log" does not exist/, 'without one, its name is not found');
$_->sql('DROP TRIGGER keep ON records', @as_pdns) for $seattle, $tacoma;
is(($seattle->try($temporary . records('old.example', 'temporary.old.example', 60), @as_editor))[2], '', 'where no code is called, temporary tables are nobody\'s business');
ok(Dnsrepl::same($seattle, $tacoma), 'all goes on');
# What his session has compiled of the owner's functions is bound to his names, whatever the search_path is later.
$seattle->sql('CREATE FUNCTION whole(varchar) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ DECLARE s text := pg_catalog.lower($1); BEGIN RETURN pg_catalog.length(s) > 0; END $$;'
      . 'ALTER TABLE records ADD CONSTRAINT whole CHECK (public.whole(content))', @as_pdns);
$seattle->sql('CREATE FUNCTION evil.sure(pg_catalog.text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE LOG \'evil as %\', current_user; RETURN true; END $$;'
      . 'CREATE DOMAIN evil.text AS pg_catalog.text CHECK (evil.sure(VALUE))', @as_editor);
is(($seattle->try($evil . records('old.example', 'compiled.old.example', 60), @as_editor))[2], '', 'an owner\'s function that the author\'s session has compiled with a type of his');
like($seattle->log, qr/evil as editor/, 'it calls code of the author\'s');
$seattle->sql('ALTER TABLE records DROP CONSTRAINT whole', @as_pdns);
unlike($_->log, qr/evil as (?!editor)/, $_->name . ': nothing of the editor\'s ran with other rights than his') for $seattle, $tacoma;

# The same at a peer: what a merge writes is parked, with the reason.
$tacoma->sql("CREATE FUNCTION public.small(int) RETURNS boolean LANGUAGE plpgsql AS \$\$ BEGIN RETURN positive(\$1); END \$\$;"
      . "CREATE FUNCTION public.positive(int) RETURNS boolean LANGUAGE sql AS 'SELECT \$1 > 0'; ALTER TABLE records ADD CONSTRAINT small CHECK (public.small(ttl))", @as_pdns);
$seattle->sql(records('old.example', 'parked.old.example', 60));
ok($tacoma->poll("SELECT count(*) > 0 FROM dnsrepl.problem WHERE key->>'name' = 'parked.old.example' AND error LIKE '%positive(%) does not exist. %SET search_path.'"), 'a merge parks it, and says what to do');
$tacoma->sql('ALTER FUNCTION public.small(int) SET search_path = pg_catalog, public, pg_temp', @as_pdns);
ok(Dnsrepl::same($seattle, $tacoma), 'when that is done, it comes by itself');

# ---------------------------------------------------------------- an owner who would be a superuser
my $spokane = Dnsrepl->new('spokane', conf => $conf, setup => 0);
role($spokane, 'mallory');
$spokane->sql('GRANT CREATE ON SCHEMA public TO mallory; GRANT CREATE ON DATABASE pdns TO mallory');
my @as_mallory = (extra_params => [ '-U', 'mallory' ]);
$spokane->sql(<<'END', @as_mallory);
SET client_min_messages = warning;
CREATE FUNCTION hit(text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog AS $$ BEGIN
  RAISE LOG 'hit as % by %', CASE WHEN current_setting('is_superuser') = 'on' AND current_user <> 'mallory' THEN 'SUPERUSER' ELSE current_user END, $1; RETURN true; END $$;
CREATE FUNCTION fired() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$ BEGIN PERFORM public.hit('trigger on ' || TG_TABLE_NAME); RETURN NULL; END $$;
CREATE TABLE domains (id serial PRIMARY KEY, name varchar(255) NOT NULL, master varchar(128), last_check int, type text NOT NULL, notified_serial bigint, account varchar(40), options text, catalog text);
CREATE TABLE records (id bigserial PRIMARY KEY, domain_id int, name varchar(255), type varchar(10), content varchar(65535), ttl int, prio int, disabled bool DEFAULT 'f', ordername varchar(255), auth bool DEFAULT 't');
CREATE TABLE supermasters (ip inet NOT NULL, nameserver varchar(255) NOT NULL, account varchar(40) NOT NULL, PRIMARY KEY (ip, nameserver));
CREATE TABLE comments (id serial PRIMARY KEY, domain_id int NOT NULL, name varchar(255) NOT NULL, type varchar(10) NOT NULL, modified_at int NOT NULL, account varchar(40), comment varchar(65535) NOT NULL);
CREATE TABLE domainmetadata (id serial PRIMARY KEY, domain_id int, kind varchar(32), content text);
CREATE TABLE cryptokeys (id serial PRIMARY KEY, domain_id int, flags int NOT NULL, active bool, published bool DEFAULT true, content text);
CREATE TABLE tsigkeys (id serial PRIMARY KEY, name varchar(255), algorithm varchar(50), secret varchar(255));
INSERT INTO domains (name, type) VALUES ('mallory.example', 'NATIVE');
INSERT INTO records (domain_id, name, type, content, ttl) VALUES (1, 'mallory.example', 'SOA', 'a.example b.example 1 2 3 4 5', 60), (1, 'www.mallory.example', 'A', '192.0.2.1', 60);
INSERT INTO tsigkeys (name, algorithm, secret) VALUES ('key', 'hmac-sha256', 'c2VjcmV0');
INSERT INTO domainmetadata (domain_id, kind, content) VALUES (1, 'X', 'y');
DO $$ DECLARE t text; c text; BEGIN
  FOR t, c IN VALUES ('domains', 'account'), ('records', 'ordername'), ('domainmetadata', 'content'), ('cryptokeys', 'content'), ('comments', 'account'), ('tsigkeys', 'secret'), ('supermasters', 'account') LOOP
    EXECUTE format('ALTER TABLE %1$I ADD CONSTRAINT c CHECK (public.hit(%1$L)), ADD COLUMN mine bool DEFAULT public.hit(%1$L)', t);
    EXECUTE format('CREATE INDEX ON %1$I ((CASE WHEN public.hit(''index of %1$s'') THEN %2$s ELSE %2$s || ''x'' END)) WHERE public.hit(''index'')', t, c);
    EXECUTE format('CREATE TRIGGER fired AFTER INSERT OR UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION fired()', t);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER fired', t);
  END LOOP; END $$;
END

sub hits
{
    my ($what, $some) = @_;
    my $log = $spokane->log;
    my ($from, @super) = ($spokane->{hits} // 0);
    my $new = substr($log, $from);
    $spokane->{hits} = length $log;
    @super = $new =~ /(hit as SUPERUSER by .*)/g;
    is(join("\n", @super), '', "$what: not with a superuser's rights");
    cmp_ok(scalar(() = $new =~ /hit as mallory/g), '>', 0, "$what: with the owner's") if $some;
    return;
}
hits('his own', 1);
$spokane->sql('SELECT * FROM dnsrepl.adoption_report()');
hits('adoption_report()');
$spokane->sql("SET client_min_messages = warning; SELECT dnsrepl.setup('spokane')");
hits('setup()', 1);
for my $call ("* FROM dnsrepl.import_zone('\@ 60 SOA a b 1 2 3 4 5\nwww 60 A 192.0.2.2', 'new.example')", "* FROM dnsrepl.import_zone('\@ 60 SOA a b 1 2 3 4 5', 'mallory.example')",
    "dnsrepl.zone_level('mallory.example', 'warn')")
{
    $spokane->sql("SELECT $call");
    hits($call, 1);
}
for my $call ("dnsrepl.export_zone('new.example')", "* FROM dnsrepl.diff('new.example', '\@ 60 SOA a b 1 2 3 4 5')", '* FROM dnsrepl.check_store()', "* FROM dnsrepl.check_store('tables')", "* FROM dnsrepl.check_store('store')",
    "dnsrepl.server_key('key')", "dnsrepl.note_table('records')", '* FROM dnsrepl.check_all()', 'dnsrepl.digest()', '* FROM dnsrepl.changes_since(NULL)', 'dnsrepl.keep_books()', '* FROM dnsrepl.version', '* FROM dnsrepl.problem')
{
    $spokane->sql("SELECT $call");
    hits($call);
}
$spokane->sql("DELETE FROM records WHERE name = 'www.mallory.example'; INSERT INTO records (domain_id, name, type, content, ttl) VALUES (1, 'sub.mallory.example', 'NS', 'ns.example', 60)", @as_mallory);
hits('his own edits, and what follows them', 1);
$spokane->sql("SELECT dnsrepl.\"join\"('mine')");
$spokane->peer($tacoma);
# a SELECT of the test's own would have the planner compute his indexes' constants
my $alike = sub { my @digest = map { $_->sql('SELECT dnsrepl.digest()') } $spokane, $tacoma; $digest[0] eq $digest[1] };
ok(Dnsrepl::wait_until($alike), 'others are joined');
$tacoma->sql(records('mallory.example', 'merged.mallory.example', 60));
ok($spokane->poll("SELECT count(*) FROM dnsrepl.version WHERE key->>'name' = 'merged.mallory.example'", 1) && Dnsrepl::wait_until($alike), 'and write there');
hits('merges', 1);
my $rounds = $spokane->sql('SELECT rounds FROM dnsrepl.self_check');
ok($spokane->poll("SELECT rounds > $rounds + 1 FROM dnsrepl.self_check"), 'the checker has been round');
hits('the checker');
$spokane->sql('DROP TABLE comments; SELECT dnsrepl.setup_missing()');
hits('setup_missing()');

# Types, casts and operators of his. In a transaction that does not end: what a node makes of such a table is another matter.
$spokane->sql(<<'END', @as_mallory);
CREATE TYPE word AS ENUM ('word.example');
CREATE FUNCTION to_name(word) RETURNS dnsname LANGUAGE plpgsql SET search_path = pg_catalog AS $$ BEGIN PERFORM public.hit('cast'); RETURN 'word.example'; END $$;
CREATE CAST (word AS dnsname) WITH FUNCTION to_name(word) AS IMPLICIT;
CREATE FUNCTION same(word, dnsname) RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog AS $$ BEGIN PERFORM public.hit('operator'); RETURN true; END $$;
CREATE OPERATOR = (LEFTARG = word, RIGHTARG = dnsname, FUNCTION = same);
CREATE TABLE others AS SELECT 'word.example'::word AS name;
END
like(($spokane->try("SELECT * FROM dnsrepl.rows_of('others', '{name}') r (name dnsname)"))[2], qr/42804|type of a user's/, 'a column of his type is not read');
for my $call ('dnsrepl.zones_enter()', "dnsrepl.export_zone('mallory.example')", "dnsrepl.server_key('key')")
{
    $spokane->try("BEGIN; ALTER TABLE tsigkeys ALTER name TYPE word USING 'word.example'; UPDATE dnsrepl.tab SET rel = 'others'::regclass WHERE no = 1; SELECT $call; ROLLBACK");
    hits("$call of his types");
}
$spokane->sql("CREATE SCHEMA pretence; CREATE VIEW pretence.domains AS SELECT 1 AS id, 'x' AS name WHERE hit('view'); CREATE VIEW pretence.records AS SELECT * FROM pretence.domains", @as_mallory);
like(($spokane->try("SELECT * FROM dnsrepl.adoption_report('pretence')"))[1], qr/not an ordinary table/, 'a view that pretends to be a table is reported');
hits('a view that pretends');
done_testing();
