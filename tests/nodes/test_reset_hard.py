"""Reset where it is hard: bare and back, a dead runtime or host, beside other people's things."""

from __future__ import annotations

import json

import pytest
from lab import artifacts, nodes

from . import hostview
from .fleet import KUBECTL
from .test_apply import ETCDCTL

pytestmark = pytest.mark.long

KUBECTL_LINE = " ".join(KUBECTL)
CONTAINERD = "/usr/bin/containerd"
KUBEADM = "/usr/local/bin/kubeadm"


def shell(node, script, *, stdin="", check=True, timeout=200):
    return nodes.exec(node, ["sh", "-euc", script], stdin=stdin, check=check, timeout=timeout).stdout


def proxy_mode(name):
    def edit(kinds):
        kinds["KubeProxyConfiguration"]["mode"] = name

    return edit


@pytest.mark.parametrize("mode", ["iptables", "nftables"])
def test_bare_hosts_are_bare_again(cli, fleet, mode):
    """Files, links, routes, rules, mounts, units, processes, users: the same before init and after reset."""
    fleet.bare(artifacts=False)
    cp1, w1 = fleet.control_plane, fleet.node("w1")
    before = {node.name: hostview.look(node) for node in (cp1, w1)}
    config = fleet.variant(f"bare-{mode}", proxy_mode(mode))
    cluster = fleet.cluster(workers=1, config=config)
    # Pods with host ports and services: what has rules of its own.
    cluster.kubectl("create", "deployment", "web", "--image=registry.k8s.io/pause:3.10.2", "--replicas=2")
    cluster.kubectl("expose", "deployment", "web", "--port=80", "--type=NodePort")
    cluster.kubectl("wait", "--for=create", "--timeout=60s", "pod", "-l", "app=web")
    proxied = shell(w1, "iptables-save | grep -c KUBE- || true; nft list tables | grep -c kube-proxy || true")
    assert [count != "0" for count in proxied.split()] == [True, mode == "nftables"]

    cli.run("reset", "--config", config, "--host", "cp1", "--host", "w1", "--yes")
    for node in (cp1, w1):
        assert hostview.difference(before[node.name], hostview.look(node)) == []
    again = cli.run("reset", "--config", config, "--host", "cp1", "--host", "w1", "--yes")
    assert "nothing that kubeadm-py or kubeadm made is there" in again.out


class TestOneOfThree:
    """A control plane that leaves others behind."""

    @pytest.fixture(scope="class")
    @classmethod
    def three(cls, cli, fleet):
        with fleet.grown("cp1", "cp2", "cp3", "w1", "w2") as lab:
            # What a host is like before it has ever been anything.
            cli.run("reset", "--config", lab.cluster_yaml, "--host", "cp2", "--yes")
            before = hostview.look(lab.node("cp2"))
            cli.run("apply", "--config", lab.cluster_yaml)
            yield lab, lab.cluster_yaml, before

    def members(self, node):
        said = json.loads(shell(node, f"{ETCDCTL} member list -w json"))
        return sorted(member["name"] for member in said["members"])

    def test_it_leaves_etcd_and_its_node_goes(self, three, cli):
        lab, config, before = three
        cp1, cp2 = lab.node("cp1"), lab.node("cp2")
        done = cli.run("reset", "--config", config, "--host", "cp2", "--yes")
        assert "etcd survives no further loss" in done.text
        assert self.members(cp1) == ["cp1", "cp3"]
        named = shell(cp1, f"{KUBECTL_LINE} get nodes -o jsonpath='{{.items[*].metadata.name}}'")
        assert "cp2" not in named.split()
        assert hostview.difference(before, hostview.look(cp2)) == []

    def test_phase_by_phase(self, three, cli):
        lab, config, before = three
        cp1, cp2 = lab.node("cp1"), lab.node("cp2")
        host = ("--config", config, "--host", "cp2", "--yes")
        cli.run("apply", "--config", config)
        cli.run("reset", "phase", "remove-etcd-member", *host)
        assert self.members(cp1) == ["cp1", "cp3"]
        left = shell(cp2, "ls /var/lib/etcd /etc/kubernetes/manifests/etcd.yaml 2>/dev/null || true")
        assert left == ""
        assert shell(cp2, "systemctl is-active kubelet.service").strip() == "active"
        cli.run("reset", "phase", "cleanup-node", *host)
        assert hostview.difference(before, hostview.look(cp2)) == []

    def test_the_quorum_of_the_others_is_not_its_to_take(self, three, cli):
        lab, config, _ = three
        cp2, cp3 = lab.node("cp2"), lab.node("cp3")
        cli.run("apply", "--config", config)
        shell(
            cp3,
            "mv /etc/kubernetes/manifests/etcd.yaml /root/; sleep 1; crictl stop $(crictl ps -q --name etcd)",
        )
        try:
            before = hostview.look(cp2)
            refused = cli.run("reset", "--config", config, "--host", "cp2", "--yes", code=1)
            assert "cost etcd its quorum" in refused.text
            assert "--skip-phases remove-etcd-member" in refused.text
            changed = hostview.difference(before, hostview.look(cp2))
            assert [line for line in changed if "/etc/kubernetes" in line] == []
        finally:
            shell(cp3, "mv /root/etcd.yaml /etc/kubernetes/manifests/")

    def test_a_dead_host_holds_up_nobody(self, three, cli):
        lab, config, before = three
        cp2, cp3 = lab.node("cp2"), lab.node("cp3")
        nodes.run(["docker", "pause", cp3.container])
        try:
            done = cli.run("reset", "--config", config, "--yes", code=7)
        finally:
            nodes.run(["docker", "unpause", cp3.container])
        assert "cannot be reached, and keeps all that is on it" in done.text
        assert "--host cp3" in done.text
        assert hostview.difference(before, hostview.look(cp2)) == []
        cli.run("reset", "--config", config, "--host", "cp3", "--yes")
        assert shell(cp3, "ls -A /etc/kubernetes /var/lib/kubelet 2>/dev/null || true") == ""


FOREIGN_RULES = """iptables -N THEIRS
iptables -A THEIRS -s 192.0.2.0/24 -j DROP
iptables -A INPUT -m comment --comment "what KUBE-PROXY lets in" -j THEIRS
iptables -t nat -N CNI-DN-theirs
iptables -t nat -A PREROUTING -p tcp --dport 9999 -m comment --comment 'dnat name: "podman" id: "x"' \\
  -j CNI-DN-theirs
iptables -t nat -A CNI-DN-theirs -p tcp -j DNAT --to-destination 192.0.2.9:80
nft add table inet theirs
nft add chain inet theirs input
ip link add theirs0 type veth peer name theirs1
"""
FOREIGN_RULES_AWAY = """iptables -D INPUT -m comment --comment "what KUBE-PROXY lets in" -j THEIRS
iptables -F THEIRS
iptables -X THEIRS
iptables -t nat -D PREROUTING -p tcp --dport 9999 -m comment --comment 'dnat name: "podman" id: "x"' \\
  -j CNI-DN-theirs
iptables -t nat -F CNI-DN-theirs
iptables -t nat -X CNI-DN-theirs
nft delete table inet theirs
ip link delete theirs0
"""
FOREIGN_FILES = (
    "/etc/kubernetes/pki/theirs.key",
    "/etc/cni/net.d/99-theirs.conflist.off",
    "/opt/cni/bin/theirs",
)
SANDBOX = {
    "metadata": {"name": "theirs", "namespace": "default", "uid": "theirs-1", "attempt": 1},
    "log_directory": "/tmp",
    "linux": {
        "cgroup_parent": "system.slice",
        "security_context": {"namespace_options": {"network": 2}},
    },
}


def test_what_others_have_on_the_host_stays(cli, fleet):
    """Containers in their own namespace and in the kubelet's, a pod that no kubelet made, rules, files."""
    fleet.bare("w1", artifacts=False)
    w1 = fleet.node("w1")
    bare = hostview.look(w1)
    cluster = fleet.cluster(workers=1)
    host = ("--config", cluster.config, "--host", "w1", "--yes")
    image = shell(w1, "ctr -n k8s.io images ls -q name~=pause | grep -v sha256 | head -n 1").strip()
    shell(
        w1,
        f"ctr -n k8s.io images export /root/pause.tar {image}; ctr -n theirs images import /root/pause.tar",
    )
    shell(
        w1,
        f"ctr -n theirs run -d {image} theirs; ctr -n k8s.io run -d {image} theirs-too; rm /root/pause.tar",
    )
    pod = shell(w1, "cat >/root/pod.json; crictl runp /root/pod.json", stdin=json.dumps(SANDBOX)).strip()
    shell(w1, "rm /root/pod.json")
    shell(w1, FOREIGN_RULES)
    for path in FOREIGN_FILES:
        shell(w1, f'mkdir -p "$(dirname {path})"; echo theirs >{path}')
    rules = [line for line in hostview.look(w1)["rules"] if "THEIRS" in line or "theirs" in line]
    assert len(rules) >= 6
    try:
        done = cli.run("reset", *host)
        assert "others use it (" in done.text
        for name in ("theirs/theirs", "k8s.io/theirs-too", f"k8s.io/{pod}"):
            assert name in done.text
        running = shell(w1, "ctr -n theirs tasks ls; ctr -n k8s.io tasks ls")
        assert [line.split()[-1] for line in running.splitlines() if "theirs" in line] == ["RUNNING"] * 2
        assert shell(w1, "crictl pods -q").split() == [pod]
        after = hostview.look(w1)
        assert [line for line in after["rules"] if "THEIRS" in line or "theirs" in line] == rules
        assert not [line for line in after["rules"] if "KUBE-" in line.replace("KUBE-PROXY lets", "")]
        assert "theirs0" in after["links"]
        assert shell(w1, f"cat {' '.join(FOREIGN_FILES)}").split() == ["theirs"] * 3
        assert not shell(w1, "ls /etc/kubernetes/kubelet.conf /var/lib/kubelet 2>/dev/null || true")
    finally:
        shell(
            w1,
            f"""crictl stopp {pod}; crictl rmp {pod}
for namespace in theirs k8s.io; do
  for task in $(ctr -n $namespace tasks ls -q); do ctr -n $namespace tasks kill -s KILL "$task"; done
  sleep 1
  for one in $(ctr -n $namespace containers ls -q); do ctr -n $namespace containers rm "$one"; done
done""",
        )
    shell(w1, FOREIGN_RULES_AWAY)
    shell(w1, f"rm {' '.join(FOREIGN_FILES)}")
    shell(w1, "rmdir /etc/kubernetes/pki /etc/kubernetes 2>/dev/null || true")
    cli.run("reset", *host)
    assert hostview.difference(bare, hostview.look(w1)) == []


@pytest.mark.parametrize(
    ("broken", "mended"),
    [
        ("systemctl stop containerd; systemctl mask --now containerd", "systemctl unmask containerd"),
        (
            f"systemctl stop containerd; mv {CONTAINERD} {CONTAINERD}.off; echo broken >{CONTAINERD}; "
            f"chmod 755 {CONTAINERD}",
            f"[ ! -e {CONTAINERD}.off ] || mv {CONTAINERD}.off {CONTAINERD}",
        ),
        # It is only down: reset starts it, and ends the pods through it.
        ("systemctl stop containerd", "true"),
        # People clear this away first; the runtime cannot take a pod's network down then.
        ("rm -rf /etc/cni/net.d/*", "true"),
    ],
    ids=["masked", "broken", "stopped", "without-network"],
)
@pytest.mark.parametrize("keep", [True, False], ids=["keeping", "whole"])
def test_a_dead_runtime(cli, fleet, broken, mended, keep):
    fleet.bare("w1", artifacts=keep)
    w1 = fleet.node("w1")
    before = hostview.look(w1)
    cluster = fleet.cluster(workers=1)
    pods = int(shell(w1, "crictl pods -q | wc -l"))
    assert pods >= 2
    # Its unit ends with its pods still running.
    shell(w1, broken)
    assert int(shell(w1, "grep -ls kubepods /proc/[0-9]*/cgroup | wc -l")) > 0
    words = ("--keep-artifacts",) if keep else ()
    try:
        done = cli.run("reset", "--config", cluster.config, "--host", "w1", "--yes", *words)
        assert ("were ended without it" in done.text) is (mended != "true")
        assert shell(w1, "grep -ls kubepods /proc/[0-9]*/cgroup || true") == ""
        assert "/var/lib/kubelet" not in shell(w1, "cat /proc/mounts")
        assert shell(w1, "ls -A /run/netns 2>/dev/null || true") == ""
    finally:
        shell(w1, mended)
    if keep:
        if mended != "true":
            assert "another reset has containerd.service forget them" in done.text
            shell(w1, "systemctl start containerd")
            cli.run("reset", "--config", cluster.config, "--host", "w1", "--yes", *words)
        assert shell(w1, "crictl pods -q; crictl ps -aq") == ""
    else:
        shell(w1, f"rm -f {CONTAINERD}.off; systemctl daemon-reload")
        after = hostview.look(w1)
        assert [line for line in hostview.difference(before, after) if f"{CONTAINERD} " not in line] == []
        shell(w1, f"rm -f {CONTAINERD}")


def test_a_cluster_that_kubeadm_made(cli, fleet):
    """Its hosts go by kubeadm's own table, with what kubeadm leaves behind, and their preparation stays."""
    fleet.cluster(workers=1)
    fleet.bare()
    cp1, w1 = fleet.control_plane, fleet.node("w1")
    before = {node.name: hostview.look(node) for node in (cp1, w1)}
    documents = fleet.variant("kubeadms", lambda kinds: kinds.pop("Cluster")).read_text()
    for node in (cp1, w1):
        nodes.run(["docker", "cp", str(artifacts.oracle()), f"{node.container}:{KUBEADM}"])
    try:
        shell(
            cp1,
            f"cat >/root/kubeadm.yaml; {KUBEADM} init --config /root/kubeadm.yaml",
            stdin=documents,
            timeout=400,
        )
        line = shell(cp1, f"{KUBEADM} token create --print-join-command").strip()
        shell(
            w1,
            f"{KUBEADM} {line.partition(' ')[2]} --ignore-preflight-errors SystemVerification",
            timeout=400,
        )
        dry = cli.run("reset", "--config", fleet.config, "--host", "w1", "--dry-run")
        assert "kubeadm made this node" in dry.text

        cli.run("reset", "--config", fleet.config, "--host", "w1", "--yes", "--keep-artifacts")
        names = shell(cp1, f"{KUBECTL_LINE} get nodes -o jsonpath='{{.items[*].metadata.name}}'")
        assert names.split() == ["cp1"]
        cli.run("reset", "--config", fleet.config, "--host", "cp1", "--yes", "--keep-artifacts")
    finally:
        for node in (cp1, w1):
            shell(node, f"rm -f {KUBEADM} /root/kubeadm.yaml")
    for node in (cp1, w1):
        # kubeadm's own reset leaves these directories too, empty: packages may own them.
        kept = ("/etc/kubernetes", "/var/lib/kubelet", "/var/lib/etcd")
        # What is noted of the preparation, which stays, is written anew.
        noted = ("/etc/kubernetes/", "/var/lib/kubeadm-py/")
        changed = hostview.difference(before[node.name], hostview.look(node))
        assert [
            line for line in changed if line.split()[2] not in kept and not line.split()[2].startswith(noted)
        ] == []
        assert (
            shell(node, "find /etc/kubernetes /var/lib/kubelet /var/lib/etcd -type f 2>/dev/null || true")
            == ""
        )
        shell(node, "find /etc/kubernetes /var/lib/etcd -depth -type d -empty -delete 2>/dev/null || true")
