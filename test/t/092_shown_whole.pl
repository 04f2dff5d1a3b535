# What had to wait is shown whole, as it would have been if it had not: nothing of it is served in part, or before what came
# before it, whatever it had to wait for.
use strict;
use warnings;
use Dnsrepl;
use Test::More;

my $conf = "dnsrepl.keepalive = '1s'";
my @node = map { Dnsrepl->new($_, conf => $conf) } qw(seattle tacoma);
my ($seattle, $tacoma) = @node;
$seattle->peer($tacoma);

sub zone_sql
{
    my ($zone, $names, $content) = @_;
    $content //= '192.0.2.1';
    return "INSERT INTO domains (name, type) VALUES ('$zone', 'NATIVE');"
      . " INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, name, 'SOA', 'ns.example.net host.example.net 5 3600 600 86400 300', 300 FROM domains WHERE name = '$zone';"
      . " INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'h' || i || '.$zone', 'A', '$content', 300 FROM domains, generate_series(1, $names) i WHERE name = '$zone';";
}

sub consistent
{
    my ($node, $what) = @_;
    is($node->sql("SELECT concat_ws('|', zone, tab, key->>'name', problem, store) FROM dnsrepl.check_store()"), '', "$what: " . $node->name . ': tables and sums are what the store has');
    return;
}

# A reader in a loop: the different things that he sees, in order, until he sees the last.
sub reader
{
    my ($sql) = @_;
    my $session = $tacoma->session;
    my $give_up = Dnsrepl::TIMEOUT;
    $session->query_safe('SET client_min_messages = error');
    $session->query_safe('CREATE TEMP TABLE seen (no serial, what text UNIQUE)');
    $session->query_safe(<<"SQL");
CREATE PROCEDURE pg_temp.look(until text) LANGUAGE plpgsql AS \$\$
DECLARE
  s text;
  give_up timestamptz := clock_timestamp() + interval '$give_up s';
BEGIN
  LOOP
    s := ($sql);
    COMMIT;
    INSERT INTO seen (what) VALUES (s) ON CONFLICT DO NOTHING;
    COMMIT;
    EXIT WHEN s = until OR clock_timestamp() > give_up;
  END LOOP;
END \$\$;
SQL
    return $session;
}

# The author ends by himself, while somebody reads.
sub watch
{
    my ($author, $reader, $until) = @_;
    my $pid = $author->query_safe('SELECT pg_backend_pid()');
    my $ender = Dnsrepl::spawn('ender', undef, 'psql', '-X', '-q', '-d', $tacoma->cluster->connstr('postgres'), '-c', "SELECT pg_sleep(0.2), pg_terminate_backend($pid)");
    $reader->query_safe("CALL pg_temp.look('$until')");
    my $seen = $reader->query_safe("SELECT string_agg(what, ', ' ORDER BY no) FROM seen");
    $reader->quit;
    eval { $author->quit };
    Dnsrepl::finish($ender);
    return $seen;
}

# `hold` is done in a transaction at tacoma, `change` at seattle, and waits; the transaction ends: what readers see.
sub shows
{
    my ($what, $hold, $change, $sql, $want, $until) = @_;
    ok(Dnsrepl::same(@node), "$what: both are the same before");
    my ($author, $reader) = ($tacoma->session, reader($sql));
    $author->query_safe("BEGIN; $hold");
    for my $one (ref $change ? @$change : $change) { $seattle->sql($one); $seattle->wait_for_peers }
    ok($tacoma->poll('SELECT count(*) > 0 FROM dnsrepl.problem'), "$what: it waits");
    consistent($tacoma, "$what, meanwhile");
    is(watch($author, $reader, $until), $want, "$what: readers see it whole");
    ok($tacoma->poll('SELECT count(*) FROM dnsrepl.problem', 0) && Dnsrepl::same(@node), "$what: both are the same after");
    consistent($_, $what) for @node;
    return;
}

# ---------------------------------------------------------------- one large zone
$seattle->sql('BEGIN;' . zone_sql('large.example', 12_000) . 'COMMIT');
shows('a large transaction', "UPDATE domains SET account = 'x' WHERE name = 'large.example'", "UPDATE records SET content = '192.0.2.2' WHERE type = 'A'",
    "SELECT count(*)::text FROM records WHERE content = '192.0.2.2'", '0, 12000', '12000');
shows('a large transaction and a row that is locked', "SELECT FROM records WHERE name = 'h11000.large.example' FOR UPDATE", "UPDATE records SET content = '192.0.2.3' WHERE type = 'A'",
    "SELECT count(*)::text FROM records WHERE content = '192.0.2.3'", '0, 12000', '12000');
$seattle->sql('DELETE FROM domains');

# ---------------------------------------------------------------- many zones
my @zone = map { "z$_.example" } 1 .. 40;
$seattle->sql('BEGIN;' . join(' ', map { zone_sql($_, 1) } @zone) . 'COMMIT');
shows('a transaction over many zones', "UPDATE domains SET account = 'x' WHERE name = 'z17.example'",
    "INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'n' || i || '.' || name, 'A', '192.0.2.9', 300 FROM domains, generate_series(1, 45) i",
    "SELECT count(*)::text FROM (SELECT domain_id FROM records WHERE content = '192.0.2.9' GROUP BY 1 HAVING count(*) = 45) s", '0, 40', '40');
shows('zones that are tied to one another, one by one', "UPDATE domains SET account = 'x' WHERE name = 'z5.example'",
    [ map { "UPDATE records SET content = '192.0.2.7' WHERE name IN ('h1.z$_.example', 'n1.z" . ($_ + 1) . ".example')" } 5 .. 9 ],
    "SELECT count(*)::text FROM records WHERE content = '192.0.2.7'", '0, 10', '10');
shows('zones that are deleted, and made', "UPDATE domains SET account = 'x' WHERE name = 'z3.example'",
    [ "DELETE FROM domains WHERE name IN ('z3.example', 'z4.example')", 'BEGIN;' . zone_sql('z4.example', 3) . zone_sql('new.example', 3) . 'COMMIT' ],
    "SELECT string_agg(d.name || ' ' || (SELECT count(*) FROM records r WHERE r.domain_id = d.id), ' ' ORDER BY d.name) FROM domains d WHERE name IN ('z3.example', 'z4.example', 'new.example')",
    'z3.example 47 z4.example 47, new.example 4 z4.example 4', 'new.example 4 z4.example 4');
$seattle->sql('DELETE FROM domains');

# ---------------------------------------------------------------- nothing is overtaken
$seattle->sql('BEGIN;' . zone_sql('example.org', 3) . 'COMMIT');
my $steps = [ "UPDATE records SET content = '192.0.2.2' WHERE type = 'A'", "UPDATE records SET content = '192.0.2.3' WHERE name = 'h1.example.org'" ];
my $served = "SELECT string_agg(right(content, 1), ' ' ORDER BY name) FROM records WHERE type = 'A'";
shows('a locked record', "SELECT FROM records WHERE name = 'h3.example.org' FOR UPDATE", $steps, $served, '1 1 1, 3 2 2', '3 2 2');
$seattle->sql("UPDATE records SET content = '192.0.2.1' WHERE type = 'A'");
shows('an author in the zone', "UPDATE domains SET account = 'x' WHERE name = 'example.org'", $steps, $served, '1 1 1, 3 2 2', '3 2 2');

# ---------------------------------------------------------------- a table that is locked, as CREATE INDEX does it
{
    my $author = $tacoma->session;
    my $reader = reader("SELECT count(*) FILTER (WHERE NOT EXISTS (SELECT FROM records r WHERE r.domain_id = d.id AND type = 'SOA')) || ' of ' || CASE count(*) WHEN 21 THEN 'all' ELSE 'some' END FROM domains d");
    $author->query_safe('BEGIN; LOCK TABLE records IN SHARE MODE');
    $seattle->sql('BEGIN;' . zone_sql("made$_.example", 2) . 'COMMIT') for 1 .. 10;
    $seattle->sql('BEGIN;' . join(' ', map { zone_sql("made$_.example", 2) } 11 .. 20) . 'COMMIT');
    ok($seattle->wait_for_peers, 'new zones come while a table is locked');
    is($tacoma->sql('SELECT count(*) FROM domains'), 1, 'none of them is served');
    ok($tacoma->poll("SELECT bool_and(error ~ 'locked|along with|before') FROM dnsrepl.problem"), 'and why is told');
    is(watch($author, $reader, '0 of all'), '0 of some, 0 of all', 'nobody sees a zone without its SOA record');
    ok(Dnsrepl::same(@node), 'in the end all of them are served');
    consistent($_, 'new zones') for @node;
}
done_testing();
