# The self-check looks at nodes in all states that are in between: it finds nothing where nothing is. People put an alert on that.
use strict;
use warnings;
use Dnsrepl;
use Test::More;

use constant SECONDS => $ENV{DNSREPL_ALARM_SECONDS} // 15;

my $conf = "dnsrepl.keepalive = '200ms'\ndnsrepl.check_interval = '50ms'\nmax_worker_processes = 32";
my ($seattle, $tacoma) = map { Dnsrepl->new($_, conf => $conf) } qw(seattle tacoma);
my @nodes = ($seattle, $tacoma);
$seattle->peer($tacoma);
my @zones = map { "z$_.example" } 1 .. 4;
for my $zone (@zones)
{
    $seattle->sql("INSERT INTO domains (name, type) VALUES ('$zone', 'NATIVE');
        INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, name, 'SOA', 'ns1.' || name || ' h.example.org 1 1 1 1 1', 60 FROM domains WHERE name = '$zone';
        INSERT INTO records (domain_id, name, type, content, ttl, prio) SELECT id, 'n' || i || '.' || name, 'A', '192.0.2.1', 60, 0 FROM domains, generate_series(1, 8) i WHERE name = '$zone';
        INSERT INTO records (domain_id, name, type, content, ttl, prio) SELECT id, 'c' || i || '.' || name, 'A', '192.0.2.1', 60, 0 FROM domains, generate_series(1, 60) i WHERE name = '$zone'");
}
my $choose = sub { my ($body) = @_; return "CREATE OR REPLACE FUNCTION choose(unit jsonb, siblings jsonb) RETURNS jsonb IMMUTABLE LANGUAGE sql AS \$\$ SELECT $body \$\$; SELECT dnsrepl.allow_resolver('choose(jsonb, jsonb)');" };
$_->sql($choose->("siblings->0->'rows'")) for @nodes;
ok(Dnsrepl::same(@nodes), 'two nodes');
# conflicts that nobody settles: every change of a policy changes what is served of them
$seattle->cut($tacoma);
$_->sql("UPDATE records SET content = '192.0.2." . ($_ == $seattle ? 20 : 30) . "' WHERE name ~ '^c'") for @nodes;
$seattle->heal($tacoma);
ok(Dnsrepl::same(@nodes), 'with conflicts');
is($_->sql('SELECT count(*) FROM dnsrepl.conflict'), 240, $_->name . ' knows of them') for @nodes;

# ---------------------------------------------------------------- much at once
# Each is a session that says the same again and again, with other names; what is refused or deadlocks is tried no more.
my $plays = 0;

sub play
{
    my ($node, $make) = @_;
    my $file = "$ENV{DNSREPL_WORK}/play" . ++$plays . '.sql';
    PostgreSQL::Test::Utils::append_to_file($file, "SET statement_timeout = '5s';\n" . join '', map { $make->() } 1 .. 5000);
    return Dnsrepl::spawn("a player of $file", "$file.out", 'psql', '-X', '-q', '-o', '/dev/null', '-d', $node->cluster->connstr($node->db), '-f', $file);
}

my $zone = sub { $zones[ int rand @zones ] };
my @resolvers = ("'latest', NULL", "'merge', NULL", "'hold', NULL", q('prefer', '{"order": ["tacoma", "seattle"]}'), q('prefer', '{"order": ["seattle", "tacoma"]}'), "'public.choose', NULL");
my $edit = sub {
    my $z = $zone->();
    my $name = 'n' . (1 + int rand 8) . ".$z";
    return rand() < 0.3
        ? "BEGIN; DELETE FROM records WHERE name = '$name' AND type = 'A'; INSERT INTO records (domain_id, name, type, content, ttl, prio) SELECT id, '$name', 'A', '192.0.2.' || c, 60, 0 FROM domains, generate_series(" . int(rand 100) . ", 100) c WHERE name = '$z'; COMMIT;\nROLLBACK;\n"
        : "UPDATE records SET ttl = " . int(60 + rand 1000) . " WHERE name = '$name';\n";
};
my $policy = sub {
    my $z = $zone->();
    return rand() < 0.2 ? "DELETE FROM dnsrepl.policy WHERE zone = '$z';\n"
        : "INSERT INTO dnsrepl.policy (zone, resolver, options) VALUES ('$z', " . $resolvers[ int rand @resolvers ] . ") ON CONFLICT (scope) DO UPDATE SET resolver = excluded.resolver, options = excluded.options, doubted = false;\nSELECT pg_sleep(" . rand(0.05) . ");\n";
};
my $lock = sub {
    my $z = $zone->();
    my $what = rand() < 0.5 ? 'SELECT 1 FROM records' : 'UPDATE records SET ttl = ' . int(60 + rand 1000);
    my $end = rand() < 0.3 ? 'ROLLBACK' : 'COMMIT';
    return "BEGIN; $what WHERE name = '$z' AND type = 'SOA'" . ($what =~ /SELECT/ ? ' FOR UPDATE' : '') . "; SELECT pg_sleep(" . rand(0.1) . "); $end;\nROLLBACK;\nSELECT pg_sleep(" . rand(0.05) . ");\n";
};
my $make = sub {
    my $z = 'new' . int(rand 3) . '.example';
    return rand() < 0.4 ? "DELETE FROM domains WHERE name = '$z';\n"
        : "BEGIN; INSERT INTO domains (name, type) VALUES ('$z', 'NATIVE'); INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, name, 'SOA', 'ns1.' || name || ' h.example.org 1 1 1 1 1', 60 FROM domains WHERE name = '$z'; COMMIT;\nROLLBACK;\n";
};
my $function = sub { return $choose->("siblings->" . int(rand 2) . "->'rows'") . "\nSELECT pg_sleep(" . rand(1) . ");\n" };

sub game
{
    my ($what, %with) = @_;
    my @before = map { $_->sql('SELECT rounds FROM dnsrepl.self_check') } @nodes;
    my $changes = $seattle->sql('SELECT coalesce(max(no), 0) FROM dnsrepl.policy_change');
    my $serial = $seattle->sql("SELECT serial FROM dnsrepl.zone WHERE name = '$zones[0]'");
    my @plays;
    for my $node (@nodes)
    {
        push @plays, map { play($node, $_) } $edit, $edit, @{ $with{each} // [] };
    }
    push @plays, map { play($seattle, $_) } @{ $with{one} // [] };
    Dnsrepl::wait_until(sub { 0 }, SECONDS);
    ok($seattle->sql('SELECT max(no) FROM dnsrepl.policy_change') > $changes + SECONDS, "$what: policies have changed again and again");
    ok($seattle->sql("SELECT serial FROM dnsrepl.zone WHERE name = '$zones[0]'") > $serial + SECONDS, "$what: so have zones");
    Dnsrepl::finish($_) for @plays;
    for my $i (0, 1)
    {
        my $node = $nodes[$i];
        my $name = $node->name;
        ok($node->poll("SELECT rounds > $before[$i] + 10 FROM dnsrepl.self_check"), "$what: $name has looked at itself many times");
        is($node->sql('SELECT differences FROM dnsrepl.self_check'), 0, "$what: $name has found no difference");
        is($node->sql('SELECT sums_mended + damages FROM dnsrepl.self_check'), 0, "$what: $name: nor sums that are off");
        my @log = grep { /is not what|are not what|store has nothing of it|running sums/ } split /\n/, $node->log;
        is_deeply(\@log, [], "$what: $name: nor has its log");
    }
    return;
}
game('edits, policies, locked SOA records', each => [ $lock, $make ], one => [ $policy ]);
game('functions that choose, replaced and allowed', each => [ $function, $lock ], one => [ $policy ]);
$_->sql($choose->("siblings->0->'rows'")) for @nodes;
$seattle->sql("DELETE FROM dnsrepl.policy");
ok(Dnsrepl::same(@nodes), 'then both serve the same');
ok($_->poll('SELECT count(*) FROM dnsrepl.parked', 0), $_->name . ': nothing waits') for @nodes;
is($_->sql('SELECT count(*) FROM dnsrepl.check_store()'), 0, $_->name . ': tables and sums are what the store has') for @nodes;

# ---------------------------------------------------------------- a real one: the tables of a zone are left to people, its store is united all the same
sub behind
{
    my ($node, $sql) = @_;
    $node->sql("BEGIN; ALTER TABLE records DISABLE TRIGGER dnsrepl_note; $sql; ALTER TABLE records ENABLE ALWAYS TRIGGER dnsrepl_note; COMMIT");
    return;
}
$seattle->sql("INSERT INTO records (domain_id, name, type, content, ttl, prio) SELECT id, 'k' || i || '.' || name, 'A', '192.0.2.1', 60, 0 FROM domains, generate_series(1, 3) i WHERE name = 'z1.example'");
ok(Dnsrepl::same(@nodes), 'names that nobody has played with');
$tacoma->unpack_store;
behind($tacoma, q(UPDATE records SET content = '192.0.2.66' WHERE name = 'k1.z1.example'; DELETE FROM records WHERE name = 'k3.z1.example';
    DELETE FROM dnsrepl.version_store WHERE dnsrepl.key_columns(key)->>'name' = 'k3.z1.example';
    UPDATE dnsrepl.zone z SET served = (d.store->>'served')::bigint, others = (d.store->>'others')::bigint, held = (d.store->>'held')::bigint
      FROM dnsrepl.store_differences() d WHERE d.key = '' AND d.zone_no = z.no));
ok($tacoma->poll("SELECT count(*) FROM dnsrepl.problem WHERE zone = 'z1.example' AND error ~ 'the tables are not what the store has'", 1), 'tables that differ are a problem');
ok($tacoma->poll("SELECT count(*) > 0 FROM records WHERE name = 'k3.z1.example'"), 'what the store lacked has come from the peer all the same');
is($tacoma->sql("SELECT content FROM records WHERE name = 'k1.z1.example'"), '192.0.2.66', 'the tables are left to people');
$tacoma->sql("SELECT count(*) FROM dnsrepl.check_store(repair => 'tables')");
ok($_->no_problem, $_->name . ': then nothing is a problem') for @nodes;
ok(Dnsrepl::same(@nodes), 'both serve the same');
done_testing();
