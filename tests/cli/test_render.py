"""`render`: a folder of files, and no host touched. What is in them is tests/golden's business."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml

ANSWERS = Path(__file__).parents[1] / "unit" / "facts" / "answers"
CLUSTER = """\
apiVersion: kubeadm-py.io/v1alpha1
kind: Cluster
metadata: {name: demo}
spec:
  hosts:
  - {name: cp1, role: control-plane, address: 192.0.2.11}
  - {name: w1, role: worker, address: 192.0.2.21}
  artifacts: {source: ARTIFACTS}
"""
OFFICIAL = CLUSTER.replace("ARTIFACTS", "official")
BARE = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n"
JOIN = """\
apiVersion: kubeadm.k8s.io/v1beta4
kind: JoinConfiguration
nodeRegistration: {name: w7}
discovery:
  bootstrapToken:
    token: abcdef.0123456789abcdef
    apiServerEndpoint: 192.0.2.11:6443
    unsafeSkipCAVerification: true
"""


def test_it_says_what_is_where(kpy, write, tmp_path):
    ended = kpy("render", "--config", write("c.yaml", OFFICIAL), "-o", "out")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[0].startswith("out/hosts/cp1: ")
    assert ended.out.splitlines()[-1].startswith("out/objects.yaml: ")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"hosts", "objects.yaml"}
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o700
    names = {path.name for path in (tmp_path / "out/hosts").iterdir()}
    assert names == {"cp1", "cp1.modes.txt", "w1", "w1.modes.txt"}


def test_an_empty_folder_becomes_private_and_another_is_left_alone(kpy, write, tmp_path):
    config = write("c.yaml", OFFICIAL)
    out = tmp_path / "out"
    out.mkdir(mode=0o755)
    assert kpy("render", "--config", config, "-o", out, "--no-secrets").code == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    before = sorted(out.rglob("*"))
    ended = kpy("render", "--config", config, "-o", out)
    assert (ended.code, "is not empty" in ended.err) == (2, True)
    assert sorted(out.rglob("*")) == before
    ended = kpy("render", "--config", config, "-o", config)
    assert (ended.code, "Not a directory" in ended.err) == (2, True)


def test_one_host(kpy, write, tmp_path):
    config = write("c.yaml", OFFICIAL)
    assert kpy("render", "--config", config, "-o", "out", "--host", "w1", "--no-secrets").code == 0
    assert {path.name for path in (tmp_path / "out/hosts").iterdir()} == {"w1", "w1.modes.txt"}
    ended = kpy("render", "--config", config, "-o", "other", "--host", "w2")
    assert (ended.code, "its hosts are: cp1, w1" in ended.err) == (2, True)
    assert not (tmp_path / "other").exists()


def test_a_bare_kubeadm_file_leads_to_one_host(kpy, write, tmp_path):
    ended = kpy("render", "--config", write("c.yaml", BARE), "-o", "out", "--no-secrets")
    assert ended.code == 0
    assert "node stands in for its own name" in ended.err
    assert "192.0.2.10 stands in for its own" in ended.err
    manifest = tmp_path / "out/hosts/node/etc/kubernetes/manifests/kube-apiserver.yaml"
    assert "--advertise-address=192.0.2.10" in manifest.read_text()


def test_saved_facts_speak_for_one_host(kpy, write, tmp_path):
    facts = ANSWERS / "ubuntu-24.04-systemd-resolved.txt"
    ended = kpy("render", "--config", write("c.yaml", BARE), "-o", "out", "--facts", facts, "--no-secrets")
    assert ended.code == 0, ended.err
    (host,) = [path for path in (tmp_path / "out/hosts").iterdir() if path.is_dir()]
    assert host.name != "node"
    config = yaml.safe_load((host / "var/lib/kubelet/config.yaml").read_text())
    assert config["resolvConf"] == "/run/systemd/resolve/resolv.conf"
    ended = kpy("render", "--config", write("two.yaml", OFFICIAL), "-o", "other", "--facts", facts)
    assert (ended.code, "--facts describes one host" in ended.err) == (2, True)


@pytest.mark.parametrize("content", [b"", b"hello\n", b"\xff\xfe\x00"])
def test_facts_that_are_none(kpy, write, content):
    arguments = ["--config", write("c.yaml", BARE), "-o", "out", "--facts", write("facts.txt", content)]
    ended = kpy("render", *arguments)
    assert (ended.code, "facts.txt is no saved answer of a probe" in ended.err) == (2, True)


def test_a_joining_host_alone(kpy, write, tmp_path):
    ended = kpy("render", "--config", write("j.yaml", JOIN), "-o", "out")
    assert ended.code == 0, ended.err
    host = tmp_path / "out/hosts/w7"
    assert not (tmp_path / "out/objects.yaml").exists()
    for name in ("pki/ca.crt", "bootstrap-kubelet.conf"):
        assert (host / "etc/kubernetes" / name).read_text().startswith("# Known only when the host joins: ")


def test_a_bundle_that_is_not_here_is_taken_for_a_complete_one(kpy, write, tmp_path):
    text = CLUSTER.replace("ARTIFACTS", "bundle, path: ./nowhere")
    ended = kpy("render", "--config", write("c.yaml", text), "-o", "out", "--no-secrets")
    assert ended.code == 0, ended.err
    assert "there is no bundle at" in ended.err
    assert (tmp_path / "out/hosts/w1/etc/containerd/config.toml").exists()


def test_a_wrong_config_leaves_no_folder(kpy, write, tmp_path):
    ended = kpy("render", "--config", write("c.yaml", OFFICIAL + "  x: 1\n"), "-o", "out")
    assert (ended.code, (tmp_path / "out").exists()) == (2, False)


def test_types_that_others_publish_are_named_and_not_fetched(kpy, write, tmp_path):
    config = write(
        "c.yaml",
        OFFICIAL + "  addons: [flannel, {name: metallb, parameters: {addresses: [192.0.2.200/29]}}]\n",
    )
    for out, more in (("out", []), ("public", ["--no-secrets"])):
        ended = kpy("render", "--config", config, "-o", out, *more)
        assert (ended.code, ended.err) == (0, "")
        text = (tmp_path / out / "objects.yaml").read_text()
        [line] = [each for each in text.splitlines() if each.startswith("# Fetched when it is applied: ")]
        assert "https://raw.githubusercontent.com/metallb/" in line
        kinds = [each["kind"] for each in yaml.safe_load_all(text) if each]
        assert kinds.index("DaemonSet") < kinds.index("IPAddressPool")
