# Functions that choose between versions are code that a policy names, and a policy comes from anywhere. Only what this node's
# administrator has allowed here, and as it was then, runs.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Dnsrepl;
use Resolver;
use Test::More;

my @node = my ($seattle, $tacoma) = resolver_nodes();

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
$_->sql('DROP LANGUAGE untrusted CASCADE') for @node;

# ---------------------------------------------------------------- allowed here, or only named
my @bad = qw(pg_catalog.jsonb_concat pg_temp.good public.definer public.volatile public.internal public.many);
my @name = map { "z$_.example" } 0 .. $#bad;
conflict('good.example', @name);
my ($status, undef, $text) = policy($seattle, 'good.example', 'public.good');
is($status, 0, 'a policy with a function that is not allowed');
like($text, qr/WARNING: .*has not been allowed to choose at this node\nHINT: .*SELECT dnsrepl.allow_resolver\('public.good\(jsonb, jsonb\)'\)/, 'says so, and what to run');
for my $node (@node)
{
    problem($node, 'good.example', q(resolver public.good failed: .*not been allowed.*SELECT dnsrepl.allow_resolver.'public.good.jsonb, jsonb.'.), 'a problem, with the call to make');
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
ok($tacoma->no_problem, 'until they are gone');

# ---------------------------------------------------------------- as it was when it was allowed
my $last = q(BEGIN RETURN siblings -> -1 -> 'rows'; END);
sub look_again { $_->sql("BEGIN; SELECT dnsrepl.park_zones('good.example', 'look again'); SELECT dnsrepl.policy_changed(); COMMIT") for @node; return }
for ([ 'replaced', make('good', q(BEGIN RETURN siblings -> 0 -> 'rows' ; END)) ], [ 'SECURITY DEFINER', "ALTER FUNCTION good($take) SECURITY DEFINER", "ALTER FUNCTION good($take) SECURITY INVOKER" ],
    [ 'VOLATILE', "ALTER FUNCTION good($take) VOLATILE", "ALTER FUNCTION good($take) IMMUTABLE" ], [ 'given a setting', "ALTER FUNCTION good($take) SET search_path = public" ],
    [ "somebody else's", "ALTER FUNCTION good($take) OWNER TO somebody" ], [ 'made anew', "DROP FUNCTION good($take);" . make('good', $first) ],
    [ 'disallowed', "SELECT dnsrepl.disallow_resolver('good($take)')" ])
{
    my ($what, $sql, $undo) = @$_;
    serves($tacoma, 'good.example', 1, 'it chooses');
    $_->sql($sql) for @node;
    look_again();
    serves($tacoma, 'good.example', 2, "$what: not any more");
    problem($tacoma, 'good.example', 'allowed', 'which is a problem');
    $_->sql(($undo // '') . ';' . allow('good')) for @node;
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

unlike($_->log, qr/PANIC|TRAP:|terminated by signal/, $_->name . ' had no crash') for @node;
done_testing();
