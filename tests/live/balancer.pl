#!/usr/bin/perl
# Stands in for the load balancer that kind puts before several control-plane nodes, where its image cannot be pulled:
# hands connections to the API servers that kind names in cds.yaml, in turn. It takes the options of envoy for none.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;

$SIG{CHLD} = 'IGNORE';
my $listener = IO::Socket::INET->new(LocalAddr => '0.0.0.0', LocalPort => 6443, Listen => 128, ReuseAddr => 1) or die $!;
for (my $turn = 0; ; $turn++) {
    my $client = $listener->accept or next;
    next if fork;
    serve($client, connect_from($turn));
    exit;
}

sub servers {
    open my $file, '<', '/home/envoy/cds.yaml' or return;
    return map { /^\s*address: ([a-z][\w.-]*)$/ ? $1 : () } <$file>;
}

sub connect_from {
    my ($turn) = @_;
    my @servers = servers();
    for my $n (0 .. $#servers) {
        my $name = $servers[($turn + $n) % @servers];
        my $server = IO::Socket::INET->new(PeerAddr => $name, PeerPort => 6443, Timeout => 1);
        return $server if $server;
    }
    exit;
}

sub serve {
    my ($client, $server) = @_;
    my $both = IO::Select->new($client, $server);
    while (my @ready = $both->can_read) {
        for my $from (@ready) {
            sysread($from, my $data, 65536) or return;
            my $to = $from == $client ? $server : $client;
            while (length $data) {
                my $written = syswrite($to, $data) // return;
                substr($data, 0, $written) = '';
            }
        }
    }
}
