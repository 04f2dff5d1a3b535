# A transaction that is open in one zone keeps that zone waiting and no other: not one either that shares a stripe with it. One over many
# zones may, and the reason that is shown is the true one; it does not need more locks than the server has.
use strict;
use warnings;
use Dnsrepl;
use Test::More;

my $conf = "dnsrepl.keepalive = '1s'\nmax_locks_per_transaction = 10";
my @node = map { Dnsrepl->new($_, conf => $conf) } qw(seattle tacoma);
my ($seattle, $tacoma) = @node;
$seattle->peer($tacoma);
$seattle->sql("INSERT INTO domains (name, type, account) SELECT 'c' || i || '.example', 'NATIVE', '' FROM generate_series(1, 257) i");
ok(Dnsrepl::same(@node), 'zones, of which two share a stripe');

# The stripe of a zone: the object of the lock of class 0x4400.
sub stripe { my ($zone) = @_; return $tacoma->sql("BEGIN; UPDATE domains SET account = 'x' WHERE name = '$zone'; SELECT min(objid) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND classid = 17408; ROLLBACK") }
my (%by_stripe, $one, $other);
for my $i (1 .. 257)
{
    my $zone = "c$i.example";
    my $stripe = stripe($zone);
    ($one, $other) = ($by_stripe{$stripe}, $zone) and last if $by_stripe{$stripe};
    $by_stripe{$stripe} = $zone;
}
ok($other, "$one and $other do");

sub record { my ($name) = @_; my ($zone) = $name =~ /\.(.*)/; return "INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, '$name', 'A', '192.0.2.1', 300 FROM domains WHERE name = '$zone';" }
sub has { my ($node, $name) = @_; return $node->poll("SELECT count(*) FROM records WHERE name = '$name'", 1) }
sub errors { my ($zone) = @_; return "SELECT string_agg(DISTINCT error, '; ') FROM dnsrepl.problem WHERE zone = '$zone'" }

my $author = $tacoma->session;
my $pid = $author->query_safe('SELECT pg_backend_pid()');
$author->query_safe("BEGIN; UPDATE domains SET account = 'a' WHERE name = '$one'");
$seattle->sql(record("a.$one"));
$seattle->sql(record("a.$other"));
ok(has($tacoma, "a.$other"), 'a transaction is open in a zone: what comes for the one with the same stripe is shown');
ok($tacoma->poll(errors($one), 'a local transaction is editing the zone'), 'what comes for its own waits');
is($tacoma->sql("SELECT count(*) FROM dnsrepl.problem WHERE zone = '$one' AND advice ~ 'process $pid\\M'"), 1, 'the advice says for whom');
is($tacoma->sql("SELECT count(*) FROM dnsrepl.problem WHERE zone <> '$one'"), 0, 'and for no other zone');
ok($seattle->poll("SELECT last_error ~ 'zone \"$one\" waits' AND last_error ~ 'process $pid\\M' FROM dnsrepl.status"), 'the sender says it too');
my ($status, undef, $error) = $tacoma->try("SET lock_timeout = '5s'; " . record("t.$other"));
is($status, 0, 'others edit the one with the same stripe') or diag($error);
# the manager, which looks after what waits, keeps nobody out of it
$seattle->sql(record("b.$other"));
ok(has($tacoma, "b.$other"), 'and it goes on');
$author->query_safe('COMMIT');
ok(Dnsrepl::same(@node), 'both are the same');
ok($seattle->poll("SELECT coalesce(last_error, '') FROM dnsrepl.status", ''), 'the sender has no more to say');

# ---------------------------------------------------------------- many zones
$seattle->sql("INSERT INTO domains (name, type, account) SELECT 'm' || i || '.example', 'NATIVE', '' FROM generate_series(1, 4000) i");
ok(Dnsrepl::same(@node), 'thousands of zones, made in one transaction');
$author->query_safe("BEGIN; UPDATE domains SET account = 'm' WHERE name ~ '^m'");
cmp_ok($author->query_safe("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = $pid"), '<', 800, 'whoever edits them has some hundreds of locks');
$seattle->sql(record("m.$other"));
ok($tacoma->poll(errors($other), 'a local transaction is editing many zones, and may be editing this one'), 'another zone waits for him, with the true reason');
$author->query_safe('COMMIT');
ok(has($tacoma, "m.$other"), 'until he has ended');
$author->query_safe("BEGIN; UPDATE domains SET account = 'a' WHERE name = '$one'");
$seattle->sql("UPDATE domains SET account = 'n' WHERE name ~ '^m'");
ok($tacoma->poll("SELECT count(*) FROM domains WHERE account = 'n'", 4000), 'a transaction over many zones comes while one is edited here');
$author->query_safe('COMMIT');
$author->quit;
ok(Dnsrepl::same(@node), 'both are the same');
is($_->sql('SELECT count(*) FROM dnsrepl.check_store()'), 0, 'tables and sums are what the store has: ' . $_->name) for @node;
done_testing();
