#!/usr/bin/perl
# From commit to visible:  visible.pl COUNT 'psql arguments of A' 'psql arguments of B'
# Changes one record at A, one commit at a time, and asks B every tenth of a millisecond until it shows it. The time runs
# from when A's client has its answer to the commit. Prints p50, p99 and the largest, in milliseconds.
use strict;
use warnings;
use IPC::Open2;
use Time::HiRes qw(time sleep);

my ($count, @server) = @ARGV;
my @session = map {
    my $pid = open2(my $out, my $in, "psql -X -q -At -v ON_ERROR_STOP=1 $_");
    { in => $in, out => $out }
} @server;

sub ask
{
    my ($session, $sql) = @_;
    print { $session->{in} } "$sql;\n";
    $session->{in}->flush;
    my $line = readline $session->{out} // die "visible.pl: a psql ended\n";
    chomp $line;
    return $line;
}

my ($near, $far) = @session;
ask($near, 'SET statement_timeout = 10000; SELECT 1');
my @took;
for my $i (1 .. $count)
{
    my $address = sprintf '203.0.%d.%d', $i / 250, $i % 250;
    my $name = 'h' . ($i % 100 + 1) . '.z7.example';
    ask($near, "UPDATE records SET content = '$address' WHERE name = '$name' AND type = 'A' AND content <> '$address' RETURNING 1");
    my $start = time;
    while (ask($far, "SELECT count(*) FROM records WHERE name = '$name' AND type = 'A' AND content = '$address'") eq '0')
    {
        sleep 0.0001;
        die "visible.pl: not visible after 10 seconds\n" if time > $start + 10;
    }
    push @took, (time - $start) * 1000;
    sleep 0.01 + rand 0.01;
}
@took = sort { $a <=> $b } @took;
printf "%.1f %.1f %.1f\n", @took[ int(0.50 * $#took), int(0.99 * $#took), -1 ];
