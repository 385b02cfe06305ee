"""An external CA from end to end: its key is with the operator alone, who signs what each host needs."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.topology import Node

from .cli import Cli
from .fleet import Cluster
from .openssl import AUTHORITIES, Authorities
from .test_certs import PKI, checked, containers, files, on_the_wire, shell

pytestmark = pytest.mark.long


class Signer(threading.Thread):
    """The operator who signs for kubelets: what the cluster approves, the operator's CA signs."""

    def __init__(self, cluster: Cluster, authorities: Authorities, folder: Path) -> None:
        super().__init__(daemon=True)
        self._cluster, self._authorities, self._folder = cluster, authorities, folder
        self._over = threading.Event()
        self.signed: list[str] = []

    def run(self) -> None:
        while not self._over.wait(0.5):
            listed = json.loads(self._cluster.kubectl("get", "csr", "-o", "json"))["items"]
            for item in listed:
                approved = any(each["type"] == "Approved" for each in item["status"].get("conditions", ()))
                if approved and "certificate" not in item["status"]:
                    self._sign(item)

    def stop(self) -> None:
        self._over.set()
        self.join()

    def _sign(self, item: dict) -> None:
        name = item["metadata"]["name"]
        request = self._folder / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}.csr"
        request.write_bytes(base64.b64decode(item["spec"]["request"]))
        item["status"]["certificate"] = base64.b64encode(self._authorities.sign(request)).decode()
        path = f"/apis/certificates.k8s.io/v1/certificatesigningrequests/{name}/status"
        self._cluster.kubectl("replace", "--raw", path, "-f", "-", stdin=json.dumps(item))
        self.signed.append(name)


def bring(node: Node, content: Iterator[tuple[str, bytes]]) -> None:
    """Put an operator's files below /etc/kubernetes."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for path, data in content:
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(data), 0o644 if path.endswith(".crt") else 0o600
            entry.mtime = int(time.time())
            tar.addfile(entry, io.BytesIO(data))
    shell(node, "mkdir -p /etc/kubernetes")
    words = ["docker", "exec", "--interactive", node.container, "tar", "-C", "/etc/kubernetes", "-xf", "-"]
    subprocess.run(words, input=packed.getvalue(), check=True)


def test_an_external_ca_from_requests_to_joins(cli, fleet, tmp_path):
    authorities = Authorities(tmp_path / "ca")
    with fleet.grown("cp1", "cp2", "w1") as lab:
        config, cluster = lab.cluster_yaml, Cluster(lab.cluster_yaml, lab.node("cp1"), (lab.node("w1"),))
        try:
            comes_up_with(cluster, cli, authorities, tmp_path)
            signer = Signer(cluster, authorities, tmp_path)
            signer.start()
            try:
                worker = cli.run("join", "--config", config, "--host", "w1")
                bring(lab.node("cp2"), signed(cli, config, authorities, tmp_path, "cp2"))
                cli.run("join", "--config", config, "--host", "cp2")
            finally:
                signer.stop()
            assert "the CA's key is not in the cluster" in worker.text
            assert signer.signed
            for name in ("cp2", "w1"):
                cluster.kubectl(
                    "wait", "--for=condition=Ready", "--timeout=120s", f"node/{name}", timeout=150
                )
            for node in lab.nodes:
                keys = shell(node, f"find {PKI} -name ca.key -o -name front-proxy-ca.key").split()
                assert keys == [], f"{node.name}: no authority's key is on any host"
            cli.run("verify", "--config", config, "--level", "cluster", "--read-only")
            taken_into_use_once_it_is_signed_anew(cluster, cli, authorities, tmp_path)
            refused = cli.run("kubeconfig", "user", "--client-name", "jane", "--config", config, code=1)
            assert f"{PKI}/ca.key is not there: an external CA has to sign" in refused.text
            cli.run("reset", "--config", config, "--yes", "--keep-artifacts")
            left = shell(lab.node("cp1"), f"ls {PKI}").split()
            assert "ca.crt" in left, "what the operator brought stays"
        finally:
            cli.run("reset", "--config", config, "--yes", "--keep-artifacts")
            for node in lab.nodes:
                shell(node, "rm -rf /etc/kubernetes/pki /etc/kubernetes/*.conf")


def comes_up_with(cluster: Cluster, cli: Cli, authorities: Authorities, folder: Path) -> None:
    """Bring up cp1 with an external CA, after a try without what that CA has to sign."""
    config, cp1 = cluster.config, cluster.control_plane
    bring(cp1, ((f"pki/{name}.crt", authorities.certificate(name)) for name in AUTHORITIES))
    refused = cli.run("init", "--config", config, code=3).text
    for name in ("apiserver", "front-proxy-client", "etcd/server"):
        assert f"{PKI}/{name}.crt" in refused
    assert "/etc/kubernetes/controller-manager.conf" in refused
    assert shell(cp1, "ls /etc/kubernetes").split() == ["pki"]
    bring(cp1, signed(cli, config, authorities, folder, "cp1"))
    cli.run("init", "--config", config)
    document = checked(cli, config, "cp1")["cp1"]
    assert {each["externallyManaged"] for each in document["certificates"]} == {True}
    assert {each["externallyManaged"] for each in document["certificateAuthorities"]} == {True}
    before = files(cp1)
    assert "external CA" in cli.run("certs", "renew", "all", "--config", config, "--host", "cp1", code=1).text
    assert files(cp1) == before
    assert "nothing changed" in cli.run("init", "--config", config).out


def taken_into_use_once_it_is_signed_anew(
    cluster: Cluster, cli: Cli, authorities: Authorities, folder: Path
) -> None:
    """Renew as the operator of an external CA does: sign, bring, and have what uses it restarted."""
    config, cp1 = cluster.config, cluster.control_plane
    request = folder / "cp1" / "pki" / "apiserver.csr"
    certificate = authorities.sign(request, usages="serverAuth", days=90)
    bring(cp1, iter([("pki/apiserver.crt", certificate)]))
    assert checked(cli, config, "cp1")["cp1"]["restartNeeded"] == ["kube-apiserver"]
    ran = containers(cp1)
    done = cli.run("certs", "renew", "all", "--config", config, "--host", "cp1")
    assert "restarted what ran with older certificates" in done.text
    runs = containers(cp1)
    assert runs["kube-apiserver"] != ran["kube-apiserver"]
    assert runs["etcd"] == ran["etcd"]
    document = checked(cli, config, "cp1")["cp1"]
    assert document["restartNeeded"] == []
    (served,) = (each for each in document["served"] if each["port"] == 6443)
    assert (served["servesFile"], served["residualTime"] < 91 * 86400) == (True, True)
    assert served["serialNumber"] == on_the_wire(cp1, 6443)


def test_an_authority_of_ones_own_beside_an_external_one(cli, fleet, tmp_path):
    """The root comes with its key, front-proxy's without, etcd's is made here."""
    authorities = Authorities(tmp_path / "ca")
    with fleet.grown("cp1", "w1") as lab:
        config, cluster = lab.cluster_yaml, Cluster(lab.cluster_yaml, lab.node("cp1"), (lab.node("w1"),))
        cp1 = cluster.control_plane
        brought = {
            "pki/ca.crt": authorities.certificate("ca"),
            "pki/ca.key": (authorities.folder / "ca.key").read_bytes(),
            "pki/front-proxy-ca.crt": authorities.certificate("front-proxy-ca"),
        }
        try:
            bring(cp1, iter(brought.items()))
            refused = cli.run("init", "--config", config, code=3).text
            assert f"{PKI}/front-proxy-client.crt" in refused
            assert f"{PKI}/apiserver.crt" not in refused
            asked = dict(signed(cli, config, authorities, tmp_path, "cp1"))
            own = [f"pki/front-proxy-client.{half}" for half in ("key", "crt")]
            bring(cp1, ((path, asked[path]) for path in own))
            cli.run("init", "--config", config)
            cli.run("join", "--config", config, "--host", "w1")
            cli.run("verify", "--config", config, "--level", "cluster", "--read-only")
            for path, content in brought.items():
                assert shell(cp1, f"cat /etc/kubernetes/{path}").encode() == content, path
            assert shell(cp1, f"ls {PKI}/front-proxy-ca.key 2>/dev/null || true") == ""
            document = checked(cli, config, "cp1")["cp1"]
            external = {each["name"] for each in document["certificates"] if each["externallyManaged"]}
            assert external == {"front-proxy-client"}
            before = files(cp1)
            done = cli.run("certs", "renew", "all", "--config", config)
            assert "signed by an external CA, and so not renewed: front-proxy-client" in done.text
            after = files(cp1)
            kept = {path for path in after if after[path] == before[path]}
            assert f"{PKI}/front-proxy-client.crt" in kept
            assert f"{PKI}/apiserver.crt" not in kept
            cli.run("verify", "--config", config, "--level", "cluster", "--read-only")
        finally:
            cli.run("reset", "--config", config, "--yes", "--keep-artifacts")
            shell(cp1, f"rm -rf {PKI}")


def signed(
    cli: Cli, config: Path, authorities: Authorities, folder: Path, name: str
) -> Iterator[tuple[str, bytes]]:
    """Have requests made for a host, and all of them signed."""
    pki, kubeconfigs = folder / name / "pki", folder / name
    folders = ("--cert-dir", pki, "--kubeconfig-dir", kubeconfigs)
    cli.run("certs", "generate-csr", "--config", config, "--host", name, *folders)
    return authorities.complete(pki, kubeconfigs)
