"""Install the kubelet with its unit and kubeadm's drop-in, and the tools that every run uses on a host."""

from __future__ import annotations

from kubeadm_py.artifacts.plan import BinaryState, Decision
from kubeadm_py.model import binaries, host_settings, paths
from kubeadm_py.model.actions import Action, FileSpec, MakeDirectories, Unit, WriteFiles
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.node import Role
from kubeadm_py.steps.base import StepContext, differing
from kubeadm_py.steps.prepare import proxy, source
from kubeadm_py.steps.prepare.text import render

UNIT = "kubelet.service"
DIRECTORIES = ((paths.MANIFESTS_DIR, 0o700), (paths.KUBELET_DIR, 0o700))
"""What must exist before the kubelet starts, with kubeadm's modes."""
CNI_DIRECTORIES = ((paths.CNI_CONF_DIR, 0o755),)
"""What must exist before containerd starts, which would make it unreadable to others."""
_RPM_FAMILIES = frozenset({"rhel", "fedora", "centos", "suse", "opensuse"})


def plan_directories(ctx: StepContext) -> list[Action]:
    """Make the directories that the kubelet watches."""
    return _make(ctx, DIRECTORIES, "make the kubelet's directories")


def plan_cni_directories(ctx: StepContext) -> list[Action]:
    """Make the directory that the runtime watches for a pod network's configuration."""
    return _make(ctx, CNI_DIRECTORIES, "make the directory for CNI configurations")


def _make(ctx: StepContext, wanted: tuple[tuple[str, int], ...], title: str) -> list[Action]:
    known = ctx.facts.directories.keys() | ctx.facts.files.keys()
    missing = tuple((path, mode) for path, mode in wanted if path not in known)
    return [MakeDirectories(missing, title)] if missing else []


def plan_tools(ctx: StepContext) -> list[Action]:
    """Install crictl, kubectl and, beside a local etcd, its tools."""
    return _install(ctx, tuple(binary.name for binary in binaries.TOOLS), "install {}")


def plan_cni_plugins(ctx: StepContext) -> list[Action]:
    """Install the CNI plugins that pod networks chain together."""
    return _install(
        ctx,
        tuple(name for name, state in source.states(ctx).items() if _is_plugin(state)),
        "install CNI plugins {}",
    )


def plan_kubelet(ctx: StepContext) -> list[Action]:
    """Install and enable the kubelet; it is started once it has a config, and restarted if it runs.

    A kubelet that somebody else installed keeps its unit and drop-in.
    """
    actions: list[Action] = []
    state = source.states(ctx)["kubelet"]
    fresh = source.sent([state]) if source.installs(ctx) else []
    if fresh:
        actions.append(WriteFiles(tuple(fresh), source.why([state]), "install kubelet"))
    units = _unit_files(state, ctx.facts) if source.installs(ctx) else []
    proxied = proxy.drop_in(host_settings.KUBELET_PROXY, ctx.cluster, ctx.node)
    alone = [_standalone()] if ctx.node.role is Role.ETCD else []
    written = differing([*units, *proxied, *alone], ctx.facts)
    if written:
        actions.append(WriteFiles(tuple(written), title="configure the kubelet's unit"))
    removed = source.leftovers(ctx, proxied, host_settings.KUBELET_PROXY)
    actions += removed
    changed = bool(fresh or written or removed)
    fact = ctx.facts.units.get(UNIT)
    active = fact is not None and fact.active_state == "active"
    enabled = fact is not None and fact.enabled == "enabled"
    if changed or not enabled:
        actions.append(
            Unit(
                UNIT,
                "restarted" if active and changed else "",
                enabled=True,
                daemon_reload=bool(written or removed),
                reason=_why(running=active, changed=changed, enabled=enabled),
            )
        )
    return actions


def _why(*, running: bool, changed: bool, enabled: bool) -> str:
    if running and changed:
        return "what it reads at start changed"
    return "its unit changed" if enabled else "it must come back after a boot"


def _standalone() -> FileSpec:
    """Return what keeps the kubelet of a host of role etcd from looking for a cluster."""
    content = render("20-standalone.conf")
    return FileSpec(paths.KUBELET_STANDALONE_DROPIN, content, 0o644, of_cluster=True)


def _install(ctx: StepContext, names: tuple[str, ...], title: str) -> list[Action]:
    if not source.installs(ctx):
        return []
    states = source.states(ctx)
    chosen = [states[name] for name in names if name in states]
    fresh = source.sent(chosen)
    if not fresh:
        return []
    listed = ", ".join(spec.path.rpartition("/")[2] for spec in fresh)
    return [WriteFiles(tuple(fresh), source.why(chosen), title.format(listed))]


def _is_plugin(state: BinaryState) -> bool:
    return state.binary.path.startswith(f"{paths.CNI_BIN_DIR}/")


def _unit_files(kubelet: BinaryState, facts: HostFacts) -> list[FileSpec]:
    unit = FileSpec(paths.KUBELET_UNIT, render("kubelet.service", kubelet=kubelet.path), 0o644)
    drop_in = FileSpec(
        paths.KUBELET_DROPIN,
        render(
            "10-kubeadm.conf",
            kubelet=kubelet.path,
            bootstrap_kubeconfig=paths.BOOTSTRAP_KUBELET_CONF,
            kubeconfig=paths.KUBELET_CONF,
            config=paths.KUBELET_CONFIG,
            flags_file=paths.KUBELET_FLAGS_ENV,
            defaults_file=_defaults_file(facts),
        ),
        0o644,
    )
    if kubelet.ours:
        return [unit, drop_in]
    fact = facts.units.get(UNIT)
    theirs = kubelet.decision is Decision.PACKAGE or (fact is not None and fact.load_state == "loaded")
    configured = paths.KUBELET_DROPIN in facts.files or host_settings.KUBELET_LOCAL_DROPIN in facts.files
    return [*([] if theirs else [unit]), *([] if configured else [drop_in])]


def _defaults_file(facts: HostFacts) -> str:
    """Return the file of a node's own flags, where its distribution's packages have it."""
    release = facts.os_release
    families = {release.get("ID", ""), *release.get("ID_LIKE", "").split()}
    return "/etc/sysconfig/kubelet" if families & _RPM_FAMILIES else "/etc/default/kubelet"
