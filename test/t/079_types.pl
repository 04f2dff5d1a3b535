# Content of every type that a zone file can hold: hundreds of records that are right, by the grammar of the type, and hundreds that
# are not, each with one thing wrong. BIND is asked about the same lines: what is right it takes; what it refuses is refused here.
# DNSREPL_SEED: those of an earlier run.
use strict;
use warnings;
use Dnsrepl;
use Test::More;

my $seed = $ENV{DNSREPL_SEED} // int rand 1_000_000;
srand $seed;
note("seed $seed");

use constant { GOOD => 120, BAD => 120 };

sub pick { return $_[ int rand @_ ] }
sub hex_of { my ($n) = @_; return join '', map { sprintf '%02x', int rand 256 } 1 .. $n }
sub base64_of { my ($n) = @_; my $x = pack 'u', join '', map { chr int rand 256 } 1 .. $n; require MIME::Base64; return MIME::Base64::encode_base64(join('', map { chr int rand 256 } 1 .. $n), '') }
sub label { return join '', map { pick('a' .. 'z', 0 .. 9, '_', '-') } 1 .. pick(1, 2, 5, 20, 63) }

# A field: what it may be, and what it may not. \@ and relative names are zone files' affair, and tested elsewhere.
my %field = (
    u8 => [ sub { int rand 256 }, sub { pick(256, -1, 'x', '1.5', 99999) } ],
    u16 => [ sub { int rand 65536 }, sub { pick(65536, -1, 'x', '0x10', 4294967296) } ],
    u32 => [ sub { int rand 4294967296 }, sub { pick(4294967296, -1, 'x', '1e3') } ],
    name => [ sub { pick('.', join('.', (map { label() } 1 .. pick(1, 2, 3)), '')) }, sub { pick('a..b.', '.a.', ('x' x 64) . '.', join('.', ('x' x 63) x 4, ''), 'a\\256.') } ],
    ip4 => [ sub { join '.', map { int rand 256 } 1 .. 4 }, sub { pick('192.0.2', '192.0.2.256', '192.0.2.1.1', 'x', '::1') } ],
    ip6 => [ sub { pick('::', '::1', '2001:db8::' . hex_of(2), join(':', map { hex_of(2) } 1 .. 8), '::ffff:192.0.2.1') }, sub { pick('2001:db8', ':::', '2001:db8::g', '192.0.2.1', '1:2:3:4:5:6:7:8:9') } ],
    string => [ sub { pick('""', '"a b"', '"\\"\\\\"', '"\\000\\255;("', '"' . label() . '"') }, sub { '"\\256"' } ],
    target => [ sub { '"https://' . label() . '/"' }, sub { '"\\256"' } ],
    hex => [ sub { hex_of(pick(1, 4, 20, 32)) }, sub { pick('0g', '012', 'xyz') } ],
    base64 => [ sub { base64_of(pick(3, 16, 64)) }, sub { pick('!!!!', 'AAA', 'A=AA') } ],
    type => [ sub { pick(qw(A NS TXT AAAA MX TYPE65280)) }, sub { pick('NOTYPE', 'TYPE65536', '"A"') } ],
    time => [ sub { sprintf '2026%02d%02d%02d0000', 1 + int rand 12, 1 + int rand 28, int rand 24 }, sub { pick('20261301000000', '2026', 'x') } ],
    hash32 => [ sub { join '', map { pick(0 .. 9, 'a' .. 'v') } 1 .. 32 }, sub { pick('w' x 32, '=') } ],
    algorithm => [ sub { pick(8, 10, 13, 14, 15) }, sub { pick(256, 'NONE', -1) } ],
    protocol => [ sub { 3 }, sub { pick(256, -1, 'x') } ],
    sha1 => [ sub { '1 ' . hex_of(20) }, sub { '1 ' . pick('0g', hex_of(19), hex_of(21)) } ],
    sha256 => [ sub { '2 ' . hex_of(32) }, sub { '2 ' . pick('0g', hex_of(31), hex_of(33)) } ],
    key => [ sub { base64_of(64) }, sub { pick('!!!!', 'AAA') } ],
    tag => [ sub { pick(qw(issue issuewild iodef contactemail)) }, sub { pick('is-sue', '""', '.') } ],
    degrees => [ sub { my ($d, $m) = (int rand 90, int rand 60); "$d $m " . int(rand 60) . '.' . sprintf('%03d', rand 1000) }, sub { pick('91 0 0', '1 60 0', '1 0 60', 'x 0 0') } ],
    degrees_east => [ sub { my ($d, $m) = (int rand 180, int rand 60); "$d $m" }, sub { pick('181 0 0', '180 0 1', '1 60 0', '1 0 60', 'x 0 0') } ],
    north => [ sub { pick('N', 'S') }, sub { pick('E', 'x') } ],
    east => [ sub { pick('E', 'W') }, sub { pick('N', 'x') } ],
    metres => [ sub { int(rand 10000) . 'm' }, sub { pick('x', '1km') } ],
    eui48 => [ sub { join '-', map { hex_of(1) } 1 .. 6 }, sub { pick(join('-', map { hex_of(1) } 1 .. 5), '00:00:00:00:00:00', 'x') } ],
    eui64 => [ sub { join '-', map { hex_of(1) } 1 .. 8 }, sub { pick(join('-', map { hex_of(1) } 1 .. 7), 'x') } ],
    node => [ sub { join ':', map { hex_of(2) } 1 .. 4 }, sub { pick('1:2:3', '1:2:3:4:5', 'x') } ],
    prefix => [ sub { pick('', '!') . pick('1:' . join('.', map { int rand 256 } 1 .. 4) . '/' . int(rand 33), '2:2001:db8::/' . int rand 129) }, sub { pick('1:192.0.2.0/33', '2:::/129', '1:x/8', '192.0.2.0/24', 'x') } ],
    flags => [ sub { pick('"S"', '"U"', '"A"', '""') }, sub { '"\\256"' } ],
    regexp => [ sub { pick('""', '"!^.*$!sip:a@example.org!"', '"/a/b/i"') }, sub { pick('"!a!b"', '"!a!b!x"', '"ab"') } ],
    alpn => [ sub { pick('alpn=h2', 'alpn=h2,h3', 'alpn=dot port=853', 'port=443', 'ipv4hint=192.0.2.1', 'ipv6hint=2001:db8::1', 'mandatory=port port=1', 'alpn=h2 no-default-alpn', '') },
        sub { pick('port=65536', 'port=x', 'ipv4hint=x', 'mandatory=port', 'no-default-alpn', 'port=1 port=2', 'ipv6hint=192.0.2.1', 'mandatory=mandatory') } ],
    one => [ sub { 1 + int rand 65535 }, sub { pick(65536, -1, 'x') } ],
);

# The fields of each type in turn; a + after the last: one or more of it.
my %type = (
    A => 'ip4', AAAA => 'ip6', NS => 'name', CNAME => 'name', PTR => 'name', DNAME => 'name', MX => 'u16 name', SRV => 'u16 u16 u16 name',
    SOA => 'name name u32 u32 u32 u32 u32', TXT => 'string+', SPF => 'string+', HINFO => 'string string', RP => 'name name', AFSDB => 'u16 name', KX => 'u16 name',
    RT => 'u16 name', PX => 'u16 name name', CAA => 'u8 tag string', CERT => 'u16 u16 algorithm base64', DS => 'u16 algorithm sha256', CDS => 'u16 algorithm sha1',
    DLV => 'u16 algorithm sha256', SSHFP => 'u8 sha256', TLSA => 'u8 u8 u8 hex', SMIMEA => 'u8 u8 u8 hex', OPENPGPKEY => 'base64',
    DNSKEY => 'u16 protocol algorithm key', CDNSKEY => 'u16 protocol algorithm key', KEY => 'u16 protocol algorithm key', DHCID => 'base64',
    NAPTR => 'u16 u16 flags string regexp name', URI => 'u16 u16 target', LOC => 'degrees north degrees_east east metres', EUI48 => 'eui48', EUI64 => 'eui64',
    NID => 'u16 node', L64 => 'u16 node', L32 => 'u16 ip4', LP => 'u16 name', APL => 'prefix+', SVCB => 'one name alpn', HTTPS => 'one name alpn',
    CSYNC => 'u32 u16 type+', NSEC3PARAM => 'u8 u8 u16 hex', TYPE65280 => undef,
);

sub fields { my ($type) = @_; return map { my $more = s/\+$//; ($_) x ($more ? pick(1, 1, 2, 3) : 1) } split ' ', $type{$type} }

sub good
{
    my ($type) = @_;
    return map { my $x = hex_of($_); "\\# $_" . ($_ ? " $x" : '') } pick(0, 1, 5, 40) if !defined $type{$type};
    return join ' ', map { $field{$_}[0]->() } fields($type);
}

sub bad
{
    my ($type) = @_;
    return pick('\\# 3 00', '\\# 1 0000', '\\# x', '\\# 2 00gg', '\\# -1', '\\#') if !defined $type{$type};
    my @field = fields($type);
    my @is = map { $field{$_}[0]->() } @field;
    my $at = int rand @is;
    my $how = rand;
    # what has any number of fields, or of words in the last one, has not one too many
    if ($how < 0.1 && $type{$type} !~ /(\+|hex|base64|key|sha\w+|alpn|metres)$/) { return "@is extra" }
    if ($how < 0.2 && $type{$type} !~ /(\+|alpn|metres|type)$/) { pop @is; return "@is" if @is }
    $is[$at] = $field{ $field[$at] }[1]->();
    return "@is";
}

my $node = Dnsrepl->new('seattle');
$node->sql(<<'END');
CREATE TABLE line (no int, type text, data text, good boolean);
CREATE FUNCTION wrong(type text, data text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE why text;
BEGIN
  PERFORM dnsrepl.zone_file('a.example.org. 60 ' || type || ' ' || data, 'example.org');
  RETURN NULL;
EXCEPTION WHEN invalid_text_representation THEN
  GET STACKED DIAGNOSTICS why = PG_EXCEPTION_DETAIL;
  RETURN why;
END $$;
END
my $dir = PostgreSQL::Test::Utils::tempdir('types');

# Which lines of a file BIND does not read: line => why.
sub bind_refuses
{
    my ($file) = @_;
    my $out;
    IPC::Run::run([ 'named-checkzone', '-i', 'none', '-k', 'ignore', 'example.org', $file ], '>', \$out, '2>&1', IPC::Run::timeout(60));
    return map { /\Q$file\E:(\d+): (.*)/ && !/not at top of zone/ ? ($1 => $2) : () } split /\n/, $out;
}

# What is taken here, or refused, and not there, with the reason.
my %we_take = (
    CDNSKEY => 'BIND looks into the key', DNSKEY => 'BIND looks into the key', KEY => 'BIND looks into the key', OPENPGPKEY => 'BIND wants more than nothing',
);

for my $type (sort keys %type)
{
    my @line = ((map { [ good($type), 1 ] } 1 .. GOOD), (map { [ bad($type), 0 ] } 1 .. BAD));
    my $file = "$dir/$type";
    open my $out, '>', $file or die $!;
    print $out "\$ORIGIN example.org.\n\@ 60 SOA a b 1 2 3 4 5\n\@ 60 NS a\n";
    print $out "n$_ 60 $type $line[$_][0]\n" for 0 .. $#line;
    close $out;
    my %bind = bind_refuses($file);
    my $values = join ', ', map { my $data = $line[$_][0] =~ s/'/''/gr; "($_, '$type', '$data', " . ($line[$_][1] ? 'true' : 'false') . ')' } 0 .. $#line;
    $node->sql("TRUNCATE line; INSERT INTO line VALUES $values");
    my %we = map { /^(\d+)\|(.*)/ ? ($1 => $2) : () } split /\n/, $node->sql("SELECT no, replace(wrong(type, data), E'\\n', ' ') FROM line WHERE wrong(type, data) IS NOT NULL");
    my (@good, @bad, @bind);
    for my $no (0 .. $#line)
    {
        my $there = $bind{ $no + 4 };
        push @good, "$type $line[$no][0]: $we{$no}" if $line[$no][1] && $we{$no};
        push @bad, "$type $line[$no][0]" if !$line[$no][1] && !$we{$no};
        push @bind, "$type $line[$no][0]: BIND: $there" if $there && !$we{$no} && !$we_take{$type};
    }
    is(scalar @good, 0, "$type: what is right is taken") or diag join "\n", @good[ 0 .. ($#good > 7 ? 7 : $#good) ];
    is(scalar @bad, 0, "$type: what is wrong is refused") or diag join "\n", @bad[ 0 .. ($#bad > 7 ? 7 : $#bad) ];
    is(scalar @bind, 0, "$type: what BIND refuses is refused") or diag join "\n", @bind[ 0 .. ($#bind > 7 ? 7 : $#bind) ];
}
done_testing();
