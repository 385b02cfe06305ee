"""Proxies, registries, templates and waits."""

from __future__ import annotations

import tomllib
from dataclasses import replace

import pytest

from kubeadm_py.errors import KubeadmPyError, UsageError
from kubeadm_py.model.bootstrap import Discovery
from kubeadm_py.model.networking import Networking
from kubeadm_py.model.node import Proxy
from kubeadm_py.model.registries import Registry
from kubeadm_py.model.secret import Secret
from kubeadm_py.steps.prepare import proxy, text
from kubeadm_py.steps.prepare.registries import registry_files
from kubeadm_py.steps.prepare.waits import plan_waits


def test_cluster_traffic_stays_off_the_proxy(cluster):
    shape = replace(
        cluster,
        control_plane_endpoint="api.demo.example:6443",
        networking=Networking("10.96.0.0/12,fd00::/108", "10.244.0.0/16,fd01::/48", "corp.local"),
        discovery=Discovery(api_server_endpoint="[fd10::5]:6443"),
    )
    assert proxy.no_proxy(shape, shape.node("w1"), Proxy("http://p", no_proxy=("registry.lan",))) == (
        "localhost",
        "127.0.0.1",
        "::1",
        "10.0.0.21",
        "10.0.0.11",
        "api.demo.example",
        "fd10::5",
        "10.96.0.0/12",
        "fd00::/108",
        "10.244.0.0/16",
        "fd01::/48",
        ".svc",
        ".corp.local",
        "registry.lan",
    )


def test_another_worker_changes_nothing_here(cluster):
    grown = replace(
        cluster, nodes=(*cluster.nodes, replace(cluster.node("w1"), name="w2", addresses=("10.0.0.22",)))
    )
    for name in ("cp1", "w1"):
        assert proxy.no_proxy(grown, grown.node(name), Proxy()) == proxy.no_proxy(
            cluster, cluster.node(name), Proxy()
        )


def test_the_drop_in_is_safe_for_systemd(cluster):
    node = replace(cluster.node("w1"), proxy=Proxy('http://u:p%40"x\\$y@p:3128', "http://s:1"))
    variables, unit = proxy.drop_in("/etc/x", cluster, node)
    assert (unit.path, unit.mode) == ("/etc/x.conf", 0o644)
    assert unit.content.decode().splitlines()[1:] == ["[Service]", "EnvironmentFile=/etc/x.env"]
    assert (variables.path, variables.mode, variables.secret) == ("/etc/x.env", 0o600, True)
    lines = variables.content.decode().splitlines()
    assert lines[1] == r'HTTP_PROXY="http://u:p%40\"x\\\$y@p:3128"'
    assert lines[2].startswith('http_proxy="')
    assert lines[3] == 'HTTPS_PROXY="http://s:1"'


@pytest.mark.parametrize("settings", [None, Proxy(), Proxy(no_proxy=("x",))])
def test_without_a_proxy_there_is_no_drop_in(cluster, settings):
    assert proxy.drop_in("/x", cluster, replace(cluster.node("w1"), proxy=settings)) == []


def hosts(spec):
    return tomllib.loads(spec.content.decode())


def test_mirrors_come_in_order_and_keep_their_paths(cluster):
    registry = Registry(("https://a.example", "https://b.example/v2/hub"))
    (spec,) = registry_files(replace(cluster, registries={"docker.io": registry}))
    assert spec.path == "/etc/containerd/certs.d/docker.io/hosts.toml"
    document = hosts(spec)
    assert document["server"] == "https://registry-1.docker.io"
    assert list(document["host"]) == list(registry.mirrors)
    assert document["host"]["https://a.example"] == {"capabilities": ["pull", "resolve"]}
    assert document["host"]["https://b.example/v2/hub"]["override_path"] is True


def test_plain_http_is_only_the_servers_scheme(cluster):
    (spec,) = registry_files(replace(cluster, registries={"r.lan:5000": Registry(plain_http=True)}))
    assert hosts(spec) == {"server": "http://r.lan:5000"}


def test_credentials_and_ca_reach_only_root(cluster):
    registry = Registry(ca=b"-----BEGIN CERTIFICATE-----\n", credentials=Secret("user:pass"))
    toml, ca = registry_files(replace(cluster, registries={"r.lan": registry}))
    assert (toml.mode, toml.secret) == (0o600, True)
    host = hosts(toml)["host"]["https://r.lan"]
    assert host["ca"] == ca.path == "/etc/containerd/certs.d/r.lan/ca.crt"
    assert host["header"] == {"Authorization": "Basic dXNlcjpwYXNz"}
    assert (ca.mode, ca.content) == (0o644, b"-----BEGIN CERTIFICATE-----\n")


def test_a_mirror_goes_by_its_own_settings_and_gets_nobody_elses_password(cluster):
    registries = {
        "docker.io": Registry(
            ("https://m.lan/v2/hub", "https://other.lan"), credentials=Secret("hub:secret")
        ),
        "m.lan": Registry(ca=b"-----BEGIN CERTIFICATE-----\n", credentials=Secret("mirror:pass")),
    }
    hub, mirror, ca = registry_files(replace(cluster, registries=registries))
    of_hub = hosts(hub)["host"]
    assert list(of_hub) == ["https://m.lan/v2/hub", "https://other.lan", "https://registry-1.docker.io"]
    assert of_hub["https://m.lan/v2/hub"]["ca"] == ca.path == "/etc/containerd/certs.d/m.lan/ca.crt"
    assert [each.get("header", {}).get("Authorization") for each in of_hub.values()] == [
        "Basic bWlycm9yOnBhc3M=",
        None,
        "Basic aHViOnNlY3JldA==",
    ]
    assert (hub.mode, mirror.mode) == (0o600, 0o600)


@pytest.mark.parametrize(
    ("function", "value"),
    [
        (text.to_toml, "a\nb"),
        (text.to_comment, "x\ny"),
        (text.to_environment_string, "x\ny"),
        (text.to_unit_path, "/usr/bin/x y"),
        (text.to_unit_path, "relative"),
        (text.to_unit_path, "/a%b"),
    ],
)
def test_values_that_would_break_out_are_refused(function, value):
    with pytest.raises(UsageError):
        function(value)


def test_toml_values_read_back():
    for value in ('a"b', "back\\slash", "ünïcode", True, False):
        assert tomllib.loads(f"x = {text.to_toml(value)}")["x"] == value


def test_a_template_cannot_forget_its_filters(tmp_path, monkeypatch):
    from jinja2 import DictLoader

    templates = {"x.j2": "{{ name }}", "y.toml.j2": "= {{ name | to_toml }}"}
    monkeypatch.setattr(text._environment(), "loader", DictLoader(templates))
    with pytest.raises(TypeError, match="without a filter"):
        text.render("x", name="value")
    with pytest.raises(KubeadmPyError, match="valid TOML"):
        text.render("y.toml", name="value")


@pytest.mark.parametrize("state", ["", "done", "disabled", "error"])
def test_a_finished_cloud_init_is_not_waited_for(cluster, machine, bundle, on, state):
    assert plan_waits(on(cluster, "w1", replace(machine, cloud_init=state), bundle)) == []


def test_cloud_init_is_waited_for(cluster, machine, bundle, on, shell):
    (wait,) = plan_waits(on(cluster, "w1", replace(machine, cloud_init="running"), bundle))
    assert shell(wait.until, **{"cloud-init": "echo 'status: done'"}).returncode == 0
    assert shell(wait.until, **{"cloud-init": "echo 'status: error'; exit 1"}).returncode == 0
    waiting = shell(wait.until, **{"cloud-init": "echo 'status: running'"})
    assert (waiting.returncode, waiting.stdout) == (1, "cloud-init is still running\n")


@pytest.mark.parametrize("manager", ["apt-get", "dnf", "pacman", ""])
def test_the_package_manager_is_waited_for(cluster, machine, bundle, on, shell, manager):
    facts = replace(machine, package_lock_held=True, package_manager=manager)
    (wait,) = plan_waits(on(cluster, "w1", facts, bundle))
    path = "/var/lib/rpm/.rpm.lock" if manager == "dnf" else "/var/lib/dpkg/lock-frontend"
    if manager in ("apt-get", "dnf", ""):
        waiting = shell(wait.until, lslocks=f"echo 'unattended-upgr {path}'")
        assert waiting.returncode == 1
        assert f"at work: unattended-upgr {path}" in waiting.stdout
    assert shell(wait.until, lslocks="echo 'cron /run/crond.pid'").returncode == 0
    # Of a manager that is known only its own locks count.
    assert ("/var/lib/rpm" in wait.until) is (manager != "apt-get")
