# A call of a link: a transaction of its own, in a session that belongs to one client, whose locks nobody holds by silence; whatever
# settings a database, a role or the client has. A client here speaks the protocol itself (RawClient.pm).
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Dnsrepl;
use Guest;
use RawClient;
use Test::More;

my $conf = "dnsrepl.keepalive = '500ms'\ndnsrepl.check_interval = '1s'";
my ($seattle, $tacoma) = map { Dnsrepl->new($_, conf => $conf) } qw(seattle tacoma);
my @node = ($seattle, $tacoma);
$seattle->sql("INSERT INTO domains (name, type) VALUES ('example.org', 'NATIVE')");
$seattle->peer($tacoma);
ok(Dnsrepl::same(@node), 'two nodes');

my $count = 0;

sub arrives
{
    my ($what) = @_;
    my $name = 'n' . ++$count . '.example.org';
    $seattle->sql("INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, '$name', 'A', '192.0.2.1', 60 FROM domains");
    return ok($tacoma->poll("SELECT count(*) FROM records WHERE name = '$name'", 1), $what);
}

sub down
{
    my ($reason, $what) = @_;
    my $row = '';
    return ok(Dnsrepl::wait_until(sub { $row = $seattle->sql("SELECT state, coalesce(last_error, '') FROM dnsrepl.status WHERE name = 'tacoma'"); $row =~ /^down/ && $row =~ $reason }), $what)
        || diag($row);
}

# ---------------------------------------------------------------- a client that says what a link says
my $mallory = Guest->new('mallory');
my $greeting = sub { my ($session) = @_; return Guest::octets($mallory->greeting(session => $session)) };
my $delta = Guest::octets($mallory->delta);    # it has nothing, and lacks nothing

sub guest { return RawClient->new(port => $tacoma->port, database => 'pdns', user => 'dnsrepl_link', @_) }

sub hello
{
    my ($c, $session) = @_;
    my $answer = RawClient::value($c->query("SELECT dnsrepl.hello('UTF8', " . $greeting->($session // 0) . ')'));
    return unpack 'q>', pack 'H*', substr $answer, 2 + 8, 16;
}
sub merge { my ($session) = @_; return "dnsrepl.merge($session, $delta)" }
sub refused
{
    my ($c, $sql, $code, $message, $what) = @_;
    my $error = RawClient::error($c->query($sql)) // {};
    return ok(($error->{code} // '') eq $code && "$error->{message} $error->{detail}" =~ $message, $what) || diag(explain $error);
}
my $guest = guest();
my $session = hello($guest);
isnt($session, 0, 'a session gets a number');
is(substr(RawClient::value($guest->query('SELECT ' . merge($session))), 0, 4), '\x01', 'with which one may merge');
is(hello($guest, $session), $session, 'it keeps it');

# ---------------------------------------------------------------- a transaction of its own
my %call = (hello => "dnsrepl.hello('UTF8', " . $greeting->($session) . ')', merge => merge($session), chunk => "dnsrepl.merge($session, $delta, 1, 0)",
    merge_done => "dnsrepl.merge_done($session, 1, 1)", flush => "dnsrepl.flush($session)", compare => "dnsrepl.compare($session, '\\x00', 0, '')");
for my $name (sort keys %call)
{
    $guest->query('BEGIN');
    refused($guest, "SELECT $call{$name}", '25001', qr/cannot run inside a transaction block/, "$name: not in a block");
    $guest->query('ROLLBACK');
    refused($guest, "SELECT 1; SELECT $call{$name}", '25001', qr/transaction block/, "$name: nor beside another statement");
    $guest->send(RawClient::parse('SELECT 1'), RawClient::bind(), RawClient::execute(), RawClient::parse("SELECT $call{$name}"), RawClient::bind(), RawClient::execute(), RawClient::sync());
    is((RawClient::error($guest->answer) // {})->{code}, '25001', "$name: nor behind another command in a pipeline");
}
refused($guest, "DO \$\$ BEGIN BEGIN PERFORM $call{merge}; EXCEPTION WHEN others THEN RAISE; END; END \$\$", '25001', qr/transaction block/, 'nor in a subtransaction');
$guest->send(map { (RawClient::parse("SELECT $call{$_}"), RawClient::bind(), RawClient::execute(), RawClient::sync()) } qw(merge flush));
my @answer = ($guest->answer, $guest->answer);
ok(!RawClient::error(@answer), 'calls in a pipeline, each with its Sync') or diag(explain RawClient::error(@answer));

# Executed, and never a Sync: it is over all the same.
my $pid = RawClient::value($guest->query('SELECT pg_backend_pid()'));
$guest->send(RawClient::parse("SELECT $call{merge}"), RawClient::bind(), RawClient::execute(), RawClient::flush());
ok((grep { $_->[0] eq 'C' } $guest->answer('C')), 'a merge without Sync');
is($tacoma->sql("SELECT count(*) FROM pg_locks WHERE pid = $pid AND locktype <> 'virtualxid'"), 0, 'holds no lock');
arrives('nobody waits for it');
$guest->send(RawClient::sync());
$guest->answer;

# ---------------------------------------------------------------- what the server does not see is bounded by time
my $hold = 'pg_sleep(600)';
my %open = (
    'in DO' => sub { $_[0]->send(RawClient::simple("DO \$\$ BEGIN PERFORM dnsrepl.flush($_[1]); PERFORM $hold; END \$\$")) },
    'beside others' => sub { $_[0]->send(RawClient::simple("SELECT dnsrepl.flush($_[1]), $hold")) },
    'in COPY' => sub { $_[0]->send(RawClient::simple("COPY (SELECT dnsrepl.flush($_[1]), $hold) TO STDOUT")) },
    'in EXPLAIN' => sub { $_[0]->send(RawClient::simple("EXPLAIN ANALYZE SELECT dnsrepl.flush($_[1]), $hold")) },
    'in EXECUTE' => sub { $_[0]->query("PREPARE p AS SELECT dnsrepl.flush($_[1]), $hold"); $_[0]->send(RawClient::simple('EXECUTE p')) },
    'in a cursor that is kept' => sub { $_[0]->send(RawClient::simple("DECLARE c CURSOR WITH HOLD FOR SELECT dnsrepl.flush($_[1]), $hold")) },
    'in a portal that is not read to its end' => sub { $_[0]->send(RawClient::parse("SELECT dnsrepl.flush($_[1])"), RawClient::bind(), RawClient::execute(1), RawClient::flush()) },
    'with a merge in it' => sub { $_[0]->send(RawClient::parse('SELECT ' . merge($_[1])), RawClient::bind(), RawClient::execute(1), RawClient::flush()) });
my %client;
for my $how (sort keys %open)
{
    $client{$how} = guest();
    my $number = hello($client{$how});
    $open{$how}->($client{$how}, $number);
}
arrives('a merge waits for that only so long');
for my $how (sort keys %open) { ok($client{$how}->ends(Dnsrepl::TIMEOUT), "a call $how: the session ends") }
like($tacoma->log, qr/dnsrepl ended this session: a transaction that went on after a call of a link/, 'the log says why');
ok(!RawClient::error($guest->query('SELECT pg_sleep(0.1)')), 'the session of a call that has ended does not');

# ---------------------------------------------------------------- one client in a session
refused($guest, 'SELECT ' . merge($session < 0 ? $session + 1 : $session - 1), '55000', qr/shares its session/, 'another number is that of another client');
my $second = hello($guest);    # a pooler gives the session to another one
isnt($second, $session, 'which gets another number');
refused($guest, "SELECT $call{$_}", '55000', qr/shares its session with another client.*pooler/, "$_: the first one is told") for sort keys %call;
ok(!RawClient::error($guest->query('SELECT ' . merge($second))), 'the second one goes on');
$guest->query('DISCARD ALL');
refused($guest, 'SELECT ' . merge($second), '08P01', qr/reset.*pooler/, 'a session that was reset has forgotten who was there');
$second = hello($guest);
$guest->query('RESET ALL');
refused($guest, 'SELECT ' . merge($second), '08P01', qr/reset/, 'by RESET ALL too');
$tacoma->sql('CREATE ROLE peer_one LOGIN NOINHERIT; CREATE ROLE peer_two; GRANT dnsrepl_link, peer_two TO peer_one; GRANT dnsrepl_link TO peer_two');
my $member = guest(user => 'peer_one');
$member->query('SET ROLE dnsrepl_link');
my $number = hello($member);
ok(!RawClient::error($member->query('SELECT ' . merge($number))), 'a member of the role');
$member->query('SET ROLE peer_two');
refused($member, 'SELECT ' . merge($number), '08P01', qr/begun with dnsrepl.hello/, 'is another guest as another role');
my $unbound = 'DELETE FROM dnsrepl.peer_role';    # the node speaks through other roles too
$tacoma->sql($unbound);
my $root = guest(user => $ENV{USER});
$number = hello($root);
$root->query('SET SESSION AUTHORIZATION dnsrepl_link');
refused($root, 'SELECT ' . merge($number), '08P01', qr/begun with dnsrepl.hello/, 'and in another session\'s name');

# ---------------------------------------------------------------- nothing of the guest's
$session = hello($guest);
$guest->query("BEGIN; CREATE TEMP TABLE audit_log (t text); ROLLBACK");
ok(!RawClient::error($guest->query("SELECT dnsrepl.flush($session)")), 'a temporary table that never was');
$guest->query('CREATE TEMP TABLE audit_log (t text)');
s/\(-?\d+, /($session, / for values %call;
$call{flush} = "dnsrepl.flush($session)";
$call{hello} = "dnsrepl.hello('UTF8', " . $greeting->(0) . ')';
refused($guest, "SELECT $call{$_}", '42501', qr/no temporary objects/, "$_: not with a temporary table") for sort keys %call;
$guest->query('DROP TABLE audit_log');
refused($guest, "SELECT $call{merge}", '42501', qr/no temporary objects/, 'nor after it');

$guest = guest();
$session = hello($guest);
$guest->query('SELECT ' . join ', ', map { "pg_advisory_lock(" . (0x4400 + $_) . ", 0), pg_advisory_lock(" . ((0x4400 + $_) << 32) . ")" } 0 .. 7);
arrives('advisory locks of a guest are not ours');
$guest->query("SET app.who = 'admin'");
refused($guest, 'SELECT ' . merge($session), '55000', qr/"app.who" may not be set/, 'a setting of its own');
$guest->query('RESET app.who');
for ([ default_transaction_isolation => 'serializable', 'transaction_isolation' ], [ default_transaction_read_only => 'on', 'transaction_read_only' ])
{
    my ($setting, $value, $name) = @$_;
    $guest->query("SET $setting = $value");
    refused($guest, "SELECT dnsrepl.flush($session)", '55000', qr/cannot work with "$name"/, "$setting: is refused by its name");
    $guest->query("RESET $setting");
}
my $slow = guest();
$number = hello($slow);
$slow->send(RawClient::simple("DO \$\$ BEGIN PERFORM " . merge($number) . "; PERFORM pg_sleep(1); END \$\$"));
ok($tacoma->poll("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = " . 0x4402 . ' AND granted', 1), 'somebody merges');
$guest->query('SET statement_timeout = 300');
ok(!RawClient::error($guest->query('SELECT ' . merge($session))), 'statement_timeout does not end a merge that waits');

# ---------------------------------------------------------------- links live whatever has been set
$tacoma->sql(<<'END');
CREATE TABLE audit (said text);
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO public.audit VALUES (concat_ws(' ', current_setting('TimeZone'), current_setting('standard_conforming_strings'), current_setting('search_path'), current_setting('app.site', true)));
  RETURN NEW; END $$;
CREATE TRIGGER audit AFTER INSERT ON records FOR EACH ROW EXECUTE FUNCTION audit();
ALTER TABLE records ENABLE ALWAYS TRIGGER audit;
ALTER DATABASE pdns SET app.site = 'tacoma';
END
my $there = $seattle->conninfo_to($tacoma);
(my $as_member = $there) =~ s/dnsrepl_link/peer_one/;
$seattle->sql("SELECT dnsrepl.add_peer('tacoma', '$as_member options=''-c role=dnsrepl_link -c TimeZone=Asia/Tokyo -c standard_conforming_strings=off -c statement_timeout=1''')");
arrives('a link with options of its own, which are kept');
is($tacoma->sql('SELECT string_agg(DISTINCT said, \',\') FROM audit'), 'UTC on pg_catalog, pg_temp tacoma', 'and do not reach the triggers; what the database has does');
$tacoma->sql($unbound);
$seattle->sql("SELECT dnsrepl.add_peer('tacoma', '$there options=''-c app.who=admin''')");
down(qr/"app.who" may not be set/, 'a setting of its own takes it down');
$seattle->sql("SELECT dnsrepl.add_peer('tacoma', '$there')");
$tacoma->sql("ALTER ROLE dnsrepl_link SET app.who = 'admin'; SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'dnsrepl_link'");
down(qr/"app.who" may not be set/, 'one of the role too, which a guest can give to itself');
$tacoma->sql('ALTER ROLE dnsrepl_link RESET ALL');

$ENV{PGOPTIONS} = '-c statement_timeout=0 -c lock_timeout=0 -c default_transaction_isolation=read\\ committed -c default_transaction_read_only=off -c idle_session_timeout=0 -c idle_in_transaction_session_timeout=0';
for my $node (@node)
{
    for my $whom ('DATABASE pdns', 'ROLE dnsrepl_link')
    {
        $node->sql("ALTER $whom SET $_") for 'statement_timeout = 1', 'lock_timeout = 1', 'idle_in_transaction_session_timeout = 1', 'idle_session_timeout = 1',
            "default_transaction_isolation = 'serializable'", 'default_transaction_read_only = on', 'default_transaction_deferrable = on';
    }
    $node->sql("ALTER DATABASE pdns SET role = 'peer_nobody'") if $node->sql('CREATE ROLE peer_nobody; SELECT 1');
    local $ENV{PGOPTIONS};    # not for the links of the server
    delete $ENV{PGOPTIONS};
    $node->cluster->restart;
}
$ENV{PGOPTIONS} .= ' -c role=none';
arrives('links go on');
$_->cluster->reload for @node;
arrives('after a reload of the settings too');
my $author = $tacoma->session;
$author->query_safe("BEGIN; UPDATE records SET ttl = 61 WHERE name = 'n1.example.org'");
$seattle->sql("UPDATE records SET ttl = 62 WHERE name = 'n2.example.org'");
ok($tacoma->poll("SELECT count(*) FROM dnsrepl.version WHERE NOT projected", 1), 'a merge that an author makes wait');
$author->query_safe('COMMIT');
$author->quit;
ok($tacoma->poll("SELECT ttl FROM records WHERE name = 'n2.example.org'", 62), 'is projected by the manager');
ok(Dnsrepl::same(@node), 'both are the same');
my $rounds = $tacoma->sql('SELECT rounds FROM dnsrepl.self_check');
ok($tacoma->poll("SELECT rounds > $rounds FROM dnsrepl.self_check"), 'and the checker goes its rounds');
unlike($_->log, qr/PANIC|TRAP:|terminated by signal/, $_->name . ' had no crash') for @node;
done_testing();
