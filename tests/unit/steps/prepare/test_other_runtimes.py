"""CRI-O and cri-dockerd: what they are told, when they restart, and how they reach registries."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace

import pytest

from kubeadm_py.model import host_settings, paths
from kubeadm_py.model.actions import Remove, Unit, WriteFiles
from kubeadm_py.model.cluster import ArtifactSource
from kubeadm_py.model.digest import sha256
from kubeadm_py.model.facts import FileFact, UnitFact
from kubeadm_py.model.registries import Registry
from kubeadm_py.model.secret import Secret
from kubeadm_py.steps.prepare.runtime import plan_runtime

PEM = b"-----BEGIN CERTIFICATE-----\n"
REGISTRIES = {
    "docker.io": Registry(("https://m.lan/v2/hub", "http://p.lan:5000"), credentials=Secret("hub:secret")),
    "m.lan": Registry(ca=PEM, credentials=Secret("mirror:pass")),
    "p.lan:5000": Registry(plain_http=True),
}


def files(actions):
    return {spec.path: spec for action in actions if isinstance(action, WriteFiles) for spec in action.files}


@pytest.fixture
def crio(cluster, machine, bundle, on):
    """Return a function that plans a worker with CRI-O."""
    running = UnitFact("crio.service", "loaded", "active", "enabled")

    def context(facts=None, recorded=(), **changes):
        socket = {"cri_socket": paths.CRIO_SOCKET}
        nodes = tuple(replace(node, **socket) for node in cluster.nodes)
        shape = replace(cluster, nodes=nodes, **changes)
        here = facts or replace(machine, units={"crio.service": running})
        made = on(shape, "w1", here, bundle)
        return replace(made, recorded={path: {} for path in recorded})

    return context


def test_crio_gets_the_clusters_sandbox_image_and_cgroup_driver(crio):
    actions = plan_runtime(crio())
    written = files(actions)
    config = tomllib.loads(written[host_settings.CRIO_CONFIG].content.decode())["crio"]
    assert config["runtime"]["cgroup_manager"] == "systemd"
    assert config["image"] == {
        "pause_image": "registry.k8s.io/pause:3.10.2",
        "pinned_images": ["registry.k8s.io/pause:3.10.2"],
    }
    assert config["network"] == {"network_dir": "/etc/cni/net.d", "plugin_dirs": ["/opt/cni/bin"]}
    assert json.loads(written[host_settings.CONTAINERS_POLICY].content)["default"]
    assert host_settings.CONTAINERS_REGISTRIES not in written
    [unit] = [action for action in actions if isinstance(action, Unit)]
    assert (unit.name, unit.state, unit.daemon_reload) == ("crio.service", "restarted", True)


def test_crio_reaches_registries_by_mirrors_cas_and_credentials(crio):
    written = files(plan_runtime(crio(registries=REGISTRIES)))
    listed = tomllib.loads(written[host_settings.CONTAINERS_REGISTRIES].content.decode())["registry"]
    assert listed == [
        {
            "prefix": "docker.io",
            "location": "docker.io",
            "insecure": False,
            "mirror": [
                {"location": "m.lan/hub", "insecure": False},
                {"location": "p.lan:5000", "insecure": True},
            ],
        },
        {"prefix": "m.lan", "location": "m.lan", "insecure": False},
        {"prefix": "p.lan:5000", "location": "p.lan:5000", "insecure": True},
    ]
    assert written["/etc/containers/certs.d/m.lan/ca.crt"].content == PEM
    logins = written[host_settings.CRIO_CREDENTIALS]
    assert (logins.mode, logins.secret) == (0o600, True)
    assert json.loads(logins.content)["auths"] == {
        "docker.io": {"auth": "aHViOnNlY3JldA=="},
        "m.lan": {"auth": "bWlycm9yOnBhc3M="},
    }
    config = tomllib.loads(written[host_settings.CRIO_CONFIG].content.decode())
    assert config["crio"]["image"]["global_auth_file"] == host_settings.CRIO_CREDENTIALS


def as_planned(facts, actions):
    """Return the facts of a host on which the files are as planned."""
    there = {
        path: FileFact(path, spec.mode, spec.owner, sha256=sha256(spec.content))
        for path, spec in files(actions).items()
    }
    return replace(facts, files={**facts.files, **there})


def test_a_crio_that_is_as_it_should_be_is_left_alone(crio):
    ctx = crio(registries=REGISTRIES)
    facts = as_planned(ctx.facts, plan_runtime(ctx))
    assert plan_runtime(crio(facts, registries=REGISTRIES)) == []
    written = [host_settings.CONTAINERS_REGISTRIES, "/etc/containers/certs.d/m.lan/ca.crt"]
    actions = plan_runtime(crio(facts, recorded=written))
    removed = {path for action in actions if isinstance(action, Remove) for path in action.paths}
    assert removed == set(written), "what the config does not ask for any more goes"
    assert [action.state for action in actions if isinstance(action, Unit)] == ["restarted"]


def test_somebody_elses_policy_stays(crio):
    ctx = crio()
    policy = FileFact(host_settings.CONTAINERS_POLICY, 0o644, "root:root", sha256="0" * 64)
    facts = replace(ctx.facts, files={host_settings.CONTAINERS_POLICY: policy})
    assert host_settings.CONTAINERS_POLICY not in files(plan_runtime(crio(facts)))


def test_a_preinstalled_crio_only_learns_of_registries(crio):
    ctx = replace(crio(registries=REGISTRIES, artifacts=ArtifactSource.PREINSTALLED), artifacts=None)
    assert set(files(plan_runtime(ctx))) == {
        host_settings.CONTAINERS_REGISTRIES,
        host_settings.CRIO_CREDENTIALS,
        "/etc/containers/certs.d/m.lan/ca.crt",
    }


def test_cri_dockerd_gets_the_sandbox_image_and_docker_the_cas(cluster, machine, bundle, on):
    nodes = tuple(replace(node, cri_socket=paths.CRI_DOCKERD_SOCKET) for node in cluster.nodes)
    shape = replace(cluster, nodes=nodes, registries=REGISTRIES)
    facts = replace(machine, executables={"cri-dockerd": "/usr/bin/cri-dockerd"})
    actions = plan_runtime(on(shape, "w1", facts, bundle))
    written = files(actions)
    assert set(written) == {host_settings.CRI_DOCKERD_DROPIN, "/etc/docker/certs.d/m.lan/ca.crt"}
    lines = written[host_settings.CRI_DOCKERD_DROPIN].content.decode().splitlines()
    assert lines[2] == "ExecStart="
    assert lines[3].startswith("ExecStart=/usr/bin/cri-dockerd --container-runtime-endpoint fd:// ")
    assert "--pod-infra-container-image=registry.k8s.io/pause:3.10.2" in lines[3]
    [unit] = [action for action in actions if isinstance(action, Unit)]
    assert (unit.name, unit.state) == ("cri-docker.service", "restarted")
    assert plan_runtime(on(shape, "w1", as_planned(facts, actions), bundle)) == []


def test_a_runtime_that_nobody_knows_is_not_touched(cluster, machine, bundle, on):
    nodes = tuple(replace(node, cri_socket="unix:///run/other.sock") for node in cluster.nodes)
    shape = replace(cluster, nodes=nodes, registries=REGISTRIES)
    assert plan_runtime(on(shape, "w1", machine, bundle)) == []
