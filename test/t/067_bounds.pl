# What a peer that is let in may fill, and what a peer's server or a DNS server may answer: all of it has a bound, and the reason is told.
use strict;
use warnings;
use Dnsrepl;
use Guest;
use Test::More;

my $node = Dnsrepl->new('seattle', conf => "dnsrepl.keepalive = '1s'\ndnsrepl.connect_timeout = '1s'\ndnsrepl.check_interval = 0\ndnsrepl.staging_limit = '16MB'");
$node->sql("ALTER DATABASE pdns SET client_min_messages = error; INSERT INTO domains (name, type) VALUES ('example.org', 'NATIVE')");
my $guest = Guest->new('mallory', clusters => $node);
my $head = 1000;
my @own = [ $guest->{life}, 'mallory', $head ];
sub errors { my (@call) = @_; my ($out, $err) = $guest->play($node, @call); return join ' ', $err =~ /ERROR:\s+(\w{5})/g }
sub count { my ($table) = @_; return $node->sql("SELECT count(*) FROM dnsrepl.$table") }

# ---------------------------------------------------------------- members, and what is known of them
$guest->play($node, $guest->merge($guest->delta(vector => \@own)));
my $members = count('roll');
my $vectors = count('peer_vector');
for my $i (1 .. 20)
{
    my $nobody = Guest->new("nobody$i", clusters => $node);
    $nobody->play($node, $nobody->hello);
}
is(count('roll'), $members, 'who just says hello is no member');
is(count('peer_vector'), $vectors, 'and nothing is known of what he holds');
$guest->play($node, $guest->merge($guest->delta(vector => \@own)), $guest->hello);
is($node->sql("SELECT count(*) FROM dnsrepl.roll WHERE name = 'mallory'"), 1, 'who has sent a delta is one');

my $fat = Guest::vector([ $guest->{life}, 'mallory', 0, map { [ 2 * $_, 2 * $_ ] } 1 .. 450 ]);
my @known = map { [ sprintf('%032x', $_), $guest->{life}, "made up $_", 2**49, $fat ] } 1 .. 1000;
is(errors($guest->hello(known => \@known)), '', 'known vectors of nodes that do not exist');
is($node->sql("SELECT count(*) FROM dnsrepl.peer_vector WHERE name LIKE 'made up%'"), 0, 'are not kept');
my $huge = Guest::vector([ $guest->{life}, 'mallory', 0, map { [ 2 * $_, 2 * $_ ] } 1 .. 499 ], map { [ sprintf('%032x', $_), 'x', 0 ] } 1 .. 30000);
$node->sql("INSERT INTO dnsrepl.roll (node, name) VALUES ('" . sprintf('%032x', $_) . "', 'member $_')") for 1, 2;
is(errors($guest->hello(known => [ [ sprintf('%032x', 1), $guest->{life}, 'member 1', 2**52, $fat ], [ sprintf('%032x', 2), $guest->{life}, 'member 2', 2**52, $huge ] ])), '', 'and of members');
is($node->sql("SELECT string_agg(name, ',') FROM dnsrepl.peer_vector WHERE name LIKE 'member%'"), 'member 1', 'if they are not much larger than this node\'s own');
cmp_ok($node->sql("SELECT pg_total_relation_size('dnsrepl.peer_vector')"), '<', 1_000_000, 'so little is kept');
$node->sql("INSERT INTO dnsrepl.peer_vector (node, name, life, vector, contact) SELECT gen_random_uuid(), 'gone', gen_random_uuid(), '\\x00', now() FROM generate_series(1, 10)");
$node->sql("UPDATE dnsrepl.roll SET since = now() - interval '2 days'; INSERT INTO dnsrepl.uptime VALUES (now() - interval '2 days', now()); SELECT dnsrepl.keep_books()");
is($node->sql("SELECT count(*) FROM dnsrepl.peer_vector WHERE name = 'gone'"), 0, 'what is known of nodes that are no members goes');
is($node->sql("SELECT string_agg(name, ',' ORDER BY name) FROM dnsrepl.roll WHERE evicted"), 'member 2', 'a member that was never heard of does not hold deletions back for ever');
$node->sql("INSERT INTO dnsrepl.roll (node, name) SELECT gen_random_uuid(), 'made up ' || i FROM generate_series(1, 1000) i");
my $late = Guest->new('late', clusters => $node);
$late->play($node, $late->merge($late->delta(vector => [ [ $late->{life}, 'late', 1 ] ])), $late->hello);
is($node->sql("SELECT count(*) FROM dnsrepl.roll WHERE name = 'late'"), 0, 'there is an end to members');
like($node->sql("SELECT error FROM dnsrepl.problem WHERE tab = 'member'"), qr/list of members has \d+ entries/, 'which is told');
$node->sql("DELETE FROM dnsrepl.roll WHERE name LIKE 'made up%'");

# ---------------------------------------------------------------- lists
my @many = map { [ sprintf('%032x', $_), 'x', 1 ] } 1 .. 100_001;
is(errors($guest->merge($guest->delta(vector => \@many))), '08P01', 'too many origins');
is(errors($guest->merge($guest->delta(vector => [ map { my $i = $_; [ sprintf('%032x', $i), 'x', 0, map { [ 2 * $_, 2 * $_ ] } 1 .. 50_001 ] } 1, 2 ]))), '08P01', 'too many ranges');
is(errors($guest->merge($guest->delta(vector => [ @own, @own ]))), '08P01', 'an origin twice');
is(errors($guest->merge($guest->delta(vector => [ $own[0], @many[ 0 .. 49_999 ] ]))), '', 'half as many origins');
is(errors($guest->merge($guest->delta(vector => [ $own[0], map { [ sprintf('%032x', $_), 'x', 1 ] } 200_000 .. 250_000 ]))), '54000', 'and half as many again: then there would be too many here');
is(errors($guest->hello), '', 'so that this node can still tell what it holds');
my $key = Guest::record_key('a.example.org', 1);
my $image = "\3\0" . Guest::string('x') . "\0\4\1" . "\x0a192.0.2.1" . "\5" . pack('N', 60) . "\5" . pack('N', 0) . "\2\0";
my @sibling = map { [ 0, $_, $image ] } 1 .. 1001;
is(errors($guest->merge($guest->delta(vector => \@own, items => Guest::zone('example.org') . Guest::unit($key, @sibling)))), '08P01', 'too many versions of a unit');
my $other = Guest->new('eve', clusters => $node);
is(errors($guest->merge($guest->delta(vector => [ [ $other->{life}, 'eve', 1000 ] ], items => Guest::zone('example.org') . Guest::unit($key, @sibling[ 0 .. 999 ])))), '', 'as many as there can be');
is(errors($guest->merge($guest->delta(vector => [ [ '99' x 16, 'x', 1000 ] ], items => Guest::zone('example.org') . Guest::unit($key, @sibling[ 0 .. 9 ])))), '54000', 'and more beside those');

# ---------------------------------------------------------------- what waits
my $block = Guest::seal("C" . 'x' x 1_000_000);
is(errors(map { $guest->chunk($block, 1, $_) } 0 .. 9), '', 'some chunks of a delta');
like(errors(map { $guest->chunk($block, 2, $_) } 0 .. 29), qr/^(?:53400 ?)+$/, 'more than dnsrepl.staging_limit');
cmp_ok($node->sql("SELECT pg_total_relation_size('dnsrepl.staging')"), '<', 20_000_000, 'are not kept');
$node->sql("UPDATE dnsrepl.staging SET at = now() - interval '2 hours'; SELECT dnsrepl.keep_books(); VACUUM dnsrepl.staging");
is(count('staging'), 0, 'what nobody waits for goes');
$node->sql("INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'here.example.org', 'A', '192.0.2.1', 60 FROM domains");
for my $i (1 .. 12)
{
    my $stranger = Guest->new("stranger$i", clusters => [ sprintf '%032x', $i + 100 ]);
    my $script = $stranger->begin(flags => 1) . 'SELECT ' . $stranger->merge(Guest::seal('D' . 'x' x 10_000)) . ';';
    $script .= join '', map { 'SELECT ' . $stranger->chunk($block, 1, $_) . ';' } 0, 1 if $i == 12;
    $node->cluster->psql('pdns', $script, stderr => \my $err, extra_params => [ '-U', 'dnsrepl_link' ]);
    like($err, qr/too large to be kept for dnsrepl.join_preview/, 'of a stranger little is kept') if $i == 12;
}
is(count('stranger'), 8, 'and of few');
$node->sql("UPDATE dnsrepl.stranger SET at = now() - interval '8 days'; SELECT dnsrepl.keep_books()");
is(count('stranger'), 0, 'not for ever');

# ---------------------------------------------------------------- a peer's server that answers what none does
sub hostile { my ($kind) = @_; my $port = Dnsrepl::free_port(); my $pid = Dnsrepl::spawn('hostile server', undef, $^X, "$ENV{DNSREPL_ROOT}/test/lib/hostile.pl", $port, $kind); Dnsrepl::listening($port); return ($port, $pid) }
sub memory { my ($pid) = @_; my ($kB) = PostgreSQL::Test::Utils::slurp_file("/proc/$pid/status") =~ /^VmHWM:\s+(\d+)/m; return $kB / 1024 }
for ([ 'rows', qr/not one of dnsrepl/, 100 ], [ 'huge', qr/./, 200 ], [ 'notify', qr/./, 100 ], [ 'parameters', qr/./, 1500 ], [ 'error', qr/m{100}/, 400 ])
{
    my ($kind, $reason, $most) = @$_;
    my ($port, $pid) = hostile($kind);
    $node->sql("SELECT dnsrepl.add_peer('$kind', 'host=127.0.0.1 port=$port dbname=pdns user=x')");
    ok($node->poll("SELECT state = 'down' AND last_error <> '' FROM dnsrepl.status WHERE name = '$kind'"), "$kind: the link is down");
    like($node->sql("SELECT last_error FROM dnsrepl.status WHERE name = '$kind'"), $reason, 'with the reason');
    my @worker = split /\n/, $node->sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'dnsrepl link'");
    is(scalar @worker, 1, 'its process lives');
    cmp_ok(memory($worker[0]), '<', $most, 'and has not grown') if @worker && -e "/proc/$worker[0]/status";
    $node->sql("SELECT dnsrepl.drop_peer('$kind')");
    ok($node->poll("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'dnsrepl link'", 0), 'it ends');
    Dnsrepl::finish($pid);
}
my ($port, $pid) = hostile('notices');
$node->sql("SELECT dnsrepl.add_peer('notices', 'host=127.0.0.1 port=$port dbname=pdns user=x')");
ok($node->poll("SELECT waiting_since < now() - interval '3 s' FROM dnsrepl.status WHERE name = 'notices'"), 'who says for ever that he is at work: since when is told');
$node->sql("SELECT dnsrepl.drop_peer('notices')");
ok($node->poll("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'dnsrepl link'", 0), 'and the link can be dropped');
Dnsrepl::finish($pid);

# ---------------------------------------------------------------- a DNS server likewise
for ([ 'axfr', qr/transfer of zone "example.org" is too large/ ], [ 'trickle', qr/does not answer/ ], [ 'question', qr/another question/ ], [ 'empty', qr/not well-formed/ ])
{
    my ($kind, $reason) = @$_;
    my ($p, $child) = hostile($kind);
    $node->sql("SELECT dnsrepl.add_server('$kind', '127.0.0.1:$p'); SELECT dnsrepl.pause('$kind')");
    my $before = $node->sql("SELECT temp_bytes FROM pg_stat_database WHERE datname = 'pdns'");
    my (undef, undef, $error) = $node->try("SELECT count(*) FROM dnsrepl.verify('$kind')");
    like($error, $reason, "$kind: verify() ends, with the reason");
    cmp_ok($node->sql("SELECT temp_bytes FROM pg_stat_database WHERE datname = 'pdns'") - $before, '<', 400_000_000, 'and has not filled the disk');
    $node->sql("SELECT dnsrepl.drop_server('$kind')");
    Dnsrepl::finish($child);
}
unlike($node->log, qr/PANIC|TRAP:|terminated by signal/, 'no crash');
done_testing();
