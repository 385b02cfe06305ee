"""Ask a control plane that stays for the Nodes of hosts that are reset, and delete them there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kubeadm_py.engine.events import Notice
from kubeadm_py.engine.session import Session
from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.facts.collect import LITTLE
from kubeadm_py.kube import asking
from kubeadm_py.kube.asking import NOTHING
from kubeadm_py.model import paths
from kubeadm_py.model.node import Node
from kubeadm_py.model.stages import HostPlan, PlannedStep, Stage
from kubeadm_py.plan.live import membership
from kubeadm_py.plan.live.membership import Membership
from kubeadm_py.plan.run import Run
from kubeadm_py.steps.nodes import leave

STAGE = "forget"
TITLE = "delete Nodes"
_NO_MEMBER = 66
"""What our question ends with on a host without an administrator's kubeconfig, and kubectl never does."""


@dataclass(frozen=True, slots=True)
class Farewell:
    """Hold whom the cluster knows, and which control plane can delete their Nodes."""

    speaker: Node | None = None
    names: tuple[str, ...] = ()

    def stage(self, among: Iterable[str]) -> Stage:
        """Return the stage that deletes the Nodes of these hosts, empty where the cluster knows none."""
        wanted = set(among)
        names = [name for name in self.names if name in wanted]
        if self.speaker is None or not names:
            return Stage(STAGE, TITLE, ())
        action = leave.forget(names, f"https://{self.speaker.local_endpoint}")
        return Stage(STAGE, TITLE, (HostPlan(self.speaker.name, (PlannedStep(STAGE, TITLE, (action,)),)),))


def ask(run: Run, speakers: Sequence[Node], hosts: Sequence[Session], bare: Sequence[str]) -> Farewell:
    """Ask the first of these control planes that answers, without its lock, which of the hosts it knows.

    `bare` are those that hold nothing of a cluster: a Node of theirs is what an earlier reset left, unless
    another host goes by that name meanwhile, which is told. So is it where nobody answers.
    """
    names = [session.name for session in hosts]
    why: tuple[str, KubeadmPyError] | None = None
    for node in speakers if names else ():
        try:
            run.look([node], lock=False, parts=LITTLE, also=lambda _: _question())
        except KubeadmPyError as error:
            why = (node.name, error)
            continue
        session = run.sessions[node.name]
        said = asking.answers(session.output)
        if said.get(membership.LISTED, NOTHING).code == _NO_MEMBER:
            continue
        try:
            found = membership.of_nodes(session, said)
        except KubeadmPyError as error:
            lines = error.details
            why = (node.name, KubeadmPyError(lines[-1] if lines else "its API does not answer"))
            continue
        known = [each for each in hosts if each.name in found.nodes and _is_its(run, each, found, bare)]
        return Farewell(node, tuple(session.name for session in known))
    if why is not None:
        tell_doubt(run, names, *why)
    return Farewell()


def tell_doubt(run: Run, names: Sequence[str], speaker: str, why: KubeadmPyError) -> None:
    """Say that Nodes may be left, and how to delete them by hand."""
    text = f"the Node objects of {', '.join(names)} may still be there: {why.summary}"
    run.warn(text, speaker, f"kubectl delete node {' '.join(names)}")


def _question() -> str:
    asked = {
        name: f"[ -e {paths.ADMIN_CONF} ] || exit {_NO_MEMBER}; {command}"
        for name, command in membership.listing().items()
    }
    return f"# ask which nodes are known\n{asking.script(asked)}"


def _is_its(run: Run, session: Session, found: Membership, bare: Sequence[str]) -> bool:
    """Say whether a Node is this host's; where nothing on the host says so, its addresses must."""
    if session.name not in bare:
        return True
    theirs = found.addresses[session.name]
    own = {address.partition("/")[0] for each in session.facts.interfaces for address in each.addresses}
    if not theirs or own & set(theirs):
        run.bus.emit(Notice("info", "it holds nothing, and the cluster still has its Node", session.name))
        return True
    run.warn(
        f"the cluster's Node {session.name} is not this host, but {', '.join(theirs)}: it stays",
        session.name,
        "is the host's address in the file right?",
    )
    return False
