"""Check values that name image registries."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

from kubeadm_py.config.problems import show
from kubeadm_py.config.scalars import given, no_control_characters

_NAME = r"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::[0-9]{1,5})?"
_PATH = r"(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*"
_REGISTRY = re.compile(_NAME)
_REPOSITORY = re.compile(_NAME + _PATH)


def registry_name(value: str) -> str:
    """Return a registry's name as image references begin with it."""
    if not _REGISTRY.fullmatch(value):
        raise ValueError(
            f"{show(value)} is not a registry as images name it: HOST[:PORT], no scheme, no path"
        )
    return value


def mirror(value: str) -> str:
    """Return a mirror as it was written: a URL, or HOST[:PORT][/PATH]."""
    no_control_characters(value)
    scheme, separator, rest = value.partition("://")
    try:
        parts = urlsplit(value if separator else f"https://{value}")
        known = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        known = False
    if not known or (separator and scheme not in ("http", "https")):
        raise ValueError(f"{show(value)} is not a mirror: an http(s) URL, or HOST[:PORT][/PATH]")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("a mirror has no user, ? or # in its URL; credentials go into a credentialsFile")
    return value.rstrip("/") if rest or not separator else value


def repository(value: str) -> str:
    """Return what may stand in front of an image's path."""
    if not _REPOSITORY.fullmatch(value.rstrip("/")):
        raise ValueError(f"{show(value)} is not a repository like registry.example:5000/path")
    return value.rstrip("/")


RegistryName = Annotated[str, AfterValidator(registry_name)]
Mirror = Annotated[str, AfterValidator(mirror)]
Repository = Annotated[str, given(repository)]
