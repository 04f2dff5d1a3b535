# Random games (test/lib/Property.pm), for a while. `make torture` plays them for as long as one likes.
use strict;
use warnings;
use Property;
use Test::More;

Property->run(seconds => $ENV{TIME} // 30, seed => $ENV{SEED});
done_testing();
