# Two sites that both have data already: nothing happens until somebody says whose counts; what would change can be seen before.
use strict;
use warnings;
use Dnsrepl;
use Test::More;

my $conf = "dnsrepl.keepalive = '200ms'";
my $server = Dnsrepl->new('first', conf => $conf, databases => 'pdns, b1, b2, b3, b4, b5, b6, b7');

sub fill
{
    my ($node, $sql) = @_;
    $node->sql("CREATE FUNCTION put(z text, n text, t rrtype, c text, l int DEFAULT 300) RETURNS void LANGUAGE sql AS \$\$
        INSERT INTO domains (name, type) VALUES (z, 'NATIVE') ON CONFLICT DO NOTHING;
        INSERT INTO records (domain_id, name, type, content, ttl, prio) SELECT id, n, t, c, l, 0 FROM domains WHERE name = z \$\$;
        $sql");
    return;
}

# The cluster: one node is enough.
fill($server, <<'END');
SELECT put('both.example', 'both.example', 'SOA', 'ns1.both.example h.both.example 20 1 1 1 1'), put('both.example', 'www.both.example', 'A', '192.0.2.1'),
       put('both.example', 'same.both.example', 'A', '192.0.2.9'), put('both.example', 'theirs.both.example', 'A', '192.0.2.2'),
       put('both.example', 'gone.both.example', 'A', '192.0.2.3'), put('theirs.example', 'www.theirs.example', 'A', '192.0.2.4'),
       put('dead.example', 'www.dead.example', 'A', '192.0.2.5');
UPDATE domains SET account = 'cluster' WHERE name = 'both.example';
DELETE FROM records WHERE name = 'gone.both.example';
DELETE FROM domains WHERE name = 'dead.example';
END

sub site
{
    my ($db, %option) = @_;
    my $node = Dnsrepl->new($db, server => $server, db => $db, %option);
    fill($node, <<'END') if $option{data} // 1;
SELECT put('both.example', 'both.example', 'SOA', 'ns1.both.example h.both.example 30 1 1 1 1'), put('both.example', 'www.both.example', 'A', '192.0.2.101'),
       put('both.example', 'same.both.example', 'A', '192.0.2.9'), put('both.example', 'mine.both.example', 'A', '192.0.2.102'),
       put('both.example', 'gone.both.example', 'A', '192.0.2.103'), put('mine.example', 'www.mine.example', 'A', '192.0.2.104'),
       put('dead.example', 'www.dead.example', 'A', '192.0.2.105');
UPDATE domains SET account = 'site' WHERE name = 'both.example';
END
    return $node;
}

sub records { return $_[0]->sql("SELECT string_agg(split_part(name::text, '.', 1) || '.' || split_part(name::text, '.', 2) || ' ' || content, ', ' ORDER BY name) FROM records WHERE type = 'A'") }
sub accounts { return $_[0]->sql("SELECT string_agg(name || ' ' || coalesce(account, '-'), ', ' ORDER BY name) FROM domains") }

# ---------------------------------------------------------------- nobody has said anything
my $site = site('b1');
$server->peer($site);
for my $pair ([ $server, 'b1' ], [ $site, 'first' ])
{
    my ($node, $peer) = @$pair;
    ok($node->poll("SELECT last_error ~ 'both nodes have data' AND last_error ~ 'join' FROM dnsrepl.status WHERE name = '$peer'"), $node->name . ' says what it waits for');
}
my ($was, $there) = (records($site), records($server));
ok($site->poll('SELECT count(*) > 0 FROM dnsrepl.join_preview()'), 'what would change can be seen');
is($site->sql("SELECT name, type, tab, here, there, change FROM dnsrepl.join_preview('cluster') WHERE tab IN ('records', 'domains')"), <<'END' =~ s/\n\z//r, 'if the cluster counts');
both.example||domains|account=site type=NATIVE|account=cluster type=NATIVE|replaced here
gone.both.example|A|records|300 A 192.0.2.103|deleted|deleted here
mine.both.example|A|records|300 A 192.0.2.102||new in the cluster
theirs.both.example|A|records||300 A 192.0.2.2|new here
www.both.example|A|records|300 A 192.0.2.101|300 A 192.0.2.1|replaced here
dead.example||domains|type=NATIVE|deleted|deleted here, with its zone
www.dead.example|A|records|300 A 192.0.2.105|deleted|deleted here, with its zone
mine.example||domains|type=NATIVE||new in the cluster
www.mine.example|A|records|300 A 192.0.2.104||new in the cluster
theirs.example||domains||type=NATIVE|new here
www.theirs.example|A|records||300 A 192.0.2.4|new here
END
is($site->sql("SELECT string_agg(name || ': ' || change, ', ' ORDER BY name) FROM dnsrepl.join_preview('mine') WHERE here IS NOT NULL AND there IS NOT NULL AND tab = 'records'"),
    'gone.both.example: new in the cluster, www.both.example: replaced in the cluster, www.dead.example: new in the cluster', 'if this site does');
is(records($site), $was, 'nothing has changed here');
is(records($server), $there, 'nor there');
is($site->sql("SELECT dnsrepl.wait_for_peers('0.1 s')"), 'f', 'nobody says that the peers have it');

# ---------------------------------------------------------------- the cluster counts
like(($site->try("SELECT dnsrepl.join('whatever')"))[2], qr/invalid way to join.*HINT:.*'cluster'/s, 'what is none is refused');
$site->sql("SELECT dnsrepl.join('cluster')");
ok($_->poll("SELECT count(*) = 1 FROM dnsrepl.status WHERE state = 'streaming' AND last_error IS NULL"), $_->name . ': the link is up') for $server, $site;
ok(Dnsrepl::same($server, $site), 'both serve the same');
is(records($site), 'mine.both 192.0.2.102, same.both 192.0.2.9, theirs.both 192.0.2.2, www.both 192.0.2.1, www.mine 192.0.2.104, www.theirs 192.0.2.4', 'the cluster counts where both have something');
is(accounts($server), 'both.example cluster, mine.example -, theirs.example -', 'also of zones');
cmp_ok($server->sql("SELECT split_part(content, ' ', 3)::int FROM records WHERE type = 'SOA'"), '>', 30, 'the serial is ahead of both');
is($_->sql('SELECT count(*) FROM dnsrepl.conflict'), 0, $_->name . ': nothing is in conflict') for $server, $site;
is($_->sql('SELECT count(*) FROM dnsrepl.check_store()'), 0, $_->name . ': the tables are what the store has') for $server, $site;
is($site->sql('SELECT count(*) FROM dnsrepl.stranger, dnsrepl.staging'), 0, 'nothing is kept of the preview');
$site->sql("UPDATE records SET content = '192.0.2.77' WHERE name = 'mine.both.example'");
ok($server->poll("SELECT content FROM records WHERE name = 'mine.both.example'", '192.0.2.77'), 'the zone lives on with what either brought');

# ---------------------------------------------------------------- this site's counts; told when it gets its peer
my $other = site('b2');
$server->connect_to($other);
$other->sql("SELECT dnsrepl.add_peer('first', '" . $other->conninfo_to($server) . "', on_join => 'mine')");
ok(Dnsrepl::same($server, $site, $other), 'a second site joins, and its own counts');
is(records($server), 'gone.both 192.0.2.103, mine.both 192.0.2.102, same.both 192.0.2.9, theirs.both 192.0.2.2, www.both 192.0.2.101, www.dead 192.0.2.105, www.mine 192.0.2.104, www.theirs 192.0.2.4', 'everywhere');
is(accounts($site), 'both.example site, dead.example -, mine.example -, theirs.example -', 'also of zones, and of one that the cluster had deleted');
is($_->sql('SELECT count(*) FROM dnsrepl.check_store()'), 0, $_->name . ': the tables are what the store has') for $server, $other;

# ---------------------------------------------------------------- both are kept
my $third = site('b3');
$server->connect_to($third);
$third->sql("SELECT dnsrepl.add_peer('first', '" . $third->conninfo_to($server) . "', on_join => 'conflict')");
ok(Dnsrepl::same($server, $third), 'a third joins, and what differs is in conflict');
is($server->sql("SELECT string_agg(name, ' ' ORDER BY name) FROM dnsrepl.conflict WHERE tab = 'records'"), '', 'equal rows are none');

# ---------------------------------------------------------------- an author holds a zone: joining waits
my $fourth = site('b4');
my $author = $fourth->session;
$author->query_safe("BEGIN; UPDATE records SET ttl = 5 WHERE name = 'www.mine.example'");
$server->connect_to($fourth);
$fourth->sql("SELECT dnsrepl.add_peer('first', '" . $fourth->conninfo_to($server) . "', on_join => 'cluster')");
ok($server->poll("SELECT last_error ~ 'no local transaction is editing' FROM dnsrepl.status WHERE name = 'b4'"), 'while somebody is editing a zone, joining waits, and says so');
$author->query_safe('COMMIT');
$author->quit;
ok(Dnsrepl::same($server, $fourth), 'and goes on by itself');

# ---------------------------------------------------------------- it has a mate in its own cluster
my @pair = (site('b6'), site('b7', data => 0));
$pair[0]->peer($pair[1]);
ok(Dnsrepl::same(@pair), 'two that are one cluster');
$pair[0]->sql("SELECT dnsrepl.add_peer('first', '" . $pair[0]->conninfo_to($server) . "', on_join => 'cluster')");
$pair[0]->poll("SELECT count(*) = 2 FROM dnsrepl.status WHERE last_contact > now() - interval '1 s'");
is($pair[0]->sql('SELECT joining FROM dnsrepl.node'), 'cluster', 'a mate does not make one forget what it has been told');
$server->connect_to($pair[0]);
ok(Dnsrepl::same($server, @pair), 'it joins, and its mate with it');
is($_->sql('SELECT count(*) FROM dnsrepl.check_store()'), 0, $_->name . ': the tables are what the store has') for @pair;

# ---------------------------------------------------------------- a new node has nothing to say
my $new = site('b5', data => 0);
$new->peer($server);
ok(Dnsrepl::same($server, $new), 'a node without data joins without being told');
is($server->sql("SELECT string_agg(name, ' ' ORDER BY name) FROM dnsrepl.member"), 'b1 b2 b3 b4 b5 b6 b7 first', 'all are members');
done_testing();
