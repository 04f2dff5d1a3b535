# Processes that are ended or killed, and servers that are stopped at once, at moments chosen to be bad: while a delta of many
# chunks is being staged, while it is kept for a zone that is locked, while all of it is written and not committed, and between a
# commit and its way to the peer. Afterwards both nodes are equal, the tables are what the store says, and never has the
# receiver shown a part of a transaction: somebody looks all the time.
use strict;
use warnings;

use Dnsrepl;
use Test::More;

use constant { ZONES => 8, NAMES => 150 };

my $conf = <<'END';
dnsrepl.chunk_size = '16kB'
dnsrepl.keepalive = '500ms'
restart_after_crash = on
autovacuum = off
END
my $seattle = Dnsrepl->new('seattle', conf => $conf . "synchronous_commit = off\nwal_writer_delay = '10s'");
my $tacoma = Dnsrepl->new('tacoma', conf => $conf);
$seattle->sql("INSERT INTO domains (name, type) SELECT 'z' || i || '.example', 'NATIVE' FROM generate_series(1, " . ZONES . ') i');
my $case = 0;

# A transaction that touches every zone: its tag is in all of them, and in a number of names.
sub edit
{
    my $tag = 'tag' . ++$case;
    $seattle->sql("BEGIN; DELETE FROM records; INSERT INTO records (domain_id, name, type, content, ttl, prio)"
          . " SELECT d.id, ('$tag-' || i || '.' || d.name::text)::dnsname, 'TXT', '\"$tag ' || repeat('x', 200) || '\"', 60, 0"
          . ' FROM domains d, generate_series(1, ' . NAMES . ') i; COMMIT');
    return $tag;
}

my $whole = ZONES * NAMES;
my $look = "SELECT 'seen ' || coalesce(string_agg(tag || '=' || n, ' '), '') FROM"
  . " (SELECT split_part(name::text, '-', 1) AS tag, count(*) AS n FROM records WHERE type IS NOT NULL GROUP BY 1) s";

# ---------------------------------------------------------------- who looks

my $dir = PostgreSQL::Test::Utils::tempdir('look');
PostgreSQL::Test::Utils::append_to_file("$dir/look.sql", "$look\n\\watch 0.02\n");
my $loop = q{my $p; $SIG{TERM} = sub { kill 'TERM', $p if $p; exit 0 }; my $parent = getppid;}
  . q{while (getppid == $parent) { $p = fork // die; if (!$p) { exec @ARGV or die } waitpid $p, 0; select undef, undef, undef, 0.05 }};
my $looker = Dnsrepl::spawn('who looks', "$dir/seen", $^X, '-e', $loop, 'psql', '-XAtq', '-d', $tacoma->cluster->connstr($tacoma->db), '-f', "$dir/look.sql");

# ---------------------------------------------------------------- who is killed

sub pid_of
{
    my ($node, $who) = @_;
    my $what = $who eq 'session' ? "usename = 'dnsrepl_link'" : "backend_type = 'dnsrepl $who'";
    # a session whose merge has waited in vain is over, and comes again
    return Dnsrepl::wait_until(sub { $node->sql("SELECT pid FROM pg_stat_activity WHERE $what ORDER BY query ~ 'merge' DESC, state = 'active' DESC LIMIT 1") });
}

sub end_one
{
    my ($node, $who) = @_;
    my $pid = pid_of($node, $who);
    $node->sql("SELECT pg_terminate_backend($pid)");
    $node->poll("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid", 0);
    return;
}

# As a fault in it would: the server ends all of its processes, and starts them anew.
sub kill_one
{
    my ($node, $who) = @_;
    my $pid = pid_of($node, $who);
    my $old = $node->sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'");
    kill 'KILL', $pid;
    $node->poll("SELECT pid <> $old FROM pg_stat_activity WHERE backend_type = 'checkpointer'");
    return;
}

sub crash
{
    my ($node) = @_;
    $node->cluster->stop('immediate');
    $node->cluster->start;
    return;
}

my @deed = (
    [ 'the sender\'s worker is ended', sub { end_one($seattle, 'link') } ],
    [ 'the sender\'s worker is killed', sub { kill_one($seattle, 'link') } ],
    [ 'the receiver\'s session is ended', sub { end_one($tacoma, 'session') } ],
    [ 'the receiver\'s session is killed', sub { kill_one($tacoma, 'session') } ],
    [ 'the sender\'s manager is ended', sub { end_one($seattle, 'manager') } ],
    [ 'the receiver\'s manager is ended', sub { end_one($tacoma, 'manager') } ],
    [ 'both launchers are ended', sub { end_one($_, 'launcher') for $seattle, $tacoma } ],
    [ 'the receiver is stopped at once', sub { crash($tacoma) } ],
    [ 'the sender is stopped at once', sub { crash($seattle) } ]);

# ---------------------------------------------------------------- and when

# Each: what holds the moment, in a session's transaction, made before the link is let go; and whether it has come.
my @moment = (
    [ 'while chunks are staged', sub {
        # (does not wait for its end)
        $_[0]->query_until(qr/ready/, "\\echo ready\nDO \$\$ BEGIN FOR i IN 1 .. 10000 LOOP EXIT WHEN (SELECT count(*) FROM dnsrepl.staging) >= 3;"
              . " PERFORM pg_sleep(0.001); END LOOP; LOCK TABLE dnsrepl.staging IN SHARE MODE; END \$\$;\n");
    }, sub {
        return $_[0]->query_safe('SELECT count(*) FROM dnsrepl.staging') >= 3
          && $tacoma->poll("SELECT count(*) > 0 FROM pg_locks WHERE relation = 'dnsrepl.staging'::regclass AND NOT granted");
    } ],
    [ 'while it is kept for a zone', sub {
        $_[0]->query_safe("SELECT no FROM dnsrepl.zone WHERE name = 'z5.example' FOR UPDATE");
    }, sub {
        return $tacoma->poll('SELECT count(*) > 0 FROM dnsrepl.deferred');
    } ],
    [ 'when all is written and not committed', sub {
        $_[0]->query_safe('LOCK TABLE dnsrepl.peer_vector IN SHARE MODE');
    }, sub {
        return $tacoma->poll("SELECT count(*) > 0 FROM pg_locks WHERE relation = 'dnsrepl.peer_vector'::regclass AND NOT granted");
    } ]);

sub all_is_well
{
    my ($tag, $what) = @_;
    ok(Dnsrepl::same($seattle, $tacoma), "$what: both are equal");
    is($tacoma->sql($look), "seen $tag=$whole", '... with what was written');
    is($_->sql('SELECT count(*) FROM dnsrepl.check_store()'), 0, "... $_->{name}: the tables are what the store says") for $seattle, $tacoma;
    ok($tacoma->poll('SELECT count(*) FROM dnsrepl.staging', 0), '... and nothing is staged any more');
    return;
}

$seattle->peer($tacoma);
all_is_well(edit(), 'at first');
for my $moment (@moment)
{
    for my $deed (@deed)
    {
        my $what = "$moment->[0] $deed->[0]";
        $seattle->sql("SELECT dnsrepl.pause('tacoma')");
        my $tag = edit();
        my $session = $tacoma->session;
        $session->query_safe('BEGIN');
        $moment->[1]->($session);
        $seattle->sql("SELECT dnsrepl.resume('tacoma')");
        ok($moment->[2]->($session), "$moment->[0], ...");
        $deed->[1]->();
        is($tacoma->sql($look), 'seen tag' . ($case - 1) . "=$whole", "... $deed->[0]: nothing is shown yet") if $deed->[0] =~ /session is ended/;
        eval { $session->quit };
        all_is_well($tag, $what);
    }
}

# ---------------------------------------------------------------- between a commit and its way to the peer
# Not flushed: the commit may be gone, and then it is nowhere; it is not seen in part.
for my $deed (grep { $_->[0] =~ /sender.*(?:killed|stopped)/ } @deed)
{
    $seattle->freeze($tacoma);
    my $tag = edit();
    $deed->[1]->();
    my $left = $seattle->sql($look);
    like($left, qr/^seen tag\d+=$whole$/, "$deed->[0] after a commit: it is there, or not at all");
    note($left eq "seen $tag=$whole" ? 'it is there' : 'it is not');
    $seattle->heal($tacoma);
    all_is_well(substr($left, 5) =~ s/=.*//r, "$deed->[0] after a commit");
}
$seattle->poll("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'dnsrepl $_'", 1) or fail("no $_") for qw(launcher manager link);
all_is_well(edit(), 'and all goes on');

Dnsrepl::finish($looker);
my %seen;
$seen{$_}++ for grep { /^seen/ } split /\n/, PostgreSQL::Test::Utils::slurp_file("$dir/seen");
my @part = grep { !/^seen tag\d+=$whole$/ && $_ ne 'seen ' } keys %seen;
cmp_ok(scalar keys %seen, '>', 20, 'somebody has looked all the time');
is("@part", '', 'and never seen a part');
unlike($_->log, qr/PANIC|TRAP|terminated by signal (6|11):/, "$_->{name}: no crash of its own") for $seattle, $tacoma;
done_testing();
