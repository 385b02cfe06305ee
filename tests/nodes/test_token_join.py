"""Join with a token and no Cluster document; the ways in which that fails; real kubeadm with our token."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

import pytest
import yaml
from lab import nodes
from lab.topology import Node

from . import hostview
from .cli import Cli, Done
from .fleet import Cluster, Fleet
from .kubeadm import CGROUP_V1, kubeadm_on

pytestmark = pytest.mark.cluster(control_plane=1, workers=1)

NOBODYS_PORT, SILENT_PORT = 6444, 6445


@dataclass(frozen=True)
class Ticket:
    """What a join command holds."""

    endpoint: str
    token: str
    ca_hash: str

    @property
    def token_id(self) -> str:
        return self.token.partition(".")[0]


@pytest.fixture
def new_host(cluster: Cluster, fleet: Fleet) -> Node:
    """A prepared host that is a member of nothing; the operator reaches it as ~/.ssh/config says."""
    fleet.bare("w2")
    node = fleet.node("w2")
    fleet.let_in(node)
    return node


@pytest.fixture
def ticket(cluster: Cluster, cli: Cli) -> Ticket:
    done = cli.run("token", "create", "--config", cluster.config, "--print-join-command", "--ttl", "1h")
    ours, kubeadms = map(shlex.split, done.out.splitlines())
    assert ours[:2] == ["echo", kubeadms[4]]
    assert ours[3:8] == ["kubeadm-py", "join", cluster.endpoint, "--host", "USER@NEW-HOST"]
    assert ours[8:11] == ["--token-file", "-", "--discovery-token-ca-cert-hash"]
    assert kubeadms[:4] == ["kubeadm", "join", cluster.endpoint, "--token"]
    assert kubeadms[5] == "--discovery-token-ca-cert-hash"
    assert ours[11:] == kubeadms[6:]
    return Ticket(kubeadms[2], kubeadms[4], kubeadms[6])


def join(
    cli: Cli,
    node: Node,
    ticket: Ticket,
    *,
    endpoint: str = "",
    token: str = "",
    ca_hash: str = "",
    code: int = 0,
) -> Done:
    """Join as the printed line says, with one thing in it wrong."""
    words = (
        "join",
        endpoint or ticket.endpoint,
        "--host",
        f"{nodes.USER}@{node.address}",
        "--token-file",
        "-",
    )
    trust = ("--discovery-token-ca-cert-hash", ca_hash or ticket.ca_hash)
    return cli.run(*words, *trust, *CGROUP_V1, stdin=f"{token or ticket.token}\n", code=code)


def test_the_printed_line_joins_a_host(cluster, cli, new_host, ticket):
    done = join(cli, new_host, ticket)
    assert "w2 joined the cluster and is Ready" in done.out
    assert cluster.node_names() == ["cp1", "w1", "w2"]
    again = join(cli, new_host, ticket)
    assert "nothing changed" in again.out


def test_a_discovery_file_joins_a_host(cluster, cli, new_host, ticket, tmp_path):
    info = cluster.kubectl("get", "configmap", "cluster-info", "-n", "kube-public", "-o", "yaml")
    document = yaml.safe_load(yaml.safe_load(info)["data"]["kubeconfig"])
    document["users"] = [{"name": "joining", "user": {"token": ticket.token}}]
    document["contexts"] = [{"name": "join", "context": {"cluster": "", "user": "joining"}}]
    document["current-context"] = "join"
    file = tmp_path / "discovery.conf"
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    host = ("--host", f"{nodes.USER}@{new_host.address}")
    done = cli.run("join", "--discovery-file", str(file), *host, *CGROUP_V1)
    assert "w2 joined the cluster and is Ready" in done.out
    assert cluster.node_names() == ["cp1", "w1", "w2"]
    assert ticket.token.partition(".")[2] not in done.text


class TestRefusals:
    """Each has its own message, ends soon and leaves nothing behind."""

    def refused(self, cli, node, ticket, *, code=3, **wrong) -> str:
        before = hostview.look(node)
        done = join(cli, node, ticket, code=code, **wrong)
        assert hostview.difference(before, hostview.look(node)) == []
        assert ticket.token.partition(".")[2] not in done.text
        assert "→" in done.text, "it says what to do"
        return done.text

    # It takes the 20 s that a token's signature may be late, and the next test takes the same way.
    @pytest.mark.long
    def test_unknown_token(self, cli, new_host, ticket):
        text = self.refused(cli, new_host, ticket, token="aaaaaa.0123456789abcdef")
        assert "does not know a token with the id aaaaaa" in text
        assert "it has expired, was deleted, or belongs to another cluster" in text

    def test_expired_token(self, cluster, cli, new_host, ticket):
        created = cli.run("token", "create", "--config", cluster.config, "--ttl", "1s")
        token = created.out.strip()
        name = f"bootstrap-token-{token.partition('.')[0]}"
        gone = ("wait", "--for=delete", "--timeout=90s", "-n", "kube-system", f"secret/{name}")
        cluster.kubectl(*gone)
        text = self.refused(cli, new_host, ticket, token=token)
        assert f"does not know a token with the id {token.partition('.')[0]}" in text

    def test_wrong_secret(self, cli, new_host, ticket):
        text = self.refused(cli, new_host, ticket, token=f"{ticket.token_id}.0123456789abcdef")
        assert "the token's secret is wrong" in text

    def test_wrong_ca_hash(self, cli, new_host, ticket):
        text = self.refused(cli, new_host, ticket, ca_hash="sha256:" + "0" * 64)
        assert "is not the one of the given hash" in text
        assert f"found: {ticket.ca_hash}" in text

    def test_an_endpoint_without_tls(self, cluster, cli, new_host, ticket):
        endpoint = f"{cluster.control_plane.address}:22"
        assert "does not speak TLS" in self.refused(cli, new_host, ticket, endpoint=endpoint)

    def test_an_endpoint_that_is_no_api_server(self, cluster, cli, new_host, ticket):
        endpoint = f"{cluster.control_plane.address}:10250"
        text = self.refused(cli, new_host, ticket, endpoint=endpoint)
        assert "is not a Kubernetes API server" in text

    @pytest.mark.parametrize(
        ("port", "how"),
        [(NOBODYS_PORT, "the connection is refused"), (SILENT_PORT, "the connection times out")],
    )
    def test_an_endpoint_out_of_reach(self, port, how, cluster, cli, fleet, new_host, ticket, tmp_path):
        endpoint = f"{cluster.control_plane.address}:{port}"
        rule = ("OUTPUT", "-p", "tcp", "--dport", str(SILENT_PORT), "-j", "DROP")
        nodes.exec(new_host, ["iptables", "-I", *rule])
        try:
            before = hostview.look(new_host)
            done = cli.run(
                *("join", "--config", written(tmp_path, endpoint, ticket)),
                *("--host", f"{nodes.USER}@{new_host.address}", *CGROUP_V1),
                code=7,
                within=60,
            )
            assert hostview.difference(before, hostview.look(new_host)) == []
        finally:
            nodes.exec(new_host, ["iptables", "-D", *rule])
        assert f"{endpoint} cannot be reached from the joining host: {how}" in done.text


def written(folder, endpoint, ticket):
    """Write a JoinConfiguration whose discovery ends soon; by default it takes five minutes, as kubeadm's."""
    by_token = {"apiServerEndpoint": endpoint, "token": ticket.token, "caCertHashes": [ticket.ca_hash]}
    document = {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "JoinConfiguration",
        "discovery": {"bootstrapToken": by_token},
        "timeouts": {"discovery": "3s"},
    }
    path = folder / "join.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def test_tokens_are_listed_and_deleted(cluster, cli):
    config = ("--config", cluster.config)
    generated = cli.run("token", "generate").out.strip()
    assert generated not in cli.run("token", "list", *config).out
    cli.run("token", "create", generated, *config, "--description", "for the test")
    token_id = generated.partition(".")[0]
    listed = cli.run("token", "list", *config).out
    assert listed.split()[:3] == ["TOKEN", "TTL", "EXPIRES"]
    (row,) = (line for line in listed.splitlines() if token_id in line)
    assert "for the test" in row
    deleted = cli.run("token", "delete", token_id, *config)
    assert deleted.out == f'bootstrap token "{token_id}" deleted\n'
    assert token_id not in cli.run("token", "list", *config).out


def test_real_kubeadm_joins_with_our_token(cluster, cli, new_host, ticket):
    trust = ["--discovery-token-ca-cert-hash", ticket.ca_hash]
    with kubeadm_on(new_host) as (kubeadm,):
        try:
            kubeadm.run("join", ticket.endpoint, "--token", ticket.token, *trust, *CGROUP_V1)
            cluster.kubectl("wait", "--for=create", "--timeout=60s", "node/w2")
            cluster.kubectl("wait", "--for=condition=Ready", "--timeout=120s", "node/w2", timeout=150)
            cli.run("verify", "--config", cluster.config, "--level", "cluster", "--read-only")
        finally:
            kubeadm.run("reset", "--force", check=False)
            cluster.kubectl("delete", "node", "w2", "--ignore-not-found")
