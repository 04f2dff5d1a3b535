# Nodes whose stores were damaged at once: nothing that one of them has left is lost, nobody waits for ever, and a member that is
# whole is the source as long as it may come.
use strict;
use warnings;
use Dnsrepl;
use Test::More;

my $conf = "dnsrepl.keepalive = '200ms'\ndnsrepl.check_interval = '200ms'";

sub nodes { return map { Dnsrepl->new($_, conf => $conf) } @_ }

# A zone of so many names.
sub zone
{
    my ($node, $zone, $names) = @_;
    $node->sql("INSERT INTO domains (name, type) VALUES ('$zone', 'NATIVE');
        INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, name, 'SOA', 'ns1.example.org h.example.org 1 1 1 1 1', 60 FROM domains WHERE name = '$zone';
        INSERT INTO records (domain_id, name, type, content, ttl, prio) SELECT id, 'n' || i || '.' || name, 'A', '192.0.2.1', 60, 0 FROM domains, generate_series(1, $names) i WHERE name = '$zone'");
    return;
}

# As a superuser who knows how: versions of these names are gone.
sub lose
{
    my ($node, $names, $where) = @_;
    $node->sql(q(DELETE FROM dnsrepl.version_store v WHERE dnsrepl.key_columns(v.key)->>'name' ~ ') . $names . q(') . ($where ? " AND $where" : ''));
    return;
}

sub damaged { return $_[0]->poll('SELECT damaged IS NOT NULL FROM dnsrepl.node') }
sub whole { return $_[0]->poll('SELECT damaged IS NULL FROM dnsrepl.node') }
sub edit { my ($node, $name, $content) = @_; $node->sql("UPDATE records SET content = '$content' WHERE name = '$name'"); return }

sub versions { return $_[0]->sql("SELECT count(*) FROM dnsrepl.version WHERE zone = 'example.org' AND key->>'name' = '$_[1]'") }

# Of two zones one is deleted, the other one deleted and made again; what there is of them, with the number of names that they had.
sub remove_zones
{
    my ($node, $i) = @_;
    $node->sql($_) for "DELETE FROM domains WHERE name IN ('gone$i.example', 'again$i.example')", "INSERT INTO domains (name, type) VALUES ('again$i.example', 'NATIVE')";
    return;
}
sub zones_left { my ($node, $i) = @_; return $node->sql("SELECT string_agg(d.name || ' ' || (SELECT count(*) FROM records r WHERE r.domain_id = d.id AND r.name::text ~ '^n'), ', ') FROM domains d WHERE d.name IN ('gone$i.example', 'again$i.example')") }

# Serials too.
sub alike { my @rows = map { $_->serving } @_; return !grep { $_ ne $rows[0] } @rows }

# All serve and hold the same, and nothing is a problem.
sub fine
{
    my ($names, @nodes) = @_;
    # what the tables had still may come back into a store by comparing, and the zone's serial with it
    ok(Dnsrepl::wait_until(sub { alike(@nodes) }), 'all serve the same');
    for my $node (@nodes)
    {
        my $name = $node->name;
        ok($node->no_problem, "$name: nothing is a problem");
        is($node->sql("SELECT count(*) FROM records WHERE name ~ '^n.*example.org'"), $names, "$name serves every name");
        ok($node->poll("SELECT count(DISTINCT key) FROM dnsrepl.version WHERE zone = 'example.org' AND tab = 'records' AND live AND key->>'name' ~ '^n'", $names), "$name holds every unit");
        ok($node->poll('SELECT count(*) FROM dnsrepl.check_store()', 0), "$name: tables, store and sums are of one mind");
    }
    ok(Dnsrepl::wait_until(sub { alike(@nodes) }), 'and do so at the end');
    return;
}

# ---------------------------------------------------------------- two, and nobody else
{
    my ($seattle, $tacoma) = nodes('seattle', 'tacoma');
    $seattle->peer($tacoma);
    zone($seattle, 'example.org', 20);
    zone($seattle, "$_.example", 2) for qw(gone1 again1);
    ok(Dnsrepl::same($seattle, $tacoma), 'two nodes');
    $_->sql("UPDATE dnsrepl.roll SET since = now() - interval '2 days'") for $seattle, $tacoma;

    # what only one of them has, and two writes that did not know each other
    $seattle->cut($tacoma);
    edit($seattle, 'n7.example.org', '192.0.2.7');
    edit($tacoma, 'n8.example.org', '192.0.2.8');
    edit($_, 'n9.example.org', '192.0.2.' . ($_ == $seattle ? 91 : 92)) for $seattle, $tacoma;
    $seattle->heal($tacoma);
    ok(Dnsrepl::same($seattle, $tacoma), 'the same again');
    is(versions($_, 'n9.example.org'), 2, $_->name . ' holds both of a conflict') for $seattle, $tacoma;
    $seattle->cut($tacoma);
    edit($seattle, 'n10.example.org', '192.0.2.10');
    edit($tacoma, 'n11.example.org', '192.0.2.11');
    remove_zones($seattle, 1);

    $_->unpack_store for $seattle, $tacoma;
    my ($one) = split /\n/, $seattle->sql("SELECT stamp FROM dnsrepl.stored_version WHERE dnsrepl.key_columns(key)->>'name' = 'n9.example.org' ORDER BY stamp");
    lose($seattle, '^n[1-3]\.example\.org$');
    lose($tacoma, '^n[4-6]\.example\.org$');
    lose($tacoma, '^n9\.example\.org$', "v.stamp = $one");
    ok(damaged($_), $_->name . ' knows') for $seattle, $tacoma;
    for my $pair ([ $seattle, $tacoma ], [ $tacoma, $seattle ])
    {
        my ($node, $other) = @$pair;
        my $name = $other->name;
        ok($node->poll("SELECT advice ~ 'it waits for \"$name\"' FROM dnsrepl.problem WHERE error ~ 'store of this node was changed'"), $node->name . ' says whom it waits for');
        is($node->sql('SELECT count(*) FROM dnsrepl.member WHERE evicted'), 0, 'and has not evicted it for not knowing what it holds');
    }
    # people go on, of what is left as of what is gone
    edit($seattle, 'n1.example.org', '192.0.2.31');
    edit($seattle, 'n12.example.org', '192.0.2.32');
    edit($tacoma, 'n13.example.org', '192.0.2.33');
    $tacoma->cluster->restart;

    $seattle->heal($tacoma);
    ok(whole($_), $_->name . ' is out of it') for $seattle, $tacoma;
    fine(20, $seattle, $tacoma);
    for my $node ($seattle, $tacoma)
    {
        is($node->sql("SELECT string_agg(content, ' ' ORDER BY content) FROM records WHERE name ~ '^n(1|7|8|10|11|12|13)\\.'"),
            '192.0.2.10 192.0.2.11 192.0.2.31 192.0.2.32 192.0.2.33 192.0.2.7 192.0.2.8', $node->name . ' has what either had alone, and what was written meanwhile');
        is(versions($node, 'n9.example.org'), 2, $node->name . ' has got back what only one was left of');
        is(zones_left($node, 1), 'again1.example 0', $node->name . ': a zone deleted before the damage stays deleted, and begins empty if made again');
        # of n10 and n11 nobody knows any more whether the one that is not at the other end was replaced there, or lost
        is($node->sql("SELECT string_agg(name::text, ' ' ORDER BY name::text) FROM dnsrepl.conflict"), 'n10.example.org n11.example.org n9.example.org',
            $node->name . ': what was edited meanwhile has nothing beside it that its author had seen');
    }
    edit($seattle, $_, '192.0.2.14') for 'n10.example.org', 'n11.example.org', 'n14.example.org';
    ok(Dnsrepl::same($seattle, $tacoma), 'and writes go on');

    # ------------------------------------------------------------ one has not noticed yet
    $_->unpack_store for $seattle, $tacoma;
    $seattle->sql($_) for 'ALTER SYSTEM SET dnsrepl.check_interval = 0', 'SELECT pg_reload_conf()';
    ok($seattle->poll('SELECT setting::int FROM pg_settings WHERE name = $$dnsrepl.check_interval$$', 0), 'seattle does not look');
    lose($seattle, '^n9\.example\.org$', "v.stamp = $one");
    lose($tacoma, '^n2\.example\.org$');
    ok(damaged($tacoma), 'tacoma knows');
    ok($seattle->poll("SELECT last_error ~ 'changed behind the extension' FROM dnsrepl.status"), 'seattle looks before it gives what it holds to a damaged node');
    is(versions($tacoma, 'n9.example.org'), 2, 'which has not lost by it what seattle lacks');
    ok(whole($_), $_->name . ' is out of it') for $seattle, $tacoma;
    $seattle->sql($_) for 'ALTER SYSTEM RESET dnsrepl.check_interval', 'SELECT pg_reload_conf()';
    fine(20, $seattle, $tacoma);
    is(versions($_, 'n9.example.org'), 2, $_->name . ' holds both of the conflict') for $seattle, $tacoma;

    # ------------------------------------------------------------ mended by one that is whole: what was edited meanwhile
    zone($seattle, "$_.example", 2) for qw(gone2 again2);
    ok(Dnsrepl::same($seattle, $tacoma), 'two more zones');
    $seattle->cut($tacoma);
    remove_zones($tacoma, 2);
    $tacoma->unpack_store;
    lose($tacoma, '^n(3|4|18)\.example\.org$');
    ok(damaged($tacoma), 'tacoma is damaged');
    edit($tacoma, 'n3.example.org', '192.0.2.43');
    edit($tacoma, 'n5.example.org', '192.0.2.45');
    my $serial = $tacoma->sql("SELECT serial FROM dnsrepl.zone WHERE name = 'example.org'");
    $tacoma->sql("DELETE FROM records WHERE name = 'n18.example.org'");
    is($tacoma->sql("SELECT serial - $serial FROM dnsrepl.zone WHERE name = 'example.org'"), 1, 'what its store has lost is deleted: the serial rises');
    $seattle->heal($tacoma);
    ok(whole($tacoma), 'tacoma has been mended');
    fine(19, $seattle, $tacoma);
    is($_->sql("SELECT count(*) FROM records WHERE name = 'n18.example.org'"), 0, $_->name . ': and stays deleted') for $seattle, $tacoma;
    $tacoma->sql("INSERT INTO records (domain_id, name, type, content, ttl, prio) SELECT id, 'n18.example.org', 'A', '192.0.2.1', 60, 0 FROM domains WHERE name = 'example.org'");
    is($_->sql("SELECT count(*) FROM dnsrepl.conflict WHERE zone = 'example.org' AND name <> 'n9.example.org'"), 0, $_->name . ': an edit of a damaged node replaces what its author saw') for $seattle, $tacoma;
    is(zones_left($_, 2), 'again2.example 0', $_->name . ': a zone deleted before the damage stays deleted, and begins empty if made again') for $seattle, $tacoma;

    # ------------------------------------------------------------ all others are evicted
    $seattle->cut($tacoma);
    $seattle->unpack_store;
    lose($seattle, '^n15\.example\.org$');
    ok(damaged($seattle), 'seattle is damaged');
    $seattle->sql("SELECT dnsrepl.evict('tacoma')");
    ok(whole($seattle), 'it takes its store for what it is when the last other one has been evicted');
    like($seattle->log, qr/the store of this node is taken for what it is/, 'and says so');
    lose($seattle, '^n16\.example\.org$');
    ok($seattle->poll('SELECT damages > 1 FROM dnsrepl.self_check'), 'damaged once more');
    ok(whole($seattle), 'it has nobody to wait for');
    edit($seattle, 'n17.example.org', '192.0.2.117');
    $seattle->heal($tacoma);
    ok($seattle->poll('SELECT count(*) FROM dnsrepl.check_store()', 0), 'what its tables had still, and its store no more, it has from the one that was evicted');
    ok(Dnsrepl::wait_until(sub { alike($seattle, $tacoma) }), 'it goes on, also with the one that was evicted');
    is($_->sql("SELECT content FROM records WHERE name = 'n17.example.org'"), '192.0.2.117', $_->name . ' has what it wrote') for $seattle, $tacoma;
    $_->cluster->stop for $seattle, $tacoma;
}

# ---------------------------------------------------------------- two of three
{
    my ($boise, $helena, $laramie) = nodes('boise', 'helena', 'laramie');
    $boise->peer($helena);
    $_->peer($laramie) for $boise, $helena;
    zone($boise, 'example.org', 20);
    ok(Dnsrepl::same($boise, $helena, $laramie), 'three nodes');
    ok($_->poll('SELECT count(*) FROM dnsrepl.member', 3), $_->name . ' knows all') for $boise, $helena, $laramie;
    my $part = sub {
        $_->cut($laramie) for $boise, $helena;
        $boise->cut($helena);
        $_->unpack_store for $boise, $helena;
        lose($boise, '^n[1-4]\.example\.org$');
        lose($helena, '^n[3-6]\.example\.org$');
        ok(damaged($_), $_->name . ' is damaged') for $boise, $helena;
        $boise->heal($helena);
        ok($_->poll(q(SELECT error ~ 'so were those of' AND advice ~ 'it waits for "laramie"\.' FROM dnsrepl.problem WHERE error ~ 'store of this node was changed')),
            $_->name . ' has what is left of the other, and waits for the third') for $boise, $helena;
        $boise->cluster->restart;
        ok($boise->poll(q(SELECT advice ~ 'it waits for "laramie"\.' FROM dnsrepl.problem WHERE error ~ 'store of this node was changed')), 'also after a restart');
    };

    $part->();
    edit($laramie, 'n3.example.org', '192.0.2.3');
    $_->heal($laramie) for $boise, $helena;
    ok(whole($_), $_->name . ' is out of it') for $boise, $helena;
    fine(20, $boise, $helena, $laramie);
    like($_->log, qr/mended with the state of a peer/, $_->name . ' has the state of a peer') for $boise, $helena;
    unlike($_->log, qr/taken for what it is/, $_->name . ' has not taken its own') for $boise, $helena;

    # the third one does not come: somebody says so at one of the two
    $part->();
    edit($laramie, 'n7.example.org', '192.0.2.7');
    $helena->sql("SELECT dnsrepl.evict('laramie')");
    ok(whole($_), $_->name . ' is out of it') for $boise, $helena;
    like($helena->log, qr/taken for what it is.*\n.*the versions of 1 that are damaged too/, 'helena has taken its store for what it is');
    ok($boise->poll("SELECT string_agg(name, ' ') FROM dnsrepl.member WHERE evicted", 'laramie'), 'boise hears that laramie has been evicted');
    ok(Dnsrepl::same($boise, $helena), 'both serve the same');
    is($_->sql("SELECT count(DISTINCT key) FROM dnsrepl.version WHERE zone = 'example.org' AND tab = 'records' AND live AND key->>'name' ~ '^n'"), 18, $_->name . ' holds what either had left') for $boise, $helena;
    edit($boise, 'n8.example.org', '192.0.2.8');
    $_->heal($laramie) for $boise, $helena;
    fine(20, $boise, $helena, $laramie);
    is($_->sql("SELECT string_agg(content, ' ' ORDER BY content) FROM records WHERE name ~ '^n[78]\\.'"), '192.0.2.7 192.0.2.8', $_->name . ' has what all wrote') for $boise, $helena, $laramie;
    $_->cluster->stop for $boise, $helena, $laramie;
}

# ---------------------------------------------------------------- all of a chain, in many messages
$conf .= "\ndnsrepl.chunk_size = '1kB'";
{
    my ($butte, $casper, $logan) = nodes('butte', 'casper', 'logan');
    $casper->peer($_) for $butte, $logan;
    zone($butte, 'example.org', 20);
    ok(Dnsrepl::same($butte, $casper, $logan), 'a chain of three');
    ok($_->poll('SELECT count(*) FROM dnsrepl.member', 3), $_->name . ' knows all') for $butte, $casper, $logan;
    $casper->cut($_) for $butte, $logan;
    $_->unpack_store for $butte, $casper, $logan;
    lose($butte, '^n[1-4]\.example\.org$');
    lose($casper, '^n[3-6]\.example\.org$');
    lose($logan, '^n[15]\.example\.org$');
    ok(damaged($_), $_->name . ' is damaged') for $butte, $casper, $logan;
    $casper->heal($_) for $butte, $logan;
    ok(whole($_), $_->name . ' is out of it') for $butte, $casper, $logan;
    fine(20, $butte, $casper, $logan);
}
done_testing();
