# As 010_convergence.pl, and servers crash meanwhile: what a crash takes back must be nowhere, everything else everywhere.
# DNSREPL_CRASH_SECONDS: how long (30); DNSREPL_SEED: the faults of an earlier run.
use strict;
use warnings;
use Convergence;
use Test::More;

Convergence->run(seconds => $ENV{DNSREPL_CRASH_SECONDS} // 30, seed => $ENV{DNSREPL_SEED}, crashes => 1,
    conf => "synchronous_commit = off\nwal_writer_delay = '2s'\n");
done_testing();
