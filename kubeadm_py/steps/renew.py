"""Plan the renewal of certificates on a control plane, and the restart of what uses them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from kubeadm_py.model import paths, times
from kubeadm_py.model.actions import Action, FileSpec, Late, RestartStaticPod, Wait, WriteFiles
from kubeadm_py.model.node import Role
from kubeadm_py.pki import expiry, inspect, pem, presence, renewal
from kubeadm_py.pki.expiry import Expiry
from kubeadm_py.pki.files import KUBECONFIG, SECRET_MODE, certificate_files
from kubeadm_py.pki.presence import Presence
from kubeadm_py.pki.requests import CertificateRequest, etcd_client_requests, leaf_requests
from kubeadm_py.pki.table import table
from kubeadm_py.steps.base import Step, StepContext
from kubeadm_py.steps.control_plane import waits as control_plane_waits
from kubeadm_py.steps.endpoint import vip
from kubeadm_py.steps.etcd import host as etcd_host
from kubeadm_py.steps.kubelet import certificate as kubelet_certificate

RENEWED_KUBECONFIG = f"{KUBECONFIG}.renewed"
"""Its Late.args is (the client certificate's request, the kubeconfig's path)."""
_TOGETHER = ("kube-apiserver", "etcd")
"""The API server first: without its etcd it takes half a minute to end, and etcd waits for its clients."""
USUAL_GRACE = 30
_AFTER = ("kube-controller-manager", "kube-scheduler")
"""What ends by itself where the API is away when it starts, and is then started later and later."""
GRACE = {"kube-apiserver": 10}
"""Requests are answered in less; what it waits for longer are watches, which begin anew elsewhere."""
COMPONENTS = (*_TOGETHER, *_AFTER)
"""The static pods that read certificates, in the order of their restarts."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Say what becomes of each certificate of one host."""

    renewed: tuple[CertificateRequest, ...] = ()
    """Successors; those of kubeconfigs are among them."""
    external: tuple[str, ...] = ()
    """What an authority has to sign whose key is not on the host."""
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What is worth a warning."""
    stale: tuple[str, ...] = ()
    """Components that have run since before a certificate of theirs was written."""
    expired: bool = False
    """Whether one of those to be renewed has ended: what needs it does not work any more."""
    kubeconfigs: Mapping[str, str] = field(default_factory=dict)
    """Name -> path of those among `renewed` that are kubeconfigs."""
    kubelet: CertificateRequest | None = None
    """What the kubelet logs in with, where its own has ended."""

    @property
    def signed(self) -> tuple[CertificateRequest, ...]:
        """List all that is signed anew."""
        return (*self.renewed, *([self.kubelet] if self.kubelet else []))


def names() -> tuple[str, ...]:
    """Return what can be renewed, by kubeadm's names; kubelet.conf and authorities cannot."""
    listed = [row.name for row in table().certificates]
    listed += [row.file for row in table().kubeconfigs if row.file != "kubelet.conf"]
    return tuple(sorted(listed))


def decide(
    ctx: StepContext,
    wanted: Iterable[str],
    *,
    within: timedelta | None = None,
    started: Mapping[str, float] = {},
    kubelet: bool = False,
) -> Decision:
    """Look at the certificates of these names; `within` leaves out those that end later than that.

    `started` has when components were started, as Unix times of the host's clock. `kubelet` includes its
    client certificate once that has ended; before, the kubelet renews it by itself.
    """
    chosen = set(wanted)
    listed = [
        each for each in expiry.certificates(ctx.cluster, ctx.node, ctx.facts.files) if each.name in chosen
    ]
    carried = (*leaf_requests(ctx.cluster, ctx.node), *etcd_client_requests(ctx.cluster, ctx.node))
    leaves = {request.name: request for request in carried}
    kubeconfigs = expiry.renewable_kubeconfigs(ctx.cluster, ctx.node)
    renewed: list[CertificateRequest] = []
    notes: list[str] = []
    due = [
        each
        for each in listed
        if each.expires is not None and (within is None or each.expires - ctx.now <= within)
    ]
    for each in due:
        if each.external:
            continue
        request = leaves[each.name] if each.name in leaves else kubeconfigs[each.name].certificate
        content = _content(ctx, each)
        renewed.append(renewal.successor(content, request))
        if each.name in leaves:
            notes += _drift(each.name, content, request)
    kubelets = kubelet_certificate.successor(ctx) if kubelet else None
    if kubelets and presence.authorities(ctx.cluster, ctx.facts.files)["ca"] is Presence.EXTERNAL:
        kubelets = None
        notes.append("the kubelet's client certificate has ended, and only the external CA can sign another")
    notes += _authorities_that_end(ctx, {each.authority for each in due if not each.external})
    return Decision(
        renewed=tuple(renewed),
        external=tuple(each.name for each in due if each.external),
        missing=tuple(each.name for each in listed if each.expires is None),
        notes=tuple(notes),
        stale=tuple(_stale(ctx, listed, started)),
        expired=any(each.expires is not None and each.expires <= ctx.now for each in due),
        kubeconfigs={name: request.path for name, request in kubeconfigs.items()},
        kubelet=kubelets,
    )


def plan(ctx: StepContext, decision: Decision) -> list[Action]:
    """Write the successors, restart what uses them, and wait until it is healthy."""
    files: list[FileSpec] = []
    users = set(decision.stale)
    for request in decision.renewed:
        path = decision.kubeconfigs.get(request.name)
        users |= set(_users(ctx, request.name, path or request.certificate_path))
        if path is None:
            files += certificate_files([request])
        else:
            late = Late(RENEWED_KUBECONFIG, request.describe(), (request, path))
            files.append(FileSpec(path, late, SECRET_MODE, secret=True))
    # Keys land before certificates: a crash in between must never look like an external CA.
    files.sort(key=lambda spec: not spec.secret)
    actions: list[Action] = []
    if files:
        listed = ", ".join(request.name for request in decision.renewed)
        in_place = tuple(replace(spec, in_place=True) for spec in files)
        actions.append(WriteFiles(in_place, reason=listed, title="renewed certificates and keys"))
    if decision.kubelet:
        # It is who starts the others again.
        actions += kubelet_certificate.plan(ctx, decision.kubelet)
    handed_over = vip.leaves(ctx, users)
    actions += handed_over
    for group in (_TOGETHER, _AFTER):
        restarted = [component for component in group if component in users]
        actions += [
            RestartStaticPod(component, _reason(decision, component), GRACE.get(component, USUAL_GRACE))
            for component in restarted
        ]
        actions += _waits(ctx, restarted)
    return [*actions, *vip.returns(handed_over)]


def step(decision: Decision) -> Step:
    """Return the step that carries out one host's decision."""
    return Step("renew-certs", "certificates", lambda ctx: plan(ctx, decision))


def _content(ctx: StepContext, each: Expiry) -> bytes:
    content = ctx.facts.files[each.path].content or b""
    if each.path.endswith(".conf"):
        return renewal.embedded_certificate(content, each.path) or b""
    return content


def _drift(name: str, content: bytes, request: CertificateRequest) -> Iterator[str]:
    missing = inspect.missing_names(pem.certificates(content, name)[0], request)
    if missing:
        yield (
            f"{name} keeps the names that it has; the config asks for {', '.join(missing)}, too: to sign it"
            " by the config, remove the file and run init again"
        )


def _authorities_that_end(ctx: StepContext, signers: set[str]) -> Iterator[str]:
    ends = ctx.now + ctx.cluster.certificate_validity
    for authority in expiry.authorities(ctx.cluster, ctx.node, ctx.facts.files):
        if authority.name in signers and authority.expires is not None and authority.expires < ends:
            yield (
                f"the authority {authority.name} ends at {times.rfc3339(authority.expires)}, before what it"
                " signs now: nothing is trusted from then on"
            )


def _stale(ctx: StepContext, listed: Iterable[Expiry], started: Mapping[str, float]) -> list[str]:
    found = set()
    for each in listed:
        fact = ctx.facts.files.get(each.path)
        if fact is not None:
            found |= {
                component
                for component in _users(ctx, each.name, each.path)
                if started.get(component, fact.mtime) < fact.mtime
            }
    return [component for component in COMPONENTS if component in found]


def _users(ctx: StepContext, name: str, path: str) -> list[str]:
    """List the static pods of this host that read the file: a copy elsewhere is nobody's."""
    manifests = {
        component: ctx.facts.files.get(f"{paths.MANIFESTS_DIR}/{component}.yaml")
        for component in table().used_by(name)
    }
    return [
        component
        for component, manifest in manifests.items()
        if manifest is not None and (manifest.content is None or path.encode() in manifest.content)
    ]


def _reason(decision: Decision, component: str) -> str:
    renewed = [each.name for each in decision.renewed if component in table().used_by(each.name)]
    return f"it uses {', '.join(renewed)}" if renewed else "it runs with certificates that were renewed since"


def _waits(ctx: StepContext, restarted: list[str]) -> list[Action]:
    if ctx.node.role is Role.ETCD:
        return etcd_host.plan_wait(ctx) if restarted else []
    found = control_plane_waits.plan(ctx) if set(_TOGETHER) & set(restarted) else []
    others = [
        action
        for action in control_plane_waits.plan_others(ctx)
        if isinstance(action, Wait) and any(action.title.endswith(name) for name in restarted)
    ]
    return [*found, *others]
