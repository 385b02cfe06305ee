"""Make a repository of Debian packages laid out and signed as Kubernetes' own, of a bundle's binaries."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from kubeadm_py.artifacts.plan import ArtifactView
from kubeadm_py.model import binaries, distributions
from kubeadm_py.model.distributions import DEBIAN
from kubeadm_py.model.versions import Version

UNIT = """\
[Unit]
Description=kubelet: The Kubernetes Node Agent
After=network-online.target

[Service]
ExecStart=/usr/bin/kubelet
Restart=always
StartLimitInterval=0
RestartSec=10

[Install]
WantedBy=multi-user.target
"""


def publish(view: ArtifactView, version: Version, architecture: str, folder: Path) -> None:
    """Lay packages of these binaries out below `folder` as pkgs.k8s.io does, signed, the key beside them."""
    target = folder / distributions.repository(version, DEBIAN).removeprefix("https://")
    target.mkdir(parents=True)
    held = {name: Path(file.path) for name, file in view.binaries[architecture].items()}
    number = str(version).removeprefix("v")
    lines = []
    for package in distributions.PACKAGES:
        brought = [each for each in binaries.BINARIES if distributions.package_of(each) == package]
        files = {f"{_folder(package)}/{each.name}": held[each.name] for each in brought if each.name in held}
        if files:
            own = package in distributions.WITH_CLUSTER
            lines.append(_package(package, f"{number if own else '1.9.1'}-1.1", architecture, files, target))
    (target / "Packages").write_text("\n".join(lines))
    _sign(target, folder / "keys")


def _folder(package: str) -> str:
    return "opt/cni/bin" if package == "kubernetes-cni" else "usr/bin"


def _package(name: str, version: str, architecture: str, files: Mapping[str, Path], target: Path) -> str:
    """Build one package and return its entry in the list."""
    tree = target / name
    control = (
        f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\n"
        f"Maintainer: lab <lab@example.org>\nDescription: {name} of the lab\n"
    )
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text(control)
    for path, source in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, tree / path)
        (tree / path).chmod(0o755)
    if name == "kubelet":
        unit = tree / "usr/lib/systemd/system/kubelet.service"
        unit.parent.mkdir(parents=True)
        unit.write_text(UNIT)
    deb = target / f"{name}_{version}_{architecture}.deb"
    build = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, deb]
    subprocess.run(build, check=True, capture_output=True)
    shutil.rmtree(tree)
    content = deb.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return f"{control}Filename: ./{deb.name}\nSize: {len(content)}\nSHA256: {digest}\n"


def _sign(target: Path, keys: Path) -> None:
    """Sign the list with a key of its own, and lay that beside it."""
    keys.mkdir(mode=0o700)
    listed = (target / "Packages").read_bytes()
    digest = hashlib.sha256(listed).hexdigest()
    (target / "Release").write_text(
        f"Origin: lab\nSuite: ./\nDate: {_now()}\nSHA256:\n {digest} {len(listed)} Packages\n"
    )
    environment = {**os.environ, "GNUPGHOME": str(keys)}

    def gpg(*words: str) -> bytes:
        command = ["gpg", "--batch", "--yes", "--pinentry-mode", "loopback", "--passphrase", "", *words]
        return subprocess.run(command, check=True, capture_output=True, env=environment).stdout

    gpg("--quick-gen-key", "lab", "rsa2048", "sign", "1d")
    gpg("--clearsign", "--output", str(target / "InRelease"), str(target / "Release"))
    (target / DEBIAN.key).write_bytes(gpg("--armor", "--export", "lab"))
    subprocess.run(["gpgconf", "--kill", "all"], check=False, env=environment)


def _now() -> str:
    return subprocess.run(["date", "-Ru"], check=True, capture_output=True, text=True).stdout.strip()
