# A new, empty node joins by setup() and add_peer() on both sides while clients write at all others: nothing is lost or doubled.
# Then one leaves for good, and another takes its place.
use strict;
use warnings;
use Dnsrepl;
use Test::More;

my $conf = "dnsrepl.chunk_size = '16kB'\ndnsrepl.keepalive = '1s'";
my @node = map { Dnsrepl->new($_, conf => $conf) } qw(seattle tacoma);
$node[0]->peer($node[1]);
$node[0]->sql(<<'END');
INSERT INTO domains (name, type) SELECT 'z' || i || '.example', 'NATIVE' FROM generate_series(0, 9) i;
INSERT INTO records (domain_id, name, type, content, ttl, prio)
  SELECT d.id, 'old' || i || '.' || d.name, 'A', '192.0.2.1', 60, 0 FROM domains d, generate_series(1, 300) i;
END
ok(Dnsrepl::same(@node), 'two nodes with 3000 records');

# Each transaction adds a name that no other has, moves one of its own to another address, and logs both.
PostgreSQL::Test::Utils::append_to_file("$ENV{DNSREPL_WORK}/join.sql", <<'END');
\set z random(0, 9)
BEGIN;
INSERT INTO mine (zone) VALUES ('z' || :z || '.example') RETURNING no \gset
INSERT INTO records (domain_id, name, type, content, ttl, prio)
  SELECT id, :node || :no || '.' || name, 'A', '192.0.2.1', 60, 0 FROM domains WHERE name = 'z' || :z || '.example';
UPDATE records SET content = '192.0.2.2' WHERE name = (SELECT :node || no || '.' || zone FROM mine WHERE no = :no / 2);
COMMIT;
END

sub bench
{
    my ($node, $seconds) = @_;
    $node->sql('CREATE TABLE mine (no serial PRIMARY KEY, zone text)');
    my $log = "$ENV{DNSREPL_WORK}/pgbench-" . $node->name . '.log';
    my $pid = Dnsrepl::spawn('pgbench', $log, 'pgbench', '-n', '-c', 2, '-j', 1, '-R', 100, '-T', $seconds, '-D', "node='" . $node->name . "'",
        '-f', "$ENV{DNSREPL_WORK}/join.sql", '-h', $node->cluster->host, '-p', $node->port, $node->db);
    return { node => $node, pid => $pid, log => $log };
}

sub bench_end
{
    my ($bench) = @_;
    my $ended = Dnsrepl::wait_until(sub { waitpid($bench->{pid}, POSIX::WNOHANG()) == $bench->{pid} });
    ok($ended && $? == 0, 'the clients at ' . $bench->{node}->name . ' ended well') or diag(PostgreSQL::Test::Utils::slurp_file($bench->{log}));
    return;
}

# All that every node's clients have committed is served once by each, and nothing else.
sub complete
{
    my ($writers, @all) = @_;
    my %want;
    for my $node (@$writers)
    {
        for (split /\n/, $node->sql('SELECT zone, no FROM mine'))
        {
            my ($zone, $no) = split /\|/;
            $want{ $node->name . "$no.$zone" }++;
        }
    }
    $want{"old$_"}++ for map { my $z = $_; map { "$_.z$z.example" } 1 .. 300 } 0 .. 9;
    cmp_ok(scalar(keys %want), '>', 3300, 'many names were made meanwhile');
    for my $node (@all)
    {
        my %have;
        $have{$_}++ for split /\n/, $node->sql("SELECT name FROM records WHERE type = 'A'");
        is(join(' ', grep { ($have{$_} // 0) != $want{$_} } sort keys %want), '', $node->name . ' lost nothing and doubled nothing');
        is(join(' ', grep { !$want{$_} } sort keys %have), '', $node->name . ' invented nothing');
    }
    return;
}

my @bench = map { bench($_, 8) } @node;
my $busy = "SELECT count(*) > 50 FROM mine";
$_->poll($busy) for @node;
my $new = Dnsrepl->new('spokane', conf => $conf);
$new->peer($_) for @node;
ok($new->poll("SELECT count(*) >= 3000 FROM records"), 'the new node has what was there');
push @bench, bench($new, 4);
bench_end($_) for @bench;
ok($_->wait_for_peers, $_->name . ' is confirmed') for @node, $new;
ok(Dnsrepl::same(@node, $new), 'all three are the same');
complete([ @node, $new ], @node, $new);
is($_->sql("SELECT count(*) FROM dnsrepl.status WHERE state <> 'streaming' OR behind_units > 0"), 0, $_->name . ': all links stream') for @node, $new;

# ---------------------------------------------------------------- one leaves without a word; its writes stay
$node[1]->cluster->stop('immediate');
$_->sql("SELECT dnsrepl.drop_peer('tacoma')") for $node[0], $new;
my $late = Dnsrepl->new('yakima', conf => $conf);
$late->peer($new);                # a chain: it never meets the first
ok(Dnsrepl::same($node[0], $new, $late), 'a fourth takes the place of one that has gone, at the other end of a chain');
is($late->sql("SELECT count(*) > 0 FROM dnsrepl.version WHERE node = 'tacoma'"), 't', 'with what the dead one wrote');
done_testing();
