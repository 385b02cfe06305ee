"""Clusters of other shapes: every path and port of its own, an etcd that others run, two address families."""

from __future__ import annotations

import json
import subprocess

import pytest
import yaml
from lab import nodes, paths

PKI = "/etc/kubernetes/elsewhere"
AUDIT = "/etc/kubernetes/audit"
DATA = "/var/lib/etcd-of-its-own"
NAME = "api.topology.example"
PORT = 7443
POLICY = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n"
CLIENT = "/etc/etcd-client"
SIXES = "fd99:77::"


def shell(node, script, *, stdin="", timeout=120):
    return nodes.exec(node, ["sh", "-euc", script], stdin=stdin, timeout=timeout).stdout


def only(kinds, *names):
    """Leave the other hosts out of the config, so that verify asks after these alone."""
    spec = kinds["Cluster"]["spec"]
    spec["hosts"] = [host for host in spec["hosts"] if host["name"] in names]


def flags(node, component):
    """Return the flags of a static pod, the last of each name."""
    pod = yaml.safe_load(shell(node, f"cat /etc/kubernetes/manifests/{component}.yaml"))
    command = pod["spec"]["containers"][0]["command"][1:]
    return dict(flag.removeprefix("--").partition("=")[::2] for flag in command)


def own_everything(patches):
    def edit(kinds):
        only(kinds, "cp1", "w1")
        cluster = kinds["ClusterConfiguration"]
        cluster |= {
            "certificatesDir": PKI,
            "clusterName": "topology",
            "controlPlaneEndpoint": f"{NAME}:{PORT}",
            "encryptionAlgorithm": "ECDSA-P256",
        }
        cluster.setdefault("networking", {}).update(
            {"dnsDomain": "corp.example", "serviceSubnet": "10.111.0.0/16", "podSubnet": "10.245.0.0/16"}
        )
        cluster["etcd"] = {"local": {"dataDir": DATA, "serverCertSANs": ["etcd.corp.example"]}}
        cluster["apiServer"] = {
            "certSANs": ["more.corp.example"],
            "extraArgs": [
                {"name": "audit-policy-file", "value": "/etc/kubernetes/audit/policy.yaml"},
                {"name": "audit-log-path", "value": "/var/log/kubernetes/audit.log"},
            ],
            "extraVolumes": [
                {
                    "name": "audit-policy",
                    "hostPath": "/etc/kubernetes/audit",
                    "mountPath": "/etc/kubernetes/audit",
                },
                {
                    "name": "audit-log",
                    "hostPath": "/var/log/kubernetes",
                    "mountPath": "/var/log/kubernetes",
                    "pathType": "DirectoryOrCreate",
                },
            ],
            "extraEnvs": [{"name": "GOMAXPROCS", "value": "2"}],
        }
        kinds["InitConfiguration"]["localAPIEndpoint"] = {"bindPort": PORT}
        kinds["InitConfiguration"]["patches"] = {"directory": str(patches)}
        join = kinds.setdefault(
            "JoinConfiguration", {"apiVersion": "kubeadm.k8s.io/v1beta4", "kind": "JoinConfiguration"}
        )
        join["patches"] = {"directory": str(patches)}

    return edit


@pytest.mark.long
def test_every_path_port_and_name_of_its_own(cli, fleet, tmp_path):
    fleet.bare()
    cp1, w1 = fleet.control_plane, fleet.node("w1")
    for node in (cp1, w1):
        shell(node, f"grep -q {NAME} /etc/hosts || echo '{cp1.address} {NAME}' >>/etc/hosts")
    shell(cp1, "mkdir -p /etc/kubernetes/audit; cat >/etc/kubernetes/audit/policy.yaml", stdin=POLICY)
    (tmp_path / "kubeletconfiguration.yaml").write_text("maxPods: 77\n")
    (tmp_path / "kube-scheduler0+json.yaml").write_text(
        "- {op: add, path: /metadata/labels/patched, value: json}\n"
    )
    (tmp_path / "corednsdeployment+merge.yaml").write_text("spec: {replicas: 1}\n")
    config = fleet.variant("own-everything", own_everything(tmp_path))
    cluster = fleet.cluster(workers=1, config=config)
    assert cluster.node_names() == ["cp1", "w1"]
    capacity = cluster.kubectl("get", "nodes", "-o", "jsonpath={.items[*].status.capacity.pods}")
    assert capacity.split() == ["77", "77"]
    labels = json.loads(
        cluster.kubectl("get", "pod", "kube-scheduler-cp1", "-n", "kube-system", "-o", "json")
    )
    assert labels["metadata"]["labels"]["patched"] == "json"
    replicas = ("get", "deployment", "coredns", "-n", "kube-system", "-o", "jsonpath={.spec.replicas}")
    assert cluster.kubectl(*replicas) == "1"
    assert flags(cp1, "kube-controller-manager")["cluster-name"] == "topology"
    assert f"https://{NAME}:{PORT}" in shell(w1, "cat /etc/kubernetes/kubelet.conf")
    assert shell(cp1, f"ls {PKI}/ca.crt {DATA}/member | head -1").strip() == f"{PKI}/ca.crt"
    assert int(shell(cp1, "wc -l </var/log/kubernetes/audit.log")) > 100
    named = shell(cp1, f"openssl x509 -noout -ext subjectAltName -in {PKI}/apiserver.crt")
    assert {NAME, "more.corp.example", "kubernetes.default.svc.corp.example"} <= set(
        named.replace("DNS:", "").replace(",", " ").split()
    )
    cli.run("verify", "--config", config, "--level", "cluster")
    again = cli.run("init", "--config", config)
    assert "nothing changed" in again.out
    fleet.reset("w1", "cp1")
    left = shell(cp1, f"ls -d {PKI} {DATA} /etc/kubernetes/audit/policy.yaml 2>/dev/null || true").split()
    assert left == ["/etc/kubernetes/audit/policy.yaml"], "what the operator brought stays"


# Nobody listens there: whatever asks it for the cluster's own traffic fails.
PROXY = "http://127.0.0.1:9"


@pytest.mark.long
def test_hosts_that_reach_the_world_through_a_proxy(cli, fleet):
    fleet.bare()
    cp1, w1 = fleet.control_plane, fleet.node("w1")
    apart = f"{cp1.address.rpartition('.')[0]}.0/24,10.96.0.0/12,10.244.0.0/16,.svc,.cluster.local"
    variables = f"HTTPS_PROXY={PROXY}\nHTTP_PROXY={PROXY}\nNO_PROXY={apart}\n"
    for node in (cp1, w1):
        shell(node, "cat >>/etc/environment", stdin=variables)

    def edit(kinds):
        only(kinds, "cp1", "w1")
        for host in kinds["Cluster"]["spec"]["hosts"]:
            host["proxy"] = {"http": PROXY, "https": PROXY}

    try:
        config = fleet.variant("proxied", edit)
        cluster = fleet.cluster(workers=1, config=config)
        assert cluster.node_names() == ["cp1", "w1"]
        for component in ("kube-apiserver", "kube-controller-manager", "kube-scheduler"):
            pod = yaml.safe_load(shell(cp1, f"cat /etc/kubernetes/manifests/{component}.yaml"))
            given = {each["name"]: each["value"] for each in pod["spec"]["containers"][0]["env"]}
            assert given["HTTPS_PROXY"] == PROXY
            assert given["NO_PROXY"] == apart
        template = "{.spec.template.spec.containers[0].env[*].name}"
        named = cluster.kubectl(
            "get", "daemonset", "kube-proxy", "-n", "kube-system", "-o", f"jsonpath={template}"
        )
        assert {"HTTPS_PROXY", "NO_PROXY"} <= set(named.split())
        for unit in ("containerd", "kubelet"):
            running = shell(w1, f"tr '\\0' '\\n' </proc/$(systemctl show -p MainPID --value {unit})/environ")
            values = dict(line.split("=", 1) for line in running.splitlines() if "=" in line)
            assert values["HTTPS_PROXY"] == PROXY
            assert {cp1.address, "10.244.0.0/16", ".svc"} <= set(values["NO_PROXY"].split(","))
        cli.run("verify", "--config", config, "--level", "workloads")
        assert "nothing changed" in cli.run("apply", "--config", config).out
        # What containerd was told of the proxy is kept with the other artifacts.
        fleet.reset("w1", "cp1", artifacts=False)
        left = shell(w1, "ls /etc/systemd/system/*.d/ 2>/dev/null || true")
        assert "proxy" not in left
    finally:
        for node in (cp1, w1):
            shell(node, "sed -i '/_PROXY=/d' /etc/environment")


_AUTHORITY = """mkdir -p /srv/etcd && cd /srv/etcd
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 2 -subj /CN=etcd-of-others \\
  2>/dev/null
for name in server client; do
  openssl req -newkey rsa:2048 -nodes -keyout $name.key -out $name.csr -subj /CN=$name 2>/dev/null
  printf 'subjectAltName=IP:{address},IP:127.0.0.1\\nextendedKeyUsage=serverAuth,clientAuth\\n' >$name.ext
  openssl x509 -req -in $name.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 \\
    -extfile $name.ext -out $name.crt 2>/dev/null
done
systemctl reset-failed etcd-of-others 2>/dev/null || true
systemd-run --unit=etcd-of-others --collect /usr/local/bin/etcd-of-others --name others \\
  --data-dir /var/lib/etcd-of-others --client-cert-auth --trusted-ca-file /srv/etcd/ca.crt \\
  --cert-file /srv/etcd/server.crt --key-file /srv/etcd/server.key \\
  --listen-client-urls https://{address}:12379 --advertise-client-urls https://{address}:12379 \\
  --listen-peer-urls http://127.0.0.1:12380
"""
_AWAY = """systemctl stop etcd-of-others 2>/dev/null || true
rm -rf /srv/etcd /var/lib/etcd-of-others /usr/local/bin/etcd-of-others
"""


@pytest.mark.long
def test_an_etcd_that_others_run(cli, fleet):
    fleet.bare()
    cp1, other = fleet.control_plane, fleet.node("w2")
    (program,) = sorted((paths.cache() / "built" / "etcd").glob("v*/etcd"))[-1:]
    subprocess.run(
        ["docker", "cp", str(program), f"{other.container}:/usr/local/bin/etcd-of-others"], check=True
    )
    shell(other, _AUTHORITY.format(address=other.address))
    for name in ("ca.crt", "client.crt", "client.key"):
        content = shell(other, f"cat /srv/etcd/{name}")
        shell(cp1, f"mkdir -p {CLIENT}; umask 077; cat >{CLIENT}/{name}", stdin=content)

    def edit(kinds):
        only(kinds, "cp1", "w1")
        kinds["ClusterConfiguration"]["etcd"] = {
            "external": {
                "endpoints": [f"https://{other.address}:12379"],
                "caFile": f"{CLIENT}/ca.crt",
                "certFile": f"{CLIENT}/client.crt",
                "keyFile": f"{CLIENT}/client.key",
            }
        }

    try:
        config = fleet.variant("external-etcd", edit)
        cluster = fleet.cluster(workers=1, config=config)
        assert flags(cp1, "kube-apiserver")["etcd-servers"] == f"https://{other.address}:12379"
        assert shell(cp1, "ls /etc/kubernetes/manifests").split() == [
            "kube-apiserver.yaml",
            "kube-controller-manager.yaml",
            "kube-scheduler.yaml",
        ]
        assert shell(cp1, "ls -d /var/lib/etcd /etc/kubernetes/pki/etcd 2>/dev/null || true") == ""
        asked = (
            f"ETCDCTL_API=3 etcdctl --endpoints https://{other.address}:12379 --cacert {CLIENT}/ca.crt "
            f"--cert {CLIENT}/client.crt --key {CLIENT}/client.key get /registry/minions --prefix --keys-only"
        )
        assert shell(cp1, asked).split() == ["/registry/minions/cp1", "/registry/minions/w1"]
        told = json.loads(cli.run("etcd", "status", "--config", config, "-o", "json").out)["items"]
        assert [(each["name"], each["health"], each["leader"]) for each in told] == [
            ("others", "healthy", True)
        ]
        keys = cli.run("etcd", "keys", "/registry/minions/", "--config", config).out
        assert keys.split() == ["/registry/minions/cp1", "/registry/minions/w1"]
        assert cli.run("etcd", "defrag", "--config", config).out.startswith("others: ")
        cli.run("verify", "--config", config, "--level", "cluster")
        assert cluster.node_names() == ["cp1", "w1"]
        fleet.reset("w1", "cp1")
        assert shell(cp1, f"ls {CLIENT}").split() == ["ca.crt", "client.crt", "client.key"]
    finally:
        shell(other, _AWAY)


def six(node, index):
    """Give a node an IPv6 address, which the lab's networks do not have, and return it."""
    address = f"{SIXES}{index}"
    shell(
        node,
        "for one in all default; do sysctl -qw net.ipv6.conf.$one.disable_ipv6=0; done\n"
        "link=$(ip -4 -o route show default | awk '{print $5}')\n"
        "sysctl -qw net.ipv6.conf.$link.disable_ipv6=0\n"
        f"ip -6 addr replace {address}/64 dev $link nodad",
    )
    return address


def addressed(kinds, addresses, pods, services):
    """Have the hosts known by these addresses, and reached as before; name flannel's link."""
    only(kinds, *addresses)
    networking = kinds["ClusterConfiguration"].setdefault("networking", {})
    networking |= {"podSubnet": pods, "serviceSubnet": services}
    for host in kinds["Cluster"]["spec"]["hosts"]:
        host["ssh"] = {"host": host["address"], **host.get("ssh", {})}
        host["address"] = addresses[host["name"]]


def name_flannels_link(kinds):
    """Name the link: flannel 0.28.4 looks among its IPv4 addresses for the one that the node's IP names."""
    addons = kinds["Cluster"]["spec"]["addons"]
    named = {"name": "flannel", "parameters": {"iface": "eth0"}}
    kinds["Cluster"]["spec"]["addons"] = [named if each == "flannel" else each for each in addons]


@pytest.mark.long
@pytest.mark.parametrize("first", ["ipv4", "ipv6"])
def test_two_address_families(cli, fleet, first):
    fleet.bare()
    addresses = {}
    for index, name in enumerate(("cp1", "w1"), start=1):
        node = fleet.node(name)
        pair = [node.address, six(node, index)]
        addresses[name] = ",".join(pair if first == "ipv4" else reversed(pair))
    pods, services = ["10.245.0.0/16", "fd00:245::/56"], ["10.111.0.0/16", "fd00:111::/112"]
    if first == "ipv6":
        pods.reverse()
        services.reverse()

    def edit(kinds):
        addressed(kinds, addresses, ",".join(pods), ",".join(services))
        if first == "ipv6":
            name_flannels_link(kinds)

    config = fleet.variant(f"dual-stack-{first}", edit)
    cluster = fleet.cluster(workers=1, config=config)
    assert internal_addresses(cluster) == [addresses[name].replace(",", " ") for name in ("cp1", "w1")]
    ranges = cluster.kubectl("get", "nodes", "-o", "jsonpath={range .items[*]}{.spec.podCIDRs}{'\\n'}{end}")
    assert [len(json.loads(line)) for line in ranges.splitlines()] == [2, 2]
    service = cluster.kubectl("get", "service", "kubernetes", "-o", "jsonpath={.spec.ipFamilies[0]}")
    assert service == {"ipv4": "IPv4", "ipv6": "IPv6"}[first]
    cli.run("verify", "--config", config, "--level", "cluster")
    fleet.reset("w1", "cp1")


def internal_addresses(cluster):
    """Return each node's InternalIPs, as the API has them."""
    path = "jsonpath={range .items[*]}{.status.addresses[?(@.type=='InternalIP')].address}{'\\n'}{end}"
    return cluster.kubectl("get", "nodes", "-o", path).splitlines()


@pytest.mark.long
def test_ipv6_only(cli, fleet):
    """The operator reaches the nodes over IPv4; the cluster knows nothing of it."""
    fleet.bare()
    addresses = {name: six(fleet.node(name), index) for index, name in enumerate(("cp1", "w1"), start=1)}

    def edit(kinds):
        addressed(kinds, addresses, "fd00:245::/56", "fd00:111::/112")
        name_flannels_link(kinds)

    config = fleet.variant("ipv6-only", edit)
    cluster = fleet.cluster(workers=1, config=config)
    assert internal_addresses(cluster) == list(addresses.values())
    six_only = "jsonpath={.items[*].status.podIPs[*].ip}"
    pods = cluster.kubectl("get", "pods", "-A", "-o", six_only).split()
    assert len(pods) > 5
    assert [address for address in pods if "." in address] == []
    assert cluster.kubectl(
        "get", "service", "-A", "-o", "jsonpath={.items[*].spec.ipFamilies[*]}"
    ).split() == ["IPv6"] * len(cluster.kubectl("get", "service", "-A", "-o", "name").split())
    cli.run("verify", "--config", config, "--level", "workloads", within=420)
    again = cli.run("init", "--config", config)
    assert "nothing changed" in again.out
    fleet.reset("w1", "cp1")
