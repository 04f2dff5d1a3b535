# BIND, Knot and PowerDNS told of a stream of random edits, while they, and the worker, are killed again and again. The large zone is not
# PowerDNS's, which takes some hundred names a second.
use strict;
use warnings;
use Dnsrepl;
use NameServer;
use Test::More;

my $count = $ENV{DNSREPL_NAMES} // 50_000;
my $rounds = $ENV{DNSREPL_ROUNDS} // 12;
srand(my $seed = $ENV{DNSREPL_SEED} // time);
note("seed $seed (DNSREPL_SEED)");
my ($zone, $small) = ('example.org', 'example.net');
my $key = [ 'transfer', 'hmac-sha512', 'c2VjcmV0LXNlY3JldC1zZWNyZXQ=' ];
my $node = Dnsrepl->new('seattle', conf => "dnsrepl.keepalive = '1s'");
my $bind = NameServer->bind('bind', key => $key, zones => { $zone => { update => 1 }, $small => { update => 1 } });
my $knot = NameServer->knot('knot', key => $key, zones => { $zone => { update => 1 }, $small => { update => 1 } });

# PowerDNS with tables of its own
$node->cluster->safe_psql('postgres', 'CREATE DATABASE elsewhere');
my $pdns = bless { name => 'pdns', db => 'elsewhere', server => $node->cluster, link => {} }, 'Dnsrepl';
$pdns->sql(PostgreSQL::Test::Utils::slurp_file('/usr/share/pdns-backend-pgsql/schema/schema.pgsql.sql'));
$pdns->dns_start;
$pdns->pdnsutil('import-tsig-key', $key->[0], $key->[1], $key->[2]);
my ($status) = $pdns->api(POST => '/zones', { name => "$small.", kind => 'Native', nameservers => ['ns.invalid.'] });
is($status, 201, 'a zone in PowerDNS');
$pdns->pdnsutil('set-meta', $small, $_, $key->[0]) for 'TSIG-ALLOW-DNSUPDATE', 'TSIG-ALLOW-AXFR';
my %server = (bind => $bind, knot => $knot, pdns => $pdns);
my %port = (bind => $bind->port, knot => $knot->port, pdns => $pdns->{dns_port});

# What the tables have, as dig prints a transfer; the SOA record apart.
sub table
{
    my ($zone) = @_;
    return $node->sql(<<"END");
SELECT string_agg(line, E'\\n' ORDER BY line COLLATE "C") FROM (SELECT DISTINCT concat_ws(' ', r.name || '.', r.ttl, 'IN', r.type,
    CASE r.type::text WHEN 'MX' THEN r.prio || ' ' || r.content || '.' WHEN 'CNAME' THEN r.content || '.' WHEN 'NS' THEN r.content || '.' ELSE r.content END) AS line
    FROM records r JOIN domains d ON d.id = r.domain_id WHERE d.name = '$zone' AND r.type IS NOT NULL AND r.type <> 'SOA' AND NOT disabled) l
END
}

sub transfer
{
    my ($name, $zone) = @_;
    my $lines = $name eq 'pdns' ? NameServer::transfer((bless { key => $key, port => $port{pdns} }, "NameServer"), $zone) : $server{$name}->transfer($zone);
    return join "\n", grep { !/ SOA / } split /\n/, $lines;
}

sub same
{
    my ($what, @name) = @_;
    my $told = Dnsrepl::wait_until(sub { $node->sql("SELECT dnsrepl.wait_for_peers('10s')") eq 't' });
    ok($told, "$what: all is told") or diag $node->sql('SELECT * FROM dnsrepl.status') . "\n" . $node->sql('SELECT * FROM dnsrepl.problem');
    # a zone that a server was asked of when it was killed waits by itself, for a few seconds, and holds up nothing else
    ok($node->no_problem, "$what: no zone waits");
    my %should = map { $_ => table($_) } $zone, $small;
    for my $name (@name ? @name : sort keys %server)
    {
        is($node->sql("SELECT zone, name, type, ours, theirs FROM dnsrepl.verify('$name') LIMIT 5"), '', "$what: verify() finds nothing: $name")
            or diag $node->sql('SELECT zone, key, error FROM dnsrepl.problem');
        for my $zone ($name eq 'pdns' ? () : $zone, $small)
        {
            my $has = transfer($name, $zone);
            ok($has eq $should{$zone}, "$what: nor does dig: $name, $zone") or diag(Dnsrepl::difference($has, $should{$zone}));
        }
    }
    return;
}

# ---------------------------------------------------------------- the first load
for my $zone ($zone, $small)
{
    my $names = $zone eq $small ? 200 : $count;
    $node->sql(<<"END");
INSERT INTO domains (name, type) VALUES ('$zone', 'NATIVE');
INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, '$zone', t, c, 300
    FROM domains, (VALUES ('SOA', 'ns1.$zone hostmaster.$zone 1 3600 600 604800 300'), ('NS', 'ns1.$zone')) v (t, c) WHERE name = '$zone';
INSERT INTO records (domain_id, name, type, content, ttl) SELECT id, 'ns1.$zone', 'A', '192.0.2.1', 300 FROM domains WHERE name = '$zone';
INSERT INTO records (domain_id, name, type, content, ttl) SELECT d.id, 'h' || i || '.$zone', 'A', '192.0.2.' || i % 250, 300
    FROM domains d, generate_series(1, $names) i WHERE name = '$zone';
END
}
for my $name (sort keys %port)
{
    my $zones = join ',', $name eq 'pdns' ? () : $zone, $small;
    $node->sql("SELECT dnsrepl.add_server('$name', '127.0.0.1:$port{$name}', '{$zones}', '$key->[1]:$key->[0]:$key->[2]')");
}
same("the first load of $count names");

# ---------------------------------------------------------------- random edits
my $n = 0;

sub edit
{
    my $zone = rand() < 0.3 ? $small : $zone;
    my $h = int rand 300;
    my $name = "r$h.$zone";
    my $gone = "DELETE FROM records WHERE name = '$name'";
    my $put = sub { my ($type, $content, $prio) = @_; $n++; return "INSERT INTO records (domain_id, name, type, content, ttl, prio) SELECT id, '$name', '$type', '$content', " . (60 + int(rand 3) * 60) . ', ' . ($prio // 'NULL') . " FROM domains WHERE name = '$zone'" };
    my $what = int rand 8;
    return $what == 0 ? $gone
        : $what == 1 ? join('; ', $gone, $put->('CNAME', "t$n.example.net"))
        : $what == 2 ? join('; ', $gone, $put->('TXT', qq("text $n")), $put->('A', '192.0.2.' . $n % 250))
        : $what == 3 ? join('; ', $gone, $put->('MX', 'mail.example.net', $n % 50))
        : $what == 4 ? "UPDATE records SET ttl = 60 + (ttl + 60) % 240 WHERE name = '$name' AND type <> 'SOA'"
        : $what == 5 ? "UPDATE records SET disabled = NOT disabled WHERE name = '$name'"
        : $what == 6 ? "DELETE FROM records WHERE name = 'h" . int(rand $count) . ".$zone'"
        : join('; ', $gone, map { $put->('A', "198.51.100." . ($n + $_) % 250) } 1 .. 3);
}

sub edits { my ($many) = @_; $node->sql(join '; ', map { 'BEGIN; ' . join('; ', map { edit() } 0 .. int rand 3) . '; COMMIT' } 1 .. $many); return }

edits(200);
same('edits');
for my $round (1 .. $rounds)
{
    edits(40);
    my $what = int rand 3;
    my $name = (sort keys %server)[ int rand 3 ];
    if ($what == 0)    # the worker
    {
        my $pid = $node->sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'dnsrepl server' ORDER BY random() LIMIT 1");
        $node->sql("SELECT pg_terminate_backend($pid)") if $pid;
    }
    elsif ($what == 1 && $name ne 'pdns') { $server{$name}->kill; edits(10); $server{$name}->start }
    elsif ($what == 1) { $pdns->dns_stop; edits(10); $pdns->dns_start }
    elsif ($name ne 'pdns') { $server{$name}->pause; edits(10); $server{$name}->resume }
    else { $node->cluster->stop('immediate'); $node->cluster->start }
    edits(10);
    same("round $round: $what") if $ENV{DNSREPL_EACH};
}
same("$rounds rounds of edits and faults");

# ---------------------------------------------------------------- large ones
$node->sql("BEGIN; DELETE FROM records WHERE name LIKE 'h%.$zone' AND type = 'A'; INSERT INTO records (domain_id, name, type, content, ttl) SELECT d.id, 'g' || i || '.$zone', 'A', '192.0.2.' || i % 250, 300 "
        . "FROM domains d, generate_series(1, @{[ 3 * $count ]}) i WHERE name = '$zone'; COMMIT");
same('a transaction of ' . 4 * $count . ' changes');
unlike($node->log, qr/TRAP|terminated by signal (6|11)/, 'no crash of its own');
done_testing();
