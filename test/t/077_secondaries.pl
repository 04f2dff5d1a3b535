# BIND and Knot as secondaries of PowerDNS at two nodes: each is told by NOTIFY of what was written at either, and fetches it.
use strict;
use warnings;
use Dnsrepl;
use NameServer;
use Test::More;

my $zone = 'example.org';
my ($seattle, $tacoma) = my @node = map { Dnsrepl->new($_, conf => 'dnsrepl.allow_plaintext_secrets = on') } qw(seattle tacoma);
$seattle->peer($tacoma);
$_->{dns_port} = Dnsrepl::free_port() for @node;
my %of = (seattle => NameServer->bind('bind', zones => { $zone => { primary => $seattle->{dns_port} } }),
    tacoma => NameServer->knot('knot', zones => { $zone => { primary => $tacoma->{dns_port} } }));
$_->dns_start('primary=yes', 'allow-axfr-ips=127.0.0.0/8', 'also-notify=127.0.0.1:' . $of{ $_->name }->port, 'xfr-cycle-interval=1') for @node;

$tacoma->sql(<<'END');
SELECT dnsrepl.import_zone('
$TTL 300
@ SOA ns1 hostmaster 1 3600 600 604800 300
@ NS ns1
ns1 A 192.0.2.1
a.b A 192.0.2.3
@ MX 10 ns1
@ TXT "a \"quoted\" word" "and another"
_sip._tcp SRV 1 2 5060 ns1
*.wild CNAME ns1
sub DNAME example.net.
', 'example.org');
UPDATE domains SET type = 'MASTER';
END
ok(Dnsrepl::same(@node), 'a zone at both');

# All have the same, whoever fetched it from whom.
sub fetched
{
    my ($what) = @_;
    my $own = sub { my ($node) = @_; return join '', map { "$_\n" } sort map { s/\s+/ /gr } grep { /\S/ && !/^;/ } split /\n/,
        $node->dig($zone, 'AXFR', '+noshort', '+nocomments', '+nostats', '+nocmd', '+onesoa', '+nocrypto') };
    for my $node (@node)
    {
        my ($has, $should) = ('', '-');
        ok(Dnsrepl::wait_until(sub { ($has, $should) = ($of{ $node->name }->transfer($zone), $own->($node)); return $has eq $should }),
            "$what: " . $of{ $node->name }->name . ' has what ' . $node->name . ' gives')
            or diag(Dnsrepl::difference($has, $should));
    }
    is($of{seattle}->dig($zone, 'SOA'), $of{tacoma}->dig($zone, 'SOA'), "$what: with the same serial");
    return;
}

$_->pdnsutil('rectify-zone', $zone) for @node;
fetched('a new zone');
is($of{tacoma}->dig("a.b.$zone", 'A'), '192.0.2.3', 'it is answered');
for my $round (1 .. 3)
{
    for my $node (@node)
    {
        my $name = "$round-" . $node->name . ".$zone";
        $node->sql("INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, '$name', 'A', '192.0.2.$round', 300 FROM domains");
        ok(Dnsrepl::wait_until(sub { !grep { $_->dig($name, 'A') ne "192.0.2.$round" } values %of }), 'a name written at ' . $node->name . ' is answered by both');
    }
}
fetched('after edits');

# both sides of a cut edit the zone: its serial is one neither secondary has had
$seattle->cut($tacoma);
for my $node (@node)
{
    $node->sql('INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, $$cut-' . $node->name . ".$zone\$\$, 'A', '192.0.2.7', 300 FROM domains");
    ok(Dnsrepl::wait_until(sub { $of{ $node->name }->dig('cut-' . $node->name . ".$zone", 'A') }), 'an edit while cut reaches its own secondary');
}
$seattle->heal($tacoma);
ok(Dnsrepl::wait_until(sub { !grep { my $server = $_; grep { !$server->dig("cut-$_.$zone", 'A') } keys %of } values %of }), 'and the other one after it');
fetched('after a cut');

$seattle->pdnsutil('secure-zone', $zone);
$seattle->pdnsutil('set-nsec3', $zone, '1 0 0 ab');
ok(Dnsrepl::same(@node), 'signed');
$tacoma->sql("UPDATE records SET content = '192.0.2.99' WHERE name = '1-seattle.$zone'");
ok(Dnsrepl::wait_until(sub { !grep { $_->dig("1-seattle.$zone", 'A', '+dnssec') !~ /192\.0\.2\.99.*A 13 3 300/s } values %of }), 'both have it signed');
done_testing();
