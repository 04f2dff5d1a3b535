# Functions that choose between versions are code that a policy names, and a policy comes from anywhere. Only what this node's
# administrator has allowed here, and as it was then, runs; as nobody; and it leaves nothing behind.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Dnsrepl;
use Test::More;

my $conf = "dnsrepl.keepalive = '1s'\ndnsrepl.check_interval = 0";
my ($seattle, $tacoma) = map { Dnsrepl->new($_, conf => $conf) } qw(seattle tacoma);
my @node = ($seattle, $tacoma);
$seattle->peer($tacoma);

my $take = 'jsonb, jsonb';
sub make { my ($name, $body, %o) = @_;
    return "CREATE OR REPLACE FUNCTION $name(unit jsonb, siblings jsonb) RETURNS jsonb " . ($o{as} // 'IMMUTABLE') . " LANGUAGE plpgsql AS \$f\$ $body \$f\$;" }
sub allow { return "SELECT dnsrepl.allow_resolver('$_[0]($take)');" }
my $first = q(BEGIN RETURN siblings -> 0 -> 'rows'; END);

# Two versions of a record in a zone of its own: the first is .1, the latest .2.
my @zone;
sub conflict
{
    my (@name) = @_;
    $seattle->sql("INSERT INTO domains (name, type) VALUES ('$_', 'NATIVE')") for @name;
    ok(Dnsrepl::same(@node), 'both are the same before');
    $_->sql('SELECT dnsrepl.pause(name) FROM dnsrepl.peer') for @node;
    $seattle->sql("INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'www.' || name, 'A', '192.0.2.1', 60 FROM domains WHERE name = '$_'") for @name;
    $tacoma->sql("INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'www.' || name, 'A', '192.0.2.2', 60 FROM domains WHERE name = '$_'") for @name;
    $_->sql('SELECT dnsrepl.resume(name) FROM dnsrepl.peer') for @node;
    ok(Dnsrepl::same(@node), 'conflicts in ' . join ', ', @name);
    return;
}
sub serves { my ($node, $zone, $n, $what) = @_; return ok($node->poll("SELECT content FROM records WHERE name = 'www.$zone'", "192.0.2.$n"), $node->name . ": $what") }
sub policy { my ($node, $zone, $resolver) = @_;
    return $node->try("INSERT INTO dnsrepl.policy (zone, resolver) VALUES ('$zone', '$resolver') ON CONFLICT (scope) DO UPDATE SET resolver = excluded.resolver") }
sub problem { my ($node, $zone, $text, $what) = @_;
    return ok($node->poll("SELECT count(*) > 0 FROM dnsrepl.problem WHERE zone = '$zone' AND (error || ' / ' || advice) ~ \$t\$$text\$t\$"), $node->name . ": $what")
        || diag($node->sql('SELECT zone, error, advice FROM dnsrepl.problem')) }

# ---------------------------------------------------------------- what can be allowed, and by whom
$_->sql(make('good', $first) . make('definer', $first, as => 'IMMUTABLE SECURITY DEFINER') . make('volatile', $first, as => 'VOLATILE') . make('stable', $first, as => 'STABLE')
      . "CREATE FUNCTION many(unit jsonb, siblings jsonb) RETURNS SETOF jsonb IMMUTABLE LANGUAGE sql AS 'SELECT siblings';"
      . "CREATE FUNCTION other(unit jsonb, siblings jsonb) RETURNS json IMMUTABLE LANGUAGE sql AS 'SELECT siblings::json';"
      . "CREATE FUNCTION one(unit jsonb) RETURNS jsonb IMMUTABLE LANGUAGE sql AS 'SELECT unit';"
      . "CREATE FUNCTION internal(jsonb, jsonb) RETURNS jsonb IMMUTABLE STRICT LANGUAGE internal AS 'jsonb_concat';"
      . "CREATE LANGUAGE untrusted HANDLER plpgsql_call_handler; CREATE FUNCTION unsafe(jsonb, jsonb) RETURNS jsonb IMMUTABLE LANGUAGE untrusted AS 'BEGIN RETURN \$2 -> 0 -> ''rows''; END';"
      . 'CREATE ROLE somebody; GRANT USAGE ON SCHEMA dnsrepl TO somebody; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA dnsrepl TO somebody') for @node;
for ([ "definer($take)", 'SECURITY DEFINER' ], [ "volatile($take)", 'not declared IMMUTABLE' ], [ "stable($take)", 'not declared IMMUTABLE' ], [ "many($take)", 'not a function' ],
    [ "other($take)", 'not a function' ], [ 'one(jsonb)', 'not a function' ], [ "internal($take)", 'trusted' ], [ "unsafe($take)", 'trusted' ], [ "pg_catalog.jsonb_concat($take)", 'trusted' ])
{
    my ($name, $reason) = @$_;
    like(($tacoma->try("SELECT dnsrepl.allow_resolver('$name')"))[2], qr/cannot be allowed to choose.*$reason/, "$name cannot be allowed");
}
like(($tacoma->try(make('pg_temp.f', $first) . allow('pg_temp.f')))[2], qr/temporary/, 'nor a temporary function');
like(($tacoma->try("SET ROLE somebody; SELECT dnsrepl.$_('good($take)')"))[2], qr/permission denied/, "not everybody may $_") for 'allow_resolver', 'disallow_resolver';
is($tacoma->sql('SELECT count(*) FROM dnsrepl.allowed_resolver'), 0, 'nothing is allowed so far');

# ---------------------------------------------------------------- allowed here, or only named
my @bad = qw(pg_catalog.jsonb_concat pg_temp.good public.definer public.volatile public.internal public.unsafe);
my @name = map { "z$_.example" } 0 .. $#bad;
conflict('good.example', @name);
my ($status, undef, $text) = policy($seattle, 'good.example', 'public.good');
is($status, 0, 'a policy with a function that is not allowed');
like($text, qr/WARNING: .*has not been allowed to choose at this node\nHINT: .*SELECT dnsrepl.allow_resolver\('public.good\(jsonb, jsonb\)'\)/, 'says so, and what to run');
for my $node (@node)
{
    problem($node, 'good.example', qr/resolver public.good failed: .*not been allowed.*SELECT dnsrepl.allow_resolver\('public.good\(jsonb, jsonb\)'\)/, 'a problem, with the call to make') for 1;
    serves($node, 'good.example', 2, 'the latest is served');
}
$_->sql(allow('good')) for @node;
serves($_, 'good.example', 1, 'allowed, it chooses') for @node;
is($_->sql('SELECT count(*) FROM dnsrepl.problem'), 0, $_->name . ': no problem') for @node;
for my $i (0 .. $#bad) { like((policy($seattle, $name[$i], $bad[$i]))[2], qr/no resolver "\Q$bad[$i]\E"/, "no policy: $bad[$i]") }
# as a peer would send them
$seattle->sql("ALTER TABLE dnsrepl.policy DISABLE TRIGGER dnsrepl_policy_check");
push @bad, 'pg_catalog.lo_import', '"', 'a.b.c', '""."', 'public.' . 'x' x 3000, 'public.good(jsonb,jsonb)';
policy($seattle, $name[$_] // "y$_.example", $bad[$_]) for 0 .. $#bad;
$seattle->sql("ALTER TABLE dnsrepl.policy ENABLE TRIGGER dnsrepl_policy_check");
ok($tacoma->poll("SELECT count(*) FROM dnsrepl.policy", @bad + 1), 'policies of a peer that name anything');
serves($tacoma, $_, 2, 'the latest is served') for @name;
is($tacoma->sql("SELECT count(DISTINCT zone) FROM dnsrepl.problem WHERE error ~ '^resolver'"), scalar(@bad), 'all of them are problems');
$seattle->sql("DELETE FROM dnsrepl.policy WHERE zone <> 'good.example'");
ok($tacoma->poll('SELECT count(*) FROM dnsrepl.problem', 0), 'until they are gone');

# ---------------------------------------------------------------- as it was when it was allowed
my $last = q(BEGIN RETURN siblings -> -1 -> 'rows'; END);
sub look_again { $_->sql("BEGIN; SELECT dnsrepl.park_zones('good.example', 'look again'); SELECT dnsrepl.policy_changed(); COMMIT") for @node; return }
for ([ 'replaced', make('good', q(BEGIN RETURN siblings -> 0 -> 'rows' ; END)) ], [ 'SECURITY DEFINER', "ALTER FUNCTION good($take) SECURITY DEFINER", "ALTER FUNCTION good($take) SECURITY INVOKER" ],
    [ 'VOLATILE', "ALTER FUNCTION good($take) VOLATILE", "ALTER FUNCTION good($take) IMMUTABLE" ], [ 'given a setting', "ALTER FUNCTION good($take) SET search_path = public" ],
    [ "somebody else's", "ALTER FUNCTION good($take) OWNER TO somebody" ], [ 'made anew', "DROP FUNCTION good($take);" . make('good', $first) ],
    [ 'disallowed', "SELECT dnsrepl.disallow_resolver('good($take)')" ])
{
    my ($what, $sql, $undo) = @$_;
    serves($_, 'good.example', 1, 'it chooses') for @node;
    $_->sql($sql) for @node;
    look_again();
    serves($_, 'good.example', 2, "$what: not any more") for @node;
    problem($tacoma, 'good.example', 'allowed', 'which is a problem');
    $_->sql($undo // 'SELECT 1') for @node;
    $_->sql(allow('good')) for @node;
}
serves($_, 'good.example', 1, 'allowed again') for @node;
$_->sql("GRANT EXECUTE ON FUNCTION good($take) TO somebody; ALTER FUNCTION good($take) COST 7") for @node;
look_again();
ok($_->poll('SELECT count(*) FROM dnsrepl.parked', 0), 'looked at') for @node;
serves($_, 'good.example', 1, 'privileges and costs are not what it is') for @node;

# a dump allows nothing where it is restored; and the copy made by CREATE DATABASE has the functions themselves
my $dump = $tacoma->cluster->basedir . '/dump';
IPC::Run::run([ 'pg_dump', '-h', $tacoma->cluster->host, '-p', $tacoma->port, '-Fc', '-f', $dump, 'pdns' ]) or die 'pg_dump';
$tacoma->cluster->safe_psql('postgres', 'CREATE DATABASE restored');
my $err = '';
ok(IPC::Run::run([ 'pg_restore', '-h', $tacoma->cluster->host, '-p', $tacoma->port, '-d', 'restored', $dump ], '2>', \$err), 'a dump with such a policy can be restored') or diag($err);
is($tacoma->cluster->safe_psql('restored', 'SELECT count(*) FROM dnsrepl.allowed_resolver'), 0, 'and allows nothing');
is($tacoma->cluster->safe_psql('restored', "SELECT count(*) FROM dnsrepl.problem WHERE error ~ 'not been allowed'"), 1, 'which is a problem there');
is($tacoma->cluster->safe_psql('restored', "SELECT count(*) FROM pg_roles WHERE rolname = 'dnsrepl_nobody' AND NOT rolcanlogin AND NOT rolsuper"), 1, 'two databases, one role');

# ---------------------------------------------------------------- what it may do, and what is left of it
my %body = (
    sleeps => 'BEGIN PERFORM pg_sleep(600); RETURN siblings -> 0 -> \'rows\'; END',
    loops => 'BEGIN LOOP NULL; END LOOP; END',
    catches => "BEGIN BEGIN PERFORM pg_sleep(600); EXCEPTION WHEN query_canceled THEN NULL; END; RETURN siblings -> 0 -> 'rows'; END",
    writes => "BEGIN INSERT INTO public.book VALUES ('written'); RETURN siblings -> 0 -> 'rows'; END",
    reads => "BEGIN PERFORM * FROM public.book; RETURN siblings -> 0 -> 'rows'; END",
    files => "BEGIN PERFORM pg_read_file('PG_VERSION'); RETURN siblings -> 0 -> 'rows'; END",
    becomes => "BEGIN EXECUTE 'SET ROLE $ENV{USER}'; RETURN siblings -> 0 -> 'rows'; END",
    readwrite => "BEGIN SET transaction_read_only = off; RETURN siblings -> 0 -> 'rows'; END",
    temporary => "BEGIN CREATE TEMP TABLE t (a int); RETURN siblings -> 0 -> 'rows'; END",
    listens => "BEGIN LISTEN x; RETURN siblings -> 0 -> 'rows'; END",
    memory => "BEGIN RAISE 'x' USING ERRCODE = 'out_of_memory'; END",
    cancel => "BEGIN RAISE 'x' USING ERRCODE = 'query_canceled'; END",
    shutdown => "BEGIN RAISE 'x' USING ERRCODE = 'admin_shutdown'; END",
    nonsense => "BEGIN RETURN '[1]'; END",
    scalar => "BEGIN RETURN '1'; END");
my $who = "current_user = 'dnsrepl_nobody' AND session_user <> 'dnsrepl_nobody' AND current_setting('search_path') = 'pg_catalog, pg_temp' AND current_setting('transaction_read_only') = 'on'"
  . " AND current_setting('TimeZone') = 'UTC' AND NOT has_schema_privilege('dnsrepl', 'USAGE')";
my $tracks = "PERFORM set_config('app.trace', 'left', false), set_config('work_mem', '65kB', false), pg_notify('trace', 'left'); PERFORM lo_create(4711)";
my %fine = (
    nobody => "BEGIN IF $who THEN RETURN siblings -> 0 -> 'rows'; END IF; RETURN NULL; END",
    tracks => "BEGIN $tracks; RETURN siblings -> 0 -> 'rows'; END");
my $all = join '', map { make($_, $body{$_} // $fine{$_}) . allow($_) } sort keys %body, keys %fine;
$_->sql('CREATE TABLE book (said text); ALTER SYSTEM SET lo_compat_privileges = on; SELECT pg_reload_conf()') for @node;
$_->sql($all) for @node;
conflict(map { "$_.example" } sort keys %body, keys %fine);
policy($seattle, "$_.example", "public.$_") for sort keys %body, keys %fine;
serves($_, 'nobody.example', 1, 'it is nobody, with fixed settings, and reads only') for @node;
serves($_, 'tracks.example', 1, 'one that leaves tracks') for @node;
my %says = (sleeps => 'not ended within', loops => 'not ended within', catches => 'not ended within', writes => 'permission denied|read-only', reads => 'permission denied', files => 'permission denied', becomes => 'permission denied|cannot set', readwrite => 'cannot set',
    temporary => 'temporary|permission denied|read-only', listens => 'LISTEN', memory => ': x', cancel => ': x', shutdown => ': x', nonsense => 'must be', scalar => 'must be');
for my $name (sort keys %body)
{
    problem($_, "$name.example", "resolver public.$name failed: .*($says{$name})", "$name: a problem") for @node;
    serves($_, "$name.example", 2, "$name: the latest is served") for @node;
}
is($_->sql('SELECT count(*) FROM book') . $_->sql('SELECT count(*) FROM pg_largeobject_metadata'), '00', $_->name . ': nothing was written') for @node;
$seattle->sql("INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'other.' || name, 'A', '192.0.2.3', 60 FROM domains");
ok(Dnsrepl::same(@node), 'replication goes on');

# In the session of somebody who asks: his settings stay, and his time is his.
my $ask = $tacoma->session;
is($ask->query_safe("SET app.trace = 'mine'; SET work_mem = '77kB'; LISTEN trace; SELECT count(*) FROM dnsrepl.check_store('tracks.example'); SELECT current_setting('app.trace') || current_setting('work_mem')") =~ s/\s+/ /gr, '0 mine77kB', 'settings are what they were');
unlike($ask->query_safe('SELECT 1'), qr/left/, 'no notification');
is($ask->query_safe("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'"), 0, 'no lock');
like(($tacoma->try("SET statement_timeout = '300ms'; SELECT * FROM dnsrepl.check_store('sleeps.example')"))[2], qr/statement timeout/, 'statement_timeout ends the statement, not the function alone');
is(($tacoma->try("SET statement_timeout = '30s'; SELECT count(*) FROM dnsrepl.check_store('sleeps.example'); SELECT pg_sleep(1.2)"))[0], 0, 'and nothing comes after it');

# ---------------------------------------------------------------- one that goes on when it is cancelled
$_->sql(make('stubborn', "BEGIN LOOP BEGIN PERFORM pg_sleep(600); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END") . allow('stubborn')) for @node;
conflict('stubborn.example');
policy($seattle, 'stubborn.example', 'public.stubborn');
for my $node (@node)
{
    problem($node, 'stubborn.example', 'did not end when it was cancelled.*allow_resolver', 'a function that catches the cancel ends with its session, and is not called again');
    like($node->log, qr/dnsrepl ended this session: a function that chooses/, 'the log says so');
    serves($node, 'stubborn.example', 2, 'the latest is served');
}
ok(Dnsrepl::same(@node), 'and replication goes on');
unlike($_->log, qr/PANIC|TRAP:|terminated by signal|WARNING.*(leak|reference)/, $_->name . ' had no crash') for @node;

# ---------------------------------------------------------------- types of users
$_->sql("CREATE FUNCTION seen(text) RETURNS boolean LANGUAGE plpgsql AS \$\$ BEGIN IF current_user <> 'dnsrepl_nobody' AND \$1 = 'by the function' THEN RAISE 'checked as %', current_user; END IF; RETURN true; END \$\$;"
      . 'CREATE DOMAIN checked AS text CHECK (public.seen(VALUE)); ALTER TABLE domainmetadata ALTER content TYPE checked;'
      . make('typed', q(BEGIN IF unit ->> 'tab' <> 'domainmetadata' THEN RETURN siblings -> -1 -> 'rows'; END IF; RETURN '[{"content": "by the function"}]'; END)) . allow('typed')) for @node;
$seattle->sql("INSERT INTO domains (name, type) VALUES ('typed.example', 'NATIVE')");
ok(Dnsrepl::same(@node), 'a domain of somebody\'s with a CHECK');
$_->sql('SELECT dnsrepl.pause(name) FROM dnsrepl.peer') for @node;
$_->sql("INSERT INTO domainmetadata (domain_id, kind, content) SELECT id, 'X-TEST', '" . $_->name . "' FROM domains WHERE name = 'typed.example'") for @node;
$_->sql('SELECT dnsrepl.resume(name) FROM dnsrepl.peer') for @node;
policy($seattle, 'typed.example', 'public.typed');
for my $node (@node)
{
    # read as nobody, it is a value; the owner's CHECK then refuses to store it, with the owner's rights
    problem($node, 'typed.example', 'checked as', 'what a function returns is checked as nobody before it is one of the table\'s');
    is($node->sql("SELECT count(*) FROM dnsrepl.resolver_problem WHERE resolver = 'public.typed'"), 0, $node->name . ': the function itself did not fail');
}
$seattle->sql("DELETE FROM dnsrepl.policy WHERE zone = 'typed.example'");
$_->poll("SELECT count(*) FROM dnsrepl.parked", 0) for @node;

# ---------------------------------------------------------------- allowed at one node only
$_->sql(make('half', $first)) for @node;
conflict('half.example');
$seattle->sql(allow('half'));
policy($seattle, 'half.example', 'public.half');
problem($tacoma, 'half.example', 'not been allowed', 'where it is not allowed, it is a problem');
serves($tacoma, 'half.example', 2, 'and does not choose');
problem($_, 'half.example', 'do not serve the same by resolver public.half', 'the nodes find out that they differ') for @node;
serves($_, 'half.example', 2, 'and serve the latest, both') for @node;
ok(Dnsrepl::same(@node), 'they are the same');
$tacoma->sql(allow('half') . 'UPDATE dnsrepl.policy SET doubted = false');
serves($_, 'half.example', 1, 'until it is allowed at both, and somebody says so') for @node;

# ---------------------------------------------------------------- who is not nobody
$tacoma->sql('ALTER ROLE dnsrepl_nobody SUPERUSER');
look_again();
serves($tacoma, 'good.example', 2, 'a role dnsrepl_nobody that is somebody runs nothing');
problem($tacoma, 'good.example', 'no role dnsrepl_nobody', 'which is a problem');
$tacoma->sql('ALTER ROLE dnsrepl_nobody NOSUPERUSER; GRANT pg_read_all_data TO dnsrepl_nobody');
look_again();
problem($tacoma, 'good.example', 'no role dnsrepl_nobody', 'a member of another role neither');
$tacoma->sql('REVOKE pg_read_all_data FROM dnsrepl_nobody');
look_again();
serves($tacoma, 'good.example', 1, 'nobody again');
done_testing();
