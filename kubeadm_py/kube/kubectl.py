"""Run kubectl on a control-plane host, as its administrator."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import Any

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model import paths
from kubeadm_py.transport.base import Host

TIMEOUT_SECONDS = 60.0
_NO_KUBECONFIG = 66
"""What our script ends with, and kubectl never does."""
_NOT_FOUND = 127
"""A shell's own."""


def command(arguments: Sequence[str], kubeconfig: str = paths.ADMIN_CONF) -> str:
    """Return a kubectl command line for a script on a host."""
    return (
        f"PATH=$PATH:/usr/local/bin; kubectl --cache-dir {paths.KUBECTL_CACHE} "
        f"--kubeconfig {shlex.quote(kubeconfig)} --request-timeout 20s {shlex.join(arguments)}"
    )


def run(
    host: Host,
    arguments: Sequence[str],
    *,
    stdin: bytes | None = None,
    doing: str,
    kubeconfig: str = paths.ADMIN_CONF,
) -> bytes:
    """Run kubectl in one round trip and return what it printed; raise KubeadmPyError where it fails.

    `doing` says in words what is being done, for the error. `kubeconfig` is a path on the host.
    """
    script = f"[ -e {shlex.quote(kubeconfig)} ] || exit {_NO_KUBECONFIG}; {command(arguments, kubeconfig)}"
    result = host.run(script, stdin=stdin, timeout=TIMEOUT_SECONDS)
    if result.exit_code == _NO_KUBECONFIG:
        raise _no_kubeconfig(host.name, doing, kubeconfig)
    if result.exit_code == _NOT_FOUND:
        raise KubeadmPyError(
            f"{doing} failed: there is no kubectl",
            host=host.name,
            fix="install kubectl there, in /usr/bin or /usr/local/bin",
        )
    if not result.ok:
        raise failed(host.name, doing, result.stderr, kubeconfig)
    return result.stdout


def failed(host: str, doing: str, stderr: bytes, kubeconfig: str = paths.ADMIN_CONF) -> KubeadmPyError:
    """Return what is told of a kubectl that failed for whatever reason."""
    lines = [line for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    if any(f"stat {kubeconfig}: no such file" in line for line in lines):
        return _no_kubeconfig(host, doing, kubeconfig)
    return KubeadmPyError(
        f"{doing} failed",
        host=host,
        details=lines[-5:],
        fix=f"does this control plane answer? kubectl --kubeconfig {shlex.quote(kubeconfig)} get nodes",
    )


def _no_kubeconfig(host: str, doing: str, kubeconfig: str) -> KubeadmPyError:
    return KubeadmPyError(
        f"{doing} failed: {kubeconfig} is not there",
        host=host,
        details=["only a control plane that runs has it"] if kubeconfig == paths.ADMIN_CONF else (),
        fix="name one that runs: --config FILE, --host NAME; there is none yet? kubeadm-py init or apply",
    )


def get_json(
    host: Host, arguments: Sequence[str], *, doing: str, kubeconfig: str = paths.ADMIN_CONF
) -> dict[str, Any]:
    """Return the object that `kubectl get ... -o json` prints."""
    answer = run(host, ["get", *arguments, "-o", "json"], doing=doing, kubeconfig=kubeconfig)
    try:
        document = json.loads(answer)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise KubeadmPyError(
            f"{doing} failed: kubectl's answer is no JSON object",
            host=host.name,
            details=answer.decode(errors="replace").splitlines()[:5],
            fix="is kubectl there the real one?",
        )
    return document
