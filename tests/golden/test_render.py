"""Compare the tree that `kubeadm-py render` writes with what real kubeadm wrote for the same config."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from oracle.words import read_certificate, read_kubeconfig

from kubeadm_py.cli.verbs import render
from kubeadm_py.model import owned
from kubeadm_py.pki.keys import PrivateKey
from kubeadm_py.pki.stock import KeyStock
from kubeadm_py.pki.table import table

HERE = Path(__file__).parent
CASES = ["stacked", "external-etcd"]
SECRETS = ["user:password", base64.b64encode(b"0123456789abcdef").decode()]
"""What the config of the whole cluster holds: a proxy's password, and a token as its Secret has it."""


def run(config: Path, output: Path, **options: Any) -> Path:
    chosen = {"hosts": [], "facts": "", "no_secrets": False, "allow_unknown_fields": False, **options}
    render.run(config=str(config), output=str(output), **chosen)
    return output


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def oracle(case: str) -> Path:
    return HERE / "kubeadm" / case


@pytest.fixture(scope="module")
def tree(oracle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the rendered tree of a case; real keys are made, so once is enough."""
    return run(oracle / "config.yaml", tmp_path_factory.mktemp("rendered") / "out")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the rendered tree of a cluster with a worker."""
    return run(HERE / "render" / "cluster" / "config.yaml", tmp_path_factory.mktemp("whole") / "out")


def listed(path: Path) -> dict[str, str]:
    """Read lines of mode, owner and path."""
    lines = (line.split() for line in path.read_text().splitlines())
    return {name: f"{mode} {owner}" for mode, owner, name in lines}


def on_disk(host: Path) -> dict[str, str]:
    """List a rendered host's files with the modes that they have here."""
    return {
        f"/{path.relative_to(host)}": f"{stat.S_IMODE(path.stat().st_mode):o}"
        for path in sorted(host.rglob("*"))
        if path.is_file()
    }


def test_the_same_files_with_the_same_modes_but_for_the_wanted_differences(tree: Path, oracle: Path) -> None:
    theirs, ours = listed(oracle / "modes.txt"), listed(tree / "hosts" / "cp1.modes.txt")
    found = {path: mode for path, mode in ours.items() if theirs.get(path) != mode}
    wanted = yaml.safe_load((HERE / "render" / "differences.yaml").read_text())
    unexplained = dict(found)
    for entry in wanted:
        assert len(entry["reason"]) > 20
        explained = [
            path for path, mode in found.items() if path.startswith(entry["path"]) and mode == entry["ours"]
        ]
        assert explained, f"{entry['path']} is listed and does not occur"
        for path in explained:
            unexplained.pop(path)
    assert unexplained == {}
    assert theirs.keys() - ours.keys() == set()


def test_the_files_on_disk_are_the_listed_ones(tree: Path) -> None:
    stated = {path: mode.split()[0] for path, mode in listed(tree / "hosts" / "cp1.modes.txt").items()}
    assert on_disk(tree / "hosts" / "cp1") == stated


def test_manifests_and_kubelet_files_are_kubeadms(tree: Path, oracle: Path) -> None:
    """What differs by intent is in tests/golden/kubeadm/differences.yaml and not looked at here."""
    manifests = sorted((oracle / "files" / "etc/kubernetes/manifests").iterdir())
    assert manifests
    for path in manifests:
        ours = tree / "hosts/cp1/etc/kubernetes/manifests" / path.name
        assert ours.read_bytes() == path.read_bytes(), path.name


def test_certificates_mean_the_same(tree: Path, oracle: Path) -> None:
    host = tree / "hosts" / "cp1"
    ours = {
        f"/{path.relative_to(host)}": read_certificate(path.read_bytes())
        for path in sorted(host.rglob("*.crt"))
    }
    assert ours == json.loads((oracle / "certificates.json").read_text())


def test_kubeconfigs_mean_the_same(tree: Path, oracle: Path) -> None:
    host = tree / "hosts" / "cp1"
    ca = (host / "etc/kubernetes/pki/ca.crt").read_bytes()
    ours = {
        f"/etc/kubernetes/{path.name}": read_kubeconfig(path.read_bytes(), ca)
        for path in sorted((host / "etc/kubernetes").glob("*.conf"))
    }
    assert ours == json.loads((oracle / "kubeconfigs.json").read_text())


def read_objects(path: Path) -> list[dict[str, Any]]:
    return list(yaml.load_all(path.read_text(), yaml.CSafeLoader))


def test_objects_come_in_kubeadms_order(tree: Path, oracle: Path) -> None:
    theirs = [identity(item) for item in read_objects(oracle / "objects.yaml")]
    ours = [identity(item) for item in read_objects(tree / "objects.yaml")]
    assert ours == ["ClusterRoleBinding kubeadm:cluster-admins", *theirs]


def identity(item: dict[str, Any]) -> str:
    metadata = item["metadata"]
    return f"{item['kind']} {metadata.get('namespace', '')}/{metadata['name']}".replace(" /", " ")


def test_cluster_info_carries_the_rendered_ca(tree: Path) -> None:
    documents = read_objects(tree / "objects.yaml")
    (info,) = [item for item in documents if identity(item) == "ConfigMap kube-public/cluster-info"]
    (cluster,) = yaml.safe_load(info["data"]["kubeconfig"])["clusters"]
    ca = (tree / "hosts/cp1/etc/kubernetes/pki/ca.crt").read_bytes()
    assert base64.b64decode(cluster["cluster"]["certificate-authority-data"]) == ca


def test_nobody_else_may_look(tree: Path) -> None:
    assert stat.S_IMODE(tree.stat().st_mode) == 0o700
    assert stat.S_IMODE((tree / "objects.yaml").stat().st_mode) == 0o600


@pytest.mark.parametrize("host", ["cp1", "w1"])
def test_a_whole_cluster_has_these_files(whole: Path, host: str) -> None:
    wanted = (HERE / "render" / "cluster" / f"{host}.modes.txt").read_text()
    assert (whole / "hosts" / f"{host}.modes.txt").read_text() == wanted


def test_a_worker_gets_the_cluster_as_it_will_find_it(whole: Path) -> None:
    worker, first = whole / "hosts/w1", whole / "hosts/cp1"
    authority = "etc/kubernetes/pki/ca.crt"
    assert (worker / authority).read_bytes() == (first / authority).read_bytes()
    own = "var/lib/kubelet/config.yaml"
    assert (worker / own).read_bytes() == (first / own).read_bytes()
    flags = (worker / "var/lib/kubelet/kubeadm-flags.env").read_text()
    assert "--register-with-taints=dedicated=batch:NoSchedule" in flags
    assert "--node-ip=10.99.0.21" in flags
    placeholder = (worker / "etc/kubernetes/bootstrap-kubelet.conf").read_text()
    assert placeholder == "# Known only when the host joins: kubeconfig bootstrap-kubelet.conf\n"


def test_without_secrets_no_key_and_no_password_is_anywhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = HERE / "render" / "cluster" / "config.yaml"
    out = run(config, tmp_path / "out", no_secrets=True)
    files = {path: path.read_text() for path in out.rglob("*") if path.is_file()}
    for needle in (*SECRETS, "PRIVATE KEY", "CERTIFICATE", "client-key-data"):
        assert [path for path, text in files.items() if needle in text] == [], needle
    assert not list(out.rglob("*.crt")) + list(out.rglob("*.key"))
    text = (out / "objects.yaml").read_text()
    assert "# Left out, for it needs a key: ConfigMap: kube-public/cluster-info" in text
    assert "left out: " in capsys.readouterr().out


def test_with_secrets_each_of_them_is_somewhere(whole: Path) -> None:
    texts = [path.read_text() for path in whole.rglob("*") if path.is_file()]
    for secret in SECRETS:
        assert any(secret in text for text in texts), secret


ANSWERS = HERE.parent / "unit" / "facts" / "answers"


def render_with(answer: str, tmp_path: Path, **options: Any) -> Path:
    config = HERE / "render" / "cluster" / "config.yaml"
    out = run(config, tmp_path / "out", hosts=["cp1"], facts=str(ANSWERS / answer), **options)
    return out / "hosts" / "cp1"


@pytest.mark.parametrize("answer", sorted(path.name for path in ANSWERS.iterdir()))
def test_every_saved_answer_leads_to_the_files_of_a_control_plane(answer: str, tmp_path: Path) -> None:
    """What a cluster brought there before counts for nothing: the tree is that of a new one."""
    host = render_with(answer, tmp_path, no_secrets=True)
    wanted = listed(HERE / "render" / "cluster" / "cp1.modes.txt")
    below = ("/etc/kubernetes/manifests/", "/var/lib/kubelet/", "/var/lib/kubeadm-py/applied/")
    made = {path for path in wanted if path.startswith(below)}
    assert made - on_disk(host).keys() == {"/var/lib/kubeadm-py/applied/ca"}, "it is the digest of the CA"


@pytest.mark.parametrize(
    ("answer", "path", "said"),
    [
        (
            "ubuntu-24.04-systemd-resolved.txt",
            "var/lib/kubelet/config.yaml",
            "resolvConf: /run/systemd/resolve/resolv.conf",
        ),
        (
            "rocky-9-selinux-firewalld.txt",
            "usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf",
            "EnvironmentFile=-/etc/sysconfig/kubelet",
        ),
    ],
)
def test_files_fit_the_distribution(answer: str, path: str, said: str, tmp_path: Path) -> None:
    assert said in (render_with(answer, tmp_path, no_secrets=True) / path).read_text()


def test_a_node_of_a_running_cluster_gets_fresh_authorities_and_is_not_asked(tmp_path: Path) -> None:
    host = render_with("running-control-plane.txt", tmp_path)
    wanted = listed(HERE / "render" / "cluster" / "cp1.modes.txt")
    assert {path for path in wanted if "/pki/" in path} <= on_disk(host).keys()


HA = """apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
controlPlaneEndpoint: api.example.org:6443
encryptionAlgorithm: ECDSA-P256
---
apiVersion: kubeadm-py.io/v1alpha1
kind: Cluster
metadata: {name: demo}
spec:
  hosts:
  - {name: cp1, role: control-plane, address: 192.168.0.1}
  - {name: cp2, role: control-plane, address: 192.168.0.2}
  - {name: cp3, role: control-plane, address: 192.168.0.3}
  - {name: w1, role: worker, address: 192.168.0.11}
"""


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("several")
    (folder / "ha.yaml").write_text(HA)
    return run(folder / "ha.yaml", folder / "out") / "hosts"


def test_control_planes_share_authorities_and_have_leaves_of_their_own(several: Path) -> None:
    pki = "etc/kubernetes/pki"
    for name in ("ca.crt", "ca.key", "sa.key", "sa.pub", "front-proxy-ca.key", "etcd/ca.crt", "etcd/ca.key"):
        assert len({(several / host / pki / name).read_bytes() for host in ("cp1", "cp2", "cp3")}) == 1, name
    for name in ("apiserver.crt", "apiserver.key", "etcd/peer.crt", "etcd/server.key"):
        assert len({(several / host / pki / name).read_bytes() for host in ("cp1", "cp2", "cp3")}) == 3, name
    server = read_certificate((several / "cp2" / pki / "apiserver.crt").read_bytes())
    assert {"cp2", "api.example.org"} <= set(server["dns"])
    assert "192.168.0.2" in server["ip"]


def test_a_control_plane_that_joins_gets_what_kubeadm_gives_it(several: Path) -> None:
    """The files of kubeadm join --control-plane: no super-admin.conf, and a token to begin with."""
    first, third = listed(several / "cp1.modes.txt"), listed(several / "cp3.modes.txt")
    gone = {path for path in first.keys() - third.keys() if "/applied/" not in path}
    assert gone == {"/etc/kubernetes/super-admin.conf", "/etc/kubernetes/kubelet.conf"}
    assert {path for path in third.keys() - first.keys() if "/applied/" not in path} == {
        "/etc/kubernetes/bootstrap-kubelet.conf"
    }
    command = yaml.safe_load((several / "cp3/etc/kubernetes/manifests/etcd.yaml").read_text())
    flags = dict(
        flag.removeprefix("--").split("=", 1) for flag in command["spec"]["containers"][0]["command"][1:]
    )
    assert flags["initial-cluster-state"] == "existing"
    assert flags["initial-cluster"] == ",".join(
        f"cp{number}=https://192.168.0.{number}:2380" for number in (1, 2, 3)
    )


def test_several_control_planes_without_secrets(tmp_path: Path) -> None:
    (tmp_path / "ha.yaml").write_text(HA)
    out = run(tmp_path / "ha.yaml", tmp_path / "out", no_secrets=True)
    assert not [path for path in out.rglob("*") if path.suffix in (".key", ".crt")]
    assert (out / "hosts/cp3/etc/kubernetes/manifests/kube-apiserver.yaml").is_file()


def test_no_key_is_made_that_nobody_uses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key of RSA takes a moment: they are counted before, and made side by side."""
    left: list[int] = []

    class Counted(KeyStock):
        def close(self) -> None:
            left.append(self._made.qsize())
            super().close()

        def __call__(self, algorithm: str) -> PrivateKey:
            assert not self._made.empty(), "one more key than was counted"
            return super().__call__(algorithm)

    monkeypatch.setattr("kubeadm_py.plan.rendering.cluster.KeyStock", Counted)
    (tmp_path / "ha.yaml").write_text(HA)
    run(tmp_path / "ha.yaml", tmp_path / "out")
    assert left == [0]


def test_no_path_that_is_written_may_be_a_file_of_the_operators_own(whole: Path, several: Path) -> None:
    certificates = table().paths("/etc/kubernetes/pki", external_etcd=False)
    for tree in (whole, several):
        for modes in (tree / "hosts").glob("*.modes.txt"):
            for path in listed(modes):
                assert owned.why_not(path, data_dir="/var/lib/etcd", certificates=certificates), path


def test_own_files_are_rendered_and_a_secret_is_left_out(tmp_path: Path) -> None:
    key = tmp_path / "app.key"
    key.write_text("hunter2")
    key.chmod(0o600)
    pod = "{apiVersion: v1, kind: Pod, metadata: {name: own}, spec: {containers: [{name: a, image: b}]}}"
    (tmp_path / "cluster.yaml").write_text(
        "apiVersion: kubeadm-py.io/v1alpha1\nkind: Cluster\nmetadata: {name: demo}\nspec:\n  hosts:\n"
        "  - name: cp1\n    role: control-plane\n    address: 10.99.0.11\n"
        "    files: [{path: /etc/app.key, source: app.key, secret: true}, {path: /etc/a, content: b}]\n"
        f"    staticPods: [{{manifest: {pod}}}]\n"
    )
    tree = run(tmp_path / "cluster.yaml", tmp_path / "out")
    assert (tree / "hosts" / "cp1" / "etc" / "app.key").read_text() == "hunter2"
    modes = listed(tree / "hosts" / "cp1.modes.txt")
    assert modes["/etc/app.key"] == "600 root:root"
    assert modes["/etc/kubernetes/manifests/own.yaml"] == "600 root:root"
    bare = run(tmp_path / "cluster.yaml", tmp_path / "bare", no_secrets=True)
    assert not (bare / "hosts" / "cp1" / "etc" / "app.key").exists()
    assert (bare / "hosts" / "cp1" / "etc" / "a").read_text() == "b"
