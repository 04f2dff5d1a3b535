# Random games (test/lib/Property.pm), for a while. `make torture` plays them for as long as one likes.
use strict;
use warnings;
use Property;
use Test::More;

Property->run(seconds => $ENV{TIME} || (length($ENV{SEED} // '') ? 0 : 30), seed => length($ENV{SEED} // '') ? $ENV{SEED} : undef);
done_testing();
