# Random games (test/lib/Property.pm): one that SEED names; or, with TIME, new ones for so many seconds, which is what
# `make torture` does; or else some that have found faults, so that a run does not fail by chance for what it did not change.
use strict;
use warnings;
use Property;
use Test::More;

my @seeds = length($ENV{SEED} // '') ? $ENV{SEED} : $ENV{TIME} ? () : (411062, 259571, 5, 676338, 474539, 301937);
Property->run(@seeds ? (seconds => 600, seeds => \@seeds) : (seconds => $ENV{TIME}));
done_testing();
