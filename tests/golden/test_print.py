"""Compare `config print` with what real kubeadm 1.36.3 prints (tests/golden/print)."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubeadm_py.cli.verbs import config
from kubeadm_py.config.load import from_init_flags
from kubeadm_py.errors import UsageError
from kubeadm_py.model.versions import DEFAULT_VERSION
from kubeadm_py.render import default_documents

PRINTED = Path(__file__).parent / "print"
OURS = {
    "unix:///var/run/containerd/containerd.sock": "unix:///run/containerd/containerd.sock",
    "kubernetesVersion: 1.36.0": f"kubernetesVersion: {DEFAULT_VERSION}",
    "name: vm\n": "name: node\n",
}
"""What kubeadm prints of the machine and of its own build, and what stands there with us."""


@pytest.mark.parametrize(
    ("name", "documents"),
    [
        ("init", default_documents.init_defaults(from_init_flags())),
        (
            "init-components",
            default_documents.init_defaults(from_init_flags(), default_documents.COMPONENTS),
        ),
        ("join", default_documents.join_defaults()),
        ("reset", default_documents.reset_defaults()),
        ("upgrade", default_documents.upgrade_defaults()),
    ],
)
def test_prints_kubeadms_bytes_but_for_our_values(
    name: str, documents: list[default_documents.Document], capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = (PRINTED / f"{name}.yaml").read_text()
    for theirs, ours in OURS.items():
        wanted = wanted.replace(theirs, ours)
    config.print_defaults(documents)
    assert capsys.readouterr().out == wanted


def test_only_component_configs_that_there_are() -> None:
    assert config.components(["KubeletConfiguration"]) == ["KubeletConfiguration"]
    with pytest.raises(UsageError, match="Foo"):
        config.components(["Foo"])
