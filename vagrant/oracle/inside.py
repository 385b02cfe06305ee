"""Run kubeadm in a root directory of its own; the process itself already runs in namespaces of its own.

`sandbox.py` starts this with `unshare` and asks one thing a line, as JSON: a host (name, addresses,
directories, environment, files) and the commands to run on it one after the other. Each question gets a fresh
host in a tmpfs, which goes with its answer: no key ever lies on a disk.
"""

import base64
import contextlib
import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_ENVIRONMENT = {"PATH": "/usr/bin", "HOME": "/root"}
_DEVICES = {"null": (1, 3), "zero": (1, 5), "random": (1, 8), "urandom": (1, 9)}
_INTERFACE = "eth0"
_NOT_MADE = ("/proc", "/dev", "/tmp", "/usr/bin")
_COMMAND_SECONDS = 120


def main() -> None:
    """Answer each line of standard input with one of standard output."""
    root, outside, *words = sys.argv[1:]
    programs = {Path(word).name: Path(word) for word in words}
    _enter(outside.split(","))
    for line in sys.stdin:
        answer = _answer(Path(root), programs, json.loads(line))
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def namespaces() -> list[str]:
    """Return the identities of the namespaces that matter here."""
    return [str(Path(f"/proc/self/ns/{kind}").readlink()) for kind in ("mnt", "net", "uts", "pid")]


def _enter(outside: list[str]) -> None:
    """Make sure that these are namespaces of our own, and give them an interface."""
    if shared := set(outside) & set(namespaces()):
        raise SystemExit(f"shared with the machine: {', '.join(shared)}")
    _run("mount", "--make-rprivate", "/")
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "link", "add", _INTERFACE, "type", "veth", "peer", "name", "wire")
    for name in ("wire", _INTERFACE):
        _run("ip", "link", "set", name, "up")


def _answer(root: Path, programs: dict[str, Path], question: dict[str, Any]) -> dict[str, Any]:
    socket.sethostname(question["hostname"])
    _address(question["addresses"])
    with _host(root, programs, question):
        ran = [_command(root, words, question["environment"]) for words in question["commands"]]
        laid = set(question["files"])
        return {"ran": ran, "files": [entry for entry in _made(root) if entry["path"] not in laid]}


def _address(addresses: list[str]) -> None:
    _run("ip", "address", "flush", "dev", _INTERFACE)
    for address in addresses:
        details = (f"{address}/64", "nodad") if ":" in address else (f"{address}/24",)
        _run("ip", "address", "add", *details, "dev", _INTERFACE)
    for family in sorted({"-6" if ":" in address else "-4" for address in addresses}):
        _run("ip", family, "route", "replace", "default", "dev", _INTERFACE)


@contextlib.contextmanager
def _host(root: Path, programs: dict[str, Path], question: dict[str, Any]) -> Iterator[None]:
    """Have a host that is bare but for the programs, the directories and the files asked for."""
    _run("mount", "-t", "tmpfs", "-o", "mode=755", "oracle", str(root))
    mounted = [root]
    try:
        for folder in ("proc", "dev", "tmp", "usr/bin", "etc", "var/lib", *question["directories"]):
            (root / folder.lstrip("/")).mkdir(parents=True, exist_ok=True)
        for name, (major, minor) in _DEVICES.items():
            os.mknod(root / "dev" / name, stat.S_IFCHR | 0o666, os.makedev(major, minor))
        for name, program in programs.items():
            target = root / "usr/bin" / name
            target.touch()
            _run("mount", "--bind", str(program), str(target))
            mounted.append(target)
        _run("mount", "-t", "proc", "proc", str(root / "proc"))
        mounted.append(root / "proc")
        for path, text in question["files"].items():
            file = root / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(base64.b64decode(text))
        yield
    finally:
        for place in reversed(mounted):
            _run("umount", str(place))


def _command(root: Path, words: list[str], environment: dict[str, str]) -> dict[str, Any]:
    def enter() -> None:
        os.chroot(root)
        os.chdir("/")

    try:
        ran = subprocess.run(
            words,
            env=_ENVIRONMENT | environment,
            preexec_fn=enter,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"code": -1, "stdout": "", "stderr": f"still running after {_COMMAND_SECONDS} s"}
    return {"code": ran.returncode, "stdout": ran.stdout, "stderr": ran.stderr}


def _made(root: Path) -> Iterator[dict[str, Any]]:
    """List every file of the host but for what was mounted and temporary."""
    for folder, _, names in os.walk(root):
        inside = Path("/", Path(folder).relative_to(root))
        if any(inside.is_relative_to(place) for place in _NOT_MADE):
            continue
        for name in sorted(names):
            path = Path(folder, name)
            about = path.lstat()
            yield {
                "path": str(inside / name),
                "mode": f"{stat.S_IMODE(about.st_mode):o}",
                "owner": f"{path.owner()}:{path.group()}",
                "content": base64.b64encode(path.read_bytes()).decode(),
            }


def _run(*words: str) -> None:
    ran = subprocess.run(words, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise SystemExit(f"{' '.join(words)}: {ran.stderr.strip()}")


if __name__ == "__main__":
    main()
