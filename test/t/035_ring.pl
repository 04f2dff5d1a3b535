# Changes pass through nodes that did not make them; when all have them, nothing moves any more.
use strict;
use warnings;
use Dnsrepl;
use Test::More;

my @conf = (conf => "dnsrepl.keepalive = '300ms'\ntrack_functions = all");
my @node = map { Dnsrepl->new($_, @conf) } qw(seattle tacoma spokane yakima);
my ($seattle, $tacoma, $spokane, $yakima) = @node;

sub add
{
    my ($node, $name) = @_;
    $node->sql("INSERT INTO records (domain_id, name, type, content, ttl, prio)"
          . " SELECT id, '$name.example.org', 'A', '192.0.2.1', 60, 0 FROM domains WHERE name = 'example.org'");
    return;
}

sub has { my ($node, $name, $n) = @_; return $node->poll("SELECT count(*) FROM records WHERE name = '$name.example.org'", $n // 1) }

# What a merge, or a capture, or a renewed projection would touch: which rows there are, and who wrote them when.
sub traces
{
    my ($node) = @_;
    return $node->sql(<<'END');
SELECT string_agg(md5(t::text), ' ') FROM (
  SELECT 'v', ctid::text, xmin::text FROM dnsrepl.version_store UNION ALL SELECT 'h', ctid::text, xmin::text FROM dnsrepl.vector
  UNION ALL SELECT 'p', ctid::text, xmin::text FROM dnsrepl.peer_vector UNION ALL SELECT 'o', ctid::text, xmin::text FROM dnsrepl.origin
  UNION ALL SELECT 'r', ctid::text, xmin::text FROM records UNION ALL SELECT 'd', ctid::text, xmin::text FROM domains ORDER BY 1, 2) t
END
}

sub calls { my ($node, $name) = @_; return $node->sql("SELECT coalesce(sum(calls), 0) FROM pg_stat_user_functions WHERE funcname = '$name'") }

# Two intervals of quiet, in which every node was greeted again, and nobody has written anything, not even to its WAL.
sub quiet
{
    my ($what, @who) = @_;
    my ($before, $after, $merges);
    my $still = Dnsrepl::wait_until(sub {
        my @hello = map { calls($_, 'hello') } @who;
        ($before, $merges) = (join("\n", map { traces($_) } @who), join ' ', map { calls($_, 'merge') } @who);
        Dnsrepl::wait_until(sub { !grep { calls($who[$_], 'hello') < $hello[$_] + 3 } 0 .. $#who }) or return 0;
        $after = join("\n", map { traces($_) } @who);
        return $after eq $before && $merges eq join ' ', map { calls($_, 'merge') } @who;
    });
    ok($still, "$what: nothing moves at rest");
    return;
}

# ---------------------------------------------------------------- a chain
$seattle->peer($tacoma);
$tacoma->peer($spokane);
$seattle->sql("INSERT INTO domains (name, type) VALUES ('example.org', 'NATIVE')");
add($seattle, 'a');
ok(has($spokane, 'a'), 'a chain: the first node\'s change is at the last');
add($spokane, 'c');
ok(has($seattle, 'c'), 'and the other way');
is($seattle->sql("SELECT string_agg(DISTINCT node, ',' ORDER BY node) FROM dnsrepl.version WHERE tab = 'records'"), 'seattle,spokane', 'whose they are is known at the far end');
is($seattle->sql("SELECT string_agg(name, ',' ORDER BY name) FROM dnsrepl.member"), 'seattle,spokane,tacoma', 'and who there is');
$tacoma->cut($spokane);
add($seattle, 'b1');
ok(has($tacoma, 'b1'), 'a change reaches the middle, which the third node does not hear of');
$tacoma->cut($seattle);
add($seattle, 'b2');
add($tacoma, 'b3');
$tacoma->heal($spokane);
ok(has($spokane, $_), "what reached the middle goes on without the first node ($_)") for qw(b1 b3);
is($spokane->sql("SELECT count(*) FROM records WHERE name = 'b2.example.org'"), 0, 'and what did not, does not');
$tacoma->heal($seattle);
ok(has($spokane, 'b2'), 'until it does');
ok(Dnsrepl::same($seattle, $tacoma, $spokane), 'all three are the same');
quiet('a chain', $seattle, $tacoma, $spokane);

# ---------------------------------------------------------------- a ring of four
$spokane->peer($yakima);
$yakima->peer($seattle);
ok(has($yakima, 'a'), 'the fourth closes the ring');
add($node[$_], "ring$_") for 0 .. 3;
for my $node (@node) { ok(has($node, "ring$_"), "ring$_ is at " . $node->name) for 0 .. 3 }
$_->sql("BEGIN; DELETE FROM records WHERE name = 'ring0.example.org'; COMMIT") for @node;
ok(Dnsrepl::same(@node), 'all four are the same');
my $versions = sub { $_[0]->sql('SELECT string_agg(format(\'%s %s %s\', origin, stamp, key), \',\' ORDER BY origin, stamp, key::text) FROM dnsrepl.version') };
ok(Dnsrepl::wait_until(sub { my ($first, @other) = map { $versions->($_) } @node; !grep { $_ ne $first } @other }), 'and hold the same versions');
quiet('a ring', @node);

# ---------------------------------------------------------------- it is broken at one place, and at two
$seattle->cut($tacoma);
add($seattle, 'around');
ok(has($tacoma, 'around'), 'broken at one place, it carries on around');
$spokane->cut($yakima);
add($seattle, 'left');
add($tacoma, 'right');
ok(has($yakima, 'left'), 'broken at two, each half is whole');
ok(has($spokane, 'right'), 'and the other');
$seattle->heal($tacoma);
$spokane->heal($yakima);
ok(Dnsrepl::same(@node), 'healed, all four are the same');
is($_->sql("SELECT count(*) FROM records WHERE name IN ('left.example.org', 'right.example.org')"), 2, 'with both halves, at ' . $_->name) for @node;
quiet('healed', @node);
done_testing();
