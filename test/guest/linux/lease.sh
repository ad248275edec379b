#!/bin/busybox sh
# What udhcpc calls when it has a lease: sets address, route and name server.
export PATH=/bin:/sbin
case $1 in bound | renew) ;; *) exit 0 ;; esac
ip addr flush dev "$interface"
ip addr add "$ip/$mask" dev "$interface"
ip route add default via "$router" dev "$interface"
mkdir -p /etc
for server in $dns; do echo "nameserver $server"; done > /etc/resolv.conf
