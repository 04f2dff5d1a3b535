# A node that was itself away for longer than dnsrepl.evict_after does not hold that against others: absence is measured by the time that it
# was up, and could have heard them.
use strict;
use warnings;
use Dnsrepl;
use Test::More;

my $conf = "dnsrepl.keepalive = '200ms'\ndnsrepl.check_interval = '200ms'\ndnsrepl.tombstone_retention = '1s'";
my $seattle = Dnsrepl->new('seattle', conf => $conf);
my $tacoma = Dnsrepl->new('tacoma', conf => "$conf\ndnsrepl.tombstone_retention = '1h'");    # what it has collected seattle may not keep
$seattle->peer($tacoma);
$seattle->sql(<<'END');
INSERT INTO domains (name, type) VALUES ('example.org', 'NATIVE'), ('told.example', 'NATIVE');
INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, name, 'SOA', 'ns1.example.org h.example.org 1 1 1 1 1', 60 FROM domains;
INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'www.' || name, 'A', '192.0.2.1', 60 FROM domains;
END
ok(Dnsrepl::same($seattle, $tacoma), 'two nodes');
my $tombstones = 'SELECT count(*) FROM dnsrepl.version WHERE NOT live';

# Some months pass in which the node is down.
sub sleep_long
{
    my ($node) = @_;
    $node->sql(<<'END');
UPDATE dnsrepl.peer_vector SET contact = contact - interval '200 days';
UPDATE dnsrepl.roll SET since = since - interval '200 days';
UPDATE dnsrepl.uptime SET since = since - interval '200 days', until = until - interval '200 days';
UPDATE dnsrepl.server SET added = added - interval '200 days';
UPDATE dnsrepl.server_state SET written = written - interval '200 days';
UPDATE dnsrepl.server_work SET since = since - interval '200 days';
END
    $node->cluster->restart;
    return ok($node->poll("SELECT rounds > 15 FROM dnsrepl.self_check"), $node->name . ' looks after itself again, though nobody has spoken yet');
}

$seattle->cut($tacoma);
$seattle->sql("INSERT INTO dnsrepl.roll (node, name) VALUES (gen_random_uuid(), 'spokane')");    # told of, never heard
$seattle->sql("DELETE FROM records WHERE name = 'www.example.org'");
sleep_long($seattle);
is($seattle->sql("SELECT string_agg(name, ', ') FROM dnsrepl.member WHERE evicted"), '', 'it has evicted nobody');
is($seattle->sql($tombstones), 1, 'and keeps the deletion');
$seattle->heal($tacoma);
ok(Dnsrepl::same($seattle, $tacoma), 'the links speak, and the deletion gets there');
$seattle->sql("DELETE FROM dnsrepl.roll WHERE name = 'spokane'");
ok($seattle->poll($tombstones, 0), 'now it goes');

# ---------------------------------------------------------------- a DNS server counts like a member
$seattle->sql("SELECT dnsrepl.add_server('ns1', '127.0.0.1:1', '{told.example}')");
$seattle->sql("DELETE FROM records WHERE name = 'www.told.example'");
ok(Dnsrepl::same($seattle, $tacoma), 'a deletion that a DNS server has yet to be told of');
sleep_long($seattle);
is($seattle->sql($tombstones), 1, 'is kept, too');

# ---------------------------------------------------------------- who is up, and hears nobody
$seattle->cut($tacoma);
$seattle->sql("ALTER SYSTEM SET dnsrepl.evict_after = '2s'");
$seattle->sql('SELECT pg_reload_conf()');
ok($seattle->poll("SELECT evicted FROM dnsrepl.member WHERE name = 'tacoma'"), 'who is up and does not hear a member evicts it');
ok($seattle->poll($tombstones, 0), 'and waits no longer for a DNS server');
$seattle->cluster->restart;
ok($seattle->poll("SELECT count(*) >= 2 FROM dnsrepl.uptime"), 'each time that a node was up is noted,');
ok($seattle->poll("SELECT dnsrepl.up_for('-infinity') BETWEEN '1 second' AND now() - (SELECT min(since) FROM dnsrepl.uptime)"), 'and they add up');
$seattle->sql("INSERT INTO dnsrepl.uptime SELECT now() - interval '400 days' + i * interval '1 minute', now() - interval '400 days' + i * interval '1 minute' + interval '1 second' FROM generate_series(1, 3000) i");
ok($seattle->poll('SELECT count(*) < 1100 FROM dnsrepl.uptime'), 'so many of them');
$seattle->sql("INSERT INTO dnsrepl.uptime VALUES (now() + interval '1 year', now() + interval '2 years')");
ok($seattle->poll('SELECT count(*) FROM dnsrepl.uptime WHERE until > now()', 0), 'a time that the clock was ahead does not count');
done_testing();
