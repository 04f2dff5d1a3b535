# pg_regress and pg_isolation_regress, each as one test of the suite, on a server with dnsrepl preloaded:
#   regress     sql/*.sql against expected/*.out, in database contrib_regression, types first, then by name
#   isolation   test/isolation/specs/*.spec against test/isolation/expected/*.out, in isolation_regression
# The extension is there already when they start. REGRESS and ISOLATION choose some.
package Regress;

use strict;
use warnings;
use Dnsrepl;
use Test::More;

sub run
{
    my ($kind) = @_;
    my $isolation = $kind eq 'isolation';
    my $root = $ENV{DNSREPL_ROOT};
    my $out = PostgreSQL::Test::Utils::tempdir($kind);
    my ($input, $suffix, $choice, $program) = $isolation
        ? ("$root/test/isolation", 'spec', $ENV{ISOLATION}, $ENV{PG_ISOLATION_REGRESS})
        : ($root, 'sql', $ENV{REGRESS}, $ENV{PG_REGRESS});
    my $folder = $isolation ? 'specs' : 'sql';
    my $database = $isolation ? 'isolation_regression' : 'contrib_regression';

    my %first = map { $_ => 1 } qw(dnsname rrtype rr record);
    my @test = $choice ? split(' ', $choice)
        : sort { !$first{$a} <=> !$first{$b} || $a cmp $b } map { m{([^/]+)\.$suffix$} } glob "$input/$folder/*.$suffix";
    plan skip_all => "no $folder/*.$suffix" if !@test;

    # what is open for longer than half a keepalive after a merge ends with its session; some specs hold one open
    my $server = Dnsrepl->server('main', databases => $database, conf => $isolation ? "dnsrepl.keepalive = '4min'" : '');
    chomp(my $bindir = qx($ENV{PG_CONFIG} --bindir));
    my $log = '';
    IPC::Run::run([ $program, "--bindir=$bindir", '--host=' . $server->host, '--port=' . $server->port,
            "--inputdir=$input", "--outputdir=$out", "--dbname=$database", '--load-extension=dnsrepl', @test ],
        '>', \$log, '2>&1', IPC::Run::timeout(1200));

    # "test dnsname ... ok 12 ms" until 15, "ok 1 - dnsname 12 ms" from 16 on
    my %result;
    for (split /\n/, $log)
    {
        if (/^test (\S+)\s+\.\.\. (ok|FAILED)/) { $result{$1} = $2 eq 'ok' }
        elsif (/^(not )?ok \d+\s+[-+] (\S+)/) { $result{$2} = !$1 }
    }
    ok($result{$_}, $_) for @test;
    diag($log) if !%result;
    my $diffs = "$out/regression.diffs";
    if (-s $diffs)
    {
        my @line = split /\n/, PostgreSQL::Test::Utils::slurp_file($diffs);
        splice @line, 300 if @line > 300;
        diag(join "\n", @line);
        system('cp', $diffs, "$ENV{DNSREPL_WORK}/$kind.diffs");
        system('cp', '-R', "$out/results", "$ENV{DNSREPL_WORK}/");
    }
    $server->stop;
    ok(PostgreSQL::Test::Utils::slurp_file($server->logfile) !~ /^.*(PANIC|TRAP|was terminated by signal).*$/m, 'no crash')
        or diag($&);
    done_testing();
    return;
}

1;
