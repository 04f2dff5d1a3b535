# Three servers in a ring, pgbench writing at all of them at once, links cut, frozen and healed at random meanwhile.
# Afterwards: equal digests, equal rows, and no committed change is missing unless a later one overwrote it.
#
# Every transaction logs, in a table of its own node that does not replicate, what it commits:
#   - it replaces the TXT RRset of one of a few names that all nodes fight for;
#   - every fourth adds a name that nobody else touches, and every fourth of those deletes an earlier one of its own.
# REPEATABLE READ, with retries, so that a replacement replaces all that is there and never adds to it.
# DNSREPL_STORM_SECONDS (120), DNSREPL_STORM_SEED. Number 001, so that the longest test starts first.
use strict;
use warnings;
use Dnsrepl;
use Test::More;
use Time::HiRes qw(sleep time);

my $seconds = $ENV{DNSREPL_STORM_SECONDS} // 120;
my $seed = $ENV{DNSREPL_STORM_SEED} // int(rand 1_000_000);
my $names = 60;
plan skip_all => 'pgbench before 15 does not retry' if qx(pgbench --version) =~ /\) 1[0-4]\b/;
note("seed $seed");
srand $seed;

my @node = map { Dnsrepl->new($_) } qw(seattle tacoma spokane);
$node[0]->sql(<<'END');
INSERT INTO domains (name, type) VALUES ('storm.example', 'NATIVE');
INSERT INTO records (domain_id, name, type, content, ttl)
SELECT id, 'storm.example', t.type, t.content, 3600 FROM domains,
    (VALUES ('SOA', 'ns1.storm.example hostmaster.storm.example 1 10800 3600 604800 3600'), ('NS', 'ns1.storm.example')) t (type, content)
WHERE name = 'storm.example'
END
for my $i (0 .. 2)
{
    $node[$i]->peer($node[ ($i + 1) % 3 ]);
}
ok(Dnsrepl::same(@node), 'all start alike');

my $script = "$ENV{DNSREPL_WORK}/storm.sql";
PostgreSQL::Test::Utils::append_to_file($script, <<"END");
\\set k random(1, $names)
\\set own random(1, 4)
\\set drop random(1, 4)
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT nextval('storm_number') AS n \\gset
DELETE FROM records WHERE domain_id = :zone AND name = 'h' || :k || '.storm.example' AND type = 'TXT';
INSERT INTO records (domain_id, name, type, content, ttl) VALUES (:zone, 'h' || :k || '.storm.example', 'TXT', '"' || :node || ' ' || :n || '"', 60);
INSERT INTO storm_log (number, name) VALUES (:n, 'h' || :k || '.storm.example');
\\if :own = 1
INSERT INTO records (domain_id, name, type, content, ttl) VALUES (:zone, :node || '-' || :n || '.storm.example', 'A', '192.0.2.1', 60);
INSERT INTO storm_log (number, name) VALUES (:n, :node || '-' || :n || '.storm.example');
\\if :drop = 1
WITH gone AS (DELETE FROM records WHERE domain_id = :zone AND type = 'A' AND name =
    (SELECT name FROM storm_log WHERE NOT dropped AND name LIKE :node || '-%' AND number <> :n ORDER BY number LIMIT 1)
    RETURNING name::text)
UPDATE storm_log l SET dropped = true FROM gone WHERE l.name = gone.name;
\\endif
\\endif
UPDATE storm_log SET at = clock_timestamp() WHERE number = :n;
COMMIT;
END

my @bench;
for my $node (@node)
{
    $node->sql('CREATE SEQUENCE storm_number; CREATE TABLE storm_log (number bigint, name text, at timestamptz,'
          . ' dropped boolean NOT NULL DEFAULT false); CREATE INDEX ON storm_log (number); CREATE INDEX ON storm_log (name)');
    my $zone = $node->sql("SELECT id FROM domains WHERE name = 'storm.example'");
    my $log = "$ENV{DNSREPL_WORK}/pgbench-" . $node->name . '.log';
    my $pid = Dnsrepl::spawn('pgbench', $log, 'pgbench', '-n', '-c', 2, '-j', 1, '-R', 60, '-T', $seconds, '--max-tries=1000',
        '-D', "zone=$zone", '-D', "node='" . $node->name . "'", '-f', $script,
        '-h', $node->cluster->host, '-p', $node->port, $node->db);
    push @bench, { pid => $pid, log => $log, name => $node->name };
}

# Faults: one link at a time, or all links of one node; broken (refused) or frozen (silent); healed after a while.
my $end = time + $seconds - 2;
my %fault;
while (time < $end)
{
    sleep 0.2 + rand 1.5;
    my $i = int rand 3;
    my ($from, @to) = rand() < 0.4 ? ($node[$i], @node[ ($i + 1) % 3, ($i + 2) % 3 ]) : ($node[$i], $node[ ($i + 1) % 3 ]);
    my $what = (qw(cut cut freeze heal))[ int rand 4 ];
    $from->heal(@to) if $what ne 'heal';
    $from->$what(@to);
    $fault{$what}++;
}
for my $i (0 .. 2) { $node[$i]->heal($node[ ($i + 1) % 3 ]) }
note(join ', ', map { "$_ $fault{$_}" } sort keys %fault);

for my $bench (@bench)
{
    my $done = Dnsrepl::wait_until(sub { waitpid($bench->{pid}, POSIX::WNOHANG()) }, Dnsrepl::TIMEOUT());
    my $status = $?;
    my $log = PostgreSQL::Test::Utils::slurp_file($bench->{log});
    ok($done && $status == 0 && $log =~ /actually processed: [1-9]/, "writes at $bench->{name} went well") or diag($log);
    note(grep { /processed|retried|tps/ } split /^/, $log);
}

ok($_->wait_for_peers(120), $_->name . ' has shipped everything') for @node;
ok(Dnsrepl::same(@node), 'all serve the same after the storm');

# What is served must be explained by the logs. Stamps follow the clock, which is one here; a commit may come a little
# later than its transaction says.
my $slack = 5;
my (%write, %served);
for my $node (@node)
{
    for (split /\n/, $node->sql('SELECT name, number, extract(epoch FROM at), dropped FROM storm_log ORDER BY number'))
    {
        my ($name, $number, $at, $dropped) = split /\|/;
        push @{ $write{$name} }, { node => $node->name, number => $number, at => $at, dropped => $dropped eq 't' };
    }
}
push @{ $served{ $_->[0] } }, $_->[1] for map { [ split /\|/ ] } split /\n/,
    $node[0]->sql("SELECT name, content FROM records WHERE name << 'storm.example' AND type IN ('A', 'TXT')");

my (@lost, @stale, @strange, $own, $fought);
for my $name (sort keys %write)
{
    my @served = @{ delete $served{$name} // [] };
    my @write = @{ $write{$name} };
    if ($name !~ /^h\d/)
    {
        $own++;
        push @lost, $name if !@served && !$write[0]{dropped};
        push @strange, "$name was deleted" if @served && $write[0]{dropped};
        next;
    }
    $fought++;
    my ($by, $number) = @served == 1 ? $served[0] =~ /"(\w+) (\d+)"/ : ();
    my ($winner) = defined $by ? grep { $_->{node} eq $by && $_->{number} == $number } @write : ();
    if (!$winner) { push @strange, "$name: @served"; next }
    my @later = grep { $_->{at} > $winner->{at} + $slack || ($_->{node} eq $by && $_->{number} > $number && $_->{at} > $winner->{at}) } @write;
    push @stale, "$name: $by $number is served, but $later[-1]{node} $later[-1]{number} came later" if @later;
}
push @strange, map { "$_ is served and nobody committed it" } sort keys %served;
note(sprintf '%d names of one writer, %d that all fought for, %d commits logged', $own, $fought, scalar map { @$_ } values %write);
cmp_ok($fought, '>', $names / 2, 'there was something to fight for');
is(join("\n", @lost), '', 'nothing that only one node wrote is missing');
is(join("\n", @stale), '', 'where several wrote, the last one stands');
is(join("\n", @strange), '', 'and nothing is served that was not committed so');
$_->cluster->stop for @node;
unlike($_->log, qr/PANIC|TRAP:|terminated by signal/, $_->name . ' had no crash') for @node;
done_testing();
