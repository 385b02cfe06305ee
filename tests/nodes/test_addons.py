"""Add-ons on a cluster that runs: an add-on of one's own in all its stages, and what is taken out again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from lab import nodes

from .cli import Cli
from .fleet import Cluster, Fleet

pytestmark = pytest.mark.long

ADDON = {
    "apiVersion": "kubeadm-py.io/v1alpha1",
    "kind": "Addon",
    "name": "sample",
    "version": "v1",
    "description": "A sample with a type of its own",
    "status": "supported",
    "verified": "rendered",
    "kubernetes": ">=1.35",
    "parameters": {"second": {"type": "boolean", "default": True, "description": "Have a second one"}},
    "images": [{"name": "agnhost", "reference": "registry.k8s.io/e2e-test-images/agnhost:2.63.0"}],
    "crds": [{"name": "types", "url": "https://types.example/types.yaml"}],
    "readiness": [{"kind": "Deployment", "namespace": "sample", "name": "web", "needsWorker": True}],
}
TYPE = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: samples.sample.io}
spec:
  group: sample.io
  names: {kind: Sample, plural: samples, singular: sample, listKind: SampleList}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties: {spec: {type: object, properties: {size: {type: integer}}}}
"""
MANIFEST = """\
{apiVersion: v1, kind: Namespace, metadata: {name: sample}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: first, namespace: sample}}
{% if parameters.second %}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: second, namespace: sample}}
{% endif %}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: sample}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: {{ image("agnhost") | to_yaml }}, args: [netexec]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: sample}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
{apiVersion: sample.io/v1, kind: Sample, metadata: {name: one, namespace: sample}, spec: {size: 3}}
"""


class Addons:
    """A cluster whose file is edited: other add-ons, the kubelets asking for their serving certificates."""

    def __init__(self, cluster: Cluster, fleet: Fleet, folder: Path) -> None:
        self.cluster, self.fleet, self.folder = cluster, fleet, folder

    def config(self, name: str, *, sample: bool = True, **parameters: object) -> Path:
        def edit(kinds: dict) -> None:
            kinds["KubeletConfiguration"]["serverTLSBootstrap"] = True
            spec = kinds["Cluster"]["spec"]
            spec["hosts"] = [host for host in spec["hosts"] if host["name"] != "w2"]
            crds = {"types": str(self.folder / "types.yaml")}
            mine = {"path": str(self.folder / "sample"), "parameters": {"crds": crds, **parameters}}
            spec["addons"] = [*spec["addons"], *([mine] if sample else [])]

        return self.fleet.variant(f"addons-{name}", edit)

    def names(self, kind: str) -> set[str]:
        listed = json.loads(self.cluster.kubectl("get", kind, "-n", "sample", "-o", "json"))["items"]
        return {item["metadata"]["name"] for item in listed} - {"kube-root-ca.crt"}

    def inventories(self) -> set[str]:
        label = "kubeadm-py.io/inventory=addon"
        answer = self.cluster.kubectl("get", "cm", "-n", "kube-system", "-l", label, "-o", "json")
        return {item["metadata"]["labels"]["kubeadm-py.io/addon"] for item in json.loads(answer)["items"]}


@pytest.fixture(scope="module")
def addons(fleet: Fleet, cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addons]:
    folder = tmp_path_factory.mktemp("addons")
    (folder / "sample" / "manifests").mkdir(parents=True)
    (folder / "sample" / "addon.yaml").write_text(yaml.safe_dump(ADDON))
    (folder / "sample" / "manifests" / "10-all.yaml.j2").write_text(MANIFEST)
    (folder / "types.yaml").write_text(TYPE)
    yield Addons(fleet.cluster(workers=1), fleet, folder)
    fleet.bare()


def test_an_add_on_of_ones_own_goes_through_all_stages(addons, cli):
    done = cli.run("apply", "--config", addons.config("one"))
    assert "apply 1 custom resources of sample" in done.text
    assert addons.names("configmaps") == {"first", "second"}
    assert addons.names("samples.sample.io") == {"one"}
    assert addons.inventories() == {"flannel", "local-path-storage", "sample"}
    assert "nothing changed" in cli.run("apply", "--config", addons.config("one")).out


def test_kubelets_serve_with_certificates_of_the_clusters_ca(addons):
    [*requests] = json.loads(addons.cluster.kubectl("get", "csr", "-o", "json"))["items"]
    serving = {
        item["spec"]["username"]: [each["type"] for each in item["status"]["conditions"]]
        for item in requests
        if item["spec"]["signerName"] == "kubernetes.io/kubelet-serving"
    }
    assert serving == {"system:node:cp1": ["Approved"], "system:node:w1": ["Approved"]}
    for node in addons.cluster.nodes:
        url = f"https://{node.address}:10250/metrics"
        script = f"curl -s -o /dev/null -w %{{ssl_verify_result}} --cacert /etc/kubernetes/pki/ca.crt {url}"
        assert nodes.exec(addons.cluster.control_plane, ["sh", "-c", script]).stdout == "0"


def test_what_somebody_deleted_comes_back_and_what_is_over_goes(addons, cli):
    addons.cluster.kubectl("delete", "service", "web", "-n", "sample")
    cli.run("apply", "--config", addons.config("two", second=False))
    assert addons.names("services") == {"web"}
    assert addons.names("configmaps") == {"first"}


def test_a_difference_is_shown_as_the_api_server_sees_it(addons, cli):
    config = addons.config("two", second=False)
    assert cli.run("addon", "diff", "--config", config, "flannel").out == ""
    addons.cluster.kubectl(
        "label", "deployment", "web", "-n", "sample", "app.kubernetes.io/managed-by=me", "--overwrite"
    )
    done = cli.run("addon", "diff", "--config", config, "sample", code=4)
    assert "+    app.kubernetes.io/managed-by: kubeadm-py" in done.out


def test_an_add_on_that_the_file_drops_stays_until_it_is_removed(addons, cli):
    config = addons.config("none", sample=False)
    done = cli.run("apply", "--config", config)
    assert "sample: in the cluster, and no more in" in done.text
    assert addons.names("deployments") == {"web"}
    cli.run("addon", "remove", "sample", "--config", config, "--yes")
    assert addons.names("deployments") == set()
    assert addons.cluster.kubectl("get", "namespace", "sample", "-o", "name").strip() == "namespace/sample"
    cli.run("addon", "remove", "sample", "--config", config, "--yes", "--purge")
    assert addons.cluster.kubectl("get", "namespace", "sample", "--ignore-not-found") == ""
    assert addons.cluster.kubectl("get", "crd", "-o", "name") == ""
    assert addons.inventories() == {"flannel", "local-path-storage"}


def test_the_pod_network_is_not_taken_out(addons, cli):
    config = addons.config("none", sample=False)
    done = cli.run("addon", "remove", "flannel", "--config", config, "--yes", code=2)
    assert "flannel is the pod network" in done.text
