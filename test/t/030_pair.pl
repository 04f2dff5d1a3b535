# Two nodes: all seven tables flow both ways, local and derived columns do not, and of two edits the later one wins.
use strict;
use warnings;
use Dnsrepl;
use Test::More;

my ($seattle, $tacoma) = map { Dnsrepl->new($_, conf => "wal_writer_delay = '10s'\nautovacuum = off\nsynchronous_commit = off") } qw(seattle tacoma);
$seattle->sql("SELECT setval('domains_id_seq', 700); SELECT setval('records_id_seq', 7000)");
$seattle->peer($tacoma);

sub both
{
    my ($sql, $want, $what) = @_;
    ok($_->wait_for_peers, $_->name . ' is confirmed') for grep { !$_->wait_for_peers } $seattle, $tacoma;
    is($_->sql($sql), $want, "$what, at " . $_->name) for $seattle, $tacoma;
    return;
}

# ---------------------------------------------------------------- seven tables, there and back
my $all = <<'END';
SELECT 'domain', name, type, master, account, options, catalog, last_check, notified_serial FROM domains
UNION ALL SELECT 'record', name, type::text, content, ttl::text, prio::text, disabled::text, NULL, NULL FROM records
UNION ALL SELECT 'metadata', NULL, kind, content, NULL, NULL, NULL, NULL, NULL FROM domainmetadata
UNION ALL SELECT 'key', NULL, flags::text, content, active::text, published::text, NULL, NULL, NULL FROM cryptokeys
UNION ALL SELECT 'comment', name, type::text, comment, account, modified_at::text, NULL, NULL, NULL FROM comments
UNION ALL SELECT 'tsig', name, algorithm, secret, NULL, NULL, NULL, NULL, NULL FROM tsigkeys
UNION ALL SELECT 'super', nameserver, host(ip), account, NULL, NULL, NULL, NULL, NULL FROM supermasters ORDER BY 1, 2, 3, 4
END
$seattle->sql(<<'END');
BEGIN;
INSERT INTO domains (name, type, master, account, options, catalog) VALUES ('example.org', 'SLAVE', '192.0.2.9', 'ops', '{}', 'cat.example');
INSERT INTO records (domain_id, name, type, content, ttl, prio, disabled)
  SELECT id, n, t, c, 300, p, t = 'TXT' FROM domains, (VALUES
    ('example.org', 'SOA', 'ns1.example.org hostmaster.example.org 1 10800 3600 604800 3600', 0),
    ('example.org', 'NS', 'ns1.example.org', 0), ('example.org', 'MX', 'mail.example.org', 10), ('example.org', 'MX', 'mail2.example.org', 20),
    ('*.example.org', 'TXT', '"any \"thing\" \\ at all" "and more"', 0), ('www.example.org', 'AAAA', '2001:db8::1', 0)) v (n, t, c, p);
INSERT INTO domainmetadata (domain_id, kind, content) SELECT id, 'ALLOW-AXFR-FROM', a FROM domains, (VALUES ('192.0.2.0/24'), ('AUTO-NS')) v (a);
INSERT INTO cryptokeys (domain_id, flags, active, published, content) SELECT id, 257, true, true, 'Private-key-format: v1.2' FROM domains;
INSERT INTO comments (domain_id, name, type, modified_at, account, comment) SELECT id, 'www.example.org', 'AAAA', 1700000000, 'me', 'a line' FROM domains;
INSERT INTO tsigkeys (name, algorithm, secret) VALUES ('transfer', 'hmac-sha256', 'c2VjcmV0');
INSERT INTO supermasters VALUES ('192.0.2.9', 'ns9.example.net', 'ops');
COMMIT;
END
my $want = $seattle->sql($all);
is(scalar(split /\n/, $want), 13, 'seven tables have rows');
both($all, $want, 'what is written at seattle');

$tacoma->sql(<<'END');
BEGIN;
UPDATE domains SET type = 'MASTER', master = NULL, account = 'net';
UPDATE records SET ttl = 60 WHERE type = 'MX';
DELETE FROM records WHERE type = 'AAAA';
UPDATE domainmetadata SET content = '198.51.100.0/24' WHERE content = '192.0.2.0/24';
UPDATE cryptokeys SET active = false;
UPDATE comments SET comment = 'another line';
UPDATE tsigkeys SET secret = 'b3RoZXI=';
DELETE FROM supermasters;
COMMIT;
END
$want = $tacoma->sql($all);
both($all, $want, 'what is changed at tacoma');
unlike($want, qr/AAAA\|2001|super|192\.0\.2\.0/, 'it is changed');
isnt($seattle->sql('SELECT id FROM domains'), $tacoma->sql('SELECT id FROM domains'), 'ids are local');
isnt($seattle->sql('SELECT min(id) FROM records'), $tacoma->sql('SELECT min(id) FROM records'), 'of records, too');
ok(Dnsrepl::same($seattle, $tacoma), 'digests and rows are equal');
is($seattle->sql('SELECT dnsrepl.digest()'), $tacoma->sql('SELECT dnsrepl.digest()'), 'digest() is');
isnt($seattle->sql("BEGIN; UPDATE records SET ttl = 61 WHERE type = 'MX'; SELECT dnsrepl.digest()"), $tacoma->sql('SELECT dnsrepl.digest()'),
    'and tells a difference');

# ---------------------------------------------------------------- what stays where it is
my $local = "SELECT last_check, notified_serial, (SELECT string_agg(DISTINCT format('%s %s', ordername, auth), ',') FROM records WHERE type = 'MX') FROM domains";
my $versions = $seattle->sql('SELECT count(*), max(stamp) FROM dnsrepl.version');
$seattle->sql("UPDATE domains SET last_check = 11, notified_serial = 12; UPDATE records SET ordername = 'far', auth = false");
$tacoma->sql("UPDATE domains SET last_check = 21, notified_serial = 22; UPDATE records SET ordername = 'near'");
$seattle->sql("INSERT INTO records (domain_id, name, type, ttl) SELECT id, 'b.example.org', NULL, 1 FROM domains");
both('SELECT count(*), max(stamp) FROM dnsrepl.version', $versions, 'local and derived columns, and empty non-terminals, make no version');
$seattle->sql("UPDATE domains SET account = 'ops'; UPDATE records SET ttl = 90 WHERE type = 'MX'");
both("SELECT account, (SELECT min(ttl) FROM records WHERE type = 'MX') FROM domains", 'ops|90', 'a change of the same rows arrives');
is($seattle->sql($local), '11|12| t', 'what is local lasts at seattle, what is derived is right');
is($tacoma->sql($local), '21|22| t', 'and at tacoma');
is($tacoma->sql('SELECT count(*) FROM records WHERE type IS NULL'), 0, 'an empty non-terminal is not shipped');

# ---------------------------------------------------------------- both sides of a pause
sub pause { $_[0]->sql("SELECT dnsrepl.pause('" . ($_[0] == $seattle ? 'tacoma' : 'seattle') . "')"); return }
sub resume { $_[0]->sql("SELECT dnsrepl.resume('" . ($_[0] == $seattle ? 'tacoma' : 'seattle') . "')"); return }
sub replace
{
    my ($node, $name, $address) = @_;
    $node->sql("BEGIN; DELETE FROM records WHERE name = '$name' AND type = 'A'; INSERT INTO records (domain_id, name, type, content, ttl, prio)"
          . " SELECT id, '$name', 'A', a, 60, 0 FROM domains, unnest('{$address}'::text[]) a WHERE name = 'example.org'; COMMIT");
    return;
}

sub addresses { return "SELECT string_agg(content, ',' ORDER BY content) FROM records WHERE type = 'A' AND name = '$_[0]'" }

replace($seattle, "$_.example.org", '192.0.2.1') for qw(first last gone kept);
both("SELECT count(*) FROM records WHERE type = 'A'", 4, 'before');
pause($_) for $seattle, $tacoma;
replace($seattle, 'first.example.org', '192.0.2.10');
replace($tacoma, 'first.example.org', '192.0.2.20,192.0.2.21');
replace($tacoma, 'last.example.org', '192.0.2.20');
replace($seattle, 'last.example.org', '192.0.2.10,192.0.2.11');
replace($seattle, 'gone.example.org', '192.0.2.10');
$tacoma->sql("DELETE FROM records WHERE name = 'gone.example.org'");
$tacoma->sql("DELETE FROM records WHERE name = 'kept.example.org'");
replace($seattle, 'kept.example.org', '192.0.2.10');
replace($seattle, 'new.example.org', '192.0.2.10');
replace($tacoma, 'other.example.org', '192.0.2.20');
is($tacoma->sql(addresses('first.example.org')), '192.0.2.20,192.0.2.21', 'paused: each sees its own');
is($seattle->sql(addresses('first.example.org')), '192.0.2.10', 'on both sides');
resume($_) for $seattle, $tacoma;
ok(Dnsrepl::same($seattle, $tacoma), 'resumed, both are the same');
both(addresses('first.example.org'), '192.0.2.20,192.0.2.21', 'the later RRset, as a whole');
both(addresses('last.example.org'), '192.0.2.10,192.0.2.11', 'whoever wrote it');
both(addresses('gone.example.org'), '', 'a later deletion');
both(addresses('kept.example.org'), '192.0.2.10', 'a later edit of what was deleted');
both(addresses("$_->[0].example.org"), $_->[1], 'what only one wrote') for [ new => '192.0.2.10' ], [ other => '192.0.2.20' ];

my $siblings = "SELECT string_agg(node, ',' ORDER BY stamp) FROM dnsrepl.version WHERE key @> '{\"name\": \"first.example.org\"}'";
both($siblings, 'seattle,tacoma', 'both versions are kept, and by whom');
both("SELECT rows -> 0 ->> 'content', author <> '', live, written_at BETWEEN now() - interval '5 min' AND now() FROM dnsrepl.version"
      . " WHERE key \@> '{\"name\": \"first.example.org\"}' AND node = 'seattle'", '192.0.2.10|t|t|t', 'the one that is not served can be read');
replace($tacoma, 'first.example.org', '192.0.2.30');
both($siblings, 'tacoma', 'the next edit settles it');

# ---------------------------------------------------------------- a zone goes, and comes again
$seattle->sql('DELETE FROM domains');
both('SELECT (SELECT count(*) FROM domains), (SELECT count(*) FROM records WHERE type IS NOT NULL), (SELECT count(*) FROM comments)', '0|0|0', 'a zone goes with all it has');
$tacoma->sql("INSERT INTO domains (name, type) VALUES ('example.org', 'NATIVE')");
both('SELECT (SELECT count(*) FROM domains), (SELECT count(*) FROM records)', '1|0', 'made again, it is empty');
ok(Dnsrepl::same($seattle, $tacoma), 'and the same');

# ---------------------------------------------------------------- an author is in the middle of it
# The foreign key has deleted the zone's records, and the trigger that takes the zone's stripe has not come yet.
sub in_the_middle
{
    my ($what, $sql, $served) = @_;
    $seattle->sql("INSERT INTO domains (name, type) VALUES ('race.example', 'NATIVE')");
    both("SELECT count(*) FROM domains WHERE name = 'race.example'", 1, "$what: a zone");
    $seattle->sql(<<'END');
CREATE FUNCTION a_wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock(42); RETURN NULL; END';
CREATE TRIGGER a_wait AFTER DELETE OR UPDATE OF name ON domains FOR EACH ROW EXECUTE FUNCTION a_wait();
END
    my $gate = $seattle->session;
    $gate->query_safe('SELECT pg_advisory_lock(42)');
    my $author = Dnsrepl::spawn('psql', undef, 'psql', '-Xq', '-h', $seattle->cluster->host, '-p', $seattle->port, '-c', $sql, $seattle->db);
    ok($seattle->poll("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory'", 1), 'an author is at it');
    $tacoma->sql("INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'late.race.example', 'A', '192.0.2.1', 60 FROM domains WHERE name = 'race.example'");
    ok($tacoma->wait_for_peers, 'when a record comes');
    $gate->query_safe('SELECT pg_advisory_unlock(42)');
    $gate->quit;
    ok(Dnsrepl::wait_until(sub { waitpid($author, POSIX::WNOHANG()) == $author }) && $? == 0, 'the author commits');
    ok(Dnsrepl::same($seattle, $tacoma), 'both are the same');
    is($_->sql('SELECT count(*) FROM records WHERE NOT EXISTS (SELECT FROM domains WHERE id = domain_id)'), 0, 'no record is without a zone') for $seattle, $tacoma;
    ok($_->no_problem, 'nothing is left to do at ' . $_->name) for $seattle, $tacoma;
    both($served, 't', 'what is served is right');
    $seattle->sql("DROP TRIGGER a_wait ON domains; DROP FUNCTION a_wait; DELETE FROM domains WHERE name::text ~ '^race'");
    return;
}

my $nothing = "SELECT count(*) = 0 FROM records WHERE name <<= 'race.example'";
in_the_middle('a zone is deleted', "DELETE FROM domains WHERE name = 'race.example'", $nothing);
in_the_middle('a zone is renamed', "UPDATE domains SET name = 'race2.example' WHERE name = 'race.example'", $nothing);

# The merge has locked the zone's row while an author who changes nothing that replicates was at it: the row that this one
# leaves behind has to be locked, too.
$seattle->sql("INSERT INTO domains (name, type) VALUES ('race.example', 'NATIVE')");
both("SELECT count(*) FROM domains WHERE name = 'race.example'", 1, 'an update of the zone\'s row: a zone');
$seattle->sql(<<'END');
CREATE FUNCTION a_wait() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. 3000 LOOP EXIT WHEN pg_try_advisory_xact_lock(42); PERFORM pg_sleep(0.01); END LOOP;
  RETURN NULL;
END $$;
CREATE TRIGGER a_wait AFTER INSERT ON records FOR EACH ROW EXECUTE FUNCTION a_wait();
ALTER TABLE records ENABLE REPLICA TRIGGER a_wait;
END
my ($gate, $powerdns) = map { $seattle->session } 1, 2;
$gate->query_safe('SELECT pg_advisory_lock(42)');
$powerdns->query_safe("BEGIN; UPDATE domains SET last_check = 1 WHERE name = 'race.example'");
$tacoma->sql("INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'late.race.example', 'A', '192.0.2.1', 60 FROM domains WHERE name = 'race.example'");
ok($seattle->poll("SELECT count(*) FROM pg_stat_activity WHERE usename = 'dnsrepl_link' AND wait_event = 'PgSleep'", 1), 'a merge has written a record');
$powerdns->query_safe('COMMIT');
my $author = Dnsrepl::spawn('psql', undef, 'psql', '-Xq', '-h', $seattle->cluster->host, '-p', $seattle->port, '-c', "DELETE FROM domains WHERE name = 'race.example'", $seattle->db);
ok($seattle->poll("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DELETE FROM domains%' AND wait_event_type = 'Lock'", 1), 'and an author deletes the zone');
$gate->query_safe('SELECT pg_advisory_unlock(42)');
ok(Dnsrepl::wait_until(sub { waitpid($author, POSIX::WNOHANG()) == $author }) && $? == 0, 'he commits');
$_->quit for $gate, $powerdns;
ok(Dnsrepl::same($seattle, $tacoma), 'both are the same');
both($nothing, 't', 'the record went with the zone');
is($seattle->sql('SELECT count(*) FROM records WHERE NOT EXISTS (SELECT FROM domains WHERE id = domain_id)'), 0, 'and is not left without one');
$seattle->sql('DROP TRIGGER a_wait ON records; DROP FUNCTION a_wait');

# ---------------------------------------------------------------- what a peer has is never taken back by a crash
pause($tacoma);    # its answers would flush
$seattle->sql("INSERT INTO tsigkeys (name, algorithm, secret) VALUES ('durable', 'hmac-sha256', 'c2VjcmV0')");
ok($seattle->wait_for_peers, 'an asynchronous commit is shipped');
$seattle->cut($tacoma);
for my $node ($seattle, $tacoma)
{
    $node->cluster->stop('immediate');
    $node->cluster->start;
    is($node->sql("SELECT count(*) FROM tsigkeys WHERE name = 'durable'"), 1, $node->name . ' crashes, and has it');
}
resume($tacoma);
$seattle->heal($tacoma);
ok(Dnsrepl::same($seattle, $tacoma), 'both are the same');
done_testing();
