"""Check what says how a host is reached; no message repeats what may be a password."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated

from kubeadm_py.config.problems import show
from kubeadm_py.config.scalars import given, one_of, split_endpoint
from kubeadm_py.model.ssh import HostKeys

_SSH_KEY_TYPES = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
)
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@\\-]*\$?\Z")


def ssh_user(value: str) -> str:
    """Return a user name that SSH can be given."""
    if ":" in value:
        raise ValueError("a user name has no colon; a password has no place in a config")
    if not _USER.match(value):
        raise ValueError(f"{show(value)} is not a user name")
    return value


def ssh_host(value: str) -> str:
    """Return a name or address to connect to; names may be aliases of ~/.ssh/config."""
    if not re.fullmatch(r"[A-Za-z0-9_.:%\[\]][A-Za-z0-9_.:%\[\]-]*", value):
        raise ValueError(f"{show(value)} is not a host name or address")
    return value


def bastion(value: str) -> str:
    """Return `[user@]host[:port]` of a jump host."""
    user, at, destination = value.rpartition("@")
    if at:
        ssh_user(user)
    try:
        ssh_host(split_endpoint(destination)[0])
    except ValueError:
        raise ValueError(f"{show(destination)} is not [user@]host[:port]") from None
    return value


def ssh_host_key(value: str) -> str:
    """Return a public key as known_hosts holds it: type and base64; a comment is cut off."""
    words = value.split()
    if len(words) < 2 or words[0] not in _SSH_KEY_TYPES:
        raise ValueError(f"not a host key; write type and key as in known_hosts: {_SSH_KEY_TYPES[0]} AAAA...")
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (binascii.Error, ValueError):
        blob = b""
    name = words[0].encode()
    if not blob.startswith(len(name).to_bytes(4, "big") + name):
        raise ValueError(f"the key is not of type {words[0]}: it was cut or changed while it was copied")
    return f"{words[0]} {words[1]}"


SshUser = Annotated[str, given(ssh_user)]
SshHost = Annotated[str, given(ssh_host)]
SshHostKey = Annotated[str, given(ssh_host_key)]
Bastion = Annotated[str, given(bastion)]
HostKeysPolicy = Annotated[str, one_of(policy.value for policy in HostKeys)]
