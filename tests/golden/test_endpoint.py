"""Compare what each kind of endpoint leads to with what is kept here: files, and who uses which server.

`KPY_UPDATE_GOLDENS=1` writes the kept files anew.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509

from kubeadm_py.cli.verbs import render

HERE = Path(__file__).parent / "endpoint"
KINDS = sorted(path.name for path in HERE.iterdir())
OWN = ("etc/kubernetes/haproxy", "etc/kubernetes/keepalived", "etc/kubernetes/manifests")


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def tree(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp(kind) / "out"
    render.run(
        config=str(HERE / kind / "config.yaml"),
        output=str(out),
        hosts=[],
        facts="",
        no_secrets=False,
        allow_unknown_fields=False,
    )
    return out


def own_files(tree: Path) -> dict[str, str]:
    """Return what the endpoint brings to each host, kubeadm's own static pods aside."""
    return {
        str(path.relative_to(tree / "hosts")): path.read_text()
        for folder in OWN
        for path in sorted((tree / "hosts").glob(f"*/{folder}/*"))
        if path.suffix != ".yaml" or path.stem in ("haproxy", "keepalived")
    }


def servers(tree: Path) -> dict[str, Any]:
    """Return who asks the API where, and the names that the API server's certificate has."""
    found: dict[str, Any] = {}
    for path in sorted((tree / "hosts" / "cp1" / "etc/kubernetes").glob("*.conf")):
        found[f"cp1 {path.name}"] = server_of(path.read_text())
    for item in yaml.load_all((tree / "objects.yaml").read_text(), yaml.CSafeLoader):
        data = item.get("data") or {}
        if "kubeconfig.conf" in data:
            found["kube-proxy"] = server_of(data["kubeconfig.conf"])
        if "ClusterConfiguration" in data:
            found["kubeadm-config"] = yaml.safe_load(data["ClusterConfiguration"])["controlPlaneEndpoint"]
        if "kubeconfig" in data:
            found["cluster-info"] = server_of(data["kubeconfig"])
    pem = (tree / "hosts" / "cp1" / "etc/kubernetes/pki/apiserver.crt").read_bytes()
    names = x509.load_pem_x509_certificate(pem).extensions
    sans = names.get_extension_for_class(x509.SubjectAlternativeName).value
    found["apiserver.crt"] = [
        *sans.get_values_for_type(x509.DNSName),
        *map(str, sans.get_values_for_type(x509.IPAddress)),
    ]
    return found


def server_of(kubeconfig: str) -> str:
    server: str = yaml.safe_load(kubeconfig)["clusters"][0]["cluster"]["server"]
    return server


def test_files_and_servers_are_the_kept_ones(kind: str, tree: Path) -> None:
    kept = HERE / kind
    found = {
        **own_files(tree),
        "servers.yaml": yaml.safe_dump(servers(tree), sort_keys=False, width=1 << 30),
    }
    if os.environ.get("KPY_UPDATE_GOLDENS"):
        for name, text in found.items():
            (kept / name).parent.mkdir(parents=True, exist_ok=True)
            (kept / name).write_text(text)
    wanted = {
        str(path.relative_to(kept)): path.read_text()
        for path in kept.rglob("*")
        if path.is_file() and path.name != "config.yaml"
    }
    assert found == wanted
