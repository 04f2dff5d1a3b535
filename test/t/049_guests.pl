# One role for each peer: who may speak as which node. And what may come in from whom: dnsrepl.accept().
use strict;
use warnings;
use Dnsrepl;
use Hostile qw(stamp zone table unit record_key);
use Test::More;

my $conf = "dnsrepl.keepalive = '200ms'";
my ($seattle, $tacoma, $spokane) = map { Dnsrepl->new($_, conf => $conf) } qw(seattle tacoma spokane);
$seattle->sql("CREATE ROLE link_$_ LOGIN IN ROLE dnsrepl_link") for qw(tacoma spokane evil other);
sub as_role
{
    my ($from, $to) = @_;
    (my $conninfo = $from->conninfo_to($to)) =~ s/user=\S+/user=link_$from->{name}/;
    $from->sql("SELECT dnsrepl.add_peer('$to->{name}', '$conninfo')");
    return;
}
sub put { my ($node, $zone, $name) = @_; $node->sql("INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, '$name', 'A', '192.0.2.1', 60 FROM domains WHERE name = '$zone'"); return }
sub link_is { my ($node, $peer, $state, $error) = @_; return $node->poll("SELECT state = '$state' AND coalesce(last_error, '') ~ '$error' FROM dnsrepl.status WHERE name = '$peer'") }

# ---------------------------------------------------------------- one role for each peer
$seattle->connect_to($tacoma);
as_role($tacoma, $seattle);
$seattle->sql("INSERT INTO domains (name, type) VALUES ('example.org', 'NATIVE')");
put($seattle, 'example.org', 'www.example.org');
put($tacoma, 'example.org', 'mail.example.org') if $tacoma->poll('SELECT count(*) FROM records', 1);
ok(Dnsrepl::same($seattle, $tacoma), 'two nodes, one of them by a role of its own');
my $id = $tacoma->sql('SELECT id FROM dnsrepl.node');
is($seattle->sql("SELECT role || ' ' || node FROM dnsrepl.peer_role"), "link_tacoma $id", 'the role is bound to the node');

my $false = Hostile->new(name => 'tacoma', id => $id, cluster_of => $seattle);
like(($false->tell($seattle, $_))[2], qr/42501: .*node "tacoma" may not speak through role "$_"/, "nobody else speaks for it: not $_") for qw(dnsrepl_link link_evil), $ENV{USER};
like(($seattle->try("\\set VERBOSITY verbose\nSET ROLE dnsrepl_link;\n" . $false->script($false->greeting), extra_params => [ '-U', 'link_evil' ]))[2], qr/42501: /, 'nor by SET ROLE');
my $evil = Hostile->new(name => 'evil', cluster_of => $seattle);
like(($evil->tell($seattle, 'link_tacoma'))[2], qr/42501: .*role "link_tacoma" is bound to another node than this "evil"/, 'and it speaks for nobody else');
is($seattle->sql('SELECT count(*) FROM dnsrepl.peer_role'), 1, 'none of that has bound anything');

# What made a node rename itself: a life that began before it, and speaks by turns with it.
my $older = $false->greeting(began => 1);
like(($false->say($seattle, 'dnsrepl_link', $older))[2], qr/42501/, 'a made-up original is not heard') for 1, 2;
$seattle->sql('SELECT pg_sleep(2.2)');
like(($false->say($seattle, 'link_evil', $older))[2], qr/42501/, 'nor later') for 1, 2;
put($tacoma, 'example.org', 'after.example.org');
ok(Dnsrepl::same($seattle, $tacoma), 'the node goes on');
is($tacoma->sql('SELECT name FROM dnsrepl.node'), 'tacoma', 'under its name');

is(($evil->tell($seattle, 'link_evil'))[0], 0, 'another role is bound to another node');
my $second = Hostile->new(name => 'second', cluster_of => $seattle);
like(($second->tell($seattle, 'link_evil'))[2], qr/42501/, 'and then to no second one');
like(($evil->tell($seattle, 'dnsrepl_link'))[2], qr/42501/, 'which is not heard through the shared role any more');
like(($seattle->try("\\set VERBOSITY verbose\nSELECT dnsrepl.unbind_role('nobody')"))[2], qr/42704/, 'who is not bound cannot be unbound');

# A session that has greeted before somebody else was bound.
my $session = $seattle->cluster->background_psql('pdns', on_error_stop => 0, extra_params => [ '-U', 'dnsrepl_link' ]);
my $early = Hostile->new(name => 'early', cluster_of => $seattle);
$session->query($early->script($early->greeting));
is(($early->tell($seattle, 'link_other'))[0], 0, 'a node that spoke through the shared role gets a role of its own');
$session->query($early->script($early->greeting, $early->delta) =~ s/^.*\n//r);
like($session->{stderr}, qr/may not speak through role "dnsrepl_link"/, 'an open session cannot hand over anything for it');
$session->quit;
$seattle->sql("SELECT dnsrepl.unbind_role('link_evil')");
is(($second->tell($seattle, 'link_evil'))[0], 0, 'unbound, the role is the next one\'s');
$seattle->sql("SELECT dnsrepl.unbind_role('link_evil')");

$tacoma->cluster->restart;
$tacoma->sql("SELECT dnsrepl.rename_node('olympia')");
put($tacoma, 'example.org', 'renamed.example.org');
ok(Dnsrepl::same($seattle, $tacoma), 'a new life, and a new name, speak through the same role');
$tacoma->sql("SELECT dnsrepl.rename_node('tacoma')");

# ---------------------------------------------------------------- what may come in: arguments
my $sqlstate = "\\set VERBOSITY verbose\nSELECT dnsrepl.";
like(($seattle->try("$sqlstate$_->[0]"))[2], qr/$_->[1]/, $_->[0]) for [ "accept('')", '22023' ], [ 'accept(NULL)', '22023' ], [ "accept('x', ARRAY['a', NULL])", '22004' ],
    [ "accept('x', '{}', ARRAY[NULL])", '22004' ], [ "accept('x', '{a..b}')", '22023' ], [ "accept('x', NULL, '{all}')", '22023' ], [ "drop_accept('x')", '42704' ];
is($seattle->sql('SELECT count(*) FROM dnsrepl.acceptance'), 0, 'nothing is set');

# ---------------------------------------------------------------- a peer that may change its own zones
$seattle->sql("SELECT dnsrepl.accept('link_tacoma', '{tacoma.example, *.tacoma.example}', '{dns}')");
is($seattle->sql('SELECT peer, kind, node, name, zones, sets FROM dnsrepl.acceptance'), "link_tacoma|role|$id|tacoma|{tacoma.example,*.tacoma.example}|{dns}", 'it can be seen');
$tacoma->sql("INSERT INTO domains (name, type) VALUES ('tacoma.example', 'NATIVE'), ('sub.tacoma.example', 'NATIVE')");
put($tacoma, 'sub.tacoma.example', 'www.sub.tacoma.example');
ok(Dnsrepl::same($seattle, $tacoma), 'what it may change comes in');
my $before = "SELECT md5(string_agg(v::text, ' ' ORDER BY origin)) FROM dnsrepl.vector v";
my $vector = $seattle->sql($before);
put($tacoma, 'example.org', 'outside.example.org');
ok(link_is($tacoma, 'seattle', 'down', 'node "tacoma" may not change records ..name.: .outside.example.org., .type.: .A.. of zone "example.org" here: What it sends is refused as a whole'),
    'what it may not is refused, and the status names it');
put($tacoma, 'sub.tacoma.example', 'waits.sub.tacoma.example');
ok(link_is($tacoma, 'seattle', 'down', 'may not change'), 'and so is all that goes with it');
is($seattle->sql("SELECT count(*) FROM records WHERE name IN ('outside.example.org', 'waits.sub.tacoma.example')"), 0, 'nothing of it is here');
is($seattle->sql($before), $vector, 'or claimed');
is($tacoma->sql("SELECT dnsrepl.wait_for_peers('1s')"), 'f', 'nobody is told that it was');
put($seattle, 'example.org', 'inward.example.org');
ok($tacoma->poll("SELECT count(*) FROM records WHERE name = 'inward.example.org'", 1), 'the other direction goes on');
$seattle->sql("SELECT dnsrepl.accept('link_tacoma')");
ok(Dnsrepl::same($seattle, $tacoma), 'without the limit it comes in');
$seattle->sql("SELECT dnsrepl.accept('link_tacoma', '{*}', '{dns}')");
$tacoma->sql("INSERT INTO cryptokeys (domain_id, flags, active, published, content) SELECT id, 257, true, true, 'Private-key-format: v1.2' FROM domains WHERE name = 'tacoma.example'");
ok(link_is($tacoma, 'seattle', 'down', 'may not change cryptokeys .* of zone "tacoma.example"'), 'keys are a set of their own');
unlike($tacoma->sql('SELECT last_error FROM dnsrepl.status'), qr/Private-key/, 'which is not shown');
$seattle->sql("SELECT dnsrepl.drop_accept('link_tacoma')");
ok(Dnsrepl::same($seattle, $tacoma), 'and come in without a limit');

# A third node's changes come by the limited one too: what has been here first is no change.
$seattle->sql("SELECT dnsrepl.accept('tacoma', '{}')");
is($seattle->sql("SELECT kind, node FROM dnsrepl.acceptance"), "node|$id", 'a rule may name the node');
$tacoma->sql("SELECT dnsrepl.rename_node('olympia')");
$tacoma->sql("SELECT dnsrepl.rename_node('tacoma')");
$spokane->peer($tacoma);
$seattle->connect_to($spokane);
as_role($spokane, $seattle);
ok(Dnsrepl::same($seattle, $tacoma, $spokane), 'three nodes');
put($spokane, 'example.org', "relayed$_.example.org") for 1 .. 20;
$spokane->sql("DELETE FROM records WHERE name = 'relayed7.example.org'");
ok(Dnsrepl::same($seattle, $tacoma, $spokane), 'what the third node writes is everywhere');
ok(link_is($tacoma, 'seattle', 'streaming', '^$'), 'and the limited peer\'s link is up');
$spokane->cut($seattle);
put($spokane, 'example.org', 'round.example.org');
ok(link_is($tacoma, 'seattle', 'down', 'may not change records .*round.example.org'), 'what comes by it alone is refused');
$spokane->heal($seattle);
ok(Dnsrepl::same($seattle, $tacoma, $spokane), 'until it has come another way');
ok(link_is($tacoma, 'seattle', 'streaming', '^$'), 'then the link is up by itself');
$seattle->sql("SELECT dnsrepl.pause(name) FROM dnsrepl.status");
$_->sql("SELECT dnsrepl.pause('seattle')") for $tacoma, $spokane;

# ---------------------------------------------------------------- what a limited peer could try
$seattle->sql("SELECT dnsrepl.accept('link_evil', '{evil.example}', '{dns}')");
my $everything = "SELECT dnsrepl.digest(), (SELECT md5(string_agg(md5(t::text), '' ORDER BY t::text)) FROM dnsrepl.version_store t), (SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM dnsrepl.vector t),"
  . " (SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM dnsrepl.zone t), (SELECT count(*) FROM dnsrepl.origin), (SELECT count(*) FROM dnsrepl.staging)";
my @all = map { my ($origin, $node, $stamp) = split /\|/; [ $origin, $node, $stamp ] }
  split /\n/, $seattle->sql('SELECT o.id, o.node, max(v.stamp) FROM dnsrepl.version_store v JOIN dnsrepl.origin o ON o.no = v.origin GROUP BY o.no ORDER BY o.no');
my $www = record_key($seattle, 'www.example.org', 'A');
my $image = pack 'H*', $seattle->sql("SELECT encode(image, 'hex') FROM dnsrepl.stored_version WHERE key = '\\x" . unpack('H*', $www) . "'");
my $mine = [ $evil->{life}, 'evil', stamp(0) ];
my $gone = substr($image, 0, 2) . "\0\0\0\0";    # a deletion, by nobody
sub refused
{
    my ($what, $delta, $error) = @_;
    my $state = $seattle->sql($everything);
    like(($evil->tell($seattle, 'link_evil', $delta))[2], qr/42501: .*node "evil" may not change $error/, "$what is refused");
    ok($seattle->poll($everything, $state), "$what: nothing is left of it");
    return;
}
$evil->tell($seattle, 'link_evil');    # is a member now
refused('a claim to have replaced something', $evil->delta(vector => \@all, items => [ zone('example.org'), unit($www) ]), 'records .*www.example.org.* of zone "example.org"');
refused('a version of another zone', $evil->delta(vector => [$mine], items => [ zone('example.org'), unit($www, [ 0, $mine->[2], $image ]) ]), 'records .*www.example.org');
refused('a deletion', $evil->delta(vector => [ $mine, @all ], items => [ zone('example.org'), unit($www, [ 0, $mine->[2], $gone ]) ]), 'records .*www.example.org');
refused('a state in which all of it is missing', $evil->delta(vector => \@all, flags => 1), '.* here');
refused('a repair', $evil->delta(vector => [ @all, ], flags => 2, items => [ zone('example.org'), unit(record_key($seattle, 'mail.example.org', 'A'), [ 0, 1, $image ]) ]), 'records .*mail.example.org');
refused('a new zone', $evil->delta(vector => [$mine], items => [ zone('new.example', 5) ]), 'anything of zone "new.example"');
refused('a policy', $evil->delta(vector => [$mine], items => [ table(8), unit("\0\10\0", [ 0, $mine->[2], $gone ]) ]), 'policy .*here');
refused('one among many chunks', $evil->delta(vector => [$mine], items => [ [ zone('evil.example') ], [ zone('example.org'), unit($www, [ 0, $mine->[2], $image ]) ] ]), 'records .*www.example.org');
my $zone = $seattle->sql("SELECT serial FROM dnsrepl.zone WHERE name = 'example.org'");
is(($evil->tell($seattle, 'link_evil', $evil->delta(vector => [], items => [ zone('example.org', 2**40) ])))[0], 0, 'a serial alone is no change');
is($seattle->sql("SELECT serial FROM dnsrepl.zone WHERE name = 'example.org'"), $zone, 'and not heard');
is(($evil->tell($seattle, 'link_evil', $evil->delta(vector => [$mine], items => [ zone('evil.example', 7), unit($www, [ 0, $mine->[2], $gone ]) ])))[2], '', 'in its own zone it may change what it likes');
$seattle->sql("SELECT dnsrepl.accept('link_evil', '{evil.example}', '{keys}')");
my $later = [ $evil->{life}, 'evil', stamp(0) ];
refused('another set of its own zone', $evil->delta(vector => [$later], items => [ zone('evil.example'), unit($www, [ 0, $later->[2], $image ]) ]), 'records');

# ---------------------------------------------------------------- who has no rule
$seattle->sql("SELECT dnsrepl.accept('*', '{}'); SELECT dnsrepl.accept('portland', '{portland.example}')");
my @portland = map { Hostile->new(name => $_, cluster_of => $seattle) } qw(portland salem);
sub write_as { my ($who, $zone) = @_; my $now = stamp(0); return ($who->tell($seattle, 'dnsrepl_link', $who->delta(vector => [ [ $who->{life}, $who->{name}, $now ] ], items => [ zone($zone), unit($www, [ 0, $now, $gone ]) ])))[2] }
like(write_as($portland[1], 'portland.example'), qr/42501: .*node "salem" may not change/, 'who is not known may change nothing');
is(write_as($portland[0], 'portland.example'), '', 'a node that is known by name may change what it may');
$portland[0]{name} = 'eugene';
like(write_as($portland[0], 'example.org'), qr/42501: .*node "eugene" may not change/, 'under another name no more than that');
is(write_as($portland[0], 'portland.example'), '', 'and no less');
$portland[1]{name} = 'portland';
like(write_as($portland[1], 'portland.example'), qr/42501/, 'another one that takes the name has no part in it');
$seattle->sql("SELECT dnsrepl.drop_accept(peer) FROM dnsrepl.acceptance");

# ---------------------------------------------------------------- the extension's own tables are read by the place of their columns
$seattle->sql('ALTER TABLE dnsrepl.accept_rule ADD COLUMN more text; ALTER TABLE dnsrepl.accept_rule ADD COLUMN yet_more text');
like(write_as($portland[0], 'portland.example'), qr/55000: .*accept_rule has other columns/, 'one that has been altered is not read');
unlike($_->log, qr/PANIC|TRAP|terminated by signal/, $_->name . ' has not crashed') for $seattle, $tacoma;
done_testing();
