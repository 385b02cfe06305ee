"""`config validate`: whatever a file holds, the answer comes quickly, names the file and is no traceback."""

from __future__ import annotations

import pytest

HEAD = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n"
GOOD = """\
apiVersion: kubeadm-py.io/v1alpha1
kind: Cluster
metadata: {name: demo}
spec:
  hosts:
  - {name: cp1, role: control-plane, address: 192.0.2.11}
  - {name: w1, role: worker, address: 192.0.2.21}
  addons: [flannel]
"""
QUICKLY = 2.0
"""Seconds of computing; nothing here waits for anything."""


def bomb() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    return HEAD + "\n".join(lines) + "\n"


BAD = {
    "empty": (b"", "is empty"),
    "blank": (b"\n\n  \n", "is empty"),
    "only comments": (b"# nothing\n", "bad.yaml"),
    "tabs": (HEAD + "networking:\n\tpodSubnet: x\n", "bad.yaml:4:1"),
    "binary": (bytes(range(256)) * 8, "binary"),
    "an ELF file": (b"\x7fELF" + bytes(500), "binary"),
    "latin-1": ("clusterName: Zürich\n".encode("latin-1"), "bad.yaml"),
    "UTF-16": (HEAD.encode("utf-16"), "bad.yaml"),
    "10 MB": (HEAD + "# filled up\n" * 900_000, "larger than"),
    "a bomb": (bomb(), "aliases"),
    "deep lists": (HEAD + "x: " + "[" * 20_000 + "]" * 20_000, "levels deep"),
    "deep mappings": (HEAD + "".join(f"{' ' * n}a:\n" for n in range(1200)), "levels deep"),
    "one long line": (HEAD + "kubernetesVersion: " + "x" * 900_000, "bad.yaml:3"),
    "unknown key": (HEAD + "kubernetesVersoin: v1.36.3\n", "did you mean kubernetesVersion?"),
    "duplicate key": (HEAD + "clusterName: a\nclusterName: b\n", "bad.yaml:4:1"),
    "wrong type": (HEAD + "networking: [a]\n", "bad.yaml:3"),
    "no kind": ("apiVersion: kubeadm.k8s.io/v1beta4\n", "kind"),
    "foreign kind": ("apiVersion: v1\nkind: Pod\n", "Pod"),
    "old version": ("apiVersion: kubeadm.k8s.io/v1beta2\nkind: ClusterConfiguration\n", "v1beta2"),
    "bad CIDR": (HEAD + "networking: {podSubnet: 10.0.0.0/33}\n", "10.0.0.0/33"),
    "overlap": (HEAD + "networking: {podSubnet: 10.96.0.0/16, serviceSubnet: 10.96.0.0/12}\n", "bad.yaml:3"),
    "two of a kind": (HEAD + "---\n" + HEAD, "bad.yaml:4"),
    "a list": ("- a\n- b\n", "bad.yaml:1"),
    "a word": ("hello\n", "bad.yaml:1"),
    "unfinished": (HEAD + 'clusterName: "abc\n', "bad.yaml"),
    "an object tag": (HEAD + "clusterName: !!python/object/apply:os.system [true]\n", "bad.yaml:3"),
    "an unknown add-on": (GOOD.replace("flannel", "flanel"), "did you mean flannel"),
    "no control plane": (GOOD.replace("control-plane", "worker"), "control"),
    "a registry's URL": (GOOD + "  registries: {'https://m.example': {plainHTTP: true}}\n", "not a registry"),
}


@pytest.mark.parametrize("name", list(BAD))
def test_a_bad_file_is_refused_quickly_and_named(kpy, write, name):
    content, said = BAD[name]
    path = write("bad.yaml", content)
    ended = kpy("config", "validate", "--config", path)
    assert ended.code == 2, ended.text
    assert ended.out == ""
    assert "bad.yaml" in ended.err
    assert said in ended.err
    assert len(ended.err) < 4000
    assert ended.cpu < QUICKLY


def test_a_good_file(kpy, write):
    ended = kpy("config", "validate", "--config", write("good.yaml", GOOD))
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.endswith("good.yaml is good: Kubernetes v1.36.3; cp1 (control-plane), w1 (worker)\n")


def test_a_bare_kubeadm_file_speaks_of_the_host_it_is_used_on(kpy, write):
    ended = kpy("config", "validate", "--config", write("bare.yaml", HEAD))
    assert ended.out.endswith("bare.yaml is good: Kubernetes v1.36.3; this machine (control-plane)\n")


def test_standard_input(kpy):
    assert kpy("config", "validate", "--config", "-", stdin=GOOD).code == 0
    ended = kpy("config", "validate", "--config", "-", stdin=GOOD.replace("address", "adress"))
    assert ended.code == 2
    assert "did you mean address?" in ended.err


def test_all_problems_come_at_once_with_their_lines(kpy, write):
    text = GOOD.replace("192.0.2.11", "192.0.2.999").replace("role: worker", "role: wroker")
    ended = kpy("config", "validate", "--config", write("bad.yaml", text + "  addonz: []\n"))
    assert ended.code == 2
    for place in ("bad.yaml:6:", "bad.yaml:7:", "bad.yaml:9:"):
        assert place in ended.err


def test_unknown_keys_can_be_allowed(kpy, write):
    path = write("new.yaml", HEAD + "somethingNew: 1\n")
    assert kpy("config", "validate", "--config", path).code == 2
    ended = kpy("config", "validate", "--config", path, "--allow-unknown-fields")
    assert ended.code == 0
    assert "somethingNew" in ended.err


@pytest.mark.parametrize("name", ["nowhere.yaml", ".", "/dev/null"])
def test_a_file_that_is_none(kpy, name):
    ended = kpy("config", "validate", "--config", name)
    assert ended.code == 2
    assert name in ended.err


def test_images_of_a_config(kpy, write):
    ended = kpy("config", "images", "list", "--config", write("good.yaml", GOOD))
    lines = ended.out.splitlines()
    assert "registry.k8s.io/kube-apiserver:v1.36.3" in lines
    assert any("flannel" in line for line in lines)
    assert len(lines) == len(set(lines))


OBSOLETE = """\
apiVersion: kubeadm-py.io/v1alpha1
kind: Cluster
metadata: {name: demo, nmae: other}
spec:
  ssh: {user: nobody, port: 1, hostKeys: accept-new}
  hosts:
  - {name: cp1, role: control-plane, address: 192.0.2.11, ssh: {host: 127.0.0.1}}
  - {name: w1, role: worker, address: 192.0.2.21, ssh: {host: 127.0.0.1, port: 2}}
"""


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("config validate", 0),
        ("config images list", 0),
        ("render -o out", 0),
        ("init", 7),
        ("join --host w1", 7),
        ("preflight", 7),
        ("verify", 7),
        ("reset --yes", 7),
        ("token create", 7),
        ("token list", 7),
        ("token delete abcdef", 7),
        ("kubeconfig get", 7),
    ],
)
def test_what_init_may_be_told_to_accept_every_command_may(kpy, write, command, code):
    path = write("c.yaml", OBSOLETE)
    refused = kpy(*command.split(), "--config", path)
    assert refused.code == 2
    assert "metadata.nmae" in refused.err
    accepted = kpy(*command.split(), "--config", path, "--allow-unknown-fields")
    assert accepted.code == code, accepted.text
    assert "metadata.nmae" in accepted.text
