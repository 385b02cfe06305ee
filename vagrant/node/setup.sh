#!/bin/sh
# Turn a plain Debian tree into a node: packages, a user that Vagrant and we log in as, and units that make no
# sense in a container masked, so that `systemctl is-system-running` can say "running".
set -eu
here=$(dirname "$0")

# shellcheck disable=SC2046 # one word a package is what is wanted
if ! dpkg --status $(cat "$here/packages.txt") >/dev/null 2>&1; then
  apt-get update
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(cat "$here/packages.txt")
  rm -rf /var/lib/apt/lists/*
fi

useradd --create-home --shell /bin/bash vagrant
# No password opens either account, and neither counts as locked: keys do.
usermod --password '*' vagrant
usermod --password '*' root
printf 'vagrant ALL=(ALL) NOPASSWD: ALL\n' >/etc/sudoers.d/vagrant
chmod 0440 /etc/sudoers.d/vagrant

mkdir -p /etc/ssh/sshd_config.d
cat >/etc/ssh/sshd_config.d/lab.conf <<'END'
PasswordAuthentication no
# The key of this node's lab, mounted at its start.
AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/lab_authorized_keys
PermitRootLogin prohibit-password
# Name lookups of the other side only cost time here.
UseDNS no
MaxSessions 64
MaxStartups 64:30:128
END

systemctl mask systemd-firstboot.service systemd-udevd.service systemd-modules-load.service getty.target \
  console-getty.service dev-hugepages.mount sys-fs-fuse-connections.mount

# Both are each node's own, made at its first start.
rm -f /etc/ssh/ssh_host_*
: >/etc/machine-id
