"""`logs` on hosts that exist in memory."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from kubeadm_py.cli.frame import Display
from kubeadm_py.cli.verbs import errand, logs
from kubeadm_py.errors import ExitCode, KubeadmPyError, UnreachableError, UsageError
from kubeadm_py.facts.collect import PROBE_MARKER
from kubeadm_py.transport.base import Result
from kubeadm_py.transport.fake import Call, FakeHost

SAVED = Path(__file__).parents[1] / "steps" / "prepare" / "cases" / "lab-bare.probe"
CONFIG = """\
apiVersion: kubeadm-py.io/v1alpha1
kind: Cluster
metadata: {name: demo}
spec:
  endpoint: {loadBalancer: node-local}
  hosts:
  - {name: cp1, role: control-plane, address: 192.0.2.11}
  - {name: cp2, role: control-plane, address: 192.0.2.12}
  - {name: w1, role: worker, address: 192.0.2.21}
"""


@pytest.fixture
def hosts(monkeypatch) -> dict[str, FakeHost]:
    """Three hosts by name; what a test puts into `said` is what a host has logged, by source."""
    made = {name: Logging(name) for name in ("cp1", "cp2", "w1", "")}
    monkeypatch.setattr(errand, "host_for", lambda node: made[node.name])
    return made


class Logging(FakeHost):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.said: dict[str, str] = {}
        self.answer("kubeadm_py_probe", self.look)

    def look(self, _: Call) -> Result:
        facts = PROBE_MARKER + SAVED.read_text().removeprefix(PROBE_MARKER).strip()
        lines = [facts, *(f"##kubeadm-py log {key} {encoded(text)}" for key, text in self.said.items())]
        lines += [f"##kubeadm-py known {key.split('_')[1]}" for key in self.said if "_" in key]
        return Result(0, "\n".join(lines).encode() + b"\n", b"")


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "cluster.yaml"
    path.write_text(CONFIG)
    return str(path)


def run(config: str, *names: str, component: str = "etcd", form: str = "text", **more) -> ExitCode:
    given = {"tail": 100, "previous": False, **more}
    return logs.run(Display(form), component, config, names, **given)


def test_each_line_says_its_host_where_there_are_several(hosts, config, capsys):
    hosts["cp1"].said = {"kube-system_etcd-cp1": "one\ntwo\n"}
    hosts["cp2"].said = {"kube-system_etcd-cp2": "three\n"}
    assert run(config) == ExitCode.DONE
    assert capsys.readouterr().out == "cp1 | one\ncp1 | two\ncp2 | three\n"


def test_of_one_host_the_lines_are_as_they_are(hosts, config, capsys):
    hosts["cp1"].said = {"kube-system_etcd-cp1": "one\n"}
    assert run(config, "cp1") == ExitCode.DONE
    assert capsys.readouterr().out == "one\n"
    assert hosts["cp2"].calls == []


def test_pods_of_one_name_are_told_apart(hosts, config, capsys):
    hosts["w1"].said = {"kube-system_coredns-a": "x\n", "kube-system_coredns-b": "y\n"}
    assert run(config, "w1", component="coredns") == ExitCode.DONE
    assert capsys.readouterr().out == "kube-system/coredns-a | x\nkube-system/coredns-b | y\n"


def test_as_json(hosts, config, capsys):
    hosts["cp1"].said = {"kube-system_etcd-cp1": "one\n"}
    assert run(config, form="json") == ExitCode.DONE
    assert json.loads(capsys.readouterr().out) == {
        "type": "log",
        "host": "cp1",
        "component": "etcd",
        "source": "kube-system/etcd-cp1",
        "line": "one",
    }


def test_who_is_not_reached_hides_nobody(hosts, config, capsys):
    hosts["cp1"].said = {"kube-system_etcd-cp1": "one\n"}

    def away(_: Call) -> Result:
        raise UnreachableError("no answer", host="cp2")

    hosts["cp2"].answer("kubeadm_py_probe", away)
    assert run(config) == ExitCode.UNREACHABLE
    out, err = capsys.readouterr()
    assert out == "cp1 | one\n"
    assert "cp2" in err


def test_a_unit_that_has_logged_nothing_is_no_silent_success(hosts, config):
    for host in hosts.values():
        host.said = {"kubelet": ""}
    with pytest.raises(KubeadmPyError, match="no kubelet has logged anything"):
        run(config, component="kubelet")


def test_where_nothing_was_logged_it_says_what_there_is(hosts, config):
    hosts["w1"].said = {}
    with pytest.raises(KubeadmPyError, match="no etcdd has logged anything on cp1, cp2, w1") as raised:
        run(config, component="etcdd")
    assert "kubelet, containerd" in str(raised.value.fix)


@pytest.mark.parametrize(
    ("component", "more", "says"),
    [
        ("a b", {}, "no component"),
        ("../etcd", {}, "no component"),
        ("etcd", {"tail": 0}, "from 1"),
        ("kubelet", {"previous": True}, "a service"),
    ],
)
def test_what_makes_no_sense_is_refused_before_any_host_is_asked(hosts, config, component, more, says):
    with pytest.raises(UsageError, match=says):
        run(config, component=component, **more)
    assert not any(host.calls for host in hosts.values())


def test_without_a_config_this_machine_is_asked(hosts, capsys):
    hosts[""].said = {"kubelet": "up\n"}
    assert run("", component="kubelet") == ExitCode.DONE
    assert capsys.readouterr().out == "up\n"
