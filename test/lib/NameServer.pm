package NameServer;

# Ordinary DNS servers, on 127.0.0.1, each in a directory of its own: BIND's named and Knot's knotd.
#   my $bind = NameServer->bind('name', zones => { 'example.org' => { primary => ..., update => 1, file => $text, options => '...' } },
#       key => [ name, algorithm, secret ]);
# A zone with `primary` (a port) is a secondary's; one with `update` takes UPDATE and AXFR from who has the key; `options` are
# lines in the server's own language.

use strict;
use warnings;
use Cwd ();
use Dnsrepl;
use File::Copy ();
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

sub _new
{
    my ($class, $kind, $name, %option) = @_;
    my $self = bless { kind => $kind, name => $name, port => Dnsrepl::free_port(), dir => Cwd::abs_path(PostgreSQL::Test::Utils::tempdir($name)), zones => {}, %option }, $class;
    mkdir "$self->{dir}/db";    # Knot's journals
    $self->configure(%{ $self->{zones} });
    $self->start;
    return $self;
}

sub bind { return _new($_[0], 'bind', @_[ 1 .. $#_ ]) }
sub knot { return _new($_[0], 'knot', @_[ 1 .. $#_ ]) }

sub name { return $_[0]{name} }
sub port { return $_[0]{port} }

# Writes the configuration, and the files of zones that have none yet.
sub configure
{
    my ($self, %zone) = @_;
    $self->{zones} = \%zone;
    for my $zone (keys %zone)
    {
        my $file = "$self->{dir}/$zone.zone";
        next if $zone{$zone}{primary} || -e $file;
        PostgreSQL::Test::Utils::append_to_file($file, $zone{$zone}{file} // empty_zone($zone));
    }
    my $file = "$self->{dir}/conf";
    unlink $file;
    PostgreSQL::Test::Utils::append_to_file($file, $self->{kind} eq 'bind' ? $self->_named : $self->_knotd);
    return;
}

sub empty_zone
{
    my ($zone) = @_;
    return "\$ORIGIN $zone.\n\@ 300 IN SOA ns.invalid. hostmaster.invalid. 1 3600 600 604800 300\n\@ 300 IN NS ns.invalid.\n";
}

sub _named
{
    my ($self) = @_;
    my ($dir, $port) = @$self{qw(dir port)};
    my $control = $self->{control} //= Dnsrepl::free_port();
    my $key = $self->{key} ? qq(key "$self->{key}[0]" { algorithm $self->{key}[1]; secret "$self->{key}[2]"; };\n) : '';
    my $who = $self->{key} ? qq(key "$self->{key}[0]";) : '127.0.0.0/8;';
    my $zones = '';
    for my $zone (sort keys %{ $self->{zones} })
    {
        my $z = $self->{zones}{$zone};
        my $what = $z->{primary} ? "type secondary; primaries { 127.0.0.1 port $z->{primary}; }; allow-notify { 127.0.0.0/8; };"
            : 'type primary; notify no;' . ($z->{update} && ($z->{options} // '') !~ /update-policy/ ? " allow-update { $who };" : '');
        $zones .= qq(zone "$zone" { $what file "$zone.zone"; allow-transfer { $who }; @{[ $z->{options} // '' ]} };\n);
    }
    return <<"END";
$key
options {
  directory "$dir"; pid-file "$dir/named.pid"; session-keyfile "$dir/session.key"; managed-keys-directory "$dir";
  listen-on port $port { 127.0.0.1; }; listen-on-v6 { none; }; recursion no; dnssec-validation no;
  allow-query { any; }; min-refresh-time 1; min-retry-time 1; check-names primary ignore; transfers-in 50; tcp-clients 500;
  notify no; transfer-format many-answers; max-journal-size default; check-integrity no;
};
controls { };
logging { channel all { file "$dir/log"; severity info; print-time yes; }; category default { all; }; };
$zones
END
}

sub _knotd
{
    my ($self) = @_;
    my ($dir, $port) = @$self{qw(dir port)};
    my $key = $self->{key} ? "key:\n  - id: $self->{key}[0]\n    algorithm: $self->{key}[1]\n    secret: $self->{key}[2]\n" : '';
    my $who = $self->{key} ? "    key: $self->{key}[0]\n" : "    address: 127.0.0.0/8\n";
    my ($remotes, $zones) = ('', '');
    for my $zone (sort keys %{ $self->{zones} })
    {
        my $z = $self->{zones}{$zone};
        $remotes .= "  - id: primary-$zone\n    address: 127.0.0.1\@$z->{primary}\n" if $z->{primary};
        $zones .= "  - domain: $zone\n    file: $zone.zone\n    acl: [notify, transfer" . ($z->{update} ? ', update' : '') . "]\n";
        $zones .= "    master: primary-$zone\n    refresh-min-interval: 2\n    retry-min-interval: 2\n    retry-max-interval: 2\n" if $z->{primary};
        $zones .= "    $_\n" for split /\n/, $z->{options} // '';
    }
    $remotes = "remote:\n$remotes" if $remotes;
    return <<"END";
server:
    rundir: $dir
    listen: 127.0.0.1\@$port
    udp-workers: 1
    tcp-workers: 1
    background-workers: @{[ $self->{workers} // 1 ]}
    tcp-idle-timeout: 60
database:
    storage: $dir/db
log:
  - target: $dir/log
    any: info
control:
    listen: $dir/knot.sock
$key
acl:
  - id: notify
    address: 127.0.0.0/8
    action: notify
  - id: transfer
$who    action: transfer
  - id: update
$who    action: update
template:
  - id: default
    storage: $dir
    semantic-checks: off
$remotes
zone:
$zones
END
}

# Debian's AppArmor profile lets /usr/sbin/named read what is in its own folders only: it is for that path.
sub _named_program
{
    my ($self) = @_;
    my $copy = "$self->{dir}/named";
    return 'named' if !-e '/etc/apparmor.d/usr.sbin.named';
    my ($program) = grep { -x } map { "$_/named" } split /:/, $ENV{PATH};
    File::Copy::cp($program, $copy) or die "$program: $!" if !-e $copy;
    return $copy;
}

sub start
{
    my ($self) = @_;
    return if $self->{pid};
    my @env = $self->{env} ? ('env', @{ $self->{env} }) : ();
    $self->{pid} = $self->{kind} eq 'bind'
        ? Dnsrepl::spawn('named', "$self->{dir}/out", @env, $self->_named_program, '-f', '-n', '1', '-c', "$self->{dir}/conf")
        : Dnsrepl::spawn('knotd', "$self->{dir}/out", @env, 'knotd', '-c', "$self->{dir}/conf");
    my @zone = grep { !$self->{zones}{$_}{primary} } keys %{ $self->{zones} };
    (Dnsrepl::listening($self->{port}) && Dnsrepl::wait_until(sub { !grep { !$self->dig($_, 'SOA') } @zone }))
        or die "$self->{name} does not start: " . $self->log;
    return;
}

sub log
{
    my ($self) = @_;
    return join '', map { -e "$self->{dir}/$_" ? PostgreSQL::Test::Utils::slurp_file("$self->{dir}/$_") : '' } qw(out log);
}

sub stop
{
    my ($self) = @_;
    Dnsrepl::finish(delete $self->{pid});
    return;
}

# Without a chance to write anything.
sub kill
{
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;
    CORE::kill 'KILL', $pid;
    Dnsrepl::finish($pid);
    return;
}

# Knot: what it is told of a zone waits in its queue, and is done whether or not he who told it is still there; it answers meanwhile.
sub hold { return $_[0]->_knotc('zone-begin', $_[1]) }
sub release { return $_[0]->_knotc('zone-abort', $_[1]) }

sub _knotc
{
    my ($self, @command) = @_;
    my $out;
    IPC::Run::run([ 'knotc', '-s', "$self->{dir}/knot.sock", @command ], '>', \$out, '2>&1') or die "knotc @command: $out";
    return;
}

sub pause { CORE::kill 'STOP', $_[0]{pid}; return }
sub resume { CORE::kill 'CONT', $_[0]{pid}; return }

sub dig
{
    my ($self, $name, $type, @option) = @_;
    IPC::Run::run([ 'dig', '+short', '+time=2', '+tries=2', '-p', $self->{port}, @option, '@127.0.0.1', $name, $type ], '>', \my $out, '2>', \my $err);
    return join "\n", sort split /\n/, $out;
}

# All records of a zone as a transfer gives them, one a line (name TTL type rdata), sorted, the SOA record once.
sub transfer
{
    my ($self, $zone, @option) = @_;
    my @key = $self->{key} ? ('-y', "$self->{key}[1]:$self->{key}[0]:$self->{key}[2]") : ();
    my $out = $self->dig($zone, 'AXFR', '+noshort', '+nocomments', '+nostats', '+nocmd', '+onesoa', '+nocrypto', '+time=20', @key, @option);
    return join '', map { "$_\n" } sort map { s/\s+/ /gr } grep { /\S/ && !/^;/ && !/\sTSIG\s/ } split /\n/, $out;
}

1;
