"""Turn a checked config into the ResolvedCluster: every default filled in, nothing left to guess."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from kubeadm_py.config import components, defaults
from kubeadm_py.config.check_discovery import check_discovery, discovery_file
from kubeadm_py.config.check_endpoint import check_endpoint, derived_endpoint, load_balancer
from kubeadm_py.config.check_hosts import check_hosts
from kubeadm_py.config.check_kubeadm import check_kubeadm
from kubeadm_py.config.check_networking import check_networking
from kubeadm_py.config.cluster_types import Host
from kubeadm_py.config.env_types import EnvVar
from kubeadm_py.config.kubeadm_types import BootstrapToken as TokenDocument
from kubeadm_py.config.kubeadm_types import Component as ComponentDocument
from kubeadm_py.config.kubeadm_types import ExtraArg
from kubeadm_py.config.kubeadm_types import LocalEtcd as LocalEtcdDocument
from kubeadm_py.config.kubeadm_types import Timeouts as TimeoutsDocument
from kubeadm_py.config.local_paths import on_this_machine
from kubeadm_py.config.nodes import common_ssh, ignored, nodes
from kubeadm_py.config.own import Own
from kubeadm_py.config.problems import Problems
from kubeadm_py.config.reset_types import ResetConfiguration
from kubeadm_py.config.scalars import split_endpoint
from kubeadm_py.config.versions import resolve_version
from kubeadm_py.config.whole import Whole
from kubeadm_py.model import images, paths, ports
from kubeadm_py.model.bootstrap import NODE_TOKEN_GROUP, BootstrapToken, Discovery
from kubeadm_py.model.cluster import AddonRequest, ArtifactSource, ResolvedCluster
from kubeadm_py.model.components import Arg, Component, Dns, Etcd, ExternalEtcd, ExtraVolume, LocalEtcd
from kubeadm_py.model.networking import join_host_port
from kubeadm_py.model.node import Role
from kubeadm_py.model.patches import Patch
from kubeadm_py.model.registries import Registry
from kubeadm_py.model.reset import ResetSettings
from kubeadm_py.model.secret import Secret
from kubeadm_py.model.timeouts import Timeouts


def check(whole: Whole, problems: Problems) -> None:
    """Add every problem that only shows across fields and documents."""
    check_kubeadm(whole, problems)
    check_networking(whole, problems)
    check_hosts(whole, problems)
    check_endpoint(whole, problems)
    check_discovery(whole, problems)
    if not problems.errors:
        components.warn_about_components(whole, problems)


def resolve(
    whole: Whole,
    patches: Mapping[str, tuple[Patch, ...]] = {},
    own: Mapping[str, Own] = {},
    registries: Mapping[str, Registry] = {},
) -> ResolvedCluster:
    """Return the cluster that a config without problems describes.

    `patches` are of `read_patches`, `own` what the operator gives hosts, of `read_own`, `registries` of
    `read_registries`.
    """
    shared = whole.cluster_configuration.value
    cluster_name = shared.cluster_name or whole.cluster.value.metadata.name or defaults.CLUSTER_NAME
    artifacts = _artifacts(whole)
    join_only = not whole.control_plane_here
    return ResolvedCluster(
        name=whole.cluster.value.metadata.name or cluster_name,
        kubernetes_version=resolve_version(
            whole.cluster_configuration.document, shared.kubernetes_version, Problems()
        ),
        nodes=nodes(whole, own),
        ssh=common_ssh(whole),
        cluster_name=cluster_name,
        control_plane_endpoint=_endpoint(whole, join_only),
        load_balancer=load_balancer(whole),
        networking=components.networking(whole),
        etcd=_etcd(whole),
        api_server=_component(shared.api_server),
        api_server_cert_sans=tuple(shared.api_server.cert_sans),
        controller_manager=_component(shared.controller_manager),
        scheduler=_component(shared.scheduler),
        dns=Dns(
            shared.dns.image_repository,
            shared.dns.image_tag,
            shared.dns.disabled,
            whole.cluster.value.spec.dns.replicas or 0,
        ),
        proxy_disabled=shared.proxy.disabled,
        certificates_dir=shared.certificates_dir or paths.PKI_DIR,
        image_repository=shared.image_repository or images.DEFAULT_REPOSITORY,
        feature_gates=dict(shared.feature_gates),
        encryption_algorithm=shared.encryption_algorithm or defaults.ENCRYPTION_ALGORITHMS[0],
        certificate_validity=shared.certificate_validity_period or defaults.CERTIFICATE_VALIDITY,
        ca_certificate_validity=shared.ca_certificate_validity_period or defaults.CA_CERTIFICATE_VALIDITY,
        bootstrap_tokens=_tokens(whole.init.value.bootstrap_tokens),
        certificate_key=_certificate_key(whole, join_only),
        discovery=_discovery(whole),
        ca_cert_path=whole.join.value.ca_cert_path or f"{shared.certificates_dir or paths.PKI_DIR}/ca.crt",
        # What only joins has one set of timeouts, whichever step asks.
        init_timeouts=_timeouts((whole.join if join_only else whole.init).value.timeouts),
        join_timeouts=_timeouts(whole.join.value.timeouts),
        init_dry_run=whole.init.value.dry_run,
        join_dry_run=whole.join.value.dry_run,
        init_skip_phases=tuple(whole.init.value.skip_phases),
        join_skip_phases=tuple(whole.join.value.skip_phases),
        init_patches=patches.get("JoinConfiguration" if join_only else "InitConfiguration", ()),
        join_patches=patches.get("JoinConfiguration", ()),
        reset=_reset(whole.reset.value),
        kubelet_config=components.kubelet_config(whole),
        kubelet_config_given=whole.kubelet.given,
        kube_proxy_config=components.kube_proxy_config(whole),
        kube_proxy_config_given=whole.kube_proxy.given,
        addons=_addons(whole),
        artifacts=artifacts,
        artifacts_path=_artifacts_path(whole, artifacts),
        registries=registries,
        source_file=whole.file,
    )


def _endpoint(whole: Whole, join_only: bool) -> str:
    """Return `host:port`; for hosts that join another's cluster, where discovery begins."""
    ours = derived_endpoint(whole)
    if ours:
        return ours
    given = whole.cluster_configuration.value.control_plane_endpoint
    if given:
        host, port = split_endpoint(given)
        return join_host_port(host, port or whole.init.value.local_api_endpoint.bind_port or ports.API_SERVER)
    discovery = whole.join.value.discovery
    if join_only and discovery is not None and discovery.bootstrap_token is not None:
        return discovery.bootstrap_token.api_server_endpoint
    return ""


def _component(document: ComponentDocument) -> Component:
    return Component(
        extra_args=_args(document.extra_args),
        extra_volumes=tuple(
            ExtraVolume(volume.name, volume.host_path, volume.mount_path, volume.read_only, volume.path_type)
            for volume in document.extra_volumes
        ),
        extra_envs=_envs(document.extra_envs),
    )


def _args(documents: Sequence[ExtraArg]) -> tuple[Arg, ...]:
    return tuple(Arg(document.name, document.value) for document in documents)


def _envs(documents: Sequence[EnvVar]) -> tuple[dict[str, Any], ...]:
    """Return core/v1 EnvVars as plain mappings, with the defaults of what a value may come from."""
    found = []
    for document in documents:
        env = document.model_dump(by_alias=True, exclude_none=True, exclude_unset=True)
        source = dict(env.get("valueFrom") or {})
        for kind, (key, default) in _ENV_SOURCE_DEFAULTS.items():
            if isinstance(source.get(kind), dict):
                source[kind] = source[kind] | {key: source[kind].get(key) or default}
        found.append(env | ({"valueFrom": source} if source else {}))
    return tuple(found)


_ENV_SOURCE_DEFAULTS = {"fieldRef": ("apiVersion", "v1"), "resourceFieldRef": ("divisor", "0")}


def _etcd(whole: Whole) -> Etcd:
    etcd = whole.cluster_configuration.value.etcd
    if etcd.external is not None:
        external = etcd.external
        return Etcd(
            local=None,
            external=ExternalEtcd(
                endpoints=tuple(external.endpoints),
                http_endpoints=tuple(external.http_endpoints or external.endpoints),
                ca_file=external.ca_file,
                cert_file=external.cert_file,
                key_file=external.key_file,
            ),
        )
    members = [host for host in whole.cluster.value.spec.hosts if host.role == Role.ETCD]
    if members:
        return Etcd(local=None, external=_reached_at(whole, members), members=_local_etcd(etcd.local))
    return Etcd(local=_local_etcd(etcd.local))


def _local_etcd(local: LocalEtcdDocument | None) -> LocalEtcd:
    if local is None:
        return LocalEtcd()
    return LocalEtcd(
        image_repository=local.image_repository,
        image_tag=local.image_tag,
        data_dir=local.data_dir or paths.ETCD_DATA_DIR,
        extra_args=_args(local.extra_args),
        extra_envs=_envs(local.extra_envs),
        server_cert_sans=tuple(local.server_cert_sans),
        peer_cert_sans=tuple(local.peer_cert_sans),
    )


def _reached_at(whole: Whole, members: Sequence[Host]) -> ExternalEtcd:
    """Return how control planes reach the members on hosts of their own: by kubeadm's documented paths."""
    folder = whole.cluster_configuration.value.certificates_dir or paths.PKI_DIR
    addresses = (host.address.partition(",")[0] for host in members)
    endpoints = tuple(f"https://{join_host_port(address, ports.ETCD_CLIENT)}" for address in addresses)
    client = f"{folder}/apiserver-etcd-client"
    return ExternalEtcd(endpoints, endpoints, f"{folder}/etcd/ca.crt", f"{client}.crt", f"{client}.key")


def _tokens(documents: Sequence[TokenDocument]) -> tuple[BootstrapToken, ...]:
    return tuple(_token(document) for document in documents) or (BootstrapToken(),)


def _token(document: TokenDocument) -> BootstrapToken:
    usages = tuple(document.usages) or defaults.TOKEN_USAGES
    ttl = document.ttl if document.ttl is not None else defaults.TOKEN_TTL
    return BootstrapToken(
        token=document.token,
        description=document.description,
        ttl=ttl,
        usages=usages,
        groups=tuple(document.groups) or (NODE_TOKEN_GROUP,),
    )


def _certificate_key(whole: Whole, join_only: bool) -> Secret | None:
    """Return the key of the kubeadm-certs Secret: init's to encrypt with, a join's to decrypt with."""
    if not join_only:
        return whole.init.value.certificate_key
    joining = whole.join.value.control_plane
    return joining.certificate_key if joining is not None else None


def _discovery(whole: Whole) -> Discovery | None:
    document = whole.join.value.discovery
    if document is None:
        return None
    by_token, by_file = document.bootstrap_token, document.file
    if by_token is not None:
        return Discovery(
            token=by_token.token,
            api_server_endpoint=by_token.api_server_endpoint,
            ca_cert_hashes=tuple(by_token.ca_cert_hashes),
            unsafe_skip_ca_verification=by_token.unsafe_skip_ca_verification,
            tls_bootstrap_token=document.tls_bootstrap_token or by_token.token,
        )
    path = by_file.kube_config_path if by_file is not None else ""
    return Discovery(
        file=discovery_file(path, whole.folder), tls_bootstrap_token=document.tls_bootstrap_token
    )


def _reset(document: ResetConfiguration) -> ResetSettings:
    return ResetSettings(
        dry_run=document.dry_run,
        force=document.force,
        certificates_dir=document.certificates_dir,
        cleanup_tmp_dir=document.cleanup_tmp_dir,
        cri_socket=document.cri_socket,
        ignore_preflight_errors=ignored(document.ignore_preflight_errors),
        skip_phases=tuple(document.skip_phases),
        unmount_flags=tuple(document.unmount_flags),
        timeouts=_timeouts(document.timeouts),
    )


def _timeouts(document: TimeoutsDocument) -> Timeouts:
    given = {name: getattr(document, name) for name in document.model_fields_set}
    return replace(Timeouts(), **{name: value for name, value in given.items() if value})


def _addons(whole: Whole) -> tuple[AddonRequest, ...]:
    return tuple(
        AddonRequest(addon.located(whole.folder), addon.parameters)
        for addon in whole.cluster.value.spec.addons
    )


def _artifacts(whole: Whole) -> ArtifactSource:
    if not whole.cluster.given:
        return ArtifactSource.PREINSTALLED
    return ArtifactSource(whole.cluster.value.spec.artifacts.source or ArtifactSource.OFFICIAL)


def _artifacts_path(whole: Whole, source: ArtifactSource) -> str:
    written = whole.cluster.value.spec.artifacts.path
    if source is ArtifactSource.BUNDLE:
        return on_this_machine(written or defaults.BUNDLE_FOLDER, whole.folder)
    return written
