# What a peer could say that is none of ours: greetings and deltas, octet by octet (doc/protocol.md), and sessions that say them.
#
#   my $evil = Hostile->new(name => 'evil', cluster_of => $seattle);
#   my ($status, $out, $err) = $evil->tell($seattle, 'dnsrepl_link', $evil->delta(vector => [ [ $origin, 'tacoma', stamp(60) ] ]));
package Hostile;

use strict;
use warnings;
use Exporter 'import';
use LinkOctets qw(seal varint string uuid vector zone table unit octets session_of);
use Time::HiRes qw(time);

our @EXPORT_OK = qw(stamp zone table unit record_key);

# The stamp of a time so many seconds from now.
sub stamp { my ($seconds) = @_; return int((time - 946684800 + $seconds) * 1e6) << 12 }

# A node that is none. cluster_of => the node whose cluster it says that it is of;  id, life => hex
sub new
{
    my ($class, %option) = @_;
    my $random = sub { join '', map { sprintf '%02x', int rand 256 } 1 .. 16 };
    my $self = bless { name => 'evil', id => $random->(), life => $random->(), %option }, $class;
    ($self->{cluster} = $option{cluster_of}->sql('SELECT clusters[1] FROM dnsrepl.node')) =~ tr/-//d;
    return $self;
}

# vector => entries;  known => [ [ node, life, name, entries ] ... ];  began => seconds since 2000
sub greeting
{
    my ($self, %option) = @_;
    my $known = $option{known} // [];
    return pack('N Q>', 7, 0) . uuid($self->{id}) . uuid($self->{life}) . string($self->{name}) . pack('Q>', int((time - 946684800) * 1e6))
      . pack('Q>', ($option{began} // 100) * 1_000_000) . chr(1) . varint(1) . uuid($self->{cluster}) . vector(@{ $option{vector} // [] }) . varint(scalar @$known)
      . join '', map { my ($node, $life, $name, $entries) = @$_;
        uuid($node) . uuid($life) . string($name) . pack('Q>', int((time - 946684800) * 1e6)) . string(vector(@$entries)) } @$known;
}

# vector, base, collected => entries;  flags;  items => octets of items. A list of lists of items is a delta of several chunks.
sub delta
{
    my ($self, %option) = @_;
    my @chunk = ref(($option{items} // [])->[0]) ? map { join '', @$_ } @{ $option{items} } : join '', @{ $option{items} // [] };
    my $header = 'D' . uuid($self->{id}) . uuid($self->{life}) . string($self->{name}) . vector(@{ $option{vector} // [] }) . vector(@{ $option{base} // [] })
      . chr($option{flags} // 0) . vector(@{ $option{collected} // [] });
    my @sealed = map { seal(($_ ? 'C' : $header) . $chunk[$_]) } 0 .. $#chunk;
    return @sealed > 1 ? \@sealed : $sealed[0];
}

# The key of an RRset as that database makes it.
sub record_key
{
    my ($node, $name, $type) = @_;
    return pack 'H*', $node->sql("SELECT encode(key, 'hex') FROM dnsrepl.stored_version WHERE substr(key, 1, 2) = '\\x0002' AND dnsrepl.key_columns(key) = jsonb_build_object('name', '$name', 'type', '$type') LIMIT 1");
}

# SQL by which it says hello, and then hands over deltas.
sub script
{
    my ($self, $greeting, @delta) = @_;
    my $n = 0;
    return session_of("dnsrepl.hello('UTF8', " . octets($greeting) . ')') . join '', map {
        my $delta = $_;
        $n++;
        ref $delta
          ? join('', map { "SELECT dnsrepl.merge(:session, " . octets($delta->[$_]) . ", $n, $_);\n" } 0 .. $#$delta) . "SELECT encode(dnsrepl.merge_done(:session, $n, " . scalar(@$delta) . "), 'hex');\n"
          : "SELECT encode(dnsrepl.merge(:session, " . octets($delta) . "), 'hex');\n"
    } @delta;
}

# Says hello and hands over deltas: (status, output, error with its SQLSTATE).
sub tell
{
    my ($self, $node, $role, @delta) = @_;
    return $self->say($node, $role, $self->greeting, @delta);
}

sub say
{
    my ($self, $node, $role, $greeting, @delta) = @_;
    return $node->try("\\set VERBOSITY verbose\n" . $self->script($greeting, @delta), extra_params => [ '-U', $role ]);
}

1;
