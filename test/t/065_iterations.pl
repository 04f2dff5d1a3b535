# Long work of a commit and of a merge: it is bounded where metadata could make it endless, it can be cancelled, and a peer that waits
# for it hears that it goes on.
use strict;
use warnings;
use Digest::SHA qw(sha1);
use Dnsrepl;
use Test::More;

my ($seattle, $tacoma) = map { Dnsrepl->new($_, conf => "dnsrepl.keepalive = '500ms'") } qw(seattle tacoma);

# A name's hash: RFC 5155 section 5, in digits of RFC 4648 section 7.
sub hash
{
    my ($name, $iterations, $salt) = @_;
    my $hash = join '', map { chr(length) . $_ } split(/\./, $name), '';
    $hash = sha1($hash . pack 'H*', $salt) for 0 .. $iterations;
    return join '', map { (0 .. 9, 'a' .. 'v')[ oct "0b$_" ] } unpack '(a5)*', unpack 'B*', $hash;
}

sub zone
{
    my ($name, $param, $count, $more) = @_;
    return "INSERT INTO domains (name, type) VALUES ('$name', 'NATIVE');"
        . "INSERT INTO domainmetadata (domain_id, kind, content) SELECT id, 'PRESIGNED', '1' FROM domains WHERE name = '$name';"
        . "INSERT INTO domainmetadata (domain_id, kind, content) SELECT id, 'NSEC3PARAM', '$param' FROM domains WHERE name = '$name';"
        . "INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'h' || i || '.$name', 'A', '192.0.2.1', 60 FROM domains, generate_series(1, $count) i WHERE name = '$name';" . ($more // '');
}

sub ordername { my ($zone) = @_; return $seattle->sql("SELECT ordername FROM records WHERE name = 'h1.$zone' AND type = 'A'") }
sub told { my ($zone) = @_; return $seattle->sql("SELECT message FROM dnsrepl.check_zone('$zone') WHERE rule = 'nsec3-param'") }

# ---------------------------------------------------------------- how often a name is hashed
for ([ 'one.example', '1 0 1 ab', 1, 'ab', qr/^$/ ], [ 'most.example', '1 0 500 ab', 500, 'ab', qr/^500 iterations.*unsigned/ ],
    [ 'beyond.example', '1 0 501 ab', 100, 'ab', qr/^501 iterations.*with 100/ ], [ 'far.example', '1 0 65535 -', 100, '', qr/^65535 iterations.*with 100/ ],
    [ 'salt.example', '1 0 0 ' . 'cd' x 255, 0, 'cd' x 255, qr/^$/ ])
{
    my ($zone, $param, $iterations, $salt, $told) = @$_;
    $seattle->sql(zone($zone, $param, 2));
    is(ordername($zone), hash("h1.$zone", $iterations, $salt), "$zone: the order that its names have");
    like(told($zone), $told, 'and what is said of it');
}
for ('1 0 65536 ab', '1 0 -1 ab', '1 0 99999999999999999999 ab', '1 0 1 abc', '1 0 1 ' . 'cd' x 256, '1 0', '', 'x y z', '1 0 1 ab cd', '256 0 1 ab')
{
    my $zone = 'bad' . ++$seattle->{bad} . '.example';
    $seattle->sql(zone($zone, $_, 2));
    is(ordername($zone), 'h1', '"' . substr($_, 0, 30) . '": the order of NSEC');
    like(told($zone), qr/cannot be read|^$/, 'and it is said');
}

# ---------------------------------------------------------------- a commit that takes long
my $long = zone('long.example', '1 0 500 ' . 'cd' x 255, 20000);
my ($status, undef, $error) = $seattle->try("SET client_min_messages = error; BEGIN; $long SET LOCAL statement_timeout = '500ms'; COMMIT");
like($error, qr/canceling statement due to statement timeout/, 'a commit runs into statement_timeout');
($status, undef, $error) = $seattle->try("SET client_min_messages = error; SET statement_timeout = '1h'; BEGIN; INSERT INTO domains (name, type) VALUES ('short.example', 'NATIVE'); COMMIT; SELECT pg_sleep(0.1)");
is($status, 0, 'one that is short enough does not');
for my $how ('cancel', 'terminate')
{
    my $session = $seattle->session;
    my $pid = $session->query_safe('SELECT pg_backend_pid()');
    $session->query_safe("SET client_min_messages = error; BEGIN; $long");
    $session->query_until(qr/^/, "COMMIT;\n");
    ok($seattle->poll("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid AND state = 'active' AND query LIKE 'COMMIT%'", 1), 'a commit is at work');
    $seattle->sql("SELECT pg_${how}_backend($pid)");
    ok($seattle->poll("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid AND state = 'active'", 0), "pg_${how}_backend() ends it");
    is($seattle->sql("SELECT count(*) FROM domains WHERE name = 'long.example'"), 0, 'and nothing of it is left');
    eval { $session->quit };
}

# ---------------------------------------------------------------- a commit that is cancelled within what it undoes by itself
# In a transaction of one statement; the session goes on with the next.
my %within = (
    'what is derived of a name' => 'BEFORE UPDATE ON records FOR EACH ROW WHEN (new.auth IS DISTINCT FROM old.auth)',
    'the serial' => q{BEFORE UPDATE ON records FOR EACH ROW WHEN (new.type = 'SOA')});
$seattle->sql("CREATE FUNCTION hangs() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN PERFORM pg_catalog.pg_sleep(60); RETURN new; END \$\$;"
      . "INSERT INTO domains (name, type) VALUES ('cut.example', 'NATIVE');"
      . join '', map { "INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, $_, 60 FROM domains WHERE name = 'cut.example';" }
      "'cut.example', 'SOA', 'ns1.cut.example. hostmaster.cut.example. 1 2 3 4 5'", "'cut.example', 'NS', 'ns1.cut.example'", "'ns1.cut.example', 'A', '192.0.2.1'", "'a.b.cut.example', 'A', '192.0.2.1'");
for my $what (sort keys %within)
{
    $seattle->sql("CREATE TRIGGER hangs $within{$what} EXECUTE FUNCTION hangs(); ALTER TABLE records ENABLE ALWAYS TRIGGER hangs");
    my ($out, $err) = ('', '');
    $seattle->cluster->psql('pdns', "SET client_min_messages = error; SET statement_timeout = '300ms';\n"
          . "INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'b.cut.example', 'NS', 'ns1.cut.example', 60 FROM domains WHERE name = 'cut.example';\nSELECT 'alive';\n",
        stdout => \$out, stderr => \$err, on_error_stop => 0, timeout => Dnsrepl::TIMEOUT);
    like($err, qr/canceling statement due to statement timeout/, "$what: a commit is cancelled");
    is($out, 'alive', 'and its session goes on');
    is($seattle->sql("SELECT count(*) FROM records WHERE name = 'b.cut.example' AND type = 'NS'"), 0, 'without it');
    $seattle->sql('DROP TRIGGER hangs ON records');
}

# ---------------------------------------------------------------- a merge whose names take long, one after the other
$tacoma->sql(<<'END');
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_catalog.pg_sleep(0.03); RETURN new; END $$;
CREATE TRIGGER slow BEFORE UPDATE ON records FOR EACH ROW WHEN (new.ordername IS DISTINCT FROM old.ordername) EXECUTE FUNCTION slow();
ALTER TABLE records ENABLE ALWAYS TRIGGER slow;
END
$seattle->sql('SET client_min_messages = error;' . zone('slow.example', '1 0 500 ab', 300));
$seattle->peer($tacoma);
ok(Dnsrepl::same($seattle, $tacoma), 'it comes');
is($tacoma->sql("SELECT count(*) FROM records WHERE name <<= 'slow.example' AND ordername IS NULL"), 0, 'with the order of its names');
unlike($seattle->log, qr/no sign of life/, 'and nobody has hung up');
done_testing();
