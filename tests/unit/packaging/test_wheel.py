"""Build the wheel, install it beside nothing of ours, and use it away from the checkout."""

from __future__ import annotations

import email
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DATA = ("templates", "pki", "addons")
SHIPPED_BESIDE_CODE = {
    "kubeadm_py/engine/guard.sh",
    "kubeadm_py/engine/runtime.sh",
    "kubeadm_py/facts/probe.sh",
    "kubeadm_py/steps/kube_proxy/rules.sh",
    "kubeadm_py/verify/suite/test_hosts.py",
    "kubeadm_py/py.typed",
}
CLUSTER = """\
apiVersion: kubeadm-py.io/v1alpha1
kind: Cluster
metadata: {name: demo}
spec:
  hosts:
  - {name: cp1, role: control-plane, address: 192.0.2.11}
  - {name: w1, role: worker, address: 192.0.2.21}
  artifacts: {source: official}
  addons: [flannel, local-path-storage]
"""


def run(*command: object, cwd: Path, env: dict[str, str] | None = None) -> str:
    ended = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT, cwd=out)
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("installed")
    options = ["--no-deps", "--no-index", "--no-compile", "--disable-pip-version-check", "--quiet"]
    run(sys.executable, "-m", "pip", "install", *options, "--target", target, wheel, cwd=target)
    return target


def tree(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder by name."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def environment(target: Path, home: Path) -> dict[str, str]:
    # PYTHONPATH comes before site-packages, where the checkout itself may be installed.
    return {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(target), "LANG": "C.UTF-8"}


@pytest.mark.parametrize("name", DATA)
def test_the_data_is_the_checkouts(installed: Path, name: str) -> None:
    wanted = tree(ROOT / name)
    assert wanted
    assert tree(installed / "kubeadm_py" / "_data" / name) == wanted


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    package = {f"kubeadm_py/{name}" for name in tree(ROOT / "kubeadm_py") if not name.startswith("_data")}
    assert package >= SHIPPED_BESIDE_CODE
    shipped = {name for name in names if not name.startswith("kubeadm_py/_data/")}
    assert {name for name in shipped if ".dist-info/" not in name} == package
    assert not [name for name in names if name.startswith("tests/") or "__pycache__" in name]


def test_what_the_wheel_says_of_itself(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    metadata = email.message_from_bytes(archive.read(name))
    assert metadata["Name"] == "kubeadm-py"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    required = {line.partition(">")[0].partition("<")[0] for line in metadata.get_all("Requires-Dist")}
    assert {"fabric", "paramiko", "jinja2", "cryptography", "pyyaml", "typer", "pydantic", "rich"} <= required
    (licence,) = [name for name in archive.namelist() if name.endswith("/LICENSE")]
    assert archive.read(licence) == (ROOT / "LICENSE").read_bytes()


def test_it_reads_its_own_data_away_from_the_checkout(installed: Path, tmp_path: Path) -> None:
    code = "import kubeadm_py.assets as a; print(a.__file__); print(a.folder('templates'))"
    module, templates = run(
        sys.executable, "-c", code, cwd=tmp_path, env=environment(installed, tmp_path)
    ).split()
    assert Path(module).is_relative_to(installed)
    assert Path(templates) == installed / "kubeadm_py" / "_data" / "templates"


def test_the_console_script_renders_what_the_checkout_renders(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "cluster.yaml").write_text(CLUSTER)
    env = environment(installed, tmp_path)
    options = ["render", "--config", "cluster.yaml", "--no-secrets", "--output"]
    run(installed / "bin" / "kubeadm-py", *options, "wheel", cwd=tmp_path, env=env)
    live = {**env, "PYTHONPATH": str(ROOT)}
    run(sys.executable, "-m", "kubeadm_py", *options, "checkout", cwd=tmp_path, env=live)
    rendered = tree(tmp_path / "wheel")
    assert "hosts/w1/etc/containerd/config.toml" in rendered
    assert rendered == tree(tmp_path / "checkout")
