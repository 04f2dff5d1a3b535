# What the property test knows and checks.
#
# It knows every write: after each commit it takes from torture.log (Property/schema.sql) which versions the author had
# before his eyes and which he made, so that `write` has, for each version that was ever committed anywhere, its node, its
# unit, its rows, and the versions that its author saw. That is the model's `children`, on real databases.
#
# All the time, on every node, a reader (torture.watch()) looks: at marks, which one node writes, some in one zone and some in several, in one
# transaction each: nobody sees part of one, nor an earlier one than before, nor an earlier value of one name beside a later one of another; at zones that
# come and go in lots: all of a lot with all its records, or none; at elements of a set (resolver `merge`): none that was gone comes back.
# At each commit: the version is what the tables had; what the author saw of units he left alone is what the store says he saw.
# After each step, on every node: a zone's serial does not go back and rises with its content; what is served breaks no
# rule; siblings that differ are an open conflict. A secondary that transfers from random nodes is kept as well.
# At the end: all nodes serve the same and hold the same; check_store() is silent; no write is gone that no write alive
# had seen, and none is back that one had; the zones are those that somebody made and nobody who saw them deleted; every conflict that was held anywhere, or that an author settled, is told there;
# and no conflict is told that is none. Sets have what was added and not removed (`merge`); of a unit with `hold` the line that began first is served.
#
# What may be lost, or come back, after which step is what the documentation says: excused(), collectable(), replaced_unseen(), damage_may_bring_back(),
# fell_back().
package Property::Oracle;

use strict;
use warnings;

use Carp;
use Digest::MD5 qw(md5_hex);
use Dnsrepl;

our $schema = PostgreSQL::Test::Utils::slurp_file(($ENV{DNSREPL_ROOT} // ".") . "/test/lib/Property/schema.sql");

sub new
{
    my ($class, $game) = @_;
    return bless { game => $game, write => {}, unit => {}, told => {}, zone => {}, secondary => {} }, $class;
}

# ---------------------------------------------------------------- commits

# Fetches what was committed at a node since it was asked last.
sub taken
{
    my ($self, $node) = @_;
    my ($writes, %next, %entries) = (0);
    my @taken = Property::ask($node, 'SELECT * FROM torture.take()');
    for my $t (reverse @taken)
    {
        my ($scope, $live, $held, $shown, $rows, $made) = @$t;
        $entries{$scope}++;
        my %rows = map { /^(.*?)\|(.*)$/s ? ($1 => $2) : die "a row: $_" } @$rows;
        my (%seen, %shown, %waits, %own, %made);
        for (@$held)
        {
            my ($unit, $origin, $stamp, $seen, $lives, $own) = split_right($_, 5);
            push @{ $seen{$unit} }, { dot => "$stamp $origin", lives => $lives } if $seen;
            $waits{$unit} = 1 if !$seen;
            $own{$unit} = "$stamp $origin" if $seen && $own;
        }
        for (@$shown)
        {
            my ($unit, $origin, $stamp) = split_right($_, 2);
            push @{ $shown{$unit} }, "$stamp $origin";
        }
        for (@$made)
        {
            my ($unit, $origin, $stamp, $image) = /^(.*?\})\|([-0-9a-f]{36})\|(-?\d+)\|(.*)$/s or die "a version: $_";
            $made{$unit} = [ "$stamp $origin", $image eq '-' ? undef : $image ];
        }
        # what the next one saw and has replaced already: PowerDNS deletes and inserts in two
        my $later = $next{$scope} // {};
        for my $unit (keys %$later) { $made{$unit} //= [ $later->{$unit}, $rows{$unit} ] if ($own{$unit} // '') ne $later->{$unit} }
        $next{$scope} = \%own;
        $t = { scope => $scope, live => [ split /,/, $live // '' ], rows => \%rows, seen => \%seen, shown => \%shown, waits => \%waits, made => \%made };
    }
    for my $t (@taken)
    {
        my ($scope, $rows, $seen, $made) = @$t{qw(scope rows seen made)};
        for my $unit (sort keys %$made)
        {
            my ($dot, $image) = @{ $made->{$unit} };
            if ($self->{write}{"$scope $unit $dot"}) { delete $made->{$unit}; next }
            # of two who end together, one may have come between the other's last look and his commit
            $self->made($node, $scope, $unit, $dot, $image, $entries{$scope} > 1 ? $image : $rows->{$unit}, $seen->{$unit} // [], $t->{live});
            $self->{write}{"$scope $unit $dot"}{shown} = $t->{shown}{$unit} // [];
            $writes++;
        }
        # of two who end together one may have replaced what the other wrote, and nobody can tell any more
        $self->left_alone($node, $scope, $rows, $seen, { %$made, %{ $t->{waits} } })
            if exists $rows->{'domains {}'} && !$made->{'domains {}'} && $entries{$scope} == 1;
    }
    return $writes;
}

# "a|b|c": the last n fields have no bar.
sub split_right
{
    my ($line, $n) = @_;
    my @field = split /\|/, $line, -1;
    my @last = splice @field, -$n;
    return (join('|', @field), @last);
}

# Rows without their TTLs: several in an RRset become one at the commit, after the last look.
sub even
{
    my ($rows) = @_;
    return $rows // '' if ($rows // '') !~ /"ttl"/;
    return join "\n", sort map { s/"ttl": \d+/"ttl": -/r } $rows =~ /(\{.*?\})/g;
}

sub made
{
    my ($self, $node, $scope, $unit, $dot, $rows, $tables, $seen, $live) = @_;
    die "$node->{name}: $scope $unit: the tables had " . ($tables // 'nothing') . ', its version ' . ($rows // 'nothing') . "\n"
        if even($rows) ne even($tables);
    $self->{write}{"$scope $unit $dot"} = { node => $node->{number}, scope => $scope, unit => $unit, dot => $dot, rows => $rows,
        step => $self->{game}{step}, live => $live, seen => [ map { "$scope $unit $_->{dot}" } @$seen ], lived => [ map { "$scope $unit $_->{dot}" } grep { $_->{lives} } @$seen ] };
    push @{ $self->{unit}{"$scope $unit"} }, "$scope $unit $dot";
    return;
}

# Units that this transaction did not change are in the tables as their versions say. (What waits for its projection may have
# replaced in the store what the tables show; zones with policies are left to check_store().)
sub left_alone
{
    my ($self, $node, $scope, $rows, $seen, $made) = @_;
    return if $self->{game}{policies} || grep { $_ eq $scope } @{ Property::RESOLVED() };
    for my $unit (keys %{ { %$rows, %$seen } })
    {
        next if $made->{$unit} || $unit =~ /^cryptokeys/;
        my @lives = sort { later($b->{dot}, $a->{dot}) } grep { $_->{lives} } @{ $seen->{$unit} // [] };
        my $write = @lives ? $self->{write}{"$scope $unit $lives[0]{dot}"} // die "$node->{name}: $scope $unit $lives[0]{dot}: nobody has written it\n" : undef;
        my ($served, $stored) = ($rows->{$unit} // '', $write ? $write->{rows} // '' : '');
        next if $served eq $stored || $served eq '' && $unit =~ /^records/ && hidden($unit, $seen);
        next if grep { ($self->{game}{lost}{$_} // {})->{ $node->{number} } } @{ $self->{unit}{"$scope $unit"} // [] };    # by damage
        die "$node->{name}: $scope $unit: its author saw \"$served\", the store says that he saw \"$stored\"\n";
    }
    return;
}

# Can a rule hide this unit?
sub hidden
{
    my ($unit, $seen) = @_;
    my ($name) = $unit =~ /"name": "([^"]*)"/;
    return 1 if $unit =~ /"type": "[CD]NAME"/;
    my @labels = split /\./, $name;
    return 1 if $seen->{qq(records {"name": "$name", "type": "CNAME"})};
    while (shift @labels) { return 1 if $seen->{ sprintf 'records {"name": "%s", "type": "DNAME"}', join '.', @labels } }
    return 0;
}

# Dots "stamp origin": larger stamp, then larger origin.
sub later
{
    my ($s, $o, $t, $p) = map { split / / } @_;
    return $s <=> $t || $o cmp $p;
}

# ---------------------------------------------------------------- after each step

sub look
{
    my ($self) = @_;
    my $game = $self->{game};
    for my $node (@{ $game->{node} })
    {
        next if $node->{down};
        my %now;
        for (Property::ask($node, 'SELECT * FROM torture.look()'))
        {
            my ($kind, $zone, $x, $y, $z) = @$_;
            if ($kind eq 'zone') { $now{$zone} = { serial => $x // 0, soa => $y, content => $z } }
            elsif ($kind eq 'rule' && $x eq 'reader' && $self->excused($z)) { next }
            elsif ($kind eq 'rule' && $x eq 'reader') { die "$node->{name}: a reader has seen half a transaction, or an earlier one than before: $z ($y)\n" }
            elsif ($kind eq 'rule' && $x eq 'one-ttl' && $self->mixed($zone, $y, $z)) { $game->{count}{mixed_ttl}++ }
            elsif ($kind eq 'rule') { die "$node->{name}: zone $zone breaks the rule $x: $y $z\n" . $self->around($node, $zone, $x eq "dname-alone" ? $z : $y) }
            else { $self->siblings($node, $zone, $x, $y, $z) }
        }
        $self->serials($node, \%now);
    }
    return;
}

# After a node was restored it makes marks and removes elements that it has made and removed before. What was removed from a set is forgotten with
# the deletions that are collected. What a damaged node had replaced just before is a second version, which a policy may serve.
sub excused
{
    my ($self, $what) = @_;
    return $self->{game}{fell} || $self->{game}{collect} && $what =~ /^elements:/ || $self->{game}{policies} && $self->{game}{damaged};
}

# Nodes were restored from a backup: what nobody else holds is lost, and nobody is to blame; what was told there is forgotten.
sub fell_back
{
    my ($self, @fallen) = @_;
    $self->{game}{fell} = 1;
    $self->{secondary} = {};    # what a secondary had of them may be lost with them
    my $write = $self->{write};
    # a node's present life is not in dnsrepl.vector: what others have written since they fell back is where it was, and what is in a store has
    # all before it
    $self->{fell_at}{ $_->{number} } = $self->{game}{step} for @fallen;
    my %covered = map { $_ => 1 } grep { $write->{$_}{step} > ($self->{fell_at}{ $write->{$_}{node} } // -1) } keys %$write;
    for my $node (@{ $self->{game}{node} })
    {
        for (map { "$_->[0] $_->[1] $_->[2] $_->[3]" } Property::ask($node, 'SELECT scope, unit, stamp, origin FROM torture.version'))
        {
            next if !$write->{$_};
            $covered{$_} = 1;
            $covered{$_} = 1 for keys %{ $self->past($_) };
        }
        my @w = grep { !$covered{$_} } sort keys %$write;
        my @dot = map { [ split / /, $write->{$_}{dot} ] } @w;
        my @is = Property::ask($node, 'SELECT torture.covers(o, s) FROM unnest(?::uuid[], ?::bigint[]) WITH ORDINALITY u (o, s, n) ORDER BY n', [ map { $_->[1] } @dot ], [ map { $_->[0] } @dot ]);
        $is[$_][0] and $covered{ $w[$_] } = 1 for 0 .. $#w;
    }
    $self->{forgiven}{$_} = 1 for grep { !$covered{$_} } keys %$write;
    for my $node (@fallen)
    {
        delete $self->{zone}{ $node->{number} };
        delete $self->{told}{ $node->{number} };
        $_->{forgotten} = 1 for grep { $_->{node} == $node->{number} } values %$write;
    }
    return;
}

# Two authors at one node, of whom neither saw the other's record, may leave an RRset with two TTLs, by themselves.
sub mixed
{
    my ($self, $zone, $name, $type) = @_;
    for (@{ $self->{unit}{qq($zone records {"name": "$name", "type": "$type"})} // [] })
    {
        my %ttl = map { $_ => 1 } ($self->{write}{$_}{rows} // '') =~ /"ttl": (\d+)/g;
        return 1 if keys %ttl > 1;
    }
    return 0;
}

sub serials
{
    my ($self, $node, $now) = @_;
    my $was = $self->{zone}{ $node->{number} } // {};
    for my $zone (sort keys %$now)
    {
        my ($n, $w) = ($now->{$zone}, $was->{$zone});
        next if !$w;
        my $both = "from $w->{serial} (SOA $w->{soa}) to $n->{serial} (SOA $n->{soa})";
        die "$node->{name}: the serial of $zone went back, $both\n" if $n->{serial} < $w->{serial};
        if ($n->{content} ne $w->{content} && $n->{serial} == $w->{serial})
        {
            my $how = Dnsrepl::difference($w->{content}, $n->{content});
            my %name = map { /^[-+] (\S+) / ? ($1 => 1) : () } split /\n/, $how;
            die "$node->{name}: the content of $zone has changed, its serial has not, $both\n$how\n", map { $self->around($node, $zone, $_) } sort keys %name;
        }
        # two jumps of an operator's, each legal, may be more than half the circle between two looks
        die "$node->{name}: the published serial of $zone went back, $both\n"
            if ($self->{game}{jumps}{$zone} // 0) < 2 && length $w->{soa} && length $n->{soa} && (($n->{soa} - $w->{soa}) & 0xffffffff) >= 0x80000000;
    }
    for my $zone (grep { !$was->{$_} || $was->{$_}{serial} != $now->{$_}{serial} } keys %$now)
    {
        push @{ $self->{course}{$zone} }, "step $self->{game}{step}, $node->{name}: $now->{$zone}{serial} " . substr md5_hex($now->{$zone}{content}), 0, 6;
    }
    $self->{zone}{ $node->{number} } = $now;
    if (Property::chance(0.3) && !$self->{game}{fell})    # a secondary asks this one
    {
        for my $zone (keys %$now)
        {
            my $s = $self->{secondary}{$zone};
            $self->{secondary}{$zone} = { %{ $now->{$zone} }, from => "$node->{name} in step $self->{game}{step}" } if !$s || $now->{$zone}{serial} > $s->{serial};
        }
    }
    return;
}

sub siblings
{
    my ($self, $node, $scope, $unit, $dots, $open) = @_;
    my @seen = map { /^(\S+ \S+) 1$/ ? "$scope $unit $1" : () } split /,/, $dots;
    $self->known($node, $scope, $unit, $_) for @seen;
    return if !$self->differ(@seen);
    $self->{told}{ $node->{number} }{"$scope $unit"} //= "in step $self->{game}{step}: " . join ', ', @seen;
    die "$node->{name}: $scope $unit has versions that differ ($dots), and no conflict is open\n" if $open ne 'true';
    return;
}

# What a node holds at a name and above and below it, and what waits.
sub around
{
    my ($self, $node, $zone, $name) = @_;
    my @labels = split /\./, $name;
    my $out = '';
    while (@labels)
    {
        my $at = join '.', @labels;
        last if length $at < length $zone;
        $out .= $self->versions($node, $zone, qq(%"$at"%));
        shift @labels;
    }
    $out .= "  parked: $_->[0] $_->[1]\n" for Property::ask($node, "SELECT encode(p.key, 'escape'), p.error FROM dnsrepl.parked p JOIN dnsrepl.zone z ON z.no = p.zone WHERE z.name::text = ?", $zone);
    return $out;
}

sub versions
{
    my ($self, $node, $scope, $like) = @_;
    return join '', map {
        my $write = $self->{write}{"$scope $_->[0] $_->[1] $_->[2]"};
        "  $_->[0]: $_->[1], seen $_->[3], lives $_->[4], " . ($write ? "step $write->{step} at $self->{game}{node}[ $write->{node} ]{name}: " . ($write->{rows} // 'deleted') : 'not known') . "\n"
    } Property::ask($node, 'SELECT unit, stamp, origin, seen, lives FROM torture.version WHERE scope = ? AND unit LIKE ?', $scope, $like);
}

# A unit that was touched and left as it was (a statement that was rolled back to a savepoint: of that torture.log has nothing) is written
# anew from the tables if its versions had been lost. True: this version is such a one, and known from now on.
sub taken_back
{
    my ($self, $node, $w) = @_;
    my ($id, $dot) = $w =~ /^(.*) (\S+ \S+)$/;
    return 0 if !grep { /^\Q$id\E \S+ \S+$/ } keys %{ $self->{game}{lost} // {} };
    for (Property::ask($node, "SELECT v.scope, v.unit, o.node, torture.image(v.key, v.image) FROM torture.version v JOIN dnsrepl.origin o ON o.id = v.origin WHERE concat_ws(' ', v.scope, v.unit, v.stamp, v.origin) = ?", $w))
    {
        my ($scope, $unit, $name, $rows) = @$_;
        my ($author) = grep { $_->{name} eq $name } @{ $self->{game}{node} };
        return 0 if !$author || !grep { even($self->{write}{$_}{rows}) eq even($rows) } @{ $self->{unit}{$id} // [] };
        $self->made($author, $scope, $unit, $dot, $rows, $rows, [], []);
        return 1;
    }
    return 0;
}

# A version that no transaction is known to have made: who has it, and how it came, is said.
sub known
{
    my ($self, $node, $scope, $unit, $w) = @_;
    return if $self->{write}{$w} || $self->taken_back($node, $w);
    my $what = "$node->{name}: nobody has written $w\n" . $self->trail("$scope $unit");
    for my $other (@{ $self->{game}{node} })
    {
        $what .= "  at $other->{name}: " . join(' ', map { $_ // '-' } @$_) . "\n" for Property::ask($other,
            'SELECT v.stamp, v.origin, o.node, v.own, v.seen, v.lives, v.writer, torture.image(v.key, v.image) FROM torture.version v'
            . ' JOIN dnsrepl.origin o ON o.id = v.origin WHERE v.scope = ? AND v.unit = ?', $scope, $unit);
        $what .= "  at $other->{name}: a transaction not taken yet: " . join(' ', map { $_ // '-' } @$_) . "\n" for Property::ask($other, 'SELECT xid, scope FROM torture.log');
    }
    die $what;
}

sub differ
{
    my ($self, @write) = @_;
    my %rows = map { ($self->{write}{$_} // die "nobody has written $_\n")->{rows} // '' => 1 } @write;
    return keys %rows > 1;
}

# ---------------------------------------------------------------- at the end

my $stores = "SELECT concat_ws(' ', scope, unit, stamp, origin, lives, seen, md5(image)) FROM torture.version";

sub at_rest
{
    my ($self) = @_;
    my @node = @{ $self->{game}{node} };
    if (!Dnsrepl::same(@node))
    {
        for my $node (@node)
        {
            my @wrong = Property::ask($node, 'SELECT * FROM dnsrepl.check_store()');
            die "$node->{name}: check_store(): ", map { join(' ', map { $_ // '-' } @$_) . "\n" . $self->around($node, $_->[0], $_->[2] =~ /"name": "([^"]*)"/ ? $1 : '') } @wrong if @wrong;
        }
        $self->equal(@$_) for [ 'the rows', "SELECT d.name || ' ' || r.unit || ' ' || r.rows FROM domains d, torture.rows(d.name::text) r" ],
            [ 'the stores', $stores ],
            [ 'the serials', "SELECT concat_ws(' ', name, serial, heard, torture.incarnations(stored), served, (SELECT string_agg(content, '|') FROM domains d JOIN records r ON r.domain_id = d.id WHERE d.name = z.name AND r.type = 'SOA'), (SELECT string_agg(concat_ws(',', v.stamp, encode(v.image, 'hex')), '|') FROM dnsrepl.stored_version v WHERE v.zone = z.no AND v.key = '\\x7fff')) FROM dnsrepl.zone z WHERE name IS NOT NULL" ];
        die "the nodes do not serve the same\n", map { "  $_->{name}: " . join(' ', map { @$_ } Property::ask($_, 'SELECT dnsrepl.digest()')) . "\n" } @node;
    }
    $self->equal($_->[0], $_->[1]) for
        [ 'the stores', $stores ],
        [ 'the serials and incarnations', "SELECT concat_ws(' ', name, serial, torture.incarnations(live), torture.incarnations(stored), dnames) FROM dnsrepl.zone WHERE live IS NOT NULL OR stored IS NOT NULL" ],
        [ 'serials and contents', "SELECT concat_ws(' ', kind, zone, a, b, c) FROM torture.look() WHERE kind <> 'siblings' AND a IS DISTINCT FROM 'reader'" ],
        [ 'ordername, auth and empty non-terminals', "SELECT concat_ws(' ', d.name, r.name, coalesce(r.type::text, '-'), r.content, r.disabled, coalesce(r.ordername, '-'), r.auth) FROM records r JOIN domains d ON d.id = r.domain_id" ],
        [ 'open conflicts', "SELECT concat_ws(' ', zone, tab, key) FROM dnsrepl.conflict" ];
    for my $node (@node)
    {
        my @wrong = Property::ask($node, 'SELECT * FROM dnsrepl.check_store()');
        die "$node->{name}: check_store(): ", map({ join(' ', map { $_ // '-' } @$_) . "\n" } @wrong), map({ $self->versions($node, $_->[0], "$_->[1] %") } @wrong) if @wrong;
        my ($found) = map { "@$_" } Property::ask($node, 'SELECT damages, repaired FROM dnsrepl.self_check');
        die "$node->{name}: it has found its store damaged, or different from a peer's: $found\n" if $found ne '0 0' && !$self->{game}{collect} && !$self->{game}{damaged};
        my @staged = Property::ask($node, 'SELECT node FROM dnsrepl.staging');
        die "$node->{name}: there are chunks in staging\n" if @staged;
    }
    $self->look;
    for my $zone (sort keys %{ $self->{zone}{0} })
    {
        my $n = $self->{zone}{0}{$zone};
        die "$zone: serial $n->{serial}, but SOA $n->{soa}\n" if length $n->{soa} && ($n->{serial} & 0xffffffff) != $n->{soa};
        my $s = $self->{secondary}{$zone};
        die "$zone: a secondary has serial $s->{serial}, from $s->{from}, and not the content that goes with $n->{serial}\n" . Dnsrepl::difference($s->{content}, $n->{content}) . "\n",
            map { "  $_\n" } @{ $self->{course}{$zone} }
            if $s && $s->{serial} >= $n->{serial} && $s->{content} ne $n->{content};
    }
    $self->nothing_lost($node[0]);
    $self->conflicts_told($_) for @node;
    $self->zones_right($_) for @node;
    $self->lots_right($_) for @node;
    $self->elements_right($_) for @node;
    $self->lines_right($_) for @node;
    my $count = $self->{game}{count};
    $count->{writes} += keys %{ $self->{write} };
    $count->{forgiven} += keys %{ $self->{forgiven} // {} };
    $count->{conflicts_seen} += map { keys %$_ } values %{ $self->{told} };
    return;
}

# Where deletions are collected, the nodes may do it one after the other.
sub equal
{
    my ($self, $what, $sql) = @_;
    my ($first, @other) = @{ $self->{game}{node} };
    my ($expected, @got);
    Dnsrepl::wait_until(sub {
        ($expected, @got) = map { join "\n", sort map { $_->[0] } Property::ask($_, $sql) } $first, @other;
        return !$self->{game}{collect} || !grep { $_ ne $expected } @got;
    }, 45);
    for my $i (0 .. $#other)
    {
        die "$what of $first->{name} and $other[$i]{name} differ:\n" . Dnsrepl::difference($expected, $got[$i]) . "\n" if $got[$i] ne $expected;
    }
    return;
}

# The zones that should be there, by what their authors did: each commit that made one, its author having had none before his eyes, less those
# that the author of a deletion had. Nothing else has any say in that, and nothing is served that was not written in one of those.
sub incarnations
{
    my ($self) = @_;
    my $write = $self->{write};
    my (%made, %gone);
    for my $w (map { @{ $self->{unit}{"$_ domains {}"} // [] } } @{ Property::ZONES() })
    {
        next if $self->{forgiven}{$w};
        my ($scope, $dot, $live, $rows) = @{ $write->{$w} }{qw(scope dot live rows)};
        if (!defined $rows) { $gone{$scope}{$_} = 1 for @$live }
        elsif (!@$live) { $made{$scope}{$dot} = 1 }
    }
    for my $scope (keys %made) { delete @{ $made{$scope} }{ keys %{ $gone{$scope} } } }
    return \%made;
}

sub zones_right
{
    my ($self, $node) = @_;
    my ($live, $write) = ($self->incarnations, $self->{write});
    for my $zone (@{ Property::ZONES() })
    {
        my $want = join ',', sort keys %{ $live->{$zone} };
        for (Property::ask($node, 'SELECT torture.incarnations(stored), torture.incarnations(live), EXISTS (SELECT FROM domains d WHERE d.name = z.name)::int FROM dnsrepl.zone z WHERE z.name::text = ?', $zone))
        {
            my ($stored, $shown, $there) = @$_;
            my @is = map { join ',', sort split /,/, $_ // '' } $stored, $shown;
            die "$node->{name}: the incarnations of $zone should be $want; by the store they are $is[0], the tables show $is[1]\n" . $self->trail("$zone domains {}") if $want ne $is[0] || $want ne $is[1];
            die "$node->{name}: $zone should " . ($want ? '' : 'not ') . "be there\n" . $self->trail("$zone domains {}") if !$there != !length $want;
        }
        for (Property::ask($node, 'SELECT unit FROM torture.rows(?)', $zone))
        {
            my $unit = "$zone $_->[0]";
            my @of = grep { my $w = $write->{$_}; defined $w->{rows} && grep { $live->{$zone}{$_} } @{ $w->{live} } ? @{ $w->{live} } : $w->{dot} } @{ $self->{unit}{$unit} // [] };
            die "$node->{name}: $unit is served, and nobody has written it in the zone that there is\n" . $self->trail($unit) if !@of;
        }
        $self->{game}{count}{zones_again}++ if keys %{ { map { $_ => 1 } grep { !@{ $write->{$_}{live} } } @{ $self->{unit}{"$zone domains {}"} // [] } } } > 1;
    }
    return;
}

# What all nodes together have noted in a table (something, whether it was made): what was made and has not gone; whether anything may be missing there.
sub noted
{
    my ($self, $table) = @_;
    my (%made, %gone);
    for (map { Property::ask($_, "SELECT * FROM $table") } @{ $self->{game}{node} }) { ($_->[1] ? \%made : \%gone)->{ $_->[0] } = 1 }
    return (\%made, \%gone);
}

sub lots_right
{
    my ($self, $node) = @_;
    return if $self->{game}{fell};
    my ($made, $gone) = $self->noted('torture.lot');
    my $want = join ' ', grep { !$gone->{$_} } sort keys %$made;
    my ($is) = map { $_->[0] // '' } Property::ask($node, q(SELECT string_agg(DISTINCT split_part(name::text, '.', 2), ' ' ORDER BY split_part(name::text, '.', 2)) FROM domains WHERE name << 'lot.example'));
    $is = join ' ', sort split / /, $is;
    return if $is eq $want;
    my %count;
    $count{$_}++ for split(/ /, $is), split(/ /, $want);
    die "$node->{name}: the lots of zones should be \"$want\", they are \"$is\"\n",
        map { my $zone = "z1.$_.lot.example"; $self->trail("$zone domains {}") . $self->versions($node, $zone, 'domains%') . $self->incarnations_of($node, $zone) } grep { $count{$_} == 1 } sort keys %count;
}

sub incarnations_of
{
    my ($self, $node, $zone) = @_;
    return join '', map { "  incarnations of $zone by the store: " . ($_->[0] // 'none') . ', by the tables: ' . ($_->[1] // 'none') . "\n" }
        Property::ask($node, 'SELECT torture.incarnations(stored), torture.incarnations(live) FROM dnsrepl.zone WHERE name::text = ?', $zone);
}

# Resolver `merge`: what somebody has added and nobody has removed; and what was removed, when that has been forgotten.
sub elements_right
{
    my ($self, $node) = @_;
    return if $self->{game}{fell};
    my ($made, $gone) = $self->noted('torture.element');
    my %is = map { $_->[0] => 1 } Property::ask($node, q(SELECT content FROM records WHERE name << 'set.example' AND type = 'TXT'));
    my @lost = grep { !$is{$_} && !$gone->{$_} } sort keys %$made;
    my @back = grep { !$made->{$_} || $gone->{$_} && !$self->{game}{collect} } sort keys %is;
    return if !@lost && !@back;
    die "$node->{name}: of the sets' elements @lost are lost, and @back are back:\n", map { $self->trail(qq(set.example records {"name": "s$_.set.example", "type": "TXT"})) } 0, 1;
}

# Where the line began that a version belongs to: one's own edit of what one saw, and of nothing else, goes on with it.
sub line
{
    my ($self, $w) = @_;
    my $write = $self->{write}{$w};
    my %over = map { $_ => 1 } @{ $write->{lived} }, map { "$write->{scope} $write->{unit} $_" } @{ $write->{shown} };
    my ($one, @more) = keys %over;
    return $one && !@more && $self->{write}{$one}{node} == $write->{node} ? $self->line($one) : $write->{dot};
}

# Resolver `hold`: of several versions one of the line that began first is served.
sub lines_right
{
    my ($self, $node) = @_;
    my $write = $self->{write};
    my %there;
    push @{ $there{ $_->[0] } }, "$_->[1] $_->[2]" for Property::ask($node, q(SELECT unit, stamp, origin FROM torture.version WHERE scope = 'line.example' AND lives AND unit LIKE '%"l_.line%'));
    my %rows = map { $_->[0] => $_->[1] } Property::ask($node, q(SELECT unit, rows FROM torture.rows('line.example')));
    for my $unit (sort keys %there)
    {
        my %began = map { ("line.example $unit $_" => (split / /, $self->line("line.example $unit $_"))[0]) } @{ $there{$unit} };
        my ($first) = sort { $a <=> $b } values %began;
        # of one line there may be several where a node fell back, or its store was damaged
        next if grep { $began{$_} == $first && ($rows{$unit} // '') eq ($write->{$_}{rows} // '') } keys %began;
        die "$node->{name}: of the versions of $unit ", join(', ', map { "$_ (its line: $began{$_})" } sort keys %began), ' ', $rows{$unit} // 'nothing', " is served\n", $self->trail("line.example $unit");
    }
    $self->{game}{count}{lines} += grep { @$_ > 1 } values %there;
    return;
}

sub nothing_lost
{
    my ($self, $node) = @_;
    my %held = map { ("$_->[0] $_->[1] $_->[2] $_->[3]" => 1) } Property::ask($node, 'SELECT scope, unit, stamp, origin FROM torture.version');
    my $write = $self->{write};
    for (sort keys %held)
    {
        next if $write->{$_} || $self->taken_back($node, $_);
        my ($unit) = /^(.*) \S+ \S+$/;
        die "the store has $_, which nobody has written\n", $self->trail($unit), map { "  at $node->{name}: $_->[0]\n" } Property::ask($node,
            "SELECT concat_ws(' ', v.stamp, v.origin, o.node, v.own, v.seen, torture.image(v.key, v.image)) FROM torture.version v JOIN dnsrepl.origin o ON o.id = v.origin WHERE v.scope || ' ' || v.unit = ?", $unit);
    }

    # alive: held, or seen by a write that is alive
    my (%alive, %dead);
    my @todo = (sort(keys %held), grep { $self->{game}{collect} && $self->collectable($_) || $self->replaced_unseen($_) } sort keys %$write);
    while (defined(my $w = pop @todo))
    {
        next if $alive{$w}++;
        $dead{$_} = 1 for @{ $write->{$w}{seen} };
        push @todo, @{ $write->{$w}{seen} };
    }
    for my $w (sort keys %$write)
    {
        die "lost: $w, written at $self->{game}{node}[ $write->{$w}{node} ]{name} in step $write->{$w}{step}\n" . $self->trail("$write->{$w}{scope} $write->{$w}{unit}") if !$alive{$w} && !$self->{forgiven}{$w};
        die "back from the dead: $w\n" . $self->trail("$write->{$w}{scope} $write->{$w}{unit}") if $held{$w} && $dead{$w} && !$self->damage_may_bring_back($w);
    }
    $self->{alive} = \%alive;
    return;
}

# What a node whose store was damaged had replaced itself may be there again, as a sibling (doc/operations.md, "Self-check").
sub damage_may_bring_back
{
    my ($self, $w) = @_;
    my $write = $self->{write};
    my $damaged = $self->{game}{damaged} or return 0;
    for my $o (@{ $self->{unit}{"$write->{$w}{scope} $write->{$w}{unit}"} }) { return 1 if $damaged->{ $write->{$o}{node} } && $self->past($o)->{$w} }
    return 0;
}

# An edit of a unit whose versions the store had lost replaces them: its author had them before his eyes.
sub replaced_unseen
{
    my ($self, $w) = @_;
    my $write = $self->{write};
    my $at = $self->{game}{lost}{$w} or return 0;
    return scalar grep { my $since = $at->{ $write->{$_}{node} }; $since && $write->{$_}{step} >= $since } @{ $self->{unit}{"$write->{$w}{scope} $write->{$w}{unit}"} };
}

# A deletion, or something of a zone that was deleted.
sub collectable
{
    my ($self, $w) = @_;
    my $write = $self->{write}{$w};
    return 1 if !defined $write->{rows};
    return scalar grep { !defined $self->{write}{$_}{rows} } @{ $self->{unit}{"$write->{scope} domains {}"} // [] };
}

# How a unit came to be what it is.
sub trail
{
    my ($self, $unit) = @_;
    return join '', map {
        my $w = $self->{write}{$_};
        "  step $w->{step}, $self->{game}{node}[ $w->{node} ]{name}: $w->{dot} " . ($w->{rows} // 'deleted') . ' over ' . join(', ', map { substr $_, 1 + length $unit } @{ $w->{seen} }) . "\n"
    } @{ $self->{unit}{$unit} // [] };
}

# All that a write had seen, and what that had seen.
sub past
{
    my ($self, $w) = @_;
    my $write = $self->{write}{$w};
    return $write->{past} //= { map { ($_ => 1, %{ $self->past($_) }) } @{ $write->{seen} } };
}

sub conflicts_told
{
    my ($self, $node) = @_;
    my $write = $self->{write};
    my %told;
    for (Property::ask($node, <<'END_SQL'))
SELECT coalesce(zone::text, tab), tab || ' ' || key, rule, siblings FROM dnsrepl.conflict
UNION ALL SELECT coalesce(zone::text, tab), tab || ' ' || key, rule, siblings FROM dnsrepl.conflict_history
END_SQL
    {
        my ($scope, $unit, $rule, $siblings) = @$_;
        my %stamp = map { $_ => 1 } $siblings =~ /"stamp": "?(\d+)/g;
        my @is = grep { $stamp{ $write->{$_}{dot} =~ /^(\S+)/ && $1 } } @{ $self->{unit}{"$scope $unit"} // [] };
        push @{ $told{"$scope $unit"} }, \%stamp;
        next if $rule =~ /alone|apex|in-zone|zone-deleted|key-signing/;
        my $concurrent = 0;
        for my $x (@is) { for my $y (@is) { $concurrent ||= $x ne $y && !$self->past($x)->{$y} && !$self->past($y)->{$x} && $self->differ($x, $y) } }
        die "$node->{name}: a conflict of $scope $unit is told ($rule) that is none: $siblings\n" if !$concurrent && !grep { $self->damage_may_bring_back($_) } @is;
    }
    for (sort keys %{ $self->{told}{ $node->{number} } }) { die "$node->{name}: the conflict of $_ was there $self->{told}{ $node->{number} }{$_}, and is told nowhere\n" . $self->trail($_) if !$told{$_} }
    for my $w (sort keys %$write)
    {
        next if $write->{$w}{node} != $node->{number} || $write->{$w}{forgotten} || !$self->differ(@{ $write->{$w}{lived} });
        my @stamp = map { $write->{$_}{dot} =~ /^(\S+)/ && $1 } @{ $write->{$w}{lived} };
        my $all = grep { my $s = $_; !grep { !$s->{$_} } @stamp } @{ $told{"$write->{$w}{scope} $write->{$w}{unit}"} // [] };
        die "$node->{name}: $w settled a conflict of " . join(', ', @{ $write->{$w}{lived} }) . ", which is not in the history\n" . $self->trail("$write->{$w}{scope} $write->{$w}{unit}")
            . join("\n", map { '  told: ' . join ' ', sort keys %$_ } @{ $told{"$write->{$w}{scope} $write->{$w}{unit}"} // [] }) if !$all;
    }
    return;
}

1;
