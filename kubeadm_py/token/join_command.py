"""Write the lines that join a node."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

from kubeadm_py.errors import UsageError
from kubeadm_py.model.secret import Secret
from kubeadm_py.pki import pem
from kubeadm_py.token.bootstrap import Token

_PIN = re.compile(r"sha256:[0-9a-f]{64}", re.IGNORECASE)


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


def parse_pins(pins: Iterable[str]) -> tuple[str, ...]:
    """Check `sha256:HEX` pins and return them in lower case."""
    checked = []
    for pin in pins:
        if not _PIN.fullmatch(pin):
            raise UsageError(
                f"{pin!r} is not a CA certificate hash",
                details=["it must be sha256: and 64 hexadecimal digits"],
                fix="For the right one type: kubeadm-py token create --print-join-command",
            )
        checked.append(pin.lower())
    return tuple(checked)
