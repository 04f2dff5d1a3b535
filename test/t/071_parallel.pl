# Many of PowerDNS's API requests at once, on one node: they come out as if they had come one after another.
use strict;
use warnings;
use Dnsrepl;
use HTTP::Tiny;
use POSIX qw(_exit);
use Test::More;

use constant { TOGETHER => 12, ROUNDS => 5 };

my $node = Dnsrepl->new('seattle');
$node->dns_start;
is(($node->api(POST => '/zones', { name => 'example.org.', kind => 'Native', nameservers => ['ns1.example.net.'] }))[0], 201, 'a zone');

sub rrset { my ($name, $type, $content) = @_;
    return { name => "$name.example.org.", type => $type, ttl => 60, changetype => 'REPLACE', records => [ { content => $content, disabled => JSON::PP::false() } ] } }

# Each in a process of its own, all begin together; how many ended with which status.
sub together
{
    my (@rrset) = @_;
    pipe my $gate, my $open or die $!;
    pipe my $in, my $out or die $!;
    my @pid = map {
        my $rrset = $_;
        my $pid = fork // die $!;
        if (!$pid)
        {
            close $open;
            sysread $gate, my $nothing, 1;
            my ($status) = $node->api(PATCH => '/zones/example.org.', { rrsets => [$rrset] });
            syswrite $out, "$status\n";
            _exit(0);
        }
        $pid;
    } @rrset;
    close $gate;
    close $open;
    close $out;
    my %count;
    while (<$in>) { chomp; $count{$_}++ }
    waitpid $_, 0 for @pid;
    return \%count;
}

for my $case ([ 'one name', sub { rrset('one', 'A', "192.0.2.$_[0]") } ], [ 'one alias', sub { rrset('alias', 'CNAME', "t$_[0].example.net.") } ],
    [ 'an alias and addresses', sub { $_[0] % 2 ? rrset('both', 'CNAME', "t$_[0].example.net.") : rrset('both', 'A', "192.0.2.$_[0]") } ],
    [ 'different names', sub { rrset("n$_[0]", 'A', "192.0.2.$_[0]") } ])
{
    my ($what, $make) = @$case;
    my %sum;
    for my $round (1 .. ROUNDS)
    {
        my $count = together(map { $make->($_ + TOGETHER * $round) } 1 .. TOGETHER);
        $sum{$_} += $count->{$_} for keys %$count;
    }
    note("$what: " . join ', ', map { "$_: $sum{$_}" } sort keys %sum);
    # PowerDNS itself refuses an alias beside addresses that it sees, with 422
    if ($what =~ /addresses/) { cmp_ok($sum{500} // 0, '<=', TOGETHER * ROUNDS / 10, "$what: few of them fail") }
    else { is($sum{204}, TOGETHER * ROUNDS, "$what: all of them succeed") }
    is($node->sql("SELECT string_agg(concat_ws(' ', name, type, n), ', ') FROM (SELECT name, type, count(*) n FROM records WHERE type IS NOT NULL GROUP BY 1, 2 HAVING count(*) > 1) s"), '', "$what: no RRset has more than was asked for");
    is($node->sql("SELECT count(*) FROM records c JOIN records o USING (name) WHERE c.type = 'CNAME' AND o.type <> 'CNAME' AND o.type IS NOT NULL"), 0, "$what: nothing is beside an alias");
}
my $serial = "SELECT split_part(content, ' ', 3)::bigint FROM records WHERE type = 'SOA'";
my $before = $node->sql($serial);
my $open = $node->session;
$open->query_safe("BEGIN; DELETE FROM records WHERE domain_id = 1 AND name = 'none.example.org'");
is(together(rrset('late', 'A', '192.0.2.1'))->{204}, 1, 'a transaction that is left open does not keep others for good');
$open->query_safe('ROLLBACK');
$open->quit;
cmp_ok($node->sql($serial), '>', $before, 'the serial has risen');
is($node->sql("SELECT zone, key, problem FROM dnsrepl.check_store()"), '', 'the tables are what the store has');
done_testing();
