# A node is away while the others change 2,000 units 50,000 times. What they keep for it does not grow with that. When it
# is back it catches up by itself, in chunks, and its clients see all of it or nothing.
use strict;
use warnings;
use Dnsrepl;
use Test::More;

my ($units, $rounds) = (2000, 25);
my $conf = "dnsrepl.chunk_size = '4kB'\ndnsrepl.keepalive = '500ms'";
my ($seattle, $tacoma, $away) = my @node = map { Dnsrepl->new($_, conf => $conf) } qw(seattle tacoma spokane);
$seattle->peer($tacoma);
$tacoma->peer($away);
$away->peer($seattle);
$seattle->sql(<<"END");
INSERT INTO domains (name, type) SELECT 'z' || i || '.example', 'NATIVE' FROM generate_series(0, 7) i;
INSERT INTO records (domain_id, name, type, content, ttl, prio)
  SELECT d.id, 'h' || i || '.' || d.name, 'A', '192.0.2.1', 1, 0 FROM domains d, generate_series(1, $units / 8) i;
END
ok(Dnsrepl::same(@node), 'three nodes are the same');

# ---------------------------------------------------------------- away: first behind a broken line, then down
$away->cut($seattle, $tacoma);
my $store = 'SELECT count(*) FROM dnsrepl.stored_version';
my $kept = $seattle->sql($store);
for my $round (1 .. $rounds - 1)
{
    my $node = $round % 3 ? $seattle : $tacoma;
    $node->sql("UPDATE records SET content = '192.0.2.' || $round");
    ok(Dnsrepl::wait_until(sub { ($node == $seattle ? $tacoma : $seattle)->sql("SELECT count(*) FROM records WHERE content = '192.0.2.$round'") == $units }),
        "round $round is at the other node") if $round % 3 != 1;
    $away->cluster->stop if $round == 5;
}
$seattle->sql("BEGIN; UPDATE records SET content = '192.0.2.200', ttl = 2; DELETE FROM records WHERE name <<= 'h1.z0.example'; COMMIT");
ok(Dnsrepl::wait_until(sub { $tacoma->sql("SELECT count(*) FROM records WHERE content = '192.0.2.200'") == $units - 1 }), 'the last round, too');
is($_->sql($store), $kept, $_->name . ' keeps one version a unit, whatever happened') for $seattle, $tacoma;
ok($seattle->poll("SELECT n_tup_ins + n_tup_upd + n_tup_del >= $units * $rounds / 50 FROM pg_stat_user_tables WHERE relname = 'version_store'"), 'though many came and went');
is($seattle->sql("SELECT behind_units FROM dnsrepl.status WHERE name = 'spokane'"), $units, 'status counts units');
is($seattle->sql("SELECT count(*) FROM pg_replication_slots"), 0, 'and no slot holds WAL');

# ---------------------------------------------------------------- back: a client that looks all the time
$away->cluster->start;
is($away->sql('SELECT min(ttl), max(ttl), count(*) FROM records'), "1|1|$units", 'back, it serves what it had');
$away->sql("INSERT INTO records (domain_id, name, type, content, ttl, prio) SELECT id, 'back.z0.example', 'TXT', '\"here\"', 3, 0 FROM domains WHERE name = 'z0.example'");
PostgreSQL::Test::Utils::append_to_file("$ENV{DNSREPL_WORK}/look.sql", <<'END');
CREATE TEMP TABLE seen (what text PRIMARY KEY);
SET client_min_messages = error;
DO $$
DECLARE look text; chunks int := 0; most int := 0; until timestamptz := clock_timestamp() + interval '50 s';
BEGIN
  LOOP
    SELECT format('%s %s %s', min(ttl), max(ttl), count(*)) INTO look FROM records WHERE type = 'A';
    INSERT INTO seen VALUES (look) ON CONFLICT DO NOTHING;
    SELECT count(*) INTO chunks FROM dnsrepl.staging;
    most := greatest(most, chunks);
    PERFORM pg_sleep(0.001);
    EXIT WHEN look LIKE '2 %' OR clock_timestamp() > until;
  END LOOP;
  INSERT INTO seen VALUES (CASE WHEN most > 10 THEN 'many chunks' ELSE 'chunks: ' || most END);
END $$;
SELECT string_agg(what, ', ' ORDER BY what) FROM seen;
END
my $log = "$ENV{DNSREPL_WORK}/look.out";
my $looker = Dnsrepl::spawn('psql', $log, 'psql', '-XAtq', '-h', $away->cluster->host, '-p', $away->port, '-f', "$ENV{DNSREPL_WORK}/look.sql", $away->db);
ok($away->poll("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%seen%' AND state = 'active' AND pid <> pg_backend_pid()", 1), 'a client looks');
$away->heal($seattle, $tacoma);
ok(Dnsrepl::wait_until(sub { waitpid($looker, POSIX::WNOHANG()) == $looker }), 'until the change is there');
is(PostgreSQL::Test::Utils::slurp_file($log), '1 1 ' . $units . ', 2 2 ' . ($units - 1) . ", many chunks\n", 'it came in many chunks, and all at once');
ok(Dnsrepl::same(@node), 'all three are the same');
is($_->sql("SELECT count(*) FROM records WHERE type = 'TXT'"), 1, $_->name . ' has what it wrote before it had caught up') for @node;
is($_->sql($store), $kept + 1, $_->name . ' keeps one version a unit') for @node;
is($_->sql('SELECT count(*) FROM dnsrepl.staging'), 0, $_->name . ' keeps no chunk') for @node;
ok($seattle->poll("SELECT behind_units FROM dnsrepl.status WHERE name = 'spokane'", 0), 'and status says so');
done_testing();
