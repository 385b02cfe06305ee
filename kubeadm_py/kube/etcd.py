"""Run etcdctl on a host, with the certificates that lie there."""

from __future__ import annotations

import functools
import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model import ports
from kubeadm_py.model.components import ExternalEtcd
from kubeadm_py.model.quorum import Member

P = ParamSpec("P")
T = TypeVar("T")

_FIND = (
    "kpy_ctl=etcdctl; command -v etcdctl >/dev/null 2>&1 ||"
    " { kpy_pod=$(crictl ps -q --name '^etcd$' 2>/dev/null | head -n 1);"
    ' [ -z "$kpy_pod" ] || kpy_ctl="crictl exec $kpy_pod etcdctl"; }'
)
"""A host that somebody else prepared may have no etcdctl: the image of the etcd on it has one."""
_ALARMS = "Active Alarm(s):"
COMPACTED = "has been compacted"
"""What is said of a revision that an earlier compaction took already."""
LOCAL = f"https://127.0.0.1:{ports.ETCD_CLIENT}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Hold what one member says of itself; `error` where it says nothing."""

    url: str
    member_id: str = ""
    version: str = ""
    size: int = 0
    in_use: int = 0
    leader: bool = False
    learner: bool = False
    term: int = 0
    index: int = 0
    error: str = ""
    quota: int = 0
    """The most that its database may take; 0 where it does not say (before 3.6)."""
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Access:
    """Say how a host reaches etcd: where it answers, and with which files of the host; none where empty."""

    endpoints: tuple[str, ...]
    ca: str = ""
    certificate: str = ""
    key: str = ""

    @classmethod
    def of_member(cls, certificates_dir: str, *endpoints: str) -> Access:
        """Return the access of a host that runs a member which we made, by default to that one."""
        folder = f"{certificates_dir}/etcd"
        client = f"{folder}/healthcheck-client"
        return cls(endpoints or (LOCAL,), f"{folder}/ca.crt", f"{client}.crt", f"{client}.key")

    @classmethod
    def of_others(cls, external: ExternalEtcd) -> Access:
        """Return the access of a control plane to an etcd that others run: that of its API server."""
        return cls(external.endpoints, external.ca_file, external.cert_file, external.key_file)

    @property
    def flags(self) -> tuple[str, ...]:
        """Return etcdctl's flags for it."""
        files = {"--cacert": self.ca, "--cert": self.certificate, "--key": self.key}
        given = (word for flag, path in files.items() if path for word in (flag, path))
        return ("--endpoints", ",".join(self.endpoints), *given)


def command(arguments: Sequence[str], access: Access, *, timeout: str = "10s") -> str:
    """Return an etcdctl command line for a script on a host."""
    flags = (*access.flags, "--dial-timeout", "3s", "--command-timeout", timeout)
    # The variables of a login would be taken for flags of ours.
    return (
        "unset ETCDCTL_ENDPOINTS ETCDCTL_CACERT ETCDCTL_CERT ETCDCTL_KEY ETCDCTL_USER ETCDCTL_API;"
        f" PATH=$PATH:/usr/local/bin; {_FIND}; $kpy_ctl {shlex.join([*flags, *arguments])}"
    )


def _understood(read: Callable[P, T]) -> Callable[P, T]:
    """Raise KubeadmPyError for an answer that is JSON and not what etcdctl prints."""

    @functools.wraps(read)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return read(*args, **kwargs)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise KubeadmPyError(
                "etcdctl's answer cannot be understood",
                details=[f"{type(error).__name__}: {error}"],
                fix="is etcdctl there the one of etcd 3.5 or newer?     etcdctl version",
            ) from error

    return guarded


@_understood
def members(raw: bytes, healthy: frozenset[str] | None = None) -> list[Member]:
    """Read `member list -w json`; `healthy` are the client URLs that answered, None: nobody asked."""
    found = []
    for item in document(raw).get("members") or ():
        urls = tuple(item.get("clientURLs") or ())
        name = str(item.get("name") or "")
        well = bool(name) if healthy is None else any(url in healthy for url in urls)
        found.append(
            Member(
                name,
                f"{int(item['ID']):x}",
                tuple(item.get("peerURLs") or ()),
                urls,
                healthy=well,
                learner=bool(item.get("isLearner")),
            )
        )
    return found


@_understood
def healthy(raw: bytes) -> frozenset[str]:
    """Read `endpoint health --cluster -w json`: the URLs that are well."""
    return frozenset(str(item["endpoint"]) for item in listed(raw) if item.get("health") is True)


@_understood
def unhealthy(raw: bytes) -> dict[str, str]:
    """Read the same: why the others are not."""
    return {
        str(item["endpoint"]): str(item.get("error") or "unhealthy")
        for item in listed(raw)
        if item.get("health") is not True
    }


def out_of_quota(why: str) -> bool:
    """Say whether a member is not well for one reason alone: its database has reached its quota.

    It takes no writes then until the alarm is disarmed.
    """
    return why.startswith(_ALARMS) and set(why.removeprefix(_ALARMS).split()) == {"NOSPACE"}


@_understood
def endpoints(raw: bytes) -> list[Endpoint]:
    """Read `endpoint status --cluster -w json`; who does not answer is not in it."""
    found = []
    for item in listed(raw):
        status = item["Status"]
        member = int(status["header"]["member_id"])
        found.append(
            Endpoint(
                str(item["Endpoint"]),
                f"{member:x}",
                str(status.get("version", "")),
                int(status.get("dbSize", 0)),
                int(status.get("dbSizeInUse", 0)),
                int(status.get("leader", 0)) == member,
                bool(status.get("isLearner")),
                int(status.get("raftTerm", 0)),
                int(status.get("raftIndex", 0)),
                "; ".join(map(str, status.get("errors") or ())),
                int(status.get("dbSizeQuota", 0)),
                int(status["header"].get("revision", 0)),
            )
        )
    return found


def document(raw: bytes) -> dict[str, Any]:
    """Return the one object that etcdctl printed; empty where it printed none."""
    found = _parsed(raw)
    return found if isinstance(found, dict) else {}


def listed(raw: bytes) -> list[dict[str, Any]]:
    """Return the list of objects that etcdctl printed; empty where it printed none."""
    found = _parsed(raw)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return None
