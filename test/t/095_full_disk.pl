# A disk that is full, in the middle of a merge, of a commit, and of the WAL: nothing that was committed is lost, nothing is
# applied twice or in part, and when there is room again all goes on by itself.
#
# The disk is a small tmpfs in a mount namespace of its own, which an ordinary user may make where the system lets him
# (else: skipped). A process holds it, so that the server can stop and start in it.
use strict;
use warnings;

use Dnsrepl;
use Test::More;

use constant ZONES => 8;

# ---------------------------------------------------------------- a disk

my @alone = qw(unshare --user --map-current-user --keep-caps --mount);
my $dir = PostgreSQL::Test::Utils::tempdir('disk');
my $able = !system("@alone sh -c 'mount -t tmpfs -o size=1m none $dir' >/dev/null 2>&1");
plan skip_all => 'an ordinary user cannot mount a tmpfs here' if !$able;

# A tmpfs of that size; what it is mounted on, who holds it, and a folder with a pg_ctl that runs inside.
sub disk
{
    my ($name, $size) = @_;
    my $disk = { at => PostgreSQL::Test::Utils::tempdir("disk_$name") };
    my $ready = "$disk->{at}.ready";
    $disk->{pid} = Dnsrepl::spawn('a disk', "$disk->{at}.log", @alone, 'sh', '-c',
        "mount -t tmpfs -o size=$size none $disk->{at} && touch $ready && exec sleep 3600");
    Dnsrepl::wait_until(sub { -e $ready }) or die 'no disk';
    chomp(my $bindir = qx($ENV{PG_CONFIG} --bindir));
    $disk->{bin} = PostgreSQL::Test::Utils::tempdir("bin_$name");
    open my $script, '>', "$disk->{bin}/pg_ctl" or die $!;
    print $script "#!/bin/sh\nexec nsenter -t $disk->{pid} -U -m --preserve-credentials --wd=/ $bindir/pg_ctl \"\$@\"\n";
    close $script;
    chmod 0755, "$disk->{bin}/pg_ctl";
    return $disk;
}

sub inside
{
    my ($disk, $command) = @_;
    my $out = qx(nsenter -t $disk->{pid} -U -m --preserve-credentials sh -c '$command' 2>&1);
    return $out;
}

# Runs code with the server's programs inside.
sub with_disk
{
    my ($disk, $code) = @_;
    local $ENV{PATH} = "$disk->{bin}:$ENV{PATH}";
    return $code->();
}

# Leaves so much room (kB); undef: all there is.
sub room
{
    my ($disk, $left) = @_;
    inside($disk, "rm -f $disk->{at}/ballast");
    return if !defined $left;
    my ($free) = inside($disk, "df --output=avail -k $disk->{at}") =~ /(\d+)/;
    my $size = $free - $left;
    inside($disk, "fallocate -l ${size}k $disk->{at}/ballast") if $size > 0;
    return;
}

# ---------------------------------------------------------------- transactions that touch every zone

# One transaction: the mark in every zone, and a number of new names.
sub edit_sql
{
    my ($tag, $names) = @_;
    return "UPDATE records SET content = '\"$tag\"' WHERE type = 'TXT' AND name ~ '^mark';"
      . " INSERT INTO records (domain_id, name, type, content, ttl, prio)"
      . " SELECT d.id, ('$tag-' || i || '.' || d.name::text)::dnsname, 'TXT', '\"$tag ' || repeat('x', 200) || '\"', 60, 0"
      . " FROM domains d, generate_series(1, $names) i";
}

# What a node shows of them: the marks, and of which transactions there are how many names.
sub shown
{
    my ($node) = @_;
    return $node->sql(q{SELECT string_agg(DISTINCT content, ' ') FILTER (WHERE name ~ '^mark') || ':'}
          . q{ || (SELECT coalesce(string_agg(tag || '=' || n, ' ' ORDER BY tag), '') FROM (SELECT split_part(name::text, '-', 1) AS tag, count(*) AS n}
          . q{ FROM records WHERE name ~ '-' GROUP BY 1) s) FROM records});
}

sub no_difference { return ok($_[0]->sql('SELECT count(*) FROM dnsrepl.check_store()') eq '0', "$_[0]->{name}: the tables are what the store says") }

# ---------------------------------------------------------------- the database's disk
my $disk = disk('data', '64m');
my $seattle = Dnsrepl->new('seattle', conf => "dnsrepl.chunk_size = '64kB'");
my $tacoma = with_disk($disk, sub {
    inside($disk, "mkdir -m 700 $disk->{at}/space");
    my $server = Dnsrepl->server('tacoma', conf => "dnsrepl.keepalive = '500ms'\nautovacuum = off");
    $server->safe_psql('postgres', "CREATE TABLESPACE small LOCATION '$disk->{at}/space'");
    $server->safe_psql('postgres', 'ALTER DATABASE template1 SET TABLESPACE small');
    return Dnsrepl->new('tacoma', server => { server => $server });
});
$seattle->sql("INSERT INTO domains (name, type) SELECT 'z' || i || '.example', 'NATIVE' FROM generate_series(1, " . ZONES . ') i;'
      . " INSERT INTO records (domain_id, name, type, content, ttl, prio) SELECT id, ('mark.' || name::text)::dnsname, 'TXT', '\"first\"', 60, 0 FROM domains");
$seattle->peer($tacoma);
ok(Dnsrepl::same($seattle, $tacoma), 'two nodes');

# The calls and statements that found no room, as the server's log has them.
sub failed
{
    my ($node) = @_;
    my ($full, @failed);
    for my $line (split /\n/, $node->log)
    {
        $full = 1 if $line =~ /No space left/;
        push @failed, $1 if $full && $line =~ /STATEMENT:\s+(?:SELECT dnsrepl\.)?(\w+)/;
        $full = 0 if $line =~ /STATEMENT/;
    }
    return @failed;
}

sub at_once { return $seattle->sql("SELECT dnsrepl.pause('$_[0]'); SELECT dnsrepl.resume('$_[0]')") }

# A delta of many chunks, and less room than it needs, by and by a little more: it fails while it is staged, then in the
# middle of the merge.
room($disk, 64);
$seattle->sql('BEGIN; ' . edit_sql('second', 500) . '; COMMIT');
my ($before, $whole) = (shown($tacoma), shown($seattle));
for my $left (64, 2048, map { 2560 + 192 * $_ } 0 .. 20)
{
    my $failed = failed($tacoma);
    room($disk, $left);
    at_once('tacoma');
    my $said = Dnsrepl::wait_until(sub { failed($tacoma) > $failed || shown($tacoma) eq $whole });
    my $now = shown($tacoma);
    last if $now eq $whole;
    ok($said, "with $left kB left there is no room for it");
    is($now, $before, 'and nothing of it is shown');
    is($tacoma->sql('SELECT count(*) FROM dnsrepl.problem'), 0, 'nor is it taken for the fault of any unit');
}
my %where;
$where{$_}++ for failed($tacoma);
note(join ', ', map { "$_: $where{$_}" } sort keys %where);
ok($where{merge}, 'some chunks found no room');
# how much a merge needs beyond the chunks is less than a step, now and then
if ($where{merge_done}) { pass('and some merges') }
else { note('no merge found too little room this time') }
room($disk);
at_once('tacoma');
ok(Dnsrepl::same($seattle, $tacoma), 'when there is room, it comes');
is(shown($tacoma), shown($seattle), 'whole');
no_difference($_) for $seattle, $tacoma;

# The same of a transaction of somebody here.
$before = shown($tacoma);
my ($status, $error) = (1);
for my $left (0, 256, 512, 1024, 2048, 8192, 32768)
{
    room($disk, $left);
    ($status, undef, $error) = $tacoma->try('BEGIN; ' . edit_sql('third', 100) . '; COMMIT');
    last if !$status;
    like($error, qr/No space left/, "with $left kB left a transaction here fails");
    is(shown($tacoma), $before, 'as a whole');
}
is($status, 0, 'and with more it does not');
room($disk);
ok(Dnsrepl::same($seattle, $tacoma), 'when there is room, all are equal');
like(shown($seattle), qr/third=800/, 'with what was committed');
no_difference($_) for $seattle, $tacoma;
unlike($tacoma->log, qr/PANIC|TRAP|terminated by signal/, 'nothing has crashed');

# ---------------------------------------------------------------- the WAL's disk: the server stops
my $wal = disk('wal', '200m');
my $spokane = Dnsrepl->new('spokane', conf => "min_wal_size = '32MB'\nmax_wal_size = '1GB'\ncheckpoint_timeout = '1h'\nautovacuum = off\ndnsrepl.keepalive = '500ms'");
$seattle->peer($spokane);
ok(Dnsrepl::same($seattle, $spokane), 'a third node');
with_disk($disk, sub { $tacoma->cluster->stop });
my $data = $spokane->cluster->data_dir;
$spokane->cluster->stop;
inside($wal, "cp -a $data/pg_wal $wal->{at}/pg_wal && rm -rf $data/pg_wal && ln -s $wal->{at}/pg_wal $data/pg_wal");
with_disk($wal, sub { $spokane->cluster->start });

sub stopped { return !-e "$data/postmaster.pid" }

# The server has stopped: room is made, and it starts again, its link still cut.
sub start_again
{
    with_disk($wal, sub { $spokane->cluster->stop('immediate', fail_ok => 1) });
    $spokane->cut($seattle);
    room($wal);
    with_disk($wal, sub { $spokane->cluster->start });
    return;
}

$spokane->cut($seattle);
$seattle->sql('BEGIN; ' . edit_sql('fourth', 8000) . '; COMMIT');
$spokane->sql('CHECKPOINT; SELECT pg_switch_wal(); CHECKPOINT');
room($wal, 4096);
$before = shown($spokane);
$spokane->heal($seattle);
ok(Dnsrepl::wait_until(\&stopped), 'spokane stops: the WAL of a merge has no room');
start_again();
is(shown($spokane), $before, 'when there is room and it starts, nothing of it is shown');
no_difference($spokane);

$spokane->sql('CHECKPOINT; SELECT pg_switch_wal(); CHECKPOINT');
room($wal, 4096);
my @tag = map { "here$_" } 1 .. 20;
for my $tag (@tag)
{
    $before = shown($spokane);
    ($status) = $spokane->try('BEGIN; ' . edit_sql($tag, 1000) . '; COMMIT');
    last if $status;
}
isnt($status, 0, 'a commit here finds no room');
ok(Dnsrepl::wait_until(\&stopped), 'and spokane stops');
start_again();
no_difference($spokane);
$spokane->heal($seattle);
ok(Dnsrepl::same($seattle, $spokane), 'and then all are equal');
my %has = shown($seattle) =~ /(\w+)=(\d+)/g;
is($has{fourth}, 8000 * ZONES, 'what came while there was no room is there');
my %had = $before =~ /(\w+)=(\d+)/g;
is_deeply({ map { $_ => $has{$_} } keys %had }, \%had, 'and all that was committed here');
is(scalar(grep { /^here/ && $has{$_} != 1000 * ZONES } keys %has), 0, 'nothing in part');
no_difference($_) for $seattle, $spokane;
is(scalar(() = $spokane->log =~ /PANIC:.*No space left/g), 2, 'it was for that');
with_disk($wal, sub { $spokane->cluster->stop });
done_testing();
