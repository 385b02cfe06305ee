"""Give real kubeadm a host that is thrown away: namespaces and a root directory of its own.

Needs Linux, root, unshare and ip; no container engine. Nothing of this machine is seen inside but the kernel.
"""

import base64
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from lab import artifacts, gobuild, paths
from lab.components import load
from lab.process import LabError

from kubeadm_py.model import versions
from kubeadm_py.model.versions import Version
from oracle.inside import namespaces

CONFIG = "/tmp/config.yaml"  # inside, where nothing else is


@dataclass(frozen=True)
class Host:
    """Describe a bare host: what kubeadm can see of it."""

    hostname: str = "cp1"
    addresses: tuple[str, ...] = ("10.99.0.11",)
    directories: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Command:
    """Say what to run on a host: words, after the command of a static pod where one is named.

    `background` lasts until the answer is there; `again` repeats until it succeeds; `seconds` is the longest
    that it may take at once.
    """

    words: Sequence[str] = ()
    pod: str = ""
    background: bool = False
    again: bool = False
    seconds: int = 120


@dataclass(frozen=True)
class Ran:
    """Hold how a command ended."""

    code: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class MadeFile:
    """Hold a file that the commands made."""

    path: str
    mode: str
    owner: str
    content: bytes


@dataclass(frozen=True)
class Made:
    """Hold what came of the commands."""

    ran: tuple[Ran, ...]
    files: tuple[MadeFile, ...]


class Sandbox:
    """Answer questions in namespaces of its own, until it is closed."""

    def __init__(self, release: str = "") -> None:
        """Have the programs of a release, the lab's by default; another one is built first."""
        components = load()
        kubernetes, etcd = components["kubernetes"], components["etcd"]
        if release:
            row = versions.release(Version.parse(release))
            kubernetes, etcd = kubernetes.at(release), etcd.at(row.etcd)
        built = gobuild.build(kubernetes)
        self._programs = [
            built / "kubeadm" if release else artifacts.oracle(),
            *(built / name for name in ("kubectl", "kube-apiserver", "kube-controller-manager")),
            gobuild.build(etcd) / "etcd",
        ]

    def __enter__(self) -> Self:
        if os.geteuid() != 0:
            raise LabError("namespaces of its own need root")
        self._root = tempfile.TemporaryDirectory(prefix="kubeadm-oracle-")
        unshare = ["unshare", "--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "--kill-child"]
        inside = [sys.executable, "-m", "oracle.inside", self._root.name, ",".join(namespaces())]
        self._process = subprocess.Popen(
            [*unshare, "--mount-proc", *inside, *map(str, self._programs)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(paths.VAGRANT)},
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Unused names: what a context manager is told is nothing to us.
        del kind, error, trace
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(timeout=30)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._root.cleanup()

    def run(self, host: Host, *commands: Sequence[str]) -> Made:
        """Run the commands on a fresh host, one after the other, and return what they said and made."""
        (made,) = self.run_on((host, [Command(words) for words in commands]))
        return made

    def run_on(self, *hosts: tuple[Host, Sequence[Command]]) -> list[Made]:
        """Run commands on fresh hosts of one network, host by host, and return what came of each.

        The first command that fails is the last one.
        """
        question: list[dict[str, Any]] = []
        for host, commands in hosts:
            files = {path: base64.b64encode(content).decode() for path, content in host.files.items()}
            question.append(vars(host) | {"files": files, "commands": [vars(each) for each in commands]})
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise LabError("the sandbox is closed")
        stdin.write(json.dumps(question) + "\n")
        stdin.flush()
        line = stdout.readline()
        if not line:
            raise LabError(f"the sandbox ended: exit {self._process.wait()}")
        return [_made(answer) for answer in json.loads(line)]


def _made(answer: dict[str, Any]) -> Made:
    return Made(
        tuple(Ran(**ran) for ran in answer["ran"]),
        tuple(MadeFile(**file | {"content": base64.b64decode(file["content"])}) for file in answer["files"]),
    )
