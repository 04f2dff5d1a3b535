# What one transaction waits for does not keep others: a synchronous standby that is away, the first write of a server's life;
# and work in proportion to what was changed: the history of conflicts, a table without zones.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Dnsrepl;
use Test::More;

my $seattle = Dnsrepl->new('seattle');
$seattle->sql("INSERT INTO domains (name, type) VALUES ('one.example', 'NATIVE'), ('two.example', 'NATIVE')");

# ---------------------------------------------------------------- a synchronous standby that is away
my $server = $seattle->cluster;
$server->append_conf('postgresql.conf', "wal_level = replica\nmax_wal_senders = 2\nsynchronous_standby_names = 'away'");
$server->restart;

my $hung = $server->background_psql('pdns', on_error_stop => 0);
$hung->query_until(qr/go/, "SET application_name = 'hung';\n\\echo go\nUPDATE domains SET account = 'a' WHERE name = 'one.example';\n");
ok($seattle->poll("SELECT wait_event FROM pg_stat_activity WHERE application_name = 'hung'", 'SyncRep'), 'the first write of this life waits for the standby');
my ($status, undef, $error) = $seattle->try("SET synchronous_commit = local; SET lock_timeout = '20s'; UPDATE domains SET account = 'b' WHERE name = 'two.example'");
is($status, 0, 'a write in another zone that does not have to wait does not') or diag($error);
is($seattle->sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'dnsrepl%' AND wait_event = 'SyncRep'"), 0, 'nor do background processes');
is($seattle->sql("SELECT count(*) FROM dnsrepl.origin WHERE own AND NOT closed"), 1, 'this life is the one that is not closed');
$server->append_conf('postgresql.conf', "synchronous_standby_names = ''");
$server->reload;
ok($seattle->poll("SELECT account FROM domains WHERE name = 'one.example'", 'a'), 'the other ends when no standby is waited for');
$hung->quit;

# ---------------------------------------------------------------- a prepared transaction that has written nothing
my $id = $seattle->sql("SELECT id FROM domains WHERE name = 'one.example'");
$seattle->sql("BEGIN; DELETE FROM records WHERE domain_id = $id AND name = 'nothing.one.example'; PREPARE TRANSACTION 'turn'");
$seattle->sql("BEGIN; UPDATE dnsrepl.policy SET resolver = 'latest' WHERE zone = 'nothing.example'; PREPARE TRANSACTION 'policy'");
is($seattle->sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND virtualtransaction LIKE '-1/%'"), 0, 'a prepared transaction keeps none of our locks');
$seattle->sql("SET lock_timeout = '10s'; BEGIN; DELETE FROM records WHERE domain_id = $id; INSERT INTO domains (name, type) VALUES ('three.example', 'NATIVE'); COMMIT");
$seattle->sql("ROLLBACK PREPARED '$_'") for qw(turn policy);

# ---------------------------------------------------------------- a rewrite behind the back of triggers
$seattle->sql("INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'www.one.example', 'A', '192.0.2.1', 300 FROM domains WHERE name = 'one.example'");
$seattle->sql("SET session_replication_role = replica; ALTER TABLE records ALTER ttl TYPE int USING ttl + 1000");
is($seattle->sql("SELECT rows->0->>'ttl' FROM dnsrepl.version WHERE key->>'name' = 'www.one.example'"), 1300, 'a rewritten table is captured, with session_replication_role = replica too');

# ---------------------------------------------------------------- a zone that came and went while a node was away
$seattle->sql(<<'END');
INSERT INTO domains (name, type) VALUES ('gone.example', 'NATIVE');
INSERT INTO records (domain_id, name, type, content, ttl)
    SELECT id, 'h' || i || '.gone.example', 'A', '192.0.2.1', 300 FROM domains, generate_series(1, 3000) i WHERE name = 'gone.example';
DELETE FROM domains WHERE name = 'gone.example';
END
my $tacoma = Dnsrepl->new('tacoma');
$seattle->peer($tacoma);
ok(Dnsrepl::same($seattle, $tacoma), 'a new node takes it all');
is($tacoma->sql('SELECT count(*) FROM dnsrepl.conflict_history'), 0, 'and has no history of conflicts');

# ---------------------------------------------------------------- many links, few worker slots
my $narrow = Dnsrepl->new('narrow', conf => "max_worker_processes = 3\ndnsrepl.keepalive = '1s'");
my $unchecked = "SELECT count(*) FROM dnsrepl.problem WHERE error ~ 'nothing checks this node'";
ok($narrow->poll($unchecked, 1), 'a node that has no worker slot for its checker says so');
$narrow->cluster->append_conf('postgresql.conf', 'max_worker_processes = 4');
$narrow->cluster->restart;
ok($narrow->poll("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'dnsrepl checker'", 1), 'with one more slot there is one');
is($narrow->sql($unchecked), 0, 'and nothing to say');
$narrow->sql("SELECT dnsrepl.add_peer('nowhere', 'host=127.0.0.1 port=1 dbname=x user=x')");
ok($narrow->poll("SELECT last_error ~ 'no free worker slot' FROM dnsrepl.status"), 'nor has a link a slot, which it says');
$narrow->cluster->append_conf('postgresql.conf', "max_worker_processes = 120\nmax_connections = 20");
$narrow->cluster->restart;
$narrow->sql("SELECT dnsrepl.add_peer('nowhere' || i, 'host=127.0.0.1 port=1 dbname=x user=x') FROM generate_series(1, 80) i");
ok($narrow->poll("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'dnsrepl link'", 81), 'eighty links of one node');
unlike($narrow->log, qr/can have at most/, 'none is refused');
done_testing();
