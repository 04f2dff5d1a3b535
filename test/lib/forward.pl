#!/usr/bin/perl
# A TCP forwarder, which is a link between two nodes that can be cut:  forward.pl LISTEN-PORT TARGET-PORT [OCTETS]
# A connection on which these octets (in hexadecimal) come, at once, breaks off.
# Kill it: connections break and new ones are refused. SIGSTOP: the line goes dead and nobody is told. SIGCONT: it lives.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;

my ($port, $target, $breaks) = @ARGV;
$breaks = pack 'H*', $breaks // '';
my $server = IO::Socket::INET->new(
    LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 64, ReuseAddr => 1)
    or die "forward.pl: port $port: $!\n";
my $select = IO::Select->new($server);
my %other;
$SIG{PIPE} = 'IGNORE';
$SIG{TERM} = sub { exit 0 };

sub hang_up
{
    for my $socket (grep { defined } $_[0], delete $other{ $_[0] })
    {
        delete $other{$socket};
        $select->remove($socket);
        close $socket;
    }
}

# When whoever started it is gone, so is the forwarder.
my $parent = getppid();
while (getppid() == $parent)
{
    for my $ready ($select->can_read(1))
    {
        if ($ready == $server)
        {
            my $near = $server->accept or next;
            my $far = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $target);
            if (!$far) { close $near; next }
            $_->setsockopt(6, 1, 1) for $near, $far;    # TCP_NODELAY
            @other{ $near, $far } = ($far, $near);
            $select->add($near, $far);
            next;
        }
        my $peer = $other{$ready} or next;
        my $data;
        if (!sysread($ready, $data, 65536)) { hang_up($ready); next }
        if (length $breaks && index($data, $breaks) >= 0) { hang_up($ready); next }
        while (length $data)
        {
            my $n = syswrite($peer, $data);
            if (!defined $n) { hang_up($ready); last }
            substr($data, 0, $n) = '';
        }
    }
}
