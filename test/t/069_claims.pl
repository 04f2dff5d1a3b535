# Claims that are not so: what a peer says that others hold keeps nobody's writes from anybody. Clocks that are wrong are no lie.
use strict;
use warnings;
use Dnsrepl;
use Hostile qw(stamp zone unit record_key);
use Test::More;

my $conf = "dnsrepl.keepalive = '200ms'";
my ($seattle, $tacoma, $spokane) = map { Dnsrepl->new($_, conf => $conf) } qw(seattle tacoma spokane);
my @node = ($seattle, $tacoma, $spokane);
my ($n, $names) = (0, 100);    # names there are, names there were
sub put { my ($node) = @_; $n++; $names++; $node->sql("INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'h$names.example.org', 'A', '192.0.2.1', 300 FROM domains WHERE name = 'example.org'"); return "h$names.example.org" }
sub make { my ($node) = @_; $n++; $names++; $node->sql("BEGIN; INSERT INTO domains (name, type) VALUES ('z$names.example', 'NATIVE'); INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'www.z$names.example', 'A', '192.0.2.1', 300 FROM domains WHERE name = 'z$names.example'; COMMIT"); return "www.z$names.example" }
sub has { my ($node, $name) = @_; return $node->poll("SELECT count(*) FROM records WHERE name = '$name'", 1) }
sub life { my ($node) = @_; return $node->sql("SELECT id FROM dnsrepl.origin WHERE own ORDER BY no DESC LIMIT 1") }
sub lives { my ($node) = @_; return $node->sql('SELECT count(*) FROM dnsrepl.origin WHERE own') }
sub offset
{
    my ($node, $seconds) = @_;
    $node->sql("ALTER SYSTEM SET dnsrepl.clock_offset = '${seconds}s'");
    $node->sql('SELECT pg_reload_conf()');
    $node->poll("SELECT setting FROM pg_settings WHERE name = 'dnsrepl.clock_offset'", $seconds * 1000);
    return;
}
# All serve the same, nothing is lost, nothing is in conflict, and links say so.
sub sound
{
    my ($what) = @_;
    ok(Dnsrepl::same(@node), "$what: all serve the same");
    my $state = "SELECT dnsrepl.wait_for_peers('60 s'), (SELECT count(*) FROM records), (SELECT count(*) FROM dnsrepl.conflict)";
    is(join(' ', map { $_->sql($state) } @node), join(' ', ("t|$n|0") x @node), "$what: peers have it all, nothing is lost, nothing in conflict");
    return;
}

# A chain: seattle - tacoma - spokane.
$seattle->peer($tacoma);
$tacoma->peer($spokane);
$seattle->sql("INSERT INTO domains (name, type) VALUES ('example.org', 'NATIVE')");
put($seattle);
ok(Dnsrepl::same(@node), 'three nodes in a chain');
put($_) for $tacoma, $spokane;
sound('in a chain');

my $evil = Hostile->new(cluster_of => $seattle);
my $key = record_key($spokane, 'h101.example.org', 'A');
my $image = pack 'H*', $spokane->sql("SELECT encode(image, 'hex') FROM dnsrepl.stored_version WHERE key = '\\x" . unpack('H*', $key) . "'");
my $lives;

# ---------------------------------------------------------------- the node finds out, and goes on
my $told = "SELECT coalesce(sum(tries), 0) FROM dnsrepl.problem WHERE error ~ 'held writes of this node that it had not made'";
sub united { my $n = 0; $n += $_->sql('SELECT repaired FROM dnsrepl.self_check') for @node; return $n }
sub disputed
{
    my ($what, $who, $claim) = @_;
    my ($lives, $times, $united) = (lives($who), $who->sql($told), united());
    $claim->();
    my $edited = put($who);
    my $made = make($who);
    $who->sql("UPDATE records SET ttl = 77 WHERE name = '$edited'");
    ok($_->poll("SELECT ttl FROM records WHERE name = '$edited'", 77), "$what: what it writes from then on is at " . $_->name) for @node;
    ok(has($_, $made), "$what: and a zone that it makes, " . $_->name) for @node;
    ok($who->poll("SELECT count(*) > $lives FROM dnsrepl.origin WHERE own"), "$what: it has begun a new life");
    cmp_ok($who->sql($told), '>', $times, "$what: and says so");
    is(united(), $united, "$what: no comparing was needed for the zone");
    sound($what);
    return;
}
disputed('claimed at its neighbour', $seattle, sub { $evil->tell($tacoma, 'dnsrepl_link', $evil->delta(vector => [ [ life($seattle), 'seattle', stamp(20) ] ])) });
like($seattle->log, qr/peer "tacoma" holds writes of this node's life that it has not made: a new life begins/, 'the log has it');
# each claim is a little further ahead: clocks follow what is claimed, within max_clock_skew
disputed('claimed two nodes away', $seattle, sub { $evil->tell($spokane, 'dnsrepl_link', $evil->delta(vector => [ [ life($seattle), 'seattle', stamp(28) ] ])) });
disputed('claimed as a range', $tacoma, sub { $evil->tell($spokane, 'dnsrepl_link', $evil->delta(vector => [ [ life($tacoma), 'tacoma', 0, [ stamp(2), stamp(36) ] ] ])) });
disputed('a write that it has not made', $seattle, sub {
    my $now = stamp(44);
    my $false = Hostile->new(cluster_of => $seattle);
    $n++;
    my $forged = $key;
    substr($forged, 2) =~ s/h101/h000/;
    is(($false->tell($tacoma, 'dnsrepl_link', $false->delta(vector => [ [ life($seattle), 'seattle', $now ] ], items => [ zone('example.org'), unit($forged, [ 0, $now, $image ]) ])))[2], '', 'a version in its name');
});
# Far ahead of the clock; and as others' clocks follow what is claimed within max_clock_skew, these come last.
disputed('claimed a day ahead, two nodes away', $seattle, sub { $evil->tell($spokane, 'dnsrepl_link', $evil->delta(vector => [ [ life($seattle), 'seattle', stamp(86400) ] ], collected => [ [ life($seattle), 'seattle', stamp(86400) ] ])) });
disputed('a range a day ahead, at its neighbour', $seattle, sub { $evil->tell($tacoma, 'dnsrepl_link', $evil->delta(vector => [ [ life($seattle), 'seattle', 0, [ stamp(120), stamp(86400) ] ] ])) });
# Told to itself, in every way that there is; but it begins no life whenever somebody likes.
sub keepalive { my ($ms) = @_; $seattle->sql($_) for "ALTER SYSTEM SET dnsrepl.keepalive = '${ms}ms'", 'SELECT pg_reload_conf()'; $seattle->poll("SELECT setting FROM pg_settings WHERE name = 'dnsrepl.keepalive'", $ms); return }
sub speaks { return $seattle->sql("SELECT substr(encode(dnsrepl.hello('UTF8', " . LinkOctets::octets($evil->greeting) . "), 'hex'), 57, 32)") }    # its present life
my $present = qr/55000: .*writes of this node's present life that it has not made/;
$lives = speaks();
ok(Dnsrepl::wait_until(sub { ($evil->tell($seattle, 'dnsrepl_link', $evil->delta(vector => [ [ $lives, 'seattle', stamp(90000) ] ])))[2] eq '' }), 'told to itself, when the last time is a while ago');
ok(Dnsrepl::wait_until(sub { speaks() ne $lives }), 'it begins a new life');
keepalive(10000);
ok(has($spokane, put($seattle)), 'and it goes on');
$lives = lives($seattle);
like(($evil->tell($seattle, 'dnsrepl_link', $evil->delta(base => [ [ speaks(), 'seattle', stamp(55) ] ])))[2], qr/$present\nDETAIL:  It has begun a new life for that a short while ago/, 'in the base: not at once again');
like(($evil->say($seattle, 'dnsrepl_link', $evil->greeting(vector => [ [ speaks(), 'seattle', stamp(55) ] ])))[2], $present, 'in a greeting');
like(($evil->say($seattle, 'dnsrepl_link', $evil->greeting(known => [ [ '66' x 16, '77' x 16, 'far', [ [ speaks(), 'seattle', stamp(55) ] ] ] ])))[2], $present, 'in what a greeting says of others');
ok(has($spokane, put($seattle)), 'and it goes on');
is(lives($seattle), $lives, 'all in the life that had begun');
keepalive(200);
sound('after that');
$seattle->cluster->restart;
like(($evil->tell($seattle, 'dnsrepl_link', $evil->delta(vector => [ [ speaks(), 'evil', 0 ] ])))[2], qr/55000/, 'nobody speaks of a life that has written nothing');
ok(has($spokane, put($seattle)), 'nor keeps it from writing');
sound('a life that has written nothing');

# ---------------------------------------------------------------- what nobody sees: comparing finds it
# The claim is made while the node cannot see it, and has been overtaken by its own writes when it can.
$seattle->cut($tacoma);
my $hidden = put($seattle);
my $stamp = $seattle->sql("SELECT max(stamp) FROM dnsrepl.version_store v JOIN dnsrepl.origin o ON o.no = v.origin WHERE o.own");
$evil->tell($tacoma, 'dnsrepl_link', $evil->delta(vector => [ [ life($seattle), 'seattle', $stamp ] ]));
$lives = lives($seattle);
my $later = put($seattle);
$seattle->heal($tacoma);
ok(has($tacoma, $later), 'a later write arrives');
ok(has($_, $hidden), $_->name . ' gets what was claimed away too') for $tacoma, $spokane;
is(lives($seattle), $lives, 'by comparing: nobody has shown anything to the node');
ok(Dnsrepl::same(@node), 'all serve the same');
ok($_->wait_for_peers, $_->name . '\'s peers have it all') for @node;

# A node that only receives has nobody whom it could show what it has come to believe.
$spokane->sql("SELECT dnsrepl.pause('tacoma')");
ok($spokane->poll("SELECT state FROM dnsrepl.status WHERE name = 'tacoma'", 'paused'), 'a node that only receives');
put($seattle);
is(($evil->tell($spokane, 'dnsrepl_link', $evil->delta(vector => [ [ life($seattle), 'seattle', stamp(86400) ] ])))[2], '', 'believes what is claimed a day ahead');
ok(has($spokane, put($seattle)), 'gets what is written all the same') for 1, 2;
$spokane->sql("SELECT dnsrepl.resume('tacoma')");
ok($seattle->poll("SELECT count(*) FROM dnsrepl.problem WHERE error ~ 'held writes of this node'", 1), 'and shows it as soon as it can');
ok(has($spokane, put($seattle)), 'then all is well');
ok(Dnsrepl::same(@node), 'all serve the same');

# ---------------------------------------------------------------- a clock that is a day ahead, in a chain, with a restart
$_->sql("DELETE FROM records") for $seattle;
ok(Dnsrepl::same(@node), 'begin anew');
$n = 0;
offset($seattle, 86400);
my @ahead = map { put($seattle) } 1 .. 5;
$seattle->sql("UPDATE records SET ttl = 5 WHERE name = '$ahead[0]'");
sound('a clock that is a day ahead');
$spokane->sql("UPDATE records SET ttl = 6 WHERE name IN ('$ahead[1]', '$ahead[2]')");
$spokane->sql("DELETE FROM records WHERE name = '$ahead[2]'");
$n--;
sound('what it wrote is edited two nodes away');
is($_->sql("SELECT ttl FROM records WHERE name = '$ahead[1]'"), 6, 'the edit counts, at ' . $_->name) for @node;
$tacoma->cut($spokane);
my $last = put($seattle);
ok(has($tacoma, $last), 'a last write has gone one node far');
offset($seattle, 0);
$seattle->cluster->restart;
$tacoma->heal($spokane);
my ($right) = map { put($_) } @node;
sound('the clock is right again, after a restart');
cmp_ok(abs $seattle->sql("SELECT extract(epoch FROM written_at - now())::int FROM dnsrepl.version WHERE node = 'seattle' AND key->>'name' = '$right' ORDER BY stamp DESC LIMIT 1"), '<', 300, 'what it writes has the right time');
$spokane->sql("UPDATE records SET ttl = 7 WHERE name = '$last'");
sound('what was written ahead can be edited');
is($_->sql("SELECT ttl FROM records WHERE name = '$last'"), 7, 'the edit counts, at ' . $_->name) for @node;

# ---------------------------------------------------------------- the receiver's clock is behind
offset($spokane, -86400);
put($_) for @node, @node;
sound('a receiver whose clock is a day behind');
$spokane->sql("UPDATE records SET ttl = 8 WHERE name = '$last'");
sound('and edits');
is($_->sql("SELECT ttl FROM records WHERE name = '$last'"), 8, 'the edit counts, at ' . $_->name) for @node;
offset($spokane, 0);
put($_) for @node;
sound('its clock is right again');
is($_->sql('SELECT zone, tab, key, problem FROM dnsrepl.check_store()'), '', $_->name . ': the tables are what the store has') for @node;
done_testing();
