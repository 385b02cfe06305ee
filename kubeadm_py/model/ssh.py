"""Say how a host is reached over SSH."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class HostKeys(StrEnum):
    """Name how a host's SSH key is checked."""

    PINNED = "pinned"
    KNOWN_HOSTS = "known-hosts"
    ACCEPT_NEW = "accept-new"


@dataclass(frozen=True, slots=True)
class SSH:
    """Say how to reach a host; absent values come from ~/.ssh/config or the SSH defaults."""

    host: str
    user: str = ""
    port: int | None = None
    identity_file: str = ""
    host_keys: HostKeys = HostKeys.KNOWN_HOSTS
    host_key: str = ""
    known_hosts: str = ""
    bastion: str = ""
    sudo: bool | None = None
    """None: use sudo unless the user is root."""
    sudo_password_file: str = ""
    flag: str = ""
    """What --host says, where that names the host; empty for hosts of a file."""
