# Zones in and out as text, judged by others: BIND's named-checkzone and Knot's kzonecheck. What is taken here without a word
# they take too, and what they refuse is refused here or warned of. Where it is meant to be otherwise, it is listed (and
# in doc/zones.md).
use strict;
use warnings;
use Dnsrepl;
use Test::More;

my $node = Dnsrepl->new('seattle');
my $dir = PostgreSQL::Test::Utils::tempdir('zones');
$node->sql('ALTER DATABASE pdns SET client_min_messages = warning');

my $base = <<'END';
@ 3600 IN SOA ns1 hostmaster 2026112501 7200 900 1209600 3600
@ 3600 IN NS ns1
@ 3600 IN NS ns2
ns1 3600 IN A 192.0.2.1
ns2 3600 IN A 192.0.2.2
END

# What somebody says of a zone file: accepted?, and what was printed.
sub judge
{
    my (@command) = @_;
    my $out = '';
    IPC::Run::run(\@command, '>', \$out, '2>&1', IPC::Run::timeout(60));
    return (!$?, $out);
}
sub bind_says { return judge('named-checkzone', 'example.org', $_[0]) }
sub knot_says { return judge('kzonecheck', '-o', 'example.org', $_[0]) }

# What we say of it: 'refused', 'warned' or 'accepted', and why.
sub we_say
{
    my ($text) = @_;
    $node->sql("DELETE FROM domains WHERE name = 'example.org'");
    my ($status, undef, $error) = $node->try("SELECT dnsrepl.import_zone(\$zone\$\n$text\$zone\$, 'example.org')");
    return ('refused', $error) if $status;
    my $found = $node->sql("SELECT severity, name, rule, message FROM dnsrepl.check_zone('example.org')");
    return ($error =~ /WARNING/ || $found ne '' ? 'warned' : 'accepted', "$error$found");
}

# As BIND writes it, but for the serial, which rises here.
sub compiled
{
    my (undef, $out) = judge('named-compilezone', '-q', '-i', 'none', '-o', '-', 'example.org', $_[0]);
    return join "\n", sort map { s/( SOA\s+\S+ \S+) \d+/$1 -/r } split /\n/, $out;
}

my $n = 0;
sub file { my ($text) = @_; my $file = "$dir/" . $n++; PostgreSQL::Test::Utils::append_to_file($file, "\$ORIGIN example.org.\n$text"); return $file }

# ---------------------------------------------------------------- good

my %good = (
    'the least' => '',
    addresses => "www 60 A 192.0.2.3\nwww 60 AAAA 2001:db8::3\nwww 60 AAAA ::ffff:192.0.2.3",
    'mail' => "@ 60 MX 10 mail\n@ 60 MX 20 mx.example.net.\nmail 60 A 192.0.2.4\nnull 60 MX 0 .",
    texts => qq(t 60 TXT "a" "b c" "\\"q\\"" "\\195\\164"\nlong 60 TXT "@{['x' x 255]}" "@{['y' x 255]}"\nempty 60 TXT ""),
    services => "_sip._tcp 60 SRV 10 20 5060 sip\nsip 60 A 192.0.2.5\n_no._tcp 60 SRV 0 0 0 .",
    caa => qq(\@ 60 CAA 0 issue "ca.example.net; validationmethods=dns-01"\n\@ 60 CAA 128 iodef "mailto:a\@example.org"\n\@ 60 CAA 0 issuewild ";"),
    aliases => "c 60 CNAME www.example.net.\nd 60 DNAME example.net.\n*.w 60 CNAME c",
    delegations => "sub 60 NS ns.sub\nns.sub 60 A 192.0.2.6\nsub 60 DS 60485 13 2 D4B7D520E7BB5F0F67674A0CCEB1E3E0614B93C4F9E99B8383F6A1E4469DA50A\nother 60 NS ns1.example.net.",
    https => "h 60 HTTPS 1 . alpn=h2,h3 port=8443 ipv4hint=192.0.2.7\nh2 60 HTTPS 0 h.example.org.\n_x._y 60 SVCB 1 svc.example.net. mandatory=alpn alpn=dot",
    old => qq(o 60 HINFO "PC" "UNIX"\no 60 RP admin.example.org. .\no 60 AFSDB 1 afs.example.net.\no 60 LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0m 10000m 10m\no 60 KX 10 kx.example.net.\no 60 PTR www.example.net.),
    naptr => qq(n 60 NAPTR 100 10 "S" "SIP+D2U" "" _sip._udp.example.net.\nn 60 NAPTR 100 20 "U" "E2U+sip" "!^.*\$!sip:x\@example.org!" .),
    keys => "k 60 SSHFP 4 2 123456789abcdef67890123456789abcdef67890123456789abcdef123456789\n_443._tcp 60 TLSA 3 1 1 d2abde240d7cd3ee6b4b28c54df034b97983a1d16e8a410e4561cb106618e971\nk 60 OPENPGPKEY AQIDBA==\nk 60 CERT 1 1 1 AQIDBA==\nk 60 SMIMEA 3 1 1 d2abde240d7cd3ee6b4b28c54df034b97983a1d16e8a410e4561cb106618e971\nk 60 IPSECKEY 10 1 2 192.0.2.38 AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==",
    child => "\@ 60 CSYNC 2026112501 3 A NS AAAA",
    mandatory => "m 60 SVCB 1 . mandatory=alpn,port alpn=h2 no-default-alpn port=53",
    numbers => qq(e 60 EUI48 00-00-5e-00-53-2a\ne 60 EUI64 00-00-5e-ef-10-00-00-2a\ne 60 L32 10 10.1.2.0\ne 60 L64 10 2001:0DB8:1140:1000\ne 60 NID 10 0014:4fff:ff20:ee64\ne 60 LP 10 l64.example.net.\ne 60 URI 10 1 "ftp://ftp.example.net/"\ne 60 APL 1:192.0.2.0/24 !2:2001:db8::/32),
    unknown => "u 60 TYPE65280 \\# 3 010203\nu 60 TYPE65281 \\# 0",
    names => "under_score 60 TXT \"x\"\na\\.b 60 TXT \"x\"\n\\000\\255 60 TXT \"x\"\n" . join('.', ('x' x 63) x 3) . " 60 A 192.0.2.9",
    'empty names' => "a.b.c.d 60 A 192.0.2.8\n_dmarc 60 TXT \"v=DMARC1; p=none\"",
    ttls => "z 0 A 192.0.2.3\nm 2147483647 A 192.0.2.3",
);
for my $what (sort keys %good)
{
    my $file = file($base . "$good{$what}\n");
    my ($say, $why) = we_say($base . "$good{$what}\n");
    is($say, 'accepted', "$what: taken without a word") or diag $why;
    my $export;
    for my $judge ([ BIND => \&bind_says ], [ Knot => \&knot_says ])
    {
        my ($ok, $out) = $judge->[1]->($file);
        ok($ok, "$what: by $judge->[0]") or diag $out;
        next if $say eq 'refused';
        ($ok, $out) = $judge->[1]->($export //= file($node->sql("SELECT dnsrepl.export_zone('example.org')") . "\n"));
        ok($ok, "$what: $judge->[0] takes what is exported") or diag $out;
    }
    is(compiled($export), compiled($file), "$what: and it is the same zone") if $export;
}

# ---------------------------------------------------------------- bad

# What they refuse, or one of them, and is taken here without a word: see doc/zones.md.
my %on_purpose = map { $_ => 1 } 'a text too long', 'a CDS without its key';

my @bad = (
    [ 'no SOA', "@ 60 NS ns1\nns1 60 A 192.0.2.1\n", 1 ],
    [ 'no NS', "@ 60 SOA ns1 h 1 2 3 4 5\nns1 60 A 192.0.2.1\n", 1 ],
    [ 'two SOA', "@ 3600 SOA ns2 h 1 2 3 4 5" ],
    [ 'an SOA below the apex', "a 60 SOA ns2 h 1 2 3 4 5" ],
    [ 'a CNAME beside an address', "a 60 CNAME b\na 60 A 192.0.2.1" ],
    [ 'two CNAMEs', "a 60 CNAME b\na 60 CNAME c" ],
    [ 'a CNAME at the apex', "@ 60 CNAME www.example.net." ],
    [ 'two DNAMEs', "a 60 DNAME b\na 60 DNAME c" ],
    [ 'a name below a DNAME', "a 60 DNAME example.net.\nb.a 60 A 192.0.2.1" ],
    [ 'a name of another zone', "www.example.net. 60 A 192.0.2.1" ],
    [ 'an address that is none', "a 60 A 192.0.2.256" ],
    [ 'an address of letters', "a 60 AAAA 2001:db8::g" ],
    [ 'a text without end', qq(a 60 TXT "x) ],
    [ 'a text too long', qq(a 60 TXT "@{['x' x 256]}") ],
    [ 'a CDS without its key', "\@ 60 CDS 60485 13 2 D4B7D520E7BB5F0F67674A0CCEB1E3E0614B93C4F9E99B8383F6A1E4469DA50A" ],
    [ 'a label too long', "@{['x' x 64]} 60 A 192.0.2.1" ],
    [ 'a name too long', join('.', ('x' x 63) x 4) . " 60 A 192.0.2.1" ],
    [ 'an empty label', "a..b 60 A 192.0.2.1" ],
    [ 'a priority too large', "a 60 MX 65536 mail" ],
    [ 'a type that is none', "a 60 FOO bar" ],
    [ 'fields missing', "a 60 SRV 1 2 3" ],
    [ 'fields too many', "a 60 A 192.0.2.1 192.0.2.2" ],
    [ 'bad hexadecimal', "a 60 DS 1 8 2 0g" ],
    [ 'a digest of the wrong size', "sub 60 NS ns1\nsub 60 DS 1 8 2 00" ],
    [ 'a DS without a delegation', "a 60 DS 60485 13 2 D4B7D520E7BB5F0F67674A0CCEB1E3E0614B93C4F9E99B8383F6A1E4469DA50A" ],
    [ 'no glue', "sub 60 NS ns.sub" ],
    [ 'a name server without an address', "\@ 3600 NS ns3" ],
    [ 'an NS that is an alias', "\@ 3600 NS al\nal 60 CNAME ns1" ],
    [ 'an MX that is an address', "a 60 MX 10 192.0.2.1" ],
    [ 'an MX that is an alias', "a 60 MX 10 al\nal 60 CNAME ns1" ],
    [ 'SVCB: mandatory names what is not there', "a 60 SVCB 1 . mandatory=port" ],
    [ 'SVCB: a key twice', "a 60 SVCB 1 . port=1 port=2" ],
    [ 'SVCB: an alias with parameters', "a 60 SVCB 0 b.example.net. port=1" ],
    [ 'SVCB: no-default-alpn without alpn', "a 60 SVCB 1 . no-default-alpn" ],
    [ 'SVCB: mandatory names itself', "a 60 SVCB 1 . mandatory=mandatory,port port=1" ],
    [ 'SVCB: an alias beside another', "a 60 HTTPS 0 b.example.net.\na 60 HTTPS 1 ." ],
    [ 'SVCB: a port without a number', "a 60 SVCB 1 . port=" ],
    [ 'SVCB: no address in a hint', "a 60 SVCB 1 . ipv4hint=" ],
    [ 'LOC: nor such', "a 60 LOC 0 0 0 N 181 0 0 E 0m" ],
    [ 'generic data too short', "a 60 TYPE65280 \\# 3 0102" ],
    [ 'generic data that is no address', "a 60 A \\# 3 010203" ],
    [ 'CAA: a tag with a dash', qq(a 60 CAA 0 is-sue "x") ],
    [ 'a TTL too large', "a 2147483648 A 192.0.2.1" ],
    [ 'class CH', "a 60 CH A 192.0.2.1" ],
    [ 'EUI48: too short', "a 60 EUI48 00-00-5e-00-53" ],
    [ 'LOC: no such place', "a 60 LOC 91 0 0 N 0 0 0 E 0m" ],
    [ 'NAPTR: a regexp without end', qq(a 60 NAPTR 1 1 "U" "x" "!a!b" .) ],
    [ 'a DNSKEY below the apex', "a 60 DNSKEY 257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==" ],
);
my @table;
for my $case (@bad)
{
    my ($what, $lines, $whole) = @$case;
    my $text = $whole ? $lines : "$base$lines\n";
    my $file = file($text);
    my ($say, $why) = we_say($text);
    my ($bind, $bind_out) = bind_says($file);
    my ($knot, $knot_out) = knot_says($file);
    push @table, sprintf '%-42s %-9s BIND %-8s Knot %s', $what, $say, $bind ? 'accepts' : 'refuses', $knot ? 'accepts' : 'refuses';
    if ($on_purpose{$what}) { is($say, 'accepted', "$what: taken here on purpose") }
    else
    {
        isnt($say, 'accepted', "$what: refused, or warned of") or diag("BIND: $bind_out\nKnot: $knot_out");
    }
}
note(join "\n", @table);
done_testing();
