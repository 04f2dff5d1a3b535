# A node that has restarted still knows what it has held: what others superseded does not come back from a peer that was
# away. (Its vector is read from its own versions, and a merge may have deleted the newest of them.)
use strict;
use warnings;
use Dnsrepl;
use Test::More;

my @node = map { Dnsrepl->new($_) } qw(seattle tacoma spokane);
my ($seattle, $tacoma, $spokane) = @node;
$seattle->peer($tacoma);
$tacoma->peer($spokane);
$spokane->peer($seattle);

sub www { return $_[0]->sql("SELECT string_agg(content, ' ' ORDER BY content) FROM records WHERE name = 'www.example.org'") }

sub versions
{
    return $_[0]->sql("SELECT string_agg(node || ' ' || (rows->0->>'content'), ', ' ORDER BY stamp)"
          . " FROM dnsrepl.version WHERE tab = 'records' AND key->>'name' = 'www.example.org'");
}

$seattle->sql("INSERT INTO domains (name, type) VALUES ('example.org', 'NATIVE')");
$seattle->sql("INSERT INTO records (domain_id, name, type, content, ttl, prio)"
      . " SELECT id, 'www.example.org', 'A', '192.0.2.1', 60, 0 FROM domains WHERE name = 'example.org'");
ok(Dnsrepl::same(@node), 'all have what seattle wrote last');

$_->cut($spokane) for $seattle, $tacoma;
$tacoma->sql("UPDATE records SET content = '192.0.2.2' WHERE name = 'www.example.org'");
ok(Dnsrepl::same($seattle, $tacoma), 'tacoma supersedes it at seattle');
$seattle->cluster->restart;
ok(Dnsrepl::wait_until(sub { versions($seattle) eq 'tacoma 192.0.2.2' }), 'seattle restarts, and writes nothing');

# spokane, who has not heard of it, comes back to seattle alone
$seattle->heal($spokane);
$spokane->sql("INSERT INTO records (domain_id, name, type, content, ttl, prio)"
      . " SELECT id, 'mark.example.org', 'A', '192.0.2.9', 60, 0 FROM domains WHERE name = 'example.org'");
ok($seattle->poll("SELECT count(*) FROM records WHERE name = 'mark.example.org'", 1), 'spokane\'s delta is at seattle');
is(versions($seattle), 'tacoma 192.0.2.2', 'the superseded version has not come back');

$tacoma->heal($spokane);
ok(Dnsrepl::same(@node), 'all serve the same');
is(versions($_), 'tacoma 192.0.2.2', $_->name . ' holds one version of it') for @node;
done_testing();
