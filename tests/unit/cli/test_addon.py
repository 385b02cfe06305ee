"""`addon list|show|render`: what needs no cluster."""

from __future__ import annotations

import pytest
import yaml

from kubeadm_py.cli.verbs import addon
from kubeadm_py.errors import UsageError

CLUSTER = """\
apiVersion: kubeadm-py.io/v1alpha1
kind: Cluster
metadata: {name: demo}
spec:
  hosts: [{name: cp1, role: control-plane, address: 192.0.2.11}]
  artifacts: {source: official}
"""


@pytest.fixture
def config(tmp_path):
    """Return a function that writes a cluster with add-ons and returns the file's name."""

    def write(addons: str) -> str:
        path = tmp_path / "cluster.yaml"
        path.write_text(f"{CLUSTER}  addons: {addons}\n")
        return str(path)

    return write


def test_the_list_has_every_add_on(capsys):
    addon.list_()
    out = capsys.readouterr().out
    assert out.splitlines()[0].split() == ["NAME", "VERSION", "STATUS", "VERIFIED", "PROVIDES", "DESCRIPTION"]
    assert {"flannel", "metrics-server", "traefik", "metallb"} <= {
        line.split()[0] for line in out.splitlines()
    }


def test_an_alias_shows_what_it_stands_for(capsys):
    addon.show("dashboard", "text")
    out = capsys.readouterr().out
    assert out.startswith("headlamp v")
    assert "also called dashboard" in out
    assert "ghcr.io/headlamp-k8s/headlamp:" in out


def test_what_a_network_needs_and_promises_is_shown(capsys):
    addon.show("kube-router", "text")
    out = capsys.readouterr().out
    assert "serves IPv4 and IPv6; NetworkPolicy is enforced with firewall: true" in out
    assert "  kube-proxy: none  (with serviceProxy: true)" in out
    addon.show("metallb", "text")
    out = capsys.readouterr().out
    assert "  between them: udp port 7946\n" in out
    assert "  kube-proxy: ipvs.strictARP true in mode ipvs  (with announce: layer2)" in out
    addon.show("flannel", "text")
    out = capsys.readouterr().out
    assert "  interface: what iface asks for, where it is given" in out
    assert "  between them: udp port 8472, by parameter port  (with backend: vxlan)" in out
    addon.show("weave", "text")
    assert "Weave Net is legacy." in capsys.readouterr().out


def test_it_is_shown_for_machines(capsys):
    addon.show("flannel", "yaml")
    document = yaml.safe_load(capsys.readouterr().out)
    assert document["name"] == "flannel"
    assert document["parameters"]["backend"]["enum"] == ["vxlan", "host-gw", "wireguard"]


def test_objects_are_rendered_with_defaults_and_settings(capsys):
    addon.render("metrics-server", config="", settings=["replicas=3"], allow_unknown_fields=False)
    objects = list(yaml.safe_load_all(capsys.readouterr().out))
    [deployment] = [each for each in objects if each["kind"] == "Deployment"]
    assert deployment["spec"]["replicas"] == 3


def test_objects_are_rendered_as_the_config_has_them(config, capsys):
    path = config("[flannel, {name: traefik, parameters: {className: mine}}]")
    addon.render("traefik", config=path, settings=[], allow_unknown_fields=False)
    objects = list(yaml.safe_load_all(capsys.readouterr().out))
    [made] = [each for each in objects if each["kind"] == "IngressClass"]
    assert made["metadata"]["name"] == "mine"


def test_what_is_fetched_is_told_beside_the_objects(capsys):
    addon.render("metallb", config="", settings=[], allow_unknown_fields=False)
    assert "besides these, CustomResourceDefinitions from https://" in capsys.readouterr().err


@pytest.mark.parametrize("setting", ["replicas", "=3", "replicas=["])
def test_a_setting_that_is_none(setting):
    with pytest.raises(UsageError, match="--set"):
        addon.render("metrics-server", config="", settings=[setting], allow_unknown_fields=False)


@pytest.mark.parametrize(
    ("setting", "says"), [("replicas=9", "not between 1 and 5"), ("nope=1", "no parameter")]
)
def test_a_setting_that_does_not_fit(setting, says):
    with pytest.raises(UsageError) as refused:
        addon.render("metrics-server", config="", settings=[setting], allow_unknown_fields=False)
    assert says in refused.value.details[0]


def test_a_difference_of_no_add_on_of_the_file_reaches_no_host(config):
    with pytest.raises(UsageError, match="traefik: no add-on of the file"):
        addon.diff(config("[flannel]"), ["traefik"], allow_unknown_fields=False)
