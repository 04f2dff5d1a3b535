# What others keep in this database's zones at a DNS server stays there, and is shown, until somebody asks for its removal by name. What the
# database had and has no more goes: also what was deleted while nobody told the server. And a preview of all that a server would be told.
use strict;
use warnings;
use Dnsrepl;
use NameServer;
use Test::More;

my $zone = 'example.org';
my $node = Dnsrepl->new('seattle', conf => "dnsrepl.keepalive = '1s'\ndnsrepl.check_interval = '300ms'");
my @server = (NameServer->bind('bind', zones => { $zone => { update => 1 } }), NameServer->knot('knot', workers => 2, zones => { $zone => { update => 1 } }));
my ($bind, $knot) = @server;

sub nsupdate
{
    my ($server, @line) = @_;
    my $out;
    IPC::Run::run([ 'nsupdate' ], '<', \join('', map { "$_\n" } 'server 127.0.0.1 ' . $server->port, "zone $zone", @line, 'send'), '>', \$out, '2>&1');
    return $? == 0 ? '' : $out;
}

sub insert
{
    my ($name, $type, $content) = @_;
    return "INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, '$name.$zone', '$type', '$content', 60 FROM domains WHERE name = '$zone'";
}

sub told
{
    my ($what) = @_;
    ok(Dnsrepl::wait_until(sub { $node->sql("SELECT dnsrepl.wait_for_peers('5s')") eq 't' }), "$what: told") or diag $node->sql('SELECT * FROM dnsrepl.status') . $node->log;
    return;
}

sub extra { my ($server) = @_; return $node->sql("SELECT name, type FROM dnsrepl.server_extra WHERE server = '$server' ORDER BY name, type") }

sub everywhere
{
    my ($name, $type, $answer, $what) = @_;
    is($_->dig("$name.$zone", $type), $answer, "$what: " . $_->name) for @server;
    return;
}

$node->sql("SELECT dnsrepl.import_zone('\@ 60 SOA a b 1 2 3 4 5\n\@ 60 NS ns1.example.net.\nwww 60 A 192.0.2.9\nalias 60 CNAME www\nplain 60 A 192.0.2.8\nboth 60 TXT ours\ngone 60 A 192.0.2.7\n', '$zone')");
$node->sql("DELETE FROM records WHERE name = 'gone.$zone'");
for my $server (@server)
{
    is(nsupdate($server, "update add _acme-challenge.www.$zone 60 TXT challenge", "update add _sip._tcp.$zone 60 SRV 1 2 5060 pbx.$zone", "update add www.$zone 60 A 192.0.2.200", "update add both.$zone 60 TXT theirs",
            "update add both.$zone 60 A 192.0.2.201", "update add alias.$zone 60 TXT theirs", "update add plain.$zone 60 CNAME elsewhere.example.net.", "update add gone.$zone 60 A 192.0.2.7"), '', 'somebody else keeps records there: ' . $server->name);
}
my %before = map { $_->name => $_->transfer($zone) } @server;

# ---------------------------------------------------------------- a preview
$node->sql("SELECT dnsrepl.add_server('" . $_->name . "', '127.0.0.1:" . $_->port . "', paused => true)") for @server;
$node->cluster->append_conf('postgresql.conf', "dnsrepl.tombstone_retention = '2s'");
$node->cluster->reload;
for my $server (@server)
{
    my $name = $server->name;
    is($node->sql("SELECT name, type, action, ours, theirs FROM dnsrepl.server_preview('$name') ORDER BY name, type, action"), <<"END" =~ s/\n$//r, "a preview: $name");
example.org|NS|replace|{"60 ns1.example.net."}|{"300 ns.invalid."}
example.org|SOA|replace|{"60 a.example.org. b.example.org. @{[ serial($server) + 1 ]} 2 3 4 5"}|{"300 ns.invalid. hostmaster.invalid. @{[ serial($server) ]} 3600 600 604800 300"}
_sip._tcp.example.org|SRV|keep||{"60 1 2 5060 pbx.example.org."}
alias.example.org|CNAME|cannot|{"it cannot be told: others keep records at this name there, and a CNAME record cannot stand beside them: see dnsrepl.server_extra"}|
alias.example.org|TXT|keep||{"60 \\"theirs\\""}
both.example.org|A|keep||{"60 192.0.2.201"}
both.example.org|TXT|replace|{"60 \\"ours\\""}|{"60 \\"theirs\\""}
gone.example.org|A|remove||{"60 192.0.2.7"}
plain.example.org|A|cannot|{"it cannot be told: others keep a CNAME record at this name there, and nothing can stand beside it: see dnsrepl.server_extra"}|
plain.example.org|CNAME|keep||{"60 elsewhere.example.net."}
www.example.org|A|replace|{"60 192.0.2.9"}|{"60 192.0.2.200"}
_acme-challenge.www.example.org|TXT|keep||{"60 \\"challenge\\""}
END
    is($server->transfer($zone), $before{$name}, 'nothing has been told');
}
is($node->sql('SELECT state FROM dnsrepl.status'), "paused\npaused", 'the links are paused');

sub serial { my ($server) = @_; return (split ' ', $server->dig($zone, 'SOA'))[2] }

# ---------------------------------------------------------------- the first contact
$node->sql('SELECT dnsrepl.resume(name) FROM dnsrepl.server');
told('resumed');
everywhere('www', 'A', '192.0.2.9', 'what is ours is replaced');
everywhere('both', 'TXT', '"ours"', 'by whole RRsets');
everywhere('gone', 'A', '', 'what the database had and deleted goes');
everywhere('_acme-challenge.www', 'TXT', '"challenge"', 'what it never had stays');
everywhere('_sip._tcp', 'SRV', "1 2 5060 pbx.$zone.", 'and this');
everywhere('both', 'A', '192.0.2.201', 'and another type at a name of ours');
my $extras = join "\n", map { "$_->[0].$zone|$_->[1]" } [qw(_sip._tcp SRV)], [qw(alias TXT)], [qw(both A)], [qw(plain CNAME)], [qw(_acme-challenge.www TXT)];
is(extra($_->name), $extras, 'it is shown: ' . $_->name) for @server;
is($node->sql('SELECT name, state, extras FROM dnsrepl.status'), "bind|streaming|5\nknot|streaming|5", 'and counted');
is($node->sql("SELECT name, type FROM dnsrepl.verify('bind') WHERE extra ORDER BY name, type"), $extras, 'verify() knows it');
is($node->sql("SELECT name, type FROM dnsrepl.verify('bind') WHERE NOT extra ORDER BY name, type"), "alias.$zone|CNAME\nplain.$zone|A", 'and what stands in the way');
is($node->sql("SELECT key->>'name', key->>'type' FROM dnsrepl.problem WHERE error LIKE 'server bind: others keep %' ORDER BY 1"), "alias.$zone|CNAME\nplain.$zone|A", 'which is a problem');

# ---------------------------------------------------------------- later comparisons
for my $what ("resync('bind')", "unmanaged('bind', '*.dyn.$zone')", "managed('bind', '*.dyn.$zone')", "add_server('bind', '127.0.0.1:" . $bind->port . "', '{*.org}')")
{
    $node->sql("SELECT dnsrepl.$what");
    told($what);
    is(extra('bind'), $extras, "$what leaves it there");
    is($bind->dig("_sip._tcp.$zone", 'SRV'), "1 2 5060 pbx.$zone.", 'it is there');
}
$node->cluster->restart;
told('restarted');
is(extra('bind'), $extras, 'a restart leaves it there');
$node->sql("SELECT dnsrepl.unmanaged('bind', '_sip._tcp.$zone', '{SRV}')");
told('unmanaged');
unlike(extra('bind'), qr/_sip/, 'what is said to be somebody else\'s is not shown any more');
is($bind->dig("_sip._tcp.$zone", 'SRV'), "1 2 5060 pbx.$zone.", 'it is there');

# ---------------------------------------------------------------- edits beside them
$node->sql(insert('both', 'CAA', '0 issue "ca.example.net"'));
$node->sql("UPDATE records SET content = '192.0.2.10' WHERE name = 'plain.$zone'; UPDATE records SET content = 'plain.$zone' WHERE name = 'alias.$zone'");
$node->sql(insert('_acme-challenge.www', 'A', '192.0.2.11'));
told('edits');
everywhere('both', 'A', '192.0.2.201', 'an edit of another type leaves it there');
everywhere('_acme-challenge.www', 'TXT', '"challenge"', 'and another one');
everywhere('_acme-challenge.www', 'A', '192.0.2.11', 'which is told');
everywhere('alias', 'TXT', '"theirs"', 'what a CNAME record cannot stand beside stays');
everywhere('plain', 'CNAME', 'elsewhere.example.net.', 'and a CNAME record');
$node->sql(insert('_acme-challenge.www', 'TXT', '"ours"'));
told('it is edited here too');
everywhere('_acme-challenge.www', 'TXT', '"ours"', 'then it is this database\'s');
unlike(extra('knot'), qr/_acme/, 'and not shown any more');
$node->sql("DELETE FROM records WHERE name = '_acme-challenge.www.$zone' AND type = 'TXT'");
told('and deleted');
everywhere('_acme-challenge.www', 'TXT', '', 'it goes');

# ---------------------------------------------------------------- removed by name
for my $case ([ "'bind', '$zone', 'nobody.$zone', 'A'", qr/nobody\.\S+ A in zone \S+ is not known to be at server "bind"/ ], [ "'bind', '$zone', 'www.$zone', 'A'", qr/is not known to be at server/ ],
    [ "'bind', '$zone', NULL, 'A'", qr/an RRset is named by server, zone, name and type/ ])
{
    my ($status, undef, $error) = $node->try("SELECT dnsrepl.remove_extra($case->[0])");
    like($error, $case->[1], "refused: $case->[0]");
}
is(nsupdate($bind, "update add later.$zone 60 TXT x"), '', 'somebody adds another record');
$node->sql("SELECT dnsrepl.remove_extra(server, zone, name, type) FROM dnsrepl.server_extra WHERE name = 'alias.$zone' OR name = 'plain.$zone'");
told('removed by name');
everywhere('alias', 'TXT', "plain.$zone.", 'it is gone');
everywhere('alias', 'CNAME', "plain.$zone.", 'what it stood in the way of is told');
everywhere('plain', 'A', '192.0.2.10', 'and the other');
everywhere('both', 'A', '192.0.2.201', 'others have not been named');
is($bind->dig("later.$zone", 'TXT'), '"x"', 'nor has that');
is(extra('knot'), join("\n", "_sip._tcp.$zone|SRV", "both.$zone|A"), 'what is left');
is($node->sql('SELECT * FROM dnsrepl.problem'), '', 'no problem');

# ---------------------------------------------------------------- deleted while nobody told the server, and collected since
sub collected { my ($name) = @_; return $node->poll("SELECT count(*) FROM dnsrepl.version WHERE key->>'name' = '$name.$zone'", 0) }

$node->sql(insert($_, 'A', '192.0.2.1')) for qw(first second third);
told('three names');
$node->sql('SELECT dnsrepl.pause(name) FROM dnsrepl.server');
$node->sql("DELETE FROM records WHERE name = 'first.$zone'");
my $pause = $node->sql('SELECT now()');
my $round = $node->sql('SELECT rounds FROM dnsrepl.self_check');
ok($node->poll("SELECT now() > '$pause'::timestamptz + interval '4 s' AND (SELECT rounds FROM dnsrepl.self_check) > $round + 3", 't'), 'twice the retention, and some rounds of the checker');
is($node->sql("SELECT count(*) FROM dnsrepl.version WHERE key->>'name' = 'first.$zone'"), 1, 'the deletion is kept for the servers');
$node->cluster->stop('immediate');
$node->cluster->start;
$node->sql("DELETE FROM records WHERE name = 'second.$zone'");
$node->sql('SELECT dnsrepl.resume(name) FROM dnsrepl.server');
told('resumed in another life');
everywhere($_, 'A', '', "$_ goes") for qw(first second);
everywhere('third', 'A', '192.0.2.1', 'third stays');
ok(collected($_), "the deletion of $_ is collected then") for qw(first second);

# ---------------------------------------------------------------- of a server that was not known meanwhile
$node->sql("SELECT dnsrepl.drop_server('bind')");
$node->sql("DELETE FROM records WHERE name = 'third.$zone'");
ok(collected('third'), 'a deletion that no server lacks is collected');
$node->sql("SELECT dnsrepl.add_server('bind', '127.0.0.1:" . $bind->port . "')");
told('added again');
like(extra('bind'), qr/^third\.\Q$zone\E\|A$/m, 'it cannot be known whose it is: it is shown, and stays');
is($bind->dig("third.$zone", 'A'), '192.0.2.1', 'it is there');
is($knot->dig("third.$zone", 'A'), '', 'not at the server that was told');
unlike($node->log, qr/TRAP|terminated by signal (6|11)/, 'no crash');
done_testing();
