"""Check kubeadm's documents by kubeadm's rules across fields (kubeadm contract 2.9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kubeadm_py.config import defaults
from kubeadm_py.config.check_flags import check_args, check_gates
from kubeadm_py.config.documents import Document
from kubeadm_py.config.env_types import EnvVar
from kubeadm_py.config.kubeadm_types import BootstrapToken, Component, NodeRegistration
from kubeadm_py.config.problems import Path, Place, Problems, show
from kubeadm_py.config.removed_values import REMOVED_KUBEADM_GATES
from kubeadm_py.config.versions import resolve_version
from kubeadm_py.config.whole import Whole
from kubeadm_py.model import paths
from kubeadm_py.model.bootstrap import NODE_TOKEN_GROUP
from kubeadm_py.model.near import closest, did_you_mean
from kubeadm_py.model.phases import INIT, JOIN, RESET, Phase
from kubeadm_py.model.versions import Version

ALL = "all"
_EXPIRE = "MNT_EXPIRE"


def check_kubeadm(whole: Whole, problems: Problems) -> None:
    """Add every problem with Init-, Cluster- and JoinConfiguration and the node registrations of hosts."""
    _check_needed_kinds(whole, problems)
    shared = whole.cluster_configuration
    version = resolve_version(shared.document, shared.value.kubernetes_version, problems)
    _check_cluster_configuration(whole, version, problems)
    _check_etcd(whole, version, problems)
    for component in (whole.kubelet, whole.kube_proxy):
        check_gates(component.document, component.value.feature_gates, version, problems)
    for index, token in enumerate(whole.init.value.bootstrap_tokens):
        _check_token(whole.init.document, ("bootstrapTokens", index), token, problems)
    check_phases(whole.init.document, whole.init.value.skip_phases, INIT, problems)
    check_phases(whole.join.document, whole.join.value.skip_phases, JOIN, problems)
    _check_reset(whole, problems)
    _check_upgrade(whole, problems)
    registrations: list[tuple[Document, Path, NodeRegistration]] = [
        (whole.init.document, ("nodeRegistration",), whole.init.value.node_registration),
        (whole.join.document, ("nodeRegistration",), whole.join.value.node_registration),
    ]
    for index, host in enumerate(whole.cluster.value.spec.hosts):
        path: Path = ("spec", "hosts", index)
        registrations.append((whole.cluster.document, (*path, "nodeRegistration"), host.node_registration))
        _check_taints(whole.cluster.document, (*path, "taints"), host.taints, problems)
    for place, path, registration in registrations:
        _check_registration(place, path, registration, version, problems)


def _check_needed_kinds(whole: Whole, problems: Problems) -> None:
    if whole.joining and not whole.cluster.given and not whole.join.given:
        problems.error(whole.join.document, (), "missing; join needs it, or a Cluster document with hosts")


def _check_cluster_configuration(whole: Whole, version: Version, problems: Problems) -> None:
    place, value = whole.cluster_configuration.document, whole.cluster_configuration.value
    components: dict[str, tuple[str, Component]] = {
        "apiServer": ("kube-apiserver", value.api_server),
        "controllerManager": ("kube-controller-manager", value.controller_manager),
        "scheduler": ("kube-scheduler", value.scheduler),
    }
    for key, (binary, component) in components.items():
        check_args(place, (key, "extraArgs"), component.extra_args, binary, version, problems)
        _check_envs(place, (key, "extraEnvs"), component.extra_envs, problems)
        _check_volumes(place, key, component, problems)
    _check_feature_gates(place, value.feature_gates, problems)
    leaf, ca = value.certificate_validity_period, value.ca_certificate_validity_period
    rules = (
        ("certificateValidityPeriod", leaf, defaults.CERTIFICATE_VALIDITY),
        ("caCertificateValidityPeriod", ca, defaults.CA_CERTIFICATE_VALIDITY),
    )
    for name, period, default in rules:
        if period is not None and period > default:
            problems.warning(place, (name,), f"longer than the default, {default // _HOUR}h")
    if (leaf or defaults.CERTIFICATE_VALIDITY) > (ca or defaults.CA_CERTIFICATE_VALIDITY):
        name = "certificateValidityPeriod" if leaf else "caCertificateValidityPeriod"
        longer = "longer than its CA is valid" if leaf else "shorter than the certificates below it are valid"
        problems.warning(place, (name,), longer)


_HOUR = defaults.TOKEN_TTL / 24


def _check_feature_gates(place: Place, gates: Mapping[str, bool], problems: Problems) -> None:
    for gate, on in gates.items():
        path: Path = ("featureGates", gate)
        if problems.full:
            return
        if gate in REMOVED_KUBEADM_GATES:
            problems.error(place, path, f"kubeadm has no such gate any more; {REMOVED_KUBEADM_GATES[gate]}")
        elif gate not in defaults.FEATURE_GATES:
            accepted = ", ".join(defaults.FEATURE_GATES)
            guess = did_you_mean(gate, defaults.FEATURE_GATES)
            problems.error(
                place,
                path,
                f"no feature gate of kubeadm's: one of {accepted}{guess} (components' gates are extraArgs)",
            )
        elif on and gate in defaults.REFUSED_FEATURE_GATES:
            problems.error(place, path, defaults.REFUSED_FEATURE_GATES[gate])
        elif gate in defaults.DEPRECATED_FEATURE_GATES:
            problems.warning(place, path, f"deprecated; {defaults.DEPRECATED_FEATURE_GATES[gate]}")


def _check_etcd(whole: Whole, version: Version, problems: Problems) -> None:
    place, etcd = whole.cluster_configuration.document, whole.cluster_configuration.value.etcd
    if etcd.local is not None:
        arguments: Path = ("etcd", "local", "extraArgs")
        ours = not etcd.local.image_tag
        check_args(place, arguments, etcd.local.extra_args, "etcd", version, problems, known_release=ours)
        _check_envs(place, ("etcd", "local", "extraEnvs"), etcd.local.extra_envs, problems)
    external = etcd.external
    if external is None:
        return
    path: Path = ("etcd", "external")
    if etcd.local is not None:
        problems.error(place, path, "etcd.local is given too; an etcd is either local or external")
    if not external.endpoints:
        problems.missing(
            place, (*path, "endpoints"), "missing; an external etcd has at least one endpoint URL"
        )
    if bool(external.cert_file) != bool(external.key_file):
        missing = "keyFile" if external.cert_file else "certFile"
        problems.missing(place, (*path, missing), "missing; certFile and keyFile go together")
    if external.cert_file and external.key_file and not external.ca_file:
        problems.missing(place, (*path, "caFile"), "missing; certFile and keyFile need it")
    if external.ca_file or external.cert_file or external.key_file:
        for index, url in enumerate(external.endpoints):
            if not url.lower().startswith("https://"):
                message = f"{show(url)}: with caFile, certFile or keyFile every endpoint is https://"
                problems.error(place, (*path, "endpoints", index), message)


def _check_token(place: Place, path: Path, token: BootstrapToken, problems: Problems) -> None:
    # kubeadm fills in ttl and groups before it looks, so both rules meet tokens that name neither.
    if token.expires is not None:
        message = "kubeadm sets ttl where there is none, and takes no expires beside it; give ttl instead"
        problems.error(place, (*path, "expires"), message)
    if token.usages and "authentication" not in token.usages:
        message = (
            "authentication is missing; every token has groups, by default "
            f"{NODE_TOKEN_GROUP}, and these serve authentication"
        )
        problems.error(place, (*path, "usages"), message)


def _check_reset(whole: Whole, problems: Problems) -> None:
    place, reset = whole.reset.document, whole.reset.value
    if place.raw(("criSocket",)).startswith("/"):
        problems.warning(place, ("criSocket",), f"read as {reset.cri_socket}; write the scheme too")
    if reset.certificates_dir and paths.is_systems(reset.certificates_dir):
        message = f"{show(reset.certificates_dir)} is the whole system's: reset would empty it"
        problems.error(place, ("certificatesDir",), message)
    for index, flag in enumerate(reset.unmount_flags):
        if flag == _EXPIRE:
            message = f"{_EXPIRE} unmounts at a second try only, and reset tries once; leave it out"
            problems.error(place, ("unmountFlags", index), message)
    check_phases(place, reset.skip_phases, RESET, problems)
    check_ignored(place, ("ignorePreflightErrors",), reset.ignore_preflight_errors, problems)


def _check_upgrade(whole: Whole, problems: Problems) -> None:
    for name in ("apply", "node"):
        patches = getattr(whole.upgrade.value, name).patches
        if patches is not None and not patches.directory:
            place: Path = (name, "patches", "directory")
            problems.missing(
                whole.upgrade.document, place, "missing; name the directory by its absolute path"
            )


def check_phases(place: Place, names: Sequence[str], known: Sequence[Phase], problems: Problems) -> None:
    """Add a problem for every phase that does not exist; sub-phases are written with a slash."""
    every = [phase.name for phase in known]
    for index, name in enumerate(names):
        if name not in every and not problems.full:
            guess = closest(name, every)
            hint = (
                f"; did you mean {guess}?"
                if guess
                else f": one of {', '.join(each.name for each in known if not each.parent)}"
            )
            problems.error(place, ("skipPhases", index), f"no phase {show(name)}{hint}")


def _check_registration(
    place: Document, path: Path, registration: NodeRegistration, version: Version, problems: Problems
) -> None:
    arguments = (*path, "kubeletExtraArgs")
    check_args(place, arguments, registration.kubelet_extra_args, "kubelet", version, problems)
    _check_taints(place, (*path, "taints"), registration.taints, problems)
    check_ignored(place, (*path, "ignorePreflightErrors"), registration.ignore_preflight_errors, problems)
    socket = (*path, "criSocket")
    if place.raw(socket).startswith("/"):
        problems.warning(place, socket, f"read as {registration.cri_socket}; write the scheme too")


def check_ignored(place: Place, path: Path, names: Sequence[str], problems: Problems) -> None:
    """Add a problem where `all` is listed with other checks, as kubeadm does."""
    lowered = {name.strip().lower() for name in names}
    if ALL in lowered and len(lowered) > 1:
        problems.error(place, path, f"{ALL} already ignores every check; list it alone")


def _check_taints(place: Place, path: Path, taints: Sequence[object] | None, problems: Problems) -> None:
    for index, taint in enumerate(taints or ()):
        for key in ("key", "effect"):
            if not getattr(taint, key):
                words = f"; one of {', '.join(defaults.TAINT_EFFECTS)}" if key == "effect" else ""
                problems.missing(place, (*path, index, key), f"missing{words}")


def _check_envs(place: Place, path: Path, envs: Sequence[EnvVar], problems: Problems) -> None:
    for index, env in enumerate(envs):
        if not env.name:
            problems.missing(place, (*path, index, "name"), "missing; a variable has a name")
        if env.value and env.value_from:
            problems.error(place, (*path, index, "valueFrom"), "value is given too; keep one of them")


def _check_volumes(place: Place, key: str, component: Component, problems: Problems) -> None:
    path: Path = (key, "extraVolumes")
    seen: set[str] = set()
    for index, volume in enumerate(component.extra_volumes):
        for field, value in (
            ("name", volume.name),
            ("hostPath", volume.host_path),
            ("mountPath", volume.mount_path),
        ):
            if not value:
                problems.missing(
                    place, (*path, index, field), "missing; a volume has name, hostPath and mountPath"
                )
        if volume.name and volume.name in seen:
            problems.error(
                place, (*path, index, "name"), f"{show(volume.name)} is the name of a volume above"
            )
        seen.add(volume.name)
