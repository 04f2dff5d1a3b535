#!/usr/bin/perl
# A slow line:  slow.pl LISTEN-PORT TARGET-PORT ONE-WAY-SECONDS BITS-PER-SECOND LOSS
# Forwards TCP octet for octet, each direction late by so much, no faster than that. Of a share LOSS of segments of 1448
# octets the rest waits for a retransmission, one round trip and 200 ms later: what TCP makes of a lost packet. (Where the
# kernel has netem, it does this better; many have not.)
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw(time);

my ($port, $target, $late, $rate, $loss) = @ARGV;
my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 64, ReuseAddr => 1) or die "slow.pl: port $port: $!\n";
my $select = IO::Select->new($server);
my (%other, %line);    # line: by the socket it leads to: octets and when they come out; when the line is free
$SIG{PIPE} = 'IGNORE';
srand 1;

sub hang_up
{
    for my $socket (grep { defined } $_[0], delete $other{ $_[0] })
    {
        delete $other{$socket};
        delete $line{$socket};
        $select->remove($socket);
        close $socket;
    }
    return;
}

sub put
{
    my ($line, $data) = @_;
    while (length $data)
    {
        my $segment = substr $data, 0, 1448, '';
        my $begin = $line->{free} > time ? $line->{free} : time;
        $line->{free} = $begin + 8 * length($segment) / $rate;
        my $out = $line->{free} + $late;
        $line->{after} = $out + 2 * $late + 0.2 if rand() < $loss;
        $out = $line->{after} if $out < $line->{after};
        push @{ $line->{queue} }, [ $out, $segment ];
    }
    return;
}

my $parent = getppid();
while (getppid() == $parent)
{
    my $next = time + 1;
    for my $key (keys %line)
    {
        my $line = $line{$key} or next;
        while (@{ $line->{queue} } && $line->{queue}[0][0] <= time)
        {
            my (undef, $data) = @{ shift @{ $line->{queue} } };
            while (length $data)
            {
                my $n = syswrite $line->{to}, $data;
                if (!defined $n) { hang_up($line->{to}); last }
                substr($data, 0, $n) = '';
            }
        }
        $next = $line->{queue}[0][0] if @{ $line->{queue} } && $line->{queue}[0][0] < $next;
    }
    my $wait = $next - time;
    for my $ready ($select->can_read($wait > 0 ? $wait : 0))
    {
        if ($ready == $server)
        {
            my $near = $server->accept or next;
            my $far = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $target);
            if (!$far) { close $near; next }
            $_->setsockopt(6, 1, 1) for $near, $far;    # TCP_NODELAY
            @other{ $near, $far } = ($far, $near);
            $line{$_} = { to => $_, queue => [], free => 0, after => 0 } for $near, $far;
            $select->add($near, $far);
            next;
        }
        my $peer = $other{$ready} or next;
        my $data;
        if (!sysread $ready, $data, 65536) { hang_up($ready); next }
        put($line{$peer}, $data);
    }
}
