from __future__ import annotations

import pytest
import yaml

from kubeadm_py.errors import KubeadmPyError
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.node import Node
from kubeadm_py.pki import kubeconfig
from kubeadm_py.pki.authority import Authorities
from kubeadm_py.pki.kubeconfig_merge import merge
from kubeadm_py.pki.requests import authority_requests, kubeconfig_requests

CONTEXT = "kubernetes-admin@demo"

FOREIGN = """\
# my clusters
apiVersion: v1
kind: Config
preferences: {}
clusters:
  - name: work   # do not touch
    cluster:
      server: "https://work.example:6443"
      certificate-authority-data: Q0E=
contexts:
  # the one for every day
  - name: day
    context: {cluster: work, user: me, namespace: team}
current-context: day
users:
  - name: me
    user:
      exec:
        command: login
        args: [--flag,
          "two"]
        note: |
          several
          lines
"""


@pytest.fixture
def ours(authorities: Authorities, cluster: ResolvedCluster, node: Node) -> bytes:
    return authorities.kubeconfig(kubeconfig_requests(cluster, node)[0])


@pytest.fixture
def others(other_authorities: Authorities, cluster: ResolvedCluster, node: Node) -> bytes:
    return other_authorities.kubeconfig(kubeconfig_requests(cluster, node)[0])


def entry(content: bytes, key: str, name: str) -> dict:
    (found,) = [each for each in yaml.safe_load(content)[key] if each["name"] == name]
    return found


def test_into_nothing(ours: bytes) -> None:
    merged = merge(b"", ours, CONTEXT)
    document, original = yaml.safe_load(merged), yaml.safe_load(ours)
    assert document["current-context"] == CONTEXT
    assert document["contexts"] == [{"name": CONTEXT, "context": {"cluster": "demo", "user": CONTEXT}}]
    assert document["clusters"] == [{"name": "demo", "cluster": original["clusters"][0]["cluster"]}]
    assert document["users"] == [{"name": CONTEXT, "user": original["users"][0]["user"]}]
    assert merge(b"\n", ours, CONTEXT) == merged


def test_foreign_lines_stay_as_they_are(ours: bytes) -> None:
    merged = merge(FOREIGN.encode(), ours, CONTEXT).decode()
    kept = [line for line in FOREIGN.splitlines() if not line.startswith("current-context")]
    position = 0
    for line in kept:
        position = merged.index(line + "\n", position) + len(line)
    for key, name in (("clusters", "work"), ("contexts", "day"), ("users", "me")):
        assert entry(merged.encode(), key, name) == entry(FOREIGN.encode(), key, name)
    assert yaml.safe_load(merged)["current-context"] == CONTEXT
    assert entry(merged.encode(), "contexts", CONTEXT)["context"] == {"cluster": "demo", "user": CONTEXT}


def test_the_current_context_may_stay(ours: bytes) -> None:
    merged = merge(FOREIGN.encode(), ours, CONTEXT, make_current=False)
    assert yaml.safe_load(merged)["current-context"] == "day"
    merged = merge(b"kind: Config\n", ours, CONTEXT, make_current=False)
    assert yaml.safe_load(merged)["current-context"] == CONTEXT


@pytest.mark.parametrize("existing", ["", FOREIGN, "kind: Config\n"])
def test_twice_is_once(ours: bytes, existing: str) -> None:
    once = merge(existing.encode(), ours, CONTEXT)
    assert merge(once, ours, CONTEXT) == once


def test_our_entries_are_replaced_in_place(
    authorities: Authorities, cluster: ResolvedCluster, node: Node, ours: bytes
) -> None:
    ca = authorities.sign(authority_requests(cluster)[0])
    renewed = Authorities.from_existing({"ca": ca}, now=authorities.now)
    newer = renewed.kubeconfig(kubeconfig_requests(cluster, node)[0])
    assert newer != ours
    once = merge(FOREIGN.encode(), ours, CONTEXT)
    twice = merge(once, newer, CONTEXT)
    assert entry(twice, "users", CONTEXT)["user"] == yaml.safe_load(newer)["users"][0]["user"]
    assert len(yaml.safe_load(twice)["users"]) == 2
    assert "# do not touch" in twice.decode()


def test_what_was_set_on_our_context_stays(ours: bytes) -> None:
    once = merge(FOREIGN.encode(), ours, CONTEXT).decode()
    edited = once.replace(
        "      user: kubernetes-admin@demo\n", "      user: kubernetes-admin@demo\n      namespace: mine\n"
    )
    assert edited != once
    again = merge(edited.encode(), ours, CONTEXT)
    assert entry(again, "contexts", CONTEXT)["context"]["namespace"] == "mine"


@pytest.mark.parametrize(
    "style",
    [
        "flow",
        "no current-context",
        "no users",
        "empty lists",
        "crlf",
        "no newline at the end",
        "unindented",
        "quoted keys",
        "whole file in flow style",
        "anchors in foreign strings",
    ],
)
def test_styles_of_existing_files(ours: bytes, style: str) -> None:
    text = FOREIGN
    if style == "flow":
        text = "clusters: [{name: work, cluster: {server: 'https://w'}}]\ncurrent-context: ''\n"
    elif style == "no current-context":
        text = text.replace("current-context: day\n", "")
    elif style == "no users":
        text = text[: text.index("users:")]
    elif style == "empty lists":
        text = "apiVersion: v1\nkind: Config\nclusters: []\ncontexts: []\nusers: null\ncurrent-context: ''\n"
    elif style == "crlf":
        text = text.replace("\n", "\r\n")
    elif style == "no newline at the end":
        text = text[: text.index("        note")].rstrip("\n")
    elif style == "unindented":
        text = kubeconfig.dump(yaml.safe_load(text)).decode()
    elif style == "quoted keys":
        text = text.replace("users:", '"users":').replace("- name: me", '- "name": "me"')
    elif style == "whole file in flow style":
        text = "{clusters: [{name: work, cluster: {server: 'https://w'}}]}"
    elif style == "anchors in foreign strings":
        text = text.replace("command: login", "command: '*login &x'")
    before = yaml.safe_load(text)
    after = yaml.safe_load(merge(text.encode(), ours, CONTEXT))
    for key, ours_name in (("clusters", "demo"), ("contexts", CONTEXT), ("users", CONTEXT)):
        assert [each["name"] for each in after[key]] == [
            *(each["name"] for each in before.get(key) or []),
            ours_name,
        ]
        assert after[key][:-1] == (before.get(key) or [])
    assert after["current-context"] == CONTEXT


def test_a_foreign_cluster_of_our_name_is_not_touched(ours: bytes, others: bytes) -> None:
    existing = merge(FOREIGN.encode(), others, CONTEXT)
    with pytest.raises(
        KubeadmPyError, match="already has a cluster named 'demo' that belongs to another"
    ) as caught:
        merge(existing, ours, CONTEXT)
    assert "kubectl config delete-cluster demo" in caught.value.fix
    replaced = merge(existing, ours, CONTEXT, replace=True)
    assert entry(replaced, "clusters", "demo") == entry(merge(b"", ours, CONTEXT), "clusters", "demo")
    assert entry(replaced, "clusters", "work") == entry(FOREIGN.encode(), "clusters", "work")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: work", "name: demo", "a cluster named 'demo'"),
        ("name: day", f"name: {CONTEXT}", f"a context named '{CONTEXT}'"),
        ("user: me", f"user: {CONTEXT}", "a context named 'day'"),
        ("- name: me", f"- name: {CONTEXT}", f"a user named '{CONTEXT}'"),
    ],
)
def test_foreign_entries_of_our_names_are_refused(ours: bytes, old: str, new: str, message: str) -> None:
    with pytest.raises(KubeadmPyError, match=message):
        merge(FOREIGN.replace(old, new).encode(), ours, CONTEXT)


def test_malformed_input(ours: bytes) -> None:
    with pytest.raises(KubeadmPyError, match=r"/home/me/\.kube/config is not a usable kubeconfig"):
        merge(b"clusters: 1", ours, CONTEXT, what="/home/me/.kube/config")
    for name in ("", "kubernetes-admin@"):
        with pytest.raises(KubeadmPyError, match="is not a context name"):
            merge(b"", ours, name)
    with pytest.raises(KubeadmPyError, match="has no current context"):
        merge(b"", b"kind: Config\n", CONTEXT)


def test_a_plain_name_is_that_of_all_three_entries(ours: bytes) -> None:
    document = yaml.safe_load(merge(b"", ours, "demo"))
    assert document["contexts"] == [{"name": "demo", "context": {"cluster": "demo", "user": "demo"}}]
    assert [document[key][0]["name"] for key in ("clusters", "users")] == ["demo", "demo"]
    assert document["current-context"] == "demo"
