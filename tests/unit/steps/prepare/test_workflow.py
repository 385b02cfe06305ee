"""A bare host gets everything in order, a prepared one nothing, whatever the host."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kubeadm_py.model import host_settings, paths
from kubeadm_py.model.actions import ImportImages, Late, RunScript, Unit, Wait, WriteFiles
from kubeadm_py.model.cluster import AddonRequest, ArtifactSource
from kubeadm_py.model.components import Etcd, ExternalEtcd
from kubeadm_py.model.digest import sha256
from kubeadm_py.model.facts import FileFact, ImageFact, UnitFact
from kubeadm_py.model.networking import Networking
from kubeadm_py.model.node import Proxy
from kubeadm_py.model.registries import Registry
from kubeadm_py.steps.prepare.workflow import STEPS


def plan_prepare(ctx):
    return [action for step in STEPS for action in step.plan(ctx)]


def titles(actions):
    return [getattr(action, "title", "") or getattr(action, "name", "") for action in actions]


def written(actions):
    return {spec.path: spec for action in actions if isinstance(action, WriteFiles) for spec in action.files}


def test_a_bare_control_plane_gets_everything_in_order(context):
    actions = plan_prepare(context)
    assert titles(actions) == [
        "list kernel modules for every boot",
        "load overlay, br_netfilter, nf_conntrack",
        "keep sysctls for every boot",
        "set fs.inotify.max_user_instances, fs.inotify.max_user_watches, "
        "net.bridge.bridge-nf-call-ip6tables, net.bridge.bridge-nf-call-iptables, net.ipv4.ip_forward",
        "make the directory for CNI configurations",
        "install crictl, kubectl, etcdctl, etcdutl",
        "point crictl at the container runtime",
        "install CNI plugins bandwidth, bridge, firewall, host-local, loopback, portmap, ptp, tuning",
        "install containerd and runc",
        "configure containerd",
        "containerd.service",
        "wait for containerd",
        "install kubelet",
        "configure the kubelet's unit",
        "kubelet.service",
        "",
    ]
    files = written(actions)
    assert {path for path in files if path.startswith("/usr/bin/")} == {
        f"/usr/bin/{name}"
        for name in (
            [
                "containerd",
                "containerd-shim-runc-v2",
                "ctr",
                "runc",
                "crictl",
                "kubectl",
                "etcdctl",
                "etcdutl",
                "kubelet",
            ]
        )
    }
    assert all(spec.mode == 0o755 for path, spec in files.items() if path.startswith(("/usr/bin", "/opt")))
    assert isinstance(actions[-1], ImportImages)


def test_a_worker_gets_no_etcd_tools_and_no_control_plane_images(cluster, machine, bundle, on):
    actions = plan_prepare(on(cluster, "w1", machine, bundle))
    assert not [path for path in written(actions) if "etcd" in path]
    imported = [name for name, _ in actions[-1].images]
    assert imported == [
        "registry.k8s.io/kube-proxy:v1.36.3",
        "registry.k8s.io/coredns/coredns:v1.14.2",
        "registry.k8s.io/pause:3.10.2",
        "registry.k8s.io/e2e-test-images/agnhost:2.63.0",
    ]


def test_external_etcd_needs_no_etcd_tools(cluster, machine, bundle, on):
    external = replace(cluster, etcd=Etcd(None, ExternalEtcd(("https://10.0.0.9:2379",))))
    assert not [
        path for path in written(plan_prepare(on(external, "cp1", machine, bundle))) if "etcd" in path
    ]


def changed(cluster, **fields):
    return replace(cluster, **fields)


CLUSTERS = {
    "plain": lambda cluster: cluster,
    "ipvs": lambda cluster: changed(
        cluster, kube_proxy_config={"mode": "ipvs", "ipvs": {"scheduler": "sed"}}
    ),
    "dual stack, strict kernel": lambda cluster: changed(
        cluster,
        networking=Networking("10.96.0.0/12,fd00::/108", "10.244.0.0/16,fd01::/48"),
        kubelet_config={"protectKernelDefaults": True},
    ),
    "proxy and mirrors": lambda cluster: changed(
        cluster,
        nodes=tuple(replace(node, proxy=Proxy("http://p:3128")) for node in cluster.nodes),
        registries={"docker.io": Registry(("https://mirror.example",))},
    ),
    "flannel": lambda cluster: changed(cluster, addons=(AddonRequest("flannel"),)),
}
HOSTS = {
    "debian": lambda facts: facts,
    "fedora with zram": lambda facts: replace(
        facts,
        os_release={"ID": "rocky", "ID_LIKE": "rhel centos fedora"},
        swaps=("/dev/zram0",),
        zram=True,
        units={"dev-zram0.swap": UnitFact("dev-zram0.swap", "loaded", "active", "generated")},
    ),
    "swap in fstab": lambda facts: replace(
        facts,
        swaps=("/dev/sda2",),
        files={
            host_settings.FSTAB: FileFact(
                host_settings.FSTAB,
                0o644,
                "root:root",
                content=b"/dev/sda1 / ext4 defaults 0 1\n/dev/sda2 none swap sw 0 0\n",
            )
        },
    ),
    "container": lambda facts: replace(
        facts, container="docker", cap_sys_resource=False, swaps=("/dev/sda2",)
    ),
    "generous limits": lambda facts: replace(
        facts, sysctls={**facts.sysctls, "fs.inotify.max_user_watches": "9000000"}
    ),
    "package containerd": lambda facts: replace(
        facts,
        executables={"containerd": "/usr/bin/containerd", "ctr": "/usr/bin/ctr", "runc": "/usr/sbin/runc"},
        binary_versions={"containerd": "v1.7.28", "runc": "v1.1.5"},
        units={"containerd.service": UnitFact("containerd.service", "loaded", "active", "enabled")},
    ),
}


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("shape", CLUSTERS)
@pytest.mark.parametrize("name", ["cp1", "w1"])
def test_a_prepared_host_is_left_alone(shape, host, name, cluster, machine, bundle, on, carried_out):
    ctx = on(CLUSTERS[shape](cluster), name, HOSTS[host](machine), bundle)
    actions = plan_prepare(ctx)
    assert actions
    assert plan_prepare(carried_out(ctx, actions)) == []


@pytest.mark.parametrize("source", [ArtifactSource.OFFICIAL, ArtifactSource.PREINSTALLED])
def test_a_prepared_host_is_left_alone_without_a_bundle(source, cluster, machine, bundle, on, carried_out):
    view = replace(bundle, source=source, layout="", images={})
    if source is ArtifactSource.PREINSTALLED:
        view = None
    ctx = on(cluster, "cp1", machine, view)
    actions = plan_prepare(ctx)
    assert actions
    assert plan_prepare(carried_out(ctx, actions)) == []


def test_an_interrupted_run_is_finished(context, carried_out):
    """Whatever was done when the connection was lost, the next run does the rest and no more."""
    actions = plan_prepare(context)
    for done in range(len(actions)):
        ctx = carried_out(context, actions[:done])
        rest = plan_prepare(ctx)
        assert rest, f"after {done} of {len(actions)} actions"
        assert plan_prepare(carried_out(ctx, rest)) == []


def test_with_preinstalled_nothing_is_sent(cluster, machine, on):
    actions = plan_prepare(on(cluster, "cp1", machine, None))
    assert set(written(actions)) == {paths.MODULES_FILE, paths.SYSCTL_FILE}
    assert not [action for action in actions if isinstance(action, ImportImages)]


def test_a_real_lab_node_gets_what_it_lacks(cluster, probed, bundle, on):
    lab = replace(cluster, kubelet_config={"failSwapOn": False}, addons=(AddonRequest("flannel"),))
    actions = plan_prepare(on(lab, "w1", probed("lab-bare"), bundle))
    files = written(actions)
    assert "/usr/bin/runc" not in files  # Debian's own is on the node
    assert paths.MODULES_FILE not in files  # a container's modules are its machine's
    assert "/opt/cni/bin/flannel" in files
    assert b"restrict_oom_score_adj = true" in files[paths.CONTAINERD_CONFIG].content
    assert [action.name for action in actions if isinstance(action, Unit)] == [
        "containerd.service",
        "kubelet.service",
    ]


def test_the_same_real_node_afterwards_is_left_alone(cluster, probed, bundle, on):
    """The probe after a real run; our text files are taken as today's templates make them."""
    lab = replace(cluster, addons=(AddonRequest("flannel"),))
    bare = on(lab, "w1", probed("lab-bare"), bundle)
    facts = probed("lab-prepared")
    texts = {
        path: FileFact(path, spec.mode, spec.owner, hash_of(spec.content))
        for path, spec in written(plan_prepare(bare)).items()
        if isinstance(spec.content, bytes)
    }
    assert texts.keys() <= facts.files.keys()
    facts = replace(facts, files={**facts.files, **texts})
    for recorded in ((), [*texts, *facts.files]):
        assert plan_prepare(on(lab, "w1", facts, bundle, recorded)) == []


def hash_of(content):

    return sha256(content)


def test_what_was_not_downloaded_yet_can_be_planned(cluster, machine, bundle, on):
    """`plan` and --dry-run download nothing."""
    view = replace(bundle, source=ArtifactSource.OFFICIAL, binaries={})
    actions = plan_prepare(on(cluster, "cp1", machine, view))
    files = [spec for action in actions if isinstance(action, WriteFiles) for spec in action.files]
    [kubelet] = [spec for spec in files if spec.path.endswith("bin/kubelet")]
    assert isinstance(kubelet.content, Late)
    assert "kubernetes" in kubelet.content.spec["downloaded"]


def test_step_ids_are_unique_and_titled():
    assert len({step.id for step in STEPS}) == len(STEPS)
    assert all(step.title for step in STEPS)


def test_waits_come_first(cluster, machine, bundle, on):
    facts = replace(machine, cloud_init="running", package_lock_held=True, package_manager="apt-get")
    first, second, *_ = plan_prepare(on(cluster, "cp1", facts, bundle))
    assert isinstance(first, Wait)
    assert isinstance(second, Wait)
    assert (first.title, second.title) == ("wait for cloud-init", "wait for the package manager")


def test_images_are_pinned_where_they_are_already(cluster, machine, bundle, on, carried_out):
    held = tuple(ImageFact(name, digest) for name, digest in bundle.images["amd64"].items())
    actions = plan_prepare(on(cluster, "w1", replace(machine, images=held), bundle))
    assert not [action for action in actions if isinstance(action, ImportImages)]
    (pin,) = [
        action for action in actions if isinstance(action, RunScript) and action.title.startswith("pin")
    ]
    assert "registry.k8s.io/pause:3.10.2" in pin.script
    assert "etcd" not in pin.script
