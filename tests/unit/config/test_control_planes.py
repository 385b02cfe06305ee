"""Files with several control planes."""

from pathlib import Path

from kubeadm_py.config.load import load

ACCEPTED = Path(__file__).parent / "cases" / "accepted"


def test_an_even_number_of_etcd_members_is_warned_of() -> None:
    loaded = load(str(ACCEPTED / "even_control_planes.yaml"))
    assert [node.name for node in loaded.cluster.control_planes] == ["cp1", "cp2"]
    [warning] = loaded.warnings
    assert warning.path == "spec.hosts[1].role"
    assert warning.message.startswith("2 etcd members survive the loss of no more members than 1 do")
