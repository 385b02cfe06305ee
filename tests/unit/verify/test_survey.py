from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest

from kubeadm_py.verify import survey


@pytest.mark.parametrize("index", [0, 1])
def test_the_script_is_valid_shell_and_reads_no_key_but_to_compare(index, cluster):
    text = survey.script(cluster, cluster.nodes[index])
    assert subprocess.run(["sh", "-n"], input=text, text=True, check=False).returncode == 0
    assert ("etcdctl" in text) is (index == 0)
    for line in text.splitlines():
        assert not ("sed" in line and ".key" in line)


def test_etcd_is_asked_where_it_listens(cluster):
    node = cluster.nodes[0]
    assert "--endpoints=https://127.0.0.1:2379 " in survey.script(cluster, node)
    ipv6 = replace(node, advertise_address="fd00::1")
    assert "'--endpoints=https://[::1]:2379' " in survey.script(cluster, ipv6)


def test_what_is_printed_is_read():
    found = survey.parse(
        "noise\nclock\t12.5\nunit\ta.service\tactive\tenabled\nfile\t/etc/x y\t600\troot:root\n"
        "listen\t127.0.0.1:10257\nlisten\t[::1]:10257\nlisten\t*:6443\nlisten\t127.0.0.53%lo:53\nlisten\tLocal\n"
        "sysctl\tnet.ipv4.ip_forward\t1\npem\t/a.crt\tYWJj\npem\t/b.crt\t***\nmismatch\t/a.crt\twhy\n"
        "etcd\thealth\t1\tsaid\ncomplete\n"
        "address\t10.0.0.1\nhosts\t127.0.0.1 api # ours\nendpoint\t1\trefused\n"
    )
    assert found.clock == 12.5
    assert found.units["a.service"] == survey.UnitState("active", "enabled")
    assert found.files["/etc/x y"] == survey.FileState(0o600, "root:root")
    assert found.listeners == {10257: ["127.0.0.1", "[::1]"], 6443: ["*"], 53: ["127.0.0.53%lo"]}
    assert (found.open_to_network(10257), found.open_to_network(6443), found.open_to_network(1)) == (
        [],
        ["*"],
        [],
    )
    assert found.certificates == {"/a.crt": b"abc", "/b.crt": b""}
    assert found.mismatched_keys == {"/a.crt": "why"}
    assert found.etcd["health"] == survey.Answer(1, "said")
    assert (found.addresses, found.hosts_lines) == ({"10.0.0.1"}, ["127.0.0.1 api # ours"])
    assert found.endpoint == survey.Answer(1, "refused")
    assert found.complete
    assert not survey.parse("unit\tcut").complete
