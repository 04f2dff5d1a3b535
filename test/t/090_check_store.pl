# Somebody edits the serving tables or the store behind the triggers' back: check_store() says what differs, and makes one
# follow the other.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Dnsrepl;
use Test::More;

my $seattle = Dnsrepl->new('seattle');
my $tacoma = Dnsrepl->new('tacoma');
my @node = ($seattle, $tacoma);
$seattle->peer($tacoma);
my $check = "SELECT concat_ws('|', zone, tab, key->>'name', problem, store, tables) FROM dnsrepl.check_store(%s) ORDER BY 1";
sub check { my ($node, $how) = @_; return $node->sql(sprintf $check, defined $how ? "'$how'" : 'NULL') }

$seattle->sql(<<'END');
BEGIN;
INSERT INTO domains (name, type) VALUES ('example.org', 'NATIVE'), ('example.net', 'NATIVE');
INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, name, 'SOA', 'ns.example.org host.example.org 5 3600 600 86400 300', 300 FROM domains;
INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'h' || i || '.' || name, 'A', '192.0.2.' || i, 300 FROM domains, generate_series(1, 20) i;
INSERT INTO comments (domain_id, name, type, modified_at, comment) SELECT id, name, 'SOA', 1, 'mine' FROM domains;
INSERT INTO tsigkeys (name, algorithm, secret) VALUES ('key.example.org', 'hmac-sha256', 'c2VjcmV0');
COMMIT;
END
ok(Dnsrepl::same(@node), 'two nodes are the same');
is(check($_), '', $_->name . ': nothing differs') for @node;

# ---------------------------------------------------------------- the tables follow the store
sub behind { my ($node, $table, $sql) = @_; $node->sql("BEGIN; ALTER TABLE $table DISABLE TRIGGER dnsrepl_note; $sql; ALTER TABLE $table ENABLE ALWAYS TRIGGER dnsrepl_note; COMMIT") }
behind($tacoma, 'records', "UPDATE records SET content = '192.0.2.99' WHERE name = 'h1.example.org'; DELETE FROM records WHERE name = 'h2.example.org';"
    . "INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'new.example.org', 'A', '192.0.2.1', 300 FROM domains WHERE name = 'example.org'");
behind($tacoma, 'tsigkeys', "UPDATE tsigkeys SET secret = 'b3RoZXI='");
my $found = join "\n",
    'example.org|records|h1.example.org|the tables are not what the store has|[{"ttl": 300, "prio": null, "content": "192.0.2.1", "disabled": false}]|[{"ttl": 300, "prio": null, "content": "192.0.2.99", "disabled": false}]',
    'example.org|records|h2.example.org|the tables are not what the store has|[{"ttl": 300, "prio": null, "content": "192.0.2.2", "disabled": false}]|[]',
    'example.org|records|new.example.org|the store has nothing of it|[{"ttl": 300, "prio": null, "content": "192.0.2.1", "disabled": false}]';
like(check($tacoma), qr/\A\Q$found\E\ntsigkeys\|key.example.org\|the tables are not what the store has\|\[\{"secret": "\(hidden\)"/, 'edits behind the triggers\' back are found');
is(check($seattle), '', 'where they were made');
my $versions = $tacoma->sql('SELECT count(*), max(stamp) FROM dnsrepl.version');
isnt(check($tacoma, 'tables'), '', 'the tables are to follow the store');
ok($tacoma->no_problem && check($tacoma) eq '', 'then they do');
is($tacoma->sql('SELECT count(*), max(stamp) FROM dnsrepl.version'), $versions, 'which is no edit');
ok(Dnsrepl::same(@node), 'both are the same');

# ---------------------------------------------------------------- the store follows the tables
behind($tacoma, 'records', "UPDATE records SET content = '192.0.2.98' WHERE name = 'h1.example.org'; DELETE FROM records WHERE name = 'h2.example.org';"
    . "INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'new.example.org', 'A', '192.0.2.1', 300 FROM domains WHERE name = 'example.org'");
check($tacoma, 'store');
ok(Dnsrepl::same(@node), 'as an edit, it goes to the peer');
is($seattle->sql("SELECT string_agg(content, ',' ORDER BY name) FROM records WHERE name IN ('h1.example.org', 'h2.example.org', 'new.example.org')"), '192.0.2.98,192.0.2.1', 'all of it');
is(check($_), '', $_->name . ': nothing differs') for @node;

# ---------------------------------------------------------------- the store
$tacoma->unpack_store;
$tacoma->sql("DELETE FROM dnsrepl.version_store WHERE ctid IN (SELECT v.ctid FROM dnsrepl.version_store v JOIN dnsrepl.zone z ON z.no = v.zone WHERE z.name = 'example.net' AND dnsrepl.key_columns(v.key)->>'name' = 'h3.example.net')");
like(check($tacoma), qr/example.net\|records\|h3.example.net\|the store has nothing of it/, 'what is missing in the store is found');
like(check($tacoma), qr/example.net\|the store has been changed behind the extension's back/, 'and that it was there');
check($tacoma, 'store');
is(check($tacoma, 'store') =~ s/^.*behind the extension's back.*$//mr, '', 'it is made again from the tables');
$tacoma->sql("UPDATE dnsrepl.version_store SET image = '\\x0200' WHERE ctid IN (SELECT v.ctid FROM dnsrepl.version_store v JOIN dnsrepl.zone z ON z.no = v.zone WHERE z.name = 'example.net' AND dnsrepl.key_columns(v.key)->>'name' = 'h4.example.net')");
like(check($tacoma), qr/a version in the store cannot be read/, 'octets that are no image are told, and crash nothing');
my (undef, undef, $error) = $tacoma->try("SELECT * FROM dnsrepl.check_store('both')");
like($error, qr/invalid repair: 'both'/, 'what is no repair is refused');
done_testing();
