# Across a cut link one side edits a zone's row, or its records, and the other deletes the zone, and makes it again: of the old zone nothing is
# ever served in the new one, whoever is later, and whatever policy is in force. What is deleted and made again in one transaction has been edited.
use strict;
use warnings;
use Dnsrepl;
use Test::More;

my $conf = "dnsrepl.keepalive = '200ms'\ndnsrepl.check_interval = '200ms'\ndnsrepl.tombstone_retention = '1s'";
my ($seattle, $tacoma, $spokane) = my @node = map { Dnsrepl->new($_, conf => $conf) } qw(seattle tacoma spokane);
$seattle->peer($tacoma);
$tacoma->peer($spokane);    # a chain

sub make
{
    my ($zone, @name) = @_;
    return "INSERT INTO domains (name, type) VALUES ('$zone', 'NATIVE');"
        . "INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, '$zone', 'SOA', 'ns1.example.net h.example.net 1 1 1 1 1', 60 FROM domains WHERE name = '$zone';"
        . join '', map { "INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, '$_.$zone', 'A', '192.0.2.1', 60 FROM domains WHERE name = '$zone';" } @name;
}
sub within { my ($sql) = @_; return "BEGIN; $sql COMMIT" }
sub row { my ($zone) = @_; return "UPDATE domains SET account = 'edited' WHERE name = '$zone'" }

# What is served of each zone: account, and the first labels of its names.
sub served
{
    my ($node) = @_;
    return $node->sql("SELECT concat_ws(' ', d.name, d.account, (SELECT string_agg(split_part(r.name::text, '.', 1), ',' ORDER BY r.name::text) FROM records r WHERE r.domain_id = d.id AND r.type <> 'SOA'),"
        . " (SELECT 'no SOA' WHERE NOT EXISTS (SELECT FROM records r WHERE r.domain_id = d.id AND r.type = 'SOA'))) FROM domains d ORDER BY d.name::text");
}

# Nodes that are cut off from one another write; then all meet.
my (%want, @policy);
sub play
{
    my ($what, @edit) = @_;
    ok(Dnsrepl::same(@node), "$what: all serve the same");
    $seattle->cut($tacoma);
    $tacoma->cut($spokane);
    $_->[0]->sql($_->[1]) for @edit;
    $seattle->heal($tacoma);
    $tacoma->heal($spokane);
    ok(Dnsrepl::same(@node), "$what: and again, after all has been healed");
    for my $node (@node)
    {
        is(served($node), join("\n", map { $want{$_} } sort keys %want), $node->name . ": $what");
        is($node->sql("SELECT string_agg(concat_ws(' ', zone, tab, key, problem), '; ') FROM dnsrepl.check_store()"), '', $node->name . ': the tables are what the store has');
    }
    return;
}

# ---------------------------------------------------------------- with each policy, whoever is later
for my $policy ('latest', 'merge', 'hold', 'prefer')
{
    my $options = $policy eq 'prefer' ? q('{"order": ["tacoma"]}') : 'NULL';
    $seattle->sql("DELETE FROM dnsrepl.policy; DELETE FROM domains; INSERT INTO dnsrepl.policy (resolver, options) VALUES ('$policy', $options)");
    my @zone = map { "$_.$policy" } 'first', 'last', 'records', 'gone';
    $seattle->sql(within(make($_, 'old', 'both'))) for @zone;
    %want = map { ("$_.$policy" => "$_.$policy both,new") } 'first', 'last', 'records';
    play("$policy, the zone was made again",
        [ $tacoma, row("first.$policy") ],
        (map { [ $seattle, "DELETE FROM domains WHERE name = '$_'" ] } @zone),
        (map { [ $seattle, within(make($_, 'new', 'both')) ] } @zone[ 0 .. 2 ]),
        [ $tacoma, row("last.$policy") ],
        [ $tacoma, row("gone.$policy") ],
        [ $tacoma, "UPDATE records SET ttl = 70 WHERE name LIKE '%.records.$policy'" ],
        [ $spokane, row("last.$policy") ]);
    is($_->sql("SELECT count(*) FROM records WHERE name LIKE '%.$policy' AND ttl <> 60"), 0, $_->name . ': an edit of a record in the zone that was has gone with it') for @node;
    is($_->sql("SELECT string_agg(DISTINCT zone::text, ' ') FROM dnsrepl.conflict_history WHERE tab = 'domains' AND rule = 'zone-deleted' AND zone <<= '$policy'"),
        join(' ', sort map { "$_.$policy" } 'first', 'last', 'gone'), $_->name . ': the edits of the rows are in the history') for @node;
    is($_->sql("SELECT count(*) FROM dnsrepl.conflict WHERE tab = 'domains'"), 0, $_->name . ': no row is in conflict') for @node;
}
$seattle->sql('DELETE FROM dnsrepl.policy; DELETE FROM domains');

# ---------------------------------------------------------------- deleted and made again in one transaction: what it has changed is edited
$seattle->sql(within(make($_, 'old', 'both', 'kept'))) for 'one.example', 'two.example', 'axfr.example';
%want = ('one.example' => 'one.example edited both,edited,kept,new', 'two.example' => 'two.example edited both,kept,new', 'axfr.example' => 'axfr.example edited both,edited,kept,new');
play('replaced in one transaction',
    [ $tacoma, row('one.example') ],
    [ $tacoma, "INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'edited.' || name, 'A', '192.0.2.2', 60 FROM domains WHERE name IN ('one.example', 'axfr.example')" ],
    [ $seattle, within("DELETE FROM domains WHERE name = 'one.example'; " . make('one.example', 'new', 'both', 'kept')) ],
    [ $seattle, within("DELETE FROM domains WHERE name = 'two.example'; " . make('two.example', 'new', 'both', 'kept')) ],
    # as PowerDNS does it when a zone is transferred
    [ $seattle, within("DELETE FROM records WHERE domain_id = (SELECT id FROM domains WHERE name = 'axfr.example');"
            . make('axfr.example', 'new', 'both', 'kept') =~ s/^.*?;//r) ],
    [ $tacoma, row('two.example') ],
    [ $spokane, row('axfr.example') ]);

# ---------------------------------------------------------------- both make it again; or one deletes what the other has not seen
$seattle->sql('DELETE FROM domains');
$seattle->sql(within(make($_, 'old'))) for 'again.example', 'new.example', 'away.example';
%want = ('again.example' => 'again.example a,b', 'new.example' => 'new.example a', 'away.example' => 'away.example b');
play('made again by several',
    (map { [ $seattle, "DELETE FROM domains WHERE name = '$_'" ] } 'again.example', 'new.example', 'away.example'),
    [ $tacoma, row('again.example') ],
    [ $spokane, "DELETE FROM domains WHERE name = 'again.example'" ],
    [ $seattle, within(make('again.example', 'a')) ],
    [ $spokane, within(make('again.example', 'b')) ],
    [ $seattle, within(make('new.example', 'a')) ],
    [ $tacoma, "DELETE FROM domains WHERE name = 'new.example'" ],    # the old one
    [ $seattle, within(make('away.example', 'a')) ],
    [ $seattle, "DELETE FROM domains WHERE name = 'away.example'" ],
    [ $spokane, "DELETE FROM domains WHERE name = 'away.example'" ],
    [ $spokane, within(make('away.example', 'b')) ],
    [ $tacoma, row('away.example') ]);

# ---------------------------------------------------------------- while an author has the zone: what he does is done to what he saw
$seattle->sql('DELETE FROM domains');
$seattle->sql(within(make($_, 'old'))) for 'held.example', 'drop.example';
ok(Dnsrepl::same(@node), 'two zones');
my $author = $tacoma->session;
$author->query_safe("BEGIN; UPDATE domains SET account = 'held' WHERE name = 'held.example'; DELETE FROM domains WHERE name = 'drop.example'");
$seattle->sql("DELETE FROM domains");
$seattle->sql(within(make($_, 'new'))) for 'held.example', 'drop.example';
ok($tacoma->poll("SELECT count(DISTINCT zone) FROM dnsrepl.parked", 2), 'deleted and made again by a peer while an author has them');
$author->query_safe('COMMIT');
$author->quit;
ok(Dnsrepl::same(@node), 'the author has ended');
is(served($_), "drop.example new\nheld.example new", $_->name . ': he has edited, and deleted, what there was before') for @node;

# ---------------------------------------------------------------- a restored backup, a restart, and collection
$tacoma->cluster->restart;
ok($_->poll("SELECT count(*) FROM dnsrepl.version WHERE NOT live", 0), $_->name . ': what is dead goes') for @node;
$seattle->cut($tacoma);
$seattle->sql("DELETE FROM domains WHERE name = 'held.example'");
$tacoma->sql(row('held.example'));
$seattle->cluster->stop('immediate');
$seattle->cluster->start;
$seattle->heal($tacoma);
ok(Dnsrepl::same(@node), 'after a crash');
is(served($_), 'drop.example new', $_->name . ': a deleted zone stays deleted') for @node;

# ---------------------------------------------------------------- a member that was evicted comes back, when the deletions are gone
# At one of the others they are still there, or at none.
for my $kept ('1s', '1d')
{
    $tacoma->sql($_) for "ALTER SYSTEM SET dnsrepl.tombstone_retention = '$kept'", 'SELECT pg_reload_conf()';
    $seattle->sql(within(make($_, 'a', 'b'))) for map { "$_.example" } 'row', 'names', 'both', 'anew';
    ok(Dnsrepl::same(@node), "retention $kept: some zones");
    $tacoma->cut($spokane);
    $spokane->sql(row("$_.example")) for 'row', 'both', 'anew';
    for my $ttl (61, 62)    # the first edit is one of what all know, the second of what nobody else does
    {
        $spokane->sql("UPDATE records SET ttl = $ttl WHERE name = 'a.$_.example'") for 'names', 'both', 'anew';
    }
    $seattle->sql("DELETE FROM domains WHERE name IN ('row.example', 'names.example', 'both.example', 'anew.example')");
    ok(Dnsrepl::same($seattle, $tacoma), 'a member is away, edits them, and the others delete them');
    $seattle->sql("SELECT dnsrepl.evict('spokane')");
    ok($seattle->poll("SELECT count(*) FROM dnsrepl.version WHERE NOT live", 0), 'it is evicted, and no deletion is kept for it');
    ok($tacoma->poll("SELECT evicted FROM dnsrepl.member WHERE name = 'spokane'"), 'all know it');
    ok($tacoma->poll("SELECT count(*) FROM dnsrepl.version WHERE NOT live", 0), 'at the other node neither') if $kept eq '1s';
    $seattle->sql(within(make('anew.example', 'new')));
    $spokane->sql(row($_)) for 'row.example', 'anew.example';    # later
    $tacoma->heal($spokane);
    ok(Dnsrepl::same(@node), 'it comes back');
    for my $node (@node)
    {
        is(served($node), "anew.example new\ndrop.example new", $node->name . ': what was deleted stays so, with all edits');
        is($node->sql("SELECT count(*) FROM records r WHERE NOT EXISTS (SELECT FROM records s WHERE s.domain_id = r.domain_id AND s.type = 'SOA')"), 0, $node->name . ': there is no zone without SOA');
        is($node->sql("SELECT string_agg(concat_ws(' ', zone, tab, key, problem), '; ') FROM dnsrepl.check_store()"), '', $node->name . ': the tables are what the store has');
    }
    $seattle->sql("DELETE FROM domains WHERE name = 'anew.example'");
}
ok(Dnsrepl::same(@node), 'and are so again');
$tacoma->sql($_) for "ALTER SYSTEM SET dnsrepl.tombstone_retention = '1s'", 'SELECT pg_reload_conf()';

# ---------------------------------------------------------------- a store that was changed by hand
ok($_->poll("SELECT count(*) FROM dnsrepl.version WHERE NOT live", 0), $_->name . ': nothing is on its way') for @node;
$tacoma->sql("UPDATE dnsrepl.zone SET stored = NULL WHERE name = 'drop.example'");
ok($tacoma->poll('SELECT damages FROM dnsrepl.self_check', 1), 'that the incarnations of a zone have been changed by hand is noticed');
ok(Dnsrepl::same(@node), 'and mended');
ok($tacoma->poll("SELECT stored IS NOT NULL FROM dnsrepl.zone WHERE name = 'drop.example'"), 'with those of a peer');
is(served($_), 'drop.example new', $_->name . ': nothing is lost') for @node;
# without the sums telling: as a repair finds it
$tacoma->sql(<<'END');
UPDATE dnsrepl.zone SET stored = NULL WHERE name = 'drop.example';
SELECT dnsrepl.renew_sums(no) FROM dnsrepl.zone WHERE name = 'drop.example';
SELECT dnsrepl.queue_units(ARRAY[no], ARRAY[''::bytea], 'test') FROM dnsrepl.zone WHERE name = 'drop.example';
SELECT dnsrepl.policy_changed();
END
ok(Dnsrepl::wait_until(sub { grep { $_->sql('SELECT repaired FROM dnsrepl.self_check') > 0 } @node }), 'two that differ though they hold the same are united');
ok(Dnsrepl::same(@node), 'so that both serve the same');
is(served($_), 'drop.example new', $_->name . ': the zone is there') for @node;
ok($tacoma->no_problem, 'all is well');
done_testing();
