"""kubeadm's own form: the command is typed on the machine that it is about, and SSH is used nowhere."""

from __future__ import annotations

import json
import re
import shlex

import pytest
import yaml
from lab import nodes

from . import hostview, onmachine
from .fleet import ADMIN, KUBECTL
from .onmachine import typed

pytestmark = pytest.mark.long

CGROUP_V1 = ("--ignore-preflight-errors", "SystemVerification")
CONFIG = "/root/kubeadm.yaml"
ETCD_TOOLS = "etcdctl etcdutl"
HIDDEN = "/root/tools-of-etcd"
INIT_PHASES = (
    *("preflight", "certs all", "kubeconfig all", "etcd local", "control-plane all", "kubelet-start"),
    *("wait-control-plane", "upload-config all", "mark-control-plane", "bootstrap-token"),
    *("kubelet-finalize all", "addon all", "show-join-command"),
)
"""In the order of kubeadm's own help."""


def shell(node, script, *, stdin="", check=True):
    return nodes.exec(node, ["sh", "-euc", script], stdin=stdin, check=check, timeout=200).stdout


@pytest.fixture(scope="module")
def machines(fleet, cli, tmp_path_factory):
    """cp1, w1 and w2, prepared (w2 as a control plane), members of nothing, with no way to each other.

    kubeadm-py is installed on each.
    """
    machines = [fleet.node(name) for name in ("cp1", "w1", "w2")]

    def a_second_control_plane(documents):
        documents["ClusterConfiguration"]["controlPlaneEndpoint"] = endpoint(machines[0])
        documents["Cluster"]["spec"]["hosts"][-1]["role"] = "control-plane"

    # What prepared them stays: kubeadm's form finds runtime and kubelet there.
    for name in ("cp1", "w1", "w2"):
        fleet.bare(name)
    config = fleet.variant("a-second-control-plane", a_second_control_plane)
    cli.run("apply", "--config", config, within=600)
    fleet.bare()
    built = onmachine.wheel(tmp_path_factory.mktemp("wheel"))
    for node in machines:
        onmachine.install(node, built)
    documents = [each for each in yaml.safe_load_all(fleet.config.read_text()) if each["kind"] != "Cluster"]
    for document in documents:
        if document["kind"] == "ClusterConfiguration":
            # Else the cluster takes no second control plane.
            document["controlPlaneEndpoint"] = endpoint(machines[0])
    shell(machines[0], f"cat >{CONFIG}", stdin=yaml.safe_dump_all(documents))
    # Nobody can log in anywhere: whatever works, works without SSH, and without what packages do not bring.
    for node in machines:
        shell(node, "systemctl stop ssh.service ssh.socket")
        # Where no control plane ever was there are none.
        hide = f"path=$(command -v $tool) && mv $path {HIDDEN} || :"
        shell(node, f"mkdir -p {HIDDEN}; for tool in {ETCD_TOOLS}; do {hide}; done")
    yield machines
    for node in machines:
        shell(node, "systemctl start ssh.service")
        shell(node, f"find {HIDDEN} -type f -exec mv -t /usr/local/bin {{}} +; rmdir {HIDDEN}")
        shell(node, f"rm -rf {onmachine.HOME} {onmachine.STATE} {CONFIG}")


def endpoint(node):
    return f"{node.address}:6443"


def as_before(before, node):
    # The notes of what preparation left on the host stay, and are written anew.
    hostview.assert_same(before, hostview.look(node), apart_from=("/var/lib/kubeadm-py/",))


def kubectl(node, *argv, check=True):
    command = [*KUBECTL, "--request-timeout=20s", *argv]
    return nodes.exec(node, command, check=check, timeout=200).stdout


def test_a_cluster_comes_and_goes_as_with_kubeadm(machines):
    cp1, w1, w2 = machines
    before = {node.name: hostview.look(node) for node in machines}

    without = ("--skip-phases", "addon/coredns,bootstrap-token")
    done = typed(cp1, "init", "--config", CONFIG, *without)
    assert "the control plane on cp1 is up" in done.out
    assert f"export KUBECONFIG={ADMIN}" in done.out
    assert "nothing changed" in typed(cp1, "init", "--config", CONFIG, *without).out

    # A phase alone brings what was left out.
    deployments = ("get", "deployments", "-n", "kube-system", "-o", "name")
    assert kubectl(cp1, *deployments) == ""
    assert "cluster-info" not in kubectl(cp1, "get", "configmaps", "-n", "kube-public", "-o", "name")
    typed(cp1, "init", "phase", "addon", "coredns", "--config", CONFIG)
    assert kubectl(cp1, *deployments).split() == ["deployment.apps/coredns"]
    typed(cp1, "init", "phase", "bootstrap-token", "--config", CONFIG)
    assert "nothing changed" in typed(cp1, "init", "--config", CONFIG).out

    printed = typed(cp1, "token", "create", "--print-join-command").out
    kubeadms = shlex.split(printed.splitlines()[1])
    assert kubeadms[:2] == ["kubeadm", "join"]
    token = kubeadms[kubeadms.index("--token") + 1]
    listed = typed(cp1, "token", "list").out
    assert token in listed

    # The whole line that kubeadm's users type, one word of it another one.
    joined = typed(w1, *kubeadms[1:], *CGROUP_V1)
    assert "w1 joined the cluster" in joined.out
    assert "nothing changed" in typed(w1, *kubeadms[1:], *CGROUP_V1).out

    # And phase by phase.
    for phase in ("preflight", "kubelet-start"):
        extra = CGROUP_V1 if phase == "preflight" else ()
        typed(w2, "join", "phase", phase, *kubeadms[2:], *extra)
    typed(w2, "join", "phase", "kubelet-wait-bootstrap")
    names = kubectl(cp1, "get", "nodes", "-o", "jsonpath={.items[*].metadata.name}").split()
    assert names == ["cp1", "w1", "w2"]

    # Without an answer nothing happens; a pipe may answer, as kubeadm takes it.
    assert "nothing was removed" in typed(w1, "reset").out
    assert "nothing was removed" in typed(w1, "reset", stdin="n\n").out
    piped = typed(w1, "reset", "--keep-artifacts", stdin="y\n")
    assert "w1 reset" in piped.out
    typed(w1, *kubeadms[1:], *CGROUP_V1)
    typed(cp1, "token", "delete", token)
    assert token not in typed(cp1, "token", "list").out
    for node, words in ((w1, ("reset", "--force")), (w2, ("reset", "phase", "cleanup-node"))):
        typed(node, *words, "--keep-artifacts")
        as_before(before[node.name], node)
    typed(cp1, "reset", "phase", "remove-etcd-member", "--keep-artifacts")
    assert shell(cp1, "ls /var/lib/etcd /etc/kubernetes/manifests/etcd.yaml 2>/dev/null || true") == ""
    assert "cp1: done" in typed(cp1, "reset", "phase", "cleanup-node", "--keep-artifacts").out
    as_before(before["cp1"], cp1)
    assert "nothing" in typed(cp1, "reset", "--force", "--keep-artifacts").out


def test_the_first_control_plane_phase_by_phase(machines):
    """The long way that kubeadm's documentation goes."""
    cp1 = machines[0]
    before = hostview.look(cp1)
    for words in INIT_PHASES:
        typed(cp1, "init", "phase", *words.split(), "--config", CONFIG)
    uploaded = typed(cp1, "init", "phase", "upload-certs", "--upload-certs", "--config", CONFIG).out
    assert re.search(r"^[0-9a-f]{64}$", uploaded, re.MULTILINE)
    typed(cp1, "init", "--config", CONFIG)
    assert typed(cp1, "token", "create", "--print-join-command").out.count("join") == 2
    typed(cp1, "reset", "--force", "--keep-artifacts")
    as_before(before, cp1)


def members(node):
    """Return the names of those that have a vote."""
    said = json.loads(typed(node, "etcd", "members", "-o", "json").out)
    return [each["name"] for each in said["items"] if each["vote"]]


def test_a_further_control_plane_phase_by_phase(machines):
    """kubeadm's order; a config where a phase has to know the cluster, admin.conf once that is there."""
    cp1, _, w2 = machines
    before = {node.name: hostview.look(node) for node in (cp1, w2)}
    started = typed(cp1, "init", "--config", CONFIG, "--upload-certs").out
    (key,) = re.findall(r"^[0-9a-f]{64}$", started, re.MULTILINE)
    printed = typed(cp1, "token", "create", "--print-join-command", "--certificate-key", key).out
    kubeadms = shlex.split(printed.splitlines()[1])
    assert kubeadms[-3:] == ["--control-plane", "--certificate-key", key]
    by_name = dict(zip(kubeadms[3::2], kubeadms[4::2], strict=False))
    document = {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "JoinConfiguration",
        "discovery": {
            "bootstrapToken": {
                "apiServerEndpoint": kubeadms[2],
                "token": by_name["--token"],
                "caCertHashes": [by_name["--discovery-token-ca-cert-hash"]],
            }
        },
        "controlPlane": {"certificateKey": key},
        "nodeRegistration": {"ignorePreflightErrors": ["SystemVerification"]},
    }
    shell(w2, f"umask 077; cat >{CONFIG}", stdin=yaml.safe_dump(document))

    typed(w2, "join", "phase", "preflight", "--config", CONFIG)
    for words in ("download-certs", "certs", "kubeconfig"):
        typed(
            w2, "join", "phase", "control-plane-prepare", words, *kubeadms[2:-2], *certificate_key(words, key)
        )
    refused = typed(w2, "join", "phase", "etcd-join", code=2)
    assert "which cluster is it about?" in refused.text
    typed(w2, "join", "phase", "control-plane-prepare", "control-plane", "--control-plane")
    typed(w2, "join", "phase", "kubelet-start", "--config", CONFIG)
    assert members(cp1) == ["cp1"]
    typed(w2, "join", "phase", "etcd-join", "--control-plane")
    assert members(cp1) == ["cp1", "w2"]
    typed(w2, "join", "phase", "kubelet-wait-bootstrap", "--config", CONFIG)
    marked = ("get", "nodes", "-l", "node-role.kubernetes.io/control-plane", "-o", "name")
    assert kubectl(cp1, *marked).split() == ["node/cp1"]
    typed(w2, "join", "phase", "control-plane-join", "mark-control-plane", "--control-plane")
    assert kubectl(cp1, *marked).split() == ["node/cp1", "node/w2"]
    typed(w2, "join", "phase", "wait-control-plane")
    kubectl(w2, "--server", f"https://{endpoint(w2)}", "get", "--raw", "/readyz")
    assert "nothing changed" in typed(w2, "join", "--config", CONFIG).out

    shell(w2, f"rm {CONFIG}")
    typed(w2, "reset", "--force", "--keep-artifacts")
    assert members(cp1) == ["cp1"]
    assert kubectl(cp1, "get", "nodes", "-o", "name").split() == ["node/cp1"]
    typed(cp1, "reset", "--force", "--keep-artifacts")
    for node in (cp1, w2):
        as_before(before[node.name], node)


def certificate_key(phase, key):
    """kubeadm's phase `certs` is the one of these that does not take it."""
    return () if phase == "certs" else ("--certificate-key", key)


def test_a_machine_without_a_cluster_is_told_so(machines):
    w1 = machines[1]
    before = hostview.look(w1)
    for words, said in (
        ("token create", f"{ADMIN} is not there"),
        ("token list", f"{ADMIN} is not there"),
        ("token delete abcdef", f"{ADMIN} is not there"),
        ("kubeconfig get", f"{ADMIN} is not there"),
        ("kubeconfig user --client-name jane", "/ca.crt is not there"),
        ("certs renew all", "no host has /etc/kubernetes/pki/ca.crt"),
        ("init phase upload-certs --upload-certs", "the authority ca is not at hand"),
    ):
        refused = typed(w1, *words.split(), code=1)
        assert said in refused.text
        assert "→" in refused.text, "it says what to do"
    listed = typed(w1, "certs", "check-expiration").out
    assert "!MISSING! apiserver" in listed
    hostview.assert_same(before, hostview.look(w1))


def test_a_runtime_that_is_masked_is_told_and_one_that_is_stopped_is_started(machines):
    cp1 = machines[0]
    shell(cp1, "systemctl stop containerd.service; systemctl mask --quiet containerd.service")
    before = hostview.look(cp1)
    refused = typed(cp1, "init", "--config", CONFIG, code=3)
    assert "containerd.service is masked" in refused.text
    assert "systemctl unmask containerd.service" in refused.text
    hostview.assert_same(before, hostview.look(cp1))
    shell(cp1, "systemctl unmask --quiet containerd.service")
    said = typed(cp1, "init", "--config", CONFIG)
    assert "start containerd.service" in said.text
    nodes.exec(cp1, [*KUBECTL, "get", "--raw", "/readyz"])
    typed(cp1, "reset", "--force", "--keep-artifacts")
