#!/usr/bin/perl
# From commit to visible:  visible.pl COUNT 'psql arguments of A' 'psql arguments of B', or dns:PORT of a DNS server on 127.0.0.1
# Replaces one record at A, one commit at a time, and asks B every tenth of a millisecond until it shows it. The time runs
# from when A's client has its answer to the commit. Prints p50, p99 and the largest, in milliseconds.
use strict;
use warnings;
use IO::Socket::INET;
use IPC::Open2;
use Time::HiRes qw(time sleep);

my ($count, @server) = @ARGV;
my $dns = $server[1] =~ /^dns:(\d+)$/ ? IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $1, Proto => 'udp') : undef;
my @session = map {
    my $pid = open2(my $out, my $in, "psql -X -q -At -v ON_ERROR_STOP=1 $_");
    { in => $in, out => $out }
} $dns ? $server[0] : @server;

sub ask
{
    my ($session, $sql) = @_;
    print { $session->{in} } "$sql;\n";
    $session->{in}->flush;
    my $line = readline $session->{out} // die "visible.pl: a psql ended\n";
    chomp $line;
    return $line;
}

# Does the server answer with this address?
sub answers
{
    my ($name, $address) = @_;
    my $id = int rand 65536;
    $dns->send(pack('n6', $id, 0, 1, 0, 0, 0) . join('', map { pack 'C/a', $_ } split /\./, $name) . pack('C n n', 0, 1, 1));
    vec(my $bits = '', fileno $dns, 1) = 1;
    select $bits, undef, undef, 0.05 or return 0;
    $dns->recv(my $answer, 4096) // return 0;
    return unpack('n', $answer) == $id && unpack('x6 n', $answer) > 0 && index($answer, pack 'C4', split /\./, $address) > 0;
}

my ($near, $far) = @session;
ask($near, 'SET statement_timeout = 10000; SELECT 1');
my @took;
for my $i (1 .. $count)
{
    my $address = sprintf '203.0.%d.%d', $i / 250, $i % 250;
    my $name = 'v' . ($i % 100 + 1) . '.z7.example';
    ask($near, "WITH gone AS (DELETE FROM records WHERE name = '$name') INSERT INTO records (domain_id, name, type, content, ttl) "
            . "SELECT id, '$name', 'A', '$address', 300 FROM domains WHERE name = 'z7.example' RETURNING 1");
    my $start = time;
    while ($dns ? !answers($name, $address) : ask($far, "SELECT count(*) FROM records WHERE name = '$name' AND type = 'A' AND content = '$address'") eq '0')
    {
        sleep 0.0001;
        die "visible.pl: not visible after 10 seconds\n" if time > $start + 10;
    }
    push @took, (time - $start) * 1000;
    sleep 0.01 + rand 0.01;
}
@took = sort { $a <=> $b } @took;
printf "%.1f %.1f %.1f\n", @took[ int(0.50 * $#took), int(0.99 * $#took), -1 ];
