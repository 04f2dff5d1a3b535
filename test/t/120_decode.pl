# The logical decoding output plugin: pg_recvlogical --plugin=dnsrepl | nsupdate on PowerDNS's own tables, without the store.
use strict;
use warnings;
use Dnsrepl;
use NameServer;
use Test::More;

my $schema = PostgreSQL::Test::Utils::slurp_file('/usr/share/pdns-backend-pgsql/schema/schema.pgsql.sql');
my @zone = qw(example.org example.net);
my $bind = NameServer->bind('bind', zones => { map { $_ => { update => 1 } } @zone });
my $server = Dnsrepl->server('seattle', conf => "wal_level = logical\noutput_plugin_libraries = 'pgoutput, test_decoding, dnsrepl'\nmax_replication_slots = 10\nmax_wal_senders = 10", databases => '');

$server->safe_psql('postgres', 'CREATE DATABASE stock');
my $node = bless { name => 'stock', db => 'stock', server => $server, link => {} }, 'Dnsrepl';
$node->sql($schema);
my $slot = sub { my ($name, @option) = @_; return $node->sql("SELECT data FROM pg_logical_slot_get_changes('$name', NULL, NULL" . join('', map { ", '$_'" } @option) . ')') };
$node->sql("SELECT pg_create_logical_replication_slot('$_', 'dnsrepl')") for 'early';

# ---------------------------------------------------------------- what it needs
$node->sql("INSERT INTO domains (name, type) VALUES ('$_', 'NATIVE')") for @zone;
my $insert = sub { my ($zone, $name, $type, $content, $ttl, $prio) = @_;
    return "INSERT INTO records (domain_id, name, type, content, ttl, prio) SELECT id, '$name', '$type', '$content', " . ($ttl // 300) . ', ' . ($prio // 'NULL') . " FROM domains WHERE name = '$zone'" };
$node->sql($insert->($zone[0], 'early.example.org', 'A', '192.0.2.1'));
my ($status, undef, $error) = $node->try("SELECT data FROM pg_logical_slot_get_changes('early', NULL, NULL)");
like($error, qr/table "domains" cannot be read.*HINT: +ALTER TABLE domains SET \(user_catalog_table = true\)/s, 'the table domains must be a catalog of the user');
$node->sql("SELECT pg_drop_replication_slot('early'); ALTER TABLE domains SET (user_catalog_table = true); SELECT pg_create_logical_replication_slot('early', 'dnsrepl'); DELETE FROM records");
($status, undef, $error) = $node->try("SELECT data FROM pg_logical_slot_get_changes('early', NULL, NULL)");
like($error, qr/not in the log as it was.*HINT: +ALTER TABLE records REPLICA IDENTITY FULL/s, 'and rows that go must be whole');
$node->sql("SELECT pg_drop_replication_slot('early'); ALTER TABLE records REPLICA IDENTITY FULL");
$node->sql("SELECT pg_create_logical_replication_slot('$_', 'dnsrepl')") for qw(all one other);
for my $case ([ 'nothing', '1' ], [ 'zones', 'a..b' ])
{
    ($status, undef, $error) = $node->try("SELECT data FROM pg_logical_slot_get_changes('all', NULL, NULL, '$case->[0]', '$case->[1]')");
    isnt($status, 0, "option $case->[0]=$case->[1] is refused");
}

# ---------------------------------------------------------------- what it prints
$node->sql('BEGIN; ' . join('; ', $insert->($zone[0], 'www.example.org', 'A', '192.0.2.1'), $insert->($zone[0], 'example.org', 'MX', 'mail.example.org', 60, 10),
        $insert->($zone[1], 'example.net', 'TXT', '"a \"b\"" "c"'), $insert->($zone[0], 'gone.example.org', 'A', '192.0.2.9'), "DELETE FROM records WHERE name = 'gone.example.org'",
        $insert->($zone[0], 'off.example.org', 'A', '192.0.2.9'), "UPDATE records SET disabled = true WHERE name = 'off.example.org'",
        $insert->($zone[0], 'alias.example.org', 'ALIAS', 'example.net'), $insert->($zone[0], 'bad.example.org', 'A', 'here')) . '; COMMIT');
my $should = <<'END';
; left out: alias.example.org ALIAS: nsupdate does not know the type
; left out: bad.example.org A: It is not an IPv4 address.
zone example.org
update add example.org. 60 MX 10 mail.example.org.
update add www.example.org. 300 A 192.0.2.1
send
zone example.net
update add example.net. 300 TXT "a \"b\"" "c"
send
END
is($slot->('all') . "\n", $should, 'a block for each zone');
is($slot->('one', 'zones', '*.net,!example.com'), "zone example.net\nupdate add example.net. 300 TXT \"a \\\"b\\\"\" \"c\"\nsend", 'of some zones only');
$node->sql("UPDATE records SET ordername = 'x', auth = false; UPDATE domains SET last_check = 1");
is($slot->('all'), '', 'what PowerDNS derives is no change');
$node->sql("BEGIN; DELETE FROM records WHERE name = 'www.example.org'; " . $insert->($zone[0], 'www.example.org', 'CNAME', 'example.net') . '; COMMIT');
is($slot->('all'), "zone example.org\nupdate delete www.example.org. A 192.0.2.1\nupdate add www.example.org. 300 CNAME example.net.\nsend", 'an alias in the place of an address');
$node->sql("UPDATE records SET ttl = 60 WHERE name = 'www.example.org'");
is($slot->('all'), "zone example.org\nupdate delete www.example.org. CNAME example.net.\nupdate add www.example.org. 60 CNAME example.net.\nsend", 'another TTL');
$node->sql("BEGIN; UPDATE domains SET name = 'renamed.org' WHERE name = 'example.org'; UPDATE records SET name = 'www.renamed.org' WHERE name = 'www.example.org'; ROLLBACK");
is($slot->('all'), '', 'nothing of a transaction that failed');
$node->sql("INSERT INTO domains (name, type) VALUES ('new.example', 'NATIVE'); " . $insert->('new.example', 'a.new.example', 'A', '192.0.2.1'));
is($slot->('all'), "zone new.example\nupdate add a.new.example. 300 A 192.0.2.1\nsend", 'a zone that was made just now');
$node->sql("DELETE FROM domains WHERE name = 'new.example'");
like($slot->('all'), qr/^; zone \d+ has been deleted: no UPDATE does that$/, 'a zone that goes is a comment');
$node->sql("SELECT pg_replication_origin_create('elsewhere'); SELECT pg_replication_origin_session_setup('elsewhere'); " . $insert->($zone[0], 'far.example.org', 'A', '192.0.2.1'));
is($slot->('other', 'skip-origins', 'on') =~ /far\.example/ ? 1 : 0, 0, 'what came from elsewhere is left out if that is wanted');
like($slot->('all'), qr/far\.example/, 'else it is there');
my $long = 'x' x 250;
$node->sql($insert->($zone[0], 'long.example.org', 'TXT', join ' ', map { qq("$long$_") } 10 .. 60));
$node->sql("UPDATE records SET ttl = 61 WHERE name = 'long.example.org'");
like($slot->('all'), qr/update add long\.example\.org\. 61 TXT "$long/, 'a value that is kept out of line, and was not changed');
$node->sql("TRUNCATE records");
like($slot->('all'), qr/^; table records was truncated/, 'TRUNCATE is a comment');
$node->sql("SELECT pg_drop_replication_slot(s) FROM unnest('{all,one,other}'::text[]) s");

# ---------------------------------------------------------------- streamed to BIND
my ($out, $err) = ('', '');
my $dir = PostgreSQL::Test::Utils::tempdir('stream');
PostgreSQL::Test::Utils::append_to_file("$dir/stream", "#!/bin/sh\nexec 2>$dir/errors\npg_recvlogical -d '" . $server->connstr('stock') . "' --slot=stream --create-slot --if-not-exists --plugin=dnsrepl || exit 1\n"
        . "(echo 'server 127.0.0.1 " . $bind->port . "'; exec pg_recvlogical -d '" . $server->connstr('stock') . "' --slot=stream --start -f - -F 1 -s 1) | nsupdate -v\n");
chmod 0755, "$dir/stream";
my $stream = Dnsrepl::spawn('stream', undef, "$dir/stream");
ok($node->poll("SELECT active FROM pg_replication_slots WHERE slot_name = 'stream'", 't'), 'a stream');
my $n = 0;
for my $round (1 .. 30)
{
    my @sql;
    for (1 .. 5)
    {
        my $zone = $zone[ int rand 2 ];
        my $name = 'r' . int(rand 20) . ".$zone";
        my $what = int rand 4;
        $n++;
        push @sql, "DELETE FROM records WHERE name = '$name'";
        push @sql, $insert->($zone, $name, 'A', "192.0.2.$n") if $what < 3;
        push @sql, $insert->($zone, $name, 'TXT', qq("text $n")) if $what == 1;
        push @sql, "DELETE FROM records WHERE name = '$name'", $insert->($zone, $name, 'CNAME', "t$n.example.com") if $what == 2;
    }
    $node->sql('BEGIN; ' . join('; ', @sql) . '; COMMIT');
}
$node->sql('BEGIN; ' . $insert->($zone[0], 'last.example.org', 'A', '192.0.2.1') . '; '
        . "INSERT INTO records (domain_id, name, type, content, ttl) SELECT d.id, 'many' || i || '.example.org', 'A', '192.0.2.7', 300 FROM domains d, generate_series(1, 5000) i WHERE d.name = 'example.org'; COMMIT");
ok(Dnsrepl::wait_until(sub { $bind->dig('last.example.org', 'A') eq '192.0.2.1' && $bind->dig('many4999.example.org', 'A') }), 'the last change arrives')
    or diag PostgreSQL::Test::Utils::slurp_file("$dir/errors");
for my $zone (@zone)
{
    my $has = join "\n", grep { !/ (SOA|NS) / } split /\n/, $bind->transfer($zone);
    my $want = $node->sql(<<"END");
SELECT string_agg(line, E'\\n' ORDER BY line COLLATE "C") FROM (SELECT concat_ws(' ', r.name || '.', r.ttl, 'IN', r.type, CASE r.type WHEN 'CNAME' THEN r.content || '.' ELSE r.content END) AS line
    FROM records r JOIN domains d ON d.id = r.domain_id WHERE d.name = '$zone') l
END
    ok($has eq $want, "$zone is what the table has") or diag(Dnsrepl::difference($has, $want));
}
Dnsrepl::finish($stream);
done_testing();
