# A zone that was deleted at one node and edited at another: it is gone, whoever is later and whatever a policy says; of it nothing is kept for
# ever; and the edit is told.
use strict;
use warnings;
use Dnsrepl;
use Test::More;

my $conf = "dnsrepl.keepalive = '200ms'\ndnsrepl.check_interval = '200ms'\ndnsrepl.tombstone_retention = '1s'";
my ($seattle, $tacoma) = map { Dnsrepl->new($_, conf => $conf) } qw(seattle tacoma);
$seattle->peer($tacoma);
$seattle->sql(<<'END');
INSERT INTO domains (name, type) VALUES ('example.org', 'NATIVE'), ('early.example', 'NATIVE'), ('gone.example', 'NATIVE');
INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, name, 'SOA', 'ns1.example.org h.example.org 1 1 1 1 1', 60 FROM domains;
INSERT INTO records (domain_id, name, type, content, ttl, prio) SELECT id, 'n' || i || '.' || name, 'A', '192.0.2.1', 60, 0 FROM domains, generate_series(1, 20) i;
END
ok(Dnsrepl::same($seattle, $tacoma), 'two nodes');
$seattle->cut($tacoma);
$tacoma->sql("UPDATE domains SET account = 'kept' WHERE name = 'example.org'");
$seattle->sql('DELETE FROM domains');
$tacoma->sql("UPDATE domains SET account = 'kept' WHERE name = 'early.example'");
$seattle->heal($tacoma);
ok(Dnsrepl::same($seattle, $tacoma), 'deleted here, edited there');
$seattle->sql(q(INSERT INTO dnsrepl.policy (zone, resolver, options) VALUES ('example.org', 'prefer', '{"order": ["tacoma"]}')));
ok(Dnsrepl::same($seattle, $tacoma), 'a policy that would choose the edit');
for my $node ($seattle, $tacoma)
{
    is($node->sql('SELECT count(*) FROM domains'), 0, $node->name . ': the zones are gone');
    is($node->sql("SELECT string_agg(concat_ws(' ', zone, tab, rule, (SELECT string_agg(s->'rows'->0->>'account', ',') FROM jsonb_array_elements(siblings) s)), ', ' ORDER BY zone) FROM dnsrepl.conflict_history"),
        'early.example domains zone-deleted kept, example.org domains zone-deleted kept', $node->name . ': what was edited is told');
    ok($node->poll("SELECT count(*) FROM dnsrepl.stored_version v JOIN dnsrepl.zone z ON z.no = v.zone WHERE z.name IS NOT NULL AND v.key <> '\\x7fff'", 0), $node->name . ': of what was deleted nothing is left');
    is($node->sql('SELECT count(*) FROM dnsrepl.check_store()'), 0, $node->name . ': and nothing is wrong');
}
done_testing();
