# A node notices what was done behind its back, in its tables and in its store; two nodes that hold the same and serve something
# else find out, and mend it.
use strict;
use warnings;
use Dnsrepl;
use Test::More;

my $conf = "dnsrepl.keepalive = '200ms'\ndnsrepl.check_interval = '200ms'";
my ($seattle, $tacoma) = map { Dnsrepl->new($_, conf => $conf) } qw(seattle tacoma);
$seattle->peer($tacoma);
$seattle->sql(<<'END');
INSERT INTO domains (name, type) VALUES ('example.org', 'NATIVE'), ('other.example', 'NATIVE');
INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, name, 'SOA', 'ns1.example.org h.example.org 1 1 1 1 1', 60 FROM domains;
INSERT INTO records (domain_id, name, type, content, ttl, prio) SELECT id, 'n' || i || '.' || name, 'A', '192.0.2.1', 60, 0 FROM domains, generate_series(1, 20) i;
END
ok(Dnsrepl::same($seattle, $tacoma), 'two nodes');

sub count { return $_[0]->sql("SELECT $_[1] FROM dnsrepl.self_check") }

# As a superuser who knows how.
sub behind
{
    my ($node, $sql) = @_;
    $node->sql("BEGIN; ALTER TABLE records DISABLE TRIGGER dnsrepl_note; $sql; ALTER TABLE records ENABLE ALWAYS TRIGGER dnsrepl_note; COMMIT");
    return;
}

# ---------------------------------------------------------------- at rest nothing is found, and it is looked for
ok($_->poll('SELECT rounds > 2 AND units > 0 AND compared > 1 FROM dnsrepl.self_check'), $_->name . ': looks at all zones, again and again, and is compared') for $seattle, $tacoma;
is(count($_, 'differences + damages + repaired + sums_mended'), 0, $_->name . ': finds nothing') for $seattle, $tacoma;

# ---------------------------------------------------------------- the tables
behind($tacoma, "UPDATE records SET content = '192.0.2.66' WHERE name = 'n1.example.org'; DELETE FROM records WHERE name = 'n2.example.org'");
ok($tacoma->poll("SELECT error FROM dnsrepl.problem WHERE zone = 'example.org'", 'the tables are not what the store has: 2 units'), 'an edit of the tables behind the triggers\' back is noticed');
like($tacoma->log, qr/the tables are not what the store has: 2 units of zone "example.org", the first: .*n1.example.org/, 'in the log too');
is(count($tacoma, 'differences'), 2, 'and counted');
is($tacoma->sql('SELECT key->>$$name$$, problem, store->0->>$$content$$, tables->0->>$$content$$ FROM dnsrepl.check_store() ORDER BY 1'),
    "n1.example.org|the tables are not what the store has|192.0.2.1|192.0.2.66\nn2.example.org|the tables are not what the store has|192.0.2.1|", 'check_store() says what differs');
$tacoma->sql("SELECT count(*) FROM dnsrepl.check_store(repair => 'tables')");
ok($tacoma->poll("SELECT count(*) FROM dnsrepl.check_store()", 0), 'the tables can be made to follow the store');
ok($tacoma->no_problem, 'then it is no problem any more');
ok(Dnsrepl::same($seattle, $tacoma), 'both serve the same');

behind($tacoma, "UPDATE records SET content = '192.0.2.66' WHERE name = 'n1.example.org'; DELETE FROM records WHERE name = 'n2.example.org';"
      . " INSERT INTO records (domain_id, name, type, content, ttl, prio) SELECT id, 'new.example.org', 'A', '192.0.2.3', 60, 0 FROM domains WHERE name = 'example.org'");
ok($tacoma->poll("SELECT count(*) FROM dnsrepl.problem WHERE zone = 'example.org'", 1), 'noticed again');
$tacoma->sql("SELECT count(*) FROM dnsrepl.check_store(repair => 'store')");
ok($seattle->poll("SELECT string_agg(name || ' ' || content, ', ' ORDER BY name) FROM records WHERE name IN ('n1.example.org', 'n2.example.org', 'new.example.org')",
        'n1.example.org 192.0.2.66, new.example.org 192.0.2.3'), 'or the store to follow the tables: then it is an edit');
ok(Dnsrepl::same($seattle, $tacoma), 'both serve the same');

# ---------------------------------------------------------------- the store
$tacoma->cut($seattle);
$tacoma->unpack_store;
$tacoma->sql("UPDATE records SET content = '192.0.2.77' WHERE name = 'n5.other.example'");    # nobody else has this
$tacoma->sql(q(DELETE FROM dnsrepl.version_store WHERE key IN (SELECT v.key FROM dnsrepl.version_store v WHERE dnsrepl.key_columns(v.key)->>'name' ~ '^n1?[1-4]\.other\.example$')));
ok($tacoma->poll('SELECT damages > 0 FROM dnsrepl.self_check'), 'versions that were taken out of the store are missed');
ok($tacoma->poll("SELECT count(*) FROM dnsrepl.problem WHERE error ~ 'store of this node was changed'", 1), 'which is a problem');
like($tacoma->log, qr/store of zone "other.example" has been changed behind the extension's back/, 'and in the log');
$seattle->sql("SELECT dnsrepl.pause('tacoma')");
$tacoma->heal($seattle);
ok($tacoma->poll("SELECT last_error ~ 'changed behind the extension.*sends nothing until it has taken the state of a peer' FROM dnsrepl.status"), 'it sends nothing');
$seattle->sql("SELECT dnsrepl.resume('tacoma')");
is(count($tacoma, 'damages'), 1, 'which is counted once, however often it looks');
ok($tacoma->poll('SELECT damaged IS NULL FROM dnsrepl.node'), 'with a peer it is mended');
ok(Dnsrepl::same($seattle, $tacoma), 'both serve the same');
is($_->sql("SELECT count(*) FROM records WHERE name <<= 'other.example'"), 21, $_->name . ' has lost nothing by it') for $seattle, $tacoma;
is($_->sql("SELECT content FROM records WHERE name = 'n5.other.example'"), '192.0.2.77', $_->name . ' has what only the damaged node had') for $seattle, $tacoma;
is($_->sql("SELECT count(DISTINCT (tab, key)) FROM dnsrepl.version WHERE zone = 'other.example' AND live"), 22, $_->name . ' holds every unit') for $seattle, $tacoma;
is($_->sql('SELECT count(*) FROM dnsrepl.check_store()'), 0, $_->name . ': tables and sums are what the store has') for $seattle, $tacoma;
$tacoma->sql("UPDATE records SET content = '192.0.2.78' WHERE name = 'n5.other.example'");
ok($seattle->poll("SELECT content FROM records WHERE name = 'n5.other.example'", '192.0.2.78'), 'and writes as before');

ok($tacoma->no_problem, 'nothing is left to say of it');

# ---------------------------------------------------------------- both hold the same by their vectors, and serve something else
$tacoma->unpack_store;
$_->sql("ALTER SYSTEM SET dnsrepl.check_interval = 0"), $_->sql('SELECT pg_reload_conf()') for $seattle, $tacoma;
my $repaired = count($tacoma, 'repaired');
behind($tacoma, q(DELETE FROM records WHERE name IN ('n3.example.org', 'n4.example.org');
    DELETE FROM dnsrepl.version_store WHERE dnsrepl.key_columns(key)->>'name' IN ('n3.example.org', 'n4.example.org');
    UPDATE dnsrepl.zone z SET served = (d.store->>'served')::bigint, others = (d.store->>'others')::bigint, held = (d.store->>'held')::bigint
      FROM dnsrepl.store_differences() d WHERE d.key = '' AND d.zone_no = z.no));
is($tacoma->sql('SELECT count(*) FROM dnsrepl.check_store()'), 0, 'one that is wrong, and of one mind with itself');
ok(Dnsrepl::same($seattle, $tacoma), 'is found out by comparing it with a peer, and mended');
is($_->sql("SELECT count(*) FROM records WHERE name IN ('n3.example.org', 'n4.example.org')"), 2, $_->name . ' serves what was gone') for $seattle, $tacoma;
ok($tacoma->poll("SELECT repaired - $repaired FROM dnsrepl.self_check", 2), 'each unit is counted');
like($seattle->log, qr/link "tacoma": 1 zones differ/, 'the log says so at one end');
like($tacoma->log, qr/2 units that differed here and at node "seattle"/, 'and at the other');
is($_->sql('SELECT count(*) FROM dnsrepl.check_store()'), 0, $_->name . ': tables and sums are what the store has') for $seattle, $tacoma;

# ---------------------------------------------------------------- what is written while two nodes are being compared
$tacoma->unpack_store;
my $slow = $seattle->session;
$slow->query_safe('BEGIN; LOCK TABLE dnsrepl.check_problem IN ACCESS EXCLUSIVE MODE');    # seattle's link waits before it cuts its repair
behind($tacoma, q(DELETE FROM records WHERE name = 'n3.example.org';
    DELETE FROM dnsrepl.version_store WHERE dnsrepl.key_columns(key)->>'name' = 'n3.example.org';
    UPDATE dnsrepl.zone z SET served = (d.store->>'served')::bigint, others = (d.store->>'others')::bigint, held = (d.store->>'held')::bigint
      FROM dnsrepl.store_differences() d WHERE d.key = '' AND d.zone_no = z.no));
ok($seattle->poll("SELECT count(*) > 0 FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT l.granted AND a.backend_type <> 'client backend'"), 'a link looks at a zone that differs');
$seattle->sql("UPDATE records SET content = '192.0.2.99' WHERE name = 'n7.other.example'; DELETE FROM records WHERE name = 'n8.other.example'");
$slow->query_safe('COMMIT');
$slow->quit;
ok(Dnsrepl::same($seattle, $tacoma), 'mended again');
is($_->sql("SELECT string_agg(name || ' ' || content, ', ') FROM records WHERE name IN ('n7.other.example', 'n8.other.example')"), 'n7.other.example 192.0.2.99', $_->name . ' has what was written in another zone meanwhile') for $seattle, $tacoma;
is($_->sql("SELECT count(*) FROM dnsrepl.version WHERE zone = 'other.example' AND key->>'name' IN ('n7.other.example', 'n8.other.example')"), 2, $_->name . ': and nothing beside it, since nobody else wrote') for $seattle, $tacoma;

# ---------------------------------------------------------------- a resolver that is another function at each node
my $whoami = sub { my ($node, $rows) = @_;
    $node->sql("CREATE OR REPLACE FUNCTION whoami(unit jsonb, siblings jsonb) RETURNS jsonb IMMUTABLE LANGUAGE sql AS \$\$ SELECT $rows \$\$; SELECT dnsrepl.allow_resolver('whoami(jsonb, jsonb)')") };
$whoami->($_, "jsonb_build_array(siblings->0->'rows'->0 || jsonb_build_object('content', '192.0.2.2" . ($_ == $seattle ? 1 : 2) . "'))") for $seattle, $tacoma;
$seattle->sql("INSERT INTO dnsrepl.policy (zone, resolver) VALUES ('example.org', 'public.whoami')");
ok($tacoma->poll('SELECT count(*) FROM dnsrepl.policy', 1), 'a policy that serves something else at each node');
$tacoma->cut($seattle);
$_->sql("UPDATE records SET ttl = " . ($_ == $seattle ? 70 : 80) . " WHERE name = 'n6.example.org'") for $seattle, $tacoma;
$tacoma->heal($seattle);
for my $node ($seattle, $tacoma)
{
    ok($node->poll("SELECT count(*) FROM dnsrepl.problem WHERE zone = 'example.org' AND error = 'nodes that hold the same do not serve the same by resolver public.whoami'", 1),
        $node->name . ' is told that the two serve different things');
    ok($node->poll("SELECT ttl || ' ' || content FROM records WHERE name = 'n6.example.org'", '80 192.0.2.1'), $node->name . ': until somebody sees to it the latest is served');
    is($node->sql("SELECT string_agg(rule, ',') FROM dnsrepl.conflict"), 'latest', $node->name . ': which is told');
}
ok(Dnsrepl::same($seattle, $tacoma), 'so that both are the same');
$whoami->($_, "siblings->0->'rows'") for $seattle, $tacoma;
$tacoma->sql('UPDATE dnsrepl.policy SET doubted = false');
ok($_->poll("SELECT ttl || ' ' || content FROM records WHERE name = 'n6.example.org'", '70 192.0.2.1'), $_->name . ': it is trusted again when somebody says so') for $seattle, $tacoma;
ok($_->no_problem, $_->name . ': then it is no problem any more') for $seattle, $tacoma;

# ---------------------------------------------------------------- nobody to ask
my $alone = Dnsrepl->new('alone', conf => $conf);
$alone->sql("INSERT INTO domains (name, type) VALUES ('example.org', 'NATIVE'); DELETE FROM dnsrepl.version_store WHERE key = '\\x0001'");
ok($alone->poll('SELECT damages FROM dnsrepl.self_check', 1), 'a node without peers notices too');
ok($alone->poll("SELECT error FROM dnsrepl.problem WHERE zone = 'example.org'", 'the store has nothing of it: 1 units'), 'and takes its store for what it is');
is($alone->sql('SELECT damaged IS NULL FROM dnsrepl.node'), 't', 'it goes on');
$alone->sql("ALTER TABLE domains DISABLE TRIGGER USER; INSERT INTO domains (name, type) VALUES ('hidden.example', 'NATIVE'); ALTER TABLE domains ENABLE ALWAYS TRIGGER dnsrepl_note, ENABLE ALWAYS TRIGGER dnsrepl_note_truncate");
ok($alone->poll("SELECT error FROM dnsrepl.problem WHERE zone = 'hidden.example'", 'the store has nothing of it: 1 units'), 'a zone that came behind the triggers\' back is noticed');
$alone->sql('ALTER SYSTEM SET dnsrepl.check_interval = 0');    # so nobody looks again by himself
$alone->sql('SELECT pg_reload_conf()');
$alone->sql("SELECT count(*) FROM dnsrepl.check_store(repair => 'store')");
is($alone->sql("SELECT string_agg(zone || ' ' || tab, ', ' ORDER BY zone) FROM dnsrepl.version"), 'hidden.example domains, example.org domains', 'and can be taken into the store');
ok($alone->no_problem, 'then nothing is a problem');
done_testing();
