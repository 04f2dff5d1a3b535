# The steps of the property test's games.
#
# @write: what an author may do in a transaction, SQL with {words}; @step: what may happen. Both have weights, and a new
# one is a line. A step's code draws its chances first (Property::chance, one_of, between) and then acts.
package Property::Steps;

use strict;
use warnings;

use Dnsrepl;
use Time::HiRes qw(sleep);

use constant HELD => 5;    # transactions that stay open at once

*chance = \&Property::chance;
*one_of = \&Property::one_of;
*between = \&Property::between;

# What a database may refuse: a rule of a zone, a duplicate, a lock, somebody else's change, a zone that is gone.
my %REFUSED = map { $_ => 1 } qw(23514 23505 23503 55P03 40001 40P01 42704);

# {z} zone, {n} a name in it, {t} a type, {tag} unique, {r} 0 to 99, {k} 1 to 3
my @write = (
    [ 30, q(SELECT torture.put('{z}', '{n}', '{t}', '{tag}', {k}, 300 + {k})) ],
    [ 8, q(INSERT INTO records (domain_id, name, type, content, ttl, prio) SELECT torture.id('{z}'), '{n}', '{t}', torture.content('{t}', '{tag}', {r}, '{z}'),
            coalesce((SELECT min(ttl) FROM records WHERE domain_id = torture.id('{z}') AND name::text = '{n}' AND type::text = '{t}'), 300), 0 WHERE torture.id('{z}') IS NOT NULL) ],
    [ 10, q(UPDATE records SET content = torture.content('{t}', '{tag}', {r}, '{z}') WHERE id =
            (SELECT id FROM records WHERE domain_id = torture.id('{z}') AND name::text = '{n}' AND type::text = '{t}' ORDER BY content LIMIT 1)) ],
    [ 9, q(DELETE FROM records WHERE domain_id = torture.id('{z}') AND name::text = '{n}' AND type::text = '{t}') ],
    [ 3, q(DELETE FROM records WHERE domain_id = torture.id('{z}') AND name::text = '{n}' AND type <> 'SOA') ],
    [ 4, q(UPDATE records SET ttl = 400 + {r} WHERE domain_id = torture.id('{z}') AND name::text = '{n}' AND type::text = '{t}') ],
    # many units at once, which the store packs, and one of them
    [ 4, q(DELETE FROM records WHERE domain_id = torture.id('{z}') AND name::text ~ '^b[0-9]+[.]' AND type = 'TXT';
           INSERT INTO records (domain_id, name, type, content, ttl, prio) SELECT torture.id('{z}'), 'b' || i || '.{z}', 'TXT', '"{tag} ' || i || '"', 300, 0
             FROM generate_series(1, 9) i WHERE torture.id('{z}') IS NOT NULL) ],
    [ 3, q(UPDATE records SET ttl = 500 + {r} WHERE domain_id = torture.id('{z}') AND type <> 'SOA') ],
    [ 4, q(UPDATE records SET content = '"{tag}"' WHERE domain_id = torture.id('{z}') AND name::text = 'b' || (3 * {k}) || '.{z}' AND type = 'TXT') ],
    [ 3, q(DELETE FROM records WHERE domain_id = torture.id('{z}') AND name::text = 'b' || (2 * {k}) || '.{z}') ],
    [ 2, q(DELETE FROM records WHERE domain_id = torture.id('{z}') AND name::text ~ '^b[0-9]+[.]') ],
    [ 2, q(UPDATE records SET disabled = NOT disabled WHERE domain_id = torture.id('{z}') AND name::text = '{n}' AND type::text = '{t}') ],
    [ 7, q(SELECT torture.alone('{z}', '{n}', 'CNAME', '{tag}')) ],
    [ 4, q(SELECT torture.alone('{z}', '{n}', 'A', '{tag}')) ],
    [ 4, q(SELECT torture.alone('{z}', '{n}', 'DNAME', '{tag}')) ],
    [ 2, q(INSERT INTO records (domain_id, name, type, content, ttl, prio) SELECT torture.id('{z}'), '{n}', 'CNAME', '{tag}.{z}', 300, 0 WHERE torture.id('{z}') IS NOT NULL
            AND NOT EXISTS (SELECT FROM records WHERE domain_id = torture.id('{z}') AND name::text = '{n}' AND type = 'CNAME')) ],
    [ 3, q(SELECT torture.soa('{z}', '{tag}', 0)) ],
    [ 3, q(SELECT torture.soa('{z}', '{tag}', {r})) ],
    [ 1, q(SELECT torture.soa('{z}', '{tag}', -{r})) ],
    [ 1, q(SELECT torture.soa('{z}', '{tag}', 2000000000)) ],
    [ 4, q(SELECT torture.serial('{z}', {r})) ],
    [ 2, q(SELECT torture.serial('{z}', -{r})) ],
    [ 6, q(DELETE FROM domainmetadata WHERE domain_id = torture.id('{z}') AND kind = 'ALSO-NOTIFY';
           INSERT INTO domainmetadata (domain_id, kind, content) SELECT torture.id('{z}'), 'ALSO-NOTIFY', '{tag} ' || i FROM generate_series(1, {k} - 1) i WHERE torture.id('{z}') IS NOT NULL) ],
    [ 5, q(DELETE FROM comments WHERE domain_id = torture.id('{z}') AND name::text = '{n}' AND type::text = '{t}';
           INSERT INTO comments (domain_id, name, type, modified_at, comment) SELECT torture.id('{z}'), '{n}', '{t}', {r}, '{tag}' WHERE {k} > 1 AND torture.id('{z}') IS NOT NULL) ],
    [ 3, q(INSERT INTO cryptokeys (domain_id, flags, active, published, content) SELECT torture.id('{z}'), 257, {k} > 1, true, 'Private-key-format: v1.2 {tag}' WHERE torture.id('{z}') IS NOT NULL) ],
    [ 3, q(UPDATE cryptokeys SET active = NOT active, published = {k} = 1 WHERE domain_id = torture.id('{z}')) ],
    [ 2, q(DELETE FROM cryptokeys WHERE id = (SELECT id FROM cryptokeys WHERE domain_id = torture.id('{z}') ORDER BY content LIMIT 1)) ],
    [ 3, q(INSERT INTO tsigkeys (name, algorithm, secret) VALUES ('key{k}', 'hmac-sha256', '{tag}') ON CONFLICT (name, algorithm) DO UPDATE SET secret = excluded.secret) ],
    [ 1, q(DELETE FROM tsigkeys WHERE name = 'key{k}') ],
    [ 3, q(INSERT INTO supermasters VALUES ('192.0.2.{k}', 'ns.example', '{tag}') ON CONFLICT (ip, nameserver) DO UPDATE SET account = excluded.account) ],
    [ 1, q(DELETE FROM supermasters WHERE ip = '192.0.2.{k}') ],
    [ 4, q(UPDATE domains SET account = '{tag}' WHERE name::text = '{z}') ],
    [ 8, q(SELECT torture.make('{z}', '{tag}', {r})) ],
    [ 2, q(DELETE FROM domains WHERE name::text = '{z}') ],
    [ 2, q(DELETE FROM domains WHERE name::text = '{z}'; SELECT torture.make('{z}', '{tag}', {r})) ],
    [ 2, q(UPDATE records SET auth = NOT auth, ordername = '{tag}' WHERE domain_id = torture.id('{z}') AND name::text = '{n}';
           UPDATE domains SET last_check = {r}, notified_serial = {r} WHERE name::text = '{z}') ],
    [ 2, q(WITH gone AS (DELETE FROM records WHERE domain_id = torture.id('{z}') AND name::text = '{n}' AND type::text = '{t}' RETURNING *)
           INSERT INTO records (domain_id, name, type, content, ttl, prio, disabled) SELECT domain_id, name, type, content, ttl, prio, disabled FROM gone) ],
    [ 4, q(SAVEPOINT s; DELETE FROM records WHERE domain_id = torture.id('{z}') AND type <> 'SOA'; SELECT torture.put('{z}', '{n}', '{t}', '{tag}', {k}, 300); ROLLBACK TO s) ],
);

my @step = (
    [ 60, one => sub { author($_[0], between(1, 1)) } ],
    [ 20, several => sub { author($_[0], between(2, 5)) } ],
    [ 6, all_at_once => \&burst ],
    [ 8, hold => \&hold ],
    [ 6, hung => \&hung ],
    [ 20, release => sub { my ($game) = @_; my $x = rand; release($game, int($x * @{ $game->{held} })) if @{ $game->{held} } } ],
    [ 12, mark => \&mark ],
    [ 4, hold_mark => \&hold_mark ],
    [ 3, lock => \&hold_lock ],
    [ 6, lot => \&lot ],
    [ 4, lot_waits => \&lot_waits ],
    [ 8, element => sub { element($_[0], some_node($_[0])) } ],
    [ 6, element_waits => sub { meanwhile($_[0], \&element) } ],
    [ 6, line => sub { line($_[0], some_node($_[0])) } ],
    [ 6, line_waits => sub { meanwhile($_[0], \&line) } ],
    [ 6, again => \&again ],
    [ 10, pause => \&pause ],
    [ 10, resume => \&resume ],
    [ 8, api => \&api ],
    [ 2, policy => \&policy ],
    [ 1, join => \&join_game ],
    [ 2, evict => \&evict, 'collect' ],
    [ 6, exile => \&exile, 'collect' ],
    [ 5, damage => \&damage, 'keeps' ],
    [ 5, crash => sub { my ($game) = @_; fall($game, 'crash', sub { $_[0]->stop('immediate'); $_[0]->start }) }, 'servers' ],
    [ 2, restart => sub { my ($game) = @_; fall($game, 'restart', sub { $_[0]->restart }) }, 'servers' ],
    [ 3, kill => \&kill_worker, 'servers' ],
    [ 2, backup => \&backup, 'servers' ],
    [ 2, restore => \&restore, 'servers' ],
    [ 6, settle => sub { my ($game) = @_; $game->tell('settle'); $game->rest(1) } ],
);

sub weighted
{
    my ($list) = @_;
    my $sum = 0;
    $sum += $_->[0] for @$list;
    my $at = rand $sum;
    for (@$list) { return $_ if ($at -= $_->[0]) < 0 }
    return $list->[-1];
}

# One step of a game.
sub take
{
    my ($game) = @_;
    my %only = map { $_ => 1 } split / /, $ENV{STEPS} // '';
    my (undef, $name, $code) = @{ weighted([ grep { (!$_->[3] || $game->{ $_->[3] }) && (!%only || $only{ $_->[1] }) } @step ]) };
    $game->{count}{$name}++;
    $code->($game);
    return;
}

sub some_node { my ($game) = @_; return $game->{node}[ int rand @{ $game->{node} } ] }

# ---------------------------------------------------------------- authors

# Where and what: drawn for each statement.
sub words
{
    my ($game, $zone) = @_;
    my $z = $zone // one_of(@{ Property::ZONES() });
    my $n = one_of(map({ "h$_.$z" } 0 .. 3), "h0.h1.$z", "h1.h1.$z", $z);
    my $t = $n eq $z ? one_of('TXT', 'MX') : one_of('A', 'TXT', 'MX', 'SRV');
    return (z => $z, n => $n, t => $t, tag => sprintf('t%d-%d', $game->{step}, ++$game->{tag}), r => int rand 100, k => between(1, 3));
}

sub statements
{
    my ($game, $count) = @_;
    my $zone = chance(0.7) ? one_of(@{ Property::ZONES() }) : undef;    # mostly one zone
    return map {
        my $sql = weighted(\@write)->[1];
        my %word = words($game, $zone);
        $sql =~ s/\{(\w+)\}/$word{$1} \/\/ die "no word $1"/ge;
        $game->{jumps}{ $word{z} }++ if $sql =~ /2000000000/;
        $sql;
    } 1 .. $count;
}

# Runs statements; false if the database has refused one (the transaction is over then).
sub try
{
    my ($dbh, @sql) = @_;
    for my $sql (@sql)
    {
        next if eval { $dbh->do($sql); 1 };
        my $state = $dbh->state // '';
        my $error = $@;
        if (!$REFUSED{$state}) { die "$sql: $error ($state)\n" }
        eval { $dbh->do('ROLLBACK') };
        return wantarray ? (0, $state) : 0;
    }
    return wantarray ? (1, '') : 1;
}

sub begin { return chance(0.15) ? 'BEGIN ISOLATION LEVEL REPEATABLE READ' : 'BEGIN' }

sub author
{
    my ($game, $count, $node) = @_;
    $node //= some_node($game);
    write_at($game, $node, begin(), statements($game, $count), chance(0.05) ? 'ROLLBACK' : 'COMMIT');
    return;
}

sub write_at
{
    my ($game, $node, @sql) = @_;
    my $dbh = Property::session($node);
    my ($done, $state) = try($dbh, @sql);
    Property::give_back($node, $dbh);
    $game->tell($node->{name}, $done ? '' : "refused ($state)", join('; ', @sql));
    my $writes = $game->{oracle}->taken($node);
    $game->{count}{$done ? 'versions' : 'refused'} += $done ? $writes : 1;
    return;
}

# Several authors end together.
sub burst
{
    my ($game) = @_;
    my @one = map { { node => some_node($game), sql => [ begin(), statements($game, between(1, 3)) ] } } 1 .. between(2, 4);
    my @going;
    for my $a (@one)
    {
        $a->{dbh} = Property::session($a->{node});
        my ($done, $state) = try($a->{dbh}, @{ $a->{sql} });
        $game->tell($a->{node}{name}, 'together', $done ? '' : "refused ($state)", @{ $a->{sql} });
        if ($done) { push @going, $a }
        else { Property::give_back($a->{node}, $a->{dbh}) }
    }
    $_->{dbh}->do('COMMIT', { pg_async => 1 }) for @going;
    for my $a (@going)
    {
        if (!eval { $a->{dbh}->pg_result; 1 })
        {
            my $state = $a->{dbh}->state // '';
            die "COMMIT: $@ ($state)\n" if !$REFUSED{$state};
            $game->tell($a->{node}{name}, "refused at its commit ($state)");
        }
        Property::give_back($a->{node}, $a->{dbh});
    }
    # when all have ended: one may come between another's last look and his commit
    my %node = map { $_->{node}{number} => $_->{node} } @going;
    $game->{oracle}->taken($node{$_}) for sort keys %node;
    return;
}

# An author who stays.
sub hold
{
    my ($game) = @_;
    my $node = some_node($game);
    my @sql = (begin(), statements($game, between(1, 3)));
    hold_at($game, $node, chance(0.75) ? 'COMMIT' : 'ROLLBACK', @sql);
    return;
}

# False if there are too many already, or it was refused.
sub hold_at
{
    my ($game, $node, $end, @sql) = @_;
    return 0 if @{ $game->{held} } >= HELD;
    my $dbh = Property::session($node);
    my ($done, $state) = try($dbh, @sql);
    $game->tell($node->{name}, 'holds', $done ? '' : "refused ($state)", @sql);
    if ($done) { push @{ $game->{held} }, { node => $node, dbh => $dbh, end => $end } }
    else { Property::give_back($node, $dbh) }
    return $done;
}

# One whose COMMIT does not end: it waits for a synchronous standby that there is not. Until somebody cancels the wait, which makes it
# a commit like any other.
sub hung
{
    my ($game) = @_;
    my $node = some_node($game);
    hold_at($game, $node, 'hangs', 'SET synchronous_commit = on', begin(), statements($game, between(1, 3))) or return;
    my $held = $game->{held}[-1];
    my $dbh = $held->{dbh};
    $dbh->do('COMMIT', { pg_async => 1 });
    Dnsrepl::wait_until(sub { $dbh->pg_ready || Property::hangs($node, $dbh->{pg_pid}) }, 20) or die "$node->{name}: a commit neither ends nor waits for its standby\n";
    release($game, $#{ $game->{held} }) if $dbh->pg_ready;    # it was refused, or has changed nothing
    return;
}

# One who only holds a zone, or locks rows or a table.
sub hold_sql
{
    my ($game, $node, @sql) = @_;
    return hold_at($game, $node, 'ROLLBACK', 'BEGIN', @sql);
}

# Where the marks come to.
sub hold_mark
{
    my ($game) = @_;
    my ($node, $z) = (some_node($game), one_of('m0.example', 'm1.example', 'm2.example'));
    my @anew = map { chance(0.2) } 1 .. between(0, 3);
    hold_sql($game, $node, one_of("INSERT INTO comments (domain_id, name, type, modified_at, comment) SELECT torture.id('$z'), '$z', 'A', 1, 'held' WHERE torture.id('$z') IS NOT NULL",
        "SELECT FROM records WHERE name::text = 'mark1.$z' FOR UPDATE", "SELECT FROM domains WHERE name::text = '$z' FOR UPDATE"));
    mark($game, $_) for @anew;
    waits($node) if @anew;
    return;
}

sub hold_lock
{
    my ($game) = @_;
    my %w = words($game);
    return hold_sql($game, some_node($game), one_of('LOCK TABLE records IN SHARE MODE', 'LOCK TABLE domains IN SHARE MODE', 'LOCK TABLE comments IN SHARE MODE',
        "SELECT FROM records WHERE domain_id = torture.id('$w{z}') FOR UPDATE",
        # as a commit that hangs has it
        "SELECT FROM dnsrepl.zone WHERE name::text = '$w{z}' FOR NO KEY UPDATE", "SELECT FROM dnsrepl.zone WHERE name::text ~ '^m' FOR NO KEY UPDATE"));
}

sub mark
{
    my ($game, $anew) = @_;
    $anew = ($anew // chance(0.5)) ? 'true' : 'false';
    my $node = $game->{node}[0];
    my $dbh = Property::session($node);
    my ($done, $state) = try($dbh, "SELECT torture.mark($anew)");
    Property::give_back($node, $dbh);
    $game->tell($node->{name}, 'marks', $anew, $done ? '' : "refused ($state)");
    $game->{oracle}->taken($node);
    return;
}

sub release
{
    my ($game, $i) = @_;
    my ($held) = splice @{ $game->{held} }, $i, 1;
    my ($done, $state) = $held->{end} eq 'hangs' ? commit_ends($held) : try($held->{dbh}, $held->{end});
    $game->tell($held->{node}{name}, 'who held:', $held->{end}, $done ? '' : "refused ($state)");
    Property::give_back($held->{node}, $held->{dbh});
    $game->{oracle}->taken($held->{node});
    return;
}

sub commit_ends
{
    my ($held) = @_;
    my ($node, $dbh) = @$held{qw(node dbh)};
    Property::ask($node, 'SELECT pg_cancel_backend(?)', $dbh->{pg_pid}) if !$dbh->pg_ready;
    my $done = eval { $dbh->pg_result; 1 };
    my $state = $done ? '' : $dbh->state // '';
    die "COMMIT: $@ ($state)\n" if !$done && !$REFUSED{$state};
    return ($done, $state);
}

# Something is done where somebody is at it, in a transaction that stays open, and then at other nodes; some of that comes while he is.
sub meanwhile
{
    my ($game, $what) = @_;
    my $node = some_node($game);
    my @sql = $what->($game);
    my $end = chance(0.75) ? 'COMMIT' : 'ROLLBACK';
    my @others = map { [ some_node($game), $what->($game) ] } 1 .. between(1, 3);
    hold_at($game, $node, $end, 'BEGIN', @sql) or return;
    write_at($game, @$_) for @others;
    waits($node);
    return;
}

# Gives what comes to a node the time to be found waiting there, if it is.
sub waits
{
    my ($node) = @_;
    return Dnsrepl::wait_until(sub { (Property::ask($node, 'SELECT count(*) FROM dnsrepl.parked'))[0][0] }, 0.3);
}

# An element is added to a set, or removed; without a node: the SQL of it.
sub element
{
    my ($game, $node) = @_;
    my $sql = sprintf "SELECT torture.element_%s(%d, 't%d-%d')", chance(0.6) ? 'add' : 'remove', between(0, 1), $game->{step}, ++$game->{tag};
    write_at($game, $node, $sql) if $node;
    return $sql;
}

# A unit with resolver `hold` is edited.
sub line
{
    my ($game, $node) = @_;
    my $sql = sprintf "SELECT torture.put('line.example', 'l%d.line.example', 'TXT', 't%d-%d', 1, 300)", between(0, 2), $game->{step}, ++$game->{tag};
    write_at($game, $node, $sql) if $node;
    return $sql;
}

# Zones come or go together.
sub lot
{
    my ($game, $node) = @_;
    $node //= some_node($game);
    my $tag = sprintf 't%d-%d', $game->{step}, ++$game->{tag};
    write_at($game, $node, chance(0.5) ? sprintf("SELECT torture.lot_make('%s', %d)", $tag, between(2, 6)) : "SELECT torture.lot_drop('$tag')");
    return;
}

# And cannot be shown everywhere at once: a table, or the zones' rows, are locked.
sub lot_waits
{
    my ($game) = @_;
    my ($node, $other) = (some_node($game), some_node($game));
    hold_sql($game, $node, one_of('LOCK TABLE records IN SHARE MODE', 'LOCK TABLE domains IN SHARE MODE', 'LOCK TABLE records IN SHARE ROW EXCLUSIVE MODE',
        "SELECT FROM domains WHERE name::text ~ '^z1[.].*[.]lot[.]example' FOR UPDATE"));
    lot($game, $other) for 1 .. between(1, 3);
    waits($node);
    return;
}

# A zone is deleted and made again, in two transactions, while others edit its row: before, between or after; perhaps where nobody hears of it.
sub again
{
    my ($game) = @_;
    my $cut = chance(0.5);
    my %w = words($game);
    my ($node, @other) = (some_node($game), some_node($game), some_node($game));
    my @step = ([ $node, "DELETE FROM domains WHERE name::text = '$w{z}'" ], [ $node, "SELECT torture.make('$w{z}', '$w{tag}', $w{r})" ]);
    splice @step, between(0, scalar @step), 0, [ $_, "UPDATE domains SET account = '$w{tag} by $_->{name}' WHERE name::text = '$w{z}'" ] for @other;
    cut($game, links_of($game, $node)) if $cut;
    for my $s (@step)
    {
        my $dbh = Property::session($s->[0]);
        my ($done, $state) = try($dbh, $s->[1]);
        Property::give_back($s->[0], $dbh);
        $game->tell($s->[0]{name}, $done ? '' : "refused ($state)", $s->[1]);
        $game->{oracle}->taken($s->[0]);
    }
    return;
}

sub policy
{
    my ($game) = @_;
    my $node = some_node($game);
    my ($zone, $tab, $type) = (one_of('NULL', "'example'", "'z0.example'", "'z1.example'"), one_of('NULL', "'records'", "'domainmetadata'"), 'NULL');
    $type = "'TXT'" if $tab eq "'records'" && chance(0.3);
    my $resolver = one_of('latest', 'merge', 'prefer', 'hold', 'merge', 'hold', 'torture.longest');
    my $options = $resolver eq 'prefer' ? sprintf(q('{"order": ["%s", "%s"]}'), 'tacoma', 'seattle') : 'NULL';
    my $own = join ', ', map { "'$_'" } @{ Property::RESOLVED() };
    my $sql = chance(0.2) ? "DELETE FROM dnsrepl.policy WHERE scope = (SELECT min(scope) FROM dnsrepl.policy WHERE zone IS NULL OR zone::text NOT IN ($own))"
        : "SELECT torture.policy($zone, $tab, $type, '$resolver', $options)";
    $game->{policies} = 1;
    my $dbh = Property::session($node);
    my ($done, $state) = try($dbh, $sql);
    Property::give_back($node, $dbh);
    $game->tell($node->{name}, $done ? '' : "refused ($state)", $sql);
    $game->{oracle}->taken($node);
    return;
}

# ---------------------------------------------------------------- PowerDNS

sub api
{
    my ($game) = @_;
    my %w = words($game);
    my $what = rand;
    my $node = $game->{dns} or return;
    my @call = $what < 0.7
        ? (PATCH => "/zones/$w{z}.", { rrsets => [ { name => "$w{n}.", type => $w{t}, ttl => 500 + $w{r}, changetype => 'REPLACE',
              records => [ map { { content => api_content($w{t}, "$w{tag}-$_", $w{z}), disabled => JSON::PP::false() } } 1 .. $w{k} ],
              comments => $w{k} == 1 ? [ { content => $w{tag}, account => 'api', modified_at => 1 } ] : [] } ] })
        : $what < 0.85 ? (PATCH => "/zones/$w{z}.", { rrsets => [ { name => "$w{n}.", type => $w{t}, changetype => 'DELETE' } ] })
        : $what < 0.92 ? (POST => '/zones', { name => "$w{z}.", kind => 'Native', nameservers => [ "ns1.$w{z}." ] })
        : $what < 0.95 ? (DELETE => "/zones/$w{z}.")
        : (PUT => "/zones/$w{z}./metadata/ALSO-NOTIFY", { kind => 'ALSO-NOTIFY', metadata => [ '192.0.2.' . $w{r} ] });
    my ($status) = $node->api(@call);
    $game->tell($node->{name}, "API $status", $call[0], $call[1], $call[2] ? JSON::PP->new->canonical->encode($call[2]) : ());
    $game->{count}{"api_$status"}++;
    $game->{oracle}->taken($node);
    return;
}

sub api_content
{
    my ($t, $tag, $z) = @_;
    my $n = 0;
    $n = ($n * 31 + ord) % 65_000 for split //, $tag;
    return $t eq 'A' ? sprintf('10.9.%d.%d', $n >> 8, $n & 255) : $t eq 'TXT' ? qq("$tag") : $t eq 'MX' ? "10 $tag.$z." : "0 1 5060 $tag.$z.";
}

# ---------------------------------------------------------------- links and nodes

sub pause
{
    my ($game) = @_;
    my @link = sort keys %{ $game->{link} };
    my $all = chance(0.3);
    my $link = one_of(@link);
    my ($from) = split />/, $link;
    cut($game, $all ? links_of($game, $game->{node}[$from]) : $link);
    return;
}

# All that lead to some nodes, or from there.
sub links_of
{
    my ($game, @node) = @_;
    my %is = map { $_->{number} => 1 } @node;
    return grep { grep { $is{$_} } split />/ } sort keys %{ $game->{link} };
}

# Which of these were open.
sub cut
{
    my ($game, @link) = @_;
    @link = grep { !$game->{paused}{$_} } @link;
    for my $link (@link)
    {
        my ($f, $t) = map { $game->{node}[$_] } split />/, $link;
        Property::ask($f, "SELECT dnsrepl.pause('$t->{name}')");
        $game->{paused}{$link} = 1;
        $game->tell("$f->{name} pauses $t->{name}");
    }
    return @link;
}

sub open_links
{
    my ($game, @link) = @_;
    for my $link (@link)
    {
        my ($f, $t) = map { $game->{node}[$_] } split />/, $link;
        Property::ask($f, "SELECT dnsrepl.resume('$t->{name}')");
        delete $game->{paused}{$link};
        $game->tell("$f->{name} resumes $t->{name}");
    }
    return;
}

sub resume
{
    my ($game) = @_;
    my $all = chance(0.4);
    my $x = rand;
    my @link = sort keys %{ $game->{paused} };
    return if !@link;
    open_links($game, $all ? @link : $link[ $x * @link ]);
    return;
}

# It comes back as soon as it says hello.
sub evict
{
    my ($game) = @_;
    my ($node, $who) = (some_node($game), some_node($game));
    evict_from($game, $node, $who) if $node != $who;
    return;
}

sub evict_from
{
    my ($game, $node, $who) = @_;
    my $dbh = Property::session($node);
    my ($done, $state) = try($dbh, "SELECT dnsrepl.evict('$who->{name}')");
    Property::give_back($node, $dbh);
    $game->tell($node->{name}, 'evicts', $who->{name}, $done ? '' : "refused ($state)");
    return;
}

# A member is cut off, edits there, and is evicted; what is deleted elsewhere meanwhile is collected, as far as others do not keep it. Then it
# may come back.
sub exile
{
    my ($game) = @_;
    my ($who, $node, @other) = (some_node($game), some_node($game), some_node($game), some_node($game));
    my $zone = one_of(@{ Property::ZONES() });
    my $back = chance(0.6);
    return if $who == $node;
    my %of_who = map { $_ => 1 } links_of($game, $who);
    open_links($game, grep { !$of_who{$_} } sort keys %{ $game->{paused} });    # the others hear of each other
    my @link = cut($game, sort keys %of_who);
    author($game, between(1, 3), $who) for 1 .. 2;
    lot($game, $who);
    write_at($game, $node, "DELETE FROM domains WHERE name::text = '$zone'");
    for (grep { $_ != $who } $node, @other)
    {
        author($game, between(1, 3), $_);
        lot($game, $_);
    }
    my $collected = sub { (Property::ask($node, 'SELECT collected FROM dnsrepl.self_check'))[0][0] };
    my $before = $collected->();
    evict_from($game, $node, $who);
    if (Dnsrepl::wait_until(sub { $collected->() > $before }, 5)) { $game->{count}{collected}++ }
    author($game, between(1, 3), $who);
    open_links($game, @link) if $back;
    return;
}

# Two nodes, or one, lose versions behind their back, of which there is another copy elsewhere: nothing is lost by it. They are cut off until they
# have noticed, as somebody would who works on a store by hand; in between one may write there.
sub damage
{
    my ($game) = @_;
    my ($zone, $tag, $back) = (one_of(@{ Property::ZONES() }), sprintf('t%d-%d', $game->{step}, ++$game->{tag}), chance(0.7));
    my @order = map { $_->[1] } sort { $a->[0] <=> $b->[0] } map { [ rand, $_ ] } @{ $game->{node} };
    my @edit = map { chance(0.5) ? [ begin(), statements($game, 1), 'COMMIT' ] : undef } 1 .. 2;
    my $two = chance(0.7);
    my @hit = @order[ 0 .. ($two ? 1 : 0) ];
    return if @{ $game->{held} };    # his commit would write what has just been taken out
    $game->rest(3) or return;
    my @link = cut($game, links_of($game, @hit));
    my ($copy) = @order[ @hit == @order ? 0 : -1 ];
    my %lost;
    for my $i (0 .. $#hit)
    {
        # of two nodes that are all, each keeps what the other loses
        my $source = $hit[$i] == $copy ? $hit[1] : $copy;
        my %there = map { $_->[0] => 1 } Property::ask($source, 'SELECT torture.unit_at(scope, unit, stamp, origin) FROM torture.version WHERE scope = ?', $zone);
        my @lose = grep { $there{$_} && !$lost{$_} } map { $_->[0] } Property::ask($hit[$i], 'SELECT torture.unit_at(scope, unit, stamp, origin) FROM torture.version WHERE scope = ? ORDER BY md5(? || unit)', $zone, "$tag $i");
        splice @lose, 3;
        next if !@lose;
        $lost{$_} = 1 for @lose;
        $game->{damaged}{ $hit[$i]{number} } = 1;
        $game->{lost}{$_}{ $hit[$i]{number} } = $game->{step} for @lose;
        Property::ask($hit[$i], 'SELECT torture.lose(?)', \@lose);
        $game->tell($hit[$i]{name}, 'loses', join ', ', @lose);
        Dnsrepl::wait_until(sub { (Property::ask($hit[$i], 'SELECT damaged IS NOT NULL OR damages > ? FROM dnsrepl.node, dnsrepl.self_check', $hit[$i]{damages} // 0))[0][0] }, 30)
            or die "$hit[$i]{name}: does not notice that it has lost ", join(', ', @lose), "\n";
        $hit[$i]{damages} = (Property::ask($hit[$i], 'SELECT damages FROM dnsrepl.self_check'))[0][0];
        write_at($game, $hit[$i], @{ $edit[$i] }) if $edit[$i];
    }
    open_links($game, @link) if $back;
    return;
}

# ---------------------------------------------------------------- servers

# What happens to a server ends all that its nodes had open.
sub fall
{
    my ($game, $what, $code) = @_;
    my $server = some_node($game)->cluster;
    my @node = grep { $_->cluster == $server } @{ $game->{node} };
    $game->tell(join(', ', map { $_->name } @node), $what);
    $code->($server);
    Property::forget_sessions($game, $server, @node);
    $game->{oracle}->taken($_) for @node;    # who was waiting in his commit has committed
    return @node;
}

# A process of the links, of the manager or of the launcher is killed: the server begins anew.
sub kill_worker
{
    my ($game) = @_;
    my ($x, $hard) = (rand, chance(0.5));
    fall($game, $hard ? 'kills a worker' : 'ends a worker', sub {
        my ($server) = @_;
        my $admin = Property::server_handle($server);
        my @pid = map { $_->[0] } @{ $admin->selectall_arrayref("SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'dnsrepl%' ORDER BY backend_type, backend_start") };
        return if !@pid;
        kill $hard ? 'KILL' : 'TERM', $pid[ $x * @pid ];
        # after a kill every session goes
        Dnsrepl::wait_until(sub { !eval { $admin->do('SELECT 1') } }, 20) or die "the server does not notice\n" if $hard;
        Dnsrepl::wait_until(sub { eval { Property::connect_to($server, 'postgres')->disconnect; 1 } }, 60) or die "the server does not come back\n";
    });
    return;
}

sub backup
{
    my ($game) = @_;
    fall($game, 'is backed up', sub {
        my ($server) = @_;
        $server->stop('fast');
        my $to = $server->{torture_backup} = $server->basedir . '/torture_backup';
        system('rm', '-rf', $to) == 0 && system('cp', '-a', $server->data_dir, $to) == 0 or die 'no backup';
        $server->start;
    });
    return;
}

sub restore
{
    my ($game) = @_;
    my $done;
    my @node = fall($game, 'is restored, if it has a backup', sub {
        my ($server) = @_;
        my $from = $server->{torture_backup};
        return if !$from;
        $server->stop('immediate');
        system('rm', '-rf', $server->data_dir) == 0 && system('cp', '-a', $from, $server->data_dir) == 0 or die 'not restored';
        $server->start;
        $done = 1;
    });
    $game->{oracle}->fell_back(@node) if $done;
    return;
}

sub join_game
{
    my ($game) = @_;
    my $friend = some_node($game);
    return if @{ $game->{node} } >= @{ Property::NAMES() } - 1;
    return if $friend->cluster->{torture_backup};    # which would not have it
    my $node = $game->node_make($friend->cluster);
    $game->link_make($node, $friend);
    $game->link_make($friend, $node);
    $game->tell("$node->{name} joins at $friend->{name}, clock $node->{offset}");
    return;
}

1;
