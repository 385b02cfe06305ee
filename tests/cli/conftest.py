"""Run the installed command as a person does: a process of its own, a home of its own, no network."""

from __future__ import annotations

import importlib.util
import os
import resource
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
COMMAND = Path(sysconfig.get_path("scripts")) / "kubeadm-py"
HANGS_AFTER_SECONDS = 120


@dataclass(frozen=True)
class Ended:
    """Hold how a command ended; `cpu` is the seconds of computing that it took, whatever else runs here."""

    code: int
    out: str
    err: str
    cpu: float

    @property
    def text(self) -> str:
        return self.out + self.err


Run = Callable[..., Ended]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    (folder / ".ssh").mkdir(parents=True, mode=0o700)
    return folder


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    """Return an environment in which nothing of the tester's own is found."""
    return {
        "PATH": f"{COMMAND.parent}:{os.environ['PATH']}",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "TERM": "xterm",
        "PYTHONWARNINGS": "error",
        # Third-party packages of this interpreter warn on import; that is not what is tested here.
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@pytest.fixture
def kpy(environment: dict[str, str], tmp_path: Path) -> Run:
    """Return a function that runs `kubeadm-py` with arguments; no traceback may ever come out of it."""

    def run(*arguments: object, stdin: str | bytes = b"", env: Mapping[str, str] = {}) -> Ended:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        process = subprocess.run(
            [str(COMMAND), *map(str, arguments)],
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            env={**environment, **env},
            cwd=tmp_path,
            timeout=HANGS_AFTER_SECONDS,
            check=False,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        out = process.stdout.decode(errors="surrogateescape")
        err = process.stderr.decode(errors="surrogateescape")
        ended = Ended(process.returncode, out, err, cpu)
        assert "Traceback" not in ended.text, ended.text
        return ended

    return run


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """Return a function that writes a file into the test's folder."""

    def make(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return make


@pytest.fixture(scope="session")
def ssh_servers() -> ModuleType:
    """Return the throw-away SSH servers of the transport's tests."""
    path = ROOT / "tests" / "unit" / "transport" / "conftest.py"
    spec = importlib.util.spec_from_file_location("kubeadm_py_ssh_servers", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def keys(ssh_servers: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("keys")
    return {name: ssh_servers.make_key(folder / name) for name in ("host", "other", "client")}


@pytest.fixture
def serve(ssh_servers: ModuleType, keys: dict[str, Path], tmp_path: Path) -> Iterator[Callable[[], Any]]:
    """Return a function that starts an SSH server on loopback; it runs commands here, as the tester."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    made = []

    def start() -> Any:
        made.append(ssh_servers.ParamikoServer([keys["host"]], keys["client"], environment))
        return made[-1]

    yield start
    for server in made:
        server.close()


@pytest.fixture
def server(serve: Callable[[], Any]) -> Any:
    return serve()


@pytest.fixture
def another_server(serve: Callable[[], Any]) -> Any:
    return serve()


@pytest.fixture
def known(home: Path, ssh_servers: ModuleType, keys: dict[str, Path]) -> Callable[..., None]:
    """Return a function that notes a host key for servers in ~/.ssh/known_hosts."""

    def note(*servers: Any, key: str = "host") -> None:
        public = ssh_servers.public_line(keys[key])
        lines = [f"[127.0.0.1]:{server.port} {public}\n" for server in servers]
        (home / ".ssh" / "known_hosts").write_text("".join(lines))

    return note
