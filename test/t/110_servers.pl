# DNS servers that are told by UPDATE: BIND and Knot, each with the records of a database that no PowerDNS serves.
use strict;
use warnings;
use Dnsrepl;
use NameServer;
use Test::More;

my @zone = map { "zone$_.example" } 1 .. 2;
my $key = [ 'transfer', 'hmac-sha384', 'c2VjcmV0LXNlY3JldC1zZWNyZXQ=' ];
my $node = Dnsrepl->new('seattle', conf => "dnsrepl.keepalive = '1s'");
my $policy = 'update-policy { deny transfer name refused.zone2.example; deny transfer name alsorefused.zone2.example TXT; grant transfer zonesub ANY; };';
my $bind = NameServer->bind('bind', key => $key, zones => { $zone[0] => { update => 1 }, $zone[1] => { update => 1, options => $policy } });
my $knot = NameServer->knot('knot', workers => 2, key => $key, zones => { map { $_ => { update => 1 } } @zone });
my @server = ($bind, $knot);
my $secret = "hmac-sha384:transfer:$key->[2]";

sub difference { my ($server) = @_; return $node->sql("SELECT zone, name, type, ours, theirs FROM dnsrepl.verify('" . $server->name . "')") }

sub status { my ($server) = @_; return $node->sql("SELECT state, last_error FROM dnsrepl.status WHERE name = '" . $server->name . "'") }

my $none = qr/^(?!)/;
my $except = $none;    # lines of difference() that are there

# Until all that was committed has been told, and each has what it should have.
sub told
{
    my ($what, @those) = @_;
    my $done = Dnsrepl::wait_until(sub { $node->sql("SELECT dnsrepl.wait_for_peers('5s')") eq 't' });
    ok($done, "$what: told") or diag $node->sql('SELECT * FROM dnsrepl.status') . "\n" . $node->sql('SELECT * FROM dnsrepl.problem') . "\n" . $node->log;
    for my $server (@those ? @those : @server)
    {
        is(join("\n", grep { $_ !~ $except } split /\n/, difference($server)), '', "$what: " . $server->name . ' has what it should have');
    }
    return;
}

sub answers
{
    my ($name, $type, $answer, $what) = @_;
    is($_->dig($name, $type), $answer, "$what: " . $_->name) for @server;
    return;
}

my $id = "(SELECT id FROM domains WHERE name = '$zone[0]')";

sub insert
{
    my ($name, $type, $content, $ttl) = @_;
    return "INSERT INTO records (domain_id, name, type, content, ttl) VALUES ($id, '$name', '$type', '$content', @{[ $ttl // 300 ]})";
}

# ---------------------------------------------------------------- the first load
$node->sql("SELECT dnsrepl.import_zone('
\$TTL 300
\@ SOA ns1 hostmaster 1 3600 600 604800 300
\@ NS ns1
\@ NS ns2.example.net.
ns1 A 192.0.2.1
www A 192.0.2.2
www A 192.0.2.3
\@ MX 10 mail.example.net.
\@ TXT \"a b\" \"c\"
_sip._tcp SRV 1 2 5060 www
*.wild CNAME www
sub NS ns.sub
ns.sub A 192.0.2.4
', '$_')") for @zone;
$node->sql("INSERT INTO domains (name, type) VALUES ('else.where', 'NATIVE')");
for my $case ([ 'name or address', q('x', 'ns1.example.net') ], [ 'a port that is none', q('x', '127.0.0.1:99999') ], [ 'a pattern that is none', q('x', '127.0.0.1', '{a..b}') ],
    [ 'a key that is not there', q('x', '127.0.0.1', '{*}', 'nobody') ], [ 'an algorithm that is too old', q('x', '127.0.0.1', '{*}', 'hmac-md5:a:c2VjcmV0') ])
{
    my ($what, $arguments) = @$case;
    my ($status, undef, $error) = $node->try("SELECT dnsrepl.add_server($arguments)");
    isnt($status, 0, "$what is refused");
    unlike($error, qr/c2Vj/, 'without the secret') if $what =~ /algorithm/;
}
my ($status, undef, $error) = $node->try("SELECT dnsrepl.verify('nobody')");
like($error, qr/server "nobody" does not exist/, 'a server that is none');
$node->sql("INSERT INTO tsigkeys (name, algorithm, secret) VALUES ('transfer', 'hmac-sha384', '$key->[2]')");
$node->sql("SELECT dnsrepl.add_server('bind', '127.0.0.1:" . $bind->port . "', '{*.example}', 'transfer')");
$node->sql("SELECT dnsrepl.add_server('knot', '127.0.0.1:" . $knot->port . "', '{*.example}', '$secret')");
told('the first load');
answers("www.$zone[0]", 'A', "192.0.2.2\n192.0.2.3", 'and answers');
is($node->sql('SELECT name, kind, state, behind_units, last_error IS NULL FROM dnsrepl.status'), "bind|server|streaming|0|t\nknot|server|streaming|0|t", 'so the status says');

# ---------------------------------------------------------------- edits
my ($serial) = map { (split ' ', $bind->dig($zone[0], 'SOA'))[2] } 1;
$node->sql(insert("new.$zone[0]", 'A', '192.0.2.5'));
told('a new name');
answers("new.$zone[0]", 'A', '192.0.2.5', 'it');
is((split ' ', $bind->dig($zone[0], 'SOA'))[2], $serial + 1, 'the server counts its serial');
$node->sql("UPDATE records SET content = '192.0.2.6', ttl = 60 WHERE name = 'new.$zone[0]'");
told('another address');
answers("new.$zone[0]", 'A', '192.0.2.6', 'it');
$node->sql("BEGIN; DELETE FROM records WHERE name = 'new.$zone[0]'; " . insert("new.$zone[0]", 'CNAME', "www.$zone[0]") . '; COMMIT');
told('an alias in the place of an address');
answers("new.$zone[0]", 'CNAME', "www.$zone[0].", 'it');
$node->sql("BEGIN; DELETE FROM records WHERE name = 'new.$zone[0]'; " . insert("new.$zone[0]", 'A', '192.0.2.7') . '; ' . insert("new.$zone[0]", 'TXT', '"x"') . '; COMMIT');
told('and back');
$node->sql("UPDATE records SET disabled = true WHERE name = 'new.$zone[0]' AND type = 'TXT'");
told('a record that is disabled');
answers("new.$zone[0]", 'TXT', '', 'is not there');
$node->sql("DELETE FROM records WHERE name = 'new.$zone[0]'");
told('a name that goes');
$node->sql("UPDATE records SET content = 'ns3.example.net' WHERE name = '$zone[0]' AND type = 'NS' AND content LIKE 'ns2%'");
told('another name server at the apex');
answers($zone[0], 'NS', "ns1.$zone[0].\nns3.example.net.", 'is the one');
$node->sql("BEGIN; DELETE FROM records WHERE name = '$zone[0]' AND type = 'NS'; " . insert($zone[0], 'NS', 'ns9.example.net') . '; COMMIT');
told('all name servers replaced');
answers($zone[0], 'NS', 'ns9.example.net.', 'by one');
$node->sql("UPDATE records SET content = 'ns9.example.net root.example.net 1 7200 900 1209600 60', ttl = 900 WHERE name = '$zone[0]' AND type = 'SOA'");
told('other timers in the SOA record');
like($_->dig($zone[0], 'SOA'), qr/^ns9\.example\.net\. root\.example\.net\. \d+ 7200 900 1209600 60$/, $_->name . ' has them') for @server;
$node->sql(insert("deep.$zone[0]", 'DNAME', 'example.net'));
told('a DNAME record');
$node->sql("DELETE FROM records WHERE type = 'DNAME'");
told('which goes');
$node->sql(insert("typed.$zone[0]", 'SSHFP', '1 1 450c7d19d5da9a3a5b7c19992d1fbde15d8dad34') . '; ' . insert("typed.$zone[0]", 'CAA', '0 issue "ca.example.net"') . '; '
        . insert("typed.$zone[0]", 'TYPE65280', '\\# 3 010203') . '; ' . insert("typed.$zone[0]", 'NAPTR', '10 20 "u" "E2U+sip" "!^.*$!sip:x@example.net!" .'));
told('rarer types');
$node->sql("UPDATE domains SET account = 'somebody'");
told('a change of the zones\' rows');

# ---------------------------------------------------------------- a zone's whole life
my $third = 'third.example';
$node->sql("SELECT dnsrepl.import_zone('\@ 60 SOA a b 1 2 3 4 5\n\@ 60 NS ns1.example.net.\nwww 60 A 192.0.2.9\n', '$third')");
ok($node->poll("SELECT count(*) FROM dnsrepl.problem WHERE zone = '$third'", 2), 'a zone that the servers do not have is a problem of that zone');
like($node->sql("SELECT error FROM dnsrepl.problem WHERE zone = '$third' AND error LIKE '%bind%'"), qr/server bind: the server answers NOTAUTH to a transfer/, 'which says why');
$node->sql(insert("meanwhile.$zone[0]", 'A', '192.0.2.8'));
$except = qr/^third\.example\|\|\|\|\{"the server answers NOTAUTH to a transfer"\}$/;
told('the others go on');
$except = $none;
for my $server (@server) { $server->configure(%{ $server->{zones} }, $third => { update => 1 }); $server->stop; $server->start }
$node->sql("SELECT dnsrepl.resync(name) FROM dnsrepl.server");
told('once they have it');
answers("www.$third", 'A', '192.0.2.9', 'it is there');
is($node->sql('SELECT * FROM dnsrepl.problem'), '', 'no problem');
$node->sql("DELETE FROM domains WHERE name = '$third'");
ok($node->poll("SELECT count(*) FROM dnsrepl.problem WHERE zone = '$third' AND error LIKE '%has been deleted here%'", 2), 'a zone that is deleted here stays there, and is told of');
answers("www.$third", 'A', '192.0.2.9', 'untouched');
$node->sql("SELECT dnsrepl.import_zone('\@ 60 SOA a b 1 2 3 4 5\n\@ 60 NS ns1.example.net.\nwww 60 A 192.0.2.10\n', '$third'); SELECT dnsrepl.resync(name) FROM dnsrepl.server");
told('made again');
answers("www.$third", 'A', '192.0.2.10', 'it has what the new one has');
is($node->sql('SELECT * FROM dnsrepl.problem'), '', 'no problem');

# ---------------------------------------------------------------- more zones that it does not have than are tried at a time
my $last = 'last.many.example';
for my $zone ("'n' || i || '.many.example' FROM generate_series(1, 1010) i", "'$last'")
{
    $node->sql("WITH made AS (INSERT INTO domains (name, type) SELECT *, 'NATIVE' FROM (SELECT $zone) z RETURNING id, name)"
        . "INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, name, 'SOA', 'a.example b.example 1 2 3 4 5', 60 FROM made");
    ok($node->poll("SELECT count(*) FROM dnsrepl.problem WHERE zone << 'many.example' AND error LIKE '%bind%'", $zone eq "'$last'" ? 1011 : 1010, 120), 'zones that the server does not have');
}
$bind->configure(%{ $bind->{zones} }, $last => { update => 1 });
$bind->stop;
$bind->start;
ok(Dnsrepl::wait_until(sub { $bind->dig($last, 'SOA') =~ /^a\.example\. / }, 120), 'the one that came last has its turn too, once the server has it');
$node->sql("DELETE FROM domains WHERE name << 'many.example'");
$bind->configure(map { $_ => $bind->{zones}{$_} } grep { $_ ne $last } keys %{ $bind->{zones} });
$bind->stop;
$bind->start;
$node->sql("SELECT dnsrepl.resync(name) FROM dnsrepl.server");
told('without them');
is($node->sql('SELECT * FROM dnsrepl.problem'), '', 'no problem');

# ---------------------------------------------------------------- what a server refuses
$id = "(SELECT id FROM domains WHERE name = '$zone[1]')";
$node->sql('BEGIN; ' . join('; ', insert("refused.$zone[1]", 'A', '192.0.2.1'), insert("fine.$zone[1]", 'A', '192.0.2.1'), insert("alsorefused.$zone[1]", 'A', '192.0.2.1'),
        insert("alsorefused.$zone[1]", 'TXT', '"no"')) . '; COMMIT');
told('some of it is refused', $knot);
is($node->sql("SELECT zone, key, error FROM dnsrepl.problem ORDER BY 2"), qq($zone[1]|{"name": "alsorefused.$zone[1]", "type": "TXT"}|server bind: the server answers REFUSED\n)
    . qq($zone[1]|{"name": "refused.$zone[1]", "type": "A"}|server bind: the server answers REFUSED), 'these RRsets are a problem');
is($bind->dig("$_.$zone[1]", 'A'), '192.0.2.1', "$_ is there") for qw(fine alsorefused);
like(status($bind), qr/^streaming\|some of it was refused/, 'the status says so');
like(difference($bind), qr/refused\.$zone[1]\|A\|\{"300 192\.0\.2\.1"\}\|$/m, 'and verify()');
$bind->configure(%{ $bind->{zones} }, $zone[1] => { update => 1 });
$bind->stop;
$bind->start;
$node->sql("SELECT dnsrepl.resync('bind')");
told('once it is allowed');
is($node->sql('SELECT * FROM dnsrepl.problem'), '', 'no problem');

# ---------------------------------------------------------------- edited by hand
sub nsupdate
{
    my ($server, @line) = @_;
    my $out;
    IPC::Run::run([ 'nsupdate', '-y', "hmac-sha384:transfer:$key->[2]" ], '<', \join('', map { "$_\n" } 'server 127.0.0.1 ' . $server->port, @line, 'send'), '>', \$out, '2>&1');
    return $? == 0 ? '' : $out;
}

for my $server (@server)
{
    is(nsupdate($server, "update delete www.$zone[0] A 192.0.2.2", "update add by.hand.$zone[0] 60 TXT x", "update add their.$zone[0] 60 TXT x", "update add x.their.$zone[0] 60 A 192.0.2.1"), '', 'edited by hand');
    is(difference($server), qq($zone[0]|by.hand.$zone[0]|TXT||{"60 \\"x\\""}\n$zone[0]|their.$zone[0]|TXT||{"60 \\"x\\""}\n$zone[0]|x.their.$zone[0]|A||{"60 192.0.2.1"}\n)
        . qq($zone[0]|www.$zone[0]|A|{"300 192.0.2.2","300 192.0.2.3"}|{"300 192.0.2.3"}), 'verify() shows it: ' . $server->name);
    my $name = $server->name;
    $node->sql("SELECT dnsrepl.unmanaged('$name', 'their.$zone[0]', '{TXT}'), dnsrepl.unmanaged('$name', '*.their.$zone[0]')");
}
$except = qr/\|by\.hand\./;
told('what is ours is mended, all else left alone');
is($_->dig("their.$zone[0]", 'TXT'), '"x"', 'it is there') for @server;
is($_->dig("by.hand.$zone[0]", 'TXT'), '"x"', 'what the database never had too') for @server;
is($node->sql('SELECT server, zone, name, type FROM dnsrepl.server_extra ORDER BY 1'), join("\n", map { "$_|$zone[0]|by.hand.$zone[0]|TXT" } qw(bind knot)), 'and shown, if it is not unmanaged');
$node->sql('SELECT dnsrepl.remove_extra(server, zone, name, type) FROM dnsrepl.server_extra');
$except = $none;
told('asked for by name, it is removed');
is($_->dig("by.hand.$zone[0]", 'TXT'), '', 'it is not there') for @server;
$id = "(SELECT id FROM domains WHERE name = '$zone[0]')";
$node->sql(insert("their.$zone[0]", 'A', '192.0.2.77'));
told('another type of such a name');
is($_->dig("their.$zone[0]", 'ANY'), $_->name eq 'knot' ? '192.0.2.77' : qq("x"\n192.0.2.77), 'is told') for $bind;
$node->sql("SELECT dnsrepl.managed(name, 'their.$zone[0]') FROM dnsrepl.server");
$except = qr/\|their\.\S+\|TXT\|/;
told('managed after all');
is($_->dig("their.$zone[0]", 'TXT'), '"x"', 'it stays') for @server;
$node->sql('SELECT dnsrepl.remove_extra(server, zone, name, type) FROM dnsrepl.server_extra');
$except = $none;
told('and asked for by name');
is($_->dig("their.$zone[0]", 'TXT'), '', 'it goes') for @server;

# ---------------------------------------------------------------- asked for while something is being told, before the worker knows
my $manager = $node->sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'dnsrepl manager'");
is(nsupdate($_, "update delete www.$zone[0] A"), '', 'edited by hand') for @server;
kill 'STOP', $manager;
$node->sql("SELECT dnsrepl.resync(name) FROM dnsrepl.server");
$node->sql(insert("between.$zone[0]", 'A', '192.0.2.1'));
ok(Dnsrepl::wait_until(sub { $_->dig("between.$zone[0]", 'A') eq '192.0.2.1' }), 'told by the worker that runs: ' . $_->name) for @server;
is($node->sql("SELECT dnsrepl.wait_for_peers('10ms')"), 'f', 'which is not what was asked for');
kill 'CONT', $manager;
told('resync() is done all the same');

# ---------------------------------------------------------------- a transfer that breaks off, each time
my $port = Dnsrepl::free_port();
my $line = Dnsrepl::spawn('forwarder', undef, $^X, "$ENV{DNSREPL_ROOT}/test/lib/forward.pl", $port, $bind->port, unpack 'H*', "\x05zone1\x07example\0\0\xfc");    # AXFR
Dnsrepl::listening($port) or die;
is(nsupdate($bind, "update delete www.$_ A"), '', 'edited by hand') for @zone;
$node->sql("SELECT dnsrepl.add_server('bind', '127.0.0.1:$port', '{*.example}', 'transfer')");
ok(Dnsrepl::wait_until(sub { $bind->dig("www.$zone[1]", 'A') ne '' }), 'the other zone is compared all the same');
ok($node->poll("SELECT count(*) FROM dnsrepl.problem WHERE zone = '$zone[0]' AND error ~ 'server bind: .*(closed|reset|lost)'", 1), 'this one is a problem, with the reason')
    or diag $node->sql('SELECT * FROM dnsrepl.problem');
$node->sql("SELECT dnsrepl.add_server('bind', '127.0.0.1:" . $bind->port . "', '{*.example}', 'transfer')");
told('at its own port');
isnt($bind->dig("www.$zone[0]", 'A'), '', 'it is compared too');
Dnsrepl::finish($line);

# ---------------------------------------------------------------- paused, away
$node->sql("SELECT dnsrepl.pause(name) FROM dnsrepl.server");
$node->sql(insert("paused.$zone[0]", 'A', '192.0.2.1'));
is(status($bind), 'paused|', 'paused');
for my $server (@server)
{
    my ($status, $out, $error) = $node->try("SELECT * FROM dnsrepl.verify('" . $server->name . "')");
    is($out, '', 'while it is paused nothing differs');
    like($error, qr/NOTICE: +1 names have changed since/, 'what it has not been told is not compared');
}
answers("paused.$zone[0]", 'A', '', 'nothing is told');
$node->sql("SELECT dnsrepl.resume(name) FROM dnsrepl.server");
told('resumed');
answers("paused.$zone[0]", 'A', '192.0.2.1', 'it is told');
$_->stop for @server;
$node->sql(insert("away.$zone[0]", 'A', '192.0.2.1'));
for my $server (@server)
{
    ok($node->poll("SELECT state = 'down' AND last_error LIKE '%Connection refused%' FROM dnsrepl.status WHERE name = '" . $server->name . "'", 't'), 'one that is down is so in the status, with the reason');
}
$_->start for @server;
told('and back');
answers("away.$zone[0]", 'A', '192.0.2.1', 'it is told');
$node->cluster->restart;
ok($node->poll("SELECT count(*) FROM dnsrepl.status WHERE state = 'streaming'", 2), 'after a restart of the database');
told('all is compared');

# ---------------------------------------------------------------- an UPDATE that waits at the server when the database crashes
sub waits
{
    my ($what) = @_;
    ok($node->poll("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'dnsrepl server' AND state = 'active' AND wait_event IS NOT NULL AND state_change < clock_timestamp() - interval '0.3 s'", 1), $what)
        or diag $node->sql("SELECT * FROM pg_stat_activity WHERE backend_type = 'dnsrepl server'");
    return;
}

$knot->hold($zone[0]);
$node->sql(insert("queued.$zone[0]", 'TXT', '"one"'));
waits('an UPDATE waits');
$node->sql("SELECT dnsrepl.pause('knot')");
$node->cluster->stop('immediate');
$node->cluster->start;
$node->sql("BEGIN; DELETE FROM records WHERE name = 'queued.$zone[0]'; " . insert("queued.$zone[0]", 'CNAME', "www.$zone[0]") . '; COMMIT');
$node->sql("SELECT dnsrepl.resume('knot')");
waits('so does the next worker');
$knot->release($zone[0]);
told('what waited is done first, and what it did is seen');
answers("queued.$zone[0]", 'CNAME', "www.$zone[0].", 'the last edit');

# ---------------------------------------------------------------- serials, keys, clocks
$node->sql("SELECT dnsrepl.add_server('bind', '127.0.0.1:" . $bind->port . "', '{*.example}', 'transfer', 'ours')");
$node->sql("UPDATE records SET content = regexp_replace(content, '^(\\S+ \\S+) \\d+', '\\1 2026112501') WHERE name = '$zone[0]' AND type = 'SOA'");
told('a server that takes the zone\'s serial');
like($bind->dig($zone[0], 'SOA'), qr/ 2026112501 /, 'has it');
$node->sql(insert("serial.$zone[0]", 'A', '192.0.2.1'));
told('an edit');
my $ours = $node->sql("SELECT split_part(content, ' ', 3) FROM records WHERE name = '$zone[0]' AND type = 'SOA'");
is((split ' ', $bind->dig($zone[0], 'SOA'))[2], $ours, 'and the next one');
is(nsupdate($bind, "update add $zone[0] 900 SOA ns9.example.net. root.example.net. 2030010101 7200 900 1209600 60"), '', 'its own is ahead');
$node->sql(insert("serial2.$zone[0]", 'A', '192.0.2.1'));
told('an edit');
is((split ' ', $bind->dig($zone[0], 'SOA'))[2], 2030010102, 'it never goes backwards');

for my $case ([ 'a wrong secret', 'hmac-sha384:transfer:d3Jvbmctd3Jvbmctd3Jvbmc=', qr/BADSIG/ ], [ 'a key that it does not know', "hmac-sha256:other:$key->[2]", qr/BADKEY/ ])
{
    my ($what, $wrong, $like) = @$case;
    $node->sql("SELECT dnsrepl.add_server(name, address, zones, '$wrong') FROM dnsrepl.server");
    $node->sql(insert("wrong" . length($what) . ".$zone[0]", 'A', '192.0.2.1'));
    for my $server (@server)
    {
        ok(Dnsrepl::wait_until(sub { status($server) =~ $like }), "$what: the status says so: " . $server->name) or diag status($server);
    }
    $node->sql("SELECT dnsrepl.add_server(name, address, zones, '$secret') FROM dnsrepl.server");
    told("$what is mended");
}
unlike($node->log, qr/TRAP|terminated by signal|c2VjcmV0LXNl/, 'nothing crashed, no secret is in the log');

my ($faketime) = glob '/usr/lib/*/faketime/libfaketime.so.1';
$_->stop for @server;
$knot->{env} = [ "LD_PRELOAD=$faketime", 'FAKETIME=-600s', 'FAKETIME_DONT_FAKE_MONOTONIC=1' ];
$knot->start;
delete $knot->{env};
$node->sql(insert("clock.$zone[0]", 'A', '192.0.2.1'));
ok(Dnsrepl::wait_until(sub { status($knot) =~ /BADTIME: Its clock is (?:59\d|60\d) s behind this server's/ }), 'a clock that is ten minutes off: BADTIME is reported as such') or diag status($knot);
$knot->stop;
$_->start for @server;
told('once it is right');

$node->sql("SELECT dnsrepl.drop_server('knot')");
is($node->sql('SELECT name FROM dnsrepl.status'), 'bind', 'dropped');
($status, undef, $error) = $node->try("SELECT dnsrepl.add_peer('bind', 'host=127.0.0.1')");
like($error, qr/there is a DNS server of this name/, 'a peer cannot have the name of a server');
done_testing();
