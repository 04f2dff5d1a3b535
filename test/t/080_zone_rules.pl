# Two legal edits that add up to something illegal, a zone that is deleted on one side, and the zone's serial: what every
# node makes of them after a broken link.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Dnsrepl;
use Test::More;

my $conf = "dnsrepl.keepalive = '1s'";
my $seattle = Dnsrepl->new('seattle', conf => $conf);
my $tacoma = Dnsrepl->new('tacoma', conf => $conf);
my @node = ($seattle, $tacoma);
$seattle->peer($tacoma);

my $SOA = 'ns.example.org host.example.org %s 3600 600 86400 300';

sub insert { my ($zone, $name, $type, $content) = @_;
    return "INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, '$name', '$type', '$content', 300 FROM domains WHERE name = '$zone';" }

sub make_zone { my ($node, $zone, $serial) = @_;
    $node->sql("BEGIN; INSERT INTO domains (name, type) VALUES ('$zone', 'NATIVE');"
        . insert($zone, $zone, 'SOA', sprintf $SOA, $serial) . insert($zone, $zone, 'NS', 'ns.example.org') . 'COMMIT') }

sub at { my ($name) = @_; return "SELECT string_agg(type || ' ' || content, ', ' ORDER BY type, content) FROM records WHERE name = '$name' AND type <> 'SOA'" }
sub both { my ($sql, $expected, $what) = @_; ok($_->poll($sql, $expected), $_->name . ": $what") for @node }

my $serial = "SELECT (regexp_match(content, '^\\S+ \\S+ (\\d+)'))[1] FROM records WHERE type = 'SOA' AND name = '%s'";
sub serial { my ($node, $zone) = @_; return $node->sql(sprintf $serial, $zone) }
sub same_serial
{
    my ($zone, $what) = @_;
    ok(Dnsrepl::wait_until(sub { serial($seattle, $zone) eq serial($tacoma, $zone) }), $what);
    return serial($seattle, $zone);
}

sub apart
{
    my (%edit) = @_;
    ok(Dnsrepl::same(@node), 'both are the same before');
    $_->sql('SELECT dnsrepl.pause(name) FROM dnsrepl.peer') for @node;
    # in this order: the second is the later
    $_->[0]->sql($_->[1]) for @{ $edit{edits} };
    $_->sql('SELECT dnsrepl.resume(name) FROM dnsrepl.peer') for @node;
    ok(Dnsrepl::same(@node), "$edit{what}: both are the same after");
}

make_zone($seattle, 'example.org', 100);
$seattle->sql(insert('example.org', 'www.example.org', 'A', '192.0.2.1'));
ok(Dnsrepl::same(@node), 'a zone');

# ---------------------------------------------------------------- CNAME
apart(what => 'a CNAME beside an address', edits => [
    [ $seattle, insert('example.org', 'one.example.org', 'A', '192.0.2.1') . insert('example.org', 'one.example.org', 'TXT', '"first"') ],
    [ $tacoma, insert('example.org', 'one.example.org', 'CNAME', 'www.example.org') ] ]);
both(at('one.example.org'), 'CNAME www.example.org', 'the later is served, alone');
apart(what => 'an address beside a CNAME', edits => [
    [ $tacoma, insert('example.org', 'two.example.org', 'CNAME', 'www.example.org') ],
    [ $seattle, insert('example.org', 'two.example.org', 'A', '192.0.2.2') ] ]);
both(at('two.example.org'), 'A 192.0.2.2', 'the address is, if it is later');
is($seattle->sql("SELECT count(*) FROM dnsrepl.version WHERE key->>'name' = 'two.example.org' AND live"), 2, 'the loser is kept');
$seattle->sql("UPDATE records SET ttl = 60 WHERE name = 'two.example.org'");
ok($_->poll("SELECT count(*) FROM dnsrepl.version WHERE key->>'name' = 'two.example.org' AND live", 1), $_->name . ': an edit at the name settles it') for @node;
$seattle->sql("DELETE FROM records WHERE name = 'two.example.org'");
both(at('two.example.org'), '', 'what was settled does not come back');
apart(what => 'who loses may come back', edits => [
    [ $seattle, insert('example.org', 'six.example.org', 'CNAME', 'www.example.org') ],
    [ $tacoma, insert('example.org', 'six.example.org', 'A', '192.0.2.6') ],
    [ $tacoma, "DELETE FROM records WHERE name = 'six.example.org'" ] ]);
both(at('six.example.org'), 'CNAME www.example.org', 'if the winner had gone by itself');

apart(what => 'a loser that nobody has named', edits => [
    [ $seattle, insert('example.org', 'seven.example.org', 'CNAME', 'www.example.org') ],
    [ $tacoma, insert('example.org', 'seven.example.org', 'A', '192.0.2.7') ] ]);
$seattle->sql("BEGIN; SAVEPOINT s; UPDATE records SET ttl = 9 WHERE name = 'seven.example.org';" . insert('example.org', 'seven.example.org', 'CNAME', 'example.net')
    . "ROLLBACK TO s; DELETE FROM records WHERE name = 'seven.example.org'; COMMIT");
both(at('seven.example.org'), '', 'is settled too by an edit of its name');
ok($_->poll("SELECT count(*) FROM dnsrepl.version WHERE key->>'name' = 'seven.example.org' AND live", 0), $_->name . ': for good') for @node;
make_zone($seattle, 'replaced.example', 1);
apart(what => 'a loser in a zone', edits => [
    [ $seattle, insert('replaced.example', 'www.replaced.example', 'CNAME', 'www.example.org') ],
    [ $tacoma, insert('replaced.example', 'www.replaced.example', 'A', '192.0.2.7') ] ]);
$seattle->sql("BEGIN; DELETE FROM domains WHERE name = 'replaced.example'; INSERT INTO domains (name, type) VALUES ('replaced.example', 'NATIVE');"
    . insert('replaced.example', 'replaced.example', 'SOA', sprintf $SOA, 2) . insert('replaced.example', 'replaced.example', 'NS', 'ns.example.org') . 'COMMIT');
both(at('www.replaced.example'), '', 'goes when the zone is replaced by one that does not have the name');
is($_->sql("SELECT zone, key, problem FROM dnsrepl.check_store()"), '', $_->name . ': the tables are what the store has') for @node;

# ---------------------------------------------------------------- DNAME
apart(what => 'a DNAME above a name', edits => [
    [ $seattle, insert('example.org', 'x.three.example.org', 'A', '192.0.2.3') ],
    [ $tacoma, insert('example.org', 'three.example.org', 'DNAME', 'elsewhere.example') ] ]);
both(at('x.three.example.org'), '', 'what is below a later DNAME is not served');
both(at('three.example.org'), 'DNAME elsewhere.example', 'the DNAME is');
apart(what => 'a name below a DNAME', edits => [
    [ $tacoma, insert('example.org', 'four.example.org', 'DNAME', 'elsewhere.example') ],
    [ $seattle, insert('example.org', 'x.y.four.example.org', 'A', '192.0.2.4') ],
    [ $seattle, insert('example.org', 'z.four.example.org', 'A', '192.0.2.5') ] ]);
both(at('four.example.org'), '', 'a DNAME falls to something later below it');
both(at('x.y.four.example.org'), 'A 192.0.2.4', 'which is served');
$tacoma->sql("DELETE FROM records WHERE name LIKE '%four.example.org'");
both(at('four.example.org'), 'DNAME elsewhere.example', 'until there is nothing below it any more');
$seattle->sql("DELETE FROM records WHERE name = 'three.example.org'");
both(at('x.three.example.org'), 'A 192.0.2.3', 'without the DNAME, what was below it is served');

{
    ok(Dnsrepl::same(@node), 'both are the same before');
    $_->sql('SELECT dnsrepl.pause(name) FROM dnsrepl.peer') for @node;
    $seattle->sql(insert('example.org', 'five.example.org', 'DNAME', 'elsewhere.example'));
    $tacoma->sql(insert('example.org', 'x.five.example.org', 'A', '192.0.2.5'));
    $seattle->sql(<<'END_SQL');
CREATE TABLE seen (what text);
GRANT ALL ON seen TO PUBLIC;
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$ BEGIN
  INSERT INTO seen SELECT string_agg(name || ' ' || type, ', ' ORDER BY name) FROM records WHERE name LIKE '%five.example.org'; RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER see AFTER INSERT OR UPDATE OR DELETE ON records DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION see();
ALTER TABLE records ENABLE ALWAYS TRIGGER see;
END_SQL
    my $author = $seattle->session;
    $author->query_safe("BEGIN; UPDATE records SET ttl = 59 WHERE name = 'www.example.org'");
    $_->sql('SELECT dnsrepl.resume(name) FROM dnsrepl.peer') for @node;
    ok($seattle->poll('SELECT count(*) > 0 FROM dnsrepl.problem'), 'a name below a DNAME has to wait for an author');
    $author->query_safe("COMMIT");
    $author->quit;
    both(at('x.five.example.org'), 'A 192.0.2.5', 'then it is served');
    both(at('five.example.org'), '', 'and the DNAME is not');
    is($seattle->sql("SELECT string_agg(DISTINCT what, '; ') FROM seen"), 'five.example.org DNAME; x.five.example.org A', 'at no time both');
    $seattle->sql('DROP TRIGGER see ON records');
}

$seattle->sql('BEGIN;' . insert('example.org', 'eight.example.org', 'DNAME', 'elsewhere.example')
    . "INSERT INTO records (domain_id, name, type, content, ttl, disabled) SELECT id, 'x.eight.example.org', 'A', '192.0.2.8', 300, true FROM domains WHERE name = 'example.org'; COMMIT");
both(at('x.eight.example.org'), 'A 192.0.2.8', 'what is disabled may be below a DNAME');
both(at('eight.example.org'), 'DNAME elsewhere.example', 'which stands');
is($_->sql("SELECT zone, key, problem FROM dnsrepl.check_store()"), '', $_->name . ': the tables are what the store has') for @node;

# ---------------------------------------------------------------- an author is refused
for ([ 'cname-alone', insert('example.org', 'www.example.org', 'CNAME', 'example.net') ],
    [ 'soa-at-apex', insert('example.org', 'sub.example.org', 'SOA', sprintf $SOA, 1) ],
    [ 'cname-alone', insert('example.org', 'twice.example.org', 'CNAME', 'a.example') . insert('example.org', 'twice.example.org', 'CNAME', 'b.example') ],
    [ 'dname-alone', insert('example.org', 'x.four.example.org', 'A', '192.0.2.9') ],
    [ 'dname-alone', insert('example.org', 'example.org', 'DNAME', 'example.net') ],
    [ 'cname-alone', insert('example.org', 'example.org', 'CNAME', 'example.net') ])
{
    my ($rule, $sql) = @$_;
    my (undef, undef, $error) = $tacoma->try($sql);
    like($error, qr/$rule|below a DNAME|below the DNAME/, "$rule: an author is told");
}
$tacoma->sql("BEGIN; DELETE FROM records WHERE name = 'www.example.org';" . insert('example.org', 'www.example.org', 'CNAME', 'example.net') . 'COMMIT');
both(at('www.example.org'), 'CNAME example.net', 'in one transaction an address becomes a CNAME');

# ---------------------------------------------------------------- zones
apart(what => 'one zone, made twice', edits => [
    [ $seattle, "BEGIN; INSERT INTO domains (name, type, account) VALUES ('twice.example', 'NATIVE', 'first');" . insert('twice.example', 'a.twice.example', 'A', '192.0.2.1') . 'COMMIT' ],
    [ $tacoma, "BEGIN; INSERT INTO domains (name, type, account) VALUES ('twice.example', 'NATIVE', 'second');" . insert('twice.example', 'b.twice.example', 'A', '192.0.2.2') . 'COMMIT' ] ]);
both("SELECT account, (SELECT string_agg(name::text, ',' ORDER BY r.name) FROM records r WHERE domain_id = d.id) FROM domains d WHERE name = 'twice.example'",
    'second|a.twice.example,b.twice.example', 'it is one, with the records of both');
$tacoma->sql("UPDATE domains SET account = 'united' WHERE name = 'twice.example'");
both("SELECT account, (SELECT count(*) FROM records r WHERE domain_id = d.id) FROM domains d WHERE name = 'twice.example'", 'united|2', 'and stays one when it is edited');
is($seattle->sql("SELECT cardinality(live) / 2 FROM dnsrepl.zone WHERE name = 'twice.example'"), 2, 'of two incarnations');

my $versions = "SELECT count(*) FROM dnsrepl.stored_version v JOIN dnsrepl.zone z ON z.no = v.zone WHERE z.name = '%s'";
make_zone($seattle, 'gone.example', 7);
$seattle->sql(insert('gone.example', "h$_.gone.example", 'A', '192.0.2.1')) for 1 .. 3;
my $before = $seattle->sql(sprintf $versions, 'gone.example');
apart(what => 'a record that comes late', edits => [
    [ $seattle, "DELETE FROM domains WHERE name = 'gone.example'" ],
    [ $tacoma, insert('gone.example', 'late.gone.example', 'A', '192.0.2.9') ] ]);
both("SELECT count(*) FROM records WHERE name LIKE '%gone.example'", 0, 'is not served with the zone gone');
is($seattle->sql("SELECT count(*) FROM dnsrepl.version WHERE zone = 'gone.example' AND stamp = (SELECT max(stamp) FROM dnsrepl.version WHERE zone = 'gone.example' AND tab = 'domains')"), 1,
    'the deletion of a zone is one version');
my $kept = $seattle->sql("SELECT serial FROM dnsrepl.zone WHERE name = 'gone.example'");
make_zone($tacoma, 'gone.example', 1);
both("SELECT count(*) FROM records WHERE name LIKE '%gone.example'", 2, 'made again, the zone has nothing of its past');
cmp_ok(same_serial('gone.example', 'and one serial'), '>', $kept, 'which goes on where it was');

make_zone($seattle, 'back.example', 7);
$seattle->sql(insert('back.example', "h$_.back.example", 'A', '192.0.2.1')) for 1 .. 3;
apart(what => 'a zone that is edited after it was deleted', edits => [
    [ $seattle, "DELETE FROM domains WHERE name = 'back.example'" ],
    [ $tacoma, "UPDATE domains SET account = 'mine' WHERE name = 'back.example'" ] ]);
both("SELECT count(*) FROM domains WHERE name = 'back.example'", 0, 'does not come back');
both("SELECT rule FROM dnsrepl.conflict_history WHERE zone = 'back.example'", 'zone-deleted', 'but the edit is in the history');

make_zone($seattle, 'late.example', 1);
$seattle->sql(insert('late.example', 'gone.late.example', 'A', '192.0.2.1'));
ok(Dnsrepl::same(@node), 'a zone with a record');
$_->sql('SELECT dnsrepl.pause(name) FROM dnsrepl.peer') for @node;
$tacoma->sql("UPDATE records SET ttl = 400 + $_ WHERE name = 'late.example' AND type = 'NS'") for 1 .. 5;
$seattle->sql("DELETE FROM records WHERE name = 'gone.late.example'");
my $author = $tacoma->session;
$author->query_safe("BEGIN; UPDATE records SET disabled = true WHERE name = 'late.example' AND type = 'NS'");
$seattle->sql('SELECT dnsrepl.resume(name) FROM dnsrepl.peer');
ok($tacoma->poll("SELECT count(*) FROM dnsrepl.parked p JOIN dnsrepl.zone z ON z.no = p.zone WHERE z.name = 'late.example'", 1), 'a deletion waits for an author');
my $waited = serial($tacoma, 'late.example');
$author->query_safe('SAVEPOINT s; DELETE FROM records WHERE name = \'gone.late.example\'; ROLLBACK TO s; COMMIT');
$author->quit;
ok($tacoma->poll("SELECT count(*) FROM records WHERE name = 'gone.late.example'", 0), 'it comes, and what he rolled back has not undone it');
cmp_ok(serial($tacoma, 'late.example'), '>', $waited + 1, 'with a serial of its own');
$tacoma->sql('SELECT dnsrepl.resume(name) FROM dnsrepl.peer');
same_serial('late.example', 'and all is the same');

# ---------------------------------------------------------------- serials
is(serial($seattle, 'example.org') > 100, 1, 'edits have raised the serial');
my $was = same_serial('example.org', 'it is the same on both');
$seattle->sql("UPDATE records SET ttl = 77 WHERE name = 'one.example.org'");
is(serial($seattle, 'example.org'), $was + 1, 'an edit that forgets the serial raises it by one');
both(sprintf($serial, 'example.org'), $was + 1, 'and so it is there');
$seattle->sql("UPDATE records SET content = '" . sprintf($SOA, '2026112401') . "' WHERE type = 'SOA' AND name = 'example.org'");
both(sprintf($serial, 'example.org'), 2026112401, 'one who sets the serial has it his way');
$tacoma->sql("UPDATE records SET content = '" . sprintf($SOA, '2026010101') . "' WHERE type = 'SOA' AND name = 'example.org'");
both(sprintf($serial, 'example.org'), 2026112402, 'unless he goes back');
$tacoma->sql("UPDATE comments SET comment = comment");
is($tacoma->sql("SELECT count(*) FROM dnsrepl.version WHERE key->>'type' = 'SOA' AND key->>'name' = 'example.org'"), 1, 'the serial is no matter of conflict');
apart(what => 'edits of one zone on both sides', edits => [
    [ $seattle, insert('example.org', 's.example.org', 'A', '192.0.2.1') ],
    [ $tacoma, insert('example.org', 't.example.org', 'A', '192.0.2.1') ] ]);
cmp_ok(same_serial('example.org', 'end with one serial'), '>', 2026112403, 'larger than that of either side');
is($_->sql("SELECT count(*) FROM dnsrepl.version WHERE key->>'type' = 'SOA' AND key->>'name' = 'example.org'"), 1, $_->name . ': and no conflict') for @node;

# one who has the SOA record open keeps nobody waiting
my $open = $seattle->session;
$open->query_safe("BEGIN; UPDATE records SET ttl = 301 WHERE type = 'SOA' AND name = 'example.org'");
$was = $seattle->sql("SELECT serial FROM dnsrepl.zone WHERE name = 'example.org'");
$seattle->sql("SET lock_timeout = '5s';" . insert('example.org', 'u.example.org', 'A', '192.0.2.1'));
is($seattle->sql("SELECT serial FROM dnsrepl.zone WHERE name = 'example.org'"), $was + 1, 'while somebody has the SOA record locked, the serial is raised');
$open->query_safe('ROLLBACK');
$open->quit;
both(sprintf($serial, 'example.org'), $was + 1, 'and shown when he has ended');

$seattle->sql("INSERT INTO domainmetadata (domain_id, kind, content) SELECT id, 'X-DNSREPL-SERIAL', 'off' FROM domains WHERE name = 'twice.example'");
$seattle->sql(insert('twice.example', 'twice.example', 'SOA', sprintf $SOA, 5));
$seattle->sql(insert('twice.example', 'c.twice.example', 'A', '192.0.2.3'));
both(sprintf($serial, 'twice.example'), 5, 'turned off, the serial is its author\'s affair');
$tacoma->sql("UPDATE records SET content = '" . sprintf($SOA, 4) . "' WHERE type = 'SOA' AND name = 'twice.example'");
both(sprintf($serial, 'twice.example'), 4, 'also if he goes back');

ok(Dnsrepl::same(@node), 'all is the same at the end');
is($_->sql('SELECT count(*) FROM dnsrepl.problem'), 0, $_->name . ': no problem is left') for @node;
is($seattle->sql("SELECT string_agg(name || ' ' || serial || ' ' || served, ',' ORDER BY name) FROM dnsrepl.zone WHERE live IS NOT NULL"),
    $tacoma->sql("SELECT string_agg(name || ' ' || serial || ' ' || served, ',' ORDER BY name) FROM dnsrepl.zone WHERE live IS NOT NULL"), 'sums of what is served agree');
is($_->sql('SELECT zone, tab, key, problem FROM dnsrepl.check_store()'), '', $_->name . ': the tables are what the store has') for @node;
done_testing();
