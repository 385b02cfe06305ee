"""Write the lines that join a node."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from kubeadm_py.model.secret import Secret
from kubeadm_py.pki import pem
from kubeadm_py.token.bootstrap import Token


def join_command(
    endpoint: str,
    token: Secret,
    ca_pems: Iterable[bytes],
    *,
    certificate_key: Secret | None = None,
    host: str = "USER@NEW-HOST",
) -> tuple[str, str]:
    """Return (the line for kubeadm-py, the line for kubeadm); both hold the token.

    `endpoint` is HOST:PORT or the server URL of a kubeconfig. Each CA of a bundle gives a hash. Ours reads
    the token from standard input, so that it shows in no process list. `certificate_key` gives the form for
    a control-plane host.
    """
    address = endpoint.removeprefix("https://").rstrip("/")
    hashes = dict.fromkeys(found for ca_pem in ca_pems for found in pem.public_key_hashes(ca_pem))
    trust = " ".join(f"--discovery-token-ca-cert-hash {found}" for found in hashes)
    if certificate_key is not None:
        trust += f" --control-plane --certificate-key {certificate_key.text()}"
    full = Token.parse(token).full.text()
    ours = f"kubeadm-py join {shlex.quote(address)} --host {host} --token-file - {trust}"
    return f"echo {full} | {ours}", f"kubeadm join {shlex.quote(address)} --token {full} {trust}"
