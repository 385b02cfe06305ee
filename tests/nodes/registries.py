"""Run a real registry, and a mirror of the official download sites, on the operator's machine for a while."""

from __future__ import annotations

import gzip
import hashlib
import io
import socket
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import bcrypt
import yaml
from lab import components, gobuild, paths

from kubeadm_py.artifacts import official
from kubeadm_py.artifacts.plan import ArtifactView
from kubeadm_py.model.binaries import Binary

TOOLS = paths.VAGRANT / "testtools.yaml"
_WITHIN = 30.0


@contextmanager
def registry(folder: Path, address: str, port: int, login: str = "", *, tls: bool = False) -> Iterator[str]:
    """Run a registry at an address of this machine; yield its name.

    `login` is USER:PASSWORD. With `tls` its certificate comes from folder/ca.crt, made for it.
    """
    program = gobuild.build(components.load(TOOLS)["registry"]) / "registry"
    settings: dict[str, object] = {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": f"{address}:{port}"},
    }
    if login:
        user, _, password = login.partition(":")
        hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(5)).decode()
        (folder / "htpasswd").write_text(f"{user}:{hashed}\n")
        settings["auth"] = {"htpasswd": {"realm": "lab", "path": str(folder / "htpasswd")}}
    if tls:
        _certificate(folder, address)
        settings["http"] = {
            "addr": f"{address}:{port}",
            "tls": {"certificate": str(folder / "server.crt"), "key": str(folder / "server.key")},
        }
    config = folder / "config.yml"
    config.write_text(yaml.safe_dump(settings))
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([program, "serve", config], stdout=log, stderr=log)
    try:
        _wait(process, address, port, folder / "log")
        yield f"{address}:{port}"
    finally:
        process.terminate()
        process.wait(timeout=_WITHIN)


def _wait(process: subprocess.Popen[bytes], address: str, port: int, log: Path) -> None:
    deadline = time.monotonic() + _WITHIN
    while True:
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection((address, port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        else:
            return


def _certificate(folder: Path, address: str) -> None:
    """Make a CA, and a certificate for an address from it."""
    ca = ["-keyout", folder / "ca.key", "-out", folder / "ca.crt", "-subj", "/CN=registry CA"]
    _openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *ca)
    request = ["-keyout", folder / "server.key", "-out", folder / "server.csr", "-subj", f"/CN={address}"]
    _openssl("req", "-newkey", "rsa:2048", "-nodes", *request)
    (folder / "san").write_text(f"subjectAltName=IP:{address}\n")
    signing = ["-CA", folder / "ca.crt", "-CAkey", folder / "ca.key", "-CAcreateserial"]
    files = ["-in", folder / "server.csr", "-out", folder / "server.crt", "-extfile", folder / "san"]
    _openssl("x509", "-req", "-days", "2", *signing, *files)


def _openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def publish(view: ArtifactView, wanted: Sequence[Binary], versions: Mapping[str, str], folder: Path) -> None:
    """Lay binaries of a bundle out as the official sites do, checksums included."""
    (architecture,) = view.architectures
    for each in official.downloads({binary: versions[binary.component] for binary in wanted}, architecture):
        content = _packed(view, each, architecture)
        target = folder / each.url.removeprefix("https://")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        sums = folder / each.checksum_url.removeprefix("https://")
        with sums.open("a") as lines:
            lines.write(f"{hashlib.sha256(content).hexdigest()}  {target.name}\n")


def _packed(view: ArtifactView, each: official.Download, architecture: str) -> bytes:
    files = {name: Path(view.binaries[architecture][name].path).read_bytes() for name in each.members}
    if not all(each.members.values()):
        return next(iter(files.values()))
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, member in each.members.items():
            info = tarfile.TarInfo(member)
            info.size, info.mode = len(files[name]), 0o755
            tar.addfile(info, io.BytesIO(files[name]))
    return gzip.compress(packed.getvalue(), compresslevel=1, mtime=0)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_words: object) -> None:
        pass


@contextmanager
def mirror(folder: Path, address: str = "127.0.0.1") -> Iterator[str]:
    """Serve a folder on loopback, or at another address of this machine; yield its URL."""
    server = ThreadingHTTPServer((address, 0), partial(_Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{address}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
