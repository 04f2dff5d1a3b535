#!/usr/bin/perl
# A server that answers what no server does:  hostile.pl PORT KIND
#   PostgreSQL, to a link: rows, huge (a row of two gigabytes), notify, parameters, error, notices
#   DNS: axfr (without end), trickle (an octet now and then), question (of another), empty (messages without records)
use strict;
use warnings;
use IO::Socket::INET;
use Time::HiRes qw(sleep);

my ($port, $kind) = @ARGV;
my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 16, ReuseAddr => 1) or die "hostile.pl: port $port: $!\n";
$SIG{PIPE} = 'IGNORE';
$SIG{CHLD} = 'IGNORE';
$SIG{TERM} = sub { exit 0 };
my $parent = getppid();

sub octets
{
    my ($socket, $n) = @_;
    my $data = '';
    while (length $data < $n) { sysread($socket, $data, $n - length $data, length $data) or exit 0 }
    return $data;
}

sub put
{
    my ($socket, $data) = @_;
    while (length $data)
    {
        my $n = syswrite($socket, $data);
        exit 0 if !defined $n;
        substr($data, 0, $n) = '';
    }
    return;
}

sub message { my ($type, $body) = @_; return $type . pack('N', 4 + length $body) . $body }

# Never more than this of anything: 400 MB.
sub flood { my ($socket, $octets) = @_; my $block = $octets x (1 + 1_000_000 / length $octets); put($socket, $block) for 1 .. 400; return }

sub postgres
{
    my ($socket) = @_;
    my $length = unpack 'N', octets($socket, 4);
    my $body = octets($socket, $length - 4);
    while (unpack('N', $body) == 80877103 || unpack('N', $body) == 80877104)    # SSLRequest, GSSENCRequest
    {
        put($socket, 'N');
        $body = octets($socket, unpack('N', octets($socket, 4)) - 4);
    }
    my $ready = message('Z', 'I');
    put($socket, message('R', pack 'N', 0) . join('', map { message('S', "$_->[0]\0$_->[1]\0") } [ 'server_version', '15.0' ], [ 'client_encoding', 'UTF8' ], [ 'integer_datetimes', 'on' ]) . message('K', pack 'N2', 1, 1) . $ready);
    my $answers = '';
    for (;;)
    {
        my $type = octets($socket, 1);
        my $said = octets($socket, unpack('N', octets($socket, 4)) - 4);
        exit 0 if $type eq 'X';
        $answers .= message('1', '') if $type eq 'P';
        $answers .= message('t', pack 'n N2', 2, 25, 17) if $type eq 'D' && $said =~ /^S/;
        $answers .= message('2', '') if $type eq 'B';
        $answers .= message('T', pack('n', 1) . "hello\0" . pack('N n N n N n', 0, 0, 17, -1, -1, 1)) if $type eq 'D' && $said =~ /^P/;
        if ($type eq 'E')
        {
            put($socket, $answers);
            flood($socket, message('D', pack('n N', 1, 100) . 'x' x 100)) if $kind eq 'rows';
            put($socket, 'D' . pack('N', 0x7fffff00)), flood($socket, 'x' x 1000) if $kind eq 'huge';
            flood($socket, message('A', pack('N', 1) . 'c' x 50 . "\0" . 'p' x 1000 . "\0")) if $kind eq 'notify';
            put($socket, message('S', 'p' . $_ . 'p' x 1000 . "\0" . 'v' x 100000 . "\0")) for $kind eq 'parameters' ? 1 .. 14000 : ();
            put($socket, message('E', "SERROR\0VERROR\0CXX000\0M" . 'm' x 30_000_000 . "\0D" . 'd' x 10_000_000 . "\0\0") . $ready) if $kind eq 'error';
            while ($kind eq 'notices') { put($socket, message('N', "SNOTICE\0VNOTICE\0C00000\0Mat work\0\0")); sleep 0.2 }
            $answers = '';
        }
        if ($type eq 'S') { put($socket, $answers . $ready); $answers = '' }
    }
}

sub dns
{
    my ($socket) = @_;
    for (;;)
    {
        my $question = octets($socket, unpack 'n', octets($socket, 2));
        my $id = substr $question, 0, 2;
        my ($name) = substr($question, 12) =~ /^((?:[\x01-\x3f].*?)*?\0)/s;
        my $asked = substr $question, 12, length($name) + 4;
        my $send = sub { my ($flags, $records, $count, $about) = @_; my $m = $id . pack('n5', $flags, $about ? 1 : 0, $count, 0, 0) . ($about // '') . $records; return pack('n', length $m) . $m };
        my $soa = "\xc0\x0c" . pack('n2 N', 6, 1, 300) . pack('n', 42 - 20) . "\0\0" . pack('N5', 1, 2, 3, 4, 5);
        if (unpack('n', substr $question, 2, 2) >> 11 & 15) { put($socket, $send->(0xa800, '', 0)) }    # UPDATE
        elsif ($kind eq 'trickle') { for (split //, $send->(0x8400, 'x' x 60000, 1, $asked)) { put($socket, $_); sleep 0.5 } }
        elsif ($kind eq 'question') { put($socket, $send->(0x8400, $soa x 2, 2, "\5other\7example\0" . pack 'n2', 252, 1)) }
        elsif ($kind eq 'empty') { put($socket, $send->(0x8400, $soa, 1, $asked)); flood($socket, $send->(0x8400, '', 0)) }
        else
        {
            put($socket, $send->(0x8400, $soa, 1, $asked));
            # long names, each but once in a message: a record of twelve octets is one of 260 here
            my $long = join('', map { chr(60) . 'n' x 60 } 1 .. 3) . "\xc0\x0c";
            my $first = $long . pack('n2 N n', 16, 1, 60, 2) . "\1x";
            my $at = 12 + length $asked;
            flood($socket, $send->(0x8400, $first . (pack('n', 0xc000 | $at) . pack('n2 N n', 16, 1, 60, 2) . "\1x") x 4000, 4001, $asked));
        }
    }
}

while (getppid() == $parent)
{
    my $socket = $server->accept or next;
    next if fork;
    close $server;
    $kind =~ /^(?:axfr|trickle|question|empty)$/ ? dns($socket) : postgres($socket);
    exit 0;
}
