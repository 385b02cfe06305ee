"""What `config images list` adds to kubeadm's list."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubeadm_py.cli.verbs import config

CONFIG = """\
apiVersion: kubeadm-py.io/v1alpha1
kind: Cluster
metadata: {{name: demo}}
spec:
  hosts:
  - {{name: cp1, role: control-plane, address: 192.0.2.11}}
  - {{name: w1, role: worker, address: 192.0.2.21}}
  - {{name: w2, role: worker, address: 192.0.2.22}}
  endpoint: {endpoint}
"""


@pytest.mark.parametrize(
    ("endpoint", "added"),
    [
        ("{}", []),
        ("{loadBalancer: node-local}", ["haproxy"]),
        ("{loadBalancer: vip, vip: 192.0.2.100}", ["keepalived"]),
        ("{loadBalancer: vip, vip: 192.0.2.100, port: 8443}", ["haproxy", "keepalived"]),
    ],
)
def test_the_endpoints_images_are_listed(
    endpoint: str, added: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text(CONFIG.format(endpoint=endpoint))
    config.images_list(str(file), output="text", flags={})
    listed = capsys.readouterr().out.splitlines()
    names = [image.rpartition("/")[2].partition(":")[0] for image in listed]
    assert [name for name in names if name in ("haproxy", "keepalived")] == added
    assert len(set(listed)) == len(listed)
