#!/usr/bin/perl
# Asks a DNS server every millisecond until it gives the answer:  ask.pl PORT NAME ADDRESS SECONDS
# Prints "asking" as soon as it does, then the time (seconds since 1970) when the answer came; fails if none comes. A only.
use strict;
use warnings;
use IO::Socket::INET;
use Socket qw(inet_aton);
use Time::HiRes qw(time sleep);

my ($port, $name, $address, $seconds) = @ARGV;
my $want = inet_aton($address) or die "ask.pl: \"$address\" is no IPv4 address\n";
my $socket = IO::Socket::INET->new(Proto => 'udp', PeerAddr => '127.0.0.1', PeerPort => $port) or die "ask.pl: $!\n";
my $labels = join '', map { chr(length) . $_ } split /\./, $name;
my $end = time + $seconds;
my $id = $$ & 0x3fff;
$| = 1;
print "asking\n";
while (time < $end)
{
    my $query = pack('nnnnnn', ++$id & 0xffff, 0, 1, 0, 0, 0) . $labels . pack('Cnn', 0, 1, 1);
    $socket->send($query);
    vec(my $ready = '', fileno $socket, 1) = 1;
    if (select($ready, undef, undef, 0.2))
    {
        my $answer;
        $socket->recv($answer, 4096);
        if (defined $answer && length $answer > 12 && unpack('n', $answer) == ($id & 0xffff)
            && index($answer, pack('n', 4) . $want, 12) > 0)
        {
            printf "%.6f\n", time;
            exit 0;
        }
    }
    sleep 0.001;
}
exit 1;
