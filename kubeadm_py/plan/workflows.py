"""List every workflow's stages and steps, top to bottom: the whole story of a verb on one page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kubeadm_py.model.stages import PlannedStep
from kubeadm_py.steps import applied, cluster_objects, own_files
from kubeadm_py.steps.addons import custom_resources
from kubeadm_py.steps.addons import ready as addons_ready
from kubeadm_py.steps.addons import removal as addon_removal
from kubeadm_py.steps.base import Step, StepContext
from kubeadm_py.steps.certificates import certs, kubeconfigs, permissions, upload_certs
from kubeadm_py.steps.control_plane import controllers, static_pods
from kubeadm_py.steps.control_plane import prepare as control_plane_prepare
from kubeadm_py.steps.control_plane import waits as control_plane_waits
from kubeadm_py.steps.endpoint import access as endpoint
from kubeadm_py.steps.endpoint import users as endpoint_users
from kubeadm_py.steps.etcd import birth as etcd_birth
from kubeadm_py.steps.etcd import client as etcd_client
from kubeadm_py.steps.etcd import host as etcd_host
from kubeadm_py.steps.etcd import join as etcd_join
from kubeadm_py.steps.kube_proxy import reads as proxy_reads
from kubeadm_py.steps.kube_proxy import rules as proxy_rules
from kubeadm_py.steps.kubelet import bootstrap as kubelet_bootstrap
from kubeadm_py.steps.kubelet import finalize as kubelet_finalize
from kubeadm_py.steps.kubelet import serving as kubelet_serving
from kubeadm_py.steps.kubelet import start as kubelet_start
from kubeadm_py.steps.nodes import mark as mark_node
from kubeadm_py.steps.prepare import workflow as prepare
from kubeadm_py.steps.rolling import guard as rolling
from kubeadm_py.steps.rolling import preparation as rolling_preparation


@dataclass(frozen=True, slots=True)
class StageDefinition:
    """Name a stage and its steps, in their order."""

    id: str
    title: str
    steps: tuple[Step, ...]
    rolled: tuple[Step, ...] = ()
    """The first of these steps, which together change what may be at work."""
    guard: Callable[[StepContext, Sequence[PlannedStep]], tuple[PlannedStep, ...]] = rolling.guarded
    """Puts around what they plan what is needed to take it back."""
    postponed: bool = False
    """Whether it is for what hosts leave out of earlier stages (`StepContext.later`), and only that."""


PREPARE = StageDefinition(
    "prepare",
    "runtime, kubelet, images",
    (*prepare.STEPS, own_files.STEP, permissions.STEP, etcd_birth.AGAIN, etcd_birth.RECORD),
    prepare.BELOW,
    rolling_preparation.guarded,
)

_CHANGING = (
    prepare.DIRECTORIES,
    certs.STEP,
    etcd_client.STEP,
    kubeconfigs.STEP,
    static_pods.STEP_ETCD,
    static_pods.STEP,
    endpoint.STEP,
    kubelet_start.STEP,
    static_pods.STEP_BESIDE,
    control_plane_waits.STEP,
    static_pods.STEP_FOLLOWING,
    controllers.STEP,
    certs.STEP_SERVED,
)
_CONTROL_PLANE = (
    *_CHANGING,
    etcd_birth.STARTED,
    cluster_objects.STEP,
    upload_certs.STEP,
    mark_node.STEP,
    applied.STEP,
    kubelet_finalize.STEP,
    control_plane_waits.STEP_OTHERS,
    own_files.STEP_PODS,
)
CONTROL_PLANE = StageDefinition(
    "control",
    "control plane, add-ons",
    (*_CONTROL_PLANE, addons_ready.STEP, custom_resources.STEP),
    _CHANGING,
)
"""What init does on the first control plane."""
CONTROL_PLANES = StageDefinition("control", "control planes", _CONTROL_PLANE, _CHANGING)
"""What apply does on all of them: the add-ons are waited for last, with the workers."""

STANDING_BY = StageDefinition(
    "standby",
    "controller managers and schedulers that stand by",
    (static_pods.STEP_FOLLOWING, kubelet_finalize.STEP, control_plane_waits.STEP_OTHERS),
    postponed=True,
)
"""What the other control planes of a new cluster get once all have joined."""

PROXY_RULES = StageDefinition(
    "proxy-rules", "Services go on while kube-proxy is replaced", (proxy_rules.STEP,)
)
"""What comes before a stage that replaces the pods of kube-proxy."""
PROXY_READS = StageDefinition("proxy-reads", "kube-proxy runs with its configuration", (proxy_reads.STEP,))
"""What comes behind it."""

_WAY = (endpoint.STEP, endpoint.STEP_ANSWERS)
ENDPOINT_WAY = StageDefinition(
    "endpoint", "the API answers at the new endpoint", _WAY, _WAY, rolling.guarded_work
)
"""Where the endpoint of a running cluster moves: after the control planes' certificates are for both."""
_USERS = (endpoint_users.STEP_KUBECONFIGS, endpoint_users.STEP_KUBELET)
ENDPOINT_USERS = StageDefinition(
    "endpoint-users", "kubeconfigs and kubelets use it", _USERS, _USERS, rolling.guarded_work
)
ENDPOINT_OBJECTS = StageDefinition(
    "endpoint-objects",
    "kube-proxy uses it, the cluster tells it",
    (cluster_objects.STEP_KUBE_PROXY, cluster_objects.STEP_OTHERS),
)
_OLD = (endpoint.STEP, endpoint.STEP_STILL_ANSWERS)
ENDPOINT_OLD = StageDefinition("endpoint-old", "the old endpoint goes", _OLD, _OLD, rolling.guarded_work)
MOVE = (ENDPOINT_WAY, ENDPOINT_USERS, ENDPOINT_OBJECTS, ENDPOINT_OLD)
"""The move of a running cluster's endpoint, in order; each begins once all hosts came through the last."""
BEFORE_THE_MOVE = (CONTROL_PLANES, ENDPOINT_WAY)
"""Stages that leave the old endpoint beside the new one."""

_CHANGING_ETCD = (
    prepare.DIRECTORIES,
    certs.STEP,
    static_pods.STEP_ETCD,
    kubelet_start.STEP,
    etcd_host.STEP_WAIT,
)
ETCD_HOSTS = StageDefinition(
    "etcd",
    "etcd members",
    (*_CHANGING_ETCD, etcd_birth.STARTED, applied.STEP, own_files.STEP_PODS),
    _CHANGING_ETCD,
)
"""What apply does on hosts of role etcd that founded their cluster, or have been let into it."""

JOIN_ETCD_HOST = StageDefinition(
    "etcd-join",
    "etcd members join",
    (
        prepare.DIRECTORIES,
        certs.STEP,
        etcd_join.STEP_CHECK,
        kubelet_start.STEP,
        etcd_join.STEP,
        applied.STEP,
        own_files.STEP_PODS,
    ),
)
"""What it does on those that come later."""

_CHANGING_WORKER = (prepare.DIRECTORIES, endpoint.STEP, kubelet_start.STEP)
JOIN_WORKER = StageDefinition(
    "join",
    "kubelet joins the cluster",
    (
        *_CHANGING_WORKER,
        endpoint.STEP_BALANCER,
        kubelet_bootstrap.STEP,
        own_files.STEP_PODS,
    ),
    _CHANGING_WORKER,
)

JOIN_CONTROL_PLANE = StageDefinition(
    JOIN_WORKER.id,
    "control plane joins the cluster",
    (
        prepare.DIRECTORIES,
        control_plane_prepare.STEP_DOWNLOAD,
        control_plane_prepare.STEP_CERTS,
        control_plane_prepare.STEP_KUBECONFIG,
        control_plane_prepare.STEP_CONTROL_PLANE,
        etcd_join.STEP_CHECK,
        endpoint.STEP,
        kubelet_start.STEP,
        etcd_join.STEP,
        # Before the kubelet's certificate, which only this API server can get it.
        control_plane_waits.STEP,
        kubelet_bootstrap.STEP_AGAIN,
        kubelet_bootstrap.STEP_CERTIFICATE,
        mark_node.STEP_JOINED,
        applied.STEP,
        control_plane_waits.STEP_OTHERS,
        kubelet_bootstrap.STEP_READY,
        own_files.STEP_PODS,
    ),
)

JOINED = StageDefinition("ready", "labels, add-ons", ())
"""What the control plane does for hosts that have joined; joining.hosts knows its actions."""

WORKERS_THERE = StageDefinition("ready", "custom resources", (custom_resources.STEP,))
"""What a new cluster gets with its first worker, as `render` writes it down."""

READY = StageDefinition("ready", "add-ons", (kubelet_serving.STEP, addons_ready.STEP, custom_resources.STEP))
"""What init does in a stage of its own where kubelets ask the cluster for their serving certificates."""

FINISH = StageDefinition(
    "ready",
    "labels, add-ons",
    (
        mark_node.STEP_WORKERS,
        kubelet_serving.STEP,
        addons_ready.STEP_ALL,
        custom_resources.STEP,
        addon_removal.STEP,
    ),
)
"""What the leading control plane does for all once apply's hosts have joined."""

WITH_OBJECTS = (CONTROL_PLANES, ENDPOINT_OBJECTS, FINISH)
"""Stages of apply that bring the cluster's objects and marks to what they shall be."""
