# Three nodes in a ring, clients at all of them, links cut at random: see test/lib/Convergence.pm.
# DNSREPL_SECONDS: how long (120); DNSREPL_SEED: the faults of an earlier run.
use strict;
use warnings;
use Convergence;
use Test::More;

Convergence->run(seconds => $ENV{DNSREPL_SECONDS} // 120, seed => $ENV{DNSREPL_SEED});
done_testing();
