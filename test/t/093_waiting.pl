# While something waits: what an author had before his eyes counts, though what a peer wrote has replaced it in the store, and waits
# for him: his edit settles with that as it would if the link had been cut. And what else may happen meanwhile.
use strict;
use warnings;
use Dnsrepl;
use Test::More;

my $conf = "dnsrepl.keepalive = '1s'\ndnsrepl.check_interval = '1s'";
my @node = map { Dnsrepl->new($_, conf => $conf) } qw(seattle tacoma);
my ($seattle, $tacoma) = @node;
$seattle->peer($tacoma);

sub consistent
{
    my ($what) = @_;
    is($_->sql("SELECT concat_ws('|', zone, tab, key->>'name', problem, store) FROM dnsrepl.check_store()"), '', "$what: " . $_->name . ': tables and sums are what the store has') for @node;
    is($_->sql('SELECT count(*) FROM dnsrepl.shown'), 0, "$what: " . $_->name . ': nothing is kept of what was shown') for @node;
    return;
}

sub add { my ($name, @a) = @_; return join ' ', map { "INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, '$name.' || name, 'A', '192.0.2.$_', 300 FROM domains WHERE name = 'example.org';" } @a }
sub drop { my ($name, @a) = @_; return join ' ', map { "DELETE FROM records WHERE name = '$name.example.org' AND content = '192.0.2.$_';" } @a }
sub at { my ($name) = @_; return "SELECT string_agg(substr(content, 9), ' ' ORDER BY content) FROM records WHERE name = '$name.example.org' AND type = 'A'" }

# `theirs` is done at seattle, by some transactions, and waits at tacoma for a transaction there; `mine` at tacoma.
sub settles
{
    my ($what, $theirs, $mine, $name, $want, $in_between) = @_;
    ok(Dnsrepl::same(@node), "$what: both are the same before");
    my $author = $tacoma->session;
    $author->query_safe("BEGIN; UPDATE domains SET account = account || 'x' WHERE name = 'example.org'");
    for my $sql (@$theirs) { $seattle->sql("BEGIN; $sql COMMIT"); $seattle->wait_for_peers }
    ok($tacoma->poll('SELECT count(*) > 0 FROM dnsrepl.problem'), "$what: what the peer did waits");
    $in_between->() if $in_between;
    $author->query_safe("$mine COMMIT");
    $author->quit;
    ok($tacoma->no_problem && Dnsrepl::same(@node), "$what: both are the same after");
    is($_->sql(at($name)), $want, "$what: " . $_->name) for @node;
    consistent($what);
    return;
}

$seattle->sql("INSERT INTO domains (name, type, account) VALUES ('example.org', 'NATIVE', ''); INSERT INTO dnsrepl.policy (zone, resolver) VALUES ('example.org', 'merge')");
$seattle->sql('BEGIN;' . join(' ', map { add($_, 1, 2) } qw(a b c d e)) . 'COMMIT');
settles('a record is deleted there, another added here', [ drop('a', 2) ], add('a', 3), 'a', '1 3');
settles('by several transactions there', [ drop('b', 2), add('b', 4), drop('b', 1) ], add('b', 3), 'b', '3 4');
settles('all are deleted there', [ drop('c', 1, 2) ], add('c', 3), 'c', '3');
settles('by somebody else, who is in the zone for a moment', [ drop('d', 2) ], '', 'd', '1 3', sub { $tacoma->sql(add('d', 3)) });
settles('twice', [ drop('e', 2) ], add('e', 4), 'e', '1 3 4', sub { $tacoma->sql(add('e', 3)) });

# ---------------------------------------------------------------- what the table refuses
$seattle->sql('BEGIN;' . add('f', 1, 2) . 'COMMIT');
ok(Dnsrepl::same(@node), 'refused: both are the same before');
$tacoma->sql("ALTER TABLE records ADD CONSTRAINT few CHECK (name <> 'f.example.org' OR ttl = 300)");
$seattle->sql('BEGIN;' . drop('f', 2) . "UPDATE records SET ttl = 301 WHERE name = 'f.example.org'; COMMIT");
ok($tacoma->poll('SELECT count(*) FROM dnsrepl.problem', 1), 'refused: it is not shown');
$tacoma->sql(add('f', 3));
$tacoma->sql('ALTER TABLE records DROP CONSTRAINT few');
ok($tacoma->no_problem && Dnsrepl::same(@node), 'refused: both are the same after');
is($_->sql(at('f')), '1 3', 'refused: ' . $_->name) for @node;
consistent('refused');

# ---------------------------------------------------------------- hold: the line goes on that the author saw
$seattle->sql("UPDATE dnsrepl.policy SET resolver = 'hold'");
$tacoma->sql(add('g', 1));
settles('hold', [ "UPDATE records SET content = '192.0.2.2' WHERE name = 'g.example.org';" ], "UPDATE records SET content = '192.0.2.3' WHERE name = 'g.example.org';", 'g', '3');

# ---------------------------------------------------------------- what may happen while two zones wait together
my @both = qw(one.example two.example);
my $tied = 0;
sub while_waiting
{
    my ($what, $happens, $again, $stays) = @_;
    $tied++;
    ok(Dnsrepl::same(@node), "$what: both are the same before");
    my $author = $tacoma->session;
    $author->query_safe("BEGIN; INSERT INTO comments (domain_id, name, type, modified_at, comment) SELECT id, name, 'A', 1, 'held' FROM domains WHERE name = 'one.example'");
    $seattle->sql("INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 't$tied.' || name, 'A', '192.0.2.1', 300 FROM domains WHERE name IN ('one.example', 'two.example')");
    ok($seattle->wait_for_peers && $tacoma->poll("SELECT count(DISTINCT zone) FROM dnsrepl.problem", 2), "$what: both zones wait");
    $happens->($author);
    is($tacoma->sql("SELECT count(*) FROM records WHERE name ~ '^t$tied'"), 0, "$what: they wait still") if $stays;
    eval { $author->query_safe('ROLLBACK') };
    eval { $author->quit };
    ok($tacoma->poll("SELECT count(*) FROM records WHERE name ~ '^t$tied'", 2), "$what: then both are shown");
    $again->() if $again;
    ok($tacoma->no_problem && Dnsrepl::same(@node), "$what: both are the same after");
    consistent($what);
    return;
}

$seattle->sql("DELETE FROM dnsrepl.policy; INSERT INTO domains (name, type) VALUES ('one.example', 'NATIVE'), ('two.example', 'NATIVE')");
while_waiting('a policy', sub {
    $seattle->sql(q(INSERT INTO dnsrepl.policy (zone, resolver, options) VALUES ('example', 'prefer', '{"order": ["seattle"]}')));
    ok($tacoma->poll('SELECT count(*) FROM dnsrepl.policy', 1), 'a policy comes');
}, undef, 1);
while_waiting('a server that ends', sub { $tacoma->cluster->restart });
while_waiting('a server that crashes', sub { $tacoma->cluster->stop('immediate'); $tacoma->cluster->start });
while_waiting('a zone that is deleted here', sub {
    $tacoma->sql("DELETE FROM domains WHERE name = 'two.example'");
    ok($tacoma->wait_for_peers && $seattle->poll("SELECT count(*) FROM domains WHERE name = 'two.example'", 0), 'it is gone there');
    $seattle->sql("INSERT INTO domains (name, type) VALUES ('two.example', 'NATIVE')");
    $seattle->sql("INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 't$tied.' || name, 'A', '192.0.2.1', 300 FROM domains WHERE name = 'two.example'");
    ok($seattle->wait_for_peers, 'and made again');
}, undef, 1);
while_waiting('a table that is dropped', sub {
    $seattle->sql("INSERT INTO supermasters VALUES ('192.0.2.1', 'ns.example.net', 'x')");
    $tacoma->sql('DROP TABLE supermasters');
    $seattle->sql("BEGIN; UPDATE supermasters SET account = 'y'; UPDATE domains SET account = 'z'; COMMIT");
    ok($seattle->wait_for_peers, 'a table is dropped');
}, sub { is($tacoma->sql('SELECT dnsrepl.setup_missing()'), '{supermasters}', 'it is made anew') }, 1);
while_waiting('a store that is damaged', sub {
    $tacoma->unpack_store;
    $tacoma->sql("DELETE FROM dnsrepl.version_store WHERE ctid = (SELECT v.ctid FROM dnsrepl.version_store v JOIN dnsrepl.zone z ON z.no = v.zone WHERE z.name = 'two.example' AND v.seen AND v.key >= '\\x0002' AND v.key < '\\x0003' LIMIT 1)");
    ok($tacoma->poll('SELECT damages > 0 FROM dnsrepl.self_check'), 'the damage is found');
    ok($tacoma->poll('SELECT count(*) FROM dnsrepl.node WHERE damaged IS NOT NULL', 0), 'and mended');
});

# ---------------------------------------------------------------- authors who come and go
{
    my $dir = PostgreSQL::Test::Utils::tempdir('authors');
    my %busy = map { $_ => 1 } 1 .. 3;
    $seattle->sql("INSERT INTO domains (name, type) VALUES ('busy$_.example', 'NATIVE')") for keys %busy;
    ok(Dnsrepl::same(@node), 'three zones');
    for my $zone (keys %busy)
    {
        PostgreSQL::Test::Utils::append_to_file("$dir/$zone.sql", <<"SCRIPT");
SELECT id FROM domains WHERE name = 'busy$zone.example' \\gset
BEGIN;
DELETE FROM comments WHERE domain_id = :id AND name = ('c' || :client_id || '.busy$zone.example')::dnsname;
INSERT INTO comments (domain_id, name, type, modified_at, comment) VALUES (:id, ('c' || :client_id || '.busy$zone.example')::dnsname, 'A', 1, clock_timestamp()::text);
\\sleep 30 ms
COMMIT;
SCRIPT
        $busy{$zone} = Dnsrepl::spawn('pgbench', "$dir/$zone.log", 'pgbench', '-n', '-c', 3, '-T', 600, '-f', "$dir/$zone.sql", '-h', $tacoma->cluster->host, '-p', $tacoma->port, $tacoma->db);
    }
    ok($tacoma->poll("SELECT count(DISTINCT domain_id) FROM comments WHERE name ~ '^c'", 3), 'which are always being edited');
    for my $round (1 .. 3)
    {
        $seattle->sql("INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'r$round.' || name, 'A', '192.0.2.1', 300 FROM domains WHERE name ~ '^busy'");
        ok($tacoma->poll("SELECT count(*) FROM records WHERE name ~ '^r$round'", 3), "what is of all three comes all the same, $round");
    }
    Dnsrepl::finish($_) for values %busy;
    ok($tacoma->no_problem && Dnsrepl::same(@node), 'both are the same after');
    consistent('authors who come and go');
}
# ---------------------------------------------------------------- an author whose unit somebody else is parking
$seattle->sql("INSERT INTO domains (name, type) VALUES ('locked.example', 'NATIVE'); INSERT INTO records (domain_id, name, type, content, ttl)
    SELECT id, name, 'SOA', 'ns1.example.org h.example.org 1 1 1 1 1', 60 FROM domains WHERE name = 'locked.example'");
ok(Dnsrepl::same(@node), 'a zone whose SOA record is locked');
my ($locker, $parker, $author) = map { $tacoma->session } 1 .. 3;
$locker->query_safe("BEGIN; SELECT FROM records WHERE name = 'locked.example' AND type = 'SOA' FOR UPDATE");
$parker->query_safe("BEGIN; INSERT INTO dnsrepl.parked (zone, key, state, tries, error) SELECT v.zone, v.key, 'queued', 0, 'for this test'
    FROM dnsrepl.version u JOIN dnsrepl.stored_version v ON u.zone = 'locked.example' AND dnsrepl.key_columns(v.key) = u.key WHERE u.key->>'type' = 'SOA'");
$author->query_until(qr/begun/, "\\echo begun\nINSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'www.locked.example', 'A', '192.0.2.1', 60 FROM domains WHERE name = 'locked.example';\n");
ok($tacoma->poll(q(SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~ 'www.locked.example')), 'who edits it while somebody parks that waits for him,');
$_->query_safe('COMMIT'), $_->quit for $parker, $locker;
is($author->query_safe("SELECT count(*) FROM records WHERE name = 'www.locked.example'"), 1, 'and has committed then');
$author->quit;
ok($tacoma->no_problem && Dnsrepl::same(@node), 'both are the same after');
done_testing();
