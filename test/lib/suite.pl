# Runs test files side by side and ends with a line that counts:  suite.pl FILE...
# Programs of test/unit/bin run as they are, .pl files by Perl; plain:FILE is run with OWNER=plain. JOBS; TEST_VERBOSE=1 shows every test.
use strict;
use warnings;
use TAP::Harness;

sub command
{
    my ($plain, $file) = $_[1] =~ /^(plain:)?(.*)$/;
    my @command = $file =~ /\.pl$/ ? ($^X, $file) : ($file);
    return \@command if !$plain;
    my ($work, $dir) = map { "$ENV{$_}/plain" } qw(DNSREPL_WORK TESTDIR);    # where the same test's files may be
    mkdir $_ for $work, $dir;
    return [ 'env', 'OWNER=plain', "DNSREPL_WORK=$work", "TESTDIR=$dir", @command ];
}

my $harness = TAP::Harness->new({
    jobs => $ENV{JOBS} || 2, timer => 1, merge => 0, verbosity => $ENV{TEST_VERBOSE} ? 1 : 0,
    exec => \&command });
my $sum = $harness->runtests(@ARGV);

# A file that ended badly counts as one failure, even if each of its tests was fine as far as it came.
my %failed = map { $_ => 1 } $sum->failed;
my %broken = map { $_ => 1 } grep { !$failed{$_} } $sum->wait, $sum->exit, $sum->parse_errors;
my $failed = $sum->failed + keys %broken;
printf "%d passed, %d failed\n", scalar($sum->passed), $failed;
exit($sum->all_passed ? 0 : 1);
