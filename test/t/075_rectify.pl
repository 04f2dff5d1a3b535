# What PowerDNS derives of records (ordername, auth, empty non-terminals) is right after every commit, on every node, however
# the zone is signed: the same that pdnsutil rectify-zone makes of the same records in tables of its own.
# DNSREPL_ROUNDS: how many rounds of random edits for each way of signing; DNSREPL_SEED: those of an earlier run.
use strict;
use warnings;
use Dnsrepl;
use Test::More;

my $seed = $ENV{DNSREPL_SEED} // int rand 1_000_000;
my $rounds = $ENV{DNSREPL_ROUNDS} // 3;
my $zone = 'example.org';
srand $seed;
note("seed $seed");

my $seattle = Dnsrepl->new('seattle', databases => 'pdns');
my $tacoma = Dnsrepl->new('tacoma');
my @node = ($seattle, $tacoma);
$seattle->peer($tacoma);
$tacoma->peer($seattle);

# the judge: PowerDNS's own tables, and nothing else
my $judge = bless { name => 'judge', db => 'judge', server => $seattle->cluster, link => {} }, 'Dnsrepl';
$seattle->cluster->safe_psql('postgres', 'CREATE DATABASE judge');
$judge->sql(PostgreSQL::Test::Utils::slurp_file('/usr/share/pdns-backend-pgsql/schema/schema.pgsql.sql'));
$judge->dns_start;

sub rectified
{
    my ($node) = @_;
    $judge->sql('TRUNCATE domains CASCADE');
    my $copy = $node->sql(<<"END");
SELECT format('INSERT INTO domains (id, name, type) VALUES (1, %L, %L);', name::text, type) FROM domains WHERE name = '$zone'
UNION ALL SELECT format('INSERT INTO records (domain_id, name, type, content, ttl, prio, disabled) VALUES (1, %L, %L, %L, %L, %L, %L);',
    name::text, type::text, content::text, ttl, prio, disabled) FROM records WHERE type IS NOT NULL
UNION ALL SELECT format('INSERT INTO domainmetadata (domain_id, kind, content) VALUES (1, %L, %L);', kind, content) FROM domainmetadata
UNION ALL SELECT format('INSERT INTO cryptokeys (domain_id, flags, active, published, content) VALUES (1, %L, %L, %L, %L);', flags, active, published, content) FROM cryptokeys
END
    $judge->sql($copy);
    my ($status, $out) = $judge->pdnsutil('rectify-zone', $zone);
    die $out if $status || $out !~ /Adding|Erasing/;
    return derived($judge);
}

sub derived
{
    return $_[0]->sql(q(SELECT name::text, coalesce(type::text, '-'), content::text, disabled, coalesce('"' || ordername || '"', 'null'), auth
        FROM records ORDER BY name::text COLLATE "C", type::text COLLATE "C", content::text COLLATE "C", disabled));
}

my $failed = 0;

sub right
{
    my ($what) = @_;
    Dnsrepl::same(@node) or $failed++;
    my $should = rectified($seattle);
    for my $node (@node) { is(derived($node), $should, "$what: " . $node->name) or $failed++ }
    $failed and BAIL_OUT("seed $seed: $what");
    return;
}

# ---------------------------------------------------------------- a zone, and what is done to it

$judge->sql("INSERT INTO domains (id, name, type) VALUES (1, '$zone', 'NATIVE');"
    . "INSERT INTO records (domain_id, name, type, content, ttl) VALUES (1, '$zone', 'SOA', 'ns1.$zone host.$zone 1 3600 600 604800 300', 300)");
$judge->pdnsutil('secure-zone', $zone);
my $key = $judge->sql("SELECT content FROM cryptokeys");

$_->sql('ALTER DATABASE pdns SET client_min_messages = error') for @node;
$seattle->sql(<<"END");
INSERT INTO domains (name, type) VALUES ('$zone', 'NATIVE');
INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, '$zone', 'SOA', 'ns1.$zone host.$zone 1 3600 600 604800 300', 300 FROM domains;
INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, '$zone', 'NS', 'ns1.example.net', 300 FROM domains;
INSERT INTO domainmetadata (domain_id, kind, content) SELECT id, 'X-DNSREPL-CHECK', 'off' FROM domains;
END

my $id = "(SELECT id FROM domains WHERE name = '$zone')";

sub pick { return $_[ int rand @_ ] }
sub name_of { return join('.', (map { pick(qw(a b c)) } 1 .. pick(1, 1, 2, 2, 3, 4)), $zone) }
my %content = (A => '192.0.2.%d', AAAA => '2001:db8::%d', NS => 'ns%d.example.net', TXT => '"%d"',
    DS => '%d 13 2 0e9d4f3b6b2fd1b6a1f0e8c1de5a1a0ad5b6f3a2c9c0f0f0b1b2b3b4b5b6b7b8');

sub edit
{
    my ($name, $type) = (name_of(), pick(qw(A A AAAA NS NS DS TXT TXT)));
    my $at = "domain_id = $id AND name = '$name'";
    my $what = int rand 12;
    return "INSERT INTO records (domain_id, name, type, content, ttl, disabled) VALUES ($id, '$name', '$type', '"
        . sprintf($content{$type}, 1 + int rand 9) . "', 300, " . (rand() < 0.1 ? 'true' : 'false') . ');' if $what < 6;
    return "DELETE FROM records WHERE $at AND type IS NOT NULL;" if $what < 8;
    return "DELETE FROM records WHERE $at AND type = 'NS';" if $what == 8;
    return "UPDATE records SET disabled = NOT disabled WHERE $at AND type = '$type';" if $what == 9;
    return "DELETE FROM records WHERE domain_id = $id AND (name = '$name' OR name::text LIKE '%.$name') AND type IS NOT NULL;" if $what == 10;
    # as somebody who knows it worse would
    return pick("UPDATE records SET auth = NOT auth, ordername = 'wrong' WHERE $at;",
        "DELETE FROM records WHERE domain_id = $id AND type IS NULL;",
        "INSERT INTO records (domain_id, name, disabled, auth) VALUES ($id, '$name', false, true);");
}

sub metadata { my ($kind, $content) = @_; return "DELETE FROM domainmetadata WHERE domain_id = $id AND kind = '$kind';"
        . (defined $content ? "INSERT INTO domainmetadata (domain_id, kind, content) VALUES ($id, '$kind', '$content');" : '') }

my @way = (
    [ 'not signed', undef, undef, undef ],
    [ 'NSEC', 1, undef, undef ],
    [ 'NSEC3', 1, '1 0 1 ab12', undef ],
    [ 'NSEC3 with opt-out', 1, '1 1 0 -', undef ],
    [ 'narrow NSEC3', 1, '1 0 1 ab12', 1 ],
    [ 'narrow NSEC3 with opt-out', 1, '1 1 1 ab12', 1 ],
    [ 'NSEC3 again, of another salt', 1, '1 0 5 CAFE', undef ],
    [ 'not signed any more', undef, undef, undef ],
);

right('at first');
for my $way (@way)
{
    my ($how, $signed, $param, $narrow) = @$way;
    my $node = pick(@node);
    $node->sql('BEGIN;' . metadata('NSEC3PARAM', $param) . metadata('NSEC3NARROW', $narrow)
        . "DELETE FROM cryptokeys WHERE domain_id = $id;"
        . ($signed ? "INSERT INTO cryptokeys (domain_id, flags, active, published, content) VALUES ($id, 257, true, true, '$key');" : '') . 'COMMIT');
    right($how);
    for my $round (1 .. $rounds)
    {
        my @done = map { join ' ', map { edit() } 1 .. pick(1, 2, 5, 20) } 1 .. 2;
        # both at once, or one after the other
        $_->sql('SELECT dnsrepl.pause(name) FROM dnsrepl.peer') for $round % 2 ? @node : ();
        for my $i (0, 1) { $node[$i]->try("BEGIN; $done[$i] COMMIT") }
        $_->sql('SELECT dnsrepl.resume(name) FROM dnsrepl.peer') for $round % 2 ? @node : ();
        right("$how, round $round");
    }
}

# ---------------------------------------------------------------- rows that somebody has locked

$seattle->sql("INSERT INTO records (domain_id, name, type, content, ttl) VALUES ($id, 'held.cut.$zone', 'A', '192.0.2.70', 300), ($id, 'gone.held2.$zone', 'A', '192.0.2.71', 300)");
right('two names more');
my $holder = $seattle->session;
$holder->query_safe("BEGIN; SELECT FROM records WHERE name IN ('held.cut.$zone', 'held2.$zone') FOR UPDATE");
$seattle->sql("INSERT INTO records (domain_id, name, type, content, ttl) VALUES ($id, 'cut.$zone', 'NS', 'ns1.example.net', 300); DELETE FROM records WHERE name = 'gone.held2.$zone'");
is($seattle->sql("SELECT count(*) FROM dnsrepl.parked"), 2, 'a commit does not wait for who has locked rows that have to change: they are parked');
is($seattle->sql("SELECT auth FROM records WHERE name = 'held.cut.$zone'"), 't', 'and stay as they are');
$holder->query_safe('COMMIT');
$holder->quit;
ok($seattle->poll('SELECT count(*) FROM dnsrepl.parked', 0), 'until he has ended');
right('then they follow');

# ---------------------------------------------------------------- rows that the user's own rules refuse

$_->sql("ALTER TABLE records ADD CONSTRAINT typed CHECK (type IS NOT NULL) NOT VALID") for @node;
$seattle->sql("INSERT INTO records (domain_id, name, type, content, ttl) VALUES ($id, 'deep.refused.$zone', 'A', '192.0.2.72', 300)");
ok(Dnsrepl::same(@node), 'a constraint that refuses an empty non-terminal stops nobody, here or there');
for my $node (@node)
{
    ok($node->poll("SELECT count(*) FROM dnsrepl.problem WHERE error ~ 'violates check constraint \"typed\"'", 1), 'and is shown as a problem: ' . $node->name);
    $node->sql('ALTER TABLE records DROP CONSTRAINT typed');
    ok($node->poll('SELECT count(*) FROM dnsrepl.parked', 0), 'which ends with it: ' . $node->name);
}
right('with what was refused');

# ---------------------------------------------------------------- PowerDNS at work

$seattle->dns_start;
my ($status, $out) = $seattle->pdnsutil('secure-zone', $zone);
is($status, 0, 'pdnsutil signs the zone') or diag $out;
right('signed by PowerDNS');
$seattle->pdnsutil('set-nsec3', $zone, '1 0 0 ab');
right('with NSEC3 by PowerDNS');
($status) = $seattle->api(PATCH => "/zones/$zone.", { rrsets => [ { name => "x.y.$zone.", type => 'A', ttl => 60, changetype => 'REPLACE',
                records => [ { content => '192.0.2.80', disabled => JSON::PP::false() } ] } ] });
is($status, 204, 'a name by the API');
right('what the API wrote');
my $versions = $seattle->sql('SELECT count(*), max(stamp) FROM dnsrepl.stored_version');
($status, $out) = $seattle->pdnsutil('rectify-zone', $zone);
is($status, 0, 'pdnsutil rectifies it') or diag $out;
right('when pdnsutil has rectified');
is($seattle->sql('SELECT count(*), max(stamp) FROM dnsrepl.stored_version'), $versions, 'which ships nothing');

# ---------------------------------------------------------------- a new zone: most of its names need nothing, unless the table has other defaults
$node[1]->sql('ALTER TABLE records ALTER auth DROP DEFAULT');
$seattle->sql(<<'END');
BEGIN;
INSERT INTO domains (name, type) VALUES ('new.example', 'NATIVE');
INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, n || name, t, c, 60 FROM domains,
  (VALUES ('', 'SOA', 'ns.example.net h.example.net 1 1 1 1 1'), ('www.', 'A', '192.0.2.1'), ('sub.', 'NS', 'ns.sub.new.example'), ('ns.sub.', 'A', '192.0.2.2'), ('a.b.', 'A', '192.0.2.3')) v (n, t, c)
  WHERE name = 'new.example';
COMMIT;
END
ok(Dnsrepl::same(@node), 'a new zone');
is($_->sql("SELECT string_agg(concat_ws(' ', split_part(name::text, '.new', 1), coalesce(type::text, '-'), coalesce(auth, false)), ', ' ORDER BY name::text COLLATE \"C\", type::text) FROM records WHERE name <<= 'new.example' AND name <> 'new.example'"),
    'a.b A t, b - t, ns.sub A f, sub NS f, www A t', $_->name . ': glue, a delegation, an empty non-terminal, and names with authority') for @node;
is($_->sql('SELECT count(*) FROM dnsrepl.parked'), 0, $_->name . ': nothing waits') for @node;
done_testing();
