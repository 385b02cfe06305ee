"""Check how a joining host finds and trusts its cluster (kubeadm contract 2.9 and 8)."""

from __future__ import annotations

from pathlib import Path as FilePath

from kubeadm_py.config.kubeadm_types import BootstrapTokenDiscovery, FileDiscovery
from kubeadm_py.config.local_paths import on_this_machine
from kubeadm_py.config.problems import Path, Place, Problems, show
from kubeadm_py.config.whole import Whole
from kubeadm_py.local_path import is_file

DISCOVERY: Path = ("discovery",)
_FILE_SCHEME = "file://"


def check_discovery(whole: Whole, problems: Problems) -> None:
    """Add every problem with JoinConfiguration.discovery."""
    place, discovery = whole.join.document, whole.join.value.discovery
    if discovery is None:
        if whole.join.given and not whole.cluster.given and not whole.control_plane_here:
            problems.missing(
                place, DISCOVERY, "missing; give bootstrapToken or file, to find and trust the cluster"
            )
        return
    by_token, by_file = discovery.bootstrap_token, discovery.file
    if by_token is not None and by_file is not None:
        problems.error(place, DISCOVERY, "bootstrapToken and file are both given; keep one of them")
    elif by_token is not None:
        _check_token(place, by_token, problems)
    elif by_file is not None:
        _check_file(place, by_file, whole.folder, problems)
    else:
        problems.missing(place, DISCOVERY, "give bootstrapToken or file, to find and trust the cluster")
    if whole.join.value.ca_cert_path and not whole.join.value.ca_cert_path.endswith(".crt"):
        problems.error(place, ("caCertPath",), f"{show(whole.join.value.ca_cert_path)} does not end in .crt")


def _check_token(place: Place, discovery: BootstrapTokenDiscovery, problems: Problems) -> None:
    path = (*DISCOVERY, "bootstrapToken")
    if discovery.token is None:
        problems.missing(
            place, (*path, "token"), "missing; kubeadm-py token create makes one on the control plane"
        )
    if not discovery.api_server_endpoint:
        problems.missing(place, (*path, "apiServerEndpoint"), "missing; it is host:port of the API")
    if not discovery.ca_cert_hashes and not discovery.unsafe_skip_ca_verification:
        label = place.label((*path, "unsafeSkipCAVerification"))
        switch = label if label.startswith("--") else "unsafeSkipCAVerification: true"
        problems.missing(
            place,
            (*path, "caCertHashes"),
            f"missing; pin the cluster's CA with sha256:<hash>, or set {switch} to trust whoever answers",
        )


def _check_file(place: Place, discovery: FileDiscovery, folder: FilePath, problems: Problems) -> None:
    path = (*DISCOVERY, "file", "kubeConfigPath")
    written = discovery.kube_config_path
    if not written:
        problems.missing(place, path, "missing; name a kubeconfig file or an https:// URL")
    elif written.startswith("http://"):
        problems.error(place, path, "http:// is not accepted: anyone on the way could answer; use https://")
    elif not written.startswith("https://") and not is_file(discovery_file(written, folder)):
        problems.error(place, path, f"no such file: {show(discovery_file(written, folder))}")


def discovery_file(written: str, folder: FilePath) -> str:
    """Return the https URL as it is, a path or file:// URL as an absolute path."""
    if written.startswith("https://"):
        return written
    return on_this_machine(written.removeprefix(_FILE_SCHEME), folder)
