"""Run `kubeadm-py kubeconfig get`."""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from kubeadm_py.cli import telling
from kubeadm_py.cli.verbs import common
from kubeadm_py.cli.verbs.leader import leader
from kubeadm_py.errors import KubeadmPyError, LockedError, UsageError
from kubeadm_py.local_path import expanded
from kubeadm_py.model import endpoint, paths
from kubeadm_py.model.cluster import LoadBalancer, ResolvedCluster
from kubeadm_py.pki import kubeconfig, kubeconfig_merge, pem
from kubeadm_py.transport.base import Host

LOCK_SECONDS = 10.0


def get(
    *,
    config: str,
    hosts: Sequence[str],
    merge: bool,
    path: bool,
    output: str,
    replace: bool = False,
    allow_unknown_fields: bool = False,
) -> None:
    """Fetch admin.conf and print it, keep it, write it, or merge it."""
    if sum(map(bool, (merge, path, output))) > 1:
        raise UsageError("--merge, --path and --output exclude each other", fix="give one of them")
    with leader(config, hosts, verb="kubeconfig", allow_unknown_fields=allow_unknown_fields) as (
        cluster,
        host,
    ):
        try:
            content = _of_operator(cluster, host)
        except FileNotFoundError:
            raise KubeadmPyError(
                f"{paths.ADMIN_CONF} is not there: this host is no control plane yet",
                host=host.name,
                fix=f"kubeadm-py init --config {config}" if config else "kubeadm-py init",
            ) from None
    name = cluster.name if cluster else "local"
    if merge:
        target = _own_kubeconfig()
        with _locked(target):
            backup = _merge(target, content, name, replace=replace)
        before = f"; before: {backup}" if backup else ""
        telling.say(f"merged into {target}, context kubernetes-admin@{name}{before}")
    elif output:
        _write(expanded(output), content)
    elif path:
        sys.stdout.write(f"{keep(name, content)}\n")
    else:
        sys.stdout.write(content.decode())


def keep(name: str, content: bytes) -> Path:
    """Keep a cluster's kubeconfig in local state and return its file."""
    target = _kept(name, content)
    try:
        common.make_state_folder()
    except OSError as error:
        raise _unwritable(target, error) from error
    _write(target, content)
    return target


def follow(cluster: ResolvedCluster, host: Host) -> Path | None:
    """Have the kubeconfig that `--path` has kept here, if any, follow the cluster's endpoint."""
    content = _of_operator(cluster, host)
    kept = _kept(cluster.name, content)
    if not kept.exists() or kept.read_bytes() == content:
        return None
    _write(kept, content)
    return kept


def _of_operator(cluster: ResolvedCluster | None, host: Host) -> bytes:
    """Return admin.conf as it is of use here; raise FileNotFoundError where the host has none."""
    content = host.read(paths.ADMIN_CONF)
    if cluster is None or cluster.load_balancer is not LoadBalancer.NODE_LOCAL:
        return content
    # The endpoint's name means something on the cluster's own hosts only.
    server = f"https://{cluster.node(host.name).local_endpoint}"
    return kubeconfig.at_another_address(content, server, endpoint.host(cluster))


def _own_kubeconfig() -> Path:
    """Return the file that kubectl would write to: the first of $KUBECONFIG, else ~/.kube/config."""
    named = [part for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return expanded(named[0] if named else "~/.kube/config")


@contextlib.contextmanager
def _locked(target: Path) -> Iterator[None]:
    """Hold the lock that kubectl takes too: a file beside the kubeconfig that only one can make."""
    lock = target.resolve().with_name(f"{target.resolve().name}.lock")
    deadline = time.monotonic() + LOCK_SECONDS
    try:
        lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        while True:
            try:
                os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
                break
            except FileExistsError:
                if time.monotonic() > deadline:
                    raise LockedError(
                        f"{target} is locked by another program, for {LOCK_SECONDS:g} s and more",
                        fix=f"is kubectl config still at work? if nothing is: rm {lock}",
                    ) from None
                time.sleep(0.1)
    except OSError as error:
        raise UsageError(
            f"{lock} cannot be made: {error.strerror}", fix="name another file in $KUBECONFIG"
        ) from error
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def _merge(target: Path, content: bytes, name: str, *, replace: bool) -> Path | None:
    try:
        existing = target.read_bytes() if target.exists() else b""
    except OSError as error:
        raise UsageError(
            f"{target} cannot be read: {error.strerror}", fix="name another file in $KUBECONFIG"
        ) from error
    context = f"kubernetes-admin@{name}"
    merged = kubeconfig_merge.merge(existing, content, context, replace=replace, what=str(target))
    if merged == existing:
        return None
    backup = None
    if existing:
        backup = _backup(target)
        _write(backup, existing)
    _write(target, merged)
    return backup


def _backup(target: Path) -> Path:
    """Return the name of a backup that does not exist yet, not even where one was made this very second."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    path = target.with_name(f"{target.name}.{stamp}.bak")
    for number in itertools.count(2):
        if not path.exists():
            break
        path = target.with_name(f"{target.name}.{stamp}-{number}.bak")
    return path


def _kept(name: str, content: bytes) -> Path:
    """Return where a cluster's kubeconfig is kept: local state is keyed by name and CA."""
    ca_pem = kubeconfig.cluster_of(content).ca_pem or b""
    digest = pem.public_key_hashes(ca_pem)[0].removeprefix("sha256:")[:12] if ca_pem else "unknown"
    folder = common.state_folder() / f"{name}-{digest}"
    return folder / "admin.conf"


def _write(target: Path, content: bytes) -> None:
    """Write a file with a key in it: 0600 from the first byte, in one step."""
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A symlink stays one: what it points to is replaced.
        target = target.resolve()
        descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _unwritable(target, error) from error


def _unwritable(target: Path, error: OSError) -> UsageError:
    return UsageError(f"{target} cannot be written: {error.strerror}", fix="name another file with --output")
