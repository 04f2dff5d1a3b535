# A restored backup, a promoted standby, a copy of a running node, a dump that is restored: each finds out what it is, writes in a
# life of its own, gets back what it has lost, and loses nothing that was written in it meanwhile.
use strict;
use warnings;
use Dnsrepl;
use Test::More;

my $conf = "dnsrepl.keepalive = '200ms'\ndnsrepl.connect_timeout = '2s'\nwal_level = replica\nmax_wal_senders = 4\nautovacuum = off";
my ($seattle, $tacoma, $spokane) = map { Dnsrepl->new($_, conf => $conf) } qw(seattle tacoma spokane);
$seattle->peer($tacoma);
$tacoma->peer($spokane);
$spokane->peer($seattle);

sub put
{
    my ($node, $name, $content) = @_;
    $node->sql("DELETE FROM records WHERE name = '$name.example.org'; INSERT INTO records (domain_id, name, type, content, ttl, prio)"
          . " SELECT id, '$name.example.org', 'A', '$content', 60, 0 FROM domains WHERE name = 'example.org'");
    return;
}
sub shows { return $_[0]->sql("SELECT string_agg(split_part(name::text, '.', 1) || ' ' || content, ', ' ORDER BY name) FROM records WHERE type = 'A'") }
sub serial { return $_[0]->sql("SELECT split_part(content, ' ', 3) FROM records WHERE type = 'SOA'") }
sub sound
{
    my ($what, @node) = @_;
    ok(Dnsrepl::same(@node), "$what: all serve the same");
    is($_->sql("SELECT count(*) FROM dnsrepl.check_store()"), 0, "$what: " . $_->name . '\'s tables are what its store has') for @node;
    is(join(' ', map { $_->sql('SELECT serial FROM dnsrepl.zone WHERE name IS NOT NULL') } @node), join(' ', ($node[0]->sql('SELECT serial FROM dnsrepl.zone WHERE name IS NOT NULL')) x @node),
        "$what: under the same serial");
    return;
}

# A second server with the data of another: from its backup, under another name.
sub server_from
{
    my ($node, $backup, $name, %option) = @_;
    my $server = PostgreSQL::Test::Cluster->new($name);
    $server->init_from_backup($node->cluster, $backup, %option);
    my $copy = bless { name => $name, db => 'pdns', link => {}, server => $server }, 'Dnsrepl';
    return $copy;
}

$seattle->sql("INSERT INTO domains (name, type) VALUES ('example.org', 'NATIVE')");
$seattle->sql("INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, name, 'SOA', 'ns1.example.org h.example.org 1 1 1 1 1', 60 FROM domains");
put($seattle, 'old', '192.0.2.1');
put($seattle, 'edited', '192.0.2.1');
put($seattle, 'deleted', '192.0.2.1');
ok(Dnsrepl::same($seattle, $tacoma, $spokane), 'three nodes');

# ---------------------------------------------------------------- a backup is restored
$seattle->cluster->backup('sunday');
put($seattle, 'lost', '192.0.2.2');                     # by its own former life
put($tacoma, 'edited', '192.0.2.3');
$tacoma->sql("DELETE FROM records WHERE name = 'deleted.example.org'");
put($seattle, 'edited', '192.0.2.4');
ok(Dnsrepl::same($seattle, $tacoma, $spokane), 'life goes on after the backup');
my $served = serial($seattle);
$seattle->cluster->stop('immediate');
my $data = $seattle->cluster->data_dir;
PostgreSQL::Test::RecursiveCopy::copypath($seattle->cluster->backup_dir . '/sunday', "$data.new");
rename $data, "$data.broken" or die $!;
rename "$data.new", $data or die $!;
chmod 0700, $data;
$seattle->cut($tacoma, $spokane);
$seattle->cluster->append_conf('postgresql.conf', 'port = ' . $seattle->port);
$seattle->cluster->start;
is(shows($seattle), 'deleted 192.0.2.1, edited 192.0.2.1, old 192.0.2.1', 'a restored node, alone, serves what the backup has');
put($seattle, 'new', '192.0.2.5');
put($seattle, 'old', '192.0.2.6');
$seattle->heal($tacoma, $spokane);
sound('restored', $seattle, $tacoma, $spokane);
is(shows($spokane), 'edited 192.0.2.4, lost 192.0.2.2, new 192.0.2.5, old 192.0.2.6', 'what it had lost is back, what was deleted is not, what was written before it met anybody is there');
is($seattle->sql('SELECT count(*) FROM dnsrepl.conflict'), 0, 'nothing is in conflict');
cmp_ok(serial($seattle), '>', $served + 999, 'the serial is ahead of what it may have served and forgotten, by a margin');

# ---------------------------------------------------------------- a standby is promoted, the primary is gone
$seattle->cluster->backup('standby');
my $standby = server_from($seattle, 'standby', 'standby', has_streaming => 1);
$standby->cluster->start;
put($seattle, 'onstandby', '192.0.2.7');
$seattle->cluster->wait_for_catchup('standby', 'replay', $seattle->cluster->lsn('flush'));
is(shows($standby), shows($seattle), 'a standby serves what its primary does');
my $query = "SELECT last_error FROM dnsrepl.status WHERE name = 'tacoma'";
like($standby->sql($query), qr/standby/, 'its links say that it is one');
is($standby->sql('SELECT count(*) FROM dnsrepl.check_store()'), 0, 'what it has can be compared with its store');
like(($standby->try("SELECT dnsrepl.wait_for_peers('1s')"))[2], qr/recovery is in progress.*ask its primary/s, 'it sends nothing, and says so');
$standby->cluster->append_conf('postgresql.conf', "primary_conninfo = ''");
$standby->cluster->reload;
ok($standby->poll("SELECT count(*) FROM pg_stat_wal_receiver", 0), 'it falls behind');
put($seattle, 'behind', '192.0.2.8');
ok(Dnsrepl::same($seattle, $tacoma, $spokane), 'the others have what it lacks');
$seattle->cluster->stop('immediate');
$standby->cluster->promote;
# it takes the primary's place: its name, and whom the others reach
for my $other ($tacoma, $spokane)
{
    $other->sql("SELECT dnsrepl.drop_peer('seattle')");
    $other->connect_to($standby);
}
put($standby, 'promoted', '192.0.2.9');
sound('promoted', $standby, $tacoma, $spokane);
is($standby->sql('SELECT name FROM dnsrepl.node'), 'seattle', 'it is the node that its primary was');
like(shows($standby), qr/behind 192.0.2.8.*promoted 192.0.2.9/, 'with what it had not got from it, and its own');

# ---------------------------------------------------------------- and the primary comes back: two of one name
$seattle->cluster->start;
my $which;
ok(Dnsrepl::wait_until(sub { ($which) = grep { $_->sql('SELECT name FROM dnsrepl.node') ne 'seattle' } $seattle, $standby }), 'one of the two becomes a node of its own');
my $renamed = $which->sql('SELECT name FROM dnsrepl.node');
like($renamed, qr/^seattle-[0-9a-f]{6}$/, 'under a name that says whose copy it is');
like($which->log, qr/this is a copy of node "seattle", and has become node "$renamed"/, 'and in its log');
put($seattle, 'primary', '192.0.2.10');
put($standby, 'standby', '192.0.2.11');
ok($_->poll("SELECT count(*) FROM records WHERE name IN ('primary.example.org', 'standby.example.org')", 2), $_->name . ' has what both write') for $tacoma, $spokane;
$which->sql("SELECT dnsrepl.rename_node('yakima')");
put($which, 'renamed', '192.0.2.12');
ok($tacoma->poll("SELECT node FROM dnsrepl.version WHERE key->>'name' = 'renamed.example.org'", 'yakima'), 'it can be given another name');
ok($_->poll("SELECT string_agg(name, ' ' ORDER BY name) FROM dnsrepl.member", 'seattle spokane tacoma yakima'), $_->name . ': which everybody knows') for $tacoma, $spokane;
like(($which->try("SELECT dnsrepl.rename_node('')"))[2], qr/invalid name of a node/, 'but no impossible one');

# ---------------------------------------------------------------- a copy of a running node
$spokane->cluster->backup('clone');
my $clone = server_from($spokane, 'clone', 'clone');
$clone->cluster->start;
my $origin = "SELECT name FROM dnsrepl.node";
ok($clone->poll("SELECT name ~ '^spokane-' FROM dnsrepl.node"), 'a copy of a running node finds out what it is');
is($spokane->sql($origin), 'spokane', 'and the node stays what it was');
put($clone, 'clone', '192.0.2.13');
put($spokane, 'original', '192.0.2.14');
ok($tacoma->poll("SELECT count(*) FROM records WHERE name IN ('clone.example.org', 'original.example.org')", 2), 'what either writes arrives');
$tacoma->connect_to($clone);
sound('copied', $clone, $spokane, $tacoma);
cmp_ok($clone->sql("SELECT count(*) FROM dnsrepl.origin WHERE own AND node = 'spokane'"), '<=', 1, 'the lives that it has copied are another node\'s');
$_->cluster->stop for $clone, $standby, $seattle, $tacoma, $spokane;
done_testing();
