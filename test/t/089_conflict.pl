# Conflicts as a hostmaster reads them: what is one and what is none, how it ends, and what is kept of it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Dnsrepl;
use Test::More;

my $conf = "dnsrepl.keepalive = '1s'";
my @node = map { Dnsrepl->new($_, conf => $conf) } qw(seattle tacoma spokane);
my ($seattle, $tacoma, $spokane) = @node;
$node[$_]->peer($node[ ($_ + 1) % 3 ]) for 0 .. 2;

sub add { my ($name, $type, $content) = @_;
    return "INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, '$name', '$type', '$content', 300 FROM domains WHERE name = 'example.org';" }
sub all { my ($sql, $expected, $what) = @_; ok($_->poll($sql, $expected), $_->name . ": $what") for @node }

sub apart
{
    my ($what, @edits) = @_;
    ok(Dnsrepl::same(@node), 'all are the same before');
    $_->sql('SELECT dnsrepl.pause(name) FROM dnsrepl.peer') for @node;
    while (my ($node, $sql) = splice @edits, 0, 2) { $node->sql($sql) }
    $_->sql('SELECT dnsrepl.resume(name) FROM dnsrepl.peer') for @node;
    ok(Dnsrepl::same(@node), "$what: all are the same after");
}
my $open = "SELECT string_agg(concat_ws(' ', name, type, rule), ', ' ORDER BY name, type, tab) FROM dnsrepl.conflict";

$seattle->sql("INSERT INTO domains (name, type) VALUES ('example.org', 'NATIVE');" . add('www.example.org', 'A', '192.0.2.1'));
$seattle->sql("UPDATE records SET ttl = $_ WHERE name = 'www.example.org'") for 1 .. 5;
ok(Dnsrepl::same(@node), 'some edits in a ring');
all($open, '', 'edits of one after the other are no conflict');

apart('two edit one RRset', $seattle, "UPDATE records SET content = '192.0.2.10' WHERE name = 'www.example.org'",
    $tacoma, "UPDATE records SET content = '192.0.2.20' WHERE name = 'www.example.org'");
all($open, 'www.example.org A latest', 'that is one');
all("SELECT zone || '|' || tab || '|' || served || '|' || cardinality(versions) FROM dnsrepl.conflict", 'example.org|records|5 A 192.0.2.20|2', 'what is served');
like($_->sql('SELECT versions[1] FROM dnsrepl.conflict'), qr/^\d{4}-\d\d-\d\d .* by postgres at seattle: 5 A 192\.0\.2\.10$/, $_->name . ': and what is not, by whom, since when') for @node;
is($spokane->sql("SELECT since BETWEEN now() - interval '1 min' AND now() FROM dnsrepl.conflict"), 't', 'since now');
$seattle->sql("BEGIN; SAVEPOINT s; DELETE FROM records WHERE name = 'www.example.org'; ROLLBACK TO s; COMMIT");
is($seattle->sql('SELECT count(*) FROM dnsrepl.conflict'), 1, 'an edit that was rolled back settles nothing');
$seattle->sql("UPDATE records SET ttl = 60 WHERE name = 'www.example.org'");
all($open, '', 'the next edit settles it');
all("SELECT string_agg(concat_ws('|', name, type, rule, cardinality(versions), settled_at_node, settled_by), ',') FROM dnsrepl.conflict_history",
    'www.example.org|A|latest|2|seattle|postgres', 'which is kept: who has settled what');

apart('two make the same edit', $seattle, add('same.example.org', 'A', '192.0.2.1'), $tacoma, add('same.example.org', 'A', '192.0.2.1'));
all($open, '', 'that is none');
apart('two delete', $seattle, "DELETE FROM records WHERE name = 'same.example.org'", $tacoma, "DELETE FROM records WHERE name = 'same.example.org'");
all($open, '', 'nor is that');
apart('many edits, by one', $seattle, add('x.example.org', 'A', '192.0.2.1'), $seattle, "UPDATE records SET ttl = 5 WHERE name = 'x.example.org'", $tacoma, add('y.example.org', 'A', '192.0.2.1'));
all($open, '', 'nor are edits of different names');

apart('an address beside a CNAME', $seattle, add('c.example.org', 'CNAME', 'www.example.org'), $tacoma, add('c.example.org', 'A', '192.0.2.3'));
all($open, 'c.example.org CNAME cname-alone', 'what a rule hides is one');
all("SELECT served || '|' || (versions[1] ~ 'seattle: 300 CNAME www.example.org') FROM dnsrepl.conflict", 'deleted|true', 'and is told');
$spokane->sql("UPDATE records SET ttl = 61 WHERE name = 'c.example.org'");
all($open, '', 'until somebody edits the name');
all("SELECT string_agg(name || ' ' || type || ' ' || rule, ', ' ORDER BY settled) FROM dnsrepl.conflict_history", 'www.example.org A latest, c.example.org CNAME cname-alone', 'both are in the history');

$seattle->sql("INSERT INTO domains (name, type) VALUES ('gone.example', 'NATIVE')");
apart('a record that comes too late', $seattle, "DELETE FROM domains WHERE name = 'gone.example'",
    $tacoma, "INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'late.gone.example', 'A', '192.0.2.9', 300 FROM domains WHERE name = 'gone.example'");
ok($_->poll("SELECT string_agg(name || ' ' || rule || ' ' || (versions[1] ~ '192.0.2.9'), ',') FROM dnsrepl.conflict_history WHERE zone = 'gone.example'", 'late.gone.example zone-deleted true'),
    $_->name . ': is in the history too') for $seattle, $spokane;

apart('one name, and then its zone goes', $seattle, "INSERT INTO domains (name, type) VALUES ('short.example', 'NATIVE')", $tacoma, "INSERT INTO domains (name, type) VALUES ('short.example', 'NATIVE')");
apart('two edit it', map { ($_, "INSERT INTO domainmetadata (domain_id, kind, content) SELECT id, 'ALSO-NOTIFY', '" . $_->name . "' FROM domains WHERE name = 'short.example'") } $seattle, $tacoma);
all("SELECT string_agg(key->>'kind', ',') FROM dnsrepl.conflict WHERE zone = 'short.example'", 'ALSO-NOTIFY', 'a conflict');
$seattle->sql("DELETE FROM domains WHERE name = 'short.example'");
all("SELECT string_agg(key->>'kind', ',') FROM dnsrepl.conflict_history WHERE zone = 'short.example'", 'ALSO-NOTIFY', 'goes into the history with its zone');
all("SELECT count(*) FROM dnsrepl.conflict_open o JOIN dnsrepl.zone z ON z.no = o.zone WHERE z.name = 'short.example'", 0, 'and is open no more');

# one conflict is settled by an author while another one comes, unseen
apart('two edit a name', $seattle, "UPDATE records SET ttl = 301 WHERE name = 'y.example.org'", $tacoma, "UPDATE records SET ttl = 302 WHERE name = 'y.example.org'");
all($open, 'y.example.org A latest', 'are in conflict');
$_->sql('SELECT dnsrepl.pause(name) FROM dnsrepl.peer') for @node;
$spokane->sql("UPDATE records SET content = '192.0.2.77' WHERE name = 'x.example.org'");
my $other = "INSERT INTO comments (domain_id, name, type, modified_at, comment) SELECT id, 'y.example.org', 'A', 1, '%s' FROM domains WHERE name = 'example.org'";
$_->sql(sprintf $other, $_->name) for @node;
$tacoma->sql("SELECT dnsrepl.resume('seattle')");
ok($seattle->poll("SELECT count(*) FROM dnsrepl.version WHERE tab = 'comments'", 2), 'two comments meet at seattle');
my $holds = $seattle->session;
$holds->query_safe("BEGIN; UPDATE comments SET comment = 'both'");
$spokane->sql("SELECT dnsrepl.resume('seattle')");
ok($seattle->poll("SELECT count(*) FROM dnsrepl.version WHERE tab = 'comments' AND NOT projected", 1), 'a third waits for an author there');
$holds->query_safe('COMMIT');
$holds->quit;
$_->sql('SELECT dnsrepl.resume(name) FROM dnsrepl.peer WHERE paused') for @node;
ok(Dnsrepl::same(@node), 'all are the same after');
is($seattle->sql("SELECT count(*) FROM dnsrepl.conflict WHERE tab = 'comments'"), 1, 'his own and the third are in conflict');
$seattle->sql("UPDATE comments SET comment = 'settled'; UPDATE records SET ttl = 62 WHERE name = 'y.example.org'");
all($open, '', 'all is settled');
is($seattle->sql("SELECT count(*) FROM dnsrepl.conflict_history WHERE tab = 'comments'"), 2, 'and both conflicts are in the history');

# private keys
$seattle->sql("INSERT INTO cryptokeys (domain_id, flags, active, content) SELECT id, 257, true, 'Private-key-format: v1.2 secret' FROM domains");
apart('a key that two switch off and on', $seattle, "UPDATE cryptokeys SET active = false", $tacoma, "UPDATE cryptokeys SET published = false");
all("SELECT active::text || published FROM cryptokeys", 'truetrue', 'stays active, as long as anybody has it so');
all("SELECT string_agg(c::text, '') ~ 'secret' FROM dnsrepl.conflict c", 'f', 'and its content is not told');
$tacoma->sql("UPDATE cryptokeys SET published = true");
$seattle->sql("INSERT INTO cryptokeys (domain_id, flags, active, content) SELECT id, 257, true, 'Private-key-format: v1.2 second' FROM domains");
apart('each takes another key away', $seattle, "DELETE FROM cryptokeys WHERE content ~ 'secret'", $tacoma, "DELETE FROM cryptokeys WHERE content ~ 'second'");
all("SELECT string_agg(right(content, 6) || active, ',') FROM cryptokeys", 'secondtrue', 'the last key-signing key comes back');
$seattle->sql("INSERT INTO cryptokeys (domain_id, flags, active, content) SELECT id, 257, false, 'Private-key-format: v1.2 waits' FROM domains");
ok(Dnsrepl::same(@node), 'another, which is not active');
my $author = $seattle->session;
$author->query_safe("BEGIN; UPDATE records SET ttl = 63 WHERE name = 'x.example.org'");
$tacoma->sql("DELETE FROM cryptokeys WHERE active");
ok($seattle->poll("SELECT count(*) FROM dnsrepl.version WHERE tab = 'cryptokeys' AND NOT projected", 1), 'the active one is deleted, which waits for an author');
is($seattle->sql('SELECT zone, tab, key, problem FROM dnsrepl.check_store()'), '', 'meanwhile the tables are not wrong about the other');
$author->query_safe('COMMIT');
$author->quit;
ok(Dnsrepl::same(@node), 'and then it is gone');
all('SELECT count(*), bool_or(active) FROM cryptokeys', '1|f', 'and the other did not take its place');

# a rule gives another key its place while the first one waits; then something else comes, before what waits could be tried again
$seattle->sql("UPDATE cryptokeys SET active = true; INSERT INTO cryptokeys (domain_id, flags, active, content) SELECT id, 257, true, 'Private-key-format: v1.2 other' FROM domains");
ok(Dnsrepl::same(@node), 'two active keys');
$_->sql('SELECT dnsrepl.pause(name) FROM dnsrepl.peer') for @node;
$tacoma->sql("DELETE FROM cryptokeys WHERE content ~ 'waits'");
$spokane->sql("UPDATE cryptokeys SET active = false WHERE content ~ 'other'");
$spokane->sql("SELECT dnsrepl.resume('seattle')");
ok($seattle->poll("SELECT active FROM cryptokeys WHERE content ~ 'other'", 'f'), 'one is switched off');
$author = $seattle->session;
$author->query_safe("BEGIN; UPDATE records SET ttl = 64 WHERE name = 'x.example.org'");
$tacoma->sql("SELECT dnsrepl.resume('seattle')");
ok($seattle->poll("SELECT count(*) FROM dnsrepl.version WHERE tab = 'cryptokeys' AND NOT projected", 1), 'the other is deleted, which waits for an author');
my $patient = $seattle->session;
$patient->query_safe('BEGIN; SELECT FROM dnsrepl.parked FOR UPDATE');
$author->query_safe('COMMIT');
$author->quit;
$tacoma->sql("INSERT INTO cryptokeys (domain_id, flags, active, content) SELECT id, 256, false, 'Private-key-format: v1.2 zone' FROM domains");
ok($seattle->poll("SELECT count(*) FROM dnsrepl.version WHERE tab = 'cryptokeys' AND NOT projected", 2), 'a third comes, and waits with it');
is($seattle->sql('SELECT zone, tab, key, problem FROM dnsrepl.check_store()'), '', 'meanwhile the tables are what the store has');
is($seattle->sql('SELECT count(*) FROM cryptokeys WHERE flags = 256'), 0, 'and do not show it');
$patient->query_safe('COMMIT');
$patient->quit;
$_->sql('SELECT dnsrepl.resume(name) FROM dnsrepl.peer WHERE paused') for @node;
ok(Dnsrepl::same(@node), 'all are the same');
all("SELECT string_agg(right(content, 5) || active, ',' ORDER BY content) FROM cryptokeys", 'othertrue, zonefalse', 'the last key-signing key came back');
# one key twice, as two who make it at once may leave it
$seattle->sql("INSERT INTO cryptokeys (domain_id, flags, active, content) SELECT id, 257, k = 2, 'Private-key-format: v1.2 twice' FROM domains, generate_series(1, 2) k; UPDATE cryptokeys SET active = false WHERE content !~ 'twice'");
is($seattle->sql('SELECT zone, tab, key, problem FROM dnsrepl.check_store()'), '', 'a key that is there twice, once active, is active');
ok(Dnsrepl::same(@node), 'everywhere');
$spokane->sql('DELETE FROM cryptokeys');
all('SELECT count(*) FROM cryptokeys', 0, 'until somebody means it');
apart('two make a key', $seattle, "INSERT INTO cryptokeys (domain_id, flags, active, content) SELECT id, 257, true, 'one' FROM domains",
    $tacoma, "INSERT INTO cryptokeys (domain_id, flags, active, content) SELECT id, 257, true, 'two' FROM domains");
all("SELECT string_agg(content, ',' ORDER BY content) FROM cryptokeys", 'one,two', 'both are kept');

for my $node (@node) { $node->sql("ALTER SYSTEM SET dnsrepl.conflict_retention = '0'"); $node->sql('SELECT pg_reload_conf()') }
ok($seattle->poll("SHOW dnsrepl.conflict_retention", '0'), 'a short memory');
apart('one more', $seattle, "UPDATE records SET ttl = 1 WHERE name = 'x.example.org'", $tacoma, "UPDATE records SET ttl = 2 WHERE name = 'x.example.org'");
$seattle->sql("UPDATE records SET ttl = 3 WHERE name = 'x.example.org'");
ok($seattle->poll("SELECT count(*) FROM dnsrepl.conflict_history WHERE zone = 'gone.example' OR name = 'www.example.org'", 0), 'the history is cleared after its time');
is($_->sql('SELECT zone, tab, key, problem FROM dnsrepl.check_store()'), '', $_->name . ': the tables are what the store has') for @node;
done_testing();
