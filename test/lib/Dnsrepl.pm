# Nodes for the tests: a PostgreSQL server, a database of it with dnsrepl set up, links that can be cut, and a real
# PowerDNS server on it. Everything made here ends with the test.
#
#   use Dnsrepl;
#   use Test::More;
#   my ($a, $b) = map { Dnsrepl->new($_) } qw(seattle tacoma);
#   $a->peer($b);                              # both ways, each over a link that can be cut
#   $a->sql("INSERT INTO domains (name, type) VALUES ('example.org', 'NATIVE')");
#   ok(Dnsrepl::same($a, $b), 'both serve the same');
#   $a->cut($b); ...; $a->heal($b);
#   $a->dns_start;  is($a->dig('www.example.org', 'A'), '192.0.2.1');
#
# Every wait has a bound (Dnsrepl::TIMEOUT seconds) and asks again; none just sleeps.
package Dnsrepl;

use strict;
use warnings;

use Carp;
use HTTP::Tiny;
use IO::Socket::INET;
use IPC::Run ();
use JSON::PP ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils ();
use Test::More;
use Time::HiRes qw(sleep time);

use constant TIMEOUT => $ENV{DNSREPL_TEST_TIMEOUT} // 60;
use constant PLAIN => ($ENV{OWNER} // '') eq 'plain';

# Each test has a folder of its own for its files; all go at the end, those of a failure are kept in test_output/.
BEGIN
{
    my ($test) = $0 =~ m{([^/]+?)(?:\.pl)?$};
    if (my $work = $ENV{DNSREPL_WORK})
    {
        $ENV{DNSREPL_WORK} = "$work/$test";
        mkdir $ENV{DNSREPL_WORK};
    }
}

my %child;       # pid => what it is: forwarders and DNS servers
my $key = 'test-key';

# What a server needs to find the extension under tmp_install and to let loopback in.
sub server_settings
{
    my $root = $ENV{DNSREPL_ROOT} or die 'run the tests by "make test"';
    my $stage = "$root/tmp_install";
    my ($sharedir, $libdir, $version) =
        map { chomp(my $line = qx($ENV{PG_CONFIG} --$_)); $line } qw(sharedir pkglibdir version);
    my ($major) = $version =~ /(\d+)/;
    my $where = $major >= 18
        ? "extension_control_path = '$stage$sharedir:\$system'"
        : "extension_destdir = '$stage'";
    return <<"END";
$where
dynamic_library_path = '$stage$libdir:\$libdir'
shared_preload_libraries = 'dnsrepl'
listen_addresses = '127.0.0.1'
max_prepared_transactions = 4
max_worker_processes = 32
max_connections = 60
shared_buffers = 32MB
log_statement = none
log_min_messages = info
END
}

# A bare server with dnsrepl preloaded: for those that make their databases themselves.
#   databases => the setting;  conf => more lines
sub server
{
    my ($class, $name, %option) = @_;
    my $server = PostgreSQL::Test::Cluster->new($name);
    $server->init(extra => [ '--locale=C.UTF-8', '--encoding=UTF8' ]);
    PostgreSQL::Test::Utils::append_to_file($server->data_dir . '/postgresql.conf',
        server_settings() . "dnsrepl.databases = '" . ($option{databases} // 'pdns') . "'\n" . ($option{conf} // '') . "\n");
    open my $hba, '>', $server->data_dir . '/pg_hba.conf' or die $!;
    print $hba "local all all trust\nlocal replication all trust\nhost all all 127.0.0.1/32 trust\n";
    close $hba;
    $server->start;
    plain_owner($server) if PLAIN;
    return $server;
}

# With OWNER=plain PowerDNS's tables belong to role pdns, which is no superuser and may do nothing else, in whatever way they
# come to be; PowerDNS logs in as that role. What sees to it lies in template1, and is no part of a dump.
sub plain_owner
{
    my ($server) = @_;
    $server->safe_psql('template1', <<'END');
CREATE ROLE pdns LOGIN;
CREATE SCHEMA plain_owner;
CREATE FUNCTION plain_owner.give() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    t regclass;
    s regnamespace;
BEGIN
    FOR t, s IN SELECT c.oid, c.relnamespace FROM pg_event_trigger_ddl_commands() d JOIN pg_class c ON c.oid = d.objid JOIN pg_roles r ON r.oid = c.relowner
              WHERE d.classid = 'pg_class'::regclass AND c.relkind = 'r' AND c.relpersistence = 'p' AND r.rolsuper
                AND c.relname IN ('domains', 'records', 'domainmetadata', 'cryptokeys', 'comments', 'tsigkeys', 'supermasters') LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO pdns', t);
        EXECUTE format('GRANT USAGE ON SCHEMA %s TO pdns', s);
    END LOOP;
END $$;
CREATE EVENT TRIGGER plain_owner ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION plain_owner.give();
ALTER EXTENSION plpgsql ADD SCHEMA plain_owner;
ALTER EXTENSION plpgsql ADD FUNCTION plain_owner.give();
ALTER EXTENSION plpgsql ADD EVENT TRIGGER plain_owner;
END
    return;
}

# A node, ready.  server => another node: a second database there;  db => its name;  schema => adopt what is in there;
# setup => 0: only the database and the extension;  conf, databases: as for server()
sub new
{
    my ($class, $name, %option) = @_;
    my $self = bless { name => $name, db => $option{db} // 'pdns', link => {} }, $class;
    $self->{server} = $option{server} ? $option{server}{server} : $class->server($name, %option);
    $self->{server}->safe_psql('postgres', "CREATE DATABASE $self->{db}");
    $self->sql($option{before}) if $option{before};
    $self->sql('CREATE EXTENSION dnsrepl');
    $self->sql("SELECT dnsrepl.setup('$name')") if $option{setup} // 1;
    return $self;
}

sub name { return $_[0]{name} }
sub db { return $_[0]{db} }
sub cluster { return $_[0]{server} }
sub port { return $_[0]{server}->port }
sub log { return PostgreSQL::Test::Utils::slurp_file($_[0]{server}->logfile) }

# Runs SQL and dies with the message if it fails; the result as psql -At prints it.
sub sql
{
    my ($self, $sql, %option) = @_;
    return $self->{server}->safe_psql($self->{db}, $sql, %option);
}

# Runs SQL that may fail: (exit status, output, error text).
sub try
{
    my ($self, $sql, %option) = @_;
    my ($out, $err);
    my $status = $self->{server}->psql($self->{db}, $sql, stdout => \$out, stderr => \$err, on_error_stop => 1,
        timeout => TIMEOUT, %option);
    return ($status, $out, $err);
}

# A session that stays open: ->query_safe(sql), ->quit. (PostgreSQL::Test::BackgroundPsql)
sub session { return $_[0]{server}->background_psql($_[0]{db}, on_error_stop => 1, timeout => TIMEOUT) }

# ---------------------------------------------------------------- waiting

# Calls the code until it returns true; its last value. No failure of the test by itself.
sub wait_until
{
    my ($code, $timeout) = @_;
    my $end = time + ($timeout // TIMEOUT);
    my $value;
    until ($value = $code->())
    {
        return $value if time > $end;
        sleep 0.02;
    }
    return $value;
}

# Waits until the query answers so. ("t" unless told)
sub poll
{
    my ($self, $sql, $want, $timeout) = @_;
    $want //= 't';
    my $got;
    my $found = wait_until(sub { (undef, $got) = $self->try($sql); defined $got && $got eq $want }, $timeout);
    diag("$self->{name}: \"$sql\" is \"" . ($got // '') . "\", not \"$want\"") if !$found;
    return $found;
}

# Waits until there is no problem; says which, if there still is one.
sub no_problem { return $_[0]->poll(q(SELECT string_agg(concat_ws(': ', zone, error), '; ') FROM dnsrepl.problem), '') }

sub wait_for_peers
{
    my ($self, $timeout) = @_;
    $timeout //= TIMEOUT;
    return $self->sql("SELECT dnsrepl.wait_for_peers('$timeout s')") eq 't';
}

# Each version of this node in a row of its own, so that a test can damage just one.
sub unpack_store
{
    my ($self) = @_;
    return $self->sql(<<'END');
WITH pack AS (DELETE FROM dnsrepl.version_store WHERE more IS NOT NULL RETURNING *)
INSERT INTO dnsrepl.version_store (stamp, low, era, zone, origin, seen, key, image, over)
  SELECT p.stamp, p.low, p.era, p.zone, p.origin, p.seen, u.key, u.image, p.over FROM pack p, dnsrepl.pack_units(p.key, p.image, p.more) u
END
}

# Waits until these nodes hold and serve the same: equal digests, then equal rows.
sub same
{
    my @node = @_;
    my @digest;
    my $equal = wait_until(sub {
        @digest = map { ($_->try('SELECT dnsrepl.digest()'))[1] // 'down' } @node;
        return !grep { $_ ne $digest[0] || $_ eq 'down' } @digest;
    });
    if (!$equal)
    {
        diag("digest of $node[$_]{name}: $digest[$_]") for 0 .. $#node;
        $_->diag_status for @node;
        return 0 if grep { $_ eq 'down' } @digest;
    }
    my @rows = map { $_->serving } @node;
    for my $i (1 .. $#node)
    {
        next if $rows[$i] eq $rows[0];
        diag("$node[0]{name} and $node[$i]{name} serve different rows");
        diag(difference($rows[0], $rows[$i]));
        return 0;
    }
    return $equal;
}

# What a node serves, without what is local: one row a line, sorted.
sub serving
{
    my ($self) = @_;
    return $self->sql(<<'END');
SELECT line FROM (
  SELECT format('domain %s %s %s %s %s %s', name, type, master, account, options, catalog) FROM domains
  UNION ALL SELECT format('record %s %s %s %s %s %s %s', d.name, r.name, r.type, r.ttl, r.prio, r.disabled, r.content)
    FROM records r LEFT JOIN domains d ON d.id = r.domain_id WHERE r.type IS NOT NULL
  UNION ALL SELECT format('metadata %s %s %s', d.name, m.kind, m.content) FROM domainmetadata m LEFT JOIN domains d ON d.id = m.domain_id
  UNION ALL SELECT format('key %s %s %s %s %s', d.name, k.flags, k.active, k.published, k.content) FROM cryptokeys k LEFT JOIN domains d ON d.id = k.domain_id
  UNION ALL SELECT format('comment %s %s %s %s %s', d.name, c.name, c.type, c.account, c.comment) FROM comments c LEFT JOIN domains d ON d.id = c.domain_id
  UNION ALL SELECT format('tsigkey %s %s %s', name, algorithm, secret) FROM tsigkeys
  UNION ALL SELECT format('supermaster %s %s %s', ip, nameserver, account) FROM supermasters
) s (line) ORDER BY line COLLATE "C"
END
}

sub difference
{
    my ($left, $right) = @_;
    my (%count, @out);
    $count{$_}++ for split /\n/, $left;
    $count{$_}-- for split /\n/, $right;
    push @out, ($count{$_} > 0 ? '- ' : '+ ') . $_ for grep { $count{$_} } sort keys %count;
    my $more = @out > 40 ? @out - 40 : 0;
    return join("\n", @out[ 0 .. ($more ? 39 : $#out) ], $more ? "and $more more" : ());
}

sub diag_status
{
    my ($self) = @_;
    my (undef, $out) = $self->try('SELECT * FROM dnsrepl.status');
    diag("$self->{name}: " . ($out // 'no status'));
}

# ---------------------------------------------------------------- links

# Makes two nodes peers. one_way => 1: only this one opens a link.
sub peer
{
    my ($self, $other, %option) = @_;
    $self->connect_to($other);
    $other->connect_to($self) if !$option{one_way};
    return;
}

sub connect_to
{
    my ($self, $other) = @_;
    my $conninfo = $self->conninfo_to($other);
    $self->sql("SELECT dnsrepl.add_peer('$other->{name}', '$conninfo')");
    return;
}

# The connection string by which this node reaches the other: through its own forwarder.
sub conninfo_to
{
    my ($self, $other) = @_;
    if (!$self->{link}{ $other->{name} })
    {
        $self->{link}{ $other->{name} } = { port => free_port(), to => $other->port };
        $self->forward($other);
    }
    return "host=127.0.0.1 port=$self->{link}{$other->{name}}{port} dbname=$other->{db} user=dnsrepl_link";
}

sub forward
{
    my ($self, $other) = @_;
    my $link = $self->{link}{ $other->{name} };
    return if $link->{pid};
    $link->{pid} = spawn('forwarder', undef, $^X, "$ENV{DNSREPL_ROOT}/test/lib/forward.pl", $link->{port}, $link->{to});
    listening($link->{port}) or die "no forwarder on port $link->{port}";
    return;
}

# The links between two nodes (or between this one and all others it has links with): broken, dead, whole again.
sub each_link
{
    my ($self, $other, $code) = @_;
    $code->($self, $other->{name}) if $self->{link}{ $other->{name} };
    $code->($other, $self->{name}) if $other->{link}{ $self->{name} };
    return;
}

sub cut
{
    my ($self, @other) = @_;
    for my $other (@other)
    {
        $self->each_link($other, sub { finish(delete $_[0]{link}{ $_[1] }{pid}) });
    }
    return;
}

sub freeze
{
    my ($self, @other) = @_;
    for my $other (@other)
    {
        $self->each_link($other, sub { my $pid = $_[0]{link}{ $_[1] }{pid}; kill 'STOP', $pid if $pid });
    }
    return;
}

sub heal
{
    my ($self, @other) = @_;
    for my $other (@other)
    {
        $self->each_link($other, sub {
            my ($node, $name) = @_;
            if ($node->{link}{$name}{pid}) { kill 'CONT', $node->{link}{$name}{pid} }
            else { $node->forward($name eq $other->{name} ? $other : $self) }
        });
    }
    return;
}

# ---------------------------------------------------------------- DNS

# Whom PowerDNS logs in as.
sub dns_user { return PLAIN ? 'pdns' : $ENV{USER} }

# Starts PowerDNS on this node's database, with its HTTP API, without caches; stops it. More lines for its configuration may be given.
sub dns_start
{
    my ($self, @more) = @_;
    return if $self->{dns};
    my $dir = PostgreSQL::Test::Utils::tempdir("pdns_$self->{name}");
    $self->{dns_dir} = $dir;
    $self->{dns_port} //= free_port();
    $self->{api_port} //= free_port();
    my $host = $self->{server}->host;
    my $port = $self->port;
    my $user = dns_user();
    open my $conf, '>', "$dir/pdns.conf" or die $!;
    print $conf "$_\n" for @more;
    print $conf <<"END";
launch=gpgsql
gpgsql-host=$host
gpgsql-port=$port
gpgsql-dbname=$self->{db}
gpgsql-user=$user
gpgsql-dnssec=yes
local-address=127.0.0.1
local-port=$self->{dns_port}
api=yes
api-key=$key
webserver=yes
webserver-address=127.0.0.1
webserver-port=$self->{api_port}
webserver-allow-from=127.0.0.0/8
socket-dir=$dir
cache-ttl=0
query-cache-ttl=0
negquery-cache-ttl=0
zone-cache-refresh-interval=0
zone-metadata-cache-ttl=0
domain-metadata-cache-ttl=0
dnssec-key-cache-ttl=0
dnsupdate=yes
allow-dnsupdate-from=127.0.0.0/8
security-poll-suffix=
distributor-threads=2
write-pid=no
disable-syslog=yes
END
    close $conf;
    $self->{dns} = spawn('pdns_server', "$dir/pdns.log", 'pdns_server', "--config-dir=$dir", '--daemon=no', '--guardian=no');
    listening($self->{api_port}) or die "no pdns_server of $self->{name}: " . PostgreSQL::Test::Utils::slurp_file("$dir/pdns.log");
    return;
}

sub dns_stop
{
    my ($self) = @_;
    finish(delete $self->{dns}) if $self->{dns};
    return;
}

# The answer to a question: rdata as dig +short prints it, lines sorted.
sub dig
{
    my ($self, $name, $type, @option) = @_;
    my ($out, $err);
    IPC::Run::run([ 'dig', '+short', '+time=2', '+tries=2', '-p', $self->{dns_port}, @option, '@127.0.0.1', $name, $type ],
        '>', \$out, '2>', \$err);
    return join "\n", sort split /\n/, $out;
}

# Calls PowerDNS's API: (status, decoded body).  $node->api(PATCH => '/zones/example.org.', { rrsets => [ ... ] })
sub api
{
    my ($self, $method, $path, $body) = @_;
    my $reply = HTTP::Tiny->new(timeout => TIMEOUT)->request($method,
        "http://127.0.0.1:$self->{api_port}/api/v1/servers/localhost$path",
        { headers => { 'X-API-Key' => $key, 'Content-Type' => 'application/json', Accept => 'application/json' },
          defined $body ? (content => JSON::PP::encode_json($body)) : () });
    my $data = eval { JSON::PP->new->allow_nonref->decode($reply->{content}) } // $reply->{content};
    return ($reply->{status}, $data);
}

# pdnsutil on this node's database (dns_start first): (exit status, all it printed).
sub pdnsutil
{
    my ($self, @argument) = @_;
    my $out;
    IPC::Run::run([ 'pdnsutil', "--config-dir=$self->{dns_dir}", @argument ], '>', \$out, '2>&1');
    return ($? >> 8, $out);
}

# ---------------------------------------------------------------- processes

sub free_port { return PostgreSQL::Test::Cluster::get_free_port() }

# An address of this machine that is not loopback; undef if there is none. (pg_hba.conf calls it samehost)
sub address_elsewhere
{
    my ($found) = grep { /^\d+\.\d+\.\d+\.\d+$/ && !/^127\./ } split ' ', qx(hostname -I 2>/dev/null);
    return $found;
}

sub spawn
{
    my ($what, $log, @command) = @_;
    my $pid = fork // die "fork: $!";
    if (!$pid)
    {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', $log // '/dev/null';
        open STDERR, '>&', \*STDOUT;
        exec @command or POSIX::_exit(127);
    }
    $child{$pid} = $what;
    return $pid;
}

sub finish
{
    my ($pid) = @_;
    return if !$pid || !delete $child{$pid};
    kill 'CONT', $pid;
    kill 'TERM', $pid;
    my $gone = wait_until(sub { waitpid($pid, POSIX::WNOHANG()) }, 10);
    if (!$gone) { kill 'KILL', $pid; waitpid $pid, 0 }
    return;
}

sub listening
{
    my ($port) = @_;
    return wait_until(sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) }, 30);
}

use POSIX ();
$ENV{USER} //= getpwuid($<);
# A child that is told to end before it has become another program must not run what ends this one: that stops the servers.
my $main = $$;
$SIG{TERM} = $SIG{INT} = sub { POSIX::_exit(1) if $$ != $main; die "stopped by a signal\n" };
$SIG{__DIE__} = sub { diag($_[0]) if defined $^S && !$^S };    # to the screen too, not to the log alone
END
{
    my $status = $?;
    finish($_) for keys %child;
    $? = $status;
}

1;
