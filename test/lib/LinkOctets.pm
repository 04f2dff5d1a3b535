# The octets of the link protocol (doc/protocol.md), for tests that say what no node would: Guest.pm, Hostile.pm.
package LinkOctets;

use strict;
use warnings;
use Exporter 'import';

our @EXPORT_OK = qw(seal varint string uuid vector zone table unit name_stored octets session_of);

my @crc = map { my $c = $_; $c = $c & 1 ? 0x82F63B78 ^ ($c >> 1) : $c >> 1 for 1 .. 8; $c } 0 .. 255;

# CRC-32C, as PostgreSQL has it, behind what it is of: so a chunk ends.
sub seal
{
    my ($data) = @_;
    my $sum = 0xFFFFFFFF;
    $sum = $crc[ ($sum ^ $_) & 255 ] ^ ($sum >> 8) for unpack 'C*', $data;
    return $data . pack 'N', $sum ^ 0xFFFFFFFF;
}

sub varint { my ($n) = @_; my $out = ''; while ($n > 127) { $out .= chr($n & 127 | 128); $n >>= 7 } return $out . chr $n }
sub string { my ($s) = @_; return varint(length $s) . $s }
sub uuid { my ($hex) = @_; $hex =~ tr/-//d; return pack 'H*', $hex }

# Entries: [ origin, name of its node, head, [ first, last ] ... ]
sub vector
{
    my (@entry) = @_;
    return varint(scalar @entry) . join '', map {
        my ($origin, $node, $head, @range) = @$_;
        uuid($origin) . string($node) . pack('Q>', $head) . varint(scalar @range) . join '', map { pack 'Q>2', @$_ } @range
    } @entry;
}

# Items of a delta.
sub zone { my ($name, $serial) = @_; return chr(1) . string(join('', map { chr(length) . $_ } split(/\./, $name)) . "\0") . pack 'Q>2', $serial // 0, 0 }
sub table { my ($number) = @_; return chr(2) . pack 'n', $number }

# Versions: [ index of the origin in the vector, stamp, image ]; those of a zone's unit in domains may be followed by \[ index, stamp ] for its incarnations.
sub unit
{
    my ($key, @version) = @_;
    my @live = map { $$_ } grep { ref $_ eq 'REF' } @version;
    @version = grep { ref $_ ne 'REF' } @version;
    return chr(3) . string($key) . varint(scalar @version) . join('', map { varint($_->[0]) . pack('Q>', $_->[1]) . string($_->[2]) } @version)
        . ($key eq "\0\1" ? varint(scalar @live) . join '', map { varint($_->[0]) . pack 'Q>', $_->[1] } @live : '');
}

# A name as keys have it.
sub name_stored { my ($name) = @_; return join '', map { "$_\0" } reverse split /\./, $name }

# As SQL has them.
sub octets { return "'\\x" . unpack('H*', $_[0]) . "'" }

# For psql: what hello() answers is kept as the number of the session, which all other calls name.
sub session_of { my ($hello) = @_; return "SELECT ('x' || encode(substr($hello, 5, 8), 'hex'))::bit(64)::bigint AS session \\gset\n" }

1;
