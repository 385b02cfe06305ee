"""Run kubeadm in root directories of its own; the process itself already runs in namespaces of its own.

`sandbox.py` starts this with `unshare` and asks one thing a line, as JSON: hosts (name, addresses,
directories, environment, files) and the commands to run on them one after the other. Each question gets fresh
hosts in a tmpfs, which go with its answer: no key ever lies on a disk. All share one network and one kernel.
"""

import base64
import contextlib
import json
import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

_ENVIRONMENT = {"PATH": "/usr/bin", "HOME": "/root"}
_DEVICES = {"null": (1, 3), "zero": (1, 5), "random": (1, 8), "urandom": (1, 9)}
_INTERFACE = "eth0"
_NOT_MADE = ("/proc", "/dev", "/tmp", "/usr/bin")
_COMMAND_SECONDS = 120
_AGAIN_SECONDS = 0.2


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


def _answer(root: Path, programs: dict[str, Path], question: list[dict[str, Any]]) -> list[dict[str, Any]]:
    _address([address for host in question for address in host["addresses"]])
    answers: list[dict[str, Any]] = []
    running: list[subprocess.Popen[bytes]] = []
    with contextlib.ExitStack() as stack:
        try:
            for host in question:
                place = root / host["hostname"]
                place.mkdir(exist_ok=True)
                stack.enter_context(_host(place, programs, host))
                socket.sethostname(host["hostname"])
                ran = []
                for command in host["commands"]:
                    ran.append(_command(place, command, host["environment"], running))
                    if ran[-1]["code"] != 0:
                        break
                made = [entry for entry in _made(place) if entry["path"] not in host["files"]]
                answers.append({"ran": ran, "files": made})
                if ran and ran[-1]["code"] != 0:
                    break
        finally:
            _end(running)
    return answers


def _end(running: list[subprocess.Popen[bytes]]) -> None:
    for process in reversed(running):
        process.kill()
        process.wait()


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


def _command(
    root: Path, command: dict[str, Any], environment: dict[str, str], running: list[subprocess.Popen[bytes]]
) -> dict[str, Any]:
    """Run a command to its end, again until it succeeds where asked to, or start it in the background."""

    def enter() -> None:
        os.chroot(root)
        os.chdir("/")

    words = command["words"]
    if pod := command["pod"]:
        manifest = yaml.safe_load((root / f"etc/kubernetes/manifests/{pod}.yaml").read_text())
        words = [*manifest["spec"]["containers"][0]["command"], *words]
    settings: dict[str, Any] = {
        "env": _ENVIRONMENT | environment,
        "preexec_fn": enter,
        "stdin": subprocess.DEVNULL,
    }
    if command["background"]:
        quiet = subprocess.DEVNULL
        running.append(subprocess.Popen(words, stdout=quiet, stderr=quiet, **settings))
        return {"code": 0, "stdout": "", "stderr": ""}
    deadline = time.monotonic() + _COMMAND_SECONDS
    while True:
        try:
            ran = subprocess.run(
                words, capture_output=True, text=True, timeout=command["seconds"], check=False, **settings
            )
        except subprocess.TimeoutExpired:
            return {"code": -1, "stdout": "", "stderr": f"still running after {command['seconds']} s"}
        if ran.returncode == 0 or not command["again"] or time.monotonic() > deadline:
            return {"code": ran.returncode, "stdout": ran.stdout, "stderr": ran.stderr}
        time.sleep(_AGAIN_SECONDS)


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
