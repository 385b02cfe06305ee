"""Settings of a cluster, written into the text of its config."""

from __future__ import annotations

import pytest
import yaml

from kubeadm_py.config.adopt import adopted
from kubeadm_py.model.adoption import Setting

TEXT = """\
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
apiServer:
  extraArgs:
  - {name: v, value: "2"}   # a comment
---
apiVersion: kubeadm-py.io/v1alpha1
kind: Cluster
metadata: {name: demo}
spec:
  hosts:
  - {name: cp1, role: control-plane, address: 192.0.2.11}
  - {name: w1, role: worker, address: 192.0.2.21, labels: {disk: ssd}}
"""
CLUSTER, OURS = "ClusterConfiguration", "Cluster"


def document(text, kind):
    return next(each for each in yaml.safe_load_all(text) if each["kind"] == kind)


def after(*settings):
    text, done, left = adopted(TEXT, [Setting(*each, "it") for each in settings], "cluster.yaml")
    assert len(done) + len(left) == len(settings)
    return text, left


@pytest.mark.parametrize(
    ("path", "value", "args"),
    [
        (("apiServer", "extraArgs", "v"), "4", [{"name": "v", "value": "4"}]),
        (("apiServer", "extraArgs", "v"), None, None),
        (("apiServer", "extraArgs", "w"), "x", [{"name": "v", "value": "2"}, {"name": "w", "value": "x"}]),
    ],
)
def test_a_flag(path, value, args):
    text, left = after((CLUSTER, path, value))
    assert not left
    assert ((document(text, CLUSTER)["apiServer"] or {}).get("extraArgs")) == args
    assert ("# a comment" in text) is (value is not None)


def test_the_first_flag_of_a_component():
    text, _ = after(
        (CLUSTER, ("etcd", "local", "extraArgs", "a"), "1"),
        (CLUSTER, ("etcd", "local", "extraArgs", "b"), "2"),
    )
    listed = document(text, CLUSTER)["etcd"]["local"]["extraArgs"]
    assert listed == [{"name": "a", "value": "1"}, {"name": "b", "value": "2"}]


def test_a_label_and_taints_of_a_host():
    text, _ = after(
        (OURS, ("spec", "hosts", "w1", "labels", "disk"), None),
        (OURS, ("spec", "hosts", "cp1", "taints"), []),
    )
    cp1, w1 = document(text, OURS)["spec"]["hosts"]
    assert (cp1["taints"], w1["labels"]) == ([], {})


def test_a_document_that_was_not_there():
    text, _ = after(("KubeletConfiguration", ("maxPods",), 60))
    assert document(text, "KubeletConfiguration")["maxPods"] == 60
    assert text.startswith(TEXT)


def test_a_default_cannot_be_taken_out():
    text, [left] = after((CLUSTER, ("scheduler", "extraArgs", "leader-elect"), None))
    assert text == TEXT
    assert left.reason.startswith("scheduler.extraArgs.leader-elect: it is a default")
