# For the tests of functions that choose between versions (dnsrepl.policy): two linked nodes, functions, and conflicts for them to settle.
package Resolver;

use strict;
use warnings;
use Dnsrepl;
use Exporter 'import';
use Test::More;

our @EXPORT = qw(resolver_nodes make allow conflict serves policy problem $take $first);

my ($seattle, $tacoma, @node);
our $take = 'jsonb, jsonb';

sub resolver_nodes
{
    my $conf = "dnsrepl.keepalive = '1s'\ndnsrepl.check_interval = 0";
    @node = ($seattle, $tacoma) = map { Dnsrepl->new($_, conf => $conf) } qw(seattle tacoma);
    $seattle->peer($tacoma);
    return @node;
}

sub make { my ($name, $body, %o) = @_;
    return "CREATE OR REPLACE FUNCTION $name(unit jsonb, siblings jsonb) RETURNS jsonb " . ($o{as} // 'IMMUTABLE') . " LANGUAGE plpgsql AS \$f\$ $body \$f\$;" }
sub allow { return "SELECT dnsrepl.allow_resolver('$_[0]($take)');" }
our $first = q(BEGIN RETURN siblings -> 0 -> 'rows'; END);

# Two versions of a record in a zone of its own: the first is .1, the latest .2.
sub conflict
{
    my (@name) = @_;
    $seattle->sql("INSERT INTO domains (name, type) VALUES ('$_', 'NATIVE')") for @name;
    ok(Dnsrepl::same(@node), 'both are the same before');
    $seattle->cut($tacoma);
    $seattle->sql("INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'www.' || name, 'A', '192.0.2.1', 60 FROM domains WHERE name = '$_'") for @name;
    $tacoma->sql("INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'www.' || name, 'A', '192.0.2.2', 60 FROM domains WHERE name = '$_'") for @name;
    $seattle->heal($tacoma);
    ok(Dnsrepl::same(@node), 'conflicts in ' . join ', ', @name);
    return;
}
sub serves { my ($node, $zone, $n, $what) = @_; return ok($node->poll("SELECT content FROM records WHERE name = 'www.$zone'", "192.0.2.$n"), $node->name . ": $what") }
sub policy { my ($node, $zone, $resolver) = @_;
    return $node->try("INSERT INTO dnsrepl.policy (zone, resolver) VALUES ('$zone', '$resolver') ON CONFLICT (scope) DO UPDATE SET resolver = excluded.resolver") }
sub problem { my ($node, $zone, $text, $what) = @_;
    return ok($node->poll("SELECT count(*) > 0 FROM dnsrepl.problem WHERE zone = '$zone' AND (error || ' / ' || advice) ~ \$t\$$text\$t\$"), $node->name . ": $what")
        || diag($node->sql('SELECT zone, error, advice FROM dnsrepl.problem')) }

1;
