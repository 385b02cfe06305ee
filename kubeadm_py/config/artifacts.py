"""Check where artifacts come from against the rest of the config, and read what a bundle is signed with."""

from __future__ import annotations

from pathlib import Path as FilePath

from kubeadm_py.config.defaults import MAX_FILE_BYTES
from kubeadm_py.config.local_paths import on_this_machine
from kubeadm_py.config.own_files import read_local
from kubeadm_py.config.problems import Path, Problems, show
from kubeadm_py.config.whole import Whole
from kubeadm_py.model.cluster import ArtifactSource
from kubeadm_py.model.images import DEFAULT_REPOSITORY

ALWAYS_PULL = "AlwaysPullImages"
_PUBLIC_KEY: Path = ("spec", "artifacts", "publicKey")


def read_public_key(whole: Whole, problems: Problems) -> bytes:
    """Return the key that the bundle has to be signed with; empty where the config names none."""
    _check_always_pull(whole, problems)
    place, artifacts = whole.cluster.document, whole.cluster.value.spec.artifacts
    written = artifacts.public_key
    if not written:
        return b""
    if artifacts.source != ArtifactSource.BUNDLE:
        problems.error(place, _PUBLIC_KEY, "only a bundle is signed with a key of one's own; source: bundle")
    content, _ = read_local(FilePath(on_this_machine(written, whole.folder)), written, MAX_FILE_BYTES)
    if isinstance(content, str):
        problems.error(place, _PUBLIC_KEY, content)
        return b""
    if b"-----BEGIN PUBLIC KEY-----" not in content:
        problems.error(place, _PUBLIC_KEY, f"{show(written)} holds no public key in PEM")
    return content


def _check_always_pull(whole: Whole, problems: Problems) -> None:
    """Refuse an admission plugin that has every image pulled where there is nowhere to pull from."""
    spec, shared = whole.cluster.value.spec, whole.cluster_configuration
    if spec.artifacts.source != ArtifactSource.BUNDLE:
        return
    if shared.value.image_repository not in ("", DEFAULT_REPOSITORY):
        return
    if any(each.mirrors or each.replace_with for each in spec.registries.values()):
        return
    for index, arg in enumerate(shared.value.api_server.extra_args):
        if arg.name == "enable-admission-plugins" and ALWAYS_PULL in arg.value.split(","):
            message = (
                f"{ALWAYS_PULL} has every image pulled anew, and they come from a bundle only: leave it out, "
                "or name a registry that has them (kubeadm-py bundle push): spec.registries.NAME.mirrors"
            )
            problems.error(shared.document, ("apiServer", "extraArgs", index), message)
