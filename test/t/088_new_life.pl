# A new life of a node begins while a commit is under way: what that writes is of the old one, and replicates all the same.
use strict;
use warnings;
use Dnsrepl;
use IPC::Run;
use Test::More;

my ($seattle, $tacoma) = map { Dnsrepl->new($_, conf => "dnsrepl.keepalive = '200ms'\nwal_level = replica\nmax_wal_senders = 4") } qw(seattle tacoma);
$seattle->peer($tacoma);
$seattle->sql(<<'END');
INSERT INTO domains (name, type) VALUES ('example.org', 'NATIVE'), ('other.example', 'NATIVE');
INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, name, 'SOA', 'ns1.example.org h.example.org 1 1 1 1 1', 60 FROM domains;
END
ok(Dnsrepl::same($seattle, $tacoma), 'two nodes');

my $out = '';
sub behind
{
    return IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $seattle->cluster->connstr('pdns'), map { ('-c', $_) } @_ ], '<', \undef, '>&', \$out);
}
sub standby { $seattle->sql($_) for "ALTER SYSTEM SET synchronous_standby_names = '$_[0]'", 'SELECT pg_reload_conf()'; return }
my $put = "INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, '%s', 'A', '192.0.2.1', 60 FROM domains WHERE name = '%s'";

# A commit that waits for a standby has drawn its stamp, and is not visible.
standby('nobody');
my $commit = behind(sprintf $put, 'x.example.org', 'example.org');
ok($seattle->poll("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%x.example.org%' AND wait_event = 'SyncRep'", 1), 'a commit is under way');
my $rename = behind('SET synchronous_commit = local', "SELECT dnsrepl.rename_node('portland')", sprintf $put, 'y.other.example', 'other.example');
ok($seattle->poll("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%rename_node%' AND wait_event_type = 'Lock'", 1, 10), 'a new life waits for it');
standby('');
IPC::Run::finish($_) for $commit, $rename;
is($out, "\n", 'both are done');
ok(Dnsrepl::same($seattle, $tacoma), 'both nodes have what was written in either life');
is($tacoma->sql("SELECT string_agg(name, ' ' ORDER BY name) FROM records WHERE type = 'A'"), 'x.example.org y.other.example', 'all of it');
done_testing();
