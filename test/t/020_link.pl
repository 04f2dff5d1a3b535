# Links: what status says of them, what takes effect at once, what must never be seen, what ends them and what does not.
use strict;
use warnings;

use Test::More;
use Dnsrepl;

my $conf = "dnsrepl.keepalive = '500ms'\ndnsrepl.connect_timeout = '2s'\ndnsrepl.chunk_size = '16kB'";
my ($seattle, $tacoma) = map { Dnsrepl->new($_, conf => $conf) } qw(seattle tacoma);
my $serial = 0;

sub state_is
{
    my ($node, $peer, $state, $error, $what) = @_;
    my $row;
    my $found = Dnsrepl::wait_until(sub {
        $row = ($node->try("SELECT state, coalesce(last_error, '') FROM dnsrepl.status WHERE name = '$peer'"))[1] // '';
        return $row =~ /^$state\|/ && $row =~ $error;
    }, 40);
    ok($found, $what) or diag("$node->{name} to $peer: $row");
    return;
}

sub write_some
{
    my ($node, $count) = @_;
    $count //= 1;
    my $from = $serial + 1;
    $serial += $count;
    $node->sql("INSERT INTO records (domain_id, name, type, content, ttl)
        SELECT d.id, 'n' || i || '.example.org', 'A', '192.0.2.1', 300 FROM domains d, generate_series($from, $serial) i
        WHERE d.name = 'example.org'");
    return;
}

sub workers
{
    my ($node, $kind) = @_;
    return $node->cluster->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'dnsrepl $kind'");
}

# ---------------------------------------------------------------- streaming
$seattle->sql("INSERT INTO domains (name, type) VALUES ('example.org', 'NATIVE')");
$seattle->peer($tacoma);
state_is($seattle, 'tacoma', 'streaming', qr/\|$/, 'a link comes up');
write_some($seattle);
is($seattle->sql("SELECT dnsrepl.wait_for_peers('30s')"), 't', 'the peer confirms a commit');
is($seattle->sql("SELECT behind_units, behind_since IS NULL, last_contact > now() - interval '1 min', kind FROM dnsrepl.status"),
    '0|t|t|peer', 'status of a link that is up');
ok(Dnsrepl::same($seattle, $tacoma), 'both serve the same');
my $big = $seattle->session;
$big->query_safe('BEGIN');
write_some($seattle, 3000);
ok($seattle->wait_for_peers, 'a delta of many chunks arrives while a transaction is open');
$big->quit;
ok(Dnsrepl::same($seattle, $tacoma), 'and is served whole');

# ---------------------------------------------------------------- a link breaks, and heals by itself
$seattle->cut($tacoma);
state_is($seattle, 'tacoma', 'down', qr/the (connection was lost|peer could not be reached)/, 'a link that is cut is down, with the reason');
write_some($seattle, 5);
is($seattle->sql("SELECT dnsrepl.wait_for_peers('300ms')"), 'f', 'a peer that cannot be reached has not confirmed');
is($seattle->sql('SELECT behind_units > 0, behind_since IS NOT NULL FROM dnsrepl.status'), 't|t', 'status counts what it lacks');
$seattle->heal($tacoma);
ok($seattle->wait_for_peers, 'the link heals by itself');
is($seattle->sql('SELECT behind_units, behind_since IS NULL, last_error IS NULL FROM dnsrepl.status'), '0|t|t', 'and status says so');

$seattle->freeze($tacoma);
write_some($seattle);
state_is($seattle, 'tacoma', '(down|connecting)', qr/no sign of life|within 2 s/, 'a peer that is silent counts as dead');
$seattle->heal($tacoma);
ok($seattle->wait_for_peers, 'until it speaks again');

$tacoma->cluster->restart;
write_some($seattle);
ok($seattle->wait_for_peers, 'a peer that was restarted gets what came meanwhile');

# ---------------------------------------------------------------- at once, and nothing is lost
$seattle->sql("SELECT dnsrepl.pause('tacoma')");
state_is($seattle, 'tacoma', 'paused', qr/\|$/, 'a paused link is paused');
ok(Dnsrepl::wait_until(sub { workers($seattle, 'link') == 0 }), 'its worker ends');
write_some($seattle, 7);
is($seattle->sql("SELECT dnsrepl.wait_for_peers('10s')"), 't', 'nobody waits for a paused link');
cmp_ok($seattle->sql('SELECT behind_units FROM dnsrepl.status'), '>', 0, 'but status counts');
$seattle->sql("SELECT dnsrepl.resume('tacoma')");
ok($seattle->wait_for_peers, 'resumed, it catches up');
ok(Dnsrepl::same($seattle, $tacoma), 'and nothing was lost');
$seattle->sql("BEGIN; SELECT dnsrepl.drop_peer('tacoma'); ROLLBACK");
write_some($seattle);
ok($seattle->wait_for_peers, 'what is rolled back has no effect');
like(($seattle->try("\\set VERBOSITY verbose\nSELECT dnsrepl.pause('nowhere')"))[2], qr/42704.*link "nowhere" does not exist/, 'an unknown link');
$seattle->sql("SELECT dnsrepl.drop_peer('tacoma')");
ok(Dnsrepl::wait_until(sub { workers($seattle, 'link') == 0 }), 'the worker of a dropped peer ends');
write_some($seattle, 3);
is($seattle->sql('SELECT dnsrepl.wait_for_peers()'), 't', 'no peer, nobody to wait for');
$seattle->connect_to($tacoma);
ok($seattle->wait_for_peers, 'added again, it gets the rest');

# ---------------------------------------------------------------- workers that die
for my $kind (qw(link manager launcher))
{
    my $old = $seattle->sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'dnsrepl $kind'");
    $seattle->sql("SELECT pg_terminate_backend($old)");
    ok($seattle->poll("SELECT count(*) = 1 AND bool_and(pid <> $old) FROM pg_stat_activity WHERE backend_type = 'dnsrepl $kind'"),
        "a $kind that was terminated is started again");
    write_some($seattle);
    ok($seattle->wait_for_peers, 'and works');
}
is(workers($seattle, 'link'), 1, 'one worker a link, whatever happened');

# ---------------------------------------------------------------- secrets
$seattle->sql('CREATE ROLE someone LOGIN');
$seattle->sql('GRANT pg_monitor TO someone');
like(($seattle->try('SELECT conninfo FROM dnsrepl.peer', extra_params => [ '-U', 'someone' ]))[2], qr/permission denied/, 'connection strings are hidden');
is(($seattle->try('SELECT state FROM dnsrepl.status', extra_params => [ '-U', 'someone' ]))[1], 'streaming', 'status is not');
like(($seattle->try("SELECT dnsrepl.add_peer('x', 'host=h')", extra_params => [ '-U', 'someone' ]))[2], qr/permission denied/, 'others add no peers');
$tacoma->sql("CREATE ROLE outsider LOGIN PASSWORD 'not-this-one'");
my $hba = $tacoma->cluster->data_dir . '/pg_hba.conf';
my $trust = PostgreSQL::Test::Utils::slurp_file($hba);
unlink $hba;
PostgreSQL::Test::Utils::append_to_file($hba, "host all outsider 127.0.0.1/32 scram-sha-256\n$trust");
$tacoma->cluster->reload;
my $there = $seattle->conninfo_to($tacoma);
(my $wrong = $there) =~ s/dnsrepl_link/outsider password=open-sesame/;
$seattle->sql("SELECT dnsrepl.add_peer('tacoma', '$wrong')");
state_is($seattle, 'tacoma', 'down', qr/password authentication failed/, 'a wrong password is the reason');
my ($status, undef, $error) = $seattle->try("SELECT dnsrepl.add_peer('tacoma', 'host=h password=open-sesame port')");
like($error, qr/invalid connection string/, 'what is no connection string is refused');
$seattle->sql("UPDATE dnsrepl.peer SET conninfo = 'open-sesame'");
state_is($seattle, 'tacoma', 'down', qr/not valid/, 'and does no harm in the table');
# The statements above are the test's own: a log of errors may show them. What dnsrepl says must not.
unlike($_, qr/sesame/, 'no secret in a message') for $error, $seattle->sql('SELECT * FROM dnsrepl.status');
is(scalar(grep { /sesame/ } grep { !/STATEMENT/ } split /\n/, $seattle->log), 0, 'nor in the log');

# ---------------------------------------------------------------- whom not to talk to
my $self = 'host=127.0.0.1 port=' . $seattle->port . ' user=dnsrepl_link';
$seattle->sql("SELECT dnsrepl.add_peer('tacoma', '$self dbname=pdns')");
state_is($seattle, 'tacoma', 'down', qr/its own peer|this node itself/, 'a node is not its own peer');
$seattle->sql("SELECT dnsrepl.add_peer('tacoma', '$self dbname=postgres')");
state_is($seattle, 'tacoma', 'down', qr/extension dnsrepl is not installed/, 'a database without dnsrepl');
$seattle->sql("SELECT dnsrepl.add_peer('tacoma', '$self dbname=nowhere')");
state_is($seattle, 'tacoma', 'down', qr/"nowhere" does not exist/, 'a database that does not exist');
my $bare = Dnsrepl->new('spokane', server => $seattle, db => 'spokane', setup => 0);
$seattle->sql("SELECT dnsrepl.add_peer('tacoma', '$self dbname=spokane')");
state_is($seattle, 'tacoma', 'down', qr/not a node yet/, 'a database that is not set up');
$bare->sql("SELECT dnsrepl.setup('seattle')");
state_is($seattle, 'tacoma', 'down', qr/the same name/, 'another node of the same name');
$seattle->sql("SELECT dnsrepl.add_peer('tacoma', '$there')");
ok($seattle->wait_for_peers, 'the right one again');
my $down = () = $seattle->log =~ /link "tacoma" is down: .*its own peer/g;
is($down, 1, 'a reason is logged once');

# ---------------------------------------------------------------- nonsense from a peer
my @as_link = (extra_params => [ '-U', 'dnsrepl_link' ]);
my $introduced = "('x' || encode(substr(dnsrepl.hello('UTF8', '\\x00000007" . '0' x 16 . '33' x 16 . '44' x 16 . '0178' . '0000000000000001' x 2 . "00000000'), 5, 8), 'hex'))::bit(64)::bigint";
for my $call ("merge(0, '\\x00')", "merge(0, '\\x44ff', 1, 0)", 'merge_done(0, 1, 1)', "merge($introduced, '\\x44')")
{
    like(($tacoma->try("\\set VERBOSITY verbose\nSELECT dnsrepl.$call", @as_link))[2], qr/ERROR:  08P01/, "nonsense is refused: $call");
}
like(($tacoma->try('SELECT * FROM dnsrepl.version_store', @as_link))[2], qr/permission denied/, 'a link reads no table');
like(($tacoma->try('SELECT * FROM records', @as_link))[2], qr/permission denied/, 'not even a served one');
ok($seattle->wait_for_peers, 'and replication goes on');

# ---------------------------------------------------------------- commands that need the database, or the extension, for themselves
my $admin = sub { $tacoma->cluster->safe_psql('postgres', $_[0]) };
$tacoma->connect_to($seattle);
state_is($tacoma, 'seattle', 'streaming', qr/\|$/, 'both ways');
$admin->('CREATE DATABASE copy TEMPLATE pdns');
pass('a node can be a template');
$admin->('ALTER DATABASE pdns RENAME TO other');
$admin->('ALTER DATABASE other RENAME TO pdns');
pass('and be renamed');
write_some($seattle);
ok($seattle->wait_for_peers, 'afterwards it is a node again');
ok($tacoma->wait_for_peers, 'in both directions');
$tacoma->sql('DROP EXTENSION dnsrepl CASCADE');
pass('the extension can be dropped');
state_is($seattle, 'tacoma', 'down', qr/extension dnsrepl is not installed|does not exist/, 'its peers notice');
ok(Dnsrepl::wait_until(sub { workers($tacoma, 'link') == 0 }), 'its links end');
$admin->('DROP DATABASE pdns');
pass('the database can be dropped');
ok(Dnsrepl::wait_until(sub { workers($tacoma, 'manager') == 0 }), 'it has no manager then');
$admin->('CREATE DATABASE pdns');
$tacoma->sql('CREATE EXTENSION dnsrepl');
$tacoma->sql("SELECT dnsrepl.setup('tacoma')");
$tacoma->connect_to($seattle);
ok($seattle->wait_for_peers, 'made anew, it takes everything');
ok(Dnsrepl::same($seattle, $tacoma), 'and serves it');

# ---------------------------------------------------------------- settings
$seattle->cluster->safe_psql('postgres', 'ALTER SYSTEM SET dnsrepl.databases = \'spokane\'');
$seattle->cluster->reload;
state_is($seattle, 'tacoma', 'down', qr/not in dnsrepl.databases/, 'a database that is no longer listed');
ok(Dnsrepl::wait_until(sub { workers($seattle, 'link') == 0 }), 'has no links');
$seattle->cluster->safe_psql('postgres', 'ALTER SYSTEM RESET dnsrepl.databases');
$seattle->cluster->reload;
write_some($seattle);
ok($seattle->wait_for_peers, 'listed again, it goes on');

my $poor = Dnsrepl->new('yakima', conf => "max_worker_processes = 3\n$conf");
$poor->connect_to($seattle);
state_is($poor, 'seattle', 'down', qr/max_worker_processes/, 'no free worker slot');

done_testing();
