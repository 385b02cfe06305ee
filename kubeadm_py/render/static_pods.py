"""Render the static pods of a control plane (kubeadm contract, section 5)."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from kubeadm_py.model import images, paths, ports
from kubeadm_py.model.actions import FileSpec
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.components import Component, ExternalEtcd, LocalEtcd
from kubeadm_py.model.facts import HostFacts
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.versions import ETCD_FEATURE_GATES_SINCE, Version
from kubeadm_py.render import component_flags, engine, host_paths, probes
from kubeadm_py.render.arguments import extra_value, flags, merge_variables, proxy_variables
from kubeadm_py.render.host_paths import HostPath
from kubeadm_py.render.patching.apply import patched
from kubeadm_py.render.probes import Probe

MANIFEST_MODE = 0o600
ETCD = "etcd"
COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
_PROBE_PERIOD_SECONDS = 10


def manifests(
    cluster: ResolvedCluster,
    node: Node,
    facts: HostFacts,
    *,
    environment: Mapping[str, str] = {},
    external_ca: bool = False,
    etcd_members: Sequence[tuple[str, str]] | None = None,
    initial_cluster_state: str = "",
    wanted: Collection[str] = (ETCD, *COMPONENTS),
) -> list[FileSpec]:
    """Return a host's wanted manifests: etcd where it is local; on a control plane then the three components.

    `environment` are the host's variables, of which the components get the *_proxy ones. `external_ca`
    says that the CA's key is not on the host. `etcd_members` are (name, peer URL) of every member that the
    local one starts with, itself included; None: it starts alone. `initial_cluster_state` is `new`,
    `existing` or '' for etcd's own default.
    """
    rendered = pods(
        cluster,
        node,
        facts,
        environment=environment,
        external_ca=external_ca,
        etcd_members=etcd_members,
        initial_cluster_state=initial_cluster_state,
        wanted=wanted,
    )
    return [
        FileSpec(f"{paths.MANIFESTS_DIR}/{name}.yaml", engine.dump(pod), mode=MANIFEST_MODE)
        for name, pod in rendered.items()
    ]


def pods(
    cluster: ResolvedCluster,
    node: Node,
    facts: HostFacts,
    *,
    environment: Mapping[str, str] = {},
    external_ca: bool = False,
    etcd_members: Sequence[tuple[str, str]] | None = None,
    initial_cluster_state: str = "",
    wanted: Collection[str] = (ETCD, *COMPONENTS),
) -> dict[str, Any]:
    """Return the same static pods as `manifests` as parsed objects, by component, patches applied."""
    builder = _Builder(cluster, node, facts, proxy_variables(environment))
    makers: dict[str, Callable[[], Any]] = {
        ETCD: lambda: builder.etcd(cluster.etcd.local or LocalEtcd(), etcd_members, initial_cluster_state),
        "kube-apiserver": builder.kube_apiserver,
        "kube-controller-manager": lambda: builder.kube_controller_manager(external_ca),
        "kube-scheduler": builder.kube_scheduler,
    }
    absent: tuple[str, ...] = () if cluster.etcd.local is not None else (ETCD,)
    if node.role is Role.ETCD:
        absent = COMPONENTS
    rendered = {name: make() for name, make in makers.items() if name in wanted and name not in absent}
    patches = cluster.patches(node)
    return {name: patched(pod, name, patches) for name, pod in rendered.items()}


class _Builder:
    """Build the static pods of one host."""

    def __init__(
        self, cluster: ResolvedCluster, node: Node, facts: HostFacts, proxies: list[dict[str, Any]]
    ) -> None:
        self._cluster = cluster
        self._node = node
        self._facts = facts
        self._proxies = proxies
        self._advertise = probes.advertised(node)
        self._advertise_host = _in_url(self._advertise)
        self._loopback_host = _in_url(probes.loopback(node))

    def kube_apiserver(self) -> Any:
        """Build kube-apiserver."""
        component = self._cluster.api_server
        defaults = self._fill(component_flags.KUBE_APISERVER) | self._etcd_client_flags()
        if extra_value(component.extra_args, "authorization-config") is not None:
            del defaults["authorization-mode"]  # the API server refuses both
        return self._component(
            "kube-apiserver",
            component,
            defaults,
            host_paths.kube_apiserver(self._cluster, self._facts),
            probes.kube_apiserver(self._node),
            annotations={
                "kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint": self._node.local_endpoint
            },
        )

    def kube_controller_manager(self, external_ca: bool) -> Any:
        """Build kube-controller-manager."""
        component = self._cluster.controller_manager
        defaults = self._fill(component_flags.KUBE_CONTROLLER_MANAGER)
        if self._cluster.networking.pod_subnet:
            defaults |= self._fill(component_flags.KUBE_CONTROLLER_MANAGER_POD_SUBNET)
        if external_ca:
            defaults |= component_flags.KUBE_CONTROLLER_MANAGER_EXTERNAL_CA
        return self._component(
            "kube-controller-manager",
            component,
            defaults,
            host_paths.kube_controller_manager(self._cluster, self._facts),
            probes.kube_controller_manager(self._cluster),
        )

    def kube_scheduler(self) -> Any:
        """Build kube-scheduler."""
        component = self._cluster.scheduler
        return self._component(
            "kube-scheduler",
            component,
            self._fill(component_flags.KUBE_SCHEDULER),
            host_paths.kube_scheduler(),
            probes.kube_scheduler(self._cluster),
        )

    def etcd(self, local: LocalEtcd, members: Sequence[tuple[str, str]] | None, state: str) -> Any:
        """Build the local etcd member."""
        peer_url = f"https://{self._advertise_host}:{ports.ETCD_PEER}"
        initial_cluster = ",".join(f"{name}={url}" for name, url in members or [(self._node.name, peer_url)])
        defaults = self._fill(
            {**component_flags.ETCD, **_etcd_version_flags(images.etcd_image(self._cluster))},
            initial_cluster=initial_cluster,
            etcd_data_dir=local.data_dir,
        )
        if state:
            defaults["initial-cluster-state"] = state
        client_url = f"https://{self._advertise_host}:{ports.ETCD_CLIENT}"
        mounted = host_paths.etcd(self._cluster, local.data_dir)
        return self._render(
            "etcd",
            image=images.etcd_image(self._cluster),
            command=["etcd", *flags(defaults, local.extra_args)],
            env=merge_variables(local.extra_envs),
            mounts=mounted,
            volumes=sorted(mounted, key=lambda path: path.name),
            probe=probes.etcd_metrics(local, self._node),
            annotations={"kubeadm.kubernetes.io/etcd.advertise-client-urls": client_url},
        )

    def _component(
        self,
        name: str,
        component: Component,
        defaults: Mapping[str, str],
        default_paths: Iterable[HostPath],
        probe: Probe,
        *,
        annotations: Mapping[str, str] = {},
    ) -> Any:
        mounted = host_paths.merge(default_paths, component.extra_volumes)
        return self._render(
            name,
            image=images.kubernetes_image(self._cluster, name),
            command=[name, *flags(defaults, component.extra_args)],
            env=merge_variables(self._proxies, component.extra_envs),
            mounts=mounted,
            volumes=mounted,
            probe=probe,
            annotations=annotations,
        )

    def _render(
        self,
        name: str,
        *,
        image: str,
        command: list[str],
        env: list[dict[str, Any]],
        mounts: list[HostPath],
        volumes: list[HostPath],
        probe: Probe,
        annotations: Mapping[str, str],
    ) -> Any:
        first = self._cluster.control_planes[0].name == self._node.name
        timeouts = self._cluster.init_timeouts if first else self._cluster.join_timeouts
        wait = timeouts.control_plane_component_health_check.total_seconds()
        http_get: dict[str, Any] = {"port": "probe-port", "scheme": probe.scheme}
        if probe.host:
            http_get["host"] = probe.host
        return engine.render_yaml(
            f"static-pods/{name}.yaml.j2",
            component=name,
            annotations=annotations,
            image=image,
            command=command,
            env=env,
            port=probe.port,
            probe=http_get,
            startup_failures=max(1, math.ceil(wait / _PROBE_PERIOD_SECONDS)),
            volume_mounts=[path.mount() for path in mounts],
            volumes=[path.volume() for path in volumes],
        )

    def _fill(self, table: Mapping[str, str], **more: str) -> dict[str, str]:
        values = {
            "advertise_address": self._advertise,
            "advertise_host": self._advertise_host,
            "bind_port": self._node.bind_port,
            "cluster_name": self._cluster.cluster_name,
            "controller_manager_conf": paths.CONTROLLER_MANAGER_CONF,
            "dns_domain": self._cluster.networking.dns_domain,
            "etcd_client_port": ports.ETCD_CLIENT,
            "etcd_metrics_port": ports.ETCD_METRICS,
            "etcd_peer_port": ports.ETCD_PEER,
            "loopback": self._loopback_host,
            "node_name": self._node.name,
            "pki": self._cluster.certificates_dir,
            "pod_subnet": self._cluster.networking.pod_subnet,
            "scheduler_conf": paths.SCHEDULER_CONF,
            "service_subnet": self._cluster.networking.service_subnet,
            **more,
        }
        return {flag: text.format_map(values) for flag, text in table.items()}

    def _etcd_client_flags(self) -> dict[str, str]:
        if self._cluster.etcd.external is not None:
            return _external_etcd_flags(self._cluster.etcd.external)
        defaults = self._fill(component_flags.KUBE_APISERVER_LOCAL_ETCD)
        local = self._cluster.etcd.local or LocalEtcd()
        advertised = extra_value(local.extra_args, "advertise-client-urls")
        return {**defaults, "etcd-servers": advertised} if advertised else defaults


def _external_etcd_flags(external: ExternalEtcd) -> dict[str, str]:
    files = {
        "etcd-cafile": external.ca_file,
        "etcd-certfile": external.cert_file,
        "etcd-keyfile": external.key_file,
    }
    given = {flag: file for flag, file in files.items() if file}
    return {**given, "etcd-servers": ",".join(external.endpoints)}


def _etcd_version_flags(image: str) -> Mapping[str, str]:
    try:
        version = Version.parse(image.rpartition(":")[2])
    except ValueError:  # an operator's own tag
        return component_flags.ETCD_WATCH_AND_CORRUPTION
    if version < ETCD_FEATURE_GATES_SINCE:
        return component_flags.ETCD_BEFORE_3_6_WATCH_AND_CORRUPTION
    return component_flags.ETCD_WATCH_AND_CORRUPTION


def _in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address
