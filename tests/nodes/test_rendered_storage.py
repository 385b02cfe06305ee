"""NFS and Rook as far as they go where the kernel has neither NFS nor Ceph and their images cannot be had.

Their pods are placed, allowed and given what they mount, and stop at the pull; an NFS server is real, and
so is the claim that is bound to a directory of it. What would have to run is called rendered, never working.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml
from lab import debian, nodes, topology
from lab.topology import Node

from .cli import Cli
from .conftest import LAB
from .fleet import KUBECTL, Cluster, Fleet
from .workloads import BUSYBOX, apply, claim, until, upstream_types, with_addons

pytestmark = pytest.mark.long

PACKAGES = ("nfs-ganesha", "nfs-ganesha-vfs", "libnfs-utils", "nfs-common")
NOWHERE = f"{topology.gateway(LAB)}:5999"
"""A registry that is not there: images are rewritten to it, so no pull leaves the machine."""
PULLING = {"ErrImagePull", "ImagePullBackOff", "PodInitializing", "ContainerCreating"}
SAID = {"Failed", "BackOff", "FailedToRetrieveImagePullSecret", "FailedMount"}
"""Of a mount at first, too, before a new namespace has its CA: images are asked for once all are mounted."""
EXPORT = "/var/lib/nfs-exports"
GANESHA = f"""\
NFS_CORE_PARAM {{ Protocols = 4; Enable_NLM = false; Enable_RQUOTA = false; }}
NFSV4 {{ Graceless = true; }}
EXPORT {{
  Export_Id = 1; Path = {EXPORT}; Pseudo = /exports;
  Access_Type = RW; Squash = No_Root_Squash; SecType = sys;
  FSAL {{ Name = VFS; }}
}}
"""
WITHIN = 120.0
ACCOUNTS = {
    "csi-driver-nfs": {
        "kube-system:csi-nfs-controller-sa": {
            "create persistentvolumes": True,
            "patch persistentvolumeclaims --subresource=status -n default": True,
            "get secrets -n default": False,
        },
        "kube-system:csi-nfs-node-sa": {"create persistentvolumes": False},
    },
    "rook-ceph": {
        "rook-ceph:rook-ceph-system": {
            "create deployments.apps -n rook-ceph": True,
            "update cephclusters.ceph.rook.io -n rook-ceph": True,
            "create deployments.apps -n default": True,
            "delete nodes": False,
        },
        "rook-ceph:rook-ceph-osd": {"create deployments.apps -n rook-ceph": False},
    },
}
"""Account -> what it must be able to do for its work, and what it must not."""


def unpack(node: Node, packages: tuple[str, ...]) -> None:
    """Lay packages' files on a node: installed, their services would fail on this kernel at boot."""
    into = ["tar", "-x", "--keep-directory-symlink", "--skip-old-files", "-C", "/"]
    with debian.packages(packages).open("rb") as tar:
        subprocess.run(["docker", "exec", "-i", node.container, *into], stdin=tar, check=True)
    nodes.exec(node, ["ldconfig"])


@pytest.fixture(scope="module")
def cluster(fleet: Fleet, cli: Cli) -> Iterator[Cluster]:
    fleet.bare()
    unpack(fleet.node("w1"), PACKAGES)
    yield with_addons(fleet, cli, "rendered-storage", [])
    fleet.bare()
    nodes.fresh(fleet.node("w1"))


def kernel_has(node: Node, filesystem: str) -> bool:
    known = nodes.exec(node, ["cat", "/proc/filesystems"]).stdout.split()
    return filesystem in known


def install(cluster: Cluster, cli: Cli, fleet: Fleet, addon: Mapping[str, Any]) -> str:
    """Ask for an add-on on the cluster as it is, and return why it is refused."""

    def more(kinds: dict[str, Any]) -> None:
        spec = kinds["Cluster"]["spec"]
        spec["hosts"] = [host for host in spec["hosts"] if host["name"] in ("cp1", "w1")]
        spec["addons"] = [*spec["addons"], addon]

    config = fleet.variant(f"wants-{addon['name']}", more)
    return cli.run("addon", "install", addon["name"], "--config", config, code=3).text


@pytest.mark.parametrize(
    ("name", "parameters", "lacks"),
    [("nfs-volumes", {}, "nfs"), ("csi-driver-nfs", {}, "nfs"), ("rook-ceph", {}, "rbd")],
)
def test_what_the_kernel_lacks_is_refused_before_anything_is_applied(
    name, parameters, lacks, cluster, cli, fleet
):
    [worker] = cluster.workers
    if kernel_has(worker, "nfs") or kernel_has(worker, "ceph"):
        pytest.skip("this kernel has it")
    types = {"crds": {each: str(upstream_types("rook")) for each in ("rook", "csi-operator")}}
    parameters |= types if name == "rook-ceph" else {}
    said = install(cluster, cli, fleet, {"name": name, "parameters": parameters})
    assert f"the kernel has no {lacks}" in said
    # Not a warning: a machine that loads modules for its containers has none of these.
    assert "KernelModules" in said.partition("--ignore-preflight-errors=")[2]
    inventories = cluster.kubectl("get", "cm", "-n", "kube-system", "-o", "name")
    assert f"kubeadm-py-addon-{name}" not in inventories


def rendered(cli: Cli, name: str, **parameters: object) -> list[dict[str, Any]]:
    words = [word for key, value in parameters.items() for word in ("--set", f"{key}={json.dumps(value)}")]
    return [each for each in yaml.safe_load_all(cli.run("addon", "render", name, *words).out) if each]


@pytest.fixture(params=ACCOUNTS)
def objects(request, cluster, cli) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Apply what an add-on renders to, its images being nowhere; take it away again."""
    name = request.param
    parameters = {"server": cluster.workers[0].address} if name == "csi-driver-nfs" else {}
    listed = rendered(cli, name, imageRepository=NOWHERE, **parameters)
    types = upstream_types("rook").read_text() if name == "rook-ceph" else ""
    if types:
        cluster.kubectl("apply", "--server-side", "-f", "-", stdin=types)
        cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    served = set(cluster.kubectl("api-versions").split())
    listed = [each for each in listed if each["apiVersion"] in served]
    text = yaml.safe_dump_all(listed)
    cluster.kubectl("apply", "--server-side", "-f", "-", stdin=text)
    yield name, listed
    cluster.kubectl("delete", "--ignore-not-found", "--wait=false", "-f", "-", stdin=text)
    if types:
        cluster.kubectl("delete", "--ignore-not-found", "--wait=false", "-f", "-", stdin=types)


def pods_of(cluster: Cluster, workload: Mapping[str, Any]) -> list[dict[str, Any]]:
    labels = ",".join(f"{key}={value}" for key, value in workload["spec"]["selector"]["matchLabels"].items())
    where = ("-n", workload["metadata"]["namespace"], "-l", labels, "-o", "json")
    return json.loads(cluster.kubectl("get", "pods", *where))["items"]


def waiting(pod: Mapping[str, Any]) -> set[str]:
    status = pod["status"]
    containers = [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]
    return {each["state"].get("waiting", {"reason": "none"})["reason"] for each in containers}


def test_rendered_pods_lack_nothing_but_their_images(objects, cluster):
    name, listed = objects
    workloads = [each for each in listed if each["kind"] in ("Deployment", "DaemonSet")]
    assert workloads
    for workload in workloads:
        of_each_node = workload["kind"] == "DaemonSet"
        wanted = len(cluster.nodes) if of_each_node else workload["spec"].get("replicas", 1)

        def stopped(workload=workload, wanted=wanted) -> list[set[str]]:
            found = pods_of(cluster, workload)
            return [waiting(pod) for pod in found] if len(found) == wanted else []

        until(
            stopped,
            lambda seen: bool(seen) and all(each & {"ErrImagePull", "ImagePullBackOff"} for each in seen),
            WITHIN,
            f"the pods of {workload['metadata']['name']} ask for their images",
        )
        assert set().union(*stopped()) <= PULLING
        for pod in pods_of(cluster, workload):
            assert pod["spec"].get("nodeName")
            every = [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]
            assert {each["image"].partition("/")[0] for each in every} == {NOWHERE}
    # Nothing was refused or unplaceable: all that is said is about images.
    namespaces = {each["metadata"]["namespace"] for each in workloads}
    for namespace in namespaces:
        events = json.loads(
            cluster.kubectl("get", "events", "-n", namespace, "--field-selector=type=Warning", "-o", "json")
        )["items"]
        names = {each["metadata"]["name"] for each in workloads}
        mine = [each for each in events if each["involvedObject"]["name"].startswith(tuple(names))]
        assert {each["reason"] for each in mine} <= SAID
    for account, asked in ACCOUNTS[name].items():
        for question, expected in asked.items():
            words = ("auth", "can-i", *question.split(), f"--as=system:serviceaccount:{account}")
            answer = nodes.exec(cluster.control_plane, [*KUBECTL, *words], check=False).stdout.strip()
            assert answer == ("yes" if expected else "no"), f"{account}: {question}: {answer}"


@pytest.fixture(scope="module")
def server(cluster: Cluster) -> Iterator[Node]:
    """An NFS server on the worker, in user space, with a directory of its disk."""
    [worker] = cluster.workers
    nodes.exec(worker, ["mkdir", "-p", EXPORT])
    nodes.exec(worker, ["sh", "-c", "mkdir -p /run/ganesha; cat >/run/ganesha.conf"], stdin=GANESHA)
    start = "ganesha.nfsd -f /run/ganesha.conf -L /run/ganesha.log -p /run/ganesha.pid -N NIV_EVENT"
    nodes.exec(worker, ["sh", "-c", start])

    def answers() -> str:
        return nodes.exec(worker, ["nfs-ls", url(worker)], check=False).stderr

    until(answers, lambda said: said == "", WITHIN, "the NFS server answers")
    yield worker
    nodes.exec(worker, ["sh", "-c", "kill $(cat /run/ganesha.pid)"], check=False)


def url(server: Node, path: str = "") -> str:
    return f"nfs://{server.address}/exports{path}?version=4"


def test_rendered_nfs_volume_is_bound_to_its_claim_and_its_server_serves(cluster, server, cli):
    nodes.exec(server, ["sh", "-c", "mkdir -p /run/probe; echo by the server >/run/probe/a"])
    nodes.exec(server, ["nfs-cp", "/run/probe/a", url(server, "/a")])
    assert nodes.exec(server, ["cat", f"{EXPORT}/a"]).stdout == "by the server\n"
    volume = {
        "name": "papers",
        "server": server.address,
        "path": "/exports",
        "size": "1Gi",
        "claimName": "papers",
    }
    apply(cluster, *rendered(cli, "nfs-volumes", volumes=[volume]))
    apply(cluster, claim("papers", "", mode="ReadWriteMany"))
    asked = ("get", "pvc", "papers", "-o", "jsonpath={.status.phase} {.spec.volumeName}")
    until(lambda: cluster.kubectl(*asked), lambda seen: seen == "Bound papers", WITHIN, "the claim is bound")


def test_rendered_nfs_volume_is_mounted_where_the_kernel_can(cluster, server):
    container = {
        "name": "it",
        "image": BUSYBOX,
        "command": ["sh", "-c", "cat /papers/a && echo by a pod >/papers/b && sleep 3600"],
        "volumeMounts": [{"name": "papers", "mountPath": "/papers"}],
    }
    spec = {
        "nodeName": server.name,
        "terminationGracePeriodSeconds": 0,
        "containers": [container],
        "volumes": [{"name": "papers", "persistentVolumeClaim": {"claimName": "papers"}}],
    }
    metadata = {"name": "reader", "namespace": "default"}
    apply(cluster, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    try:
        if not kernel_has(server, "nfs4"):
            # A table would show the first line of what a mount says only.
            asked = ("--field-selector=involvedObject.name=reader", "-o", "json")
            said = until(
                lambda: cluster.kubectl("get", "events", *asked),
                # The program is there, and asks the kernel for what that has not.
                lambda seen: "No such device" in seen,
                WITHIN,
                "the mount fails",
            )
            assert "FailedMount" in said
            pytest.skip("the kernel has no NFS client (NETWORK_FILESYSTEMS=n): all but the mount was seen")
        cluster.kubectl("wait", "--for=condition=Ready", "pod/reader", "--timeout=120s", timeout=150)
        assert cluster.kubectl("logs", "reader") == "by the server\n"
        assert nodes.exec(server, ["cat", f"{EXPORT}/b"]).stdout == "by a pod\n"
    finally:
        cluster.kubectl("delete", "pod", "reader", "--now")
        cluster.kubectl("delete", "pvc", "papers", timeout=180)
        cluster.kubectl("delete", "pv", "papers", timeout=180)
