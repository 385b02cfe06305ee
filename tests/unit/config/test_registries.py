"""Registries of the Cluster document: what lies in the files that it names, and where mirrors are asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubeadm_py.config.load import ConfigError, load
from kubeadm_py.model.registries import Registry
from kubeadm_py.model.secret import Secret

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
FILE = """\
apiVersion: kubeadm-py.io/v1alpha1
kind: Cluster
metadata: {{name: demo}}
spec:
  hosts: [{{name: cp1, role: control-plane, address: 192.168.0.1}}]
  artifacts: {{source: {source}}}
  registries: {registries}
"""
ALWAYS_PULL = """\
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
apiServer: {extraArgs: [{name: enable-admission-plugins, value: AlwaysPullImages}]}
"""


@pytest.fixture
def read(tmp_path: Path):
    (tmp_path / "ca.pem").write_text(CERTIFICATE)
    (tmp_path / "login").write_text("user:pass:word\n")
    (tmp_path / "login").chmod(0o600)

    def read(registries: str, source: str = "official", more: str = ""):
        file = tmp_path / "cluster.yaml"
        file.write_text(FILE.format(registries=registries, source=source) + more)
        return load(str(file))

    return read


def test_files_beside_the_config_are_read(read):
    loaded = read(
        "{r.lan: {caFile: ca.pem, credentialsFile: login, pullSecrets: [pull], replaceWith: q.lan/x}}"
    )
    assert loaded.cluster.registries == {
        "r.lan": Registry(
            ca=CERTIFICATE.encode(),
            credentials=Secret("user:pass:word"),
            replace_with="q.lan/x",
            pull_secrets=("pull",),
        )
    }
    assert "pass:word" not in repr(loaded.cluster)
    assert loaded.warnings == ()


def test_a_mirror_without_a_scheme_is_reached_as_its_registry_is(read):
    mirrors = "[m.lan, 'p.lan:5000/hub', 'https://u.lan/x/v2']"
    registries = f"{{docker.io: {{mirrors: {mirrors}}}, 'p.lan:5000': {{plainHTTP: true}}}}"
    cluster = read(registries).cluster
    assert cluster.registries["docker.io"].mirrors == (
        "https://m.lan",
        "http://p.lan:5000/v2/hub",
        "https://u.lan/x/v2",
    )
    assert cluster.registries["p.lan:5000"].plain_http


def test_a_password_over_plain_http_is_worth_a_word(read):
    (warning,) = read("{r.lan: {plainHTTP: true, credentialsFile: login}}").warnings
    assert "everybody on the way" in warning.message


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_credentials_that_others_may_read_are_refused(read, tmp_path, mode):
    (tmp_path / "login").chmod(mode)
    with pytest.raises(ConfigError, match="chmod 600"):
        read("{r.lan: {credentialsFile: login}}")


@pytest.mark.parametrize("content", ["", "user", ":x", "user:", "a:b\nc:d"])
def test_credentials_are_one_line(read, tmp_path, content):
    (tmp_path / "login").write_text(content)
    with pytest.raises(ConfigError, match="USER:PASSWORD") as refused:
        read("{r.lan: {credentialsFile: login}}")
    assert "a:b" not in str(refused.value)


def test_a_key_beside_the_ca_is_refused(read, tmp_path):
    (tmp_path / "ca.pem").write_text(CERTIFICATE + "-----BEGIN PRIVATE KEY-----\n")
    with pytest.raises(ConfigError, match="private key"):
        read("{r.lan: {caFile: ca.pem}}")


def test_always_pull_needs_a_registry_beside_a_bundle(read):
    with pytest.raises(ConfigError, match="AlwaysPullImages") as refused:
        read("{}", "bundle", ALWAYS_PULL)
    assert refused.value.problems[0].line == 11
    assert read("{registry.k8s.io: {mirrors: [m.lan]}}", "bundle", ALWAYS_PULL).cluster.registries
    assert read("{}", "official", ALWAYS_PULL)
    assert read("{}", "bundle", ALWAYS_PULL + "imageRepository: m.lan/k8s\n")


def test_the_public_registry_by_its_name_is_no_registry_of_ones_own(read):
    with pytest.raises(ConfigError, match="AlwaysPullImages"):
        read("{}", "bundle", ALWAYS_PULL + "imageRepository: registry.k8s.io\n")
