# A DNS server that fails on one zone: that zone waits, longer each time, and everything else goes on; the log hears of changes only. So it
# does of a peer's link that comes up and goes down again and again.
use strict;
use warnings;
use Dnsrepl;
use NameServer;
use Test::More;

my ($fails, $breaks, $well) = qw(fails.example breaks.example well.example);
my $node = Dnsrepl->new('seattle', conf => "dnsrepl.keepalive = '1s'");
my $bind = NameServer->bind('bind', zones => { $fails => { update => 1, options => "journal \"missing/$fails.jnl\";" }, $breaks => { update => 1 }, $well => { update => 1 } });

# A connection on which an UPDATE of one zone comes, or a question for its SOA record, breaks off.
my $port = Dnsrepl::free_port();
my $octets = unpack 'H*', "\x06breaks\x07example\0\0\x06\0\x01";
my $line = Dnsrepl::spawn('forwarder', undef, $^X, "$ENV{DNSREPL_ROOT}/test/lib/forward.pl", $port, $bind->port, $octets);
Dnsrepl::listening($port) or die;

sub insert { my ($name, $zone) = @_; return "INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, '$name.$zone', 'A', '192.0.2.1', 60 FROM domains WHERE name = '$zone'" }

sub lines { my ($like) = @_; return scalar grep { /$like/ } split /\n/, $node->log }

sub told { return $node->sql("SELECT dnsrepl.wait_for_peers('60s')") }

sub why { my ($zone) = @_; return "SELECT error FROM dnsrepl.problem WHERE zone = '$zone' AND key->>'name' IS NULL" }

$node->sql("SELECT dnsrepl.import_zone('\@ 60 SOA a b 1 2 3 4 5\n\@ 60 NS ns1.example.net.\nwww 60 A 192.0.2.9\nmail 60 MX 1 www\n', '$_')") for $fails, $breaks, $well;
$node->sql("SELECT dnsrepl.add_server('bind', '127.0.0.1:$port', '{*.example}')");

# ---------------------------------------------------------------- the first load
ok(Dnsrepl::wait_until(sub { $bind->dig("www.$well", 'A') eq '192.0.2.9' }), 'a zone is told, though the server fails on another, and breaks off on a third');
ok($node->poll(why($fails), 'server bind: the server answers SERVFAIL'), 'the one that it fails on is a problem');
ok($node->poll("SELECT count(*) FROM dnsrepl.problem WHERE zone = '$breaks' AND error ~ 'server bind: .*(closed|lost)'", 1), 'and the one that it breaks off on') or diag $node->sql('SELECT * FROM dnsrepl.problem');
is(told(), 't', 'the link has got as far as it can');
is($node->sql("SELECT state FROM dnsrepl.status"), 'streaming', 'it streams');
like($node->sql('SELECT last_error FROM dnsrepl.status'), qr/^zone (\Q$fails\E|\Q$breaks\E) waits since 20\d\d-\S+ \S+: .* \(and 1 more: see dnsrepl\.problem\)$/, 'and says which zone waits, since when and why');

# ---------------------------------------------------------------- it is tried again, with time between
my $pid = $node->sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'dnsrepl server'");
ok($node->poll("SELECT min(tries) >= 4 FROM dnsrepl.server_work", 't', 120), 'they are tried again');
is($node->sql('SELECT count(*), count(name), bool_and(due > tried) FROM dnsrepl.server_work'), '2|0|t', 'as zones: it is not the fault of a record')
    or diag $node->sql('SELECT * FROM dnsrepl.server_work');
is($node->sql("SELECT bool_and(due - tried >= interval '4 s') FROM dnsrepl.server_work WHERE tries >= 4"), 't', 'after four times not before four seconds have passed');
$node->sql(insert("new$_", $well)) for 1 .. 3;
is(told(), 't', 'other zones are told meanwhile');
is($bind->dig("new3.$well", 'A'), '192.0.2.1', 'they are');
$node->sql(insert('new', $_)) for $fails, $breaks;
is($node->sql("SELECT bool_and(w.due <= greatest(now(), w.tried + interval '10 s')) FROM dnsrepl.server_work w"), 't', 'a change in one that waits is tried within ten seconds')
    if told() eq 't';
is(lines(qr/server "bind" is up/), 1, 'the log: the link is up, once');
is(lines(qr/server "bind" is down/), 0, 'and never down');
is(lines(qr/zone "\Q$_\E" waits: /), 1, "once that $_ waits") for $fails, $breaks;
is($node->sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'dnsrepl server'"), $pid, 'by one process');

# ---------------------------------------------------------------- it is mended
mkdir "$bind->{dir}/missing";
ok($node->poll(why($fails), '', 120), 'it goes on by itself once the server can');
is($bind->dig("new.$fails", 'A'), '192.0.2.1', 'with what has changed meanwhile');
ok(Dnsrepl::wait_until(sub { lines(qr/zone "\Q$fails\E" goes on/) == 1 }), 'the log says so');
$node->sql("SELECT dnsrepl.add_server('bind', '127.0.0.1:" . $bind->port . "', '{*.example}')");
is(told(), 't', 'elsewhere');
is($node->sql('SELECT zone, name, ours, theirs FROM dnsrepl.verify($$bind$$)'), '', 'it has all of it');
is($node->sql('SELECT last_error FROM dnsrepl.status'), '', 'no problem');
is($node->sql('SELECT count(*) FROM dnsrepl.server_work'), 0, 'nothing is left to do');

# ---------------------------------------------------------------- deleted, which no UPDATE can do, and made again
$node->sql("DELETE FROM domains WHERE name = '$well'");
ok($node->poll("SELECT tries >= 2 FROM dnsrepl.server_work WHERE zone = '$well'", 't'), 'a zone that is deleted here waits, as the server still has it');
like($node->sql(why($well)), qr/deleted here, and the server still has it/, 'for that reason');
$node->sql("SELECT dnsrepl.import_zone('\@ 60 SOA a b 1 2 3 4 5\n\@ 60 NS ns1.example.net.\nagain 60 A 192.0.2.7\n', '$well')");
is(told(), 't', 'it is made again: the server has been told');
is($bind->dig("again.$well", 'A'), '192.0.2.7', 'when that is said, not when the deleted one would have been tried again');
is($node->sql('SELECT zone, name, ours, theirs FROM dnsrepl.verify($$bind$$)'), '', 'it has all of it');

unlike($node->log, qr/TRAP|terminated by signal/, 'nothing crashed');
Dnsrepl::finish($line);
$node->sql("SELECT dnsrepl.drop_server('bind')");

# ---------------------------------------------------------------- a peer's link that goes down for the same reason each time
my $tacoma = Dnsrepl->new('tacoma', conf => "dnsrepl.keepalive = '1s'");
$node->peer($tacoma);
ok(Dnsrepl::same($node, $tacoma), 'a peer');
$tacoma->sql(q(CREATE OR REPLACE FUNCTION dnsrepl.compare(session bigint, holds bytea, total bigint, zones bytea) RETURNS bytea LANGUAGE plpgsql AS $$ BEGIN RAISE 'attempt % fails', nextval('attempt'); END $$; CREATE SEQUENCE attempt; GRANT ALL ON SEQUENCE attempt TO PUBLIC));
ok($tacoma->poll('SELECT last_value >= 6 FROM attempt', 't', 120), 'which fails each time that it compares, for a reason with another number in it');
my $reports = lines(qr/link "tacoma" is (?:up|down)/);
cmp_ok($reports, '>', 0, 'the log hears of it');
cmp_ok($reports, '<=', 5, 'and not each time');
is(lines(qr/link "tacoma" is down again: .*attempt \d+ fails/), 1, 'but once that it was the same again');
done_testing();
