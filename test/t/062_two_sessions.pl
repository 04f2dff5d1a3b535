# Two sessions of one peer at once: what one stages, another neither reads nor takes away, and a merge reads twice what is the same;
# then many sessions that say anything in any order (SEED varies what; ROUNDS has more of it).
use strict;
use warnings;
use Dnsrepl;
use LinkOctets qw(octets seal session_of);
use Test::More;

my $seed = $ENV{SEED} // 42;
srand($seed);
note("SEED=$seed");
my $node = Dnsrepl->new('tacoma', conf => "dnsrepl.keepalive = '500ms'\nrestart_after_crash = on");
$node->sql("INSERT INTO domains (name, type) VALUES ('here.example', 'NATIVE')");
my $clusters = $node->sql("SELECT lpad(to_hex(cardinality(clusters)), 2, '0') || string_agg(replace(c::text, '-', ''), '') FROM dnsrepl.node, unnest(clusters) c GROUP BY clusters");

# What a node of that name says at first, and deltas of it that have nothing but zones: doc/protocol.md.
sub ids { my ($digit) = @_; my $life = 5 + $digit; return ($digit x 32, $life x 32) }
sub hello
{
    my ($digit, $its) = @_;
    my ($id, $life) = ids($digit);
    my $name = "peer$digit";
    return session_of("dnsrepl.hello('UTF8', '\\x00000007" . '0' x 16 . "$id$life" . sprintf('%02x', length $name) . unpack('H*', $name) . '0002000000000000' . '0002000000000000' . '01' . ($its // $clusters) . "0000')");
}
sub first { my ($digit) = @_; my ($id, $life) = ids($digit); return pack('a H32 H32 C a* C C C C', 'D', $id, $life, 5, "peer$digit", 0, 0, 0, 0) }
sub zone { my ($name) = @_; my $wire = join '', map { pack 'C/a', $_ } split(/\./, $name), ''; return pack('C C/a Q> Q>', 1, $wire, 0, 0) }
sub stage { my ($delta, $seq, $data) = @_; return 'SELECT dnsrepl.merge(:session, ' . octets(seal($data)) . ", $delta, $seq)" }
sub done { my ($delta, $n) = @_; return "SELECT encode(dnsrepl.merge_done(:session, $delta, $n), 'hex')" }

sub link_session { return $node->cluster->background_psql('pdns', on_error_stop => 0, timeout => Dnsrepl::TIMEOUT, extra_params => [ '-U', 'dnsrepl_link' ]) }
sub zones_are
{
    my ($want, $what) = @_;
    is($node->sql("SELECT string_agg(name::text, ' ' ORDER BY name) FROM dnsrepl.zone WHERE name <> 'here.example'"), $want, $what);
    return;
}

# ---------------------------------------------------------------- between the two passes of a merge
my ($one, $two) = map { link_session() } 1 .. 2;
$one->query_safe(hello(1));
$one->query_safe(stage(5, 0, first(1) . zone('a.example')));
$one->query_safe(stage(5, 1, 'C' . zone('here.example')));
my $holder = $node->session;
$holder->query_safe("BEGIN; SELECT FROM dnsrepl.zone WHERE name = 'here.example' FOR UPDATE");
$one->query_until(qr/sent/, "\\echo sent\n" . done(5, 2) . ";\n");
# it does not wait for long, unless it is stopped
my $eye = $node->session;
my $merging = Dnsrepl::wait_until(sub { $eye->query_safe("SELECT pid FROM pg_stat_activity WHERE query LIKE '%merge_done%' AND usename = 'dnsrepl_link' AND wait_event_type = 'Lock'") });
ok($merging && kill('STOP', $merging), 'one session merges, and waits between its two passes');
$eye->quit;
$two->query_safe(hello(1));
$two->query_safe(stage(5, 0, first(1) . zone('a.example') . zone('b.example') . zone('c.example')));
$two->query_safe(stage(5, 1, 'C' . zone('d.example') . zone('e.example') . zone('f.example')));
is($node->sql('SELECT count(*), count(DISTINCT session) FROM dnsrepl.staging'), '4|2', 'another one says hello and stages other chunks of the same number');
$holder->query_safe('ROLLBACK');
kill 'CONT', $merging;
like($one->query("SELECT 'next'"), qr/^01.*next/s, 'the merge ends well');
zones_are('a.example', 'with what its own session had staged');
like($two->query(done(5, 2)), qr/^01/, 'so does that of the other');
zones_are('a.example b.example c.example d.example e.example f.example', 'with what that one had');
is($node->sql('SELECT count(*) FROM dnsrepl.staging'), 0, 'nothing is left staged');

# ---------------------------------------------------------------- hello() of one is not the end of the other
$one->query_safe(stage(6, 0, first(1) . zone('g.example')));
$two->query_safe(hello(1));
$one->query_safe(stage(6, 1, 'C' . zone('h.example')));
like($one->query(done(6, 2)), qr/^01/, 'what was staged before another session\'s hello is there still');
$one->query_safe(stage(7, 0, first(1)));
$one->quit;
ok($node->poll("SELECT count(*) FROM pg_stat_activity WHERE usename = 'dnsrepl_link'", 1), 'a session ends in the middle');
ok($node->poll('SELECT count(*) FROM dnsrepl.staging', 0), 'and leaves nothing');
$two->query_safe(hello(1));
$two->query(done(7, 1));
like($two->{stderr}, qr/has not come/, 'a chunk of another session has not come in this one');
$two->{stderr} = '';

# ---------------------------------------------------------------- a stranger's chunks are kept, whoever speaks next
my $stranger = '01' . '9a' x 16;
$two->query_safe(hello(2, $stranger));
$two->query_safe(stage(8, 0, first(2)));
$two->query_safe(stage(8, 1, 'C' . zone('z.example')));
like($two->query(done(8, 2)), qr/^03/, 'a delta of a stranger is kept');
my $kept = "SELECT s.name, s.chunks, count(*) FROM dnsrepl.stranger s JOIN dnsrepl.staging c ON c.node = s.node AND c.delta = s.delta AND c.session = 0 GROUP BY 1, 2";
is($node->sql($kept), 'peer2|2|2', 'in chunks');
my $three = link_session();
$three->query_safe(hello(2, $stranger));
is($node->sql($kept), 'peer2|2|2', 'and stays when another session of that node begins');
$three->query_safe('SELECT dnsrepl.merge(:session, ' . octets(seal(first(2))) . ')');
is($node->sql($kept), 'peer2|1|1', 'until it sends another one');
is($node->sql('SELECT count(*) FROM dnsrepl.join_preview()'), 1, 'which can be looked at');

# ---------------------------------------------------------------- any order
my @statement = ((map { my $d = $_; hello($d), hello($d) } 1, 3), hello(2, $stranger));
push @statement, map { stage(int rand 3, int rand 3, $_) } map { my $d = $_; first($d), first($d) . zone('a.example') . zone('x.example') } 1 .. 3;
push @statement, map { stage(int rand 3, 1 + int rand 2, 'C' . $_) } zone('b.example'), zone('y.example') . zone('z.example'), zone('z.example') . zone('a.example'), '', "\x03\xff";
push @statement, map { done(int rand 3, int rand 4) } 1 .. 6;
push @statement, map { 'SELECT dnsrepl.merge(:session, ' . octets(seal($_)) . ')' } first(1) . zone('k.example'), first(3), 'C', '';
push @statement, 'SELECT dnsrepl.flush(:session)', "SELECT dnsrepl.compare(:session, '\\x00', 0, '')", "BEGIN", 'COMMIT', 'ROLLBACK';
for my $round (1 .. $ENV{ROUNDS} // 2)
{
    my @run = map {
        my $script = "\\set VERBOSITY verbose\n\\set session 0\nSET statement_timeout = '20s';\n" . join '', map { $statement[ rand @statement ] . ";\n" } 1 .. 150;
        my ($out, $err) = ('', '');
        { h => IPC::Run::start([ 'psql', '-XAtq', '-d', $node->cluster->connstr('pdns'), '-U', 'dnsrepl_link' ], '<', \$script, '>', \$out, '2>', \$err), err => \$err }
    } 1 .. 4;
    $_->{h}->finish for @run;
    my %state;
    for (@run) { $state{$1}++ while ${ $_->{err} } =~ /(?:ERROR|FATAL):\s+(\w{5})/g }
    is(join(' ', grep { !/^(08P01|22\w{3}|23505|25\w{3}|40\w{3}|55\w{3}|57014|42710|0A000)$/ } sort keys %state), '', "round $round: no error is one of the code");
    note join ', ', map { "$state{$_} $_" } sort keys %state;
}
is(join("\n", $node->log =~ /^.*(?:PANIC|TRAP:|terminated by signal).*$/mg), '', 'no process was lost');
$_->quit for $two, $three, $holder;
$one = link_session();
$one->query_safe(hello($_)) for 1 .. 3;
ok($node->poll("SELECT count(*) FROM pg_stat_activity WHERE usename = 'dnsrepl_link'", 1), 'all have gone but one');
$one->query_safe(hello($_)) for 1, 3;
$one->query_safe(hello(2, $stranger));
is($node->sql('SELECT count(*) FROM dnsrepl.staging WHERE session <> 0'), 0, 'nothing is left of them');
is($node->sql('SELECT count(*) FROM dnsrepl.check_store()'), 0, 'the store is what the tables are');
done_testing();
