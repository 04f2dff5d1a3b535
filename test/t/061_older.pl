# A database of PowerDNS 4.3 to 4.6: adopted, it has the tables of 4.7.
use strict;
use warnings;
use Dnsrepl;
use Test::More;

my $dir = '/usr/share/pdns-backend-pgsql/schema';
my $older = PostgreSQL::Test::Utils::slurp_file("$dir/schema.pgsql.sql");
# what 4.3.0_to_4.7.0_schema.pgsql.sql adds, it had not
my $steps = $older =~ s/^  type                  TEXT NOT NULL,$/  type VARCHAR(6) NOT NULL,/m;
$steps += $older =~ s/^  (?:options|catalog) .*\n//gm;
$steps += $older =~ s/^CREATE INDEX catalog_idx .*\n//m;
is($steps, 4, 'the tables of 4.3');

my $seattle = Dnsrepl->new('seattle', setup => 0, before => $older);
my $tacoma = Dnsrepl->new('tacoma', setup => 0, before => $older);
$seattle->sql(<<'END');
INSERT INTO domains (name, type) VALUES ('example.org', 'NATIVE'), ('example.net', 'SLAVE');
UPDATE domains SET master = '192.0.2.1', last_check = 1 WHERE name = 'example.net';
INSERT INTO records (domain_id, name, type, content, ttl, prio, ordername, auth) SELECT d.id, r.* FROM domains d, (VALUES
    ('example.org', 'SOA', 'ns1.example.org hostmaster.example.org 1 3600 600 604800 300', 300, NULL, NULL, true),
    ('example.org', 'NS', 'ns1.example.org', 300, NULL::int, NULL, true),
    ('ns1.example.org', 'A', '192.0.2.1', 300, NULL, NULL, true),
    ('example.org', 'MX', 'mail.example.org', 300, 10, NULL, true),
    ('mail.example.org', 'A', '192.0.2.2', 300, NULL, NULL, true)) r (name, type, content, ttl, prio, ordername, auth) WHERE d.name = 'example.org';
END
is($seattle->sql('SELECT count(*) FROM dnsrepl.adoption_report()'), 0, 'nothing stands in the way');
$_->sql("SELECT dnsrepl.setup('$_->{name}')") for $seattle, $tacoma;
$seattle->peer($tacoma);
ok(Dnsrepl::same($seattle, $tacoma), 'two nodes with the older tables');
$tacoma->sql("INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'www.example.org', 'A', '192.0.2.3', 300 FROM domains WHERE name = 'example.org'");
ok(Dnsrepl::same($seattle, $tacoma), 'write');

$seattle->sql("UPDATE domains SET type = 'PRODUCER', options = '{}', catalog = 'catalog.example' WHERE name = 'example.org'");
ok(Dnsrepl::same($seattle, $tacoma), 'and have what 4.7 added: setup() brings them there');
is($tacoma->sql("SELECT type, options, catalog FROM domains WHERE name = 'example.org'"), 'PRODUCER|{}|catalog.example', 'which is replicated');
is($tacoma->sql("SELECT 1 FROM pg_indexes WHERE indexname = 'catalog_idx'"), 1, 'with its index');
$seattle->sql("UPDATE domains SET type = 'NATIVE', options = NULL, catalog = NULL WHERE name = 'example.org'");
$seattle->dns_start;
my ($status, $out) = $seattle->pdnsutil('check-zone', 'example.org');
is($status, 0, 'PowerDNS 4.7 finds the zone correct') or diag $out;
is($seattle->dig('www.example.org', 'A'), '192.0.2.3', 'and answers');
done_testing();
