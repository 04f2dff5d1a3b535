# Private keys go to a peer that is verified, or does not leave this machine: judged by the connection that is there, never by
# what its string says. Whoever merely answers gets everything else, and the status says what is missing.
use strict;
use warnings;
use Dnsrepl;
use Test::More;

my $address = Dnsrepl::address_elsewhere() or plan skip_all => 'this machine has no address but loopback';
my $dir = PostgreSQL::Test::Utils::tempdir('keys');
system("openssl req -new -x509 -days 10 -nodes -subj /CN=tacoma -addext subjectAltName=IP:$address -out $dir/server.crt -keyout $dir/server.key >/dev/null 2>&1") == 0
    or plan skip_all => 'no openssl';
chmod 0600, "$dir/server.key";
$ENV{PGSERVICEFILE} = "$dir/services";    # read by the servers' processes

my $conf = "dnsrepl.keepalive = '200ms'";
my $seattle = Dnsrepl->new('seattle', conf => $conf);
my $tacoma = Dnsrepl->new('tacoma', conf => "$conf\nlisten_addresses = '*'\nssl = on\nssl_cert_file = '$dir/server.crt'\nssl_key_file = '$dir/server.key'");
my $port = $tacoma->port;
$tacoma->sql("ALTER ROLE dnsrepl_link PASSWORD 'a-long-secret'");
PostgreSQL::Test::Utils::append_to_file("$dir/services", "[strict]\nsslmode=verify-ca\nsslrootcert=$dir/server.crt\n[lax]\nsslmode=require\n");

# Who is let in, from this machine's address.
sub hba
{
    my ($method) = @_;
    open my $hba, '>', $tacoma->cluster->data_dir . '/pg_hba.conf' or die $!;
    print $hba "local all all trust\nhost all all 127.0.0.0/8 trust\nhost all all ::1/128 trust\nhost all all samehost $method\n";
    close $hba;
    $tacoma->cluster->reload;
    return;
}
hba('trust');
$seattle->sql("INSERT INTO domains (name, type) VALUES ('example.org', 'NATIVE')");

# A key is written for each way to connect: does it arrive?
my $n = 0;
sub over
{
    my ($conninfo, $reason, $what) = @_;
    $n++;
    $seattle->sql("SELECT dnsrepl.add_peer('tacoma', '$conninfo port=$port dbname=pdns user=dnsrepl_link')");
    $seattle->sql("DELETE FROM tsigkeys; INSERT INTO tsigkeys (name, algorithm, secret) VALUES ('transfer$n', 'hmac-sha256', 'c2VjcmV0')");
    if ($reason)
    {
        ok($seattle->poll("SELECT state = 'down' AND last_error ~ '$reason.*sslmode=verify-full and sslrootcert.* 1 keys wait.*: a TSIG key' FROM dnsrepl.status"), "$what: not sent, and said why");
        is($tacoma->sql("SELECT count(*) FROM tsigkeys WHERE name = 'transfer$n'"), 0, "$what: it has not arrived");
    }
    else { ok($tacoma->poll("SELECT count(*) FROM tsigkeys WHERE name = 'transfer$n'", 1), "$what: sent") }
    return;
}
my ($readable, $unverified) = ('private keys are not sent over a link without encryption', 'private keys are not sent to a peer that is not verified');

over("host=$address", $unverified, 'no sslmode, somebody answers with a certificate of his own');
over("host=$address sslmode=require", $unverified, 'sslmode=require');
over("host=$address sslmode=disable", $readable, 'no TLS');
over("host=/nowhere hostaddr=$address sslmode=disable", $readable, 'a name that looks like a Unix socket');
over("host=\@nowhere hostaddr=$address sslmode=disable", $readable, 'or like an abstract one');
over("host=127.0.0.1 hostaddr=$address sslmode=disable", $readable, 'or like loopback');
over("host=localhost hostaddr=$address", $unverified, 'or its name');
over("service=lax host=$address", $unverified, 'sslmode=require in a service file');
over("host=$address channel_binding=prefer sslmode=require password=a-long-secret", $unverified, 'channel binding that is not required');
$seattle->sql("SELECT dnsrepl.add_peer('tacoma', 'host=$address port=$port dbname=pdns user=dnsrepl_link sslmode=verify-ca')");
ok($seattle->poll("SELECT state = 'down' AND last_error ~ 'root certificate file' FROM dnsrepl.status"), 'sslmode=verify-ca without a certificate to check by is no connection');

over("host=$address sslmode=verify-ca sslrootcert=$dir/server.crt", undef, 'sslmode=verify-ca');
over("host=$address sslmode=verify-full sslrootcert=$dir/server.crt", undef, 'sslmode=verify-full');
over("service=strict host=$address", undef, 'sslmode=verify-ca in a service file');
hba('scram-sha-256');
over("host=$address password=a-long-secret sslmode=require", $unverified, 'a password that is not bound to the channel');
over("host=$address password=a-long-secret sslmode=require channel_binding=require", undef, 'one that is');
over('host=127.0.0.1 sslmode=disable', undef, 'loopback');
over('host=127.0.0.2 sslmode=disable', undef, 'all of loopback');
over('host=' . $tacoma->cluster->host, undef, 'a Unix socket');
$seattle->sql("ALTER SYSTEM SET dnsrepl.allow_plaintext_secrets = on");
$seattle->sql('SELECT pg_reload_conf()');
hba('trust');
over("host=$address sslmode=disable", undef, 'anything, where that is allowed');
ok(Dnsrepl::same($seattle, $tacoma), 'both serve the same');
done_testing();
