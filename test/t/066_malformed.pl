# Versions that cannot be read: what a peer sends is refused at the door, or shown as far as it can be; a store that is damaged too. Nothing
# else is hidden by it, and whoever edits such a name can.
use strict;
use warnings;
use Dnsrepl;
use Guest;
use Test::More;

my $node = Dnsrepl->new('seattle', conf => "dnsrepl.check_interval = 0\ndnsrepl.tombstone_retention = '1h'");
$node->sql('ALTER DATABASE pdns SET client_min_messages = error');
my $guest = Guest->new('mallory', clusters => $node);

# What people look at, each by itself.
my @views = ('TABLE dnsrepl.version', 'TABLE dnsrepl.conflict', 'TABLE dnsrepl.conflict_history', 'TABLE dnsrepl.problem', 'TABLE dnsrepl.member', 'TABLE dnsrepl.status', 'SELECT dnsrepl.digest()',
    'SELECT * FROM dnsrepl.check_store()', 'SELECT * FROM dnsrepl.join_preview()', 'SELECT * FROM dnsrepl.check_all()', 'TABLE dnsrepl.stored_version');

sub all_shown
{
    my ($what, @except) = @_;
    for my $view (@views)
    {
        next if grep { $view =~ $_ } @except;
        my ($status, undef, $error) = $node->try($view);
        is($status, 0, "$what: $view") or diag substr $error, 0, 500;
    }
    return;
}

# ---------------------------------------------------------------- from a peer: each octet of an image of each kind turned, as a sibling
$node->sql("INSERT INTO domains (name, type) VALUES ('example.org', 'NATIVE')");
my $id = "(SELECT id FROM domains WHERE name = 'example.org')";
$node->sql("INSERT INTO records (domain_id, name, type, content, ttl, prio) SELECT $id, 'n' || i || '.example.org', 'A', '192.0.2.1', 60, 0 FROM generate_series(1, 400) i");
$node->sql("INSERT INTO comments (domain_id, name, type, modified_at, account, comment) VALUES ($id, 'n1.example.org', 'A', 1, 'a', 'b')");
sub image { my ($where) = @_; return pack 'H*', $node->sql("SELECT encode(image, 'hex') FROM dnsrepl.stored_version WHERE $where LIMIT 1") }
my $image = image("key = '\\x" . unpack('H*', Guest::record_key('n1.example.org', 1)) . "'");
cmp_ok(length $image, '>', 30, 'an image of a record');
my $comment = pack('n', 5) . Guest::name_stored('n1.example.org') . "\0" . Guest::string(pack 'n', 1);
my $comment_image = image("key = '\\x" . unpack('H*', $comment) . "'");
my @image = map { my $at = $_; map { my $i = $image; substr($i, $at, 1) ^= chr $_; $i } 1, 2, 8, 0x80, 0xff } 0 .. length($image) - 1;
push @image, map { substr $image, 0, $_ } 0 .. length($image) - 1;
push @image, $image =~ s/^(..)(.)/$1\x03a\xffb/sr, $image =~ s/^(..).(?:postgres|\w+)/$1\x03\0\0\0/r, $image . "\0";
my @call;
for my $i (1 .. @image)
{
    my $stamp = $guest->stamp;
    push @call, $guest->merge($guest->delta(vector => [ [ $guest->{life}, 'mallory', $stamp ] ],
            items => Guest::zone('example.org') . Guest::unit(Guest::record_key("n$i.example.org", 1), [ 0, $stamp, $image[ $i - 1 ] ])));
}
for my $at (0 .. length($comment_image) - 1)
{
    my $stamp = $guest->stamp;
    my $i = $comment_image;
    substr($i, $at, 1) ^= "\xff";
    push @call, $guest->merge($guest->delta(vector => [ [ $guest->{life}, 'mallory', $stamp ] ], items => Guest::zone('example.org') . Guest::unit($comment, [ 0, $stamp, $i ])));
}
my ($out, $err) = $guest->play($node, @call);
my $good = () = $out =~ /^01/mg;
my %state;
$state{$1}++ while $err =~ /ERROR:\s+(\w{5})/g;
is(join(' ', grep { !/^(08P01)$/ } sort keys %state), '', 'what is refused is refused as octets that no peer sends') or diag substr $err, 0, 2000;
is($good + ($state{'08P01'} // 0), scalar @call, 'all of it was merged or refused');
cmp_ok($good, '>', 50, 'some can be read as far as they go: their values are not what the table has here, or just other ones');
note "$good merged, $state{'08P01'} refused";
is($node->sql("SELECT count(*) FROM dnsrepl.version WHERE author !~ '^[ -~]*\$'"), 0, 'who wrote it is text') or diag $node->sql("SELECT author, count(*) FROM dnsrepl.version GROUP BY 1");
cmp_ok($node->sql('SELECT count(*) FROM dnsrepl.version WHERE problem IS NOT NULL'), '>', 5, 'what cannot be shown says why');
is($node->sql("SELECT count(*) FROM dnsrepl.version v WHERE node = 'seattle' AND tab = 'records' AND problem IS NULL AND rows IS NOT NULL"), 400, 'and hides nothing else');
cmp_ok($node->sql('SELECT count(*) FROM dnsrepl.conflict'), '>', 50, 'all are in conflict');
cmp_ok($node->sql("SELECT count(*) FROM dnsrepl.conflict WHERE array_to_string(versions, ' ') LIKE '%cannot be shown: %'"), '>', 5, 'some say that they cannot be shown');
all_shown('siblings that a peer sent');
is(($node->try('SELECT count(*) FROM dnsrepl.changes_since()'))[0], 0, 'and changes_since()');
# What was not projected when it was edited stays beside the edit, and is projected later: so a later edit settles that too.
my $ttl = 60;
sub edit { $ttl++; return ($node->try("DELETE FROM records WHERE name <<= 'example.org'; INSERT INTO records (domain_id, name, type, content, ttl, prio) SELECT $id, 'n' || i || '.example.org', 'A', '192.0.2.2', $ttl, 0 FROM generate_series(1, 400) i"))[0, 2] }
my ($status, $error) = edit();
is($status, 0, 'whoever edits those names can') or diag $error;
my $shown = "SELECT count(*) FROM dnsrepl.conflict c WHERE tab = 'records' AND NOT EXISTS (SELECT FROM dnsrepl.version v WHERE NOT v.projected AND v.key = c.key)";
ok(Dnsrepl::wait_until(sub { return 1 if $node->sql($shown) == 0; edit(); return $node->sql($shown) == 0 }), 'and settles what was shown');
cmp_ok($node->sql('SELECT count(*) FROM dnsrepl.conflict_history'), '>', 30, 'what there was is told');
all_shown('after that');

# ---------------------------------------------------------------- a stranger that sends random octets hides nobody else's
my $other = Guest->new('eve', clusters => [ 'ee' x 16 ]);
my $stranger = Guest->new('mia', clusters => [ 'dd' x 16 ]);
my $domain = image("key = '\\x0001'");
substr $domain, 4 + ord(substr $domain, 2, 1), 16, pack 'Q> H16', 100, $stranger->{life};    # of a zone that it has made
for my $s ([ $other, Guest::seal('random octets') ], [ $stranger, $stranger->delta(vector => [ [ $stranger->{life}, 'mia', 100 ] ], items => Guest::zone('mia.example') . Guest::unit(pack('n', 1), [ 0, 100, $domain ], \[ 0, 100 ])) ])
{
    my ($who, $says) = @$s;
    my ($o, $e) = ('', '');
    $node->cluster->psql('pdns', $who->begin(flags => 1) . 'SELECT ' . $who->merge($says), stdout => \$o, stderr => \$e, extra_params => [ '-U', 'dnsrepl_link' ]);
    is($e, '', "$who->{name} is kept");
}
($status, $out, $err) = $node->try("SET client_min_messages = warning; SELECT zone, change FROM dnsrepl.join_preview() WHERE there IS NOT NULL");
is($status, 0, 'a preview');
like($out, qr/^mia.example\|new here$/m, 'of what one has sent');
like($err, qr/what node "eve" has sent cannot be read/, 'and who is left out');

# ---------------------------------------------------------------- damage
$node->unpack_store;
for my $damage ("image = '\\x'", "image = '\\x01'", 'image = set_byte(image, 0, 99)', 'image = substr(image, 1, length(image) - 3)', "image = image || '\\x00'", 'image = set_byte(image, 2, 200)', 'origin = 4711', "key = '\\x'", "key = '\\x00'",
    "key = '\\x0002'", "key = substr(key, 1, 5)", "key = set_byte(key, 2, 0)", "more = '\\xffffff'", "over = '\\x01'")
{
    $node->sql("UPDATE dnsrepl.version_store SET $damage WHERE ctid = (SELECT ctid FROM dnsrepl.version_store WHERE substr(key, 1, 2) = '\\x0002' AND length(key) > 10 AND length(image) > 10 AND more IS NULL AND over IS NULL AND origin <> 4711 LIMIT 1)");
    all_shown("damage: $damage", $damage =~ /^key/ ? qr/check_all|check_store|export/ : qr/check_all|export/);
}
like($node->sql('SELECT string_agg(DISTINCT problem, \';\') FROM dnsrepl.version'), qr/the image of the version cannot be read/, 'it is shown');
is($node->sql("SELECT count(*) > 0 FROM dnsrepl.check_store() WHERE problem = 'a version in the store cannot be read'"), 't', 'and found');
unlike($node->log, qr/PANIC|TRAP:|terminated by signal/, 'no crash');
done_testing();
