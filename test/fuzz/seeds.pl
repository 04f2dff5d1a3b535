#!/usr/bin/perl
# Something for the fuzzer to begin with: a zone file for each record in sql/record.sql and sql/zone_file.sql.
#   seeds.pl DIRECTORY
use strict;
use warnings;

my ($dir) = @ARGV or die "seeds.pl DIRECTORY\n";
my $n = 0;

sub seed
{
    open my $out, '>', "$dir/seed" . $n++ or die $!;
    print $out chr(5), "\0\0", @_;
    close $out;
    return;
}

for my $file ('sql/record.sql', 'sql/zone_file.sql')
{
    open my $in, '<', $file or die $!;
    local $/;
    my $text = <$in>;
    seed("\$TTL 60\na $1 $2\n") while $text =~ /\('([A-Z0-9]+)', '((?:[^']|'')*)'\)/g;
    seed($1) while $text =~ /\$zone\$\n(.*?)\$zone\$/gs;
}
