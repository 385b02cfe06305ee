"""Put this machine's Python and the wheel of this checkout on a node, for the command typed there."""

from __future__ import annotations

import io
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lab import nodes
from lab.topology import Node

ROOT = Path(__file__).parents[2]
HOME = "/opt/kubeadm-py-cli"
STATE = "/run/kubeadm-py-of-root"
"""Where the operator's own logs go; by default below the home."""
_ENVIRONMENT = (
    "HOME=/root",
    "LANG=C.UTF-8",
    "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
    "PYTHONDONTWRITEBYTECODE=1",
    f"XDG_STATE_HOME={STATE}",
)
_LEFT_OUT = {
    "__pycache__",
    "test",
    "tests",
    "idlelib",
    "tkinter",
    "ensurepip",
    "site-packages",
    "mypy",
    "mypyc",
}
"""What no command needs; the standard library's own tests are most of it."""


@dataclass(frozen=True)
class Typed:
    """What a command that was typed on a node said."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


def wheel(folder: Path) -> Path:
    """Build this checkout's wheel."""
    argv = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(argv, check=True, capture_output=True, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


def install(node: Node, built: Path) -> None:
    """Install the wheel on a node, with the interpreter that runs this test and the libraries beside it.

    Both are the same Debian release; the interpreter keeps its path, so that it finds its library.
    """
    base = Path(sys.base_prefix)
    stdlib = Path(sysconfig.get_path("stdlib"))
    interpreter = (base / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}").resolve()
    shared = sorted((base / "lib").glob("libpython3*.so*"))
    _copy(node, [interpreter, *shared, stdlib], strip=Path("/"), to="/")
    _run(node, [str(interpreter), "-m", "venv", "--without-pip", HOME])
    packages = Path(sysconfig.get_path("purelib"))
    target = f"{HOME}/lib/{stdlib.name}/site-packages"
    # The checkout itself is installed in place here: the wheel takes its place there.
    ours = ("kubeadm_py", "_kubeadm_py", "__editable__")
    _copy(
        node,
        [each for each in packages.iterdir() if not each.name.startswith(ours) and each.suffix != ".pth"],
        strip=packages,
        to=target,
    )
    _copy(node, [built], strip=built.parent, to=HOME)
    pip = [f"{HOME}/bin/python", "-m", "pip", "install", "--no-deps", "--no-index"]
    _run(node, [*pip, f"{HOME}/{built.name}"])


def typed(node: Node, *words: str, code: int = 0, stdin: str = "", timeout: float = 400) -> Typed:
    """Type a command on a node, as root who is logged in there."""
    argv = ["env", "-i", *_ENVIRONMENT, f"{HOME}/bin/kubeadm-py", *words]
    done = nodes.exec(node, argv, stdin=stdin, check=False, timeout=timeout)
    said = Typed(done.returncode, done.stdout, done.stderr)
    assert said.code == code, f"exit code {said.code}, not {code}: kubeadm-py {' '.join(words)}\n{said.text}"
    assert "Traceback" not in said.text, said.text
    return said


def _run(node: Node, argv: list[str]) -> None:
    nodes.exec(node, argv, timeout=300)


def _copy(node: Node, paths: Iterable[Path], *, strip: Path, to: str) -> None:
    def wanted(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        return None if _LEFT_OUT & set(Path(member.name).relative_to(start).parts) else member

    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path in paths:
            start = Path(path.relative_to(strip))
            if path.is_dir() and path.name in _LEFT_OUT:
                continue
            tar.add(path, str(start), filter=wanted)
    subprocess.run(
        ["docker", "exec", "--interactive", node.container, "sh", "-c", f"mkdir -p {to} && tar -x -C {to}"],
        input=archive.getvalue(),
        check=True,
        capture_output=True,
    )
