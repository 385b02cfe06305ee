"""Edits of a config change what they say and no other byte."""

from __future__ import annotations

import difflib

import pytest
import yaml

from kubeadm_py.config.edit import GONE, Edit, UneditableError, edited
from kubeadm_py.config.yaml_nodes import read_stream

TEXT = """\
# Our cluster.
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
apiServer:
  extraArgs:   # flags
  - name: audit-log-maxage
    value: "7"  # days
  # The last one.
  - name: v
    value: "2"

networking: {podSubnet: 10.244.0.0/16}  # flow
scheduler: {}
controllerManager:
---
apiVersion: kubeadm-py.io/v1alpha1
kind: Cluster
metadata: {name: demo}
spec:
  hosts:
  - {name: cp1, role: control-plane, address: 192.0.2.11, labels: {disk: ssd, zone: a}}
  # A worker.
  - name: w1
    role: worker
    address: 192.0.2.21
    labels:
      disk: ssd
    taints: []
  addons:
  - flannel
"""
CLUSTER, OURS = "ClusterConfiguration", "Cluster"
KUBELET = "KubeletConfiguration"


def diff(*edits, text=TEXT):
    changed = edited(text, edits, "cluster.yaml")
    list(yaml.safe_load_all(changed))
    lines = difflib.unified_diff(text.splitlines(), changed.splitlines(), lineterm="", n=0)
    return [line for line in lines if line[:2] not in ("--", "++", "@@")]


@pytest.mark.parametrize(
    ("kind", "path", "value", "lines"),
    [
        (
            CLUSTER,
            ("apiServer", "extraArgs", 0, "value"),
            "30",
            ['-    value: "7"  # days', "+    value: '30'  # days"],
        ),
        (
            CLUSTER,
            ("apiServer", "extraArgs", 2),
            {"name": "w", "value": "x"},
            ["+  - name: w", "+    value: x"],
        ),
        (CLUSTER, ("apiServer", "certSANs"), ["a.example"], ["+  certSANs:", "+  - a.example"]),
        (
            CLUSTER,
            ("networking", "dnsDomain"),
            "x.y",
            [
                "-networking: {podSubnet: 10.244.0.0/16}  # flow",
                "+networking: {podSubnet: 10.244.0.0/16, dnsDomain: x.y}  # flow",
            ],
        ),
        (
            CLUSTER,
            ("scheduler", "extraArgs"),
            [{"name": "v", "value": "3"}],
            ["-scheduler: {}", "+scheduler: {extraArgs: [{name: v, value: '3'}]}"],
        ),
        (
            CLUSTER,
            ("controllerManager", "extraArgs"),
            [{"name": "v", "value": "3"}],
            ["-controllerManager:", "+controllerManager: {extraArgs: [{name: v, value: '3'}]}"],
        ),
        (CLUSTER, ("dns", "imageTag"), "v1", ["+dns:", "+  imageTag: v1"]),
        (
            OURS,
            ("spec", "hosts", 0, "labels", "disk"),
            GONE,
            [
                "-  - {name: cp1, role: control-plane, address: 192.0.2.11, labels: {disk: ssd, zone: a}}",
                "+  - {name: cp1, role: control-plane, address: 192.0.2.11, labels: {zone: a}}",
            ],
        ),
        (
            OURS,
            ("spec", "hosts", 0, "labels", "zone"),
            GONE,
            [
                "-  - {name: cp1, role: control-plane, address: 192.0.2.11, labels: {disk: ssd, zone: a}}",
                "+  - {name: cp1, role: control-plane, address: 192.0.2.11, labels: {disk: ssd}}",
            ],
        ),
        (OURS, ("spec", "hosts", 1, "labels", "disk"), GONE, ["-      disk: ssd"]),
        (
            OURS,
            ("spec", "hosts", 1, "labels", "disk"),
            "hdd",
            ["-      disk: ssd", "+      disk: hdd"],
        ),
        (
            OURS,
            ("spec", "hosts", 1, "taints"),
            [{"key": "k", "effect": "NoSchedule"}],
            ["-    taints: []", "+    taints: [{key: k, effect: NoSchedule}]"],
        ),
        (
            CLUSTER,
            ("apiServer", "extraArgs", 0),
            GONE,
            ["-  - name: audit-log-maxage", '-    value: "7"  # days'],
        ),
        (
            CLUSTER,
            ("apiServer", "extraArgs"),
            [],
            [
                "-  extraArgs:   # flags",
                "-  - name: audit-log-maxage",
                '-    value: "7"  # days',
                "-  # The last one.",
                "-  - name: v",
                '-    value: "2"',
                "+  extraArgs: []",
            ],
        ),
        (
            KUBELET,
            ("maxPods",),
            50,
            [
                "+---",
                "+apiVersion: kubelet.config.k8s.io/v1beta1",
                "+kind: KubeletConfiguration",
                "+maxPods: 50",
            ],
        ),
    ],
)
def test_an_edit(kind, path, value, lines):
    assert diff(Edit(kind, path, value)) == lines


def test_several_edits_see_each_other():
    edits = [
        Edit(KUBELET, ("maxPods",), 50),
        Edit(KUBELET, ("evictionHard", "memory.available"), "1Gi"),
        Edit(KUBELET, ("maxPods",), 60),
    ]
    assert diff(*edits)[-3:] == ["+maxPods: 60", "+evictionHard:", "+  memory.available: 1Gi"]


def test_nothing_to_take_out():
    assert diff(Edit(CLUSTER, ("etcd", "local"), GONE), Edit(KUBELET, ("maxPods",), GONE)) == []


def test_what_is_shared_is_left_to_a_person():
    text = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\napiServer: &a {certSANs: [x]}\n"
    shared = text + "scheduler: *a\n"
    assert diff(Edit(CLUSTER, ("apiServer", "certSANs"), ["z"]), text=text)
    with pytest.raises(UneditableError, match=r"apiServer\.certSANs stands in a form") as caught:
        edited(shared, [Edit(CLUSTER, ("apiServer", "certSANs"), ["z"])], "cluster.yaml")
    assert "apiServer.certSANs = [z]" in caught.value.fix


def test_a_text_without_a_last_line_break():
    text = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nclusterName: a"
    assert edited(text, [Edit(CLUSTER, ("dns", "disabled"), True)], "f").splitlines()[-2:] == [
        "dns:",
        "  disabled: true",
    ]


@pytest.mark.parametrize(
    "value", ["y", "on", "1", "1.5", "null", "~", "a: b", "#x", "- a", "*a", "2026-11-30", "é"]
)
def test_text_stays_text(value):
    changed = edited(TEXT, [Edit(CLUSTER, ("clusterName",), value)], "cluster.yaml")
    assert read_stream(changed, "").documents[0].value["clusterName"].node.value == value
