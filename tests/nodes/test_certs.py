"""Certificates: when they end, renewing each and all, and clusters whose certificates have ended."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from lab import nodes
from lab.nodes import Lab
from lab.topology import Node

from .cli import Cli
from .fleet import ADMIN, Cluster, Fleet
from .openssl import AUTHORITIES

pytestmark = pytest.mark.long

PKI = "/etc/kubernetes/pki"
USERS = {
    "apiserver": {"kube-apiserver"},
    "apiserver-kubelet-client": {"kube-apiserver"},
    "front-proxy-client": {"kube-apiserver"},
    "apiserver-etcd-client": {"kube-apiserver"},
    "etcd-server": {"etcd"},
    "etcd-peer": {"etcd"},
    "etcd-healthcheck-client": set(),
    "admin.conf": set(),
    "super-admin.conf": set(),
    "controller-manager.conf": {"kube-controller-manager"},
    "scheduler.conf": {"kube-scheduler"},
}
"""What is renewed by name -> the components that read it."""
COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")


def shell(node: Node, script: str, *, stdin: str = "", check: bool = True) -> str:
    return nodes.exec(node, ["sh", "-c", script], stdin=stdin, check=check).stdout


def checked(cli: Cli, config: Path, *hosts: str) -> dict[str, dict]:
    """Return what check-expiration says, by host."""
    words = [word for name in hosts for word in ("--host", name)]
    text = cli.run("certs", "check-expiration", "--config", config, *words, "-o", "json").out
    found, decoder = {}, json.JSONDecoder()
    while text := text.lstrip():
        document, end = decoder.raw_decode(text)
        found[document["host"]] = document
        text = text[end:]
    return found


def files(node: Node) -> dict[str, str]:
    """Return the digest of every certificate, key and kubeconfig that there is."""
    lines = shell(node, f"sha256sum $(find {PKI} -type f) /etc/kubernetes/*.conf").splitlines()
    return {path: digest for digest, path in (line.split() for line in lines)}


def containers(node: Node) -> dict[str, str]:
    """Return the id of each component's running container."""
    return {name: shell(node, f"crictl ps -q --name '^{name}$'").strip() for name in COMPONENTS}


def on_the_wire(node: Node, port: int) -> str:
    """Return the serial number of the certificate that a port serves, as openssl prints it."""
    pem = ssl.get_server_certificate((node.address, port), timeout=10)
    words = ["openssl", "x509", "-noout", "-serial"]
    return subprocess.run(words, input=pem, capture_output=True, text=True, check=True).stdout.strip()[7:]


class TestOneControlPlane:
    @pytest.fixture(scope="class")
    @classmethod
    def cluster(cls, fleet: Fleet) -> Cluster:
        # All hosts of the file: verify looks at each.
        return fleet.cluster(workers=2)

    def test_the_table_says_of_every_host_what_its_files_and_its_ports_hold(self, cluster, cli):
        told = cli.run(
            "certs", "check-expiration", "--config", cluster.config, "--host", "cp1", "--host", "w1"
        ).out
        rows = [line.split() for line in told.splitlines() if line.strip()]
        assert {row[0] for row in rows} >= {"cp1", "w1", *USERS, "ca", "etcd-ca", "front-proxy-ca", "kubelet"}
        assert "MISSING" not in told
        documents = checked(cli, cluster.config, "cp1", "w1")
        assert list(documents) == ["cp1", "w1"]
        assert {each["name"] for each in documents["cp1"]["certificates"]} == set(USERS)
        served = {(each["component"], each["port"]): each for each in documents["cp1"]["served"]}
        assert served["kube-apiserver", 6443]["serialNumber"] == on_the_wire(cluster.control_plane, 6443)
        kubelet, login = documents["w1"]["served"]
        assert kubelet["serialNumber"] == on_the_wire(cluster.workers[0], 10250)
        assert (login["component"], login["residualTime"] > 0) == ("kubelet (client)", True)
        assert documents["cp1"]["restartNeeded"] == []

    def test_a_certificate_that_was_replaced_behind_a_running_process_is_told(self, cluster, cli):
        node = cluster.control_plane
        before = shell(node, f"cat {PKI}/apiserver.crt")
        shell(
            node,
            f"cp -p {PKI}/apiserver.crt /root/kept; cat {PKI}/front-proxy-client.crt >{PKI}/apiserver.crt",
        )
        try:
            document = checked(cli, cluster.config, "cp1")["cp1"]
            (served,) = (each for each in document["served"] if each["port"] == 6443)
            assert served["servesFile"] is False
            assert document["restartNeeded"] == ["kube-apiserver"]
        finally:
            # With its time: nothing has changed then.
            shell(node, f"cp -p /root/kept {PKI}/apiserver.crt; rm /root/kept")
        assert shell(node, f"cat {PKI}/apiserver.crt") == before
        assert checked(cli, cluster.config, "cp1")["cp1"]["restartNeeded"] == []

    @pytest.mark.parametrize("name", USERS)
    def test_one_is_renewed_and_what_uses_it_restarted(self, cluster, cli, name):
        node = cluster.control_plane
        before, ran = files(node), containers(node)
        done = cli.run("certs", "renew", name, "--config", cluster.config)
        assert "1 certificate renewed on cp1" in done.out
        after, runs = files(node), containers(node)
        changed = {path.removeprefix("/etc/kubernetes/") for path in after if before[path] != after[path]}
        base = name.replace("etcd-", "etcd/") if name.startswith("etcd-") else name
        wanted = {name} if name.endswith(".conf") else {f"pki/{base}.crt", f"pki/{base}.key"}
        assert changed == wanted
        # Who loses the only API server for longer than its lease ends, and is started again by the kubelet.
        assert {each for each in COMPONENTS if ran[each] != runs[each]} >= USERS[name]
        assert "cp1" in cluster.kubectl("get", "nodes")

    def test_all_are_renewed(self, cluster, cli):
        before = files(cluster.control_plane)
        cli.run("certs", "renew", "all", "--config", cluster.config)
        after = files(cluster.control_plane)
        kept = {path for path in after if before[path] == after[path]}
        authorities = {f"{PKI}/{name}.{half}" for name in AUTHORITIES for half in ("crt", "key")}
        own = {f"{PKI}/sa.key", f"{PKI}/sa.pub", "/etc/kubernetes/kubelet.conf"}
        assert kept == authorities | own
        cli.run("verify", "--config", cluster.config, "--level", "cluster", "--read-only")
        again = cli.run("certs", "renew", "all", "--config", cluster.config, "--if-ends-within", "720h")
        assert "nothing was renewed" in again.out
        assert files(cluster.control_plane) == after

    def test_a_user_logs_in_with_what_the_clusters_ca_signed(self, cluster, cli):
        words = ("--client-name", "jane", "--org", "dev", "--validity-period", "1h")
        conf = cli.run("kubeconfig", "user", *words, "--config", cluster.config).out
        asked = "kubectl --kubeconfig /dev/stdin auth whoami -o json"
        who = json.loads(shell(cluster.workers[0], asked, stdin=conf))["status"]["userInfo"]
        assert (who["username"], set(who["groups"])) == ("jane", {"dev", "system:authenticated"})
        pem = base64.b64decode(yaml.safe_load(conf)["users"][0]["user"]["client-certificate-data"])
        ends = subprocess.run(
            ["openssl", "x509", "-noout", "-checkend", "3700"], input=pem, capture_output=True, check=False
        )
        assert b"will expire" in ends.stdout

    def test_it_comes_back_after_its_certificates_have_ended(self, cluster, cli, tmp_path):
        config = tmp_path / "cluster.yaml"
        config.write_text(cluster.config.read_text())
        comes_back_from_ended_certificates(cli, config, (cluster.control_plane,), 200)

    @pytest.mark.parametrize("name", ["cp1", "w1"])
    def test_a_kubelet_whose_certificate_has_ended_comes_back(self, cluster, cli, name):
        node = next(each for each in cluster.nodes if each.name == name)
        lay_down_an_ended_certificate(cluster.control_plane, node)
        (login,) = (
            each
            for each in checked(cli, cluster.config, name)[name]["served"]
            if each["component"] == "kubelet (client)"
        )
        assert login["residualTime"] < 0
        host = ("--config", cluster.config, "--host", name)
        if name == "cp1":
            refused = cli.run("init", "--config", cluster.config, code=3).text
            assert "kubeadm-py certs renew all" in refused
            cli.run("certs", "renew", "all", "--config", cluster.config)
        else:
            refused = cli.run("join", *host, code=3).text
            assert "--host w1, then let it join again" in refused
            cli.run("reset", *host, "--yes", "--keep-artifacts")
            cli.run("join", *host)
        assert "KubeletCertificate" in refused
        assert shell(node, "systemctl is-active kubelet.service").strip() == "active"
        cluster.kubectl("wait", "--for=condition=Ready", "--timeout=120s", f"node/{name}", timeout=150)
        cli.run("verify", "--config", cluster.config, "--level", "cluster", "--read-only")


class Watch(threading.Thread):
    """Ask every API server for its health until told to stop; hold when how many were away."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(daemon=True)
        self._lab = lab
        self._over = threading.Event()
        self.away: list[tuple[float, tuple[str, ...]]] = []

    def run(self) -> None:
        while not self._over.wait(0.2):
            silent = tuple(node.name for node in self._lab.nodes if not self._answers(node))
            if silent:
                self.away.append((time.monotonic(), silent))

    def stop(self) -> None:
        self._over.set()
        self.join()

    @staticmethod
    def _answers(node: Node) -> bool:
        words = ["curl", "--disable", "-sk", "--max-time", "3", f"https://{node.address}:6443/livez"]
        return subprocess.run(words, capture_output=True, check=False).stdout == b"ok"


class TestThreeControlPlanes:
    @pytest.fixture(scope="class")
    @classmethod
    def lab(cls, fleet: Fleet, cli: Cli) -> Iterator[Lab]:
        with fleet.grown("cp1", "cp2", "cp3") as lab:
            cli.run("apply", "--config", lab.cluster_yaml)
            yield lab

    def test_all_are_renewed_while_the_api_stays_up(self, lab, cli):
        before = {node.name: files(node) for node in lab.nodes}
        watch = Watch(lab)
        watch.start()
        done = cli.run("certs", "renew", "all", "--config", lab.cluster_yaml)
        watch.stop()
        assert "renewed on cp1, cp2, cp3" in done.out
        assert {name for _, silent in watch.away for name in silent} == {"cp1", "cp2", "cp3"}, "it looked"
        assert [silent for _, silent in watch.away if len(silent) > 1] == []
        for node in lab.nodes:
            after = files(node)
            renewed = {path for path in after if before[node.name][path] != after[path]}
            assert len(renewed) == 2 * 7 + (4 if node.name == "cp1" else 3)
        documents = checked(cli, lab.cluster_yaml)
        assert list(documents) == ["cp1", "cp2", "cp3"]
        for document in documents.values():
            assert document["restartNeeded"] == []
            assert {each["servesFile"] for each in document["served"]} <= {True, None}
        cli.run("verify", "--config", lab.cluster_yaml, "--level", "cluster", "--read-only")

    def test_one_by_name_is_renewed_on_one_host(self, lab, cli):
        before = {node.name: files(node) for node in lab.nodes}
        cli.run("certs", "renew", "etcd-peer", "--config", lab.cluster_yaml, "--host", "cp2")
        changed = {
            node.name: {path for path, digest in files(node).items() if before[node.name][path] != digest}
            for node in lab.nodes
        }
        assert changed == {
            "cp1": set(),
            "cp2": {f"{PKI}/etcd/peer.crt", f"{PKI}/etcd/peer.key"},
            "cp3": set(),
        }
        cli.run("verify", "--config", lab.cluster_yaml, "--level", "hosts", "--read-only")

    def test_it_comes_back_after_its_certificates_have_ended(self, lab, cli):
        comes_back_from_ended_certificates(cli, lab.cluster_yaml, lab.nodes, 420)


def test_nothing_can_be_renewed_that_is_not_there(cli, fleet):
    config = fleet.cluster(workers=1).config
    assert (
        "there is no certificate kubelet.conf"
        in cli.run("certs", "renew", "kubelet.conf", "--config", config, code=2).text
    )


def lay_down_an_ended_certificate(control_plane: Node, node: Node) -> None:
    """Give a kubelet what it has after a year without the cluster, and start it anew: it ends."""
    authority = x509.load_pem_x509_certificate(shell(control_plane, f"cat {PKI}/ca.crt").encode())
    key = serialization.load_pem_private_key(shell(control_plane, f"cat {PKI}/ca.key").encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    own = ec.generate_private_key(ec.SECP256R1())
    names = ((NameOID.ORGANIZATION_NAME, "system:nodes"), (NameOID.COMMON_NAME, f"system:node:{node.name}"))
    past = datetime.now(UTC) - timedelta(days=1)
    certificate = x509.CertificateBuilder(
        authority.subject,
        x509.Name([x509.NameAttribute(oid, value) for oid, value in names]),
        own.public_key(),
        x509.random_serial_number(),
        past - timedelta(days=365),
        past,
    ).sign(key, hashes.SHA256())
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    pem += own.private_bytes(serialization.Encoding.PEM, *plain)
    ended = "kubelet-client-2020-01-01-00-00-00.pem"
    script = f"""cd /var/lib/kubelet/pki; umask 077; cat >{ended}; ln -sfn {ended} kubelet-client-current.pem
systemctl restart kubelet.service
for turn in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
  sleep 1; if ! systemctl is-active --quiet kubelet.service; then exit 0; fi
done
exit 1"""
    shell(node, script, stdin=pem.decode())


def comes_back_from_ended_certificates(
    cli: Cli, config: Path, control_planes: tuple[Node, ...], seconds: int
) -> None:
    """Have all certificates end, in `seconds`, see that nothing works, and renew them."""
    documents = list(yaml.safe_load_all(config.read_text()))
    for document in documents:
        if document["kind"] == "ClusterConfiguration":
            document["certificateValidityPeriod"] = f"{seconds}s"
    short = config.with_name("short.yaml")
    short.write_text(yaml.safe_dump_all(documents, sort_keys=False))
    cli.run("certs", "renew", "all", "--config", short)
    listed = checked(cli, short, *(node.name for node in control_planes))
    left = [each["residualTime"] for host in listed.values() for each in host["certificates"]]
    assert max(left) <= seconds
    time.sleep(max(0, *left) + 5)
    for node in control_planes:
        asked = nodes.exec(node, ["kubectl", "--kubeconfig", ADMIN, "get", "nodes"], check=False)
        assert asked.returncode != 0, "an ended certificate is no login"
    for name, document in checked(cli, config, *(node.name for node in control_planes)).items():
        there = [each for each in document["certificates"] if not each["missing"]]
        assert [each["name"] for each in there if each["residualTime"] > 0] == [], name
        wire = {each["component"]: each["residualTime"] for each in document["served"]}
        assert wire["kube-apiserver"] < 0
        assert wire["etcd"] < 0
    assert "<invalid>" in cli.run("certs", "check-expiration", "--config", config, "--host", "cp1").out
    done = cli.run("certs", "renew", "all", "--config", config)
    assert f"renewed on {', '.join(node.name for node in control_planes)}" in done.out
    for document in checked(cli, config, *(node.name for node in control_planes)).values():
        there = [each for each in document["certificates"] if not each["missing"]]
        assert min(each["residualTime"] for each in there) > 300 * 86400
        assert document["restartNeeded"] == []
    witness = Cluster(config, control_planes[0], ())
    for name in witness.node_names():
        witness.kubectl("wait", "--for=condition=Ready", "--timeout=120s", f"node/{name}", timeout=150)
    cli.run("verify", "--config", config, "--level", "cluster")
