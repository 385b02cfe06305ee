"""Run `kubeadm-py kubeconfig user`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from kubeadm_py.cli import telling
from kubeadm_py.cli.verbs import reading, secrets_given, subject
from kubeadm_py.cli.verbs.errand import errand, first
from kubeadm_py.config.durations import parse_duration
from kubeadm_py.engine.session import Session
from kubeadm_py.errors import KubeadmPyError, UsageError
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.secret import Secret
from kubeadm_py.pki import kubeconfig
from kubeadm_py.pki.authority import Authorities
from kubeadm_py.pki.requests import KubeconfigRequest, kubeconfig_requests
from kubeadm_py.plan.certificates.producers import read_files

LONGER_IS_RISKY = timedelta(hours=8760)
"""kubeadm warns of a client certificate that lasts longer: it cannot be taken back."""
_PARTS = ("system", "files", "network", "resolve")


def user(
    *,
    config: str,
    hosts: Sequence[str],
    client_name: str,
    organizations: Sequence[str],
    token: str,
    token_file: str,
    validity_period: str,
    allow_unknown_fields: bool = False,
) -> None:
    """Print a kubeconfig for one more user, with a client certificate that the cluster's CA signs."""
    if not client_name.strip():
        raise UsageError(
            "--client-name is empty: nobody would be logged in with it",
            fix="name the user: --client-name jane",
        )
    if token and token_file:
        raise UsageError("--token and --token-file exclude each other", fix="keep --token-file")
    validity = _validity(validity_period)
    secret = (
        Secret(secrets_given.content(token_file) if token_file else token) if token or token_file else None
    )
    about = subject.of_cluster(config, hosts, control_planes=True, allow_unknown_fields=allow_unknown_fields)
    reading.tell_warnings(about.loaded)
    with errand("kubeconfig", about.cluster, config) as run:
        session = first(run, about.targets, () if about.complete else _PARTS)
        if about.complete is not None:
            run.use(about.complete(run.cluster, {session.name: session.facts}))
        cluster = run.cluster
        admin = next(
            request for request in kubeconfig_requests(cluster, session.node) if request.name == "admin.conf"
        )
        wanted = replace(
            admin,
            name="the client certificate",
            path="",
            user=client_name,
            organizations=tuple(organizations),
            validity=validity or admin.validity,
        )
        content = (
            _with_token(cluster, session, wanted, secret) if secret else _signed(cluster, session, wanted)
        )
    if wanted.validity > LONGER_IS_RISKY and secret is None:
        telling.warn("the client certificate lasts longer than a year, and it cannot be taken back")
    sys.stdout.write(content.decode())


def _with_token(
    cluster: ResolvedCluster, session: Session, wanted: KubeconfigRequest, token: Secret
) -> bytes:
    ca = f"{cluster.certificates_dir}/ca.crt"
    _refuse_elsewhere(session, ca)
    ca_pem = read_files(session, [ca])[ca]
    return kubeconfig.render(wanted.cluster_name, wanted.server, ca_pem, wanted.user, token=token)


def _signed(cluster: ResolvedCluster, session: Session, wanted: KubeconfigRequest) -> bytes:
    certificate, key = (f"{cluster.certificates_dir}/ca.{half}" for half in ("crt", "key"))
    _refuse_elsewhere(session, certificate)
    if key not in session.facts.files:
        raise KubeadmPyError(
            f"{key} is not there: an external CA has to sign the client certificate",
            host=session.name,
            fix="name a control plane that has the key, sign a request with your CA, or give --token-file",
        )
    content = read_files(session, [certificate, key])
    with Authorities.from_existing(
        {"ca": (content[certificate], Secret(content[key]))}, now=datetime.now(UTC)
    ) as authorities:
        made = authorities.kubeconfig(wanted)
        for warning in authorities.warnings:
            telling.warn(warning, session.name)
    return made


def _refuse_elsewhere(session: Session, certificate: str) -> None:
    if certificate not in session.facts.files:
        raise KubeadmPyError(
            f"{certificate} is not there: this host is no control plane of a cluster",
            host=session.name,
            fix="name one that runs: --config FILE, --host NAME",
        )


def _validity(text: str) -> timedelta | None:
    try:
        return parse_duration(text) if text else None
    except ValueError as error:
        raise UsageError(f"--validity-period {text!r}: {error}", fix="write it like 8760h0m0s") from error
