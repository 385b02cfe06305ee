"""Describe changes to a host as data: steps plan them, only the executor carries them out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from kubeadm_py.model import paths


@dataclass(frozen=True, slots=True)
class Late:
    """Stand for content that only the executor can produce.

    `producer` names it in the engine's table of producers; `spec` is what a plan may show (subject,
    SANs, lifetime; never a secret); `args` is the producer's own input.
    """

    producer: str
    spec: Mapping[str, Any] = field(default_factory=dict)
    args: Any = None

    @property
    def said(self) -> str:
        """Return what a plan shows of it."""
        shown = (f"{key} {_value(value)}" for key, value in self.spec.items())
        return ", ".join(shown) or "made when applied"


def _value(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


Producer = Callable[[str, Late], bytes]
"""Make the content of a Late for the host of that name."""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """Stand for content that lies in a file on the operator's machine (a binary of the bundle)."""

    path: str
    sha256: str
    size: int


Content = bytes | Late | LocalFile


@dataclass(frozen=True, slots=True)
class FileSpec:
    """Describe a file on a host with its final mode and owner: the one place that knows them."""

    path: str
    content: Content
    mode: int = 0o644
    owner: str = "root:root"
    secret: bool = False
    in_place: bool = False
    """Whether it takes the place of a file that has its owner already: reset treats it as it did before."""
    of_cluster: bool = False
    """Whether it goes with the cluster where reset leaves what prepared the host; in /etc/kubernetes and the
    like all files do."""
    own: bool = False
    """Whether it is the operator's own: it goes once the config does not name it any more."""

    def __repr__(self) -> str:
        content = "***" if self.secret and isinstance(self.content, bytes) else repr(self.content)
        return f"FileSpec({self.path!r}, {content}, {self.mode:#o}, {self.owner!r}, secret={self.secret})"


@dataclass(frozen=True, slots=True)
class WriteFiles:
    """Write files atomically where content, mode or owner differ."""

    files: tuple[FileSpec, ...]
    reason: str = ""
    title: str = "write files"
    why: Mapping[str, str] = field(default_factory=dict)
    """Reasons of single files: path -> why."""


@dataclass(frozen=True, slots=True)
class MakeDirectories:
    """Make directories where they are missing: (path, mode)."""

    directories: tuple[tuple[str, int], ...]
    title: str = "make directories"


@dataclass(frozen=True, slots=True)
class RunScript:
    """Run a POSIX shell script as root under `sh -eu`; it holds no secret.

    `stdin` is handed to the script in the file named by $INPUT (root-only, on tmpfs, removed after).
    A script that changed nothing prints the line `unchanged`.
    """

    title: str
    script: str
    stdin: Content | None = None
    reason: str = ""
    timeout: timedelta = timedelta(minutes=5)
    shows: tuple[str, ...] = ()
    """What a plan says of it besides, one line each: `NAME BEFORE -> AFTER`; never a secret."""
    edits: tuple[str, ...] = ()
    """Files that it changes: a guard keeps them."""
    packages: tuple[str, ...] = ()
    """Packages that it installs and that the host did not have."""


LIVE_REPLICAS = "@LIVE-REPLICAS:{otherwise}@"
"""Stands in an applied Deployment for the replicas that the cluster has of it, or `otherwise`."""
INITIAL_CLUSTER = "@INITIAL-CLUSTER@"
"""Stands in the manifest of an EtcdMember for the members as the host finds them."""


@dataclass(frozen=True, slots=True)
class EtcdMember:
    """Announce this host's etcd to a running cluster as a learner, and write its manifest.

    `script` does both under the rules of RunScript, with the manifest in $INPUT; it puts the members, as
    they are then, where the manifest says INITIAL_CLUSTER.
    """

    title: str
    name: str
    peer_url: str
    manifest: FileSpec
    script: str
    reason: str = ""
    timeout: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Unit:
    """Bring a systemd unit to a state: `started`, `restarted`, `stopped`, or '' to leave it."""

    name: str
    state: str = ""
    enabled: bool | None = None
    daemon_reload: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ApplyObjects:
    """Apply API objects in order by one server-side apply on this host (a leader).

    `objects` are plain mappings, or Late for those that hold a secret or need one. LIVE_REPLICAS is filled in
    on the host, once the API answers.
    """

    title: str
    objects: tuple[Mapping[str, Any] | Late, ...]
    server: str = ""
    """URL of the leader's own API server; empty: the one that admin.conf names."""
    kubeconfig: str = paths.ADMIN_CONF
    field_manager: str = "kubeadm-py"
    reason: str = ""
    why: Mapping[str, str] = field(default_factory=dict)
    """Reasons of single objects: `KIND NAMESPACE/NAME` -> why."""
    patience: timedelta = timedelta(minutes=1)
    """How long an API that does not answer, or is not able to yet, is tried again (kubernetesAPICall)."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait on the host until `until` exits 0, looping there.

    `until` prints on its last line what is not ready yet. Where `hopeless` is given and exits 0, the
    wait fails at once with what it printed. `diagnose` prints lines for the error; `logs` names the
    components whose logs show a person more, and `look` is a command that does. `delay` are seconds before
    the first question.
    """

    title: str
    until: str
    deadline: timedelta
    interval: float = 0.3
    """Seconds between two looks. Each costs the host: ten a second take a tenth of a small one from what is
    waited for."""
    hopeless: str = ""
    diagnose: str = ""
    logs: tuple[str, ...] = ()
    look: str = ""
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove files or whole directories where they exist."""

    paths: tuple[str, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RestartStaticPod:
    """End a static pod's container as its pod wants it ended; the kubelet, which must run, starts it anew."""

    component: str
    reason: str = ""
    grace: int = 30
    """Seconds that it may take to end by itself; by default a static pod's own."""


@dataclass(frozen=True, slots=True)
class ImportImages:
    """Stream images of the bundle's OCI layout into containerd's k8s.io namespace and pin them."""

    layout: str
    images: tuple[tuple[str, str], ...]
    """(reference, manifest digest)."""
    present: tuple[str, ...] = ()
    """Manifest digests of images that the host has: layers that they share are not sent again."""
    reason: str = ""


HOST_GUARD = "host"
"""The guard of what a host itself consists of."""
PREPARATION_GUARD = "preparation"
"""The guard of what that stands on: runtime, the kubelet's program and unit."""


@dataclass(frozen=True, slots=True)
class KeptObjects:
    """Name API objects by what tells them apart (model.live.stub), and say how this host asks for them."""

    stubs: tuple[Mapping[str, Any], ...]
    kubeconfig: str
    server: str = ""


@dataclass(frozen=True, slots=True)
class Guard:
    """Keep files and objects aside, so that all is put back should a later action of the stage fail.

    `recover` is what makes it work again once they are back: pods and units started anew, waits. What is kept
    outlives a run that is cut off: the next one's guard of that name adds to it, and puts back as it was
    before either.
    """

    files: tuple[str, ...] = ()
    pods: tuple[str, ...] = ()
    """Static pods of which it is noted which one runs: a wait tells by that whether it was replaced."""
    objects: KeptObjects | None = None
    recover: tuple[Action, ...] = ()
    title: str = "keep what changes"
    name: str = HOST_GUARD


@dataclass(frozen=True, slots=True)
class Settle:
    """End the guard: the host works, what was kept is dropped, and a later failure puts nothing back."""

    title: str = "all of it works"


Action = (
    WriteFiles
    | MakeDirectories
    | RunScript
    | EtcdMember
    | Unit
    | ApplyObjects
    | Wait
    | Remove
    | RestartStaticPod
    | ImportImages
    | Guard
    | Settle
)
