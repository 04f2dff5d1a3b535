# A zone that was deleted at one node and edited at another: as long as that is not settled, its records are not collected, since a
# policy may yet choose the edit.
use strict;
use warnings;
use Dnsrepl;
use Test::More;

my $conf = "dnsrepl.keepalive = '200ms'\ndnsrepl.check_interval = '200ms'\ndnsrepl.tombstone_retention = '1s'";
my ($seattle, $tacoma) = map { Dnsrepl->new($_, conf => $conf) } qw(seattle tacoma);
$seattle->peer($tacoma);
$seattle->sql(<<'END');
INSERT INTO domains (name, type) VALUES ('example.org', 'NATIVE'), ('gone.example', 'NATIVE');
INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, name, 'SOA', 'ns1.example.org h.example.org 1 1 1 1 1', 60 FROM domains;
INSERT INTO records (domain_id, name, type, content, ttl, prio) SELECT id, 'n' || i || '.' || name, 'A', '192.0.2.1', 60, 0 FROM domains, generate_series(1, 20) i;
END
ok(Dnsrepl::same($seattle, $tacoma), 'two nodes');
$seattle->cut($tacoma);
$tacoma->sql("UPDATE domains SET account = 'kept' WHERE name = 'example.org'");
$seattle->sql('DELETE FROM domains');
$seattle->heal($tacoma);
ok(Dnsrepl::same($seattle, $tacoma), 'deleted here, edited there');
for my $node ($seattle, $tacoma)
{
    is($node->sql('SELECT count(*) FROM domains'), 0, $node->name . ': the deletion is later');
    ok($node->poll("SELECT count(*) FROM dnsrepl.version WHERE zone = 'gone.example'", 0), $node->name . ': of what was deleted by everybody nothing is left');
}
$seattle->sql(q(INSERT INTO dnsrepl.policy (zone, resolver, options) VALUES ('example.org', 'prefer', '{"order": ["tacoma"]}')));
for my $node ($seattle, $tacoma)
{
    ok($node->poll('SELECT count(*) FROM domains', 1), $node->name . ': a policy chooses the edit');
    ok($node->poll('SELECT count(*) FROM records', 21), $node->name . ': with all its records');
}
ok(Dnsrepl::same($seattle, $tacoma), 'both serve the same');
done_testing();
