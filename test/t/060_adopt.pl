# Databases that were there before: PowerDNS's own tables under a running PowerDNS, and a node's dump.
use strict;
use warnings;
use Dnsrepl;
use Test::More;

my $schema = '/usr/share/pdns-backend-pgsql/schema/schema.pgsql.sql';
my $stock = PostgreSQL::Test::Utils::slurp_file($schema);

# A database beside that of a node, with nothing in it.
sub database
{
    my ($node, $name, $db) = @_;
    $node->cluster->safe_psql('postgres', "CREATE DATABASE $db");
    return bless { name => $name, db => $db, server => $node->cluster, link => {} }, 'Dnsrepl';
}

# ---------------------------------------------------------------- under a running PowerDNS

my $seattle = Dnsrepl->new('seattle', databases => 'pdns, copied, restored', setup => 0, before => $stock);
$seattle->dns_start;
my $zone = PostgreSQL::Test::Utils::tempdir('zone') . '/example.org';
PostgreSQL::Test::Utils::append_to_file($zone, <<'END');
$ORIGIN example.org.
$TTL 3600
@           IN SOA   ns1 hostmaster 1 7200 900 1209600 300
            IN NS    ns1
            IN MX    10 mail
            IN TXT   "v=spf1 mx -all"
            IN CAA   0 issue "ca.example.net"
ns1         IN A     192.0.2.1
            IN AAAA  2001:db8::1
mail        IN A     192.0.2.2
*.dyn       IN CNAME mail
_sip._tcp   IN SRV   10 20 5060 mail
a.b.c       IN A     192.0.2.3
END
my ($status, $out) = $seattle->pdnsutil('load-zone', 'example.org', $zone);
is($status, 0, 'PowerDNS loads a zone into its own tables') or diag $out;
$seattle->pdnsutil('secure-zone', 'example.org');
$seattle->pdnsutil('rectify-zone', 'example.org');
$seattle->pdnsutil('import-tsig-key', 'transfer', 'hmac-sha256', 'c2VjcmV0');

my @question = map { [ split ' ' ] } 'example.org SOA', 'example.org MX', 'example.org TXT', 'example.org CAA', 'ns1.example.org AAAA',
    'x.dyn.example.org CNAME', '_sip._tcp.example.org SRV', 'a.b.c.example.org A', 'b.c.example.org A';
my $answers = sub { join "\n", map { "@$_: " . $seattle->dig(@$_) } @question };
my $before = $answers->();
like($before, qr/a\.b\.c\.example\.org A: 192\.0\.2\.3/, 'and answers from them');

# One mistake: nothing is changed, PowerDNS goes on.
$seattle->sql("INSERT INTO records (domain_id, name, type, content) VALUES (1, 'bad.example.org', 'A', 'here')");
($status, undef, my $error) = $seattle->try(q(SELECT dnsrepl.setup('seattle')));
isnt($status, 0, 'a row that is no record is refused');
like($error, qr/DETAIL: +records id=\d+: content "here": It is not an IPv4 address/, 'it is named');
is($answers->(), $before, 'PowerDNS answers as before');
$seattle->sql("DELETE FROM records WHERE name = 'bad.example.org'");

$seattle->sql("SELECT dnsrepl.setup('seattle')");
# Its prepared statements are of the old types: what it asks first fails, and it connects again.
ok(Dnsrepl::wait_until(sub { $answers->() eq $before }), 'PowerDNS, not restarted, answers the same from the adopted tables')
    or diag $answers->();
is($seattle->sql('SELECT count(*) FROM dnsrepl.version'), $seattle->sql(<<'END'), 'each unit has its version');
SELECT (SELECT count(*) FROM domains) + (SELECT count(*) FROM (SELECT DISTINCT domain_id, name, type FROM records WHERE type IS NOT NULL) r)
    + (SELECT count(*) FROM (SELECT DISTINCT domain_id, kind FROM domainmetadata) m) + (SELECT count(*) FROM cryptokeys) + (SELECT count(*) FROM tsigkeys)
END
($status, $out) = $seattle->pdnsutil('check-zone', 'example.org');
is($status, 0, 'PowerDNS finds the zone correct') or diag $out;
(undef, $error) = $seattle->api(PATCH => '/zones/example.org.', { rrsets => [ { name => 'www.example.org.', type => 'A', ttl => 60,
    changetype => 'REPLACE', records => [ { content => '192.0.2.80' } ] } ] });
ok(Dnsrepl::wait_until(sub { $seattle->dig('www.example.org', 'A') eq '192.0.2.80' }), 'and writes to them') or diag explain $error;
is($seattle->sql(q(SELECT count(*) FROM dnsrepl.version WHERE key->>'name' = 'www.example.org')), 1, 'which is captured');

# ---------------------------------------------------------------- a dump

# A node's dump has its tables and peers, and nothing of what the node was.
$seattle->sql(q(SELECT dnsrepl.add_peer('nobody', 'host=127.0.0.1 port=1')));
my $copied = database($seattle, 'copied', 'copied');
my $restored = database($seattle, 'restored', 'restored');
my $file = PostgreSQL::Test::Utils::tempdir('dump') . '/dump';
my @at = ('-h', $seattle->cluster->host, '-p', $seattle->port);
PostgreSQL::Test::Utils::command_ok([ 'pg_dump', @at, '-f', "$file.sql", 'pdns' ], 'pg_dump');
PostgreSQL::Test::Utils::command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', @at, '-f', "$file.sql", 'copied' ], 'restored by psql');
PostgreSQL::Test::Utils::command_ok([ 'pg_dump', @at, '-Fc', '-f', "$file.custom", 'pdns' ], 'pg_dump in its own format');
PostgreSQL::Test::Utils::command_ok([ 'pg_restore', @at, '-e', '-j', '2', '-d', 'restored', "$file.custom" ], 'restored by pg_restore');

for my $node ($copied, $restored)
{
    is($node->serving, $seattle->serving, "$node->{name}: the same rows");
    is($node->sql('SELECT count(*) FROM dnsrepl.node') . $node->sql('SELECT count(*) FROM dnsrepl.version'), '00', 'no node yet');
    ($status, undef, $error) = $node->try(q(UPDATE domains SET account = 'x'));
    like($error, qr/HINT: +Run SELECT dnsrepl\.setup/, 'what is written is not lost silently');
    is($node->sql('SELECT count(*) FROM dnsrepl.adoption_report()'), 0, 'nothing is wrong with it');
    my $filenode = $node->sql(q(SELECT pg_relation_filenode('records')));
    $node->sql("SELECT dnsrepl.setup('$node->{name}', on_join => 'cluster')");
    is($node->sql(q(SELECT pg_relation_filenode('records'))), $filenode, 'a table that has the types is not rewritten');
    is($node->sql(q(SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'dnsrepl\_note%' AND tgenabled = 'A')), 18, 'its triggers are there once');
    is($node->sql('SELECT dnsrepl.digest()'), $seattle->sql('SELECT dnsrepl.digest()'), 'it serves the same');
    is($node->sql('SELECT string_agg(name, $$ $$) FROM dnsrepl.status'), 'nobody', 'it has the peers');
    $node->sql(q(SELECT dnsrepl.drop_peer('nobody')));
}
$seattle->sql(q(SELECT dnsrepl.drop_peer('nobody')));

# They are nodes like any other, once they have joined.
$seattle->peer($copied);
$copied->peer($restored);
$restored->sql("INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'new.example.org', 'A', '192.0.2.9', 60 FROM domains");
$seattle->sql("DELETE FROM records WHERE name = 'mail.example.org'");
ok($seattle->poll(q(SELECT count(*) FROM records WHERE name = 'new.example.org'), 1), 'a change in a restored node arrives at the first');
ok($restored->poll(q(SELECT count(*) FROM records WHERE name = 'mail.example.org'), 0), 'and the other way');
ok(Dnsrepl::same($seattle, $copied, $restored), 'all serve the same');

# ---------------------------------------------------------------- not preloaded

my $bare = Dnsrepl->new('bare', setup => 0, before => $stock, conf => "shared_preload_libraries = ''");
($status, undef, $error) = $bare->try(q(\set VERBOSITY verbose
SELECT dnsrepl.setup('bare')));
like($error, qr/ERROR: +55000: .*HINT: +Set shared_preload_libraries/s, 'without preloading setup says what to set');
is($bare->sql('SELECT count(*) FROM dnsrepl.adoption_report()'), 0, 'the report works');

done_testing();
