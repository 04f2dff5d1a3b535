# One commit that hangs in one zone delays that zone, and nothing else: everything else comes from every peer, and local authors of
# other zones commit. What came for the zone is kept meanwhile, claimed, and handed on; at the end all is as if it had come then.
use strict;
use warnings;
use Dnsrepl;
use Test::More;

# seattle - tacoma - olympia: what olympia gets of seattle's, it gets through tacoma, where the commits hang.
my $conf = "dnsrepl.keepalive = '1s'\ndnsrepl.check_interval = '1s'";
my $away = "synchronous_standby_names = 'away'";
my @node = (Dnsrepl->new('seattle', conf => $conf),
    Dnsrepl->new('tacoma', conf => "$conf\nwal_level = replica\nmax_prepared_transactions = 2\nmax_wal_senders = 2\nsynchronous_commit = local\n$away"),
    Dnsrepl->new('olympia', conf => $conf));
my ($seattle, $tacoma, $olympia) = @node;
$seattle->peer($tacoma);
$olympia->peer($tacoma);

sub record { my ($name, $address) = @_; my ($zone) = $name =~ /\.(.*)/; return "INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, '$name', 'A', '192.0.2.$address', 300 FROM domains WHERE name = '$zone';" }
sub at { my ($name) = @_; return "SELECT string_agg(substr(content, 9), ' ' ORDER BY content) FROM records WHERE name = '$name'" }
sub zone { return join ' ', map { "INSERT INTO domains (name, type, account) VALUES ('$_', 'NATIVE', '');" } @_ }

# A transaction that has the zone's row: until its end, which may be long.
my %hangs = (
    'a commit that waits for a standby' => [
        sub {
            my ($sql) = @_;
            my $hung = $tacoma->cluster->background_psql('pdns', on_error_stop => 0);
            $hung->query_until(qr/go/, "SET application_name = 'hung'; SET synchronous_commit = on;\n\\echo go\nBEGIN; $sql COMMIT;\n");
            ok($tacoma->poll("SELECT wait_event FROM pg_stat_activity WHERE application_name = 'hung'", 'SyncRep'), 'the commit hangs');
            return $hung;
        },
        sub {
            my ($hung) = @_;
            standby($_) for "synchronous_standby_names = ''";
            eval { $hung->quit };
            standby($away);
        } ],
    'a long capture' => [
        sub {
            my ($sql) = @_;
            my $hung = $tacoma->session;
            # captured, with all that comes of it, and not committed yet
            $hung->query_safe("SET application_name = 'hung'; BEGIN; $sql SAVEPOINT s; SELECT FROM dnsrepl.zone WHERE name IN ('hung.example', 'made.example') FOR UPDATE");
            return $hung;
        },
        sub {
            my ($hung) = @_;
            $hung->query_safe('COMMIT');
            $hung->quit;
        } ],
);

sub standby
{
    my ($line) = @_;
    $tacoma->cluster->append_conf('postgresql.conf', $line);
    $tacoma->cluster->reload;
    return;
}

my $pid = "SELECT pid FROM pg_stat_activity WHERE application_name = 'hung'";
my $round = 0;
sub hangs
{
    my ($what, $zone, $mine, $theirs, $meanwhile) = @_;
    my ($begin, $end) = @{ $hangs{$what} };
    my $n = ++$round;
    ok(Dnsrepl::same(@node), "$what, $n: all are the same before");
    my $hung = $begin->($mine);
    $seattle->sql("BEGIN; $theirs COMMIT");
    $olympia->sql("BEGIN; UPDATE domains SET account = account || 'o' WHERE name = '$zone'; COMMIT") if $zone eq 'hung.example';
    $seattle->sql(record("s$n.seattle.example", 1));
    $olympia->sql(record("o$n.olympia.example", 1));
    ok($tacoma->poll(at("s$n.seattle.example"), 1), "$what, $n: other zones come from one peer");
    ok($tacoma->poll(at("o$n.olympia.example"), 1), "$what, $n: and from the other");
    my ($status, undef, $error) = $tacoma->try("SET lock_timeout = '5s'; " . record("t$n.tacoma.example", 1));
    is($status, 0, "$what, $n: a local author in another zone commits") or diag($error);
    ok($seattle->poll(at("t$n.tacoma.example"), 1), "$what, $n: which the peers get");
    ok($seattle->wait_for_peers && $olympia->wait_for_peers, "$what, $n: nothing is left to be sent");
    ok($tacoma->poll("SELECT count(*) > 0 FROM dnsrepl.problem p, ($pid) h WHERE zone = '$zone' AND error ~ ('process ' || h.pid)"), "$what, $n: what waits is shown, and for whom");
    ok($_->poll("SELECT last_error ~ 'zone \"$zone\"' AND state = 'streaming' FROM dnsrepl.status WHERE name = 'tacoma'"), "$what, $n: at the peer too: " . $_->name) for $seattle;
    is($tacoma->sql("SELECT count(*) FROM dnsrepl.problem WHERE zone IN ('seattle.example', 'olympia.example', 'tacoma.example')"), 0, "$what, $n: nothing else waits");
    $meanwhile->($n) if $meanwhile;
    my $vector = $tacoma->sql('SELECT vector FROM dnsrepl.changes_since() WHERE zone IS NULL ORDER BY vector IS NULL LIMIT 1');
    $end->($hung);
    ok($_->no_problem, "$what, $n: nothing waits at " . $_->name) for @node;
    ok(Dnsrepl::same(@node), "$what, $n: all are the same after");
    is($_->sql("SELECT concat_ws('|', zone, tab, key->>'name', problem, store) FROM dnsrepl.check_store()"), '', "$what, $n: " . $_->name . ': tables and sums are what the store has') for @node;
    ok($seattle->poll("SELECT coalesce(last_error, '') FROM dnsrepl.status WHERE name = 'tacoma'", ''), "$what, $n: no more is said of it");
    is($tacoma->sql("SELECT count(*) > 0 FROM dnsrepl.changes_since('$vector') WHERE zone = '$zone'"), 't', "$what, $n: whoever goes by changes_since() hears of it, though its vector has it");
    return;
}

$tacoma->sql(zone(qw(hung.example seattle.example olympia.example tacoma.example tied.example)) . record('www.hung.example', 1));
for my $what (sort keys %hangs)
{
    hangs($what, 'hung.example', record("mine$round.hung.example", 1), record("theirs$round.hung.example", 2), sub {
        ok($olympia->poll(at('theirs' . ($_[0] - 1) . '.hung.example'), 2), "$what: it is handed on meanwhile");
    });
    hangs($what, 'hung.example', "UPDATE records SET content = '192.0.2.1$round' WHERE name = 'www.hung.example';",
        "UPDATE records SET content = '192.0.2.2$round' WHERE name = 'www.hung.example';", sub {
        # what supersedes what is kept, and what is tied to it
        my ($n) = @_;
        $seattle->sql("BEGIN; UPDATE records SET content = '192.0.2.3$n' WHERE name = 'www.hung.example'; " . record("x$n.tied.example", 1) . 'COMMIT');
        ok($seattle->wait_for_peers, "$what: more comes for it");
        ok($olympia->poll(at('www.hung.example') , "3$n"), "$what: and is handed on");
        ok($olympia->poll(at("x$n.tied.example"), 1), "$what: with what is tied to it");
        is($tacoma->sql(at("x$n.tied.example")), '', "$what: which waits with it at the node");
        $seattle->sql(record("y$n.seattle.example", 1));
        ok($tacoma->poll(at("y$n.seattle.example"), 1), "$what: the rest comes");
    });
    is($_->sql("SELECT count(*) FROM dnsrepl.conflict"), 1, "$what: one conflict, at " . $_->name) for @node;
    $seattle->sql("UPDATE records SET content = '192.0.2.9' WHERE name = 'www.hung.example'");
    ok($_->poll('SELECT count(*) FROM dnsrepl.conflict', 0), "$what: an edit settles it at " . $_->name) for @node;
    hangs($what, 'hung.example', record("mine$round.hung.example", 1), "DELETE FROM domains WHERE name = 'hung.example';", sub {
        ok($olympia->poll("SELECT count(*) FROM domains WHERE name = 'hung.example'", $olympia->sql("SELECT count(*) FROM domains WHERE name = 'hung.example'")), "$what: a deletion");
    });
    $seattle->sql("DELETE FROM domains WHERE name = 'hung.example'");
    ok(Dnsrepl::same(@node), "$what: it is gone");
    $seattle->sql(zone('hung.example') . record('www.hung.example', 1));
}

# ---------------------------------------------------------------- a zone that is deleted, and made again, while a commit hangs in it
sub names { return $_[0]->sql("SELECT string_agg(split_part(name::text, '.', 1), ' ' ORDER BY name::text) FROM records WHERE name ~ '[.]hung.example\$'") }
sub incarnations { return $_[0]->sql("SELECT coalesce(cardinality(stored), 0) / 2 FROM dnsrepl.zone WHERE name = 'hung.example'") }

my $again = "DELETE FROM domains WHERE name = 'hung.example'; COMMIT; BEGIN; " . zone('hung.example') . record('new.hung.example', 7);
my %incarnation = (
    'its row' => [ "UPDATE domains SET account = 'edited' WHERE name = 'hung.example';", $again, 'new', 'new', 1 ],
    'a record' => [ record('lost.hung.example', 1), $again, 'new', 'new', 1 ],
    'a deletion' => [ "DELETE FROM domains WHERE name = 'hung.example';", record('lost.hung.example', 2), 'lost www', undef, 0 ],
    'a deletion too' => [ "DELETE FROM domains WHERE name = 'hung.example';", $again, 'new', 'new', 1 ],
    'another zone' => [ "DELETE FROM domains WHERE name = 'hung.example'; COMMIT; BEGIN; " . zone('hung.example') . record('mine.hung.example', 8), $again, 'new', 'mine new', 2 ],
);
for my $what (sort keys %hangs)
{
    for my $edit (sort keys %incarnation)
    {
        my ($mine, $theirs, $meanwhile, $after, $alive) = @{ $incarnation{$edit} };
        # of what is in one transaction here the first part is committed before it hangs
        my ($first, $rest) = $mine =~ /^(.*) COMMIT; BEGIN; (.*)$/s ? ($1, $2) : (undef, $mine);
        $seattle->sql("BEGIN; DELETE FROM domains WHERE name = 'hung.example'; COMMIT; BEGIN; " . zone('hung.example') . record('www.hung.example', 1) . 'COMMIT');
        ok(Dnsrepl::same(@node), "$what, $edit: begun anew");
        if ($first)
        {
            $seattle->cut($tacoma);
            $olympia->cut($tacoma);
            $tacoma->sql($first);
        }
        my $heal = sub { $seattle->heal($tacoma); $olympia->heal($tacoma) };
        remade("$what, $edit", $what, $rest, $theirs, $meanwhile, $first ? $heal : undef);
        is(names($_), $after // '', "$what, $edit: after, at " . $_->name) for @node;
        is($_->sql("SELECT count(*) FROM domains WHERE name = 'hung.example'"), defined $after ? 1 : 0, "$what, $edit: the zone at " . $_->name) for @node;
        is(incarnations($_), $alive, "$what, $edit: so many incarnations at " . $_->name) for @node;
    }
}

sub remade
{
    my ($name, $what, $mine, $theirs, $meanwhile, $heal) = @_;
    my ($begin, $end) = @{ $hangs{$what} };
    my $hung = $begin->($mine);
    $seattle->sql("BEGIN; $theirs COMMIT");
    $heal->() if $heal;
    ok($tacoma->poll('SELECT count(*) > 0 FROM dnsrepl.deferred'), "$name: it is kept");
    ok($seattle->wait_for_peers, "$name: all of it");
    ok($olympia->poll("SELECT string_agg(split_part(name::text, '.', 1), ' ' ORDER BY name::text) FROM records WHERE name ~ '[.]hung.example\$'", $meanwhile), "$name: handed on, of the old zone nothing is left there");
    $end->($hung);
    ok($_->no_problem, "$name: nothing waits at " . $_->name) for @node;
    ok(Dnsrepl::same(@node), "$name: all are the same after");
    is($_->sql("SELECT concat_ws('|', zone, tab, key->>'name', problem, store) FROM dnsrepl.check_store()"), '', "$name: " . $_->name . ': tables and sums are what the store has') for @node;
    return;
}
$seattle->sql("BEGIN; DELETE FROM domains WHERE name = 'hung.example'; COMMIT; BEGIN; " . zone('hung.example') . record('www.hung.example', 1) . 'COMMIT');
ok(Dnsrepl::same(@node), 'begun anew');
unlike($_->log, qr/have been united/, 'comparing had nothing to mend at ' . $_->name) for @node;

# ---------------------------------------------------------------- a node whose store is damaged meanwhile
{
    my $lock = $tacoma->session;
    $lock->query_safe("BEGIN; SELECT FROM dnsrepl.zone WHERE name = 'hung.example' FOR UPDATE");
    $olympia->cut($tacoma);
    $seattle->sql(record('only.hung.example', 5));
    ok($tacoma->poll('SELECT count(*) FROM dnsrepl.deferred', 1), 'damage: something is kept');
    ok($seattle->wait_for_peers, 'damage: its sender relies on that');
    $seattle->cut($tacoma);
    $tacoma->unpack_store;
    $tacoma->sql(q(DELETE FROM dnsrepl.version_store v WHERE dnsrepl.key_columns(v.key)->>'name' ~ '^s.*seattle.example'));
    ok($tacoma->poll('SELECT damaged IS NOT NULL FROM dnsrepl.node'), 'damage: the node has found it');
    $olympia->heal($tacoma);
    ok($olympia->poll(q(SELECT last_error ~ 'mends its store' FROM dnsrepl.status WHERE name = 'tacoma')), 'damage: what is kept comes first');
    $lock->query_safe('COMMIT');
    $lock->quit;
    ok($tacoma->poll('SELECT damaged IS NULL FROM dnsrepl.node'), 'damage: a peer that has not got it has mended the store');
    ok($olympia->poll(at('only.hung.example'), 5), 'damage: and gets it from there, its author being away');
    $seattle->heal($tacoma);
    ok(Dnsrepl::same(@node), 'damage: all are the same');
    ok($_->no_problem, 'damage: nothing is a problem at ' . $_->name) for @node;
    is($_->sql("SELECT concat_ws('|', zone, tab, key->>'name', problem, store) FROM dnsrepl.check_store()"), '', 'damage: ' . $_->name . ': tables and sums are what the store has') for @node;
}

# ---------------------------------------------------------------- a zone that somebody else is making
hangs('a commit that waits for a standby', 'made.example', zone('made.example') . record('t.made.example', 1), zone('made.example') . record('s.made.example', 1));
is($_->sql("SELECT string_agg(name::text, ' ' ORDER BY name) FROM records WHERE name ~ 'made.example'"), 's.made.example t.made.example', 'made at both ends, it is one zone: ' . $_->name) for @node;

# ---------------------------------------------------------------- a deletion that waits has not been seen by whoever hangs: nobody collects it
sub deletions { return $_[0]->poll("SELECT count(*) FROM dnsrepl.version WHERE key->>'name' = 'deleted.hung.example' AND NOT live", $_[1]) }
{
    my ($begin, $end) = @{ $hangs{'a commit that waits for a standby'} };
    $_->sql("ALTER SYSTEM SET dnsrepl.tombstone_retention = '0'"), $_->sql('SELECT pg_reload_conf()') for @node;
    $seattle->sql(record('deleted.hung.example', 1));
    ok(Dnsrepl::same(@node), 'a deletion: all are the same before');
    my $hung = $begin->("UPDATE records SET content = '192.0.2.50' WHERE name = 'deleted.hung.example';");
    $seattle->sql("DELETE FROM records WHERE name = 'deleted.hung.example'");
    ok($seattle->wait_for_peers, 'it is sent');
    for ($seattle, $olympia)
    {
        my $rounds = $_->sql('SELECT rounds FROM dnsrepl.self_check');
        ok($_->poll("SELECT rounds >= $rounds + 4 FROM dnsrepl.self_check"), $_->name . ' has looked for what can be collected');
        ok(deletions($_, 1), 'not this, at ' . $_->name);
    }
    $end->($hung);
    ok(Dnsrepl::same(@node), 'all are the same after');
    is($_->sql(at('deleted.hung.example')), '', 'the deletion, which is later, is served at ' . $_->name) for @node;
    $seattle->sql("DELETE FROM records WHERE name = 'www.hung.example'");
    ok($_->poll("SELECT count(*) FROM dnsrepl.version WHERE key->>'name' = 'www.hung.example'", 0), 'another deletion is collected at ' . $_->name) for @node;
    $seattle->sql(record('www.hung.example', 1));
    $_->sql('ALTER SYSTEM RESET dnsrepl.tombstone_retention'), $_->sql('SELECT pg_reload_conf()') for @node;
}

# ---------------------------------------------------------------- a prepared transaction
$tacoma->sql("BEGIN; SELECT FROM dnsrepl.zone WHERE name = 'hung.example' FOR UPDATE; PREPARE TRANSACTION 'held'");
for my $n (1 .. 20)
{
    $seattle->sql(record("p$n.hung.example", 1));
    ok($seattle->wait_for_peers, "prepared: sent, $n");
}
ok($tacoma->poll("SELECT error ~ 'the prepared transaction ''held'' has the zone locked' FROM dnsrepl.problem WHERE zone = 'hung.example'"), 'prepared: it is named');
ok($seattle->poll("SELECT last_error ~ 'held' FROM dnsrepl.status WHERE name = 'tacoma'"), 'prepared: at the peer too');
$seattle->sql(record('prepared.seattle.example', 1));
ok($tacoma->poll(at('prepared.seattle.example'), 1), 'prepared: other zones come');
$tacoma->sql("COMMIT PREPARED 'held'");
ok($_->no_problem, 'prepared: nothing waits at ' . $_->name) for @node;
ok(Dnsrepl::same(@node), 'prepared: all are the same after');
is($tacoma->sql("SELECT count(*) FROM records WHERE name ~ '^p[0-9]+[.]hung'"), 20, 'prepared: with all that came');

# ---------------------------------------------------------------- a node that is new, and one that crashes meanwhile
{
    my ($begin, $end) = @{ $hangs{'a commit that waits for a standby'} };
    my $hung = $begin->(record('full.hung.example', 1));
    my $yakima = Dnsrepl->new('yakima', conf => $conf);
    $yakima->peer($seattle);
    ok(Dnsrepl::same($yakima, $seattle), 'a new node');
    $yakima->sql(record('yakima.hung.example', 1));
    $yakima->peer($tacoma);
    ok($yakima->wait_for_peers, 'meets the one where a commit hangs');
    $tacoma->cluster->stop('immediate');
    $tacoma->cluster->append_conf('postgresql.conf', "synchronous_standby_names = ''");
    $tacoma->cluster->start;
    eval { $hung->quit };
    ok($_->no_problem, 'nothing waits at ' . $_->name) for @node, $yakima;
    ok(Dnsrepl::same(@node, $yakima), 'all are the same after a crash');
    ok($tacoma->poll(at('yakima.hung.example'), 1), 'what was kept is there');
}

# ---------------------------------------------------------------- LOCK_ORIGIN and LOCK_VECTOR: of an author who made his life's origin, without a manager
{
    my ($begin, $end) = @{ $hangs{'a commit that waits for a standby'} };
    $tacoma->cluster->append_conf('postgresql.conf', "dnsrepl.databases = ''\n$away");
    $tacoma->cluster->restart;
    my $hung = $begin->(record('first.hung.example', 1));
    $seattle->sql(record('late.seattle.example', 1));
    ok($seattle->poll(q(SELECT last_error ~ 'process \d+' AND last_error ~ 'vector' FROM dnsrepl.status WHERE name = 'tacoma')), 'the sender says what its delta waits for');
    ok($tacoma->poll("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND pid NOT IN ($pid)", 0), 'and nobody keeps a lock meanwhile');
    standby("synchronous_standby_names = ''");
    eval { $hung->quit };
    $tacoma->cluster->append_conf('postgresql.conf', "dnsrepl.databases = 'pdns'");
    $tacoma->cluster->restart;
    ok(Dnsrepl::same(@node), 'then it goes on');
}
done_testing();
