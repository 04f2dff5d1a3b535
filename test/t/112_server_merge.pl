# Two nodes that both tell one server, and each one of its own: what merges hide and show reaches them.
use strict;
use warnings;
use Dnsrepl;
use NameServer;
use Test::More;

my $zone = 'example.org';
my ($seattle, $tacoma) = my @node = map { Dnsrepl->new($_) } qw(seattle tacoma);
$seattle->peer($tacoma);
my %server = map { $_ => NameServer->bind($_, zones => { $zone => { update => 1 } }) } qw(left right both);
$seattle->sql("SELECT dnsrepl.import_zone('\@ 60 SOA a b 1 2 3 4 5\n\@ 60 NS ns1.example.net.\nwww 60 A 192.0.2.9\n', '$zone')");
ok(Dnsrepl::same(@node), 'a zone at both');
for my $link ([ $seattle, 'left' ], [ $tacoma, 'right' ], [ $seattle, 'both' ], [ $tacoma, 'both' ])
{
    my ($node, $name) = @$link;
    $node->sql("SELECT dnsrepl.add_server('$name', '127.0.0.1:" . $server{$name}->port . "')");
}

sub all_same
{
    my ($what) = @_;
    ok(Dnsrepl::same(@node), "$what: both nodes serve the same");
    my $told = Dnsrepl::wait_until(sub { !grep { $_->sql("SELECT dnsrepl.wait_for_peers('5s')") ne 't' } @node });
    ok($told, "$what: all is told") or diag map { $_->sql('SELECT * FROM dnsrepl.status') . "\n" } @node;
    for my $link ([ $seattle, 'left' ], [ $tacoma, 'right' ], [ $seattle, 'both' ], [ $tacoma, 'both' ])
    {
        my ($node, $name) = @$link;
        is($node->sql("SELECT name, type, ours, theirs FROM dnsrepl.verify('$name')"), '', "$what: $name has what " . $node->name . ' serves');
    }
    return;
}

sub apart
{
    my ($what, $left, $right) = @_;
    $seattle->cut($tacoma);
    $seattle->sql($_) for ref $left ? @$left : $left;
    $tacoma->sql($_) for ref $right ? @$right : $right;
    $seattle->heal($tacoma);
    all_same($what);
    return;
}

my $put = sub { my ($name, $type, $content) = @_; return "INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, '$name.$zone', '$type', '$content', 60 FROM domains WHERE name = '$zone'" };
my $drop = sub { my ($name) = @_; return "DELETE FROM records WHERE name = '$name.$zone'" };
# A consumer of changes_since(): where it is, and what it hears of one name since.
sub vector { my ($node) = @_; return $node->sql('SELECT vector FROM dnsrepl.changes_since(NULL) WHERE vector IS NOT NULL') }

sub changed
{
    my ($node, $since, $name) = @_;
    $node->poll("SELECT count(*) > 0 FROM dnsrepl.changes_since('$since') WHERE name = '$name'", 't');
    return $node->sql("SELECT records FROM dnsrepl.changes_since('$since') WHERE name = '$name' AND type = 'A'");
}

all_same('the first load');
apart('two edit a name', $put->('new', 'A', '192.0.2.1'), $put->('new', 'A', '192.0.2.2'));
apart('an alias and an address', $put->('both', 'A', '192.0.2.1'), $put->('both', 'CNAME', 'www.example.net'));
apart('and the other way round', $put->('other', 'CNAME', 'www.example.net'), $put->('other', 'A', '192.0.2.1'));
apart('it is settled', $drop->('both'), $put->('x', 'A', '192.0.2.3'));
apart('a DNAME above others\' names', $put->('below', 'DNAME', 'example.net'), [ $put->('a.below', 'A', '192.0.2.1'), $put->('b.c.below', 'A', '192.0.2.2') ]);
is($seattle->sql("SELECT key->>'type' FROM dnsrepl.conflict WHERE key->>'name' = 'below.$zone'"), 'DNAME', 'it is hidden by them');
is($_->dig("below.$zone", 'DNAME'), '', 'and not told: ' . $_->name) for values %server;
apart('it goes', "DELETE FROM records WHERE type = 'DNAME'", $put->('y', 'A', '192.0.2.5'));
is($_->dig("b.c.below.$zone", 'A'), '192.0.2.2', 'they are back: ' . $_->name) for values %server;
apart('one deletes what the other edits', $drop->('www'), "UPDATE records SET content = '192.0.2.10' WHERE name = 'www.$zone'");
apart('a policy at one', "INSERT INTO dnsrepl.policy (zone, resolver) VALUES ('$zone', 'merge')", $put->('z', 'A', '192.0.2.6'));
apart('under which two sets are one', $put->('merged', 'A', '192.0.2.1'), $put->('merged', 'A', '192.0.2.2'));
is($_->dig("merged.$zone", 'A'), "192.0.2.1\n192.0.2.2", 'of both: ' . $_->name) for values %server;
my $author = $tacoma->session;
$author->query_safe("BEGIN; INSERT INTO dnsrepl.policy (zone, resolver) VALUES ('else.example', 'hold')");
$seattle->sql('DELETE FROM dnsrepl.policy');
ok($tacoma->poll('SELECT count(*) > 0 FROM dnsrepl.problem', 't'), 'the policy goes, and has to wait for somebody who edits another one');
is($tacoma->sql("SELECT dnsrepl.wait_for_peers('60s')"), 't', 'the servers are told of what is there');
is($_->dig("merged.$zone", 'A'), "192.0.2.1\n192.0.2.2", 'of both still: ' . $_->name) for $server{right};
my $since = vector($tacoma);
$author->query_safe('ROLLBACK');
$author->quit;
ok($tacoma->poll('SELECT count(*) FROM dnsrepl.policy', 0), 'then it goes');
is(changed($tacoma, $since, "merged.$zone"), '{192.0.2.2}', 'changes_since() tells what the policy had to wait with');
all_same('without the policy');
apart('a policy once more', "INSERT INTO dnsrepl.policy (zone, resolver) VALUES ('$zone', 'merge')", $put->('xx', 'A', '192.0.2.7'));
apart('the policy goes', 'DELETE FROM dnsrepl.policy', $put->('zz', 'A', '192.0.2.7'));

# ---------------------------------------------------------------- a policy's function that is made anew
my $function = sub { my ($which) = @_; return "CREATE OR REPLACE FUNCTION public.choice(unit jsonb, siblings jsonb) RETURNS jsonb IMMUTABLE LANGUAGE sql AS \$\$ SELECT siblings -> $which -> 'rows' \$\$; SELECT dnsrepl.allow_resolver('public.choice(jsonb, jsonb)')" };
$_->sql($function->(0)) for @node;
apart('a function chooses', "INSERT INTO dnsrepl.policy (zone, resolver) VALUES ('$zone', 'public.choice')", $put->('yy', 'A', '192.0.2.7'));
apart('of two', $put->('chosen', 'A', '192.0.2.1'), $put->('chosen', 'A', '192.0.2.2'));
is($_->dig("chosen.$zone", 'A'), '192.0.2.1', 'the first: ' . $_->name) for values %server;
my @since = map { vector($_) } @node;
my $maker = $tacoma->session;
$maker->query_safe('BEGIN; ' . $function->(1));
$seattle->sql($function->(1));
is(changed($seattle, $since[0], "chosen.$zone"), '{192.0.2.2}', 'another function: changes_since() tells of it');
is($tacoma->sql("SELECT count(*) FROM dnsrepl.changes_since('$since[1]') WHERE name = 'chosen.$zone'"), 0, 'not at the other, where it has not been committed');
$maker->query_safe('COMMIT');
$maker->quit;
is(changed($tacoma, $since[1], "chosen.$zone"), '{192.0.2.2}', 'then there too');
ok($_->poll("SELECT content FROM records WHERE name = 'chosen.$zone'", '192.0.2.2'), 'the tables follow: ' . $_->name) for @node;
all_same('another function');
is($_->dig("chosen.$zone", 'A'), '192.0.2.2', 'the servers are told: ' . $_->name) for values %server;
$seattle->sql('DELETE FROM dnsrepl.policy');
all_same('the policy goes too');
apart('one deletes the zone, and makes it again', [ "DELETE FROM domains WHERE name = '$zone'", "SELECT dnsrepl.import_zone('\@ 60 SOA a b 1 2 3 4 5\n\@ 60 NS ns1.example.net.\nagain 60 A 192.0.2.9\n', '$zone')" ],
    $put->('late', 'A', '192.0.2.8'));
is($_->dig("again.$zone", 'A'), '192.0.2.9', 'the new one: ' . $_->name) for values %server;
is($_->sql("SELECT string_agg(name::text || ' ' || type, ', ' ORDER BY name, type) FROM records"), 'example.org NS, example.org SOA, again.example.org A', 'no more than that: ' . $_->name) for @node;
is($server{$_}->transfer($zone) =~ tr/\n//, 3, "nor at the server $_") for sort keys %server;
unlike($_->log, qr/TRAP|terminated by signal (6|11)/, $_->name . ': no crash of its own') for @node;
done_testing();
