# The property test: random games on real databases, each from a seed.
#
#   Property->run(seconds => 45);                one game after another, seeds random
#   Property->run(seconds => 600, seeds => [42]);  those games, one after another
#
# With STEPS='mark hold_mark release' in the environment only steps of these kinds are played (Property::Steps): to see a checker fail.
#
# A game: 2 to 5 nodes (databases of one server; in a game with servers, a server each), a random directed mesh, clocks
# that differ, and 50 to 300 random steps (Property::Steps). After every step every node is looked at; at the end all is
# healed and compared (Property::Oracle says what is checked and how).
#
# What is drawn for a step depends on the seed and the step's number alone, never on what the databases answer: the same
# seed gives the same choices in the same order. When the links' processes act is theirs, of course.
package Property;

use strict;
use warnings;

use DBI;
use Dnsrepl;
use Property::Oracle;
use Property::Steps;
use Test::More;
use Time::HiRes qw(sleep time);

use constant {
    NAMES => [qw(seattle tacoma spokane yakima olympia everett)],
    ZONES => [qw(z0.example z1.example sub.z0.example)],
    RESOLVED => [qw(set.example line.example)],    # zones that always have a resolver of their own
    HEAL => 60,         # seconds that a healed mesh may take to come to rest
    KEPT => 60,         # steps that are told of a failed game
};

my $conf = <<'END_CONF';
dnsrepl.keepalive = '1s'
dnsrepl.connect_timeout = '2s'
dnsrepl.chunk_size = '16kB'
deadlock_timeout = '200ms'
dnsrepl.check_interval = '500ms'
max_connections = 150
max_worker_processes = 64
synchronous_commit = local
synchronous_standby_names = 'away'
wal_level = replica
max_wal_senders = 1
restart_after_crash = on
END_CONF

# ---------------------------------------------------------------- chance

# Numbers for one step: the same for the same seed, whatever was drawn before.
sub reseed
{
    my ($self, $step) = @_;
    srand(($self->{seed} * 10_007 + $step * 7_919 + 1) & 0x7fffffff);
    rand for 1 .. 3;
    return;
}

sub chance { return rand() < $_[0] }
sub one_of { return $_[ int rand @_ ] }
sub between { return $_[0] + int rand($_[1] - $_[0] + 1) }

# ---------------------------------------------------------------- nodes

sub new
{
    my ($class, $seed, %option) = @_;
    return bless { seed => $seed, node => [], told => [], step => 0, link => {}, paused => {}, held => [], tag => 0, count => {}, %option }, $class;
}

# A database on this server, from the template.
sub node_make
{
    my ($self, $server) = @_;
    my $i = @{ $self->{node} };
    my $name = NAMES->[$i];
    my $db = "game$self->{seed}_$name";
    my $admin = server_handle($server);
    $admin->do("CREATE DATABASE $db TEMPLATE empty");
    my $offset = one_of(0, 0, 0, 300, -300, 20_000, -20_000, 400_000, -400_000);
    $admin->do("ALTER DATABASE $db SET dnsrepl.clock_offset = '${offset}ms'");
    push @{ $server->{torture_db} }, $db;
    list_databases($server);
    my $node = bless { name => $name, db => $db, link => {}, server => $server, number => $i, offset => $offset }, 'Dnsrepl';
    my $dbh = session($node);
    # of one cluster from the start: what they write before they meet are siblings
    $dbh->do("SELECT dnsrepl.setup('$name')");
    $dbh->do("UPDATE dnsrepl.node SET clusters = ARRAY['00000000-0000-0000-0000-00000000000c'::uuid]");
    $dbh->do($Property::Oracle::schema);
    $dbh->do('SELECT torture.triggers()');
    push @{ $self->{node} }, $node;
    return $node;
}

# If the server has gone on, nobody waits for a standby any more.
sub let_commit
{
    my ($server) = @_;
    my $dbh = connect_to($server, 'postgres');
    $dbh->do("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
    my $gone = Dnsrepl::wait_until(sub { !($dbh->selectrow_array("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"))[0] }, 20);
    $dbh->disconnect;
    die "a commit waits for its standby though its wait has been cancelled\n" if !$gone;
    return;
}

sub list_databases
{
    my ($server) = @_;
    my $admin = server_handle($server);
    $admin->do("ALTER SYSTEM SET dnsrepl.databases = " . (join(', ', @{ $server->{torture_db} }) || "''"));
    $admin->do('SELECT pg_reload_conf()');
    return;
}

sub connect_to
{
    my ($server, $db) = @_;
    my ($host, $port) = ($server->host, $server->port);
    return DBI->connect("dbi:Pg:host=$host;port=$port;dbname=$db", $ENV{USER}, '',
        { RaiseError => 1, PrintError => 0, AutoCommit => 1, pg_server_prepare => 0 });
}

sub server_handle
{
    my ($server) = @_;
    return $server->{torture_admin} //= connect_to($server, 'postgres');
}

# An idle session of a node; give_back() returns it.
sub session
{
    my ($node) = @_;
    my $dbh = pop @{ $node->{idle} } // connect_to($node->cluster, $node->db);
    $dbh->do("SET lock_timeout = '150ms'; SET synchronous_commit = local; SET client_min_messages = error");
    return $dbh;
}

sub give_back
{
    my ($node, $dbh) = @_;
    push @{ $node->{idle} }, $dbh;
    return;
}

# Rows of a query, by a session of its own that stays.
sub ask
{
    my ($node, $sql, @value) = @_;
    $node->{eye} //= connect_to($node->cluster, $node->db);
    return @{ $node->{eye}->selectall_arrayref($sql, undef, @value) };
}

# Somebody who looks at the marks of a node all the time.
sub watch
{
    my ($node) = @_;
    if ($node->{watch})
    {
        return if !$node->{watch}->pg_ready;
        $node->{watch}->pg_result;
        die "$node->{name}: the reader has stopped\n";
    }
    $node->{watch} = connect_to($node->cluster, $node->db);
    $node->{watch}->do('CALL torture.watch()', { pg_async => 1 });
    return;
}

# The server has begun anew: no session is left, and who held something holds it no more.
sub forget_sessions
{
    my ($self, $server, @node) = @_;
    my @old = delete $server->{torture_admin};
    let_commit($server) if grep { my $node = $_->{node}; $_->{end} eq 'hangs' && grep { $_ == $node } @node } @{ $self->{held} };
    for my $node (@node)
    {
        push @old, delete $node->{watch}, delete $node->{eye}, @{ delete $node->{idle} // [] }, map { $_->{dbh} } grep { $_->{node} == $node } @{ $self->{held} };
        @{ $self->{held} } = grep { $_->{node} != $node } @{ $self->{held} };
    }
    eval { $_->disconnect } for grep { $_ } @old;
    return;
}

# Does this process wait for the standby that there is not? (Nobody but those who ask for it do.)
sub hangs
{
    my ($node, $pid) = @_;
    return (ask($node, "SELECT count(*) FROM pg_stat_activity WHERE pid = ? AND wait_event = 'SyncRep'", $pid))[0][0];
}

sub link_make
{
    my ($self, $from, $to) = @_;
    return if $self->{link}{"$from->{number}>$to->{number}"}++;
    my ($port, $db) = ($to->port, $to->db);
    ask($from, "SELECT dnsrepl.add_peer('$to->{name}', 'host=127.0.0.1 port=$port dbname=$db user=dnsrepl_link')");
    return;
}

# Strongly connected, whatever else: a directed ring with chords, or a chain.
sub mesh_make
{
    my ($self) = @_;
    my @node = @{ $self->{node} };
    if (chance(0.4))
    {
        for my $i (0 .. $#node - 1)
        {
            $self->link_make(@node[ $i, $i + 1 ]);
            $self->link_make(@node[ $i + 1, $i ]);
        }
        return 'chain';
    }
    for my $i (0 .. $#node)
    {
        $self->link_make($node[$i], $node[ ($i + 1) % @node ]);
        for my $k (0 .. $#node) { $self->link_make(@node[ $i, $k ]) if $k != $i && chance(0.25) }
    }
    return 'ring';
}

# ---------------------------------------------------------------- a game

sub tell
{
    my ($self, @what) = @_;
    (my $line = join ' ', @what) =~ s/\s+/ /g;
    push @{ $self->{told} }, "$self->{step} $line";
    return;
}

# Plays it; undef, or what went wrong.
sub play
{
    my ($self, @server) = @_;
    my $problem = eval {
        $self->reseed(0);
        my $nodes = $self->{servers} ? between(2, 3) : between(2, 5);
        my $steps = between(50, 300);
        $self->node_make($server[ $_ % @server ]) for 0 .. $nodes - 1;
        ask($self->{node}[0], 'SELECT torture.resolved_zones()');
        my $kind = $self->mesh_make;
        my $dns = chance(0.34) ? $self->{node}[ int rand $nodes ] : undef;
        $self->{dns} = $dns;
        if ($dns)
        {
            local $ENV{PGOPTIONS} = '-c lock_timeout=300ms';
            $dns->dns_start;
        }
        $self->tell("$nodes nodes, $kind, $steps steps, clocks", map({ "$_->{name} $_->{offset}" } @{ $self->{node} }),
            $dns ? "PowerDNS on $dns->{name}" : ());
        my $oracle = $self->{oracle} = Property::Oracle->new($self);
        $oracle->taken($self->{node}[0]);
        for my $step (1 .. $steps)
        {
            $self->{step} = $step;
            $self->reseed($step);
            watch($_) for @{ $self->{node} };
            Property::Steps::take($self);
            $oracle->look;
        }
        $self->{step} = $steps + 1;
        $self->heal;
        $oracle->at_rest;
        1;
    } ? undef : "$@";
    $self->{failed} = $problem;
    return $problem;
}

# Everybody ends what he is doing, all links are open, and the mesh comes to rest.
sub heal
{
    my ($self) = @_;
    $self->reseed($self->{step});
    Property::Steps::release($self, $_) for reverse 0 .. $#{ $self->{held} };
    ask($_, 'SELECT dnsrepl.resume(name) FROM dnsrepl.peer WHERE paused') for @{ $self->{node} };
    $self->{paused} = {};
    $self->rest(HEAL) or die "no rest after " . HEAL . " seconds:\n" . $self->unrest;
    return;
}

my $restless = <<'END_SQL';
SELECT count(*) FROM (
  SELECT 1 FROM dnsrepl.status WHERE state <> 'paused' AND (state <> 'streaming' OR behind_units > 0)
  UNION ALL SELECT 1 FROM dnsrepl.parked
  UNION ALL SELECT 1 FROM dnsrepl.deferred
  UNION ALL SELECT 1 FROM dnsrepl.node WHERE damaged IS NOT NULL) s
END_SQL

sub rest
{
    my ($self, $seconds) = @_;
    my $calm = 0;
    return Dnsrepl::wait_until(sub {
        for my $node (@{ $self->{node} })
        {
            next if !(ask($node, $restless))[0][0];
            $calm = 0;
            return 0;
        }
        return ++$calm > 1;
    }, $seconds);
}

sub unrest
{
    my ($self) = @_;
    my @out;
    for my $node (@{ $self->{node} })
    {
        push @out, "$node->{name}: " . join ' ', map { $_ // '-' } @$_ for ask($node, 'SELECT name, state, behind_units, last_error FROM dnsrepl.status');
        push @out, "$node->{name}: parked " . join ' ', map { $_ // '-' } @$_
            for ask($node, 'SELECT z.name, z.tab, encode(p.key, \'escape\'), p.tries, p.error FROM dnsrepl.parked p JOIN dnsrepl.zone z ON z.no = p.zone LIMIT 10');
        push @out, "$node->{name}: deferred " . join ' ', map { $_ // '-' } @$_ for ask($node, 'SELECT no, peer, zones, error FROM dnsrepl.deferred ORDER BY no LIMIT 10');
    }
    return join "\n", @out;
}

sub clean
{
    my ($self) = @_;
    for my $node (@{ $self->{node} })
    {
        $node->dns_stop;
        eval { $node->{watch}->pg_cancel; $node->{watch}->disconnect } if $node->{watch};
        $node->{watch} = undef;
        for my $dbh ($node->{eye}, @{ $node->{idle} }, map { $_->{dbh} } grep { $_->{node} == $node } @{ $self->{held} }) { $dbh->disconnect if $dbh }
        $node->{eye} = undef;
        $node->{idle} = [];
    }
    my %server = map { $_->cluster => $_->cluster } @{ $self->{node} };
    for my $server (values %server)
    {
        my @db = @{ $server->{torture_db} };
        $server->{torture_db} = [];
        delete $server->{torture_backup};
        list_databases($server);
        server_handle($server)->do("DROP DATABASE $_ WITH (FORCE)") for @db;
    }
    return;
}

# ---------------------------------------------------------------- one game after another

# On the server that collects, deletions go as soon as they can, and members are evicted.
sub server
{
    my ($name, %option) = @_;
    my $server = Dnsrepl->server($name, databases => '', conf => $conf . ($option{collect} ? "dnsrepl.tombstone_retention = '1s'\n" : ''));
    $server->{torture_db} = [];
    $server->{collect} = $option{collect};
    my $admin = server_handle($server);
    $admin->do('CREATE DATABASE empty');
    my $dbh = connect_to($server, 'empty');
    $dbh->do('CREATE EXTENSION dnsrepl');
    $dbh->disconnect;
    return $server;
}

sub run
{
    my ($class, %option) = @_;
    my $end = time + $option{seconds};
    my $seed;
    my (@server, @servers);
    my ($games, %count) = (0);
    srand;
    my @seeds = $option{seeds} ? @{ $option{seeds} } : map { int rand 1_000_000 } 1 .. 100_000;
    while (defined($seed = shift @seeds))
    {
        my $began = time;
        my $game = Property->new($seed);
        # each fifth is one of several servers, which fail; of the others, every second one collects
        if ($seed % 5 == 0)
        {
            $game->{servers} = 1;
            @servers = map { server($_) } qw(three four five) if !@servers;
        }
        elsif (!@server) { @server = (server('one'), server('two', collect => 1)) }
        my @on = $game->{servers} ? @servers : $server[ $seed % 2 ];
        $game->{collect} = $on[0]{collect};
        $game->{keeps} = !$game->{collect};
        my $problem = $game->play(@on);
        $count{$_} += $game->{count}{$_} for keys %{ $game->{count} };
        $games++;
        my $line = sprintf 'seed %d: %d steps in %.1f s%s', $seed, $game->{step}, time - $began, $game->{collect} ? ', deletions collected' : '';
        if ($problem)
        {
            fail($line);
            diag("make torture SEED=$seed plays it again\n$problem");
            my @told = @{ $game->{told} };
            my $first = @told > KEPT ? @told - KEPT : 0;
            diag(join "\n", $first ? $told[0] : (), @told[ $first .. $#told ]);
            last;
        }
        pass($line);
        $game->clean;
        last if time > $end;
    }
    note(join ', ', map { "$_ $count{$_}" } sort keys %count);
    for my $server (@server, @servers)
    {
        (delete $server->{torture_admin})->disconnect if $server->{torture_admin};
        $server->stop;
        my $log = PostgreSQL::Test::Utils::slurp_file($server->logfile);
        unlike($log, qr/PANIC|TRAP:|terminated by signal (?!9:)/, $server->name . ': no crash');
    }
    return $games;
}

1;
