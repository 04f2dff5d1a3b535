# What an author does to units of which a peer's versions wait for him: his edits and deletions are kept, what he leaves
# as it was is no edit.
use strict;
use warnings;
use Dnsrepl;
use Test::More;

my @node = map { Dnsrepl->new($_) } qw(seattle tacoma);
my ($seattle, $tacoma) = @node;
$seattle->peer($tacoma);

my $insert = "INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, n || '.example.org', 'A', '%s', 300 FROM domains, unnest('{%s}'::text[]) n;";
sub make_zone { my ($names) = @_; return "BEGIN; INSERT INTO domains (name, type) VALUES ('example.org', 'NATIVE');" . sprintf($insert, '192.0.2.1', $names) . 'COMMIT' }
my $serving = "SELECT string_agg(split_part(name::text, '.', 1) || ' ' || content || ' ' || ttl, ', ' ORDER BY name) FROM records";

# The author holds the zone; the peer's changes come, and wait; then he goes on, and commits.
sub while_held
{
    my ($what, $peer, $waiting, $edits, $want) = @_;
    ok(Dnsrepl::same(@node), "$what: both are the same before");
    my $author = $tacoma->session;
    $author->query_safe("BEGIN; UPDATE records SET ttl = ttl + 1 WHERE name = 'held.example.org'");
    $seattle->sql($peer);
    ok($tacoma->poll('SELECT count(*) FROM dnsrepl.problem', $waiting), "$what: what the peer did waits");
    $author->query_safe($_) for @$edits, 'COMMIT';
    $author->quit;
    ok($tacoma->no_problem && Dnsrepl::same(@node), "$what: both are the same after");
    is($seattle->sql($serving), $want, "$what: his edits stand, the peer's where he made none");
    is($_->sql("SELECT concat_ws('|', zone, tab, key->>'name', problem, store) FROM dnsrepl.check_store()"), '',
        "$what: " . $_->name . ': the tables and the sums are what the store has') for @node;
    return;
}

$seattle->sql(make_zone('deleted,held,made,same,set,touched'));
while_held('records', "BEGIN; UPDATE records SET content = '192.0.2.2' WHERE name <> 'held.example.org';" . sprintf($insert, '192.0.2.2', 'theirs') . 'COMMIT', 6,
    [ "DELETE FROM records WHERE name IN ('deleted.example.org', 'made.example.org')", sprintf($insert, '192.0.2.3', 'made'),
      "UPDATE records SET ttl = ttl WHERE name = 'touched.example.org'", "UPDATE records SET ttl = 77 WHERE name = 'set.example.org'",
      "DELETE FROM records WHERE name = 'same.example.org'", sprintf($insert, '192.0.2.1', 'same'),
      sprintf($insert, '192.0.2.3', 'theirs'), "DELETE FROM records WHERE name = 'theirs.example.org'" ],
    'held 192.0.2.1 301, made 192.0.2.3 300, same 192.0.2.2 300, set 192.0.2.1 77, theirs 192.0.2.2 300, touched 192.0.2.2 300');
$seattle->sql('DELETE FROM domains');
$seattle->sql(make_zone('held,other'));
while_held('a zone that is deleted', "UPDATE domains SET account = 'edited'", 1, ['DELETE FROM domains'], '');
$seattle->sql(make_zone('held,other'));
while_held('a zone that is replaced', "UPDATE records SET content = '192.0.2.5' WHERE name = 'other.example.org'", 1,
    [ 'DELETE FROM domains', "INSERT INTO domains (name, type) VALUES ('example.org', 'NATIVE');" . sprintf($insert, '192.0.2.1', 'held,other') ],
    'held 192.0.2.1 300, other 192.0.2.5 300');
# what a deletion that waits has replaced in the store is in the tables still
$seattle->sql("BEGIN; INSERT INTO domains (name, type) VALUES ('example.net', 'NATIVE'); INSERT INTO records (domain_id, name, type, content, ttl)"
    . " SELECT id, n || 'example.net', t, c, 300 FROM domains, (VALUES ('', 'SOA', 'ns.example.net h.example.net 7 1 1 1 1'), ('gone.', 'A', '192.0.2.1')) v (n, t, c) WHERE name = 'example.net'; COMMIT");
ok(Dnsrepl::same(@node), 'a zone with a serial');
{
    my ($author, $other) = map { $tacoma->session } 1 .. 2;
    $_->query_safe("BEGIN; INSERT INTO comments (domain_id, name, type, modified_at, comment) SELECT id, name, 'A', 1, 'holds' FROM domains WHERE name = 'example.net'") for $author, $other;
    my $is = "SELECT (SELECT count(*) FROM records WHERE name = 'gone.example.net') || ' ' || split_part(content, ' ', 3) FROM records WHERE name = 'example.net'";
    $seattle->sql("DELETE FROM records WHERE name = 'gone.example.net'");
    ok($tacoma->poll('SELECT count(*) > 0 FROM dnsrepl.problem'), 'a deletion waits for two authors');
    is($tacoma->sql($is), '1 7', 'the name is still there');
    $author->query_safe("DELETE FROM records WHERE name = 'gone.example.net'; COMMIT");
    is($tacoma->sql($is), '0 8', 'one of them deletes it too: the serial rises with that');
    $other->query_safe('COMMIT');
    $_->quit for $author, $other;
    ok(Dnsrepl::same(@node), 'both are the same after');
}
done_testing();
