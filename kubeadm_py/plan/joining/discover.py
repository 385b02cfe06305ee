"""Find and trust the cluster that hosts join, as seen from one of them; nothing is written anywhere."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import yaml

from kubeadm_py.engine.events import HostProgress, Notice
from kubeadm_py.engine.session import Session
from kubeadm_py.errors import KubeadmPyError, UsageError
from kubeadm_py.model import live
from kubeadm_py.model.bootstrap import Discovery
from kubeadm_py.model.joined import JoinedCluster, KubeletCredentials
from kubeadm_py.model.networking import split_host_port
from kubeadm_py.model.secret import Secret
from kubeadm_py.pki import kubeconfig
from kubeadm_py.pki.kubeconfig import ClusterEntry
from kubeadm_py.plan.joining.servers import endpoint_of
from kubeadm_py.plan.run import Run
from kubeadm_py.token import discovery as tokens
from kubeadm_py.token import errors, tls_bootstrap
from kubeadm_py.token.cluster_info import Clock, Patience
from kubeadm_py.token.fetch import TLSFetch
from kubeadm_py.transport.base import ByteStream

TUNNEL_TIMEOUT_SECONDS = 5.0
SIGNING_SECONDS = 4.0
"""How long a cluster may take to sign what it usually signs within 0.1 s."""
_CONFIG_MAPS = "/api/v1/namespaces/kube-system/configmaps/"


def discover(run: Run, session: Session, wanted: Discovery, file: bytes | None = None) -> JoinedCluster:
    """Find the cluster from `session`'s host and read its configuration with the bootstrap token.

    `file` is the content of a discovery file. Raise the errors of token.errors.
    """
    timeouts = run.cluster.join_timeouts
    clock = Clock(
        time.monotonic,
        lambda seconds: _sleep(run, seconds),
        lambda why: run.bus.emit(HostProgress("look", session.name, why)),
    )
    patience = Patience(deadline=timeouts.discovery.total_seconds())
    if file is not None:
        entry = kubeconfig.cluster_of(file)
        endpoint = endpoint_of(entry.server)
        fetch = _fetch(session, endpoint, entry)
        found = tokens.discover_by_file(fetch, entry, clock=clock, patience=patience)
        login = entry
        if wanted.tls_bootstrap_token is not None:
            login = ClusterEntry("", entry.server, token=wanted.tls_bootstrap_token)
    else:
        if wanted.token is None:
            raise UsageError(
                "no bootstrap token was given",
                fix="give --token-file FILE, or a Cluster document with --config",
            )
        found = tokens.discover(
            _fetch(session, wanted.api_server_endpoint),
            wanted.api_server_endpoint,
            wanted.token,
            wanted.ca_cert_hashes,
            clock=clock,
            patience=patience,
            unsafe_skip_ca_verification=wanted.unsafe_skip_ca_verification,
        )
        login = ClusterEntry("", found.server, token=wanted.tls_bootstrap_token or wanted.token)
    for warning in found.warnings:
        run.bus.emit(Notice("warning", warning, session.name))
    if login.token is None and (login.client_certificate_pem is None or login.client_key is None):
        raise UsageError(
            "the discovery file has no credentials and --tls-bootstrap-token is not given",
            fix="give a token that the kubelet can ask for its certificate with: --tls-bootstrap-token",
        )
    return _configured(session, found, login)


def _configured(session: Session, found: tokens.Discovered, login: ClusterEntry) -> JoinedCluster:
    """Read kubeadm-config and kubelet-config as the joining kubelet may (contract 8.3)."""
    joined = JoinedCluster(
        found.server,
        found.ca_pem,
        login.token or Secret(""),
        client_certificate_pem=None if login.token else login.client_certificate_pem,
        client_key=None if login.token else login.client_key,
    )
    fetch = _fetch(session, endpoint_of(found.server), _as_bootstrapper(joined))
    kubelet = _config_map(fetch, "kubelet-config", "kubelet", joined, session.name)
    cluster = _config_map(fetch, "kubeadm-config", "ClusterConfiguration", joined, session.name)
    return replace(joined, kubelet_config=kubelet, cluster_configuration=cluster)


def _config_map(fetch: TLSFetch, name: str, key: str, joined: JoinedCluster, host: str) -> Mapping[str, Any]:
    status, body = fetch(_CONFIG_MAPS + name, joined.ca_pem)
    if status == 401 and joined.client_certificate_pem is not None:
        raise KubeadmPyError(
            "the cluster does not take the discovery file's client certificate as a login",
            host=host,
            details=["the certificate has expired, or another authority signed it"],
            fix="give a token instead: --tls-bootstrap-token",
        )
    if status == 401:
        raise KubeadmPyError(
            "the cluster does not take the bootstrap token as a login",
            host=host,
            details=["the token has expired, or lacks the usage authentication"],
            fix=errors.NEW_TOKEN,
        )
    if status != 200:
        raise KubeadmPyError(
            f"reading ConfigMap kube-system/{name} failed: HTTP status {status}",
            host=host,
            details=[_message(body)],
            fix="was this cluster made by kubeadm or kubeadm-py, and has the token kubeadm's default group?",
        )
    try:
        document = yaml.load(json.loads(body)["data"][key], Loader=yaml.CSafeLoader)
    except (ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        raise KubeadmPyError(
            f"ConfigMap kube-system/{name} cannot be read: {error!r}",
            host=host,
            fix=f"look: kubectl -n kube-system get configmap {name} -o yaml",
        ) from error
    return document if isinstance(document, dict) else {}


def secret(session: Session, joined: JoinedCluster, name: str) -> Mapping[str, Any] | None:
    """Read a Secret of kube-system as the joining kubelet may; None where there is none.

    Raise KubeadmPyError where the login may not read it.
    """
    fetch = _fetch(session, endpoint_of(joined.server), _as_bootstrapper(joined))
    status, body = fetch(f"/api/v1/namespaces/kube-system/secrets/{name}", joined.ca_pem)
    # RBAC goes with the Secret's upload: before the first one nobody may read it.
    if status == 404 or status == 403:
        return None
    if status != 200:
        raise KubeadmPyError(
            f"reading Secret kube-system/{name} failed: HTTP status {status}",
            host=session.name,
            details=[_message(body)],
            fix=errors.NEW_TOKEN,
        )
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    return document if isinstance(document, dict) else {}


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])[:300]
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace")[:300]


def _fetch(session: Session, endpoint: str, entry: ClusterEntry | None = None) -> TLSFetch:
    host, port = split_host_port(endpoint)

    def open_stream() -> AbstractContextManager[ByteStream]:
        return session.host.tunnel(host, port, TUNNEL_TIMEOUT_SECONDS)

    return TLSFetch(open_stream, endpoint, cluster=entry)


def _as_bootstrapper(joined: JoinedCluster) -> ClusterEntry:
    """Return who the kubelet will be until it has its own certificate."""
    return ClusterEntry(
        "",
        joined.server,
        joined.ca_pem,
        token=joined.tls_bootstrap_token if joined.client_certificate_pem is None else None,
        client_certificate_pem=joined.client_certificate_pem,
        client_key=joined.client_key,
    )


def _sleep(run: Run, seconds: float) -> None:
    run.interrupt.check()
    time.sleep(seconds)


def taken(session: Session, joined: JoinedCluster) -> bool:
    """Say whether a Ready node of the cluster has this host's name already; a token login may ask that."""
    fetch = _fetch(session, endpoint_of(joined.server), _as_bootstrapper(joined))
    status, body = fetch(f"/api/v1/nodes/{session.node.name}", joined.ca_pem)
    try:
        return status == 200 and live.is_ready(json.loads(body))
    except ValueError:
        return False


def kubelet_credentials(
    session: Session, endpoint: str, joined: JoinedCluster, names: Sequence[str]
) -> Mapping[str, KubeletCredentials]:
    """Have kubelets' certificates signed, as their bootstrap token may ask, but for those that take too long.

    `endpoint` is the API's address as `session`'s host reaches it.
    """
    clock = Clock(time.monotonic, time.sleep)
    fetch = _fetch(session, endpoint, _as_bootstrapper(joined))
    try:
        with fetch.session(joined.ca_pem, timeout=SIGNING_SECONDS) as ask:
            return tls_bootstrap.credentials(ask, names, clock=clock, patience=SIGNING_SECONDS / 2)
    except (KubeadmPyError, ValueError, KeyError, TypeError):
        # The kubelets ask for themselves, and their waits tell what is wrong.
        return {}
