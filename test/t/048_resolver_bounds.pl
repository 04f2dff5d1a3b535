# A function that chooses between versions, allowed or not, runs as nobody, reads only, has a second, and leaves nothing behind.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Dnsrepl;
use Resolver;
use Test::More;

my @node = my ($seattle, $tacoma) = resolver_nodes();
sub look_again { $_->sql("BEGIN; SELECT dnsrepl.park_zones('$_[0]', 'look again'); SELECT dnsrepl.policy_changed(); COMMIT") for @node; return }

# ---------------------------------------------------------------- what it may do, and what is left of it
# What an IMMUTABLE function itself may not say in PL/pgSQL, one that it calls may: $say.
my %say = (
    writes => "INSERT INTO public.book VALUES ('written')", reads => 'PERFORM FROM public.secret', files => "PERFORM pg_read_file('PG_VERSION')", becomes => "SET ROLE $ENV{USER}",
    readwrite => 'SET transaction_read_only = off', temporary => 'CREATE TEMP TABLE t (a int)', listens => 'LISTEN x', sequence => "PERFORM nextval('public.numbers')");
my %body = (map({ ($_ => "BEGIN PERFORM public.say_$_(); RETURN siblings -> 0 -> 'rows'; END") } keys %say),
    loops => 'BEGIN LOOP NULL; END LOOP; END',
    catches => "BEGIN BEGIN PERFORM pg_sleep(600); EXCEPTION WHEN query_canceled THEN NULL; END; RETURN siblings -> 0 -> 'rows'; END",
    memory => "BEGIN RAISE 'my own' USING ERRCODE = 'out_of_memory'; END",
    cancel => "BEGIN RAISE 'my own' USING ERRCODE = 'query_canceled'; END",
    shutdown => "BEGIN RAISE 'my own' USING ERRCODE = 'admin_shutdown'; END",
    nonsense => "BEGIN RETURN '[1]'; END",
    scalar => "BEGIN RETURN '1'; END");
my $who = "current_user = 'dnsrepl_nobody' AND session_user <> 'dnsrepl_nobody' AND current_setting('search_path') = 'pg_catalog, pg_temp' AND current_setting('transaction_read_only') = 'on'"
  . " AND current_setting('TimeZone') = 'UTC' AND NOT has_schema_privilege('dnsrepl', 'USAGE')";
my %fine = (
    nobody => "BEGIN IF $who THEN RETURN siblings -> 0 -> 'rows'; END IF; RETURN NULL; END",
    tracks => "BEGIN PERFORM set_config('app.trace', 'left', false), set_config('work_mem', '65kB', false), pg_notify('trace', 'left'), lo_create(4711); RETURN siblings -> 0 -> 'rows'; END");
my $all = join '', map({ "CREATE FUNCTION say_$_() RETURNS void LANGUAGE plpgsql AS \$f\$ BEGIN $say{$_}; END \$f\$;" } keys %say),
    map { make($_, $body{$_} // $fine{$_}) . allow($_) } sort keys %body, keys %fine;
$_->sql('CREATE TABLE book (said text); CREATE TABLE secret (said text); CREATE SEQUENCE numbers; GRANT ALL ON book, numbers TO PUBLIC') for @node;
$_->sql($all) for @node;
conflict(map { "$_.example" } sort keys %body, keys %fine);
policy($seattle, "$_.example", "public.$_") for sort keys %body, keys %fine;
serves($_, 'nobody.example', 1, 'it is nobody, with fixed settings, and reads only') for @node;
serves($_, 'tracks.example', 1, 'one that leaves tracks') for @node;
my %says = (map({ ($_ => 'not ended within') } qw(loops catches)), map({ ($_ => 'read-only') } qw(writes sequence temporary)), map({ ($_ => 'permission denied') } qw(reads files)),
    becomes => 'cannot set parameter "role"', listens => 'security-restricted operation', map({ ($_ => 'my own') } qw(memory cancel shutdown)), map({ ($_ => 'must be') } qw(nonsense scalar)),
    readwrite => 'cannot set transaction read-write');
for my $name (sort keys %body)
{
    problem($tacoma, "$name.example", "resolver public.$name failed: .*($says{$name})", "$name: a problem");
    serves($tacoma, "$name.example", 2, "$name: the latest is served");
}
is($_->sql('SELECT count(*) FROM book') . $_->sql('SELECT count(*) FROM pg_largeobject_metadata'), '00', $_->name . ': nothing was written') for @node;
$seattle->sql("INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'other.' || name, 'A', '192.0.2.3', 60 FROM domains");
ok(Dnsrepl::same(@node), 'replication goes on');

$seattle->sql("DELETE FROM dnsrepl.policy WHERE zone = 'catches.example'");
ok($tacoma->poll("SELECT count(*) FROM dnsrepl.policy WHERE zone = 'catches.example'", 0), 'less to wait for');

# In the session of somebody who asks: his settings stay, and his time is his.
my $ask = $tacoma->session;
is($ask->query_safe("SET app.trace = 'mine'; SET work_mem = '77kB'; LISTEN trace; SELECT count(*) FROM dnsrepl.check_store(); SELECT current_setting('app.trace') || current_setting('work_mem')") =~ s/\s+/ /gr, '0 mine77kB', 'settings are what they were');
unlike($ask->query_safe('SELECT 1'), qr/left/, 'no notification');
is($ask->query_safe("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'"), 0, 'no lock');
like(($tacoma->try("SET statement_timeout = '300ms'; SELECT * FROM dnsrepl.check_store()"))[2], qr/statement timeout/, 'statement_timeout ends the statement, not the function alone');
is(($tacoma->try("SET statement_timeout = '30s'; SELECT count(*) FROM dnsrepl.check_store(); SELECT pg_sleep(1.2)"))[0], 0, 'and nothing comes after it');

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
$seattle->cut($tacoma);
$_->sql("INSERT INTO domainmetadata (domain_id, kind, content) SELECT id, 'X-TEST', '" . $_->name . "' FROM domains WHERE name = 'typed.example'") for @node;
$seattle->heal($tacoma);
policy($seattle, 'typed.example', 'public.typed');
for my $node (@node)
{
    # read as nobody, it is a value; the owner's CHECK then refuses to store it, with the owner's rights
    problem($node, 'typed.example', 'checked as', 'what a function returns is checked as nobody before it is one of the table\'s');
    is($node->sql("SELECT count(*) FROM dnsrepl.resolver_problem WHERE resolver = 'public.typed'"), 0, $node->name . ': the function itself did not fail');
}
$seattle->sql("DELETE FROM dnsrepl.policy WHERE zone = 'typed.example'");
$_->poll("SELECT count(*) FROM dnsrepl.parked", 0) for @node;

# ---------------------------------------------------------------- who is not nobody
$tacoma->sql('ALTER ROLE dnsrepl_nobody SUPERUSER');
look_again('nobody.example');
serves($tacoma, 'nobody.example', 2, 'a role dnsrepl_nobody that is somebody runs nothing');
problem($tacoma, 'nobody.example', 'no role dnsrepl_nobody', 'which is a problem');
$tacoma->sql('ALTER ROLE dnsrepl_nobody NOSUPERUSER; GRANT pg_read_all_data TO dnsrepl_nobody');
look_again('nobody.example');
problem($tacoma, 'nobody.example', 'no role dnsrepl_nobody', 'a member of another role neither');
$tacoma->sql('REVOKE pg_read_all_data FROM dnsrepl_nobody');
look_again('nobody.example');
serves($tacoma, 'nobody.example', 1, 'nobody again');
done_testing();
