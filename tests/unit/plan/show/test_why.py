"""Why something changes: the keys of the config that are not what the cluster was made with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kubeadm_py.cli.verbs import plans
from kubeadm_py.config.load import load
from kubeadm_py.model import live
from kubeadm_py.model.changes import Change, Sign
from kubeadm_py.model.live import LiveObjects
from kubeadm_py.plan.show import why
from kubeadm_py.render import objects

CONFIG = """\
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
apiServer:
  extraArgs:
  - name: audit-log-maxage
    value: "{maxage}"
  certSANs: [{san}]
controllerManager: {{}}
imageRepository: {images}
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
maxPods: {pods}
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: {mode}
---
apiVersion: kubeadm-py.io/v1alpha1
kind: Cluster
metadata: {{name: demo}}
spec:
  ssh: {{user: me}}
  hosts:
  - {{name: cp1, role: control-plane, address: 192.0.2.11}}
  - {{name: w1, role: worker, address: 192.0.2.21}}
  addons:
  - flannel
  - {{name: metallb, parameters: {{}}}}
"""
VALUES = {"maxage": "7", "san": "a.example", "images": "registry.k8s.io", "pods": 110, "mode": "iptables"}
API_SERVER = "/etc/kubernetes/manifests/kube-apiserver.yaml"


@pytest.fixture
def reasons(tmp_path):
    """Return a function: with these values changed in the file, why does a subject change?"""

    def read(values):
        path = tmp_path / "cluster.yaml"
        path.write_text(CONFIG.format(**values))
        return load(str(path))

    def make(subject, *, kind="file", sign=Sign.CHANGE, because="", **changed):
        made_with = read(VALUES).cluster
        there = [
            *objects.kubeadm_config(made_with),
            *objects.kubelet_config_map(made_with),
            *objects.kube_proxy(made_with),
        ]
        loaded = read({**VALUES, **changed})
        found = why.reasons(
            loaded.cluster,
            LiveObjects({live.key(item): item for item in there}),
            lambda kind, path: plans.place(loaded, kind, path).rpartition("/")[2],
        )
        return found("cp1", Change(sign, kind, subject, because))

    return make


def test_a_flag_with_its_place(reasons):
    assert reasons(API_SERVER, maxage="30") == "apiServer.extraArgs.audit-log-maxage (cluster.yaml:5) changed"
    assert reasons("/etc/kubernetes/manifests/kube-scheduler.yaml", maxage="30") == ""


def test_a_certificate(reasons):
    assert reasons("/etc/kubernetes/pki/apiserver.crt", san="b.example") == (
        "apiServer.certSANs (cluster.yaml:7) changed"
    )
    assert reasons("/etc/kubernetes/pki/etcd/server.crt", san="b.example") == ""


def test_what_all_components_share(reasons):
    for name in ("kube-apiserver", "etcd", "kube-scheduler", "kube-controller-manager"):
        path = f"/etc/kubernetes/manifests/{name}.yaml"
        assert reasons(path, images="mirror.example") == "imageRepository (cluster.yaml:9) changed"


def test_the_kubelet(reasons):
    because = "KubeletConfiguration.maxPods (cluster.yaml:13) changed"
    assert reasons("/var/lib/kubelet/config.yaml", pods=50) == because
    assert reasons("ConfigMap kube-system/kubelet-config", kind="object", pods=50) == because


def test_kube_proxy(reasons):
    assert reasons("ConfigMap kube-system/kube-proxy", kind="object", mode="nftables") == (
        "KubeProxyConfiguration.mode (cluster.yaml:17) changed"
    )


def test_several_keys_are_counted(reasons):
    told = reasons("ConfigMap kube-system/kubeadm-config", kind="object", maxage="1", san="x", images="m")
    assert told.count("(cluster.yaml:") == 3
    assert told.endswith(" changed")


def test_drift_has_no_key(reasons):
    assert reasons(API_SERVER, sign=Sign.DRIFT, maxage="30") == ""


def test_other_subjects_and_kinds_have_none(reasons):
    assert reasons("/etc/crictl.yaml", maxage="30") == ""
    assert reasons(API_SERVER, kind="script", maxage="30") == ""


@pytest.mark.parametrize("data", [{}, {"ClusterConfiguration": "{"}, {"ClusterConfiguration": "text"}])
def test_a_cluster_that_does_not_say(reasons, data):
    there = LiveObjects({"ConfigMap kube-system/kubeadm-config": {"data": data}})
    assert why.live_form(there, why.CLUSTER) is None
    assert why.live_form(None, why.CLUSTER) is None


def test_nothing_is_known_of_the_cluster(tmp_path):
    path = tmp_path / "cluster.yaml"
    path.write_text(CONFIG.format(**VALUES))
    cluster = load(str(path)).cluster
    changed = replace(cluster, image_repository="mirror.example")
    assert (
        why.reasons(changed, None, lambda _kind, _path: "")("cp1", Change(Sign.CHANGE, "file", API_SERVER))
        == ""
    )


def test_an_add_on_with_its_place(reasons):
    daemon = "DaemonSet kube-flannel/kube-flannel-ds"
    assert reasons(daemon, kind="object", because="of addons/flannel") == (
        "of spec.addons.flannel (cluster.yaml:28)"
    )
    assert (
        reasons("x", kind="object", because="of addons/metallb") == "of spec.addons.metallb (cluster.yaml:29)"
    )
    assert reasons(daemon, kind="object", sign=Sign.DRIFT, because="changed by hand (drift)") == ""


def test_the_marks_of_nodes_with_the_first_ones_place(reasons):
    marked = {"kind": "node", "because": ""}
    assert reasons("labels and taints of w1", **marked) == "of spec.hosts.w1 (cluster.yaml:26)"
    assert reasons("labels and taints of cp1, w1", **marked) == (
        "of spec.hosts.cp1 (cluster.yaml:25), spec.hosts.w1 (cluster.yaml:26)"
    )
    assert reasons("labels and taints of cp1", kind="node", sign=Sign.DRIFT) == ""
