# Unmodified PowerDNS on every node: what one is told through its API, by RFC 2136 UPDATE, by pdnsutil or by SQL below it, all answer.
use strict;
use warnings;
use Dnsrepl;
use Test::More;

my @node = map { Dnsrepl->new($_) } qw(seattle tacoma spokane);
my ($seattle, $tacoma, $spokane) = @node;
$seattle->peer($tacoma);
$tacoma->peer($spokane);    # a chain
$_->dns_start for @node;

sub everywhere
{
    my ($name, $type, $answer, $what) = @_;
    for my $node (@node)
    {
        my $got;
        Dnsrepl::wait_until(sub { ($got = $node->dig($name, $type)) eq $answer });
        is($got, $answer, "$what: " . $node->name);
    }
    return;
}

sub patch
{
    my ($node, @rrset) = @_;
    my ($status, $body) = $node->api(PATCH => '/zones/example.org.', { rrsets => \@rrset });
    return $status == 204 || !diag(explain($body));
}

sub rrset { my ($name, $type, @content) = @_;
    return { name => $name, type => $type, ttl => 60, changetype => 'REPLACE', records => [ map { { content => $_, disabled => JSON::PP::false() } } @content ] } }

# ---------------------------------------------------------------- the API
my ($status, $body) = $seattle->api(POST => '/zones',
    { name => 'example.org.', kind => 'Native', nameservers => [ 'ns1.example.org.', 'ns2.example.org.' ] });
is($status, 201, 'a zone made through the API') or diag explain $body;
everywhere('example.org', 'NS', "ns1.example.org.\nns2.example.org.", 'its name servers are answered');
ok(patch($spokane, rrset('www.example.org.', 'A', '192.0.2.1', '192.0.2.2'), rrset('example.org.', 'MX', '10 mail.example.org.')), 'RRsets through another node\'s API');
everywhere('www.example.org', 'A', "192.0.2.1\n192.0.2.2", 'an RRset of two');
everywhere('example.org', 'MX', '10 mail.example.org.', 'a priority');
ok(patch($tacoma, { name => 'www.example.org.', type => 'A', changetype => 'DELETE' }, rrset('www.example.org.', 'CNAME', 'example.org.')), 'an address becomes an alias, in one request');
everywhere('www.example.org', 'CNAME', 'example.org.', 'the alias');
ok(patch($seattle, { name => 'www.example.org.', type => 'CNAME', changetype => 'DELETE' }), 'and goes');
everywhere('www.example.org', 'CNAME', '', 'no alias');
(undef, $body) = $tacoma->api(GET => '/search-data?q=mail*&max=10');
is(scalar(@$body), 1, 'search finds what another node was told') or diag explain $body;

($status, $body) = $tacoma->api(PUT => '/zones/example.org./metadata/ALLOW-AXFR-FROM', { kind => 'ALLOW-AXFR-FROM', metadata => ['127.0.0.0/8'] });
is($status, 200, 'metadata') or diag explain $body;
ok($spokane->poll("SELECT content FROM domainmetadata WHERE kind = 'ALLOW-AXFR-FROM'", '127.0.0.0/8'), 'is at the others');

# what is refused here is a bare 500 there, but can be read afterwards
ok(patch($tacoma, rrset('moved.example.org.', 'DNAME', 'example.net.')), 'a DNAME');
($status) = $tacoma->api(PATCH => '/zones/example.org.', { rrsets => [ rrset('www.moved.example.org.', 'A', '192.0.2.1') ] });
is($status, 500, 'a name below it is refused');
is($tacoma->sql("SELECT concat_ws(' ', username, zone, name, code, rule) FROM dnsrepl.rejection"), Dnsrepl::dns_user() . " example.org www.moved.example.org 23514 dname-alone", 'why, can be read');
ok(patch($tacoma, { name => 'moved.example.org.', type => 'DNAME', changetype => 'DELETE' }), 'the DNAME goes');

my $commented = rrset('said.example.org.', 'TXT', '"x"');
$commented->{comments} = [ { content => 'why it is there', account => 'ops', modified_at => 1 } ];
ok(patch($seattle, $commented), 'a comment');
for my $node ($tacoma, $spokane)
{
    my ($comment);
    ok(Dnsrepl::wait_until(sub {
        my (undef, $zone) = $node->api(GET => '/zones/example.org.');
        ($comment) = map { @{ $_->{comments} } } grep { $_->{name} eq 'said.example.org.' } @{ $zone->{rrsets} };
        return ($comment->{content} // '') eq 'why it is there';
    }), 'is told by ' . $node->name) or diag explain $comment;
}
(undef, $body) = $tacoma->api(GET => '/search-data?q=*there*&max=10&object_type=comment');
is(scalar(@$body), 1, 'and found') or diag explain $body;

# ---------------------------------------------------------------- SQL, UPDATE, pdnsutil
$tacoma->sql("INSERT INTO records (domain_id, name, type, content, ttl, prio)"
      . " SELECT id, 'sql.example.org', 'TXT', '\"by SQL\"', 60, 0 FROM domains WHERE name = 'example.org'");
everywhere('sql.example.org', 'TXT', '"by SQL"', 'SQL');
$seattle->sql("INSERT INTO domainmetadata (domain_id, kind, content) SELECT id, 'ALLOW-DNSUPDATE-FROM', '127.0.0.0/8' FROM domains");
ok($spokane->poll("SELECT count(*) FROM domainmetadata WHERE kind = 'ALLOW-DNSUPDATE-FROM'", 1), 'who may update is known');
my ($out, $in) = ('', "server 127.0.0.1 $spokane->{dns_port}\nzone example.org\nupdate add dyn.example.org 60 AAAA 2001:db8::1\nsend\n");
IPC::Run::run(['nsupdate'], '<', \$in, '>', \$out, '2>&1');
is($out, '', 'nsupdate at the third node');
everywhere('dyn.example.org', 'AAAA', '2001:db8::1', 'UPDATE');
($status, $out) = $seattle->pdnsutil('add-record', 'example.org', 'util', 'A', '60', '192.0.2.7');
is($status, 0, 'pdnsutil add-record') or diag $out;
everywhere('util.example.org', 'A', '192.0.2.7', 'pdnsutil');

# ---------------------------------------------------------------- whole zones
my $axfr = sub { my ($node) = @_;
    my @line = sort grep { !/SOA/ } split /\n/, $node->dig('example.org', 'AXFR', '+noshort', '+nocomments', '+nostats', '+nocmd');
    s/\s+/ /g for @line;
    return join "\n", @line };
ok(Dnsrepl::same(@node), 'all serve the same');
is($axfr->($_), $axfr->($seattle), 'a zone transfer from ' . $_->name . ' gives what the first gives') for $tacoma, $spokane;
like($axfr->($seattle), qr/dyn\.example\.org\. 60 IN AAAA 2001:db8::1/, 'which is the zone');
for my $node (@node)
{
    ($status, $out) = $node->pdnsutil('check-zone', 'example.org');
    is($status, 0, 'pdnsutil check-zone finds no error: ' . $node->name) or diag $out;
}

# a catalog zone (RFC 9432): made at one node, a member of it at another, transferred from the third
($status, $body) = $seattle->api(POST => '/zones', { name => 'catalog.example.', kind => 'Producer', nameservers => ['invalid.'] });
is($status, 201, 'a catalog zone') or diag explain $body;
ok($tacoma->poll("SELECT type FROM domains WHERE name = 'catalog.example'", 'PRODUCER'), 'is at the second node');
($status, $body) = $tacoma->api(PUT => '/zones/example.org.', { kind => 'Master', catalog => 'catalog.example.' });
is($status, 204, 'a member of it, by the second') or diag explain $body;
my $catalog;
ok(Dnsrepl::wait_until(sub { ($catalog = $spokane->dig('catalog.example', 'AXFR', '+noshort', '+nocomments', '+nostats', '+nocmd')) =~ /\.zones\.catalog\.example\.\s+\d+\s+IN\s+PTR\s+example\.org\./ }),
    'is in the catalog that the third node gives') or diag $catalog;

($status, $body) = $spokane->api(DELETE => '/zones/example.org.');
is($status, 204, 'the zone is deleted through the third node\'s API') or diag explain $body;
($status) = $seattle->api(DELETE => '/zones/catalog.example.');
is($status, 204, 'the catalog too');
ok($_->poll('SELECT (SELECT count(*) FROM domains) + (SELECT count(*) FROM records) + (SELECT count(*) FROM domainmetadata)', 0), 'nothing is left of it: ' . $_->name) for @node;
is($seattle->dig('util.example.org', 'A'), '', 'nor answered');
done_testing();
