"""`bundle create|verify|push`, end to end: local servers with the layout of the official ones, a registry."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import io
import os
import subprocess
import sys
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from kubeadm_py.addons import load as addons
from kubeadm_py.artifacts import official
from kubeadm_py.config.load import load
from kubeadm_py.plan.artifacts import bundles

CONFIG = """\
apiVersion: kubeadm-py.io/v1alpha1
kind: Cluster
metadata: {{name: demo}}
spec:
  hosts:
  - {{name: cp1, role: control-plane, address: 192.0.2.11}}
  - {{name: w1, role: worker, address: 192.0.2.21}}
  addons: [flannel, local-path-storage]
  artifacts: {{source: official, path: "{mirror}"}}
  registries:
    {registry}: {{plainHTTP: true, credentialsFile: login}}
    registry.k8s.io: {{mirrors: [{registry}]}}
    ghcr.io: {{mirrors: [{registry}]}}
    docker.io: {{mirrors: [{registry}]}}
"""


def _registry_server():
    path = Path(__file__).parents[1] / "unit/artifacts/registry_server.py"
    spec = importlib.util.spec_from_file_location("kubeadm_py_registry_server", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_words):
        pass


@pytest.fixture
def mirror(tmp_path):
    """A folder that is served as a mirror of the official sites: (its URL, the folder)."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    server.server_close()


@pytest.fixture
def registry():
    held, server = _registry_server().serve()
    held.login, held.tokens = "user:hunter2", True
    yield held
    server.shutdown()
    server.server_close()


@pytest.fixture
def config(mirror, registry, write):
    """The config of a cluster, all of whose artifacts are published."""
    url, folder = mirror
    write("login", "user:hunter2\n").chmod(0o600)
    file = write("cluster.yaml", CONFIG.format(mirror=url, registry=registry.name))
    cluster = load(str(file)).cluster
    wanted = bundles.wanted(cluster, ["amd64"])
    assert addons.resolve(cluster)
    for reference in wanted.images:
        repository, _, tag = reference.partition("/")[2].rpartition(":")
        registry.image(repository, tag, "amd64", "arm64")
    versions = official.component_versions(cluster.kubernetes_version)
    for each in official.downloads(
        {binary: versions[binary.component] for binary in wanted.binaries}, "amd64"
    ):
        publish(folder, each)
    return file


def publish(folder: Path, each: official.Download) -> None:
    if all(each.members.values()):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for name, member in each.members.items():
                info = tarfile.TarInfo(member)
                info.size = len(name)
                tar.addfile(info, io.BytesIO(name.encode()))
        content = gzip.compress(packed.getvalue(), mtime=0)
    else:
        content = next(iter(each.members)).encode() * 1000
    target = folder / each.url.removeprefix("https://")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    sums = folder / each.checksum_url.removeprefix("https://")
    with sums.open("a") as lines:
        lines.write(f"{hashlib.sha256(content).hexdigest()}  {target.name}\n")


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_bundle_is_made_checked_and_pushed(kpy, config, registry, tmp_path):
    key, public = tmp_path / "bundle.key", tmp_path / "bundle.pub"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True, umask=0o077)
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", public], check=True)
    made = kpy("bundle", "create", "--config", config, "--output", "one", "--sign-key", key)
    assert made.code == 0, made.text
    assert "hunter2" not in made.text
    lock = yaml.safe_load((tmp_path / "cluster.lock.yaml").read_text())["pins"]
    assert f"oci://{addons.resolve(load(str(config)).cluster)[0].addon.images[0].reference}" in lock
    assert "https://dl.k8s.io/release/v1.36.3/bin/linux/amd64/kubelet" in lock
    again = kpy("bundle", "create", "--config", config, "--output", "two", "--sign-key", key)
    assert again.code == 0, again.text
    assert tree(tmp_path / "one") == tree(tmp_path / "two")

    whole = kpy("bundle", "verify", "one", "--config", config, "--public-key", public)
    assert (whole.code, "signed by that key" in whole.out) == (0, True), whole.text
    used = {each for each in tree(tmp_path / "one") if each.startswith("images/blobs")}
    other, server = _registry_server().serve()
    try:
        settings = config.read_text().replace(
            "registries:\n", f"registries:\n    {other.name}: {{plainHTTP: true}}\n"
        )
        config.write_text(settings)
        pushed = kpy("bundle", "push", "one", "--config", config, "--registry", f"{other.name}/all")
        assert pushed.code == 0, pushed.text
        assert f"  registry.k8s.io: {{mirrors: [{other.name}/all]}}" in pushed.out
        sent = {name.rpartition(":")[2] for name in (*other.blobs, *other.manifests) if "sha256:" in name}
        assert {each.rpartition("/")[2] for each in used} == sent
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        ("dl.k8s.io/release/v1.36.3/bin/linux/amd64/kubelet", None, "does not exist (404)"),
        ("dl.k8s.io/release/v1.36.3/bin/linux/amd64/kubelet", b"evil", "does not have the SHA-256"),
        ("dl.k8s.io/release/v1.36.3/bin/linux/amd64/kubelet.sha256", b"<html>", "lists no SHA-256"),
    ],
)
def test_what_cannot_be_had_leaves_no_bundle(kpy, config, mirror, tmp_path, path, content, said):
    target = mirror[1] / path
    target.unlink()
    if content is not None:
        target.write_bytes(content)
    made = kpy("bundle", "create", "--config", config, "--output", "out")
    assert (made.code, said in made.err) == (1, True), made.text
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".unfinished*"))


def test_an_image_that_nobody_has_is_named_with_every_place(kpy, config, registry):
    del registry.manifests["pause/3.10.2"]
    # The registry itself is out of reach here: not even its name is known.
    made = kpy("bundle", "create", "--config", config, env={"https_proxy": "http://127.0.0.1:9"})
    assert made.code == 1
    assert "registry.k8s.io/pause:3.10.2" in made.err
    assert "does not exist (404)" in made.err


def test_a_bundle_that_lacks_something_is_refused_before_anybody_is_reached(kpy, config, tmp_path):
    assert kpy("bundle", "create", "--config", config, "--output", "bundle").code == 0
    offline = config.read_text().replace("source: official", "source: bundle")
    lines = [line for line in offline.splitlines() if not line.startswith("  artifacts")]
    lines.append("  artifacts: {source: bundle, path: bundle}")
    config.write_text("\n".join(lines) + "\n")
    assert kpy("bundle", "verify", "--config", config).code == 0
    blob = max((tmp_path / "bundle/images/blobs/sha256").iterdir(), key=lambda each: each.stat().st_size)
    content = blob.read_bytes()
    blob.write_bytes(content[:-1])
    for command in (["bundle", "verify"], ["apply"]):
        cut = kpy(*command, "--config", config)
        assert (cut.code, "1 byte shorter" in cut.text) == (2, True), cut.text
    blob.write_bytes(content)
    (tmp_path / "more.yaml").write_text(config.read_text().replace("flannel,", "flannel, traefik,"))
    more = kpy("bundle", "verify", "--config", "more.yaml")
    assert (more.code, "traefik" in more.err) == (2, True), more.text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create"], "--config is missing"),
        (["verify"], "which bundle?"),
        (["verify", "nowhere"], "there is no bundle"),
        (["push", "x"], "--registry is missing"),
        (["push", "x", "--registry", "https://x"], "is not a repository"),
    ],
)
def test_what_is_missing_is_said(kpy, arguments, said):
    ended = kpy("bundle", *arguments)
    assert (ended.code, said in ended.err) == (2, True), ended.text


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_place_that_cannot_be_written_is_said(kpy, config):
    made = kpy("bundle", "create", "--config", config, "--output", "/proc/bundle")
    assert made.code == 1
