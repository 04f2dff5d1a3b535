# A zone that is deleted and made anew elsewhere while somebody here is editing it: what comes of it later.
use strict;
use warnings;
use Dnsrepl;
use Test::More;

my @node = map { Dnsrepl->new($_) } qw(seattle tacoma);
my ($seattle, $tacoma) = @node;
$seattle->peer($tacoma);

sub make_zone
{
    my ($node, @name) = @_;
    $node->sql(<<"SQL");
BEGIN;
INSERT INTO domains (name, type) VALUES ('example.org', 'NATIVE');
INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, name, 'SOA', 'ns.example.net host.example.net 5 3600 600 86400 300', 300 FROM domains;
INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, n || '.example.org', 'A', '192.0.2.1', 300 FROM domains, unnest('{@{[ join ',', @name ]}}'::text[]) n;
COMMIT;
SQL
    return;
}
sub names { return $_[0]->sql("SELECT string_agg(split_part(name::text, '.', 1), ',' ORDER BY name) FROM records WHERE type = 'A'") }
sub check { my ($node, $what) = @_; is($node->sql("SELECT concat_ws('|', zone, tab, key->>'name', problem, store) FROM dnsrepl.check_store()"), '', "$what: the tables and the sums are what the store has"); return }

sub problems { my ($node, $n) = @_; return $node->poll('SELECT count(*) > 0 FROM dnsrepl.problem', $n ? 't' : 'f') }
sub same_and_checked
{
    my ($what, $want) = @_;
    ok(problems($tacoma, 0) && Dnsrepl::same(@node), "$what: it comes when he has ended");
    is(names($tacoma), $want, "$what: and nothing else");
    check($_, "$what: " . $_->name) for @node;
    return;
}

make_zone($seattle, 'old', 'older');
ok(Dnsrepl::same(@node), 'a zone is everywhere');

# ---------------------------------------------------------------- by an author, who holds the zone
sub while_held
{
    my ($what, $hold, $change, $want) = @_;
    my $author = $tacoma->session;
    $author->query_safe("BEGIN; $hold");
    $change->();
    ok(problems($tacoma, 1), "$what: that waits");
    check($tacoma, "$what: meanwhile");
    $author->query_safe('ROLLBACK');
    $author->quit;
    same_and_checked($what, $want);
    return;
}

my $edit = "UPDATE records SET ttl = ttl + 1 WHERE name = 'example.org'";
my $anew = sub { my @name = @_; return sub { $seattle->sql('DELETE FROM domains'); make_zone($seattle, @name) } };
while_held('made anew', $edit, $anew->('new', 'newer'), 'new,newer');
while_held('deleted', $edit, sub { $seattle->sql("UPDATE records SET ttl = 77 WHERE name = 'new.example.org'; DELETE FROM domains") }, '');
make_zone($seattle, 'old', 'older');
ok(Dnsrepl::same(@node), 'and is there again');

# What comes while the zone's new row is waiting waits with it.
my $author = $tacoma->session;
$author->query_safe("BEGIN; $edit");
$anew->('new', 'newer')->();
ok(problems($tacoma, 1), 'made anew, and edited: that waits');
$seattle->sql("UPDATE records SET ttl = 301 WHERE name = 'newer.example.org'");
ok($seattle->wait_for_peers, 'made anew, and edited: the edit comes');
is(names($tacoma), 'old,older', 'made anew, and edited: and waits with the new zone');
check($tacoma, 'made anew, and edited: meanwhile');
$author->query_safe('ROLLBACK');
$author->quit;
same_and_checked('made anew, and edited', 'new,newer');

# ---------------------------------------------------------------- by locks on rows, which no stripe tells of
while_held('the locked row of a zone that is edited and deleted', 'SELECT FROM domains FOR UPDATE',
    sub { $seattle->sql("BEGIN; UPDATE records SET ttl = 78 WHERE type = 'A'; DELETE FROM domains; COMMIT") }, '');
make_zone($seattle, 'old', 'older');
ok(Dnsrepl::same(@node), 'and is there again');
while_held('the locked row of a zone that is made anew', 'SELECT FROM domains FOR UPDATE', $anew->('new'), 'new');
while_held('a locked SOA record', "SELECT FROM records WHERE type = 'SOA' FOR UPDATE",
    sub { $seattle->sql("UPDATE records SET ttl = 79 WHERE type = 'A'") }, 'new');

# ---------------------------------------------------------------- by a CHECK, on the zone's row alone
$tacoma->sql("ALTER TABLE domains ADD CONSTRAINT no_master CHECK (type <> 'SLAVE')");
$seattle->sql('DELETE FROM domains');
make_zone($seattle, 'second');
ok($tacoma->poll("SELECT count(*) FROM records WHERE name = 'second.example.org'", 1), 'a zone is made anew');
$seattle->sql("BEGIN; DELETE FROM domains; COMMIT");
$seattle->sql("BEGIN; INSERT INTO domains (name, type) VALUES ('example.org', 'SLAVE');"
    . " INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'third.example.org', 'A', '192.0.2.1', 300 FROM domains; COMMIT");
ok(problems($tacoma, 1), 'a row of a zone that is refused: it waits');
check($tacoma, 'a row of a zone that is refused');
$tacoma->sql('ALTER TABLE domains DROP CONSTRAINT no_master');
same_and_checked('a row of a zone that is refused', 'third');

# ---------------------------------------------------------------- a large zone of which names are locked
$seattle->sql('DELETE FROM domains');
make_zone($seattle, map { sprintf 'h%05d', $_ } 1 .. 12_000);
ok(Dnsrepl::same(@node), 'a large zone is everywhere');
my %hold = map { $_ => $tacoma->session } qw(00010 07000 11990);
$hold{$_}->query_safe("BEGIN; SELECT FROM records WHERE name = 'h$_.example.org' FOR UPDATE") for keys %hold;
$seattle->sql("UPDATE records SET content = '192.0.2.2' WHERE type = 'A'");
ok(problems($tacoma, 1), 'locked names of a large zone: it waits');
for my $name (sort keys %hold)
{
    is($tacoma->sql("SELECT count(*) FROM records WHERE content <> '192.0.2.1' AND type = 'A'"), 0, 'locked names of a large zone: all of it');
    $seattle->sql("UPDATE records SET content = '192.0.2.3' WHERE name = 'h00020.example.org'");
    ok($seattle->wait_for_peers && $tacoma->poll("SELECT bool_and(error ~ 'locked|before') FROM dnsrepl.problem"), 'locked names of a large zone: with what comes later');
    $hold{$name}->query_safe('ROLLBACK');
    $hold{$name}->quit;
}
ok(problems($tacoma, 0) && Dnsrepl::same(@node), 'locked names of a large zone: it comes when all are free');
check($_, 'locked names of a large zone: ' . $_->name) for @node;

# ---------------------------------------------------------------- a policy changes, a large zone is looked at in steps
$hold{1} = $tacoma->session;
$hold{1}->query_safe("BEGIN; SELECT FROM records WHERE name = 'h11990.example.org' FOR UPDATE");
$seattle->sql("INSERT INTO dnsrepl.policy (zone, resolver) VALUES ('example.org', 'merge')");
$seattle->sql("UPDATE records SET content = '192.0.2.4' WHERE name = 'h00001.example.org'");
ok($tacoma->poll("SELECT content FROM records WHERE name = 'h00001.example.org'", '192.0.2.4'), 'a zone that is queued: what comes for it is not kept waiting');
$hold{1}->query_safe('ROLLBACK');
$hold{1}->quit;
ok(problems($tacoma, 0) && Dnsrepl::same(@node), 'a zone that is queued: it comes to its end');
check($_, 'a zone that is queued: ' . $_->name) for @node;
done_testing();
