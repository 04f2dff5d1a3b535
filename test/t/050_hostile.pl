# What a peer may do, what it may say, and what is never done to this node whatever it says. Real deltas are recorded by a
# database that answers like a node, then cut short, turned bit by bit, and played to a real one.
use strict;
use warnings;
use Dnsrepl;
use LinkOctets qw(seal session_of);
use Test::More;

my $conf = "dnsrepl.keepalive = '500ms'\ndnsrepl.connect_timeout = '2s'\nrestart_after_crash = on";
my ($seattle, $tacoma) = map { Dnsrepl->new($_, conf => $conf) } qw(seattle tacoma);
srand($ENV{DNSREPL_SEED} // 42);

sub state_is
{
    my ($node, $peer, $state, $error, $what) = @_;
    my $row;
    my $found = Dnsrepl::wait_until(sub {
        $row = ($node->try("SELECT state, coalesce(last_error, '') FROM dnsrepl.status WHERE name = '$peer'"))[1] // '';
        return $row =~ /^$state\|/ && $row =~ $error;
    });
    ok($found, $what) or diag("$node->{name} to $peer: $row");
    return;
}

sub write_some
{
    my ($node, $name, $count) = @_;
    $node->sql("INSERT INTO records (domain_id, name, type, content, ttl, prio) SELECT id, '$name' || i || '.example.org', 'A', '192.0.2.1', 60, 0"
          . " FROM domains, generate_series(1, " . ($count // 1) . ") i WHERE name = 'example.org'");
    return;
}

$seattle->sql("INSERT INTO domains (name, type) VALUES ('example.org', 'NATIVE')");
write_some($seattle, 'first', 20);
$seattle->peer($tacoma);
ok(Dnsrepl::same($seattle, $tacoma), 'two nodes');

# Octets of a greeting: protocol, the session (not yet), node, life, name, its clock, when its life began, flags, no clusters, what it holds, nothing of others.
sub greeting
{
    my ($node, $node_life, $name, $clusters) = @_;
    return '00000007' . '0' x 16 . "$node$node_life" . sprintf('%02x', length $name) . unpack('H*', $name) . '7fffffffffffffff' . '0002000000000000' . '00' . ($clusters // '00') . '00' . '00';
}

# ---------------------------------------------------------------- what the role of links may do
my $link = "'dnsrepl_link'";
is($tacoma->sql("SELECT string_agg(p.oid::regprocedure::text, ', ' ORDER BY p.oid::regprocedure::text) FROM pg_proc p WHERE pronamespace = 'dnsrepl'::regnamespace AND has_function_privilege($link, p.oid, 'EXECUTE')"),
    'dnsrepl.compare(bigint,bytea,bigint,bytea), dnsrepl.flush(bigint), dnsrepl.hello(text,bytea), dnsrepl.merge(bigint,bytea), dnsrepl.merge(bigint,bytea,bigint,integer), dnsrepl.merge_done(bigint,bigint,integer)',
    'a link may execute the link functions');
is($tacoma->sql("SELECT string_agg(c.oid::regclass::text, ', ') FROM pg_class c WHERE c.relkind IN ('r', 'v', 'm', 'p', 'S') AND c.relnamespace IN ('dnsrepl'::regnamespace, 'public'::regnamespace)"
          . " AND (CASE WHEN c.relkind = 'S' THEN has_sequence_privilege($link, c.oid, 'SELECT, USAGE, UPDATE') ELSE has_any_column_privilege($link, c.oid, 'SELECT, INSERT, UPDATE, REFERENCES') OR has_table_privilege($link, c.oid, 'DELETE, TRUNCATE, TRIGGER') END)"),
    '', 'and touch no table');
is($tacoma->sql("SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls, has_schema_privilege($link, 'public', 'CREATE') OR has_schema_privilege($link, 'dnsrepl', 'CREATE') OR has_database_privilege($link, 'pdns', 'CREATE'),"
          . " EXISTS (SELECT FROM pg_auth_members WHERE member = oid), EXISTS (SELECT FROM pg_shdepend WHERE refobjid = oid AND refclassid = 'pg_authid'::regclass AND deptype = 'o') FROM pg_roles WHERE rolname = $link"),
    'f|f|f|f', 'it is nothing else, and owns nothing');
my @as_link = (extra_params => [ '-U', 'dnsrepl_link' ]);
like(($tacoma->try($_, @as_link))[2], qr/permission denied/, "not: $_")
    for "SELECT dnsrepl.note_table('records')", "SELECT dnsrepl.setup('x')", "SELECT dnsrepl.add_peer('x', '')", 'SELECT dnsrepl.project_parked()',
    'SELECT * FROM dnsrepl.peer', 'TABLE dnsrepl.version', 'DELETE FROM records', 'SELECT dnsrepl.digest()', 'TABLE dnsrepl.staging';

# ---------------------------------------------------------------- who is not a peer
like(($tacoma->try("\\set VERBOSITY verbose\nSELECT dnsrepl.hello('UTF8', '\\x00000063')", @as_link))[2],
    qr/0A000: .*version 99 of the link protocol, node "tacoma" speaks/, 'a caller of another protocol version is told');
like(($tacoma->try("SELECT dnsrepl.hello('LATIN1', '\\x" . greeting('33' x 16, '44' x 16, 'x') . "')", @as_link))[2], qr/different encodings: .*LATIN1/, 'and of another encoding');
like(($tacoma->try("\\set VERBOSITY verbose\nSELECT dnsrepl.merge(0, '\\x44')", @as_link))[2], qr/08P01/, 'no merge before hello');
$tacoma->sql('CREATE ROLE stranger LOGIN');
my $there = $seattle->conninfo_to($tacoma);
(my $stranger = $there) =~ s/dnsrepl_link/stranger/;
$seattle->sql("SELECT dnsrepl.add_peer('tacoma', '$stranger')");
state_is($seattle, 'tacoma', 'down', qr/permission denied/, 'a role that may not is the reason');
write_some($seattle, 'meanwhile');
$seattle->sql("SELECT dnsrepl.add_peer('tacoma', '$there')");
ok(Dnsrepl::same($seattle, $tacoma), 'the right one again, and nothing is lost');

# What a greeting says of others gets into no table unless it is text and time; one word of a life that is over makes no copy of its successor.
sub of_another { my ($name, $heard) = @_; return '01' . '66' x 16 . '77' x 16 . sprintf('%02x', length $name) . unpack('H*', $name) . $heard . '01' . '00' }
for ([ "\xff\xfe", '0002000000000000', 'a name that is none' ], [ 'far', '8000000000000000', 'a time that is none' ], [ 'far', '8000000000000005', 'a time before all times' ])
{
    my ($name, $heard, $what) = @$_;
    my $said = substr(greeting('55' x 16, '44' x 16, 'gossip'), 0, -2) . of_another($name, $heard);
    $tacoma->sql("INSERT INTO dnsrepl.roll (node, name) VALUES ('" . '55' x 16 . "', 'gossip') ON CONFLICT DO NOTHING");
    $tacoma->sql("SELECT 1 FROM dnsrepl.hello('UTF8', '\\x$said')", @as_link);
    is($tacoma->sql("SELECT count(*) FROM dnsrepl.peer_vector WHERE name = 'gossip'") . $tacoma->sql("SELECT count(*) FROM dnsrepl.peer_vector WHERE node = '" . '66' x 16 . "'"), '10', "of what a peer says of others $what is not taken");
}
$tacoma->sql("DELETE FROM dnsrepl.roll WHERE name = 'gossip'; DELETE FROM dnsrepl.peer_vector WHERE name = 'gossip'");

my @life = map { greeting('77' x 16, "$_" x 16, 'restarted') } 88, 99;
$life[1] =~ s/0002000000000000(?=000000)/0002000000000001/;    # it began later
$tacoma->sql("SELECT 1 FROM dnsrepl.hello('UTF8', '\\x$_')", @as_link) for @life;
$tacoma->sql('SELECT pg_sleep(2.2)');                          # longer than what is on its way may take
$tacoma->sql("SELECT 1 FROM dnsrepl.hello('UTF8', '\\x$life[0]')", @as_link);
is(($tacoma->try("SELECT 1 FROM dnsrepl.hello('UTF8', '\\x$life[1]')", @as_link))[0], 0, 'one late word of a life that is over makes no copy of its successor');
$tacoma->sql("SELECT 1 FROM dnsrepl.hello('UTF8', '\\x$life[0]')", @as_link);
like(($tacoma->try("SELECT 1 FROM dnsrepl.hello('UTF8', '\\x$life[1]')", @as_link))[2], qr/this is the copy/, 'two do: both are alive');
$tacoma->sql("DELETE FROM dnsrepl.roll WHERE name = 'restarted'; DELETE FROM dnsrepl.peer_vector WHERE name = 'restarted'");

# A database that says what the test wants. Its merge() records deltas, and admits to holding nothing.
$tacoma->cluster->safe_psql('postgres', 'CREATE DATABASE liar');
my $liar = bless { %$tacoma, name => 'liar', db => 'liar', link => {} }, ref $tacoma;
$liar->sql(<<'END');
CREATE SCHEMA dnsrepl;
GRANT USAGE ON SCHEMA dnsrepl TO dnsrepl_link;
CREATE TABLE says (hello bytea, merge bytea);
INSERT INTO says VALUES ('', '');
CREATE TABLE heard (no serial, payload bytea, seq int);
CREATE FUNCTION dnsrepl.hello(text, bytea) RETURNS bytea SECURITY DEFINER LANGUAGE sql AS 'SELECT hello FROM public.says';
CREATE FUNCTION dnsrepl.compare(bigint, bytea, bigint, bytea) RETURNS bytea LANGUAGE sql AS 'SELECT ''\x00''::bytea';
CREATE FUNCTION dnsrepl.merge(bigint, bytea) RETURNS bytea SECURITY DEFINER LANGUAGE sql AS 'INSERT INTO public.heard (payload) VALUES ($2); SELECT merge FROM public.says';
CREATE FUNCTION dnsrepl.merge(bigint, bytea, bigint, int) RETURNS bytea SECURITY DEFINER LANGUAGE sql AS 'INSERT INTO public.heard (payload, seq) VALUES ($2, $4); SELECT NULL::bytea';
CREATE FUNCTION dnsrepl.merge_done(bigint, bigint, int) RETURNS bytea SECURITY DEFINER LANGUAGE sql AS 'SELECT merge FROM public.says';
CREATE FUNCTION dnsrepl.flush(bigint) RETURNS void LANGUAGE sql AS '';
END
sub says { my ($what, $hex) = @_; $liar->sql("UPDATE says SET $what = '\\x$hex'"); return }
my $id = '11' x 16;
my $life = '22' x 16;
my $greeting = greeting($id, $life, 'liar');
my $own = $seattle->sql("SELECT replace(id::text, '-', '') FROM dnsrepl.node");
$seattle->connect_to($liar);
for ([ '00000063' . substr($greeting, 8), qr/version 99/, 'a peer of another protocol version' ],
    [ greeting($own, $life, 'liar'), qr/identity/, 'a peer with this node\'s identity' ],
    [ greeting($id, $life, 'seattle'), qr/same name/, 'a peer with this node\'s name' ],
    [ '', qr/greeting/, 'a peer that says nothing' ], [ substr($greeting, 0, 30), qr/greeting/, 'a peer that breaks off' ],
    [ substr($greeting, 0, -2) . 'ffffffffffff', qr/.../, 'a peer with an impossible vector' ], [ 'ff' x 300, qr/version|greeting/, 'a peer that babbles' ])
{
    my ($hex, $error, $what) = @$_;
    says(hello => $hex);
    $seattle->sql("SELECT dnsrepl.pause('liar')");
    state_is($seattle, 'liar', 'paused', qr//, 'paused');
    $seattle->sql("SELECT dnsrepl.resume('liar')");
    state_is($seattle, 'liar', 'down', $error, "$what is refused, with the reason");
}
says(hello => $greeting);
for ([ '', qr/answer/, 'an empty answer' ], [ '07ffff', qr/answer/, 'an impossible answer' ], [ '0200', qr/refuses every delta/, 'a refusal without end' ])
{
    my ($hex, $error, $what) = @$_;
    says(merge => $hex);
    write_some($seattle, 'answer');
    $seattle->sql("DELETE FROM records WHERE name = 'answer1.example.org'");
    state_is($seattle, 'liar', 'down', $error, "$what is the reason");
}
ok(Dnsrepl::same($seattle, $tacoma), 'the other link knows nothing of that');

# ---------------------------------------------------------------- real deltas, recorded
says(merge => '0100');
$liar->sql('TRUNCATE heard');
$seattle->sql("SELECT dnsrepl.pause('liar')");
$seattle->sql(<<'END');
BEGIN;
INSERT INTO domains (name, type) VALUES ('second.example', 'NATIVE'), ('third.example', 'MASTER');
INSERT INTO records (domain_id, name, type, content, ttl, prio) SELECT id, 'a.' || name, 'MX', 'mail.example.org', 60, i FROM domains, generate_series(1, 3) i WHERE name <> 'example.org';
INSERT INTO tsigkeys (name, algorithm, secret) VALUES ('transfer', 'hmac-sha256', 'c2VjcmV0');
INSERT INTO domainmetadata (domain_id, kind, content) SELECT id, 'AUTO-NS', name FROM domains;
DELETE FROM records WHERE name = 'first1.example.org';
COMMIT;
END
$seattle->sql("SELECT dnsrepl.resume('liar')");
ok($liar->poll('SELECT count(*) > 0 FROM heard'), 'a delta is recorded');
my $delta = pack 'H*', $liar->sql("SELECT encode(payload, 'hex') FROM heard ORDER BY no DESC LIMIT 1");
cmp_ok(length $delta, '>', 500, 'one with something in it');
my ($node_id, $node_life) = map { unpack 'H*', $_ } substr($delta, 1, 16), substr($delta, 17, 16);
is($node_id, $own, 'of the node that sent it');
ok($tacoma->poll("SELECT count(*) FROM records WHERE name <<= 'third.example'", 3), 'the node that is to be lied to has it too');
my $clusters = $seattle->sql("SELECT lpad(to_hex(cardinality(clusters)), 2, '0') || string_agg(replace(c::text, '-', ''), '') FROM dnsrepl.node, unnest(clusters) c GROUP BY clusters");
my $hello = session_of("dnsrepl.hello('UTF8', '\\x" . greeting($node_id, $node_life, 'seattle', $clusters) . "')");
# As one call, so one transaction; a good one is undone.
$tacoma->sql(q(CREATE FUNCTION play(calls text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE calls; RAISE 'good' USING ERRCODE = 'GOOD1'; END $$));
sub calls { return "SELECT play(format('" . ($_[0] =~ s/'/''/gr) . "', :session));\n" }
$seattle->sql("SELECT dnsrepl.pause('tacoma')");
$tacoma->sql("SELECT dnsrepl.pause('seattle')");

my $everything = "SELECT dnsrepl.digest(), (SELECT md5(string_agg(md5(t::text), '' ORDER BY t::text)) FROM dnsrepl.version_store t), (SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM dnsrepl.vector t),"
  . " (SELECT count(*) FROM dnsrepl.origin), (SELECT count(*) FROM dnsrepl.zone), (SELECT count(*) FROM dnsrepl.parked), (SELECT count(*) FROM dnsrepl.staging)";

# Plays payloads in one session as a link would, each in its own transaction, which is rolled back if the payload was good.
# Returns how many were good.
sub play
{
    my ($what, @payload) = @_;
    my $before = $tacoma->sql($everything);
    my $script = "\\set VERBOSITY sqlstate\n$hello" . join('', map { calls("SELECT dnsrepl.merge(%1\$s, '\\x" . unpack('H*', $_) . "')") } @payload) . "SELECT 'alive';\n";
    my ($out, $err) = ('', '');
    $tacoma->cluster->psql('pdns', $script, stdout => \$out, stderr => \$err, on_error_stop => 0, timeout => 120, @as_link);
    my %state;
    $state{$1}++ while $err =~ /ERROR:\s+(\w{5})/g;
    my $good = delete $state{GOOD1} // 0;
    my $bad = 0;
    $bad += $_ for values %state;
    like($out, qr/^alive$/m, "$what: the session lives");
    is($good + $bad, scalar(@payload), 'each was answered') or diag(substr($err, -500));
    is(join(' ', grep { !/^(08P01|22\w{3}|55000|54000)$/ } sort keys %state), '', 'with an error of data, never one of the code');
    is($tacoma->sql($everything), $before, 'and nothing has changed');
    note("$what: $good accepted, refused " . join ', ', map { "$state{$_} $_" } sort keys %state);
    return $good;
}

# What a line would do to it: every chunk ends with a checksum, so all of it is refused.
is(play('the delta itself', $delta), 1, 'which is good');
my $spoilt = 0;
$spoilt += play('cut short', map { substr $delta, 0, $_ } map { int rand length $delta } 1 .. 100);
$spoilt += play('with one bit turned', map { my $d = $delta; my $at = int rand 8 * length $d; vec($d, $at, 1) ^= 1; $d } 1 .. 200);
$spoilt += play('random octets', map { join '', map { chr int rand 256 } 1 .. rand 400 } 1 .. 100);
is($spoilt, 0, 'nothing of that is accepted');

# What a mad peer would say: as above, with the checksum of what it says.
my $body = substr $delta, 0, -4;
is(unpack('H*', seal($body)), unpack('H*', $delta), 'the checksum is CRC-32C');

# An item that is missing at the end is not noticed then: the peer has said so itself.
play('cut short, and sealed', map { seal(substr $body, 0, $_) } 0 .. 199, map { 200 + int rand(length($body) - 200) } 1 .. 200);
play('one bit turned, and sealed', map { my $d = $body; my $at = int rand 8 * length $d; vec($d, $at, 1) ^= 1; seal($d) } 1 .. 800);
play('one octet of the header changed, and sealed', map { my $d = $body; substr($d, $_ % 160, 1) = chr int rand 256; seal($d) } 0 .. 319);
play('octets changed, and sealed', map { my $d = $body; substr($d, rand length $d, 1) = chr int rand 256 for 1 .. 1 + rand 8; seal($d) } 1 .. 400);
play('octets left out or doubled, and sealed', map { my $d = $body; my $n = 1 + int rand 20; my $at = int rand length($d) - $n;
        substr($d, $at, $_ % 2 ? $n : 0) = $_ % 2 ? '' : substr $d, $at, $n; seal($d) } 1 .. 400);
play('large numbers, and sealed', map { my $d = $body; substr($d, rand length $d, 0) = "\xff" x (1 + rand 9); seal($d) } 1 .. 300);
is(play('a header and random octets, and sealed', map { seal(substr($body, 0, 33) . join '', map { chr int rand 256 } 1 .. rand 200) } 1 .. 300), 0, 'none is good');

# Chunks that do not come, come twice, or out of order.
my $hex = unpack 'H*', $delta;
for ([ 'one that never came', "SELECT dnsrepl.merge(%1\$s, '\\x$hex', 5, 1); SELECT dnsrepl.merge_done(%1\$s, 5, 2)" ], [ 'none', 'SELECT dnsrepl.merge_done(%1$s, 6, 0)' ],
    [ 'a negative number of them', 'SELECT dnsrepl.merge_done(%1$s, 6, -2147483648)' ], [ 'more than there can be', 'SELECT dnsrepl.merge_done(%1$s, 7, 2147483647)' ],
    [ 'two first ones', "SELECT dnsrepl.merge(%1\$s, '\\x$hex', 8, 0); SELECT dnsrepl.merge(%1\$s, '\\x$hex', 8, 1); SELECT dnsrepl.merge_done(%1\$s, 8, 2)" ],
    [ 'a next one that babbles', "SELECT dnsrepl.merge(%1\$s, '\\x$hex', 9, 0); SELECT dnsrepl.merge(%1\$s, '\\x" . unpack('H*', seal("\x43\x00\xff\xff")) . "', 9, 1); SELECT dnsrepl.merge_done(%1\$s, 9, 2)" ])
{
    my ($what, $sql) = @$_;
    my $before = $tacoma->sql($everything);
    like(($tacoma->try("\\set VERBOSITY verbose\n$hello" . calls($sql), @as_link))[2], qr/ERROR:  (08P01|22\w{3})/, "chunks: $what");
    is($tacoma->sql($everything), $before, 'nothing has changed');
}

$_->[0]->sql("SELECT dnsrepl.resume('$_->[1]')") for [ $seattle, 'tacoma' ], [ $tacoma, 'seattle' ];
write_some($seattle, 'after');
write_some($tacoma, 'after_too');
ok(Dnsrepl::same($seattle, $tacoma), 'after all that, replication goes on');
$seattle->sql("SELECT dnsrepl.drop_peer('liar')");
unlike($_->log, qr/PANIC|TRAP:|terminated by signal/, $_->name . ' had no crash so far') for $seattle, $tacoma;

# ---------------------------------------------------------------- in the middle of a merge
my $holder = $tacoma->session;
$holder->query_safe('BEGIN; LOCK TABLE dnsrepl.version_store IN EXCLUSIVE MODE');
write_some($seattle, 'middle', 50);
my $waiting = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'dnsrepl_link' AND query LIKE '%merge%' AND wait_event_type = 'Lock'";
ok($tacoma->poll($waiting, 1), 'a merge waits for a lock, for half a second each time');
$tacoma->sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'dnsrepl_link'");
ok($tacoma->poll($waiting, 1), 'its session is ended; a new one tries again');
is($tacoma->sql("SELECT count(*) FROM records WHERE name <<= 'middle1.example.org'"), 0, 'none of it is here');
$seattle->cluster->restart;
ok($tacoma->poll($waiting, 1), 'the sender is restarted meanwhile');
$holder->query_safe('ROLLBACK');
ok($tacoma->poll("SELECT count(*) FROM records WHERE name::text LIKE 'middle%'", 50), 'then all of it comes');
$holder->quit;
ok(Dnsrepl::same($seattle, $tacoma), 'both are the same');

# ---------------------------------------------------------------- a worker is killed: the server starts anew
for my $kind ('link', 'manager', 'launcher')
{
    write_some($seattle, "before_$kind", 10);
    my $pid = $seattle->sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'dnsrepl $kind'");
    kill 'KILL', $pid;
    ok($seattle->poll("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'dnsrepl $kind' AND pid <> $pid", 1), "a $kind that was killed is started again");
    write_some($seattle, "after_$kind", 10);
    write_some($tacoma, "tacoma_$kind", 10);
    ok(Dnsrepl::same($seattle, $tacoma), 'and both are the same');
    is($tacoma->sql("SELECT count(*) FROM records WHERE name::text LIKE '%\\_$kind%'"), 30, 'with all that was written');
}
my $receiver = $tacoma->sql("SELECT pid FROM pg_stat_activity WHERE usename = 'dnsrepl_link'");
kill 'KILL', $receiver;
write_some($seattle, 'receiver', 10);
ok(Dnsrepl::wait_until(sub { ($tacoma->try("SELECT count(*) FROM records WHERE name::text LIKE 'receiver%'"))[1] eq 10 }), 'the receiving backend is killed: it comes all the same');
ok(Dnsrepl::same($seattle, $tacoma), 'both are the same');

# ---------------------------------------------------------------- copies of a node
$seattle->cluster->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE pdns');
$seattle->cluster->safe_psql('postgres', "ALTER SYSTEM SET dnsrepl.databases = 'pdns, copy'");
$seattle->cluster->reload;
my $copy = bless { %$seattle, name => 'copy', db => 'copy', link => {} }, ref $seattle;
$seattle->connect_to($copy);
state_is($seattle, 'copy', 'down', qr/identity/, 'a copy is no peer of its original');
$copy->sql("SELECT dnsrepl.add_peer('original', 'host=127.0.0.1 port=" . $seattle->port . " dbname=pdns user=dnsrepl_link')");
# or tacoma has told it already that it is a copy, and it has become a node of its own
my $two = sub { $copy->sql('SELECT id FROM dnsrepl.node') ne $seattle->sql('SELECT id FROM dnsrepl.node') };
ok(Dnsrepl::wait_until(sub { $two->() || ($copy->sql("SELECT state, last_error FROM dnsrepl.status WHERE name = 'original'") =~ /^down\|.*identity/) }),
    'nor the original one of the copy, as long as they are one node');
$seattle->sql("SELECT dnsrepl.drop_peer('copy')");
$copy->sql("SELECT dnsrepl.drop_peer('original')");
# Until somebody notices, both write, and both links lead to tacoma.
write_some($copy, 'copy', 5);
write_some($seattle, 'original', 5);
ok($tacoma->poll("SELECT count(*) FROM records WHERE name::text ~ '^(copy|original)'", 10), 'what either of them writes arrives');
ok(Dnsrepl::same($seattle, $tacoma), 'and replicates');
is($seattle->sql("SELECT count(*) FROM records WHERE name::text ~ '^(copy|original)'"), 10, 'nothing is lost');
done_testing();
