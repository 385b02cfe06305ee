"""Read and write one file over any Host."""

from __future__ import annotations

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.transport import script
from kubeadm_py.transport.base import Host, Result


def read(host: Host, path: str) -> bytes:
    """Return a file's content; raise FileNotFoundError where there is none."""
    result = host.run(script.read_script(path))
    if result.exit_code == script.ABSENT:
        raise FileNotFoundError(2, f"no such file on {host.name}", path)
    if not result.ok:
        raise _failed(host.name, f"{path} cannot be read", result)
    return result.stdout


def write(host: Host, path: str, content: bytes, mode: int) -> None:
    """Write a file atomically with its final mode."""
    if not path.startswith("/"):
        raise ValueError(f"{path!r} is not an absolute path")
    result = host.run(script.write_script(path, len(content), mode), stdin=content)
    if not result.ok:
        raise _failed(host.name, f"{path} cannot be written", result)


def _failed(host: str, summary: str, result: Result) -> KubeadmPyError:
    lines = result.stderr.decode(errors="replace").splitlines()
    return KubeadmPyError(f"{summary} (exit {result.exit_code})", host=host, details=lines[-5:])
