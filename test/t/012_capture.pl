# Capture where pg_regress cannot see: which SQLSTATE and constraint name a client gets at COMMIT, a server without the
# library preloaded, a database that was not set up, and what COMMIT costs when there is nothing to capture.
use strict;
use warnings;

use Test::More;
use Dnsrepl;

my $node = Dnsrepl->new('olympia');

sub fails_with
{
    my ($sql, $like, $what) = @_;
    my ($status, undef, $error) = $node->try("\\set VERBOSITY verbose\n$sql");
    ok($status != 0, "$what is refused");
    like($error, $like, "$what: the reason");
    return;
}

$node->sql("INSERT INTO domains (id, name, type) VALUES (1001, 'example.org', 'NATIVE')");

# ---------------------------------------------------------------- what a client is told
fails_with(<<'END', qr/ERROR:  23514: .*outside its zone.*CONSTRAINT NAME:  out-of-zone/s, 'a name outside its zone, at COMMIT');
BEGIN;
INSERT INTO records (domain_id, name, type, content, ttl) VALUES (1001, 'www.example.com', 'A', '192.0.2.1', 300);
COMMIT;
END
fails_with("INSERT INTO records (name, type, content, ttl) VALUES ('www.example.org', 'A', '192.0.2.1', 300)",
    qr/ERROR:  23502: /, 'a record of no zone');
fails_with("INSERT INTO records (domain_id, name, type, content, ttl) VALUES (1001, 'www.example.org', 'A', '192.0.2.300', 300)",
    qr/ERROR:  22P02: invalid content of record "www.example.org" A/, 'a bad address');
fails_with("BEGIN; INSERT INTO domains (name, type) VALUES ('two.example', 'NATIVE'); PREPARE TRANSACTION 'two'",
    qr/ERROR:  0A000: .*HINT:  Commit it in one phase/s, 'a transaction in two phases');
fails_with("BEGIN; UPDATE domains SET account = 'x'; SELECT 1/0", qr/division by zero/, 'what fails before');
is($node->sql('SELECT count(*) FROM dnsrepl.version'), 1, 'and leaves nothing behind');
$node->sql("BEGIN; SELECT 1; PREPARE TRANSACTION 'empty'; COMMIT PREPARED 'empty'");
pass('a transaction in two phases without edits goes through');

# ---------------------------------------------------------------- what costs nothing
my $xid = 'SELECT pg_current_xact_id_if_assigned() IS NULL';
is($node->sql("BEGIN; SELECT count(*) FROM records; COMMIT; BEGIN; $xid; COMMIT"), "0\nt", 'a reader gets no transaction id');
my $stamps = $node->sql('SELECT max(stamp) FROM dnsrepl.version');
$node->sql('UPDATE domains SET last_check = 1, notified_serial = 2');
$node->sql('CREATE TABLE other (i int); INSERT INTO other VALUES (1); DROP TABLE other');
is($node->sql('SELECT max(stamp) FROM dnsrepl.version'), $stamps, 'what is local and what is none of ours leaves no version');
is($node->sql("BEGIN; UPDATE domains SET type = type; SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'; COMMIT"),
    0, 'an update that changes nothing takes no lock');

# ---------------------------------------------------------------- temporary tables, partitions of the sort: nothing stays open
my $session = $node->session;
$session->query_safe("SET work_mem = '64kB'; SET log_temp_files = 0");
for my $round (1 .. 3)
{
    $session->query_safe('BEGIN');
    $session->query_safe("INSERT INTO records (domain_id, name, type, content, ttl) SELECT 1001, 'n$round-' || i || '.example.org', 'A', '192.0.2.1', 300 FROM generate_series(1, 5000) i");
    $session->query_safe($round == 2 ? 'ROLLBACK' : 'COMMIT');
}
is($node->sql('SELECT count(*) FROM records'), 10000, 'notes that go to disk');
is($node->sql("SELECT count(*) FROM dnsrepl.version WHERE tab = 'records' AND live"), 10000, 'are all captured');
my $pid = $session->query_safe('SELECT pg_backend_pid()');
my @temporary = grep { defined && /pgsql_tmp/ } map { readlink } glob "/proc/$pid/fd/*";
is(scalar @temporary, 0, 'and their files are gone');
$session->quit;
unlike($node->log, qr/temporary file leak|resource was not closed|snapshot .* still active|leaked|still referenced/, 'nothing leaks');

# ---------------------------------------------------------------- not preloaded
my $cluster = $node->cluster;
my $conf = $cluster->data_dir . '/postgresql.conf';
PostgreSQL::Test::Utils::append_to_file($conf, "shared_preload_libraries = ''\n");
$cluster->restart;
my $hint = qr/ERROR:  55000: dnsrepl is not preloaded.*HINT:  .*shared_preload_libraries = 'dnsrepl'/s;
my @edit = (
    [ 'INSERT' => "INSERT INTO domains (name, type) VALUES ('new.example', 'NATIVE')" ],
    [ 'UPDATE' => "UPDATE records SET ttl = 7 WHERE name = 'n1-1.example.org'" ],
    [ 'DELETE' => "DELETE FROM domains" ],
    [ 'TRUNCATE' => 'TRUNCATE records' ],
    [ 'COPY' => "COPY tsigkeys (name, algorithm, secret) FROM PROGRAM 'echo k,hmac-md5,c2VjcmV0' WITH (FORMAT csv)" ],
    [ 'an edit in a replica session' => "SET session_replication_role = replica; DELETE FROM domains" ],
    [ 'DDL that rewrites' => 'ALTER TABLE records ALTER ttl TYPE int USING ttl + 1' ],
    [ 'setup' => "SELECT dnsrepl.setup('again')" ]);
fails_with($_->[1], $_->[0] eq 'setup' ? qr/ERROR:  55000: / : $hint, "$_->[0] without the library") for @edit;
is($node->sql('SELECT count(*) FROM records'), 10000, 'it can be read all the same');
is($node->sql("SELECT 'WWW.Example.Org.'::dnsname = 'www.example.org'"), 't', 'types work');
is($node->sql("SELECT count(*) FROM dnsrepl.version WHERE tab = 'records' AND live"), 10000, 'the store can be read');
PostgreSQL::Test::Utils::append_to_file($conf, "shared_preload_libraries = 'dnsrepl'\n");
$cluster->restart;
$node->sql("UPDATE records SET ttl = 7 WHERE name = 'n1-1.example.org'");
is($node->sql("SELECT rows->0->>'ttl' FROM dnsrepl.version WHERE key->>'name' = 'n1-1.example.org'"), 7, 'preloaded again, it captures');
is($node->sql('SELECT count(*) FROM dnsrepl.origin WHERE own'), 2, 'in another life');

# ---------------------------------------------------------------- not set up
my $bare = Dnsrepl->new('bare', server => $node, db => 'bare', setup => 0);
$node = $bare;
fails_with("CREATE TABLE domains (id int, name dnsname); SELECT dnsrepl.note_table('domains')", qr/ERROR:  42704: /, 'a table of a database that is no node');
fails_with("CREATE TABLE d (name dnsname); CREATE TRIGGER note AFTER INSERT ON d FOR EACH ROW EXECUTE FUNCTION dnsrepl.note(); INSERT INTO d VALUES ('x')",
    qr/ERROR:  55000: .*HINT:  .*setup/s, 'a table with the trigger, in a database that is no node');
fails_with('SELECT dnsrepl.digest()', qr/ERROR:  55000: .*HINT:  .*setup/s, 'a digest of nothing');

done_testing();
