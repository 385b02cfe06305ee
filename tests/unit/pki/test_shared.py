"""The Secret kubeadm-certs; that real kubeadm reads ours and we read its own is a node test's."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from kubeadm_py.errors import KubeadmPyError, UsageError
from kubeadm_py.model.cluster import ResolvedCluster
from kubeadm_py.model.components import Etcd, ExternalEtcd
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.secret import Secret
from kubeadm_py.model.versions import Version
from kubeadm_py.pki import keys, shared

KEY = Secret("00" * 32)
CLUSTER = ResolvedCluster("demo", Version(1, 36, 3), (Node("cp1", Role.CONTROL_PLANE, ("10.0.0.11",)),))
EXTERNAL = replace(
    CLUSTER,
    etcd=Etcd(None, ExternalEtcd(("https://e:2379",), (), "/etc/e/ca.crt", "/etc/e/c.crt", "/etc/e/c.key")),
)
CONTENT = {each.path: f"content of {each.key}".encode() for each in shared.shared_paths(CLUSTER)}


def secret(key: Secret = KEY, **changes: bytes):
    return shared.secret_object(CLUSTER, CONTENT | changes, key)


def test_the_secret_is_named_and_keyed_as_kubeadm_does():
    made = secret()
    assert (made["metadata"], made["type"]) == (
        {"name": "kubeadm-certs", "namespace": "kube-system"},
        "Opaque",
    )
    assert list(made["data"]) == [
        *("ca.crt", "ca.key", "front-proxy-ca.crt", "front-proxy-ca.key"),
        *("etcd-ca.crt", "etcd-ca.key", "sa.pub", "sa.key"),
    ]


def test_an_external_etcd_brings_its_client_and_no_authority():
    assert [(each.key, each.path) for each in shared.shared_paths(EXTERNAL)][-3:] == [
        ("external-etcd-ca.crt", "/etc/e/ca.crt"),
        ("external-etcd.crt", "/etc/e/c.crt"),
        ("external-etcd.key", "/etc/e/c.key"),
    ]
    assert not any("etcd/ca" in each.path for each in shared.shared_paths(EXTERNAL))


def test_what_was_encrypted_is_decrypted():
    assert shared.decrypt(CLUSTER, secret(), KEY) == CONTENT


class TestHalvesOfTheServiceAccountKey:
    ONE, OTHER = (keys.generate("ECDSA-P256") for _ in range(2))

    def content(self, public: bytes):
        return {
            "/etc/kubernetes/pki/sa.key": keys.private_pem(self.ONE),
            "/etc/kubernetes/pki/sa.pub": public,
        }

    def test_a_pair_is_taken(self):
        shared.refuse_halves(CLUSTER, self.content(keys.public_pem(self.ONE.public_key())))

    def test_so_is_one_of_several_as_keys_are_changed_without_a_gap(self):
        several = [keys.public_pem(each.public_key()) for each in (self.OTHER, self.ONE)]
        shared.refuse_halves(CLUSTER, self.content(b"".join(several)))

    @pytest.mark.parametrize(
        ("public", "says"),
        [
            (
                keys.public_pem(OTHER.public_key()),
                "sa.pub is not the public half of /etc/kubernetes/pki/sa.key",
            ),
            (b"-----BEGIN PUBLIC KEY-----\nMF\n-----END PUBLIC KEY-----\n", "sa.pub holds no public key"),
            (b"", "sa.pub holds no public key"),
        ],
        ids=["of-another", "damaged", "empty"],
    )
    def test_others_are_refused(self, public, says):
        with pytest.raises(KubeadmPyError, match=says):
            shared.refuse_halves(CLUSTER, self.content(public), "cp1")


def test_each_value_is_a_nonce_and_what_was_sealed_with_it():
    made = shared.secret_object(CLUSTER, CONTENT, KEY, lambda size: b"\1" * size)
    sealed = base64.b64decode(made["data"]["ca.crt"])
    assert sealed[:12] == b"\1" * 12
    assert len(sealed) == 12 + len(CONTENT["/etc/kubernetes/pki/ca.crt"]) + 16
    assert secret()["data"]["ca.crt"] != secret()["data"]["ca.crt"], "no nonce is used twice"


def test_the_key_of_an_external_ca_is_nowhere():
    path = "/etc/kubernetes/pki/ca.key"
    made = shared.secret_object(CLUSTER, {k: v for k, v in CONTENT.items() if k != path}, KEY)
    assert made["data"]["ca.key"] == ""
    assert path not in shared.decrypt(CLUSTER, made, KEY)


def test_another_key():
    with pytest.raises(KubeadmPyError, match="the certificate key does not open"):
        shared.decrypt(CLUSTER, secret(), Secret("11" * 32))


def test_what_is_missing_is_named():
    made = secret()
    del made["data"]["sa.key"]
    with pytest.raises(KubeadmPyError, match=r"lacks sa\.key"):
        shared.decrypt(CLUSTER, made, KEY)


@pytest.mark.parametrize("value", ["@@@", "AAAA", 7])
def test_what_no_upload_wrote(value):
    made = secret()
    made["data"]["ca.crt"] = value
    with pytest.raises(KubeadmPyError, match=r"ca\.crt is not what an upload writes|does not open"):
        shared.decrypt(CLUSTER, made, KEY)


@pytest.mark.parametrize("key", ["", "00", "zz" * 32, "00" * 16])
def test_what_is_no_key(key):
    with pytest.raises(UsageError, match="the certificate key is not 64 hexadecimal digits"):
        shared.secret_object(CLUSTER, CONTENT, Secret(key))


def test_a_new_key_is_what_kubeadm_makes():
    assert shared.generate_key(lambda size: bytes(range(size))).text() == bytes(range(32)).hex()


def test_joining_nodes_may_read_that_secret_only():
    role, binding = shared.rbac("system:bootstrappers:kubeadm:default-node-token")
    assert role["rules"][0]["resourceNames"] == ["kubeadm-certs"]
    assert role["rules"][0]["verbs"] == ["get"]
    assert binding["subjects"][0]["name"].endswith("default-node-token")
