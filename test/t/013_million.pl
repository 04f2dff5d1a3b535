# One large transaction: the backend's memory and its locks do not grow with the number of records.
# 300,000 records; DNSREPL_ROWS=1000000 for the number that is promised.
use strict;
use warnings;

use Test::More;
use Dnsrepl;
use Time::HiRes qw(sleep);

my $rows = $ENV{DNSREPL_ROWS} // 300_000;
my $few = 20_000;
my $chunk = 10_000;
my $allowed = 8 * 1024;    # kB above what the same statements take without dnsrepl
my $node = Dnsrepl->new('spokane', conf => "shared_buffers = 64MB\nmax_wal_size = 4GB\nautovacuum = off");

# The same tables without dnsrepl; foreign keys are there in both.
$node->sql(<<'END');
CREATE TABLE plain_domains (LIKE domains INCLUDING ALL);
CREATE TABLE plain (LIKE records INCLUDING ALL);
ALTER TABLE plain ADD FOREIGN KEY (domain_id) REFERENCES plain_domains(id) ON DELETE CASCADE;
INSERT INTO plain_domains (id, name, type) VALUES (1, 'big.example', 'NATIVE');
INSERT INTO domains (id, name, type) VALUES (1, 'big.example', 'NATIVE');
END

# Statements of some size in one transaction: PostgreSQL's own queue of trigger events lives as long as a statement.
sub load_sql
{
    my ($table, $n) = @_;
    return <<"END";
DO \$\$ BEGIN FOR k IN 0 .. @{[ $n / $chunk - 1 ]} LOOP
  INSERT INTO $table (domain_id, name, type, content, ttl, prio)
  SELECT 1, 'h' || i || '.big.example', 'A', format('10.%s.%s.%s', i / 65536, i / 256 % 256, i % 256), 300, 0
    FROM generate_series(k * $chunk + 1, (k + 1) * $chunk) i;
END LOOP; END \$\$
END
}

# Runs it in a session of its own, which tells its pid first and its memory last: the most private memory (kB) and the
# most locks that it was seen with.
sub watch
{
    my ($sql) = @_;
    my $log = PostgreSQL::Test::Utils::tempdir('watch') . '/psql.log';
    my $psql = Dnsrepl::spawn('psql', $log, 'psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-d',
        $node->cluster->connstr($node->db), '-c', "SET work_mem = '1MB'", '-c', 'SELECT pg_backend_pid()',
        '-c', $sql, '-c', "SELECT pg_read_file('/proc/self/status')");
    my $pid = 0;
    Dnsrepl::wait_until(sub { -s $log && (($pid) = PostgreSQL::Test::Utils::slurp_file($log) =~ /^(\d+)\n/) }, 20);
    my ($memory, $peak, $locks, $round) = (0, 0, 0, 0);
    my $look = sub {
        my ($text) = @_;
        $memory = $1 if $text =~ /^RssAnon:\s+(\d+)/m && $1 > $memory;
        $peak = $1 if $text =~ /^VmHWM:\s+(\d+)/m;
    };
    my $done = Dnsrepl::wait_until(sub {
        return 1 if waitpid($psql, POSIX::WNOHANG());
        if (open my $status, '<', "/proc/$pid/status")
        {
            $look->(do { local $/; <$status> } // '');
        }
        if ($round++ % 25 == 0)
        {
            my $n = $node->sql("SELECT count(*) FROM pg_locks WHERE pid = $pid");
            $locks = $n if $n > $locks;
        }
        return 0;
    }, 300);
    my $status = $?;
    my $said = PostgreSQL::Test::Utils::slurp_file($log);
    ok($done && $status == 0, 'the statements run to their end') or diag($said);
    $look->($said);
    return ($memory, $locks, $peak);
}

SKIP: {
    skip 'needs /proc', 8 if !-r '/proc/self/status';
    my ($base) = watch(load_sql('plain', $few));
    my ($memory, $locks, $peak) = watch(load_sql('records', $rows));
    note("private memory: $base kB without dnsrepl, $memory kB with $rows records (VmHWM, with shared memory: $peak kB); $locks locks");
    cmp_ok($base, '>', 1000, 'memory can be measured');
    cmp_ok($memory - $base, '<', $allowed, "memory does not grow with $rows records");
    cmp_ok($locks, '<', 60, 'nor do locks');
    my ($cascade, $cascade_locks) = watch("UPDATE domains SET account = 'all'; UPDATE records SET ttl = 600 WHERE name < 'h2.big.example'; UPDATE records SET ttl = 60 WHERE name >= 'h2.big.example'");
    note("updated in few statements: $cascade kB, $cascade_locks locks");
    # (an event of an update takes some 20 octets in PostgreSQL's own queue, and all of a statement are there at once)
    cmp_ok($cascade - $base, '<', $allowed + 24 * $rows / 1024, 'nor with updates');
}
is($node->sql("SELECT count(*), count(DISTINCT stamp), min(rows->0->>'ttl'), max(rows->0->>'ttl') FROM dnsrepl.version WHERE tab = 'records' AND live"),
    "$rows|1|60|600", 'every record is in the store, by one stamp');
is($node->sql('SELECT count(*) FROM dnsrepl.stored_version'), $rows + 2, 'once, beside the zone and this node');
done_testing();
