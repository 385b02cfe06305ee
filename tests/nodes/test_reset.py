"""Reset: a host is afterwards what it was before, and nothing of anybody else's is gone."""

from __future__ import annotations

import pytest
from lab import nodes

from . import hostview

FOREIGN = {
    "/etc/kubernetes/theirs.conf": "not ours",
    "/etc/cni/net.d/99-theirs.conflist.off": "theirs",
    "/var/lib/theirs/data": "data",
}


@pytest.mark.cluster(control_plane=1, workers=1)
def test_a_joined_and_reset_worker_is_as_before(cluster, cli, fleet):
    fleet.bare("w2")
    node = nodes.fresh(fleet.node("w2"))
    before = hostview.look(node)
    hosts = ("--config", cluster.config, "--host", "w2")
    cli.run("join", *hosts)
    for path, text in FOREIGN.items():
        nodes.exec(node, ["sh", "-c", f'mkdir -p "$(dirname {path})" && cat >{path}'], stdin=text)

    done = cli.run("reset", *hosts, "--yes")
    assert "w2 reset" in done.out
    # Foreign files stay, in directories that we made too.
    for path, text in FOREIGN.items():
        assert nodes.exec(node, ["cat", path]).stdout == text
    nodes.exec(node, ["rm", *FOREIGN])
    folders = {path.rpartition("/")[0] for path in FOREIGN}
    nodes.exec(node, ["rmdir", "-p", "--ignore-fail-on-non-empty", *folders])
    assert hostview.difference(before, hostview.look(node)) == []
    assert cluster.node_names() == ["cp1", "w1"]

    again = cli.run("reset", *hosts, "--yes")
    assert "nothing that kubeadm-py or kubeadm made is there" in again.out
    assert hostview.difference(before, hostview.look(node)) == []


@pytest.mark.cluster(control_plane=1, workers=1)
def test_without_anybody_to_ask_it_refuses(cluster, cli):
    done = cli.run("reset", "--config", cluster.config, "--host", "w1", code=2)
    assert "--yes" in done.err
    dry = cli.run("reset", "--config", cluster.config, "--host", "w1", "--dry-run")
    assert "nothing was removed" in dry.out
    assert cluster.node_names() == ["cp1", "w1"]
    cli.run("verify", "--config", cluster.config, "--level", "hosts", "--read-only", code=6)
