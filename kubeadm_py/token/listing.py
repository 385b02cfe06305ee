"""Shape tokens for `token list`: kubeadm's columns and its JSON form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model import times
from kubeadm_py.token.bootstrap import StoredToken, stored

COLUMNS = ("TOKEN", "TTL", "EXPIRES", "USAGES", "DESCRIPTION", "EXTRA GROUPS")
OUTPUT_API_VERSION = "output.kubeadm.k8s.io/v1alpha3"
_NONE = "<none>"


@dataclass(frozen=True, slots=True)
class TokenRow:
    """Hold one line of the list."""

    stored: StoredToken
    ttl: str

    def cells(self) -> tuple[str, ...]:
        """Return the cells under COLUMNS; the first one is the token itself, secret included."""
        return (
            self.stored.token.full.text(),
            self.ttl,
            self.stored.expiration or "<never>",
            ",".join(self.stored.usages) or _NONE,
            self.stored.description or _NONE,
            ",".join(self.stored.groups) or _NONE,
        )

    def as_json(self) -> dict[str, Any]:
        """Return kubeadm's output object, secret included."""
        document: dict[str, Any] = {
            "kind": "BootstrapToken",
            "apiVersion": OUTPUT_API_VERSION,
            "token": self.stored.token.full.text(),
        }
        if self.stored.description:
            document["description"] = self.stored.description
        if self.stored.expires:
            document["expires"] = times.rfc3339(self.stored.expires)
        if self.stored.usages:
            document["usages"] = list(self.stored.usages)
        if self.stored.groups:
            document["groups"] = list(self.stored.groups)
        return document


def rows(secrets: Iterable[Mapping[str, Any]], now: datetime) -> tuple[list[TokenRow], list[str]]:
    """Return (rows in the order given, what is wrong with the Secrets that hold no usable token).

    Expired tokens are listed as kubeadm lists them, until the cluster has cleaned them away.
    """
    listed, problems = [], []
    for secret in secrets:
        try:
            found = stored(secret)
        except KubeadmPyError as error:
            problems.append(error.summary)
            continue
        ttl = times.short_duration(found.expires - now) if found.expires else "<forever>"
        listed.append(TokenRow(found, ttl))
    return listed, problems
