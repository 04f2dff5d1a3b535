# Live signing with replicated keys: after an edit at any node, both answer what a validating resolver believes, also of names
# that are not there, however the zone is signed. And zones that come by transfer: at the node that fetches them, and at the others.
use strict;
use warnings;
use Dnsrepl;
use Test::More;

my $conf = "dnsrepl.allow_plaintext_secrets = on";
my ($seattle, $tacoma) = my @node = map { Dnsrepl->new($_, conf => $conf) } qw(seattle tacoma);
$seattle->peer($tacoma);
$tacoma->peer($seattle);
my $dir = PostgreSQL::Test::Utils::tempdir('anchors');
$_->sql('ALTER DATABASE pdns SET client_min_messages = error') for @node;

# another PowerDNS, with tables of its own: a primary from which zones are fetched
$seattle->cluster->safe_psql('postgres', 'CREATE DATABASE elsewhere');
my $elsewhere = bless { name => 'elsewhere', db => 'elsewhere', server => $seattle->cluster, link => {} }, 'Dnsrepl';
$elsewhere->sql(PostgreSQL::Test::Utils::slurp_file('/usr/share/pdns-backend-pgsql/schema/schema.pgsql.sql'));
$elsewhere->dns_start('primary=yes', 'allow-axfr-ips=127.0.0.0/8', 'also-notify=');
$seattle->dns_start('secondary=yes', 'allow-notify-from=127.0.0.0/8', 'xfr-cycle-interval=600');
$tacoma->dns_start;

# Trusts the keys that somebody answers with.
sub trust
{
    my ($zone, $node) = @_;
    my @key = map { /^257 3 (\d+) (\S.*)/ ? "  $zone static-key 257 3 $1 \"$2\";\n" : () } split /\n/, $node->dig($zone, 'DNSKEY');
    open my $out, '>', "$dir/$zone" or die $!;
    print $out "trust-anchors {\n@key};\n";
    close $out;
    return scalar @key;
}

# What a validating resolver makes of a node's answer.
sub delv
{
    my ($node, $zone, $name, $type) = @_;
    my $out;
    IPC::Run::run([ 'delv', '@127.0.0.1', '-p', $node->{dns_port}, '-a', "$dir/$zone", "+root=$zone", $name, $type ], '>', \$out, '2>&1');
    return $out;
}

sub believed
{
    my ($zone, $name, $type, $like, $what) = @_;
    for my $node (@node)
    {
        my $out;
        ok(Dnsrepl::wait_until(sub { ($out = delv($node, $zone, $name, $type)) =~ $like }), "$what, from " . $node->name) or diag $out;
    }
    return;
}

# ---------------------------------------------------------------- signed here

my $zone = 'example.org';
$seattle->sql(<<'END');
SELECT dnsrepl.import_zone('
$TTL 300
@ SOA ns1 hostmaster 1 3600 600 604800 300
@ NS ns1
ns1 A 192.0.2.1
www A 192.0.2.2
a.b.c A 192.0.2.3
*.wild TXT "anything"
sub NS ns.sub
ns.sub A 192.0.2.4
signed NS ns1
signed DS 60485 13 2 D4B7D520E7BB5F0F67674A0CCEB1E3E0614B93C4F9E99B8383F6A1E4469DA50A
', 'example.org');
END
ok(Dnsrepl::same(@node), 'a zone at both');
my ($status, $body) = $seattle->api(POST => "/zones/$zone./cryptokeys", { keytype => 'csk', active => JSON::PP::true(), published => JSON::PP::true() });
is($status, 201, 'it is signed through the API of one') or diag explain $body;
ok(Dnsrepl::same(@node), 'the key is at both');
is(trust($zone, $tacoma), 1, 'and published by the other');

my $positive = qr/^; fully validated/m;
my $negative = qr/negative response, fully validated/;
my $id = "(SELECT id FROM domains WHERE name = '$zone')";
my $n = 0;

sub edits
{
    my ($how) = @_;
    $n++;
    $tacoma->sql("INSERT INTO records (domain_id, name, type, content, ttl) VALUES ($id, 'sql$n.x$n.$zone', 'A', '192.0.2.20', 300)");
    my ($status) = $seattle->api(PATCH => "/zones/$zone.", { rrsets => [ { name => "api$n.$zone.", type => 'A', ttl => 60, changetype => 'REPLACE',
                    records => [ { content => '192.0.2.21', disabled => JSON::PP::false() } ] } ] });
    is($status, 204, "$how: a name through the API");
    believed($zone, "sql$n.x$n.$zone", 'A', $positive, "$how: what SQL wrote at the one");
    believed($zone, "api$n.$zone", 'A', $positive, "$how: what the API wrote at the other");
    believed($zone, "x$n.$zone", 'A', $negative, "$how: the empty name above");
    believed($zone, "none$n.$zone", 'A', $negative, "$how: a name that is not there");
    believed($zone, "none.a.b.c.$zone", 'A', $negative, "$how: one below another");
    believed($zone, "b.c.$zone", 'TXT', $negative, "$how: an empty name");
    believed($zone, "www.$zone", 'AAAA', $negative, "$how: a type that is not there");
    # under opt-out nobody can tell that there is no delegation nearer to it (RFC 5155 section 9.2)
    believed($zone, "q$n.wild.$zone", 'TXT', $how =~ /opt-out/ ? qr/^; (unsigned answer|fully validated)/m : $positive, "$how: a wildcard");
    believed($zone, "sub.$zone", 'DS', $negative, "$how: a delegation that is not signed");
    believed($zone, "signed.$zone", 'DS', $positive, "$how: one that is");
    $seattle->sql("DELETE FROM records WHERE domain_id = $id AND name = 'sql$n.x$n.$zone'");
    believed($zone, "sql$n.x$n.$zone", 'A', $negative, "$how: a name that has gone");
    believed($zone, "x$n.$zone", 'A', $negative, "$how: the empty name with it");
    return;
}

edits('NSEC');
for my $way ([ 'NSEC3', '1 0 0 -' ], [ 'NSEC3 with opt-out', '1 1 1 abcd' ], [ 'narrow NSEC3', '1 0 0 -', 1 ])
{
    my ($how, $param, $narrow) = @$way;
    $tacoma->pdnsutil('set-nsec3', $zone, $param, $narrow ? 'narrow' : ());
    ok(Dnsrepl::same(@node), "$how is at both");
    edits($how);
}
$seattle->pdnsutil('unset-nsec3', $zone);
ok(Dnsrepl::same(@node), 'NSEC again');
edits('NSEC again');
for my $node (@node)
{
    my ($status, $out) = $node->pdnsutil('check-zone', $zone);
    is($status, 0, 'pdnsutil check-zone finds nothing: ' . $node->name) or diag $out;
}

# a second key, and the first one goes: a rollover
($status, $body) = $tacoma->api(POST => "/zones/$zone./cryptokeys", { keytype => 'csk', active => JSON::PP::true(), published => JSON::PP::true() });
is($status, 201, 'a second key, at the other node');
my $wait = sub { my ($keys) = @_; return Dnsrepl::wait_until(sub { !grep { (() = $_->dig($zone, 'DNSKEY') =~ /^257/mg) != $keys } @node }) };
ok($wait->(2), 'both answer with two keys');
is(trust($zone, $seattle), 2, 'which are trusted');
my $first = $seattle->sql('SELECT min(id) FROM cryptokeys');
($status) = $seattle->api(DELETE => "/zones/$zone./cryptokeys/$first");
is($status, 204, 'the first one is deleted');
ok($wait->(1), 'both answer with the other');
believed($zone, "www.$zone", 'A', $positive, 'signed with the new key');

# ---------------------------------------------------------------- fetched from elsewhere

sub fetched
{
    my ($zone, $how, $signed) = @_;
    my ($status, $body) = $elsewhere->api(POST => '/zones', { name => "$zone.", kind => 'Master', nameservers => ["ns1.$zone."], rrsets => [
                map { { name => "$_->[0].$zone.", type => $_->[1], ttl => 60, records => [ { content => $_->[2], disabled => JSON::PP::false() } ] } }
                    [ 'ns1', 'A', '192.0.2.1' ], [ 'www', 'A', '192.0.2.2' ], [ 'a.b.c', 'A', '192.0.2.3' ], [ 'sub', 'NS', 'ns.example.net.' ] ] });
    is($status, 201, "$how: a zone elsewhere") or diag explain $body;
    if ($signed)
    {
        $elsewhere->pdnsutil('secure-zone', $zone);
        $elsewhere->pdnsutil('set-nsec3', $zone, $signed) if $signed ne 'NSEC';
        $elsewhere->pdnsutil('rectify-zone', $zone);
    }
    ($status, $body) = $seattle->api(POST => '/zones', { name => "$zone.", kind => 'Slave', masters => ["127.0.0.1:$elsewhere->{dns_port}"] });
    is($status, 201, "$how: here a secondary of it") or diag explain $body;
    $seattle->api(PUT => "/zones/$zone./axfr-retrieve");
    for my $node (@node)
    {
        ok(Dnsrepl::wait_until(sub { $node->dig("www.$zone", 'A') eq '192.0.2.2' }), "$how: is fetched, and answered by " . $node->name);
    }
    ok(Dnsrepl::same(@node), "$how: both have the same");
    return;
}

fetched('plain.example', 'a zone without signatures');
like($_->dig('b.c.plain.example', 'A', '+noshort', '+noall', '+comments'), qr/NOERROR/, 'an empty name is there: ' . $_->name) for @node;
for my $way ([ 'nsec.example', 'NSEC' ], [ 'nsec3.example', '1 0 0 ab' ])
{
    my ($zone, $signed) = @$way;
    fetched($zone, $signed, $signed);
    is(trust($zone, $elsewhere), 1, "$signed: its key");
    believed($zone, "www.$zone", 'A', $positive, "$signed: signed elsewhere");
    believed($zone, "none.$zone", 'A', $negative, "$signed: a name that is not there");
    believed($zone, "b.c.$zone", 'A', $negative, "$signed: an empty name");
    believed($zone, "sub.$zone", 'DS', $negative, "$signed: a delegation");
}

# a change there is told by NOTIFY, and comes
$elsewhere->sql("INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'new.plain.example', 'A', '192.0.2.9', 60 FROM domains WHERE name = 'plain.example'");
$elsewhere->pdnsutil('increase-serial', 'plain.example');
IPC::Run::run([ 'pdns_control', "--socket-dir=$elsewhere->{dns_dir}", "--config-dir=$elsewhere->{dns_dir}", 'notify-host', 'plain.example', "127.0.0.1:$seattle->{dns_port}" ], '>', \my $said, '2>&1');
for my $node (@node)
{
    ok(Dnsrepl::wait_until(sub { $node->dig('new.plain.example', 'A') eq '192.0.2.9' }), 'NOTIFY: the change is fetched, and answered by ' . $node->name) or diag $said;
}
is($_->sql('SELECT zone, tab, key, problem FROM dnsrepl.check_store()'), '', $_->name . ': the tables are what the store has') for @node;
done_testing();
