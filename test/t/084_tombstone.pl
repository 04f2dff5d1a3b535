# Deletions go when every member has them; a node that was away for too long is evicted, comes back, and nothing comes back to
# life with it. After a lot of churn the store is as large as before.
use strict;
use warnings;
use Dnsrepl;
use Test::More;

my $conf = "dnsrepl.keepalive = '200ms'\ndnsrepl.check_interval = '200ms'\ndnsrepl.tombstone_retention = '1s'";
my ($seattle, $tacoma, $spokane) = map { Dnsrepl->new($_, conf => $conf) } qw(seattle tacoma spokane);
$seattle->peer($tacoma);
$tacoma->peer($spokane);    # a chain: seattle and spokane never meet

my $tombstones = "SELECT count(*) FROM dnsrepl.version WHERE NOT live";
# the serial of a zone may have a version of its own, which stays
my $store = "SELECT count(*) FROM dnsrepl.stored_version WHERE key <> '\\x7fff'";
sub store { return $_[0]->sql($store) }

$seattle->sql(<<'END');
INSERT INTO domains (name, type) VALUES ('example.org', 'NATIVE'), ('gone.example', 'NATIVE');
INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, name, 'SOA', 'ns1.example.org h.example.org 1 1 1 1 1', 60 FROM domains;
INSERT INTO records (domain_id, name, type, content, ttl, prio) SELECT id, 'n' || i || '.' || name, 'A', '192.0.2.1', 60, 0 FROM domains, generate_series(1, 100) i;
INSERT INTO cryptokeys (domain_id, flags, active, published, content) SELECT id, 257, true, true, 'Private-key-format: v1.2 ' || i FROM domains, generate_series(1, 2) i WHERE name = 'example.org';
END
ok(Dnsrepl::same($seattle, $tacoma, $spokane), 'three nodes in a chain');
is($_->sql("SELECT string_agg(name, ' ' ORDER BY name) FROM dnsrepl.member"), 'seattle spokane tacoma', $_->name . ' knows all members') for $seattle, $tacoma, $spokane;

# ---------------------------------------------------------------- all are there
$tacoma->sql("DELETE FROM records WHERE name <<= 'example.org' AND type = 'A'; DELETE FROM cryptokeys WHERE content LIKE '%1'");
$spokane->sql("DELETE FROM domains WHERE name = 'gone.example'");
for my $node ($seattle, $tacoma, $spokane)
{
    ok($node->poll($tombstones, 0), $node->name . ': all deletions have been collected, and what was dead with its zone');
    ok($node->poll('SELECT collected > 0 FROM dnsrepl.self_check'), $node->name . ': which was counted');
    is($node->sql("SELECT string_agg(tab || ' ' || coalesce(key->>'type', ''), ', ' ORDER BY tab, key::text) FROM dnsrepl.version"), 'cryptokeys , domains , records SOA', $node->name . ': what is left');
}
ok(Dnsrepl::same($seattle, $tacoma, $spokane), 'all serve the same');
$seattle->sql("INSERT INTO domains (name, type) VALUES ('gone.example', 'NATIVE'); INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, name, 'SOA', 'ns1.example.org h.example.org 1 1 1 1 1', 60 FROM domains WHERE name = 'gone.example'");
ok(Dnsrepl::same($seattle, $tacoma, $spokane), 'a zone whose trace is gone can be made again');

$seattle->sql("INSERT INTO domains (name, type) VALUES ('keys.example', 'NATIVE'); INSERT INTO cryptokeys (domain_id, flags, active, published, content)"
    . " SELECT id, 257, k = 1, true, 'Private-key-format: v1.2 keys ' || k FROM domains, generate_series(1, 3) k WHERE name = 'keys.example'");
$seattle->sql("DELETE FROM cryptokeys WHERE content LIKE '%keys $_'") for 3, 1;
for my $node ($seattle, $tacoma, $spokane)
{
    ok($node->poll($tombstones, 1), $node->name . ': the deletion of the last active key is kept as long as there is another');
    is($node->sql("SELECT string_agg(right(content, 1) || active, ',') FROM cryptokeys k JOIN domains d ON d.id = domain_id WHERE name = 'keys.example'"), '2false', $node->name . ': which nobody has made active');
    is($node->sql('SELECT zone, key, problem FROM dnsrepl.check_store()'), '', $node->name . ': that is what the store says');
}
$seattle->sql("DELETE FROM domains WHERE name = 'keys.example'");
ok($_->poll($tombstones, 0), $_->name . ': with the zone it goes') for $seattle, $tacoma, $spokane;

# ---------------------------------------------------------------- churn: the store does not grow
my $before = store($seattle);
my $size = "SELECT pg_size_pretty(pg_total_relation_size('dnsrepl.version_store'))";
my $rounds = $ENV{DNSREPL_CHURN} // 10;
$seattle->sql(<<"END", timeout => 3600);
DO \$\$
BEGIN
  FOR round IN 1 .. $rounds LOOP
    INSERT INTO records (domain_id, name, type, content, ttl, prio) SELECT id, 'c' || i || '.example.org', 'A', '192.0.2.1', round, 0 FROM domains, generate_series(1, 1000) i WHERE name = 'example.org';
    COMMIT;
    DELETE FROM records WHERE type = 'A';
    COMMIT;
  END LOOP;
END \$\$;
END
my $changes = 2000 * $rounds;
ok($_->poll($store, $before, 600), $_->name . ": after $changes changes of 1000 names the store is as large as before") for $seattle, $tacoma, $spokane;
note($_->name . ': ' . $_->sql($size)) for $seattle, $tacoma, $spokane;

# ---------------------------------------------------------------- one is away
$seattle->sql("INSERT INTO records (domain_id, name, type, content, ttl, prio) SELECT id, n || '.example.org', 'A', '192.0.2.1', 60, 0 FROM domains, unnest('{old,edited,kept}'::text[]) n WHERE name = 'example.org'");
ok(Dnsrepl::same($seattle, $tacoma, $spokane), 'all have some records');
$tacoma->cut($spokane);
$spokane->sql("UPDATE records SET content = '192.0.2.99' WHERE name = 'edited.example.org'");
$seattle->sql("DELETE FROM records WHERE name IN ('old.example.org', 'edited.example.org')");
ok(Dnsrepl::same($seattle, $tacoma), 'the others delete, and one of the deletions is in conflict with an edit that they do not know of');
ok($seattle->poll("SELECT holds_back FROM dnsrepl.member WHERE name = 'spokane'"), 'the one that is away holds deletions back, which can be seen');
is($seattle->sql("SELECT bool_or(holds_back) FROM dnsrepl.member WHERE name <> 'spokane'"), 'f', 'and nobody else');
is($seattle->sql($tombstones), 2, 'they are there still');

like(($seattle->try("SELECT dnsrepl.evict('nobody')"))[2], qr/member "nobody" does not exist/, 'who is no member cannot be evicted');
like(($seattle->try("SELECT dnsrepl.evict('seattle')"))[2], qr/cannot evict itself/, 'nor can a node evict itself');
$seattle->sql("SELECT dnsrepl.evict('spokane')");
ok($_->poll($tombstones, 0), $_->name . ': it is evicted, and they go') for $seattle, $tacoma;
is($tacoma->sql("SELECT evicted FROM dnsrepl.member WHERE name = 'spokane'"), 't', 'everybody knows it');
$spokane->cluster->restart;
$tacoma->heal($spokane);
ok(Dnsrepl::same($seattle, $tacoma, $spokane), 'it comes back');
is($_->sql("SELECT string_agg(name || ' ' || content, ', ' ORDER BY name) FROM records WHERE type = 'A'"), 'edited.example.org 192.0.2.99, kept.example.org 192.0.2.1',
    $_->name . ': what was deleted stays so, what was edited meanwhile is there') for $seattle, $tacoma, $spokane;
ok($_->poll("SELECT NOT bool_or(evicted) FROM dnsrepl.member"), $_->name . ': it is a member again') for $seattle, $tacoma, $spokane;

# ---------------------------------------------------------------- evicted by its age
$seattle->sql("INSERT INTO records (domain_id, name, type, content, ttl, prio) SELECT id, 'many' || i || '.example.org', 'A', '192.0.2.1', 60, 0 FROM domains, generate_series(1, 70) i WHERE name = 'example.org'");
ok(Dnsrepl::same($seattle, $tacoma, $spokane), 'many more names');
$tacoma->cut($spokane);
$seattle->sql("DELETE FROM records WHERE name = 'kept.example.org' OR name LIKE 'many%'");
for my $node ($seattle, $tacoma)
{
    $node->sql("ALTER SYSTEM SET dnsrepl.evict_after = '2s'");
    $node->sql('SELECT pg_reload_conf()');
}
ok($seattle->poll("SELECT evicted FROM dnsrepl.member WHERE name = 'spokane'"), 'who is away for longer than dnsrepl.evict_after is evicted');
ok($_->poll($tombstones, 0), $_->name . ': no deletion is kept for it') for $seattle, $tacoma;
for my $node ($seattle, $tacoma)
{
    $node->sql('ALTER SYSTEM RESET dnsrepl.evict_after');
    $node->sql('SELECT pg_reload_conf()');
}
my $author = $spokane->session;
$author->query_safe("BEGIN; UPDATE records SET ttl = 61 WHERE name = 'edited.example.org'");
$tacoma->heal($spokane);
ok($spokane->poll('SELECT count(*) > 0 FROM dnsrepl.problem'), 'it comes back while somebody edits the zone there');
$author->query_safe('COMMIT');
$author->quit;
ok(Dnsrepl::same($seattle, $tacoma, $spokane), 'and comes back all the same');
is($spokane->sql("SELECT count(*) FROM records WHERE name = 'kept.example.org' OR name LIKE 'many%'"), 0, 'with nothing that was deleted');
is($_->sql('SELECT count(*) FROM dnsrepl.check_store()'), 0, $_->name . ': the tables are what the store has') for $seattle, $tacoma, $spokane;

# ---------------------------------------------------------------- what hung together with what was deleted, and is looked at when all has come
$seattle->sql(<<'END');
INSERT INTO domains (name, type) VALUES ('again.example', 'NATIVE'), ('held.example', 'NATIVE');
INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, name, 'SOA', 'ns1.example.org h.example.org 1 1 1 1 1', 60 FROM domains WHERE name IN ('again.example', 'held.example');
INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, n || '.' || name, 'A', '192.0.2.1', 60 FROM domains, unnest('{one,two}'::text[]) n WHERE name IN ('again.example', 'held.example');
INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'dname.example.org', 'DNAME', 'example.net', 60 FROM domains WHERE name = 'example.org';
INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, n || '.up.example.org', 'A', '192.0.2.1', 60 FROM domains, unnest('{one,two}'::text[]) n WHERE name = 'example.org';
END
ok(Dnsrepl::same($seattle, $tacoma, $spokane), 'a DNAME record, and more zones');
$tacoma->cut($spokane);
$seattle->sql(<<'END');
DELETE FROM records WHERE name = 'dname.example.org' OR name LIKE '%.up.example.org';
INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'up.example.org', 'DNAME', 'example.net', 60 FROM domains WHERE name = 'example.org';
DELETE FROM domains WHERE name IN ('again.example', 'held.example');
END
$seattle->sql(<<'END');
INSERT INTO domains (name, type) VALUES ('again.example', 'NATIVE'), ('held.example', 'NATIVE');
INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, name, 'SOA', 'ns1.example.org h.example.org 1 1 1 1 1', 60 FROM domains WHERE name IN ('again.example', 'held.example');
INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, n || '.' || name, 'A', '192.0.2.2', 60 FROM domains, unnest('{two,three}'::text[]) n WHERE name IN ('again.example', 'held.example');
END
$seattle->sql("SELECT dnsrepl.evict('spokane')");
ok($_->poll($tombstones, 0), $_->name . ': their deletions are not kept for the one that is away') for $seattle, $tacoma;
$author = $spokane->session;
$author->query_safe("BEGIN; UPDATE records SET ttl = 61 WHERE name = 'held.example'");
$tacoma->heal($spokane);
ok($spokane->poll('SELECT count(*) > 0 FROM dnsrepl.problem'), 'it comes back while somebody edits one of the zones');
$author->query_safe('ROLLBACK');
$author->quit;
ok(Dnsrepl::same($seattle, $tacoma, $spokane), 'the DNAME record is gone there, another has come, and of the zones that were made again nothing old is left');
is($_->sql("SELECT string_agg(zone || ' ' || problem, ', ') FROM dnsrepl.check_store()"), '', $_->name . ': the tables are what the store has') for $seattle, $tacoma, $spokane;
done_testing();
