# Nothing that a user can pass to a function of the extension crashes the server, or is an error of the code: every function of schema
# dnsrepl and of the types is called, with all NULL, each argument NULL, arrays with NULL in them, empty, huge and random values; on a
# node, in a database that is none, and on a server that does not preload the library. The values are the same each time; SEED
# varies them, CALLS has more of them.
use strict;
use warnings;
use Dnsrepl;
use Test::More;

my $seed = $ENV{SEED} // 42;
srand($seed);
note("SEED=$seed");
my $calls = $ENV{CALLS} // 4;    # a function, besides the NULLs
my $conf = "restart_after_crash = on\ndnsrepl.keepalive = '500ms'";

sub octets { return "'\\x" . join('', map { sprintf '%02x', rand 256 } 1 .. $_[0]) . "'::bytea" }

# A few values of each type, some of them nonsense; all that a function may be asked to take a long time for is bounded.
my %values = (
    text => [ "''", "'x'", "'a.example'", "'*'", "'merge'", "'pg_catalog.jsonb_build_object'", "'a.b.c.d.e'", "'127.0.0.1'", "'127.0.0.1:1'", "'::1'", "'hmac-sha256:x:AAAA'", "E'\\x01\\n\"'", "repeat('a', 1000000)", "repeat('1.', 500000)", "repeat('(', 100000)" ],
    bytea => [ "''", "'\\x00'", "'\\x0000'", "'\\x0001'", "'\\x0002'", "'\\x00020000'", "'\\x7fff'", "'\\xffff'", "'\\x0002ff00'", "'\\x01000000'", "'\\xffffffffffffffffff01'", sub { octets(1 + rand 20) }, sub { octets(rand 200) }, "decode(repeat('ff', 100000), 'hex')", "decode(repeat('00', 1000000), 'hex')" ],
    int2 => [ 0, 1, 2, 6, '(-32768)', 32767 ],
    int4 => [ 0, 1, 2, '(-1)', '(-2147483648)', 2147483647, sub { int rand 100000 } ],
    int8 => [ 0, 1, '(-1)', '(-9223372036854775807 - 1)', 9223372036854775807, sub { int rand 1e12 } ],
    bool => [ 'true', 'false' ],
    interval => [ "'0'", "'-1 s'", "'1 ms'" ],
    timestamptz => [ "'infinity'", "'-infinity'", "'epoch'", "'294276-12-31'" ],
    uuid => [ "'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'" ],
    jsonb => [ "'null'", "'[]'", "'{}'", "'[null]'", "'[{\"name\": null}]'", "'[{\"name\": \"a\", \"rows\": [[]]}]'", "('\"' || repeat('x', 1000000) || '\"')" ],
    name => [ "''", "'public'", "'nowhere'" ],
    oid => [ 0, 1259, 4294967295 ],
    regclass => [ 0, "'pg_class'", "'records'", "'dnsrepl.zone'", 4294967295 ],
    cstring => [ "''", "'x'" ],
    char => [ "''", "'x'" ],
    dnsname => [ "'.'", "'a.example'", "'*.example'", "(repeat('1.', 100) || 'x')" ],
    rrtype => [ "'A'", "'TYPE0'", "'TYPE65535'", "'SOA'" ],
    rr => [ "NULL" ],
    internal => [ 'NULL' ]);
my %array = (text => [ "'{}'", "ARRAY[NULL]", "ARRAY[NULL, 'A']", "ARRAY['*', NULL]", "'{{a,b},{c,NULL}}'", "'[5:6]={a,b}'", "array_fill('x'::text, '{10000}')" ],
    uuid => [ "'{}'", 'ARRAY[NULL]', "'{{NULL}}'" ], jsonb => [ "'{}'", "ARRAY[NULL]" ],
    int => [ "'{}'", 'ARRAY[NULL]', "'{{1,2},{3,NULL}}'", "'[-5:-4]={1,2}'", 'array_fill(1, ARRAY[10000])', "'{1,2,3}'" ]);
$array{$_} = $array{int} for qw(int2 int4 int8);
$array{name} = $array{text};

sub value
{
    my ($type, $null) = @_;
    return "NULL::$type" if $null;
    my $base = $type =~ s/.*\.//r;
    my $list;
    if ($base =~ s/^_// || $base =~ s/\[\]$//) { $list = $array{$base} // [ "'{}'", 'ARRAY[NULL]' ] }
    else { $list = $values{ $base =~ s/"//gr } // ['NULL'] }
    my $value = $list->[ rand @$list ];
    $value = $value->() if ref $value;
    return "$value" eq 'NULL' ? "NULL::$type" : "CAST($value AS $type)";
}

# Those that are another session's business: what they wait for, or end, is not an error.
my %left_out = map { $_ => 1 } qw(drop_node);

# Those that are refused within a transaction block.
my %of_a_link = map { ("dnsrepl.$_" => 1) } qw(hello merge merge_done flush compare);

# Of each: how it is called. What an aggregate or a support function gets from the server cannot be said in SQL.
sub functions
{
    my ($node) = @_;
    return map { [ split /\|/, $_, -1 ] } split /\n/, $node->sql(<<'END');
SELECT p.oid::regprocedure, quote_ident(n.nspname) || '.' || quote_ident(p.proname), p.prokind, p.prorettype::regtype,
  (SELECT string_agg(quote_ident(tn.nspname) || '.' || quote_ident(t.typname), ',' ORDER BY a.place)
     FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY a (type, place) JOIN pg_type t ON t.oid = a.type JOIN pg_namespace tn ON tn.oid = t.typnamespace)
FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
  AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'dnsrepl')
ORDER BY 1::text
END
}

# The calls of one function: SQL that is run in a transaction of its own, which is rolled back.
sub calls_of
{
    my ($function) = @_;
    my (undef, $name, $kind, $returns, $types) = @$function;
    my @type = split /,/, $types;
    my @call;
    my $put = sub { push @call, "SELECT * FROM $name(" . join(', ', @_) . ')' };
    $put = sub { push @call, "SELECT $name(" . join(', ', @_) . ')' } if $kind ne 'f' || $returns =~ /trigger|^void$/;
    $put->(map { value($_, 1) } @type);
    for my $null (0 .. $#type)
    {
        $put->(map { value($type[$_], $_ == $null) } 0 .. $#type) for 1 .. 1 + ($calls > 4);
    }
    $put->(map { value($_) } @type) for 1 .. (@type ? $calls : 0);
    return @call;
}

my $problem = qr/PANIC|TRAP:|terminated by signal|server closed the connection|XX000|XX001(?!.*image cannot be read)|could not find|unexpected|cache lookup failed/;

# Runs the calls of some functions in one session, each call in a transaction of its own; whose errors are faults, and whether the server lives.
sub call_some
{
    my ($node, $end, @function) = @_;
    my $script = "\\set VERBOSITY verbose\nSET statement_timeout = '20s'; SET lock_timeout = '2s'; SET client_min_messages = error;\n";
    my $calls = 0;
    for my $function (@function)
    {
        my @call = @{ $function->[5] };
        $calls += @call;
        $script .= "\\warn $function->[0]\n" . join '', map { $of_a_link{ $function->[1] } ? "$_ \\g /dev/null\n" : "BEGIN;\n$_ \\g /dev/null\n$end;\n" } @call;
    }
    my ($out, $err, @bad) = ('', '');
    eval { $node->cluster->psql($node->db, $script, stdout => \$out, stderr => \$err, on_error_stop => 0, timeout => 600); 1 } or $err .= "server closed the connection: $@";
    my $at = '';
    for my $line (split /\n/, $err)
    {
        if ($line =~ /^psql/) { push @bad, "$at: " . substr($line, 0, 300) if $line =~ $problem || $line =~ /57014.*statement timeout/ }
        else { $at = $line if $line =~ /^\S+\(.*\)$/ }
    }
    my $lives = $err !~ /closed the connection/;
    Dnsrepl::wait_until(sub { !($node->try('SELECT 1'))[0] }, 30) if !$lives;
    return ($lives, $calls, scalar(() = $err =~ /ERROR:/g), @bad);
}

sub call_all
{
    my ($node, $what, $end) = @_;
    my (@bad, $calls, $failed);
    my @function = grep { !$left_out{$_->[1]} } functions($node);
    $_->[5] = [ calls_of($_) ] for @function;
    while (my @some = splice @function, 0, 20)
    {
        my ($lives, $n, $errors, @more) = call_some($node, $end, @some);
        $calls += $n;
        $failed += $errors;
        # what came after the crash has its turn: each alone
        if (!$lives && @some > 1)
        {
            push @more, (call_some($node, $end, $_))[ 3 .. 40 ] for @some;
        }
        push @bad, grep { defined } @more;
    }
    is(scalar @bad, 0, "$what: no call crashes, fails by a fault of the code, or takes long") or diag join "\n", @bad > 60 ? @bad[ 0 .. 59 ] : @bad;
    cmp_ok($calls, '>', 500, "$what: $calls calls, $failed refused");
    is(join("\n", $node->log =~ /^.*(?:PANIC|TRAP:|terminated by signal).*$/mg), '', "$what: no process was lost");
    return;
}

my $node = Dnsrepl->new('fuzzed', conf => $conf, databases => 'pdns');
$node->sql(<<'END');
INSERT INTO domains (name, type) VALUES ('a.example', 'NATIVE');
INSERT INTO records (domain_id, name, type, content, ttl, prio) SELECT id, name, 'SOA', 'ns.a.example. mail.a.example. 1 3600 600 86400 60', 60, 0 FROM domains;
INSERT INTO records (domain_id, name, type, content, ttl, prio) SELECT id, 'a.example', 'NS', 'ns.a.example', 60, 0 FROM domains;
INSERT INTO tsigkeys (name, algorithm, secret) VALUES ('x', 'hmac-sha256', 'AAAA');
INSERT INTO records (domain_id, name, type, content, ttl, prio) SELECT id, 'd.a.example', 'DNAME', 'other.test', 60, 0 FROM domains;
SELECT dnsrepl.add_server('x', '127.0.0.1:1');
SELECT dnsrepl.pause('x');
END

# ---------------------------------------------------------------- NULL in what workers read
for ([ 'SELECT dnsrepl.unmanaged(\'x\', \'a.b\', ARRAY[NULL, \'A\'])', '22004' ], [ "SELECT dnsrepl.unmanaged('x', 'a.b', '{{A},{NS}}')", '0A000' ], [ 'SELECT dnsrepl.unmanaged(\'x\', NULL)', '22004' ], [ "SELECT dnsrepl.unmanaged(NULL, 'a.b')", '22004' ],
    [ "SELECT dnsrepl.add_server('y', '127.0.0.1', ARRAY['*', NULL])", '22004' ], [ "INSERT INTO dnsrepl.server_unmanaged VALUES ('x', 'a', '{NULL}')", '23514' ], [ "UPDATE dnsrepl.server SET zones = '{NULL}'", '23514' ])
{
    my ($sql, $state) = @$_;
    like(($node->try("\\set VERBOSITY verbose\n$sql"))[2], qr/ERROR:\s+$state/, "$sql is refused");
}
$node->sql("SELECT dnsrepl.unmanaged('x', 'a.b', '{}'); SELECT dnsrepl.unmanaged('x', 'a.b', '[7:8]={A,NS}')");
# even if they are there: from an older version, say
$node->sql('ALTER TABLE dnsrepl.server_unmanaged DROP CONSTRAINT server_unmanaged_types_check; ALTER TABLE dnsrepl.server DROP CONSTRAINT server_zones_check');
for ("UPDATE dnsrepl.server_unmanaged SET types = '{NULL,A}'", "UPDATE dnsrepl.server_unmanaged SET types = NULL; UPDATE dnsrepl.server SET zones = '{NULL}'", "UPDATE dnsrepl.server SET zones = '{nonsense..name}'")
{
    $node->sql("$_; UPDATE dnsrepl.server SET resyncs = resyncs + 1; SELECT dnsrepl.resume('x')");
    ok($node->poll("SELECT state = 'down' AND last_error ~ 'null|pattern' FROM dnsrepl.status"), "$_: the link is down, and says why");
    $node->sql("SELECT dnsrepl.pause('x')");
    ok($node->poll("SELECT state FROM dnsrepl.status", 'paused'), 'paused again');
}
$node->sql("UPDATE dnsrepl.server SET zones = '{*}'; INSERT INTO dnsrepl.parked (zone, key, state, tries, error) VALUES (12345, '\\x0002', 'refused', 0, 'of no zone')");
is($node->sql('SELECT dnsrepl.project_parked()'), 1, 'a parked row of no zone is left alone');
$node->sql('DELETE FROM dnsrepl.parked');

call_all($node, 'a node', 'ROLLBACK');
my $no_node = Dnsrepl->new('none', server => $node, db => 'none', setup => 0);
call_all($no_node, 'no node', 'ROLLBACK');
$node->cluster->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->cluster->restart;
call_all($node, 'not preloaded', 'ROLLBACK');
$node->cluster->append_conf('postgresql.conf', "shared_preload_libraries = 'dnsrepl'");
$node->cluster->restart;
call_all($node, 'a node that keeps what is called', 'COMMIT');
done_testing();
