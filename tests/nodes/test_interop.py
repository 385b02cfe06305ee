"""Both tools on each other's clusters: real kubeadm on one of ours, ours on one that real kubeadm made."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from lab import nodes
from lab.nodes import Lab
from lab.topology import Node

from kubeadm_py.addons import shape

from .cli import Cli
from .fleet import Cluster, Fleet
from .kubeadm import CGROUP_V1, CONFIG, Kubeadm, documents, kubeadm_on

NAMES = ("cp1", "cp2", "w1", "w2")
TYPED_HASH = "--discovery-token-ca-cert-hash"
KEY = re.compile(r"^[0-9a-f]{64}$", re.MULTILINE)
PLAN = (*("upgrade", "plan"), *CGROUP_V1)


@dataclass(frozen=True)
class Pair:
    """A cluster of two control planes and workers, and both tools beside it."""

    lab: Lab
    cli: Cli
    kubeadm: dict[str, Kubeadm]

    @property
    def config(self) -> Path:
        return self.lab.cluster_yaml

    @property
    def cluster(self) -> Cluster:
        workers = tuple(node for node in self.lab.nodes if node.role == "worker")
        return Cluster(self.config, self.lab.node("cp1"), workers)

    def ready(self, *names: str) -> None:
        """Wait until these nodes are Ready."""
        for name in names:
            self.cluster.kubectl("wait", "--for=create", "--timeout=60s", f"node/{name}")
            self.cluster.kubectl(
                "wait", "--for=condition=Ready", "--timeout=180s", f"node/{name}", timeout=200
            )

    def verify(self) -> None:
        done = self.cli.run("verify", "--config", self.config, "--level", "cluster", "--read-only")
        assert f"checks passed on {len(self.lab.nodes)} hosts" in done.out


def shell(node: Node, script: str, *, check: bool = True) -> str:
    return nodes.exec(node, ["sh", "-c", script], check=check).stdout


def tokens(listed: list[dict[str, object]]) -> dict[object, dict[str, object]]:
    """Return tokens by what they are, without what passes."""
    return {
        each["token"]: {name: each[name] for name in each if name != "creationTimestamp"} for each in listed
    }


def ends(document: dict[str, list[dict[str, object]]]) -> dict[object, tuple[object, ...]]:
    """Return what a check of certificates says of each, apart from the passing of time."""
    listed = document["certificates"] + document["certificateAuthorities"]
    names = ("expirationDate", "externallyManaged", "caName", "missing")
    return {each["name"]: tuple(each.get(name) for name in names) for each in listed}


@pytest.mark.cluster(control_plane=1, workers=1)
def test_kubeadm_reads_a_cluster_of_ours(cluster, cli):
    cli.run("token", "create", "--config", cluster.config, "--description", "ours", "--ttl", "10m")
    with kubeadm_on(cluster.control_plane) as (kubeadm,):
        theirs = tokens(kubeadm.json("token", "list"))
        ours = cli.run("token", "list", "--config", cluster.config, "-o", "json").out
        assert theirs == tokens(documents(ours))
        assert "ours" in kubeadm.run("token", "list").stdout
        (checked,) = kubeadm.json("certs", "check-expiration")
        host = ("--config", cluster.config, "--host", "cp1")
        own = json.loads(cli.run("certs", "check-expiration", *host, "-o", "json").out)
        assert ends(checked) == ends(own)
        assert not any(each[3] for each in ends(checked).values())
        version = yaml.safe_load(cluster.kubectl("version", "-o", "yaml"))["serverVersion"]["gitVersion"]
        planned = kubeadm.run(*PLAN, version)
    assert f"Cluster version: {version.removeprefix('v')}" in planned.stdout
    assert "health check" not in planned.stderr.lower()


@pytest.fixture(scope="module")
def lab(fleet: Fleet, cli: Cli) -> Iterator[Lab]:
    """Four nodes with runtime, kubelet and images on them, members of nothing."""
    with fleet.grown(*NAMES) as lab:
        fleet.let_in(*lab.nodes)
        cli.run("apply", "--config", lab.cluster_yaml)
        yield lab


@pytest.mark.long
class TestTheirsOnOurs:
    """One cluster, in this order: made by us, grown by kubeadm, renewed by it, and taken down by it."""

    @pytest.fixture(scope="class")
    @classmethod
    def pair(cls, lab: Lab, cli: Cli) -> Iterator[Pair]:
        away = ("remove", "cp2", "w2", "--config", lab.cluster_yaml, "--yes", "--keep-artifacts")
        cli.run(*away)
        with kubeadm_on(*lab.nodes) as found:
            yield Pair(lab, cli, {each.node.name: each for each in found})

    def test_kubeadm_joins_a_worker_and_a_control_plane(self, pair):
        config = ("--config", pair.config)
        key = KEY.search(pair.cli.run("init", "phase", "upload-certs", "--upload-certs", *config).out)
        printed = pair.cli.run(
            "token", "create", *config, "--print-join-command", "--certificate-key", key[0]
        )
        line = shlex.split(printed.out.splitlines()[-1])
        assert line[0] == "kubeadm"
        assert line[-3:] == ["--control-plane", "--certificate-key", key[0]]
        pair.kubeadm["w2"].run(*line[1:-3], *CGROUP_V1)
        pair.kubeadm["cp2"].run(*line[1:], *CGROUP_V1)
        pair.ready("w2", "cp2")
        status = pair.cli.run("etcd", "status", *config).out
        assert "cp1" in status
        assert "cp2" in status
        pair.verify()

    def test_ours_sees_nothing_to_do_on_what_kubeadm_joined(self, pair):
        joined = pair.cli.run("join", "--config", pair.config, "--host", "w2", "--host", "cp2")
        assert pair.cluster.node_names() == ["cp1", "cp2", "w1", "w2"]
        pair.verify()
        again = pair.cli.run("join", "--config", pair.config, "--host", "w2", "--host", "cp2")
        assert "nothing changed" in again.out, joined

    @pytest.mark.parametrize("name", ["cp1", "cp2"])
    def test_kubeadm_renews_and_ours_restarts(self, pair, name):
        kubeadm, host = pair.kubeadm[name], ("--config", pair.config, "--host", name)
        (before,) = kubeadm.json("certs", "check-expiration")
        said = kubeadm.run("certs", "renew", "all").stdout
        assert "certificate for serving the Kubernetes API renewed" in said
        (after,) = kubeadm.json("certs", "check-expiration")
        own = json.loads(pair.cli.run("certs", "check-expiration", *host, "-o", "json").out)
        assert ends(own) == ends(after)
        older, newer = (
            {each["name"]: each["expirationDate"] for each in checked["certificates"] if not each["missing"]}
            for checked in (before, after)
        )
        assert len(older) == (11 if name == "cp1" else 10), "who joined has no super-admin.conf"
        assert {each for each in older if older[each] >= newer[each]} == set()
        assert set(own["restartNeeded"]) >= {"kube-apiserver", "etcd"}
        pair.cli.run("certs", "renew", "all", "--if-ends-within", "0s", *host)
        own = json.loads(pair.cli.run("certs", "check-expiration", *host, "-o", "json").out)
        assert own["restartNeeded"] == []
        assert all(each["servesFile"] is not False for each in own["served"])
        pair.verify()

    def test_kubeadm_plans_an_upgrade_on_either(self, pair):
        for name in ("cp1", "cp2"):
            planned = pair.kubeadm[name].run(*PLAN, "v1.36.3", "--etcd-upgrade=false").stdout
            assert "Cluster version: 1.36.3" in planned

    def test_kubeadm_resets_all(self, pair):
        for name in ("w1", "w2", "cp2"):
            pair.kubeadm[name].run("reset", "--force")
        members = pair.cli.run("etcd", "status", "--config", pair.config, "-o", "json", code=None).out
        assert "cp2" not in members
        pair.kubeadm["cp1"].run("reset", "--force")
        for node in pair.lab.nodes:
            paths = "/etc/kubernetes/pki/* /etc/kubernetes/*.conf /var/lib/etcd/*"
            left = shell(node, f"ls -d {paths} 2>/dev/null", check=False)
            assert left.split() == []
        done = pair.cli.run("reset", "--config", pair.config, "--yes", "--keep-artifacts")
        assert "reset" in done.out


@pytest.mark.long
class TestOursOnTheirs:
    """One cluster, in this order: made by kubeadm, grown by us, looked at, renewed, and taken down."""

    @pytest.fixture(scope="class")
    @classmethod
    def pair(cls, lab: Lab, cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
        cli.run("reset", "--config", lab.cluster_yaml, "--yes", "--keep-artifacts")
        for node in lab.nodes:
            # Whoever prepared these hosts left no note for us.
            shell(node, "rm -rf /var/lib/kubeadm-py")
        with kubeadm_on(*lab.nodes) as found:
            pair = Pair(lab, cli, {each.node.name: each for each in found})
            first = pair.kubeadm["cp1"]
            first.bring_config(pair.config)
            first.run("init", "--config", CONFIG)
            pair.cluster.kubectl("apply", "-f", "-", stdin=addons(pair, tmp_path_factory.mktemp("render")))
            yield pair

    @pytest.fixture
    def ticket(self, pair: Pair) -> tuple[list[str], str]:
        """Return the words of kubeadm's join command, and a certificate key of its upload."""
        first = pair.kubeadm["cp1"]
        line = shlex.split(first.run("token", "create", "--print-join-command").stdout)
        key = KEY.search(first.run("init", "phase", "upload-certs", "--upload-certs").stdout)
        return line, key[0]

    def test_ours_joins_by_token_and_certificate_key(self, pair, ticket, tmp_path):
        line, key = ticket
        endpoint, token, digest = line[2], line[4], line[6]
        (tmp_path / "token").write_text(token)
        (tmp_path / "key").write_text(key)
        words = ("join", endpoint, "--token-file", tmp_path / "token", TYPED_HASH, digest, *CGROUP_V1)
        as_control_plane = ("--control-plane", "--certificate-key-file", tmp_path / "key")

        def host(name):
            return ("--host", f"{nodes.USER}@{pair.lab.node(name).address}")

        assert "w1 joined" in pair.cli.run(*words, *host("w1")).out
        assert "cp2 joined" in pair.cli.run(*words, *host("cp2"), *as_control_plane).out
        pair.ready("w1", "cp2")
        assert pair.cluster.node_names() == ["cp1", "cp2", "w1"]

    def test_ours_joins_by_a_cluster_document(self, pair):
        config = ("--config", pair.config)
        pair.cli.run("remove", "cp2", "w1", *config, "--yes", "--keep-artifacts")
        assert pair.cluster.node_names() == ["cp1"]
        joined = pair.cli.run("join", *config, "--host", "cp2", "--host", "w1", "--host", "w2")
        assert "cp2, w1, w2 joined" in joined.out
        pair.ready("cp2", "w1", "w2")
        pair.verify()
        assert "w1, w2 joined before" in pair.cli.run("join", *config, "--host", "w1", "--host", "w2").out

    def test_ours_makes_lists_and_deletes_tokens(self, pair):
        config, theirs = ("--config", pair.config), pair.kubeadm["cp1"]
        made = pair.cli.run("token", "create", *config, "--description", "ours", "--ttl", "0").out.strip()
        listed = documents(pair.cli.run("token", "list", *config, "-o", "json").out)
        assert tokens(listed) == tokens(theirs.json("token", "list"))
        assert made in tokens(listed)
        old = theirs.run("token", "create").stdout.strip()
        pair.cli.run("token", "delete", made, old.partition(".")[0], *config)
        left = tokens(theirs.json("token", "list"))
        assert not {made, old} & set(left)

    def test_ours_checks_and_renews(self, pair):
        for name in ("cp1", "cp2"):
            host = ("--config", pair.config, "--host", name)
            (theirs,) = pair.kubeadm[name].json("certs", "check-expiration")
            own = json.loads(pair.cli.run("certs", "check-expiration", *host, "-o", "json").out)
            assert ends(own) == ends(theirs)
        done = pair.cli.run("certs", "renew", "all", "--config", pair.config)
        assert "renewed on cp1, cp2" in done.out
        for name in ("cp1", "cp2"):
            host = ("--config", pair.config, "--host", name)
            (theirs,) = pair.kubeadm[name].json("certs", "check-expiration")
            own = json.loads(pair.cli.run("certs", "check-expiration", *host, "-o", "json").out)
            assert ends(own) == ends(theirs)
            assert own["restartNeeded"] == []
        pair.verify()

    def test_ours_signs_for_a_user(self, pair):
        conf = pair.cli.run(
            *("kubeconfig", "user", "--client-name", "jane", "--org", "dev", "--config", pair.config)
        ).out
        asked = "kubectl --kubeconfig /dev/stdin auth whoami -o yaml"
        told = nodes.exec(pair.lab.node("w1"), ["sh", "-c", asked], stdin=conf).stdout
        user = yaml.safe_load(told)["status"]["userInfo"]
        assert (user["username"], "dev" in user["groups"]) == ("jane", True)

    def test_ours_resets_what_kubeadm_made(self, pair):
        done = pair.cli.run("reset", "--config", pair.config, "--yes")
        assert "cp1, cp2, w1, w2 reset" in done.out
        for node in pair.lab.nodes:
            # Directories that packages make stay, emptied, as after kubeadm's own reset.
            left = shell(
                node, "find /etc/kubernetes /var/lib/etcd/* /var/lib/kubelet -type f 2>/dev/null", check=False
            )
            assert left.split() == [], node.name
            assert "KUBE-" not in shell(node, "iptables-save")
            assert shell(node, "ls -A /etc/cni/net.d 2>/dev/null || true") == ""


def addons(pair: Pair, folder: Path) -> str:
    """Return the objects of the config's add-ons, which kubeadm leaves to its users."""
    pair.cli.run("render", "--config", pair.config, "--output", folder / "rendered", "--no-secrets")
    objects = yaml.safe_load_all((folder / "rendered" / "objects.yaml").read_text())
    return yaml.safe_dump_all(
        [each for each in objects if each and shape.LABEL in each["metadata"].get("labels", {})]
    )
