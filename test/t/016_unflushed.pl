# Servers that are stopped at once (pg_ctl stop -m immediate), with commits that had not been flushed: what a node says
# it holds is what it holds, what a peer has been told is not lost, and what a peer holds is never told away.
use strict;
use warnings;

use Test::More;
use Dnsrepl;

my $conf = "synchronous_commit = off\nwal_writer_delay = 10s\nbgwriter_lru_maxpages = 0\ndnsrepl.keepalive = '500ms'\nautovacuum = off";

# What a node says in its greeting: origin => { head, ranges }. (src/store/codec.h)
sub holds
{
    my ($node) = @_;
    my $octets = pack 'H*', $node->sql("SELECT encode(dnsrepl.hello(getdatabaseencoding(), '\\x000000070000000000000000' || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || '\\x0570726f62650000000000000001000000000000000100000000'), 'hex')");
    my $at = 4 + 8 + 16 + 16;    # protocol, session, node, life
    my $take = sub { my $part = substr $octets, $at, $_[0]; $at += $_[0]; return $part };
    my $varint = sub {
        my ($value, $shift) = (0, 0);
        while (1)
        {
            my $octet = ord $take->(1);
            $value |= ($octet & 127) << $shift;
            return $value if $octet < 128;
            $shift += 7;
        }
    };
    $take->($varint->());    # the node's name
    $take->(8 + 8 + 1);      # its clock, when its life began, flags
    $take->(16) for 1 .. $varint->();    # clusters
    my %vector;
    for (1 .. $varint->())
    {
        my $origin = join '-', unpack 'H8 H4 H4 H4 H12', $take->(16);
        $take->($varint->());
        my $head = unpack 'Q>', $take->(8);
        my @range = map { [ unpack 'Q> Q>', $take->(16) ] } 1 .. $varint->();
        $vector{$origin} = { head => $head, ranges => \@range };
    }
    for (1 .. $varint->())   # what others hold: node, life, name, when, vector
    {
        $take->(32);
        $take->($varint->());
        $take->(8);
        $take->($varint->());
    }
    die 'trailing octets' if $at != length $octets;
    return \%vector;
}

sub covers
{
    my ($vector, $origin, $stamp) = @_;
    my $entry = $vector->{$origin} or return 0;
    return $stamp <= $entry->{head} || grep { $_->[0] <= $stamp && $stamp <= $_->[1] } @{ $entry->{ranges} };
}

# The versions in a store, after some statements: "unit" => [ [ origin, stamp ] ... ]
sub versions
{
    my ($node, @sql) = @_;
    my %unit;
    for (split /\n/, $node->sql(join ';', @sql, q{SELECT concat_ws(E'\t', tab, zone, key), origin, stamp FROM dnsrepl.version}))
    {
        my ($unit, $origin, $stamp) = split /\|/;
        push @{ $unit{$unit} }, [ $origin, $stamp ];
    }
    return \%unit;
}

sub crash
{
    my ($node) = @_;
    $node->cluster->stop('immediate');
    $node->cluster->start;
    return;
}

sub add_sql
{
    my ($name, $content) = @_;
    return "INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, '$name.example.org', 'A', '$content', 300 FROM domains WHERE name = 'example.org'";
}

# None of what the peer holds, and this node says it holds too, is missing here: it is here, or something newer.
sub says_truth
{
    my ($node, $peer, $what) = @_;
    my ($vector, $mine, $theirs) = (holds($node), versions($node), versions($peer));
    my @missing;
    for my $unit (keys %$theirs)
    {
        my ($newest) = sort { $b <=> $a } map { $_->[1] } @{ $mine->{$unit} // [] };
        for my $version (@{ $theirs->{$unit} })
        {
            my ($origin, $stamp) = @$version;
            push @missing, "$unit $stamp" if covers($vector, $origin, $stamp) && ($newest // 0) < $stamp;
        }
    }
    ok(!@missing, $what) or diag("says that it holds, and has not: $_") for @missing ? @missing[ 0 .. ($#missing > 9 ? 9 : $#missing) ] : '';
    return;
}

my ($a, $b, $c) = map { Dnsrepl->new($_, conf => $conf) } qw(aberdeen bremerton centralia);
$a->sql("INSERT INTO domains (name, type) VALUES ('example.org', 'NATIVE')");
$a->peer($b);
$a->peer($c);
ok($a->wait_for_peers && Dnsrepl::same($a, $b, $c), 'three nodes');

# ---------------------------------------------------------------- commits that were not flushed are gone, and nobody says otherwise
$a->cut($b, $c);
$a->sql(join ';', map { add_sql("flushed$_", '192.0.2.1') } 1 .. 20);
$a->sql('SET synchronous_commit = on; ' . add_sql('last', '192.0.2.1'));
# (each commits by itself)
my @lost = map { add_sql("lost$_", '192.0.2.1') } 1 .. 100;
my $walwriter = $a->sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'");
kill 'STOP', $walwriter;
my $before = versions($a, "UPDATE records SET ttl = 60 WHERE name = 'flushed1.example.org'", @lost);
kill 'KILL', $walwriter;    # which ends the server, as a fault in any process does
Dnsrepl::wait_until(sub { !-e $a->cluster->data_dir . '/postmaster.pid' });
$a->cluster->stop('immediate', fail_ok => 1);
$a->cluster->start;
my ($after, $vector) = (versions($a), holds($a));
my (@gone, @kept);
for my $unit (keys %$before)
{
    for my $version (@{ $before->{$unit} })
    {
        my $there = grep { "@$_" eq "@$version" } @{ $after->{$unit} // [] };
        push @{ $there ? \@kept : \@gone }, [ $unit, @$version ];
    }
}
note(@gone . ' versions were lost, ' . @kept . ' kept');
cmp_ok(scalar @gone, '>=', 100, 'a crash takes what was not flushed (else this test shows nothing)');
cmp_ok(scalar @kept, '>=', 21, 'and keeps what was');
is(scalar(grep { covers($vector, $_->[1], $_->[2]) } @gone), 0, 'the vector claims nothing of what is lost');
is(scalar(grep { !covers($vector, $_->[1], $_->[2]) } @kept), 0, 'and all of what is kept');
my $stamp = $a->sql("SELECT stamp FROM dnsrepl.version WHERE key->>'name' = 'last.example.org'");
$a->sql(add_sql('next', '192.0.2.1'));
cmp_ok($a->sql("SELECT stamp FROM dnsrepl.version WHERE key->>'name' = 'next.example.org'"), '>', (sort map { $_->[2] } @gone)[-1], 'the clock goes on above');
is($a->sql("SELECT count(DISTINCT origin) FROM dnsrepl.version WHERE key->>'name' IN ('next.example.org', 'last.example.org')"), 2, 'in another life');
$vector = holds($a);
is(scalar(grep { covers($vector, $_->[1], $_->[2]) } @gone), 0, 'which claims nothing of the earlier one either');
is(scalar(grep { !covers($vector, $_->[1], $_->[2]) } @kept), 0, 'and has forgotten nothing');
$a->heal($b, $c);
ok($a->wait_for_peers && Dnsrepl::same($a, $b, $c), 'all are equal again');

# ---------------------------------------------------------------- a large commit in flight: a hole in what the crashed life holds
$a->cut($b, $c);
my $id = $a->sql("SELECT id FROM domains WHERE name = 'example.org'");
my $large = Dnsrepl::spawn('psql', undef, 'psql', '-X', '-q', '-d', $a->cluster->connstr($a->db) . ' application_name=large', '-c',
    "BEGIN; INSERT INTO domains (id, name, type) VALUES (777, 'large.example', 'NATIVE'); INSERT INTO records (domain_id, name, type, content, ttl) SELECT 777, 'h' || i || '.large.example', 'A', '192.0.2.1', 300 FROM generate_series(1, 600000) i; COMMIT");
ok($a->poll("SELECT state = 'active' AND query LIKE '%COMMIT%' AND EXISTS (SELECT FROM pg_locks l WHERE l.pid = s.pid AND l.relation = 'dnsrepl.version_store'::regclass AND mode = 'RowExclusiveLock') FROM pg_stat_activity s WHERE application_name = 'large'", 't'),
    'a large commit is under way');
# While it holds its stamp, others commit; in zones of their own.
my $synchronous = 'SET synchronous_commit = on; ';
my $low;
my $found = Dnsrepl::wait_until(sub {
    $a->sql($synchronous . "UPDATE records SET ttl = ttl + 1 WHERE name = 'last.example.org'");
    my ($origin, $stamp, $over);
    ($origin, $stamp, $low, $over) = split /\|/, $a->sql("SELECT o.id, s.stamp, s.low, s.over IS NOT NULL FROM dnsrepl.version_store s JOIN dnsrepl.origin o ON o.no = s.origin JOIN dnsrepl.version v USING (stamp) WHERE v.key->>'name' = 'last.example.org'");
    return $over eq 't';
}, 20);
ok($found, 'others commit meanwhile, twice in the same unit');
my ($origin) = split /\|/, $a->sql("SELECT origin FROM dnsrepl.version WHERE key->>'name' = 'last.example.org'");
my @held = map { (split /\|/)[0] } split /\n/, $a->sql("SELECT stamp FROM dnsrepl.version WHERE origin = '$origin'");
my $over = $a->sql("SELECT encode(over, 'hex') FROM dnsrepl.version_store WHERE over IS NOT NULL");
push @held, map { unpack 'Q>', pack 'H*', $_ } $over =~ /[0-9a-f]{16}/g;
is($a->sql("SELECT state FROM pg_stat_activity WHERE application_name = 'large'"), 'active', 'the large commit is still under way');
$a->cluster->stop('immediate');
Dnsrepl::finish($large);
$a->cluster->start;
is($a->sql("SELECT count(*) FROM domains WHERE name = 'large.example'"), 0, 'it was too late for it');
$vector = holds($a);
is($vector->{$origin}{head}, $low, 'the head is just below the stamp that was in flight');
is(scalar(grep { !covers($vector, $origin, $_) } @held), 0, 'what was committed meanwhile is held, and what that replaced');
ok(!covers($vector, $origin, $low + 1), 'what was in flight is not');
$a->heal($b, $c);
ok($a->wait_for_peers && Dnsrepl::same($a, $b, $c), 'all are equal again');

# ---------------------------------------------------------------- an own write that a peer has replaced does not come back by way of a third
sub same_store
{
    my @node = @_;
    my $sql = "SELECT format('%s %s %s %s %s %s', tab, zone, key, origin, stamp, rows) FROM dnsrepl.version ORDER BY 1";
    my @store;
    my $equal = Dnsrepl::wait_until(sub { @store = map { $_->sql($sql) } @node; return !grep { $_ ne $store[0] } @store }, 10);
    diag(Dnsrepl::difference($store[0], $store[$_])) for $equal ? () : 1 .. $#store;
    return $equal;
}
$a->sql(add_sql('third', '192.0.2.1'));
ok($a->wait_for_peers, 'a write reaches both peers');
$a->cut($c);
$b->sql("UPDATE records SET content = '192.0.2.2' WHERE name = 'third.example.org'");
ok($b->wait_for_peers, 'one of them replaces it');
is($a->sql("SELECT count(*) FROM dnsrepl.version WHERE key->>'name' = 'third.example.org'"), 1, 'its version is the only one');
$a->cut($b);
crash($a);
$a->heal($c);
$a->sql(add_sql('fourth', '192.0.2.1'));
ok($c->poll("SELECT content FROM records WHERE name = 'third.example.org'", '192.0.2.2'), 'the third hears of it after a restart of the first');
ok($c->wait_for_peers, 'and answers');
is($_->sql("SELECT count(*) FROM dnsrepl.version WHERE key->>'name' = 'third.example.org'"), 1, "$_->{name}: it is the only one still") for $a, $c;
$a->heal($b);
ok($a->wait_for_peers && Dnsrepl::same($a, $b, $c), 'all are equal again');
ok(same_store($a, $b, $c), 'their stores too');

# ---------------------------------------------------------------- writers everywhere, and servers stopped in the middle
# Each writer inserts names of its own and rewrites a few that all share. What a node was told by wait_for_peers() that
# others hold, nobody may lose.
my $rounds = $ENV{DNSREPL_CRASHES} // 2;
srand(my $seed = $ENV{DNSREPL_SEED} // time);
note("seed $seed (DNSREPL_SEED)");
$_->sql('CREATE SEQUENCE number') for $a, $b, $c;
my $dir = PostgreSQL::Test::Utils::tempdir('writers');
my $script = <<'END';
\set shared random(1, 20)
\set what random(1, 10)
SELECT id FROM domains WHERE name = 'example.org' \gset
BEGIN;
INSERT INTO records (domain_id, name, type, content, ttl) VALUES (:id, ('NODE-' || nextval('number') || '.example.org')::dnsname, 'A', '192.0.2.1', 300);
DELETE FROM records WHERE domain_id = :id AND name = ('shared' || :shared || '.example.org')::dnsname AND type = 'TXT';
\if :what > 2
INSERT INTO records (domain_id, name, type, content, ttl) VALUES (:id, ('shared' || :shared || '.example.org')::dnsname, 'TXT', '"NODE ' || clock_timestamp() || '"', 300);
\endif
COMMIT;
END

my %writer;

sub start_writers
{
    my ($node) = @_;
    my $file = "$dir/$node->{name}.sql";
    unlink $file;
    PostgreSQL::Test::Utils::append_to_file($file, $script =~ s/NODE/$node->{name}/gr);
    $writer{ $node->{name} } = Dnsrepl::spawn('pgbench', "$dir/$node->{name}.log", 'pgbench', '-n', '-c', 3, '-T', 600, '-f', $file, '--max-tries=10', '-h', $node->cluster->host, '-p', $node->port, $node->db);
    return;
}

sub write_on
{
    my ($node, $count) = @_;
    my $old = $node->sql('SELECT last_value FROM number');
    $node->poll("SELECT last_value > $old + $count FROM number") or die PostgreSQL::Test::Utils::slurp_file("$dir/$node->{name}.log");
    return;
}

# The names that other nodes are sure to have of this one.
sub confirmed
{
    my ($node) = @_;
    my $names = $node->sql("SELECT name FROM records WHERE name LIKE '$node->{name}-%'");
    my ($status, $out) = $node->try("SELECT dnsrepl.wait_for_peers('20s')");
    return defined $out && $out eq 't' ? split /\n/, $names : ();
}

start_writers($_) for $a, $b, $c;
my %safe;
for my $round (1 .. $rounds)
{
    my $victim = ($a, $b, $c)[ int rand 3 ];
    my ($witness) = $victim == $a ? $b : $a;
    write_on($victim, 30);
    my @names = confirmed($victim);
    @safe{@names} = (1) x @names;
    write_on($victim, 30);
    $victim->cut(grep { $_ != $victim } $a, $b, $c);
    write_on($victim, 10);
    crash($victim);
    Dnsrepl::finish(delete $writer{ $victim->{name} });
    says_truth($victim, $witness, "round $round: $victim->{name} was stopped and says the truth");
    $victim->sql("SELECT setval('number', nextval('number') + 1000)");
    $victim->heal(grep { $_ != $victim } $a, $b, $c);
    start_writers($victim);
}
Dnsrepl::finish($_) for values %writer;
ok(Dnsrepl::same($a, $b, $c), 'afterwards all are equal');
ok(same_store($a, $b, $c), 'their stores too');
my %has = map { $_ => 1 } split /\n/, $c->sql("SELECT name FROM records WHERE type = 'A'");
my @lost_names = grep { !$has{$_} } keys %safe;
note(keys(%has) . ' names, ' . keys(%safe) . ' were known to be safe');
cmp_ok(scalar keys %safe, '>', 20, 'some were known to be safe');
is(scalar @lost_names, 0, 'none of them is lost') or diag(join ' ', @lost_names[ 0 .. ($#lost_names > 9 ? 9 : $#lost_names) ]);
unlike($_->log, qr/PANIC|TRAP|terminated by signal (6|11):/, "$_->{name}: no crash of its own") for $a, $b, $c;

done_testing();
