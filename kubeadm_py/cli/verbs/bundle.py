"""Run `kubeadm-py bundle ...`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from kubeadm_py.artifacts import bundle, documents
from kubeadm_py.artifacts import create as creating
from kubeadm_py.artifacts import push as pushing
from kubeadm_py.artifacts.bundle import Bundle
from kubeadm_py.artifacts.cache import default_folder
from kubeadm_py.artifacts.lockfile import LockFile
from kubeadm_py.artifacts.plan import DOWNLOADED
from kubeadm_py.artifacts.registry import Api
from kubeadm_py.artifacts.supply import FromBundle, Official, Supplier
from kubeadm_py.cli import telling
from kubeadm_py.cli.verbs import reading
from kubeadm_py.config.registry_values import repository
from kubeadm_py.errors import UsageError
from kubeadm_py.local_path import expanded
from kubeadm_py.model.cluster import ArtifactSource, ResolvedCluster
from kubeadm_py.model.registries import endpoints
from kubeadm_py.model.secret import Secret
from kubeadm_py.plan.artifacts import bundles

_DEFAULT_OUTPUT = "bundle"
_DEFAULT_ARCHITECTURES = ("amd64",)
_NO_MOMENT = 0
"""Of a bill of materials where SOURCE_DATE_EPOCH is not set: the same bundle must be the same bytes."""


def create(
    config: str,
    *,
    output: str,
    source: str,
    architectures: Sequence[str],
    sign_key: str,
    allow_unknown_fields: bool,
) -> None:
    """Make a bundle for a config's cluster."""
    cluster = _cluster(config, allow_unknown_fields)
    wanted = bundles.wanted(cluster, architectures or _DEFAULT_ARCHITECTURES)
    lock, cached = LockFile.beside(cluster.source_file), default_folder()
    supplier: Supplier
    if source:
        supplier = FromBundle(bundle.read(source), cached)
    else:
        mirror = cluster.artifacts_path if cluster.artifacts in DOWNLOADED else ""
        supplier = Official(mirror, cluster.registries, lock, cached, telling.say)
    held = bundle.read(source).documents if source else {}
    folder = Path(cluster.source_file).parent
    target = Path(output or _DEFAULT_OUTPUT)
    made = creating.create(
        wanted,
        supplier,
        target,
        moment=_moment(),
        signer=creating.Signer(Secret(_file(sign_key)), sign_key) if sign_key else None,
        fetch_document=lambda url: documents.fetch(url, lock, folder, bundled=held),
    )
    size = sum(each["size"] for each in made["files"].values())
    sys.stdout.write(
        f"{target}: Kubernetes {cluster.kubernetes_version}, {', '.join(wanted.architectures)}, "
        f"{len(wanted.images)} images, {len(made['files'])} files, {_mib(size)}\n\n"
        f"  kubeadm-py bundle verify {target} --config {config}\n"
        f"  spec.artifacts: {{source: bundle, path: {target}}}\n"
    )


def verify(
    path: str, *, config: str, architectures: Sequence[str], public_key: str, allow_unknown_fields: bool
) -> None:
    """Check a bundle."""
    cluster = _cluster(config, allow_unknown_fields) if config else None
    key = _file(public_key) if public_key else cluster.artifacts_public_key if cluster else b""
    opened = _open(path, cluster, key)
    bundle.verify_whole(opened, cache_folder=None)
    if cluster is not None:
        lacking = bundles.lacking(opened, bundles.wanted(cluster, architectures or opened.architectures))
        if lacking:
            raise UsageError(
                f"{opened.folder} lacks {len(lacking)} of what {config} needs",
                details=lacking,
                fix=f"kubeadm-py bundle create --config {config} --output DIR",
            )
    signed = "signed by that key" if key else "its signature was not asked for"
    whole = f", all that {config} needs" if cluster else ""
    images = sum(len(held) for held in opened.images.values())
    size = sum(each.size for each in opened.files.values())
    sys.stdout.write(
        f"{path or opened.folder} is whole: Kubernetes {opened.versions.get('kubernetes', '?')}, "
        f"{', '.join(opened.architectures)}, {images} images, {len(opened.files)} files, {_mib(size)}"
        f"{whole}; {signed}\n"
    )


def push(path: str, *, config: str, registry: str, allow_unknown_fields: bool) -> None:
    """Push a bundle's images."""
    cluster = _cluster(config, allow_unknown_fields) if config else None
    if not registry:
        raise UsageError("--registry is missing", fix="--registry HOST[:PORT][/PATH], where the images go")
    try:
        repository(registry)
    except ValueError as error:
        raise UsageError(f"--registry {error}", fix="such as --registry 10.0.0.5:5000/mirror") from None
    opened = _open(path, cluster, cluster.artifacts_public_key if cluster else b"")
    bundle.verify_whole(opened, cache_folder=default_folder())
    name, _, prefix = registry.rstrip("/").partition("/")
    # Its mirrors are for reading.
    *_, own = endpoints(name, cluster.registries if cluster else {})
    done = pushing.push(opened, Api(own), prefix, telling.say)
    plain = [f"  {name}: {{plainHTTP: true}}\n"] if own.settings.plain_http else []
    mirrored = [f"  {each}: {{mirrors: [{registry}]}}\n" for each in done.registries if each != name]
    sys.stdout.write(
        f"{registry} has {done.images} images; {done.blobs} blobs, {_mib(done.size)}, were new\n\n"
        f"spec.registries, for hosts that pull from there:\n{''.join([*plain, *mirrored])}"
    )


def _cluster(config: str, allow_unknown_fields: bool) -> ResolvedCluster:
    if not config:
        raise UsageError("--config is missing", fix="--config cluster.yaml: a bundle is made for a cluster")
    return reading.read_cluster(config, allow_unknown_fields=allow_unknown_fields)


def _open(path: str, cluster: ResolvedCluster | None, key: bytes) -> Bundle:
    if not path and cluster is not None and cluster.artifacts is ArtifactSource.BUNDLE:
        path = cluster.artifacts_path
    if not path:
        raise UsageError("which bundle?", fix="name its folder or tar, or a --config that has one")
    return bundle.read(path, public_key=key)


def _file(path: str) -> bytes:
    try:
        return expanded(path).read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", fix="check the path") from error


def _moment() -> str:
    seconds = os.environ.get("SOURCE_DATE_EPOCH", "")
    moment = datetime.fromtimestamp(int(seconds) if seconds.isdecimal() else _NO_MOMENT, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB"
