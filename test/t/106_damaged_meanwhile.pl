# What comes for a node whose store was damaged, before it has noticed and before it is mended: then its tables are what its store has, without
# anybody's help. And who has a zone locked does not keep the damage of others from being noticed.
use strict;
use warnings;
use Dnsrepl;
use Test::More;

my $conf = "dnsrepl.keepalive = '200ms'\ndnsrepl.check_interval = '200ms'";
my $away = "wal_level = replica\nmax_wal_senders = 2\nsynchronous_commit = local\nsynchronous_standby_names = 'away'\nmax_prepared_transactions = 5";
my ($seattle, $tacoma) = (Dnsrepl->new('seattle', conf => $conf), Dnsrepl->new('tacoma', conf => "$conf\n$away"));
$seattle->peer($tacoma);

sub zones { return join '', map { "INSERT INTO domains (name, type) VALUES ('$_', 'NATIVE');" } @_ }
sub record { my ($name, $content, $type) = @_; my ($zone) = $name =~ /([^.]+\.example)$/; $type //= 'A'; return "INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, '$name', '$type', '$content', 300 FROM domains WHERE name = '$zone';" }
sub addresses { my ($node, $zone) = @_; return $node->sql("SELECT string_agg(name || ' ' || content, ', ' ORDER BY name::text) FROM records WHERE name <<= '$zone' AND type = 'A'") }
sub setting { my ($node, $line) = @_; $node->sql($_) for "ALTER SYSTEM $line", 'SELECT pg_reload_conf()'; return }
sub looks_not { my ($node) = @_; setting($node, 'SET dnsrepl.check_interval = 0'); return $node->poll("SELECT setting FROM pg_settings WHERE name = 'dnsrepl.check_interval'", '0') }
sub looks { my ($node) = @_; setting($node, 'RESET dnsrepl.check_interval'); $node->sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'dnsrepl checker'"); return }    # it would look again within a minute
sub damaged { return $_[0]->poll('SELECT damaged IS NOT NULL FROM dnsrepl.node') }
sub whole { return $_[0]->poll('SELECT damaged IS NULL FROM dnsrepl.node') }
sub lose_zones { my ($node, @zones) = @_; my $in = join ', ', map { "'$_'" } @zones; $node->sql("DELETE FROM dnsrepl.version_store v USING dnsrepl.zone z WHERE v.zone = z.no AND z.name IN ($in)"); return }
sub lose { my ($node, $where) = @_; $node->sql("DELETE FROM dnsrepl.version_store v WHERE $where"); return }
sub behind { my ($node, $sql) = @_; $node->sql("BEGIN; ALTER TABLE records DISABLE TRIGGER dnsrepl_note; $sql; ALTER TABLE records ENABLE ALWAYS TRIGGER dnsrepl_note; COMMIT"); return }

# Both serve the same, and each what its store has; nothing is a problem, and nothing is kept.
sub fine
{
    my ($what) = @_;
    for my $node ($seattle, $tacoma)
    {
        my $name = $node->name;
        ok($node->no_problem, "$what: nothing is a problem at $name");
        is($node->sql("SELECT string_agg(concat_ws('|', zone, tab, key->>'name', problem, store, tables), E'\\n') FROM dnsrepl.check_store()"), '', "$what: the tables of $name are what its store has");
        is($node->sql('SELECT (SELECT count(*) FROM dnsrepl.deferred), (SELECT count(*) FROM dnsrepl.parked), (SELECT count(*) FROM dnsrepl.shown)'), '0|0|0', "$what: nothing is kept at $name");
    }
    ok(Dnsrepl::same($seattle, $tacoma), "$what: both serve the same");
    return;
}

# ---------------------------------------------------------------- before it is noticed
{
    $seattle->sql(zones(qw(all.example some.example gone.example wait.example told.example)));
    $seattle->sql(record("www.$_.example", '192.0.2.1') . record("old.$_.example", '192.0.2.2')) for qw(all some gone wait told);
    $seattle->sql(record('alias.some.example', 'www.some.example', 'CNAME') . record('d.some.example', 'other.example', 'DNAME') . record('x.below.some.example', '192.0.2.3'));
    ok(Dnsrepl::same($seattle, $tacoma), 'two nodes');
    behind($tacoma, "UPDATE records SET content = '192.0.2.66' WHERE name = 'old.told.example'");
    ok($tacoma->poll("SELECT error FROM dnsrepl.problem WHERE zone = 'told.example'", 'the tables are not what the store has: 1 units'), 'a difference that people have to settle is told of');
    $tacoma->unpack_store;
    ok(looks_not($tacoma), 'tacoma does not look');
    lose_zones($tacoma, map { "$_.example" } qw(all gone wait));
    lose($tacoma, "dnsrepl.key_columns(v.key)->>'name' IN ('www.told.example', 'www.some.example', 'old.some.example', 'alias.some.example', 'd.some.example')");
    my $author = $tacoma->session;
    $author->query_safe("BEGIN; UPDATE records SET ttl = 60 WHERE name = 'old.wait.example'");

    # an edit, a deletion, something new; of a whole zone, of single units, of a zone that has to wait, of one that goes
    $seattle->sql("UPDATE records SET content = '192.0.2.11' WHERE name = 'www.$_.example'; DELETE FROM records WHERE name = 'old.$_.example';" . record("new.$_.example", '192.0.2.13')) for qw(all some wait);
    $seattle->sql("DELETE FROM domains WHERE name = 'gone.example'");
    $seattle->sql("DELETE FROM records WHERE name = 'd.some.example' AND type = 'DNAME'; UPDATE records SET type = 'A', content = '192.0.2.14' WHERE name = 'alias.some.example'");
    $seattle->sql(record('new.told.example', '192.0.2.13'));
    ok($seattle->wait_for_peers, 'tacoma has got it');
    is(addresses($tacoma, 'all.example') =~ s/old.all.example 192.0.2.2, //r, 'new.all.example 192.0.2.13, www.all.example 192.0.2.11', 'what comes for a zone of which the store has nothing any more is shown');
    is(addresses($tacoma, 'wait.example'), 'old.wait.example 192.0.2.2, www.wait.example 192.0.2.1', 'but not where an author is at it');
    $author->query_safe('COMMIT');
    $author->quit;
    ok($tacoma->poll("SELECT count(*) FROM dnsrepl.parked", 0), 'when he has ended');
    is(addresses($tacoma, 'wait.example') =~ s/old.wait.example 192.0.2.2, //r, 'new.wait.example 192.0.2.13, www.wait.example 192.0.2.11', 'it is');

    $seattle->sql("SELECT dnsrepl.pause('tacoma')");
    looks($tacoma);
    ok(damaged($tacoma), 'tacoma knows');
    is($tacoma->sql("SELECT error FROM dnsrepl.problem WHERE zone IS NULL"), "the store of this node was changed behind the extension's back", 'and says so');
    ok($tacoma->poll("SELECT string_agg(zone || ': ' || error, ', ' ORDER BY zone) FROM dnsrepl.problem WHERE zone IN ('all.example', 'some.example', 'told.example')",
        "all.example: the store has been changed behind the extension's back, some.example: the store has been changed behind the extension's back, told.example: the tables are not what the store has: 1 units"),
        'it says in which zones, and not of their tables what it cannot know');
    $seattle->sql("SELECT dnsrepl.resume('tacoma')");
    ok(whole($tacoma), 'tacoma has been mended');
    ok($tacoma->poll("SELECT string_agg(concat_ws(': ', zone, error), '; ') FROM dnsrepl.problem", 'told.example: the tables are not what the store has: 1 units'), 'what people have to settle is told of still, and nothing else');
    is($tacoma->sql("SELECT content FROM records WHERE name = 'old.told.example'"), '192.0.2.66', 'and has not been settled for them');
    $tacoma->sql("SELECT count(*) FROM dnsrepl.check_store(repair => 'tables')");
    fine('what came before it was noticed');
    is(addresses($tacoma, 'some.example'), 'alias.some.example 192.0.2.14, new.some.example 192.0.2.13, www.some.example 192.0.2.11, x.below.some.example 192.0.2.3', 'what was deleted is gone');
}

# ---------------------------------------------------------------- a zone that somebody has locked
$seattle->sql(zones(qw(a-hung.example b-hung.example other.example free.example)));
$seattle->sql(record("www.$_.example", '192.0.2.1') . record("old.$_.example", '192.0.2.2')) for qw(a-hung b-hung other free);
ok(Dnsrepl::same($seattle, $tacoma), 'more zones');

sub writes { $seattle->sql(record("$_[0].$_.example", '192.0.2.5') . "DELETE FROM records WHERE name = 'old.$_.example'") for qw(a-hung free); return }

# What is found in a zone after these two, by a round that is not kept from it.
sub other_differs
{
    behind($tacoma, "UPDATE records SET content = '192.0.2.66' WHERE name = 'www.other.example'");
    return;
}
sub other_is_put_right
{
    behind($tacoma, "UPDATE records SET content = '192.0.2.1' WHERE name = 'www.other.example'");
    return;
}
sub other_is_checked
{
    my ($what) = @_;
    ok($tacoma->poll("SELECT error FROM dnsrepl.problem WHERE zone = 'other.example'", 'the tables are not what the store has: 1 units', 10), "$what: other zones are checked");
    return;
}

{
    $tacoma->unpack_store;
    $tacoma->sql("BEGIN; SELECT FROM dnsrepl.zone WHERE name IN ('a-hung.example', 'b-hung.example') FOR UPDATE; PREPARE TRANSACTION 'hung'");
    $seattle->sql(record('first.a-hung.example', '192.0.2.4'));
    ok($tacoma->poll('SELECT count(*) FROM dnsrepl.deferred', 1), 'what comes for a zone that is locked is kept');
    ok(looks_not($tacoma), 'tacoma does not look');
    other_differs();
    lose_zones($tacoma, 'a-hung.example', 'free.example');
    writes('prepared');
    ok($seattle->wait_for_peers, 'tacoma has got it');
    looks($tacoma);
    ok(damaged($tacoma), 'a prepared transaction: the damage is noticed');
    other_is_checked('a prepared transaction');
    $tacoma->sql("ROLLBACK PREPARED 'hung'");
    ok(whole($tacoma), 'and mended, when the transaction has ended');
    other_is_put_right();
    fine('a prepared transaction');
}

# one whose commit hangs has a stamp, with which this life cannot end
{
    $tacoma->unpack_store;
    ok(looks_not($tacoma), 'tacoma does not look');
    other_differs();
    my $hung = $tacoma->cluster->background_psql('pdns', on_error_stop => 0);
    $hung->query_until(qr/go/, "SET application_name = 'hung'; SET synchronous_commit = on;\n\\echo go\nBEGIN; " . record('hung.a-hung.example', '192.0.2.6') . " COMMIT;\n");
    ok($tacoma->poll("SELECT wait_event FROM pg_stat_activity WHERE application_name = 'hung'", 'SyncRep'), 'a commit hangs');
    lose_zones($tacoma, 'a-hung.example', 'free.example');
    writes('commit');
    looks($tacoma);
    other_is_checked('a commit that hangs');
    ok($tacoma->poll("SELECT error FROM dnsrepl.problem WHERE zone = 'free.example'", "the store has been changed behind the extension's back"), 'a commit that hangs: the damage is told of');
    ok(Dnsrepl::wait_until(sub { $tacoma->log =~ /could not check all of its store: the present life of this node/ }), 'and in the log what it waits for');
    my $damages = $tacoma->sql('SELECT damages FROM dnsrepl.self_check');
    setting($tacoma, "SET synchronous_standby_names = ''");
    eval { $hung->quit };
    ok($tacoma->poll("SELECT damages > $damages FROM dnsrepl.self_check"), 'the damage is dealt with when the commit has ended');
    ok(whole($tacoma), 'it is mended');
    other_is_put_right();
    fine('a commit that hangs');
    is($_->sql("SELECT count(*) FROM records WHERE name = 'hung.a-hung.example'"), 1, $_->name . ' has what hung') for $seattle, $tacoma;
}
done_testing();
