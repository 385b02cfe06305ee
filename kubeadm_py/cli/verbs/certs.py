"""Run `kubeadm-py certs ...`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kubeadm_py.cli.frame import Display
from kubeadm_py.cli.verbs import common, plans, printing, reading, subject
from kubeadm_py.cli.verbs.errand import errand, reachable
from kubeadm_py.config.complete import complete
from kubeadm_py.config.durations import parse_duration
from kubeadm_py.config.flags import from_init_flags
from kubeadm_py.engine.session import Session
from kubeadm_py.errors import KubeadmPyError, UsageError
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node, Role
from kubeadm_py.pki import csr, expiry
from kubeadm_py.plan.certificates import renew as renewing
from kubeadm_py.plan.certificates import serving
from kubeadm_py.plan.certificates.renew import RenewReport
from kubeadm_py.plan.run import Options, RunFailedError, running
from kubeadm_py.steps import renew as steps
from kubeadm_py.transport.fanout import fan_out


def check_expiration(
    *,
    config: str,
    hosts: Sequence[str],
    cert_dir: str,
    kubeconfig: str,
    output: str,
    allow_missing: bool = True,
    allow_unknown_fields: bool = False,
) -> None:
    """Print when certificates end: those of the files, and those that the running processes serve."""
    form = printing.form(output, allow_missing=allow_missing)
    about = subject.of_cluster(
        config, hosts, cert_dir=cert_dir, kubeconfig=kubeconfig, allow_unknown_fields=allow_unknown_fields
    )
    reading.tell_warnings(about.loaded)
    with errand("certs", about.cluster, config) as run:
        failed = list(reachable(run, about.targets, ()))
        if about.complete is not None:
            facts = {name: session.facts for name, session in run.sessions.items()}
            run.use(about.complete(run.cluster, facts))
        sessions = list(run.sessions.values())
        cluster = run.cluster
        outcomes = fan_out(sessions, lambda session: _seen(cluster, session))
        found = {name: outcome.value for name, outcome in outcomes.items() if outcome.value is not None}
        for outcome in outcomes.values():
            if isinstance(outcome.error, KubeadmPyError):
                failed.append(outcome.error)
            elif outcome.error is not None:
                raise outcome.error
    told = [session for session in sessions if session.name in found]
    _print_all(cluster, told, found, form, named=len(about.targets) > 1)
    failed += [error for session in told for error in _unreadable(cluster, session)]
    if failed:
        # What the others hold is told first: who looks when certificates end wants to know it of them.
        raise RunFailedError(failed)


def _unreadable(cluster: ResolvedCluster, session: Session) -> list[KubeadmPyError]:
    """Return an error for a host with files that should be certificates and are not."""
    if session.node.role is Role.WORKER:
        return []
    of_host, files = cluster.at(session.node), session.facts.files
    listed = [
        *expiry.certificates(of_host, session.node, files),
        *expiry.authorities(of_host, session.node, files),
    ]
    broken = [each.path for each in listed if each.broken]
    if not broken:
        return []
    return [
        KubeadmPyError(
            f"there is no certificate in {', '.join(broken)}",
            host=session.name,
            fix="put the file back, or remove it: init makes what is missing, but for an authority",
        )
    ]


def _print_all(
    cluster: ResolvedCluster,
    sessions: Sequence[Session],
    found: Mapping[str, Seen],
    form: printing.Form,
    *,
    named: bool,
) -> None:
    now = datetime.now(UTC)
    if form.is_text:
        for number, session in enumerate(sessions):
            if named:
                sys.stdout.write(("\n" if number else "") + f"{session.name}\n\n")
            _print(cluster, session, *found[session.name], now)
        return
    form.print(_document(cluster, session, *found[session.name], now) for session in sessions)


Seen = tuple[list[serving.Served], tuple[str, ...] | None]
"""What a host serves, and what has to be restarted there; None where nobody knows."""


def _seen(cluster: ResolvedCluster, session: Session) -> Seen:
    served = serving.look(cluster, session)
    if session.node.role is Role.WORKER:
        return served, ()
    started = serving.started(session)
    if started is None:
        return served, None
    ctx = renewing.context(cluster, session, datetime.now(UTC))
    return served, steps.decide(ctx, steps.names(), started=started).stale


def _print(
    cluster: ResolvedCluster,
    session: Session,
    served: Sequence[serving.Served],
    stale: Sequence[str] | None,
    now: datetime,
) -> None:
    if session.node.role is not Role.WORKER:
        cluster = cluster.at(session.node)
        listed = expiry.certificates(cluster, session.node, session.facts.files)
        printing.table(expiry.COLUMNS, (each.cells(now) for each in listed))
        sys.stdout.write("\n")
        authorities = expiry.authorities(cluster, session.node, session.facts.files)
        printing.table(expiry.AUTHORITY_COLUMNS, (each.cells(now) for each in authorities))
        sys.stdout.write("\n")
    printing.table(serving.COLUMNS, (each.cells(now) for each in served))
    if stale is None:
        sys.stdout.write(
            "\ncrictl reaches no container runtime: it is not known whether anything runs with older"
            " certificates\n"
        )
    elif stale:
        sys.stdout.write(
            f"\n{', '.join(stale)}: running since before a certificate that it uses was renewed;"
            " kubeadm-py certs renew all --if-ends-within 0s restarts it\n"
        )


def _document(
    cluster: ResolvedCluster,
    session: Session,
    served: Sequence[serving.Served],
    stale: Sequence[str] | None,
    now: datetime,
) -> dict[str, Any]:
    """Return kubeadm's object, and beside its keys the host and what it serves."""
    files, node, cluster = session.facts.files, session.node, cluster.at(session.node)
    none = node.role is Role.WORKER
    certificates = [] if none else expiry.certificates(cluster, node, files)
    authorities = [] if none else expiry.authorities(cluster, node, files)
    return {
        "kind": "CertificateExpirationInfo",
        "apiVersion": expiry.OUTPUT_API_VERSION,
        "certificates": [each.as_json(now) for each in certificates],
        "certificateAuthorities": [each.as_json(now) for each in authorities],
        "host": session.name,
        "served": [each.as_json(now) for each in served],
        "restartNeeded": None if stale is None else list(stale),
    }


def renew(
    display: Display,
    *,
    name: str,
    config: str,
    hosts: Sequence[str],
    cert_dir: str,
    kubeconfig: str,
    within: str,
    dry_run: bool,
    allow_unknown_fields: bool = False,
) -> None:
    """Renew one certificate or all on control planes, and restart what uses them."""
    renewing.wanted(name)
    limit = _duration(within)
    about = subject.of_cluster(
        config,
        hosts,
        cert_dir=cert_dir,
        kubeconfig=kubeconfig,
        control_planes=True,
        allow_unknown_fields=allow_unknown_fields,
    )
    workers = [node.name for node in about.targets if node.role is Role.WORKER]
    if workers:
        raise UsageError(
            f"--host {', '.join(workers)}: not a control plane",
            fix="a worker's only certificate is its kubelet's, which the kubelet renews by itself; once it"
            f" has ended: kubeadm-py reset --config {config or 'FILE'} --host {workers[0]}, then join again",
        )
    options = Options(dry_run=dry_run)
    with common.a_run("certs", about.cluster, display, options, config) as a_run:
        reading.tell_warnings(about.loaded, a_run.warn)
        with running(a_run, hosts=about.targets) as end:
            report = renewing.renew(a_run, about.targets, name, within=limit, complete=about.complete)
            if dry_run:
                end.verdict = plans.show_plan(a_run, report.plan)
                return
            end.verdict = _verdict(report)
            named = f" --config {config}" if config else ""
            if report.changed:
                end.next = (f"kubeadm-py certs check-expiration{named}",)


def _verdict(report: RenewReport) -> str:
    renewed = {host: len(each.signed) for host, each in report.decisions.items() if each.signed}
    if not report.changed:
        return "nothing was renewed: nothing had to be"
    if not renewed:
        return "restarted what ran with older certificates"
    count = sum(renewed.values())
    noun = "certificate" if count == 1 else "certificates"
    return f"{count} {noun} renewed on {', '.join(renewed)}, and what uses them restarted"


def _duration(text: str) -> timedelta | None:
    if not text:
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--if-ends-within {text!r}: {error}", fix="write it like 720h") from error


def generate_csr(
    *,
    config: str,
    hosts: Sequence[str],
    cert_dir: str,
    kubeconfig_dir: str,
    allow_unknown_fields: bool = False,
) -> None:
    """Write keys and requests for a control plane to this machine, for a CA whose key is elsewhere."""
    cluster, node = _for_requests(config, hosts, bool(cert_dir and kubeconfig_dir), allow_unknown_fields)
    folders = (Path(cert_dir or cluster.certificates_dir), Path(kubeconfig_dir or "/etc/kubernetes"))
    made = [(folders[each.of_kubeconfig] / each.path, each) for each in csr.generated(cluster, node)]
    there = [str(path) for path, _ in made if path.exists()]
    if there:
        raise UsageError(
            f"{there[0]} exists already: a key that is in use may be there",
            details=there[1:],
            fix="name empty folders: --cert-dir DIR --kubeconfig-dir DIR",
        )
    _write_all([(path, each.content.reveal()) for path, each in made])
    sys.stdout.write("".join(f"{path}\n" for path, _ in made))


def _for_requests(
    config: str, hosts: Sequence[str], named: bool, allow_unknown_fields: bool
) -> tuple[ResolvedCluster, Node]:
    """Return the cluster, and the one control plane of it that the requests are for."""
    if not config:
        return _completed(from_init_flags())
    loaded = reading.read_config(config, allow_unknown_fields=allow_unknown_fields)
    reading.tell_warnings(loaded)
    if not loaded.has_cluster_document:
        return _completed(loaded.cluster)
    chosen = reading.choose(loaded.cluster, hosts) if hosts else list(loaded.cluster.control_planes)
    names = ", ".join(node.name for node in loaded.cluster.control_planes)
    if len(chosen) != 1 or chosen[0].role is not Role.CONTROL_PLANE:
        raise UsageError(
            "requests are made for one control plane at a time: their names differ",
            fix=f"add --host NAME; the control planes of the file are {names}",
        )
    if not named:
        raise UsageError(
            "--cert-dir and --kubeconfig-dir are missing: the files are written on this machine",
            fix=f"for example: --cert-dir {chosen[0].name}/pki --kubeconfig-dir {chosen[0].name}",
        )
    return loaded.cluster, chosen[0]


def _completed(cluster: ResolvedCluster) -> tuple[ResolvedCluster, Node]:
    """Fill in what only this machine knows, where the config does not say it."""
    (node,) = cluster.nodes
    if node.unnamed or not (node.addresses and node.advertise_address):
        with errand("certs", cluster) as run:
            run.look([node], lock=False, parts=("system", "network", "resolve"))
            cluster = complete(cluster, {name: session.facts for name, session in run.sessions.items()})
    return cluster, cluster.control_planes[0]


def _write_all(files: Sequence[tuple[Path, bytes]]) -> None:
    """Write all files or none: part of them would stand in the way of the next run."""
    written: list[Path] = []
    try:
        for path, content in files:
            _write_new(path, content)
            written.append(path)
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise


def _write_new(path: Path, content: bytes) -> None:
    """Write a file that must not be there yet, 0600 from the first byte; leave none that is not whole."""
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, csr.MODE)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}", fix="name folders of your own"
        ) from error
