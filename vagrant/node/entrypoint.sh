#!/bin/sh
# Make a container look like a machine to systemd and to the kubelet, then become init.
set -eu

mount -o remount,bind,rw /sys
awk '$3 == "cgroup" { print $2 }' /proc/mounts | while read -r hierarchy; do
  mount -o remount,bind,rw "$hierarchy"
done
# Mounts of volumes must reach the pods.
mount --make-rshared /

# Docker mounts these files; on a machine they are plain ones, which can be replaced atomically and which a reboot
# leaves as they are.
for file in /etc/hosts /etc/hostname /etc/resolv.conf; do
  content=$(cat "$file")
  umount "$file" 2>/dev/null || continue
  [ ! -s "$file" ] || continue
  printf '%s\n' "$content" >"$file"
  chmod 0644 "$file"
done
# Docker's own name server is a loopback address: CoreDNS, which forwards to the node's servers, would find a loop.
printf 'nameserver %s\n' $LAB_NAMESERVERS >/etc/resolv.conf

[ -s /etc/machine-id ] || tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id
ssh-keygen -q -A

exec /sbin/init
