# A transaction over several zones is shown as one where it has to wait, though a part of what it wrote was overwritten before it was
# sent: dnsrepl.transaction_zones says which zones belong together, and goes when nobody needs it any more.
use strict;
use warnings;
use Dnsrepl;
use Guest;
use Test::More;

my $conf = "dnsrepl.keepalive = '1s'\ndnsrepl.check_interval = '1s'";
my @node = map { Dnsrepl->new($_, conf => $conf) } qw(seattle olympia tacoma);
my ($seattle, $olympia, $tacoma) = @node;
$seattle->peer($olympia);
$olympia->peer($tacoma);

my @zone = map { "$_.example" } qw(a b c d);
my $round = 0;
# An RRset of a zone gets another content; a zone is deleted.
sub edit { my ($content, @z) = @_; return join ' ', map { "UPDATE records SET content = '192.0.2.$content' WHERE name = 'www.$_.example';" } @z }
sub drop { return "DELETE FROM domains WHERE name = '$_[0].example';" }
sub make { return join ' ', map { "INSERT INTO domains (name, type) VALUES ('$_', 'NATIVE'); INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'www.$_', 'A', '192.0.2.1', 300 FROM domains WHERE name = '$_';" } @_ }
sub shown { return $_[0]->sql("SELECT string_agg(substr(name::text, 5, 1) || substr(content, 9), ' ' ORDER BY name) FROM records WHERE name ~ '^www'") }

# Transactions of a node, one by one, while its links are cut; then they are whole again, and a session at tacoma holds a row of b: what is shown there, and when it has ended.
sub half
{
    my ($what, $at, $wait, $then, @sql) = @_;
    $seattle->sql('DELETE FROM domains');
    $seattle->sql('BEGIN;' . make(@zone) . 'COMMIT');
    ok(Dnsrepl::same(@node), "$what: all are the same before");
    my $author = $tacoma->session;
    $author->query_safe("BEGIN; SELECT FROM records WHERE name = 'www.b.example' FOR UPDATE");
    $olympia->cut($tacoma);
    for my $sql (@sql)
    {
        my ($node, $text) = ref $sql ? @$sql : ($at, $sql);
        $node->sql("BEGIN; $text COMMIT");
        ok(Dnsrepl::same($seattle, $olympia), "$what: a transaction at " . $node->name);
    }
    $olympia->heal($tacoma);
    ok($tacoma->poll("SELECT count(DISTINCT zone) > 0 FROM dnsrepl.problem WHERE zone IS NOT NULL"), "$what: b waits");
    is(shown($tacoma), $wait, "$what: and all that was changed along with it");
    is($tacoma->sql("SELECT count(*) FROM dnsrepl.problem WHERE concat(error, advice) ~ 'process [)]'"), 0, "$what: no process is named where none is known");
    $author->query_safe('ROLLBACK');
    $author->quit;
    ok($tacoma->no_problem && Dnsrepl::same(@node), "$what: all are the same after");
    is(shown($tacoma), $then, "$what: all of it is shown");
    is($_->sql("SELECT concat_ws('|', zone, tab, key->>'name', problem, store) FROM dnsrepl.check_store()"), '', "$what: " . $_->name . ': tables and sums are what the store has') for @node;
    return;
}

half('nothing is overwritten', $olympia, 'a1 b1 c1 d1', 'a2 b2 c1 d1', edit(2, qw(a b)));
half('overwritten', $olympia, 'a1 b1 c1 d3', 'a2 b3 c1 d3', edit(2, qw(a b)), edit(3, 'b'), edit(3, 'd'));
half('overwritten by one over other zones', $olympia, 'a1 b1 c1 d1', 'a2 b3 c3 d1', edit(2, qw(a b)), edit(3, qw(b c)));
half('tied by a zone that is overwritten', $olympia, 'a1 b1 c1 d3', 'a3 b3 c4 d3', edit(2, qw(a b)), edit(4, qw(a c)), edit(3, 'a'), edit(3, 'b'), edit(3, 'd'));
half('the zone is deleted', $olympia, 'a1 b1 c1 d1', 'a2 c1 d1', edit(2, qw(a b)), drop('b'));
half('a zone is made, and deleted', $olympia, 'a1 b1 c1 d1', 'a3 b2 c1 d1', edit(2, 'b') . make('e.example') . edit(2, 'a'), edit(3, 'a'), drop('e'));
half('of another node, which has sent it on', $seattle, 'a1 b1 c1 d3', 'a2 b3 c1 d3', edit(2, qw(a b)), edit(3, 'b'), edit(3, 'd'));
half('overwritten by who has sent it on', $seattle, 'a1 b1 c1 d3', 'a2 b3 c1 d3', edit(2, qw(a b)), [ $olympia, edit(3, 'b') ], [ $olympia, edit(3, 'd') ]);


# ---------------------------------------------------------------- what is kept of it
sub kept { return $_[0]->sql('SELECT count(*) FROM dnsrepl.transaction_zones') }
ok($_->poll('SELECT count(*) FROM dnsrepl.transaction_zones', 0), $_->name . ': when all members hold a transaction, its zones are forgotten') for @node;
$olympia->cut($tacoma);
$olympia->sql('BEGIN;' . edit(5, 'a') . edit(6, 'a') . 'COMMIT');
is(kept($olympia), 0, 'a transaction in one zone leaves nothing');
$olympia->sql('BEGIN; UPDATE records SET ttl = 301; UPDATE records SET ttl = 300; ' . edit(5, 'b') . 'COMMIT');
is(kept($olympia), 0, 'nor does one that has changed one in the end');
$olympia->sql('BEGIN;' . edit(7, qw(a b d)) . 'COMMIT');
is($olympia->sql("SELECT string_agg(z.name::text, ' ' ORDER BY z.name) FROM dnsrepl.transaction_zones t JOIN dnsrepl.zone z ON z.no = ANY (t.zones)"), 'a.example b.example d.example', 'one in three zones leaves which');
ok(Dnsrepl::same($seattle, $olympia), 'it is sent on');
is(kept($seattle), 1, 'and kept there');
my $yakima = Dnsrepl->new('yakima', conf => $conf);
$olympia->peer($yakima, one_way => 1);
ok(Dnsrepl::same($olympia, $yakima), 'a new node gets all that there is,');
is(kept($yakima), 0, 'without what it has no use for');
$olympia->sql("SELECT dnsrepl.drop_peer('yakima')");
$olympia->sql("INSERT INTO dnsrepl.transaction_zones SELECT 4711, i, ARRAY(SELECT generate_series(1, 3000)) FROM generate_series(1, 50) i; SELECT dnsrepl.keep_books()");
is($olympia->sql("SELECT sum(cardinality(zones)) <= 100000 AND sum(cardinality(zones)) > 97000 AND bool_or(stamp > 50) AND min(stamp) = 18 FROM dnsrepl.transaction_zones"), 't', 'of too many the oldest go');
$olympia->sql('DELETE FROM dnsrepl.transaction_zones WHERE origin = 4711');
$olympia->heal($tacoma);
ok(Dnsrepl::same(@node), 'all are the same again');

# ---------------------------------------------------------------- a delta of several messages
$olympia->sql("ALTER SYSTEM SET dnsrepl.chunk_size = '64kB'");
$olympia->sql('SELECT pg_reload_conf()');
$seattle->sql("INSERT INTO domains (name, type) SELECT 'm' || i || '.example', 'NATIVE' FROM generate_series(1, 2000) i;
    INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, name, 'TXT', '\"one\"', 300 FROM domains WHERE name::text ~ '^m'");
ok(Dnsrepl::same(@node), 'many zones');
{
    my $author = $tacoma->session;
    $author->query_safe("BEGIN; SELECT FROM records WHERE name = 'm1000.example' FOR UPDATE");
    $olympia->cut($tacoma);
    $olympia->sql("UPDATE records SET content = '\"two\"' WHERE type = 'TXT'");
    $olympia->sql("UPDATE records SET content = '\"three\"' WHERE name = 'm1000.example'");
    $olympia->heal($tacoma);
    ok($tacoma->poll("SELECT count(DISTINCT zone) > 0 FROM dnsrepl.problem WHERE zone IS NOT NULL"), 'what changed them waits');
    is($tacoma->sql("SELECT count(*) FROM records WHERE type = 'TXT' AND content <> '\"one\"'"), 0, 'in all of them');
    $author->query_safe('ROLLBACK');
    $author->quit;
    ok($tacoma->no_problem && Dnsrepl::same(@node), 'and is shown then');
    is($tacoma->sql("SELECT string_agg(content || count, ' ' ORDER BY content) FROM (SELECT content, count(*) FROM records WHERE type = 'TXT' GROUP BY 1) s"), '"three"1 "two"1999', 'all of it');
}

# ---------------------------------------------------------------- what no node of ours says
ok($tacoma->poll('SELECT count(*) FROM dnsrepl.transaction_zones', 0), 'nothing is kept now');
$tacoma->cut($olympia);
my $guest = Guest->new('mallory', clusters => $tacoma);
sub errors { my ($items, %delta) = @_; my ($out, $err) = $guest->play($tacoma, $guest->merge($guest->delta(vector => [ [ $guest->{life}, 'mallory', $guest->{stamp} ] ], items => $items))); return join ' ', $err =~ /ERROR:\s+(\w{5})/g }
sub transaction { my ($origin, $stamp) = @_; return chr(4) . Guest::varint($origin) . pack 'Q>', $stamp }
my $image = "\3\0" . Guest::string('x') . "\0\4\1" . "\x0a192.0.2.9" . "\5" . pack('N', 60) . "\5" . pack('N', 0) . "\2\0";
my $stamp = $guest->stamp;
is(errors(transaction(0, $stamp)), '08P01', 'a transaction without a zone');
is(errors(Guest::zone('a.example') . transaction(1, $stamp)), '08P01', 'of an origin that is not in the vector');
is(errors(Guest::zone('a.example') . transaction(0, $stamp + 1)), '08P01', 'that the vector does not cover');
is(errors(Guest::zone('a.example') . transaction(0, 0)), '08P01', 'of no stamp');
is(errors(Guest::zone('a.example') . chr(4) . "\0\0"), '08P01', 'that is cut short');
is(errors(Guest::zone('a.example') . join('', map { transaction(0, $stamp - $_) } 0 .. 100_000)), '08P01', 'too many');
is(kept($tacoma), 0, 'nothing is kept of that');
is(errors(join '', map { Guest::zone($_) . join '', map { transaction(0, $stamp - $_) } 0 .. 24_999 } @zone), '', 'as many as there may be, in any order');
is(kept($tacoma), 25_000, 'are kept');
$tacoma->sql('SELECT dnsrepl.keep_books()');
is(errors(join '', map { Guest::zone($_) . transaction(0, $stamp) } @zone), '', 'and once more');
is(kept($tacoma), 25_000, 'are not: this node holds them');

# Zones that it may not change are not tied to those that it may.
$stamp = $guest->stamp;
$tacoma->sql("SELECT dnsrepl.accept('mallory', ARRAY['a.example'])");
my $author = $tacoma->session;
$author->query_safe("BEGIN; UPDATE records SET ttl = 60 WHERE name = 'www.b.example'");
is(errors(join '', Guest::zone('a.example'), transaction(0, $stamp), Guest::unit(Guest::record_key('x.a.example', 1), [ 0, $stamp, $image ]), map { Guest::zone($_) . transaction(0, $stamp) } 'b.example', 'none.example'), '42501', 'a new zone that is not accepted');
is(errors(join '', Guest::zone('a.example'), transaction(0, $stamp), Guest::unit(Guest::record_key('x.a.example', 1), [ 0, $stamp, $image ]), Guest::zone('b.example'), transaction(0, $stamp)), '', 'a zone of others is named');
is($tacoma->sql("SELECT count(*) FROM dnsrepl.problem WHERE zone = 'a.example'"), 0, 'nothing waits for it');
is(kept($tacoma), 25_000, 'and nobody is told');
$author->query_safe('ROLLBACK');
$author->quit;
unlike($tacoma->log, qr/PANIC|TRAP:|terminated by signal/, 'no crash');
done_testing();
