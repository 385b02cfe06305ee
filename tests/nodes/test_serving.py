"""Three control planes and a worker whose kubelets ask the cluster for their serving certificates."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
import yaml
from lab import nodes
from lab.nodes import Lab

from .cli import Cli
from .fleet import ADMIN, Fleet

pytestmark = pytest.mark.long

CONTROL_PLANES = ("cp1", "cp2", "cp3")
NODES = (*CONTROL_PLANES, "w1")
SERVING = "/var/lib/kubelet/pki/kubelet-server-current.pem"
SIGNER = "kubernetes.io/kubelet-serving"


@pytest.fixture(scope="module")
def lab(fleet: Fleet, cli: Cli) -> Iterator[Lab]:
    with fleet.grown(*NODES) as lab:
        documents = list(yaml.safe_load_all(lab.cluster_yaml.read_text()))
        for document in documents:
            if document["kind"] == "KubeletConfiguration":
                document["serverTLSBootstrap"] = True
        config = lab.cluster_yaml.with_name("serving.yaml")
        config.write_text(yaml.safe_dump_all(documents, sort_keys=False))
        cli.run("apply", "--config", str(config))
        yield replace(lab, cluster_yaml=config)


def kubectl(lab: Lab, *words: str) -> str:
    return nodes.exec(lab.node("cp1"), ["kubectl", "--kubeconfig", ADMIN, *words]).stdout


def test_every_kubelet_serves_what_the_cluster_has_signed(lab):
    for name in NODES:
        shown = nodes.exec(
            lab.node(name), ["openssl", "x509", "-in", SERVING, "-noout", "-subject", "-issuer"]
        )
        assert f"system:node:{name}" in shown.stdout
        assert "issuer=CN = kubernetes" in shown.stdout.replace("CN=", "CN = ")


def test_no_request_is_left_over(lab):
    items = json.loads(kubectl(lab, "get", "csr", "-o", "json"))["items"]
    asked = [item for item in items if item["spec"]["signerName"] == SIGNER]
    assert {item["spec"]["username"] for item in asked} == {f"system:node:{name}" for name in NODES}
    assert [item["metadata"]["name"] for item in asked if not item["status"].get("certificate")] == []


@pytest.mark.parametrize("name", NODES)
def test_logs_are_read_from_every_node(lab, name):
    pods = ("get", "pods", "-n", "kube-system", "--field-selector", f"spec.nodeName={name}", "-o", "name")
    pod = next(each for each in kubectl(lab, *pods).split() if "kube-proxy" in each)
    assert kubectl(lab, "logs", "-n", "kube-system", pod, "--tail", "1")


def test_the_founders_kubelets_renew_their_own_certificates(lab):
    for name in CONTROL_PLANES:
        shown = nodes.exec(lab.node(name), ["cat", "/etc/kubernetes/kubelet.conf"]).stdout
        assert "kubelet-client-current.pem" in shown


def test_another_apply_changes_nothing(lab, cli):
    assert cli.run("plan", "--config", str(lab.cluster_yaml)).code == 0
