# Clocks that are wrong: nobody loses a write, nobody else is dragged along, status says so, and it heals by itself.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Dnsrepl;
use Test::More;

my $conf = "dnsrepl.keepalive = '300ms'";
my @node = map { Dnsrepl->new($_, conf => $conf) } qw(seattle tacoma spokane);
my ($seattle, $tacoma, $spokane) = @node;
$node[$_]->peer($node[ ($_ + 1) % 3 ]) for 0 .. 2;
my $n = 0;

sub offset
{
    my ($node, $ms) = @_;
    $node->sql("ALTER SYSTEM SET dnsrepl.clock_offset = '${ms}ms'");
    $node->sql('SELECT pg_reload_conf()');
    ok($node->poll("SELECT setting FROM pg_settings WHERE name = 'dnsrepl.clock_offset'", $ms), $node->name . ": clock off by $ms ms");
}
sub edit { my ($node) = @_; $n++; $node->sql("INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'h$n.example.org', 'A', '192.0.2.1', 300 FROM domains"); return "h$n.example.org" }
sub written { my ($node, $name) = @_; return $node->sql("SELECT extract(epoch FROM written_at - now())::int FROM dnsrepl.version WHERE key->>'name' = '$name'") }

$seattle->sql("INSERT INTO domains (name, type) VALUES ('example.org', 'NATIVE')");
ok(Dnsrepl::same(@node), 'three nodes');
ok($_->poll("SELECT bool_and(clock_skew BETWEEN '-5s' AND '5s') FROM dnsrepl.status"), $_->name . ': clocks agree') for @node;
is($_->sql('SELECT count(*) FROM dnsrepl.problem'), 0, $_->name . ': no problem') for @node;

# some minutes, both ways
offset($tacoma, 240000);
offset($spokane, -240000);
edit($_) for @node, reverse @node;
ok(Dnsrepl::same(@node), 'minutes of skew lose nothing');
ok($seattle->poll("SELECT bool_and(CASE name WHEN 'tacoma' THEN clock_skew BETWEEN '235s' AND '245s' ELSE clock_skew BETWEEN '-245s' AND '-235s' END) FROM dnsrepl.status"), 'status says how far');
ok($seattle->poll("SELECT count(*) FROM dnsrepl.problem WHERE error ~ 'the clocks of this server and of .* differ: that one is 00:04:00 (ahead|behind)|the clock of this server'", 2), 'and the problem is shown');
offset($_, 0) for $tacoma, $spokane;

# a node whose clock is weeks ahead
offset($tacoma, 1728000000);
my $ahead = edit($tacoma);
ok(Dnsrepl::same(@node), 'what it writes is there');
cmp_ok(written($seattle, $ahead), '>', 1700000, 'with the time that it had');
cmp_ok(abs written($seattle, edit($seattle)), '<', 300, 'but drags nobody along');
cmp_ok(abs written($spokane, edit($spokane)), '<', 300, 'nor the other');
ok($tacoma->poll("SELECT count(*) FROM dnsrepl.problem WHERE error ~ 'the clock of this server is 480:00:00 ahead of that of node .*and of most others'", 2), 'it is told that it is the one');
$seattle->sql("UPDATE records SET ttl = 5 WHERE name = '$ahead'");
ok(Dnsrepl::same(@node), 'others edit what it wrote');
is($tacoma->sql("SELECT ttl FROM records WHERE name = '$ahead'"), 5, 'which is the later, whatever the clocks say');
# of private keys the latest version tells what was meant: an author's is later than what he saw
$tacoma->sql("INSERT INTO cryptokeys (domain_id, flags, active, published, content) SELECT id, 257, k = 1, true, 'Private-key-format: v1.2 ' || k FROM domains, generate_series(1, 2) k");
ok(Dnsrepl::same(@node), 'two keys, one of them active');
$seattle->sql("DELETE FROM cryptokeys WHERE active");
ok(Dnsrepl::same(@node), 'the active one is deleted');
is($_->sql('SELECT active FROM cryptokeys'), 'f', $_->name . ': the other does not take its place') for @node;
is($seattle->sql('SELECT zone, tab, key, problem FROM dnsrepl.check_store()'), '', 'the tables are what the store has');
$seattle->sql("DELETE FROM cryptokeys");
ok(Dnsrepl::same(@node), 'the other is deleted too');
is($_->sql('SELECT count(*) FROM cryptokeys'), 0, $_->name . ': and is gone') for @node;
my $lives = $tacoma->sql('SELECT count(*) FROM dnsrepl.origin WHERE own');
offset($tacoma, 0);
my $right = edit($tacoma);
ok(Dnsrepl::same(@node), 'the clock is right again');
cmp_ok(abs written($seattle, $right), '<', 300, 'and so is what it writes');
is($tacoma->sql('SELECT count(*) FROM dnsrepl.origin WHERE own'), $lives + 1, 'in a new life');
edit($_) for @node;
ok(Dnsrepl::same(@node), 'all is the same');
ok($_->no_problem, $_->name . ': no problem is left') for @node;
is($_->sql('SELECT count(*) FROM records'), $n, $_->name . ': nothing is lost') for @node;
is($_->sql('SELECT zone, tab, key, problem FROM dnsrepl.check_store()'), '', $_->name . ': the tables are what the store has') for @node;
done_testing();
