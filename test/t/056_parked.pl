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
done_testing();
