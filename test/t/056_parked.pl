# What cannot be projected is kept, shown and tried again; everything else goes on.
use strict;
use warnings;
use Dnsrepl;
use Test::More;

my @node = map { Dnsrepl->new($_) } qw(seattle tacoma);
my ($seattle, $tacoma) = @node;
$seattle->peer($tacoma);
$seattle->sql("INSERT INTO domains (name, type) VALUES ('example.org', 'NATIVE'), ('example.net', 'NATIVE')");

sub add
{
    my ($name, $content) = @_;
    my ($zone) = $name =~ /(example\.\w+)$/;
    $seattle->sql("INSERT INTO records (domain_id, name, type, content, ttl, prio)"
          . " SELECT id, '$name', 'A', '$content', 60, 0 FROM domains WHERE name = '$zone'");
    return;
}

sub at_tacoma { my ($name, $n) = @_; return $tacoma->poll("SELECT count(*) FROM records WHERE name = '$name'", $n) }

add('www.example.org', '192.0.2.1');
ok(Dnsrepl::same(@node), 'all is well at first');

# ---------------------------------------------------------------- a CHECK of the user's
$tacoma->sql("ALTER TABLE records ADD CONSTRAINT no_documentation CHECK (content <> '203.0.113.1')");
add('refused.example.org', '203.0.113.1');
add('other.example.org', '192.0.2.2');
ok(at_tacoma('other.example.org', 1), 'what is not refused is there');
ok($tacoma->poll("SELECT zone || ' ' || (key->>'name') || ' ' || (error ~ 'no_documentation') FROM dnsrepl.problem",
    'example.org refused.example.org true'), 'what is refused is shown, with the reason');
is($tacoma->sql("SELECT string_agg(DISTINCT projected::text, ',') FROM dnsrepl.version WHERE key->>'name' = 'refused.example.org'"),
    'false', 'and is in the store, not yet projected');
ok($tacoma->poll("SELECT min(tries) >= 2 FROM dnsrepl.problem"), 'it is tried again');
$tacoma->sql('ALTER TABLE records DROP CONSTRAINT no_documentation');
ok(Dnsrepl::same(@node), 'without the CHECK it comes by itself');
is($tacoma->sql('SELECT count(*) FROM dnsrepl.problem'), 0, 'and is no problem any more');

# ---------------------------------------------------------------- a transaction that is left open
my $open = $tacoma->session;
$open->query_safe("BEGIN; UPDATE records SET ttl = 61 WHERE name = 'www.example.org'");
add('late.example.org', '192.0.2.3');
add('www.example.net', '192.0.2.4');
ok(at_tacoma('www.example.net', 1), 'a transaction left open in one zone does not delay another');
is($tacoma->sql("SELECT count(*) FROM records WHERE name = 'late.example.org'"), 0, 'it delays its own');
ok($tacoma->poll("SELECT string_agg(DISTINCT zone::text || ': ' || error, ', ') FROM dnsrepl.problem",
    'example.org: a local transaction is editing the zone'), 'which is shown');
$open->query_safe('COMMIT');
ok(Dnsrepl::same(@node), 'until it ends');

# ---------------------------------------------------------------- so much of it that it has to wait its turn
my $elsewhere = $tacoma->session;
$open->query_safe("BEGIN; UPDATE records SET ttl = 62 WHERE name = 'www.example.org'");
for my $lot (1 .. 22)
{
    $seattle->sql("INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'lot$lot-' || i || '.example.org', 'A', '192.0.2.1', 60 FROM domains, generate_series(1, 50) i WHERE name = 'example.org'");
    $seattle->wait_for_peers or last;
}
ok($tacoma->poll('SELECT count(*) > 1000 FROM dnsrepl.problem'), 'a zone that is being edited for long, and much that waits for it');
$elsewhere->query_safe("BEGIN; UPDATE records SET ttl = 62 WHERE name = 'www.example.net'");
add('turn.example.net', '192.0.2.3');
ok($tacoma->poll("SELECT count(*) FROM dnsrepl.problem WHERE zone = 'example.net'", 1), 'another zone that is being edited');
$elsewhere->query_safe('ROLLBACK');
$elsewhere->quit;
ok(at_tacoma('turn.example.net', 1), 'comes when that has ended');
$tacoma->sql('BEGIN; SELECT dnsrepl.project_parked(); ROLLBACK');
$open->query_safe('ROLLBACK');
ok(Dnsrepl::same(@node), 'as does the first one, though an attempt was rolled back');
$open->quit;

# ---------------------------------------------------------------- a table that is locked, a zone with many units
$open = $tacoma->session;
$open->query_safe('BEGIN; LOCK TABLE comments IN ACCESS EXCLUSIVE MODE');
$seattle->sql("INSERT INTO comments (domain_id, name, type, modified_at, comment)"
      . " SELECT id, 'h' || i || '.example.org', 'A', 0, 'many' FROM domains, generate_series(1, 200) i WHERE name = 'example.org'");
add('again.example.net', '192.0.2.5');
ok($tacoma->poll('SELECT count(*) > 0 FROM dnsrepl.problem'), 'a locked table is a problem that is shown');
ok(at_tacoma('again.example.net', 1), 'and does not keep other zones');
$open->query_safe('COMMIT');
ok(Dnsrepl::same(@node), 'and passes');
$open->quit;

# ---------------------------------------------------------------- an error while trying again
$tacoma->sql("ALTER TABLE records ADD CONSTRAINT no_documentation CHECK (content <> '203.0.113.2')");
add('refused.example.net', '203.0.113.2');
ok($tacoma->poll('SELECT count(*) FROM dnsrepl.problem', 1), 'a unit is parked');
$tacoma->sql('ALTER TABLE dnsrepl.parked RENAME TO parked_away');
ok(Dnsrepl::wait_until(sub { $tacoma->log =~ /could not do all of its work/ }), 'trying again fails as a whole');
$tacoma->sql('ALTER TABLE dnsrepl.parked_away RENAME TO parked');
$tacoma->sql('ALTER TABLE records DROP CONSTRAINT no_documentation');
ok(Dnsrepl::same(@node), 'and is tried again all the same');
is($tacoma->sql('SELECT count(*) FROM dnsrepl.problem'), 0, 'nothing is left');
# ---------------------------------------------------------------- a trigger of the user's that fires for projection too
my $trigger = sub {
    my ($what) = @_;
    return "CREATE OR REPLACE FUNCTION public.guard() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN"
      . " IF coalesce(NEW.content, OLD.content) = '203.0.113.3' THEN $what; END IF; RETURN coalesce(NEW, OLD); END \$\$";
};
$tacoma->sql($trigger->("RAISE 'the guard says no'")
      . '; CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE ON records FOR EACH ROW EXECUTE FUNCTION public.guard()');
add('ordinary.example.org', '203.0.113.3');
ok(Dnsrepl::same(@node), 'an ordinary trigger is for local edits: not in the way');
$tacoma->sql('ALTER TABLE records ENABLE ALWAYS TRIGGER guard');
for my $case ([ "RAISE 'the guard says no'", 'guard says no' ], [ 'RETURN NULL', 'suppressed by a trigger' ], [ "NEW.content := '192.0.2.99'", 'changed by a trigger' ])
{
    my ($does, $error) = @$case;
    $tacoma->sql($trigger->($does));
    add('guarded.example.org', '203.0.113.3');
    $seattle->sql("UPDATE records SET content = '203.0.113.3' WHERE name = 'www.example.org'");
    $seattle->sql("DELETE FROM records WHERE name = 'ordinary.example.org'") if $does !~ /NEW/;
    add('beside.example.org', '192.0.2.3');
    ok(at_tacoma('beside.example.org', 1), "$does: what has no such content is there");
    my $parked = $does =~ /NEW/ ? 'guarded www' : 'guarded ordinary www';
    ok($tacoma->poll("SELECT string_agg(split_part(key->>'name', '.', 1), ' ' ORDER BY key->>'name') FROM dnsrepl.problem WHERE error ~ '$error'", $parked),
        'what has is shown, with the reason');
    is($tacoma->sql("SELECT count(*) FROM records WHERE content = '203.0.113.3' OR content = '192.0.2.99'"), 1, 'and is served as before');
    ok($tacoma->poll('SELECT min(tries) >= 2 FROM dnsrepl.problem'), 'it is tried again');
    is($tacoma->sql('SELECT count(*) FROM dnsrepl.check_store()'), 0, 'the tables are what the store says, but for what is parked');
    $tacoma->sql($trigger->('NULL'));
    ok(Dnsrepl::same(@node), 'when it lets it pass, it comes by itself');
    is($tacoma->sql('SELECT count(*) FROM dnsrepl.problem'), 0, 'and is no problem any more');
    $seattle->sql("DELETE FROM records WHERE name ~ '^(guarded|beside)'; UPDATE records SET content = '192.0.2.1' WHERE name = 'www.example.org'");
    add('ordinary.example.org', '203.0.113.3') if $does !~ /NEW/;
    ok(Dnsrepl::same(@node), 'as before');
}
$tacoma->sql('DROP TRIGGER guard ON records; DROP FUNCTION public.guard');

# ---------------------------------------------------------------- a record type that is unknown here
# (the type of the column is the user's own, and lets in only what he knows)
$tacoma->sql("CREATE DOMAIN known AS public.rrtype CHECK (VALUE::text NOT LIKE 'TYPE%'); ALTER TABLE records ALTER type TYPE known");
$seattle->sql("INSERT INTO records (domain_id, name, type, content, ttl, prio)"
      . " SELECT id, 'odd.example.org', 'TYPE65500', '\\# 2 abcd', 60, 0 FROM domains WHERE name = 'example.org'");
add('even.example.org', '192.0.2.6');
ok(at_tacoma('even.example.org', 1), 'a record of a known type is there');
ok($tacoma->poll("SELECT key::text ~ 'octets' AND error ~ 'known_check' AND tries >= 2 FROM dnsrepl.problem"),
    'one of an unknown type is shown, with the reason, and tried again');
is($tacoma->sql("SELECT string_agg(rows::text, ' ') FROM dnsrepl.version WHERE NOT projected"), '[{"ttl": 60, "prio": 0, "content": "\\\\# 2 abcd", "disabled": false}]',
    'and is in the store');
$tacoma->sql('ALTER TABLE records ALTER type TYPE rrtype; DROP DOMAIN known');
ok(Dnsrepl::same(@node), 'when the type is let in, it comes by itself');
is($tacoma->sql("SELECT content FROM records WHERE name = 'odd.example.org'"), '\# 2 abcd', 'with its content');

# ---------------------------------------------------------------- what is not about the data
$tacoma->sql(<<'END');
CREATE TABLE slow AS SELECT 1;
GRANT SELECT ON slow TO PUBLIC;
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$ BEGIN
  IF EXISTS (SELECT FROM slow) THEN PERFORM pg_sleep(600); END IF; RETURN NEW; END $$;
CREATE TRIGGER slow BEFORE INSERT ON records FOR EACH ROW EXECUTE FUNCTION slow();
ALTER TABLE records ENABLE ALWAYS TRIGGER slow;
END
my $sleeps = "SELECT pid, xact_start FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND usename = 'dnsrepl_link'";
add('slow.example.org', '192.0.2.9');
ok($tacoma->poll("SELECT count(*) FROM ($sleeps) s", 1), 'a merge takes long');
my $first = $tacoma->sql("SELECT xact_start FROM ($sleeps) s");
$tacoma->sql("SELECT pg_cancel_backend(pid) FROM ($sleeps) s");
ok($tacoma->poll("SELECT count(*) FROM ($sleeps AND xact_start > '$first') s", 1), 'somebody ends it, and it begins again');
is($tacoma->sql('SELECT count(*) FROM dnsrepl.problem'), 0, 'nothing is parked for that');
$tacoma->sql("TRUNCATE slow; SELECT pg_cancel_backend(pid) FROM ($sleeps) s");
ok(Dnsrepl::same(@node), 'it comes when nobody ends it');
$tacoma->sql('DROP TRIGGER slow ON records');

# ---------------------------------------------------------------- a table that is not there
$seattle->sql("INSERT INTO comments (domain_id, name, type, modified_at, comment)"
      . " SELECT id, 'kept.example.org', 'A', 0, 'before' FROM domains WHERE name = 'example.org'");
ok(Dnsrepl::same(@node), 'a comment is everywhere');
$tacoma->sql('DROP TABLE comments');
$seattle->sql("INSERT INTO comments (domain_id, name, type, modified_at, comment)"
      . " SELECT id, 'new.example.org', 'A', 0, 'after' FROM domains WHERE name = 'example.org'");
add('goeson.example.org', '192.0.2.7');
ok(at_tacoma('goeson.example.org', 1), 'without a table the others go on');
ok($tacoma->poll("SELECT string_agg(error, ', ' ORDER BY error) FROM dnsrepl.problem",
    'table comments is missing, the table of a unit is not replicated here'), 'it is shown, and what has come for it');
is($tacoma->sql('SELECT dnsrepl.setup_missing()'), '{comments}', 'it is made anew');
ok(Dnsrepl::same(@node), 'and filled by itself');
is($_->sql("SELECT string_agg(comment, ' ' ORDER BY comment) FROM comments WHERE comment <> 'many'"), 'after before', "$_->{name} has what was there, and what came later") for @node;
$tacoma->sql("UPDATE comments SET comment = 'edited' WHERE comment = 'after'");
ok(Dnsrepl::same(@node), 'edits in it go out');
for my $node (@node)
{
    is($node->sql('SELECT count(*) FROM dnsrepl.problem'), 0, "$node->{name} has no problem");
    is($node->sql('SELECT * FROM dnsrepl.check_store()'), '', 'its tables are what its store says');
}
done_testing();
