"""Make many light hosts: containers of the node image with a real sshd, and with a real worker's state.

Nothing of Kubernetes runs on them. The files are the worker's, with each host's own address, and what a
program would have to ask a daemon is what was recorded. The rest is real: the login, sudo, the shell that
runs scripts, and what the kernel says.
"""

import hashlib
import io
import shutil
import socket
import subprocess
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lab import nodeimage, nodes, paths, topology
from lab.nodes import Lab
from lab.process import LabError, run, say
from lab.topology import Node

MOST = 100
STATE_FILES = ("/var/lib/kubeadm-py/inventory.json", "/var/lib/kubeadm-py/settled")
"""Files that name the digests of others, each after those that it names."""

_MEMORY = "64m"
_AT_ONCE = 4
_ANSWERS_WITHIN = 60.0
_SOCKET = "/run/containerd/containerd.sock"
_SIZES = "/lab/sizes.sh"
_START = f"""mkdir -p /run/sshd /run/systemd/system {Path(_SOCKET).parent}
# Docker's own name server is on a loopback address, as no machine's is.
echo "nameserver $LAB_NAMESERVER" >/etc/resolv.conf
. {_SIZES}
socat UNIX-LISTEN:{_SOCKET},fork SYSTEM:false &
exec /usr/sbin/sshd -D -e
"""


@dataclass(frozen=True)
class File:
    """A file of a light host."""

    path: str
    content: bytes
    mode: int = 0o644
    target: str = ""
    """Where it leads, if it is a symbolic link."""


@dataclass(frozen=True)
class State:
    """What light hosts are like: what one worker was."""

    address: str
    files: Sequence[File]
    directories: Mapping[str, int]
    """Path -> mode."""
    binaries: Mapping[str, tuple[str, int]]
    """Path -> the shell text that stands for the program, and the size that it has; 0: its own."""

    def of(self, address: str) -> Iterator[File]:
        """Yield the files of a host with another address, digests of what changes included."""
        changed: list[tuple[bytes, bytes]] = []
        last = {path: place for place, path in enumerate(STATE_FILES)}
        for file in sorted(self.files, key=lambda each: last.get(each.path, -1)):
            content = file.content.replace(self.address.encode(), address.encode())
            if file.path in last:
                for old, new in changed:
                    content = content.replace(old, new)
            if content != file.content:
                changed.append((_digest(file.content), _digest(content)))
            yield File(file.path, content, file.mode, file.target)


def up(lab: Lab, count: int, state: State) -> tuple[Node, ...]:
    """Have so many light hosts run beside the nodes of a lab; `down` of the lab removes them too."""
    if count > MOST:
        raise LabError(f"at most {MOST} light hosts have an address")
    hosts = tuple(topology.light(lab.name, number) for number in range(1, count + 1))
    running = run(["docker", "ps", "--format", "{{.Names}}"]).split()
    missing = [host for host in hosts if host.container not in running]
    if missing:
        say(f"light hosts: {missing[0].name} to {missing[-1].name}")
        _remove(missing)
        words = _words(lab)
        common = [*_host_keys(paths.STATE / lab.name / "light"), *_programs(state)]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda host: _start(host, words, state, common), missing))
    _wait_until_answering(hosts)
    return hosts


def known_hosts(lab: Lab, hosts: Sequence[Node]) -> Path:
    """Write a known_hosts file that has the lab's nodes and these hosts."""
    folder = paths.STATE / lab.name / "light"
    key = (folder / "host_key.pub").read_text().split()[:2]
    lines = [f"{host.address} {' '.join(key)}\n" for host in hosts]
    file = folder / "known_hosts"
    file.write_text(lab.ssh.known_hosts.read_text() + "".join(lines))
    return file


def remove(lab: Lab) -> None:
    """Remove all light hosts of a lab."""
    _remove([topology.light(lab.name, number) for number in range(1, MOST + 1)])
    shutil.rmtree(paths.STATE / lab.name / "light", ignore_errors=True)


def _remove(hosts: Sequence[Node]) -> None:
    known = run(["docker", "ps", "--all", "--format", "{{.Names}}"]).split()
    found = [host.container for host in hosts if host.container in known]
    if found:
        run(["docker", "rm", "--force", "--volumes", *found])


def _words(lab: Lab) -> list[str]:
    """Return what all light hosts are made with."""
    return [
        *("--env", f"LAB_NAMESERVER={topology.gateway(lab.name)}"),
        *("--memory", _MEMORY, "--sysctl", "net.ipv4.ip_forward=1", "--tmpfs", "/run:exec"),
        *("--volume", f"{lab.ssh.key}.pub:{nodes.AUTHORIZED_KEYS}:ro"),
        *("--entrypoint", "/bin/sh", nodeimage.ensure(), "-c", _START),
    ]


def _start(host: Node, words: Sequence[str], state: State, common: Sequence[File]) -> None:
    named = ["--name", host.container, "--hostname", host.name, *nodes.placement(host)]
    run(["docker", "create", *named, *words])
    archive = _archive([*state.of(host.address), *common], state.directories)
    done = subprocess.run(
        ["docker", "cp", "-", f"{host.container}:/"], input=archive, capture_output=True, check=False
    )
    if done.returncode != 0:
        raise LabError(f"{host.name}: docker cp: {done.stderr.decode(errors='replace').strip()}")
    run(["docker", "start", host.container])


def _archive(files: Sequence[File], directories: Mapping[str, int]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for path, mode in sorted(directories.items()):
            info = tarfile.TarInfo(path.lstrip("/"))
            info.type, info.mode = tarfile.DIRTYPE, mode
            tar.addfile(info)
        for file in files:
            info = tarfile.TarInfo(file.path.lstrip("/"))
            info.mode = file.mode
            if file.target:
                info.type, info.linkname = tarfile.SYMTYPE, file.target
            info.size = 0 if file.target else len(file.content)
            tar.addfile(info, io.BytesIO(file.content))
    return stream.getvalue()


def _programs(state: State) -> Iterator[File]:
    """Yield the programs, and a script that gives them their sizes: holes, which take no room."""
    sizes = []
    for path, (text, size) in state.binaries.items():
        yield File(path, text.encode(), 0o755)
        if size > len(text):
            sizes.append(f"truncate --size {size} {path}\n")
    yield File(_SIZES, "".join(sizes).encode())


def _host_keys(folder: Path) -> list[File]:
    """Return the key that all light hosts have: they are one image."""
    folder.mkdir(parents=True, exist_ok=True)
    key = folder / "host_key"
    if not key.exists():
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "light hosts", "-f", key])
    place = "/etc/ssh/ssh_host_ed25519_key"
    return [
        File(place, key.read_bytes(), 0o600),
        File(f"{place}.pub", Path(f"{key}.pub").read_bytes()),
    ]


def _wait_until_answering(hosts: Sequence[Node]) -> None:
    deadline = time.monotonic() + _ANSWERS_WITHIN
    for host in hosts:
        while not _answers(host):
            if time.monotonic() > deadline:
                raise LabError(f"{host.name}: no sshd answers after {_ANSWERS_WITHIN:.0f} s")
            time.sleep(0.2)


def _answers(host: Node) -> bool:
    try:
        socket.create_connection((host.address, 22), 1).close()
    except OSError:
        return False
    return True


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
