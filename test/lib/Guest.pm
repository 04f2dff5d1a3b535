package Guest;

# A node that is none: it logs in as a link does, and says what a test wants. Octets as in doc/protocol.md.
#   my $guest = Guest->new('mallory', clusters => $victim);
#   my $stamp = $guest->stamp;
#   my ($out, $err) = $guest->play($victim, $guest->merge($guest->delta(vector => [ [ $guest->{life}, 'mallory', $stamp ] ], items => ...)));
# Every statement of play() is a transaction of its own in one session, after a hello.

use strict;
use warnings;
use Dnsrepl;
use LinkOctets qw(seal varint string vector zone unit name_stored octets session_of);

# id, life: 32 hexadecimal digits;  clusters => node: it says that it is of that one's cluster
sub new
{
    my ($class, $name, %option) = @_;
    my $self = bless { name => $name, id => unpack('H*', pack 'A16', "$name-------------"), life => unpack('H*', pack 'A16', "$name=============="), clusters => [], %option }, $class;
    $self->{clusters} = [ split /\n/, $option{clusters}->sql("SELECT replace(unnest(clusters)::text, '-', '') FROM dnsrepl.node") ] if ref $option{clusters} ne 'ARRAY' && $option{clusters};
    return $self;
}

# A stamp of now, each larger than the one before.
sub stamp { my ($self) = @_; return $self->{stamp} = $self->{stamp} ? $self->{stamp} + 4096 : int((Time::HiRes::time() - 946684800) * 1_000_000) << 12 }

# What is known of others: [ node, life, name, when, vector's octets ]
sub greeting
{
    my ($self, %option) = @_;
    my @cluster = @{ $self->{clusters} };
    return pack('N Q> H32 H32', $option{protocol} // 7, $option{session} // 0, $self->{id}, $self->{life}) . string($self->{name}) . pack('Q>', 2**49) . pack('Q>', 2**49) . chr($option{flags} // 0)
        . varint(scalar @cluster) . join('', map { pack 'H32', $_ } @cluster) . ($option{vector} // vector())
        . varint(scalar @{ $option{known} // [] }) . join '', map { my ($node, $life, $name, $at, $vector) = @$_; pack('H32 H32', $node, $life) . string($name) . pack('Q>', $at) . string($vector) } @{ $option{known} // [] };
}

sub record_key { my ($name, $type) = @_; return pack('n', 2) . name_stored($name) . "\0" . string(pack 'n', $type) }

# vector, base, collected: entries;  flags;  items: octets;  raw: the vector's octets
sub delta
{
    my ($self, %option) = @_;
    return seal('D' . pack('H32 H32', $self->{id}, $self->{life}) . string($self->{name}) . ($option{raw} // vector(@{ $option{vector} // [] })) . vector(@{ $option{base} // [] })
            . chr($option{flags} // 0) . vector(@{ $option{collected} // [] }) . ($option{items} // ''));
}

sub hello { my ($self, %option) = @_; return "dnsrepl.hello('UTF8', " . octets($self->greeting(%option)) . ')' }
# For psql: says hello, and keeps the number of the session, which the other calls name.
sub begin { my ($self, %option) = @_; return "\\set session 0\n" . session_of($self->hello(%option)) }
sub merge { my ($self, $payload) = @_; return 'dnsrepl.merge(:session, ' . octets($payload) . ')' }
sub chunk { my ($self, $payload, $delta, $seq) = @_; return 'dnsrepl.merge(:session, ' . octets($payload) . ", $delta, $seq)" }
sub done { my ($self, $delta, $chunks) = @_; return "dnsrepl.merge_done(:session, $delta, $chunks)" }

# Calls these functions; what psql printed, and the errors, each with its SQLSTATE.
sub play
{
    my ($self, $node, @call) = @_;
    my ($out, $err) = ('', '');
    my $script = "\\set VERBOSITY verbose\n" . $self->begin . join '', map { "SELECT coalesce(encode($_, 'hex'), 'kept');\n" } @call;
    $node->cluster->psql($node->db, $script, stdout => \$out, stderr => \$err, on_error_stop => 0, timeout => Dnsrepl::TIMEOUT * 2, extra_params => [ '-U', 'dnsrepl_link' ]);
    return ($out, $err);
}

1;
