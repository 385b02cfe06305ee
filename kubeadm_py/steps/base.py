"""Say what a step is: cluster and facts in, actions out, nothing done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import yaml

from kubeadm_py.model import paths
from kubeadm_py.model.actions import Action, FileSpec, LocalFile, WriteFiles
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.digest import sha256
from kubeadm_py.model.etcd import Birth
from kubeadm_py.model.facts import FileFact, HostFacts
from kubeadm_py.model.live import LiveObjects
from kubeadm_py.model.node import Node
from kubeadm_py.model.phases import EVERYTHING, Selection
from kubeadm_py.model.secret import Secret
from kubeadm_py.model.timeouts import Timeouts

_SAYING = (f"{paths.MANIFESTS_DIR}/", paths.KUBELET_CONFIG)
"""Files that are compared by what they say."""


@dataclass(frozen=True, slots=True)
class StepContext:
    """Hold what a step plans from; one host at a time."""

    cluster: ResolvedCluster
    node: Node
    facts: HostFacts
    verb: str
    now: datetime
    recorded: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The inventory's files: path -> {sha256, mode, made}."""
    all_facts: Mapping[str, HostFacts] = field(default_factory=dict)
    artifacts: Any = None
    """What the artifact source holds; None for `preinstalled`."""
    joined: Any = None
    """What discovery learned of the cluster that this host joins; None for init."""
    addons: tuple[Any, ...] = ()
    installed: Mapping[str, Any] | None = None
    """What the cluster knows of its add-ons (addons.inventory), by name; None: nobody has asked."""
    missing: frozenset[Any] = frozenset()
    """Objects of add-ons that were asked for and are not there."""
    removing: tuple[Any, ...] = ()
    """Inventories of the add-ons that this run takes out of the cluster."""
    approved: tuple[str, ...] = ()
    """CertificateSigningRequests of kubelets that were judged and found to be right."""
    purge: bool = False
    """Whether what people's data hangs on goes with them."""
    key_pairs: Mapping[str, bool] = field(default_factory=dict)
    """Keys and kubeconfigs that the inventory does not know: path -> whether key and certificate fit."""
    phases: Selection = EVERYTHING
    """Which of kubeadm's phases this run does; a step that has parts asks it for each."""
    kubeconfig: str = ""
    """The kubeconfig on the host that somebody named for talking to the cluster; '' chooses."""
    leader: bool = True
    """Whether this host writes what the whole cluster has once: its API objects and the marks on nodes."""
    first: Node | None = None
    """The control plane whose API server begins before this host's; None: it waits for nobody's."""
    later: frozenset[str] = frozenset()
    """Ids of steps that this host does in a stage of their own, once all have joined."""
    birth: Birth | None = None
    """With whom this host's etcd member is born; None: alone, or as its manifest says."""
    etcd_others: tuple[Node, ...] = ()
    """Hosts of role etcd whose members are up: whom a later one asks to be let in."""
    again: str | None = None
    """Not None: this host's member begins anew; the peer URL at which it was awaited in vain."""
    marked: tuple[Node, ...] | None = None
    """Nodes that this leader marks; None: itself."""
    live: LiveObjects | None = None
    """What the cluster has of our objects; None: nobody was asked, and what was noted last is trusted."""
    upload_key: Secret | None = None
    """Where what control planes share is to be uploaded: the key to encrypt it with."""
    moving: bool = False
    """The running cluster's endpoint becomes another one, and this stage comes before it is used: the old way
    to the API stays beside the new one, and what names it stays as it is."""

    @property
    def timeouts(self) -> Timeouts:
        """Return the timeouts of the verb by which this host comes into the cluster."""
        return self.cluster.join_timeouts if self.joined is not None else self.cluster.init_timeouts


@dataclass(frozen=True, slots=True)
class Step:
    """Name a piece of work; `plan` returns its actions, an empty list where all is as it should be.

    `phase` is kubeadm's name of it (`certs`, `control-plane`, `addon/coredns`), or '' where kubeadm has none;
    such a step is left out where single phases are run, unless one of those that it `goes_with` is. `leader`
    says that only one control plane does it. `provides` names what other hosts may wait for: it is there once
    the step is done, or has nothing to do. `foreseen` says that no later stage reads from the host what it
    changes.
    """

    id: str
    title: str
    plan: Callable[[StepContext], list[Action]]
    phase: str = ""
    goes_with: tuple[str, ...] = ()
    leader: bool = False
    provides: str = ""
    foreseen: bool = False


def admin_kubeconfig(ctx: StepContext) -> str:
    """Return the kubeconfig that may do everything before RBAC is set up: super-admin.conf if there.

    A control plane that joins has none, and needs none. The one that somebody named for this run comes first.
    """
    if ctx.kubeconfig:
        return ctx.kubeconfig
    if ctx.joined is not None:
        return paths.ADMIN_CONF
    is_new = paths.ADMIN_CONF not in ctx.facts.files
    if is_new or paths.SUPER_ADMIN_CONF in ctx.facts.files:
        return paths.SUPER_ADMIN_CONF
    return paths.ADMIN_CONF


def is_so(spec: FileSpec, facts: HostFacts) -> bool:
    """Say whether the host has the file with this content, mode and owner; late content never is."""
    fact = facts.files.get(spec.path)
    if fact is None or fact.mode != spec.mode or fact.owner != spec.owner:
        return False
    if isinstance(spec.content, bytes):
        return fact.sha256 == sha256(spec.content) or says_the_same(spec, fact)
    return isinstance(spec.content, LocalFile) and fact.sha256 == spec.content.sha256


def says_the_same(spec: FileSpec, fact: FileFact) -> bool:
    """Say whether a manifest or the kubelet's configuration says the same in another form.

    Order of keys and flags, quotes and comments count for nothing: writing it anew would restart its pod, or
    the kubelet, for nothing.
    """
    if not spec.path.startswith(_SAYING) or fact.content is None or fact.partial:
        return False
    try:
        wanted = yaml.load(spec.content, Loader=yaml.CSafeLoader)  # type: ignore[arg-type]  # bytes, as is_so knows
        there = yaml.load(fact.content, Loader=yaml.CSafeLoader)
        return bool(_in_order(wanted) == _in_order(there))
    except (yaml.YAMLError, AttributeError, KeyError, TypeError):
        # What a hand has broken is no pod.
        return False


def _in_order(document: Any) -> Any:
    """Return a document with the flags of a static pod sorted; the program before them stays where it is."""
    if not isinstance(document, dict) or document.get("kind") != "Pod":
        return document
    containers = []
    for container in document.get("spec", {}).get("containers") or ():
        words = container.get("command") or []
        containers.append({**container, "command": [*words[:1], *sorted(words[1:])]})
    return {**document, "spec": {**document["spec"], "containers": containers}}


def differing(files: list[FileSpec], facts: HostFacts) -> list[FileSpec]:
    """Return the files that the host lacks or has otherwise."""
    return [spec for spec in files if not is_so(spec, facts)]


def write(files: list[FileSpec], facts: HostFacts, *, title: str, reason: str = "") -> list[Action]:
    """Return one action that writes the files that differ, or nothing."""
    changed = differing(files, facts)
    return [WriteFiles(tuple(changed), reason=reason, title=title)] if changed else []
