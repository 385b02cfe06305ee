"""Take what light hosts are like from a real worker: its files, and what its probe recorded."""

from __future__ import annotations

import io
import shlex
import stat
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

from lab import light
from lab.light import File, State
from lab.topology import Node

from kubeadm_py.facts.answer import Answer, read_answer
from kubeadm_py.facts.collect import PROBE_MARKER

_RECORDED = "/lab/recorded"
_BINARIES = ("/usr/bin/", "/usr/sbin/", "/usr/local/bin/", "/opt/cni/bin/")
_OWN = (
    "/etc/hosts",
    "/etc/fstab",
    "/etc/environment",
    "/etc/resolv.conf",
    "/etc/selinux",
    "/run/",
    "/opt/cni/bin",
)
"""What a light host has of its own, or its image."""
_DIRECTORIES = ("/etc/cni", "/etc/kubernetes", "/var/lib/")
_VERSIONS = ("kubelet", "kubectl", "containerd", "ctr", "runc", "crictl", "etcdctl", "etcdutl")


def record(worker: Node, saved: Path) -> State:
    """Return the state of a worker that `preflight --save-facts` has looked at."""
    answer = read_answer(saved.read_bytes(), PROBE_MARKER)
    described = list(_described(answer))
    listed = [path for kind, path, _ in described if stat.S_ISREG(kind) and _is_recorded(path)]
    there = (line.partition(" ")[2] for line in answer.lines("!directories"))
    directories = {path: 0o755 for path in there if path.startswith(_DIRECTORIES)}
    directories |= {
        path: stat.S_IMODE(kind) for kind, path, _ in described if stat.S_ISDIR(kind) and _is_recorded(path)
    }
    programs = dict(_programs(answer))
    binaries = {
        path: (programs.pop(path.rpartition("/")[2], "#!/bin/sh\nexit 1\n"), size)
        for kind, path, size in described
        if stat.S_ISREG(kind) and path.startswith(_BINARIES)
    }
    files = [
        *_read(worker, listed),
        *(File(f"{_RECORDED}/{name}", text.encode()) for name, text in _answers(answer)),
    ]
    # The rest belong to the node image.
    binaries |= {f"/usr/bin/{name}": (text, 0) for name, text in programs.items() if name != "runc"}
    binaries |= {"/usr/sbin/runc": (programs["runc"], 0)} if "runc" in programs else {}
    return State(worker.address, files, directories, binaries)


def _described(answer: Answer) -> Iterator[tuple[int, str, int]]:
    for line in answer.lines("!files"):
        kind, _, size, _, _, path = line.split(" ", 5)
        yield int(kind, 16), path, int(size)


def _is_recorded(path: str) -> bool:
    return not path.startswith(_OWN + _BINARIES) and "/proc/" not in path


def _read(worker: Node, listed: list[str]) -> Iterator[File]:
    """Read files as they are, links as what they lead to: nothing rotates them on a light host."""
    archive = subprocess.run(
        ["docker", "exec", "--interactive", worker.container, "tar", "-c", "-P", "-h", "-T", "-"],
        input="\n".join(dict.fromkeys([*listed, *light.STATE_FILES])).encode(),
        capture_output=True,
        check=True,
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            file = tar.extractfile(member)
            if file is not None:
                yield File(member.name, file.read(), member.mode)


def _answers(answer: Answer) -> Iterator[tuple[str, str]]:
    """Yield what programs printed on the worker, by the name of a file."""
    for name in (*_VERSIONS, "cni-plugins"):
        yield f"{name}-version", answer.text(f"!version {name}")
    yield "units", answer.text("!units")
    yield "images", answer.text("!images")
    yield "runtime", answer.text("!runtime").removeprefix("answered\n")


def _programs(answer: Answer) -> Iterator[tuple[str, str]]:
    """Yield a shell text for each program that is recorded: what it prints, and how it ends."""
    for name in _VERSIONS:
        yield name, _prints(f"{name}-version")
    yield "ctr", _prints("ctr-version", images="*images*")
    yield "crictl", _prints("crictl-version", runtime="*info*")
    yield "systemctl", _prints("units")
    yield "loopback", _prints("cni-plugins-version")
    container = answer.line("!container") or "none"
    yield "systemd-detect-virt", f"#!/bin/sh\necho {shlex.quote(container)}\n"


def _prints(usually: str, **otherwise: str) -> str:
    cases = "".join(
        f"case $* in {words}) exec cat {_RECORDED}/{name} ;; esac\n" for name, words in otherwise.items()
    )
    return f"#!/bin/sh\n{cases}exec cat {_RECORDED}/{usually}\nexit\n"
