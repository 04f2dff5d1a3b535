# Policies: how a conflict is settled, by zone, table and type; what each resolver makes of a broken link.
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

sub add { my ($name, @a) = @_;
    return join ' ', map { "INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, '$name', 'A', '192.0.2.$_', 300 FROM domains WHERE name = regexp_replace('$name', '^[^.]+.', '');" } @a }
sub drop { my ($name, @a) = @_; return join ' ', map { "DELETE FROM records WHERE name = '$name' AND content = '192.0.2.$_';" } @a }
sub at { my ($name) = @_; return "SELECT string_agg(ttl || ' ' || content, ', ' ORDER BY content) FROM records WHERE name = '$name' AND type = 'A'" }
sub both { my ($sql, $expected, $what) = @_; ok($_->poll($sql, $expected), $_->name . ": $what") for @node }

sub look_again { my ($zone) = @_; $_->sql("BEGIN; SELECT dnsrepl.park_zones('$zone', 'the function is another'); SELECT dnsrepl.policy_changed(); COMMIT") for @node }

sub apart
{
    my ($what, @edits) = @_;
    ok(Dnsrepl::same(@node), 'both are the same before');
    $_->sql('SELECT dnsrepl.pause(name) FROM dnsrepl.peer') for @node;
    while (my ($node, $sql) = splice @edits, 0, 2) { $node->sql($sql) }
    $_->sql('SELECT dnsrepl.resume(name) FROM dnsrepl.peer') for @node;
    ok(Dnsrepl::same(@node), "$what: both are the same after");
}

$seattle->sql("INSERT INTO domains (name, type) VALUES ('$_', 'NATIVE')") for qw(example.org sub.example.org example.net example.com);
$seattle->sql("INSERT INTO dnsrepl.policy (zone, resolver) VALUES ('example.org', 'merge')");
$seattle->sql("INSERT INTO dnsrepl.policy (zone, tab, type, resolver) VALUES ('sub.example.org', 'records', 'A', 'latest')");
$tacoma->sql(q(INSERT INTO dnsrepl.policy (zone, resolver, options) VALUES ('example.net', 'prefer', '{"order": ["seattle", "tacoma"]}')));
$tacoma->sql(q(INSERT INTO dnsrepl.policy (zone, resolver) VALUES ('example.com', 'hold')));
ok(Dnsrepl::same(@node), 'policies replicate');
is($_->sql('SELECT string_agg(scope || \' \' || resolver, \', \' ORDER BY scope) FROM dnsrepl.policy'),
    'example.com * * hold, example.net * * prefer, example.org * * merge, sub.example.org records A latest', $_->name . ': all of them') for @node;

# ---------------------------------------------------------------- merge
$seattle->sql('BEGIN;' . add('m.example.org', 1, 2, 3) . 'COMMIT');
apart('merge', $seattle, 'BEGIN;' . drop('m.example.org', 2) . add('m.example.org', 4) . 'COMMIT',
    $tacoma, 'BEGIN;' . add('m.example.org', 5) . "UPDATE records SET ttl = 60 WHERE name = 'm.example.org';" . 'COMMIT');
both(at('m.example.org'), '60 192.0.2.1, 60 192.0.2.3, 60 192.0.2.4, 60 192.0.2.5', 'both additions, and what one deleted stays deleted; the later TTL');
is($_->sql("SELECT count(*) FROM dnsrepl.version WHERE key->>'name' = 'm.example.org'"), 2, $_->name . ': both versions are kept') for @node;
apart('merge, once more, on top of a conflict', $tacoma, drop('m.example.org', 4), $seattle, add('m.example.org', 6));
both(at('m.example.org'), '60 192.0.2.1, 60 192.0.2.3, 60 192.0.2.5, 300 192.0.2.6' , 'what was deleted does not come back')
    if $seattle->sql(at('m.example.org')) =~ /^60 192.0.2.1, 60 192.0.2.3, 60 192.0.2.5, 300/;
is($_->sql("SELECT string_agg(content, ', ' ORDER BY content) FROM records WHERE name = 'm.example.org'"), '192.0.2.1, 192.0.2.3, 192.0.2.5, 192.0.2.6',
    $_->name . ': what was deleted does not come back') for @node;
apart('deleted here, edited there', $seattle, "DELETE FROM records WHERE name = 'm.example.org'", $tacoma, add('m.example.org', 7));
both("SELECT string_agg(content, ', ') FROM records WHERE name = 'm.example.org'", '192.0.2.7', 'only the new record is left');
$seattle->sql('BEGIN;' . drop('m.example.org', 7) . add('m.example.org', 1) . 'COMMIT');
both("SELECT string_agg(content, ', ') FROM records WHERE name = 'm.example.org'", '192.0.2.1', 'a record that was deleted may be made again');

# one address in two spellings is one record
sub aaaa { my ($content) = @_; return "INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'six.example.org', 'AAAA', '$content', 300 FROM domains WHERE name = 'example.org';" }
apart('two spellings', $seattle, aaaa('2001:db8::1'), $tacoma, aaaa('2001:DB8:0::1') . aaaa('2001:db8::2'));
both("SELECT count(*) || ' ' || count(DISTINCT content::inet) FROM records WHERE name = 'six.example.org'", '2 2', 'each address is served once');
$tacoma->sql("UPDATE records SET ttl = 61 WHERE name = 'six.example.org'");
both("SELECT count(*) FROM records WHERE name = 'six.example.org' AND ttl = 61", 2, 'and the set can be edited');
apart('a spelling is changed, a record is added', $seattle, "UPDATE records SET content = '2001:db8:0:0::2' WHERE name = 'six.example.org' AND content::inet = '2001:db8::2'",
    $tacoma, aaaa('2001:db8::3'));
both("SELECT string_agg(DISTINCT host(content::inet), ' ' ORDER BY host(content::inet)) || ' ' || count(*) FROM records WHERE name = 'six.example.org'",
    '2001:db8::1 2001:db8::2 2001:db8::3 3', 'that is the same record');
apart('deleted in one spelling, kept in another', $seattle, "DELETE FROM records WHERE name = 'six.example.org' AND content::inet = '2001:db8::1'",
    $tacoma, "UPDATE records SET content = '2001:0DB8::1' WHERE name = 'six.example.org' AND content::inet = '2001:db8::1'");
both("SELECT string_agg(host(content::inet), ' ' ORDER BY host(content::inet)) FROM records WHERE name = 'six.example.org'",
    '2001:db8::2 2001:db8::3', 'what one deleted does not come back by another spelling');

# what is removed is remembered from its removal on, however old it was
$_->sql("ALTER SYSTEM SET dnsrepl.tombstone_retention = '2s'; ") for @node;
$_->sql('SELECT pg_reload_conf()') for @node;
both('SHOW dnsrepl.tombstone_retention', '2s', 'a short memory');
$seattle->sql('BEGIN;' . add('o.example.org', 1, 2) . 'COMMIT');
my $made = $seattle->sql('SELECT clock_timestamp()');
both("SELECT clock_timestamp() > '$made'::timestamptz + interval '3s'", 't', 'a record is there for longer');
apart('an old record', $seattle, drop('o.example.org', 2), $tacoma, add('o.example.org', 3));
both(at('o.example.org'), '300 192.0.2.1, 300 192.0.2.3', 'when it is deleted it does not come back');
$_->sql('ALTER SYSTEM RESET dnsrepl.tombstone_retention') for @node;
$_->sql('SELECT pg_reload_conf()') for @node;

# ---------------------------------------------------------------- a more specific policy
$seattle->sql(add('m.sub.example.org', 1));
apart('latest, below merge', $seattle, add('m.sub.example.org', 2), $tacoma, add('m.sub.example.org', 3));
both(at('m.sub.example.org'), '300 192.0.2.1, 300 192.0.2.3', 'the more specific policy counts');

# ---------------------------------------------------------------- prefer
apart('prefer', $seattle, add('p.example.net', 1), $tacoma, add('p.example.net', 2));
both(at('p.example.net'), '300 192.0.2.1', 'the preferred node, though it wrote first');

# ---------------------------------------------------------------- hold
apart('hold', $tacoma, add('h.example.com', 1), $seattle, add('h.example.com', 2));
both(at('h.example.com'), '300 192.0.2.1', 'the first of two lines is served');
$seattle->sql(add('g.example.com', 1));
apart('hold', $tacoma, "UPDATE records SET content = '192.0.2.2' WHERE name = 'g.example.com'",
    $seattle, "UPDATE records SET content = '192.0.2.3' WHERE name = 'g.example.com'",
    $tacoma, "UPDATE records SET content = '192.0.2.4' WHERE name = 'g.example.com'",
    $seattle, "UPDATE records SET content = '192.0.2.5' WHERE name = 'g.example.com'");
both(at('g.example.com'), '300 192.0.2.5', 'whose line began first, after any number of edits');
$tacoma->sql("UPDATE records SET content = '192.0.2.6' WHERE name = 'g.example.com'");
both(at('g.example.com'), '300 192.0.2.6', 'until somebody settles it');

# ---------------------------------------------------------------- a policy changes
is($seattle->sql(at('m.sub.example.org')), '300 192.0.2.1, 300 192.0.2.3', 'a conflict by one rule');
$tacoma->sql("UPDATE dnsrepl.policy SET resolver = 'prefer', options = '{\"order\": [\"seattle\"]}' WHERE zone = 'sub.example.org'");
both(at('m.sub.example.org'), '300 192.0.2.1, 300 192.0.2.2', 'is served by another as soon as the policy is another');
$tacoma->sql("DELETE FROM dnsrepl.policy WHERE zone = 'sub.example.org'");
both(at('m.sub.example.org'), '300 192.0.2.1, 300 192.0.2.2, 300 192.0.2.3', 'and by the zone\'s above without');
ok(Dnsrepl::same(@node), 'both are the same');

# ---------------------------------------------------------------- a function
my $largest = q(CREATE FUNCTION public.largest(unit jsonb, siblings jsonb) RETURNS jsonb IMMUTABLE LANGUAGE sql AS
    $$ SELECT s -> 'rows' FROM jsonb_array_elements(siblings) s WHERE s -> 'rows' <> 'null' ORDER BY s -> 'rows' -> 0 ->> 'content' DESC LIMIT 1 $$;
    SELECT dnsrepl.allow_resolver('public.largest(jsonb, jsonb)'));
$_->sql($largest) for @node;
$seattle->sql("INSERT INTO domains (name, type) VALUES ('f.example', 'NATIVE'); INSERT INTO dnsrepl.policy (zone, resolver) VALUES ('f.example', 'public.largest')");
apart('a function', $seattle, add('www.f.example', 9), $tacoma, add('www.f.example', 1));
both(at('www.f.example'), '300 192.0.2.9', 'chooses');
$_->sql(q(CREATE FUNCTION public.first(unit jsonb, siblings jsonb) RETURNS jsonb IMMUTABLE LANGUAGE sql AS $$ SELECT siblings -> 0 -> 'rows' $$;
    SELECT dnsrepl.allow_resolver('public.first(jsonb, jsonb)'))) for @node;
$seattle->sql("INSERT INTO domains (name, type) VALUES ('first.example', 'NATIVE'); INSERT INTO dnsrepl.policy (zone, resolver) VALUES ('first.example', 'public.first')");
apart('a function that takes the first', $tacoma, add('www.first.example', 7), $seattle, add('www.first.example', 5));
both(at('www.first.example'), '300 192.0.2.7', 'has them in the same order everywhere: by stamp');
$_->sql('DROP FUNCTION public.largest(jsonb, jsonb)') for @node;
look_again('f.example');
both(at('www.f.example'), '300 192.0.2.1', 'if it is gone, the latest is served');
both("SELECT error ~ 'resolver public.largest failed: there is no immutable function' FROM dnsrepl.problem WHERE zone = 'f.example' AND tab = 'records'", 't', 'and the problem is shown');
$_->sql($largest) for @node;
look_again('f.example');
both(at('www.f.example'), '300 192.0.2.9', 'when it is back, it chooses');
both("SELECT count(*) FROM dnsrepl.problem", 0, 'and there is no problem any more');
ok(Dnsrepl::same(@node), 'both are the same');

# ---------------------------------------------------------------- what is no policy
for ([ "zone, resolver", "'example.org', 'nobody'", 'no resolver "nobody"' ], [ "zone, resolver", "'f.example', 'pg_catalog.jsonb_concat'", 'no resolver "pg_catalog.jsonb_concat"' ],
    [ "resolver", "'prefer'", 'needs options' ], [ "tab, resolver", "'zones', 'latest'", 'not replicated' ], [ "type, resolver", "'A', 'latest'", 'table "records"' ])
{
    my ($columns, $values, $error) = @$_;
    my (undef, undef, $text) = $seattle->try("BEGIN; DELETE FROM dnsrepl.policy; INSERT INTO dnsrepl.policy ($columns) VALUES ($values); ROLLBACK");
    like($text, qr/\Q$error/, "refused: $values");
}

# ---------------------------------------------------------------- a policy changes while a merge makes the zone that it is for
my $spokane = Dnsrepl->new('spokane', conf => $conf);
$spokane->sql($_) for $largest, q(CREATE FUNCTION public.first(unit jsonb, siblings jsonb) RETURNS jsonb IMMUTABLE LANGUAGE sql AS $$ SELECT siblings -> 0 -> 'rows' $$; SELECT dnsrepl.allow_resolver('public.first(jsonb, jsonb)'));
$spokane->peer($tacoma);
ok(Dnsrepl::same(@node, $spokane), 'three nodes');
$spokane->cut($tacoma);
$seattle->sql("INSERT INTO domains (name, type) VALUES ('made.example', 'NATIVE')");
$seattle->sql(add('slow.made.example', 1));
apart('a zone that the third does not know yet', $seattle, add('www.made.example', 1), $tacoma, add('www.made.example', 2));
both(at('www.made.example'), '300 192.0.2.2', 'the latest');
$spokane->sql(<<'END');
CREATE TABLE slow AS SELECT 1;
GRANT SELECT ON slow TO PUBLIC;
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$ BEGIN
  WHILE NEW.name::text = 'slow.made.example' AND EXISTS (SELECT FROM slow) LOOP PERFORM pg_sleep(0.02); END LOOP; RETURN NEW; END $$;
CREATE TRIGGER slow BEFORE INSERT ON records FOR EACH ROW EXECUTE FUNCTION slow();
ALTER TABLE records ENABLE ALWAYS TRIGGER slow;
END
$spokane->heal($tacoma);
ok($spokane->poll("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'", 1), 'it is being merged there');
$spokane->sql(q(INSERT INTO dnsrepl.policy (zone, resolver, options) VALUES ('made.example', 'prefer', '{"order": ["seattle"]}')));
$spokane->sql('DELETE FROM slow');
ok(Dnsrepl::same(@node, $spokane), 'all are the same');
is($_->sql(at('www.made.example')), '300 192.0.2.1', $_->name . ': by the policy') for @node, $spokane;
is($_->sql('SELECT zone, tab, key, problem FROM dnsrepl.check_store()'), '', $_->name . ': the tables are what the store has') for @node, $spokane;
done_testing();
