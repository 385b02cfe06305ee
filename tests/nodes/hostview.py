"""See a node as it is, to compare it with itself later."""

from __future__ import annotations

from lab import nodes
from lab.topology import Node

# Kernel, runtime state and logs are nobody's to keep; systemd's and apt's timers write whenever they like.
_PRUNED = "/var/log /var/cache /var/tmp /var/lib/systemd /var/lib/apt /var/lib/containerd"
# What comes and goes with logins, timers and this very script.
_PASSING = r"^(sshd|sudo|sh|bash|ps|sort|awk|sed|grep|find|\(sd-pam\)|systemd|apt|dpkg)"
# docker writes this file anew for a container that it starts again, with the same text (seen below), ...
_TIMELESS = r"s:^(/etc/resolv\.conf .*) [0-9.]+$:\1:"
# ... and its resolver listens at another port then, which its own chains name.
_PORTLESS = r"/^-A DOCKER_/s:(127\.0\.0\.11\:|--sport )[0-9]+:\1PORT:"
_LOOK = f"""
set -u
echo '## files'
prune=
for path in {_PRUNED}; do prune="$prune -path $path -prune -o"; done
find /etc /usr /opt /srv /boot /root /home /var $prune \\
  \\( -type f -printf '%p %m %U:%G %s %T@\\n' \\) -o \\( -type l -printf '%p -> %l\\n' \\) \\
  -o -printf '%p %y %m %U:%G\\n' | sed -E '{_TIMELESS}' | sort
echo '## resolver'
cat /etc/resolv.conf
echo '## links'
ip -o link | awk '{{print $2}}' | sed 's/[@:].*//' | sort
echo '## routes'
ip route | sort
echo '## rules'
for tool in iptables ip6tables; do
  # Chains that the kernel always has, and counters, are no rules.
  $tool-save | grep -E '^-|^:[^ ]+ - ' | sed 's/ \\[[0-9:]*\\]$//' | sed -E '{_PORTLESS}' |
    sed "s/^/$tool /"
done | sort
nft list tables | grep -vE '^table ip6? (filter|nat|mangle|raw|security)$' | sort
echo '## mounts'
awk '{{print $2, $3}}' /proc/mounts | grep -v ^/run/user/ | sort
echo '## units'
systemctl list-unit-files --no-legend --plain | awk '{{print $1, $2}}' | sort
# No mount units: systemd follows the kernel's mounts, listed above, with a delay.
systemctl list-units --type=service,socket --state=active,activating,failed --no-legend --plain |
  awk '{{print $1, $3, $4}}' | grep -vE '^(user@|user-runtime)' | sort
echo '## processes'
ps -eo comm= | grep -vE '{_PASSING}' | sort -u
echo '## users'
getent passwd | sort
getent group | sort
"""


def look(node: Node) -> dict[str, list[str]]:
    """Return what a node is made of: files, links, routes, rules, mounts, units, processes, users.

    A file counts as another one when its time changed; what pods and the runtime keep does not count.
    """
    sections: dict[str, list[str]] = {}
    current: list[str] = []
    for line in nodes.exec(node, ["sh", "-c", _LOOK]).stdout.splitlines():
        if line.startswith("## "):
            current = sections.setdefault(line[3:], [])
        elif line:
            current.append(line)
    return sections


def difference(before: dict[str, list[str]], after: dict[str, list[str]]) -> list[str]:
    """Return what came (+) and what went (-), a line each."""
    lines = []
    for section in before:
        old, new = set(before[section]), set(after[section])
        lines += [f"{section}: - {line}" for line in sorted(old - new)]
        lines += [f"{section}: + {line}" for line in sorted(new - old)]
    return lines


def assert_same(
    before: dict[str, list[str]], after: dict[str, list[str]], *, apart_from: tuple[str, ...] = ()
) -> None:
    """Fail with every line that came or went, but for those with one of these words in them."""
    found = [line for line in difference(before, after) if not any(word in line for word in apart_from)]
    assert not found, "the node is not as it was:\n" + "\n".join(found)
