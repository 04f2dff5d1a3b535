# The convergence test: three nodes, clients at all of them writing the same few units at once, links cut at random.
# Afterwards every node must hold and serve the same, and of all that was ever committed the last write of each unit.
#
#   Convergence->run(seconds => 120, seed => 42, crashes => 0, collect => 0)
#
# How "nothing committed is missing" is checked: each node's WAL is decoded (test_decoding), which shows every version
# that any of its transactions has committed, with its stamp. So, exactly and for every unit:
#   - each write that a client logged (storm.log, in the same transaction) is a version of that transaction;
#   - the version with the largest (stamp, origin) of all that were ever committed is in the store of every node;
#   - the store has nothing that was not committed by its origin;
#   - the serving tables are the rows of those winners, for zones whose winner is alive: computed here, by SQL of its own.
package Convergence;

use strict;
use warnings;
use Dnsrepl;
use Test::More;
use Time::HiRes qw(sleep time);

use constant {
    ZONES => 4,
    NAMES => 5,
    CLIENTS => 3,
    RATE => 50,        # transactions per second and node
};

my $conf = <<'END';
wal_level = logical
dnsrepl.keepalive = '500ms'
dnsrepl.connect_timeout = '2s'
dnsrepl.chunk_size = '16kB'
deadlock_timeout = '200ms'
dnsrepl.check_interval = '500ms'
END

# ---------------------------------------------------------------- the workload

my $schema = <<'END';
CREATE SCHEMA storm;
CREATE SEQUENCE storm.no;
CREATE TABLE storm.log (no bigint, xid bigint, put boolean, tab text, zone text, key jsonb, tag text);

-- What a client says it has done, in the transaction that does it.
CREATE FUNCTION storm.say(put boolean, tab text, zone text, key jsonb, tag text) RETURNS void LANGUAGE sql AS $$
  INSERT INTO storm.log VALUES (nextval('storm.no'), pg_current_xact_id()::text::bigint, put, tab, zone, key, tag)
$$;

CREATE FUNCTION storm.make_zone(z text, tag text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE d int;
BEGIN
  INSERT INTO domains (name, type, account) VALUES (z, 'NATIVE', tag) RETURNING id INTO d;
  INSERT INTO records (domain_id, name, type, content, ttl) VALUES
    (d, z, 'SOA', format('ns1.%s %s.%s 1 10800 3600 604800 3600', z, tag, z), 3600),
    (d, z, 'NS', 'ns1.' || z, 3600), (d, z, 'NS', format('%s.%s', tag, z), 3600);
  PERFORM storm.say(true, 'domains', z, '{}', tag);
  PERFORM storm.say(true, 'records', z, jsonb_build_object('name', z, 'type', t), tag) FROM unnest('{SOA,NS}'::text[]) t;
END $$;

CREATE FUNCTION storm.content(t text, tag text, i int, z text) RETURNS text LANGUAGE sql AS $$
  SELECT CASE t WHEN 'TXT' THEN format('"%s %s"', tag, i) WHEN 'MX' THEN format('%s.%s.%s', i, tag, z)
              ELSE format('%s 5060 %s.%s', i, tag, z) END
$$;

CREATE FUNCTION storm.act() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  tag text := format('%s-%s', (SELECT name FROM dnsrepl.node), nextval('storm.no'));
  z text := 'z' || floor(random() * ?ZONES) || '.example';
  d int := (SELECT id FROM domains WHERE name = z);
  r int := floor(random() * 100);
  n text := 'h' || floor(random() * ?NAMES) || '.' || z;
  t text := (ARRAY['TXT', 'MX', 'SRV'])[1 + floor(random() * 3)];
  k jsonb := jsonb_build_object('name', n, 'type', t);
BEGIN
  IF d IS NULL AND r NOT BETWEEN 82 AND 87 THEN
    IF r < 50 THEN PERFORM storm.make_zone(z, tag); END IF;
  ELSIF r < 35 THEN           -- as PowerDNS replaces an RRset
    DELETE FROM records WHERE domain_id = d AND name = n AND type = t;
    INSERT INTO records (domain_id, name, type, content, ttl, prio, disabled)
      SELECT d, n, t, storm.content(t, tag, i, z), 300 + r, CASE WHEN t <> 'TXT' THEN 10 * i ELSE 0 END, r < 3
        FROM generate_series(1, 1 + r % 3) i;
    PERFORM storm.say(true, 'records', z, k, tag);
  ELSIF r < 45 THEN           -- one record in place
    UPDATE records SET content = storm.content(t, tag, 9, z), ttl = 60 WHERE id =
      (SELECT id FROM records WHERE domain_id = d AND name = n AND type = t ORDER BY id LIMIT 1);
    IF FOUND THEN PERFORM storm.say(true, 'records', z, k, tag); END IF;
  ELSIF r < 53 THEN
    DELETE FROM records WHERE domain_id = d AND name = n AND type = t;
    IF FOUND THEN PERFORM storm.say(false, 'records', z, k, tag); END IF;
  ELSIF r < 61 THEN           -- one record more
    INSERT INTO records (domain_id, name, type, content, ttl, prio) VALUES (d, n, t, storm.content(t, tag, r, z), 120, 0);
    PERFORM storm.say(true, 'records', z, k, tag);
  ELSIF r < 69 THEN
    UPDATE records SET content = format('ns1.%s %s.%s 7 10800 3600 604800 3600', z, tag, z) WHERE domain_id = d AND type = 'SOA';
    IF FOUND THEN PERFORM storm.say(true, 'records', z, jsonb_build_object('name', z, 'type', 'SOA'), tag); END IF;
  ELSIF r < 76 THEN
    DELETE FROM domainmetadata WHERE domain_id = d AND kind = 'ALSO-NOTIFY';
    INSERT INTO domainmetadata (domain_id, kind, content) SELECT d, 'ALSO-NOTIFY', format('%s %s', tag, i) FROM generate_series(1, r % 3) i;
    PERFORM storm.say(r % 3 > 0, 'domainmetadata', z, '{"kind": "ALSO-NOTIFY"}', tag);
  ELSIF r < 79 THEN
    DELETE FROM comments WHERE domain_id = d AND name = n AND type = t;
    INSERT INTO comments (domain_id, name, type, modified_at, comment) VALUES (d, n, t, r, tag);
    PERFORM storm.say(true, 'comments', z, k, tag);
  ELSIF r < 82 THEN           -- a key is told by its content: only its flags can be fought for
    IF random() < 0.3 THEN DELETE FROM cryptokeys WHERE domain_id = d;
    ELSE
      INSERT INTO cryptokeys (domain_id, flags, active, published, content) SELECT d, 257, r = 80, r = 81, 'Private-key-format: v1.2 ' || i
        FROM generate_series(1, 2) i WHERE NOT EXISTS (SELECT FROM cryptokeys c WHERE c.domain_id = d);
      UPDATE cryptokeys SET active = NOT active, published = r = 80 WHERE domain_id = d;
    END IF;
  ELSIF r < 84 THEN
    INSERT INTO tsigkeys (name, algorithm, secret) VALUES ('key' || r, 'hmac-sha256', tag)
      ON CONFLICT (name, algorithm) DO UPDATE SET secret = excluded.secret;
    PERFORM storm.say(true, 'tsigkeys', 'tsigkeys', jsonb_build_object('name', 'key' || r, 'algorithm', 'hmac-sha256'), tag);
  ELSIF r < 86 THEN
    INSERT INTO supermasters VALUES ('192.0.2.1', 'ns' || r || '.example', tag)
      ON CONFLICT (ip, nameserver) DO UPDATE SET account = excluded.account;
    PERFORM storm.say(true, 'supermasters', 'supermasters', jsonb_build_object('ip', '192.0.2.1', 'nameserver', 'ns' || r || '.example'), tag);
  ELSIF r < 88 THEN
    DELETE FROM supermasters WHERE nameserver = 'ns85.example';
    IF FOUND THEN PERFORM storm.say(false, 'supermasters', 'supermasters', '{"ip": "192.0.2.1", "nameserver": "ns85.example"}', tag); END IF;
    DELETE FROM tsigkeys WHERE name = 'key83';
    IF FOUND THEN PERFORM storm.say(false, 'tsigkeys', 'tsigkeys', '{"name": "key83", "algorithm": "hmac-sha256"}', tag); END IF;
  ELSIF r < 90 THEN
    UPDATE domains SET account = tag WHERE id = d;
    IF FOUND THEN PERFORM storm.say(true, 'domains', z, '{}', tag); END IF;
  ELSIF r < 92 THEN
    DELETE FROM domains WHERE id = d;
    IF FOUND THEN PERFORM storm.say(false, 'domains', z, '{}', tag); END IF;
  ELSIF r < 94 THEN           -- and made again in the same transaction
    DELETE FROM domains WHERE id = d;
    IF FOUND THEN PERFORM storm.say(false, 'domains', z, '{}', tag); END IF;
    PERFORM storm.make_zone(z, tag);
  ELSIF r < 95 THEN           -- many at once: the store packs them
    DELETE FROM records WHERE domain_id = d AND type = 'TXT' AND name IN (SELECT 'h' || i || '.' || z FROM generate_series(0, 11) i);
    INSERT INTO records (domain_id, name, type, content, ttl, prio, disabled)
      SELECT d, 'h' || i || '.' || z, 'TXT', storm.content('TXT', tag, i, z), 300 + r, 0, false FROM generate_series(0, 11) i;
    PERFORM storm.say(true, 'records', z, jsonb_build_object('name', 'h' || i || '.' || z, 'type', 'TXT'), tag) FROM generate_series(0, 11) i;
  ELSIF r < 96 THEN           -- what stays local
    UPDATE records SET auth = NOT auth, ordername = tag WHERE domain_id = d AND name = n;
    UPDATE domains SET last_check = r, notified_serial = r WHERE id = d;
  ELSIF r < 98 THEN           -- the same again
    WITH gone AS (DELETE FROM records WHERE domain_id = d AND name = n AND type = t RETURNING *)
    INSERT INTO records (domain_id, name, type, content, ttl, prio, disabled) SELECT domain_id, name, type, content, ttl, prio, disabled FROM gone;
  ELSE                        -- done, and undone
    DELETE FROM records WHERE domain_id = d;
    RAISE foreign_key_violation;
  END IF;
EXCEPTION WHEN foreign_key_violation OR unique_violation THEN NULL;    -- somebody was faster
END $$;
END

my %script = (
    'one@6' => "SELECT storm.act();\n",
    'long@3' => "BEGIN;\nSELECT storm.act();\n\\sleep 8 ms\nSELECT storm.act();\nSELECT storm.act();\nCOMMIT;\n",
    'repeatable@3' => "BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT storm.act();\n\\sleep 3 ms\nSELECT storm.act();\nCOMMIT;\n",
    'serializable@1' => "BEGIN ISOLATION LEVEL SERIALIZABLE;\nSELECT storm.act();\nCOMMIT;\n");

sub prepare
{
    my ($node) = @_;
    (my $sql = $schema) =~ s/\?(ZONES|NAMES)/$1 eq 'ZONES' ? ZONES : NAMES/ge;
    $node->sql($sql);
    $node->sql("SELECT pg_create_logical_replication_slot('history', 'test_decoding')");
    return;
}

sub bench_start
{
    my ($node, $seconds) = @_;
    my @file = map { ('-f', "$ENV{DNSREPL_WORK}/storm-$_") } sort keys %script;
    my $log = "$ENV{DNSREPL_WORK}/pgbench-" . $node->name . '.log';
    my $pid = Dnsrepl::spawn('pgbench', $log, 'pgbench', '-n', '-c', CLIENTS, '-j', 1, '-R', RATE, '-T', int($seconds) || 1,
        '--max-tries=0', @file, '-h', $node->cluster->host, '-p', $node->port, $node->db);
    return { pid => $pid, log => $log };
}

sub bench_ended
{
    my ($bench) = @_;
    return 1 if $bench->{ended};
    return 0 if waitpid($bench->{pid}, POSIX::WNOHANG()) != $bench->{pid};
    $bench->{status} = $?;
    Dnsrepl::finish(delete $bench->{pid});
    return $bench->{ended} = 1;
}

# ---------------------------------------------------------------- faults

sub fault
{
    my ($nodes, $crashes) = @_;
    my $i = int rand @$nodes;
    my ($from, @to) = @$nodes[ map { ($i + $_) % @$nodes } 0 .. $#$nodes ];
    my $one = $to[ int rand @to ];
    my @fault = (
        [ cut => sub { $from->cut($one) } ], [ isolate => sub { $from->cut(@to) } ],
        [ one_way => sub { Dnsrepl::finish(delete $from->{link}{ $one->name }{pid}) } ],
        [ freeze => sub { $from->heal($one); $from->freeze($one) } ],
        [ kill_receiver => sub { $from->try("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'dnsrepl_link'") } ],
        [ kill_link => sub { $from->try("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'dnsrepl link'") } ],
        [ pause => sub { $from->try("SELECT dnsrepl.pause('" . $one->name . "')") } ],
        $crashes ? ([ crash => sub { $from->cluster->stop('immediate'); $from->cluster->start } ]) x 3 : ());
    my $chosen = $fault[ int rand @fault ];
    $chosen->[1]->();
    return $chosen->[0];
}

sub heal
{
    my @node = @_;
    for my $i (0 .. $#node) { $node[$i]->heal(@node[ $i + 1 .. $#node ]) if $i < $#node }
    $_->try('SELECT dnsrepl.resume(name) FROM dnsrepl.peer WHERE paused') for @node;
    return;
}

sub storm
{
    my ($node, $seconds, $crashes) = @_;
    my $end = time + $seconds;
    my @bench = map { bench_start($_, $seconds) } @$node;
    my @old;
    my %count;
    my $healed = time;
    while (time < $end - 1)
    {
        sleep 0.1 + rand 0.8;
        $count{ fault($node, $crashes) }++;
        if (time > $healed + 2) { heal(@$node); $healed = time }
        for my $i (0 .. $#bench)
        {
            next if !$crashes || !bench_ended($bench[$i]) || $end - time < 2;
            push @old, $bench[$i];
            $bench[$i] = bench_start($node->[$i], $end - time);
        }
    }
    heal(@$node);
    note(join ', ', map { "$_ $count{$_}" } sort keys %count);
    for my $i (0 .. $#bench)
    {
        my $ended = Dnsrepl::wait_until(sub { bench_ended($bench[$i]) });
        my $log = PostgreSQL::Test::Utils::slurp_file($bench[$i]{log});
        ok($ended && ($crashes || $bench[$i]{status} == 0 && $log !~ /aborted/), $node->[$i]->name . ': the clients ended well') or diag($log);
        note("$1 transactions, $2 retried") if $log =~ /processed: (\d+).*?retried: (\d+)/s;
    }
    return;
}

# ---------------------------------------------------------------- the checks

# Every version a node's own transactions have committed, from its WAL.
sub read_history
{
    my ($node) = @_;
    $node->sql(<<'END');
CREATE TABLE storm.written AS
WITH row AS MATERIALIZED (             -- table dnsrepl.version_store: INSERT: stamp[bigint]:1 low[bigint]:1 ... key[bytea]:'\x00' ...
  SELECT xid::text::bigint AS xid, row_number() OVER () AS no, data
    FROM pg_logical_slot_get_changes('history', NULL, NULL, 'include-xids', '0', 'skip-empty-xacts', '1')
   WHERE data ~ '^table dnsrepl\.version_store: (INSERT|UPDATE): '),
value AS MATERIALIZED (
  SELECT xid, no, substring(data FROM ' stamp\[bigint\]:(\d+)')::bigint AS stamp, substring(data FROM ' zone\[integer\]:(\d+)')::int AS zone,
         substring(data FROM ' origin\[integer\]:(\d+)')::int AS origin, substring(data FROM ' key\[bytea\]:''([^'']*)')::bytea AS key,
         substring(data FROM ' image\[bytea\]:''([^'']*)')::bytea AS image, substring(data FROM ' more\[bytea\]:''([^'']*)')::bytea AS more
    FROM row),
own AS MATERIALIZED (                  -- a row may be written again, when a unit leaves its pack: the first time is meant
  SELECT DISTINCT ON (v.zone, u.key, v.origin, v.stamp, u.image) v.xid, v.stamp, v.zone, v.origin, u.key, u.image
    FROM value v CROSS JOIN LATERAL dnsrepl.pack_units(v.key, v.image, v.more) u
   WHERE v.origin IN (SELECT no FROM dnsrepl.origin WHERE own)
   ORDER BY v.zone, u.key, v.origin, v.stamp, u.image, v.no)
SELECT w.*, coalesce(z.name::text, t.name) AS zone_name, t.name AS tab, dnsrepl.key_columns(w.key) AS columns, dnsrepl.image_rows(w.key, w.image)::text AS rows
  FROM own w JOIN dnsrepl.zone z ON z.no = w.zone JOIN dnsrepl.tab t ON t.no = get_byte(w.key, 0) * 256 + get_byte(w.key, 1);
CREATE INDEX ON storm.written (xid);
CREATE INDEX ON storm.log (xid);
ANALYZE storm.written, storm.log;
END
    return;
}

# What clients logged and no version of that transaction shows: the last they did to a unit in it.
sub unwritten
{
    my ($node) = @_;
    return $node->sql(<<'END');
SELECT l.* FROM storm.log l
 WHERE l.put
   AND NOT EXISTS (SELECT FROM storm.log n WHERE n.xid = l.xid AND n.no > l.no AND n.zone = l.zone
         AND (n.tab = l.tab AND n.key = l.key OR n.tab = 'domains' AND NOT n.put))
   AND NOT EXISTS (SELECT FROM storm.written w WHERE w.xid = l.xid AND w.zone_name = l.zone AND w.tab = l.tab AND w.columns = l.key
         AND position(l.tag IN w.rows) > 0)
 LIMIT 20
END
}

sub written
{
    my ($node) = @_;
    return $node->sql(<<'END');
SELECT w.zone_name || ' ' || encode(w.key, 'hex'), w.stamp, o.id, md5(w.image), w.rows IS NULL OR NOT dnsrepl.version_lives(w.key, w.image, z.live)
  FROM storm.written w JOIN dnsrepl.origin o ON o.no = w.origin LEFT JOIN dnsrepl.zone z ON z.no = w.zone
END
}

my $zone_name = 'coalesce(z.name::text, (SELECT t.name FROM dnsrepl.tab t WHERE t.no = z.tab))';

# The store in words that mean the same everywhere.
sub stored
{
    my ($node) = @_;
    return $node->sql(<<"END");
SELECT $zone_name || ' ' || encode(v.key, 'hex') AS unit, v.stamp, o.id, md5(v.image), v.seen
  FROM dnsrepl.stored_version v JOIN dnsrepl.zone z ON z.no = v.zone JOIN dnsrepl.origin o ON o.no = v.origin
 ORDER BY 1, v.stamp, o.id
END
}

# Winners of the store that are not what the tables serve, and the other way round. SQL of its own: no function of the
# projection is used here.
sub misserved
{
    my ($node) = @_;
    return $node->sql(<<'END');
WITH lives AS (
  SELECT v.* FROM dnsrepl.stored_version v JOIN dnsrepl.zone z ON z.no = v.zone
   WHERE substr(v.key, 1, 2) <> '\x0009' AND (z.name IS NULL OR dnsrepl.version_lives(v.key, v.image, z.live))),
last AS (
  SELECT DISTINCT ON (v.zone, v.key) v.* FROM lives v JOIN dnsrepl.origin o ON o.no = v.origin ORDER BY v.zone, v.key, v.stamp DESC, o.id DESC),
-- of a key that two have edited at once: active, and published, if it is for one of them
flags AS (
  SELECT v.zone, v.key, jsonb_build_object('active', bool_or((r.value ->> 'active')::bool), 'published', bool_or((r.value ->> 'published')::bool)) AS flags
    FROM lives v, dnsrepl.image_rows(v.key, v.image) i (rows), jsonb_array_elements(i.rows) r
   WHERE r.value ? 'active' AND r.value ? 'published' GROUP BY v.zone, v.key),
winner AS (
  SELECT t.name AS tab, z.name AS zone, r.rows, (SELECT f.flags FROM flags f WHERE t.name = 'cryptokeys' AND f.zone = v.zone AND f.key = v.key) AS flags,
         dnsrepl.key_columns(v.key) || CASE WHEN t.name = 'cryptokeys' THEN jsonb_build_object('content', r.rows -> 0 -> 'content') ELSE '{}' END AS key
    FROM last v JOIN dnsrepl.zone z ON z.no = v.zone JOIN dnsrepl.tab t ON t.no = get_byte(v.key, 0) * 256 + get_byte(v.key, 1),
         dnsrepl.image_rows(v.key, v.image) r (rows)),
expected AS (
  SELECT w.tab, w.zone::text AS zone, w.key, r.value || coalesce(w.flags, '{}') AS row FROM winner w CROSS JOIN LATERAL jsonb_array_elements(w.rows) r
   WHERE w.zone IS NULL OR EXISTS (SELECT FROM winner d WHERE d.tab = 'domains' AND d.zone = w.zone AND d.rows IS NOT NULL)),
served AS (
  SELECT 'domains' AS tab, name::text AS zone, '{}'::jsonb AS key, jsonb_build_object('type', type, 'master', master, 'account', account, 'options', options, 'catalog', catalog) AS row FROM domains
  UNION ALL SELECT 'records', d.name::text, jsonb_build_object('name', r.name, 'type', r.type), jsonb_build_object('content', CASE r.type WHEN 'SOA' THEN regexp_replace(r.content, '^(\S+ \S+) \d+', '\1 0') ELSE r.content END, 'ttl', r.ttl, 'prio', r.prio, 'disabled', r.disabled)
    FROM records r LEFT JOIN domains d ON d.id = r.domain_id WHERE r.type IS NOT NULL
  UNION ALL SELECT 'domainmetadata', d.name::text, jsonb_build_object('kind', m.kind), jsonb_build_object('content', m.content) FROM domainmetadata m LEFT JOIN domains d ON d.id = m.domain_id
  UNION ALL SELECT 'cryptokeys', d.name::text, jsonb_build_object('flags', k.flags, 'content', k.content), jsonb_build_object('active', k.active, 'published', k.published, 'content', k.content)
    FROM cryptokeys k LEFT JOIN domains d ON d.id = k.domain_id
  UNION ALL SELECT 'comments', d.name::text, jsonb_build_object('name', c.name, 'type', c.type), jsonb_build_object('modified_at', c.modified_at, 'account', c.account, 'comment', c.comment)
    FROM comments c LEFT JOIN domains d ON d.id = c.domain_id
  UNION ALL SELECT 'tsigkeys', NULL, jsonb_build_object('name', name, 'algorithm', algorithm), jsonb_build_object('secret', secret) FROM tsigkeys
  UNION ALL SELECT 'supermasters', NULL, jsonb_build_object('ip', ip, 'nameserver', nameserver), jsonb_build_object('account', account) FROM supermasters)
SELECT 'lacks', * FROM (TABLE expected EXCEPT ALL TABLE served) a
UNION ALL SELECT 'should not have', * FROM (TABLE served EXCEPT ALL TABLE expected) b
LIMIT 40
END
}

sub check_history
{
    my ($collected, @node) = @_;
    my (%best, %known, $writes);
    for my $node (@node)
    {
        read_history($node);
        is(unwritten($node), '', $node->name . ': whatever a client committed is a version');
        for (split /\n/, written($node))
        {
            my ($unit, $stamp, $origin, $image, $gone) = split /\|/;
            $writes++;
            $known{"$unit|$stamp|$origin|$image"}++;
            my $b = $best{$unit};
            $best{$unit} = { stamp => $stamp, origin => $origin, image => $image, gone => $collected && $gone eq 't' }
                if !$b || $stamp > $b->{stamp} || $stamp == $b->{stamp} && $origin gt $b->{origin};
        }
    }
    note("$writes versions committed of " . keys(%best) . ' units');
    my (@lost, @strange, %held, $siblings);
    for (split /\n/, stored($node[0]))
    {
        my ($unit, $stamp, $origin, $image) = split /\|/;
        push @strange, $_ if $unit !~ /^member | 7fff$/ && !$known{"$unit|$stamp|$origin|$image"};
        $siblings++ if $held{$unit};
        push @{ $held{$unit} }, "$stamp|$origin|$image";
    }
    for my $unit (sort keys %best)
    {
        my $b = $best{$unit};
        push @lost, "$unit: $b->{stamp} of $b->{origin}, but there is " . join ', ', @{ $held{$unit} // [] }
            if !$b->{gone} && !grep { $_ eq "$b->{stamp}|$b->{origin}|$b->{image}" } @{ $held{$unit} // [] };
    }
    note(($siblings // 0) . ' conflicts at the end');
    is(join("\n", grep { defined } @lost[ 0 .. 19 ]), '', 'the last write of every unit is there');
    is(join("\n", grep { defined } @strange[ 0 .. 19 ]), '', 'the store has nothing that was not committed by its origin');
    return $writes;
}

sub run
{
    my ($class, %option) = @_;
    my $seed = $option{seed} // int rand 1_000_000;
    plan skip_all => 'pgbench before 15 does not retry' if qx(pgbench --version) =~ /\) 1[0-4]\b/;
    note("seed $seed");
    srand $seed;
    my %offset = (seattle => 0, tacoma => 300, spokane => -300);    # ms: clocks differ
    my $collect = $option{collect} ? "dnsrepl.tombstone_retention = '1s'\n" : '';
    my @node = map { Dnsrepl->new($_, conf => "$conf$collect\ndnsrepl.clock_offset = '$offset{$_}ms'\n" . ($option{conf} // '')) }
        qw(seattle tacoma spokane);
    prepare($_) for @node;
    for my $file (keys %script)
    {
        (my $name = $file) =~ s/@.*//;
        PostgreSQL::Test::Utils::append_to_file("$ENV{DNSREPL_WORK}/storm-$name", $script{$file});
    }
    for my $i (0 .. $#node) { $node[$i]->peer($node[ ($i + 1) % 3 ]) }
    $node[0]->sql("SELECT storm.make_zone('z' || i || '.example', 'first') FROM generate_series(0, " . (ZONES - 1) . ') i');
    ok(Dnsrepl::same(@node), 'all start alike');

    storm(\@node, $option{seconds}, $option{crashes});
    for my $node (@node)
    {
        ok($node->poll("SELECT count(*) FROM dnsrepl.status WHERE state <> 'streaming'", 0), $node->name . ': all links are up');
        ok($node->wait_for_peers, $node->name . ': the peers confirm');
    }
    ok(Dnsrepl::same(@node), 'all serve the same after the storm');
    my $stored;
    ok(Dnsrepl::wait_until(sub {
        my ($first, @other) = map { stored($_) } @node;
        $stored = $first;
        return !grep { $_ ne $first } @other;
    }), 'and hold the same versions');
    unlike($stored, qr/\|f$/m, 'all of them projected');
    if ($option{collect})
    {
        ok($_->poll('SELECT collected > 0 FROM dnsrepl.self_check'), $_->name . ' has collected deletions') for @node;
        note($_->name . ': ' . $_->sql('SELECT s FROM dnsrepl.self_check s')) for @node;
    }
    for my $node (@node)
    {
        is($node->sql('SELECT * FROM dnsrepl.problem'), '', $node->name . ': nothing is parked');
        is($node->sql('SELECT damages, differences FROM dnsrepl.self_check'), '0|0', $node->name . ' has found nothing wrong with itself')
            or diag(join "\n", grep { /units of|changed behind/ } split /\n/, $node->log);
        is($node->sql('SELECT count(*) FROM dnsrepl.staging'), '0', $node->name . ': nothing is staged');
        is(misserved($node), '', $node->name . ': serves the winners, and nothing else');
    }
    is($_->sql(q(SELECT zone, tab, key, problem FROM dnsrepl.check_store())), '', $_->name . ': the tables are what the store has') for @node;
    my $zones = sub { $_[0]->sql("SELECT string_agg(concat_ws(' ', name, serial, dnames, (SELECT string_agg(o.id || ' ' || z.live[2 * i], ',' ORDER BY z.live[2 * i]) FROM dnsrepl.origin o, generate_series(1, cardinality(z.live) / 2) i WHERE o.no = z.live[2 * i - 1])), E'\\n' ORDER BY name) FROM dnsrepl.zone z WHERE live IS NOT NULL") };
    is($zones->($_), $zones->($node[0]), $_->name . ': the same serials and incarnations') for @node[ 1, 2 ];
    my $writes = check_history($option{collect}, @node);
    cmp_ok($writes, '>', $option{seconds} * RATE / 2, 'the clients were busy');
    for my $node (@node)
    {
        $node->cluster->stop;
        unlike($node->log, qr/PANIC|TRAP:|terminated by signal/, $node->name . ': no crash');
    }
    return;
}

1;
