"""Find a cluster and learn to trust it before anything is written: kubeadm's discovery (contract 8.1, 8.2).

Nothing here opens a connection or sleeps: fetching, sleeping and the clock are handed in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kubeadm_py.errors import KubeadmPyError, UsageError
from kubeadm_py.model.secret import Secret
from kubeadm_py.pki import kubeconfig, pem
from kubeadm_py.pki.kubeconfig import ClusterEntry
from kubeadm_py.token import errors, jws
from kubeadm_py.token.bootstrap import Token
from kubeadm_py.token.cluster_info import Clock, ClusterInfoReader, Fetch, Patience

DEFAULT_PATIENCE = Patience()


@dataclass(frozen=True, slots=True)
class Discovered:
    """Hold a cluster that is trusted."""

    server: str
    """URL of the API as the cluster itself names it, which may not be the endpoint that was typed."""
    ca_pem: bytes
    warnings: tuple[str, ...] = ()


def discover(
    fetch: Fetch,
    endpoint: str,
    token: Secret,
    pins: Iterable[str],
    *,
    clock: Clock,
    patience: Patience = DEFAULT_PATIENCE,
    unsafe_skip_ca_verification: bool = False,
) -> Discovered:
    """Find a cluster by a bootstrap token and the pinned public keys of its CA (`sha256:HEX`).

    Without pins `unsafe_skip_ca_verification` must be set. Each failure is its own error of token.errors.
    """
    parsed = Token.parse(token)
    pinned = {pin.lower() for pin in pins}
    if not pinned and not unsafe_skip_ca_verification:
        raise UsageError(
            "without a CA certificate hash the cluster cannot be told from an impostor",
            fix="Give --discovery-token-ca-cert-hash sha256:HEX as the join command has it.",
        )
    reader = ClusterInfoReader(fetch, endpoint, clock, patience)
    content = _signed(reader, parsed, None)
    server, ca_pem = _cluster(content, endpoint)
    if not pinned:
        return Discovered(server, ca_pem, ("the cluster's CA was not verified",))
    _check_pins(ca_pem, pinned, endpoint)
    if _signed(reader, parsed, ca_pem) != content:
        raise errors.ClusterInfoChangedError(
            f"{endpoint} gives another cluster-info over verified TLS than without",
            fix="Try again. If it stays so, find out what answers between this host and the API server.",
        )
    return Discovered(server, ca_pem)


def discover_by_file(
    fetch: Fetch, cluster: ClusterEntry, *, clock: Clock, patience: Patience = DEFAULT_PATIENCE
) -> Discovered:
    """Check a discovery file's cluster against its own cluster-info; the file's server is what counts.

    `fetch` speaks to that server and knows `cluster`: its credentials, and that without a CA the system's
    trust store decides. A refusal to show cluster-info only warns.
    """
    if cluster.insecure:
        raise errors.DiscoveryError(
            "the discovery file says insecure-skip-tls-verify, so it proves nothing about the cluster",
            fix="Put the cluster's certificate-authority-data into the discovery file instead.",
        )
    reader = ClusterInfoReader(fetch, cluster.server, clock, patience)
    content = reader.read(cluster.ca_pem)
    if content is None:
        if cluster.ca_pem is None:
            raise errors.AnonymousRefusedError(
                f"{cluster.server} does not show its cluster-info, and the discovery file holds no CA",
                fix="Put the cluster's certificate-authority-data into the discovery file.",
            )
        warning = f"{cluster.server} does not show its cluster-info: the discovery file is trusted as it is"
        return Discovered(cluster.server, cluster.ca_pem, (warning,))
    server, ca_pem = _cluster(content, cluster.server)
    warnings: tuple[str, ...] = ()
    if server != cluster.server:
        warnings = (f"the discovery file names the server {cluster.server}, cluster-info names {server}",)
    return Discovered(cluster.server, cluster.ca_pem or ca_pem, warnings)


def _signed(reader: ClusterInfoReader, token: Token, ca_pem: bytes | None) -> bytes:
    content, signature = reader.read_signed(token.id, ca_pem)
    if not jws.verify(content, signature, token):
        raise errors.WrongTokenError(
            f"the token's secret is wrong, or {reader.endpoint} is not the cluster that made the token",
            details=[f"the signature for token id {token.id} in cluster-info does not fit the token"],
            fix=errors.NEW_TOKEN,
        )
    return content


def _cluster(content: bytes, endpoint: str) -> tuple[str, bytes]:
    try:
        cluster = kubeconfig.only_cluster(content, f"the cluster-info of {endpoint}")
    except KubeadmPyError as error:
        raise _unusable(error.summary) from None
    if cluster.ca_pem is None:
        raise _unusable(f"the cluster-info of {endpoint} holds no CA certificate")
    return cluster.server, cluster.ca_pem


def _check_pins(ca_pem: bytes, pinned: set[str], endpoint: str) -> None:
    try:
        found = pem.public_key_hashes(ca_pem)
    except KubeadmPyError as error:
        raise _unusable(error.summary) from None
    if not pinned & set(found):
        raise errors.PinMismatchError(
            f"the CA of {endpoint} is not the one of the given hash",
            details=[
                *(f"given: {pin}" for pin in sorted(pinned)),
                *(f"found: {public_key}" for public_key in found),
            ],
            fix=f"Make sure that {endpoint} is the cluster that you mean. {errors.NEW_TOKEN}",
        )


def _unusable(found: str) -> errors.ClusterInfoError:
    return errors.ClusterInfoError(
        found, fix="Look at it with: kubectl -n kube-public get configmap cluster-info -o yaml"
    )
