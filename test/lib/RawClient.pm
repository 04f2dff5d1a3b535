# A client that speaks PostgreSQL's protocol (version 3) message by message, for what libpq would not do: sending only a part of what it
# should, never reading, two clients on one connection. No password, no TLS.
#
#   my $c = RawClient->new(port => $node->port, database => 'pdns', user => 'dnsrepl_link', options => '-c a=b');
#   my @answer = $c->query('SELECT 1');      # simple protocol, to ReadyForQuery: [ type, body ] ...
#   $c->send(RawClient::parse('SELECT 1'), RawClient::bind(), RawClient::execute(), RawClient::flush());
#   my $answer = $c->message(5);             # the next one, undef after so many seconds, or '' when the connection has ended
#   RawClient::error($c->query('nonsense'))  # { code, message } of the first error, or undef
package RawClient;

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw(time);

sub new
{
    my ($class, %option) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $option{port}) or die "connect: $!";
    my $self = bless { socket => $socket, in => '' }, $class;
    my $body = pack('N', 196608) . join('', map { "$_\0" } user => $option{user}, database => $option{database}, application_name => 'raw',
        defined $option{options} ? (options => $option{options}) : ()) . "\0";
    $self->send(pack('N', length($body) + 4) . $body);
    $self->{hello} = [ $self->answer ];
    return $self;
}

# ---------------------------------------------------------------- messages
sub message_of { my ($type, $body) = @_; return $type . pack('N', length($body) + 4) . $body }
sub simple { return message_of('Q', "$_[0]\0") }
sub parse { my ($sql, $name) = @_; return message_of('P', ($name // '') . "\0$sql\0" . pack('n', 0)) }

# Parameters as text.
sub bind
{
    my ($statement, @value) = @_;
    return message_of('B', "\0" . ($statement // '') . "\0" . pack('n', 0) . pack('n', scalar @value)
          . join('', map { pack('N', length $_) . $_ } @value) . pack('n', 0));
}
sub execute { my ($rows) = @_; return message_of('E', "\0" . pack('N', $rows // 0)) }
sub flush { return message_of('H', '') }
sub sync { return message_of('S', '') }

# ---------------------------------------------------------------- talking
sub send
{
    my ($self, @message) = @_;
    local $SIG{PIPE} = 'IGNORE';
    syswrite $self->{socket}, join '', @message;
    return;
}

# One message: [ type, body ]; undef: none has come within so many seconds; '': the connection has ended.
sub message
{
    my ($self, $timeout) = @_;
    my $end = time + ($timeout // 60);
    while (1)
    {
        if (length $self->{in} >= 5)
        {
            my ($type, $length) = unpack 'a N', $self->{in};
            if (length $self->{in} > $length)
            {
                my $message = substr $self->{in}, 0, $length + 1, '';
                return [ $type, substr $message, 5 ];
            }
        }
        my $left = $end - time;
        return undef if $left <= 0 || !IO::Select->new($self->{socket})->can_read($left);    ## no critic
        sysread $self->{socket}, $self->{in}, 65536, length $self->{in} or return '';
    }
}

# All up to a type of message ("Z", ReadyForQuery, unless told), or to the end of the connection.
sub answer
{
    my ($self, $until) = @_;
    my @all;
    while (my $message = $self->message)
    {
        push @all, $message;
        last if $message->[0] eq ($until // 'Z');
    }
    return @all;
}

sub query { my ($self, $sql) = @_; $self->send(simple($sql)); return $self->answer }

sub error
{
    my ($error) = grep { $_->[0] eq 'E' } @_;
    return if !$error;
    my %field = map { /^(.)(.*)/s ? ($1, $2) : () } split /\0/, $error->[1];
    return { code => $field{C}, message => $field{M}, detail => $field{D} // '' };
}

# The first column of the first row, as text; undef: there is none, or it is null.
sub value
{
    my ($row) = grep { $_->[0] eq 'D' } @_;
    return if !$row;
    my $length = unpack 'x2 N', $row->[1];
    return $length == 0xffffffff ? undef : substr $row->[1], 6, $length;
}

# False if the connection does not end within so many seconds.
sub ends
{
    my ($self, $timeout) = @_;
    my $end = time + $timeout;
    while (time < $end)
    {
        my $message = $self->message($end - time);
        return 1 if defined $message && $message eq '';
    }
    return 0;
}

sub close { my ($self) = @_; close $self->{socket}; return }

1;
