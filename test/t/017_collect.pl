# As 010_convergence.pl, and deletions are collected meanwhile, as soon as they can be; servers crash too.
# DNSREPL_COLLECT_SECONDS: how long (30); DNSREPL_SEED: the faults of an earlier run.
use strict;
use warnings;
use Convergence;
use Test::More;

Convergence->run(seconds => $ENV{DNSREPL_COLLECT_SECONDS} // 30, seed => $ENV{DNSREPL_SEED}, crashes => 1, collect => 1);
done_testing();
