# Private keys do not cross a link that somebody could read along, unless that is allowed; what is withheld is said.
use strict;
use warnings;
use Dnsrepl;
use Test::More;

my $address = Dnsrepl::address_elsewhere() or plan skip_all => 'this machine has no address but loopback';
my $dir = PostgreSQL::Test::Utils::tempdir('tls');
system("openssl req -new -x509 -days 10 -nodes -text -subj /CN=tacoma -out $dir/server.crt -keyout $dir/server.key >/dev/null 2>&1") == 0
    or plan skip_all => 'no openssl';
chmod 0600, "$dir/server.key";

# For those who may sign and must not encrypt: the client's OpenSSL is told to offer such ciphers too.
PostgreSQL::Test::Utils::append_to_file("$dir/openssl.cnf", <<'END');
openssl_conf = main
[main]
ssl_conf = ssl
[ssl]
system_default = default
[default]
CipherString = ALL:eNULL:@SECLEVEL=0
END
$ENV{OPENSSL_CONF} = "$dir/openssl.cnf";

my $conf = "dnsrepl.keepalive = '200ms'";
my $seattle = Dnsrepl->new('seattle', conf => $conf);
my $tacoma = Dnsrepl->new('tacoma', conf => "$conf\nlisten_addresses = '*'\nssl = on\nssl_cert_file = '$dir/server.crt'\nssl_key_file = '$dir/server.key'\nssl_ciphers = 'ALL:eNULL:\@SECLEVEL=0'");

PostgreSQL::Test::Utils::append_to_file($tacoma->cluster->data_dir . '/pg_hba.conf', "host all all samehost trust\n");
$tacoma->cluster->reload;
my $verified = "sslmode=verify-ca sslrootcert=$dir/server.crt";
sub over { my ($option) = @_; $seattle->sql("SELECT dnsrepl.add_peer('tacoma', 'host=$address port=" . $tacoma->port . " dbname=pdns user=dnsrepl_link $option')"); return }
my $state = "SELECT state || ' ' || coalesce(last_error, '') FROM dnsrepl.status WHERE name = 'tacoma'";
my $key = "SELECT count(*) FROM cryptokeys";

$seattle->sql("INSERT INTO domains (name, type) VALUES ('example.org', 'NATIVE')");
over('sslmode=disable');
ok($tacoma->poll('SELECT count(*) FROM domains', 1), 'what is no secret crosses a link without encryption');
$seattle->sql("INSERT INTO tsigkeys (name, algorithm, secret) VALUES ('transfer', 'hmac-sha256', 'c2VjcmV0')");
$seattle->sql("UPDATE domains SET account = 'later'");
ok($seattle->poll("SELECT state = 'down' AND last_error ~ 'private keys are not sent over a link without encryption: .* 1 keys wait.*: a TSIG key' FROM dnsrepl.status"),
    'a secret does not, and the status says what is withheld');
is($tacoma->sql('SELECT count(*) FROM tsigkeys'), 0, 'it has not arrived');
$seattle->sql('DELETE FROM tsigkeys');
ok($tacoma->poll("SELECT account FROM domains", 'later'), 'without it all goes on');

$seattle->sql("INSERT INTO cryptokeys (domain_id, flags, active, published, content) SELECT id, 257, true, true, 'Private-key-format: v1.2' FROM domains");
ok($seattle->poll("SELECT last_error ~ '1 keys wait.*: a key of zone \"example.org\"' FROM dnsrepl.status"), 'a key of a zone is withheld');
is($tacoma->sql($key), 0, 'it has not arrived either');
over("$verified ssl_max_protocol_version=TLSv1.3");
ok($tacoma->poll($key, 1), 'over an encrypted link to a peer that is verified it is sent');
is($tacoma->sql("SELECT bool_and(s.bits >= 128) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE a.usename = 'dnsrepl_link'"), 't', 'and that one is encrypted');

$seattle->sql("UPDATE cryptokeys SET active = false");
$tacoma->sql("ALTER SYSTEM SET ssl_ciphers = 'eNULL:\@SECLEVEL=0'");
$tacoma->cluster->restart;
over("$verified ssl_max_protocol_version=TLSv1.2");
$seattle->sql("UPDATE cryptokeys SET published = false");
ok($seattle->poll("SELECT last_error ~ 'without encryption.* 1 keys wait' FROM dnsrepl.status"), 'TLS with a NULL cipher hides nothing');
$seattle->sql("ALTER SYSTEM SET dnsrepl.allow_plaintext_secrets = on");
$seattle->sql('SELECT pg_reload_conf()');
ok($tacoma->poll('SELECT count(*) FROM cryptokeys WHERE NOT published', 1), 'but it carries keys where that is allowed');
is($tacoma->sql("SELECT string_agg(s.cipher, ' ') FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE a.usename = 'dnsrepl_link'") =~ /NULL/ ? 'null' : 'other', 'null', 'authenticated, and readable');
over('sslmode=disable');
$seattle->sql("UPDATE cryptokeys SET active = true");
ok($tacoma->poll('SELECT count(*) FROM cryptokeys WHERE active', 1), 'and so does one without TLS');
ok(Dnsrepl::same($seattle, $tacoma), 'both serve the same');
done_testing();
