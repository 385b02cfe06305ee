"""What a host needs, what it has, and what somebody else looks after."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kubeadm_py.artifacts import plan
from kubeadm_py.artifacts.check import artifact_findings
from kubeadm_py.artifacts.plan import ArtifactView, Decision, full_reference
from kubeadm_py.model import binaries
from kubeadm_py.model.actions import LocalFile
from kubeadm_py.model.cluster import AddonRequest, ArtifactSource, ResolvedCluster
from kubeadm_py.model.facts import FileFact, HostFacts, ImageFact
from kubeadm_py.model.findings import Severity
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.versions import Version

CP = Node("cp1", Role.CONTROL_PLANE, ("10.0.0.11",))
WORKER = Node("w1", Role.WORKER, ("10.0.0.21",))
COMPONENTS = {
    "kubernetes": "v1.36.3",
    "containerd": "v2.3.7",
    "runc": "v1.4.0",
    "cni-plugins": "v1.9.1",
    "crictl": "v1.36.0",
    "etcd": "v3.6.8",
}
EMPTY = HostFacts()


@pytest.fixture
def cluster():
    return ResolvedCluster("demo", Version.parse("v1.36.3"), (CP, WORKER), artifacts=ArtifactSource.BUNDLE)


@pytest.fixture
def view():
    files = {
        binary.name: LocalFile(f"/b/{binary.name}", binary.name, len(binary.name))
        for binary in binaries.BINARIES
    }
    needed = (
        "kube-apiserver:v1.36.3 kube-controller-manager:v1.36.3 kube-scheduler:v1.36.3 kube-proxy:v1.36.3 "
        "coredns/coredns:v1.14.2 pause:3.10.2 etcd:3.6.8-0"
    )
    images = {f"registry.k8s.io/{name}": f"sha256:{name}" for name in needed.split()}
    return ArtifactView(
        ArtifactSource.BUNDLE, COMPONENTS, ("amd64",), {"amd64": files}, "/b/images", {"amd64": images}
    )


def decided(cluster, node, facts, view, recorded=()):
    return {state.binary.name: state for state in plan.decide_binaries(cluster, node, facts, view, recorded)}


def test_a_bare_host_gets_what_its_role_needs(cluster, view):
    states = decided(cluster, CP, EMPTY, view)
    assert {state.decision for state in states.values()} == {Decision.SEND}
    assert all(state.ours for state in states.values())
    assert set(states) - set(decided(cluster, WORKER, EMPTY, view)) == {"etcdctl", "etcdutl"}


def test_etcd_hosts_get_etcds_tools(cluster, view):
    assert "etcdctl" in decided(cluster, Node("e1", Role.ETCD, ("10.0.0.31",)), EMPTY, view)


def test_the_flannel_plugin_comes_where_it_is_asked_for_and_offered(cluster, view):
    asked = replace(cluster, addons=(AddonRequest("flannel"),))
    assert "flannel" not in decided(asked, WORKER, EMPTY, view)
    files = {**view.binaries["amd64"], "flannel": LocalFile("/b/flannel", "f", 1)}
    offered = replace(view, binaries={"amd64": files})
    assert decided(asked, WORKER, EMPTY, offered)["flannel"].decision is Decision.SEND
    assert "flannel" not in decided(cluster, WORKER, EMPTY, offered)


def has(name, version, path=None):
    return HostFacts(executables={name: path or f"/usr/bin/{name}"}, binary_versions={name: version})


@pytest.mark.parametrize(
    ("name", "version", "expected"),
    [
        ("containerd", "v1.6.20", Decision.UNSUITABLE),
        ("containerd", "v1.7.0", Decision.KEEP),
        ("containerd", "v2.9.9", Decision.KEEP),
        ("containerd", "", Decision.KEEP),
        ("containerd", "built from source", Decision.KEEP),
        ("runc", "v1.0.0", Decision.KEEP),
        ("crictl", "v1.20.0", Decision.KEEP),
        ("kubelet", "v1.36.0", Decision.KEEP),
        ("kubelet", "v1.36.3", Decision.KEEP),
        ("kubelet", "v1.36.4", Decision.UNSUITABLE),
        ("kubelet", "v1.35.9", Decision.UNSUITABLE),
        ("kubelet", "v1.37.0", Decision.UNSUITABLE),
        ("kubectl", "v1.35.0", Decision.KEEP),
        ("kubectl", "v1.37.9", Decision.KEEP),
        ("kubectl", "v1.34.0", Decision.UNSUITABLE),
        ("kubectl", "v2.36.0", Decision.UNSUITABLE),
        ("etcdctl", "v3.6.1", Decision.KEEP),
        ("etcdctl", "v3.4.23", Decision.UNSUITABLE),
    ],
)
def test_what_somebody_else_installed_is_judged_and_never_replaced(cluster, view, name, version, expected):
    state = decided(cluster, CP, has(name, version), view)[name]
    assert (state.decision, state.ours) == (expected, False)


def test_another_path_is_kept_in_mind(cluster, view):
    facts = has("kubelet", "v1.36.3", "/usr/local/bin/kubelet")
    assert decided(cluster, CP, facts, view)["kubelet"].path == "/usr/local/bin/kubelet"


def test_a_shim_is_not_replaced_under_a_foreign_containerd(cluster, view):
    states = decided(cluster, CP, has("containerd", "v1.7.28"), view)
    assert {states[name].decision for name in ("containerd", "containerd-shim-runc-v2", "ctr")} == {
        Decision.KEEP
    }
    assert states["runc"].decision is Decision.SEND


def test_a_foreign_shim_is_replaced_under_our_containerd(cluster, view):
    facts = HostFacts(
        executables={"ctr": "/usr/bin/ctr"},
        files={"/usr/bin/ctr": FileFact("/usr/bin/ctr", 0o755, "root:root", size=1)},
    )
    assert decided(cluster, CP, facts, view)["ctr"].decision is Decision.SEND


OURS = ("/usr/bin/kubelet",)


def ours(size=7, version="v1.36.3", sha256=None):
    path = OURS[0]
    return HostFacts(
        files={path: FileFact(path, 0o755, "root:root", size=size)},
        executables={"kubelet": path},
        binary_versions={"kubelet": version},
        binary_sha256={} if sha256 is None else {path: sha256},
    )


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (ours(), Decision.KEEP),
        (ours(size=1), Decision.SEND),
        (ours(version="v1.36.1"), Decision.SEND),
        (ours(version=""), Decision.KEEP),
        (ours(sha256="kubelet"), Decision.KEEP),
        (ours(sha256="kubelet", version="v1.36.1"), Decision.KEEP),
        (ours(sha256="another"), Decision.SEND),
        (EMPTY, Decision.SEND),
        (has("kubelet", "v1.36.3", "/usr/local/bin/kubelet"), Decision.SEND),
    ],
)
def test_what_we_installed_is_kept_up_to_date(cluster, view, facts, expected):
    assert decided(cluster, CP, facts, view, OURS)["kubelet"].decision is expected


def test_the_same_binary_from_elsewhere_is_suitable_by_content(cluster, view):
    facts = replace(ours(sha256="kubelet"), binary_versions={"kubelet": "v0.0.0"})
    assert decided(cluster, CP, facts, view)["kubelet"].decision is Decision.KEEP


def test_official_needs_no_files_to_decide(cluster):
    view = ArtifactView(ArtifactSource.OFFICIAL, COMPONENTS, ("amd64", "arm64"))
    states = decided(cluster, CP, replace(EMPTY, architecture="arm64"), view)
    assert {state.decision for state in states.values()} == {Decision.SEND}
    assert decided(cluster, CP, ours(), view, OURS)["kubelet"].decision is Decision.KEEP
    assert decided(cluster, CP, ours(version="v1.36.1"), view, OURS)["kubelet"].decision is Decision.SEND


def test_preinstalled_offers_nothing_and_judges_what_is_there(cluster):
    states = decided(cluster, CP, has("kubelet", "v1.35.0"), ArtifactView(), OURS)
    assert states["kubelet"].decision is Decision.UNSUITABLE
    assert states["crictl"].decision is Decision.MISSING


def test_plugins_are_found_by_their_path_alone(cluster, view):
    facts = HostFacts(executables={"bridge": "/usr/sbin/bridge"})
    assert decided(cluster, CP, facts, view)["bridge"].decision is Decision.SEND


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("busybox:1.36", "docker.io/library/busybox:1.36"),
        ("rancher/x:1", "docker.io/rancher/x:1"),
        ("registry.k8s.io/pause:3.10.2", "registry.k8s.io/pause:3.10.2"),
        ("localhost/x", "localhost/x:latest"),
        ("localhost:5000/x", "localhost:5000/x:latest"),
        ("a.example/x@sha256:1", "a.example/x@sha256:1"),
    ],
)
def test_references_are_containerds(reference, expected):
    assert full_reference(reference) == expected


def test_images_follow_the_role(cluster):
    assert len(plan.images_for(cluster, CP)) == 7
    assert plan.images_for(cluster, WORKER, ["busybox", "registry.k8s.io/pause:3.10.2"]) == (
        "registry.k8s.io/kube-proxy:v1.36.3",
        "registry.k8s.io/coredns/coredns:v1.14.2",
        "registry.k8s.io/pause:3.10.2",
        "docker.io/library/busybox:latest",
    )


def test_images_are_compared_by_digest_where_it_is_known(view):
    needed = ["registry.k8s.io/pause:3.10.2", "registry.k8s.io/etcd:3.6.8-0", "ghcr.io/x:1", "ghcr.io/y:1"]
    facts = HostFacts(
        images=(
            ImageFact("registry.k8s.io/pause:3.10.2", "sha256:pause:3.10.2"),
            ImageFact("registry.k8s.io/etcd:3.6.8-0", "sha256:another", pinned=True),
            ImageFact("ghcr.io/x:1", "sha256:x", pinned=True),
        )
    )
    needs = plan.image_needs(needed, facts, view)
    assert needs.absent == ("registry.k8s.io/etcd:3.6.8-0", "ghcr.io/y:1")
    assert needs.unpinned == ("registry.k8s.io/pause:3.10.2",)


def found(cluster, node, facts, view, **more):
    findings = artifact_findings(cluster, node, facts, view, **more)
    of_others = ("FileExisting-cni-plugins",) if view.source is ArtifactSource.PREINSTALLED else ()
    assert all(each.fix for each in findings)
    assert {each.check for each in findings if each.severity is not Severity.ERROR} <= set(of_others)
    return {finding.check: finding.found for finding in findings}


def test_a_complete_bundle_has_no_findings(cluster, view):
    assert found(cluster, CP, EMPTY, view) == {}


def test_another_version_in_the_bundle_is_one_finding(cluster, view):
    old = replace(view, components={**COMPONENTS, "kubernetes": "v1.36.1"})
    assert found(cluster, CP, EMPTY, old) == {
        "BundleVersion": "the bundle holds Kubernetes v1.36.1, the config asks for v1.36.3"
    }


def test_another_architecture_is_one_finding(cluster, view):
    assert found(cluster, CP, replace(EMPTY, architecture="arm64"), view) == {
        "BundleArchitecture": "the host is arm64; the bundle holds amd64"
    }


def test_a_missing_image_is_found_unless_the_host_has_it(cluster, view):
    extra = ["example/addon:1"]
    assert found(cluster, CP, EMPTY, view, addon_images=extra) == {
        "BundleImages": "neither the bundle nor the host has docker.io/example/addon:1"
    }
    facts = replace(EMPTY, images=(ImageFact("docker.io/example/addon:1", "sha256:1"),))
    assert found(cluster, CP, facts, view, addon_images=extra) == {}


def test_a_missing_binary_is_found(cluster, view):
    files = {name: file for name, file in view.binaries["amd64"].items() if name != "runc"}
    lacking = replace(view, binaries={"amd64": files})
    assert found(cluster, CP, EMPTY, lacking) == {
        "FileExisting-runc": "runc is neither on this host nor in the bundle"
    }
    assert found(cluster, CP, has("runc", "v1.1.5", "/usr/sbin/runc"), lacking) == {}


def test_an_old_package_is_found_and_named(cluster, view):
    assert found(cluster, CP, has("containerd", "v1.6.20"), view) == {
        "BinaryVersion-containerd": "/usr/bin/containerd is v1.6.20 and not ours; needed: v1.7.0 or newer"
    }


def test_with_preinstalled_everything_missing_is_found(cluster):
    checks = found(cluster, WORKER, EMPTY, ArtifactView())
    assert "FileExisting-kubelet" in checks
    assert "FileExisting-containerd" in checks
    assert "FileExisting-ctr" not in checks  # it comes with containerd
    assert not [check for check in checks if check.startswith("Bundle")]


def test_what_lies_in_etcds_image_is_asked_of_nobody_who_prepared_a_host(cluster, view):
    """kubeadm's own packages bring no etcdctl."""
    assert not [check for check in found(cluster, CP, EMPTY, ArtifactView()) if "etcd" in check]
    lacking = {name: file for name, file in view.binaries["amd64"].items() if name != "etcdctl"}
    said = found(cluster, CP, EMPTY, replace(view, binaries={"amd64": lacking}))
    assert list(said) == ["FileExisting-etcdctl"]


def test_plugins_that_another_pod_network_may_bring_are_a_warning(cluster):
    def severity(addons):
        asked = replace(cluster, addons=addons)
        findings = artifact_findings(asked, WORKER, EMPTY, ArtifactView())
        (one,) = [each for each in findings if each.check == "FileExisting-cni-plugins"]
        return one.severity

    assert severity(()) is Severity.WARNING
    assert severity((AddonRequest("flannel"),)) is Severity.ERROR


def test_missing_cni_plugins_are_one_finding(cluster, view):
    bare = found(cluster, WORKER, EMPTY, ArtifactView())
    assert [check for check in bare if "bridge" in check or "cni" in check] == ["FileExisting-cni-plugins"]
    said = bare["FileExisting-cni-plugins"]
    assert said.startswith("/opt/cni/bin lacks the CNI plugins bandwidth, bridge, firewall, host-local, ")
    files = {name: file for name, file in view.binaries["amd64"].items() if name != "ptp"}
    assert found(cluster, WORKER, EMPTY, replace(view, binaries={"amd64": files})) == {
        "FileExisting-cni-plugins": "/opt/cni/bin lacks the CNI plugins ptp, and the bundle has none"
    }


def test_every_rule_has_its_words():
    assert set(plan.SUITABLE) == set(plan._RULES)
