# pg_dump by the owner of the database, who is no superuser: it works, and has no connection string and no key. By a superuser it
# has the links, which come back paused. Both are restored by a superuser.
use strict;
use warnings;
use Dnsrepl;
use PostgreSQL::Test::Utils ();
use Test::More;

my $seattle = Dnsrepl->new('seattle', setup => 0);
$seattle->sql("DO \$\$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'pdns') THEN CREATE ROLE pdns LOGIN; END IF; END \$\$; ALTER DATABASE pdns OWNER TO pdns;");
$seattle->sql("SET client_min_messages = warning; SELECT dnsrepl.setup('seattle')");
$seattle->sql("SELECT format('ALTER TABLE %s OWNER TO pdns', rel::regclass) FROM dnsrepl.tab WHERE no < 8 \\gexec");
$seattle->sql(<<'END', extra_params => [ '-U', 'pdns' ]);
INSERT INTO domains (name, type) VALUES ('example.org', 'NATIVE');
INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'www.example.org', 'A', '192.0.2.1', 60 FROM domains;
END
$seattle->sql(<<'END');
SELECT dnsrepl.add_peer('tacoma', 'host=192.0.2.1 user=dnsrepl_link password=hunter2 connect_timeout=1');
SELECT dnsrepl.add_server('ns1', '192.0.2.53', '{example.org}', 'hmac-sha256:key:c3dvcmRmaXNo');
SELECT dnsrepl.unmanaged('ns1', '*.dyn.example.org', '{A}');
INSERT INTO dnsrepl.policy (zone, resolver) VALUES ('example.org', 'merge');
END
my $secret = qr/hunter2|192\.0\.2\.1 user|192\.0\.2\.53|c3dvcmRmaXNo/;
my $dir = PostgreSQL::Test::Utils::tempdir('dump');
my @at = ('-h', $seattle->cluster->host, '-p', $seattle->port);

sub dump_as
{
    my ($user, $what, @option) = @_;
    my $err;
    my $done = IPC::Run::run([ 'pg_dump', @at, '-U', $user, '-d', 'pdns', '-f', "$dir/$user.$what", @option ], '2>', \$err);
    ok($done, "$user dumps the database: $what") or diag($err);
    return "$dir/$user.$what";
}

sub text_of
{
    my ($file) = @_;
    my $out;
    if ($file =~ /sql$/) { $out = PostgreSQL::Test::Utils::slurp_file($file) }
    else { IPC::Run::run([ 'pg_restore', '-f', '-', $file ], '>', \$out) }
    return $out;
}

my $boss = $ENV{USER};
for my $way ([ 'plain.sql' ], [ 'custom', '-Fc' ], [ 'inserts.sql', '--inserts' ], [ 'directory', '-Fd', '-j2' ])
{
    my $text = text_of(dump_as('pdns', @$way));
    unlike($text, $secret, 'without connection strings and keys');
    like($text, qr/www\.example\.org/, 'with the tables');
    like($text, qr/merge/, 'and the policies');
    $text = text_of(dump_as($boss, @$way));
    like($text, $_, "with $_") for qr/hunter2/, qr/c3dvcmRmaXNo/, qr/dyn\.example\.org/, qr/www\.example\.org/;
}
my ($status, undef, $error) = $seattle->try('SELECT conninfo FROM dnsrepl.peer', extra_params => [ '-U', 'pdns' ]);
like($error, qr/permission denied for table peer/, 'nor can the owner of the database read them');
is($seattle->sql('TABLE dnsrepl.dumped_link; SELECT * FROM dnsrepl.links_to_dump()', extra_params => [ '-U', 'pdns' ]), '', 'in whatever way');
is($seattle->sql("SELECT string_agg(p.oid::regprocedure::text, ' ') FROM pg_proc p WHERE pronamespace = 'dnsrepl'::regnamespace AND has_function_privilege('pdns', p.oid, 'EXECUTE')"),
    'dnsrepl.links_to_dump()', 'he may call nothing else');
like(($seattle->try('SELECT * FROM dnsrepl.links_to_dump()', extra_params => [ '-U', 'dnsrepl_link' ]))[2], qr/permission denied/, 'and others may not even that');

sub restored
{
    my ($file, $how) = @_;
    my $db = "restored_$how";
    $seattle->cluster->safe_psql('postgres', "CREATE DATABASE $db");
    my @command = $file =~ /sql$/ ? ('psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', @at, '-d', $db, '-f', $file) : ('pg_restore', '-e', @at, '-d', $db, $file);
    my $err;
    ok(IPC::Run::run(\@command, '>', '/dev/null', '2>', \$err), "a superuser restores it: $how") or diag($err);
    return bless { %$seattle, name => $db, db => $db, link => {} }, ref $seattle;
}
my $links = "SELECT string_agg(concat_ws(' ', name, paused, what), ',' ORDER BY name) FROM (SELECT name, paused, conninfo FROM dnsrepl.peer UNION ALL SELECT name, paused, concat(address, zones, tsig_key, serial) FROM dnsrepl.server) l (name, paused, what)";
for my $way ('plain.sql', 'custom')
{
    (my $name = $way) =~ s/\W.*//;
    my $copy = restored("$dir/$boss.$way", "all_$name");
    is($copy->sql($links), '', 'no link until setup()');
    like(($copy->try("SELECT dnsrepl.setup('copy')"))[2], qr/the links that came with the dump are paused/, 'which says so');
    is($copy->sql($links), 'ns1 t 192.0.2.53{example.org}hmac-sha256:key:c3dvcmRmaXNoserver,tacoma t host=192.0.2.1 user=dnsrepl_link password=hunter2 connect_timeout=1', 'they are there, and paused');
    is($copy->sql('SELECT server, pattern, types FROM dnsrepl.server_unmanaged; SELECT count(*) FROM dnsrepl.dumped_link; SELECT resolver FROM dnsrepl.policy'), "ns1|*.dyn.example.org|{A}\n0\nmerge", 'with what belongs to them');
    $copy = restored("$dir/pdns.$way", "owners_$name");
    unlike(($copy->try("SELECT dnsrepl.setup('copy')"))[2], qr/paused/, 'the owner\'s dump has none');
    is($copy->sql("SELECT count(*) FROM dnsrepl.peer; SELECT resolver FROM dnsrepl.policy; SELECT tableowner FROM pg_tables WHERE tablename = 'records'; SELECT content FROM records"), "0\nmerge\npdns\n192.0.2.1", 'and all the rest');
}
done_testing();
